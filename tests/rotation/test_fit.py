"""Fits of mass models: calibrated on curves drawn from the model, evidence against an integral, failures reported."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from dmlib.errors import DmlibError, GalaxyError
from dmlib.rotation.fit import Sampling, fit, fit_many
from dmlib.rotation.posterior import likelihood
from dmlib.rotation.priors import ConcentrationRelation, Normal, Priors, Uniform, known
from dmlib.settings import RADII_KPC
from mock_curves import mock_curve, mock_galaxy

FULL = Priors(distance=Normal(1.0, 0.1, 0.3, 3.0), inclination=Normal(60.0, 4.0, 5.0, 90.0), nominal_inclination=60.0)
SHORT = Sampling(walkers=32, burn=100, block=300, most=900, wanted=30)
SHORTER = replace(SHORT, most=600, wanted=15)


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
        tasks.append((k, partial(fit, model, halo, FULL, seed=k, sampling=SHORTER, evidence=False)))
    inside = np.zeros((2, len(tasks), len(RADII_KPC)), dtype=bool)
    for outcome in fit_many(tasks):
        low95, low68, _, high68, high95 = outcome.fit.quantiles
        mass = truth[outcome.key]
        inside[:, outcome.key] = (low68 < mass) & (mass < high68), (low95 < mass) & (mass < high95)
    assert inside[0].mean() == pytest.approx(0.68, abs=0.09)
    assert inside[1].mean() == pytest.approx(0.95, abs=0.05)


def test_evidence_is_the_integral(curve):
    """Bridge sampling against a sum over a grid: three parameters can be integrated by brute force."""
    found = fit(curve[0], "nfw", known())
    target = likelihood(curve[0], "nfw", known())
    z = np.linspace(-5, 5, 81)
    total = 0.0
    for a in z:
        points = np.column_stack([np.full(z.size**2, a), np.repeat(z, z.size), np.tile(z, z.size)])
        total += np.exp(target.log_posterior(points)).sum()
    assert found.log_evidence == pytest.approx(np.log(total * (z[1] - z[0]) ** 3), abs=0.1)
    assert 0 < found.log_evidence_error < 0.1


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
    first, second = (fit(curve[0], "nfw", known(), seed=3, sampling=SHORT) for _ in range(2))
    np.testing.assert_array_equal(first.quantiles, second.quantiles)
    assert first.log_evidence == second.log_evidence


def test_a_short_chain_is_not_converged(curve):
    found = fit(curve[0], "nfw", FULL, sampling=replace(SHORT, block=60, most=60))
    assert not found.converged and "autocorrelation times" in found.trouble


def test_evidence_prefers_the_halo_that_made_the_curve():
    """A Burkert halo with a core of 5 kpc, measured well, is not an NFW halo."""
    rng = np.random.default_rng(8)
    made = known(log_m200=Uniform(11.4, 11.6), log_c=Uniform(1.2, 1.3), log_jitter=None)
    model, _ = mock_curve(mock_galaxy(v_err=2.0), "burkert", made, rng)
    burkert, nfw = (fit(model, halo, known(), sampling=SHORT) for halo in ("burkert", "nfw"))
    assert burkert.log_evidence > nfw.log_evidence + 5


def test_priors_tell(curve):
    """The concentration-mass relation narrows what a curve leaves open; the stellar mass narrows the halo's."""
    plain = fit(curve[0], "nfw", known(), sampling=SHORT)
    related = fit(curve[0], "nfw", known(log_c=ConcentrationRelation()), sampling=SHORT)
    weighed = fit(curve[0], "nfw", known(stellar_to_halo=True), sampling=SHORT)
    assert related.sigma_ln[-1] < plain.sigma_ln[-1]
    assert np.ptp(weighed.interval("log_m200")) < np.ptp(plain.interval("log_m200"))


@pytest.mark.parametrize("halo", ["isothermal", "einasto", "dc14", "corenfw"])
def test_other_haloes_can_be_fitted(curve, halo):
    found = fit(curve[0], halo, known(), sampling=replace(SHORT, most=300))
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


def test_number_of_processes_changes_nothing(curve):
    tasks = [(k, partial(fit, curve[0], "nfw", known(), seed=k, sampling=replace(SHORT, most=300))) for k in range(2)]
    alone, together = (sorted(fit_many(tasks, workers=n), key=lambda o: o.key) for n in (1, 2))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.fit.quantiles, other.fit.quantiles)
