"""Architecture C, our own: separate stems for light and HI, and a branch that measures in rings about the centre.

The talk names C but does not define it. Ours asks what it brings to tell the network what we know: that light and gas
are different measurements, that the image's centre is the galaxy's, that a galaxy may be turned and reflected, and that
what weighs a disc is flux, and velocity against radius. With a million galaxies a network may find this by itself; with
some hundred it cannot.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from .sky import Apertures, RingMeans, Standardise


def build(channels: Sequence[str], pixels: int, outputs: int) -> keras.Model:
    """A coarse convolution of the bands and one of the HI maps, joined by another and pooled in rings; beside them
    moments in apertures and dense layers; a linear layer on both, and on the moments themselves.
    """
    image = keras.Input((pixels, pixels, len(channels)), name="image")
    light = [k for k, name in enumerate(channels) if not name.startswith("moment")]
    gas = [k for k, name in enumerate(channels) if name.startswith("moment")]
    stems = []
    for name, chosen in (("light", light), ("gas", gas)):
        if chosen:
            stems.append(_convolve(Channels(chosen, name=name)(image), 24, 5, 4))
    x = layers.Concatenate()(stems) if len(stems) > 1 else stems[0]
    x = RingMeans()(_convolve(x, 64, 3, 2))
    x = layers.Dropout(0.3)(layers.Dense(32, activation="relu")(x))

    y = Standardise(dtype="float32")(Apertures(channels, dtype="float32")(image))
    y = straight = layers.Dropout(0.05)(y)
    for units in (128, 128):
        y = layers.Dropout(0.2)(layers.Dense(units, activation="gelu")(y))
    # The straight way is a linear regression on what was measured: the rest learns what it leaves.
    y = layers.Concatenate()([x, y, straight])
    return keras.Model(image, layers.Dense(outputs, dtype="float32", name="ln_m_dm")(y), name="C")


@keras.saving.register_keras_serializable("dmlib")
class Channels(layers.Layer):
    """Some of an image's channels."""

    def __init__(self, chosen: Sequence[int], **keywords):
        super().__init__(**keywords)
        self.chosen = tuple(int(k) for k in chosen)

    def call(self, image):
        return keras.ops.stack([image[..., k] for k in self.chosen], axis=-1)

    def compute_output_shape(self, shape):
        return (*shape[:-1], len(self.chosen))

    def get_config(self):
        return {**super().get_config(), "chosen": list(self.chosen)}


def _convolve(x, filters: int, kernel: int, stride: int):
    x = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False)(x)
    return layers.Activation("relu")(layers.BatchNormalization(momentum=0.95)(x))
