"""Circular speeds of discs and bulges against formulas, and the weighing of stars."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import i0, i1, j1, k0, k1

from dmlib.errors import GalaxyError
from dmlib.galaxy import Component
from dmlib.observe.images import UGRIZ, absolute_magnitude, to_maggies
from dmlib.observe.sky import SkyGrid
from dmlib.rotation.baryons import (
    interpolate_profile,
    particle_speeds,
    sphere_speed,
    stellar_mass,
    thick_disc_speed,
    weigh_stars,
)
from dmlib.rotation.velocity_field import Tilt
from dmlib.units import G

RADII = np.array([1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 16.0, 20.0])
FINE = np.linspace(0.0, 60.0, 1201)
DISC = 100.0 * np.exp(-FINE / 3.0)


def freeman_speed(radii, central, scale):
    """Thin exponential disc (Freeman 1970, equation 12); Msun/pc^2, kpc."""
    y = radii / (2.0 * scale)
    bessel = i0(y) * k0(y) - i1(y) * k1(y)
    return np.sqrt(4.0 * np.pi * G * central * 1e6 * scale * y**2 * bessel)


def test_thin_disc_is_freemans():
    np.testing.assert_allclose(thick_disc_speed(RADII, FINE, DISC), freeman_speed(RADII, 100.0, 3.0), rtol=0.03)
    np.testing.assert_allclose(
        thick_disc_speed(RADII[2:], FINE, DISC), freeman_speed(RADII[2:], 100.0, 3.0), rtol=0.012
    )


@pytest.mark.parametrize("height", [0.3, 0.8])
def test_thick_disc_is_the_bessel_integral(height):
    k = np.linspace(1e-4, 60.0, 200001)
    z = np.linspace(0.0, 12 * height, 1001)
    layer = 1.0 / np.cosh(z / height) ** 2 / height  # both sides of the plane
    coarse = np.linspace(0.0, 60.0, 601)
    thickness = np.interp(k, coarse, np.trapezoid(layer * np.exp(-coarse[:, None] * z), z, axis=1))
    surface = 100e6 * 3.0**2 / (1.0 + (3.0 * k) ** 2) ** 1.5
    exact = [np.sqrt(2 * np.pi * G * r * np.trapezoid(k * j1(k * r) * surface * thickness, k)) for r in RADII]
    np.testing.assert_allclose(thick_disc_speed(RADII, FINE, DISC, height), exact, rtol=2e-3)


def test_a_ring_pulls_outwards_inside_itself():
    ring = np.where((FINE > 9.0) & (FINE < 11.0), 10.0, 0.0)
    speed = thick_disc_speed(np.array([5.0, 20.0]), FINE, ring, 0.3)
    assert speed[0] < 0 < speed[1]


def test_coarse_rings_of_an_exponential_disc():
    rings = np.arange(1.0, 40.0, 2.5)
    speed = thick_disc_speed(RADII, *interpolate_profile(rings, 100.0 * np.exp(-rings / 3.0)), 0.5)
    np.testing.assert_allclose(speed, thick_disc_speed(RADII, FINE, DISC, 0.5), rtol=5e-3)


def test_bulge_is_plummers():
    mass, size = 1e10, 1.0
    fine = np.geomspace(1e-3, 300.0, 3000)
    surface = mass * size**2 / np.pi / (fine**2 + size**2) ** 2 / 1e6
    exact = np.sqrt(G * mass * RADII**2 / (RADII**2 + size**2) ** 1.5)
    np.testing.assert_allclose(sphere_speed(RADII, fine, surface), exact, rtol=2e-3)


def test_particles_of_a_thin_disc_give_its_speed():
    rng = np.random.default_rng(2)
    n, scale = 40000, 4.0
    radius = rng.gamma(2.0, scale, n)
    phi = rng.uniform(0, 2 * np.pi, n)
    position = np.stack([radius * np.cos(phi), radius * np.sin(phi), rng.normal(0, 0.4, n)], axis=1)
    part = Component(position, np.zeros((0, 3)), np.full(n, 5e10 / n))
    radii = np.array([6.0, 10.0, 15.0])
    surface = 5e10 / (2 * np.pi * scale**2) / 1e6 * np.exp(-FINE / scale)
    # Softening acts as a height; the mean height of a sech^2 layer is ln 2 of its scale.
    expected = thick_disc_speed(radii, FINE, surface, (0.74 + 0.4 * np.sqrt(2 / np.pi)) / np.log(2))
    np.testing.assert_allclose(particle_speeds(part, np.array([0.0, 0.0, 1.0]), radii), expected, rtol=0.03)
    assert np.all(particle_speeds(Component(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0)), np.eye(3)[2], radii) == 0)


def test_stellar_mass_is_taylors():
    light = np.array([2e9, 3e9])
    g, i = absolute_magnitude(light, ("g", "i"))
    assert stellar_mass(light[0], light[1]) == pytest.approx(10 ** (1.15 + 0.7 * (g - i) - 0.4 * i))
    assert stellar_mass(np.array(-1.0), np.array(2.0)) == 0


def test_an_inclined_disc_is_weighed_face_on():
    grid, tilt = SkyGrid(128.0, 64), Tilt.flat(60.0, 30.0)
    place = tilt.deproject(*grid.mesh())
    light = np.stack([s * 1e8 * np.exp(-place.radius / 5.0) for s in (1.0, 0.8, 0.9, 1.1, 1.2)], axis=-1)
    image = to_maggies(light / np.cos(np.radians(60.0)), grid.pixel_area)
    stars = weigh_stars(image, "maggies/pixel", UGRIZ, grid, tilt)
    total = stellar_mass(2 * np.pi * 25 * 0.8e8, 2 * np.pi * 25 * 1.1e8)
    mass = np.trapezoid(2 * np.pi * stars.radius * (stars.disc + stars.bulge / 2) * 1e6, stars.radius)
    assert mass == pytest.approx(total, rel=0.1)
    assert stars.scale == pytest.approx(5.0, rel=0.1)
    assert stars.bulge.sum() < 0.2 * stars.disc.sum()


def test_images_without_calibration_are_refused():
    with pytest.raises(GalaxyError, match="maggies"):
        weigh_stars(np.ones((8, 8, 1)), "counts/s/pixel", ("r",), SkyGrid(16.0, 8), Tilt.flat(50.0, 0.0))
