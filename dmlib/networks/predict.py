"""What the networks predict for the test galaxies, with honest errors: builds the product "predictions"."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import h5py
import numpy as np

from ..baselines import BASELINES, REGRESSIONS, regress
from ..dataset.read import DataSet, ln_mass, read_dataset
from ..files import atomic_path
from ..settings import Settings
from .calibrate import Spread
from .models import read_ensemble, read_index
from .plan import SHARES
from .train import share_of


@dataclass(frozen=True)
class Predicted:
    """Of one network or regression, for the test views.

    Parameters
    ----------
    m_dm : ndarray, shape (n, 20)
        [Msun]; of an ensemble the exponential of the mean of ln M.
    sigma_ln : ndarray, shape (n, 20), optional
        Standard deviation of ln M, calibrated on the validation galaxies.
    members_ln : ndarray, shape (member, n, 20), optional
        ln(M / Msun) of each member.
    attributes : dict
        What else is to be known.
    """

    m_dm: np.ndarray
    sigma_ln: np.ndarray | None = None
    members_ln: np.ndarray | None = None
    attributes: dict | None = None


def build(settings: Settings) -> None:
    """Make the product "predictions", ``predictions.hdf5``.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    NetworkError
        When a network cannot be read.
    """
    dataset = read_dataset(settings.dataset_path)
    rows = dataset.rows("test")
    with atomic_path(settings.predictions_path) as temporary, h5py.File(temporary, "w") as handle:
        write_truth(handle, settings, dataset, rows)
        for name, entry in read_index(settings.models_dir).items():
            write_group(handle, name, predict_ensemble(settings, dataset, rows, name, entry), dataset, rows)
        for name, predicted in predict_plainly(settings, dataset, rows):
            write_group(handle, name, predicted, dataset, rows)


def predict_ensemble(settings: Settings, dataset: DataSet, rows: np.ndarray, name: str, entry: dict) -> Predicted:
    """Mean and calibrated error of an ensemble."""
    networks = read_ensemble(settings.models_dir, name)
    validation = dataset.rows("validation")
    for network in networks[:1]:
        network.check_dataset(dataset)
    channels = networks[0].channels
    inputs = {"validation": dataset.inputs(validation, channels), "test": dataset.inputs(rows, channels)}
    members = {side: np.stack([network.predict_ln(x) for network in networks]) for side, x in inputs.items()}
    truth = ln_mass(dataset.dm_profile[validation])
    spread = Spread.fit(members["validation"], truth)
    mean = members["test"].mean(axis=0)
    about = {
        "architecture": entry["architecture"],
        "inputs": entry["inputs"],
        "galaxies": entry["galaxies"],
        "parameters": entry["parameters"],
        "seconds": sum(member["seconds"] for member in entry["members"]),
        "sigma_floor": spread.floor,
        "sigma_factor": spread.factor,
        "validation_rms_ln": np.sqrt(np.nanmean((members["validation"].mean(axis=0) - truth) ** 2, axis=0)),
        "validation_correlation": correlation(members["validation"].mean(axis=0) - truth),
    }
    return Predicted(np.exp(mean), spread.sigma(members["test"]), members["test"], about)


def correlation(errors: np.ndarray) -> np.ndarray:
    """How errors of ln M at two radii go together, shape (20, 20).

    Parameters
    ----------
    errors : ndarray, shape (n, 20)
        Of the validation views; a view with NaN anywhere is left out.

    Returns
    -------
    ndarray
        Correlation about zero, not about the mean: a bias is an error that all radii share. 1 on the diagonal.
    """
    whole = errors[np.isfinite(errors).all(axis=1)]
    moments = whole.T @ whole
    scale = np.sqrt(np.maximum(np.diag(moments), 1e-300))
    return moments / np.outer(scale, scale) if len(whole) else np.eye(errors.shape[1])


def predict_plainly(settings: Settings, dataset: DataSet, rows: np.ndarray) -> Iterator[tuple[str, Predicted]]:
    """What is predicted without a network, see `dmlib.baselines`.

    Yields
    ------
    name, predicted
        ``baseline/<name>`` of each baseline from all inputs; ``linear/photometry``, ``boosted/hi`` and so on of the
        regressions from less; ``linear/learning_curve/<n>`` of the linear one on the galaxies of the networks'
        learning curve.
    """
    train = dataset.rows("train")
    galaxy = np.asarray(dataset.table["subhalo_id"])[train]
    about = {"galaxies": len(np.unique(galaxy)), "seconds": np.nan}
    for inputs in ("all", "photometry", "hi"):
        task = regress.task(dataset, settings.seed, inputs=inputs, asked=rows)
        for name, function in BASELINES.items():
            if inputs == "all" or name in REGRESSIONS:
                started = time.perf_counter()
                mass = np.exp(function(task))
                attributes = about | {"inputs": inputs, "seconds": time.perf_counter() - started}
                yield (
                    (f"baseline/{name}" if inputs == "all" else f"{name}/{inputs}"),
                    Predicted(mass, None, None, attributes),
                )
        if inputs == "all":
            for share in SHARES:
                some = share_of(galaxy, share, settings.seed)
                n = len(np.unique(galaxy[some]))
                if n >= 4:
                    fewer = regress.Task(task.x[some], task.y[some], task.group[some], task.asked, task.seed)
                    attributes = about | {"inputs": inputs, "galaxies": n}
                    yield f"linear/learning_curve/{n}", Predicted(np.exp(regress.linear(fewer)), None, None, attributes)


def write_truth(handle: h5py.File, settings: Settings, dataset: DataSet, rows: np.ndarray) -> None:
    """What is the same for all: ``truth``, ``radii``, ``rows``, ``subhalo_id``, ``view``."""
    handle.attrs.update({"data": settings.label, "made_from": str(dataset.attributes["made_from"]), "split": "test"})
    handle["truth"] = dataset.dm_profile[rows]
    handle["truth"].attrs["unit"] = "Msun"
    handle["radii"] = dataset.radii
    handle["radii"].attrs["unit"] = "kpc"
    handle["rows"] = rows
    for column in ("subhalo_id", "view"):
        handle[column] = np.asarray(dataset.table[column])[rows]


def write_group(handle: h5py.File, name: str, predicted: Predicted, dataset: DataSet, rows: np.ndarray) -> None:
    """One group, ``m_dm``, ``sigma_ln``, ``members_ln``, ``subhalo_id``, ``view``."""
    group = handle.create_group(name)
    group["m_dm"] = predicted.m_dm
    group["m_dm"].attrs["unit"] = "Msun"
    for key in ("sigma_ln", "members_ln"):
        if getattr(predicted, key) is not None:
            group[key] = getattr(predicted, key)
    for column in ("subhalo_id", "view"):
        group[column] = np.asarray(dataset.table[column])[rows]
    group.attrs.update(predicted.attributes or {})
    handle.attrs["order"] = [*handle.attrs.get("order", []), name]
