"""Noise, masks and the galaxy's own emission in cubes with everything that real ones have."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from scipy import ndimage

from dmlib.errors import GalaxyError
from dmlib.observe.cube_fits import CubeError, CutOut, read_cube
from dmlib.observe.sky_cube import galaxy_emission
from sky_disc import FWHM, SkyDisc, header_of, write

SIGMA, FLUX = 4e-4, 40.0
DISC = SkyDisc(r_max=60.0, scale=18.0, clouds=20000)
SHAPE = {"size": 48, "channels": 61}


@pytest.fixture(scope="module")
def seen():
    return DISC.cube(noise=SIGMA, **SHAPE)


@pytest.fixture(scope="module")
def clean():
    return DISC.cube(noise=0.0, **SHAPE)[0]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cube.fits"


def source(shape, at=(8.0, 30.0)):
    y, x = np.indices(shape[1:])
    return np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) * (FWHM * 5 / 15) ** 2 / 2)


def everywhere(data, header, path, change, centre=(0.0, 0.0), **how):
    """The cube as read after a change, and the galaxy's emission."""
    write(path, change(data.copy()), header)
    sky = read_cube(path, **how)
    return sky, galaxy_emission(sky, centre)


def with_nan(data, *channels):
    data[list(channels)] = np.nan
    return data


def with_interference(data, channel):
    data[channel] += np.random.default_rng(5).normal(0.0, 25 * SIGMA, data.shape[1:])
    return data


@pytest.mark.parametrize(
    ("change", "note", "noise"),
    [
        (lambda d: d, "", SIGMA),
        (lambda d: d + 0.5 * SIGMA, "baseline of 0.2", SIGMA),
        (lambda d: d - 2.0 * SIGMA, "baseline of -0.8", SIGMA),
        (lambda d: d + 0.02 * source(d.shape), "residuals of the continuum", SIGMA),
        (lambda d: d + 0.02 * source(d.shape, (24.0, 20.0)), "residuals of the continuum", SIGMA),
        (lambda d: d - 0.01 * source(d.shape), "residuals of the continuum", SIGMA),
        (lambda d: with_nan(d, 27), "interpolated", SIGMA),
        (lambda d: with_nan(d, 24, 33, 34), "interpolated", SIGMA),
        (lambda d: with_nan(d, 0, 1, 2, 3, 58, 59, 60), "7 channels are blank", SIGMA),
        (lambda d: with_interference(d, 27), "far noisier than the others", SIGMA),
    ],
)
def test_noise_and_flux_survive(seen, path, change, note, noise):
    sky, found = everywhere(*seen, path, change)
    assert sky.noise == pytest.approx(noise, rel=0.06)
    assert found.flux == pytest.approx(FLUX, rel=0.03)
    assert note in "; ".join(sky.notes) and bool(sky.notes) == bool(note)


@pytest.mark.parametrize("blank", [0.0, np.nan])
def test_a_masked_cube_is_read_and_said_to_be_masked(seen, path, blank):
    sky, found = everywhere(*seen, path, lambda d: np.where(d > 3 * SIGMA, d, blank))
    assert sky.masked and "masked" in sky.notes[0] and sky.noise == 0.0
    assert found.flux == pytest.approx(FLUX, rel=0.06)
    assert found.cut_off == 0.0
    sky, _ = everywhere(*seen, path, lambda d: np.where(d > 3 * SIGMA, d, blank), noise=SIGMA)
    assert sky.noise == SIGMA


def test_a_mask_that_keeps_noise_inside(seen, clean, path):
    wide = ndimage.gaussian_filter(clean, 1.0) > SIGMA
    sky, found = everywhere(*seen, path, lambda d: np.where(wide, d, 0.0))
    assert sky.masked and found.flux == pytest.approx(FLUX, rel=0.03)
    assert sky.noise == pytest.approx(SIGMA, rel=0.2) and "negative" in sky.notes[0]


@pytest.mark.parametrize("where", ["cube", "mask", "map"])
def test_a_wide_mask_says_where_to_look(seen, clean, path, tmp_path, where):
    """Its noise is no emission: the same voxels are found as without it."""
    data, header = seen
    wide = ndimage.binary_dilation(clean > SIGMA, iterations=6)
    expected = everywhere(data, header, path, lambda d: d)[1].mask
    how = {}
    if where != "cube":
        mask = wide if where == "mask" else wide.any(axis=0)
        fits.PrimaryHDU(mask.astype(np.int16), header if where == "mask" else None).writeto(tmp_path / "mask.fits")
        how = {"mask": tmp_path / "mask.fits"}
    _, found = everywhere(data, header, path, lambda d: np.where(wide, d, 0.0) if where == "cube" else d, **how)
    assert np.count_nonzero(found.mask ^ expected) < 0.1 * expected.sum()
    assert found.flux == pytest.approx(FLUX, rel=0.03)


@pytest.mark.parametrize(("card", "value"), [("CRVAL1", 150.1), ("CRVAL3", 9e5), ("CDELT1", 5 / 3600)])
def test_a_mask_of_another_place_is_refused(seen, clean, path, tmp_path, card, value):
    data, header = seen
    write(path, data, header)
    write(tmp_path / "mask.fits", (clean > SIGMA).astype(np.int16), header, **{card: value})
    with pytest.raises(CubeError, match=r"mask\.fits lies elsewhere along .*same grid"):
        read_cube(path, mask=tmp_path / "mask.fits")


def test_data_in_steps_wider_than_the_noise(seen, path):
    change = lambda d: np.floor(d / (5 * SIGMA)) * 5 * SIGMA + SIGMA  # noqa: E731
    sky, _ = everywhere(*seen, path, change)
    assert "most voxels have the same value" in sky.notes[0] and "baseline" in sky.notes[1]
    sky, found = everywhere(*seen, path, change, noise=2 * SIGMA)
    assert found.flux == pytest.approx(FLUX, rel=0.25) and "baseline" in sky.notes[0]


def test_noise_that_rises_outwards_is_taken_pixel_by_pixel(seen, clean, path):
    y, x = np.indices(clean.shape[1:]) - 23.5
    primary = np.exp(-(y**2 + x**2) / (2 * 16.0**2))
    sky, found = everywhere(*seen, path, lambda d: clean + (d - clean) / primary)
    assert "noise varies" in sky.notes[0]
    inner, outer = sky.noise_map[24, 24], sky.noise_map[24, 4]
    assert inner == pytest.approx(SIGMA, rel=0.25) and outer / inner == pytest.approx(2.1, rel=0.25)
    assert found.flux == pytest.approx(FLUX, rel=0.05)


def test_a_mask_of_the_user_is_followed(seen, clean, path, tmp_path):
    data, header = seen
    mask = (clean > 2 * SIGMA).astype(np.int16)
    fits.PrimaryHDU(mask).writeto(tmp_path / "mask.fits")
    _, found = everywhere(data, header, path, lambda d: d, mask=tmp_path / "mask.fits")
    assert np.array_equal(found.mask, mask > 0)
    fits.PrimaryHDU(mask.max(axis=0)).writeto(tmp_path / "map.fits")
    _, found = everywhere(data, header, path, lambda d: d, mask=tmp_path / "map.fits")
    assert np.array_equal(found.mask.any(axis=0), mask.any(axis=0))
    fits.PrimaryHDU(mask[:, 1:]).writeto(tmp_path / "other.fits")
    with pytest.raises(CubeError, match="same grid"):
        read_cube(path, mask=tmp_path / "other.fits")


def test_flux_is_that_of_the_galaxy_alone(path):
    """A companion brighter than the galaxy is named; without a centre it is taken, and that is said."""
    near = SkyDisc(inclination=50.0, centre=(150.0, 90.0), v_sys=1560.0, scale=8.0, r_max=30.0, v_flat=100.0, flux=90.0)
    disc = SkyDisc(r_max=60.0, scale=18.0, clouds=20000, others=[near])
    write(path, *disc.cube(size=84, channels=61, noise=SIGMA))
    sky = read_cube(path)
    found = galaxy_emission(sky, (0.0, 0.0))
    assert found.flux == pytest.approx(FLUX, rel=0.03)
    assert any("other emission at 15" in note and "of the galaxy's flux" in note for note in found.notes)
    guessed = galaxy_emission(sky)
    assert guessed.flux == pytest.approx(90.0, rel=0.03) and "brightest of 2 islands" in guessed.notes[0]


def test_foreground_is_named_and_left_out(path):
    disc = SkyDisc(v_sys=450.0, r_max=60.0, scale=18.0, clouds=20000)
    data, header = disc.cube(size=48, channels=101)
    velocities = 450.0 + 10.0 * (np.arange(101) - 50)
    data += (0.02 * np.exp(-0.5 * ((velocities - 5.0) / 8.0) ** 2))[:, None, None]
    write(path, data, header)
    found = galaxy_emission(read_cube(path))
    assert "foreground of the Milky Way" in found.notes[0] and found.hidden == 0
    assert found.flux == pytest.approx(FLUX, rel=0.03)


def test_foreground_in_patches_hides_only_what_is_fainter(path):
    """As the cube of NGC 6946: patches of both signs, smooth over beams and velocities; the galaxy is far brighter."""
    disc = SkyDisc(v_sys=60.0, r_max=60.0, scale=18.0, clouds=20000)
    data, header = disc.cube(size=84, channels=81, noise=SIGMA)
    velocities = 60.0 + 10.0 * (np.arange(81) - 40)
    rng = np.random.default_rng(3)
    clouds = ndimage.gaussian_filter(rng.standard_normal(data.shape), (1.0, 4.0, 4.0))
    fade = np.exp(-0.5 * ((velocities + 30.0) / 25.0) ** 2)
    data = data + 8 * SIGMA * (clouds / clouds.std()) * fade[:, None, None]
    write(path, data, header)
    sky = read_cube(path)
    found = galaxy_emission(sky)
    assert "foreground of the Milky Way" in sky.notes[0] and "noisier" not in "; ".join(sky.notes)
    assert found.gaps == 0 and found.hidden == np.count_nonzero(sky.patchy) > 3
    assert found.flux == pytest.approx(FLUX, rel=0.1)
    centre = np.hypot(*(np.indices(data.shape[1:]) - 41.5)) > 35
    assert not found.mask[:, centre].any()


def test_a_galaxy_cut_off_by_map_or_band_is_measured_so(path):
    for change, cut in (({"size": (48, 14)}, "cut_off"), ({"channels": 21}, "band")):
        write(path, *DISC.cube(noise=SIGMA, **SHAPE | change))
        found = galaxy_emission(read_cube(path))
        assert getattr(found, cut) > 0.25
    write(path, *DISC.cube(noise=SIGMA, **SHAPE))
    found = galaxy_emission(read_cube(path))
    assert found.cut_off == 0.0 and found.band < 0.01


def test_blank_channels_within_the_line_are_counted(seen, path):
    _, found = everywhere(*seen, path, lambda d: with_nan(d, 28, 29, 30, 31, 32))
    assert found.gaps == 5
    _, found = everywhere(*seen, path, lambda d: with_nan(d, 0, 1, 2, 3, 4))
    assert found.gaps == 0


def test_empty_cubes(path, seen):
    rng = np.random.default_rng(1)
    write(path, rng.normal(0.0, SIGMA, (31, 40, 40)).astype(np.float32), seen[1])
    with pytest.raises(GalaxyError, match="no HI emission above the noise"):
        galaxy_emission(read_cube(path))
    write(path, np.zeros((31, 40, 40), dtype=np.float32), seen[1])
    with pytest.raises(CubeError, match="blank everywhere"):
        read_cube(path)


def test_cut_outs_are_parts_of_the_whole(path, seen):
    write(path, *seen)
    whole = read_cube(path)
    place = SkyCoord(150.0, 20.0, unit="deg")
    part = read_cube(path, cut=CutOut((1300.0, 1700.0), place, 3.0))
    assert part.data.shape == (41, 36, 36) and part.velocities[0] == pytest.approx(1300.0)
    np.testing.assert_allclose(part.data, whole.data[10:51, 6:42, 6:42], atol=1e-7)
    # The same direction is as far from the middle of the galaxy in both.
    offsets = [np.array(sky.offset_of(place)) for sky in (whole, part)]
    np.testing.assert_allclose(offsets[0], offsets[1], atol=5.1)
    for cut, sentence in ((CutOut((5000.0, 6000.0)), "has 0 channels"), (CutOut(None, place, 0.1), "check --centre")):
        with pytest.raises(CubeError, match=sentence):
            read_cube(path, cut=cut)


_LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2_000_000_000,) * 2)
from astropy.coordinates import SkyCoord
from dmlib.observe.cube_fits import CubeError, CutOut, read_cube
try:
    read_cube(sys.argv[1])
except CubeError as error:
    print(error)
part = read_cube(sys.argv[1], cut=CutOut((1300, 1700), SkyCoord(150, 20, unit="deg"), 4.0))
print(*part.data.shape, round(float(part.data.max()), 4))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are those of Linux")
def test_a_cube_larger_than_the_memory(path, seen):
    """2 GB under a limit of 2 GB: the whole is refused in a sentence, a cut-out is read."""
    data, _ = seen
    shape = (512, 1024, 1024)
    header = fits.PrimaryHDU(header=header_of(shape, 5.0, (15.0, 15.0, 0.0), "VRAD", 1500.0 - 2560.0, 10.0)).header
    header.update({"NAXIS": 3, "BITPIX": -32, "NAXIS1": 1024, "NAXIS2": 1024, "NAXIS3": 512})
    text = header.tostring(endcard=True, padding=True).encode()
    with open(path, "wb") as file:
        file.write(text)
        file.truncate(len(text) + 2880 * -(-4 * int(np.prod(shape)) // 2880))
    held = np.memmap(path, dtype=">f4", mode="r+", offset=len(text), shape=shape)
    held[226:287, 488:536, 488:536] = data
    held.flush()
    del held
    run = [sys.executable, "-c", _LIMITED, str(path)]
    done = subprocess.run(run, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=300)
    refused, read = done.stdout.strip().splitlines()
    assert "needs 32.2 GB of memory" in refused and "--field" in refused
    assert read.split()[:3] == ["41", "48", "48"]
