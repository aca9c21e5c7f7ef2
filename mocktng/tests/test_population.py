"""The population: its relations, its planted objects, its order, and that it repeats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mocktng import drawing, galaxies, relations
from mocktng.population import SUBHALO_COLUMNS, census, examples, passes
from mocktng.units import BOX_KPC, RHO_CRIT

SMALL, LARGE = 40, 700


def draw(n_galaxies, seed, physics="fiducial"):
    return drawing.draw(n_galaxies, seed, physics, m_dm=5.97e7, m_baryon=1.12e7)


@pytest.fixture(scope="module")
def many():
    """Subhaloes of a large universe, for statistics."""
    return draw(2000, 1).subhalos


def planned_size(p):
    s, g = p.subhalos, p.groups
    own = sum(s[name].astype(int) for name in ("n_dm", "n_gas", "n_star", "n_wind", "n_bh"))
    return own, np.bincount(s["group_id"], weights=own, minlength=len(g)) + g["n_dm_fuzz"] + g["n_gas_fuzz"]


@pytest.mark.parametrize("wanted", [SMALL, LARGE])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_selection_leaves_the_wanted_number(wanted, seed):
    left = passes(draw(wanted, seed).subhalos).sum()
    assert abs(left - wanted) <= max(2, 0.01 * wanted)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("n_galaxies", [SMALL, LARGE])
def test_every_row_of_the_selection_removes_something(n_galaxies, seed):
    s = draw(n_galaxies, seed).subhalos
    left = np.ones(s.size, dtype=bool)
    rows = [s["m_star"] >= 1e10, s["m_star"] <= 1e12, s["sfr"] >= 0.1, s["parent_rank"] == 0, s["flag"]]
    for keeps in rows:
        assert (left & ~keeps).any()
        left &= keeps
    satellites = left & (s["kind"] == "satellite")
    assert satellites.any(), "SubhaloParent = 0 keeps satellites, as in TNG"


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_even_the_smallest_universe_has_every_kind_of_disturbance(seed):
    s = draw(SMALL, seed).subhalos
    rich = (s["kind"] == "central") & passes(s) & (s["m_hi"] > 2e9)
    assert set(galaxies.DISTURBANCES) <= set(s["disturbed"][rich])
    assert (s["disturbed"][rich] != "").mean() < 0.4


def test_particles_stay_within_the_budget(population):
    s, g = population.subhalos, population.groups
    n = LARGE
    assert s["n_dm"].sum() + g["n_dm_fuzz"].sum() < 33e3 * n
    assert s["n_gas"].sum() + g["n_gas_fuzz"].sum() < 13e3 * n
    assert s["n_star"].sum() < 10e3 * n


def test_same_seed_same_population_and_other_seed_another():
    first, again, other = (draw(SMALL, seed) for seed in (5, 5, 6))
    assert first.subhalos.tobytes() == again.subhalos.tobytes()
    assert first.groups.tobytes() == again.groups.tobytes()
    assert first.subhalos.tobytes() != other.subhalos.tobytes()


def test_catalogue_order(population):
    own, total = planned_size(population)
    assert (np.diff(total) <= 0).all()
    for group in population.groups:
        members = population.members(group["group_id"])
        assert (members["rank"] == np.arange(group["n_subs"])).all()
        assert (members["group_id"] == group["group_id"]).all()
        if group["n_subs"]:
            sizes = own[group["first_sub"] : group["first_sub"] + group["n_subs"]]
            assert members["kind"][0] == "central"
            assert (np.diff(sizes[1:]) <= 0).all()
            assert sizes[0] == sizes.max()


def test_groups_without_subhalo_come_last_and_hold_only_fuzz(population):
    empty = population.groups["n_subs"] == 0
    assert 3 <= empty.sum()
    assert (population.groups["first_sub"][empty] == -1).all()
    assert (population.groups["n_dm_fuzz"][empty] >= 32).all(), "FoF keeps groups of 32 particles and more"
    assert empty[-empty.sum() :].all()
    assert population.members(int(np.flatnonzero(empty)[0])).size == 0


def test_parents_are_satellites_of_the_same_group(population):
    s = population.subhalos
    nested = s[s["parent_rank"] != 0]
    assert nested.size >= 2
    for child in nested:
        parent = population.members(child["group_id"])[child["parent_rank"]]
        assert parent["kind"] == "satellite" and parent["rank"] != child["rank"]
        assert np.linalg.norm(parent["offset"] - child["offset"]) < parent["r200"]


def test_positions_lie_in_the_box_and_one_selected_galaxy_is_cut_by_its_faces(population):
    g = population.groups
    assert ((g["position"] >= 0) & (g["position"] < BOX_KPC)).all()
    edge = np.minimum(g["position"], BOX_KPC - g["position"])
    cut = g[(edge < 10.0).sum(axis=1) >= 2]
    assert cut.size == 1
    central = population.members(int(cut["group_id"][0]))[:1]
    assert passes(central)[0]
    assert central["r_hi"][0] > 6.0


def test_groups_do_not_touch(population):
    g = population.groups
    for i in range(1, len(g)):
        gap = g["position"][:i] - g["position"][i]
        gap -= BOX_KPC * np.round(gap / BOX_KPC)
        assert (np.linalg.norm(gap, axis=1) > 1.6 * (g["r200"][:i] + g["r200"][i])).all()


def test_numbers_are_finite_and_axes_are_unit_vectors(population):
    s = population.subhalos
    for name in s.dtype.names:
        if s[name].dtype.kind == "f":
            assert np.isfinite(s[name]).all(), name
    assert set(SUBHALO_COLUMNS) == set(s.dtype.names)
    np.testing.assert_allclose(np.linalg.norm(s["spin_axis"], axis=1), 1.0)
    np.testing.assert_allclose(
        s["halo_axes"] @ s["halo_axes"].transpose(0, 2, 1), np.broadcast_to(np.eye(3), (s.size, 3, 3)), atol=1e-12
    )
    assert (s["m_dm"] >= 0).all() and (s["r_trunc"] > s["r_half"]).all()
    assert ((s["axis_ratios"] > 0) & (s["axis_ratios"] <= 1)).all()


def test_stellar_masses_scatter_about_moster_and_with_concentration(many):
    s = many[(many["kind"] == "central") & (many["m_star"] < 1e12)]
    # Hosts are thinned by type, which is tied to stellar mass: quenched ones count twice.
    weight = np.where(s["quenched"], 2.0, 1.0)
    residual = np.log10(s["m_star"] / relations.stellar_mass(s["m200"]))
    mean = np.average(residual, weights=weight)
    assert abs(mean) < 0.02
    assert np.sqrt(np.average((residual - mean) ** 2, weights=weight)) == pytest.approx(0.15, abs=0.01)
    c = np.log10(s["c200"] / relations.concentration(s["m200"]))
    assert c.std() == pytest.approx(0.16, abs=0.01)
    low = s["m200"] < 2e12
    assert 0.25 < np.corrcoef(residual[low], c[low])[0, 1] < 0.55


def test_sequence_sizes_and_hi_sizes_follow_their_relations(many):
    forming = (many["kind"] == "central") & ~many["quenched"]
    s = many[forming]
    sequence = np.log10(s["sfr"] / relations.star_forming_sequence(s["m_star"]))
    assert abs(sequence.mean()) < 0.03 and sequence.std() == pytest.approx(0.3, abs=0.02)
    size = np.log10(s["r_hi"] / relations.hi_radius(s["m_hi"]))
    assert abs(size.mean()) < 0.01 and size.std() == pytest.approx(0.06, abs=0.01)
    metals = np.log10(s["z_gas"] / relations.oxygen_to_mass_fraction(relations.gas_metallicity(s["m_star"])))
    assert abs(metals.mean()) < 0.01 and metals.std() == pytest.approx(0.07, abs=0.01)


def test_quenched_centrals_are_half_as_many_as_the_relation_says(many):
    s = many[(many["kind"] == "central") & (many["m_star"] > 1e10) & (many["m_star"] < 1e11)]
    expected = relations.quenched_fraction(s["m_star"])
    odds = s["quenched"].sum() / (~s["quenched"]).sum()
    assert odds == pytest.approx(0.5 * expected.sum() / (1 - expected).sum(), rel=0.2)


def test_alternative_physics_keeps_haloes_and_stars_and_changes_the_rest():
    fiducial, other = (draw(SMALL, 1, physics).subhalos for physics in ("fiducial", "alternative"))
    a, b = (x[x["kind"] == "central"] for x in (fiducial, other))
    shared = np.intersect1d(a["m200"], b["m200"])
    assert shared.size > 0.8 * a.size
    galaxy = [x[x["kind"] != "fragment"] for x in (fiducial, other)]
    assert galaxy[1]["contraction"].mean() < 0.3 * galaxy[0]["contraction"].mean()
    assert (galaxy[0]["core_radius"] == 0).all() and (galaxy[1]["core_radius"] > 0).all()
    assert np.median(b["m_hot"] / b["m200"]) < 0.6 * np.median(a["m_hot"] / a["m200"])


def test_bulge_and_disc_together_have_the_half_mass_radius(many):
    s = many[many["kind"] != "fragment"]
    x = s["r_half"] / s["r_disc"]
    bulge = s["bulge_fraction"] * (s["r_half"] / (s["r_half"] + s["r_bulge"])) ** 2
    inside = bulge + (1 - s["bulge_fraction"]) * (1 - (1 + x) * np.exp(-x))
    np.testing.assert_allclose(inside, 0.5, atol=0.01)


@pytest.mark.parametrize("seed", range(1, 9))
def test_bulge_and_accreted_halo_are_never_more_than_the_galaxy(seed):
    """Else the disc's mass is negative, and the most massive galaxies of some seeds cannot be made."""
    for n_galaxies in (SMALL, LARGE):
        s = draw(n_galaxies, seed).subhalos
        assert (s["bulge_fraction"] + s["halo_star_fraction"]).max() <= 1.0
        assert (s["bulge_fraction"] >= 0).all()


@given(bulge_fraction=st.floats(0.0, 0.4), r_half=st.floats(0.5, 30.0))
def test_a_disc_alone_has_its_half_mass_radius_at_1_68_scale_lengths(bulge_fraction, r_half):
    alone = galaxies.disc_scale_length(np.array([r_half]), np.array([0.1 * r_half]), np.array([0.0]))[0]
    assert r_half / alone == pytest.approx(1.678, abs=0.001)
    with_bulge = galaxies.disc_scale_length(np.array([r_half]), np.array([0.1 * r_half]), np.array([bulge_fraction]))[0]
    assert with_bulge >= alone * (1 - 1e-9)


def test_relations_have_their_published_values():
    assert relations.stellar_mass(10**11.59) == pytest.approx(0.0351 * 10**11.59)
    assert np.log10(2 * relations.hi_radius(1e9)) == pytest.approx(0.506 * 9 - 3.293)
    assert relations.gas_metallicity(1e12) == pytest.approx(8.793, abs=0.005)
    assert np.log10(relations.star_forming_sequence(10**10.59)) == pytest.approx(0.412 - np.log10(2))
    assert relations.half_light_radius(5e10, False) == pytest.approx(10**0.86)
    assert relations.black_hole_mass(1e11) == pytest.approx(4.9e8)
    assert relations.hi_mass(10**10.34) == pytest.approx(10 ** (10.34 - 1.278))


def test_concentration_falls_with_mass_and_the_mass_function_is_that_of_a_planck_universe():
    c = relations.concentration(np.array([1e11, 1e12, 1e13]))
    assert (np.diff(c) < 0).all() and 7 < c[1] < 9.5
    dn = relations.mass_function(np.array([1e12, 1e13]))
    assert 2e-3 < dn[0] < 4e-3 and 4 < dn[0] / dn[1] < 12


def test_r200_encloses_two_hundred_times_the_critical_density():
    r200 = relations.r200_of(1e12)
    assert 1e12 / (4 / 3 * np.pi * r200**3) == pytest.approx(200 * RHO_CRIT)
    assert r200 == pytest.approx(210.8, abs=0.5)


def test_census_counts_every_subhalo_once(population):
    rows = census(population)
    assert rows[0].kind == "FoF groups" and rows[0].number == len(population.groups)
    assert sum(row.number for row in rows[2:]) == population.subhalos.size
    assert sum(row.selected for row in rows[2:]) == passes(population.subhalos).sum()
    assert [row.selected for row in rows[-2:]] == [0, 0]


def test_examples_are_what_they_are_called(population):
    s, chosen = population.subhalos, examples(population.subhalos)
    assert list(chosen) == ["spiral", "barred spiral", "warped disc", "disturbed", "quenched"]
    assert s["bar_strength"][chosen["barred spiral"]] > 0.3
    assert s["disturbed"][chosen["disturbed"]] != ""
    assert s["quenched"][chosen["quenched"]] and not s["quenched"][chosen["spiral"]]
