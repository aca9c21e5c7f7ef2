"""The gravity of visible matter: stars weighed by their colours, gas by its 21 cm line, and the speeds they give alone.

Contains the circular speeds of discs of any surface density, thin or thick, of round bulges, and of particles.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit
from scipy.special import ellipe, ellipk

from ..galaxy import Component
from ..observe.images import absolute_magnitude, from_maggies
from ..observe.sky import SkyGrid
from ..units import G
from .curve import Reason, RejectedGalaxyError, RotationCurve
from .velocity_field import Tilt

#: Msun/kpc^2 in a Msun/pc^2.
PER_PC2 = 1e6

#: Mass of the gas over that of its HI, for primordial helium (as in SPARC, Lelli et al. 2016).
HELIUM = 1.33

#: sech^2 scale height of the gas [kpc]: thin compared with the ring step; our choice.
GAS_HEIGHT = 0.3

#: Softening of the gravity in `particle_speeds` [kpc], that of TNG100's stars.
SOFTENING = 0.74


def signed_square(speed: np.ndarray) -> np.ndarray:
    """``v |v|``: the square with the sign by which SPARC marks an outward force."""
    return speed * np.abs(speed)


def signed_root(square: np.ndarray) -> np.ndarray:
    """Inverse of `signed_square`."""
    return np.sign(square) * np.sqrt(np.abs(square))


def stellar_mass(luminosity_g: np.ndarray, luminosity_i: np.ndarray) -> np.ndarray:
    """Stellar mass from light in two bands (Taylor et al. 2011, equation 8) [Msun].

    ``log M = 1.15 + 0.70 (g - i) - 0.4 M_i``, with rest-frame AB magnitudes and a Chabrier initial mass function. The
    relation was calibrated on dusty galaxies; reddening and extinction move a galaxy nearly along it.

    Parameters
    ----------
    luminosity_g, luminosity_i : ndarray
        [Lsun of the band]; or surface brightnesses, for a mass per area.

    Returns
    -------
    ndarray
        [Msun]; 0 where either is not positive.
    """
    lit = (luminosity_g > 0) & (luminosity_i > 0)
    safe = [np.where(lit, values, 1.0) for values in (luminosity_g, luminosity_i)]
    g, i = np.moveaxis(absolute_magnitude(np.stack(safe, axis=-1), ("g", "i")), -1, 0)
    return np.where(lit, 10.0 ** (1.15 + 0.70 * (g - i) - 0.4 * i), 0.0)


def disc_height(scale: float) -> float:
    """sech^2 scale height of a stellar disc of exponential scale length `scale` [kpc].

    Twice the exponential height ``0.196 R_d^0.633`` of edge-on discs (Bershady et al. 2010), as in SPARC: the two laws
    then agree far from the plane.
    """
    return 2.0 * 0.196 * scale**0.633


@dataclass(frozen=True)
class StellarDisc:
    """Surface densities of the stars of one galaxy; arrays of shape (n,).

    Parameters
    ----------
    radius : ndarray
        [kpc]
    disc : ndarray
        Face-on [Msun/pc^2].
    bulge : ndarray
        Of a round bulge, on the sky [Msun/pc^2].
    scale : float
        Exponential scale length of the disc [kpc].
    """

    radius: np.ndarray
    disc: np.ndarray
    bulge: np.ndarray
    scale: float


def weigh_stars(image: np.ndarray, unit: str, bands: tuple[str, ...], grid: SkyGrid, tilt: Tilt) -> StellarDisc:
    """Surface density of the stars in rings, decomposed into disc and bulge.

    Parameters
    ----------
    image : ndarray, shape (y, x, band)
    unit : str
        ``maggies/pixel``.
    bands : tuple of str
        Must include ``g`` and ``i``.
    grid : SkyGrid
    tilt : Tilt
        Of the disc.

    Returns
    -------
    StellarDisc

    Raises
    ------
    GalaxyError
        When the image has no absolute calibration, lacks a band, or shows no light.
    """
    if unit != "maggies/pixel" or not {"g", "i"} <= set(bands):
        raise RejectedGalaxyError(
            f"images in {unit} of {', '.join(bands)}: g and i in maggies/pixel weigh stars", Reason.NO_STARS
        )
    chosen = [bands.index(band) for band in ("g", "i")]
    light = from_maggies(image[..., chosen], grid.pixel_area, bands=("g", "i"))
    radius, (g, i) = ring_means(light, grid, tilt)
    return decompose(radius, stellar_mass(g, i) / PER_PC2, tilt)


def ring_means(light: np.ndarray, grid: SkyGrid, tilt: Tilt) -> tuple[np.ndarray, np.ndarray]:
    """Mean of images in the rings of a disc.

    Parameters
    ----------
    light : ndarray, shape (y, x, n)
        Surface brightness; pixels of NaN are left out.
    grid : SkyGrid
    tilt : Tilt

    Returns
    -------
    radius : ndarray, shape (rings,)
        [kpc]
    means : ndarray, shape (n, rings)
    """
    radii = tilt.deproject(*grid.mesh()).radius.ravel()
    edges = np.concatenate([[0.0], (np.arange(int(0.5 * grid.pixels * 0.9)) + 0.75) * grid.pixel_size])
    flat = light.reshape(-1, light.shape[-1])
    ring = np.where(np.isfinite(flat).all(axis=1), np.digitize(radii, edges), 0)
    order, ends = np.argsort(ring, kind="stable"), np.cumsum(np.bincount(ring, minlength=len(edges) + 1))
    rows = []
    for begin, end in pairwise(ends[:-1]):  # what lies beyond the last edge or is blank has no ring
        if end - begin < 2:
            continue
        here = order[begin:end]
        # Companions and foreground objects lie far above the ring's median, the structure of the disc does not.
        values = flat[here]
        values = np.minimum(values, 5.0 * np.maximum(_median(values), 0.0) + 1e-30)
        rows.append((radii[here].mean(), *values.mean(axis=0)))
    found = np.array(rows).T
    return found[0], found[1:]


def _median(values: np.ndarray) -> np.ndarray:
    """Median over the first axis of finite values, in a third of the time that `numpy.median` takes for a ring."""
    low, high = (len(values) - 1) // 2, len(values) // 2
    sorted_there = np.partition(values, (low, high), axis=0)
    return 0.5 * (sorted_there[low] + sorted_there[high])


def decompose(radius: np.ndarray, on_sky: np.ndarray, tilt: Tilt) -> StellarDisc:
    """Disc and round bulge of a surface density of stars in rings, shape (n,) each [kpc, Msun/pc^2 on the sky].

    Raises
    ------
    GalaxyError
        When fewer than four rings show light.
    """
    lit = on_sky > 1e-3 * on_sky.max()
    end = int(np.argmin(lit)) if not lit.all() else len(lit)
    if end < 4:
        raise RejectedGalaxyError(f"the image shows light in {end} rings, fewer than 4: leave it out", Reason.NO_STARS)
    radius, on_sky = radius[:end], on_sky[:end]
    cos_i = float(np.cos(np.radians(np.median(tilt.inclination))))
    scale, central = _exponential(radius, on_sky)
    disc = np.minimum(on_sky, central * np.exp(-radius / scale))
    excess = np.where(radius < 1.5 * scale, on_sky - disc, 0.0)
    disc = np.where(radius < 1.5 * scale, disc, on_sky)
    # A round bulge looks the same from every side: the mean over an elliptical ring is its density on the sky.
    return StellarDisc(radius, disc * cos_i, excess, scale)


def _exponential(radius: np.ndarray, density: np.ndarray) -> tuple[float, float]:
    """Scale length and central value of the exponential through the outer half of the mass."""
    edges = np.concatenate([[0.0], 0.5 * (radius[1:] + radius[:-1]), [radius[-1]]])
    grown = np.cumsum(density * np.diff(edges**2))
    outer = radius >= np.interp(0.5, grown / grown[-1], radius)
    if outer.sum() < 3:
        outer = np.arange(len(radius)) >= len(radius) - 3
    slope, level = np.polyfit(radius[outer], np.log(density[outer]), 1)
    scale = float(np.clip(-1.0 / slope if slope < 0 else np.inf, 0.3, radius[-1]))
    return scale, float(np.exp(level))


def interpolate_profile(radius: np.ndarray, density: np.ndarray, step: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate a surface density linearly in its logarithm.

    An exponential disc is far from linear between rings as wide as a beam.

    Parameters
    ----------
    radius, density : ndarray, shape (n,)
        [kpc, any unit]
    step : float
        [kpc]

    Returns
    -------
    radius, density : ndarray, shape (m,)
        From zero to the last radius with a positive density; the line through the first two rings is extended to the
        centre.
    """
    keep = density > 0
    if keep.sum() < 2:
        return np.array([0.0, step]), np.zeros(2)
    r, log = radius[keep], np.log(density[keep])
    fine = np.arange(0.0, r[-1] + step, step)
    values = np.interp(fine, r, log)
    slope = min(0.0, (log[1] - log[0]) / (r[1] - r[0]))
    inside = fine < r[0]
    values[inside] = log[0] + slope * (fine[inside] - r[0])
    return fine, np.exp(values)


def stellar_fields(stars: StellarDisc, radius: np.ndarray) -> dict[str, Any]:
    """Fields of a `MassModel` that follow from the surface densities of the stars; speeds at `radius` [kpc]."""
    disc = interpolate_profile(stars.radius, stars.disc)
    return {
        "r_disk": stars.scale,
        "v_disk": thick_disc_speed(radius, *disc, disc_height(stars.scale)),
        "v_bulge": sphere_speed(radius, stars.radius, stars.bulge),
        "m_disk": float(mass_within(stars.radius, stars.disc)[-1]),
        "m_bulge": float(mass_within(stars.radius, stars.bulge)[-1]),
        "r_half": half_mass_radius(stars),
    }


def mass_within(radius: np.ndarray, surface_density: np.ndarray) -> np.ndarray:
    """Mass within each radius, shape (n,) [Msun], of a surface density there [kpc, Msun/pc^2]."""
    edges = np.concatenate([[0.0], 0.5 * (radius[1:] + radius[:-1]), [radius[-1]]])
    return np.pi * PER_PC2 * np.cumsum(surface_density * np.diff(edges**2))


def half_mass_radius(stars: StellarDisc) -> float:
    """Radius within which half of the stellar mass lies, in the plane of the disc [kpc]."""
    mass = mass_within(stars.radius, stars.disc + stars.bulge)
    return float(np.interp(0.5 * mass[-1], mass, stars.radius))


def gas_speed(curve: RotationCurve, radius: np.ndarray) -> np.ndarray:
    """Circular speed due to the gas of a curve's rings, with helium [km/s], shape of `radius` [kpc]."""
    profile = interpolate_profile(curve.radius, HELIUM * curve.surface_density)
    return thick_disc_speed(radius, *profile, GAS_HEIGHT)


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
        Radii of the speeds, positive [kpc].
    radius, surface_density : ndarray, shape (m,)
        Face-on surface density [Msun/pc^2] at increasing radii [kpc]. Linear between them; constant within the first
        radius; the disc ends at the last radius, where it falls to zero within a step.
    height : float
        Scale height of the sech^2 [kpc]; at least a thousandth of the disc's radius is used, which is thin.

    Returns
    -------
    ndarray, shape (n,)
        [km/s], negative where the disc pulls outwards (as in `signed_square`).
    """
    radii = np.asarray(radii, dtype=float)
    radius, density = np.asarray(radius, dtype=float), np.asarray(surface_density, dtype=float)
    step = radius[-1] - radius[-2] if len(radius) > 1 else radius[-1]
    radius, density = np.append(radius, radius[-1] + step), np.append(density, 0.0)
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
    return signed_root(square)


@lru_cache(maxsize=1)
def _layer(n: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Heights and weights for an integral over z > 0 of a sech^2 layer of unit height and unit surface density.

    Nodes at equal steps of mass would sample the plane, where the kernel is steepest, too sparsely: the quantiles are
    squared.
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


def particle_speeds(part: Component, axis: np.ndarray, radii: np.ndarray, azimuths: int = 24) -> np.ndarray:
    """Circular speed due to particles in the plane of a disc, mean over azimuth [km/s], shape (n,).

    Direct sum with Plummer softening `SOFTENING`; no symmetry is assumed. Negative where the mean force is outwards.

    Parameters
    ----------
    part : Component
    axis : ndarray, shape (3,)
        Normal of the plane, unit vector.
    radii : ndarray, shape (n,)
        [kpc]
    azimuths : int
    """
    radii = np.asarray(radii, dtype=float)
    if len(part) == 0:
        return np.zeros(len(radii))
    first = np.cross(axis, np.eye(3)[int(np.argmin(np.abs(axis)))])
    first /= np.linalg.norm(first)
    phi = 2.0 * np.pi * np.arange(azimuths) / azimuths
    outwards = np.cos(phi)[:, None] * first + np.sin(phi)[:, None] * np.cross(axis, first)
    position = np.ascontiguousarray(part.position, dtype=float)
    pull = _pull(position, part.mass.astype(float), radii, outwards, SOFTENING**2)
    return signed_root(G * radii * pull)


@njit(cache=True)
def _pull(position, mass, radii, outwards, softening2):
    """Mean over directions of the inward acceleration divided by G at each radius [Msun/kpc^2]."""
    out = np.zeros(len(radii))
    for k in range(len(radii)):
        for d in range(len(outwards)):
            ex, ey, ez = outwards[d]
            x, y, z = radii[k] * ex, radii[k] * ey, radii[k] * ez
            total = 0.0
            for p in range(len(mass)):
                dx, dy, dz = x - position[p, 0], y - position[p, 1], z - position[p, 2]
                r2 = dx * dx + dy * dy + dz * dz + softening2
                total += mass[p] * (dx * ex + dy * ey + dz * ez) / (r2 * np.sqrt(r2))
            out[k] += total / len(outwards)
    return out
