"""Making the benchmark: tilted rings, baryons and halo fits of all test views, a galaxy at a time, resumable."""

from __future__ import annotations

import hashlib
import multiprocessing
import shutil
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from ..dataset.read import read_dataset
from ..errors import DmlibError, GalaxyError, UniverseError
from ..files import atomic_path
from ..progress import bar
from ..settings import RADII_KPC, Settings
from ..workers import choose_workers, end_with_parent, worker_environment
from .baryons import TAYLOR_SCATTER
from .benchmark import METHODS
from .fit import Sampling, fit
from .massmodel import MassModel
from .pipeline import Measured, mass_model, observer_of
from .priors import Normal, Priors, Uniform

#: Memory that one worker may need [bytes].
MEMORY = 2e9

#: Added in squares to the rings' error of the inclination [deg]: a warp or an arm tilts more than the formal error
#: says. Ours.
INCLINATION_FLOOR = 2.0

#: Views of a galaxy for which everything is known, too; the others would tell the same with three times the work.
PERFECT_VIEWS = (0,)

#: A chain long enough for intervals; the evidence is not asked for.
SAMPLING = Sampling(walkers=40, burn=120, block=300, most=1800, wanted=40, draws=800)

_SHAPES = {"quantiles": (5, len(RADII_KPC)), "measured": (len(RADII_KPC),)}
_ARRAYS = ("quantiles", "measured", "tried", "accepted", "converged", "seconds")
_VIEW = ("inclination", "inclination_err", "last_radius", "seconds")


def priors_of(model: MassModel, method: str) -> Priors:
    """What an observer believes of a simulated galaxy.

    The distance is known. Stellar masses from colours are good to `TAYLOR_SCATTER`; the inclination to the rings'
    error. With ``_perfect`` both are true. ``_lcdm`` adds what simulations say: the concentration-mass relation, and
    the stellar mass that a halo has; without it halo mass and concentration are free.
    """
    stars = None if method.endswith("_perfect") else Normal(0.0, TAYLOR_SCATTER)
    tilt = None
    if not method.endswith("_perfect"):
        tilt = Normal(model.inclination, float(np.hypot(model.inclination_err, INCLINATION_FLOOR)), 5.0, 90.0)
    return Priors(
        log_c="dutton2014" if "lcdm" in method else Uniform(0.0, 2.0),
        stellar_to_halo="lcdm" in method,
        log_upsilon_disk=stars,
        log_upsilon_bulge=stars,
        inclination=tilt,
        nominal_inclination=model.inclination,
    )


@dataclass(frozen=True)
class _Work:
    """The views of one galaxy, and where its results shall lie."""

    settings: Settings
    subhalo_id: int
    views: tuple[int, ...]
    path: Path


def build(settings: Settings, *, workers: int | None = None) -> None:
    """Make the product "rotation", ``rotation/benchmark.hdf5``; goes on where a killed run stopped.

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
    folder = settings.rotation_dir / f"shards-{_key(settings, dataset.attributes)[:12]}"
    for stale in settings.rotation_dir.glob("shards-*"):
        if stale != folder:
            shutil.rmtree(stale)
    folder.mkdir(parents=True, exist_ok=True)
    work = [
        _Work(settings, int(i), tuple(int(v) for v in views[ids == i]), folder / f"{int(i)}.npz")
        for i in dict.fromkeys(ids.tolist())
    ]
    _all([one for one in work if _read(one) is None], workers or choose_workers(MEMORY), len(work))
    contents = {one.subhalo_id: _read(one) for one in work}
    places = [(int(i), contents[int(i)]["views"].tolist().index(int(v))) for i, v in zip(ids, views, strict=True)]
    reasons = {name: [str(contents[i][f"{name}/reason"][k]) for i, k in places] for name in METHODS}
    if not any(np.isfinite(contents[i]["nfw/quantiles"][k]).all() for i, k in places):
        raise DmlibError(f"no view of {dataset.path} gave a rotation curve ({reasons['nfw'][0]})")
    with atomic_path(settings.benchmark_path) as temporary, h5py.File(temporary, "w") as handle:
        handle.attrs.update({"data": settings.label, "profile": settings.profile, "seed": settings.seed})
        handle.create_dataset("radii", data=RADII_KPC).attrs["unit"] = "kpc"
        handle.create_dataset("truth", data=dataset.dm_profile[rows]).attrs["unit"] = "Msun"
        for name, values in (("subhalo_id", ids), ("view", views), ("rows", rows)):
            handle[name] = values
        for name, unit in zip(_VIEW, ("deg", "deg", "kpc", "s"), strict=True):
            handle.create_dataset(name, data=[contents[i][name][k] for i, k in places]).attrs["unit"] = unit
        for name, title in METHODS.items():
            group = handle.create_group(name)
            group.attrs["title"] = title
            for key in _ARRAYS:
                values = np.array([contents[i][f"{name}/{key}"][k] for i, k in places])
                group[key] = values.astype(bool) if key in ("measured", "tried", "accepted", "converged") else values
            group.create_dataset("m_dm", data=group["quantiles"][:, 2]).attrs["unit"] = "Msun"
            with np.errstate(invalid="ignore"):
                group["sigma_ln"] = 0.5 * np.log(group["quantiles"][:, 3] / group["quantiles"][:, 1])
            group.create_dataset("reason", data=reasons[name], dtype=h5py.string_dtype())
    shutil.rmtree(folder)


def _all(work: list[_Work], workers: int, total: int) -> None:
    with bar(total=total, label="rotation curves", unit="galaxy") as progress:
        progress.update(total - len(work))
        if min(workers, len(work)) < 2:
            for one in work:
                _galaxy(one)
                progress.update()
            return
        context = multiprocessing.get_context("spawn")
        with (
            worker_environment(),
            ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent) as pool,
        ):
            try:
                for done in as_completed([pool.submit(_galaxy, one) for one in work]):
                    done.result()
                    progress.update()
            except BrokenProcessPool as error:
                raise DmlibError(
                    "a worker that fitted rotation curves was stopped: where memory is short set DMLIB_WORKERS=1 "
                    "(finished galaxies are kept)."
                ) from error
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _galaxy(work: _Work) -> None:
    """Measure and fit all views of one galaxy, and write them; what fails is written with its reason."""
    n = len(work.views)
    out = {name: np.full(n, np.nan) for name in _VIEW}
    for name in METHODS:
        out |= {f"{name}/{key}": np.full((n, *_SHAPES.get(key, ())), np.nan) for key in _ARRAYS}
        for key in ("measured", "tried", "accepted", "converged"):
            out[f"{name}/{key}"][:] = 0.0
        out[f"{name}/reason"] = np.full(n, "not asked for", dtype=object)
    for k, view in enumerate(work.views):
        try:
            cube = observer_of(work.settings)[1].cube(work.subhalo_id, view)
        except (GalaxyError, UniverseError) as error:
            for name in METHODS:
                out[f"{name}/reason"][k], out[f"{name}/tried"][k] = str(error), 1.0
            continue
        for knowledge in ("observed", "perfect") if view in PERFECT_VIEWS else ("observed",):
            begin = time.process_time()
            found = mass_model(work.settings, work.subhalo_id, view, knowledge=knowledge, cube=cube)
            if knowledge == "observed":
                out["seconds"][k] = time.process_time() - begin
                _describe(out, k, found)
            for name in METHODS:
                if name.endswith("_perfect") == (knowledge == "perfect"):
                    _one(out, k, name, found, work.settings.seed)
    with atomic_path(work.path) as temporary:
        reasons = {key: np.array(values, dtype=str) for key, values in out.items() if key.endswith("/reason")}
        np.savez(temporary, views=np.array(work.views), **{**out, **reasons})


def _describe(out: dict[str, np.ndarray], k: int, found: Measured) -> None:
    if found.curve is not None:
        out["inclination"][k], out["inclination_err"][k] = found.curve.mean_inclination, found.curve.inclination_err
    if found.model is not None:
        out["last_radius"][k] = found.model.radius[-1]


def _one(out: dict[str, np.ndarray], k: int, name: str, found: Measured, seed: int) -> None:
    """Fit one halo model to one view."""
    out[f"{name}/tried"][k] = 1.0
    out[f"{name}/reason"][k] = "; ".join(found.reasons)
    if found.model is None:
        return
    begin = time.process_time()
    own = np.random.default_rng([seed, found.subhalo_id, found.view, list(METHODS).index(name)])
    try:
        made = fit(
            found.model,
            name.split("_")[0],
            priors_of(found.model, name),
            seed=int(own.integers(2**31)),
            sampling=SAMPLING,
            evidence=False,
        )
    except GalaxyError as error:
        out[f"{name}/reason"][k] = "; ".join((*found.reasons, str(error)))
        return
    out[f"{name}/seconds"][k] = time.process_time() - begin
    for key in ("quantiles", "measured", "converged"):
        out[f"{name}/{key}"][k] = getattr(made, key)
    out[f"{name}/accepted"][k] = found.accepted


def _read(work: _Work) -> dict[str, np.ndarray] | None:
    """What a shard holds; None where it is missing or damaged."""
    try:
        with np.load(work.path) as stored:
            content = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    return content if content["views"].tolist() == list(work.views) else None


def _key(settings: Settings, attributes: dict) -> str:
    """Fingerprint of the data set and of the code."""
    digest = hashlib.sha256(f"{attributes['made_from']} {settings.seed}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
