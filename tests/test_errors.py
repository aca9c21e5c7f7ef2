"""Errors of the system as sentences with a mend."""

from __future__ import annotations

import errno

import pytest

from dmlib.environment import of_the_system


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "x.hdf5"),
        OSError("Can't write data (file write failed: errno = 28, error message = 'No space left on device')"),
    ],
)
def test_a_full_disk_names_the_way_out(error):
    assert "set DMLIB_BUILD to a folder on a larger one" in of_the_system(error)


def test_a_folder_that_may_not_be_written(tmp_path, monkeypatch):
    """Another folder for outputs helps for outputs only."""
    monkeypatch.setenv("DMLIB_BUILD", str(tmp_path / "build"))
    for folder, helps in ((tmp_path / "build" / "embedded-quick", True), (tmp_path / "home", False)):
        said = of_the_system(PermissionError(errno.EACCES, "Permission denied", str(folder)))
        assert said.startswith(f"{folder}: permission denied") and ("DMLIB_BUILD" in said) == helps


def test_any_other_names_the_file():
    assert of_the_system(FileNotFoundError(errno.ENOENT, "No such file or directory", "a.txt")) == (
        "a.txt: no such file or directory"
    )
