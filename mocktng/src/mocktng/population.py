"""The groups and subhaloes of a universe before any particle exists, and a census of them.

All lengths are in kpc, masses in Msun, velocities in km/s, times in Gyr, physical and without h, at z = 0. The columns
of `Population.groups` and `Population.subhalos` are listed, with their meaning, in `GROUP_COLUMNS` and
`SUBHALO_COLUMNS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

#: A structured array with one row per group or subhalo. numpy's types do not follow its columns, and resolving every
#: operator on `Any` elements made the type checker take half a minute for two modules.
Rows: TypeAlias = Any

#: name -> (dtype, shape, meaning) of a column of `Population.groups`
GROUP_COLUMNS = {
    "group_id": ("i4", (), "row"),
    "m200": ("f8", (), "mass within r200 of the halo in a run with gravity only [Msun]"),
    "r200": ("f8", (), "[kpc]"),
    "position": ("f8", (3,), "centre in the box, in [0, 75000/h) [kpc]"),
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
    "m200": ("f8", (), "mass within r200 in a run with gravity only; of a satellite: at infall [Msun]"),
    "r200": ("f8", (), "[kpc]"),
    "c200": ("f8", (), "concentration before contraction"),
    "r_trunc": ("f8", (), "edge of the bound matter: 1.3 r200 of centrals, tidal radius of satellites [kpc]"),
    "m_dm": ("f8", (), "dark matter within r_trunc [Msun]"),
    "axis_ratios": ("f8", (2,), "b/a and c/a of the dark halo's density"),
    "halo_axes": ("f8", (3, 3), "rows: unit vectors of the halo's long, middle and short axes"),
    "contraction": ("f8", (), "strength of the contraction: 0 none, 1 that of Cautun et al. (2020)"),
    "halo_spin": ("f8", (), "Bullock's spin parameter of the dark halo"),
    "core_radius": ("f8", (), "core of the dark halo, 0 for none [kpc]"),
    "quenched": ("?", (), "below the star-forming sequence"),
    "m_star": ("f8", (), "stars, wind not included [Msun]"),
    "bulge_fraction": ("f8", (), "fraction of m_star in the bulge"),
    "halo_star_fraction": ("f8", (), "fraction of m_star in the accreted stellar halo"),
    "r_half": ("f8", (), "half-mass radius of all stars, in three dimensions [kpc]"),
    "r_disc": ("f8", (), "exponential scale length of the stellar disc [kpc]"),
    "h_disc": ("f8", (), "sech^2 scale height of the stellar disc [kpc]"),
    "r_bulge": ("f8", (), "scale radius of the bulge [kpc], see `structure.spheroid_share`"),
    "r_star_halo": ("f8", (), "scale radius of the stellar halo [kpc]"),
    "spin_axis": ("f8", (3,), "unit vector along the angular momentum of the discs"),
    "sfr": ("f8", (), "[Msun/yr]"),
    "m_hi": ("f8", (), "atomic hydrogen [Msun]"),
    "m_h2": ("f8", (), "molecular hydrogen [Msun]"),
    "r_hi": ("f8", (), "radius of 1 Msun/pc^2 of HI, face-on [kpc]"),
    "m_hot": ("f8", (), "ionised gas within r_trunc [Msun]"),
    "hot_core": ("f8", (), "core radius of the ionised gas [kpc]"),
    "z_gas": ("f8", (), "metal mass fraction of the gas at r_half"),
    "z_gas_gradient": ("f8", (), "[dex/kpc], negative: metal-rich centre"),
    "z_star": ("f8", (), "mean metal mass fraction of the stars"),
    "z_star_gradient": ("f8", (), "[dex/kpc]"),
    "age": ("f8", (), "mass-weighted mean age of the stars [Gyr]"),
    "age_gradient": ("f8", (), "[Gyr/kpc], negative: the centre is older"),
    "sfh_shape": ("f8", (), "s of the ages of old stars, RECENT + (OLDEST - RECENT) Beta(s m, s (1 - m))"),
    "m_bh": ("f8", (), "black hole, 0 for none [Msun]"),
    "gas_dispersion": ("f8", (), "turbulence of the cold gas, one dimension [km/s]"),
    "bar_strength": ("f8", (), "fraction of the disc within bar_length that is in the bar, 0 for none"),
    "bar_length": ("f8", (), "half length [kpc]"),
    "bar_angle": ("f8", (), "position of the bar in the disc plane [rad]"),
    "spiral_amplitude": ("f8", (), "relative density amplitude of the arms"),
    "spiral_arms": ("i4", (), "number of arms"),
    "spiral_pitch": ("f8", (), "pitch angle [deg]"),
    "spiral_phase": ("f8", (), "[rad]"),
    "ring_radius": ("f8", (), "radius of a ring of cold gas [kpc]"),
    "ring_amplitude": ("f8", (), "fraction of the cold gas within 2 ring_radius that is in the ring, 0 for none"),
    "clumpiness": ("f8", (), "fraction of the cold gas that is in complexes"),
    "hole_radius": ("f8", (), "radius of the central hole in the cold gas, 0 for none [kpc]"),
    "warp_radius": ("f8", (), "beyond it the disc leaves the plane [kpc]"),
    "warp_amplitude": ("f8", (), "tilt at twice warp_radius [deg], 0 for none"),
    "warp_node": ("f8", (), "line of nodes [rad]"),
    "lopsidedness": ("f8", (), "relative m = 1 amplitude of the outer gas disc"),
    "lopsided_phase": ("f8", (), "[rad]"),
    "disturbed": ("U16", (), "'' for most; displaced, counter-rotating, tilted or out-of-balance"),
    "n_dm": ("i4", (), "planned dark-matter particles"),
    "n_gas": ("i4", (), "planned gas cells"),
    "n_star": ("i4", (), "planned star particles, wind not included"),
    "n_wind": ("i4", (), "planned wind particles (PartType4 with birth time <= 0)"),
    "n_bh": ("i4", (), "black holes, 0 or 1"),
}


def blank_rows(columns: dict[str, tuple[str, tuple[int, ...], str]], n: int) -> Rows:
    """Zeros for `n` rows of `GROUP_COLUMNS` or `SUBHALO_COLUMNS`."""
    return np.zeros(n, np.dtype([(name, kind, shape) for name, (kind, shape, _) in columns.items()]))


@dataclass(frozen=True)
class Population:
    """All groups and subhaloes of one universe, before any particle exists.

    Parameters
    ----------
    seed : int
    physics : str
    m_dm, m_baryon : float
        Particle masses [Msun].
    groups : ndarray
        Structured, `GROUP_COLUMNS`; in catalogue order (descending planned number of particles).
    subhalos : ndarray
        Structured, `SUBHALO_COLUMNS`; in catalogue order: group by group, the central first, then by descending
        planned number of particles.
    without : tuple of str
        Features that were left out (`galaxies.FEATURES`).
    """

    seed: int
    physics: str
    m_dm: float
    m_baryon: float
    groups: Rows
    subhalos: Rows
    without: tuple[str, ...] = ()

    def members(self, group_id: int) -> np.ndarray:
        """Rows of `subhalos` of one group, central first; empty for a group without subhaloes."""
        first, n = (int(self.groups[group_id][name]) for name in ("first_sub", "n_subs"))
        return self.subhalos[first : first + n] if n else self.subhalos[:0]


def passes(s: Rows) -> np.ndarray:
    """Which rows are planned to pass the selection that `n_galaxies` counts, shape (n,) bool.

    Stellar mass from 1e10 to 1e12 Msun, star-formation rate of at least 0.1 Msun/yr, SubhaloParent = 0, SubhaloFlag
    true (de los Rios et al. 2023).
    """
    mass = (s["m_star"] >= 1e10) & (s["m_star"] <= 1e12)
    return mass & (s["sfr"] >= 0.1) & (s["parent_rank"] == 0) & s["flag"]


def census(population: Population) -> list[tuple[str, int, int | None]]:
    """Kinds of objects, how many there are, and how many of them `passes` keeps (as planned; None for groups)."""
    s, groups = population.subhalos, population.groups
    kinds = {
        "centrals": s["kind"] == "central",
        "satellites (SubhaloParent = 0)": (s["kind"] == "satellite") & (s["parent_rank"] == 0),
        "sub-subhaloes (SubhaloParent > 0)": s["parent_rank"] != 0,
        "fragments (SubhaloFlag false)": s["kind"] == "fragment",
    }
    return [
        ("FoF groups", len(groups), None),
        ("groups without a subhalo", int((groups["n_subs"] == 0).sum()), None),
        *((kind, int(mask.sum()), int((mask & passes(s)).sum())) for kind, mask in kinds.items()),
    ]


def examples(s: Rows) -> dict[str, int]:
    """Galaxies that show the variety of the universe.

    Returns
    -------
    dict of int
        Title -> row, which is the subhalo id: an undisturbed spiral, a barred, a warped, a disturbed and a quenched
        galaxy; of each kind the one with the most star particles below 1.5e11 Msun of stars.
    """
    central = (s["kind"] == "central") & (s["m_star"] < 1.5e11)
    forming = central & ~s["quenched"] & (s["m_hi"] > 2e9) & (s["bulge_fraction"] < 0.5)
    quiet = forming & (s["disturbed"] == "") & (s["warp_amplitude"] < 5.0)
    chosen = {
        "spiral": quiet & (s["bar_strength"] == 0.0) & (s["spiral_amplitude"] > 0.4),
        "barred spiral": quiet & (s["bar_strength"] > 0.3),
        "warped disc": forming & (s["disturbed"] == "") & (s["warp_amplitude"] > 10.0),
        "disturbed": forming & (s["disturbed"] != ""),
        "quenched": central & s["quenched"] & (s["bulge_fraction"] > 0.5),
    }
    return {
        title: int(np.flatnonzero(mask)[np.argmax(s["n_star"][mask])]) for title, mask in chosen.items() if mask.any()
    }
