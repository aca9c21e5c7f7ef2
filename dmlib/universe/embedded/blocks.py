"""Writing the embedded universe block by block: in parallel, resumable, and all at once or one block at a time.

A block is a run of groups in catalogue order. Its content depends on the seed and its groups only, so that neither the
number of workers nor an interruption changes a byte. Blocks are written into a folder beside the universe's; when all
are there, the catalogue, the offsets and the totals are put together and the folder is renamed in one step.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import h5py
import numpy as np
from filelock import FileLock

from ...errors import UniverseError
from ...files import atomic_path, write_text
from ...progress import bar
from ...settings import Settings
from ...units import CodeUnits
from ...workers import end_with_parent, worker_environment
from .catalogue import measure
from .layout import GROUP_FIELDS, N_TYPES, SUBHALO_FIELDS, Tree, empty_rows
from .marker import is_current, write_marker
from .particles import complete, outer_fuzz
from .plan import SPLIT, Plan, workers_here
from .writer import (
    object_offsets,
    stamp_totals,
    write_catalogue,
    write_index,
    write_offsets,
    write_snapshot_chunk,
    write_snapshot_stub,
)

_GUARD = "'if __name__ == \"__main__\":'"
_WRITING = "DMLIB_WRITING"  # environment variable of workers: what they write
_LARGE = 5e9  # bytes: a universe that is announced before it is written
_WORTH_WORKERS = 8.0  # seconds in one process


# -- one block ---------------------------------------------------------------------------------------------------------


def _part_path(root: Path, block: int) -> Path:
    return root / "blocks" / f"block-{block:04d}.npz"


def _collect(plan: Plan, block: int, catalogue: bool):
    """Particles of a block by type and data set, in snapshot order, and its catalogue rows."""
    columns: dict[int, dict[str, list[np.ndarray]]] = {}
    groups, subhalos = [empty_rows(GROUP_FIELDS, 0)], [empty_rows(SUBHALO_FIELDS, 0)]
    if block == len(plan.blocks):
        return outer_fuzz(plan.population), groups, subhalos
    scale = CodeUnits()
    for group_id in range(*plan.blocks[block]):
        row = plan.population.groups[group_id]
        centre = row["position"] / scale.length
        try:
            made = plan.realise(plan.population, group_id)
        except Exception as error:
            error.add_note(f"while making group {group_id} of {plan.name}, seed {plan.population.seed}")
            raise
        stored = {
            part_type: complete(part_type, fields, centre, group_id, float(row["m200"]) / scale.mass)
            for part_type, fields in made.particles.items()
            if len(fields["Coordinates"])
        }
        if catalogue:
            group, members = measure(stored, np.asarray(made.lengths), centre, plan.m_dm_code, plan.softening)
            groups.append(group)
            subhalos.append(members)
        for part_type, fields in stored.items():
            target = columns.setdefault(part_type, {})
            for name, values in fields.items():
                target.setdefault(name, []).append(values)
    particles = {}
    for part_type, fields in columns.items():
        particles[part_type] = {}
        for name in list(fields):
            parts = fields.pop(name)
            particles[part_type][name] = np.concatenate(parts) if len(parts) > 1 else parts[0]
    return particles, groups, subhalos


def _split(plan: Plan, block: int, particles: dict) -> list[dict]:
    """The particles of each file of a block. Files part haloes; every other block's second file has no black hole."""
    if len(plan.files(block)) == 1:
        return [particles]
    files: list[dict] = [{}, {}]
    for part_type, fields in particles.items():
        n = len(fields["Coordinates"])
        fraction = SPLIT[part_type] if part_type != 5 or block % 2 else 0.5
        cut = round(fraction * n)
        for file, rows in zip(files, (slice(None, cut), slice(cut, None)), strict=True):
            file[part_type] = {name: values[rows] for name, values in fields.items()}
    return files


def make_block(plan: Plan, block: int, root: Path, particles: bool = True, catalogue: bool = True) -> None:
    """Make one block: its snapshot files, its part of the catalogue, or both.

    Parameters
    ----------
    plan : Plan
    block : int
        ``len(plan.blocks)`` is the outer fuzz.
    root : Path
        The simulation's folder.
    particles, catalogue : bool
        What to write. The catalogue part is written last and says that the block is finished.
    """
    tree = Tree(root, plan.snapshot)
    made, groups, subhalos = _collect(plan, block, catalogue)
    files = _split(plan, block, made)
    counts = [[len(file[t]["Coordinates"]) if t in file else 0 for t in range(N_TYPES)] for file in files]
    sizes = [0 for _ in files]
    if particles:
        for i, (j, content) in enumerate(zip(plan.files(block), files, strict=True)):
            path = tree.snapshot_chunk(j)
            write_snapshot_chunk(path, content, plan.n_files, plan.m_dm_code, plan.attributes, plan.parameters)
            sizes[i] = path.stat().st_size
    if catalogue:
        part = {"file_counts": np.array(counts, dtype=np.int64), "file_sizes": np.array(sizes, dtype=np.int64)}
        for rows in (groups, subhalos):
            part |= {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
        with atomic_path(_part_path(root, block)) as temporary:
            np.savez(temporary, **part)


def _is_finished(plan: Plan, block: int, root: Path, particles: bool) -> bool:
    """Whether a block of an earlier run is whole: its part is there, and its files open and hold what it says."""
    path = _part_path(root, block)
    if not path.is_file():
        return False
    with np.load(path) as part:
        counts, sizes = part["file_counts"], part["file_sizes"]
    if not particles:
        return True
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

_worker_plan: Plan | None = None


def _start_worker(plan: Plan) -> None:
    global _worker_plan
    _worker_plan = plan
    end_with_parent()


def _work(block: int, root: Path, particles: bool) -> int:
    make_block(_worker_plan, block, root, particles)
    return block


def _make_blocks(plan: Plan, root: Path, particles: bool, workers: int) -> None:
    todo = [block for block in range(plan.n_tasks) if not _is_finished(plan, block, root, particles)]
    with bar(total=plan.n_tasks, label=f"universe {plan.name}", unit="block") as progress:
        progress.update(plan.n_tasks - len(todo))
        if workers == 1 or len(todo) < 2:
            for block in todo:
                make_block(plan, block, root, particles)
                progress.update()
            return
        context = multiprocessing.get_context("spawn")
        try:
            with (
                worker_environment(**{_WRITING: str(root)}),
                ProcessPoolExecutor(
                    min(workers, len(todo)), mp_context=context, initializer=_start_worker, initargs=(plan,)
                ) as pool,
            ):
                futures = [pool.submit(_work, block, root, particles) for block in todo]
                try:
                    for future in as_completed(futures):
                        future.result()
                        progress.update()
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
        except BrokenProcessPool as error:
            raise UniverseError(
                f"a worker that wrote {root.name} was stopped: where memory is short set DMLIB_WORKERS=1 (finished "
                f"blocks are kept), and put what a script does under {_GUARD}."
            ) from error


def _assemble(plan: Plan, root: Path, particles: bool) -> None:
    """Catalogue, offsets, totals, index and marker of a tree whose blocks are all there."""
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
    for j in range(plan.n_files if particles else 0):
        stamp_totals(tree.snapshot_chunk(j), totals)
    if not particles:
        write_stub(plan, tree, totals)
    first_group, first_subhalo = write_catalogue(tree, groups, subhalos, plan.attributes, plan.parameters)
    file_offsets = {
        "Group": first_group,
        "Subhalo": first_subhalo,
        "SnapByType": np.cumsum(chunk_counts, axis=0) - chunk_counts,
    }
    write_offsets(tree, file_offsets, *object_offsets(groups, subhalos))
    write_index(tree, chunk_counts, len(first_group), plan.attributes)
    summary = {
        "groups": len(n_subs),
        "subhalos": len(subhalos["SubhaloLen"]),
        "particles": {str(t): int(totals[t]) for t in range(N_TYPES) if totals[t]},
        "snapshot_files": plan.n_files,
    }
    write_marker(plan, tree, summary, particles)


def write_stub(plan: Plan, tree: Tree, totals: np.ndarray) -> None:
    """Snapshot file 0 without particles, see `write_snapshot_stub`."""
    write_snapshot_stub(tree.snapshot_chunk(0), totals, plan.n_files, plan.m_dm_code, plan.attributes, plan.parameters)


def staging_folder(settings: Settings, particles: bool) -> Path:
    """Where a tree is written before it is moved to its place."""
    target = settings.universe_dir
    return target.with_name(f".{target.name}-{'writing' if particles else 'catalogue'}")


def produce(settings: Settings, plan: Plan, particles: bool, workers: int) -> None:
    """Write a tree into a folder beside its place, and move it there when it is complete.

    May be killed at any point: the next call goes on with what is finished, if it belongs to the same plan.
    """
    target, staging = settings.universe_dir, staging_folder(settings, particles)
    if os.environ.get(_WRITING) == str(staging):
        # A worker imports the script that started it, and would wait here for its own parent for ever.
        raise UniverseError(f"{staging.name} is being written: put what a script does under {_GUARD}.")
    stamp = staging.with_name(f"{staging.name}.identity")
    staging.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{staging}.lock"):
        if is_current(settings, plan, particles, thorough=True):
            return
        if staging.exists() and not (stamp.is_file() and stamp.read_text(encoding="utf-8") == plan.identity):
            shutil.rmtree(staging)
        write_text(stamp, plan.identity)
        if not Tree(staging).marker.is_file():
            _make_blocks(plan, staging, particles, workers)
            _assemble(plan, staging, particles)
        shutil.rmtree(staging / "blocks", ignore_errors=True)
        if target.exists():
            shutil.rmtree(target)
        os.rename(staging, target)
        stamp.unlink()


def write_tree(settings: Settings, plan: Plan, workers: int | None = None, thorough: bool = False) -> None:
    """Write the whole universe of a plan; see `dmlib.universe.embedded.write`."""
    if is_current(settings, plan, particles=True, thorough=thorough):
        return
    if workers is None:
        # Starting processes takes some seconds: a small universe is written sooner without them.
        workers = workers_here() if plan.need(1).seconds > _WORTH_WORKERS else 1
    settings.build.mkdir(parents=True, exist_ok=True)
    _check_disk(settings, plan, workers)
    produce(settings, plan, True, workers)


def _check_disk(settings: Settings, plan: Plan, workers: int) -> None:
    """State the need of a large universe, and refuse one that does not fit."""
    need, free = plan.need(workers), shutil.disk_usage(settings.build).free
    if need.disk > _LARGE:
        print(f"{plan.name} needs {need}; {free / 1e9:.1f} GB of disk are free.", file=sys.stderr, flush=True)
    staged = staging_folder(settings, True).rglob("*.hdf5")
    if need.disk - sum(path.stat().st_size for path in staged) > 0.95 * free:
        raise UniverseError(
            f"{settings.build} has {free / 1e9:.1f} GB free and {plan.name} needs {need.disk / 1e9:.1f} GB: free the "
            f"disk, set DMLIB_BUILD to a larger one, or take it chunk by chunk ({need.disk_block / 1e9:.1f} GB at a "
            "time) with dmlib.universe.embedded.iterate."
        )
