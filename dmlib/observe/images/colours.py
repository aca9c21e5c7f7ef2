"""Colours of a sample, and the observed sequences with which they are compared.

The sequences are those of Baldry et al. (2004): the colour u - r of galaxies of the SDSS (z < 0.08, K-corrected to z =
0, H0 = 70 km/s/Mpc) is the sum of two Gaussians at every absolute magnitude, whose means and dispersions are a
straight line plus a tanh (their table 1).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from astropy import units as u
from astropy.table import QTable

from ...galaxy import load_galaxy
from ...units import PART_TYPE
from ...universe.base import Universe
from ..views import Mode, lines_of_sight, tabulate
from .bands import ab_magnitudes, absolute_magnitude
from .light import ParticleLight, star_luminosities

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


def quiescent(universe: Universe, m_star: tuple[float, float] = (1e10, 1e12), sfr: float = 0.1) -> np.ndarray:
    """Ids of the subhaloes in a range of stellar mass that form fewer stars than those of the sample, shape (n,).

    Parameters
    ----------
    universe : Universe
    m_star : tuple of float
        Limits of the stellar mass [Msun], both included.
    sfr : float
        Upper limit of the star-formation rate [Msun/yr].
    """
    rows = universe.subhalos(["SubhaloMassType", "SubhaloSFR", "SubhaloFlag"])
    mass = rows["SubhaloMassType"][:, PART_TYPE["stars"]].to_value(u.Msun)
    quiet = rows["SubhaloSFR"].to_value(u.Msun / u.yr) < sfr
    keep = (mass >= m_star[0]) & (mass <= m_star[1]) & quiet & np.asarray(rows["SubhaloFlag"], dtype=bool)
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
        Which line of sight, the first of `dmlib.observe.views.lines_of_sight`.

    Returns
    -------
    QTable
        ``subhalo_id``, ``inclination`` [deg], ``bare`` and ``dusty`` (absolute AB magnitudes in the bands of
        `light`, shape (n, band)).
    set_aside : dict
        Reason by subhalo id, for galaxies that have no light or no axis.
    """

    def measure(subhalo_id: int) -> tuple:
        galaxy = load_galaxy(universe, subhalo_id, ("stars", "gas"), extra=light.fields)
        (view,) = lines_of_sight(subhalo_id, galaxy.spin_axis(), 1, seed=seed, mode=mode)
        bare = absolute_magnitude(star_luminosities(galaxy, light.bands).sum(axis=0), light.bands)
        dusty = absolute_magnitude(light.luminosities(galaxy, view).sum(axis=0), light.bands)
        return view.inclination, bare, dusty

    return tabulate(measure, subhalo_ids, {"inclination": "deg", "bare": None, "dusty": None}, label="dust")
