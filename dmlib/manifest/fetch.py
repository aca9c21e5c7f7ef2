"""Having an entry's files: from a mirror, from the cache, or from the network.

The mirror (a folder named by ``DMLIB_MIRROR``) comes first and is used in place: its files are verified where they lie
and never copied or changed. The cache is ``DMLIB_DATA``, else the folder that pooch names for this system; a file gets
its name there only after its content and checksum are verified.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from ..errors import FetchError
from .content import check_content, file_sha256, tree_sha256
from .schema import Entry, Manifest, Tree, load_manifest


@dataclass(frozen=True)
class State:
    """Where an entry stands on this machine; found without the network.

    Parameters
    ----------
    name : str
    state : {"mirror", "cache", "absent", "damaged", "generated"}
        ``damaged``: there is something, but not with the manifest's checksum or content.
    path : Path or None
        File or folder; None where there is none, and for an entry with parameters that were not given.
    sha256 : str or None
        Checksum of what is there: of the file, of the folder (`content.tree_sha256`), or of all files of an
        entry with parameters. For the pipeline's question whether an input changed.
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
    """The folder named by ``DMLIB_MIRROR``, or None; FetchError when the name leads nowhere."""
    name = os.environ.get("DMLIB_MIRROR", "")
    if not name:
        return None
    folder = Path(name).expanduser().resolve()
    if not folder.is_dir():
        raise FetchError("DMLIB_MIRROR does not name a folder; correct it or unset it.")
    return folder


def cache_folder() -> Path:
    """Where downloads are kept: ``DMLIB_DATA``, else pooch's choice for this system (``~/.cache/dmlib`` on Linux)."""
    name = os.environ.get("DMLIB_DATA", "")
    if name:
        return Path(name).expanduser().resolve()
    import pooch

    return Path(pooch.os_cache("dmlib"))


def _verify_file(path: Path, entry: Entry) -> str:
    """Checksum of a file that is what the manifest says; FetchError when it is not."""
    if entry.size is not None and path.stat().st_size != entry.size:
        raise FetchError(f"{entry.name}: {path.name} has {path.stat().st_size} bytes, not {entry.size}.")
    check_content(path, entry.format, entry.name)
    found = file_sha256(path)
    if entry.sha256 is not None and found != entry.sha256:
        raise FetchError(f"{entry.name}: {path.name} has another checksum than data_manifest.yaml says.")
    return found


def _verify_tree(folder: Path, tree: Tree, name: str) -> str:
    """Checksum of a folder that holds what the manifest says; FetchError when it does not."""
    paths = [path for path in folder.rglob(tree.members) if path.is_file()]
    if len(paths) != tree.count:
        raise FetchError(f"{name}: the folder {folder.name} has {len(paths)} of {tree.count} files {tree.members}.")
    found = tree_sha256(folder, paths)
    if found != tree.sha256:
        raise FetchError(f"{name}: the files of {folder.name} have another checksum than data_manifest.yaml says.")
    return found


def _places(entry: Entry, parameters: dict[str, object]) -> list[tuple[str, Path]]:
    """Where the entry may lie, in the order of preference: ("mirror" | "cache", path)."""
    places = []
    mirror = mirror_folder()
    if mirror is not None and entry.mirror is not None:
        places.append(("mirror", mirror / entry.fill(entry.mirror, parameters)))
    if entry.file is not None:
        inside = entry.tree.path if entry.tree else entry.fill(entry.file, parameters)
        places.append(("cache", cache_folder() / inside))
    return places


def _family(entry: Entry) -> State:
    """State of an entry with parameters when none are given: all of its files that are here."""
    stars = {key: "*" for key in entry.parameters}
    for place, root, template in (("mirror", mirror_folder(), entry.mirror), ("cache", cache_folder(), entry.file)):
        if root is None or template is None:
            continue
        paths = [path for path in root.glob(template.format(**stars)) if path.is_file()]
        if paths:
            return State(entry.name, place, None, tree_sha256(root, paths), f"files: {len(paths)}")
    return State(entry.name, "absent")


def available(name: str, *, manifest: Manifest | None = None, **parameters: object) -> State:
    """Whether an entry is on this machine, verified; asks no network and downloads nothing.

    Parameters
    ----------
    name : str
        An entry of `data_manifest.yaml`.
    manifest : Manifest, optional
        Default: the repository's.
    **parameters
        Values of the entry's blanks. For an entry that has blanks and is given none, the state is that of all of
        its files together.

    Raises
    ------
    FetchError
        For an unknown entry or parameter.
    """
    entry = (manifest or load_manifest())[name]
    if entry.access == "generated":
        return State(name, "generated", detail=f"by {entry.generator}, dmlib {entry.version}")
    if entry.parameters and not parameters:
        return _family(entry)
    for place, path in _places(entry, parameters):
        if path.exists():
            try:
                found = _verify_tree(path, entry.tree, name) if entry.tree else _verify_file(path, entry)
            except FetchError as error:
                return State(name, "damaged", path, detail=str(error))
            return State(name, place, path, found)
    return State(name, "absent")


def fetch(name: str, *, manifest: Manifest | None = None, downloader=None, **parameters: object) -> Path:
    """The path of an entry's file or folder, verified; downloaded when it is not here yet.

    Parameters
    ----------
    name : str
        An entry of `data_manifest.yaml`.
    manifest : Manifest, optional
        Default: the repository's.
    downloader : dmlib.manifest.download.Downloader, optional
        How patiently; the default tries each source five times.
    **parameters
        Values of the entry's blanks, for example ``subhalo_id=6``.

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
    if entry.parameters:
        entry.fill(entry.file or "", parameters)  # refuses what is missing before anything else is looked at
    state = available(name, manifest=manifest, **parameters)
    if state.present:
        return state.path
    mirror = mirror_folder()
    if state.state == "damaged" and mirror is not None and state.path.is_relative_to(mirror):
        raise FetchError(f"{state.detail} It lies in the mirror: mend that copy, or unset DMLIB_MIRROR.")
    if entry.access == "mirror":
        raise FetchError(f"{name} has no public download: name a folder that holds {entry.mirror} in DMLIB_MIRROR.")
    return _download(entry, parameters, downloader)


def _download(entry: Entry, parameters: dict[str, object], downloader) -> Path:
    """Download into the cache, by one process at a time."""
    from filelock import FileLock

    target = cache_folder() / entry.fill(entry.file, parameters)
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(target.name + ".lock")):
        if not _is_whole(target, entry):
            _download_any(entry, parameters, target, downloader)
        return _unpack(target, entry) if entry.tree else target


def _is_whole(path: Path, entry: Entry) -> bool:
    """Whether a verified file is there already, for example from another process that held the lock before."""
    if not path.is_file():
        return False
    try:
        _verify_file(path, entry)
    except FetchError:
        path.unlink()
        return False
    return True


def _download_any(entry: Entry, parameters: dict[str, object], target: Path, downloader) -> None:
    """Try the sources one after the other."""
    import pooch

    from .download import Downloader
    from .tng import TNG_URL, tng_key, tng_url

    downloader = downloader or Downloader()
    with_key = entry.access == "tng-key"
    if with_key:
        tng_key(entry.name)
    if entry.size is not None and (free := shutil.disk_usage(target.parent).free) < entry.size:
        raise FetchError(f"{entry.name} needs {entry.size / 1e6:.0f} MB, but the cache has {free / 1e6:.0f} MB free.")
    part = target.with_name(target.name + ".part")

    def get(url: str, output: str, _: object) -> None:
        downloader.get(url, part, label=entry.name, with_key=with_key, checksummed=entry.sha256 is not None)
        os.replace(part, output)
        _verify_file(Path(output), entry)

    pooch.get_logger().setLevel("WARNING")
    failures: list[FetchError] = []
    for template in entry.urls:
        url = entry.fill(template, parameters)
        if with_key and url.startswith(TNG_URL):
            url = tng_url() + url.removeprefix(TNG_URL)
        known = f"sha256:{entry.sha256}" if entry.sha256 else None
        try:
            pooch.retrieve(url, known_hash=known, fname=target.name, path=target.parent, downloader=get)
            return
        except FetchError as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    reasons = "; ".join(str(error).removeprefix(f"{entry.name}: ").rstrip(".") for error in failures)
    raise FetchError(f"{entry.name}: none of its {len(failures)} sources worked: {reasons}.") from failures[-1]


def _unpack(archive: Path, entry: Entry) -> Path:
    """Unpack the wanted members of a zip archive into the entry's folder, verified before it gets its name."""
    tree = entry.tree
    folder = cache_folder() / tree.path
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpack-") as scratch:
        fresh = Path(scratch) / folder.name
        fresh.mkdir()
        with zipfile.ZipFile(archive) as content:
            for info in content.infolist():
                # The bare name only: no member can be written outside the folder, and macOS's "._" doubles stay out.
                bare = PurePosixPath(info.filename).name
                if not bare.startswith(".") and fnmatch.fnmatch(bare, tree.members):
                    (fresh / bare).write_bytes(content.read(info))
        _verify_tree(fresh, tree, entry.name)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(fresh, folder)
    return folder


def table(*, manifest: Manifest | None = None) -> list[dict[str, str]]:
    """One row an entry, for ``dmlib fetch --list``.

    Returns
    -------
    list of dict
        Keys ``name``, ``state``, ``access``, ``size``, ``licence``, ``chapters``, ``title``.
    """
    manifest = manifest or load_manifest()
    rows = []
    for entry in manifest.entries:
        state = available(entry.name, manifest=manifest)
        size = f"{entry.size / 1e6:.2f} MB" if entry.size else "?"
        rows.append(
            {
                "name": entry.name,
                "state": state.state + (f" ({state.detail})" if state.detail and entry.parameters else ""),
                "access": entry.access,
                "size": "per file" if entry.parameters else "-" if entry.access in ("generated", "mirror") else size,
                "licence": entry.licence,
                "chapters": ", ".join(entry.chapters) or "-",
                "title": entry.title,
            }
        )
    return rows
