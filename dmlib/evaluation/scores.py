"""Scores of several methods on the same galaxies and radii, each with its bootstrap error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from .bootstrap import Bootstrap, Estimate
from .measures import MEASURES, per_view

#: Ranges of radii [kpc] that the text speaks of. The talk's "intermediate regions" are not defined there: ours lie
#: outside the innermost kiloparsecs, where few particles are counted, and inside the radii that no HI reaches.
REGIONS = {
    "inner": (1.0, 5.0),
    "intermediate": (5.0, 50.0),
    "outer": (50.0, 100.0),
    "resolved": (10.0, 100.0),
    "all": (1.0, 100.0),
}


@dataclass(frozen=True)
class Scores:
    """Errors of several predictions of the same views.

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
    """

    radii: np.ndarray
    truth: np.ndarray
    masses: Mapping[str, np.ndarray]
    subhalo_id: np.ndarray
    draws: int = 1000
    seed: int = 1
    _known: dict = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, predictions, *, where: np.ndarray | None = None, seed: int = 1) -> Scores:
        """Scores of everything in a `Predictions`.

        Parameters
        ----------
        predictions : dmlib.networks.predictions.Predictions
        where : ndarray of bool, shape (n,), optional
            Views that count.
        seed : int
        """
        some = slice(None) if where is None else np.asarray(where, dtype=bool)
        masses = {name: predictions[name].m_dm[some] for name in predictions.names}
        return cls(predictions.radii, predictions.truth[some], masses, predictions.subhalo_id[some], seed=seed)

    @cached_property
    def bootstrap(self) -> Bootstrap:
        """The draws of galaxies that all methods share."""
        return Bootstrap(self.subhalo_id, self.draws, self.seed)

    @property
    def n_galaxies(self) -> int:
        """Galaxies among the views."""
        return self.bootstrap.n_galaxies

    def columns(self, region: str) -> np.ndarray:
        """Which radii lie in one of `REGIONS`, edges included, shape (r,) of bool."""
        low, high = REGIONS[region]
        return (self.radii >= low * (1 - 1e-9)) & (self.radii <= high * (1 + 1e-9))

    def views(self, name: str, measure: str = "relative") -> np.ndarray:
        """A measure of each view at each radius, see `measures.per_view`."""
        if (name, measure) not in self._known:
            self._known[name, measure] = per_view(self.truth, self.masses[name], measure)
        return self._known[name, measure]

    def at_radii(self, name: str, measure: str = "relative", *, root: bool = False) -> Estimate:
        """Mean of a measure at each radius, or its root (Delta_MSE of the talk for ``relative2``)."""
        values = self.views(name, measure)
        return self.bootstrap.root_mean(values) if root else self.bootstrap.mean(values)

    def over(self, region: str, name: str, measure: str = "relative", *, root: bool = False) -> Estimate:
        """Mean of a measure over the views and the radii of a region, or its root."""
        values = self._row_mean(name, measure, region)
        return self.bootstrap.root_mean(values) if root else self.bootstrap.mean(values)

    def worst(self, region: str, name: str, measure: str = "relative", *, root: bool = False) -> Estimate:
        """Mean of a measure at the radius of a region where it is largest, found anew in each draw."""
        found = self.bootstrap.extreme(self.views(name, measure), self.columns(region))
        if not root:
            return found
        value, low, high = np.sqrt(found.value), np.sqrt(found.low), np.sqrt(found.high)
        return Estimate(value, found.error / (2.0 * value), low, high)

    def better(self, region: str, first: str, second: str, measure: str = "relative") -> Estimate:
        """Mean error of `first` less that of `second` on the same galaxies: negative where the first is better."""
        return self.bootstrap.difference(
            self._row_mean(first, measure, region), self._row_mean(second, measure, region)
        )

    def ratio(self, region: str, first: str, second: str, measure: str = "ln_ratio2") -> Estimate:
        """Mean error of `first` over that of `second`, draw by draw."""
        return self.bootstrap.ratio(self._row_mean(first, measure, region), self._row_mean(second, measure, region))

    def worst_ratio(self, region: str, first: str, second: str, measure: str = "ln_ratio2") -> Estimate:
        """The ratio of the mean errors at the radius of a region where it is largest, found anew in each draw."""
        columns = self.columns(region)
        return self.bootstrap.ratio_extreme(
            self.views(first, measure)[:, columns], self.views(second, measure)[:, columns]
        )

    def table(self, names: Mapping[str, str], region: str = "intermediate") -> list[dict[str, object]]:
        """The authors' four measures of several methods over a region, as rows for a table.

        Parameters
        ----------
        names : mapping
            Method -> what the table calls it.
        region : str
        """
        rows = []
        for name, title in names.items():
            row: dict[str, object] = {"method": title}
            for measure in list(MEASURES)[:4]:
                found = self.over(region, name, measure)
                row[measure] = f"{found.value:.2g} ± {found.error:.1g}"
            rows.append(row)
        return rows

    def curve(self, names: list[str], region: str = "intermediate") -> list[Estimate]:
        """`over` of several methods, for a learning curve."""
        return [self.over(region, name) for name in names]

    def of_members(self, members_ln: np.ndarray, region: str = "intermediate") -> np.ndarray:
        """Mean |dM/M| over a region of each member of an ensemble, `members_ln` of shape (member, n, r)."""
        errors = np.abs(np.exp(members_ln) / np.where(self.truth > 0, self.truth, np.nan) - 1.0)
        return np.nanmean(errors[..., self.columns(region)], axis=(1, 2))

    def _row_mean(self, name: str, measure: str, region: str) -> np.ndarray:
        values = self.views(name, measure)[:, self.columns(region)]
        good = np.isfinite(values)
        count = good.sum(axis=1)
        return np.where(count > 0, np.where(good, values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)


def verdict(difference: Estimate, sigmas: float = 2.0) -> str:
    """What a paired difference of errors says, in words: ``better``, ``worse`` or ``not told apart``."""
    if abs(difference.value) <= sigmas * difference.error:
        return "not told apart"
    return "better" if difference.value < 0 else "worse"
