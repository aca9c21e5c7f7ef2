"""Which galaxies the embedded universe holds: groups, subhaloes, and every number that their particles are made from.

An ensemble, not a volume: haloes come from the mass function, but low masses are thinned and groups do not cluster.
All lengths kpc, masses Msun, velocities km/s, times Gyr, physical and without h; z = 0.

Columns of `Population.groups` and `Population.subhalos` are listed, with their meaning, in `GROUP_COLUMNS` and
`SUBHALO_COLUMNS`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...settings import Profile
from ...units import BOX_TNG100, HUBBLE
from . import relations

#: Side of the periodic box [kpc]
BOX_KPC = BOX_TNG100 / HUBBLE

#: Centrals reach out to this multiple of r200 with particles that count as bound.
EDGE = 1.3

#: name -> (dtype, shape, meaning) of a column of `Population.groups`
GROUP_COLUMNS = {
    "group_id": ("i4", (), "row"),
    "m200": ("f8", (), "mass within r200 (200 times the critical density), all matter [Msun]"),
    "r200": ("f8", (), "[kpc]"),
    "position": ("f8", (3,), "centre in the box, in [0, BOX_KPC) [kpc]"),
    "velocity": ("f8", (3,), "bulk velocity in the box frame [km/s]"),
    "first_sub": ("i4", (), "row of the central in subhalos, -1 where the group has no subhalo"),
    "n_subs": ("i4", (), "number of subhaloes"),
    "n_dm_fuzz": ("i4", (), "planned dark-matter particles bound to no subhalo (inner fuzz)"),
    "n_gas_fuzz": ("i4", (), "planned gas cells bound to no subhalo"),
}

#: name -> (dtype, shape, meaning) of a column of `Population.subhalos`
SUBHALO_COLUMNS = {
    "group_id": ("i4", (), "row of its group"),
    "rank": ("i4", (), "place in the group, 0 the central"),
    "kind": ("U9", (), "central, satellite or fragment"),
    "parent_rank": ("i4", (), "SubhaloParent: rank of the parent; 0 for all but sub-subhaloes"),
    "flag": ("?", (), "SubhaloFlag: of cosmological origin"),
    "offset": ("f8", (3,), "centre relative to the group's [kpc]"),
    "velocity_offset": ("f8", (3,), "bulk velocity relative to the group's [km/s]"),
    "m200": ("f8", (), "all matter within r200; of a satellite: at infall [Msun]"),
    "r200": ("f8", (), "[kpc]"),
    "c200": ("f8", (), "concentration before contraction"),
    "r_trunc": ("f8", (), "edge of what is bound: EDGE r200 of centrals, tidal radius of satellites [kpc]"),
    "m_dm": ("f8", (), "dark matter within r_trunc [Msun]"),
    "axis_ratios": ("f8", (2,), "b/a and c/a of the dark halo's density"),
    "halo_axes": ("f8", (3, 3), "rows: unit vectors of the halo's long, middle and short axes"),
    "contraction": ("f8", (), "strength of the contraction: 0 none, 1 as Cautun et al. (2020)"),
    "core_radius": ("f8", (), "core of the dark halo, 0 for none [kpc]"),
    "quenched": ("?", (), "drawn off the star-forming sequence"),
    "m_star": ("f8", (), "stars, wind not included [Msun]"),
    "bulge_fraction": ("f8", (), "part of m_star in the bulge"),
    "halo_star_fraction": ("f8", (), "part of m_star in the accreted stellar halo"),
    "r_half": ("f8", (), "stellar half-mass radius of bulge and disc together, in three dimensions [kpc]"),
    "r_disc": ("f8", (), "exponential scale length of the stellar disc [kpc]"),
    "h_disc": ("f8", (), "sech^2 scale height of the stellar disc [kpc]"),
    "r_bulge": ("f8", (), "scale radius a of the Hernquist bulge [kpc] (half the mass within 2.414 a)"),
    "spin_axis": ("f8", (3,), "unit vector along the angular momentum of the discs"),
    "sfr": ("f8", (), "[Msun/yr]"),
    "m_hi": ("f8", (), "atomic hydrogen [Msun]"),
    "m_h2": ("f8", (), "molecular hydrogen [Msun]"),
    "r_hi": ("f8", (), "radius of 1 Msun/pc^2 of HI, face-on [kpc]"),
    "m_hot": ("f8", (), "ionised gas within r_trunc [Msun]"),
    "z_gas": ("f8", (), "metal mass fraction of the gas at r_half"),
    "z_gas_gradient": ("f8", (), "[dex/kpc], negative: metal-rich centre"),
    "z_star": ("f8", (), "mean metal mass fraction of the stars"),
    "z_star_gradient": ("f8", (), "[dex/kpc]"),
    "age": ("f8", (), "mass-weighted mean age of the stars [Gyr]"),
    "age_gradient": ("f8", (), "[Gyr/kpc], negative: the centre is older"),
    "sfh_shape": ("f8", (), "ages/13.5 Gyr follow Beta(s m, s (1-m)), m = age/13.5, s = sfh_shape"),
    "m_bh": ("f8", (), "black hole, 0 for none [Msun]"),
    "gas_dispersion": ("f8", (), "turbulence of the cold gas, one dimension [km/s]"),
    "bar_strength": ("f8", (), "part of the disc within bar_length that is in the bar, 0 for none"),
    "bar_length": ("f8", (), "half length [kpc]"),
    "bar_angle": ("f8", (), "position of the bar in the disc plane [rad]"),
    "spiral_amplitude": ("f8", (), "relative density amplitude of the arms"),
    "spiral_arms": ("i4", (), "number of arms"),
    "spiral_pitch": ("f8", (), "pitch angle [deg]"),
    "spiral_phase": ("f8", (), "[rad]"),
    "warp_radius": ("f8", (), "where the outer disc leaves the plane [kpc]"),
    "warp_amplitude": ("f8", (), "tilt at twice warp_radius [deg], 0 for none"),
    "warp_node": ("f8", (), "line of nodes [rad]"),
    "lopsidedness": ("f8", (), "relative m = 1 amplitude of the outer gas disc"),
    "lopsided_phase": ("f8", (), "[rad]"),
    "disturbed": ("U15", (), "'' for most; displaced, counter-rotating, tilted or out-of-balance"),
    "n_dm": ("i4", (), "planned dark-matter particles"),
    "n_gas": ("i4", (), "planned gas cells"),
    "n_star": ("i4", (), "planned star particles, wind not included"),
    "n_wind": ("i4", (), "planned wind particles (PartType4 with birth time <= 0)"),
    "n_bh": ("i4", (), "black holes, 0 or 1"),
}


def _dtype(columns) -> np.dtype:
    return np.dtype([(name, kind, shape) for name, (kind, shape, _) in columns.items()])


@dataclass(frozen=True)
class Population:
    """All groups and subhaloes of one embedded universe, before any particle exists.

    Parameters
    ----------
    name : str
        ``embedded-<profile>``, with the physics appended where it is not the fiducial one.
    seed : int
    physics : {"fiducial", "alternative"}
    m_dm, m_baryon : float
        Particle masses [Msun].
    groups : ndarray
        Structured, `GROUP_COLUMNS`; catalogue order (descending planned number of particles).
    subhalos : ndarray
        Structured, `SUBHALO_COLUMNS`; catalogue order: group by group, the central first, then by descending
        planned number of particles.
    """

    name: str
    seed: int
    physics: str
    m_dm: float
    m_baryon: float
    groups: np.ndarray
    subhalos: np.ndarray

    def members(self, group_id: int) -> np.ndarray:
        """Rows of `subhalos` of one group, central first; empty for a group without subhalo."""
        group = self.groups[group_id]
        return (
            self.subhalos[group["first_sub"] : group["first_sub"] + group["n_subs"]]
            if group["n_subs"]
            else (self.subhalos[:0])
        )


def draw(profile: Profile, seed: int, physics: str = "fiducial") -> Population:
    """Draw the population of one embedded universe.

    Parameters
    ----------
    profile : Profile
    seed : int
    physics : {"fiducial", "alternative"}

    Returns
    -------
    Population
        The same for the same arguments, on any machine and with any number of workers.
    """
    rng = np.random.default_rng([seed, 0])
    n = int(profile.n_galaxies * 1.3)
    log_m = np.linspace(11.2, 13.3, 400)
    weight = relations.mass_function(10**log_m)
    cdf = np.concatenate([[0.0], np.cumsum(0.5 * (weight[1:] + weight[:-1]))])
    m200 = np.sort(10 ** np.interp(rng.random(n), cdf / cdf[-1], log_m))[::-1]
    subhalos = np.zeros(n, dtype=_dtype(SUBHALO_COLUMNS))
    s = subhalos
    s["group_id"] = np.arange(n)
    s["kind"] = "central"
    s["flag"] = True
    s["m200"] = m200
    s["r200"] = relations.r200_of(m200)
    s["c200"] = relations.concentration(m200) * 10 ** rng.normal(0, 0.16, n)
    s["r_trunc"] = EDGE * s["r200"]
    s["m_star"] = relations.stellar_mass(m200) * 10 ** rng.normal(0, 0.15, n)
    s["quenched"] = rng.random(n) < relations.quenched_fraction(s["m_star"])
    s["sfr"] = (
        relations.star_forming_sequence(s["m_star"]) * 10 ** rng.normal(0, 0.3, n) * np.where(s["quenched"], 0.02, 1)
    )
    s["m_hi"] = relations.hi_mass(s["m_star"]) * 10 ** rng.normal(0, 0.3, n)
    s["m_h2"] = 0.2 * s["m_hi"]
    s["r_hi"] = relations.hi_radius(s["m_hi"]) * 10 ** rng.normal(0, 0.06, n)
    s["m_hot"] = 0.06 * m200
    s["m_dm"] = 1.1 * m200 - s["m_star"] - s["m_hot"]
    s["axis_ratios"] = [0.9, 0.8]
    s["halo_axes"] = np.eye(3)
    s["contraction"] = 1.0
    s["bulge_fraction"] = rng.uniform(0.1, 0.6, n)
    s["halo_star_fraction"] = 0.05
    s["r_half"] = relations.half_mass_radius(s["m_star"], s["quenched"]) * 0.8
    s["r_disc"] = s["r_half"] / 1.5
    s["h_disc"] = 0.15 * s["r_disc"]
    s["r_bulge"] = 0.15 * s["r_half"]
    axis = rng.normal(size=(n, 3))
    s["spin_axis"] = axis / np.linalg.norm(axis, axis=1)[:, None]
    s["z_gas"] = relations.oxygen_to_mass_fraction(relations.gas_metallicity(s["m_star"]))
    s["z_gas_gradient"] = -0.03
    s["z_star"] = 0.8 * s["z_gas"]
    s["z_star_gradient"] = -0.03
    s["age"] = 7.0
    s["age_gradient"] = -0.1
    s["sfh_shape"] = 4.0
    s["m_bh"] = relations.black_hole_mass(s["bulge_fraction"] * s["m_star"])
    s["gas_dispersion"] = 10.0
    s["bar_strength"] = np.where(rng.random(n) < 0.3, 0.3, 0.0)
    s["bar_length"] = 1.2 * s["r_disc"]
    s["spiral_amplitude"] = 0.3
    s["spiral_arms"] = 2
    s["spiral_pitch"] = 20.0
    s["warp_radius"] = 0.7 * s["r_hi"]
    s["warp_amplitude"] = 10.0
    s["lopsidedness"] = 0.1
    s["n_dm"] = s["m_dm"] / profile.m_dm
    s["n_gas"] = (s["m_hot"] + (s["m_hi"] + s["m_h2"]) / 0.75) / profile.m_baryon
    s["n_star"] = s["m_star"] / (0.6 * profile.m_baryon)
    s["n_wind"] = np.where(s["quenched"], 0, 3)
    s["n_bh"] = 1
    groups = np.zeros(n, dtype=_dtype(GROUP_COLUMNS))
    groups["group_id"] = np.arange(n)
    groups["m200"] = m200
    groups["r200"] = s["r200"]
    groups["position"] = rng.random((n, 3)) * BOX_KPC
    groups["velocity"] = rng.normal(0, 250, (n, 3))
    groups["first_sub"] = np.arange(n)
    groups["n_subs"] = 1
    groups["n_dm_fuzz"] = 0.05 * s["n_dm"]
    name = f"embedded-{profile.name}" + ("" if physics == "fiducial" else f"-{physics}")
    return Population(name, seed, physics, profile.m_dm, profile.m_baryon, groups, subhalos)
