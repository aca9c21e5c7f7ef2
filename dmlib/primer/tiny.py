"""A convolutional network that trains in seconds: the inclination of a disc from its image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..dataset.read import DataSet
from .learning import rms


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


def network(shape: tuple[int, int, int]):
    """Build the network: three convolutions with pooling, a mean over the remaining pixels, one linear neuron."""
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(8, 5, padding="same", activation="relu", name="first"),
            layers.MaxPooling2D(2),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1),
        ]
    )


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

    model: object
    train: np.ndarray
    validation: np.ndarray
    predicted: np.ndarray


def learn(train: Pictures, validation: Pictures, *, epochs: int, seed: int, rate: float = 3e-3) -> Trained:
    """Train for some epochs and keep the weights of the best.

    Parameters
    ----------
    train, validation : Pictures
    epochs : int
    seed : int
        Of initial weights, order of the views and rotations.
    rate : float
        Adam's learning rate; it falls to a tenth along half a cosine.
    """
    import keras

    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    model = network(train.inputs.shape[1:])
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse")
    errors, best, kept = [], np.inf, model.get_weights()
    for epoch in range(epochs):
        fall = 0.5 * (1.0 + np.cos(np.pi * epoch / epochs))
        model.optimizer.learning_rate = rate * (0.1 + 0.9 * fall)
        model.fit(turned(train.inputs, rng), train.cosine, batch_size=32, verbose=0)
        now = [
            float(rms(model.predict(part.inputs, batch_size=256, verbose=0)[:, 0] - part.cosine))
            for part in (train, validation)
        ]
        errors.append(now)
        if now[1] < best:
            best, kept = now[1], model.get_weights()
    model.set_weights(kept)
    predicted = model.predict(validation.inputs, batch_size=256, verbose=0)[:, 0]
    seen, unseen = np.array(errors).T
    return Trained(model, seen, unseen, predicted)


def feature_maps(model, inputs: np.ndarray) -> np.ndarray:
    """Feature maps of the first layer, shape (n, y, x, kernel)."""
    import keras

    first = keras.Model(model.inputs, model.get_layer("first").output)
    return first.predict(inputs, verbose=0)
