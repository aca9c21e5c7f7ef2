"""How many processes work, and what they are told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dmlib.errors import DmlibError
from dmlib.workers import choose_workers, map_parallel, worker_environment


def test_the_variable_decides(monkeypatch):
    monkeypatch.setenv("DMLIB_WORKERS", "3")
    assert choose_workers(1e9) == 3
    assert choose_workers(1e30, at_most=2) == 3


@pytest.mark.parametrize("value", ["many", "0", "-1", "1.5"])
def test_a_wrong_variable_is_named(monkeypatch, value):
    monkeypatch.setenv("DMLIB_WORKERS", value)
    with pytest.raises(DmlibError, match=f"DMLIB_WORKERS is '{value}'"):
        choose_workers(1e9)


def test_cores_memory_and_a_bound_decide_without_it(monkeypatch):
    monkeypatch.delenv("DMLIB_WORKERS", raising=False)
    assert choose_workers(1.0) >= 1
    assert choose_workers(1.0, at_most=1) == 1
    assert choose_workers(1e30) == 1


def test_the_environment_of_workers_is_taken_back(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    with worker_environment(DMLIB_TOLD="yes"):
        assert os.environ["OMP_NUM_THREADS"] == os.environ["NUMBA_NUM_THREADS"] == "1"
        assert os.environ["DMLIB_TOLD"] == "yes"
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "NUMBA_NUM_THREADS" not in os.environ and "DMLIB_TOLD" not in os.environ


def _policy(_: int) -> int:
    return os.sched_getscheduler(0)


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="a policy of Linux")
def test_workers_compute_in_batch_unless_the_user_chose_otherwise():
    assert set(map_parallel(_policy, [1, 2], memory=1.0, workers=2, what="asked")) == {os.SCHED_BATCH}
    code = "from test_workers import _policy; from dmlib.workers import map_parallel\n"
    code += (
        "if __name__ == '__main__': print(*map_parallel(_policy, [1], memory=1.0, workers=1, apart=True, what='asked'))"
    )
    command = ["chrt", "--idle", "0", sys.executable, "-c", code]
    found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    assert found.stdout.split() == [str(os.SCHED_IDLE)]
