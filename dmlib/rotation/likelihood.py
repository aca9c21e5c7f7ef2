"""The likelihood of a rotation curve under a halo model and priors, and curves drawn from them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numba import njit

from ..errors import DmlibError, GalaxyError
from ..settings import RADII_KPC
from ..units import G
from . import halos
from .baryons import signed_square
from .curve import Reason, RejectedGalaxyError
from .halos import HaloModel, Halos
from .massmodel import MassModel
from .priors import DARK, STELLAR_SCATTER, Priors, log_stellar_mass


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


@njit(cache=True)
def _add_speeds(dark, gas, disc, bulge, upsilon_disk, upsilon_bulge, distance, tilt):
    """Speed of all components together, shape (n, radii), from the halo's and the others' signed squares."""
    out = np.empty_like(dark)
    for i in range(len(dark)):
        for j in range(len(gas)):
            visible = gas[j] + upsilon_disk[i] * disc[j] + upsilon_bulge[i] * bulge[j]
            out[i, j] = math.sqrt(max(dark[i, j] + visible * distance[i], 0.0)) * tilt[i]
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
                f"{model.galaxy}: {len(model.radius)} measured radii, fewer than 3", Reason.FEW_RINGS
            )
        arrays = (model.radius, model.v_obs, model.v_err, model.v_gas, model.v_disk, model.v_bulge)
        if not all(np.all(np.isfinite(values)) for values in arrays):
            raise GalaxyError(f"{model.galaxy} has a rotation curve with values that are not finite: leave them out.")
        if np.any(model.v_err <= 0) or np.any(model.radius <= 0):
            raise GalaxyError(f"{model.galaxy} has a radius or an error of speed that is not positive: leave it out.")

    @cached_property
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
        total += self._log_known(values)
        return np.where(np.isfinite(total), total, -np.inf)

    def _log_known(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """Log of the priors that join several parameters: on the stars-to-halo ratio and on the profile, shape (n,)."""
        total = np.zeros(len(values["log_m200"]))
        if self.priors.stellar_to_halo:
            off = values["log_m_star"] - log_stellar_mass(values["log_m200"] - DARK)
            total -= 0.5 * (off / STELLAR_SCATTER) ** 2 + math.log(math.sqrt(2 * math.pi) * STELLAR_SCATTER)
        if self.priors.profile is not None:
            total += self.priors.profile.log_density(np.log(self.haloes(values).m_enclosed(RADII_KPC)))
        return total

    def draw(self, rng: np.random.Generator, *, among: int = 1) -> tuple[MassModel, np.ndarray]:
        """A rotation curve drawn from the model, with noise as assumed, and the dark mass of its halo.

        Intervals of fits to many such curves must contain the truth as often as they say (Cook et al. 2006).

        Parameters
        ----------
        rng : numpy.random.Generator
        among : int
            Draws from the priors of single parameters, one of which is chosen by the priors that join several
            (`Priors.stellar_to_halo` and `Priors.profile`); many where these are narrow.

        Returns
        -------
        MassModel
            With the radii, errors and visible matter of `model`.
        m_dm : ndarray, shape (20,)
            Within `RADII_KPC` [Msun].

        Raises
        ------
        DmlibError
            When joint priors leave fewer than ten independent draws to choose from: draw among more.
        """
        z = rng.normal(size=(among, len(self.names)))
        if self.priors.stellar_to_halo or self.priors.profile is not None:
            log_w = self._log_known(self.parameters(z))
            weight = np.exp(log_w - log_w.max())
            if (worth := weight.sum() ** 2 / np.sum(weight**2)) < 10:
                raise DmlibError(f"{among} draws are worth {worth:.1f} under the joint priors: draw among more.")
            z = z[rng.choice(among, size=1, p=weight / weight.sum())]
        values = self.parameters(z[:1])
        noise = np.hypot(self.model.v_err, 10.0 ** values["log_jitter"][0]) * rng.normal(size=len(self.model.radius))
        curve = replace(self.model, v_obs=self.speeds(values)[0][0] + noise)
        return curve, self.haloes(values).m_enclosed(RADII_KPC)[0]

    def speeds(self, values: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Speed of the whole model as measured, and of its halo, at the nominal radii [km/s], shape (n, radii) each."""
        r = self.model.radius * values["distance"][:, None]
        some = self.haloes(values)
        dark = (G * some.norm)[:, None] * some.mu(r) / r
        upsilon = (10.0 ** values[f"log_upsilon_{part}"] for part in ("disk", "bulge"))
        return _add_speeds(dark, *self._squares, *upsilon, values["distance"], self.tilt(values)), np.sqrt(dark)

    @cached_property
    def _squares(self) -> tuple[np.ndarray, ...]:
        """Signed squares of the speeds due to gas, disc and bulge, shape (radii,) each."""
        return tuple(map(signed_square, (self.model.v_gas, self.model.v_disk, self.model.v_bulge)))
