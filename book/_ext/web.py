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

#: Where MathJax begins, and what it then loads: TeX to HTML, and MathML for those who hear the page. Its menu is left
#: out, which is a third of the whole and makes each formula a stop of the tabulator.
MATHJAX = "startup.js"
MATHJAX_LOADS = ("core", "input/tex", "output/chtml", "a11y/assistive-mml")

#: The files of these; the rest of MathJax (24 MB) stays out of the book.
MATHJAX_PARTS = (MATHJAX, *(f"{part}.js" for part in MATHJAX_LOADS), "output/chtml/fonts", "input/tex/extensions")

#: Scripts that the theme loads into each page (2 MB): icons, which its style sheet draws as well, and the search, which
#: has a page of its own.
_ICONS = re.compile(r"[ \t]*<script[^>]*/?fontawesome\.js[^>]*></script>[ \t]*\n?")
_SEARCH = re.compile(r"[ \t]*<script[^>]*/?(?:searchtools|language_data|searchindex)\.js[^>]*></script>[ \t]*\n?")

#: Style sheets and scripts that the builder puts into each page, and what a page has that needs them.
_ONLY_WITH = (
    (
        re.compile(
            r"[ \t]*<(?:link|script)[^>]*(?:sphinx-design\.min\.css|design-tabs\.js)[^>]*>(?:</script>)?[ \t]*\n?"
        ),
        re.compile(r'class="[^"]*\bsd-'),
    ),
    (re.compile(r"[ \t]*<link[^>]*/mystnb\.[^>]*>[ \t]*\n?"), re.compile(r'class="[^"]*\bcell')),
)

#: A rule of the theme's style sheet that draws an icon of a name.
_ICON = re.compile(r'(?:\.fa-[a-z0-9-]+:before,?)+\{content:"[^"]*"\}')
_ICON_NAME = re.compile(r"\bfa-[a-z0-9-]+")

#: The builder's markup, and what accessibility wants: a list of sources without items of a list, cells without a head,
#: bars that are called what is written on them.
_REPAIRS = (
    (re.compile(r'<div role="list" class="citation-list">'), '<div class="citation-list">'),
    (re.compile(r' role="doc-biblioentry"'), ""),
    (re.compile(r'<th class="head"><p></p></th>'), '<td class="head"></td>'),
    (re.compile(r'<summary aria-label="Toggle hidden content">'), "<summary>"),
    (re.compile(r"<img (?![^>]*loading=)(?=[^>]*_images/)"), '<img loading="lazy" '),
)

#: The same around the page: a side bar that is no landmark, switches of the contents without a name, keys that are no
#: part of a button's name.
_LAYOUT = (
    ('<span class="search-button__kbd-shortcut">', '<span class="search-button__kbd-shortcut" aria-hidden="true">'),
    (
        'search-button-field search-button__button pst-js-only" title="Search" aria-label="Search"',
        'search-button-field search-button__button pst-js-only"',
    ),
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
    icons: set[str] = set()
    for path in out.rglob("*.html"):
        if "_static" in path.relative_to(out).parts:
            continue
        page = path.read_text(encoding="utf-8")
        icons |= set(_ICON_NAME.findall(page))
        page = _ICONS.sub("", page)  # it also writes names into the switch of colours that differ from its label
        if path.name != "search.html":
            page = _SEARCH.sub("", page)
            for asset, user in _ONLY_WITH:
                page = page if user.search(page) else asset.sub("", page)
        for wrong, right in _LAYOUT:
            page = page.replace(wrong, right)
        path.write_text(page, encoding="utf-8")
    _keep_icons(out / "_static", icons)
    if app.config.html_baseurl:
        base = app.config.html_baseurl.rstrip("/")
        pages = sorted(app.env.found_docs)
        lines = "".join(f"<url><loc>{html.escape(f'{base}/{page}.html')}</loc></url>\n" for page in pages)
        (out / "sitemap.xml").write_text(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{lines}</urlset>\n',
            encoding="utf-8",
        )


def _keep_icons(static: Path, names: set[str]) -> None:
    """Leave those icons in the theme's style sheet and font that pages or scripts name: 240 KB less in each page."""
    from fontTools.subset import Subsetter
    from fontTools.ttLib import TTFont

    sheet = static / "styles" / "pydata-sphinx-theme.css"
    fonts = static / "vendor" / "fontawesome" / "webfonts"
    if not (fonts / "fa-solid-900.ttf").is_file():
        return  # another theme, or done before
    for script in (static / "scripts").glob("*.js"):
        if script.name != "fontawesome.js":
            names |= set(_ICON_NAME.findall(script.read_text(encoding="utf-8")))
    style = _ICON.sub(
        lambda rule: rule[0] if names & set(_ICON_NAME.findall(rule[0])) else "", sheet.read_text(encoding="utf-8")
    )
    drawn = style + "".join(path.read_text(encoding="utf-8") for path in static.rglob("*.css") if path != sheet)
    kept = Subsetter()
    # Style sheets name a sign by its number, or hold it as it is.
    numbers = {int(code, 16) for code in re.findall(r'"\\(f[0-9a-f]{3})', drawn)}
    kept.populate(unicodes=numbers | {ord(sign) for sign in drawn if "\ue000" <= sign <= "\uf8ff"})
    font = TTFont(fonts / "fa-solid-900.ttf", recalcTimestamp=False)
    kept.subset(font)
    font.flavor = "woff"
    font.save(fonts / "fa-solid-900.woff")
    address = r"url\(\.\./vendor/fontawesome/webfonts/fa-solid-900\."
    both = re.compile(rf'{address}woff2\) format\("woff2"\),{address}ttf\) format\("truetype"\)')
    ours = 'url(../vendor/fontawesome/webfonts/fa-solid-900.woff) format("woff")'
    sheet.write_text(both.sub(ours, style), encoding="utf-8")
    for name in ("fa-solid-900.ttf", "fa-solid-900.woff2"):
        (fonts / name).unlink()


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
            (target / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / part, target / part)


def setup(app: Sphinx) -> dict:
    """Register the repairs of pages, and what is done when all are written."""
    app.config.mathjax_path = f"mathjax/{MATHJAX}"
    app.connect("html-page-context", _page, priority=900)
    app.connect("html-collect-pages", _missing_page)
    app.connect("build-finished", _finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
