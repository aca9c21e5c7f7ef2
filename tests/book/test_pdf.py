"""One document of all pages: links between pages stay inside, pictures are found, folded answers are open."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("pdf", Path(__file__).parents[2] / "book" / "pdf.py")
pdf = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(pdf)

PAGE = """<html><head><script src="_static/book.js"></script></head><body>
<nav class="bd-links"><a class="reference internal" href="#">Front</a>
<a class="reference internal" href="{up}notebooks/01_a.html">A</a>
<a class="reference internal" href="{up}api/dmlib.html">api</a></nav>
<article class="bd-article" role="main"><p id="here">{words}</p><a href="{link}">to</a><a href="https://a.org">out</a>
<img loading="lazy" src="{up}_images/a.png"><details class="sd-dropdown"><p>answer</p></details>
<details class="hide"><p>code</p></details></article></body></html>"""


@pytest.fixture
def html(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "mystnb.1.css").touch()
    (tmp_path / "index.html").write_text(PAGE.format(up="", words="front", link="notebooks/01_a.html#here"))
    (tmp_path / "notebooks" / "01_a.html").write_text(PAGE.format(up="../", words="chapter", link="../index.html"))
    return tmp_path


def test_pages_become_one_document(html):
    document = pdf.one_document(html)
    assert document.index("front") < document.index("chapter")
    assert 'href="#notebooks-01_a-html--here"' in document and 'id="notebooks-01_a-html--here"' in document
    assert 'href="#index-html"' in document and 'id="index-html"' in document and 'href="https://a.org"' in document
    assert document.count('src="_images/a.png"') == 2 and "loading" not in document
    assert document.count('<details class="sd-dropdown" open="">') == 2 and '<details class="hide">' in document
    assert "book.js" not in document and "mathjax/startup.js" in document and "mystnb.1.css" in document


def test_without_a_book_or_a_browser_the_reason_is_said(html, tmp_path, monkeypatch, capsys):
    assert pdf.main(str(tmp_path / "none")) == 1
    assert "run `make book` first" in capsys.readouterr().err
    monkeypatch.setattr(pdf, "BROWSERS", ("no-such-browser",))
    assert pdf.main(str(html)) == 1
    assert "no-such-browser" in capsys.readouterr().err
