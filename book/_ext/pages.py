"""From executed notebooks to pages: stage them, build them with Jupyter Book, and replace the old pages.

``python book/_ext/pages.py SETTINGS`` builds the book of some settings, given as JSON; ``dmlib book`` and ``dmlib run``
call it so. With the name of a chapter it builds the page of that chapter alone. Nothing is executed here. The stage
copies ``book/``, the executed notebooks, the figures and ``results.json`` into
``build/<universe>-<profile>/book_source``; a figure shown by `dmlib.figures.show` becomes a MyST figure with number,
caption and alternative text. A failed notebook or a warning of the builder stops the book.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from chapters import BookError, retitle, stage_notebook
from claims import Chapter, load_outline, pages_of_toc, table_of_contents
from dmlib import results
from dmlib.environment import import_jsonschema, of_the_system
from dmlib.errors import DmlibError
from dmlib.files import write_text
from dmlib.pipeline.steps import PREVIEW
from dmlib.settings import Settings, repository_root
from dmlib.workers import choose_workers

if TYPE_CHECKING:
    from nbformat import NotebookNode

#: Jupyter Book's command, which has no option for the number of Sphinx's processes. Without the collection of cycles
#: among the millions of nodes of the pages it takes two thirds of the time, and 15% more memory.
_BUILDER = """
import gc
from functools import partial
from dmlib.environment import import_jsonschema
import_jsonschema()
from jupyter_book import sphinx
from jupyter_book.cli.main import main

gc.disable()
sphinx.build_sphinx = partial(sphinx.build_sphinx, jobs={jobs})
main()
"""

#: Lines of the builder's log that stop the book.
_COMPLAINT = re.compile(r"^(?:(?P<place>[^\n]*?): )?(?P<level>WARNING|ERROR|CRITICAL): (?P<message>.*)$", re.MULTILINE)


def build(settings: Settings, *, root: Path | None = None, out: Path | None = None) -> Path:
    """Build the book of one universe and profile.

    Parameters
    ----------
    settings : Settings
    root : Path, optional
        The repository; found by default.
    out : Path, optional
        Folder of the pages; default that of the settings, or of the given repository. It is replaced whole, and only by
        a book that was built without a warning.

    Returns
    -------
    Path
        ``index.html``.

    Raises
    ------
    BookError
        When a notebook of the table of contents was not executed, or failed, or the builder warned; names the page.
    """
    out = out or (root / "book" / "_build" / "html" if root else settings.pages_dir)
    root = root or repository_root()
    source = stage(settings, root=root)
    work = settings.build / "book_build"
    shutil.rmtree(work, ignore_errors=True)
    html = _jupyter_book(source, work)
    _replace(html, out)
    shutil.rmtree(work, ignore_errors=True)
    return out / "index.html"


def preview(settings: Settings, chapter: str, *, root: Path | None = None) -> Path:
    """Build the page of one chapter alone, to be read while the others run; links to other pages are plain text.

    Parameters
    ----------
    settings, root
        As of `build`.
    chapter : str
        Name of its notebook.

    Returns
    -------
    Path
        ``build/<universe>-<profile>/preview/index.html``, which a run removes when it has built the book.

    Raises
    ------
    BookError
        When the notebook was not executed, or failed, or the builder failed.
    """
    work = settings.build / f".{PREVIEW}"
    shutil.rmtree(work, ignore_errors=True)
    html = _jupyter_book(stage(settings, root=root, alone=chapter, into=work / "source"), work, strict=False)
    _replace(html, settings.build / PREVIEW)
    shutil.rmtree(work, ignore_errors=True)
    return settings.build / PREVIEW / "index.html"


def stage(settings: Settings, *, root: Path | None = None, alone: str = "", into: Path | None = None) -> Path:
    """Put pages, notebooks, figures and numbers together for the builder.

    Parameters
    ----------
    settings, root
        As of `build`.
    alone : str
        Name of the only chapter; by default the whole book.
    into : Path, optional
        Where; default ``build/<universe>-<profile>/book_source``.

    Returns
    -------
    Path
        `into`.

    Raises
    ------
    BookError
        As of `build`.
    """
    import_jsonschema()
    import nbformat

    root = root or repository_root()
    book = root / "book"
    if not (book / "_toc.yml").is_file():
        raise BookError(f"there is no book/_toc.yml in {root.name}: run in the repository, or check it out whole")
    source = into or settings.build / "book_source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(
        book,
        source,
        ignore=shutil.ignore_patterns("_build", "__pycache__", "*.ipynb"),
        copy_function=shutil.copyfile,
    )
    for copied in (source, *source.rglob("*/")):
        copied.chmod(0o755)  # those of the checkout may be read-only
    for folder in ("notebooks", "figures", "downloads", "_data"):
        (source / folder).mkdir(exist_ok=True)
    figures: dict[str, dict] = {}
    contents = table_of_contents(root)
    listed = [chapter["file"] for part in contents.get("parts", ()) for chapter in part["chapters"]]
    if alone:
        contents = {"format": contents["format"], "root": f"notebooks/{alone}"}
    write_text(source / "_toc.yml", yaml.safe_dump(contents, sort_keys=False))
    site = _configure(source / "_config.yml")
    shutil.copy2(root / "CHANGELOG.md", source / "changelog.md")
    run = _account(settings)
    rows = results.collect(settings)
    recorded = {row["id"]: row for row in rows}
    chapters = {
        chapter.file: chapter for part in load_outline(root / "book" / "outline.yml") for chapter in part.chapters
    }
    times = {step["name"]: step["seconds"] for step in run["steps"]}
    numbered = [page for page in listed if page.startswith("notebooks/")]
    for page in sorted(page for page in pages_of_toc(source / "_toc.yml") if page.startswith("notebooks/")):
        stem = Path(page).name
        notebook = _read_executed(settings.notebooks_dir / f"{stem}.ipynb")
        for original in (settings.notebooks_dir / f"{stem}.ipynb", root / "notebooks" / f"{stem}.py"):
            shutil.copy2(original, source / "downloads")
        number = numbered.index(page) + 1 if page in numbered else None
        tools = _tools(stem, times.get(stem), site)
        _name_what_is_shown(notebook, chapters.get(page), recorded)
        for name, figure in stage_notebook(notebook, settings.figures_dir, page, number=number, tools=tools).items():
            if name in figures:
                raise BookError(f"figure '{name}' is shown by {figures[name]['page']} and {page}: rename one of them")
            figures[name] = figure
        nbformat.write(notebook, source / f"{page}.ipynb")
    for name in figures:
        for suffix in (".png", ".pdf", ".csv"):
            shutil.copy2(settings.figures_dir / f"{name}{suffix}", source / "figures")
    data = {"results": rows, "figures": figures, "run": run}
    for name, content in data.items():
        write_text(source / "_data" / f"{name}.json", json.dumps(content, indent=1, ensure_ascii=False))
    return source


def _configure(path: Path) -> dict[str, str]:
    """Show the buttons of the repository where its address is given, in the copy of ``_config.yml``; return it."""
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    site = {"repository": config.get("repository", {}).get("url", "").rstrip("/")}
    if site["repository"]:
        config["html"] |= {"use_repository_button": True, "use_issues_button": True}
        write_text(path, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    return site


def _name_what_is_shown(notebook: NotebookNode, chapter: Chapter | None, recorded: dict[str, dict]) -> None:
    """Rename a chapter that had to do without its real data, and say so below its title."""
    if chapter is None or chapter.real is None or not chapter.real.absent(recorded):
        return
    note = (
        f"This copy of the book was made without {chapter.real.data}. Simulated galaxies stand in for the real "
        "ones, and no figure or number of this page is about a real galaxy unless it says so."
    )
    retitle(notebook, chapter.real.title, f":::{{admonition}} Simulated, not real\n:class: warning\n{note}\n:::")


def _tools(name: str, seconds: float | None, site: dict[str, str]) -> str:
    """The line below a chapter's title: downloads, how long it ran, and where to run and to edit it."""
    links = [f"{{download}}`Executed notebook </downloads/{name}.ipynb>`", f"{{download}}`.py </downloads/{name}.py>`"]
    if address := site["repository"]:
        if address.startswith("https://github.com/"):
            place = f"gh{address.removeprefix('https://github.com')}/HEAD"
            links.append(f"[Run on Binder](https://mybinder.org/v2/{place}?urlpath=lab/tree/notebooks/{name}.py)")
        links.append(f"[Edit]({address}/edit/main/notebooks/{name}.py)")
    if seconds is not None:
        links.append(f"ran in {duration(seconds)}")
    return " · ".join(links)


def duration(seconds: float) -> str:
    """Write a time for readers: ``12 s``, ``3 min``."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _account(settings: Settings) -> dict[str, Any]:
    """What the pages tell of the run: universe, profile, seed, commit, and the time of each step."""
    run: dict[str, Any] = {"universe": settings.origin, "profile": settings.profile, "seed": settings.seed, "steps": []}
    if settings.run_path.is_file():
        made = json.loads(settings.run_path.read_text(encoding="utf-8"))
        run |= {key: made[key] for key in ("commit", "dirty", "versions", "machine") if key in made}
        run["steps"] = [
            {key: step.get(key) for key in ("name", "kind", "seconds", "memory_mb")} for step in made["steps"]
        ]
    return run


def _read_executed(path: Path) -> NotebookNode:
    import_jsonschema()
    import nbformat

    if not path.is_file():
        raise BookError(f"notebook {path.stem} has not been executed: run `dmlib run --only {path.stem}`")
    try:
        notebook = nbformat.read(path, as_version=4)
    except (ValueError, KeyError, AttributeError) as error:
        raise BookError(
            f"executed notebook {path.name} is damaged: run `dmlib run --only {path.stem} --force`"
        ) from error
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        failed = next((output for output in cell.outputs if output.output_type == "error"), None)
        if failed is not None:
            raise BookError(
                f"notebook {path.stem} failed in cell {number} ({failed.ename}): correct it and run it again"
            )
        if cell.execution_count is None:
            raise BookError(f"notebook {path.stem} stopped before cell {number}: run `dmlib run --only {path.stem}`")
    return notebook


def _jupyter_book(source: Path, work: Path, *, strict: bool = True) -> Path:
    command = [sys.executable, "-c", _BUILDER.format(jobs=choose_workers(1e9, at_most=4)), "build", str(source)]
    command += ["--path-output", str(work), "--quiet"]
    if strict:
        command += ["--warningiserror", "--keep-going", "--nitpick"]
    # The builder needs no secrets.
    environment = {key: value for key, value in os.environ.items() if not key.endswith("API_KEY")}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    log = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    html = work / "_build" / "html"
    found = _COMPLAINT.finditer(log.replace(f"{source}/", ""))
    complaints = list(dict.fromkeys(": ".join(filter(None, (match["place"], match["message"]))) for match in found))
    complaints = complaints if strict else []
    write_text(source.parent / "book.log", log)
    if done.returncode or complaints or not (html / "index.html").is_file():
        first = [*complaints, *log.strip().splitlines()[-1:], "the builder said nothing"][0]
        more = f" (and {len(complaints) - 1} more in book.log)" if len(complaints) > 1 else " (whole log: book.log)"
        raise BookError(f"the book was not built: {first}{more}")
    return html


def _replace(html: Path, out: Path) -> None:
    """Move a finished folder into place; a reader sees the old pages or the new ones, not a mixture."""
    out.parent.mkdir(parents=True, exist_ok=True)
    new, old = out.with_name(f".{out.name}-new"), out.with_name(f".{out.name}-old")
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    # The build folder may lie on another disk: copy beside the target first, then rename.
    shutil.move(html, new)
    if out.exists():
        os.replace(out, old)
    os.replace(new, out)
    shutil.rmtree(old, ignore_errors=True)


def main() -> int:
    """Build the book of the settings in the first argument, or the page of the chapter in the second alone.

    An error is one sentence on stderr and exit code 1.
    """
    settings, *chapter = sys.argv[1:]
    try:
        (preview if chapter else build)(Settings.model_validate_json(settings), *chapter)
    except (DmlibError, OSError) as error:
        print(of_the_system(error) if isinstance(error, OSError) else error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
