"""What the chapters on rotation curves compute, on a small universe."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u

from dmlib.errors import GalaxyError
from dmlib.figures import rotation_curves as figures
from dmlib.figures import style
from dmlib.rotation import lesson
from dmlib.rotation.pipeline import observer_of
from dmlib.rotation.rings import fit_rings, model_field
from dmlib.rotation.velocities import velocity_field


@pytest.fixture(scope="module")
def opened(smoke_universe):
    return observer_of(smoke_universe)


@pytest.fixture(scope="module")
def chosen(opened):
    dataset, _ = opened
    row = lesson.choose_view(dataset)
    tilt = {name: float(dataset.table[name][row].to_value(u.deg)) for name in ("inclination", "position_angle")}
    return int(dataset.table["subhalo_id"][row]), int(dataset.table["view"][row]), row, tilt


def test_the_view_is_of_the_training_side_and_well_inclined(opened, chosen):
    dataset, _ = opened
    assert chosen[2] in dataset.rows("train")
    assert 45 < chosen[3]["inclination"] < 70
    other = lesson.choose_view(dataset, chosen[0])
    assert dataset.table["subhalo_id"][other] == chosen[0]
    with pytest.raises(GalaxyError, match="no subhalo 123456"):
        lesson.choose_view(dataset, 123456)


def test_true_speeds_add_in_squares(opened, chosen):
    _, observer = opened
    speeds = lesson.truth_of(observer, chosen[0], np.array([5.0, 10.0, 20.0]))
    together = speeds["stars"] ** 2 + speeds["gas"] * np.abs(speeds["gas"]) + speeds["dm"] ** 2
    np.testing.assert_allclose(speeds["total"] ** 2, together)
    assert np.all(speeds["dm"] > 0)


def test_the_model_field_is_near_the_measured_one(opened, chosen):
    _, observer = opened
    field = velocity_field(observer.cube(*chosen[:2]))
    curve = fit_rings(field)
    model = model_field(curve, field)
    off = (field.velocity - model)[np.isfinite(model)]
    assert len(off) > 20 and abs(1.4826 * np.median(np.abs(off)) / curve.residual - 1) < 0.5
    for fig in (figures.velocity_field(field, model, curve), figures.curve(curve)):
        assert "radius" in style.csv_text(fig) or "west" in style.csv_text(fig)


def test_wider_beams_slow_the_classic_rings(opened, chosen):
    _, observer = opened
    curves = lesson.through_beams(observer, *chosen[:2], (10.0, 20.0), **chosen[3])
    assert list(curves) == [10.0, 20.0]
    sharp, broad = (np.interp(5.0, pair[0].radius, pair[0].v_rot) for pair in curves.values())
    assert broad < sharp
    broad_known = np.interp(5.0, curves[20.0][1].radius, curves[20.0][1].v_rot)
    assert broad_known > broad


def test_a_survey_has_a_row_for_each_view_with_its_reason(opened, smoke_universe):
    dataset, _ = opened
    rows = dataset.rows("train")[:4]
    table = lesson.survey(smoke_universe, rows)
    assert len(table) == 4
    np.testing.assert_array_equal(table["subhalo_id"], dataset.table["subhalo_id"][rows])
    known = {"", "other", *lesson.REASONS.values()}
    assert set(table["reason"]) <= known
    kept = table["reason"] == ""
    assert np.all(np.isfinite(table["error"][kept]))
    assert "reason" in style.csv_text(figures.survey(table))


def test_reasons_in_short():
    assert lesson.short_reason(()) == ""
    assert lesson.short_reason(("inclination 12 deg, below 30", "2.0 beams across, fewer than 4")) == "too face-on"
    assert lesson.short_reason(("something else",)) == "other"
