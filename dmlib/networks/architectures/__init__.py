"""The architectures, by name. Keras 3 throughout, on whichever backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras

from ..card import NetworkError
from . import a, b, c, resnet50
from . import sky as sky  # registers its layers, without which a saved C cannot be read


@dataclass(frozen=True)
class Architecture:
    """One architecture.

    Parameters
    ----------
    name : str
    build : callable
        ``build(channels, pixels, outputs)`` -> keras.Model from normalised images (n, pixels, pixels, channel) to
        standardised ln M (n, outputs).
    origin : str
        Where its definition is from.
    modules : tuple of str
        Its source files, by whose text a trained network is known.
    """

    name: str
    build: Callable[[Sequence[str], int, int], keras.Model]
    origin: str
    modules: tuple[str, ...]


ARCHITECTURES: dict[str, Architecture] = {
    architecture.name: architecture
    for architecture in (
        Architecture("A", a.talk, "the talk's table, to the letter", ("architectures/a.py",)),
        Architecture("A_scripts", a.scripts, "the authors' scripts", ("architectures/a.py",)),
        Architecture("B", b.build, "our own: residual, 3x3, global pooling", ("architectures/b.py",)),
        Architecture(
            "C",
            c.build,
            "our own: stems for light and HI, rings about the centre",
            ("architectures/c.py", "architectures/sky.py"),
        ),
        Architecture("ResNet50", resnet50.build, "He et al. 2016, adapted plainly", ("architectures/resnet50.py",)),
    )
}

SMALLEST = 32


def build(name: str, channels: Sequence[str], pixels: int, outputs: int = 20) -> keras.Model:
    """A network with random weights.

    Parameters
    ----------
    name : str
        Key of `ARCHITECTURES`.
    channels : sequence of str
        Names of the input's channels, bands and ``moment0`` ...; C treats light and HI apart.
    pixels : int
        Side of the images, at least 32.
    outputs : int
        Radii.

    Returns
    -------
    keras.Model
        Normalised images, shape (n, pixels, pixels, channel), to standardised ln M, shape (n, outputs).

    Raises
    ------
    NetworkError
        For an unknown architecture, no channel or images that are too small.
    """
    if name not in ARCHITECTURES:
        raise NetworkError(f"there is no architecture '{name}': choose {', '.join(ARCHITECTURES)}.")
    if pixels < SMALLEST:
        raise NetworkError(f"images of {pixels} pixels a side are too small for a network: {SMALLEST} at least.")
    if not len(channels):
        raise NetworkError(f"network {name} needs one channel at least.")
    return ARCHITECTURES[name].build(tuple(channels), pixels, outputs)


def cost(model: keras.Model) -> dict[str, int]:
    """What a network weighs and what one image costs.

    Returns
    -------
    dict
        ``parameters`` (trainable), and ``multiplications``: multiply-adds of convolutions and dense layers for one
        image, forward only (training takes three times as many).
    """
    multiplications = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            _, rows, columns, _ = layer.output.shape
            multiplications += rows * columns * int(_size(layer.kernel.shape))
        elif isinstance(layer, keras.layers.Dense):
            multiplications += int(_size(layer.kernel.shape))
    parameters = sum(int(_size(weight.shape)) for weight in model.trainable_weights)
    return {"parameters": parameters, "multiplications": multiplications}


def _size(shape: Sequence[int]) -> int:
    product = 1
    for length in shape:
        product *= length
    return product
