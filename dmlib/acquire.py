"""Having the data of a run through the TNG web API: what is to come, before anything starts, and then all of it.

The steps of a run fetch what they need by themselves; here it is done beforehand, and counted.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .errors import DmlibError
from .sample import GROUP_FIELDS, SUBHALO_FIELDS, evenly, select, subsample
from .settings import Settings
from .universe import open_universe
from .universe.api import ApiUniverse, cutouts, images
from .universe.api.client import connections, hours, readable

#: Catalogue columns that the book reads: those of the selection, the counts that cutouts are checked against, and the
#: magnitudes that the chapter on photometry compares its own with.
COLUMNS = (
    *(("Subhalo", field) for field in (*SUBHALO_FIELDS, "SubhaloStellarPhotometrics")),
    *(("Group", field) for field in (*GROUP_FIELDS, "GroupLenType")),
)

#: Assumed where nothing was downloaded yet: speed of one connection [bytes/s], and time until the first byte [s].
RATE, LATENCY = 2e6, 2.0

#: Size of a published image [bytes]: (4, 500, 500) numbers of 4 bytes, typical; they vary with the galaxy.
IMAGE = 4e6

ImagesChoice = Literal["none", "each", "archive"]


@dataclass(frozen=True)
class Part:
    """One kind of requests of a plan.

    Parameters
    ----------
    what : str
    requests : int
        Still to be made.
    n_bytes : float
        Still to come; NaN where that is not known.
    here : int
        Requests that need not be made again.
    estimated : bool
        Whether the bytes are a guess and not a count.
    """

    what: str
    requests: int
    n_bytes: float
    here: int
    estimated: bool


@dataclass(frozen=True)
class Plan:
    """What a download would be.

    Parameters
    ----------
    simulation : str
    galaxies : int
        Of the selection, or of the taste.
    parts : tuple of Part
    rate : float
        Bytes per second of one connection.
    measured : int
        Downloads that the rate is measured on; 0 where it is assumed.
    connections : int
    free : float
        Free bytes on the cache's disk.
    """

    simulation: str
    galaxies: int
    parts: tuple[Part, ...]
    rate: float
    measured: int
    connections: int
    free: float

    @property
    def requests(self) -> int:
        """Requests still to be made."""
        return sum(part.requests for part in self.parts)

    @property
    def n_bytes(self) -> float:
        """Bytes still to come, as far as they are known."""
        return float(np.nansum([part.n_bytes for part in self.parts]))

    @property
    def hours(self) -> float:
        """How long it will take [h]."""
        # A measured rate has the waiting in it.
        latency = 0.0 if self.measured else LATENCY
        return hours(self.n_bytes, self.requests, self.rate, latency, self.connections)

    def __str__(self) -> str:
        lines = [f"{self.simulation}: {self.galaxies} galaxies"]
        for part in self.parts:
            size = "size not known" if np.isnan(part.n_bytes) else readable(part.n_bytes)
            about = "about " if part.estimated and not np.isnan(part.n_bytes) else ""
            lines.append(f"  {part.what:<18} {part.requests:>7} requests  {about}{size}  ({part.here} here already)")
        if not self.requests:
            return "\n".join([*lines, "  all is here, nothing is to come"])
        speed = f"{readable(self.rate)}/s a connection"
        how = f"measured on {self.measured} downloads" if self.measured else "assumed: nothing was downloaded yet"
        lines.append(
            f"  in all {self.requests} requests, {readable(self.n_bytes)}, about {_time(self.hours)} over "
            f"{self.connections} connections ({speed}, {how})"
        )
        lines.append(f"  the cache's disk has {readable(self.free)} free")
        return "\n".join(lines)


def plan(settings: Settings, pictures: ImagesChoice = "none") -> Plan:
    """Say what a download would be. Asks the server a few small questions where the catalogue is not here yet.

    Parameters
    ----------
    settings : Settings
        With ``universe="api"``.
    pictures : {"none", "each", "archive"}
        Published images: of each galaxy by itself, or the archive of all.

    Raises
    ------
    FetchError, UniverseError
    """
    universe = _universe(settings)
    missing = universe.columns.missing(COLUMNS)
    columns = float(universe.columns.n_bytes(missing))
    parts = [Part("catalogue columns", len(missing), columns, len(COLUMNS) - len(missing), False)]
    if missing:
        galaxies, n_bytes = _guess(universe, settings)
        parts.append(Part("groups' particles", galaxies, n_bytes, 0, True))
        ids = None
    else:
        table = _selection(universe, settings)
        galaxies, ids = len(table), table["subhalo_id"]
        groups = np.unique(table["group_id"])
        todo = universe.missing_groups(groups)
        size = float(universe.bytes_of_groups(todo).sum())
        parts.append(Part("groups' particles", len(todo), size, len(groups) - len(todo), False))
    if pictures == "archive":
        held = universe.cache.get(f"{images.FOLDER}/skirt_images_sdss.{universe.snapshot}.tar")
        parts.append(Part("published images", int(held is None), 0.0 if held else np.nan, int(held is not None), True))
    elif pictures == "each":
        left = galaxies if ids is None else len(_images_left(universe, ids))
        parts.append(Part("published images", left, left * IMAGE, galaxies - left, True))
    rate = universe.cache.rate()
    universe.cache.folder.mkdir(parents=True, exist_ok=True)
    return Plan(
        simulation=universe.simulation,
        galaxies=galaxies,
        parts=tuple(parts),
        rate=rate[0] if rate else RATE,
        measured=rate[1] if rate else 0,
        connections=connections(),
        free=float(shutil.disk_usage(universe.cache.folder).free),
    )


def fetch_all(settings: Settings, pictures: ImagesChoice = "none") -> ApiUniverse:
    """Have everything that a run reads. Safe to be stopped at any time: the next call goes on.

    Raises
    ------
    FetchError, UniverseError
    """
    universe = _universe(settings)
    universe.columns.fetch(COLUMNS)
    sample = _selection(universe, settings)
    universe.prepare(sample["group_id"])
    if pictures == "each":
        images.fetch_images(universe, sample["subhalo_id"])
    elif pictures == "archive":
        images.fetch_archive(universe)
    return universe


def verify(settings: Settings) -> tuple[int, list[str]]:
    """Read every file of the cache and compare it with what came; damaged ones are removed.

    Returns
    -------
    whole : int
        Files that are as they came.
    removed : list of str
        Names of the others; the next fetch asks for them again.
    """
    universe = _universe(settings)
    whole, removed = 0, []
    for held, good in universe.cache.verify():
        if good:
            whole += 1
        else:
            universe.cache.remove(held.name)
            removed.append(held.name)
    return whole, removed


def _universe(settings: Settings) -> ApiUniverse:
    universe = open_universe(settings) if settings.universe == "api" else None
    if not isinstance(universe, ApiUniverse):
        raise DmlibError(f"universe '{settings.universe}' is not downloaded: give --universe api.")
    return universe


def _selection(universe: ApiUniverse, settings: Settings):
    table = select(universe, settings.selection)[0]
    return subsample(table, settings.sample) if settings.sample else table


def _guess(universe: ApiUniverse, settings: Settings) -> tuple[int, float]:
    """Number of galaxies, and bytes of their groups' particles, from the server's own search.

    The bytes follow from the galaxies' total masses, as if dark matter and gas were mixed as in the universe: what else
    belongs to the group of a satellite is not seen, so this is rather too little.
    """
    criteria, h = settings.selection, universe.header.units.h
    query: dict[str, object] = {
        "mass_stars__gte": criteria.m_star_min * h / 1e10,
        "mass_stars__lte": criteria.m_star_max * h / 1e10,
        "sfr__gte": criteria.sfr_min,
        "parent": 0,
        "subhaloflag": 1,
        "order_by": "mass_stars",
    }
    if settings.sample:
        query["primary_flag"] = 1
    masses, offset, count = [], 0, 1
    while offset < count:
        path = f"{universe.simulation}/snapshots/{universe.snapshot}/subhalos/"
        page = universe.client.json(path, query | {"limit": 5000, "offset": offset}, label="search for galaxies")
        count = int(page["count"])
        masses += [row["mass_log_msun"] for row in page["results"]]
        if not page["results"]:
            break
        offset += len(page["results"])
    logs = np.array([m for m in masses if m is not None], dtype=float)
    if settings.sample and settings.sample < len(logs):
        logs = logs[evenly(len(logs), settings.sample)]
    return len(logs), float(np.sum(10.0**logs)) * _bytes_per_msun(universe) + cutouts.OVERHEAD * len(logs)


def _bytes_per_msun(universe: ApiUniverse) -> float:
    facts = universe.facts
    omega_m, omega_b = float(facts.get("omega_0", 0.3089)), float(facts.get("omega_B", 0.0486))
    m_dm = universe.header.m_dm
    m_gas = float(facts.get("mass_gas", 0.0)) * universe.header.units.mass or m_dm * omega_b / (omega_m - omega_b)
    size = cutouts.bytes_per_particle(cutouts.BASE_FIELDS)
    return ((omega_m - omega_b) * size[1] / m_dm + omega_b * size[0] / m_gas) / omega_m


def _images_left(universe: ApiUniverse, subhalo_ids) -> list[int]:
    absent = images.known_absent(universe)
    name = f"{images.FOLDER}/broadband_{{}}.fits"
    return [int(i) for i in subhalo_ids if int(i) not in absent and universe.cache.get(name.format(int(i))) is None]


def _time(n_hours: float) -> str:
    if n_hours < 1.5 / 60:
        return "a minute"
    return f"{60 * n_hours:.0f} minutes" if n_hours < 1.5 else f"{n_hours:.1f} hours"
