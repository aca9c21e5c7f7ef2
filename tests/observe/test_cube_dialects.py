"""Headers as telescopes and programs write them: read with the right numbers, or refused in a sentence."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from dmlib.observe.cube import SURFACE_DENSITY
from dmlib.observe.cube_fits import CubeError, CutOut, read_cube
from dmlib.observe.cube_pixels import unit_of
from dmlib.observe.sky_cube import galaxy_emission
from sky_checks import DISC, STEP, history, same, stokes_third, turned
from sky_disc import HI, SkyDisc, header_of, write

DISC_HEADER = header_of((12, 40, 40), 5.0, (15.0, 15.0, 0.0), "VRAD", 4700.0, 10.0)


@pytest.fixture(scope="module")
def seen():
    return DISC.cube(size=40, channels=45)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cube.fits"


@pytest.mark.parametrize("form", ["CROTA", "PC", "CD"])
def test_a_turned_map_is_turned_back(path, seen, form):
    write(path, *seen, turned(20.0, form))
    same(path, notes=["turned by"])


@pytest.mark.parametrize("angle", [90.0, 180.0, -90.0])
def test_quarter_turns_need_no_resampling(path, seen, angle):
    write(path, *seen, turned(angle, "CROTA"))
    same(path)


_KM = {"CUNIT3": "km/s", "CDELT3": 10.0, "CRVAL3": 4741.8 - 220.0}
_MATRIX = {"PC1_1": -STEP, "PC2_2": STEP, "PC3_3": 1e4, "CDELT1": 1.0, "CDELT2": 1.0, "CDELT3": 1.0}
_CD = {"CDELT1": None, "CDELT2": None, "CD1_1": -STEP, "CD2_2": STEP}
_ARCSEC = {"CUNIT1": "arcsec", "CUNIT2": "arcsec", "CDELT1": -5.0, "CDELT2": 5.0, "CRVAL1": 5.4e5, "CRVAL2": 7.2e4}


@pytest.mark.parametrize(
    ("cards", "notes"),
    [
        ({}, []),
        (_MATRIX, []),
        (_CD, []),
        (_CD | {"CDELT3": None, "CD3_3": 1e4}, []),
        (_ARCSEC, []),
        ({"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN"}, []),
        ({"CTYPE1": "ra---tan", "CTYPE2": "dec--tan", "CTYPE3": "vrad"}, []),
        ({"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"}, ["galactic North"]),
        ({"CUNIT1": "DEGREE", "CUNIT2": "DEGREE", "CUNIT3": "M/S"}, []),
        (_KM, []),
        (_KM | {"CUNIT3": "km.s-1"}, []),
        (_KM | {"CUNIT3": None}, ["km/s is taken"]),
        ({"CUNIT3": None}, ["m/s is taken"]),
        ({"RESTFRQ": None, "RESTFREQ": HI / 1e6}, ["taken in MHz"]),
        ({"RESTFRQ": None}, ["that of HI is taken"]),
        ({"SPECSYS": None}, ["frame of the velocities"]),
        ({"SPECSYS": "TOPOCENT"}, ["topocentric"]),
        ({"RADESYS": "J2000"}, []),
        ({"RADESYS": None, "EQUINOX": "J2000"}, []),
        ({"CTYPE3": "VELO-HEL"}, ["radio or optical"]),
        ({"CTYPE3": "VELO-HEL", "VELREF": 258}, []),
        ({"CTYPE3": "VRAD-LSR", "SPECSYS": None}, []),
        ({"CTYPE3": "VELOCITY"}, ["radio or optical"]),
        ({"CTYPE3": "VELO-TOP", "SPECSYS": None}, ["topocentric", "radio or optical"]),
        ({"BMIN": None, "BPA": None}, []),
        ({"BMAJ": str(15 / 3600)}, []),
        ({"BUNIT": "beam-1 Jy"}, []),
        ({"BUNIT": "Jy beam^-1"}, []),
        ({"BUNIT": "JY/BEAM"}, []),
    ],
    ids=lambda value: " ".join(map(str, value.items())) if isinstance(value, dict) else "",
)
def test_cards_in_every_usual_form(path, seen, cards, notes):
    write(path, *seen, **cards)
    same(path, notes=notes)


def test_the_header_that_astropy_writes(path, seen):
    data, header = seen
    new = WCS(header).to_header()
    new.update({key: header[key] for key in ("BUNIT", "BMAJ", "BMIN", "BPA")})
    write(path, data, new)
    same(path)


def test_declination_may_come_first(path, seen):
    data, header = seen
    swapped = header.copy()
    for name in ("CTYPE", "CUNIT", "CRVAL", "CRPIX", "CDELT"):
        swapped[f"{name}1"], swapped[f"{name}2"] = header[f"{name}2"], header[f"{name}1"]
    write(path, data.transpose(0, 2, 1), swapped)
    same(path)


def test_where_the_map_points_is_known_in_any_frame(path, seen):
    """The angle by which position angles on an image differ from those on a map in galactic coordinates."""
    write(path, *seen, CTYPE1="GLON-TAN", CTYPE2="GLAT-TAN")
    here, above = (SkyCoord(150.0, 20.0 + up, unit="deg", frame="galactic").icrs for up in (0.0, 0.001))
    assert read_cube(path).north(0.0, 0.0) == pytest.approx(here.position_angle(above).deg, abs=0.05)
    write(path, *seen)
    assert np.cos(np.radians(read_cube(path).north(30.0, 20.0))) == pytest.approx(1.0, abs=1e-6)


def wavelengths(kind):
    """A change from frequencies to another axis of the same channels."""

    def change(data, header):
        middle = (len(data) - 1) // 2
        f = header["CRVAL3"] + header["CDELT3"] * middle
        per_hz = header["CDELT3"] / f  # relative width of a channel
        index = 1.0002726  # of air
        z = HI / f - 1.0
        beta = ((1 + z) ** 2 - 1) / ((1 + z) ** 2 + 1)
        values = {
            "WAVE": (299792458.0 / f, "m", 299792458.0 / f),
            "AWAV": (299792458.0 / f / index, "m", 299792458.0 / f / index),
            "ZOPT": (z, "", 1 + z),
            "BETA": (beta, "", 1 - beta**2),
        }
        value, unit, scale = values[kind]
        header.update({"CTYPE3": kind, "CRVAL3": value, "CRPIX3": middle + 1.0, "CDELT3": -scale * per_hz})
        header["CUNIT3"] = unit
        return data, header

    return change


@pytest.mark.parametrize("kind", ["WAVE", "AWAV", "ZOPT", "BETA"])
def test_axes_of_wavelength_and_redshift(path, kind):
    data, header, _ = frequencies()
    write(path, data, header, wavelengths(kind))
    sky = read_cube(path)
    assert np.median(sky.velocities) == pytest.approx(299792.458 * sky.redshift(np.median(sky.velocities)), rel=0.02)
    density, velocity, _ = galaxy_emission(sky).moments()
    z = sky.redshift(float(np.nanmedian(velocity)))
    assert z == pytest.approx(1 / (1 - 4741.8 / 299792.458) - 1, abs=1e-5)
    assert np.nansum(density) * sky.pixel**2 / SURFACE_DENSITY == pytest.approx(40.0, rel=0.03)


def test_channels_whose_width_changes_are_refused(path, seen):
    header = seen[1].copy()
    header.update({"CTYPE3": "VOPT-F2W", "CRVAL3": 1e6, "CDELT3": 1e5})
    write(path, np.random.default_rng(1).normal(0, 1e-3, (120, 10, 10)).astype("f4"), header)
    with pytest.raises(CubeError, match=r"channels of .* to .* km/s: read those of the galaxy alone"):
        read_cube(path)


@pytest.mark.parametrize(("unit", "factor"), [("uJy/beam", 1e6), ("mJy/beam", 1e3), ("Jy/pixel", 25 / 254.97)])
def test_units_of_brightness(path, seen, unit, factor):
    data, header = seen
    write(path, data * factor, header, BUNIT=unit)
    same(path)


def test_kelvin_with_a_remark(path, seen):
    data, header = seen
    area = np.pi * 225 / 4 / np.log(2) * u.arcsec**2
    kelvin = (1 * u.Jy).to(u.K, u.brightness_temperature(HI * (1 - 4741.8 / 299792.458) * u.Hz, area)).value
    write(path, data * kelvin, header, BUNIT="K (Tmb)")
    same(path)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        *(("Jy.beam-1", u.Jy / u.beam), ("jy/bm", u.Jy / u.beam), ("[Jy/beam]", u.Jy / u.beam)),
        *(("kms-1", u.km / u.s), ("KM/S", u.km / u.s), ("DEGREE  ", u.deg), ("KELVIN", u.K), ("MJy/sr", u.MJy / u.sr)),
    ],
)
def test_spellings_of_units(text, unit):
    assert unit_of(text) == unit


def width_and_flux(path, kind, v_sys):
    """Width of the velocities in the galaxy [km/s], flux in radio velocities [Jy km/s], and redshift."""
    disc = SkyDisc(v_sys=v_sys, r_max=50.0, scale=15.0, clouds=8000)
    write(path, *disc.cube(size=40, channels=45, kind=kind))
    sky = read_cube(path)
    density, velocity, _ = galaxy_emission(sky).moments()
    middle = float(np.nanmedian(velocity))
    width = np.ptp(np.nanpercentile(velocity, [5, 95])) * sky.stretch(middle)
    return width, np.nansum(density) * sky.pixel**2 / SURFACE_DENSITY, sky.redshift(middle)


@pytest.mark.parametrize("kind", ["VRAD", "VOPT", "VELO", "FREQ"])
def test_conventions_differ_by_factors_of_redshift(path, kind):
    """A galaxy at cz = 10,000 km/s has the widths of a near one, whatever the axis; radio ones alone are 3.3% less."""
    width, flux, z = width_and_flux(path, kind, 9677.4)
    near, _, _ = width_and_flux(path, "VRAD", 300.0)
    assert width == pytest.approx(near, rel=0.015) and flux == pytest.approx(40.0, rel=0.03)
    assert z == pytest.approx(1 / (1 - 9677.4 / 299792.458) - 1, abs=5e-5)


def frequencies(factor=1.0, **cards):
    data, header = DISC.cube(size=40, channels=45, kind="FREQ")
    header["CRVAL3"], header["CDELT3"] = header["CRVAL3"] * factor, header["CDELT3"] * factor
    return data, header, cards


@pytest.mark.parametrize(
    ("made", "notes"),
    [
        (frequencies(), []),
        (frequencies(1e-6, CUNIT3="MHz"), []),
        (frequencies(1e-6, CUNIT3=None), ["MHz is taken"]),
        (frequencies(1e-9, CUNIT3=None), ["GHz is taken"]),
    ],
)
def test_frequencies(path, made, notes):
    data, header, cards = made
    write(path, data, header, **cards)
    same(path, notes=notes)


def table(
    data, header, path, *, last=15.0, unit="arcsec", short=15.0, turn=0.0, names=("BMAJ", "BMIN", "BPA"), more=()
):
    """Write a cube with a table of beams, as CASA does."""
    header = header.copy()
    for key in ("BMAJ", "BMIN", "BPA"):
        del header[key]
    scale = (1 * u.arcsec).to_value(unit.lower())
    n = len(data)
    values = (np.linspace(15.0, last, n) * scale, np.full(n, short * scale), np.linspace(0.0, turn, n))
    units = (unit, unit, "deg")
    columns = [fits.Column(name, "1E", of, array=v) for name, of, v in zip(names, units, values, strict=False)]
    beams = fits.BinTableHDU.from_columns(columns, name="BEAMS")
    fits.HDUList([fits.PrimaryHDU(data, header), beams, *more]).writeto(path, overwrite=True)


def beams(path, *rows):
    """Position angle and axes of a cube whose channels have these beams in turn [arcsec, deg]."""
    data, header = np.random.default_rng(2).normal(0, 1e-3, (12, 40, 40)).astype("f4"), DISC_HEADER.copy()
    columns = np.array([rows[k % len(rows)] for k in range(len(data))]).T
    names = zip(("BMAJ", "BMIN", "BPA"), ("arcsec", "arcsec", "deg"), columns, strict=True)
    table = fits.BinTableHDU.from_columns([fits.Column(name, "1E", unit, array=v) for name, unit, v in names])
    fits.HDUList([fits.PrimaryHDU(data, header), table]).writeto(path, overwrite=True)
    found = read_cube(path).beam
    return found.major, found.minor, found.position_angle


def test_position_angles_of_beams_are_not_directions(path):
    """A beam at 179 deg and one at 1 deg have the mean 0, and not 90."""
    major, minor, angle = beams(path, (18.0, 10.0, 179.0), (18.0, 10.0, 1.0))
    assert (major, minor) == pytest.approx((18.0, 10.0)) and abs(angle) < 0.1


def test_channels_without_a_beam_do_not_count(path):
    wanted = (18.0, 10.0, 30.0)
    assert beams(path, wanted, (0.0, 0.0, 0.0), (np.nan,) * 3) == pytest.approx(wanted, abs=1e-4)
    with pytest.raises(CubeError, match="has no beam: give it: --beam"):
        beams(path, (0.0, 0.0, 0.0))
    with pytest.raises(CubeError, match=r"cannot be right .Minor axis greater"):
        beams(path, wanted, (10.0, 18.0, 30.0))


SOURCES = fits.BinTableHDU.from_columns([fits.Column("BMAJ", "1E", "arcsec", array=[99.0])], name="SOURCES")


@pytest.mark.parametrize(
    "how",
    [
        *({"unit": "arcsec"}, {"unit": "deg"}, {"unit": "ARCSEC"}, {"unit": "DEG"}),
        *({"names": ("bmaj", "bmin", "bpa")}, {"names": ("BMAJ", "BMIN")}, {"more": [SOURCES]}),
    ],
)
def test_a_table_of_beams(path, seen, how):
    table(*seen, path, **how)
    same(path)


@pytest.mark.parametrize(
    "lines",
    [
        ["AIPS   CLEAN BMAJ=  8.3E-03 BMIN=  8.3E-03 BPA=   0.00", "AIPS   CLEAN BMAJ=  4.1667E-03 BMIN=  4.1667E-03"],
        ["AIPS   CLEAN BMAJ=  2.0E-03 BMIN=  2.0E-03 BPA=   0.00", "CONVL BMAJ =  15.0  BMIN =  15.0  BPA =  0.0"],
        ["RESTOR: Beam = 15.0 x 15.0 arcsec, pa = 12.0 degrees"],
        ["RESTOR: Beam = 1.500E+01 x 1.500E+01 arcsec, pa = 1.2E+01"],
        ["restoration: 15 by 15 (arcsec) at pa 12 (deg)"],
    ],
)
def test_the_last_beam_of_the_history_counts(path, seen, lines):
    write(path, *seen, history(*lines))
    same(path)


def test_where_the_cube_is_in_the_file(path, seen):
    data, header = seen
    fits.HDUList([fits.PrimaryHDU(data[0]), fits.ImageHDU(data[0]), fits.ImageHDU(data, header)]).writeto(path)
    same(path)
    write(path, data, header, stokes_third)
    same(path)
    write(path, *stokes_third(data, header), CUNIT3="POL", CDELT3=0.0)  # a plane needs neither
    same(path)
    fits.HDUList([fits.PrimaryHDU(header=header), fits.ImageHDU(data)]).writeto(path, overwrite=True)
    same(path)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data, header)]).writeto(path, overwrite=True)
    same(path)
    write(path, data, header)
    path.write_bytes(gzip.compress(path.read_bytes(), 1))
    same(path)


@pytest.mark.parametrize(("value", "blank"), [(-9999.0, 8), (-1e30, 8), (1e20, 3)])
def test_numbers_that_stand_for_blank(path, seen, value, blank):
    data, header = seen
    data = data.copy()
    data[:, :blank] = value
    write(path, data, header)
    sky = same(path, notes=["taken for blank"])
    assert not sky.valid[:blank].any() and sky.valid[blank:].all()


@pytest.mark.parametrize(
    ("cards", "sentence"),
    [
        ({"RESTFRQ": 115.2712e9}, "is of a line at 115.2712 GHz, not of HI"),
        ({"RESTFRQ": 230.538e9}, "is of a line at 230.5380 GHz"),
        ({"CDELT1": None}, "how large its pixels are: set CDELT1"),
        ({"CDELT3": None}, "how wide its channels are: set CDELT3"),
        ({"CRVAL3": None}, "set CRVAL3"),
        ({"CUNIT1": None, "CUNIT2": None, "CDELT1": -5.0, "CDELT2": 5.0}, "pixels of 1.8e[+]04 arcsec: CDELT or CUNIT"),
        ({"CDELT2": 7.0 / 3600.0}, "square"),
        ({"CROTA1": 30.0}, "CROTA1 = 30"),
        ({"CUNIT3": "km/s"}, "CUNIT3 is wrong"),
        ({"CDELT3": 1e7}, "channels|CDELT3"),
        ({"CDELT3": "ten"}, "CDELT3 is 'ten', not a number"),
        ({"BMAJ": "fifteen"}, "BMAJ is 'fifteen', not a number"),
        ({"BMAJ": 15.0, "BMIN": 15.0}, "BMAJ is in degrees; it looks like arcsec"),
        ({"BMAJ": 0.0}, "BMAJ gives a beam of 0"),
        ({"BMAJ": None}, "does not give its beam.*--beam"),
        ({"BUNIT": "MJY/BEAM"}, "MJY/BEAM"),
        ({"BUNIT": "MJy/beam"}, "K bright in 'MJy/beam'"),
        ({"RADESYS": "GALACTIC"}, "RA---TAN in the frame 'GALACTIC'"),
        ({"CTYPE1": "SLON-TAN", "CTYPE2": "SLAT-TAN"}, "axes SLON-TAN"),
        ({"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV"}, "does not give world coordinates"),
        # A plate carree that begins at the equator: its pixels are narrow at declination 20.
        (
            {"CTYPE1": "RA---CAR", "CTYPE2": "DEC--CAR", "CRVAL2": 0.0, "CRPIX2": -14380.0},
            "pixels of 4.7 by 5 arcsec where it is read",
        ),
        ({"BUNIT": None}, "Jy/beam or K is needed"),
    ],
)
def test_what_cannot_be_told_is_refused_by_its_card(path, seen, cards, sentence):
    write(path, *seen, **cards)
    with pytest.raises(CubeError, match=sentence) as caught:
        read_cube(path)
    assert "cube.fits" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("factor", [81.0, 162.0])
def test_another_line_without_a_rest_frequency(path, factor):
    data, header, _ = frequencies(factor)
    write(path, data, header, RESTFRQ=None)
    with pytest.raises(CubeError, match="another line"):
        read_cube(path)


def test_beams_that_vary_are_refused(path, seen):
    table(*seen, path, last=21.0)
    with pytest.raises(CubeError, match="varies from 15 to 21 arcsec"):
        read_cube(path)
    table(*seen, path, short=9.0, turn=60.0)
    with pytest.raises(CubeError, match=r"varies .* at 0 to 60 deg"):
        read_cube(path)


@pytest.mark.parametrize(
    "beam", [(12, 15, 0), (0, 0, 0), (-15, -15, 0), (np.nan, np.nan, 0), (15, 15, np.nan), (1e9, 1e9, 0)]
)
def test_a_beam_that_is_given_must_be_one(path, seen, beam):
    write(path, *seen)
    with pytest.raises(CubeError, match="--beam gives a beam of"):
        read_cube(path, beam=beam)


@pytest.mark.parametrize(
    "how", [{"noise": 0.0}, {"noise": -1.0}, {"cut": CutOut(field=-3.0)}, {"cut": CutOut(field=np.nan)}]
)
def test_what_is_given_must_be_positive(path, seen, how):
    write(path, *seen)
    with pytest.raises(CubeError, match="give a positive one"):
        read_cube(path, **how)


@pytest.mark.parametrize(("keep", "sentence"), [(0.5, "is cut off: its last"), (0.005, "cannot be read as FITS")])
def test_truncated_files(path, seen, keep, sentence):
    write(path, *seen)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(CubeError, match=sentence):
        read_cube(path)


def test_an_image_is_no_cube(path, seen):
    write(path, seen[0][0], seen[1])
    with pytest.raises(CubeError, match="none with three axes"):
        read_cube(path)
