"""Apparent performance under a leak between training and test: two simple regressors with three ways to split.

In the authors' scripts the indices of the random split are computed and never used, so that every test galaxy was also
trained on. A milder and more common mistake is to split by *view*, so that other views of a test galaxy are in the
training set. Both are compared with the split by FoF group, on the galaxies that are not for the test: those are not
touched.
"""

from __future__ import annotations

import numpy as np

from . import assign
from .read import DataSet, ln_mass

#: Ways to split, with their labels in the figure.
WAYS = {"script": "all views are trained on (authors' script)", "view": "split by view", "group": "split by FoF group"}
REGRESSORS = ("nearest neighbour", "ridge")

#: Share of the views that train.
_TRAIN = 0.8

#: Penalty of the ridge regression on the squared coefficients, for features of unit variance; fixed, not tuned.
_PENALTY = 10.0


def ring_features(inputs: np.ndarray, n_rings: int = 8) -> np.ndarray:
    """Mean and root mean square of each channel in rings about the centre, which do not depend on the position angle.

    Parameters
    ----------
    inputs : ndarray, shape (n, y, x, channel)
        Normalised.
    n_rings : int
        Rings of equal width out to half the side.

    Returns
    -------
    ndarray, shape (n, 2 * n_rings * channel)
    """
    n, ny, nx, n_channels = inputs.shape
    y, x = np.indices((ny, nx))
    radius = np.hypot(y - (ny - 1) / 2, x - (nx - 1) / 2) / (0.5 * nx)
    ring = np.minimum((radius * n_rings).astype(int), n_rings).ravel()
    flat = inputs.reshape(n, -1, n_channels).astype(float)
    features = []
    for k in range(n_rings):
        inside = flat[:, ring == k]
        features += [inside.mean(axis=1), np.sqrt((inside**2).mean(axis=1))]
    return np.concatenate(features, axis=1)


def compare(
    x: np.ndarray, y: np.ndarray, group: np.ndarray, *, seed: int, repeats: int = 20
) -> dict[tuple[str, str], np.ndarray]:
    """Errors of both regressors, and of the mean of the training targets, under the three ways to split.

    Parameters
    ----------
    x : ndarray, shape (n, f)
        Features of each view.
    y : ndarray, shape (n, k)
        ln M; NaN is left out of the errors, and replaced by the training mean for fitting.
    group : ndarray of int, shape (n,)
        FoF group of each view's galaxy.
    seed, repeats : int
        The split is drawn anew this many times.

    Returns
    -------
    dict
        ``(way, regressor)`` -> root mean square error, shape (repeats, k). Regressors are `REGRESSORS` and ``mean``.
    """
    errors: dict[tuple[str, str], list[np.ndarray]] = {}
    for repeat in range(repeats):
        by_view, by_group = (
            assign(ids, seed=seed + 7919 * repeat, train=_TRAIN, validation=1.0 - _TRAIN, calibration=0.0) > 0
            for ids in (np.arange(len(x)), group)
        )
        ways = {"script": (by_view | True, by_view), "view": (~by_view, by_view), "group": (~by_group, by_group)}
        for way, (train, test) in ways.items():
            for name, predicted in _predict(x[train], y[train], x[test]).items():
                error = np.sqrt(np.nanmean((predicted - y[test]) ** 2, axis=0))
                errors.setdefault((way, name), []).append(error)
    return {key: np.array(values) for key, values in errors.items()}


def _predict(x: np.ndarray, y: np.ndarray, x_test: np.ndarray) -> dict[str, np.ndarray]:
    """Predictions for the rows `x_test` of everything that is compared; features are scaled by the training rows."""
    from sklearn.linear_model import Ridge
    from sklearn.neighbors import KNeighborsRegressor
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(x)
    mean = np.nanmean(y, axis=0)
    known = np.where(np.isfinite(y), y, mean)
    models = (KNeighborsRegressor(n_neighbors=1, algorithm="brute"), Ridge(alpha=_PENALTY, solver="cholesky"))
    predictions = {
        name: model.fit(scaler.transform(x), known).predict(scaler.transform(x_test))
        for name, model in zip(REGRESSORS, models, strict=True)
    }
    return {**predictions, "mean": np.broadcast_to(mean, (len(x_test), y.shape[1]))}


def demonstrate(
    dataset: DataSet, *, seed: int, repeats: int = 20, inputs: str = "all"
) -> dict[tuple[str, str], np.ndarray]:
    """`compare` on the views of the data set that are not for the test, with `inputs` as of `DataSet.channels`."""
    rows = np.setdiff1d(dataset.rows(), dataset.rows("test"))
    features = np.concatenate([ring_features(dataset.inputs(some, inputs)) for some in np.array_split(rows, 8)])
    group = np.asarray(dataset.table["group_id"])[rows]
    return compare(features, ln_mass(dataset.dm_profile[rows]), group, seed=seed, repeats=repeats)
