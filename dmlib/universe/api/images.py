"""The published SKIRT images through the web API: one file a galaxy, or the archive of all of them."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from pathlib import Path

from ...errors import FetchError, UniverseError
from ...files import write_text
from ...manifest.download import Missing, Transient
from ...progress import bar
from . import facts
from .client import Gate, connections, in_parallel
from .universe import ApiUniverse

FOLDER = "skirt"

#: Subhaloes that the server has no image of, one a line.
ABSENT = f"{FOLDER}/absent.txt"


def known_absent(universe: ApiUniverse) -> set[int]:
    """Subhaloes of which the server said that there is no image."""
    path = universe.cache.path(ABSENT)
    return {int(line) for line in path.read_text().split()} if path.is_file() else set()


def fetch_images(universe: ApiUniverse, subhalo_ids: Iterable[int]) -> Path:
    """Have the published images of some galaxies, one request each.

    Parameters
    ----------
    universe : ApiUniverse
    subhalo_ids : iterable of int
        Those without an image (images of small galaxies were not made) are noted and not asked for again.

    Returns
    -------
    Path
        The folder, for `dmlib.observe.images.published.PublishedSkirt`.

    Raises
    ------
    FetchError
        When some could not be had. What came is kept: the next call goes on.
    """
    absent = known_absent(universe)
    todo = [i for i in map(int, subhalo_ids) if i not in absent and universe.cache.get(_name(i)) is None]
    folder = universe.cache.path(FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    if not todo:
        return folder
    facts.confirm(universe)
    failed: list = []
    with bar(total=len(todo), label="published images", unit="image") as progress:

        def one(subhalo_id: int, gate: Gate) -> None:
            if not _fetch_one(universe, subhalo_id, gate):
                absent.add(subhalo_id)
            progress.update(1)

        try:
            failed = in_parallel(todo, one, connections(), "published images")
        finally:
            write_text(universe.cache.path(ABSENT), "".join(f"{i}\n" for i in sorted(absent)))
    if failed:
        raise FetchError(
            f"{len(failed)} of {len(todo)} images could not be had ({failed[0][1]}) The others are kept: run again to "
            "go on."
        )
    return folder


def fetch_archive(universe: ApiUniverse) -> Path:
    """Have the archive of all published images of the snapshot; a download that broke off is continued.

    Returns
    -------
    Path
        The tar file, for `dmlib.observe.images.published.PublishedSkirt`.

    Raises
    ------
    UniverseError
        When there is none of this snapshot.
    """
    name = f"{FOLDER}/skirt_images_sdss.{universe.snapshot}.tar"
    if universe.cache.get(name) is None:
        facts.confirm(universe)
        with universe.cache.locked(name):
            try:
                seconds = universe.client.file(
                    f"{universe.simulation}/files/{Path(name).name}",
                    universe.cache.path(name),
                    label="archive of published images",
                    check=_is_archive,
                )
            except Missing as error:
                raise UniverseError(
                    f"{universe.client.host} has no archive of published images of {universe.simulation}, snapshot "
                    f"{universe.snapshot}: they exist for snapshots 95 and 99 of TNG100-1 and TNG50-1."
                ) from error
            universe.cache.add(name, about="archive of published images", seconds=seconds)
    return universe.cache.path(name)


def _name(subhalo_id: int) -> str:
    return f"{FOLDER}/broadband_{subhalo_id}.fits"


def _fetch_one(universe: ApiUniverse, subhalo_id: int, gate: Gate) -> bool:
    """Fetch one image; False where there is none."""
    name, about = _name(subhalo_id), f"image of subhalo {subhalo_id}"
    with universe.cache.locked(name):
        if universe.cache.get(name) is not None:
            return True
        try:
            seconds = universe.client.file(
                f"{universe.simulation}/snapshots/{universe.snapshot}/subhalos/{subhalo_id}/skirt/broadband_sdss.fits",
                universe.cache.path(name),
                label=about,
                check=_is_fits,
                gate=gate,
            )
        except Missing:
            return False
        universe.cache.add(name, about=about, seconds=seconds)
    return True


def _is_fits(path: Path) -> None:
    with open(path, "rb") as handle:
        if handle.read(9) != b"SIMPLE  =":
            raise Transient("the file is no FITS file")


def _is_archive(path: Path) -> None:
    if not tarfile.is_tarfile(path):
        raise Transient("the file is no tar archive")
