"""Verdicts follow from numbers, errors and criteria, and name the data that they are about."""

from __future__ import annotations

import re

import pytest
import yaml

import claims
from claims import Claim, ClaimsError
from dmlib.settings import repository_root


def claim(**kw):
    base = {"id": "c", "table": "paper", "statement": "s", "paper": "p", "grade": "talk", "chapter": "one"}
    return Claim(**base | {"data": "universe"} | kw)


def result(value, error=None, universe="embedded", profile="quick", id="r"):
    row = {"value": value, "error": error, "universe": universe, "profile": profile, "n": 5, "statement": "It"}
    return {id: row | {"id": id, "unit": ""}}


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
    # Without an error, and with one that does not reach a bound, the verdict is the same.
    assert claims.judge(criterion, value, None) == claims.judge(criterion, value, 0.0) == ("met" if good else "not-met")


@pytest.mark.parametrize(
    ("criterion", "value", "error", "kind"),
    [
        ("<= 0.2", 0.15, 0.04, "met"),
        ("<= 0.2", 0.15, 0.06, "undecided"),
        ("< 0.2", 0.25, 0.04, "not-met"),
        ("< 0.2", 0.25, 0.06, "undecided"),
        (">= 3", 3.5, 0.4, "met"),
        (">= 3", 3.5, 0.6, "undecided"),
        ("> -1", -2, 0.5, "not-met"),
        ("== 0", 0, None, "met"),
        ("== 0", 0.1, 0.2, "undecided"),
        ("== 0", 0.3, 0.2, "not-met"),
        ("1 within 0.1", 1.02, 0.05, "met"),
        ("1 within 0.1", 1.08, 0.05, "undecided"),
        ("1 within 10%", 1.08, 0.05, "undecided"),
        ("1 within 0.1", 1.3, 0.1, "not-met"),
        # An error bar wider than the whole range decides nothing, from inside or from outside.
        ("1 within 0.1", 1.0, 0.5, "undecided"),
        ("1 within 0.1", 1.3, 0.5, "undecided"),
        ("-2 within 10%", -2.3, 0.2, "undecided"),
    ],
)
def test_an_error_bar_across_a_bound_decides_nothing(criterion, value, error, kind):
    assert claims.judge(criterion, value, error) == kind


@pytest.mark.parametrize("criterion", ["about 3", "<= ", "3", "0.2 <= x", "3 within"])
def test_a_criterion_that_cannot_be_read(criterion):
    with pytest.raises(ClaimsError, match="criterion"):
        claims.holds(criterion, 1.0)


def test_a_criterion_in_words():
    assert claims.criterion_in_words("<= 0.25") == "≤ 0.25"
    assert claims.criterion_in_words("0.683 within 0.05") == "0.683 ± 0.05"
    assert claims.criterion_in_words("-2 within 1%") == "−2 ± 1%"


def test_a_criterion_of_a_number_in_per_cent_is_in_per_cent():
    assert claims.criterion_in_words("<= 0.01", format=".0%") == "≤ 1%"
    assert claims.criterion_in_words("<= 0.5", unit="%", format=".0f") == "≤ 0.5%"
    assert claims.criterion_in_words("0 within 1", unit="%") == "0% ± 1%"
    assert claims.criterion_in_words("0.683 within 0.05", format=".0%") == "68.3% ± 5%"
    assert claims.criterion_in_words("7.5e6 within 1%", unit="Msun", format=".2e") == "7.5 × 10⁶ ± 1%"


def test_verdicts():
    measured = {"result": "r", "criterion": "<= 0.2"}
    assert verdict(claim(), {}, ()).kind == "unmeasured" and "not in this copy" in verdict(claim(), {}, ()).where
    assert verdict(claim(), {}).kind == "unmeasured"
    assert verdict(claim(**measured), result(0.1)).kind == "met"
    assert verdict(claim(**measured), result(0.3)).kind == "not-met"
    assert verdict(claim(**measured), result(0.3, error=0.2)).kind == "undecided"
    assert verdict(claim(**measured, optional=True), {}).kind == "unmeasured"
    assert verdict(claim(result="r"), result(0.3)).kind == "unstated"
    with pytest.raises(ClaimsError, match="did not record"):
        verdict(claim(**measured), {})


def test_each_reading_has_its_own_verdict_and_is_judged_by_its_own_number():
    other = {"reading": "another", "result": "s", "criterion": "<= 0.2"}
    row = verdict(
        claim(result="r", criterion="<= 0.2", reading="one", readings=[other]), result(0.3) | result(0.1, id="s")
    )
    assert row.kind == "not-met" and row.reading.reading == "one"
    assert [(more.kind, more.reading.reading, more.result["value"]) for more in row.others] == [("met", "another", 0.1)]
    with pytest.raises(ClaimsError, match="'s'"):
        verdict(claim(result="r", criterion="<= 0.2", readings=[other]), result(0.3))


@pytest.mark.parametrize(
    ("data", "universe", "profile", "label", "where"),
    [
        ("universe", "embedded", "quick", "the embedded universe", "on the embedded universe (profile quick)"),
        ("universe", "TNG50-1", "paper", "TNG50-1", "on TNG50-1 (profile paper)"),
        ("universe", "TNG100-1", "paper", "real TNG100", "on real TNG100 (profile paper)"),
        ("tng100", "TNG100-1 (records/a.json)", None, "real TNG100", "on real TNG100 (a record)"),
        (
            "tng100",
            "TNG100-1, 60 groups (records/a.json)",
            None,
            "real TNG100",
            "on real TNG100 (60 groups, a record)",
        ),
        ("tng100", "TNG100-1 (its parameters)", None, "real TNG100", "on real TNG100 (its parameters)"),
        ("galaxies", "SPARC", None, "real galaxies", "on real galaxies (SPARC)"),
        (
            "scripts",
            "TNG100-1 (its parameters)",
            None,
            "the authors' scripts",
            "on the authors' scripts (its parameters)",
        ),
    ],
)
def test_a_verdict_says_on_what(data, universe, profile, label, where):
    row = verdict(claim(result="r", criterion="<= 0.2", data=data), result(0.1, universe=universe, profile=profile))
    assert (row.on, row.where, row.kind) == (label, where, "met")


@pytest.mark.parametrize(
    ("data", "universe"),
    [("galaxies", "embedded"), ("tng100", "embedded"), ("tng100", "TNG50-1"), ("galaxies", "EAGLE")],
)
def test_a_claim_is_not_judged_by_what_stands_in_for_its_data(data, universe):
    row = verdict(claim(result="r", criterion="<= 0.2", data=data), result(0.1, universe=universe))
    assert row.kind == "unmeasured" and row.result is None and claims.PLACES[data] in row.where


def test_the_floor_stands_beside_a_verdict_on_the_embedded_universe():
    floored = claim(result="r", criterion="<= 0.2", floor="f")
    assert verdict(floored, result(0.3) | result(0.1, id="f")).floor["value"] == 0.1
    with pytest.raises(ClaimsError, match="'f'"):
        verdict(floored, result(0.3))
    # Nobody knows the floor of a real simulation.
    assert verdict(floored, result(0.3, universe="TNG100-1")).floor is None


def test_every_verdict_on_this_universe_has_its_floor_or_says_why_not():
    book = repository_root() / "book"
    chapters = {chapter.id for part in claims.load_outline(book / "outline.yml") for chapter in part.chapters}
    for found in claims.load_claims(book / "claims.yml", chapters):
        if (found.table, found.data) == ("paper", "universe"):
            floored = all(reading.floor for reading in (found, *found.readings))
            assert floored or "information floor" in found.why, f"{found.id} is silent about the information floor"


@pytest.mark.parametrize(
    ("ours", "floor", "error", "said"),
    [
        (0.30, 0.25, 0.02, "does not meet the criterion"),
        (0.30, 0.21, 0.02, "within its error"),
        (0.30, 0.19, 0.02, "within its error"),
        (0.30, 0.10, 0.02, ""),
        (0.21, 0.25, 0.02, "does not meet the criterion"),  # our number is undecided
        (0.10, 0.25, 0.02, ""),
    ],
)
def test_where_the_floor_itself_misses_the_criterion_a_verdict_says_so(ours, floor, error, said):
    floored = claim(result="r", criterion="<= 0.2", floor="f")
    words = claims.floor_in_words(verdict(floored, result(ours, 0.02) | result(floor, error, id="f")))
    assert bool(words) == bool(said) and said in words
    without = claim(result="r", criterion="<= 0.2")
    assert claims.floor_in_words(verdict(without, result(ours, 0.02))) == ""


def test_a_floor_that_does_not_bound_is_shown_and_not_said_to_be_out_of_reach():
    numbers = result(0.30, 0.02) | result(0.25, 0.02, id="f")
    reading = {"reading": "x", "result": "r", "criterion": "<= 0.2", "floor": "f"}
    row = verdict(claim(result="r", criterion="<= 0.2", floor="f", floor_bounds=False, readings=[reading]), numbers)
    for one in (row, *row.others):
        assert one.floor["value"] == 0.25 and one.kind == "not-met" and claims.floor_in_words(one) == ""


def test_floors_of_ratios_of_two_kinds_bound_nothing():
    book = repository_root() / "book"
    chapters = {chapter.id for part in claims.load_outline(book / "outline.yml") for chapter in part.chapters}
    loose = [one.id for one in claims.load_claims(book / "claims.yml", chapters) if not one.floor_bounds]
    assert loose == ["no-assumption"]


def test_a_tally_counts_each_claim_of_its_table_once():
    numbers = (
        result(0.1) | result(0.3, id="bad") | result(0.19, 0.05, id="close") | result(7, id="real", universe="TNG100-1")
    )
    reading = {"reading": "x", "result": "bad", "criterion": "<= 0.2"}
    some = [
        claim(id="a", result="r", criterion="<= 0.2", readings=[reading, reading]),
        claim(id="b", result="r", criterion="<= 0.3"),
        claim(id="c", result="bad", criterion="<= 0.2"),
        claim(id="d", result="close", criterion="<= 0.2"),
        claim(id="e", result="real", criterion="<= 0.2", data="tng100"),
        claim(id="f"),
        claim(id="g", result="real", data="tng100"),
        claim(id="h", result="bad", criterion="<= 0.2", table="scripts"),
    ]
    rows = [verdict(one, numbers) for one in some]
    paper, scripts = (claims.tally(rows, table) for table in claims.TABLES)
    assert paper == {
        "the embedded universe": {"met": 2, "not-met": 1, "undecided": 1},
        "real TNG100": {"not-met": 1},
        "": {"unmeasured": 1, "unstated": 1},
    }
    assert scripts == {"the embedded universe": {"not-met": 1}}
    assert sum(kinds.total() for kinds in [*paper.values(), *scripts.values()]) == len(some)
    words = claims.tally_in_words(paper)
    assert words.startswith("On real TNG100: 1 not met. On the embedded universe: 2 met, 1 not met, 1 undecided within")
    assert words.endswith("Without a verdict: 1 not measured, 1 no number in the paper.")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"chapter": "nine"}, "nine"),
        ({"criterion": "<= 1"}, "no result"),
        ({"result": "r", "criterion": "roughly"}, "criterion"),
        ({"result": "r", "readings": [{"reading": "x", "result": "r", "criterion": "roughly"}]}, "criterion"),
        ({"result": "r", "readings": [{"reading": "x", "result": "r"}]}, "each reading"),
        ({"result": "r", "readings": [{"result": "r", "criterion": "<= 1"}]}, "each reading"),
        ({"grade": "hearsay"}, "grade"),
        ({"table": "third"}, "table"),
        ({"data": "the Moon"}, "data"),
        ({"data": None}, "data"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_faulty_row_is_named(tmp_path, change, told):
    path = tmp_path / "claims.yml"
    row = claim().model_dump(exclude_none=True, mode="json") | change
    path.write_text(yaml.safe_dump([{key: value for key, value in row.items() if value is not None}]))
    with pytest.raises(ClaimsError, match=told):
        claims.load_claims(path, {"one"})


def test_an_id_stands_there_once(tmp_path):
    path = tmp_path / "claims.yml"
    path.write_text(yaml.safe_dump([claim().model_dump(exclude_none=True, mode="json")] * 2))
    with pytest.raises(ClaimsError, match="'c'"):
        claims.load_claims(path, {"one"})


def test_the_book_s_own_files_fit_together(repository):
    book = repository / "book"
    outline = claims.load_outline(book / "outline.yml")
    chapters = {chapter.id: chapter for part in outline for chapter in part.chapters}
    listed = claims.load_claims(book / "claims.yml", chapters)
    assert {claim.table for claim in listed} == set(claims.TABLES)
    tables = [claim.table for claim in listed]
    assert tables == sorted(tables), "the claims of the paper come first"
    files = [chapter.file for chapter in chapters.values()]
    notebooks = {f"notebooks/{path.stem}" for path in (repository / "notebooks").glob("[0-9][0-9]_*.py")}
    assert notebooks <= set(files), "a chapter is missing in outline.yml"
    assert files == sorted(files), "chapters are numbered in the order of the outline"


def test_a_changed_criterion_says_when_from_what_to_what_and_why(repository):
    rows = yaml.safe_load((repository / "book" / "claims.yml").read_text())
    changed = [row["criterion_changed"] for row in rows if "criterion_changed" in row]
    assert changed
    for text in changed:
        assert re.match(r"\d{4}-\d\d-\d\d: .*\bto .*, because ", text), text


def test_the_margin_of_a_verdict_is_the_distance_from_its_nearest_bound():
    assert claims.margin("<= 1.25", 1.19, 0.04) == pytest.approx(1.5)
    assert claims.margin("0.683 within 0.05", 0.763, 0.01) == pytest.approx(3.0)
    assert claims.margin("== 0", 0.0, None) is None


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (0.25, 0.02, "(2.5 σ away)"),
        (0.18, 0.0201, "(just under 1 σ away)"),
        (0.18, 0.02, "(1.0 σ away)"),
        (0.22, 0.05, "(0.4 σ away)"),
        (0.22, None, ""),
    ],
)
def test_a_margin_in_words_never_contradicts_its_verdict(value, error, words):
    row = verdict(claim(result="r", criterion="<= 0.2"), result(value, error=error))
    assert claims.margin_in_words("<= 0.2", value, error) == words
    assert (row.kind == "undecided") is ("just under" in words or "0.4" in words)
