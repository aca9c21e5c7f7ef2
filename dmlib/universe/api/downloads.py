"""Downloads from the TNG web API over several connections, and the cache that keeps them.

Requests are few at once, repeated with patience, and carry the key in their header only. The cache is a folder with an
index of what each file is: one line of JSON per file, appended once the file has its final name. A killed process
leaves at most a file without a line (checked again) or half a line (skipped).
"""

from __future__ import annotations

import json
import math
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock

from ...environment import readable
from ...errors import FetchError
from ...files import sha256
from ...manifest.download import Downloader, Exhausted, Gate

Job = TypeVar("Job")

#: What the environment can change: variable -> (default, least, most). Pauses and time-outs in seconds.
LIMITS: dict[str, tuple[float, float, float]] = {
    "DMLIB_TNG_CONNECTIONS": (4, 1, 8),
    "DMLIB_TNG_ATTEMPTS": (6, 1, 50),
    "DMLIB_TNG_PAUSE": (1.0, 0.0, 60.0),
    "DMLIB_TNG_TIMEOUT": (300.0, 1.0, 3600.0),
}

#: Name of the cache's index.
INDEX = "index.jsonl"

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


def patient_downloader() -> Downloader:
    """A downloader with the limits of the environment."""
    return Downloader(
        attempts=int(_limit("DMLIB_TNG_ATTEMPTS")),
        pause=_limit("DMLIB_TNG_PAUSE"),
        # The server extracts a cutout from files of many GB before it sends the first byte.
        read_timeout=_limit("DMLIB_TNG_TIMEOUT"),
        jitter=0.5,
        retry_content=True,
    )


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
            failure = None
            try:
                work(job)
            except BaseException as error:
                failure = error
            done.put((job, failure))

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


@dataclass(frozen=True)
class CachedFile:
    """One file of the cache.

    Parameters
    ----------
    name : str
        Path below the cache's folder.
    size : int
        Bytes.
    sha256 : str
        Checksum of the content when it was checked.
    seconds : float
        Duration of the download; 0 where that is not known.
    finished : float
        End of the download [s since the epoch].
    about : str
        What it contains: ``halo 12``, ``subhalo 5``, ``Subhalo/SubhaloSFR``.
    fields : mapping
        For a cutout: particle type -> fields.
    """

    name: str
    size: int
    sha256: str
    seconds: float = 0.0
    finished: float = 0.0
    about: str = ""
    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Cache:
    """A folder of downloads with its index; several processes may use it at once.

    Parameters
    ----------
    folder : path
        Created with the first file.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self._files: dict[str, CachedFile] = {}
        self._about: dict[str, list[str]] = {}
        self._read = 0
        self._reading = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker reads the index itself: it may have grown, and it is long.
        return Cache, (self.folder,)

    def __len__(self) -> int:
        return len(self._index())

    @property
    def size(self) -> int:
        """Total size of the files [bytes]."""
        return sum(file.size for file in self._index().values())

    def path(self, name: str) -> Path:
        """Where a file of that name lies, or will lie."""
        return self.folder / name

    def get(self, name: str) -> CachedFile | None:
        """Entry of a file, or None when the file is missing or has another size."""
        file = self._index().get(name)
        try:
            return file if file is not None and self.path(name).stat().st_size == file.size else None
        except OSError:
            return None

    def of(self, about: str) -> list[CachedFile]:
        """All files about one object or column."""
        self._index()
        found = (self.get(name) for name in self._about.get(about, ()))
        return [file for file in found if file is not None]

    def add(self, name: str, *, about: str, fields: Mapping[str, Sequence[str]], seconds: float) -> None:
        """Enter a file that has its final name and was checked."""
        path = self.path(name)
        file = CachedFile(name, path.stat().st_size, sha256(path), round(seconds, 3), time.time(), about, fields)
        # A new line also after half a line of a killed process; one write, so that lines of two processes do not mix.
        with open(self.folder / INDEX, "ab", buffering=0) as index:
            index.write(f"\n{json.dumps(asdict(file))}\n".encode())

    def remove(self, name: str) -> None:
        """Delete a file."""
        self.path(name).unlink(missing_ok=True)

    def verify(self) -> Iterator[tuple[CachedFile, bool]]:
        """Each file of the index, with whether its content is still what was checked."""
        for name, file in sorted(self._index().items()):
            yield file, self.get(name) is not None and sha256(self.path(name)) == file.sha256

    def free_space(self) -> float:
        """Free space on the cache's disk [bytes]."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return float(shutil.disk_usage(self.folder).free)

    def require_space(self, n_bytes: float, label: str) -> None:
        """Raise FetchError when the disk has no room for a download."""
        free = self.free_space()
        if free < 1.02 * n_bytes:
            raise FetchError(
                f"{label}: the download needs {readable(n_bytes)}, and the cache's disk has {readable(free)} free: set "
                "DMLIB_DATA to a folder on a larger one, or take fewer galaxies with --sample."
            )

    def rate(self, last: int = 200) -> tuple[float, int] | None:
        """Speed of one connection in the latest downloads [bytes/s], and their number; None without any."""
        # The first, small cutout (`ApiUniverse`) takes its time for waiting.
        files = (file for file in self._index().values() if file.seconds > 0 and not file.about.startswith("header"))
        timed = sorted(files, key=lambda file: file.finished)[-last:]
        if not timed:
            return None
        return sum(file.size for file in timed) / sum(file.seconds for file in timed), len(timed)

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Let one process at a time download a file; the others then find it."""
        folder = self.folder / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / (name.replace("/", "_") + ".lock")):
            yield

    def _index(self) -> dict[str, CachedFile]:
        """All entries; reads the lines appended since the last call."""
        path = self.folder / INDEX
        # Two connections that read the same lines would both move the place where to go on, beyond lines yet to come.
        with self._reading:
            if path.is_file() and path.stat().st_size > self._read:
                with open(path, "rb") as index:
                    index.seek(self._read)
                    lines = index.read()
                whole = lines[: lines.rfind(b"\n") + 1]
                self._read += len(whole)
                for line in whole.splitlines():
                    try:
                        file = CachedFile(**json.loads(line))
                    except (ValueError, TypeError):
                        continue  # empty, or half a line of a killed process
                    self._files[file.name] = file
                    names = self._about.setdefault(file.about, [])
                    if file.name not in names:
                        names.append(file.name)
        return self._files
