"""Committed records: what the real data give again, where they are from, and the command that writes them."""

from __future__ import annotations

import json
import runpy

import pytest

from dmlib import load
from dmlib.errors import DmlibError
from dmlib.published_script_bugs import selection_readings
from dmlib.universe.files import FilesUniverse


@pytest.fixture(scope="module")
def measure(repository) -> dict:
    """The names of ``records/measure.py``."""
    return runpy.run_path(str(repository / "records" / "measure.py"))


def test_every_record_says_where_it_is_from(repository):
    names = sorted(path.stem for path in (repository / "records").glob("*.json"))
    assert len(names) >= 3
    for name in names:
        record = load.record(name)
        assert record["id"] == name and record["command"].startswith("python records/measure.py")
        assert "Nelson" in record["citation"] and "TNG100-1" in record["simulation"] and record["date"] > "2026"


def test_selection_of_the_real_rows(shared_data):
    record = load.record("selection_tng100_subset")
    real = FilesUniverse(shared_data / "tng100_catalogue_subset" / "output")
    assert record["measured"] == json.loads(json.dumps(selection_readings(real)))
    assert record["universe_identity"] == real.header.identity


def test_numbers_of_the_selection():
    counts = load.record("selection_tng100_subset")["measured"]["funnels"]["all"]
    assert [counts["paper"][k] for k in ("mass", "sfr", "central", "flag")] == [101, 56, 55, 55]
    assert [counts["true"][k] for k in ("central", "flag")] == [27, 27]


def test_image_of_the_real_file(shared_data, measure):
    kept = load.record("skirt_tng100_subhalo_6")["measured"]
    measured = measure["measure_image"](shared_data / "tng_skirt" / "TNG100-1_099_broadband_6.fits")
    assert measured.pop("flux_change") < 1e-12 and kept.pop("flux_change") < 1e-12
    assert measured == kept


def test_colours_of_the_real_rows(shared_data, measure, tmp_path):
    out = tmp_path / "colours.json"
    base = shared_data / "tng100_catalogue_subset" / "output"
    assert measure["main"](["colours", str(base), "--out", str(out)]) == 0
    measured, kept = json.loads(out.read_text()), load.record("colours_tng100_subset")
    assert measured["measured"] == kept["measured"]
    assert measured["universe_identity"] == kept["universe_identity"]
    assert str(tmp_path) not in out.read_text() and str(base) not in out.read_text()


def test_an_unreadable_source_is_one_sentence(measure, tmp_path, capsys):
    assert measure["main"](["selection", str(tmp_path / "nowhere")]) == 1
    assert "does not exist" in capsys.readouterr().err
    assert measure["main"](["image", str(tmp_path / "none.fits")]) == 1
    assert "none.fits" in capsys.readouterr().err


def test_a_missing_record_is_named():
    with pytest.raises(DmlibError, match=r"nothing\.json"):
        load.record("nothing")
