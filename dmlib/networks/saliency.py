"""Saliency: how a prediction changes with each pixel, S_ij = d(ln M)/d(x_ij), and refinements of it.

Plain gradients (Simonyan et al. 2014, as in the talk), SmoothGrad (Smilkov et al. 2017), integrated gradients
(Sundararajan et al. 2017), Grad-CAM (Selvaraju et al. 2017), and the cascading randomisation by which Adebayo et al.
(2018) test whether a map depends on what the network has learned at all. They work for any differentiable Keras model
with one image as its input, on TensorFlow and JAX.

Inputs are normalised, shape (n, y, x, channel).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import keras
import numpy as np
from keras import ops

from ..errors import DmlibError
from ..observe.moments import BLANK
from ..observe.sky import SkyGrid
from ..workers import bar
from .architectures.c import pixels_with_hi

#: Images that are differentiated at a time.
BATCH = 64

#: HI surface density [log10 Msun/pc^2] that `faint_sky` gives to all pixels with HI: the faintest that are detected.
FAINT = -1.0

#: Asinh magnitude above which a pixel of a band counts as lit: a quarter of the softening in surface brightness.
LIGHT = 0.05

#: From an array (n, ...), indices of k outputs, and the network whose weights are used, to the slopes (n, k, ...).
Slopes = Callable[[np.ndarray, Sequence[int], keras.Model], np.ndarray]


class SaliencyError(DmlibError):
    """A network or an input for which saliency cannot be computed."""


@dataclass(frozen=True)
class Saliency:
    """Saliency of some outputs of a network.

    Methods return arrays of float32 and raise `SaliencyError` when the shape of the inputs is not the network's, an
    output does not exist, a slope is not finite, or Keras runs on a backend that we cannot differentiate with.

    Parameters
    ----------
    model : keras.Model
        From one image to a row of outputs.
    outputs : sequence of int
        Indices of k outputs.
    scale : ndarray, shape (all outputs,), or float
        Factor of each output, which converts standardised outputs into ln M.
    """

    model: keras.Model
    outputs: Sequence[int]
    scale: np.ndarray | float = 1.0

    def gradient(self, inputs: np.ndarray, weights_of: keras.Model | None = None) -> np.ndarray:
        """Slope with respect to every pixel, the saliency of the talk, shape (n, k, y, x, channel).

        Parameters
        ----------
        inputs : ndarray, shape (n, y, x, channel)
        weights_of : keras.Model, optional
            Another network of the same architecture whose weights are used. To trace a network takes longer than to
            differentiate a few hundred images.
        """
        inputs = self._checked(inputs)
        return self._scaled(self._slopes(inputs, self.outputs, weights_of or self.model))

    def of(self, outputs: Sequence[int]) -> Saliency:
        """Saliency of other outputs of the same network, which is not traced again."""
        other = replace(self, outputs=outputs)
        other.__dict__["_slopes"] = self._slopes
        return other

    def smooth_gradient(
        self, inputs: np.ndarray, *, noise: float = 0.1, draws: int, seed: int, where: np.ndarray | None = None
    ) -> np.ndarray:
        """SmoothGrad: the mean slope over noisy copies of the input, shape (n, k, y, x, channel).

        Parameters
        ----------
        inputs : ndarray, shape (n, y, x, channel)
        noise : float
            Standard deviation of the noise, as a fraction of the range of each channel of each image (Smilkov et al.:
            0.1 to 0.2). No pixel falls below the minimum of its channel: light is not negative.
        draws : int
            Number of noisy copies.
        seed : int
        where : ndarray of bool, shape of `inputs`, optional
            Pixels that get noise; default all. Noise on an empty pixel would be a new source, see `lit`.
        """
        inputs = self._checked(inputs)
        rng = np.random.default_rng(seed)
        spread = noise * np.ptp(inputs, axis=(1, 2), keepdims=True)
        darkest = inputs.min(axis=(1, 2), keepdims=True)
        touched = np.ones_like(inputs) if where is None else where.astype(np.float32)
        total = np.zeros((len(inputs), len(self.outputs), *inputs.shape[1:]))
        for _ in bar(range(draws), label="SmoothGrad", unit="copy"):
            noisy = inputs + spread * touched * rng.standard_normal(inputs.shape, dtype=np.float32)
            total += self._slopes(np.maximum(noisy, darkest), self.outputs, self.model)
        return self._scaled(total / draws)

    def integrated_gradient(self, inputs: np.ndarray, *, baseline: np.ndarray | float, steps: int) -> np.ndarray:
        """Integrated gradients: (x - x0) times the mean slope on the straight line from a baseline x0 to the input.

        They add up to the difference of the predictions, f(x) - f(x0) (*completeness*), where the network is
        differentiable along the line; see `incompleteness`.

        Parameters
        ----------
        inputs : ndarray, shape (n, y, x, channel)
        baseline : ndarray or float
            Broadcast to the inputs; see `faint_sky` and `empty_sky`.
        steps : int
            Points of the integral (midpoint rule), closer together near the baseline: a network that takes logarithms
            of its input changes fastest where the input is almost empty.

        Returns
        -------
        ndarray of float32, shape (n, k, y, x, channel)
            In units of the output, not of a slope.
        """
        inputs = self._checked(inputs)
        base = np.broadcast_to(np.asarray(baseline, dtype=np.float32), inputs.shape)
        total = np.zeros((len(inputs), len(self.outputs), *inputs.shape[1:]))
        ends = np.linspace(0.0, 1.0, steps + 1, dtype=np.float32) ** 3
        for near, far in bar(pairwise(ends), total=steps, label="integrated gradients", unit="step"):
            place = base + 0.5 * (near + far) * (inputs - base)
            total += (far - near) * self._slopes(place, self.outputs, self.model)
        return self._scaled(total * (inputs - base)[:, None])

    def incompleteness(self, inputs: np.ndarray, parts: np.ndarray, *, baseline: np.ndarray | float) -> np.ndarray:
        """Fraction of the difference of two predictions that integrated gradients miss, shape (n, k).

        Parameters
        ----------
        inputs : ndarray, shape (n, y, x, channel)
        parts : ndarray, shape (n, k, y, x, channel)
            Result of `integrated_gradient` with the same baseline.
        baseline : ndarray or float
        """
        base = np.broadcast_to(np.asarray(baseline, dtype=np.float32), inputs.shape)
        difference = predicted(self.model, inputs) - predicted(self.model, base)
        difference = difference[:, list(self.outputs)] * self._factors
        return np.abs(parts.sum(axis=(2, 3, 4), dtype=float) - difference) / np.maximum(np.abs(difference), 1e-9)

    def grad_cam(self, inputs: np.ndarray) -> np.ndarray:
        """Grad-CAM: the feature maps of `last_map`, each weighted by its mean slope.

        Maps keep their sign, as suits a regression; for classes only positive values are kept. Branches of the network
        that bypass the layer do not contribute.

        Parameters
        ----------
        inputs : ndarray, shape (n, y, x, channel)

        Returns
        -------
        ndarray of float32, shape (n, k, y, x)
            As coarse as the layer, enlarged to the size of the input by bilinear interpolation.
        """
        inputs = self._checked(inputs)
        chosen = last_map(self.model)
        features = keras.Model(self.model.input, chosen.output)
        head = _head(self.model, chosen)
        found = []
        for start in range(0, len(inputs), BATCH):
            images = inputs[start : start + BATCH]
            maps = predicted(features, images)
            slopes = differentiate(head(images), self.model.output_shape[-1])(maps, self.outputs, self.model)
            found.append(np.einsum("nkc,nyxc->nkyx", slopes.mean(axis=(2, 3)), maps))
        return enlarge(self._scaled(np.concatenate(found)), inputs.shape[1:3])

    def cascade_gradients(self, inputs: np.ndarray, *, seed: int, every: int = 1) -> Iterator[tuple[str, np.ndarray]]:
        """Slopes of the networks of the `cascade`: of the first, of every `every`-th after it, and of the last.

        Yields
        ------
        name : str
            The layer that was randomised last.
        slopes : ndarray, shape (n, k, y, x, channel)
            Not scaled; the last ones are those of an untrained network.
        """
        inputs = self._checked(inputs)
        left = sum(bool(layer.weights) for layer in self.model.layers)
        for number, (name, mixed) in enumerate(cascade(self.model, seed=seed)):
            if number % every == 0 or number == left - 1:
                yield name, self._slopes(inputs, self.outputs, mixed)

    @property
    def _factors(self) -> np.ndarray:
        return np.broadcast_to(np.asarray(self.scale, dtype=float), self.model.output_shape[-1])[list(self.outputs)]

    @cached_property
    def _slopes(self) -> Slopes:
        model = self.model

        def function(x: Any, variables: Any) -> Any:
            return model.stateless_call(*variables, x, training=False)[0]

        return differentiate(function, model.output_shape[-1])

    def _checked(self, inputs: np.ndarray) -> np.ndarray:
        name, wanted, n = self.model.name, tuple(self.model.input_shape[1:]), self.model.output_shape[-1]
        if np.ndim(inputs) != 4 or any(w not in (None, s) for w, s in zip(wanted, np.shape(inputs)[1:], strict=True)):
            raise SaliencyError(f"network {name} takes images of shape (n, {wanted}), not {np.shape(inputs)}.")
        absent = [k for k in self.outputs if not 0 <= k < n]
        if absent or not len(self.outputs):
            raise SaliencyError(f"network {name} has outputs 0 to {n - 1}, not {absent or 'none'}.")
        return np.ascontiguousarray(inputs, dtype=np.float32)

    def _scaled(self, slopes: np.ndarray) -> np.ndarray:
        bad = int(np.count_nonzero(~np.isfinite(slopes)))
        if bad:
            raise SaliencyError(f"{bad} slopes are not finite: a layer has no derivative at these inputs.")
        factors = self._factors.astype(np.float32).reshape(1, -1, *[1] * (slopes.ndim - 2))
        return (slopes * factors).astype(np.float32)


def last_map(model: keras.Model) -> keras.layers.Layer:
    """The last layer whose output is an image of more than one pixel.

    Raises
    ------
    SaliencyError
        When there is none.
    """
    for layer in reversed(model.layers):
        shape: Any = getattr(getattr(layer, "output", None), "shape", ())
        if len(shape) == 4 and (shape[1] or 0) > 1 and not isinstance(layer, keras.layers.InputLayer):
            return layer
    raise SaliencyError(f"network {model.name} has no layer whose output is an image: Grad-CAM needs one.")


def cascade(model: keras.Model, *, seed: int) -> Iterator[tuple[str, keras.Model]]:
    """Networks with random layers from the output downwards, one more in each (Adebayo et al. 2018).

    Yields
    ------
    name : str
        The layer that was randomised last.
    model : keras.Model
        The same object, changed at each step: use it before asking for the next.
    """
    keras.utils.set_random_seed(seed)
    mixed = keras.models.clone_model(model)
    fresh = {layer.name: layer.get_weights() for layer in mixed.layers}
    mixed.set_weights(model.get_weights())
    for layer in reversed(mixed.layers):
        if layer.weights:
            layer.set_weights(fresh[layer.name])
            yield layer.name, mixed


def predicted(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """Output of a network in inference mode (no dropout)."""
    parts = [
        ops.convert_to_numpy(model(np.ascontiguousarray(inputs[start : start + 256]), training=False))
        for start in range(0, len(inputs), 256)
    ]
    return np.concatenate(parts).astype(np.float32)


def occlude(
    model: keras.Model, inputs: np.ndarray, grid: SkyGrid, *, fill: np.ndarray, edges: np.ndarray
) -> np.ndarray:
    """Change of every output when one ring of the image is replaced: a test of gradients without gradients.

    Parameters
    ----------
    model : keras.Model
    inputs : ndarray, shape (n, y, x, channel)
    grid : SkyGrid
    fill : ndarray
        Content of the ring: an empty sky, shape (channel,), or other views, shape of `inputs`.
    edges : ndarray
        Of the rings [kpc]; a pixel belongs to the ring in which its centre lies.

    Returns
    -------
    ndarray, shape (n, ring, k)
        New prediction minus the old one.
    """
    radius = np.hypot(*grid.mesh())[..., None]
    before = predicted(model, inputs)
    changes = []
    for low, high in pairwise(edges):
        altered = np.where((radius >= low) & (radius < high), np.asarray(fill, dtype=np.float32), inputs)
        changes.append(predicted(model, altered) - before)
    return np.stack(changes, axis=1)


def enlarge(maps: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Coarse maps, shape (n, k, y, x), at the size of the image, by bilinear interpolation."""
    n, k, y, x = maps.shape
    resized = ops.image.resize(maps.reshape(n * k, y, x, 1), shape, data_format="channels_last")
    return ops.convert_to_numpy(resized).reshape(n, k, *shape)


def differentiate(function: Callable[[Any, Any], Any], n_outputs: int) -> Slopes:
    """Derivative of outputs of `function` with respect to its first argument.

    Parameters
    ----------
    function : callable
        From a tensor (n, ...) of the backend, and the trainable and other variables of a network, to a tensor
        (n, n_outputs); rows must not depend on each other.
    n_outputs : int

    Returns
    -------
    Slopes
        The slopes are float32.

    Raises
    ------
    SaliencyError
        On another backend than TensorFlow and JAX.
    """
    backend = keras.backend.backend()
    rows = np.eye(n_outputs, dtype=np.float32)
    compute: Any
    if backend == "tensorflow":
        import tensorflow as tf

        @tf.function
        def compute(x, weights, variables):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(x)
                value = tf.reduce_sum(tf.cast(function(x, variables), tf.float32) * weights)
            return tape.gradient(value, x, unconnected_gradients="zero")

    elif backend == "jax":
        import jax

        compute = jax.jit(
            jax.grad(lambda x, weights, variables: (function(x, variables).astype("float32") * weights).sum())
        )
    else:
        raise SaliencyError(f"saliency needs Keras on tensorflow or jax, not on {backend}: set KERAS_BACKEND.")

    def slopes(x: np.ndarray, outputs: Sequence[int], weights_of: keras.Model) -> np.ndarray:
        kinds = (weights_of.trainable_variables, weights_of.non_trainable_variables)
        variables = [[ops.convert_to_tensor(one.value) for one in some] for some in kinds]
        chosen, found = [ops.convert_to_tensor(rows[k]) for k in outputs], []
        if backend == "tensorflow":  # traced once for any number of images
            compute.get_concrete_function(tf.TensorSpec((None, *x.shape[1:]), tf.float32), chosen[0], variables)
        for start in range(0, len(x), BATCH):
            part = ops.convert_to_tensor(np.ascontiguousarray(x[start : start + BATCH], dtype=np.float32))
            found.append(np.stack([np.asarray(compute(part, row, variables)) for row in chosen], axis=1))
        return np.concatenate(found)

    return slopes


def lit(inputs: np.ndarray, channels: Sequence[str]) -> np.ndarray:
    """Pixels that may be perturbed: those with light in a band, those with HI in a map; bool, shape of `inputs`."""
    where = inputs > LIGHT
    seen = _seen(inputs, channels)
    for k, name in enumerate(channels):
        if name.startswith("moment"):
            where[..., k] = seen
    return where


def empty_sky(channels: Sequence[str]) -> np.ndarray:
    """Value of each channel in an empty pixel, shape (channel,): no light, blank HI maps."""
    return np.array([BLANK if name == "moment0" else 0.0 for name in channels], dtype=np.float32)


def faint_sky(inputs: np.ndarray, channels: Sequence[str]) -> np.ndarray:
    """A baseline for integrated gradients: no light, and the same HI pixels at the faintest column, at rest and cold.

    Starting from an `empty_sky`, each HI pixel would appear at some point of the line, and a network that distinguishes
    blank pixels jumps there, which no slope shows.
    """
    base = np.zeros_like(inputs)
    if "moment0" in channels:
        base[..., list(channels).index("moment0")] = np.where(_seen(inputs, channels), FAINT, BLANK)
    return base


def _seen(inputs: np.ndarray, channels: Sequence[str]) -> np.ndarray:
    """Pixels with HI, shape (n, y, x)."""
    seen = pixels_with_hi({name: inputs[..., k] for k, name in enumerate(channels)})
    return np.zeros(inputs.shape[:-1], dtype=bool) if seen is None else seen


def _head(model: keras.Model, layer: keras.layers.Layer) -> Callable[[np.ndarray], Callable]:
    """From a layer's output to the network's: a function of the images that gives a function of the feature maps."""
    try:
        alone = keras.Model(layer.output, model.output)
    except ValueError:  # a branch bypasses the layer, so that the images are needed too
        both = keras.Model([model.input, layer.output], model.output)
        return lambda images: lambda maps, _: both([ops.convert_to_tensor(images), maps], training=False)
    return lambda images: lambda maps, _: alone(maps, training=False)
