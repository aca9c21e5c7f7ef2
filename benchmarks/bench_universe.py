"""Time and disk of writing a universe: the stages of one block, and one process against two.

The stages are those of a block of the profile ``quick``, in one process. Then a quarter of its galaxies is written with
one worker and with two in turn, in the same run. On a machine that others use, the times of the processors tell more;
the ratio by them can exceed 2, since workers keep freed memory, see `mocktng.workers`. The times are the source of the
estimates in `mocktng.plan`.

Run with ``python benchmarks/bench_universe.py``.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import h5py
import psutil

from dmlib.settings import PROFILES
from mocktng.blocks import make_block, write_tree
from mocktng.catalogue import measure
from mocktng.layout import Tree
from mocktng.plan import Plan, make_plan
from mocktng.storage import complete
from mocktng.units import LENGTH, MASS

#: Of the galaxies of quick, in the comparison of one process and two.
SHARE = 0.25

NAMES = {0: "gas", 1: "dark matter", 4: "stars"}


def stages(plan: Plan, block: int) -> tuple[dict[str, float], int]:
    """Seconds of each stage of a block, files excepted, and its particles."""
    seconds: Counter[str] = Counter()
    total = 0
    for group_id in range(*plan.blocks[block]):
        row = plan.population.groups[group_id]
        centre, m200 = row["position"] / LENGTH, float(row["m200"]) / MASS
        begin = time.perf_counter()
        made = plan.make_group(plan.population, group_id)
        drawn = time.perf_counter()
        stored = {t: complete(t, fields, centre, group_id, m200) for t, fields in made.particles.items()}
        completed = time.perf_counter()
        measure(stored, made.lengths, centre, plan.m_dm_code, plan.softening)
        seconds["particles of the galaxies"] += drawn - begin
        seconds["rounding and placing"] += completed - drawn
        seconds["catalogue"] += time.perf_counter() - completed
        total += sum(len(fields["Coordinates"]) for fields in stored.values())
    return dict(seconds), total


def bytes_per_particle(paths) -> dict[int, float]:
    """Stored bytes of a particle of each type in some snapshot files."""
    stored: Counter[int] = Counter()
    number: Counter[int] = Counter()
    for path in paths:
        with h5py.File(path) as file:
            for part_type in NAMES:
                group = file.get(f"PartType{part_type}")
                if group is not None:
                    number[part_type] += len(group["ParticleIDs"])
                    stored[part_type] += sum(dataset.id.get_storage_size() for dataset in group.values())
    return {part_type: stored[part_type] / number[part_type] for part_type in number}


def processors(work: Callable[[], object]) -> list[float]:
    """Seconds of a processor that some work takes in this process, and in each of its children [s]."""
    seen: dict[int, float] = {}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            for child in psutil.Process().children():
                with suppress(psutil.Error):
                    seen[child.pid] = sum(child.cpu_times()[:2])

    watcher = threading.Thread(target=watch)
    watcher.start()
    before = time.process_time()
    work()
    own = time.process_time() - before
    ended.set()
    watcher.join()
    return [own, *seen.values()]


def plan_of(profile: str, share: float = 1.0) -> Plan:
    """The plan of a profile's universe, or of one with a share of its galaxies."""
    sizes = PROFILES[profile]
    masses = {"m_dm": sizes.m_dm, "m_baryon": sizes.m_baryon}
    n = round(share * sizes.n_galaxies)
    return make_plan(n_galaxies=n, seed=1, physics="fiducial", **masses, name=f"embedded-{profile}", snapshot=99)


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        plan = plan_of("quick")
        block = len(plan.blocks) // 2
        make_block(block, plan, Path(folder) / "warm")  # compiles, or reads what was compiled
        seconds, total = stages(plan, block)
        begin = time.perf_counter()
        make_block(block, plan, Path(folder) / "block")
        whole = time.perf_counter() - begin
        seconds["files"] = whole - sum(seconds.values())
        print(f"one block of quick: {total:,} particles, one process")
        for name, value in seconds.items():
            print(f"  {name:28s} {value:6.2f} s   {total / value / 1e3:8.0f} thousand particles a second")
        print(f"  {'all':28s} {whole:6.2f} s   {total / whole / 1e3:8.0f} thousand particles a second")
        files = [Tree(Path(folder) / "block").snapshot_chunk(j) for j in plan.files(block)]
        for part_type, size in bytes_per_particle(files).items():
            print(f"  {NAMES[part_type]:28s} {size:6.1f} bytes a particle")

        some, times, alone = plan_of("quick", SHARE), {}, {}
        print(f"{len(some.blocks)} such blocks and the assembly of the tree")
        for workers in (1, 2):
            begin = time.perf_counter()
            used = processors(partial(write_tree, f"{folder}/{workers}", some, workers))
            times[workers] = time.perf_counter() - begin
            alone[workers] = used[0] + max(
                used[1:], default=0.0
            )  # the workers' work, then the assembly in this process
            name = f"{workers} worker{'s' * (workers > 1)}"
            print(f"  {name:28s} {times[workers]:6.1f} s, {sum(used):6.1f} s of processors")
        print(f"  ratio {times[1] / times[2]:.2f}, the start of the processes included (wanted on two idle cores: 1.6)")
        print(f"  ratio {alone[1] / alone[2]:.2f} by the processors' times, if each process had a core to itself")
        for profile in ("smoke", "quick", "paper"):
            print(f"need of {profile:6s} with 2 workers: {plan_of(profile).need(2)}")


if __name__ == "__main__":
    main()
