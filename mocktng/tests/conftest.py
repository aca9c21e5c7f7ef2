"""A written universe that all tests share, and folders of real data."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import hypothesis
import pytest

import mocktng
from mocktng.drawing import draw
from mocktng.population import Population

# No test fails by the clock: on a loaded machine any example can take long.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="session")
def small_universe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a universe of 40 galaxies.

    Kept in pytest's cache under its identity, so that it is written once for all sessions between which the code does
    not change; ``pytest --cache-clear`` removes it.
    """
    cache = getattr(request.config, "cache", None)
    root = Path(cache.mkdir("mocktng")) if cache else tmp_path_factory.mktemp("mocktng")
    folder = root / str(mocktng.estimate(name="small")["identity"])[:16]
    for old in sorted(root.glob("*"), key=lambda path: path.stat().st_mtime)[:-4]:
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)
    mocktng.write(folder, name="small")
    return folder


@pytest.fixture(scope="session")
def population() -> Population:
    """700 galaxies at the particle masses of TNG100-2, without particles."""
    return draw(700, 1, m_dm=5.97e7, m_baryon=1.12e7)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real TNG data: ``$DMLIB_MIRROR``, else ``shared/data`` beside the checkout. Skips without one."""
    folder = Path(os.environ.get("DMLIB_MIRROR") or Path(__file__).resolve().parents[3] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"real data are not here ({folder.name})")
    return folder
