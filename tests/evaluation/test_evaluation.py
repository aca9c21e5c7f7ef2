"""Error measures and their uncertainty, on numbers with a known answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dmlib.bootstrap import Bootstrap, Estimate, median_of_views, median_ratio, resample, share_of
from dmlib.evaluation.bins import binned, in_groups
from dmlib.evaluation.derived import bands, circular_velocity, draw_profiles, rising, roughness, shell_density
from dmlib.evaluation.scores import (
    EXPECTED,
    MEASURES,
    Scores,
    coverage,
    delta_mse,
    per_view,
    pit_histogram,
    verdict,
)
from dmlib.networks.predictions import Prediction, Predictions
from dmlib.units import G

TRUTH = np.array([[1e10, 4e10], [2e10, 8e10]])
PREDICTED = np.array([[1.2e10, 4e10], [1e10, 8.8e10]])


def test_delta_mse_is_the_formula_of_the_talk():
    by_hand = np.sqrt([(0.2**2 + 0.5**2) / 2, (0.0 + 0.1**2) / 2])
    np.testing.assert_allclose(delta_mse(TRUTH, PREDICTED), by_hand)


def test_delta_mse_of_ln_m_is_many_times_smaller():
    expected = np.sqrt(((np.log(PREDICTED) / np.log(TRUTH) - 1) ** 2).mean(axis=0))
    np.testing.assert_allclose(delta_mse(TRUTH, PREDICTED, of="ln_m"), expected)
    assert (delta_mse(TRUTH, PREDICTED, of="ln_m") < 0.1 * delta_mse(TRUTH, PREDICTED)).all()


def test_estimates_are_joined_taken_apart_and_scaled():
    one, other = (
        Estimate(*(np.array(part) for part in parts)) for parts in ((3.0, 1.0, 2.0, 4.0), (-1.0, 1.0, -2.0, 0.0))
    )
    both = Estimate.joined([one, other])
    assert both.value.tolist() == [3.0, -1.0] and both[1].low == -2.0
    assert (100.0 * both).error.tolist() == (np.float64(100.0) * both).error.tolist() == [100.0, 100.0]
    assert both.sign().tolist() == [1, 0] and both.sign(0.5).tolist() == [1, -1]


@pytest.mark.parametrize("name", MEASURES)
def test_a_perfect_prediction_has_no_error(name):
    np.testing.assert_allclose(per_view(TRUTH, TRUTH, name), 0.0, atol=1e-15)


def test_no_mass_is_left_out_and_not_counted_as_right():
    truth = np.array([[0.0, 4e10], [2e10, 8e10]])
    assert np.isnan(per_view(truth, PREDICTED, "relative")[0, 0])
    assert delta_mse(truth, PREDICTED)[0] == pytest.approx(0.5)
    assert np.isnan(per_view(TRUTH, np.array([[np.nan, -1.0], [1e10, 1e10]]), "ln_ratio")[0]).all()


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="shapes"):
        per_view(TRUTH, PREDICTED[:1], "relative")
    with pytest.raises(ValueError, match="mse"):
        per_view(TRUTH, PREDICTED, "mse")


def test_bootstrap_of_a_mean_is_the_standard_error_over_galaxies():
    """Views repeat their galaxy's value: three times the views are no more knowledge."""
    rng = np.random.default_rng(1)
    galaxy = rng.standard_normal(400)
    one = Bootstrap(np.arange(400), draws=2000).mean(galaxy)
    three = Bootstrap(np.repeat(np.arange(400), 3), draws=2000).mean(np.repeat(galaxy, 3))
    assert one.error == pytest.approx(galaxy.std() / 20.0, rel=0.08)
    assert three.error == pytest.approx(one.error, rel=0.08)
    assert three.value == pytest.approx(galaxy.mean())
    assert three.low < three.value < three.high


def test_paired_differences_cancel_what_is_common():
    rng = np.random.default_rng(2)
    ids = np.repeat(np.arange(200), 3)
    common = np.repeat(rng.standard_normal(200), 3)
    first, second = common + 0.1 + 0.01 * rng.standard_normal(600), common
    bootstrap = Bootstrap(ids)
    found = bootstrap.difference(first, second)
    assert found.value == pytest.approx(0.1, abs=0.005)
    assert found.error < 0.1 * bootstrap.mean(first).error


def test_quantiles_are_numpys_and_scatter_is_a_standard_deviation():
    values = np.random.default_rng(3).normal(1.0, 2.0, (3001, 2))
    bootstrap = Bootstrap(np.arange(3001), draws=50)
    np.testing.assert_allclose(bootstrap.quantile(values, 0.5).value, np.median(values, axis=0))
    np.testing.assert_allclose(bootstrap.scatter(values).value, 2.0, rtol=0.05)
    even = np.array([1.0, 2.0, 4.0, 8.0])
    assert Bootstrap(np.arange(4), draws=5).quantile(even, 0.5).value == 3.0


def test_ratio_and_root_and_worst_radius():
    values = np.array([[1.0, 9.0], [3.0, 7.0]])
    bootstrap = Bootstrap(np.array([5, 6]), draws=200)
    np.testing.assert_allclose(bootstrap.root_mean(values).value, np.sqrt([2.0, 8.0]))
    np.testing.assert_allclose(bootstrap.ratio(values[:, 1], values[:, 0]).value, 4.0)
    assert bootstrap.extreme(values).value == 8.0
    assert bootstrap.extreme(values, slice(0, 1)).value == 2.0


def test_the_worst_of_many_radii_is_judged_by_what_chance_makes_of_the_worst():
    """The largest of 20 independent standard normal deviates stays below 3.02 in 95 of 100 cases, one below 1.96."""
    rng = np.random.default_rng(5)
    values = rng.normal(size=(400, 20))
    values /= values.std(axis=0)
    draws = Bootstrap(np.arange(400), draws=4000)
    assert draws.largest_by_chance(values) == pytest.approx(3.02 / 20, rel=0.05)
    assert draws.largest_by_chance(np.repeat(values[:, :1], 20, axis=1)) == pytest.approx(1.96 / 20, rel=0.05)


def honest(stretch: float, n: int = 600, seed: int = 4):
    """Truths that scatter about the prediction by `stretch` times what is stated."""
    rng = np.random.default_rng(seed)
    sigma = rng.uniform(0.05, 0.3, (n, 3))
    predicted = np.exp(rng.normal(25.0, 1.0, (n, 3)))
    truth = predicted * np.exp(stretch * sigma * rng.standard_normal((n, 3)))
    bootstrap = Bootstrap(np.repeat(np.arange(n // 3), 3), draws=300)
    return coverage(truth, predicted, sigma, bootstrap), bootstrap


def test_honest_uncertainties_cover():
    found, bootstrap = honest(1.0)
    for k, share in EXPECTED.items():
        assert np.mean(found.inside[k]) == pytest.approx(found.overall[k].value)
        assert abs(found.overall[k].value - share) < 4 * found.overall[k].error
    assert found.stretch.value == pytest.approx(1.0, abs=0.05)
    histogram = pit_histogram(found.pit, bootstrap)
    assert histogram.value.mean() == pytest.approx(1.0)
    assert (np.abs(histogram.value - 1.0) < 4 * histogram.error).all()


def test_too_small_uncertainties_are_found_out():
    found, bootstrap = honest(2.0)
    assert found.overall[1].value < EXPECTED[1] - 5 * found.overall[1].error
    assert found.stretch.value == pytest.approx(2.0, rel=0.05)
    histogram = pit_histogram(found.pit, bootstrap).value
    assert min(histogram[0], histogram[-1]) > 2.0 * histogram[4:6].max()


def test_no_stated_uncertainty_is_not_covered_by_accident():
    found = coverage(TRUTH, PREDICTED, np.zeros_like(TRUTH), Bootstrap(np.array([1, 2]), draws=10))
    assert np.isnan(found.pit).all() and np.isnan(found.inside[1]).all() and np.isnan(found.overall[1].value)


def test_bins_hold_their_means_and_rare_kinds_are_left_out():
    ids = np.arange(60)
    by = np.linspace(0.0, 1.0, 60)
    found = binned(10.0 * (by > 0.5), by, 4, Bootstrap(ids, draws=50))
    assert found.estimate.value.tolist() == [0.0, 0.0, 10.0, 10.0]
    assert found.n_galaxies.sum() == 60
    rare = in_groups(by, {"rare": ids < 3, "common": ids >= 3}, Bootstrap(ids, draws=50))
    assert rare.labels == ("common",)


def test_derived_quantities_of_an_isothermal_sphere():
    """M = v^2 R / G: the circular velocity is v everywhere, and the density falls as R^-2."""
    radii = np.geomspace(1.0, 100.0, 20)
    mass = 200.0**2 * radii / G
    np.testing.assert_allclose(circular_velocity(radii, mass), 200.0)
    middle, density = shell_density(radii, mass)
    np.testing.assert_allclose(density, 200.0**2 / (4 * np.pi * G * middle**2), rtol=0.02)


def test_an_error_that_all_radii_share_moves_mass_and_density_alike():
    radii = np.geomspace(1.0, 100.0, 20)
    mass, sigma = 1e10 * radii, np.full(20, 0.1)
    draws = draw_profiles(mass, sigma, np.ones((20, 20)), draws=4000)
    found = bands(radii, mass, draws)
    half = {name: 0.5 * np.log(band.high / band.low) for name, band in found.items()}
    np.testing.assert_allclose(half["mass"], 0.1, rtol=0.06)
    np.testing.assert_allclose(half["density"], 0.1, rtol=0.06)
    np.testing.assert_allclose(half["velocity"], 0.05, rtol=0.06)


def test_errors_of_their_own_blow_the_density_up():
    radii = np.geomspace(1.0, 100.0, 20)
    mass, sigma = 1e10 * radii, np.full(20, 0.1)
    draws = draw_profiles(mass, sigma, np.eye(20), draws=4000)
    np.testing.assert_allclose(np.log(draws).std(axis=0), 0.1, rtol=0.06)
    assert np.abs(np.corrcoef(np.log(draws).T) - np.eye(20)).max() < 0.08
    found = bands(radii, mass, draws)["density"]
    assert ((found.high - found.low) / (2.0 * found.value) > 0.3).all()


def test_a_profile_that_falls_is_noticed():
    assert rising(np.array([[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]])).tolist() == [True, False]


def test_roughness_is_that_of_independent_errors():
    ln_m = np.log(np.geomspace(1e8, 1e12, 20)) + np.random.default_rng(1).normal(0.0, 0.1, (4000, 20))
    assert np.mean(roughness(np.exp(ln_m)) ** 2) ** 0.5 == pytest.approx(0.1 * 6**0.5, rel=0.02)
    assert roughness(np.geomspace(1.0, 9.0, 20)) == pytest.approx(0.0, abs=1e-12)


def some_scores(seed: int = 6):
    """Two methods on 80 galaxies of 3 views: the second errs twice as much, in the same direction."""
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(80), 3)
    truth = np.repeat(np.exp(rng.normal(25.0, 1.0, (80, 20))), 3, axis=0)
    error = 0.1 * rng.standard_normal(truth.shape)
    masses = {"good": truth * np.exp(error), "bad": truth * np.exp(2.0 * error)}
    return Scores(np.geomspace(1.0, 100.0, 20), truth, masses, ids, draws=200)


def test_scores_over_a_region_and_at_its_worst_radius():
    scores = some_scores()
    assert scores.columns("all").all()
    assert scores.radii[scores.columns("intermediate")].min() > 5.0
    good = np.abs(scores.masses["good"] / scores.truth - 1.0)[:, scores.columns("intermediate")]
    assert scores.over("intermediate", "good").value == pytest.approx(good.mean())
    assert scores.worst("intermediate", "good").value == pytest.approx(good.mean(axis=0).max())
    assert scores.worst("all", "good", "relative2", root=True).value == pytest.approx(
        delta_mse(scores.truth, scores.masses["good"]).max()
    )


def test_scores_of_a_pair():
    scores = some_scores()
    assert scores.ratio("all", "bad", "good").value == pytest.approx(4.0)
    assert scores.worst_ratio("all", "good", "bad").value == pytest.approx(0.25)
    assert verdict(scores.better("all", "good", "bad")) == "better"
    assert verdict(scores.better("all", "bad", "good")) == "worse"
    assert verdict(scores.better("all", "good", "good")) == "undecided"


def test_resampling_gives_the_standard_error():
    values = np.random.default_rng(5).standard_normal(300)
    means = resample(lambda rows: values[rows].mean(), len(values), seed=1, draws=500)
    assert np.std(means) == pytest.approx(values.std() / np.sqrt(300), rel=0.1)


def test_ensembles_are_compared_with_equal_members():
    """Of three members the first is kept, where another ensemble has one only; what has no members stays."""
    rng = np.random.default_rng(9)
    three, one = rng.normal(25, 1, (3, 4, 20)), rng.normal(25, 1, (1, 4, 20))
    groups = {
        "C/all": Prediction("C/all", np.exp(three.mean(axis=0)), np.ones((4, 20)), three),
        "A/all": Prediction("A/all", np.exp(one[0]), np.ones((4, 20)), one),
        "baseline/mean": Prediction("baseline/mean", np.full((4, 20), 1e10)),
    }
    columns = {"truth": np.full((4, 20), 1e10), "radii": np.geomspace(1, 100, 20)}
    columns |= {name: np.arange(4) for name in ("subhalo_id", "view", "rows")}
    equal = Predictions(path=Path("predictions.hdf5"), groups=groups, **columns).equally()
    np.testing.assert_allclose(equal["C/all"].m_dm, np.exp(three[0]))
    assert equal["C/all"].sigma_ln is None and equal["A/all"].sigma_ln is not None
    assert equal["baseline/mean"] is groups["baseline/mean"]
    scores = Scores.of(equal, also={"floor": np.full((4, 20), 1.1e10)})
    assert scores.over("all", "floor").value == pytest.approx(0.1)


def test_bootstrap_of_a_ratio_draws_galaxies():
    rng = np.random.default_rng(3)
    galaxy = np.repeat(np.arange(60), 3)
    ratio = np.repeat(rng.normal(1.5, 0.2, 60), 3)
    value, error, low = median_ratio(ratio, np.ones(180), galaxy, seed=1)
    assert value == pytest.approx(1.5, abs=0.1)
    assert error == pytest.approx(1.25 * 0.2 / np.sqrt(60), rel=0.5)
    assert value - 3 * error < low < value


def test_error_of_a_median_counts_galaxies_not_views():
    rng = np.random.default_rng(6)
    galaxy = np.repeat(np.arange(80), 3)
    values = np.repeat(rng.normal(10.0, 2.0, (80, 2)), 3, axis=0)
    middle, error = median_of_views(values, galaxy, seed=1)
    np.testing.assert_allclose(middle, 10.0, atol=1.0)
    np.testing.assert_allclose(error, 1.25 * 2.0 / np.sqrt(80), rtol=0.5)


def test_the_difference_of_two_scatters_has_the_error_of_views_that_are_drawn_together():
    rng = np.random.default_rng(5)
    common = rng.normal(0.0, 3.0, 400)
    one, other = common + rng.normal(0.0, 0.3, 400), common + rng.normal(0.0, 0.3, 400)
    bootstrap = Bootstrap(np.arange(400), draws=200)
    found = bootstrap.scatter_difference(one, other)
    assert found.value == pytest.approx(bootstrap.scatter(one).value - bootstrap.scatter(other).value)
    assert 0 < found.error < 0.6 * np.hypot(bootstrap.scatter(one).error, bootstrap.scatter(other).error)


def test_root_means_and_any_statistic_of_weighted_views():
    rng = np.random.default_rng(6)
    values, ids = rng.normal(0.0, [1.0, 2.0], (300, 2)), np.repeat(np.arange(100), 3)
    bootstrap = Bootstrap(ids, draws=100)
    less = bootstrap.root_mean_difference(values[:, 1] ** 2, values[:, 0] ** 2)
    assert less.value == pytest.approx(1.0, abs=0.2) and 0.02 < less.error < 0.2
    mean, again = bootstrap.mean(values), bootstrap.of(lambda weights: weights @ values / weights.sum())
    np.testing.assert_allclose(again.value, mean.value)
    np.testing.assert_allclose(again.error, mean.error)


def test_a_share_of_none_or_of_all_has_an_error():
    """Wilson's interval: 1 / (n + 1) wide where the statement is true of none."""
    value, error = share_of(np.zeros(12, dtype=bool))
    assert value == 0.0 and error == pytest.approx(1 / 13, rel=1e-4)
    assert share_of(np.ones(12, dtype=bool)) == pytest.approx((1.0, 1 / 13), rel=1e-4)
    value, error = share_of(np.arange(1000) < 300)
    assert value == 0.3 and error == pytest.approx(np.sqrt(0.3 * 0.7 / 1000), rel=0.03)
