"""Particle light: kernels that lose nothing, luminosities, the view's handedness, and errors that name the galaxy."""

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given
from hypothesis import strategies as st

from dmlib.embedded import photometry
from dmlib.errors import GalaxyError
from dmlib.observe import images as bands
from dmlib.observe.hydrogen import SPLINE_DISPERSION
from dmlib.observe.images import BANDS, Band, ab_magnitudes
from dmlib.observe.images.light import ParticleLight, project, star_luminosities
from dmlib.observe.images.published import box_view
from dmlib.observe.images.sdss import SdssLight, normalise
from dmlib.observe.sky import SkyGrid, View, lines_of_sight
from dmlib.units import cosmology
from image_toys import galaxy, gas, stars

GRID = SkyGrid(32.0, 16)
BARE = ParticleLight(dust=None)
RNG = np.random.default_rng(8)


def reference_ugriz(path):
    """Metallicities, log10 ages [yr] and AB magnitudes (Z, age, 5) of the table in the folder of real data."""
    raw = path.read_bytes()
    n_light, n_age, n_z = np.frombuffer(raw, "<i4", 3)
    values = np.frombuffer(raw, "<f8", offset=12)
    light = values[n_z + n_age :].reshape(n_z, n_age, n_light)
    sun = np.array([6.75, 5.33, 4.67, 4.48, 4.42])
    return values[:n_z], values[n_z : n_z + n_age], sun - 2.5 * light[:, :, 1:6]


def one(x, y, size, grid=GRID):
    return project(np.array([x]), np.array([y]), np.array([size]), np.ones((1, 1)), grid)[..., 0]


@given(st.floats(-9, 9), st.floats(-9, 9), st.floats(0, 6.9))
def test_all_flux_of_a_particle_inside_is_in_the_image(x, y, size):
    assert one(x, y, size).sum() == pytest.approx(1.0, abs=1e-12)


@given(st.floats(-20, 20), st.floats(-20, 20), st.floats(0, 30))
def test_over_the_edge_there_is_what_falls_inside(x, y, size):
    wide = SkyGrid(96.0, 48)
    np.testing.assert_allclose(one(x, y, size), one(x, y, size, wide)[16:32, 16:32], atol=1e-13)


def test_a_point_is_in_its_pixel():
    image = one(0.5, -2.5, 0.0)
    assert image[6, 8] == pytest.approx(1.0) and image.sum() == pytest.approx(1.0)


def test_kernel_has_the_dispersion_of_the_cubic_spline():
    q = (np.arange(100000) + 0.5) / 100000
    spline = np.where(q < 0.5, 1 - 6 * q**2 + 6 * q**3, 2 * (1 - q) ** 3)
    dispersion = np.sqrt(np.sum(spline * q**4) / np.sum(spline * q**2) / 3)
    assert pytest.approx(dispersion, rel=1e-5) == SPLINE_DISPERSION
    fine = SkyGrid(20.0, 400)
    image = one(0.0, 0.0, 9.0, fine)
    measured = np.sqrt(np.sum(image.sum(axis=0) * fine.centres**2))
    # The cut at the support takes 0.4 per cent.
    assert measured == pytest.approx(9.0 * SPLINE_DISPERSION, rel=6e-3)


def test_image_does_not_depend_on_the_pixels():
    rng = np.random.default_rng(1)
    x, y = rng.normal(0, 4, (2, 200))
    size, weight = rng.uniform(0.1, 5, 200), rng.random((200, 2))
    coarse = project(x, y, size, weight, GRID)
    fine = project(x, y, size, weight, SkyGrid(32.0, 64))
    np.testing.assert_allclose(fine.reshape(16, 4, 16, 4, 2).sum(axis=(1, 3)), coarse, atol=1e-11)


def test_a_star_of_the_suns_magnitude_has_a_solar_luminosity():
    np.testing.assert_allclose(bands.luminosity(bands.per_band("m_sun")), 1.0)
    np.testing.assert_allclose(bands.absolute_magnitude(bands.luminosity(np.full(5, -20.0))), -20.0)


def test_columns_of_tng_photometrics():
    eight = np.arange(8.0)[None]
    np.testing.assert_allclose(ab_magnitudes(eight), [[0.79, 4.0, 5.0, 6.0, 7.0]])


def test_units_of_the_image_agree():
    toy = galaxy(stars([[0.0, 0.0, 0.0], [3.0, 1.0, -2.0]], magnitude=-15.0))
    surface = BARE.image(toy, box_view(7), GRID)
    assert surface.shape == (16, 16, 5)
    np.testing.assert_allclose(surface.sum(axis=(0, 1)) * GRID.pixel_area, star_luminosities(toy).sum(axis=0))
    flux = ParticleLight(dust=None, unit="maggies/pixel").image(toy, box_view(7), GRID)
    np.testing.assert_allclose(flux, bands.to_maggies(surface, GRID.pixel_area))
    np.testing.assert_allclose(bands.from_maggies(flux, GRID.pixel_area), surface)
    apparent = -2.5 * np.log10(flux[..., 2].sum())
    modulus = cosmology().distmod(bands.REDSHIFT).to_value(u.mag)
    assert apparent == pytest.approx(-15.0 - 2.5 * np.log10(2) + modulus, abs=1e-6)


def test_surface_brightness_has_its_textbook_value():
    # 1 Lsun/pc^2 is M_sun + 21.572 mag/arcsec^2, and fainter by 10 log10(1 + z).
    mu = bands.surface_magnitude(np.full((1, 1, 5), 1e6))
    expected = bands.per_band("m_sun") + 21.572 + 10 * np.log10(1 + bands.REDSHIFT)
    np.testing.assert_allclose(mu[0, 0], expected, atol=1e-3)


def test_pixel_of_the_published_images_is_that_of_the_sdss():
    # The files say 0.38865 kpc; their cosmology differs by two parts in ten thousand.
    assert 0.396 * bands.kpc_per_arcsec() == pytest.approx(0.38865, rel=5e-4)


def test_right_is_x_and_up_is_y_of_the_view():
    toy = galaxy(stars([[9.0, 0.0, 0.0], [0.0, 5.0, 0.0]], hsml=0.1))
    row, column = np.nonzero(BARE.image(toy, box_view(7), GRID)[..., 1])
    assert {(8, 12), (7, 12)} & set(zip(row, column, strict=True))
    assert {(10, 8), (10, 7)} & set(zip(row, column, strict=True))
    quarter = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    turned = BARE.image(toy, View(7, 0, quarter, np.nan, np.nan), GRID)[..., 1]
    assert turned[:8, 7:9].sum() > 0 and turned[7:9, 10].sum() > 0


def test_bare_light_is_the_same_from_all_sides():
    rng = np.random.default_rng(2)
    toy = galaxy(stars(rng.normal(0, 2, (300, 3))))
    totals = [BARE.image(toy, view, GRID).sum() for view in lines_of_sight(7, None, seed=1)]
    np.testing.assert_allclose(totals, totals[0], rtol=1e-6)


def test_sources_say_what_they_read():
    assert set(BARE.fields) == {"stars"}
    assert "GFM_Metallicity" in ParticleLight().fields["gas"]
    with pytest.raises(ValueError, match="maggies"):
        ParticleLight(unit="Jy")


def test_no_stars_and_damaged_stars_are_named():
    with pytest.raises(GalaxyError, match="subhalo 7 has no stars"):
        BARE.image(galaxy(), box_view(7), GRID)
    broken = stars(np.zeros((3, 3)))
    broken.extra["GFM_StellarPhotometrics"][1, 4] = np.nan
    with pytest.raises(GalaxyError, match="subhalo 7: star field GFM_StellarPhotometrics holds 1"):
        BARE.image(galaxy(broken), box_view(7), GRID)


def test_u_made_from_buser_u_against_a_table_of_sdss_u(shared_data):
    """What the offset 0.79 costs: from 0.3 to 12.6 Gyr, u - r is within 0.3 mag of an independent table."""
    metallicity, log_age, reference = reference_ugriz(shared_data / "ssp" / "ssp_chabrier_ugriz.dat")
    grid = np.arange(8.5, 10.11, 0.1)
    differences = []
    for i in (2, 3, 4):
        ours = ab_magnitudes(
            photometry.magnitudes(10 ** (grid - 9), np.full(grid.size, metallicity[i]), np.ones(grid.size))
        )
        theirs = np.column_stack([np.interp(grid, log_age, reference[i, :, band]) for band in range(5)])
        differences.append((ours[:, 0] - ours[:, 2]) - (theirs[:, 0] - theirs[:, 2]))
    assert abs(np.median(differences)) < 0.1
    assert np.abs(differences).max() < 0.3


def test_a_band_is_one_row(monkeypatch):
    """A new band is drawn, dimmed by dust, seen by the SDSS and scaled for the network; only its row is new."""
    monkeypatch.setitem(BANDS, "V", Band(551.0, 4.81, 2, -0.02, width=88.0, softening=1e-10, sensitivity=0.09))
    toy = galaxy(stars(RNG.normal(0, 3, (200, 3))), gas(np.zeros((1, 3)), mass=1e8))
    light = ParticleLight(bands=("u", "V", "z"), unit="maggies/pixel")
    image = SdssLight(light, 1).image(toy, box_view(7), GRID)
    assert image.shape == (16, 16, 3)
    bare = ParticleLight(dust=None, bands=light.bands).image(toy, box_view(7), GRID)
    expected = 200 * 10 ** (-0.4 * (-10.0 - 0.02 - 4.81)) / GRID.pixel_area
    assert bare[..., 1].sum() == pytest.approx(expected, rel=1e-2)
    network = normalise(image, light.unit, light.bands, GRID)
    assert network.shape == image.shape and np.isfinite(network).all()
