"""The run: every step in order, what failed, and the account of it."""

from __future__ import annotations

import json
import os
import shutil
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from threading import Thread
from typing import Any

from filelock import FileLock, Timeout

from .. import results
from ..environment import check_folder, check_machine, of_a_limit, of_the_system
from ..errors import DmlibError, StepError
from ..files import write_text
from ..settings import Settings, repository_root
from ..workers import ONE_THREAD, choose_workers, map_parallel, worker_environment
from . import ledger, notebooks, provenance, steps
from .ledger import Places, Status, Step, without_folders
from .products import PRODUCTS

Tell = Callable[[str], None]

#: What a chapter and the process that executes it need [bytes].
_MEMORY = 2.2e9

#: What the outputs of a profile need on the disk, and the least memory with which its universe is written [bytes].
_NEEDS = {"smoke": (0.25e9, 2.4e9), "quick": (2.5e9, 3.3e9), "paper": (40e9, 21e9)}

#: The largest file of a profile [bytes], and the longest work of one of its processes [s]: that of a worker that trains
#: networks, on a fast processor.
_LIMITS = {"smoke": (100e6, 60.0), "quick": (300e6, 180.0), "paper": (2e9, 4 * 3600.0)}

#: The least memory where the universe is there [bytes].
_WITHOUT_UNIVERSE = {"smoke": 2.4e9, "quick": 2.4e9, "paper": 6e9}


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

    Products are made one after the other, each on all cores. Chapters, and the few products that only they need, are
    made beside them and beside each other, each in a process of its own, as soon as there is what they need: it fills
    the times in which a product leaves cores idle. After a failure no other step begins.

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
    only = tuple(only)
    _check_place(settings, book=book and not only)
    steps.ensure_whole(settings)
    everything = steps.all_steps(settings, parameters, book=book or steps.BOOK in only)
    todo = steps.select(everything, only) if only else everything
    named = {steps.find(everything, name).name for name in only} if only else {step.name for step in everything}
    with _alone(settings, tell):
        journal = _Journal(settings, everything)
        forced, before = named if force else set(), _statuses(todo, journal.places)
        times = {now.step.name: now.record["seconds"] for now in before if now.record}
        left = {now.step.name: now.step.beside for now in before if now.reasons or now.step.name in forced}
        if left:
            disk, least_memory = _NEEDS[settings.profile]
            if not settings.source.written_here:  # the universe is most of it
                disk *= 0.2
            if "universe" not in left:
                least_memory = _WITHOUT_UNIVERSE[settings.profile]
            file, seconds = _LIMITS[settings.profile]
            check_machine(settings.build, disk=disk, least_memory=least_memory, file=file, seconds=seconds)
            choose_workers(_MEMORY)  # refuses what is no number
        tell(_left(left, times, settings.profile))
        heads = {step.name: f"[{number}/{len(todo)}] {step.name}" for number, step in enumerate(todo, start=1)}
        stop = None if keep_going else journal.places.build / ".state" / ".stop"
        if stop:
            stop.unlink(missing_ok=True)
        work = _Work(settings, parameters or {}, heads, forced, stop, tell, chains(todo, times))
        first = next((step.name for step in todo if step.kind == "notebook"), "")
        early: Thread | None = None
        for outcome in work.outcomes(todo, journal):
            journal.add(outcome)
            left.pop(outcome.step.name, None)
            if outcome.state == "ran":
                times[outcome.step.name] = seconds = ledger.record_of(outcome.step.name, journal.places)["seconds"]
                tell(f"{heads[outcome.step.name]}: done in {seconds:.1f} s; {_left(left, times, settings.profile)}")
                if outcome.step.name == first and book and len(left) > 1:
                    early = Thread(target=_preview, args=(settings, first, tell), daemon=True)
                    early.start()
        if early:
            early.join()
        if any(one.step.name == steps.BOOK and one.state in ("ran", "up to date") for one in journal.outcomes):
            shutil.rmtree(settings.build / steps.PREVIEW, ignore_errors=True)
        listed = [step.name for step in todo]
        journal.outcomes.sort(key=lambda outcome: listed.index(outcome.step.name))
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
    _check_place(settings, book=True)
    places = Places.of(settings)
    everything = steps.all_steps(settings)
    for step in everything[:-1]:
        now = ledger.status_of(step, places)
        if step.kind == "notebook" and not now.record:
            raise StepError(f"notebook {step.name} has not been executed to its end: `dmlib run` does so")
        if step.kind == "notebook" and now.reasons:
            tell(f"note: {step.name} is not up to date ({'; '.join(now.reasons)}); `dmlib run` executes it again")
    with _alone(settings, tell):
        journal = _Journal(settings, everything)
        work = _Work(settings, {}, {steps.BOOK: steps.BOOK}, set(), None, tell)
        outcome = Outcome(everything[-1], *work.one(everything[-1]))
        journal.add(outcome)
    if outcome.state == "failed":
        raise StepError(outcome.message)


def _preview(settings: Settings, chapter: str, tell: Tell) -> None:
    """Build the page of one chapter, and say where it is: a reader gets something to read early."""
    try:
        (folder,) = steps.build_pages(settings, chapter)
    except StepError as error:
        tell(f"the page of {chapter} alone could not be built: {error}")
    else:
        tell(f"to read meanwhile: {folder / 'index.html'}; other chapters, as they end, in {settings.notebooks_dir}")


def _check_place(settings: Settings, *, book: bool) -> None:
    """Refuse to run where there is no book, or where its outputs cannot be written."""
    root = repository_root()
    if book and not (notebooks.discover(root) and (root / "book" / "_ext" / "pages.py").is_file()):
        raise StepError(
            f"there is no checkout of the book in {root} or above: run this inside one. Single products are made "
            "anywhere, with --only."
        )
    check_folder(settings.build)
    if book:
        check_folder(settings.pages_dir.parent)


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
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        write_text(self.settings.run_path, text + "\n")

    def _universe_id(self) -> str | None:
        """The fingerprint that the universe states of itself; None while it is not there or cannot be read."""
        # A tree that was given is there; any other is, in this sense, once the first product was made.
        first = self.everything[0].name
        if not self.settings.source.needs_base_path and not ledger.record_of(first, self.places):
            return None
        from ..universe import open_universe  # half a second, which a run with nothing to do saves

        try:
            return open_universe(self.settings).header.identity
        except DmlibError:
            return None  # the step that needs it says what is wrong with it


def _left(steps: dict[str, bool], times: Mapping[str, float], profile: str) -> str:
    """How many steps are left, and for how long.

    Parameters
    ----------
    steps : dict of bool
        Those that are left, by whether each runs beside others.
    times : mapping
        Time of each step's last run, in this run too [s]. They tell how fast this machine is, and thereby the time of
        steps that never ran.
    profile : str
    """
    count = f"{len(steps)} step{'s' * (len(steps) != 1)} left"
    usual = SECONDS | (_SMOKE if profile == "smoke" else {})
    basis = sum(usual.get(name, usual[""]) for name in times)
    pace = sum(times.values()) / basis if basis >= _BASIS else 0.0
    known = {name: times.get(name, pace * usual.get(name, usual[""])) for name in steps if name in times or pace}
    if not known:
        return f"{count}, no earlier run tells for how long" if steps else count
    together = [known[name] for name in known if steps[name]]
    beside = max(1, min(len(together), choose_workers(_MEMORY)))
    others = sum(known.values()) - sum(together)
    minutes = max(1, round((others + max([sum(together) / beside, *together])) / 60))
    by = "the last run" if times.keys() >= steps.keys() else "the steps that have run"
    return f"{count}, {'about' if len(known) == len(steps) else 'at least'} {minutes} min by the times of {by}"


@dataclass(frozen=True)
class _Work:
    """How steps are run; sent to the processes in which some of them run side by side."""

    settings: Settings
    parameters: dict[str, Any]
    heads: dict[str, str]  # of a step's lines
    forced: set[str]
    stop: Path | None  # a file that is there once a step of them failed; then no other begins
    tell: Tell
    chains: dict[str, float] = field(default_factory=dict)  # see `chains`
    outside: dict[str, str | None] = field(
        default_factory=lambda: {name: os.environ.get(name) for name in (*ONE_THREAD, "DMLIB_QUIET")}
    )  # variables of the run, for a step that takes all cores

    def outcomes(self, todo: list[Step], journal: _Journal) -> Iterator[Outcome]:
        """Run the steps, side by side where they allow it; how each ended, in the order in which they end."""
        for pages, some in groupby(todo, key=lambda step: step.name == steps.BOOK):
            together: dict[str, Step] = {}
            for step in some:
                lost = sorted(journal.unavailable.intersection(step.needs))
                if lost:
                    self.tell(f"{self.heads[step.name]}: left out, it needs {', '.join(lost)}")
                    yield Outcome(step, "left out")
                elif not pages and (self.stale(step, journal) or together.keys() & set(step.needs)):
                    together[step.name] = step
                else:
                    yield (outcome := Outcome(step, *self.one(step)))
                    if outcome.state == "failed" and self.stop:
                        return
            # A process of its own has a use where there is one beside it, and for a chapter: interrupted in this one,
            # the loop that waits for the kernel prints a traceback as often as not.
            chapters = any(step.beside for step in together.values())
            places = choose_workers(_MEMORY) if chapters else 1
            names = sorted(together, key=lambda name: together[name].beside)
            work = partial(map_parallel, self.apart, names, memory=_MEMORY, workers=places, what="made steps")
            work = partial(work, apart=chapters)
            # Bars of several processes would overwrite each other.
            then = partial(following, together, self.chains, places)
            for name, state, message in work(environment={"DMLIB_QUIET": "1"}, local=True, following=then):
                if state:
                    yield Outcome(together[name], state, message)
            if self.stop and self.stop.exists():
                return

    def stale(self, step: Step, journal: _Journal) -> bool:
        """Whether a step would run as things stand."""
        return step.name in self.forced or bool(ledger.status_of(step, journal.places).reasons)

    def apart(self, name: str) -> tuple[str, str, str]:
        """Bring a step up to date, in a process of its own: its name, and how it ended; "" if it may not begin."""
        if self.stop and self.stop.exists():
            return name, "", ""
        if name in PRODUCTS:
            step = steps.product_step(self.settings, PRODUCTS[name])
        else:
            path = repository_root() / "notebooks" / f"{name}.py"
            step = steps.notebook_step(self.settings, path, self.parameters)
        lost = [need for need in step.needs if not ledger.record_of(need, Places.of(self.settings))]
        if lost:
            self.tell(f"{self.heads[name]}: left out, it needs {', '.join(lost)}")
            return name, "left out", ""
        with worker_environment(**({} if step.beside else self.outside)):
            state, message = self.make(step)
        if self.stop and state == "failed":
            self.stop.touch()
        return name, state, message

    def make(self, step: Step) -> tuple[str, str]:
        """`one`, for products of networks in a child that ends: this process would hold TensorFlow's memory."""
        if step.kind != "product" or not any(path.parent.name == "networks" for path in step.files):
            return self.one(step)
        work = partial(map_parallel, self.product, [step.name], memory=1.0, workers=1, apart=True, local=True)
        (ended,) = work(what=f"made {step.name}", environment=self.outside)
        return ended

    def product(self, name: str) -> tuple[str, str]:
        """Bring one product up to date, in this process."""
        return self.one(steps.product_step(self.settings, PRODUCTS[name]))

    def one(self, step: Step) -> tuple[str, str]:
        """Bring one step up to date: how it ended, and why it ran or how it failed."""
        places, forced, head = Places.of(self.settings), step.name in self.forced, self.heads[step.name]
        try:
            now = ledger.status_of(step, places)
            if now.up_to_date and not forced:
                self.tell(f"{head}: up to date")
                return "up to date", ""
            with ledger.locked(step, places, self.tell):
                now = ledger.status_of(step, places)
                if now.up_to_date and not forced:
                    self.tell(f"{head}: up to date, made by another process")
                    return "up to date", ""
                why = "; ".join(now.reasons) or "forced"
                self.tell(f"{head}: running ({why})")
                ledger.run_step(step, places, fresh=forced or now.damaged)
        except Exception as error:
            self.tell(f"{head}: failed")
            return "failed", _sentence(step, error)
        return "ran", why


def _sentence(step: Step, error: Exception) -> str:
    if os.environ.get("DMLIB_DEBUG"):
        return "".join(traceback.format_exception(error)).rstrip()
    text = " ".join(str(error).split())
    if isinstance(error, DmlibError):
        return text if step.kind != "product" else f"{step.name}: {text}"
    if isinstance(error, OSError) or of_a_limit(error):
        told = of_the_system(error) if isinstance(error, OSError) else of_a_limit(error)
        return f"{step.name} failed: {told} (DMLIB_DEBUG=1 shows where)"
    return f"{step.name} failed: {type(error).__name__}: {text} (DMLIB_DEBUG=1 shows where)"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def _alone(settings: Settings, tell: Tell) -> Iterator[None]:
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
    except KeyboardInterrupt:
        tell("interrupted; the next run takes it up")
        raise
    finally:
        lock.release()


# Which step begins next. Nothing that the steps make depends on it, nor the order in which it is shown.

#: Seconds that steps take at profile quick on two cores, for a first run; the last is for all that are not named.
SECONDS = {
    **{"universe": 60, "sample": 1, "targets": 18, "dataset": 80, "rotation": 60, "models": 120},
    **{"robustness": 110, "20_conclusions": 1},
    **{"posteriors": 45, "floor": 50, "02_embedded_universe": 35},
    **{"10_networks": 40, "14_saliency": 50, "17_comparison": 55, "": 20},
}

#: Those of profile smoke, where they differ.
_SMOKE = {"universe": 5, "targets": 1, "dataset": 20, "models": 35}

#: Of these seconds, so many must have been worked through before they tell how fast a machine is.
_BASIS = 60


def chains(todo: list[Step], times: Mapping[str, float]) -> dict[str, float]:
    """Time of each step together with the longest chain of steps that wait for it [s].

    Parameters
    ----------
    todo : list of Step
        Each after those that it needs.
    times : mapping
        Time of a step's last run [s].
    """
    found: dict[str, float] = {}
    for step in reversed(todo):
        after = [found[later.name] for later in todo if step.name in later.needs]
        found[step.name] = max(after, default=0.0) + times.get(step.name, SECONDS.get(step.name, SECONDS[""]))
    return found


def following(
    steps: Mapping[str, Step], chains: Mapping[str, float], places: int, waiting: list[str], running: list[str]
) -> str | None:
    """The step that begins now, or None when one that runs must end before.

    A product that takes all cores begins as soon as it can, one at a time, and counts for half of the processes: the
    others fill the times in which it leaves cores idle. Of the other steps that with the longest chain begins first,
    except that they wait for the first chapter where it can begin soon: a reader gets something to read early.

    Parameters
    ----------
    steps : mapping of Step
        By name, in the order of the book.
    chains : mapping
        From `chains`.
    places : int
        Processes.
    waiting, running : list of str
        Steps that have not begun, and those that have not ended.
    """
    unfinished = {*waiting, *running}
    ready = [name for name in waiting if not unfinished.intersection(steps[name].needs)]
    products = [name for name in ready if not steps[name].beside]
    busy = sum(not steps[name].beside for name in running)
    if products and not busy:
        return products[0]
    beside = [name for name in ready if steps[name].beside]
    if not beside or len(running) - busy >= (places // 2 if busy else places):
        return None
    first = next((name for name, step in steps.items() if step.kind == "notebook"), "")
    if first in waiting and unfinished.intersection(steps[first].needs).issubset(running):
        return first if first in beside else None
    return max(beside, key=chains.__getitem__)
