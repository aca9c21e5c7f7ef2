"""Training for another universe: networks on arrays in memory, plain, or with latent distributions that are matched.

A network that is to be applied where nothing is known of the dark matter can still be shown what galaxies look like
there. `train_matched` adds to the loss the squared maximum mean discrepancy (Gretton et al. 2012) between the latent
numbers of galaxies with known targets and those of galaxies without: it vanishes where both have the same distribution.
What is matched are the `dmlib.networks.profile.NUMBERS` outputs of the last linear layer, through which all that the
network says must pass. Matching assumes that the two universes differ in how galaxies look, not in their haloes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import keras
import numpy as np
from keras import ops

from .fit import Averaged, Head, Standard, Views, eager, fit, masked_mse, network, predict
from .plan import Architecture, Schedule, architecture

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
        return self.standard.unscale(self._averaged(inputs))

    @cached_property
    def _averaged(self) -> Averaged:
        return Averaged(self.model)

    def latent(self, inputs: np.ndarray) -> np.ndarray:
        """What the last linear layer is computed from, shape (n, feature): the network's own description of a view."""
        before = eager(keras.Model(self.model.inputs, self.model.get_layer(_LAST).input))
        return predict(before, inputs).astype(float)


def views(inputs: np.ndarray, ln_m: np.ndarray, galaxy: np.ndarray, standard: Standard) -> Views:
    """Views for training or validation; shapes (n, y, x, channel), (n, 20) and (n,)."""
    return Views(np.ascontiguousarray(inputs), standard.scale(ln_m), galaxy, standard)


def train(channels: tuple[str, ...], training: Views, validation: Views, schedule: Schedule, seed: int) -> Trained:
    """Train plainly, as all networks of the book are trained."""
    model, _ = fit(architecture(ARCHITECTURE), channels, training, validation, schedule, seed)
    return Trained(model, training.standard)


def train_matched(
    channels: tuple[str, ...], training: Views, validation: Views, others: np.ndarray, schedule: Schedule, seed: int
) -> Trained:
    """Train with the latent numbers of `others` matched to those of the training views.

    Parameters
    ----------
    channels : tuple of str
    training, validation : Views
        With known targets; the best epoch is that of the smallest error of the validation views.
    others : ndarray, shape (m, y, x, channel)
        Views whose targets are unknown; about as many as the training views, with which they share the batches.
    schedule : Schedule
    seed : int
    """

    def build(of: Architecture, channels: tuple[str, ...], views: Views) -> keras.Model:
        model = network(of, channels, training)
        return keras.Model(model.inputs, keras.layers.Concatenate()([model.output, model.get_layer(_LAST).output]))

    unknown = np.full((len(others), training.targets.shape[1]), np.nan, dtype=np.float32)
    both = replace(
        training,
        inputs=np.concatenate([training.inputs, others]),
        targets=np.concatenate([_marked(training.targets, 1.0), _marked(unknown, 0.0)]),
        galaxy=np.concatenate([training.galaxy, training.galaxy.max() + 1 + np.arange(len(others))]),
    )
    checked = replace(validation, targets=_marked(validation.targets, 1.0))
    model, _ = fit(architecture(ARCHITECTURE), channels, both, checked, schedule, seed, head=Head(build, _loss))
    return Trained(keras.Model(model.inputs, model.get_layer("profile").output), training.standard)


def _marked(targets: np.ndarray, known: float) -> np.ndarray:
    """Targets with one more column, which says whether they are known."""
    return np.column_stack([targets, np.full(len(targets), known)]).astype(np.float32)


def _loss(y_true: Any, y_pred: Any) -> Any:
    """Square error of each view whose target is known, plus the discrepancy of the two kinds of views."""
    known, radii = ops.convert_to_tensor(y_true)[:, -1], y_true.shape[-1] - 1
    # Views without a target have no error; in the mean over a batch the others count for them.
    share = ops.maximum(ops.mean(known), 1e-3)
    return masked_mse(y_true[:, :radii], y_pred[:, :radii]) / share + WEIGHT * discrepancy(y_pred[:, radii:], known)


def discrepancy(latent: Any, known: Any) -> Any:
    """Squared maximum mean discrepancy of two samples, biased estimate, mean over the kernels' widths.

    It is 0 where one of the samples is empty.

    Parameters
    ----------
    latent : tensor, shape (n, k)
    known : tensor, shape (n,)
        1 for views of one sample, 0 for those of the other.
    """
    unknown = 1.0 - known
    weight = known / ops.maximum(ops.sum(known), 1.0) - unknown / ops.maximum(ops.sum(unknown), 1.0)
    weight = weight * ops.minimum(ops.minimum(ops.sum(known), ops.sum(unknown)), 1.0)
    square = ops.sum((latent[:, None] - latent[None, :]) ** 2, axis=-1)
    scale = ops.stop_gradient(ops.mean(square)) + 1e-6
    kernel = sum(ops.exp(-square / (width * scale)) for width in _WIDTHS) / len(_WIDTHS)
    return ops.sum(weight[:, None] * kernel * weight[None, :])
