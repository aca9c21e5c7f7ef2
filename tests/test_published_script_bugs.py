"""The demonstrated bugs are the published ones: where positions are moved, and how much mass is lost."""

from __future__ import annotations

import numpy as np
import pytest

from dmlib.galaxy import Component, Galaxy
from dmlib.published_script_bugs import (
    TEAR,
    expected_torn,
    mass_limit_as_published,
    near_planes,
    tear,
    wrap_as_published,
)
from dmlib.units import BOX_TNG100, HUBBLE

BOX = BOX_TNG100 / HUBBLE


@pytest.fixture(scope="module")
def halo() -> Galaxy:
    position = np.random.default_rng(1).normal(0, 30, (20_000, 3))
    empty = Component(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))
    dm = Component(position, np.zeros((0, 3)), np.full(len(position), 1e7))
    return Galaxy(1, 1, "group", np.zeros(3), 3.0, 1e7, dm, empty, empty, empty)


def test_positions_beyond_the_limit_come_back_up_to_the_tear():
    moved = wrap_as_published(np.array([100.0, 32501.0, 42499.0, 42501.0, BOX - 1.0]))
    np.testing.assert_allclose(moved, [100.0, 32501.0, 42499.0, -32499.0, BOX - 75001.0])


@pytest.mark.parametrize("plane", [TEAR, 0.0])
def test_half_is_lost_on_a_plane_and_nothing_far_from_it(halo, plane):
    on_it = tear(halo, 1e-6, plane=plane)
    assert on_it.kept[-1] == pytest.approx(0.5, abs=0.02)
    far = tear(halo, 101.0, plane=plane)
    np.testing.assert_array_equal(far.kept, 1.0)


def test_no_tear_at_the_limit_itself(halo):
    np.testing.assert_array_equal(tear(halo, 0.5, plane=32500.0).kept, 1.0)


def test_galaxies_near_planes_are_counted_on_both_sides():
    middle = 0.25 * BOX
    positions = np.full((5, 3), middle)
    positions[0, 0], positions[1, 1], positions[2, 2], positions[3, 0] = TEAR + 99, TEAR - 99, BOX - 99, TEAR + 101
    assert near_planes(positions).tolist() == [True, True, True, False, False]


def test_expected_fraction_is_that_of_even_positions():
    positions = np.random.default_rng(2).uniform(0, BOX, (400_000, 3))
    assert near_planes(positions).mean() == pytest.approx(expected_torn(), rel=0.06)


def test_mass_limit():
    assert mass_limit_as_published(1e10) == pytest.approx(2.18e10, rel=1e-3)
