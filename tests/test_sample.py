"""The selection follows the paper's table, on toy rows and on real ones."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from pydantic import ValidationError

from dmlib import load
from dmlib.sample import Criteria, SampleError, select, select_to_file
from dmlib.settings import Settings
from dmlib.units import HUBBLE
from dmlib.universe import FilesUniverse
from tiny_tng import toy_groups, write_tree


@pytest.fixture
def settings(tmp_path):
    tree = write_tree(tmp_path / "sim", toy_groups())
    return Settings(universe="files", base_path=str(tree), build_root=str(tmp_path / "build"))


@pytest.fixture(scope="module")
def real(shared_data):
    return FilesUniverse(shared_data / "tng100_catalogue_subset" / "output")


def test_paper_keeps_a_satellite_whose_parent_is_the_central(settings):
    table, funnel = select(FilesUniverse(settings.base_path))
    assert funnel.counts == {"all": 4, "mass": 4, "sfr": 3, "central": 3, "flag": 2}
    assert table["subhalo_id"].tolist() == [0, 1]
    assert table["is_true_central"].tolist() == [True, False]


def test_true_centrals(settings):
    table, funnel = select(FilesUniverse(settings.base_path), Criteria(centrals="true"))
    assert funnel.counts == {"all": 4, "mass": 4, "sfr": 3, "central": 1, "flag": 1}
    assert table["subhalo_id"].tolist() == [0]


def test_limits_are_included_and_physical(settings):
    universe = FilesUniverse(settings.base_path)
    m_star = select(universe, Criteria(sfr_min=0, centrals="any", cosmological=False))[0]["m_star"].to_value(u.Msun)
    assert m_star == pytest.approx(2e10 / HUBBLE, rel=1e-5)
    low = float(m_star.min())
    assert select(universe, Criteria(m_star_min=low, sfr_min=0, centrals="any"))[1].counts["mass"] == 4
    above = np.nextafter(float(m_star.max()), np.inf)
    assert select(universe, Criteria(m_star_min=above, sfr_min=0, centrals="any"))[1].counts["mass"] == 0


def test_wind_is_not_stellar_mass(settings):
    table, _ = select(FilesUniverse(settings.base_path))
    assert table["n_stars"][0] == 420
    assert table["m_star"][0].to_value(u.Msun) == pytest.approx(400 * 5e7 / HUBBLE, rel=1e-5)


def test_file_is_bit_equal_and_keeps_units_and_provenance(settings, tmp_path):
    first, second = tmp_path / "a.ecsv", tmp_path / "b.ecsv"
    select_to_file(FilesUniverse(settings.base_path), first, Criteria())
    select_to_file(FilesUniverse(settings.base_path), second, Criteria())
    assert first.read_bytes() == second.read_bytes()
    table = load.sample(settings)
    fresh, funnel = select(FilesUniverse(settings.base_path))
    assert table["m_star"].unit == u.Msun
    assert table["position"].shape == (2, 3)
    for name in fresh.colnames:
        np.testing.assert_array_equal(np.asarray(table[name]), np.asarray(fresh[name]))
    assert table.meta["criteria"] == Criteria().model_dump()
    assert table.meta["funnel"] == funnel.counts
    assert table.meta["universe_identity"] == FilesUniverse(settings.base_path).header.identity


def test_nothing_left_is_an_error_that_shows_the_funnel(settings, tmp_path):
    with pytest.raises(SampleError, match=r"no galaxy of TNG100-1 passes[\s\S]*SFR >= 1e[+]06"):
        select_to_file(FilesUniverse(settings.base_path), tmp_path / "x.ecsv", Criteria(sfr_min=1e6))
    assert not (tmp_path / "x.ecsv").exists()


def test_file_must_be_ecsv(settings, tmp_path):
    with pytest.raises(SampleError, match=r"must be named \.ecsv"):
        select_to_file(FilesUniverse(settings.base_path), tmp_path / "x.csv", Criteria())


def test_criteria_are_checked():
    with pytest.raises(ValidationError, match="not below"):
        Criteria(m_star_min=2, m_star_max=1)
    with pytest.raises(ValidationError):
        Criteria(central="paper")


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        (Criteria(), [101, 56, 55, 55]),
        (Criteria(centrals="true"), [101, 56, 27, 27]),
        (Criteria(aperture="2rhalf"), [93, 48, 48, 48]),
        (Criteria(aperture="2rhalf", centrals="true"), [93, 48, 27, 27]),
        (Criteria(m_star_min=1e10 / HUBBLE**2), [82, 39, 39, 39]),
    ],
)
def test_funnel_on_real_rows(real, criteria, expected):
    table, funnel = select(real, criteria)
    assert list(funnel.counts.values()) == [9002, *expected]
    assert len(table) == expected[-1]


def test_real_true_centrals_are_a_subset_of_the_papers(real):
    paper, _ = select(real)
    true, _ = select(real, Criteria(centrals="true"))
    assert set(true["subhalo_id"]) == set(paper["subhalo_id"][paper["is_true_central"]])
