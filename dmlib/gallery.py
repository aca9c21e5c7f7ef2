"""Portraits of galaxies from their particles: starlight, HI and its motion.

They show the particles without dust, noise or beam; `dmlib.observe` makes what a telescope would see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from .galaxy import ComponentName, load_galaxy, rotation_to_z
from .observe.hydrogen import HYDROGEN_FIELDS, hydrogen
from .universe import Universe

_FIELDS: dict[ComponentName, Sequence[str]] = {
    "gas": HYDROGEN_FIELDS,
    "stars": ("GFM_StellarPhotometrics", "StellarHsml"),
}

#: Columns of GFM_StellarPhotometrics for the red, green and blue of a picture: i, r, g.
_COLOURS = (6, 5, 4)


@dataclass(frozen=True)
class Portrait:
    """Maps of one galaxy; rows along y, columns along x.

    Parameters
    ----------
    subhalo_id : int
    half_width : float
        Half the side of every map [kpc].
    face_on, edge_on : ndarray, shape (n, n, 3)
        Starlight in i, r, g: luminosity per kpc^2 in units of magnitude zero, about the stars' angular momentum.
    hi : ndarray, shape (n, n)
        Face-on HI surface density [Msun/pc^2], about the same axis.
    velocity : ndarray, shape (n, n)
        HI-weighted mean speed along the line of sight at `inclination` [km/s], NaN below 0.3 Msun/pc^2.
    inclination : float
        [deg]
    """

    subhalo_id: int
    half_width: float
    face_on: np.ndarray
    edge_on: np.ndarray
    hi: np.ndarray
    velocity: np.ndarray
    inclination: float = 60.0


def smoothed_map(xy: np.ndarray, weights: np.ndarray, size: np.ndarray, half_width: float, n: int) -> np.ndarray:
    """Surface density of particles, each smoothed with its own size.

    Particles are grouped into octaves of size, and the histogram of each octave is convolved with one Gaussian.

    Parameters
    ----------
    xy : ndarray, shape (N, 2)
        [kpc]
    weights : ndarray, shape (N,)
    size : ndarray, shape (N,)
        Standard deviation of the Gaussian [kpc]; less than 0.7 pixels counts as 0.7.
    half_width : float
        [kpc]
    n : int
        Pixels a side.

    Returns
    -------
    ndarray, shape (n, n)
        Weight per kpc^2; rows along y.
    """
    pixel = 2.0 * half_width / n
    octave = np.ceil(np.log2(np.maximum(size / pixel, 0.7) / 0.7)).astype(int)
    pad = n // 4
    reach = half_width + pad * pixel
    edges = np.linspace(-reach, reach, n + 2 * pad + 1)
    total = np.zeros((n + 2 * pad, n + 2 * pad))
    for level in np.unique(octave):
        chosen = octave == level
        counts, _, _ = np.histogram2d(xy[chosen, 1], xy[chosen, 0], bins=(edges, edges), weights=weights[chosen])
        total += gaussian_filter(counts, 0.7 * 2.0**level, mode="constant", truncate=3.5)
    return total[pad:-pad, pad:-pad] / pixel**2


def portrait(universe: Universe, subhalo_id: int, n: int = 160) -> Portrait:
    """Portrait of one galaxy.

    Half the side of the maps is the radius that encloses 95 per cent of the HI, at least four half-mass radii of the
    stars and at most 60 kpc.

    Parameters
    ----------
    universe : Universe
    subhalo_id : int
    n : int
        Pixels a side.

    Returns
    -------
    Portrait

    Raises
    ------
    GalaxyError
        When the galaxy has too few stars for an axis.
    """
    galaxy = load_galaxy(universe, subhalo_id, extra=_FIELDS)
    m_hi = hydrogen(galaxy.gas.fields).m_hi
    gas_size = 0.8 * np.cbrt(3.0 / (4.0 * np.pi) * galaxy.gas.mass / galaxy.gas.extra["Density"])
    order = np.argsort(galaxy.gas.radius)
    cumulative = np.cumsum(m_hi[order])
    reach = galaxy.gas.radius[order][np.searchsorted(cumulative, 0.95 * cumulative[-1])] if m_hi.sum() > 0 else 0.0
    half_width = float(np.clip(reach, 4.0 * galaxy.r_half_star, 60.0))
    axes = rotation_to_z(galaxy.spin_axis("stars"))
    stars, gas = galaxy.stars.rotated(axes), galaxy.gas.rotated(axes)
    light = 10 ** (-0.4 * stars.extra["GFM_StellarPhotometrics"][:, _COLOURS].astype(float))
    star_size = 0.35 * stars.extra["StellarHsml"]

    def starlight(first: int, second: int) -> np.ndarray:
        xy = stars.position[:, [first, second]]
        return np.stack([smoothed_map(xy, light[:, i], star_size, half_width, n) for i in range(3)], axis=-1)

    inclination = np.radians(Portrait.inclination)
    cos, sin = np.cos(inclination), np.sin(inclination)
    tilted = gas.rotated(np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]]))
    column, moment = (
        smoothed_map(tilted.position[:, :2], weights, gas_size, half_width, n)
        for weights in (m_hi, m_hi * tilted.velocity[:, 2])
    )
    seen = column > 0.3e6
    return Portrait(
        subhalo_id=int(subhalo_id),
        half_width=half_width,
        face_on=starlight(0, 1),
        edge_on=starlight(0, 2),
        hi=smoothed_map(gas.position[:, :2], m_hi, gas_size, half_width, n) / 1e6,
        velocity=np.divide(moment, column, out=np.full_like(column, np.nan), where=seen),
    )
