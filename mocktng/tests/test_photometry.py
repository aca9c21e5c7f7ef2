"""Light of stellar populations against an independent table, and its limits."""

from __future__ import annotations

import numpy as np
import pytest

from mocktng import photometry


def reference_ugriz(path):
    """Metallicities, log10 ages [yr] and AB magnitudes (Z, age, 5) of the table in the folder of real data."""
    raw = path.read_bytes()
    n_light, n_age, n_z = np.frombuffer(raw, "<i4", 3)
    values = np.frombuffer(raw, "<f8", offset=12)
    light = values[n_z + n_age :].reshape(n_z, n_age, n_light)
    sun = np.array([6.75, 5.33, 4.67, 4.48, 4.42])
    return values[:n_z], values[n_z : n_z + n_age], sun - 2.5 * light[:, :, 1:6]


@pytest.fixture(scope="module")
def difference(real_data):
    """Ours minus the reference, (Z, age, griz), and the ages [Gyr], for Z = 0.004, 0.008, 0.02."""
    metallicity, log_age, reference = reference_ugriz(real_data / "ssp" / "ssp_chabrier_ugriz.dat")
    log_grid = np.arange(6.7, 10.11, 0.05)
    rows = []
    for i in (2, 3, 4):
        ours = photometry.magnitudes(
            10 ** (log_grid - 9), np.full(log_grid.size, metallicity[i]), np.ones(log_grid.size)
        )
        theirs = np.column_stack([np.interp(log_grid, log_age, reference[i, :, band]) for band in range(1, 5)])
        rows.append(ours[:, 4:] - theirs)
    return 10 ** (log_grid - 9), np.array(rows)


def test_magnitudes_agree_with_a_chabrier_table(difference):
    age, delta = difference
    old = delta[:, age > 0.3]
    assert np.abs(np.median(old, axis=1)).max() < 0.08
    assert old.std(axis=1).max() < 0.13
    assert np.abs(delta[:, age > 0.02]).max() < 0.7


def test_colour_agrees_with_a_chabrier_table(difference):
    age, delta = difference
    colour = delta[:, age > 0.3, 0] - delta[:, age > 0.3, 1]
    assert abs(np.median(colour)) < 0.06
    assert np.abs(colour).max() < 0.17


def test_twice_the_mass_is_three_quarters_of_a_magnitude_brighter():
    one, two = photometry.magnitudes([5.0, 5.0], [0.02, 0.02], [1e6, 2e6])
    np.testing.assert_allclose(one - two, 2.5 * np.log10(2.0), atol=1e-5)


def test_old_and_metal_rich_populations_are_redder():
    young, old = photometry.magnitudes([0.1, 10.0], [0.02, 0.02], [1.0, 1.0])
    poor, rich = photometry.magnitudes([10.0, 10.0], [0.001, 0.02], [1.0, 1.0])
    g, r, b, k = (photometry.BANDS.index(band) for band in "grBK")
    assert (old - young)[g] > (old - young)[r] > 1.0
    assert (rich[b] - rich[k]) - (poor[b] - poor[k]) > 0.5


def test_values_outside_the_table_are_those_of_its_edge():
    log_age, log_z, _ = photometry.table()
    inside = photometry.magnitudes(10 ** (log_age[[0, -1]] - 9), 10 ** log_z[[-1, 0]], [1.0, 1.0])
    outside = photometry.magnitudes([0.0, 20.0], [0.2, 0.0], [1.0, 1.0])
    np.testing.assert_allclose(outside, inside, atol=1e-5)


def test_no_particles_give_an_empty_array_of_eight_columns():
    assert photometry.magnitudes(np.empty(0), np.empty(0), np.empty(0)).shape == (0, 8)


def test_remaining_fraction_falls_from_one():
    age = np.array([0.0, 0.01, 1.0, 10.0, 13.0])
    fraction = photometry.remaining_fraction(age)
    assert fraction[0] == 1.0
    assert (np.diff(fraction) < 0).all()
    assert fraction[3] == pytest.approx(0.556, abs=0.002)
