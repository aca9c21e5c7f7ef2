"""Where along a rotation curve a radius lies, and intervals of fits stretched until they cover what they state."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rotation.benchmark import Benchmark
from .scores import EXPECTED

#: Short name -> what it means, from the inside out.
REGIMES = {"inside": "inside the beam", "measured": "where measured", "beyond": "beyond the last point"}

#: Fewest validation views from which a factor is taken; with fewer the intervals stay as they are.
FEWEST = 10


def regimes(benchmark: Benchmark) -> dict[str, np.ndarray]:
    """Name of `REGIMES` -> which radii of which views lie there, bool of shape (n, 20); none without a curve.

    The first good ring lies three quarters of a beam from the centre or farther out.
    """
    first, last, radii = benchmark.curve[:, 0, :1], benchmark.last_radius[:, None], benchmark.radii
    return {"inside": radii < first, "measured": (radii >= first) & (radii <= last), "beyond": radii > last}


def stretch(
    truth: np.ndarray, quantiles: np.ndarray, places: Mapping[str, np.ndarray], where: np.ndarray
) -> dict[str, float]:
    """Factors by which intervals of ln M must be widened to cover 68 per cent, one for each regime.

    Parameters
    ----------
    truth : ndarray, shape (n, 20)
        Of validation views [Msun].
    quantiles : ndarray, shape (n, 5, 20)
        2.5, 16, 50, 84 and 97.5 per cent [Msun]; NaN where there is no fit.
    places : mapping
        From `regimes`.
    where : ndarray of bool, shape (n,)
        Views to use.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.log(truth / quantiles[:, 2])
        half = np.log(np.where(off > 0, quantiles[:, 3], quantiles[:, 1]) / quantiles[:, 2])
        needed = off / half
    factors = {}
    for name, place in places.items():
        used = place & where[:, None] & np.isfinite(needed)
        enough = used.any(axis=1).sum() >= FEWEST
        factors[name] = float(np.quantile(needed[used], EXPECTED[1])) if enough else 1.0
    return factors


def stretched(quantiles: np.ndarray, places: Mapping[str, np.ndarray], factors: Mapping[str, float]) -> np.ndarray:
    """Quantiles of ln M with their distance from the median multiplied, shape (n, 5, 20)."""
    factor = np.ones_like(quantiles[:, 2])
    for name, place in places.items():
        factor = np.where(place, factors[name], factor)
    middle = quantiles[:, 2:3]
    return middle * (quantiles / middle) ** factor[:, None]
