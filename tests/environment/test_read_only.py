"""A checkout that is only read: everything that a run writes follows ``DMLIB_BUILD``, the pages too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dmlib import environment
from dmlib.cli import run
from toy_repository import ToyRepository


def test_notebooks_that_cannot_be_paired_open_all_the_same(monkeypatch, capsys):
    """``make lab`` begins with this command, on a hub whose checkout is only read too."""
    monkeypatch.setattr(os, "access", lambda path, how: Path(path).name != "notebooks")
    monkeypatch.setattr("jupytext.cli.jupytext", lambda arguments: pytest.fail("a notebook would be written"))
    run.notebooks()
    assert "notebooks cannot be written" in capsys.readouterr().err


@pytest.mark.slow
def test_a_relative_folder_is_one_folder_for_the_run_and_its_chapters(tmp_path):
    """Chapters run in notebooks/, where a relative path would be another folder: made twice, and figures lost."""
    toy = ToyRepository(tmp_path / "toy")
    said = toy.run(DMLIB_BUILD="out")
    assert "the book is out/html/index.html" in said
    assert (toy.root / "out" / "embedded-smoke" / "figures" / "first.csv").is_file()
    assert not (toy.root / "notebooks" / "out").exists()


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("DMLIB_MIRROR", "copies", "{here}/copies"),
        ("DMLIB_DATA", "../data", "{above}/data"),
        ("DMLIB_SKIRT", "./skirt", "{here}/skirt"),
        ("DMLIB_SKIRT", "skirt", "skirt"),
        ("DMLIB_BUILD", "~/out", "~/out"),
        ("DMLIB_BUILD", "/out", "/out"),
    ],
)
def test_relative_paths_in_variables(tmp_path, name, value, wanted):
    code = f"import os; from dmlib import environment; environment.settle(); print(os.environ['{name}'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {name: value},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == wanted.format(here=tmp_path, above=tmp_path.parent)


@pytest.mark.slow
def test_nothing_is_written_into_the_checkout(tmp_path):
    toy = ToyRepository(tmp_path / "toy")
    for path in (toy.root, *toy.root.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)  # root may write all the same, hence the comparison
    before = sorted(toy.root.rglob("*"))
    elsewhere = {"DMLIB_BUILD": str(tmp_path / "outputs"), "DMLIB_DATA": str(tmp_path / "cache")}
    said = toy.run(**elsewhere)
    page = tmp_path / "outputs" / "html" / "index.html"
    assert page.read_text() == "2 chapters" and f"the book is {page}" in said
    assert sorted(toy.root.rglob("*")) == before
    assert toy.ran(toy.run(**elsewhere)) == []
    page.unlink()
    assert toy.ran(toy.run(**elsewhere)) == ["book"]


def test_a_folder_that_may_not_be_searched_counts_as_none(tmp_path, monkeypatch):
    """``Path.is_dir`` raises below such a folder, as below /root after ``sudo -u`` without -H."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    for name in ("HOME", "MPLCONFIGDIR", "XDG_CONFIG_HOME", "DMLIB_DATA", "LOGNAME"):
        monkeypatch.setenv(name, str(closed / "x"))
    monkeypatch.syspath_prepend(str(closed))
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may search any folder
    try:
        environment.check_imports()
        environment.settle_home()
        assert not os.environ["HOME"].startswith(str(closed))
    finally:
        os.seteuid(user)
