"""Reference trainings: every architecture with the paper's schedule, once for all readers.

A reader's own run at profile ``quick`` trains for a few epochs, and not all architectures equally. Which architecture
is best is therefore decided by trainings that take hours: `SCHEDULE` for all, without any architecture's own changes,
with `MEMBERS` members of each (`FEWER` of what costs ten times as much). What they predict is committed, see
`dmlib.networks.reference`. Their folder, ``reference/models`` in the build folder, is no product: a normal run leaves
it alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..dataset.read import DataSet, read_dataset
from ..settings import Settings
from ..workers import Blocks
from . import NetworkError
from .models import Card, read_card, read_network
from .plan import ARCHITECTURES, BEST_VALUE, INPUTS, Entry, Schedule, architecture
from .reference import held_out, read_record
from .train import Job, make_jobs, train_jobs, train_member

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
