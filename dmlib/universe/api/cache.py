"""What was downloaded already: files under a folder, and an index that says what each is.

The index is one line of JSON a file, appended when the file has its final name: a killed process leaves at most a file
without a line (looked at again, and checked) or half a line (passed over).
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ...errors import FetchError
from ...files import sha256
from .client import readable

INDEX = "index.jsonl"


@dataclass(frozen=True)
class Held:
    """One file of the cache.

    Parameters
    ----------
    name : str
        Path below the cache's folder.
    size : int
        Bytes.
    sha256 : str
        Of the content as it was checked.
    seconds : float
        What the download took; 0 where that is not known.
    finished : float
        When it ended [s since the epoch].
    about : str
        What it is of: ``halo 12``, ``subhalo 5``, ``Subhalo/SubhaloSFR``.
    fields : dict
        For a cutout: particle type -> fields.
    """

    name: str
    size: int
    sha256: str
    seconds: float = 0.0
    finished: float = 0.0
    about: str = ""
    fields: dict[str, list[str]] = field(default_factory=dict)


class Cache:
    """A folder of downloads with its index; several processes may use it at once.

    Parameters
    ----------
    folder : path
        Made when the first file is kept.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self._held: dict[str, Held] = {}
        self._about: dict[str, list[str]] = {}
        self._read = 0

    def __getstate__(self) -> dict:
        # A worker reads the index itself: it may have grown, and it is long.
        return {"folder": self.folder}

    def __setstate__(self, state: dict) -> None:
        self.__init__(state["folder"])

    def __len__(self) -> int:
        self._refresh()
        return len(self._held)

    @property
    def size(self) -> int:
        """Bytes of all files held."""
        self._refresh()
        return sum(held.size for held in self._held.values())

    def path(self, name: str) -> Path:
        """Where a file of that name lies, or shall lie."""
        return self.folder / name

    def get(self, name: str) -> Held | None:
        """What the index says of a file that is there with its size; None for any other."""
        self._refresh()
        held = self._held.get(name)
        if held is None:
            return None
        try:
            return held if self.path(name).stat().st_size == held.size else None
        except OSError:
            return None

    def of(self, about: str) -> list[Held]:
        """All files that are of one object or column."""
        self._refresh()
        found = (self.get(name) for name in self._about.get(about, ()))
        return [held for held in found if held is not None]

    def add(self, name: str, *, about: str = "", fields: dict | None = None, seconds: float = 0.0) -> Held:
        """Enter a file that has its final name and was checked."""
        path = self.path(name)
        held = Held(name, path.stat().st_size, sha256(path), round(seconds, 3), time.time(), about, fields or {})
        line = (json.dumps(asdict(held)) + "\n").encode()
        descriptor = os.open(self.folder / INDEX, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            # One write a line: lines of two processes do not mix. After half a line of a killed one, begin afresh.
            ended = size == 0 or self._last_byte(size) == b"\n"
            os.write(descriptor, line if ended else b"\n" + line)
        finally:
            os.close(descriptor)
        self._refresh()
        return held

    def remove(self, name: str) -> None:
        """Forget a file, and delete it."""
        self.path(name).unlink(missing_ok=True)

    def verify(self) -> Iterator[tuple[Held, bool]]:
        """Every file of the index, with whether its content is what was checked when it came."""
        self._refresh()
        for name, held in sorted(self._held.items()):
            path = self.path(name)
            yield held, path.is_file() and path.stat().st_size == held.size and sha256(path) == held.sha256

    def require_space(self, n_bytes: float, label: str) -> None:
        """Refuse a download that the disk has no room for.

        Raises
        ------
        FetchError
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        if free < 1.02 * n_bytes:
            raise FetchError(
                f"{label}: {readable(n_bytes)} are to come, and the cache's disk has {readable(free)} free: "
                "set DMLIB_DATA to a folder on a larger one, or take fewer galaxies with --sample."
            )

    def rate(self, last: int = 200) -> tuple[float, int] | None:
        """Bytes per second of one connection over the last downloads, and how many these are; None without any."""
        self._refresh()
        timed = sorted((held for held in self._held.values() if held.seconds > 0), key=lambda held: held.finished)
        timed = timed[-last:]
        if not timed:
            return None
        return sum(held.size for held in timed) / sum(held.seconds for held in timed), len(timed)

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """One process at a time downloads a file; the others find it there."""
        from filelock import FileLock

        folder = self.folder / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / (name.replace("/", "_") + ".lock")):
            yield

    def _last_byte(self, size: int) -> bytes:
        with open(self.folder / INDEX, "rb") as handle:
            handle.seek(size - 1)
            return handle.read(1)

    def _refresh(self) -> None:
        """Read what was appended to the index since it was read last."""
        path = self.folder / INDEX
        try:
            if path.stat().st_size <= self._read:
                return
            with open(path, "rb") as handle:
                handle.seek(self._read)
                lines = handle.read()
        except OSError:
            return
        whole = lines[: lines.rfind(b"\n") + 1]
        for line in whole.splitlines():
            try:
                held = Held(**json.loads(line))
            except (ValueError, TypeError):
                continue  # half a line of a killed process
            self._held[held.name] = held
            names = self._about.setdefault(held.about, [])
            if held.name not in names:
                names.append(held.name)
        self._read += len(whole)
