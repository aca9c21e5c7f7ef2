"""Reading HI cubes of any telescope, and putting them in the place of a simulated galaxy."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from analytic_disc import SPIN, disc
from dmlib.errors import GalaxyError
from dmlib.observe.cube import HISettings
from dmlib.observe.cube_fits import HI_FREQUENCY, CubeError, read_cube, write_fits
from dmlib.observe.degrade import degrade
from dmlib.observe.deposit import observe
from dmlib.observe.moments import integrated_flux, moment_maps, moments
from dmlib.observe.sky import SkyGrid, View, orientation, rotation_to

GRID = SkyGrid(128.0, 64)
C = 299792.458


@pytest.fixture(scope="module")
def simulated():
    rotation = rotation_to(SPIN, 60.0, 40.0)
    return observe(disc(n=20000), View(1, 0, rotation, *orientation(rotation, SPIN)), GRID, HISettings(), seed=1)


@pytest.fixture
def file(simulated, tmp_path):
    """A function that writes the cube with a changed header or changed data, and says where."""

    def write(change=None, **cards):
        path = tmp_path / "cube.fits"
        write_fits(simulated, path)
        with fits.open(path) as old:
            header, data = old[0].header.copy(), old[0].data.copy()
        for key, value in cards.items():
            if value is None:
                header.remove(key)
            else:
                header[key] = value
        if change is not None:
            data, header = change(data, header)
        fits.PrimaryHDU(data, header).writeto(path, overwrite=True)
        return path

    return write


def test_our_own_cube_comes_back(simulated, file):
    cube = read_cube(file())
    np.testing.assert_allclose(cube.data, simulated.data, atol=1e-8)
    np.testing.assert_allclose(cube.velocities, simulated.velocities + simulated.settings.v_systemic, atol=1e-6)
    assert cube.pixel == pytest.approx(simulated.pixel) and cube.beam.major == pytest.approx(15.0)
    assert cube.noise == pytest.approx(3e-4, rel=0.1) and cube.notes == ()
    assert cube.surface_density == pytest.approx(simulated.surface_density)


def _kelvin(data, header):
    area = np.pi * 15.0**2 / (4 * np.log(2)) * np.radians(1 / 3600) ** 2
    frequency = HI_FREQUENCY * (1 - (header["CRVAL3"] + 50 * header["CDELT3"]) / (C * 1e3))  # as observed
    factor = 1e-26 * (C * 1e3 / frequency) ** 2 / (2 * 1.380649e-23 * area)
    header["BUNIT"] = "K"
    return data * factor, header


def _frequency(data, header):
    velocity = (header["CRVAL3"] + (np.arange(len(data)) + 1 - header["CRPIX3"]) * header["CDELT3"]) / 1e3
    frequency = HI_FREQUENCY * (1 - velocity / C)
    header["CTYPE3"], header["CUNIT3"] = "FREQ", "Hz"
    header["CRVAL3"], header["CRPIX3"], header["CDELT3"] = frequency[0], 1.0, frequency[1] - frequency[0]
    return data, header


def _kilometres(data, header):
    for key in ("CRVAL3", "CDELT3"):
        header[key] /= 1e3
    header["CUNIT3"] = "km/s"
    return data, header


def _without_unit(data, header):
    del header["CUNIT3"]
    return data, header


def _falling(data, header):
    header["CRPIX3"], header["CDELT3"] = len(data) + 1 - header["CRPIX3"], -header["CDELT3"]
    return data[::-1], header


def _stokes(data, header):
    header["CTYPE4"], header["CRVAL4"], header["CRPIX4"], header["CDELT4"] = "STOKES", 1.0, 1.0, 1.0
    return data[None], header


def _east_to_the_right(data, header):
    header["CDELT1"], header["CRPIX1"] = -header["CDELT1"], data.shape[2] + 1 - header["CRPIX1"]
    return data[:, :, ::-1], header


def _other_order(data, header):
    moved = header.copy()
    for name in ("CTYPE", "CUNIT", "CRVAL", "CRPIX", "CDELT"):
        moved[f"{name}1"], moved[f"{name}2"], moved[f"{name}3"] = (
            header[f"{name}3"],
            header[f"{name}1"],
            header[f"{name}2"],
        )
    return np.ascontiguousarray(np.moveaxis(data, 0, 2)), moved


def _history(data, header):
    for key in ("BMAJ", "BMIN", "BPA"):
        del header[key]
    header["HISTORY"] = f"AIPS   CLEAN BMAJ=  {15 / 3600:.4E} BMIN=  {15 / 3600:.4E} BPA=   0.00"
    return data, header


@pytest.mark.parametrize(
    "change",
    [
        _kelvin,
        _frequency,
        _kilometres,
        _without_unit,
        _falling,
        _stokes,
        _east_to_the_right,
        _other_order,
        _history,
    ],
)
def test_every_form_gives_the_same_cube(simulated, file, change):
    cube = read_cube(file(change))
    np.testing.assert_allclose(cube.data, simulated.data, atol=1e-4 * simulated.data.max())
    np.testing.assert_allclose(cube.velocities, simulated.velocities + simulated.settings.v_systemic, atol=0.05)
    assert cube.beam.major == pytest.approx(15.0, rel=1e-3)
    assert bool(cube.notes) == (change is _without_unit)
    # North is up and West is right.
    place = SkyCoord(360.0 - 10.0 / 3600, 20.0 / 3600, unit="deg")
    assert cube.offset_of(place) == pytest.approx((10.0, 20.0), rel=1e-3)


def _two_stokes(data, header):
    data, header = _stokes(data, header)
    return np.concatenate([data, data]), header


def _no_beam(data, header):
    del header["BMAJ"], header["BMIN"]
    return data, header


@pytest.mark.parametrize(
    ("change", "cards", "message"),
    [
        (_two_stokes, {}, "2 planes along STOKES"),
        (_no_beam, {}, "does not give its beam"),
        (None, {"BUNIT": "W/m2"}, "Jy/beam or K is needed; set BUNIT"),
        (None, {"CTYPE3": "STEP"}, "no velocity or frequency axis"),
        (None, {"CTYPE1": "X", "CTYPE2": "Y"}, "no right ascension axis"),
        (None, {"CUNIT3": "furlong"}, "furlong"),
        (None, {"CDELT2": 0.01}, "regrid it to square ones"),
        (None, {"CDELT3": 0.0}, "how wide its channels are"),
        (lambda d, h: (np.full_like(d, np.nan), h), {}, "blank everywhere"),
        (lambda d, h: (d[:2], h), {}, "2 channels"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_mend(file, change, cards, message):
    with pytest.raises(CubeError, match=message) as caught:
        read_cube(file(change, **cards))
    assert "cube.fits" in str(caught.value)


def test_another_line_is_refused(file):
    def carbon(data, header):
        data, header = _frequency(data, header)
        header["RESTFRQ"] = 1.15271e11
        return data, header

    with pytest.raises(CubeError, match="not of HI"):
        read_cube(file(carbon))


def test_no_fits_file_is_refused(tmp_path):
    path = tmp_path / "page.fits"
    path.write_text("<html>not found</html>")
    with pytest.raises(CubeError, match=r"page\.fits cannot be read as FITS"):
        read_cube(path)
    fits.PrimaryHDU().writeto(tmp_path / "empty.fits")
    with pytest.raises(CubeError, match="holds no image"):
        read_cube(tmp_path / "empty.fits")


def test_a_missing_beam_can_be_given(file):
    assert read_cube(file(_no_beam), beam=(20.0, 10.0, 30.0)).beam.minor == 10.0


def test_blank_pixels_are_no_emission(simulated, file):
    def blank(data, header):
        data = data.copy()
        data[:, :, :20] = np.nan
        return data, header

    cube = read_cube(file(blank))
    assert not cube.valid[:, :20].any() and cube.valid[:, 20:].all()
    assert np.isnan(moments(cube)[0][:, :20]).all()


def test_moments_are_those_of_the_simulated_pipeline(simulated, file):
    maps = moment_maps(simulated)
    surface, velocity, dispersion = moments(read_cube(file()))
    both = maps.seen & np.isfinite(surface)
    assert both.sum() > 0.85 * max(maps.seen.sum(), np.isfinite(surface).sum())
    v_sys = simulated.settings.v_systemic
    assert np.median(np.abs(surface - maps.surface_density)[both]) < 0.02
    assert np.median(np.abs(velocity - v_sys - maps.velocity)[both]) < 1.0
    assert np.median(np.abs(dispersion - maps.dispersion)[both]) < 1.0


def test_moving_a_galaxy_to_where_it_was_changes_little(simulated, file):
    sky = read_cube(file(), additive=True)
    settings = simulated.settings
    moved = degrade(sky, settings.distance, (0.0, 0.0), settings.v_systemic, GRID, settings, seed=3)
    np.testing.assert_allclose(moved.data, simulated.data, atol=6e-4)
    assert moved.notes == ()


def test_a_nearby_galaxy_looks_as_it_would_from_afar(tmp_path):
    """The same disc observed from 10 Mpc with a small beam and narrow channels, then moved to 70 Mpc."""
    rotation = rotation_to(SPIN, 60.0, 40.0)
    view = View(1, 0, rotation, *orientation(rotation, SPIN))
    near = HISettings(distance=10.0, beam=40.0, channel_width=4.0, noise=1e-3)
    write_fits(observe(disc(n=20000), view, SkyGrid(100.0, 100), near, seed=1), tmp_path / "near.fits")
    far = HISettings()
    moved = degrade(
        read_cube(tmp_path / "near.fits", additive=True), 10.0, (0.0, 0.0), near.v_systemic, GRID, far, seed=3
    )
    expected, again = (moment_maps(observe(disc(n=20000), view, GRID, far, seed=seed)) for seed in (5, 6))
    found = moment_maps(moved)
    both = expected.seen & found.seen
    assert both.sum() > 0.85 * max(expected.seen.sum(), found.seen.sum())
    assert found.m_hi == pytest.approx(expected.m_hi, rel=0.03)
    off = (found.velocity - expected.velocity)[both]  # both have noise of their own
    assert np.median(np.abs(off)) < 5.0 and abs(np.median(off)) < 1.0
    bright = both & (expected.surface_density > 1.0)
    # The same galaxy observed twice from afar differs by its noise alone: the measure of what may differ here.
    noise = np.nanmedian(np.abs(again.surface_density / expected.surface_density - 1)[bright])
    assert np.median(np.abs(found.surface_density / expected.surface_density - 1)[bright]) < 1.4 * noise
    assert np.median(np.abs(found.dispersion - expected.dispersion)[bright]) < 3.0
    empty = moved.data[:5]
    assert np.std(empty) == pytest.approx(far.noise, rel=0.1)
    assert any("field of view" in note for note in moved.notes)


def test_detail_is_not_invented(file):
    sky = read_cube(file(), additive=True)
    with pytest.raises(GalaxyError, match="its beam is 10"):
        degrade(sky, 140.0, (0.0, 0.0), sky.velocities.mean(), GRID, HISettings(), seed=1)
    with pytest.raises(GalaxyError, match=r"channels are 10\.0 km/s"):
        degrade(sky, 70.0, (0.0, 0.0), sky.velocities.mean(), GRID, HISettings(channel_width=5.0), seed=1)


def test_the_real_cube(shared_data):
    path = shared_data / "hi_cubes" / "NGC2903_WSRT_WHISP_pyFAT.fits"
    if not path.is_file():
        pytest.skip("the WHISP cube is not in the mirror")
    cube = read_cube(path)
    assert cube.beam.major == pytest.approx(57.4, abs=0.1) and cube.channel_width == pytest.approx(4.13, abs=0.01)
    assert cube.velocities[0] < 556 < cube.velocities[-1]
    assert 2.36e5 * 6.6**2 * integrated_flux(cube) == pytest.approx(
        2.55e9, rel=0.15
    )  # SPARC's mass at SPARC's distance
