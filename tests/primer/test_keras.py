"""Layers in numpy against Keras: shapes, receptive fields, convolutions, gradients; and the small network."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from dmlib.networks.architectures.published import talk
from dmlib.primer import layers


@pytest.mark.parametrize("pixels", [48, 128])
def test_the_table_of_the_talk(pixels):
    """Shapes, weights and receptive fields by hand, as the exercise of chapter 9 has them."""
    traced = layers.trace(talk(("r",) * 8, pixels, 20))
    convolutions = [t for t in traced if t.kind == "conv"]
    assert [t.shape for t in convolutions] == [
        (pixels // 2, pixels // 2, 64),
        (pixels // 8, pixels // 8, 128),
        (-(-pixels // 32), -(-pixels // 32), 256),
    ]
    assert {t.words for t in convolutions} == {"convolution 5×5, stride 2, ReLU"}
    assert [t.field for t in convolutions] == [5, 23, 95]
    assert convolutions[0].weights == 64 * (25 * 8 + 1)
    dense = [t for t in traced if t.kind == "dense"]
    assert [t.shape for t in dense] == [(256,), (128,), (64,), (20,)] and {t.field for t in dense} == {0}
    assert dense[0].weights == 256 * (traced[-11].shape[0] + 1) and traced[-11].kind == "flatten"
    assert [t.words for t in traced if t.kind == "dropout"] == ["dropout 50%"] * 5


@pytest.mark.parametrize("size, stride, length", [(5, 2, 16), (3, 1, 9), (5, 1, 12), (3, 2, 15)])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_convolution_is_that_of_keras(size, stride, length, padding):
    rng = np.random.default_rng(1)
    image, kernel = rng.standard_normal((length, length)), rng.standard_normal((size, size))
    theirs = keras.ops.conv(
        image[None, ..., None].astype("float32"), kernel[..., None, None].astype("float32"), stride, padding
    )
    ours = layers.convolve(image, kernel, stride=stride, padding=padding)
    np.testing.assert_allclose(ours, keras.ops.convert_to_numpy(theirs)[0, ..., 0], atol=1e-4)


def test_receptive_field_is_what_an_output_depends_on():
    """With all weights positive, exactly the pixels of the field have a slope."""
    length = 64

    def network(pooling):
        return keras.Sequential(
            [
                keras.Input((length, length, 1)),
                keras.layers.Conv2D(3, 5, 2, padding="same"),
                pooling(2),
                keras.layers.Conv2D(2, 3, 1, padding="same"),
            ]
        )

    t = layers.trace(network(keras.layers.MaxPooling2D))[-1]
    # Mean pooling passes the slope to all pixels, where the largest would choose one.
    model = network(keras.layers.AveragePooling2D)
    model.set_weights([np.ones_like(w) for w in model.get_weights()])
    image = np.zeros((1, length, length, 1), "float32")
    base = model.predict(image, verbose=0)
    middle = tuple(n // 2 for n in base.shape[1:3])
    touched = np.zeros(length, bool)
    probes = np.zeros((length, length, length, 1), "float32")
    probes[np.arange(length), np.arange(length), :, 0] = 1.0  # one row of pixels at a time
    answers = model.predict(probes, verbose=0)[:, middle[0], middle[1], 0]
    touched = answers > base[0, middle[0], middle[1], 0]
    assert touched.sum() == t.field
    assert np.ptp(np.flatnonzero(touched)) == t.field - 1


def test_backpropagation_is_that_of_keras():
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("compares with tensorflow's gradient")
    weights = layers.start_weights([1, 6, 1], 3)
    x = np.linspace(-1, 1, 20)[:, None]
    y = np.sin(3 * x[:, 0])
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(6, activation="relu"), keras.layers.Dense(1)])
    model.set_weights([array for layer in weights for array in layer])
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x.astype("float32"))[:, 0] - y.astype("float32")) ** 2)
    theirs = np.concatenate([np.ravel(g) for g in tape.gradient(loss, [v.value for v in model.trainable_variables])])
    np.testing.assert_allclose(layers.flatten(layers.backward(weights, x, y)), theirs, rtol=1e-3, atol=1e-5)


def test_the_tiny_network_learns_what_shape_tells():
    """Ellipses of random axis ratio at random angles: the brightness says nothing, the shape all."""
    rng = np.random.default_rng(6)
    y, x = np.indices((16, 16)) - 7.5

    def ellipses(n):
        ratio, angle = rng.uniform(0.2, 1.0, n), rng.uniform(0, np.pi, n)
        c, s = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
        radius = np.hypot(x * c + y * s, (y * c - x * s) / ratio[:, None, None])
        image = np.exp(-0.5 * (radius / 4.0) ** 2)
        image /= image.mean(axis=(1, 2), keepdims=True)
        return layers.Pictures(image[..., None].astype("float32"), ratio.astype("float32"), np.arange(n))

    train, validation = ellipses(256), ellipses(64)
    trained = layers.learn(train, validation, epochs=9, seed=1)
    assert trained.validation.min() < 0.5 * validation.cosine.std()
    again = np.sqrt(np.mean((trained.predicted - validation.cosine) ** 2))
    assert again == pytest.approx(trained.validation.min(), rel=1e-4)
    assert layers.feature_maps(trained.model, validation.inputs[:2]).shape == (2, 16, 16, 8)


def test_turned_pictures_are_the_same_pictures():
    inputs = np.random.default_rng(7).random((40, 6, 6, 2))
    turned = layers.turned(inputs, np.random.default_rng(8))
    assert not np.array_equal(turned, inputs)
    np.testing.assert_allclose(np.sort(turned.reshape(40, -1)), np.sort(inputs.reshape(40, -1)))
