"""The run: every step in order, what failed, and the account of it."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .. import results
from ..errors import DmlibError, StepError, of_the_system
from ..settings import Settings, repository_root
from ..universe import open_universe
from ..workers import choose_workers, map_parallel
from . import ledger, provenance, steps
from .ledger import Status, Step
from .places import Places, without_folders

Tell = Callable[[str], None]

#: What a chapter and the process that executes it need [bytes].
_CHAPTER_MEMORY = 2.2e9


@dataclass(frozen=True)
class Outcome:
    """How one step of a run ended.

    Parameters
    ----------
    step : Step
    state : {"up to date", "ran", "failed", "left out"}
    message : str
        Why it ran, or how it failed.
    """

    step: Step
    state: str
    message: str = ""


def status(settings: Settings, parameters: dict[str, Any] | None = None, *, book: bool = True) -> list[Status]:
    """What a run would do, and why; runs nothing.

    A step after one that would run is listed as running too; it is passed over in the end when what it takes from
    that step comes out the same.
    """
    settings = steps.with_selection(settings, parameters or {})
    return _statuses(steps.all_steps(settings, parameters, book=book), Places.of(settings))


def _statuses(todo: list[Step], places: Places) -> list[Status]:
    found: list[Status] = []
    stale: set[str] = set()
    for step in todo:
        now = ledger.status_of(step, places)
        # What it needs will run first, and that says more than that its old output is gone.
        waiting = [need for need in step.needs if need in stale]
        own = tuple(r for r in now.reasons if not any(r.startswith(f"output of {need} ") for need in waiting))
        if waiting and now.record:
            own = (*own, f"after {', '.join(waiting)}")
        now = Status(step, own, now.record)
        if now.reasons:
            stale.add(step.name)
        found.append(now)
    return found


def run(
    settings: Settings,
    *,
    parameters: dict[str, Any] | None = None,
    only: Iterable[str] = (),
    force: bool = False,
    keep_going: bool = False,
    book: bool = True,
    tell: Tell = print,
) -> list[Outcome]:
    """Bring everything, or the named steps and what they need, up to date.

    Products are made one after the other, each on all cores. Chapters need products but not each other: they are
    executed side by side, each in a process of its own. After a failure no other chapter begins.

    Parameters
    ----------
    settings : Settings
    parameters : dict, optional
        Chapters' own parameters, see `steps.all_steps`.
    only : iterable of str
        Names of steps; the book is then built only when it is named.
    force : bool
        Run the named steps, or all, even when they are up to date.
    keep_going : bool
        After a failure run the steps that do not need the failed one; the book is not built all the same.
    book : bool
        Build the book at the end.
    tell : callable
        Receives one line a step.

    Returns
    -------
    list of Outcome

    Raises
    ------
    StepError
        When a step failed, one sentence a failure; when another run works in the same folder.
    """
    settings = steps.with_selection(settings, parameters or {})
    steps.ensure_whole(settings)
    only = tuple(only)
    everything = steps.all_steps(settings, parameters, book=book or steps.BOOK in only)
    todo = steps.select(everything, only) if only else everything
    named = {steps.find(everything, name).name for name in only} if only else {step.name for step in everything}
    with _alone(settings):
        journal = _Journal(settings, everything)
        forced = named if force else set()
        stale = {now.step.name for now in _statuses(todo, journal.places) if now.reasons}
        left = _Left(settings, [step for step in todo if step.name in stale | forced])
        tell(left.sentence())
        for head, outcome in _outcomes(settings, parameters or {}, todo, forced, keep_going, journal, tell):
            journal.add(outcome)
            if outcome.state == "ran":
                seconds = ledger.record_of(outcome.step.name, journal.places)["seconds"]
                tell(f"{head}: done in {seconds:.1f} s; {left.sentence(without=outcome.step)}")
        order = [step.name for step in todo]
        journal.outcomes.sort(key=lambda outcome: order.index(outcome.step.name))
        failures = [outcome.message for outcome in journal.outcomes if outcome.state == "failed"]
        if failures:
            raise StepError("\n".join(failures))
        if any(step.kind == "notebook" for step in todo):
            # It belongs to no single chapter, so no step misses it when it is gone.
            results.collect(settings)
    return journal.outcomes


def build_book(settings: Settings, tell: Tell = print) -> None:
    """Build the pages from the notebooks as they were executed; executes none.

    Raises
    ------
    StepError
        When a notebook was never executed to its end.
    """
    places = Places.of(settings)
    everything = steps.all_steps(settings)
    for step in everything[:-1]:
        now = ledger.status_of(step, places)
        if step.kind == "notebook" and not now.record:
            raise StepError(f"notebook {step.name} has not been executed to its end: `dmlib run` does so")
        if step.kind == "notebook" and now.reasons:
            tell(f"note: {step.name} is not up to date ({'; '.join(now.reasons)}); `dmlib run` executes it again")
    with _alone(settings):
        journal = _Journal(settings, everything)
        outcome = Outcome(everything[-1], *_one(everything[-1], places, steps.BOOK, tell, False))
        journal.add(outcome)
    if outcome.state == "failed":
        raise StepError(outcome.message)


class _Journal:
    """Outcomes so far, and ``run.json``, which is brought up to date after every step that did something."""

    def __init__(self, settings: Settings, everything: list[Step]) -> None:
        self.settings, self.everything = settings, everything
        self.places = Places.of(settings)
        self.outcomes: list[Outcome] = []
        self.started = _now()

    def add(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        if outcome.state in ("ran", "failed") or not self.settings.run_path.is_file():
            self.write()

    @property
    def unavailable(self) -> set[str]:
        return {outcome.step.name for outcome in self.outcomes if outcome.state in ("failed", "left out")}

    def write(self) -> None:
        ended = {outcome.step.name: outcome for outcome in self.outcomes}
        rows = []
        for step in self.everything:
            record = ledger.record_of(step.name, self.places)
            outcome = ended.get(step.name)
            state = outcome.state if outcome else ("made earlier" if record else "not run")
            row: dict[str, Any] = {"name": step.name, "kind": step.kind, "state": state}
            if outcome and outcome.state == "failed":
                # On the screen the folder may be named, in the account not.
                row["error"] = without_folders(outcome.message, self.settings)
            row |= {key: record[key] for key in ("seconds", "memory_mb", "finished", "commit") if key in record}
            row["parameters"] = record.get("parameters", {})
            row["inputs"] = record.get("files", {}) | record.get("inputs", {})
            row["outputs"] = {self.places.shown(k): sha for k, (_, _, sha) in record.get("outputs", {}).items()}
            rows.append(row)
        content = provenance.describe(self.settings, self.places.root)
        content["universe_id"] = self._universe_id()
        content |= {"started": self.started, "finished": _now(), "steps": rows}
        provenance.write_run(self.settings, content)

    def _universe_id(self) -> str | None:
        """The fingerprint that the universe states of itself; None while it is not there or cannot be read."""
        # A tree that was given is there; any other is, in this sense, once the first product was made.
        first = self.everything[0].name
        if not self.settings.source.needs_base_path and not ledger.record_of(first, self.places):
            return None
        try:
            return open_universe(self.settings).header.identity
        except DmlibError:
            return None  # the step that needs it says what is wrong with it


class _Left:
    """What is left of a run, and how long that takes by the account of the last one, ``run.json``.

    Parameters
    ----------
    settings : Settings
    todo : list of Step
        Steps that will run.
    """

    def __init__(self, settings: Settings, todo: list[Step]) -> None:
        self._chapter = {step.name: step.kind == "notebook" for step in todo}
        try:
            rows = json.loads(settings.run_path.read_text(encoding="utf-8"))["steps"]
            self._seconds = {row["name"]: float(row["seconds"]) for row in rows if "seconds" in row}
        except (OSError, ValueError, LookupError, TypeError):
            self._seconds = {}

    def sentence(self, *, without: Step | None = None) -> str:
        """How many steps are left, once one has ended, and for how long."""
        if without:
            self._chapter.pop(without.name, None)
        count = f"{len(self._chapter)} step{'s' * (len(self._chapter) != 1)} left"
        known = {name: self._seconds[name] for name in self._chapter if name in self._seconds}
        if not known:
            return f"{count}, no earlier run tells for how long" if self._chapter else count
        chapters = [seconds for name, seconds in known.items() if self._chapter[name]]
        beside = max(1, min(len(chapters), choose_workers(_CHAPTER_MEMORY)))
        seconds = sum(known.values()) - sum(chapters) + max([sum(chapters) / beside, *chapters])
        least = "about" if len(known) == len(self._chapter) else "at least"
        return f"{count}, {least} {max(1, round(seconds / 60))} min by the times of the last run"


def _outcomes(
    settings: Settings,
    parameters: dict[str, Any],
    todo: list[Step],
    forced: set[str],
    keep_going: bool,
    journal: _Journal,
    tell: Tell,
) -> Iterator[tuple[str, Outcome]]:
    """Run the steps; how each ended, and the head of its lines, in the order in which they end."""
    heads = {step.name: f"[{number}/{len(todo)}] {step.name}" for number, step in enumerate(todo, start=1)}
    stop = journal.places.build / ".state" / ".stop"
    stop.unlink(missing_ok=True)
    work = partial(_chapter, settings, parameters, None if keep_going else stop, tell)
    for are_chapters, some in groupby(todo, key=lambda step: step.kind == "notebook"):
        chapters: dict[str, Step] = {}
        for step in some:
            lost = sorted(journal.unavailable.intersection(step.needs))
            if lost:
                tell(f"{heads[step.name]}: left out, it needs {', '.join(lost)}")
                yield heads[step.name], Outcome(step, "left out")
            elif are_chapters and (step.name in forced or not ledger.status_of(step, journal.places).up_to_date):
                chapters[step.name] = step
            else:
                outcome = Outcome(step, *_one(step, journal.places, heads[step.name], tell, step.name in forced))
                yield heads[step.name], outcome
                if outcome.state == "failed" and not keep_going:
                    return
        tasks = [(name, heads[name], name in forced) for name in chapters]
        # Bars of several chapters would overwrite each other.
        ended = map_parallel(
            work, tasks, memory=_CHAPTER_MEMORY, what="executed chapters", environment={"DMLIB_QUIET": "1"}
        )
        for name, state, message in ended:
            if state:
                yield heads[name], Outcome(chapters[name], state, message)
        if stop.exists():
            stop.unlink()
            return


def _chapter(
    settings: Settings, parameters: dict[str, Any], stop: Path | None, tell: Tell, task: tuple[str, str, bool]
) -> tuple[str, str, str]:
    """Bring one chapter up to date, in this process: its name, and how it ended; "" where `stop` says not to begin."""
    name, head, forced = task
    if stop and stop.exists():
        return name, "", ""
    step = steps.notebook_step(settings, repository_root() / "notebooks" / f"{name}.py", parameters)
    state, message = _one(step, Places.of(settings), head, tell, forced)
    if stop and state == "failed":
        stop.touch()
    return name, state, message


def _one(step: Step, places: Places, head: str, tell: Tell, forced: bool) -> tuple[str, str]:
    """Bring one step up to date: how it ended, and why it ran or how it failed."""
    try:
        now = ledger.status_of(step, places)
        if now.up_to_date and not forced:
            tell(f"{head}: up to date")
            return "up to date", ""
        with ledger.locked(step, places, tell):
            now = ledger.status_of(step, places)
            if now.up_to_date and not forced:
                tell(f"{head}: up to date, made by another process")
                return "up to date", ""
            why = "; ".join(now.reasons) or "forced"
            tell(f"{head}: running ({why})")
            ledger.run_step(step, places, fresh=forced or now.damaged)
    except KeyboardInterrupt:
        tell(f"{head}: interrupted; the next run takes it up")
        raise
    except Exception as error:
        tell(f"{head}: failed")
        return "failed", _sentence(step, error)
    return "ran", why


def _sentence(step: Step, error: Exception) -> str:
    if os.environ.get("DMLIB_DEBUG"):
        return "".join(traceback.format_exception(error)).rstrip()
    text = " ".join(str(error).split())
    if isinstance(error, DmlibError):
        return text if step.kind != "product" else f"{step.name}: {text}"
    if isinstance(error, OSError):
        return f"{step.name} failed: {of_the_system(error)} (DMLIB_DEBUG=1 shows where)"
    return f"{step.name} failed: {type(error).__name__}: {text} (DMLIB_DEBUG=1 shows where)"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """One run a build folder; the lock goes with its process, however it ends."""
    path = settings.build / ".state" / "run.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        folder = f"{settings.build.parent.name}/{settings.build.name}"
        raise StepError(f"another dmlib run is at work in {folder}: wait until it has ended") from None
    try:
        yield
    finally:
        lock.release()
