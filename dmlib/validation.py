"""Scaling relations measured on a universe as it is read, compared with the published ones.

Nothing here knows how the embedded universe is made: galaxies are measured one by one from the catalogue and their
particles, through `Universe` and `Galaxy`, so the same functions measure TNG. Only the published medians are shared
with the code that draws the embedded universe (`dmlib.embedded.relations`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np
from astropy import units as u
from astropy.table import QTable, hstack
from numpy.typing import ArrayLike

from .bootstrap import resample
from .embedded import relations
from .errors import GalaxyError
from .galaxy import ComponentName, Galaxy, angular_momentum, load_galaxy
from .observe.hydrogen import HYDROGEN_FIELDS, hydrogen
from .units import Z_SUN, cosmology
from .universe import Universe
from .workers import bar

#: Galaxies below this specific star-formation rate count as quenched [1/yr].
QUENCHED_BELOW = 1e-11
#: Most rings of an HI profile; with more, noise decides where it crosses a density for the last time.
MAX_RINGS = 25
#: Fewest cells in a ring: the number of equal HI masses that would scatter as much.
CELLS_PER_RING = 10
# Column of TNG's GFM_StellarPhotometrics (U B V K g r i z).
_R_BAND = 5

_FIELDS: dict[ComponentName, Sequence[str]] = {
    "gas": HYDROGEN_FIELDS,
    "stars": ("GFM_StellarPhotometrics", "GFM_StellarFormationTime"),
}

_CATALOGUE = (
    *("SubhaloGrNr", "SubhaloMassType", "SubhaloHalfmassRadType", "SubhaloSFR"),
    *("SubhaloGasMetallicitySfrWeighted", "SubhaloStarMetallicity"),
)


def weighted_median(values: ArrayLike, weights: ArrayLike) -> float:
    """Value below which half of the weight lies."""
    return float(np.quantile(np.asarray(values), 0.5, weights=np.asarray(weights, dtype=float), method="inverted_cdf"))


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
    return ids[np.linspace(0, len(ids) - 1, min(at_most or len(ids), len(ids))).astype(int)]


def median_dark_fraction(table: QTable) -> tuple[np.ndarray, np.ndarray]:
    """Median dark-matter fraction within the stellar half-mass radius, in seven bins of equally many galaxies.

    Parameters
    ----------
    table : QTable
        As `measure` gives it.

    Returns
    -------
    log_m_star : ndarray, shape (7,)
        Middle of each bin of log10 stellar mass [Msun].
    median : ndarray, shape (7,)
    """
    x, y = np.log10(table["m_star"].to_value(u.Msun)), np.asarray(table["f_dm"])
    edges = np.percentile(x, np.linspace(0, 100, 8))
    medians = [np.median(y[(x >= low) & (x <= high)]) for low, high in pairwise(edges)]
    return 0.5 * (edges[1:] + edges[:-1]), np.array(medians)


def hi_axis(galaxy: Galaxy, m_hi: np.ndarray) -> np.ndarray:
    """Unit vector of the angular momentum of the HI."""
    momentum = angular_momentum(replace(galaxy.gas, mass=m_hi))
    length = np.linalg.norm(momentum)
    if not length > 0:
        raise GalaxyError(f"{galaxy.name} has no rotating HI: leave it out.")
    return momentum / length


def hi_radius(radius: np.ndarray, m_hi: np.ndarray) -> float:
    """Outermost radius where the face-on HI surface density falls to 1 Msun/pc^2 [kpc].

    Rings have equal HI mass, with on average at least `CELLS_PER_RING` cells that contain HI. The outermost two per
    cent of the mass are left out: a few cells in the halo would make a ring as wide as the halo.

    Parameters
    ----------
    radius : ndarray, shape (N,)
        Cylindrical radius of the cells, face-on [kpc].
    m_hi : ndarray, shape (N,)
        Msun.

    Returns
    -------
    float
        NaN with fewer than five rings, or if the density does not cross 1 Msun/pc^2.
    """
    n_rings = min(int(_effective_number(m_hi) // CELLS_PER_RING), MAX_RINGS)
    if n_rings < 5:
        return np.nan
    order = np.argsort(radius)
    mass = np.concatenate([[0.0], np.cumsum(m_hi[order])])
    steps = np.linspace(0.0, 0.98, n_rings + 1)
    edges = np.interp(steps * mass[-1], mass, np.concatenate([[0.0], radius[order]]))
    area = np.pi * np.maximum(np.diff(edges**2), 1e-12) * 1e6
    log_sigma = np.log(0.98 * mass[-1] / n_rings / area)
    middle = np.sqrt(0.5 * (edges[1:] ** 2 + edges[:-1] ** 2))
    above = np.flatnonzero(log_sigma >= 0.0)
    if above.size == 0 or above[-1] == n_rings - 1:
        return np.nan
    last = slice(above[-1], above[-1] + 2)
    return float(np.interp(0.0, log_sigma[last][::-1], middle[last][::-1]))


def _effective_number(mass: np.ndarray) -> float:
    """Number of equal masses with the same sum and sum of squares."""
    return float(mass.sum() ** 2 / max((mass**2).sum(), 1e-300))


def nfw_concentration(radius: np.ndarray, r200: float, inner: float = 0.1) -> float:
    """Maximum-likelihood concentration of an NFW profile.

    Parameters
    ----------
    radius : ndarray
        Distances of dark-matter particles of equal mass from the centre [kpc].
    r200 : float
        [kpc]
    inner : float
        The fit goes from here to r200, in units of r200. Beyond 0.1 the contraction by the baryons is small.

    Returns
    -------
    float
        c200c between 1 and 60; NaN with fewer than 100 particles in the range.
    """
    x = radius / r200
    counts, edges = np.histogram(x, np.geomspace(inner, 1.0, 25))
    if counts.sum() < 100:
        return np.nan
    c = np.geomspace(1.0, 60.0, 400)[:, None]
    shells = np.diff(relations.nfw_shape(c * edges), axis=1)
    likelihood = (counts * np.log(shells / shells.sum(axis=1, keepdims=True))).sum(axis=1)
    return float(c[np.argmax(likelihood), 0])


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
    groups = universe.groups(["Group_M_Crit200", "Group_R_Crit200"], np.asarray(catalogue["SubhaloGrNr"]))
    sfr = catalogue["SubhaloSFR"].to(u.Msun / u.yr)
    z_gas, z_star = (
        np.asarray(u.Quantity(catalogue[f"Subhalo{which}"]).value, dtype=float)
        for which in ("GasMetallicitySfrWeighted", "StarMetallicity")
    )
    table = QTable({"subhalo_id": subhalo_ids, "m200": groups["Group_M_Crit200"], "r200": groups["Group_R_Crit200"]})
    table["m_star"], table["sfr"] = catalogue["SubhaloMassType"][:, 4], sfr
    table["r_half"] = catalogue["SubhaloHalfmassRadType"][:, 4]
    table["z_gas"], table["z_star"] = np.where(sfr.value > 0, z_gas, np.nan), z_star
    rows = [
        _from_particles(_load(universe, row["subhalo_id"]), row["r200"].value, row["r_half"].value)
        for row in bar(table, label="measuring galaxies", unit="galaxy")
    ]
    units = {"r_light": u.kpc, "age": u.Gyr, "m_hi": u.Msun, "m_h2": u.Msun, "r_hi": u.kpc}
    return hstack([table, QTable(rows=rows, units=units)])


def _load(universe: Universe, subhalo_id: int) -> Galaxy:
    return load_galaxy(universe, subhalo_id, velocities=("gas", "stars"), extra=_FIELDS)


_AGE_TABLE = np.geomspace(0.03, 1.0, 400)


def stellar_ages(formation_time: np.ndarray) -> np.ndarray:
    """Ages [Gyr] at z = 0 from the scale factors of birth."""
    return np.interp(formation_time, _AGE_TABLE, _lookback())


@cache
def _lookback() -> np.ndarray:
    return cosmology().lookback_time(1.0 / _AGE_TABLE - 1.0).to_value(u.Gyr)


def _from_particles(galaxy: Galaxy, r200: float, r_half: float) -> dict[str, float]:
    light = 10 ** (-0.4 * galaxy.stars.extra["GFM_StellarPhotometrics"][:, _R_BAND].astype(float))
    gas = hydrogen(galaxy.gas.fields)
    try:
        star_axis = galaxy.spin_axis("stars")
        r_light = weighted_median(np.linalg.norm(_across(galaxy.stars.position, star_axis), axis=1), light)
        r_hi = hi_radius(np.linalg.norm(_across(galaxy.gas.position, hi_axis(galaxy, gas.m_hi)), axis=1), gas.m_hi)
    except GalaxyError:
        r_light = r_hi = np.nan
    inside = {name: mass[0] for name, mass in galaxy.enclosed_masses(np.array([r_half])).items()}
    return {
        "r_light": r_light,
        "age": np.average(stellar_ages(galaxy.stars.extra["GFM_StellarFormationTime"]), weights=light),
        "m_hi": gas.m_hi.sum(),
        "m_h2": gas.m_h2.sum(),
        "n_hi": _effective_number(gas.m_hi),
        "r_hi": r_hi,
        "c_outer": nfw_concentration(galaxy.dm.radius, r200),
        "c_all": nfw_concentration(galaxy.dm.radius, r200, inner=0.02),
        "f_dm": inside["dm"] / sum(inside.values()),
    }


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

    def agreement(self) -> float:
        """Median of v_phi/v_circ between 0.2 and 1 r_hi; NaN without a ring of enough gas."""
        ratio = self._ratio(0.2)
        return float(np.median(ratio)) if ratio.size else np.nan

    def departure(self) -> float:
        """Root mean square of v_phi/v_circ - 1 over the rings within r_hi; NaN without gas."""
        ratio = self._ratio(0.0)
        return float(np.sqrt(np.mean((ratio - 1.0) ** 2))) if ratio.size else np.nan

    def _ratio(self, inner: float) -> np.ndarray:
        ratio = (self.v_phi / self.v_circ)[(self.radius > inner * self.r_hi) & (self.radius < self.r_hi)]
        return ratio[np.isfinite(ratio)]


def rotation(universe: Universe, subhalo_id: int) -> Rotation:
    """Measure the rotation of one galaxy's HI, in 12 rings of equal width out to 1.2 HI radii.

    Raises
    ------
    GalaxyError
        When the galaxy has no HI radius.
    """
    galaxy = load_galaxy(universe, subhalo_id, velocities=["gas"], extra={"gas": HYDROGEN_FIELDS})
    m_hi = hydrogen(galaxy.gas.fields).m_hi
    axis = hi_axis(galaxy, m_hi)
    across = _across(galaxy.gas.position, axis)
    radius = np.linalg.norm(across, axis=1)
    r_hi = hi_radius(radius, m_hi)
    if not np.isfinite(r_hi):
        raise GalaxyError(f"{galaxy.name} has no radius of 1 Msun/pc^2 of HI: leave it out.")
    direction = np.cross(axis, across) / np.maximum(radius, 1e-9)[:, None]
    speed = np.einsum("ij,ij->i", direction, galaxy.gas.velocity)
    edges = np.linspace(0.0, 1.2 * r_hi, 13)
    weight, weight2, total = (np.histogram(radius, edges, weights=w)[0] for w in (m_hi, m_hi**2, m_hi * speed))
    enough = (weight**2 >= CELLS_PER_RING * weight2) & (weight > 0)
    v_phi = np.divide(total, weight, out=np.full(len(weight), np.nan), where=enough)
    middle = 0.5 * (edges[1:] + edges[:-1])
    return Rotation(int(subhalo_id), r_hi, middle, v_phi, galaxy.v_circ(middle)["total"])


def rotations(universe: Universe, ids: Sequence[int]) -> list[Rotation]:
    """Rotation of several galaxies; those without an HI radius are left out."""
    found = []
    for subhalo_id in bar(ids, label="rotation curves", unit="galaxy"):
        with suppress(GalaxyError):
            found.append(rotation(universe, int(subhalo_id)))
    return found


@dataclass(frozen=True)
class Comparison:
    """A measured relation and the published one; y in dex.

    Parameters
    ----------
    name : str
    x, y, expected : ndarray, shape (n,)
        Abscissa and ordinate of each galaxy, and the published median at its abscissa (and type).
    quenched : ndarray of bool, shape (n,)
    published_scatter : float
        NaN where the source has no comparable one.
    offset, offset_error : float
        Median of y - expected, and its bootstrap error over galaxies [dex].
    scatter : float
        Half the range from the 16th to the 84th percentile of y - expected [dex].
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    expected: np.ndarray
    quenched: np.ndarray
    published_scatter: float
    offset: float
    offset_error: float
    scatter: float

    @property
    def n(self) -> int:
        """Number of galaxies."""
        return len(self.x)


def compare(
    name: str,
    x: np.ndarray,
    y: np.ndarray,
    expected: np.ndarray,
    quenched: np.ndarray,
    published_scatter: float = np.nan,
    weights: ArrayLike = 1.0,
) -> Comparison:
    """Measure the offset of a relation from the published median.

    Galaxies with a value that is not finite are left out; see `Comparison` for the parameters. `weights` of the
    galaxies enter the median.
    """
    good = np.isfinite(x) & np.isfinite(y) & np.isfinite(expected)
    weight = np.broadcast_to(np.asarray(weights, dtype=float), len(x))[good]
    x, y, expected, quenched = (np.asarray(array)[good] for array in (x, y, expected, quenched))
    residual = y - expected

    def offset(rows: np.ndarray | slice) -> float:
        return weighted_median(residual[rows], weight[rows])

    error = float(np.std(resample(offset, len(residual), seed=1, draws=400)))
    low, high = np.percentile(residual, [16, 84])
    middle = offset(slice(None))
    return Comparison(name, x, y, expected, quenched, published_scatter, middle, error, 0.5 * (high - low))


def scaling_relations(table: QTable, weights: ArrayLike = 1.0) -> dict[str, Comparison]:
    """All relations of a table from `measure`.

    Parameters
    ----------
    table : QTable
    weights : array_like, shape (n,)
        How many galaxies of a fair sample each stands for; in relations that mix both types.

    Returns
    -------
    dict of Comparison
        stellar_to_halo, concentration, size, sequence, stellar_metallicity, age, hi_mass, hi_at_ssfr, hi_size,
        gas_metallicity.
    """
    m_star, sfr, m200, m_hi = (table[name].value for name in ("m_star", "sfr", "m200", "m_hi"))
    r, quenched = relations, sfr / m_star < QUENCHED_BELOW
    both = np.broadcast_to(np.asarray(weights, dtype=float), quenched.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        log = {name: np.log10(u.Quantity(table[name]).value) for name in ("c_outer", "r_light", "sfr", "age")}
        log |= {name: np.log10(table[name] / Z_SUN) for name in ("z_star", "z_gas")}
        log_m, log_m200, log_hi, log_ssfr = (np.log10(values) for values in (m_star, m200, m_hi, sfr / m_star))
        forming = np.where(quenched, np.nan, log_m)
        hi_fraction = np.log10(r.hi_mass(m_star)) - log_m, np.log10(r.hi_mass_at_ssfr(m_star, sfr)) - log_m
        size, z_star = r.half_light_radius(m_star, quenched), r.stellar_metallicity(m_star)
        # name, x, measured y, published y, key of the published scatter, weights
        rows = (
            ("stellar_to_halo", log_m200, log_m, np.log10(r.stellar_mass(m200)), "stellar_mass", both),
            ("concentration", log_m200, log["c_outer"], np.log10(r.concentration(m200)), "concentration", 1.0),
            ("size", log_m, log["r_light"], np.log10(size), "size_late", 1.0),
            ("sequence", forming, log["sfr"], np.log10(r.star_forming_sequence(m_star)), "sfr", 1.0),
            ("stellar_metallicity", log_m, log["z_star"], np.log10(z_star / Z_SUN), "stellar_metallicity", both),
            ("age", log_m, log["age"], np.log10(r.light_weighted_age(m_star)), "", both),
            ("hi_mass", log_m, log_hi - log_m, hi_fraction[0], "", both),
            ("hi_at_ssfr", log_ssfr, log_hi - log_m, hi_fraction[1], "hi_mass", 1.0),
            ("hi_size", log_hi, np.log10(2 * table["r_hi"].value), np.log10(2 * r.hi_radius(m_hi)), "hi_radius", 1.0),
            ("gas_metallicity", forming, 8.69 + log["z_gas"], r.gas_metallicity(m_star), "gas_metallicity", 1.0),
        )
        return {
            name: compare(name, x, y, expected, quenched, r.SCATTER.get(scatter, np.nan), weights)
            for name, x, y, expected, scatter, weights in rows
        }
