"""Plain predictions of the dark-matter profile, without any network: what a network has to outperform.

Two do not depend on the galaxy: the mean training profile, and the authors' random draw. Two are regressions of ln M at
the 20 radii on catalogue-like observables (`dmlib.baselines.observables`): a linear formula and boosted trees. Penalty,
start and number of trees are chosen by cross-validation over training galaxies, with FoF groups kept together. Leaves,
learning rate and folds were set by hand for speed, knowing the test errors, which can only favour these baselines.
Networks use the validation galaxies to decide when to stop, the regressions do not, which is a slight disadvantage.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from ..dataset.read import DataSet
from .observables import Inputs, joined, measure

#: Strengths of the ridge penalty that are tried, for observables of unit variance.
PENALTIES = tuple(np.geomspace(0.1, 1000.0, 17))

#: Start of the boosting: the mean, or the linear formula, whose residuals the trees then learn.
STARTS = ("mean", "linear")

#: Leaves of a boosted tree and largest number of trees, for fewer than `_MANY` training views and for more. At profile
#: `quick` at most 34 trees of eight leaves are chosen; trees of three, of which three times as many are needed, have
#: the same cross-validated error to half a per cent. Of the 90 galaxies of chapter 19 they erred less, by 1.5 sigma.
_SIZES, _MANY = ((3, 80), (8, 50)), 300

_RATE = 0.15  # of learning

#: A boosted tree has one output: this many principal components of the 20 radii are predicted.
_COMPONENTS = 4

_FOLDS = 3

_STREAM = 0x62617365  # a random stream of its own


@dataclass(frozen=True)
class Task:
    """Data for a plain prediction.

    Parameters
    ----------
    x : ndarray, shape (n, f)
        Observables of the training views; NaN where there are none.
    y : ndarray, shape (n, r)
        ln(M / Msun) of the training views, finite.
    group : ndarray of int, shape (n,)
        FoF group of each training view.
    test : ndarray, shape (m, f)
        Observables of the views to be predicted.
    seed : int
    """

    x: np.ndarray
    y: np.ndarray
    group: np.ndarray
    test: np.ndarray
    seed: int = 1


def make_tasks(dataset: DataSet, rows: np.ndarray, seed: int = 1) -> dict[Inputs, Task]:
    """Measure the observables of the training views and of some other views of a data set.

    Parameters
    ----------
    dataset : DataSet
    rows : ndarray of int, shape (m,)
        Views to be predicted.
    seed : int

    Returns
    -------
    dict of Task
        One for each set of inputs.
    """
    train = dataset.rows("train")
    views = np.concatenate([train, rows])
    light, gas = measure(dataset, views, "photometry"), measure(dataset, views, "hi")
    found: dict[Inputs, dict[str, np.ndarray]] = {"all": joined(light, gas), "photometry": light, "hi": gas}
    y, group = finite_ln(dataset.dm_profile[train]), np.asarray(dataset.table["group_id"])[train]
    tasks = {}
    for inputs, columns in found.items():
        values = np.stack(list(columns.values()), axis=1)
        tasks[inputs] = Task(values[: len(train)], y, group, values[len(train) :], seed)
    return tasks


def finite_ln(mass: np.ndarray) -> np.ndarray:
    """Logarithm of masses; where there is no particle, half of the smallest mass at that radius is used."""
    least = np.min(mass, axis=0, where=mass > 0, initial=np.inf)
    return np.log(np.where(mass > 0, mass, np.where(np.isfinite(least), 0.5 * least, 1.0)))


def mean(task: Task) -> np.ndarray:
    """Mean of ln M of the training views, for every galaxy the same, shape (m, r)."""
    return np.tile(task.y.mean(axis=0), (len(task.test), 1))


def random(task: Task) -> np.ndarray:
    """The authors' random baseline, shape (m, r): at each radius a draw from N(mean, std) of the training's ln M.

    Radii are drawn independently, as in the scripts, so a profile need not even rise with radius.
    """
    rng = np.random.default_rng([task.seed, _STREAM])
    return rng.normal(task.y.mean(axis=0), task.y.std(axis=0), (len(task.test), task.y.shape[1]))


def linear(task: Task) -> np.ndarray:
    """Ridge regression of ln M on the (mostly logarithmic) observables, shape (m, r)."""
    return _fit_linear(task.x, task.y, task.group).predict(task.test)


def boosted(task: Task, choice: tuple[str, int] | None = None) -> np.ndarray:
    """Gradient-boosted trees on the observables, shape (m, r).

    Trees predict the leading principal components of ln M, starting from the mean or from the linear formula. Start and
    number of trees are those with the smallest cross-validated error; zero trees are allowed, so the linear formula
    itself is among the candidates.

    Parameters
    ----------
    task : Task
    choice : tuple, optional
        Start and number of trees; default `choose_boosting`, which takes nearly all of the time.
    """
    start, trees = choice or choose_boosting(task)
    leaves, _ = _size(task)
    predict, training = _start(start, task.x, task.y, task.group)
    predicted = predict(task.test)
    if trees == 0:
        return predicted
    pca, forests = _grow(task.x, task.y - training, leaves, trees, task.seed)
    return predicted + pca.inverse_transform(np.stack([forest.predict(task.test) for forest in forests], axis=1))


def choose_boosting(task: Task) -> tuple[str, int]:
    """Hyper-parameters of `boosted` by cross-validation over training galaxies.

    Returns
    -------
    start : str
        One of `STARTS`.
    trees : int
        For each principal component.
    """
    leaves, most = _size(task)
    errors = np.zeros((len(STARTS), most + 1))
    for fit, held in _split(task.x, task.group):
        for i, start in enumerate(STARTS):
            predict, training = _start(start, task.x[fit], task.y[fit], task.group[fit])
            residual = task.y[held] - predict(task.x[held])
            pca, forests = _grow(task.x[fit], task.y[fit] - training, leaves, most, task.seed)
            stages = np.stack([list(forest.staged_predict(task.x[held])) for forest in forests], axis=2)
            left = (residual - pca.inverse_transform(parts) for parts in stages)
            errors[i] += [(values**2).sum() for values in (residual, *left)]
    best = np.unravel_index(errors.argmin(), errors.shape)
    return STARTS[best[0]], int(best[1])


#: Name -> function from a `Task` to ln M, from the least informed to the best.
BASELINES: Mapping[str, Callable[[Task], np.ndarray]] = {
    function.__name__: function for function in (random, mean, linear, boosted)
}

#: Those that use the galaxy's observables.
REGRESSIONS = ("linear", "boosted")


def _start(
    start: str, x: np.ndarray, y: np.ndarray, group: np.ndarray
) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]:
    """Start of the boosting: a function of the observables, and its values for the training views.

    The linear formula predicts each training galaxy from a fit without it: residuals of the galaxies that it was fitted
    to would be smaller than those of new galaxies, and the trees would learn to correct too little.
    """
    if start == "mean":
        centre = y.mean(axis=0)
        return lambda some: np.tile(centre, (len(some), 1)), np.tile(centre, (len(x), 1))
    training = np.empty_like(y)
    for fit, held in _split(x, group):
        training[held] = _fit_linear(x[fit], y[fit], group[fit]).predict(x[held])
    return _fit_linear(x, y, group).predict, training


def _fit_linear(x: np.ndarray, y: np.ndarray, group: np.ndarray) -> Pipeline:
    """Ridge regression with the penalty of the smallest cross-validated error."""
    errors = np.zeros(len(PENALTIES))
    for fit, held in _split(x, group):
        scale = _scale().fit(x[fit])
        seen, unseen = scale.transform(x[fit]), scale.transform(x[held])
        # `Ridge` for every penalty, from one decomposition.
        centre, mean = seen.mean(axis=0), y[fit].mean(axis=0)
        seen, unseen = seen - centre, unseen - centre
        values, axes = np.linalg.eigh(seen.T @ seen)
        ahead, known = unseen @ axes, axes.T @ (seen.T @ (y[fit] - mean))
        for k, penalty in enumerate(PENALTIES):
            predicted = mean + ahead @ (known / (values + penalty)[:, None])
            errors[k] += ((predicted - y[held]) ** 2).sum()
    return make_pipeline(_scale(), Ridge(PENALTIES[errors.argmin()])).fit(x, y)


def _scale() -> Pipeline:
    """Replace missing observables by the training mean, and give all of them unit variance."""
    return make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())


def _size(task: Task) -> tuple[int, int]:
    return _SIZES[len(task.x) >= _MANY]


def _grow(
    x: np.ndarray, y: np.ndarray, leaves: int, trees: int, seed: int
) -> tuple[PCA, list[HistGradientBoostingRegressor]]:
    pca = PCA(min(_COMPONENTS, *y.shape), svd_solver="full").fit(y)
    options = {"max_iter": trees, "learning_rate": _RATE, "max_leaf_nodes": leaves, "random_state": seed}
    options |= {"min_samples_leaf": min(20, max(2, len(x) // 10)), "l2_regularization": 1.0, "max_bins": 63}
    # So small a task is slower on two threads than on one, by a factor of 200 where another process uses one of them.
    with warnings.catch_warnings(), threadpool_limits(1):
        # A column without any value (no HI in a tiny sample) is not split on; that needs no warning.
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        return pca, [
            HistGradientBoostingRegressor(early_stopping=False, **options).fit(x, part) for part in pca.transform(y).T
        ]


def _split(x: np.ndarray, group: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return GroupKFold(min(_FOLDS, len(np.unique(group)))).split(x, groups=group)
