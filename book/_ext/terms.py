"""Sphinx extension: the first use of a glossary term in a chapter links to the glossary and shows its meaning."""

from __future__ import annotations

import re
from functools import cached_property

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

#: Where no term is linked: in links, code, mathematics, headings, captions and the names of terms.
_CLOSED: tuple[type, ...] = (
    nodes.reference,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.title,
    nodes.caption,
)
_CLOSED += (nodes.term, nodes.raw, nodes.citation, nodes.abbreviation, nodes.Invisible)

#: Terms that are also words of another meaning, and so are not linked by themselves.
AMBIGUOUS = ("h", "evidence", "prior", "central", "completeness", "profile", "sample", "view", "seed", "group", "shape")


def meanings(glossary: nodes.document) -> dict[str, str]:
    """Return the definition of each term, or nothing where it holds mathematics, which a tooltip cannot show."""
    found = {}
    for item in glossary.findall(nodes.definition_list_item):
        definition = next(item.findall(nodes.definition), None)
        plain = definition is not None and not any(True for _ in definition.findall(nodes.math))
        for term in item.findall(nodes.term):
            found[term.astext().lower()] = " ".join(definition.astext().split()) if plain and definition else ""
    return found


def pattern(terms: list[str]) -> re.Pattern[str]:
    """Whole words, also in the plural; the longest term first."""
    words = sorted(
        (re.escape(term) for term in terms if re.fullmatch(r"[\w -]+", term) and term not in AMBIGUOUS),
        key=len,
        reverse=True,
    )
    return re.compile(rf"(?<![\w-])({'|'.join(words)})(?:s|es)?(?![\w-])", re.IGNORECASE)


class LinkTerms(SphinxPostTransform):
    """Link terms in the paragraphs of chapters."""

    default_priority = 800
    formats = ("html",)

    @cached_property
    def _known(self) -> tuple[dict[str, tuple[str, str]], dict[str, str], re.Pattern[str]]:
        if not hasattr(self.app, "dmlib_terms"):
            places = self.env.domains["std"]._terms
            said = meanings(self.env.get_doctree("glossary")) if "glossary" in self.env.found_docs else {}
            self.app.dmlib_terms = (places, said, pattern(list(places)))  # type: ignore[attr-defined]
        return self.app.dmlib_terms  # type: ignore[attr-defined]

    def run(self, **kwargs) -> None:
        if not self.env.docname.startswith("notebooks/") or not self.env.domains["std"]._terms:
            return
        places, said, words = self._known
        linked: set[str] = set()
        for text in list(self.document.findall(nodes.Text)):
            if not self._open(text):
                continue
            pieces: list[nodes.Node] = []
            at = 0
            for match in words.finditer(text.astext()):
                term = match[1].lower()
                if term in linked:
                    continue
                linked.add(term)
                page, label = places[term]
                link = make_refnode(
                    self.app.builder, self.env.docname, page, label, nodes.inline(text=match[0]), said.get(term) or None
                )
                link["classes"].append("term")
                pieces += [nodes.Text(text.astext()[at : match.start()]), link]
                at = match.end()
            if pieces:
                place = next(i for i, node in enumerate(text.parent.children) if node is text)
                text.parent[place : place + 1] = [*pieces, nodes.Text(text.astext()[at:])]

    @staticmethod
    def _open(text: nodes.Text) -> bool:
        above, in_paragraph = text.parent, False
        while above is not None:
            if isinstance(above, _CLOSED) or {"found", "chapter-tools", "dropdown"} & set(above.get("classes", ())):
                return False
            in_paragraph |= isinstance(above, nodes.paragraph)
            above = above.parent
        return in_paragraph


def setup(app: Sphinx) -> dict:
    """Register the links of terms."""
    app.add_post_transform(LinkTerms)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
