"""Scaling relations of a universe, measured from its catalogue and particles as it is read, beside the published ones.

Nothing here knows how the embedded universe was made: what is measured comes through `Universe` and `Galaxy`, so the
same functions measure TNG. Only the published medians are shared with the code that draws the embedded universe
(`dmlib.universe.embedded.relations`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.table import QTable

from .errors import GalaxyError
from .galaxy import Galaxy, load_galaxy
from .observe.hydrogen import HYDROGEN_FIELDS, hydrogen
from .progress import bar
from .units import COSMOLOGY, Z_SUN, G
from .universe import Universe
from .universe.embedded import relations
from .universe.embedded.galaxies import nfw_shape

#: Galaxies below this specific star-formation rate count as quenched [1/yr].
QUENCHED_BELOW = 1e-11

#: Columns of TNG's GFM_StellarPhotometrics.
_R_BAND = 6

_EXTRA = {
    "gas": tuple(name for name in HYDROGEN_FIELDS if name != "Masses"),
    "stars": ("GFM_StellarPhotometrics", "GFM_StellarFormationTime"),
}

_CATALOGUE = (
    "SubhaloGrNr",
    "SubhaloFlag",
    "SubhaloMassType",
    "SubhaloHalfmassRadType",
    "SubhaloSFR",
    "SubhaloGasMetallicitySfrWeighted",
    "SubhaloStarMetallicity",
)


def centrals(universe: Universe, m_star_min: float = 3e9) -> np.ndarray:
    """Ids of the central subhaloes (GroupFirstSub) with at least `m_star_min` [Msun] of stars, ascending."""
    first = np.asarray(universe.groups(["GroupFirstSub"])["GroupFirstSub"])
    ids = np.sort(first[first >= 0])
    mass = universe.subhalos(["SubhaloMassType"], ids)["SubhaloMassType"][:, 4]
    return ids[mass.to_value(u.Msun) >= m_star_min]


def load_with_gas(universe: Universe, subhalo_id: int) -> Galaxy:
    """One galaxy with the fields that the measurements here need."""
    return load_galaxy(universe, subhalo_id, extra=_EXTRA)


def hi_of_cells(galaxy: Galaxy) -> np.ndarray:
    """HI mass of each gas cell [Msun], see `dmlib.observe.hydrogen`."""
    return hydrogen({"Masses": galaxy.gas.mass, **galaxy.gas.extra}).m_hi


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


def weighted_median(values, weights) -> float:
    """Value that half of the weight lies below."""
    order = np.argsort(values)
    cumulative = np.cumsum(np.asarray(weights, dtype=float)[order])
    return float(np.asarray(values)[order][np.searchsorted(cumulative, 0.5 * cumulative[-1])])


def hi_radius(radius: np.ndarray, m_hi: np.ndarray, cells_per_ring: int = 12) -> float:
    """Outermost radius where the face-on HI surface density falls to 1 Msun/pc^2 [kpc]; NaN when it never is above.

    Parameters
    ----------
    radius : ndarray, shape (N,)
        Cylindrical radius of the cells, face-on [kpc].
    m_hi : ndarray, shape (N,)
        Msun.
    cells_per_ring : int
        Rings hold equal HI mass, on average this many cells that carry HI.
    """
    order = np.argsort(radius)
    mass = np.cumsum(m_hi[order])
    n_eff = m_hi.sum() ** 2 / max((m_hi**2).sum(), 1e-300)
    n_rings = int(n_eff // cells_per_ring)
    if n_rings < 3:
        return np.nan
    edges = np.interp(
        np.linspace(0.0, 1.0, n_rings + 1) * mass[-1],
        np.concatenate([[0.0], mass]),
        np.concatenate([[0.0], radius[order]]),
    )
    sigma = (mass[-1] / n_rings) / (np.pi * np.maximum(np.diff(edges**2), 1e-12)) / 1e6
    middle = np.sqrt(0.5 * (edges[1:] ** 2 + edges[:-1] ** 2))
    above = np.flatnonzero(sigma >= 1.0)
    if above.size == 0:
        return np.nan
    last = above[-1]
    if last == n_rings - 1:
        return float(edges[-1])
    fraction = np.log(sigma[last]) / np.log(sigma[last] / sigma[last + 1])
    return float(middle[last] + fraction * (middle[last + 1] - middle[last]))


def nfw_concentration(radius: np.ndarray, r200: float, inner: float = 0.1, outer: float = 1.0) -> float:
    """Concentration of the NFW profile that makes the particles most likely.

    Parameters
    ----------
    radius : ndarray
        Distances of dark-matter particles of equal mass from the centre [kpc].
    r200 : float
        [kpc]
    inner, outer : float
        Range of the fit in units of r200. From 0.1 outwards the contraction by the baryons is small.

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
    shells = np.diff(nfw_shape(c * edges), axis=1)
    likelihood = (counts * np.log(shells / shells.sum(axis=1, keepdims=True))).sum(axis=1)
    best = int(np.argmax(likelihood))
    return float(c[best, 0])


def measure(universe: Universe, ids: Sequence[int]) -> QTable:
    """Measure galaxies from the catalogue and their particles.

    Parameters
    ----------
    universe : Universe
    ids : sequence of int
        Subhaloes; centrals, since the mass of the group is taken as that of the halo.

    Returns
    -------
    QTable
        subhalo_id, m200 and r200 (of the group, critical), m_star, sfr, r_half (3-D, mass), r_light (face-on, r band),
        z_gas (SFR-weighted, NaN without star formation), z_star (within two half-mass radii), age (r-band weighted),
        m_hi, m_h2, r_hi, c_outer and c_all (NFW fits from 0.1 and from 0.02 r200), f_dm (dark matter's share of the
        mass within r_half), n_hi (cells with HI, effective number). NaN where something cannot be measured.
    """
    ids = np.asarray(ids)
    catalogue = universe.subhalos(_CATALOGUE, ids)
    group_ids = np.asarray(catalogue["SubhaloGrNr"])
    groups = universe.groups(["Group_M_Crit200", "Group_R_Crit200"], np.unique(group_ids))
    row = np.searchsorted(np.unique(group_ids), group_ids)
    sfr = catalogue["SubhaloSFR"].to(u.Msun / u.yr)
    z_gas = np.asarray(u.Quantity(catalogue["SubhaloGasMetallicitySfrWeighted"]).value, dtype=float)
    table = QTable(
        {
            "subhalo_id": ids,
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
    for i, subhalo_id in enumerate(bar(ids, label="measuring galaxies", unit="galaxy")):
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
    m_hi, n_hi = gas.m_hi.sum(), gas.m_hi.sum() ** 2 / max((gas.m_hi**2).sum(), 1e-300)
    try:
        star_axis = galaxy.spin_axis("stars")
        r_light = weighted_median(_cylindrical(galaxy.stars.position, star_axis), light)
        r_hi = hi_radius(_cylindrical(galaxy.gas.position, hi_axis(galaxy, gas.m_hi)), gas.m_hi)
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


def _cylindrical(position, axis):
    """Distance from an axis through the origin [kpc]."""
    return np.linalg.norm(position - (position @ axis)[:, None] * axis, axis=1)


@dataclass(frozen=True)
class Comparison:
    """A relation as measured beside the published one; y in dex.

    Parameters
    ----------
    name : str
    x, y, expected : ndarray
        Galaxies: abscissa, measured ordinate, published median at their abscissa (and type).
    quenched : ndarray of bool
    published_scatter : float
        NaN where the source gives none that could be compared.
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


def compare(name, x, y, expected, quenched, published_scatter=np.nan, weights=None, seed: int = 1) -> Comparison:
    """Measure a relation's offset from the published median; galaxies with a value that is not finite are left out."""
    x, y, expected, quenched = (np.asarray(v) for v in (x, y, expected, quenched))
    weights = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=float)
    good = np.isfinite(x) & np.isfinite(y) & np.isfinite(expected)
    x, y, expected, quenched, weights = x[good], y[good], expected[good], quenched[good], weights[good]
    residual = y - expected
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(x), (400, len(x)))
    medians = [weighted_median(residual[d], weights[d]) for d in draws]
    low, high = np.percentile(residual, [16, 84])
    offset = weighted_median(residual, weights)
    return Comparison(
        name, x, y, expected, quenched, published_scatter, offset, float(np.std(medians)), 0.5 * (high - low)
    )


def scaling_relations(table: QTable, quenched_weight: float = 1.0) -> dict[str, Comparison]:
    """All relations of a table from `measure`.

    Parameters
    ----------
    table : QTable
    quenched_weight : float
        How often a quenched galaxy counts where a relation mixes both types (the embedded universe holds every second
        of them only).

    Returns
    -------
    dict of Comparison
        stellar_to_halo, concentration, size, sequence, stellar_metallicity, age, hi_mass, hi_at_ssfr, hi_size,
        gas_metallicity.
    """
    m_star, sfr, m200 = (table[name].value for name in ("m_star", "sfr", "m200"))
    m_hi, r_hi = table["m_hi"].value, table["r_hi"].value
    log_m = np.log10(m_star)
    ssfr = sfr / m_star
    quenched = ssfr < QUENCHED_BELOW
    weights = np.where(quenched, quenched_weight, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        forming = np.where(quenched, np.nan, log_m)
        log_hi = np.log10(m_hi)
        log_ssfr = np.log10(ssfr)
        oxygen = 8.69 + np.log10(table["z_gas"] / Z_SUN)
        published_size = np.log10(relations.half_light_radius(m_star, quenched))
        rows = (
            ("stellar_to_halo", np.log10(m200), log_m, np.log10(relations.stellar_mass(m200)), "stellar_mass", weights),
            (
                "concentration",
                np.log10(m200),
                np.log10(table["c_outer"]),
                np.log10(relations.concentration(m200)),
                "concentration",
                None,
            ),
            ("size", log_m, np.log10(table["r_light"].value), published_size, "size_late", None),
            ("sequence", forming, np.log10(sfr), np.log10(relations.star_forming_sequence(m_star)), "sfr", None),
            (
                "stellar_metallicity",
                log_m,
                np.log10(table["z_star"] / Z_SUN),
                np.log10(relations.stellar_metallicity(m_star) / Z_SUN),
                "stellar_metallicity",
                weights,
            ),
            ("age", log_m, np.log10(table["age"].value), np.log10(relations.light_weighted_age(m_star)), None, weights),
            ("hi_mass", log_m, log_hi - log_m, np.log10(relations.hi_mass(m_star)) - log_m, None, weights),
            (
                "hi_at_ssfr",
                log_ssfr,
                log_hi - log_m,
                np.log10(relations.hi_mass_at_ssfr(m_star, sfr)) - log_m,
                "hi_mass",
                None,
            ),
            ("hi_size", log_hi, np.log10(2 * r_hi), np.log10(2 * relations.hi_radius(m_hi)), "hi_radius", None),
            ("gas_metallicity", forming, oxygen, relations.gas_metallicity(m_star), "gas_metallicity", None),
        )
        return {
            name: compare(name, x, y, expected, quenched, relations.SCATTER.get(scatter, np.nan), w)
            for name, x, y, expected, scatter, w in rows
        }


def gas_rotation(galaxy: Galaxy, edges: np.ndarray, min_cells: int = 15) -> tuple[np.ndarray, np.ndarray]:
    """Rotation of the HI beside the circular speed of all matter.

    Parameters
    ----------
    galaxy : Galaxy
        From `load_with_gas`.
    edges : ndarray, shape (n + 1,)
        Ring edges [kpc], about the angular momentum of the HI.
    min_cells : int
        Fewest cells (effective number, weighted by HI) in a ring.

    Returns
    -------
    v_phi : ndarray, shape (n,)
        HI-weighted mean azimuthal speed [km/s]; NaN where there is too little gas.
    v_circ : ndarray, shape (n,)
        sqrt(G M(<R)/R) of all particles of the subhalo [km/s], at the ring's middle; as if all matter were spherical.
    """
    m_hi = hi_of_cells(galaxy)
    axis = hi_axis(galaxy, m_hi)
    across = galaxy.gas.position - (galaxy.gas.position @ axis)[:, None] * axis
    radius = np.linalg.norm(across, axis=1)
    direction = np.cross(axis, across) / np.maximum(radius, 1e-9)[:, None]
    speed = np.einsum("ij,ij->i", direction, galaxy.gas.velocity)
    weight, _ = np.histogram(radius, edges, weights=m_hi)
    weight2, _ = np.histogram(radius, edges, weights=m_hi**2)
    total, _ = np.histogram(radius, edges, weights=m_hi * speed)
    enough = weight**2 >= min_cells * weight2
    v_phi = np.divide(total, weight, out=np.full(len(weight), np.nan), where=enough & (weight > 0))
    middle = 0.5 * (edges[1:] + edges[:-1])
    mass = sum(galaxy.enclosed_masses(middle).values())
    return v_phi, np.sqrt(G * mass / middle)
