"""The targets of the Makefile pass on what is given to them."""

from __future__ import annotations

import shutil
import subprocess

import pytest


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not here")
@pytest.mark.parametrize("target", ["book", "status"])
def test_another_simulation_is_named_on_the_command_line(repository, target):
    given = ["UNIVERSE=files", "BASE_PATH=/data/TNG50 copy/output", "SIMULATION=TNG50-1", "SNAPSHOT=67"]
    done = subprocess.run(["make", "-n", target, *given], cwd=repository, capture_output=True, text=True, check=True)
    (line,) = (line for line in done.stdout.splitlines() if "bin/dmlib" in line)
    wanted = '--universe files --profile quick --base-path "/data/TNG50 copy/output" --simulation TNG50-1 --snapshot 67'
    assert wanted in " ".join(line.split())
