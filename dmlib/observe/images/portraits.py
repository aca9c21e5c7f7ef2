"""Pictures and colours of galaxies from their particles, for looking at: no part of the data set depends on them.

Portraits show starlight, HI and its motion without dust, noise or beam. The colours of a sample are compared with the
observed sequences of Baldry et al. (2004): the colour u - r of galaxies of the SDSS (z < 0.08, K-corrected to z = 0, H0
= 70 km/s/Mpc) is the sum of two Gaussians at every absolute magnitude, whose means and dispersions are a straight line
plus a tanh (their table 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.table import QTable

from ...galaxy import Component, ComponentName, load_galaxy, rotation_to_z
from ...units import PART_TYPE
from ...universe.base import Universe
from ..hydrogen import HYDROGEN_FIELDS, SPLINE_DISPERSION, hydrogen
from ..sky import Mode, SkyGrid, lines_of_sight, tabulate
from . import ab_magnitudes, absolute_magnitude
from .light import ParticleLight, project, star_luminosities

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
    galaxy = load_galaxy(universe, subhalo_id, ("stars", "gas"), extra=_FIELDS)
    m_hi = hydrogen(galaxy.gas.fields).m_hi
    order = np.argsort(galaxy.gas.radius)
    cumulative = np.cumsum(m_hi[order])
    reach = galaxy.gas.radius[order][np.searchsorted(cumulative, 0.95 * cumulative[-1])] if m_hi.sum() > 0 else 0.0
    half_width = float(np.clip(reach, 4.0 * galaxy.r_half_star, 60.0))
    grid = SkyGrid(2.0 * half_width, n)
    axes = rotation_to_z(galaxy.spin_axis("stars"))
    stars, gas = galaxy.stars.rotated(axes), galaxy.gas.rotated(axes)
    light = 10 ** (-0.4 * stars.extra["GFM_StellarPhotometrics"][:, _COLOURS].astype(float))
    # Widths that look smooth, and not narrower than the pixels.
    cell = np.cbrt(3.0 / (4.0 * np.pi) * gas.mass / gas.extra["Density"])
    star_size, gas_size = (
        np.maximum(width, 0.7 * grid.pixel_size) / SPLINE_DISPERSION
        for width in (0.5 * stars.extra["StellarHsml"], 1.2 * cell)
    )

    def surface(part: Component, axis: int, size: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Weight per kpc^2, with the x axis to the right and another one upwards, shape (n, n, k)."""
        return project(part.position[:, 0], part.position[:, axis], size, weights, grid) / grid.pixel_area

    inclination = np.radians(Portrait.inclination)
    cos, sin = np.cos(inclination), np.sin(inclination)
    tilted = gas.rotated(np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]]))
    weights = np.stack([m_hi, m_hi * tilted.velocity[:, 2]], axis=1)
    column, moment = np.moveaxis(surface(tilted, 1, gas_size, weights), -1, 0)
    return Portrait(
        subhalo_id=int(subhalo_id),
        half_width=half_width,
        face_on=surface(stars, 1, star_size, light),
        edge_on=surface(stars, 2, star_size, light),
        hi=surface(gas, 1, gas_size, m_hi[:, None])[..., 0] / 1e6,
        velocity=np.divide(moment, column, out=np.full_like(column, np.nan), where=column > 0.3e6),
    )


#: p0, p1, q0, q1, q2 of T(M) = p0 + p1 (M + 20) + q0 tanh((M - q1) / q2): mean and dispersion of u - r.
_SEQUENCES = {
    "red": ((2.279, -0.037, -0.108, -19.81, 0.96), (0.152, 0.008, 0.044, -19.91, 0.94)),
    "blue": ((1.790, -0.053, -0.363, -20.75, 1.12), (0.298, 0.014, -0.067, -19.90, 0.58)),
}


def sequence(name: str, m_r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and dispersion of the observed colour u - r [mag].

    Parameters
    ----------
    name : {"red", "blue"}
    m_r : ndarray
        Absolute magnitude in r, between -23.5 and -15.5.
    """
    m_r = np.asarray(m_r, dtype=float)
    mean, dispersion = (p0 + p1 * (m_r + 20) + q0 * np.tanh((m_r - q1) / q2) for p0, p1, q0, q1, q2 in _SEQUENCES[name])
    return mean, dispersion


def divider(m_r: np.ndarray) -> np.ndarray:
    """Colour u - r that best separates the two sequences (Baldry et al. 2004, equation 11)."""
    return 2.06 - 0.244 * np.tanh((np.asarray(m_r, dtype=float) + 20.07) / 1.09)


def quiescent(universe: Universe) -> np.ndarray:
    """Ids of the subhaloes of 1e10 to 1e12 Msun in stars that form fewer than 0.1 Msun/yr, shape (n,)."""
    rows = universe.subhalos(["SubhaloMassType", "SubhaloSFR", "SubhaloFlag"])
    mass = rows["SubhaloMassType"][:, PART_TYPE["stars"]].to_value(u.Msun)
    quiet = rows["SubhaloSFR"].to_value(u.Msun / u.yr) < 0.1
    keep = (mass >= 1e10) & (mass <= 1e12) & quiet & np.asarray(rows["SubhaloFlag"], dtype=bool)
    return np.asarray(rows["subhalo_id"])[keep]


def catalogue_magnitudes(universe: Universe, subhalo_ids: np.ndarray) -> np.ndarray:
    """Absolute magnitudes u g r i z without dust from the catalogue, shape (n, 5).

    Raises
    ------
    UniverseError
        When the catalogue lacks SubhaloStellarPhotometrics.
    """
    eight = universe.subhalos(["SubhaloStellarPhotometrics"], np.asarray(subhalo_ids))["SubhaloStellarPhotometrics"]
    return ab_magnitudes(u.Quantity(eight).value)


def dusty_magnitudes(
    universe: Universe, subhalo_ids: Sequence[int], light: ParticleLight, *, seed: int, mode: Mode = "random"
) -> tuple[QTable, dict[int, str]]:
    """Magnitudes of whole galaxies with and without dust, seen along one line of sight each.

    Parameters
    ----------
    universe : Universe
    subhalo_ids : sequence of int
    light : ParticleLight
        With dust.
    seed : int
    mode : {"random", "face-on", "edge-on"} or sequence
        Which line of sight, the first of `dmlib.observe.sky.lines_of_sight`.

    Returns
    -------
    QTable
        ``subhalo_id``, ``inclination`` [deg], ``bare`` and ``dusty`` (absolute AB magnitudes in the bands of
        `light`, shape (n, band)).
    set_aside : dict
        Reason by subhalo id, for galaxies that have no light or no axis.
    """

    def measure(subhalo_id: int) -> tuple:
        galaxy = load_galaxy(universe, subhalo_id, ("stars", "gas"), velocities=["stars"], extra=light.fields)
        (view,) = lines_of_sight(subhalo_id, galaxy.spin_axis(), 1, seed=seed, mode=mode)
        bare = absolute_magnitude(star_luminosities(galaxy, light.bands).sum(axis=0), light.bands)
        dusty = absolute_magnitude(light.luminosities(galaxy, view).sum(axis=0), light.bands)
        return view.inclination, bare, dusty

    return tabulate(measure, subhalo_ids, {"inclination": "deg", "bare": None, "dusty": None}, label="dust")
