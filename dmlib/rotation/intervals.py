"""Where along a rotation curve a radius lies, and intervals of fits stretched until they cover what they state."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import ndtr

from ..settings import RADII_KPC

#: Short name -> what it means, from the inside out.
REGIMES = {"inside": "inside the beam", "measured": "where measured", "beyond": "beyond the last point"}

#: Fewest validation views from which a factor is taken; with fewer the intervals stay as they are.
FEWEST = 10


def regimes(first: np.ndarray, last: np.ndarray) -> dict[str, np.ndarray]:
    """Name of `REGIMES` -> which of `RADII_KPC` of which views lie there, bool of shape (n, 20).

    Parameters
    ----------
    first, last : ndarray, shape (n,)
        Of the good rings; the first lies three quarters of a beam from the centre or farther out [kpc]. NaN without a
        curve: such a view has no radius in any regime.
    """
    first, last = first[:, None], last[:, None]
    inside, beyond = first > RADII_KPC, last < RADII_KPC
    return {"inside": inside, "measured": (first <= RADII_KPC) & (last >= RADII_KPC), "beyond": beyond}


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
        factors[name] = float(np.quantile(needed[used], 1.0 - 2.0 * ndtr(-1.0))) if enough else 1.0
    return factors


def stretched(quantiles: np.ndarray, places: Mapping[str, np.ndarray], factors: Mapping[str, float]) -> np.ndarray:
    """Quantiles of ln M with their distance from the median multiplied, shape (n, 5, 20)."""
    factor = np.ones_like(quantiles[:, 2])
    for name, place in places.items():
        factor = np.where(place, factors[name], factor)
    middle = quantiles[:, 2:3]
    return middle * (quantiles / middle) ** factor[:, None]
