"""The SPARC sample: published relations are recovered, fits are stored, and simulated galaxies can replace it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from dmlib.rotation import sparc as module
from dmlib.rotation.fit import Importance
from dmlib.rotation.sparc import load_curves
from dmlib.rotation.sparc_analysis import (
    Accelerations,
    acceleration_scale,
    accelerations,
    expected_acceleration,
    fit_curves,
    tully_fisher,
)


@pytest.fixture(scope="module")
def sparc(shared_data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DMLIB_MIRROR", str(shared_data))
        yield load_curves(QTable(), None)


def test_all_of_sparc(sparc):
    """153 of the 175 are of quality 1 or 2 and at 30 degrees or more (McGaugh, Lelli & Schombert 2016)."""
    assert len(sparc) == 175 and sparc.source == "SPARC"
    assert sparc.table["good"].sum() == 153
    assert sparc.models[sparc.index("NGC6503")].galaxy == "NGC 6503"
    assert sparc.priors[0].nominal_inclination > 0


def test_acceleration_relation_is_the_published_one(sparc):
    """McGaugh et al. (2016): 2693 points, 1.20 +- 0.02 +- 0.24 1e-10 m/s^2, scatter 0.13 dex."""
    points = accelerations(sparc)
    assert len(points.g_bar) == pytest.approx(2693, rel=0.01)
    found = acceleration_scale(points, seed=1, draws=20)
    assert found.values["scale"] == pytest.approx(1.20e-10, abs=0.1e-10)
    assert found.values["scatter"] == pytest.approx(0.13, abs=0.01)
    assert abs(found.values["slope"]) < 0.04  # the function has the shape of the points
    assert 0 < found.errors["scale"] < 0.3e-10


def test_tully_fisher_relation_is_the_published_one(sparc):
    """Lelli et al. (2019): slope 3.85 +- 0.09, orthogonal intrinsic scatter of about 6 per cent."""
    found = tully_fisher(sparc, seed=1, draws=30)
    assert found.values["slope"] == pytest.approx(3.85, abs=0.18)
    assert found.values["scatter"] == pytest.approx(np.log10(1.06), abs=0.012)
    assert 0.03 < found.errors["slope"] < 0.3


def test_of_few_galaxies_the_slope_keeps_an_error_that_means_something(sparc):
    """Some samples of twelve galaxies of nearly one speed have a vertical line, whose slope has no limit."""
    v = sparc.table["v_flat"].value
    alike = sparc.table["good"] & (v > 150) & (v < 200)
    found = tully_fisher(replace(sparc, table=sparc.table[np.flatnonzero(alike)[:12]]), seed=1, draws=100)
    assert found.n == 12 and 1.0 < found.errors["slope"] < 10 * abs(found.values["slope"])
    assert found.values["slope"] == pytest.approx(np.tan(np.radians(found.values["angle"])))


def test_a_scale_that_was_put_in_comes_back(sparc):
    """The fit of the relation on points that follow it exactly, with another scale."""
    points = accelerations(sparc)
    exact = Accelerations(points.g_bar, expected_acceleration(points.g_bar, 3e-10), points.galaxy)
    found = acceleration_scale(exact, seed=1, draws=2)
    assert found.values["scale"] == pytest.approx(3e-10, rel=1e-3)
    assert found.values["scatter"] < 1e-4
    assert abs(found.values["slope"]) < 1e-4


def test_a_relation_of_another_shape_is_seen_in_the_slope(sparc):
    """Orbits that need the same multiple of the visible acceleration everywhere do not follow the function."""
    points = accelerations(sparc)
    constant = Accelerations(points.g_bar, 3.0 * points.g_bar, points.galaxy)
    found = acceleration_scale(constant, seed=1, draws=20)
    assert found.values["slope"] > 0.1 and found.values["slope"] > 4 * found.errors["slope"]


def test_some_of_sparc_has_the_example(sparc, shared_data, monkeypatch):
    monkeypatch.setenv("DMLIB_MIRROR", str(shared_data))
    few = load_curves(QTable(), None, 5)
    assert 5 <= len(few) <= 6 and "NGC6503" in few.table["galaxy"]
    masses, other = few.table["m_star"], few.index("NGC0000")
    assert (masses < masses[other]).sum() == len(few) // 2


def test_fits_are_stored_and_repeated_for_other_priors(shared_data, tmp_path, monkeypatch):
    monkeypatch.setenv("DMLIB_MIRROR", str(shared_data))
    monkeypatch.setenv("DMLIB_WORKERS", "1")
    path = tmp_path / "fits.npz"
    few = load_curves(QTable(), None, 2)
    short = Importance(first=1000, each=400, rounds=3, last=500, attempts=1, wanted=1000)
    first = fit_curves(few, path, sampling=short)
    assert np.isfinite(first.log_bayes).all() and first["nfw"]["quantiles"].shape == (len(few), 5, 20)
    assert not first.settled.all()
    monkeypatch.setattr("dmlib.rotation.sparc_analysis.fit_many", lambda *a, **k: pytest.fail("fitted again"))
    again = fit_curves(few, path, sampling=short)
    np.testing.assert_array_equal(again["burkert"]["quantiles"], first["burkert"]["quantiles"])
    with pytest.raises(pytest.fail.Exception):
        fit_curves(few, path, sampling=short, seed=2)


def test_without_sparc_simulated_galaxies_take_its_place(opened, monkeypatch):
    monkeypatch.setattr(module, "open_sparc", lambda: "sparc-rotmod: no network.")
    found = load_curves(opened.sample, opened.universe, 4)
    assert found.source is None and "no network" in found.reason
    assert 1 <= len(found) <= 4 and len(found.priors) == len(found)
    assert np.all(found.table["m_bar"] > found.table["m_star"]) and found.table["v_flat"].unit == u.km / u.s
    assert len(accelerations(found).g_bar) > 3
