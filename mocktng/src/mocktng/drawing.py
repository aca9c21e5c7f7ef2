"""Draw the galaxies of a universe: groups, subhaloes, and every number from which their particles are made.

The universe is an ensemble, not a volume: it has the galaxies of a part of the box of TNG100 (Nelson et al. 2019), as
many centrals of each stellar mass and as many satellites of each group as there, up to groups of 2e14 Msun. Their
properties are drawn jointly from the relations of TNG100 (`tng100`, `galaxies`). Groups of which no member passes the
selection take space and teach little: four in five of them are left out. No galaxy of the selection is.

Groups are placed at random in the box, without clustering and without contact. A few objects are planted, so that
every criterion of the selection and every peculiarity of the format occurs: a galaxy above 1e12 Msun, fragments that
only SubhaloFlag removes, sub-subhaloes with SubhaloParent != 0, groups without a subhalo, and a group across the
periodic boundary.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import galaxies, relations, tng100
from .haloes import EDGE
from .population import GROUP_COLUMNS, SUBHALO_COLUMNS, Population, Rows, blank_rows, passes
from .relations import nfw_shape
from .structure import COSMIC_BARYON_FRACTION, SPHEROID_HALF
from .units import BOX_KPC, G

#: Share of the groups without a galaxy of the selection that are left out.
LEFT_OUT = 0.8

#: Most massive group [Msun]. The box of TNG100 has some that are larger; one would take most of the particles.
LARGEST_GROUP = 2e14


def draw(
    n_galaxies: int,
    seed: int = 1,
    physics: str = "fiducial",
    *,
    m_dm: float,
    m_baryon: float,
    without: tuple[str, ...] = (),
) -> Population:
    """Draw the population of one universe.

    Parameters
    ----------
    n_galaxies : int
        Galaxies that pass the selection (`population.passes`); met within a few per cent.
    seed : int
    physics : str
        One of `galaxies.PHYSICS`. The alternative has the same haloes and stellar masses for the same seed; its haloes
        hardly contract and have cores, with half the hot gas and 1.6 times the HI.
    m_dm, m_baryon : float
        Mass of a dark-matter particle; target mass of gas cells and star particles [Msun].
    without : tuple of str
        Features to leave out (`galaxies.FEATURES`); everything else stays the same.

    Returns
    -------
    Population
        The same for the same arguments, on any machine.
    """
    rng = np.random.default_rng([seed, 0])
    s, distance = _galaxies(rng, n_galaxies, physics)
    s, distance = _select_groups(rng, s, distance, n_galaxies)
    _one_of_each_disturbance(s)
    fragments = _fragments(rng, s, n_galaxies)
    s = np.concatenate([s, fragments])
    galaxies.leave_out(s, without)
    _place_in_groups(rng, s, np.concatenate([distance, np.zeros(fragments.size)]))
    galaxies.count_particles(s, m_dm, m_baryon)
    groups, s = _catalogue_order(rng, s, n_galaxies, m_dm)
    candidates = s[(s["rank"] == 0) & passes(s) & ~s["quenched"] & (s["disturbed"] == "")]["group_id"]
    if not candidates.size:  # a few galaxies may all be disturbed
        candidates = s[s["rank"] == 0]["group_id"]
    groups["position"] = _place_in_box(rng, groups["r200"], across=candidates[candidates.size // 3])
    return Population(seed, physics, m_dm, m_baryon, groups, s, without)


def vary(population: Population, physics: str) -> Population:
    """The same groups and subhaloes of a fiducial population, in the same order, with other physics.

    Unlike `draw` with these physics, it changes nothing else: no galaxy is exchanged, and groups keep their numbers and
    so the seeds of their particles. Two such universes can be compared galaxy by galaxy. Groups are no longer in the
    order of their size, as the catalogue of a tree must be.

    Parameters
    ----------
    population : Population
        With the fiducial physics.
    physics : str
        One of `galaxies.PHYSICS`.
    """
    s, groups = population.subhalos.copy(), population.groups.copy()
    real = s["kind"] != "fragment"
    changed, before = s[real], s["m_dm"][real].copy()
    galaxies.change_physics(np.random.default_rng([population.seed, 4]), changed, physics)
    # The bound part of a heavier halo ends where it did in units of r200; a satellite is stripped at the same radius.
    changed["r_trunc"] *= np.where(changed["kind"] == "central", np.cbrt(changed["m_dm"] / before), 1.0)
    s[real] = changed
    galaxies.count_particles(s, population.m_dm, population.m_baryon)
    centrals = s[s["kind"] == "central"]
    heavier = centrals["m200"] / population.subhalos["m200"][s["kind"] == "central"]
    owner = centrals["group_id"]
    groups["m200"][owner], groups["r200"][owner] = centrals["m200"], centrals["r200"]
    groups["n_dm_fuzz"][owner] = np.rint(groups["n_dm_fuzz"][owner] * heavier)
    return replace(population, physics=physics, groups=groups, subhalos=s)


def _galaxies(rng: np.random.Generator, n_galaxies: int, physics: str) -> tuple[Rows, np.ndarray]:
    """More groups than needed: centrals and satellites with all properties, and distances from the centre in r200."""
    n = 3 * n_galaxies + 10
    centrals = _blank(n, "central")
    centrals["group_id"], centrals["m_star"] = np.arange(n), tng100.central_stellar_masses(rng, n)
    centrals["m_star"][0] = 1.1e12
    found = galaxies.draw_catalogue(rng, centrals, np.zeros(n))
    centrals["quenched"][0], centrals["sfr"][0] = True, max(centrals["sfr"][0], 0.5)
    # Bound dark matter is 0.99 of M200 in the median of the centrals of TNG100.
    m_host = centrals["m_dm"] / 0.99
    number = np.where(m_host > LARGEST_GROUP, 0, tng100.satellite_numbers(rng, m_host))
    number[0] = max(min(int(number[0]), 3 + n_galaxies // 20), 1)
    owner = np.repeat(np.arange(n), number)
    members = _blank(owner.size, "satellite")
    members["group_id"] = owner
    drawn = tng100.satellite_stellar_masses(rng, m_host[owner])
    # A satellite heavier than its central would be the central.
    limit = rng.uniform(0.3, 0.9, owner.size) * centrals["m_star"][owner]
    members["m_star"] = np.where(drawn < 0.9 * centrals["m_star"][owner], drawn, limit)
    for name, values in galaxies.draw_catalogue(rng, members, m_host[owner]).items():
        found[name] = np.concatenate([found[name], values])
    # Nor has it more dark matter or gas; what it had at infall stays.
    members["m_dm"] = np.minimum(members["m_dm"], 0.5 * centrals["m_dm"][owner])
    found["m_gas"][n:] = np.minimum(found["m_gas"][n:], 0.5 * found["m_gas"][owner])
    _choose_nested(rng, members, n_galaxies)
    s = np.concatenate([centrals, members])
    galaxies.draw_gas(rng, s, found)
    galaxies.draw_structure(rng, s, found)
    galaxies.change_physics(rng, s, physics)
    galaxies.draw_populations(rng, s, found)
    galaxies.draw_asymmetries(rng, s)
    fits = m_host[s["group_id"]] <= LARGEST_GROUP
    return s[fits], found["distance"][fits]


def _choose_nested(rng: np.random.Generator, members: Rows, n_galaxies: int) -> None:
    """Mark the satellites that are bound to the most massive satellite of their group, as often as in TNG100.

    The first of them pass the selection but for this, so that a small universe has some.
    """
    heaviest = np.zeros(members.size, dtype=bool)
    order = np.lexsort((-members["m_star"], members["group_id"]))
    heaviest[order[np.r_[True, np.diff(members["group_id"][order]) > 0]]] = True
    nested = ~heaviest & (rng.random(members.size) < tng100.table()["members"]["nested"])
    early = np.flatnonzero(~heaviest & (members["group_id"] < n_galaxies))[:2]
    nested[early] = True
    members["parent_rank"] = nested
    members["m_star"][early] = np.maximum(members["m_star"][early], 1.3e10)
    members["sfr"][early] = np.maximum(members["sfr"][early], 0.2)
    members["quenched"][early] = False


def _blank(n: int, kind: str) -> Rows:
    s = blank_rows(SUBHALO_COLUMNS, n)
    s["kind"], s["flag"] = kind, kind != "fragment"
    return s


def _select_groups(rng: np.random.Generator, s: Rows, distance: np.ndarray, n_galaxies: int) -> tuple[Rows, np.ndarray]:
    """Leave out most groups without a galaxy of the selection, and all groups beyond the wanted number of galaxies."""
    n_hosts = s["group_id"].max() + 1
    selected = np.bincount(s["group_id"], weights=passes(s), minlength=n_hosts)
    kept = (selected > 0) | (rng.random(n_hosts) > LEFT_OUT)
    kept[s["group_id"][s["parent_rank"] != 0][:2]] = kept[0] = True
    kept &= np.arange(n_hosts) <= np.searchsorted(np.cumsum(selected), n_galaxies)
    mine = kept[s["group_id"]]
    s, distance = s[mine], distance[mine]
    s["group_id"] = np.unique(s["group_id"], return_inverse=True)[1]
    return s, distance


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
    f["r_star_halo"] = galaxies.STELLAR_HALO_SIZE * f["r_half"] / SPHEROID_HALF
    f["bulge_fraction"] = 1.0
    f["r_bulge"] = f["r_half"] / SPHEROID_HALF
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


def _place_in_groups(rng: np.random.Generator, s: Rows, distance: np.ndarray) -> None:
    """Position and velocity of each subhalo in its group, and the extent of its own matter.

    Satellites are at the distances, in r200 of the host, that were drawn with their other properties. Their velocity
    dispersion in each direction is 0.7 of the circular speed at r200, below escape. Their haloes end where the bound
    dark matter is reached. Fragments move with the disc they are in.
    """
    row_of_central = np.full(s["group_id"].max() + 1, -1)
    centrals = np.flatnonzero(s["kind"] == "central")
    row_of_central[s["group_id"][centrals]] = centrals
    host = s[row_of_central[s["group_id"]]]
    n = s.size
    satellite, fragment = s["kind"] == "satellite", s["kind"] == "fragment"
    v200 = np.sqrt(G * host["m200"] / host["r200"])
    velocity = np.clip(rng.normal(0.0, 0.7, (n, 3)), -1.2, 1.2) * v200[:, None]
    place = galaxies.directions(rng, n) * (np.clip(distance, 0.08, 1.8) * host["r200"])[:, None]
    s["offset"][satellite], s["velocity_offset"][satellite] = place[satellite], velocity[satellite]
    _bind_pairs(rng, s)
    _put_fragments(rng, s, host, fragment)
    s["m_dm"] = np.where(fragment, (1.0 - COSMIC_BARYON_FRACTION) * 0.02 * s["m_star"], s["m_dm"])
    s["r_trunc"] = np.where(fragment, 3.0 * s["r_half"], EDGE * s["r200"])
    kept = s["m_dm"] / ((1.0 - COSMIC_BARYON_FRACTION) * s["m200"])
    s["r_trunc"][satellite] = _truncation(s[satellite], kept[satellite])


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
