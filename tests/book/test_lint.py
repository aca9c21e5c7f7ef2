"""No page says what stands in for something else."""

from __future__ import annotations

import pytest
from docutils import nodes
from docutils.utils import new_document

import lint


def told(*content: nodes.Node) -> list[str]:
    document = new_document("a")
    document += nodes.section("", *content)
    return [wrong for _, wrong in lint.faults(document)]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("As Chapter 7 shows.", "typed by hand"),
        ("See Fig. 10.3.", "typed by hand"),
        ("The real cubes are to come.", "promise"),
        ("The error is 1.0 ± nan dex.", "none"),
        ("nan", "none"),
        ("TODO write this", "unfinished"),
        ("| mean |x| | y |\n|---|---|", "not one"),
        ("It is {num}`x`.", "role"),
    ],
)
def test_each_fault_is_found(text, wrong):
    (found,) = told(nodes.paragraph(text=text))
    assert wrong in found


@pytest.mark.parametrize(
    "text",
    [
        "A view without gas is NaN in the file.",
        "None of the networks is better.",
        "What has to come from elsewhere is named.",
        "Each chapter has 10 pages, and its figures 3 panels.",
        "The finite inner radius.",
    ],
)
def test_plain_sentences_pass(text):
    assert told(nodes.paragraph(text=text)) == []


def test_code_and_links_are_not_read():
    code = nodes.literal_block(text="x = nan  # TODO in Chapter 7")
    link = nodes.reference(text="Fig. 10.3")
    assert told(code, nodes.paragraph("", "", nodes.literal(text="nan"), link)) == []


def test_a_table_with_a_number_that_is_none():
    assert told(nodes.raw("", "<td>nan</td>", format="html")) == ["a table shows 'nan': say what is missing"]
    assert told(nodes.raw("", "<td>1.0</td>", format="html")) == []


def table(*heads: str, caption: str = "") -> nodes.table:
    head = nodes.thead("", nodes.row("", *(nodes.entry("", nodes.paragraph(text=text)) for text in heads)))
    titles = [nodes.title(text=caption)] if caption else []
    return nodes.table("", *titles, nodes.tgroup("", head))


def test_a_table_of_a_chapter_has_a_caption():
    document = new_document("a")
    bare = table("method", "error")
    raw = nodes.raw("", "<table><tr><td>1</td></tr></table>", format="html")
    document += [table("Prerequisite", "Why"), table("method", caption="Errors."), bare, raw]
    assert lint.without_caption(document) == [raw, bare]
