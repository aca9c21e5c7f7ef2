"""Talking to the TNG web API: politely, patiently, and without letting the key out of a request's header."""

from __future__ import annotations

import errno
import math
import os
import queue
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from ...errors import FetchError
from ...manifest.download import Downloader, Exhausted, Transient
from ...manifest.tng import tng_url

#: Connections at once, unless ``DMLIB_TNG_CONNECTIONS`` says otherwise, and the most that dmlib opens.
CONNECTIONS, MOST_CONNECTIONS = 4, 8

#: Objects that may fail in one go before the server is taken to be down.
FAILURES = 5


class Stopped(Exception):
    """Another connection failed for good, or the user asked to stop."""


class Gate:
    """What all connections of a process to one server share: a pause that the server asked for, and a stop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed_until = 0.0
        self.stop = threading.Event()

    def close_for(self, seconds: float) -> None:
        """Let nobody ask for so long."""
        with self._lock:
            self._closed_until = max(self._closed_until, time.monotonic() + seconds)

    def check(self) -> None:
        """Raise `Stopped` when all is to stop."""
        if self.stop.is_set():
            raise Stopped

    def pass_through(self) -> None:
        """Wait until the server may be asked again.

        Raises
        ------
        Stopped
        """
        while True:
            self.check()
            with self._lock:
                left = self._closed_until - time.monotonic()
            if left <= 0:
                return
            # Not all at the same instant.
            self.stop.wait(left + random.uniform(0.0, 0.2))

    def sleep(self, seconds: float) -> None:
        """Sleep; wake at once when all is to stop."""
        if self.stop.wait(seconds):
            raise Stopped


def _number(name: str, default: float, least: float, most: float) -> float:
    """A number from the environment.

    Raises
    ------
    FetchError
        When it is none, or out of bounds.
    """
    asked = os.environ.get(name, "")
    try:
        value = float(asked) if asked else default
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise FetchError(f"{name} is '{asked}': set it to a number from {least:g} to {most:g}, or unset it.")
    return value


def connections() -> int:
    """Connections at once: ``DMLIB_TNG_CONNECTIONS``, else `CONNECTIONS`."""
    return int(_number("DMLIB_TNG_CONNECTIONS", CONNECTIONS, 1, MOST_CONNECTIONS))


def _patient() -> Downloader:
    # The server cuts a cutout out of files of many GB before the first byte comes.
    return Downloader(
        attempts=int(_number("DMLIB_TNG_ATTEMPTS", 6, 1, 50)),
        pause=_number("DMLIB_TNG_PAUSE", 1.0, 0.0, 60.0),
        read_timeout=_number("DMLIB_TNG_TIMEOUT", 300.0, 1.0, 3600.0),
        jitter=0.5,
        pages_pass=True,
    )


@dataclass
class Client:
    """The TNG web API.

    Parameters
    ----------
    url : str
        Root; default `dmlib.manifest.tng.tng_url`.
    downloader : Downloader
        How patiently.
    """

    url: str = field(default_factory=tng_url)
    downloader: Downloader = field(default_factory=_patient)

    @property
    def host(self) -> str:
        """Host and port, for messages and for the cache."""
        return urlsplit(self.url).netloc

    def address(self, path: str, query: Mapping[str, object] | None = None) -> str:
        """URL of a path below the root; commas of field lists stay as they are."""
        return self.url + path + (f"?{urlencode(query, safe=',')}" if query else "")

    def json(self, path: str, query: Mapping[str, object] | None = None, *, label: str) -> Any:
        """A JSON reply.

        Raises
        ------
        FetchError
        """
        return self.downloader.json(self.address(path, query), label=label, with_key=True)

    def file(
        self,
        path: str,
        target: Path,
        *,
        label: str,
        query: Mapping[str, object] | None = None,
        check: Callable[[Path], None],
        gate: Gate | None = None,
        received: Callable[[int], object] | None = None,
    ) -> float:
        """Download a file: under a temporary name, checked, then moved to `target`.

        Parameters
        ----------
        path : str
            Below the root.
        target : Path
        label : str
            What it is, for messages.
        query : mapping, optional
        check : callable
            Raises `Transient` for content that should come better the next time.
        gate : Gate, optional
            Shared with the other connections of a batch.
        received : callable, optional
            Counts bytes.

        Returns
        -------
        float
            Seconds that it took.

        Raises
        ------
        FetchError
            Also when the disk is full.
        """
        downloader = replace(self.downloader, received=received)
        if gate is not None:

            def count(n_bytes: int) -> None:
                if n_bytes >= 0:
                    gate.check()
                if received is not None:
                    received(n_bytes)

            downloader = replace(
                downloader, before=gate.pass_through, told_to_wait=gate.close_for, sleep=gate.sleep, received=count
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        url, begin = self.address(path, query), time.monotonic()

        def whole() -> None:
            # The check belongs to the try: what fails it is asked again.
            downloader.attempt(url, part, label=label, with_key=True)
            try:
                check(part)
            except Transient:
                part.unlink(missing_ok=True)
                raise

        try:
            downloader.patiently(whole, self.host, label)
            os.replace(part, target)
        except OSError as error:
            raise _of_the_disk(error, target, label) from error
        return time.monotonic() - begin


def _of_the_disk(error: OSError, target: Path, label: str) -> FetchError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(target.parent).free
        return FetchError(
            f"{label}: the disk of the cache is full ({free / 1e6:.0f} MB free): free some, or set DMLIB_DATA to a "
            "folder on a larger one, and run again; what has come is kept."
        )
    return FetchError(f"{label}: {target.name} cannot be written ({error.strerror or error}): see to the cache folder.")


def in_parallel(
    jobs: Iterable[Any], work: Callable[[Any, Gate], object], n_connections: int, label: str
) -> list[tuple[Any, FetchError]]:
    """Work through jobs over several connections.

    A failure that may pass (`Exhausted`) costs its job; after `FAILURES` of them in a row, and for any other
    failure, everything stops. What came before is kept, so that the next call goes on.

    Parameters
    ----------
    jobs : iterable
    work : callable
        Does one job.
    n_connections : int
    label : str
        What the jobs are, for messages.

    Returns
    -------
    list of (job, FetchError)
        Those that failed.
    """
    gate = Gate()
    todo: queue.SimpleQueue = queue.SimpleQueue()
    ended: queue.SimpleQueue = queue.SimpleQueue()
    left = 0
    for job in jobs:
        todo.put(job)
        left += 1

    def connection() -> None:
        while not gate.stop.is_set():
            try:
                job = todo.get_nowait()
            except queue.Empty:
                return
            try:
                work(job, gate)
            except BaseException as error:
                ended.put((job, error))
            else:
                ended.put((job, None))

    # Not a pool, whose threads are waited for when the process ends: one that listens to a silent server would keep the
    # user waiting after Ctrl-C.
    for _ in range(min(n_connections, left)):
        threading.Thread(target=connection, name="dmlib-tng", daemon=True).start()
    failed: list[tuple[Any, FetchError]] = []
    in_a_row = 0
    try:
        for _ in range(left):
            job, error = ended.get()
            if error is None:
                in_a_row = 0
                continue
            if not isinstance(error, Exhausted):
                raise error
            failed.append((job, error))
            in_a_row += 1
            if in_a_row >= FAILURES:
                raise FetchError(
                    f"{label}: {in_a_row} requests failed one after the other, the last with: {error} What has come is "
                    "kept; run again later."
                ) from error
    finally:
        gate.stop.set()
    return failed


def hours(n_bytes: float, n_requests: int, rate: float, latency: float, n_connections: int) -> float:
    """Time that requests take [h]: `latency` [s] each and `rate` [bytes/s], over several connections."""
    return (n_requests * latency + n_bytes / max(rate, 1.0)) / n_connections / 3600.0


def readable(n_bytes: float) -> str:
    """Bytes as a user wants them, for example ``4.2 GB``."""
    if n_bytes < 1e3:
        return f"{n_bytes:.0f} bytes"
    power = min(int(math.log10(n_bytes) // 3), 4)
    return f"{n_bytes / 1e3**power:.3g} {('', 'kB', 'MB', 'GB', 'TB')[power]}"
