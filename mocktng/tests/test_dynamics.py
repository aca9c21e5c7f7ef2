"""Dynamical relations from which nothing was drawn."""

from __future__ import annotations

import numpy as np
import pytest

from mocktng.group_particles import build_model
from mocktng.population import passes
from mocktng.spheroids import sample_halo
from mocktng.structure import RADIUS, contract, interpolate, nfw_mass
from mocktng.units import OMEGA_B, OMEGA_M, G


@pytest.fixture(scope="module")
def discs(population):
    """Rows and models of star-forming centrals of the selection, undisturbed or not."""
    s = population.subhalos
    rows = s[(s["kind"] == "central") & passes(s) & ~s["quenched"]][::8]
    return rows, [build_model(row, population.m_dm)[0] for row in rows]


def at(radius, table) -> float:
    return float(interpolate(np.array([radius]), table)[0])


def test_baryonic_tully_fisher_relation_is_that_of_sparc(discs):
    rows, models = discs
    outer = np.linspace(0.7, 1.0, 5)
    v_flat = np.array([interpolate(outer * row["r_hi"], m.v_circ).mean() for row, m in zip(rows, models, strict=True)])
    m_baryon = rows["m_star"] + 1.33 * rows["m_hi"]
    # Lelli, McGaugh & Schombert (2016, ApJ 816, L14): log M_b = 3.71 log V_f + 2.27, gas counted as 1.33 M_HI.
    offset = np.log10(v_flat) - (np.log10(m_baryon) - 2.27) / 3.71
    assert abs(np.median(offset)) < 0.05
    assert offset.std() < 0.08


def test_radial_acceleration_relation_is_that_of_sparc(discs):
    rows, models = discs
    residuals = []
    for row, model in zip(rows, models, strict=True):
        for radius in (2.2 * row["r_disc"], row["r_hi"]):
            spheroids = G * (at(radius, model.enclosed["bulge"]) + at(radius, model.enclosed["stellar_halo"])) / radius
            to_si = 1e6 / (radius * 3.0857e19)
            observed = at(radius, model.v_circ) ** 2 * to_si
            baryons = (at(radius, model.disc_speed2) + spheroids) * to_si
            # McGaugh, Lelli & Schombert (2016), eq. 4, with 1.2e-10 m/s^2; observed scatter 0.13 dex.
            expected = baryons / (1 - np.exp(-np.sqrt(baryons / 1.2e-10)))
            residuals.append(np.log10(observed / expected))
    # Galaxies of TNG100, from which ours are drawn, need not lie on the relation of real ones.
    assert abs(np.median(residuals)) < 0.1
    assert np.std(residuals) < 0.13


def test_haloes_keep_part_of_the_cosmic_baryons(discs):
    rows, models = discs
    share = np.array(
        [
            1 - at(row["r200"], model.enclosed["dm"]) / at(row["r200"], model.mass)
            for row, model in zip(rows, models, strict=True)
        ]
    )
    assert 0.5 < np.median(share) / (OMEGA_B / OMEGA_M) < 0.9
    assert (share < 1.3 * OMEGA_B / OMEGA_M).all()


def test_contraction_is_the_published_one_times_each_rows_strength(discs):
    rows, models = discs
    for row, model in zip(rows, models, strict=True):
        radii = np.array([3.0, row["r_half"], 30.0])
        before = (1 - 0.157) * nfw_mass(RADIUS, row["m200"], row["r200"], row["c200"])
        baryons = model.mass - model.enclosed["dm"]
        expected = interpolate(radii, contract(before, baryons, row["contraction"]))
        np.testing.assert_allclose(interpolate(radii, model.enclosed["dm"]), expected, rtol=0.03)


def test_haloes_spin_and_are_in_virial_balance(discs):
    rows, models = discs
    spin, balance = [], []
    for i, (row, model) in enumerate(zip(rows[::4], models[::4], strict=True)):
        x, v = sample_halo(np.random.default_rng(i), row, model, 20000)
        x, v = x.astype(float), v.astype(float)
        r = np.linalg.norm(x, axis=1)
        inside = r < row["r200"]
        v200 = np.sqrt(G * row["m200"] / row["r200"])
        momentum = np.cross(x[inside], v[inside]).mean(axis=0)
        spin.append(np.linalg.norm(momentum) / (np.sqrt(2) * v200 * row["r200"]))  # Bullock et al. (2001)
        balance.append((v**2).sum(axis=1).mean() / interpolate(r, G * model.mass / RADIUS).mean())
    planned = [row["halo_spin"] for row in rows[::4]]
    assert np.median(np.array(spin) / planned) == pytest.approx(1.0, abs=0.15)
    np.testing.assert_allclose(balance, 1.0, atol=0.04)
