"""Whether a galaxy lies within a training set."""

from __future__ import annotations

import numpy as np
import pytest

from dmlib.errors import DmlibError
from dmlib.networks.opinion import FEATURES, features, place


def _maps(n, rng, brightness=5.0):
    y, x = np.mgrid[-32:32, -32:32]
    out = []
    for _ in range(n):
        size, speed = rng.uniform(6, 14), rng.uniform(80, 200)
        r = np.hypot(x, y / rng.uniform(0.4, 1.0))
        density = brightness * rng.uniform(0.5, 2.0) * np.exp(-r / size)
        velocity = speed * x / np.maximum(r, 1.0)
        maps = np.stack([density, velocity, rng.uniform(8, 15) + 30 * np.exp(-r / 4)], axis=-1)
        out.append(np.where((density > 0.3)[..., None], maps, np.nan))
    return np.array(out)


def test_a_galaxy_like_the_others_is_inside_and_another_is_not():
    rng = np.random.default_rng(4)
    train, same = features(_maps(300, rng)), features(_maps(40, rng))
    assert train.shape == (300, len(FEATURES)) and np.isfinite(train).all()
    placed = [place(train, one) for one in same]
    assert np.mean([p.inside for p in placed]) > 0.9
    assert 0.3 < np.mean([p.beyond for p in placed]) < 0.7
    strange = _maps(1, rng)
    strange[..., 1] *= 5.0
    assert not place(train, features(strange)[0]).inside
    # Each feature alone is ordinary, their combination is not.
    twisted = train.mean(axis=0).copy()
    vectors = np.linalg.eigh(np.cov(train.T))[1]
    twisted += 0.9 * train.std(axis=0) * np.sign(vectors[:, 0])
    assert place(train, twisted).beyond < 0.01


def test_a_galaxy_without_hi_cannot_be_placed():
    with pytest.raises(DmlibError, match="HI"):
        place(np.ones((300, 7)), features(np.full((1, 8, 8, 3), np.nan))[0])
