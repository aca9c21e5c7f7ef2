"""What is up to date, where it lies, and running one step: a small JSON record of each, compared with what it is now.

A record, ``.state/<step>.json`` in the build folder, is removed when its step begins and written when it has ended
well. So a run killed at any point loses the step it was in and nothing else, and the process of a notebook may renew a
product while the run that started it waits.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .. import LOADED_NS
from ..code import PACKAGES, code_hash, package_root
from ..environment import check_folder
from ..errors import StepError
from ..files import sha256, write_text
from ..settings import Settings, repository_root
from . import provenance

_HASH = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{56}\b")

#: Prefix of what lies beside the build folder where outputs are outside of the checkout: the pages.
_ELSEWHERE = "DMLIB_BUILD"


@dataclass(frozen=True)
class Places:
    """Where things lie, and the names under which they are recorded: relative, so that a checkout can be moved.

    Parameters
    ----------
    root : Path
        The checkout.
    build : Path
        This universe's and profile's outputs.
    """

    root: Path
    build: Path

    @classmethod
    def of(cls, settings: Settings) -> Places:
        """Places of these settings."""
        return cls(repository_root(), settings.build)

    def key(self, path: Path) -> str:
        """Name of a file: ``sample.ecsv``, ``dmlib/galaxy.py``, ``notebooks/01_introduction.py``, ..."""
        packages = [(package_root(package), package) for package in PACKAGES]
        for folder, prefix in ((self.build, "build"), *packages, (self.root, ""), (self.build.parent, _ELSEWHERE)):
            if folder is not None and path.is_relative_to(folder):
                return (Path(prefix) / path.relative_to(folder)).as_posix()
        return path.name

    def path(self, key: str) -> Path:
        """File of a name that `key` gave."""
        first, _, rest = key.partition("/")
        if first in ("build", _ELSEWHERE):
            return (self.build if first == "build" else self.build.parent) / rest
        package = package_root(first) if first in PACKAGES else None
        return package / rest if package else self.root / key

    def shown(self, key: str) -> str:
        """Name as a reader wants it: outputs relative to the build folder."""
        return key.removeprefix("build/")

    def state(self, step: str) -> Path:
        """Record of a step."""
        return self.build / ".state" / f"{step}.json"


@dataclass(frozen=True)
class Step:
    """One thing that can be up to date or not.

    Parameters
    ----------
    name : str
    kind : {"product", "notebook", "book"}
    action : callable
        Does the work; returns the files and folders it wrote.
    needs : tuple of str
        Steps that must be up to date before; their outputs are this step's inputs.
    files : tuple of Path
        Sources that count: modules by their code, everything else by its content.
    texts : tuple of Path
        Sources that readers see, such as a chapter: they count with their words and comments.
    parameters : dict
        Values that count.
    data : dict
        Inputs from outside, name -> what is known of their content.
    lock : str
        Steps of the same build folder with the same lock never run at the same time.
    beside : bool
        Whether a run makes it in a process of its own, beside others.
    place : Path, optional
        File or folder that only this step writes: removed first when the step is forced, or when what lies there is not
        what was written. Otherwise the step may continue what an interrupted run left.
    """

    name: str
    kind: str
    action: Callable[[], Iterable[Path]]
    needs: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    texts: tuple[Path, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    lock: str = ""
    beside: bool = False
    place: Path | None = None


@dataclass(frozen=True)
class Status:
    """Whether a step would run, and why.

    Parameters
    ----------
    step : Step
    reasons : tuple of str
        Empty when it is up to date.
    record : dict
        What was recorded when it last ended well, see `record_of`.
    damaged : bool
        Whether outputs are missing or altered.
    """

    step: Step
    reasons: tuple[str, ...]
    record: dict[str, Any]
    damaged: bool = False

    @property
    def up_to_date(self) -> bool:
        """Whether the step need not run."""
        return not self.reasons


def record_of(name: str, places: Places) -> dict[str, Any]:
    """What is recorded of a step.

    Returns
    -------
    dict
        ``parameters``, ``inputs`` and ``files`` that it ran with, ``outputs``, ``seconds``, ``memory_mb``,
        ``finished``, ``commit``; empty when it has not ended well, or the record cannot be read.
    """
    try:
        record = json.loads(places.state(name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    whole = isinstance(record, dict) and {"parameters", "inputs", "files", "outputs"} <= record.keys()
    return record if whole else {}


def identity(record: dict[str, Any]) -> str:
    """Fingerprint of what a step wrote; equal content gives an equal identity."""
    content = {key: sha for key, (_, _, sha) in record.get("outputs", {}).items()}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest() if content else ""


def status_of(step: Step, places: Places) -> Status:
    """Whether a step would run, judged by its own inputs as they are now."""
    record = record_of(step.name, places)
    if not record:
        return Status(step, ("never run",), {})
    now = _depends(step, places)
    reasons = [
        *_differences(record["parameters"], now["parameters"], "parameter "),
        *_differences(record["inputs"], now["inputs"], ""),
        *_differences(record["files"], now["files"], ""),
    ]
    if len(reasons) > 4:
        reasons = [*reasons[:3], f"and {len(reasons) - 3} more"]
    bad = faults(record["outputs"], places)
    return Status(step, (*reasons, *bad), record, bool(bad))


def run_step(step: Step, places: Places, *, fresh: bool = False) -> None:
    """Run one step now, whatever its state.

    Parameters
    ----------
    step : Step
    places : Places
    fresh : bool
        Remove what lies at the step's place first.

    Raises
    ------
    Exception
        What the step's action raised, unchanged.
    """
    _refuse_edited_modules(step, places)
    # As it is now: an edit while the step runs makes it out of date again.
    depends = _depends(step, places)
    places.state(step.name).unlink(missing_ok=True)
    if fresh and step.place is not None:
        remove(step.place)
    with provenance.Meter() as meter:
        written = list(step.action())
    record = {
        **depends,
        "outputs": fingerprints(written, places),
        "seconds": round(meter.seconds, 2),
        "memory_mb": round(meter.memory_mb),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": provenance.commit_label(places.root),
    }
    write_text(places.state(step.name), json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def make(steps: Iterable[Step], places: Places, tell: Callable[[str], None] | None = None) -> None:
    """Bring steps up to date, in order; steps with a lock are looked at again once the lock is held."""
    tell = tell or (lambda line: print(line, file=sys.stderr))
    for step in steps:
        if status_of(step, places).up_to_date:
            continue
        check_folder(places.build)
        with locked(step, places, tell):
            status = status_of(step, places)
            if not status.up_to_date:
                tell(f"making {step.name}: {'; '.join(status.reasons)}")
                run_step(step, places, fresh=status.damaged)


@contextmanager
def locked(step: Step, places: Places, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold a step's lock; says so when another process has it. The system frees the lock of a killed process."""
    if not step.lock:
        yield
        return
    # The pages lie outside the build folders, in one place for all.
    folder = places.build.parent if step.kind == "book" else places.build / ".state"
    path = folder / f".{step.lock}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0.2)
    except Timeout:
        tell(f"waiting: another process is making {step.lock} in {places.build.name}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _depends(step: Step, places: Places) -> dict[str, dict[str, Any]]:
    """All that a step depends on, as it is now and as JSON gives it back."""
    inputs = {f"data {name}": state for name, state in step.data.items()}
    inputs |= {f"output of {need}": identity(record_of(need, places)) for need in step.needs}
    files = {places.key(path): code_hash(path) for path in step.files}
    files |= {places.key(path): sha256(path) for path in step.texts}
    return json.loads(json.dumps({"parameters": step.parameters, "inputs": inputs, "files": files}))


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str) -> list[str]:
    reasons = []
    for key in sorted(old.keys() | new.keys()):
        name = f"{prefix}{key}"
        if key not in new:
            reasons.append(f"{name} is no longer used")
        elif key not in old:
            reasons.append(f"{name} is now used")
        elif old[key] != new[key]:
            shown = [_HASH.sub(r"\1…", json.dumps(value, ensure_ascii=False)) for value in (old[key], new[key])]
            # Two hashes tell nobody anything.
            hashes = all(isinstance(value, str) and _HASH.fullmatch(value) for value in (old[key], new[key]))
            told = not hashes and not name.startswith("output of ") and max(map(len, shown)) <= 40
            reasons.append(f"{name}: {shown[0]} -> {shown[1]}" if told else f"{name} changed")
    return reasons


def _refuse_edited_modules(step: Step, places: Places) -> None:
    """A module edited after this process loaded it would run in its old form and be recorded in its new one."""
    if step.kind == "notebook":
        return  # a notebook has a process of its own
    for path in step.files:
        key = places.key(path)
        module = key.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        if module in sys.modules and path.stat().st_mtime_ns > LOADED_NS:
            raise StepError(
                f"{key} was edited after this process started, so '{step.name}' cannot be made here: "
                "restart the kernel (or start the command again)"
            )


def fingerprints(written: Iterable[Path], places: Places) -> dict[str, list]:
    """Name -> [size, time of change, sha256] of all files written, those inside folders too."""
    files: set[Path] = set()
    for path in written:
        if path.is_dir():
            files.update(item for item in path.rglob("*") if item.is_file() and not item.name.startswith("."))
        elif path.exists():
            files.add(path)
        else:
            raise StepError(f"{places.shown(places.key(path))} should have been written and is not there")
    prints = {}
    for path in sorted(files):
        stat = path.stat()
        prints[places.key(path)] = [stat.st_size, stat.st_mtime_ns, sha256(path)]
    return prints


def faults(outputs: dict[str, list], places: Places) -> list[str]:
    """Outputs that are gone, or whose content is not what the step wrote."""
    found = []
    for key, (size, changed, digest) in outputs.items():
        path = places.path(key)
        try:
            stat = path.stat()
        except FileNotFoundError:
            found.append(f"{places.shown(key)} is missing")
            continue
        if stat.st_size != size or (stat.st_mtime_ns != changed and sha256(path) != digest):
            found.append(f"{places.shown(key)} is not as it was written")
    if len(found) > 3:
        found = [*found[:2], f"and {len(found) - 2} more files"]
    return found


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def without_folders(text: str, settings: Settings) -> str:
    """A text without the names of this machine's folders: outputs are shown to others, who have other folders."""
    folders = [
        (settings.base_path, "BASE_PATH"),
        (str(settings.build.parent), "build"),
        (str(repository_root()), "."),
        (sys.prefix, "PYTHON"),
        (str(Path.home()), "~"),
    ]
    for folder, name in folders:
        # Not the root folder, which some containers have as home.
        if len(folder) > 1:
            text = re.sub(rf"{re.escape(folder)}(?=$|[/\\\s'\":,;)])", name, text)
    return text
