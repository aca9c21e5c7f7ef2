"""Training: the same twice, resumed after a kill, honest about leaks; networks read back and misused."""

from __future__ import annotations

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest
from network_toys import CHANNELS, TINY, inside, paint, write_dataset

from dmlib.dataset.read import read_dataset
from dmlib.networks import architectures, fit, models, predict, train
from dmlib.networks.card import NetworkError
from dmlib.networks.fit import Views
from dmlib.networks.plan import Entry, Schedule
from dmlib.networks.predictions import load_predictions
from dmlib.networks.targets import Standard
from dmlib.settings import Settings

SHORT = Schedule(epochs=4, members=2, patience=None, decay="cosine", batch=16)


@pytest.fixture(autouse=True)
def tiny_architecture(monkeypatch):
    monkeypatch.setitem(architectures.ARCHITECTURES, "tiny", TINY)


@pytest.fixture(scope="module")
def painted() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return paint(60, seed=3)


def views(painted, galaxies, standard=None, ln_m=None) -> Views:
    inputs, truth, galaxy = painted
    rows = np.isin(galaxy, galaxies)
    ln_m = (truth if ln_m is None else ln_m)[rows]
    return Views(inputs[rows], (standard or Standard.of(ln_m)).scale(ln_m), galaxy[rows])


def trained(painted, schedule=SHORT, seed=1, **keywords):
    train_views = views(painted, range(20))
    validation = views(painted, range(20, 30), Standard.of(painted[1][painted[2] < 20]))
    return fit.fit("tiny", CHANNELS, train_views, validation, schedule, seed, **keywords)


def same(a, b) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a.model.get_weights(), b.model.get_weights(), strict=True))


def test_a_seed_gives_the_same_twice(painted):
    first, second, other = trained(painted), trained(painted), trained(painted, seed=2)
    assert same(first, second) and first.history.val_loss == second.history.val_loss
    assert not same(first, other)


def test_a_training_that_was_killed_goes_on_as_if_it_had_not_been(painted, tmp_path):
    path = tmp_path / "member0.checkpoint.npz"

    def stop(epochs: int) -> None:
        if epochs == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(painted, checkpoint=path, key="k", told=stop, checkpoint_seconds=0.0)
    assert path.is_file()
    heard: list[int] = []
    resumed = trained(painted, checkpoint=path, key="k", told=heard.append, checkpoint_seconds=1e9)
    assert heard == [2, 3, 4]
    whole = trained(painted)
    assert same(resumed, whole) and resumed.history.val_loss == whole.history.val_loss
    # A checkpoint of another training, or a damaged one, is not taken up.
    assert same(trained(painted, checkpoint=path, key="other", checkpoint_seconds=1e9), whole)
    path.write_bytes(path.read_bytes()[:200])
    assert same(trained(painted, checkpoint=path, key="k", checkpoint_seconds=1e9), whole)


def test_early_stopping_keeps_the_best_weights(painted):
    schedule = Schedule(epochs=40, patience=2, learning_rate=0.3, batch=16, bagging="none")
    result = trained(painted, schedule)
    history = result.history
    assert len(history.loss) == history.best + 3 < 40
    standard = Standard.of(painted[1][painted[2] < 20])
    validation = views(painted, range(20, 30), standard)
    reached = fit.masked_rms(fit.predict(result.model, validation.inputs), validation.targets) ** 2
    assert reached == pytest.approx(min(history.val_loss), rel=0.05)  # bfloat16 where the processor has it


@pytest.mark.parametrize("bagging", ["bootstrap", "bayesian"])
def test_bagged_trainings_learn(painted, bagging):
    schedule = Schedule(epochs=8, patience=None, learning_rate=1e-2, batch=16, bagging=bagging)
    history = trained(painted, schedule).history
    assert history.val_loss[-1] < history.val_loss[0]


def test_what_is_not_finite_is_one_sentence(painted):
    inputs, truth, galaxy = painted
    spoilt = inputs.copy()
    spoilt[3, 5, 5, 0] = np.nan
    with pytest.raises(NetworkError, match="C/all, member 0: the training inputs hold NaN or infinity: make the data"):
        trained((spoilt, truth, galaxy), name="C/all, member 0")
    wild = Schedule(epochs=2, learning_rate=1e38, batch=16)
    with pytest.raises(
        NetworkError, match=r"C/all, member 0: the loss is \w+ in epoch 1 .*: look for NaN in the inputs"
    ):
        trained(painted, wild, name="C/all, member 0")


def test_one_batch_can_be_learnt_by_heart(painted):
    batch = views(painted, range(4))
    step, loss = fit.overfit_one_batch("tiny", CHANNELS, batch, steps=300, every=100)
    assert step.tolist() == [0, 100, 200, 300] and loss[-1] < 0.1 * loss[0]


def _errors(painted, train_on, judge, ln_m=None) -> np.ndarray:
    """R.m.s. error in ln M of each galaxy of `judge`."""
    truth, galaxy = painted[1:]
    ln_m = truth if ln_m is None else ln_m
    standard = Standard.of(ln_m[np.isin(galaxy, train_on)])
    schedule = Schedule(epochs=25, patience=None, learning_rate=1e-2, decay="cosine", batch=16, bagging="none")
    judged = views(painted, judge, standard, ln_m)
    # What is judged also stands for the validation set here, but the last epoch's weights matter little: no patience,
    # and an error that is compared with another one chosen alike.
    model = fit.fit("tiny", CHANNELS, views(painted, train_on, standard, ln_m), judged, schedule, 1).model
    error = (standard.unscale(fit.predict(model, judged.inputs)) - ln_m[np.isin(galaxy, judge)]) ** 2
    return np.sqrt(error.reshape(len(judge), -1).mean(axis=1))


def test_shuffled_targets_give_the_baselines_error(painted):
    """If it did better, the answer would have reached the network by another way than the picture."""
    truth, galaxy = painted[1:]
    order = np.random.default_rng(6).permutation(60)
    shuffled = truth.reshape(60, 3, -1)[order].reshape(truth.shape)
    learn, judge = np.arange(40), np.arange(40, 60)
    mean = shuffled[np.isin(galaxy, learn)].mean(axis=0)
    baseline = np.sqrt(((mean - shuffled[galaxy >= 40]) ** 2).reshape(20, -1).mean(axis=1))
    assert _errors(painted, learn, judge, shuffled).mean() > 0.9 * baseline.mean()
    assert _errors(painted, learn, judge).mean() < 0.6 * baseline.mean()


def test_one_half_of_the_galaxies_does_as_well_on_the_other(painted):
    """Trained on a third; the error reported on another third holds on the last, within the galaxies' scatter."""
    reported = _errors(painted, np.arange(20), np.arange(20, 40))
    other = _errors(painted, np.arange(20), np.arange(40, 60))
    error = np.hypot(reported.std() / 20**0.5, other.std() / 20**0.5)
    assert abs(reported.mean() - other.mean()) < 3.0 * error


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Settings:
    """Two ensembles trained on painted galaxies, and their predictions."""
    settings = Settings(profile="smoke", build_root=str(tmp_path_factory.mktemp("networks")))
    write_dataset(settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(architectures.ARCHITECTURES, "tiny", TINY)
        for name, value in inside(settings).items():
            patch.setenv(name, value)
        # The plain regressions have tests of their own.
        patch.setattr(predict, "predict_plainly", lambda *_: iter(()))
        train.build(settings, entries=ENTRIES, workers=1)
        predict.build(settings)
    return settings


ENTRIES = [Entry("tiny/all", "tiny", "all", SHORT), Entry("tiny/HI_1", "tiny", "HI_1", SHORT, share=0.5)]


def test_cards_say_what_a_network_was_made_from(built):
    network = models.load_network(built.models_dir, "tiny/HI_1", 1)
    card = network.card
    assert card.channels == ("moment1",) and card.member == 1 and card.epochs_run == 4
    assert card.galaxies == {"train": 6, "validation": 4, "train_views": 18, "distinct": card.galaxies["distinct"]}
    drawn = fit.galaxy_weights(np.repeat(np.arange(6), 3), "bootstrap", card.seed)
    assert card.galaxies["distinct"] == np.count_nonzero(drawn) / 3
    assert card.dataset["universe_identity"] == "1" * 64 and len(card.key) == 64
    assert network.mean.shape == network.std.shape == (20,)
    histories = models.load_histories(built.models_dir, "tiny/all")
    assert len(histories) == 2 and all(len(h["loss"]) == len(h["val_loss"]) == 4 for h in histories)
    assert list(models.load_index(built.models_dir)) == ["tiny/all", "tiny/HI_1"]
    assert not list(built.models_dir.rglob("*checkpoint*")) and not (built.models_dir / ".inputs").exists()


def test_the_target_scales_come_from_the_training_galaxies(built):
    dataset = read_dataset(built.dataset_path)
    ln_m = np.log(np.where(dataset.dm_profile > 0, dataset.dm_profile, np.nan))[dataset.rows("train")]
    np.testing.assert_allclose(models.load_network(built.models_dir, "tiny/all").mean, np.nanmean(ln_m, axis=0))


def test_what_is_finished_is_kept(built, monkeypatch):
    for name, value in inside(built).items():
        monkeypatch.setenv(name, value)
    dataset = read_dataset(built.dataset_path)
    assert all(train.is_finished(job) for job in train.make_jobs(built, dataset, ENTRIES))
    longer = [Entry("tiny/all", "tiny", "all", Schedule(epochs=5, members=2, patience=None, batch=16))]
    assert not any(train.is_finished(job) for job in train.make_jobs(built, dataset, longer))
    trained_now = []
    monkeypatch.setattr(train, "train_member", lambda job, told, **_: trained_now.append(job))
    train.build(built, entries=ENTRIES, workers=1)
    assert trained_now == []


def test_predictions(built):
    found = load_predictions(built.predictions_path)
    dataset = read_dataset(built.dataset_path)
    rows = dataset.rows("test")
    assert found.names == ("tiny/all", "tiny/HI_1") and len(found) == len(rows) == 12
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_array_equal(found.truth, dataset.dm_profile[rows])
    one = found["tiny/all"]
    networks = models.load_ensemble(built.models_dir, "tiny/all")
    members = np.stack([network.predict_ln(dataset.inputs(rows, network.channels)) for network in networks])
    np.testing.assert_allclose(one.members_ln, members, rtol=1e-5)
    np.testing.assert_allclose(one.m_dm, np.exp(members.mean(axis=0)), rtol=1e-4)
    assert one.sigma_ln.shape == (12, 20) and (one.sigma_ln > 0).all()
    with pytest.raises(NetworkError, match="no prediction 'D/all': it has tiny/all, tiny/HI_1"):
        found["D/all"]


def test_the_test_galaxies_have_no_part_in_the_error(built, tmp_path, monkeypatch):
    """Other truths for the test galaxies change neither a prediction nor its sigma."""
    other = Settings(profile="smoke", build_root=str(tmp_path))
    write_dataset(other)
    with h5py.File(other.dataset_path, "r+") as handle:
        mass, test = handle["dm_profile"][()], handle["split"][()] == 2
        mass[test] *= 7.0
        handle["dm_profile"][...] = mass
    other.models_dir.symlink_to(built.models_dir)
    for name, value in inside(other).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(predict, "predict_plainly", lambda *_: iter(()))
    predict.build(other)
    before, after = load_predictions(built.predictions_path), load_predictions(other.predictions_path)
    assert not np.allclose(before.truth, after.truth)
    for name in before:
        np.testing.assert_array_equal(before[name].m_dm, after[name].m_dm)
        np.testing.assert_array_equal(before[name].sigma_ln, after[name].sigma_ln)


def test_reading_predictions_does_not_import_keras(built):
    code = "import sys; from dmlib.networks.predictions import load_predictions as read; "
    code += "read(sys.argv[1]); print('keras' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code, str(built.predictions_path)], check=True, capture_output=True, text=True
    )
    assert run.stdout.strip() == "False"


def test_misuse_of_a_network(built):
    network = models.load_network(built.models_dir, "tiny/HI_1")
    with pytest.raises(NetworkError, match=r"takes 1 channels \(moment1\), not 3: load them with .*'HI_1'"):
        network.predict_ln(np.zeros((2, 32, 32, 3)))
    with pytest.raises(NetworkError, match=r"takes images of shape \(n, 32, 32, 1\), not \(2, 64, 64, 1\)"):
        network.predict_ln(np.zeros((2, 64, 64, 1)))
    with pytest.raises(NetworkError, match="hold NaN or infinity: normalise maps"):
        network.predict_ln(np.full((2, 32, 32, 1), np.nan))
    with pytest.raises(NetworkError, match=r"no network 'C/all' with a member 0 in .*: there are tiny/HI_1, tiny/all"):
        models.load_network(built.models_dir, "C/all")
    with pytest.raises(NetworkError, match="no network 'C/all'"):
        models.load_histories(built.models_dir, "C/all")


def test_a_data_set_of_another_universe(built, tmp_path):
    other = Settings(profile="smoke", build_root=str(tmp_path))
    dataset = read_dataset(write_dataset(other, identity="2" * 64))
    with pytest.raises(
        NetworkError, match=r"trained on painted galaxies \(11111111\), and .* of another universe \(2222"
    ):
        models.load_network(built.models_dir, "tiny/all").check_dataset(dataset)


@pytest.mark.parametrize("damage", ["cut", "text", "card"])
def test_damaged_files(built, tmp_path, damage):
    for name in ("member0.keras", "member0.json"):
        (tmp_path / "tiny" / "all").mkdir(parents=True, exist_ok=True)
        (tmp_path / "tiny" / "all" / name).write_bytes((built.models_dir / "tiny" / "all" / name).read_bytes())
    path = tmp_path / "tiny" / "all" / ("member0.json" if damage == "card" else "member0.keras")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage == "cut" else json.dumps({"name": 1}).encode())
    expected = "is no model card" if damage == "card" else "is no whole Keras model"
    with pytest.raises(NetworkError, match=expected) as error:
        models.load_network(tmp_path, "tiny/all")
    assert str(path) in str(error.value) and "\n" not in str(error.value)
