"""The benchmark product and the comparison of methods: resumed, rejections stored, the same views for all methods."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from dmlib.bootstrap import Estimate
from dmlib.errors import DmlibError, GalaxyError
from dmlib.evaluation import method_comparison as comparison
from dmlib.networks.predictions import Prediction, Predictions
from dmlib.rotation import benchmark as builder
from dmlib.rotation.benchmark import VARIANTS, read_benchmark
from dmlib.rotation.curve import Reason, Rejection
from dmlib.rotation.fit import Sampling
from dmlib.rotation.measure import ViewMeasurement
from dmlib.rotation.priors import INCLINATION_FLOOR, ConcentrationRelation, Uniform, known
from dmlib.settings import RADII_KPC, Settings
from mock_curves import mock_curve, mock_galaxy

#: Galaxy 3 shows no gas, view 1 of galaxy 5 is refused though it has a curve.
IDS = np.repeat([3, 5, 8], 2)
VIEWS = np.tile([0, 1], 3)


def make_world(monkeypatch, root):
    """A data set of three galaxies, two views each, whose curves are drawn from NFW haloes."""
    curves, truth = {}, np.ones((6, 20))
    made = known(log_m200=Uniform(11.5, 12.5), log_c=Uniform(0.8, 1.1))
    for k, key in enumerate(zip(IDS.tolist(), VIEWS.tolist(), strict=True)):
        curves[key], truth[k] = mock_curve(mock_galaxy(), "nfw", made, np.random.default_rng(key))
    dataset = SimpleNamespace(
        table={"subhalo_id": IDS, "view": VIEWS},
        rows=lambda split: np.arange(6),
        dm_profile=truth,
        attributes={"made_from": "toy"},
        path=Path("toy.hdf5"),
    )
    measured: list[tuple] = []

    def cube(subhalo_id, view):
        if subhalo_id == 3:
            raise GalaxyError("subhalo 3 has no gas.")
        return "cube"

    def measure_view(dataset, observer, subhalo_id, view, *, knowledge, cube):
        measured.append((subhalo_id, view, knowledge))
        curve = SimpleNamespace(mean_inclination=50.0, inclination_err=3.0)
        model = replace(curves[subhalo_id, view], inclination=50.0, inclination_err=3.0, upsilon_disk=0.5)
        reasons = (Rejection(Reason.FACE_ON, 12.0), Rejection(Reason.LOPSIDED, 0.2))
        reasons = reasons if (subhalo_id, view) == (5, 1) else ()
        return ViewMeasurement(curve, model, reasons)

    monkeypatch.setattr(builder, "read_dataset", lambda path: dataset)
    monkeypatch.setattr(builder, "_opened", lambda settings: (dataset, SimpleNamespace(cube=cube)))
    monkeypatch.setattr(builder, "measure_view", measure_view)
    monkeypatch.setattr(builder, "SAMPLING", Sampling(walkers=24, burn=40, block=60, most=60, stages=2, draws=200))
    return SimpleNamespace(settings=Settings(build_root=str(root)), measured=measured, truth=truth)


@pytest.fixture
def world(monkeypatch, tmp_path):
    return make_world(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        made = make_world(patch, tmp_path_factory.mktemp("benchmark"))
        builder.build(made.settings, workers=1)
        return read_benchmark(made.settings.benchmark_path)


def test_every_view_has_a_row_and_every_refusal_a_reason(built):
    assert len(built) == 6 and list(built.methods) == list(VARIANTS)
    found = built["nfw"]
    assert found.accepted.tolist() == [False, False, True, False, True, True]
    assert "no gas" in found.reason[0] and "below 30" in found.reason[3] and found.reason[4] == ""
    assert found.reasons[3] == (Reason.FACE_ON, Reason.LOPSIDED) and found.reasons[4] == ()
    assert np.isnan(found.m_dm[0]).all() and np.isfinite(found.m_dm[3]).all()
    assert found.tried.all() and built["nfw_perfect"].tried.tolist() == [True, True, True, False, True, False]
    assert built.inclination[2] == 50 and np.isnan(built.inclination[0])
    np.testing.assert_allclose(found.m_dm, found.quantiles[:, 2])
    assert np.all(found.sigma_ln[2] > 0) and found.measured[2].any()


def test_a_killed_run_goes_on(world, monkeypatch):
    whole = builder._measure

    def killed(settings, blocks, galaxy):
        if galaxy[0] == 8:
            raise KeyboardInterrupt
        whole(settings, blocks, galaxy)

    monkeypatch.setattr(builder, "_measure", killed)
    with pytest.raises(KeyboardInterrupt):
        builder.build(world.settings, workers=1)
    assert not world.settings.benchmark_path.exists()
    monkeypatch.setattr(builder, "_measure", whole)
    world.measured.clear()
    builder.build(world.settings, workers=1)
    assert {key[0] for key in world.measured} == {8}
    assert not list(world.settings.benchmark_path.parent.glob(".benchmark.blocks-*"))
    assert read_benchmark(world.settings.benchmark_path)["nfw"].accepted.sum() == 3


def test_the_same_seed_gives_the_same_numbers(world, built):
    builder.build(world.settings, workers=1)
    again = read_benchmark(world.settings.benchmark_path)
    np.testing.assert_array_equal(again["burkert"].quantiles, built["burkert"].quantiles)


def test_priors_of_the_variants():
    model = replace(mock_galaxy(), upsilon_disk=1.0, inclination=50.0, inclination_err=3.0)
    observed, perfect, told = (VARIANTS[name].priors(model) for name in ("nfw", "nfw_perfect", "nfw_lcdm"))
    assert observed.inclination.sigma == pytest.approx(np.hypot(3, INCLINATION_FLOOR))
    assert observed.log_upsilon_disk.mean == 0 and observed.log_upsilon_disk.sigma == 0.1
    assert perfect.inclination is None and perfect.log_upsilon_disk is None
    assert told.log_c == ConcentrationRelation() and told.stellar_to_halo and not observed.stellar_to_halo


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "benchmark.hdf5"
    with h5py.File(path, "w") as handle:
        handle["radii"] = RADII_KPC
    with pytest.raises(DmlibError, match="benchmark"):
        read_benchmark(path)


def predictions(built, factor: float, **changes) -> Predictions:
    """A network that errs by a factor everywhere."""
    one = Prediction("C/all", factor * built.truth, np.full((6, 20), 0.1), None, {})
    given = {"truth": built.truth, "radii": built.radii, "subhalo_id": built.subhalo_id, "view": built.view}
    given |= {"rows": built.rows, **changes}
    return Predictions(Path("predictions.hdf5"), groups={"C/all": one}, **given)


def test_the_comparison_measures_what_was_put_in(built):
    match = comparison.assemble(built, predictions(built, 1.05), "C", {"C/all": "network"})
    assert match.accepted.sum() == 3 and list(match.of("network")) == ["C/all"]
    np.testing.assert_allclose(match.error("C/all", match.accepted, 1).value, 0.05, rtol=1e-9)
    np.testing.assert_allclose(match.delta_mse("C/all", match.accepted, 1).value, 0.05, rtol=1e-9)
    curve = match.error("nfw", match.accepted, 1).value
    duel = match.difference("C/all", "nfw", match.accepted, 1)
    np.testing.assert_allclose(duel.value, 0.05 - curve, rtol=1e-9)
    shares = comparison.coverages(match, built, ("nfw", "C/all"), match.accepted, 1)
    np.testing.assert_allclose(shares["C/all"][68].value, 1.0)
    q = built["nfw"].quantiles[match.accepted]
    expected = ((q[:, 1] < built.truth[match.accepted]) & (built.truth[match.accepted] < q[:, 3])).mean(axis=0)
    np.testing.assert_allclose(shares["nfw"][68].value, expected)


def test_each_reason_counts_once_per_view(built):
    match = comparison.assemble(built, predictions(built, 1.0), "C", {"C/all": "network"})
    assert comparison.count_reasons(match) == {"other": 2, "too face-on": 1, "lopsided": 1}


def test_other_views_are_refused(built):
    with pytest.raises(DmlibError, match="same views"):
        comparison.assemble(built, predictions(built, 1.0, rows=built.rows[::-1]), "C", {"C/all": "network"})


def test_verdicts():
    value, error = np.array([-0.3, -0.1, 0.05, 0.4]), np.array([0.1, 0.1, 0.1, 0.1])
    won = comparison.winners(Estimate(value, error, value - error, value + error))
    assert won.tolist() == [-1, 0, 0, 1]
    spans = comparison.spans(np.array([1.0, 2.0, 4.0, 8.0]), won, ("network", "curve"))
    assert spans == [("1 kpc", "network"), ("2 to 4 kpc", "undecided"), ("8 kpc", "curve")]
