"""Measure galaxies one by one from the catalogue and their particles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import ArrayLike

from ..embedded import relations
from ..errors import GalaxyError
from ..galaxy import ComponentName, Galaxy, load_galaxy
from ..observe.hydrogen import HYDROGEN_FIELDS, hydrogen
from ..progress import bar
from ..units import COSMOLOGY, G
from ..universe import Universe

#: Most rings of an HI profile; with more, noise decides where it crosses a density for the last time.
MAX_RINGS = 25

# Column of TNG's GFM_StellarPhotometrics (U B V K g r i z).
_R_BAND = 5

_EXTRA: dict[ComponentName, Sequence[str]] = {
    "gas": tuple(name for name in HYDROGEN_FIELDS if name != "Masses"),
    "stars": ("GFM_StellarPhotometrics", "GFM_StellarFormationTime"),
}

_CATALOGUE = (
    *("SubhaloGrNr", "SubhaloMassType", "SubhaloHalfmassRadType", "SubhaloSFR"),
    *("SubhaloGasMetallicitySfrWeighted", "SubhaloStarMetallicity"),
)


def weighted_median(values: ArrayLike, weights: ArrayLike) -> float:
    """Value below which half of the weight lies."""
    values = np.asarray(values)
    order = np.argsort(values)
    cumulative = np.cumsum(np.asarray(weights, dtype=float)[order])
    return float(values[order][np.searchsorted(cumulative, 0.5 * cumulative[-1])])


def centrals(universe: Universe, m_star_min: float = 3e9, at_most: int | None = None) -> np.ndarray:
    """Ids of central subhaloes (GroupFirstSub), ascending.

    Parameters
    ----------
    universe : Universe
    m_star_min : float
        Minimum mass of stars [Msun].
    at_most : int, optional
        Number of galaxies, evenly along the catalogue, which is ordered by size; by default all.
    """
    first = np.asarray(universe.groups(["GroupFirstSub"])["GroupFirstSub"])
    ids = np.sort(first[first >= 0])
    mass = universe.subhalos(["SubhaloMassType"], ids)["SubhaloMassType"][:, 4]
    ids = ids[mass.to_value(u.Msun) >= m_star_min]
    if at_most is None or at_most >= len(ids):
        return ids
    return ids[np.linspace(0, len(ids) - 1, at_most).astype(int)]


def load_with_gas(universe: Universe, subhalo_id: int) -> Galaxy:
    """One galaxy with the fields that the measurements here need."""
    return load_galaxy(universe, subhalo_id, extra=_EXTRA)


def light_of_stars(galaxy: Galaxy, band: int = _R_BAND) -> np.ndarray:
    """Luminosity of each star particle in a band of GFM_StellarPhotometrics, in units of magnitude zero."""
    return 10 ** (-0.4 * galaxy.stars.extra["GFM_StellarPhotometrics"][:, band].astype(float))


def hi_axis(galaxy: Galaxy, m_hi: np.ndarray) -> np.ndarray:
    """Unit vector of the angular momentum of the HI."""
    momentum = np.cross(galaxy.gas.position, galaxy.gas.velocity * m_hi[:, None]).sum(axis=0)
    length = np.linalg.norm(momentum)
    if not length > 0:
        raise GalaxyError(f"{galaxy.name} has no rotating HI: leave it out.")
    return momentum / length


def hi_radius(radius: np.ndarray, m_hi: np.ndarray, cells_per_ring: int = 10) -> float:
    """Outermost radius where the face-on HI surface density falls to 1 Msun/pc^2 [kpc].

    Parameters
    ----------
    radius : ndarray, shape (N,)
        Cylindrical radius of the cells, face-on [kpc].
    m_hi : ndarray, shape (N,)
        Msun.
    cells_per_ring : int
        Rings have equal HI mass, with on average at least this many cells that contain HI. The outermost two per cent
        of the mass are left out: a few cells in the halo would make a ring as wide as the halo.

    Returns
    -------
    float
        NaN with fewer than five rings, or if the density does not cross 1 Msun/pc^2.
    """
    order = np.argsort(radius)
    mass = np.concatenate([[0.0], np.cumsum(m_hi[order])])
    n_rings = min(int(_effective_number(m_hi) // cells_per_ring), MAX_RINGS)
    if n_rings < 5:
        return np.nan
    steps = np.linspace(0.0, 0.98, n_rings + 1)
    edges = np.interp(steps * mass[-1], mass, np.concatenate([[0.0], radius[order]]))
    area = np.pi * np.maximum(np.diff(edges**2), 1e-12) * 1e6
    log_sigma = np.log(0.98 * mass[-1] / n_rings / area)
    middle = np.sqrt(0.5 * (edges[1:] ** 2 + edges[:-1] ** 2))
    above = np.flatnonzero(log_sigma >= 0.0)
    if above.size == 0 or above[-1] == n_rings - 1:
        return np.nan
    last = above[-1]
    fraction = log_sigma[last] / (log_sigma[last] - log_sigma[last + 1])
    return float(middle[last] + fraction * (middle[last + 1] - middle[last]))


def _effective_number(mass: np.ndarray) -> float:
    """Number of equal masses with the same sum and sum of squares."""
    return float(mass.sum() ** 2 / max((mass**2).sum(), 1e-300))


def nfw_concentration(radius: np.ndarray, r200: float, inner: float = 0.1, outer: float = 1.0) -> float:
    """Maximum-likelihood concentration of an NFW profile.

    Parameters
    ----------
    radius : ndarray
        Distances of dark-matter particles of equal mass from the centre [kpc].
    r200 : float
        [kpc]
    inner, outer : float
        Range of the fit in units of r200. Beyond 0.1 the contraction by the baryons is small.

    Returns
    -------
    float
        c200c between 1 and 60; NaN with fewer than 100 particles in the range.
    """
    x = radius / r200
    counts, edges = np.histogram(x, np.geomspace(inner, outer, 25))
    if counts.sum() < 100:
        return np.nan
    c = np.geomspace(1.0, 60.0, 400)[:, None]
    shells = np.diff(relations.nfw_shape(c * edges), axis=1)
    likelihood = (counts * np.log(shells / shells.sum(axis=1, keepdims=True))).sum(axis=1)
    best = int(np.argmax(likelihood))
    return float(c[best, 0])


def measure(universe: Universe, ids: Sequence[int]) -> QTable:
    """Measure galaxies from the catalogue and their particles.

    Parameters
    ----------
    universe : Universe
    ids : sequence of int
        Central subhaloes, because the mass of the group is taken as that of the halo.

    Returns
    -------
    QTable
        subhalo_id, m200 and r200 (of the group, critical), m_star, sfr, r_half (3-D, mass), r_light (face-on, r band),
        z_gas (SFR-weighted, NaN without star formation), z_star (within two half-mass radii), age (r-band weighted),
        m_hi, m_h2, r_hi, c_outer and c_all (NFW fits from 0.1 and from 0.02 r200), f_dm (dark matter's share of the
        mass within r_half), n_hi (effective number of cells with HI). NaN where a quantity cannot be measured.
    """
    subhalo_ids = np.asarray(ids)
    catalogue = universe.subhalos(_CATALOGUE, subhalo_ids)
    group_ids = np.asarray(catalogue["SubhaloGrNr"])
    groups = universe.groups(["Group_M_Crit200", "Group_R_Crit200"], np.unique(group_ids))
    row = np.searchsorted(np.unique(group_ids), group_ids)
    sfr = catalogue["SubhaloSFR"].to(u.Msun / u.yr)
    z_gas = np.asarray(u.Quantity(catalogue["SubhaloGasMetallicitySfrWeighted"]).value, dtype=float)
    table = QTable(
        {
            "subhalo_id": subhalo_ids,
            "m200": groups["Group_M_Crit200"][row].to(u.Msun),
            "r200": groups["Group_R_Crit200"][row].to(u.kpc),
            "m_star": catalogue["SubhaloMassType"][:, 4].to(u.Msun),
            "sfr": sfr,
            "r_half": catalogue["SubhaloHalfmassRadType"][:, 4].to(u.kpc),
            "z_gas": np.where(sfr.value > 0, z_gas, np.nan),
            "z_star": np.asarray(u.Quantity(catalogue["SubhaloStarMetallicity"]).value, dtype=float),
        }
    )
    rows = []
    for i, subhalo_id in enumerate(bar(subhalo_ids, label="measuring galaxies", unit="galaxy")):
        galaxy = load_with_gas(universe, subhalo_id)
        rows.append(_from_particles(galaxy, table["r200"][i].value, table["r_half"][i].value))
    names = ("r_light", "age", "m_hi", "m_h2", "n_hi", "r_hi", "c_outer", "c_all", "f_dm")
    units = (u.kpc, u.Gyr, u.Msun, u.Msun, None, u.kpc, None, None, None)
    for name, unit, values in zip(names, units, np.array(rows).T, strict=True):
        table[name] = values * unit if unit else values
    return table


_AGE_TABLE = np.geomspace(0.03, 1.0, 400)
_LOOKBACK = COSMOLOGY.lookback_time(1.0 / _AGE_TABLE - 1.0).to_value(u.Gyr)


def stellar_ages(formation_time: np.ndarray) -> np.ndarray:
    """Ages [Gyr] at z = 0 from the scale factors of birth."""
    return np.interp(formation_time, _AGE_TABLE, _LOOKBACK)


def _from_particles(galaxy: Galaxy, r200: float, r_half: float) -> tuple[float, ...]:
    light = light_of_stars(galaxy)
    age = np.average(stellar_ages(galaxy.stars.extra["GFM_StellarFormationTime"]), weights=light)
    gas = hydrogen({"Masses": galaxy.gas.mass, **galaxy.gas.extra})
    m_hi, n_hi = gas.m_hi.sum(), _effective_number(gas.m_hi)
    try:
        star_axis = galaxy.spin_axis("stars")
        r_light = weighted_median(np.linalg.norm(_across(galaxy.stars.position, star_axis), axis=1), light)
        r_hi = hi_radius(np.linalg.norm(_across(galaxy.gas.position, hi_axis(galaxy, gas.m_hi)), axis=1), gas.m_hi)
    except GalaxyError:
        r_light = r_hi = np.nan
    dm_radius = galaxy.dm.radius
    inside = {name: mass[0] for name, mass in galaxy.enclosed_masses(np.array([r_half])).items()}
    return (
        r_light,
        age,
        m_hi,
        gas.m_h2.sum(),
        n_hi,
        r_hi,
        nfw_concentration(dm_radius, r200),
        nfw_concentration(dm_radius, r200, inner=0.02),
        inside["dm"] / sum(inside.values()),
    )


def _across(position: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Component of positions perpendicular to an axis through the origin, shape (n, 3) [kpc]."""
    return position - (position @ axis)[:, None] * axis


@dataclass(frozen=True)
class Rotation:
    """Rotation of a galaxy's HI and the circular speed of all its matter.

    Parameters
    ----------
    subhalo_id : int
    r_hi : float
        HI radius [kpc].
    radius : ndarray, shape (n,)
        Middles of the rings [kpc], about the angular momentum of the HI.
    v_phi : ndarray, shape (n,)
        HI-weighted mean azimuthal speed [km/s]; NaN with too little gas.
    v_circ : ndarray, shape (n,)
        sqrt(G M(<R)/R) of all particles of the subhalo [km/s], as if all matter were spherical.
    """

    subhalo_id: int
    r_hi: float
    radius: np.ndarray
    v_phi: np.ndarray
    v_circ: np.ndarray

    def agreement(self, inner: float = 0.2, outer: float = 1.0) -> float:
        """Median of v_phi/v_circ between two radii in units of r_hi; NaN without a ring of enough gas."""
        ratio = self._ratio(inner, outer)
        return float(np.median(ratio)) if ratio.size else np.nan

    def departure(self, inner: float = 0.0, outer: float = 1.0) -> float:
        """Root mean square of v_phi/v_circ - 1 over the rings between two radii in units of r_hi; NaN without gas."""
        ratio = self._ratio(inner, outer)
        return float(np.sqrt(np.mean((ratio - 1.0) ** 2))) if ratio.size else np.nan

    def _ratio(self, inner: float, outer: float) -> np.ndarray:
        ratio = (self.v_phi / self.v_circ)[(self.radius > inner * self.r_hi) & (self.radius < outer * self.r_hi)]
        return ratio[np.isfinite(ratio)]


def rotation(
    universe: Universe, subhalo_id: int, n_rings: int = 12, reach: float = 1.2, min_cells: int = 10
) -> Rotation:
    """Measure the rotation of one galaxy's HI.

    Parameters
    ----------
    universe : Universe
    subhalo_id : int
    n_rings : int
        Rings of equal width out to `reach` HI radii.
    reach : float
    min_cells : int
        Minimum number of cells in a ring (effective number, weighted by HI).

    Raises
    ------
    GalaxyError
        When the galaxy has no HI radius.
    """
    galaxy = load_with_gas(universe, subhalo_id)
    m_hi = hydrogen({"Masses": galaxy.gas.mass, **galaxy.gas.extra}).m_hi
    axis = hi_axis(galaxy, m_hi)
    across = _across(galaxy.gas.position, axis)
    radius = np.linalg.norm(across, axis=1)
    r_hi = hi_radius(radius, m_hi)
    if not np.isfinite(r_hi):
        raise GalaxyError(f"{galaxy.name} has no radius of 1 Msun/pc^2 of HI: leave it out.")
    direction = np.cross(axis, across) / np.maximum(radius, 1e-9)[:, None]
    speed = np.einsum("ij,ij->i", direction, galaxy.gas.velocity)
    edges = np.linspace(0.0, reach * r_hi, n_rings + 1)
    weight, _ = np.histogram(radius, edges, weights=m_hi)
    weight2, _ = np.histogram(radius, edges, weights=m_hi**2)
    total, _ = np.histogram(radius, edges, weights=m_hi * speed)
    enough = (weight**2 >= min_cells * weight2) & (weight > 0)
    v_phi = np.divide(total, weight, out=np.full(n_rings, np.nan), where=enough)
    middle = 0.5 * (edges[1:] + edges[:-1])
    mass = sum(galaxy.enclosed_masses(middle).values())
    return Rotation(int(subhalo_id), r_hi, middle, v_phi, np.sqrt(G * mass / middle))


def rotations(universe: Universe, ids: Sequence[int]) -> list[Rotation]:
    """Rotation of several galaxies; those without an HI radius are left out."""
    found = []
    for subhalo_id in bar(ids, label="rotation curves", unit="galaxy"):
        try:
            found.append(rotation(universe, int(subhalo_id)))
        except GalaxyError:
            continue
    return found
