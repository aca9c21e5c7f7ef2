"""Layers that know where the galaxy is: pooling in rings about the image's centre, and harmonics within them."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from ...observe.moments import BLANK

#: Edges of the rings as fractions of half the image's side; the last ring holds the corners.
EDGES = (0.0, 0.03, 0.065, 0.105, 0.15, 0.2, 0.27, 0.36, 0.48, 0.64, 0.84, 1.42)

_LN10 = float(np.log(10.0))


def ring_weights(pixels: int, edges: Sequence[float] = EDGES, *, fine: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Share of each pixel that lies in each ring, and the position angle of each pixel.

    Parameters
    ----------
    pixels : int
        Side of the image.
    edges : sequence of float
        In units of half the side.
    fine : int
        Points a side of a pixel with which shares are counted.

    Returns
    -------
    weights : ndarray, shape (pixels**2, rings)
    angle : ndarray, shape (pixels**2,)
        [rad]
    """
    points = (np.arange(pixels * fine) + 0.5) / (pixels * fine) * 2.0 - 1.0
    radius = np.hypot(points[:, None], points[None, :])
    ring = np.digitize(radius, edges) - 1
    weights = np.stack(
        [(ring == k).reshape(pixels, fine, pixels, fine).mean(axis=(1, 3)).ravel() for k in range(len(edges) - 1)], -1
    )
    centres = (np.arange(pixels) + 0.5) / pixels * 2.0 - 1.0
    angle = np.arctan2(centres[:, None], centres[None, :]) + np.zeros((pixels, pixels))
    return weights, angle.ravel()


@keras.saving.register_keras_serializable("dmlib")
class RingMeans(keras.layers.Layer):
    """Mean of each channel in each ring, shape (n, rings * channels): pooling that keeps the distance to the centre."""

    def __init__(self, edges: Sequence[float] = EDGES, **keywords):
        super().__init__(**keywords)
        self.edges = tuple(edges)

    def build(self, shape):
        weights, _ = ring_weights(shape[1], self.edges)
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
        weights, _ = ring_weights(shape[1], self.edges, fine=2)
        return (shape[0], int((weights.sum(axis=0) > 0).sum()) * shape[3])

    def get_config(self):
        return {**super().get_config(), "edges": list(self.edges)}


@keras.saving.register_keras_serializable("dmlib")
class SkySummary(keras.layers.Layer):
    """What a tilted-ring analysis would measure, ring by ring, without fitting anything.

    In each ring of the image:

    - of a band: mean asinh magnitude, magnitude of the mean flux, and relative amplitudes of the flux's first and
      second harmonic in position angle (lopsidedness; flattening, hence the inclination);
    - of the HI's surface density: the same, and the share of pixels with HI;
    - of the velocity, over pixels with HI: r.m.s., amplitude of the first harmonic (of a rotating disc: the rotation
      along the line of sight) and of the third (streaming, warps);
    - of the dispersion, over pixels with HI: mean.

    And over the whole image the magnitude of the total flux, the logarithm of the HI's mass, and the r.m.s. velocity.
    All are smooth in the input, and none changes when the image is turned or reflected.

    Parameters
    ----------
    channels : sequence of str
        Names in the order of the input: ``moment0``, ``moment1``, ``moment2`` on the scales of
        `dmlib.observe.moments.normalise`, anything else a band on those of `dmlib.observe.images.normalise`.
    edges : sequence of float
        See `EDGES`.
    """

    def __init__(self, channels: Sequence[str], edges: Sequence[float] = EDGES, **keywords):
        super().__init__(**keywords)
        self.channels = tuple(channels)
        self.edges = tuple(edges)

    def build(self, shape):
        weights, angle = ring_weights(shape[1], self.edges)
        total = weights.sum(axis=0)
        weights = weights[:, total > 0] / total[total > 0]
        basis = [weights]
        for m in (1, 2, 3):
            basis += [weights * np.cos(m * angle)[:, None], weights * np.sin(m * angle)[:, None]]
        self._rings = weights.shape[1]
        self._basis = np.concatenate(basis, axis=1).astype(np.float32)

    def _harmonics(self, flat):
        """Means over rings times 1, cos and sin of the angle's multiples: shape (n, 7, rings)."""
        projected = ops.matmul(flat, ops.convert_to_tensor(self._basis))
        return ops.reshape(projected, (-1, 7, self._rings))

    def call(self, image):
        shape = ops.shape(image)
        flat = ops.reshape(ops.cast(image, "float32"), (-1, shape[1] * shape[2], shape[3]))
        channel = {name: flat[:, :, k] for k, name in enumerate(self.channels)}
        found = []
        for name in self.channels:
            if not name.startswith("moment"):
                found += self._band(channel[name])
        seen = _seen(channel)
        if seen is not None:
            covered = self._harmonics(seen)[:, 0]
            found += [covered, ops.log(ops.mean(seen, axis=1, keepdims=True) + 1e-3)]
            if "moment0" in channel:
                density = seen * ops.exp(_LN10 * ops.clip(channel["moment0"], BLANK, 4.0))
                found += self._density(density)
            if "moment1" in channel:
                found += self._velocity(channel["moment1"], seen, covered)
            if "moment2" in channel:
                h = self._harmonics(seen * channel["moment2"])
                found += [h[:, 0] / (covered + 0.02)]
        return ops.concatenate(found, axis=-1)

    def _band(self, magnitude):
        flux = ops.sinh(_LN10 * ops.clip(magnitude, -6.0, 6.0))
        h = self._harmonics(flux)
        floor = 0.02
        return [
            self._harmonics(magnitude)[:, 0],
            ops.arcsinh(h[:, 0] / floor) / _LN10,
            *(_amplitude(h, m) / (ops.abs(h[:, 0]) + floor) for m in (1, 2)),
            ops.arcsinh(ops.mean(flux, axis=1, keepdims=True) / 1e-3) / _LN10,
        ]

    def _density(self, density):
        h = self._harmonics(density)
        return [
            ops.log(h[:, 0] + 0.01),
            *(_amplitude(h, m) / (h[:, 0] + 0.05) for m in (1, 2)),
            ops.log(ops.mean(density, axis=1, keepdims=True) + 1e-3),
        ]

    def _velocity(self, velocity, seen, covered):
        h = self._harmonics(seen * velocity)
        square = self._harmonics(seen * velocity**2)[:, 0]
        everywhere = ops.sum(seen * velocity**2, axis=1, keepdims=True) / (ops.sum(seen, axis=1, keepdims=True) + 1.0)
        return [
            ops.sqrt(square / (covered + 0.02) + 1e-4),
            *(2.0 * _amplitude(h, m) / (covered + 0.02) for m in (1, 3)),
            0.5 * ops.log(everywhere + 1e-4),
        ]

    def compute_output_shape(self, shape):
        weights, _ = ring_weights(shape[1], self.edges, fine=2)
        rings = int((weights.sum(axis=0) > 0).sum())
        n = sum(4 * rings + 1 for name in self.channels if not name.startswith("moment"))
        moments = [name for name in self.channels if name.startswith("moment")]
        n += (rings + 1) if moments else 0
        n += {"moment0": 3 * rings + 1}.get("moment0") if "moment0" in moments else 0
        n += (3 * rings + 1) if "moment1" in moments else 0
        n += rings if "moment2" in moments else 0
        return (shape[0], n)

    def get_config(self):
        return {**super().get_config(), "channels": list(self.channels), "edges": list(self.edges)}


def _seen(channel):
    """1 where the HI maps have a value, by whichever map there is; None without maps."""
    if "moment0" in channel:
        return ops.cast(channel["moment0"] > BLANK + 0.005, "float32")
    for name in ("moment2", "moment1"):
        if name in channel:
            return ops.cast(channel[name] != 0.0, "float32")
    return None


def _amplitude(h, m: int):
    # The 1e-6 keeps the gradient finite where there is nothing.
    return ops.sqrt(h[:, 2 * m - 1] ** 2 + h[:, 2 * m] ** 2 + 1e-6)
