"""Saliency of networks whose slopes are known."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dmlib.observe.sky import SkyGrid
from saliency_networks import SHAPE, central, convolutional, linear

GRID = SkyGrid(24.0, 12)


@pytest.fixture
def images():
    return np.random.default_rng(2).standard_normal((5, *SHAPE)).astype("float32")


def test_of_a_linear_network_the_slopes_are_the_weights(saliency, images):
    model, weights = linear()
    found = saliency.Saliency(model, [2, 0]).gradient(images)
    np.testing.assert_allclose(found, np.broadcast_to(weights[[2, 0]], found.shape), rtol=1e-5)


def test_scale_is_that_of_each_output(saliency, images):
    model, weights = linear()
    found = saliency.Saliency(model, [1, 2], [1.0, 10.0, 100.0]).gradient(images[:1])
    np.testing.assert_allclose(found[0], weights[[1, 2]] * np.array([10.0, 100.0])[:, None, None, None], rtol=1e-5)


def test_slopes_are_difference_quotients(saliency, images):
    model = convolutional(branch=True)
    found = saliency.Saliency(model, [1]).gradient(images[:1])[0, 0]
    for place in ((0, 0, 0), (5, 6, 1), (11, 3, 0)):
        step = np.zeros_like(images[:1])
        step[(0, *place)] = 1e-2
        up, down = (saliency.predicted(model, images[:1] + s * step)[0, 1] for s in (1, -1))
        assert found[place] == pytest.approx((up - down) / 2e-2, rel=2e-2, abs=2e-5)


def test_smoothgrad_of_a_linear_network_is_its_weights_and_repeatable(saliency, images):
    model, weights = linear()
    found = saliency.Saliency(model, [0]).smooth_gradient(images, noise=0.5, draws=3, seed=1)
    np.testing.assert_allclose(found, np.broadcast_to(weights[[0]], found.shape), rtol=1e-4)
    model = convolutional()
    first, again, other = (saliency.Saliency(model, [0]).smooth_gradient(images, draws=3, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_smoothgrad_leaves_blank_pixels_blank(saliency, images):
    """The slope of the mean square is the pixel itself, so the mean slope shows where there was noise."""
    model, _ = central()
    where = np.zeros(images.shape, bool)
    where[:, :6] = True
    still = saliency.Saliency(model, [1]).smooth_gradient(images, noise=1.0, draws=2, seed=1, where=where)
    plain = saliency.Saliency(model, [1]).gradient(images)
    np.testing.assert_allclose(still[:, :, 6:], plain[:, :, 6:], rtol=1e-5)
    assert np.abs(still[:, :, :2] - plain[:, :, :2]).max() > 1e-3


def test_smoothgrad_makes_no_negative_light(keras, saliency, images):
    """A network that takes the logarithm of the light has no slope below zero."""
    image = keras.Input(SHAPE)
    total = keras.layers.Lambda(lambda v: keras.ops.log(keras.ops.min(v, axis=(1, 2, 3)))[:, None])(image)
    model = keras.Model(image, total)
    light = np.abs(images) + 0.01
    assert np.isfinite(saliency.Saliency(model, [0]).smooth_gradient(light, noise=2.0, draws=3, seed=1)).all()


@pytest.mark.parametrize("build", [lambda: linear()[0], lambda: central()[0], lambda: convolutional(True)])
def test_integrated_gradients_are_complete(saliency, build, images):
    model = build()
    method = saliency.Saliency(model, [0, 1])
    parts = method.integrated_gradient(images, steps=128, baseline=0.3)
    assert method.incompleteness(images, parts, baseline=0.3).max() < 1e-2


def test_integrated_gradients_of_a_jump_are_not_complete(keras, saliency, images):
    """A network that tells blank from not blank jumps on the way, which no slope sees."""
    image = keras.Input(SHAPE)
    seen = keras.layers.Lambda(lambda v: keras.ops.cast(v > 0.1, "float32"))(image)
    model = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(seen)))
    method = saliency.Saliency(model, [0])
    parts = method.integrated_gradient(np.abs(images) + 1.0, baseline=0.0, steps=8)
    assert np.all(parts == 0.0)
    assert method.incompleteness(np.abs(images) + 1.0, parts, baseline=0.0).min() == pytest.approx(1.0)


@pytest.mark.parametrize("branch", [False, True])
def test_gradcam_of_mean_pooling_is_the_weighted_sum_of_the_maps(keras, saliency, branch, images):
    model = convolutional(branch)
    assert saliency.last_map(model).name == "maps"
    found = saliency.Saliency(model, [0, 1]).grad_cam(images)
    maps = saliency.predicted(keras.Model(model.input, model.get_layer("maps").output), images)
    weights = model.get_layer("out").get_weights()[0][:4] / (maps.shape[1] * maps.shape[2])
    expected = saliency.enlarge(np.einsum("nyxc,ck->nkyx", maps, weights).astype("float32"), SHAPE[:2])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)
    assert found.shape == (5, 2, *SHAPE[:2])


def test_a_network_that_uses_the_centre_only_is_recognised(saliency, saliency_measures, images):
    model, inside = central()
    found = saliency.Saliency(model, [0, 1]).gradient(images)
    size = np.abs(found).sum(axis=(0, -1))
    assert np.all(size[0][~inside] == 0) and np.all(size[0][inside] > 0)
    assert np.all(size[1][inside] == 0) and np.all(size[1][~inside] > 0)
    edges = np.array([0.0, 4.0, 8.0, 12.0])
    rings = saliency_measures.by_ring(found.sum(axis=-1), GRID, edges)
    radius = saliency_measures.median_radius(rings, edges)
    assert np.all(radius[:, 0] < 4.5) and np.all(radius[:, 1] > 6.0)
    change = saliency.occlude(model, images, GRID, fill=np.zeros(2), edges=edges)
    assert np.abs(change[:, 2, 0]).max() == 0 and np.abs(change[:, 0, 0]).min() > 0


def test_occlusion_of_a_linear_network_is_the_sum_of_its_weights(saliency, images):
    model, weights = linear()
    edges = np.array([0.0, 5.0, 9.0])
    change = saliency.occlude(model, images, GRID, fill=np.zeros(2), edges=edges)
    ring = np.hypot(*GRID.mesh()) < 5.0
    expected = -np.einsum("nyxc,kyxc->nk", images * ring[..., None], weights)
    np.testing.assert_allclose(change[:, 0], expected, rtol=1e-3, atol=1e-4)


def test_random_weights_destroy_the_map_of_a_network_that_learned_something(saliency, saliency_measures, images):
    """The weights of the learned network are smooth on the sky, those of a random one are not."""
    y, x = np.indices(SHAPE[:2]) - (SHAPE[0] - 1) / 2
    model, _ = linear()
    bump = np.exp(-0.5 * (np.hypot(x, y) / 2.5) ** 2)
    model.set_weights([np.repeat(bump.ravel(), 2)[:, None] * np.ones(3), np.zeros(3)])
    learned = saliency.Saliency(model, [0]).gradient(images).sum(axis=-1)[:, 0]
    steps = list(saliency.cascade(model, seed=1))
    assert len(steps) == 1
    random = saliency.Saliency(steps[0][1], [0]).gradient(images).sum(axis=-1)[:, 0]
    assert np.abs(saliency_measures.rank_correlation(learned, random)).max() < 0.3
    assert saliency_measures.similarity(learned, random).max() < 0.3
    np.testing.assert_allclose(saliency_measures.rank_correlation(learned, 3 * learned), 1.0)
    np.testing.assert_allclose(saliency_measures.similarity(learned, 3 * learned), 1.0)


def test_the_cascade_goes_from_the_output_down_and_leaves_the_model_alone(saliency, images):
    model = convolutional()
    before = [w.copy() for w in model.get_weights()]
    names = []
    for name, mixed in saliency.cascade(model, seed=4):
        names.append(name)
        same = [np.array_equal(a, b) for a, b in zip(mixed.get_weights(), before, strict=True)]
        assert same == ([True, True, False, True] if name == "out" else [False, True, False, True])
    assert names == ["out", "maps"]
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))


def test_a_network_is_traced_once(saliency, images, monkeypatch):
    """For any number of images and any outputs, and for all networks of the cascade."""
    model = convolutional()
    traced, call = [], model.stateless_call
    monkeypatch.setattr(model, "stateless_call", lambda *args, **kw: traced.append(1) or call(*args, **kw))
    every = saliency.Saliency(model, [0, 1])
    every.gradient(images)
    every.of([1]).gradient(images[:1])
    list(every.of([0]).cascade_gradients(images, seed=1))
    assert len(traced) == 1


def test_slopes_along_the_cascade_are_those_of_its_networks(saliency, images):
    model = convolutional(branch=True)
    found = list(saliency.Saliency(model, [1]).cascade_gradients(images, seed=4))
    for (name, slopes), (same, mixed) in zip(found, saliency.cascade(model, seed=4), strict=True):
        assert name == same
        np.testing.assert_allclose(slopes, saliency.Saliency(mixed, [1]).gradient(images), rtol=1e-4, atol=1e-7)
    assert [name for name, _ in saliency.Saliency(model, [1]).cascade_gradients(images, seed=4, every=5)] == [
        "out",
        "maps",
    ]


def test_baselines_of_a_sky(saliency):
    channels = ("g", "moment0", "moment1")
    image = np.zeros((1, 2, 2, 3), "float32")
    image[..., 1] = [[-2.0, 0.4], [1.0, -2.0]]
    image[..., 2] = [[0.0, 0.7], [-0.7, 0.0]]
    np.testing.assert_array_equal(saliency.empty_sky(channels), [0, -2, 0])
    faint = saliency.faint_sky(image, channels)
    np.testing.assert_array_equal(faint[0, ..., 1], [[-2, -1], [-1, -2]])
    assert np.all(faint[..., [0, 2]] == 0)
    np.testing.assert_array_equal(saliency.lit(image, channels)[0, ..., 2], [[False, True], [True, False]])
    assert not saliency.lit(image, channels)[..., 0].any()
    assert saliency.lit(image + 0.1, channels)[..., 0].all()
    np.testing.assert_array_equal(saliency.lit(image[..., 2:], ("moment1",))[0, ..., 0], [[False, True], [True, False]])


def test_misuse_is_an_error(keras, saliency, images):
    model, _ = linear()
    with pytest.raises(saliency.SaliencyError, match="takes images"):
        saliency.Saliency(model, [0]).gradient(images[..., :1])
    with pytest.raises(saliency.SaliencyError, match="outputs 0 to 2"):
        saliency.Saliency(model, [3]).gradient(images)
    with pytest.raises(saliency.SaliencyError, match="image"):
        saliency.Saliency(model, [0]).grad_cam(images)
    image = keras.Input(SHAPE)
    root = keras.layers.Lambda(lambda v: keras.ops.sqrt(keras.ops.sum(v, axis=(1, 2, 3)))[:, None])(image)
    with pytest.raises(saliency.SaliencyError, match="not finite"):
        saliency.Saliency(keras.Model(image, root), [0]).gradient(np.zeros_like(images))


def test_jax_gives_the_same_slopes(saliency, tmp_path, images):
    """In another process, because Keras chooses its backend once."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed")
    here = Path(__file__).parent
    code = f"""
import numpy as np
from saliency_networks import convolutional
from dmlib.networks import saliency
model = convolutional(branch=True)
model.set_weights(list(np.load({str(tmp_path / "weights.npz")!r}).values()))
images = np.load({str(tmp_path / "images.npy")!r})
np.savez({str(tmp_path / "found.npz")!r}, gradient=saliency.Saliency(model, [0, 1]).gradient(images),
         cam=saliency.Saliency(model, [1]).grad_cam(images),
         integrated=saliency.Saliency(model, [0]).integrated_gradient(images, baseline=0.0, steps=4))
"""
    model = convolutional(branch=True)
    np.savez(tmp_path / "weights.npz", **{f"w{k:03d}": w for k, w in enumerate(model.get_weights())})
    np.save(tmp_path / "images.npy", images)
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": os.pathsep.join([str(here.parent), str(here.parents[1]), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "found.npz")
    np.testing.assert_allclose(
        found["gradient"], saliency.Saliency(model, [0, 1]).gradient(images), rtol=1e-3, atol=1e-6
    )
    np.testing.assert_allclose(found["cam"], saliency.Saliency(model, [1]).grad_cam(images), rtol=1e-3, atol=1e-6)
    integrated = saliency.Saliency(model, [0]).integrated_gradient(images, baseline=0.0, steps=4)
    np.testing.assert_allclose(found["integrated"], integrated, rtol=1e-3, atol=1e-6)
