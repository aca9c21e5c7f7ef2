"""Architecture A, as on the talk's back-up slide and as in the authors' scripts."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers


def talk(channels: Sequence[str], pixels: int, outputs: int) -> keras.Model:
    """The table of the talk, to the letter.

    The table gives neither the padding, for which we take 'same' as in the scripts, nor the stride of the pooling, for
    which we take its size.
    """
    image = x = keras.Input((pixels, pixels, len(channels)), name="image")
    for filters in (64, 128):
        x = _block(x, filters, dropout=0.5)
    x = layers.Conv2D(256, 5, strides=2, padding="same", activation="relu")(x)
    x = layers.BatchNormalization()(x)
    return keras.Model(image, _head(x, outputs, dropout=0.5), name="A")


def scripts(channels: Sequence[str], pixels: int, outputs: int) -> keras.Model:
    """The variant of the authors' scripts: three equal blocks, 128 kernels in the third, dropout of 25%."""
    image = x = keras.Input((pixels, pixels, len(channels)), name="image")
    for filters in (64, 128, 128):
        x = _block(x, filters, dropout=0.25)
    return keras.Model(image, _head(x, outputs, dropout=0.25), name="A_scripts")


def _block(x: keras.KerasTensor, filters: int, dropout: float) -> keras.KerasTensor:
    x = layers.Conv2D(filters, 5, strides=2, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2, padding="same")(x)
    return layers.BatchNormalization()(layers.Dropout(dropout)(x))


def _head(x: keras.KerasTensor, outputs: int, dropout: float) -> keras.KerasTensor:
    x = layers.Flatten()(x)
    for units in (256, 128, 64):
        x = layers.Dense(units, activation="relu")(x)
        x = layers.BatchNormalization()(layers.Dropout(dropout)(x))
    return layers.Dense(outputs, dtype="float32", name="ln_m_dm")(x)
