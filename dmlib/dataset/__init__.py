"""The data set: every view of every galaxy, its inputs and its target, in one file split by galaxy.

- `views`: what is observed, and one galaxy along its lines of sight.
- `build`: the file, built in parallel and resumable.
- `read`: access for networks and rotation curves.
- `leak`: the apparent performance of a split by view.

Here is the split itself: which galaxies are for training, for validation (when to stop), for the test, and for
calibration (how wide the stated errors must be). The last are our addition to the paper's three parts: the errors of
validation galaxies are slightly too small, since training stopped when they were smallest. It is by FoF group. All
views of a galaxy are in one part: a view of a galaxy seen in training is no test. The same holds for all galaxies of a
group: the target is the dark matter *of the group* around each of them, so two members share much of their target, and,
if they are neighbours, of their images. The split is made on the whole sample, before anything is observed: a galaxy
that is set aside later does not move any other.

The split is stratified in stellar mass, and separately for satellites: a random tenth of a few hundred galaxies may
contain no massive galaxy and no satellite, and its errors would be those of another population.
"""

from __future__ import annotations

import numpy as np

#: Value of ``split`` in the data set, by name.
SPLITS = {"train": 0, "validation": 1, "test": 2, "calibration": 3}

#: Neighbours in rank among which the parts are distributed.
_DEAL = 10

#: Mixed into the seed to give the split a random stream of its own.
_STREAM = 0x73706C69


def assign(
    group_id: np.ndarray,
    *,
    seed: int,
    rank_by: np.ndarray | None = None,
    apart: np.ndarray | None = None,
    train: float = 0.6,
    validation: float = 0.2,
    calibration: float = 0.1,
) -> np.ndarray:
    """Assign each galaxy to a part.

    Groups are ranked, and of every ten neighbours in rank six train, two validate, one calibrates and one tests (for
    the default shares), in random order. Who validates and who tests depends on the sum of the other two shares only.

    Parameters
    ----------
    group_id : ndarray of int, shape (N,)
        FoF group of each galaxy of the sample.
    seed : int
    rank_by : ndarray, shape (N,), optional
        Groups are ranked by the largest value among their galaxies, for example the stellar mass; at random without it.
    apart : ndarray of bool, shape (N,), optional
        Groups with a galaxy for which this holds, for example a satellite, are ranked and distributed separately.
    train, validation, calibration : float
        Shares of the groups; the rest is for the test.

    Returns
    -------
    ndarray of int8, shape (N,)
        See `SPLITS`.
    """
    groups, member_of = np.unique(np.asarray(group_id), return_inverse=True)
    rng = np.random.default_rng([seed, _STREAM])
    rank = rng.random(len(groups))
    if rank_by is not None:
        rank = np.full(len(groups), -np.inf)
        np.maximum.at(rank, member_of, np.asarray(rank_by, dtype=float))
    on_their_own = np.zeros(len(groups), dtype=bool)
    if apart is not None:
        np.logical_or.at(on_their_own, member_of, np.asarray(apart, dtype=bool))
    side = np.empty(len(groups), dtype=np.int8)
    in_order = np.array([SPLITS[name] for name in ("calibration", "train", "validation", "test")])
    edges = [calibration, calibration + train, calibration + train + validation]
    for stratum in (False, True):
        chosen = np.flatnonzero(on_their_own == stratum)
        order = chosen[np.argsort(rank[chosen], kind="stable")]
        for start in range(0, len(order), _DEAL):
            some = order[start : start + _DEAL]
            # A random offset, so that shares that are not multiples of a tenth come out right on average.
            places = (np.arange(_DEAL) + rng.random()) / _DEAL
            sides = in_order[np.searchsorted(edges, places, side="right")]
            side[some] = rng.permutation(sides)[: len(some)]
    return side[member_of]


def straddling(group_id: np.ndarray, split: np.ndarray) -> np.ndarray:
    """Ids (of groups, or of galaxies) that are in more than one part; empty for a valid split.

    Parameters
    ----------
    group_id, split : ndarray, shape (N,)
    """
    pairs = np.unique(np.stack([group_id, split], axis=1), axis=0)
    ids, sides = np.unique(pairs[:, 0], return_counts=True)
    return ids[sides > 1]
