"""An HI disc with known rotation, for tests of cubes and moment maps."""

from __future__ import annotations

import numpy as np

from dmlib.observe.cube import HISettings
from dmlib.observe.deposit import observe
from dmlib.observe.hydrogen import HIGas
from dmlib.observe.sky import SkyGrid, View, orientation, rotation_to

SPIN = np.array([0.3, -0.8, 0.5])
ANGLE = 40.0
END = 35.0  # of `disc` [kpc]


def rotation_speed(radius, v_flat=180.0, r_turn=4.0):
    """A rising, then flat curve [km/s]."""
    return v_flat * (1.0 - np.exp(-np.asarray(radius) / r_turn))


def disc(n=20000, m_hi=8e9, scale=8.0, r_max=35.0, fwhm=1.5, thickness=0.05, spin=SPIN, curve=rotation_speed, seed=0):
    """Exponential disc about `spin`, in circular motion, no dispersion.

    Returns
    -------
    HIGas
        `n` particles of equal mass; `thickness` is the dispersion of heights [kpc].
    """
    rng = np.random.default_rng(seed)
    table = np.linspace(0.0, r_max, 4000)
    mass = 1.0 - np.exp(-table / scale) * (1.0 + table / scale)
    # Equal steps in mass and a golden angle make a smooth disc, without the clumps of random draws.
    radius = np.interp((np.arange(n) + 0.5) / n * mass[-1], mass, table)
    phi = np.arange(n) * np.pi * (3.0 - np.sqrt(5.0))
    spin = np.asarray(spin) / np.linalg.norm(spin)
    e1 = np.cross(spin, [1.0, 0.0, 0.0])
    e1 /= np.linalg.norm(e1)
    radial = np.cos(phi)[:, None] * e1 + np.sin(phi)[:, None] * np.cross(spin, e1)
    return HIGas(
        subhalo_id=1,
        positions=radius[:, None] * radial + rng.normal(0.0, thickness, n)[:, None] * spin,
        velocities=curve(radius)[:, None] * np.cross(spin, radial),
        m_hi=np.full(n, m_hi / n),
        fwhm=np.full(n, float(fwhm)),
        temperature=np.full(n, 8000.0),
    )


def observed_disc(inclination, settings=None, gas=None, angle=ANGLE, seed=1):
    """HI cube of a disc at an inclination and a position angle [deg]."""
    rotation = rotation_to(SPIN, inclination, angle)
    view = View(1, 0, rotation, *orientation(rotation, SPIN))
    return observe(gas or disc(n=30000), view, SkyGrid(128.0, 64), settings or HISettings(), seed=seed)
