"""The dark halo of one subhalo, and the dark matter that a group does not bind."""

from __future__ import annotations

import numpy as np

from .kinematics import Anisotropy, radial_dispersion, spheroid_velocities, spin_up
from .structure import COSMIC_BARYON_FRACTION, RADIUS, MassModel, contract, core, nfw_mass, radii_of_mass, truncate


def halo_mass(row, m_baryon: np.ndarray, total: float) -> np.ndarray:
    """Dark matter within `RADIUS` [Msun] of one subhalo.

    An NFW halo without its baryons, contracted by the baryons that are there, with a core where the row has one,
    and cut smoothly where the planned mass is reached.

    Parameters
    ----------
    row : void
        Row of `Population.subhalos`.
    m_baryon : ndarray
        Baryons within `RADIUS` [Msun].
    total : float
        All its dark matter [Msun].
    """
    before = (1 - COSMIC_BARYON_FRACTION) * nfw_mass(RADIUS, row["m200"], row["r200"], row["c200"])
    after = core(RADIUS, contract(before, m_baryon, row["contraction"]), row["core_radius"])
    return truncate(np.maximum.accumulate(after), total)


def directions(rng: np.random.Generator, n: int, axis_ratios, axes) -> np.ndarray:
    """Unit vectors spread as the mass of an ellipsoid is over directions.

    A sphere squeezed to the axis ratios and put back on the sphere: the radii, and with them M(<r), stay what they
    were. For a density falling as r^-3, as an NFW halo's does on the average, the surfaces of equal density are
    then exactly the ellipsoids asked for.

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
    vectors *= np.array([1.0, axis_ratios[0], axis_ratios[1]], dtype=np.float32)
    vectors /= np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return vectors @ np.asarray(axes, dtype=np.float32)


def sample_halo(rng: np.random.Generator, row, model: MassModel, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Dark-matter particles of one subhalo.

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
    # Stratified in enclosed mass: M(<r) follows its table more closely than independent draws would.
    radii = radii_of_mass(model.enclosed["dm"], (np.arange(n) + rng.random(n)) / max(n, 1))
    positions = directions(rng, n, row["axis_ratios"], row["halo_axes"]) * radii[:, None]
    anisotropy = Anisotropy(0.4, row["r200"] / row["c200"])
    dispersion = radial_dispersion(model.enclosed["dm"], model, anisotropy)
    velocities = spheroid_velocities(rng, positions, radii, dispersion, model, anisotropy)
    # A surplus of prograde orbits, for the median spin of cosmological haloes (lambda 0.035, here without its scatter).
    spin_up(rng, positions, velocities, row["spin_axis"], 0.35)
    return positions, velocities


def sample_fuzz(
    rng: np.random.Generator, r200: float, v200: float, n: int, inner: float = 0.9, outer: float = 2.0
) -> tuple[np.ndarray, np.ndarray]:
    """Matter of a group that is bound to none of its subhaloes: infalling and splashed-back outskirts.

    Density as r^-3 between `inner` and `outer` times r200, speeds above escape on mostly inward orbits.

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
    radii = r200 * inner * (outer / inner) ** rng.random(n)
    unit = directions(rng, n, (0.8, 0.7), np.eye(3))
    spread = rng.standard_normal((n, 3), dtype=np.float32) * (0.4 * v200)
    inward = np.where(rng.random(n) < 0.8, -1.0, 1.0)
    speed = v200 * np.sqrt(2.0 / (radii / r200)) * rng.uniform(1.0, 1.3, n)
    return unit * radii[:, None], (unit * (inward * speed)[:, None] + spread).astype(np.float32)
