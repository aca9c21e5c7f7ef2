"""Mass and gravity of one model galaxy: haloes, spheroids and discs tabulated on one radial grid.

Gravity is computed from the enclosed mass M(<r), a table on the grid `RADIUS`. Spheroids are spherical here (their
shape enters through the directions of the particles, see `spheroids`). The circular speed in the plane of a disc is
summed over rings of the right thickness; elsewhere (escape speed, Jeans equation, potential) discs enter as spherical
averages. Units: kpc, Msun, km/s.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import ellipe, ellipk

from .relations import nfw_shape
from .units import G

#: Grid of all radial tables [kpc]; logarithmic, so that the ring kernel depends on index differences only.
RADIUS = np.geomspace(0.02, 4000.0, 300)
RADIUS.setflags(write=False)
_DLNR = float(np.log(RADIUS[1] / RADIUS[0]))
#: Area of the ring around each `RADIUS`, one step in ln R wide [kpc^2].
RING_AREA = 2 * np.pi * RADIUS**2 * _DLNR
RING_AREA.setflags(write=False)

#: Cosmic baryon fraction that Cautun et al. (2020) calibrated their contraction with.
COSMIC_BARYON_FRACTION = 0.157


def nfw_mass(r: ArrayLike, m200: float, r200: float, c200: float) -> np.ndarray:
    """Mass of a Navarro, Frenk & White (1997) halo within `r`, continued beyond r200.

    Parameters
    ----------
    r : array_like
        Radius [kpc].
    m200, r200, c200 : float
        Mass [Msun] and radius [kpc] of 200 times the critical density, and concentration.

    Returns
    -------
    ndarray
        Msun.
    """
    return m200 * nfw_shape(np.asarray(r) * (c200 / r200)) / nfw_shape(c200)


#: Spheroids of stars end at this number of scale radii; `SPHEROID_SHARE` of the infinite sphere lies within.
SPHEROID_END, SPHEROID_SHARE = 60.0, 0.952
#: Half-mass radius of a spheroid that ends there, in scale radii.
SPHEROID_HALF = 3.56


def spheroid_share(r: ArrayLike, scale: ArrayLike) -> np.ndarray:
    """Share of the mass of an infinite spheroid of stars of scale radius `scale` within `r` [kpc].

    Dehnen (1993, MNRAS 265, 250) with gamma = 0: a constant density in the middle, as softened gravity leaves it, and
    r^-4 outside.
    """
    r = np.asarray(r)
    return (r / (r + scale)) ** 3


def beta_mass(mass: float, core: float, edge: float) -> np.ndarray:
    """Mass within `RADIUS` of a cored sphere, rho ~ 1 / (1 + (r/core)^2), tapered smoothly at `edge` (beta = 2/3).

    Parameters
    ----------
    mass : float
        Total mass [Msun].
    core, edge : float
        Core radius, well outside of the first grid point, and outer end [kpc].
    """
    per_ln_r = taper(RADIUS / edge) / (1 + (RADIUS / core) ** 2) * RADIUS**3
    enclosed = up_to(per_ln_r) + per_ln_r[0] / 3
    return mass * enclosed / enclosed[-1]


#: Half the width of the smooth cut-off of a profile, over the radius of its edge.
_SOFT = 0.15


def taper(x: ArrayLike) -> np.ndarray:
    """Smooth cut-off: 1 below 0.85, 0 above 1.15, half a cosine between."""
    return _half_cosine(np.clip(x, 1 - _SOFT, 1 + _SOFT))


def _half_cosine(x: np.ndarray) -> np.ndarray:
    """`taper` of values that all lie where it falls."""
    return 0.5 - 0.5 * np.sin((x - 1) * (0.5 * np.pi / _SOFT))


def contract(m_dm: np.ndarray, m_baryon: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Dark matter enclosed after the condensation of the baryons (Cautun et al. 2020, MNRAS 494, 4291, eq. 11).

    ``M = M_dmo (0.45 + 0.38 (eta + 1.16)^0.53)`` with eta the baryonic mass within r over the baryonic mass that
    the dark-matter-only halo would have there at the cosmic fraction.

    Parameters
    ----------
    m_dm : ndarray
        Dark matter enclosed before, without its baryons (the dark-matter-only halo times 1 - 0.157) [Msun].
    m_baryon : ndarray
        Baryons enclosed at the same radii [Msun].
    strength : float
        1 is the published mean relation, 0 no contraction; the scatter between haloes enters here.

    Returns
    -------
    ndarray
        Msun; never decreasing with radius.
    """
    return np.maximum.accumulate(m_dm * (1 + strength * contraction(m_dm, m_baryon)))


def contraction(m_dm: np.ndarray, m_baryon: np.ndarray) -> np.ndarray:
    """Relative change of the enclosed dark matter by the mean contraction, see `contract`."""
    eta = m_baryon / m_dm * (1 - COSMIC_BARYON_FRACTION) / COSMIC_BARYON_FRACTION
    return 0.45 + 0.38 * (eta + 1.16) ** 0.53 - 1.0


def core(r: ArrayLike, m_dm: np.ndarray, core_radius: float) -> np.ndarray:
    """Dark matter enclosed when feedback has made a core, ``M tanh(r / r_core)`` (Read et al. 2016, n = 1)."""
    return m_dm * np.tanh(np.asarray(r) / core_radius) if core_radius > 0 else m_dm


def truncate(m_enclosed: np.ndarray, total: float) -> np.ndarray:
    """Cut off a mass profile smoothly so that its total mass is `total`.

    Parameters
    ----------
    m_enclosed : ndarray
        Mass within `RADIUS` without a cut-off [Msun].
    total : float
        Mass to keep [Msun].

    Returns
    -------
    ndarray
        Mass within `RADIUS`; its last value is `total`. Equal to `m_enclosed` well inside the cut-off.
    """
    shells = np.diff(m_enclosed, prepend=0.0)
    inside = np.concatenate([[0.0], m_enclosed])

    @cache  # the ends of the interval are asked for again
    def surplus(log_edge: float) -> float:
        edge = np.exp(log_edge)
        # Shells before the cut-off count fully, those after it not at all.
        first, end = RADIUS.searchsorted(((1 - _SOFT) * edge, (1 + _SOFT) * edge))
        return float(inside[first] + shells[first:end] @ _half_cosine(RADIUS[first:end] / edge)) - total

    low, high = np.log(RADIUS[4]), np.log(RADIUS[-1])
    edge = np.exp(brentq(surplus, low, high, xtol=1e-4)) if surplus(high) > 0 > surplus(low) else RADIUS[-1]
    kept = np.cumsum(shells * taper(RADIUS / edge))
    return kept * (total / kept[-1])


@lru_cache(maxsize=1)
def _ring_kernel() -> tuple[np.ndarray, np.ndarray]:
    """Squared circular speed, per G m / R', in the plane of a thick ring of radius R', against ln(R/R').

    Returns the natural logarithms of the thicknesses z0/R' and the Fourier transform of the kernel (n_thickness,
    N + 1), continued periodically over 2 N points. The ring's mass is spread over one grid step in ln R and over a
    sech^2(z/z0) layer, each sampled at a few points, because the singularity of a thin ring would lie on the grid.
    """
    thickness = np.geomspace(0.005, 20.0, 14)
    n = RADIUS.size
    log_ratio = (np.arange(2 * n) - n) * _DLNR
    within_step = (np.arange(6) + 0.5) / 6 - 0.5
    height = np.arctanh((np.arange(6) + 0.5) / 6)
    x = np.exp(log_ratio[:, None, None] - within_step[:, None] * _DLNR)
    kernel = np.empty((thickness.size, log_ratio.size))
    for i, z0 in enumerate(thickness):
        z = (z0 * height)[None, None, :]
        plus, minus = (x + 1) ** 2 + z**2, (x - 1) ** 2 + z**2
        k2 = 4 * x / plus
        v2 = (ellipk(k2) - (1 - x**2 + z**2) / minus * ellipe(k2)) / (np.pi * np.sqrt(plus))
        kernel[i] = v2.mean(axis=(1, 2))
    return np.log(thickness), np.fft.rfft(np.fft.ifftshift(kernel, axes=1))


def disc_speed_squared(*discs: tuple[np.ndarray, float | np.ndarray]) -> np.ndarray:
    """Squared circular speed in the plane of discs of any surface density.

    Rings of the same thickness z0/R pull alike, so that the sum over them is a convolution in ln R. A ring counts in
    part as the next thinner of the tabulated ones, in part as the next thicker.

    Parameters
    ----------
    *discs : tuple
        Of each disc the mass in each logarithmic bin around `RADIUS`, shape (n,) [Msun], and the scale height of its
        sech^2(z/z0) layer, a number or shape (n,) [kpc].

    Returns
    -------
    ndarray (n,)
        (km/s)^2 at `RADIUS`; negative inside a central hole, where the pull is outward.
    """
    log_thickness, kernel = _ring_kernel()
    ring = np.arange(RADIUS.size)
    pulls = np.zeros((log_thickness.size, 2 * RADIUS.size))  # the empty half keeps the ends of the grid apart
    for ring_mass, z0 in discs:
        t = (np.log(z0 / RADIUS) - log_thickness[0]) / (log_thickness[1] - log_thickness[0])
        t = np.clip(t, 0, log_thickness.size - 1.001)
        thinner = t.astype(int)
        pull, share = G * ring_mass / RADIUS, t - thinner
        pulls[thinner, ring] += pull * (1 - share)
        pulls[thinner + 1, ring] += pull * share
    return np.fft.irfft(np.sum(kernel * np.fft.rfft(pulls), axis=0))[: RADIUS.size]


def ring_masses(surface_density: np.ndarray) -> np.ndarray:
    """Mass in each logarithmic bin of `RADIUS` [Msun] of a surface density there [Msun/kpc^2]."""
    return RING_AREA * surface_density


def disc_mass(surface_density: np.ndarray) -> float:
    """Total mass [Msun] of a surface density at `RADIUS` [Msun/kpc^2]."""
    return float(RING_AREA @ surface_density)


def up_to(per_ln_r: np.ndarray) -> np.ndarray:
    """Integral over ln r from the start of the grid to each `RADIUS`, by Simpson's rule.

    As `scipy.integrate.cumulative_simpson`, but for this grid only and ten times as fast.
    """
    left, middle, right = per_ln_r[:-2], 8 * per_ln_r[1:-1], per_ln_r[2:]
    # The parabola through three points, over the first and over the second step between them.
    first, second = (_DLNR / 12 * part for part in (5 * left + middle - right, middle - left + 5 * right))
    steps = np.empty(RADIUS.size)
    steps[0], steps[-1] = 0.0, second[-1]
    steps[1:-1:2], steps[2::2] = first[::2], second[::2]
    return np.cumsum(steps)


def beyond(per_ln_r: np.ndarray) -> np.ndarray:
    """Integral over ln r from each `RADIUS` to the end of the grid: a pressure, from the pull on its matter."""
    step = 0.5 * (per_ln_r[1:] + per_ln_r[:-1]) * np.diff(np.log(RADIUS))
    return np.concatenate([np.cumsum(step[::-1])[::-1], [0.0]])


def shell_density(enclosed: np.ndarray) -> np.ndarray:
    """Density at `RADIUS` of a spherical mass table [Msun/kpc^3]; never negative."""
    return np.maximum(np.gradient(enclosed, _DLNR), 0.0) / (4 * np.pi * RADIUS**3)


def surface_density(enclosed: np.ndarray) -> np.ndarray:
    """Surface density at `RADIUS` of a disc's mass table [Msun/kpc^2]; never negative."""
    return np.maximum(np.gradient(enclosed, _DLNR), 0.0) / (2 * np.pi * RADIUS**2)


@dataclass
class MassModel:
    """Gravity of one galaxy.

    Parameters
    ----------
    enclosed : dict of str to ndarray
        Component name -> mass within `RADIUS` [Msun]; for discs, within the cylinder.
    disc_speed2 : ndarray
        Squared circular speed of the discs, ``disc`` and ``gas``, in their plane [(km/s)^2]; all others are spheres.
    """

    enclosed: dict[str, np.ndarray]
    disc_speed2: np.ndarray

    @cached_property
    def mass(self) -> np.ndarray:
        """Total mass within `RADIUS` [Msun]."""
        return np.sum(list(self.enclosed.values()), axis=0)

    @cached_property
    def v_circ(self) -> np.ndarray:
        """Circular speed in the plane of the discs [km/s], flattened discs included."""
        spheres = sum(m for name, m in self.enclosed.items() if name not in ("disc", "gas"))
        return np.sqrt(np.maximum(G * spheres / RADIUS + self.disc_speed2, 0.0))

    @cached_property
    def potential(self) -> np.ndarray:
        """Potential at `RADIUS` [(km/s)^2], zero at infinity; discs as their spherical average.

        It is taken as constant within the first grid point (`interpolate`), so that the centre is its minimum.
        """
        pull = G * self.mass / RADIUS
        inward = up_to(pull)
        return inward - inward[-1] - pull[-1]

    @cached_property
    def epicycle_ratio2(self) -> np.ndarray:
        """(sigma_phi / sigma_R)^2 = kappa^2 / (4 Omega^2) of nearly circular orbits."""
        slope = np.gradient(np.log(np.maximum(self.v_circ, 1e-3)), np.log(RADIUS))
        return np.clip(0.5 * (1 + slope), 0.25, 1.0)


def places(r: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Where radii `r` [kpc] lie on `RADIUS`: grid point below and share of the interval, for `at_places`."""
    t = (np.log(np.maximum(r, RADIUS[0])) - np.log(RADIUS[0])) / _DLNR
    low = np.minimum(t.astype(np.int32), RADIUS.size - 2)
    return low, np.minimum(t - low, 1.0)


def at_places(where: tuple[np.ndarray, np.ndarray], table: np.ndarray) -> np.ndarray:
    """Interpolate a table on `RADIUS`, see `interpolate`."""
    low, share = where
    return table[low] * (1 - share) + table[low + 1] * share


def interpolate(r: ArrayLike, table: np.ndarray) -> np.ndarray:
    """Interpolate a table on `RADIUS` at radii `r` [kpc], linearly in ln r; the end values outside the grid.

    The grid is uniform in ln r, so the index is computed, not searched for.
    """
    return at_places(places(r), table)


def radii_of_mass(enclosed: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    """Radii [kpc] within which the given fractions (0 to 1) of a tabulated mass lie: inverse-transform sampling."""
    if np.size(fraction) == 0:
        return np.zeros(0)
    cumulative, radii = _cumulative(enclosed)
    return np.interp(fraction, cumulative, radii)


def share_within(enclosed: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Fractions (0 to 1) of a tabulated mass within the radii `r` [kpc]: the inverse of `radii_of_mass`."""
    cumulative, radii = _cumulative(enclosed)
    return np.interp(r, radii, cumulative)


def _cumulative(enclosed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fraction of a tabulated mass, strictly increasing from 0, and the radius that holds it [kpc]."""
    cumulative = np.concatenate([[0.0], enclosed / enclosed[-1]])
    keep = np.concatenate([[True], np.diff(cumulative) > 0])
    return cumulative[keep], np.concatenate([[0.0], RADIUS])[keep]
