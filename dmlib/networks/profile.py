"""From a few numbers to a physical profile: the last step of every network, without any trainable weight.

Twenty free outputs may fall with radius, which is a negative density, and zigzag where the true mass is smooth. Here
the last linear layer of an architecture gives `NUMBERS` numbers z, and the layer `Profile` makes the profile of them.
z_0 sets ln M at the pivot radius in units of the standard deviation there. The others set the increments between
neighbouring radii, relative to a mean profile:

    ln [ln M(R_i+1) - ln M(R_i)] = a_i + b tanh(u_i / b),    u_i = sum_k z_k B_ki,    b = `BOUND`.

Increments are thus positive for any z; sums of them from the pivot outwards and inwards give the profile. The basis B
consists of the polynomials in ln R up to the seventh degree, so that increments are smooth in R, and these are rotated
and scaled such that the training galaxies' coefficients are uncorrelated with unit variance. The span, that of all
polynomials, does not depend on any galaxy: leading principal components of the increments themselves spend their
freedom on the few satellites whose mass leaps at their host, and miss the inner slope of all others.

Principal axes, mean and scales come from the targets of the training galaxies. Within a few kpc these are noisy, since
they count particles. Therefore mean increments are means of the increments, not of their logarithms, and smoothed by
a polynomial too; an increment below `FLOOR` of the mean, for example 0, counts as that; one that is unknown (no
particle within R) counts as the mean; the polynomials are fitted with the inverse variance at each radius as weight.
Noise that remains widens the scales and does no other harm: z has no prior.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.polynomial.legendre import legvander

#: Polynomials of the increments. Fewest for which nine of ten validation galaxies of `quick` are represented better
#: than the noise of their particles: r.m.s. residual over noise, 90th percentile, 0.85 for 8, 1.3 for 7, 2.1 for 6.
COMPONENTS = 8

#: Numbers that an architecture must put out.
NUMBERS = COMPONENTS + 1

#: Radius at which z_0 sets the mass [kpc]: the middle of the range in which discs are observed.
PIVOT_KPC = 20.0

#: Increments differ from the mean ones by less than a factor of exp(4), so that float32 resolves them.
BOUND = 4.0

#: Smallest increment that is taken at its value, relative to the mean one.
FLOOR = 0.1

#: Least scale of a coefficient: equal training galaxies leave some freedom.
_LEAST = 0.03


@keras.saving.register_keras_serializable(package="dmlib")
class Profile(keras.layers.Layer):
    """Numbers z, shape (n, k + 1), to standardised ln M, shape (n, r), that increases with radius.

    Parameters
    ----------
    pivot : int
        Index of the pivot radius.
    mean, std : sequence of float, shape (r,)
        Scales of ln M at each radius, by which the output is standardised.
    increments : sequence of float, shape (r - 1,)
        Mean a_i of the logarithm of the increment of ln M.
    basis : sequence, shape (k, r - 1)
        B_ki.
    **keywords
        Of `keras.layers.Layer`.
    """

    def __init__(self, pivot, mean, std, increments, basis, **keywords):
        super().__init__(**{"dtype": "float32", "name": "profile", **keywords})
        self.pivot = int(pivot)
        given = {"mean": mean, "std": std, "increments": increments, "basis": basis}
        self.constants = {key: np.asarray(values, dtype=float).tolist() for key, values in given.items()}
        mean, std = np.array(self.constants["mean"]), np.array(self.constants["std"])
        # Differences in double precision: ln M is some 25, its increments are far smaller.
        self._shift = ((mean[self.pivot] - mean) / std).astype(np.float32)
        self._scale = (1.0 / std).astype(np.float32)
        self._z0 = np.float32(std[self.pivot])
        self._increments, self._basis = np.float32(increments), np.float32(basis)

    @classmethod
    def of(cls, ln_m: np.ndarray, mean: np.ndarray, std: np.ndarray, radii: np.ndarray) -> Profile:
        """With constants from the training views.

        Parameters
        ----------
        ln_m : ndarray, shape (n, r)
            Of the training views; NaN where there is no particle.
        mean, std : ndarray, shape (r,)
            See `dmlib.networks.fit.Standard`.
        radii : ndarray, shape (r,)
            Evenly spaced in ln R [kpc].
        """
        steps = np.diff(ln_m, axis=1)
        count = np.isfinite(steps).sum(axis=0)
        typical = np.maximum(np.nansum(steps, axis=0) / np.maximum(count, 1), 1e-3)
        polynomials = legvander(np.linspace(-1.0, 1.0, steps.shape[1]), COMPONENTS - 1)
        deviation = np.log(np.maximum(np.nan_to_num(steps / typical, nan=1.0), FLOOR))
        weight = 1.0 / np.maximum(deviation.var(axis=0), 1e-4)
        to_coefficients = np.linalg.pinv(polynomials * np.sqrt(weight)[:, None]) * np.sqrt(weight)
        variance, axes = np.linalg.eigh(np.cov(deviation @ to_coefficients.T, rowvar=False))
        scale = np.sqrt(np.maximum(variance, _LEAST**2))
        basis = ((polynomials @ axes) * scale).T[::-1]
        smooth = polynomials @ (to_coefficients @ np.log(typical))
        return cls(np.abs(np.log(radii / PIVOT_KPC)).argmin(), mean, std, smooth, basis)

    def call(self, z):
        """See the text of this module."""
        # A sum of products, not a matrix product, which accelerators round to ten bits.
        deviation = ops.sum(z[:, 1:, None] * self._basis, axis=1)
        steps = ops.exp(self._increments + BOUND * ops.tanh(deviation / BOUND))
        outwards = ops.cumsum(steps[:, self.pivot :], axis=1)
        inwards = ops.flip(ops.cumsum(ops.flip(steps[:, : self.pivot], axis=1), axis=1), axis=1)
        at_pivot = self._z0 * z[:, :1]
        from_pivot = ops.concatenate([-inwards, ops.zeros_like(at_pivot), outwards], axis=1)
        return self._shift + self._scale * (at_pivot + from_pivot)

    def compute_output_shape(self, shape):
        """(n, k + 1) to (n, r)."""
        return (shape[0], len(self._shift))

    def get_config(self) -> dict[str, Any]:
        """The constants, which are stored in the network's file."""
        constants = {key: np.asarray(values).tolist() for key, values in self.constants.items()}
        return {**super().get_config(), "pivot": self.pivot, **constants}


def with_profile(model: keras.Model, profile: Profile) -> keras.Model:
    """A network whose `NUMBERS` outputs go through the layer; it has the same name and weights."""
    return keras.Model(model.inputs, profile(model.outputs[0]), name=model.name)
