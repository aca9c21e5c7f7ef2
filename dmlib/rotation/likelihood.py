"""How well mass models explain a rotation curve: many sets of parameters at once, compiled."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from ..errors import GalaxyError
from ..units import G
from . import halos
from .halos import HaloModel, Halos, mass_shape
from .massmodel import MassModel, signed_square
from .priors import STELLAR_SCATTER, Priors, log_stellar_mass

_G = float(G)

#: Half-mass radius of an exponential disc in scale lengths.
_HALF = 1.678


@njit(cache=True)
def _log_likelihood(
    kind, norm, scale, shape, disk, bulge, distance, tilt, jitter, radius, v_obs, v_err, sq_gas, sq_disk, sq_bulge
):
    """Log of the likelihood of each row of parameters, shape (n,); see `Likelihood`."""
    out = np.empty(norm.size)
    for i in range(norm.size):
        total = 0.0
        for j in range(radius.size):
            r = radius[j] * distance[i]
            square = _G * norm[i] * mass_shape(kind, r / scale[i], shape[i]) / r
            square += distance[i] * (sq_gas[j] + disk[i] * sq_disk[j] + bulge[i] * sq_bulge[j])
            speed = math.sqrt(square) * tilt[i] if square > 0 else 0.0
            variance = v_err[j] ** 2 + jitter[i] ** 2
            total -= 0.5 * ((v_obs[j] - speed) ** 2 / variance + math.log(2 * math.pi * variance))
        out[i] = total
    return out


@dataclass(frozen=True)
class Likelihood:
    """A rotation curve, a halo model and priors: the function that samplers climb.

    The measured speeds are compared, as they stand, with the model's speed as it would have been measured: at the
    radius that the true distance gives, projected with the true inclination and corrected with the nominal one. The
    errors are normal and independent.

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
            raise GalaxyError(f"{model.galaxy} has {len(model.radius)} measured radii, fewer than the 3 of a fit.")
        arrays = (model.radius, model.v_obs, model.v_err, model.v_gas, model.v_disk, model.v_bulge)
        if not all(np.all(np.isfinite(values)) for values in arrays):
            raise GalaxyError(f"{model.galaxy} has a rotation curve with values that are no numbers: leave them out.")
        if np.any(model.v_err <= 0) or np.any(model.radius <= 0):
            raise GalaxyError(f"{model.galaxy} has a radius or an error of speed that is not positive: leave it out.")

    @property
    def names(self) -> tuple[str, ...]:
        """Free parameters, in the order of z."""
        return self.priors.names(self.halo.name, self.model)

    def parameters(self, z: np.ndarray) -> dict[str, np.ndarray]:
        """All parameters, the fixed ones too, shape (n,) each."""
        values = self.priors.transform(z, self.names, self.halo.name)
        n = len(z)
        defaults = {
            "shape": 0.0,
            "log_upsilon_disk": math.log10(self.model.upsilon_disk),
            "log_upsilon_bulge": math.log10(self.model.upsilon_bulge),
            "distance": 1.0,
            "inclination": self.priors.nominal_inclination,
        }
        return {**{name: np.full(n, value) for name, value in defaults.items() if name not in values}, **values}

    def stellar_mass(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """Mass of stars that the outermost point stands for, ``V^2 R / G`` [Msun], shape (n,): good to 0.1 dex."""
        model, square = self.model, 0.0
        for name, speed in (("log_upsilon_disk", model.v_disk), ("log_upsilon_bulge", model.v_bulge)):
            square = square + 10.0 ** values[name] * max(signed_square(speed)[-1], 0.0)
        return np.maximum(square * model.radius[-1] / G * values["distance"] ** 2, 1.0)

    def haloes(self, values: dict[str, np.ndarray]) -> Halos:
        """The haloes of some parameters."""
        needs_mass = self.halo.kind == halos.DC14
        return halos.make(
            self.halo,
            values["log_m200"],
            values["log_c"],
            extra=values["shape"],
            m_star=self.stellar_mass(values) if needs_mass else math.nan,
            r_half=_HALF * self.model.r_disk,
        )

    def tilt(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """Sine of the inclination over that of the nominal one, shape (n,)."""
        if self.priors.inclination is None:
            return np.ones(len(values["distance"]))
        return np.sin(np.radians(values["inclination"])) / math.sin(math.radians(self.priors.nominal_inclination))

    def log_likelihood(self, z: np.ndarray) -> np.ndarray:
        """Log of the likelihood [speeds in km/s], shape (n,); a prior on the stellar-to-halo ratio is part of it."""
        values = self.parameters(np.atleast_2d(z))
        some, model = self.haloes(values), self.model
        jitter = 10.0 ** values["log_jitter"] if "log_jitter" in values else np.zeros(len(some.norm))
        total = _log_likelihood(
            self.halo.kind,
            some.norm,
            some.scale,
            some.shape,
            10.0 ** values["log_upsilon_disk"],
            10.0 ** values["log_upsilon_bulge"],
            values["distance"],
            self.tilt(values),
            jitter,
            model.radius,
            model.v_obs,
            model.v_err,
            signed_square(model.v_gas),
            signed_square(model.v_disk),
            signed_square(model.v_bulge),
        )
        if self.priors.stellar_to_halo:
            off = np.log10(self.stellar_mass(values)) - log_stellar_mass(values["log_m200"])
            total -= 0.5 * (off / STELLAR_SCATTER) ** 2 + math.log(math.sqrt(2 * math.pi) * STELLAR_SCATTER)
        return np.where(np.isfinite(total), total, -np.inf)

    def log_posterior(self, z: np.ndarray) -> np.ndarray:
        """Log of likelihood times prior in z, shape (n,)."""
        z = np.atleast_2d(z)
        prior = -0.5 * np.sum(z**2, axis=1) - 0.5 * z.shape[1] * math.log(2 * math.pi)
        return self.log_likelihood(z) + prior

    def speeds(self, values: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Speed of the whole model as measured, and of its halo, at the nominal radii [km/s], shapes (n, radii)."""
        model = self.model
        r = model.radius * values["distance"][:, None]
        some = self.haloes(values)
        dark = G * some.norm[:, None] * halos._mass_shapes(self.halo.kind, r / some.scale[:, None], some.shape) / r
        visible = signed_square(model.v_gas) + 10.0 ** values["log_upsilon_disk"][:, None] * signed_square(model.v_disk)
        visible = visible + 10.0 ** values["log_upsilon_bulge"][:, None] * signed_square(model.v_bulge)
        total = np.sqrt(np.maximum(dark + visible * values["distance"][:, None], 0.0))
        return total * self.tilt(values)[:, None], np.sqrt(dark)


def of(model: MassModel, halo: str, priors: Priors) -> Likelihood:
    """A likelihood by the name of its halo model."""
    return Likelihood(model, halos.halo_model(halo), priors)
