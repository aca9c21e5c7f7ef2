"""Velocities from the Jeans equations and from nearly circular orbits.

Positions come first, velocities after them from the same potential: spheroids get the dispersion that the spherical
Jeans equation asks for, discs the circular speed less asymmetric drift or pressure support. The distribution is a
Gaussian cut below the escape speed, not a distribution function of the integrals; a simulation started from it would
relax a little.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import erf, erfc

from ...units import G
from .structure import RADIUS, MassModel, interpolate


@dataclass(frozen=True)
class Anisotropy:
    """beta(r) = outer r / (r + radius) (Mamon & Lokas 2005 with outer = 1/2): round in the middle, radial outside."""

    outer: float = 0.0
    radius: float = 1.0

    def beta(self, r):
        """1 - sigma_t^2 / sigma_r^2."""
        return self.outer * np.asarray(r) / (np.asarray(r) + self.radius)

    def factor(self, r):
        """Integrating factor exp(int 2 beta dln r) of the Jeans equation."""
        return (np.asarray(r) + self.radius) ** (2 * self.outer)


def radial_dispersion(tracer: np.ndarray, model: MassModel, anisotropy: Anisotropy) -> np.ndarray:
    """Radial velocity dispersion of a spherical tracer, from the Jeans equation.

    d(rho s^2)/dr + 2 beta rho s^2 / r = -rho G M / r^2 (Binney & Tremaine 2008, eq. 4.215), M of all components.

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
    ln_r = np.log(RADIUS)
    shell = np.maximum(np.gradient(tracer, ln_r), 0.0)  # 4 pi rho r^3
    weight = shell / RADIUS**3 * anisotropy.factor(RADIUS)
    pull = weight * G * model.mass / RADIUS
    step = 0.5 * (pull[1:] + pull[:-1]) * np.diff(ln_r)
    outward = np.concatenate([np.cumsum(step[::-1])[::-1], [0.0]])
    return np.sqrt(np.divide(outward, weight, out=np.zeros_like(outward), where=weight > 1e-12 * weight.max()))


#: Speeds stay below this part of the escape speed.
_ESCAPE = 0.95


@lru_cache(maxsize=1)
def _cut_table() -> tuple[np.ndarray, np.ndarray]:
    """Width of the Gaussian that has a wanted dispersion after its tail has been put back below a limit.

    Returns (sigma / limit after the cut, before the cut); a speed over the limit is replaced by one spread evenly over
    the sphere below it, whose mean square is 3/5 of the limit's.
    """
    before = np.geomspace(0.02, 20.0, 200)
    x = 1 / before
    tail = erfc(x / np.sqrt(2)) + np.sqrt(2 / np.pi) * x * np.exp(-0.5 * x**2)
    # Second moment of the Gaussian inside: 3 minus that of the tail.
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
    limit = _ESCAPE * np.sqrt(-2 * model.potential_at(radii))
    beta = anisotropy.beta(radii)
    sigma = interpolate(radii, dispersion)
    # The Jeans dispersion is to hold after the cut; the table is for equal dispersions, so it is asked for their mean.
    mean = np.maximum(sigma * np.sqrt(1 - 2 * beta / 3), 1e-9)
    sigma = (sigma * (limit * np.interp(mean / limit, *_cut_table()) / mean)).astype(np.float32)
    ratio = np.sqrt(1 - beta).astype(np.float32)
    radial = (positions / np.maximum(radii, 1e-12)[:, None]).astype(np.float32)
    # Isotropic Gaussian, then the tangential part shrunk (beta > 0): v = ratio g + (1 - ratio) (g.r) r
    velocity = rng.standard_normal((n, 3), dtype=np.float32)
    along = np.einsum("ij,ij->i", velocity, radial)
    velocity = ratio[:, None] * velocity + ((1 - ratio) * along)[:, None] * radial
    velocity *= sigma[:, None]
    speed = np.sqrt(np.einsum("ij,ij->i", velocity, velocity))
    fast = speed > limit
    if fast.any():
        # A uniform draw within the allowed sphere keeps the tail short of escape without piling up at the limit.
        shrink = limit[fast] / speed[fast] * np.cbrt(rng.random(int(fast.sum())))
        velocity[fast] *= shrink.astype(np.float32)[:, None]
    return velocity


def spin_up(rng: np.random.Generator, positions: np.ndarray, velocities: np.ndarray, axis, share: float) -> None:
    """Turn a share of the retrograde orbits round, in place: net rotation about `axis` without a change of energy.

    Parameters
    ----------
    positions, velocities : ndarray (n, 3)
    axis : array_like (3,)
        Unit vector.
    share : float
        0 leaves all as they are, 1 makes every orbit prograde.
    """
    momentum = np.einsum("ij,ij->i", np.cross(positions, velocities), np.broadcast_to(axis, positions.shape))
    turn = (momentum < 0) & (rng.random(len(positions)) < share)
    # Reflecting v through the plane of r and the axis reverses the rotation and nothing else.
    normal = np.cross(np.broadcast_to(axis, positions[turn].shape), positions[turn])
    normal /= np.maximum(np.linalg.norm(normal, axis=1), 1e-12)[:, None]
    velocities[turn] -= 2 * np.einsum("ij,ij->i", velocities[turn], normal)[:, None] * normal


def drift_speed(v_circ: np.ndarray, pressure: np.ndarray, dispersion2: np.ndarray, azimuthal_ratio2=1.0) -> np.ndarray:
    """Mean rotation of a disc that is held up in part by random motion.

    v^2 = v_c^2 + s_R^2 (1 - s_phi^2/s_R^2 + dln(nu s_R^2)/dlnR) (Binney & Tremaine 2008, eq. 4.228 without the tilt
    term). For gas the ratio is 1, and it is pressure support.

    Parameters
    ----------
    v_circ : ndarray
        Circular speed at `RADIUS` [km/s].
    pressure : ndarray
        nu s_R^2 at `RADIUS`, any unit.
    dispersion2 : ndarray
        s_R^2 at `RADIUS` [(km/s)^2].
    azimuthal_ratio2 : ndarray or float
        (s_phi/s_R)^2.

    Returns
    -------
    ndarray
        km/s at `RADIUS`, at least a fifth of the circular speed (where a disc is no disc any more).
    """
    floor = max(pressure.max() * 1e-12, 1e-300)
    slope = np.gradient(np.log(np.maximum(pressure, floor)), np.log(RADIUS))
    squared = v_circ**2 + dispersion2 * (1 - azimuthal_ratio2 + slope)
    return np.sqrt(np.maximum(squared, 0.04 * v_circ**2))
