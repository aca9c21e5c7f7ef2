"""Priors on the parameters of a mass model, and on its dark-matter profile.

Every parameter is a function of a standard normal variable, ``theta = T(z)``, which may depend on parameters before it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Row
from scipy.special import ndtr, ndtri

from ..embedded import relations
from ..errors import DmlibError
from ..units import HUBBLE
from .halos import BARYON_FRACTION, HaloModel
from .massmodel import MASS_SCATTER, UPSILON_BULGE, UPSILON_DISK, MassModel

#: Added in quadrature to the rings' error of the inclination [deg]: a warp or an arm changes the tilt by more than the
#: formal error. Our choice.
INCLINATION_FLOOR = 2.0

Values = Mapping[str, np.ndarray]

#: log10 of the dark share of all matter. A fitted halo holds the dark matter only, while relations of simulations
#: without baryons call the whole mass M200.
DARK = math.log10(1.0 - BARYON_FRACTION)

#: Scatter of log10 c200 of all haloes at one mass [dex] (Diemer & Kravtsov 2015); of relaxed ones alone it is 0.11
#: (Dutton & Macciò 2014, section 3), but nobody knows from its disc whether a halo is relaxed.
CONCENTRATION_SCATTER = 0.16

#: Scatter of log10 of the stellar mass at one halo mass [dex] (Moster, Naab & White 2013, section 4).
STELLAR_SCATTER = 0.15


def log_concentration(log_m200: np.ndarray) -> np.ndarray:
    """Mean log10 c200 of haloes without baryons at z = 0 (Dutton & Macciò 2014, equation 8, NFW, Planck cosmology)."""
    return 0.905 - 0.101 * (log_m200 - 12 + math.log10(HUBBLE))


def log_stellar_mass(log_m200: np.ndarray) -> np.ndarray:
    """Mean log10 stellar mass [Msun] at z = 0 (Moster, Naab & White 2013, equation 2 and table 1)."""
    return np.log10(relations.stellar_mass(10.0**log_m200))


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
        return log_concentration(values["log_m200"] - DARK) + CONCENTRATION_SCATTER * z


@dataclass(frozen=True)
class MassFunction:
    """log10 M200 of haloes as frequent as they are (Tinker et al. 2008): light ones are far more frequent than heavy.

    A halo that is inferred from an uncertain stellar mass is more often a light one whose stars are overestimated than
    a heavy one whose stars are underestimated (Eddington bias); a flat prior forgets this.
    """

    def transform(self, z: np.ndarray, values: Values | None = None) -> np.ndarray:
        """Value of the parameter, the dark part of the mass, for a standard normal variable."""
        return np.interp(ndtr(z), *_cumulative_mass_function()) + DARK


@cache
def _cumulative_mass_function() -> tuple[np.ndarray, np.ndarray]:
    """Share of the haloes below a mass, and log10 of that mass."""
    grid = np.linspace(10.0, 15.0, 2001)
    shares = np.cumsum(relations.mass_function(10.0**grid))
    return (shares - shares[0]) / (shares[-1] - shares[0]), grid


#: Standard normal variables at which the residuals of a `Regression` are given.
NODES = np.linspace(-2.0, 2.0, 9)

#: Subtracted from log10 M* [Msun] in a `Regression`, so that its powers do not correlate.
PIVOT = 10.5


@dataclass(frozen=True)
class Regression:
    """A parameter that follows the stellar mass and other parameters, with scatter: measured on a population.

    ``coefficients @ (1, m, m^2, others) + residual``, with ``m = log10 M* - PIVOT``.

    Parameters
    ----------
    coefficients : tuple of float
        Of the constant, m, m^2 and the others.
    others : tuple of str
        Parameters that precede this one.
    residuals : tuple of float
        Residual of the relation at `NODES`, so that it need not be normal; extrapolated beyond.
    range : (float, float)
        log10 M* of the galaxies of the population; outside, the nearer end is used [Msun].
    limits : (float, float)
        Values of the parameter that the population has; the relation is not followed beyond.
    """

    coefficients: tuple[float, ...]
    others: tuple[str, ...]
    residuals: tuple[float, ...]
    range: tuple[float, float]
    limits: tuple[float, float] = (-math.inf, math.inf)

    @staticmethod
    def design(log_m_star: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
        """Factors of the coefficients, shape (n, 3 + others)."""
        m = np.asarray(log_m_star) - PIVOT
        return np.stack([np.ones_like(m), m, m**2, *others], axis=1)

    @classmethod
    def measure(cls, y: np.ndarray, log_m_star: np.ndarray, others: Mapping[str, np.ndarray]) -> Regression:
        """Least squares over n galaxies, arrays of shape (n,)."""
        design = cls.design(log_m_star, list(others.values()))
        coefficients = np.linalg.lstsq(design, y, rcond=None)[0]
        residuals = np.quantile(y - design @ coefficients, ndtr(NODES))
        ends = (float(log_m_star.min()), float(log_m_star.max()))
        limits = (float(y.min()), float(y.max()))
        return cls(tuple(coefficients.tolist()), tuple(others), tuple(residuals.tolist()), ends, limits)

    def transform(self, z: np.ndarray, values: Values) -> np.ndarray:
        """Value of the parameter for a standard normal variable, given ``values["log_m_star"]`` and the others."""
        log_m_star = np.clip(values["log_m_star"], *self.range)
        mean = self.design(log_m_star, [values[name] for name in self.others]) @ np.array(self.coefficients)
        inside = np.clip(z, NODES[0], NODES[-1])
        ends = np.diff(self.residuals)[[0, -1]] / np.diff(NODES)[0]
        value = mean + np.interp(inside, NODES, self.residuals) + (z - inside) * np.where(z < 0, *ends)
        return np.clip(value, *self.limits)


Prior = Uniform | Normal | ConcentrationRelation | MassFunction | Regression


@dataclass(frozen=True)
class ProfilePrior:
    """What is known of ln M_DM(<R) at `RADII_KPC` without the curve, for example by a network: a normal distribution.

    Parameters
    ----------
    ln_m : ndarray, shape (20,)
        Mean [ln Msun].
    covariance : ndarray, shape (20, 20)
        Of the errors of ln M; errors at neighbouring radii are hardly independent.
    """

    ln_m: np.ndarray
    covariance: np.ndarray

    def log_density(self, ln_m: np.ndarray) -> np.ndarray:
        """Log of the density without its constant, (n, 20) -> (n,)."""
        off = ln_m - self.ln_m
        return -0.5 * np.sum((off @ np.linalg.inv(self.covariance)) * off, axis=1)


@dataclass(frozen=True)
class Priors:
    """Priors on the parameters of one galaxy's mass model; None keeps a parameter at its nominal value.

    Parameters
    ----------
    log_m200 : Uniform, Normal, MassFunction or Regression
        log10 of the dark matter within R200 [Msun]. The default is wider than the range of disc galaxies.
    log_c : Uniform, Normal, ConcentrationRelation or Regression
        log10 concentration. The default is uninformative; use it to compare the evidences of different models.
    shape : Normal, Uniform, Regression or None
        Third parameter of a halo model that has one; None for the prior of that model.
    stellar_to_halo : bool
        Whether the stellar mass of the model and the halo's mass, with its baryons, follow Moster et al. (2013), with
        `STELLAR_SCATTER`. Combine it with a `MassFunction`.
    profile : ProfilePrior or None
        What else is known of the dark mass within the radii.
    trust : float
        Power of the curve's likelihood: 1 / k^2 where intervals from curves have turned out k times too narrow.
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
    shape: Prior | None = None
    stellar_to_halo: bool = False
    profile: ProfilePrior | None = None
    trust: float = 1.0
    log_upsilon_disk: Normal | None = Normal(math.log10(UPSILON_DISK), MASS_SCATTER)
    log_upsilon_bulge: Normal | None = Normal(math.log10(UPSILON_BULGE), MASS_SCATTER)
    distance: Normal | None = None
    inclination: Normal | None = None
    nominal_inclination: float = math.nan
    log_jitter: Uniform | None = Uniform(-1.0, 1.5)

    def __post_init__(self) -> None:
        if self.inclination is not None and not 0 < self.nominal_inclination <= 90:
            raise DmlibError("a prior on the inclination needs nominal_inclination, with which speeds were corrected")

    def names(self, halo: HaloModel, model: MassModel) -> tuple[str, ...]:
        """Names of the free parameters, in the order of z."""
        names = []
        if self.log_upsilon_disk is not None and np.any(model.v_disk != 0):
            names.append("log_upsilon_disk")
        if self.log_upsilon_bulge is not None and np.any(model.v_bulge != 0):
            names.append("log_upsilon_bulge")
        names += [name for name in ("distance", "inclination", "log_jitter") if getattr(self, name) is not None]
        return (*names, "log_m200", "log_c", *(["shape"] if halo.has_shape else []))

    def transform(
        self, z: np.ndarray, names: tuple[str, ...], halo: HaloModel, model: MassModel
    ) -> dict[str, np.ndarray]:
        """All parameters, including the fixed ones, for standard normal variables.

        Parameters
        ----------
        z : ndarray, shape (n, len(names))
        names : tuple of str
            From `names`.
        halo : HaloModel
        model : MassModel

        Returns
        -------
        dict of ndarray, shape (n,)
            With ``log_m_star``, log10 of the stellar mass [Msun], which follows from the others.
        """
        fixed = {
            "log_upsilon_disk": math.log10(model.upsilon_disk),
            "log_upsilon_bulge": math.log10(model.upsilon_bulge),
            "distance": 1.0,
            "inclination": self.nominal_inclination,
            "log_jitter": -math.inf,
            "shape": 0.0,
        }
        values = {name: np.full(len(z), value) for name, value in fixed.items() if name not in names}
        for k, name in enumerate(names):
            if name == "log_m200":  # what precedes it determines the stars, on which it may depend
                upsilon = (10.0 ** values[f"log_upsilon_{part}"] for part in ("disk", "bulge"))
                values["log_m_star"] = np.log10(model.stellar_mass(*upsilon) * values["distance"] ** 2)
            if name == "shape" and self.shape is None:
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
