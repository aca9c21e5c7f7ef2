"""Limits of containers, and what is refused before a run starts, each in one sentence."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import platform
import resource
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dmlib import environment, workers
from dmlib.errors import DmlibError
from dmlib.pipeline import provenance

GB = 1e9

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def large_machine(monkeypatch):
    """Eight cores and 64 GB; no variable decides."""
    free = psutil.virtual_memory()._replace(total=int(64 * GB), available=int(60 * GB))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    for name in ("DMLIB_WORKERS", "DMLIB_BUILD", "KERAS_BACKEND"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Control groups as Linux shows them: lines of /proc/self/cgroup and /proc/self/mountinfo, and files."""

    def make(cgroup: str, mounts: dict[str, str], files: dict[str, str]) -> None:
        lines = [f"30 25 0:26 {root} {tmp_path / at} rw,nosuid - {kind}" for at, (root, kind) in mounts.items()]
        (tmp_path / "cgroup").write_text(cgroup)
        (tmp_path / "mountinfo").write_text("\n".join(["22 1 8:1 / / rw - ext4 /dev/sda1 rw", *lines]))
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.setattr(environment, "_PROC", tmp_path)

    return make


V2 = {"cg": ("/", "cgroup2 cgroup2 rw")}
V1 = {
    "cg/memory": ("/", "cgroup cgroup rw,memory"),
    "cg/cpu": ("/", "cgroup cgroup rw,cpu,cpuacct"),
    "cg/unified": ("/", "cgroup2 cgroup2 rw"),
}


def test_without_control_groups_the_machine_is_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "_PROC", tmp_path / "none")
    assert environment.cores() == 8 and environment.memory() == (64 * GB, 60 * GB)


@pytest.mark.parametrize("level", ["cg/", "cg/user/", "cg/user/job/"])
def test_version_2_limits_at_every_level(groups, level):
    files = {f"{place}memory.max": "max\n" for place in ("cg/user/", "cg/user/job/")}
    files |= {f"{place}cpu.max": "max 100000\n" for place in ("cg/user/", "cg/user/job/")}
    files |= {f"{level}memory.max": "3000000000\n", f"{level}memory.current": "2500000000\n"}
    files |= {f"{level}memory.stat": "anon 7\ninactive_file 500000000\n", f"{level}cpu.max": "250000 100000\n"}
    groups("0::/user/job\n", V2, {"cg/user/job/x": "", **files})
    assert environment.memory() == (3 * GB, 1 * GB)
    assert environment.cores() == 2
    assert workers.choose_workers(0.6e9) == 1 and workers.choose_workers(1e6) == 2


def test_a_full_outer_group_leaves_less_than_a_free_inner_one(groups):
    inner = {"cg/a/b/memory.max": "2000000000", "cg/a/b/memory.current": "100000000"}
    outer = {"cg/a/memory.max": "8000000000", "cg/a/memory.current": "7900000000"}
    groups("0::/a/b\n", V2, inner | outer)
    assert environment.memory() == (2 * GB, 0.1 * GB)


def test_throttled_memory_is_a_limit(groups):
    groups("0::/\n", V2, {"cg/memory.max": "max", "cg/memory.high": "4000000000", "cg/memory.current": "0"})
    assert environment.memory() == (4 * GB, 4 * GB)


@pytest.mark.parametrize("level", ["", "job/"])
def test_version_1_limits(groups, level):
    unlimited = {"cg/memory/job/memory.limit_in_bytes": "9223372036854771712", "cg/cpu/job/cpu.cfs_quota_us": "-1"}
    limits = {
        f"cg/memory/{level}memory.limit_in_bytes": "3000000000",
        f"cg/memory/{level}memory.usage_in_bytes": "1000000000",
        f"cg/cpu/{level}cpu.cfs_quota_us": "400000",
        f"cg/cpu/{level}cpu.cfs_period_us": "100000",
    }
    groups("5:memory:/job\n4:cpu,cpuacct:/job\n0::/\n", V1, unlimited | limits)
    assert environment.memory() == (3 * GB, 2 * GB) and environment.cores() == 4


def test_in_a_container_the_group_has_the_path_of_the_host(groups):
    limit = {"cg/memory/memory.limit_in_bytes": "3000000000", "cg/memory/memory.usage_in_bytes": "0"}
    groups("5:memory:/docker/0123\n", V1, limit)
    assert environment.memory()[0] == 3 * GB
    # Or the mount says which part of the host's hierarchy it shows.
    groups("0::/docker/0123\n", {"cg": ("/docker/0123", "cgroup2 cgroup2 rw")}, {"cg/memory.max": "2000000000"})
    assert environment.memory()[0] == 2 * GB


def test_half_a_core_is_one_process(groups):
    groups("0::/\n", V2, {"cg/cpu.max": "50000 100000"})
    assert environment.cores() == 1


# -- refusals ----------------------------------------------------------------------------------------------------------


def refused(call, *arguments, **options) -> str:
    """The sentence with which a call is refused."""
    with pytest.raises(DmlibError) as caught:
        call(*arguments, **options)
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith(".")
    return sentence


def test_a_disk_without_locks(tmp_path, monkeypatch):
    def flock(handle, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    said = refused(environment.check_folder, tmp_path / "build")
    assert f"{tmp_path / 'build'}: its disk has no file locks (No locks available)" in said and "DMLIB_BUILD" in said


def test_a_build_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    said = refused(environment.check_folder, tmp_path / "file" / "build")
    assert "outputs cannot be written there (not a directory)" in said and "DMLIB_BUILD names another" in said


def test_no_shared_memory(tmp_path, monkeypatch):
    def lock():
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(multiprocessing, "get_context", lambda how: type("Context", (), {"Lock": staticmethod(lock)}))
    assert "/dev/shm must be there" in refused(environment.check_machine, tmp_path, disk=0, least_memory=0)


def test_too_little_memory_or_disk(tmp_path, groups):
    groups("0::/\n", V2, {"cg/memory.max": "1500000000"})
    said = refused(environment.check_machine, tmp_path, disk=0, least_memory=2.4e9)
    assert "has 1.5 GB of memory" in said and "needs 2.4 GB" in said
    (tmp_path / "made").write_bytes(b"0" * 1000)
    said = refused(environment.check_machine, tmp_path, disk=1e18, least_memory=0)
    assert "the outputs need 1e+06 TB more" in said and "0.0" not in said
    environment.check_machine(tmp_path, disk=1000, least_memory=0)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("theano", "KERAS_BACKEND is 'theano': set it to tensorflow, jax or torch"),
        ("torch", "Keras computes with torch, which is not installed: pip install torch, or unset KERAS_BACKEND"),
    ],
)
def test_a_backend_without_its_package(tmp_path, monkeypatch, name, sentence):
    monkeypatch.setenv("KERAS_BACKEND", name)
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)
    assert sentence in refused(environment.check_machine, tmp_path, disk=0, least_memory=0)


@pytest.mark.parametrize("version", [(3, 10, 4), (3, 14, 0), (3, 15, 0)])
def test_another_python(monkeypatch, version):
    monkeypatch.setattr(sys, "version_info", version)
    said = refused(environment.check_platform)
    assert f"this is Python 3.{version[1]}, and the packages of the book exist for 3.11 to 3.13" in said


def test_a_mac_with_an_intel_processor(monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert "no TensorFlow for Macs with Intel processors" in refused(environment.check_platform)
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    environment.check_platform()


def test_no_loopback_network(tmp_path, monkeypatch):
    def connect(address, timeout):
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", connect)
    said = refused(environment.check_machine, tmp_path, disk=0, least_memory=0)
    assert "127.0.0.1, which does not answer (Network is unreachable)" in said and "loopback" in said


@pytest.mark.parametrize(
    ("number", "limit", "sentence"),
    [
        (resource.RLIMIT_NOFILE, 64, "a process may open 64 files at once, and one of the book needs 256"),
        (resource.RLIMIT_FSIZE, 10**8, "a file may become as large as 100 MB, and one of the outputs needs 300 MB"),
        (resource.RLIMIT_CPU, 60, "a process may use 60 s of a processor, and one of the book needs 180"),
        (resource.RLIMIT_AS, int(3 * GB), "a process may address 3 GB of memory, and one of the book needs 3.6 GB"),
    ],
)
def test_limits_of_a_process(tmp_path, monkeypatch, number, limit, sentence):
    real = resource.getrlimit
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limit, limit) if which == number else real(which))
    said = refused(environment.check_machine, tmp_path, disk=0, least_memory=2.4 * GB, file=3e8, seconds=180)
    assert sentence in said and "ulimit" in said


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "sentence"), [("-t 50", "(ulimit -t)"), ("-f 20000", "(ulimit -f)")])
def test_a_run_under_a_hard_limit_does_not_begin(tmp_path, limit, sentence):
    env = os.environ | {"DMLIB_BUILD": str(tmp_path)}
    run = f"ulimit {limit}; exec {sys.executable} -m dmlib run --profile smoke --only universe"
    done = subprocess.run(["bash", "-c", run], env=env, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and sentence in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["CPU", "FSIZE"])
def test_soft_limits_are_raised_as_far_as_the_user_may(name):
    code = (
        f"import resource; from dmlib import environment; one = resource.RLIMIT_{name}\n"
        "resource.setrlimit(one, (10**6, 10**7)); environment.settle(); print(resource.getrlimit(one))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(10000000, 10000000)"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["option", "module"])
def test_a_python_whose_warnings_are_errors(tmp_path, how):
    """No kernel would start."""
    (tmp_path / "sitecustomize.py").write_text("import warnings; warnings.simplefilter('error')\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    more, option = ({}, ["-W", "error"]) if how == "option" else ({"PYTHONPATH": path}, [])
    command = [sys.executable, *option, "-m", "dmlib", "status"]
    done = subprocess.run(command, cwd=REPOSITORY, env=os.environ | more, capture_output=True, text=True, check=False)
    named = "leave out the option -W" if how == "option" else f"{tmp_path}/sitecustomize.py has Python do so"
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "warnings are errors in this Python" in done.stderr and named in done.stderr


def test_files_are_opened_as_far_as_the_user_may(tmp_path):
    code = (
        "import resource, sys; from dmlib import environment\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, int(sys.argv[1])))\n"
        "environment.settle(); print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    for most, wanted in ((1000, "(256, 1000)"), (100, "(100, 100)")):
        done = subprocess.run([sys.executable, "-c", code, str(most)], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == wanted


@pytest.mark.parametrize(
    ("number", "mend"), [(errno.ENOSPC, "DMLIB_BUILD"), (errno.EDQUOT, "your share"), (errno.EFBIG, "ulimit -f")]
)
def test_a_full_disk_by_whatever_name(number, mend):
    """HDF5 raises a RuntimeError when it finds out on closing a file."""
    system = OSError(number, os.strerror(number), "/x/universe.hdf5")
    assert mend in environment.of_the_system(system)
    text = (
        f"Can't decrement id ref count (file write failed: errno = {number}, error message = '{os.strerror(number)}')"
    )
    assert environment.of_a_limit(RuntimeError(text)) == environment.of_the_system(system)
    assert environment.of_a_limit(RuntimeError("another")) == ""


def test_no_temporary_folder(tmp_path, monkeypatch):
    def gettempdir():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(environment.tempfile, "gettempdir", gettempdir)
    monkeypatch.delenv("DMLIB_PRIVATE", raising=False)
    assert "set TMPDIR" in refused(environment.private_folder.__wrapped__)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DMLIB_PRECISION", "float8", "DMLIB_PRECISION is 'float8': set it to float32 or mixed_bfloat16"),
        ("DMLIB_WORKERS", "many", "DMLIB_WORKERS is 'many': set it to a number of processes"),
        ("DMLIB_SELECTION", "{", "DMLIB_SELECTION is '{': write it as JSON, for example "),
        ("DMLIB_SELECTION", "[1]", "DMLIB_SELECTION: Input should be a valid dictionary"),
        ("DMLIB_SNAPSHOT", "last", "DMLIB_SNAPSHOT: Input should be a valid integer"),
        ("DMLIB_SAMPLE", "-1", "DMLIB_SAMPLE: Input should be greater than or equal to 0"),
        ("DMLIB_BUILD", "~nobody-of-this-name/x", "DMLIB_BUILD is '~nobody-of-this-name/x', and there is no such home"),
    ],
)
@pytest.mark.slow
def test_a_variable_of_no_sense_is_named_before_anything_runs(tmp_path, name, value, sentence):
    env = os.environ | {"DMLIB_BUILD": str(tmp_path), name: value}
    command = [sys.executable, "-m", "dmlib", "run", "--profile", "smoke", "--only", "universe"]
    done = subprocess.run(command, env=env, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.startswith(f"dmlib: {sentence}") and done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_fault_and_get_no_file(tmp_path, closed):
    """A file that is opened next must not have the number of standard error, to which libraries write."""
    code = (
        "import os, sys; sys.argv = ['dmlib', '--help']; from dmlib import __main__ as m, cli\n"
        "def ask():\n"
        "    print('out'); print('err', file=sys.stderr)\n"
        "    with open(os.environ['SAID'], 'w') as file: file.write(str(file.fileno() > 2))\n"
        "cli.main = ask; m.main()"
    )
    env = os.environ | {"SAID": str(tmp_path / "said"), "CODE": code}
    command = ["sh", "-c", f'exec "$0" -c "$CODE" {closed}', sys.executable]
    assert subprocess.run(command, env=env, capture_output=True, text=True, check=False).returncode == 0
    assert (tmp_path / "said").read_text() == "True"


# -- the environment and its checkout ----------------------------------------------------------------------------------


@pytest.fixture
def other_checkout(tmp_path) -> Path:
    """A copy of a checkout, whose environment has the code of the first."""
    for name in ("notebooks", "dmlib", "mocktng/src/mocktng"):
        (tmp_path / name).mkdir(parents=True)
        if "mock" in name or name == "dmlib":
            (tmp_path / name / "__init__.py").touch()
    (tmp_path / "data_manifest.yaml").touch()
    return tmp_path


@pytest.mark.parametrize("package", ["dmlib", "mocktng"])
def test_code_of_another_checkout(other_checkout, monkeypatch, package):
    kept = {"dmlib": "mocktng/src/mocktng", "mocktng": "dmlib"}[package]
    (other_checkout / kept / "__init__.py").unlink()
    monkeypatch.chdir(other_checkout / "notebooks")
    said = refused(environment.check_checkout)
    assert f"this is the checkout {other_checkout}, but {package} is imported from " in said and "`make`" in said


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["run", "--profile", "smoke"], ["status"], ["notebooks"]])
def test_every_command_refuses_the_code_of_another_checkout(other_checkout, arguments):
    command = [sys.executable, "-P", "-m", "dmlib", *arguments]
    done = subprocess.run(command, cwd=other_checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "but dmlib is imported from" in done.stderr
    assert not (other_checkout / "build").exists()


@pytest.mark.slow
def test_a_notebook_opened_with_the_environment_of_another_checkout(other_checkout):
    code = "from dmlib.settings import Settings; Settings(profile='smoke')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=other_checkout / "notebooks", capture_output=True, text=True, check=False
    )
    assert "DmlibError: this is the checkout" in done.stderr and "but dmlib is imported from" in done.stderr


@pytest.mark.slow
def test_windows_without_wsl():
    code = "import sys; sys.modules['fcntl'] = None; import runpy; runpy.run_module('dmlib', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode and "dmlib runs on Linux and macOS, and on Windows in WSL" in done.stderr.splitlines()[-1]


def test_a_python_that_another_user_keeps_to_himself(tmp_path, monkeypatch):
    """A process whose user was changed after it was started may not start its interpreter again."""
    python = tmp_path / "python3"
    python.touch(mode=0o644)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(DmlibError, match=r"python3, the Python of this environment, may not be run by this user"):
        environment.check_interpreter()


@pytest.mark.slow
def test_a_python_without_dmlib(tmp_path):
    """In a checkout the package is found, and its version is not: nothing was installed."""
    command = [sys.executable, "-S", "-m", "dmlib", "status"]
    env = os.environ | {"PYTHONPATH": ""}
    done = subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert f"dmlib is not installed for {sys.executable}: `make` in the checkout" in done.stderr


def test_the_commit_of_a_checkout_that_another_user_owns(tmp_path, monkeypatch):
    """As on a shared machine; git by itself refuses to look."""
    for command in (
        ("init", "-q"),
        ("-c", "user.name=x", "-c", "user.email=x", "commit", "-q", "--allow-empty", "-mx"),
    ):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    refused = subprocess.run(["git", "-C", str(tmp_path), "rev-parse", "HEAD"], capture_output=True, check=False)
    commit, dirty = provenance.git_state(tmp_path)
    assert refused.returncode and commit and len(commit) == 40 and dirty is False


@pytest.mark.slow
def test_away_from_a_checkout_a_run_does_not_start(tmp_path):
    """As with an installed wheel: the folder of the package is no checkout either."""
    code = "import dmlib.environment as e; e.__file__ = '/lib/dmlib/environment.py'; from dmlib.cli import main; main()"
    command = [sys.executable, "-c", code, "run", "--profile", "smoke"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "there is no checkout of the book" in done.stderr and list(tmp_path.iterdir()) == []
