"""Architecture C, our *ring network with aperture moments*: convolutions pooled in rings, and moments in apertures.

The talk names C but does not define it. Ours tests what it brings to tell the network what we know: that light and gas
are different measurements, that the image's centre is the galaxy's, that a galaxy may be turned and reflected, and that
flux, and velocity against radius, measure the mass of a disc. A network may learn this by itself from a million
galaxies, but not from a few hundred.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from ...observe.moments import BLANK
from .norm import BatchNormalization

#: Edges of the rings as fractions of half the image's side; the last ring holds the corners.
EDGES = (0.0, 0.15, 0.3, 0.5, 1.42)

#: Widths of the Gaussian apertures as fractions of half the image's side: 4, 8, 16 and 32 kpc of 64, and everything.
WIDTHS = (0.06, 0.12, 0.25, 0.5, 9.0)

#: Largest absolute value of a standardised feature.
LIMIT = 6.0

_LN10 = float(np.log(10.0))


def build(channels: Sequence[str], pixels: int, outputs: int) -> keras.Model:
    """Two branches and a linear layer on both, and on the moments themselves.

    One branch has a coarse convolution of the bands and one of the HI maps, joined by another and pooled in rings. The
    other has moments in apertures and dense layers.
    """
    image = keras.Input((pixels, pixels, len(channels)), name="image")
    return _end(image, [_rings(image, channels), *_moments(image, channels)], outputs, "C")


def without_convolutions(channels: Sequence[str], pixels: int, outputs: int) -> keras.Model:
    """C with its moments in apertures only: an ablation."""
    image = keras.Input((pixels, pixels, len(channels)), name="image")
    return _end(image, _moments(image, channels), outputs, "C_no_convolutions")


def without_apertures(channels: Sequence[str], pixels: int, outputs: int) -> keras.Model:
    """C with its convolutions only: an ablation."""
    image = keras.Input((pixels, pixels, len(channels)), name="image")
    return _end(image, [_rings(image, channels)], outputs, "C_no_apertures")


def _rings(image: keras.KerasTensor, channels: Sequence[str]) -> keras.KerasTensor:
    x = stems(image, channels, partial(_convolve, filters=24, kernel=5, stride=4))
    x = RingMeans()(_convolve(x, 64, 3, 2))
    return layers.Dropout(0.3)(layers.Dense(32, activation="relu")(x))


def stems(x: keras.KerasTensor, channels: Sequence[str], convolve: Callable) -> keras.KerasTensor:
    """A convolution of the bands and one of the HI maps, side by side."""
    parts: dict[str, list[int]] = {"light": [], "gas": []}
    for k, name in enumerate(channels):
        parts["gas" if name.startswith("moment") else "light"].append(k)
    found = [convolve(Channels(chosen, name=name)(x)) for name, chosen in parts.items() if chosen]
    return layers.Concatenate()(found) if len(found) > 1 else found[0]


def _moments(image: keras.KerasTensor, channels: Sequence[str]) -> list[keras.KerasTensor]:
    y = Standardise(dtype="float32")(Apertures(channels, dtype="float32")(image))
    y = straight = layers.Dropout(0.05)(y)
    for units in (128, 128):
        y = layers.Dropout(0.2)(layers.Dense(units, activation="gelu")(y))
    # The direct path is a linear regression on the moments; the other layers learn its residuals.
    return [y, straight]


def _end(image: keras.KerasTensor, parts: list[keras.KerasTensor], outputs: int, name: str) -> keras.Model:
    y = layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    return keras.Model(image, layers.Dense(outputs, dtype="float32", name="ln_m_dm")(y), name=name)


def _convolve(x: keras.KerasTensor, filters: int, kernel: int, stride: int) -> keras.KerasTensor:
    x = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False)(x)
    return layers.Activation("relu")(BatchNormalization(momentum=0.95)(x))


def ring_weights(pixels: int, edges: Sequence[float] | np.ndarray, *, fine: int = 8) -> np.ndarray:
    """Fraction of each pixel inside each ring about the image's centre, shape (pixels**2, rings).

    Parameters
    ----------
    pixels : int
        Side of the image.
    edges : sequence of float
        In units of half the side.
    fine : int
        Sampling points along each side of a pixel.
    """
    points = (np.arange(pixels * fine) + 0.5) / (pixels * fine) * 2.0 - 1.0
    ring = np.digitize(np.hypot(points[:, None], points[None, :]), edges) - 1
    shares = [(ring == k).reshape(pixels, fine, pixels, fine).mean(axis=(1, 3)) for k in range(len(edges) - 1)]
    return np.stack(shares, axis=-1).reshape(pixels**2, -1)


class Channels(layers.Layer):
    """Some of an image's channels."""

    def __init__(self, chosen: Sequence[int], **keywords: Any):
        super().__init__(**keywords)
        self.chosen = tuple(int(k) for k in chosen)

    def call(self, image):
        """The chosen channels, shape (n, y, x, chosen)."""
        first, last = self.chosen[0], self.chosen[-1] + 1
        if self.chosen == tuple(range(first, last)):
            return image[..., first:last]  # copied in half the time, and this is a fifth of C's training
        return ops.stack([image[..., k] for k in self.chosen], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the layer, for saving."""
        return {**super().get_config(), "chosen": list(self.chosen)}


class RingMeans(layers.Layer):
    """Mean of each channel in each ring, shape (n, rings * channels): pooling that keeps the distance to the centre."""

    def build(self, shape):
        """Compute the weights of the pixels."""
        weights = ring_weights(shape[1], EDGES)
        total = weights.sum(axis=0)
        used = total > 0
        self._weights = (weights[:, used] / total[used]).astype(np.float32)

    def call(self, image):
        """Mean of each channel in each ring."""
        shape = ops.shape(image)
        flat = ops.reshape(image, (-1, shape[1] * shape[2], shape[3]))
        weights = ops.cast(ops.convert_to_tensor(self._weights), flat.dtype)
        means = ops.matmul(ops.transpose(flat, (0, 2, 1)), weights)
        return ops.reshape(means, (-1, means.shape[1] * means.shape[2]))


class Apertures(layers.Layer):
    """What an astronomer would measure in Gaussian apertures about the centre, without fitting anything.

    In each aperture, a Gaussian weight of the distance to the image's centre:

    - for each band's flux, the HI's surface density and the area with HI: the logarithms of the sum, of the mean square
      radius, and of the axis ratio from the second moments (which for a thin disc gives its inclination);
    - for the velocity, weighted by the surface density and by the area: the logarithms of the gradient across the
      image, of the mean first harmonic in position angle, and of the r.m.s., also weighted by radius and with the
      dispersion added; and the alignment of the kinematic axis with the long axis of the HI;
    - the same r.m.s. over the sine of the inclination from the axis ratio, and that sine;
    - the logarithm of the mean dispersion.

    All are smooth in the input and the same for an image that is turned or reflected. Logarithms are taken because
    masses are products of powers of such quantities, G M = v^2 r / sin^2 i.

    Parameters
    ----------
    channels : sequence of str
        Names in the order of the input: ``moment0``, ``moment1``, ``moment2`` on the scales of
        `dmlib.observe.moments.normalise`, anything else a band on those of `dmlib.observe.images.sdss.normalise`.
    """

    #: A training computes them once for each image, see `dmlib.networks.fit.split`.
    once = True

    def __init__(self, channels: Sequence[str], **keywords: Any):
        super().__init__(**keywords)
        self.channels = tuple(channels)

    def build(self, shape):
        """Compute the weights of the pixels."""
        side = (np.arange(shape[1]) + 0.5) / shape[1] * 2.0 - 1.0
        y, x = side[:, None], side[None, :]
        r = np.hypot(x, y)
        # `_measure` returns sums in this order.
        parts = (1.0 + 0 * r, r**2, x**2 - y**2, 2 * x * y, x + 0 * r, y + 0 * r, x / (r + 0.02), y / (r + 0.02), r)
        weights = [np.exp(-0.5 * (r / width) ** 2) for width in WIDTHS]
        # Sums are in units of 1/64^2 of the image's area, whatever the number of pixels.
        basis = np.stack([[weight * part for weight in weights] for part in parts]) * (64 / shape[1]) ** 2
        self._basis = basis.reshape(len(parts) * len(weights), -1).T.astype(np.float32)

    def call(self, image):
        """The measurements, shape (n, feature)."""
        shape = ops.shape(image)
        flat = ops.reshape(ops.cast(image, "float32"), (-1, shape[1] * shape[2], shape[3]))
        channel = dict(zip(self.channels, ops.unstack(flat, axis=-1), strict=True))
        found = []
        for name in self.channels:
            if not name.startswith("moment"):
                # Two exponentials, not sinh, which TensorFlow does not vectorise.
                x = _LN10 * ops.clip(channel[name], -6.0, 6.0)
                found += self._shape(self._measure(0.5 * (ops.exp(x) - ops.exp(-x))))[0]
        seen = pixels_with_hi(channel)
        weights = [] if seen is None else [ops.cast(seen, "float32")]
        if "moment0" in channel:
            weights.append(weights[0] * ops.exp(_LN10 * ops.clip(channel["moment0"], BLANK, 4.0)))
        for weight in weights:
            h = self._measure(weight)
            shape_features, ln_q, axis = self._shape(h)
            found += shape_features
            total = h[0] + 0.1
            if "moment2" in channel:
                found.append(ops.log(self._measure(weight * channel["moment2"])[0] / total + 0.02))
            if "moment1" in channel:
                found += self._velocity(channel, weight, h, ln_q, axis)
        return ops.concatenate(found, axis=-1)

    def compute_output_shape(self, shape):
        """Number of measurements: Keras would trace `call` for it whenever a network is built or read."""
        hi = [name for name in self.channels if name.startswith("moment")]
        width = "moment2" in hi
        each = 3 + width + (7 + width if "moment1" in hi else 0)
        bands, weights = len(self.channels) - len(hi), bool(hi) + ("moment0" in hi)
        return (shape[0], len(WIDTHS) * (3 * bands + weights * each))

    def _measure(self, values):
        """Sums of a map with each part of the basis: 9 arrays of shape (n, aperture)."""
        projected = ops.matmul(values, ops.convert_to_tensor(self._basis))
        # One operation: 9 slices take longer to trace than to compute.
        return ops.unstack(ops.reshape(projected, (-1, 9, len(WIDTHS))), axis=1)

    @staticmethod
    def _shape(h):
        total = h[0] + 1e-3
        size, plus, cross = h[1] / total + 1e-4, h[2] / total, h[3] / total
        ellipticity = ops.sqrt(plus**2 + cross**2 + 1e-10) / size
        ln_q = ops.log((1.03 - ellipticity) / (1.03 + ellipticity))
        return [ops.log(total), ops.log(size), ln_q], ln_q, (plus / size, cross / size)

    def _velocity(self, channel, weight, h, ln_q, axis):
        v = channel["moment1"]
        once, twice = self._measure(weight * v), self._measure(weight * v**2)
        total, inertia = h[0] + 0.1, h[1] + 1e-2
        gx, gy = once[4] / inertia, once[5] / inertia
        square = twice[0] / total
        ln_v = 0.5 * ops.log(square + 1e-4)
        found = [
            0.5 * ops.log(gx**2 + gy**2 + 1e-5),
            0.5 * ops.log((once[6] ** 2 + once[7] ** 2) / total**2 + 1e-5),
            ln_v,
            0.5 * ops.log(twice[8] / total + 1e-4),
            ((gx**2 - gy**2) * axis[0] + 2.0 * gx * gy * axis[1]) / (gx**2 + gy**2 + 1e-3),
        ]
        if "moment2" in channel:
            # 50 km/s over 200 km/s, squared: the dispersion on the scale of the velocity.
            thermal = self._measure(weight * channel["moment2"] ** 2)[0] / total / 16.0
            found.append(0.5 * ops.log(square + thermal + 1e-4))
        sine = 0.5 * ops.log(ops.clip(1.0 - ops.exp(2.0 * ln_q), 0.05, 1.0))
        return [*found, ln_v - sine, sine]

    def get_config(self) -> dict[str, Any]:
        """Arguments of the layer, for saving."""
        return {**super().get_config(), "channels": list(self.channels)}


class Standardise(layers.Layer):
    """Each feature minus its mean and over its standard deviation in the training set, clipped at `LIMIT`.

    Unlike batch normalisation it is fixed before training, by `adapt`: a batch of 32 is too small a sample for features
    that vary so little. The limit prevents extrapolation for unusual galaxies.
    """

    def build(self, shape):
        """Create the two fixed weights."""
        self.mean = self.add_weight(name="mean", shape=(shape[-1],), initializer="zeros", trainable=False)
        self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones", trainable=False)

    def adapt(self, features: np.ndarray) -> None:
        """Take mean and spread from the features of the training views, shape (n, feature).

        The features must be the same for all orientations of an image, as those of `Apertures` are.
        """
        self.mean.assign(features.mean(axis=0))
        self.scale.assign(1.0 / (features.std(axis=0) + 1e-3))

    def call(self, features):
        """The standardised features."""
        return ops.clip((features - self.mean) * self.scale, -LIMIT, LIMIT)


def pixels_with_hi(channel: Mapping[str, Any]) -> Any:
    """Where the first HI map among some channels, arrays or tensors, has a value; None without HI maps."""
    if "moment0" in channel:
        return channel["moment0"] > BLANK + 0.005
    return next((channel[name] != 0.0 for name in ("moment2", "moment1") if name in channel), None)


# Saved networks name their layers. Not as decorators, which hide the classes from the reference pages.
for _layer in (Channels, RingMeans, Apertures, Standardise):
    keras.saving.register_keras_serializable("dmlib")(_layer)
