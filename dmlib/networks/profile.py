"""From a few numbers to a physical profile: the last step of every network, without any trainable weight.

Twenty free outputs may fall with radius, which is a negative density, and zigzag where the true mass is smooth. Here
the last linear layer of an architecture gives `NUMBERS` numbers z, and the layer `Profile` makes the profile of them.
They are the coefficients of a smooth deviation from the mean profile,

    d_i = sum_k z_k B_ki,

in which the basis B consists of the polynomials in ln R up to the eighth degree. Its value at the pivot radius is kept,
and the increments between neighbouring radii, with m_i the mean ones, become

    ln M(R_i+1) - ln M(R_i) = m_i f[1 + (d_i+1 - d_i) / m_i],    f(x) = e + s ln{1 + exp[(x - e) / s]},

where e = `LEAST` and s = `SOFTNESS`: f(x) = x where x is well above s, and never less than e. So each increment is
positive for any z, and ln M = mean + d, exactly linear in z, wherever that increases clearly.

The basis is rotated and scaled such that the training galaxies' coefficients are uncorrelated with unit variance. A
network that is free at each radius, or that sets logarithms of increments, was no more accurate on validation galaxies
(C and A at profile ``quick``, one training each).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.polynomial.legendre import legvander

#: Numbers that an architecture must put out: coefficients of the polynomials up to the eighth degree. Profiles of
#: validation galaxies of `quick` are represented to about 6% of the standard deviation between galaxies, particle noise
#: included; networks err by half a standard deviation.
NUMBERS = 9

#: Radius at which the deviation is kept [kpc]: the middle of the range in which discs are observed.
PIVOT_KPC = 20.0

#: Smallest increment, relative to the mean one, so that profiles increase in float32 too.
LEAST = 0.01

#: Relative increment below which an increment is no longer linear in z.
SOFTNESS = 0.1

#: Least scale of a coefficient: equal training galaxies leave some freedom.
_LEAST_SCALE = 0.1


class Profile(keras.layers.Layer):
    """Numbers z, shape (n, k), to standardised ln M, shape (n, r), that increases with radius.

    Parameters
    ----------
    pivot : int
        Index of the pivot radius.
    mean, std : sequence of float, shape (r,)
        Scales of ln M at each radius, by which the output is standardised.
    increments : sequence of float, shape (r - 1,)
        Mean increment m_i of ln M.
    basis : sequence, shape (k, r)
        B_ki.
    **keywords
        Of `keras.layers.Layer`.
    """

    def __init__(self, pivot, mean, std, increments, basis, **keywords):
        super().__init__(**{"dtype": "float32", "name": "profile", **keywords})
        self.pivot = int(pivot)
        given = {"mean": mean, "std": std, "increments": increments, "basis": basis}
        self.constants = {key: np.asarray(values, dtype=float).tolist() for key, values in given.items()}
        mean, std, basis = np.array(self.constants["mean"]), np.array(self.constants["std"]), np.array(basis)
        # Differences in double precision: ln M is some 25, its increments are far smaller.
        self._shift = ((mean[self.pivot] - mean) / std).astype(np.float32)
        self._scale = (1.0 / std).astype(np.float32)
        self._increments = np.float32(increments)
        self._slopes = np.float32(np.diff(basis, axis=1) / np.asarray(increments))
        self._at_pivot = np.float32(basis[:, self.pivot])

    @classmethod
    def of(cls, ln_m: np.ndarray, mean: np.ndarray, std: np.ndarray, radii: np.ndarray) -> Profile:
        """With constants from the training views.

        Parameters
        ----------
        ln_m : ndarray, shape (n, r)
            Of the training views; NaN, where there is no particle, counts as the mean.
        mean, std : ndarray, shape (r,)
            See `dmlib.networks.fit.Standard`.
        radii : ndarray, shape (r,)
            Evenly spaced in ln R [kpc].
        """
        pivot, increments = int(np.abs(np.log(radii / PIVOT_KPC)).argmin()), _mean_increments(ln_m)
        middle = np.concatenate([[0.0], np.cumsum(increments)])
        middle += mean[pivot] - middle[pivot]
        # In standard deviations each radius has the same weight, as in the loss.
        polynomials = legvander(np.linspace(-1.0, 1.0, len(radii)), NUMBERS - 1) / std[:, None]
        orthonormal = np.linalg.qr(polynomials)[0]
        coefficients = np.nan_to_num((ln_m - middle) / std) @ orthonormal
        variance, axes = np.linalg.eigh(np.atleast_2d(np.cov(coefficients, rowvar=False)))
        basis = (orthonormal @ axes * np.sqrt(np.maximum(variance, _LEAST_SCALE**2))).T[::-1] * std
        return cls(pivot, mean, std, increments, basis)

    def call(self, z):
        """See the text of this module."""
        # Sums of products, not matrix products, which accelerators round to ten bits.
        relative = 1.0 + ops.sum(z[:, :, None] * self._slopes, axis=1)
        steps = self._increments * (LEAST + SOFTNESS * ops.softplus((relative - LEAST) / SOFTNESS))
        outwards = ops.cumsum(steps[:, self.pivot :], axis=1)
        inwards = ops.flip(ops.cumsum(ops.flip(steps[:, : self.pivot], axis=1), axis=1), axis=1)
        at_pivot = ops.sum(z * self._at_pivot, axis=1, keepdims=True)
        from_pivot = ops.concatenate([-inwards, ops.zeros_like(at_pivot), outwards], axis=1)
        return self._shift + self._scale * (at_pivot + from_pivot)

    def compute_output_shape(self, shape):
        """(n, k) to (n, r)."""
        return (shape[0], len(self._shift))

    def get_config(self) -> dict[str, Any]:
        """The constants, which are stored in the network's file."""
        constants = {key: np.asarray(values).tolist() for key, values in self.constants.items()}
        return {**super().get_config(), "pivot": self.pivot, **constants}


# Not as a decorator, which the stand-in of Keras that the pages of the API are made with would turn into another class.
keras.saving.register_keras_serializable("dmlib")(Profile)


def _mean_increments(ln_m: np.ndarray) -> np.ndarray:
    """Mean of the known increments, smooth in ln R, shape (r - 1,).

    Within a few kpc targets count few particles: increments scatter, and some are unknown. Each weighs as well as its
    mean is known.
    """
    steps = np.diff(ln_m, axis=1)
    count = np.maximum(np.isfinite(steps).sum(axis=0), 1)
    mean = np.maximum(np.nansum(steps, axis=0) / count, 1e-3)
    error = np.sqrt(np.nan_to_num((steps - mean) ** 2).sum(axis=0)) / count / mean
    weight = 1.0 / np.maximum(error, 1e-3)
    polynomials = legvander(np.linspace(-1.0, 1.0, steps.shape[1]), NUMBERS - 2)
    found = np.linalg.lstsq(polynomials * weight[:, None], np.log(mean) * weight, rcond=None)[0]
    return np.exp(polynomials @ found)


def with_profile(model: keras.Model, profile: Profile) -> keras.Model:
    """A network whose `NUMBERS` outputs go through the layer; it has the same name and weights."""
    return keras.Model(model.inputs, profile(model.outputs[0]), name=model.name)
