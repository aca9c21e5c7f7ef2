"""Which modules of dmlib a module or a notebook uses, read from the source without importing anything.

A cached result is as good as the list of what it depends on. The list is made here from the import statements,
those inside functions too, and followed through dmlib to the end.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = "dmlib"

#: Modules that decide when and where things are computed, not what comes out: no result depends on their text. The
#: values of `dmlib.settings` count as parameters instead.
INFRASTRUCTURE = (
    "dmlib.book",
    "dmlib.cli",
    "dmlib.cli_options",
    "dmlib.cli_skirt",
    "dmlib.cli_tng",
    "dmlib.errors",
    "dmlib.files",
    "dmlib.pipeline",
    "dmlib.products",
    "dmlib.progress",
    "dmlib.provenance",
    "dmlib.settings",
)


def package_root() -> Path:
    """Folder that holds the source of dmlib."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(PACKAGE)
    return Path(next(iter(spec.submodule_search_locations)))


def is_infrastructure(module: str) -> bool:
    """Whether results are independent of a module's text, see `INFRASTRUCTURE`."""
    return module == PACKAGE or any(module == name or module.startswith(f"{name}.") for name in INFRASTRUCTURE)


@dataclass(frozen=True)
class Imported:
    """What one source file imports from dmlib.

    Parameters
    ----------
    at_import : frozenset of str
        Names imported when the module is: candidates, ``dmlib.a.b`` may be a module or an attribute of ``dmlib.a``.
    in_functions : frozenset of str
        Names that functions import when they are called.
    """

    at_import: frozenset[str]
    in_functions: frozenset[str]


def closure(names: Iterable[str], *, with_infrastructure: bool = False) -> dict[str, Path]:
    """Modules that the named ones use, directly or through others.

    Parameters
    ----------
    names : iterable of str
        Modules, for example ``["dmlib.sample"]``.
    with_infrastructure : bool
        Keep the modules that results do not depend on; the book's own step does.

    Returns
    -------
    dict
        Module -> source file, sorted by name, the named ones included.

    Notes
    -----
    Importing ``dmlib.universe.embedded`` runs ``dmlib/universe/__init__.py`` too; of a package met only on the way
    to one of its modules, what its functions would import does not count.
    """
    found: dict[str, Path] = {}
    entire: set[str] = set()
    todo = [(name, True) for name in names]
    while todo:
        name, whole = todo.pop()
        resolved = _resolve(name)
        if resolved is None:
            continue
        module, path = resolved
        if (is_infrastructure(module) and not with_infrastructure) or module in entire:
            continue
        if module in found and not whole:
            continue
        found[module] = path
        if whole:
            entire.add(module)
        imported = _imports(path, module, path.stat().st_mtime_ns)
        todo += [(target, True) for target in imported.at_import]
        if whole:
            todo += [(target, True) for target in imported.in_functions]
        parent = module.rpartition(".")[0]
        if parent:
            todo.append((parent, False))
    return dict(sorted(found.items()))


def imports_of_source(text: str) -> frozenset[str]:
    """Names from dmlib that a script imports anywhere; lines of IPython magic are passed over.

    Raises
    ------
    SyntaxError
        When the script is not Python.
    """
    lines = ("" if line.lstrip().startswith(("%", "!")) else line for line in text.splitlines())
    imported = _collect(ast.parse("\n".join(lines)), package="")
    return imported.at_import | imported.in_functions


def data_files(modules: dict[str, Path]) -> list[Path]:
    """Files other than Python source in the folders of the packages among `modules`: tables, style sheets."""
    files = []
    for path in modules.values():
        if path.name == "__init__.py" and path.parent != package_root():
            files += [
                item
                for item in path.parent.iterdir()
                if item.is_file() and item.suffix not in {".py", ".pyc"} and not item.name.startswith(".")
            ]
    return sorted(files)


def _resolve(name: str) -> tuple[str, Path] | None:
    """Module and file of ``dmlib.a.b``, or of ``dmlib.a`` when ``b`` is a name inside it."""
    parts = name.split(".")
    if parts[0] != PACKAGE:
        return None
    while parts:
        base = package_root().joinpath(*parts[1:])
        for path in (base / "__init__.py", base.with_suffix(".py")):
            if path.is_file():
                return ".".join(parts), path
        parts.pop()
    return None


@cache
def _imports(path: Path, module: str, changed: int) -> Imported:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return _collect(ast.parse(path.read_text(encoding="utf-8"), filename=str(path)), package)


def _collect(tree: ast.AST, package: str) -> Imported:
    at_import: set[str] = set()
    in_functions: set[str] = set()

    def visit(node: ast.AST, target: set[str]) -> None:
        if isinstance(node, ast.Import):
            target.update(alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base]) if base else ".".join(above)
            if base.split(".")[0] == PACKAGE:
                target.update(f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.orelse:
                visit(child, target)
        else:
            inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for child in ast.iter_child_nodes(node):
                visit(child, in_functions if inside else target)

    visit(tree, at_import)
    return Imported(frozenset(at_import), frozenset(in_functions))
