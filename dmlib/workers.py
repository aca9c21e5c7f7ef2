"""Processes: how many, one pool for all work, blocks of results that outlive an interruption, and progress bars.

Bars are live in a terminal or a notebook, and silent in CI, in logs and when `dmlib run` executes a notebook.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import util
from multiprocessing.synchronize import SemLock
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np
from tqdm.auto import tqdm

from .environment import change_variables, cores
from .environment import memory as memory_left
from .errors import DmlibError, GalaxyError
from .files import UNFINISHED, atomic_path

Item = TypeVar("Item")
Result = TypeVar("Result")
Todo = tuple[str, Any]  # name of a block, and what it is made for: a list, or a table
Apply = Callable[[Callable[[Todo], int], list[Todo]], Iterable[int]]  # `map_parallel` with its options

#: Galaxies set aside whose reasons are printed.
_TOLD = 10

#: The variable with the address of a dask scheduler (``tcp://host:8786``).
SCHEDULER = "DMLIB_SCHEDULER"

#: Variables that hold on its workers as they do here; others, of SKIRT for example, are those of their machine.
_SENT = ("DMLIB_BUILD", "DMLIB_PRECISION")

#: Variables of a process that computes with one thread.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")

#: Variables with which the C library keeps freed memory for the next array instead of asking the system anew: of the
#: time in which a worker observes a galaxy, an eighth went into pages that the system had to clear. Others ignore them.
KEPT_MEMORY = dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(2**30))


def single_thread() -> dict[str, str]:
    """Environment variables of a process in which each operation uses one thread; they must precede Keras's import.

    Members trained in parallel share the machine, and a seed must give the same result twice.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "multi_thread_eigen" not in flags:
        flags = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
    return {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "XLA_FLAGS": flags}


def choose_workers(memory: float, at_most: int | None = None) -> int:
    """Processes: ``$DMLIB_WORKERS``, else the cores that this process may use, as far as memory reaches.

    The limits of a container count as those of the machine.

    Parameters
    ----------
    memory : float
        What one worker needs [bytes].
    at_most : int, optional
        No more than so many, unless the variable asks for them.

    Raises
    ------
    DmlibError
        When the variable is not a positive number.
    """
    asked = os.environ.get("DMLIB_WORKERS", "")
    if asked:
        if not asked.isdigit() or int(asked) < 1:
            raise DmlibError(f"DMLIB_WORKERS is '{asked}': set it to a number of processes, 1 or more, or unset it.")
        return int(asked)
    allowed = cores()
    return max(1, min(allowed, at_most or allowed, int(memory_left()[1] // memory)))


@contextmanager
def worker_environment(**also: str | None) -> Iterator[None]:
    """Let processes that start now compute with one thread each, and keep the memory that they free.

    By keyword what else they get, or None for nothing.
    """
    changed = {**ONE_THREAD, **KEPT_MEMORY, **also}
    before = {name: os.environ.get(name) for name in changed}
    try:
        change_variables(changed)
        yield
    finally:
        change_variables(before)


def map_parallel(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    memory: float,
    workers: int | None = None,
    what: str = "worked",
    initializer: Callable[..., object] | None = None,
    initargs: tuple = (),
    environment: Mapping[str, str | None] | None = None,
    apart: bool = False,
    following: Callable[[list[Item], list[Item]], Item | None] = lambda waiting, running: waiting[0],
    local: bool = False,
) -> Iterator[Result]:
    """Apply a function to every item, on as many processes as memory and cores allow; results come as they are done.

    One process, or one item, is worked on right here, unless it is to be `apart`. The function must give the same
    result for an item wherever it runs. Closing the iterator, or an error, cancels what has not begun. Where
    ``$DMLIB_SCHEDULER`` is set, the machines of a cluster do the work, see `map_on_cluster`.

    Parameters
    ----------
    function : callable
        Of a module, so that it can be sent to another process.
    items : sequence
    memory : float
        What one worker needs [bytes].
    workers : int, optional
        Default `choose_workers`.
    what : str
        What the workers do, for the error: ``"observed galaxies"``.
    initializer, initargs
        Called first in each worker of this machine.
    environment : mapping, optional
        Further variables of the workers; None for those that they do not get.
    apart : bool
        Also a single process is a child, which gives its memory back when it ends.
    following : callable
        ``following(waiting, running)``: the item that begins now, or None when one that runs must end before; asked as
        long as items wait. Of one process, the order of the items is the order of work.
    local : bool
        On this machine even if there is a cluster.

    Yields
    ------
    object
        Results, in no particular order.

    Raises
    ------
    DmlibError
        When a worker was stopped from outside.
    Exception
        The first that the function raised.
    """
    if os.environ.get(SCHEDULER) and workers != 1 and not local:
        there = partial(_apart, function, environment) if environment else function
        yield from map_on_cluster(there, items, what)
        return
    workers = min(workers or choose_workers(memory), len(items))
    if workers < 2 and not (apart and items):
        yield from map(function, items)
        return
    context, others = multiprocessing.get_context("spawn"), set(multiprocessing.active_children())
    with (
        worker_environment(**environment or {}),
        ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(initializer, initargs)) as pool,
    ):
        finished: SimpleQueue[Future[Result]] = SimpleQueue()
        waiting, running = list(items), dict[Future[Result], Item]()
        try:
            while waiting or running:
                while waiting and (item := following(waiting, [*running.values()])) is not None:
                    waiting.remove(item)
                    with _interrupts_later():
                        future = pool.submit(function, item)
                    running[future] = item
                    future.add_done_callback(finished.put)
                future = finished.get()
                del running[future]
                yield future.result()
        except BrokenProcessPool as error:
            raise DmlibError(
                f"a worker that {what} was stopped: with little memory set DMLIB_WORKERS=1; what a script does must "
                "stand under 'if __name__ == \"__main__\":'. What is finished is kept."
            ) from error
        except BaseException:
            for child in set(multiprocessing.active_children()) - others:
                child.terminate()  # Ctrl-C reaches them too, but a signal to this process alone does not
            # Its thread has ended then: Python, on leaving, would wake it through a pipe that it may just be closing.
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def map_on_cluster(function: Callable[[Item], Result], items: Sequence[Item], what: str) -> Iterator[Result]:
    """Apply a function to every item on the workers of a running dask scheduler, that of ``DMLIB_SCHEDULER``.

    Everything that is done with `map_parallel` then runs there: the universe, targets, the data set, trainings (one
    worker a member), predictions, rotation fits. Chapters are executed on this machine. The workers must have one
    thread each, and see the checkout, its environment, the universe and the build folder under the same paths. A worker
    that is lost has its work done by another, and the result does not change by a bit.

    Parameters
    ----------
    function : callable
    items : sequence
    what : str
        What the workers do, for the error.

    Yields
    ------
    object
        Results as they are done.

    Raises
    ------
    DmlibError
        When dask is missing, the scheduler cannot be reached, a worker has several threads, or several workers were
        lost with the same item.
    Exception
        The first that the function raised.
    """
    try:
        from distributed import Client, KilledWorker, as_completed
    except ImportError as error:
        raise DmlibError(f"{SCHEDULER} is set, but dask is missing: pip install 'dmlib[cluster]'.") from error
    address = os.environ[SCHEDULER]
    try:
        client = Client(address, timeout="30s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise DmlibError(f"no dask scheduler answers at {SCHEDULER}={address}: start it, or unset it.") from error
    with client:
        if any(worker["nthreads"] != 1 for worker in client.scheduler_info(n_workers=-1)["workers"].values()):
            raise DmlibError(f"a worker of {address} has several threads: start workers with --nthreads 1.")
        here = {name: os.environ.get(name) for name in _SENT}
        # Not pure: a block must be made again although dask remembers its result.
        futures = client.map(partial(_there, function, here), items, pure=False)
        try:
            for _, result in as_completed(futures, loop=client.loop, with_results=True):
                yield result
        except KilledWorker as error:
            raise DmlibError(
                f"several workers of {address} that {what} were lost with the same item: give them more memory. What "
                "is finished is kept."
            ) from error


def _there(function: Callable[[Any], Any], here: Mapping[str, str | None], item: Any) -> Any:
    """Call a function on a worker."""
    change_variables({**here, SCHEDULER: None})  # what the function itself divides stays on its worker
    return function(item)


def _apart(function: Callable[[Item], Result], environment: Mapping[str, str | None], item: Item) -> Result:
    """Apply a function in a child of a cluster's worker: threads of the worker itself draw from `random` as well."""
    if multiprocessing.current_process().daemon:
        raise DmlibError(
            "workers must be allowed to start processes: set DASK_DISTRIBUTED__WORKER__DAEMON=False there."
        )
    (result,) = map_parallel(function, [item], memory=1.0, environment=environment, apart=True, local=True)
    return result


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Let Ctrl-C wait, here and in processes that start meanwhile: half-way through a start, both print tracebacks.

    The processes hear of it in `end_with_parent`.
    """
    heard: list[int] = []
    here = threading.current_thread() is threading.main_thread()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    # A thread of a library may take the signal all the same, and Python then answers it here.
    handler = signal.signal(signal.SIGINT, lambda number, _: heard.append(number)) if here else None
    try:
        yield
    finally:
        if here:
            signal.signal(signal.SIGINT, signal.SIG_DFL if handler is None else handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if heard:
            signal.raise_signal(signal.SIGINT)


def _start(initializer: Callable[..., object] | None, initargs: tuple) -> None:
    end_with_parent()
    _compute_in_batch()
    if initializer is not None:
        initializer(*initargs)


def _compute_in_batch() -> None:
    """Tell Linux that this process computes and answers nobody, so that none of its threads interrupts another.

    A training is two threads in turn. Two of them on two cores otherwise leave a fifth of the time of both unused.
    """
    if hasattr(os, "sched_setscheduler") and os.sched_getscheduler(0) == os.SCHED_OTHER:
        with suppress(PermissionError):  # where a container forbids it, it only takes longer
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def digest_of(*parts: Any) -> str:
    """Sha256 of some things: of arrays by their content, of others by their representation."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(np.ascontiguousarray(part).tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Blocks:
    """Named blocks of arrays in a folder, each written whole or not at all: what an interrupted run keeps.

    Parameters
    ----------
    folder : Path
    """

    folder: Path

    @classmethod
    def of(cls, place: Path, *made_from: Any) -> Blocks:
        """Blocks beside a product; those that were made from something else go.

        Parameters
        ----------
        place : Path
            Where the product will lie.
        *made_from
            All that the blocks depend on, as `digest_of` takes it.
        """
        folder = place.with_name(f".{place.stem}.blocks-{digest_of(*made_from)[:12]}")
        for stale in place.parent.glob(f".{place.stem}.blocks-*"):
            if stale != folder:
                shutil.rmtree(stale)
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder)

    def path(self, name: str) -> Path:
        """Where a block lies."""
        return self.folder / f"{name}.npz"

    def write(self, name: str, **arrays: Any) -> None:
        """Write a block."""
        with atomic_path(self.path(name)) as temporary:
            np.savez(temporary, **arrays)

    def read(self, name: str) -> dict[str, np.ndarray] | None:
        """Arrays of a block; None where it is missing or damaged."""
        try:
            with np.load(self.path(name)) as stored:
                return {key: stored[key] for key in stored.files}
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
            return None

    def remove(self) -> None:
        """Remove all blocks, once the product is made of them."""
        shutil.rmtree(self.folder)


def in_blocks(
    one: Callable[[int], dict[str, np.ndarray]],
    ids: Sequence[int],
    blocks: Blocks,
    *,
    size: int,
    label: str,
    apply: Apply,
) -> Iterator[tuple[list[int], dict[str, np.ndarray], dict[int, str]]]:
    """Measure galaxies in blocks that outlive an interruption; then give the blocks in order, one at a time.

    Parameters
    ----------
    one : callable
        ``one(subhalo_id)``: arrays of one galaxy, the same for all. A galaxy with a `GalaxyError` is set aside.
    ids : sequence of int
    blocks : Blocks
        Its key says what the arrays depend on, `size` and the galaxies included.
    size : int
        Galaxies of a block.
    label : str
        Of the progress bar.
    apply : callable
        `map_parallel` with its options, or the same on other machines.

    Yields
    ------
    ids : list of int
        Galaxies of the block that were measured.
    arrays : dict of ndarray, shape (len(ids), ...)
        Empty when none was.
    set_aside : dict of str
        The others, with the reason.
    """
    todo = [(f"{start:06d}", list(ids[start : start + size])) for start in range(0, len(ids), size)]
    complete(blocks, partial(_measure_block, one, blocks), todo, label=label, apply=apply)
    return (_read_block(blocks, name) for name, _ in todo)


def complete(
    blocks: Blocks, work: Callable[[Todo], int], todo: Sequence[Todo], *, label: str, apply: Apply, unit: str = "galaxy"
) -> None:
    """Make those of some blocks that are not there yet, with a progress bar.

    Parameters
    ----------
    blocks : Blocks
    work : callable
        Makes and writes a block, given its name and what it is made for; returns how many things that are.
    todo : sequence of (str, sized)
    label, unit : str
        Of the bar.
    apply : callable
        As of `in_blocks`.
    """
    left = [(name, some) for name, some in todo if blocks.read(name) is None]
    total, missing = (sum(len(some) for _, some in these) for these in (todo, left))
    with bar(total=total, label=label, unit=unit) as progress:
        progress.update(total - missing)
        for n in apply(work, left):
            progress.update(n)


def _read_block(blocks: Blocks, name: str) -> tuple[list[int], dict[str, np.ndarray], dict[int, str]]:
    stored = blocks.read(name) or {}
    found, aside, reasons = (stored.pop(key).tolist() for key in ("_ids", "_aside", "_reasons"))
    return found, stored, dict(zip(aside, reasons, strict=True))


def _measure_block(one: Callable[[int], dict[str, np.ndarray]], blocks: Blocks, block: Todo) -> int:
    """Measure the galaxies of a block and write it; the number of galaxies worked through."""
    name, ids = block
    found: dict[int, dict[str, np.ndarray]] = {}
    set_aside: dict[int, str] = {}
    for subhalo_id in ids:
        try:
            found[subhalo_id] = one(subhalo_id)
        except GalaxyError as error:
            # A file that cannot be read is no property of a galaxy, and stops everything (UniverseError).
            set_aside[subhalo_id] = str(error)
        except Exception as error:
            error.add_note(f"while observing subhalo {subhalo_id}")
            raise
    arrays = {key: np.stack([each[key] for each in found.values()]) for key in next(iter(found.values()), {})}
    aside = {
        "_aside": np.array(list(set_aside), dtype=np.int64),
        "_reasons": np.array([*set_aside.values()], dtype=str),
    }
    blocks.write(name, _ids=np.array(list(found), dtype=np.int64), **aside, **arrays)
    return len(ids)


def end_with_parent() -> None:
    """To be called first in a worker: it ends when its parent does, and silently on Ctrl-C.

    A killed parent cannot tell its workers; without this they would go on beside those of the next run. On Ctrl-C the
    parent says what there is to say.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None

    def leave(*_: object) -> None:
        for path in tuple(UNFINISHED):
            path.unlink(missing_ok=True)
        _remove_locks()
        os._exit(1)

    def wait() -> None:
        parent.join()
        # The main thread may be about to write such a file again, so it is the one to remove it, unless a long
        # calculation holds it.
        if main := threading.main_thread().ident:
            signal.pthread_kill(main, signal.SIGTERM)
            time.sleep(5)
        leave()

    threading.Thread(target=wait, daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _remove_locks() -> None:
    """Remove the locks that this process shares with workers of its own, as it would if it ended of itself.

    Python keeps account of them, and in the end would name them as leaked on the screen. The workers go first: one that
    is just starting would look for its locks, and print a traceback.
    """
    workers = multiprocessing.active_children()
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join(5)
    for entry in list(util._finalizer_registry.values()):  # type: ignore[attr-defined]
        if getattr(entry, "_callback", None) is SemLock._cleanup:  # type: ignore[attr-defined]
            with suppress(FileNotFoundError):  # the other end has removed it
                entry()


def quiet() -> bool:
    """Whether bars stay silent: ``CI`` or ``DMLIB_QUIET`` is set, or nobody watches the output."""
    if os.environ.get("CI") or os.environ.get("DMLIB_QUIET"):
        return True
    return not (sys.stderr.isatty() or _in_notebook())


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


def bar(iterable: Iterable | None = None, *, total: int | None = None, label: str = "", unit: str = "it") -> tqdm:
    """A tqdm bar with rate and time left.

    Parameters
    ----------
    iterable : iterable, optional
        What is worked through; without it call ``update``.
    total : int, optional
        Number of items where the iterable has no length.
    label, unit : str
        What is done, and what is counted (for example ``galaxy``).
    """
    return tqdm(iterable, total=total, desc=label, unit=unit, disable=quiet(), dynamic_ncols=True, leave=False)


def tell_set_aside(what: str, set_aside: Mapping[int, str], total: int) -> None:
    """Say how many galaxies a product is without, and why; the product keeps all reasons.

    Parameters
    ----------
    what : str
        The product.
    set_aside : mapping
        Subhalo id -> reason.
    total : int
        Galaxies of the sample.
    """
    if set_aside:
        print(f"{what}: {len(set_aside)} of {total} galaxies set aside", file=sys.stderr)
        for subhalo_id, reason in sorted(set_aside.items())[:_TOLD]:
            print(f"  subhalo {subhalo_id}: {reason}", file=sys.stderr)
        if len(set_aside) > _TOLD:
            print(f"  and {len(set_aside) - _TOLD} more, with their reasons in the file", file=sys.stderr)
