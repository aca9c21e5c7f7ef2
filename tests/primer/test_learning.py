"""Learning from examples: each method against a best fit that is known."""

from __future__ import annotations

import numpy as np
import pytest

from dmlib.primer import learning


@pytest.fixture
def task():
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, 60)
    return x, 0.5 + 2.0 * x + 0.1 * rng.standard_normal(60)


def test_the_gradient_is_the_slope_of_the_loss(task):
    x, y = task
    features, weights = learning.polynomials(x, 3, (-1, 1)), np.array([0.3, -1.0, 0.7, 0.2])
    step = 1e-6 * np.eye(4)
    slope = (learning.loss(features, y, weights + step) - learning.loss(features, y, weights - step)) / 2e-6
    np.testing.assert_allclose(learning.gradient(features, y, weights), slope, rtol=1e-6)


def test_gradient_descent_ends_at_least_squares(task):
    x, y = task
    features = learning.with_constant(x)
    rate = 0.9 * learning.largest_rate(features)
    path = learning.descend(features, y, rate=rate, steps=500)
    np.testing.assert_allclose(path[-1], learning.fit(features, y), atol=1e-8)
    np.testing.assert_allclose(path[-1], np.polyfit(x, y, 1)[::-1], atol=1e-8)
    assert (np.diff(learning.loss(features, y, path)) <= 1e-12).all()


def test_beyond_the_largest_rate_it_runs_away(task):
    x, y = task
    features = learning.with_constant(x)
    path = learning.descend(features, y, rate=1.1 * learning.largest_rate(features), steps=200, start=[1.0, 1.0])
    losses = learning.loss(features, y, path)
    assert losses[-1] > 1e3 * losses[0]


def test_batches_wander_about_the_lowest_point_and_are_repeatable(task):
    x, y = task
    features = learning.with_constant(x)
    paths = [learning.descend(features, y, rate=0.1, steps=800, batch=8, seed=s) for s in (1, 1, 2)]
    np.testing.assert_array_equal(paths[0], paths[1])
    assert not np.array_equal(paths[0], paths[2])
    np.testing.assert_allclose(paths[0][400:].mean(axis=0), learning.fit(features, y), atol=0.02)


def test_the_penalty_shrinks_all_but_the_constant(task):
    x, y = task
    features = learning.polynomials(x, 5, (-1, 1))
    free, held = learning.fit(features, y), learning.fit(features, y, 1e6)
    assert np.abs(held[1:]).max() < 1e-4 * np.abs(free[1:]).max()
    assert held[0] == pytest.approx(y.mean(), abs=1e-4)
    np.testing.assert_allclose(learning.fit(features, y, 1e-13), free, rtol=1e-6, atol=1e-8)


def test_stopping_in_closed_form_is_gradient_descent(task):
    x, y = task
    steps = [1, 7, 200]
    splits = learning.draw(len(x), 15, 1, 3)
    ((train, rest),) = splits
    _, others = learning.stopping(x, y, splits, 4, steps)
    features = learning.polynomials(x, 4, (x.min(), x.max()))
    centre = y[train].mean()
    rate = 0.5 * learning.largest_rate(features[train])
    path = learning.descend(features[train], y[train] - centre, rate=rate, steps=200)
    expected = [learning.rms(features[rest] @ path[s] + centre - y[rest]) for s in steps]
    np.testing.assert_allclose(others[0], expected, rtol=1e-8)


def test_flexible_formulas_fit_better_and_know_less(task):
    x, y = task
    seen, unseen = learning.flexibility(x, y, learning.draw(len(x), 12, 30, 1), [0, 1, 9])
    seen, unseen = np.median(seen, axis=0), np.median(unseen, axis=0)
    assert seen[0] > seen[1] > seen[2]
    assert unseen[1] < unseen[0] and unseen[1] < 0.2 * unseen[2]


def test_errors_of_both_kinds_meet_with_more_examples(task):
    x, y = task
    halves = learning.draw(len(x), len(x) // 2, 40, 1)
    seen, unseen = np.median(learning.more_examples(x, y, halves, [4, 30], [1]), axis=-1)
    assert 0 < unseen[0, 1] - seen[0, 1] < 0.5 * (unseen[0, 0] - seen[0, 0])


def test_a_scale_is_that_of_the_training_rows():
    values = np.random.default_rng(2).normal(5.0, 3.0, (40, 2))
    scaled = learning.standardise(values, values[:30])
    np.testing.assert_allclose(scaled[:30].mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(scaled[:30].std(axis=0), 1.0)
    assert np.isfinite(learning.standardise(np.ones((3, 1)), np.ones((3, 1)))).all()


def test_bootstrap_knows_the_error_of_a_root_mean_square():
    difference = np.random.default_rng(3).normal(0, 0.3, (400, 2))
    value, error = learning.bootstrap_rms(difference, seed=1)
    np.testing.assert_allclose(value, 0.3, rtol=0.1)
    np.testing.assert_allclose(error, 0.3 / np.sqrt(2 * 400), rtol=0.3)


def test_what_cannot_be_done_is_said():
    with pytest.raises(learning.LearningError, match="galaxies"):
        learning.draw(10, 9, 1, 1)
    with pytest.raises(learning.LearningError, match="steps"):
        learning.steps_until(np.array([3.0, 2.0]), 1.0)


def galaxies(side, group):
    n = len(side)
    central = np.ones(n, dtype=bool)
    return learning.Galaxies(np.zeros((n, 4)), np.zeros((n, 20)), np.ones(20), np.array(side), np.array(group), central)


def test_experiments_take_one_galaxy_of_a_group_and_none_of_the_test():
    rows = learning.one_per_group(galaxies([0, 0, 1, 2, 0, 2], [5, 5, 6, 7, 8, 9]))
    assert sorted(rows) == [0, 2, 4]
