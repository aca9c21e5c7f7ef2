"""The survey's pixels, blur and noise; and the images that networks read."""

import numpy as np
import pytest

from dmlib.observe import images as bands
from dmlib.observe.images import sdss
from dmlib.observe.images.light import ParticleLight
from dmlib.observe.images.published import box_view
from dmlib.observe.images.sdss import SdssLight, background, normalise, softening
from dmlib.observe.sky import SkyGrid
from image_toys import galaxy, stars

GRID = SkyGrid(64.0, 32)
RNG = np.random.default_rng(6)
TOY = galaxy(stars(RNG.normal(0, 3, (2000, 3)), magnitude=-15.5, hsml=2.0))


def test_sky_noise_has_a_second_source():
    """Noise from the survey's softening against that of the electrons of a sky of 20.86 mag/arcsec^2, in r."""
    electrons = 10 ** (-0.4 * 20.86) * sdss.PIXEL**2 * sdss.electrons_per_maggie()[2]
    assert np.sqrt(electrons) / sdss.electrons_per_maggie()[2] == pytest.approx(sdss.sky_noise()[2], rel=0.15)


def test_noise_of_a_patch_falls_with_its_side():
    side = sdss.PIXEL * bands.kpc_per_arcsec()
    flux = bands.to_maggies(sdss.patch_noise(side), side**2)
    np.testing.assert_allclose(flux, sdss.sky_noise())
    np.testing.assert_allclose(sdss.patch_noise(4 * side), sdss.patch_noise(side) / 4)


def test_seeing_is_worse_in_the_blue():
    width = sdss.seeing()
    assert width[2] == 1.32 and np.all(np.diff(width) < 0)


def test_blur_keeps_the_flux_and_has_its_width():
    survey = SdssLight(ParticleLight(), 1, noise=False)
    sky = survey.sky_grid(GRID)
    flux = np.zeros((*sky.shape, 5))
    middle = sky.pixels // 2
    flux[middle, middle] = 1.0
    out = survey.observe(flux, 7, 0)
    np.testing.assert_allclose(out.sum(axis=(0, 1)), 1.0, rtol=1e-6)
    offset = np.arange(sky.pixels) - middle
    variance = np.sum(out[..., 2].sum(axis=0) * offset**2)
    assert np.sqrt(8 * np.log(2) * variance) * sdss.PIXEL == pytest.approx(1.32, rel=0.01)


def test_noise_is_that_of_the_sky_and_of_the_source():
    survey = SdssLight(ParticleLight(), 1, psf=False)
    dark = survey.observe(np.zeros((300, 300, 5)), 7, 0)
    np.testing.assert_allclose(dark.std(axis=(0, 1)), sdss.sky_noise(), rtol=0.02)
    bright = np.zeros((300, 300, 5))
    bright[100:200, 100:200] = 1e-8
    lit = survey.observe(bright, 7, 0)[100:200, 100:200]
    expected = np.sqrt(sdss.sky_noise() ** 2 + 1e-8 / sdss.electrons_per_maggie())
    np.testing.assert_allclose(lit.std(axis=(0, 1)), expected, rtol=0.03)
    np.testing.assert_allclose(lit.mean(axis=(0, 1)), 1e-8, atol=0.05 * sdss.sky_noise().max())


def test_noise_depends_on_seed_galaxy_and_view_alone():
    survey, flux = SdssLight(ParticleLight(), 1), np.zeros((40, 40, 5))
    first = survey.observe(flux, 7, 0)
    np.testing.assert_array_equal(first, survey.observe(flux, 7, 0))
    for seed, subhalo_id, view in ((2, 7, 0), (1, 8, 0), (1, 7, 1)):
        changed = SdssLight(ParticleLight(), seed).observe(flux, subhalo_id, view)
        pair = [(noise / sdss.sky_noise()).ravel() for noise in (first, changed)]
        assert abs(np.corrcoef(pair)[0, 1]) < 0.05
    assert not flux.any()


def test_background_ignores_what_stands_out():
    image = np.random.default_rng(3).normal(5.0, 1.0, (200, 200, 1))
    image[:20, :20] += 100.0
    assert background(image)[0] == pytest.approx(5.0, abs=0.1)


@pytest.mark.parametrize("unit", ["Lsun/kpc2", "maggies/pixel"])
def test_observed_light_adds_up_to_the_ideal(unit):
    light = ParticleLight(dust=None, unit=unit)
    ideal = light.image(TOY, box_view(7), GRID)
    clean = SdssLight(light, 1, psf=False, noise=False).image(TOY, box_view(7), GRID)
    # The survey's pixels of 0.4 kpc do not fit into those of 2 kpc: what lies across an edge is shared by area.
    np.testing.assert_allclose(clean.sum(axis=(0, 1)), ideal.sum(axis=(0, 1)), rtol=1e-9)
    np.testing.assert_allclose(clean, ideal, atol=0.06 * ideal.max())
    seen = SdssLight(light, 1)
    assert seen.unit == unit and seen.bands == light.bands and seen.fields == light.fields
    observed = seen.image(TOY, box_view(7), GRID)
    np.testing.assert_allclose(observed.sum(axis=(0, 1)), ideal.sum(axis=(0, 1)), rtol=0.05)
    assert (observed < 0).any()


def test_bright_pixels_are_magnitudes_and_dark_ones_zero():
    level = softening("Lsun/kpc2", bands.UGRIZ, GRID)
    image = np.stack([0 * level, 1e3 * level, 1e4 * level, -1e3 * level])
    dark, bright, brighter, negative = normalise(image, "Lsun/kpc2", bands.UGRIZ, GRID)
    np.testing.assert_array_equal(dark, 0.0)
    np.testing.assert_allclose(brighter - bright, 1.0, atol=1e-5)
    np.testing.assert_allclose(negative, -bright)
    assert bright.dtype == np.float32


def test_units_and_pixels_do_not_change_what_the_network_reads():
    surface = np.full((4, 4, 5), 3e7)
    here = normalise(surface, "Lsun/kpc2", bands.UGRIZ, GRID)
    for grid in (GRID, SkyGrid(64.0, 128)):
        flux = bands.to_maggies(surface, grid.pixel_area)
        np.testing.assert_allclose(normalise(flux, "maggies/pixel", bands.UGRIZ, grid), here, rtol=1e-6)


def test_a_choice_of_bands():
    both = softening("Lsun/kpc2", ("g", "i"), GRID)
    np.testing.assert_array_equal(both, softening("Lsun/kpc2", bands.UGRIZ, GRID)[[1, 3]])
    with pytest.raises(ValueError, match="no softening"):
        softening("Jy", ("g",), GRID)


def test_softening_is_fainter_than_a_galaxys_edge():
    """Between 25 and 27 mag/arcsec^2 in g, r, i: the isophote by which the size of galaxies is measured lies above."""
    mu = bands.surface_magnitude(softening("Lsun/kpc2", bands.UGRIZ, GRID)[None, None])[0, 0]
    assert np.all((mu[1:4] > 25.0) & (mu[1:4] < 28.0))
