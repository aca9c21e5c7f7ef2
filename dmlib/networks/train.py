"""All trainings of a profile, side by side on the cores there are: builds the product "models"."""

from __future__ import annotations

import json
import multiprocessing
import queue
import shutil
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..dataset.read import DataSet, ln_mass, read_dataset
from ..files import atomic_path, write_text
from ..progress import bar
from ..settings import Settings
from ..workers import choose_workers, end_with_parent, worker_environment
from . import backend
from .card import Card, NetworkError, fingerprint, read_card, sources
from .plan import Entry, plan
from .targets import Standard

#: Memory that one worker needs beside its data [bytes].
MEMORY = 2.0e9

#: Name of the folder in which normalised inputs lie while networks are trained.
_INPUTS = ".inputs"


@dataclass(frozen=True)
class Job:
    """One member of one ensemble, as a worker is given it."""

    entry: Entry
    member: int
    seed: int
    key: str
    channels: tuple[str, ...]
    columns: tuple[int, ...]
    rows: np.ndarray
    validation: np.ndarray
    folder: Path
    inputs: Path
    ln_m: np.ndarray
    galaxy: np.ndarray
    dataset: dict[str, Any]

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.entry.name}, member {self.member}"


def member_stem(member: int) -> str:
    """Name of a member's files without their suffix."""
    return f"member{member}"


def build(settings: Settings, *, entries: list[Entry] | None = None, workers: int | None = None) -> None:
    """Make the product "models": train what is not there yet; goes on where a killed run stopped.

    A member that was trained with the same data, code, schedule and seed is kept.

    Parameters
    ----------
    settings : Settings
    entries : list of Entry, optional
        What is trained; by default the profile's plan.
    workers : int, optional
        Processes; one with an accelerator, else `dmlib.workers.choose_workers`.

    Raises
    ------
    NetworkError
        When a training fails.
    """
    dataset = read_dataset(settings.dataset_path)
    jobs = make_jobs(settings, dataset, entries)
    _remove_others(settings.models_dir, jobs)
    left = [job for job in jobs if not is_finished(job)]
    if left:
        _write_inputs(dataset, left[0].inputs)
        try:
            _run(left, workers)
        finally:
            shutil.rmtree(settings.models_dir / _INPUTS, ignore_errors=True)
    _write_index(settings, jobs)


def make_jobs(settings: Settings, dataset: DataSet, entries: list[Entry] | None = None) -> list[Job]:
    """Every member of every ensemble.

    Parameters
    ----------
    settings : Settings
    dataset : DataSet
    entries : list of Entry, optional
    """
    train, validation = dataset.rows("train"), dataset.rows("validation")
    galaxy = np.asarray(dataset.table["subhalo_id"])
    if not len(train) or not len(validation):
        raise NetworkError(f"{dataset.path} has no galaxies to train or to validate with: it needs about ten.")
    ln_m = ln_mass(dataset.dm_profile)
    about = {name: dataset.attributes[name] for name in ("made_from", "universe_identity", "data", "profile")}
    everything = dataset.channels("all")
    jobs = []
    for entry in entries if entries is not None else plan(settings, len(np.unique(galaxy[train]))):
        channels = dataset.channels(entry.inputs)
        rows = train[share_of(galaxy[train], entry.share, settings.seed)]
        for member in range(entry.schedule.members):
            seed = int(fingerprint([settings.seed, entry.name, member])[:8], 16)
            content = [entry, seed, channels, about["made_from"], rows.tolist(), code_of(entry.architecture)]
            jobs.append(
                Job(
                    entry=entry,
                    member=member,
                    seed=seed,
                    key=fingerprint(content),
                    channels=channels,
                    columns=tuple(everything.index(name) for name in channels),
                    rows=rows,
                    validation=validation,
                    folder=settings.models_dir / entry.name,
                    inputs=settings.models_dir / _INPUTS / "inputs.npy",
                    ln_m=ln_m,
                    galaxy=galaxy,
                    dataset={name: str(value) for name, value in about.items()},
                )
            )
    return jobs


def code_of(architecture: str) -> dict[str, str]:
    """What of the code decides a trained network."""
    import keras

    from .architectures import ARCHITECTURES

    modules = ("fit.py", "augment.py", "losses.py", "targets.py", *ARCHITECTURES[architecture].modules)
    return {
        "dmlib": __version__,
        "keras": keras.__version__,
        "backend": backend.name(),
        "precision": backend.precision(),
        "sources": sources(*modules),
    }


def is_finished(job: Job) -> bool:
    """Whether a member is there and is the one that is wanted."""
    stem = job.folder / member_stem(job.member)
    card = stem.with_suffix(".json")
    if not (card.is_file() and stem.with_suffix(".keras").is_file()):
        return False
    try:
        return read_card(card).key == job.key
    except NetworkError:
        return False


def train_member(job: Job, told=lambda epochs: None, *, checkpoint_seconds: float | None = None) -> Card:
    """Train one member and write it: ``member0.keras``, ``member0.history.json``, and last its card."""
    from . import fit as fitting
    from .architectures import cost

    stored = np.load(job.inputs, mmap_mode="r")

    def views(rows: np.ndarray, standard: Standard) -> fitting.Views:
        inputs = np.ascontiguousarray(stored[rows][..., list(job.columns)])
        return fitting.Views(inputs, standard.scale(job.ln_m[rows]), job.galaxy[rows])

    standard = Standard.of(job.ln_m[job.rows])
    stem = job.folder / member_stem(job.member)
    checkpoint = stem.with_suffix(".checkpoint.npz")
    fitted = fitting.fit(
        job.entry.architecture,
        job.channels,
        views(job.rows, standard),
        views(job.validation, standard),
        job.entry.schedule,
        job.seed,
        name=job.label,
        checkpoint=checkpoint,
        key=job.key,
        told=told,
        checkpoint_seconds=fitting.CHECKPOINT_SECONDS if checkpoint_seconds is None else checkpoint_seconds,
    )
    history = fitted.history
    drawn = fitting.galaxy_weights(job.galaxy[job.rows], job.entry.schedule.bagging, job.seed)
    card = Card(
        name=job.entry.name,
        architecture=job.entry.architecture,
        inputs=job.entry.inputs,
        member=job.member,
        channels=job.channels,
        pixels=stored.shape[1],
        key=job.key,
        dataset=job.dataset,
        schedule=job.entry.schedule.as_dict(),
        seed=job.seed,
        galaxies={
            "train": len(np.unique(job.galaxy[job.rows])),
            "validation": len(np.unique(job.galaxy[job.validation])),
            "distinct": len(np.unique(job.galaxy[job.rows][drawn > 0])),
            "train_views": len(job.rows),
        },
        mean=tuple(standard.mean),
        std=tuple(standard.std),
        parameters=cost(fitted.model)["parameters"],
        epochs_run=len(history.loss),
        best_epoch=history.best + 1,
        best_val_loss=history.val_loss[history.best],
        seconds=sum(history.seconds),
        code=code_of(job.entry.architecture),
    )
    with atomic_path(stem.with_suffix(".keras")) as temporary:
        fitted.model.save(temporary)
    write_text(stem.with_suffix(".history.json"), json.dumps(history.as_dict()) + "\n")
    write_text(stem.with_suffix(".json"), card.model_dump_json(indent=1) + "\n")
    checkpoint.unlink(missing_ok=True)
    return card


def share_of(galaxy: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Views of a share of the galaxies, drawn at random; a smaller share is part of a larger one."""
    distinct = np.random.default_rng([seed, 0x736861]).permutation(np.unique(galaxy))
    return np.flatnonzero(np.isin(galaxy, distinct[: round(share * len(distinct))]))


def _remove_others(folder: Path, jobs: list[Job]) -> None:
    """Members that no plan wants any more."""
    wanted = {job.folder / member_stem(job.member) for job in jobs}
    for path in folder.rglob("member*") if folder.is_dir() else ():
        if path.parent / path.name.split(".")[0] not in wanted:
            path.unlink()
    for path in sorted(folder.rglob("*"), reverse=True) if folder.is_dir() else ():
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _write_inputs(dataset: DataSet, path: Path) -> None:
    """Normalised inputs of all views in one array, which workers map instead of each making their own."""
    pixels, channels = dataset.grid.pixels, dataset.channels("all")
    with atomic_path(path) as temporary:
        shape = (len(dataset), pixels, pixels, len(channels))
        out = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=shape)
        for start in range(0, len(dataset), 256):
            rows = np.arange(start, min(start + 256, len(dataset)))
            out[rows] = dataset.inputs(rows, "all")
        out.flush()
        del out


def _run(jobs: list[Job], workers: int | None) -> None:
    jobs = sorted(jobs, key=_expected, reverse=True)
    total = sum(job.entry.schedule.epochs for job in jobs)
    workers = min(len(jobs), workers or _workers(jobs[0].inputs))
    with bar(total=total, label="networks", unit="epoch") as progress:
        if workers == 1:
            _in_this_process(jobs, progress)
        else:
            _in_processes(jobs, workers, progress)


def _workers(inputs: Path) -> int:
    # Asked without importing the backend's devices into this process when the processor is all there is.
    if backend.has_accelerator():
        return 1
    return choose_workers(MEMORY + 2.0 * inputs.stat().st_size)


def _expected(job: Job) -> float:
    """Something like the time that a member takes, so that the longest start first."""
    price = {"ResNet50": 12.0, "B": 2.0, "A": 1.5, "A_scripts": 1.3}.get(job.entry.architecture, 1.0)
    return price * job.entry.schedule.epochs * len(job.rows)


def _in_this_process(jobs: list[Job], progress) -> None:
    for job in jobs:
        done = [0]

        def told(epochs: int, done=done) -> None:
            progress.update(epochs - done[0])
            done[0] = epochs

        train_member(job, told)
        progress.update(job.entry.schedule.epochs - done[0])


def _in_processes(jobs: list[Job], workers: int, progress) -> None:
    context = multiprocessing.get_context("spawn")
    news = context.Queue()
    threads = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    with (
        worker_environment(**threads),
        ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(news,)) as pool,
    ):
        futures: dict[Future, Job] = {pool.submit(_work, k, job): job for k, job in enumerate(jobs)}
        epochs = np.zeros(len(jobs), dtype=int)
        try:
            todo = set(futures)
            while todo:
                finished, todo = wait(todo, timeout=0.5, return_when=FIRST_COMPLETED)
                _hear(news, epochs, progress)
                for future in finished:
                    future.result()
                    k = jobs.index(futures[future])
                    progress.update(futures[future].entry.schedule.epochs - int(epochs[k]))
                    epochs[k] = futures[future].entry.schedule.epochs
        except BrokenProcessPool as error:
            raise NetworkError(
                "a process that trained networks was stopped: where memory is short set DMLIB_WORKERS=1 (finished "
                "members and epochs are kept), and put what a script does under 'if __name__ == \"__main__\":'."
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _hear(news, epochs: np.ndarray, progress) -> None:
    while True:
        try:
            k, done = news.get_nowait()
        except queue.Empty:
            return
        if done > epochs[k]:
            progress.update(done - int(epochs[k]))
            epochs[k] = done


_NEWS: list[Any] = []


def _start(news) -> None:
    end_with_parent()
    backend.prepare(threads=1)
    _NEWS[:] = [news]


def _work(k: int, job: Job) -> None:
    train_member(job, lambda epochs: _NEWS[0].put((k, epochs)))


def _write_index(settings: Settings, jobs: list[Job]) -> None:
    """``index.json``: the ensembles in the order of the plan, with their members' cards in short."""
    index: dict[str, Any] = {}
    for job in jobs:
        card = read_card((job.folder / member_stem(job.member)).with_suffix(".json"))
        entry = index.setdefault(
            job.entry.name,
            {
                "architecture": card.architecture,
                "inputs": card.inputs,
                "channels": list(card.channels),
                "galaxies": card.galaxies["train"],
                "parameters": card.parameters,
                "schedule": card.schedule,
                "members": [],
            },
        )
        entry["members"].append(
            {name: getattr(card, name) for name in ("seed", "epochs_run", "best_epoch", "best_val_loss", "seconds")}
        )
    write_text(settings.models_dir / "index.json", json.dumps(index, indent=1) + "\n")
