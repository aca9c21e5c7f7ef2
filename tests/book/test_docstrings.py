"""Docstrings are valid reStructuredText once napoleon has read their sections, as the reference pages need them."""

from __future__ import annotations

import ast
import sys

import pytest
from docutils import nodes
from docutils.core import publish_doctree
from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import NumpyDocstring

SETTINGS = {"report_level": 2, "halt_level": 5, "warning_stream": False, "file_insertion_enabled": False}


def docstrings(repository):
    for package in ("dmlib", "mocktng/src/mocktng"):
        for path in sorted((repository / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and (text := ast.get_docstring(node)):
                    name = getattr(node, "name", "module")
                    if not name.startswith("_"):
                        yield f"{path.relative_to(repository)}: {name}", text


@pytest.fixture
def plain_marks(repository, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / "book" / "_ext"))
    yield sys.modules.get("api_pages") or __import__("api_pages")
    sys.modules.pop("api_pages", None)


def test_docstrings_can_be_set(repository, plain_marks):
    faults = []
    for name, text in docstrings(repository):
        if not set(text) & set("*`|_:\n"):
            continue
        lines = NumpyDocstring(text, Config(napoleon_use_ivar=True)).lines()
        plain_marks.plain_marks(None, "", "", None, None, lines)
        tree = publish_doctree("\n".join(lines), settings_overrides=SETTINGS)
        faults += [
            f"{name}: {message.astext()}" for message in tree.findall(nodes.system_message) if message["level"] > 1
        ]
    assert not faults, "\n".join(faults)
