"""Architecture A: as the talk's back-up slide has it, and as the authors' scripts have it."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers


def talk(channels: Sequence[str], pixels: int, outputs: int) -> keras.Model:
    """The table of the talk to the letter.

    Padding is not in the table: 'same', as in the scripts. Neither is the stride of the pooling: its size.
    """
    image = x = keras.Input((pixels, pixels, len(channels)), name="image")
    for filters in (64, 128):
        x = layers.Conv2D(filters, 5, strides=2, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2, padding="same")(x)
        x = layers.Dropout(0.5)(x)
        x = layers.BatchNormalization()(x)
    x = layers.Conv2D(256, 5, strides=2, padding="same", activation="relu")(x)
    x = layers.BatchNormalization()(x)
    return keras.Model(image, _head(layers.Flatten()(x), outputs, dropout=0.5), name="A")


def scripts(channels: Sequence[str], pixels: int, outputs: int) -> keras.Model:
    """The variant of the authors' scripts: three equal blocks, 128 kernels in the third, dropout 25%."""
    image = x = keras.Input((pixels, pixels, len(channels)), name="image")
    for filters in (64, 128, 128):
        x = layers.Conv2D(filters, 5, strides=2, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2, padding="same")(x)
        x = layers.Dropout(0.25)(x)
        x = layers.BatchNormalization()(x)
    return keras.Model(image, _head(layers.Flatten()(x), outputs, dropout=0.25), name="A_scripts")


def _head(x, outputs: int, dropout: float):
    for units in (256, 128, 64):
        x = layers.Dense(units, activation="relu")(x)
        x = layers.Dropout(dropout)(x)
        x = layers.BatchNormalization()(x)
    return layers.Dense(outputs, dtype="float32", name="ln_m_dm")(x)
