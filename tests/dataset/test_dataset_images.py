"""Data sets whose images are not particle light: published SKIRT images, and your own SKIRT runs, end to end."""

import numpy as np
import pytest
from astropy.io import fits

import skirt_toys
from dataset_tree import copy_tree, few_galaxies
from dmlib import targets as target_module
from dmlib.dataset.build import build
from dmlib.dataset.read import read_dataset
from dmlib.dataset.views import DatasetError, Recipe
from dmlib.galaxy import load_galaxy
from dmlib.observe.images import UGRIZ
from dmlib.observe.images.light import ParticleLight
from dmlib.observe.images.published import BANDS, box_view
from dmlib.observe.skirt import SkirtSettings
from dmlib.observe.skirt.source import VARIABLE
from dmlib.observe.sky import SkyGrid
from dmlib.sample import read_sample
from dmlib.universe import open_universe
from image_toys import CARDS

N_GALAXIES = 4


@pytest.fixture(scope="module")
def small(smoke_universe, tmp_path_factory):
    """Settings of four galaxies with their targets, products taken as they lie."""
    settings = copy_tree(smoke_universe, tmp_path_factory.mktemp("images"))
    few_galaxies(settings, N_GALAXIES)
    target_module.build(settings)
    return settings


def light_of(settings, subhalo_id, view, grid, *, scope="group"):
    """Particle light without dust [maggies/pixel]."""
    source = ParticleLight(dust=None, unit="maggies/pixel")
    galaxy = load_galaxy(open_universe(settings), subhalo_id, scope=scope, extra=source.fields, components=("stars",))
    return source.image(galaxy, view, grid)


@pytest.fixture(scope="module")
def pictures(small, tmp_path_factory):
    """A folder as the archive unpacks it: images of all galaxies but the last, from their particles, in counts."""
    folder = tmp_path_factory.mktemp("published")
    place = folder / "sdss" / "snapnum_099" / "data"
    place.mkdir(parents=True)
    side = CARDS["CDELT1"] / 1e3
    for subhalo_id in read_sample(small.sample_path)["subhalo_id"][:-1]:
        grid = SkyGrid(301 * side, 301)
        light = light_of(small, int(subhalo_id), box_view(int(subhalo_id)), grid)[..., 1:]
        # Counts have no zero point, and another scale in each band.
        counts = 1e9 * light * [1.0, 2.0, 3.0, 0.5]
        hdu = fits.PrimaryHDU(np.moveaxis(counts, -1, 0).astype(">f4"))
        hdu.header.update(CARDS)
        hdu.writeto(place / f"broadband_{subhalo_id}.fits")
    return folder


def test_published_images_make_a_data_set(small, pictures, tmp_path):
    recipe = Recipe(images="published", published=str(pictures), orientation="box", n_views=1)
    path = tmp_path / "dataset.hdf5"
    build(small, recipe=recipe, workers=1, path=path)
    made = read_dataset(path)
    ids = [int(i) for i in read_sample(small.sample_path)["subhalo_id"]]
    # Who has no published image is left out; the others have one view, and HI of the same line of sight.
    assert sorted(made.table["subhalo_id"].tolist()) == sorted(ids[:-1])
    assert made.bands == BANDS and made.image_unit == "counts/s/pixel" and len(made) == N_GALAXIES - 1
    assert (
        made.set_aside["subhalo_id"].tolist() == ids[-1:] and "no published SKIRT image" in made.set_aside["reason"][0]
    )
    for row, subhalo_id in enumerate(made.table["subhalo_id"]):
        light = light_of(small, int(subhalo_id), box_view(int(subhalo_id)), made.grid)[..., 1:]
        image = made.images([row])[0]
        # The published field is 117 kpc wide, the common one 128.
        ratio = image.sum((0, 1)) / light.sum((0, 1)) / 1e9
        np.testing.assert_allclose(ratio / [1.0, 2.0, 3.0, 0.5], 1.0, atol=0.05)
        middle = slice(16, 48)
        for k in range(4):
            pair = image[middle, middle, k].ravel(), light[middle, middle, k].ravel()
            assert np.corrcoef(*pair)[0, 1] > 0.999
    inputs = made.inputs(made.rows())
    assert inputs.shape == (N_GALAXIES - 1, 48, 48, 7) and np.isfinite(inputs).all()
    assert made.channels("photometry") == BANDS


def test_without_any_published_image_there_is_no_data_set(small, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    recipe = Recipe(images="published", published=str(empty), orientation="box", n_views=1)
    with pytest.raises(DatasetError, match=r"no galaxy .* has no published SKIRT image in empty"):
        build(small, recipe=recipe, workers=1, path=tmp_path / "dataset.hdf5")


def test_own_skirt_runs_make_a_data_set(small, tmp_path, monkeypatch):
    """With the stand-in in SKIRT's place (tests/fake_skirt.py), so without dust."""
    monkeypatch.delenv("FAKE_SKIRT", raising=False)
    monkeypatch.setenv(VARIABLE, str(skirt_toys.executable(tmp_path)))
    settings = SkirtSettings(library="self-contained", packets=1e5)
    recipe = Recipe(images="skirt", skirt=settings, dust=False, n_views=2)
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    path = tmp_path / "dataset.hdf5"
    build(small, recipe=recipe, workers=2, path=path)
    made = read_dataset(path)
    assert made.bands == UGRIZ and made.image_unit == "maggies/pixel" and len(made) == 2 * N_GALAXIES
    plain = tmp_path / "particles.hdf5"
    build(small, recipe=Recipe(dust=False, n_views=2), workers=2, path=plain)
    light = read_dataset(plain)
    np.testing.assert_array_equal(made.table["subhalo_id"], light.table["subhalo_id"])
    np.testing.assert_array_equal(made.hi(made.rows()), light.hi(light.rows()))
    for image, expected in zip(made.images(made.rows()), light.images(light.rows()), strict=True):
        np.testing.assert_allclose(image.sum((0, 1)) / expected.sum((0, 1)), 1.0, atol=0.03)
        assert np.corrcoef(image[..., 2].ravel(), expected[..., 2].ravel())[0, 1] > 0.95


def test_a_galaxy_whose_run_fails_is_set_aside(small, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_SKIRT", "fail")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv(VARIABLE, str(skirt_toys.executable(tmp_path)))
    recipe = Recipe(images="skirt", skirt=SkirtSettings(library="self-contained"), n_views=1)
    with pytest.raises(DatasetError, match=r"no galaxy .*Voronoi tessellation failed.*the files of this run are kept"):
        build(small, recipe=recipe, workers=1, path=tmp_path / "dataset.hdf5")
