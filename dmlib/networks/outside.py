"""Does a galaxy lie within what a network was trained on?

A network answers whatever it is asked. Whether the answer means anything depends on whether it has seen such galaxies.
We describe a galaxy's HI maps by a few numbers that an astronomer would look at, and ask how far it lies from the
training views in units of their own scatter (Mahalanobis 1936), and how far from its nearest neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..dataset.read import DataSet
from ..errors import DmlibError

#: What the maps are described by.
FEATURES = (
    "log HI mass",
    "log area",
    "concentration",
    "velocity width",
    "dispersion",
    "peak density",
    "filling",
)


def features(maps: np.ndarray) -> np.ndarray:
    """Seven numbers of each view's HI maps.

    Parameters
    ----------
    maps : ndarray, shape (n, y, x, 3)
        Surface density [Msun/pc^2], velocity and dispersion [km/s], NaN where blank.

    Returns
    -------
    ndarray, shape (n, 7)
        In the order of `FEATURES`: log10 of the summed surface density, log10 of the number of pixels seen, share of
        the HI in the brightest tenth of the pixels, log10 of the width of velocities (5 to 95 per cent) [km/s], median
        dispersion [km/s], log10 of the 95th percentile of the density, and the pixels seen over those of the circle
        that holds them. NaN where nothing is seen.
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
    """Where a galaxy lies among the training views.

    Parameters
    ----------
    train, one : ndarray, shape (n, 7) and (7,)
        Features, see `features`.
    distance, neighbour : float
        Mahalanobis distance from the mean of the training views, and distance to the fifth nearest of them, both in
        units of their scatter.
    beyond, beyond_neighbour : float
        Share of the training views that lie further out by the same measure. A galaxy like the others has any value;
        one that is outside has a share near 0.
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


def place(train: np.ndarray, one: np.ndarray, *, nearest: int = 5) -> Placement:
    """Compare one galaxy with the training views.

    Parameters
    ----------
    train : ndarray, shape (n, 7)
        Rows with NaN are left out.
    one : ndarray, shape (7,)
    nearest : int

    Raises
    ------
    DmlibError
        When the galaxy, or too many of the training views, show no HI.
    """
    train = train[np.isfinite(train).all(axis=1)]
    if not np.isfinite(one).all() or len(train) <= 2 * train.shape[1]:
        raise DmlibError(f"{len(train)} training views with HI, or a galaxy without: nothing can be compared")
    mean, covariance = train.mean(axis=0), np.cov(train.T)
    root = np.linalg.cholesky(np.linalg.inv(covariance))
    white, point = (train - mean) @ root, (one - mean) @ root
    among = np.linalg.norm(white, axis=1)
    distance = float(np.linalg.norm(point))

    def far(x: np.ndarray, skip: int) -> float:
        return float(np.partition(np.linalg.norm(white - x, axis=1), nearest - 1 + skip)[nearest - 1 + skip])

    neighbour = far(point, 0)
    others = np.array([far(x, 1) for x in white])
    beyond, beyond_neighbour = float(np.mean(among > distance)), float(np.mean(others > neighbour))
    return Placement(train, one, distance, neighbour, beyond, beyond_neighbour)


def place_among_training(dataset: DataSet, maps: np.ndarray) -> Placement:
    """`place` for one galaxy's maps, shape (y, x, 3), among the training side of a data set."""
    rows = dataset.rows("train")
    train = np.concatenate([features(dataset.hi(rows[k : k + 200])) for k in range(0, len(rows), 200)])
    return place(train, features(maps[None])[0])
