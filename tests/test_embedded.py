"""The door between dmlib and mocktng: same constants, errors and states in dmlib's words."""

from __future__ import annotations

import numpy as np
import pytest

from dmlib import embedded, units
from dmlib.errors import UniverseError
from dmlib.pipeline import run
from dmlib.settings import Criteria, Settings
from mocktng import units as theirs
from mocktng.files import MockError
from mocktng.plan import make_plan


def test_both_packages_have_the_same_constants():
    for name in ("G", "HUBBLE", "BOX_TNG100"):
        assert getattr(theirs, name) == getattr(units, name), name
    code = units.CodeUnits()
    assert (theirs.LENGTH, theirs.MASS, theirs.DENSITY) == (code.length, code.mass, code.density)
    assert (theirs.OMEGA_M, theirs.OMEGA_B) == (units.cosmology().Om0, units.cosmology().Ob0)
    assert units.cosmology().H0.to_value("1/Gyr") == theirs.H0_PER_GYR


def test_description_states_the_need_and_the_state(smoke_universe, tmp_path):
    assert embedded.describe(smoke_universe)["state"] == "complete"
    missing = embedded.describe(Settings(profile="paper", build_root=str(tmp_path)))
    assert missing["state"] == "not written" and "GB of disk" in missing["need"]
    other = smoke_universe.model_copy(update={"seed": 2})
    assert embedded.describe(other)["state"] == "out of date"


def test_census_is_a_table_of_kinds(smoke_universe):
    table = embedded.census(embedded.population(smoke_universe))
    assert table.colnames == ["kind", "number", "selected"]
    assert table["selected"].mask.tolist() == [True, True, False, False, False, False]


def test_disturbed_galaxies_are_those_of_the_population(smoke_universe):
    planned = embedded.population(smoke_universe).subhalos["disturbed"]
    found = embedded.disturbed(smoke_universe)
    assert found.any() and not found.all()
    np.testing.assert_array_equal(found, planned != "")


@pytest.mark.parametrize("profile", ["smoke", "quick", "paper"])
def test_a_run_begins_only_where_the_universe_can_be_written(profile, tmp_path):
    need = make_plan(**embedded._parameters(Settings(profile=profile, build_root=str(tmp_path)))).need(1)
    disk, memory = run._NEEDS[profile]
    assert need.disk <= disk and need.memory <= memory


def test_the_limit_of_a_container_counts_when_the_universe_is_written(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("mocktng.blocks.write_tree", lambda folder, plan, workers, *_: asked.append(workers))
    monkeypatch.setattr(embedded, "choose_workers", lambda *_: 4)
    monkeypatch.delenv("DMLIB_WORKERS", raising=False)
    settings = Settings(profile="quick", build_root=str(tmp_path))
    for left in (64e9, 7e9, 1e9):
        monkeypatch.setattr(embedded, "memory_left", lambda left=left: (64e9, left))
        embedded.build(settings)
    most, fewer, one = asked
    assert most == 4 and 1 < fewer < 4 and one == 1


def test_errors_are_those_of_dmlib(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise MockError("the disk is full.")

    monkeypatch.setattr("mocktng.blocks.write_tree", refuse)
    with pytest.raises(UniverseError, match="DMLIB_BUILD"):
        embedded.build(Settings(profile="smoke", build_root=str(tmp_path)))


def test_drawn_centrals_are_those_of_the_relations():
    """In number, selection and correlation; the same rows for the same seed."""
    table = embedded.drawn_centrals(1500, 3)
    criteria = Criteria()
    assert len(table) == 1500 and table["is_central"].all() and len(set(table["group_id"])) == 1500
    assert table["m_star"].min() >= criteria.m_star_min and table["m_star"].max() <= criteria.m_star_max
    assert table["sfr"].min() >= criteria.sfr_min
    again = embedded.drawn_centrals(1500, 3)
    assert (again["v_max"] == table["v_max"]).all()
    assert (embedded.drawn_centrals(1500, 4)["v_max"] != table["v_max"]).any()
    speed, radius, mass = (np.log10(table[name]) for name in ("v_max", "r_half", "m_star"))
    some = np.abs(mass - 10.25) < 0.05  # at about the same mass, smaller galaxies turn faster
    assert np.corrcoef(speed[some], radius[some])[0, 1] < -0.4
    for name in ("m_dm", "m_gas", "m_dm_rhalf", "m_gas_rhalf", "mag_g", "mag_r"):
        assert np.isfinite(table[name]).all()
