"""Training for another universe: networks on arrays in memory, plain, or with latent distributions that are matched.

A network that is to be applied where nothing is known of the dark matter can still be shown what galaxies look like
there. `train_matched` adds to the loss the squared maximum mean discrepancy (Gretton et al. 2012) between the latent
numbers of galaxies with known targets and those of galaxies without: it vanishes where both have the same distribution.
What is matched are the `dmlib.networks.profile.NUMBERS` outputs of the last linear layer, through which all that the
network says must pass. Matching assumes that the two universes differ in how galaxies look, not in their haloes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .augment import N_ORIENTATIONS, mean_over_orientations, orient_each
from .plan import Schedule, architecture

if TYPE_CHECKING:
    import keras

    from .fit import Standard, Views

#: Architecture that is trained, and the name of its last linear layer.
ARCHITECTURE, _LAST = "C", "ln_m_dm"

#: Weight of the discrepancy beside the mean square error, fixed before any result was seen.
WEIGHT = 1.0

#: Widths of the Gaussian kernels, in units of the mean squared distance between the views of a batch.
_WIDTHS = (0.125, 0.25, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Trained:
    """A trained network.

    Parameters
    ----------
    model : keras.Model
    standard : Standard
        Scales of its targets.
    """

    model: keras.Model
    standard: Standard

    def predict_ln(self, inputs: np.ndarray) -> np.ndarray:
        """ln(M_DM / Msun), mean over the eight orientations of the views, shape (n, 20)."""
        from .fit import predict

        return self.standard.unscale(mean_over_orientations(lambda x: predict(self.model, x), inputs))

    def latent(self, inputs: np.ndarray) -> np.ndarray:
        """What the last linear layer is computed from, shape (n, feature): the network's own description of a view."""
        import keras

        from .fit import predict

        return predict(keras.Model(self.model.inputs, self.model.get_layer(_LAST).input), inputs).astype(float)


def views(inputs: np.ndarray, ln_m: np.ndarray, galaxy: np.ndarray, standard: Standard) -> Views:
    """Views for training or validation; shapes (n, y, x, channel), (n, 20) and (n,)."""
    from .fit import Views

    return Views(np.ascontiguousarray(inputs), standard.scale(ln_m), galaxy, standard)


def train(channels: tuple[str, ...], training: Views, validation: Views, schedule: Schedule, seed: int) -> Trained:
    """Train plainly, as all networks of the book are trained."""
    from .fit import fit

    model, _ = fit(architecture(ARCHITECTURE), channels, training, validation, schedule, seed)
    return Trained(model, training.standard)


def train_matched(
    channels: tuple[str, ...],
    training: Views,
    validation: Views,
    others: np.ndarray,
    schedule: Schedule,
    seed: int,
) -> Trained:
    """Train with the latent numbers of `others` matched to those of the training views.

    Parameters
    ----------
    channels : tuple of str
    training, validation : Views
        With known targets.
    others : ndarray, shape (m, y, x, channel)
        Views whose targets are unknown.
    schedule : Schedule
        Each step takes as many views of either kind. The best epoch is that of the smallest validation loss.
    seed : int
    """
    import keras

    from . import fit

    fit.make_deterministic(seed)
    model = fit.network(architecture(ARCHITECTURE), channels, training)
    fit.adapt(model, training.inputs)
    both = keras.Model(model.inputs, keras.layers.Concatenate()([model.output, model.get_layer(_LAST).output]))
    both.compile(keras.optimizers.AdamW(schedule.learning_rate, weight_decay=schedule.weight_decay), loss=_loss)
    both.optimizer.build(both.trainable_variables)
    width = training.targets.shape[1] + 1
    best, least = model.get_weights(), np.inf
    half = schedule.batch // 2
    for epoch in range(schedule.epochs):
        both.optimizer.learning_rate.assign(fit.learning_rate(schedule, epoch))
        rng = np.random.default_rng([seed, 0x6D6D64, epoch])
        known, unknown = rng.permutation(len(training.inputs)), rng.permutation(len(others))
        for start in range(0, len(known) - 1, half):
            some = known[start : start + half]
            # A batch has as many unknown views; where they are fewer they are taken again.
            more = unknown[np.arange(start, start + len(some)) % len(unknown)]
            x = np.concatenate([training.inputs[some], others[more]])
            y = np.full((len(x), width), np.nan, dtype=np.float32)
            y[: len(some), : training.targets.shape[1]] = training.targets[some]
            y[:, -1] = np.arange(len(x)) < len(some)
            both.train_on_batch(orient_each(x, rng.integers(N_ORIENTATIONS, size=len(x))), y)
        loss = fit.masked_rms(fit.predict(model, validation.inputs), validation.targets)
        if loss < least:
            best, least = model.get_weights(), loss
    model.set_weights(best)
    return Trained(model, training.standard)


def _loss(y_true: Any, y_pred: Any) -> Any:
    """Mean square error where targets are known, plus the discrepancy of the two kinds of views."""
    from keras import ops

    from .fit import masked_mse

    known, radii = y_true[:, -1], y_true.shape[-1] - 1
    error = ops.sum(masked_mse(y_true[:, :radii], y_pred[:, :radii])) / ops.maximum(ops.sum(known), 1.0)
    return error + WEIGHT * discrepancy(y_pred[:, radii:], known)


def discrepancy(latent: Any, known: Any) -> Any:
    """Squared maximum mean discrepancy of two samples, biased estimate, mean over the kernels' widths.

    Parameters
    ----------
    latent : tensor, shape (n, k)
    known : tensor, shape (n,)
        1 for views of one sample, 0 for those of the other.
    """
    from keras import ops

    weight = known / ops.maximum(ops.sum(known), 1.0) - (1.0 - known) / ops.maximum(ops.sum(1.0 - known), 1.0)
    square = ops.sum((latent[:, None] - latent[None, :]) ** 2, axis=-1)
    scale = ops.stop_gradient(ops.mean(square)) + 1e-6
    kernel = sum(ops.exp(-square / (width * scale)) for width in _WIDTHS) / len(_WIDTHS)
    return ops.sum(weight[:, None] * kernel * weight[None, :])
