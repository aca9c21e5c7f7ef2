"""Fits of mass models: calibrated on curves drawn from the model, evidence against an integral, failures reported."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy.stats import norm

from dmlib.errors import DmlibError, GalaxyError
from dmlib.rotation.fit import Importance, fit, fit_many
from dmlib.rotation.halos import halo_model
from dmlib.rotation.likelihood import Likelihood
from dmlib.rotation.priors import (
    ConcentrationRelation,
    MassFunction,
    Normal,
    Priors,
    ProfilePrior,
    Uniform,
    known,
)
from dmlib.settings import RADII_KPC
from mock_curves import mock_curve, mock_galaxy

FULL = Priors(distance=Normal(1.0, 0.1, 0.3, 3.0), inclination=Normal(60.0, 4.0, 5.0, 90.0), nominal_inclination=60.0)


@pytest.fixture(scope="module")
def curve():
    """A curve with the dark mass that made it."""
    return mock_curve(
        mock_galaxy(), "nfw", known(log_m200=Uniform(11.5, 12.5), log_c=Uniform(0.8, 1.1)), np.random.default_rng(4)
    )


def test_intervals_are_calibrated():
    """The 68 per cent intervals of 60 curves drawn from the prior contain 68 +- 9 per cent, the 95 ones 95 +- 5."""
    rng = np.random.default_rng(11)
    tasks, truth = [], []
    for k in range(60):
        halo = ("nfw", "burkert")[k % 2]
        model, mass = mock_curve(mock_galaxy(), halo, FULL, rng)
        truth.append(mass)
        tasks.append((k, partial(fit, model, halo, FULL, seed=k)))
    inside = np.zeros((2, len(tasks), len(RADII_KPC)), dtype=bool)
    for outcome in fit_many(tasks):
        low95, low68, _, high68, high95 = outcome.fit.quantiles
        mass = truth[outcome.key]
        inside[:, outcome.key] = (low68 < mass) & (mass < high68), (low95 < mass) & (mass < high95)
    assert inside[0].mean() == pytest.approx(0.68, abs=0.09)
    assert inside[1].mean() == pytest.approx(0.95, abs=0.05)


def test_weighted_draws_that_are_worth_little_are_not_converged(curve):
    found = fit(curve[0], "nfw", FULL, sampling=Importance(first=300, each=200, rounds=1, last=300, attempts=1))
    assert not found.converged and "worth" in found.trouble


def test_curves_are_drawn_from_priors_that_join_parameters(curve):
    """Drawn masses have the mean and the scatter that a prior on the profile says; too few draws are refused."""
    wide = known(log_m200=Uniform(11.0, 13.0), log_c=Uniform(0.5, 1.5))
    middle = np.log(curve[1])
    told = replace(wide, profile=ProfilePrior(middle, 0.1**2 * (0.9 + 0.1 * np.eye(20))))
    target, rng = Likelihood(curve[0], halo_model("nfw"), told), np.random.default_rng(5)
    drawn = np.log([target.draw(rng, among=20000)[1] for _ in range(80)])
    assert np.abs(drawn.mean(axis=0) - middle).max() < 0.04
    assert drawn.std(axis=0) == pytest.approx(np.full(20, 0.09), abs=0.03)
    with pytest.raises(DmlibError, match="draw among more"):
        target.draw(rng, among=20)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nfw", "contracted"])
def test_many_intervals_are_calibrated(name):
    """Of 320 curves drawn from the prior, with the sampler and the priors of the benchmark.

    If the twenty radii of a curve were one, the binomial error of the share in the 68 per cent intervals would be 2.6
    per cent. The mean square of the departures, in units of the posterior, tells one that is too narrow or too wide
    with a quarter more significance than that share does.
    """
    literature = {"log_m200": MassFunction(), "log_c": ConcentrationRelation()}
    priors = Priors(inclination=Normal(60.0, 4.0, 5.0, 90.0), nominal_inclination=60.0, **literature)
    rng, inside, departures = np.random.default_rng(12), [], []
    levels = norm.ppf([0.025, 0.16, 0.5, 0.84, 0.975])
    for k in range(320):
        model, mass = mock_curve(mock_galaxy(), name, priors, rng)
        found = fit(model, name, priors, seed=k)
        inside.append((found.quantiles[1] < mass) & (mass < found.quantiles[3]))
        departures.append([np.interp(m, ladder, levels) for m, ladder in zip(mass, found.quantiles.T, strict=True)])
    assert np.mean(inside) == pytest.approx(0.68, abs=0.05)
    assert np.mean(inside, axis=0) == pytest.approx(np.full(len(RADII_KPC), 0.68), abs=0.07)
    expected = norm.expect(lambda x: np.minimum(x, levels[-1]) ** 2, lb=0) * 2  # outside, `interp` gives the ends
    assert np.mean(np.square(departures)) == pytest.approx(expected, rel=0.17)


def test_posterior_and_evidence_are_those_of_a_grid():
    """Three parameters can be integrated by brute force: the evidence is the sum, the intervals are its quantiles.

    The curve has large errors, so that the grid resolves the posterior.
    """
    made = known(log_m200=Uniform(11.5, 12.5), log_c=Uniform(0.8, 1.1))
    model, _ = mock_curve(mock_galaxy(v_err=20.0), "nfw", made, np.random.default_rng(4))
    found = fit(model, "nfw", known(), sampling=Importance(last=20000))
    target = Likelihood(model, halo_model("nfw"), known())
    z, places = np.linspace(-4, 4, 121), [3, 10, 19]
    density, masses = [], []
    for a in z:
        points = np.column_stack([np.full(z.size**2, a), np.repeat(z, z.size), np.tile(z, z.size)])
        prior = np.exp(-0.5 * np.sum(points**2, axis=1)) / (2 * np.pi) ** 1.5
        density.append(np.exp(target.log_likelihood(points)) * prior)
        masses.append(target.haloes(target.parameters(points)).m_enclosed(RADII_KPC[places]))
    density, masses = np.concatenate(density), np.concatenate(masses)
    expected = np.log(density.sum() * (z[1] - z[0]) ** 3)
    assert found.log_evidence == pytest.approx(expected, abs=0.1)
    assert abs(found.log_evidence - expected) < 4 * found.log_evidence_error < 0.4
    for k, mass in zip(places, masses.T, strict=True):
        order = np.argsort(mass)
        grown = np.cumsum(density[order]) / density.sum()
        low, middle, high = np.log(np.interp([0.16, 0.5, 0.84], grown, mass[order]))
        off = np.log(found.quantiles[1:4, k]) - [low, middle, high]
        assert np.all(np.abs(off) < 0.12 * (high - low))


def test_recovers_a_good_curve_and_marks_what_it_extrapolates(curve):
    model, truth = curve
    found = fit(model, "nfw", known())
    assert found.converged and found.trouble == ""
    assert np.array_equal(found.measured, (RADII_KPC >= model.radius[0]) & (RADII_KPC <= model.radius[-1]))
    assert found.measured.any() and not found.measured.all()
    assert np.all(np.abs(np.log(found.m_dm / truth))[found.measured] < 4 * found.sigma_ln[found.measured])
    assert found.sigma_ln[-1] > 2 * found.sigma_ln[found.measured].min()
    assert np.all(np.diff(found.quantiles, axis=0) > 0) and np.all(np.diff(found.m_dm) > 0)


def test_same_seed_same_posterior(curve):
    first, second = (fit(curve[0], "nfw", known(), seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.quantiles, second.quantiles)
    assert first.log_evidence == second.log_evidence


def test_evidence_prefers_the_halo_that_made_the_curve():
    """A Burkert halo with a core of 5 kpc, measured well, is not an NFW halo."""
    rng = np.random.default_rng(8)
    made = known(log_m200=Uniform(11.4, 11.6), log_c=Uniform(1.2, 1.3), log_jitter=None)
    model, _ = mock_curve(mock_galaxy(v_err=2.0), "burkert", made, rng)
    burkert, nfw = (fit(model, halo, known()) for halo in ("burkert", "nfw"))
    assert burkert.log_evidence > nfw.log_evidence + 5


def test_priors_tell(curve):
    """The concentration-mass relation narrows what a curve leaves open; the stellar mass narrows the halo's."""
    plain = fit(curve[0], "nfw", known())
    related = fit(curve[0], "nfw", known(log_c=ConcentrationRelation()))
    weighed = fit(curve[0], "nfw", known(stellar_to_halo=True))
    assert related.sigma_ln[-1] < plain.sigma_ln[-1]
    assert np.ptp(weighed.interval("log_m200")) < np.ptp(plain.interval("log_m200"))


def test_a_profile_told_from_outside_is_weighed_with_the_curve(curve):
    """Where nothing is measured the posterior follows what it is told; where the curve is good it does not."""
    model, truth = curve
    far = np.exp(0.4) * truth
    errors = 0.1 * np.eye(20) + 0.9 * np.ones((20, 20))
    told = known(profile=ProfilePrior(np.log(far), 0.2**2 * errors))
    alone, both = (fit(model, "nfw", priors) for priors in (known(), told))
    assert np.all(np.abs(np.log(both.m_dm / truth))[both.measured] < 0.15)
    assert both.sigma_ln[-1] < 0.6 * alone.sigma_ln[-1]
    # Twenty independent radii would pull much harder than one that counts twenty times.
    independent = known(profile=ProfilePrior(np.log(far), 0.2**2 * np.eye(20)))
    pulled = fit(model, "nfw", independent)
    inner = both.measured & (RADII_KPC < 8)
    assert np.all(pulled.m_dm[inner] > both.m_dm[inner])


@pytest.mark.parametrize("halo", ["isothermal", "einasto", "dc14", "corenfw", "contracted"])
def test_other_haloes_can_be_fitted(curve, halo):
    found = fit(curve[0], halo, known())
    assert np.all(found.m_dm > 0) and np.isfinite(found.log_evidence)
    # The centre is where the models differ; what rotates at the last points they must agree on.
    assert np.all(np.abs(np.log(found.m_dm / curve[1]))[found.measured][-2:] < 0.2)


def test_what_cannot_be_fitted_is_refused(curve):
    model = curve[0]
    short = replace(
        model, **{k: getattr(model, k)[:2] for k in ("radius", "v_obs", "v_err", "v_gas", "v_disk", "v_bulge")}
    )
    with pytest.raises(GalaxyError, match="2 measured radii"):
        fit(short)
    with pytest.raises(GalaxyError, match="not positive"):
        fit(replace(model, v_err=0 * model.v_err))
    with pytest.raises(GalaxyError, match="finite"):
        fit(replace(model, v_obs=np.nan * model.v_obs))
    with pytest.raises(DmlibError, match="hernquist"):
        fit(model, "hernquist")
    outcome = next(fit_many([(1, partial(fit, short, "nfw", known()))], workers=1))
    assert outcome.fit is None and "2 measured radii" in str(outcome.rejection)


def test_a_search_that_begins_nearby_finds_the_same_with_less_work(curve, monkeypatch):
    sizes: list[int] = []
    likelihood = Likelihood.log_likelihood
    monkeypatch.setattr(Likelihood, "log_likelihood", lambda self, z: sizes.append(len(z)) or likelihood(self, z))
    near, priors = known(log_m200=Normal(12.1, 0.3)), known(log_m200=Normal(12.0, 0.3))
    alone = fit(curve[0], "nfw", priors, seed=2)
    work = sum(sizes)
    begun = fit(curve[0], "nfw", near, seed=1)
    sizes.clear()
    after = fit(curve[0], "nfw", priors, seed=2, start=begun)
    assert sum(sizes) < work and after.converged
    np.testing.assert_allclose(np.log(after.m_dm / alone.m_dm), 0.0, atol=0.15 * alone.sigma_ln.max())
    assert after.log_evidence == pytest.approx(alone.log_evidence, abs=0.1)


def test_number_of_processes_changes_nothing(curve):
    tasks = [(k, partial(fit, curve[0], "nfw", known(), seed=k)) for k in range(2)]
    alone, together = (sorted(fit_many(tasks, workers=n), key=lambda o: o.key) for n in (1, 2))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.fit.quantiles, other.fit.quantiles)
