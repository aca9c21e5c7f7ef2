"""Architectures as diagrams: which layer follows which, what each does, and how large its output is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..dataset.read import DataSet

#: Layers that belong to the one before them: they change values, and not what they are values of.
_THROUGH = ("Activation", "BatchNormalization", "Dropout", "Rescaling", "Standardise", "ZeroPadding2D")

#: Kind and description of other layers, by their classes; braces hold attributes of the layer.
_WORDS: dict[str, tuple[str, str]] = {
    "InputLayer": ("input", "image"),
    "Channels": ("input", "{name}"),
    "Conv2D": ("conv", "convolution {kernel_size[0]}×{kernel_size[0]}"),
    "GroupConvolution": ("conv", "group conv. {size}×{size}"),
    "AveragePooling2D": ("pool", "mean of {pool_size[0]}×{pool_size[0]}"),
    "MaxPooling2D": ("pool", "largest of {pool_size[0]}×{pool_size[0]}"),
    "GlobalAveragePooling2D": ("pool", "mean over the image"),
    "GlobalMaxPooling2D": ("pool", "largest over the image"),
    "RingMeans": ("pool", "means in rings"),
    "Largest": ("pool", "largest of 8 orientations"),
    "Apertures": ("fixed", "moments in apertures"),
    "Add": ("join", "sum"),
    "Concatenate": ("join", "side by side"),
    "Flatten": ("join", "flatten"),
    "Dense": ("dense", "dense"),
}


@dataclass(frozen=True)
class Step:
    """A layer in a diagram, with what belongs to it.

    Parameters
    ----------
    kind : {"input", "conv", "pool", "fixed", "join", "dense", "output"}
    words : str
        What it does.
    shape : tuple of int
        Of its output, without the views.
    weights : int
        Number of trainable weights.
    after : tuple of int
        Places of the steps whose outputs it takes.
    row, lane : int
        Its place in the diagram, rows counted downwards and lanes to the right.
    """

    kind: str
    words: str
    shape: tuple[int, ...]
    weights: int
    after: tuple[int, ...] = ()
    row: int = 0
    lane: int = 0


def of_registry(name: str, dataset: DataSet) -> list[Step]:
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
        shape = tuple(layer.output.shape[1:])
        weights = sum(prod(weight.shape) for weight in layer.trainable_weights)
        if name in _THROUGH:
            (at,) = after
            found[at] = replace(found[at], shape=shape, weights=found[at].weights + weights)
        else:
            kind, words = _WORDS[name]
            stride = max(_first(getattr(layer, key, 1)) for key in ("strides", "stride"))
            more = f", stride {stride}" if kind == "conv" and stride > 1 else ""
            at = len(found)
            found.append(Step(kind, words.format_map(_Attributes(layer)) + more, shape, weights, after))
        place[id(layer.output)] = at
    found[-1] = replace(found[-1], kind="output", words="output")
    return _placed(found)


def _first(value: Any) -> int:
    return value[0] if isinstance(value, tuple | list) else value


class _Attributes(dict):
    def __init__(self, layer: Any):
        super().__init__()
        self._layer = layer

    def __missing__(self, name: str) -> Any:
        return getattr(self._layer, name)


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
            lane = _free(used, path)
        lanes.append(lane)
        used |= {(lane, row) for row in path}
        if first is not None and lanes[first] == lane:
            continued.add(first)
    return [replace(step, row=rows[at], lane=lanes[at]) for at, step in enumerate(found)]


def _free(used: set[tuple[int, int]], path: Iterable[int]) -> int:
    lane = 1
    while any((lane, row) in used for row in path):
        lane += 1
    return lane
