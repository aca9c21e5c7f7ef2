"""Verdicts follow from numbers and criteria; what is embedded is never called TNG."""

from __future__ import annotations

import pytest
import yaml

import claims
from claims import Claim, ClaimsError
from dmlib.results import ResultsError


def claim(**kw):
    base = {"id": "c", "group": "g", "statement": "s", "paper": "p", "grade": "talk", "chapter": "one"}
    return Claim(**base | kw)


def result(value, error=None, universe="embedded", profile="quick"):
    return {"r": {"value": value, "error": error, "universe": universe, "profile": profile, "n": 5, "statement": "It"}}


def verdict(row, results, chapters=("one",)):
    return claims.evaluate(row, results, chapters)


@pytest.mark.parametrize(
    ("criterion", "value", "good"),
    [
        ("<= 0.2", 0.2, True),
        ("<0.2", 0.2, False),
        (">= 1e10", 2.2e10, True),
        ("> -1", -2, False),
        ("== 55", 55, True),
        ("106.5 within 1%", 107.0, True),
        ("106.5 within 1%", 110.7, False),
        ("7.5e6 within 1e5", 7.46e6, True),
        ("-2 within 10%", -2.1, True),
    ],
)
def test_criteria(criterion, value, good):
    assert claims.holds(criterion, value) is good


@pytest.mark.parametrize("criterion", ["about 3", "<= ", "3", "0.2 <= x", "3 within"])
def test_a_criterion_that_cannot_be_read(criterion):
    with pytest.raises(ClaimsError, match="criterion"):
        claims.holds(criterion, 1.0)


def test_verdicts():
    measured = {"result": "r", "criterion": "<= 0.2"}
    assert verdict(claim(), {}, ()).kind == "to-come"
    assert verdict(claim(), {}).kind == "unmeasured"
    assert verdict(claim(**measured), result(0.1)).kind == "holds"
    assert verdict(claim(**measured), result(0.3)).kind == "fails"
    assert verdict(claim(**measured, known_difference=True), result(0.3)).kind == "differs"
    assert verdict(claim(**measured, optional=True), {}).verdict == "not measured in this copy"
    with pytest.raises(ClaimsError, match="did not record"):
        verdict(claim(**measured), {})


def test_a_verdict_that_its_error_could_turn_says_so():
    measured = claim(result="r", criterion="<= 0.2")
    assert "undecided" in verdict(measured, result(0.19, error=0.03)).where
    assert "undecided" in verdict(measured, result(0.21, error=0.03)).where
    assert "undecided" not in verdict(measured, result(0.1, error=0.03)).where
    between = claim(result="r", criterion="1 within 0.1")
    assert "undecided" in verdict(between, result(1.0, error=0.5)).where


def test_a_verdict_says_on_what():
    measured = claim(result="r", criterion="<= 0.2")
    assert verdict(measured, result(0.1)).where == "on the embedded universe, quick; not a statement about TNG"
    assert verdict(measured, result(0.1, universe="TNG50-1")).where == "on TNG50-1, profile quick"
    record = verdict(measured, result(0.1, universe="60 real groups of TNG100-1", profile=None))
    assert record.where == "on 60 real groups of TNG100-1"
    assert claims.provenance(record.result) == "It (60 real groups of TNG100-1, n = 5)"
    kept = verdict(measured, result(0.1, universe="TNG100-1, 60 groups (records/selection.json)", profile=None))
    assert kept.where == "on TNG100-1, 60 groups (a record)"
    arithmetic = verdict(measured, result(0.1, universe="none (arithmetic)", profile=None))
    assert arithmetic.where == "by arithmetic"
    assert claims.provenance(arithmetic.result) == "It (arithmetic, measured in no universe, n = 5)"


def test_a_claim_about_other_data_is_not_judged_by_what_stands_in():
    measured = claim(result="r", criterion="<= 0.2", data="SPARC")
    assert verdict(measured, result(0.3)).where.startswith("it needs SPARC")
    assert verdict(measured, result(0.3)).kind == "unmeasured"
    assert verdict(measured, result(0.3, universe="SPARC", profile=None)).kind == "fails"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"chapter": "nine"}, "nine"),
        ({"result": "r"}, "both a result and a criterion"),
        ({"result": "r", "criterion": "roughly"}, "criterion"),
        ({"grade": "hearsay"}, "grade"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_faulty_row_is_named(tmp_path, change, told):
    path = tmp_path / "claims.yml"
    path.write_text(yaml.safe_dump([claim().model_dump(exclude_none=True) | change]))
    with pytest.raises(ClaimsError, match=told):
        claims.load_claims(path, {"one"})


def test_an_id_stands_there_once(tmp_path):
    path = tmp_path / "claims.yml"
    path.write_text(yaml.safe_dump([claim().model_dump(exclude_none=True)] * 2))
    with pytest.raises(ClaimsError, match="'c'"):
        claims.load_claims(path, {"one"})


def test_the_book_s_own_files_fit_together(repository):
    book = repository / "book"
    outline = claims.load_outline(book / "outline.yml")
    chapters = {chapter.id: chapter for part in outline for chapter in part.chapters}
    assert claims.load_claims(book / "claims.yml", chapters)
    files = [chapter.file for chapter in chapters.values()]
    notebooks = {f"notebooks/{path.stem}" for path in (repository / "notebooks").glob("[0-9][0-9]_*.py")}
    assert notebooks <= set(files), "a chapter is missing in outline.yml"
    assert files == sorted(files), "chapters are numbered in the order of the outline"


def test_the_banner_says_what_the_book_was_made_from():
    run = {"universe": "embedded", "profile": "smoke", "seed": 3, "commit": "0123456789abcdef", "dirty": True}
    told = claims.banner(run)
    assert "embedded universe" in told and "`012345678` with local changes" in told and "seed 3" in told
    assert "commit" not in claims.banner({"universe": "TNG50-1", "profile": "quick", "seed": 1, "commit": None})


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
    ],
)
def test_a_number_is_written_for_prose(value, error, unit, spec, written):
    row = {"id": "a", "value": value, "error": error, "unit": unit}
    assert claims.quote(row, spec, with_error=error is not None) == written


def test_an_error_that_is_not_there_cannot_be_quoted():
    with pytest.raises(ResultsError, match="no error"):
        claims.quote({"id": "a", "value": 1.0, "error": None, "unit": ""}, with_error=True)
