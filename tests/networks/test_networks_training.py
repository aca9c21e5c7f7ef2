"""Training: reproducible, resumable, without leaks; networks read back, and misused."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import h5py
import numpy as np
import pytest

from dmlib.code import closure
from dmlib.dataset.read import read_dataset
from dmlib.networks import NetworkError, models, predictions, train
from dmlib.networks.opinion import predict_galaxy
from dmlib.networks.plan import ARCHITECTURES, Schedule, plan
from dmlib.pipeline.products import PRODUCTS
from dmlib.pipeline.steps import product_step
from dmlib.settings import Settings
from network_toys import CHANNELS, ENTRIES, SHORT, write_dataset


def views(fit, painted, galaxies, ln_m=None):
    """Views of some galaxies; targets on the scale of the first 20."""
    inputs, truth, galaxy = painted
    ln_m = truth if ln_m is None else ln_m
    rows = np.isin(galaxy, galaxies)
    standard = fit.Standard.of(ln_m[galaxy < 20])
    return fit.Views(inputs[rows], standard.scale(ln_m[rows]), galaxy[rows], standard)


def trained(fit, tiny, painted, schedule=SHORT, **keywords):
    sides = views(fit, painted, range(20)), views(fit, painted, range(20, 30))
    return fit.fit(tiny, CHANNELS, *sides, schedule, 1, **keywords)


@pytest.fixture(scope="session")
def whole(fit, tiny, painted):
    """An uninterrupted training."""
    return trained(fit, tiny, painted)


def same(first, second) -> bool:
    """Whether two trainings have equal weights and equal histories, apart from their time."""
    weights = zip(first[0].get_weights(), second[0].get_weights(), strict=True)
    return all(np.array_equal(x, y) for x, y in weights) and first[1]["val_loss"] == second[1]["val_loss"]


def test_a_seed_gives_the_same_twice(fit, tiny, painted, whole):
    assert same(trained(fit, tiny, painted), whole)
    assert len(whole[1]["loss"]) == 4 and whole[1]["loss"][-1] < whole[1]["loss"][0]


def test_an_interrupted_training_resumes_with_the_same_result(fit, tiny, painted, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(fit, "CHECKPOINT_SECONDS", 0.0)
    done: list[int] = []

    def stop(epochs: int) -> None:
        done.append(epochs)
        if sum(done) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(fit, tiny, painted, checkpoint=tmp_path / "member0", told=stop)
    heard: list[int] = []
    resumed = trained(fit, tiny, painted, checkpoint=tmp_path / "member0", told=heard.append)
    assert heard == [2, 1, 1, 0]
    assert same(resumed, whole)


def test_early_stopping_keeps_the_best_weights(fit, tiny, painted):
    schedule = Schedule(epochs=40, patience=2, learning_rate=0.3, batch=16, bagging="none")
    told: list[int] = []
    model, history = trained(fit, tiny, painted, schedule, told=told.append)
    assert len(history["loss"]) == fit.best_epoch(history) + 3 < 40 == sum(told)
    validation = views(fit, painted, range(20, 30))
    reached = np.mean(fit.masked_mse(validation.targets, fit.predict(model, validation.inputs)))
    assert reached == pytest.approx(min(history["val_loss"]), rel=0.05)  # bfloat16 where the processor has it


def test_values_that_are_not_finite_are_errors(fit, tiny, painted):
    inputs, truth, galaxy = painted
    spoilt = inputs.copy()
    spoilt[3, 5, 5, 0] = np.nan
    with pytest.raises(NetworkError, match="training inputs"):
        trained(fit, tiny, (spoilt, truth, galaxy), name="C/all, member 0")
    with pytest.raises(NetworkError, match="loss"):
        trained(fit, tiny, painted, Schedule(epochs=2, learning_rate=1e38, batch=16), name="C/all, member 0")


def test_one_batch_can_be_overfitted(fit, tiny, painted, monkeypatch):
    for name in [name for name in ARCHITECTURES if name != "tiny"]:
        monkeypatch.delitem(ARCHITECTURES, name)
    step, loss = train.overfit(CHANNELS, views(fit, painted, range(4)), steps=300, seed=1, every=100)["tiny"]
    assert step.tolist() == [0, 100, 200, 300] and loss[-1] < 0.1 * loss[0]


def test_the_batch_to_overfit_spans_the_catalogue(fit):
    """The file is in the order of the catalogue: the first views would all be of massive haloes."""

    class Rows:
        dm_profile = np.exp(np.linspace(30.0, 20.0, 90))[:, None] * np.ones((1, 20))
        table = {"subhalo_id": np.repeat(np.arange(30), 3)}  # noqa: RUF012

        def rows(self, split):
            return np.arange(0, 60)

        def inputs(self, rows):
            return np.zeros((len(rows), 4, 4, 1))

    batch = train.one_batch(Rows(), 12)
    assert batch.galaxy.min() == 0 and batch.galaxy.max() == 19
    assert abs(batch.targets.mean()) < 0.1


def errors(fit, tiny, painted, ln_m) -> np.ndarray:
    """R.m.s. error in ln M of each galaxy, for a network trained on the first 30."""
    schedule = Schedule(epochs=25, patience=None, learning_rate=1e-2, decay="cosine", batch=16, bagging="none")
    sides = (views(fit, painted, galaxies, ln_m) for galaxies in (range(30), range(30, 45)))
    model, _ = fit.fit(tiny, CHANNELS, *sides, schedule, 1)
    standard = fit.Standard.of(ln_m[painted[2] < 20])
    square = (standard.unscale(fit.predict(model, painted[0])) - ln_m) ** 2
    return np.sqrt(square.reshape(60, -1).mean(axis=1))


def test_shuffled_targets_give_the_baselines_error_and_true_ones_generalise(fit, tiny, painted):
    """A smaller error would mean that the answer reached the network by another way than the picture."""
    truth = painted[1]
    order = np.random.default_rng(6).permutation(60)
    shuffled = truth.reshape(60, 3, -1)[order].reshape(truth.shape)
    mean = shuffled[painted[2] < 30].mean(axis=0)
    baseline = np.sqrt(((mean - shuffled) ** 2).reshape(60, -1).mean(axis=1))[45:]
    assert errors(fit, tiny, painted, shuffled)[45:].mean() > 0.9 * baseline.mean()
    found = errors(fit, tiny, painted, truth)
    assert found[45:].mean() < 0.6 * baseline.mean()
    # The error of the validation galaxies also holds for those that had no part in the training.
    scatter = np.hypot(found[30:45].std(), found[45:].std()) / 15**0.5
    assert abs(found[30:45].mean() - found[45:].mean()) < 3.0 * scatter


def test_adding_an_architecture_takes_a_module_and_a_row(built, tiny):
    """`built` has trained it; a profile's plan includes it."""
    entry = next(entry for entry in plan(Settings(profile="smoke")) if entry.architecture == "tiny")
    assert entry.name == "tiny/all" and entry.schedule.epochs == 1
    assert models.read_network(built.models_dir, "tiny/all").card.architecture == "tiny"


def test_a_network_depends_on_the_code_of_its_own_architecture():
    used = {name: closure(["dmlib.networks.fit", ARCHITECTURES[name].module]) for name in ("A", "C")}
    assert "dmlib.networks.architectures.published" in used["A"] and "dmlib.networks.architectures.c" not in used["A"]
    assert all("dmlib.networks.augment" in modules for modules in used.values())
    assert not any("dmlib.networks.plan" in modules for modules in used.values())


def test_an_edited_architecture_makes_the_networks_out_of_date():
    files = {path.name for path in product_step(Settings(profile="smoke"), PRODUCTS["models"]).files}
    assert {"published.py", "b.py", "c.py", "fit.py"} <= files


def test_cards_describe_the_training(fit, built):
    card = models.read_network(built.models_dir, "tiny/hi").card
    assert card.channels == CHANNELS[5:] and card.member == 0 and card.epochs_run == 2
    assert card.galaxies == {"train": 4, "validation": 4, "train_views": 12, "distinct": card.galaxies["distinct"]}
    drawn = fit.galaxy_counts(np.repeat(np.arange(4), 3), "bootstrap", card.seed)
    assert card.galaxies["distinct"] == np.count_nonzero(drawn) / 3
    assert card.dataset["universe_identity"] == "1" * 64 and len(card.key) == 64
    histories = models.read_histories(built.models_dir, "tiny/all")
    assert len(histories) == 2 and all(len(h["loss"]) == len(h["val_loss"]) == 4 for h in histories)
    assert list(models.read_index(built.models_dir)) == ["tiny/all", "tiny/hi"]
    assert not list(built.models_dir.rglob("*checkpoint*"))


def test_the_target_scales_come_from_the_training_galaxies(built):
    dataset = read_dataset(built.dataset_path)
    ln_m = np.log(np.where(dataset.dm_profile > 0, dataset.dm_profile, np.nan))[dataset.rows("train")]
    np.testing.assert_allclose(models.read_network(built.models_dir, "tiny/all").card.mean, np.nanmean(ln_m, axis=0))


def test_finished_members_are_kept(built, monkeypatch):
    dataset = read_dataset(built.dataset_path)
    assert all(job.is_finished for job in train.make_jobs(built, dataset, ENTRIES))
    longer = [dataclasses.replace(ENTRIES[0], schedule=dataclasses.replace(SHORT, epochs=5))]
    assert not any(job.is_finished for job in train.make_jobs(built, dataset, longer))
    trained_now = []
    monkeypatch.setattr(train, "train_member", lambda job, told: trained_now.append(job))
    train.build(built, entries=ENTRIES, workers=1)
    assert trained_now == []


def test_predictions(built):
    found = predictions.read_predictions(built.predictions_path)
    dataset = read_dataset(built.dataset_path)
    rows = dataset.rows("test")
    assert list(found.groups) == ["tiny/all", "tiny/hi"] and len(rows) == 12
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_array_equal(found.truth, dataset.dm_profile[rows])
    one = found["tiny/all"]
    networks = models.read_ensemble(built.models_dir, "tiny/all")
    members = np.stack([network.predict_ln(dataset.inputs(rows, network.channels)) for network in networks])
    np.testing.assert_allclose(one.members_ln, members, rtol=1e-5)
    np.testing.assert_allclose(one.m_dm, np.exp(members.mean(axis=0)), rtol=1e-4)
    assert one.sigma_ln.shape == (12, 20) and (one.sigma_ln > 0).all()
    assert one.attributes["calibrated_on"] == "calibration"
    other = found["tiny/hi"]  # nobody asks for its errors
    assert (other.sigma_ln, other.calibration, other.validation) == (None, None, None)
    with pytest.raises(NetworkError, match="D/all"):
        found["D/all"]


def test_an_ensemble_with_errors_also_predicts_the_calibration_and_the_validation_views(built, monkeypatch):
    monkeypatch.setattr(predictions, "_CALIBRATED", ("tiny/all",))
    dataset, name = read_dataset(built.dataset_path), "tiny/all"
    entry = models.read_index(built.models_dir)[name]
    one = predictions.predict_ensemble(built.models_dir, dataset, dataset.rows("test"), name, entry)
    networks = models.read_ensemble(built.models_dir, name)
    for part in ("calibration", "validation"):
        known = getattr(one, part)
        np.testing.assert_array_equal(known.rows, dataset.rows(part))
        answers = np.stack([network.predict_ln(dataset.inputs(known.rows, network.channels)) for network in networks])
        np.testing.assert_allclose(known.ln_m, answers.mean(axis=0), rtol=1e-5)
        truth = np.log(np.where(dataset.dm_profile > 0, dataset.dm_profile, np.nan))[known.rows]
        floor, factor = predictions.calibrate(answers, truth)
        ours = np.allclose(known.sigma_ln, predictions.sigma_ln(answers, floor, factor), rtol=1e-3)
        assert ours == (part == "calibration")


def test_few_calibration_galaxies_are_replaced_by_those_for_validation(built, tmp_path, monkeypatch):
    monkeypatch.setattr(predictions, "_CALIBRATED", ("tiny/all",))
    few = Settings(profile="smoke", build_root=str(tmp_path))
    write_dataset(few)
    with h5py.File(few.dataset_path, "r+") as handle:
        split, galaxy = handle["split"][()], handle["subhalo_id"][()]
        split[(split == 3) & (galaxy > 3)] = 0
        handle["split"][...] = split
    dataset, name = read_dataset(few.dataset_path), "tiny/all"
    entry = models.read_index(built.models_dir)[name]
    found = predictions.predict_ensemble(built.models_dir, dataset, dataset.rows("test"), name, entry)
    assert found.attributes["calibrated_on"] == "validation"
    known = np.log(np.where(dataset.dm_profile > 0, dataset.dm_profile, np.nan))[found.validation.rows]
    error = np.sqrt(np.nanmean((found.validation.ln_m - known) ** 2, axis=0))
    np.testing.assert_allclose(found.attributes["calibration_rms_ln"], error)


def test_the_test_galaxies_have_no_part_in_the_error(built, tmp_path, monkeypatch):
    """Other truths for the test galaxies change neither a prediction nor its sigma."""
    other = Settings(profile="smoke", build_root=str(tmp_path))
    write_dataset(other)
    with h5py.File(other.dataset_path, "r+") as handle:
        mass, test = handle["dm_profile"][()], handle["split"][()] == 2
        mass[test] *= 7.0
        handle["dm_profile"][...] = mass
    other.models_dir.symlink_to(built.models_dir)
    monkeypatch.setattr(predictions, "predict_baselines", lambda *_: iter(()))
    monkeypatch.setattr(predictions, "_CALIBRATED", ("tiny/all",))
    predictions.build(other)
    before, after = (predictions.read_predictions(settings.predictions_path) for settings in (built, other))
    assert not np.allclose(before.truth, after.truth)
    for name in before.groups:
        np.testing.assert_array_equal(before[name].m_dm, after[name].m_dm)
    np.testing.assert_array_equal(before["tiny/all"].sigma_ln, after["tiny/all"].sigma_ln)


def test_reading_predictions_and_plans_does_not_import_keras(built, repository):
    code = "import sys; from dmlib.networks import models, plan, train; from dmlib.networks.predictions import *; "
    code += "read_predictions(sys.argv[1]); print('keras' in sys.modules)"
    command = [sys.executable, "-c", code, str(built.predictions_path)]
    run = subprocess.run(command, check=True, capture_output=True, text=True, cwd=repository)
    assert run.stdout.strip() == "False"


def test_misuse_of_a_network(built):
    network = models.read_network(built.models_dir, "tiny/hi")
    for shape in ((2, 32, 32, 1), (2, 64, 64, 3), (32, 32, 3)):
        with pytest.raises(NetworkError, match="moment1"):
            network.predict_ln(np.zeros(shape))
    with pytest.raises(NetworkError, match="NaN"):
        network.predict_ln(np.full((2, 32, 32, 3), np.nan))
    for read in (models.read_network, models.read_histories):
        with pytest.raises(NetworkError, match="there is no network"):
            read(built.models_dir, "C/all")


def test_a_single_galaxy_is_predicted_by_every_member(built):
    maps = np.zeros((32, 32, 3))
    found, reason = predict_galaxy(built.models_dir, "tiny/hi", maps)
    assert found.shape == (1, 20) and not reason
    found, reason = predict_galaxy(built.models_dir, "C/hi", maps)
    assert not len(found) and "C/hi" in reason


def test_a_data_set_of_another_universe_is_refused(built, tmp_path):
    other = Settings(profile="smoke", build_root=str(tmp_path))
    dataset = read_dataset(write_dataset(other, identity="2" * 64))
    with pytest.raises(NetworkError, match="another universe"):
        models.read_network(built.models_dir, "tiny/all").check_dataset(dataset)


@pytest.mark.parametrize("damage", ["cut", "text", "card"])
def test_damaged_files_are_named(built, tmp_path, damage):
    for name in ("member0.keras", "member0.json"):
        (tmp_path / "tiny" / "all").mkdir(parents=True, exist_ok=True)
        (tmp_path / "tiny" / "all" / name).write_bytes((built.models_dir / "tiny" / "all" / name).read_bytes())
    path = tmp_path / "tiny" / "all" / ("member0.json" if damage == "card" else "member0.keras")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage == "cut" else json.dumps({"name": 1}).encode())
    with pytest.raises(NetworkError, match=path.name):
        models.read_network(tmp_path, "tiny/all")
