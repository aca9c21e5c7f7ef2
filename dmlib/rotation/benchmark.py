"""The benchmark: tilted rings, baryons and halo fits of all test views, as arrays like the networks' predictions."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..code import fingerprint
from ..dataset.read import DataSet, read_dataset
from ..dataset.views import Observer
from ..errors import DmlibError, GalaxyError, UniverseError
from ..files import atomic_path
from ..progress import bar
from ..settings import RADII_KPC, Settings
from ..universe import open_universe
from ..workers import Blocks, map_parallel
from .curve import Reason, Rejection, from_values, sentences, values
from .fit import Sampling, attempt, fit
from .massmodel import MassModel
from .measure import Knowledge, ViewMeasurement, measure_view
from .posterior import ConcentrationRelation, Priors, known, observed_priors

#: Memory that one worker may need [bytes].
MEMORY = 2e9

#: Views of a galaxy that are also fitted with perfect knowledge; all three would cost more for the same result.
PERFECT_VIEWS = (0,)

#: A chain long enough for intervals; the evidence is not computed.
SAMPLING = Sampling(walkers=40, burn=120, block=300, most=1800, wanted=40, draws=800)


@dataclass(frozen=True)
class Variant:
    """One way to fit a halo to a measured view.

    Parameters
    ----------
    title : str
    halo : str
        A key of `dmlib.rotation.halos.HALOS`.
    simulations : bool
        Whether the priors are those of simulations: the concentration-mass relation, and the stellar mass of a halo.
        Otherwise halo mass and concentration are free.
    knowledge : {"observed", "perfect"}
        See `dmlib.rotation.measure.measure_view`.
    """

    title: str
    halo: str
    simulations: bool = False
    knowledge: Knowledge = "observed"

    def priors(self, model: MassModel) -> Priors:
        """Priors of an observer for a simulated galaxy.

        With perfect knowledge stellar masses and inclination are exact.
        """
        priors = observed_priors(model) if self.knowledge == "observed" else known()
        return replace(priors, log_c=ConcentrationRelation(), stellar_to_halo=True) if self.simulations else priors


#: Name of a group -> variant, in the order of the chapter.
VARIANTS: dict[str, Variant] = {
    "nfw": Variant("NFW", "nfw"),
    "burkert": Variant("Burkert", "burkert"),
    "nfw_lcdm": Variant("NFW, simulations' priors", "nfw", simulations=True),
    "nfw_perfect": Variant("NFW, geometry and baryons known", "nfw", knowledge="perfect"),
    "burkert_perfect": Variant("Burkert, geometry and baryons known", "burkert", knowledge="perfect"),
    "nfw_lcdm_perfect": Variant(
        "NFW, simulations' priors, geometry and baryons known", "nfw", simulations=True, knowledge="perfect"
    ),
}


@dataclass(frozen=True)
class Method:
    """Results of one variant for the test views; NaN where there is no fit.

    Parameters
    ----------
    name : str
    m_dm : ndarray, shape (n, 20)
        Median of M_DM(<R) [Msun].
    sigma_ln : ndarray, shape (n, 20)
        Half of the 68 per cent interval of ln M.
    quantiles : ndarray, shape (n, 5, 20)
        2.5, 16, 50, 84 and 97.5 per cent [Msun].
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

    name: str
    m_dm: np.ndarray
    sigma_ln: np.ndarray
    quantiles: np.ndarray
    measured: np.ndarray
    tried: np.ndarray
    accepted: np.ndarray
    reason: np.ndarray
    reasons: tuple[tuple[Reason, ...], ...]
    converged: np.ndarray
    seconds: np.ndarray


@dataclass(frozen=True)
class Benchmark:
    """The rotation-curve method on the test views.

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
    seconds : ndarray, shape (n,)
        Processor time from the cube to the mass model; the cube itself, which a telescope makes, is not counted.
    methods : dict
        Name -> Method, see `VARIANTS`.
    """

    path: Path
    radii: np.ndarray
    truth: np.ndarray
    subhalo_id: np.ndarray
    view: np.ndarray
    rows: np.ndarray
    inclination: np.ndarray
    inclination_err: np.ndarray
    seconds: np.ndarray
    methods: dict[str, Method]

    def __getitem__(self, name: str) -> Method:
        if name not in self.methods:
            raise DmlibError(f"{self.path} has no method '{name}': it has {', '.join(self.methods)}.")
        return self.methods[name]

    def __len__(self) -> int:
        return len(self.subhalo_id)


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
            methods = {name: _method(name, handle[name]) for name in VARIANTS if name in handle}
            arrays = {item.name: handle[item.name][()] for item in fields(Benchmark) if item.type == "np.ndarray"}
            return Benchmark(path=path, methods=methods, **arrays)
    except (OSError, KeyError, ValueError) as error:
        raise DmlibError(f"{path} is not a complete benchmark ({error}): remove it and run again.") from error


def _method(name: str, group: h5py.Group) -> Method:
    found = {item.name: group[item.name] for item in fields(Method) if item.name != "name"}
    reason, reasons = (found.pop(key).asstr()[()] for key in ("reason", "reasons"))
    arrays = {key: item[()] for key, item in found.items()}
    return Method(name=name, reason=reason, reasons=tuple(map(from_values, reasons)), **arrays)


#: Arrays of a variant: name -> shape for one view, and type in the file.
_ARRAYS: dict[str, tuple[tuple[int, ...], type]] = {
    "quantiles": ((5, len(RADII_KPC)), float),
    "measured": ((len(RADII_KPC),), bool),
    "tried": ((), bool),
    "accepted": ((), bool),
    "converged": ((), bool),
    "seconds": ((), float),
}
_TEXTS = ("reason", "reasons")

#: Numbers of a view: name -> unit.
_VIEW = {"inclination": "deg", "inclination_err": "deg", "last_radius": "kpc", "seconds": "s"}


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
        When a worker was stopped, or no view could be fitted.
    """
    dataset = read_dataset(settings.dataset_path)
    rows = dataset.rows("test")
    ids, views = (np.asarray(dataset.table[name])[rows] for name in ("subhalo_id", "view"))
    code = fingerprint("dmlib.rotation.benchmark")
    blocks = Blocks.of(settings.benchmark_path, f"{dataset.attributes['made_from']} {settings.seed} {code}")
    work = {galaxy: views[ids == galaxy].tolist() for galaxy in ids.tolist()}
    todo = [galaxy for galaxy in work.items() if blocks.read(str(galaxy[0])) is None]
    measure = partial(_measure, settings, blocks)
    with bar(total=len(work), label="rotation curves", unit="galaxy") as progress:
        progress.update(len(work) - len(todo))
        for _ in map_parallel(measure, todo, memory=MEMORY, workers=workers, what="fitted rotation curves"):
            progress.update()
    parts = [blocks.read(str(galaxy)) or {} for galaxy in work]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    keys = list(zip(columns["subhalo_id"].tolist(), columns["view"].tolist(), strict=True))
    order = [keys.index(key) for key in zip(ids.tolist(), views.tolist(), strict=True)]
    columns = {name: found[order] for name, found in columns.items()}
    if not np.isfinite(columns["nfw/quantiles"]).all(axis=(1, 2)).any():
        raise DmlibError(f"no view of {dataset.path} gave a rotation curve ({columns['nfw/reason'][0]})")
    _write(settings, dataset, rows, {**columns, "subhalo_id": ids, "view": views, "rows": rows})
    blocks.remove()


def _write(settings: Settings, dataset: DataSet, rows: np.ndarray, columns: dict[str, np.ndarray]) -> None:
    """Write the product."""
    with atomic_path(settings.benchmark_path) as temporary, h5py.File(temporary, "w") as handle:
        handle.attrs.update({"data": settings.label, "profile": settings.profile, "seed": settings.seed})
        handle.create_dataset("radii", data=RADII_KPC).attrs["unit"] = "kpc"
        handle.create_dataset("truth", data=dataset.dm_profile[rows]).attrs["unit"] = "Msun"
        for name in ("subhalo_id", "view", "rows"):
            handle[name] = columns[name]
        for name, unit in _VIEW.items():
            handle.create_dataset(name, data=columns[name]).attrs["unit"] = unit
        for name, variant in VARIANTS.items():
            group = handle.create_group(name)
            group.attrs["title"] = variant.title
            for key, (_, kind) in _ARRAYS.items():
                group[key] = columns[f"{name}/{key}"].astype(kind)
            group.create_dataset("m_dm", data=group["quantiles"][:, 2]).attrs["unit"] = "Msun"
            with np.errstate(invalid="ignore"):
                group["sigma_ln"] = 0.5 * np.log(group["quantiles"][:, 3] / group["quantiles"][:, 1])
            for key in _TEXTS:
                group.create_dataset(key, data=columns[f"{name}/{key}"].astype(object), dtype=h5py.string_dtype())


@lru_cache(maxsize=2)
def _opened(settings: Settings) -> tuple[DataSet, Observer]:
    """The data set, and the telescope that made it; opened once per process."""
    dataset = read_dataset(settings.dataset_path)
    return dataset, Observer(open_universe(settings), dataset.recipe, dataset.grid, settings.seed)


def _measure(settings: Settings, blocks: Blocks, galaxy: tuple[int, list[int]]) -> None:
    """Measure and fit all views of one galaxy, and store the results; failures are stored with their reason."""
    subhalo_id, views = galaxy
    found = [_view(settings, subhalo_id, view) for view in views]
    blocks.write(str(subhalo_id), **{name: np.array([one[name] for one in found]) for name in found[0]})


def _view(settings: Settings, subhalo_id: int, view: int) -> dict[str, Any]:
    """All columns of one view."""
    dataset, observer = _opened(settings)
    row: dict[str, Any] = {"subhalo_id": subhalo_id, "view": view, **dict.fromkeys(_VIEW, np.nan)}
    for name in VARIANTS:
        for key, (shape, kind) in _ARRAYS.items():
            row[f"{name}/{key}"] = np.full(shape, 0.0 if kind is bool else np.nan)
        row |= {f"{name}/reason": str(Rejection(Reason.OTHER)), f"{name}/reasons": ""}
    try:
        cube = observer.cube(subhalo_id, view)
    except (GalaxyError, UniverseError) as error:
        for name in VARIANTS:
            row |= {f"{name}/reason": str(error), f"{name}/reasons": Reason.OTHER.value, f"{name}/tried": 1.0}
        return row
    levels: tuple[Knowledge, ...] = ("observed", "perfect") if view in PERFECT_VIEWS else ("observed",)
    for knowledge in levels:
        begin = time.process_time()
        found = measure_view(dataset, observer, subhalo_id, view, knowledge=knowledge, cube=cube)
        if knowledge == "observed":
            row["seconds"] = time.process_time() - begin
            if found.curve is not None:
                row["inclination"], row["inclination_err"] = found.curve.mean_inclination, found.curve.inclination_err
            if found.model is not None:
                row["last_radius"] = found.model.radius[-1]
        for number, (name, variant) in enumerate(VARIANTS.items()):
            if variant.knowledge == knowledge:
                fitted = _fit(found, variant, [settings.seed, subhalo_id, view, number])
                row |= {f"{name}/{key}": value for key, value in fitted.items()}
    return row


def _fit(found: ViewMeasurement, variant: Variant, seeds: list[int]) -> dict[str, Any]:
    """Columns of one variant for a measured view."""
    out: dict[str, Any] = {"tried": 1.0}
    reasons = found.reasons
    if found.model is not None:
        seed = int(np.random.default_rng(seeds).integers(2**31))
        make = partial(fit, found.model, variant.halo, variant.priors(found.model), sampling=SAMPLING, evidence=False)
        outcome = attempt((variant, partial(make, seed=seed)))
        if outcome.rejection is not None:
            reasons = (*reasons, outcome.rejection)
        else:
            out |= {"seconds": outcome.seconds, "accepted": float(found.accepted)}
            out |= {key: getattr(outcome.fit, key) for key in ("quantiles", "measured", "converged")}
    return {**out, "reason": sentences(reasons), "reasons": values(reasons)}
