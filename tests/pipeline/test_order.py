"""Which step begins next."""

import pytest

from dmlib.pipeline.ledger import Step
from dmlib.pipeline.run import SECONDS, _left, chains, following


def step(name, *needs, beside=True):
    return Step(name=name, kind="notebook" if name[0].isdigit() else "product", action=list, needs=needs, beside=beside)


STEPS = [
    step("universe", beside=False),
    step("dataset", "universe", beside=False),
    step("floor", "dataset"),
    step("1", "universe"),
    step("2", "universe"),
    step("3", "dataset"),
    step("4", "dataset", "floor"),
]
TIMES = {"universe": 10.0, "dataset": 10.0, "floor": 5.0, "1": 1.0, "2": 2.0, "3": 6.0, "4": 3.0}


def begun(places: int) -> list[tuple[str, set[str]]]:
    """Each step as it begins, with those that run then; of those that run the shortest ends first."""
    steps, length = {each.name: each for each in STEPS}, chains(STEPS, TIMES)
    waiting, running, seen = list(steps), {}, []
    now = 0.0
    while waiting or running:
        while waiting and (name := following(steps, length, places, waiting, list(running))) is not None:
            waiting.remove(name)
            seen.append((name, set(running)))
            running[name] = now + TIMES[name]
        now = min(running.values())
        running = {name: end for name, end in running.items() if end > now}
    return seen


def test_a_chain_is_as_long_as_what_waits_for_it():
    assert chains(STEPS, TIMES) == {"universe": 28, "dataset": 18, "floor": 8, "1": 1, "2": 2, "3": 6, "4": 3}


def test_a_step_that_never_ran_has_a_time_all_the_same():
    assert all(length > 0 for length in chains(STEPS, {}).values())


@pytest.mark.parametrize("places", [2, 3, 8])
def test_every_step_begins_once_after_those_that_it_needs_and_beside_as_many_as_there_are_places(places):
    seen, ended_by = begun(places), {}
    assert sorted(name for name, _ in seen) == sorted(TIMES)
    for name, running in seen:
        needs = next(each.needs for each in STEPS if each.name == name)
        before = {earlier for earlier, _ in seen[: [n for n, _ in seen].index(name)]}
        assert before.issuperset(needs) and not running.intersection(needs)
        assert len(running) < places
        ended_by[name] = running
    products = {"universe", "dataset"}
    assert not any(name in products and running & products for name, running in seen)


def test_chapters_fill_the_times_of_products_and_the_longest_chain_begins_first():
    names = [name for name, _ in begun(2)]
    # The first chapter comes first, to have something to read; then 2, beside the data set; then what others wait for.
    assert names == ["universe", "dataset", "1", "2", "floor", "3", "4"]


def test_others_wait_for_the_first_chapter_only_where_it_can_begin_soon():
    steps, length = (
        {each.name: each for each in [step("a", beside=False), step("1", "a"), step("2")]},
        chains(STEPS, {}),
    )
    assert following(steps, length | {"a": 1.0}, 2, ["1", "2"], ["a"]) is None
    assert following(steps, length | {"a": 1.0}, 2, ["a", "1", "2"], []) == "a"
    assert following(steps, length | {"a": 1.0}, 2, ["1", "2"], []) == "1"
    far = {**steps, "b": step("b", "a", beside=False), "1": step("1", "b")}
    assert following(far, length | {"a": 1.0, "b": 1.0}, 2, ["b", "1", "2"], ["a"]) == "2"


def test_steps_that_never_ran_are_estimated_by_those_that_have(monkeypatch):
    """As after an interruption of the first run, on a machine that is twice as slow as that of the table."""
    monkeypatch.setenv("DMLIB_WORKERS", "2")
    done, left = ("universe", "targets", "dataset"), {"models": False, "14_saliency": True, "17_comparison": True}
    seconds = {name: 2.0 * SECONDS[name] for name in (*done, *left)}
    whole = round((seconds["models"] + seconds["17_comparison"]) / 60)
    times = {name: seconds[name] for name in done}
    assert _left(left, times, "quick") == f"3 steps left, about {whole} min by the times of the steps that have run"
    assert _left(left, seconds, "quick") == f"3 steps left, about {whole} min by the times of the last run"
    assert _left(left, {"targets": 36.0}, "quick") == "3 steps left, no earlier run tells for how long"  # too little
    assert _left({}, times, "quick") == "0 steps left"
