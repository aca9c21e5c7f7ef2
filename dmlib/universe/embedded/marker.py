"""The marker of a complete tree: which universe it is, and which files it is made of."""

from __future__ import annotations

import json

from ...files import sha256, write_text
from ...settings import Settings
from .layout import Tree
from .plan import Plan


def write_marker(plan: Plan, tree: Tree, summary: dict[str, object], particles: bool) -> None:
    """Say that a tree is complete. The last act of writing it.

    Parameters
    ----------
    plan : Plan
    tree : Tree
    summary : dict
        Counts to tell of.
    particles : bool
        Whether the snapshot files are there for good. Otherwise they come and go, and are not listed.
    """
    folders = ("output", "postprocessing") if particles else (f"output/groups_{plan.snapshot:03d}", "postprocessing")
    paths = [tree.index, *(path for folder in folders for path in (tree.root / folder).rglob("*.hdf5"))]
    files = {path.relative_to(tree.root).as_posix(): [path.stat().st_size, sha256(path)] for path in sorted(paths)}
    marker = {
        "identity": plan.identity,
        "name": plan.name,
        "not_tng": "drawn by dmlib in the format of TNG, not a simulation run",
        "seed": plan.population.seed,
        "physics": plan.population.physics,
        "dmlib": plan.version,
        **summary,
        "particles_on_disk": particles,
        "bytes": sum(size for size, _ in files.values()),
        "files": files,
    }
    write_text(tree.marker, json.dumps(marker, indent=1) + "\n")


def read_marker(settings: Settings) -> dict | None:
    """What the universe on disk says of itself; None where there is no complete one."""
    try:
        return json.loads(Tree(settings.universe_dir).marker.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def is_current(settings: Settings, plan: Plan, particles: bool, thorough: bool = False) -> bool:
    """Whether the tree in its place is that of the plan, and whole.

    Parameters
    ----------
    settings : Settings
    plan : Plan
    particles : bool
        Ask for the snapshot files too.
    thorough : bool
        Compare checksums, not sizes only.
    """
    marker = read_marker(settings)
    if not marker or marker["identity"] != plan.identity or (particles and not marker["particles_on_disk"]):
        return False
    for name, (size, checksum) in marker["files"].items():
        path = settings.universe_dir / name
        if not path.is_file() or path.stat().st_size != size or (thorough and sha256(path) != checksum):
            return False
    return True
