"""Halo models: how the mass of dark matter grows with radius.

All of them have two parameters in common, ``M200`` and the concentration ``c = R200 / r_s``, so that one prior can be
put on all and their evidences compared: the mass within ``r`` is ``M200 mu(r / r_s) / mu(c)``. What differs is the
dimensionless ``mu(x)``; some have a parameter of shape more. Masses in Msun, lengths in kpc, speeds in km/s, physical.

The functions ``mu`` are compiled, because a fit asks for them some hundred thousand times.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from ..errors import DmlibError
from ..units import RHO_CRIT, G

NFW, BURKERT, ISOTHERMAL, EINASTO, DC14, CORE_NFW = range(6)

#: Below this x, differences of logarithms lose digits, and series take their place.
_SMALL = 1e-2

# Nodes for the masses that have no closed form; s = x t^2 puts more of them where the density is steep.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)
_NODES, _WEIGHTS = 0.5 * (_NODES + 1), 0.5 * _WEIGHTS


@dataclass(frozen=True)
class HaloModel:
    """A halo model by name.

    Parameters
    ----------
    name, label : str
        For files, and for legends.
    kind : int
        Which of the compiled functions.
    cored : bool
        Whether the density is level in the centre.
    source : str
        Who proposed it.
    """

    name: str
    label: str
    kind: int
    cored: bool
    source: str


HALOS: dict[str, HaloModel] = {
    halo.name: halo
    for halo in (
        HaloModel("nfw", "NFW", NFW, False, "Navarro, Frenk & White 1997"),
        HaloModel("burkert", "Burkert", BURKERT, True, "Burkert 1995"),
        HaloModel("isothermal", "pseudo-isothermal", ISOTHERMAL, True, "Begeman, Broeils & Sanders 1991"),
        HaloModel("einasto", "Einasto", EINASTO, False, "Navarro et al. 2004"),
        HaloModel("dc14", "DC14", DC14, True, "Di Cintio et al. 2014"),
        HaloModel("corenfw", "coreNFW", CORE_NFW, True, "Read, Agertz & Collins 2016"),
    )
}


def halo_model(name: str) -> HaloModel:
    """The halo model of that name.

    Raises
    ------
    DmlibError
        When there is none.
    """
    if name not in HALOS:
        raise DmlibError(f"there is no halo model '{name}'; choose one of {', '.join(HALOS)}.")
    return HALOS[name]


@njit(cache=True)
def mass_shape(kind: int, x: float, shape: np.ndarray) -> float:
    """Mass within ``x = r / r_s`` in units of 4 pi rho_s r_s^3.

    Parameters
    ----------
    kind : int
    x : float
    shape : ndarray, shape (3,)
        Einasto: alpha. DC14: alpha, beta, gamma. coreNFW: n, r_s / r_c. Else unused.
    """
    if kind == NFW or kind == CORE_NFW:
        if x < _SMALL:
            mass = x * x * (0.5 - x * (2.0 / 3.0 - x * (0.75 - 0.8 * x)))
        else:
            mass = math.log1p(x) - x / (1.0 + x)
        if kind == CORE_NFW:
            mass *= math.tanh(x * shape[1]) ** shape[0]
        return mass
    if kind == BURKERT:
        if x < _SMALL:
            return x**3 * (1.0 / 3.0 - x / 4.0 + x**4 * (1.0 / 7.0 - x / 8.0))
        return 0.25 * math.log1p(x * x) + 0.5 * (math.log1p(x) - math.atan(x))
    if kind == ISOTHERMAL:
        if x < _SMALL:
            return x**3 * (1.0 / 3.0 - x * x * (0.2 - x * x / 7.0))
        return x - math.atan(x)
    mass = 0.0
    for k in range(_NODES.size):
        t = _NODES[k]
        s = x * t * t
        if kind == EINASTO:
            density = math.exp(-2.0 / shape[0] * (s ** shape[0] - 1.0))
        else:
            density = s ** (-shape[2]) * (1.0 + s ** shape[0]) ** ((shape[2] - shape[1]) / shape[0])
        mass += _WEIGHTS[k] * t * s * s * density
    return 2.0 * x * mass


@njit(cache=True)
def _mass_shapes(kind: int, x: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """`mass_shape` of each row: x (n, m), shape (n, 3) -> (n, m)."""
    out = np.empty_like(x)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = mass_shape(kind, x[i, j], shape[i])
    return out


@dataclass(frozen=True)
class Halos:
    """Some haloes of one model, for example the draws from a posterior.

    Parameters
    ----------
    model : HaloModel
    m200 : ndarray, shape (n,)
        Mass within R200, where the mean density is 200 times the critical one [Msun].
    scale : ndarray, shape (n,)
        r_s [kpc].
    norm : ndarray, shape (n,)
        4 pi rho_s r_s^3 [Msun].
    shape : ndarray, shape (n, 3)
        See `mass_shape`.
    """

    model: HaloModel
    m200: np.ndarray
    scale: np.ndarray
    norm: np.ndarray
    shape: np.ndarray

    def m_enclosed(self, radius: np.ndarray) -> np.ndarray:
        """Mass within each radius [Msun], shape (n, len(radius))."""
        x = np.atleast_1d(np.asarray(radius, dtype=float)) / self.scale[:, None]
        return self.norm[:, None] * _mass_shapes(self.model.kind, x, self.shape)

    def v_circ(self, radius: np.ndarray) -> np.ndarray:
        """Circular speed that the halo alone gives [km/s], shape (n, len(radius))."""
        return np.sqrt(G * self.m_enclosed(radius) / np.asarray(radius, dtype=float))

    def density(self, radius: np.ndarray) -> np.ndarray:
        """Density at each radius [Msun/kpc^3], shape (n, len(radius))."""
        x = np.atleast_1d(np.asarray(radius, dtype=float)) / self.scale[:, None]
        a, b, c = (self.shape[:, k, None] for k in range(3))
        kind = self.model.kind
        if kind == NFW:
            rho = 1 / (x * (1 + x) ** 2)
        elif kind == BURKERT:
            rho = 1 / ((1 + x) * (1 + x**2))
        elif kind == ISOTHERMAL:
            rho = 1 / (1 + x**2)
        elif kind == EINASTO:
            rho = np.exp(-2 / a * (x**a - 1))
        elif kind == DC14:
            rho = x**-c * (1 + x**a) ** ((c - b) / a)
        else:
            # d(mu_NFW f^n)/dx / x^2, with f = tanh(x r_s / r_c) (Read et al. 2016, their equation for rho_cNFW).
            f = np.tanh(x * b)
            mass = np.log1p(x) - x / (1 + x)
            rho = f**a / (x * (1 + x) ** 2) + a * f ** (a - 1) * (1 - f**2) * b * mass / x**2
        return (self.norm / (4 * np.pi * self.scale**3))[:, None] * rho


def r200(m200: np.ndarray) -> np.ndarray:
    """Radius within which the mean density is 200 times the critical density at z = 0 [kpc]."""
    return np.cbrt(3 * np.asarray(m200) / (800 * np.pi * RHO_CRIT))


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
        log10 of the concentration R200 / r_s. DC14: that of the run without baryons, which Di Cintio et al. (2014)
        turn into the halo's own. coreNFW: of the NFW halo that the core is cut into.
    extra : ndarray, shape (n,)
        Einasto: log10 alpha. coreNFW: n, 0 for no core and 1 for a full one. Else unused.
    m_star : ndarray, shape (n,), or float
        Stellar mass, for DC14 [Msun].
    r_half : float
        Half-mass radius of the stars, for coreNFW [kpc].
    """
    model = halo_model(model) if isinstance(model, str) else model
    log_m200, log_c, extra, m_star = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(values, dtype=float)) for values in (log_m200, log_c, extra, m_star))
    )
    m200, concentration = 10.0**log_m200, 10.0**log_c
    size = r200(m200)
    shape = np.zeros((len(m200), 3))
    if model.kind == EINASTO:
        shape[:, 0] = 10.0**extra
    elif model.kind == CORE_NFW:
        shape[:, 0] = extra
        shape[:, 1] = (size / concentration) / (1.75 * r_half)  # r_c = 1.75 R_1/2 (Read et al. 2016, eq. 15)
    elif model.kind == DC14:
        concentration, shape = _dc14(concentration, np.log10(m_star) - log_m200)
    scale = size / concentration
    norm = m200 / _mass_shapes(model.kind, concentration[:, None], shape)[:, 0]
    return Halos(model, m200, scale, norm, shape)


def _dc14(concentration: np.ndarray, ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Concentration R200/r_s and (alpha, beta, gamma) of the DC14 model.

    Parameters
    ----------
    concentration : ndarray
        Of the halo without baryons.
    ratio : ndarray
        X = log10(M_star / M_halo); outside the simulated range -4.1 to -1.3 the values at its ends are taken.

    Notes
    -----
    Di Cintio et al. 2014, MNRAS 441, 2986: equation 3 for the slopes, 6 for the concentration at the radius where the
    slope is -2.
    """
    x = np.clip(ratio, -4.1, -1.3)
    alpha = 2.94 - np.log10((10 ** (x + 2.33)) ** -1.08 + (10 ** (x + 2.33)) ** 2.29)
    beta = 4.23 + 1.34 * x + 0.26 * x**2
    gamma = -0.06 + np.log10((10 ** (x + 2.56)) ** -0.68 + 10 ** (x + 2.56))
    at_slope_two = concentration * (1.0 + 0.00003 * np.exp(3.4 * (x + 4.5)))
    return at_slope_two * ((2 - gamma) / (beta - 2)) ** (1 / alpha), np.stack([alpha, beta, gamma], axis=1)
