"""Arithmetic on arrays of particles: mass within radii, rotation to an axis."""

from __future__ import annotations

import numpy as np

from .settings import RADII_KPC
from .units import wrap


def enclosed_mass(
    position: np.ndarray,
    mass: np.ndarray | float,
    radii: np.ndarray = RADII_KPC,
    *,
    centre: np.ndarray | None = None,
    box: float | None = None,
) -> np.ndarray:
    """Mass within each radius about a centre.

    Parameters
    ----------
    position : ndarray, shape (N, 3)
        kpc.
    mass : ndarray, shape (N,), or float
        Msun; one number for particles of equal mass.
    radii : ndarray, shape (n,)
        Increasing [kpc].
    centre : ndarray, shape (3,), optional
        kpc, in the frame of `position`; the origin when omitted.
    box : float, optional
        Side of the periodic box [kpc]; give it where positions may lie across the edge of the box.

    Returns
    -------
    ndarray, shape (n,)
        Msun; a particle exactly at a radius counts as inside.
    """
    radii = np.asarray(radii, dtype=float)
    if np.any(np.diff(radii) <= 0) or radii[0] < 0:
        raise ValueError("radii must be positive and increasing")
    squared = _squared_distance(np.asarray(position, dtype=float).reshape(-1, 3), centre, box)
    mass = np.asarray(mass, dtype=float)
    if mass.ndim == 0 or (mass.size and mass.min() == mass.max()):
        # Equal masses are counted: twenty comparisons of whole arrays cost less than one search per particle.
        return np.array([np.count_nonzero(squared <= radius**2) for radius in radii]) * mass.reshape(-1)[0]
    inside = squared <= radii[-1] ** 2
    first = np.searchsorted(radii**2, squared[inside], side="left")
    return np.cumsum(np.bincount(first, weights=mass[inside], minlength=len(radii)))


def _squared_distance(position: np.ndarray, centre: np.ndarray | None, box: float | None) -> np.ndarray:
    """Squared distances [kpc^2], shape (N,). Column by column, which is faster than rows of three."""
    squared = np.zeros(len(position))
    for axis in range(3):
        offset = position[:, axis] if centre is None else position[:, axis] - centre[axis]
        if box is not None:
            offset = wrap(offset, box)
        squared += offset * offset
    return squared


def rotation_to_z(axis: np.ndarray) -> np.ndarray:
    """Rotation that turns `axis` to the z axis; its rows are the new axes.

    Parameters
    ----------
    axis : ndarray, shape (3,)
        Not zero.

    Returns
    -------
    ndarray, shape (3, 3)
        Proper rotation R; ``position @ R.T`` are the new coordinates. The new x axis is the old axis least along
        `axis`, made perpendicular: the same for the same input.
    """
    z = np.asarray(axis, dtype=float) / np.linalg.norm(axis)
    helper = np.eye(3)[np.argmin(np.abs(z))]
    x = helper - (helper @ z) * z
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])
