"""The targets file: right masses, the same bytes again, and no galaxy lost in silence."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from dmlib import embedded, load
from dmlib import targets as module
from dmlib.galaxy import load_galaxy
from dmlib.settings import RADII_KPC, Settings
from dmlib.targets import TargetsError, baseline_errors, build, count_noise, poisson_error, read_targets
from tiny_tng import TinyGroup, TinySubhalo, gas, stars, toy_groups, write_tree


def settings_for(tmp_path, groups=None) -> Settings:
    tree = write_tree(tmp_path / "sim", groups or toy_groups())
    return Settings(universe="files", base_path=str(tree), build_root=str(tmp_path / "build"))


@pytest.fixture
def settings(tmp_path):
    return settings_for(tmp_path)


def test_profiles_are_those_of_the_galaxies(settings):
    targets = load.targets(settings)
    universe = load.universe(settings)
    assert targets.subhalo_id.tolist() == [0, 1]
    assert targets.is_true_central.tolist() == [True, False]
    for row, subhalo_id in enumerate(targets.subhalo_id):
        for scope in ("group", "subhalo"):
            expected = load_galaxy(universe, subhalo_id, scope=scope).enclosed_masses()
            for name in ("dm", "stars", "gas"):
                np.testing.assert_allclose(targets.masses[scope][name][row], expected[name], rtol=1e-12)
    np.testing.assert_array_equal(targets.m_dm, targets.masses["group"]["dm"])


def test_satellite_in_its_group_has_the_hosts_matter_too(settings):
    targets = load.targets(settings)
    ratio = targets.masses["group"]["dm"][1, -1] / targets.masses["subhalo"]["dm"][1, -1]
    assert ratio > 2.0


def test_file_says_units_and_origin_and_is_the_same_again(settings):
    load.targets(settings)
    first = settings.targets_path.read_bytes()
    settings.targets_path.unlink()
    build(settings)
    assert settings.targets_path.read_bytes() == first
    with h5py.File(settings.targets_path) as handle:
        assert handle["group/dm"].attrs["unit"] == "Msun"
        assert handle["radii"].attrs["unit"] == "kpc"
        assert handle.attrs["universe_identity"] == load.universe(settings).header.identity
        np.testing.assert_array_equal(handle["radii"][()], RADII_KPC)


def test_killed_run_goes_on_where_it_stopped(settings, monkeypatch):
    load.targets(settings)
    whole = settings.targets_path.read_bytes()
    settings.targets_path.unlink()
    monkeypatch.setattr(module, "_BLOCK", 1)
    real = module._write

    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        build(settings)
    assert not settings.targets_path.exists()
    monkeypatch.setattr(module, "_write", real)
    monkeypatch.setattr(module, "_measure", lambda *_: pytest.fail("measured again"))
    build(settings)
    assert settings.targets_path.read_bytes() == whole
    assert not list(settings.build.glob(".targets.blocks-*"))


def test_galaxy_without_dark_matter_is_set_aside_and_counted(tmp_path):
    groups = toy_groups()
    centre = np.array([50000.0, 50000.0, 50000.0])
    rng = np.random.default_rng(1)
    bare = TinySubhalo(
        centre,
        {
            0: gas(centre + rng.normal(0, 2, (50, 3)), np.full(50, 1e-3)),
            4: stars(centre + rng.normal(0, 2, (400, 3)), np.full(400, 5e-3)),
        },
    )
    targets = load.targets(settings_for(tmp_path, [*groups, TinyGroup([bare])]))
    assert targets.subhalo_id.tolist() == [0, 1]
    assert list(targets.set_aside) == [4]
    assert "no dark matter" in targets.set_aside[4]


def test_damaged_file_is_named(tmp_path):
    (tmp_path / "targets.hdf5").write_bytes(b"not hdf5")
    with pytest.raises(TargetsError, match=r"targets\.hdf5 is not a complete targets file"):
        read_targets(tmp_path / "targets.hdf5")


def test_poisson_error_counts_particles():
    np.testing.assert_allclose(poisson_error(np.array([1e8, 4e8, 0.0]), 1e6), [0.1, 0.05, np.inf])


def test_baselines_of_a_known_spread():
    rng = np.random.default_rng(2)
    ln_mass = 25 + 0.3 * rng.standard_normal((4000, 5))
    errors = baseline_errors(np.exp(ln_mass))
    np.testing.assert_allclose(errors["mean"], 0.3, rtol=0.05)
    np.testing.assert_allclose(errors["random"], 0.3 * np.sqrt(2), rtol=0.05)
    np.testing.assert_allclose(errors["mean_error"], 0.3 / np.sqrt(2 * 4000), rtol=0.2)
    assert errors["used"].tolist() == [4000] * 5


def test_mean_of_the_others_not_of_all():
    mass = np.exp(np.array([[0.0], [0.0], [3.0]]))
    # Left out, the third is predicted as 0 and misses by 3; the others are predicted as 1.5.
    assert baseline_errors(mass)["mean"][0] == pytest.approx(np.sqrt((1.5**2 + 1.5**2 + 3**2) / 3))


def test_galaxies_without_a_particle_inside_are_left_out_there():
    mass = np.exp(np.random.default_rng(3).normal(20, 0.2, (10, 2)))
    mass[0, 0] = 0.0
    assert baseline_errors(mass)["used"].tolist() == [9, 10]
    with pytest.raises(TargetsError, match="needs three"):
        baseline_errors(np.zeros((5, 2)))


def test_counts_of_independent_particles_are_poisson_and_of_ordered_ones_are_not():
    rng = np.random.default_rng(4)
    radii, expected = np.array([1.0, 2.0, 4.0, 8.0]), np.array([8.0, 40.0, 200.0, 1000.0])
    masses = 1e7 * rng.poisson(expected, (30, 100, 4))
    found = count_noise(radii, masses, 1e7)
    assert found.over_poisson.value == pytest.approx(1.0, abs=4 * found.over_poisson.error)
    assert found.over_poisson.error < 0.03
    np.testing.assert_allclose(np.mean(found.relative, axis=0), expected**-0.5, rtol=0.05)
    ordered = 1e7 * np.floor(expected + rng.random((30, 100, 1)))
    assert count_noise(radii, ordered, 1e7).over_poisson.value < 0.3


def test_realised_haloes_scatter_as_poisson_counts():
    """Within 5 per cent, at the particle mass of the profile."""
    settings = Settings(profile="smoke")
    drawn = embedded.population(settings)
    ids = embedded.selected(drawn, settings.selection)[:12]
    masses = embedded.realise(settings, ids, RADII_KPC, 200)
    found = count_noise(RADII_KPC, masses, settings.sizes.m_dm)
    assert found.over_poisson.value == pytest.approx(1.0, abs=0.05)
