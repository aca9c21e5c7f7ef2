"""Where subhaloes lie in their groups and groups in the box, how they move, and how far their matter reaches."""

from __future__ import annotations

import numpy as np

from ...units import BOX_TNG100, HUBBLE, G
from . import galaxies
from .galaxies import BARYON_FRACTION, nfw_shape

#: Side of the periodic box [kpc]
BOX_KPC = BOX_TNG100 / HUBBLE

#: Centrals reach out to this multiple of r200 with particles that count as bound.
EDGE = 1.3


def place_in_groups(rng, s):
    """Where each subhalo is in its group, how it moves, and how far its own matter reaches.

    Satellites are distributed as the dark matter of their host with half its concentration (subhaloes avoid the
    centre), between 0.1 and 1 r200, and move at 0.7 of the circular speed of r200 in each direction, below escape. They
    keep the less dark matter the nearer they are. Fragments move with the disc they are in.
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


def _truncation(s, kept):
    """Radius within which a satellite's halo has `kept` of its mass; at least four half-mass radii of its stars."""
    x = np.geomspace(1e-3, 1.0, 200)
    shape = nfw_shape(x[None, :] * s["c200"][:, None]) / nfw_shape(s["c200"])[:, None]
    radius = np.array([np.interp(k, mass, x) for k, mass in zip(kept, shape, strict=True)]) * s["r200"]
    return np.maximum(radius, 4.0 * s["r_half"])


def parent_of(s, row: int) -> int:
    """Row of the satellite that a sub-subhalo is bound to: the most massive of its group that is bound to the host."""
    mates = np.flatnonzero((s["group_id"] == s["group_id"][row]) & (s["kind"] == "satellite") & (s["parent_rank"] == 0))
    return int(mates[np.argmax(s["m200"][mates])])


def _bind_pairs(rng, s):
    """Put a sub-subhalo beside its parent, the most massive satellite of the group, and let it move with it."""
    for row in np.flatnonzero(s["parent_rank"] != 0):
        parent = parent_of(s, row)
        s["offset"][row] = s["offset"][parent] + galaxies.directions(rng, 1)[0] * 0.35 * s["r200"][parent]
        slow = 0.4 * np.sqrt(G * s["m200"][parent] / s["r200"][parent])
        s["velocity_offset"][row] = s["velocity_offset"][parent] + rng.normal(0.0, slow, 3)


def _put_fragments(rng, s, host, fragment):
    """In the host's disc plane at one to two and a half scale lengths, on a circular orbit."""
    n = s.size
    side = np.cross(host["spin_axis"], galaxies.directions(rng, n))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    radius = rng.uniform(1.5, 3.0, n) * host["r_disc"]
    halo = host["m200"] * nfw_shape(host["c200"] * radius / host["r200"]) / nfw_shape(host["c200"])
    speed = np.sqrt(G * (halo + 0.7 * host["m_star"]) / radius)
    s["offset"][fragment] = (radius[:, None] * side)[fragment]
    s["velocity_offset"][fragment] = (speed[:, None] * np.cross(host["spin_axis"], side))[fragment]


def place_in_box(rng, r200, across):
    """Random positions in the box, no two groups nearer than touching at 2 r200.

    Parameters
    ----------
    rng : numpy.random.Generator
    r200 : ndarray, shape (n,)
        [kpc]
    across : int
        Group to put across two faces of the box: its central galaxy is cut by both.

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
