"""TNG through its web API, read like a tree on disk: whole catalogue columns and cutouts, fetched once and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable

from ...errors import FetchError, UniverseError
from ...manifest.download import Exhausted, Missing
from ...manifest.fetch import cache_folder
from ...progress import bar
from ...units import PART_TYPE, CodeUnits
from ..base import Header, Scope
from ..checks import check_run, open_hdf5
from ..fields import VECTOR_LENGTH, particle_factor, physical_column
from . import cutouts, facts
from .cache import Cache
from .client import Client, Gate, connections, in_parallel
from .columns import Columns

#: Particles from which on the radius of half of them tells one subhalo from another.
_MANY = 100


class ApiUniverse:
    """A TNG run behind the web API at one snapshot.

    Nothing is asked for twice: catalogue columns come as whole columns, one request each; particles as cutouts of FoF
    groups (`prepare`) out of which the subhaloes' own are cut by the catalogue's counts, or, where the group is not
    at hand, as a cutout of the subhalo.

    Parameters
    ----------
    simulation : str
    snapshot : int
    client : Client, optional

    Attributes
    ----------
    header : Header
    cache : Cache
        ``tng/<host>/<simulation>/snapshot_<n>`` in the folder of downloads (``DMLIB_DATA``).

    Raises
    ------
    FetchError
        When the server cannot be asked and the cache does not have the answer.
    UniverseError
        When the server has no such simulation or snapshot, or serves another one.
    """

    def __init__(
        self,
        simulation: str = "TNG100-1",
        snapshot: int = 99,
        *,
        client: Client | None = None,
    ):
        self.client = client or Client()
        host = self.client.host.replace(":", "_")
        self.cache = Cache(cache_folder() / "tng" / host / simulation / f"snapshot_{snapshot:03d}")
        self.simulation, self.snapshot = simulation, snapshot
        self.facts = facts.load(self.client, self.cache, simulation, snapshot)
        self.columns = Columns(self.client, self.cache, simulation, snapshot, self.facts)
        raw = facts.header(self)
        units = CodeUnits(a=float(raw["Time"]), h=float(raw["HubbleParam"]), box=float(raw["BoxSize"]))
        m_dm = float(raw["MassTable"][PART_TYPE["dm"]]) * units.mass
        self.header = Header(
            simulation=check_run(Path(self._place), raw, m_dm, simulation, snapshot),
            snapshot=snapshot,
            redshift=float(raw["Redshift"]),
            units=units,
            m_dm=m_dm,
            n_groups=int(self.facts["num_groups_fof"]),
            n_subhalos=int(self.facts["num_groups_subfind"]),
            identity=self._identity(raw),
        )

    @property
    def _place(self) -> str:
        """What messages call it."""
        return f"{self.client.host}/{self.simulation}/snapshots/{self.snapshot}"

    def _identity(self, raw: dict[str, Any]) -> str:
        """sha256 of what the server and a header say: two catalogues alike in all counts of particles are the same."""
        told = {name: self.facts.get(name) for name in facts.TELLING}
        told |= {name: np.asarray(value).tolist() for name, value in raw.items()}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    # -- catalogue -----------------------------------------------------------------------------------------------

    def subhalos(self, fields: Sequence[str], ids: np.ndarray | None = None) -> QTable:
        """Catalogue columns of subhaloes, see `Universe.subhalos`."""
        return self._catalogue("Subhalo", "subhalo_id", list(fields), ids)

    def groups(self, fields: Sequence[str], ids: np.ndarray | None = None) -> QTable:
        """Catalogue columns of FoF groups, see `Universe.groups`."""
        return self._catalogue("Group", "group_id", list(fields), ids)

    def _catalogue(self, kind: str, id_name: str, fields: list[str], ids: np.ndarray | None) -> QTable:
        total = self.header.n_subhalos if kind == "Subhalo" else self.header.n_groups
        rows = np.arange(total) if ids is None else np.asarray(ids, dtype=np.int64)
        outside = rows[(rows < 0) | (rows >= total)]
        if outside.size:
            raise UniverseError(f"{id_name} {outside[0]} is not in {self._place}: it has 0 to {total - 1}.")
        self.columns.fetch([(kind, field) for field in fields])
        table = QTable({id_name: rows})
        for field in fields:
            values = self.columns.values(kind, field, None if ids is None else rows)
            table[field] = physical_column(field, values, self.header.units)
        return table

    # -- particles -----------------------------------------------------------------------------------------------

    def particles(
        self, object_id: int, part_type: str, fields: Sequence[str], scope: Scope = "subhalo"
    ) -> dict[str, np.ndarray]:
        """Particles of one object in physical units, see `Universe.particles`."""
        if part_type not in PART_TYPE:
            raise ValueError(f"part_type must be one of {', '.join(PART_TYPE)}, not {part_type!r}")
        about, counts, first = self._where(int(object_id), scope)
        count = int(counts[PART_TYPE[part_type]])
        fields = list(fields)
        stored = [field for field in fields if not (field == "Masses" and part_type == "dm")]
        if count == 0:
            arrays = {f: np.zeros((0, VECTOR_LENGTH[f]) if f in VECTOR_LENGTH else 0) for f in stored}
        else:
            start = int(first[PART_TYPE[part_type]])
            arrays = self._read(about, part_type, stored, slice(start, start + count))
            if scope == "subhalo" and about.startswith("halo") and part_type == "dm" and "Coordinates" in arrays:
                self._see_that_it_is(object_id, about, arrays["Coordinates"])
        result = {}
        for field in fields:
            if field not in arrays:
                result[field] = np.full(count, self.header.m_dm)
                continue
            factor = particle_factor(field, self.header.units)
            result[field] = arrays[field] if factor == 1.0 else arrays[field] * factor
        return result

    def _where(self, object_id: int, scope: Scope) -> tuple[str, np.ndarray, np.ndarray]:
        """In whose cutout an object's particles are: its name, their numbers, and where they begin, by type."""
        kind, total = ("Subhalo", self.header.n_subhalos) if scope == "subhalo" else ("Group", self.header.n_groups)
        if not 0 <= object_id < total:
            raise UniverseError(f"{scope} {object_id} is not in {self._place}: it has 0 to {total - 1}.")
        length = f"{kind}LenType"
        if scope == "group":
            return (
                f"halo {object_id}",
                self.columns.values(kind, length, np.array([object_id]))[0],
                np.zeros(6, np.int64),
            )
        counts = self.columns.values(kind, length, np.array([object_id]))[0]
        group_id = int(self.columns.values("Subhalo", "SubhaloGrNr", np.array([object_id]))[0])
        if self.cache.of(f"halo {group_id}"):
            # Within a group the subhaloes follow one another in the catalogue's order, each type by itself.
            first_sub = int(self.columns.values("Group", "GroupFirstSub", np.array([group_id])).astype(np.int32)[0])
            before = self.columns.values("Subhalo", "SubhaloLenType", np.arange(first_sub, object_id))
            return f"halo {group_id}", counts, before.sum(axis=0, dtype=np.int64)
        return f"subhalo {object_id}", counts, np.zeros(6, np.int64)

    def _see_that_it_is(self, subhalo_id: int, about: str, positions: np.ndarray) -> None:
        """Whether what was cut out of a group is the subhalo: the catalogue gives the half-mass radius."""
        row = np.array([subhalo_id])
        centre = self.columns.values("Subhalo", "SubhaloPos", row)[0].astype(float)
        told = float(self.columns.values("Subhalo", "SubhaloHalfmassRadType", row)[0, PART_TYPE["dm"]])
        found = cutouts.half_mass_radius(positions, centre, self.header.units.box)
        if len(positions) >= _MANY and not 0.8 * told < found < 1.25 * told:
            raise UniverseError(
                f"the particles of {about} are not in the catalogue's order: half of the dark matter of subhalo "
                f"{subhalo_id} would lie within {found:.3g} ckpc/h, the catalogue says {told:.3g}; please report it."
            )

    def _counts(self, about: str) -> np.ndarray:
        kind, number = about.split()
        table = "Group" if kind == "halo" else "Subhalo"
        return self.columns.values(table, f"{table}LenType", np.array([int(number)]))[0]

    def _read(self, about: str, part_type: str, fields: list[str], rows: slice) -> dict[str, np.ndarray]:
        held = self._holding(about, part_type)
        missing = [field for field in fields if field not in held]
        if missing:
            wanted = {part_type: tuple(sorted(missing))}
            if not self.cache.of(about):
                wanted = cutouts.BASE_FIELDS | {
                    part_type: tuple(sorted({*cutouts.BASE_FIELDS.get(part_type, ()), *missing}))
                }
            self.fetch_cutout(about, wanted)
            held = self._holding(about, part_type)
        arrays = {}
        for name in sorted({held[field] for field in fields}):
            with open_hdf5(self.cache.path(name)) as handle:
                part = handle[f"PartType{PART_TYPE[part_type]}"]
                arrays |= {field: part[field][rows] for field in fields if held[field] == name}
        return arrays

    def _holding(self, about: str, part_type: str) -> dict[str, str]:
        """Field -> file of the cache that has it."""
        return {field: held.name for held in self.cache.of(about) for field in held.fields.get(part_type, ())}

    def fetch_cutout(self, about: str, fields: cutouts.Fields, gate: Gate | None = None, received=None) -> None:
        """Have fields of one object's particles in the cache: all types in one request.

        Where that fails for good although each try may have worked (large groups time out), one request a type.

        Parameters
        ----------
        about : str
            ``halo ID`` or ``subhalo ID``.
        fields : mapping
        gate, received
            As of `Client.file`.

        Raises
        ------
        FetchError
        UniverseError
            When the snapshot has no such field.
        """
        counts = self._counts(about)
        present = {kind: tuple(names) for kind, names in fields.items() if counts[PART_TYPE[kind]] > 0}
        if not present:
            return
        facts.confirm(self)
        try:
            self._fetch_cutout(about, present, counts, gate, received)
        except Exhausted:
            if len(present) == 1:
                raise
            for kind, names in present.items():
                self._fetch_cutout(about, {kind: names}, counts, gate, received)

    def _fetch_cutout(self, about: str, fields: cutouts.Fields, counts: np.ndarray, gate, received) -> None:
        name = cutouts.file_name(about, fields)
        kind, number = about.split()
        with self.cache.locked(name):
            if self.cache.get(name) is not None:
                return
            try:
                seconds = self.client.file(
                    f"{self.simulation}/snapshots/{self.snapshot}/{kind}s/{number}/cutout.hdf5",
                    self.cache.path(name),
                    query=cutouts.query(fields),
                    label=about,
                    check=lambda path: cutouts.check(path, fields, counts, about, self.snapshot),
                    gate=gate,
                    received=received,
                )
            except Missing as error:
                asked = "; ".join(f"{key}: {value}" for key, value in cutouts.query(fields).items())
                raise UniverseError(
                    f"{self._place} gives no cutout of {about} with these fields ({asked}): is one misspelt, or is "
                    "this a mini snapshot?"
                ) from error
            self.cache.add(name, about=about, fields={k: list(v) for k, v in fields.items()}, seconds=seconds)

    # -- many at once ---------------------------------------------------------------------------------------------

    def missing_groups(self, group_ids: Iterable[int]) -> np.ndarray:
        """Those of the groups whose cutouts are not in the cache yet."""
        ids = np.unique(np.asarray(list(group_ids), dtype=np.int64))
        lengths = self.columns.values("Group", "GroupLenType", ids)
        keep = []
        for number, counts in zip(ids, lengths, strict=True):
            about = f"halo {number}"
            for kind, names in cutouts.BASE_FIELDS.items():
                if counts[PART_TYPE[kind]] and not set(names) <= set(self._holding(about, kind)):
                    keep.append(number)
                    break
        return np.array(keep, dtype=np.int64)

    def bytes_of_groups(self, group_ids: np.ndarray) -> np.ndarray:
        """Size of the cutouts of groups, shape (len(group_ids),) [bytes]."""
        lengths = self.columns.values("Group", "GroupLenType", np.asarray(group_ids, dtype=np.int64))
        return lengths @ cutouts.bytes_per_particle(cutouts.BASE_FIELDS) + cutouts.OVERHEAD

    def prepare(self, group_ids: Iterable[int]) -> None:
        """Have the particles of whole groups in the cache, see `Universe.prepare`.

        Raises
        ------
        FetchError
            When some could not be had. What came is kept: the next call goes on.
        """
        todo = self.missing_groups(group_ids)
        if not todo.size:
            return
        sizes = self.bytes_of_groups(todo)
        self.cache.require_space(float(sizes.sum()), self.simulation)
        facts.confirm(self)
        with bar(total=int(sizes.sum()), label=f"particles of {len(todo)} groups", unit="B") as progress:
            progress.unit_scale = True

            def one(number: int, gate: Gate) -> None:
                self.fetch_cutout(f"halo {number}", cutouts.BASE_FIELDS, gate, progress.update)

            failed = in_parallel(todo.tolist(), one, connections(), "particles")
        if failed:
            raise FetchError(
                f"{len(failed)} of {len(todo)} groups could not be had ({failed[0][1]}) The others are kept: run "
                "again to go on."
            )
