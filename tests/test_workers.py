"""How many processes work, and what they are told."""

from __future__ import annotations

import os

import pytest

from dmlib.errors import DmlibError
from dmlib.workers import choose_workers, worker_environment


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
