"""Layers that know where the galaxy is: pooling in rings about the image's centre, and moments in apertures."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from ...observe.moments import BLANK

#: Edges of the rings as fractions of half the image's side; the last ring holds the corners.
EDGES = (0.0, 0.15, 0.3, 0.5, 1.42)

#: Widths of the Gaussian apertures as fractions of half the image's side: 4, 8, 16 and 32 kpc of 64, and everything.
WIDTHS = (0.06, 0.12, 0.25, 0.5, 9.0)

_LN10 = float(np.log(10.0))


def ring_weights(pixels: int, edges: Sequence[float] = EDGES, *, fine: int = 8) -> np.ndarray:
    """Share of each pixel that lies in each ring, shape (pixels**2, rings).

    Parameters
    ----------
    pixels : int
        Side of the image.
    edges : sequence of float
        In units of half the side.
    fine : int
        Points a side of a pixel with which shares are counted.
    """
    points = (np.arange(pixels * fine) + 0.5) / (pixels * fine) * 2.0 - 1.0
    ring = np.digitize(np.hypot(points[:, None], points[None, :]), edges) - 1
    shares = [(ring == k).reshape(pixels, fine, pixels, fine).mean(axis=(1, 3)) for k in range(len(edges) - 1)]
    return np.stack(shares, axis=-1).reshape(pixels**2, -1)


@keras.saving.register_keras_serializable("dmlib")
class RingMeans(keras.layers.Layer):
    """Mean of each channel in each ring, shape (n, rings * channels): pooling that keeps the distance to the centre."""

    def __init__(self, edges: Sequence[float] = EDGES, **keywords):
        super().__init__(**keywords)
        self.edges = tuple(edges)

    def build(self, shape):
        weights = ring_weights(shape[1], self.edges)
        total = weights.sum(axis=0)
        used = total > 0
        self._weights = (weights[:, used] / total[used]).astype(np.float32)

    def call(self, image):
        shape = ops.shape(image)
        flat = ops.reshape(image, (-1, shape[1] * shape[2], shape[3]))
        weights = ops.cast(ops.convert_to_tensor(self._weights), flat.dtype)
        means = ops.matmul(ops.transpose(flat, (0, 2, 1)), weights)
        return ops.reshape(means, (-1, means.shape[1] * means.shape[2]))

    def compute_output_shape(self, shape):
        weights = ring_weights(shape[1], self.edges)
        return (shape[0], int((weights.sum(axis=0) > 0).sum()) * shape[3])

    def get_config(self):
        return {**super().get_config(), "edges": list(self.edges)}


@keras.saving.register_keras_serializable("dmlib")
class Apertures(keras.layers.Layer):
    """What an astronomer would measure in Gaussian apertures about the centre, without fitting anything.

    In each aperture, a Gaussian weight of the distance to the image's centre:

    - of each band's flux, of the HI's surface density and of the area with HI: the logarithm of the sum, of the mean
      square radius, and of the axis ratio that the second moments have (a thin disc shows its inclination there);
    - of the velocity, weighted by the surface density and by the area: the logarithms of the gradient across the image,
      of the mean first harmonic in position angle, and of the r.m.s. as it is, weighted by radius, and with the
      dispersion added; and how far the kinematic axis is from the long axis of the HI;
    - the same r.m.s. over the sine of the inclination that the axis ratio stands for, and that sine;
    - the logarithm of the mean dispersion.

    All are smooth in the input and the same for an image that is turned or reflected. Logarithms, because masses are
    products of powers of such quantities, G M = v^2 r / sin^2 i.

    Parameters
    ----------
    channels : sequence of str
        Names in the order of the input: ``moment0``, ``moment1``, ``moment2`` on the scales of
        `dmlib.observe.moments.normalise`, anything else a band on those of `dmlib.observe.images.sdss.normalise`.
    widths : sequence of float
        Of the Gaussians, in units of half the image's side; see `WIDTHS`.
    """

    def __init__(self, channels: Sequence[str], widths: Sequence[float] = WIDTHS, **keywords):
        super().__init__(**keywords)
        self.channels = tuple(channels)
        self.widths = tuple(widths)

    def build(self, shape):
        side = (np.arange(shape[1]) + 0.5) / shape[1] * 2.0 - 1.0
        y, x = side[:, None], side[None, :]
        r = np.hypot(x, y)
        # In this order in `_measure`.
        parts = (1.0 + 0 * r, r**2, x**2 - y**2, 2 * x * y, x + 0 * r, y + 0 * r, x / (r + 0.02), y / (r + 0.02), r)
        weights = [np.exp(-0.5 * (r / width) ** 2) for width in self.widths]
        # A sum over pixels of the area of 1/64^2 of the image, whatever the number of pixels.
        basis = np.stack([[weight * part for weight in weights] for part in parts]) * (64 / shape[1]) ** 2
        self._basis = basis.reshape(len(parts) * len(weights), -1).T.astype(np.float32)

    def call(self, image):
        shape = ops.shape(image)
        flat = ops.reshape(ops.cast(image, "float32"), (-1, shape[1] * shape[2], shape[3]))
        channel = {name: flat[:, :, k] for k, name in enumerate(self.channels)}
        found = []
        for name in self.channels:
            if not name.startswith("moment"):
                # Two exponentials, not sinh, which TensorFlow does not vectorise.
                x = _LN10 * ops.clip(channel[name], -6.0, 6.0)
                found += self._shape(self._measure(0.5 * (ops.exp(x) - ops.exp(-x))))[0]
        seen = _seen(channel)
        if seen is None:
            return ops.concatenate(found, axis=-1)
        weights = [seen]
        if "moment0" in channel:
            weights.append(seen * ops.exp(_LN10 * ops.clip(channel["moment0"], BLANK, 4.0)))
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

    def _measure(self, values):
        """Sums of a map with each part of the basis: 9 arrays of shape (n, aperture)."""
        projected = ops.matmul(values, ops.convert_to_tensor(self._basis))
        n = len(self.widths)
        return [projected[:, k * n : (k + 1) * n] for k in range(9)]

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

    def compute_output_shape(self, shape):
        moments = [name for name in self.channels if name.startswith("moment")]
        one = 3
        if "moment2" in moments:
            one += 1
        if "moment1" in moments:
            one += 7 + ("moment2" in moments)
        weights = (1 + ("moment0" in moments)) if moments else 0
        return (shape[0], len(self.widths) * (3 * (len(self.channels) - len(moments)) + weights * one))

    def get_config(self):
        return {**super().get_config(), "channels": list(self.channels), "widths": list(self.widths)}


@keras.saving.register_keras_serializable("dmlib")
class Standardise(keras.layers.Layer):
    """Each feature less its mean and over its spread in the training set, and no further from it than `limit`.

    Unlike batch normalisation it is fixed before training, by `settle`: a batch of 32 is too small a sample for
    features that are much alike. The limit keeps an odd galaxy from being weighed by extrapolation.
    """

    def __init__(self, limit: float = 6.0, **keywords):
        super().__init__(**keywords)
        self.limit = float(limit)

    def build(self, shape):
        self.mean = self.add_weight(name="mean", shape=(shape[-1],), initializer="zeros", trainable=False)
        self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones", trainable=False)

    def call(self, features):
        return ops.clip((features - self.mean) * self.scale, -self.limit, self.limit)

    def get_config(self):
        return {**super().get_config(), "limit": self.limit}


def settle(model: keras.Model, images: np.ndarray, batch: int = 128) -> None:
    """Give a network's `Standardise` layers the mean and spread of these images (the training views only).

    Their features must be the same for all orientations of an image, as those of `Apertures` are.
    """
    for layer in model.layers:
        if not isinstance(layer, Standardise):
            continue
        before = keras.Model(model.inputs, layer.input)
        parts = [
            keras.ops.convert_to_numpy(before.predict_on_batch(np.ascontiguousarray(images[k : k + batch])))
            for k in range(0, len(images), batch)
        ]
        features = np.concatenate(parts).astype(float)
        layer.mean.assign(features.mean(axis=0))
        layer.scale.assign(1.0 / (features.std(axis=0) + 1e-3))


def _seen(channel):
    """1 where the HI maps have a value, by whichever map there is; None without maps."""
    if "moment0" in channel:
        return ops.cast(channel["moment0"] > BLANK + 0.005, "float32")
    for name in ("moment2", "moment1"):
        if name in channel:
            return ops.cast(channel[name] != 0.0, "float32")
    return None
