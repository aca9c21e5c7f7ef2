"""Shared fixtures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
