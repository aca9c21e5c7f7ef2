"""Training in one universe, testing in another: the product "robustness".

In each universe of `dmlib.evaluation.universes` a network is trained, boosted trees are grown, and priors of the
rotation-curve method are learned; each is then applied to the test galaxies of every universe. Stated errors are those
that validation galaxies of the *training* universe suggest, as they would be in an application. Adaptation is tried
for a few universes that stand for the kinds of difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..baselines import Task, boosted, choose_boosting, finite_ln
from ..dataset.read import ln_mass
from ..files import atomic_path
from ..networks.plan import Schedule
from ..networks.predictions import calibrate
from ..rotation.benchmark import model_of
from ..rotation.fit import MEMORY as FIT_MEMORY
from ..rotation.fit import Fit, Importance, attempt, fit_many
from ..rotation.massmodel import MassModel
from ..rotation.population import Population, learn_from, regimes, stretch
from ..settings import RADII_KPC, Settings
from ..workers import bar, map_parallel, single_thread
from .universes import Observed, observe_all

#: Methods that are trained in one universe and tested in all.
METHODS = ("network", "boosted", "rotation")

#: Universes for which adaptation is tried, from the fiducial one: two of observation, one of haloes.
TARGETS = ("no-dust", "beam", "heavy-haloes")

#: Ways to train for another universe. ``plain``: in the fiducial one. ``mixture``: on as many galaxies, each taken from
#: one of all universes but the target. ``matched``: in the fiducial one, shown the target's galaxies without their
#: dark matter. ``target``: in the target itself, which is what adaptation cannot exceed.
WAYS = ("plain", "mixture", "matched", "target")

#: Training of each network: short, for few galaxies.
SCHEDULES = {
    profile: Schedule(epochs=epochs, members=1, patience=None, decay="cosine", bagging="none", weight_decay=0.1)
    for profile, epochs in {"smoke": 2, "quick": 40, "paper": 80}.items()
}

#: Draws of a fit: fewer than in the benchmark, since each galaxy is fitted with the priors of every universe.
SAMPLING = Importance(first=2000, each=800, rounds=6, last=2000, attempts=3, draws=500, wanted=100.0)

#: Memory that a worker with Keras may need [bytes].
MEMORY = 2.0e9

#: Principal components in which distances are measured, and the neighbour to which.
COMPONENTS, NEIGHBOUR = 10, 5


@dataclass(frozen=True)
class Lesson:
    """A network to be trained.

    Parameters
    ----------
    way : str
        One of `WAYS`.
    universe : int
        In which it is trained (``plain``), or for which.
    sources : ndarray of int, shape (n,)
        Universe from which each galaxy is taken for training and validation.
    """

    way: str
    universe: int
    sources: np.ndarray


def build(settings: Settings, *, workers: int | None = None) -> None:
    """Make the product "robustness", ``robustness.hdf5``; galaxies that were observed before an interruption are kept.

    Parameters
    ----------
    settings : Settings
        Profile and seed count: the galaxies are drawn here, whatever the universe of the settings is.
    workers : int, optional
        Default `dmlib.workers.choose_workers`.

    Raises
    ------
    DmlibError
        When no galaxy can be observed, or a worker was stopped.
    """
    path = settings.robustness_path
    # The few galaxies of profile ``smoke`` are done before processes for them have started.
    few = 1 if settings.profile == "smoke" else workers
    observed, blocks = observe_all(settings, path, few)
    np.save(blocks.folder / "inputs.npy", observed.inputs)
    small = replace(observed, inputs=np.empty(0))
    tests = observed.rows("test")
    shape = (len(observed.names), len(observed.names), len(tests), len(RADII_KPC))
    found = {name: np.full(shape, np.nan) for name in METHODS}
    sigma = {name: np.full(shape, np.nan) for name in METHODS}
    alarms = {name: np.full(shape[:3], np.nan) for name in ("latent", "observables")}
    adapted = {way: np.full((len(TARGETS), *shape[1:]), np.nan) for way in WAYS[1:3]}
    for lesson, result in _networks(settings, small, blocks.folder / "inputs.npy", workers):
        if lesson.way == "plain":
            found["network"][lesson.universe] = result["m_dm"]
            sigma["network"][lesson.universe] = result["sigma_ln"]
            alarms["latent"][lesson.universe] = result["alarm"]
        else:
            adapted[lesson.way][TARGETS.index(observed.names[lesson.universe])] = result["m_dm"]
    for k, result in _trees(settings, small):
        found["boosted"][k], sigma["boosted"][k] = result["m_dm"], result["sigma_ln"]
        alarms["observables"][k] = result["alarm"]
    found["rotation"], sigma["rotation"], trust = _rotation(settings, small, few)
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as handle:
        handle.attrs.update({"data": "embedded universes, drawn in memory", "profile": settings.profile})
        handle.attrs["seed"], handle.attrs["trust"] = settings.seed, trust
        handle.attrs["universes"], handle.attrs["targets"] = list(observed.names), list(TARGETS)
        for split in ("train", "validation", "test"):
            handle.attrs[f"n_{split}"] = len(observed.rows(split))
        handle.create_dataset("radii", data=RADII_KPC).attrs["unit"] = "kpc"
        handle.create_dataset("truth", data=observed.truth[:, tests]).attrs["unit"] = "Msun"
        handle["subhalo_id"], handle["accepted"] = observed.subhalo_id[tests], observed.accepted[:, tests]
        for name in METHODS:
            handle.create_dataset(f"{name}/m_dm", data=found[name]).attrs["unit"] = "Msun"
            handle[f"{name}/sigma_ln"] = sigma[name]
        for name, values in alarms.items():
            handle[f"alarms/{name}"] = values
        for way, values in adapted.items():
            handle.create_dataset(f"adapted/{way}", data=values).attrs["unit"] = "Msun"
        aside = observed.set_aside
        handle.create_dataset("set_aside/subhalo_id", data=np.array(list(aside), dtype=np.int64))
        handle.create_dataset(
            "set_aside/reason", data=list(aside.values()), dtype=h5py.string_dtype(), shape=len(aside)
        )
    blocks.remove()


def _networks(
    settings: Settings, observed: Observed, inputs: Path, workers: int | None
) -> Iterator[tuple[Lesson, dict[str, np.ndarray]]]:
    """Train every network and apply it to the test galaxies of all universes."""
    n, v = len(observed.subhalo_id), len(observed.names)
    lessons = [Lesson("plain", k, np.full(n, k)) for k in range(v)]
    for name in TARGETS:
        k = observed.names.index(name)
        rng = np.random.default_rng([settings.seed, 0x6D6978, k])
        lessons.append(Lesson("mixture", k, rng.choice(np.delete(np.arange(v), k), n)))
        lessons.append(Lesson("matched", k, np.zeros(n, dtype=int)))
    work = partial(_learn, settings, observed, inputs)
    alone, what = single_thread(), "trained networks"
    done = map_parallel(work, list(enumerate(lessons)), memory=MEMORY, workers=workers, what=what, environment=alone)
    for place, result in bar(done, total=len(lessons), label="networks", unit="training"):
        yield lessons[place], result


def _learn(
    settings: Settings, observed: Observed, path: Path, task: tuple[int, Lesson]
) -> tuple[int, dict[str, np.ndarray]]:
    """One lesson: the network's answers for the test galaxies of all universes, its errors, and its distances."""
    import keras  # here: to import it takes longer than all fits of a worker with profile ``smoke``

    from ..networks.adaptation import train, train_matched, views
    from ..networks.fit import Standard

    keras.utils.clear_session(free_memory=False)  # one process makes many networks, too small to collect each
    place, lesson = task
    inputs, ln_m = np.load(path, mmap_mode="r"), ln_mass(observed.truth)
    train_rows, check, tests = (observed.rows(split) for split in ("train", "validation", "test"))
    source = lesson.sources
    standard = Standard.of(ln_m[source[train_rows], train_rows])
    training, validation = (
        views(inputs[source[rows], rows], ln_m[source[rows], rows], rows, standard) for rows in (train_rows, check)
    )
    # The same seed for all: two universes differ in their galaxies, not in the luck of a training.
    schedule, seed = SCHEDULES[settings.profile], settings.seed
    if lesson.way == "matched":
        others = np.ascontiguousarray(inputs[lesson.universe, train_rows])
        made = train_matched(observed.channels, training, validation, others, schedule, seed)
    else:
        made = train(observed.channels, training, validation, schedule, seed)
    # All that the network is asked about in one call, see `Trained.predict_ln`.
    asked = np.concatenate([validation.inputs, *inputs[:, tests]])
    answers = made.predict_ln(asked)
    known, predicted = answers[: len(check)], answers[len(check) :].reshape(len(inputs), len(tests), -1)
    result = {"m_dm": np.exp(predicted)}
    if lesson.way == "plain":
        floor, _ = calibrate(known[None], ln_m[lesson.universe, check])
        result["sigma_ln"] = np.broadcast_to(floor, predicted.shape)
        latent = made.latent(asked[len(check) :]).reshape(len(inputs), len(tests), -1)
        result["alarm"] = isolation(made.latent(training.inputs), latent)
    return place, result


def isolation(training: np.ndarray, others: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Distance of galaxies from the fifth nearest training galaxy.

    Parameters
    ----------
    training : ndarray, shape (n, f)
        Any description of the training galaxies; NaN counts as the mean.
    others : sequence of ndarray, shape (m, f)

    Returns
    -------
    ndarray, shape (len(others), m)
        In the space of the leading principal components, each in units of its scatter among the training galaxies.
    """
    # Two scalings: of the features, which have units of their own, and of the components.
    space = make_pipeline(
        SimpleImputer(keep_empty_features=True),
        StandardScaler(),
        PCA(min(COMPONENTS, *(size - 1 for size in training.shape)), svd_solver="full", whiten=True),
    ).fit(training)
    known = space.transform(training)
    k = min(NEIGHBOUR, len(known)) - 1
    return np.stack(
        [
            np.partition(np.linalg.norm(space.transform(some)[:, None] - known[None], axis=2), k, axis=1)[:, k]
            for some in others
        ]
    )


def _trees(settings: Settings, observed: Observed) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Boosted trees of every universe: grown in less time than processes take to start."""
    training, check, tests = (observed.rows(split) for split in ("train", "validation", "test"))
    x = observed.observables
    tasks = [
        Task(
            x[k, training],
            finite_ln(truth[training]),
            training,
            np.concatenate([x[k, check], *x[:, tests]]),
            settings.seed,
        )
        for k, truth in enumerate(observed.truth)
    ]
    # As the networks' schedule, start and number of trees are the same in all universes, which then differ in their
    # galaxies alone; the fiducial one chooses.
    choice = choose_boosting(tasks[0])
    for k, task in enumerate(bar(tasks, label="boosted trees", unit="universe")):
        ln_m = boosted(task, choice)
        known, rest = ln_m[: len(check)], ln_m[len(check) :].reshape(len(x), len(tests), -1)
        floor, _ = calibrate(known[None], ln_mass(observed.truth[k, check]))
        alarm = isolation(task.x, [some[tests] for some in x])
        yield k, {"m_dm": np.exp(rest), "sigma_ln": np.broadcast_to(floor, rest.shape), "alarm": alarm}


def _rotation(settings: Settings, observed: Observed, workers: int | None) -> tuple[np.ndarray, np.ndarray, float]:
    """Mass, its error, and the trust in a curve's likelihood; fits with the priors of every universe.

    The trust is found with the fiducial validation galaxies, which alone have rotation curves, and holds for all.
    """
    universes = range(len(observed.names))
    # What is known of each universe, and the trust, are found in less time than processes take to start.
    known = [_population(observed, k) for k in universes]
    check, tests = observed.rows("validation"), observed.rows("test")
    columns = [_columns(observed, k) for k in universes]
    quantiles = np.full((len(check), 5, len(RADII_KPC)), np.nan)
    usable = [i for i, row in enumerate(check) if observed.accepted[0, row]]
    work = [(i, partial(_fit, model_of(columns[0], int(check[i])), known[0], settings.seed + i)) for i in usable]
    for outcome in fit_many(work, label="trust in rotation curves", workers=1):
        if outcome.fit is not None:
            quantiles[outcome.key] = outcome.fit.quantiles
    curve = observed.curve[0, check]
    # Radii increase, and NaN follows the last ring.
    last = np.max(curve[:, 0], axis=1, initial=-np.inf, where=np.isfinite(curve[:, 0]))
    places = regimes(curve[:, 0, 0], last)
    narrow = stretch(observed.truth[0, check], quantiles, places, observed.accepted[0, check])["measured"]
    trust = 1.0 / max(narrow, 1.0) ** 2
    shape = (len(universes), len(universes), len(tests), len(RADII_KPC))
    mass, sigma = np.full(shape, np.nan), np.full(shape, np.nan)
    known = [replace(one, trust=trust) for one in known]
    tasks = [
        ((j, i), model_of(columns[j], int(row)), settings.seed + i)
        for j in universes
        for i, row in enumerate(tests)
        if observed.accepted[j, row]
    ]
    done = map_parallel(partial(_fits, known), tasks, memory=FIT_MEMORY, workers=workers, what="fitted rotation curves")
    for (j, i), fits in bar(done, total=len(tasks), label="fits with priors of all universes", unit="curve"):
        for k, found in enumerate(fits):
            if found is not None:
                mass[k, j, i], sigma[k, j, i] = found
    return mass, sigma, trust


def _fits(
    known: Sequence[Population], task: tuple[tuple[int, int], MassModel, int]
) -> tuple[tuple[int, int], list[tuple[np.ndarray, np.ndarray] | None]]:
    """Mass and error of one curve with the priors of every universe, None without a fit.

    The posteriors lie near each other: the search for each begins where it ended for the one before.
    """
    key, model, seed = task
    fits: list[tuple[np.ndarray, np.ndarray] | None] = []
    last: Fit | None = None
    for population in known:
        outcome = attempt((key, partial(_fit, model, population, seed, last)))
        last = outcome.fit or last
        fits.append(None if outcome.fit is None else (outcome.fit.m_dm, outcome.fit.sigma_ln))
    return key, fits


def _population(observed: Observed, k: int) -> Population:
    rows = observed.rows("train")
    mass = {name: observed.masses[k, rows, part] for part, name in enumerate(("dm", "stars", "gas"))}
    return learn_from(mass, observed.m_dm_particle, observed.photometric[k, rows], observed.hydrogen[k, rows])


def _columns(observed: Observed, k: int) -> dict[str, Any]:
    """The mass models of one universe as `model_of` takes them."""
    names = ("inclination", "inclination_err")
    tilt = dict(zip(names, observed.tilt[k].T, strict=True))
    return {
        "subhalo_id": observed.subhalo_id,
        "view": np.zeros(len(observed.subhalo_id), dtype=int),
        "curve": observed.curve[k],
        "numbers": observed.numbers[k],
        **tilt,
    }


def _fit(model: MassModel, population: Population, seed: int, start: Fit | None = None) -> Fit:
    complete = population.complete(model)
    return population.fit(complete, population.priors(complete), sampling=SAMPLING, seed=seed, start=start)
