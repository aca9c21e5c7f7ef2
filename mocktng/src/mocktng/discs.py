"""Thin discs: bars, arms, lopsidedness and warps, the streaming motions that go with them, and rotation.

Patterns move particles along their circle or tilt their ring and do not change the distance from the centre, so that
surface densities and enclosed masses remain those of the tables. Angles are in the plane of the disc, which rotates
towards increasing angle.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .structure import RADIUS, MassModel, interpolate
from .units import G


def even_points(rng: np.random.Generator, n: int) -> np.ndarray:
    """Points that fill the unit cube evenly, shape (n, 3): a Sobol sequence with Owen's scrambling.

    The cells of a moving mesh are evenly spaced; independent draws would clump.
    """
    if n == 0:
        return np.empty((0, 3))
    from scipy.stats.qmc import Sobol  # see `galaxies.age_of_colour`

    points = Sobol(3, rng=rng).random_base2(max(int(n - 1).bit_length(), 1))[:n]
    return np.maximum(points, 2.0**-31)  # multiples of 2^-30; at 0 a height drawn with them would be infinite


def plane_axes(spin_axis: ArrayLike) -> np.ndarray:
    """Rows: two unit vectors in the plane and the spin axis, right-handed; a function of the axis only.

    ``vectors @ axes`` turns vectors (n, 3) from the frame of the disc to that of the box.
    """
    third = np.asarray(spin_axis, dtype=float) / np.linalg.norm(spin_axis)
    helper = np.eye(3)[np.argmin(np.abs(third))]
    first = np.cross(helper, third)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(third, first), third])


def crowd(angle: np.ndarray, amplitude: ArrayLike, m: int, phase: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Concentrate evenly distributed angles around m crests.

    Parameters
    ----------
    angle : ndarray
        Evenly distributed [rad].
    amplitude : ndarray or float
        Relative amplitude of the density, between 0 and 1.
    m : int
        Number of crests.
    phase : ndarray or float
        Position of a crest [rad].

    Returns
    -------
    angle, contrast : ndarray
        New angles, and the density there over its mean on the circle.
    """
    amplitude = np.asarray(amplitude)
    beat = m * (angle - phase)
    return angle - amplitude / m * np.sin(beat), 1 / (1 - amplitude * np.cos(beat))


def arm_phase(row: np.void, radius: np.ndarray) -> np.ndarray:
    """Angle of the crest of the first arm at each radius: a trailing logarithmic spiral with the row's pitch."""
    winding = 1 / np.tan(np.deg2rad(max(float(row["spiral_pitch"]), 3.0)))
    return row["spiral_phase"] - winding * np.log(np.maximum(radius, 1e-3) / row["r_disc"])


def arm_amplitude(row: np.void, radius: np.ndarray) -> np.ndarray:
    """Relative amplitude of the arms: zero in the middle or inside a bar, full beyond, fading in the outer disc."""
    begin = max(float(row["bar_length"]) if row["bar_strength"] > 0 else 0.0, 0.5 * float(row["r_disc"]))
    rise = np.clip((radius / max(begin, 1e-3) - 0.7) / 0.6, 0, 1)
    return row["spiral_amplitude"] * rise * np.exp(-np.maximum(radius / (5 * row["r_disc"]) - 1, 0))


def bar_shape(row: np.void, radius: np.ndarray) -> np.ndarray:
    """Strength of the bar at each radius: constant inside, fading around its end."""
    if row["bar_strength"] <= 0:
        return np.zeros_like(radius)
    return row["bar_strength"] * 0.5 * (1 - np.tanh((radius / row["bar_length"] - 1) / 0.15))


def lopsided_amplitude(row: np.void, radius: np.ndarray) -> np.ndarray:
    """Amplitude of the m = 1 mode of the gas: rises linearly to its value at r_hi, constant beyond 1.2 r_hi."""
    return row["lopsidedness"] * np.clip(radius / row["r_hi"], 0, 1.2)


def streaming(row: np.void, radius: np.ndarray, angle: np.ndarray, v_circ: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Velocities that bars, arms and lopsidedness add to circular motion.

    Orbits along a bar are ellipses, R = R0 (1 + e cos 2 phi) at constant angular momentum, with e = 0.6 times the
    strength of the bar. Arms act as in the theory of tightly wound waves: inward motion on the crest, azimuthal motion
    a quarter of a wave away, about a tenth of the circular speed for an amplitude of one half.

    Returns
    -------
    radial, azimuthal : ndarray
        km/s.
    """
    e = 0.6 * bar_shape(row, radius)
    along = 2 * (angle - row["bar_angle"])
    radial, azimuthal = -2 * e * v_circ * np.sin(along), -e * v_circ * np.cos(along)
    wave = row["spiral_arms"] * (angle - arm_phase(row, radius))
    pull = 0.2 * arm_amplitude(row, radius) * v_circ
    radial, azimuthal = radial - pull * np.cos(wave), azimuthal + 0.7 * pull * np.sin(wave)
    lop = 0.3 * lopsided_amplitude(row, radius) * v_circ
    turn = angle - row["lopsided_phase"]
    return radial - lop * np.sin(turn), azimuthal - 0.5 * lop * np.cos(turn)


def drift_speed(
    v_circ: np.ndarray, pressure: np.ndarray, dispersion2: np.ndarray, azimuthal_ratio2: ArrayLike = 1.0
) -> np.ndarray:
    """Mean rotation of a disc that is partly supported by random motion.

    v^2 = v_c^2 + s_R^2 (1 - s_phi^2/s_R^2 + dln(nu s_R^2)/dlnR) (Binney & Tremaine 2008, eq. 4.228 without the tilt
    term). For gas the ratio is 1, and this is pressure support.

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
        km/s at `RADIUS`; at least a fifth of the circular speed, below which it would not be a disc.
    """
    floor = max(pressure.max() * 1e-12, 1e-300)
    slope = np.gradient(np.log(np.maximum(pressure, floor)), np.log(RADIUS))
    squared = v_circ**2 + dispersion2 * (1 - np.asarray(azimuthal_ratio2) + slope)
    return np.sqrt(np.maximum(squared, 0.04 * v_circ**2))


def halo_streaming(
    row: np.void, model: MassModel, radius: np.ndarray, angle: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Velocities that a triaxial halo adds to circular motion in the plane of the disc.

    Closed orbits are ellipses elongated perpendicular to the long axis of the halo. For a potential of ellipticity e
    and a constant circular speed, v_R = e v_c sin 2 phi and v_phi = v_c (1 + e cos 2 phi) from the long axis (Franx &
    de Zeeuw 1992; Binney & Tremaine 2008, eq. 3.148 at zero pattern speed). The ellipticity of the potential is a third
    of the density's, times the halo's share of the squared circular speed. The azimuthal mean does not change.

    Returns
    -------
    radial, azimuthal : ndarray
        km/s.
    """
    axes = plane_axes(row["spin_axis"])[:2] @ row["halo_axes"].T
    lengths2 = np.array([1.0, *row["axis_ratios"]]) ** 2
    across, along = np.linalg.eigh((axes * lengths2) @ axes.T)
    flattening = 1 - np.sqrt(across[0] / across[1])
    v_circ = interpolate(radius, model.v_circ)
    share = interpolate(radius, G * model.enclosed["dm"] / RADIUS) / np.maximum(v_circ**2, 1e-9)
    e = flattening / 3 * np.clip(share, 0, 1)
    turn = 2 * (angle - np.arctan2(along[1, 1], along[0, 1]))
    return e * v_circ * np.sin(turn), e * v_circ * np.cos(turn)


def imbalance(rng: np.random.Generator, radius: np.ndarray, scale: float, amplitude: float) -> np.ndarray:
    """Smooth random relative departure of the rotation from equilibrium at each radius.

    A sum of three waves in radius with wavelengths near `scale` and longer; its root mean square over galaxies is
    `amplitude`.
    """
    waves = 2 * np.pi / (scale * np.array([1.0, 1.7, 3.0]))
    phases, weights = rng.uniform(0, 2 * np.pi, 3), rng.standard_normal(3)
    return amplitude * np.sqrt(2 / 3) * np.cos(radius[:, None] * waves + phases) @ weights


def warp(row: np.void, radius: np.ndarray, vectors: list[np.ndarray]) -> list[np.ndarray]:
    """Tilt each ring about the line of nodes: no tilt within the warp radius, the full one beyond twice that radius.

    Parameters
    ----------
    radius : ndarray (n,)
        Cylindrical radius before the tilt [kpc].
    vectors : list of ndarray (n, 3)
        Positions, velocities, ... in the disc's frame.

    Returns
    -------
    list of ndarray
    """
    if row["warp_amplitude"] == 0 or row["warp_radius"] <= 0:
        return vectors
    tilt = np.deg2rad(row["warp_amplitude"]) * np.clip(radius / row["warp_radius"] - 1, 0, 1)
    c, s = np.cos(tilt), np.sin(tilt)
    cn, sn = np.cos(row["warp_node"]), np.sin(row["warp_node"])
    out = []
    for v in vectors:
        # Rodrigues' rotation about the node n = (cn, sn, 0): only the component across the node mixes with z.
        along, across = v[:, 0] * cn + v[:, 1] * sn, -v[:, 0] * sn + v[:, 1] * cn
        across, up = c * across - s * v[:, 2], s * across + c * v[:, 2]
        out.append(np.stack([along * cn - across * sn, along * sn + across * cn, up], axis=1))
    return out


def cylindrical(radius: np.ndarray, angle: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Cartesian positions, shape (n, 3), in the frame of the disc."""
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=1)


def cartesian_velocity(
    angle: np.ndarray, radial: np.ndarray, azimuthal: np.ndarray, vertical: np.ndarray
) -> np.ndarray:
    """Velocities, shape (n, 3), in the frame of the disc from their cylindrical components."""
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([radial * c - azimuthal * s, radial * s + azimuthal * c, vertical], axis=1)


def disc_profile(mass: float, scale: float) -> np.ndarray:
    """Surface density at `RADIUS` [Msun/kpc^2] of an exponential disc of `mass`, cut off at six scale lengths."""
    x = RADIUS / scale
    shape = np.exp(-x) * 0.5 * (1 - np.tanh((x - 6.0) / 0.3))
    total = np.sum(2 * np.pi * RADIUS**2 * shape) * np.log(RADIUS[1] / RADIUS[0])
    return mass * shape / total
