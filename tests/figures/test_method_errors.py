"""Figures of errors record what they are given; the quantities that they show."""

from __future__ import annotations

import numpy as np
import pytest

from dmlib.evaluation import Bootstrap, Scores, bins, derived
from dmlib.evaluation.floor import Floor
from dmlib.evaluation.scores import GOOD, HARD, OF_THE_TALK
from dmlib.figures import networks, profiles, style
from dmlib.figures.style import csv_text


def architectures():
    """A network and a second one, as bad as the trees, on 80 galaxies of 3 views."""
    rng = np.random.default_rng(6)
    truth = np.repeat(np.exp(rng.normal(25.0, 1.0, (80, 20))), 3, axis=0)
    error = 0.1 * rng.standard_normal(truth.shape)
    good, bad = truth * np.exp(error), truth * np.exp(2.0 * error)
    masses = {"C/all": good, "A/all": bad, "baseline/boosted": bad}
    return Scores(np.geomspace(1.0, 100.0, 20), truth, masses, np.repeat(np.arange(80), 3), draws=50)


def test_errors_and_differences_are_recorded():
    scores = architectures()
    names = {"C/all": "C", "A/all": "A"}
    text = csv_text(networks.errors(scores, {**names, "baseline/boosted": "trees"}, np.full(20, 0.01), None))
    assert text.count("\nC,") == 40 and text.count("\ncounting particles,") == 20
    text = csv_text(networks.against(scores, names, "baseline/boosted", "trees"))
    values = [float(line.split(",")[2]) for line in text.splitlines() if line.startswith("A,")]
    assert values == pytest.approx([0.0] * 20, abs=1e-12)


def ideal(scores: Scores) -> Floor:
    """Observers who err by 5 per cent, and by 2 per cent without noise, whatever they see."""
    masses = {
        f"floor/{inputs}/{kind}": scores.truth * (1.02 if kind == "noise-free" else 1.05)
        for inputs in ("photometry", "hi", "all")
        for kind in ("noise-free", "observed")
    }
    return Floor(scores.radii, scores.truth, scores.subhalo_id, masses, np.arange(4), {}, {})


def test_the_floor_is_drawn_where_there_is_one():
    scores = architectures()
    names = {"C/all": "C"}
    figure = networks.errors(scores, names, np.full(20, 0.01), ideal(scores))
    lines = [line.split(",") for line in csv_text(figure).splitlines() if line.startswith('"floor, ')]
    assert len(lines) == 80  # two kinds, two measures, 20 radii
    assert {round(float(line[4]), 6) for line in lines} == {0.02, 0.05}
    some = np.arange(len(scores.truth)) < 30
    assert ideal(scores).scores(where=some).n_galaxies == 10
    assert "floor" not in csv_text(networks.errors(scores, names, np.full(20, 0.01), None))


def test_residuals_have_the_width_of_the_floor_beside_that_of_the_network():
    """Observers who err by 5 per cent always: both edges of the middle 68 per cent lie there."""
    scores = architectures()
    mean = np.broadcast_to(np.exp(np.log(scores.truth).mean(axis=0)), scores.truth.shape)
    whole = Scores(scores.radii, scores.truth, {**scores.masses, "baseline/mean": mean}, scores.subhalo_id, draws=50)
    bounded = dict(style.recorded(profiles.residuals(whole, "C/all", [3, 9], ideal(whole).scores())))
    alone = dict(style.recorded(profiles.residuals(whole, "C/all", [3, 9])))
    edges = bounded["floor, observed, all radii"]
    for name in ("low", "median", "high"):
        np.testing.assert_allclose(edges[name], np.log(1.05))
    assert set(bounded) - set(alone) == {"floor, observed, all radii"}


def test_counting_noise_is_poisson():
    """Counts drawn about their expectation deviate by what is said."""
    expected, particle = np.array([50.0, 400.0, 5000.0]), 6e7
    counts = np.random.default_rng(1).poisson(expected, (20000, 3))
    deviation = np.abs(counts / expected - 1.0).mean(axis=0)
    noise = networks.counting_noise(counts * particle, particle)
    np.testing.assert_allclose(noise, deviation, rtol=0.03)


def test_views_or_galaxies_are_told_apart():
    """Errors that a galaxy's views share, errors of each view alone, and half of each."""
    rng = np.random.default_rng(2)
    ids = np.repeat(np.arange(3000), 3)
    galaxy, view = np.repeat(rng.standard_normal((3000, 1)), 3, axis=0), rng.standard_normal((9000, 1))
    for values, share in ((galaxy, 0.0), (view, 1.0), (galaxy + view, 0.5)):
        found = bins.share_of_views(values, Bootstrap(ids, draws=50))
        assert found.value[0] == pytest.approx(share, abs=0.05)
        again = bins.share_of_views(values[:900], Bootstrap(ids[:900], draws=200), np.array([True]))
        assert again.error == pytest.approx(0.03 if share == 0.5 else 0.0, abs=0.02)


def test_two_galaxies_are_chosen_by_rank():
    scores = architectures()
    ids, error = scores.of_galaxies("C/all")
    chosen = scores.choose_two("C/all", talk=False)
    ranks = [float((error < error[ids == number]).mean()) for number in chosen.values()]
    assert ranks == pytest.approx([GOOD, HARD], abs=0.02)
    row = scores.typical_view("C/all", chosen["a hard one"])
    assert scores.subhalo_id[row] == chosen["a hard one"]


def test_those_of_the_talk_are_chosen_on_tng_where_they_are_tested():
    scores = architectures()
    ids = scores.subhalo_id.copy()
    ids[:3], ids[3:6] = OF_THE_TALK[0], OF_THE_TALK[1]
    there = type(scores)(scores.radii, scores.truth, scores.masses, ids, draws=20)
    assert tuple(there.choose_two("C/all", talk=True).values()) == OF_THE_TALK
    assert set(there.choose_two("C/all", talk=False).values()) != set(OF_THE_TALK)
    assert set(scores.choose_two("C/all", talk=True).values()).isdisjoint(OF_THE_TALK)


def test_disturbed_galaxies_are_those_of_the_plan():
    from dmlib import load
    from dmlib.settings import Settings

    found = load.disturbed(Settings(profile="smoke"))
    assert found.any() and not found.all()
    ids = np.array([0, 1, 1])
    kind = {"satellite": np.array([0.0, 1.0, 1.0])}
    groups = bins.groups_of_views(kind, ids, found)
    np.testing.assert_array_equal(groups["gas (truth)"]["disturbed"], found[ids])
    assert list(bins.groups_of_views(kind, ids)) == ["place in the group"]
    assert load.disturbed(Settings(universe="files", base_path="elsewhere")) is None


def test_an_upper_half_that_is_harder_is_found():
    ids = np.arange(200)
    by = np.linspace(0.0, 1.0, 200)
    found = bins.upper_less_lower(np.where(by > 0.5, 0.3, 0.1), by, Bootstrap(ids, draws=100))
    assert found.value == pytest.approx(0.2) and found.error < 1e-12


def test_single_galaxies_are_recorded_with_truth_and_band():
    radii = np.geomspace(1.0, 100.0, 20)
    mass = 1e10 * radii
    draws = derived.draw_profiles(mass, np.full(20, 0.1), np.eye(20), draws=50)
    text = csv_text(profiles.single({"one": (mass, derived.bands(radii, mass, draws), mass[None])}, radii))
    assert text.count('"one, mass"') == 20 and text.count('"one, density"') == 19


def test_what_is_binned_is_drawn_and_an_empty_panel_says_so():
    ids, by = np.arange(40), np.linspace(0.0, 90.0, 40)
    bootstrap = Bootstrap(ids, draws=20)
    values = {"network": by / 90.0, "trees": np.full(40, 0.5)}
    kind = {"inclination": by, "mass": np.full(40, np.nan)}
    kind["mass"][:3] = 1.0
    panels = bins.panels(values, kind, {"inclination": "i", "mass": "m"}, 2, bootstrap)
    groups = bins.group_panels(
        values, {"place": {"in": ids < 20, "out": ids >= 20}, "alone": {"in": ids < 40}}, bootstrap
    )
    assert list(groups) == ["place"]
    figure = profiles.failures(panels, groups)
    assert any("too few" in text.get_text() for ax in figure.axes for text in ax.texts)
    assert csv_text(figure).count('"i, network"') == 2
    # The floor is a third method where there is one.
    values["floor, observed"] = np.full(40, 0.1)
    panels = bins.panels(values, kind, {"inclination": "i"}, 2, bootstrap)
    assert csv_text(profiles.failures(panels, {})).count('"i, floor, observed"') == 2
