"""ResNet50 (He et al. 2016) with any number of channels and one linear output per radius, from random weights."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers


def build(channels: Sequence[str], pixels: int, outputs: int) -> keras.Model:
    """`keras.applications.ResNet50` without its head, global average pooling, a linear layer.

    How the authors adapted it is not known: this is the simplest way. The running means of its batch normalisation
    follow within about ten batches instead of about a hundred, so that they match the weights of a short training too.
    """
    image = keras.Input((pixels, pixels, len(channels)), name="image")
    trunk = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=image, pooling="avg")
    for layer in trunk.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9
    return keras.Model(image, layers.Dense(outputs, dtype="float32", name="ln_m_dm")(trunk.output), name="ResNet50")
