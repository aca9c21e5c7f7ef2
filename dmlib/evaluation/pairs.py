"""All pairs of networks and baselines on the same galaxies, and whether another run ranks them alike."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

import numpy as np

from ..bootstrap import Estimate
from .scores import Scores, verdict


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
        """The first beside the second, see `dmlib.evaluation.scores.verdict`."""
        return verdict(self.differences[first, second])

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


#: Ensembles as `dmlib.networks.models.read_index` gives them.
Index = Mapping[str, Mapping[str, Any]]


def cut_short(index: Index, others: Index, names: Iterable[str]) -> tuple[str, ...]:
    """Ensembles whose training in another run ended before it had learned as much as any in the first.

    Their smallest validation loss in the other run is larger than that of every member in the first.

    Parameters
    ----------
    index, others : mapping
        Of the run from which conclusions are drawn, and of the other.
    names : iterable of str
    """
    losses = {
        name: [[member["best_val_loss"] for member in run[name]["members"]] for run in (index, others)]
        for name in names
    }
    return tuple(name for name, (first, other) in losses.items() if min(other) > max(first))


def repeat_rows(
    pairs: Pairs, other: Pairs, same: Repeat, index: Index, others: Index, titles: Mapping[str, str]
) -> list[dict[str, Any]]:
    """One row for each network: epochs and error in either run, their difference, and whether it was cut short.

    Parameters
    ----------
    pairs, other : Pairs
    same : Repeat
        Of these two.
    index, others : mapping
        As for `cut_short`.
    titles : mapping
        Network -> title.
    """
    short, rows = cut_short(index, others, titles), []
    for name in (name for name in pairs.names if name in titles):
        best = sorted(member["best_epoch"] for member in index[name]["members"])
        rows.append(
            {
                "network": titles[name],
                "epochs": max(member["epochs_run"] for member in others[name]["members"]),
                "best after": f"{best[0]} to {best[-1]}" if best[0] < best[-1] else f"{best[0]}",
                "cut short": "yes" if name in short else "no",
                "reference": float(pairs.errors[name].value),
                "this run": float(other.errors[name].value),
                "difference": same.shifts[name],
                "over scatter": same.shifts[name] / same.spread if same.spread else np.nan,
            }
        )
    return rows


def _percent(found: Estimate, sign: str = "+") -> str:
    return f"{100 * float(found.value):{sign}.1f} ± {100 * float(found.error):.1f}"
