"""The plain predictions beside which a network has to stand.

Two know no galaxy: the mean training profile, and the authors' random draw. Two are regressions of ln M at the 20 radii
on catalogue-like observables (`dmlib.baselines.observables`): a linear formula and boosted trees. Penalty, leaves and
number of trees are chosen by cross-validation over training galaxies, FoF groups kept together. Learning rate, folds
and the number of final fits were set by hand for speed, with the test errors in view, which can only help these
opponents. Networks see the validation galaxies when they decide when to stop, so in this the regressions are at a
slight disadvantage.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from ..dataset.read import DataSet
from .observables import measure

#: Strengths of the ridge penalty that are tried, for observables of unit variance.
PENALTIES = tuple(np.geomspace(0.1, 1000.0, 17))

#: Leaves of a boosted tree that are tried: the more, the more observables can act together.
LEAVES = (3, 8)

#: What the trees start from: the mean, or the linear formula, of which they then learn the residuals.
STARTS = ("mean", "linear")

#: Trees at most, and how much of each is believed.
_TREES, _RATE = 80, 0.15

#: Boosted trees have one output: they predict this many principal components of the 20 radii.
_COMPONENTS = 4

_FOLDS = 3

_STREAM = 0x62617365  # so that no random stream is shared with anything else


@dataclass(frozen=True)
class Task:
    """What a plain prediction is given.

    Parameters
    ----------
    x : ndarray, shape (n, f)
        Observables of the training views; NaN where there are none.
    y : ndarray, shape (n, r)
        ln(M / Msun) of the training views, finite.
    group : ndarray of int, shape (n,)
        FoF group of each.
    asked : ndarray, shape (m, f)
        Observables of the views that are to be predicted.
    seed : int
    """

    x: np.ndarray
    y: np.ndarray
    group: np.ndarray
    asked: np.ndarray
    seed: int = 1


def task(
    dataset: DataSet,
    seed: int = 1,
    *,
    inputs: str = "all",
    train: np.ndarray | None = None,
    asked: np.ndarray | None = None,
) -> Task:
    """Measure the observables of a data set.

    Parameters
    ----------
    dataset : DataSet
    seed : int
    inputs : {"all", "photometry", "hi"}
    train, asked : ndarray of int, optional
        Rows to learn from and rows to predict; by default those for training and for the test.
    """
    train = dataset.rows("train") if train is None else np.asarray(train, dtype=int)
    asked = dataset.rows("test") if asked is None else np.asarray(asked, dtype=int)
    observables = measure(dataset, np.concatenate([train, asked]), inputs).values
    y = finite_ln(dataset.dm_profile[train])
    group = np.asarray(dataset.table["group_id"])[train]
    return Task(observables[: len(train)], y, group, observables[len(train) :], seed)


def finite_ln(mass: np.ndarray) -> np.ndarray:
    """Ln of masses; where no particle is counted, half of the least mass found at that radius stands in."""
    positive = np.where(mass > 0, mass, np.inf)
    least = np.min(positive, axis=0)
    least = np.where(np.isfinite(least), least, 2.0)
    return np.log(np.where(mass > 0, mass, 0.5 * least))


def mean(task: Task) -> np.ndarray:
    """The same for every galaxy: the mean of ln M of the training views, shape (m, r)."""
    return np.tile(task.y.mean(axis=0), (len(task.asked), 1))


def random(task: Task) -> np.ndarray:
    """The authors' random baseline, shape (m, r): at each radius a draw from N(mean, std) of the training's ln M.

    Radii are drawn independently, as in the scripts, so a drawn profile need not even rise with radius.
    """
    rng = np.random.default_rng([task.seed, _STREAM])
    return rng.normal(task.y.mean(axis=0), task.y.std(axis=0), (len(task.asked), task.y.shape[1]))


def linear(task: Task) -> np.ndarray:
    """Ridge regression of ln M on the (mostly logarithmic) observables, shape (m, r)."""
    return _fit_linear(task.x, task.y, task.group).predict(task.asked)


def boosted(task: Task) -> np.ndarray:
    """Gradient-boosted trees on the observables, shape (m, r).

    Trees predict the leading principal components of ln M, starting from the mean or from the linear formula. Start,
    leaves and the number of trees are those of the least cross-validated error; no trees at all is allowed, so the
    linear formula itself is among the candidates.
    """
    start, leaves, trees, _ = choose_boosting(task)
    base = _Base(start, task.x, task.y, task.group)
    if trees == 0:
        return base.predict(task.asked)
    pca, forests = _grow(task.x, task.y - base.training, leaves, trees, task.seed)
    parts = np.stack([forest.predict(task.asked) for forest in forests], axis=1)
    return base.predict(task.asked) + pca.inverse_transform(parts)


def choose_boosting(task: Task) -> tuple[str, int, int, np.ndarray]:
    """Hyper-parameters of `boosted` by cross-validation over training galaxies.

    Returns
    -------
    start : str
        One of `STARTS`.
    leaves : int
        One of `LEAVES`.
    trees : int
        For each principal component.
    errors : ndarray, shape (start, leaves, trees + 1)
        Cross-validated mean square errors of ln M.
    """
    errors = np.zeros((len(STARTS), len(LEAVES), _TREES + 1))
    for fit, held in _split(task.x, task.group):
        for i, start in enumerate(STARTS):
            base = _Base(start, task.x[fit], task.y[fit], task.group[fit])
            missing = task.y[held] - base.predict(task.x[held])
            for j, leaves in enumerate(LEAVES):
                pca, forests = _grow(task.x[fit], task.y[fit] - base.training, leaves, _TREES, task.seed)
                stages = np.stack([list(forest.staged_predict(task.x[held])) for forest in forests], axis=2)
                errors[i, j, 0] += (missing**2).sum()
                for k, parts in enumerate(stages):
                    errors[i, j, k + 1] += ((missing - pca.inverse_transform(parts)) ** 2).sum()
    errors /= task.y.size
    i, j, k = np.unravel_index(errors.argmin(), errors.shape)
    return STARTS[i], LEAVES[j], int(k), errors


class _Base:
    """What trees start from, fitted on some rows; `training` is what it says of those rows themselves.

    The linear formula answers for each training galaxy as fitted without it: its residuals on what it was fitted to
    would be smaller than those on new galaxies, and the trees would learn to correct too little.
    """

    def __init__(self, start: str, x: np.ndarray, y: np.ndarray, group: np.ndarray):
        if start == "mean":
            centre = y.mean(axis=0)
            self.predict = lambda asked: np.tile(centre, (len(asked), 1))
            self.training = self.predict(x)
            return
        self.predict = _fit_linear(x, y, group).predict
        self.training = np.empty_like(y)
        for fit, held in _split(x, group):
            self.training[held] = _fit_linear(x[fit], y[fit], group[fit]).predict(x[held])


def _fit_linear(x: np.ndarray, y: np.ndarray, group: np.ndarray) -> _Linear:
    errors = sum(_Linear(x[fit], y[fit]).errors(x[held], y[held]) for fit, held in _split(x, group))
    return _Linear(x, y, PENALTIES[int(errors.argmin())])


class _Linear:
    """Ridge regression by the eigenvectors of the observables' correlation: all penalties for the price of one."""

    def __init__(self, x: np.ndarray, y: np.ndarray, penalty: float = PENALTIES[0]):
        # A missing observable is replaced by the training mean; then all get unit variance.
        self.scale = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler()).fit(x)
        seen = self.scale.transform(x)
        self.centre, self.penalty = y.mean(axis=0), penalty
        self.eigenvalues, self.vectors = np.linalg.eigh(seen.T @ seen)
        self.projected = self.vectors.T @ (seen.T @ (y - self.centre))

    def predict(self, asked: np.ndarray, penalty: float | None = None) -> np.ndarray:
        strength = self.eigenvalues + (penalty or self.penalty)
        return self.centre + self.scale.transform(asked) @ (self.vectors @ (self.projected / strength[:, None]))

    def errors(self, asked: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.array([((self.predict(asked, penalty) - y) ** 2).sum() for penalty in PENALTIES])


def _grow(x: np.ndarray, y: np.ndarray, leaves: int, trees: int, seed: int) -> tuple[PCA, list]:
    pca = PCA(min(_COMPONENTS, *y.shape), svd_solver="full").fit(y)
    parts = pca.transform(y)
    common = {
        "max_iter": trees,
        "learning_rate": _RATE,
        "max_leaf_nodes": leaves,
        "min_samples_leaf": min(20, max(2, len(x) // 10)),
        "l2_regularization": 1.0,
        "early_stopping": False,
        "max_bins": 63,
        "random_state": seed,
    }
    # So small a task is slower on two threads than on one, and by a factor of 200 where another process keeps one busy.
    with warnings.catch_warnings(), threadpool_limits(1):
        # A column without any value (no HI in a tiny sample) is not split on; that needs no warning.
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        return pca, [HistGradientBoostingRegressor(**common).fit(x, part) for part in parts.T]


def _split(x: np.ndarray, group: np.ndarray):
    return GroupKFold(min(_FOLDS, len(np.unique(group)))).split(x, groups=group)
