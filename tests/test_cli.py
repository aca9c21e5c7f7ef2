"""The command line: help, one-sentence errors, exit codes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from dmlib import cli
from dmlib.cli.options import parameters_of

COMMANDS = ("run", "status", "book", "select", "fetch", "universe", "galaxy", "notebooks", "reference")


def dmlib(*arguments: str, cwd=None, **extra: str) -> subprocess.CompletedProcess:
    """``dmlib ...`` in a process of its own."""
    command = [sys.executable, "-m", "dmlib", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=os.environ | extra, timeout=300)


def test_help_names_every_command():
    said = CliRunner().invoke(cli.app, ["--help"]).output
    assert all(name in said for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command):
    said = CliRunner().invoke(cli.app, [command, "--help"])
    assert said.exit_code == 0
    assert f"For example: dmlib {command}" in " ".join(said.output.split())


def test_nohup_keeps_a_run_alive_when_the_terminal_closes():
    code = (
        "import signal, sys\nsignal.signal(signal.SIGHUP, {0})\nfrom dmlib import cli\n"
        "cli.app = lambda: print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)\ncli.main()"
    )
    said = [
        subprocess.run([sys.executable, "-c", code.format(f"signal.{how}")], capture_output=True, text=True, check=True)
        for how in ("SIG_IGN", "SIG_DFL")
    ]
    assert [one.stdout.strip() for one in said] == ["True", "False"]


def test_help_loads_nothing_heavy():
    code = "import sys, dmlib.cli; print([m for m in ('numpy', 'astropy', 'papermill') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_status_loads_neither_units_nor_what_executes_notebooks():
    code = (
        "import sys, dmlib.pipeline.run; print([m for m in ('astropy', 'nbformat', 'papermill') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_notebooks_are_validated_without_the_grammar_that_takes_a_second():
    code = (
        "import sys\nfrom dmlib.environment import import_jsonschema\nimport_jsonschema()\nimport nbformat\n"
        "print('lark' in sys.modules)\n"
        "notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell('1')])\n"
        "nbformat.validate(notebook)\n"
        "notebook.cells[0]['outputs'] = 'none'\n"
        "try:\n    nbformat.validate(notebook)\n"
        "except nbformat.ValidationError:\n    print('refused')\n"
        "import rfc3987_syntax\nprint('others may import it')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["False", "refused", "others may import it"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("run", "--universe", "files"), "universe 'files' needs base_path, the simulation's output folder"),
        (("status", "--base-path", "x"), "base_path is for universe 'files', not 'embedded'"),
        (("fetch", "--plan"), "--plan, --verify and --images go with --universe api"),
        (("fetch", "--universe", "files", "--plan"), "universe 'files' needs base_path"),
        (("fetch", "--universe", "embedded", "--plan"), "universe 'embedded' is not downloaded: give --universe api"),
        (("run", "-p", "seed"), "'seed' is not NAME=VALUE"),
        (("reference", "--partial"), "--partial goes with --record"),
        (("reference", "--only", "D"), "there is no reference training 'D': choose A/all"),
        (("fetch", "no-such-entry"), "data_manifest.yaml has no entry 'no-such-entry'"),
    ],
)
def test_errors_are_one_sentence(arguments, sentence):
    done = dmlib(*arguments, DMLIB_QUIET="1")
    assert done.returncode == 1
    assert done.stderr.startswith("dmlib: ") and sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_unknown_choice_is_refused():
    assert dmlib("run", "--profile", "huge").returncode == 2


def test_values_of_parameters():
    given = ["a=1", "b=2.5", "c=True", "d=text", "e=[1, 2]", "f='1'", "g="]
    assert parameters_of(given) == {"a": 1, "b": 2.5, "c": True, "d": "text", "e": [1, 2], "f": "1", "g": ""}


def test_the_plan_of_the_universe_writes_nothing(tmp_path):
    done = dmlib("universe", "--profile", "paper", "--plan", DMLIB_BUILD=str(tmp_path / "build"))
    assert done.returncode == 0, done.stderr
    assert "GB of disk" in done.stdout and "not written" in done.stdout
    assert not (tmp_path / "build").exists()


def test_the_list_of_data():
    done = dmlib("fetch", "--list")
    assert done.returncode == 0
    assert "sparc-rotmod" in done.stdout and "licence" in done.stdout.splitlines()[0]


@pytest.mark.parametrize(("centrals", "counts"), [("paper", (101, 56, 55, 55)), ("true", (101, 56, 27, 27))])
def test_the_funnel_on_real_rows(shared_data, tmp_path, centrals, counts):
    base = shared_data / "tng100_catalogue_subset" / "output"
    out = tmp_path / "sample.ecsv"
    done = dmlib("select", "--universe", "files", "--base-path", str(base), "--centrals", centrals, "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert tuple(int(line.split()[-1]) for line in done.stdout.strip().splitlines()[-4:]) == counts
    assert out.is_file()


def test_options_of_select_change_only_what_they_name(shared_data, tmp_path):
    """The criteria of a reader's own, in DMLIB_SELECTION, hold where no option says otherwise."""
    base = shared_data / "tng100_catalogue_subset" / "output"
    own = '{"centrals": "true", "m_star_min": 3e10}'
    arguments = ("select", "--universe", "files", "--base-path", str(base), "--out", str(tmp_path / "sample.ecsv"))
    kept, changed = (dmlib(*arguments, *more, DMLIB_SELECTION=own).stdout for more in ((), ("--centrals", "paper")))
    assert "3e+10 <= M*" in kept and "central (GroupFirstSub)" in kept
    assert "3e+10 <= M*" in changed and "SubhaloParent = 0" in changed


def test_a_tree_that_is_not_one(tmp_path):
    done = dmlib("select", "--universe", "files", "--base-path", str(tmp_path), "--out", str(tmp_path / "sample.ecsv"))
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "sample.ecsv").exists()


def test_a_file_that_cannot_be_written(shared_data, tmp_path):
    base = shared_data / "tng100_catalogue_subset" / "output"
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "sample.ecsv"
    done = dmlib("select", "--universe", "files", "--base-path", str(base), "--out", str(out))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.startswith(f"dmlib: {tmp_path / 'file'}") and len(done.stderr.strip().splitlines()) == 1
