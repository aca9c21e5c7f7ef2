"""Estimate, then download, everything that a run needs from the TNG web API.

The steps of a run download what they need by themselves; here it is done beforehand, and counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from astropy.table import QTable

from .environment import readable
from .errors import DmlibError
from .sample import GROUP_FIELDS, SUBHALO_FIELDS, evenly, select, subsample
from .settings import Settings
from .universe.api.downloads import connections
from .universe.api.source import IMAGE
from .universe.api.universe import BASE_FIELDS, OVERHEAD, ApiUniverse, bytes_per_particle
from .universe.base import Kind

#: Catalogue columns that the book reads: those of the selection, the counts that cutouts are compared with, the
#: magnitudes that the chapter on photometry compares its own with, and masses within the half-mass radius.
COLUMNS: tuple[tuple[Kind, str], ...] = (
    *(("Subhalo", field) for field in (*SUBHALO_FIELDS, "SubhaloStellarPhotometrics", "SubhaloMassInHalfRadType")),
    *(("Group", field) for field in (*GROUP_FIELDS, "GroupLenType")),
)

#: Assumed before the first download: speed of one connection [bytes/s], and time until the first byte [s].
RATE, LATENCY = 2e6, 2.0

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
        Still to be downloaded; NaN when unknown.
    here : int
        Requests that need not be made again.
    estimated : bool
        Whether the bytes are estimated, not counted.
    """

    what: str
    requests: int
    n_bytes: float
    here: int
    estimated: bool = False

    def __str__(self) -> str:
        size = "size not known" if np.isnan(self.n_bytes) else readable(self.n_bytes)
        about = "about " if self.estimated and not np.isnan(self.n_bytes) else ""
        return f"  {self.what:<18} {self.requests:>7} requests  {about}{size}  ({self.here} here already)"


@dataclass(frozen=True)
class Plan:
    """The size of a download.

    Parameters
    ----------
    simulation : str
    galaxies : int
        In the selection, or in the subsample.
    parts : tuple of Part
    rate : float
        Speed of one connection [bytes/s].
    measured : int
        Number of downloads on which the rate is measured; 0 when it is assumed.
    free : float
        Free space on the cache's disk [bytes].
    """

    simulation: str
    galaxies: int
    parts: tuple[Part, ...]
    rate: float
    measured: int
    free: float

    @property
    def requests(self) -> int:
        """Requests still to be made."""
        return sum(part.requests for part in self.parts)

    @property
    def n_bytes(self) -> float:
        """Size still to be downloaded, as far as it is known [bytes]."""
        return float(np.nansum([part.n_bytes for part in self.parts]))

    @property
    def minutes(self) -> float:
        """Duration [min]."""
        latency = 0.0 if self.measured else LATENCY  # a measured rate includes the waiting
        return (self.requests * latency + self.n_bytes / max(self.rate, 1.0)) / connections() / 60.0

    def __str__(self) -> str:
        lines = [f"{self.simulation}: {self.galaxies} galaxies", *map(str, self.parts)]
        if not self.requests:
            return "\n".join([*lines, "  everything is here, nothing to download"])
        n = self.minutes
        time = "a minute" if n < 1.5 else f"{n:.0f} minutes" if n < 90 else f"{n / 60:.1f} hours"
        how = f"measured on {self.measured} downloads" if self.measured else "assumed: nothing was downloaded yet"
        lines.append(
            f"  in all {self.requests} requests, {readable(self.n_bytes)}, about {time} over "
            f"{connections()} connections ({readable(self.rate)}/s per connection, {how})"
        )
        return "\n".join([*lines, f"  the cache's disk has {readable(self.free)} free"])


def plan(settings: Settings, pictures: ImagesChoice = "none") -> Plan:
    """Estimate a download; sends the server a few small requests when the catalogue is not in the cache yet.

    Parameters
    ----------
    settings : Settings
        With ``universe="api"``.
    pictures : {"none", "each", "archive"}
        Published images: of each galaxy separately, or the archive of all.

    Returns
    -------
    Plan

    Raises
    ------
    FetchError, UniverseError
    """
    universe = _universe(settings)
    source, cache = universe.source, universe.cache
    missing = source.missing_columns(COLUMNS)
    parts = [Part("catalogue columns", len(missing), source.bytes_of_columns(missing), len(COLUMNS) - len(missing))]
    if missing:
        galaxies, size = _estimate(universe, settings)
        images = galaxies
        parts.append(Part("groups' particles", galaxies, size, 0, estimated=True))
    else:
        table = _selection(universe, settings)
        galaxies, images = len(table), len(source.missing_images(table["subhalo_id"]))
        groups = np.unique(table["group_id"])
        todo = universe.missing_groups(groups)
        size = float(universe.bytes_of_groups(todo).sum())
        parts.append(Part("groups' particles", len(todo), size, len(groups) - len(todo)))
    if pictures == "archive":
        here = cache.get(f"skirt/{source.archive}") is not None
        parts.append(Part("published images", int(not here), 0.0 if here else np.nan, int(here), estimated=True))
    elif pictures == "each":
        parts.append(Part("published images", images, images * IMAGE, galaxies - images, estimated=True))
    return Plan(universe.name, galaxies, tuple(parts), *(cache.rate() or (RATE, 0)), cache.free_space())


def fetch_all(settings: Settings, pictures: ImagesChoice = "none") -> ApiUniverse:
    """Download everything that a run reads. It may be interrupted at any time: the next call continues.

    Parameters
    ----------
    settings : Settings
        With ``universe="api"``.
    pictures : {"none", "each", "archive"}

    Returns
    -------
    ApiUniverse

    Raises
    ------
    FetchError, UniverseError
    """
    universe = _universe(settings)
    universe.source.fetch_columns(COLUMNS)
    sample = _selection(universe, settings)
    universe.prepare(sample["group_id"])
    if pictures == "each":
        universe.source.fetch_images(sample["subhalo_id"])
    elif pictures == "archive":
        universe.source.fetch_archive()
    return universe


def verify(settings: Settings) -> tuple[int, list[str]]:
    """Read every file of the cache, compare it with its checksum, and remove damaged ones.

    Returns
    -------
    whole : int
        Number of undamaged files.
    removed : list of str
        Names of the others; the next download requests them again.
    """
    cache = _universe(settings).cache
    state = {file.name: good for file, good in cache.verify()}
    removed = [name for name, good in state.items() if not good]
    for name in removed:
        cache.remove(name)
    return len(state) - len(removed), removed


def _universe(settings: Settings) -> ApiUniverse:
    if settings.source.name != "api":
        raise DmlibError(f"universe '{settings.universe}' is not downloaded: give --universe api.")
    return ApiUniverse(settings.simulation, settings.snapshot)


def _selection(universe: ApiUniverse, settings: Settings) -> QTable:
    table = select(universe, settings.selection)[0]
    return subsample(table, settings.sample) if settings.sample else table


def _estimate(universe: ApiUniverse, settings: Settings) -> tuple[int, float]:
    """Number of galaxies, and bytes of their groups' particles, from the server's own search.

    The bytes follow from the galaxies' total masses, assuming the cosmic ratio of dark matter and gas. The rest of a
    satellite's group is not counted, so this tends to be too low.
    """
    criteria, h = settings.selection, universe.header.units.h
    query: dict[str, object] = {
        "mass_stars__gte": criteria.m_star_min * h / 1e10,
        "mass_stars__lte": criteria.m_star_max * h / 1e10,
        "sfr__gte": criteria.sfr_min,
        "parent": 0,
        "subhaloflag": 1,
        "order_by": "mass_stars",
    } | ({"primary_flag": 1} if settings.sample else {})
    rows: list[dict] = []
    while True:
        query |= {"limit": 5000, "offset": len(rows)}
        page = universe.source.json(f"{universe.source.path}/subhalos/", query, label="galaxy search")
        rows += page["results"]
        if not page["results"] or len(rows) >= int(page["count"]):
            break
    logs = np.array([row["mass_log_msun"] for row in rows if row["mass_log_msun"] is not None], dtype=float)
    if settings.sample and settings.sample < len(logs):
        logs = logs[evenly(len(logs), settings.sample)]
    facts, m_dm = universe.source.facts, universe.header.m_dm
    omega_m, omega_b = float(facts.get("omega_0", 0.3089)), float(facts.get("omega_B", 0.0486))
    m_gas = float(facts.get("mass_gas", 0.0)) * universe.header.units.mass or m_dm * omega_b / (omega_m - omega_b)
    size = bytes_per_particle(BASE_FIELDS)
    per_msun = ((omega_m - omega_b) * size[1] / m_dm + omega_b * size[0] / m_gas) / omega_m
    return len(logs), float(np.sum(10.0**logs)) * per_msun + OVERHEAD * len(logs)
