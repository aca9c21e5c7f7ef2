"""The product "posteriors": draws that increase, with a factor that comes from the calibration galaxies alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partialmethod
from typing import ClassVar

import h5py
import numpy as np
import pytest

from dmlib.errors import DmlibError
from dmlib.evaluation import posteriors
from dmlib.evaluation.derived import rising
from dmlib.networks import train
from dmlib.networks.plan import POSTERIOR, Entry, Schedule
from dmlib.settings import Settings
from network_toys import write_dataset

pytest.importorskip("keras")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Iterator[Settings]:
    """Two members and their flows, trained for few epochs and without graphs, and fewer draws than usual."""
    from dmlib.networks.posterior import Flow

    tf = pytest.importorskip("tensorflow")
    # To trace the graphs of six trainings takes a minute, the few steps themselves a second.
    tf.config.run_functions_eagerly(True)
    settings = Settings(profile="smoke", build_root=str(tmp_path_factory.mktemp("posteriors")))
    write_dataset(settings)
    schedule = Schedule(epochs=3, members=2, patience=None, bagging="none")
    posteriors.DRAWS, whole = 60, posteriors.DRAWS
    train.build(settings, entries=[Entry(POSTERIOR, "C_no_convolutions", "all", schedule, head="normal")], workers=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flow, "fit", partialmethod(Flow.fit, epochs=4))
        posteriors.build(settings)
        yield settings
    posteriors.DRAWS = whole
    tf.config.run_functions_eagerly(False)


def test_draws_are_profiles_of_the_test_views(settings):
    found = posteriors.read_posteriors(settings.posteriors_path)
    assert set(found.draws) == set(posteriors.KINDS) == set(found.factors) == set(found.costs)
    for draws in found.draws.values():
        assert draws.shape == (posteriors.DRAWS, len(found.rows), 20)
        assert rising(np.exp(draws - 25.0)).all()
        halves = draws[: len(draws) // 2].mean(axis=0), draws[len(draws) // 2 :].mean(axis=0)
        assert np.abs(halves[0] - halves[1]).max() > 0  # the two members


def test_the_test_galaxies_have_no_part_in_it(settings, tmp_path):
    """Other true masses of the test galaxies leave draws and factors as they are, to the bit."""
    before = posteriors.read_posteriors(settings.posteriors_path)
    with h5py.File(settings.dataset_path, "r+") as handle:
        mass = handle["dm_profile"][()]
        changed = mass.copy()
        changed[before.rows] *= 7.0
        handle["dm_profile"][...] = changed
    try:
        posteriors.build(settings)
        after = posteriors.read_posteriors(settings.posteriors_path)
    finally:
        with h5py.File(settings.dataset_path, "r+") as handle:
            handle["dm_profile"][...] = mass
    np.testing.assert_allclose(after.truth, 7.0 * before.truth)
    for kind in posteriors.KINDS:
        np.testing.assert_array_equal(after.draws[kind], before.draws[kind])
        assert after.factors[kind] == before.factors[kind]
        assert 0.0 <= before.calibration[kind] == after.calibration[kind] < 0.5


def test_the_factor_makes_the_intervals_hold_their_share():
    """Draws that are twice too narrow get about the factor 2, whatever a few absurd galaxies are."""
    rng = np.random.default_rng(1)
    truth = rng.standard_normal((400, 4))
    e = 0.6 * rng.standard_normal((300, 400, 4))
    assert posteriors.best_factor(truth, lambda factor: factor * e) == pytest.approx(1 / 0.6, rel=0.08)
    truth[:8] *= 1e3
    assert posteriors.best_factor(truth, lambda factor: factor * e) == pytest.approx(1 / 0.6, rel=0.12)


@pytest.mark.parametrize(("galaxies", "parts"), [(9, 1), (1, 2)])
def test_validation_galaxies_set_the_factor_only_where_others_are_too_few(galaxies, parts):
    class Views:
        table: ClassVar = {"subhalo_id": np.repeat(np.arange(2 * galaxies), 3)}

        def rows(self, split):
            first = {"calibration": 0, "validation": 3 * galaxies}[split]
            return np.arange(first, first + 3 * galaxies)

    assert len(posteriors.rows_of_calibration(Views())) == parts * 3 * galaxies


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "posteriors.hdf5"
    with h5py.File(path, "w") as handle:
        handle["radii"] = np.arange(20.0)
    with pytest.raises(DmlibError, match=r"posteriors\.hdf5 is not a complete file of posteriors .*remove it"):
        posteriors.read_posteriors(path)
