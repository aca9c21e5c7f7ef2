"""Training of one network: seeded, resumable after any epoch, with the same result as an uninterrupted training.

Also how Keras's backend is set up for it: number of threads, deterministic operations, precision.

The loss is the mean square error of the standardised ln M: ln M at each radius, minus its mean and over its standard
deviation in the training set. Every architecture ends in the same layer, which makes profiles that increase with radius
of its linear output, see `dmlib.networks.profile`. Architectures are passed as objects, so that the code on which a
trained network depends is this module and that of its architecture.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from ..settings import RADII_KPC
from ..workers import Blocks
from . import NetworkError
from .augment import AT_ONCE, N_ORIENTATIONS, mean_over_orientations, turned_pixels
from .profile import NUMBERS, Profile, with_profile

if TYPE_CHECKING:
    from .plan import Architecture, Schedule

#: Minimum time between two checkpoints [s].
CHECKPOINT_SECONDS = 15.0

#: Steps of a training, or predictions of a batch, below which to trace a graph takes longer than the graph saves.
_FEW_STEPS = 8

#: Steps of a training below which to trace a graph of several steps takes longer than it saves.
_SHORT = 100

#: Views predicted at a time: twice as many gain 2% of the time, and take ResNet50 300 MB more. Of what is computed once
#: for each view the calls take longer than 64 views.
_BATCH, _BATCH_ONCE = 64, 256

#: Of each epoch: loss and validation loss (of the standardised target), learning rate and wall time [s].
History = dict[str, list[float]]


@dataclass(frozen=True)
class Standard:
    """Scales of the target.

    Parameters
    ----------
    mean, std : ndarray, shape (20,)
        Of ln(M / Msun) over the training views.
    """

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, ln_m: np.ndarray) -> Standard:
        """From the training views' targets, shape (n, 20); NaN (no particle within R) is left out.

        Raises
        ------
        NetworkError
            When a radius has fewer than two finite targets or all of them are equal.
        """
        n = np.isfinite(ln_m).sum(axis=0)
        if (n < 2).any():
            raise NetworkError(f"radius {int(np.argmin(n))} has {n.min()} training targets: it needs more galaxies.")
        mean, std = np.nanmean(ln_m, axis=0), np.nanstd(ln_m, axis=0)
        if not (std > 0).all():
            raise NetworkError(f"all training targets at radius {int(np.argmin(std))} are equal: nothing to learn.")
        return cls(mean, std)

    def scale(self, ln_m: np.ndarray) -> np.ndarray:
        """From ln M to the standardised target, float32."""
        return ((ln_m - self.mean) / self.std).astype(np.float32)

    def unscale(self, scaled: np.ndarray) -> np.ndarray:
        """From the network's output to ln M."""
        return np.asarray(scaled, dtype=float) * self.std + self.mean


@dataclass(frozen=True)
class Views:
    """Views for training or validation.

    Parameters
    ----------
    inputs : ndarray, shape (n, y, x, channel)
        Normalised.
    targets : ndarray of float32, shape (n, 20)
        Standardised ln M, NaN where there is none; for another `Head` what its loss takes.
    galaxy : ndarray of int, shape (n,)
        Galaxy of each view.
    standard : Standard
        Scales of the targets, from the training views.
    """

    inputs: np.ndarray
    targets: np.ndarray
    galaxy: np.ndarray
    standard: Standard


def masked_mse(y_true, y_pred):
    """Mean squared error over finite targets, shape (n,); NaN targets (no particle within R) have no gradient."""
    known = ops.isfinite(y_true)
    # Not just error * mask: the gradient of NaN * 0 is NaN.
    error = ops.where(known, y_pred - ops.where(known, y_true, 0.0), 0.0)
    return ops.sum(error**2, axis=-1) / ops.maximum(ops.sum(ops.cast(known, error.dtype), axis=-1), 1.0)


def fit(
    architecture: Architecture,
    channels: tuple[str, ...],
    train: Views,
    validation: Views,
    schedule: Schedule,
    seed: int,
    *,
    head: Head | None = None,
    name: str = "",
    checkpoint: Path | None = None,
    told: Callable[[int], object] = lambda epochs: None,
) -> tuple[keras.Model, History]:
    """Train one network.

    Parameters
    ----------
    architecture : Architecture
    channels : tuple of str
    train, validation : Views
    schedule : Schedule
    head : Head, optional
        What the network puts out, and the loss; default `network` and `masked_mse`.
    seed : int
        Of everything random. The order of the views, their orientations and the galaxies drawn are functions of the
        seed and the epoch, so that they need not be stored.
    name : str
        Named in errors.
    checkpoint : Path, optional
        File for the state of this training while it is unfinished, without its suffix (``.npz``); training resumes from
        it if it is there.
    told : callable
        Called after each epoch with the number of epochs done since the last call; in total that of the schedule.

    Returns
    -------
    model : keras.Model
        In float32, with the best weights.
    history : dict
        See `History`.

    Raises
    ------
    NetworkError
        When inputs or the loss are not finite.
    """
    name, head = name or architecture.name, head or Head(network, masked_mse)
    for side, views in (("training", train), ("validation", validation)):
        # Checked here, since a rectified unit may turn NaN into 0, and the loss would look normal.
        if not np.isfinite(views.inputs).all():
            raise NetworkError(
                f"{name}: the {side} inputs hold NaN or infinity: make the data set again, or `normalise` the maps."
            )
    make_deterministic(seed)
    with precision(training_precision()):
        whole = head.build(architecture, channels, train)
    once, model = split(whole)
    extra, held = ([predict(eager(once), views.inputs)] if once else [] for views in (train, validation))
    asked = [*in_batches(validation.inputs, *held)]
    adapt(whole, train.inputs, once and (once.output, extra[0]))
    steps = -(-len(train.inputs) // schedule.batch)
    total = schedule.epochs * steps
    trainer = on_views(model, train.inputs)
    # The trainer has a copy of the images: here one is kept, for their shape, and the memory of the others is freed.
    train = replace(train, inputs=train.inputs[:1].copy())
    compile_model(
        trainer, schedule.learning_rate, schedule.weight_decay, 1 if total < _SHORT else min(8, steps), head.loss
    )
    trainer.run_eagerly = traces() and total < _FEW_STEPS
    model.run_eagerly = traces() and schedule.epochs * len(asked) < _FEW_STEPS
    history: History = {key: [] for key in ("loss", "val_loss", "learning_rate", "seconds")}
    best = [np.array(weight) for weight in whole.get_weights()]
    restored = _restore(checkpoint, model, trainer.optimizer) if checkpoint else None
    if restored:
        history, best = restored
        told(len(history["loss"]))
    counts = galaxy_counts(train.galaxy, schedule.bagging, seed)
    saved = time.monotonic()
    while not _is_finished(history, schedule):
        epoch, start = len(history["loss"]), time.monotonic()
        rate = learning_rate(schedule, epoch)
        trainer.optimizer.learning_rate.assign(rate)
        loss = _one_epoch(trainer, train.targets, extra, counts, schedule, seed, epoch)
        each = head.loss(validation.targets, answers(model, asked))
        val_loss = float(np.mean(ops.convert_to_numpy(each), dtype=float))
        if not (np.isfinite(loss) and np.isfinite(val_loss)):
            raise NetworkError(
                f"{name}: loss {loss}, validation {val_loss} in epoch {epoch + 1}: NaN in the inputs, or too high a "
                "rate?"
            )
        for column, value in zip(history, (loss, val_loss, rate, time.monotonic() - start), strict=True):
            history[column].append(float(value))
        if best_epoch(history) == epoch:
            best = [np.array(weight) for weight in whole.get_weights()]
        told(1)
        if checkpoint and time.monotonic() - saved >= CHECKPOINT_SECONDS:
            _save(checkpoint, model, trainer.optimizer, history, best)
            saved = time.monotonic()
    told(schedule.epochs - len(history["loss"]))
    if once or training_precision() != "float32":  # parts of a network cannot be saved as a whole
        with precision("float32"):
            whole = head.build(architecture, channels, train)
    whole.set_weights(best)
    return whole, history


def network(architecture: Architecture, channels: tuple[str, ...], train: Views) -> keras.Model:
    """A network with random weights, from images to standardised ln M that increases with radius.

    Parameters
    ----------
    architecture : Architecture
    channels : tuple of str
    train : Views
        The training views: their targets set the constants of `dmlib.networks.profile.Profile`.
    """
    standard = train.standard
    profile = Profile.of(standard.unscale(train.targets), standard.mean, standard.std, RADII_KPC)
    return with_profile(architecture.build(channels, train.inputs.shape[1], NUMBERS), profile)


@dataclass(frozen=True)
class Head:
    """What a network puts out.

    Parameters
    ----------
    build : callable
        Architecture, channels and training `Views` to a network with random weights.
    loss : callable
        Targets and outputs to the loss of each view, in Keras operations.
    """

    build: Callable[[Architecture, tuple[str, ...], Views], keras.Model]
    loss: Callable[[Any, Any], Any]


def compile_model(
    model: keras.Model, rate: float, weight_decay: float = 0.0, steps: int = 1, loss: Callable = masked_mse
) -> None:
    """Compile a network for training, with a number of steps per call of the backend."""
    adam = Adam(rate, weight_decay=weight_decay or None)
    model.compile(adam, loss=loss, jit_compile=compiles(), steps_per_execution=steps)
    model.optimizer.build(model.trainable_variables)


class Adam(keras.optimizers.Adam):
    """Keras's optimiser, in which TensorFlow updates a weight by one operation of its own, of the same formula.

    To trace the twenty of Keras for each weight takes as long as the other half of a graph of ResNet50, and to compute
    them a tenth of a training.
    """

    def update_step(self, gradient, variable, learning_rate):
        """Update one weight and its two moments."""
        if keras.backend.backend() != "tensorflow":
            super().update_step(gradient, variable, learning_rate)
            return
        from tensorflow import raw_ops

        place = self._get_variable_index(variable)
        step = ops.cast(self.iterations + 1, "float32")
        raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[place].value.handle,
            v=self._velocities[place].value.handle,
            beta1_power=ops.power(self.beta_1, step),
            beta2_power=ops.power(self.beta_2, step),
            lr=ops.cast(learning_rate, "float32"),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


class Oriented(keras.layers.Layer):
    """Some of the images that the layer keeps, by their numbers, each turned by its own element of D4.

    Only numbers are handed over for a step: to turn and to copy images elsewhere took a third of the training of C.

    Parameters
    ----------
    images : ndarray of float32, shape (n, y, x, channel)
    """

    def __init__(self, images: np.ndarray):
        super().__init__(dtype="float32")
        self._side, self._channels = images.shape[1], images.shape[3]
        self._turned = turned_pixels(self._side).astype(np.int32)
        pixels = images.reshape(-1, self._channels)
        self._pixels = self.add_weight(
            shape=pixels.shape, initializer=lambda shape, dtype: ops.convert_to_tensor(pixels, dtype), trainable=False
        )

    def call(self, rows, elements):
        """Images, shape (m, y, x, channel), of the rows and elements, shape (m,)."""
        places = rows[:, None] * self._side**2 + ops.take(self._turned, elements, axis=0)
        return ops.reshape(ops.take(self._pixels, places, axis=0), (-1, self._side, self._side, self._channels))


def on_views(model: keras.Model, images: np.ndarray) -> keras.Model:
    """The same network, with the same weights, from numbers of images and of their orientations instead of images.

    Parameters
    ----------
    model : keras.Model
        Of images, and of further inputs, see `split`.
    images : ndarray, shape (n, y, x, channel)
    """
    rows, elements = keras.Input((), dtype="int32"), keras.Input((), dtype="int32")
    extra = [keras.Input(each.shape[1:]) for each in model.inputs[1:]]
    image = Oriented(images)(rows, elements)
    return keras.Model([rows, elements, *extra], model([image, *extra] if extra else image))


def adapt(model: keras.Model, images: np.ndarray, known: tuple[keras.KerasTensor, np.ndarray] | None = None) -> None:
    """Call ``adapt`` of each layer that has this method with its input for these images (the training views only).

    Parameters
    ----------
    model : keras.Model
    images : ndarray, shape (n, y, x, channel)
    known : tuple, optional
        A tensor of the network, and its values for these images: they are not computed again.
    """
    for layer in model.layers:
        if hasattr(layer, "adapt"):
            if known and layer.input is known[0]:
                values = known[1]
            else:
                values = predict(eager(keras.Model(model.inputs, layer.input)), images)
            layer.adapt(values.astype(float))


def split(model: keras.Model) -> tuple[keras.Model | None, keras.Model]:
    """A network in two parts: what is computed once for each image, and the rest, which has all weights.

    Parameters
    ----------
    model : keras.Model
        A layer with an attribute ``once`` that is true has no weights and gives the same for all orientations.

    Returns
    -------
    once : keras.Model or None
        From images to the output of that layer; None where there is no such layer.
    rest : keras.Model
        From images and that output to the network's; the network itself where there is no such layer.
    """
    found = [layer.output for layer in model.layers if getattr(layer, "once", False)]
    if not found:
        return None, model
    return keras.Model(model.inputs, found[0]), keras.Model([*model.inputs, found[0]], model.output)


def best_epoch(history: History) -> int:
    """Index of the epoch with the smallest validation loss."""
    return int(np.argmin(history["val_loss"]))


def learning_rate(schedule: Schedule, epoch: int) -> float:
    """Learning rate of one epoch, counted from 0."""
    if schedule.decay == "constant":
        return schedule.learning_rate
    return float(0.5 * schedule.learning_rate * (1.0 + np.cos(np.pi * epoch / schedule.epochs)))


def galaxy_counts(galaxy: np.ndarray, bagging: str, seed: int) -> np.ndarray:
    """Number of times each view counts in an epoch, shape (n,); the same for all views of a galaxy.

    Parameters
    ----------
    galaxy : ndarray of int, shape (n,)
    bagging : str
        See `Schedule`.
    seed : int
    """
    if bagging == "none":
        return np.ones(len(galaxy), dtype=int)
    distinct, which = np.unique(galaxy, return_inverse=True)
    drawn = np.random.default_rng([seed, 0x626167]).integers(len(distinct), size=len(distinct))
    return np.bincount(drawn, minlength=len(distinct))[which]


def predict(model: keras.Model, inputs: np.ndarray, *extra: np.ndarray, size: int = _BATCH) -> np.ndarray:
    """Output of a network in inference mode, for a trained one the standardised ln M, shape (n, 20).

    Parameters
    ----------
    model : keras.Model
    inputs : ndarray, shape (n, y, x, channel)
    *extra : ndarray, shape (n, ...)
        Further inputs, see `split`.
    size : int
        Views at a time, at most.
    """
    return answers(model, in_batches(inputs, *extra, size=size))


def in_batches(*inputs: np.ndarray, size: int = _BATCH) -> Iterator[list[Any]]:
    """Inputs of equal length in batches of the backend's arrays; as equal as they can be, since any shape is traced."""
    number = -(-len(inputs[0]) // size)
    size = -(-len(inputs[0]) // number)
    for start in range(0, len(inputs[0]), size):
        yield [ops.convert_to_tensor(each[start : start + size]) for each in inputs]


def answers(model: keras.Model, batches: Iterable[list[Any]]) -> np.ndarray:
    """Output of a network for batches, as `predict`."""
    return np.concatenate([ops.convert_to_numpy(model.predict_on_batch(some)) for some in batches]).astype(np.float32)


class Averaged:
    """A network's mean output over the orientations of its input.

    What is the same for all orientations is computed once, see `split`. For many images a graph is traced, which
    computes them in two thirds of the time; for a few that would take longer than the images.

    Parameters
    ----------
    model : keras.Model
    """

    def __init__(self, model: keras.Model):
        self._once, rest = split(model)
        self._many, self._few = keras.Model(rest.inputs, rest.outputs[0]), eager(rest)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Mean output for images, shape (n, y, x, channel)."""
        same = [predict(eager(self._once), images, size=_BATCH_ONCE)] if self._once else []
        few = traces() and len(images) < _FEW_STEPS * AT_ONCE
        return mean_over_orientations(partial(predict, self._few if few else self._many), images, *same)


def make_deterministic(seed: int) -> None:
    """Seed every generator, and restrict TensorFlow to deterministic operations.

    Its graphs are computed as they are traced: to improve them takes longer than an improved graph saves in a training.
    """
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": traces()})


def has_accelerator() -> bool:
    """Whether the backend computes on an accelerator."""
    # JAX without one refuses to list those of kind "gpu".
    return keras.backend.backend() != "torch" and not keras.distribution.list_devices()[0].startswith("cpu")


def compiles() -> bool:
    """Whether to compile with XLA, which slows these networks with TensorFlow on a processor; JAX always compiles."""
    return has_accelerator() or keras.backend.backend() == "jax"


def traces() -> bool:
    """Whether the backend traces the graph of a network for seconds, and computes without it nearly as fast."""
    return keras.backend.backend() == "tensorflow" and not has_accelerator()


def eager(model: keras.Model) -> keras.Model:
    """A network that predicts a few batches only: without a graph, where tracing it takes longer; the same object."""
    model.run_eagerly = traces()
    return model


def training_precision() -> str:
    """Dtype policy of training: ``mixed_bfloat16`` where the hardware supports it well, otherwise ``float32``.

    ``$DMLIB_PRECISION`` overrides it. Weights are float32 in either case, and so is the saved network.
    """
    if chosen := os.environ.get("DMLIB_PRECISION"):
        return chosen
    cpuinfo = Path("/proc/cpuinfo")
    amx = cpuinfo.is_file() and "amx_bf16" in cpuinfo.read_text(encoding="utf-8", errors="replace")
    return "mixed_bfloat16" if has_accelerator() or amx else "float32"


@contextmanager
def precision(name: str) -> Iterator[None]:
    """A dtype policy for the layers created inside the block."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _one_epoch(
    trainer: keras.Model,
    targets: np.ndarray,
    extra: list[np.ndarray],
    counts: np.ndarray,
    schedule: Schedule,
    seed: int,
    epoch: int,
) -> float:
    rng = np.random.default_rng([seed, 0x65706F, epoch])
    rows = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    if len(rows) > 1 and len(rows) % schedule.batch == 1:
        rows = rows[:-1]  # batch normalisation is undefined for one view
    elements = rng.integers(N_ORIENTATIONS, size=len(rows)) if schedule.augment else np.zeros(len(rows), dtype=int)
    x = [rows.astype(np.int32), elements.astype(np.int32), *(some[rows] for some in extra)]
    log = trainer.fit(**_for_fit(x, targets[rows], schedule.batch), shuffle=False, verbose=0)
    return log.history["loss"][0]


def _for_fit(inputs: list[np.ndarray], targets: np.ndarray, size: int) -> dict[str, Any]:
    """Arguments of ``Model.fit``. Of arrays it makes a data set of TensorFlow by tracing functions: 70 ms an epoch."""
    if keras.backend.backend() != "tensorflow":
        return {"x": inputs, "y": targets, "batch_size": size}
    import tensorflow as tf

    return {"x": tf.data.Dataset.from_tensor_slices((tuple(inputs), targets)).batch(size)}


def _is_finished(history: History, schedule: Schedule) -> bool:
    done = len(history["loss"])
    stopped = schedule.patience and done and done - 1 - best_epoch(history) >= schedule.patience
    return done >= schedule.epochs or bool(stopped)


def _state(model: keras.Model, optimizer: keras.Optimizer) -> list[Any]:
    """Every variable on which the next step depends: weights, running means, the optimiser's, and dropout's seeds."""
    return [*model.variables, *optimizer.variables]


def _save(path: Path, model: keras.Model, optimizer: keras.Optimizer, history: History, best: list[np.ndarray]) -> None:
    arrays = {f"state{k}": ops.convert_to_numpy(v) for k, v in enumerate(_state(model, optimizer))}
    arrays |= {f"best{k}": weight for k, weight in enumerate(best)}
    Blocks(path.parent).write(path.name, history=np.array(json.dumps(history)), **arrays)


def _restore(path: Path, model: keras.Model, optimizer: keras.Optimizer) -> tuple[History, list[np.ndarray]] | None:
    """History and best weights, with the model's state set; None if there is no complete checkpoint."""
    stored = Blocks(path.parent).read(path.name)
    if stored is None:
        return None
    for k, variable in enumerate(_state(model, optimizer)):
        variable.assign(stored[f"state{k}"])
    return json.loads(str(stored["history"])), [stored[f"best{k}"] for k in range(len(model.get_weights()))]
