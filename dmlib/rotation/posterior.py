"""Priors and likelihood of a mass model, for many sets of parameters at once.

Every parameter is a function of a standard normal variable, ``theta = T(z)``. All priors are then the same normal
distribution in z, whatever their form; a walker cannot leave their range, and a draw from the prior is a draw of z.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Row
from numba import njit
from scipy.special import ndtr, ndtri

from ..errors import DmlibError, GalaxyError
from ..units import G
from . import halos
from .curve import Reason, RejectedGalaxyError
from .halos import CONCENTRATION_SCATTER, STELLAR_SCATTER, HaloModel, Halos, log_concentration, log_stellar_mass
from .massmodel import HALF_MASS, MASS_SCATTER, UPSILON_BULGE, UPSILON_DISK, MassModel, signed_square

#: Added in quadrature to the rings' error of the inclination [deg]: a warp or an arm changes the tilt by more than the
#: formal error. Our choice.
INCLINATION_FLOOR = 2.0

Values = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Uniform:
    """All values between two limits are equally likely."""

    low: float
    high: float

    def transform(self, z: np.ndarray, values: Values | None = None) -> np.ndarray:
        """Value of the parameter for a standard normal variable."""
        return self.low + (self.high - self.low) * ndtr(z)


@dataclass(frozen=True)
class Normal:
    """A measured value with its error, truncated at physical limits."""

    mean: float
    sigma: float
    low: float = -math.inf
    high: float = math.inf

    def transform(self, z: np.ndarray, values: Values | None = None) -> np.ndarray:
        """Value of the parameter for a standard normal variable."""
        if self.low == -math.inf and self.high == math.inf:
            return self.mean + self.sigma * z
        below, above = ndtr((self.low - self.mean) / self.sigma), ndtr((self.high - self.mean) / self.sigma)
        return np.clip(self.mean + self.sigma * ndtri(below + ndtr(z) * (above - below)), self.low, self.high)


@dataclass(frozen=True)
class ConcentrationRelation:
    """log10 concentration of haloes without baryons with its scatter: a prediction of cold dark matter.

    For the models that derive from it (Dutton & Macciò 2014).
    """

    def transform(self, z: np.ndarray, values: Values) -> np.ndarray:
        """Value of the parameter for a standard normal variable, given ``values["log_m200"]``."""
        return log_concentration(values["log_m200"]) + CONCENTRATION_SCATTER * z


Prior = Uniform | Normal | ConcentrationRelation


@dataclass(frozen=True)
class Priors:
    """Priors on the parameters of one galaxy's mass model; None keeps a parameter at its nominal value.

    Parameters
    ----------
    log_m200 : Uniform or Normal
        log10 M200 [Msun]. The default is wider than the range of disc galaxies.
    log_c : Uniform, Normal or ConcentrationRelation
        log10 concentration. The default is uninformative; use it to compare the evidences of different models.
    stellar_to_halo : bool
        Whether the stellar mass of the model and M200 follow Moster et al. (2013), with `STELLAR_SCATTER`.
    log_upsilon_disk, log_upsilon_bulge : Normal or None
        log10 of the stellar mass-to-light ratios. At 3.6 micron 0.5 and 0.7 Msun/Lsun with 0.1 dex (Li et al. 2018,
        after McGaugh & Schombert 2014).
    distance : Normal or None
        True distance over the nominal one. Radii and the squared speeds of the visible components scale with it.
    inclination : Normal or None
        True inclination [deg]; needs `nominal_inclination`.
    nominal_inclination : float
        Inclination used to correct the measured speeds [deg].
    log_jitter : Uniform or None
        log10 of a scatter [km/s] added in quadrature to the errors of the speeds, because no model follows every
        feature of a curve (streaming gas, warps, points that share a beam). Without it the posterior of a curve with
        small errors is far too narrow.
    """

    log_m200: Prior = Uniform(9.0, 14.0)
    log_c: Prior = Uniform(0.0, 2.0)
    stellar_to_halo: bool = False
    log_upsilon_disk: Normal | None = Normal(math.log10(UPSILON_DISK), MASS_SCATTER)
    log_upsilon_bulge: Normal | None = Normal(math.log10(UPSILON_BULGE), MASS_SCATTER)
    distance: Normal | None = None
    inclination: Normal | None = None
    nominal_inclination: float = math.nan
    log_jitter: Uniform | None = Uniform(-1.0, 1.5)

    def __post_init__(self) -> None:
        if self.inclination is not None and not 0 < self.nominal_inclination <= 90:
            raise DmlibError(
                "a prior on the inclination needs nominal_inclination, the one used to correct the speeds [deg]"
            )

    def names(self, halo: HaloModel, model: MassModel) -> tuple[str, ...]:
        """Names of the free parameters, in the order of z."""
        names = ["log_m200", "log_c"]
        if halo.has_shape:
            names.append("shape")
        if self.log_upsilon_disk is not None and np.any(model.v_disk != 0):
            names.append("log_upsilon_disk")
        if self.log_upsilon_bulge is not None and np.any(model.v_bulge != 0):
            names.append("log_upsilon_bulge")
        names += [name for name in ("distance", "inclination", "log_jitter") if getattr(self, name) is not None]
        return tuple(names)

    def transform(self, z: np.ndarray, names: tuple[str, ...], halo: HaloModel) -> dict[str, np.ndarray]:
        """Parameters for standard normal variables.

        Parameters
        ----------
        z : ndarray, shape (n, len(names))
        names : tuple of str
            From `names`.
        halo : HaloModel

        Returns
        -------
        dict of ndarray, shape (n,)
        """
        values: dict[str, np.ndarray] = {}
        for k, name in enumerate(names):
            if name == "shape":
                values[name] = halo.shape_prior(z[:, k], values["log_m200"])
            else:
                values[name] = getattr(self, name).transform(z[:, k], values)
        return values


def sparc_priors(row: Row) -> Priors:
    """Priors of a SPARC galaxy: distance and inclination with their errors, mass-to-light ratios at 3.6 micron.

    Parameters
    ----------
    row : Row
        Of `dmlib.rotation.sparc.read_table1`.
    """
    distance, distance_err = row["distance"].to_value(u.Mpc), row["distance_err"].to_value(u.Mpc)
    angle, angle_err = row["inclination"].to_value(u.deg), row["inclination_err"].to_value(u.deg)
    return Priors(
        distance=Normal(1.0, distance_err / distance, 0.1, 3.0) if distance_err > 0 else None,
        inclination=Normal(angle, angle_err, 5.0, 90.0) if angle_err > 0 else None,
        nominal_inclination=float(angle),
    )


def observed_priors(model: MassModel) -> Priors:
    """Priors of an observer: stellar masses to `MASS_SCATTER`, the inclination to the error of the rings.

    `INCLINATION_FLOOR` is added in quadrature to that error. The distance is known.
    """
    error = float(np.hypot(model.inclination_err, INCLINATION_FLOOR))
    return Priors(
        log_upsilon_disk=Normal(math.log10(model.upsilon_disk), MASS_SCATTER),
        log_upsilon_bulge=Normal(math.log10(model.upsilon_bulge), MASS_SCATTER),
        inclination=Normal(model.inclination, error, 5.0, 90.0),
        nominal_inclination=model.inclination,
    )


def known(**changes: Any) -> Priors:
    """Priors for known stellar mass, distance and inclination, as in a simulation; other fields by keyword."""
    return replace(Priors(log_upsilon_disk=None, log_upsilon_bulge=None), **changes)


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
        values = self.priors.transform(z, self.names, self.halo)
        n = len(z)
        defaults = {
            "shape": 0.0,
            "log_upsilon_disk": math.log10(self.model.upsilon_disk),
            "log_upsilon_bulge": math.log10(self.model.upsilon_bulge),
            "distance": 1.0,
            "inclination": self.priors.nominal_inclination,
            "log_jitter": -math.inf,
        }
        return {**{name: np.full(n, value) for name, value in defaults.items() if name not in values}, **values}

    def stellar_mass(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """Stellar mass from the outermost point, ``V^2 R / G`` [Msun], shape (n,): accurate to 0.1 dex."""
        model, square = self.model, np.zeros(1)
        for name, speed in (("log_upsilon_disk", model.v_disk), ("log_upsilon_bulge", model.v_bulge)):
            square = square + 10.0 ** values[name] * max(signed_square(speed)[-1], 0.0)
        return np.maximum(square * model.radius[-1] / G * values["distance"] ** 2, 1.0)

    def haloes(self, values: dict[str, np.ndarray]) -> Halos:
        """The haloes for given parameters."""
        return halos.make(
            self.halo,
            values["log_m200"],
            values["log_c"],
            extra=values["shape"],
            m_star=self.stellar_mass(values),
            r_half=HALF_MASS * self.model.r_disk,
        )

    def tilt(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """Sine of the inclination over the sine of the nominal one, shape (n,)."""
        if self.priors.inclination is None:
            return np.ones(len(values["distance"]))
        return np.sin(np.radians(values["inclination"])) / math.sin(math.radians(self.priors.nominal_inclination))

    def log_likelihood(self, z: np.ndarray) -> np.ndarray:
        """Log of the likelihood [speeds in km/s], shape (n,); it includes the prior on the stellar-to-halo ratio."""
        values = self.parameters(np.atleast_2d(z))
        jitter = 10.0 ** values["log_jitter"][:, None]
        total = _log_normal(self.model.v_obs, self.speeds(values)[0], self.model.v_err**2 + jitter**2)
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
