"""Which galaxies the embedded universe holds: groups, subhaloes, and every number that their particles are made from.

An ensemble, not a volume. Host haloes follow the mass function of Tinker et al. (2008) between 10^11.3 and 10^13.0
Msun: below, no central comes near the 1e10 Msun of stars that the selection asks for; above, a few haloes would take
most of the particles. Hosts are thinned towards both ends, by (M/10^11.7)^2 below 10^11.7 Msun and by
(M/10^12.5)^-0.6 above 10^12.5 Msun, and of the hosts of quenched centrals every second is left out: they would take
half of all particles and be dropped by the selection. At given mass and kind, nothing else is left out.

Groups are put into the box at random, without clustering and without touching. A number of objects is planted, so that
every row of the selection and every trap of the format has something to bite on: a galaxy above 1e12 Msun, fragments
that only SubhaloFlag removes, sub-subhaloes with SubhaloParent != 0, groups without a subhalo, and a group across the
periodic boundary.

All lengths kpc, masses Msun, velocities km/s, times Gyr, physical and without h; z = 0. The columns of
`Population.groups` and `Population.subhalos` are listed, with their meaning, in `GROUP_COLUMNS` and `SUBHALO_COLUMNS`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...settings import Profile
from . import galaxies, relations
from .placement import BOX_KPC, EDGE, parent_of, place_in_box, place_in_groups

__all__ = ["BOX_KPC", "EDGE", "GROUP_COLUMNS", "SUBHALO_COLUMNS", "Population", "draw", "passes"]

#: name -> (dtype, shape, meaning) of a column of `Population.groups`
GROUP_COLUMNS = {
    "group_id": ("i4", (), "row"),
    "m200": ("f8", (), "mass within r200 of the halo in a run with gravity only [Msun]"),
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
    "m200": ("f8", (), "mass within r200 in a run with gravity only; of a satellite: at infall [Msun]"),
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
    "disturbed": ("U16", (), "'' for most; displaced, counter-rotating, tilted or out-of-balance"),
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


def passes(subhalos: np.ndarray) -> np.ndarray:
    """Which rows pass the paper's selection, as planned: mass, star formation, SubhaloParent = 0, SubhaloFlag."""
    s = subhalos
    mass = (s["m_star"] >= 1e10) & (s["m_star"] <= 1e12)
    return mass & (s["sfr"] >= 0.1) & (s["parent_rank"] == 0) & s["flag"]


def draw(profile: Profile, seed: int, physics: str = "fiducial") -> Population:
    """Draw the population of one embedded universe.

    Parameters
    ----------
    profile : Profile
    seed : int
    physics : {"fiducial", "alternative"}
        The alternative shares haloes and stellar masses with the fiducial one, seed for seed; its haloes hardly
        contract and have cores, and it has half the hot gas and 1.6 times the HI (`galaxies.PHYSICS`).

    Returns
    -------
    Population
        The same for the same arguments, on any machine and with any number of workers.
    """
    rng = np.random.default_rng([seed, 0])
    hosts, members = _hosts_and_members(rng, profile)
    s = np.concatenate([hosts, members])
    _draw_galaxies(rng, s, physics)
    s = _thin(rng, s, profile)
    _one_of_each_disturbance(s)
    s = np.concatenate([s, _fragments(rng, s, profile)])
    place_in_groups(rng, s)
    galaxies.plan_counts(s, profile.m_dm, profile.m_baryon)
    groups, s = _catalogue_order(rng, s, profile)
    candidates = s[(s["rank"] == 0) & passes(s) & ~s["quenched"] & (s["disturbed"] == "")]["group_id"]
    groups["position"] = place_in_box(rng, groups["r200"], across=candidates[candidates.size // 3])
    name = f"embedded-{profile.name}" + ("" if physics == "fiducial" else f"-{physics}")
    return Population(name, seed, physics, profile.m_dm, profile.m_baryon, groups, s)


#: log10 of the host masses [Msun].
HOST_RANGE = (11.3, 13.0)

#: Fraction of the hosts of quenched centrals that are left out.
QUENCHED_LEFT_OUT = 0.5

#: Satellites: smallest mass at infall [Msun]; number, slope and cut-off of their mass function.
SATELLITE_MINIMUM = 1.5e11
_SATELLITES = (0.10, 0.9, 0.4)


def _host_masses(rng, n):
    """Masses of `n` hosts, in random order."""
    log_m = np.linspace(*HOST_RANGE, 400)
    thinned = np.minimum(1.0, 10 ** (2.0 * (log_m - 11.7))) * np.minimum(1.0, 10 ** (-0.6 * (log_m - 12.5)))
    weight = relations.mass_function(10**log_m) * thinned
    cdf = np.concatenate([[0.0], np.cumsum(0.5 * (weight[1:] + weight[:-1]))])
    return 10 ** np.interp(rng.random(n), cdf / cdf[-1], log_m)


def _satellite_masses(rng, m_host):
    """Infall masses of the surviving satellites of one host.

    dN/dln(x) = 0.10 x^-0.9 exp(-(x/0.4)^3) with x = m/m_host: the slope of subhaloes in simulations (Gao et al. 2004),
    the number and the cut-off near equal mass our own choice.
    """
    number, slope, cut = _SATELLITES
    x = np.geomspace(SATELLITE_MINIMUM / m_host, 0.7, 200)
    if x[0] >= 0.5:
        return np.empty(0)
    density = number * x**-slope * np.exp(-((x / cut) ** 3))
    cumulative = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(np.log(x)))])
    drawn = np.sort(rng.random(rng.poisson(cumulative[-1])))[::-1]
    return m_host * np.exp(np.interp(drawn, cumulative / cumulative[-1], np.log(x)))


def _planted_pairs(profile):
    """Groups that get a sub-subhalo massive enough for the selection to see it."""
    return max(2, profile.n_galaxies // 80)


def _hosts_and_members(rng, profile):
    """More hosts than can be needed, and their satellites; masses, kinds and parents only."""
    n = 3 * profile.n_galaxies
    m_host = _host_masses(rng, n)
    # The planted ones: host 0 holds the galaxy above 1e12 Msun, the next have sub-subhaloes massive enough to count.
    n_nested = _planted_pairs(profile)
    m_host[0] = 3e13
    m_host[1 : 1 + n_nested] = 10 ** rng.uniform(12.4, 12.8, n_nested)
    masses, owner, parent = [], [], []
    for i, m in enumerate(m_host):
        infall = _satellite_masses(rng, m)
        ranks = np.zeros(infall.size, dtype=int)
        if 1 <= i <= n_nested:
            # A pair: the second is bound to the first, which stands first among the satellites. See `placement`.
            infall = np.concatenate([[0.25 * m, min(7e11, 0.2 * m)], infall[infall < 0.2 * m]])
            ranks = np.zeros(infall.size, dtype=int)
            ranks[1] = 1
        masses.append(infall)
        owner.append(np.full(infall.size, i))
        parent.append(ranks)
    hosts = _blank(n, "central")
    hosts["group_id"], hosts["m200"] = np.arange(n), m_host
    members = _blank(sum(map(len, masses)), "satellite")
    members["group_id"], members["m200"] = np.concatenate(owner), np.concatenate(masses)
    members["parent_rank"] = np.concatenate(parent)
    return hosts, members


def _blank(n, kind):
    s = np.zeros(n, dtype=_dtype(SUBHALO_COLUMNS))
    s["kind"], s["flag"] = kind, kind != "fragment"
    return s


def _draw_galaxies(rng, s, physics):
    """All properties that follow from mass and kind."""
    residual = galaxies.draw_dark_halo(rng, s, physics)
    galaxies.draw_stars(rng, s, residual)
    planted = (s["group_id"] == 0) & (s["kind"] == "central")
    s["m_star"][planted], s["quenched"][planted] = 1.1e12, True
    nested = s["parent_rank"] != 0
    s["m_star"][nested], s["quenched"][nested] = np.maximum(s["m_star"][nested], 1.3e10), False
    galaxies.draw_gas(rng, s, physics)
    s["sfr"][planted] = np.maximum(s["sfr"][planted], 0.5)
    s["sfr"][nested] = np.maximum(s["sfr"][nested], 0.2)
    galaxies.draw_structure(rng, s, physics)
    galaxies.draw_populations(rng, s)
    galaxies.draw_asymmetries(rng, s)


def _thin(rng, s, profile):
    """Leave out hosts of quenched centrals, the planted ones excepted, and all beyond the wanted number of galaxies."""
    n_hosts = s["group_id"].max() + 1
    dropped = np.zeros(n_hosts, dtype=bool)
    central = s["kind"] == "central"
    dropped[s["group_id"][central]] = s["quenched"][central] & (rng.random(n_hosts) < QUENCHED_LEFT_OUT)
    dropped[: 1 + _planted_pairs(profile)] = False
    s = s[~dropped[s["group_id"]]]
    counts = np.cumsum(np.bincount(s["group_id"], weights=passes(s)))
    s = s[s["group_id"] <= np.searchsorted(counts, profile.n_galaxies)]
    s["group_id"] = np.unique(s["group_id"], return_inverse=True)[1]
    return s


def _one_of_each_disturbance(s):
    """In a small universe chance may leave a kind out; give it to a gas-rich galaxy that has none."""
    rich = (s["kind"] == "central") & passes(s) & (s["m_hi"] > 4e9)
    for kind in galaxies.DISTURBANCES:
        calm = np.flatnonzero(rich & (s["disturbed"] == ""))
        if not (rich & (s["disturbed"] == kind)).any() and calm.size:
            s["disturbed"][calm[calm.size // 2]] = kind


def _fragments(rng, s, profile):
    """Clumps of stars and gas in large discs that Subfind lists and SubhaloFlag tells from galaxies.

    A third are above 1e10 Msun and form stars, so that only the flag removes them.
    """
    n = max(3, profile.n_galaxies // 35)
    fit = np.flatnonzero((s["kind"] == "central") & ~s["quenched"] & (s["m_star"] > 4e10) & (s["m_star"] < 5e11))
    host = s[rng.choice(fit, min(n, fit.size), replace=False)]
    n = host.size
    f = _blank(n, "fragment")
    massive = np.arange(n) < max(1, n // 3)
    f["group_id"] = host["group_id"]
    f["m_star"] = np.where(massive, rng.uniform(1.05e10, 1.4e10, n), 10 ** rng.uniform(8.8, 9.6, n))
    f["m_hi"], f["m_h2"] = 0.10 * f["m_star"], 0.05 * f["m_star"]
    f["r_hi"] = 0.5 * relations.hi_radius(f["m_hi"])
    f["sfr"] = f["m_h2"] / 1.5e9
    f["m200"] = 1.05 * f["m_star"]
    f["r200"] = relations.r200_of(f["m200"])
    f["c200"] = 10.0
    f["axis_ratios"] = 1.0
    f["halo_axes"] = np.eye(3)
    f["r_half"] = rng.uniform(0.8, 1.4, n)
    f["bulge_fraction"] = 1.0
    f["r_bulge"] = f["r_half"] / (1.0 + np.sqrt(2.0))
    f["r_disc"] = f["r_half"]
    f["h_disc"] = 0.3 * f["r_disc"]
    f["spin_axis"] = host["spin_axis"]
    for name in ("z_gas", "z_star", "gas_dispersion"):
        f[name] = host[name]
    f["age"], f["sfh_shape"] = 3.0, 4.0
    f["spiral_arms"] = 2
    f["warp_radius"] = f["bar_length"] = f["r_hi"]
    return f


def _size(s):
    return sum(s[name].astype(np.int64) for name in ("n_dm", "n_gas", "n_star", "n_wind", "n_bh"))


def _catalogue_order(rng, s, profile):
    """Groups by descending planned size; in a group the central first, then by descending planned size."""
    n_full = s["group_id"].max() + 1
    n_empty = max(3, profile.n_galaxies // 40)
    groups = np.zeros(n_full + n_empty, dtype=_dtype(GROUP_COLUMNS))
    central = s["kind"] == "central"
    owner = s["group_id"][central]
    groups["m200"][owner] = s["m200"][central]
    # Unbound matter: some four per cent of the central's own, as the outskirts that Subfind leaves out.
    for fuzz, own in (("n_dm_fuzz", "n_dm"), ("n_gas_fuzz", "n_gas")):
        groups[fuzz][owner] = np.rint(s[own][central] * rng.uniform(0.02, 0.06, owner.size))
    # Groups that FoF finds and in which nothing is bound.
    groups["n_dm_fuzz"][n_full:] = rng.integers(35, 70, n_empty)
    groups["m200"][n_full:] = groups["n_dm_fuzz"][n_full:] * profile.m_dm
    groups["r200"] = relations.r200_of(groups["m200"])
    groups["velocity"] = rng.normal(0.0, 200.0, (len(groups), 3))
    size = np.bincount(s["group_id"], weights=_size(s), minlength=len(groups))
    size += groups["n_dm_fuzz"] + groups["n_gas_fuzz"]
    order = np.argsort(-size, kind="stable")
    place = np.empty(len(groups), dtype=int)
    place[order] = np.arange(len(groups))
    groups = groups[order]
    groups["group_id"] = np.arange(len(groups))
    s["group_id"] = place[s["group_id"]]
    s = s[np.lexsort((-_size(s), s["kind"] != "central", s["group_id"]))]
    groups["n_subs"] = np.bincount(s["group_id"], minlength=len(groups))
    first = np.concatenate([[0], np.cumsum(groups["n_subs"])[:-1]])
    groups["first_sub"] = np.where(groups["n_subs"] > 0, first, -1)
    s["rank"] = np.arange(s.size) - first[s["group_id"]]
    for row in np.flatnonzero(s["parent_rank"] != 0):
        s["parent_rank"][row] = s["rank"][parent_of(s, row)]
    return groups, s
