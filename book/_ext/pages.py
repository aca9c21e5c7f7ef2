"""From executed notebooks to pages: stage them, build them with Jupyter Book, and replace the old pages.

``python book/_ext/pages.py SETTINGS`` builds the book of some settings, given as JSON; ``dmlib book`` and ``dmlib run``
call it so. Nothing is executed here. The stage copies ``book/``, the executed notebooks, the figures and
``results.json`` into ``build/<universe>-<profile>/book_source``; a figure shown by `dmlib.figures.show` becomes a MyST
figure with number, caption and alternative text. A failed notebook or a warning of the builder stops the book.
"""

from __future__ import annotations

import ast
import builtins
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import yaml

from claims import pages_of_toc, table_of_contents
from dmlib import results
from dmlib.errors import DmlibError, of_the_system
from dmlib.figures import METADATA_KEY
from dmlib.files import write_text
from dmlib.settings import Settings, repository_root
from dmlib.workers import choose_workers

if TYPE_CHECKING:
    from nbformat import NotebookNode

#: A figure in a page; tildes, because captions may contain backticks. A click opens the picture alone in full size,
#: which a phone needs: the builder puts pictures into _images.
_FIGURE = """~~~{{figure}} /figures/{name}.png
:name: fig-{slug}
:alt: {alt}
:target: {up}_images/{name}.png

{caption} <span class="downloads">{{download}}`PDF </figures/{name}.pdf>` · \
{{download}}`numbers (CSV) </figures/{name}.csv>`</span>
~~~"""

#: Jupyter Book's command, which has no option for the number of Sphinx's processes.
_BUILDER = """
from functools import partial
from jupyter_book import sphinx
from jupyter_book.cli.main import main

sphinx.build_sphinx = partial(sphinx.build_sphinx, jobs={jobs})
main()
"""

#: Lines of the builder's log that stop the book.
_COMPLAINT = re.compile(r"^(?:(?P<place>[^\n]*?): )?(?P<level>WARNING|ERROR|CRITICAL): (?P<message>.*)$", re.MULTILINE)


class BookError(DmlibError):
    """Pages that cannot be built."""


def build(settings: Settings, *, root: Path | None = None, out: Path | None = None) -> Path:
    """Build the book of one universe and profile.

    Parameters
    ----------
    settings : Settings
    root : Path, optional
        The repository; found by default.
    out : Path, optional
        Folder of the pages; default ``book/_build/html`` of the repository. It is replaced whole, and only by a book
        that was built without a warning.

    Returns
    -------
    Path
        ``index.html``.

    Raises
    ------
    BookError
        When a notebook of the table of contents was not executed, or failed, or the builder warned; names the page.
    """
    root = root or repository_root()
    out = out or root / "book" / "_build" / "html"
    source = stage(settings, root=root)
    work = settings.build / "book_build"
    shutil.rmtree(work, ignore_errors=True)
    html = _jupyter_book(source, work)
    _replace(html, out)
    shutil.rmtree(work, ignore_errors=True)
    return out / "index.html"


def stage(settings: Settings, *, root: Path | None = None) -> Path:
    """Put pages, notebooks, figures and numbers together for the builder.

    Parameters
    ----------
    settings, root
        As of `build`.

    Returns
    -------
    Path
        ``build/<universe>-<profile>/book_source``.

    Raises
    ------
    BookError
        As of `build`.
    """
    root = root or repository_root()
    book = root / "book"
    if not (book / "_toc.yml").is_file():
        raise BookError(f"there is no book/_toc.yml in {root.name}: run in the repository, or check it out whole")
    source = settings.build / "book_source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(book, source, ignore=shutil.ignore_patterns("_build", "__pycache__", "*.ipynb"))
    for folder in ("notebooks", "figures", "_data"):
        (source / folder).mkdir(exist_ok=True)
    figures: dict[str, dict] = {}
    write_text(source / "_toc.yml", yaml.safe_dump(table_of_contents(root), sort_keys=False))
    for page in sorted(page for page in pages_of_toc(source / "_toc.yml") if page.startswith("notebooks/")):
        notebook = _read_executed(settings.notebooks_dir / f"{Path(page).name}.ipynb")
        for name, figure in stage_notebook(notebook, settings.figures_dir, page).items():
            if name in figures:
                raise BookError(f"figure '{name}' is shown by {figures[name]['page']} and {page}: rename one of them")
            figures[name] = figure
        nbformat.write(notebook, source / f"{page}.ipynb")
    for name in figures:
        for suffix in (".png", ".pdf", ".csv"):
            shutil.copy2(settings.figures_dir / f"{name}{suffix}", source / "figures")
    run = {"universe": settings.origin, "profile": settings.profile, "seed": settings.seed}
    if settings.run_path.is_file():
        made = json.loads(settings.run_path.read_text(encoding="utf-8"))
        run |= {key: made[key] for key in ("commit", "dirty") if key in made}
    data = {"results": results.collect(settings), "figures": figures, "run": run}
    for name, content in data.items():
        write_text(source / "_data" / f"{name}.json", json.dumps(content, indent=1, ensure_ascii=False))
    return source


def stage_notebook(notebook: NotebookNode, figures_dir: Path, page: str) -> dict[str, dict]:
    """Turn an executed notebook into a page, in place.

    Figures become MyST figures in a cell of their own below the cell that made them; the parameters cell shows the
    values of the run. What only an interactive reader needs (widgets, progress on stderr, papermill's copy of the
    parameters) is removed.

    Parameters
    ----------
    notebook : NotebookNode
    figures_dir : Path
        Where `dmlib.figures.show` left the files.
    page : str
        Name of the page, for errors and links.

    Returns
    -------
    dict
        Figure name to ``{"caption", "alt", "page"}``.

    Raises
    ------
    BookError
        When the file of a figure is missing.
    """
    figures: dict[str, dict] = {}
    cells: list[NotebookNode] = []
    for key in ("widgets", "papermill"):
        notebook.metadata.pop(key, None)
    _merge_parameters(notebook)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags:
            continue
        cells.append(cell)
        if cell.cell_type != "code":
            continue
        kept = []
        for output in cell.outputs:
            ours = output.get("metadata", {}).get(METADATA_KEY, {})
            if "figure" in ours:
                name = ours["figure"]
                if not (figures_dir / f"{name}.png").is_file():
                    raise BookError(f"{page} shows figure '{name}', but {name}.png is missing: run that notebook again")
                figures[name] = {"caption": ours["caption"], "alt": ours["alt"], "page": page}
                cells.append(_figure_cell(name, ours, page))
            elif "caption_of" not in ours and not _only_for_screens(output):
                kept.append(output)
        cell.outputs = kept
        if cell.source.count("\n") >= 3 and _presents(ast.parse(cell.source).body):
            cell.metadata["tags"] = [*tags, "hide-input"]
    notebook.cells = cells
    return figures


def _figure_cell(name: str, shown: dict, page: str) -> NotebookNode:
    from nbformat.v4 import new_markdown_cell

    alt, up = shown["alt"].replace("\n", " "), "../" * page.count("/")
    text = _FIGURE.format(name=name, slug=name.replace("_", "-"), alt=alt, up=up, caption=shown["caption"])
    cell = new_markdown_cell(text)
    cell.id = f"figure-{name}"[:64]
    return cell


def _presents(steps: list[ast.stmt]) -> bool:
    """Whether some statements show figures or record numbers, also in a loop, and the others are plain assignments.

    A page folds such a cell away, because its captions and statements are on the page anyway. A cell that computes more
    than a mean or a length stays open.
    """
    presenting = [
        _presents(step.body)
        if isinstance(step, ast.For)
        else isinstance(step, ast.Expr)
        and isinstance(step.value, ast.Call)
        and ast.unparse(step.value.func).rpartition(".")[2] in ("show", "record")
        for step in steps
    ]
    return any(presenting) and all(shows or _is_plain(step) for shows, step in zip(presenting, steps, strict=True))


def _is_plain(statement: ast.stmt) -> bool:
    """Whether a statement is an assignment that calls nothing but numpy, Python's own functions and `recorder`."""
    called = [ast.unparse(node.func) for node in ast.walk(statement) if isinstance(node, ast.Call)]
    plain = all(name.startswith("np.") or hasattr(builtins, name) or name == "recorder" for name in called)
    return isinstance(statement, (ast.Assign, ast.AugAssign)) and plain


def _only_for_screens(output: NotebookNode) -> bool:
    return output.get("name") == "stderr" or "application/vnd.jupyter.widget-view+json" in output.get("data", {})


def _merge_parameters(notebook: NotebookNode) -> None:
    """Write the run's values, which papermill put into a separate cell, into the cell that explains them."""
    declared, injected = (_tagged(notebook, tag) for tag in ("parameters", "injected-parameters"))
    if declared is None or injected is None:
        return
    values = {name: ast.literal_eval(node) for name, node in _literals(injected.source)}
    if values.get("base_path"):
        # A page does not name the folders of the machine that made it.
        values["base_path"] = f"…/{Path(values['base_path']).name}"
    lines = declared.source.split("\n")
    for name, node in _literals(declared.source):
        if name in values and values[name] != ast.literal_eval(node):
            value = values[name]
            shown = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
            line = lines[node.lineno - 1].encode()
            lines[node.lineno - 1] = (line[: node.col_offset] + shown.encode() + line[node.end_col_offset :]).decode()
    declared.source = "\n".join(lines)


def _tagged(notebook: NotebookNode, tag: str) -> NotebookNode | None:
    return next((cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])), None)


def _literals(code: str) -> list[tuple[str, ast.expr]]:
    """Names of a cell's assignments, and the places of their values: one line each."""
    return [
        (statement.targets[0].id, statement.value)
        for statement in ast.parse(code).body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    ]


def _read_executed(path: Path) -> NotebookNode:
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


def _jupyter_book(source: Path, work: Path) -> Path:
    command = [sys.executable, "-c", _BUILDER.format(jobs=choose_workers(1e9, at_most=4)), "build", str(source)]
    command += ["--path-output", str(work), "--warningiserror", "--keep-going", "--nitpick", "--quiet"]
    # The builder needs no secrets.
    environment = {key: value for key, value in os.environ.items() if not key.endswith("API_KEY")}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    log = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    html = work / "_build" / "html"
    found = _COMPLAINT.finditer(log.replace(f"{source}/", ""))
    complaints = list(dict.fromkeys(": ".join(filter(None, (match["place"], match["message"]))) for match in found))
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
    """Build the book of the settings in the first argument; an error is one sentence on stderr and exit code 1."""
    try:
        build(Settings.model_validate_json(sys.argv[1]))
    except (DmlibError, OSError) as error:
        print(of_the_system(error) if isinstance(error, OSError) else error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
