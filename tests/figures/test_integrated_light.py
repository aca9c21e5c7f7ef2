"""Figures of integrated light: real numbers stand in them whatever the universe of the book has."""

from __future__ import annotations

import pytest
from astropy.table import Table

from dmlib import load
from dmlib.evaluation.catalogue import TARGETS
from dmlib.evaluation.integrated_light import INPUTS, regressions
from dmlib.figures import learning as figures
from dmlib.figures import style


@pytest.fixture(scope="module")
def kept() -> dict[str, Table]:
    measured = {name: load.record(f"tng100_{name}")["measured"] for name in ("integrated", "at_fixed_mass")}
    return {
        "errors": Table(measured["integrated"]["rows"]),
        "curves": Table(measured["integrated"]["curves"]),
        "fixed": Table(measured["at_fixed_mass"]["rows"]),
    }


def series(fig) -> dict[str, int]:
    """Number of points in each series that has any."""
    found = {name: len(next(iter(columns.values()))) for name, columns in style.recorded(fig)}
    return {name: n for name, n in found.items() if n}


def test_errors_of_one_universe_and_of_none(kept):
    formula = kept["errors"][kept["errors"]["method"] != "trees"]
    nothing = regressions(Table({"is_central": [True], "forms_stars": [True], "m200": [1e12]}))
    drawn = series(figures.light_tells({"TNG100": formula, "here": nothing}, list(INPUTS)))
    assert len(drawn) == 2 * len(TARGETS)
    # No morphology of satellites is known.
    assert sorted(set(drawn.values())) == [len(INPUTS) - 1, len(INPUTS)]


def test_curves_and_medians(kept):
    some = kept["curves"]
    some = some[(some["target"] == "m_dm") & (some["kind"] == "central")]
    curves = {"m_dm": {"TNG100": some}}
    assert list(series(figures.galaxies_needed(curves)).values()) == [7]
    drawn = series(figures.at_fixed_mass({"TNG100": kept["fixed"], "here": kept["fixed"][:0]}))
    assert len(drawn) == 9 and set(drawn.values()) == {5}
