"""Star particles of one subhalo: a disc with bar and arms, a bulge, an accreted halo; their ages, metals and light."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from . import discs
from .discs import drift_speed
from .gas import ColdDisc
from .interstellar import N_THRESHOLD, hydrogen_density, hydrogen_fraction
from .photometry import magnitudes, remaining_fraction
from .spheroids import Anisotropy, directions, radial_dispersion, spheroid_velocities, spin_up
from .structure import (
    RADIUS,
    SPHEROID_END,
    MassModel,
    interpolate,
    radii_of_mass,
    ring_masses,
    spheroid_share,
    surface_density,
    taper,
)
from .units import H0_PER_GYR, OLDEST, OMEGA_M, RECENT, G


def components(row: np.void) -> dict[str, np.ndarray]:
    """Stellar mass within `RADIUS` of disc, bulge and accreted halo [Msun]."""
    m_star, bulge, halo = (float(row[name]) for name in ("m_star", "bulge_fraction", "halo_star_fraction"))
    edge = max(float(row["r_trunc"]), 8 * float(row["r_bulge"]))
    out = {}
    for name, share, size in (("bulge", bulge, "r_bulge"), ("stellar_halo", halo, "r_star_halo")):
        scale = max(float(row[size]), 0.05)
        shells = np.diff(spheroid_share(RADIUS, scale), prepend=0.0) * taper(RADIUS / min(edge, SPHEROID_END * scale))
        out[name] = share * m_star * np.cumsum(shells) / shells.sum()
    surface = discs.disc_profile((1 - (bulge + halo)) * m_star, max(float(row["r_disc"]), 0.05))
    out["disc"] = np.cumsum(ring_masses(surface))
    return out


def _old_ages(rng: np.random.Generator, row: np.void, n_young: int, n_old: int) -> np.ndarray:
    """Ages of the stars older than `RECENT` [Gyr], ascending: the row's Beta distribution.

    Its mean is shifted so that the mean of all stars, with the young ones, is the row's.
    """
    share = n_young / max(n_young + n_old, 1)
    mean = np.clip((row["age"] - share * RECENT / 2) / max(1 - share, 1e-3), RECENT + 0.3, OLDEST - 0.2)
    m = (mean - RECENT) / (OLDEST - RECENT)
    return np.sort(RECENT + (OLDEST - RECENT) * rng.beta(row["sfh_shape"] * m, row["sfh_shape"] * (1 - m), n_old))


def star_formation(row: np.void, disc: ColdDisc) -> np.ndarray:
    """Star-formation rate per area at `RADIUS`, in any unit: gas above the threshold times the root of its density."""
    n_h = hydrogen_density(disc.surface_density / (2 * disc.height), hydrogen_fraction(row["z_gas"]))
    rate = np.where(n_h > N_THRESHOLD, disc.surface_density * np.sqrt(n_h), 0.0)
    if not rate.any():
        rate = disc.surface_density if disc.surface_density.any() else np.exp(-RADIUS / max(row["r_disc"], 0.05))
    return rate


def _assign_ages(
    rng: np.random.Generator,
    row: np.void,
    model: MassModel,
    disc: ColdDisc,
    radius: np.ndarray,
    part: np.ndarray,
    in_bar: np.ndarray,
) -> np.ndarray:
    """Age of each star [Gyr].

    Today's star-formation rate sets the number of stars younger than `RECENT` and where they are, outside the bar. The
    other ages follow the row's distribution and its gradient with scatter: the bulge is 2 Gyr and the accreted halo
    3 Gyr older than the disc.
    """
    n = len(radius)
    m_initial = row["m_star"] / max(n, 1) / remaining_fraction(row["age"])
    cradle = (part == 0) & ~in_bar
    # Evenly spread in number and age: young stars give much of the blue light, and with particles heavier than those
    # of TNG100 independent draws would scatter the colours of small galaxies more than there.
    n_young = min(int(row["sfr"] * RECENT * 1e9 / m_initial + rng.random()), int(cradle.sum()))
    # Weighted draw without replacement (Efraimidis & Spirakis 2006): the largest of ln u / weight.
    per_star = star_formation(row, disc) / np.maximum(surface_density(model.enclosed["disc"]), 1e-30)
    weight = np.where(cradle, np.maximum(interpolate(radius, per_star), 1e-30), 1e-300)
    chosen = np.argsort(np.log(rng.random(n)) / weight)[n - n_young :]
    old = np.ones(n, dtype=bool)
    old[chosen] = False

    age = np.empty(n)
    age[chosen] = RECENT * rng.permutation((np.arange(n_young) + rng.random(n_young)) / max(n_young, 1))
    values = _old_ages(rng, row, n_young, n - n_young)
    trend = row["age_gradient"] * np.minimum(np.where(part == 1, 0.0, radius), 4 * row["r_half"])
    trend = (trend + np.choose(part, [0.0, 2.0, 3.0]) + in_bar)[old]
    scatter = np.sqrt(max(values.var() - trend.var(), 0.25 * values.var()) + 1e-6) if len(values) else 0.0
    ranked = np.empty_like(values)
    ranked[np.argsort(trend + scatter * rng.standard_normal(len(values)))] = values
    age[old] = ranked
    return age


def sample_stars(
    rng: np.random.Generator, row: np.void, model: MassModel, disc: ColdDisc, n: int
) -> dict[str, np.ndarray]:
    """Star particles, relative to the subhalo and along the axes of the box.

    Parameters
    ----------
    rng : Generator
    row : void
        Row of `Population.subhalos`.
    model : MassModel
        With components ``disc``, ``bulge``, ``stellar_halo``.
    disc : ColdDisc
        Cold gas, which determines where stars form now.
    n : int

    Returns
    -------
    dict of ndarray
        position [kpc], velocity [km/s], mass and initial_mass [Msun], birth (scale factor), metallicity, alpha [dex],
        magnitudes (n, 8).
    """
    counts = _split(n, [model.enclosed[name][-1] for name in ("disc", "bulge", "stellar_halo")])
    disc_r = radii_of_mass(model.enclosed["disc"], (np.arange(counts[0]) + rng.random(counts[0])) / max(counts[0], 1))
    bulge_r = radii_of_mass(model.enclosed["bulge"], rng.random(counts[1]))
    halo_r = radii_of_mass(model.enclosed["stellar_halo"], rng.random(counts[2]))
    part = np.repeat([0, 1, 2], counts)
    radius = np.concatenate([disc_r, bulge_r, halo_r])
    in_bar = (part == 0) & (rng.random(n) < discs.bar_shape(row, radius))

    age = _assign_ages(rng, row, model, disc, radius, part, in_bar)
    left = remaining_fraction(age)
    initial = np.clip(10 ** rng.normal(0, 0.05, n), 0.6, 1.6)
    initial *= row["m_star"] / max((initial * left).sum(), 1e-12)

    log_z = row["z_star_gradient"] * (np.minimum(radius, 4 * row["r_half"]) - row["r_half"])
    log_z += np.choose(part, [0.0, 0.05, -0.5]) - 0.03 * (age - row["age"]) + rng.normal(0, 0.12, n)
    metallicity = 10**log_z
    metallicity *= row["z_star"] / (np.average(metallicity, weights=initial) if n else 1.0)
    metallicity = np.clip(metallicity, 1e-5, 0.06)

    position, velocity = np.empty((n, 3)), np.empty((n, 3))
    flat = part == 0
    position[flat], velocity[flat] = _disc_orbits(rng, row, model, radius[flat], age[flat], in_bar[flat])
    axes = discs.plane_axes(row["spin_axis"])
    for index, name, ratios, turning, anisotropy in (
        (1, "bulge", (0.95, 0.75), 0.35, Anisotropy()),
        (2, "stellar_halo", (0.9, 0.7), 0.1, Anisotropy(0.5, float(row["r_half"]) + 0.1)),
    ):
        mine = part == index
        x = directions(rng, int(mine.sum()), ratios, axes) * radius[mine][:, None]
        dispersion = radial_dispersion(model.enclosed[name], model, anisotropy)
        v = spheroid_velocities(rng, x, radius[mine], dispersion, model, anisotropy)
        spin_up(rng, x, v, row["spin_axis"], turning)
        position[mine], velocity[mine] = x, v
    return {
        "position": position,
        "velocity": velocity,
        "mass": initial * left,
        "initial_mass": initial,
        "birth": birth_scale_factor(age),
        "metallicity": metallicity,
        "alpha": np.clip(0.03 * (age - 6), 0.0, 0.25),
        "magnitudes": magnitudes(age, metallicity, initial),
    }


def _split(n: int, weights: list[float]) -> np.ndarray:
    """Integers in proportion to `weights` that add up to `n`."""
    edges = np.round(n * np.cumsum([0.0, *weights]) / max(sum(weights), 1e-30)).astype(int)
    return np.diff(edges)


def _disc_orbits(
    rng: np.random.Generator, row: np.void, model: MassModel, radius: np.ndarray, age: np.ndarray, in_bar: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities of disc stars along the axes of the box.

    Thickness and dispersion grow as age^(1/2); the youngest stars trace the arms best.
    """
    n = len(radius)
    thickness = 0.25 + 0.75 * np.sqrt(age / max(float(row["age"]), 0.5))
    z0 = row["h_disc"] * thickness
    z = z0 * np.where(in_bar, 1.3, 1.0) * np.arctanh(rng.uniform(-0.999, 0.999, n))

    angle = rng.uniform(0, 2 * np.pi, n)
    youth = np.clip(1.8 - age / 4, 0.6, 1.8)
    arms = np.minimum(discs.arm_amplitude(row, radius) * youth, 0.9)
    angle, _ = discs.crowd(angle, arms, int(row["spiral_arms"]), discs.arm_phase(row, radius))
    # Bar stars: angles squeezed to an axis ratio of 0.2 at unchanged radius; the surrounding disc follows weakly.
    off_bar = angle - row["bar_angle"]
    squeezed = row["bar_angle"] + np.arctan2(0.2 * np.sin(off_bar), np.cos(off_bar))
    angle, _ = discs.crowd(angle, 0.7 * discs.bar_shape(row, radius), 2, float(row["bar_angle"]))
    angle = np.where(in_bar, squeezed, angle)

    surface = surface_density(model.enclosed["disc"])
    spheres = model.mass - model.enclosed["disc"] - model.enclosed["gas"]
    # Isothermal layer: pi G Sigma z0 from its own gravity, plus the vertical pull of the spherical mass.
    vertical2 = (np.pi * G * surface + G * spheres / RADIUS**3 * float(row["h_disc"]) * 0.8) * float(row["h_disc"])
    radial2 = np.minimum(vertical2 / 0.6**2, (0.5 * model.v_circ) ** 2)
    drift = drift_speed(model.v_circ, surface * radial2, radial2, model.epicycle_ratio2)
    heat = interpolate(radius, np.sqrt(radial2)) * np.sqrt(thickness)
    v_circ = interpolate(radius, model.v_circ)
    # The lag scales with the square of the dispersion, that is, with the thickness.
    rotation = v_circ - (v_circ - interpolate(radius, drift)) * np.minimum(thickness, 1.5)
    radial, azimuthal = np.add(
        discs.streaming(row, radius, angle, 0.7 * v_circ), discs.halo_streaming(row, model, radius, angle)
    )
    ratio = np.sqrt(interpolate(radius, model.epicycle_ratio2))
    velocity = discs.cartesian_velocity(
        angle,
        radial + heat * rng.standard_normal(n),
        rotation + azimuthal + heat * ratio * rng.standard_normal(n),
        interpolate(radius, np.sqrt(vertical2)) * np.sqrt(thickness) * rng.standard_normal(n),
    )
    position = discs.cylindrical(radius, angle, z)
    axes = discs.plane_axes(row["spin_axis"])
    return position @ axes, velocity @ axes


# Flat LCDM: t(a) = 2/(3 H0 sqrt(OL)) asinh(sqrt(OL/Om) a^1.5); radiation is neglected.
_SCALE = np.linspace(1e-3, 1.0, 4000)
_TIME = 2 / (3 * H0_PER_GYR * np.sqrt(1 - OMEGA_M)) * np.arcsinh(np.sqrt((1 - OMEGA_M) / OMEGA_M) * _SCALE**1.5)


def birth_scale_factor(age: ArrayLike) -> np.ndarray:
    """Scale factor at the birth of stars of a given age [Gyr], for flat LCDM without radiation."""
    return np.interp(np.asarray(age), _TIME[-1] - _TIME[::-1], _SCALE[::-1])
