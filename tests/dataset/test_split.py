"""The split: shares, no group on two sides, the same again, and independent of what else is seeded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmlib.dataset import SPLITS, assign, straddling


def test_shares_of_many_galaxies():
    split = assign(np.arange(1000), seed=1)
    assert [int((split == side).sum()) for side in SPLITS.values()] == [600, 200, 100, 100]


@settings(max_examples=60)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=120), st.integers(0, 5))
def test_no_group_is_on_two_sides(groups, seed):
    split = assign(np.array(groups), seed=seed)
    assert len(straddling(np.array(groups), split)) == 0
    assert set(split.tolist()) <= set(SPLITS.values())


def test_all_views_and_members_of_a_group_go_together():
    groups = np.repeat([5, 5, 7, 9], 3)
    split = assign(groups, seed=3)
    assert len({*split[:6]}) == 1


def test_shares_hold_with_groups_of_many():
    groups = np.repeat(np.arange(300), np.random.default_rng(1).integers(1, 6, 300))
    split = assign(groups, seed=1)
    for side, share in zip(SPLITS.values(), (0.6, 0.2, 0.1, 0.1), strict=True):
        assert np.mean(split == side) == pytest.approx(share, abs=0.03)


def test_shares_that_are_no_tenths():
    split = assign(np.arange(5000), seed=1, train=0.56, validation=0.12, calibration=0.07)
    for side, share in zip(SPLITS.values(), (0.56, 0.12, 0.25, 0.07), strict=True):
        assert np.mean(split == side) == pytest.approx(share, abs=0.01)


def test_sides_are_even_in_rank_and_of_those_apart():
    rng = np.random.default_rng(1)
    mass, satellite = rng.lognormal(size=400), rng.random(400) < 0.1
    split = assign(np.arange(400), seed=1, rank_by=mass, apart=satellite)
    heavy = np.argsort(mass)[-100:]
    assert np.sum(split[heavy] == SPLITS["test"]) in range(7, 14)
    assert np.sum(split[satellite] == SPLITS["test"]) >= satellite.sum() // 10
    # Who goes where is still random.
    assert np.any(split != assign(np.arange(400), seed=2, rank_by=mass, apart=satellite))


def test_calibration_galaxies_are_taken_from_the_training_only():
    mass, satellite = np.random.default_rng(2).lognormal(size=400), np.arange(400) % 9 == 0
    ours = assign(np.arange(400), seed=1, rank_by=mass, apart=satellite)
    papers = assign(np.arange(400), seed=1, rank_by=mass, apart=satellite, train=0.7, calibration=0.0)
    new = ours == SPLITS["calibration"]
    assert new.sum() in range(36, 44) and (papers[new] == SPLITS["train"]).all()
    np.testing.assert_array_equal(ours[~new], papers[~new])


def test_rank_of_a_group_is_that_of_its_largest_galaxy():
    groups, mass = np.array([1, 1, 2, 3]), np.array([1.0, 9.0, 5.0, 7.0])
    few = assign(np.array([1, 2, 3]), seed=6, rank_by=np.array([9.0, 5.0, 7.0]))
    np.testing.assert_array_equal(assign(groups, seed=6, rank_by=mass), few[[0, 0, 1, 2]])


def test_seed_decides_and_repeats():
    groups = np.arange(200)
    np.testing.assert_array_equal(assign(groups, seed=4), assign(groups, seed=4))
    assert np.any(assign(groups, seed=4) != assign(groups, seed=5))


def test_order_of_the_sample_does_not_matter():
    groups = np.arange(50)
    shuffled = np.random.default_rng(2).permutation(groups)
    np.testing.assert_array_equal(assign(shuffled, seed=1), assign(groups, seed=1)[shuffled])


def test_straddling_names_what_is_on_two_sides():
    assert straddling(np.array([1, 1, 2, 3, 3]), np.array([0, 0, 1, 0, 2])).tolist() == [3]
