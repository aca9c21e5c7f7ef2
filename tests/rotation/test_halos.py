"""Halo models against colossus, closed forms and numerical integration; and the relations that the priors quote."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gamma, gammainc

from dmlib.embedded import relations
from dmlib.errors import DmlibError
from dmlib.rotation import halos
from dmlib.rotation.fit import Importance, fit
from dmlib.rotation.halos import HALOS, HaloModel, log_einasto_alpha, make
from dmlib.rotation.priors import (
    DARK,
    MassFunction,
    Normal,
    Priors,
    Regression,
    Uniform,
    known,
    log_concentration,
    log_stellar_mass,
)
from dmlib.units import HUBBLE, cosmology
from mock_curves import mock_curve, mock_galaxy
from mocktng.structure import contract

RHO_CRIT = cosmology().critical_density0.to_value("Msun / kpc3")

RADII = np.geomspace(0.05, 300.0, 25)
LOG_M = np.array([10.3, 11.8, 13.1])
LOG_C = np.array([1.3, 0.9, 0.6])
EXTRA = {
    "einasto": np.log10([0.15, 0.2, 0.6]),
    "corenfw": np.array([0.2, 0.7, 1.0]),
    "contracted": np.array([0.6, 1.0, 1.4]),
}


def _contracted(x, strength, amplitude, ratio):
    mu, slope, y = np.log1p(x) - x / (1 + x), x / (1 + x) ** 2, x * ratio
    stars = -np.expm1(-y) - y * np.exp(-y)
    eta = amplitude * stars / mu
    eta_slope = eta * (ratio * y * np.exp(-y) / stars - slope / mu)
    growth = 1 + strength * (0.45 + 0.38 * (eta + 1.16) ** 0.53 - 1)
    return (slope * growth + mu * strength * 0.38 * 0.53 * (eta + 1.16) ** -0.47 * eta_slope) / x**2


def _core_nfw(x, n, ratio, *_):
    f, mass = np.tanh(x * ratio), np.log1p(x) - x / (1 + x)
    return f**n / (x * (1 + x) ** 2) + n * f ** (n - 1) * (1 - f**2) * ratio * mass / x**2


#: Published densities in units of rho_s, functions of x = r / r_s and the shape parameters.
DENSITY = {
    "nfw": lambda x, *_: 1 / (x * (1 + x) ** 2),
    "burkert": lambda x, *_: 1 / ((1 + x) * (1 + x**2)),
    "isothermal": lambda x, *_: 1 / (1 + x**2),
    "einasto": lambda x, alpha: np.exp(-2 / alpha * (x**alpha - 1)),
    "dc14": lambda x, alpha, beta, gamma: x**-gamma * (1 + x**alpha) ** ((gamma - beta) / alpha),
    "corenfw": _core_nfw,
    "contracted": _contracted,
}


def density(found: halos.Halos, radius: np.ndarray) -> np.ndarray:
    """Msun/kpc^3, shape (n, len(radius))."""
    x = radius / found.scale[:, None]
    rho = DENSITY[found.model.name](x, *(column[:, None] for column in found.shape.T))
    return (found.norm / (4 * np.pi * found.scale**3))[:, None] * rho


def some(name: str):
    return make(name, LOG_M, LOG_C, extra=EXTRA.get(name, 0.0), m_star=10.0 ** (LOG_M - 2.2), r_half=3.0)


@pytest.mark.parametrize("name", HALOS)
def test_mass_is_the_integral_of_the_density(name):
    found = some(name)
    mass = found.m_enclosed(RADII)
    for row in range(len(LOG_M)):
        one = make(
            name,
            LOG_M[row : row + 1],
            LOG_C[row : row + 1],
            extra=np.broadcast_to(EXTRA.get(name, 0.0), 3)[row],
            m_star=10.0 ** (LOG_M[row] - 2.2),
            r_half=3.0,
        )

        def shell(log_r, one=one):
            r = np.exp(log_r)
            return 4 * np.pi * r**3 * density(one, np.array([r]))[0, 0]

        for k in (0, 8, 16, 24):
            expected = quad(shell, np.log(1e-6), np.log(RADII[k]), limit=200, epsrel=1e-9)[0]
            assert mass[row, k] == pytest.approx(expected, rel=3e-5)


@pytest.mark.parametrize("name", HALOS)
def test_m200_lies_within_r200(name):
    """What M200 means: the mean density within R200 is 200 times the critical one, whatever the model."""
    found = some(name)
    size = relations.r200_of(10.0**LOG_M)
    for row in range(3):
        mass = found.m_enclosed(size[row : row + 1])[row, 0]
        assert mass == pytest.approx(10.0 ** LOG_M[row], rel=1e-9)
        assert mass / (4 / 3 * np.pi * size[row] ** 3) == pytest.approx(200 * RHO_CRIT, rel=1e-9)


@pytest.mark.parametrize("name", ["nfw", "einasto"])
def test_against_colossus(name):
    """Their masses are in Msun/h and lengths in kpc/h; the cosmology is TNG's."""
    from colossus.cosmology import cosmology
    from colossus.halo import profile_einasto, profile_nfw

    cosmology.setCosmology("tng", flat=True, H0=67.74, Om0=0.3089, Ob0=0.0486, sigma8=0.8159, ns=0.9667)
    found = some(name)
    for row in range(3):
        shape = {"M": 10.0 ** LOG_M[row] * HUBBLE, "c": 10.0 ** LOG_C[row], "z": 0.0, "mdef": "200c"}
        if name == "nfw":
            theirs = profile_nfw.NFWProfile(**shape)
        else:
            theirs = profile_einasto.EinastoProfile(**shape, alpha=10.0 ** EXTRA["einasto"][row])
        np.testing.assert_allclose(
            found.m_enclosed(RADII)[row], theirs.enclosedMass(RADII * HUBBLE) / HUBBLE, rtol=2e-3
        )
        np.testing.assert_allclose(density(found, RADII)[row], theirs.density(RADII * HUBBLE) * HUBBLE**2, rtol=2e-3)


def test_einasto_against_the_gamma_function():
    alpha, x = 0.17, np.geomspace(0.01, 40, 12)
    total = np.exp(2 / alpha) / alpha * (2 / alpha) ** (-3 / alpha) * gamma(3 / alpha)
    expected = total * gammainc(3 / alpha, 2 / alpha * x**alpha)
    np.testing.assert_allclose(HALOS["einasto"].mass(x[None], np.array([[alpha]]))[0], expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["nfw", "burkert", "isothermal"])
def test_series_and_closed_form_meet(name):
    x = halos._SMALL * np.array([[1 - 1e-9, 1 + 1e-9]])
    below, above = HALOS[name].mass(x, np.zeros((1, 1)))[0]
    assert below == pytest.approx(above, rel=1e-7)


def test_a_new_model_is_one_class(monkeypatch):
    """Plummer's sphere, in plain numpy, is fitted by its name like the others."""
    monkeypatch.setattr(halos, "HALOS", dict(HALOS))

    class Plummer(HaloModel):
        name, label, centre, source = "plummer", "Plummer", "core", "Plummer 1911"

        def mass(self, x, shape):
            return x**3 / (1 + x**2) ** 1.5 / 3

    size = relations.r200_of(10.0**LOG_M)
    np.testing.assert_allclose(np.diag(make("plummer", LOG_M, LOG_C).m_enclosed(size)), 10.0**LOG_M)
    model, truth = mock_curve(mock_galaxy(), "plummer", known(log_m200=Uniform(11.0, 11.5)), np.random.default_rng(1))
    found = fit(model, "plummer", known(), sampling=Importance(first=1000, each=600, last=800))
    assert found.halo == "plummer"
    assert np.all(np.abs(np.log(found.m_dm / truth))[found.measured][-3:] < 0.3)


def test_central_slopes():
    """-1 for NFW, 0 for the cored models; DC14's is its gamma."""
    r = np.array([1e-4, 1e-3])
    slopes = {name: np.diff(np.log(density(some(name), r)), axis=1)[:, 0] / np.log(10) for name in HALOS}
    np.testing.assert_allclose(slopes["nfw"], -1, atol=0.01)
    for name in ("burkert", "isothermal"):
        np.testing.assert_allclose(slopes[name], 0, atol=0.01)
    np.testing.assert_allclose(slopes["dc14"], -some("dc14").shape[:, 2], atol=0.01)
    assert slopes["corenfw"][2] == pytest.approx(0, abs=0.01)  # a full core


def test_dc14_has_a_core_where_stars_are_few_but_not_too_few():
    """Di Cintio et al. 2014: the inner slope is shallowest at log M*/Mhalo of about -2.6, and steep at -1.3."""
    ratio = np.array([-4.1, -2.6, -1.3])
    gammas = make("dc14", np.full(3, 11.0), np.full(3, 1.0), m_star=10.0 ** (11 + ratio)).shape[:, 2]
    assert gammas[1] < 0.3 and gammas[0] > 0.9 and gammas[2] > 1.0


def test_core_nfw_without_a_core_is_nfw():
    cored = make("corenfw", LOG_M, LOG_C, extra=0.0, r_half=3.0)
    np.testing.assert_allclose(cored.m_enclosed(RADII), some("nfw").m_enclosed(RADII), rtol=1e-12)


def test_contraction_is_that_of_the_published_formula():
    """Against the formula as the embedded universe applies it, on a halo of dark matter and a sphere of stars."""
    strength = EXTRA["contracted"]
    found, plain = some("contracted"), make("nfw", LOG_M, LOG_C).m_enclosed(RADII)
    y = RADII / (3.0 / 1.678)
    stars = 10.0 ** (LOG_M - 2.2)[:, None] * (1 - (1 + y) * np.exp(-y))
    for row in range(3):
        expected = contract(plain[row], stars[row], strength[row])
        # M200 is the mass within R200 after the contraction, here before.
        ratio = found.m_enclosed(RADII)[row] / expected
        np.testing.assert_allclose(ratio, ratio[-1], rtol=1e-6)
        assert ratio[-1] == pytest.approx(1.0, abs=0.25)
    assert found.m_enclosed([1.0])[1, 0] > 1.5 * plain[1, np.searchsorted(RADII, 1.0) - 1]


def test_unknown_halo_is_named():
    with pytest.raises(DmlibError, match="hernquist"):
        make("hernquist", LOG_M, LOG_C)


def test_concentration_relation_is_that_of_colossus():
    from colossus.cosmology import cosmology
    from colossus.halo import concentration

    cosmology.setCosmology("planck13")
    masses = np.array([1e10, 1e12, 1e14])
    theirs = concentration.concentration(masses, "200c", 0.0, model="dutton14")
    np.testing.assert_allclose(10 ** log_concentration(np.log10(masses / HUBBLE)), theirs, rtol=2e-3)


def test_einasto_shape_is_that_of_the_peak_height():
    """Dutton & Macciò's fit of the peak height against colossus' own, alpha against Gao et al. (2008)."""
    from colossus.cosmology import cosmology
    from colossus.lss import peaks

    cosmology.setCosmology("planck13")
    masses = np.array([1e11, 1e12, 1e13])
    alpha = 0.155 + 0.0095 * peaks.peakHeight(masses, 0.0) ** 2
    np.testing.assert_allclose(10 ** log_einasto_alpha(np.log10(masses / HUBBLE)), alpha, rtol=0.03)


def test_stellar_mass_relation_peaks_where_it_should():
    """Moster et al. (2013): the largest share of stars, about 3.5 per cent, in haloes of about 10^11.8 Msun."""
    masses = np.linspace(10, 14, 401)
    share = log_stellar_mass(masses) - masses
    assert masses[share.argmax()] == pytest.approx(11.8, abs=0.15)
    assert 10 ** share.max() == pytest.approx(0.035, abs=0.003)


def test_priors_are_drawn_as_they_say():
    z = np.random.default_rng(1).normal(size=200_000)
    flat, cut = Uniform(2.0, 5.0).transform(z), Normal(80.0, 10.0, 5.0, 90.0).transform(z)
    assert flat.min() > 2 and flat.max() < 5 and flat.mean() == pytest.approx(3.5, abs=0.01)
    assert flat.var() == pytest.approx(9 / 12, rel=0.01)
    plain = 80 + 10 * np.random.default_rng(2).normal(size=400_000)
    plain = plain[(plain > 5) & (plain < 90)]
    assert cut.max() <= 90 and cut.mean() == pytest.approx(plain.mean(), abs=0.1)
    assert cut.std() == pytest.approx(plain.std(), abs=0.1)


def test_haloes_are_as_frequent_as_the_mass_function_says():
    z = np.random.default_rng(3).normal(size=400_000)
    mass = MassFunction().transform(z) - DARK
    grid = np.linspace(10, 15, 5001)
    density = relations.mass_function(10.0**grid)
    for edge in (11.0, 12.0, 13.0):
        expected = density[grid > edge].sum() / density.sum()
        assert np.mean(mass > edge) == pytest.approx(expected, rel=0.1)


def test_a_regression_gives_back_the_relation_and_its_scatter():
    """A curved relation with a skewed scatter, measured on 4000 galaxies, is drawn as it was made."""
    rng = np.random.default_rng(5)
    log_m, other = rng.uniform(10, 11.2, 4000), rng.normal(size=4000)
    made = 12 + 1.2 * (log_m - 10.5) + 0.5 * (log_m - 10.5) ** 2 - 0.3 * other + 0.1 * rng.exponential(size=4000)
    found = Regression.measure(made, log_m, {"log_m200": other})
    drawn = found.transform(rng.normal(size=4000), {"log_m_star": log_m, "log_m200": other})
    assert found.coefficients[1:] == pytest.approx([1.2, 0.5, -0.3], abs=0.02)
    for share in (0.05, 0.5, 0.95):
        assert np.quantile(drawn, share) == pytest.approx(np.quantile(made, share), abs=0.03)
    z = np.linspace(-4, 4, 81)
    fixed = {"log_m_star": np.full(81, 12.5), "log_m200": np.zeros(81)}
    drawn = found.transform(z, fixed)
    assert np.all(np.diff(drawn) >= 0) and np.ptp(drawn) > 0.3
    assert made.min() <= drawn.min() and drawn.max() <= made.max()
    ends = {"log_m_star": np.full(81, found.range[1]), "log_m200": np.zeros(81)}
    np.testing.assert_array_equal(found.transform(z, fixed), found.transform(z, ends))


def test_a_wrong_prior_is_refused():
    with pytest.raises(DmlibError, match="nominal_inclination"):
        Priors(inclination=Normal(60, 5))
