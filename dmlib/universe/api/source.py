"""One simulation at one snapshot behind the TNG web API: its facts, catalogue columns and published images, cached.

The facts are requested once, kept, and confirmed before more is downloaded. The catalogue comes in whole columns, one
request per column, not one per galaxy.
"""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlencode, urlsplit

import h5py
import numpy as np

from ...errors import FetchError, UniverseError
from ...files import atomic_path, write_text
from ...manifest.download import Exhausted, Gate, Missing, Transient, tng_url
from ...manifest.fetch import cache_folder, check_content
from ...workers import bar
from ..base import Kind
from ..release import open_hdf5
from .downloads import Cache, in_parallel, patient_downloader

Job = TypeVar("Job")

FACTS = "facts.json"

#: Facts that distinguish simulations, and snapshots of one simulation.
IDENTIFYING = ("name", "number", "num_groups_fof", "num_groups_subfind", "num_gas", "num_dm", "num_stars", "boxsize")

#: Subhaloes without a published image, one per line.
ABSENT = "skirt/absent.txt"

#: Rows up to which a column is read in pieces and not as a whole.
_FEW = 2000

#: Bytes per row of a catalogue column that is neither one 4-byte number nor one per particle type.
_WIDTH = {"SubhaloPos": 12, "SubhaloVel": 12, "GroupPos": 12, "SubhaloStellarPhotometrics": 32, "SubhaloFlag": 1}

#: Typical size of a published image, (4, 500, 500) numbers of 4 bytes [bytes].
IMAGE = 4e6


class Source:
    """One simulation at one snapshot behind the web API.

    Parameters
    ----------
    simulation : str
    snapshot : int

    Attributes
    ----------
    cache : Cache
        ``tng/<host>/<simulation>/snapshot_<n>`` in the folder of downloads (``DMLIB_DATA``).
    path : str
        Path of the snapshot below the API's root.
    place : str
        Address for errors, ``www.tng-project.org/TNG100-1/snapshots/99``.
    """

    _confirmed: ClassVar[set[tuple[str, str, int]]] = set()

    def __init__(self, simulation: str, snapshot: int):
        self.simulation, self.snapshot, self.url = simulation, snapshot, tng_url()
        self.host = urlsplit(self.url).netloc
        self.path = f"{simulation}/snapshots/{snapshot}"
        self.place = f"{self.host}/{self.path}"
        folder = cache_folder() / "tng" / self.host.replace(":", "_")
        self.cache = Cache(folder / simulation / f"snapshot_{snapshot:03d}")
        self.downloader = patient_downloader()

    def json(self, path: str, query: Mapping[str, object] | None = None, *, label: str) -> Any:
        """Return the JSON reply of a path below the API's root; raises FetchError."""
        return self.downloader.json(self._address(path, query), label=label, with_key=True)

    def _address(self, path: str, query: Mapping[str, object] | None) -> str:
        """URL of a path below the root; commas of field lists stay as they are."""
        return self.url + path + (f"?{urlencode(query, safe=',')}" if query else "")

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the server says of the simulation and the snapshot; from the cache once it is there.

        Raises
        ------
        FetchError
            When the server cannot be reached.
        UniverseError
            When it has no such simulation or snapshot.
        """
        return self.kept(FACTS, self._request_facts)

    def kept(self, name: str, request: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """A small JSON file of the cache; where it is missing or damaged, it is written from a request."""
        path = self.cache.path(name)
        with suppress(FileNotFoundError, ValueError):
            return json.loads(path.read_text(encoding="utf-8"))
        found = request()
        write_text(path, json.dumps(found, indent=1) + "\n")
        return found

    def confirm(self) -> None:
        """Once per process, before anything is added to the cache: check that the server's data are the cached ones.

        Raises
        ------
        UniverseError
            When it serves another simulation under the same name.
        """
        kept = self.facts
        if (self.url, self.simulation, self.snapshot) in self._confirmed:
            return
        now = self._request_facts()
        for name in IDENTIFYING:
            if now.get(name) != kept.get(name):
                said = f"{self.host} serves another {self.simulation} than the one in the cache"
                change = f"{name} is {now.get(name)}, was {kept.get(name)}"
                raise UniverseError(f"{said} ({change}): remove the folder {self.cache.folder}.")

    def _request_facts(self) -> dict[str, Any]:
        try:
            simulation = self.json(f"{self.simulation}/", label=self.simulation)
        except Missing as error:
            rows = self.json("", label="the list of simulations").get("simulations", ())
            known = ", ".join(row["name"] for row in rows[:20])
            raise UniverseError(f"{self.host} has no simulation '{self.simulation}': it has {known}.") from error
        name = simulation.get("name", self.simulation)
        if name != self.simulation:
            raise UniverseError(f"{self.host} serves '{name}', not '{self.simulation}': set --simulation {name}.")
        label = f"snapshot {self.snapshot} of {self.simulation}"
        try:
            snapshot = self.json(f"{self.path}/", label=label)
        except Missing as error:
            raise UniverseError(f"{self.host} has no {label}: choose another.") from error
        if unsaid := {"num_groups_fof", "num_groups_subfind"} - set(snapshot):
            raise UniverseError(f"{self.host} does not say {min(unsaid)} of {label}: it does not speak TNG's web API.")
        self._confirmed.add((self.url, self.simulation, self.snapshot))
        return simulation | snapshot | {"name": name}

    def download(
        self,
        name: str,
        path: str,
        *,
        about: str,
        check: Callable[[Path], None],
        query: Mapping[str, str] | None = None,
        fields: Mapping[str, Sequence[str]] | None = None,
        gate: Gate | None = None,
    ) -> None:
        """Download a file into the cache, unless it is there.

        Parameters
        ----------
        name : str
            In the cache; the file gets it only once it was checked.
        path : str
            Below the API's root.
        about : str
            What it contains, for the index and for errors.
        check, gate
            As of `Downloader.get`.
        query : mapping, optional
        fields : mapping, optional
            For a cutout: particle type -> fields.

        Raises
        ------
        FetchError
            Also when the disk is full.
        """
        target, begin = self.cache.path(name), time.monotonic()
        with self.cache.locked(name):
            if self.cache.get(name) is not None:
                return
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                url = self._address(path, query)
                self.downloader.get(url, target, label=about, with_key=True, check=check, gate=gate)
            except OSError as error:
                why = f"cannot be written ({error.strerror or error}): check the cache folder"
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    why = "does not fit on the full disk: free space or set DMLIB_DATA, and run again; the rest is kept"
                raise FetchError(f"{about}: {target.name} {why}.") from error
            self.cache.add(name, about=about, fields=fields or {}, seconds=time.monotonic() - begin)

    def download_all(
        self, jobs: Sequence[Job], one: Callable[[Job, Gate], object], *, what: str, n_bytes: float
    ) -> None:
        """Download many files over several connections.

        Parameters
        ----------
        jobs : sequence
        one : callable
            Downloads one of them.
        what : str
            Name of the jobs, plural.
        n_bytes : float
            Size of them all, as far as it is known.

        Raises
        ------
        FetchError
            When some could not be obtained. What arrived is kept: the next call continues.
        """
        self.cache.require_space(n_bytes, self.simulation)
        self.confirm()
        with bar(total=int(n_bytes), label=f"{what} of {self.simulation}", unit="B") as progress:
            progress.unit_scale = True
            gate = Gate(progress)
            failed = in_parallel(jobs, lambda job: one(job, gate), gate, what)
        if failed:
            said = f"{len(failed)} of {len(jobs)} {what} could not be obtained ({failed[0][1]})"
            raise FetchError(f"{said} The others are kept: run again to continue.")

    def column(self, kind: Kind, field: str, rows: np.ndarray | None = None) -> np.ndarray:
        """A catalogue column as stored, or some rows of it; downloaded first if it is not in the cache.

        Parameters
        ----------
        kind : {"Group", "Subhalo"}
        field : str
            TNG name.
        rows : ndarray of int, optional

        Raises
        ------
        UniverseError
            When the catalogue has no such field.
        """
        self.fetch_columns([(kind, field)])
        with open_hdf5(self.cache.path(_column_name(kind, field))) as handle:
            dataset = handle[f"{kind}/{field}"]
            if rows is None:
                return dataset[()]
            if rows.size > _FEW:
                return dataset[()][rows]
            unique, where = np.unique(rows, return_inverse=True)
            return dataset[unique][where] if unique.size else dataset[:0]

    def missing_columns(self, columns: Iterable[tuple[Kind, str]]) -> list[tuple[Kind, str]]:
        """Those of the columns (table, field) that are not in the cache yet."""
        return [column for column in columns if self.cache.get(_column_name(*column)) is None]

    def bytes_of_columns(self, columns: Iterable[tuple[Kind, str]]) -> int:
        """Size of columns (table, field) [bytes]; a column of unknown width counts as 4-byte numbers."""
        return sum(
            self._n_rows(kind) * (24 if field.endswith("Type") else _WIDTH.get(field, 4)) for kind, field in columns
        )

    def fetch_columns(self, columns: Iterable[tuple[Kind, str]]) -> None:
        """Download those of the columns (table, field) that are not in the cache; raises as `column`."""
        if missing := self.missing_columns(columns):
            size = self.bytes_of_columns(missing)
            self.download_all(missing, self._fetch_column, what="catalogue columns", n_bytes=size)

    def _n_rows(self, kind: Kind) -> int:
        return int(self.facts["num_groups_subfind" if kind == "Subhalo" else "num_groups_fof"])

    def _fetch_column(self, column: tuple[Kind, str], gate: Gate) -> None:
        kind, field = column
        about, total = f"{kind}/{field}", self._n_rows(kind)

        def check(path: Path) -> None:
            found = _check_hdf5(path, lambda handle: handle[about].shape[0])
            if found != total:
                raise Transient(f"the column has {found} rows of {total}")

        path = f"{self.simulation}/files/groupcat-{self.snapshot}/"
        chunks = [f"catalogue/chunks/{self.snapshot}.{i}.hdf5" for i in range(int(self.facts["num_files_groupcat"]))]
        if all(self.cache.get(name) for name in chunks):
            self._column_from_chunks(kind, field, chunks, gate)
            return
        try:
            self.download(_column_name(kind, field), path, about=about, check=check, query={kind: field}, gate=gate)
        except Missing as error:
            raise self._no_field(about) from error
        except Exhausted:
            # The server collects a column from hundreds of files, and may not do so in time (HTTP 504).
            self._column_from_chunks(kind, field, chunks, gate)

    def _column_from_chunks(self, kind: Kind, field: str, chunks: Sequence[str], gate: Gate) -> None:
        """Collect a catalogue column from the catalogue's files, which are downloaded whole and kept."""
        pieces, check = [], partial(_check_hdf5, look=lambda handle: handle["Header"].attrs["Nsubgroups_ThisFile"])
        for i, name in enumerate(chunks):
            path = f"{self.simulation}/files/groupcat-{self.snapshot}.{i}.hdf5"
            self.download(name, path, about=f"catalogue file {i}", check=check, gate=gate)
            with open_hdf5(self.cache.path(name)) as handle:
                if handle["Header"].attrs[f"N{'groups' if kind == 'Group' else 'subgroups'}_ThisFile"] == 0:
                    continue
                if f"{kind}/{field}" not in handle:
                    raise self._no_field(f"{kind}/{field}")
                pieces.append(handle[f"{kind}/{field}"][()])
        found = sum(map(len, pieces))
        if found != self._n_rows(kind):
            said = f"the catalogue files of {self.place} have {found} rows of {kind}, not {self._n_rows(kind)}"
            raise UniverseError(f"{said}: remove {self.cache.folder} and run again.")
        name = _column_name(kind, field)
        with self.cache.locked(name):
            if self.cache.get(name) is None:
                with atomic_path(self.cache.path(name)) as temporary, h5py.File(temporary, "w") as handle:
                    handle[f"{kind}/{field}"] = np.concatenate(pieces)
                self.cache.add(name, about=f"{kind}/{field}", fields={}, seconds=0.0)

    def _no_field(self, about: str) -> UniverseError:
        return UniverseError(f"the catalogue at {self.place} has no field {about}: see TNG's tables of fields.")

    @property
    def archive(self) -> str:
        """Name of the archive of all published images, below ``skirt`` in the cache."""
        return f"skirt_images_sdss.{self.snapshot}.tar"

    def missing_images(self, subhalo_ids: Iterable[int]) -> list[int]:
        """Subhaloes whose image is not in the cache yet, except those known to have no image."""
        path = self.cache.path(ABSENT)
        absent = set(path.read_text().split()) if path.is_file() else set()
        return [i for i in map(int, subhalo_ids) if str(i) not in absent and self.cache.get(_image_name(i)) is None]

    def fetch_images(self, subhalo_ids: Iterable[int]) -> Path:
        """Download the published images of galaxies, one request each.

        Parameters
        ----------
        subhalo_ids : iterable of int
            Those without an image (small galaxies have none) are noted and not requested again.

        Returns
        -------
        Path
            The folder, for `dmlib.observe.images.published.PublishedSkirt`; raises as `download_all`.
        """
        absent: list[int] = []

        def one(subhalo_id: int, gate: Gate) -> None:
            path = f"{self.path}/subhalos/{subhalo_id}/skirt/broadband_sdss.fits"
            about = f"image of subhalo {subhalo_id}"
            try:
                check = partial(check_content, form="fits", label=about)
                self.download(_image_name(subhalo_id), path, about=about, check=check, gate=gate)
            except Missing:
                absent.append(subhalo_id)

        missing = self.missing_images(subhalo_ids)
        folder = self.cache.path("skirt")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            if missing:
                self.download_all(missing, one, what="published images", n_bytes=IMAGE * len(missing))
        finally:
            with open(self.cache.path(ABSENT), "a") as handle:
                handle.writelines(f"{number}\n" for number in sorted(absent))
        return folder

    def fetch_archive(self) -> Path:
        """Download the archive of all published images of the snapshot, resuming an earlier download.

        Returns
        -------
        Path
            The tar file, for `dmlib.observe.images.published.PublishedSkirt`.

        Raises
        ------
        UniverseError
            When this snapshot has none.
        """
        name, path = f"skirt/{self.archive}", f"{self.simulation}/files/{self.archive}"
        if self.cache.get(name) is None:
            self.confirm()
            about = "archive of published images"
            try:
                self.download(name, path, about=about, check=partial(check_content, form="tar", label=about))
            except Missing as error:
                said = f"{self.host} has no {about} of {self.simulation}, snapshot {self.snapshot}"
                raise UniverseError(f"{said}: they exist for snapshots 95, 99 of TNG100-1 and TNG50-1.") from error
        return self.cache.path(name)


def _check_hdf5(path: Path, look: Callable[[h5py.File], Any]) -> Any:
    """Look up something in a file that was downloaded; what arrives damaged may arrive whole another time."""
    try:
        with h5py.File(path, "r") as handle:
            return look(handle)
    except (OSError, KeyError, RuntimeError) as error:
        raise Transient(f"the file cannot be opened as HDF5, or lacks something ({error})") from error


def _column_name(kind: Kind, field: str) -> str:
    return f"catalogue/{kind}_{field}.hdf5"


def _image_name(subhalo_id: int) -> str:
    return f"skirt/broadband_{subhalo_id}.fits"
