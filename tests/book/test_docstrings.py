"""Docstrings are valid reStructuredText once napoleon has read their sections, as the reference pages need them."""

from __future__ import annotations

import ast
import subprocess
import sys
from types import SimpleNamespace

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


def test_words_before_a_colon_are_not_the_type_of_a_constant(plain_marks):
    lines = ["Galaxies of a block: the most that a killed run loses."]
    plain_marks.whole_sentence(None, "data", "", None, None, lines)
    shown = NumpyDocstring(lines, Config(), what="data", name="BLOCK").lines()
    assert lines[-1] in shown and not any("type" in line for line in shown)


@pytest.mark.parametrize("strict", [False, True])
def test_a_slip_in_a_docstring_stops_the_book_only_when_asked_to(strict, repository, tmp_path, monkeypatch):
    """Sphinx counts the warnings that make it fail: one that is hidden must not be counted."""
    for name in ("DMLIB_STRICT_DOCSTRINGS", "PYTHONWARNINGS"):
        monkeypatch.delenv(name, raising=False)
    if strict:
        monkeypatch.setenv("DMLIB_STRICT_DOCSTRINGS", "1")
    (tmp_path / "slipped").mkdir()
    (tmp_path / "slipped/__init__.py").touch()
    (tmp_path / "slipped/part.py").write_text('"""A *slip.\n\nRefers to `nothing`."""\n')
    (tmp_path / "conf.py").write_text(
        f"import sys\nsys.path[:0] = [{str(repository / 'book/_ext')!r}, {str(tmp_path)!r}]\n"
        "extensions = ['myst_parser', 'sphinx.ext.autodoc', 'api_pages']\n"
        "api_packages = ['slipped']\ndefault_role = 'py:obj'\nnitpicky = True\n"
    )
    (tmp_path / "index.md").write_text("# Home\n\n```{toctree}\napi/slipped\n```\n")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", str(tmp_path), str(tmp_path / "html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == int(strict), done.stderr
    assert ("docstring of slipped.part" in done.stderr) == strict
    assert (tmp_path / "html/api/slipped.html").is_file()


@pytest.mark.parametrize("turn", [list, reversed])
def test_an_ambiguous_name_means_the_nearest_object(turn, plain_marks):
    names = ["a.near.Task", "a.far.Task", "b.Task"]
    domain = object.__new__(plain_marks.NearestObject)
    domain.data = {"objects": {name: SimpleNamespace(objtype="class") for name in turn(names)}}
    domain.object_types, domain._type2role, domain._role2type = plain_marks.PythonDomain.object_types, {}, {}
    for module, nearest in {
        "a.near.other": "a.near.Task",
        "a": "a.far.Task",
        "b": "b.Task",
        None: "a.far.Task",
    }.items():
        assert domain.find_obj(None, module, None, "Task", None, 1)[0][0] == nearest
