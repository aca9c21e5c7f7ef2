"""Tilted rings on cubes of discs whose rotation is known."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from analytic_disc import ANGLE, END, SPIN, disc, rotation_speed
from analytic_disc import observed_disc as cube
from dmlib.errors import GalaxyError
from dmlib.observe.cube import Beam, HISettings, Smear
from dmlib.observe.hydrogen import HIGas
from dmlib.observe.sky import rotation_to
from dmlib.rotation.curve import Reason, circular_speed
from dmlib.rotation.rings import _Search, fit_rings
from dmlib.rotation.velocity_field import Tilt, hats, velocity_field


def worst(curve, speed=rotation_speed):
    """Largest error of the good rings beyond two beams and half a beam within the gas's sharp end, and their number."""
    outer = curve.good & (curve.radius > 2.0 * curve.beam) & (curve.radius < END - 0.5 * curve.beam)
    return np.abs(curve.v_rot[outer] / speed(curve.radius[outer]) - 1.0).max(), outer.sum()


def apart(one, other):
    """Difference of two directions [deg]."""
    return np.abs((np.asarray(one) - other + 180.0) % 360.0 - 180.0)


@pytest.mark.parametrize("inclination", [35.0, 55.0, 75.0])
def test_known_rotation_is_found_at_every_inclination(inclination):
    curve = fit_rings(velocity_field(cube(inclination)))
    error, rings = worst(curve)
    assert error < 0.05 and rings >= 6
    assert abs(curve.mean_inclination - inclination) < 3.0
    assert apart(curve.position_angle, ANGLE).max() < 4.0
    assert curve.accepted, curve.reasons


@pytest.mark.parametrize("inclination", [35.0, 75.0])
def test_with_the_inclination_given_the_speeds_hold_to_five_per_cent(inclination):
    curve = fit_rings(velocity_field(cube(inclination)), inclination=inclination)
    error, _ = worst(curve)
    assert error < 0.05 and curve.inclination_err == 0.0


@pytest.mark.parametrize("changes", [{"noise": 0.0}, {"noise": 1e-3}, {"beam": 8.0}, {"beam": 22.0}])
def test_noise_levels_and_beams(changes):
    curve = fit_rings(velocity_field(cube(60.0, HISettings(**changes))))
    error, rings = worst(curve)
    assert error < 0.05 and rings >= 3


def warped(turn=25.0, begin=10.0):
    """A disc whose rings turn about the line of nodes of the view (inclination 60, see `cube`) outside `begin`."""
    flat = disc(n=30000)
    radius = np.linalg.norm(flat.positions, axis=1)
    # Turning a ring about the line of sight changes its position angle and nothing else.
    rotation = rotation_to(SPIN, 60.0, ANGLE)
    angle = np.radians(turn * np.clip((radius - begin) / 20.0, 0.0, 1.0))
    seen_x, seen_v = flat.positions @ rotation.T, flat.velocities @ rotation.T
    c, s = np.cos(angle), np.sin(angle)

    def turned(vectors):
        return np.stack(
            [c * vectors[:, 0] - s * vectors[:, 1], s * vectors[:, 0] + c * vectors[:, 1], vectors[:, 2]], 1
        )

    return HIGas(1, turned(seen_x) @ rotation, turned(seen_v) @ rotation, flat.m_hi, flat.fwhm, flat.temperature)


def test_a_warp_is_followed():
    field = velocity_field(cube(60.0, gas=warped()))
    curve = fit_rings(field)
    error, _ = worst(curve)
    truth = ANGLE + 25.0 * np.clip((curve.radius - 10.0) / 20.0, 0.0, 1.0)
    beyond = curve.good & (curve.radius > 5.0)
    assert error < 0.05
    assert apart(curve.position_angle, truth)[beyond].max() < 6.0


def test_the_beam_lowers_the_inner_speeds_and_the_model_undoes_it():
    field = velocity_field(cube(65.0))
    plain = fit_rings(field, deblur=False, geometry="fixed", inclination=65.0, position_angle=ANGLE)
    better = fit_rings(field, geometry="fixed", inclination=65.0, position_angle=ANGLE)
    inner = (better.radius > 2.0) & (better.radius < 10.0)
    truth = rotation_speed(better.radius[inner])
    assert np.all(plain.v_rot[: len(better)][inner] < better.v_rot[inner])
    assert (
        np.abs(better.v_rot[inner] / truth - 1).mean()
        < 0.5 * np.abs(plain.v_rot[: len(better)][inner] / truth - 1).mean()
    )


@pytest.mark.parametrize("turn", [0.3, 4.0])
def test_a_ring_within_the_beam_comes_out_too_fast_and_is_flagged(turn):
    """Both for a curve that is flat from the centre on and for one that bends within the beam; further out none is."""
    speed = partial(rotation_speed, r_turn=turn)
    seen = cube(57.0, HISettings(beam=30.0, noise=0.0), gas=disc(curve=speed, fwhm=0.5, thickness=0.02))
    curve = fit_rings(velocity_field(seen), geometry="fixed", inclination=57.0, position_angle=ANGLE)
    off = curve.v_rot / speed(curve.radius) - 1
    assert curve.flags[0] == "within the beam" and "within the beam" not in curve.flags[1:]
    assert off[0] > 0.04 and np.abs(off[1:6]).max() < 0.04


def test_centre_and_systemic_velocity_are_fitted(monkeypatch):
    monkeypatch.setattr("dmlib.rotation.rings.CENTRE_ERROR", 1.0)
    gas = disc(n=30000)
    moved = HIGas(1, gas.positions + 1.0, gas.velocities + 15.0, gas.m_hi, gas.fwhm, gas.temperature)
    observed = cube(55.0, gas=moved)
    view = rotation_to(SPIN, 55.0, ANGLE)
    x, y, _ = view @ np.ones(3)
    curve = fit_rings(velocity_field(observed))
    assert np.hypot(curve.centre[0] - x, curve.centre[1] - y) < 0.5
    assert abs(curve.v_sys - -(view @ np.ones(3))[2] * 15.0) < 2.0


def test_errors_are_of_the_right_size():
    pulls = []
    for seed in range(4):
        noisy = cube(60.0, HISettings(noise=1e-3), seed=seed)
        curve = fit_rings(velocity_field(noisy), geometry="fixed", inclination=60.0, position_angle=ANGLE)
        outer = curve.good & (curve.radius > 2 * curve.beam)
        pulls += list((curve.v_rot - rotation_speed(curve.radius))[outer] / curve.v_err[outer])
    assert 0.2 < np.std(pulls) < 1.5 and abs(np.mean(pulls)) < 1.0


@pytest.mark.parametrize(
    ("inclination", "changes", "reason"),
    [(12.0, {}, Reason.FACE_ON), (88.0, {}, Reason.EDGE_ON), (60.0, {"beam": 60.0}, Reason.FEW_BEAMS)],
)
def test_galaxies_that_rings_do_not_suit_are_flagged(inclination, changes, reason):
    curve = fit_rings(velocity_field(cube(inclination, HISettings(**changes))))
    assert not curve.accepted and reason in [one.reason for one in curve.reasons]


def test_a_lopsided_galaxy_is_flagged():
    gas = disc(n=30000)
    view = rotation_to(SPIN, 60.0, ANGLE)
    # One side slower at all radii could not be told from another systemic velocity: it is slower outside only.
    receding = (-(gas.velocities @ view.T)[:, 2] > 0) & (np.linalg.norm(gas.positions, axis=1) > 12.0)
    slow = np.where(receding, 0.5, 1.0)[:, None]
    curve = fit_rings(velocity_field(cube(60.0, gas=HIGas(1, gas.positions, gas.velocities * slow, *_rest(gas)))))
    assert {one.reason for one in curve.reasons} & {Reason.LOPSIDED, Reason.DISTURBED}


def _rest(gas):
    return gas.m_hi, gas.fwhm, gas.temperature


def test_a_companion_is_left_out():
    gas = disc(n=30000)
    away = rotation_to(SPIN, 60.0, ANGLE).T @ np.array([50.0, 20.0, 0.0])
    small = disc(n=4000, m_hi=1e9, scale=2.0, r_max=6.0)
    both = HIGas(
        1,
        np.concatenate([gas.positions, small.positions + away]),
        np.concatenate([gas.velocities, small.velocities]),
        *(np.concatenate(pair) for pair in zip(_rest(gas), _rest(small), strict=True)),
    )
    alone, with_it = (fit_rings(velocity_field(cube(60.0, gas=g))) for g in (gas, both))
    assert len(with_it) == len(alone)
    np.testing.assert_allclose(with_it.v_rot, alone.v_rot, rtol=0.05)


def test_a_galaxy_without_emission_is_refused():
    faint = disc(n=2000, m_hi=1e6)
    with pytest.raises(GalaxyError, match="subhalo 1") as refused:
        fit_rings(velocity_field(cube(60.0, gas=faint)))
    assert refused.value.reason is Reason.NO_HI


def test_fixed_geometry_must_be_given():
    with pytest.raises(ValueError, match="inclination"):
        fit_rings(velocity_field(cube(60.0)), geometry="fixed")


def test_dispersion_is_that_of_the_gas():
    rng = np.random.default_rng(3)
    gas = disc(n=60000)
    hot = HIGas(1, gas.positions, gas.velocities + rng.normal(0.0, 15.0, gas.velocities.shape), *_rest(gas))
    curve = fit_rings(velocity_field(cube(50.0, gas=hot, settings=HISettings(noise=1e-4))))
    outer = curve.good & (curve.radius > 2 * curve.beam)
    assert abs(np.median(curve.dispersion[outer]) / np.hypot(15.0, 7.0) - 1) < 0.15


def test_asymmetric_drift_of_an_exponential_disc():
    radius = np.linspace(2.0, 30.0, 15)
    v_rot, sigma = np.full(15, 80.0), np.full(15, 12.0)
    v_circ = circular_speed(radius, v_rot, sigma, np.exp(-radius / 5.0))
    np.testing.assert_allclose(v_circ, np.sqrt(80.0**2 + 12.0**2 * radius / 5.0), rtol=1e-6)
    np.testing.assert_array_equal(circular_speed(radius, v_rot, np.zeros(15), np.ones(15)), v_rot)


def test_pressure_that_rises_outwards_speeds_the_gas_up():
    """In a central hole the correction lowers the speed, by as much as the formula says."""
    radius = np.linspace(1.0, 15.0, 15)
    v_rot, sigma = np.full(15, 100.0), np.full(15, 15.0)
    v_circ = circular_speed(radius, v_rot, sigma, np.exp(-(((radius - 8.0) / 5.0) ** 2)))
    np.testing.assert_allclose(v_circ, np.sqrt(100.0**2 + 15.0**2 * radius * 2 * (radius - 8.0) / 25.0), rtol=1e-6)
    assert np.all(v_circ[radius < 8] < 100) and np.all(v_circ[radius > 8] > 100)


def test_smear_is_a_convolution_with_the_beam():
    spot = np.zeros((41, 41))
    spot[20, 20] = 1.0
    blurred = Smear(Beam(12.0, 6.0, 30.0), spot.shape, 1.0)(spot)
    assert abs(blurred.sum() - 1) < 1e-3
    y, x = np.mgrid[-20:21, -20:21]
    along = -np.sin(np.radians(30)) * x + np.cos(np.radians(30)) * y
    across = np.cos(np.radians(30)) * x + np.sin(np.radians(30)) * y
    for axis, width in ((along, 12.0), (across, 6.0)):
        assert abs(np.sum(blurred * axis**2) / (width**2 / (8 * np.log(2))) - 1) < 0.02


def test_matrices_of_a_round_beam_convolve_as_fourier_transforms_do():
    maps, smear = np.random.default_rng(1).random((3, 41, 30)), Smear(Beam(5.0, 5.0, over_pixels=True), (41, 30), 2.0)
    assert smear._factors is not None
    fast, smear._factors = smear(maps), None
    np.testing.assert_allclose(fast, smear(maps), atol=1e-14)


WARP = np.array([0.4, -0.3, 60.0, 63.0, 61.0, 58.0, 100.0, 104.0, 109.0, 107.0])


def tilt_of(p):
    """Of x, y, inclinations and position angles."""
    nodes = np.linspace(5.0, 20.0, 4) if len(p) == 10 else np.zeros(1)
    return Tilt(p[0], p[1], nodes, *np.split(p[2:], 2))


@pytest.mark.parametrize("p", [WARP, np.array([0.4, -0.3, 50.0, 200.0])], ids=["warp", "flat"])
def test_slopes_of_tilted_coordinates(p):
    x, y = np.meshgrid(np.arange(-25.0, 26.0), np.arange(-24.0, 25.0))
    slopes = vars(tilt_of(p).slopes(x, y))
    for k, step in enumerate(1e-6 * np.eye(len(p))):
        above, below = (vars(tilt_of(p + sign * step).deproject(x, y)) for sign in (1, -1))
        for name, slope in slopes.items():
            numerical = (above[name] - below[name]) / 2e-6
            assert np.quantile(np.abs(slope[k] - numerical), 0.99) < 1e-6 * max(1.0, np.abs(numerical).max()), (k, name)


@pytest.mark.parametrize("deblur", [True, False])
def test_slopes_of_the_residuals_of_both_maps(deblur):
    search = _Search(velocity_field(cube(60.0)), deblur, (0.0, 0.0))
    p = WARP.copy()
    p[6:] += ANGLE - p[6:].mean()
    search.rings = search._reach(tilt_of(p))
    both = search._speeds(tilt_of(p), search.weight), search._densities(tilt_of(p))
    slopes = search._slopes(tilt_of(p), np.ones(10, dtype=bool), *both)
    for slope, step in zip(slopes, np.diag([0.05] * 2 + [0.05] * 8), strict=True):
        numerical = (search._residuals(tilt_of(p + step)) - search._residuals(tilt_of(p - step))) / 0.1
        # The basis has kinks: pixels that cross one within a step differ.
        assert np.linalg.norm(slope - numerical) < 0.03 * np.linalg.norm(numerical)


def test_tilted_coordinates():
    x, y = np.array([0.0, -5.0]), np.array([10.0, 0.0])
    place = Tilt.flat(60.0, 0.0).deproject(x, y)  # North is the receding side, East (-x) the minor axis
    np.testing.assert_allclose(place.radius, [10.0, 10.0])
    np.testing.assert_allclose(place.cosine, [1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(hats(np.array([0.0, 2.5, 99.0]), 2.0, 3).T @ np.arange(4.0), [0.0, 1.25, 3.0])


def shifted(west):
    """A disc beside the middle of the field [kpc], where no gas is."""
    gas = disc(n=30000)
    away = rotation_to(SPIN, 60.0, ANGLE).T @ np.array([west, 0.0, 0.0])
    return HIGas(1, gas.positions + away, gas.velocities, *_rest(gas))


def test_rings_about_another_galaxy_are_rejected():
    field = velocity_field(cube(60.0, gas=shifted(18.0)))
    known = fit_rings(field, centre=(0.0, 0.0))
    free = fit_rings(field, centre=None)
    assert free.accepted and np.isnan(free.off_centre) and np.hypot(free.centre[0] - 18.0, free.centre[1]) < 0.5
    told = replace(free, optical_centre=(0.0, 0.0))
    (why,) = told.reasons
    assert why.reason is Reason.OFF_CENTRE and why.value == pytest.approx(18.0 / free.beam, abs=0.2)
    assert f"{why.value:.1f} beams from that of the light" in str(why)
    assert replace(told, optical_centre=(18.0, 0.0)).accepted
    assert known.optical_centre == (0.0, 0.0)
