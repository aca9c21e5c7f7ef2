"""Errors abroad and at home, and alarms, on made-up methods of which both are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dmlib.bootstrap import Bootstrap
from dmlib.errors import DmlibError
from dmlib.evaluation.robustness import Robustness, area_of, numbers, read_robustness, roc_curve
from dmlib.evaluation.transfer import TARGETS, isolation
from dmlib.evaluation.universes import SHARES, VARIATIONS, Variation
from dmlib.figures import robustness as figures
from dmlib.figures import style
from dmlib.settings import RADII_KPC

NAMES = tuple(VARIATIONS)
N = 40


def made_up(heavier: float = 0.4, scatter: float = 0.1) -> Robustness:
    """Every method gives the truth of its own universe with some scatter; that of heavy haloes is heavier."""
    rng = np.random.default_rng(5)
    v = len(NAMES)
    offset = np.array([heavier if name == "heavy-haloes" else 0.0 for name in NAMES])
    base = 20.0 + np.log(RADII_KPC) + rng.normal(0.0, 0.3, N)[:, None]
    truth = np.exp(base[None] + offset[:, None, None])
    error = scatter * rng.normal(size=(N, 1))
    known = np.exp(base + error)[None, None] * np.exp(offset)[:, None, None, None] * np.ones((v, v, N, 20))
    masses = {name: known.copy() for name in ("network", "boosted", "rotation")}
    accepted = np.tile(np.arange(N) % 2 == 0, (v, 1))
    masses["rotation"][:, ~accepted] = np.nan
    sigma = {name: np.full_like(known, scatter) for name in masses}
    far = np.abs(rng.normal(size=(v, v, N))) + 3.0 * np.array([name == "beam" for name in NAMES])[None, :, None]
    adapted = {way: np.stack([known[0]] * len(TARGETS)) for way in ("mixture", "matched")}
    return Robustness(
        radii=RADII_KPC,
        names=NAMES,
        subhalo_id=np.arange(N),
        truth=truth,
        accepted=accepted,
        masses=masses,
        sigma_ln=sigma,
        alarms={"latent": far, "observables": far},
        targets=TARGETS,
        adapted=adapted,
        galaxies={"train": 90, "validation": 24, "test": N},
        trust=1.0,
    )


@pytest.fixture(scope="module")
def found() -> Robustness:
    return made_up()


def test_only_what_differs_costs_accuracy(found):
    home, heavy, beam = (found.place(name) for name in ("fiducial", "heavy-haloes", "beam"))
    ratio = found.ratio("network")
    np.testing.assert_allclose(np.diag(ratio.value), 1.0)
    assert ratio.value[home, beam] == pytest.approx(1.0) and ratio.error[home, beam] < 1e-9
    assert ratio.value[home, heavy] > 2.0 and ratio.value[heavy, home] > 2.0
    bias = found.bias("network").value
    assert bias[heavy, home] - bias[home, heavy] == pytest.approx(0.8 / 0.1)
    assert bias[home, heavy] == pytest.approx(bias[home, home] - 0.4 / 0.1)
    assert found.abroad("network", kinds=("observation",)).value == pytest.approx(1.0)
    assert found.abroad("network", kinds=("stars and haloes",)).value > 1.5


def test_two_methods_are_compared_abroad_on_the_galaxies_of_both():
    """A network that is twice as bad abroad where a curve is accepted, and as good elsewhere."""
    found = made_up(heavier=0.0)
    home, accepted = found.place("fiducial"), found.accepted[0]
    network = found.masses["network"].copy()
    away = np.arange(len(found.names)) != home
    truth = np.broadcast_to(found.truth[None], network.shape)
    twice = truth + 2.0 * (network - truth)
    network[home] = np.where((away[:, None] & accepted)[..., None], twice[home], network[home])
    masses = dict(found.masses) | {"network": network}
    masses["rotation"] = np.where(found.accepted[None, ..., None], found.masses["rotation"], np.nan)
    changed = replace(found, masses=masses)
    assert 1.2 < changed.abroad("network").value < 1.8
    assert changed.abroad("network", like="rotation").value == pytest.approx(2.0)
    assert changed.abroad("rotation").value == pytest.approx(1.0)
    less = changed.abroad_less("network", "rotation")
    assert less.value == pytest.approx(1.0) and less.error == pytest.approx(0.0, abs=1e-9)
    assert changed.abroad_less("rotation", "network").value == pytest.approx(-1.0)


def test_coverage_falls_where_the_bias_is_not_in_the_stated_error(found):
    cover = found.coverage("network").value
    assert cover[0, 0] == pytest.approx(0.68, abs=0.2) and cover[0, found.place("heavy-haloes")] < 0.1


def test_an_alarm_that_notices_the_telescope_is_silent_for_haloes(found):
    home, heavy, beam = (found.place(name) for name in ("fiducial", "heavy-haloes", "beam"))
    areas = found.areas("latent")
    assert areas.value[home, beam] > 0.95 and areas.value[home, heavy] < 0.65
    silent = found.silent()
    assert silent[home, heavy] and not silent[home, beam] and not np.diag(silent).any()


def test_training_at_home_is_what_adaptation_could_gain(found):
    assert found.gain_over(("heavy-haloes",), "target").value < -0.15
    assert found.gain_over(("heavy-haloes",), "matched").value == pytest.approx(0.0)
    assert found.gain_over(("no-dust", "beam"), "target").value == pytest.approx(0.0)
    assert set(found.adaptation()["beam"]) == {"plain", "mixture", "matched", "target"}


def test_every_number_of_the_chapter_is_finite_and_named_once(found):
    rows = list(numbers(found))
    assert len({row["id"] for row in rows}) == len(rows)
    values = [getattr(row["value"], "value", row["value"]) for row in rows]
    assert np.isfinite(np.array(values, dtype=float)).all()
    counts = {row["id"]: row["value"] for row in rows}
    assert counts["rob-pairs"] == 110 and counts["rob-large"] >= counts["rob-silent"] == found.silent().sum() > 0


def test_an_unknown_universe_is_named(found):
    with pytest.raises(DmlibError, match="no universe 'mars'"):
        found.place("mars")
    with pytest.raises(DmlibError, match="no method 'oracle'"):
        found.errors("oracle")


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "robustness.hdf5").write_bytes(b"no")
    with pytest.raises(DmlibError, match="not a complete file of other universes"):
        read_robustness(tmp_path / "robustness.hdf5")


def test_every_universe_differs_from_the_fiducial_in_one_respect():
    fiducial = VARIATIONS["fiducial"]
    assert all((one.physics != "fiducial") != bool(one.observed) for one in VARIATIONS.values() if one is not fiducial)
    assert set(TARGETS) <= set(VARIATIONS) and sum(SHARES.values()) < 1.0
    changed = Variation("x", "observation", observed={"hi": {"beam": 30.0}}).recipe
    assert changed.hi.beam == 30.0 and changed.hi.noise == fiducial.recipe.hi.noise and changed.n_views == 1


def roc_area(own, other):
    """As scikit-learn has it."""
    return roc_auc_score(np.repeat([0, 1], [len(own), len(other)]), np.concatenate([own, other]))


def test_the_error_of_an_area_is_that_of_resampled_galaxies():
    rng = np.random.default_rng(2)
    own, other = np.round(rng.normal(size=30), 1), np.round(rng.normal(0.5, 1.0, 30), 1)  # with ties
    counts = Bootstrap(np.arange(30), 200, 1).weights.astype(int)
    areas = [roc_area(np.repeat(own, count), np.repeat(other, count)) for count in counts]
    found = area_of(own, other, np.arange(30))
    assert found.value == pytest.approx(areas[0]) and found.error == pytest.approx(np.std(areas[1:], ddof=1))


def test_roc_area_of_known_distributions():
    rng = np.random.default_rng(1)
    own, other = rng.normal(size=4000), rng.normal(1.0, 1.0, 4000)
    # P(x < y) of two normal deviates a standard deviation apart is Phi(1 / sqrt 2).
    assert roc_area(own, other) == pytest.approx(0.7602, abs=0.01)
    assert [area_of(own[:50], other, np.arange(50)).value for other in (own[:50], own[:50] + 100.0)] == [0.5, 1.0]
    false, true = roc_curve(own, other)
    assert np.trapezoid(true, false) == pytest.approx(roc_area(own, other), abs=1e-6)
    estimate = area_of(own[:100], other[:100], np.arange(100))
    assert 0.01 < estimate.error < 0.08


def test_isolation_grows_beyond_the_training_set():
    rng = np.random.default_rng(2)
    training, own = rng.normal(size=(90, 30)), rng.normal(size=(40, 30))
    training[3, 4] = np.nan
    near, far = isolation(training, [own, own + 5.0])
    assert roc_area(near, far) > 0.95


@pytest.mark.parametrize(
    "draw",
    [
        figures.train_test,
        figures.biases,
        figures.from_fiducial,
        figures.roc,
        figures.alarm_and_error,
        figures.adaptation,
    ],
)
def test_figures_record_their_numbers(found, draw):
    assert style.recorded(draw(found))


def test_the_table_of_the_chapter_has_a_row_for_every_universe(found):
    rows = figures.rows_of(found, "network")
    assert [row["tested in"] for row in rows] == found.titles and "±" in str(rows[0]["5 to 50 kpc"])
