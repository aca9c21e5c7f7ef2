"""The files of an entry: from a mirror, from the cache, or from the network.

The mirror (a folder named by ``DMLIB_MIRROR``) comes first and is used in place: its files are verified where they lie
and never copied or changed. The cache is ``DMLIB_DATA``, else the usual folder of this system; a file gets its name
there only after its content and checksum are verified.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import Literal

from filelock import FileLock
from platformdirs import user_cache_dir

from ..errors import FetchError
from ..files import sha256
from . import Entry, Manifest, Tree, load_manifest
from .download import TNG_URL, Downloader, tng_key, tng_url

#: Format -> (offset of its mark, the mark).
MARKS = {
    "zip": (0, b"PK\x03\x04"),
    "fits": (0, b"SIMPLE  ="),
    "hdf5": (0, b"\x89HDF\r\n\x1a\n"),
    "tar": (257, b"ustar"),
}

#: First bytes of a web page, or of an error reply in XML.
HTML = (b"<!doctype html", b"<html", b"<head", b"<?xml version")


@dataclass(frozen=True)
class State:
    """What this machine has of an entry; found without the network.

    Parameters
    ----------
    name : str
    state : {"mirror", "cache", "absent", "damaged", "generated"}
        ``damaged``: something is there, but not with the manifest's checksum or content.
    path : Path or None
        File or folder; None where there is none, and for an entry with parameters that were not given.
    sha256 : str or None
        Checksum of what is there: of the file, of the folder (`tree_sha256`), or of all files of an entry with
        parameters. By it the pipeline sees whether an input changed.
    detail : str
        What is wrong, or how many files there are.
    """

    name: str
    state: Literal["mirror", "cache", "absent", "damaged", "generated"]
    path: Path | None = None
    sha256: str | None = None
    detail: str = ""

    @property
    def present(self) -> bool:
        """Whether it can be used as it is."""
        return self.state in ("mirror", "cache")


def mirror_folder() -> Path | None:
    """The folder named by ``DMLIB_MIRROR``, or None.

    Raises
    ------
    FetchError
        When there is no such folder.
    """
    name = os.environ.get("DMLIB_MIRROR", "")
    folder = Path(name).expanduser().resolve()
    if name and not folder.is_dir():
        raise FetchError("DMLIB_MIRROR does not name a folder; correct it or unset it.")
    return folder if name else None


def cache_folder() -> Path:
    """Where downloads are kept: ``DMLIB_DATA``, else this system's folder for caches (``~/.cache/dmlib`` on Linux)."""
    return Path(os.environ.get("DMLIB_DATA") or user_cache_dir("dmlib")).expanduser().resolve()


def check_content(path: Path, form: str, label: str) -> None:
    """Check that a file begins as its format does, and, for HDF5, that it is complete.

    A server that is down or wants a login often sends a web page with status 200. Saved under the name of a data file
    it would fail much later and obscurely.

    Parameters
    ----------
    path : Path
    form : {"zip", "fits", "hdf5", "tar", "text"}
    label : str
        Name of the entry, for the error.

    Raises
    ------
    FetchError
        Says in one sentence what arrived instead.
    """
    import h5py

    with open(path, "rb") as handle:
        start = handle.read(512)
    offset, mark = MARKS.get(form, (0, b""))
    if not start:
        raise FetchError(f"{label}: the file is empty; try again later, or look at the source page.")
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(HTML):
        raise FetchError(
            f"{label}: a web page arrived in place of {form} data (a login, an error, a proxy): see it in a browser."
        )
    if form == "text" and b"\0" in start:
        raise FetchError(f"{label}: binary data arrived where a text table was expected.")
    if not start[offset:].startswith(mark):
        raise FetchError(f"{label}: what arrived is not a {form.upper()} file (it begins with {start[:8]!r}).")
    if form == "hdf5":
        try:
            h5py.File(path, "r").close()  # fails for a truncated file, because HDF5 stores its own length
        except OSError as error:
            raise FetchError(f"{label}: the HDF5 file is cut off or damaged; fetch it again.") from error


def file_sha256(path: Path) -> str:
    """Checksum of a file, kept in this process until the file's size or time of change differs."""
    return _file_sha256(path, path.stat().st_size, path.stat().st_mtime_ns)


@lru_cache(maxsize=512)
def _file_sha256(path: Path, size: int, modified_ns: int) -> str:
    return sha256(path)


def tree_sha256(folder: Path, paths: list[Path]) -> str:
    """Checksum of several files together, names included.

    The same as ``sha256sum NAMES | sha256sum`` inside the folder, with the names sorted bytewise.
    """
    names = sorted(path.relative_to(folder).as_posix() for path in paths)
    listing = "".join(f"{file_sha256(folder / name)}  {name}\n" for name in names)
    return hashlib.sha256(listing.encode()).hexdigest()


def _verify_file(path: Path, entry: Entry) -> str:
    """Checksum of a file that agrees with the manifest; FetchError when it does not."""
    name = path.name.removesuffix(".part")
    if entry.size is not None and path.stat().st_size != entry.size:
        raise FetchError(f"{entry.name}: {name} has {path.stat().st_size} bytes, not {entry.size}.")
    check_content(path, entry.format or "text", entry.name)
    found = file_sha256(path)
    if entry.sha256 is not None and found != entry.sha256:
        raise FetchError(f"{entry.name}: {name} has another checksum than data_manifest.yaml says.")
    return found


def _verify_tree(folder: Path, tree: Tree, name: str) -> str:
    """Checksum of a folder that agrees with the manifest; FetchError when it does not."""
    paths = [path for path in folder.rglob(tree.members) if path.is_file()]
    if len(paths) != tree.count:
        raise FetchError(f"{name}: the folder {folder.name} has {len(paths)} of {tree.count} files {tree.members}.")
    found = tree_sha256(folder, paths)
    if found != tree.sha256:
        raise FetchError(f"{name}: the files of {folder.name} have another checksum than data_manifest.yaml says.")
    return found


def available(name: str, *, manifest: Manifest | None = None, **parameters: object) -> State:
    """Whether an entry is on this machine, verified; never uses the network.

    Parameters
    ----------
    name : str
        An entry of `data_manifest.yaml`.
    manifest : Manifest, optional
        Default: the repository's.
    **parameters
        Values of the entry's parameters. Without them, the state of an entry that has parameters is that of all of its
        files together.

    Raises
    ------
    FetchError
        For an unknown entry or parameter.
    """
    entry = (manifest or load_manifest())[name]
    if entry.access == "generated":
        return State(name, "generated", detail=f"by {entry.generator}, dmlib {entry.version}")
    places: list[tuple[Literal["mirror", "cache"], Path | None, str | None]] = [
        ("mirror", mirror_folder(), entry.mirror),
        ("cache", cache_folder(), entry.tree.path if entry.tree and entry.file else entry.file),
    ]
    for place, root, template in places:
        if root is None or template is None:
            continue
        if entry.parameters and not parameters:
            paths = list(root.glob(template.format(**dict.fromkeys(entry.parameters, "*"))))
            if paths:
                return State(name, place, None, tree_sha256(root, paths), f"files: {len(paths)}")
            continue
        path = root / entry.fill(template, parameters)
        if path.exists():
            try:
                found = _verify_tree(path, entry.tree, name) if entry.tree else _verify_file(path, entry)
            except FetchError as error:
                return State(name, "damaged", path, detail=str(error))
            return State(name, place, path, found)
    return State(name, "absent")


def fetch(
    name: str, *, manifest: Manifest | None = None, downloader: Downloader | None = None, **parameters: object
) -> Path:
    """The path of an entry's file or folder, verified; downloaded when it is not here yet.

    Parameters
    ----------
    name : str
        An entry of `data_manifest.yaml`.
    manifest : Manifest, optional
        Default: the repository's.
    downloader : Downloader, optional
        The default tries each source five times.
    **parameters
        Values of the entry's parameters, for example ``subhalo_id=6``.

    Returns
    -------
    Path
        In the mirror (not to be changed) or in the cache.

    Raises
    ------
    FetchError
        One sentence: no network, no key, a wrong checksum, a web page instead of a file, an entry that is generated
        or lies in a mirror only.
    """
    entry = (manifest or load_manifest())[name]
    if entry.access == "generated":
        raise FetchError(f"{name} is not downloaded but written here: run `dmlib universe`.")
    file = entry.fill(entry.file or "", parameters)  # raises for missing parameters before anything else is done
    state = available(name, manifest=manifest, **parameters)
    if state.path is not None and state.present:
        return state.path
    mirror = mirror_folder()
    if state.path is not None and mirror is not None and state.path.is_relative_to(mirror):
        raise FetchError(f"{state.detail} It lies in the mirror: mend that copy, or unset DMLIB_MIRROR.")
    if entry.access == "mirror":
        raise FetchError(f"{name} has no public download: name a folder that holds {entry.mirror} in DMLIB_MIRROR.")
    target = cache_folder() / file
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(target.name + ".lock")):
        try:
            _verify_file(target, entry)  # another process may have downloaded it while this one waited
        except (OSError, FetchError):
            _download(entry, parameters, target, downloader or Downloader())
        return _unpack(target, entry.name, entry.tree) if entry.tree else target


def _download(entry: Entry, parameters: dict[str, object], target: Path, downloader: Downloader) -> None:
    """Try the sources one after the other."""
    with_key = entry.access == "tng-key"
    if with_key:
        tng_key(entry.name)
    if entry.size is not None and (free := shutil.disk_usage(target.parent).free) < entry.size:
        raise FetchError(f"{entry.name} needs {entry.size / 1e6:.0f} MB, but the cache has {free / 1e6:.0f} MB free.")
    failures: list[FetchError] = []
    for template in entry.urls:
        url = entry.fill(template, parameters)
        if with_key and url.startswith(TNG_URL):
            url = tng_url() + url.removeprefix(TNG_URL)
        try:
            downloader.get(
                url,
                target,
                label=entry.name,
                with_key=with_key,
                checksummed=entry.sha256 is not None,
                check=partial(_verify_file, entry=entry),
            )
            return
        except FetchError as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    reasons = "; ".join(str(error).removeprefix(f"{entry.name}: ").rstrip(".") for error in failures)
    raise FetchError(f"{entry.name}: none of its {len(failures)} sources worked: {reasons}.") from failures[-1]


def _unpack(archive: Path, name: str, tree: Tree) -> Path:
    """Unpack the wanted members of a zip archive into the entry's folder, verified before it gets its name."""
    folder = cache_folder() / tree.path
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpack-") as scratch:
        fresh = Path(scratch) / folder.name
        fresh.mkdir()
        with zipfile.ZipFile(archive) as content:
            for info in content.infolist():
                # The bare name only: no member can be written outside the folder, and macOS's "._" copies stay out.
                bare = PurePosixPath(info.filename).name
                if not bare.startswith(".") and fnmatch.fnmatch(bare, tree.members):
                    (fresh / bare).write_bytes(content.read(info))
        _verify_tree(fresh, tree, name)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(fresh, folder)
    return folder


def table(*, manifest: Manifest | None = None) -> list[dict[str, str]]:
    """One row per entry, for ``dmlib fetch --list``.

    Returns
    -------
    list of dict
        Keys ``name``, ``state``, ``access``, ``size``, ``licence``, ``chapters``, ``title``.
    """
    rows = []
    for entry in (manifest or load_manifest()).entries:
        state = available(entry.name, manifest=manifest)
        size = "-" if entry.access in ("generated", "mirror") else f"{entry.size / 1e6:.2f} MB" if entry.size else "?"
        row = entry.model_dump(include={"name", "access", "licence", "title"})
        row["state"] = state.state + (f" ({state.detail})" if state.detail and entry.parameters else "")
        row["size"] = "per file" if entry.parameters else size
        row["chapters"] = ", ".join(entry.chapters) or "-"
        rows.append(row)
    return rows
