"""Sphinx extension of the book: numbers by name, claims, boxes, the outline, the run's banner.

It reads ``results.json``, ``run.json`` and ``figures.json`` in ``_data``, which `pages.py` puts beside the pages.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import ClassVar

import pybtex.plugin
import yaml
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.util.parallel import make_chunks
from sphinxcontrib.bibtex.plugin import register_plugin
from sphinxcontrib.bibtex.style.referencing import BracketStyle
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle

import claims
import found
import quoting
from dmlib.errors import DmlibError

logger = logging.getLogger(__name__)

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


def _number(written: str, row: dict, *, narrow: bool = False) -> nodes.Node:
    """A number as the text's own mathematics would set it, with its origin as a tooltip.

    In a narrow column it may break before its error.
    """
    node = nodes.abbreviation(explanation=quoting.provenance(row), classes=["num"])
    written = written.replace(" ", "\u00a0")
    before, sun, after = (written.replace("\u00a0±", " ±") if narrow else written).partition("M☉")
    node += nodes.Text(before)
    if sun:
        node += nodes.emphasis(text="M")
        node += nodes.subscript(text="⊙")
    if after:
        node += nodes.Text(after)
    return node


class NumberRole(SphinxRole):
    """``{num}`id:.2f±```: a recorded number with its unit; format and error are optional.

    Names as of `quoting.look_up`.
    """

    def run(self):
        target = self.text.strip()
        with_error = target.endswith("±")
        name, _, format_spec = target.rstrip("±").strip().partition(":")
        try:
            row = quoting.look_up(self.env.app.dmlib_results, name)
            written = quoting.quote(row, format_spec, with_error=with_error)
        except (DmlibError, ValueError) as error:
            message = str(error) if isinstance(error, quoting.UnknownNumber) else f"number '{target}': {error}"
            logger.warning(message, location=self.get_location(), type="dmlib", subtype="num")
            return [nodes.inline(text=f"[{name}?]", classes=["num", "num-missing"])], []
        return [_number(written, row)], []


class _Table(SphinxDirective):
    """Helpers to build tables whose cells hold MyST text."""

    has_content = False

    def inline(self, text: str) -> list[nodes.Node]:
        parsed, messages = self.state.inline_text(text, self.lineno)
        return [*parsed, *messages]

    def table(
        self,
        head: list[str],
        rows: list[list[list[nodes.Node]]],
        classes: list[str],
        widths: list[int],
        caption: str = "",
    ):
        table = nodes.table(classes=[*classes, "colwidths-given"])
        if caption:
            table += nodes.title(text=caption)
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
        absent = chapter.real is not None and chapter.real.absent(self.env.app.dmlib_results)
        title = chapter.real.title if absent else chapter.title
        if chapter.file not in self.env.app.dmlib_pages:
            return [
                nodes.inline(text=title),
                nodes.Text(" "),
                nodes.inline(text="not in this copy", classes=["absent"]),
            ]
        return self.inline(f"{{doc}}`{title} </{chapter.file}>`")


class _Claims(_Table):
    """Claims with their verdicts."""

    required_arguments = 1

    def rows(self) -> list[claims.Row]:
        app = self.env.app
        if self.arguments[0] not in claims.TABLES:
            raise self.error(f"there is no table '{self.arguments[0]}' of claims: {', '.join(claims.TABLES)}")
        try:
            rows = [claims.evaluate(claim, app.dmlib_results, app.dmlib_chapters) for claim in app.dmlib_claims]
        except DmlibError as error:
            raise self.error(str(error)) from error
        return [row for row in rows if row.claim.table == self.arguments[0]]


class ClaimsTable(_Claims):
    """``{claims-table} paper`` or ``scripts``: claims, our numbers, verdicts.

    ``:short:`` leaves out reasons and further readings, ``:claims: id id`` all others.
    """

    option_spec: ClassVar = {"short": directives.flag, "claims": directives.unchanged_required}

    def run(self):
        rows = self.rows()
        if "claims" in self.options:
            known = {row.claim.id: row for row in rows}
            wanted = self.options["claims"].split()
            if lost := [name for name in wanted if name not in known]:
                raise self.error(f"table '{self.arguments[0]}' has no claim '{lost[0]}'")
            rows = [known[name] for name in wanted]
        short = "short" in self.options
        readings = [reading for row in rows for reading in (row, *(() if short else row.others))]
        checks = self.arguments[0] == "scripts"
        head = ["Check", "Intended", "Here"] if checks else ["Claim", "Paper", "Here"]
        with_floor = any(row.floor for row in readings)
        head += ["Floor", "Verdict"] if with_floor else ["Verdict"]
        cells = []
        for row in readings:
            cell = [self._statement(row), self._paper(row), self._here(row)]
            cells.append([*cell, *([self._floor(row)] if with_floor else []), self._verdict(row)])
        widths = [30, 18, 13, 12, 27] if with_floor else [36, 20, 14, 30]
        # In a chapter a table has a number; the pages of claims name theirs in headings.
        caption = f"{claims.TABLES[self.arguments[0]]}, with our numbers and verdicts."
        in_chapter = self.env.docname.startswith("notebooks/")
        return self.table(head, cells, ["claims", "cards"], widths, caption if in_chapter else "")

    def _statement(self, row: claims.Row) -> list[nodes.Node]:
        if row.reading is not row.claim:
            words = self.inline(f"Read instead as: {row.reading.reading}")
            return [nodes.inline("", "", *words, classes=["reading"])]
        read = f" Read as: {row.reading.reading}" if row.reading.reading and "short" not in self.options else ""
        link = self.chapter_link(self.env.app.dmlib_outline[row.claim.chapter])
        return [*self.inline(row.claim.statement + read), nodes.inline("", "", *link, classes=["detail"])]

    def _paper(self, row: claims.Row) -> list[nodes.Node]:
        if row.reading is not row.claim:
            return [nodes.Text("same")]
        grade = row.claim.grade
        tag = nodes.abbreviation(text=grade, explanation=claims.GRADES[grade], classes=["grade"])
        return [*self.inline(row.claim.paper), nodes.Text(" "), tag]

    def _here(self, row: claims.Row) -> list[nodes.Node]:
        return self._quoted(row.result, row.reading.format)

    def _floor(self, row: claims.Row) -> list[nodes.Node]:
        return self._quoted(row.floor, row.reading.format)

    def _quoted(self, result: dict | None, form: str) -> list[nodes.Node]:
        if result is None:
            return [nodes.Text("—")]
        return [_number(quoting.quote(result, form, with_error=result["error"] is not None), result, narrow=True)]

    def _verdict(self, row: claims.Row) -> list[nodes.Node]:
        cell: list[nodes.Node] = [
            nodes.inline(text=claims.VERDICTS[row.kind], classes=["verdict", f"verdict-{row.kind}"])
        ]
        details = [row.where]
        first = row.reading is row.claim
        if row.reading.criterion and row.result:
            bound = claims.criterion_in_words(row.reading.criterion, row.result["unit"], row.reading.format)
            far = claims.margin_in_words(row.reading.criterion, row.result["value"], row.result["error"])
            details.append(f"criterion: {bound} {far}".strip())
        if row.result and row.result["n"] is not None and "short" not in self.options:
            details.append(f"n = {row.result['n']}")
        if "short" not in self.options:
            details.append(claims.floor_in_words(row))
        if "short" not in self.options and first:
            changed = row.claim.criterion_changed
            details += [row.claim.why, f"Criterion changed after results were seen: {changed}" if changed else ""]
        for detail in filter(None, details):
            cell += [nodes.Text(" "), nodes.inline("", "", *self.inline(detail), classes=["detail"])]
        return cell


class ClaimsTally(_Claims):
    """``{claims-tally} paper`` or ``scripts``: how many verdicts of each kind, and on what."""

    def run(self):
        rows, table = self.rows(), self.arguments[0]
        words = claims.tally_in_words(claims.tally(rows, table))
        title = nodes.strong(text=f"{claims.TABLES[table]} ({len(rows)})")
        box = nodes.container(classes=["tally"])
        box += nodes.paragraph("", "", title, nodes.Text(f". {words}"))
        return [box]


class Found(_Table):
    """``{found}`` with ``chapter: id``: the box *What we found*, its sentences chosen by the recorded numbers.

    ``form: paragraph`` joins the sentences; ``form: tiles`` puts the number with which each begins above it; by default
    they are a list. ``figure: fig-name`` instead of a chapter writes what a figure shows, or nothing where found.yml
    has no sentence for it.
    """

    has_content = True

    def run(self):
        given = yaml.safe_load("\n".join(self.content))
        if isinstance(given, dict) and given.keys() == {"figure"}:
            return self._of_figure(given["figure"])
        if not isinstance(given, dict) or not {"chapter"} <= given.keys() <= {"chapter", "form"}:
            raise self.error("a box holds `chapter: id` and, at most, `form: paragraph`, or `figure: fig-name`")
        chapter, form = given["chapter"], given.get("form", "list")
        if chapter not in self.env.app.dmlib_found:
            raise self.error(f"found.yml has no box for chapter '{chapter}'")
        said = self._chosen(chapter, f"the box of chapter '{chapter}'")
        if not said:
            return []
        if form == "tiles":
            return [self._tiles(said)]
        box = nodes.admonition(classes=["found"])
        box += nodes.title(text="What we found")
        # Sentences on the same data stand together, below its name.
        for where in dict.fromkeys(sentence.where for sentence in said):
            if where:
                box += nodes.paragraph(text=f"On {where}.", classes=["found-where"])
            texts = [self.inline(sentence.text) for sentence in said if sentence.where == where]
            if form == "paragraph":
                box += nodes.paragraph("", "", *(node for text in texts for node in (*text, nodes.Text(" "))))
            else:
                box += nodes.bullet_list("", *(nodes.list_item("", nodes.paragraph("", "", *text)) for text in texts))
        return [box]

    def _chosen(self, key: str, what: str) -> list[found.Said]:
        said, problems = found.choose(self.env.app.dmlib_found.get(key, []), self.env.app.dmlib_results)
        for problem in problems:
            message = f"{what} lacks a sentence: {problem}"
            logger.warning(message, location=self.get_location(), type="dmlib", subtype="found")
        return said

    def _of_figure(self, figure: str) -> list[nodes.Node]:
        """The sentences of a figure; its caption names the data, unless they are of several sets."""
        said = self._chosen(figure, f"figure '{figure}'")
        if not said:
            return []
        shown = nodes.paragraph("", "", nodes.strong(text="What it shows."), classes=["figure-found"])
        for sentence in said:
            shown += [nodes.Text(" "), *self.inline(sentence.text)]
            if " and on " in sentence.where:
                shown += nodes.inline(text=f" (On {sentence.where}.)", classes=["found-where"])
        return [shown]

    def _tiles(self, said: list[found.Said]) -> nodes.Node:
        tiles = nodes.container(classes=["tiles"])
        for sentence in said:
            number, _, words = sentence.text.partition(": ")
            tile = nodes.container(classes=["tile"])
            tile += nodes.paragraph("", "", *self.inline(number.strip()), classes=["tile-number"])
            tile += nodes.paragraph("", "", *self.inline(words.strip()))
            if sentence.where:
                tile += nodes.paragraph(text=f"On {sentence.where}.", classes=["found-where"])
            tiles += tile
        return tiles


class RunTimes(_Table):
    """``{run-times}``: how long each step of this run took, and how much memory its process held."""

    def run(self):
        steps = (self.env.app.dmlib_run or {}).get("steps", [])
        if not steps:
            return [nodes.paragraph(text="This copy was built without the account of its run.")]
        cells = [
            [
                [nodes.literal(text=step["name"])],
                [nodes.Text("—" if step["seconds"] is None else f"{step['seconds']:.0f} s")],
                [nodes.Text("—" if step["memory_mb"] is None else f"{step['memory_mb'] / 1000:.1f} GB")],
            ]
            for step in steps
        ]
        return self.table(["Step", "Time", "Memory"], cells, ["times"], [50, 25, 25])


class Recorded(SphinxDirective):
    """``{recorded} id`` and ``{not-recorded} id``: text for copies that have, or that lack, a recorded number."""

    required_arguments = 1
    has_content = True

    def run(self):
        recorded = self.arguments[0] in self.env.app.dmlib_results
        return self.parse_content_to_nodes() if recorded is (self.name == "recorded") else []


class Outline(_Table):
    """``{outline}``: all chapters by part, those included that this copy lacks."""

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
        box += nodes.paragraph("", "", *self.inline(quoting.banner(run)))
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
    app.dmlib_found = found.load_found(root / "found.yml", app.dmlib_outline)
    app.dmlib_pages = claims.pages_of_toc(root / "_toc.yml")
    app.dmlib_chapters = {id for id, chapter in app.dmlib_outline.items() if chapter.file in app.dmlib_pages}
    # They number sections after the reading, and set LaTeX, but do not declare that pages may be read in parallel.
    for name in {"sphinx_multitoc_numbering", "sphinx_jupyterbook_latex"} & app.extensions.keys():
        app.extensions[name].parallel_read_safe = True


def _deal(app: Sphinx, environment: BuildEnvironment, pages: list[str]) -> None:
    """Deal out the pages of the API, which take most of the time, so that each process begins with as much of them.

    Sphinx cuts the list into parts of equal length; a process that is done takes one of those that are left.
    """
    processes = max(1, app.parallel)
    pages.sort(key=lambda page: (not page.startswith("api/"), -Path(environment.doc2path(page)).stat().st_size))
    first = processes * len(next(iter(make_chunks(pages, processes)), ()))
    pages[:first] = [page for k in range(processes) for page in pages[k:first:processes]]


def _order(app: Sphinx, environment: BuildEnvironment) -> None:
    """Sort the lists of sources, which come in the order in which the processes end.

    A page that has none leads to the last of them, the bibliography's.
    """
    cite = environment.domaindata["cite"]
    cite["bibliographies"] = dict(sorted(cite["bibliographies"].items(), reverse=True))


def setup(app: Sphinx) -> dict:
    """Register roles and directives."""
    register_plugin("sphinxcontrib.bibtex.style.referencing", "author_year_round", AuthorYear)
    # Asked for the same plugin at each citation, pybtex would search all packages of the environment for it.
    pybtex.plugin.entry_points = cache(pybtex.plugin.entry_points)
    app.connect("builder-inited", _load)
    app.connect("env-before-read-docs", _deal)
    app.connect("env-updated", _order, priority=100)  # before the lists of sources are used
    app.add_role("num", NumberRole())
    app.add_directive("claims-table", ClaimsTable)
    app.add_directive("claims-tally", ClaimsTally)
    app.add_directive("found", Found)
    app.add_directive("outline", Outline)
    app.add_directive("run-times", RunTimes)
    app.add_directive("recorded", Recorded)
    app.add_directive("not-recorded", Recorded)
    app.add_directive("run-summary", RunSummary)
    app.add_directive("front-figure", FrontFigure)
    app.add_post_transform(KeepPunctuation)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
