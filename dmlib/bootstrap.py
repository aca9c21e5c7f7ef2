"""Uncertainties by resampling galaxies.

Views of one galaxy share its target and most of its errors: three views are not three measurements. Whole galaxies are
therefore drawn with replacement, with all their views. All methods and radii use the same draws, so that two methods
are compared on the same galaxies, draw by draw: most of the scatter is common to both and cancels in the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from astropy.stats import binom_conf_interval

_STREAM = 0x626F6F74  # a random stream of its own

Result = TypeVar("Result")


def resample(statistic: Callable[[np.ndarray], Result], n: int, *, seed: int, draws: int) -> list[Result]:
    """A statistic of bootstrap samples of n objects.

    Parameters
    ----------
    statistic : callable
        Of the indices of a sample, shape (n,).
    n : int
    seed : int
    draws : int

    Returns
    -------
    list, length draws
    """
    rng = np.random.default_rng(seed)
    return [statistic(rng.integers(0, n, n)) for _ in range(draws)]


def share_of(where: np.ndarray) -> tuple[float, float]:
    """Share of the objects of which something is true, and its error.

    The error is the distance of the further edge of Wilson's 68 per cent interval: it is not zero where the statement
    is true of none, or of all.
    """
    count, n = int(np.count_nonzero(where)), len(where)
    edges = binom_conf_interval(count, n, interval="wilson")
    return count / n, float(np.abs(edges - count / n).max())


def median_ratio(top: np.ndarray, bottom: np.ndarray, group: np.ndarray, *, seed: int) -> tuple[float, float, float]:
    """Median of the ratio of two values of each view, its standard error, and its lower 95% bound.

    Parameters
    ----------
    top, bottom : ndarray, shape (n,)
    group : ndarray of int, shape (n,)
        Galaxy of each view; galaxies, not views, are resampled.
    seed : int
    """
    ratio = top / bottom
    good = np.isfinite(ratio)
    again = _medians(ratio[good], group[good], seed, 1000)
    return float(np.median(ratio[good])), float(np.std(again, ddof=1)), float(np.percentile(again, 5.0))


def median_of_views(values: np.ndarray, group: np.ndarray, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Median over views and its standard error, resampling galaxies, each of shape (k,).

    Parameters
    ----------
    values : ndarray, shape (n, k)
    group : ndarray of int, shape (n,)
        Galaxy of each view.
    seed : int
    """
    return np.nanmedian(values, axis=0), np.std(_medians(values, group, seed, 300), axis=0, ddof=1)


def _medians(values: np.ndarray, group: np.ndarray, seed: int, draws: int) -> np.ndarray:
    """Medians over views of samples of galaxies drawn with replacement, shape (draws, ...)."""
    members = [np.flatnonzero(group == one) for one in np.unique(group)]

    def median(drawn: np.ndarray) -> np.ndarray:
        return np.nanmedian(values[np.concatenate([members[k] for k in drawn])], axis=0)

    return np.array(resample(median, len(members), seed=seed, draws=draws))


@dataclass(frozen=True)
class Estimate:
    """A number, or one at each radius, with its uncertainty.

    Parameters
    ----------
    value : ndarray
        Of the whole sample.
    error : ndarray
        Standard deviation over the draws.
    low, high : ndarray
        16th and 84th percentile over the draws.
    """

    value: np.ndarray
    error: np.ndarray
    low: np.ndarray
    high: np.ndarray

    # Numpy's numbers leave a product to this class.
    __array_ufunc__ = None

    @classmethod
    def joined(cls, several: Iterable[Estimate]) -> Estimate:
        """Of several single numbers, or none, one after the other."""
        return cls(*np.array([astuple(one) for one in several], dtype=float).reshape(-1, 4).T)

    def sign(self, sigmas: float = 2.0) -> np.ndarray:
        """-1 or 1 where it is that many standard deviations below or above zero, else 0."""
        with np.errstate(invalid="ignore"):
            return np.where(np.abs(self.value) > sigmas * self.error, np.sign(self.value), 0).astype(int)

    def with_error(self, error: np.ndarray | float) -> Estimate:
        """With a further independent error in quadrature, on either side of the value."""
        low, high = (np.hypot(self.value - end, error) for end in (self.low, self.high))
        return Estimate(self.value, np.hypot(self.error, error), self.value - low, self.value + high)

    def __getitem__(self, key: Any) -> Estimate:
        """Those of some of the numbers."""
        return Estimate(*(part[key] for part in astuple(self)))

    def __rmul__(self, factor: float) -> Estimate:
        """In another unit."""
        return Estimate(*(factor * part for part in astuple(self)))


@dataclass(frozen=True)
class Bootstrap:
    """Draws of galaxies.

    Parameters
    ----------
    subhalo_id : ndarray of int, shape (n,)
        Galaxy of each view.
    draws : int
    seed : int
    """

    subhalo_id: np.ndarray
    draws: int = 1000
    seed: int = 1

    @cached_property
    def n_galaxies(self) -> int:
        """Number of galaxies."""
        return len(np.unique(self.subhalo_id))

    @cached_property
    def weights(self) -> np.ndarray:
        """How often each view is in each draw, shape (draws + 1, n); the first row is the whole sample."""
        galaxies, member = np.unique(self.subhalo_id, return_inverse=True)
        rng = np.random.default_rng([self.seed, _STREAM])
        counts = rng.multinomial(len(galaxies), np.full(len(galaxies), 1.0 / len(galaxies)), size=self.draws)
        return np.concatenate([np.ones((1, len(member))), counts[:, member]])

    def of(self, statistic: Callable[[np.ndarray], np.ndarray | float]) -> Estimate:
        """Any statistic of the views with weights, shape (n,): how often each of them is in a draw."""
        return _estimate(np.array([statistic(weights) for weights in self.weights]))

    def mean(self, values: np.ndarray, where: np.ndarray | None = None) -> Estimate:
        """Mean over views of `values`, shape (n,) or (n, r); NaN is left out.

        Parameters
        ----------
        values : ndarray
        where : ndarray of bool, shape (n,), optional
            Views to use.
        """
        return _estimate(self._means(values, where))

    def root_mean(self, squares: np.ndarray, where: np.ndarray | None = None) -> Estimate:
        """Root of the mean over views; arguments as `mean`."""
        return _estimate(np.sqrt(self._means(squares, where)))

    def root_mean_difference(self, first: np.ndarray, second: np.ndarray) -> Estimate:
        """`root_mean` of some squares minus that of others, on the same galaxies."""
        return _estimate(np.sqrt(self._means(first, None)) - np.sqrt(self._means(second, None)))

    def ratio(self, above: np.ndarray, below: np.ndarray, where: np.ndarray | None = None) -> Estimate:
        """Mean of `above` over the mean of `below`, draw by draw; arguments as `mean`."""
        return _estimate(self._means(above, where) / self._means(below, where))

    def difference(self, first: np.ndarray, second: np.ndarray, where: np.ndarray | None = None) -> Estimate:
        """Mean of `first` minus the mean of `second`, on the same galaxies; arguments as `mean`."""
        return _estimate(self._means(np.asarray(first, dtype=float) - np.asarray(second, dtype=float), where))

    def contrast(self, values: np.ndarray, first: np.ndarray, second: np.ndarray) -> Estimate:
        """Mean of `values` over some views minus their mean over others, draw by draw.

        Parameters
        ----------
        values : ndarray, shape (n,) or (n, r)
        first, second : ndarray of bool, shape (n,)
        """
        return _estimate(self._means(values, first) - self._means(values, second))

    def ratio_between(self, values: np.ndarray, first: np.ndarray, second: np.ndarray) -> Estimate:
        """Mean of `values` over some views over their mean over others, draw by draw.

        Parameters
        ----------
        values : ndarray, shape (n,) or (n, r)
        first, second : ndarray, shape (n,)
            Of bool, or weights.
        """
        return _estimate(self._means(values, first) / self._means(values, second))

    def ratio_difference(self, first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> Estimate:
        """A ratio of two means minus another, draw by draw; each given by the two arrays of `ratio`."""
        one, other = (self._means(above, None) / self._means(below, None) for above, below in (first, second))
        return _estimate(one - other)

    def quantile(self, values: np.ndarray, share: float, where: np.ndarray | None = None) -> Estimate:
        """Quantile over views, for example the median with share 0.5; arguments as `mean`."""
        return _estimate(self._quantiles(values, share, where))

    def scatter(self, values: np.ndarray, where: np.ndarray | None = None) -> Estimate:
        """Half of the range of the middle 68 per cent, a standard deviation that is robust to outliers."""
        return _estimate(self._scatters(values, where))

    def scatter_difference(self, first: np.ndarray, second: np.ndarray) -> Estimate:
        """`scatter` of `first` minus that of `second`, draw by draw."""
        return _estimate(self._scatters(first, None) - self._scatters(second, None))

    def extreme(self, values: np.ndarray, columns: np.ndarray | slice = slice(None)) -> Estimate:
        """Largest of the means at some radii, `values` of shape (n, r), in each draw."""
        return _estimate(self._means(values, None)[:, columns].max(axis=1))

    def largest_by_chance(self, values: np.ndarray, share: float = 0.95, common: float = 0.0) -> float:
        """Largest departure of a mean from its expectation at any radius that a share of samples stays below.

        `values` of shape (n, r). The radii are correlated as they are; without this number the worst of many looks like
        one that was chosen beforehand. `common` is the standard deviation of a further error that all radii share and
        that these galaxies do not show.
        """
        means = self._means(values, None)
        further = common * np.random.default_rng([self.seed, _STREAM + 1]).standard_normal((len(means) - 1, 1))
        return float(np.nanquantile(np.nanmax(np.abs(means[1:] - means[0] + further), axis=1), share))

    def ratio_extreme(self, above: np.ndarray, below: np.ndarray) -> Estimate:
        """Largest over the radii of the ratio of two means, both of shape (n, r)."""
        return _estimate((self._means(above, None) / self._means(below, None)).max(axis=1))

    def _means(self, values: np.ndarray, where: np.ndarray | None) -> np.ndarray:
        values = np.asarray(values, dtype=float)
        weights = self.weights if where is None else self.weights * np.asarray(where, dtype=float)
        good = np.isfinite(values)
        with np.errstate(invalid="ignore", divide="ignore"):
            # A draw may contain no galaxy of a rare kind; it is then left out.
            return (weights @ np.where(good, values, 0.0)) / (weights @ good.astype(float))

    def _scatters(self, values: np.ndarray, where: np.ndarray | None) -> np.ndarray:
        high, low = (self._quantiles(values, share, where) for share in (0.8413, 0.1587))
        return 0.5 * (high - low)

    def _quantiles(self, values: np.ndarray, share: float, where: np.ndarray | None) -> np.ndarray:
        values = np.asarray(values, dtype=float)
        columns = values[:, None] if values.ndim == 1 else values
        weights = self.weights if where is None else self.weights * np.asarray(where, dtype=float)
        out = np.full((len(weights), columns.shape[1]), np.nan)
        for k, column in enumerate(columns.T):
            order = np.argsort(column)
            order = order[np.isfinite(column[order])]
            if not len(order):
                continue
            total = np.cumsum(weights[:, order], axis=1)
            # Half-way where the share falls between two views, as the median of an even number does.
            edges = [(total < share * total[:, -1:] + tiny).sum(axis=1) for tiny in (-1e-9, 1e-9)]
            picked = sum(column[order][np.minimum(edge, len(order) - 1)] for edge in edges) / 2.0
            out[:, k] = np.where(total[:, -1] > 0, picked, np.nan)
        return out[:, 0] if values.ndim == 1 else out


def _estimate(draws: np.ndarray) -> Estimate:
    """An estimate from its value for the whole sample and for each draw."""
    some = draws[1:]
    if not np.isfinite(some).any(axis=0).all():
        some = np.where(np.isfinite(some).any(axis=0), some, 0.0) + np.where(np.isfinite(draws[0]), 0.0, np.nan)
    low, high = np.nanpercentile(some, [15.87, 84.13], axis=0) if np.isfinite(some).any() else (draws[0], draws[0])
    spread = np.nanstd(some, axis=0, ddof=1) if np.isfinite(some).any() else np.full_like(draws[0], np.nan)
    return Estimate(draws[0], spread, low, high)
