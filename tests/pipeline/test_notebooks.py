"""Starting kernels, and what is left in an executed notebook."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import papermill
import pytest
from papermill.parameterize import parameterize_path

from dmlib.errors import StepError
from dmlib.pipeline import notebooks
from dmlib.settings import Settings
from toy_repository import HEADER

TEXT = HEADER + '# %% tags=["parameters"]\nseed = 1\nbase_path = ""\n\n# %%\n1 + 1\n'


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(profile="smoke", build_root=str(tmp_path / "build"))


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "notebooks" / "01_first.py"
    path.parent.mkdir()
    path.write_text(TEXT, encoding="utf-8")
    return path


def failing(monkeypatch, times: int, begun: bool = False) -> list[int]:
    """Let papermill fail to start a kernel so many times; the list counts its calls."""
    calls: list[int] = []

    def execute(notebook, output, **options):
        calls.append(1)
        if begun:
            notebook.cells[0].metadata["papermill"] = {"start_time": "now"}
        nbformat.write(notebook, output)
        if len(calls) <= times:
            raise RuntimeError("Kernel didn't respond in 60 seconds")
        return notebook

    monkeypatch.setattr(papermill, "execute_notebook", execute)
    return calls


def test_a_start_that_failed_is_tried_again(monkeypatch, settings, path):
    calls = failing(monkeypatch, times=2)
    assert notebooks.execute(path, settings, {"seed": 2}) == [settings.notebooks_dir / "01_first.ipynb"]
    assert len(calls) == 3


def test_not_for_ever(monkeypatch, settings, path):
    calls = failing(monkeypatch, times=9)
    with pytest.raises(
        StepError, match=r"before its first cell: no kernel started in 3 attempts .Kernel didn't respond"
    ):
        notebooks.execute(path, settings, {"seed": 2})
    assert len(calls) == 3


def test_not_after_a_cell_has_run(monkeypatch, settings, path):
    calls = failing(monkeypatch, times=9, begun=True)
    with pytest.raises(RuntimeError):
        notebooks.execute(path, settings, {"seed": 2})
    assert len(calls) == 1


def test_an_interrupted_notebook_does_not_pass_for_an_executed_one(monkeypatch, settings, path):
    failing(monkeypatch, times=0)
    notebooks.execute(path, settings, {"seed": 2})

    def interrupted(notebook, output, **options):
        nbformat.write(notebook, output)
        raise KeyboardInterrupt

    monkeypatch.setattr(papermill, "execute_notebook", interrupted)
    with pytest.raises(KeyboardInterrupt):
        notebooks.execute(path, settings, {"seed": 2})
    assert sorted(item.name for item in settings.notebooks_dir.iterdir()) == ["01_first.failed.ipynb"]


def test_a_notebook_is_not_saved_with_every_cell_and_whole_when_one_fails(monkeypatch, settings, path):
    saves = []
    write = papermill.engines.write_ipynb
    monkeypatch.setattr(papermill.engines, "write_ipynb", lambda nb, to: (saves.append(to), write(nb, to)))
    path.write_text(TEXT + "".join(f"# %%\n{k} + 40\n" for k in range(5)) + "# %%\n1 / 0\n", encoding="utf-8")
    with pytest.raises(StepError, match="ZeroDivisionError"):
        notebooks.execute(path, settings, {"seed": 2})
    assert len(saves) == 2
    kept = nbformat.read(settings.notebooks_dir / "01_first.failed.ipynb", as_version=4)
    assert "'44'" in str(kept.cells)


def test_parameters_are_literals_of_any_plain_kind(path):
    path.write_text(
        HEADER + '# %% [markdown]\n# # Title\n\n# %% tags=["hide-input", "parameters"]\n'
        "a = -1  # kpc\nb = [1, 2.5]\nc = None\n\n# %%\nd = 4\n",
        encoding="utf-8",
    )
    assert notebooks.declared_parameters(path) == {"a": -1, "b": [1, 2.5], "c": None}


def test_a_notebook_without_parameters_cell(path):
    path.write_text(HEADER + "# %%\na = 1\n", encoding="utf-8")
    with pytest.raises(StepError, match=r"01_first\.py has no cell tagged 'parameters'"):
        notebooks.declared_parameters(path)


def test_a_secret_is_blotted_out_everywhere(monkeypatch, settings, path):
    monkeypatch.setenv("TNG_API_KEY", "sesame")
    outputs = [
        nbformat.v4.new_output("stream", name="stdout", text="the key is sesame\n"),
        nbformat.v4.new_output("error", ename="E", evalue="sesame", traceback=["...", "no sesame here"]),
        nbformat.v4.new_output("display_data", data={"text/plain": "sesame"}),
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=outputs)])
    assert "sesame" not in nbformat.writes(notebooks._tidy(notebook, path, settings, {"seed": 1}))


def test_tables_are_not_named_after_memory(settings, path):
    def executed(first: int, second: int) -> str:
        html = f'<table id="table{first}"></table><table id="table{second}"></table><script>f("table{first}")</script>'
        cell = nbformat.v4.new_code_cell(
            "x", outputs=[nbformat.v4.new_output("display_data", data={"text/html": html})]
        )
        return nbformat.writes(notebooks._tidy(nbformat.v4.new_notebook(cells=[cell]), path, settings, {}))

    assert executed(140519911900560, 140519911900999) == executed(139669224138256, 139669224138999)
    assert executed(140519911900560, 140519911900560) != executed(139669224138256, 139669224138999)


def test_folders_of_this_machine_are_not_named(tmp_path, path):
    """Warnings name the module that gave them, and the file of the cell, which holds a process number."""
    tree = tmp_path / "sims" / "TNG100-1" / "output"
    settings = Settings(universe="files", profile="smoke", base_path=str(tree), build_root=str(tmp_path / "build"))

    def executed(number: int) -> str:
        said = (
            f"{sys.prefix}/lib/python/astropy/lupton_rgb.py:645: RuntimeWarning\n"
            f"/tmp/ipykernel_{number}/{number * 7}.py:1: RuntimeWarning\n"
            f"{tree}/groups_099 and {settings.build}/sample.ecsv, but {tree}-2 is another\n"
        )
        cell = nbformat.v4.new_code_cell("x", outputs=[nbformat.v4.new_output("stream", name="stderr", text=said)])
        tidy = notebooks._tidy(nbformat.v4.new_notebook(cells=[cell]), path, settings, {})
        return tidy.cells[0].outputs[0].text

    assert executed(123) == executed(4567)
    lines = executed(123).splitlines()
    assert sys.prefix not in lines[0] and lines[0].endswith("/lib/python/astropy/lupton_rgb.py:645: RuntimeWarning")
    assert lines[1] == "<cell>:1: RuntimeWarning"
    assert lines[2] == f"BASE_PATH/groups_099 and build/files-smoke/sample.ecsv, but {tree}-2 is another"


@pytest.mark.parametrize("path", ["/a/b.ipynb", "/a{x}/{}/y}{/b.ipynb"])
def test_braces_in_a_path_name_no_parameters(path):
    assert parameterize_path(notebooks._literal(Path(path)), {}) == path
