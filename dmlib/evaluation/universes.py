"""Small universes that differ from the fiducial one in one respect each, drawn and observed in memory.

All of them hold the same galaxies, with the same star particles, seen along the same lines of sight: what differs
between two universes is only what their names say. An error that grows from one to the other is therefore due to that
difference, and its uncertainty is that of a paired comparison.

The galaxies are true centrals in groups below `LARGEST_GROUP` that pass the paper's selection, with one line of sight
each; satellites, for which the host matters more than the galaxy, are left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable

from .. import embedded
from ..baselines.observables import measure
from ..code import fingerprint
from ..dataset import SPLITS, assign
from ..dataset.read import DataSet
from ..dataset.views import Observer, Recipe
from ..errors import DmlibError
from ..galaxy import load_galaxy
from ..observe.cube import HISettings
from ..observe.sky import SkyGrid
from ..rotation.benchmark import columns_of
from ..rotation.curve import RotationCurve
from ..rotation.measure import measure_view
from ..rotation.population import seen
from ..settings import PROFILES, RADII_KPC, Criteria, Settings
from ..universe.drawn import GroupUniverse
from ..workers import Blocks, in_blocks, map_parallel

#: Galaxies of each universe; those that cannot be observed in one of them are left out of all.
SIZES = {"smoke": 16, "quick": 150, "paper": 450}

#: Galaxies are drawn until there are this many times as many that pass the selection.
_RESERVE = 1.6

#: Most massive group whose central is taken [Msun]: its particles would take as long as those of ten others.
LARGEST_GROUP = 1e13

#: Shares of the galaxies for training and for validation; the rest is for the test.
SHARES = {"train": 0.6, "validation": 0.16}

#: Images are the same at every profile, so that only the number of galaxies differs; particles are those of ``quick``.
GRID = SkyGrid(PROFILES["quick"].field_of_view, PROFILES["quick"].pixels)
INPUT_PIXELS = PROFILES["quick"].input_pixels

#: Memory that one worker may need [bytes], and galaxies of a block.
MEMORY = 1.5e9
_PER_BLOCK = 5

#: Seed of the galaxies, beside that of the settings: none of them is in the data set of the book.
_STREAM = 40_000_000

#: Kinds of differences, in the order of the chapter.
KINDS = ("fiducial", "observation", "gas", "inner halo", "stars and haloes")


@dataclass(frozen=True)
class Variation:
    """A universe.

    Parameters
    ----------
    title : str
        In figures and tables.
    kind : str
        One of `KINDS`.
    physics : str
        Of the generator, see `mocktng.galaxies.PHYSICS`.
    observed : mapping
        What differs in the `Recipe`; the key ``hi`` holds what differs in `HISettings`.
    """

    title: str
    kind: str
    physics: str = "fiducial"
    observed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def new_tilt(self) -> bool:
        """Whether rings find the tilt of a disc anew: where its HI is observed with another telescope."""
        return self.kind == "fiducial" or bool({"beam", "noise"} & set(self.observed.get("hi", {})))

    @property
    def recipe(self) -> Recipe:
        """How its galaxies are observed."""
        changes = dict(self.observed)
        return Recipe(n_views=1, hi=HISettings(**changes.pop("hi", {})), **changes)


#: The universes: name -> what differs. How much is our choice, made before any result was seen.
VARIATIONS: dict[str, Variation] = {
    "fiducial": Variation("fiducial", "fiducial"),
    "no-dust": Variation("no dust", "observation", observed={"dust": False}),
    "beam": Variation("beam twice as wide", "observation", observed={"hi": {"beam": 30.0}}),
    "noise": Variation("noise times 4", "observation", observed={"hi": {"noise": 1.2e-3}}),
    "partition": Variation("other HI partition", "observation", observed={"hi": {"partition": "blitz06"}}),
    "gas": Variation("other gas", "gas", "gas"),
    "uncontracted": Variation("no contraction", "inner halo", "uncontracted"),
    "weakly-contracted": Variation("half the contraction", "inner halo", "weakly-contracted"),
    "cored": Variation("cored haloes", "inner halo", "cored"),
    "heavy-haloes": Variation("haloes 1.4 times as heavy", "stars and haloes", "heavy-haloes"),
    "scattered-haloes": Variation("0.2 dex more scatter", "stars and haloes", "scattered-haloes"),
}

#: Universes of profile ``smoke``, which only shows that everything runs: those that the chapter's sentences name.
_FEW = ("fiducial", "no-dust", "beam", "noise", "gas", "uncontracted", "cored", "heavy-haloes")


def variations(profile: str) -> dict[str, Variation]:
    """The universes of a profile."""
    return {name: one for name, one in VARIATIONS.items() if profile != "smoke" or name in _FEW}


@dataclass(frozen=True)
class MemoryDataSet(DataSet):
    """A data set whose maps are in memory.

    Parameters
    ----------
    maps : dict of ndarray
        ``images`` and ``hi``.
    """

    maps: Mapping[str, np.ndarray] = field(default_factory=dict)

    def _read(self, name: str, rows: Any) -> np.ndarray:
        return self.maps[name][np.asarray(rows, dtype=int)]


@dataclass(frozen=True)
class Observed:
    """All universes; v of them, with the same n galaxies.

    Parameters
    ----------
    names : tuple of str
        Keys of `VARIATIONS`.
    subhalo_id, split : ndarray of int, shape (n,)
        See `dmlib.dataset.SPLITS`.
    m_dm_particle : float
        [Msun]
    channels : tuple of str
    inputs : ndarray of float32, shape (v, n, y, x, channel)
        Normalised.
    observables : ndarray, shape (v, n, f)
        See `dmlib.baselines.observables`.
    masses : ndarray, shape (v, n, 3, 20)
        Dark matter, stars and gas of the group within `RADII_KPC` [Msun].
    photometric, hydrogen : ndarray, shapes (v, n) and (v, n, 20)
        See `dmlib.rotation.population.seen`; of training galaxies, from which priors are learned, NaN of the others.
    curve, numbers, tilt : ndarray, shapes (v, n, 6, MOST_RINGS), (v, n, 4) and (v, n, 2)
        Mass models, see `_observe` for which galaxies, as in `dmlib.rotation.benchmark`; the tilt is the fitted
        inclination and its error [deg]. NaN without a rotation curve.
    accepted : ndarray of bool, shape (v, n)
        Whether the rotation curve passes the quality cuts.
    set_aside : dict
        Subhalo id -> reason.
    """

    names: tuple[str, ...]
    subhalo_id: np.ndarray
    split: np.ndarray
    m_dm_particle: float
    channels: tuple[str, ...]
    inputs: np.ndarray
    observables: np.ndarray
    masses: np.ndarray
    photometric: np.ndarray
    hydrogen: np.ndarray
    curve: np.ndarray
    numbers: np.ndarray
    tilt: np.ndarray
    accepted: np.ndarray
    set_aside: dict[int, str]

    def rows(self, split: str) -> np.ndarray:
        """Galaxies of one part."""
        return np.flatnonzero(self.split == SPLITS[split])

    @property
    def truth(self) -> np.ndarray:
        """Dark matter within `RADII_KPC` [Msun], shape (v, n, 20)."""
        return self.masses[:, :, 0]


def observe_all(settings: Settings, place: Path, workers: int | None = None) -> tuple[Observed, Blocks]:
    """Draw the galaxies and observe them in every universe; resumes an interrupted run.

    Parameters
    ----------
    settings : Settings
        Profile and seed count; the data source does not.
    place : Path
        Beside it lie the blocks of an unfinished run.
    workers : int, optional
        Processes.

    Returns
    -------
    Observed
    Blocks
        To be removed once the product is written.
    """
    ids = _ids(settings)
    m_star = _population(settings).subhalos["m_star"][ids]
    train, validation = SHARES["train"], SHARES["validation"]
    split = assign(ids, seed=settings.seed, rank_by=m_star, train=train, validation=validation, calibration=0.0)
    key = f"{settings.profile} {settings.seed} {fingerprint(__name__)} {sorted(variations(settings.profile))}"
    blocks = Blocks.of(place, hashlib.sha256(key.encode()).hexdigest())
    work = partial(_observe, settings, dict(zip(ids.tolist(), split.tolist(), strict=True)))
    apply = partial(map_parallel, memory=MEMORY, workers=workers, what="observed galaxies")
    parts = list(in_blocks(work, ids.tolist(), blocks, size=_PER_BLOCK, label="universes", apply=apply))
    columns = [part for _, part, _ in parts if part]
    if not columns:
        raise DmlibError("no galaxy could be observed in all universes: there is nothing to compare.")
    arrays = {name: np.swapaxes(np.concatenate([part[name] for part in columns]), 0, 1) for name in columns[0]}
    known = np.array([subhalo_id for some, _, _ in parts for subhalo_id in some])
    observed = Observed(
        names=tuple(variations(settings.profile)),
        subhalo_id=known,
        split=split[np.searchsorted(ids, known)],
        m_dm_particle=float(_population(settings).m_dm),
        channels=(*_bands(), "moment0", "moment1", "moment2"),
        set_aside={subhalo_id: reason for _, _, aside in parts for subhalo_id, reason in aside.items()},
        **arrays | {"accepted": arrays["accepted"].astype(bool)},
    )
    return observed, blocks


def _bands() -> tuple[str, ...]:
    return Recipe().source(0).bands


@lru_cache(maxsize=1)
def _population(settings: Settings) -> Any:
    """The fiducial galaxies: more than are used, so that enough of them are centrals of small groups."""
    sizes = PROFILES["smoke" if settings.profile == "smoke" else "quick"]
    n = round(_RESERVE * SIZES[settings.profile])
    return embedded.draw(n, settings.seed + _STREAM, sizes.m_dm, sizes.m_baryon)


@lru_cache(maxsize=len(VARIATIONS))
def _varied(settings: Settings, physics: str) -> Any:
    return embedded.vary(_population(settings), physics)


def _ids(settings: Settings) -> np.ndarray:
    """Subhaloes that are used, in increasing order."""
    drawn = _population(settings)
    chosen = embedded.selected(drawn, Criteria(centrals="true"))
    small = drawn.groups["m200"][drawn.subhalos["group_id"][chosen]] < LARGEST_GROUP
    rng = np.random.default_rng([settings.seed, _STREAM])
    # Not the first: the catalogue is in the order of mass.
    return np.sort(rng.permutation(chosen[small])[: SIZES[settings.profile]])


def _observe(settings: Settings, splits: Mapping[int, int], subhalo_id: int) -> dict[str, np.ndarray]:
    """One galaxy in every universe, arrays with the universe as first axis.

    Test galaxies have rotation curves in every universe, validation galaxies in the fiducial one, training galaxies
    have none. Where neither beam nor noise differ, rings keep the tilt of the fiducial ones.
    """
    rows, split = [], splits[subhalo_id]
    universes: dict[str, GroupUniverse] = {}
    # Universes that differ in observation alone have the same particles; those that differ in the HI have the same
    # images, and those that differ in the light the same HI.
    enclosed: dict[str, np.ndarray] = {}
    light: dict[Any, np.ndarray] = {}
    hydrogen: dict[Any, dict[str, np.ndarray]] = {}
    like: RotationCurve | None = None
    for name, variation in variations(settings.profile).items():
        physics, recipe = variation.physics, variation.recipe
        if physics not in universes:
            drawn = _varied(settings, physics)
            group_id = int(drawn.subhalos["group_id"][subhalo_id])
            universes[physics] = GroupUniverse(drawn, group_id, stars_of=universes.get("fiducial"))
            galaxy = load_galaxy(universes[physics], subhalo_id, scope="group", velocities=False)
            found = galaxy.enclosed_masses()
            enclosed[physics] = np.stack([found[part] for part in ("dm", "stars", "gas")])
        observer = Observer(universes[physics], recipe, GRID, settings.seed)
        seen, heard = (physics, recipe.dust), (physics, recipe.hi.model_dump_json())
        known = ({"images": light[seen]} if seen in light else {}) | hydrogen.get(heard, {})
        views, masses = observer.views(subhalo_id, known), enclosed[physics]
        light[seen], hydrogen[heard] = views["images"], {part: views[part] for part in ("hi", "m_hi")}
        dataset = _dataset(observer, subhalo_id, views, masses[0])
        row: dict[str, Any] = _described(dataset, split == SPLITS["train"]) | {"masses": masses}
        model, accepted = None, False
        if split == SPLITS["test"] or (split != SPLITS["train"] and name == "fiducial"):
            view = measure_view(dataset, observer, subhalo_id, 0, like=None if variation.new_tilt else like)
            like = view.curve if name == "fiducial" else like
            model, accepted = view.model, view.accepted
        tilt = (model.inclination, model.inclination_err) if model is not None else (np.nan, np.nan)
        row |= columns_of(model) | {"tilt": np.array(tilt), "accepted": float(accepted)}
        rows.append(row)
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _described(dataset: MemoryDataSet, learned_from: bool) -> dict[str, np.ndarray]:
    """What networks, trees and, for training, the population of the rotation curves take of a galaxy."""
    row = np.array([0])
    photometric, hydrogen = np.full(1, np.nan), np.full((1, len(RADII_KPC)), np.nan)
    if learned_from:
        photometric, hydrogen = seen(dataset, row)
    return {
        "inputs": dataset.inputs(row)[0],
        "observables": np.array([values[0] for values in measure(dataset, row).values()]),
        "photometric": photometric[0],
        "hydrogen": hydrogen[0],
    }


def _dataset(observer: Observer, subhalo_id: int, views: dict[str, np.ndarray], m_dm: np.ndarray) -> MemoryDataSet:
    """A data set of one galaxy."""
    source = observer.recipe.source(observer.seed)
    units = {"inclination": u.deg, "position_angle": u.deg, "m_hi": u.Msun}
    table = QTable(
        {"subhalo_id": [subhalo_id], "view": views["view"]} | {k: views[k] * unit for k, unit in units.items()}
    )
    return MemoryDataSet(
        path=Path(observer.universe.place),
        table=table,
        dm_profile=m_dm[None],
        radii=RADII_KPC,
        set_aside=QTable(),
        bands=source.bands,
        image_unit=source.unit,
        grid=observer.grid,
        input_grid=observer.grid.central(INPUT_PIXELS),
        recipe=observer.recipe,
        attributes={},
        maps={"images": views["images"], "hi": views["hi"]},
    )
