"""Processes: how many, and how they start and end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

#: With these the C library keeps freed memory for the next array instead of asking the system anew, which has to clear
#: it: a sixteenth of the time of writing. Other C libraries ignore them.
_KEPT_MEMORY = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


def choose_workers(memory: float, at_most: int) -> int:
    """Choose the number of processes: the cores that this process may use, as far as the memory suffices.

    Parameters
    ----------
    memory : float
        Bytes that one worker needs.
    at_most : int
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, min(cores, at_most, int(available_memory() // memory)))


def available_memory() -> float:
    """Bytes, from Linux; elsewhere unlimited."""
    try:
        with open("/proc/meminfo") as lines:
            kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return float("inf")
    return 1024.0 * int(kilobytes)


def map_in_processes(
    function: Callable[[int], Any], items: Iterable[int], workers: int, environment: dict[str, str]
) -> Iterator[None]:
    """Call a function of each item in processes of one thread each, in any order; yields after each call.

    Workers end with this process. When a call raises, the others are cancelled.

    Raises
    ------
    BrokenProcessPool
        When a worker was killed.
    """
    context, others = multiprocessing.get_context("spawn"), set(multiprocessing.active_children())
    always = dict.fromkeys(_THREAD_VARIABLES, "1") | dict.fromkeys(_KEPT_MEMORY, str(2**30))
    with (
        _environment(always | environment),
        ProcessPoolExecutor(workers, mp_context=context, initializer=_start) as pool,
    ):
        try:
            with _interrupts_later():
                futures = [pool.submit(function, item) for item in items]
            for future in as_completed(futures):
                future.result()
                yield
        except BaseException:
            for child in set(multiprocessing.active_children()) - others:
                child.terminate()
            pool.shutdown(wait=True, cancel_futures=True)  # or Python, on leaving, would wake a thread that is ending
            raise


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Let Ctrl-C wait while processes start, here and in them: half-way through, both would print tracebacks."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start() -> None:
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    # A killed parent cannot stop its workers: they stop themselves. On Ctrl-C only the parent prints a message.
    threading.Thread(target=wait, daemon=True).start()
    signal.signal(signal.SIGINT, lambda *_: os._exit(1))
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextmanager
def _environment(changed: dict[str, str]) -> Iterator[None]:
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
