"""Particles of whole groups: they are what the population plans, and agree with each other."""

from __future__ import annotations

import numpy as np
import pytest
from central_galaxies import central, centrals, quiet_discs
from scipy.spatial import cKDTree

from mocktng.drawing import draw
from mocktng.group_particles import GroupParticles, build_model, make_group
from mocktng.interstellar import N_THRESHOLD, hydrogen_density
from mocktng.structure import RADIUS, interpolate
from mocktng.units import DENSITY, LENGTH, MASS

SHARED = {
    "Coordinates", "Velocities", "Potential", "SubfindDensity", "SubfindDMDensity", "SubfindHsml", "SubfindVelDisp",
}  # fmt: skip
OWN = {
    0: {
        "Masses", "Density", "InternalEnergy", "ElectronAbundance", "NeutralHydrogenAbundance", "StarFormationRate",
        "GFM_Metals",
    },
    1: set(),
    4: {
        "Masses", "GFM_InitialMass", "GFM_StellarFormationTime", "GFM_Metals",
        "GFM_StellarPhotometrics", "StellarHsml",
    },
    5: {"Masses"},
}  # fmt: skip


def test_counts_fields_and_types_are_as_planned(population):
    for group_id in (20, 60, len(population.groups) // 2, len(population.groups) - 1):
        group, members = make_group(population, group_id), population.members(group_id)
        planned = np.zeros((len(members), 6), dtype=int)
        planned[:, 0], planned[:, 1] = members["n_gas"], members["n_dm"]
        planned[:, 4], planned[:, 5] = members["n_star"] + members["n_wind"], members["n_bh"]
        assert (group.lengths == planned).all()
        fuzz = {1: population.groups["n_dm_fuzz"][group_id], 0: population.groups["n_gas_fuzz"][group_id]}
        for kind in (0, 1, 4, 5):
            total = planned[:, kind].sum() + fuzz.get(kind, 0)
            if total == 0:
                assert kind not in group.particles
                continue
            arrays = group.particles[kind]
            assert set(arrays) == SHARED | OWN[kind]
            for name, values in arrays.items():
                assert len(values) == total
                assert np.isfinite(values).all(), name
                assert values.dtype == (np.float64 if name == "Coordinates" else np.float32), name


def test_a_group_depends_on_nothing_but_its_rows_and_the_seed(population):
    first = make_group(population, 200)
    make_group(population, 300)
    again = make_group(population, 200)
    for kind, arrays in first.particles.items():
        for name, values in arrays.items():
            assert np.array_equal(values, again.particles[kind][name])
    other = make_group(draw(100, 2, m_dm=5.97e7, m_baryon=1.12e7), 50)
    assert not np.array_equal(other.particles[1]["Coordinates"][:50], first.particles[1]["Coordinates"][:50])


def test_dark_matter_follows_the_analytic_mass(population):
    for group_id in (50, 200, 400):
        galaxy = central(population, group_id)
        r = galaxy.of(1)["r"]
        for radius in np.geomspace(1, 100, 8):
            expected = interpolate(radius, galaxy.model.enclosed["dm"]) / population.m_dm
            assert abs(np.sum(r < radius) - expected) < 3 * np.sqrt(expected) + 1


def test_dark_matter_and_stars_are_in_equilibrium(population):
    for group_id in (50, 200, 400):
        galaxy = central(population, group_id)
        for kind, tolerance in ((1, 0.04), (4, 0.2)):
            # Disc stars feel a flattened disc; the virial of the spherical average is up to 0.2 less.
            p = galaxy.of(kind)
            pull = 4.30091e-6 * np.interp(p["r"], RADIUS, galaxy.model.mass) / np.maximum(p["r"], 0.02)
            assert np.mean(np.sum(p["v"] ** 2, axis=1)) / np.mean(pull) == pytest.approx(1.0, abs=tolerance)
            bound = 0.5 * np.sum(p["v"] ** 2, axis=1) + interpolate(p["r"], galaxy.model.potential) < 0
            assert bound.mean() > 0.99


def test_gas_cells_are_consistent(population):
    rich = centrals(population, lambda rows: (rows["m_hi"] > 1e9) & (rows["sfr"] > 0.3) & (rows["m200"] < 3e12), n=3)
    assert len(rich) == 3
    for group_id in rich:
        galaxy = central(population, group_id)
        gas = galaxy.of(0)
        metals = gas["GFM_Metals"].astype(float)
        assert metals.sum(axis=1) == pytest.approx(1.0, abs=3e-7)
        assert (metals >= 0).all()
        assert ((gas["mass"] > 0.5 * population.m_baryon) & (gas["mass"] < 2.1 * population.m_baryon)).all()
        assert gas["StarFormationRate"].sum() == pytest.approx(galaxy.row["sfr"], rel=1e-4)
        n_h = hydrogen_density(gas["Density"] * DENSITY, metals[:, 0])
        forming = gas["StarFormationRate"] > 0
        # Metallicity scatters cell by cell, the threshold was applied at the mean hydrogen fraction.
        assert n_h[forming].min() > 0.9 * N_THRESHOLD
        assert n_h[~forming].max() < 1.1 * N_THRESHOLD
        neutral = gas["NeutralHydrogenAbundance"]
        assert ((neutral >= 0) & (neutral <= 1)).all()
        assert (gas["ElectronAbundance"] >= 0).all() and (gas["ElectronAbundance"] < 1.2).all()
        hot = gas["InternalEnergy"] > 5000
        assert neutral[hot & ~forming].max() < 1e-3


def test_cell_densities_are_those_of_the_cells_around(population):
    galaxy = central(population, centrals(population, quiet_discs)[0])
    gas = galaxy.of(0)
    distance = cKDTree(gas["x"]).query(gas["x"], k=[33])[0][:, 0]
    local = 33 * gas["mass"].mean() / (4 / 3 * np.pi * distance**3)
    ratio = np.log10(gas["Density"] * DENSITY / local)
    # Discs are thinner than the distance to the neighbours, so the sphere's mean is the lower one there.
    assert np.median(ratio) == pytest.approx(0.0, abs=0.3)
    assert np.percentile(ratio, 16) > -0.4


def test_stars_add_up(population):
    for group_id in (20, 120, 300):
        galaxy = central(population, group_id)
        stars, row = galaxy.of(4), galaxy.row
        real = stars["GFM_StellarFormationTime"] > 0
        assert np.sum(~real) == row["n_wind"]
        assert stars["mass"][real].sum() == pytest.approx(row["m_star"], rel=1e-5)
        initial = stars["GFM_InitialMass"][real] * MASS
        assert (initial > 0.99 * stars["mass"][real]).all()
        assert initial.mean() == pytest.approx(population.m_baryon, rel=0.15)
        order = np.argsort(stars["r"][real])
        cumulative = np.cumsum(stars["mass"][real][order])
        half = stars["r"][real][order][np.searchsorted(cumulative, 0.5 * row["m_star"])]
        assert half == pytest.approx(row["r_half"], rel=0.15)
        metals = stars["GFM_Metals"].astype(float)
        assert metals.sum(axis=1) == pytest.approx(1.0, abs=3e-7)
        metallicity = metals[real, 2:].sum(axis=1)
        assert np.average(metallicity, weights=initial) == pytest.approx(row["z_star"], rel=0.1)
        assert stars["GFM_StellarPhotometrics"][real].max() < 0
        assert 0.05 < metallicity.mean() / 0.0127 < 4


def test_ages_follow_the_row_and_the_star_formation_rate(population):
    young_expected, young_found = 0.0, 0.0
    for group_id in centrals(population, lambda rows: (rows["sfr"] > 1) & (rows["m200"] < 3e12), n=6):
        galaxy = central(population, group_id)
        stars = galaxy.of(4)
        real = stars["GFM_StellarFormationTime"] > 0
        a = stars["GFM_StellarFormationTime"][real].astype(float)
        # Age in flat LCDM, here by the integral rather than by the closed form that mocktng uses.
        grid = np.linspace(1e-3, 1, 20001)
        rate = 67.74 / 977.79 * np.sqrt(0.3089 / grid + 0.6911 * grid**2)  # da/dt [1/Gyr]
        lookback = np.concatenate([[0.0], np.cumsum(0.5 * (1 / rate[1:] + 1 / rate[:-1]) * np.diff(grid))])
        age = lookback[-1] - np.interp(a, grid, lookback)
        assert age.min() > -1e-3
        assert age.mean() == pytest.approx(galaxy.row["age"], abs=0.5)
        young_expected += galaxy.row["sfr"] * 0.5e9
        young_found += stars["GFM_InitialMass"][real][age < 0.5].sum() * MASS
    assert young_found == pytest.approx(young_expected, rel=0.1)


def test_smoothing_length_encloses_32_neighbours(population):
    stars = central(population, 300).of(4)
    tree = cKDTree(stars["Coordinates"])
    for i in (5, 100, 500):
        inside = tree.query_ball_point(stars["Coordinates"][i], stars["StellarHsml"][i] * (1 + 1e-5))
        assert len(inside) == 33  # itself and 32 others


def test_discs_turn_about_the_spin_axis(population):
    for group_id in centrals(population, quiet_discs):
        galaxy = central(population, group_id)
        for kind in (0, 4):
            p = galaxy.of(kind)
            inner = p["r"] < galaxy.row["r_hi"]
            momentum = np.sum(np.cross(p["x"], p["v"])[inner] * p["mass"][inner, None], axis=0)
            assert momentum @ galaxy.row["spin_axis"] / np.linalg.norm(momentum) > 0.97


def test_the_potential_is_lowest_at_each_centre(population):
    for group_id in (6, 33, 60, 300):
        group, members = make_group(population, group_id), population.members(group_id)
        start = dict.fromkeys((0, 1, 4, 5), 0)
        lowest = []
        for rank, row in enumerate(members):
            potential, position = [], []
            for kind in start:
                n = group.lengths[rank, kind]
                if n:
                    piece = slice(start[kind], start[kind] + n)
                    potential.append(group.particles[kind]["Potential"][piece])
                    position.append(group.particles[kind]["Coordinates"][piece])
                    start[kind] += n
            potential, position = np.concatenate(potential), np.concatenate(position)
            assert position[np.argmin(potential)] * LENGTH == pytest.approx(row["offset"], abs=1e-6)
            assert np.sum(potential == potential.min()) == 1
            lowest.append(potential.min())
        assert np.argmin(lowest) == 0


def test_subhaloes_move_as_planned(population):
    group_id = 20 + int(np.argmax(population.groups["n_subs"][20:]))
    group, members = make_group(population, group_id), population.members(group_id)
    ends = np.cumsum(group.lengths[:, 1])
    for rank, row in enumerate(members):
        n = group.lengths[rank, 1]
        if n < 500:
            continue
        v = group.particles[1]["Velocities"][ends[rank] - n : ends[rank]].astype(float)
        error = v.std(axis=0) / np.sqrt(n)
        planned = population.groups["velocity"][group_id] + row["velocity_offset"]
        assert (np.abs(v.mean(axis=0) - planned) < 4.5 * error).all()


def test_a_group_without_subhalo_is_all_fuzz(population):
    empty = np.flatnonzero(population.groups["n_subs"] == 0)
    assert len(empty)
    group = make_group(population, int(empty[0]))
    assert isinstance(group, GroupParticles)
    assert group.lengths.shape == (0, 6)
    assert len(group.particles[1]["Coordinates"]) == population.groups["n_dm_fuzz"][empty[0]]


def test_fragments_are_stars_and_gas(population):
    fragments = population.subhalos[population.subhalos["kind"] == "fragment"]
    row = fragments[0]
    group = make_group(population, int(row["group_id"]))
    lengths = group.lengths[row["rank"]]
    assert lengths[4] > 20 * lengths[1]


def test_alternative_physics_has_less_dark_matter_in_the_middle(population):
    other = draw(700, 1, "alternative", m_dm=5.97e7, m_baryon=1.12e7)

    def inner(one, group_id):
        model, _ = build_model(one.members(group_id)[0], one.m_dm)
        return interpolate(np.array([2.0, 5.0, 100.0]), model.enclosed["dm"])

    groups = range(10, 300, 30)
    ratio = np.median([inner(other, i) / inner(population, i) for i in groups], axis=0)
    assert ratio[0] < 0.7
    assert ratio[0] < ratio[1] < ratio[2]
    assert ratio[2] == pytest.approx(1.0, abs=0.25)
