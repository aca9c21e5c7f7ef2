"""C without one of its parts, and regressions on the moments that it measures."""

from __future__ import annotations

import numpy as np
import pytest

from dmlib import baselines
from dmlib.baselines import BASELINES, REGRESSIONS
from dmlib.dataset.read import read_dataset
from dmlib.networks import predictions
from dmlib.networks.augment import N_ORIENTATIONS, orient
from dmlib.networks.plan import ABLATIONS, ARCHITECTURES, architecture, plan
from dmlib.settings import Settings
from network_toys import CHANNELS, PIXELS, write_dataset


def layers(model) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def test_an_ablation_lacks_one_branch_and_keeps_the_other():
    whole, no_convolutions, no_apertures = (
        layers(architecture(name).build(CHANNELS, PIXELS)) for name in ("C", "C_no_convolutions", "C_no_apertures")
    )
    assert "Conv2D" in whole and "Apertures" in whole
    assert "Conv2D" not in no_convolutions and "RingMeans" not in no_convolutions
    assert no_convolutions.count("Dense") + no_apertures.count("Dense") == whole.count("Dense") + 1  # both have an end
    assert "Apertures" not in no_apertures and no_apertures.count("Conv2D") == whole.count("Conv2D")


@pytest.mark.parametrize("profile", ["smoke", "quick", "paper"])
def test_ablations_are_trained_as_c_is_and_are_no_architectures_of_the_book(profile):
    entries = {entry.name: entry for entry in plan(Settings(profile=profile))}
    assert not set(ABLATIONS) & set(ARCHITECTURES)
    for name in ABLATIONS:
        assert entries[f"{name}/all"].schedule == entries["C/all"].schedule
        assert entries[f"{name}/all"].inputs == "all"


def test_a_regression_on_the_moments_finds_the_mass_of_painted_galaxies(tmp_path, monkeypatch):
    monkeypatch.setattr(baselines, "_SIZES", ((3, 20), (8, 20)))
    settings = Settings(profile="smoke", build_root=str(tmp_path))
    write_dataset(settings, 40)
    dataset = read_dataset(settings.dataset_path)
    rows = dataset.rows("test")
    task = predictions.aperture_task(dataset, rows, seed=1)
    truth = np.log(dataset.dm_profile[rows][:, 1:])
    scatter = np.std(truth - truth.mean(axis=0))
    for name in REGRESSIONS:
        assert np.sqrt(np.mean((BASELINES[name](task)[:, 1:] - truth) ** 2)) < 0.5 * scatter


def test_the_moments_do_not_depend_on_the_orientation(tmp_path, monkeypatch):
    settings = Settings(profile="smoke", build_root=str(tmp_path))
    write_dataset(settings, 10)
    dataset = read_dataset(settings.dataset_path)
    rows = dataset.rows("test")
    upright = predictions.aperture_moments(dataset, rows)
    inputs = type(dataset).inputs
    for element in range(1, N_ORIENTATIONS):
        monkeypatch.setattr(
            type(dataset), "inputs", lambda *given, e=element, **_: np.ascontiguousarray(orient(inputs(*given), e))
        )
        np.testing.assert_allclose(predictions.aperture_moments(dataset, rows), upright, rtol=1e-3, atol=2e-3)
