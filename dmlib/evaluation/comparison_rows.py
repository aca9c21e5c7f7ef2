"""The numbers of the comparison of methods that the book quotes, as rows to record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ..bootstrap import Estimate
from ..rotation.population import REGIMES
from .method_comparison import MethodComparison, coverage_in, duel, duel_difference, matched
from .scores import REGIONS, row_mean

#: A number to record: keyword arguments of a `dmlib.results.recorder`.
Row = dict[str, Any]

#: Regime, or all radii, -> end of an id, and words.
_PLACES = {
    "": ("all", "over all radii"),
    **{place: (f"{place}-beam" if place == "inside" else place, words) for place, words in REGIMES.items()},
}

#: Beginnings of ids that stand for all accepted views, not for a group of them.
_ALL_VIEWS = (
    "winner",
    "contest-hybrid-over-network",
    "contest-hybrid-all-over-network",
    "contest-hybrid-over-prior",
    "contest-hybrid-over-curve",
    "contest-talk-over-curve",
    "contest-boosted-over-curve",
    "contest-floor-over-curve",
)


def error_rows(
    match: MethodComparison, found: Mapping[str, Mapping[str, Estimate]], n: Mapping[str, int], figure: str
) -> Iterator[Row]:
    """The numbers of `dmlib.evaluation.method_comparison.errors_by_regime`, ``contest-<method>-<regime>``."""
    for place, errors in found.items():
        for name, one in errors.items():
            statement = f"Mean |dM/M| {REGIMES[place]}, {match.entries[name].title}, accepted views"
            id = f"contest-{short(name)}-{place}"
            yield {"id": id, "value": one, "n": n[place], "statement": statement, "figure": figure}


def ratio_rows(
    match: MethodComparison, first: str, second: str, groups: Mapping[str, np.ndarray], figure: str | None
) -> Iterator[Row]:
    """Error of one method over that of another, ``<group>-<regime>`` for each regime and each group of views."""
    for prefix, where in groups.items():
        for place, (suffix, words) in _PLACES.items():
            _, ratio, n = duel(match, first, second, where, place)
            titles = f"{match.entries[first].title} over {match.entries[second].title}"
            statement = f"Mean |dM/M| {words}, {titles}" + ("" if prefix in _ALL_VIEWS else f", views: {prefix}")
            yield {"id": f"{prefix}-{suffix}", "value": ratio, "n": n, "statement": statement, "figure": figure}


def ratio_difference_rows(
    match: MethodComparison, first: str, second: str, prefix: str, groups: tuple[np.ndarray, np.ndarray], words: str
) -> Iterator[Row]:
    """A ratio of `ratio_rows` on some views less that on others, ``<prefix>-<regime>``; the groups in words."""
    for place, (suffix, where) in _PLACES.items():
        found, n = duel_difference(match, first, second, groups, place)
        titles = f"{match.entries[first].title} over {match.entries[second].title}"
        statement = f"Mean |dM/M| {where}, {titles}, {words}"
        yield {"id": f"{prefix}-{suffix}", "value": found, "n": n, "statement": statement, "figure": None}


def coverage_rows(
    match: MethodComparison, names: Iterable[str], where: np.ndarray, n: Mapping[str, int], figure: str
) -> Iterator[Row]:
    """Coverage of 68 per cent intervals, ``contest-cover-<method>-<regime>``, and of a posterior's own, ``-stated``."""
    fitted = {False: "stretched on validation galaxies", True: "as the posterior states it"}
    for name in names:
        fit = match.entries[name].quantiles is not None
        for place, words in REGIMES.items():
            for stated, how in (fitted if fit else {False: "calibrated on galaxies of its own"}).items():
                share = 100.0 * coverage_in(match, name, where, place, stated=stated)
                statement = f"Truth within the 68 per cent interval {words}, {match.entries[name].title}, {how}"
                row = {"id": f"contest-cover-{short(name)}-{place}" + "-stated" * stated, "value": share, "unit": "%"}
                yield row | {"n": n[place], "statement": statement, "figure": figure}


def matched_rows(
    match: MethodComparison, names: Mapping[str, str], groups: Mapping[str, tuple], by: np.ndarray, region: str = "all"
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
    region : str
        Radii whose mean error counts, of `dmlib.evaluation.scores.REGIONS`.
    """
    scores, (low, high) = match.scores(), REGIONS[region]
    draws, columns = scores.bootstrap, scores.columns(region)
    over = "over all radii" if columns.all() else f"over {low:g} to {high:g} kpc"
    for group, (rare, rest, words) in groups.items():
        for suffix, name in names.items():
            error = row_mean(np.where(columns, scores.views(name), np.nan))
            fitted = np.isfinite(error)
            found = draws.ratio_between(error, *matched(rare & fitted, rest & fitted, by))
            statement = f"Mean |dM/M| {over}, {words}, at matched inclination, {match.entries[name].title}"
            n = match.scores(rare & fitted).n_galaxies
            yield {"id": f"no-assumption-{group}-{suffix}", "value": found, "n": n, "statement": statement}


def resolution_rows(
    match: MethodComparison, names: Iterable[str], few: np.ndarray, many: np.ndarray, figure: str
) -> Iterator[Row]:
    """Error where measured on discs with many beams over that on discs with few, ``contest-beams-<method>``.

    Where there is no view of either kind, as in a test set of a few galaxies, all radii of all views count, and n is 0.
    """
    draws = match.scores().bootstrap
    for name in names:
        error, groups = match.over(name, "measured"), (many, few)
        n = min(match.scores(group & np.isfinite(error)).n_galaxies for group in groups)
        if not n:
            error, groups = match.over(name), 2 * (np.ones(len(match), dtype=bool),)
        statement = f"Mean |dM/M| where measured, discs of many beams over those of few, {match.entries[name].title}"
        row = {"id": f"contest-beams-{short(name)}", "value": draws.ratio_between(error, *groups), "n": n}
        yield row | {"statement": statement, "figure": figure}


def perfect_rows(
    match: MethodComparison, names: Iterable[str], where: np.ndarray, radii: tuple[float, float], figure: str
) -> Iterator[Row]:
    """Error within a range of radii with geometry and baryons known, ``contest-perfect-<method>``; and as observed."""
    columns = (match.radii >= radii[0]) & (match.radii <= radii[1])
    scores = match.scores(where)
    for name in names:
        for suffix, of in (("", f"{name}_perfect"), ("-observed", name)):
            error = scores.bootstrap.mean(row_mean(np.where(columns, scores.views(of), np.nan)))
            statement = f"Mean |dM/M| within {radii[0]:g} to {radii[1]:g} kpc, {match.entries[of].title}"
            row = {"id": f"contest-perfect-{short(name)}{suffix}", "value": error, "n": scores.n_galaxies}
            yield row | {"statement": statement, "figure": figure}


def short(name: str) -> str:
    """Part of an id that stands for a method: the network with all inputs is ``network``."""
    return "network" if name.endswith("/all") else name.split("/")[-1].replace("_", "-")
