"""What networks and regressions predict for the test galaxies, with calibrated errors; Keras is imported to build only.

Members of an ensemble differ by their seeds and by the galaxies that they were trained on. Their spread is the part of
the error that more training would remove; it does not include the scatter that the inputs leave open (two haloes with
the same disc), and so is too small. We combine both as

    sigma^2(i, R) = floor(R)^2 + factor^2 * spread^2(i, R),

with the floor at each radius and one factor chosen to maximise the likelihood of the errors of the *calibration*
galaxies (Gaussian). They have no other part: the training has not seen them, and the validation galaxies, whose errors
decide which epoch is best and are therefore slightly too small, are others. Where there are fewer than `FEWEST`
calibration galaxies, the validation galaxies stand in for them. The test galaxies have no part in it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from ..dataset.read import DataSet, ln_mass, read_dataset
from ..files import atomic_path, open_product, store
from ..settings import Settings
from ..workers import map_parallel, single_thread
from . import NetworkError
from .plan import BEST_VALUE, SHARES, share_of

if TYPE_CHECKING:
    from ..baselines import Task

#: Factors that are tried.
_FACTORS = np.concatenate([[0.0], np.geomspace(0.25, 4.0, 17)])

#: Smallest floor in ln M, below the noise of the target itself.
_LEAST = 0.02

#: Fewest calibration galaxies.
FEWEST = 3

#: Parts of the split for which predictions are kept besides the test.
_KNOWN = ("calibration", "validation")

#: Ensembles with calibrated errors: those of one network are the prior of rotation-curve fits, and chapters test their
#: errors beside those of A, the architecture of the talk. They predict the calibration and the validation views too,
#: three times as many as there are test views.
_CALIBRATED = (*(f"{BEST_VALUE}/{inputs}" for inputs in ("photometry", "all")), "A/all")

#: What stands for the regressions among the names of ensembles.
_REGRESSIONS = "regressions"

#: Memory that one worker may need [bytes], and ensembles below which processes take longer to start than they save.
MEMORY, _WORTH_WORKERS = 2.0e9, 6


@dataclass(frozen=True)
class Known:
    """Prediction of an ensemble for views whose truth may be used, to adjust on them what is judged on the test views.

    Parameters
    ----------
    rows : ndarray of int, shape (v,)
        Of the data set.
    ln_m : ndarray, shape (v, 20)
        Mean of ln(M / Msun).
    sigma_ln : ndarray, shape (v, 20)
        Its standard deviation.
    """

    rows: np.ndarray
    ln_m: np.ndarray
    sigma_ln: np.ndarray


@dataclass(frozen=True)
class Prediction:
    """Prediction of one network or regression for the test views.

    Parameters
    ----------
    name : str
    m_dm : ndarray, shape (n, 20)
        M_DM(<R) [Msun]; of an ensemble exp of the mean of ln M.
    sigma_ln : ndarray, shape (n, 20), or None
        Standard deviation of ln M, calibrated on the calibration galaxies, of those ensembles that predict them.
    members_ln : ndarray, shape (member, n, 20), or None
        ln(M / Msun) of each member of an ensemble.
    attributes : dict
        ``architecture``, ``inputs``, ``galaxies`` (trained on), ``parameters``, ``seconds`` of training, ...
    calibration, validation : Known or None
        What an ensemble predicts for the views of these galaxies; not every ensemble has been asked for both.
    """

    name: str
    m_dm: np.ndarray
    sigma_ln: np.ndarray | None = None
    members_ln: np.ndarray | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    calibration: Known | None = None
    validation: Known | None = None

    @property
    def ln_m_dm(self) -> np.ndarray:
        """ln(M / Msun), shape (n, 20)."""
        return np.log(self.m_dm)


@dataclass(frozen=True)
class Predictions:
    """All predictions for the test views.

    Parameters
    ----------
    path : Path
    truth : ndarray, shape (n, 20)
        [Msun]
    radii : ndarray, shape (20,)
        [kpc]
    subhalo_id, view : ndarray of int, shape (n,)
    rows : ndarray of int, shape (n,)
        Rows of the data set.
    groups : dict
        Name -> Prediction, in the order of the plan: ``A/all``, ``C/photometry``, ``learning_curve/123``,
        ``baseline/mean``, ...
    """

    path: Path
    truth: np.ndarray
    radii: np.ndarray
    subhalo_id: np.ndarray
    view: np.ndarray
    rows: np.ndarray
    groups: dict[str, Prediction]

    def __getitem__(self, name: str) -> Prediction:
        if name not in self.groups:
            raise NetworkError(f"{self.path} has no prediction '{name}': it has {', '.join(self.groups)}.")
        return self.groups[name]

    def equally(self, names: Iterable[str] = ()) -> Predictions:
        """The same with as many members in every ensemble as the smallest has: methods are compared with equal care.

        The first members are kept. The uncertainty of an ensemble that loses members is left out: it was calibrated
        with all of them.

        Parameters
        ----------
        names : iterable of str
            Ensembles among which the smallest is sought; default all.
        """
        sought = [self[name] for name in names] or self.groups.values()
        least = min((len(p.members_ln) for p in sought if p.members_ln is not None), default=0)
        groups = {}
        for name, found in self.groups.items():
            if found.members_ln is not None and len(found.members_ln) > least:
                kept = found.members_ln[:least]
                found = replace(found, m_dm=np.exp(kept.mean(axis=0)), members_ln=kept, sigma_ln=None)
                found = replace(found, calibration=None, validation=None)
            groups[name] = found
        return replace(self, groups=groups)

    def under(self, prefix: str) -> dict[str, Prediction]:
        """Predictions whose name begins with a prefix, by the rest of the name: ``under("C")["all"]``."""
        start = f"{prefix.rstrip('/')}/"
        return {name.removeprefix(start): found for name, found in self.groups.items() if name.startswith(start)}


def read_predictions(path: str | Path) -> Predictions:
    """Read a file of predictions.

    Raises
    ------
    NetworkError
        When the file is damaged or malformed.
    """
    with open_product(path, "file of predictions", NetworkError) as handle:
        groups = {}
        for name in map(str, handle.attrs["order"]):
            group = handle[name]
            sigma, members = (group[key][()] if key in group else None for key in ("sigma_ln", "members_ln"))
            known = {
                part: Known(**{key: stored[()] for key, stored in group[part].items()})
                for part in _KNOWN
                if part in group
            }
            groups[name] = Prediction(name, group["m_dm"][()], sigma, members, dict(group.attrs), **known)
        columns = {name: handle[name][()] for name in ("truth", "radii", "subhalo_id", "view", "rows")}
        return Predictions(path=Path(path), groups=groups, **columns)


def build(settings: Settings, *, workers: int | None = None) -> None:
    """Make the product "predictions", ``predictions.hdf5``.

    Parameters
    ----------
    settings : Settings
    workers : int, optional
        Default `dmlib.workers.choose_workers`.

    Raises
    ------
    NetworkError
        When a network cannot be read.
    """
    from .models import read_index

    dataset = read_dataset(settings.dataset_path)
    rows = dataset.rows("test")
    index = read_index(settings.models_dir)
    # The longest first: regressions, for which one process imports what grows trees, and networks of many parameters.
    ensembles = sorted(index, key=lambda name: index[name]["parameters"], reverse=True)
    if len(ensembles) < _WORTH_WORKERS:
        workers = 1
    pool = partial(map_parallel, memory=MEMORY, workers=workers, what="predicted", environment=single_thread())
    done = dict(pool(partial(_predict, settings), [_REGRESSIONS, *ensembles]))
    names = []
    with atomic_path(settings.predictions_path) as temporary, h5py.File(temporary, "w") as handle:
        handle.attrs.update({"data": settings.label, "made_from": dataset.made_from, "split": "test"})
        store(handle, "truth", dataset.dm_profile[rows], "Msun")
        store(handle, "radii", dataset.radii, "kpc")
        columns = {column: np.asarray(dataset.table[column])[rows] for column in ("subhalo_id", "view")}
        for column, values in {"rows": rows, **columns}.items():
            handle[column] = values
        for found in (found for name in (*index, _REGRESSIONS) for found in done[name]):
            group = handle.create_group(found.name)
            store(group, "m_dm", found.m_dm, "Msun")
            arrays = {"sigma_ln": found.sigma_ln, "members_ln": found.members_ln, **columns}
            for part, known in (("calibration", found.calibration), ("validation", found.validation)):
                arrays |= {f"{part}/{key}": values for key, values in vars(known).items()} if known else {}
            for key, values in arrays.items():
                if values is not None:
                    group[key] = values
            group.attrs.update(found.attributes)
            names.append(found.name)
        handle.attrs["order"] = names


def _predict(settings: Settings, name: str) -> tuple[str, list[Prediction]]:
    """The predictions of one ensemble, or of the regressions."""
    from .models import read_index

    dataset = read_dataset(settings.dataset_path)
    rows = dataset.rows("test")
    if name == _REGRESSIONS:
        return name, list(predict_baselines(dataset, rows, settings.seed))
    entry = read_index(settings.models_dir)[name]
    return name, [predict_ensemble(settings.models_dir, dataset, rows, name, entry)]


def predict_ensemble(folder: Path, dataset: DataSet, rows: np.ndarray, name: str, entry: dict[str, Any]) -> Prediction:
    """Mean of an ensemble, and its calibrated error where chapters use that.

    Parameters
    ----------
    folder : Path
        The folder ``models``.
    dataset : DataSet
    rows : ndarray of int, shape (n,)
    name : str
    entry : dict
        Of `dmlib.networks.models.read_index`.
    """
    from .models import read_ensemble

    networks = read_ensemble(folder, name)
    networks[0].check_dataset(dataset)

    model, weights = networks[0].model, [network.model.get_weights() for network in networks]

    def members_ln(some: np.ndarray) -> np.ndarray:
        inputs, found = dataset.inputs(some, networks[0].channels, keep=True), []
        for own in weights:
            # Members differ by their weights alone: to trace a graph for each takes as long as a hundred views.
            model.set_weights(own)
            found.append(networks[0].predict_ln(inputs))
        return np.stack(found)

    parts = _KNOWN if name in _CALIBRATED else ()
    found = {part: members_ln(some) for part in parts if len(some := dataset.rows(part))}
    return combine(name, entry, dataset, found, members_ln(rows))


def combine(
    name: str, entry: dict[str, Any], dataset: DataSet, found: Mapping[str, np.ndarray], test: np.ndarray
) -> Prediction:
    """Mean and, where calibration views were predicted, calibrated error of an ensemble from what its members predict.

    Parameters
    ----------
    name, entry, dataset
        As those of `predict_ensemble`.
    found : mapping of ndarray, shape (member, v, 20)
        Part of the data set -> ln(M / Msun) that each member predicts for all its views.
    test : ndarray, shape (member, n, 20)
        The same for the test views.
    """
    attributes = {key: entry[key] for key in ("architecture", "inputs", "galaxies", "parameters")}
    attributes["seconds"] = sum(member["seconds"] for member in entry["members"])
    m_dm, calibrated_on = np.exp(test.mean(axis=0)), _calibrated_on(dataset)
    if calibrated_on not in found:
        return Prediction(name, m_dm, None, test, attributes)
    parts = {part: dataset.rows(part) for part in found}
    truth = ln_mass(dataset.dm_profile[parts[calibrated_on]])
    floor, factor = calibrate(found[calibrated_on], truth)
    errors = found[calibrated_on].mean(axis=0) - truth
    attributes |= {
        "sigma_floor": floor,
        "sigma_factor": factor,
        "calibrated_on": calibrated_on,
        "calibration_rms_ln": np.sqrt(np.nanmean(errors**2, axis=0)),
        "calibration_correlation": correlation(errors),
    }
    known = {part: Known(parts[part], some.mean(axis=0), sigma_ln(some, floor, factor)) for part, some in found.items()}
    return Prediction(name, m_dm, sigma_ln(test, floor, factor), test, attributes, **known)


def _calibrated_on(dataset: DataSet) -> str:
    """The part of a data set on which errors are calibrated."""
    galaxies = np.unique(np.asarray(dataset.table["subhalo_id"])[dataset.rows("calibration")])
    return "calibration" if len(galaxies) >= FEWEST else "validation"


def predict_baselines(dataset: DataSet, rows: np.ndarray, seed: int) -> Iterator[Prediction]:
    """Predictions without a network, see `dmlib.baselines`.

    Yields
    ------
    Prediction
        From observables of all inputs ``baseline/<name>`` of each baseline, and ``linear/learning_curve/<n>`` of the
        linear one for the galaxies of the networks' learning curve; from those of fewer inputs ``linear/photometry``,
        ``boosted/hi`` and so on of the regressions; and the same of `aperture_task`.
    """
    from ..baselines import BASELINES, REGRESSIONS, linear, make_tasks

    galaxy = np.asarray(dataset.table["subhalo_id"])[dataset.rows("train")]
    tasks = [*make_tasks(dataset, rows, seed).items(), ("apertures", aperture_task(dataset, rows, seed))]
    for inputs, task in tasks:
        about = {"galaxies": len(np.unique(galaxy)), "inputs": "all" if inputs == "apertures" else inputs}
        for name in BASELINES if inputs == "all" else REGRESSIONS:
            start = time.perf_counter()
            mass = np.exp(BASELINES[name](task))
            seconds = {"seconds": time.perf_counter() - start}
            yield Prediction(
                f"baseline/{name}" if inputs == "all" else f"{name}/{inputs}", mass, attributes=about | seconds
            )
        for share in SHARES if inputs == "all" else ():
            some = share_of(galaxy, share, seed)
            n = len(np.unique(galaxy[some]))
            if n >= 4:
                fewer = replace(task, x=task.x[some], y=task.y[some], group=task.group[some])
                attributes = about | {"galaxies": n, "seconds": np.nan}
                yield Prediction(f"linear/learning_curve/{n}", np.exp(linear(fewer)), attributes=attributes)


def aperture_task(dataset: DataSet, rows: np.ndarray, seed: int) -> Task:
    """Regression of some views on the moments in apertures that C measures, instead of the catalogue's observables.

    If trees on these numbers do as well as C, what makes C good is not that it is a network. (The networks without one
    of C's branches are `dmlib.networks.plan.ABLATIONS`.)
    """
    from ..baselines import Task, finite_ln

    train = dataset.rows("train")
    moments = aperture_moments(dataset, np.concatenate([train, rows]))
    group = np.asarray(dataset.table["group_id"])[train]
    return Task(moments[: len(train)], finite_ln(dataset.dm_profile[train]), group, moments[len(train) :], seed)


def aperture_moments(dataset: DataSet, rows: np.ndarray) -> np.ndarray:
    """Output of C's layer `Apertures` for all inputs, shape (n, feature); the same for all orientations of a view."""
    from keras import ops

    from .architectures.c import Apertures

    layer = Apertures(dataset.channels("all"))
    parts = (dataset.inputs(rows[start : start + 256], keep=True) for start in range(0, len(rows), 256))
    return np.concatenate([ops.convert_to_numpy(layer(part)) for part in parts]).astype(float)


def correlation(errors: np.ndarray) -> np.ndarray:
    """Correlation of the errors of ln M between radii, shape (20, 20).

    Parameters
    ----------
    errors : ndarray, shape (n, 20)
        Of the calibration views; a view with any NaN is left out.

    Returns
    -------
    ndarray
        Correlation about zero, not about the mean: a bias is an error common to all radii. 1 on the diagonal.
    """
    whole = errors[np.isfinite(errors).all(axis=1)]
    moments = whole.T @ whole
    scale = np.sqrt(np.maximum(np.diag(moments), 1e-300))
    return moments / np.outer(scale, scale) if len(whole) else np.eye(errors.shape[1])


def calibrate(members_ln: np.ndarray, truth_ln: np.ndarray) -> tuple[np.ndarray, float]:
    """Most likely floor and factor of the error, see the text of this module.

    Parameters
    ----------
    members_ln : ndarray, shape (member, n, 20)
        Predicted ln M of the calibration galaxies.
    truth_ln : ndarray, shape (n, 20)
        NaN is left out.

    Returns
    -------
    floor : ndarray, shape (20,)
    factor : float
        0 for a single member.
    """
    square = (members_ln.mean(axis=0) - truth_ln) ** 2
    spread2 = _variance(members_ln)
    tried = [
        _most_likely_floor(square, factor**2 * spread2) for factor in _FACTORS[: None if len(members_ln) > 1 else 1]
    ]
    best = int(np.argmin([cost for _, cost in tried]))
    return np.sqrt(tried[best][0]), float(_FACTORS[best])


def sigma_ln(members_ln: np.ndarray, floor: np.ndarray, factor: float) -> np.ndarray:
    """Standard deviation of ln M, shape (n, 20); arguments as those and the results of `calibrate`."""
    return np.sqrt(floor**2 + factor**2 * _variance(members_ln))


def _variance(members_ln: np.ndarray) -> np.ndarray:
    return members_ln.var(axis=0, ddof=1) if len(members_ln) > 1 else np.zeros(members_ln.shape[1:])


def _most_likely_floor(square: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, float]:
    """Squared floor at each radius, from a fine grid about the r.m.s. error; and the sum of -2 ln likelihood."""
    rms2 = np.nanmean(square, axis=0)
    tried = np.maximum(np.linspace(0.0, 1.2, 61)[:, None] ** 2 * rms2, _LEAST**2)
    total = tried[:, None, :] + variance
    costs = np.nansum(square / total + np.where(np.isfinite(square), np.log(total), 0.0), axis=1)
    best = costs.argmin(axis=0)
    columns = np.arange(len(best))
    return tried[best, columns], float(costs[best, columns].sum())
