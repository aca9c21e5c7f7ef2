"""However a run is ended, nothing unfinished is left, no process goes on, and no traceback is printed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from toy_repository import ToyRepository, hear_interrupts

pytestmark = pytest.mark.slow


def wait_for(condition, seconds: float = 60.0) -> None:
    """Wait until a condition holds; a slow machine gets its time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


def running(toy: ToyRepository) -> list[psutil.Process]:
    """Processes that work in the repository."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(toy.root):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


@pytest.fixture
def waiting(tmp_path) -> ToyRepository:
    """Two chapters that wait in their cells until a file goes."""
    toy = ToyRepository(tmp_path / "toy")
    second = (toy.root / "notebooks" / "02_second.py").read_text()
    toy.write("notebooks/03_third.py", second.replace("second", "third"))
    toy.write("stop", "")
    return toy


@pytest.mark.parametrize(
    ("number", "workers"), [(signal.SIGTERM, "1"), (signal.SIGTERM, "2"), (signal.SIGHUP, "2"), (signal.SIGINT, "2")]
)
def test_a_signal_to_the_run_alone_ends_all_of_it(waiting, number, workers):
    process = waiting.start(*("run", "--profile", "smoke"), DMLIB_WORKERS=workers, TOY_STOP=str(waiting.root / "stop"))
    wait_for((waiting.build / "second.started").is_file)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode != 0 and "interrupted" in out + err
    assert "Traceback" not in out + err, out + err
    wait_for(lambda: not running(waiting))
    left = [path.name for path in (waiting.build / "notebooks").iterdir() if path.name.startswith(".")]
    assert left == []


def test_a_killed_run_leaves_no_running_copy(waiting):
    """Nobody can clear up after SIGKILL but the workers, which notice."""
    process = waiting.start(*("run", "--profile", "smoke"), DMLIB_WORKERS="2", TOY_STOP=str(waiting.root / "stop"))
    wait_for((waiting.build / "second.started").is_file)
    process.kill()
    process.communicate(timeout=60)
    wait_for(lambda: not running(waiting))
    assert not list((waiting.build / "notebooks").glob(".running*"))


WORK = """
import sys, time
from dmlib.__main__ import main
from dmlib.workers import map_parallel

def work(number):
    time.sleep(0.05)
    return number

if __name__ == "__main__":
    import dmlib.cli
    dmlib.cli.app = lambda: sum(map_parallel(work, range(400), memory=1.0, workers=3))
    print("begun", flush=True)
    main()
"""


def test_control_c_at_any_moment_prints_no_traceback(tmp_path):
    """While workers start, while they work; sent to all processes, as a terminal does."""
    (tmp_path / "work.py").write_text(WORK)
    for moment in (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0):
        process = subprocess.Popen(
            [sys.executable, "work.py"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=hear_interrupts,
        )
        assert process.stdout is not None and process.stdout.readline() == "begun\n"
        time.sleep(moment)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert "Traceback" not in out + err and "Exception ignored" not in out + err, (moment, err)
        assert process.returncode == 128 + signal.SIGINT, moment


NESTED = """
import sys, time
from dmlib.__main__ import main
from dmlib.workers import map_parallel

def work(number):
    if number == 0:
        print("begun", flush=True)
    time.sleep(60)

def divide(number):
    return len(list(map_parallel(work, [number, 1], memory=1.0, workers=2)))

if __name__ == "__main__":
    import dmlib.cli
    dmlib.cli.app = lambda: list(map_parallel(divide, [0], memory=1.0, workers=1, apart=True))
    main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_with_workers_of_its_own_leaves_no_lock(tmp_path, number):
    """A step runs in a process, and its work in further ones; Python names on the screen what such a process left."""
    (tmp_path / "nested.py").write_text(NESTED)
    process = subprocess.Popen(
        [sys.executable, "nested.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,
    )
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT and err == ""


def test_a_single_worker_can_be_a_child(tmp_path):
    code = (
        "import os\nfrom dmlib.workers import map_parallel\n\ndef where(x):\n    return os.getpid()\n\n"
        "if __name__ == '__main__':\n"
        "    for apart in (False, True):\n"
        "        print([pid == os.getpid() for pid in map_parallel(where, [1], memory=1.0, apart=apart)])\n"
        "    print(list(map_parallel(where, [], memory=1.0, apart=True)))\n"
    )
    (tmp_path / "work.py").write_text(code)
    done = subprocess.run([sys.executable, "work.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:3] == ["[True]", "[False]", "[]"]
