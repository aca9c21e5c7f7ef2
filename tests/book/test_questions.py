"""Three questions for each chapter, each with one right answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from claims import load_outline
from dmlib.errors import DmlibError
from questions import load_questions

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


@pytest.mark.parametrize("fault", ["right: 3", "right: 0", "right: 1, hint: no"])
def test_a_question_that_cannot_be_asked(tmp_path, fault):
    path = tmp_path / "questions.yml"
    path.write_text(f"a: [{{ask: What?, choices: [this, that], why: Because., {fault}}}]")
    with pytest.raises(DmlibError, match=r"questions\.yml cannot be read"):
        load_questions(path)
