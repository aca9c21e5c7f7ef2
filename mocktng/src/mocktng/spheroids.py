"""Dark haloes, bulges and stellar haloes: shapes, and velocities from the spherical Jeans equation.

Positions are drawn first, velocities after them in the same potential. The velocity distribution is a Gaussian cut
below the escape speed, not a distribution function of the integrals of motion; a simulation started from it would
relax a little.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erf, erfc

from .structure import (
    COSMIC_BARYON_FRACTION,
    RADIUS,
    MassModel,
    beyond,
    contract,
    core,
    interpolate,
    nfw_mass,
    radii_of_mass,
    truncate,
)
from .units import G


@dataclass(frozen=True)
class Anisotropy:
    """beta(r) = outer r / (r + radius): isotropic in the middle, radial outside (Mamon & Lokas 2005, outer = 1/2)."""

    outer: float = 0.0
    radius: float = 1.0

    def beta(self, r: ArrayLike) -> np.ndarray:
        """1 - sigma_t^2 / sigma_r^2."""
        return self.outer * np.asarray(r) / (np.asarray(r) + self.radius)

    def factor(self, r: ArrayLike) -> np.ndarray:
        """Integrating factor exp(int 2 beta dln r) of the Jeans equation."""
        return (np.asarray(r) + self.radius) ** (2 * self.outer)


def radial_dispersion(tracer: np.ndarray, model: MassModel, anisotropy: Anisotropy) -> np.ndarray:
    """Radial velocity dispersion of a spherical tracer, from the Jeans equation.

    d(rho s^2)/dr + 2 beta rho s^2 / r = -rho G M / r^2 (Binney & Tremaine 2008, eq. 4.215), with M of all components.

    Parameters
    ----------
    tracer : ndarray
        Mass of the tracer within `RADIUS` [Msun].
    model : MassModel
    anisotropy : Anisotropy

    Returns
    -------
    ndarray
        km/s at `RADIUS`; zero where there is no tracer.
    """
    shell = np.maximum(np.gradient(tracer, np.log(RADIUS)), 0.0)  # 4 pi rho r^3
    weight = shell / RADIUS**3 * anisotropy.factor(RADIUS)
    outward = beyond(weight * G * model.mass / RADIUS)
    return np.sqrt(np.divide(outward, weight, out=np.zeros_like(outward), where=weight > 1e-12 * weight.max()))


#: Speeds stay below this fraction of the escape speed.
_ESCAPE = 0.95


@lru_cache(maxsize=1)
def _cut_table() -> tuple[np.ndarray, np.ndarray]:
    """Width of the Gaussian that has a given dispersion after speeds above a limit have been redrawn below it.

    Returns sigma / limit after and before the cut. A speed above the limit is replaced by a draw from the uniform
    sphere below it, whose mean square is 3/5 of the limit's.
    """
    before = np.geomspace(0.02, 20.0, 200)
    x = 1 / before
    tail = erfc(x / np.sqrt(2)) + np.sqrt(2 / np.pi) * x * np.exp(-0.5 * x**2)
    # Second moment of the Gaussian below the limit: 3 minus that of the tail.
    inside = 3 * erf(x / np.sqrt(2)) - np.sqrt(2 / np.pi) * np.exp(-0.5 * x**2) * x * (x**2 + 3)
    return before * np.sqrt((inside + 0.6 * x**2 * tail) / 3), before


def spheroid_velocities(
    rng: np.random.Generator,
    positions: np.ndarray,
    radii: np.ndarray,
    dispersion: np.ndarray,
    model: MassModel,
    anisotropy: Anisotropy,
) -> np.ndarray:
    """Gaussian velocities about a centre, cut below the escape speed.

    Parameters
    ----------
    rng : Generator
    positions : ndarray (n, 3)
        kpc from the centre.
    radii : ndarray (n,)
        Their lengths.
    dispersion : ndarray
        Radial dispersion at `RADIUS` [km/s].
    model : MassModel
        Gives the escape speed.
    anisotropy : Anisotropy

    Returns
    -------
    ndarray (n, 3)
        km/s, float32.
    """
    n = len(radii)
    limit = _ESCAPE * np.sqrt(-2 * interpolate(radii, model.potential))
    beta = anisotropy.beta(radii)
    sigma = interpolate(radii, dispersion)
    # The Jeans dispersion has to hold after the cut; the table is for isotropic dispersions, so use their mean.
    mean = np.maximum(sigma * np.sqrt(1 - 2 * beta / 3), 1e-9)
    sigma = (sigma * (limit * np.interp(mean / limit, *_cut_table()) / mean)).astype(np.float32)
    ratio = np.sqrt(1 - beta).astype(np.float32)
    radial = (positions / np.maximum(radii, 1e-12)[:, None]).astype(np.float32)
    # Isotropic Gaussian with the tangential part shrunk (beta > 0): v = ratio g + (1 - ratio) (g.r) r
    velocity = rng.standard_normal((n, 3), dtype=np.float32)
    along = np.einsum("ij,ij->i", velocity, radial)
    velocity = ratio[:, None] * velocity + ((1 - ratio) * along)[:, None] * radial
    velocity *= sigma[:, None]
    speed = np.sqrt(np.einsum("ij,ij->i", velocity, velocity))
    fast = speed > limit
    if fast.any():
        # A uniform draw within the allowed sphere avoids a pile-up at the limit.
        shrink = limit[fast] / speed[fast] * np.cbrt(rng.random(int(fast.sum())))
        velocity[fast] *= shrink.astype(np.float32)[:, None]
    return velocity


def spin_up(
    rng: np.random.Generator, positions: np.ndarray, velocities: np.ndarray, axis: ArrayLike, share: float
) -> None:
    """Reverse a fraction of the retrograde orbits, in place: net rotation about `axis` at unchanged energy.

    Parameters
    ----------
    positions, velocities : ndarray (n, 3)
    axis : array_like (3,)
        Unit vector.
    share : float
        0 leaves all orbits unchanged, 1 makes every orbit prograde.
    """
    x, y, z = np.asarray(axis, dtype=float)
    # Rows r -> axis x r, as one product of matrices: several times as fast as np.cross.
    normal = positions @ np.array([[0.0, z, -y], [-z, 0.0, x], [y, -x, 0.0]])
    turn = np.flatnonzero((np.einsum("ij,ij->i", normal, velocities) < 0) & (rng.random(len(positions)) < share))
    # Reflecting v in the plane of r and the axis reverses the rotation and nothing else.
    # Rows are taken by number: faster than by a mask.
    normal, turned = normal.take(turn, axis=0), velocities.take(turn, axis=0)
    normal /= np.maximum(np.linalg.norm(normal, axis=1), 1e-12)[:, None]
    velocities[turn] = turned - 2 * np.einsum("ij,ij->i", turned, normal)[:, None] * normal


def halo_mass(row: np.void, m_baryon: np.ndarray, total: float) -> np.ndarray:
    """Dark matter within `RADIUS` [Msun] of one subhalo.

    An NFW halo without its baryons, contracted by the baryons present, with a core where the row has one, and cut off
    smoothly so that its total is the planned mass.

    Parameters
    ----------
    row : void
        Row of `Population.subhalos`.
    m_baryon : ndarray
        Baryons within `RADIUS` [Msun].
    total : float
        Total dark matter [Msun].
    """
    before = (1 - COSMIC_BARYON_FRACTION) * nfw_mass(RADIUS, row["m200"], row["r200"], row["c200"])
    after = core(RADIUS, contract(before, m_baryon, row["contraction"]), row["core_radius"])
    return truncate(np.maximum.accumulate(after), total)


def directions(rng: np.random.Generator, n: int, axis_ratios: ArrayLike, axes: ArrayLike) -> np.ndarray:
    """Draw unit vectors distributed over directions as the mass of an ellipsoid.

    Points on a sphere are squeezed to the axis ratios and projected back on the sphere, so that the radii, and with
    them M(<r), do not change. For a density falling as r^-3, the mean slope of an NFW halo, the surfaces of equal
    density are then exactly ellipsoids of these axis ratios.

    Parameters
    ----------
    n : int
    axis_ratios : array_like (2,)
        b/a and c/a.
    axes : ndarray (3, 3)
        Rows: unit vectors of the long, middle and short axes.

    Returns
    -------
    ndarray (n, 3)
        float32.
    """
    vectors = rng.standard_normal((n, 3), dtype=np.float32)
    vectors *= np.array([1.0, *np.asarray(axis_ratios)], dtype=np.float32)
    vectors /= np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return vectors @ np.asarray(axes, dtype=np.float32)


def sample_halo(rng: np.random.Generator, row: np.void, model: MassModel, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Dark-matter particles of one subhalo.

    The draws are independent, as the particles of a simulation nearly are: the number within any radius scatters by its
    square root.

    Parameters
    ----------
    rng : Generator
    row : void
        Row of `Population.subhalos`.
    model : MassModel
        With a component ``dm``.
    n : int

    Returns
    -------
    positions : ndarray (n, 3)
        kpc from the subhalo's centre.
    velocities : ndarray (n, 3)
        km/s in its frame.
    """
    radii = radii_of_mass(model.enclosed["dm"], rng.random(n))
    positions = directions(rng, n, row["axis_ratios"], row["halo_axes"]) * radii[:, None]
    anisotropy = Anisotropy(0.4, row["r200"] / row["c200"])
    dispersion = radial_dispersion(model.enclosed["dm"], model, anisotropy)
    velocities = spheroid_velocities(rng, positions, radii, dispersion, model, anisotropy)
    # Reversing a third of the retrograde orbits gives the median spin of cosmological haloes, 0.035.
    spin_up(rng, positions, velocities, row["spin_axis"], min(10.0 * float(row["halo_spin"]), 1.0))
    return positions, velocities


def sample_fuzz(
    rng: np.random.Generator, r200: float, v200: float, n: int, inner: float
) -> tuple[np.ndarray, np.ndarray]:
    """Matter of a group that is bound to none of its subhaloes: infalling and splashback material.

    Density as r^-3 between `inner` and 2 times r200, speeds above escape on mostly inward orbits.

    Parameters
    ----------
    r200 : float
        kpc.
    v200 : float
        Circular speed at r200 [km/s].
    n : int

    Returns
    -------
    positions, velocities : ndarray (n, 3)
        kpc, km/s.
    """
    radii = r200 * inner * (2.0 / inner) ** rng.random(n)
    unit = directions(rng, n, (0.8, 0.7), np.eye(3))
    spread = rng.standard_normal((n, 3), dtype=np.float32) * (0.4 * v200)
    inward = np.where(rng.random(n) < 0.8, -1.0, 1.0)
    speed = v200 * np.sqrt(2.0 / (radii / r200)) * rng.uniform(1.0, 1.3, n)
    return unit * radii[:, None], (unit * (inward * speed)[:, None] + spread).astype(np.float32)
