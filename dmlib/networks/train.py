"""All trainings of a profile, in parallel on the available cores: builds the product "models".

Also the check that precedes any training: can a network overfit a single batch?
"""

from __future__ import annotations

import gc
import hashlib
import json
import multiprocessing
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..code import fingerprint
from ..dataset.read import DataSet, ln_mass, read_dataset
from ..environment import keras_defaults
from ..files import atomic_path, write_text
from ..settings import Settings
from ..workers import KEPT_MEMORY, bar, map_parallel, single_thread
from . import NetworkError
from .models import Card, read_card
from .plan import ARCHITECTURES, Entry, architecture, plan, share_of

if TYPE_CHECKING:
    from .fit import Views

#: Memory that one worker needs besides its data [bytes].
MEMORY = 2.0e9

#: Modules whose code sets the result of a training, by head.
_HEADS = {"profile": ("dmlib.networks.fit",), "normal": ("dmlib.networks.fit", "dmlib.networks.posterior")}

#: Architectures that cost more are not checked by `overfit`, and are trained first.
_CHEAP = 10.0


@dataclass(frozen=True)
class Job:
    """One member of one ensemble.

    Parameters
    ----------
    entry : Entry
    member, seed : int
    key : str
        See `dmlib.networks.models.Card`.
    channels : tuple of str
    rows : ndarray of int
        Training views in the data set.
    code : dict
        See `code_of`.
    dataset_path : Path
    stem : Path
        Its files without their suffix.
    """

    entry: Entry
    member: int
    seed: int
    key: str
    channels: tuple[str, ...]
    rows: np.ndarray
    code: dict[str, str]
    dataset_path: Path
    stem: Path

    @property
    def folder(self) -> Path:
        """Folder of all networks, as `dmlib.networks.models.read_network` takes it."""
        return self.stem.parents[self.entry.name.count("/") + 1]

    @property
    def checkpoint(self) -> Path:
        """Where the state of the training lies while it is unfinished, without its suffix."""
        return self.stem.with_name(f"{self.stem.name}.checkpoint-{self.key[:12]}")

    @property
    def is_finished(self) -> bool:
        """Whether the member has been trained with this key."""
        try:
            return (
                self.stem.with_suffix(".keras").is_file() and read_card(self.stem.with_suffix(".json")).key == self.key
            )
        except NetworkError:
            return False


def build(settings: Settings, *, entries: list[Entry] | None = None, workers: int | None = None) -> None:
    """Make the product "models": train what is missing, resuming where an interrupted run stopped.

    A member that was trained with the same data, code, schedule and seed is kept.

    Parameters
    ----------
    settings : Settings
    entries : list of Entry, optional
        What is trained; default the profile's plan.
    workers : int, optional
        Processes; default one with an accelerator, otherwise `dmlib.workers.choose_workers`.

    Raises
    ------
    NetworkError
        When a training fails.
    """
    dataset = read_dataset(settings.dataset_path)
    jobs = make_jobs(settings, dataset, entries)
    _remove_others(settings.models_dir, jobs)
    train_jobs(sorted(jobs, key=urgency, reverse=True), dataset, workers=workers)
    write_text(settings.models_dir / "index.json", json.dumps(make_index(jobs), indent=1) + "\n")


def train_jobs(
    jobs: list[Job],
    dataset: DataSet,
    *,
    workers: int | None = None,
    ended: Callable[[Path], object] = lambda stem: None,
) -> None:
    """Train the members that are not finished, in this order, in parallel.

    Parameters
    ----------
    jobs : list of Job
    dataset : DataSet
    workers : int, optional
        See `build`. Training is in processes that end, and give their memory back, unless it is 1.
    ended : callable
        Called with the stem of each member that has been trained.
    """
    from . import fit

    todo = [job for job in jobs if not job.is_finished]
    memory = MEMORY + 8.0 * len(dataset) * dataset.input_grid.pixels**2 * len(dataset.channels("all"))
    if todo and fit.has_accelerator():
        workers = workers or 1  # right here: this process may hold the accelerator's memory already
    apart = workers is None
    # Arrays above 128 MiB go back to the system: a process that kept them had 3.2 GB after its last training.
    environment = single_thread() | dict.fromkeys(KEPT_MEMORY, str(2**27))
    news = multiprocessing.get_context("spawn").SimpleQueue()
    with bar(total=sum(job.entry.schedule.epochs for job in todo), label="networks", unit="epoch") as progress:
        listener = threading.Thread(target=lambda: [progress.update(n) for n in iter(news.get, None)], daemon=True)
        listener.start()
        _hear_through(news)
        pool = partial(map_parallel, _train, todo, memory=memory, workers=workers, what="trained networks", apart=apart)
        for stem in pool(initializer=_hear_through, initargs=(news,), environment=environment):
            ended(stem)
        news.put(None)
        listener.join()


def make_jobs(
    settings: Settings, dataset: DataSet, entries: list[Entry] | None = None, folder: Path | None = None
) -> list[Job]:
    """Every member of every ensemble.

    Parameters
    ----------
    settings : Settings
    dataset : DataSet
    entries : list of Entry, optional
        Default the profile's plan.
    folder : Path, optional
        Where the networks lie; default that of the product "models".
    """
    train, validation = dataset.rows("train"), dataset.rows("validation")
    galaxy = np.asarray(dataset.table["subhalo_id"])[train]
    if not len(train) or not len(validation):
        raise NetworkError(f"{dataset.path} has no galaxies for training or validation: it needs about ten.")
    jobs = []
    for entry in entries if entries is not None else plan(settings, len(np.unique(galaxy))):
        channels = dataset.channels(entry.inputs)
        rows = train[share_of(galaxy, entry.share, settings.seed)]
        code = code_of(entry.architecture, entry.head)
        for member in range(entry.schedule.members):
            seed = int(_hash([settings.seed, entry.name, member])[:8], 16)
            key = _hash([entry, seed, channels, dataset.attributes["made_from"], rows.tolist(), code])
            stem = (folder or settings.models_dir) / entry.name / f"member{member}"
            jobs.append(Job(entry, member, seed, key, channels, rows, code, dataset.path, stem))
    return jobs


def code_of(name: str, head: str = "profile") -> dict[str, str]:
    """Versions and fingerprint of the code on which a trained network of an architecture depends."""
    import keras

    from .fit import training_precision

    return {
        "dmlib": __version__,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "precision": training_precision(),
        "defaults": keras_defaults(),
        "sources": fingerprint(*_HEADS[head], architecture(name).module),
    }


def train_member(job: Job, told: Callable[[int], object] = lambda epochs: None) -> None:
    """Train one member and write it: ``member0.keras``, ``member0.history.json``, and last its card."""
    from . import fit

    dataset = read_dataset(job.dataset_path)
    galaxy, ln_m = np.asarray(dataset.table["subhalo_id"]), ln_mass(dataset.dm_profile)
    standard = fit.Standard.of(ln_m[job.rows])
    validation = dataset.rows("validation")
    entry, head, as_targets = job.entry, None, standard.scale
    if entry.head == "normal":
        from . import posterior

        head, layer = posterior.NORMAL, posterior.profile_layer(standard.scale(ln_m[job.rows]), standard)

        def as_targets(some):
            return posterior.targets(layer, standard.scale(some))

    def views(rows: np.ndarray) -> Views:
        inputs = np.empty(
            (len(rows), dataset.input_grid.pixels, dataset.input_grid.pixels, len(job.channels)), dtype=np.float32
        )
        for start in range(0, len(rows), 256):
            inputs[start : start + 256] = dataset.inputs(rows[start : start + 256], job.channels, keep=True)
        return fit.Views(inputs, as_targets(ln_m[rows]), galaxy[rows], standard)

    model, history = fit.fit(
        architecture(entry.architecture),
        job.channels,
        views(job.rows),
        views(validation),
        entry.schedule,
        job.seed,
        head=head,
        name=f"{entry.name}, member {job.member}",
        checkpoint=job.checkpoint,
        told=told,
    )
    gc.collect()  # the state of the optimiser, for the file is made in memory
    best = fit.best_epoch(history)
    drawn = fit.galaxy_counts(galaxy[job.rows], entry.schedule.bagging, job.seed)
    about = ("made_from", "universe_identity", "data", "profile")
    card = Card(
        **asdict(entry),
        member=job.member,
        channels=job.channels,
        pixels=dataset.input_grid.pixels,
        key=job.key,
        dataset={name: str(dataset.attributes[name]) for name in about},
        seed=job.seed,
        galaxies={
            "train": len(np.unique(galaxy[job.rows])),
            "validation": len(np.unique(galaxy[validation])),
            "distinct": len(np.unique(galaxy[job.rows][drawn > 0])),
            "train_views": len(job.rows),
        },
        mean=tuple(standard.mean),
        std=tuple(standard.std),
        parameters=sum(int(np.prod(weight.shape)) for weight in model.trainable_weights),
        epochs_run=len(history["loss"]),
        best_epoch=best + 1,
        best_val_loss=history["val_loss"][best],
        seconds=sum(history["seconds"]),
        code=job.code,
    )
    with atomic_path(job.stem.with_suffix(".keras")) as temporary:
        model.save(temporary)
    write_text(job.stem.with_suffix(".history.json"), json.dumps(history) + "\n")
    write_text(job.stem.with_suffix(".json"), card.model_dump_json(indent=1) + "\n")
    for checkpoint in job.stem.parent.glob(f"{job.stem.name}.checkpoint-*"):
        checkpoint.unlink()


def one_batch(dataset: DataSet, n: int) -> Views:
    """`n` training views for `overfit`, with targets on the scale of all training galaxies.

    They are spread evenly over the file, which is in the order of the catalogue, most massive haloes first: the first
    `n` would all be alike.
    """
    from .fit import Standard, Views

    train = dataset.rows("train")
    ln_m = ln_mass(dataset.dm_profile)
    some = train[np.linspace(0, len(train) - 1, min(n, len(train))).astype(int)]
    standard = Standard.of(ln_m[train])
    galaxy = np.asarray(dataset.table["subhalo_id"])[some]
    return Views(dataset.inputs(some), standard.scale(ln_m[some]), galaxy, standard)


def overfit(
    channels: tuple[str, ...], batch: Views, *, steps: int, seed: int, every: int = 5
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Train each architecture (but the most expensive) on one batch only, as in the authors' scripts.

    The loss must fall if gradients reach the weights and the targets belong to the images. Dropout is off, since its
    purpose is to prevent overfit.

    Parameters
    ----------
    channels : tuple of str
    batch : Views
    steps, seed : int
    every : int
        Steps between two recorded losses.

    Returns
    -------
    dict
        Name -> steps and losses (MSE of the standardised targets of the batch, in training mode).
    """
    from keras import layers

    from . import fit

    found = {}
    for name, entry in ARCHITECTURES.items():
        if entry.cost > _CHEAP:
            continue
        fit.make_deterministic(seed)
        with fit.precision("float32"):
            model = fit.network(entry, channels, batch)
        for layer in model.layers:
            if isinstance(layer, layers.Dropout):
                layer.rate = 0.0
        fit.compile_model(model, 1e-3)
        fit.adapt(model, batch.inputs)
        losses = []
        for _ in range(steps + 1):
            losses.append(float(model.train_on_batch(batch.inputs, batch.targets)))
            model.reset_metrics()
        found[name] = np.arange(0, steps + 1, every), np.array(losses[::every])
    return found


def _remove_others(folder: Path, jobs: list[Job]) -> None:
    """Remove members that are not among the jobs, and empty folders."""
    wanted = {job.stem for job in jobs}
    for path in sorted(folder.rglob("*"), reverse=True) if folder.is_dir() else ():
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        elif path.name.startswith("member") and path.with_name(path.name.partition(".")[0]) not in wanted:
            path.unlink()


def urgency(job: Job) -> tuple[bool, float]:
    """Large: early. Networks that need much memory go first, in a process that holds nothing else; then the longest."""
    cost = architecture(job.entry.architecture).cost
    return cost > _CHEAP, cost * job.entry.schedule.epochs * len(job.rows)


#: Queue through which the bar hears of epochs from this process.
_NEWS: list[Any] = []


def _hear_through(news: Any) -> None:
    _NEWS[:] = [news]


def _train(job: Job) -> Path:
    train_member(job, _NEWS[0].put if _NEWS else lambda epochs: None)  # nobody hears a worker of a cluster
    return job.stem


def make_index(jobs: list[Job]) -> dict[str, Any]:
    """The ensembles in the order of the plan, each with a summary of its members' cards, as in ``index.json``."""
    index: dict[str, Any] = {}
    for job in jobs:
        card = read_card(job.stem.with_suffix(".json"))
        about = card.model_dump(include={"architecture", "inputs", "channels", "parameters", "schedule"})
        entry = index.setdefault(job.entry.name, {**about, "galaxies": card.galaxies["train"], "members": []})
        entry["members"].append(
            card.model_dump(include={"seed", "epochs_run", "best_epoch", "best_val_loss", "seconds"})
        )
    return index


def _hash(content: Any) -> str:
    """Sha256 of a JSON-like object."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
