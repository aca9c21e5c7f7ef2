"""Saliency: how a prediction changes with each pixel, S_ij = d(ln M)/d(x_ij), and refinements of it.

Plain gradients (Simonyan et al. 2014, as in the talk), SmoothGrad (Smilkov et al. 2017), integrated gradients
(Sundararajan et al. 2017), Grad-CAM (Selvaraju et al. 2017), and the cascading randomisation by which Adebayo et al.
(2018) test whether a map depends on what the network has learned at all. They work for any differentiable Keras model
with one image as its input, on TensorFlow and JAX.

Inputs are normalised, shape (n, y, x, channel).

`Sensitivity` and what follows it summarise maps of many views: stacks, rings of the image, kinds of input, likeness.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import keras
import numpy as np
from keras import ops
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.stats import spearmanr

from ..dataset.read import DataSet
from ..embedded import relations
from ..errors import DmlibError
from ..observe.moments import BLANK
from ..observe.sky import SkyGrid, central_part
from ..workers import bar
from .architectures.c import pixels_with_hi, ring_weights
from .augment import N_ORIENTATIONS, orient
from .models import Network

#: Images that are differentiated at a time.
BATCH = 64

#: HI surface density [log10 Msun/pc^2] that `faint_sky` gives to all pixels with HI: the faintest that are detected.
FAINT = -1.0

#: Asinh magnitude above which a pixel of a band counts as lit: a quarter of the softening in surface brightness.
LIGHT = 0.05

Slopes = Callable[[np.ndarray], np.ndarray]


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

    def gradient(self, inputs: np.ndarray) -> np.ndarray:
        """Slope with respect to every pixel, the saliency of the talk, shape (n, k, y, x, channel)."""
        inputs = self._checked(inputs)
        return self._scaled(self._slopes(inputs))

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
            total += self._slopes(np.maximum(noisy, darkest))
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
            total += (far - near) * self._slopes(base + 0.5 * (near + far) * (inputs - base))
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
            slopes = differentiate(head(images), self.model.output_shape[-1], self.outputs)(maps)
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
        slopes = None
        for number, (name, mixed) in enumerate(cascade(self.model, seed=seed)):
            if slopes is None or keras.backend.backend() == "jax":  # code compiled by JAX keeps the old weights
                slopes = Saliency(mixed, self.outputs)._slopes
            if number % every == 0 or number == left - 1:
                yield name, slopes(inputs)

    @property
    def _factors(self) -> np.ndarray:
        return np.broadcast_to(np.asarray(self.scale, dtype=float), self.model.output_shape[-1])[list(self.outputs)]

    @cached_property
    def _slopes(self) -> Slopes:
        model = self.model
        return differentiate(lambda x: model(x, training=False), model.output_shape[-1], self.outputs)

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


def differentiate(function: Callable, n_outputs: int, outputs: Sequence[int]) -> Slopes:
    """Derivative of some outputs of `function` with respect to its argument.

    Parameters
    ----------
    function : callable
        From a tensor (n, ...) to a tensor (n, n_outputs) of the backend; rows must not depend on each other.
    n_outputs : int
    outputs : sequence of int

    Returns
    -------
    callable
        From an array (n, ...) to the slopes, shape (n, k, ...), float32.

    Raises
    ------
    SaliencyError
        On another backend than TensorFlow and JAX.
    """
    backend = keras.backend.backend()
    chosen = np.eye(n_outputs, dtype=np.float32)[list(outputs)]
    compute: Callable[[Any, Any], Any]
    if backend == "tensorflow":
        import tensorflow as tf

        @tf.function(reduce_retracing=True)
        def compute(x, weights):
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = tf.reduce_sum(tf.cast(function(x), tf.float32) * weights)
            return tape.gradient(value, x, unconnected_gradients="zero")

    elif backend == "jax":
        import jax

        compute = jax.jit(jax.grad(lambda x, weights: (function(x).astype("float32") * weights).sum()))
    else:
        raise SaliencyError(f"saliency needs Keras on tensorflow or jax, not on {backend}: set KERAS_BACKEND.")

    def slopes(x: np.ndarray) -> np.ndarray:
        found = []
        for start in range(0, len(x), BATCH):
            part = ops.convert_to_tensor(np.ascontiguousarray(x[start : start + BATCH], dtype=np.float32))
            found.append(np.stack([np.asarray(compute(part, ops.convert_to_tensor(row))) for row in chosen], axis=1))
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
        return lambda images: lambda maps: both([ops.convert_to_tensor(images), maps], training=False)
    return lambda images: lambda maps: alone(maps, training=False)


#: Maximum number of training views from which the spread of a pixel is measured (each in eight orientations).
SPREAD_VIEWS = 900

#: Views whose slopes for all outputs are held at a time.
VIEWS = 32

#: Edges of rings on the sky [kpc], as fine as pixels of 2 kpc allow at the centre; see `ring_edges`.
RING_EDGES = np.array([0.0, 2.0, 4.0, 6.0, 8.5, 12.0, 16.5, 22.0, 29.0, 38.0, 50.0, 64.0])


def ring_edges(grid: SkyGrid) -> np.ndarray:
    """Edges of the rings of an image [kpc], from its centre to half its side, shape (ring + 1,).

    A ring further out would consist of the image's corners only, so that they are left out. The last ring is at least
    half as wide as in `RING_EDGES`; where less of it is in the image, it is joined to its neighbour.
    """
    half = 0.5 * grid.field_of_view
    middle = 0.5 * (RING_EDGES[1:] + RING_EDGES[:-1])
    return np.append(RING_EDGES[:-1][middle <= half], half)


class Sensitivity:
    """A network's slopes for the test views.

    Parameters
    ----------
    net : Network
    dataset : DataSet
    radii : sequence of float
        The outputs nearest to these radii [kpc] are compared.
    n_views : int, optional
        Only the first views; default all.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Rows of the data set.
    inputs : ndarray, shape (n, y, x, channel)
    outputs : list of int
        Indices of the outputs that are compared.
    of_outputs : Saliency
        Saliency of these outputs.
    slopes : ndarray, shape (n, compared outputs, y, x, channel)
        d(ln M)/d(input).
    spread : ndarray, shape (y, x, channel)
        Typical difference between galaxies in each pixel, see `typical_spread`.
    mean : ndarray, shape (y, x, channel)
        Mean image of the training views in all orientations, for `hide_rings`.
    edges : ndarray, shape (ring + 1,)
        Of the rings [kpc], see `ring_edges`.
    rings : ndarray, shape (n, all outputs, ring, channel)
        Sum of the absolute slopes, each times the `spread` of its pixel, in rings about the centre, see `by_ring`.
    plain_rings : ndarray, shape (n, all outputs, ring)
        The same of the absolute slopes alone, over all channels.
    total : ndarray, shape (all outputs, channel)
        Mean over views of the sum of the absolute slopes times the spread over the whole image.
    groups : dict
        Indices of the channels by kind of input, see `kinds`.
    galaxy : ndarray of int, shape (n,)
        Galaxy of each view.
    n : int
        Number of galaxies.

    Raises
    ------
    NetworkError
        When network and data set do not belong together.
    SaliencyError
        See `Saliency`.
    """

    def __init__(self, net: Network, dataset: DataSet, radii: Sequence[float], *, n_views: int | None = None) -> None:
        net.check_dataset(dataset)
        self.net, self.dataset = net, dataset
        self.edges = ring_edges(dataset.input_grid)
        self.rows = dataset.rows("test")[:n_views]
        self.inputs = dataset.inputs(self.rows, net.channels)
        self.outputs = [int(np.abs(dataset.radii - radius).argmin()) for radius in radii]
        self.of_outputs = Saliency(net.model, self.outputs, net.std)
        train = dataset.rows("train")
        some = dataset.inputs(train[:: -(-len(train) // SPREAD_VIEWS)], net.channels)
        self.spread = typical_spread(some)
        self.mean = np.mean([orient(some.mean(axis=0), element) for element in range(N_ORIENTATIONS)], axis=0)
        self._measure(Saliency(net.model, range(len(dataset.radii)), net.std))
        self.groups = kinds(net.channels)
        self.galaxy = np.asarray(dataset.table["subhalo_id"])[self.rows]
        self.n = len(np.unique(self.galaxy))

    @property
    def radii(self) -> np.ndarray:
        """Radii of the outputs that are compared [kpc]."""
        return self.dataset.radii[self.outputs]

    def _measure(self, every: Saliency) -> None:
        """Sum the slopes of all outputs over rings, some views at a time: all of them would need gigabytes."""
        in_rings = partial(by_ring, grid=self.dataset.input_grid, edges=self.edges)
        spread, found = self.spread.astype(np.float32), []
        for start in range(0, len(self.inputs), VIEWS):
            slopes = every.gradient(self.inputs[start : start + VIEWS])
            compared = slopes[:, self.outputs]
            size = np.abs(slopes, out=slopes)
            plain = in_rings(size.sum(axis=-1))
            size *= spread
            rings = np.stack([in_rings(size[..., c]) for c in range(size.shape[-1])], axis=-1)
            found.append((compared, rings, plain, size.sum(axis=(2, 3))))
        self.slopes, self.rings, self.plain_rings, total = map(np.concatenate, zip(*found, strict=True))
        self.total = total.mean(axis=0)

    @property
    def seen(self) -> np.ndarray:
        """Pixels with HI, shape (n, y, x)."""
        return central_part(self.dataset.hi(self.rows), self.dataset.input_grid.pixels)[..., 0] > 0

    def hide_rings(self, fill: np.ndarray) -> np.ndarray:
        """Change of every output when one ring of the image is hidden, shape (n, all outputs, ring).

        Parameters
        ----------
        fill : ndarray
            What is put in its place: the `mean` image, `empty_sky`, or the ring of other galaxies, see `strangers`.
        """
        grid = self.dataset.input_grid
        change = occlude(self.net.model, self.inputs, grid, fill=fill, edges=self.edges)
        return (change * self.net.std).transpose(0, 2, 1)

    def exchange_groups(self, seed: int) -> dict[str, np.ndarray]:
        """R.m.s. change of each output when one kind of input is another galaxy's, name -> shape (all outputs,)."""
        other, before = self.strangers(seed), predicted(self.net.model, self.inputs)
        changes = {}
        for name, k in self.groups.items():
            altered = self.inputs.copy()
            altered[..., k] = other[..., k]
            change = (predicted(self.net.model, altered) - before) * self.net.std
            changes[name] = np.sqrt((change**2).mean(axis=0))
        return changes

    def strangers(self, seed: int) -> np.ndarray:
        """A view of another galaxy for each view, shape of the inputs."""
        rng = np.random.default_rng(seed)
        return self.inputs[[rng.choice(np.flatnonzero(self.galaxy != one)) for one in self.galaxy]]

    def typical(self, among: int | None = None) -> int:
        """Index of a view with much HI and an inclination near 55 degrees, among the first ones."""
        table = self.dataset.table[self.rows[:among]]
        gas, inclination = table["m_hi"].value, table["inclination"].to_value("deg")
        return int((np.abs(inclination - 55.0) + 90.0 * (gas < np.median(gas))).argmin())


def kinds(channels: Sequence[str]) -> dict[str, list[int]]:
    """Indices of the channels by kind of input: starlight (all bands), HI column, velocity, dispersion."""
    names = {"moment0": "HI column", "moment1": "velocity", "moment2": "dispersion"}
    found: dict[str, list[int]] = {}
    for k, channel in enumerate(channels):
        found.setdefault(names.get(channel, "starlight"), []).append(k)
    return found


def typical_spread(inputs: np.ndarray) -> np.ndarray:
    """Half of the range of the middle 68% of views in each pixel and channel, shape (y, x, channel).

    A slope times this is the effect of a typical difference between galaxies in that pixel. (A standard deviation would
    be dominated by rare companions in the outskirts of the field.) Root mean square over the eight orientations.
    """
    low, high = np.percentile(inputs, [16.0, 84.0], axis=0)
    square = (0.5 * (high - low)) ** 2
    return np.sqrt(np.mean([np.rot90(square[:, ::side], k) for side in (1, -1) for k in range(4)], axis=0))


def four_methods(sensitivity: Sensitivity, n: int, *, draws: int, steps: int, seed: int) -> dict[str, np.ndarray]:
    """Maps of the first `n` views by four methods, see `largest`; shape (n, outputs, y, x) each."""
    few, channels = sensitivity.inputs[:n], sensitivity.net.channels
    maps = sensitivity.of_outputs
    return {
        "gradient": largest(sensitivity.slopes[:n]),
        "SmoothGrad": largest(maps.smooth_gradient(few, draws=draws, seed=seed, where=lit(few, channels))),
        "integrated": largest(maps.integrated_gradient(few, baseline=faint_sky(few, channels), steps=steps)),
        "Grad-CAM": np.abs(maps.grad_cam(few)),
    }


def largest(slopes: np.ndarray) -> np.ndarray:
    """Largest absolute value over the channels (the last axis), as in the authors' scripts."""
    return np.abs(slopes).max(axis=-1)


def missed(sensitivity: Sensitivity, n: int, *, steps: int, empty: bool = False) -> float:
    """Median of `Saliency.incompleteness` over `n` views and the outputs, from the faint sky or the empty one."""
    few, channels, maps = sensitivity.inputs[:n], sensitivity.net.channels, sensitivity.of_outputs
    base = empty_sky(channels) if empty else faint_sky(few, channels)
    parts = maps.integrated_gradient(few, baseline=base, steps=steps)
    return float(np.median(maps.incompleteness(few, parts, baseline=base)))


def randomised(sensitivity: Sensitivity, n: int, *, seed: int) -> list[tuple[str, np.ndarray]]:
    """Gradient maps of `n` views as layers are randomised from the output down, starting with the learned ones.

    Every second step is shown, and the last.

    Returns
    -------
    list of (layer, maps)
        Maps of shape (n, outputs, y, x), see `largest`.
    """
    learned = largest(sensitivity.slopes[:n])
    steps = sensitivity.of_outputs.cascade_gradients(sensitivity.inputs[:n], seed=seed, every=2)
    return [("learned", learned), *((name, largest(slopes)) for name, slopes in steps)]


def stack(sensitivity: Sensitivity) -> dict[str, np.ndarray]:
    """Weighted slopes by kind of input, aligned with the HI disc, mean share over views; (outputs, y, x) each."""
    table = sensitivity.dataset.table[sensitivity.rows]
    angle, m_hi = table["position_angle"].to_value("deg"), table["m_hi"].to_value("Msun")
    size = np.where(m_hi > 0, relations.hi_radius(np.maximum(m_hi, 1.0)), 0.0)
    good = np.isfinite(angle) & (size > 3.0)
    weighted = np.abs(sensitivity.slopes[good]) * sensitivity.spread.astype(np.float32)
    stacks = {}
    for name, k in sensitivity.groups.items():
        turned = align(weighted[..., k].sum(axis=-1), sensitivity.dataset.input_grid, angle[good], size[good])
        stacks[name] = shares(turned, axis=(-2, -1)).mean(axis=0)
    return stacks


def align(
    maps: np.ndarray, grid: SkyGrid, angles: np.ndarray, lengths: np.ndarray, *, reach: float = 1.5, pixels: int = 48
) -> np.ndarray:
    """Maps turned so that the receding side of each disc's major axis points right, and scaled to a common radius.

    Parameters
    ----------
    maps : ndarray, shape (n, ..., y, x)
    grid : SkyGrid
    angles : ndarray, shape (n,)
        Position angle of the receding side, from North through East [deg].
    lengths : ndarray, shape (n,)
        What becomes 1 [kpc], for example the radius of the HI.
    reach : float
        Half side of the result in these lengths; 0 outside the image.
    pixels : int
        Side of the result.

    Returns
    -------
    ndarray, shape (n, ..., pixels, pixels)
        Interpolated values, not rescaled.
    """
    steps = (np.arange(pixels) + 0.5) / pixels * 2.0 * reach - reach
    along, up = np.meshgrid(steps, steps)
    out = np.empty((*maps.shape[:-2], pixels, pixels), dtype=float)
    for k, (angle, length) in enumerate(zip(np.radians(angles), lengths, strict=True)):
        # The receding side lies at (-sin, cos): North is up, East is left.
        x = length * (-np.sin(angle) * along - np.cos(angle) * up)
        y = length * (np.cos(angle) * along - np.sin(angle) * up)
        places = np.stack([grid.to_pixels(y), grid.to_pixels(x)])
        for index in np.ndindex(maps.shape[1:-2]):
            out[(k, *index)] = map_coordinates(maps[(k, *index)], places, order=1, mode="constant")
    return out


def axis_ratio(maps: np.ndarray, strip: int = 4) -> np.ndarray:
    """Sum in a strip along the horizontal axis over that along the vertical one, of maps (k, y, x); shape (k,)."""
    middle = maps.shape[-1] // 2
    band = slice(middle - strip, middle + strip)
    return maps[:, band].sum(axis=(1, 2)) / maps[:, :, band].sum(axis=(1, 2))


def shares(values: np.ndarray, axis: int | tuple[int, ...] = -1) -> np.ndarray:
    """Absolute values over their sum along some axes, so that all galaxies or outputs weigh the same."""
    size = np.abs(values)
    total = size.sum(axis=axis, keepdims=True)
    return size / np.where(total > 0, total, 1.0)


def relative_to_mean(matrix: np.ndarray) -> np.ndarray:
    """Shares of the rings for each output, shape (output, ring), over their mean: what is specific to each output."""
    matrix = shares(matrix)
    return matrix / matrix.mean(axis=0)


def by_ring(maps: np.ndarray, grid: SkyGrid, edges: np.ndarray) -> np.ndarray:
    """Sum of absolute maps, shape (..., y, x), in rings, shape (..., ring)."""
    weights = ring_weights(grid.pixels, edges / (0.5 * grid.field_of_view))
    return np.abs(maps).reshape(*maps.shape[:-2], -1) @ weights


def median_radius(rings: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Radius [kpc] that holds half of the sum over rings, interpolated in radius.

    Parameters
    ----------
    rings : ndarray, shape (..., ring)
    edges : ndarray, shape (ring + 1,)
        [kpc]

    Returns
    -------
    ndarray, shape (...)
        NaN where the sum is 0.
    """
    inside = np.concatenate([np.zeros((*rings.shape[:-1], 1)), np.cumsum(rings, axis=-1)], axis=-1)
    flat = inside.reshape(-1, inside.shape[-1])
    found = [np.interp(0.5 * row[-1], row, edges) if row[-1] > 0 else np.nan for row in flat]
    return np.array(found).reshape(rings.shape[:-1])


def half_radii(sensitivity: Sensitivity, group: str | None = None) -> np.ndarray:
    """`median_radius` of the weighted slopes of one kind of input (default all), shape (n, all outputs)."""
    chosen = sensitivity.groups[group] if group else slice(None)
    return median_radius(sensitivity.rings[..., chosen].sum(axis=-1), sensitivity.edges)


def rank_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of the absolute values of two sets of maps, shape (n,); 0 for a constant map.

    Parameters
    ----------
    first, second : ndarray, shape (n, ...)
    """
    found = []
    for a, b in zip(first, second, strict=True):
        a, b = np.abs(a).ravel(), np.abs(b).ravel()
        found.append(0.0 if np.ptp(a) == 0 or np.ptp(b) == 0 else float(spearmanr(a, b).statistic))
    return np.array(found)


def similarity(first: np.ndarray, second: np.ndarray, *, width: float = 1.5) -> np.ndarray:
    """Structural similarity (SSIM, Wang et al. 2004) of the absolute values of two sets of maps, shape (n,).

    Parameters
    ----------
    first, second : ndarray, shape (n, y, x)
        Each is divided by its 99th percentile and clipped at 1.
    width : float
        Of the Gaussian window [pixel].
    """
    smooth = partial(gaussian_filter, sigma=width)
    found = []
    for pair in zip(first, second, strict=True):
        a, b = (np.clip(np.abs(m) / max(np.percentile(np.abs(m), 99.0), 1e-30), 0.0, 1.0) for m in pair)
        mean_a, mean_b = smooth(a), smooth(b)
        var_a, var_b = smooth(a * a) - mean_a**2, smooth(b * b) - mean_b**2
        both = smooth(a * b) - mean_a * mean_b
        top = (2 * mean_a * mean_b + 1e-4) * (2 * both + 9e-4)
        found.append(float(np.mean(top / ((mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4)))))
    return np.array(found)


def likeness(steps: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Likeness of maps along a cascade, shape (n, y, x) each, to the first, the learned ones.

    Returns
    -------
    rank_correlation, ssim : ndarray, shape (steps,)
        Means over the n maps; the first are 1.
    """
    ranks = [rank_correlation(steps[0], step).mean() for step in steps]
    return np.array(ranks), np.array([similarity(steps[0], step).mean() for step in steps])
