"""A universe before it is written: its blocks of groups, its need of disk, memory and time, its identity."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .drawing import draw
from .files import MockError
from .galaxies import FEATURES, PHYSICS
from .group_particles import make_group
from .layout import Attributes, disclaimer, parameter_attributes
from .population import Population
from .storage import OUTER_FUZZ
from .units import MASS

#: Approximate number of particles of a block: small enough for memory, large enough for few files.
BLOCK_PARTICLES = 1_000_000

#: Snapshot files of a block of groups.
FILES_PER_BLOCK = 2

#: Fraction of a block's particles in its first file, by type: uneven, so that files split haloes.
SPLIT = {0: 0.43, 1: 0.57, 4: 0.5, 5: 1.0}

#: Measured at the particle masses of TNG100-1 and -2: compressed bytes per particle, by type; particles per second and
#: worker.
_BYTES = {0: 52.0, 1: 24.0, 4: 60.0}
_RATE = 320_000.0

#: Default masses of a dark-matter particle, and of gas cells and star particles [Msun].
M_DM, M_BARYON = 2.4e8, 4.5e7

#: Softening of stars in TNG100-1 at z = 0 [ckpc/h]; coarser runs scale with the cube root of the particle mass.
_SOFTENING = 0.5
_SOFTENING_M_DM = 7.46e6

#: Modules on which the content of a universe does not depend.
_NOT_CONTENT = {"__init__", "cli", "files", "workers"} | {*("replies", "served_tree", "server")}


@dataclass(frozen=True)
class Need:
    """Resources for writing a universe.

    Parameters
    ----------
    particles : dict of int
        Planned particles by type.
    disk : float
        Bytes of the whole tree.
    memory : float
        Bytes, for all workers together.
    seconds : float
        Wall time.
    """

    particles: dict[int, int]
    disk: float
    memory: float
    seconds: float

    def __str__(self) -> str:
        total = sum(self.particles.values())
        minutes = self.seconds / 60
        time = f"{minutes / 60:.1f} hours" if minutes > 90 else f"{max(minutes, 0.1):.1f} minutes"
        return (
            f"{total / 1e6:.1f} million particles, {self.disk / 1e9:.2f} GB of disk, {self.memory / 1e9:.1f} GB of "
            f"memory, about {time}"
        )


@dataclass(frozen=True)
class Plan:
    """Everything that a worker has to know.

    Parameters
    ----------
    name : str
        Name of the simulation.
    population : Population
    make_group : callable
        ``make_group(population, group_id) -> GroupParticles``.
    snapshot : int
    blocks : tuple of (int, int)
        First group and end of each block; the outer fuzz is one more block.
    identity : str
        sha256 of everything that determines the content: parameters, code, numpy.
    """

    name: str
    population: Population
    make_group: Callable[[Population, int], Any]
    snapshot: int
    blocks: tuple[tuple[int, int], ...]
    identity: str

    @property
    def n_tasks(self) -> int:
        """Blocks of groups, and the outer fuzz."""
        return len(self.blocks) + 1

    @property
    def n_files(self) -> int:
        """Number of snapshot files."""
        return FILES_PER_BLOCK * len(self.blocks) + 1

    def files(self, block: int) -> range:
        """Numbers of the snapshot files of a block."""
        first = FILES_PER_BLOCK * block
        return range(first, min(first + FILES_PER_BLOCK, self.n_files))

    @property
    def m_dm_code(self) -> float:
        """Mass of a dark-matter particle [1e10 Msun/h]."""
        return self.population.m_dm / MASS

    @property
    def softening(self) -> float:
        """Softening of stars [ckpc/h]."""
        return _SOFTENING * (self.population.m_dm / _SOFTENING_M_DM) ** (1.0 / 3.0)

    @property
    def attributes(self) -> Attributes:
        """Attributes of every file that state its origin."""
        return {
            **disclaimer(self.name, self.population.seed, self.population.physics),
            "SnapshotNumber": np.int32(self.snapshot),
            "mocktng_identity": self.identity,
        }

    @property
    def parameters(self) -> Attributes:
        """Attributes of the group ``Parameters``."""
        return parameter_attributes(self.m_dm_code, self.population.m_baryon / MASS)

    def need(self, workers: int) -> Need:
        """Estimate of disk, memory and time."""
        counts = planned_counts(self.population).astype(float)
        per_type = counts.sum(axis=0)
        per_type *= [1.0 + OUTER_FUZZ.get(part_type, 0.0) for part_type in _BYTES]
        totals = np.array([counts[a:b].sum() for a, b in self.blocks])
        return Need(
            particles={part_type: round(n) for part_type, n in zip(_BYTES, per_type, strict=True)},
            disk=float(per_type @ [*_BYTES.values()]),
            memory=workers * 0.2e9 + _MEMORY * np.sort(totals)[-workers:].sum(),
            seconds=float(per_type.sum() / (_RATE * min(workers, len(self.blocks)))),
        )

    def facts(self) -> dict[str, Any]:
        """Facts that are known before anything is written; part of the marker."""
        return {
            "name": self.name,
            "not_tng": "drawn by mocktng in the format of TNG, not a simulation run",
            "seed": self.population.seed,
            "physics": self.population.physics,
            "without": sorted(self.population.without),
            "m_dm": self.population.m_dm,
            "m_baryon": self.population.m_baryon,
            "snapshot": self.snapshot,
            "groups": len(self.population.groups),
            "subhalos": len(self.population.subhalos),
            "snapshot_files": self.n_files,
            "identity": self.identity,
        }


#: Bytes that a worker needs for a particle of its block: 482 were measured for a group of 19 million.
_MEMORY = 500.0


def planned_counts(population: Population) -> np.ndarray:
    """Planned particles of each group, shape (n_groups, 3): gas, dark matter, and stars with wind."""
    subhalos, groups = population.subhalos, population.groups
    member = np.column_stack([subhalos["n_gas"], subhalos["n_dm"], subhalos["n_star"] + subhalos["n_wind"]])
    counts = np.zeros((len(groups), 3), dtype=np.int64)
    np.add.at(counts, subhalos["group_id"], member)
    counts[:, 0] += groups["n_gas_fuzz"]
    counts[:, 1] += groups["n_dm_fuzz"]
    return counts


def divide(sizes: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Divide groups, in order, into blocks of similar size; at least four where there are as many groups.

    Parameters
    ----------
    sizes : ndarray of int
        Planned particles of each group.
    """
    n_blocks = min(len(sizes), max(4, int(np.ceil(sizes.sum() / BLOCK_PARTICLES))))
    middle = np.cumsum(sizes) - 0.5 * sizes
    block = np.minimum((middle / sizes.sum() * n_blocks).astype(int), n_blocks - 1)
    edges = [int(edge) for edge in np.flatnonzero(np.diff(block)) + 1]
    return tuple(zip([0, *edges], [*edges, len(sizes)], strict=True))


@cache
def _sources() -> str:
    """sha256 of the code that determines the content, without comments and docstrings, and of the data files."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted(folder.glob("*.py")):
        if path.stem in _NOT_CONTENT:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
                node.body = node.body[1:]
        digest.update(f"{path.name} {ast.dump(tree)}".encode())
    for path in sorted((folder / "data").glob("*.*")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def make_plan(
    *,
    n_galaxies: int = 40,
    seed: int = 1,
    physics: str = "fiducial",
    without: tuple[str, ...] = (),
    m_dm: float = M_DM,
    m_baryon: float = M_BARYON,
    name: str = "mocktng",
    snapshot: int = 99,
) -> Plan:
    """Draw the population and plan its files; see `mocktng.write` for the parameters.

    Raises
    ------
    MockError
        When a parameter is out of range.
    """
    if physics not in PHYSICS:
        raise MockError(f"there is no physics '{physics}': choose one of {', '.join(PHYSICS)}.")
    for feature in without:
        if feature not in FEATURES:
            raise MockError(f"there is no feature '{feature}' to leave out: choose from {', '.join(FEATURES)}.")
    for what, value in (("n_galaxies", n_galaxies), ("m_dm", m_dm), ("m_baryon", m_baryon)):
        if not value > 0:
            raise MockError(f"{what} is {value:g}: give a number above 0.")
    for what, whole in (("n_galaxies", n_galaxies), ("seed", seed), ("snapshot", snapshot)):
        if whole < 0 or whole != int(whole):
            raise MockError(f"{what} is {whole}: give a whole number, 0 or more.")
    if snapshot > 999:
        raise MockError(f"snapshot is {snapshot}: names of files have three digits for it.")
    population = draw(n_galaxies, seed, physics, m_dm=m_dm, m_baryon=m_baryon, without=without)
    return plan_of(population, make_group, name=name, snapshot=snapshot, n_galaxies=n_galaxies)


def plan_of(
    population: Population,
    make_group: Callable[[Population, int], Any],
    *,
    name: str,
    snapshot: int = 99,
    n_galaxies: int = 0,
) -> Plan:
    """Plan the files of a given population; see `Plan`."""
    content = {
        "name": name,
        "n_galaxies": n_galaxies,
        "masses": [population.m_dm, population.m_baryon],
        "seed": population.seed,
        "physics": population.physics,
        "without": sorted(population.without),
        "snapshot": snapshot,
        "make_group": f"{make_group.__module__}.{make_group.__qualname__}",
        "sources": _sources(),
        "numpy": np.__version__,
    }
    return Plan(
        name=name,
        population=population,
        make_group=make_group,
        snapshot=snapshot,
        blocks=divide(planned_counts(population).sum(axis=1)),
        identity=hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest(),
    )
