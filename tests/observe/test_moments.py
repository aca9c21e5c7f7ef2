"""Moment maps of a disc whose answers are known, the search for emission, profiles, and the network's scales."""

from dataclasses import replace

import numpy as np
import pytest

from analytic_disc import SPIN, disc, rotation_speed
from dmlib.errors import GalaxyError
from dmlib.observe.cube import ATOMS_PER_CM2, HISettings
from dmlib.observe.deposit import observe, observe_with_martini
from dmlib.observe.moments import (
    BLANK,
    brightest_channel,
    channel_maps,
    find_emission,
    global_profile,
    moment_maps,
    normalise,
    position_velocity,
)
from dmlib.observe.sky import SkyGrid, lines_of_sight

GRID = SkyGrid(128.0, 64)
SHARP = HISettings(beam=3.0, channel_width=5.0, v_max=300.0, line_width=5.0, noise=0.0)


def view(inclination=60.0, position_angle=30.0):
    return lines_of_sight(1, SPIN, seed=0, mode=[(inclination, position_angle)])[0]


@pytest.fixture(scope="module")
def observed():
    """One noisy observation: gas, cube, maps."""
    gas = disc(20000)
    cube = observe(gas, view(), GRID, HISettings(), seed=2)
    return gas, cube, moment_maps(cube)


def disc_plane(grid, inclination, position_angle):
    """Radius and cosine of azimuth from the receding major axis of every pixel, for an infinitely thin disc."""
    x, y = grid.mesh()
    pa, cos_i = np.radians(position_angle), np.cos(np.radians(inclination))
    major = -x * np.sin(pa) + y * np.cos(pa)
    minor = (-x * np.cos(pa) - y * np.sin(pa)) / cos_i
    radius = np.hypot(major, minor)
    return radius, major / radius


def test_mass_within_two_per_cent_without_noise(observed):
    gas, _, _ = observed
    for pixels in (32, 64, 128):
        maps = moment_maps(
            observe(gas, view(), SkyGrid(128.0, pixels), HISettings().without("noise"), seed=0), floor=0.0
        )
        assert maps.m_hi == pytest.approx(gas.mass, rel=0.02)
    assert moment_maps(observe(gas, view(), GRID, HISettings().without("noise"), seed=0)).m_hi == pytest.approx(
        gas.mass, rel=0.02
    )


@pytest.mark.parametrize(("inclination", "position_angle"), [(60.0, 30.0), (40.0, 200.0), (70.0, 310.0)])
def test_velocity_field_of_a_thin_disc(inclination, position_angle):
    """v = V(R) sin i cos(theta): the receding side lies at the position angle, from North through East."""
    grid = SkyGrid(80.0, 128)
    gas = disc(60000, fwhm=0.8)
    maps = moment_maps(observe(gas, view(inclination, position_angle), grid, SHARP, seed=0))
    radius, cosine = disc_plane(grid, inclination, position_angle)
    expected = rotation_speed(radius) * np.sin(np.radians(inclination)) * cosine
    inside = (radius > 6.0) & (radius < 28.0) & maps.seen
    difference = (maps.velocity - expected)[inside]
    assert inside.sum() > 1500
    assert abs(np.median(difference)) < 0.5
    assert np.sqrt(np.mean(difference**2)) < 3.0


def test_surface_density_and_dispersion_of_a_face_on_disc():
    gas = disc(60000, m_hi=8e9, scale=8.0, fwhm=0.8, r_max=35.0)
    grid = SkyGrid(80.0, 80)
    maps = moment_maps(observe(gas, view(0.0, 0.0), grid, SHARP, seed=0))
    radius = np.hypot(*grid.mesh())
    held = 1.0 - np.exp(-35.0 / 8.0) * (1.0 + 35.0 / 8.0)
    expected = 8e9 / held / (2.0 * np.pi * 8.0**2) * np.exp(-radius / 8.0) / 1e6
    inside = (radius > 3.0) & (radius < 30.0)
    assert np.median(maps.surface_density[inside] / expected[inside]) == pytest.approx(1.0, abs=0.01)
    # Line and channel: sqrt(5^2 + 5^2/12) km/s.
    assert np.median(maps.dispersion[inside]) == pytest.approx(np.sqrt(25.0 + 25.0 / 12.0), abs=0.2)
    assert np.nanmax(np.abs(maps.velocity[inside])) < 1.0
    assert ATOMS_PER_CM2 == pytest.approx(1.2491e20, rel=5e-3)


def test_maps_are_those_of_the_martini_cube(observed):
    gas, _, maps = observed
    martini = moment_maps(observe_with_martini(gas, view(), GRID, HISettings(), seed=2))
    assert np.array_equal(maps.seen, martini.seen)
    assert np.nanmax(np.abs(maps.velocity - martini.velocity)) < 1e-4
    assert np.nanmax(np.abs(maps.dispersion - martini.dispersion)) < 1e-4
    assert np.allclose(maps.surface_density, martini.surface_density, rtol=1e-6, equal_nan=True)
    passing = moment_maps(observe(gas, view(), GRID, HISettings(), seed=2))
    assert np.array_equal(passing.stack, maps.stack, equal_nan=True)


def test_emission_is_found_and_noise_is_not(observed):
    gas, _, maps = observed
    assert maps.m_hi == pytest.approx(gas.mass, rel=0.05)
    faint = replace(gas, m_hi=gas.m_hi * 1e-9)
    seen = [moment_maps(observe(faint, view(), GRID, HISettings(), seed=k)).seen.sum() for k in range(10)]
    assert np.mean(seen) < 1.0
    # What is blank is blank in all three maps, and nothing else is NaN.
    blank = np.isnan(maps.stack)
    assert np.array_equal(blank.any(axis=-1), blank.all(axis=-1))
    assert np.array_equal(blank[..., 0], ~maps.seen)
    assert np.nanmin(maps.surface_density) * ATOMS_PER_CM2 > 1e19


def test_noise_of_the_smoothed_cube_is_the_predicted_one(observed):
    gas, _, _ = observed
    cube = observe(replace(gas, m_hi=gas.m_hi * 1e-12), view(), GRID, HISettings(), seed=4)
    smooth, predicted = cube.smoothed()
    inside = smooth[1:-1, 16:-16, 16:-16]  # away from the edges of the cube
    assert inside.std() == pytest.approx(predicted, rel=0.05)


def test_global_profile(observed):
    gas, cube, _ = observed
    quiet = global_profile(observe(gas, view(), GRID, HISettings().without("noise"), seed=0))
    flux = quiet.flux_density.sum() * 10.0
    assert 2.36e5 * 70.0**2 * flux == pytest.approx(gas.mass, rel=0.01)
    flat = 2.0 * 180.0 * np.sin(np.radians(60.0))
    assert quiet.width(0.5) == pytest.approx(flat, abs=10.0)
    assert quiet.width(0.2) > quiet.width(0.5)
    assert abs(sum(quiet.crossings(0.2)) / 2) < 3.0
    with pytest.raises(GalaxyError, match="without flux"):
        global_profile(cube, np.zeros(cube.data.shape, dtype=bool)).width(0.5)
    masked = global_profile(cube, find_emission(cube))
    assert masked.width(0.5) == pytest.approx(quiet.width(0.5), abs=10.0)


def test_position_velocity_diagram_rises_towards_the_receding_side(observed):
    _, cube, _ = observed
    offsets, diagram = position_velocity(cube, view().position_angle)
    assert diagram.shape == (101, 64)
    brightest = brightest_channel(cube, diagram)
    for offset, sign in ((16.0, 1.0), (-16.0, -1.0)):
        peak = brightest[np.abs(offsets - offset).argmin()]
        assert peak == pytest.approx(sign * rotation_speed(16.0) * np.sin(np.radians(60.0)), abs=15.0)
    diagram[:, :3] = 4.9 * cube.settings.noise
    assert np.isnan(brightest_channel(cube, diagram)[:3]).all()


def test_channel_maps(observed):
    _, cube, _ = observed
    velocities, maps = channel_maps(cube, 5)
    reach = max(np.abs(global_profile(cube, find_emission(cube)).crossings(0.2)))
    assert np.allclose(velocities, np.linspace(-reach, reach, 5), atol=5.0) and maps.shape == (5, 64, 64)
    assert np.array_equal(maps[2], cube.data[50]) and velocities[2] == 0


def test_normalised_maps(observed):
    _, _, maps = observed
    array = normalise(maps)
    assert array.shape == (64, 64, 3) and array.dtype == np.float32
    assert np.array_equal(array[..., 0] == BLANK, ~maps.seen)
    assert np.all(array[~maps.seen] == [BLANK, 0, 0])
    scaled = maps.stack[maps.seen] / [1.0, 200.0, 50.0]
    scaled[:, 0] = np.log10(scaled[:, 0])
    assert np.allclose(array[maps.seen], scaled, rtol=1e-5, atol=1e-6)
    assert np.log10(1e19 / ATOMS_PER_CM2) > BLANK + 0.5
