"""A galaxy's profiles and axes, against analytic haloes, the catalogue, and each other."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dmlib.errors import GalaxyError
from dmlib.galaxy import (
    Component,
    Galaxy,
    angular_momentum,
    enclosed_mass,
    load_galaxy,
    rotation_to_z,
)
from dmlib.settings import RADII_KPC
from dmlib.units import G, wrap
from dmlib.universe import FilesUniverse
from tiny_tng import BOX, M_DM, H, TinyGroup, TinySubhalo, dm, gas, stars, toy_groups, write_tree


def sphere(rng, radius: np.ndarray) -> np.ndarray:
    direction = rng.normal(size=(len(radius), 3))
    return radius[:, None] * direction / np.linalg.norm(direction, axis=1)[:, None]


def component(position, velocity=None, mass=1e6) -> Component:
    velocity = np.zeros_like(position) if velocity is None else velocity
    return Component(position, velocity, np.full(len(position), float(mass)))


def galaxy(dm_=None, stars_=None, gas_=None, r_half_star=3.0) -> Galaxy:
    empty = component(np.zeros((0, 3)))
    parts = {"dm": dm_ or empty, "stars": stars_ or empty, "gas": gas_ or empty, "wind": empty}
    return Galaxy(7, 2, "subhalo", np.zeros(3), r_half_star, 1e6, **parts)


def disc(rng, n=5000, speed=200.0, dispersion=0.0) -> Component:
    """A disc in the x-y plane that turns about +z."""
    radius, angle = rng.exponential(3.0, n), rng.uniform(0, 2 * np.pi, n)
    position = np.stack([radius * np.cos(angle), radius * np.sin(angle), rng.normal(0, 0.1, n)], axis=1)
    velocity = speed * np.stack([-np.sin(angle), np.cos(angle), np.zeros(n)], axis=1)
    return component(position, velocity + rng.normal(0, dispersion, (n, 3)) if dispersion else velocity)


TILT = rotation_to_z(np.array([0.3, -0.8, 0.52]))


# -- enclosed mass ----------------------------------------------------------------------------------------------------


def nfw_shape(x):
    return np.log1p(x) - x / (1 + x)


def test_nfw_halo_is_recovered_within_its_noise():
    rng, n, scale, concentration = np.random.default_rng(3), 200_000, 20.0, 10.0
    table = np.geomspace(1e-4, concentration, 4000)
    radius = scale * np.interp(rng.uniform(0, 1, n), nfw_shape(table) / nfw_shape(concentration), table)
    found = enclosed_mass(sphere(rng, radius), 1e6)
    expected = nfw_shape(RADII_KPC / scale) / nfw_shape(concentration) * n
    assert np.all(np.abs(found / 1e6 - expected) < 4.5 * np.sqrt(expected))


def test_hernquist_stars_are_recovered_within_their_noise():
    rng, n, scale = np.random.default_rng(4), 100_000, 2.0
    root = np.sqrt(rng.uniform(0, 1, n))
    radius = scale * root / (1 - root)
    found = enclosed_mass(sphere(rng, radius), np.full(n, 2.0e5))
    expected = n * (RADII_KPC / (RADII_KPC + scale)) ** 2
    assert np.all(np.abs(found / 2e5 - expected) < 4.5 * np.sqrt(expected))


positions = hnp.arrays(
    float, st.tuples(st.integers(0, 40), st.just(3)), elements=st.floats(-150, 150, allow_nan=False, width=32)
)


@settings(max_examples=60)
@given(position=positions, seed=st.integers(0, 100))
def test_enclosed_mass_equals_the_definition(position, seed):
    mass = np.random.default_rng(seed).uniform(0.5, 2.0, len(position))
    squared = np.einsum("ij,ij->i", position, position)
    definition = np.array([mass[squared <= radius**2].sum() for radius in RADII_KPC])
    found = enclosed_mass(position, mass)
    np.testing.assert_allclose(found, definition, rtol=1e-12)
    assert np.all(np.diff(found) >= 0)


@settings(max_examples=60)
@given(position=positions, centre=hnp.arrays(float, 3, elements=st.floats(-200, 200, width=32)))
def test_enclosed_mass_about_another_centre_in_a_periodic_box(position, centre):
    box, mass = 320.0, np.arange(1.0, len(position) + 1)
    shifts = box * np.array(np.meshgrid(*[[-2, -1, 0, 1, 2]] * 3)).reshape(3, -1, 1).transpose(2, 1, 0)
    distance = np.linalg.norm(position[:, None] - centre + shifts, axis=2).min(axis=1)
    clear = np.abs(distance[:, None] - RADII_KPC).min(initial=np.inf) > 1e-9
    if clear:
        definition = [mass[distance <= radius].sum() for radius in RADII_KPC]
        np.testing.assert_array_equal(enclosed_mass(position, mass, centre=centre, box=box), definition)


def test_wrap_gives_a_new_array_of_the_same_numbers_whether_or_not_others_lie_across_the_edge():
    box, near = 75000.0, np.array([-37500.0, -0.3, -0.0, 0.0, 0.1, 37500.0])
    far = np.append(near, [37500.1, -75000.0])
    np.testing.assert_array_equal(wrap(far, box)[:6], wrap(near, box))
    np.testing.assert_array_equal(np.signbit(wrap(far, box)[:6]), np.signbit(wrap(near, box)))
    np.testing.assert_allclose(wrap(far, box)[6:], [-37499.9, 0.0])
    assert not np.shares_memory(wrap(near, box), near)
    assert wrap(np.zeros((0, 3)), box).shape == (0, 3)


def test_particle_on_a_radius_is_inside_and_equal_masses_may_be_one_number():
    position = np.array([[1.0, 0, 0], [0, 2.0, 0], [0, 0, 4.0]])
    np.testing.assert_array_equal(enclosed_mass(position, 5.0, np.array([1.0, 2.0, 3.0])), [5, 10, 10])
    np.testing.assert_array_equal(enclosed_mass(position, np.full(3, 5.0), np.array([1.0, 2.0, 3.0])), [5, 10, 10])


def test_radii_must_increase():
    with pytest.raises(ValueError, match="increasing"):
        enclosed_mass(np.zeros((1, 3)), 1.0, np.array([2.0, 1.0]))


# -- reading ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def universe(tmp_path):
    return FilesUniverse(write_tree(tmp_path, toy_groups()))


def test_profile_does_not_know_where_the_box_ends(tmp_path):
    rng = np.random.default_rng(5)
    offset, speed = rng.normal(0, 30.0, (4000, 3)), rng.normal(0, 90.0, (4000, 3))
    profiles = {}
    for name, centre in {"middle": np.full(3, 40000.0), "corner": np.array([0.0, 74999.0, 2.0])}.items():
        subhalo = TinySubhalo(centre, {1: dm(centre + offset, speed), 4: stars(centre + offset[:300], np.ones(300))})
        tree = write_tree(tmp_path / name, [TinyGroup([subhalo])])
        found = load_galaxy(FilesUniverse(tree), 0)
        np.testing.assert_allclose(found.dm.position, offset / H, atol=1e-7)
        profiles[name] = found.enclosed_masses()
    for component_name in ("dm", "stars", "gas"):
        np.testing.assert_array_equal(profiles["middle"][component_name], profiles["corner"][component_name])


def test_masses_within_radii_are_the_catalogues(universe):
    names = ["SubhaloMassInRadType", "SubhaloHalfmassRadType", "SubhaloMassType"]
    table = universe.subhalos(names)
    for subhalo_id in (0, 1, 3):
        found = load_galaxy(universe, subhalo_id)
        r_half = table["SubhaloHalfmassRadType"][subhalo_id].to_value(u.kpc)
        inside = found.enclosed_masses(np.array([2 * r_half[4]]))
        catalogue = table["SubhaloMassInRadType"][subhalo_id].to_value(u.Msun)
        for name, number in (("dm", 1), ("gas", 0), ("stars", 4)):
            # The edge particle itself decides the half-mass radius, and is on it only to single precision.
            assert inside[name][0] == pytest.approx(catalogue[number], rel=1e-5, abs=3e8)
        half = found.stars.enclosed_mass(np.array([r_half[4] * (1 + 1e-6)]))[0]
        assert half == pytest.approx(table["SubhaloMassType"][subhalo_id, 4].to_value(u.Msun) / 2, rel=0.01)


def test_bulk_velocity_is_removed_and_wind_is_no_star(universe):
    found = load_galaxy(universe, 0, extra={"gas": ["Density"]})
    assert (len(found.stars), len(found.wind)) == (400, 20)
    raw = universe.particles(0, "dm", ["Velocities"])["Velocities"]
    np.testing.assert_allclose(found.dm.velocity, raw - np.array([30.0, -20.0, 10.0]), rtol=1e-6)
    assert found.gas.extra["Density"].shape == (300,)
    far = np.array([1e4])
    assert found.enclosed_masses(far)["gas"][0] == pytest.approx(found.gas.mass.sum() + found.wind.mass.sum())


def test_group_scope_adds_satellites_and_fuzz(universe):
    bound, whole = load_galaxy(universe, 1), load_galaxy(universe, 1, scope="group")
    assert (len(bound.dm), len(whole.dm)) == (400, 3630)
    assert np.all(whole.enclosed_masses()["dm"] >= bound.enclosed_masses()["dm"])
    assert whole.dm.mass[0] == pytest.approx(M_DM * 1e10 / H)


def test_without_velocities_profiles_still_work(universe):
    found = load_galaxy(universe, 0, velocities=False)
    expected = load_galaxy(universe, 0).enclosed_masses()
    np.testing.assert_array_equal(found.enclosed_masses()["dm"], expected["dm"])


def test_velocities_are_read_of_the_named_components_only(universe):
    found, whole = load_galaxy(universe, 0, velocities=["stars"]), load_galaxy(universe, 0)
    np.testing.assert_array_equal(found.stars.velocity, whole.stars.velocity)
    assert len(whole.dm.velocity) and len(found.dm.velocity) == len(found.gas.velocity) == 0


def test_no_gas(universe):
    found = load_galaxy(universe, 3)
    assert len(found.gas) == 0
    assert not found.enclosed_masses()["gas"].any()
    with pytest.raises(GalaxyError, match="subhalo 3 has 0 gas particles"):
        found.spin_axis("gas")


def test_no_stars_and_no_dark_matter(tmp_path):
    centre = np.full(3, 1000.0)
    rng = np.random.default_rng(6)
    dark = TinySubhalo(centre, {1: dm(centre + rng.normal(0, 20, (200, 3)))})
    clump = TinySubhalo(centre, {0: gas(centre + rng.normal(0, 2, (60, 3)), np.ones(60))})
    universe = FilesUniverse(write_tree(tmp_path, [TinyGroup([dark, clump])]))
    found = load_galaxy(universe, 0)
    assert found.r_half_star == 0.0
    assert found.enclosed_masses()["dm"][-1] > 0
    with pytest.raises(GalaxyError, match="subhalo 0 has 0 stars particles"):
        found.spin_axis()
    with pytest.raises(GalaxyError, match="subhalo 1 has no dark matter"):
        load_galaxy(universe, 1)


# -- axes and rotation ------------------------------------------------------------------------------------------------


@given(axis=hnp.arrays(float, 3, elements=st.floats(-10, 10, allow_nan=False)).filter(lambda a: np.abs(a).max() > 1e-3))
def test_rotation_is_proper_and_puts_the_axis_last(axis):
    rotation = rotation_to_z(axis)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    np.testing.assert_allclose(rotation @ axis, [0, 0, np.linalg.norm(axis)], atol=1e-9)


def test_spin_axis_follows_the_disc():
    turning = disc(np.random.default_rng(7)).rotated(TILT.T)
    both = galaxy(stars_=turning, gas_=turning)
    for name in ("stars", "gas"):
        np.testing.assert_allclose(TILT @ both.spin_axis(name), [0, 0, 1], atol=0.02)


def test_kappa_of_a_cold_disc():
    turning = galaxy(stars_=disc(np.random.default_rng(9)).rotated(TILT.T))
    assert turning.kappa_rot() == pytest.approx(1.0, abs=0.02)


def test_kappa_of_a_hot_sphere_is_a_third():
    rng = np.random.default_rng(10)
    hot = component(rng.normal(0, 2, (100_000, 3)), rng.normal(0, 100, (100_000, 3)))
    assert galaxy(stars_=hot).kappa_rot() == pytest.approx(1 / 3, abs=0.01)


def test_circular_speed_of_a_point_mass():
    point = component(np.zeros((1, 3)), mass=1e11)
    speeds = galaxy(dm_=point, gas_=point).v_circ()
    np.testing.assert_allclose(speeds["dm"], np.sqrt(G * 1e11 / RADII_KPC))
    np.testing.assert_allclose(speeds["total"], np.sqrt(2.0) * speeds["dm"])
    assert not speeds["stars"].any()


def test_angular_momentum_of_one_particle():
    part = Component(np.array([[1.0, 0, 0]]), np.array([[0, 3.0, 0]]), np.array([2.0]))
    np.testing.assert_array_equal(angular_momentum(part), [0, 0, 6.0])


def test_too_few_particles_say_so():
    few = galaxy(stars_=disc(np.random.default_rng(12), n=20))
    with pytest.raises(GalaxyError, match=r"subhalo 7 has \d+ stars particles within 6\.0 kpc, fewer than the 50"):
        few.spin_axis()
    still = galaxy(stars_=component(np.random.default_rng(13).normal(size=(100, 3))))
    with pytest.raises(GalaxyError, match="no angular momentum"):
        still.spin_axis()


def test_unknown_component_is_named():
    with pytest.raises(ValueError, match="component must be"):
        galaxy().component("bh")


def test_damaged_fields_are_named():
    broken = galaxy(stars_=disc(np.random.default_rng(14)))
    broken.stars.velocity[3, 1] = np.nan
    broken.require_finite("stars", ["Coordinates", "Masses"])
    with pytest.raises(GalaxyError, match="subhalo 7: star field Velocities holds 1 values"):
        broken.require_finite("stars", ["Velocities"])


def test_box_is_the_period():
    assert BOX / H == pytest.approx(110717.45, abs=0.01)


# -- the embedded universe --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def embedded(smoke_universe) -> FilesUniverse:
    return FilesUniverse(smoke_universe.universe_dir / "output", simulation="embedded")


def test_embedded_masses_within_radii_are_its_catalogues(embedded):
    """Particles read, centred, unwrapped and summed here, against the catalogue that the writer measured."""
    names = ["SubhaloMassInRadType", "SubhaloMassType", "SubhaloHalfmassRadType", "SubhaloLenType"]
    table = embedded.subhalos(names)
    with_stars = np.flatnonzero(np.asarray(table["SubhaloLenType"])[:, 4] > 200)
    for subhalo_id in with_stars[:: max(1, len(with_stars) // 12)]:
        found = load_galaxy(embedded, subhalo_id, velocities=False)
        r_half = table["SubhaloHalfmassRadType"][subhalo_id].to_value(u.kpc)
        radii = np.array([2 * r_half[4], 1e5])
        for name, number in (("dm", 1), ("gas", 0), ("stars", 4)):
            inside, bound = found.enclosed_masses(radii)[name]
            assert bound == pytest.approx(table["SubhaloMassType"][subhalo_id, number].to_value(u.Msun), rel=1e-4)
            # One particle at the edge may fall on the other side of a radius kept in single precision.
            part = found.component(name)
            edge = 2 * part.mass.max() if len(part) else 0.0
            catalogue = table["SubhaloMassInRadType"][subhalo_id, number].to_value(u.Msun)
            assert inside == pytest.approx(catalogue, rel=1e-4, abs=edge)


def test_embedded_galaxies_are_whole_wherever_they_lie(embedded):
    """No particle of a galaxy is half a box away from it, the group across the boundary included."""
    box = embedded.header.units.box_kpc
    groups = embedded.groups(["GroupPos", "GroupFirstSub", "Group_R_Crit200"])
    position = groups["GroupPos"].to_value(u.kpc)
    across = np.flatnonzero(
        (np.minimum(position, box - position).min(axis=1) < groups["Group_R_Crit200"].to_value(u.kpc))
        & (np.asarray(groups["GroupFirstSub"]) >= 0)
    )
    assert len(across) > 0
    for group_id in across[:3]:
        subhalo_id = int(groups["GroupFirstSub"][group_id])
        raw = embedded.particles(subhalo_id, "dm", ["Coordinates"])["Coordinates"]
        assert np.ptp(raw, axis=0).max() > 0.5 * box
        found = load_galaxy(embedded, subhalo_id, velocities=False)
        assert found.dm.radius.max() < 0.02 * box


def test_embedded_discs_rotate(embedded):
    table = embedded.subhalos(["SubhaloLenType", "SubhaloSFR"])
    ranked = np.argsort(table["SubhaloSFR"].value)[::-1]
    chosen = [i for i in ranked if table["SubhaloLenType"][i, 4] > 500][:5]
    assert np.median([load_galaxy(embedded, i, ["stars"]).kappa_rot() for i in chosen]) > 0.45


def test_only_what_is_asked_for_is_read(tmp_path):
    universe = FilesUniverse(write_tree(tmp_path, toy_groups()))
    whole, some = load_galaxy(universe, 0), load_galaxy(universe, 0, components=("stars",))
    np.testing.assert_array_equal(some.stars.position, whole.stars.position)
    np.testing.assert_array_equal(some.wind.mass, whole.wind.mass)
    assert len(some.dm) == len(some.gas) == 0 and some.dm.position.shape == (0, 3)
