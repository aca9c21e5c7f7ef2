"""How many processes work at once on this machine, and how they start and end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from .errors import DmlibError

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


def end_with_parent() -> None:
    """To be called first in a worker: it ends when its parent does, and on Ctrl-C without a word.

    A killed parent cannot tell its workers; without this they would go on, beside those of the next run. Of Ctrl-C the
    parent says what there is to say.
    """
    parent = multiprocessing.parent_process()

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
    signal.signal(signal.SIGINT, lambda *_: os._exit(1))
