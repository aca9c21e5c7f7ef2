"""Requests to the TNG web API: few at once, repeated with patience, and with the key in the request's header only."""

from __future__ import annotations

import math
import os
import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from ...errors import FetchError
from ...manifest.download import Downloader, Exhausted, Gate, tng_url

Job = TypeVar("Job")

#: What the environment can change: variable -> (default, least, most). Pauses and time-outs in seconds.
LIMITS: dict[str, tuple[float, float, float]] = {
    "DMLIB_TNG_CONNECTIONS": (4, 1, 8),
    "DMLIB_TNG_ATTEMPTS": (6, 1, 50),
    "DMLIB_TNG_PAUSE": (1.0, 0.0, 60.0),
    "DMLIB_TNG_TIMEOUT": (300.0, 1.0, 3600.0),
}

#: Jobs in a row that may fail before the server counts as down.
FAILURES = 5


def _limit(name: str) -> float:
    """A value of `LIMITS`, from the environment or the default; FetchError when it is out of bounds."""
    default, least, most = LIMITS[name]
    given = os.environ.get(name, "")
    try:
        value = float(given) if given else default
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise FetchError(f"{name} is '{given}': set it to a number from {least:g} to {most:g}, or unset it.")
    return value


def connections() -> int:
    """Connections at once, ``DMLIB_TNG_CONNECTIONS``."""
    return int(_limit("DMLIB_TNG_CONNECTIONS"))


def _downloader() -> Downloader:
    return Downloader(
        attempts=int(_limit("DMLIB_TNG_ATTEMPTS")),
        pause=_limit("DMLIB_TNG_PAUSE"),
        # The server extracts a cutout from files of many GB before it sends the first byte.
        read_timeout=_limit("DMLIB_TNG_TIMEOUT"),
        jitter=0.5,
        retry_content=True,
    )


@dataclass
class Client:
    """The TNG web API.

    Parameters
    ----------
    url : str
        Root; default `dmlib.manifest.download.tng_url`.
    downloader : Downloader
    """

    url: str = field(default_factory=tng_url)
    downloader: Downloader = field(default_factory=_downloader)

    @property
    def host(self) -> str:
        """Host and port, for errors and for the cache."""
        return urlsplit(self.url).netloc

    def address(self, path: str, query: Mapping[str, object] | None = None) -> str:
        """URL of a path below the root; commas of field lists stay as they are."""
        return self.url + path + (f"?{urlencode(query, safe=',')}" if query else "")

    def json(self, path: str, query: Mapping[str, object] | None = None, *, label: str) -> Any:
        """Return a JSON reply; raises FetchError."""
        return self.downloader.json(self.address(path, query), label=label, with_key=True)


def in_parallel(
    jobs: Iterable[Job], work: Callable[[Job], object], gate: Gate, label: str
) -> list[tuple[Job, FetchError]]:
    """Work through jobs over several connections.

    A failure that may pass (`Exhausted`) ends its job only; after `FAILURES` of them in a row, and for any other
    failure, everything stops. What arrived before is kept, so that the next call continues.

    Parameters
    ----------
    jobs : iterable
    work : callable
        Does one job.
    gate : Gate
        Shared by the connections; it is stopped in the end.
    label : str
        What the jobs are, for errors.

    Returns
    -------
    list of (job, FetchError)
        Those that failed.

    Raises
    ------
    FetchError
        When the server seems to be down, or a job failed for good.
    """
    todo: queue.SimpleQueue[Job] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Job, BaseException | None]] = queue.SimpleQueue()
    for job in jobs:
        todo.put(job)
    n_jobs = todo.qsize()

    def connection() -> None:
        while not gate.stop.is_set():
            try:
                job = todo.get_nowait()
            except queue.Empty:
                return
            try:
                work(job)
            except BaseException as error:
                done.put((job, error))
            else:
                done.put((job, None))

    # Not a pool: Python waits for a pool's threads when it ends, and one that listens to a silent server would keep the
    # user waiting after Ctrl-C.
    for _ in range(min(connections(), n_jobs)):
        threading.Thread(target=connection, name="dmlib-tng", daemon=True).start()
    failed: list[tuple[Job, FetchError]] = []
    in_a_row = 0
    try:
        for _ in range(n_jobs):
            job, error = done.get()
            in_a_row = in_a_row + 1 if error else 0
            if error is None:
                continue
            if not isinstance(error, Exhausted):
                raise error
            failed.append((job, error))
            if in_a_row >= FAILURES:
                raise FetchError(
                    f"{label}: {in_a_row} requests failed one after the other, the last with: {error} What has arrived "
                    "is kept; run again later."
                ) from error
    finally:
        gate.stop.set()
    return failed
