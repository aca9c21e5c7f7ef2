"""Print the built book as one PDF with a Chromium that is there: ``make pdf``.

The articles of all pages, in the order of the table of contents, become one document in which links between pages lead
to other places of the same file; the print rules of ``book.css`` fold code away.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


#: For a front page without mathematics.
MATHJAX = """<script>window.MathJax = {loader: {load: ["input/tex", "output/chtml"]}};</script>
<script src="_static/mathjax/startup.js"></script>"""


def pages_in_order(index: BeautifulSoup) -> list[str]:
    """Pages that the front page's navigation lists, the front page first, reference pages of the code left out."""
    listed = [str(link["href"]).partition("#")[0] for link in index.select("nav.bd-links a.reference.internal[href]")]
    return list(dict.fromkeys(["index.html", *(page for page in listed if page and not page.startswith("api"))]))


def one_document(html: Path) -> str:
    """Join the articles of a built book.

    Parameters
    ----------
    html : Path
        Folder of the pages.

    Returns
    -------
    str
        A page to lie in that folder.
    """
    front = BeautifulSoup((html / "index.html").read_text(encoding="utf-8"), "html.parser")
    pages = pages_in_order(front)
    articles = [_article(html, page, set(pages)) for page in pages]
    head = front.head
    assert head is not None
    for script in head.find_all("script"):
        if "mathjax" not in script.get("src", "") and "MathJax" not in script.get_text():
            script.decompose()
    if not head.find("script", src=re.compile("mathjax")):
        head.append(BeautifulSoup(MATHJAX, "html.parser"))
    # The front page leaves out the style sheets that it does not need.
    for sheet in (*(html / "_static").glob("mystnb.*.css"), html / "_static" / "sphinx-design.min.css"):
        if sheet.is_file() and not head.find("link", href=re.compile(re.escape(sheet.name))):
            head.append(BeautifulSoup(f'<link rel="stylesheet" href="_static/{sheet.name}"/>', "html.parser"))
    head.append(BeautifulSoup("<style>article { break-after: page; }</style>", "html.parser"))
    body = "\n".join(map(str, articles))
    return f'<!DOCTYPE html><html lang="en" data-theme="light">{head}<body><main>{body}</main></body></html>'


def _article(html: Path, page: str, known: set[str]) -> Tag:
    soup = BeautifulSoup((html / page).read_text(encoding="utf-8"), "html.parser")
    article = soup.find("article", class_="bd-article")
    if not isinstance(article, Tag):
        raise SystemExit(f"{page} has no article: build the book again")
    article["id"] = _anchor(page)
    for tag in article.find_all(id=True):
        tag["id"] = _anchor(page, tag["id"])
    for fold in article.find_all("details"):
        if "hide" not in fold.get("class", []):
            fold["open"] = ""
    for tag, name in [(t, n) for n in ("href", "src") for t in article.find_all(attrs={n: True})]:
        parts = urlsplit(tag[name])
        if parts.scheme or parts.netloc:
            continue
        target = page if not parts.path else str(Path(*_resolved(Path(page).parent / parts.path)))
        tag[name] = f"#{_anchor(target, parts.fragment)}" if name == "href" and target in known else target
        tag.attrs.pop("loading", None)
    return article


def _anchor(page: str, id: str = "") -> str:
    return re.sub(r"\W+", "-", page) + (f"--{id}" if id else "")


def _resolved(path: Path) -> list[str]:
    parts: list[str] = []
    for part in path.parts:
        parts = parts[:-1] if part == ".." else [*parts, part]
    return parts


def main(folder: str = "book/_build/html") -> int:
    """Write ``book.pdf`` beside the folder of the pages; a fault is one sentence on stderr and exit code 1."""
    html = Path(folder)
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not (html / "index.html").is_file():
        print(f"there is no book in {folder}: run `make book` first", file=sys.stderr)
        return 1
    if browser is None:
        print(f"no browser to print with: install one of {', '.join(BROWSERS)}", file=sys.stderr)
        return 1
    source, out = html / ".whole-book.html", html.parent / "book.pdf"
    source.write_text(one_document(html), encoding="utf-8")
    try:
        with tempfile.TemporaryDirectory() as scratch:
            command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
            command += [f"--user-data-dir={scratch}", "--host-resolver-rules=MAP * ~NOTFOUND", "--no-pdf-header-footer"]
            command += ["--virtual-time-budget=120000", "--timeout=600000", f"--print-to-pdf={out.resolve()}"]
            subprocess.run([*command, source.resolve().as_uri()], check=True, capture_output=True, timeout=900)
    except subprocess.SubprocessError as error:
        print(f"{Path(browser).name} did not print the book: {error}", file=sys.stderr)
        return 1
    finally:
        source.unlink()
    print(f"{out}: {out.stat().st_size / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
