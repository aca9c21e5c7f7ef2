"""Particles of one FoF group, made from its rows of the population, under TNG's names and in code units.

The particles of a group depend only on the seed and on its own rows, not on the process or the order of groups.

These fields come from the analytic model and are not measured on the particles: Density (the mean profile with arms and
a little scatter), Potential (spherical average of all components), and the fields of Subfind (density and dispersion of
the profiles; SubfindHsml is the radius of 64 dark-matter particles at the local density).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from . import discs, gas, interstellar, stars
from .galaxies import HOT_CELL, planned_gas
from .gas import ColdDisc, design_cold_disc
from .population import Population
from .spheroids import Anisotropy, halo_mass, radial_dispersion, sample_fuzz, sample_halo
from .structure import (
    RADIUS,
    MassModel,
    at_places,
    beta_mass,
    disc_speed_squared,
    interpolate,
    places,
    ring_masses,
    share_within,
    shell_density,
    surface_density,
)
from .units import DENSITY, LENGTH, MASS, G

Arrays = dict[str, np.ndarray]


@dataclass
class GroupParticles:
    """Particles of one FoF group.

    Parameters
    ----------
    particles : dict
        PartType 0, 1, 4, 5 -> TNG field name -> array, in TNG code units at a = 1: masses 1e10 Msun/h, lengths ckpc/h,
        velocities km/s. Coordinates (float64) are relative to the centre of the group, velocities to the box. Order:
        subhaloes as in the population, then the inner fuzz.
    lengths : ndarray, shape (n_subs, 6)
        Number of particles of each type bound to each subhalo; the rest of a type is inner fuzz.
    """

    particles: dict[int, Arrays]
    lengths: np.ndarray


def build_model(row: np.void, m_dm: float) -> tuple[MassModel, ColdDisc]:
    """Mass model and cold disc of one subhalo.

    Parameters
    ----------
    row : void
        Row of `Population.subhalos`.
    m_dm : float
        Mass of a dark-matter particle [Msun].

    Returns
    -------
    model : MassModel
        Components dm, disc, bulge, stellar_halo, gas (the cold disc) and hot.
    disc : ColdDisc
    """
    parts = stars.components(row)
    stellar = np.sum(list(parts.values()), axis=0)
    dark = halo_mass(row, stellar, row["n_dm"] * m_dm)
    round_density = shell_density(dark + parts["bulge"])
    flat_density = surface_density(parts["disc"]) / (2 * max(float(row["h_disc"]), 0.05))
    disc = design_cold_disc(row, round_density + flat_density)
    # The design may need more gas than planned for HI and H2, because some of it is ionised. It is taken from the hot
    # halo, so that cells keep their mass; without a hot halo (satellites, fragments) cells may grow by a third.
    planned = planned_gas(row)
    if disc.mass > 1.33 * planned:
        disc = replace(disc, surface_density=disc.surface_density * (1.33 * planned / disc.mass))
    m_hot = max(planned - disc.mass, min(0.3 * row["m_hot"], 1.33 * planned - disc.mass), 0.0)
    hot = beta_mass(m_hot, max(float(row["hot_core"]), 0.5), float(row["r_trunc"]))
    dark = halo_mass(row, stellar + disc.enclosed + hot, row["n_dm"] * m_dm)
    speed2 = disc_speed_squared(
        (np.diff(parts["disc"], prepend=0.0), max(float(row["h_disc"]), 0.02)),
        (ring_masses(disc.surface_density), disc.height),
    )
    return MassModel({"dm": dark, **parts, "gas": disc.enclosed, "hot": hot}, speed2), disc


def make_group(population: Population, group_id: int, *, stars: bool = True) -> GroupParticles:
    """Make the particles of one group.

    Parameters
    ----------
    population : Population
    group_id : int
    stars : bool
        Whether to make stars and wind. The other particles are the same without them, but for the one that marks the
        centre of a subhalo without a black hole.

    Returns
    -------
    GroupParticles
        With the planned number of particles of each type.
    """
    group = population.groups[group_id]
    members = population.members(group_id)
    lengths = np.zeros((len(members), 6), dtype=np.int64)
    pieces: list[dict[int, Arrays]] = []
    host: MassModel | None = None
    for rank, row in enumerate(members):
        rng = np.random.default_rng([population.seed, 1, int(group_id), rank])
        model, disc = build_model(row, population.m_dm)
        tide = _depth_in_host(host, model, row) if host is not None else 0.0
        host = host or model
        pieces.append(_subhalo(rng, population, group, row, model, disc, tide, stars))
        for kind, arrays in pieces[rank].items():
            lengths[rank, kind] = len(arrays["Coordinates"])
    rng = np.random.default_rng([population.seed, 2, int(group_id)])
    pieces.append(_fuzz(rng, population, group, host))
    particles = {}
    for kind in (0, 1, 4, 5):
        blocks = [piece[kind] for piece in pieces if kind in piece and len(piece[kind]["Coordinates"])]
        if blocks:
            particles[kind] = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    return GroupParticles(particles, lengths)


def realise(population: Population, subhalo: int, radii: np.ndarray, times: int, m_dm: float) -> np.ndarray:
    """Dark matter of one subhalo within `radii`, its particles drawn anew several times.

    Parameters
    ----------
    population : Population
    subhalo : int
        Row of `Population.subhalos`.
    radii : ndarray, shape (n_radii,)
        kpc.
    times : int
        Number of realisations.
    m_dm : float
        Mass of a dark-matter particle [Msun], which need not be the population's.

    Returns
    -------
    ndarray, shape (times, n_radii)
        Msun. Without the host of a satellite, and without unbound particles.
    """
    row = population.subhalos[subhalo]
    model, _ = build_model(row, population.m_dm)
    n = round(float(model.enclosed["dm"][-1]) / m_dm)
    within = share_within(model.enclosed["dm"], radii)
    out = np.empty((times, len(radii)))
    for i in range(times):
        # Of each particle only the share of the mass within its radius is drawn, which says on which side it lies.
        uniform = np.random.default_rng([population.seed, 3, subhalo, i]).random(n)
        out[i] = [np.count_nonzero(uniform <= share) for share in within]
    return out * m_dm


def _depth_in_host(host: MassModel, model: MassModel, row: np.void) -> float:
    """Potential of the host at the centre of a satellite, added to all of it [(km/s)^2].

    The potential of a compact satellite can be deeper than the centre of its host. It is raised above it, because the
    particle of lowest potential is by convention the centre of the group and of its first subhalo.
    """
    there = float(interpolate(np.linalg.norm(row["offset"]), host.potential))
    return max(there, 0.98 * host.potential.min() - model.potential.min())


def _subhalo(
    rng: np.random.Generator,
    population: Population,
    group: np.void,
    row: np.void,
    model: MassModel,
    disc: ColdDisc,
    tide: float,
    with_stars: bool,
) -> dict[int, Arrays]:
    """All particles of one subhalo, by type, in code units."""
    frame = _Frame(model, row["offset"], group["velocity"] + row["velocity_offset"], tide, population.m_dm)
    out: dict[int, Arrays] = {}
    n_dm, n_gas, n_star = int(row["n_dm"]), int(row["n_gas"]), int(row["n_star"])
    if n_dm:
        out[1] = frame.fields(*sample_halo(rng, row, model, n_dm))
    if n_gas:
        out[0] = _gas_fields(frame, _gas(rng, row, disc, model, n_gas))
    # Last, so that without them the random numbers of the others are the same.
    blocks = []
    if n_star and with_stars:
        blocks.append(_star_fields(frame, stars.sample_stars(rng, row, model, disc, n_star)))
    if row["n_wind"] and with_stars:
        blocks.append(_wind_fields(rng, frame, row, model, population.m_baryon))
    if blocks:
        out[4] = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
        out[4]["StellarHsml"] = _neighbour_radius(out[4]["Coordinates"])
    _mark_centre(out, frame, row)
    return out


class _Frame:
    """Position and velocity of a subhalo, and the fields that all particle types share."""

    def __init__(self, model: MassModel, offset: np.ndarray, velocity: np.ndarray, tide: float, m_dm: float):
        self.model, self.offset, self.velocity, self.tide, self.m_dm = model, offset, velocity, tide, m_dm
        self._dark_density = shell_density(model.enclosed["dm"])
        self._density = shell_density(model.mass)
        self._dispersion = np.sqrt(3) * radial_dispersion(model.enclosed["dm"], model, Anisotropy())

    def fields(self, position: np.ndarray, velocity: np.ndarray) -> Arrays:
        """Coordinates, Velocities, Potential and Subfind's fields of particles around the centre of the subhalo."""
        where = places(np.sqrt(np.einsum("ij,ij->i", position, position)))
        dark = np.maximum(at_places(where, self._dark_density), 1.0)
        return {
            "Coordinates": (position + self.offset) / LENGTH,
            "Velocities": (velocity + self.velocity).astype(np.float32),
            "Potential": (at_places(where, self.model.potential) + self.tide).astype(np.float32),
            "SubfindDMDensity": (dark / DENSITY).astype(np.float32),
            "SubfindDensity": (np.maximum(at_places(where, self._density), 1.0) / DENSITY).astype(np.float32),
            "SubfindHsml": (np.cbrt(3 * 64 * self.m_dm / (4 * np.pi * dark)) / LENGTH).astype(np.float32),
            "SubfindVelDisp": at_places(where, self._dispersion).astype(np.float32),
        }


def _gas(rng: np.random.Generator, row: np.void, disc: ColdDisc, model: MassModel, n: int) -> Arrays:
    """Cold and hot cells with their masses and metals."""
    m_hot = model.enclosed["hot"][-1]
    total = disc.mass + m_hot
    n_cold = round(n * disc.mass / (disc.mass + m_hot / HOT_CELL)) if total > 0 else 0
    cold = gas.cold_cells(rng, row, disc, model, n_cold)
    hot = gas.hot_cells(rng, row, model, n - n_cold)
    cells = {name: np.concatenate([cold[name], hot[name]]) for name in cold}
    # Refinement keeps cells within a factor of two of the target.
    cold_cell = np.arange(n) < n_cold
    mass = np.clip(10 ** rng.normal(0, 0.06, n), 0.7, np.where(cold_cell, 1.4, 1.03))
    mass *= np.where(cold_cell, 1.0, HOT_CELL)
    cells["mass"] = mass * (total / mass.sum())
    cells["metallicity"] = gas.metal_fraction(rng, row, cells["radius"], ~cold_cell)
    return cells


def _gas_fields(frame: _Frame, cells: Arrays) -> Arrays:
    return {
        **frame.fields(cells["position"], cells["velocity"]),
        "Masses": (cells["mass"] / MASS).astype(np.float32),
        "Density": (cells["density"] / DENSITY).astype(np.float32),
        "InternalEnergy": cells["energy"].astype(np.float32),
        "ElectronAbundance": cells["electrons"].astype(np.float32),
        "NeutralHydrogenAbundance": cells["neutral"].astype(np.float32),
        "StarFormationRate": cells["sfr"].astype(np.float32),
        "GFM_Metals": gas.elements(cells["metallicity"]),
    }


def _star_fields(frame: _Frame, sample: Arrays) -> Arrays:
    return {
        **frame.fields(sample["position"], sample["velocity"]),
        "Masses": (sample["mass"] / MASS).astype(np.float32),
        "GFM_InitialMass": (sample["initial_mass"] / MASS).astype(np.float32),
        "GFM_StellarFormationTime": sample["birth"].astype(np.float32),
        "GFM_Metals": gas.elements(sample["metallicity"], sample["alpha"]),
        "GFM_StellarPhotometrics": sample["magnitudes"].astype(np.float32),
    }


def _wind_fields(rng: np.random.Generator, frame: _Frame, row: np.void, model: MassModel, m_baryon: float) -> Arrays:
    """Gas leaving the disc as wind particles: PartType4 with a birth time of zero or less and no light."""
    n = int(row["n_wind"])
    reach = max(float(row["r_disc"]), 0.3)
    radius, angle = reach * rng.gamma(2.0, 1.0, n), rng.uniform(0, 2 * np.pi, n)
    side = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    axes = discs.plane_axes(row["spin_axis"])
    position = discs.cylindrical(radius, angle, side * rng.uniform(0.5, 5.0, n))
    launch = rng.uniform(1.0, 2.0, n) * 0.7 * model.v_circ.max()
    velocity = discs.cartesian_velocity(
        angle, np.zeros(n), interpolate(radius, model.v_circ), side * np.minimum(launch, 600.0)
    )
    sample = {
        "position": position @ axes,
        "velocity": velocity @ axes,
        "mass": np.full(n, m_baryon),
        "initial_mass": np.full(n, m_baryon),
        "birth": -rng.uniform(0.0, 0.02, n),
        "metallicity": np.full(n, 0.4 * row["z_gas"]),
        "alpha": 0.0,
        "magnitudes": np.zeros((n, 8)),
    }
    return _star_fields(frame, sample)


def _neighbour_radius(coordinates: np.ndarray) -> np.ndarray:
    """Distance to the 32nd nearest other star, or to the farthest where there are fewer [ckpc/h]."""
    k = min(32, len(coordinates) - 1)
    if k < 1:
        return np.full(len(coordinates), 1.0, dtype=np.float32)
    tree = cKDTree(coordinates, leafsize=32, balanced_tree=False)
    # In the order of the tree neighbours of one star are in the processor's cache for the next: twice as fast.
    distance = np.empty(len(coordinates), dtype=np.float32)
    distance[tree.indices] = tree.query(coordinates[tree.indices], k=[k + 1])[0][:, 0]
    return distance


def _mark_centre(out: dict[int, Arrays], frame: _Frame, row: np.void) -> None:
    """Put one particle at rest at the centre, at the unique minimum of the potential.

    It is the black hole, or else the first particle of stars, dark matter or gas.
    """
    centre = frame.fields(np.zeros((1, 3)), np.zeros((1, 3)))
    depth = np.float32(1 + 1e-4) * centre["Potential"] - np.float32(0.1)
    if row["n_bh"]:
        out[5] = {**centre, "Masses": np.array([row["m_bh"] / MASS], dtype=np.float32), "Potential": depth}
        return
    for kind in (4, 1, 0):
        if kind in out:
            for name in ("Coordinates", "Velocities"):
                out[kind][name][0] = centre[name][0]
            out[kind]["Potential"][0] = depth[0]
            return


def _fuzz(
    rng: np.random.Generator, population: Population, group: np.void, host: MassModel | None
) -> dict[int, Arrays]:
    """Dark matter and gas of the group that are bound to no subhalo."""
    n_dm, n_gas = int(group["n_dm_fuzz"]), int(group["n_gas_fuzz"])
    r200, m200 = float(group["r200"]), float(group["m200"])
    v200 = np.sqrt(G * m200 / r200)
    inner = 0.9
    if host is None:
        # A group without subhaloes is a loose cloud of fuzz.
        dark = m200 * np.clip(RADIUS / r200, 0, 1)
        host, inner = MassModel({"dm": dark}, np.zeros_like(RADIUS)), 0.02
    frame = _Frame(host, np.zeros(3), group["velocity"], 0.0, population.m_dm)
    out = {}
    if n_dm:
        out[1] = frame.fields(*sample_fuzz(rng, r200, v200, n_dm, inner))
    if n_gas:
        position, velocity = sample_fuzz(rng, r200, v200, n_gas, inner)
        r = np.linalg.norm(position, axis=1)
        density = 0.1 * m200 / (4 * np.pi * np.log(2.0 / inner) * r**3)
        temperature = 10 ** rng.normal(5.5, 0.3, n_gas)
        cells = {
            "position": position,
            "velocity": velocity,
            "density": density,
            "energy": interstellar.specific_energy(temperature, 0.588),
            "neutral": interstellar.neutral_fraction(interstellar.hydrogen_density(density), temperature),
            "electrons": np.full(n_gas, gas.FULLY_IONISED),
            "sfr": np.zeros(n_gas),
            "mass": np.full(n_gas, population.m_baryon),
            "metallicity": 10 ** rng.normal(-3.0, 0.2, n_gas),
        }
        out[0] = _gas_fields(frame, cells)
    return out
