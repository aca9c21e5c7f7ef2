"""Files that are written completely or not at all, their checksums, a lock, and the error that a user can mend."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: two processes that write one universe at a time are the user's to avoid
    fcntl = None  # type: ignore[assignment]  # the module is None there


class MockError(Exception):
    """An error that a user can mend: one sentence that names the file and the remedy."""


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, and move it there when the block ends without an error.

    Readers never see a partial file. A killed process leaves at most a ``.partial-...`` file, which the next write of
    the same name removes.

    Parameters
    ----------
    path : path
        Final name. Its folder is made.

    Yields
    ------
    Path
        Name to write to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".partial-{os.getpid()}-{path.name}")
    for stale in path.parent.glob(f".partial-*-{path.name}"):
        _, number, name = stale.name.split("-", 2)
        if name == path.name and not _runs(int(number)):
            stale.unlink(missing_ok=True)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    """Whether there is a process of this number, which may be writing a file at this moment."""
    if os.name == "nt" or process == os.getpid():  # Windows would end it
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256(path: str | Path) -> str:
    """Checksum of a file's content, as hexadecimal."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Hold an exclusive lock on the file `path`; a second process waits. The lock ends with the process."""
    with open(path, "w") as handle:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
