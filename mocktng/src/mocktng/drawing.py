"""Draw the galaxies of a universe: groups, subhaloes, and every number from which their particles are made.

The universe is an ensemble, not a volume. Host haloes follow the mass function of Tinker et al. (2008) between 10^11.3
and 10^13.0 Msun: below, no central has the 1e10 Msun of stars that the selection requires; above, a few haloes would
take most of the particles. Hosts are thinned towards both ends, by (M/10^11.7)^2 below 10^11.7 Msun and by
(M/10^12.5)^-0.6 above 10^12.5 Msun. Half of the hosts of quenched centrals are left out: they would take half of all
particles and then fail the selection. At given mass and kind, nothing else is left out.

Groups are placed at random in the box, without clustering and without contact. A few objects are planted, so that
every criterion of the selection and every peculiarity of the format occurs: a galaxy above 1e12 Msun, fragments that
only SubhaloFlag removes, sub-subhaloes with SubhaloParent != 0, groups without a subhalo, and a group across the
periodic boundary.
"""

from __future__ import annotations

import numpy as np

from . import galaxies, relations
from .population import GROUP_COLUMNS, SUBHALO_COLUMNS, Population, Rows, blank_rows, passes
from .relations import nfw_shape
from .units import BARYON_FRACTION, BOX_KPC, G

#: log10 of the host masses [Msun].
HOST_RANGE = (11.3, 13.0)

#: Fraction of the hosts of quenched centrals that is left out.
QUENCHED_LEFT_OUT = 0.5

#: Satellites: least mass at infall [Msun]; number, slope and cut-off of their mass function.
SATELLITE_MINIMUM = 1.5e11
_SATELLITES = (0.10, 0.9, 0.4)

#: Bound particles of centrals extend to this multiple of r200.
EDGE = 1.3


def draw(n_galaxies: int, seed: int = 1, physics: str = "fiducial", *, m_dm: float, m_baryon: float) -> Population:
    """Draw the population of one universe.

    Parameters
    ----------
    n_galaxies : int
        Galaxies that pass the selection (`population.passes`); met within a few per cent.
    seed : int
    physics : {"fiducial", "alternative"}
        The alternative has the same haloes and stellar masses for the same seed; its haloes hardly contract and have
        cores, with half the hot gas and 1.6 times the HI (`galaxies.PHYSICS`).
    m_dm, m_baryon : float
        Mass of a dark-matter particle; target mass of gas cells and star particles [Msun].

    Returns
    -------
    Population
        The same for the same arguments, on any machine.
    """
    rng = np.random.default_rng([seed, 0])
    hosts, members = _hosts_and_members(rng, n_galaxies)
    s = np.concatenate([hosts, members])
    _draw_galaxies(rng, s, physics)
    s = _thin(rng, s, n_galaxies)
    _one_of_each_disturbance(s)
    s = np.concatenate([s, _fragments(rng, s, n_galaxies)])
    _place_in_groups(rng, s)
    galaxies.count_particles(s, m_dm, m_baryon)
    groups, s = _catalogue_order(rng, s, n_galaxies, m_dm)
    candidates = s[(s["rank"] == 0) & passes(s) & ~s["quenched"] & (s["disturbed"] == "")]["group_id"]
    groups["position"] = _place_in_box(rng, groups["r200"], across=candidates[candidates.size // 3])
    return Population(seed, physics, m_dm, m_baryon, groups, s)


def _host_masses(rng: np.random.Generator, n: int) -> np.ndarray:
    """Masses of `n` hosts, in random order."""
    log_m = np.linspace(*HOST_RANGE, 400)
    thinned = np.minimum(1.0, 10 ** (2.0 * (log_m - 11.7))) * np.minimum(1.0, 10 ** (-0.6 * (log_m - 12.5)))
    weight = relations.mass_function(10**log_m) * thinned
    cdf = np.concatenate([[0.0], np.cumsum(0.5 * (weight[1:] + weight[:-1]))])
    return 10 ** np.interp(rng.random(n), cdf / cdf[-1], log_m)


def _satellite_masses(rng: np.random.Generator, m_host: float) -> np.ndarray:
    """Infall masses of the surviving satellites of one host.

    dN/dln(x) = 0.10 x^-0.9 exp(-(x/0.4)^3) with x = m/m_host: the slope is that of subhaloes in simulations (Gao et al.
    2004), the number and the cut-off near equal mass are our choice.
    """
    number, slope, cut = _SATELLITES
    x = np.geomspace(SATELLITE_MINIMUM / m_host, 0.7, 200)
    if x[0] >= 0.5:
        return np.empty(0)
    density = number * x**-slope * np.exp(-((x / cut) ** 3))
    cumulative = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(np.log(x)))])
    drawn = np.sort(rng.random(rng.poisson(cumulative[-1])))[::-1]
    return m_host * np.exp(np.interp(drawn, cumulative / cumulative[-1], np.log(x)))


def _planted_pairs(n_galaxies: int) -> int:
    """Count the groups with a sub-subhalo massive enough for the selection."""
    return max(2, n_galaxies // 80)


def _hosts_and_members(rng: np.random.Generator, n_galaxies: int) -> tuple[Rows, Rows]:
    """More hosts than needed, and their satellites: masses, kinds and parents only."""
    n = 3 * n_galaxies
    m_host = _host_masses(rng, n)
    # Planted: host 0 has the galaxy above 1e12 Msun, the next ones have massive sub-subhaloes.
    n_nested = _planted_pairs(n_galaxies)
    m_host[0] = 3e13
    m_host[1 : 1 + n_nested] = 10 ** rng.uniform(12.4, 12.8, n_nested)
    masses, owner, parent = [], [], []
    for i, m in enumerate(m_host):
        infall = _satellite_masses(rng, m)
        ranks = np.zeros(infall.size, dtype=int)
        if 1 <= i <= n_nested:
            # A pair: the second is bound to the first, which is the first of the satellites.
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


def _blank(n: int, kind: str) -> Rows:
    s = blank_rows(SUBHALO_COLUMNS, n)
    s["kind"], s["flag"] = kind, kind != "fragment"
    return s


def _draw_galaxies(rng: np.random.Generator, s: Rows, physics: str) -> None:
    """Draw all properties at given mass and kind."""
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


def _thin(rng: np.random.Generator, s: Rows, n_galaxies: int) -> Rows:
    """Leave out hosts of quenched centrals, except planted ones, and all hosts beyond the wanted number of galaxies."""
    n_hosts = s["group_id"].max() + 1
    dropped = np.zeros(n_hosts, dtype=bool)
    central = s["kind"] == "central"
    dropped[s["group_id"][central]] = s["quenched"][central] & (rng.random(n_hosts) < QUENCHED_LEFT_OUT)
    dropped[: 1 + _planted_pairs(n_galaxies)] = False
    s = s[~dropped[s["group_id"]]]
    counts = np.cumsum(np.bincount(s["group_id"], weights=passes(s)))
    s = s[s["group_id"] <= np.searchsorted(counts, n_galaxies)]
    s["group_id"] = np.unique(s["group_id"], return_inverse=True)[1]
    return s


def _one_of_each_disturbance(s: Rows) -> None:
    """In a small universe a kind may be missing by chance; give it to an undisturbed gas-rich galaxy."""
    rich = (s["kind"] == "central") & passes(s) & (s["m_hi"] > 4e9)
    for kind in galaxies.DISTURBANCES:
        calm = np.flatnonzero(rich & (s["disturbed"] == ""))
        if not (rich & (s["disturbed"] == kind)).any() and calm.size:
            s["disturbed"][calm[calm.size // 2]] = kind


def _fragments(rng: np.random.Generator, s: Rows, n_galaxies: int) -> Rows:
    """Clumps of stars and gas in large discs, which Subfind lists and SubhaloFlag marks as not cosmological.

    A third of them are above 1e10 Msun and form stars, so that only the flag removes them.
    """
    n = max(3, n_galaxies // 35)
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


def _size(s: Rows) -> np.ndarray:
    return np.sum([s[name].astype(np.int64) for name in ("n_dm", "n_gas", "n_star", "n_wind", "n_bh")], axis=0)


def _catalogue_order(rng: np.random.Generator, s: Rows, n_galaxies: int, m_dm: float) -> tuple[Rows, Rows]:
    """Order groups by descending planned size; in a group the central first, then by descending planned size."""
    n_full = s["group_id"].max() + 1
    n_empty = max(3, n_galaxies // 40)
    groups = blank_rows(GROUP_COLUMNS, n_full + n_empty)
    central = s["kind"] == "central"
    owner = s["group_id"][central]
    groups["m200"][owner] = s["m200"][central]
    # Unbound matter: about four per cent of the central's own, as the outskirts that Subfind does not assign.
    for fuzz, own in (("n_dm_fuzz", "n_dm"), ("n_gas_fuzz", "n_gas")):
        groups[fuzz][owner] = np.rint(s[own][central] * rng.uniform(0.02, 0.06, owner.size))
    # Groups found by FoF in which nothing is bound.
    groups["n_dm_fuzz"][n_full:] = rng.integers(35, 70, n_empty)
    groups["m200"][n_full:] = groups["n_dm_fuzz"][n_full:] * m_dm
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
        s["parent_rank"][row] = s["rank"][_parent_of(s, int(row))]
    return groups, s


def _place_in_groups(rng: np.random.Generator, s: Rows) -> None:
    """Position and velocity of each subhalo in its group, and the extent of its own matter.

    Satellites are distributed as the dark matter of their host with half its concentration (subhaloes avoid the
    centre), between 0.1 and 1 r200. Their velocity dispersion in each direction is 0.7 of the circular speed at r200,
    below escape. They retain less dark matter the nearer they are. Fragments move with the disc they are in.
    """
    row_of_central = np.full(s["group_id"].max() + 1, -1)
    centrals = np.flatnonzero(s["kind"] == "central")
    row_of_central[s["group_id"][centrals]] = centrals
    host = s[row_of_central[s["group_id"]]]
    n = s.size
    satellite, fragment = s["kind"] == "satellite", s["kind"] == "fragment"
    x = np.linspace(0.1, 1.0, 100)
    shape = nfw_shape(x[None, :] * 0.5 * host["c200"][:, None])
    shape = (shape - shape[:, :1]) / (shape[:, -1:] - shape[:, :1])
    draw = rng.random(n)
    fraction = np.array([np.interp(u, cdf, x) for u, cdf in zip(draw, shape, strict=True)])
    v200 = np.sqrt(G * host["m200"] / host["r200"])
    velocity = np.clip(rng.normal(0.0, 0.7, (n, 3)), -1.2, 1.2) * v200[:, None]
    place = galaxies.directions(rng, n) * (fraction * host["r200"])[:, None]
    s["offset"][satellite], s["velocity_offset"][satellite] = place[satellite], velocity[satellite]
    kept = np.clip((0.12 + 0.7 * fraction**0.8) * galaxies.dex(rng, 0.15, n), 0.08, 0.9)
    _bind_pairs(rng, s)
    _put_fragments(rng, s, host, fragment)
    c = s["c200"]
    s["r_trunc"] = np.where(fragment, 3.0 * s["r_half"], EDGE * s["r200"])
    s["r_trunc"][satellite] = _truncation(s[satellite], kept[satellite])
    enclosed = s["m200"] * nfw_shape(c * s["r_trunc"] / s["r200"]) / nfw_shape(c)
    s["m_dm"] = (1.0 - BARYON_FRACTION) * np.where(fragment, 0.02 * s["m_star"], enclosed)


def _truncation(s: Rows, kept: np.ndarray) -> np.ndarray:
    """Radius that encloses the fraction `kept` of a satellite's halo; at least four half-mass radii of its stars."""
    x = np.geomspace(1e-3, 1.0, 200)
    shape = nfw_shape(x[None, :] * s["c200"][:, None]) / nfw_shape(s["c200"])[:, None]
    radius = np.array([np.interp(k, mass, x) for k, mass in zip(kept, shape, strict=True)]) * s["r200"]
    return np.maximum(radius, 4.0 * s["r_half"])


def _parent_of(s: Rows, row: int) -> int:
    """Row of the parent of a sub-subhalo: the most massive satellite of its group that is bound to the host."""
    mates = np.flatnonzero((s["group_id"] == s["group_id"][row]) & (s["kind"] == "satellite") & (s["parent_rank"] == 0))
    return int(mates[np.argmax(s["m200"][mates])])


def _bind_pairs(rng: np.random.Generator, s: Rows) -> None:
    """Put each sub-subhalo beside its parent, the most massive satellite of the group, moving with it."""
    for row in np.flatnonzero(s["parent_rank"] != 0):
        parent = _parent_of(s, int(row))
        s["offset"][row] = s["offset"][parent] + galaxies.directions(rng, 1)[0] * 0.35 * s["r200"][parent]
        slow = 0.4 * np.sqrt(G * s["m200"][parent] / s["r200"][parent])
        s["velocity_offset"][row] = s["velocity_offset"][parent] + rng.normal(0.0, slow, 3)


def _put_fragments(rng: np.random.Generator, s: Rows, host: Rows, fragment: Rows) -> None:
    """Put fragments in the plane of the host's disc at 1.5 to 3 scale lengths, on circular orbits."""
    n = s.size
    side = np.cross(host["spin_axis"], galaxies.directions(rng, n))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    radius = rng.uniform(1.5, 3.0, n) * host["r_disc"]
    halo = host["m200"] * nfw_shape(host["c200"] * radius / host["r200"]) / nfw_shape(host["c200"])
    speed = np.sqrt(G * (halo + 0.7 * host["m_star"]) / radius)
    s["offset"][fragment] = (radius[:, None] * side)[fragment]
    s["velocity_offset"][fragment] = (speed[:, None] * np.cross(host["spin_axis"], side))[fragment]


def _place_in_box(rng: np.random.Generator, r200: np.ndarray, across: int) -> np.ndarray:
    """Random positions in the box, with no two groups overlapping within 2 r200.

    Parameters
    ----------
    rng : numpy.random.Generator
    r200 : ndarray, shape (n,)
        [kpc]
    across : int
        Group to put at an edge of the box, so that two faces cut its central galaxy.

    Returns
    -------
    ndarray, shape (n, 3)
        [kpc], in [0, BOX_KPC).
    """
    reach = 2.0 * r200
    placed = np.empty((r200.size, 3))
    for i in range(r200.size):
        while True:
            trial = rng.random(3) * BOX_KPC
            if i == 0:
                trial[:2] = 6.0, BOX_KPC - 9.0
            gap = placed[:i] - trial
            gap -= BOX_KPC * np.round(gap / BOX_KPC)
            if (np.linalg.norm(gap, axis=1) > reach[:i] + reach.max()).all():
                break
        placed[i] = trial
    placed[[0, across]] = placed[[across, 0]]
    return placed
