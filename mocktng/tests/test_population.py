"""The population: its relations, its planted objects, its order, and that it repeats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mocktng import drawing, galaxies, haloes, relations, tng100
from mocktng.discs import even_points
from mocktng.group_particles import build_model
from mocktng.population import SUBHALO_COLUMNS, census, examples, passes
from mocktng.stars import components
from mocktng.structure import RADIUS
from mocktng.units import BOX_KPC, RHO_CRIT, G

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
    assert s["n_dm"].sum() + g["n_dm_fuzz"].sum() < 66e3 * n
    assert s["n_gas"].sum() + g["n_gas_fuzz"].sum() < 26e3 * n
    assert s["n_star"].sum() < 15e3 * n


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
    """Friends-of-friends groups are separate by definition. In TNG their spheres of R200 may overlap, which is not made
    here; a group with matter within 100 kpc of a galaxy, the largest radius of the targets, would be linked to it."""
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


def central(s):
    return (s["kind"] == "central") & (s["m_star"] >= 1e10) & (s["m_star"] <= 1e12) & (s["sfr"] >= 0.1)


@pytest.mark.parametrize("name, tolerance", [("m_dm", 0.03), ("r_half", 0.04), ("sfr", 0.06)])
def test_medians_and_scatters_at_fixed_stellar_mass_are_those_of_the_table(many, name, tolerance):
    s = many[central(many)]
    fit = tng100.table()["centrals"]["forming"]
    column, levels = fit["variables"].index(name), tng100.table()["levels"]
    for node in (10.1, 10.3, 10.5):
        near = np.abs(np.log10(s["m_star"]) - node) < 0.1
        i = fit["nodes"].index(node)
        low, middle, high = np.interp([0.16, 0.5, 0.84], levels, fit["quantiles"][i][column])
        x = np.log10(s[name][near]) - fit["slopes"][i][column] * (np.log10(s["m_star"][near]) - node)
        found = np.percentile(x, [16, 50, 84])
        assert found[1] == pytest.approx(middle, abs=tolerance)
        assert found[2] - found[0] == pytest.approx(high - low, rel=0.15)


def test_rank_correlations_are_those_of_the_table():
    rng = np.random.default_rng(0)
    m_star = np.full(4000, 10**10.2)
    values, scores = tng100.draw(rng, "centrals", m_star, np.ones(4000, dtype=bool))
    fit = tng100.table()["centrals"]["forming"]
    i = fit["nodes"].index(10.2)
    found = np.corrcoef([scores[name] for name in fit["variables"]])
    np.testing.assert_allclose(found, fit["correlations"][i], atol=0.06)
    assert (values["m_dm"] > 0).all() and (values["sfr"] >= 0.09).all()


def test_given_properties_are_kept_and_pull_the_others():
    rng = np.random.default_rng(0)
    m_star, forming = np.full(2000, 10**10.2), np.ones(2000, dtype=bool)
    for r_half in (3.0, 6.0):
        values, _ = tng100.draw(rng, "centrals", m_star, forming, {"r_half": np.full(2000, np.log10(r_half))})
        np.testing.assert_allclose(values["r_half"], r_half, rtol=0.03)
        # Larger galaxies have more dark matter within their radius.
        assert (np.median(values["m_dm_half"]) > 1.2e10) == (r_half > 4.0)


def test_satellites_are_as_numerous_as_in_tng100_and_poor_in_dark_matter_and_gas(many):
    s = many[many["kind"] != "fragment"]
    selected = passes(s)
    assert 0.17 < (selected & (s["kind"] == "satellite")).sum() / selected.sum() < 0.30
    bin_ = (s["m_star"] > 1e10) & (s["m_star"] < 2e10)
    inner, outer = (s[bin_ & (s["kind"] == kind)] for kind in ("satellite", "central"))
    assert np.median(inner["m_dm"]) < 0.6 * np.median(outer["m_dm"])
    assert np.median(inner["m_hi"]) < 0.8 * np.median(outer["m_hi"])
    assert (inner["sfr"] < 0.1).mean() > 2 * (outer["sfr"] < 0.1).mean()


def test_galaxies_have_the_circular_speed_and_the_inner_matter_that_were_drawn():
    s = drawing._blank(400, "central")
    rng = np.random.default_rng(3)
    s["m_star"] = 10 ** rng.uniform(10.0, 11.0, s.size)
    found = galaxies.draw_catalogue(rng, s, np.zeros(s.size))
    galaxies.draw_gas(rng, s, found)
    galaxies.draw_structure(rng, s, found)
    s["r_trunc"] = haloes.EDGE * s["r200"]
    galaxies.count_particles(s, 5.97e7, 1.12e7)
    v_max, inner, gas = np.empty((3, s.size))
    for i, row in enumerate(s):
        model, _ = build_model(row, 5.97e7)
        v_max[i] = np.sqrt((G * model.mass / RADIUS).max())
        inner[i] = np.interp(row["r_half"], RADIUS, model.enclosed["dm"])
        gas[i] = np.interp(row["r_half"], RADIUS, model.enclosed["gas"] + model.enclosed["hot"])
    # Where the two numbers exclude each other, the circular speed counts.
    room = found["v_max"] ** 2 * s["r_half"] / G - haloes.enclosed_baryons(s, s["r_half"][:, None])[:, 0]
    possible = found["m_dm_half"] < 0.98 * room
    assert 0.6 < possible.mean() < 0.85
    assert (inner < 1.05 * room).mean() > 0.95
    for ratio, spread in ((v_max / found["v_max"], 0.02), ((inner / found["m_dm_half"])[possible], 0.025)):
        assert abs(np.median(np.log10(ratio))) < 0.015
        assert np.std(np.log10(ratio)) < spread
    # Gas from 10^6.8 to 10^9.8 Msun lies within the stellar half-mass radius.
    assert abs(np.median(np.log10(gas / found["m_gas_half"]))) < 0.1
    assert np.corrcoef(np.log10(gas), np.log10(found["m_gas_half"]))[0, 1] > 0.8
    # These numbers need about the published mean contraction, towards which the fit is only weakly drawn.
    assert np.median(s["contraction"]) == pytest.approx(1.0, abs=0.25)
    assert 6 < np.median(s["c200"]) < 13


def test_redder_galaxies_are_older_where_no_stars_form():
    s = drawing._blank(3, "central")
    s["m_star"], s["z_star"], s["sfh_shape"] = 3e10, 0.02, 3.5
    assert (np.diff(galaxies.age_of_colour(s, np.array([0.65, 0.72, 0.78]))) > 0.5).all()


def test_published_relations_hold_where_the_catalogue_is_silent(many):
    s = many[(many["kind"] == "central") & ~many["quenched"]]
    size = np.log10(s["r_hi"] / relations.hi_radius(s["m_hi"]))
    assert abs(size.mean()) < 0.01 and size.std() == pytest.approx(0.06, abs=0.01)
    metals = np.log10(s["z_gas"] / relations.oxygen_to_mass_fraction(relations.gas_metallicity(s["m_star"])))
    assert abs(metals.mean()) < 0.01 and metals.std() == pytest.approx(0.07, abs=0.01)


@pytest.mark.parametrize("feature", sorted(galaxies.FEATURES))
def test_a_feature_that_is_left_out_changes_nothing_else(feature):
    whole = draw(SMALL, 1).subhalos
    part = drawing.draw(SMALL, 1, m_dm=5.97e7, m_baryon=1.12e7, without=(feature,)).subhalos
    column = galaxies.FEATURES[feature]
    assert (whole[column] != part[column]).any() and not part[column].astype(bool).any()
    for name in set(SUBHALO_COLUMNS) - {column}:
        np.testing.assert_array_equal(whole[name], part[name], err_msg=name)


def test_alternative_physics_keeps_haloes_and_stars_and_changes_the_rest():
    fiducial, other = (draw(SMALL, 1, physics).subhalos for physics in ("fiducial", "alternative"))
    a, b = (x[x["kind"] == "central"] for x in (fiducial, other))
    shared = np.intersect1d(a["m200"], b["m200"])
    assert shared.size > 0.8 * a.size
    galaxy = [x[x["kind"] != "fragment"] for x in (fiducial, other)]
    assert galaxy[1]["contraction"].mean() < 0.3 * galaxy[0]["contraction"].mean()
    assert (galaxy[0]["core_radius"] == 0).all() and (galaxy[1]["core_radius"] > 0).all()
    assert np.median(b["m_hot"] / b["m200"]) < 0.6 * np.median(a["m_hot"] / a["m200"])


def test_the_fiducial_physics_changes_nothing(population):
    again = drawing.vary(population, "fiducial")
    for name in SUBHALO_COLUMNS:
        np.testing.assert_array_equal(again.subhalos[name], population.subhalos[name], err_msg=name)
    np.testing.assert_array_equal(again.groups, population.groups)


#: What each version of the physics changes; particle numbers follow from the masses.
_CHANGED = {
    "gas": {"m_hot", "m_hi", "r_hi", "gas_dispersion", "n_gas"},
    "uncontracted": {"contraction"},
    "weakly-contracted": {"contraction"},
    "cored": {"core_radius"},
    "heavy-haloes": {"m_dm", "m200", "r200", "r_trunc", "n_dm"},
    "scattered-haloes": {"m_dm", "m200", "r200", "r_trunc", "n_dm"},
}


@pytest.mark.parametrize("physics", _CHANGED)
def test_a_varied_universe_has_the_same_galaxies_and_one_difference(population, physics):
    before, after = population.subhalos, drawing.vary(population, physics).subhalos
    changed = {name for name in SUBHALO_COLUMNS if not np.array_equal(before[name], after[name])}
    assert changed <= _CHANGED[physics] | {"n_wind"} and changed >= _CHANGED[physics] - {"r_hi"}
    fragment = before["kind"] == "fragment"
    np.testing.assert_array_equal(before[fragment]["m_dm"], after[fragment]["m_dm"])


def test_heavier_and_scattered_haloes_are_as_much_so_as_stated(population):
    real = population.subhalos["kind"] != "fragment"
    before = population.subhalos["m200"][real]
    heavy = drawing.vary(population, "heavy-haloes").subhalos["m200"][real]
    np.testing.assert_allclose(heavy / before, 1.4)
    scattered = np.log10(drawing.vary(population, "scattered-haloes").subhalos["m200"][real] / before)
    assert scattered.std() == pytest.approx(0.2, abs=0.02) and abs(scattered.mean()) < 0.02


def test_all_stars_together_have_the_half_mass_radius(many):
    rows = many[many["kind"] == "central"][::20]
    tables = [sum(components(row).values()) for row in rows]
    off = np.array([np.interp(0.5 * stars[-1], stars, RADIUS) for stars in tables]) / rows["r_half"] - 1.0
    # The smallest bulges are softened to nearly the size of their galaxy, which no disc balances to the end.
    assert np.abs(off).max() < 0.05 and np.quantile(np.abs(off), 0.9) < 0.02


@pytest.mark.parametrize("seed", range(1, 9))
def test_bulge_and_accreted_halo_are_never_more_than_the_galaxy(seed):
    """Else the disc's mass is negative, and the most massive galaxies of some seeds cannot be made."""
    for n_galaxies in (SMALL, LARGE):
        s = draw(n_galaxies, seed).subhalos
        assert (s["bulge_fraction"] + s["halo_star_fraction"]).max() <= 1.0
        assert (s["bulge_fraction"] >= 0).all()


@given(bulge_fraction=st.floats(0.0, 0.4), r_half=st.floats(0.5, 30.0))
def test_a_bulge_leaves_the_disc_a_larger_scale_length(bulge_fraction, r_half):
    def scale(fraction):
        arguments = (np.array([value]) for value in (r_half, 0.1 * r_half, fraction, 0.0))
        return galaxies.disc_scale_length(*arguments)[0]

    # 1.678 for an endless disc; ours ends at six scale lengths.
    assert r_half / scale(0.0) == pytest.approx(1.61, abs=0.02)
    assert scale(bulge_fraction) >= scale(0.0) * (1 - 1e-9)


def test_relations_have_their_published_values():
    assert relations.stellar_mass(10**11.59) == pytest.approx(0.0351 * 10**11.59)
    assert np.log10(2 * relations.hi_radius(1e9)) == pytest.approx(0.506 * 9 - 3.293)
    assert relations.gas_metallicity(1e12) == pytest.approx(8.793, abs=0.005)
    assert np.log10(relations.star_forming_sequence(10**10.59)) == pytest.approx(0.412 - np.log10(2))
    assert relations.half_light_radius(5e10, False) == pytest.approx(10**0.86)
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
    assert rows[0] == ("FoF groups", len(population.groups), None)
    assert sum(number for _, number, _ in rows[2:]) == population.subhalos.size
    assert sum(selected for _, _, selected in rows[2:]) == passes(population.subhalos).sum()
    assert [selected for _, _, selected in rows[-2:]] == [0, 0]


def test_examples_are_what_they_are_called(population):
    s, chosen = population.subhalos, examples(population.subhalos)
    assert list(chosen) == ["spiral", "barred spiral", "warped disc", "disturbed", "quenched"]
    assert s["bar_strength"][chosen["barred spiral"]] > 0.3
    assert s["disturbed"][chosen["disturbed"]] != ""
    assert s["quenched"][chosen["quenched"]] and not s["quenched"][chosen["spiral"]]


@pytest.mark.parametrize("n_galaxies", [1, 2, 3, 5])
def test_a_few_galaxies_are_a_universe_too(n_galaxies):
    for seed in range(4):
        groups = drawing.draw(n_galaxies, seed, m_dm=1e9, m_baryon=2e8).groups
        assert np.isfinite(groups["position"]).all()


def test_no_even_point_is_on_the_edge(monkeypatch):
    """A scrambled sequence may hold an exact 0, at which a quantile of the height is infinite."""
    monkeypatch.setattr("scipy.stats.qmc.Sobol.random_base2", lambda self, m: np.zeros((2**m, 3)))
    points = even_points(np.random.default_rng(1), 4)
    assert points.shape == (4, 3) and (0.0 < points).all() and (points < 2.0**-30).all()
