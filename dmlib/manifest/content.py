"""Whether a file is what it should be: its first bytes, its size, its checksum.

A server that is down or wants a login often sends a web page with status 200. Saved under the name of a data file it
would fail much later and obscurely; so the content is looked at before the file gets its name.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from ..errors import FetchError
from ..files import sha256

#: format -> (offset of the mark, the mark, what to call the format)
MARKS = {
    "zip": (0, b"PK\x03\x04", "a zip archive"),
    "fits": (0, b"SIMPLE  =", "a FITS file"),
    "hdf5": (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    "tar": (257, b"ustar", "a tar archive"),
}

HTML = (b"<!doctype html", b"<html", b"<head", b"<?xml version")


def looks_like_html(start: bytes) -> bool:
    """Whether the first bytes are those of a web page (or of an XML error reply)."""
    return start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(HTML)


def check_content(path: Path, form: str, label: str) -> None:
    """Check that a file begins as its format does, and opens where the format allows to see a truncation.

    Parameters
    ----------
    path : Path
    form : {"zip", "fits", "hdf5", "tar", "text"}
    label : str
        Name of the entry, for the error.

    Raises
    ------
    FetchError
        One sentence: what came instead.
    """
    with open(path, "rb") as handle:
        start = handle.read(512)
    if not start:
        raise FetchError(f"{label}: the file is empty; try again later, or look at the source page.")
    if looks_like_html(start):
        raise FetchError(
            f"{label}: a web page came where {MARKS.get(form, (0, b'', 'a data file'))[2]} was expected "
            "(a login, an error or a proxy page); look at the source page in a browser."
        )
    if form == "text":
        if b"\0" in start:
            raise FetchError(f"{label}: binary data came where a text table was expected.")
        return
    offset, mark, called = MARKS[form]
    if start[offset : offset + len(mark)] != mark:
        raise FetchError(f"{label}: what came is not {called} (it begins with {start[:8]!r}).")
    if form == "hdf5":
        _check_hdf5(path, label)


def _check_hdf5(path: Path, label: str) -> None:
    """HDF5 knows its own length: opening a truncated file fails."""
    import h5py

    try:
        with h5py.File(path, "r"):
            pass
    except OSError as error:
        raise FetchError(f"{label}: the HDF5 file is cut off or damaged; fetch it again.") from error


@lru_cache(maxsize=512)
def _file_sha256(path: Path, size: int, modified_ns: int) -> str:
    return sha256(path)


def file_sha256(path: Path) -> str:
    """Checksum of a file, remembered in this process until its size or time of change differs."""
    status = path.stat()
    return _file_sha256(path, status.st_size, status.st_mtime_ns)


def tree_sha256(folder: Path, paths: list[Path]) -> str:
    """Checksum of several files together, names included.

    The same as ``sha256sum NAMES | sha256sum`` inside the folder, with the names sorted bytewise.
    """
    names = sorted(path.relative_to(folder).as_posix() for path in paths)
    listing = "".join(f"{file_sha256(folder / name)}  {name}\n" for name in names)
    return hashlib.sha256(listing.encode()).hexdigest()
