"""Three questions for each chapter, each with one right answer; exercises whose commands and cells can be run."""

from __future__ import annotations

import ast
import importlib
import shlex
from pathlib import Path

import pytest
import typer

from claims import load_outline
from dmlib.cli import app
from dmlib.cli.options import parameters_of
from dmlib.errors import DmlibError
from dmlib.pipeline.steps import _refuse_unknown
from mocktng import cli as mocktng
from questions import load_exercises, load_questions

BOOK = Path(__file__).parents[2] / "book"


def test_every_chapter_has_three():
    asked = load_questions(BOOK / "questions.yml")
    chapters = [
        chapter.file.partition("_")[2] for part in load_outline(BOOK / "outline.yml") for chapter in part.chapters
    ]
    assert sorted(asked) == sorted(chapters)
    assert {len(questions) for questions in asked.values()} == {3}
    # The place of the right answer must not give it away.
    places = [question.right for questions in asked.values() for question in questions]
    assert max(places.count(place) for place in set(places)) < 0.75 * len(places)


def test_no_choice_is_torn_at_a_comma():
    """The choices of a question are all sentences, or none is: what YAML cuts at a comma ends without a full stop."""
    for questions in load_questions(BOOK / "questions.yml").values():
        for question in questions:
            assert len({choice.endswith(".") for choice in question.choices}) == 1, question.choices


@pytest.mark.parametrize("fault", ["right: 3", "right: 0", "right: 1, hint: no"])
def test_a_question_that_cannot_be_asked(tmp_path, fault):
    path = tmp_path / "questions.yml"
    path.write_text(f"a: [{{ask: What?, choices: [this, that], why: Because., {fault}}}]")
    with pytest.raises(DmlibError, match=r"questions\.yml cannot be read"):
        load_questions(path)


# --- exercises --------------------------------------------------------------------------------------------------------

PARTS = load_exercises(BOOK / "exercises.yml")
STARTS = [start for part in PARTS for start in (*part.exercises, part.project)]


def test_every_part_has_all_grades_and_a_project():
    assert [part.part for part in PARTS] == [part.part for part in load_outline(BOOK / "outline.yml")]
    for part in PARTS:
        assert [one.grade for one in part.exercises] == sorted(one.grade for one in part.exercises)
        assert {one.grade for one in part.exercises} == {1, 2, 3}
        assert part.project.title and part.project.grade is None


def test_a_command_of_an_exercise_is_one_that_the_program_understands(tmp_path, monkeypatch):
    """Options, values and parameters of notebooks are read as by the program, which then does nothing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_cube.fits").touch()
    program = typer.main.get_command(app)
    for start in STARTS:
        name, *words = shlex.split(start.first) or [""]
        if name == "dmlib":
            context = program.make_context("dmlib", list(words))
            _, command, rest = program.resolve_command(context, words)
            given = command.make_context(command.name, rest, parent=context).params
            _refuse_unknown(parameters_of(given.get("parameter")))
            chapters = [*(BOOK.parent / "notebooks").glob("*.py")]
            assert set(given.get("only") or ()) <= {path.stem for path in chapters}, start.first
        elif name == "mocktng":
            mocktng._parser().parse_args(words)
        else:
            assert start.cell, start.first


@pytest.mark.parametrize("cell", [start.cell for start in STARTS if start.cell])
def test_a_cell_of_an_exercise_uses_names_that_exist(cell):
    for node in ast.walk(ast.parse(cell)):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            assert all(
                hasattr(module, one.name) or importlib.import_module(f"{node.module}.{one.name}") for one in node.names
            )
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "load":
            assert hasattr(importlib.import_module("dmlib.load"), node.attr), node.attr
    assert max(map(len, cell.splitlines())) <= 79
