"""Blocks of galaxies on disk, each written whole or not at all, and the one file that is made of them.

A shard holds what was observed of a few galaxies and the reasons for which others of them were set aside. Its content
depends on its galaxies alone, so neither the number of workers nor an interruption changes a bit of the data set.
"""

from __future__ import annotations

import copy
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from astropy import units as u
from astropy.table import QTable

from ..errors import GalaxyError, UniverseError
from ..files import atomic_path
from ..settings import RADII_KPC
from ..targets import Targets
from .split import SPLITS
from .views import Observer

#: Galaxies of a shard: some seconds of work, which is what a killed run loses at most.
GALAXIES_PER_SHARD = 8

#: Arrays of the data set that are observed, one row a view, beside the images and the maps: unit and meaning.
OBSERVED = {
    "view": ("", "number of the line of sight"),
    "inclination": ("deg", "of the HI disc within 30 kpc: 0 face-on, 90 edge-on"),
    "position_angle": ("deg", "of the receding side of the HI disc, from North through East"),
    "inclination_stars": ("deg", "of the stars within two half-mass radii"),
    "position_angle_stars": ("deg", "of the receding side of the stars, from North through East"),
    "rotation": ("", "rows: right (West), up (North), towards the observer, in the axes of the box"),
    "m_hi": ("Msun", "HI mass in the map of moment 0"),
}

#: Arrays that come with the galaxy, one row a view all the same.
CATALOGUE = {
    "subhalo_id": ("", "SUBFIND id"),
    "group_id": ("", "FoF group"),
    "split": ("", "0 train, 1 validation, 2 test"),
    "m_star": ("Msun", "stellar mass of the catalogue"),
    "sfr": ("Msun / yr", "star formation rate of the catalogue"),
    "m200": ("Msun", "mass of the group within 200 times the critical density"),
    "is_true_central": ("", "whether the galaxy is the first subhalo of its group"),
}


@dataclass(frozen=True)
class Shard:
    """One block of galaxies.

    Parameters
    ----------
    number : int
    subhalo_ids : tuple of int
    path : Path
        Where it is, or shall be.
    """

    number: int
    subhalo_ids: tuple[int, ...]
    path: Path


@dataclass(frozen=True)
class Content:
    """What a shard holds.

    Parameters
    ----------
    subhalo_ids : ndarray of int, shape (n,)
        Galaxies observed.
    arrays : dict of ndarray, shape (n, views, ...)
        As `Observer.views`; empty when no galaxy could be observed.
    set_aside : dict
        Subhalo id -> reason.
    unread : bool
        Whether a galaxy was set aside because its files could not be read: it is tried again on resuming.
    """

    subhalo_ids: np.ndarray
    arrays: dict[str, np.ndarray]
    set_aside: dict[int, str]
    unread: bool


def plan(subhalo_ids: Sequence[int], folder: Path, size: int) -> list[Shard]:
    """Cut a sample into shards, in its order."""
    ids = [int(i) for i in subhalo_ids]
    starts = range(0, len(ids), size)
    return [Shard(n, tuple(ids[start : start + size]), folder / f"shard-{n:05d}.npz") for n, start in enumerate(starts)]


def make(shard: Shard, observer: Observer) -> int:
    """Observe the galaxies of a shard and write it; the number of galaxies worked through."""
    # Threads share the universe that they are given, and it remembers where it read last.
    observer = Observer(copy.copy(observer.universe), observer.recipe, observer.grid, observer.seed)
    found: dict[int, dict[str, np.ndarray]] = {}
    set_aside: dict[int, str] = {}
    unread = False
    for subhalo_id in shard.subhalo_ids:
        try:
            found[subhalo_id] = observer.views(subhalo_id)
        except GalaxyError as error:
            set_aside[subhalo_id] = str(error)
        except UniverseError as error:
            set_aside[subhalo_id] = str(error)
            unread = True
        except Exception as error:
            error.add_note(f"while observing subhalo {subhalo_id}")
            raise
    names = next(iter(found.values()), {})
    with atomic_path(shard.path) as temporary:
        np.savez(
            temporary,
            ids=np.array(list(found), dtype=np.int64),
            aside=np.array(list(set_aside), dtype=np.int64),
            reasons=np.array(list(set_aside.values()), dtype=str),
            unread=unread,
            **{f"array_{name}": np.stack([views[name] for views in found.values()]) for name in names},
        )
    return len(shard.subhalo_ids)


def read(shard: Shard) -> Content | None:
    """What a shard holds; None where it is missing, damaged or of other galaxies."""
    try:
        with np.load(shard.path) as stored:
            content = Content(
                stored["ids"],
                {name.removeprefix("array_"): stored[name] for name in stored.files if name.startswith("array_")},
                dict(zip(stored["aside"].tolist(), stored["reasons"].tolist(), strict=True)),
                bool(stored["unread"]),
            )
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    worked_through = {*content.subhalo_ids.tolist(), *content.set_aside}
    return content if worked_through == set(shard.subhalo_ids) else None


def is_finished(shard: Shard) -> bool:
    """Whether a shard need not be made again."""
    content = read(shard) if shard.path.exists() else None
    return content is not None and not content.unread


def assemble(
    path: Path,
    shards: Sequence[Shard],
    sample: QTable,
    split: np.ndarray,
    targets: Targets,
    attributes: dict,
    image_attributes: dict,
    hi_attributes: dict,
) -> None:
    """Put shards together into the data set, one file, written whole or not at all.

    Parameters
    ----------
    path : Path
    shards : sequence of Shard
        All finished.
    sample : QTable
    split : ndarray, shape (len(sample),)
    targets : Targets
    attributes, image_attributes, hi_attributes : dict
        Attributes of the file, of ``images`` and of ``hi``.
    """
    row_of = {int(i): row for row, i in enumerate(sample["subhalo_id"])}
    target_of = {int(i): row for row, i in enumerate(targets.subhalo_id)}
    catalogue = {name: np.asarray(sample[name]) for name in CATALOGUE if name != "split"} | {"split": split}
    set_aside = {i: ("target", reason) for i, reason in targets.set_aside.items()}
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as handle:
        handle.attrs.update(attributes)
        for shard in shards:
            content = read(shard)
            set_aside |= {i: ("observation", reason) for i, reason in content.set_aside.items()}
            if not len(content.subhalo_ids):
                continue
            n_views = content.arrays["view"].shape[1]
            for name, values in content.arrays.items():
                _append(handle, name, values.reshape(-1, *values.shape[2:]))
            rows = np.repeat([row_of[i] for i in content.subhalo_ids.tolist()], n_views)
            for name, values in catalogue.items():
                _append(handle, name, values[rows])
            profiles = targets.m_dm[[target_of[i] for i in content.subhalo_ids.tolist()]]
            _append(handle, "dm_profile", np.repeat(profiles, n_views, axis=0))
        for name, (unit, meaning) in {**OBSERVED, **CATALOGUE}.items():
            handle[name].attrs.update({"unit": unit, "description": meaning})
        handle["split"].attrs.update(SPLITS)
        handle["images"].attrs.update(image_attributes)
        handle["hi"].attrs.update(hi_attributes)
        handle["dm_profile"].attrs.update(
            {"unit": "Msun", "description": "dark matter of the FoF group within each radius of the galaxy's centre"}
        )
        handle.create_dataset("radii", data=RADII_KPC).attrs["unit"] = u.kpc.to_string()
        handle.attrs["n_galaxies"] = len(np.unique(handle["subhalo_id"][()]))
        order = sorted(set_aside)
        handle.create_dataset("set_aside/subhalo_id", data=np.array(order, dtype=np.int64))
        for k, name in enumerate(("stage", "reason")):
            values = [set_aside[i][k] for i in order]
            handle.create_dataset(f"set_aside/{name}", data=values, dtype=h5py.string_dtype(), shape=(len(order),))


def _append(handle: h5py.File, name: str, values: np.ndarray) -> None:
    """Add rows to a data set of the file; maps are compressed, one chunk a view."""
    if name not in handle:
        big = values.ndim == 4
        handle.create_dataset(
            name,
            data=values,
            maxshape=(None, *values.shape[1:]),
            chunks=(1, *values.shape[1:]) if big else (1024, *values.shape[1:]),
            **({"compression": "gzip", "compression_opts": 4, "shuffle": True} if big else {}),
        )
        return
    stored = handle[name]
    stored.resize(len(stored) + len(values), axis=0)
    stored[-len(values) :] = values
