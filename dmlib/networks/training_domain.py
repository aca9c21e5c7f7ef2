"""Whether a galaxy lies within the domain of a network's training.

A network gives an answer for any input. Whether the answer means anything depends on whether the network has been
trained on such galaxies. We describe a galaxy's HI maps by a few numbers that an astronomer would measure, and compute
how far it lies from the training views in units of their own scatter (Mahalanobis 1936), and how far from its nearest
neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..dataset.read import DataSet
from ..errors import DmlibError

#: Numbers that describe the maps.
FEATURES = (
    *("log HI mass", "log area", "concentration", "velocity width"),
    *("dispersion", "peak density", "filling"),
)

#: The distance to this neighbour measures how isolated a galaxy is.
_NEAREST = 5


def features(maps: np.ndarray) -> np.ndarray:
    """Seven numbers of each view's HI maps.

    Parameters
    ----------
    maps : ndarray, shape (n, y, x, 3)
        Surface density [Msun/pc^2], velocity and dispersion [km/s], NaN where blank.

    Returns
    -------
    ndarray, shape (n, 7)
        In the order of `FEATURES`: log10 of the summed surface density, log10 of the number of detected pixels, share
        of the HI in the brightest tenth of the pixels, log10 of the width of velocities (5 to 95 per cent) [km/s],
        median dispersion [km/s], log10 of the 95th percentile of the density, and the fraction of the enclosing circle
        that is detected. NaN for views with fewer than ten detected pixels.
    """
    out = np.full((len(maps), len(FEATURES)), np.nan)
    for k, view in enumerate(np.asarray(maps, dtype=float)):
        seen = np.isfinite(view[..., 0])
        if seen.sum() < 10:
            continue
        density, velocity, dispersion = (view[..., c][seen] for c in range(3))
        ranked = np.sort(density)[::-1]
        y, x = np.nonzero(seen)
        reach = np.hypot(y - y.mean(), x - x.mean()).max() + 0.5
        out[k] = (
            np.log10(density.sum()),
            np.log10(seen.sum()),
            ranked[: max(1, len(ranked) // 10)].sum() / density.sum(),
            np.log10(np.ptp(np.percentile(velocity, [5, 95])) + 1.0),
            np.median(dispersion),
            np.log10(np.percentile(density, 95)),
            seen.sum() / (np.pi * reach**2),
        )
    return out


@dataclass(frozen=True)
class Placement:
    """Position of a galaxy relative to the training views.

    Parameters
    ----------
    train, one : ndarray, shape (n, 7) and (7,)
        Features, see `features`.
    distance, neighbour : float
        Mahalanobis distance from the mean of the training views, and distance to the fifth nearest of them, both in
        units of their scatter.
    beyond, beyond_neighbour : float
        Fraction of the training views that lie further out by the same measure: near 0 for a galaxy outside the domain,
        any value for one inside.
    """

    train: np.ndarray
    one: np.ndarray
    distance: float
    neighbour: float
    beyond: float
    beyond_neighbour: float

    @property
    def inside(self) -> bool:
        """Whether at least one training view in a hundred lies further out, by both measures."""
        return min(self.beyond, self.beyond_neighbour) >= 0.01


def place(train: np.ndarray, one: np.ndarray) -> Placement:
    """Compare one galaxy with the training views.

    Parameters
    ----------
    train : ndarray, shape (n, 7)
        Rows with NaN are left out.
    one : ndarray, shape (7,)

    Raises
    ------
    DmlibError
        When the galaxy, or too many of the training views, have no HI.
    """
    train = train[np.isfinite(train).all(axis=1)]
    if not np.isfinite(one).all() or len(train) <= 2 * train.shape[1]:
        raise DmlibError(
            f"the galaxy has no HI, or too few training views have ({len(train)}): there is nothing to compare."
        )
    mean, covariance = train.mean(axis=0), np.cov(train.T)
    root = np.linalg.cholesky(np.linalg.inv(covariance))
    white, point = (train - mean) @ root, (one - mean) @ root
    among = np.linalg.norm(white, axis=1)
    distance = float(np.linalg.norm(point))

    def far(x: np.ndarray, skip: int) -> float:
        return float(np.partition(np.linalg.norm(white - x, axis=1), _NEAREST - 1 + skip)[_NEAREST - 1 + skip])

    neighbour = far(point, 0)
    others = np.array([far(x, 1) for x in white])
    beyond, beyond_neighbour = float(np.mean(among > distance)), float(np.mean(others > neighbour))
    return Placement(train, one, distance, neighbour, beyond, beyond_neighbour)


def place_among_training(dataset: DataSet, maps: np.ndarray) -> Placement:
    """`place` for one galaxy's maps, shape (y, x, 3), and the training views of a data set."""
    rows = dataset.rows("train")
    train = np.concatenate([features(dataset.hi(rows[k : k + 200])) for k in range(0, len(rows), 200)])
    return place(train, features(maps[None])[0])
