"""Dark haloes with the mass, the largest circular speed and the inner dark matter that were drawn for their galaxies.

Two numbers describe a halo at given mass: its concentration before the baryons came, and the strength with which they
contracted it. The catalogue of TNG100 does not list them, but it lists the largest circular speed and the dark matter
within the stellar half-mass radius, from which they follow.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gamma, gammainc

from . import relations, tng100
from .population import Rows
from .relations import nfw_shape
from .structure import COSMIC_BARYON_FRACTION, SPHEROID_SHARE, contraction, spheroid_share
from .units import G

#: Edge of the bound matter of a central in units of r200.
EDGE = 1.3
#: Gas of an atomic disc over that of its HI: part of it is ionised (median of the discs that `gas` designs).
IONISED = 1.25
#: Cold gas in the centre of a disc over that of an exponential (as for `IONISED`).
_CENTRE = 0.87
#: Range of the strength of the contraction: 0 is none, 1 the mean of Cautun et al. (2020).
STRENGTHS = (0.0, 2.2)

_RADII = np.geomspace(0.8, 900.0, 70)
_CONCENTRATIONS = np.geomspace(2.5, 40.0, 45)
# What a mismatch of one standard deviation is: of log V_max, log M_DM(r_half), and of the strength about 1.
_TOLERANCE_V, _TOLERANCE_M, _STRENGTH_SPREAD = 0.006, 0.02, 0.6
_AT_ONCE = 400
# Circular speed at the stellar half-mass radius over the largest, at most: 19 of 20 real galaxies are below. Least
# share of dark matter there.
_AT_HALF, _LEAST_DARK = 0.995, 0.1


def fit(s: Rows, v_max: np.ndarray, m_dm_half: np.ndarray) -> None:
    """Find concentration, mass and contraction of haloes; fills ``c200``, ``m200``, ``r200`` and ``contraction``.

    Parameters
    ----------
    s : ndarray
        Subhaloes with ``m_dm``, stars and gas drawn. The mass of a satellite's halo at infall, ``m200``, is given; that
        of a central follows from ``m_dm``, its dark matter within `EDGE` r200.
    v_max : ndarray, shape (n,)
        Largest circular speed of the whole subhalo, as if all matter were spherical [km/s].
    m_dm_half : ndarray, shape (n,)
        Dark matter within the stellar half-mass radius [Msun].

    Notes
    -----
    The two were drawn without the condition that no circular speed exceeds the largest; in one galaxy in four the speed
    at the half-mass radius would. There stars and gas leave `m_dm_half` for a speed just below `v_max`.

    For each concentration of a grid, the strength follows from `m_dm_half`. The concentration taken is the most
    probable: the nearest to `v_max`, to the mass-concentration relation of haloes without baryons, and to a strength of
    1, each in units of its scatter or tolerance. The pull towards 1 is weak (0.6); still, the strengths found are no
    independent measurement of the contraction in TNG100. Where the strength would leave `STRENGTHS`, `m_dm_half` is
    only approximated.
    """
    for first in range(0, s.size, _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        s[part] = _fit(s[part].copy(), v_max[part], m_dm_half[part])


def _fit(s: Rows, v_max: np.ndarray, m_dm_half: np.ndarray) -> Rows:
    most = (_AT_HALF * v_max) ** 2 * s["r_half"] / G
    baryons_half = enclosed_baryons(s, s["r_half"][:, None])
    m_dm_half = np.clip(m_dm_half, None, np.maximum(most - baryons_half[:, 0], _LEAST_DARK * most))
    c = _CONCENTRATIONS[None, :]
    bound = nfw_shape(EDGE * c) / nfw_shape(c)
    central = (s["kind"] == "central")[:, None]
    m200 = np.where(central, s["m_dm"][:, None] / (1 - COSMIC_BARYON_FRACTION) / bound, s["m200"][:, None])
    r200 = relations.r200_of(m200)

    def halo(radius: np.ndarray) -> np.ndarray:
        """Dark matter before contraction."""
        within = nfw_shape(radius * (c / r200)[..., None]) / nfw_shape(c)[..., None]
        return (1 - COSMIC_BARYON_FRACTION) * m200[..., None] * within

    half = s["r_half"][:, None, None]
    inside = halo(half)[..., 0]
    contracted = contraction(inside, baryons_half)
    wanted = (m_dm_half[:, None] / inside - 1.0) / np.where(np.abs(contracted) < 1e-3, 1e-3, contracted)
    strength = np.clip(wanted, *STRENGTHS)
    reached = inside * (1 + strength * contracted)
    dark, baryons = halo(_RADII), enclosed_baryons(s, np.broadcast_to(_RADII, (s.size, _RADII.size)))[:, None, :]
    dark = dark * (1 + strength[..., None] * contraction(dark, baryons))
    dark = np.minimum(dark, s["m_dm"][:, None, None])
    speed = np.sqrt((G * (dark + baryons) / _RADII).max(axis=-1))
    mean, scatter = tng100.concentration(m200)
    cost = (np.log10(speed / v_max[:, None]) / _TOLERANCE_V) ** 2
    cost += (np.log10(reached / m_dm_half[:, None]) / _TOLERANCE_M) ** 2
    cost += ((np.log10(c) - mean) / scatter) ** 2 + ((strength - 1.0) / _STRENGTH_SPREAD) ** 2
    best = np.arange(s.size), np.argmin(cost, axis=1)
    s["c200"], s["contraction"] = _CONCENTRATIONS[best[1]], strength[best]
    s["m200"], s["r200"] = m200[best], r200[best]
    return s


def enclosed_baryons(s: Rows, radius: np.ndarray) -> np.ndarray:
    """Stars and gas within `radius` (n, k) [kpc] [Msun]."""
    bulge, halo = (s[name][:, None] for name in ("bulge_fraction", "halo_star_fraction"))
    stars = (1 - bulge - halo) * _exponential(radius, s["r_disc"])
    for share, size in ((bulge, "r_bulge"), (halo, "r_star_halo")):
        stars = stars + share * np.minimum(spheroid_share(radius, s[size][:, None]) / SPHEROID_SHARE, 1.0)
    atomic = s["m_hi"] / relations.COLD_HYDROGEN
    hot_mass = np.maximum(s["m_hot"] - (IONISED - 1) * atomic, 0.0)
    r200 = r200_of_dark(s["m_dm"])
    hot = hot_share(radius / r200[:, None], (s["hot_core"] / r200)[:, None])
    return s["m_star"][:, None] * stars + enclosed_cold_gas(s, radius) + hot_mass[:, None] * hot


def enclosed_cold_gas(s: Rows, radius: np.ndarray, *, holes: bool = True) -> np.ndarray:
    """Cold gas within `radius` (n, k) [kpc], atomic as an exponential disc of 0.35 r_hi, with the row's hole [Msun]."""
    atomic, molecular = (s[name][:, None] / relations.COLD_HYDROGEN for name in ("m_hi", "m_h2"))
    share = _exponential(radius, np.maximum(0.35 * s["r_hi"], 0.1))
    # The edge of a disc is ionised, and the centre holds less than an exponential: its HI saturates.
    gas = atomic * share * (_CENTRE + (IONISED - _CENTRE) * share)
    gas += _CENTRE * molecular * _exponential(radius, np.maximum(s["r_disc"], 0.1))
    if not holes:
        return gas
    hole = s["hole_radius"][:, None]
    return np.where(hole > 0, gas * left_by_hole(radius / np.maximum(hole, 1e-3)), gas)


def left_by_hole(x: np.ndarray) -> np.ndarray:
    """Share of a disc within `x` hole radii that a hole 1 - exp(-x^4) leaves; its surface density falls as x^-1/2."""
    return 1.0 - 0.375 * gamma(0.375) * x**-1.5 * gammainc(0.375, x**4)


def hot_share(x: np.ndarray, core: np.ndarray) -> np.ndarray:
    """Share of the hot gas within `x` (in r200), see `structure.beta_mass`; `core` in the same unit."""

    def mass(y: np.ndarray | float) -> np.ndarray:
        return y / core - np.arctan(y / core)

    return np.minimum(mass(x) / mass(EDGE), 1.0)


def r200_of_dark(m_dm: np.ndarray) -> np.ndarray:
    """r200 [kpc] of haloes whose bound dark matter is `m_dm` [Msun], that of centrals within `EDGE` r200."""
    return relations.r200_of(m_dm / (1 - COSMIC_BARYON_FRACTION))


def _exponential(radius: np.ndarray, scale: np.ndarray) -> np.ndarray:
    x = radius / scale[:, None]
    return 1.0 - (1.0 + x) * np.exp(-x)
