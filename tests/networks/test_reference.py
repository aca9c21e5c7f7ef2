"""Reference trainings: resumed, recorded, read, refused for other data, verified."""

from __future__ import annotations

import dataclasses
import json
import shutil

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from dmlib import cli, load
from dmlib.dataset.read import ln_mass, read_dataset
from dmlib.networks import NetworkError, reference, train
from dmlib.networks import reference_training as trainings
from dmlib.networks.plan import Entry, Schedule
from dmlib.networks.predictions import Predictions, read_predictions
from dmlib.pipeline.steps import _loads
from dmlib.settings import Settings
from network_toys import write_dataset

SHORT = Schedule(epochs=3, members=2, patience=None, batch=16)
PLAN = [Entry("tiny/all", "tiny", "all", SHORT), Entry("tiny/hi", "tiny", "hi", SHORT)]


@pytest.fixture(scope="module")
def done(tmp_path_factory, tiny, fit):
    """Settings of trained references, their jobs, what was told, and their record."""
    settings = Settings(profile="smoke", build_root=str(tmp_path_factory.mktemp("reference")))
    write_dataset(settings)
    told: list[str] = []
    trainings.train_reference(settings, PLAN, workers=1, tell=told.append)
    jobs = trainings.reference_jobs(settings, read_dataset(settings.dataset_path), PLAN)
    return settings, jobs, told, reference.write_record(settings, jobs, place=settings.build / "record")


def own(settings) -> Predictions:
    """What a reader's run predicts: here only one plain number for all."""
    dataset = read_dataset(settings.dataset_path)
    rows = dataset.rows("test")
    columns = {name: np.asarray(dataset.table[name])[rows] for name in ("subhalo_id", "view")}
    return Predictions(
        settings.build / "x.hdf5", dataset.dm_profile[rows], dataset.radii, **columns, rows=rows, groups={}
    )


def test_the_plan_treats_all_architectures_alike():
    every = trainings.reference_plan()
    assert {dataclasses.replace(entry.schedule, members=0) for entry in every} == {
        dataclasses.replace(Schedule(), members=0)
    }
    assert {e.schedule.members for e in every if e.architecture != "ResNet50"} == {3}
    assert [e.name for e in trainings.reference_plan(["A"])] == ["A/all"]
    assert len(trainings.reference_plan(["C"])) == 10 and len(trainings.reference_plan(["C/hi", "B"])) == 2
    with pytest.raises(NetworkError, match="no reference training 'D'"):
        trainings.reference_plan(["D"])


def test_first_members_come_first_and_what_is_left_is_told(done):
    _, jobs, told, _ = done
    assert [job.member for job in jobs] == [0, 0, 1, 1]
    assert told[0].startswith("4 of 4 members are left; how long")
    assert "3 of 4 members are left: about" in told[2] and told[-1].startswith("all 4 members are trained")


def test_a_killed_training_goes_on_and_gives_the_same(done, tmp_path, fit, monkeypatch):
    whole = done[0]
    settings = Settings(profile="smoke", build_root=str(tmp_path))
    write_dataset(settings)
    monkeypatch.setattr(fit, "CHECKPOINT_SECONDS", 0.0)
    plain, epochs = train.train_member, []

    def stop(job, told):
        def after(n):
            epochs.append(n)
            if len(epochs) == 2:
                raise KeyboardInterrupt

        plain(job, after)

    monkeypatch.setattr(train, "train_member", stop)
    with pytest.raises(KeyboardInterrupt):
        trainings.train_reference(settings, PLAN[:1], workers=1, tell=lambda line: None)
    monkeypatch.setattr(train, "train_member", plain)
    jobs = trainings.reference_jobs(settings, read_dataset(settings.dataset_path), PLAN[:1])
    assert trainings._epochs_before(jobs[0]) >= 1 and not jobs[0].is_finished
    trainings.train_reference(settings, PLAN[:1], workers=1, tell=lambda line: None)
    for member in range(2):
        both = [trainings.folder(s) / f"tiny/all/member{member}.history.json" for s in (settings, whole)]
        first, second = (json.loads(path.read_text())["val_loss"] for path in both)
        assert first == second


def test_the_normal_run_leaves_them_alone(done):
    settings, jobs, _, _ = done
    assert all(settings.models_dir not in job.stem.parents for job in jobs)


def test_the_record_gives_back_predictions_and_truth(done):
    settings, jobs, _, place = done
    dataset, found = read_dataset(settings.dataset_path), reference.read_record(place)
    assert sum(path.stat().st_size for path in place.iterdir()) < 3e6
    network = reference.read_network(jobs[0].folder, "tiny/all", 1)
    for split, rows in reference.held_out(dataset):
        exact = network.predict_ln(dataset.inputs(rows, network.channels))
        assert np.abs(found.members["tiny/all"][1][split] - exact).max() <= 0.501 * reference.STEP
        truth = ln_mass(dataset.dm_profile[rows])
        np.testing.assert_allclose(found.views[split]["ln_truth"], truth, atol=0.501 * reference.STEP)
    assert len(found.histories["tiny/hi"]) == 2 and len(found.histories["tiny/hi"][0]["loss"]) == 3
    entry = found.index["tiny/all"]
    assert entry["parameters"] > 0 and entry["multiplications"] > 0
    assert [one["epochs_run"] for one in entry["members"]] == [3, 3]
    # One member may have been trained beside other work; the same network takes equally long for an epoch.
    epoch = min(np.quantile(history["seconds"], 0.1) for history in found.histories["tiny/all"])
    assert [one["seconds"] for one in entry["members"]] == pytest.approx([3 * epoch, 3 * epoch])
    assert "train" not in found.views and str(settings.build) not in (place / "about.json").read_text()


def test_it_is_read_as_predictions(done):
    settings, _, _, place = done
    dataset, plain = read_dataset(settings.dataset_path), own(done[0])
    found = reference.read_reference(settings, dataset, plain, ["tiny/all"], place)
    assert found.reason == "" and list(found.predictions.groups) == ["tiny/all", "tiny/hi"]
    one = found.predictions["tiny/all"]
    assert one.members_ln.shape == (2, len(plain.rows), 20) and (one.sigma_ln > 0).all()
    assert one.validation is not None
    lacking = reference.read_reference(settings, dataset, plain, ["A/all"], place)
    assert lacking.predictions is None and "they lack A/all" in lacking.reason
    none = reference.read_reference(settings, dataset, plain, (), settings.build / "nowhere")
    assert none.predictions is None and "no reference trainings yet" in none.reason


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 2}, "seed 1, this run has seed 2"),
        ({"profile": "quick"}, "profile smoke, this run has profile quick"),
        ({"physics": "alternative"}, "galaxy physics fiducial, this run"),
    ],
)
def test_another_run_is_named(done, change, told):
    settings, _, _, place = done
    dataset = read_dataset(settings.dataset_path)
    found = reference.read_reference(settings.model_copy(update=change), dataset, own(settings), (), place)
    assert found.predictions is None and told in found.reason and found.reason.count(".") == 1


def test_other_content_is_named(done, tmp_path):
    place = done[3]
    other = Settings(profile="smoke", build_root=str(tmp_path))
    write_dataset(other)
    found = reference.read_record(place)
    assert found.difference(other, read_dataset(other.dataset_path)) == ""
    for what, told in (("dm_profile", "true masses"), ("images", "images or HI maps"), ("subhalo_id", "galaxies")):
        write_dataset(other)
        with h5py.File(other.dataset_path, "r+") as handle:
            handle[what][...] = handle[what][()] * 1.01 if what != "subhalo_id" else handle[what][()] + 1
        assert told in found.difference(other, read_dataset(other.dataset_path))


def test_what_is_missing_is_refused_unless_partial(done, tmp_path):
    settings, jobs, _, _ = done
    more = [*PLAN, dataclasses.replace(PLAN[0], name="tiny/photometry", inputs="photometry")]
    jobs = trainings.reference_jobs(settings, read_dataset(settings.dataset_path), more)
    with pytest.raises(NetworkError, match=r"2 of 6 reference trainings are missing \(tiny/photometry 0"):
        reference.write_record(settings, jobs, place=tmp_path)
    reference.write_record(settings, jobs, partial=True, place=tmp_path)
    found = reference.read_record(tmp_path)
    assert list(found.index) == ["tiny/all", "tiny/hi"]
    assert found.about["missing"] == ["tiny/photometry 0", "tiny/photometry 1"]


def test_a_damaged_record_is_an_error(done, tmp_path):
    place = shutil.copytree(done[3], tmp_path / "record")
    with h5py.File(place / "predictions.hdf5", "r+") as handle:
        handle["radii"][0] += 1.0
    with pytest.raises(NetworkError, match="not a complete record"):
        reference.read_record(place)


def test_verification_passes_and_fails_for_a_changed_record(done, tmp_path):
    settings, _, _, place = done
    found = trainings.verify(settings, "tiny/all", 1, place)
    assert found.passed and found.difference <= reference.STEP < found.tolerance
    # One member's predictions are 20% too large, in a record that is otherwise whole.
    spoilt = shutil.copytree(place, tmp_path / "record")
    with h5py.File(spoilt / "predictions.hdf5", "r+") as handle:
        for split in ("validation", "test"):
            stored = handle[f"members/tiny/all/1/{split}"]
            stored[...] = stored[()] + round(np.log(1.2) / reference.STEP)
    about = json.loads((spoilt / "about.json").read_text())
    about["sha256"] = reference.sha256(spoilt / "predictions.hdf5")
    (spoilt / "about.json").write_text(json.dumps(about))
    found = trainings.verify(settings, "tiny/all", 1, spoilt)
    assert not found.passed and "DIFFERS from the record" in str(found)
    assert trainings.verify(settings, "tiny/all", 1, place).passed
    with pytest.raises(NetworkError, match="no member 5"):
        trainings.verify(settings, "tiny/all", 5, place)


def test_the_command(done, monkeypatch):
    settings, _, _, place = done
    monkeypatch.setattr(trainings, "reference_plan", lambda only: PLAN)
    monkeypatch.setattr(load, "dataset", lambda given: read_dataset(given.dataset_path))
    monkeypatch.setattr(reference, "_place", lambda: place)
    monkeypatch.setenv("DMLIB_BUILD", str(settings.build.parent))

    def said(*options):
        return CliRunner().invoke(cli.app, ["reference", "--profile", "smoke", *options])

    assert "all 4 members are trained" in said("--plan").output
    assert "written" in said("--record").output
    assert "agrees with the record" in said("--verify").output
    named = sorted({entry.name for entry in PLAN})
    asked = [part for name in named for part in ("--only", name)]
    assert said("--verify", *asked).output.count("agrees with the record") == len(named)
    assert "--partial goes with --record" in str(said("--partial").exception)


def test_predictions_of_a_run_are_as_before(built):
    """`combine` is used for both."""
    found = read_predictions(built.predictions_path)
    assert found["tiny/all"].calibration is not None
    assert len(found.equally(["tiny/all"])["tiny/all"].members_ln) == 2
    assert len(found.equally()["tiny/all"].members_ln) == 1


def test_a_notebook_that_reads_it_depends_on_it():
    assert _loads("load.reference(settings, names)") == (["dataset", "predictions"], ["reference/about"])
