"""A group in memory is the group that a tree holds."""

from __future__ import annotations

import numpy as np
import pytest

from dmlib import embedded
from dmlib.errors import UniverseError
from dmlib.galaxy import load_galaxy
from dmlib.universe import open_universe
from dmlib.universe.drawn import GroupUniverse


def test_a_group_in_memory_is_that_of_the_tree(smoke_universe):
    drawn, tree = embedded.population(smoke_universe), open_universe(smoke_universe)
    subhalo_id = int(np.flatnonzero((drawn.subhalos["rank"] == 1) & (drawn.subhalos["n_gas"] > 100))[0])
    memory = GroupUniverse(drawn, int(drawn.subhalos["group_id"][subhalo_id]))
    for scope in ("subhalo", "group"):
        a, b = (load_galaxy(universe, subhalo_id, scope=scope) for universe in (tree, memory))
        np.testing.assert_allclose(a.centre, b.centre, rtol=1e-12)
        assert b.r_half_star == pytest.approx(a.r_half_star, rel=1e-6)
        for name in ("dm", "stars", "gas", "wind"):
            one, other = getattr(a, name), getattr(b, name)
            np.testing.assert_allclose(one.position, other.position, rtol=0, atol=1e-6)
            np.testing.assert_allclose(one.velocity, other.velocity, rtol=0, atol=1e-3)
            np.testing.assert_allclose(one.mass, other.mass, rtol=1e-6)
    assert b.m_dm_particle == pytest.approx(a.m_dm_particle, rel=1e-6)


def test_other_groups_are_refused(smoke_universe):
    drawn = embedded.population(smoke_universe)
    memory = GroupUniverse(drawn, 3)
    outside = int(drawn.groups["first_sub"][4])
    with pytest.raises(UniverseError, match=f"no subhalo {outside}"):
        load_galaxy(memory, outside)
    with pytest.raises(UniverseError, match="no particles of group 4"):
        memory.particles(4, "dm", ["Coordinates"], "group")


def test_a_group_with_other_physics_can_have_the_same_stars(smoke_universe):
    drawn = embedded.population(smoke_universe)
    other = embedded.vary(drawn, "uncontracted")
    small = np.flatnonzero((drawn.groups["n_subs"] == 2) & (drawn.groups["m200"] < 1e13))[0]
    subhalo_id = int(drawn.groups["first_sub"][small])
    fiducial = GroupUniverse(drawn, small)
    own, twin = GroupUniverse(other, small), GroupUniverse(other, small, stars_of=fiducial)
    a, b, c = (load_galaxy(universe, subhalo_id, scope="group") for universe in (fiducial, own, twin))
    for name in ("stars", "wind"):
        np.testing.assert_array_equal(getattr(c, name).position + c.centre, getattr(a, name).position + a.centre)
    assert not np.array_equal(b.stars.position, a.stars.position)
    # The rest is as in a group that has stars of its own, but for what marks a centre without a black hole.
    pairs = ((getattr(c, name).position, getattr(b, name).position) for name in ("dm", "gas"))
    moved = sum(np.count_nonzero((one != two).any(axis=1)) for one, two in pairs)
    assert moved == np.count_nonzero(other.subhalos["n_bh"][other.subhalos["group_id"] == small] == 0)
    np.testing.assert_array_equal(c.centre, b.centre)
    np.testing.assert_array_equal(np.diff(twin.ends, axis=0)[:, 4], np.diff(fiducial.ends, axis=0)[:, 4])
