"""Central galaxies of a population, with their particles, for tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mocktng.group_particles import build_model, make_group
from mocktng.population import Population
from mocktng.units import LENGTH, MASS


def centrals(universe: Population, wanted: Callable[[np.ndarray], np.ndarray], n: int = 6) -> list[int]:
    """Groups whose central fulfils a condition, spread over the catalogue."""
    rows = universe.subhalos[universe.groups["first_sub"][universe.groups["n_subs"] > 0]]
    found = rows["group_id"][wanted(rows)]
    return [int(i) for i in found[np.linspace(0, len(found) - 1, min(n, len(found))).astype(int)]]


def quiet_discs(rows: np.ndarray) -> np.ndarray:
    """Undisturbed star-forming discs without bar or strong warp, with enough cells to measure (and not huge)."""
    calm = (rows["disturbed"] == "") & (rows["bar_strength"] == 0) & (rows["spiral_amplitude"] < 0.35)
    flat = (rows["warp_amplitude"] < 8) & (rows["lopsidedness"] < 0.25)
    sampled = (rows["m_hi"] > 3.4e9) & (rows["m200"] < 3e12)
    return calm & flat & sampled & (rows["sfr"] > 0.3) & (rows["bulge_fraction"] < 0.5)


_MADE: dict[tuple[int, int], Central] = {}


def central(universe: Population, group_id: int) -> Central:
    """The central galaxy of a group, made once for all tests."""
    key = id(universe), group_id
    if key not in _MADE:
        _MADE[key] = Central(universe, group_id)
    return _MADE[key]


class Central:
    """The central galaxy of one group: its row, its model, its particles about its centre in physical units."""

    def __init__(self, universe: Population, group_id: int):
        self.row = universe.members(group_id)[0]
        self.model, self.disc = build_model(self.row, universe.m_dm)
        self.group = make_group(universe, group_id)
        self.bulk = universe.groups["velocity"][group_id] + self.row["velocity_offset"]

    def of(self, kind: int) -> dict[str, np.ndarray]:
        n = self.group.lengths[0, kind]
        arrays = {name: values[:n] for name, values in self.group.particles[kind].items()}
        arrays["x"] = arrays["Coordinates"] * LENGTH - self.row["offset"]
        arrays["v"] = arrays["Velocities"].astype(float) - self.bulk
        arrays["r"] = np.linalg.norm(arrays["x"], axis=1)
        if "Masses" in arrays:
            arrays["mass"] = arrays["Masses"].astype(float) * MASS
        return arrays
