"""The form of every network's profile: increasing and smooth for any numbers, constants from the training alone."""

from __future__ import annotations

import numpy as np
import pytest

from dmlib.evaluation.derived import rising, roughness
from dmlib.networks.augment import mean_over_orientations
from dmlib.settings import RADII_KPC
from network_toys import haloes


@pytest.fixture(scope="session")
def made(fit, profile):
    """The layer for haloes of few particles, and the scales of their ln M."""
    ln_m = haloes(300, particle=6e7)
    standard = fit.Standard.of(ln_m)
    return profile.Profile.of(ln_m, standard.mean, standard.std, RADII_KPC), standard


def numbers(profile, n: int, size: float, seed: int = 2) -> np.ndarray:
    """Normal deviates of a size, shape (n, numbers)."""
    return (size * np.random.default_rng(seed).standard_normal((n, profile.NUMBERS))).astype(np.float32)


def test_every_profile_increases(profile, made):
    """For usual and for absurd numbers, in the float32 in which networks compute."""
    layer, standard = made
    extremes = np.random.default_rng(3).choice([-10.0, 10.0], (2000, profile.NUMBERS)).astype(np.float32)
    for z in (numbers(profile, 2000, 1.0), numbers(profile, 2000, 10.0), extremes):
        ln_m = standard.unscale(np.asarray(layer(z)))
        assert np.isfinite(ln_m).all() and rising(ln_m).all()


def test_the_profile_is_linear_in_the_numbers_where_it_increases(profile, made):
    """Against double precision, so that the standardised output is that of the targets; the pivot is always linear."""
    layer, standard = made
    z = numbers(profile, 200, 1.0)
    basis, increments = np.array(layer.constants["basis"]), np.array(layer.constants["increments"])
    deviation = z.astype(float) @ basis
    relative = 1.0 + np.diff(deviation, axis=1) / increments
    found = np.asarray(layer(z)) * standard.std + (standard.mean - standard.mean[layer.pivot])
    np.testing.assert_allclose(found[:, layer.pivot], deviation[:, layer.pivot], atol=1e-4)
    clear = (relative > 0.7).all(axis=1)
    assert 10 < clear.sum() < 190
    expected = np.diff(deviation, axis=1) + increments
    np.testing.assert_allclose(np.diff(found, axis=1)[clear], expected[clear], rtol=1e-3, atol=1e-4)
    least = np.diff(found, axis=1) / increments
    assert least[relative < -0.5].max() < 0.011 and least.min() > 0.009
    assert RADII_KPC[layer.pivot] == pytest.approx(20.0, rel=0.13)


def test_coefficients_of_the_training_galaxies_are_uncorrelated_with_unit_variance(made):
    layer, standard = made
    z = best_numbers(layer, standard, np.where(np.isnan(ln_m := haloes(300, particle=6e7)), standard.mean, ln_m))
    np.testing.assert_allclose(np.cov(z[:, :3], rowvar=False), np.eye(3), atol=0.05)
    assert (z.std(axis=0) < 1.05).all()  # the least scale holds for the others


def best_numbers(layer, standard, ln_m: np.ndarray) -> np.ndarray:
    """Coefficients of given profiles, by least squares with equal weight for each radius, in standard deviations."""
    basis = np.array(layer.constants["basis"]) / standard.std
    middle = np.asarray(layer(np.zeros((1, len(basis)), dtype=np.float32)))
    return np.linalg.lstsq(basis.T, (standard.scale(ln_m) - middle).astype(float).T, rcond=None)[0].T.astype(np.float32)


def test_smooth_haloes_are_represented_and_noise_is_not(made):
    """Profiles without noise come out to a per cent; those of a layer made from few particles are as smooth."""
    layer, standard = made
    true = haloes(100, seed=5)
    found = standard.unscale(np.asarray(layer(best_numbers(layer, standard, true))))
    assert np.abs(found - true).max() < 0.01
    noisy = haloes(100, seed=5, particle=6e7)
    whole = np.isfinite(noisy).all(axis=1) & rising(noisy)
    assert np.median(roughness(np.exp(noisy[whole]))) > 1.5 * np.median(roughness(np.exp(found)))
    assert roughness(np.exp(found)).max() < 1.1 * roughness(np.exp(true)).max()
    mean = standard.unscale(np.asarray(layer(np.zeros((1, 9), dtype=np.float32))))
    assert roughness(np.exp(mean))[0] < roughness(np.exp(true)).max()


def test_missing_and_equal_masses_leave_finite_constants(fit, profile):
    ln_m = haloes(40, particle=6e8)  # no particle in many inner radii, none in many shells
    assert np.isnan(ln_m).any() and (np.diff(ln_m, axis=1) == 0).any()
    same = np.log(RADII_KPC) + np.linspace(24.0, 25.0, 8)[:, None]
    for targets in (ln_m, same):
        standard = fit.Standard.of(targets)
        layer = profile.Profile.of(targets, standard.mean, standard.std, RADII_KPC)
        assert all(np.isfinite(values).all() for values in map(np.array, layer.constants.values()))
        made = np.asarray(layer(numbers(profile, 200, 3.0)))
        assert rising(standard.unscale(made)).all() and np.ptp(made, axis=0).min() > 0.0
        assert (np.abs(layer.constants["basis"] / standard.std).max(axis=1) > 0.02).all()


def test_means_over_members_and_orientations_increase(fit, profile, made, tiny, painted):
    layer, standard = made
    inputs = painted[0][:4]
    members = []
    for seed in range(3):
        fit.make_deterministic(seed)
        model = profile.with_profile(tiny.build(tuple("ugrizabc"), 32, profile.NUMBERS), layer)
        model.set_weights([3.0 * weight for weight in model.get_weights()])
        members.append(standard.unscale(mean_over_orientations(lambda x, model=model: fit.predict(model, x), inputs)))
    assert rising(np.array(members)).all() and rising(np.mean(members, axis=0)).all()
    assert np.ptp(members, axis=0).max() > 1e-3


def test_a_missing_target_has_no_gradient_through_the_layer(keras, fit, profile, made):
    """A step from zero weights is the same whatever the masked mass is, and is finite."""
    layer, _ = made
    x, truth = numbers(profile, 6, 1.0), np.random.default_rng(7).standard_normal((6, 20)).astype(np.float32)
    truth[:, 0] = np.nan
    steps = []
    for inner in (np.nan, None):
        dense = keras.layers.Dense(profile.NUMBERS, kernel_initializer="zeros")
        own = profile.Profile.from_config(layer.get_config())
        model = keras.Sequential([keras.Input((profile.NUMBERS,)), dense, own])
        given = truth.copy()
        if inner is None:  # no error at this radius is as good as no target, but for the number of targets
            given[:, 0] = np.asarray(own(np.zeros_like(x)))[:, 0]
        model.compile("sgd", loss=fit.masked_mse)
        model.fit(x, given, epochs=1, batch_size=6, verbose=0)
        steps.append(np.concatenate([weight.ravel() for weight in model.get_weights()]))
    assert np.isfinite(steps).all() and np.abs(steps[0]).max() > 0
    np.testing.assert_allclose(steps[0] * 19, steps[1] * 20, rtol=1e-3, atol=1e-5)


def test_a_saved_network_has_the_same_profiles(keras, profile, made, tmp_path):
    layer, _ = made
    model = keras.Sequential([keras.Input((profile.NUMBERS,)), layer])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    z = numbers(profile, 20, 2.0)
    np.testing.assert_array_equal(np.asarray(again(z)), np.asarray(model(z)))
    assert not again.weights


def test_the_constants_come_from_the_training_galaxies(fit, profile, tiny, painted):
    """`fit.network` sees no other views; and every network ends in the layer, whatever its architecture."""
    inputs, ln_m, galaxy = painted
    rows = galaxy < 20
    standard = fit.Standard.of(ln_m[rows])
    views = fit.Views(inputs[rows], standard.scale(ln_m[rows]), galaxy[rows], standard)
    model = fit.network(tiny, tuple("ugrizabc"), views)
    last = model.layers[-1]
    assert isinstance(last, profile.Profile) and model.output_shape == (None, 20)
    expected = profile.Profile.of(ln_m[rows], standard.mean, standard.std, RADII_KPC)
    np.testing.assert_allclose(last.constants["increments"], expected.constants["increments"], atol=1e-4)
    others = profile.Profile.of(ln_m[~rows] * 1.01, standard.mean, standard.std, RADII_KPC)
    assert np.abs(np.subtract(last.constants["increments"], others.constants["increments"])).max() > 1e-3
