"""On what predictions depend, for a toy data set and networks whose slopes are known."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from dmlib.bootstrap import median_ratio
from dmlib.observe.sky import SkyGrid
from saliency_networks import SHAPE, central, convolutional, linear

CHANNELS = ("r", "moment0")


def toy(sensitivity, model, n_outputs):
    """Eight galaxies of three views each, all for the test and for training."""
    rng = np.random.default_rng(1)
    images = rng.standard_normal((24, *SHAPE)).astype("float32")
    table = QTable(
        {
            "subhalo_id": np.repeat(np.arange(8), 3),
            "inclination": np.tile([20.0, 56.0, 80.0], 8) * u.deg,
            "position_angle": rng.uniform(0, 360, 24) * u.deg,
            "m_hi": np.repeat([0.0, 1e9, 2e9, 5e9, 1e10, 1e10, 2e10, 3e10], 3) * u.Msun,
        }
    )
    dataset = SimpleNamespace(
        rows=lambda split: np.arange(24),
        inputs=lambda rows, channels: images[rows],
        table=table,
        radii=np.geomspace(1, 100, n_outputs),
        input_grid=SkyGrid(24.0, 12),
    )
    net = SimpleNamespace(model=model, channels=CHANNELS, std=np.ones(n_outputs), check_dataset=lambda dataset: None)
    return sensitivity.Sensitivity(net, dataset, (1.0, 100.0))


@pytest.mark.parametrize("views", [5, 100])
def test_sums_in_rings_are_those_of_all_slopes_however_many_are_held_at_a_time(
    saliency, saliency_measures, sensitivity, monkeypatch, views
):
    monkeypatch.setattr(sensitivity, "VIEWS", views)
    question = toy(sensitivity, convolutional(branch=True), 2)
    slopes = saliency.Saliency(question.net.model, [0, 1]).gradient(question.inputs)
    weighted, grid = np.abs(slopes) * question.spread, question.dataset.input_grid
    np.testing.assert_allclose(question.slopes, slopes, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(question.total, weighted.sum(axis=(2, 3)).mean(axis=0), rtol=1e-4)
    plain = saliency_measures.by_ring(np.abs(slopes).sum(axis=-1), grid, question.edges)
    np.testing.assert_allclose(question.plain_rings, plain, rtol=1e-4)
    for channel in range(2):
        rings = saliency_measures.by_ring(weighted[..., channel], grid, question.edges)
        np.testing.assert_allclose(question.rings[..., channel], rings, rtol=1e-4)


def test_hiding_a_ring_that_an_output_does_not_use_changes_nothing(sensitivity):
    model, inside = central()
    question = toy(sensitivity, model, 2)
    for fill in (question.mean, np.zeros(2)):
        change = np.abs(question.hide_rings(fill))
        radius = np.hypot(*question.dataset.input_grid.mesh())
        for k, (low, high) in enumerate(pairwise(question.edges)):
            ring = (radius >= low) & (radius < high)
            assert (change[:, 0, k].max() > 1e-4) == bool((ring & inside).any())
            assert (change[:, 1, k].max() > 1e-4) == bool((ring & ~inside).any())


@pytest.mark.parametrize(
    ("half", "last"),
    [
        (48.0, [29.0, 38.0, 48.0]),  # the input of profile quick
        (64.0, [38.0, 50.0, 64.0]),  # the whole field of view
        (12.0, [6.0, 8.5, 12.0]),
        (40.0, [22.0, 29.0, 40.0]),  # 2 kpc of a ring that is 12 kpc wide are no ring of their own
    ],
)
def test_rings_end_at_half_the_side_of_the_image_and_are_whole(saliency_measures, sensitivity, half, last):
    grid = SkyGrid(2.0 * half, 96)
    edges = sensitivity.ring_edges(grid)
    assert edges[0] == 0.0 and edges[-3:].tolist() == last and np.all(np.diff(edges) > 0)
    area = saliency_measures.by_ring(np.ones((1, 96, 96)), grid, edges)[0] * grid.pixel_area
    np.testing.assert_allclose(area, np.pi * np.diff(edges**2), rtol=0.02)


def test_the_corners_of_the_image_belong_to_no_ring(sensitivity):
    question = toy(sensitivity, convolutional(branch=True), 2)
    corners = np.hypot(*question.dataset.input_grid.mesh()) >= 12.0
    filled = np.where(corners[..., None], 7.0, question.inputs)
    assert corners.any() and np.abs(filled - question.inputs).max() > 1.0
    np.testing.assert_array_equal(question.hide_rings(filled), 0.0)
    assert np.all(np.abs(question.hide_rings(np.full(2, 7.0))).max(axis=(0, 1)) > 1e-4)


def test_the_mean_image_is_the_same_from_all_sides(sensitivity):
    mean = toy(sensitivity, linear()[0], 3).mean
    np.testing.assert_allclose(mean, np.rot90(mean), atol=1e-6)
    np.testing.assert_allclose(mean, mean[:, ::-1], atol=1e-6)
    assert mean.shape == SHAPE and np.ptp(mean) > 0


def test_the_nearest_outputs_are_compared(sensitivity):
    question = toy(sensitivity, linear()[0], 3)
    assert question.outputs == [0, 2] and question.n == 8
    assert question.slopes.shape == (24, 2, *SHAPE)
    assert question.groups == {"starlight": [0], "HI column": [1]}


def test_strangers_are_views_of_other_galaxies(sensitivity):
    question = toy(sensitivity, linear()[0], 3)
    other = question.strangers(2)
    which = [int(np.flatnonzero((question.inputs == image).all(axis=(1, 2, 3)))[0]) for image in other]
    assert np.all(question.galaxy[which] != question.galaxy)


def test_exchanging_an_unused_kind_of_input_changes_nothing(sensitivity):
    model, _ = linear()
    kernel, constants = model.get_weights()
    kernel.reshape(*SHAPE, 3)[..., 1, :] = 0.0
    model.set_weights([kernel, constants])
    changes = toy(sensitivity, model, 3).exchange_groups(1)
    assert changes["starlight"].shape == (24, 3)
    assert np.all(np.abs(changes["HI column"]) < 1e-5) and np.all(np.sqrt((changes["starlight"] ** 2).mean(axis=0)) > 1)


def test_half_radii_tell_an_inner_from_an_outer_output(saliency_measures, sensitivity):
    question = toy(sensitivity, central()[0], 2)
    for group in (None, "starlight", "HI column"):
        half = sensitivity.half_radii(question, group)
        assert half.shape == (24, 2)
        assert np.all(half[:, 0] < 5.0) and np.all(half[:, 1] > 6.0)
    ratio, _, low = median_ratio(half[:, 1], half[:, 0], question.galaxy, seed=1)
    assert 1.5 < low < ratio
    change = question.hide_rings(question.strangers(1))
    assert change.shape == (24, 2, len(question.edges) - 1)
    inner, outer = saliency_measures.median_radius(np.abs(change), question.edges).T
    assert np.all(inner < outer)


def test_stacks_leave_out_views_without_hi_and_share_out_the_rest(sensitivity):
    galaxy, found = sensitivity.aligned(toy(sensitivity, central()[0], 2))
    assert list(found) == ["starlight", "HI column"] and galaxy.tolist() == np.repeat(np.arange(1, 8), 3).tolist()
    for maps in found.values():
        assert maps.shape == (21, 2, 48, 48)
        np.testing.assert_allclose(maps.sum(axis=(-2, -1)), 1.0, rtol=1e-5)


def test_without_training_both_outputs_look_at_the_same_part_of_the_image(sensitivity):
    question = toy(sensitivity, convolutional(branch=True), 2)
    inner, outer = sensitivity.random_half_radii(question, seed=8).T
    assert inner.shape == (24,) and not np.allclose(inner, sensitivity.half_radii(question)[:, 0])
    assert abs(np.median(outer / inner) - 1) < 0.2


def test_measures_agree_where_they_are_specific_to_the_same_rings(sensitivity):
    rng = np.random.default_rng(2)
    pattern, other = rng.random((5, 6)) + 0.2, rng.random((5, 6)) + 0.2
    noise = rng.normal(1.0, 0.1, (24, 1, 1))
    galaxy = np.repeat(np.arange(8), 3)
    same = sensitivity.agreement(pattern * noise, -pattern * noise, galaxy, seed=1)
    assert same.value == pytest.approx(1.0, abs=0.02) and same.error < 0.02
    apart = sensitivity.agreement(pattern * noise, other * noise + rng.normal(0, 0.2, (24, 5, 6)), galaxy, seed=1)
    assert apart.value < 0.7 and apart.error > 0.005


def test_the_typical_view_is_inclined_and_has_gas(sensitivity):
    question = toy(sensitivity, linear()[0], 3)
    row = question.dataset.table[question.typical()]
    assert row["inclination"].value == 56.0 and row["m_hi"].value >= 5e9
    assert question.typical(among=3) == 1


def test_channels_are_told_apart_by_what_they_show(sensitivity):
    assert sensitivity.kinds(("g", "moment0", "r", "moment1")) == {
        "starlight": [0, 2],
        "HI column": [1],
        "velocity": [3],
    }


def test_typical_spread_is_that_of_most_views_whichever_way_they_are_turned(sensitivity):
    rng = np.random.default_rng(7)
    inputs = np.zeros((400, 4, 4, 2))
    inputs[:, 0, 1, 0] = rng.normal(1.0, 0.5, 400)
    inputs[:8, ..., 1] = 100.0  # rare companions
    spread = sensitivity.typical_spread(inputs)
    ring = np.zeros((4, 4), bool)
    ring[[0, 0, 1, 1, 2, 2, 3, 3], [1, 2, 0, 3, 0, 3, 1, 2]] = True
    np.testing.assert_allclose(spread[ring, 0], 0.5 / np.sqrt(8), rtol=0.15)
    assert np.all(spread[~ring, 0] == 0) and np.all(spread[..., 1] == 0)
