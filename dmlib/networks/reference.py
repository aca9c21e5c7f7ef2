"""The record of the reference trainings: written once, read by every chapter that concludes from them.

The record, ``records/reference``, has no weights: ``about.json`` says how each member was trained and what it cost;
``predictions.hdf5`` holds ln(M / Msun) of the views that were held out from training, by part of the data set, and the
histories. ln M is kept in steps of `STEP`, so that it is off by at most 1e-4: a hundredth of a per cent of the mass.

The fingerprint by which a data set knows itself changes with its code, and so cannot tie a record to a data set for
long. The record is tied to the *content* instead: galaxies, views, radii, true masses, and moments of the inputs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..dataset import SPLITS
from ..dataset.read import DataSet, ln_mass, read_dataset
from ..files import atomic_path, sha256, write_text
from ..settings import Settings, repository_root
from . import NetworkError
from .models import in_convolutions, multiplications, read_card, read_network
from .predictions import Predictions, combine
from .train import Job, make_index

#: Step in ln M in which predictions and true masses are kept.
STEP = 2e-4

#: Largest difference of ln M, and of the inputs' moments in units of their spread, between equal data sets.
TOLERANCE = 1e-3

#: Settings that a record depends on, and what messages call them.
_MADE_WITH = {"profile": "profile", "seed": "seed", "origin": "universe", "physics": "galaxy physics"}

_NONE = np.iinfo(np.int16).min

_COLUMNS = ("loss", "val_loss", "learning_rate", "seconds")


@dataclass(frozen=True)
class Record:
    """A record that has been read.

    Parameters
    ----------
    about : dict
        ``profile``, ``seed``, ``data``, ``date``, ``ensembles``, ... The seconds of a member are its epochs times what
        an epoch of its ensemble takes, see `seconds_an_epoch`.
    members : dict
        Ensemble -> number of the member -> part of the data set -> ln(M / Msun), shape (n, 20).
    histories : dict
        Ensemble -> history of each member, as `dmlib.networks.models.read_histories`.
    views : dict
        Part -> ``subhalo_id``, ``view``, each of shape (n,), and ``ln_truth``, shape (n, 20).
    radii : ndarray, shape (20,)
        [kpc]
    """

    about: dict[str, Any]
    members: dict[str, dict[int, dict[str, np.ndarray]]]
    histories: dict[str, list[dict[str, list[float]]]]
    views: dict[str, dict[str, np.ndarray]]
    radii: np.ndarray

    @property
    def index(self) -> dict[str, Any]:
        """Summary of every ensemble, as `dmlib.networks.models.read_index`, with ``multiplications``."""
        return self.about["ensembles"]

    def difference(self, settings: Settings, dataset: DataSet) -> str:
        """Why the record does not hold for a data set; empty if it does."""
        about = self.about
        for key, what in _MADE_WITH.items():
            if about[key] != (now := getattr(settings, key)):
                return f"they were made with {what} {about[key]}, this run has {what} {now}"
        ours = dict(held_out(dataset))
        if ours.keys() != self.views.keys():
            parts = [", ".join(sorted(some)) for some in (self.views, ours)]
            return f"they hold out {parts[0]} galaxies, this run {parts[1]}"
        if dataset.radii.shape != self.radii.shape or not np.allclose(dataset.radii, self.radii, rtol=TOLERANCE):
            return "they predict the mass within other radii"
        for split, rows in ours.items():
            theirs = self.views[split]
            if any(not np.array_equal(np.asarray(dataset.table[c])[rows], theirs[c]) for c in ("subhalo_id", "view")):
                return f"their {split} galaxies or views are others than those of this run"
            truth = ln_mass(dataset.dm_profile[rows])
            if not np.allclose(truth, theirs["ln_truth"], rtol=0.0, atol=TOLERANCE, equal_nan=True):
                return f"the true masses of their {split} galaxies are others than those of this run"
        if about["channels"] != list(dataset.channels("all")) or about["pixels"] != dataset.input_grid.pixels:
            return "their images have other channels or another number of pixels"
        found = moments_of(dataset)
        scale = np.maximum(np.array(about["inputs"]["std"]), 1e-6)
        if any(np.any(np.abs(np.array(about["inputs"][key]) - found[key]) > TOLERANCE * scale) for key in found):
            return "their images or HI maps are others than those of this run, for the same galaxies"
        return ""


@dataclass(frozen=True)
class Reference:
    """What a chapter concludes from: the reference trainings, or a reason why they do not apply.

    Parameters
    ----------
    predictions : Predictions or None
        The recorded networks, and the regressions of the reader's own run, for the test views.
    reason : str
        One sentence; empty where they apply.
    index : dict
        See `Record.index`.
    histories : dict
        See `Record.histories`.
    """

    predictions: Predictions | None
    reason: str
    index: dict[str, Any]
    histories: dict[str, list[dict[str, list[float]]]]


def read_reference(
    settings: Settings, dataset: DataSet, own: Predictions, names: Iterable[str] = (), place: Path | None = None
) -> Reference:
    """The recorded predictions for a reader's data set, with errors calibrated on its validation views.

    Parameters
    ----------
    settings : Settings
    dataset : DataSet
    own : Predictions
        Of the reader's run; what is not predicted by networks is taken from it.
    names : iterable of str
        Ensembles that the chapter needs.
    place : Path, optional
        Folder of the record.

    Raises
    ------
    NetworkError
        When the record is damaged.
    """
    place = place or _place()
    if not (place / "about.json").is_file():
        return Reference(None, "There are no reference trainings yet: `dmlib reference` makes them.", {}, {})
    record = read_record(place)
    missing = [name for name in names if name not in record.index]
    reason = record.difference(settings, dataset)
    reason = reason or (f"they lack {', '.join(missing)}" if missing else "")
    if reason:
        return Reference(None, f"The reference trainings do not apply here: {reason}.", record.index, {})
    groups = {}
    for name, members in record.members.items():
        known = {split: np.stack([found[split] for found in members.values()]) for split in record.views}
        test = known.pop("test")
        groups[name] = combine(name, record.index[name], dataset, known, test)
    groups |= {name: found for name, found in own.groups.items() if found.members_ln is None}
    found = replace(own, path=place / "predictions.hdf5", groups=groups)
    return Reference(found, "", record.index, record.histories)


def write_record(settings: Settings, jobs: list[Job], *, partial: bool = False, place: Path | None = None) -> Path:
    """Write the record of the reference trainings that are finished.

    Parameters
    ----------
    settings : Settings
    jobs : list of Job
        Of the whole plan, see `dmlib.networks.reference_training.reference_jobs`.
    partial : bool
        Also when some are not finished.
    place : Path, optional
        Folder of the record.

    Raises
    ------
    NetworkError
        When a training is missing, or none is there.
    """
    place, dataset = place or _place(), read_dataset(settings.dataset_path)
    done = [job for job in jobs if job.is_finished]
    lacking = sorted(f"{job.entry.name} {job.member}" for job in jobs if not job.is_finished)
    if not done or (lacking and not partial):
        some = ", ".join([*lacking[:4], *(["..."] if len(lacking) > 4 else [])])
        said = f"{len(lacking)} of {len(jobs)} reference trainings are missing ({some})"
        raise NetworkError(f"{said}: run `dmlib reference`, or record the rest with --partial.")
    index = {name: entry | {"members": []} for name, entry in make_index(done).items()}
    kept = {"member", "seed", "key", "epochs_run", "best_epoch", "best_val_loss", "seconds", "galaxies", "code"}
    with atomic_path(place / "predictions.hdf5") as temporary, h5py.File(temporary, "w") as handle:
        handle["radii"] = dataset.radii
        truth = {split: ln_mass(dataset.dm_profile[rows]) for split, rows in held_out(dataset)}
        handle["offset"] = offset = np.nanmean(np.concatenate(list(truth.values())), axis=0)
        for split, rows in held_out(dataset):
            _write(handle, f"views/{split}/ln_truth", _encode(truth[split], offset))
            for column in ("subhalo_id", "view"):
                _write(handle, f"views/{split}/{column}", np.asarray(dataset.table[column])[rows])
        for job in done:
            name, where = job.entry.name, f"members/{job.entry.name}/{job.member}"
            network = read_network(job.folder, name, job.member)
            for split, rows in held_out(dataset):
                ln_m = network.predict_ln(dataset.inputs(rows, job.channels))
                _write(handle, f"{where}/{split}", _encode(ln_m, offset))
            history = json.loads(job.stem.with_suffix(".history.json").read_text(encoding="utf-8"))
            _write(handle, f"{where}/history", np.array([history[c] for c in _COLUMNS], dtype=np.float32))
            index[name].setdefault("multiplications", multiplications(network.model))
            index[name].setdefault("in convolutions", in_convolutions(network.model))
            # Trainings of hours share the machine and are stopped and continued: the quick epochs tell what one costs.
            cost = {"seconds": len(history["seconds"]) * float(np.quantile(history["seconds"], 0.1))}
            card = read_card(job.stem.with_suffix(".json"))
            index[name]["members"].append(card.model_dump(include=kept) | cost)
    about = {
        "id": "reference",
        "command": "dmlib reference --record",
        "date": datetime.now(UTC).date().isoformat(),
        **{key: getattr(settings, key) for key in _MADE_WITH},
        **{key: str(dataset.attributes[key]) for key in ("data", "made_from", "universe_identity")},
        "channels": list(dataset.channels("all")),
        "pixels": dataset.input_grid.pixels,
        "seconds": "epochs times the tenth percentile of their wall times, one thread a member",
        "kept": f"ln(M / Msun) in steps of {STEP:g}, see dmlib.networks.reference",
        "inputs": {key: values.tolist() for key, values in moments_of(dataset).items()},
        "missing": lacking,
        "sha256": sha256(place / "predictions.hdf5"),
        "ensembles": index,
    }
    write_text(place / "about.json", json.dumps(about, indent=1) + "\n")
    return place


def read_record(place: Path | None = None) -> Record:
    """Read the record.

    Raises
    ------
    NetworkError
        When it is missing or damaged.
    """
    place = place or _place()
    path = place / "predictions.hdf5"
    try:
        about = json.loads((place / "about.json").read_text(encoding="utf-8"))
        if sha256(path) != about["sha256"]:
            raise ValueError("its predictions are not those that it was written with")
        with h5py.File(path, "r") as handle:
            offset, radii = handle["offset"][()], handle["radii"][()]
            views = {split: {key: group[key][()] for key in group} for split, group in handle["views"].items()}
            for found in views.values():
                found["ln_truth"] = _decode(found["ln_truth"], offset)
            members: dict[str, dict[int, dict[str, np.ndarray]]] = {}
            histories: dict[str, list[dict[str, list[float]]]] = {}
            for name, entry in about["ensembles"].items():
                for member in (one["member"] for one in entry["members"]):
                    group = handle[f"members/{name}/{member}"]
                    parts = {split: _decode(group[split][()], offset) for split in views}
                    members.setdefault(name, {})[member] = parts
                    history = zip(_COLUMNS, group["history"][()].astype(float).tolist(), strict=True)
                    histories.setdefault(name, []).append(dict(history))
                epoch = seconds_an_epoch(histories[name])
                for one in entry["members"]:
                    one["seconds"] = one["epochs_run"] * epoch
    except (OSError, KeyError, ValueError) as error:
        raise NetworkError(f"{place} is not a complete record ({error}): restore it from git.") from error
    return Record(about, members, histories, views, radii)


def seconds_an_epoch(histories: list[dict[str, list[float]]]) -> float:
    """Time of one epoch of an ensemble, whose members were trained beside other work, and some of them throughout.

    The smallest of the members' tenth percentiles: all of them have the same images and the same network.
    """
    return min(float(np.quantile(history["seconds"], 0.1)) for history in histories)


def held_out(dataset: DataSet) -> Iterator[tuple[str, np.ndarray]]:
    """The parts of a data set that no network is trained on, and their rows."""
    for split in SPLITS:
        if split != "train" and len(rows := dataset.rows(split)):
            yield split, rows


def moments_of(dataset: DataSet) -> dict[str, np.ndarray]:
    """Mean and standard deviation of each channel over the normalised inputs of the test views, shape (channel,)."""
    inputs = dataset.inputs(dataset.rows("test")).astype(float)
    return {"mean": inputs.mean(axis=(0, 1, 2)), "std": inputs.std(axis=(0, 1, 2))}


def _place() -> Path:
    return repository_root() / "records" / "reference"


def _encode(ln_m: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Steps of ln M from an offset at each radius, int16."""
    steps = np.round((ln_m - offset) / STEP)
    if np.nanmax(np.abs(steps)) >= -_NONE:
        raise NetworkError("a prediction is off by a factor of 700 or more: a training has failed.")
    return np.where(np.isfinite(steps), steps, _NONE).astype(np.int16)


def _decode(steps: np.ndarray, offset: np.ndarray) -> np.ndarray:
    return np.where(steps == _NONE, np.nan, steps * STEP + offset)


def _write(handle: h5py.File, name: str, values: np.ndarray) -> None:
    handle.create_dataset(name, data=values, compression="gzip", compression_opts=9, shuffle=True)
