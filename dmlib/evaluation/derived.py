"""What follows from an enclosed-mass profile: circular velocity and local density, with their uncertainty.

The circular velocity at R needs the mass within R only, and inherits half of its relative error. The density between
two radii needs the *difference* of two masses, so that independent errors of a few per cent become large, while errors
that both masses share fall out. The uncertainty must therefore be carried through the ensemble's members, each of
which is a whole profile, and not through sigma(R) as though radii were independent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy import constants
from astropy import units as u

#: Gravitational constant [kpc (km/s)^2 / Msun]
G = float(constants.G.to_value(u.kpc * (u.km / u.s) ** 2 / u.Msun))

#: Msun/kpc^3 in GeV/cm^3, the unit of direct searches.
GEV_PER_CM3 = float((1.0 * u.Msun / u.kpc**3 * constants.c**2).to_value(u.GeV / u.cm**3))


@dataclass(frozen=True)
class Band:
    """A derived quantity of one galaxy.

    Parameters
    ----------
    radius : ndarray, shape (k,)
        [kpc]
    value : ndarray, shape (k,)
        Of the ensemble's mean profile.
    sigma_ln : ndarray, shape (k,)
        Standard deviation of its logarithm over the members; NaN without an ensemble or where a member is not positive.
    """

    radius: np.ndarray
    value: np.ndarray
    sigma_ln: np.ndarray


def circular_velocity(radii: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """sqrt(G M(<R) / R) [km/s] of the dark matter alone, shape of `mass` (..., r)."""
    return np.sqrt(G * np.asarray(mass, dtype=float) / radii)


def shell_density(radii: np.ndarray, mass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean density of the shells between neighbouring radii.

    Parameters
    ----------
    radii : ndarray, shape (r,)
        [kpc]
    mass : ndarray, shape (..., r)
        Enclosed [Msun].

    Returns
    -------
    middle : ndarray, shape (r - 1,)
        Geometric middle of each shell [kpc].
    density : ndarray, shape (..., r - 1)
        [Msun/kpc^3]; negative where a predicted mass falls with radius, which is no physical profile.
    """
    volume = 4.0 / 3.0 * np.pi * np.diff(np.asarray(radii, dtype=float) ** 3)
    return np.sqrt(radii[1:] * radii[:-1]), np.diff(np.asarray(mass, dtype=float), axis=-1) / volume


def rising(mass: np.ndarray) -> np.ndarray:
    """Whether each profile rises with radius, shape of `mass` without its last axis."""
    return (np.diff(np.asarray(mass, dtype=float), axis=-1) > 0).all(axis=-1)


def bands(radii: np.ndarray, mass: np.ndarray, members: np.ndarray | None = None) -> dict[str, Band]:
    """Enclosed mass, circular velocity and local density of one galaxy.

    Parameters
    ----------
    radii : ndarray, shape (r,)
        [kpc]
    mass : ndarray, shape (r,)
        Of the ensemble [Msun].
    members : ndarray, shape (k, r), optional
        Of its members [Msun].

    Returns
    -------
    dict of Band
        ``mass`` [Msun], ``velocity`` [km/s], ``density`` [Msun/kpc^3].
    """
    middle, density = shell_density(radii, mass)
    alone = members is None or len(members) < 2
    others = (None, None, None)
    if not alone:
        others = (members, circular_velocity(radii, members), shell_density(radii, members)[1])
    return {
        name: Band(where, value, _spread(value, other))
        for name, where, value, other in zip(
            ("mass", "velocity", "density"),
            (radii, radii, middle),
            (np.asarray(mass, dtype=float), circular_velocity(radii, mass), density),
            others,
            strict=True,
        )
    }


def _spread(value: np.ndarray, members: np.ndarray | None) -> np.ndarray:
    if members is None:
        return np.full(value.shape, np.nan)
    positive = (members > 0).all(axis=0)
    return np.where(positive, np.log(np.where(members > 0, members, 1.0)).std(axis=0, ddof=1), np.nan)
