"""Which of two methods is better: against radius, along the curve, against resolution, for matched groups of views.

Also all pairs of networks and baselines, and whether another run ranks them alike.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, groupby, pairwise, permutations
from typing import Any

import numpy as np

from ..bootstrap import Estimate
from ..rotation.population import REGIMES
from .bins import Binned, in_groups
from .method_comparison import MethodComparison, coverage_in
from .scores import Scores, row_mean

#: Regime, or all radii, -> end of an id, and words.
_PLACES = {"": ("all", "over all radii"), **{name: (name, words) for name, words in REGIMES.items()}}
_PLACES["inside"] = ("inside-beam", REGIMES["inside"])

#: Beginnings of ids that stand for all accepted views, not for a group of them.
_ALL_VIEWS = ("winner", "contest-hybrid-over-network", "contest-hybrid-over-curve", "contest-talk-over-curve")


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
class Pairs:
    """Every pair of some methods on the same galaxies.

    Parameters
    ----------
    names : tuple of str
        Methods, the one with the smallest error first.
    errors : dict of Estimate
        Method -> mean |dM/M|.
    differences : dict of Estimate
        (first, second) -> mean |dM/M| of the first minus that of the second, draw by draw; both orders.
    """

    names: tuple[str, ...]
    errors: dict[str, Estimate]
    differences: dict[tuple[str, str], Estimate]

    def verdict(self, first: str, second: str) -> str:
        """``better``, ``worse`` (by two standard deviations) or ``undecided``: the first beside the second."""
        return {-1: "better", 0: "undecided", 1: "worse"}[int(decided(self.differences[first, second]))]

    def tied(self, among: Container[str] | None = None) -> tuple[str, ...]:
        """Methods, of all or of those `among`, that cannot be told apart from the one with the smallest error."""
        best, *others = (name for name in self.names if among is None or name in among)
        return tuple(name for name in others if self.verdict(best, name) == "undecided")

    def table(self, titles: Mapping[str, str], about: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
        """One row for each method, with a column for each other: the difference in per cent, and the verdict.

        Parameters
        ----------
        titles : mapping
            Method -> title.
        about : mapping
            Method -> what precedes the differences, for example ``members`` and ``parameters``.
        """
        rows = []
        for first in self.names:
            error = self.errors[first]
            row = {"method": titles[first], **about.get(first, {}), "error": _percent(error, sign="")}
            for second in self.names:
                same = first == second
                cell = "" if same else f"{_percent(self.differences[first, second])} {self.verdict(first, second)}"
                row[f"less {titles[second]}"] = cell
            rows.append(row)
        return rows


def pairs_of(scores: Scores, names: Iterable[str], region: str = "intermediate") -> Pairs:
    """Compare every pair of methods over a region, see `dmlib.evaluation.scores.REGIONS`."""
    errors = {name: scores.over(region, name) for name in names}
    ranked = tuple(sorted(errors, key=lambda name: float(errors[name].value)))
    found = {(first, second): scores.better(region, first, second) for first, second in permutations(ranked, 2)}
    return Pairs(ranked, errors, found)


@dataclass(frozen=True)
class Repeat:
    """Another run of the same methods beside the one from which conclusions are drawn.

    Parameters
    ----------
    decided, alike : int
        Pairs of methods that the first run decides, and those among them that the other puts in the same order.
    rank_correlation : float
        Spearman's, of the errors of the methods.
    shifts : dict of float
        Method -> mean |dM/M| of the other run's first member minus the mean over the first run's members.
    spread : float
        Standard deviation of such a shift if the two differed by their seeds only: from the scatter of the members of
        the first run about the mean of their ensemble, all ensembles together.
    """

    decided: int
    alike: int
    rank_correlation: float
    shifts: dict[str, float]
    spread: float

    @property
    def within(self) -> int:
        """Number of methods whose shift is at most twice what seeds explain."""
        return sum(abs(shift) <= 2.0 * self.spread for shift in self.shifts.values())


def repeat(pairs: Pairs, other: Pairs, members: Mapping[str, np.ndarray], others: Mapping[str, np.ndarray]) -> Repeat:
    """Whether another run repeats a comparison.

    Parameters
    ----------
    pairs, other : Pairs
        Of the run from which conclusions are drawn, and of the other.
    members, others : mapping of ndarray, shape (member,)
        Ensemble -> error of each member in either run, see `Scores.of_members`.
    """
    first = [(a, b) for a, b in combinations(pairs.names, 2) if pairs.verdict(a, b) != "undecided"]
    # In `pairs` the first of each has the smaller error.
    alike = sum(float(other.differences[a, b].value) < 0 for a, b in first)
    ranks = np.array([[run.names.index(name) for name in pairs.names] for run in (pairs, other)], dtype=float)
    correlation = np.corrcoef(ranks)[0, 1] if len(pairs.names) > 1 else np.nan
    several = {name: errors for name, errors in members.items() if len(errors) > 1}
    free = sum(len(errors) - 1 for errors in several.values())
    variance = sum(float(np.sum((e - e.mean()) ** 2)) for e in several.values()) / max(free, 1)
    fewest = min((len(errors) for errors in members.values()), default=1)
    shifts = {name: float(others[name][0] - errors.mean()) for name, errors in members.items()}
    return Repeat(len(first), alike, float(correlation), shifts, float(np.sqrt(variance * (1.0 + 1.0 / fewest))))


def _percent(found: Estimate, sign: str = "+") -> str:
    return f"{100 * float(found.value):{sign}.1f} ± {100 * float(found.error):.1f}"


def duel(
    match: MethodComparison, first: str, second: str, where: np.ndarray, seed: int, place: str = ""
) -> tuple[Estimate, Estimate, int]:
    """Mean |dM/M| of a method over the radii of one regime, or over all, its ratio to another's, and the galaxies.

    On the views that both can answer for; the ratio is taken draw by draw.

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
    return draws.mean(above[used]), draws.ratio(above[used], below[used]), n


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
        known = where & np.isfinite(error)
        bins = {f"{a:g} to {b:g}": known & (match.beams >= a) & (match.beams < b) for a, b in pairwise(edges)}
        out[name] = in_groups(error, bins, draws, match.beams)
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


#: A number to record: keyword arguments of a `dmlib.results.recorder`.
Row = dict[str, Any]


def errors_by_regime(
    match: MethodComparison, names: Iterable[str], where: np.ndarray, seed: int
) -> tuple[dict[str, dict[str, Estimate]], dict[str, int]]:
    """Mean |dM/M| in each regime, regime -> method -> estimate, and the galaxies of each regime."""
    found, numbers = {}, {}
    for place in REGIMES:
        some = {name: duel(match, name, name, where, seed, place) for name in names}
        found[place] = {name: error for name, (error, _, _) in some.items()}
        numbers[place] = min(n for _, _, n in some.values())
    return found, numbers


def error_rows(
    match: MethodComparison, found: Mapping[str, Mapping[str, Estimate]], n: Mapping[str, int], figure: str
) -> Iterator[Row]:
    """The numbers of `errors_by_regime`, ``contest-<method>-<regime>``."""
    for place, errors in found.items():
        for name, one in errors.items():
            statement = f"Mean |dM/M| {REGIMES[place]}, {match.entries[name].title}, accepted views"
            yield _row(f"contest-{short(name)}-{place}", one, n[place], statement, figure)


def ratio_rows(
    match: MethodComparison, first: str, second: str, groups: Mapping[str, np.ndarray], seed: int, figure: str | None
) -> Iterator[Row]:
    """Error of one method over that of another, ``<group>-<regime>`` for each group of views and regime."""
    for prefix, where in groups.items():
        for place, (suffix, words) in _PLACES.items():
            _, ratio, n = duel(match, first, second, where, seed, place)
            titles = f"{match.entries[first].title} over {match.entries[second].title}"
            statement = f"Mean |dM/M| {words}, {titles}" + ("" if prefix in _ALL_VIEWS else f", views: {prefix}")
            yield _row(f"{prefix}-{suffix}", ratio, n, statement, figure)


def coverage_rows(
    match: MethodComparison, names: Iterable[str], where: np.ndarray, seed: int, n: Mapping[str, int], figure: str
) -> Iterator[Row]:
    """Coverage of the 68 per cent intervals, ``contest-cover-<method>-<regime>``, and ``-stated`` before stretching."""
    for name in names:
        for place in REGIMES:
            for stated in (False, True):
                share = coverage_in(match, name, where, seed, place, stated=stated)
                how = "as the posterior states it" if stated else "stretched on validation galaxies"
                statement = (
                    f"Truth within the 68 per cent interval {REGIMES[place]}, {match.entries[name].title}, {how}"
                )
                id = f"contest-cover-{short(name)}-{place}" + "-stated" * stated
                yield _row(id, share, n[place], statement, figure, scale=100.0, unit="%")


def matched_rows(
    match: MethodComparison,
    names: Mapping[str, str],
    groups: Mapping[str, tuple[np.ndarray, np.ndarray, str]],
    by: np.ndarray,
    seed: int,
) -> Iterator[Row]:
    """Error on some views over that on others which are seen alike, ``no-assumption-<group>-<suffix>``.

    Parameters
    ----------
    match : MethodComparison
    names : mapping
        Suffix -> method.
    groups : mapping
        Name -> views, views that they are compared with, and both in words.
    by : ndarray, shape (n,)
        The property that is matched.
    seed : int
    """
    draws = match.bootstrap(np.ones(len(match), dtype=bool), seed)
    for group, (rare, rest, words) in groups.items():
        for suffix, name in names.items():
            error = match.over(name)
            fitted = np.isfinite(error)
            found = draws.ratio_between(error, *matched(rare & fitted, rest & fitted, by))
            statement = f"Mean |dM/M| over all radii, {words}, at matched inclination, {match.entries[name].title}"
            n = len(np.unique(match.subhalo_id[rare & fitted]))
            yield _row(f"no-assumption-{group}-{suffix}", found, n, statement, None)


def perfect_rows(
    match: MethodComparison, names: Iterable[str], where: np.ndarray, seed: int, radii: tuple[float, float], figure: str
) -> Iterator[Row]:
    """Error within a range of radii with geometry and baryons known, ``contest-perfect-<method>``; and as observed."""
    columns = (match.radii >= radii[0]) & (match.radii <= radii[1])
    draws, n = match.bootstrap(where, seed), len(np.unique(match.subhalo_id[where]))
    for name in names:
        for suffix, of in (("", f"{name}_perfect"), ("-observed", name)):
            error = row_mean(np.where(columns, match.values(of), np.nan)[where])
            statement = f"Mean |dM/M| within {radii[0]:g} to {radii[1]:g} kpc, {match.entries[of].title}"
            yield _row(f"contest-perfect-{short(name)}{suffix}", draws.mean(error), n, statement, figure)


def short(name: str) -> str:
    """Part of an id that stands for a method: the network with all inputs is ``network``."""
    return "network" if name.endswith("/all") else name.split("/")[-1].replace("_", "-")


def _row(
    id: str, found: Estimate, n: int, statement: str, figure: str | None, *, scale: float = 1.0, unit: str = ""
) -> Row:
    value, error = scale * found.value, scale * found.error
    return {"id": id, "value": value, "error": error, "n": n, "statement": statement, "figure": figure, "unit": unit}
