"""The posterior of a mass model: priors and likelihood, for many sets of parameters at once.

Every parameter is a function of a standard normal variable, see `dmlib.rotation.priors`. All priors are then the same
normal distribution in z, whatever their form; a walker cannot leave their range, and a draw from the prior is a draw of
z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from ..errors import GalaxyError
from ..settings import RADII_KPC
from ..units import G
from . import halos
from .curve import Reason, RejectedGalaxyError
from .halos import DARK, STELLAR_SCATTER, HaloModel, Halos, log_stellar_mass
from .massmodel import MassModel, signed_square
from .priors import Priors


@njit(cache=True)
def _log_normal(v_obs, speed, variance):
    """Log of the normal density of measured speeds, (radii,) about (n, radii), shape (n,)."""
    out = np.empty(len(speed))
    for i in range(len(speed)):
        total = 0.0
        for j in range(len(v_obs)):
            total -= 0.5 * ((v_obs[j] - speed[i, j]) ** 2 / variance[i, j] + math.log(2 * math.pi * variance[i, j]))
        out[i] = total
    return out


@dataclass(frozen=True)
class Likelihood:
    """A rotation curve, a halo model and priors: the function that is sampled.

    The measured speeds are compared with the speed of the model as it would have been measured: at the radius for the
    true distance, projected with the true inclination and corrected with the nominal one. The errors are normal and
    independent.

    Parameters
    ----------
    model : MassModel
    halo : HaloModel
    priors : Priors

    Raises
    ------
    GalaxyError
        When the curve has fewer than three radii, or an error that is not positive.
    """

    model: MassModel
    halo: HaloModel
    priors: Priors

    def __post_init__(self) -> None:
        model = self.model
        if len(model.radius) < 3:
            raise RejectedGalaxyError(
                f"{model.galaxy} has {len(model.radius)} measured radii, fewer than the 3 of a fit.", Reason.FEW_RINGS
            )
        arrays = (model.radius, model.v_obs, model.v_err, model.v_gas, model.v_disk, model.v_bulge)
        if not all(np.all(np.isfinite(values)) for values in arrays):
            raise GalaxyError(f"{model.galaxy} has a rotation curve with values that are not finite: leave them out.")
        if np.any(model.v_err <= 0) or np.any(model.radius <= 0):
            raise GalaxyError(f"{model.galaxy} has a radius or an error of speed that is not positive: leave it out.")

    @property
    def names(self) -> tuple[str, ...]:
        """Free parameters, in the order of z."""
        return self.priors.names(self.halo, self.model)

    def parameters(self, z: np.ndarray) -> dict[str, np.ndarray]:
        """All parameters including the fixed ones, shape (n,) each."""
        return self.priors.transform(z, self.names, self.halo, self.model)

    def haloes(self, values: dict[str, np.ndarray]) -> Halos:
        """The haloes for given parameters."""
        return halos.make(
            self.halo,
            values["log_m200"],
            values["log_c"],
            extra=values["shape"],
            m_star=10.0 ** values["log_m_star"],
            r_half=self.model.r_half,
        )

    def tilt(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """Sine of the inclination over the sine of the nominal one, shape (n,)."""
        if self.priors.inclination is None:
            return np.ones(len(values["distance"]))
        return np.sin(np.radians(values["inclination"])) / math.sin(math.radians(self.priors.nominal_inclination))

    def log_likelihood(self, z: np.ndarray) -> np.ndarray:
        """Log of the likelihood [speeds in km/s], shape (n,), with the priors on stars-to-halo ratio and profile."""
        values = self.parameters(np.atleast_2d(z))
        jitter = 10.0 ** values["log_jitter"][:, None]
        total = _log_normal(self.model.v_obs, self.speeds(values)[0], self.model.v_err**2 + jitter**2)
        total *= self.priors.trust
        if self.priors.stellar_to_halo:
            off = values["log_m_star"] - log_stellar_mass(values["log_m200"] - DARK)
            total -= 0.5 * (off / STELLAR_SCATTER) ** 2 + math.log(math.sqrt(2 * math.pi) * STELLAR_SCATTER)
        if self.priors.profile is not None:
            total += self.priors.profile.log_density(np.log(self.haloes(values).m_enclosed(RADII_KPC)))
        return np.where(np.isfinite(total), total, -np.inf)

    def log_posterior(self, z: np.ndarray) -> np.ndarray:
        """Log of likelihood times prior in z, shape (n,)."""
        z = np.atleast_2d(z)
        prior = -0.5 * np.sum(z**2, axis=1) - 0.5 * z.shape[1] * math.log(2 * math.pi)
        return self.log_likelihood(z) + prior

    def speeds(self, values: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Speed of the whole model as measured, and of its halo, at the nominal radii [km/s], shape (n, radii) each."""
        model = self.model
        r = model.radius * values["distance"][:, None]
        some = self.haloes(values)
        dark = G * some.norm[:, None] * some.mu(r) / r
        visible = signed_square(model.v_gas) + 10.0 ** values["log_upsilon_disk"][:, None] * signed_square(model.v_disk)
        visible = visible + 10.0 ** values["log_upsilon_bulge"][:, None] * signed_square(model.v_bulge)
        total = np.sqrt(np.maximum(dark + visible * values["distance"][:, None], 0.0))
        return total * self.tilt(values)[:, None], np.sqrt(dark)


def likelihood(model: MassModel, halo: str, priors: Priors) -> Likelihood:
    """The likelihood for a halo model given by name."""
    return Likelihood(model, halos.halo_model(halo), priors)
