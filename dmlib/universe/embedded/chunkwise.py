"""The embedded universe one block at a time, for disks that do not hold it, and what it is in a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from filelock import FileLock

from ...settings import Settings
from .blocks import make_block, produce, write_stub
from .layout import Tree
from .marker import is_current, read_marker
from .plan import Plan, make_plan, workers_here
from .writer import stamp_totals


@dataclass(frozen=True)
class BlockView:
    """One block whose particles can be read now.

    Parameters
    ----------
    index : int
    group_ids, subhalo_ids : ndarray of int
        What it holds.
    files : tuple of Path
        Its snapshot files.
    base_path : Path
        The tree's ``output`` folder, for illustris_python or FilesUniverse.
    """

    index: int
    group_ids: np.ndarray
    subhalo_ids: np.ndarray
    files: tuple[Path, ...]
    base_path: Path


def iterate_tree(
    settings: Settings,
    plan: Plan,
    subhalo_ids: Iterable[int] | None = None,
    keep: bool = False,
    workers: int | None = None,
) -> Iterator[BlockView]:
    """Blocks of a plan one after another; see `dmlib.universe.embedded.iterate`."""
    if not is_current(settings, plan, particles=False):
        produce(settings, plan, False, workers or workers_here())
    tree = Tree(settings.universe_dir, plan.snapshot)
    whole = read_marker(settings)["particles_on_disk"]
    wanted = None if subhalo_ids is None else np.asarray(list(subhalo_ids), dtype=np.int64)
    owner = plan.population.subhalos["group_id"]
    with FileLock(f"{settings.universe_dir}.lock"):
        if not whole and not keep:
            _remove_particles(plan, tree)
        for index, (first, end) in enumerate(plan.blocks):
            members = np.flatnonzero((owner >= first) & (owner < end))
            if wanted is not None and not np.isin(members, wanted).any():
                continue
            files = tuple(tree.snapshot_chunk(j) for j in plan.files(index))
            if not whole:
                _materialise(plan, index, tree)
            try:
                yield BlockView(index, np.arange(first, end), members, files, tree.output)
            finally:
                if not whole and not keep:
                    _remove_particles(plan, tree)


def _totals(tree: Tree) -> np.ndarray:
    with h5py.File(tree.index, "r") as file:
        return file[f"Snapshots/{tree.snapshot}/Header"].attrs["NumPart_Total"]


def _materialise(plan: Plan, index: int, tree: Tree) -> None:
    make_block(plan, index, tree.root, catalogue=False)
    for j in plan.files(index):
        stamp_totals(tree.snapshot_chunk(j), _totals(tree))


def _remove_particles(plan: Plan, tree: Tree) -> None:
    """Leave no snapshot file but the stub."""
    write_stub(plan, tree, _totals(tree))
    for path in tree.snapshot_chunk(0).parent.glob("*.hdf5"):
        if path != tree.snapshot_chunk(0):
            path.unlink()


def describe_plan(settings: Settings) -> dict[str, object]:
    """What the universe is or would be; see `dmlib.universe.embedded.describe`."""
    plan = make_plan(settings)
    marker = read_marker(settings)
    need = plan.need(workers_here())
    names = {0: "gas cells", 1: "dark-matter particles", 4: "star particles", 5: "black holes"}
    particles = {int(t): n for t, n in marker["particles"].items()} if marker else need.particles
    current = bool(marker and marker["identity"] == plan.identity)
    return {
        "name": plan.name,
        "what": "an ensemble of equilibrium-like galaxies in the format of TNG; not TNG, not a simulation run",
        "physics": plan.population.physics,
        "seed": plan.population.seed,
        "state": ("complete" if current else "out of date") if marker else "not written",
        "particles on disk": ("all" if marker["particles_on_disk"] else "chunk by chunk") if marker else "none",
        "groups": len(plan.population.groups),
        "subhaloes": len(plan.population.subhalos),
        **{names[t]: n for t, n in sorted(particles.items())},
        "dark-matter particle [Msun]": plan.population.m_dm,
        "gas cell, target [Msun]": plan.population.m_baryon,
        "snapshot files": plan.n_files,
        "disk [GB]": round(marker["bytes"] / 1e9, 3) if marker else 0.0,
        "need": str(need),
        "identity": plan.identity,
        "folder": str(settings.universe_dir),
    }
