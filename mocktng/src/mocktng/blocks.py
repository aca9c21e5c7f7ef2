"""Write a universe in blocks of groups: in parallel, resumable, and with a result that depends on neither.

A block is a run of groups in catalogue order. Its content depends only on the seed and its groups, so neither the
number of workers nor an interruption changes a byte. Blocks are written into a folder beside the universe's; when all
are there, catalogue, offsets and totals are assembled, and the folder is renamed in one step.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .catalogue import measure
from .fields import GROUP_FIELDS, N_TYPES, SUBHALO_FIELDS, empty_rows
from .files import MockError, atomic_path, locked, write_text
from .layout import Tree, program_version
from .plan import SPLIT, Plan, make_plan
from .storage import Arrays, complete, outer_fuzz
from .units import LENGTH, MASS
from .workers import available_memory, choose_workers, map_in_processes
from .writer import object_offsets, stamp_totals, write_catalogue, write_index, write_offsets, write_snapshot_chunk

#: ``progress(done, total)`` is called when a block is finished.
Progress = Callable[[int, int], object]
Apply = Callable[[Callable[[int], None], Sequence[int]], Iterable[object]]

_GUARD = "'if __name__ == \"__main__\":'"
_WRITING = "MOCKTNG_WRITING"  # environment variable of workers: the folder that is being written
_LARGE = 5e9  # bytes; larger universes are announced
_WORTH_WORKERS = 8.0  # seconds in one process, below which starting processes takes longer
_WORKER_MEMORY, _MOST_WORKERS = 0.7e9, 8


# -- one block ---------------------------------------------------------------------------------------------------------


def _part_path(root: Path, block: int) -> Path:
    return root / "blocks" / f"block-{block:04d}.npz"


def _collect(plan: Plan, block: int) -> tuple[dict[int, Arrays], list[Arrays], list[Arrays]]:
    """Particles of a block by type and data set, in snapshot order, and its catalogue rows."""
    columns: dict[int, dict[str, list[np.ndarray]]] = {}
    groups, subhalos = [empty_rows(GROUP_FIELDS, 0)], [empty_rows(SUBHALO_FIELDS, 0)]
    if block == len(plan.blocks):
        return outer_fuzz(plan.population), groups, subhalos
    for group_id in range(*plan.blocks[block]):
        row = plan.population.groups[group_id]
        centre = row["position"] / LENGTH
        try:
            made = plan.make_group(plan.population, group_id)
        except Exception as error:
            error.add_note(f"while making group {group_id} of {plan.name}, seed {plan.population.seed}")
            raise
        stored = {
            part_type: complete(part_type, fields, centre, group_id, float(row["m200"]) / MASS)
            for part_type, fields in made.particles.items()
            if len(fields["Coordinates"])
        }
        group, members = measure(stored, np.asarray(made.lengths), centre, plan.m_dm_code, plan.softening)
        groups.append(group)
        subhalos.append(members)
        for part_type, fields in stored.items():
            for name, values in fields.items():
                columns.setdefault(part_type, {}).setdefault(name, []).append(values)
    particles: dict[int, Arrays] = {}
    for part_type, pieces in columns.items():
        # One data set at a time, each released as soon as it is joined, to bound the memory.
        particles[part_type] = {name: np.concatenate(pieces.pop(name)) for name in list(pieces)}
    return particles, groups, subhalos


def _split(plan: Plan, block: int, particles: dict[int, Arrays]) -> list[dict[int, Arrays]]:
    """Particles of each file of a block. Files split haloes; the second file of every other block has no black hole."""
    if len(plan.files(block)) == 1:
        return [particles]
    files: list[dict[int, Arrays]] = [{}, {}]
    for part_type, fields in particles.items():
        n = len(fields["Coordinates"])
        fraction = SPLIT[part_type] if part_type != 5 or block % 2 else 0.5
        cut = round(fraction * n)
        for file, rows in zip(files, (slice(None, cut), slice(cut, None)), strict=True):
            file[part_type] = {name: values[rows] for name, values in fields.items()}
    return files


def make_block(block: int, plan: Plan, root: Path) -> None:
    """Write the snapshot files of one block and its part of the catalogue.

    Parameters
    ----------
    block : int
        ``len(plan.blocks)`` is the outer fuzz.
    plan : Plan
    root : Path
        Folder of the simulation. The part of the catalogue is written last and marks the block as finished.
    """
    tree = Tree(root, plan.snapshot)
    made, groups, subhalos = _collect(plan, block)
    counts, sizes = [], []
    for j, content in zip(plan.files(block), _split(plan, block, made), strict=True):
        path = tree.snapshot_chunk(j)
        counts.append(
            write_snapshot_chunk(path, content, plan.n_files, plan.m_dm_code, plan.attributes, plan.parameters)
        )
        sizes.append(path.stat().st_size)
    part = {"file_counts": np.array(counts, dtype=np.int64), "file_sizes": np.array(sizes, dtype=np.int64)}
    for rows in (groups, subhalos):
        part |= {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    with atomic_path(_part_path(root, block)) as temporary:
        np.savez(temporary, **part)  # type: ignore[arg-type]  # numpy's stub takes the arrays for allow_pickle


def _is_finished(plan: Plan, block: int, root: Path) -> bool:
    """Whether a block of an earlier run is intact: its part exists, and its files open and have the stated content."""
    path = _part_path(root, block)
    if not path.is_file():
        return False
    with np.load(path) as part:
        counts, sizes = part["file_counts"], part["file_sizes"]
    for j, expected, size in zip(plan.files(block), counts, sizes, strict=True):
        chunk = Tree(root, plan.snapshot).snapshot_chunk(j)
        if not chunk.is_file() or chunk.stat().st_size != size:
            return False
        try:
            with h5py.File(chunk, "r") as file:
                if not np.array_equal(file["Header"].attrs["NumPart_ThisFile"], expected):
                    return False
        except (OSError, KeyError):  # killed while its header was stamped: write it again
            return False
    return True


# -- many blocks -------------------------------------------------------------------------------------------------------


def _make_blocks(plan: Plan, root: Path, workers: int, progress: Progress, apply: Apply | None) -> None:
    todo = [block for block in range(plan.n_tasks) if not _is_finished(plan, block, root)]
    one = partial(make_block, plan=plan, root=root)
    if apply is not None:
        made = iter(apply(one, todo))
    elif workers == 1 or len(todo) < 2:
        made = map(one, todo)
    else:
        made = map_in_processes(one, todo, min(workers, len(todo)), {_WRITING: str(root)})
    done = plan.n_tasks - len(todo)
    progress(done, plan.n_tasks)
    try:
        for finished, _ in enumerate(made, done + 1):
            progress(finished, plan.n_tasks)
    except BrokenProcessPool as error:
        raise MockError(
            f"a worker that wrote {root.name} was stopped: where memory is short use one worker (finished blocks are "
            f"kept), and put the statements of a script under {_GUARD}."
        ) from error


def _assemble(plan: Plan, root: Path) -> None:
    """Write catalogue, offsets, totals, index and marker of a tree whose blocks are all finished."""
    tree = Tree(root, plan.snapshot)
    parts = []
    for block in range(plan.n_tasks):
        with np.load(_part_path(root, block)) as part:
            parts.append({name: part[name] for name in part.files})
    chunk_counts = np.concatenate([part["file_counts"] for part in parts])
    groups = {name: np.concatenate([part[name] for part in parts]) for name in GROUP_FIELDS}
    subhalos = {name: np.concatenate([part[name] for part in parts]) for name in SUBHALO_FIELDS}
    n_subs = groups["GroupNsubs"].astype(np.int64)
    first = np.cumsum(n_subs) - n_subs
    groups["GroupFirstSub"] = np.where(n_subs > 0, first, -1).astype(np.int32)
    subhalos["SubhaloGrNr"] = np.repeat(np.arange(len(n_subs)), n_subs).astype(np.int32)
    subhalos["SubhaloParent"] = plan.population.subhalos["parent_rank"].astype(np.int32)
    subhalos["SubhaloFlag"] = plan.population.subhalos["flag"].astype(bool)

    totals = chunk_counts.sum(axis=0)
    for j in range(plan.n_files):
        stamp_totals(tree.snapshot_chunk(j), totals)
    first_group, first_subhalo = write_catalogue(tree, groups, subhalos, plan.attributes, plan.parameters)
    file_offsets = {
        "Group": first_group,
        "Subhalo": first_subhalo,
        "SnapByType": np.cumsum(chunk_counts, axis=0) - chunk_counts,
    }
    write_offsets(tree, file_offsets, *object_offsets(groups, subhalos))
    write_index(tree, chunk_counts, len(first_group), plan.attributes)
    particles = {str(t): int(totals[t]) for t in range(N_TYPES) if totals[t]}
    tree.write_marker(plan.facts() | {"mocktng": program_version(), "particles": particles})


def staging_folder(folder: Path) -> Path:
    """Folder in which a tree is written before it is moved to `folder`."""
    return folder.with_name(f".{folder.name}-writing")


def write_tree(
    folder: str | Path,
    plan: Plan,
    workers: int | None = None,
    progress: Progress | None = None,
    apply: Apply | None = None,
) -> None:
    """Write the universe of a plan where it is missing, damaged or of another plan; see `mocktng.write`.

    May be killed at any point: the next call continues with the finished blocks, if they belong to the same plan.
    """
    folder = Path(folder).absolute()
    if Tree(folder).is_whole(plan.identity):
        return
    staging = staging_folder(folder)
    if os.environ.get(_WRITING) == str(staging):
        # A worker imports the script that started it, and would wait here for its own parent for ever.
        raise MockError(f"{staging.name} is being written: put the statements of a script under {_GUARD}.")
    _refuse_to_overwrite(folder)
    if workers is None:
        workers = suitable_workers(plan)
    folder.parent.mkdir(parents=True, exist_ok=True)
    stamp = staging.with_name(f"{staging.name}.identity")
    with locked(f"{staging}.lock"):
        if Tree(folder).is_whole(plan.identity):  # another process wrote it meanwhile
            return
        if staging.exists() and not (stamp.is_file() and stamp.read_text(encoding="utf-8") == plan.identity):
            shutil.rmtree(staging)
        _check_disk(plan, folder, workers)
        write_text(stamp, plan.identity)
        if not Tree(staging).marker.is_file():
            _make_blocks(plan, staging, workers, progress or (lambda done, total: None), apply)
            _assemble(plan, staging)
        shutil.rmtree(staging / "blocks", ignore_errors=True)
        if folder.exists():
            shutil.rmtree(folder)
        os.rename(staging, folder)
        stamp.unlink()


def _refuse_to_overwrite(folder: Path) -> None:
    """Replace only what mocktng wrote: a folder with anything else is somebody's data."""
    if folder.exists() and not folder.is_dir():
        raise MockError(f"{folder} is a file: name a folder.")
    if folder.is_dir() and any(folder.iterdir()) and Tree(folder).read_marker() is None:
        raise MockError(f"{folder} has other files: name a folder that is new or empty.")


def _check_disk(plan: Plan, folder: Path, workers: int) -> None:
    """State the need of a large universe, and refuse one that does not fit on the disk."""
    need, free = plan.need(workers), shutil.disk_usage(folder.parent).free
    if need.disk > _LARGE:
        print(f"{plan.name} needs {need}; {free / 1e9:.1f} GB of disk are free.", file=sys.stderr, flush=True)
    staged = staging_folder(folder).rglob("*.hdf5")
    if need.disk - sum(path.stat().st_size for path in staged) > 0.95 * free:
        raise MockError(
            f"{folder.parent} has {free / 1e6:,.0f} MB free and {plan.name} needs {need.disk / 1e6:,.0f} MB: free the "
            "disk, or write to a folder on a larger one."
        )


def suitable_workers(plan: Plan, at_most: int | None = None, memory: float | None = None) -> int:
    """Number of processes that write a universe: one for a small one, else as many as have room for the largest groups.

    Parameters
    ----------
    plan : Plan
    at_most : int, optional
        Default: the cores that this process may use, eight at most.
    memory : float, optional
        Free memory [bytes]; default: that of the machine. A caller who knows the limit of a container gives it.
    """
    if plan.need(1).seconds <= _WORTH_WORKERS:
        return 1
    at_most = at_most or choose_workers(_WORKER_MEMORY, _MOST_WORKERS)
    memory = available_memory() if memory is None else memory
    return next((n for n in range(at_most, 1, -1) if plan.need(n).memory < memory), 1)


def _table(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts of a plan or of a marker under the names under which they are shown."""
    names = {"0": "gas cells", "1": "dark-matter particles", "4": "star particles", "5": "black holes"}
    return {
        "name": facts["name"],
        "what": "an ensemble of equilibrium-like galaxies in the format of TNG; not TNG, not a simulation run",
        "physics": facts["physics"],
        **({"without": ", ".join(facts["without"])} if facts.get("without") else {}),
        "seed": facts["seed"],
        "groups": facts["groups"],
        "subhaloes": facts["subhalos"],
        **{names[t]: n for t, n in sorted(facts["particles"].items())},
        "dark-matter particle [Msun]": facts["m_dm"],
        "gas cell, target [Msun]": facts["m_baryon"],
        "snapshot": facts["snapshot"],
        "snapshot files": facts["snapshot_files"],
        **({"disk [GB]": round(facts["bytes"] / 1e9, 3)} if "bytes" in facts else {}),
        "identity": facts["identity"],
    }


def write(
    folder: str | Path,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    apply: Apply | None = None,
    **parameters: Any,
) -> None:
    """Write a universe where it is missing, damaged, or of other parameters.

    Resumable: after an interruption the next call continues with the finished blocks and gives the same bytes. The
    folder appears under its name only when it is complete.

    Parameters
    ----------
    folder : path
        Folder of the simulation; its ``output`` is the ``basePath`` of illustris_python. New, empty, or of mocktng.
    workers : int, optional
        Processes; by default as many as cores and memory allow. The result does not depend on it.
    progress : callable, optional
        ``progress(done, total)`` after each block.
    apply : callable, optional
        ``apply(function, blocks)`` calls a function with the number of each block, on machines that see the folder
        under the same path, and yields after each; instead of processes on this machine.
    n_galaxies : int, default 40
        Galaxies with 1e10 to 1e12 Msun of stars that form at least 0.1 Msun/yr; met within a few per cent. There are
        about twice as many subhaloes.
    seed : int, default 1
        Seed of all random numbers.
    physics : str, default "fiducial"
        One of `galaxies.PHYSICS`. The alternative has hardly contracted, cored haloes, half the hot gas and 1.6 times
        the HI.
    without : tuple of str, default ()
        Features of galaxies to leave out, of `galaxies.FEATURES`: clumps, arms, bars, rings, holes, warps,
        lopsidedness, disturbances. Everything else stays the same.
    m_dm, m_baryon : float, default `M_DM` and `M_BARYON`
        Mass of a dark-matter particle; target mass of gas cells and star particles [Msun]. TNG100-1 has 7.46e6 and
        1.39e6, TNG100-2 5.97e7 and 1.12e7.
    name : str, default "mocktng"
        ``SimulationName`` in every header.
    snapshot : int, default 99
        Number in the names of files; all is at redshift 0.

    Raises
    ------
    MockError
        When a parameter is out of range, the folder has other files, the disk is too small, or a worker was killed.
    """
    write_tree(folder, make_plan(**parameters), workers, progress, apply)


def estimate(**parameters: Any) -> dict[str, Any]:
    """Content and need of disk, memory and time of a universe that is not written.

    Parameters
    ----------
    **parameters
        As for `write`.

    Returns
    -------
    dict
        As `describe`, with ``need`` in words, and planned particle numbers.
    """
    plan = make_plan(**parameters)
    need = plan.need(suitable_workers(plan))
    return _table(plan.facts() | {"particles": {str(t): n for t, n in need.particles.items()}}) | {"need": str(need)}


def describe(folder: str | Path) -> dict[str, Any]:
    """Content of a written universe.

    Parameters
    ----------
    folder : path
        As for `write`.

    Returns
    -------
    dict
        Name, physics, seed, numbers of groups, subhaloes and particles, particle masses [Msun], size on disk [GB],
        identity (a hash of parameters and code).

    Raises
    ------
    MockError
        When there is no complete universe in the folder.
    """
    facts = Tree(Path(folder)).read_marker()
    if facts is None or "m_dm" not in facts:
        raise MockError(f"{folder} has no complete universe of mocktng: write one with `mocktng write {folder}`.")
    return _table(facts)
