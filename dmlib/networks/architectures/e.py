"""Architecture E, our own: equivariant under the eight rotations and reflections of the pixels (Cohen & Welling 2016).

The talk does not have it; the follow-up of the paper uses an equivariant network. Augmentation shows a network that the
orientation on the sky tells nothing of the mass; this one cannot answer differently for another orientation. Each
kernel is applied in its eight orientations (*lifting*), which gives eight maps a feature. Later kernels see all eight,
and are turned and permuted along with them (*group convolution*), so that an image that is turned gives maps that are
turned and permuted. The largest of the eight is kept at the end and averaged in rings, which have no preferred
direction. The same weights see eight times as many examples.

Kernels of odd size at stride 2 on an even number of pixels would break the symmetry, since ``same`` padding then adds
one more row on one side, and so would statistics of batch normalisation for each orientation. Blank pixels become the
zeros of the padding, so that the edge of the image is not seen.

Without light a further symmetry holds: a galaxy seen from behind has the opposite velocities, and its HI is the same
(with light it does not hold exactly, since dust hides the far side). A network for HI maps alone therefore sees each
galaxy together with its opposite, through the same weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from ...observe.moments import BLANK
from .. import NetworkError
from ..augment import N_ORIENTATIONS, orient
from .c import RingMeans, stems
from .norm import BatchNormalization

#: Convolutions of stride 2; the image's side must be a multiple of 2**HALVINGS, and is padded with blank pixels if not.
HALVINGS = 3


def build(channels: Sequence[str], pixels: int, outputs: int) -> keras.Model:
    """A lifting stem for light and one for HI, three group convolutions, the largest orientation, rings, dense layers.

    Raises
    ------
    NetworkError
        For an odd number of pixels a side.
    """
    if pixels % 2:
        raise NetworkError(f"architecture E needs an even number of pixels a side, not {pixels}: its strides are 2.")
    image = keras.Input((pixels, pixels, len(channels)), name="image")
    # A blank pixel becomes 0, as the padding.
    x = layers.Rescaling(1.0, [-BLANK if name == "moment0" else 0.0 for name in channels], name="blank_is_zero")(image)
    if margin := (-pixels % 2**HALVINGS) // 2:
        x = layers.ZeroPadding2D(margin)(x)
    paired = "moment1" in channels and all(name.startswith("moment") for name in channels)
    if paired:
        x = WithOpposite([-1.0 if name == "moment1" else 1.0 for name in channels])(x)
    x = stems(x, channels, partial(_convolve, filters=4, kernel=4, stride=2))
    x = fine = _convolve(x, 8, 4, 2)
    x = _convolve(x, 16, 4, 2)
    x = _convolve(x, 16, 3, 1)
    x = layers.Concatenate()([RingMeans()(Largest()(fine)), RingMeans()(Largest()(x))])
    if paired:
        x = MeanOfPair()(x)
    x = layers.Dropout(0.1)(layers.Dense(128, activation="relu")(x))
    x = layers.Dropout(0.1)(layers.Dense(64, activation="relu")(x))
    return keras.Model(image, layers.Dense(outputs, dtype="float32", name="ln_m_dm")(x), name="E")


def _convolve(x: keras.KerasTensor, filters: int, kernel: int, stride: int) -> keras.KerasTensor:
    """Convolution, and statistics over the batch, the pixels and the group: one mean a feature."""
    x = GroupConvolution(filters, kernel, stride)(x)
    return layers.Activation("relu")(BatchNormalization(momentum=0.95)(x))


def quotients() -> np.ndarray:
    """Of elements g and r of the group the element that, followed by g, does what r does; shape (8, 8)."""
    labels = np.arange(4).reshape(2, 2, 1)
    done = [orient(labels, element).tobytes() for element in range(N_ORIENTATIONS)]
    found = np.empty((N_ORIENTATIONS, N_ORIENTATIONS), dtype=int)
    for g in range(N_ORIENTATIONS):
        for k in range(N_ORIENTATIONS):
            found[g, done.index(orient(orient(labels, k), g).tobytes())] = k
    return found


class GroupConvolution(layers.Layer):
    """Convolution with every kernel in its eight orientations, without bias.

    Parameters
    ----------
    filters : int
        Features of the output, each with eight maps.
    size, stride : int
        Of the kernel; for an output that turns with its input on an even number of pixels, both even, or the stride 1
        and the size odd.

    Notes
    -----
    From an image (n, y, x, channel), or maps over the group (n, y, x, 8, feature), to maps (n, y, x, 8, filters). The
    kernel is expanded once for a whole batch; the convolution itself is an ordinary one.
    """

    def __init__(self, filters: int, size: int, stride: int = 1, **keywords: Any):
        super().__init__(**keywords)
        self.filters, self.size, self.stride = filters, size, stride

    def build(self, shape):
        """Create the kernel, shape (size, size, 1 or 8, channel, filters), and the places of its copies' weights."""
        over_group = len(shape) == 5
        group = N_ORIENTATIONS if over_group else 1
        self.kernel = self.add_weight(
            name="kernel", shape=(self.size, self.size, group, shape[-1], self.filters), initializer="glorot_uniform"
        )
        places = np.arange(self.size**2).reshape(self.size, self.size, 1)
        turned = np.stack([orient(places, element) for element in range(N_ORIENTATIONS)])
        source = quotients()[:, None, None, :] if over_group else 0
        self._source = (turned * group + source).astype(np.int32)

    def call(self, maps):
        """Maps over the group."""
        *_, group, channels, filters = self.kernel.shape
        weights = ops.take(ops.reshape(self.kernel, (-1, channels, filters)), self._source, axis=0)
        weights = ops.reshape(
            ops.transpose(weights, (1, 2, 3, 4, 0, 5)),
            (self.size, self.size, group * channels, N_ORIENTATIONS * filters),
        )
        flat = ops.reshape(maps, (-1, *maps.shape[1:3], group * channels))
        found = ops.conv(flat, weights, strides=self.stride, padding="same", data_format="channels_last")
        return ops.reshape(found, (-1, *found.shape[1:3], N_ORIENTATIONS, filters))

    def get_config(self) -> dict[str, Any]:
        """Arguments of the layer, for saving."""
        return {**super().get_config(), "filters": self.filters, "size": self.size, "stride": self.stride}


class Largest(layers.Layer):
    """Largest of the eight maps of each feature, pixel by pixel: from (n, y, x, 8, feature) to (n, y, x, feature)."""

    def call(self, maps):
        """The maxima."""
        return ops.max(maps, axis=-2)


class WithOpposite(layers.Layer):
    """Images followed by the same with other signs: twice as many, shape (2 n, y, x, channel)."""

    def __init__(self, signs: Sequence[float], **keywords: Any):
        super().__init__(**keywords)
        self.signs = tuple(float(sign) for sign in signs)

    def call(self, image):
        """Both."""
        return ops.concatenate([image, image * ops.cast(ops.convert_to_tensor(self.signs), image.dtype)], axis=0)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the layer, for saving."""
        return {**super().get_config(), "signs": list(self.signs)}


class MeanOfPair(layers.Layer):
    """Mean over an image and its opposite, see `WithOpposite`: from (2 n, feature) to (n, feature)."""

    def call(self, features):
        """The means."""
        return ops.mean(ops.reshape(features, (2, -1, features.shape[-1])), axis=0)


for _layer in (GroupConvolution, Largest, WithOpposite, MeanOfPair):
    keras.saving.register_keras_serializable("dmlib")(_layer)
