"""Committed records: what the real data give again, where they are from, and the command that writes them."""

from __future__ import annotations

import json
import runpy

import numpy as np
import pytest
from astropy.table import Table

from dmlib import load
from dmlib.errors import DmlibError
from dmlib.evaluation.integrated_light import CURVES, error_of, regressions
from dmlib.networks.plan import ARCHITECTURES
from dmlib.observe.skirt.source import unpack
from dmlib.published_script_bugs import selection_readings
from dmlib.settings import Settings
from dmlib.universe.files import FilesUniverse


@pytest.fixture(scope="module")
def measure(repository) -> dict:
    """The names of ``records/measure.py``."""
    return runpy.run_path(str(repository / "records" / "measure.py"))


def test_every_record_says_where_it_is_from(repository):
    names = sorted(path.stem for path in (repository / "records").glob("*.json"))
    assert len(names) >= 3
    for name in names:
        record = load.record(name)
        assert record["id"] == name and record["command"].startswith("python records/measure.py")
        assert (
            any(word in record["citation"] for word in ("et al.", "none:"))
            and record["simulation"]
            and record["date"] > "2026"
        )


def test_selection_of_the_real_rows(shared_data):
    record = load.record("selection_tng100_subset")
    real = FilesUniverse(shared_data / "tng100_catalogue_subset" / "output")
    assert record["measured"] == json.loads(json.dumps(selection_readings(real)))
    assert record["universe_identity"] == real.header.identity


def test_numbers_of_the_selection():
    counts = load.record("selection_tng100_subset")["measured"]["funnels"]["all"]
    assert [counts["paper"][k] for k in ("mass", "sfr", "central", "flag")] == [101, 56, 55, 55]
    assert [counts["true"][k] for k in ("central", "flag")] == [27, 27]


def test_fits_cover_curves_that_are_drawn_from_their_own_model():
    """Each kind of fit, with the sampler of the benchmark: 68 +- 5 per cent within the 68 per cent intervals."""
    fits = load.record("fit_coverage")["measured"]["fits"]
    assert set(fits) == {"nfw", "burkert", "nfw_lcdm", "population", "hybrid"}
    for name, found in fits.items():
        assert found["curves"] == 320 and found["not_fitted"] == 0, name
        for place, share in found["within_68"].items():
            assert abs(share["share"] - 0.68) < 0.05, (name, place)
        assert abs(found["within_95"]["all"]["share"] - 0.95) < 0.03, name


def test_skirts_own_runs(measure):
    """Without dust SKIRT's flux is the particle light's within 1 per cent; the numbers of the chapter are its means."""
    measured = load.record("skirt_own_runs")["measured"]
    ratios = np.array([one["flux_ratio"] for one in measured["galaxies"]])
    assert ratios.shape == (3, 3, 5) and np.abs(ratios - 1).max() < 0.01
    assert measured["numbers"] == json.loads(json.dumps(measure["skirt_runs"].numbers_of(measured["galaxies"])))
    rows = {name: row["value"] for name, row in measured["numbers"].items()}
    assert rows["flux"] == pytest.approx(100 * np.abs(ratios - 1).max())
    by_hand = np.mean([one["dimming"]["skirt"][2][1] for one in measured["galaxies"]])
    assert rows["skirt-edge"] == pytest.approx(by_hand)
    # Face-on and edge-on, without and with dust: dust takes light edge-on.
    pictures = unpack(measured["picture"])
    assert pictures.shape == (2, 2, 60, 60, 5)
    assert pictures[1, 1, ..., 1].sum() < pictures[1, 0, ..., 1].sum()


def test_pictures_of_a_record_are_those_that_were_packed(measure):
    images = np.random.default_rng(1).lognormal(15.0, 2.0, (2, 3, 8, 8, 5))
    images[0, 0, 0] = 0.0
    packed = measure["skirt_runs"].pack(images)
    again = unpack(json.loads(json.dumps(packed)))
    bright = images > 1e-4 * images.max()
    np.testing.assert_allclose(again[bright], images[bright], rtol=0.024)
    assert again.shape == images.shape and np.all(again[0, 0, 0] == 0)


def test_image_of_the_real_file(shared_data, measure):
    kept = load.record("skirt_tng100_subhalo_6")["measured"]
    measured = measure["light"].measure_image(shared_data / "tng_skirt" / "TNG100-1_099_broadband_6.fits")
    assert measured.pop("flux_change") < 1e-12 and kept.pop("flux_change") < 1e-12
    assert measured == kept


def test_colours_of_the_real_rows(shared_data, measure, tmp_path):
    out = tmp_path / "colours.json"
    base = shared_data / "tng100_catalogue_subset" / "output"
    assert measure["main"](["colours", str(base), "--out", str(out)]) == 0
    measured, kept = json.loads(out.read_text()), load.record("colours_tng100_subset")
    assert measured["measured"] == kept["measured"]
    assert measured["universe_identity"] == kept["universe_identity"]
    assert str(tmp_path) not in out.read_text() and str(base) not in out.read_text()


@pytest.mark.parametrize("what", ["selection", "at_fixed_mass"])
def test_the_whole_box_gives_the_same_again(what, shared_data, measure, tmp_path):
    out = tmp_path / "box.json"
    rows = shared_data / "tng100_real"
    assert measure["main"]([f"box-{what.replace('_', '-')}", str(rows), "--out", str(out)]) == 0
    again, kept = json.loads(out.read_text()), load.record(f"tng100_{what}")
    assert again["measured"] == kept["measured"] and again["sha256"] == kept["sha256"]
    assert str(rows) not in out.read_text()


def test_the_whole_box_as_its_compilers_counted_it():
    measured = load.record("tng100_selection")["measured"]
    box, groups = measured["box"], measured["massive_groups"]
    assert (box["centrals"], box["selected_centrals"]) == (3952, 2974)
    # The number that could not be counted here agrees with the one that follows from another mass of the satellites.
    assert box["mass_as_compiled"] == pytest.approx(box["mass_expected"], rel=0.02)
    assert groups["centrals"] + groups["satellites"] == groups["mass_sfr_flag"]
    assert all(galaxy["rank"] > 0 for galaxy in measured["talk"].values())


def test_regressions_of_the_real_rows(shared_data, measure):
    """One row of inputs, by the formula: all of them take a minute."""
    table = measure["tng100_rows"].real_table(shared_data / "tng100_real")
    again = regressions(table, inputs=("M*, r_half",), methods=("ridge",))
    kept = load.record("tng100_integrated")["measured"]
    rows = {(r["kind"], r["target"]): r for r in kept["rows"] if (r["inputs"], r["method"]) == ("M*, r_half", "ridge")}
    assert len(again) == len(rows) == 8
    for row in again:
        old = rows[row["kind"], row["target"]]
        assert row["n"] == old["n"]
        assert [row["relative"], row["rms"]] == pytest.approx([old["relative"], old["rms"]], abs=1e-3)
    assert kept["galaxies"]["central"] == load.record("tng100_selection")["measured"]["box"]["selected_centrals"]


def test_light_tells_more_than_the_stellar_mass_in_real_tng():
    """What chapter 8 builds on, and the learning curves with which it compares universes of unequal numbers."""
    kept = load.record("tng100_integrated")["measured"]
    known = {(row["target"], row["inputs"]): row["relative"] for row in kept["beyond_mass"]}
    assert known["m_star", "light"] == pytest.approx(0.034, abs=0.002)
    for target in ("m_dm_rhalf", "m_dm", "v_max"):
        assert known[target, "M* and light"] < 0.9 * error_of(Table(kept["rows"]), target, "M*, r_half").value
    assert {(row["kind"], row["target"], row["inputs"]) for row in kept["curves"]} == set(CURVES)
    assert 0.3 < kept["spread_of_hosts"]["value"] < 0.4


def test_what_a_network_must_beat():
    """The numbers on which the text is built, as those who joined the rows first measured them."""
    kept = Table(load.record("tng100_integrated")["measured"]["rows"])
    for target, inputs, about in (
        ("m_dm_rhalf", "M*", 0.39),
        ("m_dm_rhalf", "M*, r_half", 0.11),
        ("m_dm", "M*", 0.206),
        ("m_dm", "magnitudes, colours, r_half", 0.16),
        ("v_max", "magnitudes, colours, r_half", 0.035),
    ):
        found = error_of(kept, target, inputs)
        assert abs(found.value - about) < 0.03 * about + 3 * found.error, (target, inputs)


def test_contraction_describes_the_haloes_of_a_hydrodynamical_run(shared_data, measure, tmp_path):
    source = shared_data / "eagle" / "TangoSIDM_L025N376_CDM_haloes.hdf5"
    if not source.is_file():
        pytest.skip("the haloes of EAGLE are not here")
    out = tmp_path / "contraction.json"
    assert measure["main"](["contraction", str(source), "--out", str(out)]) == 0
    again, kept = json.loads(out.read_text())["measured"]["rows"], load.record("eagle_contraction")["measured"]["rows"]
    assert again == kept
    inner = [row for row in kept if 3 <= row["radius"] <= 10]
    assert all(abs(row["contracted"]) < abs(row["uncontracted"]) for row in inner)


def test_another_simulation_gives_the_same_again(shared_data, measure, tmp_path):
    if not (shared_data / "eagle" / measure["eagle_rows"].CENTRALS).is_file():
        pytest.skip("the rows of EAGLE are not here")
    out = tmp_path / "other.json"
    assert measure["main"](["other-simulation", str(shared_data), "--out", str(out)]) == 0
    again, kept = json.loads(out.read_text()), load.record("other_simulation")
    assert again["sha256"] == kept["sha256"]
    for row, old in zip(again["measured"]["rows"], kept["measured"]["rows"], strict=True):
        assert [row["n"], row["relative"], row["bias"]] == pytest.approx(
            [old["n"], old["relative"], old["bias"]], abs=1e-3
        )
    # What the text says: the haloes of EAGLE are heavier at given stars, the dark matter inside is nearly the same.
    found = {(r["target"], r["inputs"], r["train"], r["test"]): r for r in kept["measured"]["rows"]}
    assert found["m200", "M*", "TNG100", "EAGLE"]["bias"] < -0.3
    assert abs(found["m_dm_rhalf", "M*, r_half", "TNG100", "SWIFT-EAGLE"]["bias"]) < 0.1


def test_an_unreadable_source_is_one_sentence(measure, tmp_path, capsys):
    assert measure["main"](["selection", str(tmp_path / "nowhere")]) == 1
    assert "does not exist" in capsys.readouterr().err
    assert measure["main"](["box-selection", str(tmp_path)]) == 1
    assert measure["main"](["image", str(tmp_path / "none.fits")]) == 1
    assert "none.fits" in capsys.readouterr().err


def test_a_missing_record_is_named():
    with pytest.raises(DmlibError, match=r"nothing\.json"):
        load.record("nothing")


def test_rotation_of_ngc2903(shared_data, measure):
    kept = load.record("ngc2903")["measured"]
    measured = json.loads(json.dumps(measure["rotation_curves"].measure_ngc2903(shared_data)))
    for name, angle in (("inclination_deg", 0.1), ("v_sys_kms", 0.5), ("good", 0)):
        assert measured["verdict"]["rings"][name] == pytest.approx(kept["verdict"]["rings"][name], abs=angle)
    assert (
        measured["sparc"]["worst"] == pytest.approx(kept["sparc"]["worst"], abs=0.002) and kept["sparc"]["worst"] < 0.06
    )
    for halo, one in kept["verdict"]["haloes"].items():
        again = measured["verdict"]["haloes"][halo]["log10_m200_msun"]["median"]
        assert again == pytest.approx(one["log10_m200_msun"]["median"], abs=0.02)


def test_rotation_of_ngc6946(shared_data, measure):
    if not (shared_data / measure["rotation_curves"].NGC6946_CUBE).is_file():
        pytest.skip("the cube of NGC 6946 is not here: dmlib fetch ngc6946-cube")
    kept = load.record("ngc6946")["measured"]
    measured = json.loads(json.dumps(measure["rotation_curves"].measure_ngc6946(shared_data)))
    for way, found in kept.items():
        assert measured[way]["sparc"]["median"] == pytest.approx(found["sparc"]["median"], abs=0.01)
        reasons = [[one["reason"] for one in each["verdict"]["reasons"]] for each in (found, measured[way])]
        assert reasons[0] == reasons[1] and reasons[0][0] == "foreground"
    assert abs(kept["inclination_of_sparc"]["sparc"]["median"]) < 0.06


def test_sparc(shared_data, measure):
    kept, measured = load.record("sparc")["measured"], measure["rotation_curves"].measure_sparc(shared_data)
    for name in ("slope", "slope_err", "slope_visible", "last_speed_kms", "discrepancy"):
        assert measured["ngc6503"][name] == pytest.approx(kept["ngc6503"][name], rel=1e-6)
    assert abs(kept["ngc6503"]["slope"]) < 0.05 and kept["ngc6503"]["slope_visible"] < -0.2
    assert measured["ngc6503"]["nfw_log10_m200_msun"][2] == pytest.approx(
        kept["ngc6503"]["nfw_log10_m200_msun"][2], abs=0.05
    )
    for name, one in kept["relations"].items():
        assert measured["relations"][name]["values"] == pytest.approx(one["values"], rel=1e-4)
    assert kept["relations"]["tully_fisher"]["values"]["slope"] == pytest.approx(3.85, abs=0.2)  # Lelli et al. 2019


def test_fresh_galaxies(measure):
    """What chapter 13 quotes is what was measured: shares of 68 per cent intervals, by thirds and at radii."""
    measured = load.record("fresh_galaxies")["measured"]
    assert measured["views"] == 3 * measured["galaxies"] > 2000
    for name in ("numbers", "rows"):
        assert measured[name] == json.loads(json.dumps(getattr(measure["fresh_galaxies"], f"{name}_of")(measured)))
    numbers = measured["numbers"]
    for kind in ("normal", "flow"):
        parts = [part["coverage"]["value"] for parts in measured[kind]["thirds"].values() for part in parts]
        assert len(parts) == 9 == len(measured["rows"])
        assert numbers[f"third-{kind}"]["value"] == pytest.approx(max(abs(part - 0.68) for part in parts))
        assert np.mean(parts[:3]) == pytest.approx(numbers[f"within-{kind}"]["value"], abs=0.003)


def test_luck_of_trainings(measure):
    """What chapter 19 quotes of other seeds is the mean and the scatter of what was measured, the book's seed first."""
    measured = load.record("training_luck")["measured"]
    assert set(measured["quoted"]) == set(measure["training_luck"].QUOTED)
    for name, found in measured["quoted"].items():
        # Numbers of pairs of universes have no such error.
        assert ("error_of_galaxies" in found) == (name not in ("rob-large", "rob-silent"))
        assert len(found["by_seed"]) == len(measured["seeds"])
        assert found["mean"] == pytest.approx(np.mean(found["by_seed"]))
        assert found["scatter"] == pytest.approx(np.std(found["by_seed"], ddof=1))
    assert 0 < measured["error_at_home"]["relative_scatter_of_one_training"] < 0.5


def test_errors_of_orientations_contain_the_scatter_of_the_members():
    """No error is below what the members alone make it, and the differences are those of the errors."""
    measured = load.record("orientations")["measured"]
    ways = measured["mean_error_5_to_50_kpc"]
    for points in ways.values():
        for point, e in zip(points, ways["E"], strict=True):
            members = np.array(point["members"])
            assert len(members) == measured["members"]
            assert point["error"]["error"] > members.std(ddof=1) / np.sqrt(len(members))
            if "less_E" in point:
                less = members - np.array(e["members"])
                assert point["less_E"]["error"] > less.std(ddof=1) / np.sqrt(len(less))
                assert point["less_E"]["value"] == pytest.approx(point["error"]["value"] - e["error"]["value"])


def test_training_choices(measure):
    """What chapters 7 and 10 quote is what was measured, and differences are paired by seed."""
    measured = load.record("training_choices")["measured"]
    for name in ("numbers", "rows", "epochs_rows"):
        assert measured[name] == json.loads(json.dumps(getattr(measure["training_choices"], f"{name}_of")(measured)))
    for name, points in measured["field"].items():
        (book,) = (point for point in points if "less_book" not in point)
        assert book["pixels"] == Settings().sizes.input_pixels
        assert [point["kpc"] for point in points] == [128, 96, 64]
        shares = [point["hi_not_blank"] for point in points]
        assert 0 < shares[0] < shares[1] < shares[2] < 1
        short = measured["precision"][name]["mixed_bfloat16"]
        assert measured["precision"][name]["float32"]["by_seed"] == book["by_seed"]
        others = [(point, point["less_book"]) for point in points if point is not book]
        for point, less in [*others, (short, short["less_float32"])]:
            by_seed = np.subtract(point["by_seed"], book["by_seed"])
            assert len(by_seed) == len(measured["seeds"]) >= 3
            assert less["value"] == pytest.approx(by_seed.mean())
            assert less["error"] > by_seed.std(ddof=1) / np.sqrt(len(by_seed))
    earlier = measure["training_choices"].EARLIER
    assert list(measured["epochs"]) == list(earlier)
    for name, part in measured["epochs"].items():
        now, before = part["today"], part["earlier"]
        # Fewer epochs, those of the profile and those of once, which train for less long.
        assert (before["epochs"], tuple(part["seeds"])) == earlier[name]
        assert now["epochs"] == ARCHITECTURES[name].schedule("quick").epochs < before["epochs"]
        assert np.mean(now["seconds"]) < np.mean(before["seconds"])
        by_seed = np.subtract(now["by_seed"], before["by_seed"])
        assert len(by_seed) == len(now["loss"]) == len(part["seeds"]) >= 2
        assert part["less_earlier"]["value"] == pytest.approx(by_seed.mean())
        assert part["less_earlier"]["error"] > by_seed.std(ddof=1) / np.sqrt(len(by_seed))
    # The same trainings as those on the field of the book: the data set is the same.
    a = next(point for point in measured["field"]["A"] if "less_book" not in point)
    assert measured["epochs"]["A"]["today"]["by_seed"] == pytest.approx(a["by_seed"][:3], rel=0.02)
    # Chapter 10 says that bfloat16 pays for some networks only.
    quoted = measured["numbers"]["precision"]
    assert quoted["a-speed"]["value"] > 1 > quoted["c-speed"]["value"]


def test_the_embedded_universe_is_still_drawn_as_when_it_was_measured(measure):
    kept = load.record("embedded_at_fixed_mass")["measured"]
    assert measure["integrated_properties"].drawn_means() == pytest.approx(kept["drawn"], rel=1e-9)
    assert kept["galaxies"] > 2000
