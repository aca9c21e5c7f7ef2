"""Measuring views of a data set with the rotation-curve method, and comparing them with the truth."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u

from dmlib.errors import GalaxyError
from dmlib.figures import rotation_curves as figures
from dmlib.figures import style
from dmlib.rotation import measure
from dmlib.rotation.curve import Reason, RotationCurve
from dmlib.rotation.rings import fit_rings, model_field
from dmlib.rotation.velocity_field import velocity_field


@pytest.fixture(scope="module")
def chosen(opened):
    return _described(opened.dataset, measure.choose_view(opened.dataset))


@pytest.fixture(scope="module")
def rich(opened):
    """The well-inclined view with the most HI: eight galaxies have no typical one."""
    table = opened.dataset.table
    tilt = table["inclination"].to_value(u.deg)
    return _described(opened.dataset, np.argmax(np.where((tilt > 45) & (tilt < 70), table["m_hi"].to_value(u.Msun), 0)))


def _described(dataset, row):
    tilt = {name: float(dataset.table[name][row].to_value(u.deg)) for name in ("inclination", "position_angle")}
    return int(dataset.table["subhalo_id"][row]), int(dataset.table["view"][row]), row, tilt


def test_measured_and_perfect_models_of_the_same_views(opened):
    dataset = opened.dataset
    inclination = dataset.table["inclination"].value
    rows = np.flatnonzero((inclination > 40) & (inclination < 70))
    rows = rows[np.argsort(-dataset.table["m_hi"][rows].value)][:4]
    accepted = 0
    for row in rows:
        key = int(dataset.table["subhalo_id"][row]), int(dataset.table["view"][row])
        observed, perfect = (
            measure.measure_view(dataset, opened.observer, *key, knowledge=k) for k in ("observed", "perfect")
        )
        assert isinstance(observed.curve, RotationCurve)
        assert perfect.curve.inclination == pytest.approx(inclination[row])
        accepted += observed.accepted and perfect.accepted
        for measured in (observed, perfect):
            if measured.model is None:
                assert measured.reasons
                continue
            model = measured.model
            assert np.all(np.isfinite(model.v_obs)) and np.all(model.v_err > 0)
            assert np.all(model.v_visible() > 0) and len(model.radius) == measured.curve.good.sum()
            assert model.inclination == pytest.approx(measured.curve.mean_inclination)
    assert accepted >= 1


def test_a_view_that_is_not_there_is_named(opened):
    with pytest.raises(GalaxyError, match="no view 9 of subhalo 0"):
        measure.measure_view(opened.dataset, opened.observer, 0, 9)


def test_the_view_is_of_the_training_side_and_well_inclined(opened, chosen):
    dataset = opened.dataset
    assert chosen[2] in dataset.rows("train")
    assert 45 < chosen[3]["inclination"] < 70
    train = dataset.table[dataset.rows("train")]
    centrals = train["m_star"][train["is_true_central"]]
    low, high = np.quantile(centrals.to_value(u.Msun), [1 / 3, 2 / 3])
    assert dataset.table["is_true_central"][chosen[2]] and low <= dataset.table["m_star"][chosen[2]].value <= high
    other = measure.choose_view(dataset, chosen[0])
    assert dataset.table["subhalo_id"][other] == chosen[0]
    with pytest.raises(GalaxyError, match="123456"):
        measure.choose_view(dataset, 123456)


def test_true_speeds_add_in_squares(opened, chosen):
    observer = opened.observer
    speeds = measure.truth_of(observer, chosen[0], np.array([5.0, 10.0, 20.0]))
    together = speeds["stars"] ** 2 + speeds["gas"] * np.abs(speeds["gas"]) + speeds["dm"] ** 2
    np.testing.assert_allclose(speeds["total"] ** 2, together)
    assert np.all(speeds["dm"] > 0)


def test_the_model_field_is_near_the_measured_one(opened, chosen):
    observer = opened.observer
    field = velocity_field(observer.cube(*chosen[:2]))
    curve = fit_rings(field)
    model = model_field(curve, field)
    off = (field.velocity - model)[np.isfinite(model)]
    assert len(off) > 20 and abs(1.4826 * np.median(np.abs(off)) / curve.residual - 1) < 0.5
    for fig in (figures.velocity_field(field, model, curve), figures.curve(curve)):
        assert "radius" in style.csv_text(fig) or "west" in style.csv_text(fig)


def test_wider_beams_slow_the_classic_rings(opened, rich):
    observer = opened.observer
    curves = measure.through_beams(observer, *rich[:2], (10.0, 20.0), **rich[3])
    assert list(curves) == [10.0, 20.0]
    sharp, broad = (np.interp(5.0, pair[0].radius, pair[0].v_rot) for pair in curves.values())
    assert broad < sharp
    broad_known = np.interp(5.0, curves[20.0][1].radius, curves[20.0][1].v_rot)
    assert broad_known > broad


def test_a_comparison_has_a_row_for_each_view_with_its_reason(opened):
    rows = opened.dataset.rows("train")[:4]
    table = measure.compare_with_truth(opened.dataset, opened.observer, rows)
    assert len(table) == 4
    np.testing.assert_array_equal(table["subhalo_id"], opened.dataset.table["subhalo_id"][rows])
    assert set(table["reason"]) <= {"", *(reason.label for reason in Reason)}
    kept = table["reason"] == ""
    assert np.all(np.isfinite(table["error"][kept]))
    assert "reason" in style.csv_text(figures.survey(table))
