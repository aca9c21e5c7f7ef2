"""Check built pages as files: links, anchors, pictures, alt text, figures, and that nothing comes from the web.

``python tests/page_checks.py book/_build/html`` prints the faults of a built book, one per line. It needs
beautifulsoup4, which the ``dev`` extra installs.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag

from claims import pages_of_toc

#: Elements whose ``src`` is loaded when a page is opened.
_LOADED = ["script", "img", "iframe", "source", "video", "audio", "embed"]
_LOADED_LINKS = {"stylesheet", "preload", "prefetch", "preconnect", "modulepreload", "icon", "dns-prefetch"}
_CSS_URL = re.compile(r"url\(\s*['\"]?((?:https?:)?//[^'\")]+)|@import\s+['\"]((?:https?:)?//[^'\"]+)")
_GENERATED = ("search.html", "genindex.html")


def check(html: str | Path, *, toc: str | Path | None = None, private: Iterable[str] = ()) -> list[str]:
    """List the faults of a built book.

    Parameters
    ----------
    html : path
        Folder of the pages.
    toc : path, optional
        ``_toc.yml``; each of its pages must exist.
    private : iterable of str
        Texts that no page may contain, such as folders of the machine that built it; see `machine_paths`.

    Returns
    -------
    list of str
        One sentence per fault; empty for a book without faults.
    """
    html = Path(html).resolve()
    faults: list[str] = []
    if not (html / "index.html").is_file():
        return [f"{html.name} has no index.html"]
    for page in sorted(pages_of_toc(toc)) if toc else ():
        if not (html / f"{page}.html").is_file():
            faults.append(f"page {page}.html of the table of contents is missing")
    pages = {
        path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in sorted(html.rglob("*.html"))
    }
    pages = {path: soup for path, soup in pages.items() if "_static" not in path.relative_to(html).parts}
    anchors = {path: {_get(tag, "id") for tag in soup.find_all(id=True)} for path, soup in pages.items()}
    for path, soup in pages.items():
        name = path.relative_to(html).as_posix()
        faults += [f"{name}: {fault}" for fault in _links(path, soup, anchors)]
        faults += [f"{name}: {fault}" for fault in _loaded(soup)]
        faults += [f"{name}: {fault}" for fault in _mathematics(soup)]
        if name not in _GENERATED:
            faults += [f"{name}: {fault}" for fault in _figures(soup)]
    for path in html.rglob("*.css"):
        for match in _CSS_URL.finditer(path.read_text(encoding="utf-8", errors="replace")):
            faults.append(f"{path.relative_to(html).as_posix()}: loads {match[1] or match[2]} from the web")
    private = [text for text in private if text]
    for path in _texts(html):
        text = path.read_text(encoding="utf-8", errors="replace")
        faults += [f"{path.relative_to(html).as_posix()}: contains {secret!r}" for secret in private if secret in text]
    return faults


def machine_paths() -> list[str]:
    """Return folders that identify the machine that built a book: home, checkout, environment, temporary files."""
    folders = {Path.home(), Path(__file__).resolve().parents[1], Path(sys.prefix), Path(tempfile.gettempdir())}
    # A folder as short as "/" or "/x" would be found in any address.
    return sorted(f"{folder}/" for folder in folders if len(folder.parts) > 1 and len(str(folder)) > 3)


def _texts(html: Path) -> list[Path]:
    kinds = {".html", ".csv", ".json", ".txt", ".inv"}
    found = [path for path in html.rglob("*") if path.suffix in kinds and "_static" not in path.relative_to(html).parts]
    return sorted([*found, *html.glob("searchindex.js")])


def _get(tag: Tag, attribute: str) -> str:
    return str(tag.get(attribute) or "")


def _links(path: Path, soup: BeautifulSoup, anchors: dict[Path, set[str]]) -> list[str]:
    faults = []
    for tag in soup.find_all(["a", "link", "img", "script", "source"]):
        address = _get(tag, "href") or _get(tag, "src")
        if not address or address.startswith(("data:", "mailto:", "javascript:")):
            continue
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if target.is_dir():
            target /= "index.html"
        if not target.is_file():
            faults.append(f"{tag.name} leads to {address}, which is not there")
        elif parts.fragment and target in anchors and unquote(parts.fragment) not in anchors[target]:
            faults.append(f"{tag.name} leads to {address}, but there is no such anchor")
    return faults


def _loaded(soup: BeautifulSoup) -> list[str]:
    addresses = [_get(tag, "src") for tag in soup.find_all(_LOADED)]
    addresses += [
        _get(tag, "href") for tag in soup.find_all("link") if _LOADED_LINKS.intersection(tag.get("rel") or ())
    ]
    web = [address for address in addresses if re.match(r"(https?:)?//", address)]
    scripts = " ".join(tag.get_text() for tag in soup.find_all("script") if not tag.get("src"))
    web += re.findall(r"https?://[^\s\"']+\.(?:m?js|css)\b", scripts)
    return [f"loads {address} from the web" for address in web]


def _mathematics(soup: BeautifulSoup) -> list[str]:
    if not soup.find(class_="math"):
        return []
    sources = [_get(tag, "src") for tag in soup.find_all("script")]
    if any("mathjax" in source and not re.match(r"(https?:)?//", source) for source in sources):
        return []
    return ["has mathematics, but no MathJax of its own"]


def _figures(soup: BeautifulSoup) -> list[str]:
    faults = []
    for image in soup.find_all("img"):
        alt, source = _get(image, "alt").strip(), _get(image, "src")
        if not alt:
            faults.append(f"picture {Path(source).name or 'embedded'} has no alternative text")
        elif alt in (source, Path(source).name, Path(source).stem) or Path(alt).suffix in (".png", ".svg", ".jpg"):
            faults.append(f"picture {Path(source).name} has its file name for an alternative text")
    for figure in soup.find_all("figure"):
        caption = figure.find("figcaption")
        text = caption.get_text() if caption else ""
        name = figure.get("id") or "without a name"
        if not caption or not caption.find(class_="caption-number"):
            faults.append(f"figure {name} has no number or no caption")
        elif "Data: " not in text:
            faults.append(f"figure {name} does not say on which data it is based")
    return faults


def main(arguments: list[str] | None = None) -> int:
    """Check the folder named on the command line; exit code 1 when something is wrong."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1:
        print("usage: python tests/page_checks.py FOLDER_OF_PAGES", file=sys.stderr)
        return 2
    faults = check(arguments[0], private=machine_paths())
    print("\n".join(faults) or "the pages are sound")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
