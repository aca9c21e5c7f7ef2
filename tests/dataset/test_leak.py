"""The demonstration of the leak, on data of which the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from dmlib.dataset.leak import compare, demonstrate, ring_features
from dmlib.dataset.read import ln_mass, read_dataset
from dmlib.settings import Settings
from network_toys import write_dataset


def test_rings_are_blind_to_how_a_view_is_turned():
    image = np.random.default_rng(1).random((1, 16, 16, 3))
    turned = np.rot90(image, axes=(1, 2))
    np.testing.assert_allclose(ring_features(turned), ring_features(image), rtol=1e-12)


def test_rings_of_a_flat_image():
    features = ring_features(np.full((2, 16, 16, 1), 3.0), n_rings=4)
    assert features.shape == (2, 8)
    np.testing.assert_allclose(features, 3.0)


def test_fingerprints_without_knowledge_help_only_where_there_is_a_leak():
    """Each galaxy has features of its own that say nothing of its target: only memory can use them."""
    rng = np.random.default_rng(3)
    n, views = 150, 3
    group = np.repeat(np.arange(n), views)
    fingerprint = np.repeat(rng.standard_normal((n, 20)), views, axis=0)
    x = fingerprint + 0.05 * rng.standard_normal(fingerprint.shape)
    y = np.repeat(rng.standard_normal((n, 2)), views, axis=0)
    errors = {key: value.mean() for key, value in compare(x, y, group, seed=1, repeats=4).items()}
    assert errors["script", "nearest neighbour"] == 0.0
    assert errors["view", "nearest neighbour"] < 0.5
    assert errors["group", "nearest neighbour"] == pytest.approx(np.sqrt(2), rel=0.15)
    assert errors["group", "mean"] == pytest.approx(1.0, rel=0.1)
    assert errors["script", "ridge"] < errors["group", "ridge"]


def test_it_is_shown_for_the_inputs_that_are_asked_for_and_without_the_test_galaxies(tmp_path):
    dataset = read_dataset(write_dataset(Settings(profile="smoke", build_root=str(tmp_path))))
    rows = np.setdiff1d(dataset.rows(), dataset.rows("test"))
    group, y = np.asarray(dataset.table["group_id"])[rows], ln_mass(dataset.dm_profile[rows])
    for inputs in ("all", "hi"):
        expected = compare(ring_features(dataset.inputs(rows, inputs)), y, group, seed=1, repeats=2)
        for key, errors in demonstrate(dataset, seed=1, repeats=2, inputs=inputs).items():
            np.testing.assert_allclose(errors, expected[key], rtol=1e-6)
    ridge = [demonstrate(dataset, seed=1, repeats=2, inputs=inputs)["group", "ridge"] for inputs in ("all", "hi")]
    assert not np.allclose(*ridge)


def test_missing_targets_are_left_out():
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((60, 4)), rng.standard_normal((60, 2))
    y[::7, 0] = np.nan
    errors = compare(x, y, np.arange(60), seed=1, repeats=2)
    assert all(np.isfinite(value).all() for value in errors.values())
