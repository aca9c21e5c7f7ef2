"""The targets: enclosed-mass profiles of all galaxies of the sample.

The quantity to be predicted is the dark-matter mass within 20 radii, ``geomspace(1, 100, 20)`` kpc, of all dark matter
of the FoF group about the galaxy's centre (authors' scripts); beside it stand the same for the subhalo alone, and for
stars and gas. The file is ``targets.hdf5``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from astropy import units as u
from astropy.table import QTable

from . import __version__
from .bootstrap import Bootstrap, Estimate
from .code import fingerprint
from .errors import DmlibError, GalaxyError
from .files import atomic_path, open_product
from .galaxy import COMPONENTS, Galaxy, enclosed_mass, load_galaxy
from .sample import read_sample
from .settings import RADII_KPC, Settings
from .universe import Header, Universe, open_universe
from .universe.base import Scope
from .workers import Blocks, Todo, complete, digest_of, map_parallel, tell_set_aside

SCOPES: tuple[Scope, ...] = ("group", "subhalo")

#: Groups between two saves: a killed run loses at most this much work.
_BLOCK = 16

#: Blocks below which processes take longer to start than the work takes.
_WORTH_WORKERS = 6

#: Memory that one worker may need [bytes].
MEMORY = 2e9


class TargetsError(DmlibError):
    """A targets file that cannot be used, or a sample without a usable galaxy."""


@dataclass(frozen=True)
class Targets:
    """Enclosed-mass profiles of a sample; N galaxies, n radii.

    Parameters
    ----------
    radii : ndarray, shape (n,)
        Physical kpc.
    subhalo_id, group_id : ndarray of int, shape (N,)
    is_true_central : ndarray of bool, shape (N,)
    m_star : ndarray, shape (N,)
        Stellar mass of the catalogue [Msun].
    masses : dict
        ``masses[scope][component]``, shape (N, n) [Msun]; scope ``group`` (all matter of the FoF group about the
        galaxy's centre) or ``subhalo`` (bound to it), component ``dm``, ``stars`` or ``gas``.
    m_dm_particle : float
        Mass of a dark-matter particle [Msun].
    set_aside : dict
        Subhalo id -> reason, for galaxies of the sample that have no profile.
    """

    radii: np.ndarray
    subhalo_id: np.ndarray
    group_id: np.ndarray
    is_true_central: np.ndarray
    m_star: np.ndarray
    masses: dict[str, dict[str, np.ndarray]]
    m_dm_particle: float
    set_aside: dict[int, str]

    def __len__(self) -> int:
        return len(self.subhalo_id)

    @property
    def m_dm(self) -> np.ndarray:
        """The paper's target: dark matter of the FoF group within each radius [Msun], shape (N, n)."""
        return self.masses["group"]["dm"]


def poisson_error(mass: np.ndarray, m_particle: float) -> np.ndarray:
    """Relative error of a mass counted in equal particles, ``1 / sqrt(N)``; infinite where there is none.

    Parameters
    ----------
    mass : ndarray
        Msun.
    m_particle : float
        Msun.
    """
    count = np.asarray(mass, dtype=float) / m_particle
    return np.divide(1.0, np.sqrt(count), out=np.full(count.shape, np.inf), where=count > 0)


@dataclass(frozen=True)
class CountNoise:
    """Scatter of masses counted in particles, measured on haloes that are drawn many times; n galaxies, r radii.

    Parameters
    ----------
    radii : ndarray, shape (r,)
        [kpc]
    m_particle : float
        Mass of a particle [Msun].
    relative : ndarray, shape (n, r)
        Standard deviation over the realisations divided by the mean; NaN where no particle was ever inside.
    poisson : ndarray, shape (n, r)
        What is expected of counts, one over the root of the mean number of particles.
    over_poisson : Estimate
        `relative` over `poisson` within `COUNTED` kpc, root mean square over radii and galaxies, which are resampled.
    """

    radii: np.ndarray
    m_particle: float
    relative: np.ndarray
    poisson: np.ndarray
    over_poisson: Estimate


#: Radius up to which counts are compared with Poisson's law [kpc]. The number of particles of a whole halo is fixed, so
#: that the scatter must fall below it where the radius holds a good part of the halo.
COUNTED = 5.0


def count_noise(radii: np.ndarray, masses: np.ndarray, m_particle: float, seed: int = 1) -> CountNoise:
    """Measure the scatter of masses over realisations.

    Parameters
    ----------
    radii : ndarray, shape (r,)
        [kpc]
    masses : ndarray, shape (n, times, r)
        Of n haloes, each realised several times [Msun]; see `dmlib.embedded.realise`.
    m_particle : float
        [Msun]
    seed : int
        Of the bootstrap over galaxies.
    """
    mean, variance = masses.mean(axis=1) / m_particle, masses.var(axis=1, ddof=1) / m_particle**2
    counts = np.where(mean > 0, mean, np.nan)
    excess = (variance / counts)[:, radii <= COUNTED * (1 + 1e-9)]
    draws = Bootstrap(np.arange(len(masses)), seed=seed)
    return CountNoise(
        radii, m_particle, np.sqrt(variance) / counts, counts**-0.5, draws.root_mean(np.nanmean(excess, axis=1))
    )


def ln_mass(mass: np.ndarray) -> np.ndarray:
    """Natural logarithm of masses [Msun]; NaN where there is none."""
    return np.log(mass, out=np.full(mass.shape, np.nan), where=mass > 0)


def ln_profile(mass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over galaxies of ln M at each radius, both of shape (n,).

    Parameters
    ----------
    mass : ndarray, shape (N, n)
        Msun; a galaxy without a particle inside a radius is left out there.
    """
    ln_m = ln_mass(mass)
    return np.nanmean(ln_m, axis=0), np.nanstd(ln_m, axis=0, ddof=1)


def group_over_subhalo(targets: Targets) -> np.ndarray:
    """Dark matter of the group over that of the subhalo within each radius, shape (N, n); NaN where there is none."""
    bound = targets.masses["subhalo"]["dm"]
    return np.divide(targets.m_dm, bound, out=np.full(bound.shape, np.nan), where=bound > 0)


def baseline_errors(mass: np.ndarray, seed: int = 1) -> dict[str, np.ndarray]:
    """What two predictors reach that look at no galaxy: root mean square error of ln M at each radius.

    Parameters
    ----------
    mass : ndarray, shape (N, n)
        True masses [Msun]; a galaxy without a particle inside a radius has no logarithm there and is left out there.
    seed : int
        Of the draws and of the bootstrap.

    Returns
    -------
    dict of ndarray, shape (n,)
        ``mean``: every galaxy is given the mean ln M of all the others. ``random``: it is given a draw from
        N(mean, std) of the others (authors' scripts), which costs a factor sqrt 2. ``mean_error``, ``random_error``:
        their bootstrap errors over galaxies. ``used``: galaxies that have a logarithm.
    """
    ln_m = ln_mass(mass)
    used = np.sum(np.isfinite(ln_m), axis=0)
    if used.min() < 3:
        raise TargetsError(f"only {used.min()} galaxies have dark matter at every radius: a baseline needs three.")
    rng = np.random.default_rng([seed, 20])
    mean, std = ln_profile(mass)
    of_mean = (ln_m - mean) * used / (used - 1)  # leaving the galaxy itself out of the mean
    squares = {"mean": of_mean**2, "random": (of_mean - std * rng.standard_normal(ln_m.shape)) ** 2}
    rows = rng.integers(0, len(ln_m), size=(500, len(ln_m)))
    result: dict[str, np.ndarray] = {"used": used}
    for name, squared in squares.items():
        result[name] = np.sqrt(np.nanmean(squared, axis=0))
        result[f"{name}_error"] = np.std([np.sqrt(np.nanmean(squared[row], axis=0)) for row in rows], axis=0, ddof=1)
    return result


def _profiles(galaxy: Galaxy, centre: np.ndarray, box: float) -> np.ndarray:
    """Enclosed masses about any centre [kpc, box frame], shape (3 components, n)."""
    offset = centre - galaxy.centre
    rows = {}
    for name in (*COMPONENTS, "wind"):
        part = getattr(galaxy, name)
        rows[name] = enclosed_mass(part.position, part.mass, centre=offset, box=box if offset.any() else None)
    rows["gas"] = rows["gas"] + rows.pop("wind")
    return np.stack([rows[name] for name in COMPONENTS])


def _measure(universe: Universe, sample: QTable) -> dict[str, np.ndarray]:
    """Profiles of the galaxies of some FoF groups; the particles of each group are read once.

    Returns
    -------
    dict of ndarray
        ``ids`` and ``profiles``, shape (N, 2 scopes, 3 components, n) [Msun]; ``aside`` and ``reasons`` of the galaxies
        that have none.
    """
    box = universe.header.units.box_kpc
    profiles: dict[int, np.ndarray] = {}
    set_aside: dict[int, str] = {}
    for group_id in np.unique(sample["group_id"]):
        host = None
        for subhalo_id in sample["subhalo_id"][sample["group_id"] == group_id].tolist():
            try:
                # The group first: its subhaloes' particles are among its own, and are not read again.
                host = host or load_galaxy(universe, subhalo_id, scope="group", velocities=False)
                own = load_galaxy(universe, subhalo_id, scope="subhalo", velocities=False)
                profiles[subhalo_id] = np.stack([_profiles(host, own.centre, box), _profiles(own, own.centre, box)])
            except GalaxyError as error:
                # A file that cannot be read is no property of a galaxy, and stops everything (UniverseError).
                set_aside[subhalo_id] = str(error)
    shape = (-1, len(SCOPES), len(COMPONENTS), len(RADII_KPC))
    return {
        "ids": np.array(list(profiles), dtype=np.int64),
        "profiles": np.array(list(profiles.values()), dtype=float).reshape(shape),
        "aside": np.array(list(set_aside), dtype=np.int64),
        "reasons": np.array(list(set_aside.values()), dtype=str),
    }


def _measure_block(universe: Universe, blocks: Blocks, block: tuple[str, QTable]) -> int:
    """Measure the groups of a block and write it; the number of galaxies worked through."""
    name, rows = block
    blocks.write(name, **_measure(universe, rows))
    return len(rows)


def _apply(work: Callable[[Todo], int], todo: list[Todo]) -> Iterator[int]:
    workers = 1 if len(todo) < _WORTH_WORKERS else None
    return map_parallel(work, todo, memory=MEMORY, workers=workers, what="measured target profiles")


def build(settings: Settings) -> None:
    """Make the product "targets", ``targets.hdf5``; resumes where an interrupted run stopped.

    Raises
    ------
    UniverseError
        When the catalogue or particles cannot be read. What was measured is kept, and the next call continues.
    TargetsError
        When no galaxy of the sample has a profile; with the reason of the first.
    """
    universe = open_universe(settings)
    sample = read_sample(settings.sample_path)
    # Everything that the profiles depend on, the code that measures them included.
    galaxies = (np.asarray(sample[name]) for name in ("subhalo_id", "group_id"))
    key = digest_of(universe.header.identity, fingerprint(__name__), RADII_KPC, *galaxies)
    blocks = Blocks.of(settings.targets_path, key)
    group_ids = np.unique(sample["group_id"])
    universe.prepare(group_ids)
    groups = {f"{start:06d}": group_ids[start : start + _BLOCK] for start in range(0, len(group_ids), _BLOCK)}
    todo = [(name, sample[np.isin(sample["group_id"], some)]) for name, some in groups.items()]
    complete(blocks, partial(_measure_block, universe, blocks), todo, label="target profiles", apply=_apply)
    found: dict[int, np.ndarray] = {}
    set_aside: dict[int, str] = {}
    for block in (blocks.read(name) or {} for name in groups):
        found.update(zip(block["ids"].tolist(), block["profiles"], strict=True))
        set_aside.update(zip(block["aside"].tolist(), block["reasons"].tolist(), strict=True))
    tell_set_aside("target profiles", set_aside, len(sample))
    if not found:
        reason = next(iter(set_aside.values()), "the sample is empty")
        raise TargetsError(f"no galaxy of {settings.sample_path} has a profile ({reason})")
    kept = sample[np.isin(sample["subhalo_id"], list(found))]
    profiles = np.stack([found[int(i)] for i in kept["subhalo_id"]])
    _write(settings.targets_path, universe.header, kept, profiles, set_aside, key)
    blocks.remove()


def _write(path: Path, header: Header, kept: QTable, profiles: np.ndarray, set_aside: dict[int, str], key: str) -> None:
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as handle:
        handle.attrs.update(
            {
                "description": "Mass within each radius about SubhaloPos, physical, no h; wind counts as gas",
                "simulation": header.simulation,
                "snapshot": header.snapshot,
                "universe_identity": header.identity,
                "made_from": key,
                "dmlib": __version__,
                "m_dm_particle": header.m_dm,
                "m_dm_particle_unit": "Msun",
            }
        )
        _dataset(handle, "radii", RADII_KPC, "kpc")
        _dataset(handle, "m_star", kept["m_star"].to_value(u.Msun), "Msun")
        for name in ("subhalo_id", "group_id", "is_true_central"):
            _dataset(handle, name, np.asarray(kept[name]), "")
        for i, scope in enumerate(SCOPES):
            for j, name in enumerate(COMPONENTS):
                _dataset(handle, f"{scope}/{name}", profiles[:, i, j], "Msun")
        _dataset(handle, "set_aside/subhalo_id", np.array(list(set_aside), dtype=np.int64), "")
        handle.create_dataset("set_aside/reason", data=list(set_aside.values()), dtype=h5py.string_dtype())


def _dataset(handle: h5py.File, name: str, values: np.ndarray, unit: str) -> None:
    handle.create_dataset(name, data=values).attrs["unit"] = unit


def read_targets(path: str | Path) -> Targets:
    """Read a targets file.

    Raises
    ------
    TargetsError
        When it is damaged or no targets file.
    """
    with open_product(path, "targets file", TargetsError) as handle:
        reasons = handle["set_aside/reason"].asstr()[()] if handle["set_aside/reason"].size else []
        return Targets(
            **{name: handle[name][()] for name in ("radii", "subhalo_id", "group_id", "m_star")},
            is_true_central=handle["is_true_central"][()].astype(bool),
            masses={scope: {name: handle[f"{scope}/{name}"][()] for name in COMPONENTS} for scope in SCOPES},
            m_dm_particle=float(handle.attrs["m_dm_particle"]),
            set_aside=dict(zip(handle["set_aside/subhalo_id"][()].tolist(), reasons, strict=True)),
        )
