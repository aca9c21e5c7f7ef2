"""Networks, rotation curves and baselines on the same views: which method has the smaller error at which radius.

Or where along the curve, at which resolution, and for which groups of views; and what their intervals cover.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby, pairwise

import numpy as np

from ..bootstrap import Bootstrap, Estimate
from ..dataset.read import DataSet
from ..errors import DmlibError
from ..networks.predictions import Predictions
from ..rotation.benchmark import Benchmark
from ..rotation.curve import Reason
from ..rotation.population import REGIMES, VARIANTS, stretch, stretched
from .bins import Binned, binned, in_groups, properties
from .hybrid import Hybrid
from .scores import Scores, row_mean

#: Name and title of the information floor among the methods, by what the observer knows: the one without noise knows
#: geometry and baryons, as the fits do whose names end alike.
FLOORS = {
    "observed": ("floor", "information floor, as observed"),
    "noise-free": ("floor_perfect", "information floor, noise-free"),
}


@dataclass(frozen=True)
class Entry:
    """One method of the comparison.

    Parameters
    ----------
    name, title : str
    family : {"rotation", "hybrid", "network", "baseline", "floor"}
    m_dm : ndarray, shape (n, 20)
        [Msun]; NaN where it has no result.
    sigma_ln : ndarray, shape (n, 20), or None
    quantiles, stated : ndarray, shape (n, 5, 20), or None
        Of a fit: 2.5, 16, 50, 84 and 97.5 per cent, stretched on validation galaxies, and as the posterior states them
        [Msun].
    factors : dict of float
        Regime -> factor by which the intervals of a fit were stretched.
    """

    name: str
    title: str
    family: str
    m_dm: np.ndarray
    sigma_ln: np.ndarray | None
    quantiles: np.ndarray | None = None
    stated: np.ndarray | None = None
    factors: Mapping[str, float] = field(default_factory=dict)


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
    places : dict of ndarray
        Regime of `dmlib.rotation.population.REGIMES` -> which radii of which views lie there, bool of shape (n, 20).
    beams : ndarray, shape (n,)
        Diameter of the measured disc in beams; NaN without a curve.
    seed : int
        Of the bootstrap.
    """

    truth: np.ndarray
    radii: np.ndarray
    subhalo_id: np.ndarray
    rows: np.ndarray
    entries: dict[str, Entry]
    accepted: np.ndarray
    perfect: np.ndarray
    reasons: tuple[tuple[Reason, ...], ...]
    places: dict[str, np.ndarray]
    beams: np.ndarray
    seed: int = 1

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

    def scores(self, where: np.ndarray | None = None) -> Scores:
        """Errors of all methods on some views, or on all, with the bootstrap of their galaxies."""
        where = np.ones(len(self), dtype=bool) if where is None else where
        masses = {name: entry.m_dm[where] for name, entry in self.entries.items()}
        return Scores(self.radii, self.truth[where], masses, self.subhalo_id[where], seed=self.seed)

    def over(self, name: str, place: str = "") -> np.ndarray:
        """|dM/M| of each view, mean over the radii of one regime, or over all, shape (n,); NaN where there is none."""
        values = self.scores().views(name)
        return row_mean(np.where(self.places[place], values, np.nan) if place else values)

    @property
    def resolved_or_not(self) -> np.ndarray:
        """Views that are accepted or rejected only because they are small for the beam, bool of shape (n,)."""
        few = {Reason.FEW_BEAMS, Reason.FEW_RINGS}
        return np.array([set(reasons) <= few for reasons in self.reasons]) & np.isfinite(self.beams)


def assemble(
    benchmark: Benchmark,
    predictions: Predictions,
    network: str,
    titles: dict[str, str],
    hybrids: Mapping[str, Hybrid] | None = None,
    ideal: Mapping[str, np.ndarray] | None = None,
    seed: int = 1,
) -> MethodComparison:
    """Combine the benchmark and the predictions; stretch the intervals of the fits as the validation views demand.

    Parameters
    ----------
    benchmark : Benchmark
    predictions : Predictions
    network : str
        Architecture, for example ``C``.
    titles : dict
        Name in `predictions` -> title, of the networks and baselines to include.
    hybrids : mapping of Hybrid, optional
        Name -> fits with a network's prediction as their prior.
    ideal : mapping of ndarray, shape (n, 20), optional
        What ideal observers predict (the information floor) [Msun], by key of `FLOORS`.
    seed : int
        Of the bootstrap.

    Raises
    ------
    DmlibError
        When the two do not have the same views.
    """
    if not np.array_equal(benchmark.rows, predictions.rows):
        raise DmlibError(f"{benchmark.path.name} and {predictions.path.name} do not have the same views: remove both.")
    validation, places = benchmark.validation, benchmark.places
    fits = {name: ("rotation", variant.title, benchmark[name].quantiles) for name, variant in VARIANTS.items()}
    known = {} if validation is None else {name: found.quantiles for name, found in validation.methods.items()}
    for name, hybrid in (hybrids or {}).items():
        fits[name], known[name] = ("hybrid", hybrid.title, hybrid.test), hybrid.validation
    entries = {}
    for name, (family, title, stated) in fits.items():
        factors = dict.fromkeys(places, 1.0)
        if validation is not None and name in known:
            accepted = validation["nfw"].accepted
            factors = stretch(validation.truth, known[name], validation.places, accepted, by_view=True)
        q = stretched(stated, places, factors)
        with np.errstate(invalid="ignore"):
            entries[name] = Entry(name, title, family, q[:, 2], 0.5 * np.log(q[:, 3] / q[:, 1]), q, stated, factors)
    for name, title in titles.items():
        found = predictions[name]
        family = "network" if name.startswith(f"{network}/") else "baseline"
        entries[name] = Entry(name, title, family, found.m_dm, found.sigma_ln)
    for kind, (name, title) in FLOORS.items():
        if ideal and kind in ideal:
            entries[name] = Entry(name, title, "floor", ideal[kind], None)
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
        places=places,
        beams=benchmark.beams,
        seed=seed,
    )


def count_reasons(match: MethodComparison) -> dict[str, int]:
    """Number of rejected views by label of the reason; a view with several reasons counts for each."""
    counts: Counter[str] = Counter()
    for reasons, accepted in zip(match.reasons, match.accepted, strict=True):
        if not accepted:
            counts.update({reason.label for reason in reasons or (Reason.OTHER,)})
    return dict(counts.most_common())


def error_table(match: MethodComparison, names: Iterable[str], where: np.ndarray, columns: list[int]) -> list[tuple]:
    """Rows of a table: title, then mean |dM/M| at some radii in per cent, each as ``12.3 ± 0.9``."""
    scores = match.scores(where)
    return [(match.entries[name].title, *_in_per_cent(scores.at_radii(name)[columns])) for name in names]


def regime_table(match: MethodComparison, found: Mapping[str, Mapping[str, Estimate]]) -> list[tuple]:
    """Rows of a table of `errors_by_regime`: title, then mean |dM/M| in each regime in per cent, as ``12.3 ± 0.9``."""
    names = next(iter(found.values()))
    return [
        (match.entries[name].title, *_in_per_cent(Estimate.joined(errors[name] for errors in found.values())))
        for name in names
    ]


def _in_per_cent(errors: Estimate) -> list[str]:
    return [f"{100 * value:.1f} ± {100 * error:.1f}" for value, error in zip(errors.value, errors.error, strict=True)]


def errors_by_regime(
    match: MethodComparison, names: Iterable[str], where: np.ndarray
) -> tuple[dict[str, dict[str, Estimate]], dict[str, int]]:
    """Mean |dM/M| in each regime, regime -> method -> estimate, and the galaxies of each regime."""
    found, numbers = {}, {}
    for place in REGIMES:
        some = {name: duel(match, name, name, where, place) for name in names}
        found[place] = {name: error for name, (error, _, _) in some.items()}
        numbers[place] = min(n for _, _, n in some.values())
    return found, numbers


def spans(radii: np.ndarray, won: np.ndarray, names: tuple[str, str]) -> list[tuple[str, str]]:
    """Ranges of radii with the same verdict, for a table: ``("1 to 3.4 kpc", "C/all")``."""
    words = {-1: names[0], 1: names[1], 0: "undecided"}
    out = []
    for sign, group in groupby(range(len(radii)), key=lambda k: int(won[k])):
        rows = list(group)
        low, high = radii[rows[0]], radii[rows[-1]]
        out.append((f"{low:.3g} kpc" if len(rows) == 1 else f"{low:.3g} to {high:.3g} kpc", words[sign]))
    return out


def duel(
    match: MethodComparison, first: str, second: str, where: np.ndarray, place: str = ""
) -> tuple[Estimate, Estimate, int]:
    """Mean |dM/M| of a method over the radii of one regime, or over all, its ratio to another's, and the galaxies.

    On the views that both can answer for; `where` chooses them, or weights them as `matched` does. The ratio is taken
    draw by draw.

    A test set of four galaxies, as in profile ``smoke``, may have no such view; then all radii of all views count, so
    that there is something to show, and n is 0.
    """
    above, below = match.over(first, place), match.over(second, place)
    used = (where > 0) & np.isfinite(above) & np.isfinite(below)
    n = match.scores(used).n_galaxies
    if not n:
        above, below, where = match.over(first), match.over(second), np.ones(len(match))
        used = np.isfinite(above) & np.isfinite(below)
    draws = match.scores(used).bootstrap
    return draws.mean(above[used], where[used]), draws.ratio(above[used], below[used], where[used]), n


def duel_difference(
    match: MethodComparison, first: str, second: str, groups: tuple[np.ndarray, np.ndarray], place: str = ""
) -> tuple[Estimate, int]:
    """Error of a method over that of another on some views, less the same on others; and the galaxies of the fewer.

    Parameters
    ----------
    match : MethodComparison
    first, second : str
    groups : (ndarray, ndarray), shape (n,) each
        Views, or their weights, as `matched` gives them.
    place : str
        Of `dmlib.rotation.population.REGIMES`, or all radii; as for `duel`, all of all views where a group has none.
    """
    above, below = match.over(first, place), match.over(second, place)
    known = np.isfinite(above) & np.isfinite(below)
    n = min(match.scores(known & (group > 0)).n_galaxies for group in groups)
    if not n:
        above, below = match.over(first), match.over(second)
        known, groups = np.isfinite(above) & np.isfinite(below), 2 * (np.ones(len(match)),)
    # The ratio of two means over the same views is that of two sums: weights may go into the values.
    one, other = ((np.where(known, above * w, np.nan), np.where(known, below * w, np.nan)) for w in groups)
    with np.errstate(invalid="ignore"):  # a draw of galaxies may contain none of a rare kind
        return match.scores().bootstrap.ratio_difference(one, other), n


def against_beams(
    match: MethodComparison, names: Iterable[str], edges: tuple[float, ...], place: str
) -> dict[str, Binned]:
    """Mean |dM/M| of methods in bins of the number of beams across the disc.

    Views that are rejected only because they are small for the beam are included. Bins with too few galaxies are left
    out.
    """
    where, draws, out = match.resolved_or_not, match.scores().bootstrap, {}
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


def _intervals(entry: Entry, *, stated: bool = False) -> np.ndarray | None:
    """Quantiles of a fit, stretched or as the posterior states them, or one and two standard deviations of a network.

    Shape (n, 5, 20); None for a method that states no errors.
    """
    if entry.quantiles is not None:
        return entry.stated if stated else entry.quantiles
    if entry.sigma_ln is None:
        return None
    deviations = np.arange(-2.0, 3.0)[:, None]
    return entry.m_dm[:, None] * np.exp(deviations * entry.sigma_ln[:, None])


def _inside(truth: np.ndarray, quantiles: np.ndarray) -> dict[int, np.ndarray]:
    """Whether the truth lies within the 68 and the 95 per cent interval, shape (n, 20); NaN where there is no fit."""
    hits = {share: (quantiles[:, k] < truth) & (truth < quantiles[:, 4 - k]) for share, k in ((68, 1), (95, 0))}
    return {share: np.where(np.isfinite(quantiles[:, 2]), hit, np.nan) for share, hit in hits.items()}


def coverage_in(match: MethodComparison, name: str, where: np.ndarray, place: str, *, stated: bool = False) -> Estimate:
    """Share of views and radii of a regime whose truth lies within the 68 per cent interval of a method.

    Parameters
    ----------
    match : MethodComparison
    name : str
        Of a fit, or of a network with calibrated errors.
    where : ndarray of bool, shape (n,)
    place : str
        Of `dmlib.rotation.population.REGIMES`.
    stated : bool
        The interval of a fit's posterior, not the stretched one.

    Raises
    ------
    DmlibError
        When the method states no errors.
    """
    quantiles = _intervals(match.entries[name], stated=stated)
    if quantiles is None:
        raise DmlibError(f"'{name}' states no errors, and so no intervals.")
    hits = _inside(match.truth, quantiles)[68]
    return match.scores(where).bootstrap.mean(row_mean(np.where(match.places[place], hits, np.nan)[where]))


def coverage_on_validation(benchmark: Benchmark, name: str, seed: int, place: str) -> tuple[Estimate, int]:
    """The same share on the accepted validation views, as the posterior states it, and the number of their galaxies.

    By these views intervals are stretched. In a set so small that none is accepted all that have a fit count.
    """
    views = benchmark.validation
    if views is None:
        raise DmlibError(f"{benchmark.path} has no validation views: remove it and run again.")
    quantiles, accepted = views[name].quantiles, views["nfw"].accepted
    where = accepted if accepted.any() else np.isfinite(quantiles).all(axis=(1, 2))
    hits = np.where(views.places[place], _inside(views.truth, quantiles)[68], np.nan)[where]
    draws = Bootstrap(views.subhalo_id[where], seed=seed)
    return draws.mean(row_mean(hits)), draws.n_galaxies


def coverages(match: MethodComparison, names: Iterable[str], where: np.ndarray) -> dict[str, dict[int, Estimate]]:
    """Fraction of views whose truth lies within the 68 and 95 per cent intervals, at each radius, by method.

    For a fit its stretched intervals, for a network one and two standard deviations; a network without stated errors is
    left out.
    """
    out, truth, draws = {}, match.truth[where], match.scores(where).bootstrap
    for name in names:
        quantiles = _intervals(match.entries[name])
        if quantiles is not None:
            out[name] = {share: draws.mean(hit) for share, hit in _inside(truth, quantiles[where]).items()}
    return out


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


def biases(
    match: MethodComparison, dataset: DataSet, names: Iterable[str], where: np.ndarray, column: int
) -> dict[str, Bias]:
    """ln(predicted / true) at one radius against inclination, gas fraction and asymmetry, by property."""
    traits, scores = properties(dataset, match.rows), match.scores()
    shown = {
        "inclination [deg]": traits["inclination"],
        r"log$_{10}$ HI over stars": traits["log gas fraction"],
        "asymmetry of the HI": traits["asymmetry hi"],
    }
    values = {name: np.where(where, scores.views(name, "ln_ratio")[:, column], np.nan) for name in names}
    out = {}
    for what, trait in shown.items():
        chosen = np.where(where, trait, np.nan)
        means = {name: binned(error, chosen, 4, scores.bootstrap) for name, error in values.items()}
        out[what] = Bias(trait[where], {name: error[where] for name, error in values.items()}, means)
    return out
