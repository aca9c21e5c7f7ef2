"""The writer: the same arrays and attributes with any number of workers and after a kill."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_universe import toy_plan

import mocktng
from mocktng import MockError, blocks
from mocktng.blocks import make_block, write_tree
from mocktng.files import sha256
from mocktng.layout import Tree
from mocktng.plan import divide
from mocktng.storage import particle_ids, place_in_box, round_mantissa, round_metals
from mocktng.units import BOX_TNG100
from mocktng.writer import object_offsets


def _hashes(root: Path) -> dict[str, str]:
    """Checksum of what each file of a tree holds.

    Not of its bytes: equal arrays, compressed twice, now and then differ by a byte, and with them the checksums in the
    marker.
    """
    return {str(path.relative_to(root)): _hash(path) for path in sorted(root.rglob("*")) if path.is_file()}


def _hash(path: Path) -> str:
    if path.name == "complete.json":
        marker = json.loads(path.read_text())
        return json.dumps(marker | {"bytes": None, "files": sorted(marker["files"])})
    if path.suffix != ".hdf5":
        return sha256(path)
    found = hashlib.sha256()

    def add(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            values = item[()]
            found.update(f"{name} {item.dtype} {item.shape}".encode())
            found.update(str(values.tolist()).encode() if item.dtype == object else values.tobytes())
        found.update(str([(name, key, np.asarray(value).tolist()) for key, value in item.attrs.items()]).encode())

    with h5py.File(path) as handle:
        add("/", handle)
        handle.visititems(add)
    return found.hexdigest()


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Path:
    """A toy universe, written by one process."""
    folder = tmp_path_factory.mktemp("toy") / "universe"
    write_tree(folder, toy_plan(), workers=1)
    return folder


def test_two_workers_write_the_same_bytes(toy, tmp_path):
    folder = tmp_path / "universe"
    write_tree(folder, toy_plan(), workers=2)
    assert _hashes(folder) == _hashes(toy)


def test_a_killed_run_is_taken_up_and_ends_the_same(toy, tmp_path):
    folder = tmp_path / "universe"
    script = Path(__file__).with_name("toy_universe.py")
    environment = {**os.environ, "TOY_DELAY": "600"}
    process = subprocess.Popen([sys.executable, str(script), str(folder), "2"], env=environment)
    parts = tmp_path / ".universe-writing" / "blocks"
    for _ in range(3600):
        if len(list(parts.glob("block-*.npz"))) >= 2 or process.poll() is not None:
            break
        time.sleep(0.05)
    workers = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive, "workers outlive their killed parent"
    assert not folder.exists(), "an unfinished universe is not seen"
    finished = [int(path.stem.split("-")[1]) for path in parts.glob("block-*.npz")]
    assert len(finished) >= 2
    planned = toy_plan()
    staged = Tree(tmp_path / ".universe-writing")
    before = {j: staged.snapshot_chunk(j).stat().st_ino for block in finished for j in planned.files(block)}

    write_tree(folder, planned, workers=1)

    assert _hashes(folder) == _hashes(toy)
    after = Tree(folder)
    assert {j: after.snapshot_chunk(j).stat().st_ino for j in before} == before, "finished blocks are kept"


def test_a_damaged_block_is_written_again(toy, tmp_path):
    folder = tmp_path / "universe"
    planned = toy_plan()
    staging = tmp_path / ".universe-writing"
    make_block(0, planned, staging)
    staging.with_name(".universe-writing.identity").write_text(planned.identity)
    chunk = Tree(staging).snapshot_chunk(1)
    chunk.write_bytes(chunk.read_bytes()[:-100])
    write_tree(folder, planned, workers=1)
    assert _hashes(folder) == _hashes(toy)


def test_a_script_without_guard_is_told_so(tmp_path):
    script = tmp_path / "careless.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"from toy_universe import main; main({str(tmp_path / 'universe')!r}, 2)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=150)
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("put the statements of a script under 'if __name__ == \"__main__\":'.")


@pytest.mark.parametrize("damage", ["gone", "shorter", "changed"])
def test_a_damaged_tree_is_written_again(toy, tmp_path, damage):
    folder = tmp_path / "universe"
    write_tree(folder, toy_plan(), workers=1)
    chunk = Tree(folder).snapshot_chunk(2)
    content = chunk.read_bytes()
    if damage == "gone":
        chunk.unlink()
    else:
        chunk.write_bytes(content[:-1] if damage == "shorter" else content[:-1] + bytes([content[-1] ^ 1]))
    write_tree(folder, toy_plan(), workers=1)
    assert _hashes(folder) == _hashes(toy)


@pytest.mark.parametrize("moment", ["stamp_totals", "write_index", "Tree.write_marker", "shutil.rmtree", "os.rename"])
def test_an_interruption_while_the_tree_is_put_together_is_mended(toy, tmp_path, monkeypatch, moment):
    folder = tmp_path / "universe"

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"mocktng.blocks.{moment}", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_tree(folder, toy_plan(), workers=1)
    assert not folder.exists()
    write_tree(folder, toy_plan(), workers=1)
    assert _hashes(folder) == _hashes(toy)


def test_blocks_of_another_universe_are_not_used(toy, tmp_path):
    folder = tmp_path / "universe"
    make_block(0, toy_plan(2), tmp_path / ".universe-writing")
    (tmp_path / ".universe-writing.identity").write_text("another")
    write_tree(folder, toy_plan(), workers=1)
    assert _hashes(folder) == _hashes(toy)


def test_written_once_and_renewed_when_the_seed_changes(tmp_path):
    folder = tmp_path / "universe"
    write_tree(folder, toy_plan(), workers=1)
    inode = Tree(folder).snapshot_chunk(0).stat().st_ino
    write_tree(folder, toy_plan(), workers=1)
    assert Tree(folder).snapshot_chunk(0).stat().st_ino == inode
    write_tree(folder, toy_plan(2), workers=1)
    assert mocktng.describe(folder)["seed"] == 2
    with h5py.File(Tree(folder).snapshot_chunk(3)) as file:
        assert file["Header"].attrs["mocktng_seed"] == 2


def test_a_disk_that_is_too_small_is_refused_with_the_need(tmp_path, monkeypatch):
    folder = tmp_path / "universe"
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(blocks.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(MockError, match="free the disk"):
        write_tree(folder, toy_plan(), workers=1)
    assert not folder.exists()


def test_a_failing_group_is_named(tmp_path):
    from dataclasses import replace

    def broken(population, group_id):
        raise ValueError("no such galaxy")

    folder = tmp_path / "universe"
    with pytest.raises(ValueError, match="no such galaxy") as caught:
        write_tree(folder, replace(toy_plan(), make_group=broken), workers=1)
    assert "group 0 of toy" in caught.value.__notes__[0]


def test_folders_with_other_files_are_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("draft")
    with pytest.raises(MockError, match="other files"):
        write_tree(tmp_path, toy_plan(), workers=1)
    assert (tmp_path / "thesis.tex").exists()


def test_progress_counts_the_blocks(tmp_path):
    seen = []
    write_tree(tmp_path / "universe", toy_plan(), 1, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, toy_plan().n_tasks) for i in range(toy_plan().n_tasks + 1)]


def test_need_is_stated_before_anything_is_written():
    table = mocktng.estimate(n_galaxies=2000, m_dm=7.46e6, m_baryon=1.39e6)
    assert "GB of disk" in table["need"]
    assert table["dark-matter particles"] > 3e8


@pytest.mark.parametrize(
    "wrong",
    [{"physics": "new"}, {"n_galaxies": 0}, {"m_dm": -1.0}, {"n_galaxies": 2.5}, {"seed": -1}, {"snapshot": 1000}],
)
def test_parameters_out_of_range(tmp_path, wrong):
    with pytest.raises(MockError):
        mocktng.write(tmp_path / "universe", **wrong)


def test_the_identity_depends_on_code_but_not_on_docstrings(tmp_path):
    """A copy of the package with an edited docstring, then with an edited formula."""
    source = Path(mocktng.__file__).parent
    command = "import mocktng; print(mocktng.estimate()['identity'])"

    def identity() -> str:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        return subprocess.check_output([sys.executable, "-c", command], env=environment, text=True)

    shutil.copytree(source, tmp_path / "mocktng", ignore=shutil.ignore_patterns("__pycache__"))
    module = tmp_path / "mocktng" / "relations.py"
    text, before = module.read_text(), identity()
    module.write_text(text.replace("Published scaling relations", "Relations"))
    assert identity() == before
    module.write_text(text.replace('"hi_mass": 0.3', '"hi_mass": 0.31'))
    assert identity() != before


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=60))
def test_blocks_cover_all_groups_once(sizes):
    parts = divide(np.array(sizes))
    assert parts[0][0] == 0 and parts[-1][1] == len(sizes)
    assert all(a < b for a, b in parts)
    assert all(before[1] == after[0] for before, after in pairwise(parts))


def test_offsets_restart_at_each_group():
    groups = {"GroupLenType": np.full((3, 6), 10), "GroupNsubs": np.array([2, 0, 1])}
    subhalos = {"SubhaloLenType": np.array([[4] * 6, [3] * 6, [7] * 6]), "SubhaloGrNr": np.array([0, 0, 2])}
    group, subhalo = object_offsets(groups, subhalos)
    assert group[:, 1].tolist() == [0, 10, 20]
    assert subhalo[:, 1].tolist() == [0, 4, 20]


@given(st.floats(1e-30, 1e30), st.integers(1, 22))
def test_mantissa_rounding_is_within_half_a_bit(value, bits):
    value = np.float32(value)
    assert abs(round_mantissa(np.array([value]), bits)[0] - value) <= value * 2.0 ** -(bits + 1) * 1.0001


def test_rounding_keeps_signs_and_zeros():
    values = np.array([0.0, -0.5, 1e37, -3.7], np.float32)
    rounded = round_mantissa(values, 7)
    assert rounded[0] == 0 and np.all(np.sign(rounded) == np.sign(values)) and np.all(np.isfinite(rounded))


def test_metals_sum_to_one_exactly():
    metals = np.random.default_rng(3).dirichlet(np.ones(10), 1000)
    rounded = round_metals(metals, 2.0**-22)
    assert np.all(rounded.sum(axis=1, dtype=np.float64) == 1.0)
    assert np.abs(rounded - metals).max() < 10 * 2.0**-22


@given(st.floats(-500, BOX_TNG100 + 500))
def test_positions_stay_in_the_box(x):
    placed = place_in_box(np.array([[x, x, x]]), np.zeros(3), 2.0**-10)
    assert np.all((placed >= 0) & (placed < BOX_TNG100))
    assert np.abs(np.sin(np.pi * (placed - x) / BOX_TNG100)).max() < 1e-6


def test_ids_are_unique_positive_and_exact_in_doubles():
    ids = np.concatenate([particle_ids(g, t, 5) for g in (0, 1, 4_000_000) for t in (0, 1, 4, 5)])
    assert len(set(ids.tolist())) == len(ids)
    assert ids.min() > 0 and ids.max() < 2**53
    with pytest.raises(ValueError, match="does not fit"):
        particle_ids(1 << 22, 1, 5)
