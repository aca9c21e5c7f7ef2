"""What surrounds a page: repaired markup, no unused scripts, cards and a map where the book has an address."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pydata_sphinx_theme
from docutils import nodes
from docutils.utils import new_document
from fontTools.ttLib import TTFont
from matplotlib.image import imread

import web
from dmlib.figures import style


def test_the_builder_s_markup_is_repaired():
    body = (
        '<div role="list" class="citation-list">\n<div class="citation" id="id1" role="doc-biblioentry">'
        '<th class="head"><p></p></th><th class="head"><p>A</p></th><img alt="A" src="../_images/a.png" />'
        '<img loading="lazy" src="../_images/b.png" /><img src="_static/c.png" />'
    )
    fixed = web.repair(body)
    assert 'role="list"' not in fixed and "doc-biblioentry" not in fixed
    assert '<td class="head"></td><th class="head"><p>A</p></th>' in fixed
    assert fixed.count('loading="lazy"') == 2 and '<img src="_static/c.png" />' in fixed
    assert web.repair(fixed) == fixed


def test_pictures_keep_their_places(tmp_path):
    fig, _ = style.new_figure()
    fig.savefig(tmp_path / "a.png")
    tag = '<img loading="lazy" alt="A" class="c" src="../_images/a.png" />'
    sized = web.measure(f"{tag}<img src='other.png'>", tmp_path)
    height, width, _ = imread(tmp_path / "a.png").shape
    assert f'width="{width}"' in sized and f'height="{height}"' in sized and "other.png'>" in sized
    assert web.measure(tag.replace("a.png", "b.png"), tmp_path) == tag.replace("a.png", "b.png")


def page(baseurl: str, name: str = "notebooks/01_a") -> str:
    document = new_document("a")
    section = nodes.section("", nodes.paragraph(text="Short."), nodes.paragraph(text=f"Objective: {'to see ' * 20}"))
    document += section
    app = SimpleNamespace(srcdir="", config=SimpleNamespace(html_baseurl=baseurl, html_title="The book", project="p"))
    context = {"title": "A <em>title</em>", "body": "<p></p>"}
    web._page(app, name, "page.html", context, document)
    return context["metatags"]


def test_a_page_has_a_card():
    tags = page("")
    assert '<meta property="og:title" content="A title" />' in tags
    assert 'name="description" content="to see to see' in tags
    assert "og:url" not in tags and "og:image" not in tags and "<base" not in tags
    tags = page("https://example.org/book/")
    assert 'property="og:url" content="https://example.org/book/notebooks/01_a.html"' in tags
    assert 'content="https://example.org/book/_static/picture.png"' in tags
    assert '<base href="https://example.org/book/" />' in page("https://example.org/book", "404")


def test_what_no_page_uses_is_not_loaded_and_the_map_lists_all_pages(tmp_path, monkeypatch):
    monkeypatch.setattr(web, "_copy_mathjax", lambda target: None)
    scripts = (
        '<script defer src="_static/scripts/fontawesome.js?digest=1"></script>\n<script src="searchindex.js"></script>'
    )
    bar = '<div id="pst-primary-sidebar" class="a"></div>'
    for name in ("index", "search"):
        (tmp_path / f"{name}.html").write_text(f'{scripts}<script src="_static/book.js"></script>{bar}')
    app = SimpleNamespace(
        builder=SimpleNamespace(format="html"),
        outdir=tmp_path,
        config=SimpleNamespace(html_baseurl="https://example.org/book/"),
        env=SimpleNamespace(found_docs={"index", "notebooks/01_a"}),
    )
    web._finish(app, None)
    named = bar.replace("class", 'role="complementary" aria-label="Book" class')
    assert (tmp_path / "index.html").read_text() == f'<script src="_static/book.js"></script>{named}'
    assert "searchindex.js" in (tmp_path / "search.html").read_text()
    listed = (tmp_path / "sitemap.xml").read_text()
    assert listed.count("<loc>") == 2 and "https://example.org/book/notebooks/01_a.html" in listed


def test_style_sheets_are_left_to_the_pages_that_need_them():
    sheets = (
        '<link rel="stylesheet" href="_static/mystnb.1.css" />\n<link href="_static/sphinx-design.min.css?v=1" />\n'
    )
    for body, left in (
        ("<p></p>", []),
        ('<div class="cell docutils">', ["mystnb"]),
        ('<a class="b sd-x">', ["design"]),
    ):
        page = sheets + body
        for asset, user in web._ONLY_WITH:
            page = page if user.search(page) else asset.sub("", page)
        assert [word for word in ("mystnb", "design") if word in page] == left


def test_icons_that_nobody_names_are_left_out(tmp_path):
    theme = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme" / "static"
    for name in ("styles", "vendor"):
        shutil.copytree(theme / name, tmp_path / name)
    (tmp_path / "book.css").write_text('a::after { content: "\\f107"; }')
    # The sign before downloads stands in a variable of the theme as it is.
    assert "\uf019" in (tmp_path / "styles" / "pydata-sphinx-theme.css").read_text()
    web._keep_icons(tmp_path, {"fa-moon", "fa-solid"})
    style = (tmp_path / "styles" / "pydata-sphinx-theme.css").read_text()
    assert ".fa-moon:before" in style and ".fa-dog:before" not in style and "fa-solid-900.woff2" not in style
    font = TTFont(tmp_path / "vendor" / "fontawesome" / "webfonts" / "fa-solid-900.woff")
    assert {0xF186, 0xF107, 0xF019} <= set(font.getBestCmap()) and 0xF6D3 not in font.getBestCmap()
    web._keep_icons(tmp_path, {"fa-moon"})  # once more does nothing
