"""Sphinx extension: questions by which readers test themselves, and exercises.

Of ``book/questions.yml`` each question has answers to choose from; the right one and its reason are folded away.
Nothing is sent, nothing is stored. ``book/exercises.yml`` has exercises in three grades and a project for each part.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from dmlib.errors import DmlibError


class Question(BaseModel):
    """A question with answers to choose from.

    Parameters
    ----------
    ask : str
        MyST.
    choices : list of str
        Two to four (MyST).
    right : int
        Number of the right one, from 1.
    why : str
        The reason (MyST).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ask: str
    choices: Annotated[tuple[str, ...], Field(min_length=2, max_length=4)]
    right: int
    why: str

    @model_validator(mode="after")
    def _right_is_a_choice(self) -> Question:
        if not 1 <= self.right <= len(self.choices):
            raise ValueError(f"the right answer of '{self.ask}' is none of its choices")
        return self


def load_questions(path: str | Path) -> dict[str, list[Question]]:
    """Read ``questions.yml``: questions by chapter, as its notebook is called without its number.

    Raises
    ------
    DmlibError
        When the file cannot be read.
    """
    return _load(Path(path), dict[str, list[Question]])


def _load(path: Path, content: Any) -> Any:
    try:
        return TypeAdapter(content).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise DmlibError(f"{path.name} cannot be read: {' '.join(str(error).split())}") from error


class Start(BaseModel):
    """An exercise or a project, with where to begin: a command, or the first cell of a notebook.

    Parameters
    ----------
    ask : str
        MyST.
    first, cell : str
        One of them.
    grade : {1, 2, 3}, optional
        Of an exercise.
    title : str
        Of a project.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ask: str
    first: str = ""
    cell: str = ""
    grade: Literal[1, 2, 3] | None = None
    title: str = ""

    @model_validator(mode="after")
    def _one_beginning(self) -> Start:
        if bool(self.first) == bool(self.cell):
            raise ValueError(f"'{self.ask}' begins with a command or with a cell")
        return self

    def __str__(self) -> str:
        grade = f"**{GRADES[self.grade]}.** " if self.grade else ""
        language, code = ("bash", self.first) if self.first else ("python", self.cell.rstrip())
        return f"{grade}{self.ask}\n\n```{language}\n{code}\n```"


#: How long an exercise of each grade takes.
GRADES = {1: "One hour", 2: "One afternoon", 3: "One week"}


class PartExercises(BaseModel):
    """Exercises and the project of a part of the book."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    part: str
    exercises: tuple[Start, ...]
    project: Start


def load_exercises(path: str | Path) -> list[PartExercises]:
    """Read ``exercises.yml``.

    Raises
    ------
    DmlibError
        When the file cannot be read.
    """
    return _load(Path(path), list[PartExercises])


class Exercises(SphinxDirective):
    """``{exercises}``: exercises and projects of all parts."""

    def run(self):
        lines = []
        for part in load_exercises(Path(self.env.srcdir) / "exercises.yml"):
            lines += [f"## {part.part}", *map(str, part.exercises)]
            lines += [f"### Open project: {part.project.title}", str(part.project)]
        return self.parse_text_to_nodes("\n\n".join(lines), allow_section_headings=True)


class Questions(SphinxDirective):
    """``{questions} chapter``: the questions of a chapter, or nothing where it has none."""

    required_arguments = 1

    def run(self):
        asked = load_questions(Path(self.env.srcdir) / "questions.yml").get(self.arguments[0], [])
        if not asked:
            return []
        lines = ["## Check yourself", ""]
        for number, question in enumerate(asked, start=1):
            choices = "\n".join(f"- {'abcd'[i]}) {choice}" for i, choice in enumerate(question.choices))
            answer = f"**{'abcd'[question.right - 1]})** {question.why}"
            fold = f":::{{admonition}} Answer {number}\n:class: dropdown answer\n{answer}\n:::"
            lines += [f"**{number}.** {question.ask}", "", choices, "", fold, ""]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def setup(app: Sphinx) -> dict:
    """Register the directives."""
    app.add_directive("questions", Questions)
    app.add_directive("exercises", Exercises)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
