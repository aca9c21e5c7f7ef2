"""Which of two methods is better: against radius, along the curve, against resolution, for matched groups of views."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from ..bootstrap import Estimate
from .bins import FEWEST, Binned
from .method_comparison import MethodComparison


def decided(difference: Estimate, sigmas: float = 2.0) -> np.ndarray:
    """-1 where the first method has the smaller error by that many standard deviations, 1 where the second, else 0."""
    with np.errstate(invalid="ignore"):
        decided = np.abs(difference.value) > sigmas * difference.error
    return np.where(decided, np.sign(difference.value), 0).astype(int)


def spans(radii: np.ndarray, won: np.ndarray, names: tuple[str, str]) -> list[tuple[str, str]]:
    """Ranges of radii with the same verdict, for a table: ``("1 to 3.4 kpc", "C/all")``."""
    words = {-1: names[0], 1: names[1], 0: "undecided"}
    out = []
    for verdict, group in groupby(range(len(radii)), key=lambda k: int(won[k])):
        rows = list(group)
        low, high = radii[rows[0]], radii[rows[-1]]
        out.append((f"{low:.3g} kpc" if len(rows) == 1 else f"{low:.3g} to {high:.3g} kpc", words[verdict]))
    return out


@dataclass(frozen=True)
class Duel:
    """Two methods on the same views.

    Parameters
    ----------
    first, second : Estimate
        Mean |dM/M| of each.
    ratio : Estimate
        Of the two, draw by draw.
    n : int
        Galaxies.
    """

    first: Estimate
    second: Estimate
    ratio: Estimate
    n: int

    @property
    def verdict(self) -> str:
        """``first``, ``second`` or ``undecided``: which has the smaller error by two standard deviations."""
        if not abs(self.ratio.value - 1.0) > 2.0 * self.ratio.error:
            return "undecided"
        return "first" if self.ratio.value < 1.0 else "second"


def duel(match: MethodComparison, first: str, second: str, where: np.ndarray, seed: int, place: str = "") -> Duel:
    """Errors of two methods over the radii of one regime, or over all, on the views that both can answer for.

    A test set of four galaxies, as in profile ``smoke``, may have no such view; then all radii of all views count, so
    that there is something to show, and n is 0.
    """
    above, below = match.over(first, place), match.over(second, place)
    used = where & np.isfinite(above) & np.isfinite(below)
    n = len(np.unique(match.subhalo_id[used]))
    if not n:
        above, below = match.over(first), match.over(second)
        used = np.isfinite(above) & np.isfinite(below)
    draws = match.bootstrap(used, seed)
    return Duel(draws.mean(above[used]), draws.mean(below[used]), draws.ratio(above[used], below[used]), n)


def against_beams(
    match: MethodComparison, names: Iterable[str], edges: tuple[float, ...], seed: int, place: str = ""
) -> dict[str, Binned]:
    """Mean |dM/M| of methods in bins of the number of beams across the disc.

    Views that are rejected only because they are small for the beam are included. Bins with too few galaxies are left
    out.
    """
    where, out = match.resolved_or_not, {}
    draws = match.bootstrap(np.ones(len(match), dtype=bool), seed)
    for name in names:
        error = match.over(name, place)
        labels, centres, estimates, numbers = [], [], [], []
        for low, high in pairwise(edges):
            used = where & (match.beams >= low) & (match.beams < high) & np.isfinite(error)
            if (n := len(np.unique(match.subhalo_id[used]))) < FEWEST:
                continue
            labels.append(f"{low:g} to {high:g}")
            centres.append(float(np.median(match.beams[used])))
            estimates.append(draws.mean(error, used))
            numbers.append(n)
        out[name] = Binned(tuple(labels), np.array(centres), estimates, np.array(numbers, dtype=int))
    return out


def matched(first: np.ndarray, second: np.ndarray, by: np.ndarray, bins: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Weights of two groups of views that give them the same distribution of a property.

    Parameters
    ----------
    first, second : ndarray of bool, shape (n,)
    by : ndarray, shape (n,)
        The property, for example the inclination.
    bins : int
        With equal numbers of the views of the first group.

    Returns
    -------
    ndarray, shape (n,) each
        The first group's are 1, the second's such that its number in each bin is that of the first; both are 0 in bins
        in which either has no view. All 1 where no bin has both, as in a test set of a few galaxies.
    """
    if not first.any():
        return np.ones(len(by)), np.ones(len(by))
    edges = np.quantile(by[first], np.linspace(0.0, 1.0, bins + 1))
    number = np.digitize(by, edges[1:-1])
    inside = (by >= edges[0]) & (by <= edges[-1])
    counts = [np.bincount(number[group & inside], minlength=bins) for group in (first, second)]
    shared = inside & (np.minimum(*counts) > 0)[number]
    if not shared.any():
        return np.ones(len(by)), np.ones(len(by))
    return (first & shared).astype(float), np.where(
        second & shared, (counts[0] / np.maximum(counts[1], 1))[number], 0.0
    )
