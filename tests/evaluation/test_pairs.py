"""All pairs of methods, on predictions with known errors; and whether another run repeats a comparison."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dmlib.evaluation import Scores
from dmlib.evaluation.pairs import cut_short, pairs_of, repeat, repeat_rows
from dmlib.settings import RADII_KPC

TRUTH = 1e11 * RADII_KPC * np.ones((300, 1))
GALAXY = np.repeat(np.arange(100), 3)


def scores(seed=3, **errors: float) -> Scores:
    """Methods whose |dM/M| is a given number at every radius, up to a scatter by galaxy that they share, and noise."""
    rng = np.random.default_rng(seed)
    shared = rng.uniform(0.5, 1.5, 100)[GALAXY][:, None]
    noise = {name: rng.normal(0.0, 0.002, 100)[GALAXY][:, None] for name in errors}
    masses = {name: TRUTH * (1.0 + error * shared + noise[name]) for name, error in errors.items()}
    return Scores(RADII_KPC, TRUTH, masses, GALAXY, draws=300)


def test_every_pair_has_the_difference_that_was_put_in():
    found = pairs_of(scores(b=0.20, a=0.15, c=0.1505), ["b", "a", "c"])
    assert found.names[-1] == "b" and set(found.names[:2]) == {"a", "c"}
    assert len(found.differences) == 6
    assert found.differences["b", "a"].value == pytest.approx(0.05, abs=0.005)
    assert found.differences["a", "b"].value == -found.differences["b", "a"].value
    # Paired: the scatter between galaxies, common to both, cancels.
    assert found.differences["a", "c"].error < 0.1 * found.errors["a"].error
    assert found.verdict("a", "b") == "better" and found.verdict("b", "a") == "worse"
    assert found.verdict("a", "c") == found.verdict("c", "a") == "undecided"
    assert found.tied() == (found.names[1],)
    # Among some methods the best of them counts, whatever is better still.
    assert found.tied({"a", "b"}) == () and found.tied({"a", "c"}) == (found.names[1],)


def trained(found: Scores, members: int, **ensembles: list[float]) -> Scores:
    """The same, with ensembles whose members have given multiples of the |dM/M| of the method of their name."""
    trainings = {
        name: TRUTH + np.multiply.outer(factors, found.masses[name] - TRUTH) for name, factors in ensembles.items()
    }
    return replace(found, members=dict.fromkeys(ensembles, members), trainings=trainings)


def test_the_luck_of_trainings_is_in_the_error_of_a_pair():
    bare = scores(net=0.150, other=0.153, trees=0.156)
    # About their means, 1 and 1.1: squares of 0.04 twice, and of 0.1 / 1.1 twice; three degrees of freedom.
    found = trained(bare, 4, net=[0.96, 1.0, 1.04], other=[1.0, 1.2])
    one = np.sqrt((2 * 0.04**2 + 2 * (0.1 / 1.1) ** 2) / 3)
    np.testing.assert_allclose(found.training_scatter("relative", "intermediate"), one, rtol=0.02)
    np.testing.assert_allclose(found.training_scatter(), one, rtol=0.02)
    before, after = (pairs_of(some, ["net", "other", "trees"]) for some in (bare, found))
    for pair, networks in (
        (("net", "trees"), [0.150]),
        (("net", "other"), [0.150, 0.153]),
        (("trees", "other"), [0.153]),
    ):
        galaxies, both = before.differences[pair], after.differences[pair]
        luck = np.sqrt(sum((one * error) ** 2 for error in networks) / 4)
        assert both.value == galaxies.value and both.error == pytest.approx(np.hypot(galaxies.error, luck), rel=0.02)
        assert both.high - both.value == pytest.approx(np.hypot(galaxies.high - galaxies.value, luck), rel=0.02)
    # A pair that the galaxies decide is undecided where another training could turn it.
    assert before.verdict("net", "trees") == "better" and after.verdict("net", "trees") == "undecided"
    # The same at each radius and in ratios, where the relative scatter counts.
    at, ratio = found.difference("net", "trees"), found.ratio("intermediate", "net", "trees", "relative")
    assert (at.error > 0.9 * one * 0.150 / 2).all() and (bare.difference("net", "trees").error < 0.001).all()
    assert ratio.error == pytest.approx(ratio.value * one / 2, rel=0.1)
    # Errors of one method, and of pairs without a network, are those of the galaxies.
    assert after.errors["net"] == before.errors["net"]
    alone = trained(bare, 4, net=[0.9, 1.1]).better("all", "other", "trees")
    assert alone.error == bare.better("all", "other", "trees").error


def test_without_a_second_member_the_luck_is_unknown_and_left_out():
    bare = scores(net=0.15, trees=0.16)
    one = replace(bare, members={"net": 1})
    assert one.training_scatter("relative", "all") == 0
    assert one.better("all", "net", "trees").error == bare.better("all", "net", "trees").error


def test_the_table_has_costs_differences_and_verdicts():
    found = pairs_of(scores(a=0.15, b=0.20), ["a", "b"])
    rows = found.table({"a": "A", "b": "B"}, {"a": {"members": 3}, "b": {"members": 2}})
    assert [row["method"] for row in rows] == ["A", "B"] and rows[0]["members"] == 3
    assert rows[0]["less A"] == "" and rows[0]["less B"].startswith("-") and rows[0]["less B"].endswith("better")
    assert rows[1]["less A"].startswith("+") and rows[1]["less A"].endswith("worse")


def test_a_run_repeats_itself_and_not_its_reverse():
    first = pairs_of(scores(a=0.10, b=0.15, c=0.20), "abc")
    members = {"a": np.array([0.10, 0.11, 0.12]), "b": np.array([0.15, 0.16]), "c": np.array([0.20])}
    same = repeat(first, first, members, members)
    assert (same.decided, same.alike) == (3, 3) and same.rank_correlation == pytest.approx(1.0)
    # Variance by hand: (2e-4 + 5e-5) / 3 degrees of freedom; the smallest ensemble has one member.
    assert same.spread == pytest.approx(np.sqrt(2.5e-4 / 3.0 * 2.0))
    assert same.within == 3
    other = pairs_of(scores(a=0.20, b=0.15, c=0.10), "abc")
    shifted = {name: errors + 0.1 for name, errors in members.items()}
    found = repeat(first, other, members, shifted)
    assert (found.decided, found.alike, found.within) == (3, 0, 0)
    assert found.rank_correlation == pytest.approx(-1.0) and found.shifts["a"] == pytest.approx(0.09)


def index(**losses):
    """Ensembles whose members had a validation loss, and were best after some epoch, of twenty."""
    return {
        name: {
            "members": [
                {"best_val_loss": loss, "best_epoch": 10 + k, "epochs_run": 20} for k, loss in enumerate(of_members)
            ]
        }
        for name, of_members in losses.items()
    }


def test_a_network_is_cut_short_if_it_learned_less_than_any_member_of_the_reference():
    reference = index(a=[0.40, 0.42], b=[0.40, 0.42], c=[0.40], d=[0.40])
    run = index(a=[0.43], b=[0.45, 0.41], c=[0.40], d=[0.30])
    assert cut_short(reference, run, "abcd") == ("a",)
    assert cut_short(reference, reference, "abcd") == ()


def test_the_table_beside_the_reference_has_epochs_errors_and_what_seeds_explain():
    first, other = (pairs_of(scores(a=a, b=0.15, plain=0.3), ["a", "b", "plain"]) for a in (0.10, 0.14))
    members = {"a": np.array([0.09, 0.11]), "b": np.array([0.15])}
    run = {"a": np.array([0.14]), "b": np.array([0.15])}
    same = repeat(first, other, members, run)
    rows = repeat_rows(first, other, same, index(a=[0.4, 0.4], b=[0.4]), index(a=[0.5], b=[0.3]), {"a": "A", "b": "B"})
    assert [row["network"] for row in rows] == ["A", "B"]
    assert [row["cut short"] for row in rows] == ["yes", "no"]
    assert [(row["epochs"], row["best after"]) for row in rows] == [(20, "10 to 11"), (20, "10")]
    assert rows[0]["reference"] == pytest.approx(0.10, abs=0.005)
    assert rows[0]["this run"] == pytest.approx(0.14, abs=0.005)
    assert rows[0]["difference"] == pytest.approx(0.04)
    assert rows[0]["over scatter"] == pytest.approx(0.04 / same.spread) and rows[1]["over scatter"] == 0
    # One member each: nothing tells what seeds explain.
    alone = repeat(first, other, run, run)
    (row,) = repeat_rows(first, other, alone, index(a=[0.4]), index(a=[0.4]), {"a": "A"})
    assert np.isnan(row["over scatter"])
