"""Training one member of an ensemble: seeded, resumable after any epoch, with the same result as if undisturbed."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..files import atomic_path
from . import backend
from .architectures import build
from .architectures.sky import settle
from .augment import N_ORIENTATIONS, orient_each
from .card import NetworkError
from .losses import masked_mse
from .plan import Schedule

#: Least time between two checkpoints [s].
CHECKPOINT_SECONDS = 15.0

#: Inputs that are prepared at a time [bytes].
CHUNK = 256e6


@dataclass(frozen=True)
class Views:
    """What is trained or validated on.

    Parameters
    ----------
    inputs : ndarray, shape (n, y, x, channel)
        Normalised; may be a memory map.
    targets : ndarray of float32, shape (n, 20)
        Standardised ln M, NaN where there is none.
    galaxy : ndarray of int, shape (n,)
        Whose views they are.
    """

    inputs: np.ndarray
    targets: np.ndarray
    galaxy: np.ndarray


@dataclass
class History:
    """What is recorded, one value an epoch; losses are of the standardised target."""

    loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def best(self) -> int:
        """Index of the epoch with the least validation loss."""
        return int(np.argmin(self.val_loss))

    def as_dict(self) -> dict[str, list[float]]:
        """For JSON."""
        return {name: list(values) for name, values in vars(self).items()}


@dataclass(frozen=True)
class Fitted:
    """A trained network (float32, with the best weights) and how it went."""

    model: keras.Model
    history: History


def fit(
    architecture: str,
    channels: tuple[str, ...],
    train: Views,
    validation: Views,
    schedule: Schedule,
    seed: int,
    *,
    name: str = "",
    checkpoint: Path | None = None,
    key: str = "",
    told: Callable[[int], object] = lambda epochs: None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Fitted:
    """Train one network.

    Parameters
    ----------
    architecture : str
    channels : tuple of str
    train, validation : Views
    schedule : Schedule
    seed : int
        Of everything random. The order of the views, their orientations and the galaxies drawn are functions of the
        seed and the epoch, so that they need not be stored.
    name : str
        Named in errors.
    checkpoint : Path, optional
        File in which the state is kept while the training goes on (``.npz``); taken up if it is there and has the same
        `key`.
    key : str
        Fingerprint of what is trained.
    told : callable
        Called with the number of epochs done, after each.
    checkpoint_seconds : float
        Least time between two checkpoints.

    Raises
    ------
    NetworkError
        When inputs or the loss are not finite.
    """
    for side, views in (("training", train), ("validation", validation)):
        # Asked here, since a rectified unit may turn NaN into 0 and let the loss look well.
        if not np.isfinite(views.inputs).all():
            raise NetworkError(
                f"{name or architecture}: the {side} inputs hold NaN or infinity: make the data set again, or fill "
                "blank pixels as `dmlib.observe.moments.normalise` does."
            )
    backend.deterministic(seed)
    pixels, outputs = train.inputs.shape[1], train.targets.shape[1]
    with _policy(backend.precision()):
        model = build(architecture, channels, pixels, outputs)
    steps = max(1, -(-len(train.inputs) // schedule.batch))
    model.compile(
        optimizer=keras.optimizers.AdamW(schedule.learning_rate, weight_decay=schedule.weight_decay)
        if schedule.weight_decay
        else keras.optimizers.Adam(schedule.learning_rate),
        loss=masked_mse,
        jit_compile=backend.jit(),
        steps_per_execution=min(8, steps),
    )
    model.optimizer.build(model.trainable_variables)
    settle(model, train.inputs)
    history, best = History(), _weights(model)
    if checkpoint is not None and checkpoint.is_file():
        restored = _restore(checkpoint, key, model)
        if restored is not None:
            history, best = restored
            told(len(history.loss))
    weights = galaxy_weights(train.galaxy, schedule.bagging, seed)
    saved = time.monotonic()
    while not _over(history, schedule):
        epoch = len(history.loss)
        start = time.monotonic()
        rate = learning_rate(schedule, epoch)
        model.optimizer.learning_rate.assign(rate)
        loss = _one_epoch(model, train, weights, schedule, seed, epoch)
        val_loss = masked_rms(predict(model, validation.inputs), validation.targets) ** 2
        if not (np.isfinite(loss) and np.isfinite(val_loss)):
            raise NetworkError(
                f"{name or architecture}: the loss is {loss} in epoch {epoch + 1} (validation {val_loss}): look for "
                "NaN in the inputs, or lower the learning rate."
            )
        for values, value in zip(vars(history).values(), (loss, val_loss, rate, time.monotonic() - start), strict=True):
            values.append(float(value))
        if history.best == epoch:
            best = _weights(model)
        told(epoch + 1)
        if checkpoint is not None and time.monotonic() - saved >= checkpoint_seconds:
            _save(checkpoint, key, model, history, best)
            saved = time.monotonic()
    with _policy("float32"):
        final = build(architecture, channels, pixels, outputs)
    final.set_weights(best)
    return Fitted(final, history)


def learning_rate(schedule: Schedule, epoch: int) -> float:
    """Of one epoch, counted from 0."""
    if schedule.decay == "constant":
        return schedule.learning_rate
    rate = 0.5 * schedule.learning_rate * (1.0 + np.cos(np.pi * epoch / schedule.epochs))
    return float(rate)


def galaxy_weights(galaxy: np.ndarray, bagging: str, seed: int) -> np.ndarray:
    """How often (or with which weight) each view counts in an epoch; the views of a galaxy count alike.

    Parameters
    ----------
    galaxy : ndarray of int, shape (n,)
    bagging : str
        See `Schedule`.
    seed : int

    Returns
    -------
    ndarray, shape (n,)
        For ``bootstrap`` whole numbers.
    """
    if bagging == "none":
        return np.ones(len(galaxy))
    distinct, which = np.unique(galaxy, return_inverse=True)
    rng = np.random.default_rng([seed, 0x626167])
    if bagging == "bootstrap":
        return np.bincount(rng.integers(len(distinct), size=len(distinct)), minlength=len(distinct))[which].astype(
            float
        )
    drawn = rng.exponential(size=len(distinct))
    return (drawn / drawn.mean())[which]


def predict(model: keras.Model, inputs: np.ndarray, batch: int = 128) -> np.ndarray:
    """Standardised ln M, shape (n, 20), in inference mode."""
    parts = [
        keras.ops.convert_to_numpy(model.predict_on_batch(np.ascontiguousarray(inputs[start : start + batch])))
        for start in range(0, len(inputs), batch)
    ]
    return np.concatenate(parts).astype(np.float32)


def masked_rms(predicted: np.ndarray, targets: np.ndarray) -> float:
    """Root of the mean over views of `masked_mse`; NaN if a prediction is."""
    known = np.isfinite(targets)
    square = np.where(known, predicted - np.where(known, targets, 0.0), 0.0).astype(float) ** 2
    return float(np.sqrt(np.mean(square.sum(axis=1) / np.maximum(known.sum(axis=1), 1))))


def overfit_one_batch(
    architecture: str, channels: tuple[str, ...], batch: Views, *, steps: int = 200, seed: int = 1, every: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """The check before any training (authors' scripts): can the network learn one batch by heart?

    It must, if gradients reach its weights and the loss is that of these targets; dropout is switched off, because
    noise is there to prevent just this.

    Returns
    -------
    step : ndarray of int
    loss : ndarray
        MSE of the standardised targets of the batch, in training mode.
    """
    backend.deterministic(seed)
    with _policy("float32"):
        model = build(architecture, channels, batch.inputs.shape[1], batch.targets.shape[1])
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    model.compile(keras.optimizers.Adam(1e-3), loss=masked_mse, jit_compile=backend.jit())
    inputs = np.ascontiguousarray(batch.inputs)
    settle(model, inputs)
    shown, losses = [], []
    for step in range(steps + 1):
        loss = float(model.train_on_batch(inputs, batch.targets))
        model.reset_metrics()
        if step % every == 0:
            shown.append(step)
            losses.append(loss)
    return np.array(shown), np.array(losses)


def _one_epoch(model, train: Views, weights: np.ndarray, schedule: Schedule, seed: int, epoch: int) -> float:
    rng = np.random.default_rng([seed, 0x65706F, epoch])
    whole = schedule.bagging != "bayesian"
    rows = np.repeat(np.arange(len(weights)), weights.astype(int)) if whole else np.arange(len(weights))
    rows = rng.permutation(rows)
    if len(rows) > 1 and len(rows) % schedule.batch == 1:
        rows = rows[:-1]  # batch normalisation has no spread of one view
    elements = rng.integers(N_ORIENTATIONS, size=len(rows)) if schedule.augment else np.zeros(len(rows), dtype=int)
    total = 0.0
    for some in _chunks(len(rows), train.inputs, schedule.batch):
        chosen = rows[some]
        x = orient_each(train.inputs[chosen], elements[some])
        extra = {} if whole else {"sample_weight": weights[chosen].astype(np.float32)}
        log = model.fit(x, train.targets[chosen], batch_size=schedule.batch, shuffle=False, verbose=0, **extra)
        total += log.history["loss"][0] * len(chosen)
    return total / len(rows)


def _chunks(n: int, inputs: np.ndarray, batch: int) -> Iterator[slice]:
    """Whole batches, as many as fit into `CHUNK`."""
    one = int(np.prod(inputs.shape[1:])) * 4
    size = max(1, int(CHUNK / one) // batch) * batch
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def _over(history: History, schedule: Schedule) -> bool:
    done = len(history.loss)
    if done >= schedule.epochs:
        return True
    return bool(schedule.patience and done and done - 1 - history.best >= schedule.patience)


@contextmanager
def _policy(name: str) -> Iterator[None]:
    """A dtype policy for the layers made inside the block."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _weights(model: keras.Model) -> list[np.ndarray]:
    return [np.array(weight) for weight in model.get_weights()]


def _state(model: keras.Model) -> list[Any]:
    """Every variable on which the next step depends: weights, running means, the optimiser's, and dropout's seeds."""
    return [*model.variables, *model.optimizer.variables]


def _save(path: Path, key: str, model: keras.Model, history: History, best: list[np.ndarray]) -> None:
    arrays = {f"state{k}": keras.ops.convert_to_numpy(v) for k, v in enumerate(_state(model))}
    arrays |= {f"best{k}": weight for k, weight in enumerate(best)}
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        np.savez(handle, key=np.array(key), history=np.array(json.dumps(history.as_dict())), **arrays)


def _restore(path: Path, key: str, model: keras.Model) -> tuple[History, list[np.ndarray]] | None:
    """History and best weights, with the model's state set; None for another training's or a damaged file."""
    variables = _state(model)
    try:
        with np.load(path) as stored:
            if str(stored["key"]) != key:
                return None
            state = [stored[f"state{k}"] for k in range(len(variables))]
            best = [stored[f"best{k}"] for k in range(len(model.get_weights()))]
            history = History(**json.loads(str(stored["history"])))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # begin again: a checkpoint saves time, nothing else
    for variable, value in zip(variables, state, strict=True):
        variable.assign(value)
    return history, best
