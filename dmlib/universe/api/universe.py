"""TNG through its web API, read like a tree on disk: whole catalogue columns and cutouts, downloaded once and kept.

A cutout has the particles of one FoF group or one subhalo in one HDF5 file, with the fields that were requested.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import h5py
import numpy as np
from tqdm.auto import tqdm

from ...errors import UniverseError
from ...manifest.download import Exhausted, Gate, Missing, Transient, tng_url
from ...settings import Settings
from ...units import PART_TYPE
from ..base import Kind, Universe, make_header
from ..release import VECTOR_LENGTH, open_hdf5
from .source import IDENTIFYING, Source

#: Particle type -> fields.
Fields = Mapping[str, tuple[str, ...]]

#: The fields that targets, images and HI maps read, and so the fields that are requested at once. Whatever else a
#: notebook needs of one galaxy is downloaded for that galaxy.
BASE_FIELDS: dict[str, tuple[str, ...]] = {
    "dm": ("Coordinates",),
    "gas": (
        *("Coordinates", "Density", "ElectronAbundance", "GFM_Metallicity", "GFM_Metals", "InternalEnergy", "Masses"),
        *("NeutralHydrogenAbundance", "StarFormationRate", "Velocities"),
    ),
    "stars": (
        *("Coordinates", "GFM_InitialMass", "GFM_Metallicity", "GFM_StellarFormationTime", "GFM_StellarPhotometrics"),
        *("Masses", "StellarHsml", "Velocities"),
    ),
}

#: Names of the particle types in a request, by those of dmlib.
API_TYPE = {"gas": "gas", "dm": "dm", "stars": "stars", "bh": "bhs"}

#: Bytes of a cutout that are not particles.
OVERHEAD = 20_000

#: Attributes of a cutout's header that are kept.
_HEADER = ("Time", "Redshift", "HubbleParam", "BoxSize", "Omega0", "OmegaLambda", "MassTable")


class ApiUniverse(Universe):
    """A TNG run behind the web API at one snapshot.

    Nothing is requested twice: catalogue columns come whole, one request each; particles as cutouts of FoF groups
    (`prepare`), from which those of a subhalo are selected by the catalogue's counts, or, where the group is not in
    the cache, as a cutout of the subhalo.

    Parameters
    ----------
    simulation : str
    snapshot : int

    Attributes
    ----------
    header : Header
    source : Source
    cache : Cache
        The source's.

    Raises
    ------
    FetchError
        When the server cannot be reached and the cache does not have the answer.
    UniverseError
        When the server has no such simulation or snapshot, or serves another one.
    """

    def __init__(self, simulation: str = "TNG100-1", snapshot: int = 99):
        self.source = Source(simulation, snapshot)
        self.cache, self.place = self.source.cache, self.source.place
        facts = self.source.facts
        attributes = self.source.kept("header.json", partial(_request_header, self.source))
        # Two catalogues that agree in all counts of particles are the same.
        content = {name: facts.get(name) for name in IDENTIFYING} | attributes
        identity = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        if not attributes["MassTable"][PART_TYPE["dm"]] > 0:
            self.stores_dm_masses = True
            attributes["MassTable"][PART_TYPE["dm"]] = float(facts.get("mass_dm", 0.0))
        attributes |= {"Ngroups_Total": facts["num_groups_fof"], "Nsubgroups_Total": facts["num_groups_subfind"]}
        self.header = make_header(attributes, self.place, simulation, snapshot, identity)

    def _columns(self, kind: Kind, fields: list[str], rows: np.ndarray | None) -> dict[str, np.ndarray]:
        self.source.fetch_columns([(kind, field) for field in fields])
        return {field: self.source.column(kind, field, rows) for field in fields}

    # -- particles -----------------------------------------------------------------------------------------------

    def _particles(
        self, kind: Kind, object_id: int, part_type: str, fields: list[str]
    ) -> tuple[int, dict[str, np.ndarray]]:
        number = PART_TYPE[part_type]
        count = int(self._counts(kind, object_id)[number])
        if count == 0:
            return 0, {}
        about, first = self._location(kind, object_id)
        start = int(first[number])
        arrays = self._read(about, part_type, fields, slice(start, start + count))
        if kind == "Subhalo" and about.startswith("halo") and part_type == "dm" and "Coordinates" in arrays:
            self._check_half_mass(object_id, arrays["Coordinates"], f"the particles of {about}")
        return count, arrays

    def _counts(self, kind: Kind, object_id: int) -> np.ndarray:
        return self.source.column(kind, f"{kind}LenType", np.array([object_id]))[0]

    def _location(self, kind: Kind, object_id: int) -> tuple[str, np.ndarray]:
        """Name of the cutout with an object's particles, and the index of the first one of each type."""
        if kind == "Group":
            return f"halo {object_id}", np.zeros(6, np.int64)
        group_id = int(self.source.column("Subhalo", "SubhaloGrNr", np.array([object_id]))[0])
        if not self.cache.of(f"halo {group_id}"):
            return f"subhalo {object_id}", np.zeros(6, np.int64)
        # Within a group the subhaloes follow one another in the catalogue's order, separately for each type.
        first_sub = int(self.source.column("Group", "GroupFirstSub", np.array([group_id])).astype(np.int32)[0])
        before = self.source.column("Subhalo", "SubhaloLenType", np.arange(first_sub, object_id))
        return f"halo {group_id}", before.sum(axis=0, dtype=np.int64)

    def _read(self, about: str, part_type: str, fields: list[str], rows: slice) -> dict[str, np.ndarray]:
        missing = [field for field in fields if field not in self._files(about, part_type)]
        if missing:
            wanted: Fields = {part_type: tuple(sorted(missing))}
            if not self.cache.of(about):
                wanted = BASE_FIELDS | {part_type: tuple(sorted({*BASE_FIELDS.get(part_type, ()), *missing}))}
            self._fetch_cutout(about, wanted)
        files = self._files(about, part_type)
        arrays: dict[str, np.ndarray] = {}
        for name in sorted({files[field] for field in fields}):
            with open_hdf5(self.cache.path(name)) as handle:
                part = handle[f"PartType{PART_TYPE[part_type]}"]
                arrays |= {field: part[field][rows] for field in fields if files[field] == name}
        return arrays

    def _files(self, about: str, part_type: str) -> dict[str, str]:
        """Field -> file of the cache that has it."""
        return {field: file.name for file in self.cache.of(about) for field in file.fields.get(part_type, ())}

    def _fetch_cutout(self, about: str, fields: Fields, gate: Gate | None = None) -> None:
        """Download fields of one object's particles: all types in one request.

        Where that fails although each try might have worked (large groups time out), one request per type.
        """
        word, number = about.split()
        counts = self._counts("Group" if word == "halo" else "Subhalo", int(number))
        present = {kind: names for kind, names in fields.items() if counts[PART_TYPE[kind]] > 0}
        path = f"{self.source.path}/{word}s/{number}/cutout.hdf5"

        def request(fields: Fields) -> None:
            query = cutout_query(fields)
            check = partial(check_cutout, fields=fields, counts=counts, about=about, snapshot=self.source.snapshot)
            try:
                self.source.download(
                    cutout_name(about, fields), path, about=about, check=check, query=query, fields=fields, gate=gate
                )
            except Missing as error:
                requested = "; ".join(f"{kind}: {names}" for kind, names in query.items())
                raise UniverseError(
                    f"{self.place} gives no cutout of {about} with these fields ({requested}): is one misspelt, or is "
                    "this a mini snapshot?"
                ) from error

        if not present:
            return
        self.source.confirm()
        try:
            request(present)
        except Exhausted:
            if len(present) == 1:
                raise
            for kind, names in present.items():
                request({kind: names})

    # -- many at once --------------------------------------------------------------------------------------------

    def missing_groups(self, group_ids: Iterable[int]) -> np.ndarray:
        """Groups whose cutouts are not in the cache yet, sorted."""
        ids = np.unique(np.asarray(list(group_ids), dtype=np.int64))
        keep = []
        for number, counts in zip(ids, self.source.column("Group", "GroupLenType", ids), strict=True):
            present = [kind for kind in BASE_FIELDS if counts[PART_TYPE[kind]]]
            if any(not self._files(f"halo {number}", kind).keys() >= set(BASE_FIELDS[kind]) for kind in present):
                keep.append(number)
        return np.array(keep, dtype=np.int64)

    def bytes_of_groups(self, group_ids: np.ndarray) -> np.ndarray:
        """Size of the cutouts of groups, shape (len(group_ids),) [bytes]."""
        lengths = self.source.column("Group", "GroupLenType", np.asarray(group_ids, dtype=np.int64))
        return lengths @ bytes_per_particle(BASE_FIELDS) + OVERHEAD

    def prepare(self, group_ids: Iterable[int]) -> None:
        """Download the particles of whole groups, see `Universe.prepare`.

        Raises
        ------
        FetchError
            When some could not be obtained. What arrived is kept: the next call continues.
        """
        todo = self.missing_groups(group_ids)
        if todo.size:
            self.source.download_all(
                todo.tolist(),
                lambda number, gate: self._fetch_cutout(f"halo {number}", BASE_FIELDS, gate),
                what="groups",
                n_bytes=float(self.bytes_of_groups(todo).sum()),
            )


def cutout_query(fields: Fields) -> dict[str, str]:
    """Query for particle types and their fields: ``dm=Coordinates&gas=Coordinates,Density``."""
    return {API_TYPE[kind]: ",".join(sorted(names)) for kind, names in sorted(fields.items()) if names}


def bytes_per_particle(fields: Fields) -> np.ndarray:
    """Size of one particle of each type in a cutout of a full snapshot, shape (6,) [bytes]."""
    size = np.zeros(6)
    for kind, names in fields.items():
        for name in names:
            # Full snapshots store coordinates in double precision, identities in 64 bits, and everything else in 32.
            width = 8 if name in ("Coordinates", "ParticleIDs") else 4
            size[PART_TYPE[kind]] += width * VECTOR_LENGTH.get(name, 1)
    return size


def cutout_name(about: str, fields: Fields) -> str:
    """Name of a cutout in the cache: ``cutouts/halo_12.hdf5``, with a suffix for other fields than `BASE_FIELDS`."""
    suffix = ""
    if any(BASE_FIELDS.get(kind, ()) != names for kind, names in fields.items()):
        suffix = "+" + hashlib.sha256(repr(sorted(cutout_query(fields).items())).encode()).hexdigest()[:8]
    elif set(fields) != set(BASE_FIELDS):
        suffix = "+" + "+".join(sorted(fields))
    return f"cutouts/{about.replace(' ', '_')}{suffix}.hdf5"


def cutout_header(path: Path) -> dict[str, Any]:
    """Attributes of a cutout's header; the server writes some numbers as arrays of one element, and texts as bytes."""
    with h5py.File(path, "r") as handle:
        attributes = dict(handle["Header"].attrs)
    found: dict[str, Any] = {}
    for name, value in attributes.items():
        values = np.asarray(value).ravel().tolist()
        if values:
            first = values[0].decode() if isinstance(values[0], bytes) else values[0]
            found[name] = first if len(values) == 1 else values
    return found


def check_cutout(path: Path, fields: Fields, counts: np.ndarray | None, about: str, snapshot: int) -> None:
    """Check that a cutout opens, and holds everything that was requested.

    Parameters
    ----------
    path : Path
    fields : mapping
        What was requested.
    counts : ndarray of int, shape (6,), optional
        Particles of each type that the object has according to the catalogue.
    about : str
        The object, for errors.
    snapshot : int

    Raises
    ------
    Transient
        When it does not: cutouts that arrive cut off or empty are known, and arrive whole another time.
    """
    try:
        header = cutout_header(path)
        if int(header.get("SnapshotNumber", snapshot)) != snapshot:
            raise Transient(f"the file is of snapshot {header['SnapshotNumber']}")
        expected = header["NumPart_ThisFile"] if counts is None else counts
        with h5py.File(path, "r") as handle:
            for kind, names in fields.items():
                part = PART_TYPE[kind]
                for name in names:
                    dataset = handle.get(f"PartType{part}/{name}")
                    if dataset is None and expected[part]:
                        raise Transient(f"the file of {about} has no {name} of the {kind}")
                    if dataset is not None and dataset.shape[0] != expected[part]:
                        raise Transient(f"{about} has {dataset.shape[0]} {kind} particles of {expected[part]} ({name})")
    except (OSError, KeyError, RuntimeError) as error:
        raise Transient("the file cannot be opened as HDF5") from error


def _request_header(source: Source) -> dict[str, Any]:
    """Header of the snapshot, from the smallest cutout that there is: replies in JSON are rounded, a header is not."""
    source.confirm()
    found = cutout_header(_small_cutout(source))
    absent = [key for key in _HEADER if key not in found]
    if absent:
        raise UniverseError(f"cutouts of {source.simulation} have no {absent[0]} in their header.")
    header = {key: found[key] for key in _HEADER}
    name = str(found.get("SimulationName", ""))
    if name.startswith("embedded"):
        # TNG runs have another name here (L75n1820TNG); an embedded universe keeps its own, and is recognised by it.
        header["SimulationName"] = name
    return header


def _small_cutout(source: Source) -> Path:
    last = int(source.facts["num_groups_subfind"]) - 1
    # The last subhaloes have the fewest particles; a fragment among them may lack dark matter.
    tries = [*((number, "dm", "Coordinates") for number in range(last, max(last - 3, -1), -1)), (0, "bh", "Masses")]
    for number, kind, field in tries:
        fields, about = {kind: (field,)}, f"header {number}"
        name = cutout_name(about, fields)
        check = partial(check_cutout, fields=fields, counts=None, about=about, snapshot=source.snapshot)
        path = f"{source.path}/subhalos/{number}/cutout.hdf5"
        try:
            source.download(
                name, path, about=about, check=check, query=cutout_query(fields), gate=Gate(tqdm(disable=True))
            )
            return source.cache.path(name)
        except Missing:
            continue
    raise UniverseError(f"no subhalo of {source.simulation} gives a cutout: is its catalogue empty?")


def open_api(settings: Settings) -> ApiUniverse:
    """Open the simulation of ``universe="api"``."""
    return ApiUniverse(settings.simulation, settings.snapshot)


def server_state(settings: Settings) -> dict[str, str]:
    """The server's name: what it serves does not change, and `dmlib status` needs no network."""
    return {f"{settings.simulation} through the web API": urlsplit(tng_url()).netloc}
