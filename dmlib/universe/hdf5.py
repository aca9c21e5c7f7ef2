"""Opening HDF5 files with patience, and errors that tell a lock, a missing right and damage apart.

What goes wrong here is a trouble of the machine and not a property of a galaxy: it is tried again, and then everything
stops with the reason.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from ..errors import UniverseError

#: Pauses before a file that cannot be opened is tried again [s].
PAUSES = (0.5, 2.0)

_LOCKS = (errno.EAGAIN, errno.EDEADLK, errno.ENOLCK)
_PASSING = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EBUSY, errno.EMFILE, errno.ENFILE)


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading; where that fails, try again after each of `PAUSES`.

    Yields
    ------
    h5py.File

    Raises
    ------
    UniverseError
        When the file is missing, locked or cannot be read, also inside the block; names the file and the mend.
    """
    handle = None
    try:
        handle = _patiently(path)
        with handle:
            yield handle
    except FileNotFoundError as error:
        raise UniverseError(f"{path} is missing: copy or download that file again.") from error
    except (OSError, RuntimeError, KeyError) as error:
        # h5py raises any of the three for damaged content, depending on where the damage lies.
        raise UniverseError(f"{path} {_trouble(path, error, handle is not None)}.") from error


def _patiently(path: Path) -> h5py.File:
    for pause in PAUSES:
        try:
            return h5py.File(path, "r")
        except FileNotFoundError:
            raise
        except OSError:
            time.sleep(pause)
    return h5py.File(path, "r")


def _trouble(path: Path, error: Exception, opened: bool) -> str:
    """What is wrong with a file, and the mend."""
    number = getattr(error, "errno", None)
    if number in _LOCKS or "unable to lock" in str(error):
        return (
            "is in use or locked by another program: run again when that has ended; on a disk that knows no locks set "
            "HDF5_USE_FILE_LOCKING=FALSE"
        )
    if isinstance(error, PermissionError):
        return "cannot be read: ask its owner for permission"
    if number in _PASSING:
        return f"cannot be read at the moment ({error}): run again when its disk answers"
    size = path.stat().st_size
    why = f"is damaged ({size} bytes; {error})" if opened else f"cannot be opened as HDF5 ({size} bytes)"
    if "truncated" in str(error):
        why = f"is truncated ({size} bytes)"
    return f"{why}: copy or download that file again"
