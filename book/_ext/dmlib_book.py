"""Sphinx extension of the book: numbers by name, the claims table, the outline, the run's banner, local MathJax.

It reads ``results.json``, ``run.json`` and ``figures.json`` in ``_data``, which `pages.py` puts beside the pages.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinxcontrib.bibtex.plugin import register_plugin
from sphinxcontrib.bibtex.style.referencing import BracketStyle
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle

import claims
from dmlib.errors import DmlibError

logger = logging.getLogger(__name__)

#: What a page that shows TeX as HTML can ask for; the rest of MathJax (24 MB) stays out of the book.
MATHJAX_PARTS = ("tex-chtml.js", "output/chtml/fonts", "input/tex/extensions", "ui", "a11y", "sre")


_PUNCTUATION = re.compile(r"[,.;:!?)\u2019\u201d]+")


def _round() -> BracketStyle:
    """Round brackets and semicolons, as the field's journals have them."""
    return BracketStyle(left="(", right=")", sep="; ")


@dataclass
class AuthorYear(AuthorYearReferenceStyle):
    """Citations as ``(Rubin et al., 1980; Begeman 1987)`` and ``Rubin et al. (1980)``."""

    bracket_parenthetical: BracketStyle = field(default_factory=_round)
    bracket_textual: BracketStyle = field(default_factory=_round)
    bracket_author: BracketStyle = field(default_factory=_round)
    bracket_label: BracketStyle = field(default_factory=_round)
    bracket_year: BracketStyle = field(default_factory=_round)


def _data(app: Sphinx, name: str):
    path = Path(app.srcdir) / "_data" / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _number(written: str, row: dict) -> nodes.Node:
    """A number as the text's own mathematics would set it, with its origin as a tooltip."""
    node = nodes.abbreviation(explanation=claims.provenance(row), classes=["num"])
    before, sun, after = written.replace(" ", "\u00a0").partition("M☉")
    node += nodes.Text(before)
    if sun:
        node += nodes.emphasis(text="M")
        node += nodes.subscript(text="⊙")
    if after:
        node += nodes.Text(after)
    return node


class NumberRole(SphinxRole):
    """``{num}`id:.2f±```: a recorded number with its unit; format and error are optional."""

    def run(self):
        target = self.text.strip()
        with_error = target.endswith("±")
        id, _, format_spec = target.rstrip("±").strip().partition(":")
        rows = self.env.app.dmlib_results
        if id not in rows:
            near = ", ".join(sorted(known for known in rows if known.split(".")[0] == id.split(".")[0])[:8])
            message = f"no chapter recorded the number '{id}'" + (f" (there are: {near})" if near else "")
            logger.warning(message, location=self.get_location(), type="dmlib", subtype="num")
            return [nodes.inline(text=f"[{id}?]", classes=["num", "num-missing"])], []
        row = rows[id]
        try:
            written = claims.quote(row, format_spec, with_error=with_error)
        except (DmlibError, ValueError) as error:
            logger.warning("number '%s': %s", target, error, location=self.get_location(), type="dmlib", subtype="num")
            return [nodes.inline(text=f"[{id}?]", classes=["num", "num-missing"])], []
        return [_number(written, row)], []


class _Table(SphinxDirective):
    """Helpers to build tables whose cells hold MyST text."""

    has_content = False

    def inline(self, text: str) -> list[nodes.Node]:
        parsed, messages = self.state.inline_text(text, self.lineno)
        return [*parsed, *messages]

    def table(self, head: list[str], rows: list[list[list[nodes.Node]]], classes: list[str], widths: list[int]):
        table = nodes.table(classes=classes)
        group = nodes.tgroup(cols=len(head))
        table += group
        for width in widths:
            group += nodes.colspec(colwidth=width)
        header = nodes.row()
        for title in head:
            entry = nodes.entry()
            entry += nodes.paragraph(text=title)
            header += entry
        thead = nodes.thead()
        thead += header
        group += thead
        body = nodes.tbody()
        for cells in rows:
            row = nodes.row()
            for title, cell in zip(head, cells, strict=True):
                entry = nodes.entry()
                # The column's name again, for phones, where each row becomes a card.
                label = nodes.inline(text=title, classes=["card-label"])
                value = nodes.inline("", "", *cell, classes=["card-value"])
                entry += nodes.paragraph("", "", label, value)
                row += entry
            body += row
        group += body
        wrapper = nodes.container(classes=["table-scroll"])
        wrapper += table
        return [wrapper]

    def chapter_link(self, chapter: claims.Chapter) -> list[nodes.Node]:
        if chapter.file not in self.env.app.dmlib_pages:
            return [
                nodes.inline(text=chapter.title),
                nodes.Text(" "),
                nodes.inline(text="to come", classes=["to-come"]),
            ]
        return self.inline(f"{{doc}}`{chapter.title} </{chapter.file}>`")


class ClaimsTable(_Table):
    """``{claims-table}``: claims, our numbers, verdicts. ``:group:`` shows one group, ``:short:`` no reasons."""

    option_spec: ClassVar = {"group": directives.unchanged, "short": directives.flag}

    def run(self):
        app = self.env.app
        try:
            rows = [claims.evaluate(claim, app.dmlib_results, app.dmlib_chapters) for claim in app.dmlib_claims]
        except DmlibError as error:
            raise self.error(str(error)) from error
        group = self.options.get("group")
        cells = []
        for row in rows:
            if group and row.claim.group != group:
                continue
            chapter = app.dmlib_outline[row.claim.chapter]
            verdict: list[nodes.Node] = [nodes.inline(text=row.verdict, classes=["verdict", f"verdict-{row.kind}"])]
            explained = row.kind in ("differs", "fails", "unmeasured") and "short" not in self.options
            detail = [text for text in (row.where, row.claim.why if explained else "") if text]
            if detail:
                verdict += [nodes.Text(" "), nodes.inline("", "", *self.inline(". ".join(detail)), classes=["detail"])]
            cells.append(
                [
                    self.inline(row.claim.statement),
                    [*self.inline(row.claim.paper), nodes.Text(" "), self._grade(row.claim.grade)],
                    self._ours(row),
                    verdict,
                    self.chapter_link(chapter),
                ]
            )
        if not cells:
            raise self.error(f"the claims table has no group '{group}'")
        head = ["Claim", "Paper", "Here", "Verdict", "Chapter"]
        return self.table(head, cells, ["claims", "cards"], [34, 16, 16, 20, 14])

    def _grade(self, grade: str) -> nodes.Node:
        return nodes.abbreviation(text=grade, explanation=claims.GRADES[grade], classes=["grade"])

    def _ours(self, row: claims.Row) -> list[nodes.Node]:
        if row.result is None:
            return [nodes.Text("–")]
        written = claims.quote(row.result, row.claim.format, with_error=row.result["error"] is not None)
        return [_number(written, row.result)]


class Outline(_Table):
    """``{outline}``: all chapters by part, those to come included."""

    def run(self):
        out: list[nodes.Node] = []
        number = 0
        for part in self.env.app.dmlib_parts:
            out.append(nodes.paragraph(text=part.part, classes=["outline-part"]))
            items = nodes.bullet_list(classes=["outline"])
            for chapter in part.chapters:
                number += 1
                item = nodes.list_item()
                label = nodes.inline(text=f"{number}", classes=["outline-number"])
                item += nodes.paragraph("", "", label, nodes.Text(" "), *self.chapter_link(chapter))
                items += item
            out.append(items)
        box = nodes.container(classes=["outline-box"])
        box += out
        return [box]


class RunSummary(_Table):
    """``{run-summary}``: which universe, profile, seed and commit this copy of the book was made from."""

    def run(self):
        app = self.env.app
        run = app.dmlib_run
        if run is None:
            logger.warning(
                "run.json is missing: the front page cannot say what this book was made from",
                location=self.get_location(),
                type="dmlib",
                subtype="run",
            )
            return []
        box = nodes.container(classes=["run-summary", f"run-{run['universe']}"])
        box += nodes.paragraph("", "", *self.inline(claims.banner(run)))
        return [box]


class FrontFigure(SphinxDirective):
    """``{front-figure} name ...``: the first of the named figures that this run has made, linked to its chapter.

    A book made from TNG does not open with a picture of the embedded universe (``embedded_...``).
    """

    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        known = _data(self.env.app, "figures.json") or {}
        run = self.env.app.dmlib_run or {}
        for name in self.arguments[0].split():
            if name in known and (run.get("universe") == "embedded" or not name.startswith("embedded_")):
                break
        else:
            return []
        figure = known[name]
        text = (
            f"```{{figure}} /figures/{name}.png\n:alt: {figure['alt']}\n:figclass: front-figure\n\n"
            f"{figure['caption']} From {{doc}}`/{figure['page']}`.\n```"
        )
        return self.parse_text_to_nodes(text)


class KeepPunctuation(SphinxPostTransform):
    """Keep a formula and the punctuation behind it on one line; browsers would break between them."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs) -> None:
        for formula in list(self.document.findall(nodes.math)):
            after = formula.next_node(descend=False, siblings=True)
            mark = _PUNCTUATION.match(after.astext()) if isinstance(after, nodes.Text) else None
            if mark is None:
                continue
            # By place: two texts with the same letters are equal, and a search would find the first.
            parent = formula.parent
            place = next(i for i, node in enumerate(parent.children) if node is formula)
            parent[place + 1] = nodes.Text(after.astext()[mark.end() :])
            together = nodes.inline(classes=["formula"])
            parent[place] = together
            together += [formula, nodes.Text(mark[0])]


def _load(app: Sphinx) -> None:
    root = Path(app.srcdir)
    rows = _data(app, "results.json") or []
    app.dmlib_results = {row["id"]: row for row in rows}
    app.dmlib_run = _data(app, "run.json")
    app.dmlib_parts = claims.load_outline(root / "outline.yml")
    app.dmlib_outline = {chapter.id: chapter for part in app.dmlib_parts for chapter in part.chapters}
    app.dmlib_claims = claims.load_claims(root / "claims.yml", app.dmlib_outline)
    app.dmlib_pages = claims.pages_of_toc(root / "_toc.yml")
    app.dmlib_chapters = {id for id, chapter in app.dmlib_outline.items() if chapter.file in app.dmlib_pages}


def _copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    spec = importlib.util.find_spec("sphinx-mathjax-offline")
    if spec is None:
        raise DmlibError(
            "package sphinx-mathjax-offline is missing: install it, the book shows its mathematics with it"
        )
    source = Path(spec.origin).parent / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for part in MATHJAX_PARTS:
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / part, target / part)


def setup(app: Sphinx) -> dict:
    """Register roles, directives and the local MathJax."""
    register_plugin("sphinxcontrib.bibtex.style.referencing", "author_year_round", AuthorYear)
    app.connect("builder-inited", _load)
    app.connect("build-finished", _copy_mathjax)
    app.add_role("num", NumberRole())
    app.add_directive("claims-table", ClaimsTable)
    app.add_directive("outline", Outline)
    app.add_directive("run-summary", RunSummary)
    app.add_directive("front-figure", FrontFigure)
    app.add_post_transform(KeepPunctuation)
    app.config.mathjax_path = "mathjax/tex-chtml.js"
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
