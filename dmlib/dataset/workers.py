"""Many shards at a time with Dask: processes or threads here, or a cluster of any kind."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import dask
from dask.callbacks import Callback
from dask.delayed import Delayed

from ..workers import choose_workers, end_with_parent, worker_environment
from .recipe import DatasetError

#: Schedulers of this machine, as Dask names them.
LOCAL = ("processes", "threads", "synchronous")

#: Memory that one worker may need [bytes].
MEMORY = 2e9


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
        For this machine; default `dmlib.workers.choose_workers`.

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
        _here(scheduler, workers or choose_workers(MEMORY), tasks, done)
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
    with worker_environment(), ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent) as pool:
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
