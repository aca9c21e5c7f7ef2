"""Numbers are recorded once, finite, and come back as they were written."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy import units as u

from dmlib import results
from dmlib.files import atomic_path
from dmlib.results import ResultsError
from dmlib.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(profile="smoke", build_root=str(tmp_path))


def rows(path):
    return {row["id"]: row for row in json.loads(path.read_text())}


def record(settings, id="a.mass", value=1.5, chapter="one", **kw):
    results.record(settings, id, value, chapter=chapter, statement="A mass", **kw)
    return rows(results.chapter_path(settings, chapter))[id]


def test_a_row_has_the_contract_s_keys(settings):
    row = record(settings, error=0.1, unit="Msun", n=7, figure="masses", paper="2")
    assert tuple(row) == results.KEYS
    assert (row["universe"], row["profile"], row["n"]) == ("embedded", "smoke", 7)
    assert results.collect(settings) == [row]
    assert json.loads(settings.results_path.read_text()) == [row]


def test_a_row_names_the_simulation(tmp_path):
    settings = Settings(universe="api", simulation="TNG50-1", build_root=str(tmp_path))
    assert record(settings)["universe"] == "TNG50-1"


def test_numbers_from_elsewhere_have_no_profile(settings):
    row = record(settings, universe="SPARC")
    assert (row["universe"], row["profile"]) == ("SPARC", None)


def test_what_many_numbers_share_is_said_once(settings):
    record = results.recorder(settings, chapter="one", universe="SPARC")
    record("a.mass", 1.5, statement="A mass")
    record("a.sum", 2, statement="A sum", universe=results.ARITHMETIC)
    found = rows(results.chapter_path(settings, "one"))
    assert [row["universe"] for row in found.values()] == ["SPARC", "none (arithmetic)"]


@pytest.mark.parametrize("value", [np.nan, np.inf, "3", True, [1, 2], np.array([1.0, 2.0]), None])
def test_only_one_finite_number_is_a_value(settings, value):
    with pytest.raises(ResultsError, match=r"a\.mass"):
        record(settings, value=value)
    assert not results.chapter_path(settings, "one").exists()


def test_numpy_and_quantities_are_numbers(settings):
    assert record(settings, value=np.float32(0.5))["value"] == 0.5
    assert isinstance(record(settings, value=np.int64(3))["value"], int)
    row = record(settings, value=2 * u.Mpc, error=3 * u.kpc, unit="kpc")
    assert (row["value"], row["error"], row["unit"]) == (2000.0, 3.0, "kpc")


@pytest.mark.parametrize("id", ["", "Mass", "1st", "a b", "a`b", "a:b"])
def test_an_id_can_be_quoted(settings, id):
    with pytest.raises(ResultsError):
        record(settings, id=id)


def test_a_cell_run_again_replaces_its_row(settings):
    record(settings, value=1)
    record(settings, id="a.other", value=2)
    record(settings, value=3)
    assert [(row["id"], row["value"]) for row in results.collect(settings)] == [("a.mass", 3), ("a.other", 2)]


def test_a_chapter_run_again_leaves_nothing_of_its_last_run(settings):
    record(settings, id="a.gone")
    results._recorded.clear()  # a new process
    record(settings)
    assert list(rows(results.chapter_path(settings, "one"))) == ["a.mass"]


def test_two_chapters_cannot_record_the_same_id(settings):
    record(settings)
    record(settings, chapter="two")
    with pytest.raises(ResultsError, match="one and two"):
        results.collect(settings)


def test_a_file_that_another_chapter_is_just_writing_does_not_count(settings):
    row = record(settings)
    path = results.chapter_path(settings, "one")
    with atomic_path(path) as partial:
        partial.write_text(path.read_text())
        assert results.collect(settings) == [row]
        partial.write_text('[{"id": 1')
        assert results.collect(settings) == [row]


def test_a_damaged_file_is_one_sentence(settings):
    path = results.chapter_path(settings, "one")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('[{"id": 1')
    with pytest.raises(ResultsError, match="damaged"):
        results.collect(settings)
