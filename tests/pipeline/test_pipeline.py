"""What runs, why, and what is left when it does not end well: the pipeline on a toy repository."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time
from pathlib import Path

import nbformat
import pytest

from toy_repository import ToyRepository

STEPS = ["universe", "sample", "targets", "01_first", "02_second", "book"]


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> ToyRepository:
    """A repository after its first run; not to be changed."""
    repository = ToyRepository(tmp_path_factory.mktemp("built") / "toy")
    assert repository.ran(repository.run()) == STEPS
    return repository


@pytest.fixture
def toy(built, tmp_path) -> ToyRepository:
    """A copy of it, elsewhere, to be changed."""
    copy = ToyRepository.__new__(ToyRepository)
    copy.root = tmp_path / "moved"
    shutil.copytree(built.root, copy.root)
    return copy


def outputs(repository: ToyRepository) -> dict[str, bytes]:
    """Every output but the account of the run, the log of the toy and the pipeline's records.

    Nor the early page, which may still be made for a run that was killed.
    """
    return {
        str(path.relative_to(repository.build)): path.read_bytes()
        for path in sorted(repository.build.rglob("*"))
        if path.is_file() and path.name not in ("run.json", "log.txt") and not {".state", "preview"} & {*path.parts}
    }


def wait_for(path: Path, seconds: float = 60.0) -> None:
    """Wait until a file is there."""
    for _ in range(int(seconds / 0.05)):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path.name} did not come")


class TestFirstRun:
    def test_outputs_lie_where_the_contract_says(self, built):
        for name in ("universe/galaxies.txt", "sample.ecsv", "notebooks/01_first.ipynb", "figures/first.csv"):
            assert (built.build / name).is_file()
        assert (built.root / "book/_build/html/index.html").read_text() == "2 chapters"
        assert [row["id"] for row in json.loads((built.build / "results.json").read_text())] == ["first.sum"]

    def test_the_first_chapter_can_be_read_before_the_others_end(self, built, tmp_path):
        early = ToyRepository(tmp_path / "early")
        early.edit("notebooks/02_second.py", 'print("no products used")', 'raise RuntimeError("broken")')
        said = early.run("--keep-going", code=1)
        assert f"to read meanwhile: {early.build / 'preview' / 'index.html'}" in said
        assert (early.build / "preview" / "index.html").read_text() == "1 chapters"
        assert not (built.build / "preview").exists()  # the whole book replaces it

    def test_account_of_the_run(self, built):
        account = built.account()
        assert account["universe"] == "embedded" and account["profile"] == "smoke" and account["seed"] == 1
        assert account["universe_id"].startswith("toy-")
        assert len(account["lock_sha256"]) == 64
        assert {"python", "numpy", "papermill"} <= account["versions"].keys()
        by_name = {step["name"]: step for step in account["steps"]}
        assert list(by_name) == STEPS
        for step in by_name.values():
            assert step["commit"] is None  # the toy is in no git
            assert step["state"] == "ran" and step["seconds"] >= 0 and step["memory_mb"] > 0
        assert by_name["01_first"]["parameters"]["factor"] == 3
        assert len(by_name["01_first"]["inputs"]["dmlib/galaxy.py"]) == 64
        assert {"notebooks/01_first.ipynb", "figures/first.csv", "results/first.json"} == by_name["01_first"][
            "outputs"
        ].keys()

    def test_account_names_no_machine_and_no_folder(self, built):
        text = (built.build / "run.json").read_text()
        assert str(built.root) not in text and str(Path.home()) + "/" not in text
        assert len(socket.gethostname()) < 4 or f'"{socket.gethostname()}"' not in text

    def test_executed_notebook_is_free_of_times_and_folders(self, built):
        notebook = nbformat.read(built.build / "notebooks/01_first.ipynb", as_version=4)
        assert notebook.metadata.papermill.parameters.profile == "smoke"
        assert not any({"papermill", "execution"} & cell.metadata.keys() for cell in notebook.cells)
        assert str(built.root) not in json.dumps(notebook)


class TestUpToDate:
    def test_nothing_runs_twice_not_even_in_a_moved_checkout(self, toy):
        before = outputs(toy)
        assert set(toy.status().values()) == {""}
        assert toy.ran(toy.run()) == []
        assert outputs(toy) == before

    @pytest.mark.parametrize(
        ("name", "old", "new", "stale"),
        [
            ("dmlib/galaxy.py", "2 *", "3 *", "01_first"),
            ("dmlib/figures/style.py", "black", "red", "01_first"),
            ("notebooks/02_second.py", "no products", "no product", "02_second"),
            ("dmlib/targets.py", "sum", "max", "targets"),
        ],
    )
    def test_a_changed_source(self, toy, name, old, new, stale):
        toy.edit(name, old, new)
        why = toy.status()
        assert why.pop(stale) == f"{name} changed"
        if stale != "targets":  # no chapter of the toy reads the targets
            assert why.pop("book") == f"after {stale}"
        assert set(why.values()) == {""}

    def test_only_what_is_stale_runs_and_with_the_new_source(self, toy):
        toy.edit("dmlib/galaxy.py", "2 *", "5 *")
        assert toy.ran(toy.run()) == ["01_first", "book"]
        assert json.loads((toy.build / "results.json").read_text())[0]["value"] == 15 * (2 + 3 + 4)
        assert set(toy.status().values()) == {""}

    def test_modules_that_results_do_not_depend_on(self, toy):
        toy.edit("dmlib/workers.py", '"""Processes', '"""(Processes')
        toy.edit("dmlib/pipeline/run.py", '"""The run', '"""(The run')
        assert set(toy.status().values()) == {""}

    def test_a_new_import(self, toy):
        toy.edit("dmlib/galaxy.py", "def double", "def unused():\n    from .targets import build\n\n\ndef double")
        why = toy.status()["01_first"]
        assert "dmlib/galaxy.py changed" in why and "dmlib/targets.py is now used" in why

    def test_a_new_product_that_a_notebook_loads(self, toy):
        toy.edit("notebooks/02_second.py", 'print("no products used")', "load.sample(settings)")
        toy.edit("notebooks/02_second.py", "from dmlib.settings", "from dmlib import load\nfrom dmlib.settings")
        why = toy.status()["02_second"]
        assert "output of sample is now used" in why and "dmlib/sample.py is now used" in why

    def test_a_docstring_or_a_comment_changes_nothing(self, toy):
        toy.edit("dmlib/galaxy.py", "    return", '    """Twice the mass."""  # a comment\n    return')
        toy.edit("dmlib/sample.py", "LIMIT = 1", "# least mass\nLIMIT = 1")
        assert set(toy.status().values()) == {""}

    def test_the_words_of_a_chapter_reach_the_book(self, toy):
        notebook = toy.root / "notebooks/02_second.py"
        notebook.write_text(notebook.read_text() + "\n# %% [markdown]\n# A last word.\n")
        assert toy.status()["02_second"] == "notebooks/02_second.py changed"
        assert toy.ran(toy.run()) == ["02_second", "book"]
        cells = nbformat.read(toy.build / "notebooks/02_second.ipynb", as_version=4).cells
        assert cells[-1].source == "A last word."

    def test_a_criterion_of_the_selection_concerns_the_whole_run(self, toy):
        why = toy.status("-p", "m_star_min=2e10")
        assert (
            why["universe"] == "" and why["sample"] == "parameter selection.m_star_min: 10000000000.0 -> 20000000000.0"
        )
        assert "after sample" in why["01_first"]
        assert "least" not in toy.dmlib("status", "--profile", "smoke", "-p", "m_star_min=-1", code=1)

    def test_equal_content_stops_the_wave(self, toy):
        toy.edit("dmlib/embedded.py", "def build", "UNUSED = 1\n\ndef build")
        assert toy.status()["sample"] == "after universe"
        assert toy.ran(toy.run()) == ["universe"]

    def test_seed(self, toy):
        assert toy.status("--seed", "2")["universe"] == "parameter seed: 1 -> 2"

    def test_a_parameter_of_one_notebook(self, toy):
        why = toy.status("-p", "factor=4")
        assert why["01_first"] == "parameter factor: 3 -> 4" and why["02_second"] == ""
        assert toy.status("-p", "first.factor=4")["01_first"] == "parameter factor: 3 -> 4"

    def test_data_from_elsewhere_come_and_go(self, toy):
        toy.write("cache/toy/numbers.txt", "1 2 3\n")
        assert toy.status()["02_second"].startswith('data toy-data: "absent" -> ')
        toy.edit("data_manifest.yaml", "CC0", "CC-BY-4.0")
        assert "data toy-data in data_manifest.yaml" in toy.status()["02_second"]

    def test_outputs_that_are_gone_or_not_as_written(self, toy):
        (toy.build / "figures/first.csv").unlink()
        with open(toy.build / "sample.ecsv", "a") as sample:
            sample.write(" 99")
        why = toy.status()
        assert why["01_first"] == "figures/first.csv is missing; after sample"
        assert why["sample"] == "sample.ecsv is not as it was written"
        assert toy.ran(toy.run()) == ["sample", "01_first"]

    def test_the_merged_results_come_back(self, toy):
        before = (toy.build / "results.json").read_bytes()
        (toy.build / "results.json").unlink()
        assert toy.ran(toy.run()) == []
        assert (toy.build / "results.json").read_bytes() == before

    def test_a_touched_output_is_the_same_output(self, toy):
        os.utime(toy.build / "sample.ecsv")
        assert set(toy.status().values()) == {""}

    def test_a_damaged_record_means_never_run(self, toy):
        (toy.build / ".state/sample.json").write_text('{"sample": {"_val')
        assert toy.status()["sample"] == "never run"


class TestChoosing:
    def test_only_takes_what_it_needs(self, tmp_path):
        toy = ToyRepository(tmp_path / "toy")
        assert toy.ran(toy.run("--only", "second")) == ["02_second"]
        assert toy.ran(toy.run("--only", "sample")) == ["universe", "sample"]

    def test_force_is_for_the_named_step(self, toy):
        assert toy.ran(toy.run("--only", "02", "--force")) == ["02_second"]

    def test_an_unknown_step(self, toy):
        said = toy.run("--only", "third", code=1)
        assert said.strip() == (
            "dmlib: there is no step 'third'; the steps are universe, sample, targets, 01_first, 02_second, book"
        )

    @pytest.mark.parametrize(
        ("parameter", "sentence"),
        [
            ("fcator=4", "no notebook has a parameter 'fcator'; 01_first.py knows factor"),
            ("second.factor=4", "no notebook of chapter 'second' has a parameter 'factor'"),
            ("seed=4", "'seed' is a setting of the whole run: give it as --seed"),
            ("factor=four", "parameter 'factor' of 01_first.py is int, like 3; 'four' is not"),
        ],
    )
    def test_a_parameter_that_does_not_fit(self, toy, parameter, sentence):
        assert sentence in toy.run("-p", parameter, code=1)

    def test_a_notebook_without_a_shared_parameter(self, toy):
        toy.edit("notebooks/01_first.py", "seed = 1\n", "")
        assert "01_first.py has no parameter 'seed'" in toy.run(code=1)

    def test_parameters_are_plain_literals(self, toy):
        toy.edit("notebooks/01_first.py", "factor = 3", "factor = 1 + int(2)")
        assert "the parameters cell of 01_first.py may hold plain literals only" in toy.run(code=1)


class TestFailure:
    def test_a_failing_cell(self, toy):
        toy.edit("notebooks/01_first.py", "print(sum(masses))", "masses['heaviest']")
        page = toy.root / "book/_build/html/index.html"
        page.write_text("as before")
        toy.edit("notebooks/02_second.py", "no products", "no product")
        said = toy.run(code=1)
        assert toy.ran(said) == ["01_first"]
        sentence = next(line for line in said.splitlines() if line.startswith("dmlib: "))
        assert sentence == (
            "dmlib: notebook 01_first failed in cell [4]: TypeError: list indices must be integers or slices, not str; "
            "the executed copy is build/embedded-smoke/notebooks/01_first.failed.ipynb"
        )
        assert "Traceback" not in said
        kept = nbformat.read(toy.build / "notebooks/01_first.failed.ipynb", as_version=4)
        assert any(out.output_type == "error" for c in kept.cells if c.cell_type == "code" for out in c.outputs)
        assert not (toy.build / "notebooks/01_first.ipynb").exists()
        assert page.read_text() == "as before"
        failed = next(step for step in toy.account()["steps"] if step["name"] == "01_first")
        assert failed["state"] == "failed" and "TypeError" in failed["error"]
        assert "has not been executed to its end" in toy.dmlib("book", "--profile", "smoke", code=1)

        said = toy.run("--keep-going", code=1)
        assert toy.ran(said) == ["01_first", "02_second"]
        assert "book: left out, it needs 01_first" in said

        toy.edit("notebooks/01_first.py", "masses['heaviest']", "print(sum(masses))")
        assert toy.ran(toy.run()) == ["01_first", "book"]
        assert not (toy.build / "notebooks/01_first.failed.ipynb").exists()

    def test_a_kernel_that_dies(self, toy):
        toy.edit("notebooks/02_second.py", 'print("no products used")', "import os, signal; os.kill(os.getpid(), 9)")
        assert "notebook 02_second failed in cell [5]: its process died" in toy.run(code=1)

    def test_a_failing_builder_is_one_sentence(self, toy):
        toy.edit("dmlib/targets.py", "sum(", "missing(")
        said = toy.run(code=1)
        assert "dmlib: targets failed: NameError: name 'missing' is not defined" in said and "Traceback" not in said
        assert "Traceback" in toy.run(code=1, DMLIB_DEBUG="1")
        assert toy.status()["targets"] == "never run"

    def test_the_account_of_a_failure_names_no_folder(self, toy):
        toy.edit("dmlib/targets.py", "write_text(settings", "raise OSError(str(settings.targets_path)) or (settings")
        assert str(toy.build) in toy.run("--only", "targets", code=1)
        assert str(toy.root) not in (toy.build / "run.json").read_text()

    def test_all_failures_are_told(self, toy):
        toy.edit("dmlib/targets.py", "sum(", "missing(")
        toy.edit("notebooks/02_second.py", "print(", "prnt(")
        said = toy.run("--keep-going", code=1)
        assert "targets failed: NameError" in said and "02_second failed in cell [5]: NameError" in said


class TestSideBySide:
    """Chapters that do not wait for each other; here each of two does, so that neither can end without the other."""

    MEET = """
me, other = {names}
settings.build.joinpath(me).write_text("")
while not settings.build.joinpath(other).is_file():
    time.sleep(0.05)
"""

    @pytest.fixture
    def meeting(self, toy) -> ToyRepository:
        """Chapters that begin and end at the same time, both of which draw and record; and a third."""
        first, second = (toy.root / "notebooks" / name for name in ("01_first.py", "02_second.py"))
        toy.write("notebooks/03_third.py", second.read_text())
        drawn = first.read_text().replace("first", "second")
        second.write_text(drawn + "\n# %%\nimport time\n" + self.MEET.format(names='"b", "a"'))
        with open(first, "a") as end:
            end.write("\n# %%\nimport time\n" + self.MEET.format(names='"a", "b"'))
        for name in ("01_first", "02_second"):  # without times of theirs, chapters begin in the order of the book
            (toy.build / ".state" / f"{name}.json").unlink()
        return toy

    def test_each_knows_its_own_files_and_the_results_keep_their_order(self, meeting):
        said = meeting.run(DMLIB_WORKERS="2")
        assert sorted(meeting.ran(said)) == ["01_first", "02_second", "03_third", "book"]
        outputs = {step["name"]: set(step["outputs"]) for step in meeting.account()["steps"]}
        for number, name in enumerate(("first", "second"), start=1):
            own = {f"notebooks/0{number}_{name}.ipynb", f"figures/{name}.csv", f"results/{name}.json"}
            assert outputs[f"0{number}_{name}"] == own
        rows = json.loads((meeting.build / "results.json").read_text())
        assert [row["id"] for row in rows] == ["first.sum", "second.sum"]
        assert not list((meeting.build / "notebooks").glob(".*"))
        assert set(meeting.status().values()) == {""}

    def test_what_runs_beside_a_failing_chapter_ends_and_no_other_begins(self, meeting):
        meeting.edit("notebooks/02_second.py", '"b", "a"', '"b", "notebooks/01_first.failed.ipynb"')
        with open(meeting.root / "notebooks/01_first.py", "a") as end:
            end.write("\n# %%\nmissing\n")
        said = meeting.run(code=1, DMLIB_WORKERS="2")
        assert sorted(meeting.ran(said)) == ["01_first", "02_second"]
        state = {step["name"]: step["state"] for step in meeting.account()["steps"]}
        assert (state["01_first"], state["02_second"], state["03_third"]) == ("failed", "ran", "not run")
        assert "01_first failed in cell [6]: NameError" in said

    def test_what_is_left_and_for_how_long(self, toy):
        again = ("--only", "02", "--force")
        assert "1 step left, about 1 min by the times of the last run" in toy.run(*again)
        (toy.build / ".state" / "02_second.json").unlink()
        said = toy.run(*again)
        assert "1 step left, no earlier run tells for how long" in said and "; 0 steps left" in said


class TestKilled:
    def test_in_a_notebook(self, toy, built, tmp_path):
        stop = tmp_path / "stop"
        stop.touch()
        started = toy.build / "second.started"
        started.unlink()
        toy.edit("notebooks/02_second.py", "# # Second", "# # Second chapter")
        run = toy.start("run", "--profile", "smoke", "--force", TOY_STOP=str(stop))
        wait_for(started)
        assert "another dmlib run is at work in build/embedded-smoke" in toy.run(code=1)
        run.send_signal(signal.SIGKILL)
        run.communicate(timeout=60)
        assert not (toy.build / "notebooks/02_second.failed.ipynb").exists()
        stop.unlink()
        why = toy.status()
        assert why.pop("02_second") == "never run" and why.pop("book") == "after 02_second"
        assert set(why.values()) == {""}
        toy.edit("notebooks/02_second.py", "# # Second chapter", "# # Second")
        assert toy.ran(toy.run()) == ["02_second"]  # and the book is made from equal pages already
        assert outputs(toy) == outputs(built)

    def test_in_a_product(self, tmp_path, built):
        toy = ToyRepository(tmp_path / "toy")
        toy.edit(
            "dmlib/embedded.py",
            "def build(settings):\n",
            "def build(settings):\n"
            "    import os, time\n"
            "    write_text(settings.build / 'begun', '')\n"
            "    while os.environ.get('TOY_STOP'):\n"
            "        time.sleep(0.05)\n",
        )
        run = toy.start("run", "--profile", "smoke", TOY_STOP="1")
        wait_for(toy.build / "begun")
        run.kill()
        run.communicate(timeout=60)
        (toy.build / "begun").unlink()
        assert toy.status()["universe"] == "never run"
        toy.run()
        (toy.build / "begun").unlink()
        assert outputs(toy) == outputs(built)


class TestSurroundings:
    def test_the_kernel_is_this_python_whatever_kernels_the_user_has(self, toy, tmp_path):
        spec = tmp_path / "jupyter/kernels/python3/kernel.json"
        spec.parent.mkdir(parents=True)
        spec.write_text('{"argv": ["/bin/false"], "display_name": "not this", "language": "python"}')
        toy.run("--only", "02", "--force", JUPYTER_PATH=str(tmp_path / "jupyter"))

    def test_a_key_is_written_nowhere(self, toy):
        key = "0123456789abcdef0123456789abcdef"
        toy.edit("notebooks/02_second.py", "print(", "print(os.environ['TNG_API_KEY'])\nprnt(")
        said = toy.run(code=1, TNG_API_KEY=key)
        toy.edit("notebooks/02_second.py", "prnt(", "print(")
        said += toy.run(TNG_API_KEY=key)
        assert key not in said
        holding = [p for p in toy.root.rglob("*") if p.is_file() and key.encode() in p.read_bytes()]
        assert holding == []

    def test_a_tng_tree_counts_by_its_files(self, toy, tmp_path):
        base = tmp_path / "TNG100-1/output"
        chunk = base / "groups_099/fof_subhalo_tab_099.0.hdf5"
        chunk.parent.mkdir(parents=True)
        chunk.write_text("a catalogue")
        (tmp_path / "TNG100-1/postprocessing").mkdir()
        toy.edit(
            "dmlib/universe/__init__.py", "(settings.universe_dir", "(__import__('pathlib').Path(settings.base_path)"
        )
        (base / "galaxies.txt").write_text("1 2 3")
        arguments = ("--universe", "files", "--base-path", str(base))
        assert "universe:" not in toy.run(*arguments, "--only", "sample")
        assert toy.status(*arguments)["sample"] == ""
        chunk.write_text("another catalogue")
        assert toy.status(*arguments)["sample"] == 'data toy on disk: "a catalogue" -> "another catalogue"'
        assert str(base) not in (toy.root / "build/files-smoke/run.json").read_text()
