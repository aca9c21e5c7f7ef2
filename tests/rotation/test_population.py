"""Priors learned from training galaxies: what was put in comes out, and is read back as it was written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dmlib.errors import DmlibError
from dmlib.rotation import population
from dmlib.rotation.baryons import signed_square
from dmlib.rotation.halos import make
from dmlib.rotation.population import Population, follow, learn
from dmlib.rotation.priors import ProfilePrior
from dmlib.settings import RADII_KPC
from dmlib.targets import read_targets
from dmlib.units import G
from mock_curves import mock_galaxy, mock_population


@pytest.fixture
def model():
    return replace(
        mock_galaxy(), upsilon_disk=1.0, upsilon_bulge=1.0, m_disk=2e10, m_bulge=1e10, inclination=50.0,
        inclination_err=3.0, v_bulge=np.full(14, 40.0),
    )  # fmt: skip


def test_a_profile_is_followed_back_to_its_halo():
    made = make("contracted", 11.8, 0.95, extra=1.3, m_star=10**10.6, r_half=4.0).m_enclosed(RADII_KPC)[0]
    found, misfit = follow(made, 1e2, 10.6, 4.0)
    assert found == pytest.approx([11.8, 0.95, 1.3], abs=0.03)
    assert np.all(np.abs(misfit) < 0.005)
    holes = np.where(RADII_KPC < 2, 0.0, made)
    found, misfit = follow(holes, 1e2, 10.6, 4.0)
    assert found == pytest.approx([11.8, 0.95, 1.3], abs=0.1) and np.isnan(misfit[0])


def test_written_and_read_back():
    one = mock_population()
    assert Population.loads(one.dumps()) == one


def test_gas_that_is_not_seen_is_added_and_the_bulge_joins_the_disc(model):
    full = mock_population().complete(model)
    added = signed_square(full.v_gas) - signed_square(model.v_gas)
    np.testing.assert_allclose(added * model.radius / G, 0.1 * 10**0.1 * 3e10, rtol=1e-9)
    np.testing.assert_allclose(full.v_disk, model.v_stars())
    assert full.m_disk == 3e10 and not full.v_bulge.any()


def test_priors_of_a_galaxy(model):
    one, full = mock_population(), mock_population().complete(model)
    observed, perfect = one.priors(full), one.priors(full, perfect=True)
    assert observed.log_upsilon_disk.mean == 0.1 and observed.log_upsilon_disk.sigma == 0.05
    assert observed.log_m200 == perfect.log_m200 == one.log_m200
    assert perfect.log_upsilon_disk is None and perfect.inclination is None
    told = one.told(full, ProfilePrior(np.full(20, 26.0), 0.04 * np.eye(20)))
    assert np.all(np.diag(told.profile.covariance) > 0.04)
    np.testing.assert_allclose(told.profile.ln_m, 26.02)
    assert told.log_m200 != one.log_m200  # the network has learned that relation, it must not count twice


def test_learned_from_the_embedded_universe(opened, tmp_path, monkeypatch):
    """Five galaxies are too few for a relation, but masses, ratio and gas must be those of galaxies."""
    targets = read_targets(opened.dataset.path.parent / "targets.hdf5")
    with pytest.raises(DmlibError, match="training galaxies"):
        learn(opened.dataset, targets)
    monkeypatch.setattr(population, "FEWEST", 2)
    found = learn(opened.dataset, targets)
    assert found.galaxies == len(np.unique(opened.dataset.table["subhalo_id"][opened.dataset.rows("train")]))
    assert -0.3 < found.upsilon[0] < 0.5 and found.upsilon[1] < 0.3
    assert 0 < found.unseen[10] < found.unseen[-1] < 5
    assert np.all(np.abs(found.offset[6:]) < 0.2) and found.trust == 1.0
    assert 9.9 < found.log_m200.range[0] < found.log_m200.range[1] < 12
