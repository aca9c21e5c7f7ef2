"""Which step of a run begins next. Nothing that the steps make depends on it, nor the order in which it is shown."""

from __future__ import annotations

from collections.abc import Mapping

from .ledger import Step

#: Seconds that steps take at profile quick on a core, for a first run; the last is for all that are not named.
SECONDS = {"posteriors": 80, "floor": 45, "02_embedded_universe": 40, "10_networks": 40, "14_saliency": 40, "": 20}


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
