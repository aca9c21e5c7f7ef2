"""Measures of a posterior against cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from dmlib.bootstrap import Bootstrap
from dmlib.evaluation import posteriors as checks

N, R = 300, 6


@pytest.fixture(scope="module")
def case():
    """Truth of 300 galaxies with 2 views each, a posterior mean for each view, and how its errors are correlated."""
    rng = np.random.default_rng(3)
    cov = 0.04 * (0.7 + 0.3 * np.eye(R))
    root = np.linalg.cholesky(cov)
    galaxy = np.repeat(np.arange(N), 2)
    mean = rng.normal(0.0, 1.0, (N, 1)) + np.zeros(R)
    truth = mean + rng.standard_normal((N, R)) @ root.T
    return truth[galaxy], mean[galaxy], root, Bootstrap(galaxy, draws=200)


def draw(mean, root, width=1.0, d=400, seed=5):
    return mean + width * np.random.default_rng(seed).standard_normal((d, *mean.shape)) @ root.T


@pytest.mark.parametrize(("width", "expected"), [(1.0, 0.683), (0.5, 0.383), (2.0, 0.954)])
def test_coverage_of_intervals(case, width, expected):
    truth, mean, root, bootstrap = case
    pit = checks.rank_of_truth(truth, draw(mean, root, width))
    share = bootstrap.mean(checks.inside(pit, 0.6827))
    assert np.abs(share.value - expected).max() < 4 * share.error.max()
    assert share.error.max() < 0.04


def test_rank_is_uniform_and_unknown_where_the_truth_is(case):
    truth, mean, root, _ = case
    truth = truth.copy()
    truth[7, 0] = np.nan
    pit = checks.rank_of_truth(truth, draw(mean, root))
    assert np.isnan(pit[7, 0]) and np.isfinite(pit).sum() == pit.size - 1
    counts = np.histogram(pit[::2, 3], bins=5, range=(0, 1))[0]
    assert np.abs(counts - N / 5).max() < 4 * np.sqrt(N / 5)
    assert np.nanmin(pit) > 0 and np.nanmax(pit) < 1


def test_energy_score_prefers_the_right_posterior(case):
    truth, mean, root, bootstrap = case
    scale = np.ones(R)
    right = checks.energy_score(truth, draw(mean, root), scale)
    for width, shift in ((0.3, 0.0), (3.0, 0.0), (1.0, 0.3)):
        wrong = checks.energy_score(truth, draw(mean + shift, root, width), scale)
        worse = bootstrap.difference(wrong, right)
        assert worse.value > 3 * worse.error
    # Of a single radius it is the CRPS, for a normal distribution sigma (1/sqrt(pi)) on average.
    one = checks.energy_score(truth[:, :1], draw(mean[:, :1], root[:1, :1], d=2000), scale[:1])
    assert one.mean() == pytest.approx(0.2 / np.sqrt(np.pi), rel=0.1)


def test_energy_score_leaves_out_radii_without_truth(case):
    truth, mean, root, _ = case
    gone = truth.copy()
    gone[:, 0] = np.nan
    found = checks.energy_score(gone, draw(mean, root), np.ones(R))
    expected = checks.energy_score(truth[:, 1:], draw(mean, root)[..., 1:], np.ones(R - 1))
    assert np.allclose(found, expected)


def test_tarp_sees_what_single_radii_do_not(case):
    """Uncorrelated draws with the right width at each radius are wrong for the profile."""
    truth, mean, root, bootstrap = case
    level, right = checks.LEVELS, checks.tarp(truth, draw(mean, root), bootstrap)
    assert np.abs((right.value - level) / right.error).max() < 3.5
    alone = np.diag(np.sqrt(np.diag(root @ root.T)))
    pit = checks.rank_of_truth(truth, draw(mean, alone))
    share = bootstrap.mean(checks.inside(pit, 0.6827))
    assert np.abs(share.value - 0.683).max() < 4 * share.error.max()
    wrong = checks.tarp(truth, draw(mean, alone), bootstrap)
    assert np.abs((wrong.value - level) / wrong.error).max() > 5


def test_tarp_of_too_narrow_a_posterior(case):
    truth, mean, root, bootstrap = case
    level, narrow = checks.LEVELS, checks.tarp(truth, draw(mean, root, 0.4), bootstrap)
    # Too often nothing or everything is nearer.
    assert narrow.value[1] > level[1] + 3 * narrow.error[1]
    assert narrow.value[-2] < level[-2] - 3 * narrow.error[-2]


def test_conformal_factor_mends_a_wrong_sigma(case):
    truth, mean, root, bootstrap = case
    sigma = np.sqrt(np.diag(root @ root.T))
    rows = bootstrap.subhalo_id < N // 2
    z = (truth - mean) / (0.5 * sigma)
    factor = checks.conformal_factor(z[rows], bootstrap.subhalo_id[rows], 0.6827)
    assert factor == pytest.approx(np.full(R, 2.0), rel=0.2)
    covered = (np.abs(z[~rows]) < factor).mean()
    assert abs(covered - 0.683) < 0.08


def test_conformal_factor_counts_galaxies_and_needs_enough():
    z = np.array([[1.0], [1.0], [1.0], [2.0], [3.0]])
    galaxy = np.array([0, 0, 0, 1, 2])
    # Three galaxies and a new one: half of four is the second, not the views' median.
    assert checks.conformal_factor(z, galaxy, 0.5) == pytest.approx([2.0])
    assert np.isinf(checks.conformal_factor(z, galaxy, 0.95)).all()
    z[4] = np.nan
    assert checks.conformal_factor(z, galaxy, 0.5) == pytest.approx([2.0])


def test_the_worst_third_is_found_and_judged_by_chance(case):
    truth, mean, root, bootstrap = case
    wrong = np.arange(N)[bootstrap.subhalo_id] >= 2 * N // 3
    width = np.where(wrong, 0.5, 1.0)[:, None]
    pit = checks.rank_of_truth(truth, mean + width * (draw(mean, root) - mean))
    other = np.random.default_rng(8).permutation(N)[bootstrap.subhalo_id]
    found = checks.worst_third(pit, [other.astype(float), bootstrap.subhalo_id.astype(float)], bootstrap)
    assert found.off == pytest.approx(0.68 - 0.383, abs=0.06) and found.n_galaxies == N // 3
    assert found.off > 2 * found.chance and 1.5 * found.error < found.chance < 4 * found.error
    right = checks.worst_third(checks.rank_of_truth(truth, draw(mean, root)), [other.astype(float)], bootstrap)
    assert right.off < 2 * right.chance
    # The luck of the galaxies that set the factor is common to all thirds.
    wider = checks.worst_third(pit, [other.astype(float)], bootstrap, 0.1)
    assert wider.chance > 0.1 + 0.5 * right.chance


def test_ranks_in_thirds_find_a_bias_and_a_width_that_belong_to_one_kind_of_galaxy(case):
    truth, mean, root, bootstrap = case
    by = bootstrap.subhalo_id.astype(float)
    other = np.random.default_rng(8).permutation(N)[bootstrap.subhalo_id].astype(float)
    draws = draw(mean, root)
    right = checks.ranks_in_thirds(checks.rank_of_truth(truth, draws), [by, other], bootstrap)
    assert right.n_galaxies == (N // 3,) * 6
    for what, uniform in (("mean", 0.5), ("spread", 1.0)):
        found = getattr(right, what)
        assert np.abs((found.value - uniform) / found.error).max() < 4
        third, off, error, chance = right.furthest(what)
        assert off == pytest.approx(abs(found.value[third] - uniform)) and error == found.error[third]
        assert 1.5 * error < chance < 4 * error
    rows = checks.rank_rows({"flow": right, "normal": right}, ("mass", "gas"))
    assert [row["third by"] for row in rows][2:4] == ["mass, highest", "gas, lowest"] and rows[0]["galaxies"] == N // 3
    assert rows[4]["mean, normal"] == f"{right.mean.value[4]:.2f} ± {right.mean.error[4]:.2f}"
    assert rows[4]["spread, flow"] == f"{right.spread.value[4]:.2f} ± {right.spread.error[4]:.2f}"
    numbers = {row["id"]: row for row in checks.rank_numbers({"flow": right}, {"flow": "the flow"})}
    assert len(numbers) == 4 and numbers["post-rank-spread-flow"]["value"] == right.furthest("spread")[1]
    assert numbers["post-rank-mean-chance-flow"]["value"] == right.chance_mean
    # Of half the width, the spread of a normal distribution's ranks is (6 / pi) arcsin(x / (1 + x)), x = 4.
    wrong = (by >= 2 * N // 3)[:, None]
    narrow = checks.rank_of_truth(truth, mean + np.where(wrong, 0.5, 1.0) * (draws - mean))
    found = checks.ranks_in_thirds(narrow, [other, by], bootstrap)
    third, off, error, chance = found.furthest("spread")
    assert third == 5 and off == pytest.approx(6 / np.pi * np.arcsin(0.8) - 1, abs=4 * error) and off > 2 * chance
    shifted = checks.rank_of_truth(truth, draws - 0.1 * wrong)
    found = checks.ranks_in_thirds(shifted, [other, by], bootstrap)
    third, off, _, chance = found.furthest("mean")
    assert third == 5 and found.mean.value[5] > 0.6 and off > chance
    # The luck of the galaxies that set the width is in the spread of all thirds, and in no mean.
    wider = checks.ranks_in_thirds(narrow, [other, by], bootstrap, 0.1)
    assert wider.chance_spread > found.chance_spread + 0.2 and wider.chance_mean == pytest.approx(
        checks.ranks_in_thirds(narrow, [other, by], bootstrap).chance_mean
    )


def test_a_slightly_wrong_width_moves_coverage_and_spread_of_the_ranks_together():
    z = np.random.default_rng(2).standard_normal(400000)
    pits = [norm.cdf(width * z)[:, None] for width in (0.98, 1.02)]
    coverage = np.diff([checks.inside(pit, checks.LEVEL).mean() for pit in pits])
    spread = np.diff([(12 * (pit - 0.5) ** 2).mean() for pit in pits])
    assert -spread / coverage == pytest.approx(checks._SPREAD_OVER_COVERAGE, rel=0.05)


def test_density_of_ranks_by_third(case):
    truth, mean, root, bootstrap = case
    by = bootstrap.subhalo_id.astype(float)
    wrong = (by >= 2 * N // 3)[:, None]
    pit = checks.rank_of_truth(truth, draw(mean, root) - 0.3 * wrong)
    lowest, _, highest = checks.ranks_by_third(pit, by, bootstrap)
    assert np.mean(lowest.value) == pytest.approx(1.0) and np.abs((lowest.value - 1) / lowest.error).max() < 4
    assert highest.value[-1] > 2 and highest.value[0] < 0.3


def test_a_third_of_one_galaxy_is_missing_in_some_draws_and_that_is_no_warning(recwarn):
    pit = np.random.default_rng(4).random((3, R))
    found = checks.ranks_by_third(pit, np.arange(3.0), Bootstrap(np.arange(3), draws=50))
    assert all(np.isfinite(one.value).all() and np.mean(one.value) == pytest.approx(1.0) for one in found)
    assert not recwarn.list
