"""Distributions of profiles: the likelihood is that of a normal distribution, the flow is invertible and learns."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, multivariate_t

from dmlib.evaluation.derived import rising
from dmlib.networks.plan import Schedule
from network_toys import CHANNELS, haloes

K = 9


@pytest.fixture(scope="session")
def posterior():
    return pytest.importorskip("dmlib.networks.posterior")


@pytest.fixture(scope="session")
def scaled(fit):
    """Standard and standardised ln M of haloes counted in particles."""
    ln_m = haloes(300, particle=6e7)
    standard = fit.Standard.of(ln_m)
    return standard, ln_m


def normals(n: int, seed: int = 1, size: float = 0.5) -> np.ndarray:
    """Numbers of n normal distributions."""
    return (size * np.random.default_rng(seed).standard_normal((n, 54))).astype(np.float32)


def covariances(posterior, numbers: np.ndarray) -> np.ndarray:
    _, ln_d, rest = (np.asarray(part, dtype=float) for part in posterior.factor(numbers))
    u = np.exp(ln_d)[:, :, None] * (rest + np.eye(K))
    return np.linalg.inv(np.swapaxes(u, 1, 2) @ u)


def test_coefficients_are_those_of_the_profile(posterior, scaled):
    """Of a profile that the layer made, its numbers; a missing radius changes little."""
    standard, ln_m = scaled
    layer = posterior.profile_layer(standard.scale(ln_m), standard)
    z = 0.4 * np.random.default_rng(2).standard_normal((50, K)).astype(np.float32)
    z[:, 3:] *= 0.2  # profiles that clearly increase, on which the layer is linear
    made = np.array(layer(z))
    found = posterior.coefficients(layer, made)
    np.testing.assert_allclose(found[:, :3], z[:, :3], atol=0.05)
    made[:, 0] = np.nan
    np.testing.assert_allclose(posterior.coefficients(layer, made)[:, :3], z[:, :3], atol=0.25)


def test_the_loss_is_the_error_of_the_mean_and_the_normal_likelihood(posterior, fit, scaled):
    standard, ln_m = scaled
    layer = posterior.profile_layer(standard.scale(ln_m), standard)
    rng, numbers = np.random.default_rng(3), normals(20)
    z = rng.standard_normal((20, K)).astype(np.float32)
    truth = rng.standard_normal((20, 20)).astype(np.float32)
    truth[:, 0] = np.nan
    mean = np.asarray(layer(numbers[:, :K]))
    loss = posterior.normal_loss(np.concatenate([truth, z], axis=1), np.concatenate([mean, numbers], axis=1))
    likelihood = [
        multivariate_normal.logpdf(one, middle, cov)
        for one, middle, cov in zip(z, numbers[:, :K], covariances(posterior, numbers), strict=True)
    ]
    cost = -np.array(likelihood) - 0.5 * K * np.log(2.0 * np.pi)
    expected = np.asarray(fit.masked_mse(truth, mean)) + posterior.WEIGHT * cost
    np.testing.assert_allclose(np.asarray(loss), expected, rtol=1e-3)


def test_the_likelihood_does_not_move_the_mean(keras, posterior, fit):
    """A step of the numbers: of the mean it is that of the mean square error alone."""
    numbers = normals(8)
    rng = np.random.default_rng(5)
    z, truth = (rng.standard_normal((8, n)).astype(np.float32) for n in (K, 20))
    moved = []
    for loss in (posterior.normal_loss, lambda t, y: fit.masked_mse(t[:, :20], y[:, :20])):
        start = keras.layers.Embedding(8, 54, embeddings_initializer=lambda shape, dtype: numbers)
        index = keras.Input((1,), dtype="int32")
        own = keras.layers.Reshape((54,))(start(index))
        model = keras.Model(index, keras.layers.Concatenate()([own[:, :K], own[:, :11], own]))
        model.compile(keras.optimizers.SGD(0.1), loss=loss)
        model.fit(np.arange(8)[:, None], np.concatenate([truth, z], axis=1), epochs=1, batch_size=8, verbose=0)
        moved.append(start.get_weights()[0] - numbers)
    # The toy's 20 "radii" are the mean itself and eleven of the numbers, so that only the mean's own part compares.
    np.testing.assert_allclose(moved[0][:, :K], moved[1][:, :K], atol=1e-6)
    assert np.abs(moved[0][:, 11:]).max() > 1e-4


def test_draws_have_the_mean_and_the_covariance(posterior):
    numbers = normals(3)
    e = np.random.default_rng(7).standard_normal((60_000, 3, K))
    z = posterior.colour(e, numbers)
    np.testing.assert_allclose(z.mean(axis=0), numbers[:, :K], atol=0.06)
    for k, cov in enumerate(covariances(posterior, numbers)):
        scale = np.sqrt(np.outer(np.diag(cov), np.diag(cov)))
        np.testing.assert_allclose(np.cov(z[:, k], rowvar=False) / scale, cov / scale, atol=0.04)
    back, _ = posterior.whiten(z[0].astype(np.float32), numbers)
    np.testing.assert_allclose(np.asarray(back), e[0], atol=2e-3)


def test_absurd_numbers_give_profiles_that_increase(posterior, scaled):
    standard, ln_m = scaled
    layer = posterior.profile_layer(standard.scale(ln_m), standard)
    numbers = normals(30, size=30.0)
    numbers[:, :K] *= 0.1
    z = posterior.colour(np.random.default_rng(8).standard_normal((20, 30, K)), numbers).astype(np.float32)
    made = standard.unscale(np.asarray(layer(np.clip(z, -50, 50).reshape(-1, K))))
    assert np.isfinite(z).all() and rising(np.exp(made - made.mean())).all()


def test_a_new_flow_is_its_base(posterior):
    e = np.random.default_rng(9).standard_normal((50, K))
    flow = posterior.Flow(1)
    expected = -multivariate_t.logpdf(e, np.zeros(K), np.eye(K), df=posterior.FREEDOM).mean()
    assert flow.cost(e, np.zeros((50, 2 * K))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_a_flow_learns_and_draws_from_what_it_learned(posterior):
    """Errors that are skewed, and whose width depends on the context; the density of draws is that of the data."""
    rng = np.random.default_rng(10)

    def some(n):
        context = rng.standard_normal((n, 2 * K))
        e = 0.5 * np.exp(0.4 * context[:, :1]) * rng.standard_normal((n, K))
        e[:, 1] += 0.8 * e[:, 0] ** 2
        return e, context

    (e, context), (held_e, held_context) = some(3000), some(1000)
    flow = posterior.Flow(2)
    before = flow.cost(held_e, held_context)
    after = flow.fit(e, context, held_e, held_context, epochs=60, patience=4)
    assert after == pytest.approx(flow.cost(held_e, held_context)) and after < before - 1.0
    drawn = flow.sample(held_context, 4, np.random.default_rng(11))
    costs = [flow.cost(one, held_context) for one in drawn]
    assert np.mean(costs) == pytest.approx(after, abs=1.0)  # its tails are longer
    wide = held_context[:, 0] > 0.5
    assert drawn[:, wide].std() / drawn[:, ~wide].std() == pytest.approx(
        held_e[wide].std() / held_e[~wide].std(), rel=0.25
    )
    assert np.corrcoef(drawn[0, :, 0] ** 2, drawn[0, :, 1])[0, 1] > 0.2  # without the flow: 0


def test_a_flow_that_cannot_improve_stays_as_it_was(posterior, monkeypatch):
    """Held-out errors of another distribution: the identity is kept. Two couplings: to trace four takes the time."""
    monkeypatch.setattr(posterior, "COUPLINGS", 2)
    rng = np.random.default_rng(12)
    flow = posterior.Flow(3)
    context = np.zeros((64, 2 * K))
    held = 3.0 * rng.standard_normal((64, K))
    before = flow.cost(held, context)
    after = flow.fit(0.05 * rng.standard_normal((64, K)), context, held, context, epochs=5)
    assert after == pytest.approx(before) == pytest.approx(flow.cost(held, context))


@pytest.mark.slow
def test_a_network_learns_its_own_errors(posterior, fit, tiny, painted):
    """Trained with `fit.fit`, the loss falls, and the network gives 20 radii and the numbers behind them."""
    inputs, ln_m, galaxy = painted
    standard = fit.Standard.of(ln_m)
    layer = posterior.profile_layer(standard.scale(ln_m[:150]), standard)  # of the training views, as in the network
    train, held = (
        fit.Views(inputs[rows], posterior.targets(layer, standard.scale(ln_m[rows])), galaxy[rows], standard)
        for rows in (slice(0, 150), slice(150, 180))
    )
    schedule = Schedule(epochs=8, members=1, patience=None, batch=16, bagging="none")
    model, history = fit.fit(tiny, CHANNELS, train, held, schedule, 1, head=posterior.NORMAL)
    assert history["loss"][-1] < history["loss"][0] - 0.1
    found = fit.predict(model, held.inputs)
    assert found.shape == (30, 74)
    np.testing.assert_allclose(found[:, :20], np.asarray(layer(found[:, 20:29])), atol=1e-4)
