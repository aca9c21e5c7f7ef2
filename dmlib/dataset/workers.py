"""Many shards at a time with Dask: processes or threads here, or a cluster of any kind."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

import dask
from dask.callbacks import Callback
from dask.delayed import Delayed

from .recipe import DatasetError

#: Schedulers of this machine, as Dask names them.
LOCAL = ("processes", "threads", "synchronous")

#: Memory that one worker may need [bytes].
MEMORY = 2e9

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def choose_workers() -> int:
    """Processes: ``$DMLIB_WORKERS``, else the cores that this process may use, as far as there are 2 GB for each.

    Raises
    ------
    DatasetError
        When the variable is not a positive number.
    """
    asked = os.environ.get("DMLIB_WORKERS", "")
    if asked:
        if not asked.isdigit() or int(asked) < 1:
            raise DatasetError(f"DMLIB_WORKERS is '{asked}': set it to a number of processes, 1 or more, or unset it.")
        return int(asked)
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, min(cores, int(psutil.virtual_memory().available // MEMORY)))


def compute(
    tasks: Sequence[Delayed],
    done: Callable[[Any], object],
    *,
    scheduler: Any = None,
    workers: int | None = None,
) -> None:
    """Compute delayed tasks, whatever computes them.

    Parameters
    ----------
    tasks : sequence of dask.delayed.Delayed
    done : callable
        Called here with each result, in the order in which they come.
    scheduler : str or distributed.Client, optional
        ``processes``, ``threads`` or ``synchronous`` for this machine; the address of a ``dask.distributed`` scheduler
        (``tcp://host:8786``); or a client, for example ``Client(dask_jobqueue.SLURMCluster(...))``. Default
        ``$DMLIB_SCHEDULER``, else processes.
    workers : int, optional
        For this machine; default `choose_workers`.

    Raises
    ------
    DatasetError
        When the scheduler is unknown, or a worker was stopped.
    """
    scheduler = scheduler if scheduler is not None else os.environ.get("DMLIB_SCHEDULER") or "processes"
    if not isinstance(scheduler, str):
        _on_cluster(scheduler, tasks, done)
    elif "://" in scheduler:
        from distributed import Client

        with Client(scheduler) as client:
            _on_cluster(client, tasks, done)
    elif scheduler in LOCAL:
        _here(scheduler, workers or choose_workers(), tasks, done)
    else:
        raise DatasetError(
            f"there is no scheduler '{scheduler}': set {', '.join(LOCAL)}, or the address of a dask scheduler such as "
            "tcp://host:8786."
        )


def _on_cluster(client: Any, tasks: Sequence[Delayed], done: Callable[[Any], object]) -> None:
    from distributed import as_completed

    for _, result in as_completed(client.compute(list(tasks)), with_results=True):
        done(result)


def _here(scheduler: str, workers: int, tasks: Sequence[Delayed], done: Callable[[Any], object]) -> None:
    keys = {task.key for task in tasks}

    def told(key, result, graph, state, worker) -> None:
        if key in keys:
            done(result)

    with Callback(posttask=told):
        workers = min(workers, len(tasks))
        if scheduler == "synchronous" or workers < 2:
            dask.compute(*tasks, scheduler="synchronous")
        elif scheduler == "threads":
            dask.compute(*tasks, scheduler="threads", num_workers=workers)
        else:
            _in_processes(workers, tasks)


def _in_processes(workers: int, tasks: Sequence[Delayed]) -> None:
    context = multiprocessing.get_context("spawn")
    with _one_thread_each(), ProcessPoolExecutor(workers, mp_context=context, initializer=_die_with_parent) as pool:
        try:
            dask.compute(*tasks, scheduler="processes", pool=pool)
        except BrokenProcessPool as error:
            raise DatasetError(
                "a worker that observed galaxies was stopped: where memory is short set DMLIB_WORKERS=1 (finished "
                "blocks are kept), and put what a script does under 'if __name__ == \"__main__\":'."
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _die_with_parent() -> None:
    """A killed parent cannot tell its workers; without this they would go on, beside those of the next run."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that start now compute with one thread each."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
