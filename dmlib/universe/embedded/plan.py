"""What will be written, before anything is: the blocks of groups, the need of disk, memory and time, the identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ... import units
from ...settings import Settings
from ...units import CodeUnits
from ...workers import choose_workers
from .layout import disclaimer, parameter_attributes
from .particles import OUTER_FUZZ

FORMAT_VERSION = 1

#: Particles of a block, about: small enough for memory, large enough for few files.
BLOCK_PARTICLES = 1_000_000

#: Snapshot files of a block of groups.
FILES_PER_BLOCK = 2

#: Part of a block's particles that goes into its first file, by type: uneven, so that files split haloes.
SPLIT = {0: 0.43, 1: 0.57, 4: 0.5, 5: 1.0}

#: Measured on the profile quick (see benchmarks/bench_universe.py): compressed bytes a particle, by type; particles
#: a second and a worker.
_BYTES = {0: 51.0, 1: 17.0, 4: 59.0}
_RATE = 220_000.0

#: Softening of stars in TNG100-1 at z = 0 [ckpc/h]; coarser runs scale with the cube root of the particle mass.
_SOFTENING = 0.5
_SOFTENING_M_DM = 7.46e6


@dataclass(frozen=True)
class Need:
    """What a universe asks of the machine.

    Parameters
    ----------
    particles : dict of int
        Planned particles by type.
    disk : float
        Bytes of the whole tree.
    disk_block : float
        Bytes of the largest block, which is all that reading chunk by chunk needs at a time.
    memory : float
        Bytes, for all workers together.
    seconds : float
        For all workers together.
    """

    particles: dict[int, int]
    disk: float
    disk_block: float
    memory: float
    seconds: float

    def __str__(self) -> str:
        total = sum(self.particles.values())
        minutes = self.seconds / 60
        time = f"{minutes / 60:.1f} hours" if minutes > 90 else f"{max(minutes, 0.1):.1f} minutes"
        return (
            f"{total / 1e6:.1f} million particles, {self.disk / 1e9:.2f} GB of disk, {self.memory / 1e9:.1f} GB of "
            f"memory, about {time}; chunk by chunk {self.disk_block / 1e9:.2f} GB of disk at a time"
        )


@dataclass(frozen=True)
class Plan:
    """Everything that a worker has to know.

    Parameters
    ----------
    name : str
        ``embedded-<profile>``, the simulation's name.
    population : Population
    realise : callable
        ``realise(population, group_id) -> GroupParticles``.
    snapshot : int
    blocks : tuple of (int, int)
        First group and end of each block; the outer fuzz is one more block.
    identity : str
        sha256 of all that the content depends on: parameters, sources, numpy.
    version : str
        Of dmlib.
    """

    name: str
    population: Any
    realise: Callable
    snapshot: int
    blocks: tuple[tuple[int, int], ...]
    identity: str
    version: str

    @property
    def n_tasks(self) -> int:
        """Blocks of groups, and the outer fuzz."""
        return len(self.blocks) + 1

    @property
    def n_files(self) -> int:
        """Snapshot files in all."""
        return FILES_PER_BLOCK * len(self.blocks) + 1

    def files(self, block: int) -> range:
        """Numbers of a block's snapshot files."""
        first = FILES_PER_BLOCK * block
        return range(first, min(first + FILES_PER_BLOCK, self.n_files))

    @property
    def m_dm_code(self) -> float:
        """Mass of a dark-matter particle [1e10 Msun/h]."""
        return self.population.m_dm / CodeUnits().mass

    @property
    def softening(self) -> float:
        """Softening of stars [ckpc/h]."""
        return _SOFTENING * (self.population.m_dm / _SOFTENING_M_DM) ** (1.0 / 3.0)

    @property
    def attributes(self) -> dict[str, object]:
        """What each file says of its origin."""
        population = self.population
        return {
            **disclaimer(self.name, population.seed, population.physics, self.version),
            "SnapshotNumber": np.int32(self.snapshot),
            "dmlib_identity": self.identity,
        }

    @property
    def parameters(self) -> dict[str, object]:
        """Attributes of the group ``Parameters``."""
        return parameter_attributes(self.m_dm_code, self.population.m_baryon / CodeUnits().mass)

    def need(self, workers: int) -> Need:
        """Estimate of disk, memory and time."""
        counts = planned_counts(self.population).astype(float)
        per_type = counts.sum(axis=0)
        for column, part_type in enumerate(_COLUMNS):
            per_type[column] *= 1.0 + OUTER_FUZZ.get(part_type, 0.0)
        weights = np.array([_BYTES[part_type] for part_type in _COLUMNS])
        blocks = np.array([(counts[a:b] @ weights).sum() for a, b in self.blocks])
        totals = np.array([counts[a:b].sum() for a, b in self.blocks])
        return Need(
            particles={part_type: round(n) for part_type, n in zip(_COLUMNS, per_type, strict=True)},
            disk=float(per_type @ weights),
            disk_block=float(blocks.max()),
            memory=workers * 0.2e9 + 800.0 * np.sort(totals)[-workers:].sum(),
            seconds=float(per_type.sum() / (_RATE * min(workers, len(blocks)))),
        )


_COLUMNS = (0, 1, 4)


def planned_counts(population) -> np.ndarray:
    """Planned particles of each group, gas, dark matter and stars with wind, shape (n_groups, 3)."""
    subhalos, groups = population.subhalos, population.groups
    member = np.column_stack([subhalos["n_gas"], subhalos["n_dm"], subhalos["n_star"] + subhalos["n_wind"]])
    counts = np.zeros((len(groups), 3), dtype=np.int64)
    np.add.at(counts, subhalos["group_id"], member)
    counts[:, 0] += groups["n_gas_fuzz"]
    counts[:, 1] += groups["n_dm_fuzz"]
    return counts


def divide(sizes: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Cut groups, in order, into blocks of similar size; at least four when there are as many groups.

    Parameters
    ----------
    sizes : ndarray of int
        Planned particles of each group.
    """
    n_blocks = min(len(sizes), max(4, int(np.ceil(sizes.sum() / BLOCK_PARTICLES))))
    middle = np.cumsum(sizes) - 0.5 * sizes
    block = np.minimum((middle / sizes.sum() * n_blocks).astype(int), n_blocks - 1)
    edges = np.flatnonzero(np.diff(block)) + 1
    return tuple(zip([0, *edges.tolist()], [*edges.tolist(), len(sizes)], strict=True))


def _sources() -> str:
    """sha256 of the modules that decide about the content."""
    digest = hashlib.sha256()
    for path in [*sorted(Path(__file__).parent.glob("*.py")), Path(units.__file__)]:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def make_plan(settings: Settings) -> Plan:
    """Draw the population and plan its files.

    Parameters
    ----------
    settings : Settings
        Profile, seed, physics and snapshot are used.
    """
    from .population import draw
    from .realise import realise_group

    return plan_of(draw(settings.sizes, settings.seed, settings.physics), realise_group, settings)


def plan_of(population, realise: Callable, settings: Settings) -> Plan:
    """Plan the files of a given population; see `Plan`."""
    content = {
        "format": FORMAT_VERSION,
        "profile": [settings.profile, settings.sizes.n_galaxies, population.m_dm, population.m_baryon],
        "seed": population.seed,
        "physics": population.physics,
        "snapshot": settings.snapshot,
        "realise": f"{realise.__module__}.{realise.__qualname__}",
        "sources": _sources(),
        "numpy": np.__version__,
    }
    return Plan(
        name=f"embedded-{settings.profile}",
        population=population,
        realise=realise,
        snapshot=settings.snapshot,
        blocks=divide(planned_counts(population).sum(axis=1)),
        identity=hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest(),
        version=_version(),
    )


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("dmlib")
    except PackageNotFoundError:
        return "unknown"


def workers_here() -> int:
    """Processes that write here: see `dmlib.workers.choose_workers`; at most 8, each of which needs up to 0.7 GB."""
    return choose_workers(0.7e9, at_most=8)
