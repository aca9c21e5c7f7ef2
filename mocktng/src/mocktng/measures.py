"""Radii and masses of a cloud of particles, as Subfind and AREPO define them."""

from __future__ import annotations

import numpy as np

from .units import HUBBLE, RHO_CRIT

#: Critical density [(1e10 Msun/h) / (ckpc/h)^3]
RHO_CRIT_CODE = RHO_CRIT / (1e10 * HUBBLE**2)

_K_LIMIT = 20.7  # mag / arcsec^2
_DIRECTIONS = 15
_RINGS = 100


def square(vectors: np.ndarray) -> np.ndarray:
    """Squared length of each row."""
    return np.einsum("ij,ij->i", vectors, vectors)


def angular_momentum(position: np.ndarray, velocity: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Total angular momentum, shape (3,): the antisymmetric part of the sum of m r v."""
    tensor = (position * mass[:, None]).T @ velocity
    return np.array([tensor[1, 2] - tensor[2, 1], tensor[2, 0] - tensor[0, 2], tensor[0, 1] - tensor[1, 0]])


def half_mass_radius(radius: np.ndarray, mass: np.ndarray) -> float:
    """Radius that encloses half the mass, half-way between the particles on both sides; 0 for a single particle.

    Parameters
    ----------
    radius, mass : ndarray
        In order of ascending radius.
    """
    if len(mass) < 2:
        return 0.0
    enclosed = np.cumsum(mass)
    i = int(np.searchsorted(enclosed, 0.5 * enclosed[-1]))
    return float(0.5 * (radius[i - 1] + radius[i])) if i else 0.0


def overdensity_sphere(radius: np.ndarray, enclosed: np.ndarray, overdensity: float) -> tuple[float, float]:
    """Mass and radius of the outermost sphere whose mean density is `overdensity` times the critical density.

    Parameters
    ----------
    radius, enclosed : ndarray
        In order of ascending radius, and the mass of all particles up to each [ckpc/h, 1e10 Msun/h].

    Returns
    -------
    mass, radius : float
        Consistent to rounding; 0 and 0 when no sphere is that dense.
    """
    threshold = 4.0 / 3.0 * np.pi * overdensity * RHO_CRIT_CODE
    dense = np.flatnonzero(enclosed >= threshold * radius**3)
    if not dense.size:
        return 0.0, 0.0
    inside = float(enclosed[dense[-1]])
    return inside, (inside / threshold) ** (1.0 / 3.0)


def photometric_radius(
    position: np.ndarray, mass: np.ndarray, m_k: np.ndarray, softening: float
) -> tuple[float, float]:
    """Projected radius where the K surface brightness falls below 20.7 mag/arcsec^2, and the stellar mass inside it.

    As in AREPO: rings between the softening and the outermost star, the outermost ring that is bright enough, and the
    median over lines of sight (15 fixed directions here, 100 random ones in AREPO).

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        Stars relative to the centre of the subhalo [ckpc/h].
    mass : ndarray
        [1e10 Msun/h]
    m_k : ndarray
        Absolute K magnitudes.
    softening : float
        [ckpc/h]
    """
    light = 10 ** (-0.4 * m_k)
    distance2 = square(position)
    outer = max(1.01 * np.sqrt(distance2.max()), 1.001 * softening)
    edges = np.concatenate([[0.0], np.geomspace(softening, outer, _RINGS - 1)])
    step = np.log(edges[2] / edges[1])
    area_pc2 = np.pi * np.diff(edges**2) * (1000.0 / HUBBLE) ** 2
    zero = 5.0 * np.log10(180.0 * 3600.0 / np.pi / 10.0)
    limits = []
    for direction in _directions():
        ring = np.sqrt(np.maximum(distance2 - (position @ direction) ** 2, 1e-12))
        ring = np.clip(np.floor(np.log(ring / softening) / step).astype(int) + 1, 0, _RINGS - 2)
        bright = np.bincount(ring, weights=light, minlength=_RINGS - 1)
        with np.errstate(divide="ignore"):
            surface = zero - 2.5 * np.log10(bright) + 2.5 * np.log10(area_pc2)
        lit = np.flatnonzero(surface[1:] < _K_LIMIT)
        last = int(lit[-1]) + 1 if lit.size else 0
        limits.append((edges[last + 1], mass[ring <= last].sum()))
    limits.sort()
    return limits[len(limits) // 2]


def _directions() -> np.ndarray:
    """Spread unit vectors evenly over a hemisphere (golden spiral)."""
    i = np.arange(_DIRECTIONS)
    z = (i + 0.5) / _DIRECTIONS
    azimuth = np.pi * (3.0 - np.sqrt(5.0)) * i
    return np.column_stack([np.sqrt(1 - z**2) * np.cos(azimuth), np.sqrt(1 - z**2) * np.sin(azimuth), z])
