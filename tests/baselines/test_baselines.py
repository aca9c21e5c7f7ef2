"""Plain predictions: observables of images with known values, and regressions on data with a known rule."""

from __future__ import annotations

import os

import numpy as np
import pytest

from dmlib import baselines
from dmlib.baselines import BASELINES, Task, observables
from dmlib.dataset.read import read_dataset
from dmlib.observe.sky import SkyGrid
from dmlib.settings import Settings

GRID = SkyGrid(128.0, 64)


def disc(ratio: float, scale: float = 6.0, angle: float = 0.0) -> np.ndarray:
    """An exponential disc with elliptical isophotes, shape (y, x)."""
    x, y = GRID.mesh()
    along, across = np.cos(angle) * x + np.sin(angle) * y, -np.sin(angle) * x + np.cos(angle) * y
    return np.exp(-np.hypot(along, across / ratio) / scale)


def images(*pictures: np.ndarray) -> np.ndarray:
    """Five bands of the same picture, each twice as bright as the one before."""
    return np.stack(pictures)[..., None] * 2.0 ** np.arange(5)


@pytest.mark.parametrize("angle", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("ratio", [0.4, 0.7, 1.0])
def test_axis_ratio_of_a_disc_at_any_angle(ratio, angle):
    found = observables.of_light(images(disc(ratio, angle=angle)), tuple("ugriz"), GRID)
    assert np.exp(found["ln q"][0]) == pytest.approx(ratio, rel=0.07)


def test_half_light_radius_and_concentration_of_an_exponential_disc():
    found = observables.of_light(images(disc(1.0, scale=5.0)), tuple("ugriz"), GRID)
    assert np.exp(found["ln r50"][0]) == pytest.approx(1.678 * 5.0, rel=0.1)
    # r80 / r20 = 2.994 / 0.824 for an exponential disc; pixels of 2 kpc blur the smaller.
    assert found["concentration"][0] == pytest.approx(5 * np.log10(2.994 / 0.824), rel=0.15)
    assert found["asymmetry"][0] == pytest.approx(0.0, abs=1e-12)


def test_fluxes_and_colours():
    one = observables.of_light(images(disc(0.8)), tuple("ugriz"), GRID)
    ten = observables.of_light(10.0 * images(disc(0.8)), tuple("ugriz"), GRID)
    assert ten["ln flux r"][0] - one["ln flux r"][0] == pytest.approx(np.log(10.0))
    assert one["u - g"][0] == pytest.approx(2.5 * np.log10(2.0))
    assert ten["u - g"][0] == pytest.approx(one["u - g"][0])


def test_inclination_from_the_axis_ratio():
    sine = observables.sine_of_inclination(np.array([1.0, 0.2, 0.1, 0.6]))
    np.testing.assert_allclose(sine, [observables.SIN_FLOOR, 1.0, 1.0, np.sqrt(1 - (0.36 - 0.04) / 0.96)])


def hydrogen(sine: float, speed: float = 180.0) -> np.ndarray:
    """Maps of a disc of 2 Msun/pc^2 out to 30 kpc that turns with `speed`, inclined, shape (1, y, x, 3)."""
    x, y = GRID.mesh()
    cosine = np.sqrt(1.0 - sine**2)
    radius = np.hypot(x, y / cosine)
    inside = radius < 30.0
    sigma = np.where(inside, 2.0, np.nan)
    velocity = np.where(inside, speed * sine * x / np.maximum(radius, 1e-6), np.nan)
    return np.stack([sigma, velocity, np.where(inside, 10.0, np.nan)], axis=-1)[None]


def test_hi_of_a_turning_disc():
    maps = hydrogen(0.8)
    found = observables.of_hydrogen(maps, GRID, np.log([0.8]))
    area = np.isfinite(maps[0, ..., 0]).sum() * GRID.pixel_area
    assert np.exp(found["ln m_hi"][0]) == pytest.approx(2.0 * area * 1e6)
    assert np.exp(found["ln r_hi"][0]) == pytest.approx(np.sqrt(area / np.pi))
    assert np.exp(found["ln q_hi"][0]) == pytest.approx(0.6, abs=0.03)
    # The horns of a flat rotation curve, and half the dispersion's width on either side.
    assert np.exp(found["ln w50"][0]) == pytest.approx(2 * 180.0 * 0.8, rel=0.1)
    assert np.exp(found["ln w50 / sin i"][0]) == pytest.approx(2 * 180.0, rel=0.1)
    assert found["asymmetry hi"][0] == pytest.approx(0.0, abs=1e-12)


def test_a_wider_line_turns_faster():
    slow, fast = (observables.of_hydrogen(hydrogen(0.8, speed), GRID)["ln w20"][0] for speed in (100.0, 250.0))
    assert fast - slow == pytest.approx(np.log(2.5), rel=0.15)


def test_all_observables_are_those_of_light_and_hi_with_the_inclination_of_the_light():
    light, gas = (
        observables.of_light(images(disc(0.5)), tuple("ugriz"), GRID),
        observables.of_hydrogen(hydrogen(0.8), GRID),
    )
    both = observables.joined(light, gas)
    assert list(both) == [*light, *gas]
    expected = light | observables.of_hydrogen(hydrogen(0.8), GRID, light["ln sin i"])
    for name, values in expected.items():
        np.testing.assert_array_equal(both[name], values, err_msg=name)
    assert sum(both[name] != gas[name] for name in gas) == 3  # two widths and the r.m.s. velocity


def test_a_view_without_hi_has_no_numbers_but_says_so():
    found = observables.of_hydrogen(np.full((1, 64, 64, 3), np.nan), GRID, np.zeros(1))
    assert found.pop("no hi")[0] == 1.0
    assert all(np.isnan(value[0]) for value in found.values())


@pytest.fixture
def few_trees(monkeypatch):
    """Enough for a rule of two observables, at half the time."""
    monkeypatch.setattr(baselines, "_SIZES", ((3, 40), (8, 40)))


def a_task(n: int = 120, seed: int = 3, noise: float = 0.05, curved: bool = False) -> tuple[Task, np.ndarray]:
    """Three views of each galaxy; ln M follows two of five observables, exactly but for noise."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(n + 40), 3)
    hidden = np.repeat(rng.standard_normal((n + 40, 2)), 3, axis=0)
    x = np.concatenate([hidden, rng.standard_normal((len(group), 3))], axis=1)
    first = np.abs(hidden[:, :1]) if curved else hidden[:, :1]
    y = 25.0 + first * np.linspace(1.0, 0.5, 6) + hidden[:, 1:] * np.linspace(0.2, 0.6, 6)
    y += noise * rng.standard_normal(y.shape)
    train = group < n
    return Task(x[train], y[train], group[train], x[~train], seed), y[~train]


def error(predicted: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(((predicted - truth) ** 2).mean()))


def test_linear_finds_a_linear_rule():
    task, truth = a_task()
    assert error(baselines.linear(task), truth) < 0.07


def test_boosted_finds_what_a_linear_formula_cannot(few_trees):
    task, truth = a_task(curved=True)
    assert error(baselines.boosted(task), truth) < 0.6 * error(baselines.linear(task), truth)


def test_boosted_is_hardly_worse_than_linear_where_the_rule_is_linear(few_trees):
    task, truth = a_task()
    assert error(baselines.boosted(task), truth) < 1.3 * error(baselines.linear(task), truth)


def test_a_choice_can_be_given(few_trees):
    task, _ = a_task(curved=True)
    choice = baselines.choose_boosting(task)
    np.testing.assert_array_equal(baselines.boosted(task, choice), baselines.boosted(task))
    np.testing.assert_array_equal(baselines.boosted(task, ("linear", 0)), baselines.linear(task))


def test_shuffled_targets_give_the_error_of_the_mean(few_trees):
    task, truth = a_task()
    galaxies = np.random.default_rng(1).permutation(len(task.y) // 3)
    shuffled = task.y.reshape(-1, 3, task.y.shape[1])[galaxies].reshape(task.y.shape)
    task = Task(task.x, shuffled, task.group, task.test, 1)
    for name in ("linear", "boosted"):
        assert error(BASELINES[name](task), truth) == pytest.approx(error(baselines.mean(task), truth), rel=0.1), name


def test_random_draws_have_the_training_spread_and_follow_the_seed():
    task, _ = a_task()
    draw = baselines.random(task)
    assert draw.std(axis=0) == pytest.approx(task.y.std(axis=0), rel=0.25)
    np.testing.assert_array_equal(draw, baselines.random(task))
    assert not np.array_equal(draw, baselines.random(Task(task.x, task.y, task.group, task.test, 4)))


def test_missing_observables_do_not_stop_a_regression(few_trees):
    task, truth = a_task()
    task.x[::5, 3] = np.nan
    task.test[::7, 4] = np.nan
    for name in ("linear", "boosted"):
        assert error(BASELINES[name](task), truth) < 0.15, name


def test_no_mass_becomes_half_the_least():
    mass = np.array([[0.0, 2.0], [4.0, 8.0]])
    np.testing.assert_allclose(baselines.finite_ln(mass), np.log([[2.0, 2.0], [4.0, 8.0]]))


@pytest.fixture(scope="module")
def made_dataset():
    """The data set of profile `quick` where a run has left it."""
    path = Settings(profile="quick").dataset_path
    if not path.is_file() or os.environ.get("CI"):
        pytest.skip("needs the data set of profile quick: `dmlib run --only dataset`")
    return read_dataset(path)


def test_on_the_embedded_galaxies_each_knows_more_than_the_last(made_dataset):
    """Mean |dM/M| from 10 to 100 kpc on the test galaxies of `quick`, computed here and now."""
    task = baselines.make_tasks(made_dataset, made_dataset.rows("test"))["all"]
    found = {name: np.exp(predict(task)) for name, predict in BASELINES.items()}
    truth = made_dataset.dm_profile[made_dataset.rows("test")]
    outer = made_dataset.radii > 10.0
    errors = {name: np.abs(m / truth - 1.0)[:, outer].mean() for name, m in found.items()}
    assert errors["random"] > errors["mean"] > errors["linear"]
    assert errors["linear"] < 0.7 * errors["mean"]
    assert errors["boosted"] < 0.7 * errors["mean"]
    assert all(m.shape == truth.shape and (m > 0).all() for m in found.values())


def test_the_test_galaxies_are_not_looked_at(made_dataset):
    """Other targets of validation and test change nothing."""
    import dataclasses

    masses = made_dataset.dm_profile.copy()
    held = np.concatenate([made_dataset.rows("validation"), made_dataset.rows("test")])
    masses[held] *= 7.0
    other = dataclasses.replace(made_dataset, dm_profile=masses)
    tasks = [baselines.make_tasks(dataset, dataset.rows("test")[:20])["hi"] for dataset in (other, made_dataset)]
    for name in ("random", "linear"):
        np.testing.assert_array_equal(*(BASELINES[name](task) for task in tasks))
