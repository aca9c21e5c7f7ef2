"""Published SKIRT images: checked on reading, centred, resampled without loss; from a folder and from the archive."""

import io
import tarfile

import numpy as np
import pytest

from dmlib.errors import FetchError, GalaxyError, UniverseError
from dmlib.observe.images.published import PublishedSkirt, box_view, read_broadband
from dmlib.observe.sky import SkyGrid, lines_of_sight, overlap, resample
from image_toys import content, galaxy, spot


def test_shares_of_pixels_are_exact():
    shares = overlap(np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.5, 2.25, 4.0]))
    np.testing.assert_allclose(shares, [[0.5, 1.0, 0.25], [0.0, 0.0, 0.75]])


@pytest.mark.parametrize("n", [499, 500])
@pytest.mark.parametrize("pixels", [64, 65, 1000])
def test_flux_is_conserved_to_rounding(n, pixels):
    image = np.random.default_rng(1).random((n, n, 2))
    out = resample(image, 0.3, SkyGrid(0.3 * n * 1.2, pixels))
    np.testing.assert_allclose(out.sum(axis=(0, 1)), image.sum(axis=(0, 1)), rtol=1e-12)


def test_a_smaller_field_holds_its_share():
    image = np.ones((100, 100, 1))
    out = resample(image, 1.0, SkyGrid(50.0, 7))
    assert out.sum() == pytest.approx(2500.0)
    np.testing.assert_allclose(out, 2500.0 / 49)


@pytest.mark.parametrize("n", [11, 12])
def test_the_centre_of_the_array_is_the_centre_of_the_grid(tmp_path, n):
    (tmp_path / "broadband_3.fits").write_bytes(content(np.ones((4, n, n), ">f4")))
    out = PublishedSkirt(tmp_path).read(3).on(SkyGrid(2.0, 8))
    np.testing.assert_allclose(out, out[::-1, ::-1])


def test_x_is_right_and_y_is_up(tmp_path):
    path = tmp_path / "broadband_3.fits"
    path.write_bytes(content(spot(21, 15, 10)))
    image = read_broadband(path)
    out = image.on(SkyGrid(image.field_of_view, 3))
    assert out[2, 1].tolist() == pytest.approx([1.0, 2.0, 3.0, 4.0])
    assert out.sum() == pytest.approx(10.0)


def test_only_the_published_line_of_sight(tmp_path):
    (tmp_path / "broadband_7.fits").write_bytes(content())
    source = PublishedSkirt(tmp_path)
    assert source.bands == ("g", "r", "i", "z") and source.unit == "counts/s/pixel" and not source.fields
    image = source.image(galaxy(), box_view(7), SkyGrid(4.0, 8))
    assert image.shape == (8, 8, 4)
    with pytest.raises(GalaxyError, match="subhalo 7: the published image is seen along the box's z axis"):
        source.image(galaxy(), lines_of_sight(7, None, seed=1)[0], SkyGrid(4.0, 8))


def test_box_view_gives_the_disc_its_angles():
    view = box_view(7, np.array([0.0, 0.0, 3.0]))
    assert view.inclination == pytest.approx(0.0, abs=1e-9)
    assert box_view(7, np.array([1.0, 0.0, 0.0])).inclination == pytest.approx(90.0)
    assert np.isnan(box_view(7).inclination)


@pytest.mark.parametrize("folder", ["", "sdss/snapnum_099/data", "postprocessing/skirt_images/sdss/snapnum_099/data"])
def test_files_are_found_where_releases_have_them(tmp_path, folder):
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / folder / "broadband_12.fits").write_bytes(content())
    assert PublishedSkirt(tmp_path).read(12).name == "broadband_12.fits"
    with pytest.raises(GalaxyError, match="subhalo 13 has no published SKIRT image"):
        PublishedSkirt(tmp_path).read(13)


def test_archive(tmp_path):
    path = tmp_path / "skirt_images_sdss.99.tar"
    with tarfile.open(path, "w") as archive:
        for number in (5, 17):
            data = content(spot(11, 5, 5) * number)
            info = tarfile.TarInfo(f"sdss/snapnum_099/data/broadband_{number}.fits")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    source = PublishedSkirt(path)
    assert source.read(17).data.sum() == pytest.approx(170.0)
    assert source.read(5).data.sum() == pytest.approx(50.0)
    with pytest.raises(GalaxyError, match="subhalo 6 has no published"):
        source.read(6)


def test_damaged_archive_and_missing_folder(tmp_path):
    path = tmp_path / "skirt_images_sdss.99.tar"
    path.write_bytes(b"<html>" * 300)
    with pytest.raises(UniverseError, match=r"skirt_images_sdss.99.tar is no whole tar archive"):
        PublishedSkirt(path).read(6)
    with pytest.raises(UniverseError, match="no published images at"):
        PublishedSkirt(tmp_path / "nowhere").read(6)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"", "cannot be read as FITS"),
        (b"<html><body>Not found</body></html>" * 200, "cannot be read as FITS"),
        (content()[:4000], "cannot be read as FITS"),
        (content(np.ones((3, 11, 11), ">f4")), r"shape \(3, 11, 11\)"),
        (content(np.ones((4, 11, 12), ">f4")), r"shape \(4, 11, 12\)"),
        (content(np.ones((11, 11), ">f4")), "another product"),
        (content(FILTER1="pan-starrs/psi_r"), "pan-starrs/psi_r.*SDSS g r i z"),
        (content(BUNIT="maggies/pixel"), "maggies/pixel"),
        (content(CTYPE1="kpc"), "pixels in pc"),
        (content(CDELT2=100.0), "square pixels"),
        (content(np.full((4, 11, 11), np.nan, ">f4")), "not finite"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path, bad, said):
    path = tmp_path / "broadband_6.fits"
    path.write_bytes(bad)
    with pytest.raises(FetchError, match=said) as caught:
        read_broadband(path)
    assert "broadband_6.fits" in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FetchError, match=r"no file .*broadband_6.fits"):
        read_broadband(tmp_path / "broadband_6.fits")


def test_the_real_image_of_subhalo_6(shared_data):
    image = PublishedSkirt(shared_data / "tng_skirt").read(6)
    assert image.data.shape == (499, 499, 4) and image.pixel_size == pytest.approx(0.38865, abs=1e-5)
    assert image.redshift == pytest.approx(0.0485236)
    assert image.field_of_view == pytest.approx(193.94, abs=0.01)
    total = image.data.sum(axis=(0, 1))
    # All of it on a grid that holds the file; on the common grid, what lies inside its side of 128 kpc.
    np.testing.assert_allclose(image.on(SkyGrid(200.0, 64)).sum(axis=(0, 1)), total, rtol=1e-9)
    grid = SkyGrid(128.0, 64)
    reach = np.abs(np.arange(499) - 249) * image.pixel_size < 64.0
    inside = image.data[np.ix_(reach, reach)].sum(axis=(0, 1))
    common = image.on(grid)
    np.testing.assert_allclose(common.sum(axis=(0, 1)), inside, rtol=0.01)
    row, column = np.unravel_index(common[..., 1].argmax(), grid.shape)
    assert {int(row), int(column)} <= {31, 32}


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("TNG100-1_099_broadband_6.fits", "TNG100-1, snapshot 99"),
        ("TNG50-1_095_broadband_6.fits", "TNG50-1, snapshot 95"),
        ("broadband_6.fits", "a simulation that the file does not name"),
    ],
)
def test_an_image_is_labelled_by_its_file_or_not_at_all(tmp_path, name, origin):
    (tmp_path / name).write_bytes(content(spot(21, 15, 10)))
    assert read_broadband(tmp_path / name).origin == origin
