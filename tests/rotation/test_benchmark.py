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
from dmlib.evaluation import comparison_rows
from dmlib.evaluation import method_comparison as comparison
from dmlib.evaluation.hybrid import combine
from dmlib.networks.predictions import Known, Prediction, Predictions
from dmlib.rotation import benchmark as builder
from dmlib.rotation import population
from dmlib.rotation.benchmark import read_benchmark
from dmlib.rotation.curve import Reason, Rejection
from dmlib.rotation.fit import Importance
from dmlib.rotation.measure import ViewMeasurement
from dmlib.rotation.population import VARIANTS, Population
from dmlib.rotation.priors import INCLINATION_FLOOR, ConcentrationRelation, MassFunction, Uniform, known
from dmlib.settings import RADII_KPC, Settings
from mock_curves import mock_curve, mock_galaxy, mock_population

#: Galaxy 3 shows no gas, view 1 of galaxy 5 is refused though it has a curve; galaxy 9 is there for validation.
IDS = np.repeat([3, 5, 8, 9], 2)
VIEWS = np.tile([0, 1], 4)
SPLITS = {"test": np.arange(6), "validation": np.arange(6, 8)}


def make_world(monkeypatch, root):
    """A data set of four galaxies, two views each, whose curves are drawn from NFW haloes."""
    curves, truth = {}, np.ones((8, 20))
    made = known(log_m200=Uniform(11.5, 12.5), log_c=Uniform(0.8, 1.1))
    for k, key in enumerate(zip(IDS.tolist(), VIEWS.tolist(), strict=True)):
        curves[key], truth[k] = mock_curve(mock_galaxy(), "nfw", made, np.random.default_rng(key))
    dataset = SimpleNamespace(
        table={"subhalo_id": IDS, "view": VIEWS},
        rows=lambda split: SPLITS[split],
        dm_profile=truth,
        made_from="toy",
        path=Path("toy.hdf5"),
    )
    measured: list[tuple] = []

    def cube(subhalo_id, view):
        if subhalo_id == 3:
            raise GalaxyError("subhalo 3 has no gas.")
        return "cube"

    def measure_view(dataset, observer, subhalo_id, view, *, knowledge, cube):
        measured.append((subhalo_id, view, knowledge))
        curve = SimpleNamespace(mean_inclination=50.0, inclination_err=3.0, beams_across=6.0)
        masses = {"upsilon_disk": 0.5, "upsilon_bulge": 1.0, "m_disk": 2e10, "m_bulge": 0.0}
        model = replace(curves[subhalo_id, view], inclination=50.0, inclination_err=3.0, **masses)
        reasons = (Rejection(Reason.FACE_ON, 12.0), Rejection(Reason.LOPSIDED, 0.2))
        reasons = reasons if (subhalo_id, view) == (5, 1) else ()
        return ViewMeasurement(curve, model, reasons)

    monkeypatch.setattr(builder, "read_dataset", lambda path: dataset)
    monkeypatch.setattr(builder, "_opened", lambda settings: (dataset, SimpleNamespace(cube=cube)))
    monkeypatch.setattr(builder, "measure_view", measure_view)
    monkeypatch.setattr(builder, "learn", lambda dataset, targets: mock_population())
    monkeypatch.setattr(builder, "read_targets", lambda path: None)
    monkeypatch.setattr(population, "SAMPLING", Importance(first=1000, each=600, last=800, draws=200))
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
    assert built.beams[2] == 6 and built.last_radius[2] == 18
    assert len(built.validation) == 2 and built.validation.subhalo_id.tolist() == [9, 9]
    assert built.validation["nfw"].accepted.all() and not built.validation["nfw_perfect"].tried.any()
    np.testing.assert_allclose(found.m_dm, found.quantiles[:, 2])
    assert np.all(found.sigma_ln[2] > 0) and found.measured[2].any()


def test_a_killed_run_goes_on(world, monkeypatch):
    whole = builder._measure

    def killed(settings, blocks, *given):
        galaxy = given[-1]
        if galaxy[0] == "8":
            raise KeyboardInterrupt
        return whole(settings, blocks, *given)

    monkeypatch.setattr(builder, "_measure", killed)
    with pytest.raises(KeyboardInterrupt):
        builder.build(world.settings, workers=1)
    assert not world.settings.benchmark_path.exists()
    monkeypatch.setattr(builder, "_measure", whole)
    world.measured.clear()
    builder.build(world.settings, workers=1)
    assert {key[0] for key in world.measured} == {8, 9}
    assert not list(world.settings.benchmark_path.parent.glob(".benchmark.blocks-*"))
    assert read_benchmark(world.settings.benchmark_path)["nfw"].accepted.sum() == 3


def test_the_same_seed_gives_the_same_numbers(world, built):
    builder.build(world.settings, workers=1)
    again = read_benchmark(world.settings.benchmark_path)
    np.testing.assert_array_equal(again["burkert"].quantiles, built["burkert"].quantiles)


def test_a_curve_weighs_the_same_whether_or_not_geometry_and_baryons_are_known(world, monkeypatch):
    """Otherwise the step from observed to known also contains the weight of the curve."""
    fitted, whole = [], Population.fit

    def fit(self, model, priors, **how):
        fitted.append((priors.inclination is None, priors.trust))
        return whole(self, model, priors, **how)

    monkeypatch.setattr(Population, "fit", fit)
    monkeypatch.setattr(builder, "stretch", lambda *given: {"measured": 2.0})
    builder.build(world.settings, workers=1)
    found = read_benchmark(world.settings.benchmark_path)
    assert found.population.trust == 0.25 and found.curve.shape == (6, 6, builder.MOST_RINGS)
    # The two validation views set the trust; those of the test are fitted once, with it.
    for known_exactly, before, after in ((False, 2, 6), (True, 0, 2)):
        trusts = [trust for exact, trust in fitted if exact == known_exactly]
        assert trusts == [1.0] * before + [0.25] * after
    for own, nfw in (("population", "nfw"), ("population_perfect", "nfw_perfect")):
        ours, same = found[own], found[nfw]
        assert ours.reasons == same.reasons and ours.reason.tolist() == same.reason.tolist()
        for column in ("tried", "accepted", "measured"):
            np.testing.assert_array_equal(getattr(ours, column), getattr(same, column))
        fitted_here = np.isfinite(same.quantiles).all(axis=(1, 2))
        np.testing.assert_array_equal(np.isfinite(ours.quantiles).all(axis=(1, 2)), fitted_here)
        np.testing.assert_array_equal(ours.seconds > 0, fitted_here)
        assert ours.converged[fitted_here].any()


def test_priors_of_the_variants(monkeypatch):
    model = replace(mock_galaxy(), upsilon_disk=1.0, m_disk=2e10, m_bulge=0.0, inclination=50.0, inclination_err=3.0)
    used = {}
    monkeypatch.setattr(population, "fit", lambda model, halo, priors, **how: (model, halo, priors))
    monkeypatch.setattr(Population, "fit", lambda self, model, priors, **how: (model, "contracted", priors))
    for name, variant in VARIANTS.items():
        used[name] = variant.fit(model, mock_population(), 1)
    observed, perfect, told = (used[name][2] for name in ("nfw", "nfw_perfect", "nfw_lcdm"))
    assert observed.inclination.sigma == pytest.approx(np.hypot(3, INCLINATION_FLOOR))
    assert observed.log_upsilon_disk.mean == 0 and observed.log_upsilon_disk.sigma == 0.1
    assert perfect.inclination is None and perfect.log_upsilon_disk is None
    assert told.log_c == ConcentrationRelation() and told.stellar_to_halo and not observed.stellar_to_halo
    assert told.log_m200 == MassFunction() and observed.log_m200 == Uniform(9.0, 14.0)
    of_the_whole, halo, learned = used["population"]
    assert halo == "contracted" and learned.log_m200 == mock_population().log_m200 and not learned.stellar_to_halo
    assert np.all(of_the_whole.v_gas > model.v_gas)
    # What is known exactly already includes the gas that is not seen.
    np.testing.assert_array_equal(used["population_perfect"][0].v_gas, model.v_gas)


def test_a_stored_curve_is_the_mass_model(built):
    model = built.model(2)
    assert len(model.radius) == 14 and model.radius[-1] == 18.0 and model.m_disk == 2e10
    assert model.inclination == 50 and np.all(model.v_disk > 0) and model.upsilon_disk == 1.0
    with pytest.raises(GalaxyError, match="subhalo 3"):
        built.model(0)


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "benchmark.hdf5"
    with h5py.File(path, "w") as handle:
        handle["radii"] = RADII_KPC
    with pytest.raises(DmlibError, match="benchmark"):
        read_benchmark(path)


def predictions(built, factor: float, **changes) -> Predictions:
    """A network that errs by a factor everywhere."""
    known = Known(built.validation.rows, np.log(factor * built.validation.truth), np.full((2, 20), 0.1))
    told = {"calibration_correlation": np.full((20, 20), 0.9) + 0.1 * np.eye(20)}
    one = Prediction("C/all", factor * built.truth, np.full((6, 20), 0.1), None, told, validation=known)
    given = {"truth": built.truth, "radii": built.radii, "subhalo_id": built.subhalo_id, "view": built.view}
    given |= {"rows": built.rows, **changes}
    return Predictions(Path("predictions.hdf5"), groups={"C/all": one}, **given)


def test_the_comparison_measures_what_was_put_in(built):
    match = comparison.assemble(built, predictions(built, 1.05), "C", {"C/all": "network"})
    assert match.accepted.sum() == 3 and list(match.of("network")) == ["C/all"]
    scores = match.scores(match.accepted)
    np.testing.assert_allclose(scores.at_radii("C/all").value, 0.05, rtol=1e-9)
    np.testing.assert_allclose(scores.at_radii("C/all", "relative2", root=True).value, 0.05, rtol=1e-9)
    curve = scores.at_radii("nfw").value
    duel = scores.difference("C/all", "nfw")
    np.testing.assert_allclose(duel.value, 0.05 - curve, rtol=1e-9)
    shares = comparison.coverages(match, ("nfw", "C/all"), match.accepted)
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
    won = Estimate(value, error, value - error, value + error).sign()
    assert won.tolist() == [-1, 0, 0, 1]
    spans = comparison.spans(np.array([1.0, 2.0, 4.0, 8.0]), won, ("network", "curve"))
    assert spans == [("1 kpc", "network"), ("2 to 4 kpc", "undecided"), ("8 kpc", "curve")]


def test_the_hybrid_lies_between_curve_and_network(built):
    """A network that is right to a tenth narrows what the curve leaves open; views without a curve have none."""
    network = predictions(built, 1.05)["C/all"]
    found, again = combine(built, {"both": network, "again": network}).values()
    assert (found.title, again.title) == ("both", "again") and np.array_equal(found.test, again.test, equal_nan=True)
    assert np.isnan(found.test[:2]).all() and np.isfinite(found.test[2:]).all() and np.isfinite(found.validation).all()
    alone, rows = built["nfw"], slice(2, None)
    width = 0.5 * np.log(found.test[rows, 3] / found.test[rows, 1])
    assert np.all(width[:, -1] < 0.13) and np.all(width[:, -1] < alone.sigma_ln[rows, -1])
    assert np.all(np.abs(np.log(found.test[rows, 2] / built.truth[rows])) < 0.35)
    match = comparison.assemble(built, predictions(built, 1.05), "C", {"C/all": "network"}, {"hybrid": found})
    assert list(match.of("hybrid")) == ["hybrid"]
    with pytest.raises(DmlibError, match="validation"):
        combine(built, {"both": replace(network, validation=None)})


def test_regimes_share_the_radii_of_a_curve(built):
    places = built.places
    total = sum(place.astype(int) for place in places.values())
    assert np.all(total[2:] == 1) and not total[:2].any()
    np.testing.assert_array_equal(places["measured"][2], built["nfw"].measured[2])


def test_stretched_intervals_cover_what_they_state():
    """Intervals that are 2.5 times too narrow on one side of a bias-free method cover 68 per cent afterwards."""
    rng = np.random.default_rng(1)
    sigma = 0.1 * np.array([-1.96, -1, 0, 1, 1.96])[:, None] * np.ones((1, 20))
    q = np.exp(26 + sigma) * np.ones((400, 1, 1))
    places = {"measured": np.tile(np.arange(20) < 10, (400, 1)), "beyond": np.tile(np.arange(20) >= 10, (400, 1))}
    truth = np.exp(26 + np.where(places["measured"], 0.25, 0.1) * rng.normal(size=(400, 20)))
    half = np.arange(400) < 200
    factors = population.stretch(truth, q, places, half)
    assert factors["measured"] == pytest.approx(2.5, abs=0.15) and factors["beyond"] == pytest.approx(1.0, abs=0.06)
    wide = population.stretched(q, places, factors)
    inside = (wide[:, 1] < truth) & (truth < wide[:, 3])
    assert inside[~half].mean() == pytest.approx(0.68, abs=0.03)
    np.testing.assert_allclose(wide[:, 2], q[:, 2])
    few = population.stretch(truth, q, places, np.arange(400) < population.FEWEST_VIEWS - 1)
    assert set(few.values()) == {1.0}


def test_a_long_curve_stretches_no_more_than_a_short_one():
    """Coverage is a mean over views; the factor must be one too, although one kind of view has nine times the radii."""
    rng = np.random.default_rng(2)
    q = np.exp(26 + 0.1 * np.array([-1.96, -1, 0, 1, 1.96])[:, None] * np.ones((1, 20))) * np.ones((600, 1, 1))
    long = np.arange(600) % 2 == 0
    places = {"measured": np.where(long[:, None], np.arange(20) < 18, np.arange(20) < 2)}
    truth = np.exp(26 + np.where(long, 0.3, 0.1)[:, None] * rng.normal(size=(600, 20)))
    factors = population.stretch(truth, q, places, np.ones(600, dtype=bool), by_view=True)
    wide = population.stretched(q, places, factors)
    assert factors["measured"] < population.stretch(truth, q, places, np.ones(600, dtype=bool))["measured"] - 0.3
    inside = np.where(places["measured"], (wide[:, 1] < truth) & (truth < wide[:, 3]), np.nan)
    assert np.nanmean(np.nanmean(inside, axis=1)) == pytest.approx(0.683, abs=0.005)


def test_a_duel_counts_only_what_both_answer(built):
    match = comparison.assemble(built, predictions(built, 1.05), "C", {"C/all": "network"})
    everything = np.ones(6, dtype=bool)
    error, ratio, n = comparison.duel(match, "C/all", "nfw", everything, "measured")
    assert n == 2 and error.value == pytest.approx(0.05)
    other, _, _ = comparison.duel(match, "nfw", "C/all", everything, "measured")
    assert ratio.value == pytest.approx(0.05 / other.value)


def test_matched_groups_have_the_same_distribution():
    """Two groups whose errors depend on the inclination alone, seen at different inclinations, do not differ."""
    rng = np.random.default_rng(4)
    angle = np.concatenate([rng.normal(65, 10, 300), rng.normal(50, 15, 900)])
    first = np.arange(1200) < 300
    weights = comparison.matched(first, ~first, angle)
    error = angle / 50
    plain = error[first].mean() / error[~first].mean()
    fair = np.average(error, weights=weights[0]) / np.average(error, weights=weights[1])
    assert plain > 1.2 and fair == pytest.approx(1.0, abs=0.02)
    assert weights[0].sum() == pytest.approx(weights[1].sum())


def test_a_duel_with_weights_is_that_of_repeated_views(built):
    """The network errs by 5 per cent on one accepted view and by 10 on the other, which counts three times."""
    network = predictions(built, 1.05)
    first, second = 2, 3  # of two galaxies, accepted
    mass = network["C/all"].m_dm * np.where(np.arange(6)[:, None] == second, 1.1 / 1.05, 1.0)
    changed = replace(network, groups={"C/all": replace(network["C/all"], m_dm=mass)})
    match = comparison.assemble(built, changed, "C", {"C/all": "network"})
    weights = np.zeros(6)
    weights[[first, second]] = 1.0, 3.0
    error, ratio, _ = comparison.duel(match, "C/all", "nfw", weights)
    assert error.value == pytest.approx((0.05 + 3 * 0.10) / 4)
    other = match.over("nfw")
    assert ratio.value == pytest.approx((0.05 + 3 * 0.10) / (other[first] + 3 * other[second]))
    alone = (np.arange(6) == first).astype(float)
    found, n = comparison.duel_difference(match, "C/all", "nfw", (weights, alone))
    assert found.value == pytest.approx(ratio.value - 0.05 / other[first]) and n == 1
    same, _ = comparison.duel_difference(match, "C/all", "nfw", (weights, weights))
    assert same.value == 0 and same.error == 0


def test_rows_to_record_are_finite_and_named(built):
    """Also where a test set is so small that a group is empty: then n is 0."""
    titles = {"C/all": "network"}
    match = comparison.assemble(built, predictions(built, 1.05), "C", titles, ideal={"observed": 1.02 * built.truth})
    yes, names = match.judged(), ("nfw", "population", "C/all", "floor")
    errors, numbers = comparison.errors_by_regime(match, names, yes)
    listed = comparison.error_table(match, ["C/all", "floor"], yes, [0, 19])
    assert listed == [("network", "5.0 ± 0.0", "5.0 ± 0.0"), (match.entries["floor"].title, "2.0 ± 0.0", "2.0 ± 0.0")]
    by_regime = {row[0]: row[1:] for row in comparison.regime_table(match, errors)}
    assert list(by_regime) == [match.entries[name].title for name in names]
    assert by_regime["network"] == 3 * ("5.0 ± 0.0",)
    groups = {"winner": yes, "winner-nobody": np.zeros(6, dtype=bool)}
    alike = {"disturbed": (yes, ~yes, "some over others")}
    rows = [
        *comparison_rows.error_rows(match, errors, numbers, "one"),
        *comparison_rows.ratio_rows(match, "C/all", "population", groups, None),
        *comparison_rows.ratio_rows(match, "floor", "population", {"contest-floor-over-curve": yes}, None),
        *comparison_rows.ratio_difference_rows(match, "C/all", "population", "less", (yes, ~yes), "some less others"),
        *comparison_rows.coverage_rows(match, ["population", "C/all"], yes, numbers, "one"),
        *comparison_rows.matched_rows(match, {"ratio": "C/all"}, alike, np.arange(6.0)),
        *comparison_rows.matched_rows(match, {"ratio-inner": "C/all"}, alike, np.arange(6.0), "inner"),
        *comparison_rows.perfect_rows(match, ["nfw"], match.judged(match.perfect), (5.0, 20.0), "one"),
    ]
    found = {row["id"]: row for row in rows}
    assert len(found) == len(rows) and all(np.isfinite([row["value"].value, row["value"].error]).all() for row in rows)
    assert found["contest-network-measured"]["value"].value == pytest.approx(0.05)
    assert found["contest-floor-beyond"]["value"].value == pytest.approx(0.02)
    ratio = found["winner-measured"]["value"].value * found["contest-population-measured"]["value"].value
    assert ratio == pytest.approx(0.05) and found["winner-measured"]["n"] == 2
    # The floor in the measure of the claim: over the same fit, on the same views.
    least = found["contest-floor-over-curve-measured"]
    assert least["value"].value == pytest.approx(0.4 * found["winner-measured"]["value"].value)
    assert least["n"] == 2 and "views:" not in least["statement"]
    assert found["winner-nobody-all"]["n"] == 0 and "nobody" in found["winner-nobody-all"]["statement"]
    assert {"winner-inside-beam", "winner-beyond", "no-assumption-disturbed-ratio", "contest-perfect-nfw"} <= set(found)
    assert found["contest-cover-population-measured-stated"]["unit"] == "%"
    # The network errs by half of the standard deviation that it states; nothing of it is stretched.
    assert found["contest-cover-network-beyond"]["value"].value == 100
    assert "contest-cover-network-beyond-stated" not in found
    assert "1 to 5 kpc" in found["no-assumption-disturbed-ratio-inner"]["statement"]
    assert "all radii" in found["no-assumption-disturbed-ratio"]["statement"]


def test_errors_of_two_groups_are_compared_over_the_radii_asked_for(built):
    """A network that errs by 5 per cent, on one group within 5 kpc by 10."""
    network = predictions(built, 1.05)
    some = np.array([False, False, True, True, False, False])
    mass = network["C/all"].m_dm * np.where(some[:, None] & (built.radii < 5.0), 1.1 / 1.05, 1.0)
    changed = replace(network, groups={"C/all": replace(network["C/all"], m_dm=mass)})
    match = comparison.assemble(built, changed, "C", {"C/all": "network"})
    groups = {"g": (some, ~some, "some over others")}
    for region, ratio in (("inner", 2.0), ("intermediate", 1.0)):
        (row,) = comparison_rows.matched_rows(match, {"r": "C/all"}, groups, np.ones(6), region)
        assert row["value"].value == pytest.approx(ratio)


def test_discs_of_many_beams_are_compared_with_those_of_few(built):
    network = predictions(built, 1.05)
    few, many = (np.isin(np.arange(6), rows) for rows in ([2], [3]))
    mass = network["C/all"].m_dm * np.where(many[:, None], 1.1 / 1.05, 1.0)
    changed = replace(network, groups={"C/all": replace(network["C/all"], m_dm=mass)})
    match = comparison.assemble(built, changed, "C", {"C/all": "network"})
    (row,) = comparison_rows.resolution_rows(match, ["C/all"], few, many, "one")
    assert row["id"] == "contest-beams-network" and row["n"] == 1
    assert row["value"].value == pytest.approx(2.0)
    (row,) = comparison_rows.resolution_rows(match, ["C/all"], few, np.zeros(6, dtype=bool), "one")
    assert row["n"] == 0 and row["value"].value == 1.0 and np.isfinite(row["value"].error)


def test_a_method_without_errors_has_no_coverage(built):
    match = comparison.assemble(
        built, predictions(built, 1.05), "C", {"C/all": "network"}, ideal={"observed": built.truth}
    )
    assert "floor" not in comparison.coverages(match, ("floor", "C/all"), match.accepted)
    with pytest.raises(DmlibError, match="'floor' states no errors"):
        comparison.coverage_in(match, "floor", match.accepted, "beyond")
