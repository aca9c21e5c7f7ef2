"""Measured relations: each measurement on a case with a known answer, and all of them on a written universe."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from dmlib import embedded
from dmlib.errors import GalaxyError
from dmlib.universe import FilesUniverse
from dmlib.validation import (
    Rotation,
    centrals,
    compare,
    hi_radius,
    measure,
    median_dark_fraction,
    nfw_concentration,
    rotation,
    scaling_relations,
    stellar_ages,
    weighted_median,
)


@pytest.mark.parametrize("c", [4.0, 9.0, 18.0])
def test_concentration_of_an_nfw_halo(c):
    rng = np.random.default_rng(1)
    x = np.geomspace(1e-3, 1.3, 2000)
    shape = embedded.relations.nfw_shape(c * x)
    radius = 200.0 * np.interp(rng.random(30_000) * shape[-1], shape, x)
    assert nfw_concentration(radius, 200.0) == pytest.approx(c, rel=0.08)
    assert nfw_concentration(radius, 200.0, inner=0.02) == pytest.approx(c, rel=0.05)


def test_concentration_of_too_few_particles_is_not_a_number():
    assert np.isnan(nfw_concentration(np.linspace(1, 100, 50), 200.0))


@pytest.mark.parametrize(("scale", "centre"), [(5.0, 20.0), (12.0, 4.0)])
def test_hi_radius_of_an_exponential_disc(scale, centre):
    """Sigma = centre exp(-R/scale) [Msun/pc^2] falls to one at scale ln(centre)."""
    rng = np.random.default_rng(2)
    n = 4000
    radius = scale * rng.gamma(2.0, size=n)
    mass = np.full(n, 2 * np.pi * scale**2 * centre * 1e6 / n)
    expected = scale * np.log(centre)
    assert hi_radius(radius, mass) == pytest.approx(expected, rel=0.06)
    stray = np.append(radius, [300.0, 350.0]), np.append(mass, [mass[0], mass[0]])
    assert hi_radius(*stray) == pytest.approx(expected, rel=0.06)


def test_hi_radius_of_thin_or_little_gas_is_not_a_number():
    rng = np.random.default_rng(3)
    assert np.isnan(hi_radius(10 * rng.gamma(2.0, size=1000), np.full(1000, 1.0)))
    assert np.isnan(hi_radius(rng.random(20), np.full(20, 1e7)))
    assert np.isnan(hi_radius(rng.random(20), np.zeros(20)))


def test_median_dark_fraction_of_bins_of_equally_many_galaxies():
    log_mass = np.linspace(10.0, 11.4, 71)
    table = QTable({"m_star": 10**log_mass * u.Msun, "f_dm": 1 - 0.5 * (log_mass - 10.0)})
    middle, median = median_dark_fraction(table)
    assert np.allclose(middle, np.arange(10.1, 11.4, 0.2))
    assert np.allclose(median, 1 - 0.5 * (middle - 10.0))


def test_weighted_median():
    assert weighted_median([3.0, 1.0, 2.0], [1, 1, 1]) == 2.0
    assert weighted_median([1.0, 2.0, 3.0], [1, 1, 9]) == 3.0


def test_ages_from_scale_factors():
    assert stellar_ages(np.array([1.0, 0.5]))[0] == pytest.approx(0.0, abs=1e-6)
    assert stellar_ages(np.array([1.0, 0.5]))[1] == pytest.approx(7.93, abs=0.05)


def test_compare_finds_an_offset_and_leaves_out_what_is_not_finite():
    rng = np.random.default_rng(4)
    expected = rng.uniform(9, 11, 500)
    y = expected + 0.1 + rng.normal(0, 0.2, 500)
    y[:10] = np.nan
    found = compare("size", expected, y, expected, np.zeros(500, dtype=bool))
    assert found.n == 490
    assert found.offset == pytest.approx(0.1, abs=3 * found.offset_error)
    assert found.offset_error == pytest.approx(1.253 * 0.2 / np.sqrt(490), rel=0.3)
    assert found.scatter == pytest.approx(0.2, rel=0.1)


@pytest.fixture(scope="module")
def measured(smoke_universe):
    universe = FilesUniverse(smoke_universe.universe_dir / "output", simulation="embedded")
    ids = centrals(universe)
    return universe, measure(universe, ids)


def test_centrals_are_first_subhaloes_above_the_mass(measured):
    universe, table = measured
    first = np.asarray(universe.groups(["GroupFirstSub"])["GroupFirstSub"])
    assert np.isin(table["subhalo_id"], first).all()
    assert (table["m_star"].value >= 3e9).all()


def test_the_written_universe_follows_the_published_relations_where_it_is_drawn_from_them(measured):
    found = scaling_relations(measured[1])
    assert len(found) == 10
    # How far a median may lie from the published one, besides three errors of measurement. Stars have the metallicity
    # of TNG100's galaxies, which is above the observed one.
    allowed = {"stellar_metallicity": 0.12, "hi_size": 0.08, "gas_metallicity": 0.03, "concentration": 0.08}
    for name, limit in allowed.items():
        assert abs(found[name].offset) < limit + 3 * found[name].offset_error, name
    for name, comparison in found.items():
        assert comparison.scatter > 0.03, f"{name} has hardly any scatter"


def test_dark_matter_fractions_are_fractions_with_scatter(measured):
    f_dm = np.asarray(measured[1]["f_dm"])
    assert ((f_dm > 0) & (f_dm < 1)).all()
    assert 0.35 < np.median(f_dm) < 0.7 and f_dm.std() > 0.05


def test_gas_of_a_quiet_galaxy_turns_at_the_circular_speed(measured, smoke_universe):
    universe, table = measured
    drawn = embedded.population(smoke_universe).subhalos
    quiet = drawn["disturbed"][table["subhalo_id"]] == ""
    rich = np.flatnonzero(quiet & (table["n_hi"] > 150) & np.isfinite(table["r_hi"]))[:14]
    assert rich.size > 10
    ratios = np.array([rotation(universe, int(table["subhalo_id"][i])).agreement() for i in rich])
    # Each galaxy departs by its own 5 per cent.
    assert np.median(ratios) == pytest.approx(1.0, abs=0.04) and np.abs(ratios - 1.0).max() < 0.15


def test_agreement_and_departure_of_a_curve():
    radius, v_circ = np.array([1.0, 4.0, 7.0, 12.0]), np.full(4, 200.0)
    v_phi = np.array([-200.0, 190.0, 210.0, np.nan])
    curve = Rotation(0, 10.0, radius, v_phi, v_circ)
    assert curve.agreement() == pytest.approx(1.0)
    assert curve.departure() == pytest.approx(np.sqrt((4 + 0.05**2 + 0.05**2) / 3))
    assert np.isnan(Rotation(0, 0.5, radius, v_phi, v_circ).agreement())


def test_rotation_of_a_galaxy_without_hi_is_an_error_that_names_it(measured):
    universe, table = measured
    poor = int(table["subhalo_id"][np.argmin(table["n_hi"])])
    with pytest.raises(GalaxyError, match=f"subhalo {poor}"):
        rotation(universe, poor)
