"""Circular speeds of discs of any surface density, thin or thick, and of round bulges."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import ellipe, ellipk

from ..units import G

#: Msun/kpc^2 in a Msun/pc^2
PER_PC2 = 1e6


def thick_disc_speed(
    radii: np.ndarray, radius: np.ndarray, surface_density: np.ndarray, height: float = 0.0
) -> np.ndarray:
    """Circular speed in the plane of a disc (Casertano 1983, equations 4 and 5).

    ``V^2(R) = -8 G R int du int dz [K(p) - E(p)] sqrt(u / (R p)) drho/du``, with ``p = x - sqrt(x^2 - 1)`` and
    ``x = (R^2 + u^2 + z^2) / (2 R u)``; K and E are complete elliptic integrals of modulus p. The density falls as
    sech^2(z / height).

    Parameters
    ----------
    radii : ndarray, shape (n,)
        Where the speed is wanted [kpc], positive.
    radius, surface_density : ndarray, shape (m,)
        Face-on surface density [Msun/pc^2] at rising radii [kpc]. Linear between them; the first value holds within the
        first radius, and the disc ends at the last radius, where it falls to zero within a step.
    height : float
        Scale height of the sech^2 [kpc]; the smallest used is a hundredth of the disc's radius, as good as thin.

    Returns
    -------
    ndarray, shape (n,)
        [km/s], negative where the disc pulls outwards (as in `dmlib.rotation.massmodel.signed_square`).
    """
    radii = np.asarray(radii, dtype=float)
    radius, density = np.asarray(radius, dtype=float), np.asarray(surface_density, dtype=float)
    step = radius[-1] - radius[-2] if len(radius) > 1 else radius[-1]
    radius = np.append(radius, radius[-1] + step)
    density = np.append(density, 0.0)
    if radius[0] > 0:
        radius, density = np.insert(radius, 0, 0.0), np.insert(density, 0, density[0])
    edges = np.unique(np.concatenate([np.linspace(0.0, radius[-1], 401), radius]))
    middle = 0.5 * (edges[1:] + edges[:-1])
    fall = np.diff(np.interp(edges, radius, density))  # the density is linear within each piece
    height = max(height, 1e-3 * radius[-1])
    z, weight = _layer()
    z = z * height
    big_r, u = radii[:, None, None], middle[None, :, None]
    x = (big_r**2 + u**2 + z**2) / (2.0 * big_r * u)
    p = x - np.sqrt(x**2 - 1.0)
    kernel = (ellipk(p**2) - ellipe(p**2)) * np.sqrt(u / (big_r * p))
    square = -8.0 * G * radii * PER_PC2 * ((kernel @ weight) @ fall)
    return np.sign(square) * np.sqrt(np.abs(square))


@lru_cache(maxsize=1)
def _layer(n: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Heights and weights for an integral over z > 0 of a sech^2 layer of unit height and unit surface density.

    Equal steps of mass would leave the plane to one point, where the kernel is steepest: the quantiles are squared.
    """
    t, w = np.polynomial.legendre.leggauss(n)
    t, w = 0.5 * (t + 1.0), 0.5 * w
    quantile, slope = t**2, 2.0 * t
    return np.arctanh(quantile), 0.5 * w * slope  # half of the layer lies above the plane


def sphere_speed(radii: np.ndarray, radius: np.ndarray, surface_density: np.ndarray) -> np.ndarray:
    """Circular speed of a round bulge from its surface density on the sky (Kent 1986, equation 1).

    ``M(r) = 2 pi int_0^r S R dR + 4 int_r^oo [arcsin(r/R) - r / sqrt(R^2 - r^2)] S R dR``.

    Parameters
    ----------
    radii : ndarray, shape (n,)
        [kpc]
    radius, surface_density : ndarray, shape (m,)
        [kpc, Msun/pc^2]; zero beyond the last radius.

    Returns
    -------
    ndarray, shape (n,)
        [km/s]
    """
    radii = np.asarray(radii, dtype=float)
    mass = np.empty(len(radii))
    for k, r in enumerate(radii):
        inner = np.linspace(0.0, r, 200)
        within = 2.0 * np.pi * np.trapezoid(inner * np.interp(inner, radius, surface_density, right=0.0), inner)
        # R = r / cos t removes the root's pole at R = r.
        end = np.arccos(min(1.0, r / radius[-1]))
        t = np.linspace(0.0, end, 400)
        cosine = np.cos(t)
        outer = r / cosine
        value = np.interp(outer, radius, surface_density, right=0.0) * outer
        # dR = r sin t / cos^2 t dt and r / sqrt(R^2 - r^2) = cos t / sin t
        integrand = (0.5 * np.pi - t) * np.sin(t) / cosine**2 - 1.0 / cosine
        mass[k] = PER_PC2 * (within + 4.0 * r * np.trapezoid(integrand * value, t))
    return np.sqrt(G * np.maximum(mass, 0.0) / radii)


def freeman_speed(radii: np.ndarray, central: float, scale: float) -> np.ndarray:
    """Circular speed of a thin exponential disc (Freeman 1970, equation 12) [km/s].

    Parameters
    ----------
    radii : ndarray
        [kpc]
    central : float
        Central surface density [Msun/pc^2].
    scale : float
        [kpc]
    """
    from scipy.special import i0, i1, k0, k1

    y = np.asarray(radii, dtype=float) / (2.0 * scale)
    return np.sqrt(4.0 * np.pi * G * central * PER_PC2 * scale * y**2 * (i0(y) * k0(y) - i1(y) * k1(y)))
