"""Reference trainings: every architecture with the paper's schedule, once for all readers.

A reader's own run at profile ``quick`` trains for a few epochs, and not all architectures equally. Which architecture
is best is therefore decided by trainings that take hours: `SCHEDULE` for all, without any architecture's own changes,
with `MEMBERS` members of each (`FEWER` of what costs ten times as much). What they predict is committed. Their folder,
``reference/models`` in the build folder, is no product: a normal run leaves it alone.

The record, ``records/reference``, has no weights: ``about.json`` says how each member was trained and what it cost;
``predictions.hdf5`` holds ln(M / Msun) of the views that were held out from training, by part of the data set, and the
histories. ln M is kept in steps of `STEP`, so that it is off by at most 1e-4: a hundredth of a per cent of the mass.

The fingerprint by which a data set knows itself changes with its code, and so cannot tie a record to a data set for
long. The record is tied to the *content* instead: galaxies, views, radii, true masses, and moments of the inputs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
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
from ..workers import Blocks
from . import NetworkError
from .models import Card, in_convolutions, multiplications, read_card, read_network
from .plan import ARCHITECTURES, BEST_VALUE, INPUTS, Entry, Schedule, architecture
from .predictions import Predictions, combine
from .train import Job, make_index, make_jobs, train_jobs, train_member

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
        ``profile``, ``seed``, ``data``, ``date``, ``ensembles``, ...
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
        Of the whole plan, see `dmlib.networks.reference.reference_jobs`.
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
    except (OSError, KeyError, ValueError) as error:
        raise NetworkError(f"{place} is not a complete record ({error}): restore it from git.") from error
    return Record(about, members, histories, views, radii)


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


#: The paper's schedule: at most 200 epochs of Adam at 1e-3, ended by 30 epochs without a better validation loss.
SCHEDULE = Schedule()

#: Members of an ensemble (paper: 5), and of the ensembles that cannot be afforded so often.
MEMBERS = 3
FEWER = {"ResNet50": 2}


def folder(settings: Settings) -> Path:
    """Where the reference networks lie."""
    return settings.build / "reference" / "models"


def reference_plan(only: Iterable[str] = ()) -> list[Entry]:
    """The ensembles: every architecture on all inputs, and one architecture on the sets of inputs.

    Parameters
    ----------
    only : iterable of str
        Names of ensembles (``C/all``) or of architectures (``C``: all its ensembles); all ensembles where empty.

    Raises
    ------
    NetworkError
        For a name that is neither.
    """
    pairs = [*((name, "all") for name in ARCHITECTURES), *((BEST_VALUE, inputs) for inputs in INPUTS)]
    every = [
        Entry(f"{name}/{inputs}", name, inputs, replace(SCHEDULE, members=FEWER.get(name, MEMBERS)))
        for name, inputs in pairs
    ]
    only = list(only)
    for name in only:
        if name not in {word for entry in every for word in (entry.name, entry.architecture)}:
            raise NetworkError(f"there is no reference training '{name}': choose {', '.join(e.name for e in every)}.")
    return [entry for entry in every if not only or {entry.name, entry.architecture} & set(only)]


def reference_jobs(settings: Settings, dataset: DataSet, entries: list[Entry]) -> list[Job]:
    """Every member, the first of each ensemble before the second of any, so that all can soon be compared."""
    jobs = make_jobs(settings, dataset, entries, folder(settings))
    return sorted(jobs, key=lambda job: (job.member, -architecture(job.entry.architecture).cost))


def train_reference(
    settings: Settings, entries: list[Entry], *, workers: int | None = None, tell: Callable[[str], object] = print
) -> None:
    """Train what is missing; an interrupted training goes on from its last checkpoint.

    Parameters
    ----------
    settings : Settings
    entries : list of Entry
    workers : int, optional
        Processes, see `dmlib.networks.train.build`.
    tell : callable
        Is told what is left, before the first training and after each.
    """
    dataset = read_dataset(settings.dataset_path)
    jobs = reference_jobs(settings, dataset, entries)

    def ended(stem: Path) -> None:
        card = read_card(stem.with_suffix(".json"))
        tell(
            f"{card.name}, member {card.member}: {card.epochs_run} epochs in {card.seconds / 60.0:.0f} min, "
            f"best {card.best_epoch} with a validation loss of {card.best_val_loss:.4f}"
        )
        tell(str(left(settings, jobs)))

    tell(str(left(settings, jobs)))
    train_jobs(jobs, dataset, workers=workers, ended=ended)


@dataclass(frozen=True)
class Left:
    """What remains to be trained.

    Parameters
    ----------
    members, of : int
        Unfinished, and all.
    expected, most : float
        Time of one core [s]: if they end after as many epochs as those that have ended, and if none ends early. NaN
        where no network has been trained on this machine yet.
    """

    members: int
    of: int
    expected: float
    most: float

    def __str__(self) -> str:
        if not self.members:
            return f"all {self.of} members are trained: `dmlib reference --record` writes their record"
        words = f"{self.members} of {self.of} members are left"
        if not np.isfinite(self.most):
            return f"{words}; how long they take will be known when the first network has been trained here"
        return f"{words}: about {self.expected / 3600.0:.1f} h of one core, at most {self.most / 3600.0:.1f} h"


def left(settings: Settings, jobs: Sequence[Job]) -> Left:
    """What remains to be trained, with times as measured by the trainings in this build folder."""
    todo = [job for job in jobs if not job.is_finished]
    done = [read_card(job.stem.with_suffix(".json")) for job in jobs if job.is_finished]
    cards = list(done)
    for place in (settings.models_dir, folder(settings)):
        for path in place.glob("*/*/member*[0-9].json"):
            with suppress(NetworkError):
                cards.append(read_card(path))
    expected = most = 0.0
    for job in todo:
        rate, before = _seconds_per_epoch(job, cards), _epochs_before(job)
        alike = [card.epochs_run for card in done if card.architecture == job.entry.architecture]
        usual = float(np.mean(alike or [card.epochs_run for card in done] or [job.entry.schedule.epochs]))
        most += rate * max(job.entry.schedule.epochs - before, 0)
        expected += rate * max(usual - before, 1)
    return Left(len(todo), len(jobs), expected, most)


@dataclass(frozen=True)
class Verification:
    """One member, trained again, beside what the record says of it.

    Parameters
    ----------
    name : str
    member : int
    difference : float
        Root mean square difference of ln M between the two, over all views that were held out and all radii.
    tolerance : float
        The largest such difference between the new network and the ensemble's other recorded members.
    """

    name: str
    member: int
    difference: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the two differ by no more than members of different seeds do."""
        return self.difference <= self.tolerance

    def __str__(self) -> str:
        result = "agrees with" if self.passed else "DIFFERS from"
        return (
            f"{self.name}, member {self.member}, trained again, {result} the record: root mean square difference of "
            f"ln M {self.difference:.4f}, allowed {self.tolerance:.4f} (the most from other seeds)"
        )


def verify(settings: Settings, name: str = "", member: int = 0, place: Path | None = None) -> Verification:
    """Train one recorded member again, from the same seed, and compare.

    Equal seeds give equal bits with the same libraries on the same processor only: sums are rounded in another order
    elsewhere, and training amplifies that. The result must then still be closer to the recorded member than to those
    of other seeds, which also drew other galaxies. The recorded member has no part in the tolerance: one that is
    damaged cannot widen it.

    Parameters
    ----------
    settings : Settings
    name : str
        Ensemble; default the cheapest.
    member : int
    place : Path, optional
        Folder of the record.

    Raises
    ------
    NetworkError
        When the record does not hold this member or fewer than two of its ensemble, or is of another data set.
    """
    record, dataset = read_record(place), read_dataset(settings.dataset_path)
    if reason := record.difference(settings, dataset):
        raise NetworkError(f"the record cannot be verified here: {reason}.")
    name = name or min(record.index, key=lambda key: architecture(record.index[key]["architecture"]).cost)
    recorded = record.members.get(name, {})
    if member not in recorded or len(recorded) < 2:
        raise NetworkError(f"the record has no member {member} of '{name}', or no second one to compare it with.")
    about = record.index[name]
    entry = Entry(name, about["architecture"], about["inputs"], Schedule(**about["schedule"]))
    jobs = make_jobs(settings, dataset, [entry], settings.build / "reference" / "verify")
    (job,) = (job for job in jobs if job.member == member)
    if not job.is_finished:
        train_member(job)
    network = read_network(job.folder, name, member)
    again = {split: network.predict_ln(dataset.inputs(rows, job.channels)) for split, rows in held_out(dataset)}
    apart = {
        k: float(np.sqrt(np.mean(np.concatenate([again[split] - found[split] for split in found]) ** 2)))
        for k, found in recorded.items()
    }
    own = apart.pop(member)
    found = Verification(name, member, own, max(apart.values()))
    for path in job.stem.parent.glob(f"{job.stem.name}.*"):
        path.unlink()  # the next verification shall train again
    return found


def _seconds_per_epoch(job: Job, cards: Sequence[Card]) -> float:
    """As measured for the same architecture, otherwise for others in proportion to their cost; for as many views."""

    def per_view(card: Card) -> float:
        return card.seconds / card.epochs_run / card.galaxies["train_views"]

    same = [per_view(card) for card in cards if card.architecture == job.entry.architecture]
    cost = architecture(job.entry.architecture).cost
    scaled = [per_view(c) * cost / ARCHITECTURES[c.architecture].cost for c in cards if c.architecture in ARCHITECTURES]
    return float(np.median(same or scaled or [np.nan])) * len(job.rows)


def _epochs_before(job: Job) -> int:
    """Epochs of an interrupted training."""
    stored: dict[str, Any] | None = Blocks(job.checkpoint.parent).read(job.checkpoint.name)
    return len(json.loads(str(stored["history"]))["loss"]) if stored else 0
