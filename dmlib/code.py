"""Which source files a result depends on, and a fingerprint of what they compute.

A cached result is only as good as the list of what it depends on. The list is read from import statements, including
those inside functions, and followed through dmlib and mocktng to the end; nothing is imported. The fingerprint is that
of the syntax tree without comments and docstrings: an edited formula changes it, an edited sentence does not.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os.path
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

#: Packages whose modules are followed.
PACKAGES = ("dmlib", "mocktng")

#: Modules that decide when and where things are computed, not what comes out; no result depends on their text. The
#: values of `dmlib.settings` count as parameters instead.
INFRASTRUCTURE = (
    *("dmlib.cli", "dmlib.code", "dmlib.environment", "dmlib.errors", "dmlib.files", "dmlib.load"),
    *("dmlib.pipeline", "dmlib.settings", "dmlib.sources", "dmlib.workers"),
)

#: Nodes of a syntax tree that hold statements; expressions, which are most of the nodes, hold none.
_HOLDERS = (ast.stmt, ast.excepthandler, ast.match_case)

Read = tuple[int, int]

#: What a source file imports from `PACKAGES` when it is imported, and in functions when these are called; names as
#: ``dmlib.a.b``, which may be a module or an attribute of ``dmlib.a``.
Imported = tuple[frozenset[str], frozenset[str]]

#: An import statement, and whether it stands in a function.
Statement = tuple[ast.Import | ast.ImportFrom, bool]


@lru_cache
def package_root(package: str) -> Path | None:
    """Folder that holds the source of one of `PACKAGES`; None where it is not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.origin or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def is_infrastructure(module: str) -> bool:
    """Whether results are independent of a module's text, see `INFRASTRUCTURE`."""
    return module in PACKAGES or any(module == name or module.startswith(f"{name}.") for name in INFRASTRUCTURE)


def closure(names: Iterable[str]) -> dict[str, Path]:
    """Modules that the named ones use, directly or through others; not those that results do not depend on.

    Parameters
    ----------
    names : iterable of str
        Modules, for example ``["dmlib.sample"]``.

    Returns
    -------
    dict
        Module -> source file, sorted by name, the named ones included.

    Notes
    -----
    Importing ``dmlib.universe.files`` runs ``dmlib/universe/__init__.py`` too; of a package met only on the way to one
    of its modules, the imports inside its functions do not count.
    """
    found: dict[str, Path] = {}
    entire: set[str] = set()
    met: set[tuple[str, bool]] = set()
    todo = [(name, True) for name in names]
    while todo:
        name, whole = todo.pop()
        if (name, whole) in met:  # before the file system is asked
            continue
        met.add((name, whole))
        resolved = _resolve(name)
        if resolved is None:
            continue
        module, path = resolved
        if is_infrastructure(module) or module in entire:
            continue
        if module in found and not whole:
            continue
        found[module] = path
        if whole:
            entire.add(module)
        at_import, in_functions = _imports(path, module, _version(path))
        todo += [(target, True) for target in (at_import | in_functions if whole else at_import)]
        parent = module.rpartition(".")[0]
        if parent:
            todo.append((parent, False))
    return dict(sorted(found.items()))


def modules_of(package: str) -> list[str]:
    """Names of a package and of the modules in its folder."""
    found = _resolve(package)
    return [package, *(f"{package}.{path.stem}" for path in sorted(found[1].parent.glob("[!_]*.py")))] if found else []


def fingerprint(*modules: str) -> str:
    """Hash of the code of the named modules, of all modules that they use, and of the tables beside these.

    Parameters
    ----------
    *modules : str
        For example ``"dmlib.targets"``.

    Returns
    -------
    str
        Sha256, the same after an edit of comments, docstrings or layout.
    """
    digest = hashlib.sha256()
    used = closure(modules)
    for path in (*used.values(), *data_files(used)):
        digest.update(f"{path.name} {code_hash(path)}\n".encode())
    return digest.hexdigest()


def code_hash(path: Path) -> str:
    """Sha256 of a Python file's syntax tree without docstrings; of the bytes of any other file."""
    if path.suffix != ".py":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return _read(path, _version(path))[1]


def imports_of_source(text: str) -> frozenset[str]:
    """Names from `PACKAGES` that a script imports anywhere; lines of IPython magic are ignored.

    Raises
    ------
    SyntaxError
        When the script is not Python.
    """
    return frozenset.union(*_named(_statements(parse_script(text)), package=""))


def parse_script(text: str) -> ast.Module:
    """Syntax tree of a script, without its lines of IPython magic."""
    lines = ("" if line.lstrip().startswith(("%", "!")) else line for line in text.splitlines())
    return ast.parse("\n".join(lines))


def data_files(modules: dict[str, Path]) -> list[Path]:
    """Files other than Python source in the folders of the packages among `modules`: tables, style sheets."""
    files = []
    for module, path in modules.items():
        if path.name == "__init__.py" and module not in PACKAGES:
            files += [
                item
                for item in path.parent.iterdir()
                if item.is_file() and item.suffix not in {".py", ".pyc", ".typed"} and not item.name.startswith(".")
            ]
    return sorted(files)


def _resolve(name: str) -> tuple[str, Path] | None:
    """Module and file of ``dmlib.a.b``, or of ``dmlib.a`` when ``b`` is a name inside it."""
    parts = name.split(".")
    root = package_root(parts[0]) if parts[0] in PACKAGES else None
    while root and parts:
        base = os.path.join(root, *parts[1:])
        for path in (os.path.join(base, "__init__.py"), f"{base}.py"):
            if os.path.isfile(path):
                return ".".join(parts), Path(path)
        parts.pop()
    return None


def _version(path: Path) -> Read:
    """What tells one state of a file from another within a process."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=1024)
def _imports(path: Path, module: str, version: Read) -> Imported:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return _named(_read(path, version)[0], package)


@lru_cache(maxsize=1024)
def _read(path: Path, version: Read) -> tuple[list[Statement], str]:
    """Import statements of a source file, and the hash of its code."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    statements = list(_statements(tree))
    _drop_texts(tree)
    return statements, hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _drop_texts(node: ast.AST) -> None:
    """Remove the strings that stand alone in modules, classes and functions: they document what is above them."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        node.body[:] = [part for part in node.body if not _is_text(part)] or [ast.Pass()]
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _HOLDERS):
            _drop_texts(child)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _statements(node: ast.AST, in_function: bool = False) -> Iterator[Statement]:
    """Import statements, each with whether it stands in a function; not those for type checkers."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, in_function
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for statement in child.orelse:
                yield from _statements(ast.Module([statement], []), in_function)
        elif isinstance(child, _HOLDERS):
            yield from _statements(child, in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))


def _named(statements: Iterable[Statement], package: str) -> Imported:
    """What import statements in a module of `package` name."""
    at_import: set[str] = set()
    in_functions: set[str] = set()
    for node, in_function in statements:
        target = in_functions if in_function else at_import
        if isinstance(node, ast.Import):
            target.update(alias.name for alias in node.names if alias.name.split(".")[0] in PACKAGES)
            continue
        base = node.module or ""
        if node.level:
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, base]) if base else ".".join(above)
        if base.split(".")[0] in PACKAGES:
            target.update(f"{base}.{alias.name}" for alias in node.names)
    return frozenset(at_import), frozenset(in_functions)
