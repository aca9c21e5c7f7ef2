"""Layers in numpy: gradients against finite differences, and known results."""

from __future__ import annotations

import numpy as np

from dmlib.primer import layers


def test_pooling():
    image = np.arange(25.0).reshape(5, 5)
    np.testing.assert_array_equal(layers.pool(image), [[6, 8], [16, 18]])
    np.testing.assert_array_equal(layers.pool(image, how=np.mean), [[3, 5], [13, 15]])


def test_backpropagation_is_the_slope():
    rng = np.random.default_rng(2)
    weights = layers.start_weights([2, 5, 4, 1], 1)
    x, y = rng.standard_normal((12, 2)), rng.standard_normal(12)
    slopes = layers.flatten(layers.backward(weights, x, y))
    np.testing.assert_allclose(slopes, layers.difference_quotients(weights, x, y, 1e-6), rtol=1e-5, atol=1e-7)


def test_a_few_hinges_follow_a_curve():
    x = np.linspace(-1, 1, 60)[:, None]
    y = np.tanh(3 * x[:, 0])
    start = layers.start_weights([1, 8, 1], 1)
    before = layers.flatten(start)
    kept, losses = layers.train(start, x, y, steps=2000, keep=(0, 2000))
    assert list(kept) == [0, 2000] and len(losses) == 2001
    assert np.sqrt(losses[-1]) < 0.03 < np.sqrt(losses[0])
    np.testing.assert_array_equal(layers.flatten(start), before)


def test_dropout_keeps_the_mean():
    rng = np.random.default_rng(4)
    draws = np.stack([layers.dropout(np.ones(50), 0.5, rng) for _ in range(2000)])
    assert set(np.unique(draws)) == {0.0, 2.0}
    np.testing.assert_allclose(draws.mean(axis=0), 1.0, atol=0.1)


def test_batch_normalisation():
    values = np.random.default_rng(5).normal(3.0, [1.0, 20.0], (8, 5, 5, 2))
    norm = layers.batch_norm(values)
    np.testing.assert_allclose(norm.mean(axis=(0, 1, 2)), 0.0, atol=1e-10)
    np.testing.assert_allclose(norm.std(axis=(0, 1, 2)), 1.0, atol=1e-2)
