"""Pictures from particles: they keep the light, and put it where the particles are."""

from __future__ import annotations

import numpy as np
import pytest

from dmlib import embedded, gallery
from dmlib.universe import FilesUniverse


def test_a_map_keeps_the_weight_whatever_the_sizes():
    rng = np.random.default_rng(1)
    xy, weights = rng.normal(0, 2.0, (500, 2)), rng.random(500)
    size = rng.uniform(0.05, 1.5, 500)
    image = gallery.smoothed_map(xy, weights, size, half_width=15.0, n=96)
    assert image.shape == (96, 96)
    assert image.sum() * (30.0 / 96) ** 2 == pytest.approx(weights.sum(), rel=1e-3)


def test_a_map_has_rows_along_y_and_widens_with_the_size():
    where = np.array([[4.0, -2.0]])
    sharp, wide = (gallery.smoothed_map(where, np.ones(1), np.array([s]), 8.0, 64) for s in (0.1, 2.0))
    row, column = np.unravel_index(sharp.argmax(), sharp.shape)
    assert (column + 0.5) * 0.25 - 8.0 == pytest.approx(4.0, abs=0.3)
    assert (row + 0.5) * 0.25 - 8.0 == pytest.approx(-2.0, abs=0.3)
    assert sharp.max() > 20 * wide.max()


def test_particles_outside_spread_into_the_map():
    image = gallery.smoothed_map(np.array([[8.5, 0.0]]), np.ones(1), np.array([1.5]), 8.0, 64)
    assert image[32, -1] > 0 and image[32, 0] == 0


def test_portrait_of_a_written_galaxy(smoke_universe):
    universe = FilesUniverse(smoke_universe.universe_dir / "output", simulation="embedded")
    drawn = embedded.population(smoke_universe).subhalos
    for subhalo_id in embedded.examples(drawn).values():
        p = gallery.portrait(universe, subhalo_id, n=64)
        assert p.face_on.shape == (64, 64, 3) and p.hi.shape == (64, 64)
        assert (p.face_on >= 0).all() and np.isfinite(p.edge_on).all()
        # The light of the disc lies nearer to the middle line when it is seen edge-on.
        rows = np.abs(np.arange(64) - 31.5)[:, None]
        heights = [(image[..., 1] * rows).sum() / image[..., 1].sum() for image in (p.edge_on, p.face_on)]
        assert heights[0] < heights[1]
