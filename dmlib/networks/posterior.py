"""Networks that give the joint distribution of a profile: a normal distribution of its coefficients, and a flow.

The numbers z of `dmlib.networks.profile` describe a whole profile, so that a distribution of z is one of profiles, and
every profile drawn from it increases with radius. The head `NORMAL` gives, for each view, the mean of z and a
triangular matrix U, the factor of the inverse covariance (U^T U): correlations between all radii, which differ from
galaxy to galaxy. With e = U (z - mean),

    -ln p(z) = |e|^2 / 2 - sum_k ln U_kk + const.

U = D (1 + N) has a diagonal D and a strictly triangular N. Elements of N and of ln D are bounded: for an unusual galaxy
U would otherwise be nearly singular, and draws from it absurd. (A factor of the covariance needs no inversion to draw
from it, but trained far worse.) Trained with this alone, a network buys likelihood with its covariance and neglects its
mean. Therefore the mean is trained with the mean square error of all networks, and the likelihood acts on U only: its
gradient stops at the mean (Stirn et al. 2023, AISTATS, arXiv:2212.09184).

If the normal distribution is right, e is a standard normal deviate. The flow learns what it is instead: an invertible
map of e, conditioned on the mean and the widths of the view, by affine couplings (Dinh et al. 2017, arXiv:1605.08803)
from a Student distribution. An affine flow has the tails of its base (Jaini et al. 2020, arXiv:1907.04481), and errors
have longer tails than a normal distribution.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops
from scipy.special import gammaln

from ..settings import RADII_KPC
from .fit import Head, Standard, Views, make_deterministic, masked_mse
from .plan import Architecture
from .profile import NUMBERS, Profile

#: Numbers of a view's normal distribution: mean, ln D and N.
N_NORMAL = 2 * NUMBERS + NUMBERS * (NUMBERS - 1) // 2

#: Weight of the likelihood beside the mean square error: its gradients are then of the same size.
WEIGHT = 0.1

#: Error with which a profile is represented by its coefficients, in standard deviations at each radius.
_RESIDUAL = 0.1

#: Largest elements of N and of ln D.
_MOST_N, _MOST_LN_D = 2.0, 3.0

#: Degrees of freedom of the flow's base distribution.
FREEDOM = 6.0

#: Couplings of the flow, and neurons of their two hidden layers.
COUPLINGS, NEURONS = 4, 32

#: Largest change of ln(scale) in one coupling.
_STRETCH = 1.0

_ROWS, _COLUMNS = np.tril_indices(NUMBERS, -1)
_PLACES = np.eye(NUMBERS**2, dtype=np.float32)[_ROWS * NUMBERS + _COLUMNS]


def profile_layer(scaled: np.ndarray, standard: Standard) -> Profile:
    """The layer `Profile` of the training views' standardised ln M, shape (n, 20), float32.

    Targets and network must have the same one to the last bit: axes of equal variance turn with rounding.
    """
    return Profile.of(standard.unscale(scaled), standard.mean, standard.std, RADII_KPC)


def coefficients(profile: Profile, scaled: np.ndarray) -> np.ndarray:
    """Numbers z of given profiles: the most probable ones for a standard normal prior, shape (n, `NUMBERS`).

    Parameters
    ----------
    profile : Profile
    scaled : ndarray, shape (n, 20)
        Standardised ln M; NaN is left out, and the prior fills in.
    """
    basis = np.array(profile.constants["basis"]) / np.array(profile.constants["std"])
    middle = ops.convert_to_numpy(profile(np.zeros((1, NUMBERS), dtype=np.float32)))
    known = np.isfinite(scaled)
    weighted = np.where(known, scaled - middle, 0.0) / _RESIDUAL**2
    precision = np.einsum("kr,nr,lr->nkl", basis, known / _RESIDUAL**2, basis) + np.eye(NUMBERS)
    return np.linalg.solve(precision, (weighted @ basis.T)[..., None])[..., 0].astype(np.float32)


def targets(profile: Profile, scaled: np.ndarray) -> np.ndarray:
    """What the loss of `NORMAL` takes: standardised ln M and coefficients, shape (n, 20 + `NUMBERS`)."""
    return np.concatenate([scaled, coefficients(profile, scaled)], axis=1).astype(np.float32)


def normal_network(architecture: Architecture, channels: tuple[str, ...], train: Views) -> keras.Model:
    """From images to the standardised ln M of the mean, shape (n, 20), and the `N_NORMAL` numbers behind it."""
    radii = len(train.standard.mean)
    inner = architecture.build(channels, train.inputs.shape[1], N_NORMAL)
    numbers = inner.outputs[0]
    mean = profile_layer(train.targets[:, :radii], train.standard)(numbers[:, :NUMBERS])
    return keras.Model(inner.inputs, layers.Concatenate(dtype="float32")([mean, numbers]), name=inner.name)


def factor(numbers):
    """Mean (n, k), ln D (n, k) and N (n, k, k), from the `N_NORMAL` numbers."""
    mean, diagonal, rest = (numbers[:, :NUMBERS], numbers[:, NUMBERS : 2 * NUMBERS], numbers[:, 2 * NUMBERS :])
    # A sum of products, not a matrix product, which accelerators round to ten bits.
    rest = ops.sum(_limited(rest, _MOST_N)[:, :, None] * _PLACES, axis=1)
    return mean, _limited(diagonal, _MOST_LN_D), ops.reshape(rest, (-1, NUMBERS, NUMBERS))


def _limited(x, most: float):
    return most * ops.tanh(x / most)


def whiten(z, numbers):
    """Whitened errors e, shape (n, k), and ln det U, shape (n,)."""
    mean, diagonal, rest = factor(numbers)
    apart = z - mean
    return ops.exp(diagonal) * (apart + ops.sum(rest * apart[:, None, :], axis=-1)), ops.sum(diagonal, axis=-1)


def normal_loss(y_true, y_pred):
    """Mean square error of the mean, and the likelihood of U given the mean; shape (n,)."""
    radii = y_true.shape[-1] - NUMBERS
    numbers = y_pred[:, radii:]
    fixed = ops.concatenate([ops.stop_gradient(numbers[:, :NUMBERS]), numbers[:, NUMBERS:]], axis=1)
    e, ln_det = whiten(y_true[:, radii:], fixed)
    cost = 0.5 * ops.sum(e**2, axis=-1) - ln_det
    return masked_mse(y_true[:, :radii], y_pred[:, :radii]) + WEIGHT * cost


#: Head of a network that gives the normal distribution.
NORMAL = Head(normal_network, normal_loss)


class Flow:
    """An invertible map from whitened errors e to Student deviates, for each view another.

    Parameters
    ----------
    density : keras.Model
        From e (n, k) and its context (n, 2 k) to -ln p(e), shape (n,).
    conditioners : list of keras.Model
        Of each coupling: what stays and the context, to ln(scale) and shift of the others.
    """

    def __init__(self, seed: int):
        make_deterministic(seed)
        e, context = keras.Input((NUMBERS,)), keras.Input((2 * NUMBERS,))
        self.conditioners = []
        x, ln_det = e, 0.0
        for k in range(COUPLINGS):
            stay, move = self._halves(k)
            kept, changed = x[:, stay], x[:, move]
            size = changed.shape[1]
            self.conditioners.append(self._conditioner(kept.shape[1], size))
            moved = self.conditioners[-1]([kept, context])
            ln_scale, shift = moved[:, :size], moved[:, size:]
            places = np.arange(NUMBERS)
            back = np.argsort(np.concatenate([places[stay], places[move]]))
            x = ops.take(ops.concatenate([kept, changed * ops.exp(ln_scale) + shift], axis=1), back, axis=1)
            ln_det = ln_det + ops.sum(ln_scale, axis=1)
        power = 0.5 * (FREEDOM + NUMBERS)
        constant = gammaln(0.5 * FREEDOM) - gammaln(power) + 0.5 * NUMBERS * np.log(np.pi * FREEDOM)
        cost = float(constant) + power * ops.log1p(ops.sum(x**2, axis=1) / FREEDOM) - ln_det
        self.density = keras.Model([e, context], cost)

    @staticmethod
    def _halves(k: int) -> tuple[slice, slice]:
        first, second = slice(0, None, 2), slice(1, None, 2)
        return (first, second) if k % 2 else (second, first)

    @staticmethod
    def _conditioner(stay: int, move: int) -> keras.Model:
        given, context = keras.Input((stay,)), keras.Input((2 * NUMBERS,))
        x = layers.Concatenate()([given, context])
        for _ in range(2):
            x = layers.Dense(NEURONS, activation="tanh")(x)
        # Zeros: the flow starts as the identity.
        raw = layers.Dense(2 * move, kernel_initializer="zeros")(x)
        ln_scale = _STRETCH * ops.tanh(raw[:, :move] / _STRETCH)
        return keras.Model([given, context], ops.concatenate([ln_scale, raw[:, move:]], axis=1))

    def fit(self, e, context, held_e, held_context, *, epochs: int = 300, patience: int = 20, seed: int = 1) -> float:
        """Train by maximum likelihood until that of held-out views no longer improves; returns their mean -ln p."""
        self.density.compile(
            keras.optimizers.AdamW(2e-3, weight_decay=0.02), loss=lambda none, cost: cost, jit_compile=False
        )
        # Otherwise TensorFlow traces the step twice, which takes as long as its epochs.
        self.density.optimizer.build(self.density.trainable_variables)
        keras.utils.set_random_seed(seed)
        stop = keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True)
        nothing, held = np.zeros(len(e)), ([held_e, held_context], np.zeros(len(held_e)))
        # The identity is a candidate too: early stopping compares with the state before the first epoch.
        before, weights = self.cost(held_e, held_context), self.density.get_weights()
        self.density.fit([e, context], nothing, 64, epochs, verbose=0, validation_data=held, callbacks=[stop])
        after = self.cost(held_e, held_context)
        if not after < before:
            self.density.set_weights(weights)
        return min(before, after)

    def cost(self, e, context) -> float:
        """Mean -ln p(e)."""
        return float(np.mean(self.density.predict_on_batch([np.float32(e), np.float32(context)])))

    def sample(self, context: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draws of e, shape (draws, n, k)."""
        n = len(context)
        normal = rng.standard_normal((draws * n, NUMBERS))
        x = normal / np.sqrt(rng.chisquare(FREEDOM, draws * n) / FREEDOM)[:, None]
        repeated = np.tile(context, (draws, 1)).astype(np.float32)
        for k in reversed(range(COUPLINGS)):
            stay, move = self._halves(k)
            moved = ops.convert_to_numpy(self.conditioners[k].predict_on_batch([np.float32(x[:, stay]), repeated]))
            size = moved.shape[1] // 2
            x[:, move] = (x[:, move] - moved[:, size:]) * np.exp(-moved[:, :size])
        return x.reshape(draws, n, NUMBERS)


def context_of(numbers: np.ndarray) -> np.ndarray:
    """What the flow is conditioned on: the mean and ln D."""
    mean, diagonal, _ = factor(numbers)
    return np.concatenate([ops.convert_to_numpy(mean), ops.convert_to_numpy(diagonal)], axis=1)


def colour(e: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Draws of z from those of e, both of shape (draws, n, k): the inverse of `whiten`."""
    mean, diagonal, rest = (ops.convert_to_numpy(part).astype(float) for part in factor(numbers))
    spread = np.linalg.inv(np.exp(diagonal)[:, :, None] * (rest + np.eye(NUMBERS)))
    return mean + np.einsum("nkl,dnl->dnk", spread, e)
