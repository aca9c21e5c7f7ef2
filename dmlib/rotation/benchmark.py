"""The benchmark: tilted rings, baryons and halo fits of all test views, as arrays like the networks' predictions.

Validation views are measured too, so that what is adjusted (the width of intervals) is adjusted on them and judged on
the test views. Priors that come from the population are learned from the training galaxies.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..code import fingerprint
from ..dataset.read import DataSet, read_dataset
from ..dataset.views import Observer
from ..errors import DmlibError, GalaxyError
from ..files import atomic_path
from ..settings import RADII_KPC, Settings
from ..targets import read_targets
from ..universe import open_universe
from ..workers import Blocks, complete, map_parallel
from .curve import Reason, Rejection, sentences
from .fit import Outcome, attempt, fit_many
from .massmodel import MASSES_KNOWN, MassModel
from .measure import Knowledge, ViewMeasurement, measure_view
from .population import VARIANTS, Population, Variant, learn, regimes, stretch

#: Memory that one worker may need [bytes].
MEMORY = 2e9

#: Views of a galaxy that are also fitted with perfect knowledge; all three would cost more for the same result.
PERFECT_VIEWS = (0,)

#: Validation views that are enough for the width of intervals: every galaxy counts, with no more views than it takes.
ENOUGH_VIEWS = 100

#: Places for the rings of a curve in the file.
MOST_RINGS = 64


@dataclass(frozen=True)
class Method:
    """Results of one variant for the test views; NaN where there is no fit.

    Parameters
    ----------
    quantiles : ndarray, shape (n, 5, 20)
        Of M_DM(<R): 2.5, 16, 50, 84 and 97.5 per cent [Msun].
    measured : ndarray of bool, shape (n, 20)
        Whether the radius lies within the measured curve.
    tried, accepted : ndarray of bool, shape (n,)
        Whether this variant was applied to the view; whether the result passes the quality cuts.
    reason : ndarray of str, shape (n,)
        Why not, in words.
    reasons : tuple of tuple of Reason, length n
        The same as values.
    converged : ndarray of bool, shape (n,)
    seconds : ndarray, shape (n,)
        Processor time of the fit.
    """

    quantiles: np.ndarray
    measured: np.ndarray
    tried: np.ndarray
    accepted: np.ndarray
    reason: np.ndarray
    reasons: tuple[tuple[Reason, ...], ...]
    converged: np.ndarray
    seconds: np.ndarray

    @property
    def m_dm(self) -> np.ndarray:
        """Median of M_DM(<R) [Msun], shape (n, 20)."""
        return self.quantiles[:, 2]

    @property
    def sigma_ln(self) -> np.ndarray:
        """Half of the 68 per cent interval of ln M, shape (n, 20)."""
        return 0.5 * np.log(self.quantiles[:, 3] / self.quantiles[:, 1])


@dataclass(frozen=True)
class Benchmark:
    """The rotation-curve method on the test views, or on the validation views.

    Parameters
    ----------
    path : Path
    radii : ndarray, shape (20,)
        [kpc]
    truth : ndarray, shape (n, 20)
        [Msun]
    subhalo_id, view, rows : ndarray of int, shape (n,)
        ``rows`` of the data set.
    inclination, inclination_err : ndarray, shape (n,)
        As fitted by the rings [deg]; NaN without a curve.
    last_radius : ndarray, shape (n,)
        Of the curve [kpc].
    beams : ndarray, shape (n,)
        Diameter of the measured disc in beams.
    seconds : ndarray, shape (n,)
        Processor time from the cube to the mass model; the cube itself, which a telescope makes, is not counted.
    curve : ndarray, shape (n, 6, MOST_RINGS)
        Rows `CURVE` of the mass model as observed, NaN beyond the last ring; see `model`.
    numbers : ndarray, shape (n, 4)
        Its numbers `NUMBERS`.
    methods : dict
        Name -> Method, see `VARIANTS`.
    population : Population
        What the training galaxies tell.
    validation : Benchmark or None
        The same for the validation views, without the variants of perfect knowledge; None in that itself.
    """

    path: Path
    radii: np.ndarray
    truth: np.ndarray
    subhalo_id: np.ndarray
    view: np.ndarray
    rows: np.ndarray
    inclination: np.ndarray
    inclination_err: np.ndarray
    last_radius: np.ndarray
    beams: np.ndarray
    seconds: np.ndarray
    curve: np.ndarray
    numbers: np.ndarray
    methods: dict[str, Method]
    population: Population
    validation: Benchmark | None = None

    def __getitem__(self, name: str) -> Method:
        if name not in self.methods:
            raise DmlibError(f"{self.path} has no method '{name}': it has {', '.join(self.methods)}.")
        return self.methods[name]

    def __len__(self) -> int:
        return len(self.subhalo_id)

    def model(self, k: int) -> MassModel:
        """Mass model of a view as observed.

        Raises
        ------
        GalaxyError
            When it has none.
        """
        return model_of(vars(self), k)

    @property
    def places(self) -> dict[str, np.ndarray]:
        """Where the radii lie along the curve of each view, see `dmlib.rotation.population.regimes`."""
        return regimes(self.curve[:, 0, 0], self.last_radius)


def read_benchmark(path: str | Path) -> Benchmark:
    """Read a benchmark file.

    Raises
    ------
    DmlibError
        When the file is damaged or has another format.
    """
    path = Path(path)
    try:
        with h5py.File(path, "r") as handle:
            population = Population.loads(handle.attrs["population"])
            validation = _read(path, handle["validation"], population)
            return replace(_read(path, handle, population), validation=validation)
    except (OSError, KeyError, ValueError) as error:
        raise DmlibError(f"{path} is not a complete benchmark ({error}): remove it and run again.") from error


def model_of(columns: Mapping[str, Any], k: int) -> MassModel:
    """Mass model of row k of the columns of a benchmark."""
    name = f"subhalo {columns['subhalo_id'][k]}, view {columns['view'][k]}"
    rings = np.isfinite(columns["curve"][k, 0])
    if not rings.any():
        raise GalaxyError(f"{name}, has no rotation curve: leave it out.")
    known: dict[str, Any] = dict(zip(CURVE, columns["curve"][k][:, rings], strict=True))
    known |= dict(zip(NUMBERS, columns["numbers"][k].tolist(), strict=True)) | MASSES_KNOWN
    known |= {key: float(columns[key][k]) for key in ("inclination", "inclination_err")}
    return MassModel(galaxy=name, source=None, **known)


def columns_of(model: MassModel | None) -> dict[str, np.ndarray]:
    """The rings and numbers of a mass model as arrays, for `model_of`; NaN where there is none."""
    curve, numbers = np.full((len(CURVE), MOST_RINGS), np.nan), np.full(len(NUMBERS), np.nan)
    if model is not None:
        curve[:, : len(model.radius)] = [getattr(model, name) for name in CURVE]
        numbers[:] = [getattr(model, name) for name in NUMBERS]
    return {"curve": curve, "numbers": numbers}


def _read(path: Path, group: h5py.Group, population: Population) -> Benchmark:
    methods = {name: _method(group[name]) for name in VARIANTS}
    arrays = {item.name: group[item.name][()] for item in fields(Benchmark) if item.type == "np.ndarray"}
    return Benchmark(path=path, methods=methods, population=population, **arrays)


def _method(group: h5py.Group) -> Method:
    texts = {name: group[name].asstr()[()] for name in ("reason", "reasons")}
    arrays = {name: group[name][()] for name in _NO_FIT if name not in texts}
    return Method(
        **arrays,
        reason=texts["reason"],
        reasons=tuple(tuple(Reason[word.upper()] for word in text.split()) for text in texts["reasons"]),
    )


#: Columns of a variant, with the values of a view to which it was not applied.
_NO_FIT: dict[str, Any] = {
    "quantiles": np.full((5, len(RADII_KPC)), np.nan),
    "measured": np.zeros(len(RADII_KPC), dtype=bool),
    **dict.fromkeys(("tried", "accepted", "converged"), False),
    "seconds": np.nan,
    "reason": str(Rejection(Reason.OTHER)),
    "reasons": "",
}

#: Those of them that a fit gives.
_FITTED = ("seconds", "quantiles", "measured", "converged")

#: Columns and numbers of a mass model that are kept.
CURVE = ("radius", "v_obs", "v_err", "v_gas", "v_disk", "v_bulge")
NUMBERS = ("r_disk", "m_disk", "m_bulge", "r_half")

#: Numbers of a view.
_VIEW = ("inclination", "inclination_err", "last_radius", "beams", "seconds")

#: Begins the names of the columns with the mass model of perfect knowledge, which are kept until its last fit.
_EXACT = "exact "

#: Units of columns in the file.
_UNITS = {"radii": "kpc", "truth": "Msun", "inclination": "deg", "inclination_err": "deg", "last_radius": "kpc"}
_UNITS |= {"seconds": "s", "quantiles": "Msun", "m_dm": "Msun"}


def build(settings: Settings, *, workers: int | None = None) -> None:
    """Make the product "rotation", ``rotation/benchmark.hdf5``; resumes an interrupted run.

    Parameters
    ----------
    settings : Settings
    workers : int, optional
        Default `dmlib.workers.choose_workers`.

    Raises
    ------
    DmlibError
        When a worker was stopped, or no view could be fitted, or there are too few training galaxies.
    """
    dataset = read_dataset(settings.dataset_path)
    population = learn(dataset, read_targets(settings.targets_path))
    tests = dataset.rows("test")
    rows = np.concatenate([tests, _first_views(dataset, dataset.rows("validation"))])
    ids, views = (np.asarray(dataset.table[name])[rows] for name in ("subhalo_id", "view"))
    blocks = Blocks.of(settings.benchmark_path, dataset.made_from, settings.seed, fingerprint(__name__))
    work = {str(galaxy): views[ids == galaxy].tolist() for galaxy in ids.tolist()}
    measure = partial(_measure, settings, blocks, population, set(ids[: len(tests)].tolist()))
    apply = partial(map_parallel, memory=MEMORY, workers=workers, what="fitted rotation curves")
    complete(blocks, measure, list(work.items()), label="rotation curves", unit="view", apply=apply)
    parts = [blocks.read(galaxy) or {} for galaxy in work]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    keys = list(zip(columns["subhalo_id"].tolist(), columns["view"].tolist(), strict=True))
    order = [keys.index(key) for key in zip(ids.tolist(), views.tolist(), strict=True)]
    columns = {name: found[order] for name, found in columns.items()}
    columns |= {"subhalo_id": ids, "view": views, "rows": rows, "truth": dataset.dm_profile[rows]}
    if not np.isfinite(columns["nfw/quantiles"][: len(tests)]).all(axis=(1, 2)).any():
        raise DmlibError(f"no view of {dataset.path} gave a rotation curve ({columns['nfw/reason'][0]})")
    population = _calibrate(columns, population, len(tests), settings.seed, workers)
    columns = {name: found for name, found in columns.items() if not name.startswith(_EXACT)}
    with atomic_path(settings.benchmark_path) as temporary, h5py.File(temporary, "w") as handle:
        handle.attrs.update({"data": settings.label, "profile": settings.profile, "seed": settings.seed})
        handle.attrs["population"] = population.dumps()
        _write(handle, {name: found[: len(tests)] for name, found in columns.items()})
        _write(handle.create_group("validation"), {name: found[len(tests) :] for name, found in columns.items()})
    blocks.remove()


def _first_views(dataset: DataSet, rows: np.ndarray) -> np.ndarray:
    """Of some views the first ones of each galaxy, as many as make `ENOUGH_VIEWS` of all of them together."""
    subhalo_id, view = (np.asarray(dataset.table[name])[rows] for name in ("subhalo_id", "view"))
    each = -(-ENOUGH_VIEWS // max(1, len(np.unique(subhalo_id))))
    place = np.array([np.sum(view[subhalo_id == galaxy] < k) for galaxy, k in zip(subhalo_id, view, strict=True)])
    return rows[place < each]


def _calibrate(
    columns: dict[str, np.ndarray], population: Population, tests: int, seed: int, workers: int | None
) -> Population:
    """Trust curves as far as the validation views, those after the first `tests`, show, and fit with that trust.

    Curves have errors that their fits do not know (motions that are not circular, the beam, correlated rings), so that
    intervals are too narrow and the curve outweighs what is known of the population. All views to which an NFW halo was
    fitted are fitted, those of the test for the first time.
    """
    q, known = columns["population/quantiles"], np.arange(len(columns["rows"])) >= tests
    places = regimes(columns["curve"][:, 0, 0], columns["last_radius"])
    narrow = stretch(columns["truth"], q, places, known & columns["population/accepted"])["measured"]
    population = replace(population, trust=1.0 / max(narrow, 1.0) ** 2)
    exact = columns | {name: columns[_EXACT + name] for name in columns_of(None)}
    tasks = []
    for name, same, models in (("population", "nfw", columns), ("population_perfect", "nfw_perfect", exact)):
        again = partial(VARIANTS[name].fit, population=population)
        rows = np.flatnonzero(np.isfinite(columns[f"{same}/quantiles"]).all(axis=(1, 2))).tolist()
        tasks += [((name, k), partial(again, model_of(models, k), seed=seed + k)) for k in rows]
    for outcome in fit_many(tasks, label="fits with calibrated trust", workers=workers):
        name, k = outcome.key
        if outcome.fit is None:
            raise DmlibError(f"another halo was fitted to the same curve, but not that of {name}: {outcome.rejection}.")
        for key, value in _fitted(outcome).items():
            columns[f"{name}/{key}"][k] = value
    return population


def _write(place: h5py.Group, columns: dict[str, np.ndarray]) -> None:
    """Write the columns of some views, those of a variant to a group with its name."""
    columns = {"radii": RADII_KPC, **columns}
    for name, variant in VARIANTS.items():
        place.create_group(name).attrs["title"] = variant.title
        _, low, columns[f"{name}/m_dm"], high, _ = np.moveaxis(columns[f"{name}/quantiles"], 1, 0)
        columns[f"{name}/sigma_ln"] = 0.5 * np.log(high / low)
    for path, column in columns.items():
        texts = {"dtype": h5py.string_dtype()} if column.dtype.kind == "U" else {}
        written = place.create_dataset(path, data=column.astype(object) if texts else column, **texts)
        if unit := _UNITS.get(path.rpartition("/")[2]):
            written.attrs["unit"] = unit


@lru_cache(maxsize=2)
def _opened(settings: Settings) -> tuple[DataSet, Observer]:
    """The data set, and the telescope that made it; opened once per process."""
    dataset = read_dataset(settings.dataset_path)
    return dataset, Observer(open_universe(settings), dataset.recipe, dataset.grid, settings.seed)


def _measure(
    settings: Settings, blocks: Blocks, population: Population, tests: set[int], galaxy: tuple[str, list[int]]
) -> int:
    """Measure and fit all views of one galaxy, and store the results; failures are stored with their reason."""
    subhalo_id, views = int(galaxy[0]), galaxy[1]
    found = [_view(settings, population, subhalo_id, view, subhalo_id in tests) for view in views]
    blocks.write(galaxy[0], **{name: np.array([one[name] for one in found]) for name in found[0]})
    return len(views)


def _view(settings: Settings, population: Population, subhalo_id: int, view: int, test: bool) -> dict[str, Any]:
    """All columns of one view, for the test also of the variants of perfect knowledge.

    With the population's priors only validation views are fitted, from which the trust in curves follows; those of the
    test are fitted once it is known, see `_calibrate`.
    """
    dataset, observer = _opened(settings)
    row: dict[str, Any] = {"subhalo_id": subhalo_id, "view": view, **dict.fromkeys(_VIEW, np.nan)}
    row |= columns_of(None) | {_EXACT + name: none for name, none in columns_of(None).items()}
    row |= {f"{name}/{key}": value for name in VARIANTS for key, value in _NO_FIT.items()}
    try:
        cube = observer.cube(subhalo_id, view)
    except GalaxyError as error:
        for name in VARIANTS:
            row |= {f"{name}/reason": str(error), f"{name}/reasons": Reason.OTHER.value, f"{name}/tried": True}
        return row
    levels: tuple[Knowledge, ...] = ("observed", "perfect") if test and view in PERFECT_VIEWS else ("observed",)
    for knowledge in levels:
        begin = time.process_time()
        found = measure_view(dataset, observer, subhalo_id, view, knowledge=knowledge, cube=cube)
        if knowledge == "observed":
            row["seconds"] = time.process_time() - begin
            if found.curve is not None:
                row |= {"inclination": found.curve.mean_inclination, "inclination_err": found.curve.inclination_err}
                row |= {"beams": found.curve.beams_across}
            if found.model is not None:
                row |= columns_of(found.model) | {"last_radius": found.model.radius[-1]}
        elif found.model is not None:
            row |= {_EXACT + name: values for name, values in columns_of(found.model).items()}
        for number, (name, variant) in enumerate(VARIANTS.items()):
            if variant.knowledge == knowledge:
                if not (test and variant.priors_from == "training"):
                    fitted = _fit(found, variant, population, [settings.seed, subhalo_id, view, number])
                else:  # what a view is rejected for does not depend on the halo
                    fitted = {key: value for key, value in fitted.items() if key not in _FITTED}
                row |= {f"{name}/{key}": value for key, value in fitted.items()}
    return row


def _fitted(outcome: Outcome) -> dict[str, Any]:
    """What a fit adds to the columns of a variant."""
    return {"seconds": outcome.seconds} | {key: getattr(outcome.fit, key) for key in _FITTED[1:]}


def _fit(found: ViewMeasurement, variant: Variant, population: Population, seeds: list[int]) -> dict[str, Any]:
    """Columns of one variant for a measured view."""
    out: dict[str, Any] = {"tried": True}
    reasons = found.reasons
    if found.model is not None:
        seed = int(np.random.default_rng(seeds).integers(2**31))
        outcome = attempt((variant, partial(variant.fit, found.model, population, seed)))
        if outcome.rejection is not None:
            reasons = (*reasons, outcome.rejection)
        else:
            out |= {"accepted": found.accepted} | _fitted(outcome)
    return {**out, "reason": sentences(reasons), "reasons": " ".join(dict.fromkeys(one.reason for one in reasons))}
