"""The gas of one subhalo: a cold disc with the planned atomic hydrogen, and an ionised halo in hydrostatic equilibrium.

The cold disc is designed so that splitting its hydrogen in the usual way (neutral fraction of star-forming cells from
the two-phase model, molecules from the pressure) gives the planned HI mass and the planned radius of 1 Msun/pc^2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from . import discs, interstellar
from .structure import RADIUS, MassModel, beyond, disc_mass, interpolate, radii_of_mass, ring_masses, shell_density
from .units import G

_PER_PC2 = 1e6  # Msun/kpc^2 in Msun/pc^2
#: Minimum scale height [kpc]: the gravity of gas in TNG is softened on about this scale.
MIN_HEIGHT = 0.1
#: Relative departure of the gas from equilibrium, even in undisturbed galaxies (root mean square; our choice: simulated
#: gas is within some per cent of the circular speed in massive discs).
IMBALANCE = 0.05
#: Mass of a gas complex [Msun], its size [kpc], and the dispersion of the complexes [km/s] (our choice).
COMPLEX_MASS, COMPLEX_SIZE, COMPLEX_DISPERSION = 5e7, 0.4, 6.0
#: Electrons per hydrogen nucleus of fully ionised primordial gas.
FULLY_IONISED = 1.158


@dataclass(frozen=True)
class ColdDisc:
    """Design of a cold disc.

    Parameters
    ----------
    surface_density : ndarray
        All gas at `RADIUS`, azimuthal mean [Msun/kpc^2].
    height : ndarray
        sech^2 scale height at `RADIUS` [kpc].
    dispersion2 : ndarray
        Turbulent and thermal pressure over density in the mid-plane [(km/s)^2].
    """

    surface_density: np.ndarray
    height: np.ndarray
    dispersion2: np.ndarray

    @property
    def mass(self) -> float:
        """Total mass, with helium and metals [Msun]."""
        return disc_mass(self.surface_density)

    @property
    def enclosed(self) -> np.ndarray:
        """Mass within the cylinder of each `RADIUS` [Msun]."""
        return np.cumsum(ring_masses(self.surface_density))


def hi_profile(mass: float, r_hi: float) -> np.ndarray:
    """Surface density of HI at `RADIUS` [Msun/kpc^2] with given mass and radius of 1 Msun/pc^2.

    Outside an exponential of scale 0.2 r_hi, as HI discs have (Wang et al. 2014, MNRAS 441, 2159); inside, constant
    at the value that gives the mass. Discs with so little HI for their radius that this value would be below
    1 Msun/pc^2 get a steeper edge.
    """
    low, high = np.log(1.05), np.log(140.0)
    for scale in (0.2, 0.12, 0.06):
        outer_2 = np.exp(np.clip(2 * (RADIUS / r_hi - 1) / scale, -120, 120))  # the exponential to the power of -2

        def profile(log_level: float, outer_2: np.ndarray = outer_2) -> np.ndarray:
            # 1/sqrt(a^-2 + level^-2) is 1 at r_hi when the exponential is scaled by 1/sqrt(1 - level^-2)
            level_2 = np.exp(-2 * log_level)
            return _PER_PC2 / np.sqrt(level_2 + (1 - level_2) * outer_2)

        @cache  # the ends of the interval are asked for again
        def surplus(log_level: float, profile: Callable = profile) -> float:
            return disc_mass(profile(log_level)) / mass - 1

        if surplus(low) < 0:
            break
    if not surplus(low) < 0 < surplus(high):
        edge = profile(low if surplus(low) >= 0 else high)
        return edge * (mass / disc_mass(edge))
    return profile(brentq(surplus, low, high, xtol=1e-3))


def hydrostatic_height(sigma2: np.ndarray, gas_surface: np.ndarray, other_density: np.ndarray) -> np.ndarray:
    """sech^2 scale height of a layer of squared dispersion `sigma2` in its own gravity and that of other matter [kpc].

    sigma^2 = 2 pi G h^2 (Sigma_gas / 2 h + rho_other), Spitzer's (1942) layer with other mass added, and
    `MIN_HEIGHT` added in quadrature.
    """
    own, other = 0.5 * np.pi * G * gas_surface, 2 * np.pi * G * other_density
    height = sigma2 / (own + np.sqrt(own**2 + other * sigma2))
    return np.sqrt(np.minimum(height, 5.0) ** 2 + MIN_HEIGHT**2)


def design_cold_disc(row: np.void, other_density: np.ndarray) -> ColdDisc:
    """Surface density and height of a cold disc that has the planned HI.

    The sum of HI and H2 is distributed as planned, H2 with the scale length of the stars. Which part of it counts as
    atomic depends on the pressure and hence on the height, which is the hydrostatic one times a constant chosen so that
    the atomic mass is the planned one.

    Parameters
    ----------
    row : void
        Row of `Population.subhalos`.
    other_density : ndarray
        Density of stars and dark matter in the plane at `RADIUS` [Msun/kpc^3].

    Returns
    -------
    ColdDisc
        Of zero mass where the row has no HI.
    """
    turbulence2, m_hi, r_hi = float(row["gas_dispersion"]) ** 2, float(row["m_hi"]), float(row["r_hi"])
    if m_hi <= 0 or r_hi <= 0:
        return ColdDisc(*(np.full_like(RADIUS, value) for value in (0.0, MIN_HEIGHT, turbulence2)))
    log_n, atomic_share, neutral_share, thermal2 = interstellar.layer_table(bool(row["sfr"] > 0))
    neutral_and_thermal2 = neutral_share + 1j * thermal2  # complex, to look both up at once
    x_hydrogen = float(interstellar.hydrogen_fraction(row["z_gas"]))
    half_per_cm3 = 0.5 * float(interstellar.hydrogen_density(1.0, x_hydrogen))  # in the middle of a layer, gas / 2 h
    h2_scale = row["r_disc"] if row["r_disc"] > 0 else 0.2 * r_hi
    h2 = row["m_h2"] * np.exp(-RADIUS / h2_scale) / (2 * np.pi * h2_scale**2)
    filled = -np.expm1(-((RADIUS / row["hole_radius"]) ** 4)) if row["hole_radius"] > 0 else 1.0
    goal_mass, goal_radius, low, high = m_hi, r_hi, np.log(0.5), np.log(2.5)

    def layer(hydrogen: np.ndarray, log_stretch: ArrayLike) -> tuple[np.ndarray, ...]:
        """Surface density, height and squared dispersion as in `ColdDisc`, and the surface density of HI."""
        neutral, stretch = hydrogen / x_hydrogen, np.exp(log_stretch)
        gas, sigma2 = neutral, np.full_like(hydrogen, turbulence2 + 8.2**2)
        for _ in range(4):
            height = stretch * hydrostatic_height(sigma2, gas, other_density)
            n = np.log10(half_per_cm3 * gas / height)
            # Where the background ionises most of the gas the disc ends; otherwise it would need ten times the gas.
            found = np.interp(n, log_n, neutral_and_thermal2)
            gas, sigma2 = neutral / np.maximum(found.real, 0.4), turbulence2 + found.imag
        return gas, height, sigma2, gas * x_hydrogen * np.interp(n, log_n, atomic_share)

    for _ in range(5):
        hydrogen = (hi_profile(goal_mass, goal_radius) + h2) * filled
        # Both ends of the interval at once, which is faster than one after the other.
        ends = layer(hydrogen, [[low], [high]])
        tried = {log_stretch: tuple(part[i] for part in ends) for i, log_stretch in enumerate((low, high))}

        def surplus(log_stretch: float, hydrogen: np.ndarray = hydrogen, tried: dict[float, tuple] = tried) -> float:
            if log_stretch not in tried:
                tried[log_stretch] = layer(hydrogen, log_stretch)
            return disc_mass(tried[log_stretch][-1]) / m_hi - 1

        if surplus(low) * surplus(high) < 0:
            best = brentq(surplus, low, high, xtol=3e-3)
        else:
            best = low if surplus(low) > 0 else high
        *design, atomic = tried[best]
        wanted = min(max(m_hi / disc_mass(atomic), 0.5), 2.0)
        goal_mass *= wanted
        # Hydrogen planned as molecular but not dense enough for it counts as atomic: distribute less of it.
        h2 *= min(wanted, 1.0)
        dense = np.flatnonzero(atomic > _PER_PC2)
        if dense.size:
            goal_radius *= min(max(r_hi / RADIUS[dense[-1]], 0.7), 1.4)
    return ColdDisc(*design)


def cold_cells(
    rng: np.random.Generator, row: np.void, disc: ColdDisc, model: MassModel, n: int
) -> dict[str, np.ndarray]:
    """Cells of the cold disc, in the subhalo's frame with the box's axes.

    Parameters
    ----------
    rng : Generator
    row : void
        Row of `Population.subhalos`.
    disc : ColdDisc
    model : MassModel
    n : int

    Returns
    -------
    dict of ndarray
        position [kpc], velocity [km/s], density [Msun/kpc^3], energy [(km/s)^2], neutral, electrons, sfr [Msun/yr],
        radius [kpc] in the plane.
    """
    draw = discs.even_points(rng, n)
    radius = _ring(rng, row, radii_of_mass(disc.enclosed, draw[:, 0]))
    angle, lop = discs.crowd(
        2 * np.pi * draw[:, 1], discs.lopsided_amplitude(row, radius), 1, float(row["lopsided_phase"])
    )
    arms = np.minimum(1.2 * discs.arm_amplitude(row, radius), 0.8)
    angle, crest = discs.crowd(angle, arms, int(row["spiral_arms"]), discs.arm_phase(row, radius))
    angle, bar = discs.crowd(angle, np.minimum(0.8 * discs.bar_shape(row, radius), 0.8), 2, float(row["bar_angle"]))
    radius, angle, drift = _complexes(rng, row, disc.mass, radius, angle)
    quantile = 2 * draw[:, 2] - 1
    z = interpolate(radius, disc.height) * np.arctanh(quantile)

    x_hydrogen = interstellar.hydrogen_fraction(row["z_gas"])
    middle = interpolate(radius, disc.surface_density / (2 * disc.height))
    density = middle * (1 - quantile**2) * lop * crest * bar * 10 ** rng.normal(0, 0.05, n)
    stripped = _stripped(rng, row, radius)
    density[stripped] *= 0.2
    n_h = interstellar.hydrogen_density(density, x_hydrogen)
    star_forming = n_h > interstellar.N_THRESHOLD
    if row["sfr"] <= 0:
        star_forming[:] = False
    elif not star_forming.any():
        star_forming[np.argsort(n_h)[-max(n // 50, 1) :]] = True
        n_h[star_forming] = np.maximum(n_h[star_forming], 1.01 * interstellar.N_THRESHOLD)
        density = n_h / interstellar.hydrogen_density(1.0, x_hydrogen)
    neutral, energy = interstellar.cell_state(n_h, star_forming)
    # TNG stores the neutral fraction of collisional equilibrium at the effective temperature; readers correct it.
    weight = interstellar.mean_weight(1.0)
    effective_neutral, effective_electrons, _ = interstellar.collisional_state(
        energy[star_forming] / interstellar.specific_energy(1.0, weight)
    )
    stored = neutral.copy()
    stored[star_forming] = effective_neutral
    electrons = 1 - stored
    electrons[star_forming] = effective_electrons
    # Schmidt law of the two-phase model: cold mass over a time that scales as n^-1/2.
    rate = np.where(star_forming, np.sqrt(n_h), 0.0)
    sfr = row["sfr"] * rate / max(rate.sum(), 1e-30) if star_forming.any() else rate

    pressure = disc.surface_density / disc.height * disc.dispersion2
    rotation = discs.drift_speed(model.v_circ, pressure, disc.dispersion2)
    radial, azimuthal = discs.streaming(row, radius, angle, interpolate(radius, model.v_circ))
    halo_radial, halo_azimuthal = discs.halo_streaming(row, model, radius, angle)
    noise = rng.standard_normal((n, 3)) * float(row["gas_dispersion"]) + drift
    speed = interpolate(radius, rotation) * (1 + discs.imbalance(rng, radius, float(row["r_hi"]), IMBALANCE))
    radial, speed = radial + halo_radial, speed + azimuthal + halo_azimuthal
    position = discs.cylindrical(radius, angle, z)
    velocity = discs.cartesian_velocity(angle, radial, speed, np.zeros(n)) + noise
    position, velocity = discs.warp(row, radius, [position, velocity])
    position, velocity = _disturb(rng, row, position, velocity, radius)
    axes = discs.plane_axes(row["spin_axis"])
    position, velocity = position @ axes, velocity @ axes
    if stripped.any():
        # A tail behind the satellite that lags more the longer it is.
        length = rng.exponential(0.6, int(stripped.sum()))[:, None]
        course = row["velocity_offset"] / max(np.linalg.norm(row["velocity_offset"]), 1e-9)
        position[stripped] -= length * row["r_hi"] * course
        velocity[stripped] -= np.minimum(0.3 * length, 0.6) * row["velocity_offset"]
    return {
        "position": position,
        "velocity": velocity,
        "density": density,
        "energy": energy,
        "neutral": stored,
        "electrons": electrons,
        "sfr": sfr,
        "radius": radius,
    }


def _ring(rng: np.random.Generator, row: np.void, radius: np.ndarray) -> np.ndarray:
    """Radii of which a fraction, within twice the row's ring, has moved into the ring."""
    n = len(radius)
    moved = (rng.random(n) < row["ring_amplitude"]) & (radius < 2 * row["ring_radius"])
    return np.where(moved, row["ring_radius"] * np.abs(1 + 0.1 * rng.standard_normal(n)), radius)


def _complexes(
    rng: np.random.Generator, row: np.void, mass: float, radius: np.ndarray, angle: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gather the row's fraction of the cells in complexes, which lie where cells lie.

    Returns
    -------
    radius, angle : ndarray (n,)
        kpc, rad.
    drift : ndarray (n, 3)
        Velocity of the complexes relative to the disc [km/s].
    """
    n = len(radius)
    drift = np.zeros((n, 3))
    gathered = np.flatnonzero(rng.random(n) < row["clumpiness"])
    number = int(np.clip(mass / COMPLEX_MASS, 10, max(n // 4, 10)))
    if not gathered.size:
        return radius, angle, drift
    centre = rng.integers(0, n, number)[rng.integers(0, number, gathered.size)]
    away = COMPLEX_SIZE * rng.standard_normal((2, gathered.size))
    radius, angle = radius.copy(), angle.copy()
    middle, direction = radius[centre], angle[centre]
    radius[gathered] = np.maximum(np.abs(middle + away[0]), 1e-3)
    angle[gathered] = direction + away[1] / np.maximum(middle, COMPLEX_SIZE)
    drift[gathered] = (COMPLEX_DISPERSION * rng.standard_normal((n, 3)))[centre]
    return radius, angle, drift


def _stripped(rng: np.random.Generator, row: np.void, radius: np.ndarray) -> np.ndarray:
    """Cells that ram pressure has stripped from a satellite: up to half of those in the outer half of its HI disc."""
    if row["kind"] != "satellite":
        return np.zeros(len(radius), dtype=bool)
    return rng.random(len(radius)) < 0.5 * np.clip(2 * radius / row["r_hi"] - 1, 0, 1)


def _disturb(
    rng: np.random.Generator, row: np.void, position: np.ndarray, velocity: np.ndarray, radius: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Disturb the gas of a galaxy in the way that its row names; undisturbed galaxies do not change.

    displaced: the disc is off centre and moves back; counter-rotating: the outer half rotates the other way; tilted:
    the whole gas disc is inclined by 30 to 70 degrees; out-of-balance: gas falls in and rotates too slowly.
    """
    how = str(row["disturbed"])
    away = rng.uniform(0, 2 * np.pi)
    strength = rng.uniform(0.5, 1.0)
    if how == "displaced":
        direction = np.array([np.cos(away), np.sin(away), 0.3])
        slide = np.clip(radius / row["r_hi"], 0.2, 1.0)[:, None]
        position = position + 0.35 * strength * row["r_hi"] * slide * direction
        velocity = velocity - 60 * strength * slide * direction
    elif how == "counter-rotating":
        outer = radius > 0.4 * row["r_hi"]
        velocity = np.where(outer[:, None], velocity * np.array([-1, -1, 1]), velocity)
    elif how == "tilted":
        tilt = np.deg2rad(30 + 40 * strength)
        c, s = np.cos(tilt), np.sin(tilt)
        turn = np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
        position, velocity = position @ turn, velocity @ turn
    elif how == "out-of-balance":
        unit = position / np.maximum(np.linalg.norm(position, axis=1), 1e-9)[:, None]
        speed = np.linalg.norm(velocity, axis=1)[:, None]
        lag = 1 - 0.25 * strength * (1 + np.cos(np.arctan2(position[:, 1], position[:, 0]) - away))[:, None] / 2
        velocity = velocity * lag - 0.25 * strength * speed * unit
    return position, velocity


def hot_cells(rng: np.random.Generator, row: np.void, model: MassModel, n: int) -> dict[str, np.ndarray]:
    """Cells of the ionised halo, component ``hot`` of the model: in hydrostatic equilibrium, rotating slowly.

    Returns the same entries as `cold_cells`.
    """
    draw = discs.even_points(rng, n)
    r = radii_of_mass(model.enclosed["hot"], draw[:, 0])
    cosine, angle = 2 * draw[:, 1] - 1, 2 * np.pi * draw[:, 2]
    sine = np.sqrt(1 - cosine**2)
    position = discs.cylindrical(r * sine, angle, r * cosine)
    rho = shell_density(model.enclosed["hot"])
    pressure = beyond(rho * G * model.mass / RADIUS)
    virial = G * row["m200"] / row["r200"]
    # Hydrostatic equilibrium alone would leave the edge of the halo cold; infalling matter heats the outskirts.
    energy = 1.5 * np.divide(pressure, rho, out=np.zeros_like(rho), where=rho > 0)
    energy = np.clip(energy, 0.2 * virial, 4 * virial)
    floor = interstellar.specific_energy(1e5, 0.6)
    cell_energy = np.maximum(interpolate(r, energy) * 10 ** rng.normal(0, 0.1, n), floor)
    density = np.maximum(interpolate(r, rho), 1e-12 * rho.max()) * 10 ** rng.normal(0, 0.1, n)
    temperature = cell_energy / interstellar.specific_energy(1.0, 0.588)
    speed = 0.3 * interpolate(r, model.v_circ) * sine
    velocity = discs.cartesian_velocity(angle, np.zeros(n), speed, np.zeros(n))
    velocity = velocity + rng.standard_normal((n, 3)) * 0.2 * np.sqrt(virial)
    axes = discs.plane_axes(row["spin_axis"])
    return {
        "position": position @ axes,
        "velocity": velocity @ axes,
        "density": density,
        "energy": cell_energy,
        "neutral": interstellar.neutral_fraction(interstellar.hydrogen_density(density), temperature),
        "electrons": np.full(n, FULLY_IONISED),
        "sfr": np.zeros(n),
        "radius": r,
    }


def metal_fraction(rng: np.random.Generator, row: np.void, radius: np.ndarray, hot: np.ndarray) -> np.ndarray:
    """Metal mass fraction of gas cells: the row's gradient out to three half-mass radii, with 0.05 dex of scatter.

    The hot halo has a third of the disc's value at r_half (as X-ray haloes have about 0.3 solar).
    """
    distance = np.minimum(radius, 3 * row["r_half"]) - row["r_half"]
    log_z = np.log10(row["z_gas"]) + np.where(hot, np.log10(0.3), row["z_gas_gradient"] * distance)
    return np.clip(10 ** (log_z + rng.normal(0, 0.05, len(radius))), 1e-5, 0.06)


def elements(metallicity: ArrayLike, alpha_excess: ArrayLike = 0.0) -> np.ndarray:
    """Mass fractions of H He C N O Ne Mg Si Fe and others, shape (N, 10), that sum to 1.

    Helium follows the metals, Y = 0.24 + 1.5 Z. The metals have solar proportions (Asplund et al. 2009); a positive
    `alpha_excess` [dex] replaces iron by oxygen.
    """
    z = np.asarray(metallicity, dtype=float)
    # Fractions of the solar metal mass in C N O Ne Mg Si Fe; the rest, 0.06 of it, is "other".
    solar = np.array([0.176, 0.052, 0.427, 0.094, 0.053, 0.050, 0.096])
    metals = np.broadcast_to(solar, (*z.shape, 7)).copy()
    taken = metals[..., 6] * (1 - 10 ** -np.asarray(alpha_excess, dtype=float))
    metals[..., 6] -= taken
    metals[..., 2] += taken
    hydrogen = interstellar.hydrogen_fraction(z)
    parts = np.concatenate([np.stack([hydrogen, 1 - hydrogen - z], axis=-1), z[..., None] * metals], axis=-1)
    parts = parts.astype(np.float32)
    return np.concatenate([parts, 1 - parts.sum(axis=-1, keepdims=True)], axis=-1)
