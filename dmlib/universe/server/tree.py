"""A TNG tree on disk as the server sees it: raw columns, cutouts and headers, in the units and types of the files."""

from __future__ import annotations

import io
from functools import cached_property
from pathlib import Path

import h5py
import illustris_python as il
import numpy as np

from ..files import find_output, open_hdf5

#: Names of the particle types in requests.
API_TYPES = {"gas": 0, "dm": 1, "stars": 4, "bhs": 5}

#: Fields that the server does not cut out, though the snapshot has them.
NOT_IN_CUTOUTS = frozenset({"Potential"})


class NoSuchThing(Exception):
    """What is asked for is not there: HTTP 404."""


class BadRequest(Exception):
    """The question makes no sense, such as a field that the snapshot lacks: HTTP 400."""


class ServedTree:
    """A tree whose content is served.

    Parameters
    ----------
    output : path
        The simulation's ``output`` folder.
    snapshot : int
    """

    def __init__(self, output: str | Path, snapshot: int = 99):
        self.output = find_output(output, snapshot)
        self.root = self.output.parent
        self.snapshot = snapshot
        self._columns: dict[tuple[str, str], np.ndarray] = {}

    # -- headers -------------------------------------------------------------------------------------------------

    @cached_property
    def catalogue_header(self) -> dict:
        """Header of the first catalogue file."""
        with open_hdf5(self.catalogue_chunk(0)) as handle:
            return dict(handle["Header"].attrs)

    @cached_property
    def snapshot_header(self) -> dict:
        """Header of the first snapshot file."""
        with open_hdf5(self.snapshot_chunk(0)) as handle:
            return dict(handle["Header"].attrs)

    @cached_property
    def own_name(self) -> str | None:
        """What the tree calls itself; the runs of TNG do not say it in their catalogue."""
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
        """A file of the group catalogue."""
        return Path(il.groupcat.gcPath(str(self.output), self.snapshot, i))

    def snapshot_chunk(self, j: int) -> Path:
        """A file of the snapshot."""
        return Path(il.snapshot.snapPath(str(self.output), self.snapshot, j))

    @property
    def offsets(self) -> Path:
        """The file of offsets."""
        return self.root / "postprocessing" / "offsets" / f"offsets_{self.snapshot:03d}.hdf5"

    @property
    def skirt_images(self) -> Path:
        """Folder of the published images, where the JupyterLab of TNG has them; may not be there."""
        return self.root / "postprocessing" / "skirt_images" / "sdss" / f"snapnum_{self.snapshot:03d}" / "data"

    # -- catalogue -----------------------------------------------------------------------------------------------

    @cached_property
    def fields(self) -> dict[str, frozenset[str]]:
        """Fields of ``Group`` and ``Subhalo``."""
        found = {"Group": frozenset(), "Subhalo": frozenset()}
        for i in range(int(self.catalogue_header["NumFiles"])):
            with open_hdf5(self.catalogue_chunk(i)) as handle:
                for kind in found:
                    found[kind] |= frozenset(handle.get(kind, {}))
            if all(found.values()):
                break
        return found

    def column(self, kind: str, field: str) -> np.ndarray:
        """A whole column as stored.

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

    def has(self, kind: str, field: str) -> bool:
        """Whether the catalogue has a field."""
        return field in self.fields[kind]

    def column_file(self, kind: str, field: str) -> bytes:
        """One full-length column in an HDF5 file, with group and dataset as on disk."""
        return _hdf5({f"{kind}/{field}": self.column(kind, field)})

    # -- particles -----------------------------------------------------------------------------------------------

    @cached_property
    def particle_fields(self) -> dict[int, dict[str, dict]]:
        """Fields of each particle type, with their attributes."""
        found: dict[int, dict[str, dict]] = {}
        for j in range(int(self.snapshot_header["NumFilesPerSnapshot"])):
            with open_hdf5(self.snapshot_chunk(j)) as handle:
                for number in API_TYPES.values():
                    if number not in found and f"PartType{number}" in handle:
                        group = handle[f"PartType{number}"]
                        found[number] = {name: dict(group[name].attrs) for name in group}
            if len(found) == len(API_TYPES):
                break
        return found

    def cutout(self, kind: str, number: int, wanted: dict[str, str]) -> bytes:
        """The HDF5 file of a cutout.

        Parameters
        ----------
        kind : {"halo", "subhalo"}
        number : int
        wanted : dict
            ``{"gas": "Masses,Coordinates"}``; ``all`` means every field, an empty dictionary everything.

        Raises
        ------
        BadRequest, NoSuchThing
        """
        if not 0 <= number < (self.n_groups if kind == "halo" else self.n_subhalos):
            raise NoSuchThing(f"no {kind} {number}")
        fields = self._fields_wanted(wanted)
        subset = il.snapshot.getSnapOffsets(
            str(self.output), self.snapshot, number, "Group" if kind == "halo" else "Subhalo"
        )
        counts = np.zeros(6, np.int32)
        datasets: dict[str, np.ndarray] = {}
        attributes: dict[str, dict] = {}
        for part, names in fields.items():
            counts[part] = subset["lenType"][part]
            if not counts[part]:
                continue
            arrays = il.snapshot.loadSubset(str(self.output), self.snapshot, part, names, subset=subset, sq=False)
            for name in names:
                datasets[f"PartType{part}/{name}"] = arrays[name]
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
        asked = wanted or dict.fromkeys(API_TYPES, "all")
        fields: dict[int, list[str]] = {}
        for name, value in asked.items():
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


def _hdf5(datasets: dict[str, np.ndarray], header: dict | None = None, attributes: dict | None = None) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as handle:
        if header is not None:
            handle.create_group("Header").attrs.update(header)
        for name, values in datasets.items():
            dataset = handle.create_dataset(name, data=values, track_times=False)
            dataset.attrs.update((attributes or {}).get(name, {}))
    return buffer.getvalue()
