"""Making the data set: all galaxies of the sample, observed in parallel, put into one file."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import dask
import numpy as np

from .. import __version__
from ..code import fingerprint
from ..observe.grid import SkyGrid
from ..observe.moments import MOMENTS
from ..progress import bar
from ..sample import read_sample
from ..settings import Settings
from ..targets import Targets, read_targets
from ..universe import open_universe
from . import shards
from .recipe import DatasetError, Recipe
from .split import assign
from .views import Observer
from .workers import compute

_MAP_AXES = "view, y (rows upwards, North), x (columns to the right, West)"
_HI_UNITS = ("Msun / pc2", "km / s", "km / s")


def build(
    settings: Settings,
    *,
    recipe: Recipe | None = None,
    scheduler: Any = None,
    workers: int | None = None,
    path: Path | None = None,
    shard_size: int = shards.GALAXIES_PER_SHARD,
) -> None:
    """Make the product "dataset", ``dataset.hdf5``; goes on where a killed run stopped.

    Every array is the same, bit for bit, whatever the number and kind of workers, the size of the shards, and however
    often the work was interrupted.

    Parameters
    ----------
    settings : Settings
    recipe : Recipe, optional
        What is observed; the book's when omitted.
    scheduler, workers
        Who computes, see `dmlib.dataset.workers.compute`. Workers elsewhere need the build folder and the universe
        under the same paths.
    path : Path, optional
        Where the file shall be; by default the product's place.
    shard_size : int
        Galaxies that are written together: what a killed run may lose of each worker.

    Raises
    ------
    UniverseError
        When the catalogue cannot be read. (A galaxy whose particles cannot is set aside.)
    DatasetError
        When no galaxy could be observed.
    """
    recipe, path = recipe or Recipe(), path or settings.dataset_path
    universe, sample, targets = (
        open_universe(settings),
        read_sample(settings.sample_path),
        read_targets(settings.targets_path),
    )
    grid = SkyGrid.of(settings)
    observer = Observer(universe, recipe, grid, settings.seed)
    key = _key(observer, sample["subhalo_id"], targets)
    folder = _folder(path, f"{key[:12]}-{shard_size}")
    todo = shards.plan(targets.subhalo_id, folder, shard_size)
    left = [shard for shard in todo if not shards.is_finished(shard)]
    with bar(total=len(targets), label="data set", unit="galaxy") as progress:
        progress.update(len(targets) - sum(len(shard.subhalo_ids) for shard in left))
        # Not pure: a shard is known by its file, and must be made when Dask thinks that it remembers it.
        make = dask.delayed(shards.make, pure=False)
        who = dask.delayed(observer, traverse=False)
        if left:
            universe.prepare(sample["group_id"])
            compute([make(shard, who) for shard in left], progress.update, scheduler=scheduler, workers=workers)
    contents = map(shards.read, todo)  # one at a time: all together may be larger than the memory
    if not any(content is not None and len(content.subhalo_ids) for content in contents):
        reasons = [reason for content in map(shards.read, todo) for reason in content.set_aside.values()]
        raise DatasetError(
            f"no galaxy of {settings.sample_path} could be observed ({next(iter(reasons), 'none has a target')})"
        )
    source = recipe.source(settings.seed)
    split = assign(
        sample["group_id"],
        seed=settings.seed,
        rank_by=sample["m_star"].to_value("Msun"),
        apart=~sample["is_true_central"],
        train=recipe.train,
        validation=recipe.validation,
    )
    shards.assemble(
        path,
        todo,
        sample,
        split,
        targets,
        _attributes(settings, observer, key),
        {"unit": source.unit, "bands": list(source.bands), "axes": f"{_MAP_AXES}, band"},
        {"unit": list(_HI_UNITS), "moments": list(MOMENTS), "axes": f"{_MAP_AXES}, moment", "blank": "NaN"},
    )
    shutil.rmtree(folder)


def _folder(path: Path, name: str) -> Path:
    """Where the shards lie; those of another data set that was to be at the same place are removed."""
    folder = path.with_name(f"{path.stem}.shards-{name}")
    for stale in path.parent.glob(f"{path.stem}.shards-*"):
        if stale != folder:
            shutil.rmtree(stale)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _attributes(settings: Settings, observer: Observer, key: str) -> dict[str, Any]:
    header, grid = observer.universe.header, observer.grid
    return {
        "description": "Images, HI maps and dark-matter profiles of simulated galaxies; physical units, no h",
        "data": settings.label,
        "universe": settings.universe,
        "profile": settings.profile,
        "seed": settings.seed,
        "simulation": header.simulation,
        "snapshot": header.snapshot,
        "universe_identity": header.identity,
        "made_from": key,
        "dmlib": __version__,
        "recipe": observer.recipe.model_dump_json(),
        "field_of_view": grid.field_of_view,
        "field_of_view_unit": "kpc",
        "pixels": grid.pixels,
        "pixel_size": grid.pixel_size,
        "pixel_size_unit": "kpc",
        "m_dm_particle": header.m_dm,
        "m_dm_particle_unit": "Msun",
    }


def _key(observer: Observer, sample_ids: np.ndarray, targets: Targets) -> str:
    """Fingerprint of everything that the data set depends on, the code that observes included."""
    grid = observer.grid
    digest = hashlib.sha256(f"{observer.universe.header.identity} {observer.seed}".encode())
    digest.update(f"{observer.recipe.model_dump_json()} {grid.field_of_view} {grid.pixels}".encode())
    digest.update(fingerprint(__name__, type(observer.universe).__module__).encode())
    for array in (sample_ids, targets.subhalo_id, targets.m_dm):
        digest.update(np.ascontiguousarray(np.asarray(array)).tobytes())
    return digest.hexdigest()
