"""Regressions on integrated observables: they find what is there, and nothing that is not."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable, Table

from dmlib.errors import DmlibError
from dmlib.evaluation import integrated_light
from dmlib.evaluation.catalogue import TARGETS
from dmlib.evaluation.integrated_light import INPUTS, METHODS


def toy(n: int = 600, *, scatter: float = 0.1, seed: int = 1) -> QTable:
    """Galaxies whose dark mass follows from stellar mass and radius by a parabola, with a known scatter of ln M."""
    rng = np.random.default_rng(seed)
    log_m, log_r = rng.uniform(10.0, 11.2, n), 0.6 + 0.2 * rng.normal(size=n)
    ln_dark = np.log(1e10) + 2.0 * (log_m - 10.0) ** 2 + 3.0 * (log_r - 0.6) + scatter * rng.normal(size=n)
    table = QTable(
        {
            "subhalo_id": np.arange(n),
            "group_id": np.arange(n) // 2,
            "is_central": np.ones(n, dtype=bool),
            "forms_stars": np.ones(n, dtype=bool),
            "m_star": 10.0**log_m * u.Msun,
            "r_half": 10.0**log_r * u.kpc,
            "m_dm": 1e12 * np.ones(n) * u.Msun,
            "m_dm_rhalf": np.exp(ln_dark) * u.Msun,
            "m200": 1e12 * np.ones(n) * u.Msun,
        }
    )
    return table


@pytest.mark.parametrize("method", METHODS)
def test_a_planted_relation_is_recovered(method):
    found = integrated_light.regressions(toy(), methods=(method,), draws=50)
    errors = {
        name: integrated_light.error_of(found, "m_dm_rhalf", name, method=method) for name in ("M*", "M*, r_half")
    }
    least = np.abs(np.exp(0.1 * np.random.default_rng(0).normal(size=100_000)) - 1.0).mean()
    best = errors["M*, r_half"]
    assert least - 4.0 * best.error < best.value < (1.15 if method == "ridge" else 2.0) * least
    # Without the radius its scatter remains, which is six times larger.
    assert errors["M*"].value > 4.0 * least
    assert integrated_light.error_of(found, "m_dm_rhalf", "nothing").value > errors["M*"].value


def test_a_number_that_is_the_same_in_a_group_cannot_be_learned():
    """The input tells the group, and the target is random from group to group: only leaking folds could predict it."""
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(100), 6)
    x, y = rng.normal(size=100)[group][:, None], rng.normal(size=100)[group]
    for method in METHODS:
        predicted = integrated_light.predict(x, y, group, method, seed=1)
        assert np.std(predicted - y) > 0.95 * np.std(y)
    # As though every galaxy were a group of its own, trees recognise the others of the group.
    leaking = integrated_light.predict(x, y, np.arange(len(y)), "trees", seed=1)
    assert np.std(leaking - y) < 0.8 * np.std(y)


def test_inputs_are_logarithms_colours_and_shares():
    table = QTable({"m_star": [1e10, 1e11] * u.Msun, "mag_g": [-20.0, -21.0] * u.mag, "mag_r": [-20.5, -21.7] * u.mag})
    table["m_gas"], table["P_Late"] = [0.0, 1e9] * u.Msun, [0.2, 0.9]
    x = integrated_light.features(table, ("m_star", "g - r", "mag_r", "m_gas", "P_Late"))
    assert x == pytest.approx(np.array([[10.0, 0.5, -20.5, 7.0, 0.2], [11.0, 0.7, -21.7, 9.0, 0.9]]))
    assert integrated_light.available(table, ("m_star", "g - r")) and not integrated_light.available(table, ("U - B",))


def test_what_cannot_be_regressed_is_left_out():
    table = toy(60)
    table["m_dm_rhalf"][0] = 0.0 * u.Msun
    table["m_dm"][1] = 1e6 * u.Msun  # hardly any dark matter at all
    found = integrated_light.regressions(table, methods=("ridge",), draws=20)
    assert set(found["inputs"]) == {"nothing", "M*", "M*, r_half"} < set(INPUTS)
    assert {row["target"]: row["n"] for row in found} == {"m_dm_rhalf": 58, "m_dm": 59}
    assert set(found["target"]) <= set(TARGETS)
    with pytest.raises(DmlibError, match="at least"):
        integrated_light.error_of(found, "v_max", "M*")
    assert len(integrated_light.regressions(table[:5])) == 0


def test_learning_curve_falls_to_the_scatter():
    curve = integrated_light.learning_curve(toy(1200), "central", "m_dm_rhalf", "M*, r_half", repeats=8)
    assert curve["n"].tolist() == [25, 50, 100, 200, 400, 800]
    assert curve["relative"][0] > 1.1 * curve["relative"][-1] and curve["relative"][-1] == pytest.approx(0.08, rel=0.1)
    assert np.all(curve["low"] <= curve["relative"]) and np.all(curve["relative"] <= curve["high"])


def with_light(table: QTable, *, halo_in_colour: float = 0.0) -> QTable:
    """A toy whose magnitudes give the stellar mass away to 5%, and one colour a part of what the mass does not tell."""
    rng = np.random.default_rng(7)
    log_m, n = np.log10(table["m_star"].value), len(table)
    hidden = np.log(table["m_dm_rhalf"].value)
    hidden -= np.polyval(np.polyfit(log_m, hidden, 2), log_m)
    for band in "UBVKgriz":
        table[f"mag_{band}"] = (-2.5 * log_m + 0.05 * rng.normal(size=n)) * u.mag
    table["mag_K"] = table["mag_K"] + halo_in_colour * hidden * u.mag
    return table


def test_light_tells_more_than_the_mass_only_where_a_colour_knows_of_the_halo():
    table = toy()
    table["v_max"] = np.full(len(table), 200.0) * u.km / u.s
    table["r_half"] = np.full(len(table), 4.0) * u.kpc
    blind, seeing = (
        integrated_light.beyond_mass(with_light(table.copy(), halo_in_colour=strength), draws=20) for strength in (0, 1)
    )
    assert blind["target"].tolist() == ["m_star", "m_dm_rhalf", "m_dm", "v_max"]  # no gas in this table
    assert set(blind["kind"]) == {"central"} and set(blind["n"]) == {600}
    stars, dark = blind[0]["relative"], blind[1]["relative"]
    assert 0.0 < stars < 0.05
    assert dark == pytest.approx(np.mean(integrated_light.regressions(table, inputs=("M*",))["relative"][:1]), rel=0.15)
    assert seeing[1]["relative"] < 0.6 * dark


def test_spread_of_hosts_is_that_of_massive_groups():
    table = toy(400)
    table["m_dm_2rhalf"] = table["m_dm_rhalf"]
    with pytest.raises(DmlibError, match="fewer"):
        integrated_light.spread_of_hosts(table)
    table["m200"] = np.where(np.arange(400) < 200, 1e13, 1e14) * u.Msun
    found = integrated_light.spread_of_hosts(table, draws=50)
    assert found.value == pytest.approx(0.5) and 0.0 <= found.error < 0.05


def test_a_ratio_with_equally_many_galaxies_is_read_off_the_learning_curve():
    curve = Table({"n": [50, 200], "relative": [0.4, 0.2]})
    ratio, error = integrated_light.over_equally_many({"n": 111.11, "relative": 0.6, "error": 0.06}, curve)
    assert ratio == pytest.approx(2.0, abs=0.01) and error == pytest.approx(0.2, abs=0.01)


def test_two_universes_are_compared_error_by_error():
    first = Table(
        rows=[
            ("central", "m_dm", "M*", "ridge", 100, 0.3, 0.003),
            ("central", "m_dm", "nothing", "ridge", 100, 1.0, 0.2),
        ],
        names=("kind", "target", "inputs", "method", "n", "relative", "relative_error"),
    )
    second = first[:1].copy()
    second["relative"], second["relative_error"] = 0.2, 0.002
    found = integrated_light.compare_errors(first, second)
    assert len(found) == 1 and found["ratio"][0] == pytest.approx(1.5) and found["agrees"][0] == "no"
    assert found["ratio_error"][0] == pytest.approx(1.5 * np.hypot(0.01, 0.01))
    same = integrated_light.compare_errors(first, first)
    assert same["agrees"].tolist() == ["yes", "undecided"]
    grids = [integrated_light.grid_of_ratios(some) for some in (found, same)]
    assert [grid[TARGETS["m_dm"]].tolist() for grid in grids] == [["1.50 ± 0.02 *"], ["1.00 ± 0.01", "1.00 ± 0.28 ?"]]
    assert grids[1]["inputs"].tolist() == ["M*", "nothing"] and len(grids[1].colnames) == 2


def test_ratio_of_two_universes_is_split_into_its_factors():
    """A draw that scatters as the first: the ratio is the draw's. One that scatters as the other: it is the rest."""
    first, other = (
        integrated_light.regressions(toy(n, scatter=scatter, seed=seed), methods=("ridge",), draws=100)
        for n, scatter, seed in ((300, 0.2, 2), (1200, 0.1, 3))
    )
    for scatter, whose in ((0.2, "draw"), (0.1, "rest")):
        lost = integrated_light.where_lost(
            first,
            other,
            lambda n, seed, scatter=scatter: toy(n, scatter=scatter, seed=100 + seed),
            inputs=("M*", "M*, r_half"),
            repeats=4,
        )
        assert set(lost["inputs"]) == {"M*", "M*, r_half"}
        (row,) = lost[(lost["target"] == "m_dm_rhalf") & (lost["inputs"] == "M*, r_half")]
        assert row["whole"] == pytest.approx(row["draw"] * row["number"] * row["rest"])
        expected = {"draw": 1.0, "rest": 1.0} | {whose: 2.0}
        for name, value in expected.items():
            assert abs(row[name] - value) < 4.0 * row[f"{name}_error"] < 0.6, (whose, name)
        assert 1.0 < row["number"] < 1.15
