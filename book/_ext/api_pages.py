"""Sphinx extension: reference pages of the Python packages, one page per room, from their docstrings.

The pages are written before the table of contents is read, which lists them with a ``glob``. Heavy libraries are not
imported: autodoc replaces the modules of ``autodoc_mock_imports`` by stand-ins.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import pkgutil
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.domains.python import PythonDomain
from sphinx.ext.autodoc import ClassDocumenter
from sphinx.ext.autodoc.type_comment import update_annotations_using_type_comments
from sphinx.pycode.parser import Parser
from sphinx.util.logging import get_node_location

#: Set in the tests: then a docstring that is not valid reStructuredText stops the book.
STRICT = "DMLIB_STRICT_DOCSTRINGS"

_MODULE = """
## `{module}`

```{{eval-rst}}
.. automodule:: {module}
   :members:
   :ignore-module-all:
   :member-order: bysource
   :exclude-members: model_config
```
"""


class _Docstrings(logging.Filter):
    """Keep a slip in the markup of a docstring from stopping a reader's book."""

    def filter(self, record: logging.LogRecord) -> bool:
        location = getattr(record, "location", None)
        if isinstance(location, nodes.Node):
            location = get_node_location(location)
        return "docstring of" not in str(location)


def plain_marks(app: Sphinx, what: str, name: str, of: object, options: object, lines: list[str]) -> None:
    """Escape ``|x|`` and ``name_`` outside literals, which reStructuredText would take for references."""
    for number, line in enumerate(lines):
        parts = re.split(r"(`+[^`]+`+)", line)
        parts[::2] = [re.sub(r"\||(?<=\w)_(?=\W|$)", r"\\\g<0>", part) for part in parts[::2]]
        lines[number] = "".join(parts)


def whole_sentence(app: Sphinx, what: str, name: str, of: object, options: object, lines: list[str]) -> None:
    """Keep napoleon from showing what stands before a colon in a constant's first line as its type.

    It reads ``x : what x is`` in that line, which we never write; an empty comment before it ends the search.
    """
    if what in ("attribute", "data", "property") and lines and ":" in lines[0]:
        lines[:0] = ["..", ""]


class NearestObject(PythonDomain):
    """Python's names, of which an ambiguous one means the object nearest to the text: of its module, of its package.

    Sphinx takes that which was read first, and so another one each time when several processes read.
    """

    def find_obj(self, env: Any, modname: str, *sought: Any) -> list[tuple[str, Any]]:
        """Find objects of a name, the nearest first."""
        here = (modname or "").split(".")

        def farness(match: tuple[str, Any]) -> tuple[list[bool], str]:
            return [part != ours for part, ours in zip(match[0].split("."), here, strict=False)], match[0]

        return sorted(super().find_obj(env, modname, *sought), key=farness)


def rooms(package: str) -> dict[str, list[str]]:
    """Public modules of a package by room: the package's own modules, then one room per subpackage."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return {}
    found: dict[str, list[str]] = {package: []}
    for module in pkgutil.iter_modules(spec.submodule_search_locations, f"{package}."):
        if module.name.rpartition(".")[2].startswith("_"):
            continue
        if module.ispkg:
            found[module.name] = [module.name, *(name for part in rooms(module.name).values() for name in part)]
        else:
            found[package].append(module.name)
    return {room: list(dict.fromkeys(modules)) for room, modules in found.items() if modules}


def write_pages(app: Sphinx, config: Config) -> None:
    """Write ``api/<room>.md`` for each package that is installed."""
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    for package in config.api_packages:
        for room, modules in rooms(package).items():
            text = f"(api-{room.replace('.', '-')})=\n# `{room}`\n" + "".join(
                _MODULE.format(module=module) for module in modules
            )
            (folder / f"{room}.md").write_text(text, encoding="utf-8")


def _skip_what_no_page_shows(app: Sphinx) -> None:
    """Spare autodoc three searches, a quarter of its time, for which it has no setting.

    They are for types written as comments; for the line of each definition, to which only pages of source code would
    link; and for overloads of constructors, for which it imports the libraries that it otherwise does without. We have
    none of these.
    """
    for listener in list(app.events.listeners["autodoc-before-process-signature"]):
        if listener.handler is update_annotations_using_type_comments:
            app.disconnect(listener.id)
    Parser.parse_definition = lambda self: None  # type: ignore[method-assign]
    ClassDocumenter.get_overloaded_signatures = lambda self: []  # type: ignore[method-assign]


def setup(app: Sphinx) -> dict:
    """Register the setting ``api_packages`` and what writes the pages."""
    _skip_what_no_page_shows(app)
    app.add_domain(NearestObject, override=True)
    app.add_config_value("api_packages", [], "env", list)
    app.connect("config-inited", write_pages, priority=100)
    app.connect("autodoc-process-docstring", whole_sentence, priority=100)  # before napoleon
    app.connect("autodoc-process-docstring", plain_marks, priority=900)
    if not os.environ.get(STRICT):
        for handler in logging.getLogger("sphinx").handlers:
            # Before Sphinx's own, one of which counts the warnings that make the build fail.
            handler.filters.insert(0, _Docstrings())
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
