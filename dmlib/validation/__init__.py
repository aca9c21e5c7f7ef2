"""Scaling relations measured on a universe as it is read, compared with the published ones.

Nothing here knows how the embedded universe is made: measurements use only `Universe` and `Galaxy`, so the same
functions measure TNG. Only the published medians are shared with the code that draws the embedded universe
(`dmlib.embedded.relations`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import ArrayLike

from ..embedded import relations
from ..units import Z_SUN
from .measure import Rotation, centrals, measure, rotation, rotations, weighted_median

__all__ = ["QUENCHED_BELOW", "Comparison", "Rotation", "centrals", "compare", "measure", "rotation", "rotations"]
__all__ += ["scaling_relations"]

#: Galaxies below this specific star-formation rate count as quenched [1/yr].
QUENCHED_BELOW = 1e-11


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
    seed: int = 1,
) -> Comparison:
    """Measure the offset of a relation from the published median.

    Galaxies with a value that is not finite are left out; see `Comparison` for the parameters. `weights` of the
    galaxies enter the median.
    """
    x, y = np.asarray(x), np.asarray(y)
    good = np.isfinite(x) & np.isfinite(y) & np.isfinite(expected)
    weight = np.broadcast_to(np.asarray(weights, dtype=float), len(x))[good]
    x, y, expected, quenched = x[good], y[good], expected[good], quenched[good]
    residual = y - expected
    draws = np.random.default_rng(seed).integers(0, len(x), (400, len(x)))
    error = float(np.std([weighted_median(residual[d], weight[d]) for d in draws]))
    low, high = np.percentile(residual, [16, 84])
    offset = weighted_median(residual, weight)
    return Comparison(name, x, y, expected, quenched, published_scatter, offset, error, 0.5 * (high - low))


def scaling_relations(table: QTable, quenched_weight: float = 1.0) -> dict[str, Comparison]:
    """All relations of a table from `measure`.

    Parameters
    ----------
    table : QTable
    quenched_weight : float
        Weight of a quenched galaxy in relations that mix both types (the embedded universe has only half of them).

    Returns
    -------
    dict of Comparison
        stellar_to_halo, concentration, size, sequence, stellar_metallicity, age, hi_mass, hi_at_ssfr, hi_size,
        gas_metallicity.
    """
    m_star, sfr, m200, m_hi = (table[name].value for name in ("m_star", "sfr", "m200", "m_hi"))
    r, quenched = relations, sfr / m_star < QUENCHED_BELOW
    both = np.where(quenched, quenched_weight, 1.0)
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
