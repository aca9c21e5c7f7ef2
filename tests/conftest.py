"""Shared fixtures."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from dmlib.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[1]


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
