"""Networks, rotation curves and baselines on the same views: which method has the smaller error at which radius."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from ..bootstrap import Bootstrap, Estimate
from ..dataset.read import DataSet
from ..errors import DmlibError
from ..networks.predictions import Predictions
from ..rotation.benchmark import VARIANTS, Benchmark
from ..rotation.curve import Reason
from .bins import Binned, binned, properties
from .scores import Scores, coverage


@dataclass(frozen=True)
class Entry:
    """One method of the comparison.

    Parameters
    ----------
    name, title : str
    family : {"rotation", "network", "baseline"}
    m_dm : ndarray, shape (n, 20)
        [Msun]; NaN where it has no result.
    sigma_ln : ndarray, shape (n, 20), or None
    """

    name: str
    title: str
    family: str
    m_dm: np.ndarray
    sigma_ln: np.ndarray | None


@dataclass(frozen=True)
class MethodComparison:
    """All methods on the test views.

    Parameters
    ----------
    truth : ndarray, shape (n, 20)
        [Msun]
    radii : ndarray, shape (20,)
        [kpc]
    subhalo_id, rows : ndarray of int, shape (n,)
    entries : dict
        Name -> Entry.
    accepted : ndarray of bool, shape (n,)
        Whether the rotation curve passes the quality cuts, which do not use the truth.
    perfect : ndarray of bool, shape (n,)
        The same for the variant that knows geometry and baryons.
    reasons : tuple of tuple of Reason, length n
        Why not.
    """

    truth: np.ndarray
    radii: np.ndarray
    subhalo_id: np.ndarray
    rows: np.ndarray
    entries: dict[str, Entry]
    accepted: np.ndarray
    perfect: np.ndarray
    reasons: tuple[tuple[Reason, ...], ...]

    def __len__(self) -> int:
        return len(self.truth)

    def judged(self, also: np.ndarray | None = None) -> np.ndarray:
        """Views on which methods are compared: the accepted ones, bool of shape (n,).

        A test set of four galaxies, as in profile ``smoke``, may have none; then all that have a fit, so that there is
        something to show, and `is_fallback` is true.

        Parameters
        ----------
        also : ndarray of bool, shape (n,), optional
            A further condition.
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

    def scores(self, where: np.ndarray, seed: int) -> Scores:
        """Errors of all methods on some views, with the bootstrap of their galaxies."""
        masses = {name: entry.m_dm[where] for name, entry in self.entries.items()}
        return Scores(self.radii, self.truth[where], masses, self.subhalo_id[where], seed=seed)

    def bootstrap(self, where: np.ndarray, seed: int) -> Bootstrap:
        """Draws of the galaxies of some views."""
        return self.scores(where, seed).bootstrap

    def error(self, name: str, where: np.ndarray, seed: int) -> Estimate:
        """Mean |dM/M| over some views at each radius."""
        return self.scores(where, seed).at_radii(name)

    def delta_mse(self, name: str, where: np.ndarray, seed: int) -> Estimate:
        """The talk's Delta_MSE, the root mean square of the relative error, over some views at each radius."""
        return self.scores(where, seed).at_radii(name, "relative2", root=True)

    def difference(self, first: str, second: str, where: np.ndarray, seed: int) -> Estimate:
        """Mean |dM/M| of one method minus that of another, on the same views, draw by draw."""
        return self.scores(where, seed).difference(first, second)

    def values(self, name: str, measure: str = "relative") -> np.ndarray:
        """A measure of each view at each radius, see `dmlib.evaluation.scores.per_view`."""
        return self.scores(np.ones(len(self), dtype=bool), seed=1).views(name, measure)


def assemble(benchmark: Benchmark, predictions: Predictions, network: str, titles: dict[str, str]) -> MethodComparison:
    """Combine the benchmark and the predictions.

    Parameters
    ----------
    benchmark : Benchmark
    predictions : Predictions
    network : str
        Architecture, for example ``C``.
    titles : dict
        Name in `predictions` -> title, of the networks and baselines to include.

    Raises
    ------
    DmlibError
        When the two do not have the same views.
    """
    if not np.array_equal(benchmark.rows, predictions.rows):
        raise DmlibError(
            f"{benchmark.path.name} and {predictions.path.name} do not have the same views: remove both and run again."
        )
    entries = {
        name: Entry(name, variant.title, "rotation", benchmark[name].m_dm, benchmark[name].sigma_ln)
        for name, variant in VARIANTS.items()
    }
    for name, title in titles.items():
        found = predictions[name]
        family = "network" if name.startswith(f"{network}/") else "baseline"
        entries[name] = Entry(name, title, family, found.m_dm, found.sigma_ln)
    first, perfect = benchmark["nfw"], benchmark["nfw_perfect"]
    return MethodComparison(
        truth=predictions.truth,
        radii=predictions.radii,
        subhalo_id=predictions.subhalo_id,
        rows=predictions.rows,
        entries=entries,
        accepted=first.accepted & np.isfinite(first.m_dm).all(axis=1),
        perfect=perfect.accepted & np.isfinite(perfect.m_dm).all(axis=1),
        reasons=first.reasons,
    )


@dataclass(frozen=True)
class Bias:
    """An error against a property of galaxies.

    Parameters
    ----------
    trait : ndarray, shape (v,)
        The property of each view used.
    ln_ratio : dict of ndarray, shape (v,)
        Method -> ln(predicted / true) of each.
    means : dict of Binned
        Method -> mean in bins; empty where there are too few galaxies.
    """

    trait: np.ndarray
    ln_ratio: dict[str, np.ndarray]
    means: dict[str, Binned]


def count_reasons(match: MethodComparison) -> dict[str, int]:
    """Number of rejected views by label of the reason; a view with several reasons counts for each."""
    counts: Counter[str] = Counter()
    for reasons, accepted in zip(match.reasons, match.accepted, strict=True):
        if not accepted:
            counts.update({reason.label for reason in reasons or (Reason.OTHER,)})
    return dict(counts.most_common())


def winners(difference: Estimate, sigmas: float = 2.0) -> np.ndarray:
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


def coverages(
    match: MethodComparison, benchmark: Benchmark, names: Iterable[str], where: np.ndarray, seed: int
) -> dict[str, dict[int, Estimate]]:
    """Fraction of views whose truth lies within the stated 68 and 95 per cent, at each radius, by method.

    For a mass model its credible intervals, for a network one and two standard deviations; a network without stated
    errors is left out.
    """
    out, truth, draws = {}, match.truth[where], match.bootstrap(where, seed)
    for name in names:
        entry = match.entries[name]
        if entry.family == "rotation":
            q = benchmark[name].quantiles[where]
            inside = {68: (q[:, 1] < truth) & (truth < q[:, 3]), 95: (q[:, 0] < truth) & (truth < q[:, 4])}
            fitted = np.isfinite(q[:, 2])
            out[name] = {share: draws.mean(np.where(fitted, hit, np.nan)) for share, hit in inside.items()}
        elif entry.sigma_ln is not None:
            found = coverage(truth, entry.m_dm[where], entry.sigma_ln[where], draws)
            out[name] = {68: found.within[1], 95: found.within[2]}
    return out


def biases(
    match: MethodComparison,
    dataset: DataSet,
    names: Iterable[str],
    where: np.ndarray,
    column: int,
    seed: int,
    parts: int = 4,
) -> dict[str, Bias]:
    """ln(predicted / true) at one radius against inclination, gas fraction and asymmetry, by property."""
    traits = properties(dataset, match.rows)
    shown = {
        "inclination [deg]": traits["inclination"],
        "log HI / stars": traits["log gas fraction"],
        "asymmetry of the HI": traits["asymmetry hi"],
    }
    draws = match.bootstrap(np.ones(len(match), dtype=bool), seed)
    values = {name: np.where(where, match.values(name, "ln_ratio")[:, column], np.nan) for name in names}
    out = {}
    for what, trait in shown.items():
        chosen = np.where(where, trait, np.nan)
        means = {name: binned(error, chosen, parts, draws) for name, error in values.items()}
        out[what] = Bias(trait[where], {name: error[where] for name, error in values.items()}, means)
    return out


def error_table(
    match: MethodComparison, names: Iterable[str], where: np.ndarray, seed: int, columns: list[int]
) -> list[tuple]:
    """Rows of a table: title, then mean |dM/M| at some radii in per cent."""
    scores = match.scores(where, seed)
    return [(match.entries[name].title, *(100 * scores.at_radii(name).value[columns])) for name in names]
