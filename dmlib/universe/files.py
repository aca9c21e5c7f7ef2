"""A TNG tree on disk, read through illustris_python, in physical units and with errors that name the file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import illustris_python as il
import numpy as np

from ..errors import UniverseError
from ..settings import Settings
from ..units import PART_TYPE
from .base import HALF_MASS_PARTICLES, Kind, Universe, make_header
from .release import (
    FULL_ONLY,
    FULL_SNAPSHOTS,
    SHARED_ATTRIBUTES,
    SNAPSHOT_ATTRIBUTES,
    compare_headers,
    open_hdf5,
    particle_totals,
    refuse_subbox,
    suggestion,
    trouble_of_offsets,
)

#: Chunks and fields that go into the fingerprint: enough to distinguish two catalogues, few enough to be read quickly.
_FINGERPRINT_CHUNKS = 16
_FINGERPRINT_FIELDS = (
    *("Group/GroupMassType", "Group/GroupPos", "Subhalo/SubhaloMassType", "Subhalo/SubhaloPos"),
    *("Subhalo/SubhaloHalfmassRadType", "Subhalo/SubhaloSFR"),
)

#: Subhaloes among which, and number of those of which, the particles are compared with the catalogue at first; groups
#: of which the offsets are.
_MANY_ROWS, _FEW, _MANY_GROUPS = 2000, 3, 200

#: Particles that are read at least where one object after the other is asked for: some groups of a small universe.
_AHEAD = 2**17

#: Particles of one type are kept up to this size [bytes].
_KEPT = 2**28

#: Attributes that the header of a catalogue file must have.
_CATALOGUE_ATTRIBUTES = (*SHARED_ATTRIBUTES, "NumFiles", "Ngroups_Total", "Nsubgroups_Total")


@dataclass(frozen=True)
class _Span:
    """Consecutive particles of one type, kept as long as the files that hold them stay as they were.

    Parameters
    ----------
    first, end : int
        Within all particles of the type.
    files : tuple
        Size and time of each file that holds some of them.
    arrays : dict of ndarray
        Fields as stored, read-only.
    """

    first: int
    end: int
    files: tuple
    arrays: dict[str, np.ndarray]


def find_output(base_path: str | Path, snapshot: int) -> Path:
    """The ``output`` folder; the error names the right one when the path is a level too high or too low.

    Parameters
    ----------
    base_path : path
        The folder that the user gave.
    snapshot : int

    Returns
    -------
    Path
        Absolute path that holds ``groups_NNN``.

    Raises
    ------
    UniverseError
    """
    # Not resolve(): the postprocessing folder lies beside `output` as the user sees it, symbolic links included.
    base = Path(os.path.abspath(Path(base_path).expanduser()))
    refuse_subbox(base.name, str(base))
    wanted = f"groups_{snapshot:03d}"
    if (base / wanted).is_dir():
        return base
    if not base.exists():
        raise UniverseError(f"{base} does not exist: base_path must be the simulation's output folder.")
    candidates = [base / "output", base.parent, base.parent / "output"]
    candidates += sorted(base.glob("*/output")) if base.is_dir() else []
    for folder in candidates:
        if (folder / wanted).is_dir():
            raise UniverseError(f"{base} has no folder {wanted}, but {folder} has: give base_path={folder}.")
    others = sorted(folder.name for folder in base.glob("groups_*") if folder.is_dir())
    mend = f"base_path must be the simulation's output folder, which holds {wanted} and snapdir_{snapshot:03d}"
    if others:
        mend = f"it has {', '.join(others[:5])}, choose one of those snapshots or copy the missing folder"
    raise UniverseError(f"{base} has no folder {wanted} for snapshot {snapshot}: {mend}.")


class FilesUniverse(Universe):
    """A TNG tree on disk at one snapshot: the embedded universe, a copy of TNG, or the TNG JupyterLab.

    Parameters
    ----------
    base_path : path
        The ``output`` folder, as illustris_python expects it. It holds ``groups_NNN`` and, for particles,
        ``snapdir_NNN``; the offsets lie in ``../postprocessing/offsets``. A catalogue without snapshot suffices as
        long as no particles are read.
    simulation : str
        The run that it should be; box, cosmology and particle mass are compared with it.
    snapshot : int

    Attributes
    ----------
    header : Header

    Raises
    ------
    UniverseError
        When the folder is not a TNG tree, or belongs to a different run.
    """

    def __init__(self, base_path: str | Path, simulation: str = "TNG100-1", snapshot: int = 99):
        self.base_path = find_output(base_path, snapshot)
        self.place = str(self.base_path)
        self.snapshot = snapshot
        self._belongs = False
        self._subsets: dict[tuple[int, Kind], dict] = {}
        self._spans: dict[int, _Span] = {}
        self._particle_names: dict[int, tuple[Path, frozenset[str]]] = {}
        raw = self._read_attributes(self._catalogue_chunk(0), _CATALOGUE_ATTRIBUTES)
        snapshot_chunk = self._snapshot_chunk(0)
        self.has_particles = snapshot_chunk.is_file()
        self.n_catalogue_chunks = int(raw["NumFiles"])
        chunks = [self._catalogue_chunk(i) for i in range(max(self.n_catalogue_chunks, 1))]
        missing = [path for path in chunks if not path.is_file()]
        if missing:
            mend = f"{len(missing)} of the {len(chunks)} catalogue chunks are, copy" if len(missing) > 1 else "copy"
            raise UniverseError(f"{missing[0]} is missing: {mend} or download it again.")
        self._catalogue_header = raw
        attributes = {name: value for name, value in raw.items() if name != "MassTable"}
        if self.has_particles:
            own = self._read_attributes(snapshot_chunk, (*SNAPSHOT_ATTRIBUTES, *SHARED_ATTRIBUTES))
            compare_headers(snapshot_chunk, own, chunks[0], raw)
            attributes["MassTable"] = own["MassTable"]
            if not own["MassTable"][PART_TYPE["dm"]] > 0:
                attributes["MassTable"] = self._masses_of_particles(own["MassTable"])
                self.stores_dm_masses = True
        self.header = make_header(attributes, chunks[0], simulation, snapshot, identity=self._fingerprint(raw))

    # -- catalogue -----------------------------------------------------------------------------------------------

    def _columns(self, kind: Kind, fields: list[str], rows: np.ndarray | None) -> dict[str, np.ndarray]:
        """Whole columns chunk by chunk, or rows from the chunks that hold them and no others."""
        counts = self._chunk_counts[kind]
        first = np.concatenate([[0], np.cumsum(counts)])
        wanted = np.arange(first[-1]) if rows is None else rows
        chunk = np.searchsorted(first, wanted, side="right") - 1
        chunks = np.unique(chunk) if wanted.size else [np.argmax(counts)]
        columns: dict[str, np.ndarray] = {}
        for i in map(int, chunks):
            here = slice(first[i], first[i + 1]) if rows is None else np.flatnonzero(chunk == i)
            with open_hdf5(self._catalogue_chunk(i)) as handle:
                known = handle[kind].keys() if kind in handle else ()
                _require_fields(handle.filename, kind, fields, known, _catalogue_mend(fields, known))
                for field in fields:
                    values = handle[kind][field][()]
                    if len(values) != counts[i]:
                        raise UniverseError(
                            f"{handle.filename} has {len(values)} rows of {kind}/{field}, and {counts[i]} by its "
                            "header: copy or download that file again."
                        )
                    column = columns.setdefault(field, np.empty((len(wanted), *values.shape[1:]), values.dtype))
                    column[here] = values if rows is None else values[rows[here] - first[i]]
        return columns

    @cached_property
    def _chunk_counts(self) -> dict[str, np.ndarray]:
        """Rows of each catalogue chunk; opens each once, and checks that the counts add up."""
        rows, names = [], ("Ngroups_ThisFile", "Nsubgroups_ThisFile")
        for path in map(self._catalogue_chunk, range(self.n_catalogue_chunks)):
            own = self._read_attributes(path, (*SHARED_ATTRIBUTES, *names))
            compare_headers(path, own, self._catalogue_chunk(0), self._catalogue_header)
            rows.append([int(own[name]) for name in names])
        counts = dict(zip(("Group", "Subhalo"), np.array(rows).T, strict=True))
        for kind, total in (("Group", self.header.n_groups), ("Subhalo", self.header.n_subhalos)):
            if counts[kind].sum() != total:
                raise UniverseError(
                    f"the {self.n_catalogue_chunks} chunks in {self._catalogue_chunk(0).parent} hold "
                    f"{counts[kind].sum()} {kind} rows where their header says {total}: chunks of different catalogues "
                    "are mixed, copy them again."
                )
        return counts

    # -- particles -----------------------------------------------------------------------------------------------

    def prepare(self, group_ids: Iterable[int]) -> None:
        """Check once, before this universe is sent to workers with every block, that its files belong together."""
        if self.has_particles:
            self._check_belonging()

    def _particles(
        self, kind: Kind, object_id: int, part_type: str, fields: list[str]
    ) -> tuple[int, dict[str, np.ndarray]]:
        if not self.has_particles:
            raise UniverseError(
                f"{self.base_path} holds catalogues only: particles need {self._snapshot_chunk(0).parent.name}, "
                "which is not there; copy the snapshot, or use universe 'embedded' (the selection needs no particles: "
                "`dmlib select`, or `dmlib run --only 03_simulation_and_selection`)."
            )
        number, subset = PART_TYPE[part_type], self._subset(kind, object_id)
        count = int(subset["lenType"][number])
        if count == 0 or not fields:
            return count, {}
        path, known = self._particle_fields(number)
        mend = "download the snapshot with that field"
        if FULL_ONLY & set(fields) - known and not FULL_ONLY & known:
            mend = f"it is a mini snapshot, use a full one ({', '.join(map(str, [*FULL_SNAPSHOTS][-5:]))}, ...)"
        _require_fields(path, f"PartType{number}", fields, known, mend)
        arrays = self._load(number, fields, subset)
        if kind == "Subhalo" and part_type == "dm" and "Coordinates" in fields:
            self._check_half_mass(object_id, arrays["Coordinates"], f"{path.parent}, {self._offsets_path}")
        return count, arrays

    def _load(self, number: int, fields: list[str], subset: dict) -> dict[str, np.ndarray]:
        """Particles of one object, as slices of those that were read together.

        Each call of illustris_python opens two files, reads their headers and unpacks whole HDF5 chunks, and a group is
        asked for once for each of its galaxies, and its subhaloes after it. So what was read last is kept, and where
        one object after the other is asked for, more is read at once.
        """
        first, starts = int(subset["offsetType"][number]), subset["snapOffsets"][number]
        count, span = int(subset["lenType"][number]), self._spans.pop(number, None)
        end = first + count
        kept = span is not None and span.first <= first and end <= span.end
        if span is None or not kept or span.files != self._files(starts, span.first, span.end):
            if span is not None and span.first <= first <= span.end + _AHEAD:
                # To the end of a file at most: the next may be damaged, and nobody asked for it.
                stops = np.append(starts[1:], self._totals[number])
                end = max(end, min(first + _AHEAD, int(stops[np.searchsorted(stops, end)])))
            span = _Span(first, end, self._files(starts, first, end), {})
        missing = [field for field in fields if field not in span.arrays]
        if missing:
            offsets, length = np.array(subset["offsetType"]), np.array(subset["lenType"])
            offsets[number], length[number] = span.first, span.end - span.first
            span.arrays.update(self._read(number, missing, {**subset, "offsetType": offsets, "lenType": length}))
        if sum(values.nbytes for values in span.arrays.values()) <= _KEPT:
            self._spans[number] = span
        return {field: span.arrays[field][first - span.first :][:count] for field in fields}

    def _read(self, number: int, fields: list[str], subset: dict) -> dict[str, np.ndarray]:
        """Particles by illustris_python; tried twice, for it opens the files without patience."""
        load = partial(il.snapshot.loadSubset, str(self.base_path), self.snapshot, number, fields, subset, sq=False)
        try:
            found = load()
        except Exception:  # of any kind where the files do not fit together: illustris_python raises bare ones
            for i in range(self.n_snapshot_chunks):
                with open_hdf5(self._snapshot_chunk(i)):
                    pass  # the first that does not open raises
            try:
                found = load()
            except Exception as error:
                raise UniverseError(
                    f"{self._snapshot_chunk(0).parent} cannot be read ({type(error).__name__}: {error}): a file is "
                    f"damaged, or not of the snapshot of {self._offsets_path.name}; copy both again."
                ) from error
        for field in fields:
            found[field].setflags(write=False)
        return {field: found[field] for field in fields}

    def _files(self, starts: np.ndarray, first: int, end: int) -> tuple:
        """Size and time of the snapshot files that hold particles `first` to `end`; the files begin at `starts`."""
        held = range(int(np.searchsorted(starts, first, side="right")) - 1, int(np.searchsorted(starts, end)))
        states = [os.stat(path) if path.is_file() else None for path in map(self._snapshot_chunk, held)]
        return tuple(state and (state.st_size, state.st_mtime_ns) for state in states)

    def __getstate__(self) -> dict[str, Any]:
        """Without particles: a universe is sent to workers with every block."""
        return {**self.__dict__, "_spans": {}}

    def _masses_of_particles(self, table: np.ndarray) -> np.ndarray:
        """MassTable with the mass of the first dark-matter particle, where the table has none and particles have."""
        number = PART_TYPE["dm"]
        path, known = self._particle_fields(number)
        mend = "MassTable has no mass of them either; take the whole snapshot of this run"
        _require_fields(path, f"PartType{number}", ["Masses"], known, mend)
        filled = np.array(table, dtype=float)
        with open_hdf5(path) as handle:
            filled[number] = handle[f"PartType{number}/Masses"][0]
        if not filled[number] > 0:
            raise UniverseError(f"{path} has dark-matter particles of mass {filled[number]:g}: copy that file again.")
        return filled

    def _subset(self, kind: Kind, object_id: int) -> dict:
        """Where an object's particles lie, as illustris_python wants it; the last one is kept for its other types."""
        key = (object_id, kind)
        if key not in self._subsets:
            self._check_belonging()
            self._subsets = {key: self._offsets_of(kind, object_id)}
        return self._subsets[key]

    def _offsets_of(self, kind: Kind, object_id: int) -> dict:
        if "fof_subhalo" not in self._catalogue_chunk(0).name:
            return il.snapshot.getSnapOffsets(str(self.base_path), self.snapshot, object_id, kind)
        # As illustris_python does, but with the catalogue's own count of rows per chunk, because the first chunks of
        # TNG100-1 are empty, and with errors that name the file.
        with open_hdf5(self._offsets_path) as handle:
            first, where = handle["FileOffsets/SnapByType"][()].T, handle[f"{kind}/SnapByType"][object_id]
        length = self._columns(kind, [f"{kind}LenType"], np.array([object_id]))[f"{kind}LenType"][0].astype(np.int64)
        return {"snapOffsets": first, "offsetType": where, "lenType": length}

    @cached_property
    def n_snapshot_chunks(self) -> int:
        """Number of snapshot files, from the header of the first one."""
        name = "NumFilesPerSnapshot"
        return int(self._read_attributes(self._snapshot_chunk(0), (name,))[name])

    @cached_property
    def _totals(self) -> np.ndarray:
        """Particles of each type in the whole snapshot."""
        return particle_totals(self._read_attributes(self._snapshot_chunk(0), ("NumPart_Total",)))

    def _particle_fields(self, number: int) -> tuple[Path, frozenset[str]]:
        """First snapshot file with particles of a type, and the fields it stores for them."""
        for i in range(0 if number in self._particle_names else self.n_snapshot_chunks):
            path = self._snapshot_chunk(i)
            with open_hdf5(path) as handle:
                if f"PartType{number}" in handle:
                    self._particle_names[number] = path, frozenset(handle[f"PartType{number}"].keys())
                    break
        if number not in self._particle_names:
            raise UniverseError(
                f"no file of {self._snapshot_chunk(0).parent} has PartType{number}, which its catalogue counts: copy "
                "both again."
            )
        return self._particle_names[number]

    def _check_belonging(self) -> None:
        """Check, before the first particle is read, that snapshot, offsets and catalogue belong together.

        Raises
        ------
        UniverseError
            When the offsets are missing or unsigned, the counts of particles differ, or the particles of one of some
            subhaloes lie elsewhere than the catalogue says.
        """
        if self._belongs or "fof_subhalo" not in self._catalogue_chunk(0).name:
            return  # old layout: the offsets are inside the catalogue
        self._check_offsets()
        self._belongs = True
        try:
            few = np.arange(min(self.header.n_subhalos, _MANY_ROWS))
            n_dm = self._columns("Subhalo", ["SubhaloLenType"], few)["SubhaloLenType"][:, PART_TYPE["dm"]]
            fit = few[(n_dm >= HALF_MASS_PARTICLES) & (n_dm < 100_000)]
            for subhalo_id in fit[np.unique(np.linspace(0, len(fit) - 1, _FEW).astype(int))] if len(fit) else ():
                self._particles("Subhalo", int(subhalo_id), "dm", ["Coordinates"])
        except UniverseError:
            self._belongs = False
            raise

    def _check_offsets(self) -> None:
        """Compare the offsets with the counts of the catalogue and of the snapshot."""
        files = [self._snapshot_chunk(i) for i in range(self.n_snapshot_chunks)]
        headers = [self._read_attributes(path, (*SNAPSHOT_ATTRIBUTES, *SHARED_ATTRIBUTES)) for path in files]
        for path, header in zip(files, headers, strict=True):
            compare_headers(path, header, files[0], headers[0])
        rows = {"Group": self.header.n_groups, "Subhalo": self.header.n_subhalos}
        groups = np.unique(np.linspace(0, max(rows["Group"] - 2, 0), _MANY_GROUPS).astype(int))
        # Each with the one after it.
        groups = np.unique(np.concatenate([groups, groups + 1]))[: rows["Group"]]
        columns = self._columns("Group", ["GroupLenType", "GroupFirstSub"], groups)
        length, first = (columns[name].astype(np.int64) for name in ("GroupLenType", "GroupFirstSub"))
        has = (first >= 0) & (first < rows["Subhalo"])
        own = np.zeros_like(length)
        own[has] = self._columns("Subhalo", ["SubhaloLenType"], first[has])["SubhaloLenType"]
        complaint = trouble_of_offsets(self._offsets_path, rows, groups, length, np.where(has, first, 0), own, headers)
        if complaint:
            places = f"{files[0].parent}, {self._offsets_path} and {self._catalogue_chunk(0).parent}"
            raise UniverseError(f"{places} do not belong together ({complaint}): take all three from one snapshot.")

    # -- files ---------------------------------------------------------------------------------------------------

    def _catalogue_chunk(self, i: int) -> Path:
        return Path(il.groupcat.gcPath(str(self.base_path), self.snapshot, i))

    @property
    def _offsets_path(self) -> Path:
        return Path(il.groupcat.offsetPath(str(self.base_path), self.snapshot))

    def _snapshot_chunk(self, i: int) -> Path:
        path = Path(il.snapshot.snapPath(str(self.base_path), self.snapshot, i))
        # For a missing file the reader gives the older of its two names; errors give the usual one.
        return path if path.is_file() else path.with_name(f"snap_{self.snapshot:03d}.{i}.hdf5")

    @staticmethod
    def _read_attributes(path: Path, needed: Sequence[str]) -> dict[str, Any]:
        with open_hdf5(path) as handle:
            if "Header" not in handle:
                raise UniverseError(f"{path} has no Header: it is not a TNG file, copy or download it again.")
            attributes = dict(handle["Header"].attrs)
            attributes = {
                name: np.asarray(value).item() if np.size(value) == 1 else value for name, value in attributes.items()
            }
            absent = [name for name in needed if name not in attributes]
            if absent:
                raise UniverseError(f"{path} has no {absent[0]} in its Header: copy or download that file again.")
            many = [name for name in SHARED_ATTRIBUTES if np.size(attributes.get(name, 0)) != 1]
            if many:
                raise UniverseError(f"{path} has several numbers for {many[0]} in its Header, not one: correct it.")
            for name in ("Parameters", "Config"):
                if name in handle and "SimulationName" in handle[name].attrs:
                    attributes["SimulationName"] = handle[name].attrs["SimulationName"]
        return attributes

    def _fingerprint(self, raw: dict[str, Any]) -> str:
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


def _catalogue_mend(fields: Sequence[str], known: Collection[str]) -> str:
    if "SubhaloFlag" in fields and "SubhaloFlag" not in known:
        return "Illustris and runs of dark matter have none; select with -p cosmological=false there"
    return "copy or download the catalogue with that field"


def _require_fields(path: str | Path, group: str, fields: Sequence[str], known: Collection[str], mend: str) -> None:
    """Raise UniverseError for the first field that a group of a file lacks, with the names that resemble it."""
    absent = [field for field in fields if field not in known]
    if absent:
        raise UniverseError(f"{path} has no field {group}/{absent[0]}{suggestion(absent[0], known)}: {mend}.")


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
