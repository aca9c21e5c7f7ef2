"""Files for SKIRT: spectra that have the magnitudes they are made from, band curves, tables, columns."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import skirt_schema
from dmlib.embedded import photometry
from dmlib.observe.images import BANDS, UGRIZ, ab_magnitudes
from dmlib.observe.images.dust import extinction_curve
from dmlib.observe.skirt import PACKET_RANGE, SkirtError, SkirtSettings, tables
from dmlib.observe.skirt.export import within
from fake_skirt import cut, interpolate, power_law_integrals, read_stored_table
from skirt_toys import Columns

#: Flux of AB magnitude 0 at 10 pc as a luminosity, typed anew: 4 pi (3.0856776e17 m)^2 times 3631e-26 W/m^2/Hz.
AB = 4 * np.pi * 3.08567758e17**2 * 3631e-26
C = 2.99792458e8


def measured(wavelength, luminosity, band):
    """AB magnitude of a spectrum [micron, W/m] through one of our bands, by a fine trapezium rule."""
    x, t = tables.band_curve(band)
    fine = np.linspace(x[0], x[-1], 4001)
    level = np.exp(np.interp(np.log(fine), np.log(wavelength), np.log(luminosity)))
    response = np.interp(fine, x, t)
    mean = np.trapezoid(level * response, fine) / np.trapezoid(response, fine)
    pivot2 = np.trapezoid(response, fine) / np.trapezoid(response / fine**2, fine) * 1e-12
    return -2.5 * np.log10(mean * pivot2 / C / AB)


@settings(max_examples=30)
@given(st.lists(st.floats(-25, 10), min_size=5, max_size=5))
def test_a_spectrum_has_the_magnitudes_that_it_is_made_from(magnitudes):
    wavelength, luminosity = tables.spectrum(np.array(magnitudes))
    found = [measured(wavelength, luminosity, band) for band in UGRIZ]
    np.testing.assert_allclose(found, magnitudes, atol=2e-4)


def test_bands_have_the_pivots_of_the_sdss_and_do_not_overlap():
    sides = [tables.edges(band) for band in UGRIZ]
    assert all(low[1] < high[0] for low, high in pairwise(sides))
    for band, (low, high) in zip(UGRIZ, sides, strict=True):
        assert np.sqrt(low * high) * 1e3 == pytest.approx(BANDS[band].wavelength, rel=1e-9)
        # As SKIRT measures it on the points of the file.
        assert tables.pivot(*tables.band_curve(band)) * 1e3 == pytest.approx(BANDS[band].wavelength, rel=1e-5)
    assert PACKET_RANGE[0] < sides[0][0] and PACKET_RANGE[1] > sides[-1][1]
    assert tables.SPECTRUM_RANGE[0] < PACKET_RANGE[0]
    assert tables.SPECTRUM_RANGE[1] > PACKET_RANGE[1]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Axes and values of the table of populations, read by the stand-in's own reader."""
    folder = tmp_path_factory.mktemp("skirt")
    tables.write_tables(folder, SkirtSettings(library="self-contained"))
    return read_stored_table(folder / "population.stab")


def test_the_table_gives_the_particle_lights_magnitudes(table):
    rng = np.random.default_rng(1)
    age, metallicity = 10 ** rng.uniform(5, 10.3, 300), 10 ** rng.uniform(-5, -1, 300)
    spectra = interpolate(*table, metallicity, age)
    found = [[measured(table[0][0] * 1e6, row, band) for band in UGRIZ] for row in spectra]
    expected = ab_magnitudes(photometry.magnitudes(age / 1e9, metallicity, np.ones(300)))
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_no_star_that_is_written_is_dark(table):
    extremes = np.array([0.0, 1e-12, 0.02, 1.0])
    metallicity = within(extremes, tables.METALLICITY_LIMITS)
    for age in within(np.array([0.0, 1e9, 1e12]), tables.AGE_LIMITS):
        assert np.all(interpolate(*table, metallicity, np.full(4, age)) > 0)
    # The limits themselves would be.
    assert np.all(interpolate(*table, np.array([tables.METALLICITY_LIMITS[0]]), np.array([1e9])) == 0)


def test_integrals_of_the_stand_in_are_those_of_power_laws():
    x = np.array([1.0, 2.0, 3.0, 5.0])
    y = np.array([[1.0, 0.5, 0.5, 4.0]])
    grid, level = cut(x, y, 1.2, 4.5)
    pieces = power_law_integrals(grid, level)
    for k in range(len(grid) - 1):
        fine = np.linspace(grid[k], grid[k + 1], 20001)
        curve = np.exp(np.interp(np.log(fine), np.log(x), np.log(y[0])))
        assert pieces[0, k] == pytest.approx(np.trapezoid(curve, fine), rel=1e-6)


def test_columns_come_back_with_units(tmp_path):
    path = tmp_path / "c.txt"
    tables.write_columns(path, "two of them", {("position x", "pc"): [1.5, -2e-7], ("metallicity", "1"): [0.02, 0.0]})
    found = Columns(path)
    assert tuple(found) == ("position x", "metallicity") and found.units == ("pc", "1")
    np.testing.assert_allclose(found["position x"], [1.5, -2e-7])
    lines = path.read_text().splitlines()
    assert [bool(skirt_schema.HEADER.fullmatch(line)) for line in lines[:3]] == [False, True, True]


def test_values_that_are_not_finite_are_named(tmp_path):
    with pytest.raises(SkirtError, match=r"c\.txt: column 'age' holds values that are not finite"):
        tables.write_columns(tmp_path / "c.txt", "", {("mass", "Msun"): [1.0, 2.0], ("age", "yr"): [1.0, np.nan]})


def test_dust_is_that_of_the_milky_way(tmp_path):
    wavelength, extinction, albedo, cosine = tables.dust_mix().values()
    # From m^2 per kg of dust to 1e-22 cm^2 per hydrogen nucleus, which has 1.87e-29 kg of it.
    section = extinction * 1.87e-29 * 1e4 * 1e22
    assert np.all(np.diff(wavelength) > 0) and np.all((albedo > 0) & (albedo < 1)) and np.all(np.abs(cosine) < 1)
    assert wavelength[0] < PACKET_RANGE[0] and wavelength[-1] > PACKET_RANGE[1]
    # A_V of 1 mag for 1.87e21 atoms/cm^2 (Bohlin et al. 1978 with R_V = 3.1), and the law of Cardelli et al. (1989).
    a_v = 2.5 / np.log(10) * 1e-22 * np.interp(0.55, wavelength, section)
    assert a_v == pytest.approx(1 / 1.87e21, rel=0.03)
    inside = (wavelength > 0.32) & (wavelength < 1.0)
    law = section[inside] / np.interp(0.55, wavelength, section)
    np.testing.assert_allclose(law, extinction_curve(1e3 * wavelength[inside]), rtol=0.08)
