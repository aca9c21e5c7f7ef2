"""Honest errors: the spread of an ensemble, and what it does not know.

Members differ by their seeds and by the galaxies they were shown. Their spread is the part of the error that more
training would remove; it says nothing of the scatter that the inputs leave open (two haloes with the same disc), and so
is too small. Both are put together by

    sigma^2(i, R) = floor(R)^2 + factor^2 * spread^2(i, R),

with the floor of each radius and one factor chosen so that the errors of the *validation* galaxies are most likely
(Gaussian). The test galaxies have no part in it. The validation galaxies do have one in the choice of the best epoch,
so that sigma may be slightly small; the coverage on the test galaxies says how much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Factors among which the most likely is taken.
_FACTORS = np.concatenate([[0.0], np.geomspace(0.25, 4.0, 17)])

#: Smallest floor, in ln M: below the noise of the target itself.
_LEAST = 0.02


@dataclass(frozen=True)
class Spread:
    """A calibrated error.

    Parameters
    ----------
    floor : ndarray, shape (20,)
    factor : float
    """

    floor: np.ndarray
    factor: float

    @classmethod
    def fit(cls, members_ln: np.ndarray, truth_ln: np.ndarray) -> Spread:
        """From the validation galaxies.

        Parameters
        ----------
        members_ln : ndarray, shape (member, n, 20)
            Predicted ln M.
        truth_ln : ndarray, shape (n, 20)
            NaN does not count.
        """
        square = (members_ln.mean(axis=0) - truth_ln) ** 2
        spread2 = _variance(members_ln)
        factors = _FACTORS if len(members_ln) > 1 else np.zeros(1)
        best = None
        for factor in factors:
            floor2, cost = _most_likely_floor(square, factor**2 * spread2)
            if best is None or cost < best[0]:
                best = (cost, floor2, factor)
        return cls(np.sqrt(best[1]), float(best[2]))

    def sigma(self, members_ln: np.ndarray) -> np.ndarray:
        """Standard deviation of ln M, shape (n, 20)."""
        return np.sqrt(self.floor**2 + self.factor**2 * _variance(members_ln))


def _variance(members_ln: np.ndarray) -> np.ndarray:
    if len(members_ln) < 2:
        return np.zeros(members_ln.shape[1:])
    return members_ln.var(axis=0, ddof=1)


def _most_likely_floor(square: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, float]:
    """Of each radius, among a fine series about the r.m.s. error; and the sum of the costs, -2 ln likelihood."""
    rms2 = np.nanmean(square, axis=0)
    tried = np.maximum(np.linspace(0.0, 1.2, 61)[:, None] ** 2 * rms2, _LEAST**2)
    total = tried[:, None, :] + variance
    costs = np.nansum(square / total + np.where(np.isfinite(square), np.log(total), 0.0), axis=1)
    best = costs.argmin(axis=0)
    columns = np.arange(len(best))
    return tried[best, columns], float(costs[best, columns].sum())
