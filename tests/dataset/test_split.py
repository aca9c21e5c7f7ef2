"""The split: shares, no group on two sides, the same again, and independent of what else is seeded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmlib.dataset import SPLITS, assign, straddling


def test_shares_of_many_galaxies():
    split = assign(np.arange(1000), seed=1)
    assert [int((split == side).sum()) for side in SPLITS.values()] == [700, 200, 100]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=120), st.integers(0, 5))
def test_no_group_is_on_two_sides(groups, seed):
    split = assign(np.array(groups), seed=seed)
    assert len(straddling(np.array(groups), split)) == 0
    assert set(split.tolist()) <= {0, 1, 2}


def test_all_views_and_members_of_a_group_go_together():
    groups = np.repeat([5, 5, 7, 9], 3)
    split = assign(groups, seed=3)
    assert len({*split[:6]}) == 1


def test_shares_hold_with_groups_of_many():
    groups = np.repeat(np.arange(300), np.random.default_rng(1).integers(1, 6, 300))
    split = assign(groups, seed=1)
    for side, share in zip(SPLITS.values(), (0.7, 0.2, 0.1), strict=True):
        assert np.mean(split == side) == pytest.approx(share, abs=0.03)


def test_shares_that_are_no_tenths():
    split = assign(np.arange(5000), seed=1, train=0.63, validation=0.12)
    for side, share in zip(SPLITS.values(), (0.63, 0.12, 0.25), strict=True):
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
