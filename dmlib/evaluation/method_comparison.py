"""Networks, rotation curves and baselines on the same views: which method has the smaller error at which radius.

A `Hybrid` is a network and a rotation curve together: the network's prediction is the prior of the fit. The network
knows the population and the whole image; the curve knows this galaxy's mass where it is measured. The prior is normal
in ln M_DM at all radii, with the network's calibrated errors and the correlation of its errors between radii on the
calibration galaxies; without the correlation twenty radii would count as twenty independent measurements. The
population has no other part in the fit, because the network has learned it. With a network that sees images only, light
and velocities are used once each. A network with HI maps has already seen the velocities that the curve is made of,
which then count twice. Intervals are stretched on validation galaxies, like those of all fits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from ..bootstrap import Bootstrap, Estimate
from ..dataset.read import DataSet
from ..errors import DmlibError
from ..networks.predictions import Prediction, Predictions
from ..rotation.benchmark import Benchmark
from ..rotation.curve import Reason
from ..rotation.fit import fit_many
from ..rotation.population import SAMPLING, VARIANTS, stretch, stretched
from ..rotation.priors import ProfilePrior
from .bins import Binned, binned, properties
from .scores import Scores, coverage, row_mean


@dataclass(frozen=True)
class Hybrid:
    """Fits whose prior is a network's prediction.

    Parameters
    ----------
    title : str
    test, validation : ndarray, shape (n, 5, 20)
        2.5, 16, 50, 84 and 97.5 per cent of M_DM(<R) [Msun]; NaN where there is no curve.
    """

    title: str
    test: np.ndarray
    validation: np.ndarray


#: Sampler of fits that a network's answer keeps close together: fewer draws than those of the others are worth as much.
_SAMPLING = replace(SAMPLING, each=600, last=2000)


def combine(benchmark: Benchmark, network: Prediction, title: str, *, seed: int = 1) -> Hybrid:
    """Fit all views that have a rotation curve.

    Parameters
    ----------
    benchmark : Benchmark
        Of the test views, with its validation views.
    network : Prediction
        Of an ensemble for the same views.
    title : str
    seed : int

    Raises
    ------
    DmlibError
        When the network has no calibrated errors, or predicts other views.
    """
    known, validation = network.validation, benchmark.validation
    if known is None or validation is None or network.sigma_ln is None:
        raise DmlibError(f"{network.name} has no prediction for the validation galaxies: remove it and run again.")
    place = {int(row): k for k, row in enumerate(known.rows)}
    if not place.keys() >= set(validation.rows.tolist()):
        raise DmlibError(f"{benchmark.path.name} and {network.name} do not have the same validation views.")
    same = [place[row] for row in validation.rows.tolist()]
    correlation = np.asarray(network.attributes["calibration_correlation"])
    parts = {
        "test": (benchmark, network.ln_m_dm, network.sigma_ln),
        "validation": (validation, known.ln_m[same], known.sigma_ln[same]),
    }
    tasks, found = [], {}
    for part, (views, ln_m, sigma) in parts.items():
        found[part] = np.full((len(views), 5, len(views.radii)), np.nan)
        for k in np.flatnonzero(np.isfinite(views["nfw"].m_dm).all(axis=1)):
            model = benchmark.population.complete(views.model(int(k)))
            told = ProfilePrior(ln_m[k], correlation * np.outer(sigma[k], sigma[k]))
            priors = benchmark.population.told(model, told)
            make = partial(benchmark.population.fit, model, priors, sampling=_SAMPLING, seed=seed + int(k))
            tasks.append(((part, k), make))
    for outcome in fit_many(tasks, label="network and curve"):
        part, k = outcome.key
        if outcome.fit is not None:
            found[part][k] = outcome.fit.quantiles
    return Hybrid(title, found["test"], found["validation"])


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

    def over(self, name: str, place: str = "") -> np.ndarray:
        """|dM/M| of each view, mean over the radii of one regime, or over all, shape (n,); NaN where there is none."""
        values = self.values(name)
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
    ideal: np.ndarray | None = None,
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
    ideal : ndarray, shape (n, 20), optional
        What an ideal observer predicts (the information floor) [Msun], the entry ``floor``.

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
    if ideal is not None:
        entries["floor"] = Entry("floor", "information floor, as observed", "floor", ideal, None)
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


def _inside(truth: np.ndarray, quantiles: np.ndarray) -> dict[int, np.ndarray]:
    """Whether the truth lies within the 68 and the 95 per cent interval, shape (n, 20); NaN where there is no fit."""
    hits = {share: (quantiles[:, k] < truth) & (truth < quantiles[:, 4 - k]) for share, k in ((68, 1), (95, 0))}
    return {share: np.where(np.isfinite(quantiles[:, 2]), hit, np.nan) for share, hit in hits.items()}


def coverage_in(
    match: MethodComparison, name: str, where: np.ndarray, seed: int, place: str, *, stated: bool = False
) -> Estimate:
    """Share of views and radii of a regime whose truth lies within the 68 per cent interval of a fit.

    Parameters
    ----------
    match : MethodComparison
    name : str
        Of a fit.
    where : ndarray of bool, shape (n,)
    seed : int
    place : str
        Of `dmlib.rotation.population.REGIMES`.
    stated : bool
        The interval of the posterior, not the stretched one.
    """
    entry = match.entries[name]
    quantiles = entry.stated if stated else entry.quantiles
    if quantiles is None:
        raise DmlibError(f"'{name}' is not a fit: it states no intervals.")
    hits = _inside(match.truth, quantiles)[68]
    return match.bootstrap(where, seed).mean(row_mean(np.where(match.places[place], hits, np.nan)[where]))


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


def coverages(
    match: MethodComparison, names: Iterable[str], where: np.ndarray, seed: int
) -> dict[str, dict[int, Estimate]]:
    """Fraction of views whose truth lies within the 68 and 95 per cent intervals, at each radius, by method.

    For a fit its stretched intervals, for a network one and two standard deviations; a network without stated errors is
    left out.
    """
    out, truth, draws = {}, match.truth[where], match.bootstrap(where, seed)
    for name in names:
        entry = match.entries[name]
        if entry.quantiles is not None:
            out[name] = {share: draws.mean(hit) for share, hit in _inside(truth, entry.quantiles[where]).items()}
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
