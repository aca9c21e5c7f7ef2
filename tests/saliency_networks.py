"""Networks of which the slopes are known."""

from __future__ import annotations

import numpy as np

SHAPE = (12, 12, 2)


def linear(seed: int = 1):
    """One dense layer on the pixels: the slopes are its weights. Returns model and slopes (output, y, x, channel)."""
    import keras

    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(3)], name="linear")
    weights = np.random.default_rng(seed).standard_normal((int(np.prod(SHAPE)), 3)).astype("float32")
    model.set_weights([weights, np.array([0.5, -1.0, 2.0], "float32")])
    return model, np.moveaxis(weights.reshape(*SHAPE, 3), -1, 0)


def central(radius: float = 2.0):
    """Output 0 is the mean square of the pixels within a radius of the centre, output 1 that of all the others."""
    import keras

    y, x = np.indices(SHAPE[:2]) - (SHAPE[0] - 1) / 2
    inside = (np.hypot(x, y) < radius).astype("float32")[None, ..., None]
    image = keras.Input(SHAPE)
    square = keras.layers.Lambda(lambda v: v * v)(image)

    def total(mask):
        return keras.layers.Lambda(
            lambda v: keras.ops.sum(v * mask, axis=(1, 2, 3), keepdims=False)[:, None] / float(mask.sum() * SHAPE[2])
        )(square)

    out = keras.layers.Concatenate()([total(inside), total(1.0 - inside)])
    return keras.Model(image, out, name="central"), inside[0, ..., 0] > 0


def convolutional(branch: bool = False):
    """Convolution, mean over the image, dense; with a branch that goes round it."""
    import keras

    keras.utils.set_random_seed(3)
    image = keras.Input(SHAPE)
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="gelu", name="maps")(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    if branch:
        y = keras.layers.GlobalAveragePooling2D()(image)
        x = keras.layers.Concatenate()([x, y])
    return keras.Model(image, keras.layers.Dense(2, name="out")(x), name="convolutional")
