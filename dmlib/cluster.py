"""Work on the machines of a cluster: ``DMLIB_SCHEDULER`` names a running dask scheduler (``tcp://host:8786``).

Everything that is done with `dmlib.workers.map_parallel` then runs on the scheduler's workers: the universe, targets,
the data set, trainings (one worker a member), predictions, rotation fits. Chapters are executed on this machine. The
workers must have one thread each, and see the checkout, its environment, the universe and the build folder under the
same paths. A worker that is lost has its work done by another, and the result does not change by a bit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from .environment import change_variables
from .errors import DmlibError

Item = TypeVar("Item")
Result = TypeVar("Result")

#: The variable with the scheduler's address.
SCHEDULER = "DMLIB_SCHEDULER"

#: Variables that hold on the workers as they do here; others, of SKIRT for example, are those of their machine.
_SENT = ("DMLIB_BUILD", "DMLIB_PRECISION")


def map_on_cluster(function: Callable[[Item], Result], items: Sequence[Item], what: str) -> Iterator[Result]:
    """Apply a function to every item on the workers of the scheduler; results come as they are done.

    Parameters
    ----------
    function : callable
    items : sequence
    what : str
        What the workers do, for the error.

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
