"""What is seen, weighed: stars from colours, gas from the 21 cm line, and the speeds they would give alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from ..errors import GalaxyError
from ..galaxy import Component, Galaxy
from ..observe.grid import SkyGrid
from ..observe.images.bands import absolute_magnitude, from_maggies
from ..units import G
from .curve import RotationCurve
from .disc import PER_PC2, sphere_speed, thick_disc_speed
from .geometry import Tilt
from .massmodel import MassModel, signed_root, signed_square

#: Mass of the gas over that of its HI: helium of the primordial mixture (as SPARC, Lelli et al. 2016).
HELIUM = 1.33

#: Scatter of masses from `stellar_mass` [dex] (Taylor et al. 2011, section 5.3).
TAYLOR_SCATTER = 0.1

#: sech^2 scale height of the gas [kpc]: thin beside the ring step; our choice.
GAS_HEIGHT = 0.3

#: Softening of the stars' and the gas's gravity in `particle_speeds` [kpc], that of TNG100's stars.
SOFTENING = 0.74


def stellar_mass(luminosity_g: np.ndarray, luminosity_i: np.ndarray) -> np.ndarray:
    """Stellar mass from light in two bands (Taylor et al. 2011, equation 8) [Msun].

    ``log M = 1.15 + 0.70 (g - i) - 0.4 M_i``, AB magnitudes at rest, stars of the Chabrier initial mass function; the
    relation was made with dust in the galaxies, whose reddening and dimming move them nearly along it.

    Parameters
    ----------
    luminosity_g, luminosity_i : ndarray
        [Lsun of the band]; or surface brightnesses per area, for a mass per that area.

    Returns
    -------
    ndarray
        0 where either is not positive.
    """
    lit = (luminosity_g > 0) & (luminosity_i > 0)
    safe = [np.where(lit, values, 1.0) for values in (luminosity_g, luminosity_i)]
    g, i = np.moveaxis(absolute_magnitude(np.stack(safe, axis=-1), ("g", "i")), -1, 0)
    return np.where(lit, 10.0 ** (1.15 + 0.70 * (g - i) - 0.4 * i), 0.0)


def disc_height(scale: float) -> float:
    """sech^2 scale height of a stellar disc of exponential scale length `scale` [kpc].

    Twice the exponential height ``0.196 R_d^0.633`` of edge-on discs (Bershady et al. 2010), which SPARC takes too:
    both laws then fall alike far from the plane.
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
        On the sky, of a round bulge [Msun/pc^2].
    scale : float
        Exponential scale length of the disc [kpc].
    mass : float
        In all [Msun].
    """

    radius: np.ndarray
    disc: np.ndarray
    bulge: np.ndarray
    scale: float
    mass: float


def weigh_stars(image: np.ndarray, unit: str, bands: tuple[str, ...], grid: SkyGrid, tilt: Tilt) -> StellarDisc:
    """Surface density of the stars in rings, divided into disc and bulge.

    Parameters
    ----------
    image : ndarray, shape (y, x, band)
    unit : str
        ``maggies/pixel``.
    bands : tuple of str
        With ``g`` and ``i`` among them.
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
        raise GalaxyError(f"images in {unit} of {', '.join(bands)} weigh no stars: g and i in maggies/pixel are needed")
    chosen = [bands.index(band) for band in ("g", "i")]
    light = from_maggies(image[..., chosen], grid.pixel_area, bands=("g", "i"))
    place = tilt.deproject(*grid.mesh())
    step = grid.pixel_size
    edges = np.concatenate([[0.0], (np.arange(int(0.5 * grid.pixels * 0.9)) + 0.75) * step])
    ring = np.digitize(place.radius.ravel(), edges) - 1
    rows = []
    for k in range(len(edges) - 1):
        here = ring == k
        if here.sum() < 2:
            continue
        values = light.reshape(-1, 2)[here]
        # Companions and foreground are far above the ring's median; the disc's own structure is not.
        values = np.minimum(values, 5.0 * np.maximum(np.median(values, axis=0), 0.0) + 1e-30)
        rows.append((place.radius.ravel()[here].mean(), *values.mean(axis=0)))
    radius, g, i = np.array(rows).T
    on_sky = stellar_mass(g, i) / PER_PC2
    lit = on_sky > 1e-3 * on_sky.max()
    end = int(np.argmin(lit)) if not lit.all() else len(lit)
    if end < 4:
        raise GalaxyError(f"the image shows light in {end} rings, fewer than the 4 of a disc: leave it out")
    radius, on_sky = radius[:end], on_sky[:end]
    cos_i = float(np.cos(np.radians(np.median(tilt.inclination))))
    scale, central = _exponential(radius, on_sky)
    disc = np.minimum(on_sky, central * np.exp(-radius / scale))
    excess = np.where(radius < 1.5 * scale, on_sky - disc, 0.0)
    disc = np.where(radius < 1.5 * scale, disc, on_sky)
    edges = np.concatenate([[0.0], 0.5 * (radius[1:] + radius[:-1]), [radius[-1] + 0.5 * step]])
    mass = float(np.sum((disc * cos_i + excess * cos_i) * np.pi * np.diff(edges**2)) * PER_PC2)
    # A round bulge looks the same from everywhere: its light in the rings' ellipses is that of its sky.
    return StellarDisc(radius, disc * cos_i, excess, scale, mass)


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


def finely(radius: np.ndarray, density: np.ndarray, step: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """A profile on a fine grid from zero to its end, straight lines in the logarithm between values.

    Exponential discs are curved between rings as wide as a beam; the line of the first two rings goes on to the centre.
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


def model_from_maps(curve: RotationCurve, stars: StellarDisc, note: str = "") -> MassModel:
    """The mass model of a galaxy as an observer has it: good rings, gas and stars as weighed.

    Parameters
    ----------
    curve : RotationCurve
    stars : StellarDisc
    note : str

    Returns
    -------
    MassModel
        ``v_obs`` is the circular speed, corrected for asymmetric drift; half of that correction is added in squares to
        its error. The mass-to-light ratios are 1, because colours have given masses; their range is the scatter of
        that method.

    Raises
    ------
    GalaxyError
        With fewer than three good rings.
    """
    good = _good(curve)
    radius = curve.radius[good]
    gas = finely(curve.radius, HELIUM * curve.surface_density)
    disc = finely(stars.radius, stars.disc)
    spread = 10.0**TAYLOR_SCATTER
    return replace(
        _measured(curve, good, note),
        r_disk=stars.scale,
        v_gas=thick_disc_speed(radius, *gas, GAS_HEIGHT),
        v_disk=thick_disc_speed(radius, *disc, disc_height(stars.scale)),
        v_bulge=sphere_speed(radius, stars.radius, stars.bulge),
        upsilon_range=(1.0 / spread, spread),
    )


def _good(curve: RotationCurve) -> np.ndarray:
    good = curve.good
    if good.sum() < 3:
        raise GalaxyError(f"{curve.galaxy} has {good.sum()} good rings, fewer than the 3 of a mass model: leave it out")
    return good


def _measured(curve: RotationCurve, good: np.ndarray, note: str) -> MassModel:
    """A mass model with the measured curve and no visible mass."""
    none = np.zeros(int(good.sum()))
    return MassModel(
        galaxy=curve.galaxy,
        source=None,
        r_disk=float("nan"),
        radius=curve.radius[good],
        v_obs=curve.v_circ[good],
        v_err=np.hypot(curve.v_err, 0.5 * (curve.v_circ - curve.v_rot))[good],
        v_gas=none,
        v_disk=none,
        v_bulge=none,
        upsilon_disk=1.0,
        upsilon_bulge=1.0,
        upsilon_range=(1.0, 1.0),
        note=note,
        inclination=curve.mean_inclination,
        inclination_err=curve.inclination_err,
    )


def model_from_particles(curve: RotationCurve, galaxy: Galaxy, axis: np.ndarray, note: str = "") -> MassModel:
    """The same measured curve with the true gravity of gas and stars, for the variant of perfect knowledge.

    Parameters
    ----------
    curve : RotationCurve
    galaxy : Galaxy
    axis : ndarray, shape (3,)
        Normal of the disc in the galaxy's axes, unit vector.
    note : str

    Raises
    ------
    GalaxyError
        With fewer than three good rings.
    """
    good = _good(curve)
    radius = curve.radius[good]
    gas = signed_square(particle_speeds(galaxy.gas, axis, radius)) + signed_square(
        particle_speeds(galaxy.wind, axis, radius)
    )
    return replace(
        _measured(curve, good, note),
        r_disk=galaxy.r_half_star / 1.678,  # half-mass radius of an exponential disc in scale lengths
        v_gas=signed_root(gas),
        v_disk=particle_speeds(galaxy.stars, axis, radius),
    )


def particle_speeds(part: Component, axis: np.ndarray, radii: np.ndarray, azimuths: int = 24) -> np.ndarray:
    """Circular speed that particles give in the plane of a disc, mean over azimuth [km/s], shape (n,).

    Direct sum with Plummer softening `SOFTENING`; no symmetry is assumed. Negative where the mean pull is outwards.

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
    pull = _pull(
        np.ascontiguousarray(part.position, dtype=float), part.mass.astype(float), radii, outwards, SOFTENING**2
    )
    return signed_root(G * radii * pull)


@njit(cache=True)
def _pull(position, mass, radii, outwards, softening2):
    """Mean over directions of the inward acceleration over G at every radius [Msun/kpc^2]."""
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
