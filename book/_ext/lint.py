"""Sphinx extension: text that stands in for what it is not stops the book.

A chapter's number that was typed by hand, a promise of something to come, a number that is none, a table that is not
one: each is a warning, and the builder takes warnings for errors.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

#: What no sentence of the book may contain, and what to do instead.
FAULTS: dict[re.Pattern[str], str] = {
    re.compile(r"\b[Cc]hapters? \d+"): "a chapter's number typed by hand: link to it with {doc}",
    re.compile(r"\b[Ff]ig(?:ure|\.)s? \d+\.\d"): "a figure's number typed by hand: refer to it with {numref}",
    re.compile(r"\bto come\b(?! (?:from|into|out|to|back|close|near|with|about|in))"): "a promise: say what is there",
    re.compile(
        r"^\s*(?:nan|NaN|-?inf)\s*$|± ?(?:nan|NaN|inf)\b|\b(?:nan|NaN|inf) ?±"
    ): "a number that is none: say what is missing",
    re.compile(r"\b(?:TODO|FIXME|XXX)\b"): "an unfinished text",
    re.compile(r"^\|.*\|\s*\n?\|\s*:?-{3}"): "a table that is not one: a | in its mathematics is \\vert",
    re.compile(r"\{(?:num|doc|cite|numref|ref)[a-z:]*\}"): "a role that is not one",
}

_CELL = re.compile(r">\s*(nan|NaN|None|-?inf)\s*<")
_QUOTED = (nodes.literal, nodes.literal_block, nodes.raw, nodes.math, nodes.math_block, nodes.comment, nodes.reference)
#: Pages made from docstrings and from the record of changes.
_NOT_PROSE = re.compile(r"api/|changelog$")


def faults(doctree: nodes.document) -> list[tuple[nodes.Node, str]]:
    """Find what no page may say.

    Returns
    -------
    list of (node, str)
        Where it stands, and what is wrong with it.
    """
    found: list[tuple[nodes.Node, str]] = []
    for text in doctree.findall(nodes.Text):
        above = text.parent
        while above is not None and not isinstance(above, _QUOTED):
            above = above.parent
        if above is None:
            for pattern, wrong in FAULTS.items():
                if match := pattern.search(text.astext()):
                    found.append((text.parent, f"'{match[0].strip()}' is {wrong}"))
    for raw in doctree.findall(nodes.raw):
        if match := _CELL.search(raw.astext()):
            found.append((raw, f"a table shows '{match[1]}': say what is missing"))
    return found


def without_caption(chapter: nodes.document) -> list[nodes.Node]:
    """Find the tables of a chapter that have no caption, that of its prerequisites excepted."""
    bare: list[nodes.Node] = [raw for raw in chapter.findall(nodes.raw) if "<table" in raw.astext()]
    for table in chapter.findall(nodes.table):
        titles = [entry.astext() for head in table.findall(nodes.thead) for entry in head.findall(nodes.entry)]
        if not isinstance(table.children[0], nodes.title) and titles[:1] != ["Prerequisite"]:
            bare.append(table)
    return bare


def _check(app: Sphinx, doctree: nodes.document) -> None:
    if not _NOT_PROSE.match(app.env.docname):
        for node, wrong in faults(doctree):
            logger.warning(wrong, location=node, type="dmlib", subtype="prose")
    if app.env.docname.startswith("notebooks/"):
        for table in without_caption(doctree):
            logger.warning(
                "a table without a caption: begin it with :::{table} and its caption, or give show_table one",
                location=table,
                type="dmlib",
                subtype="table",
            )


def setup(app: Sphinx) -> dict:
    """Check each page when it is read."""
    app.connect("doctree-read", _check)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
