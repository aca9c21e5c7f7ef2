"""Quantities derived from an enclosed-mass profile: circular velocity and local density, with their uncertainty.

The circular velocity at R depends on the mass within R only, and has half of its relative error. The density between
two radii depends on the *difference* between two masses: common errors cancel, independent errors are amplified. The
correlation between errors at different radii therefore matters. We draw whole profiles from a normal distribution of
ln M with the stated sigma at each radius and the correlation of the errors of the calibration galaxies, and compute the
quantities for each draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..units import G

_STREAM = 0x64726177  # a random stream of its own


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
        Of the middle 68 per cent.
    """

    radius: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def draw_profiles(
    mass: np.ndarray, sigma_ln: np.ndarray, correlation: np.ndarray, *, draws: int = 2000, seed: int = 1
) -> np.ndarray:
    """Draw profiles from the stated uncertainty.

    Parameters
    ----------
    mass, sigma_ln : ndarray, shape (r,)
        Predicted mass [Msun] and standard deviation of its logarithm.
    correlation : ndarray, shape (r, r)
        Between the errors of ln M at two radii.
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
        [Msun/kpc^3]; negative where a predicted mass decreases with radius, which is unphysical.
    """
    volume = 4.0 / 3.0 * np.pi * np.diff(np.asarray(radii, dtype=float) ** 3)
    return np.sqrt(radii[1:] * radii[:-1]), np.diff(np.asarray(mass, dtype=float), axis=-1) / volume


def rising(mass: np.ndarray) -> np.ndarray:
    """Whether each profile increases with radius, shape of `mass` without its last axis."""
    return np.all(np.diff(np.asarray(mass, dtype=float), axis=-1) > 0, axis=-1)


def roughness(mass: np.ndarray) -> np.ndarray:
    """Root mean square of the second differences of ln M between neighbouring radii, shape (...).

    A zigzag makes it large: errors of ln M that are independent at every radius with standard deviation s add 6^(1/2) s
    in quadrature. NaN where a mass is 0.
    """
    mass = np.asarray(mass, dtype=float)
    return np.sqrt(np.mean(np.diff(np.log(np.where(mass > 0, mass, np.nan)), 2, axis=-1) ** 2, axis=-1))


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
