"""The information floor of the embedded universe: the error of an observer who knows how its galaxies were drawn.

The generator draws each galaxy from relations with scatter, so even somebody who knew every property of a galaxy's
stars and gas exactly could not tell its dark matter exactly. The floor is the error of a regression of ln M_DM(<R) on
the generator's own numbers (quadratic, with a penalty, and boosted trees on what it leaves), trained on thousands of
galaxies that the same generator draws with other seeds, and applied to the test galaxies of the data set.

Two kinds of observers are considered, for starlight, HI and both.

- ``noise-free``: sees the true numbers. From starlight these are `LIGHT`, from HI `GAS` and the circular speed out to
  the HI radius, where 21-cm emission ends; from both also the mass that stars and gas contribute to that speed.
- ``observed``: sees what images and maps allow. The accuracy to which each number can be read off the views is
  *measured*: it is regressed on the observables of `dmlib.baselines.observables` (cross-validated on the galaxies for
  training and validation), and the covariance of the residuals is the error that is added. The same holds for the
  inclination, by which speeds are divided. Speeds are averaged over the beam and have `MOTIONS` of scatter besides,
  since gas does not move on circles.

Both also see the other galaxies of the group that lie in the field, with their true mass and projected distance
(`NEIGHBOURS`): a host in the image of its satellite tells what the target contains beyond some 30 kpc. How deep it lies
along the line of sight no image shows, and a host outside the field is unknown.

The floor bounds what this regression can know from these numbers. As an estimate of the least attainable error it is
an upper one: another regression, or information outside the list, can only lower it. Circular speeds that are known
exactly but for `MOTIONS`, and masses of neighbours that are known exactly, work the other way in ``observed``. The
regression gives the mean of ln M, which is not the prediction of the least mean |dM/M| where errors are large.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from astropy import units as u
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from threadpoolctl import threadpool_limits

from .. import embedded
from ..bootstrap import Estimate
from ..dataset.read import read_dataset
from ..files import atomic_path, open_product, store
from ..observe.sky import lines_of_sight
from ..settings import Settings
from ..workers import map_parallel
from .observers import GAS, LIGHT, Galaxies, Task, galaxies, ln_sine_of, measure_sight, noise_free, observed
from .scores import Scores

#: What the observers see, in the order of the book.
INPUTS = ("photometry", "hi", "all")

#: How well they see it.
KINDS = ("noise-free", "observed")

#: Galaxies that are drawn to learn from, and views of each, in which its neighbours lie elsewhere. With 2,100 of them
#: the observer that sees satellites with noise errs more: trees of the data set are then better by 0.09 ± 0.03.
TRAINING, VIEWS = {"smoke": 240, "quick": 2800, "paper": 4000}, 3

#: Shares of the drawn galaxies in the learning curve; the last point is all of them.
_SHARES = (0.5, 1.0)

#: Principal components that trees predict.
_COMPONENTS = 4

#: Penalties of the formulae, and weights of their squares and products beside the features, that are tried.
_PENALTIES = np.geomspace(1e-1, 1e5, 13)
_WEIGHTS = (0.1, 0.3, 1.0)

_STREAM = 0x666C6F6F  # a random stream of its own


@dataclass(frozen=True)
class Floor:
    """What ideal observers predict for the test views.

    Parameters
    ----------
    radii : ndarray, shape (r,)
        [kpc]
    truth : ndarray, shape (n, r)
        Target of the data set, counted in particles [Msun].
    subhalo_id : ndarray of int, shape (n,)
    masses : dict
        ``floor/<inputs>/<kind>`` -> prediction, shape (n, r) [Msun]; see `INPUTS` and `KINDS`.
    numbers : ndarray of int, shape (k,)
        Galaxies learned from, for the learning curve.
    learning : dict
        ``floor/<inputs>/<kind>`` -> mean |dM/M| from 5 to 50 kpc for each of `numbers`, shape (k,).
    open_share : dict
        Property, of `LIGHT` and `GAS` -> fraction of its variance that the views leave open.
    """

    radii: np.ndarray
    truth: np.ndarray
    subhalo_id: np.ndarray
    masses: dict[str, np.ndarray]
    numbers: np.ndarray
    learning: dict[str, np.ndarray]
    open_share: dict[str, float]

    def scores(self, *, where: np.ndarray | None = None, seed: int = 1) -> Scores:
        """Errors of the observers on some of the test views, with the bootstrap of their galaxies."""
        some = slice(None) if where is None else np.asarray(where, dtype=bool)
        masses = {name: mass[some] for name, mass in self.masses.items()}
        return Scores(self.radii, self.truth[some], masses, self.subhalo_id[some], seed=seed)

    def error(
        self, inputs: str = "all", kind: str = "observed", *, where: np.ndarray | None = None, root: bool = False
    ) -> Estimate:
        """Mean |dM/M| at each radius, or with `root` the talk's Delta_MSE, over some of the test views."""
        return self.scores(where=where).at_radii(
            f"floor/{inputs}/{kind}", "relative2" if root else "relative", root=root
        )


def _draw(again: int, settings: Settings, radii: np.ndarray, field: float) -> tuple[int, Galaxies]:
    drawn = embedded.population(settings, again)
    ids = embedded.selected(drawn, settings.selection)
    views = [[view.rotation for view in lines_of_sight(i, None, VIEWS, seed=drawn.seed)] for i in ids]
    return again, galaxies(drawn, ids, radii, np.array(views), field)


def training_galaxies(settings: Settings, radii: np.ndarray, field: float) -> Galaxies:
    """Galaxies of the same generator that are in no data set, `TRAINING` of them, each in `VIEWS` views of a field."""
    wanted = TRAINING[settings.profile]
    runs = range(1, 1 + max(1, round(wanted / settings.sizes.n_galaxies)))
    work = partial(_draw, settings=settings, radii=radii, field=field)
    found = sorted(map_parallel(work, runs, memory=1e9, what="drew galaxies for the floor"), key=lambda each: each[0])
    return Galaxies.joined([some for _, some in found])


def learn(train: Task, ln_m: np.ndarray, test: Task, seed: int = 1) -> np.ndarray:
    """Predicted ln M of the test views, shape (m, r).

    A quadratic formula for ln M, or for its departure from what the curve says, whichever is better at a radius; and
    boosted trees on what it leaves, which also see the neighbours, where cross-validation prefers them. All choices are
    made on the training galaxies. These have several views, of which the formula needs one.

    Parameters
    ----------
    train, test : Task
    ln_m : ndarray, shape (n, r)
        Of the training galaxies.
    seed : int
        Of the trees.
    """
    low, high = train.x.min(axis=0), train.x.max(axis=0)
    x = np.clip(test.x, low, high)  # squares must not run away outside of what was learned from
    if train.start.any():
        # Both at once: most of the time goes into what depends on the features alone.
        both = quadratic(train.x, np.concatenate([ln_m, ln_m - train.start], axis=1), x)
        (left, departed), (predicted, more) = (np.split(values, 2, axis=1) for values in both)
        better = (departed**2).mean(axis=0) < (left**2).mean(axis=0)
        left, predicted = np.where(better, departed, left), np.where(better, more + test.start, predicted)
    else:
        left, predicted = quadratic(train.x, ln_m, x)
    every, ahead = _in_view(train), _in_view(Task(x, test.start, test.near))
    each = np.repeat(np.arange(len(left)), train.near.shape[1])
    half = each % 2 == 0
    corrected = left[each[~half]] - _trees(every[half], left[each[half]], every[~half], seed)
    better = (corrected**2).mean() < (left[1::2] ** 2).mean()
    return predicted + _trees(every, left[each], ahead, seed) if better else predicted


def _in_view(task: Task) -> np.ndarray:
    """Features of all views, with the neighbours, shape (n v, f + g)."""
    views = task.near.shape[1]
    return np.concatenate([np.repeat(task.x, views, axis=0), task.near.reshape(len(task.x) * views, -1)], axis=1)


def quadratic(x: np.ndarray, y: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ridge regression on features, their squares and products, with its error for each galaxy left out.

    The penalty, and the weight of squares and products beside the features, are those of the smallest error of
    galaxies left out, for each column of y. Squares and products are drawn towards their mean where a row of `test` has
    a larger leverage than any of `x`. Such a galaxy lies within the range of each feature, but is unlike all that were
    learned from, and products extrapolate wildly: a single one can make most of the error of an observer without noise.

    Parameters
    ----------
    x, y, test : ndarray, shapes (n, f), (n, r), (m, f)

    Returns
    -------
    left : ndarray, shape (n, r)
        y less the prediction of a fit without that galaxy.
    predicted : ndarray, shape (m, r)
    """
    expand = make_pipeline(StandardScaler(), PolynomialFeatures(2, include_bias=False), StandardScaler()).fit(x)
    every, other, mean = expand.transform(x), expand.transform(test), y.mean(axis=0)
    least = np.full(y.shape[1], np.inf)
    left, predicted = np.empty_like(y), np.empty((len(test), y.shape[1]))
    for weight in _WEIGHTS:
        scale = np.where(np.arange(every.shape[1]) < x.shape[1], 1.0, weight)
        scaled = every * scale
        values, vectors = np.linalg.eigh(scaled.T @ scaled)
        turned, ahead = scaled @ vectors, (other * scale) @ vectors
        projected, squares, further = turned.T @ (y - mean), turned**2, ahead**2
        linear, products = np.split(other * scale, [x.shape[1]], axis=1)
        for penalty in _PENALTIES:
            shrunk = 1.0 / (np.maximum(values, 0.0) + penalty)
            leverage, beyond = squares @ shrunk, further @ shrunk
            misses = (y - mean - turned @ (shrunk[:, None] * projected)) / (1.0 - leverage - 1.0 / len(x))[:, None]
            error = (misses**2).mean(axis=0)
            best = error < least
            least[best], left[:, best] = error[best], misses[:, best]
            slopes, curvatures = np.split(vectors @ (shrunk[:, None] * projected[:, best]), [x.shape[1]])
            inside = np.sqrt(leverage.max() / np.maximum(beyond, leverage.max()))[:, None]
            predicted[:, best] = mean[best] + linear @ slopes + inside * (products @ curvatures)
    return left, predicted


def _trees(x: np.ndarray, y: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """Boosted trees on the leading principal components of y."""
    pca = PCA(min(_COMPONENTS, *y.shape)).fit(y)
    options = {"max_iter": 60, "learning_rate": 0.08, "max_leaf_nodes": 8, "min_samples_leaf": min(90, len(x) // 5)}
    with threadpool_limits(1):
        parts = [
            HistGradientBoostingRegressor(max_bins=63, early_stopping=False, random_state=seed, **options)
            .fit(x, part)
            .predict(test)
            for part in pca.transform(y).T
        ]
    return pca.inverse_transform(np.stack(parts, axis=1))


def build(settings: Settings) -> None:
    """Make the product "floor", ``floor.hdf5``.

    Raises
    ------
    DatasetError
        When the data set cannot be read.
    """
    dataset = read_dataset(settings.dataset_path)
    drawn, radii, rows = embedded.population(settings), dataset.radii, dataset.rows("test")
    field = dataset.grid.field_of_view
    train = training_galaxies(settings, radii, field)
    sight = measure_sight(dataset, drawn, train)
    ids = np.asarray(dataset.table["subhalo_id"])[rows]
    test = galaxies(drawn, ids, radii, dataset.rotation(rows)[:, None], field)
    rng = np.random.default_rng([settings.seed, _STREAM])
    isotropic = ln_sine_of(np.arccos(rng.random(len(train))) * u.rad)
    views = ln_sine_of(dataset.table["inclination"][rows])
    truth = dataset.dm_profile[rows]
    numbers = np.array([round(share * len(train)) for share in _SHARES])
    masses, learning = {}, {}
    for inputs in INPUTS:
        for kind in KINDS:
            if kind == "noise-free":
                tasks = [noise_free(inputs, radii, some) for some in (train, test)]
            else:
                pairs = ((train, isotropic), (test, views))
                tasks = [observed(inputs, radii, some, sight, sines, rng) for some, sines in pairs]
            name = f"floor/{inputs}/{kind}"
            found = [np.exp(learn(tasks[0].take(slice(n)), train.ln_m[:n], tasks[1], settings.seed)) for n in numbers]
            masses[name] = found[-1]
            one = Scores(radii, truth, {str(n): mass for n, mass in zip(numbers, found, strict=True)}, ids)
            learning[name] = np.array([float(one.over("intermediate", str(n)).value) for n in numbers])
    with atomic_path(settings.floor_path) as temporary, h5py.File(temporary, "w") as handle:
        handle.attrs.update({"data": settings.label, "made_from": dataset.made_from})
        for name, values in (("radii", radii), ("truth", truth), ("subhalo_id", ids), ("numbers", numbers)):
            handle[name] = values
        for name, mass in masses.items():
            store(handle, f"{name}/m_dm", mass, "Msun")
            handle[f"{name}/learning"] = learning[name]
        for name, share in zip([*LIGHT, *GAS], sight.blur["all"].open_share, strict=True):
            handle[f"open_share/{name}"] = share


def read_floor(path: str | Path) -> Floor:
    """Read the information floor.

    Raises
    ------
    DmlibError
        When the file is damaged or malformed.
    """
    with open_product(path, "file of the floor") as handle:
        groups = {f"floor/{inputs}/{kind}": handle[f"floor/{inputs}/{kind}"] for inputs in INPUTS for kind in KINDS}
        return Floor(
            **{name: handle[name][()] for name in ("radii", "truth", "subhalo_id", "numbers")},
            masses={name: group["m_dm"][()] for name, group in groups.items()},
            learning={name: group["learning"][()] for name, group in groups.items()},
            open_share={name: float(handle[f"open_share/{name}"][()]) for name in (*LIGHT, *GAS)},
        )
