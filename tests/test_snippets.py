"""Code that the chapters show and nobody runs, as the solutions of exercises: it compiles, and calls what exists."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.py"))
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def script_of(path: Path) -> tuple[str, int]:
    """The cells of a notebook with the blocks of code of its text where they stand, and how many blocks there are."""
    parts, shown = [], 0
    for cell in jupytext.read(path).cells:
        blocks = [cell.source] if cell.cell_type == "code" else BLOCK.findall(cell.source)
        shown += len(blocks) * (cell.cell_type == "markdown")
        parts += blocks
    return "\n\n".join(parts), shown


def undefined(script: str) -> list[str]:
    """What ruff says of names that are defined nowhere, and of code that does not compile."""
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--select",
        "F821",
        "--output-format",
        "concise",
        "-",
    ]
    done = subprocess.run(command, input=script, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines() if done.returncode else []


def misused(script: str) -> list[str]:
    """Calls of this project's functions with arguments that they do not take, or names that its modules lack.

    Only names are followed that an import binds and that nothing else in the script does.
    """
    tree = ast.parse(script)
    bound = imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.pop(node.id, None)
    wrong = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        try:
            function = resolved(call.func, bound)
            if function is not None:
                takes(function, call)
        except (AttributeError, TypeError) as error:
            wrong.append(f"{ast.unparse(call)}: {error}")
    return wrong


def imported(tree: ast.Module) -> dict[str, object]:
    """Name -> what an import of dmlib or mocktng binds to it."""
    bound: dict[str, object] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in ("dmlib", "mocktng"):
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")
                bound[alias.asname or alias.name] = getattr(module, alias.name)
    return bound


def resolved(function: ast.expr, bound: dict[str, object]) -> object | None:
    """What is called, if it is reached from an import by attributes of modules and classes."""
    if isinstance(function, ast.Name):
        return bound.get(function.id)
    if isinstance(function, ast.Attribute):
        owner = resolved(function.value, bound)
        if inspect.ismodule(owner) or inspect.isclass(owner):
            return getattr(owner, function.attr)
    return None


def takes(function: object, call: ast.Call) -> None:
    """Raise TypeError where a function does not take the arguments of a call."""
    if not callable(function):
        raise TypeError("cannot be called")
    signature = inspect.signature(function)
    names = [keyword.arg for keyword in call.keywords if keyword.arg is not None]
    unpacked = len(names) < len(call.keywords) or any(isinstance(one, ast.Starred) for one in call.args)
    given = [one for one in call.args if not isinstance(one, ast.Starred)]
    (signature.bind_partial if unpacked else signature.bind)(*given, **dict.fromkeys(names))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_code_in_the_text_of_a_chapter_compiles_and_calls_what_exists(path):
    script, _ = script_of(path)
    assert undefined(script) == []
    assert misused(script) == []


def test_the_chapters_show_such_code():
    assert sum(script_of(path)[1] for path in NOTEBOOKS) > 20


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("demonstrate(1, seed=2, input='hi')", "'input'"),
        ("demonstrate(seed=2)", "'dataset'"),
        ("leak.demonstrates(1, seed=2)", "no attribute 'demonstrates'"),
        ("leak.REGRESSORS(1)", "cannot be called"),
        ("demonstrate(*some, **more, inputs='hi', nothing=1)", "'nothing'"),
    ],
)
def test_a_call_that_cannot_be_is_told(line, told):
    script = (
        f"from dmlib.dataset import leak\nfrom dmlib.dataset.leak import demonstrate\nsome, more = [], {{}}\n{line}\n"
    )
    (wrong,) = misused(script)
    assert told in wrong


def test_what_cannot_be_told_is_left_alone():
    assert misused("from dmlib.dataset.leak import demonstrate\ndemonstrate(1, seed=2, **{}, inputs='hi')\n") == []
    # Bound again by the script, a name is no longer what was imported.
    assert misused("from dmlib.dataset.leak import demonstrate\ndemonstrate = print\ndemonstrate(1, 2, 3)\n") == []
    assert misused("import numpy as np\nnp.nothing(1)\nprint(nobody=1)\n") == []


def test_a_name_that_is_defined_nowhere_is_told():
    assert undefined("x = 1\nprint(x)\n") == []
    assert any("columns" in line for line in undefined("x = 1\nprint(x[columns])\n"))
    assert undefined("x = (\n") != []
