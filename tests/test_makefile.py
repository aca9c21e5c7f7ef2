"""The targets of the Makefile pass on what is given to them, and the environment belongs to its checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not here")


@pytest.mark.parametrize("target", ["book", "status"])
def test_another_simulation_is_named_on_the_command_line(repository, target):
    given = ["UNIVERSE=files", "BASE_PATH=/data/TNG50 copy/output", "SIMULATION=TNG50-1", "SNAPSHOT=67"]
    done = subprocess.run(
        ["make", "-n", "--no-print-directory", target, *given],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    # Not the script bin/dmlib, which runs the code of the checkout in which it was made.
    (line,) = (line for line in done.stdout.splitlines() if "bin/python -m dmlib" in line)
    wanted = '--universe files --profile quick --base-path "/data/TNG50 copy/output" --simulation TNG50-1 --snapshot 67'
    assert wanted in " ".join(line.split())


def test_jupyterlab_gets_its_options(repository):
    command = ["make", "-n", "--no-print-directory", "lab", "LAB=--allow-root --port 9999"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("jupyterlab --notebook-dir notebooks --allow-root --port 9999")


@pytest.mark.slow
def test_start_up_files_of_the_user_do_not_reach_notebooks(repository, tmp_path):
    """The Makefile's own line, with a kernel in JupyterLab's place."""
    (tmp_path / ".ipython" / "profile_default" / "startup").mkdir(parents=True)
    (tmp_path / ".ipython" / "profile_default" / "startup" / "00.py").write_text("sum = max\n")
    ask = [sys.executable, "-m", "jupyter", "run", "--kernel=python3"]
    env = {name: value for name, value in os.environ.items() if name not in ("IPYTHONDIR", "DMLIB_PRIVATE")}
    command = ["make", "-n", "--no-print-directory", "lab"]
    done = subprocess.run(command, cwd=repository, env=env, capture_output=True, text=True, check=True)
    name, value = done.stdout.splitlines()[-1].partition(" .venv")[0].split("=", 1)
    said = []
    for more in ({}, {name: str(tmp_path / value.strip('"').rpartition("/")[2])}):
        env |= {"HOME": str(tmp_path), **more}
        done = subprocess.run(ask, input="print(sum([1, 2]))", env=env, capture_output=True, text=True, check=True)
        said.append(done.stdout.strip())
    assert name == "IPYTHONDIR" and value == f'"{repository}/.venv/ipython"'
    assert said == ["2", "3"]  # it bites without


@pytest.fixture
def checkout(repository, tmp_path) -> Path:
    """What the Makefile needs, and an environment that was made here."""
    place = tmp_path / "a checkout"
    environment = place / ".venv"
    (environment / "bin").mkdir(parents=True)
    (place / "mocktng").mkdir()
    shutil.copy(repository / "Makefile", place)
    for name in ("requirements.lock", "pyproject.toml", "mocktng/pyproject.toml"):
        (place / name).touch()
    (environment / "pyvenv.cfg").write_text(f"version = 3.12.1\ncommand = /usr/bin/python3 -m venv {environment}\n")
    (environment / "bin" / "python").symlink_to(sys.executable)
    (environment / ".installed").touch()
    return place


def made(checkout: Path, **variables: str) -> list[str]:
    """What `make status` would do."""
    command = ["make", "-n", "--no-print-directory", "status"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True, env=os.environ | variables)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_an_environment_that_was_made_here_stays(checkout):
    assert len(made(checkout)) == 1
    # Not even where Python could not start with these.
    assert len(made(checkout, PYTHONHASHSEED="abc", PYTHONHOME="/nonexistent", PYTHONUTF8="maybe")) == 1


def test_an_environment_that_was_copied_or_moved_is_made_anew(checkout):
    copy = shutil.copytree(checkout, checkout.with_name("copy"), symlinks=True)
    moved = checkout.rename(checkout.with_name("moved"))
    for place in (copy, moved):
        assert "python3 -m venv --clear .venv" in made(place)


def test_an_environment_whose_python_is_gone_is_made_anew(checkout):
    (checkout / ".venv" / "bin" / "python").unlink()
    (checkout / ".venv" / "bin" / "python").symlink_to("/usr/bin/python0")
    assert "python3 -m venv --clear .venv" in made(checkout)


def test_an_environment_of_another_user_whose_python_cannot_be_run(checkout):
    """As when uv put that Python into the home of its user; to make it anew would end in "Permission denied"."""
    python = checkout / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/hidden/bin/python3")
    with (checkout / ".venv" / "pyvenv.cfg").open("a") as file:
        file.write("executable = /hidden/bin/python3\n")
    command = ["make", "status"]
    with tempfile.TemporaryDirectory() as folder:  # one that another user may enter, unlike pytest's
        os.chmod(folder, 0o755)
        place = shutil.copytree(checkout, Path(folder) / "checkout", symlinks=True)
        config = place / ".venv" / "pyvenv.cfg"
        config.write_text(config.read_text().replace(str(checkout), str(place)))
        (place / ".venv").chmod(0o555)
        nobody = {"user": 65534} if os.geteuid() == 0 else {}
        bare = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        done = subprocess.run(command, cwd=place, env=bare, capture_output=True, text=True, check=False, **nobody)
        (place / ".venv").chmod(0o755)
    assert done.returncode and done.stdout == ""
    assert "belongs to another user and must be made anew: its Python, /hidden/bin/python3, cannot" in done.stderr


@pytest.mark.parametrize(
    ("pretend", "sentence"),
    [
        ("sys.version_info = (3, 10, 2)", "Python 3.11, 3.12 or 3.13 is needed"),
        ("sys.version_info = (3, 14, 0)", "Python 3.11, 3.12 or 3.13 is needed"),
        ("platform.system = lambda: 'Darwin'; platform.machine = lambda: 'x86_64'", "Macs with Intel processors"),
        ("sys.modules['ensurepip'] = None", "install python3-venv"),
        ("platform.system = lambda: 'Windows'", "this is Python for Windows: work in WSL"),
        ("platform.python_implementation = lambda: 'PyPy'", "the usual CPython only, this is 3."),
        ("import sysconfig; sysconfig.get_config_var = lambda name: 1", "the usual CPython only, this is 3."),
        ("platform.system = lambda: 'Linux'; platform.machine = lambda: 'ppc64le'", "this machine is ppc64le"),
        (
            "platform.system = lambda: 'Linux'; platform.machine = lambda: 'x86_64'; "
            "platform.libc_ver = lambda: ('', '')",
            "(not Alpine, not CentOS 7), this is another C library",
        ),
        (
            "platform.system = lambda: 'Linux'; platform.machine = lambda: 'x86_64'; "
            "platform.libc_ver = lambda: ('glibc', '2.17')",
            "need glibc 2.28 or later (not Alpine, not CentOS 7), this is glibc 2.17",
        ),
    ],
)
def test_a_python_that_will_not_do_is_refused_first(checkout, tmp_path, pretend, sentence):
    fake = tmp_path / "fake python"
    fake.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import platform, sys; {pretend}; exec(sys.argv[1])" "$2"\n')
    fake.chmod(0o755)
    shutil.rmtree(checkout / ".venv")
    command = ["make", ".venv/.installed", f"PYTHON='{fake}'"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert (
        done.returncode
        and sentence in done.stderr
        and "Traceback" not in done.stderr
        and not (checkout / ".venv").exists()
    )


def test_a_clone_by_a_git_that_changes_ends_of_lines(repository, tmp_path):
    """As git for Windows does; make and bash under WSL would not take them."""
    some = ("Makefile", ".binder/postBuild", ".ci/run", "dmlib/errors.py", "book/_static/picture.png")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x", "-c", "core.autocrlf=true"]
    for attributes in (True, False):
        source, clone = tmp_path / f"source {attributes}", tmp_path / f"clone {attributes}"
        for name in (*some, *([".gitattributes"] if attributes else [])):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(repository / name, source / name)
        for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
            subprocess.run([*git, "-C", str(source), *command], check=True, capture_output=True)
        subprocess.run([*git, "clone", "-q", str(source), str(clone)], check=True)
        same = all((clone / name).read_bytes() == (repository / name).read_bytes() for name in some)
        assert same is attributes  # without the file it bites


def test_a_pip_that_is_told_to_install_elsewhere(checkout, tmp_path):
    """By a pip.conf, which is read in the end; what a variable overrides is overridden."""
    (tmp_path / "pip.conf").write_text("[install]\ntarget = /somewhere\n")
    (checkout / ".venv" / ".installed").unlink()
    (checkout / ".venv" / "pyvenv.cfg").unlink()
    command = ["make", ".venv/.installed", f"PYTHON={sys.executable}"]
    env = os.environ | {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}
    done = subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True, check=False)
    assert done.returncode and "install.target='/somewhere'" in done.stdout
    assert "pip's configuration, above, puts packages elsewhere" in done.stderr
    lines = [line for line in made(checkout) if "-m pip install" in line]
    assert len(lines) == 3
    assert all("PIP_USER=0 PIP_CONSTRAINT=/dev/null PIP_NO_BINARY=:none: PIP_REQUIRE_HASHES=0" in x for x in lines)


def test_what_a_shell_exports_does_not_reach_the_environment(checkout):
    (checkout / "Makefile").write_text((checkout / "Makefile").read_text() + "\nshow:\n\t@env\n")
    names = ("PYTHONPATH", "PYTHONSTARTUP", "PYTHONHASHSEED", "PYTHONMALLOC", "PIP_PREFIX", "PIP_TARGET")
    hostile = dict.fromkeys(names, "x")
    command = ["make", "--silent", "show"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True, env=os.environ | hostile)
    assert not any(line.startswith(tuple(f"{name}=" for name in hostile)) for line in done.stdout.splitlines())
