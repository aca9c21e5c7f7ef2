"""Mass, gravity and random motion of model galaxies against closed formulae."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import cumulative_simpson, quad
from scipy.special import i0, i1, k0, k1

from mocktng import discs, gas, haloes, interstellar
from mocktng.discs import drift_speed
from mocktng.spheroids import Anisotropy, directions, radial_dispersion, spheroid_velocities, spin_up
from mocktng.structure import (
    RADIUS,
    SPHEROID_END,
    SPHEROID_HALF,
    SPHEROID_SHARE,
    MassModel,
    beta_mass,
    contract,
    core,
    disc_speed_squared,
    interpolate,
    nfw_mass,
    radii_of_mass,
    ring_masses,
    share_within,
    spheroid_share,
    taper,
    truncate,
    up_to,
)
from mocktng.units import G


def hernquist_share(r, scale):
    """Hernquist (1990): a sphere of which potential and dispersion are known."""
    return (r / (r + scale)) ** 2


def hernquist_model(mass=1e12, scale=10.0) -> MassModel:
    return MassModel({"dm": mass * hernquist_share(RADIUS, scale)}, np.zeros_like(RADIUS))


def within(low, high):
    return (low < RADIUS) & (high > RADIUS)


def test_nfw_mass_is_m200_at_r200():
    assert nfw_mass(200.0, 1e12, 200.0, 8.0) == pytest.approx(1e12)
    inner = nfw_mass(np.array([1e-3, 2e-3]), 1e12, 200.0, 8.0)
    assert inner[1] / inner[0] == pytest.approx(4.0, rel=1e-3)  # density as 1/r in the middle


def test_beta_mass_ends_at_its_total_and_has_a_core():
    mass = beta_mass(1e11, 10.0, 300.0)
    assert mass[-1] == pytest.approx(1e11)
    slope = np.gradient(np.log(mass), np.log(RADIUS))
    assert slope[within(0.1, 1)] == pytest.approx(3.0, abs=0.02)
    assert np.interp(400.0, RADIUS, mass) == pytest.approx(1e11)


def test_contraction_follows_cautun_2020():
    m_dm = nfw_mass(RADIUS, 0.843e12, 200.0, 8.0)
    at_cosmic_share = contract(m_dm, m_dm * 0.157 / 0.843)
    assert at_cosmic_share / m_dm == pytest.approx(0.45 + 0.38 * 2.16**0.53)
    baryons = 5e10 * hernquist_share(RADIUS, 2.0)
    full, half, none = (contract(m_dm, baryons, strength) for strength in (1.0, 0.5, 0.0))
    assert none == pytest.approx(m_dm)
    inside = within(1, 5)
    assert (full[inside] > half[inside]).all() and (half[inside] > m_dm[inside]).all()
    assert (np.diff(full) >= 0).all()


def test_core_flattens_the_middle_only():
    m_dm = nfw_mass(RADIUS, 1e12, 200.0, 8.0)
    cored = core(RADIUS, m_dm, 3.0)
    slope = np.gradient(np.log(cored), np.log(RADIUS))
    assert slope[within(0.05, 0.2)] == pytest.approx(3.0, abs=0.1)
    assert cored[RADIUS > 20] == pytest.approx(m_dm[RADIUS > 20], rel=1e-3)
    assert core(RADIUS, m_dm, 0.0) is m_dm


def test_truncation_keeps_the_inside_and_the_total():
    m_dm = nfw_mass(RADIUS, 1e12, 200.0, 8.0)
    cut = truncate(m_dm, 0.9e12)
    assert cut[-1] == pytest.approx(0.9e12)
    assert cut[RADIUS < 100] == pytest.approx(m_dm[RADIUS < 100], rel=1e-3)
    assert taper(np.array([0.5, 1.0, 1.5])) == pytest.approx([1.0, 0.5, 0.0])


@pytest.mark.parametrize("thickness, tolerance", [(0.01, 0.01), (0.3, 0.16)])
def test_disc_speed_is_freemans_for_a_thin_disc_and_less_for_a_thick_one(thickness, tolerance):
    mass, scale = 5e10, 3.0
    surface = np.exp(-RADIUS / scale) * mass / (2 * np.pi * scale**2)
    v2 = disc_speed_squared((ring_masses(surface), thickness))
    r = RADIUS[within(0.5, 60)]
    y = r / (2 * scale)
    freeman = 2 * G * mass / scale * y**2 * (i0(y) * k0(y) - i1(y) * k1(y))
    ratio = np.sqrt(v2[within(0.5, 60)] / freeman)
    assert ratio == pytest.approx(1.0, abs=tolerance)
    if thickness > 0.1:
        assert (ratio < 1.005).all()
        assert ratio[0] < ratio[-1]


def test_the_speeds_of_discs_add_in_square_and_a_ring_pulls_as_a_point_from_afar():
    ring, thin = np.where(RADIUS == RADIUS[120], 1e10, 0.0), np.full_like(RADIUS, 0.05)
    inner, outer = (ring, 0.3), (np.roll(ring, 60), thin)
    both = disc_speed_squared(inner, outer)
    assert both == pytest.approx(disc_speed_squared(inner) + disc_speed_squared(outer), abs=1e-9)
    far = RADIUS > 50 * RADIUS[180]
    assert both[far] == pytest.approx(2e10 * G / RADIUS[far], rel=2e-3)
    assert (disc_speed_squared(outer)[RADIUS < 0.9 * RADIUS[180]] < 0).all()  # within a ring the pull is outward
    assert disc_speed_squared((np.zeros_like(RADIUS), 0.3)) == pytest.approx(0.0)


def test_integral_from_the_start_of_the_grid_is_simpsons():
    density = np.exp(-RADIUS / 10) * RADIUS**2
    assert up_to(density) == pytest.approx(cumulative_simpson(density, x=np.log(RADIUS), initial=0.0), rel=1e-9)


def test_spheroid_of_stars_has_a_core_and_its_half_mass_radius():
    mass = spheroid_share(RADIUS, 1.0)
    slope = np.gradient(np.log(mass), np.log(RADIUS))
    assert slope[within(0.03, 0.04)] == pytest.approx(3.0, abs=0.12)  # constant density
    assert spheroid_share(SPHEROID_END, 1.0) == pytest.approx(SPHEROID_SHARE, abs=1e-3)
    assert spheroid_share(SPHEROID_HALF, 1.0) == pytest.approx(0.5 * SPHEROID_SHARE, rel=2e-3)


def test_potential_is_hernquists():
    model = hernquist_model()
    expected = -G * 1e12 / (RADIUS + 10.0)
    inside = within(0.1, 500)
    # The table ends at 4 Mpc, where 0.5 per cent of the mass is still outside.
    assert model.potential[inside] == pytest.approx(expected[inside], rel=2e-3)
    assert interpolate(0.0, model.potential) == model.potential.min()


def test_jeans_dispersion_is_hernquists():
    """Isotropic Hernquist sphere, Hernquist (1990), eq. 10."""
    scale, mass = 10.0, 1e12
    model = hernquist_model(mass, scale)
    dispersion = radial_dispersion(model.enclosed["dm"], model, Anisotropy())
    r = RADIUS[within(0.5, 200)]
    x = r / scale
    log_term = 12 * x * (1 + x) ** 3 * np.log((1 + x) / x)
    rest = x / (1 + x) * (25 + 52 * x + 42 * x**2 + 12 * x**3)
    expected = np.sqrt(G * mass / (12 * scale) * (log_term - rest))
    assert dispersion[within(0.5, 200)] == pytest.approx(expected, rel=0.01)


def test_radial_anisotropy_solves_the_jeans_equation():
    model = hernquist_model()
    anisotropy = Anisotropy(0.4, 10.0)
    dispersion2 = radial_dispersion(model.enclosed["dm"], model, anisotropy) ** 2
    density = 10.0 / (RADIUS * (RADIUS + 10.0) ** 3)
    left = np.gradient(density * dispersion2, RADIUS) + 2 * anisotropy.beta(RADIUS) * density * dispersion2 / RADIUS
    right = -density * G * model.mass / RADIUS**2
    inside = within(1, 100)
    assert left[inside] == pytest.approx(right[inside], rel=0.02)


def test_sampled_sphere_is_in_equilibrium():
    model, n = hernquist_model(), 40000
    rng = np.random.default_rng(3)
    r = radii_of_mass(model.enclosed["dm"], (np.arange(n) + 0.5) / n)
    x = directions(rng, n, (1.0, 1.0), np.eye(3)) * r[:, None]
    anisotropy = Anisotropy(0.4, 10.0)
    dispersion = radial_dispersion(model.enclosed["dm"], model, anisotropy)
    v = spheroid_velocities(rng, x, r, dispersion, model, anisotropy)
    twice_kinetic = np.mean(np.sum(v.astype(float) ** 2, axis=1))
    virial = np.mean(G * interpolate(r, model.mass) / r)
    assert twice_kinetic / virial == pytest.approx(1.0, abs=0.03)
    energy = 0.5 * np.sum(v.astype(float) ** 2, axis=1) + interpolate(r, model.potential)
    assert (energy < 0).all()
    shell = (r > 8) & (r < 12)
    v_r = np.einsum("ij,ij->i", v, x)[shell] / r[shell]
    v_t2 = np.sum(v[shell] ** 2, axis=1) - v_r**2
    assert v_r.std() == pytest.approx(np.interp(10.0, RADIUS, dispersion), rel=0.04)
    assert 1 - 0.5 * v_t2.mean() / v_r.var() == pytest.approx(anisotropy.beta(10.0), abs=0.06)


def test_sampled_mass_follows_the_table():
    m_dm, n = nfw_mass(RADIUS, 1e12, 200.0, 8.0), 20000
    r = radii_of_mass(m_dm, np.random.default_rng(1).random(n))
    for radius in (1.0, 5.0, 20.0, 100.0):
        expected = n * np.interp(radius, RADIUS, m_dm) / m_dm[-1]
        assert abs(np.sum(r < radius) - expected) < 4 * np.sqrt(expected) + 1


def test_the_share_within_a_radius_says_on_which_side_a_particle_is_drawn():
    m_dm, radii = nfw_mass(RADIUS, 1e12, 200.0, 8.0), np.array([0.01, 1.0, 5.0, 20.0, 100.0])
    fraction = np.random.default_rng(1).random(20000)
    r = radii_of_mass(m_dm, fraction)
    for radius, share in zip(radii, share_within(m_dm, radii), strict=True):
        np.testing.assert_array_equal(fraction <= share, r <= radius)


def test_directions_have_the_ellipsoids_shape():
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    unit = directions(np.random.default_rng(1), 200000, (0.9, 0.7), axes)
    assert np.linalg.norm(unit, axis=1) == pytest.approx(1.0, abs=1e-5)
    # Between ellipsoids of density q^-3 the mass per solid angle along an axis goes as its length cubed.
    along = [np.mean(np.abs(unit @ axis) > 0.98) for axis in axes]
    assert along[0] > along[1] > along[2]
    assert along[2] / along[0] == pytest.approx(0.7**3, rel=0.12)


def test_spin_up_turns_orbits_without_changing_their_energy():
    rng = np.random.default_rng(2)
    x, v = rng.normal(size=(5000, 3)), rng.normal(size=(5000, 3))
    speed, radial = np.linalg.norm(v, axis=1), np.einsum("ij,ij->i", x, v)
    spin_up(rng, x, v, np.array([0.0, 0.0, 1.0]), 1.0)
    assert (np.cross(x, v)[:, 2] > -1e-12).all()
    assert np.linalg.norm(v, axis=1) == pytest.approx(speed)
    assert np.einsum("ij,ij->i", x, v) == pytest.approx(radial, abs=1e-9)


def test_drift_is_the_known_one_of_an_exponential_disc():
    v_circ = np.full_like(RADIUS, 200.0)
    dispersion2 = np.full_like(RADIUS, 100.0)
    speed = drift_speed(v_circ, np.exp(-RADIUS / 5.0), dispersion2)
    r = RADIUS[within(1, 30)]
    assert speed[within(1, 30)] ** 2 == pytest.approx(200.0**2 - 100.0 * r / 5.0, rel=1e-3)


def test_crowding_makes_the_density_it_says():
    angle = np.linspace(0, 2 * np.pi, 100001)[:-1]
    new, contrast = discs.crowd(angle, 0.5, 2, 0.3)
    count, edges = np.histogram(new % (2 * np.pi), bins=40, range=(0, 2 * np.pi))
    middle = 0.5 * (edges[1:] + edges[:-1])
    order = np.argsort(new % (2 * np.pi))
    expected = np.interp(middle, (new % (2 * np.pi))[order], contrast[order])
    assert count / count.mean() == pytest.approx(expected, rel=0.02)
    assert middle[np.argmax(count)] % np.pi == pytest.approx(0.3, abs=0.1)


def test_orbits_lie_across_the_long_axis_of_the_halo():
    """The disc's plane holds the halo's long (first) and short axis; the orbits are fast along the long one."""
    row = {"spin_axis": [0.0, 1.0, 0.0], "halo_axes": np.eye(3), "axis_ratios": [0.9, 0.7]}
    model = hernquist_model()
    axes = discs.plane_axes(row["spin_axis"])
    angle = np.array([np.arctan2(axes[1, 0], axes[0, 0]), np.arctan2(axes[1, 2], axes[0, 2])])
    radial, azimuthal = discs.halo_streaming(row, model, np.full(2, 10.0), angle)
    v_circ = np.interp(10.0, RADIUS, model.v_circ)
    assert azimuthal / v_circ == pytest.approx([0.1, -0.1], rel=1e-3)
    assert radial == pytest.approx(0.0, abs=1e-9)


def test_imbalance_has_its_amplitude():
    rng = np.random.default_rng(0)
    draws = [discs.imbalance(rng, np.array([3.0, 20.0]), 15.0, 0.03) for _ in range(4000)]
    assert np.std(draws, axis=0) == pytest.approx(0.03, rel=0.05)
    assert np.mean(draws, axis=0) == pytest.approx(0.0, abs=0.002)


def test_plane_axes_are_right_handed():
    axis = np.array([0.6, -0.64, 0.48])
    axes = discs.plane_axes(axis)
    assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.cross(axes[0], axes[1]) == pytest.approx(axis)


def test_hi_profile_has_its_mass_and_radius():
    for mass, radius in ((1e10, 30.0), (6e9, 30.0), (3e8, 5.0)):
        surface = gas.hi_profile(mass, radius)
        assert ring_masses(surface).sum() == pytest.approx(mass, rel=5e-3)
        assert np.interp(radius, RADIUS, surface) == pytest.approx(1e6, rel=5e-3)


def test_hydrostatic_height_has_its_two_limits():
    other, none = np.full_like(RADIUS, 1e8), np.zeros_like(RADIUS)
    alone = gas.hydrostatic_height(np.full_like(RADIUS, 100.0), np.full_like(RADIUS, 1e7), none)
    assert np.sqrt(alone**2 - gas.MIN_HEIGHT**2) == pytest.approx(100.0 / (np.pi * G * 1e7))
    light = gas.hydrostatic_height(np.full_like(RADIUS, 100.0), none + 1.0, other)
    assert np.sqrt(light**2 - gas.MIN_HEIGHT**2) == pytest.approx(np.sqrt(100.0 / (2 * np.pi * G * 1e8)), rel=1e-3)


def test_equation_of_state_joins_warm_gas_and_stiffens():
    threshold = interstellar.star_forming_energy(interstellar.N_THRESHOLD)
    # Mean weight of full ionisation, as in AREPO: 4 / (8 - 5 (1 - X)).
    warm = interstellar.specific_energy(interstellar.T_WARM, 4 / (8 - 5 * (1 - 0.76)))
    assert threshold == pytest.approx(warm, rel=1e-3)
    n = np.geomspace(0.13, 100, 50)
    energy = interstellar.star_forming_energy(n)
    assert (np.diff(energy) > 0).all()
    neutral = interstellar.star_forming_neutral_fraction(n, energy)
    assert ((neutral > 0.9) & (neutral < 1)).all()


def test_neutral_fraction_knows_its_limits():
    assert interstellar.neutral_fraction(1e-5) < 1e-3
    assert interstellar.neutral_fraction(1.0) > 0.99
    assert interstellar.neutral_fraction(1e-3, 1e6) < 1e-4
    # Thin gas in balance: x = n alpha / Gamma with alpha = 4.2e-13 cm^3/s (case A, 10^4 K).
    assert interstellar.neutral_fraction(1e-6) == pytest.approx(1e-6 * 4.2e-13 / interstellar.UV_BACKGROUND, rel=0.05)


def test_collisional_equilibrium_has_known_values():
    neutral, electrons, cooling = interstellar.collisional_state(np.array([1e4, 1.6e4, 1e8]))
    assert neutral[0] > 0.99
    assert 0.3 < neutral[1] < 0.9
    assert electrons[2] == pytest.approx(1 + 2 * 0.24 / (4 * 0.76), rel=1e-3)
    # Bremsstrahlung of ionised H and He at 10^8 K.
    assert np.log10(cooling[2]) == pytest.approx(-22.55, abs=0.1)


def test_pressure_law_is_leroys():
    """P/k = n_total T: 1.7e4 K/cm^3 of neutral gas gives as much H2 as HI."""
    weight = 4 / (1 + 3 * 0.76)
    energy = interstellar.specific_energy(1e4, weight)
    n_h = 1.7 * 0.76 * weight
    assert interstellar.molecular_ratio(n_h, energy, 1.0) == pytest.approx(1.0, rel=1e-3)


def test_what_a_hole_leaves_of_a_disc():
    """By its formula, against the integral of a surface density that falls as R^-1/2 with and without the hole."""
    for x in (0.3, 0.8, 1.0, 1.7, 4.0):
        left, whole = quad(lambda r: -np.sqrt(r) * np.expm1(-(r**4)), 0.0, x)[0], quad(np.sqrt, 0.0, x)[0]
        assert haloes.left_by_hole(np.array(x)) == pytest.approx(left / whole, rel=1e-6)
    shares = haloes.left_by_hole(np.geomspace(0.05, 50.0, 40))
    assert (np.diff(shares) > 0).all() and shares[0] < 1e-4 and shares[-1] > 0.99


def test_hot_gas_lies_within_the_edge_of_the_halo():
    cores = np.array([0.02, 0.1, 0.3])
    assert haloes.hot_share(np.array(haloes.EDGE), cores) == pytest.approx(1.0)
    assert haloes.hot_share(np.array(0.1), cores).tolist() == sorted(haloes.hot_share(np.array(0.1), cores))[::-1]
