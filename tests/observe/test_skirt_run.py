"""Running an executable, and reading what it wrote. The executable is a stand-in (tests/fake_skirt.py), not SKIRT."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import skirt_schema
from dmlib.errors import GalaxyError
from dmlib.observe.images import maggies_per_lsun
from dmlib.observe.images.light import ParticleLight, star_luminosities
from dmlib.observe.images.published import box_view
from dmlib.observe.images.sdss import normalise
from dmlib.observe.skirt import SkirtError, SkirtSettings
from dmlib.observe.skirt.export import export
from dmlib.observe.skirt.source import VARIABLE, OwnSkirt, compare, find_skirt, run_folder, run_skirt, skirt_state
from dmlib.observe.skirt.tables import read_frame
from skirt_toys import GRID, VARIANTS, executable, galaxy, gas, lopsided, some_views, stars

OWN = SkirtSettings(library="self-contained", dust=False, packets=2e5)


@pytest.fixture()
def skirt(tmp_path, monkeypatch):
    """The stand-in, well-behaved."""
    monkeypatch.delenv("FAKE_SKIRT", raising=False)
    return executable(tmp_path)


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """Folder, settings and views of a run that went well."""
    folder = tmp_path_factory.mktemp("frames")
    views = some_views()
    written = export(lopsided(), views, GRID, OWN, folder)
    run_skirt(written.ski, folder / "out", executable=executable(folder), timeout=60)
    return folder / "out", views


def agree(image, expected):
    """Total flux within 3 per cent in each band, and the light in the same places."""
    np.testing.assert_allclose(image.sum((0, 1)) / expected.sum((0, 1)), 1.0, atol=0.03)
    x = GRID.centres
    for k in range(image.shape[-1]):
        for axis in (0, 1):
            where = [np.sum(x * one[..., k].sum(axis=1 - axis)) / one[..., k].sum() for one in (image, expected)]
            assert abs(where[0] - where[1]) < 0.1


def test_images_without_dust_are_the_particle_light(frames):
    out, views = frames
    light = ParticleLight(dust=None, unit="maggies/pixel")
    for view in views:
        image = read_frame(out / f"subhalo_7_view{view.index}_total.fits", GRID, OWN)
        expected = light.image(lopsided(), view, GRID)
        agree(image, expected)
        # Pixel by pixel, to the noise of the packets and the different kernel.
        assert np.corrcoef(image[..., 2].ravel(), expected[..., 2].ravel())[0, 1] > 0.99
        # Turned or mirrored it would not fit.
        for wrong in (image[::-1], image[:, ::-1], image.swapaxes(0, 1)):
            assert np.corrcoef(wrong[..., 2].ravel(), expected[..., 2].ravel())[0, 1] < 0.9


def test_the_source_gives_what_the_recipe_needs(skirt):
    source = OwnSkirt(OWN, executable=skirt, timeout=60)
    assert source.unit == "maggies/pixel" and source.bands == ("u", "g", "r", "i", "z")
    assert set(source.fields) == {"stars"} and set(OwnSkirt().fields) == {"stars", "gas"}
    view = some_views(1)[0]
    image = source.image(lopsided(), view, GRID)
    assert image.shape == (16, 16, 5)
    total = star_luminosities(lopsided()).sum(axis=0) * maggies_per_lsun()
    np.testing.assert_allclose(image.sum((0, 1)), total, rtol=0.03)
    assert np.isfinite(normalise(image, source.unit, source.bands, GRID)).all()


def test_a_run_that_takes_too_long_is_ended_with_all_it_started(tmp_path, skirt, monkeypatch):
    monkeypatch.setenv("FAKE_SKIRT", "hang")
    written = export(lopsided(), some_views(1), GRID, OWN, tmp_path / "in")
    start = time.monotonic()
    with pytest.raises(GalaxyError, match=r"ended after 3 s with subhalo_7\.ski: give it more time"):
        run_skirt(written.ski, tmp_path / "out", executable=skirt, timeout=3)
    assert time.monotonic() - start < 20
    pids = [int(pid) for pid in (tmp_path / "out" / "pids.txt").read_text().split()]
    assert len(pids) == 2
    deadline = time.monotonic() + 5
    while any(running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(running(pid) for pid in pids)


def running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = f"/proc/{pid}/stat"
    # A zombie that its new parent has not collected is no longer running.
    return not (os.path.exists(stat) and open(stat).read().rsplit(")", 1)[1].split()[0] == "Z")


def test_a_failed_run_says_what_skirt_said(tmp_path, skirt, monkeypatch):
    monkeypatch.setenv("FAKE_SKIRT", "fail")
    written = export(lopsided(), some_views(1), GRID, OWN, tmp_path / "in")
    with pytest.raises(GalaxyError, match=r"subhalo_7\.ski \(Voronoi tessellation failed\): see .*_log\.txt$"):
        run_skirt(written.ski, tmp_path / "out", executable=skirt, timeout=60)


def test_the_files_of_a_failed_run_are_kept_where_the_error_says(skirt, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    source = OwnSkirt(OWN, executable=skirt, timeout=60)
    source.image(lopsided(), some_views(1)[0], GRID)
    assert not list((tmp_path / "temporary").iterdir())
    monkeypatch.setenv("FAKE_SKIRT", "fail")
    with pytest.raises(GalaxyError, match=r"tessellation failed.*the files of this run are kept in ") as caught:
        source.image(lopsided(), some_views(1)[0], GRID)
    (kept,) = (tmp_path / "temporary").iterdir()
    assert str(kept) in str(caught.value) and "main + 7" not in str(caught.value)
    assert (kept / "stars.txt").is_file() and (kept / "out" / "subhalo_7_log.txt").is_file()


def test_frames_of_an_earlier_run_do_not_pass_for_those_of_this_one(tmp_path, skirt, monkeypatch):
    export(lopsided(), some_views(1), GRID, OWN, tmp_path / "in")
    assert len(run_folder(tmp_path / "in", executable=skirt, timeout=60)) == 1
    monkeypatch.setenv("FAKE_SKIRT", "silent")
    with pytest.raises(SkirtError, match="wrote no subhalo_7_view0_total"):
        run_folder(tmp_path / "in", executable=skirt, timeout=60)


def test_a_parameter_file_that_skirt_refuses_is_refused_by_the_stand_in(tmp_path, skirt):
    written = export(lopsided(), some_views(1), GRID, OWN, tmp_path / "in")
    written.ski.write_text(written.ski.read_text().replace('userLevel="Regular" ', ""))
    with pytest.raises(GalaxyError, match="'minWavelength' in item of type 'LogWavelengthGrid' is not specified"):
        run_skirt(written.ski, tmp_path / "out", executable=skirt, timeout=60)


def test_a_chapter_says_why_there_is_no_comparison(tmp_path, skirt, monkeypatch):
    toy = galaxy(lopsided().stars, gas([[0.0, 0.0, 0.0]]))
    monkeypatch.setenv(VARIABLE, str(skirt))
    own, sentence = compare(toy, some_views(1)[0], GRID)
    assert own is not None and "differ by at most" in sentence
    monkeypatch.setenv("FAKE_SKIRT", "fail")
    own, sentence = compare(toy, some_views(1)[0], GRID)
    assert own is None and sentence.startswith("No comparison with SKIRT: ") and "tessellation failed" in sentence
    before = skirt_state()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "elsewhere"))
    assert compare(toy, some_views(1)[0], GRID)[1].startswith("No comparison with SKIRT: There is no skirt")
    # By this the chapter is run again when SKIRT appears.
    assert skirt_state() == "absent" != before


def test_progress_is_read_from_the_log(tmp_path, monkeypatch):
    shown = []
    slow = tmp_path / "skirt"
    line = "26/11/2026 12:00:00.000   Launched primary emission photon packets"
    slow.write_text(f'#!/bin/sh\nfor p in 10.0 55.5; do echo "{line}: $p%" >> "$6/none_log.txt"; sleep 1.3\ndone\n')
    slow.chmod(0o755)
    (tmp_path / "none.ski").write_text("")
    monkeypatch.setattr("tqdm.std.tqdm.update", lambda self, n: shown.append(n))
    run_skirt(tmp_path / "none.ski", tmp_path / "out", executable=slow, timeout=60)
    assert shown[0] == 10.0 and 55.5 in shown


def test_missing_resources_are_told_with_the_mend(tmp_path, skirt):
    written = export(lopsided(), some_views(1), GRID, SkirtSettings(frame="rest", dust=False), tmp_path / "in")
    # The stand-in has no bands but those from files, as SKIRT without its packs.
    written.ski.write_text(written.ski.read_text().replace("BroadBand", "FileBand").replace("bandName", "filename"))
    for band in "UGRIZ":
        shutil.copy(export_of_own(tmp_path) / f"band_{band.lower()}.txt", written.ski.parent / f"SLOAN_SDSS_{band}")
    with pytest.raises(SkirtError, match=r"Could not locate resource .*library='self-contained'"):
        run_skirt(written.ski, tmp_path / "out", executable=skirt, timeout=60)


def export_of_own(tmp_path):
    return export(lopsided(), some_views(1), GRID, OWN, tmp_path / "own").ski.parent


def test_no_executable_is_told_with_the_mend(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(SkirtError, match=r"no skirt executable on PATH: build SKIRT 9 .* DMLIB_SKIRT"):
        find_skirt()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "elsewhere"))
    with pytest.raises(SkirtError, match=r"no skirt executable at .*elsewhere"):
        find_skirt()
    monkeypatch.setenv(VARIABLE, str(executable(tmp_path)))
    assert find_skirt() == tmp_path / "skirt"
    with pytest.raises(SkirtError, match="no parameter file"):
        run_skirt(tmp_path / "none.ski", tmp_path)
    # ./skirt, from which a path has lost the dots.
    monkeypatch.delenv(VARIABLE)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.chdir(tmp_path)
    assert find_skirt(Path("./skirt")) == tmp_path / "skirt"


def test_what_cannot_be_executed_is_told(tmp_path):
    broken = tmp_path / "skirt"
    broken.write_text("no program\n")
    broken.chmod(0o755)
    written = export(lopsided(), some_views(1), GRID, OWN, tmp_path / "in")
    with pytest.raises(SkirtError, match="cannot be run"):
        run_skirt(written.ski, tmp_path / "out", executable=broken)


@pytest.mark.parametrize(("mode", "complaint"), [("silent", "wrote no subhalo_7_view0_total"), ("cut", "cut short")])
def test_frames_that_are_missing_or_cut_are_refused(skirt, monkeypatch, mode, complaint):
    monkeypatch.setenv("FAKE_SKIRT", mode)
    with pytest.raises(SkirtError, match=complaint):
        OwnSkirt(OWN, executable=skirt, timeout=60).image(lopsided(), some_views(1)[0], GRID)


class TestFrames:
    """Frames with other headers, made from one that the stand-in wrote."""

    def frame(self, frames, tmp_path, change):
        source = frames[0] / "subhalo_7_view0_total.fits"
        tmp_path.mkdir(exist_ok=True)
        target = tmp_path / "other.fits"
        with fits.open(source) as hdus:
            change(hdus)
            hdus.writeto(target)
        return target, read_frame(source, GRID, OWN)

    def test_other_flux_styles_give_the_same_image(self, frames, tmp_path):
        c = 2.99792458e8
        for unit, factor in (
            # lambda F_lambda in W/m2/sr, then per arcsec2; F_lambda in W/m2/micron/arcsec2.
            ("W/m2/sr", lambda x: 1e-20 * c / (x * 1e-6)),
            ("W/m2/arcsec2", lambda x: 1e-20 * c / (x * 1e-6) * (np.pi / 648000) ** 2),
            ("W/m2/micron/arcsec2", lambda x: 1e-20 * c / (x * 1e-6) / x * (np.pi / 648000) ** 2),
        ):

            def change(hdus, unit=unit, factor=factor):
                x = np.array([float(row[0]) for row in hdus[1].data])
                hdus[0].data = (hdus[0].data.astype(float) * factor(x)[:, None, None]).astype(">f8")
                hdus[0].header["BUNIT"] = unit

            path, expected = self.frame(frames, tmp_path / unit.replace("/", "_"), change)
            np.testing.assert_allclose(read_frame(path, GRID, OWN), expected, rtol=1e-5)

    def test_pixels_in_parsec_are_read_too(self, frames, tmp_path):
        def change(hdus):
            hdus[0].header.update({"CUNIT1": "pc", "CDELT1": 2000.0})

        path, expected = self.frame(frames, tmp_path, change)
        np.testing.assert_array_equal(read_frame(path, GRID, OWN), expected)

    @pytest.mark.parametrize(
        ("card", "value", "complaint"),
        [
            ("BUNIT", "counts", "is in 'counts'"),
            ("CDELT1", 9.0, "pixels of .* kpc where 2 kpc are expected"),
            ("CUNIT1", "furlong", "pixels in 'furlong'"),
        ],
    )
    def test_other_frames_are_refused(self, frames, tmp_path, card, value, complaint):
        path, _ = self.frame(frames, tmp_path, lambda hdus: hdus[0].header.set(card, value))
        with pytest.raises(SkirtError, match=complaint):
            read_frame(path, GRID, OWN)

    def test_frames_of_other_bands_and_pixels_are_refused(self, frames, tmp_path):
        def shift(hdus):
            hdus[1].data["GRID_POINTS"] = hdus[1].data["GRID_POINTS"] * 1.05

        with pytest.raises(SkirtError, match=r"has frames at .* where the SDSS bands are at"):
            read_frame(self.frame(frames, tmp_path / "a", shift)[0], GRID, OWN)

        def poison(hdus):
            hdus[0].data[2, 3, 4] = np.nan

        with pytest.raises(SkirtError, match="not finite"):
            read_frame(self.frame(frames, tmp_path / "b", poison)[0], GRID, OWN)
        with pytest.raises(SkirtError, match=r"shape"):
            read_frame(frames[0] / "subhalo_7_view0_total.fits", type(GRID)(32.0, 32), OWN)


@pytest.mark.skipif(
    not os.environ.get(VARIABLE) and shutil.which("skirt") is None,
    reason="SKIRT itself is not here: put its executable on PATH, or name it in DMLIB_SKIRT",
)
class TestRealSkirt:
    """SKIRT itself."""

    def test_its_own_schema_is_the_one_that_we_write_for(self, tmp_path):
        subprocess.run([find_skirt(), "-x"], cwd=tmp_path, check=True, timeout=60, stdout=subprocess.DEVNULL)
        assert skirt_schema.differences(tmp_path / "skirt.smile") == []

    @pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: f"{v.library}-{v.frame}-{v.medium}-{v.dust}")
    def test_it_accepts_every_kind_of_parameter_file(self, tmp_path, variant):
        """Runs with tables of our own succeed; those with resource packs get as far as looking for the packs."""
        position = np.random.default_rng(1).normal(0, 2, (60, 3))
        toy = galaxy(stars(position, np.where(np.arange(60) < 9, 0.005, 3.0)), gas(position, mass=1e7))
        written = export(toy, some_views(), GRID, variant.model_copy(update={"packets": 1e3}), tmp_path)
        try:
            run_skirt(written.ski, tmp_path / "out", timeout=120)
        except SkirtError as error:
            assert variant.library == "resources" and "Could not locate resource" in str(error)

    def test_without_dust_the_flux_is_the_particle_lights(self, tmp_path):
        views = some_views()
        images = OwnSkirt(OWN, threads=2, timeout=600).images(lopsided(), views, GRID)
        light = ParticleLight(dust=None, unit="maggies/pixel")
        for view, image in zip(views, images, strict=True):
            agree(image, light.image(lopsided(), view, GRID))

    def test_the_published_recipe_where_the_resource_packs_are(self, tmp_path):
        positions = np.random.default_rng(1).normal(0, 2, (200, 3))
        ages = np.where(np.arange(200) < 20, 0.005, 3.0)
        toy = galaxy(stars(positions, ages), gas(positions, mass=1e8))
        settings = SkirtSettings(packets=1e5)
        try:
            image = OwnSkirt(settings, threads=2, timeout=600).image(toy, box_view(7), GRID)
        except SkirtError as error:
            if "resource" not in str(error):
                raise
            pytest.skip(f"SKIRT is here without its resource packs: {error}")
        light = ParticleLight(unit="maggies/pixel").image(toy, box_view(7), GRID)
        # Other spectra, other dust, other bands: within a factor of two.
        np.testing.assert_allclose(np.log2(image.sum((0, 1)) / light.sum((0, 1))), 0.0, atol=1.0)

    def test_dust_dims_blue_more_than_red(self, tmp_path):
        positions = np.random.default_rng(1).normal(0, 2, (200, 3))
        toy = galaxy(stars(positions, 3.0), gas(positions, mass=1e8))
        bare, dusty = (
            OwnSkirt(OWN.model_copy(update={"dust": dust}), timeout=600).image(toy, box_view(7), GRID).sum((0, 1))
            for dust in (False, True)
        )
        share = dusty / bare
        assert np.all(share < 1) and np.all(np.diff(share) > 0)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.pop("ski"),
        lambda said: said.pop("settings"),
        lambda said: said["settings"].update(another=1),
        lambda said: said["views"][0].pop("index"),
        lambda said: said.update(pixels=0),
    ],
)
def test_a_folder_of_another_version_is_refused(tmp_path, skirt, change):
    export(lopsided(20), some_views(1), GRID, OWN, tmp_path)
    path = tmp_path / "export.json"
    said = json.loads(path.read_text())
    change(said)
    path.write_text(json.dumps(said))
    with pytest.raises(SkirtError, match=r"export\.json is not as this version of dmlib writes it .*: export again"):
        run_folder(tmp_path, executable=skirt)
