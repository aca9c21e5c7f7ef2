"""The key of a TNG account is in the header of a request and nowhere else: not in an output, a log, or a notebook."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mocktng import FaultInjection, TngServer
from tng_server import KEY, environment

COMMON = ("--universe", "api", "--simulation", "embedded-smoke", "--profile", "smoke", "--sample", "4")


@pytest.fixture(scope="module")
def said(smoke_universe, tmp_path_factory):
    """Run commands that succeed and commands that fail; the folder of all they wrote, and all they said."""
    folder = tmp_path_factory.mktemp("secrecy")
    output = smoke_universe.universe_dir / "output"
    told: dict[str, str] = {}

    def dmlib(name: str, *arguments: str, **changes: str) -> None:
        variables = os.environ | environment(server, folder) | {"DMLIB_BUILD": str(folder / "build")} | changes
        done = subprocess.run(
            [sys.executable, "-m", "dmlib", *arguments], capture_output=True, text=True, env=variables, timeout=300
        )
        told[name] = f"exit {done.returncode}\n{done.stdout}{done.stderr}"

    lines: list[str] = []
    with TngServer(output, key=KEY, faults=FaultInjection(4, ("cut", "error", "page")), log=lines.append) as server:
        dmlib("plan", "fetch", *COMMON, "--plan")
        dmlib("run", "run", *COMMON, "--only", "03_simulation_and_selection")
        dmlib("traceback", "run", *COMMON, "--only", "targets", DMLIB_DEBUG="1", DMLIB_TNG_ATTEMPTS="1")
        server.faults.every, server.faults.kinds = 1, ("error",)
        dmlib("down", "fetch", *COMMON, DMLIB_TNG_ATTEMPTS="2", DMLIB_DATA=str(folder / "other"))
        server.faults.every, server.key = 0, "f" * 32
        dmlib("refused", "fetch", *COMMON, DMLIB_DATA=str(folder / "third"), DMLIB_DEBUG="1")
    told["server"] = "\n".join(lines)
    return folder, told


def test_the_commands_did_what_they_should(said):
    _, told = said
    assert told["plan"].startswith("exit 0") and told["run"].startswith("exit 0")
    assert told["down"].startswith("exit 1") and "failed in 2 tries (HTTP 500)" in told["down"]
    assert told["refused"].startswith("exit 1") and "refused the TNG key (HTTP 403)" in told["refused"]
    assert "/api/embedded-smoke/" in told["server"]


@pytest.mark.parametrize("secret", [KEY, KEY[:12]])
def test_nothing_that_was_said_has_it(said, secret):
    for name, text in said[1].items():
        assert secret not in text, name


def test_nothing_that_was_written_has_it(said):
    folder, _ = said
    files = [path for path in folder.rglob("*") if path.is_file()]
    kinds = {path.suffix for path in files}
    assert {".ipynb", ".json", ".jsonl", ".ecsv", ".hdf5", ".csv", ".png"} <= kinds
    for path in files:
        assert KEY[:12].encode() not in path.read_bytes(), path


def test_the_book_says_that_these_are_not_tng(said):
    notebook = next(said[0].rglob("03_simulation_and_selection.ipynb")).read_text()
    assert "not TNG" in notebook
