"""Networks, rotation curves and baselines on the same views: who errs less at which radius, and when."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from ..dataset.read import DataSet
from ..errors import DmlibError
from ..networks.predictions import Predictions
from ..rotation.benchmark import METHODS, Benchmark
from .bins import Binned, binned, properties, quantile_edges
from .bootstrap import Bootstrap, Estimate
from .coverage import coverage
from .measures import per_view

#: What a rejection's sentence is about, pattern -> word for figures; the first that fits.
REASONS = {
    r"inclination .* below": "too face-on",
    r"inclination .* above": "too edge-on",
    r"beams across": "too small for the beam",
    r"sides differ": "lopsided",
    r"velocities scatter": "no orderly rotation",
    r"position angle turns": "warped",
    r"good rings|measured radii": "too few good rings",
    r"light in": "stars cannot be weighed",
}


@dataclass(frozen=True)
class Entry:
    """One method on the contest's views.

    Parameters
    ----------
    name, title : str
    family : {"rotation", "network", "baseline"}
    m_dm : ndarray, shape (n, 20)
        [Msun]; NaN where it gives nothing.
    sigma_ln : ndarray, shape (n, 20), or None
    """

    name: str
    title: str
    family: str
    m_dm: np.ndarray
    sigma_ln: np.ndarray | None


@dataclass(frozen=True)
class Contest:
    """All methods on the test views.

    Parameters
    ----------
    truth : ndarray, shape (n, 20)
        [Msun]
    radii : ndarray, shape (20,)
        [kpc]
    subhalo_id, view, rows : ndarray of int, shape (n,)
    entries : dict
        Name -> Entry.
    accepted : ndarray of bool, shape (n,)
        Whether the rotation-curve method stands by its result, which it decides without the truth.
    perfect : ndarray of bool, shape (n,)
        Whether that holds for the variant that knows geometry and baryons too.
    reasons : tuple of str
        Why not, "" where accepted.
    """

    truth: np.ndarray
    radii: np.ndarray
    subhalo_id: np.ndarray
    view: np.ndarray
    rows: np.ndarray
    entries: dict[str, Entry]
    accepted: np.ndarray
    perfect: np.ndarray
    reasons: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.truth)

    def judged(self, also: np.ndarray | None = None) -> np.ndarray:
        """Views that methods are compared on: the accepted ones.

        A test set of four galaxies, as of profile ``smoke``, may have none; then all that have a fit, so that there is
        something to show, and `is_fallback` is true.

        Parameters
        ----------
        also : ndarray of bool, shape (n,), optional
            What must be true besides.
        """
        chosen = self.accepted if also is None else self.accepted & also
        if chosen.any():
            return chosen
        return np.all([np.isfinite(entry.m_dm).all(axis=1) for entry in self.of("rotation").values()], axis=0)

    @property
    def is_fallback(self) -> bool:
        """Whether no view has an accepted rotation curve."""
        return not self.accepted.any()

    def of(self, family: str) -> dict[str, Entry]:
        """The entries of one family."""
        return {name: entry for name, entry in self.entries.items() if entry.family == family}

    def bootstrap(self, where: np.ndarray, seed: int) -> Bootstrap:
        """Draws of the galaxies of some views."""
        return Bootstrap(self.subhalo_id[where], seed=seed)

    def error(self, name: str, where: np.ndarray, seed: int, measure: str = "relative") -> Estimate:
        """Mean of an error measure over some views at each radius."""
        return self.bootstrap(where, seed).mean(self.values(name, measure)[where])

    def delta_mse(self, name: str, where: np.ndarray, seed: int) -> Estimate:
        """The talk's Delta_MSE, the root mean square of the relative error, over some views at each radius."""
        return self.bootstrap(where, seed).root_mean(self.values(name, "relative2")[where])

    def difference(self, first: str, second: str, where: np.ndarray, seed: int) -> Estimate:
        """Mean |dM/M| of one method less that of another, on the same views, draw by draw."""
        one, other = (self.values(name, "relative")[where] for name in (first, second))
        return self.bootstrap(where, seed).difference(one, other)

    def values(self, name: str, measure: str = "relative") -> np.ndarray:
        """A measure of each view at each radius, see `dmlib.evaluation.measures.per_view`."""
        if name not in self.entries:
            raise DmlibError(f"the contest has no '{name}': it has {', '.join(self.entries)}.")
        return per_view(self.truth, self.entries[name].m_dm, measure)


def assemble(benchmark: Benchmark, predictions: Predictions, network: str, titles: dict[str, str]) -> Contest:
    """Put what was predicted and what was measured side by side.

    Parameters
    ----------
    benchmark : Benchmark
    predictions : Predictions
    network : str
        Architecture, for example ``C``.
    titles : dict
        Names in `predictions`, and how they are called: networks and baselines that shall take part.

    Raises
    ------
    DmlibError
        When the two are not of the same views.
    """
    if not np.array_equal(benchmark.rows, predictions.rows):
        raise DmlibError(
            f"{benchmark.path.name} and {predictions.path.name} are not of the same views: remove both and run again."
        )
    entries = {}
    for name in METHODS:
        method = benchmark[name]
        entries[name] = Entry(name, METHODS[name], "rotation", method.m_dm, method.sigma_ln)
    for name, title in titles.items():
        found = predictions[name]
        family = "network" if name.startswith(f"{network}/") else "baseline"
        entries[name] = Entry(name, title, family, found.m_dm, found.sigma_ln)
    first, knowing = benchmark["nfw"], benchmark["nfw_perfect"]
    return Contest(
        truth=predictions.truth,
        radii=predictions.radii,
        subhalo_id=predictions.subhalo_id,
        view=predictions.view,
        rows=predictions.rows,
        entries=entries,
        accepted=first.accepted & np.isfinite(first.m_dm).all(axis=1),
        perfect=knowing.accepted & np.isfinite(knowing.m_dm).all(axis=1),
        reasons=tuple(str(reason) for reason in first.reason),
    )


@dataclass(frozen=True)
class Bias:
    """An error against a trait of galaxies.

    Parameters
    ----------
    trait : ndarray, shape (v,)
        Of each view that counts.
    ln_ratio : dict of ndarray, shape (v,)
        Method -> ln(predicted / true) of each.
    means : dict of Binned
        Method -> mean in bins; empty where the galaxies are too few for bins.
    """

    trait: np.ndarray
    ln_ratio: dict[str, np.ndarray]
    means: dict[str, Binned]


def count_reasons(contest: Contest) -> dict[str, int]:
    """Rejected views by what was wrong; a view with several reasons counts for each."""
    counts: Counter[str] = Counter()
    for reason, accepted in zip(contest.reasons, contest.accepted, strict=True):
        if accepted:
            continue
        words = {
            next((word for pattern, word in REASONS.items() if re.search(pattern, part)), "other")
            for part in reason.split("; ")
        }
        counts.update(words)
    return dict(counts.most_common())


def winners(difference: Estimate, sigmas: float = 2.0) -> np.ndarray:
    """-1 where the first method errs less by so many standard deviations, 1 where the second, 0 where it is open."""
    with np.errstate(invalid="ignore"):
        sure = np.abs(difference.value) > sigmas * difference.error
    return np.where(sure, np.sign(difference.value), 0).astype(int)


def spans(radii: np.ndarray, won: np.ndarray, names: tuple[str, str]) -> list[tuple[str, str]]:
    """Ranges of radii with one verdict, for a table: ``("1 to 3.4 kpc", "C/all")``."""
    words = {-1: names[0], 1: names[1], 0: "undecided"}
    out = []
    for verdict, group in groupby(range(len(radii)), key=lambda k: int(won[k])):
        rows = list(group)
        low, high = radii[rows[0]], radii[rows[-1]]
        out.append((f"{low:.3g} kpc" if len(rows) == 1 else f"{low:.3g} to {high:.3g} kpc", words[verdict]))
    return out


def within(benchmark: Benchmark, name: str, where: np.ndarray, share: int, seed: int) -> Estimate:
    """How often the truth lies in the credible interval of 68 or 95 per cent, at each radius."""
    low, high = {68: (1, 3), 95: (0, 4)}[share]
    q = benchmark[name].quantiles[where]
    truth = benchmark.truth[where]
    inside = np.where(np.isfinite(q[:, low]), (q[:, low] < truth) & (truth < q[:, high]), np.nan)
    return Bootstrap(benchmark.subhalo_id[where], seed=seed).mean(inside)


def coverages(
    contest: Contest, benchmark: Benchmark, names: Iterable[str], where: np.ndarray, seed: int
) -> dict[str, dict[int, Estimate]]:
    """Share of views whose truth lies within the stated 68 and 95 per cent, at each radius, by method.

    Of a mass model its credible intervals, of a network one and two of its standard deviations; a network without
    stated errors is left out.
    """
    out = {}
    for name in names:
        entry = contest.entries[name]
        if entry.family == "rotation":
            out[name] = {share: within(benchmark, name, where, share, seed) for share in (68, 95)}
        elif entry.sigma_ln is not None:
            honest = coverage(
                contest.truth[where], entry.m_dm[where], entry.sigma_ln[where], contest.bootstrap(where, seed)
            )
            out[name] = {68: honest.within[1], 95: honest.within[2]}
    return out


def biases(
    contest: Contest, dataset: DataSet, names: Iterable[str], where: np.ndarray, column: int, seed: int, parts: int = 4
) -> dict[str, Bias]:
    """ln(predicted / true) at one radius against inclination, gas fraction and asymmetry, by trait."""
    traits = properties(dataset, contest.rows)
    looked_at = {
        "inclination [deg]": traits["inclination"],
        "log HI / stars": traits["log gas fraction"],
        "asymmetry of the HI": traits["asymmetry hi"],
    }
    draws = contest.bootstrap(np.ones(len(contest), dtype=bool), seed)
    values = {name: np.where(where, contest.values(name, "ln_ratio")[:, column], np.nan) for name in names}
    out = {}
    for what, trait in looked_at.items():
        edges = quantile_edges(trait[where], parts)
        chosen = np.where(where, trait, np.nan)
        means = {name: binned(error, chosen, edges, draws) for name, error in values.items()}
        out[what] = Bias(trait[where], {name: error[where] for name, error in values.items()}, means)
    return out


def error_table(
    contest: Contest, names: Iterable[str], where: np.ndarray, seed: int, columns: list[int]
) -> list[tuple]:
    """Rows of a table: title, then mean |dM/M| at some radii in per cent."""
    rows = []
    for name in names:
        error = contest.error(name, where, seed)
        rows.append((contest.entries[name].title, *(100 * error.value[k] for k in columns)))
    return rows
