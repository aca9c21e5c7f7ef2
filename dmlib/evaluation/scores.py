"""Error measures at each radius, and scores of several methods on the same galaxies with bootstrap errors.

The talk's formula is

    Delta_MSE(R_i) = [ (1/N) sum_j ( (mu_j(R_i) - muhat_j(R_i)) / muhat_j(R_i) )^2 ]^(1/2),

a root mean square of the relative error, although it is called MSE. The talk does not say whether mu is M or ln M, or
which of the two is the truth. The authors' scripts compute four means, of (dM/M)^2, |dM/M|, (dmu/mu)^2 and |dmu/mu|
with mu = ln M, all relative to the truth. We follow the scripts, with M unless stated otherwise: ln M is about 25, so a
factor of 1.3 in the mass is one per cent in ln(M / Msun), and that percentage depends on the unit of mass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from scipy.special import erf

from ..bootstrap import Bootstrap, Estimate
from ..errors import DmlibError
from ..networks.predictions import Predictions

#: Ranges of radii [kpc]. The talk does not define its "intermediate regions": ours lie outside the innermost
#: kiloparsecs, which contain few particles, and inside the radii beyond the HI.
REGIONS = {
    "inner": (1.0, 5.0),
    "intermediate": (5.0, 50.0),
    "outer": (50.0, 100.0),
    "resolved": (10.0, 100.0),
    "all": (1.0, 100.0),
}

#: Subhaloes of TNG100-1 whose profiles the talk shows; and ranks, by error among all test galaxies, of the easy and the
#: hard galaxy shown for other simulations.
OF_THE_TALK, GOOD, HARD = (108013, 60744), 0.2, 0.9


def per_view(truth: np.ndarray, predicted: np.ndarray, measure: str) -> np.ndarray:
    """A measure of each view at each radius.

    Parameters
    ----------
    truth, predicted : ndarray, shape (n, r)
        [Msun]
    measure : str
        A key of `MEASURES`.

    Returns
    -------
    ndarray, shape (n, r)
        NaN where the true mass is zero, or the prediction is not positive.

    Raises
    ------
    ValueError
        For an unknown measure, or different shapes.
    """
    if measure not in MEASURES:
        raise ValueError(f"there is no error measure '{measure}'; choose {', '.join(MEASURES)}")
    truth, predicted = np.asarray(truth, dtype=float), np.asarray(predicted, dtype=float)
    if truth.shape != predicted.shape:
        raise ValueError(f"truth {truth.shape} and prediction {predicted.shape} have different shapes")
    good = (truth > 0) & (predicted > 0) & np.isfinite(predicted)
    truth, predicted = np.where(good, truth, np.nan), np.where(good, predicted, np.nan)
    return MEASURES[measure](truth, predicted)


#: Name -> function of truth and prediction. The first four are the authors'; networks minimise ``ln_ratio2``.
MEASURES: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "relative2": lambda truth, predicted: (predicted / truth - 1.0) ** 2,
    "relative": lambda truth, predicted: np.abs(predicted / truth - 1.0),
    "ln_relative2": lambda truth, predicted: (np.log(predicted) / np.log(truth) - 1.0) ** 2,
    "ln_relative": lambda truth, predicted: np.abs(np.log(predicted) / np.log(truth) - 1.0),
    "ln_ratio2": lambda truth, predicted: np.log(predicted / truth) ** 2,
    "ln_ratio": lambda truth, predicted: np.log(predicted / truth),
}


#: Heads of the authors' four in a table.
_HEADS = {
    "relative2": "(ΔM/M)²",
    "relative": "|ΔM/M|",
    "ln_relative2": "(Δ ln M / ln M)²",
    "ln_relative": "|Δ ln M / ln M|",
}


def delta_mse(truth: np.ndarray, predicted: np.ndarray, *, of: Literal["m", "ln_m"] = "m") -> np.ndarray:
    """Delta_MSE of the talk relative to the truth, as in the authors' scripts, at each radius, shape (r,).

    Parameters
    ----------
    truth, predicted : ndarray, shape (n, r)
        [Msun]
    of : {"m", "ln_m"}
        Meaning of mu.
    """
    name = {"m": "relative2", "ln_m": "ln_relative2"}[of]
    return np.sqrt(np.nanmean(per_view(truth, predicted, name), axis=0))


#: Name of a method -> its prediction, shape (n, r) [Msun].
Masses = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Scores:
    """Errors of several predictions of the same views.

    The error of a network depends on the luck of its training: on its seed, and on the galaxies drawn for a member.
    That of the mean of n members is taken to scatter by 1 / sqrt(n) of the relative scatter of one, which is pooled
    over all ensembles of `trainings`. Differences and ratios contain it, beside the scatter between galaxies; members
    of two ensembles are taken as independent, even where both have seen the same drawn galaxies.

    Parameters
    ----------
    radii : ndarray, shape (r,)
        [kpc]
    truth : ndarray, shape (n, r)
        [Msun]
    masses : mapping of ndarray
        Name of a method -> its prediction, shape (n, r) [Msun].
    subhalo_id : ndarray of int, shape (n,)
    draws, seed : int
        Of the bootstrap.
    members : mapping of int
        Name of an ensemble -> number of its members.
    trainings : mapping of ndarray
        Name of an ensemble with several members -> what each predicts, shape (member, n, r) [Msun]. Without any, errors
        are those of the galaxies only.
    """

    radii: np.ndarray
    truth: np.ndarray
    masses: Masses
    subhalo_id: np.ndarray
    draws: int = 1000
    seed: int = 1
    members: Mapping[str, int] = field(default_factory=dict)
    trainings: Masses = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        predictions: Predictions,
        *,
        where: np.ndarray | None = None,
        also: Masses | None = None,
        seed: int = 1,
        trainings: Predictions | None = None,
    ) -> Scores:
        """Scores of all methods in a file of predictions.

        Parameters
        ----------
        predictions : Predictions
        where : ndarray of bool, shape (n,), optional
            Views to use.
        also : mapping of ndarray, optional
            Further methods, name -> prediction for all views, shape (n, r) [Msun].
        seed : int
        trainings : Predictions, optional
            The same views with all members of every ensemble, of whose scatter differences and ratios take account.
        """
        some = slice(None) if where is None else np.asarray(where, dtype=bool)
        every = {name: found.m_dm for name, found in predictions.groups.items()} | dict(also or {})
        masses = {name: mass[some] for name, mass in every.items()}
        ensembles = {name: found.members_ln for name, found in predictions.groups.items()}
        trained = {name: found.members_ln for name, found in (trainings.groups if trainings else {}).items()}
        return cls(
            predictions.radii,
            predictions.truth[some],
            masses,
            predictions.subhalo_id[some],
            seed=seed,
            members={name: len(several) for name, several in ensembles.items() if several is not None},
            trainings={
                name: np.exp(several[:, some])
                for name, several in trained.items()
                if several is not None and len(several) > 1
            },
        )

    @cached_property
    def bootstrap(self) -> Bootstrap:
        """The draws of galaxies, the same for all methods."""
        return Bootstrap(self.subhalo_id, self.draws, self.seed)

    @property
    def n_galaxies(self) -> int:
        """Number of galaxies."""
        return self.bootstrap.n_galaxies

    def columns(self, region: str) -> np.ndarray:
        """Which radii lie in one of `REGIONS`, edges included, shape (r,) of bool."""
        low, high = REGIONS[region]
        return (self.radii >= low * (1 - 1e-9)) & (self.radii <= high * (1 + 1e-9))

    def views(self, name: str, measure: str = "relative") -> np.ndarray:
        """A measure of each view at each radius, see `per_view`."""
        if name not in self.masses:
            raise DmlibError(f"there is no method '{name}' among {', '.join(self.masses)}.")
        return per_view(self.truth, self.masses[name], measure)

    def at_radii(self, name: str, measure: str = "relative", *, root: bool = False) -> Estimate:
        """Mean of a measure at each radius, or its root (Delta_MSE of the talk for ``relative2``)."""
        values = self.views(name, measure)
        return self.bootstrap.root_mean(values) if root else self.bootstrap.mean(values)

    def over(self, region: str, name: str, measure: str = "relative", *, root: bool = False) -> Estimate:
        """Mean of a measure over the views and the radii of a region, or its root."""
        values = self._row_mean(name, measure, region)
        return self.bootstrap.root_mean(values) if root else self.bootstrap.mean(values)

    def worst(self, region: str, name: str, measure: str = "relative", *, root: bool = False) -> Estimate:
        """Mean of a measure at the radius of a region where it is largest in each draw."""
        found = self.bootstrap.extreme(self.views(name, measure), self.columns(region))
        if not root:
            return found
        value, low, high = np.sqrt(found.value), np.sqrt(found.low), np.sqrt(found.high)
        return Estimate(value, found.error / (2.0 * value), low, high)

    def difference(self, first: str, second: str, measure: str = "relative") -> Estimate:
        """Mean error of `first` minus that of `second` at each radius, on the same galaxies, draw by draw."""
        pair = {name: self.views(name, measure) for name in (first, second)}
        lucks = [self._luck(name, measure) * np.nanmean(pair[name], axis=0) for name in (first, second)]
        return self.bootstrap.difference(pair[first], pair[second]).with_error(np.hypot(*lucks))

    def better(self, region: str, first: str, second: str, measure: str = "relative") -> Estimate:
        """Mean error of `first` minus that of `second` on the same galaxies: negative where the first is better."""
        pair = {name: self._row_mean(name, measure, region) for name in (first, second)}
        lucks = [self._luck(name, measure, region) * np.nanmean(pair[name]) for name in (first, second)]
        return self.bootstrap.difference(pair[first], pair[second]).with_error(np.hypot(*lucks))

    def training_scatter(self, measure: str = "relative", region: str | None = None) -> np.ndarray:
        """Relative scatter of the mean error of one training, at each radius or over a region, shape (r,) or ().

        Pooled over `trainings`, about the mean of each ensemble; zero where no ensemble has several members.
        """
        columns = slice(None) if region is None else self.columns(region)
        squares, free = np.zeros(np.shape(self.radii) if region is None else ()), 0
        for members in self.trainings.values():
            views = [per_view(self.truth, mass, measure)[:, columns] for mass in members]
            errors = np.array([np.nanmean(some if region is None else row_mean(some), axis=0) for some in views])
            squares = squares + np.sum((errors / errors.mean(axis=0) - 1.0) ** 2, axis=0)
            free += len(members) - 1
        return np.sqrt(squares / max(free, 1))

    def ratio(self, region: str, first: str, second: str, measure: str = "ln_ratio2") -> Estimate:
        """Mean error of `first` over that of `second`, draw by draw."""
        found = self.bootstrap.ratio(self._row_mean(first, measure, region), self._row_mean(second, measure, region))
        lucks = [self._luck(name, measure, region) for name in (first, second)]
        return found.with_error(found.value * np.hypot(*lucks))

    def worst_ratio(self, region: str, first: str, second: str, measure: str = "ln_ratio2") -> Estimate:
        """The ratio of the mean errors at the radius of a region where it is largest in each draw."""
        above, below = (self.views(name, measure)[:, self.columns(region)] for name in (first, second))
        return self.bootstrap.ratio_extreme(above, below)

    def table(self, names: Mapping[str, str], region: str = "intermediate") -> list[dict[str, object]]:
        """The authors' four measures of several methods over a region, as rows for a table.

        Parameters
        ----------
        names : mapping
            Method -> title.
        region : str
        """
        rows = []
        for name, title in names.items():
            row: dict[str, object] = {"method": title}
            for measure, head in _HEADS.items():
                one = self.over(region, name, measure)
                row[head] = f"{one.value:.2g} ± {one.error:.1g}"
            rows.append(row)
        return rows

    def of_members(self, members_ln: np.ndarray, region: str = "intermediate") -> np.ndarray:
        """Mean |dM/M| over a region of each member of an ensemble, `members_ln` of shape (member, n, r)."""
        errors = np.abs(np.exp(members_ln) / np.where(self.truth > 0, self.truth, np.nan) - 1.0)
        return np.nanmean(errors[..., self.columns(region)], axis=(1, 2))

    def of_galaxies(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Mean |dM/M| of each galaxy over its views and the intermediate radii: subhalo_id and error, shape (g,)."""
        values = np.nanmean(self.views(name)[:, self.columns("intermediate")], axis=1)
        ids, member = np.unique(self.subhalo_id, return_inverse=True)
        return ids, np.bincount(member, values) / np.bincount(member)

    def choose_two(self, name: str, *, talk: bool) -> dict[str, int]:
        """Choose two galaxies to show: description -> subhalo id.

        Those of the talk where both are among the test galaxies; otherwise the galaxies at ranks `GOOD` and `HARD` of
        `of_galaxies`. The rule uses the truth of test galaxies, only for this illustration.

        Parameters
        ----------
        name : str
            Prediction whose error ranks the galaxies.
        talk : bool
            Whether the simulation is the talk's, TNG100-1.
        """
        ids, error = self.of_galaxies(name)
        if talk and np.isin(OF_THE_TALK, ids).all():
            return {f"subhalo {number} of the talk": number for number in OF_THE_TALK}
        order = ids[np.argsort(error)]
        ranks = {"a good one": GOOD, "a hard one": HARD}
        return {title: int(order[round(rank * (len(order) - 1))]) for title, rank in ranks.items()}

    def typical_view(self, name: str, subhalo_id: int) -> int:
        """Row of the view of a galaxy with the median error at intermediate radii."""
        rows = np.flatnonzero(self.subhalo_id == subhalo_id)
        error = np.nanmean(self.views(name)[rows][:, self.columns("intermediate")], axis=1)
        return int(rows[np.argsort(error)[len(rows) // 2]])

    def _luck(self, name: str, measure: str, region: str | None = None) -> np.ndarray:
        """The same of the mean of a method's members, zero for one that is not an ensemble."""
        n = self.members.get(name)
        return self.training_scatter(measure, region) / np.sqrt(n) if n else np.zeros(())

    def _row_mean(self, name: str, measure: str, region: str) -> np.ndarray:
        return row_mean(self.views(name, measure)[:, self.columns(region)])


def row_mean(values: np.ndarray) -> np.ndarray:
    """Mean over the finite values of each row, (n, r) -> (n,); NaN for a row without any."""
    good = np.isfinite(values)
    count = good.sum(axis=1)
    return np.where(count > 0, np.where(good, values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)


def verdict(difference: Estimate) -> str:
    """A paired difference of errors in words: ``better``, ``worse`` (by two standard deviations) or ``undecided``."""
    return {-1: "better", 0: "undecided", 1: "worse"}[int(difference.sign())]


#: Fraction of a normal distribution within 1 and 2 standard deviations.
EXPECTED = {1: float(erf(1 / np.sqrt(2))), 2: float(erf(2 / np.sqrt(2)))}


@dataclass(frozen=True)
class Coverage:
    """How often the truth lies within the stated uncertainty.

    Parameters
    ----------
    within : dict of Estimate
        1 and 2 -> fraction of the views within that many sigma, at each radius.
    overall : dict of Estimate
        The same over all radii.
    stretch : Estimate
        Root mean square over all views and radii of the deviation of the truth in units of the stated sigma: the
        factor by which sigma is too small.
    inside : dict of ndarray, shape (n, r)
        1 and 2 -> whether the truth lies within that many sigma, 0 or 1.
    pit : ndarray, shape (n, r)
        Between 0 and 1; it and `inside` are NaN where a mass is zero or sigma is not positive.
    """

    within: dict[int, Estimate]
    overall: dict[int, Estimate]
    stretch: Estimate
    inside: dict[int, np.ndarray]
    pit: np.ndarray


def coverage(truth: np.ndarray, predicted: np.ndarray, sigma_ln: np.ndarray, bootstrap: Bootstrap) -> Coverage:
    """Compare stated uncertainties with the errors.

    Parameters
    ----------
    truth, predicted : ndarray, shape (n, r)
        [Msun]
    sigma_ln : ndarray, shape (n, r)
        Stated standard deviation of ln M.
    bootstrap : Bootstrap
        Of the same n views.
    """
    # Deviations of the truth in units of the stated sigma; NaN where a mass is zero or sigma is not positive.
    z = -per_view(truth, predicted, "ln_ratio") / np.where(np.asarray(sigma_ln, dtype=float) > 0, sigma_ln, np.nan)
    inside = {k: np.where(np.isfinite(z), np.abs(z) < k, np.nan) for k in EXPECTED}
    with np.errstate(invalid="ignore"):
        pit = 0.5 * (1.0 + erf(z / np.sqrt(2.0)))
    return Coverage(
        within={k: bootstrap.mean(values) for k, values in inside.items()},
        # First the mean over the radii of a view, so that radii without mass are left out.
        overall={k: bootstrap.mean(row_mean(values)) for k, values in inside.items()},
        stretch=bootstrap.root_mean(row_mean(z**2)),
        inside=inside,
        pit=pit,
    )


def pit_histogram(pit: np.ndarray, bootstrap: Bootstrap, bins: int = 10) -> Estimate:
    """Density of the PIT in equal bins, 1 everywhere for calibrated uncertainties; value and error of shape (bins,)."""
    number = np.minimum((np.nan_to_num(pit) * bins).astype(int), bins - 1)
    number = np.where(np.isfinite(pit), number, -1)
    shares = np.stack([(number == k).sum(axis=1) for k in range(bins)], axis=1)
    total = np.repeat((number >= 0).sum(axis=1)[:, None], bins, axis=1)
    return bins * bootstrap.ratio(shares, total)
