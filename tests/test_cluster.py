"""A scheduler of dask and two workers, processes of their own that talk over TCP; one is killed in the middle.

Whatever the stage, the work that it had begun is done by the other, and the product is that of one machine to the bit.
"""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
from astropy.table import QTable

from dataset_tree import content, copy_tree, few_galaxies
from dmlib import embedded, targets
from dmlib.dataset.build import build
from dmlib.networks import train
from dmlib.networks.plan import Entry, Schedule
from dmlib.rotation import benchmark, population
from dmlib.rotation.fit import Importance
from dmlib.rotation.priors import known
from dmlib.rotation.sparc import CurveSample
from dmlib.rotation.sparc_analysis import fit_curves
from dmlib.settings import Settings
from mock_curves import mock_curve, mock_galaxy
from network_toys import write_dataset

distributed = pytest.importorskip("distributed")

#: Of the data set; the rotation curves of their test and validation galaxies are fitted.
N_GALAXIES = 12


def wait_for(condition, seconds: float = 120.0) -> None:
    """Wait until a condition holds; a slow machine gets its time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


class Cluster:
    """A scheduler and two workers, of which `losing` kills one while it works."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "scheduler.json"
        self.scheduler = self.start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self.workers: dict[str, subprocess.Popen] = {}
        wait_for(lambda: self.file.is_file() and self.file.stat().st_size)
        self.address = json.loads(self.file.read_text())["address"]
        self.client = distributed.Client(self.address, set_as_default=False)
        for name in ("1", "2"):
            self.add_worker(name)

    def start(self, what: str, *arguments: str) -> subprocess.Popen:
        """Begin a process of dask."""
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments, "--scheduler-file", str(self.file)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def add_worker(self, name: str) -> None:
        """Start a worker, and wait until the scheduler knows it."""
        self.workers[name] = self.start("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", name)
        wait_for(lambda: name in self.addresses())

    def addresses(self) -> dict[str, str]:
        """Address of each worker by its name."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"]
        return {str(row["name"]): address for address, row in workers.items()}

    @contextmanager
    def losing(self, patch: pytest.MonkeyPatch, *, after: int = 1, in_child: bool = False) -> Iterator[None]:
        """Let a stage use the cluster, and kill a worker that has begun an item, once so many are done.

        Where the worker has the item done by a child, it is killed once that one has worked for two seconds.
        """
        name, lost = next(iter(self.workers.items()))
        address, process, killed = self.addresses()[name], psutil.Process(lost.pid), threading.Event()

        def kill() -> None:
            while not killed.is_set():
                done = sum(map(len, self.client.has_what().values()))
                deep = not in_child or any(child.cpu_times().user > 2 for child in process.children())
                if done >= after and deep and self.client.processing().get(address):
                    lost.send_signal(signal.SIGSTOP)  # what it has begun it cannot end any more
                    time.sleep(0.2)  # and what it had sent has arrived
                    if self.client.processing().get(address):
                        lost.kill()
                        lost.wait()
                        killed.set()
                    else:
                        lost.send_signal(signal.SIGCONT)
                time.sleep(0.01)

        patch.setenv("DMLIB_SCHEDULER", self.address)
        threading.Thread(target=kill, daemon=True).start()
        yield
        assert killed.is_set(), "all was done before a worker could be lost"
        del self.workers[name]
        self.add_worker(str(int(max(self.workers)) + 1))

    def close(self) -> None:
        """End all processes."""
        self.client.close()
        for process in (*self.workers.values(), self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def here(smoke_universe, tmp_path_factory) -> Settings:
    """A few galaxies with the products that this machine makes of them."""
    settings = copy_tree(smoke_universe, tmp_path_factory.mktemp("here"))
    few_galaxies(settings, N_GALAXIES)
    targets.build(settings)
    build(settings)
    return settings


@pytest.fixture
def there(here, tmp_path) -> Settings:
    """The same galaxies for the cluster, without products."""
    settings = copy_tree(here, tmp_path)
    settings.sample_path.write_bytes(here.sample_path.read_bytes())
    return settings


def give(here: Settings, there: Settings, *names: str) -> None:
    """Copy products."""
    for name in names:
        getattr(there, name).write_bytes(getattr(here, name).read_bytes())


def test_universe(cluster, smoke_universe, tmp_path, monkeypatch):
    settings = Settings(profile="smoke", build_root=str(tmp_path))
    with cluster.losing(monkeypatch):
        embedded.build(settings)
    folders = (settings.universe_dir, smoke_universe.universe_dir)
    made, expected = ({path.relative_to(folder) for path in folder.rglob("*") if path.is_file()} for folder in folders)
    assert made == expected and len(made) > 5
    # Arrays and attributes to the bit: equal arrays, compressed twice, now and then differ by a byte in the file.
    for path in sorted(path for path in made if path.suffix == ".hdf5"):
        assert content(folders[0] / path) == content(folders[1] / path), path
    one, other = (json.loads((folder / "complete.json").read_text()) for folder in folders)
    assert all(found.pop("bytes") for found in (one, other)) and one.pop("files").keys() == other.pop("files").keys()
    assert one == other


def test_targets(cluster, here, there, monkeypatch):
    monkeypatch.setattr(targets, "_BLOCK", 1)
    with cluster.losing(monkeypatch):
        targets.build(there)
    assert content(there.targets_path) == content(here.targets_path)


def test_data_set(cluster, here, there, monkeypatch):
    give(here, there, "targets_path")
    with cluster.losing(monkeypatch):
        build(there, block_size=1)
    assert content(there.dataset_path) == content(here.dataset_path)


def test_rotation_fits(cluster, here, there, monkeypatch):
    monkeypatch.setattr(population, "FEWEST", 3)
    monkeypatch.setattr(benchmark, "ENOUGH_VIEWS", 1)  # one view of each galaxy for validation
    benchmark.build(here)
    give(here, there, "targets_path", "dataset_path")
    with cluster.losing(monkeypatch):
        benchmark.build(there)
    made, expected = (
        {name: value for name, value in content(one.benchmark_path).items() if not name.endswith("seconds")}
        for one in (there, here)
    )
    assert made == expected


def test_sparc(cluster, tmp_path, monkeypatch):
    """The fits of its chapter, to curves with known haloes."""
    rng, priors, short = np.random.default_rng(4), known(), Importance(first=1000, each=400, rounds=3, last=500)
    models = tuple(mock_curve(mock_galaxy(), "nfw", priors, rng)[0] for _ in range(6))
    few = CurveSample(models, (priors,) * 6, QTable(), None, "mock curves")
    fit_curves(few, tmp_path / "here.npz", sampling=short)
    with cluster.losing(monkeypatch):
        fit_curves(few, tmp_path / "there.npz", sampling=short)
    with np.load(tmp_path / "here.npz") as expected, np.load(tmp_path / "there.npz") as made:
        assert made.files == expected.files
        for name in made.files:
            if not name.endswith("seconds"):  # of the processor
                np.testing.assert_array_equal(made[name], expected[name], err_msg=name)


def weights(settings: Settings) -> dict[str, np.ndarray]:
    """Weights of all networks, by file and layer."""
    found = {}
    for path in sorted(settings.models_dir.rglob("*.keras")):
        with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as handle:

            def visit(name, item, path=path) -> None:
                if isinstance(item, h5py.Dataset):
                    found[f"{path.name}/{name}"] = item[()]

            handle.visititems(visit)
    return found


def test_trainings(cluster, tmp_path, monkeypatch):
    """One worker a member."""
    short = Schedule(epochs=1, members=2, patience=None, batch=16)
    made = []
    for name in ("here", "there"):
        settings = Settings(profile="smoke", build_root=str(tmp_path / name))
        write_dataset(settings)
        made.append(settings)
    train.build(made[0], entries=[Entry("C/hi", "C", "hi", short)])
    with cluster.losing(monkeypatch, after=0, in_child=True):
        train.build(made[1], entries=[Entry("C/hi", "C", "hi", short)])
    expected, found = map(weights, made)
    assert found.keys() == expected.keys() and len({name.split("/")[0] for name in found}) == 2
    for name, value in found.items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)
