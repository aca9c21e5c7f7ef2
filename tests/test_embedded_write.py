"""The writer: the same bytes with any number of workers and after a kill; all at once and block by block."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import h5py
import illustris_python as il
import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_universe import toy_plan

from dmlib.errors import UniverseError
from dmlib.files import sha256
from dmlib.settings import PROFILES, Settings
from dmlib.units import BOX_TNG100
from dmlib.universe.embedded import blocks, chunkwise, iterate
from dmlib.universe.embedded.blocks import make_block, write_tree
from dmlib.universe.embedded.chunkwise import iterate_tree
from dmlib.universe.embedded.layout import Tree
from dmlib.universe.embedded.marker import read_marker
from dmlib.universe.embedded.particles import particle_ids, place_in_box, round_mantissa, round_metals
from dmlib.universe.embedded.plan import divide
from dmlib.universe.embedded.writer import object_offsets
from dmlib.universe.files import FilesUniverse


def _settings(folder: Path) -> Settings:
    return Settings(profile="smoke", build_root=str(folder))


def _hashes(settings: Settings) -> dict[str, str]:
    root = settings.universe_dir
    return {str(path.relative_to(root)): sha256(path) for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Settings:
    """A toy universe, written by one process."""
    settings = _settings(tmp_path_factory.mktemp("toy"))
    write_tree(settings, toy_plan(settings), workers=1)
    return settings


def test_two_workers_write_the_same_bytes(toy, tmp_path):
    settings = _settings(tmp_path)
    write_tree(settings, toy_plan(settings), workers=2)
    assert _hashes(settings) == _hashes(toy)


def test_a_killed_run_is_taken_up_and_ends_the_same(toy, tmp_path):
    settings = _settings(tmp_path)
    script = Path(__file__).with_name("toy_universe.py")
    environment = {**os.environ, "TOY_DELAY": "600"}
    process = subprocess.Popen([sys.executable, str(script), str(tmp_path), "2"], env=environment)
    parts = settings.build / ".universe-writing" / "blocks"
    for _ in range(3600):
        if len(list(parts.glob("block-*.npz"))) >= 2 or process.poll() is not None:
            break
        time.sleep(0.05)
    workers = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive, "workers outlive their killed parent"
    assert not settings.universe_dir.exists(), "an unfinished universe is not seen"
    finished = [int(path.stem.split("-")[1]) for path in parts.glob("block-*.npz")]
    assert len(finished) >= 2
    planned = toy_plan(settings)
    staged = Tree(settings.build / ".universe-writing")
    before = {j: staged.snapshot_chunk(j).stat().st_ino for block in finished for j in planned.files(block)}

    write_tree(settings, planned, workers=1)

    assert _hashes(settings) == _hashes(toy)
    after = Tree(settings.universe_dir)
    assert {j: after.snapshot_chunk(j).stat().st_ino for j in before} == before, "finished blocks are kept"


def test_a_damaged_block_is_written_again(toy, tmp_path):
    settings = _settings(tmp_path)
    planned = toy_plan(settings)
    staging = settings.build / ".universe-writing"
    make_block(planned, 0, staging)
    staging.with_name(".universe-writing.identity").write_text(planned.identity)
    chunk = Tree(staging).snapshot_chunk(1)
    chunk.write_bytes(chunk.read_bytes()[:-100])
    write_tree(settings, planned, workers=1)
    assert _hashes(settings) == _hashes(toy)


def test_a_script_without_guard_is_told_so(tmp_path):
    script = tmp_path / "careless.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"from toy_universe import main; main({str(tmp_path)!r}, 2)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=150)
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("put what a script does under 'if __name__ == \"__main__\":'.")


@pytest.mark.parametrize("damage", ["gone", "shorter", "changed"])
def test_a_damaged_tree_is_written_again(toy, tmp_path, damage):
    settings = _settings(tmp_path)
    write_tree(settings, toy_plan(settings), workers=1)
    chunk = Tree(settings.universe_dir).snapshot_chunk(2)
    content = chunk.read_bytes()
    if damage == "gone":
        chunk.unlink()
    else:
        chunk.write_bytes(content[:-1] if damage == "shorter" else content[:-1] + bytes([content[-1] ^ 1]))
    write_tree(settings, toy_plan(settings), workers=1, thorough=True)
    assert _hashes(settings) == _hashes(toy)


@pytest.mark.parametrize("moment", ["stamp_totals", "write_index", "write_marker", "shutil.rmtree", "os.rename"])
def test_an_interruption_while_the_tree_is_put_together_is_mended(toy, tmp_path, monkeypatch, moment):
    settings = _settings(tmp_path)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"dmlib.universe.embedded.blocks.{moment}", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_tree(settings, toy_plan(settings), workers=1)
    assert not settings.universe_dir.exists()
    write_tree(settings, toy_plan(settings), workers=1)
    assert _hashes(settings) == _hashes(toy)


def test_blocks_of_another_universe_are_not_used(toy, tmp_path):
    settings = _settings(tmp_path)
    make_block(toy_plan(settings, seed=2), 0, settings.build / ".universe-writing")
    (settings.build / ".universe-writing.identity").write_text("another")
    write_tree(settings, toy_plan(settings), workers=1)
    assert _hashes(settings) == _hashes(toy)


def test_written_once_and_renewed_when_the_seed_changes(tmp_path):
    settings = _settings(tmp_path)
    write_tree(settings, toy_plan(settings), workers=1)
    inode = Tree(settings.universe_dir).snapshot_chunk(0).stat().st_ino
    write_tree(settings, toy_plan(settings), workers=1)
    assert Tree(settings.universe_dir).snapshot_chunk(0).stat().st_ino == inode
    write_tree(settings, toy_plan(settings, seed=2), workers=1)
    assert read_marker(settings)["seed"] == 2
    with h5py.File(Tree(settings.universe_dir).snapshot_chunk(3)) as file:
        assert file["Header"].attrs["dmlib_seed"] == 2


def test_a_disk_that_is_too_small_is_refused_with_the_need(tmp_path, monkeypatch):
    settings = _settings(tmp_path)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(blocks.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(UniverseError, match=r"needs .* GB: free the disk.*chunk by chunk"):
        write_tree(settings, toy_plan(settings), workers=1)
    assert not settings.universe_dir.exists()


def test_a_failing_group_is_named(tmp_path):
    from dataclasses import replace

    def broken(population, group_id):
        raise ValueError("no such galaxy")

    settings = _settings(tmp_path)
    with pytest.raises(ValueError, match="no such galaxy") as caught:
        write_tree(settings, replace(toy_plan(settings), realise=broken), workers=1)
    assert "group 0 of embedded-smoke" in caught.value.__notes__[0]


def _read(base: Path, subhalo_id: int, part_type: int) -> dict:
    return il.snapshot.loadSubhalo(str(base), 99, subhalo_id, part_type)


def test_block_by_block_reads_as_the_whole(toy, tmp_path):
    settings = _settings(tmp_path)
    seen, stub = [], Tree(settings.universe_dir).snapshot_chunk(0)
    for view in iterate_tree(settings, toy_plan(settings), workers=1):
        assert {path.name for path in stub.parent.glob("*.hdf5")} == {path.name for path in view.files} | {stub.name}
        for subhalo_id in view.subhalo_ids:
            for part_type in (0, 1, 4, 5):
                whole = _read(toy.universe_dir / "output", subhalo_id, part_type)
                here = _read(view.base_path, subhalo_id, part_type)
                assert whole.keys() == here.keys()
                for name in whole:
                    np.testing.assert_array_equal(here[name], whole[name])
        for group_id in view.group_ids:
            whole = il.snapshot.loadHalo(str(toy.universe_dir / "output"), 99, group_id, "dm", ["ParticleIDs"])
            np.testing.assert_array_equal(
                il.snapshot.loadHalo(str(view.base_path), 99, group_id, "dm", ["ParticleIDs"]), whole
            )
        elsewhere = 15 if 15 not in view.subhalo_ids else 0
        with pytest.raises((OSError, KeyError, ValueError)):
            _read(view.base_path, elsewhere, 1)
        seen.extend(view.subhalo_ids)
    assert seen == list(range(16))
    assert [path.name for path in stub.parent.glob("*.hdf5")] == [stub.name]
    whole, chunked = _hashes(toy), _hashes(settings)
    for name in chunked:
        if "groups_099" in name or "offsets" in name or name == "simulation.hdf5":
            assert chunked[name] == whole[name], name


def test_block_by_block_on_real_galaxies(smoke_universe, tmp_path):
    settings = _settings(tmp_path)
    whole = FilesUniverse(smoke_universe.universe_dir / "output", "embedded-smoke")
    wanted = [0, whole.header.n_subhalos // 2]
    for view in iterate(settings, subhalo_ids=wanted):
        here = FilesUniverse(view.base_path, "embedded-smoke")
        assert here.header == whole.header
        for subhalo_id in set(wanted) & set(view.subhalo_ids.tolist()):
            for scope, object_id in (("subhalo", subhalo_id), ("group", view.group_ids[0])):
                for part_type in ("gas", "dm", "stars"):
                    fields = ["Coordinates", "Masses", "Velocities"]
                    expected = whole.particles(object_id, part_type, fields, scope)
                    for name, values in here.particles(object_id, part_type, fields, scope).items():
                        np.testing.assert_array_equal(values, expected[name])
            wanted.remove(subhalo_id)
    assert wanted == []


def test_block_by_block_takes_only_what_is_wanted(toy, tmp_path):
    settings = _settings(tmp_path)
    views = list(iterate_tree(settings, toy_plan(settings), subhalo_ids=[15], workers=1))
    assert len(views) == 1
    assert 15 in views[0].subhalo_ids


def test_block_by_block_on_a_whole_tree_leaves_it_alone(toy):
    before = _hashes(toy)
    ids = [i for view in iterate_tree(toy, toy_plan(toy), workers=1) for i in view.subhalo_ids]
    assert ids == list(range(16))
    assert _hashes(toy) == before


def test_the_whole_tree_replaces_a_chunkwise_one(toy, tmp_path):
    settings = _settings(tmp_path)
    next(iter(iterate_tree(settings, toy_plan(settings), workers=1)))
    write_tree(settings, toy_plan(settings), workers=1)
    assert _hashes(settings) == _hashes(toy)


def test_need_is_stated_for_every_profile():
    for name in PROFILES:
        table = chunkwise.describe_plan(Settings(profile=name, build_root="/nonexistent"))
        assert table["state"] == "not written"
        assert "GB of disk" in table["need"]
    assert table["dark-matter particles"] > 3e8


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
