"""The information floor: what is blurred is blurred as measured, and the observers are as good as they can be."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from dmlib import embedded
from dmlib.evaluation import floor as module
from dmlib.evaluation import observers
from dmlib.evaluation.floor import learn, quadratic, read_floor
from dmlib.evaluation.observers import GAS, LIGHT, Blur, Task, galaxies, neighbours, noise_free
from dmlib.galaxy import load_galaxy
from dmlib.observe.sky import lines_of_sight
from dmlib.pipeline.steps import _built_products
from dmlib.settings import RADII_KPC, Settings
from dmlib.universe import open_universe

SMOKE = Settings(profile="smoke")


def numbers(n: int = 20000) -> np.ndarray:
    """Three correlated numbers of many galaxies, in different units."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((n, 3))
    return np.stack([10 * x[:, 0], 0.1 * (x[:, 0] + x[:, 1]), 5 + x[:, 2]], axis=1)


def test_estimates_are_as_uncertain_as_the_measured_errors():
    """The errors of drawn estimates have the covariance of the measured ones, and estimates are not biased."""
    true, rng = numbers(), np.random.default_rng(2)
    error = rng.standard_normal(true.shape) * true.std(axis=0) * (0.1, 0.5, 0.9)
    drawn = Blur.of(error, true).draw(rng, true)
    made, measured = (np.cov((errors / true.std(axis=0)).T) for errors in (true - drawn, error))
    np.testing.assert_allclose(made, measured, atol=0.02)
    for k in range(3):
        slope = np.cov(true[:, k], drawn[:, k])[0, 1] / drawn[:, k].var()
        assert slope == pytest.approx(1.0, abs=0.03)


def test_what_is_known_stays_and_what_is_unknown_becomes_the_mean():
    true, rng = numbers(), np.random.default_rng(3)
    np.testing.assert_allclose(Blur.of(np.zeros_like(true), true).draw(rng, true), true, atol=1e-3)
    blind = Blur.of(true - true.mean(axis=0), true)
    np.testing.assert_allclose(blind.draw(rng, true), np.broadcast_to(true.mean(axis=0), true.shape), atol=0.5)
    np.testing.assert_allclose(blind.open_share, 1.0, rtol=1e-3)


def test_a_formula_with_squares_is_learned_beyond_the_curve():
    rng = np.random.default_rng(4)
    x, start = rng.standard_normal((900, 4)), rng.standard_normal((900, 6))
    y = start + np.outer(x[:, 0] + 0.3 * x[:, 1] * x[:, 2], np.linspace(1, 2, 6))
    near = np.zeros((900, 2, 1))
    found = learn(Task(x[:600], start[:600], near[:600]), y[:600], Task(x[600:], start[600:], near[600:, :1]))
    # Beyond the range of the training galaxies nothing is extrapolated, which costs the few outermost of them.
    assert np.sqrt(np.mean((found - y[600:]) ** 2)) < 0.1 * np.std(y - start)


def test_squares_do_not_run_away_for_a_galaxy_unlike_all_that_were_learned_from():
    """Two numbers that go together in all galaxies but one, which lies within the range of both."""
    rng = np.random.default_rng(8)
    along, apart = rng.standard_normal(400), 0.1 * rng.standard_normal(400)
    x = np.stack([along + apart, along - apart], axis=1)
    y = np.stack([100.0 * apart**2, along], axis=1) + 0.05 * rng.standard_normal((400, 2))
    odd = np.array([[x[:, 0].max(), x[:, 1].min()]])
    left, found = quadratic(x, y, odd)
    assert ((left**2).mean(axis=0) < 0.3 * y.var(axis=0)).all()  # the squares are learned
    assert 25.0 * (odd[0, 0] - odd[0, 1]) ** 2 > 20.0 * y[:, 0].max()  # and would run away
    assert found[0, 0] < 1.5 * y[:, 0].max()
    assert abs(found[0, 1] - odd.mean()) < 0.5  # what is linear is left as it is


def test_a_neighbour_in_one_view_of_two_is_learned_from():
    """Half of the views show that the mass is three times as large."""
    rng = np.random.default_rng(7)
    x, near = rng.standard_normal((1500, 2)), np.zeros((1500, 2, 1))
    host = rng.random(1500) < 0.4
    near[host, rng.integers(0, 2, host.sum()), 0] = 1.0
    y = x[:, :1] + np.outer(host, [0.1, 1.1]) + 0.1 * rng.standard_normal((1500, 2))
    tasks = [Task(x[some], np.zeros((len(x[some]), 2)), near[some]) for some in (slice(1000), slice(1000, None))]
    left = learn(tasks[0], y[:1000], Task(tasks[1].x, tasks[1].start, tasks[1].near[:, :1])) - y[1000:]
    blind = [Task(each.x, each.start, np.zeros_like(each.near)) for each in tasks]
    unseen = learn(blind[0], y[:1000], Task(blind[1].x, blind[1].start, blind[1].near[:, :1])) - y[1000:]
    shown = near[1000:, 0, 0] > 0
    assert np.abs(left[shown, 1]).mean() < 0.3 * np.abs(unseen[shown, 1]).mean()
    assert np.sqrt((left**2).mean()) < 0.85 * np.sqrt((unseen**2).mean())


def test_neighbours_show_in_the_field_alone():
    """Along the line of sight a host is in the field at any distance, across it only within the field."""
    drawn = embedded.population(SMOKE)
    s = drawn.subhalos
    satellite = int(np.flatnonzero((s["kind"] == "satellite") & (s["rank"] > 0))[0])
    own, host = s[satellite], drawn.members(s["group_id"][satellite])[0]
    depth = host["offset"] - own["offset"]
    distance = np.linalg.norm(depth)
    along = lines_of_sight(0, depth, 1, seed=1, mode="face-on")[0].rotation
    across = lines_of_sight(0, depth, 1, seed=1, mode="edge-on")[0].rotation
    field = 2.0 * (distance - 2.0 * host["r_half"])
    assert field > 0 and host["m_star"] > own["m_star"]
    seen, hidden = (neighbours(drawn, satellite, rotation, field)[0] for rotation in (along, across))
    assert seen[1] == pytest.approx(0.0) and seen[2] == pytest.approx(
        min(np.log(host["m_star"] / own["m_star"]), 5.0), abs=1e-6
    )
    assert hidden[0] < seen[0] and hidden[2] < seen[2]
    found = neighbours(drawn, satellite, across, 2.1 * distance)[0]
    assert found[1] == pytest.approx(np.log(distance)) and found[2] == seen[2]


def test_the_mass_about_another_centre_is_that_of_particles():
    """An exponential ball seen from a point 30 kpc off, against a million particles."""
    rng = np.random.default_rng(5)
    radius = rng.gamma(3.0, 8.0, 1_000_000)
    place = embedded.drawing.galaxies.directions(rng, len(radius)) * radius[:, None] - (30.0, 0.0, 0.0)
    table = np.searchsorted(np.sort(radius), embedded.RADIUS) / len(radius)
    found = embedded._about(table, 30.0, np.array([8.0, 20.0, 40.0, 90.0]))
    counted = [(np.linalg.norm(place, axis=1) < r).mean() for r in (8.0, 20.0, 40.0, 90.0)]
    np.testing.assert_allclose(found, counted, rtol=0.04)


def test_a_drawn_galaxy_has_the_dark_matter_that_its_particles_have():
    """The expectation of the target is the mean of many realisations, for a central without neighbours."""
    drawn = embedded.population(SMOKE)
    alone = embedded.selected(drawn, SMOKE.selection)
    alone = alone[drawn.groups["n_subs"][drawn.subhalos["group_id"][alone]] == 1][:2]
    realised = embedded.realise(SMOKE, alone, RADII_KPC, 100).mean(axis=1)
    np.testing.assert_allclose(embedded.true_curves(drawn, alone, RADII_KPC)["own"][:, 3:], realised[:, 3:], rtol=0.05)


def test_populations_of_other_seeds_are_selected_alike():
    first, second = (embedded.population(SMOKE, again) for again in (0, 1))
    ids = embedded.selected(second, SMOKE.selection)
    assert len(ids) == pytest.approx(SMOKE.sizes.n_galaxies, rel=0.1)
    assert not np.isin(second.subhalos["m_star"][ids], first.subhalos["m_star"]).any()
    true = SMOKE.selection.model_copy(update={"centrals": "true"})
    assert (second.subhalos["rank"][embedded.selected(second, true)] == 0).all()


def test_without_noise_the_curve_and_the_baryons_give_the_dark_matter():
    """Where there is HI, what the curve says at once is the dark mass of the galaxy's own halo."""
    drawn = embedded.population(SMOKE)
    ids = embedded.selected(drawn, SMOKE.selection)
    ids = ids[drawn.subhalos["kind"][ids] == "central"][:12]
    some = galaxies(drawn, ids, RADII_KPC, np.tile(np.eye(3), (len(ids), 1, 1, 1)), 128.0)
    inside = (some.reach > RADII_KPC) & (RADII_KPC > 2)
    assert inside.sum() > 50
    own = np.log(embedded.true_curves(drawn, ids, RADII_KPC)["own"])
    np.testing.assert_allclose(noise_free("all", RADII_KPC, some).start[inside], own[inside], atol=0.12)


def test_beam_levels_the_centre_and_leaves_a_flat_curve():
    mixed = observers._beam(RADII_KPC, 5.0)
    np.testing.assert_array_equal(observers._beam(RADII_KPC, 0.0), np.eye(len(RADII_KPC)))
    flat = mixed @ np.full(len(RADII_KPC), 200.0)
    assert flat[0] < 110 and (np.abs(flat[RADII_KPC > 8] / 200 - 1) < 0.03).all()


def test_detection_limit_divides_best():
    values = np.array([7.0, 8.0, 9.0, 10.0, 11.0])
    assert observers._threshold(values, values > 8.5) == 8.0
    assert observers._threshold(values, np.ones(5, dtype=bool)) == -np.inf


def test_only_the_embedded_universe_has_a_floor():
    other = Settings(universe="files", base_path="/TNG100-1/output")
    names = [[product.name for product in _built_products(settings)] for settings in (SMOKE, other)]
    assert "floor" in names[0] and "floor" not in names[1]


class Views:
    """A data set whose observables are some true numbers with errors."""

    def __init__(self, settings: Settings):
        self.drawn = embedded.population(settings)
        ids = embedded.selected(self.drawn, settings.selection)
        rng = np.random.default_rng(6)
        split = np.arange(len(ids)) % 3
        inclination = np.degrees(np.arccos(rng.random(len(ids)))) * u.deg
        columns = {"subhalo_id": ids, "group_id": self.drawn.subhalos["group_id"][ids], "inclination": inclination}
        self.table = QTable(columns | {"m_hi": np.ones(len(ids)) * u.Msun})
        self.radii = RADII_KPC
        self.dm_profile = embedded.true_curves(self.drawn, ids, RADII_KPC)["m_dm"]
        self.made_from = "a test"
        self.grid = SimpleNamespace(field_of_view=128.0)
        self.recipe = SimpleNamespace(hi=SimpleNamespace(beam_kpc=5.0))
        self._split = split

    def rows(self, split: str) -> np.ndarray:
        return np.flatnonzero(self._split == ("train", "validation", "test").index(split))

    def rotation(self, rows: np.ndarray) -> np.ndarray:
        return np.tile(np.eye(3), (len(rows), 1, 1))

    def measure(self, dataset, rows, inputs) -> dict[str, np.ndarray]:
        subhalos = self.drawn.subhalos[self.table["subhalo_id"][rows]]
        rng = np.random.default_rng(len(inputs))
        group = LIGHT if inputs == "photometry" else GAS
        seen = {name: column(subhalos) for name, column in group.items()}
        seen = {name: values + 0.3 * values.std() * rng.standard_normal(len(rows)) for name, values in seen.items()}
        return seen | {"inclination": self.table["inclination"].value[rows] + 10 * rng.standard_normal(len(rows))}


@pytest.mark.slow
def test_more_knowledge_is_a_smaller_error(tmp_path, monkeypatch):
    settings = Settings(profile="smoke", build_root=str(tmp_path))
    settings.build.mkdir(parents=True)
    views = Views(settings)
    monkeypatch.setattr(module, "read_dataset", lambda path: views)
    monkeypatch.setattr(observers, "measure", views.measure)
    monkeypatch.setenv("DMLIB_WORKERS", "2")  # galaxies of several populations are drawn side by side
    module.build(settings)
    found = read_floor(settings.floor_path)
    error = {name: float(found.scores().over("intermediate", name).value) for name in found.masses}
    for inputs in ("hi", "all"):
        assert error[f"floor/{inputs}/noise-free"] < error[f"floor/{inputs}/observed"]
    assert error["floor/all/noise-free"] < 0.5 * error["floor/photometry/noise-free"]
    assert len(found.numbers) == 2 and all(len(curve) == 2 for curve in found.learning.values())
    with pytest.raises(Exception, match="not a complete file of the floor"):
        read_floor(tmp_path / "none.hdf5")


def test_the_expected_target_is_that_of_the_particles(smoke_universe):
    """Beyond the noise of counts, for centrals and for satellites, whose hosts count too."""
    drawn, universe = embedded.population(smoke_universe), open_universe(smoke_universe)
    ids = embedded.selected(drawn, smoke_universe.selection)
    satellites = drawn.subhalos["kind"][ids] == "satellite"
    ids = np.concatenate([ids[satellites][:4], ids[~satellites][:4]])
    assert satellites.sum() >= 2
    expected = embedded.true_curves(drawn, ids, RADII_KPC)["m_dm"]
    counted = [load_galaxy(universe, int(i), scope="group").enclosed_masses()["dm"] for i in ids]
    sigma = np.sqrt(smoke_universe.sizes.m_dm / expected)
    assert (np.abs(counted / expected - 1) < 4 * sigma + 0.06)[:, 4:].all()
