"""The book of profile `smoke` as ``make book PROFILE=smoke`` built it: outputs, pages, and a second run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

import page_checks

pytestmark = pytest.mark.pipeline

ROOT = Path(__file__).resolve().parents[2]

#: The key that ``.ci/run`` builds the book with; nobody may write it down.
KEY = 2 * "fedcba9876543210"


def dmlib(*arguments: str) -> subprocess.CompletedProcess:
    """``dmlib ... --profile smoke`` in the checkout."""
    command = [sys.executable, "-m", "dmlib", *arguments, "--profile", "smoke"]
    environment = {key: value for key, value in os.environ.items() if key != "DMLIB_BUILD"} | {"DMLIB_QUIET": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def smoke() -> SimpleNamespace:
    """Where the book lies; skips where it is missing or out of date, for to build it takes minutes."""
    build = ROOT / "build" / "embedded-smoke"
    if not (build / "run.json").is_file() or "would run" in dmlib("status").stdout:
        pytest.skip("the smoke book is not here or out of date: make book PROFILE=smoke builds it")
    return SimpleNamespace(root=ROOT, build=build, html=ROOT / "book" / "_build" / "html")


def test_every_output_of_the_contract(smoke):
    chapters = sorted(path.stem for path in (smoke.root / "notebooks").glob("[0-9][0-9]_*.py"))
    assert sorted(path.stem for path in (smoke.build / "notebooks").glob("*.ipynb")) == chapters
    for name in (
        "universe/output/groups_099",
        "sample.ecsv",
        "targets.hdf5",
        "dataset.hdf5",
        "results.json",
        "run.json",
    ):
        assert (smoke.build / name).exists(), name
    for picture in (smoke.build / "figures").glob("*.png"):
        assert picture.with_suffix(".pdf").is_file() and picture.with_suffix(".csv").is_file()
    assert (smoke.html / "index.html").is_file()


def test_no_cell_left_an_error(smoke):
    for path in (smoke.build / "notebooks").glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            assert not any(output.output_type == "error" for output in cell.get("outputs", []))


def test_results_follow_the_contract(smoke):
    rows = json.loads((smoke.build / "results.json").read_text(encoding="utf-8"))
    keys = {"id", "chapter", "figure", "statement", "paper", "value", "error", "unit", "universe", "profile", "n"}
    assert rows and all(row.keys() >= keys for row in rows)
    assert len({row["id"] for row in rows}) == len(rows)
    drawn = {path.stem for path in (smoke.build / "figures").glob("*.png")}
    assert {row["figure"] for row in rows if row["figure"]} <= drawn


def test_account_of_the_run(smoke):
    run = json.loads((smoke.build / "run.json").read_text(encoding="utf-8"))
    assert run["universe_id"] and run["profile"] == "smoke" and len(run["lock_sha256"]) == 64
    assert {step["state"] for step in run["steps"]} <= {"ran", "up to date", "made earlier"}
    assert all(step["outputs"] and step["inputs"] for step in run["steps"])


def test_no_folder_of_this_machine_and_no_key(smoke):
    for name in ("run.json", "results.json", "sample.ecsv"):
        text = (smoke.build / name).read_text(encoding="utf-8")
        assert str(smoke.root) not in text and str(Path.home()) + "/" not in text
    for folder in (smoke.build, smoke.html):
        for path in folder.rglob("*"):
            if path.is_file() and path.stat().st_size < 20e6:
                assert KEY.encode() not in path.read_bytes(), path


def test_pages(smoke):
    toc = smoke.build / "book_source" / "_toc.yml"
    assert page_checks.check(smoke.html, toc=toc, private=[str(smoke.root)]) == []


def test_a_second_run_does_nothing(smoke):
    before = {path: path.stat().st_mtime_ns for path in smoke.build.rglob("*") if path.is_file()}
    done = dmlib("run")
    assert done.returncode == 0 and "0 of " in done.stderr
    after = {path: path.stat().st_mtime_ns for path in smoke.build.rglob("*") if path.is_file()}
    assert {path for path in after if before.get(path) != after[path]} == set()
