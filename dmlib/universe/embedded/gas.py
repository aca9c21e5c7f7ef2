"""The gas of one subhalo: a cold disc with planned atomic hydrogen, and an ionised halo in hydrostatic balance.

The cold disc is designed so that whoever splits its hydrogen in the usual way (neutral share of star-forming cells from
the two-phase model, molecules from the pressure) finds the planned HI mass and the planned radius of 1 Msun/pc^2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from ...units import G
from . import interstellar
from .structure import RADIUS, ring_masses

_PER_PC2 = 1e6  # Msun/kpc^2 in Msun/pc^2
#: The disc is not thinner than this [kpc]: gas in TNG is softened on about this scale.
MIN_HEIGHT = 0.1


@dataclass(frozen=True)
class ColdDisc:
    """Design of a cold disc.

    Parameters
    ----------
    surface_density : ndarray
        Gas of all kinds at `RADIUS`, azimuthal mean [Msun/kpc^2].
    height : ndarray
        sech^2 scale height at `RADIUS` [kpc].
    dispersion2 : ndarray
        Turbulent and thermal pressure over density in the middle of the layer [(km/s)^2].
    """

    surface_density: np.ndarray
    height: np.ndarray
    dispersion2: np.ndarray

    @property
    def mass(self) -> float:
        """Msun, helium and metals included."""
        return float(ring_masses(self.surface_density).sum())

    @property
    def enclosed(self) -> np.ndarray:
        """Mass within the cylinder of each `RADIUS` [Msun]."""
        return np.cumsum(ring_masses(self.surface_density))


def hi_profile(mass: float, r_hi: float) -> np.ndarray:
    """Surface density of HI at `RADIUS` [Msun/kpc^2] with given mass and radius of 1 Msun/pc^2.

    Outside an exponential of scale 0.2 r_hi, as HI discs have (Wang et al. 2014, MNRAS 441, 2159); inside it levels off
    at the value that gives the mass. Discs with so little HI for their radius that they would lie below 1 Msun/pc^2
    get a steeper edge.
    """
    low, high = np.log(1.05), np.log(140.0)
    for scale in (0.2, 0.12, 0.06):
        outer = np.exp(np.clip(-(RADIUS / r_hi - 1) / scale, -60, 60))

        def profile(log_level: float, outer=outer) -> np.ndarray:
            level = np.exp(log_level)
            # 1/sqrt(a^-2 + level^-2) is 1 at r_hi when the exponential is scaled by 1/sqrt(1 - level^-2)
            return _PER_PC2 / np.sqrt(level**-2 + (1 - level**-2) * outer**-2)

        if ring_masses(profile(low)).sum() < mass:
            break
    if not ring_masses(profile(low)).sum() < mass < ring_masses(profile(high)).sum():
        edge = profile(low if ring_masses(profile(low)).sum() >= mass else high)
        return edge * (mass / ring_masses(edge).sum())
    return profile(brentq(lambda log_level: ring_masses(profile(log_level)).sum() / mass - 1, low, high, xtol=1e-3))


def hydrostatic_height(sigma2: np.ndarray, gas_surface: np.ndarray, other_density: np.ndarray) -> np.ndarray:
    """sech^2 height of a layer of squared dispersion `sigma2` in its own gravity and that of other matter [kpc].

    sigma^2 = 2 pi G h^2 (Sigma_gas / 2 h + rho_other), Spitzer's (1942) layer with other mass added, but at least
    `MIN_HEIGHT` (in quadrature).
    """
    a, b = 2 * np.pi * G * other_density, np.pi * G * gas_surface
    height = 2 * sigma2 / (b + np.sqrt(b**2 + 4 * a * sigma2) + 1e-30)
    return np.sqrt(np.minimum(height, 5.0) ** 2 + MIN_HEIGHT**2)


def design_cold_disc(row, other_density: np.ndarray) -> ColdDisc:
    """Surface density and height of a cold disc that gives the planned HI.

    The sum of HI and H2 is laid down as planned, H2 with the scale length of the stars. How much of it reads as atomic
    depends on the pressure, hence on the height: the hydrostatic one times a constant, chosen so that the atomic mass
    is the planned one.

    Parameters
    ----------
    row : void
        Row of `Population.subhalos`.
    other_density : ndarray
        Density of stars and dark matter in the plane at `RADIUS` [Msun/kpc^3].

    Returns
    -------
    ColdDisc
        With no mass where the row has no HI.
    """
    turbulence2 = np.full_like(RADIUS, float(row["gas_dispersion"]) ** 2)
    if row["m_hi"] <= 0 or row["r_hi"] <= 0:
        return ColdDisc(np.zeros_like(RADIUS), np.full_like(RADIUS, MIN_HEIGHT), turbulence2)
    log_n, atomic_share, neutral_share, thermal2 = interstellar.layer_table(bool(row["sfr"] > 0))
    x_hydrogen = interstellar.hydrogen_fraction(row["z_gas"])
    h2_scale = row["r_disc"] if row["r_disc"] > 0 else 0.2 * row["r_hi"]
    h2 = row["m_h2"] * np.exp(-RADIUS / h2_scale) / (2 * np.pi * h2_scale**2)
    goal_mass, goal_radius = float(row["m_hi"]), float(row["r_hi"])

    def layer(hydrogen: np.ndarray, stretch: float):
        gas, sigma2 = hydrogen / x_hydrogen, turbulence2 + 8.2**2
        for _ in range(4):
            height = stretch * hydrostatic_height(sigma2, gas, other_density)
            n = np.log10(np.maximum(interstellar.hydrogen_density(gas / (2 * height), x_hydrogen), 1e-6))
            # Where the background ionises most of it the disc ends rather than needing ten times the gas.
            gas = hydrogen / x_hydrogen / np.maximum(np.interp(n, log_n, neutral_share), 0.4)
            sigma2 = turbulence2 + np.interp(n, log_n, thermal2)
        return ColdDisc(gas, height, sigma2), gas * x_hydrogen * np.interp(n, log_n, atomic_share)

    for _ in range(5):
        hydrogen = hi_profile(goal_mass, goal_radius) + h2

        def surplus(log_stretch: float, hydrogen=hydrogen) -> float:
            return ring_masses(layer(hydrogen, np.exp(log_stretch))[1]).sum() / row["m_hi"] - 1

        low, high = np.log(0.5), np.log(2.5)
        if surplus(low) * surplus(high) < 0:
            stretch = np.exp(brentq(surplus, low, high, xtol=3e-3))
        else:
            stretch = np.exp(low if surplus(low) > 0 else high)
        disc, atomic = layer(hydrogen, stretch)
        wanted = np.clip(row["m_hi"] / ring_masses(atomic).sum(), 0.5, 2.0)
        goal_mass *= wanted
        # Hydrogen that was planned molecular but is not dense enough to read so counts as atomic: lay down less.
        h2 *= min(wanted, 1.0)
        dense = np.flatnonzero(atomic > _PER_PC2)
        if dense.size:
            goal_radius *= np.clip(row["r_hi"] / RADIUS[dense[-1]], 0.7, 1.4)
    return disc
