"""From an executed notebook to a chapter's page: numbered figures, labelled code, tools, and questions.

Only the cells of the page change. A reader who downloads the notebook gets it as it was executed.
"""

from __future__ import annotations

import ast
import builtins
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dmlib.errors import DmlibError
from dmlib.figures import METADATA_KEY

if TYPE_CHECKING:
    from nbformat import NotebookNode

#: A figure in a page, and below it what it shows, where found.yml says so. Tildes, because captions may contain
#: backticks. A click opens the picture alone in full size, which a phone needs: the builder puts pictures into _images.
_FIGURE = """~~~{{figure}} /figures/{name}.png
:name: fig-{slug}
:alt: {alt}
:target: {up}_images/{name}.png

{caption} <span class="downloads">{{download}}`PDF </figures/{name}.pdf>` · \
{{download}}`numbers (CSV) </figures/{name}.csv>`</span>
~~~

```{{found}}
figure: fig-{slug}
```"""

_TITLE = re.compile(r"^# .+$", re.MULTILINE)
_SUMMARY = re.compile(r"^## Summary$", re.MULTILINE)


class BookError(DmlibError):
    """Pages that cannot be built."""


def stage_notebook(
    notebook: NotebookNode, figures_dir: Path, page: str, *, number: int | None = None, tools: str = ""
) -> dict[str, dict]:
    """Turn an executed notebook into a page, in place.

    Figures and tables become MyST ones in cells of their own below the cell that made them; the parameters cell shows
    the values of the run. What only an interactive reader needs (widgets, progress on stderr, papermill's copy of the
    parameters) is removed, as are cells that only record numbers. Code that draws a figure or records numbers among
    other things is folded below a bar that says which.

    Parameters
    ----------
    notebook : NotebookNode
    figures_dir : Path
        Where `dmlib.figures.show` left the files.
    page : str
        Name of the page, for errors and links.
    number : int, optional
        Number of the chapter.
    tools : str
        A line of MyST below the title, for example links to downloads. The directive ``{questions}`` precedes the
        summary of a chapter that has tools.

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
        if "injected-parameters" in cell.metadata.get("tags", []):
            continue
        cells.append(cell)
        if cell.cell_type != "code":
            continue
        kept, shown = [], []
        for output in cell.outputs:
            ours = output.get("metadata", {}).get(METADATA_KEY, {})
            if "figure" in ours:
                name = ours["figure"]
                if not (figures_dir / f"{name}.png").is_file():
                    raise BookError(f"{page} shows figure '{name}', but {name}.png is missing: run that notebook again")
                figures[name] = {"caption": ours["caption"], "alt": ours["alt"], "page": page}
                shown.append(f"{number or '?'}.{len(figures)}")
                cells.append(_figure_cell(name, ours, page))
            elif "table" in ours:
                cells.append(_table_cell(ours))
            elif "caption_of" not in ours and not _only_for_screens(output):
                kept.append(output)
        cell.outputs = kept
        _fold(cell, shown)
    notebook.cells = cells
    if tools:
        _add_tools(notebook, tools, Path(page).name)
    return figures


def _add_tools(notebook: NotebookNode, tools: str, chapter: str) -> None:
    """Put tools below the title of a chapter, and its questions before its summary."""
    written = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    asked = f"```{{questions}} {chapter.partition('_')[2]}\n```"
    for pattern, text in (
        (_TITLE, lambda found: f"{found[0]}\n\n:::{{div}} chapter-tools\n{tools}\n:::"),
        (_SUMMARY, lambda found: f"{asked}\n\n{found[0]}"),
    ):
        cell = next((cell for cell in written if pattern.search(cell.source)), None)
        if cell is not None:
            cell.source = pattern.sub(text, cell.source, count=1)


def retitle(notebook: NotebookNode, title: str, note: str) -> None:
    """Give a chapter another title, with a note below it, in place."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and _TITLE.search(cell.source):
            cell.source = _TITLE.sub(lambda _: f"# {title}\n\n{note}", cell.source, count=1)
            return


def _figure_cell(name: str, shown: dict, page: str) -> NotebookNode:
    from nbformat.v4 import new_markdown_cell

    alt, up = shown["alt"].replace("\n", " "), "../" * page.count("/")
    text = _FIGURE.format(name=name, slug=name.replace("_", "-"), alt=alt, up=up, caption=shown["caption"])
    cell = new_markdown_cell(text)
    cell.id = f"figure-{name}"[:64]
    return cell


def _table_cell(shown: dict) -> NotebookNode:
    """A table of `dmlib.figures.show_table` as a MyST table; what stands in its cells is text, not MyST."""
    from nbformat.v4 import new_markdown_cell

    if any("None" in row for row in shown["table"]):
        raise BookError(f"a cell of the table '{shown['caption']}' is None: say what is missing")
    head, *body = [[re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text) for text in row] for row in shown["table"]]
    numbers = [all(re.match(r"\\?[-+−]?\d|$", text) for text in column) for column in zip(*body, strict=True)]
    lines = [head, ["---:" if number else "---" for number in numbers], *body]
    rows = "\n".join(f"| {' | '.join(row)} |" for row in lines)
    return new_markdown_cell(f"~~~{{table}} {shown['caption']}\n{rows}\n~~~")


def _fold(cell: NotebookNode, shown: list[str]) -> None:
    """Remove a cell that only records, and fold one that draws a figure, or records and computes."""
    called = {_called(node) for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)}
    presents = _presents(ast.parse(cell.source).body)
    records = any(map(_records, called))
    if records and "show" not in called and presents and not cell.outputs:
        tag = "remove-input"
    elif records or (presents and cell.source.count("\n") >= 3):
        tag = "hide-input"
    else:
        return
    cell.metadata["tags"] = [*cell.metadata.get("tags", []), tag]
    of = "of the numbers below"
    if shown:
        of = f"of figure{'s' if len(shown) > 1 else ''} {' and '.join(shown)}"
    cell.metadata["mystnb"] = {"code_prompt_show": f"Code {of}", "code_prompt_hide": f"Hide the code {of}"}


def _called(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def _records(name: str) -> bool:
    """Whether a function of this name records numbers: ``record``, or ``record_...`` for those of other data."""
    return name == "record" or name.startswith("record_")


def _presents(steps: list[ast.stmt]) -> bool:
    """Whether some statements show figures or record numbers, also in a loop, and the others are plain assignments."""
    presenting = [
        _presents(step.body)
        if isinstance(step, ast.For)
        else isinstance(step, ast.Expr)
        and isinstance(step.value, ast.Call)
        and (_called(step.value) == "show" or _records(_called(step.value)))
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


def _literals(code: str) -> Iterator[tuple[str, ast.expr]]:
    """Names of a cell's assignments, and the places of their values: one line each."""
    for statement in ast.parse(code).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            yield statement.targets[0].id, statement.value
