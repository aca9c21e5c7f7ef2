"""The target as a network is given it: ln M at each radius, less its mean and over its spread in the training set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .card import NetworkError


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
        """From the training views' targets, shape (n, 20); NaN (no particle within R) does not count.

        Raises
        ------
        NetworkError
            When a radius has fewer than two finite targets or all of them are equal.
        """
        n = np.isfinite(ln_m).sum(axis=0)
        if (n < 2).any():
            raise NetworkError(
                f"radius {int(np.argmin(n))} has {n.min()} training targets: a network needs more galaxies "
                "(or radii that hold particles)."
            )
        mean, std = np.nanmean(ln_m, axis=0), np.nanstd(ln_m, axis=0)
        if not (std > 0).all():
            raise NetworkError(f"all training targets at radius {int(np.argmin(std))} are equal: nothing to learn.")
        return cls(mean, std)

    def scale(self, ln_m: np.ndarray) -> np.ndarray:
        """From ln M to what the network is trained on, float32."""
        return ((ln_m - self.mean) / self.std).astype(np.float32)

    def unscale(self, scaled: np.ndarray) -> np.ndarray:
        """From the network's output to ln M."""
        return np.asarray(scaled, dtype=float) * self.std + self.mean
