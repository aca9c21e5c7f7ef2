"""Files that appear whole or not at all, in both packages; and the tool that compares two builds."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.compare_builds import difference
from dmlib import files
from mocktng import files as theirs


@pytest.mark.parametrize("package", [files, theirs])
def test_what_another_process_is_writing_stays(package, tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    living = tmp_path / f".partial-{process.pid}-table.txt"
    other = tmp_path / f".partial-{os.getpid()}-a-table.txt"  # of a file of another name
    for path in (living, other):
        path.touch()
    package.write_text(tmp_path / "table.txt", "1")
    assert living.is_file() and other.is_file()
    process.communicate(b"\n")
    package.write_text(tmp_path / "table.txt", "2")
    assert not living.exists() and (tmp_path / "table.txt").read_text() == "2"


def test_list_of_written_files_is_added_to_but_never_made(tmp_path, monkeypatch):
    """A kernel that outlives its run by a moment would leave it behind."""
    written = tmp_path / "list.written"
    monkeypatch.setenv(files.WRITTEN, str(written))
    with pytest.raises(FileNotFoundError, match=r"list\.written"):
        files.write_text(tmp_path / "late.txt", "1")
    assert not written.exists()
    written.touch()
    for name in ("one.txt", "two.txt"):
        files.write_text(tmp_path / name, "1")
    assert written.read_text().splitlines() == [str((tmp_path / name).resolve()) for name in ("one.txt", "two.txt")]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 2.0], [1.0, 2.2], 0.0909),
        ([np.nan, 1.0], [np.nan, 1.0], 0.0),
        ([np.inf, -np.inf], [np.inf, -np.inf], 0.0),
        ([np.inf, 1.0], [3.0, 1.0], np.inf),
        ([-np.inf], [np.inf], np.inf),
        ([np.nan], [1.0], np.inf),
        ([1.0], [1.0, 2.0], np.inf),
    ],
)
def test_difference_of_two_builds(old, new, expected):
    assert difference(np.array(old), np.array(new)) == pytest.approx(expected, abs=1e-4)
