"""Architecture B, our own: deeper, kernels of 3x3, residual, and without flattening.

The talk names B but does not define it. Ours tests what the conventional improvements on A bring: many small kernels
instead of few large ones, shortcuts, global average pooling (a feature counts the same wherever it lies), and light
regularisation. Unlike C it knows nothing of galaxies.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from .norm import BatchNormalization


def build(channels: Sequence[str], pixels: int, outputs: int) -> keras.Model:
    """A stem of stride 2, four residual blocks, averages and maxima over the sky, two dense layers."""
    image = keras.Input((pixels, pixels, len(channels)), name="image")
    x = layers.Activation("relu")(_convolve(image, 32, 3, 2))
    for filters, stride in ((32, 1), (64, 2), (128, 2), (128, 2)):
        x = _residual(x, filters, stride)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    x = layers.Dropout(0.2)(layers.Dense(128, activation="relu")(x))
    return keras.Model(image, layers.Dense(outputs, dtype="float32", name="ln_m_dm")(x), name="B")


def _residual(x: keras.KerasTensor, filters: int, stride: int) -> keras.KerasTensor:
    short = x
    x = layers.Activation("relu")(_convolve(x, filters, 3, stride))
    x = _convolve(x, filters, 3, 1)
    if stride > 1 or short.shape[-1] != filters:
        short = layers.AveragePooling2D(stride, padding="same")(short) if stride > 1 else short
        short = _convolve(short, filters, 1, 1)
    return layers.Activation("relu")(layers.Add()([x, short]))


def _convolve(x: keras.KerasTensor, filters: int, kernel: int, stride: int) -> keras.KerasTensor:
    x = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False)(x)
    return BatchNormalization(momentum=0.95)(x)
