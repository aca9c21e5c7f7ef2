"""Does a method know that a galaxy is not from its universe? Distances from the training galaxies, and ROC curves.

An alarm uses nothing of a galaxy but what the method sees. It is judged by how well it tells the test galaxies of
another universe from those of the method's own: the area under its ROC curve is the probability that a galaxy of the
other lies further out than one of its own, 0.5 for an alarm that knows nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..bootstrap import Bootstrap, Estimate

#: Principal components in which distances are measured, and the neighbour to which.
COMPONENTS, NEIGHBOUR = 10, 5


def isolation(training: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """Distance of galaxies from the fifth nearest training galaxy.

    Parameters
    ----------
    training : ndarray, shape (n, f)
        Any description of the training galaxies; NaN counts as the mean.
    others : sequence of ndarray, shape (m, f)

    Returns
    -------
    ndarray, shape (len(others), m)
        In the space of the leading principal components, each in units of its scatter among the training galaxies.
    """
    # Two scalings: of the features, which have units of their own, and of the components.
    space = make_pipeline(
        SimpleImputer(keep_empty_features=True),
        StandardScaler(),
        PCA(min(COMPONENTS, *(size - 1 for size in training.shape)), svd_solver="full", whiten=True),
    ).fit(training)
    known = space.transform(training)
    k = min(NEIGHBOUR, len(known)) - 1
    return np.stack(
        [
            np.partition(np.linalg.norm(space.transform(some)[:, None] - known[None], axis=2), k, axis=1)[:, k]
            for some in others
        ]
    )


def roc_area(own: np.ndarray, other: np.ndarray) -> float:
    """Area under the ROC curve: probability that a value of `other` exceeds one of `own`, ties counted half."""
    ranks = rankdata(np.concatenate([own, other]))
    return float((ranks[len(own) :].sum() - 0.5 * len(other) * (len(other) + 1)) / (len(own) * len(other)))


def roc_curve(own: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true alarms, as shares of `own` and of `other`, for thresholds from the highest to the lowest."""
    thresholds = np.concatenate([[np.inf], np.sort(np.concatenate([own, other]))[::-1]])
    return (own >= thresholds[:, None]).mean(axis=1), (other >= thresholds[:, None]).mean(axis=1)


def area_of(own: np.ndarray, other: np.ndarray, galaxy: np.ndarray, *, draws: int = 200, seed: int = 1) -> Estimate:
    """`roc_area` with its error from a bootstrap over galaxies, which are the same in both universes."""
    counts = Bootstrap(galaxy, draws, seed).weights.astype(int)
    areas = np.array([roc_area(np.repeat(own, count), np.repeat(other, count)) for count in counts])
    low, high = np.percentile(areas[1:], [15.87, 84.13])
    return Estimate(areas[0], areas[1:].std(ddof=1), low, high)
