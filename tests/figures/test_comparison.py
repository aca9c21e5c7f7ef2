"""The figures of the comparison record what they are given, also where there is little."""

from __future__ import annotations

import numpy as np
import pytest

from dmlib.evaluation import method_comparison
from dmlib.evaluation.method_comparison import Entry, MethodComparison
from dmlib.figures import comparison, style
from dmlib.rotation.curve import Reason
from dmlib.settings import RADII_KPC


@pytest.fixture
def match() -> MethodComparison:
    rng = np.random.default_rng(2)
    truth = np.exp(rng.normal(26, 0.3, (6, 20)))

    def entry(name, family):
        return Entry(name, name, family, truth * np.exp(rng.normal(0, 0.2, truth.shape)), np.full(truth.shape, 0.2))

    entries = {name: entry(name, "rotation") for name in ("nfw", "nfw_perfect")} | {"C/all": entry("C/all", "network")}
    accepted = np.array([True, True, False, True, True, False])
    reasons = ((), (), (Reason.FACE_ON,), (), (), (Reason.LOPSIDED,))
    ids = np.repeat([1, 2, 3], 2)
    r = np.tile(RADII_KPC, (6, 1))
    places = {"inside": r < 4, "measured": (r >= 4) & (r <= 30), "beyond": r > 30}
    beams = np.array([2.0, 5.0, 6.0, 8.0, 3.0, np.nan])
    return MethodComparison(truth, RADII_KPC, ids, np.arange(6), entries, accepted, accepted, reasons, places, beams)


def series(fig) -> dict:
    return dict(style.recorded(fig))


def test_errors_are_those_of_the_comparison(match):
    fig = comparison.errors(match, {"one": ("nfw",), "two": ("C/all",)}, match.accepted)
    rows = [rows for name, rows in style.recorded(fig) if name == "one, nfw"]
    scores = match.scores(match.accepted)
    np.testing.assert_allclose(rows[0]["value"], scores.at_radii("nfw").value)
    np.testing.assert_allclose(rows[1]["value"], scores.at_radii("nfw", "relative2", root=True).value)
    # The axes end where the curves do, with room for the legend, not at their ticks.
    lowest = min(ax.dataLim.ymin for ax in fig.axes)
    assert all(ax.get_ylim()[0] == pytest.approx(max(0.9 * lowest, 0.03)) for ax in fig.axes)


def test_funnel_counts(match):
    found = series(comparison.funnel(match, {"too face-on": 1, "lopsided": 1}))
    assert found["counts"]["views"].tolist() == [6, 4] and found["counts"]["galaxies"].tolist() == [3, 3]
    assert series(comparison.funnel(match, {}))["reasons"]["views"].tolist() == [0]


def test_knowledge_and_duel(match):
    pair = series(comparison.knowledge(match, [("nfw", "nfw_perfect")], match.accepted))
    assert set(pair) == {"nfw", "nfw_perfect"}
    difference = match.scores(match.accepted).difference("C/all", "nfw")
    drawn = series(comparison.duel(match, {"nfw": difference}, {"nfw": np.zeros(20, int)}))
    np.testing.assert_allclose(drawn["less nfw"]["difference"], difference.value)


def test_the_floor_stands_in_each_panel_of_knowledge_and_beams(match):
    """Of the same views; the observer without noise is drawn as the fits that know geometry and baryons."""
    floors = {
        name: Entry(name, title, "floor", match.truth * factor, None)
        for (name, title), factor in zip(method_comparison.FLOORS.values(), (1.05, 1.02), strict=True)
    }
    bounded = MethodComparison(**{**vars(match), "entries": match.entries | floors})
    fig = comparison.knowledge(bounded, 2 * [("nfw", "nfw_perfect")], match.accepted)
    for name, error in (("nfw, floor", 0.05), ("nfw, floor_perfect", 0.02)):
        drawn = [rows["value"] for series, rows in style.recorded(fig) if series == name]
        assert len(drawn) == 2
        np.testing.assert_allclose(drawn, error)
    labels = [text.get_text() for text in fig.axes[0].get_legend().get_texts()]
    assert labels == ["observed", "known", "floor, as observed", "floor, noise-free"]
    assert [line.is_dashed() for line in fig.axes[0].lines] == [False, True, False, True]
    resolved = {
        place: method_comparison.against_beams(bounded, ["nfw", "floor"], (1.0, 9.0), place)
        for place in ("measured", "beyond")
    }
    assert {"measured, nfw", "measured, floor"} <= set(series(comparison.beams(bounded, resolved)))


def test_regimes_and_beams(match):
    found = {
        place: {name: match.scores(match.accepted).bootstrap.mean(match.over(name, place)[match.accepted])}
        for place in match.places
        for name in ("nfw",)
    }
    drawn = series(comparison.regimes(match, found, dict.fromkeys(found, 3)))
    inner = match.scores(match.accepted).views("nfw")[:, match.places["inside"][0]]
    assert drawn["inside"]["value"][0] == pytest.approx(inner.mean())
    resolved = {
        place: method_comparison.against_beams(match, ["nfw", "C/all"], (1.0, 4.0, 9.0), place)
        for place in ("inside", "measured")
    }
    assert resolved["measured"]["nfw"].labels == ()  # three galaxies are too few for a bin
    assert "measured, nfw" in series(comparison.beams(match, resolved))
    assert match.resolved_or_not.tolist() == [True, True, False, True, True, False]


def test_judged_falls_back_to_all_with_a_fit(match):
    assert match.judged().sum() == 4 and not match.is_fallback
    none = MethodComparison(**{**vars(match), "accepted": np.zeros(6, bool)})
    assert none.is_fallback and none.judged().all()
