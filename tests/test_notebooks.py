"""The notebooks as they stand in the repository: paired, clean, short cells, taught and not commented."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

from claims import load_claims, load_outline
from dmlib.pipeline.notebooks import declared_parameters
from dmlib.pipeline.steps import SHARED_PARAMETERS, chapter_of
from dmlib.settings import Settings
from found import load_found

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))

#: Folders of somebody's machine; the TNG JupyterLab's are public and the same for all.
MACHINE_PATH = re.compile(r"(?<![\w.~/…-])/(?:home(?!/tnguser)|root|work|Users|tmp|mnt|data|scratch|opt)/[\w.-]+")
KEY = re.compile(r"\b[0-9a-f]{32}\b", re.IGNORECASE)
NUMBER_ROLE = re.compile(r"\{num\}`([a-z][a-z0-9_.-]*)")


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


@pytest.fixture(scope="module")
def notebook(path):
    return jupytext.read(path)


def code(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook) -> str:
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def has_tag(cell, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_a_chapter_imports_tensorflow_or_martini_only_where_it_uses_them():
    """To import TensorFlow takes six seconds and 0.6 GB; two chapters use networks from their start."""
    imports = [
        ast.unparse(node)
        for path in NOTEBOOKS
        if path.stem not in ("09_convolutions", "14_saliency")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    heavy = "import sys; print(*{'tensorflow', 'keras', 'jax', 'torch', 'martini'} & sys.modules.keys())"
    script = "\n".join([*imports, heavy])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == ""


def test_names_are_those_of_the_outline():
    planned = [chapter.file for part in load_outline(ROOT / "book" / "outline.yml") for chapter in part.chapters]
    assert {f"notebooks/{path.stem}" for path in NOTEBOOKS} <= set(planned)
    assert planned == sorted(planned)


def test_only_the_py_is_in_git():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "*.ipynb"], capture_output=True, text=True, check=True)
    assert listed.stdout == ""


def test_header_pairs_and_names_a_kernel(notebook):
    assert notebook.metadata.jupytext.formats == "ipynb,py:percent"
    assert notebook.metadata.kernelspec == {"display_name": "Python 3", "language": "python", "name": "python3"}


def test_saving_in_jupyterlab_leaves_the_source_as_it_is(path, notebook):
    """Neither jupytext's version nor a cell's layout may differ after a save, or the chapter would count as edited."""
    import jupytext

    assert jupytext.writes(notebook, fmt="py:percent") == path.read_text(encoding="utf-8")


def test_parameters_cell(path, notebook):
    cells = [cell for cell in code(notebook) if has_tag(cell, "parameters")]
    assert len(cells) == 1 and cells[0] is code(notebook)[0]
    declared = declared_parameters(path)
    fields = Settings.model_fields
    assert list(declared)[:4] == list(SHARED_PARAMETERS)
    assert {name: declared[name] for name in SHARED_PARAMETERS} == {n: fields[n].default for n in SHARED_PARAMETERS}
    for line in cells[0].source.splitlines():
        assert re.search(r"\s# \w", line), f"say what it is, its unit or the paper's section: {line}"


def test_papermill_sees_the_same_parameters(path, notebook, tmp_path):
    import nbformat
    import papermill

    nbformat.write(notebook, tmp_path / "notebook.ipynb")
    assert list(papermill.inspect_notebook(str(tmp_path / "notebook.ipynb"))) == list(declared_parameters(path))


def test_settings_come_first(notebook):
    after = "".join(cell.source for cell in code(notebook)[1:3])
    call = r"settings = Settings\(\s*universe=universe,\s*profile=profile,\s*seed=seed,\s*base_path=base_path"
    assert re.search(call, after)


def lines_of_code(cell) -> int:
    """Lines of a cell, a call of `show`, `show_table` or `record` as one: most of it is text."""
    lines = 0
    for statement in ast.parse(cell.source).body:
        call = statement.value if isinstance(statement, ast.Expr) else None
        name = getattr(call.func, "id", "") if isinstance(call, ast.Call) else ""
        lines += 1 if name in ("show", "show_table", "record") else statement.end_lineno - statement.lineno + 1
    return lines


def test_cells_are_short(notebook):
    assert max(len(cell.source.splitlines()) for cell in code(notebook)) <= 25
    assert statistics.median(map(lines_of_code, code(notebook))) <= 5


def test_code_fits_the_column_of_a_page(notebook):
    """79 characters, in cells and in the blocks of code that the text shows; `ruff format` does most of it."""
    blocks = re.findall(r"^```(?:python|bash)\n(.*?)^```", prose(notebook), re.DOTALL | re.MULTILINE)
    for line in "\n".join([*(cell.source for cell in code(notebook)), *blocks]).splitlines():
        assert len(line) <= 79, line


def test_prose_outweighs_code(notebook):
    """By characters without blanks: lines of code are short, and so much of them is indentation."""
    written, typed = ("".join(text.split()) for text in (prose(notebook), "".join(c.source for c in code(notebook))))
    assert len(written) > len(typed)
    assert notebook.cells[0].cell_type == "markdown"


def test_something_is_said_after_each_figure(notebook):
    """At once, or after the cell that records the figure's numbers."""
    cells = notebook.cells
    for number, cell in enumerate(cells):
        if cell.cell_type == "code" and re.search(r"^show\(", cell.source, re.MULTILINE):
            following = [later.cell_type for later in cells[number + 1 : number + 3]]
            assert "markdown" in following, f"say what to see after:\n{cell.source}"


def test_notebooks_narrate_and_dmlib_computes(notebook):
    for cell in code(notebook):
        tree = ast.parse(cell.source)
        long = [n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.end_lineno - n.lineno > 5]
        assert not long and not any(isinstance(node, ast.ClassDef) for node in ast.walk(tree)), cell.source
        assert "# TODO" not in cell.source and "import matplotlib" not in cell.source


def test_opening_and_ending(notebook):
    opening = notebook.cells[0]
    assert opening.cell_type == "markdown" and re.match(r"\([a-z0-9-]+\)=\n# \S", opening.source)
    assert "**Objective" in opening.source and "| Prerequisite" in opening.source
    assert "You will be able to\n\n1. " in opening.source and "minute" in opening.source
    text = prose(notebook)
    assert ":::{admonition} Exercise\n:class: tip" in text and ":::{admonition} Solution\n:class: dropdown" in text
    for heading in ("## Summary", "## What's next", "```{bibliography}\n:filter: docname in docnames"):
        assert heading in text


def test_no_paths_of_a_machine_and_no_keys(path):
    text = path.read_text(encoding="utf-8")
    assert not MACHINE_PATH.search(text), MACHINE_PATH.search(text)
    assert not KEY.search(text)


@pytest.fixture(scope="module")
def recorded():
    """Whether an id occurs in the code of some notebook, whole or as an f-string that can give it."""
    known: set[str] = set()
    patterns: list[re.Pattern] = []
    sources = [cell.source for path in NOTEBOOKS for cell in code(jupytext.read(path))]
    # Chapters 13, 17 and 19 record rows that these modules make.
    for module in ("posteriors.py", "comparison_rows.py", "robustness.py"):
        sources.append((ROOT / "dmlib" / "evaluation" / module).read_text(encoding="utf-8"))
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                known.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [re.escape(p.value) if isinstance(p, ast.Constant) else "(.+?)" for p in node.values]
                # What ends with a dash is the beginning of a sum of strings.
                patterns.append(re.compile("".join(parts) + ".*" * parts[-1].endswith("-")))

    def gives(pattern: re.Pattern, id: str) -> bool:
        """An f-string of nothing but dashes and variables must begin with a word of the notebooks."""
        found = pattern.fullmatch(id)
        if found is None or re.search("[a-z]{2}", pattern.pattern):
            return found is not None
        return any(id[: place.start()] in known for place in re.finditer("-", id))

    return lambda id: id in known or any(gives(pattern, id) for pattern in patterns)


def test_numbers_quoted_are_recorded_somewhere(recorded):
    for path in NOTEBOOKS:
        for id in NUMBER_ROLE.findall(prose(jupytext.read(path))):
            assert recorded(re.sub(r"\.n$", "", id)), f"{path.name} quotes {id}, recorded nowhere"


def test_numbers_of_claims_and_boxes_are_recorded_somewhere(recorded):
    book = ROOT / "book"
    chapters = {chapter.id for part in load_outline(book / "outline.yml") for chapter in part.chapters}
    for claim in load_claims(book / "claims.yml", chapters):
        ids = [id for reading in (claim, *claim.readings) for id in (reading.result, reading.floor) if id]
        words = [claim.why, *(reading.reading for reading in (claim, *claim.readings))]
        for id in (*ids, *NUMBER_ROLE.findall(" ".join(words))):
            assert recorded(re.sub(r"\.n$", "", id)), f"claim {claim.id} needs {id}, recorded nowhere"
    for chapter, groups in load_found(book / "found.yml", chapters).items():
        for name in {name for group in groups for sentence in group for name in sentence.names}:
            id = re.sub(r"\.(error|n)$", "", name.strip("|"))
            assert recorded(id), f"the box of {chapter} needs {id}, recorded nowhere"


#: Figures of errors, or of ratios of errors. Captions of differences of two methods need no floor: it is the same for
#: both.
OF_ERRORS = {
    "04_target_profiles": {"target_baselines"},
    "07_data_set": {"dataset_leak"},
    "08_supervised_learning": {"learning_exam", "integrated_light"},
    "10_networks": {"networks_errors", "networks_orientations", "networks_cost", "networks_learning_curve"},
    "11_inputs": {"inputs_errors", "inputs_regions"},
    "12_profiles": {"profiles_residuals", "profiles_failures"},
    "17_comparison": {f"comparison_{end}" for end in ("key", "errors", "regimes", "beams", "knowledge")},
    "19_robustness": {
        f"robustness_{end}" for end in ("matrix", "from_fiducial", "bias", "alarm", "adaptation", "real")
    },
}


def test_captions_of_errors_name_the_information_floor(path, notebook):
    """Where it is drawn, or why it is not."""
    wanted = OF_ERRORS.get(path.stem, set())
    shown = {
        call.args[2].value: ast.unparse(next(keyword.value for keyword in call.keywords if keyword.arg == "caption"))
        for cell in code(notebook)
        for call in ast.walk(ast.parse(cell.source))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "show"
    }
    assert wanted <= shown.keys()
    silent = {name for name in wanted if "information floor" not in shown[name]}
    assert not silent, f"captions that do not name the information floor: {', '.join(sorted(silent))}"


def test_chapters_record_under_their_own_id(path, notebook):
    chapters = set(
        re.findall(r"""chapter["']?\s*[=:]\s*["']([a-z_]+)["']""", "\n".join(c.source for c in code(notebook)))
    )
    assert chapters <= {chapter_of(path)}
