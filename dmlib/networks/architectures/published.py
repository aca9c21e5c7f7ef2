"""The architectures of others: A, as on the talk's back-up slide and as in the authors' scripts, and ResNet50."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from .norm import BatchNormalization


def talk(channels: Sequence[str], pixels: int, outputs: int) -> keras.Model:
    """The table of the talk, with any number of outputs: the table has 20.

    The table gives neither the padding, for which we take 'same' as in the scripts, nor the stride of the pooling, for
    which we take its size.
    """
    image = x = keras.Input((pixels, pixels, len(channels)), name="image")
    for filters in (64, 128):
        x = _block(x, filters, dropout=0.5)
    x = layers.Conv2D(256, 5, strides=2, padding="same", activation="relu")(x)
    x = BatchNormalization()(x)
    return keras.Model(image, _head(x, outputs, dropout=0.5), name="A")


def scripts(channels: Sequence[str], pixels: int, outputs: int) -> keras.Model:
    """The variant of the authors' scripts: three equal blocks, 128 kernels in the third, dropout of 25%."""
    image = x = keras.Input((pixels, pixels, len(channels)), name="image")
    for filters in (64, 128, 128):
        x = _block(x, filters, dropout=0.25)
    return keras.Model(image, _head(x, outputs, dropout=0.25), name="A_scripts")


def resnet50(channels: Sequence[str], pixels: int, outputs: int) -> keras.Model:
    """ResNet50 (He et al. 2016) from random weights: without its head, global average pooling, a linear layer.

    How the authors adapted it is not known: this is the simplest way. The running means of its batch normalisation
    follow within about ten batches instead of about a hundred, so that they match the weights of a short training too.
    """
    image = keras.Input((pixels, pixels, len(channels)), name="image")
    original = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=image, pooling="avg")
    trunk = keras.models.clone_model(original, clone_function=_resnet50_layer)
    trunk.set_weights(original.get_weights())
    x = layers.Dense(outputs, dtype="float32", name="ln_m_dm")(trunk.output)
    return keras.Model(trunk.input, x, name="ResNet50")


def _resnet50_layer(layer: keras.Layer) -> keras.Layer:
    """The same layer, with normalisation by `BatchNormalization`."""
    if isinstance(layer, layers.BatchNormalization):
        return BatchNormalization.from_config(layer.get_config() | {"momentum": 0.9})
    return layer.__class__.from_config(layer.get_config())


def _block(x: keras.KerasTensor, filters: int, dropout: float) -> keras.KerasTensor:
    x = layers.Conv2D(filters, 5, strides=2, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2, padding="same")(x)
    return BatchNormalization()(layers.Dropout(dropout)(x))


def _head(x: keras.KerasTensor, outputs: int, dropout: float) -> keras.KerasTensor:
    x = layers.Flatten()(x)
    for units in (256, 128, 64):
        x = layers.Dense(units, activation="relu")(x)
        x = BatchNormalization()(layers.Dropout(dropout)(x))
    return layers.Dense(outputs, dtype="float32", name="ln_m_dm")(x)
