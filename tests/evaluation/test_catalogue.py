"""The table of integrated properties, and two universes compared at fixed stellar mass."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable, Table

from dmlib import load
from dmlib.evaluation.catalogue import TARGETS, agrees, catalogue_table
from dmlib.evaluation.fixed_mass import (
    JUDGED,
    MASS_BINS,
    QUANTITIES,
    SET_OUT,
    at_fixed_mass,
    beyond,
    compare_at_fixed_mass,
    differing,
    side_by_side,
    tally,
)


def toy(n: int = 4000, *, scatter: float = 0.1, shift: float = 0.0, seed: int = 1, steep: float = 1.3) -> QTable:
    """Galaxies whose log m_dm is a straight line in log m_star with a known scatter; half of them are satellites."""
    rng = np.random.default_rng(seed)
    log_m = 10.0 + rng.exponential(0.35, n)
    m_dm = 10.0 ** (12.0 + shift + steep * (log_m - 10.5) + scatter * rng.normal(size=n))
    colour = 0.5 + 0.1 * rng.normal(size=n)
    return QTable(
        {
            "subhalo_id": np.arange(n),
            "group_id": np.arange(n) // 2,
            "is_central": np.arange(n) % 2 == 0,
            "forms_stars": rng.random(n) < 0.7,
            "m_star": 10.0**log_m * u.Msun,
            "m_dm": m_dm * u.Msun,
            "m200": np.where(np.arange(n) < n // 2, 1e13, 1e12) * u.Msun,
            "mag_g": colour * u.mag,
            "mag_r": np.zeros(n) * u.mag,
        }
    )


def rows(table: Table, **chosen: str) -> Table:
    keep = np.ones(len(table), dtype=bool)
    for name, value in chosen.items():
        keep &= np.asarray(table[name]) == value
    return table[keep]


def test_median_and_scatter_hold_at_the_centre_of_the_bin():
    found = rows(at_fixed_mass(toy(8000), draws=100), kind="central", quantity="m_dm")
    assert len(found) == len(MASS_BINS) - 1
    centre = (found["low"] + found["high"]) / 2.0
    # A steep relation within the bin neither shifts the median nor widens the scatter.
    assert np.all(np.abs(found["median"] - (12.0 + 1.3 * (centre - 10.5))) < 4.0 * found["median_error"])
    assert found["scatter"] == pytest.approx(np.full(len(found), 0.1), rel=0.15)
    assert np.all(found["median_error"] < 0.03) and np.all(found["median_error"] > 0)


def test_only_satellites_of_massive_groups_and_galaxies_that_form_stars_count():
    table = toy()
    found = at_fixed_mass(table, draws=20)
    inside = (np.log10(table["m_star"].value) < 10.25) & ~table["is_central"] & (table["m200"].value > 4e12)
    (share,) = rows(found, kind="satellite", quantity="forming", low=10.0)
    (dark,) = rows(found, kind="satellite", quantity="m_dm", low=10.0)
    assert share["n"] == inside.sum() and dark["n"] == (inside & table["forms_stars"]).sum()
    assert share["median"] == pytest.approx(table["forms_stars"][inside].mean())
    assert set(found["quantity"]) == {"m_dm", "g_r", "forming"} <= set(QUANTITIES)


def test_a_shift_and_a_wider_scatter_are_found():
    first, second = toy(8000, shift=0.2, scatter=0.2, seed=2), toy(8000)
    compared = compare_at_fixed_mass(first, second)
    found = rows(compared, quantity="m_dm", kind="central")
    assert found["difference"] == pytest.approx(np.full(len(found), 0.2), abs=0.03)
    assert found["ratio"] == pytest.approx(np.full(len(found), 2.0), rel=0.2)
    assert set(found["median_agrees"]) == {"no"} == set(found["scatter_agrees"])
    colours = rows(compared, quantity="g_r")
    assert "no" not in colours["median_agrees"]
    listed = differing(compared)
    assert set(listed["quantity"]) == {TARGETS["m_dm"]} and set(listed["of"]) == {"median", "scatter"}
    assert len(listed) == 2 * len(found)
    assert listed["difference"][listed["of"] == "scatter"] == pytest.approx(np.full(len(found), 1.0), abs=0.4)
    assert len(differing(compare_at_fixed_mass(second, second))) == 0


def test_universes_are_put_side_by_side_quantity_by_quantity():
    first, second = toy(8000, shift=0.2, scatter=0.2, seed=2), toy(8000)
    compared = compare_at_fixed_mass(first, second)
    rows_of = rows(compared, quantity="m_dm", kind="central")
    for what, last in (("median", "difference"), ("scatter", "ratio")):
        table = side_by_side(compared, what)
        assert table.colnames == ["quantity", "log M*", "real", "embedded", last, "verdict"]
        assert len(table) == len(rows_of) and set(table["verdict"]) == {"differs"}
        one, row = table[0], rows_of[0]
        assert one["log M*"] == f"{row['low']:g} to {row['high']:g}"
        assert one["embedded"] == f"{row[what]:.3f} ± {row[f'{what}_error']:.3f}"
        assert one["real"] == f"{row[f'{what}_other']:.3f} ± {row[f'{what}_error_other']:.3f}"
        assert one[last].startswith(f"{row[last]:.3f}")
    assert side_by_side(compared, quantities=("sfr",)).colnames == side_by_side(compared).colnames


def test_medians_are_tallied_for_some_quantities_and_counted_beyond_their_error():
    first, second = toy(8000, shift=0.2, seed=2), toy(8000)
    found = compare_at_fixed_mass(first, second)
    bins = len(rows(found, quantity="m_dm", kind="central"))
    assert tally(found)["median"]["no"] == bins == tally(found, quantities=("m_dm",))["median"]["no"]
    assert tally(found, quantities=("g_r",))["median"]["no"] == 0
    assert set(SET_OUT) < set(JUDGED) <= set(QUANTITIES)
    # A shift is beyond its error however small the tolerance makes it look.
    small = compare_at_fixed_mass(toy(8000, shift=0.03, seed=2), toy(8000))
    assert tally(small)["median"]["no"] == 0 and beyond(small) >= bins - 1
    assert beyond(compare_at_fixed_mass(second, second)) == 0


def test_a_record_stands_for_the_table_that_it_was_measured_on():
    table = toy()
    measured = at_fixed_mass(table)
    kept = Table([dict(zip(measured.colnames, row, strict=True)) for row in measured.iterrows()])
    found = compare_at_fixed_mass(table, kept)
    assert np.all(found["difference"] == 0) and len(found) == len(measured)
    assert np.all(found["n"] == found["n_other"])


def test_words_for_an_agreement():
    assert agrees(-0.01, 0.01, 0.05) == "yes"
    assert agrees(-0.2, 0.01, 0.05) == "no"
    assert agrees(0.04, 0.03, 0.05) == "undecided" == agrees(0.06, 0.03, 0.05)


def test_record_of_the_real_rows_can_be_compared():
    kept = Table(load.record("tng100_at_fixed_mass")["measured"]["rows"])
    assert {"central", "satellite"} == set(kept["kind"]) and set(QUANTITIES) == set(kept["quantity"])
    assert len(compare_at_fixed_mass(kept, kept)) == len(kept)


def test_catalogue_table_reads_the_columns_of_a_universe(shared_data):
    """On real rows of the group catalogue: the funnel of the true centrals is the known one."""
    from dmlib.universe.files import FilesUniverse

    table = catalogue_table(FilesUniverse(shared_data / "tng100_catalogue_subset" / "output"))
    selected = table["forms_stars"] & table["is_central"]
    assert len(table) <= 101 and selected.sum() == 27
    assert table["m_dm_rhalf"].unit == u.Msun and table["r_half"].unit == u.kpc
    assert np.all(table["m_dm_rhalf"] < table["m_dm_2rhalf"]) and np.all(table["m_dm_2rhalf"] < table["m_dm"])
    assert table["m_star_rhalf"] / table["m_star"] == pytest.approx(np.full(len(table), 0.5), abs=0.02)
    colour = (table["mag_g"] - table["mag_r"])[selected].value
    assert np.all((colour > 0) & (colour < 1))
