"""From the selection to the data set through the web API: the same bits as from files, whatever the server does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from dmlib.pipeline.steps import ensure
from dmlib.settings import Settings
from mocktng import FAULTS, FaultInjection, TngServer
from tng_server import KEY, arrays_of, environment

N_GALAXIES = 3


@pytest.fixture(scope="module")
def output(smoke_universe):
    return smoke_universe.universe_dir / "output"


@pytest.fixture(scope="module")
def from_files(output, tmp_path_factory):
    """The data set made from the tree on disk."""
    settings = Settings(
        universe="files",
        profile="smoke",
        simulation="embedded-smoke",
        sample=N_GALAXIES,
        base_path=str(output),
        build_root=str(tmp_path_factory.mktemp("files")),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DMLIB_WORKERS", "1")
        ensure(settings, "dataset")
    return settings


def through_api(server, folder, monkeypatch) -> Settings:
    """The same data set through a server."""
    for name, value in environment(server, folder).items():
        monkeypatch.setenv(name, value)
    return Settings(
        universe="api",
        profile="smoke",
        simulation="embedded-smoke",
        sample=N_GALAXIES,
        build_root=str(folder / "build"),
    )


def test_the_data_set_is_the_same_bit_for_bit(output, from_files, tmp_path, monkeypatch):
    with TngServer(output, key=KEY) as server:
        settings = through_api(server, tmp_path, monkeypatch)
        ensure(settings, "dataset")
        asked = len(server.requests)
        different = sorted(set(server.requests))
        assert asked == len(different), sorted(server.requests)
        assert arrays_of(settings.targets_path) == arrays_of(from_files.targets_path)
        found, expected = arrays_of(settings.dataset_path), arrays_of(from_files.dataset_path)
        assert found == expected and found["images"][0][0] == 3 * N_GALAXIES
        # One request a catalogue column, one a group, and a few small ones: none a galaxy and a field.
        cutouts = [path for path in different if "/halos/" in path]
        assert len(cutouts) == N_GALAXIES and "&gas=" in cutouts[0] and "&stars=" in cutouts[0]
        assert len(different) < 25, different
        # What is here is not asked for again, and a data set can be made anew with no network at all.
        settings.dataset_path.unlink()
        ensure(settings, "dataset")
        assert len(server.requests) == asked
    settings.dataset_path.unlink()
    ensure(settings, "dataset")
    assert arrays_of(settings.dataset_path) == expected


def test_a_server_that_fails_one_request_in_five(output, from_files, tmp_path, monkeypatch):
    faults = FaultInjection(5, tuple(kind for kind in FAULTS if kind != "slow"))
    with TngServer(output, key=KEY, faults=faults) as server:
        settings = through_api(server, tmp_path, monkeypatch)
        ensure(settings, "dataset")
        assert faults.done >= 4
    assert arrays_of(settings.dataset_path) == arrays_of(from_files.dataset_path)


def test_killed_in_the_middle(output, from_files, tmp_path, monkeypatch):
    faults = FaultInjection(1, ("slow",), delay=0.15)
    with TngServer(output, key=KEY, faults=faults) as server:
        settings = through_api(server, tmp_path, monkeypatch)
        monkeypatch.setenv("DMLIB_TNG_CONNECTIONS", "1")
        command = [sys.executable, "-m", "dmlib", "run", "--universe", "api", "--simulation", "embedded-smoke"]
        command += ["--profile", "smoke", "--sample", str(N_GALAXIES), "--only", "dataset"]
        process = subprocess.Popen(
            command, env=os.environ | {"DMLIB_BUILD": settings.build_root}, stderr=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 60
        while sum("/halos/" in path for path in server.requests) < 2 and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for child in psutil.Process(process.pid).children(recursive=True):
            child.send_signal(signal.SIGKILL)
        process.kill()
        assert process.wait() == -signal.SIGKILL and not settings.dataset_path.exists()
        before = len(server.requests)
        faults.every = 0
        ensure(settings, "dataset")
        again = server.requests[before:]
    # The column that came last, and the group that was under way, may be asked for twice; nothing else.
    assert sum(path in server.requests[:before] for path in again if "groupcat" in path or "halos" in path) <= 1
    assert arrays_of(settings.dataset_path) == arrays_of(from_files.dataset_path)
