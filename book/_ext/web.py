"""Sphinx extension: what a page needs in a browser, beside its text.

Repairs of the theme's markup for screen readers, no scripts that nobody uses, MathJax from this machine, and, where
``html.baseurl`` of ``_config.yml`` says where the book will lie, its map and the cards that other sites show of it.
"""

from __future__ import annotations

import html
import importlib.util
import re
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from dmlib.errors import DmlibError

#: What a page that shows TeX as HTML can ask for; the rest of MathJax (24 MB) stays out of the book.
MATHJAX_PARTS = ("tex-chtml.js", "output/chtml/fonts", "input/tex/extensions", "ui", "a11y", "sre")

#: Scripts that the theme loads into each page (2 MB): icons, which its style sheet draws as well, and the search, which
#: has a page of its own.
_UNUSED = re.compile(
    r"[ \t]*<script[^>]*/?(?:fontawesome|searchtools|language_data|searchindex)\.js[^>]*></script>[ \t]*\n?"
)

#: The builder's markup, and what accessibility wants: a list of sources without items of a list, cells without a head.
_REPAIRS = (
    (re.compile(r'<div role="list" class="citation-list">'), '<div class="citation-list">'),
    (re.compile(r' role="doc-biblioentry"'), ""),
    (re.compile(r'<th class="head"><p></p></th>'), '<td class="head"></td>'),
    (re.compile(r"<img (?![^>]*loading=)(?=[^>]*_images/)"), '<img loading="lazy" '),
)

#: The same around the page: a side bar that is no landmark, switches of the contents without a name.
_LAYOUT = (
    (
        '<div id="pst-primary-sidebar" class=',
        '<div id="pst-primary-sidebar" role="complementary" aria-label="Book" class=',
    ),
    (
        '<summary><span class="toctree-toggle" role',
        '<summary aria-label="Pages of this part"><span class="toctree-toggle" role',
    ),
)

_PICTURE = re.compile(r'(?P<before><img [^>]*?) src=(?P<rest>"[^"]*_images/(?P<name>[^"/]+)\.png"[^>]*>)')


def repair(body: str) -> str:
    """Return a page's body with the builder's markup repaired, and its pictures loaded when they come into view."""
    for wrong, right in _REPAIRS:
        body = wrong.sub(right, body)
    return body


def measure(body: str, figures: Path) -> str:
    """Write the sizes of figures into their tags, so that a page keeps its places while they load."""

    def sized(tag: re.Match[str]) -> str:
        path = figures / f"{tag['name']}.png"
        if not path.is_file() or "width=" in tag[0]:
            return tag[0]
        with open(path, "rb") as file:
            width, height = struct.unpack(">II", file.read(24)[16:])
        return f'{tag["before"]} width="{width}" height="{height}" src={tag["rest"]}'

    return _PICTURE.sub(sized, body)


def describe(doctree: nodes.document | None) -> str:
    """A page in one sentence, for search engines: its first paragraph that is one."""
    for paragraph in doctree.findall(nodes.paragraph) if doctree is not None else ():
        text = " ".join(paragraph.astext().split())
        if isinstance(paragraph.parent, nodes.section | nodes.document) and len(text) > 60:
            return text.removeprefix("Objective: ")[:300]
    return ""


def _page(app: Sphinx, name: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    if "body" in context:
        context["body"] = measure(repair(context["body"]), Path(app.srcdir) / "figures")
    base, about = app.config.html_baseurl, describe(doctree)
    tags = {"og:title": re.sub("<[^>]*>", "", context.get("title", "")), "og:type": "article"}
    tags |= {"og:site_name": app.config.html_title or app.config.project, "og:description": about}
    if base:
        base = base.rstrip("/") + "/"
        tags |= {"og:url": f"{base}{name}.html", "og:image": f"{base}_static/picture.png"}
        tags["og:image:alt"] = "Galaxies of the embedded universe in starlight and neutral hydrogen"
    metas = [f'<meta property="{key}" content="{html.escape(value)}" />' for key, value in tags.items() if value]
    if about and 'name="description"' not in context.get("metatags", ""):
        metas.append(f'<meta name="description" content="{html.escape(about)}" />')
    if name == "404" and base:
        # A server shows this page at any address.
        metas.append(f'<base href="{html.escape(base)}" />')
    context["metatags"] = context.get("metatags", "") + "\n" + "\n".join(metas)


def _missing_page(app: Sphinx) -> Iterator[tuple[str, dict[str, str], str]]:
    body = "<h1>This page is not here</h1><p>The address may be mistyped, or that of an older copy of the book."
    yield (
        "404",
        {"title": "This page is not here", "body": f'{body} <a href="index.html">To the front page</a></p>'},
        "page.html",
    )


def _finish(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    _copy_mathjax(out / "_static" / "mathjax")
    for path in out.rglob("*.html"):
        if path.name != "search.html" and "_static" not in path.relative_to(out).parts:
            page = _UNUSED.sub("", path.read_text(encoding="utf-8"))
            for wrong, right in _LAYOUT:
                page = page.replace(wrong, right)
            path.write_text(page, encoding="utf-8")
    if app.config.html_baseurl:
        base = app.config.html_baseurl.rstrip("/")
        pages = sorted(app.env.found_docs)
        lines = "".join(f"<url><loc>{html.escape(f'{base}/{page}.html')}</loc></url>\n" for page in pages)
        (out / "sitemap.xml").write_text(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{lines}</urlset>\n',
            encoding="utf-8",
        )


def _copy_mathjax(target: Path) -> None:
    spec = importlib.util.find_spec("sphinx-mathjax-offline")
    if spec is None or spec.origin is None:
        raise DmlibError(
            "package sphinx-mathjax-offline is missing: install it, the book shows its mathematics with it"
        )
    source = Path(spec.origin).parent / "static" / "mathjax"
    for part in MATHJAX_PARTS:
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / part, target / part)


def setup(app: Sphinx) -> dict:
    """Register the repairs of pages, and what is done when all are written."""
    app.config.mathjax_path = "mathjax/tex-chtml.js"
    app.connect("html-page-context", _page, priority=900)
    app.connect("html-collect-pages", _missing_page)
    app.connect("build-finished", _finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
