"""The data set: its contract, the same bits whoever makes it, and no galaxy lost in silence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
from pydantic import ValidationError

from dataset_tree import content, copy_tree, few_galaxies, overwrite, particles_of, remove_gas, unlink
from dmlib import targets as target_module
from dmlib.dataset import SPLITS, straddling
from dmlib.dataset.build import build
from dmlib.dataset.read import HI_CHANNELS, INPUT_SETS, DataSet, ln_mass, read_dataset
from dmlib.dataset.views import DatasetError, Observer, Recipe
from dmlib.errors import UniverseError
from dmlib.observe.images.sdss import normalise
from dmlib.observe.moments import BLANK, moment_maps
from dmlib.observe.sky import SkyGrid, lines_of_sight
from dmlib.sample import read_sample
from dmlib.settings import RADII_KPC
from dmlib.targets import read_targets
from dmlib.universe import open_universe
from dmlib.workers import Blocks

N_GALAXIES = 10


@pytest.fixture(scope="module")
def small(smoke_universe, tmp_path_factory):
    """Settings of a few galaxies with their targets, products taken as they lie."""
    settings = copy_tree(smoke_universe, tmp_path_factory.mktemp("dataset"))
    few_galaxies(settings, N_GALAXIES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DMLIB_WORKERS", "2")  # galaxies are handed to processes
        target_module.build(settings)
    return settings


@pytest.fixture(scope="module")
def reference(small):
    """The data set that two processes made undisturbed."""
    build(small, workers=2, block_size=3)
    return small.dataset_path


@pytest.fixture
def mine(small, tmp_path):
    """A copy of the galaxies to be damaged, its targets measured before."""
    settings = copy_tree(small, tmp_path)
    for path in (small.sample_path, small.targets_path):
        (settings.build / path.name).write_bytes(path.read_bytes())
    return settings


class TestContract:
    def test_arrays(self, reference, small):
        pixels = small.sizes.pixels
        with h5py.File(reference) as handle:
            n = len(handle["subhalo_id"])
            assert n == 3 * N_GALAXIES
            assert handle["images"].shape == (n, pixels, pixels, 5) and handle["images"].dtype == "f4"
            assert handle["hi"].shape == (n, pixels, pixels, 3) and handle["hi"].dtype == "f4"
            assert handle["dm_profile"].shape == (n, 20)
            for name in ("view", "split", "inclination", "position_angle", "m_star"):
                assert handle[name].shape == (n,)
            np.testing.assert_array_equal(handle["radii"][()], RADII_KPC)
            assert handle["images"].compression == "gzip" and handle["images"].chunks[0] == 1

    def test_attributes(self, reference, small):
        with h5py.File(reference) as handle:
            assert handle["images"].attrs["unit"] == "maggies/pixel"
            assert list(handle["images"].attrs["bands"]) == ["u", "g", "r", "i", "z"]
            assert list(handle["hi"].attrs["unit"]) == ["Msun / pc2", "km / s", "km / s"]
            assert handle["inclination"].attrs["unit"] == "deg" and handle["dm_profile"].attrs["unit"] == "Msun"
            assert handle.attrs["field_of_view"] == small.sizes.field_of_view
            assert handle.attrs["pixel_size"] * small.sizes.pixels == handle.attrs["field_of_view"]
            assert len(handle.attrs["made_from"]) == 64
            assert "not TNG" in handle.attrs["data"]

    def test_every_galaxy_has_its_views_and_its_target(self, reference, small):
        dataset, targets = read_dataset(reference), read_targets(small.targets_path)
        table = dataset.table
        assert len(dataset.set_aside) == 0, dataset.set_aside["reason"].tolist()
        assert dataset.n_galaxies == N_GALAXIES
        for row, subhalo_id in enumerate(targets.subhalo_id):
            here = np.flatnonzero(table["subhalo_id"] == subhalo_id)
            assert table["view"][here].tolist() == [0, 1, 2]
            np.testing.assert_array_equal(dataset.dm_profile[here], np.tile(targets.m_dm[row], (3, 1)))

    def test_lines_of_sight_are_those_of_the_galaxy(self, reference, small):
        dataset = read_dataset(reference)
        observer = Observer(open_universe(small), Recipe(), SkyGrid.of(small), small.seed)
        subhalo_id = int(dataset.table["subhalo_id"][4])
        views = observer.views(subhalo_id)
        rotations = [view.rotation for view in lines_of_sight(subhalo_id, None, 3, seed=small.seed)]
        np.testing.assert_array_equal(views["rotation"], rotations)
        here = np.flatnonzero(dataset.table["subhalo_id"] == subhalo_id)
        np.testing.assert_array_equal(dataset.images(here), views["images"])
        np.testing.assert_array_equal(dataset.hi(here), views["hi"])

    def test_cube_on_request_has_the_moments_of_the_data_set(self, reference, small):
        dataset = read_dataset(reference)
        observer = Observer(open_universe(small), Recipe(), SkyGrid.of(small), small.seed)
        row = 7
        cube = observer.cube(int(dataset.table["subhalo_id"][row]), int(dataset.table["view"][row]))
        np.testing.assert_array_equal(moment_maps(cube).stack.astype("f4"), dataset.hi([row])[0])

    def test_no_galaxy_and_no_group_is_on_two_sides(self, reference):
        table = read_dataset(reference).table
        for name in ("subhalo_id", "group_id"):
            assert len(straddling(np.asarray(table[name]), np.asarray(table["split"]))) == 0
        groups, galaxies = np.unique(np.stack([table["group_id"], table["subhalo_id"]]), axis=1)
        assert len(np.unique(groups)) < len(galaxies), "the sample has a group with two galaxies"


class TestSameWhoeverMakesIt:
    def test_killed(self, mine, reference):
        """Two processes begin, with other blocks than the reference, and one ends."""
        script = Path(__file__).parents[1] / "dataset_tree.py"
        process = subprocess.Popen([sys.executable, str(script), str(mine.build.parent), "2"])
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and process.poll() is None:
            if len(list(mine.build.glob(".dataset.blocks-*/*.npz"))) >= 2:
                break
            time.sleep(0.01)
        assert process.poll() is None, "it was to be killed before it ended"
        workers = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        _, alive = psutil.wait_procs(workers, timeout=20)
        assert not alive, "workers outlive their killed parent"
        assert not mine.dataset_path.exists()
        left = {path: path.stat().st_mtime_ns for path in mine.build.glob(".dataset.blocks-*/*.npz")}
        assert 2 <= len(left) < N_GALAXIES
        made = []
        with pytest.MonkeyPatch.context() as patch:
            real = Blocks.write
            patch.setattr(
                Blocks, "write", lambda self, name, **arrays: made.append(self.path(name)) or real(self, name, **arrays)
            )
            build(mine, workers=1, block_size=1)
        assert len(made) == N_GALAXIES - len(left) and not set(made) & set(left)
        assert content(mine.dataset_path) == content(reference)
        assert not list(mine.build.glob(".dataset.blocks-*"))


class TestSetAside:
    def test_damaged_galaxies_are_named_and_the_rest_is_built(self, mine, reference, capsys):
        sample = read_sample(mine.sample_path)
        alone = np.isin(sample["group_id"], sample["group_id"][sample["is_true_central"]])
        alone &= np.array([np.sum(sample["group_id"] == g) == 1 for g in sample["group_id"]])
        stars, gas, bare = (int(i) for i in sample["subhalo_id"][alone][[0, 1, 2]])
        overwrite(mine, stars, "stars", "Velocities", np.nan)
        overwrite(mine, gas, "gas", "InternalEnergy", np.nan)
        remove_gas(mine, bare, int(sample["group_id"][sample["subhalo_id"] == bare][0]))
        build(mine, workers=1)
        told = capsys.readouterr().err
        assert f"data set: 3 of {N_GALAXIES} galaxies set aside" in told and f"  subhalo {gas}: " in told
        dataset = read_dataset(mine.dataset_path)
        reasons = dict(zip(dataset.set_aside["subhalo_id"].tolist(), dataset.set_aside["reason"].tolist(), strict=True))
        assert {stars, gas, bare} == set(reasons)
        assert set(dataset.set_aside["stage"]) == {"observation"}
        assert "star field Velocities" in reasons[stars] and f"subhalo {stars}" in reasons[stars]
        assert "gas field InternalEnergy" in reasons[gas]
        assert "has no gas" in reasons[bare]
        # Whoever remains is as if nothing had happened.
        whole = read_dataset(reference)
        kept = np.unique(dataset.table["subhalo_id"])
        assert {*kept.tolist(), *reasons} == {*sample["subhalo_id"].tolist()} and len(kept)
        there = np.flatnonzero(np.isin(whole.table["subhalo_id"], kept))
        np.testing.assert_array_equal(dataset.images(dataset.rows()), whole.images(there))
        np.testing.assert_array_equal(np.asarray(dataset.table["split"]), np.asarray(whole.table["split"])[there])

    def test_a_file_that_cannot_be_read_stops_everything(self, mine, reference):
        """It is a trouble of the machine: no galaxy is set aside, and what was observed is kept."""
        path, _ = particles_of(mine, int(read_sample(mine.sample_path)["subhalo_id"][-1]), "gas")[-1]
        whole = path.read_bytes()
        os.truncate(unlink(path), len(whole) // 2)
        with pytest.raises(UniverseError, match=rf"{path.name} is truncated"):
            build(mine, workers=1, block_size=1)
        assert not mine.dataset_path.exists()
        with pytest.raises(UniverseError, match=rf"{path.name} is truncated"):
            target_module.build(mine)
        path.write_bytes(whole)
        target_module.build(mine)
        build(mine, workers=1, block_size=1)
        assert content(mine.dataset_path) == content(reference)

    def test_a_galaxy_without_dark_matter_in_its_centre_is_set_aside(self, mine):
        with h5py.File(mine.targets_path, "r+") as file:
            subhalo_id = int(file["subhalo_id"][0])
            file["group/dm"][0, 0] = 0.0
        build(mine, workers=1)
        dataset = read_dataset(mine.dataset_path)
        assert subhalo_id not in dataset.table["subhalo_id"]
        aside = dataset.set_aside
        assert "within 1 kpc" in aside["reason"][aside["subhalo_id"] == subhalo_id][0]
        assert np.isfinite(ln_mass(dataset.dm_profile)).all()

    def test_no_galaxy_at_all(self, mine):
        with pytest.raises(DatasetError, match=r"no galaxy .* could be observed \(subhalo \d+ has"):
            build(mine, recipe=Recipe(min_stars=10**9), workers=1)

    def test_too_little_to_see(self, mine):
        build(mine, recipe=Recipe(min_hi_cells=400, n_views=1), workers=1)
        dataset = read_dataset(mine.dataset_path)
        assert 0 < dataset.n_galaxies < N_GALAXIES
        assert all("gas cells with HI in the field, fewer than 400" in reason for reason in dataset.set_aside["reason"])


class TestReading:
    def test_inputs_are_on_fixed_scales(self, reference):
        dataset = read_dataset(reference)
        inputs = dataset.inputs(dataset.rows())
        assert inputs.shape == (len(dataset), 48, 48, 8) and inputs.dtype == np.float32
        assert np.isfinite(inputs).all() and np.abs(inputs).max() < 10
        maps = dataset.hi(dataset.rows())[:, 8:-8, 8:-8]
        assert np.all((inputs[..., 5] == BLANK) == np.isnan(maps[..., 0]))

    def test_networks_see_the_middle(self, reference):
        """A pixel of the inputs lies where its grid says; a band's brightness is that of the whole image's pixels."""
        dataset = read_dataset(reference)
        assert dataset.input_grid.pixel_size == dataset.grid.pixel_size and dataset.input_grid.field_of_view == 96.0
        np.testing.assert_allclose(dataset.input_grid.centres, dataset.grid.centres[8:-8])
        whole = normalise(dataset.images([4]), dataset.image_unit, dataset.bands, dataset.grid)
        np.testing.assert_array_equal(dataset.inputs([4], "photometry"), whole[:, 8:-8, 8:-8])
        with pytest.raises(ValueError, match="cannot be 47 pixels wide"):
            dataset.grid.central(47)

    def test_sides_cover_all_views_once(self, reference):
        dataset = read_dataset(reference)
        rows = np.concatenate([dataset.rows(side) for side in SPLITS])
        np.testing.assert_array_equal(np.sort(rows), dataset.rows())
        with pytest.raises(DatasetError, match="train, validation, test, calibration, not 'exam'"):
            dataset.rows("exam")

    def test_channels_by_name(self, reference):
        dataset = read_dataset(reference)
        assert dataset.channels("photometry") == ("u", "g", "r", "i", "z")
        assert dataset.channels("all") == (*dataset.bands, *HI_CHANNELS)
        assert dataset.channels(["i", "moment1"]) == ("i", "moment1")
        assert all(dataset.channels(name) for name in INPUT_SETS)
        assert dataset.channels("SDSS_I_HI_012") == ("i", *HI_CHANNELS)
        whole, some = dataset.inputs([3, 1]), dataset.inputs([3, 1], "SDSS_URZ_HI_012")
        np.testing.assert_array_equal(some, whole[..., [0, 2, 4, 5, 6, 7]])
        with pytest.raises(DatasetError, match="has no input 'y'"):
            dataset.channels(["i", "y"])
        with pytest.raises(DatasetError, match="has no input"):
            dataset.channels([])

    def test_views_that_are_kept_are_read_once(self, reference, monkeypatch):
        dataset, images, read = read_dataset(reference), DataSet.images, []
        whole, every = dataset.inputs(dataset.rows()), dataset.channels("all")
        monkeypatch.setattr(DataSet, "images", lambda self, rows: read.extend(rows) or images(self, rows))
        for rows, inputs in (([3, 1], "all"), ([1, 5, 3, 3], "HI_1"), ([5, 0], ["r", "moment0"])):
            columns = [every.index(name) for name in dataset.channels(inputs)]
            np.testing.assert_array_equal(dataset.inputs(rows, inputs, keep=True), whole[rows][..., columns])
        assert sorted(read) == [0, 1, 3, 5]

    def test_a_set_of_inputs_is_one_row(self, reference, monkeypatch):
        monkeypatch.setitem(INPUT_SETS, "toy", ("bands", "moment1"))
        dataset = read_dataset(reference)
        assert dataset.channels("toy") == (*dataset.bands, "moment1")
        assert dataset.inputs([0], "toy").shape[-1] == 6

    def test_rows_come_in_the_order_asked_for(self, reference):
        dataset = read_dataset(reference)
        rows = [5, 2, 2, 9]
        np.testing.assert_array_equal(dataset.images(rows), dataset.images(dataset.rows())[rows])
        assert dataset.images([]).shape == (0, 64, 64, 5)

    def test_logarithm_of_the_target(self, reference):
        m_dm = read_dataset(reference).dm_profile
        np.testing.assert_allclose(np.exp(ln_mass(m_dm)[:, -1]), m_dm[:, -1])
        assert np.array_equal(np.isnan(ln_mass(m_dm)), m_dm <= 0)

    def test_a_damaged_file_is_named(self, tmp_path):
        (tmp_path / "dataset.hdf5").write_bytes(b"not hdf5")
        with pytest.raises(DatasetError, match=r"dataset\.hdf5 is not a complete data set"):
            read_dataset(tmp_path / "dataset.hdf5")


class TestRecipe:
    def test_what_does_not_fit_together_is_refused(self):
        for wrong in (
            {"train": 0.8, "validation": 0.2},
            {"images": "published"},
            {"images": "published", "published": "images"},
            {"images": "skirt", "skirt": {"redshift": 0.1}},
            {"orientation": "box"},
            {"n_views": 0},
            {"orientation": [(30.0, 0.0)], "n_views": 3},
            {"orientation": []},
            {"orientation": [(30.0,)]},
        ):
            with pytest.raises(ValidationError):
                Recipe(**wrong)

    def test_survey_images_and_no_dust_have_the_same_bands_and_unit(self):
        for recipe in (Recipe(images="sdss"), Recipe(dust=False), Recipe()):
            source = recipe.source(seed=1)
            assert source.bands == ("u", "g", "r", "i", "z") and source.unit == "maggies/pixel"

    def test_edge_on(self, small):
        recipe = Recipe(orientation="edge-on", n_views=2)
        observer = Observer(open_universe(small), recipe, SkyGrid.of(small), small.seed)
        views = observer.views(int(read_sample(small.sample_path)["subhalo_id"][1]))
        np.testing.assert_allclose(views["inclination"], 90.0)
        assert len(views["images"]) == 2

    def test_fixed_lines_of_sight(self, small):
        recipe = Recipe(orientation=[(30.0, 120.0), (75.0, 300.0, 45.0)])
        assert recipe.n_views == 2 and Recipe.model_validate_json(recipe.model_dump_json()) == recipe
        observer = Observer(open_universe(small), recipe, SkyGrid.of(small), small.seed)
        views = observer.views(int(read_sample(small.sample_path)["subhalo_id"][1]))
        np.testing.assert_allclose(views["inclination"], [30.0, 75.0])
        np.testing.assert_allclose(views["position_angle"], [120.0, 300.0])

    def test_gas_and_stars_of_the_subhalo_alone(self, small):
        sample = read_sample(small.sample_path)
        subhalo_id = int(sample["subhalo_id"][np.argmax(sample["is_true_central"])])
        group = Observer(open_universe(small), Recipe(n_views=1), SkyGrid.of(small), small.seed)
        own = Observer(open_universe(small), Recipe(n_views=1, scope="subhalo"), SkyGrid.of(small), small.seed)
        both = group.views(subhalo_id), own.views(subhalo_id)
        # The HI is the group's in either case, though it is read in another way.
        np.testing.assert_allclose(both[0]["hi"], both[1]["hi"], rtol=1e-4, atol=1e-2)
        assert both[1]["images"].sum() <= both[0]["images"].sum() * (1 + 1e-5)
