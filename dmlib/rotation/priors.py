"""What is believed of a mass model before its rotation curve is looked at, each belief with its source.

Every parameter is written as a function of a standard normal variable: ``theta = T(z)``. Then all priors are the same
normal distribution in z, whatever their form; a walker cannot leave their range, a draw from the prior is a draw of z,
and a nested sampler gets its cube through the normal distribution function.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from astropy import units as u
from astropy.table import Row
from scipy.special import ndtr, ndtri

from ..errors import DmlibError
from ..units import HUBBLE
from .massmodel import UPSILON_BULGE, UPSILON_DISK, MassModel


@dataclass(frozen=True)
class Uniform:
    """Any value between two is as likely as any other."""

    low: float
    high: float

    def transform(self, z: np.ndarray) -> np.ndarray:
        """Value of the parameter for a standard normal variable."""
        return self.low + (self.high - self.low) * ndtr(z)


@dataclass(frozen=True)
class Normal:
    """A measured value with its error, cut off where it can no longer be."""

    mean: float
    sigma: float
    low: float = -math.inf
    high: float = math.inf

    def transform(self, z: np.ndarray) -> np.ndarray:
        """Value of the parameter for a standard normal variable."""
        if self.low == -math.inf and self.high == math.inf:
            return self.mean + self.sigma * z
        below, above = ndtr((self.low - self.mean) / self.sigma), ndtr((self.high - self.mean) / self.sigma)
        return np.clip(self.mean + self.sigma * ndtri(below + ndtr(z) * (above - below)), self.low, self.high)


Prior = Uniform | Normal

#: Scatter of log10 c200 of relaxed haloes at one mass [dex] (Dutton & Macciò 2014, section 3).
CONCENTRATION_SCATTER = 0.11

#: Scatter of log10 of the stellar mass at one halo mass [dex] (Moster, Naab & White 2013, section 4).
STELLAR_SCATTER = 0.15


def log_concentration(log_m200: np.ndarray) -> np.ndarray:
    """Mean log10 c200 of a halo without baryons at z = 0 (Dutton & Macciò 2014, equation 8, NFW, Planck cosmology)."""
    return 0.905 - 0.101 * (log_m200 - 12 + math.log10(HUBBLE))


def log_stellar_mass(log_m200: np.ndarray) -> np.ndarray:
    """Mean log10 stellar mass [Msun] at z = 0 (Moster, Naab & White 2013, equation 2 and table 1)."""
    x = 10.0 ** (log_m200 - 11.590)
    return log_m200 + np.log10(2 * 0.0351 / (x**-1.376 + x**0.608))


def log_einasto_alpha(log_m200: np.ndarray) -> np.ndarray:
    """Mean log10 of Einasto's alpha at z = 0 (Dutton & Macciò 2014, equations 12 and 13).

    Their mass is the virial one; M200, about 0.1 dex less, stands for it here, which changes alpha by under 2 per cent.
    """
    m = log_m200 - 12 + math.log10(HUBBLE)
    nu = 10 ** (-0.11 + 0.146 * m + 0.0138 * m**2 + 0.00123 * m**3)
    return np.log10(0.155 + 0.0095 * nu**2)


@dataclass(frozen=True)
class Priors:
    """Beliefs on the parameters of one galaxy's mass model; None keeps a parameter at its nominal value.

    Parameters
    ----------
    log_m200 : Uniform or Normal
        log10 M200 [Msun]. The default is wider than any disc galaxy's halo.
    log_c : Uniform, Normal or "dutton2014"
        log10 concentration. ``"dutton2014"`` is the relation of haloes without baryons with its scatter: a prediction
        of cold dark matter, for the models that stem from it. The default knows nothing, and is what evidences of
        different models are to be compared with.
    stellar_to_halo : bool
        Whether the stellar mass of the model and M200 shall follow Moster et al. (2013), with `STELLAR_SCATTER`.
    log_upsilon_disk, log_upsilon_bulge : Normal or None
        log10 of the stellar mass-to-light ratios. At 3.6 micron 0.5 and 0.7 Msun/Lsun with 0.1 dex (Li et al. 2018,
        after McGaugh & Schombert 2014).
    distance : Normal or None
        True distance over the nominal one. Radii grow with it, and the squared speeds of the visible parts.
    inclination : Normal or None
        True inclination [deg]; needs `nominal_inclination`.
    nominal_inclination : float
        With which the measured speeds were corrected [deg].
    log_jitter : Uniform or None
        log10 of a scatter [km/s] added in squares to the errors of the speeds, because no model follows every wiggle of
        a curve (gas that streams, warps, points that share a beam). Without it the posterior of a curve with small
        errors is far too narrow.
    shape : Normal, Uniform or "default"
        Einasto: log10 alpha (default Dutton & Macciò 2014, scatter 0.16 dex as in Li et al. 2020). coreNFW: n, default
        Uniform(0, 1). Other models have no such parameter.
    """

    log_m200: Prior = Uniform(9.0, 14.0)
    log_c: Prior | str = Uniform(0.0, 2.0)
    stellar_to_halo: bool = False
    log_upsilon_disk: Normal | None = Normal(math.log10(UPSILON_DISK), 0.1)
    log_upsilon_bulge: Normal | None = Normal(math.log10(UPSILON_BULGE), 0.1)
    distance: Normal | None = None
    inclination: Normal | None = None
    nominal_inclination: float = math.nan
    log_jitter: Uniform | None = Uniform(-1.0, 1.5)
    shape: Prior | str = "default"

    def __post_init__(self) -> None:
        if isinstance(self.log_c, str) and self.log_c != "dutton2014":
            raise DmlibError(f"log_c is a prior or 'dutton2014', not '{self.log_c}'")
        if self.inclination is not None and not 0 < self.nominal_inclination <= 90:
            raise DmlibError("a prior on the inclination needs nominal_inclination, that of the speeds [deg]")

    def names(self, halo: str, model: MassModel) -> tuple[str, ...]:
        """Names of the free parameters, in the order of z."""
        names = ["log_m200", "log_c"]
        if halo in ("einasto", "corenfw"):
            names.append("shape")
        if self.log_upsilon_disk is not None and np.any(model.v_disk != 0):
            names.append("log_upsilon_disk")
        if self.log_upsilon_bulge is not None and np.any(model.v_bulge != 0):
            names.append("log_upsilon_bulge")
        names += [name for name in ("distance", "inclination", "log_jitter") if getattr(self, name) is not None]
        return tuple(names)

    def transform(self, z: np.ndarray, names: tuple[str, ...], halo: str) -> dict[str, np.ndarray]:
        """Parameters for standard normal variables.

        Parameters
        ----------
        z : ndarray, shape (n, len(names))
        names : tuple of str
            From `names`.
        halo : str

        Returns
        -------
        dict of ndarray, shape (n,)
        """
        values: dict[str, np.ndarray] = {}
        for k, name in enumerate(names):
            if name == "log_c" and self.log_c == "dutton2014":
                values[name] = log_concentration(values["log_m200"]) + CONCENTRATION_SCATTER * z[:, k]
            elif name == "shape" and self.shape == "default":
                if halo == "einasto":
                    values[name] = log_einasto_alpha(values["log_m200"]) + 0.16 * z[:, k]
                else:
                    values[name] = ndtr(z[:, k])
            else:
                values[name] = getattr(self, name).transform(z[:, k])
        return values


def sparc_priors(row: Row, **changes) -> Priors:
    """Priors of a SPARC galaxy: distance and inclination with the errors of Table 1, 3.6 micron ratios.

    Parameters
    ----------
    row : Row
        Of `dmlib.rotation.sparc.read_table1`.
    **changes
        Fields of `Priors` that shall be otherwise.
    """
    distance, distance_err = row["distance"].to_value(u.Mpc), row["distance_err"].to_value(u.Mpc)
    angle, angle_err = row["inclination"].to_value(u.deg), row["inclination_err"].to_value(u.deg)
    fields = {
        "distance": Normal(1.0, distance_err / distance, 0.1, 3.0) if distance_err > 0 else None,
        "inclination": Normal(angle, angle_err, 5.0, 90.0) if angle_err > 0 else None,
        "nominal_inclination": float(angle),
    }
    return replace(Priors(), **{**fields, **changes})


def known(**changes) -> Priors:
    """Priors where the stars have been weighed and distance and inclination are known, as in a simulation."""
    return replace(Priors(log_upsilon_disk=None, log_upsilon_bulge=None), **changes)
