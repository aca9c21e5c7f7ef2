"""Files written whole or not at all, and their checksums."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import DmlibError

if TYPE_CHECKING:
    import h5py
    from numpy.typing import ArrayLike

#: Environment variable that names a list to which every file written through this module is added: chapters run side by
#: side, and each must know its own.
WRITTEN = "DMLIB_WRITTEN"

#: Files that this process has begun to write, which go when it is ended from outside.
UNFINISHED: set[Path] = set()


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; move it there when the block ends well, remove it when not.

    A reader never sees a half-written file, and a killed run leaves at most a ``.partial-…`` file that the next
    write of the same name clears away.

    Parameters
    ----------
    path : path
        Where the file shall be. Its folder is made.

    Yields
    ------
    Path
        Where to write; keeps the suffix of `path`, because writers choose their format by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".partial-{os.getpid()}-{path.name}")
    for stale in path.parent.glob(f".partial-*-{path.name}"):
        import psutil

        _, number, name = stale.name.split("-", 2)
        # A living process may be writing it at this moment.
        if name == path.name and (int(number) == os.getpid() or not psutil.pid_exists(int(number))):
            stale.unlink(missing_ok=True)
    UNFINISHED.add(temporary)
    try:
        yield temporary
        os.replace(temporary, path)
        if os.environ.get(WRITTEN):
            # Never created here: a kernel that outlives its run by a moment would leave the list behind.
            with open(os.open(os.environ[WRITTEN], os.O_WRONLY | os.O_APPEND), "a", encoding="utf-8") as written:
                written.write(f"{path.resolve()}\n")
    finally:
        temporary.unlink(missing_ok=True)
        UNFINISHED.discard(temporary)


@contextmanager
def open_product(path: str | Path, kind: str, error: type[DmlibError] = DmlibError) -> Iterator[h5py.File]:
    """Open an HDF5 file that dmlib wrote.

    Parameters
    ----------
    path : str or Path
    kind : str
        What the file should be, for the message.
    error : type of DmlibError

    Raises
    ------
    DmlibError
        Of that type, when the file cannot be read, or when it lacks what the caller reads.
    """
    import h5py

    try:
        with h5py.File(path, "r") as handle:
            yield handle
    except (OSError, KeyError, ValueError) as reason:
        raise error(f"{path} is not a complete {kind} ({reason}): remove it and run again.") from reason


def store(place: h5py.Group, name: str, values: ArrayLike, unit: str = "") -> None:
    """Write an array into an open HDF5 file, with its unit as an attribute."""
    place[name] = values
    if unit:
        place[name].attrs["unit"] = unit


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256(path: str | Path) -> str:
    """Checksum of a file's content, as hexadecimal."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
