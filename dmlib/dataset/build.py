"""Building the data set: all galaxies of the sample, observed in parallel, in one file.

Galaxies are observed in blocks, each written whole or not at all; the content of a block depends on its galaxies alone,
so neither the number of workers nor an interruption changes a bit of the data set. The file is then assembled from the
blocks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from astropy.table import QTable

from .. import __version__
from ..code import fingerprint
from ..files import atomic_path
from ..observe.images import ImageSource
from ..observe.moments import MOMENTS
from ..observe.sky import SkyGrid
from ..sample import read_sample
from ..settings import RADII_KPC, Settings
from ..targets import Targets, read_targets
from ..universe import open_universe
from ..workers import Blocks, digest_of, in_blocks, map_parallel, tell_set_aside
from . import SPLITS, assign
from .views import DatasetError, Observer, Recipe

#: Galaxies of a block: some seconds of work, the most that each worker loses when a run is killed.
GALAXIES_PER_BLOCK = 8

#: Memory that one worker may need [bytes].
MEMORY = 2e9

#: Target, and observed arrays in addition to images and maps, one row per view: unit and meaning.
OBSERVED = {
    "dm_profile": ("Msun", "dark matter of the FoF group within each radius of the galaxy's centre"),
    "view": ("", "number of the line of sight"),
    "inclination": ("deg", "of the HI disc within 30 kpc: 0 face-on, 90 edge-on"),
    "position_angle": ("deg", "of the receding side of the HI disc, from North through East"),
    "inclination_stars": ("deg", "of the stars within two half-mass radii"),
    "position_angle_stars": ("deg", "of the receding side of the stars, from North through East"),
    "rotation": ("", "rows: right (West), up (North), towards the observer, in the axes of the box"),
    "m_hi": ("Msun", "HI mass in the map of moment 0"),
}

#: Arrays of the galaxy from the catalogue, one row per view as well.
CATALOGUE = {
    "subhalo_id": ("", "SUBFIND id"),
    "group_id": ("", "FoF group"),
    "split": ("", ", ".join(f"{code} {name}" for name, code in SPLITS.items())),
    "m_star": ("Msun", "stellar mass of the catalogue"),
    "sfr": ("Msun / yr", "star formation rate of the catalogue"),
    "m200": ("Msun", "mass of the group within 200 times the critical density"),
    "is_true_central": ("", "whether the galaxy is the first subhalo of its group"),
}

_MAP_AXES = "view, y (rows upwards, North), x (columns to the right, West)"


def build(
    settings: Settings,
    *,
    recipe: Recipe | None = None,
    workers: int | None = None,
    path: Path | None = None,
    block_size: int = GALAXIES_PER_BLOCK,
) -> None:
    """Build the product "dataset", ``dataset.hdf5``, or continue after an interruption.

    Every array is the same, bit for bit, whatever the number and kind of workers, the size of the blocks, and however
    often the work was interrupted.

    Parameters
    ----------
    settings : Settings
    recipe : Recipe, optional
        What is observed; the book's when omitted.
    workers : int, optional
        Processes; default `dmlib.workers.choose_workers`.
    path : Path, optional
        Of the file; default the product's place.
    block_size : int
        Galaxies that are written together.

    Raises
    ------
    UniverseError
        When the catalogue or particles cannot be read. What was observed is kept, and the next call continues.
    DatasetError
        When no galaxy could be observed.
    DmlibError
        When a worker was stopped from outside.
    """
    recipe, path = recipe or Recipe(), path or settings.dataset_path
    sample, targets = read_sample(settings.sample_path), read_targets(settings.targets_path)
    # In the centre of a small halo particles are few, and there may be none.
    hollow = targets.subhalo_id[targets.m_dm[:, 0] <= 0].tolist()
    reason = f"no dark-matter particle within {RADII_KPC[0]:g} kpc: the logarithm of its target is not finite"
    targets = replace(targets, set_aside=targets.set_aside | dict.fromkeys(hollow, reason))
    observer = Observer(open_universe(settings), recipe, SkyGrid.of(settings), settings.seed)
    key = _key(observer, sample["subhalo_id"], targets)
    blocks = Blocks.of(path, key, block_size)
    ids = [int(i) for i in targets.subhalo_id if i not in targets.set_aside]
    observer.universe.prepare(sample["group_id"])
    apply = partial(map_parallel, memory=MEMORY, workers=workers, what="observed galaxies")
    # One block at a time: all together may be larger than the memory.
    contents = in_blocks(observer.views, ids, blocks, size=block_size, label="data set", apply=apply)
    mass, satellite = sample["m_star"].to_value("Msun"), ~sample["is_true_central"]
    shares = {name: getattr(recipe, name) for name in ("train", "validation", "calibration")}
    split = assign(sample["group_id"], seed=settings.seed, rank_by=mass, apart=satellite, **shares)
    attributes = _attributes(settings, observer, key)
    _assemble(path, contents, sample, split, targets, attributes, recipe.source(settings.seed))
    blocks.remove()


def _assemble(
    path: Path,
    contents: Iterable[tuple[list[int], dict[str, np.ndarray], dict[int, str]]],
    sample: QTable,
    split: np.ndarray,
    targets: Targets,
    attributes: dict[str, Any],
    source: ImageSource,
) -> None:
    """Assemble the blocks' contents into the data set, one file, written whole or not at all."""
    row_of = {int(i): row for row, i in enumerate(sample["subhalo_id"])}
    target_of = {int(i): row for row, i in enumerate(targets.subhalo_id)}
    catalogue = {name: np.asarray(sample[name]) for name in CATALOGUE if name != "split"} | {"split": split}
    set_aside = {i: ("target", reason) for i, reason in targets.set_aside.items()}
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as handle:
        handle.attrs.update(attributes)
        for ids, arrays, aside in contents:
            set_aside |= {i: ("observation", reason) for i, reason in aside.items()}
            if not ids:
                continue
            n_views = arrays["view"].shape[1]
            for name, values in arrays.items():
                _append(handle, name, values.reshape(-1, *values.shape[2:]))
            rows = np.repeat([row_of[i] for i in ids], n_views)
            for name, values in catalogue.items():
                _append(handle, name, values[rows])
            _append(handle, "dm_profile", np.repeat(targets.m_dm[[target_of[i] for i in ids]], n_views, axis=0))
        if "images" not in handle:
            reasons = (reason for stage, reason in set_aside.values() if stage == "observation")
            why = next(reasons, "none has a target")
            raise DatasetError(f"no galaxy of the sample could be observed ({why}); the data set is not written.")
        tell_set_aside("data set", {i: reason for i, (_, reason) in set_aside.items()}, len(sample))
        for name, (unit, meaning) in {**OBSERVED, **CATALOGUE}.items():
            handle[name].attrs.update(unit=unit, description=meaning)
        handle["split"].attrs.update(SPLITS)
        handle["images"].attrs.update(unit=source.unit, bands=list(source.bands), axes=f"{_MAP_AXES}, band")
        units = ["Msun / pc2", "km / s", "km / s"]
        handle["hi"].attrs.update(unit=units, moments=list(MOMENTS), axes=f"{_MAP_AXES}, moment", blank="NaN")
        handle.create_dataset("radii", data=RADII_KPC).attrs["unit"] = "kpc"
        handle.attrs["n_galaxies"] = len(np.unique(handle["subhalo_id"][()]))
        order = sorted(set_aside)
        handle.create_dataset("set_aside/subhalo_id", data=np.array(order, dtype=np.int64))
        for k, name in enumerate(("stage", "reason")):
            words = [set_aside[i][k] for i in order]
            handle.create_dataset(f"set_aside/{name}", data=words, dtype=h5py.string_dtype(), shape=(len(order),))


def _append(handle: h5py.File, name: str, values: np.ndarray) -> None:
    """Add rows to a data set of the file; maps are compressed, one chunk a view."""
    if name not in handle:
        shape, big = values.shape[1:], values.ndim == 4
        packing: dict[str, Any] = {"compression": "gzip", "compression_opts": 4, "shuffle": True} if big else {}
        chunks = (1 if big else 1024, *shape)
        handle.create_dataset(name, data=values, maxshape=(None, *shape), chunks=chunks, **packing)
        return
    stored = handle[name]
    stored.resize(len(stored) + len(values), axis=0)
    stored[-len(values) :] = values


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
        "input_pixels": settings.sizes.input_pixels,
        "pixel_size": grid.pixel_size,
        "pixel_size_unit": "kpc",
        "m_dm_particle": header.m_dm,
        "m_dm_particle_unit": "Msun",
    }


def _key(observer: Observer, sample_ids: np.ndarray, targets: Targets) -> str:
    """Fingerprint of everything that the data set depends on, the code that observes included."""
    code = fingerprint(__name__, type(observer.universe).__module__)
    parts = (observer.universe.header.identity, observer.seed, observer.recipe.model_dump_json(), observer.grid, code)
    return digest_of(parts, np.asarray(sample_ids), targets.subhalo_id, targets.m_dm)
