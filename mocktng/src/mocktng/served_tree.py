"""A TNG tree on disk for the server: raw columns, cutouts and headers, in the units and dtypes of the files."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .files import MockError

#: Names of the particle types in requests.
API_TYPES = {"gas": 0, "dm": 1, "stars": 4, "bhs": 5}

#: Fields of the snapshot that are not in cutouts.
NOT_IN_CUTOUTS = frozenset({"Potential"})


class NoSuchObject(Exception):
    """The requested object does not exist: HTTP 404."""


class BadRequest(Exception):
    """The request is invalid, for example because the snapshot lacks a field: HTTP 400."""


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading.

    Raises
    ------
    MockError
        When it is missing or damaged.
    """
    if not path.is_file():
        raise MockError(f"{path} is missing: restore that file.")
    try:
        with h5py.File(path, "r") as handle:
            yield handle
    except (OSError, RuntimeError) as error:
        raise MockError(f"{path} cannot be read ({error}): restore that file.") from error


def find_output(folder: str | Path, snapshot: int) -> Path:
    """Find the ``output`` folder with the catalogue of a snapshot: the folder itself, or ``output`` in it.

    Raises
    ------
    MockError
        When there is none.
    """
    # Not resolve(): postprocessing is beside `output` as the user sees it, symbolic links included.
    base = Path(os.path.abspath(Path(folder).expanduser()))
    for path in (base, base / "output"):
        if (path / f"groups_{snapshot:03d}").is_dir():
            return path
    raise MockError(
        f"{base} has no folder groups_{snapshot:03d}, alone or in output: name the folder of a universe, or the output "
        "folder of a TNG tree."
    )


class ServedTree:
    """A tree whose content is served.

    Parameters
    ----------
    folder : path
        See `find_output`.
    snapshot : int
    """

    def __init__(self, folder: str | Path, snapshot: int = 99):
        self.output = find_output(folder, snapshot)
        self.root = self.output.parent
        self.snapshot = snapshot
        self._columns: dict[tuple[str, str], np.ndarray] = {}

    # -- headers -------------------------------------------------------------------------------------------------

    @cached_property
    def catalogue_header(self) -> dict[str, Any]:
        """Header of the first catalogue file."""
        with open_hdf5(self.catalogue_chunk(0)) as handle:
            return dict(handle["Header"].attrs)

    @cached_property
    def snapshot_header(self) -> dict[str, Any]:
        """Header of the first snapshot file."""
        with open_hdf5(self.snapshot_chunk(0)) as handle:
            return dict(handle["Header"].attrs)

    @cached_property
    def own_name(self) -> str | None:
        """Name of the simulation in the tree; None for the runs of TNG, whose catalogues lack it."""
        for path in (self.catalogue_chunk(0), self.snapshot_chunk(0)):
            with open_hdf5(path) as handle:
                for group in ("Header", "Parameters", "Config"):
                    if group in handle and "SimulationName" in handle[group].attrs:
                        name = handle[group].attrs["SimulationName"]
                        return name.decode() if isinstance(name, bytes) else str(name)
        return None

    @property
    def n_groups(self) -> int:
        """FoF groups of the catalogue."""
        return int(self.catalogue_header["Ngroups_Total"])

    @property
    def n_subhalos(self) -> int:
        """Subhaloes of the catalogue."""
        return int(self.catalogue_header["Nsubgroups_Total"])

    @property
    def totals(self) -> np.ndarray:
        """Particles of each type in the snapshot, shape (6,)."""
        header = self.snapshot_header
        low = np.asarray(header["NumPart_Total"], dtype=np.int64)
        return low + (np.asarray(header.get("NumPart_Total_HighWord", np.zeros(6)), dtype=np.int64) << 32)

    # -- files ---------------------------------------------------------------------------------------------------

    def catalogue_chunk(self, i: int) -> Path:
        """File of the group catalogue, under either of the names in use."""
        folder, number = self.output / f"groups_{self.snapshot:03d}", f"{self.snapshot:03d}.{i}.hdf5"
        old = folder / f"groups_{number}"
        return old if old.is_file() else folder / f"fof_subhalo_tab_{number}"

    def snapshot_chunk(self, j: int) -> Path:
        """File of the snapshot, under either of the names in use."""
        folder, number = self.output / f"snapdir_{self.snapshot:03d}", f"{self.snapshot:03d}.{j}.hdf5"
        usual = folder / f"snap_{number}"
        return usual if usual.is_file() else folder / f"snapshot_{number}"

    @property
    def offsets(self) -> Path:
        """File of offsets."""
        return self.root / "postprocessing" / "offsets" / f"offsets_{self.snapshot:03d}.hdf5"

    @property
    def skirt_archive(self) -> Path:
        """Archive of the published images."""
        return self.root / "postprocessing" / "skirt_images" / f"skirt_images_sdss.{self.snapshot}.tar"

    @property
    def single_files(self) -> dict[str, Path]:
        """Files that are one for the whole snapshot: name in the API -> path, whether they are there or not."""
        return {
            f"offsets.{self.snapshot}.hdf5": self.offsets,
            "simulation.hdf5": self.root / "simulation.hdf5",
            f"skirt_images_sdss.{self.snapshot}.tar": self.skirt_archive,
        }

    @property
    def skirt_images(self) -> Path:
        """Folder of the published images, as on the JupyterLab of TNG; may be missing."""
        return self.root / "postprocessing" / "skirt_images" / "sdss" / f"snapnum_{self.snapshot:03d}" / "data"

    # -- catalogue -----------------------------------------------------------------------------------------------

    @cached_property
    def fields(self) -> dict[str, frozenset[str]]:
        """Fields of ``Group`` and ``Subhalo``."""
        found: dict[str, frozenset[str]] = {"Group": frozenset(), "Subhalo": frozenset()}
        for i in range(int(self.catalogue_header["NumFiles"])):
            with open_hdf5(self.catalogue_chunk(i)) as handle:
                for kind in found:
                    found[kind] |= frozenset(handle.get(kind, {}))
            if all(found.values()):
                break
        return found

    def column(self, kind: str, field: str) -> np.ndarray:
        """Read a whole catalogue column as stored.

        Raises
        ------
        BadRequest
            When there is no such table or field.
        """
        if kind not in self.fields or field not in self.fields[kind]:
            raise BadRequest(f"{kind} has no field {field}")
        if (kind, field) not in self._columns:
            pieces = []
            for i in range(int(self.catalogue_header["NumFiles"])):
                with open_hdf5(self.catalogue_chunk(i)) as handle:
                    if kind in handle and field in handle[kind]:
                        pieces.append(handle[kind][field][()])
            self._columns[kind, field] = np.concatenate(pieces)
        return self._columns[kind, field]

    def column_file(self, kind: str, field: str) -> bytes:
        """HDF5 file of one whole column, with group and data set named as on disk."""
        return _hdf5({f"{kind}/{field}": self.column(kind, field)})

    # -- particles -----------------------------------------------------------------------------------------------

    @cached_property
    def particle_fields(self) -> dict[int, dict[str, dict[str, Any]]]:
        """Attributes of each field of each particle type."""
        found: dict[int, dict[str, dict[str, Any]]] = {}
        for j in range(int(self.snapshot_header["NumFilesPerSnapshot"])):
            with open_hdf5(self.snapshot_chunk(j)) as handle:
                for number in API_TYPES.values():
                    if number not in found and f"PartType{number}" in handle:
                        group = handle[f"PartType{number}"]
                        found[number] = {name: dict(group[name].attrs) for name in group}
            if len(found) == len(API_TYPES):
                break
        return found

    @cached_property
    def _first_particles(self) -> np.ndarray:
        """First particle of each snapshot file by type, and the totals, shape (files + 1, 6)."""
        with open_hdf5(self.offsets) as handle:
            return np.vstack([handle["FileOffsets/SnapByType"][()], self.totals])

    def _read(self, part: int, names: list[str], start: int, n: int) -> dict[str, np.ndarray]:
        """Fields of `n` particles from `start` on, which may span files."""
        edges = self._first_particles[:, part]
        pieces: dict[str, list[np.ndarray]] = {name: [] for name in names}
        for j in range(len(edges) - 1):
            first, last = max(start, edges[j]), min(start + n, edges[j + 1])
            if first < last:
                with open_hdf5(self.snapshot_chunk(j)) as handle:
                    for name in names:
                        pieces[name].append(handle[f"PartType{part}/{name}"][first - edges[j] : last - edges[j]])
        return {name: np.concatenate(values) for name, values in pieces.items()}

    def cutout(self, kind: str, number: int, wanted: dict[str, str]) -> bytes:
        """HDF5 file of a cutout.

        Parameters
        ----------
        kind : {"halo", "subhalo"}
        number : int
        wanted : dict
            ``{"gas": "Masses,Coordinates"}``; ``all`` means every field, an empty dictionary everything.

        Raises
        ------
        BadRequest, NoSuchObject
        """
        table = "Group" if kind == "halo" else "Subhalo"
        if not 0 <= number < (self.n_groups if kind == "halo" else self.n_subhalos):
            raise NoSuchObject(f"no {kind} {number}")
        fields = self._fields_wanted(wanted)
        with open_hdf5(self.offsets) as handle:
            starts = handle[f"{table}/SnapByType"][number]
        lengths = self.column(table, f"{table}LenType")[number]
        counts = np.zeros(6, np.int32)
        datasets: dict[str, np.ndarray] = {}
        attributes: dict[str, dict[str, Any]] = {}
        for part, names in fields.items():
            counts[part] = lengths[part]
            if not counts[part]:
                continue
            for name, values in self._read(part, names, int(starts[part]), int(lengths[part])).items():
                datasets[f"PartType{part}/{name}"] = values
                attributes[f"PartType{part}/{name}"] = self.particle_fields[part][name]
        header = self.snapshot_header | {
            "NumPart_ThisFile": counts,
            "NumFilesPerSnapshot": np.int32(1),
            "SnapshotNumber": np.int32(self.snapshot),
            "CutoutID": np.int32(number),
            "CutoutType": kind,
            "CutoutRequest": "+".join(f"PartType{part}={','.join(names)}" for part, names in fields.items()),
        }
        if self.own_name:
            header["SimulationName"] = self.own_name
        return _hdf5(datasets, header, attributes)

    def _fields_wanted(self, wanted: dict[str, str]) -> dict[int, list[str]]:
        request = wanted or dict.fromkeys(API_TYPES, "all")
        fields: dict[int, list[str]] = {}
        for name, value in request.items():
            if name not in API_TYPES:
                raise BadRequest(f"no particle type {name}")
            part = API_TYPES[name]
            known = set(self.particle_fields.get(part, {})) - NOT_IN_CUTOUTS
            names = sorted(known) if value == "all" else value.split(",")
            unknown = [field for field in names if field not in known]
            if unknown and part in self.particle_fields:
                raise BadRequest(f"{name} has no field {unknown[0]}")
            if part in self.particle_fields:
                fields[part] = names
        return fields


def _hdf5(
    datasets: dict[str, np.ndarray],
    header: dict[str, Any] | None = None,
    attributes: dict[str, dict[str, Any]] | None = None,
) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as handle:
        if header is not None:
            handle.create_group("Header").attrs.update(header)
        for name, values in datasets.items():
            dataset = handle.create_dataset(name, data=values, track_times=False)
            dataset.attrs.update((attributes or {}).get(name, {}))
    return buffer.getvalue()
