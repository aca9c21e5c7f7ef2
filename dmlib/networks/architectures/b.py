"""Architecture B, our own: deeper, kernels of 3x3, residual, and no flattening.

The talk names B but does not define it. Ours asks what the conventional improvements on A bring: many small kernels
instead of few large ones, shortcuts, global average pooling (a galaxy is the same wherever a feature lies), and light
regularisation. Unlike C it knows nothing of galaxies.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers


def build(channels: Sequence[str], pixels: int, outputs: int) -> keras.Model:
    """A stem of stride 2, three stages of residual blocks, averages and maxima over the sky, two dense layers."""
    image = keras.Input((pixels, pixels, len(channels)), name="image")
    x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False)(image)
    x = layers.Activation("relu")(layers.BatchNormalization(momentum=0.95)(x))
    for filters, stride in ((32, 1), (64, 2), (128, 2), (128, 2)):
        x = _residual(x, filters, stride)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    x = layers.Dropout(0.2)(layers.Dense(128, activation="relu")(x))
    return keras.Model(image, layers.Dense(outputs, dtype="float32", name="ln_m_dm")(x), name="B")


def _residual(x, filters: int, stride: int):
    short = x
    x = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
    x = layers.Activation("relu")(layers.BatchNormalization(momentum=0.95)(x))
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.95)(x)
    if stride > 1 or short.shape[-1] != filters:
        short = layers.AveragePooling2D(stride, padding="same")(short) if stride > 1 else short
        short = layers.Conv2D(filters, 1, use_bias=False)(short)
        short = layers.BatchNormalization(momentum=0.95)(short)
    return layers.Activation("relu")(layers.Add()([x, short]))
