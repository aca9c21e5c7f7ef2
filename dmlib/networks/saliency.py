"""Saliency: how a prediction changes with each pixel, S_ij = d(ln M)/d(x_ij), and refinements of it.

Plain gradients (Simonyan et al. 2014, the talk's), SmoothGrad (Smilkov et al. 2017), integrated gradients (Sundararajan
et al. 2017), Grad-CAM (Selvaraju et al. 2017), and the cascading randomisation by which Adebayo et al. (2018) test
whether a map depends on what the network has learned at all. Any differentiable Keras model will do, with one image as
its input; TensorFlow and JAX differentiate.

All functions take normalised inputs, shape (n, y, x, channel), and the numbers of the outputs that are asked about;
`scale` converts standardised outputs into ln M (the training spread of each output).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import keras
import numpy as np

from ..errors import DmlibError
from ..progress import bar


class SaliencyError(DmlibError):
    """A network or an input for which saliency cannot be computed."""


def gradient(
    model: keras.Model,
    inputs: np.ndarray,
    outputs: Sequence[int],
    *,
    scale: np.ndarray | None = None,
    batch: int = 64,
) -> np.ndarray:
    """Slope of some outputs in every pixel, the saliency of the talk.

    Parameters
    ----------
    model : keras.Model
        One image to a row of outputs.
    inputs : ndarray, shape (n, y, x, channel)
    outputs : sequence of int
        Which outputs, k of them.
    scale : ndarray, shape (all outputs,), optional
        Factor of each output.
    batch : int
        Images at a time.

    Returns
    -------
    ndarray of float32, shape (n, k, y, x, channel)

    Raises
    ------
    SaliencyError
        When the shape is not the network's, an output does not exist, a slope is not finite, or Keras runs on a backend
        that we cannot differentiate with.
    """
    inputs = _checked(model, inputs, outputs)
    slopes = _of_network(model, outputs)
    found = [slopes(inputs[start : start + batch]) for start in range(0, len(inputs), batch)]
    return _scaled(np.concatenate(found), outputs, scale)


def smooth_gradient(
    model: keras.Model,
    inputs: np.ndarray,
    outputs: Sequence[int],
    *,
    noise: float = 0.1,
    draws: int = 24,
    seed: int = 0,
    where: np.ndarray | None = None,
    scale: np.ndarray | None = None,
    batch: int = 64,
) -> np.ndarray:
    """SmoothGrad: the mean slope over noisy copies of the input.

    Parameters
    ----------
    noise : float
        Standard deviation of the noise, as a share of the range of each channel of each image (Smilkov et al.: 0.1 to
        0.2). No pixel falls below the least of its channel: light is not negative.
    draws : int
        Noisy copies.
    seed : int
    where : ndarray of bool, shape of `inputs`, optional
        Pixels that get noise; all without it. An empty pixel with noise on it is a source, see
        `dmlib.networks.skies.lit`.

    Returns
    -------
    ndarray of float32, shape (n, k, y, x, channel)

    Other parameters and errors as `gradient`.
    """
    inputs = _checked(model, inputs, outputs)
    slopes = _of_network(model, outputs)
    rng = np.random.default_rng(seed)
    spread = noise * np.ptp(inputs, axis=(1, 2), keepdims=True)
    darkest = inputs.min(axis=(1, 2), keepdims=True)
    touched = np.ones_like(inputs) if where is None else where.astype(np.float32)
    total = np.zeros((len(inputs), len(outputs), *inputs.shape[1:]))
    for _ in bar(range(draws), label="SmoothGrad", unit="copy"):
        noisy = inputs + spread * touched * rng.standard_normal(inputs.shape, dtype=np.float32)
        noisy = np.maximum(noisy, darkest)
        for start in range(0, len(inputs), batch):
            total[start : start + batch] += slopes(noisy[start : start + batch])
    return _scaled(total / draws, outputs, scale)


def integrated_gradient(
    model: keras.Model,
    inputs: np.ndarray,
    outputs: Sequence[int],
    *,
    baseline: np.ndarray | float = 0.0,
    steps: int = 32,
    scale: np.ndarray | None = None,
    batch: int = 64,
) -> np.ndarray:
    """Integrated gradients: (x - x0) times the mean slope on the straight way from a baseline x0 to the input.

    The parts add up to what the prediction differs by, f(x) - f(x0) (*completeness*), where the network is
    differentiable along the way; see `incompleteness`.

    Parameters
    ----------
    baseline : ndarray or float
        Broadcast to the inputs; see `dmlib.networks.skies`.
    steps : int
        Points of the integral (midpoint rule), closer together near the baseline: a network that takes logarithms of
        what it sees changes fastest where there is next to nothing.

    Returns
    -------
    ndarray of float32, shape (n, k, y, x, channel)
        In units of the output, not of a slope.

    Other parameters and errors as `gradient`.
    """
    inputs = _checked(model, inputs, outputs)
    base = np.broadcast_to(np.asarray(baseline, dtype=np.float32), inputs.shape)
    slopes = _of_network(model, outputs)
    total = np.zeros((len(inputs), len(outputs), *inputs.shape[1:]))
    ends = np.linspace(0.0, 1.0, steps + 1, dtype=np.float32) ** 3
    for near, far in bar(pairwise(ends), total=steps, label="integrated gradients", unit="step"):
        here = base + 0.5 * (near + far) * (inputs - base)
        for start in range(0, len(inputs), batch):
            total[start : start + batch] += (far - near) * slopes(here[start : start + batch])
    return _scaled(total * (inputs - base)[:, None], outputs, scale)


def incompleteness(
    model: keras.Model,
    inputs: np.ndarray,
    outputs: Sequence[int],
    parts: np.ndarray,
    *,
    baseline: np.ndarray | float = 0.0,
    scale: np.ndarray | None = None,
) -> np.ndarray:
    """By how much integrated gradients miss the difference they should add up to, as a share of it, shape (n, k).

    Parameters
    ----------
    parts : ndarray, shape (n, k, y, x, channel)
        Of `integrated_gradient` with the same baseline and scale.
    """
    base = np.broadcast_to(np.asarray(baseline, dtype=np.float32), inputs.shape)
    difference = predicted(model, inputs)[:, list(outputs)] - predicted(model, base)[:, list(outputs)]
    if scale is not None:
        difference = difference * np.asarray(scale)[list(outputs)]
    return np.abs(parts.sum(axis=(2, 3, 4), dtype=float) - difference) / np.maximum(np.abs(difference), 1e-9)


def grad_cam(
    model: keras.Model,
    inputs: np.ndarray,
    outputs: Sequence[int],
    *,
    layer: str | None = None,
    rectified: bool = False,
    scale: np.ndarray | None = None,
    batch: int = 64,
) -> np.ndarray:
    """Grad-CAM: the feature maps of the last layer that still is an image, each weighted by its mean slope.

    Parameters
    ----------
    layer : str, optional
        Name of the layer; `last_map` without it.
    rectified : bool
        Keep only what raises the output, as for classes; without it the map keeps its sign, as a regression wants.

    Returns
    -------
    ndarray of float32, shape (n, k, y, x)
        As coarse as the layer, enlarged to the size of the input by bilinear interpolation.

    Other parameters and errors as `gradient`.

    Notes
    -----
    Where a network has a branch that goes round this layer, Grad-CAM knows nothing of the branch.
    """
    inputs = _checked(model, inputs, outputs)
    chosen = model.get_layer(layer) if layer else last_map(model)
    features = keras.Model(model.input, chosen.output)
    head = _head(model, chosen)
    found = []
    for start in range(0, len(inputs), batch):
        images = inputs[start : start + batch]
        maps = predicted(features, images)
        slopes = differentiate(head(images), model.output_shape[-1], outputs)(maps)
        weights = slopes.mean(axis=(2, 3))
        cam = np.einsum("nkc,nyxc->nkyx", weights, maps)
        found.append(np.maximum(cam, 0.0) if rectified else cam)
    coarse = _scaled(np.concatenate(found), outputs, scale)
    return enlarge(coarse, inputs.shape[1:3])


def last_map(model: keras.Model) -> keras.layers.Layer:
    """The last layer that gives an image of more than one pixel, and on which the outputs depend.

    Raises
    ------
    SaliencyError
        When there is none.
    """
    for layer in reversed(model.layers):
        shape = getattr(getattr(layer, "output", None), "shape", ())
        if len(shape) == 4 and (shape[1] or 0) > 1 and not isinstance(layer, keras.layers.InputLayer):
            return layer
    raise SaliencyError(f"network {model.name} has no layer that gives an image: Grad-CAM needs one.")


def cascade(model: keras.Model, *, seed: int = 0) -> Iterator[tuple[str, keras.Model]]:
    """Networks whose layers are random from the output downwards, one more in each (Adebayo et al. 2018).

    Yields
    ------
    name : str
        The layer that was made random last.
    model : keras.Model
        One and the same object, changed from step to step: use it before asking for the next.
    """
    keras.utils.set_random_seed(seed)
    mixed = keras.models.clone_model(model)
    fresh = {layer.name: layer.get_weights() for layer in mixed.layers}
    mixed.set_weights(model.get_weights())
    for layer in reversed(mixed.layers):
        if layer.weights:
            layer.set_weights(fresh[layer.name])
            yield layer.name, mixed


def cascade_gradients(
    model: keras.Model, inputs: np.ndarray, outputs: Sequence[int], *, seed: int = 0, every: int = 1, batch: int = 64
) -> Iterator[tuple[str, np.ndarray]]:
    """`gradient` of the networks of the `cascade`, of which each but the first is `every` layers further down.

    Yields
    ------
    name : str
        The layer that was made random last.
    slopes : ndarray, shape (n, k, y, x, channel)
        The last ones are those of a network with nothing learned.
    """
    inputs = _checked(model, inputs, outputs)
    left = sum(bool(layer.weights) for layer in model.layers)
    slopes = None
    for number, (name, mixed) in enumerate(cascade(model, seed=seed)):
        if slopes is None or keras.backend.backend() == "jax":  # what JAX has compiled keeps the weights of then
            slopes = _of_network(mixed, outputs)
        if number % every == 0 or number == left - 1:
            parts = [slopes(inputs[start : start + batch]) for start in range(0, len(inputs), batch)]
            yield name, np.concatenate(parts).astype(np.float32)


def randomised(model: keras.Model, *, seed: int = 0) -> keras.Model:
    """The same architecture with nothing learned: the end of the `cascade`."""
    keras.utils.set_random_seed(seed)
    return keras.models.clone_model(model)


def predicted(model: keras.Model, inputs: np.ndarray, batch: int = 256) -> np.ndarray:
    """What a network gives, in use (no dropout), as numpy."""
    parts = [
        keras.ops.convert_to_numpy(model(np.ascontiguousarray(inputs[start : start + batch]), training=False))
        for start in range(0, len(inputs), batch)
    ]
    return np.concatenate(parts).astype(np.float32)


def enlarge(maps: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Coarse maps, shape (n, k, y, x), at the size of the image, by bilinear interpolation."""
    n, k, y, x = maps.shape
    resized = keras.ops.image.resize(maps.reshape(n * k, y, x, 1), shape, data_format="channels_last")
    return keras.ops.convert_to_numpy(resized).reshape(n, k, *shape)


def differentiate(function: Callable, n_outputs: int, outputs: Sequence[int]) -> Callable[[np.ndarray], np.ndarray]:
    """A function that gives the slopes of some outputs of `function` in its argument, shape (n, k, ...).

    Parameters
    ----------
    function : callable
        A backend's tensor (n, ...) to a tensor (n, n_outputs); rows must not depend on each other.
    n_outputs : int
    outputs : sequence of int

    Raises
    ------
    SaliencyError
        On another backend than TensorFlow and JAX.
    """
    backend = keras.backend.backend()
    chosen = np.eye(n_outputs, dtype=np.float32)[list(outputs)]
    if backend == "tensorflow":
        import tensorflow as tf

        @tf.function(reduce_retracing=True)
        def compute(x, weights):
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = tf.reduce_sum(tf.cast(function(x), tf.float32) * weights)
            return tape.gradient(value, x, unconnected_gradients="zero")

        convert = tf.convert_to_tensor
    elif backend == "jax":
        import jax

        compute = jax.jit(jax.grad(lambda x, weights: (function(x).astype("float32") * weights).sum()))
        convert = jax.numpy.asarray
    else:
        raise SaliencyError(f"saliency needs Keras on tensorflow or jax, not on {backend}: set KERAS_BACKEND.")

    def slopes(x: np.ndarray) -> np.ndarray:
        x = convert(np.ascontiguousarray(x, dtype=np.float32))
        return np.stack([np.asarray(compute(x, convert(row))) for row in chosen], axis=1)

    return slopes


def _of_network(model: keras.Model, outputs: Sequence[int]) -> Callable[[np.ndarray], np.ndarray]:
    return differentiate(lambda x: model(x, training=False), model.output_shape[-1], outputs)


def _head(model: keras.Model, layer: keras.layers.Layer) -> Callable[[np.ndarray], Callable]:
    """From a layer's output to the network's: a function of the images that gives a function of the feature maps."""
    try:
        alone = keras.Model(layer.output, model.output)
    except ValueError:  # a branch goes round the layer, so that the images are needed too
        both = keras.Model([model.input, layer.output], model.output)
        return lambda images: lambda maps: both([keras.ops.convert_to_tensor(images), maps], training=False)
    return lambda images: lambda maps: alone(maps, training=False)


def _checked(model: keras.Model, inputs: np.ndarray, outputs: Sequence[int]) -> np.ndarray:
    wanted = tuple(model.input_shape[1:])
    if np.ndim(inputs) != 4 or any(w not in (None, s) for w, s in zip(wanted, np.shape(inputs)[1:], strict=True)):
        raise SaliencyError(f"network {model.name} takes images of shape (n, {wanted}), not {np.shape(inputs)}.")
    n = model.output_shape[-1]
    absent = [k for k in outputs if not 0 <= k < n]
    if absent or not len(outputs):
        raise SaliencyError(f"network {model.name} has outputs 0 to {n - 1}, not {absent or 'none'}.")
    return np.ascontiguousarray(inputs, dtype=np.float32)


def _scaled(slopes: np.ndarray, outputs: Sequence[int], scale: np.ndarray | None) -> np.ndarray:
    bad = int(np.count_nonzero(~np.isfinite(slopes)))
    if bad:
        raise SaliencyError(f"{bad} slopes are not finite: a layer has no derivative at these inputs.")
    if scale is not None:
        factor = np.asarray(scale, dtype=np.float32)[list(outputs)]
        slopes = slopes * factor.reshape(1, -1, *[1] * (slopes.ndim - 2))
    return slopes.astype(np.float32)
