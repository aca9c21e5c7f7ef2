"""What follows from an enclosed-mass profile: circular velocity and local density, with their uncertainty.

The circular velocity at R needs the mass within R only, and inherits half of its relative error. The density between
two radii needs the *difference* of two masses: errors that both masses share fall out, errors of their own are blown
up. So it matters how errors at different radii go together. We draw whole profiles from a normal distribution of ln M
with the stated sigma at each radius and with the correlation that the errors of the validation galaxies had, and carry
each draw through.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy import constants
from astropy import units as u

#: Gravitational constant [kpc (km/s)^2 / Msun]
G = float(constants.G.to_value(u.kpc * (u.km / u.s) ** 2 / u.Msun))

#: One Msun/kpc^3 in GeV/cm^3, the unit of direct searches.
GEV_PER_CM3 = float((1.0 * u.Msun / u.kpc**3 * constants.c**2).to_value(u.GeV / u.cm**3))

_STREAM = 0x64726177  # so that no random stream is shared with anything else


@dataclass(frozen=True)
class Band:
    """A derived quantity of one galaxy.

    Parameters
    ----------
    radius : ndarray, shape (k,)
        [kpc]
    value : ndarray, shape (k,)
        Of the predicted profile.
    low, high : ndarray, shape (k,)
        16th and 84th percentile over the draws.
    """

    radius: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def draw_profiles(
    mass: np.ndarray, sigma_ln: np.ndarray, correlation: np.ndarray, *, draws: int = 2000, seed: int = 1
) -> np.ndarray:
    """Profiles as likely as the stated uncertainty says.

    Parameters
    ----------
    mass, sigma_ln : ndarray, shape (r,)
        Predicted mass [Msun] and standard deviation of its logarithm.
    correlation : ndarray, shape (r, r)
        Of the errors of ln M at two radii.
    draws, seed : int

    Returns
    -------
    ndarray, shape (draws, r)
        [Msun]
    """
    values, vectors = np.linalg.eigh(np.asarray(correlation, dtype=float))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    rng = np.random.default_rng([seed, _STREAM])
    return mass * np.exp(sigma_ln * (rng.standard_normal((draws, len(mass))) @ root.T))


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


def bands(radii: np.ndarray, mass: np.ndarray, draws: np.ndarray) -> dict[str, Band]:
    """Enclosed mass, circular velocity and local density of one galaxy.

    Parameters
    ----------
    radii : ndarray, shape (r,)
        [kpc]
    mass : ndarray, shape (r,)
        Predicted [Msun].
    draws : ndarray, shape (k, r)
        See `draw_profiles` [Msun].

    Returns
    -------
    dict of Band
        ``mass`` [Msun], ``velocity`` [km/s], ``density`` [Msun/kpc^3].
    """
    middle, density = shell_density(radii, mass)
    return {
        "mass": _band(radii, np.asarray(mass, dtype=float), draws),
        "velocity": _band(radii, circular_velocity(radii, mass), circular_velocity(radii, draws)),
        "density": _band(middle, density, shell_density(radii, draws)[1]),
    }


def _band(radius: np.ndarray, value: np.ndarray, draws: np.ndarray) -> Band:
    low, high = np.percentile(draws, [15.87, 84.13], axis=0)
    return Band(radius, value, low, high)
