"""Learning from examples in a few lines of numpy: fitting, gradient descent, overfitting and its remedies.

All models here are linear formulas of features, so that the best fit is known and each method can be checked against
it. The concepts (a loss, its gradient, a validation set, early stopping) are the same for a network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from astropy.table import QTable
from numpy.polynomial import legendre

from ..bootstrap import resample
from ..dataset import SPLITS
from ..dataset.read import DataSet, ln_mass
from ..errors import DmlibError

#: Properties that a survey could measure, as columns of `Galaxies.properties`; all are decimal logarithms.
PROPERTIES = ("m_star", "r_half_star", "sfr", "m_hi")

#: HI mass assigned to a galaxy without detected HI, below that of any detection [Msun].
HI_FLOOR = 1e7

#: Rows of the fit, and the others.
Split = tuple[np.ndarray, np.ndarray]

#: Root mean square errors on the rows of the fit, and on the others.
Errors = tuple[np.ndarray, np.ndarray]

#: From the rows of a fit to predictions for all rows, one for each formula.
Formulas = Callable[[np.ndarray], Iterable[np.ndarray]]


class LearningError(DmlibError):
    """An experiment needs more galaxies or more steps."""


@dataclass(frozen=True)
class Galaxies:
    """Inputs and targets, one row for each galaxy.

    Parameters
    ----------
    properties : ndarray, shape (n, 4)
        Decimal logarithms of `PROPERTIES`: stellar mass [Msun], stellar half-mass radius [kpc], star formation rate
        [Msun/yr] (all from the catalogue), HI mass in the maps, mean of the views [Msun].
    ln_m_dm : ndarray, shape (n, 20)
        ln of the dark mass within each radius [Msun].
    radii : ndarray, shape (20,)
        [kpc]
    side : ndarray of int, shape (n,)
        Code of the data set's own split, see `dmlib.dataset.SPLITS`.
    group_id : ndarray of int, shape (n,)
    is_central : ndarray of bool, shape (n,)
        Whether the galaxy is the first subhalo of its group.
    """

    properties: np.ndarray
    ln_m_dm: np.ndarray
    radii: np.ndarray
    side: np.ndarray
    group_id: np.ndarray
    is_central: np.ndarray

    @classmethod
    def of(cls, sample: QTable, dataset: DataSet) -> Galaxies:
        """Collect the galaxies of the data set with their properties in the sample.

        Galaxies without a particle within some radius are left out: the logarithm of zero cannot be fitted.
        """
        views = np.asarray(dataset.table["subhalo_id"])
        ids, first = np.unique(views, return_index=True)
        _, rows, _ = np.intersect1d(sample["subhalo_id"], ids, return_indices=True)
        m_hi = np.array([dataset.table["m_hi"][views == id].value.mean() for id in ids])
        columns = [sample[name][rows].value for name in PROPERTIES[:3]]
        ln_m = ln_mass(dataset.dm_profile[first])
        whole = np.isfinite(ln_m).all(axis=1)
        return cls(
            properties=np.log10(np.stack([*columns, np.maximum(m_hi, HI_FLOOR)], axis=1))[whole],
            ln_m_dm=ln_m[whole],
            radii=dataset.radii,
            side=np.asarray(dataset.table["split"])[first][whole].astype(int),
            group_id=np.asarray(dataset.table["group_id"])[first][whole],
            is_central=np.asarray(dataset.table["is_true_central"], dtype=bool)[first][whole],
        )

    def column(self, name: str) -> np.ndarray:
        """One property, shape (n,)."""
        return self.properties[:, PROPERTIES.index(name)]

    def rows(self, split: str) -> np.ndarray:
        """Rows of one part of the split, for example ``train``."""
        return np.flatnonzero(self.side == SPLITS[split])


def standardise(values: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Shift and scale values as gives the *training* rows mean 0 and spread 1; both have shape (n, ...)."""
    spread = training.std(axis=0)
    return (values - training.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def rms(difference: np.ndarray) -> np.ndarray:
    """Root mean square."""
    return np.sqrt(np.mean(np.square(difference)))


def with_constant(x: np.ndarray) -> np.ndarray:
    """Features of a linear formula: a column of ones, then x of shape (n,) or (n, f)."""
    return np.column_stack([np.ones(len(x)), x])


def polynomials(x: np.ndarray, degree: int, span: tuple[float, float]) -> np.ndarray:
    """Legendre polynomials up to a degree, shape (n, degree + 1); `span` is mapped to -1 .. 1.

    Any polynomial is a weighted sum of these; unlike the powers of x they are nearly independent of each other, which
    avoids rounding errors.
    """
    low, high = span
    return legendre.legvander(2.0 * (x - low) / (high - low) - 1.0, degree)


def fit(features: np.ndarray, y: np.ndarray, strength: float = 0.0) -> np.ndarray:
    """Weights that minimise the mean squared error plus `strength` times the sum of the squared weights (ridge).

    Parameters
    ----------
    features : ndarray, shape (n, f)
        The first column is the constant, whose weight is not penalised.
    y : ndarray, shape (n,) or (n, k)
    strength : float
        Of the penalty; 0 for plain least squares.

    Returns
    -------
    ndarray, shape (f,) or (f, k)
    """
    if strength == 0.0:
        return np.linalg.lstsq(features, y, rcond=None)[0]
    penalty = strength * np.eye(features.shape[1])
    penalty[0, 0] = 0.0
    return np.linalg.solve(features.T @ features / len(features) + penalty, features.T @ y / len(features))


def loss(features: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean squared error for each of many sets of weights, shape (...,); weights have shape (..., f)."""
    return np.mean((weights @ features.T - y) ** 2, axis=-1)


def gradient(features: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Gradient of the mean squared error with respect to the weights, shape (f,)."""
    return 2.0 * features.T @ (features @ weights - y) / len(y)


def descend(
    features: np.ndarray,
    y: np.ndarray,
    *,
    rate: float,
    steps: int,
    start: np.ndarray | None = None,
    batch: int | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Gradient descent: repeated steps down the gradient of the loss.

    Parameters
    ----------
    features, y : ndarray, shapes (n, f) and (n,)
    rate : float
        Learning rate: the step is this times the gradient.
    steps : int
    start : ndarray, shape (f,), optional
        First weights; zero when omitted.
    batch : int, optional
        Number of rows, drawn anew at each step, from which the gradient is estimated; all rows when omitted.
    seed : int
        Of the draws.

    Returns
    -------
    ndarray, shape (steps + 1, f)
        The path, its start included.
    """
    rng = np.random.default_rng(seed)
    weights = np.zeros(features.shape[1]) if start is None else np.asarray(start, dtype=float)
    path = [weights]
    for _ in range(steps):
        rows = slice(None) if batch is None else rng.choice(len(y), size=min(batch, len(y)), replace=False)
        weights = weights - rate * gradient(features[rows], y[rows], weights)
        path.append(weights)
    return np.array(path)


def largest_rate(features: np.ndarray) -> float:
    """Learning rate beyond which gradient descent diverges: 2 / the largest curvature of the loss."""
    return float(1.0 / np.linalg.eigvalsh(features.T @ features / len(features))[-1])


def steps_until(losses: np.ndarray, goal: float) -> int:
    """First step at which the loss is at or below `goal`.

    Raises
    ------
    LearningError
        When it never is.
    """
    reached = np.flatnonzero(losses <= goal)
    if not len(reached):
        raise LearningError(f"the loss did not reach {goal:.4g} in {len(losses) - 1} steps: take more steps")
    return int(reached[0])


def one_per_group(galaxies: Galaxies) -> np.ndarray:
    """Rows for experiments: one galaxy of each group, none of the test."""
    allowed = np.flatnonzero(galaxies.side != SPLITS["test"])
    return allowed[np.unique(galaxies.group_id[allowed], return_index=True)[1]]


def draw(n_rows: int, n_train: int, repeats: int, seed: int) -> list[Split]:
    """Draw several random divisions of the rows into a few for training and the rest.

    Raises
    ------
    LearningError
        When fewer than two would be left.
    """
    if not 1 < n_train <= n_rows - 2:
        raise LearningError(f"{n_train} galaxies cannot be drawn from {n_rows} with two left over: draw fewer")
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(n_rows) for _ in range(repeats)]
    return [(order[:n_train], order[n_train:]) for order in orders]


def flexibility(x: np.ndarray, y: np.ndarray, splits: Sequence[Split], degrees: Sequence[int]) -> Errors:
    """Errors of polynomials of several degrees, each fitted to a few rows and tested on the rest.

    Returns
    -------
    seen, unseen : ndarray, shape (splits, degrees)
    """
    return _errors(y, splits, _polynomial_fits(x, y, degrees))


def penalties(x: np.ndarray, y: np.ndarray, splits: Sequence[Split], degree: int, strengths: Sequence[float]) -> Errors:
    """As `flexibility`, for one degree and several strengths of the penalty."""
    features = polynomials(x, degree, (x.min(), x.max()))

    def predictions(train: np.ndarray) -> Iterable[np.ndarray]:
        centre = y[train].mean()
        return (features @ fit(features[train], y[train] - centre, strength) + centre for strength in strengths)

    return _errors(y, splits, predictions)


def stopping(x: np.ndarray, y: np.ndarray, splits: Sequence[Split], degree: int, steps: Sequence[int]) -> Errors:
    """As `flexibility`, for one degree, along gradient descent from zero: errors after each number of `steps`.

    The path of gradient descent on a mean squared error is known in closed form in the directions in which the
    features are independent (the eigenvectors of their covariance), so the steps need not be taken one by one.
    """
    features = polynomials(x, degree, (x.min(), x.max()))

    def predictions(train: np.ndarray) -> Iterable[np.ndarray]:
        centre = y[train].mean()
        size, axes = np.linalg.eigh(features[train].T @ features[train] / len(train))
        size = np.maximum(size, 0.0)
        slope = axes.T @ features[train].T @ (y[train] - centre) / len(train)
        rate = 0.5 / size[-1]
        for step in steps:
            # After s steps a weight is (1 - (1 - 2 rate size)^s) of its value in least squares.
            done = -np.expm1(step * np.log1p(-np.minimum(2.0 * rate * size, 1.0 - 1e-12)))
            moved = np.where(size > 1e-12, done / np.maximum(size, 1e-12), 2.0 * rate * step)
            yield features @ (axes @ (moved * slope)) + centre

    return _errors(y, splits, predictions)


def more_examples(
    x: np.ndarray, y: np.ndarray, splits: Sequence[Split], sizes: Sequence[int], degrees: Sequence[int]
) -> Errors:
    """Learning curves: as `flexibility` for several numbers of training rows, shape (degree, size, split) each.

    They are the first of each split, whose other part is only used for testing: the curves differ in training alone.
    """
    formulas = _polynomial_fits(x, y, degrees)
    errors = [_errors(y, [(pool[:size], rest) for pool, rest in splits], formulas) for size in sizes]
    seen, unseen = np.array(errors).transpose(1, 3, 0, 2)
    return seen, unseen


def _polynomial_fits(x: np.ndarray, y: np.ndarray, degrees: Sequence[int]) -> Formulas:
    """Least-squares polynomials of each degree."""
    features = [polynomials(x, degree, (x.min(), x.max())) for degree in degrees]
    return lambda train: (f @ fit(f[train], y[train]) for f in features)


def _errors(y: np.ndarray, splits: Sequence[Split], formulas: Formulas) -> Errors:
    """Errors on the rows of the fit and on the others, shape (splits, formulas) each."""
    errors = [[[rms((p - y)[rows]) for rows in split] for p in formulas(split[0])] for split in splits]
    seen, unseen = np.moveaxis(np.array(errors), -1, 0)
    return seen, unseen


def bootstrap_rms(difference: np.ndarray, *, seed: int, draws: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Root mean square over galaxies with its standard error, by bootstrap over galaxies.

    Parameters
    ----------
    difference : ndarray, shape (n, k)

    Returns
    -------
    value, error : ndarray, shape (k,)
    """
    squares = difference**2
    again = resample(lambda rows: np.sqrt(squares[rows].mean(axis=0)), len(squares), seed=seed, draws=draws)
    return np.sqrt(squares.mean(axis=0)), np.std(again, axis=0, ddof=1)
