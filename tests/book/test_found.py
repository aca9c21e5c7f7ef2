"""The boxes *What we found*: each sentence can be chosen, none is shown that its numbers do not support."""

from __future__ import annotations

import re

import numpy as np
import pytest
import yaml

import found
from claims import load_outline
from found import FoundError, choose, holds, load_found

#: Attempts to find numbers that make a sentence of the book's own file the chosen one.
TRIES = 3000


def row(id, value, error=0.1, n=9, universe="embedded", profile="quick"):
    fields = {"value": value, "error": error, "n": n, "universe": universe, "profile": profile}
    return {id: {"id": id, "unit": "", "statement": id, **fields}}


ROWS = row("a", 1.0) | row("b", 1.3) | row("c", -2.0, error=None) | row("d.x-1", 0.5, universe="SPARC", profile=None)


@pytest.mark.parametrize(
    ("condition", "true"),
    [
        ("{a} > 0.9", True),
        ("{a} < {b} < 2", True),
        ("{a} > {b} or {c} == -2", True),
        ("{a} < {b} and not {c} > 0", True),
        ("abs({c}) >= 2 and {|c|} == 2", True),
        ("({b} - {a}) / {a} * 2 + 1 != 1", True),
        ("{a.error} <= 0.1 and {a.n} == 9", True),
        ("{d.x-1} == 0.5 and {d.x-1.n} == 9", True),
        # 0.3 apart, with an error of 0.14
        ("differs({a}, {b})", True),
        ("differs({a}, {b}, 2)", True),
        ("differs({a}, {b}, 3)", False),
        ("larger({b}, {a}, 2)", True),
        ("larger({a}, {b})", False),
        ("smaller({a}, {b})", True),
        ("smaller({b}, {a})", False),
        ("smaller({a}, 1.05)", False),
        ("smaller({a}, 1.15) and differs({a}, -1)", True),
    ],
)
def test_conditions(condition, true):
    assert holds(condition, ROWS) is true


@pytest.mark.parametrize(
    "condition",
    [
        "{a}",
        "{a} + 1",
        "{a} >",
        "a > 1",
        "{a:.2f} > 1",
        "{a} > 'x'",
        "{a} ** 2 > 1",
        "{a} > 1 if {b} > 1 else {a} < 1",
        "__import__('os').system('x') == 0",
        "{a}.real > 0",
        "[{a}] > [0]",
        "max({a}, {b}) > 0",
        "differs({a})",
        "differs({a} - {b}, 0)",
        "abs({a}, {b}) > 1",
        "True",
    ],
)
def test_what_is_no_condition_is_refused_before_anything_is_computed(condition, tmp_path):
    path = tmp_path / "found.yml"
    path.write_text(yaml.safe_dump({"one": [[{"when": condition, "say": "x"}]]}))
    with pytest.raises(FoundError):
        load_found(path, {"one"})


def test_a_number_without_an_error_is_not_compared_within_the_error():
    with pytest.raises(FoundError, match="no error"):
        holds("differs({c}, 0)", ROWS)


def box(tmp_path, text):
    path = tmp_path / "found.yml"
    path.write_text(text)
    return load_found(path, {"one", "two"})


def test_the_first_true_sentence_of_each_group_is_shown(tmp_path):
    groups = box(
        tmp_path,
        """
one:
  - - {when: "{a} > 2", say: nope}
    - {when: "{a} > 0", say: "{a:.2f±} and {|c|:.1f}, from {a.n}"}
    - {else: never}
  - {when: "{a} > 5", say: left out}
  - - {when: "{a} > 5", say: nope}
    - else: the rest
  - {say: "TeX $10^{11}$, $M_\\\\mathrm{dm}$, a role {doc}`x`"}
""",
    )["one"]
    said, problems = choose(groups, ROWS)
    assert [one.text for one in said] == [
        "{num}`a:.2f±` and {num}`|c|:.1f`, from {num}`a.n`",
        "the rest",
        "TeX $10^{11}$, $M_\\mathrm{dm}$, a role {doc}`x`",
    ]
    assert problems == []


def test_a_sentence_names_the_data_of_its_numbers_and_of_its_condition(tmp_path):
    groups = box(tmp_path, 'one: [{when: "{a} > 0", say: x}, {when: "{a} > 0", say: "{d.x-1:.1f}"}, {say: no number}]')
    here = "the embedded universe (profile quick)"
    assert [one.where for one in choose(groups["one"], ROWS)[0]] == [here, f"{here} and on real galaxies (SPARC)", ""]


def test_a_missing_number_leaves_its_group_out_and_is_reported(tmp_path):
    groups = box(
        tmp_path,
        """
one:
  - - {when: "{gone} > 2", say: nope}
    - {else: not this either}
  - {say: "{gone:.1f}"}
  - - {when: "{gone} > 2", say: nope, optional: true}
    - {else: nor this}
  - {say: "{c:.1f±}"}
  - {say: "{a:.1q}"}
  - {say: stays}
""",
    )["one"]
    said, problems = choose(groups, ROWS)
    assert [one.text for one in said] == ["stays"]
    assert ["'gone'" in text for text in problems] == [True, True, False, False]
    assert "no error to quote" in problems[2]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("three: [{say: x}]", "'three'"),
        ("one: [{say: x, wen: y}]", "wen"),
        ("one: [{when: '{a} > 1'}]", "say"),
        ("one: [{else: x}]", "else"),
        ("one: [[{say: x}, {say: y}]]", "without a condition"),
        ("one: 3", "cannot be read"),
        ("one: [", "cannot be read"),
    ],
)
def test_a_faulty_file_is_named(tmp_path, text, told):
    with pytest.raises(FoundError, match=f"found.yml.*{told}"):
        box(tmp_path, text)


# --- the book's own sentences -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chapters(repository):
    outline = load_outline(repository / "book" / "outline.yml")
    return {chapter.id: chapter.file for part in outline for chapter in part.chapters}


@pytest.fixture(scope="module")
def boxes(repository, chapters):
    return load_found(repository / "book" / "found.yml", chapters)


def drawn(group, rng):
    """Numbers for all names of a group: of any size, and near the thresholds of its conditions and each other."""
    ids = {re.sub(r"\.(error|n)$", "", name.strip("|")) for sentence in group for name in sentence.names}
    typed = [float(number) for sentence in group for number in re.findall(r"(?<![\w.-])\d+\.?\d*", sentence.when or "")]
    near = [*typed, 0.0, 1.0, rng.normal()]
    rows = {}
    for id in sorted(ids):
        value = rng.choice(near) + rng.choice([0, 1, -1]) * 10 ** rng.uniform(-3, 2)
        rows |= row(id, value, error=10 ** rng.uniform(-4, 1), n=int(10 ** rng.uniform(0, 4)))
    return rows


def test_each_sentence_can_be_chosen_and_is_written_with_its_numbers(boxes):
    rng = np.random.default_rng(11)
    for chapter, groups in boxes.items():
        for group in groups:
            waiting = set(range(len(group)))
            outcomes = {sentence.when: set() for sentence in group if sentence.when}
            for _ in range(TRIES):
                rows = drawn(group, rng)
                for when, seen in outcomes.items():
                    seen.add(holds(when, rows))
                chosen = next((i for i, one in enumerate(group) if one.when is None or holds(one.when, rows)), None)
                if chosen in waiting:
                    said, problems = choose([group], rows)
                    assert problems == [] and len(said) == 1, f"{chapter}: {group[chosen].say}"
                    assert not found._NUMBER.search(said[0].text)
                    waiting.remove(chosen)
                if not waiting and all(len(seen) == 2 for seen in outcomes.values()):
                    break
            assert not waiting, f"{chapter}: no numbers lead to: {group[min(waiting)].say}"
            assert all(len(seen) == 2 for seen in outcomes.values()), f"{chapter}: always or never: {outcomes}"


def test_where_two_numbers_are_compared_one_branch_says_that_they_may_not_differ(boxes):
    """A group that tests for a difference has a sentence for the case that there is none."""
    for chapter, groups in boxes.items():
        for group in groups:
            tested = any(re.search(r"\b(larger|smaller|differs)\(", one.when or "") for one in group)
            assert not tested or group[-1].when is None, f"{chapter}: {group[0].say}"


def test_each_sentence_of_a_figure_has_its_figure_and_each_chapter_such_a_sentence(repository, boxes, chapters):
    """Chapters 3 to 19 have at least one key figure; the first two and the last are told by their boxes."""
    told = {key for key in boxes if key.startswith(found.FIGURE)}
    shown = {}
    for id, file in chapters.items():
        path = repository / f"{file}.py"
        names = (
            re.findall(r'show\(.*?settings,\s*"([a-z0-9_]+)"', path.read_text(), re.DOTALL) if path.is_file() else []
        )
        shown[id] = {f"{found.FIGURE}{name.replace('_', '-')}" for name in names}
    assert told <= set().union(*shown.values()), told - set().union(*shown.values())
    without = [id for id in list(chapters)[2:19] if not told & shown[id]]
    assert not without, f"no figure says what it shows: {without}"


def test_each_box_stands_in_its_notebook_and_each_notebook_s_box_is_written(repository, boxes, chapters):
    for chapter, file in chapters.items():
        path = repository / f"{file}.py"
        text = path.read_text() if path.is_file() else ""
        shown = re.findall(r"^# ```\{found\}\n# chapter: (\w+)$", text, re.MULTILINE)
        assert shown == ([chapter] if chapter in boxes else []), f"{file}: box and found.yml do not fit"
    front = re.findall(r"^```\{found\}\nchapter: (\w+)$", (repository / "book" / "index.md").read_text(), re.MULTILINE)
    assert tuple(front) == found.FRONT and set(found.FRONT) <= boxes.keys()
