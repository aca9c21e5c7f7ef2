"""A TNG tree on disk, read through illustris_python, in physical units and with errors that name the file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import h5py
import illustris_python as il
import numpy as np
from astropy.table import QTable

from ..errors import UniverseError
from ..settings import Settings
from ..units import PART_TYPE, CodeUnits
from .base import Header, Scope
from .checks import check_run, find_output, open_hdf5
from .fields import FULL_ONLY, FULL_SNAPSHOTS, VECTOR_LENGTH, particle_factor, physical_column, suggestion

#: Chunks and fields that go into the fingerprint: enough to tell two catalogues apart, few enough to be read at once.
_FINGERPRINT_CHUNKS = 16
_FINGERPRINT_FIELDS = (
    *("Group/GroupMassType", "Group/GroupPos", "Subhalo/SubhaloMassType", "Subhalo/SubhaloPos"),
    *("Subhalo/SubhaloHalfmassRadType", "Subhalo/SubhaloSFR"),
)

#: What the header of a catalogue file must say.
_CATALOGUE_ATTRIBUTES = (
    *("Time", "Redshift", "HubbleParam", "BoxSize", "Omega0", "OmegaLambda"),
    *("NumFiles", "Ngroups_Total", "Nsubgroups_Total"),
)


class FilesUniverse:
    """A TNG tree on disk at one snapshot: the embedded universe, a copy of TNG, or the TNG JupyterLab.

    Parameters
    ----------
    base_path : path
        The ``output`` folder, as illustris_python wants it. It holds ``groups_NNN`` and, for particles,
        ``snapdir_NNN``; the offsets lie in ``../postprocessing/offsets``. A catalogue without snapshot is fine
        as long as no particles are asked for.
    simulation : str
        Which run it should be; box, cosmology and particle mass are compared with it.
    snapshot : int

    Attributes
    ----------
    header : Header

    Raises
    ------
    UniverseError
        When the folder is not a TNG tree, or a different run.
    """

    def __init__(self, base_path: str | Path, simulation: str = "TNG100-1", snapshot: int = 99):
        self.base_path = find_output(base_path, snapshot)
        self.snapshot = snapshot
        self._offsets_checked = False
        self._subsets: dict[tuple[int, Scope], dict] = {}
        self._particle_names: dict[int, tuple[Path, frozenset[str]]] = {}
        raw = self._read_attributes(self._catalogue_chunk(0), _CATALOGUE_ATTRIBUTES)
        snapshot_chunk = self._snapshot_chunk(0)
        self.has_particles = snapshot_chunk.is_file()
        units = CodeUnits(a=float(raw["Time"]), h=float(raw["HubbleParam"]), box=float(raw["BoxSize"]))
        m_dm = float("nan")
        if self.has_particles:
            m_dm = (
                float(self._read_attributes(snapshot_chunk, ("MassTable",))["MassTable"][PART_TYPE["dm"]]) * units.mass
            )
        self.n_catalogue_chunks = int(raw["NumFiles"])
        self._require_chunks("catalogue", self._catalogue_chunk, self.n_catalogue_chunks)
        self.header = Header(
            simulation=check_run(self._catalogue_chunk(0), raw, m_dm, simulation, snapshot),
            snapshot=snapshot,
            redshift=float(raw["Redshift"]),
            units=units,
            m_dm=m_dm,
            n_groups=int(raw["Ngroups_Total"]),
            n_subhalos=int(raw["Nsubgroups_Total"]),
            identity=self._fingerprint(raw),
        )

    # -- catalogue -----------------------------------------------------------------------------------------------

    def subhalos(self, fields: Sequence[str], ids: np.ndarray | None = None) -> QTable:
        """Catalogue columns of subhaloes, see `Universe.subhalos`."""
        return self._catalogue("Subhalo", "subhalo_id", list(fields), ids)

    def groups(self, fields: Sequence[str], ids: np.ndarray | None = None) -> QTable:
        """Catalogue columns of FoF groups, see `Universe.groups`."""
        return self._catalogue("Group", "group_id", list(fields), ids)

    def _catalogue(self, kind: str, id_name: str, fields: list[str], ids: np.ndarray | None) -> QTable:
        total = self.header.n_subhalos if kind == "Subhalo" else self.header.n_groups
        if total == 0:
            raise UniverseError(f"{self._catalogue_chunk(0)} says that the catalogue has no {kind.lower()} at all.")
        rows = np.arange(total) if ids is None else np.asarray(ids, dtype=np.int64)
        outside = rows[(rows < 0) | (rows >= total)]
        if outside.size:
            raise UniverseError(f"{id_name} {outside[0]} is not in {self.base_path}: it has 0 to {total - 1}.")
        columns = self._read_all(kind, fields) if ids is None else self._read_rows(kind, fields, rows)
        table = QTable({id_name: rows})
        for field in fields:
            table[field] = physical_column(field, columns[field], self.header.units)
        return table

    def _read_all(self, kind: str, fields: list[str]) -> dict[str, np.ndarray]:
        """Whole columns, through illustris_python."""
        for i in np.flatnonzero(self._chunk_counts[kind]):
            with open_hdf5(self._catalogue_chunk(i)) as handle:
                self._check_catalogue_fields(handle, kind, fields)
        counter = "subgroups" if kind == "Subhalo" else "groups"
        try:
            # One process: the reader's own pool (OMP_NUM_THREADS > 1) forks, and gains nothing on a local disk.
            loaded = il.groupcat.loadObjects(str(self.base_path), self.snapshot, kind, counter, fields, nThreads=1)
        except (OSError, RuntimeError, KeyError) as error:
            raise UniverseError(
                f"{self._catalogue_chunk(0).parent} cannot be read ({error}): copy it again."
            ) from error
        return {fields[0]: loaded} if len(fields) == 1 else loaded

    def _read_rows(self, kind: str, fields: list[str], rows: np.ndarray) -> dict[str, np.ndarray]:
        """Some rows, from the chunks that hold them: a galaxy must not cost a pass over 448 files."""
        first = np.concatenate([[0], np.cumsum(self._chunk_counts[kind])])
        chunk = np.searchsorted(first, rows, side="right") - 1
        columns: dict[str, np.ndarray] = {}
        for i in np.unique(chunk) if rows.size else [int(np.argmax(self._chunk_counts[kind]))]:
            here = chunk == i
            with open_hdf5(self._catalogue_chunk(i)) as handle:
                self._check_catalogue_fields(handle, kind, fields)
                for field in fields:
                    values = handle[kind][field][()]
                    column = columns.setdefault(field, np.empty((len(rows), *values.shape[1:]), values.dtype))
                    column[here] = values[rows[here] - first[i]]
        return columns

    @staticmethod
    def _check_catalogue_fields(handle: h5py.File, kind: str, fields: list[str]) -> None:
        known = set(handle[kind].keys()) if kind in handle else set()
        absent = [field for field in fields if field not in known]
        if absent:
            raise UniverseError(
                f"{handle.filename} has no field {kind}/{absent[0]}{suggestion(absent[0], known)}: "
                "copy or download the catalogue with that field."
            )

    @cached_property
    def _chunk_counts(self) -> dict[str, np.ndarray]:
        """Rows of each catalogue chunk. Opens them all once: is each whole, and do the counts add up?"""
        counts: dict[str, list[int]] = {"Group": [], "Subhalo": []}
        for i in range(self.n_catalogue_chunks):
            with open_hdf5(self._catalogue_chunk(i)) as handle:
                attributes = handle["Header"].attrs
                counts["Group"].append(int(attributes["Ngroups_ThisFile"]))
                counts["Subhalo"].append(int(attributes["Nsubgroups_ThisFile"]))
        for kind, total in (("Group", self.header.n_groups), ("Subhalo", self.header.n_subhalos)):
            if sum(counts[kind]) != total:
                raise UniverseError(
                    f"the {self.n_catalogue_chunks} chunks in {self._catalogue_chunk(0).parent} hold "
                    f"{sum(counts[kind])} {kind} rows where their header says {total}: chunks of different catalogues "
                    "are mixed, copy them again."
                )
        return {kind: np.array(values) for kind, values in counts.items()}

    def prepare(self, group_ids: Iterable[int]) -> None:
        """Nothing to do: the particles are on disk, see `Universe.prepare`."""

    # -- particles -----------------------------------------------------------------------------------------------

    def particles(
        self, object_id: int, part_type: str, fields: Sequence[str], scope: Scope = "subhalo"
    ) -> dict[str, np.ndarray]:
        """Particles of one object in physical units, see `Universe.particles`."""
        number = self._part_number(part_type)
        subset = self._subset(int(object_id), scope)
        count = int(subset["lenType"][number])
        fields = list(fields)
        stored = [field for field in fields if not (field == "Masses" and part_type == "dm")]
        if count == 0:
            arrays = {field: np.zeros((0, *self._trailing(field))) for field in stored}
        else:
            self._check_particle_fields(number, stored)
            arrays = self._load_subset(number, stored, subset)
        result = {}
        for field in fields:
            if field not in arrays:
                result[field] = np.full(count, self.header.m_dm)
                continue
            factor = particle_factor(field, self.header.units)
            result[field] = arrays[field] if factor == 1.0 else arrays[field] * factor
        return result

    def _part_number(self, part_type: str) -> int:
        if part_type not in PART_TYPE:
            raise ValueError(f"part_type must be one of {', '.join(PART_TYPE)}, not {part_type!r}")
        if not self.has_particles:
            raise UniverseError(
                f"{self.base_path} holds catalogues only: particles need {self._snapshot_chunk(0).parent.name}, "
                "which is not there; copy the snapshot, or use universe 'embedded' (the selection needs no particles: "
                "`dmlib select`, or `dmlib run --only 03_simulation_and_selection`)."
            )
        return PART_TYPE[part_type]

    @staticmethod
    def _trailing(field: str) -> tuple[int, ...]:
        return (VECTOR_LENGTH[field],) if field in VECTOR_LENGTH else ()

    def _subset(self, object_id: int, scope: Scope) -> dict:
        """Where an object's particles lie, as illustris_python wants it; the last one is kept for its other types."""
        key = (object_id, scope)
        if key not in self._subsets:
            kind, total = ("Subhalo", self.header.n_subhalos) if scope == "subhalo" else ("Group", self.header.n_groups)
            if not 0 <= object_id < total:
                raise UniverseError(f"{scope} {object_id} is not in {self.base_path}: it has 0 to {total - 1}.")
            self._check_offsets()
            found = il.snapshot.getSnapOffsets(str(self.base_path), self.snapshot, object_id, kind)
            self._subsets = {key: found}
        return self._subsets[key]

    def _load_subset(self, number: int, fields: list[str], subset: dict) -> dict[str, np.ndarray]:
        try:
            arrays = il.snapshot.loadSubset(str(self.base_path), self.snapshot, number, fields, subset=subset, sq=False)
        except (OSError, RuntimeError, KeyError) as error:
            for i in range(self.n_snapshot_chunks):
                with open_hdf5(self._snapshot_chunk(i)):
                    pass  # the first that does not open says so
            raise UniverseError(f"{self._snapshot_chunk(0).parent} cannot be read ({error}): copy it again.") from error
        return arrays

    @cached_property
    def n_snapshot_chunks(self) -> int:
        """Number of snapshot files, as the first one says."""
        name = "NumFilesPerSnapshot"
        return int(self._read_attributes(self._snapshot_chunk(0), (name,))[name])

    def _particle_fields(self, number: int) -> tuple[Path, frozenset[str]]:
        """First snapshot file with particles of a type, and the fields it stores for them."""
        if number not in self._particle_names:
            for i in range(self.n_snapshot_chunks):
                path = self._snapshot_chunk(i)
                with open_hdf5(path) as handle:
                    if f"PartType{number}" in handle:
                        self._particle_names[number] = path, frozenset(handle[f"PartType{number}"].keys())
                        break
            else:
                raise UniverseError(
                    f"no file of {self._snapshot_chunk(0).parent} has PartType{number}, though the catalogue counts "
                    "such particles: snapshot and catalogue do not belong together."
                )
        return self._particle_names[number]

    def _check_particle_fields(self, number: int, fields: list[str]) -> None:
        path, known = self._particle_fields(number)
        absent = [field for field in fields if field not in known]
        if not absent:
            return
        if set(absent) & FULL_ONLY and not FULL_ONLY & known:
            full = ", ".join(map(str, FULL_SNAPSHOTS[-5:]))
            raise UniverseError(
                f"{path} has no field PartType{number}/{absent[0]}: it is a mini snapshot, use a full one "
                f"({full}, ...)."
            )
        raise UniverseError(
            f"{path} has no field PartType{number}/{absent[0]}{suggestion(absent[0], known)}: download the snapshot "
            "with that field."
        )

    def _check_offsets(self) -> None:
        """The particle offsets exist, are signed, and belong to this catalogue."""
        if self._offsets_checked or "fof_subhalo" not in self._catalogue_chunk(0).name:
            return  # old layout: the offsets are inside the catalogue
        path = Path(il.groupcat.offsetPath(str(self.base_path), self.snapshot))
        with open_hdf5(path) as handle:
            for name in ("FileOffsets/Group", "FileOffsets/Subhalo", "FileOffsets/SnapByType", "Subhalo/SnapByType"):
                if name not in handle:
                    raise UniverseError(f"{path} has no dataset {name}: download the offsets file again.")
                if handle[name].dtype.kind == "u":
                    # Differences of unsigned numbers wrap round, and the reader would pick the wrong chunk.
                    raise UniverseError(f"{path} stores {name} unsigned: write it as 64-bit signed integers.")
            rows = handle["Subhalo/SnapByType"].shape[0]
        if rows != self.header.n_subhalos:
            raise UniverseError(
                f"{path} has offsets of {rows} subhaloes, the catalogue has {self.header.n_subhalos}: take both from "
                "the same snapshot of the same run."
            )
        self._offsets_checked = True

    # -- files ---------------------------------------------------------------------------------------------------

    def _catalogue_chunk(self, i: int) -> Path:
        return Path(il.groupcat.gcPath(str(self.base_path), self.snapshot, i))

    def _snapshot_chunk(self, i: int) -> Path:
        path = Path(il.snapshot.snapPath(str(self.base_path), self.snapshot, i))
        # For a file that is not there the reader gives the older of its two names; messages give the usual one.
        return path if path.is_file() else path.with_name(f"snap_{self.snapshot:03d}.{i}.hdf5")

    @staticmethod
    def _read_attributes(path: Path, needed: Sequence[str]) -> dict:
        with open_hdf5(path) as handle:
            if "Header" not in handle:
                raise UniverseError(f"{path} has no Header: it is not a TNG file, copy or download it again.")
            attributes = dict(handle["Header"].attrs)
            absent = [name for name in needed if name not in attributes]
            if absent:
                raise UniverseError(f"{path} has no {absent[0]} in its Header: copy or download that file again.")
            for name in ("Parameters", "Config"):
                if name in handle and "SimulationName" in handle[name].attrs:
                    attributes["SimulationName"] = handle[name].attrs["SimulationName"]
        return attributes

    @staticmethod
    def _require_chunks(what: str, name, count: int) -> None:
        missing = [name(i) for i in range(count) if not name(i).is_file()]
        if missing:
            mend = f"{len(missing)} of the {count} {what} chunks are, copy" if len(missing) > 1 else "copy"
            raise UniverseError(f"{missing[0]} is missing: {mend} or download it again.")

    def _fingerprint(self, raw: dict) -> str:
        """sha256 over the header and `_FINGERPRINT_FIELDS` of up to 16 catalogue chunks spread over the whole."""
        digest = hashlib.sha256()
        for name in ("BoxSize", "HubbleParam", "Omega0", "OmegaLambda", "Time", "NumFiles"):
            digest.update(f"{name}={float(raw[name])!r};".encode())
        chosen = np.unique(np.linspace(0, self.n_catalogue_chunks - 1, _FINGERPRINT_CHUNKS).astype(int))
        for i in chosen:
            with open_hdf5(self._catalogue_chunk(int(i))) as handle:
                for dataset in _FINGERPRINT_FIELDS:
                    digest.update(dataset.encode())
                    if dataset in handle:
                        digest.update(np.ascontiguousarray(handle[dataset][()]).tobytes())
        return digest.hexdigest()


def open_tree(settings: Settings) -> FilesUniverse:
    """Open the TNG tree of ``universe="files"``."""
    return FilesUniverse(settings.base_path, simulation=settings.simulation, snapshot=settings.snapshot)


def open_embedded(settings: Settings) -> FilesUniverse:
    """Open the embedded universe, which must have been written."""
    return FilesUniverse(settings.universe_dir / "output", simulation="embedded", snapshot=settings.snapshot)


def tree_state(settings: Settings) -> dict[str, str]:
    """Fingerprint of names, sizes and times of the files of a tree: to hash their contents would take hours."""
    base, snapshot = Path(settings.base_path), f"{settings.snapshot:03d}"
    folders = (base / f"groups_{snapshot}", base / f"snapdir_{snapshot}", base.parent / "postprocessing" / "offsets")
    files = [path for folder in folders for path in sorted(folder.glob("*.hdf5"))]
    listing = [f"{path.parent.name}/{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files]
    return {f"{settings.simulation} on disk": hashlib.sha256("\n".join(listing).encode()).hexdigest()}
