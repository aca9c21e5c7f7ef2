"""Processes: how many, one pool for all work, blocks of results that outlive an interruption, and progress bars.

Bars are live in a terminal or a notebook, and silent in CI, in logs and when `dmlib run` executes a notebook.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil
from tqdm.auto import tqdm

from .errors import DmlibError
from .files import atomic_path

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Galaxies set aside whose reasons are printed.
_TOLD = 10

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def choose_workers(memory: float, at_most: int | None = None) -> int:
    """Processes: ``$DMLIB_WORKERS``, else the cores that this process may use, as far as memory reaches.

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
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, min(cores, at_most or cores, int(psutil.virtual_memory().available // memory)))


@contextmanager
def worker_environment(**also: str) -> Iterator[None]:
    """Let processes that start now compute with one thread each; further variables for them by keyword."""
    changed = {**dict.fromkeys(_THREAD_VARIABLES, "1"), **also}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def map_parallel(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    memory: float,
    workers: int | None = None,
    what: str = "worked",
    initializer: Callable[..., object] | None = None,
    initargs: tuple = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Result]:
    """Apply a function to every item, on as many processes as memory and cores allow; results come as they are done.

    One process, or one item, is worked on right here. The function must give the same result for an item wherever it
    runs. Closing the iterator, or an error, cancels what has not begun.

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
        Called first in each worker.
    environment : mapping, optional
        Further variables of the workers.

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
    workers = min(workers or choose_workers(memory), len(items))
    if workers < 2:
        yield from map(function, items)
        return
    context = multiprocessing.get_context("spawn")
    with (
        worker_environment(**environment or {}),
        ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(initializer, initargs)) as pool,
    ):
        try:
            for future in as_completed([pool.submit(function, item) for item in items]):
                yield future.result()
        except BrokenProcessPool as error:
            raise DmlibError(
                f"a worker that {what} was stopped: where memory is short set DMLIB_WORKERS=1 (what is finished is "
                "kept), and put what a script does under 'if __name__ == \"__main__\":'."
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start(initializer: Callable[..., object] | None, initargs: tuple) -> None:
    end_with_parent()
    if initializer is not None:
        initializer(*initargs)


@dataclass(frozen=True)
class Blocks:
    """Named blocks of arrays in a folder, each written whole or not at all: what an interrupted run keeps.

    Parameters
    ----------
    folder : Path
    """

    folder: Path

    @classmethod
    def of(cls, place: Path, key: str) -> Blocks:
        """Blocks beside a product, for a fingerprint of what they are made from; those of other fingerprints go.

        Parameters
        ----------
        place : Path
            Where the product will lie.
        key : str
        """
        folder = place.with_name(f".{place.stem}.blocks-{key[:12]}")
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


def end_with_parent() -> None:
    """To be called first in a worker: it ends when its parent does, and silently on Ctrl-C.

    A killed parent cannot tell its workers; without this they would go on beside those of the next run. On Ctrl-C the
    parent says what there is to say.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
    signal.signal(signal.SIGINT, lambda *_: os._exit(1))


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
