"""Catalogue quantities against analytic spheres."""

from __future__ import annotations

import numpy as np
import pytest

from mocktng.catalogue import G_CODE, Baryons, Members, measure_subhalo
from mocktng.measures import half_mass_radius, overdensity_sphere, photometric_radius
from mocktng.units import HUBBLE

N = 200_000


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def _directions(rng, n):
    vectors = rng.normal(size=(n, 3))
    return vectors / np.linalg.norm(vectors, axis=1)[:, None]


def _hernquist(rng, a):
    """Radii of a Hernquist sphere: M(<r) = M r^2 / (r + a)^2."""
    root = np.sqrt(rng.uniform(0, 0.998, N))
    return a * root / (1 - root)


def _members(position, velocity, mass, potential, kind=1):
    n = len(mass)
    zeros = np.zeros(n, np.float32)
    return Members(
        position=position,
        velocity=velocity,
        mass=mass,
        kind=np.full(n, kind, np.int8),
        wind=np.zeros(n, bool),
        potential=potential,
        energy=zeros,
        ids=np.arange(1, n + 1, dtype=np.uint64),
        sfr=zeros,
        bh_mass=zeros,
        bh_mdot=zeros,
        baryon=np.arange(n, dtype=np.int32) if kind == 4 else np.full(n, -1, np.int32),
        baryons=Baryons(np.full((n, 10), 0.1, np.float32), np.full(n, 0.02, np.float32), np.full((n, 8), -5.0), 0),
    )


def test_half_the_mass_of_a_hernquist_sphere(rng):
    radius = np.sort(_hernquist(rng, 10.0))
    # Radii stop where 99.8 % of the mass is: half of that lies within a s / (1 - s), s = sqrt(0.499).
    s = np.sqrt(0.499)
    assert half_mass_radius(radius, np.ones(N)) == pytest.approx(10.0 * s / (1 - s), rel=0.01)
    assert half_mass_radius(np.array([3.0]), np.ones(1)) == 0.0


def test_overdensity_of_an_isothermal_sphere():
    """M(<r) = v^2 r / G has its mean density fall to 200 times the critical one at r = v / (10 H)."""
    speed = 180.0
    radius = np.linspace(0.01, 400.0, 100_000)
    mass = np.full(len(radius), speed**2 * 0.004 / G_CODE)
    found_mass, found_radius = overdensity_sphere(radius, np.cumsum(mass), 200.0)
    assert found_radius == pytest.approx(speed / (10 * 0.1), rel=1e-3)
    assert found_mass == pytest.approx(speed**2 * found_radius / G_CODE, rel=1e-3)
    assert overdensity_sphere(radius, 1e-12 * np.cumsum(mass), 200.0) == (0.0, 0.0)


def test_photometric_radius_of_a_plummer_sphere(rng):
    """Surface brightness L / (pi a^2) (1 + R^2/a^2)^-2 falls to 20.7 mag/arcsec^2 where we can solve for it."""
    a, total = 4.0, -24.0
    radius = a / np.sqrt(rng.uniform(1e-4, 1, N) ** (-2 / 3) - 1 + 1e-12)
    position = radius[:, None] * _directions(rng, N)
    magnitude = np.full(N, total + 2.5 * np.log10(N))
    a_pc = a * 1000 / HUBBLE
    central = total + 2.5 * np.log10(np.pi * a_pc**2) + 5 * np.log10(206264.806 / 10)
    expected = a * np.sqrt(10 ** (0.2 * (20.7 - central)) - 1)
    found, inside = photometric_radius(position, np.full(N, 1.0 / N), magnitude, 0.5)
    assert found == pytest.approx(expected, rel=0.06)
    assert inside == pytest.approx(found**2 / (found**2 + a**2), rel=0.01)


def test_motions_and_the_circular_velocity_of_a_hernquist_sphere(rng):
    a, total, omega = 10.0, 50.0, 3.0
    radius = _hernquist(rng, a)
    position = radius[:, None] * _directions(rng, N)
    keep = radius < 100.0
    position, radius = position[keep], radius[keep]
    rotation = omega * np.column_stack([-position[:, 1], position[:, 0], np.zeros(len(position))])
    bulk = np.array([120.0, -30.0, 5.0])
    velocity = bulk + rotation
    members = _members(position, velocity, np.full(len(radius), total / N), -1.0 / (radius + a))
    row = measure_subhalo(members, np.array([0, len(radius), 0, 0, 0, 0]), np.zeros(3), 0.5)
    mean_r2 = (position[:, :2] ** 2).sum(axis=1).mean()
    np.testing.assert_allclose(row["SubhaloVel"], bulk, atol=omega)
    np.testing.assert_allclose(row["SubhaloSpin"], [0, 0, omega * mean_r2], atol=0.02 * omega * mean_r2)
    hubble = 0.1**2 * (position**2).sum(axis=1).mean()
    assert row["SubhaloVelDisp"] == pytest.approx(np.sqrt((omega**2 * mean_r2 + hubble) / 3), rel=0.01)
    assert row["SubhaloVmax"] == pytest.approx(np.sqrt(G_CODE * total / (4 * a)), rel=0.01)
    assert row["SubhaloVmaxRad"] == pytest.approx(a, rel=0.2)
    np.testing.assert_allclose(np.minimum(row["SubhaloPos"], 75000 - row["SubhaloPos"]), 0, atol=0.5)
    assert row["SubhaloMassType"][1] == pytest.approx(len(radius) * total / N)
    assert row["SubhaloStellarPhotometrics"][0] == 1e37


def test_stars_alone_have_light_and_metals(rng):
    n = 500
    position = rng.normal(size=(n, 3))
    members = _members(position, np.zeros((n, 3)), np.full(n, 0.1), -np.exp(-(position**2).sum(axis=1)), kind=4)
    row = measure_subhalo(members, np.array([0, 0, 0, 0, n, 0]), np.full(3, 100.0), 0.5)
    np.testing.assert_allclose(row["SubhaloStellarPhotometrics"], -5.0 - 2.5 * np.log10(n))
    assert row["SubhaloStarMetallicity"] == pytest.approx(0.02)
    np.testing.assert_allclose(row["SubhaloStarMetalFractionsMaxRad"], 0.1, rtol=1e-6)
    assert row["SubhaloGasMetallicity"] == 0.0
    assert row["SubhaloMassInHalfRad"] == pytest.approx(0.5 * row["SubhaloMass"], rel=0.01)
