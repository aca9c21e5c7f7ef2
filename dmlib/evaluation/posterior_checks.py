"""Tests of a posterior of whole profiles: is it right, and is it useful.

A posterior is *calibrated* when the truth looks like one more draw. At each radius the rank of the truth among the
draws (PIT) is then uniform. For all radii together, TARP (Lemos et al. 2023, ICML, arXiv:2302.03026) asks how often the
truth is nearer to a random reference point than the draws are. A posterior as wide as the population is calibrated too,
so that a measure of *sharpness* belongs to it: the energy score (Gneiting and Raftery 2007), lower for a narrower
posterior as long as the truth stays inside. Views of one galaxy share its truth: all errors are from draws of whole
galaxies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..bootstrap import Bootstrap, Estimate
from .bins import thirds
from .scores import pit_histogram

#: Share of the posterior in the intervals that are tested.
LEVEL = 0.68

#: Random points of TARP for each view.
_REFERENCES = 20

_STREAM = 0x74617270  # a random stream of its own


@dataclass(frozen=True)
class Check:
    """How well a posterior does on the test views.

    Parameters
    ----------
    pit : ndarray, shape (n, r)
        See `rank_of_truth`.
    coverage : Estimate, shape (r,)
        Share of the views with the truth in the central interval that holds `LEVEL` of the draws.
    chance : float
        Largest deviation of the coverage at any radius in 95 per cent of samples, of test galaxies and of those that
        set the factor, if it is right at every radius.
    histogram : Estimate, shape (10,)
        Density of the ranks over all radii; 1 if calibrated.
    half_width : ndarray, shape (n, r)
        Half of that interval, in ln M.
    energy : ndarray, shape (n,)
        See `energy_score`.
    levels : ndarray, shape (19,)
    tarp : Estimate, shape (19,)
        See `tarp`.
    """

    pit: np.ndarray
    coverage: Estimate
    chance: float
    histogram: Estimate
    half_width: np.ndarray
    energy: np.ndarray
    levels: np.ndarray
    tarp: Estimate


def check(
    truth: np.ndarray, draws: np.ndarray, scale: np.ndarray, bootstrap: Bootstrap, calibration: float = 0.0
) -> Check:
    """All measures of a posterior.

    Parameters
    ----------
    truth : ndarray, shape (n, r)
        ln M, NaN where there is none.
    draws : ndarray, shape (d, n, r)
    scale : ndarray, shape (r,)
        Standard deviation of ln M between galaxies.
    bootstrap : Bootstrap
        Of the same n views.
    calibration : float
        Error of the coverage that is due to the galaxies that set the factor, see `Posteriors`.
    """
    pit = rank_of_truth(truth, draws)
    low, high = np.quantile(draws, [0.5 - 0.5 * LEVEL, 0.5 + 0.5 * LEVEL], axis=0)
    levels, found = tarp(truth / scale, draws / scale, bootstrap)
    return Check(
        pit=pit,
        coverage=bootstrap.mean(inside(pit, LEVEL)),
        chance=bootstrap.largest_by_chance(inside(pit, LEVEL), common=calibration),
        histogram=pit_histogram(pit, bootstrap),
        half_width=0.5 * (high - low),
        energy=energy_score(truth, draws, scale),
        levels=levels,
        tarp=found,
    )


def rank_of_truth(truth: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Probability integral transform (PIT) at each radius.

    Parameters
    ----------
    truth : ndarray, shape (n, r)
        ln M; NaN where there is none.
    draws : ndarray, shape (d, n, r)

    Returns
    -------
    ndarray, shape (n, r)
        Fraction of the draws below the truth, NaN where the truth is.
    """
    below = (draws < truth).sum(axis=0) + 0.5
    return np.where(np.isfinite(truth), below / (len(draws) + 1.0), np.nan)


def inside(pit: np.ndarray, level: float) -> np.ndarray:
    """1 where the truth is in the central interval that holds `level` of the posterior, 0 where not, else NaN."""
    return np.where(np.isfinite(pit), np.abs(pit - 0.5) < 0.5 * level, np.nan)


@dataclass(frozen=True)
class WorstThird:
    """The third of the views whose coverage is furthest from `LEVEL`.

    Parameters
    ----------
    off, error : float
        Deviation of its coverage, without sign, and the standard deviation.
    chance : float
        Largest deviation of any third in 95 per cent of samples, if all are right.
    n_galaxies : int
        In that third.
    """

    off: float
    error: float
    chance: float
    n_galaxies: int


def worst_third(
    pit: np.ndarray, properties: Sequence[np.ndarray], bootstrap: Bootstrap, calibration: float = 0.0
) -> WorstThird:
    """Coverage, over all radii, in thirds of the views by each of some properties.

    Parameters
    ----------
    pit : ndarray, shape (n, r)
    properties : sequence of ndarray, shape (n,)
    bootstrap : Bootstrap
        Of the same n views.
    calibration : float
        As for `check`.
    """
    member = np.stack([thirds(values) == k for values in properties for k in range(3)], axis=1)
    share = np.where(member, np.nanmean(inside(pit, LEVEL), axis=1)[:, None], np.nan)
    found = bootstrap.mean(share)
    off = np.abs(found.value - LEVEL)
    worst = int(np.nanargmax(off))
    chance = bootstrap.largest_by_chance(share, common=calibration)
    n_galaxies = len(np.unique(bootstrap.subhalo_id[member[:, worst]]))
    return WorstThird(float(off[worst]), float(found.error[worst]), chance, n_galaxies)


def energy_score(truth: np.ndarray, draws: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Energy score of each view's posterior of the whole profile, shape (n,); lower is better.

    The mean distance of the draws from the truth minus half the mean distance between two draws.

    Parameters
    ----------
    truth : ndarray, shape (n, r)
        ln M; radii with NaN count neither for the truth nor for the draws.
    draws : ndarray, shape (d, n, r)
    scale : ndarray, shape (r,)
        Unit of distance at each radius, for example the standard deviation of the training galaxies.
    """
    known = np.isfinite(truth)
    x = np.where(known, truth, 0.0) / scale
    y = np.where(known, draws, 0.0) / scale
    to_truth = np.linalg.norm(y - x, axis=-1).mean(axis=0)
    # Each draw with one other is enough, and needs no d^2 distances.
    apart = np.linalg.norm(y - np.roll(y, 1, axis=0), axis=-1).mean(axis=0)
    return to_truth - 0.5 * apart


def tarp(truth: np.ndarray, draws: np.ndarray, bootstrap: Bootstrap) -> tuple[np.ndarray, Estimate]:
    """Coverage of random regions of the posterior of the whole profile.

    Each region is a ball about a random point with the truth on its surface. Of a calibrated posterior, the fraction of
    draws inside the ball is uniform. The points are those of other galaxies' truths, which lie where profiles do.

    Parameters
    ----------
    truth : ndarray, shape (n, r)
        ln M in units of its spread; views with NaN are left out.
    draws : ndarray, shape (d, n, r)
    bootstrap : Bootstrap
        Of the same n views.

    Returns
    -------
    level : ndarray, shape (19,)
        Credibility: 0.05 to 0.95.
    coverage : Estimate
        Fraction of regions of that credibility that hold the truth, equal to `level` if the posterior is calibrated.
    """
    whole = np.isfinite(truth).all(axis=1)
    rng = np.random.default_rng([1, _STREAM])
    level = np.arange(1, 20) / 20.0
    found = np.full((len(truth), _REFERENCES, len(level)), np.nan)
    candidates = np.flatnonzero(whole)
    for view in candidates:
        others = candidates[bootstrap.subhalo_id[candidates] != bootstrap.subhalo_id[view]]
        for k, other in enumerate(rng.choice(others, _REFERENCES) if len(others) else ()):
            radius = np.linalg.norm(truth[view] - truth[other])
            nearer = (np.linalg.norm(draws[:, view] - truth[other], axis=-1) < radius).mean()
            found[view, k] = nearer < level
    # A view has one value at each level, the mean over its reference points.
    known = np.isfinite(found[:, 0, 0])
    values = np.full((len(truth), len(level)), np.nan)
    values[known] = found[known].mean(axis=1)
    return level, bootstrap.mean(values)


def conformal_factor(z: np.ndarray, subhalo_id: np.ndarray, level: float) -> np.ndarray:
    """Half-width of the interval that holds `level` of new galaxies, in units of the stated sigma, shape (r,).

    Split conformal prediction (Papadopoulos et al. 2002): the intervals have at least this coverage over galaxies like
    those of the calibration, whatever the distribution of the errors. Where the factor differs from that of a normal
    distribution, the stated sigma is wrong.

    Parameters
    ----------
    z : ndarray, shape (n, r)
        Errors of the calibration galaxies in units of their sigma.
    subhalo_id : ndarray of int, shape (n,)
        Views of a galaxy are not independent: each galaxy counts once, with the mean over its views of their share.
    level : float

    Returns
    -------
    ndarray
        Infinite where there are too few galaxies for the level.
    """
    member = np.unique(subhalo_id, return_inverse=True)[1]
    share = 1.0 / np.bincount(member)[member]
    out = np.full(z.shape[1], np.inf)
    for k, column in enumerate(np.abs(z).T):
        order = np.argsort(column)
        order = order[np.isfinite(column[order])]
        # One more galaxy, the new one, is counted as farther out than all others.
        need = level * (len(np.unique(member[order])) + 1.0)
        place = int(np.searchsorted(np.cumsum(share[order]), need - 1e-9))
        if place < len(order):
            out[k] = column[order[place]]
    return out
