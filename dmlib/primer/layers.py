"""Layers of a network in a few lines of numpy each, the shapes that layers give, and a small convolutional network.

The layers are slow and plain on purpose; `tests/primer/test_keras.py` compares them with Keras. The network, in Keras,
finds the inclination of a disc from its image and trains in seconds.
Then architectures as diagrams: which layer follows which, what each does, and how large its output is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count, pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..dataset.read import DataSet
from .learning import rms

#: Weights of a network of dense layers: one (matrix, constants) a layer.
Weights = list[tuple[np.ndarray, np.ndarray]]

ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ReLU": lambda z: np.maximum(z, 0.0),
    "sigmoid": lambda z: 1.0 / (1.0 + np.exp(-z)),
    "tanh": np.tanh,
}

#: Small kernels whose effect is easily understood, 3 x 3 and 5 x 5. Row 0 is below, as in all our images.
KERNELS = {
    "blur": np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256.0,
    "left-right change": np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8.0,
    "up-down change": np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]]) / 8.0,
    "spots": np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]) / 8.0,
}


def start_weights(sizes: Sequence[int], seed: int) -> Weights:
    """Random initial weights of dense layers, with a spread that keeps the signal constant from layer to layer (He).

    Parameters
    ----------
    sizes : sequence of int
        Numbers of neurons, the inputs first.
    """
    rng = np.random.default_rng(seed)
    return [(rng.normal(0.0, np.sqrt(2.0 / a), (a, b)), rng.normal(0.0, 0.3, b)) for a, b in pairwise(sizes)]


def forward(weights: Weights, x: np.ndarray) -> list[np.ndarray]:
    """Compute the output of each layer, the input itself first; ReLU after every layer but the last.

    Parameters
    ----------
    weights : list of (matrix, constants)
    x : ndarray, shape (n, inputs)
    """
    values = [x]
    for number, (matrix, constants) in enumerate(weights, start=1):
        z = values[-1] @ matrix + constants
        values.append(np.maximum(z, 0.0) if number < len(weights) else z)
    return values


def mean_squared_error(weights: Weights, x: np.ndarray, y: np.ndarray) -> float:
    """Loss of a network with one output; y has shape (n,)."""
    return float(np.mean((forward(weights, x)[-1][:, 0] - y) ** 2))


def backward(weights: Weights, x: np.ndarray, y: np.ndarray) -> Weights:
    """Backpropagation: the gradient of the mean squared error, laid out as the weights are.

    Each layer receives the gradient with respect to its *output*, computes that with respect to its weights and its
    *input*, and passes the latter back to the layer before.
    """
    values = forward(weights, x)
    back = 2.0 * (values[-1] - y[:, None]) / len(y)
    slopes: Weights = []
    for number in reversed(range(len(weights))):
        if number < len(weights) - 1:
            back = back * (values[number + 1] > 0)  # where ReLU gave zero, the output does not depend on the input
        slopes.append((values[number].T @ back, back.sum(axis=0)))
        back = back @ weights[number][0].T
    return slopes[::-1]


def difference_quotients(weights: Weights, x: np.ndarray, y: np.ndarray, step: float) -> np.ndarray:
    """Compute the same gradient slowly, changing one weight at a time a little up and down; flattened."""
    slopes = []
    for array in (array for layer in weights for array in layer):
        for index in np.ndindex(array.shape):
            kept = array[index]
            array[index] = kept + step
            above = mean_squared_error(weights, x, y)
            array[index] = kept - step
            below = mean_squared_error(weights, x, y)
            array[index] = kept
            slopes.append((above - below) / (2.0 * step))
    return np.array(slopes)


def flatten(weights: Weights) -> np.ndarray:
    """All weights in one array."""
    return np.concatenate([array.ravel() for layer in weights for array in layer])


def train(
    weights: Weights, x: np.ndarray, y: np.ndarray, *, steps: int, rate: float = 0.01, keep: Sequence[int] = ()
) -> tuple[dict[int, Weights], np.ndarray]:
    """Descend with Adam (Kingma & Ba 2015): a running mean of the gradient, over the root of that of its square.

    Returns
    -------
    kept : dict
        Step -> weights, for the steps in `keep`.
    losses : ndarray, shape (steps + 1,)
    """
    arrays = [array.copy() for layer in weights for array in layer]
    mean, square = [np.zeros_like(a) for a in arrays], [np.zeros_like(a) for a in arrays]
    kept, losses = {}, []
    for step in range(steps + 1):
        now = list(zip(arrays[::2], arrays[1::2], strict=True))
        losses.append(mean_squared_error(now, x, y))
        if step in keep:
            kept[step] = [(matrix.copy(), constants.copy()) for matrix, constants in now]
        slopes = [array for layer in backward(now, x, y) for array in layer]
        for a, m, s, slope in zip(arrays, mean, square, slopes, strict=True):
            m += 0.1 * (slope - m)
            s += 0.001 * (slope**2 - s)
            a -= rate * (m / (1 - 0.9 ** (step + 1))) / (np.sqrt(s / (1 - 0.999 ** (step + 1))) + 1e-8)
    return kept, np.array(losses)


def convolve(image: np.ndarray, kernel: np.ndarray, *, stride: int = 1, padding: str = "same") -> np.ndarray:
    """Slide a kernel over an image and sum the products, as a convolution layer does (the kernel is not flipped).

    Parameters
    ----------
    image : ndarray, shape (y, x)
    kernel : ndarray, shape (k, k)
    stride : int
        Pixels from one position to the next.
    padding : {"same", "valid"}
        ``same``: zeros around the image, so that it keeps its size at stride 1; ``valid``: only where the kernel fits.

    Returns
    -------
    ndarray
    """
    size = len(kernel)
    if padding == "same":
        image = np.pad(image, [_zeros(n, size, stride) for n in image.shape])
    windows = sliding_window_view(image, kernel.shape)[::stride, ::stride]
    return np.einsum("yxij,ij->yx", windows, kernel)


def pool(image: np.ndarray, size: int = 2, how=np.max) -> np.ndarray:
    """Largest (or mean) value of each size x size block; incomplete blocks are dropped."""
    ny, nx = (n // size for n in image.shape)
    return how(image[: ny * size, : nx * size].reshape(ny, size, nx, size), axis=(1, 3))


def dropout(values: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Set a random fraction of the values to zero and scale up the others, so that the mean is kept."""
    return values * (rng.random(values.shape) >= rate) / (1.0 - rate)


def batch_norm(values: np.ndarray, epsilon: float = 1e-3) -> np.ndarray:
    """Shift and scale each channel to mean 0 and spread 1 over the batch and its pixels; channels last."""
    axes = tuple(range(values.ndim - 1))
    return (values - values.mean(axis=axes)) / np.sqrt(values.var(axis=axes) + epsilon)


def _zeros(length: int, size: int, stride: int) -> tuple[int, int]:
    total = max((-(-length // stride) - 1) * stride + size - length, 0)
    return total // 2, total - total // 2


def typical_view(dataset: DataSet) -> int:
    """Row of a gas-rich and massive training view at an inclination of about 60 degrees."""
    rows = dataset.rows("train")
    table = dataset.table[rows]
    gas, stars = (table[name].value for name in ("m_hi", "m_star"))
    rich = np.flatnonzero((gas >= np.quantile(gas, 0.6)) & (stars >= np.median(stars)))
    rich = rich if len(rich) else np.arange(len(rows))
    nearest = np.abs(table["inclination"].to_value("deg")[rich] - 60.0).argmin()
    return int(rows[rich[nearest]])


def major_axis(dataset: DataSet, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Velocities of the pixels within one pixel of the major axis of a view's HI disc.

    Returns
    -------
    position, velocity : ndarray, shape (n,)
        Sorted; [kpc], positive on the receding side, and [km/s].
    """
    x, y = dataset.grid.mesh()
    angle = np.radians(dataset.table["position_angle"][row].to_value("deg"))
    # From North (+y) through East (-x).
    along, across = -np.sin(angle) * x + np.cos(angle) * y, np.cos(angle) * x + np.sin(angle) * y
    velocity = dataset.hi([row])[0, ..., 1]
    chosen = np.isfinite(velocity) & (np.abs(across) < dataset.grid.pixel_size)
    order = np.argsort(along[chosen])
    return along[chosen][order], velocity[chosen][order]


@dataclass(frozen=True)
class Pictures:
    """Views at half the resolution, and the cosine of the inclination.

    Parameters
    ----------
    inputs : ndarray of float32, shape (n, y/2, x/2, channel)
    cosine : ndarray, shape (n,)
    rows : ndarray of int, shape (n,)
        Rows of the data set.
    """

    inputs: np.ndarray
    cosine: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


def pictures(dataset: DataSet, side: str, channels: tuple[str, ...]) -> Pictures:
    """All views of one split, 2 x 2 pixels averaged."""
    rows = dataset.rows(side)
    values = dataset.inputs(rows, channels)
    n, ny, nx, k = values.shape
    values = values[:, : ny // 2 * 2, : nx // 2 * 2].reshape(n, ny // 2, 2, nx // 2, 2, k).mean(axis=(2, 4))
    cosine = np.cos(np.radians(dataset.table["inclination"][rows].to_value("deg")))
    return Pictures(values.astype(np.float32), cosine.astype(np.float32), rows)


def turned(inputs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each picture in one of its eight rotated and mirrored forms, which all have the same inclination."""
    out = np.empty_like(inputs)
    which = rng.integers(8, size=len(inputs))
    for k in range(8):
        some = np.rot90(inputs[which == k], k % 4, axes=(1, 2))
        out[which == k] = some[:, :, ::-1] if k >= 4 else some
    return out


@dataclass(frozen=True)
class Trained:
    """The network with the best validation error, and its training history.

    Parameters
    ----------
    model : keras.Model
    train, validation : ndarray, shape (epochs,)
        Root mean square errors of the cosine after each epoch, without augmentation.
    predicted : ndarray, shape (n,)
        For the validation views.
    """

    model: Any
    train: np.ndarray
    validation: np.ndarray
    predicted: np.ndarray


def learn(train: Pictures, validation: Pictures, *, epochs: int, seed: int) -> Trained:
    """Train three convolutions with pooling, a mean over the remaining pixels and one linear neuron; keep the best.

    The learning rate falls to a tenth along half a cosine.

    Parameters
    ----------
    train, validation : Pictures
    epochs : int
    seed : int
        Of initial weights, order of the views and rotations.
    """
    import keras

    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(train.inputs.shape[1:]),
            layers.Conv2D(8, 5, padding="same", activation="relu", name="first"),
            layers.MaxPooling2D(2),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="mse")

    def cosine(part: Pictures) -> np.ndarray:
        return model.predict(part.inputs, batch_size=256, verbose=0)[:, 0]

    errors, best, kept = [], np.inf, model.get_weights()
    for epoch in range(epochs):
        fall = 0.5 * (1.0 + np.cos(np.pi * epoch / epochs))
        model.optimizer.learning_rate = 3e-3 * (0.1 + 0.9 * fall)
        model.fit(turned(train.inputs, rng), train.cosine, batch_size=32, verbose=0)
        errors.append([float(rms(cosine(part) - part.cosine)) for part in (train, validation)])
        if errors[-1][1] < best:
            best, kept = errors[-1][1], model.get_weights()
    model.set_weights(kept)
    seen, unseen = np.array(errors).T
    return Trained(model, seen, unseen, cosine(validation))


def feature_maps(model, inputs: np.ndarray) -> np.ndarray:
    """Feature maps of the first layer, shape (n, y, x, kernel)."""
    import keras

    first = keras.Model(model.inputs, model.get_layer("first").output)
    return first.predict(inputs, verbose=0)


#: Kinds of layers that belong to the one before them: they change values, and not what they are values of.
_THROUGH = ("dropout", "norm", "through")

#: Kind and description of layers, by their classes; braces hold attributes of the layer.
_WORDS: dict[str, tuple[str, str]] = {
    "InputLayer": ("input", "image"),
    "Channels": ("input", "{0.name}"),
    "Conv2D": ("conv", "convolution {0.kernel_size[0]}×{0.kernel_size[0]}"),
    "GroupConvolution": ("conv", "group conv. {0.size}×{0.size}"),
    "AveragePooling2D": ("pool", "mean of {0.pool_size[0]}×{0.pool_size[0]}"),
    "MaxPooling2D": ("pool", "largest of {0.pool_size[0]}×{0.pool_size[0]}"),
    "GlobalAveragePooling2D": ("pool", "mean over the image"),
    "GlobalMaxPooling2D": ("pool", "largest over the image"),
    "RingMeans": ("pool", "means in rings"),
    "Largest": ("pool", "largest of 8 orientations"),
    "Apertures": ("fixed", "moments in apertures"),
    "Add": ("join", "sum"),
    "Concatenate": ("join", "side by side"),
    "Dropout": ("dropout", "dropout {0.rate:.0%}"),
    "BatchNormalization": ("norm", "batch normalisation"),
    "Flatten": ("flatten", "flatten"),
    "Dense": ("dense", "dense"),
    "Activation": ("through", ""),
    "Rescaling": ("through", ""),
    "Standardise": ("through", ""),
    "ZeroPadding2D": ("through", ""),
}


@dataclass(frozen=True)
class Step:
    """A layer, and in a diagram what belongs to it.

    Parameters
    ----------
    kind : {"input", "conv", "pool", "fixed", "join", "dropout", "norm", "flatten", "dense", "through", "output"}
    words : str
        What it does.
    shape : tuple of int
        Of its output, without the views: (y, x, channel), or (neurons,).
    weights : int
        Number of trainable weights.
    field : int
        Side of the receptive field of one of its outputs [image pixels], see `trace`; 0 where all pixels count.
    after : tuple of int
        Places of the steps whose outputs it takes.
    row, lane : int
        Its place in the diagram, rows counted downwards and lanes to the right.
    """

    kind: str
    words: str
    shape: tuple[int, ...]
    weights: int
    field: int = 0
    after: tuple[int, ...] = ()
    row: int = 0
    lane: int = 0


def trace(model: Any) -> list[Step]:
    """Follow an image through the layers of a Keras model, one after the other."""
    traced: list[Step] = []
    field, apart = 1, 1  # side of the receptive field, and distance of neighbouring outputs [image pixels]
    for layer in model.layers:
        step, stride = _described(layer)
        if step.kind == "input":
            continue
        size = getattr(layer, "kernel_size", getattr(layer, "pool_size", (1,)))[0]
        if step.kind == "flatten":
            field = 0
        elif field:
            field, apart = field + (size - 1) * apart, apart * stride
        traced.append(replace(step, words=step.words + ", ReLU" * (step.kind == "conv"), field=field))
    return traced


def diagram(name: str, dataset: DataSet) -> list[Step]:
    """Steps of an architecture of the registry, built for all channels of a data set."""
    from ..networks.plan import ARCHITECTURES
    from ..networks.profile import NUMBERS

    return steps(ARCHITECTURES[name].build(dataset.channels("all"), dataset.input_grid.pixels, NUMBERS))


def steps(model: Any) -> list[Step]:
    """Read the steps of a Keras model, each placed as low as those that follow it allow.

    Raises
    ------
    KeyError
        For a kind of layer that has no description here.
    """
    found: list[Step] = []
    place: dict[int, int] = {}  # of the step that gives a tensor
    for layer in model.layers:
        name = type(layer).__name__
        inputs = [] if name == "InputLayer" else layer.input if isinstance(layer.input, list) else [layer.input]
        after = tuple(dict.fromkeys(place[id(tensor)] for tensor in inputs))
        step, _ = _described(layer)
        if step.kind in _THROUGH:
            (at,) = after
            found[at] = replace(found[at], shape=step.shape, weights=found[at].weights + step.weights)
        else:
            at = len(found)
            found.append(replace(step, after=after))
        place[id(layer.output)] = at
    found[-1] = replace(found[-1], kind="output", words="output")
    return _placed(found)


def _described(layer: Any) -> tuple[Step, int]:
    """A layer as a step of its own, and its stride."""
    kind, words = _WORDS[type(layer).__name__]
    stride = int(np.max(getattr(layer, "strides", getattr(layer, "stride", 1))))
    words = words.format(layer) + (f", stride {stride}" if kind == "conv" and stride > 1 else "")
    weights = sum(prod(weight.shape) for weight in layer.trainable_weights)
    return Step(kind, words, tuple(layer.output.shape[1:]), weights), stride


def _placed(found: list[Step]) -> list[Step]:
    """Rows from the end, so that branches stand beside each other; a lane of its own for each branch."""
    below = [0] * len(found)
    for at, step in reversed(list(enumerate(found))):
        for before in step.after:
            below[before] = max(below[before], below[at] + 1)
    rows = [max(below) - steps_below for steps_below in below]
    lanes: list[int] = []
    used: set[tuple[int, int]] = set()
    continued: set[int] = set()
    for at, step in enumerate(found):
        first = step.after[0] if step.after else None
        path = range((rows[first] if first is not None else rows[at] - 1) + 1, rows[at] + 1)
        lane = 0 if first is None else min(lanes[before] for before in step.after)
        if first in continued and len(step.after) == 1:
            lane = next(lane for lane in count(1) if not any((lane, row) in used for row in path))
        lanes.append(lane)
        used |= {(lane, row) for row in path}
        if first is not None and lanes[first] == lane:
            continued.add(first)
    return [replace(step, row=rows[at], lane=lanes[at]) for at, step in enumerate(found)]
