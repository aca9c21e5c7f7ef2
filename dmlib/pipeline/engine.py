"""What is up to date, and running one step: doit's task, dependency record and runner, one small record a step.

Each step has a doit database of its own, ``.state/<step>.json`` in the build folder, written when the step has ended
well. So a run killed at any point loses the step it was in and nothing else, and a notebook's process may renew a
product while the run that started it waits.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from doit.control import TaskControl
from doit.dependency import Dependency, FileChangedChecker, JsonDB
from doit.exceptions import TaskFailed
from doit.reporter import ZeroReporter
from doit.runner import Runner
from doit.task import Task
from filelock import FileLock, Timeout

from .. import products, provenance
from ..errors import StepError
from ..files import sha256, write_text
from ..settings import Settings
from .meter import Meter
from .places import Places, faults, fingerprints, remove

_HASH = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{56}\b")


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
        Steps to be brought up to date before; their outputs are this step's inputs.
    files : tuple of Path
        Sources whose content counts: modules, the notebook, tables.
    parameters : dict
        Values that count.
    data : dict
        Inputs from outside, name -> what is known of their content.
    lock : str
        Steps of the same build folder with the same lock never run at the same time.
    place : Path, optional
        File or folder that the step writes and nobody else does: removed first when the step is forced, or when what
        lies there is not what was written. Otherwise the step may build on what a killed run left.
    """

    name: str
    kind: str
    action: Callable[[], Iterable[Path]]
    needs: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    lock: str = ""
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
        What was recorded when it last ended well: ``depends``, ``outputs``, ``seconds``, ``memory_mb``, ...
    damaged : bool
        Whether outputs are missing or altered.
    """

    step: Step
    reasons: tuple[str, ...]
    record: dict[str, Any]
    damaged: bool = False

    @property
    def up_to_date(self) -> bool:
        return not self.reasons


class Ledger(JsonDB):
    """doit's JSON database, written whole or not at all; one that cannot be read means that the step never ran."""

    def _load(self) -> dict:
        try:
            with open(self.name, encoding="utf-8") as handle:
                content = self.codec.decode(handle.read())
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}

    def dump(self) -> None:
        write_text(self.name, self.codec.encode(self._db) + "\n")


class ContentChecker(FileChangedChecker):
    """File dependencies by content, as it was when the step was looked at: an edit during a run counts as new."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.seen: dict[str, str] = {}

    def exists(self, file_path: str) -> bool:
        return self.places.path(file_path).exists()

    def info(self, file_path: str) -> str:
        if file_path not in self.seen:
            self.seen[file_path] = sha256(self.places.path(file_path))
        return self.seen[file_path]

    def check_modified(self, file_path: str, file_stat: str, state: str) -> bool:
        return file_stat != state

    def get_state(self, dep: str, current_state: str | None) -> str:
        return self.info(dep)


class _Watcher:
    """One step as a doit task, with the reasons for which it would run."""

    def __init__(self, step: Step, places: Places) -> None:
        self.step, self.places = step, places
        self.manager = Dependency(Ledger, str(places.state(step.name)), checker_cls=partial(ContentChecker, places))
        self.depends = _depends(step, places)
        self.because: list[str] = []
        self.faults: list[str] = []
        self.fresh = False
        self.failure: Exception | None = None
        keys = [places.key(path) for path in step.files]
        for key in keys:
            self.manager.checker.info(key)
        self.task = Task(
            step.name, [self._act], file_dep=keys, uptodate=[self._unchanged], io={"capture": False}, verbosity=2
        )

    def status(self) -> Status:
        """Compare with the record."""
        record = self.manager.get_values(self.step.name)
        found = self.manager.get_status(self.task, {}, get_log=True)
        if not record:
            return Status(self.step, ("never run",), {})
        new = found.reasons["added_file_dep"]
        reasons = list(self.because)
        reasons += [f"{key} changed" for key in sorted(found.reasons["changed_file_dep"]) if key not in new]
        reasons += [f"{key} is now used" for key in new]
        reasons += [f"{key} is no longer used" for key in found.reasons["removed_file_dep"]]
        return Status(self.step, tuple(reasons), record, bool(self.faults))

    def run(self, fresh: bool) -> None:
        """Run it whatever its state; the record is removed first and written when it ended well."""
        self.fresh = fresh
        control = TaskControl([self.task])
        control.process(None)
        result = Runner(self.manager, ZeroReporter(sys.stderr, {}), always_execute=True).run_all(
            control.task_dispatcher()
        )
        if self.failure is not None:
            raise self.failure
        if result:
            raise StepError(f"the record of step '{self.step.name}' could not be written: see {self.manager.name}")

    def _unchanged(self, task: Task, values: dict) -> bool:
        self.faults = faults(values.get("outputs", {}), self.places)
        self.because = _differences(values.get("depends", {}), self.depends) + self.faults
        return not self.because

    def _act(self) -> dict | TaskFailed:
        self.manager.remove(self.step.name)
        self.manager.backend.dump()
        try:
            if self.fresh and self.step.place is not None:
                remove(self.step.place)
            with Meter() as meter:
                written = list(self.step.action())
            outputs = fingerprints(written, self.places)
        except Exception as error:
            self.failure = error
            return TaskFailed(str(error))
        return {
            "depends": self.depends,
            "outputs": outputs,
            "seconds": round(meter.seconds, 2),
            "memory_mb": round(meter.memory_mb),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": provenance.commit_label(self.places.root),
        }


def status_of(step: Step, places: Places) -> Status:
    """Whether a step would run, judged by its own inputs as they are now."""
    return _Watcher(step, places).status()


def run_step(step: Step, places: Places, *, fresh: bool = False) -> None:
    """Run one step now.

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
    _Watcher(step, places).run(fresh)


def make(steps: Iterable[Step], places: Places, tell: Callable[[str], None] | None = None) -> None:
    """Bring steps up to date, in order; steps with a lock are looked at again once the lock is held."""
    tell = tell or (lambda line: print(line, file=sys.stderr))
    for step in steps:
        if status_of(step, places).up_to_date:
            continue
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


@contextmanager
def building(settings: Settings, name: str) -> Iterator[None]:
    """Tell `products.ensure`, here and in worker processes, that a product is being built."""
    before = os.environ.get(products.BUILDING)
    os.environ[products.BUILDING] = f"{settings.build}{os.pathsep}{name}"
    try:
        yield
    finally:
        if before is None:
            del os.environ[products.BUILDING]
        else:
            os.environ[products.BUILDING] = before


def record_of(name: str, places: Places) -> dict[str, Any]:
    """What is recorded of a step; empty when it has not ended well."""
    if not places.state(name).is_file():
        return {}
    return Dependency(Ledger, str(places.state(name))).get_values(name)


def sources_of(name: str, places: Places) -> dict[str, str]:
    """Sha256 of the source files that a step ran with."""
    if not places.state(name).is_file():
        return {}
    manager = Dependency(Ledger, str(places.state(name)))
    return {key: manager.backend.get(name, key) for key in sorted(manager.backend.get(name, "deps:") or ())}


def identity(record: dict[str, Any]) -> str:
    """Fingerprint of what a step wrote; equal content gives an equal identity."""
    content = {key: sha for key, (_, _, sha) in record.get("outputs", {}).items()}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest() if content else ""


def _depends(step: Step, places: Places) -> dict[str, Any]:
    depends = {f"parameter {name}": value for name, value in step.parameters.items()}
    depends |= {f"data {name}": state for name, state in step.data.items()}
    depends |= {f"output of {need}": identity(record_of(need, places)) for need in step.needs}
    # As it will be read back: tuples become lists.
    return json.loads(json.dumps(depends))


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    reasons = []
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            reasons.append(f"{name} is no longer used")
        elif name not in old:
            reasons.append(f"{name} is new")
        elif old[name] != new[name]:
            if all(isinstance(value, str) and _HASH.fullmatch(value) for value in (old[name], new[name])):
                reasons.append(f"{name} changed")
                continue
            shown = [_HASH.sub(r"\1…", json.dumps(value, ensure_ascii=False)) for value in (old[name], new[name])]
            short = not name.startswith("output of ") and max(map(len, shown)) <= 40
            reasons.append(f"{name}: {shown[0]} -> {shown[1]}" if short else f"{name} changed")
    return reasons


def _refuse_edited_modules(step: Step, places: Places) -> None:
    """A module edited after this process loaded it would run in its old form and be recorded in its new one."""
    if step.kind == "notebook":
        return  # a notebook has a fresh process of its own
    for path in step.files:
        key = places.key(path)
        module = key.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        if module in sys.modules and path.stat().st_mtime_ns > products.STARTED_NS:
            raise StepError(
                f"{key} was edited after this process started, so '{step.name}' cannot be made here: "
                "restart the kernel (or start the command again)"
            )
