"""Numbers are quoted with their digits, errors and origin; what is embedded is never called TNG."""

from __future__ import annotations

import pytest

import quoting
from dmlib.results import ResultsError
from quoting import UnknownNumber

ROW = {"id": "a.mass", "value": -1.5, "error": 0.2, "unit": "dex", "n": 7, "statement": "It", "universe": "embedded"}
ROWS = {"a.mass": ROW | {"profile": "quick"}, "a.n": ROW | {"id": "a.n", "value": 3, "error": None, "n": None}}


def test_a_number_s_error_sample_size_and_absolute_value():
    assert quoting.look_up(ROWS, "a.mass")["value"] == -1.5
    assert quoting.quote(quoting.look_up(ROWS, "|a.mass|"), ".1f", with_error=True) == "1.5 ± 0.2 dex"
    assert quoting.quote(quoting.look_up(ROWS, "a.mass.error")) == "0.2 dex"
    assert quoting.quote(quoting.look_up(ROWS, "a.mass.n")) == "7"
    # An id may look like a part of another one.
    assert quoting.look_up(ROWS, "a.n")["value"] == 3


def test_a_number_that_is_not_there():
    with pytest.raises(UnknownNumber, match=r"'a\.masss' \(there are: a\.mass, a\.n\)"):
        quoting.look_up(ROWS, "a.masss")
    with pytest.raises(UnknownNumber, match="'b'"):
        quoting.look_up(ROWS, "|b|")
    with pytest.raises(ResultsError, match="sample size"):
        quoting.look_up(ROWS, "a.n.n")


def test_places():
    def of(universe, profile=None):
        return quoting.place({"universe": universe, "profile": profile})

    assert of("embedded", "quick") == "the embedded universe (profile quick)"
    assert of("embedded") == "the embedded universe"
    assert of("TNG100-1", "paper") == "real TNG100 (profile paper)"
    assert of("TNG100-1, 60 groups (records/selection.json)") == "real TNG100 (60 groups, a record)"
    assert of("embedded (records/a.json)") == "the embedded universe (a record)"
    assert of("SPARC") == "real galaxies (SPARC)"
    assert of("none (arithmetic)") == "arithmetic"


def test_a_tooltip_tells_where_a_number_is_from():
    row = {"statement": "It", "profile": None, "n": 5}
    assert quoting.provenance(row | {"universe": "60 real groups"}) == "It (60 real groups, n = 5)"
    told = quoting.provenance(row | {"universe": "none (arithmetic)"})
    assert told == "It (arithmetic, measured in no universe, n = 5)"


def test_the_banner_says_what_the_book_was_made_from():
    run = {"universe": "embedded", "profile": "smoke", "seed": 3, "commit": "0123456789abcdef", "dirty": True}
    told = quoting.banner(run)
    assert "embedded universe" in told and "`012345678` with local changes" in told and "seed 3" in told
    assert "commit" not in quoting.banner({"universe": "TNG50-1", "profile": "quick", "seed": 1, "commit": None})


@pytest.mark.parametrize(
    ("value", "error", "unit", "spec", "written"),
    [
        (0.2345, 0.0123, "dex", ".2f", "0.23 ± 0.01 dex"),
        (1.44e11, 2.2e10, "Msun", ".1e", "(1.4 ± 0.2) × 10¹¹ M☉"),
        (-0.05, None, "", ".2f", "−0.05"),
        (-0.004, 0.02, "dex", ".2f", "0.00 ± 0.02 dex"),
        (0.05, 0.02, "dex", "+.2f", "+0.05 ± 0.02 dex"),
        (1.44e11, 2.2e10, "Msun", "+.1e", "(+1.4 ± 0.2) × 10¹¹ M☉"),
        (12345, None, "", "", "12\u202f345"),
        (55, None, "", "", "55"),
        (3.14159, None, "kpc", "", "3.14 kpc"),
        (12.5, None, "%", ".0f", "12%"),
        (7.46e6, None, "Msun", "", "7.46 × 10⁶ M☉"),
        # An error is never shown as zero, nor a power of ten that is one.
        (1.0, 0.001, "", ".2f", "1.00 ± <0.01"),
        (0.68, 0.0, "", ".1%", "68.0% ± <0.1%"),
        (1.3e11, 1e8, "Msun", ".1e", "(1.3 ± <0.1) × 10¹¹ M☉"),
        (3.2, 0.4, "", ".1e", "3.2 ± 0.4"),
        (0.0, None, "", ".0e", "0"),
        (1.28, 0.17, "1e-10 m/s2", ".2f", "(1.28 ± 0.17) × 10⁻¹⁰ m s⁻²"),
    ],
)
def test_a_number_is_written_for_prose(value, error, unit, spec, written):
    row = {"id": "a", "value": value, "error": error, "unit": unit}
    assert quoting.quote(row, spec, with_error=error is not None) == written


def test_an_error_that_is_not_there_cannot_be_quoted():
    with pytest.raises(ResultsError, match="no error"):
        quoting.quote({"id": "a", "value": 1.0, "error": None, "unit": ""}, with_error=True)
