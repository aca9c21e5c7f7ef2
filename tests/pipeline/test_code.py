"""Which modules a step depends on, read from import statements."""

from __future__ import annotations

import pytest

from dmlib import code


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package named dmlib made of the given sources."""

    def make(sources: dict[str, str]) -> None:
        for name, text in sources.items():
            path = tmp_path / "dmlib" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    monkeypatch.setattr(code, "package_root", lambda name: tmp_path / name if name == "dmlib" else None)
    return make


def test_every_form_of_import(package):
    package(
        {
            "__init__.py": "",
            "a.py": "import dmlib.b\nfrom dmlib import c\nfrom .d import name\nfrom . import e\nfrom .f.g import *\n",
            **{f"{name}.py": "" for name in "bcde"},
            "f/__init__.py": "from ..h import x",
            "f/g.py": "from .. import i\nfrom .k import y",
            "f/k.py": "",
            "h.py": "",
            "i.py": "",
            "unused.py": "",
        }
    )
    assert list(code.closure(["dmlib.a"])) == [f"dmlib.{m}" for m in ("a", "b", "c", "d", "e", "f")] + [
        f"dmlib.{m}" for m in ("f.g", "f.k", "h", "i")
    ]


def test_an_import_inside_a_function_counts(package):
    package({"__init__.py": "", "a.py": "def f():\n    def g():\n        from .b import c\n", "b.py": ""})
    assert list(code.closure(["dmlib.a"])) == ["dmlib.a", "dmlib.b"]


def test_an_import_for_the_type_checker_does_not(package):
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .b import c\nelse:\n    from .d import e\n"
    package({"__init__.py": "", "a.py": text, "b.py": "", "d.py": ""})
    assert list(code.closure(["dmlib.a"])) == ["dmlib.a", "dmlib.d"]


def test_of_a_package_on_the_way_only_what_its_import_runs_counts(package):
    package(
        {
            "__init__.py": "",
            "p/__init__.py": "from .always import x\ndef f():\n    from .sometimes import y\n",
            **{f"p/{name}.py": "" for name in ("always", "sometimes", "writer")},
        }
    )
    assert list(code.closure(["dmlib.p.writer"])) == ["dmlib.p", "dmlib.p.always", "dmlib.p.writer"]
    assert "dmlib.p.sometimes" in code.closure(["dmlib.p"])
    assert "dmlib.p.sometimes" in code.closure(["dmlib.p.writer", "dmlib.p"])


def test_circles_end(package):
    package({"__init__.py": "", "a.py": "from .b import x", "b.py": "def f():\n    from .a import y"})
    assert list(code.closure(["dmlib.a"])) == ["dmlib.a", "dmlib.b"]


def test_infrastructure_is_left_out(package):
    package({"__init__.py": "", "a.py": "from .load import sample", "load.py": "from .b import x", "b.py": ""})
    assert list(code.closure(["dmlib.a"])) == ["dmlib.a"]


def test_tables_beside_a_package_count(package, tmp_path):
    package({"__init__.py": "", "p/__init__.py": "", "p/q.py": "", "p/table.csv": "1", "other.csv": "2"})
    assert code.data_files(code.closure(["dmlib.p.q"])) == [tmp_path / "dmlib/p/table.csv"]


def test_a_notebook_with_magics():
    source = "%matplotlib inline\n!ls\nfrom dmlib.sample import load_sample\nimport numpy\n"
    assert code.imports_of_source(source) == {"dmlib.sample.load_sample"}


def test_the_real_flow():
    """Data go down the flow: the sample uses the universe's reader, and neither uses the writer or the targets."""
    sample = code.closure(["dmlib.sample"])
    assert "dmlib.universe" in sample
    assert not any(name.startswith(("dmlib.embedded", "dmlib.targets", "dmlib.load")) for name in sample)
