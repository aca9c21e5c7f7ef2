"""A galaxy of one's own: known discs through the whole way, NGC 2903, what is written, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable
from typer.testing import CliRunner

from dmlib import cli
from dmlib.errors import DmlibError
from dmlib.figures.rotation_curves import page
from dmlib.observe.cube_fits import read_cube
from dmlib.rotation.curve import Reason, Rejection, RotationCurve
from dmlib.rotation.own_galaxy import analyse, summary, verdict, write
from dmlib.rotation.own_stars import stars_from_images, stars_from_mass, stars_from_table
from dmlib.rotation.realcube import RealGalaxy, open_galaxy, sky_place
from dmlib.rotation.sparc import read_rotmod
from dmlib.units import G
from sky_disc import SkyDisc, speed
from sky_disc import write as write_cube

DISTANCE = 20.0
KPC = DISTANCE * 1e3 * np.radians(1 / 3600)
NGC2903 = "NGC2903_WSRT_WHISP_pyFAT.fits"


def measure(folder, disc, centre=(0.0, 0.0), stars=None, change=None, **telescope):
    """The way without haloes, for a disc through a telescope."""
    data, header = disc.cube(**telescope)
    path = write_cube(folder / "cube.fits", data, header, change)
    sky = read_cube(path)
    return analyse(RealGalaxy("disc", path.name, sky, DISTANCE, centre, {}, stars), haloes=())


def errors(curve, rotation=speed):
    """Relative errors of the good rings beyond two beams."""
    outer = curve.good & (curve.radius > 2.0 * curve.beam)
    return curve.v_rot[outer] / rotation(curve.radius[outer] / KPC) - 1.0


def reasons(found):
    return {one.reason for one in found.reasons}


def right_or_refused(found, inclination, allowed):
    """Speeds within 5% beyond two beams, and no inclination wrong by more than 3 deg; or a true reason."""
    if found.accepted:
        assert abs(found.curve.mean_inclination - inclination) < 3.0
        assert np.abs(errors(found.curve)).max() < 0.05
    else:
        assert reasons(found) & allowed, found.reasons


@pytest.mark.slow
@pytest.mark.parametrize("beam", [15.0, 30.0])
@pytest.mark.parametrize("inclination", range(10, 91, 10))
def test_known_discs_at_every_inclination(tmp_path, inclination, beam):
    disc = SkyDisc(inclination=inclination, angle=7.0 * inclination, seed=inclination)
    found = measure(tmp_path, disc, beam=(beam, beam, 0.0))
    right_or_refused(found, inclination, {Reason.FACE_ON} if inclination <= 30 else {Reason.EDGE_ON})
    if inclination != 30:  # the limit itself
        assert found.accepted == (40 <= inclination <= (80 if beam < 20 else 70))


@pytest.mark.slow
@pytest.mark.parametrize("inclination", [78, 82, 85, 88, 90])
@pytest.mark.parametrize("beam", [20.0, 40.0, 55.0])
def test_edge_on_discs_are_never_taken_for_inclined_ones(tmp_path, inclination, beam):
    """Through a wide beam the fit ends at 70 to 80 deg, with a small error."""
    disc = SkyDisc(inclination=inclination, angle=25.0, seed=inclination, flux=60.0, thickness=1.0)
    pixel = beam / 4
    found = measure(tmp_path, disc, beam=(beam, beam, 0.0), pixel=pixel, size=int(400 / pixel))
    right_or_refused(found, inclination, {Reason.EDGE_ON, Reason.FEW_RINGS})


@pytest.mark.slow
@pytest.mark.parametrize("centre", [None, (60.0, -30.0), (0.0, 0.0), (120.0, 0.0)])
def test_a_centre_that_is_missing_or_wrong_is_found(tmp_path, centre):
    disc = SkyDisc(centre=(60.0, -30.0))
    found = measure(tmp_path, disc, centre, size=96)
    # So far from the given centre it may be another galaxy: the curve is measured, and not accepted.
    assert reasons(found) == (set() if centre in [None, (60.0, -30.0)] else {Reason.OFF_CENTRE})
    assert np.abs(errors(found.curve)).max() < 0.05
    assert np.hypot(*(np.array(found.curve.centre) / KPC - (60.0, -30.0))) < 5.0
    said = "; ".join(found.notes)
    assert ("no centre was given" in said) == (centre is None)
    assert ("beams from that of the velocity field" in said) == (centre in [(0.0, 0.0), (120.0, 0.0)])


@pytest.mark.slow
def test_an_elliptical_beam_and_any_position_angle(tmp_path):
    found = measure(tmp_path, SkyDisc(inclination=55.0, angle=310.0), beam=(24.0, 12.0, 65.0))
    assert found.accepted and np.abs(errors(found.curve)).max() < 0.05
    assert np.abs(found.curve.position_angle - 310.0).max() < 3.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("disc", "telescope", "centre", "reason"),
    [
        (SkyDisc(centre=(175.0, 0.0)), {}, (175.0, 0.0), Reason.MAP_EDGE),
        (SkyDisc(centre=(175.0, 0.0)), {}, None, Reason.MAP_EDGE),
        (SkyDisc(), {"channels": 25}, (0.0, 0.0), Reason.MAP_EDGE),
        (SkyDisc(lopsided=0.4), {}, (0.0, 0.0), Reason.LOPSIDED),
        (SkyDisc(r_max=30.0, scale=10.0), {"beam": (30.0, 30.0, 0.0)}, (0.0, 0.0), Reason.FEW_BEAMS),
    ],
)
def test_the_true_reason_is_given_first(tmp_path, disc, telescope, centre, reason):
    found = measure(tmp_path, disc, centre, **telescope)
    assert found.reasons[0].reason is reason, found.reasons
    assert not found.fits and found.mass is None


@pytest.mark.slow
def test_foreground_over_the_galaxy_is_the_reason(tmp_path):
    def with_foreground(data, header):
        v = 120.0 + 10.0 * (np.arange(len(data)) - (len(data) - 1) / 2)
        return data + (0.02 * np.exp(-0.5 * ((v - 5.0) / 8.0) ** 2)).astype("f4")[:, None, None], header

    found = measure(tmp_path, SkyDisc(v_sys=120.0), change=with_foreground, channels=81)
    assert found.reasons[0].reason is Reason.FOREGROUND


def test_a_disc_that_may_be_edge_on_is_refused_by_its_errors():
    n = np.arange(1, 13)
    ones = np.ones(12)
    curve = RotationCurve(
        "x", 1.0 * n, 150 * ones, 2 * ones, 150 * ones, 150 * ones, 8 * ones, np.exp(-n / 5), 78 * ones, 30 * ones,
        inclination_err=4.0, centre=(0.0, 0.0), v_sys=0.0, beam=0.8, coverage=ones, residual=5.0, asymmetry=0.01,
    )  # fmt: skip
    (why,) = curve.reasons
    assert why.reason is Reason.EDGE_ON and why.value == pytest.approx(86.0) and "may be edge-on" in str(why)
    assert not replace(curve, inclination_err=3.0).reasons
    (why,) = replace(curve, inclination_err=1.0, beam=2.2).reasons
    assert why.reason is Reason.EDGE_ON and "minor axis spans 2.3 beams" in str(why)
    assert not replace(curve, inclination_err=0.0, beam=2.2).reasons  # given by the user


def test_rings_beyond_the_edge_stay_there():
    """Noise may be brighter than the tail of the beam inside it."""
    n = np.arange(1, 13)
    ones = np.ones(12)
    density = np.append(np.exp(-n[:8] / 5), [0.01, 0.0, 0.02, 0.02])
    curve = RotationCurve(
        "x", 1.0 * n, 150 * ones, 2 * ones, 150 * ones, 150 * ones, 8 * ones, density, 60 * ones, 30 * ones,
        inclination_err=1.0, centre=(0.0, 0.0), v_sys=0.0, beam=0.8, coverage=ones, residual=5.0, asymmetry=0.01,
    )  # fmt: skip
    assert not curve.good[8:].any() and curve.good[:7].all() and curve.beams_across == pytest.approx(20.0)


@pytest.mark.slow
def test_a_wrong_distance_and_a_merged_companion_are_told(tmp_path):
    near = SkyDisc(v_sys=1560.0, centre=(-110.0, 100.0), r_max=50.0, flux=12.0, angle=150.0, clouds=20000)
    found = measure(tmp_path, SkyDisc(others=[near]), size=100)
    said = "; ".join(found.notes)
    assert "has no counterpart at the other end of the disc" in said and "redshift" not in said
    assert found.accepted and np.abs(errors(found.curve)).max() < 0.05
    far = analyse(replace(found.galaxy, distance=0.05), haloes=())
    assert "the redshift tells 22 Mpc" in "; ".join(far.notes)


def merged(flux, far, towards, dv, r_max, **disc):
    """A disc with a companion at a distance in radii of the disc, of a flux relative to its own."""
    a, r = np.radians(towards), 120.0 * far
    other = {"v_sys": 1500.0 + dv, "centre": (-r * np.sin(a), r * np.cos(a)), "r_max": r_max, "scale": r_max / 3}
    near = SkyDisc(**other, flux=40.0 * flux, v_flat=90.0, inclination=50.0, angle=110.0, clouds=20000, seed=5)
    return SkyDisc(**disc, others=[near]), int(2 * max(170.0, r + r_max + 20.0) / 5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("inclination", "towards", "flux", "far", "dv"),
    [
        (45.0, 40.0, 0.05, 1.0, -100.0),
        (60.0, 85.0, 0.1, 0.75, 50.0),
        (75.0, 10.0, 0.3, 0.75, -100.0),
        (60.0, 40.0, 0.3, 1.25, 50.0),
        (45.0, 85.0, 0.6, 0.5, -100.0),
        (75.0, 85.0, 0.6, 0.5, 50.0),
        (60.0, 10.0, 0.6, 2.0, 200.0),
    ],
)
def test_a_companion_spoils_no_ring_that_counts(tmp_path, inclination, towards, flux, far, dv):
    """Touching the disc, in front of it, or apart: every good ring is right, or the galaxy is refused for it."""
    disc, size = merged(flux, far, towards, dv, 40.0, inclination=inclination, angle=40.0)
    found = measure(tmp_path, disc, size=size)
    right_or_refused(found, inclination, {Reason.COMPANION, Reason.LOPSIDED})
    if found.accepted:
        assert found.galaxy.emission.flux == pytest.approx(40.0, rel=0.12)


@pytest.mark.slow
@pytest.mark.parametrize("disc", [SkyDisc(), SkyDisc(lopsided=0.2, inclination=45.0), SkyDisc(centre=(120.0, 0.0))])
def test_a_galaxy_alone_has_no_companion(tmp_path, disc):
    """Sides that differ, and gas cut off by the edge of the map, are the galaxy's own."""
    found = measure(tmp_path, disc, disc.centre)
    assert found.galaxy.alone is None and "companion" not in found.curve.flags


@pytest.mark.slow
def test_too_much_gas_of_another_galaxy_is_a_reason(tmp_path):
    disc, size = merged(0.9, 0.35, 85.0, -60.0, 70.0)
    found = measure(tmp_path, disc, size=size)
    assert reasons(found) & {Reason.COMPANION}, found.reasons
    assert "gas of another galaxy lies over" in "; ".join(map(str, found.reasons))


@pytest.fixture(scope="module")
def ngc2903(shared_data):
    path = shared_data / "hi_cubes" / NGC2903
    if not path.is_file():
        pytest.skip("the WHISP cube is not in the mirror")
    return path


def test_ngc2903_agrees_with_sparc_without_any_help(ngc2903, shared_data):
    """No centre, no inclination, no mask: within 6% of SPARC beyond two beams."""
    stars = stars_from_table(shared_data / "sparc" / "Rotmod_LTG" / "NGC2903_rotmod.dat", 6.6)
    found = analyse(RealGalaxy("NGC 2903", ngc2903.name, read_cube(ngc2903), 6.6, None, {}, stars))
    table = read_rotmod(shared_data / "sparc" / "Rotmod_LTG" / "NGC2903_rotmod.dat")
    curve = found.curve
    beyond = curve.good & (curve.radius > 2 * curve.beam) & (curve.radius <= table["radius"].value[-1])
    off = curve.v_rot[beyond] / np.interp(curve.radius[beyond], table["radius"].value, table["v_obs"].value) - 1
    assert found.accepted and beyond.sum() > 15
    assert np.abs(off).max() < 0.06 and abs(np.median(off)) < 0.03
    assert not found.upper_limit and found.without_stars is not None
    reached = found.fits["nfw"].measured
    assert reached.sum() > 6 and np.all(found.without_stars.m_dm[reached] > found.fits["nfw"].m_dm[reached])


def test_what_is_written(ngc2903, tmp_path):
    found = analyse(RealGalaxy("NGC 2903", ngc2903.name, read_cube(ngc2903), 6.6, None, {}, None), haloes=("nfw",))
    paths = write(found, tmp_path / "out", {"network": {"said": "not asked"}})
    assert {path.name for path in paths} == {
        *("rotation_curve.ecsv", "mass_model.ecsv", "dark_matter.ecsv", "maps.fits", "verdict.json")
    }
    dark = QTable.read(tmp_path / "out" / "dark_matter.ecsv")
    assert len(dark) == 20 and dark["nfw_median"].unit == "Msun" and dark.meta["includes_stars"]
    said = json.loads((tmp_path / "out" / "verdict.json").read_text())
    assert (
        said["accepted"] and said["dark_mass_is"].startswith("upper limit") and said["network"]["said"] == "not asked"
    )
    assert "upper limits" in summary(found)
    with fits.open(tmp_path / "out" / "maps.fits") as file:
        assert [hdu.name for hdu in file[1:]] == ["MOMENT0", "MOMENT1", "MOMENT2", "RINGS"]
        assert file["MOMENT0"].header["CTYPE1"].startswith("RA") and file["MOMENT0"].header["BUNIT"] == "Msun/pc2"
    drawn = page(found, summary(found))
    drawn.savefig(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 50_000


def test_no_halo_without_an_accepted_curve_unless_forced(tmp_path):
    """A face-on disc: the reason is a value in the verdict, and the page is drawn all the same."""
    disc = SkyDisc(inclination=20.0, r_max=70.0, scale=18.0, clouds=20000)
    sky = read_cube(write_cube(tmp_path / "cube.fits", *disc.cube(size=44, channels=41)))
    galaxy = RealGalaxy("disc", "cube.fits", sky, DISTANCE, None, {}, None)
    found = analyse(galaxy)
    assert not found.accepted and not found.fits and verdict(found)["reasons"][0]["reason"] == "face_on"
    assert "dark_matter" not in verdict(found) and summary(found).startswith("NOT ACCEPTED: inclination")
    page(found, summary(found)).savefig(tmp_path / "page.pdf")
    forced = analyse(galaxy, haloes=("nfw",), force=True)
    assert not forced.accepted and set(forced.fits) == {"nfw"}


@pytest.mark.parametrize(("inclination", "reason"), [(90.0, Reason.EDGE_ON), (0.0, Reason.FACE_ON)])
def test_a_given_inclination_at_which_there_are_no_rings(tmp_path, inclination, reason):
    disc = SkyDisc(r_max=70.0, scale=18.0, clouds=20000)
    sky = read_cube(write_cube(tmp_path / "cube.fits", *disc.cube(size=44, channels=41)))
    found = analyse(RealGalaxy("disc", "cube.fits", sky, DISTANCE, None, {}, None), inclination=inclination)
    assert reasons(found) == {reason} and found.curve is None and found.maps is not None
    json.dumps(verdict(found), allow_nan=False)


def test_noise_above_all_emission(tmp_path):
    data, header = SkyDisc(r_max=70.0, scale=18.0, clouds=20000).cube(size=44, channels=41)
    sky = read_cube(write_cube(tmp_path / "cube.fits", data, header), noise=1e3)
    found = analyse(RealGalaxy("disc", "cube.fits", sky, DISTANCE, None, {}, None))
    assert reasons(found) == {Reason.NO_HI}


def test_an_empty_cube_has_a_verdict(tmp_path):
    data, header = SkyDisc(clouds=10, flux=1e-6).cube(size=40, channels=31)
    sky = read_cube(write_cube(tmp_path / "cube.fits", data, header))
    found = analyse(RealGalaxy("disc", "cube.fits", sky, DISTANCE, None, {}, None))
    assert reasons(found) == {Reason.NO_HI} and verdict(found)["haloes"] == {}
    page(found, summary(found)).savefig(tmp_path / "page.png")


# The stars ------------------------------------------------------------------------------------------------------------


def test_stars_of_a_mass_and_a_scale_length():
    stars = stars_from_mass(1e10, 2.5)
    k = int(np.argmin(np.abs(stars.radius - 2.2 * 2.5)))
    # The maximum of Freeman's thin disc, 0.88 sqrt(pi G Sigma_0 R_d); a thick one is a few per cent lower.
    peak = 0.88 * np.sqrt(G * 1e10 / (2.0 * 2.5))
    assert stars.v_disk[k] == pytest.approx(peak, rel=0.08) and "as given" in stars.note


def test_stars_of_a_table_follow_the_distance(tmp_path):
    table = QTable({"radius": [1.0, 2.0, 4.0], "v_disk": [50.0, 80.0, 90.0]}, units={"radius": "kpc", "v_disk": "km/s"})
    table.meta["distance"] = 5.0
    table.write(tmp_path / "stars.ecsv")
    stars = stars_from_table(tmp_path / "stars.ecsv", 20.0)
    np.testing.assert_allclose(stars.radius, [4.0, 8.0, 16.0])
    np.testing.assert_allclose(stars.v_disk, [100.0, 160.0, 180.0])
    assert stars.upsilon_disk == 0.5 and "McGaugh" in stars.note
    assert stars_from_table(tmp_path / "stars.ecsv", 20.0, 0.3).upsilon_disk == 0.3
    with pytest.raises(DmlibError, match="is missing"):
        stars_from_table(tmp_path / "none.ecsv", 20.0)
    QTable({"r": [1.0]}).write(tmp_path / "other.ecsv")
    with pytest.raises(DmlibError, match="has no column radius, v_disk"):
        stars_from_table(tmp_path / "other.ecsv", 20.0)


def a_curve(inclination=60.0, angle=30.0):
    n = np.arange(1, 9)
    ones = np.ones(8)
    return RotationCurve(
        "x", 1.0 * n, 150 * ones, 2 * ones, 150 * ones, 150 * ones, 8 * ones, np.exp(-n / 5), inclination * ones,
        angle * ones, inclination_err=1.0, centre=(0.0, 0.0), v_sys=0.0, beam=0.8, coverage=ones,
    )  # fmt: skip


def disc_image(path, band_magnitude_sun, mass, scale, *, pixel=2.0, zero=22.5, sky=5.0, upsilon=1.0):
    """An exponential disc of light, inclined by 60 deg at PA 30, as an image with a zero point."""
    y, x = (np.indices((300, 300)) - 149.5) * pixel * KPC
    a = np.radians(30.0)
    radius = np.hypot(-np.sin(a) * x + np.cos(a) * y, (np.cos(a) * x + np.sin(a) * y) / np.cos(np.radians(60.0)))
    light = mass / upsilon / (2 * np.pi * scale**2) * np.exp(-radius / scale) / np.cos(np.radians(60.0))
    flux = light * (pixel * KPC) ** 2 * 10 ** (-0.4 * (band_magnitude_sun + 5 * np.log10(DISTANCE * 1e5) - zero))
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 20.0})
    header.update({"CRPIX1": 150.5, "CRPIX2": 150.5, "CDELT1": -pixel / 3600, "CDELT2": pixel / 3600, "MAGZP": zero})
    fits.PrimaryHDU((flux + sky).astype(np.float32), header).writeto(path)
    return path


def test_stars_of_an_infrared_image(tmp_path):
    path = disc_image(tmp_path / "w1.fits", 3.26, 1e10, 2.5, upsilon=0.5)
    stars = stars_from_images({"W1": path}, (150.0, 20.0), a_curve(), DISTANCE)
    assert stars.m_disk + stars.m_bulge == pytest.approx(1e10, rel=0.08)
    assert stars.r_disk == pytest.approx(2.5, rel=0.1)
    exact = stars_from_mass(1e10, 2.5)
    at = np.array([3.0, 5.0, 8.0])
    speeds = [np.interp(at, one.radius, np.hypot(one.v_disk, one.v_bulge)) for one in (stars, exact)]
    np.testing.assert_allclose(speeds[0], speeds[1], rtol=0.08)
    assert "0.5 in W1" in stars.note


def test_stars_of_any_band_with_a_ratio_of_the_users(tmp_path):
    suns = {"u": 6.39, "z": 4.50, "J": 3.67, "H": 3.32}  # Willmer 2018
    for band, sun in suns.items():
        path = {band: disc_image(tmp_path / f"{band}.fits", sun, 1e10, 2.5, upsilon=0.8)}
        stars = stars_from_images(path, (150.0, 20.0), a_curve(), DISTANCE, upsilon=0.8)
        assert stars.m_disk + stars.m_bulge == pytest.approx(1e10, rel=0.08)
        assert f"0.8 in {band} (as given)" in stars.note
        with pytest.raises(DmlibError, match="tell no stellar mass"):
            stars_from_images(path, (150.0, 20.0), a_curve(), DISTANCE)
    for wrong in ({"upsilon": -1.0}, {"upsilon": np.inf}):
        with pytest.raises(DmlibError, match="positive"):
            stars_from_images(path, (150.0, 20.0), a_curve(), DISTANCE, **wrong)


def test_stars_of_a_colour(tmp_path):
    paths = {band: disc_image(tmp_path / f"{band}.fits", sun, 1e10, 2.5) for band, sun in (("g", 5.11), ("r", 4.65))}
    stars = stars_from_images(paths, (150.0, 20.0), a_curve(), DISTANCE)
    ratio = 10 ** (-0.306 - 0.15 + 1.097 * (5.11 - 4.65))  # the colour of the Sun
    assert stars.m_disk + stars.m_bulge == pytest.approx(1e10 * ratio, rel=0.08)
    with pytest.raises(DmlibError, match="tell no stellar mass"):
        stars_from_images({"g": paths["g"]}, (150.0, 20.0), a_curve(), DISTANCE)
    with fits.open(paths["g"], mode="update") as file:
        del file[0].header["MAGZP"]
    with pytest.raises(DmlibError, match="set BUNIT to nanomaggy or Jy, or MAGZP"):
        stars_from_images(paths, (150.0, 20.0), a_curve(), DISTANCE)


def test_images_in_any_frame_and_unit(tmp_path):
    """The same sky in B1950 coordinates, in MJy/sr as of Spitzer, in an extension."""
    path = disc_image(tmp_path / "a.fits", 3.26, 1e10, 2.5, upsilon=0.5, zero=2.5 * np.log10(280.9))
    with fits.open(path) as file:
        data, header = file[0].data, file[0].header
    place = SkyCoord(150.0, 20.0, unit="deg", frame="fk4")
    old = place.icrs.ra.deg, place.icrs.dec.deg
    del header["MAGZP"]
    header.update({"RADESYS": "FK4", "EQUINOX": 1950.0, "BUNIT": "MJy/sr"})
    data = data / 1e6 / (2.0 * u.arcsec).to_value(u.rad) ** 2
    fits.HDUList([fits.PrimaryHDU(header=header), fits.ImageHDU(data[None])]).writeto(path, overwrite=True)
    stars = stars_from_images({"3.6": path}, old, a_curve(), DISTANCE)
    assert stars.m_disk + stars.m_bulge == pytest.approx(1e10, rel=0.08)
    # Position angles of a cube in other coordinates, from another North.
    turned = stars_from_images({"3.6": path}, old, a_curve(angle=80.0), DISTANCE, north=-50.0)
    assert turned.m_disk == pytest.approx(stars.m_disk, rel=1e-6)


@pytest.mark.parametrize(
    ("cards", "place", "sentence"),
    [
        ({"MAGZP": "unknown"}, (150.0, 20.0), "its card MAGZP is 'unknown'"),
        ({"MAGZP": 2.5}, (150.0, 20.0), "Msun: check BUNIT or MAGZP"),
        ({}, (10.0, -20.0), "does not reach beyond the galaxy"),
        ({"CDELT1": -0.2 / 3600, "CDELT2": 0.2 / 3600}, (150.0, 20.0), "does not reach beyond the galaxy"),
    ],
)
def test_images_that_weigh_nothing_are_refused(tmp_path, cards, place, sentence):
    path = disc_image(tmp_path / "w1.fits", 3.26, 1e10, 2.5, upsilon=0.5)
    with fits.open(path, mode="update") as file:
        file[0].header.update(cards)
    with pytest.raises(DmlibError, match=sentence):
        stars_from_images({"W1": path}, place, a_curve(), DISTANCE)


_ROWS = ["1 50", "2 80", "4 90"]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("stars.txt", ["radius v_disk", *_ROWS]),
        ("stars.dat", ["# Rad Vdisk", *_ROWS]),
        ("stars.txt", ["Radius V_disc", *_ROWS[::-1]]),
        ("stars.csv", ["\ufeffradius,vdisk,vbul", "1,50,0", "2,80,0", "4,90,0"]),
    ],
)
def test_tables_of_stars_as_others_write_them(tmp_path, name, lines):
    (tmp_path / name).write_text("\n".join(lines) + "\n")
    stars = stars_from_table(tmp_path / name, DISTANCE)
    np.testing.assert_allclose([stars.radius, stars.v_disk], [[1, 2, 4], [50, 80, 90]])
    assert not stars.v_bulge.any()


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["1 50", "1 80", "4 90"], "at different radii"),
        (["-1 50", "1 80", "4 90"], "at different radii"),
        (["1 50", "2 nan", "4 90"], "has a v_disk of nan"),
        (["1 50e3", "2 80e3", "4 90e3"], "has a v_disk of 90000 km / s"),
        (["1 fast", "2 80", "4 90"], "is no table of stars"),
        ([], "three rows"),
    ],
)
def test_tables_that_tell_no_speeds_are_refused(tmp_path, lines, sentence):
    path = tmp_path / "stars.txt"
    path.write_text("\n".join(["radius v_disk", *lines]) + "\n")
    with pytest.raises(DmlibError, match=sentence) as caught:
        stars_from_table(path, DISTANCE)
    assert "stars.txt" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "centre", ["150.0,20.0", "10:00:00,+20:00:00", "150.0,+20:00:00", "10h00m00s,20d", "10 00 00 +20 00 00"]
)
def test_places_on_the_sky(centre):
    place = sky_place(centre)
    assert (place.ra.deg, place.dec.deg) == pytest.approx((150.0, 20.0))


@pytest.mark.parametrize("centre", ["150.0,21.0", "330,-20", "nan,20", "10.0,20.0"])
def test_a_centre_off_the_map_is_refused(tmp_path, centre):
    path = write_cube(tmp_path / "cube.fits", *SkyDisc(clouds=2000).cube(size=24, channels=9))
    with pytest.raises(DmlibError, match="centre"):
        open_galaxy(path, DISTANCE, centre)


# The command ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--distance", "far"), "--distance takes a length as 8.9Mpc, not 'far'"),
        (("--distance", "8.9kpc"), "is not that of a galaxy: give it in Mpc"),
        (("--distance", "9Mpc", "--centre", "here"), "a centre is RA,DEC"),
        (("--distance", "9Mpc", "--beam", "15"), "--beam takes 3 numbers separated by ','"),
        (("--distance", "9Mpc", "--velocities", "400"), "--velocities takes 2 numbers separated by ':'"),
        (("--distance", "9Mpc", "--m-star", "1e10,-1"), "of a galaxy, as 1e10,2.5"),
        (("--distance", "9Mpc", "--m-star", "10.3,2.5"), "of a galaxy, as 1e10,2.5"),  # a logarithm
        (("--distance", "9Mpc", "--image", "g"), "--image takes BAND=FILE"),
        (("--distance", "9Mpc", "--image", "V=v.fits"), "there is no band 'V'"),
        (("--distance", "9Mpc", "--image", "g=g.fits"), "g.fits is no file"),
        (("--distance", "9Mpc", "--m-star", "1e10,2", "--image", "K=k.fits"), "give one"),
        (("--distance", "9Mpc", "--m-star", "1e10,2", "--upsilon", "0.4"), "give one"),
        (("--distance", "9Mpc"), "none.fits is no file"),
    ],
)
def test_options_are_checked_before_the_work(tmp_path, options, sentence):
    done = CliRunner().invoke(cli.app, ["galaxy", "none.fits", "--out", str(tmp_path), *options])
    assert isinstance(done.exception, DmlibError) and sentence in str(done.exception)


@pytest.mark.slow
def test_the_command_from_file_to_page(ngc2903, shared_data, tmp_path):
    options = ["--distance", "6.6Mpc", "--name", "NGC 2903", "--centre", "09:32:10.1,+21:30:03", "--out", str(tmp_path)]
    options += ["--stars", str(shared_data / "sparc" / "Rotmod_LTG" / "NGC2903_rotmod.dat")]
    done = CliRunner().invoke(cli.app, ["galaxy", str(ngc2903), *options])
    assert done.exit_code == 0, done.exception
    assert "accepted" in done.output and "needs a built book" in done.output
    written = {path.name for path in tmp_path.iterdir()}
    assert {"page.pdf", "page.png", "verdict.json", "dark_matter.ecsv", "rotation_curve.ecsv"} <= written
    said = json.loads((tmp_path / "verdict.json").read_text())
    assert said["network"]["inside_training_domain"] is None and said["dark_mass_is"] == "dark"


def test_reasons_are_values():
    assert str(Rejection(Reason.MAP_EDGE, 6.7)) == "emission reaches the map's edge: it is cut off over 6.7 beams"
    assert Reason("foreground").label and Reason("map_edge").label
