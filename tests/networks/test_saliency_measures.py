"""What is measured on saliency maps."""

from __future__ import annotations

import numpy as np
import pytest

from dmlib.observe.sky import SkyGrid


@pytest.mark.parametrize("angle", [0.0, 37.0, 90.0, 200.0])
def test_aligned_discs_have_their_receding_side_on_the_right(saliency_measures, angle):
    grid = SkyGrid(128.0, 64)
    x, y = grid.mesh()
    direction = -np.sin(np.radians(angle)), np.cos(np.radians(angle))
    along = direction[0] * x + direction[1] * y
    across = direction[0] * y - direction[1] * x
    blob = np.exp(-0.5 * (((along - 20.0) / 6.0) ** 2 + (across / 3.0) ** 2))
    out = saliency_measures.align(blob[None], grid, np.array([angle]), np.array([20.0]), reach=2.0, pixels=64)[0]
    row, column = np.unravel_index(out.argmax(), out.shape)
    steps = (np.arange(64) + 0.5) / 64 * 4 - 2
    assert steps[column] == pytest.approx(1.0, abs=0.07) and steps[row] == pytest.approx(0.0, abs=0.07)


def test_alignment_scales_to_the_radius(saliency_measures):
    grid = SkyGrid(128.0, 64)
    x, y = grid.mesh()
    for length in (12.0, 24.0):
        ring = np.exp(-0.5 * ((np.hypot(x, y) - length) / 2.0) ** 2)
        out = saliency_measures.align(ring[None], grid, np.zeros(1), np.array([length]), reach=1.5, pixels=60)[0]
        steps = (np.arange(60) + 0.5) / 60 * 3 - 1.5
        assert abs(steps[out[30].argmax()]) == pytest.approx(1.0, abs=0.1)


def test_rings_share_pixels_out_and_give_half_radii(saliency_measures):
    grid = SkyGrid(40.0, 20)
    edges = np.array([0.0, 5.0, 10.0, 20.0])
    rings = saliency_measures.by_ring(np.ones((1, 20, 20)), grid, edges)[0]
    np.testing.assert_allclose(rings * grid.pixel_area, np.pi * np.diff(edges**2), rtol=0.01)
    np.testing.assert_allclose(
        saliency_measures.median_radius(np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 2.0]]), edges), [5.0, 15.0]
    )
    assert np.isnan(saliency_measures.median_radius(np.zeros(3), edges))


def test_shares_weigh_each_map_the_same(saliency_measures):
    maps = np.random.default_rng(1).standard_normal((4, 3, 5, 5))
    np.testing.assert_allclose(saliency_measures.shares(maps, (-2, -1)).sum(axis=(-2, -1)), 1.0)
    assert np.all(saliency_measures.shares(np.zeros((1, 2, 2))) == 0)


def test_likeness_along_a_cascade_begins_with_one(saliency_measures):
    maps = np.random.default_rng(4).random((3, 8, 8))
    ranks, likeness = saliency_measures.likeness([maps, maps, np.random.default_rng(5).random((3, 8, 8))])
    np.testing.assert_allclose(ranks[:2], 1.0)
    np.testing.assert_allclose(likeness[:2], 1.0)
    assert abs(ranks[2]) < 0.4 and likeness[2] < 0.4


def test_along_an_axis(saliency_measures):
    maps = np.zeros((1, 20, 20))
    maps[0, 8:12] = 2.0
    along, across = saliency_measures.along_axes(maps)
    assert along[0] > 2.0 * across[0]
    np.testing.assert_allclose(saliency_measures.along_axes(np.swapaxes(maps, 1, 2)), [across, along])


def test_what_is_particular_to_an_output(saliency_measures):
    matrix = np.array([[1.0, 1.0, 2.0], [1.0, 1.0, 2.0]])
    np.testing.assert_allclose(saliency_measures.relative_to_mean(3 * matrix), 1.0)
