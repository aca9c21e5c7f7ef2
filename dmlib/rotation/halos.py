"""Halo models: how the mass of dark matter grows with radius.

All models share two parameters, ``M200`` and the concentration ``c = R200 / r_s``, so that they can have the same prior
and their evidences can be compared: the mass within ``r`` is ``M200 mu(r / r_s) / mu(c)``. They differ in the
dimensionless ``mu(x)``, and some have one more parameter. Masses in Msun, lengths in kpc, speeds in km/s, physical.

A new model is a subclass of `HaloModel`. The functions ``mu`` are compiled here because a fit
evaluates them a few hundred thousand times; plain numpy works too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numba import njit, vectorize
from scipy.special import ndtr

from ..embedded import relations
from ..errors import DmlibError
from ..units import HUBBLE
from .massmodel import HALF_MASS

#: Below this x, differences of logarithms lose precision and series replace them.
_SMALL = 1e-2

# Nodes for the masses without a closed form; s = x t^2 places more of them where the density is steep.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)
_NODES, _WEIGHTS = 0.5 * (_NODES + 1), 0.5 * _WEIGHTS


#: Share of the baryons in all matter, as Cautun et al. (2020) took it.
BARYON_FRACTION = 0.157

#: Scatter of the strength of the contraction about that of Cautun et al. (2020); our choice.
CONTRACTION_SCATTER = 0.25


def log_einasto_alpha(log_m200: np.ndarray) -> np.ndarray:
    """Mean log10 of Einasto's alpha at z = 0 (Dutton & Macciò 2014, equations 12 and 13).

    Their mass is the virial one; M200, about 0.1 dex smaller, is used instead, which changes alpha by less than 2 per
    cent.
    """
    m = log_m200 - 12 + math.log10(HUBBLE)
    nu = 10 ** (-0.11 + 0.146 * m + 0.0138 * m**2 + 0.00123 * m**3)
    return np.log10(0.155 + 0.0095 * nu**2)


#: Name -> halo model.
HALOS: dict[str, HaloModel] = {}


class HaloModel:
    """A halo model; one object serves all haloes. A subclass adds itself to `HALOS`.

    `mass` takes ``x = r / r_s`` of shape (n, m) and the shape parameters of n haloes, shape (n, k), see `shape`.
    """

    #: Name in files, and in legends.
    name: ClassVar[str]
    label: ClassVar[str]
    #: Inner density: "cusp" (it rises as about 1/r or steeper), "core" (it is constant), or which of them when.
    centre: ClassVar[str]
    #: Who proposed it.
    source: ClassVar[str]
    #: Whether there is a third parameter, "shape".
    has_shape: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        HALOS[cls.name] = cls()

    def mass(self, x: np.ndarray, shape: np.ndarray) -> np.ndarray:
        """Mass within x in units of 4 pi rho_s r_s^3, shape (n, m)."""
        raise NotImplementedError

    def shape_prior(self, z: np.ndarray, log_m200: np.ndarray) -> np.ndarray:
        """The parameter "shape" under its prior, for standard normal variables z, shape (n,)."""
        raise NotImplementedError

    def shape(
        self, concentration: np.ndarray, extra: np.ndarray, size: np.ndarray, log_ratio: np.ndarray, r_half: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Concentration ``R200 / r_s`` and shape parameters of haloes.

        Parameters
        ----------
        concentration : ndarray, shape (n,)
            The fitted parameter.
        extra : ndarray, shape (n,)
            The parameter "shape".
        size : ndarray, shape (n,)
            R200 [kpc].
        log_ratio : ndarray, shape (n,)
            log10 of stellar over halo mass.
        r_half : float
            Half-mass radius of the stars [kpc].
        """
        return concentration, np.zeros((len(concentration), 3))


def halo_model(name: str) -> HaloModel:
    """The halo model with that name.

    Raises
    ------
    DmlibError
        When there is none.
    """
    if name not in HALOS:
        raise DmlibError(f"there is no halo model '{name}'; choose one of {', '.join(HALOS)}.")
    return HALOS[name]


@njit(cache=True)
def _nfw(x):
    if x < _SMALL:
        return x * x * (0.5 - x * (2.0 / 3.0 - x * (0.75 - 0.8 * x)))
    return math.log1p(x) - x / (1.0 + x)


@vectorize(cache=True)
def _nfw_mass(x):
    return _nfw(x)


@vectorize(cache=True)
def _core_nfw_mass(x, n, ratio):
    return _nfw(x) * math.tanh(x * ratio) ** n


@vectorize(cache=True)
def _burkert_mass(x):
    if x < _SMALL:
        return x**3 * (1.0 / 3.0 - x / 4.0 + x**4 * (1.0 / 7.0 - x / 8.0))
    return 0.25 * math.log1p(x * x) + 0.5 * (math.log1p(x) - math.atan(x))


@vectorize(cache=True)
def _isothermal_mass(x):
    if x < _SMALL:
        return x**3 * (1.0 / 3.0 - x * x * (0.2 - x * x / 7.0))
    return x - math.atan(x)


@vectorize(cache=True)
def _einasto_mass(x, alpha):
    mass = 0.0
    for k in range(_NODES.size):
        t = _NODES[k]
        s = x * t * t
        mass += _WEIGHTS[k] * t * s * s * math.exp(-2.0 / alpha * (s**alpha - 1.0))
    return 2.0 * x * mass


@vectorize(cache=True)
def _dc14_mass(x, alpha, beta, gamma):
    mass = 0.0
    for k in range(_NODES.size):
        t = _NODES[k]
        s = x * t * t
        mass += _WEIGHTS[k] * t * s * s * (s ** (-gamma) * (1.0 + s**alpha) ** ((gamma - beta) / alpha))
    return 2.0 * x * mass


class NFW(HaloModel):
    """The cusp of cold dark matter without baryons."""

    name, label, centre, source = "nfw", "NFW", "cusp", "Navarro, Frenk & White 1997"

    def mass(self, x: np.ndarray, shape: np.ndarray) -> np.ndarray:
        """``ln(1 + x) - x / (1 + x)``."""
        return _nfw_mass(x)


class Burkert(HaloModel):
    """A core that fits dwarf galaxies."""

    name, label, centre, source = "burkert", "Burkert", "core", "Burkert 1995"

    def mass(self, x: np.ndarray, shape: np.ndarray) -> np.ndarray:
        """``ln(1 + x^2) / 4 + (ln(1 + x) - arctan x) / 2``."""
        return _burkert_mass(x)


class Isothermal(HaloModel):
    """The pseudo-isothermal sphere."""

    name, label, centre, source = "isothermal", "pseudo-isothermal", "core", "Begeman, Broeils & Sanders 1991"

    def mass(self, x: np.ndarray, shape: np.ndarray) -> np.ndarray:
        """``x - arctan x``."""
        return _isothermal_mass(x)


class Einasto(HaloModel):
    """Haloes of cold dark matter with one more parameter, log10 alpha."""

    name, label, centre, source = "einasto", "Einasto", "cusp", "Navarro et al. 2004"
    has_shape = True

    def shape_prior(self, z: np.ndarray, log_m200: np.ndarray) -> np.ndarray:
        """The relation of Dutton & Macciò (2014) with a scatter of 0.16 dex as in Li et al. (2020)."""
        return log_einasto_alpha(log_m200) + 0.16 * z

    def mass(self, x: np.ndarray, shape: np.ndarray) -> np.ndarray:
        """By quadrature."""
        return _einasto_mass(x, shape[:, :1])

    def shape(
        self, concentration: np.ndarray, extra: np.ndarray, size: np.ndarray, log_ratio: np.ndarray, r_half: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Shape parameter alpha."""
        return concentration, 10.0 ** extra[:, None]


class DC14(HaloModel):
    """NFW haloes reshaped by supernovae, depending on the stellar-to-halo mass ratio.

    The fitted concentration is that of the run without baryons, which Di Cintio et al. (2014) convert into the halo's
    own.
    """

    # The inner slope is about -0.2 where the stars are 0.3 per cent of the halo, and -1 or steeper at both ends of the
    # range.
    name, label, centre, source = "dc14", "DC14", "core at log M*/M200 near -2.6, else cusp", "Di Cintio et al. 2014"

    def mass(self, x: np.ndarray, shape: np.ndarray) -> np.ndarray:
        """By quadrature."""
        return _dc14_mass(x, *(shape[:, k, None] for k in range(3)))

    def shape(
        self, concentration: np.ndarray, extra: np.ndarray, size: np.ndarray, log_ratio: np.ndarray, r_half: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Concentration and (alpha, beta, gamma).

        Notes
        -----
        Di Cintio et al. 2014, MNRAS 441, 2986: equation 3 for the slopes, 6 for the concentration at the radius where
        the slope is -2. Outside the simulated range of the ratio, -4.1 to -1.3, the values at its ends are used.
        """
        x = np.clip(log_ratio, -4.1, -1.3)
        alpha = 2.94 - np.log10((10 ** (x + 2.33)) ** -1.08 + (10 ** (x + 2.33)) ** 2.29)
        beta = 4.23 + 1.34 * x + 0.26 * x**2
        gamma = -0.06 + np.log10((10 ** (x + 2.56)) ** -0.68 + 10 ** (x + 2.56))
        at_slope_two = concentration * (1.0 + 0.00003 * np.exp(3.4 * (x + 4.5)))
        return at_slope_two * ((2 - gamma) / (beta - 2)) ** (1 / alpha), np.stack([alpha, beta, gamma], axis=1)


class CoreNFW(HaloModel):
    """An NFW halo with a core; the parameter n is 0 for no core and 1 for a full one."""

    name, label, centre, source = "corenfw", "coreNFW", "from cusp to core, fitted", "Read, Agertz & Collins 2016"
    has_shape = True

    def shape_prior(self, z: np.ndarray, log_m200: np.ndarray) -> np.ndarray:
        """Uniform between no core and a full one."""
        return ndtr(z)

    def mass(self, x: np.ndarray, shape: np.ndarray) -> np.ndarray:
        """``mu_NFW f^n``, with ``f = tanh(x r_s / r_c)``."""
        return _core_nfw_mass(x, shape[:, :1], shape[:, 1:2])

    def shape(
        self, concentration: np.ndarray, extra: np.ndarray, size: np.ndarray, log_ratio: np.ndarray, r_half: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Shape parameters n and ``r_s / r_c``, with r_c = 1.75 R_1/2 (Read et al. 2016, equation 15)."""
        return concentration, np.stack([extra, (size / concentration) / (1.75 * r_half)], axis=1)


@vectorize(cache=True)
def _contracted_mass(x, strength, amplitude, ratio):
    y, mu = x * ratio, _nfw(x)
    fallen = math.expm1(-y)
    eta = amplitude * (-fallen - y * (1.0 + fallen)) / mu
    return mu * max(0.02, 1.0 + strength * (0.45 + 0.38 * (eta + 1.16) ** 0.53 - 1.0))


class ContractedNFW(HaloModel):
    """An NFW halo that the condensation of the stars has contracted; the parameter is the strength of the contraction.

    ``M = M_NFW (1 + s (0.45 + 0.38 (eta + 1.16)^0.53 - 1))`` (Cautun et al. 2020, equation 11, for s = 1), where eta is
    the mass of the baryons within r over the one that a halo with the cosmic share of baryons would have there. Of the
    baryons only the stars are counted, as an exponential sphere; gas is spread too widely to matter for the contraction
    of the centre.
    """

    name, label, centre, source = "contracted", "contracted NFW", "cusp", "Cautun et al. 2020"
    has_shape = True

    def shape_prior(self, z: np.ndarray, log_m200: np.ndarray) -> np.ndarray:
        """About 1 with `CONTRACTION_SCATTER`."""
        return 1.0 + CONTRACTION_SCATTER * z

    def mass(self, x: np.ndarray, shape: np.ndarray) -> np.ndarray:
        """``mu_NFW`` times the contraction."""
        return _contracted_mass(x, *(shape[:, k, None] for k in range(3)))

    def shape(
        self, concentration: np.ndarray, extra: np.ndarray, size: np.ndarray, log_ratio: np.ndarray, r_half: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Strength, stars over the cosmic share of baryons per unit of ``mu_NFW``, and r_s over the stars' length."""
        amplitude = 10.0**log_ratio * _nfw_mass(concentration) * (1 - BARYON_FRACTION) / BARYON_FRACTION
        return concentration, np.stack([extra, amplitude, size / concentration * HALF_MASS / r_half], axis=1)


@dataclass(frozen=True)
class Halos:
    """Haloes of one model, for example the draws from a posterior.

    Parameters
    ----------
    model : HaloModel
    scale : ndarray, shape (n,)
        r_s [kpc].
    norm : ndarray, shape (n,)
        4 pi rho_s r_s^3 [Msun].
    shape : ndarray, shape (n, k)
        See `HaloModel.shape`.
    """

    model: HaloModel
    scale: np.ndarray
    norm: np.ndarray
    shape: np.ndarray

    def mu(self, radius: np.ndarray) -> np.ndarray:
        """Dimensionless mass within radii of shape (m,) or (n, m) [kpc], shape (n, m)."""
        return self.model.mass(np.asarray(radius, dtype=float) / self.scale[:, None], self.shape)

    def m_enclosed(self, radius: np.ndarray) -> np.ndarray:
        """Mass within each radius [Msun], shape (n, len(radius))."""
        return self.norm[:, None] * self.mu(radius)


def make(
    model: HaloModel | str,
    log_m200: np.ndarray,
    log_c: np.ndarray,
    *,
    extra: np.ndarray | float = 0.0,
    m_star: np.ndarray | float = math.nan,
    r_half: float = math.nan,
) -> Halos:
    """Haloes from their parameters.

    Parameters
    ----------
    model : HaloModel or str
    log_m200 : ndarray, shape (n,)
        log10 of M200 [Msun].
    log_c : ndarray, shape (n,)
        log10 of the concentration R200 / r_s; for DC14, coreNFW and the contracted NFW that of the halo before the
        baryons changed it.
    extra : ndarray, shape (n,)
        The parameter "shape" of models that have one. Einasto: log10 alpha. coreNFW: n. Contracted NFW: strength.
    m_star : ndarray, shape (n,), or float
        Stellar mass, for DC14 and the contracted NFW [Msun].
    r_half : float
        Half-mass radius of the stars, for coreNFW and the contracted NFW [kpc].
    """
    model = halo_model(model) if isinstance(model, str) else model
    log_m200, log_c, extra, m_star = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(values, dtype=float)) for values in (log_m200, log_c, extra, m_star))
    )
    m200 = 10.0**log_m200
    size = relations.r200_of(m200)
    concentration, shape = model.shape(10.0**log_c, extra, size, np.log10(m_star) - log_m200, r_half)
    norm = m200 / model.mass(concentration[:, None], shape)[:, 0]
    return Halos(model, size / concentration, norm, shape)
