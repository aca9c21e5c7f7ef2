"""Measured scaling relations beside the published ones: offset, its error, scatter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.table import QTable

from ..units import Z_SUN
from ..universe.embedded import relations

#: Galaxies below this specific star-formation rate count as quenched [1/yr].
QUENCHED_BELOW = 1e-11


def weighted_median(values, weights) -> float:
    """Value that half of the weight lies below."""
    order = np.argsort(values)
    cumulative = np.cumsum(np.asarray(weights, dtype=float)[order])
    return float(np.asarray(values)[order][np.searchsorted(cumulative, 0.5 * cumulative[-1])])


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
