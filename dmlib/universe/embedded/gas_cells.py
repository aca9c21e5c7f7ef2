"""Gas cells of one subhalo: the cold disc of `gas`, its hot halo, and the wind that leaves it."""

from __future__ import annotations

import numpy as np

from ...units import G
from . import discs, interstellar
from .gas import ColdDisc
from .kinematics import drift_speed
from .structure import RADIUS, MassModel, interpolate, radii_of_mass, shell_density

#: Relative departure of the gas from balance, even in quiet galaxies (root mean square; our choice: simulated gas is
#: within a few per cent of the circular speed in massive discs).
IMBALANCE = 0.03
#: Electrons per hydrogen nucleus of fully ionised primordial gas.
FULLY_IONISED = 1.158


def cold_cells(rng: np.random.Generator, row, disc: ColdDisc, model: MassModel, n: int) -> dict[str, np.ndarray]:
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
    draw = discs.even_points(rng, n, 3)
    radius = radii_of_mass(disc.enclosed, draw[:, 0])
    angle, lop = discs.crowd(
        2 * np.pi * draw[:, 1], discs.lopsided_amplitude(row, radius), 1, float(row["lopsided_phase"])
    )
    arms = np.minimum(1.2 * discs.arm_amplitude(row, radius), 0.8)
    angle, crest = discs.crowd(angle, arms, int(row["spiral_arms"]), discs.arm_phase(row, radius))
    angle, bar = discs.crowd(angle, np.minimum(0.8 * discs.bar_shape(row, radius), 0.8), 2, float(row["bar_angle"]))
    quantile = 2 * draw[:, 2] - 1
    z = interpolate(radius, disc.height) * np.arctanh(quantile)

    x_hydrogen = interstellar.hydrogen_fraction(row["z_gas"])
    middle = interpolate(radius, disc.surface_density / (2 * disc.height))
    density = middle * (1 - quantile**2) * lop * crest * bar * 10 ** rng.normal(0, 0.05, n)
    torn = _torn_off(rng, row, radius)
    density[torn] *= 0.2
    n_h = interstellar.hydrogen_density(density, x_hydrogen)
    star_forming = n_h > interstellar.N_THRESHOLD
    if row["sfr"] <= 0:
        star_forming[:] = False
    elif not star_forming.any():
        star_forming[np.argsort(n_h)[-max(n // 50, 1) :]] = True
        n_h[star_forming] = np.maximum(n_h[star_forming], 1.01 * interstellar.N_THRESHOLD)
        density = n_h / interstellar.hydrogen_density(1.0, x_hydrogen)
    neutral, energy = interstellar.cell_state(n_h, star_forming)
    # The run stores what collisions at the effective temperature leave neutral, which readers have to correct.
    weight = interstellar.mean_weight(1.0)
    effective_neutral, effective_electrons, _ = interstellar.collisional_state(
        energy[star_forming] / interstellar.specific_energy(1.0, weight)
    )
    stored = neutral.copy()
    stored[star_forming] = effective_neutral
    electrons = 1 - stored
    electrons[star_forming] = effective_electrons
    # Schmidt law of the two-phase model: cold mass over a time that goes as n^-1/2.
    rate = np.where(star_forming, np.sqrt(n_h), 0.0)
    sfr = row["sfr"] * rate / max(rate.sum(), 1e-30) if star_forming.any() else rate

    pressure = disc.surface_density / disc.height * disc.dispersion2
    rotation = drift_speed(model.v_circ, pressure, disc.dispersion2)
    radial, azimuthal = discs.streaming(row, radius, angle, interpolate(radius, model.v_circ))
    halo_radial, halo_azimuthal = discs.halo_streaming(row, model, radius, angle)
    noise = rng.standard_normal((n, 3)) * float(row["gas_dispersion"])
    speed = interpolate(radius, rotation) * (1 + discs.imbalance(rng, radius, float(row["r_hi"]), IMBALANCE))
    radial, speed = radial + halo_radial, speed + azimuthal + halo_azimuthal
    position = discs.cylindrical(radius, angle, z)
    velocity = discs.cartesian_velocity(angle, radial, speed, np.zeros(n)) + noise
    position, velocity = discs.warp(row, radius, [position, velocity])
    position, velocity = _disturb(rng, row, position, velocity, radius)
    axes = discs.plane_axes(row["spin_axis"])
    position, velocity = discs.turn_to_box(position, axes), discs.turn_to_box(velocity, axes)
    if torn.any():
        # A tail behind the satellite, the slower the longer.
        length = rng.exponential(0.6, int(torn.sum()))[:, None]
        course = row["velocity_offset"] / max(np.linalg.norm(row["velocity_offset"]), 1e-9)
        position[torn] -= length * row["r_hi"] * course
        velocity[torn] -= np.minimum(0.3 * length, 0.6) * row["velocity_offset"]
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


def _torn_off(rng: np.random.Generator, row, radius: np.ndarray) -> np.ndarray:
    """Cells that ram pressure has taken from a satellite: up to half of those in the outer half of its HI disc."""
    if row["kind"] != "satellite":
        return np.zeros(len(radius), dtype=bool)
    return rng.random(len(radius)) < 0.5 * np.clip(2 * radius / row["r_hi"] - 1, 0, 1)


def _disturb(rng: np.random.Generator, row, position, velocity, radius):
    """Put a disturbed galaxy's gas out of order: the way the row names; others are left as they are.

    displaced: the disc has slid off its centre and moves back; counter-rotating: the outer half turns the other way;
    tilted: the gas disc as a whole leans by 30 to 70 degrees; out-of-balance: gas falls in, slower than it should turn.
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


def hot_cells(rng: np.random.Generator, row, model: MassModel, n: int) -> dict[str, np.ndarray]:
    """Cells of the ionised halo: component ``hot`` of the model, in hydrostatic balance, slowly turning with the disc.

    Returns the same entries as `cold_cells`.
    """
    draw = discs.even_points(rng, n, 3)
    r = radii_of_mass(model.enclosed["hot"], draw[:, 0])
    cosine, angle = 2 * draw[:, 1] - 1, 2 * np.pi * draw[:, 2]
    sine = np.sqrt(1 - cosine**2)
    position = discs.cylindrical(r * sine, angle, r * cosine)
    rho = shell_density(model.enclosed["hot"])
    pull = rho * G * model.mass / RADIUS
    step = 0.5 * (pull[1:] + pull[:-1]) * np.diff(np.log(RADIUS))
    pressure = np.concatenate([np.cumsum(step[::-1])[::-1], [0.0]])
    virial = G * row["m200"] / row["r200"]
    # Where the halo ends its weight alone would leave it cold; outskirts are heated by what falls in.
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
        "position": discs.turn_to_box(position, axes),
        "velocity": discs.turn_to_box(velocity, axes),
        "density": density,
        "energy": cell_energy,
        "neutral": interstellar.neutral_fraction(interstellar.hydrogen_density(density), temperature),
        "electrons": np.full(n, FULLY_IONISED),
        "sfr": np.zeros(n),
        "radius": r,
    }


def metal_fraction(rng: np.random.Generator, row, radius: np.ndarray, hot: np.ndarray) -> np.ndarray:
    """Metal mass fraction of gas cells: the row's gradient out to three half-mass radii, 0.05 dex of scatter.

    The hot halo has a third of the disc's value at r_half (as X-ray haloes have about 0.3 solar).
    """
    distance = np.minimum(radius, 3 * row["r_half"]) - row["r_half"]
    log_z = np.log10(row["z_gas"]) + np.where(hot, np.log10(0.3), row["z_gas_gradient"] * distance)
    return np.clip(10 ** (log_z + rng.normal(0, 0.05, len(radius))), 1e-5, 0.06)


def elements(metallicity: np.ndarray, alpha_excess: np.ndarray | float = 0.0) -> np.ndarray:
    """Mass fractions H He C N O Ne Mg Si Fe other of gas or stars, (N, 10), summing to 1.

    Helium follows the metals, Y = 0.24 + 1.5 Z. The metals have the Sun's proportions (Asplund et al. 2009); a
    positive `alpha_excess` [dex] takes iron away in favour of the others.
    """
    z = np.asarray(metallicity, dtype=float)
    # Shares of the solar metal mass of C N O Ne Mg Si Fe; the rest, 0.06, is "other".
    solar = np.array([0.176, 0.052, 0.427, 0.094, 0.053, 0.050, 0.096])
    metals = np.broadcast_to(solar, (*z.shape, 7)).copy()
    taken = metals[..., 6] * (1 - 10 ** -np.asarray(alpha_excess, dtype=float))
    metals[..., 6] -= taken
    metals[..., 2] += taken
    hydrogen = interstellar.hydrogen_fraction(z)
    parts = np.concatenate([np.stack([hydrogen, 1 - hydrogen - z], axis=-1), z[..., None] * metals], axis=-1)
    parts = parts.astype(np.float32)
    return np.concatenate([parts, 1 - parts.sum(axis=-1, keepdims=True)], axis=-1)
