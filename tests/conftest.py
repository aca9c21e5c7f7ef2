"""Shared fixtures."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import hypothesis
import pytest
from threadpoolctl import threadpool_limits

from dmlib.settings import Settings
from dmlib.workers import ONE_THREAD

REPOSITORY = Path(__file__).resolve().parents[1]

# Files of tests run side by side: more processes and threads than one for each would only wait for each other, and
# processes import all packages once more. Tests that are about several processes ask for them.
os.environ.update({"DMLIB_WORKERS": "1", **ONE_THREAD})
threadpool_limits(1)  # of libraries that are loaded already

# No test fails by the clock: on a loaded machine any example can take long.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

#: Fixtures that take long to make or that load TensorFlow: a test that uses one of them, however indirectly, is slow.
SLOW_FIXTURES = {"smoke_universe", "small_universe", "keras", "built", "toy"}

#: Where all tests are slow: they train, sample, fit, build pages or start processes.
SLOW_PLACES = (
    "tests/baselines/",
    "tests/book/test_book.py",
    "tests/book/test_docstrings.py",
    "tests/networks/",
    "tests/pipeline/test_pipeline.py",
    "tests/primer/test_keras.py",
    "tests/rotation/test_barolo.py",
    "tests/rotation/test_benchmark.py",
    "tests/rotation/test_fit.py",
    "tests/rotation/test_rings.py",
    "tests/test_cli.py",
    "tests/test_cluster.py",
    "tests/observe/test_skirt_run.py",
    "tests/universe/test_api_",
    "mocktng/tests/test_write.py",
    "mocktng/tests/test_server.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark slow tests, and put their files first, the run of the book before all: the longest must not start last."""
    rank: dict[Path, int] = {}
    for item in items:
        place = item.path.relative_to(REPOSITORY).as_posix()
        if place.startswith(SLOW_PLACES) or not SLOW_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
        own = 0 if item.get_closest_marker("pipeline") else 1 if item.get_closest_marker("slow") else 2
        rank[item.path] = min(own, rank.get(item.path, 2))
    items.sort(key=lambda item: rank[item.path])


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data: ``$DMLIB_MIRROR``, else ``shared/data`` beside the checkout. Skips where there is none."""
    folder = Path(os.environ.get("DMLIB_MIRROR") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"real data are not here ({folder.name}): set DMLIB_MIRROR to a folder that has them")
    return folder


@pytest.fixture(scope="session")
def smoke_universe(request, tmp_path_factory) -> Settings:
    """Settings of a written embedded universe of profile ``smoke``.

    Kept in pytest's cache under the identity of what made it, so that it is written once for all workers and for all
    sessions between which the sources do not change; ``pytest --cache-clear`` removes it.
    """
    from dmlib import embedded

    cache = getattr(request.config, "cache", None)
    root = Path(cache.mkdir("dmlib-universe")) if cache else tmp_path_factory.mktemp("dmlib-universe")
    folder = root / embedded.identity(Settings(profile="smoke"))[:16]
    for old in sorted(root.glob("*"), key=lambda path: path.stat().st_mtime)[:-4]:
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)
    settings = Settings(profile="smoke", build_root=str(folder))
    embedded.build(settings)
    return settings
