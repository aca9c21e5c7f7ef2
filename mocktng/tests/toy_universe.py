"""A universe of a few small spheres, made in no time, to test the writer by itself."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

from mocktng.blocks import write_tree
from mocktng.group_particles import GroupParticles
from mocktng.plan import Plan, plan_of
from mocktng.population import GROUP_COLUMNS, SUBHALO_COLUMNS, Population, blank_rows
from mocktng.units import BOX_KPC, HUBBLE, MASS

M_DM, M_BARYON = 1e9, 2e8
GROUPS = 9


def toy_population(seed: int = 1) -> Population:
    """Nine groups of descending size; the second straddles the corner of the box, the last has no subhalo."""
    groups, subhalos = blank_rows(GROUP_COLUMNS, GROUPS), blank_rows(SUBHALO_COLUMNS, 2 * (GROUPS - 1))
    groups["group_id"] = np.arange(GROUPS)
    groups["position"] = np.random.default_rng(seed).uniform(1000.0, 9e4, (GROUPS, 3))
    groups["position"][1] = [1.0, BOX_KPC - 1.0, 3.0]
    groups["velocity"] = [100.0, -50.0, 20.0]
    groups["m200"] = 1e12
    groups["n_subs"] = 2
    groups["first_sub"] = 2 * np.arange(GROUPS)
    groups["n_subs"][-1], groups["first_sub"][-1] = 0, -1
    groups["n_dm_fuzz"] = 40
    subhalos["group_id"] = np.repeat(np.arange(GROUPS - 1), 2)
    subhalos["rank"] = np.tile([0, 1], GROUPS - 1)
    subhalos["flag"] = True
    subhalos["flag"][5] = False
    subhalos["offset"][1::2] = [60.0, 0.0, 0.0]
    size = np.where(subhalos["rank"] == 0, 600, 100) - 10 * subhalos["group_id"]
    subhalos["n_dm"], subhalos["n_gas"], subhalos["n_star"], subhalos["n_wind"] = size, size // 2, size // 4, 3
    subhalos["n_bh"] = subhalos["rank"] == 0
    return Population(seed, "fiducial", M_DM, M_BARYON, groups, subhalos)


def _clump(rng, n, centre, velocity, scale):
    radius = scale * rng.random(n) ** (1.0 / 1.5)
    direction = rng.normal(size=(n, 3))
    offset = radius[:, None] * direction / np.linalg.norm(direction, axis=1)[:, None]
    return {
        "Coordinates": centre + offset,
        "Velocities": (velocity + rng.normal(0.0, 30.0, (n, 3))).astype("f4"),
        "Potential": (-1e5 / (1.0 + radius)).astype("f4"),
        **{name: np.full(n, 2.5, "f4") for name in ("SubfindDensity", "SubfindDMDensity", "SubfindHsml")},
        "SubfindVelDisp": np.full(n, 50.0, "f4"),
    }


def _chemistry(rng, n):
    metals = np.full((n, 10), 1e-3) * rng.random((n, 10))
    metals[:, 1] = 0.25
    metals[:, 0] = 1.0 - metals[:, 1:].sum(axis=1)
    return {"GFM_Metals": metals.astype("f4")}


def _particles(rng, part_type, n, n_wind, centre, velocity, scale):
    fields = _clump(rng, n, centre, velocity, scale)
    mass = M_BARYON / MASS
    if part_type == 0:
        names = ("Density", "InternalEnergy", "ElectronAbundance", "NeutralHydrogenAbundance", "StarFormationRate")
        fields |= {name: rng.random(n).astype("f4") for name in names}
    if part_type == 4:
        born = rng.uniform(0.1, 1.0, n)
        born[n - n_wind :] = -0.5
        fields |= {"GFM_StellarFormationTime": born.astype("f4"), "GFM_InitialMass": np.full(n, 1.5 * mass, "f4")}
        fields |= {"GFM_StellarPhotometrics": rng.uniform(-12, -8, (n, 8)).astype("f4")}
        fields |= {"StellarHsml": np.full(n, 1.0, "f4")}
    if part_type in (0, 4):
        fields |= {"Masses": (mass * rng.uniform(0.8, 1.2, n)).astype("f4"), **_chemistry(rng, n)}
    if part_type == 5:
        fields |= {"Masses": np.full(n, 0.01, "f4"), "Coordinates": np.tile(centre, (n, 1))}
        fields |= {"Potential": np.full(n, -2e5, "f4")}
    return fields


def toy_group(population: Population, group_id: int) -> GroupParticles:
    """Spheres in place of galaxies; deterministic from seed and group. ``TOY_DELAY`` gives time to be killed in."""
    if group_id >= GROUPS - 2:
        time.sleep(float(os.environ.get("TOY_DELAY", "0")))
    rng = np.random.default_rng([population.seed, group_id])
    group, members = population.groups[group_id], population.members(group_id)
    columns: dict[int, dict[str, list]] = {}
    lengths = np.zeros((len(members), 6), int)
    for i, row in enumerate(members):
        numbers = {0: row["n_gas"], 1: row["n_dm"], 4: row["n_star"] + row["n_wind"], 5: row["n_bh"]}
        for part_type, n in numbers.items():
            lengths[i, part_type] = n
            scale = 40.0 if row["rank"] == 0 else 8.0
            fields = _particles(rng, part_type, int(n), 3, row["offset"] * HUBBLE, group["velocity"], scale)
            for name, values in fields.items():
                columns.setdefault(part_type, {}).setdefault(name, []).append(values)
    for name, values in _clump(rng, int(group["n_dm_fuzz"]), np.zeros(3), group["velocity"], 120.0).items():
        columns.setdefault(1, {}).setdefault(name, []).append(values)
    particles = {t: {name: np.concatenate(v) for name, v in fields.items()} for t, fields in columns.items()}
    return GroupParticles(particles, lengths)


def toy_plan(seed: int = 1, name: str = "toy") -> Plan:
    """Plan of the toy universe."""
    return plan_of(toy_population(seed), toy_group, name=name)


def main(folder: str, workers: int) -> None:
    """Write the toy universe; a process to kill."""
    write_tree(folder, toy_plan(), workers)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    # Workers must find the functions under a module's name, not under __main__.
    from toy_universe import main as run

    run(sys.argv[1], int(sys.argv[2]))
