"""Which galaxies are for training, for validation and for the test.

The split is by FoF group. All views of a galaxy are on one side, since a view of a galaxy seen in training would be no
test. And all galaxies of one group are: the target is the dark matter *of the group* about each of them, so that two
members share much of their target, and, where they are neighbours, of their images. The split is made on the whole
sample, before anything is observed: a galaxy that is set aside later moves no other.
"""

from __future__ import annotations

import numpy as np

#: Value of ``split`` in the data set, by name.
SPLITS = {"train": 0, "validation": 1, "test": 2}

_STREAM = 0x73706C69  # so that the split shares no random stream with anything else


def assign(group_id: np.ndarray, *, seed: int, train: float = 0.7, validation: float = 0.2) -> np.ndarray:
    """Give each galaxy its side.

    Groups are drawn in random order; the first ones that together hold the share `train` of the galaxies train, and so
    on. A group across a boundary goes to the side that holds more of it.

    Parameters
    ----------
    group_id : ndarray of int, shape (N,)
        FoF group of each galaxy of the sample.
    seed : int
    train, validation : float
        Shares of the galaxies; the rest is for the test.

    Returns
    -------
    ndarray of int8, shape (N,)
        0 train, 1 validation, 2 test.
    """
    groups, member_of, size = np.unique(np.asarray(group_id), return_inverse=True, return_counts=True)
    order = np.random.default_rng([seed, _STREAM]).permutation(len(groups))
    # The middle of each group in the row of all galaxies, as a share of them.
    middle = (np.cumsum(size[order]) - 0.5 * size[order]) / size.sum()
    side = np.empty(len(groups), dtype=np.int8)
    side[order] = np.searchsorted([train, train + validation], middle, side="right")
    return side[member_of]


def straddling(group_id: np.ndarray, split: np.ndarray) -> np.ndarray:
    """Ids (of groups, or of galaxies) that are on more than one side; empty as it should be.

    Parameters
    ----------
    group_id, split : ndarray, shape (N,)
    """
    pairs = np.unique(np.stack([group_id, split], axis=1), axis=0)
    ids, sides = np.unique(pairs[:, 0], return_counts=True)
    return ids[sides > 1]
