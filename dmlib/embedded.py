"""The embedded universe: the one module of dmlib that uses mocktng, which writes and serves it.

It re-exports the published scaling relations (`relations`) and the light of stellar populations (`photometry`) from
which the universe is made.
"""

from __future__ import annotations

import os
import shutil
from functools import lru_cache, partial
from importlib import import_module
from typing import Any

import numpy as np
from astropy.table import Table, vstack

from mocktng import blocks, catalogue, drawing, group_particles, stars, storage, tng100
from mocktng import photometry as photometry
from mocktng import population as populations
from mocktng import relations as relations
from mocktng.drawing import vary as vary
from mocktng.files import MockError
from mocktng.group_particles import build_model
from mocktng.plan import make_plan
from mocktng.population import Population, Rows
from mocktng.population import examples as examples
from mocktng.spheroids import halo_mass
from mocktng.structure import RADIUS, interpolate
from mocktng.units import LENGTH, MASS

from .environment import memory as memory_left
from .errors import UniverseError
from .settings import Criteria, Settings
from .units import G
from .workers import SCHEDULER, bar, choose_workers, map_parallel

#: Seeds of populations that are drawn beside the one that is written lie this far from its own and from each other.
_SEED_STEP = 1_000_003

#: Memory of a worker of mocktng [bytes], and the most workers.
_WORKERS = (0.7e9, 8)


def _parameters(settings: Settings) -> dict[str, Any]:
    sizes = settings.sizes
    return {
        "n_galaxies": sizes.n_galaxies,
        "seed": settings.seed,
        "physics": settings.physics,
        "m_dm": sizes.m_dm,
        "m_baryon": sizes.m_baryon,
        "name": f"embedded-{settings.profile}",
        "snapshot": settings.snapshot,
    }


def build(settings: Settings, workers: int | None = None) -> None:
    """Write the universe into ``settings.universe_dir`` where it is missing, damaged or out of date.

    Resumable: an interrupted run is continued and gives the same bytes.

    Parameters
    ----------
    settings : Settings
        Profile, seed, physics and snapshot count.
    workers : int, optional
        Processes; default ``$DMLIB_WORKERS``, else as many as cores and memory allow.

    Raises
    ------
    UniverseError
        When the disk is too small or a worker was killed.
    """
    folder = settings.universe_dir
    apply = partial(map_parallel, memory=_WORKERS[0], what="wrote the universe") if os.environ.get(SCHEDULER) else None
    if folder.is_dir() and not (folder / "complete.json").is_file():
        shutil.rmtree(folder)  # mocktng replaces only what it wrote; everything in the build folder is ours
    name = f"universe embedded-{settings.profile}"
    with bar(total=1, label=name, unit="block") as shown:

        def progress(done: int, total: int) -> None:
            shown.total = total
            shown.update(done - shown.n)

        try:
            plan = make_plan(**_parameters(settings))
            if workers is None:
                workers = choose_workers(*_WORKERS)
                if not os.environ.get("DMLIB_WORKERS"):  # mocktng does not know the limits of a container
                    workers = blocks.suitable_workers(plan, workers, memory_left()[1])
            blocks.write_tree(folder, plan, workers, progress, apply)
        except MockError as error:
            raise UniverseError(f"{error} (DMLIB_BUILD names another folder for outputs.)") from error


def describe(settings: Settings) -> dict[str, Any]:
    """Table of the content, the state and the need of the universe of these settings, written or not."""
    facts = blocks.estimate(**_parameters(settings))
    need, state = facts.pop("need"), "not written"
    try:
        written = blocks.describe(settings.universe_dir)
    except MockError:
        pass
    else:
        state = "complete" if written["identity"] == facts["identity"] else "out of date"
        facts = written if state == "complete" else facts
    return facts | {"state": state, "need": need, "folder": str(settings.universe_dir)}


def identity(settings: Settings) -> str:
    """Hash of everything that determines the content of the universe of these settings."""
    return blocks.estimate(**_parameters(settings))["identity"]


def population(settings: Settings, again: int = 0) -> Population:
    """All groups and subhaloes of the universe with their true properties, before particles are drawn.

    Parameters
    ----------
    settings : Settings
    again : int
        0 for the universe that is written; 1, 2, ... for further populations of the same generator, with other seeds.
    """
    sizes, seed = settings.sizes, settings.seed + _SEED_STEP * again
    return _population(sizes.n_galaxies, seed, settings.physics, sizes.m_dm, sizes.m_baryon)


def selected(drawn: Population, criteria: Criteria) -> np.ndarray:
    """Subhalo ids that are planned to pass a selection, shape (n,)."""
    s = drawn.subhalos
    central = {"paper": s["parent_rank"] == 0, "true": s["rank"] == 0, "any": True}[criteria.centrals]
    mass = (s["m_star"] >= criteria.m_star_min) & (s["m_star"] <= criteria.m_star_max)
    return np.flatnonzero(mass & (s["sfr"] >= criteria.sfr_min) & central & (s["flag"] | (not criteria.cosmological)))


def true_curves(drawn: Population, subhalo_ids: np.ndarray, radii: np.ndarray) -> dict[str, np.ndarray]:
    """What the mass models say of some galaxies, without any particle.

    Parameters
    ----------
    drawn : Population
    subhalo_ids : ndarray of int, shape (n,)
    radii : ndarray, shape (r,)
        [kpc]

    Returns
    -------
    dict of ndarray, shape (n, r)
        ``m_dm``: expected dark matter of the whole FoF group about the galaxy [Msun], haloes taken as round; ``own``:
        of its own halo alone; ``v_circ``: circular speed in the plane of the disc, and ``v_dark``: that of its own dark
        halo alone [km/s].
    """
    subhalo_ids = np.asarray(subhalo_ids)
    out = {name: np.zeros((len(subhalo_ids), len(radii))) for name in ("m_dm", "own", "v_circ", "v_dark")}
    groups = drawn.subhalos["group_id"][subhalo_ids]
    for group_id in np.unique(groups):
        members, first = drawn.members(group_id), int(drawn.groups["first_sub"][group_id])
        wanted = np.flatnonzero(groups == group_id)
        models = {int(i) - first: build_model(drawn.subhalos[i], drawn.m_dm)[0] for i in np.unique(subhalo_ids[wanted])}
        matter = [(_fuzz(drawn.groups[group_id], drawn.m_dm), np.zeros(3))]
        for rank, row in enumerate(members):
            own = models.get(rank)
            # Of a neighbour, the gas hardly matters to how its dark matter is distributed.
            dark = own.enclosed["dm"] if own else halo_mass(row, _stars(row), row["n_dm"] * drawn.m_dm)
            matter.append((dark, row["offset"]))
        for i in wanted:
            rank = int(subhalo_ids[i]) - first
            model, centre = models[rank], drawn.subhalos["offset"][subhalo_ids[i]]
            distances = [float(np.linalg.norm(place - centre)) for _, place in matter]
            parts = [_about(table, d, radii) for (table, _), d in zip(matter, distances, strict=True)]
            out["m_dm"][i] = np.sum(parts, axis=0)
            out["own"][i] = parts[1 + rank]
            out["v_circ"][i] = interpolate(radii, model.v_circ)
            out["v_dark"][i] = np.sqrt(G * out["own"][i] / radii)
    return out


def _stars(row: Rows) -> np.ndarray:
    return np.sum(list(stars.components(row).values()), axis=0)


def _fuzz(group: Rows, m_dm: float) -> np.ndarray:
    """Dark matter of a group that is bound to no subhalo, within `RADIUS` of its centre [Msun]."""
    inner, outer = 0.9, 2.0  # as `mocktng.spheroids.sample_fuzz`
    share = np.log(np.clip(RADIUS / (inner * group["r200"]), 1.0, outer / inner)) / np.log(outer / inner)
    return group["n_dm_fuzz"] * m_dm * share


def _about(table: np.ndarray, distance: float, radii: np.ndarray) -> np.ndarray:
    """Mass of a round body within some radii of a point at a distance from its centre [Msun], shape (r,).

    Of a shell of radius s, the fraction (R^2 - (s - d)^2) / (4 s d), between 0 and 1, lies within R of the point.
    """
    if distance < 1e-3:
        return interpolate(radii, table)
    shells = np.diff(table, prepend=0.0)
    middle = np.sqrt(RADIUS * np.concatenate([RADIUS[:1], RADIUS[:-1]]))
    share = (radii[:, None] ** 2 - (middle - distance) ** 2) / (4.0 * middle * distance)
    return np.clip(share, 0.0, 1.0) @ shells


@lru_cache(maxsize=2)
def _population(n_galaxies: int, seed: int, physics: str, m_dm: float, m_baryon: float) -> Population:
    return drawing.draw(n_galaxies, seed, physics, m_dm=m_dm, m_baryon=m_baryon)


def census(drawn: Population) -> Table:
    """Number of objects of each kind, and how many of them the paper's selection keeps (as planned).

    Returns
    -------
    astropy.table.Table
        Columns kind, number, selected (masked for groups).
    """
    kinds, numbers, passing = zip(*populations.census(drawn), strict=True)
    selected = np.ma.masked_equal([-1 if n is None else n for n in passing], -1)
    table = Table({"kind": kinds, "number": numbers, "selected": selected})
    table["kind"].format = "<"
    return table


def weights(drawn: Population) -> np.ndarray:
    """How many galaxies of a fair sample each subhalo stands for, shape (n,).

    It is 1 in groups with a galaxy of the selection, and more in the others, most of which were left out.
    """
    s = drawn.subhalos
    selected = np.bincount(s["group_id"], weights=populations.passes(s), minlength=len(drawn.groups))
    return np.where(selected[s["group_id"]] > 0, 1.0, 1.0 / (1.0 - drawing.LEFT_OUT))


def disturbed(settings: Settings) -> np.ndarray:
    """Whether each subhalo of the catalogue has disturbed gas, as planned, bool of shape (n,).

    No method uses this. In real data such galaxies would have to be recognised by their asymmetry.
    """
    return np.asarray(population(settings).subhalos["disturbed"] != "")


def realise(
    settings: Settings, subhalo_ids: np.ndarray, radii: np.ndarray, times: int, m_dm: float | None = None
) -> np.ndarray:
    """Dark matter of subhaloes within `radii`, their particles drawn anew several times.

    Parameters
    ----------
    settings : Settings
    subhalo_ids : ndarray of int, shape (n,)
    radii : ndarray, shape (n_radii,)
        kpc.
    times : int
        Number of realisations of each halo.
    m_dm : float, optional
        Mass of a dark-matter particle [Msun]; by default the profile's.

    Returns
    -------
    ndarray, shape (n, times, n_radii)
        Msun, of the subhalo's own matter.
    """
    drawn, mass = population(settings), m_dm or settings.sizes.m_dm
    return np.stack([group_particles.realise(drawn, int(i), radii, times, mass) for i in subhalo_ids])


def draw(n_galaxies: int, seed: int, m_dm: float, m_baryon: float) -> Population:
    """A population of its own, with the fiducial physics; `n_galaxies` are planned to pass the paper's selection."""
    return _population(n_galaxies, seed, "fiducial", m_dm, m_baryon)


def drawn_centrals(n: int, seed: int = 1, criteria: Criteria | None = None) -> Table:
    """Centrals that form stars, as drawn from the relations of TNG100, before haloes and particles are made of them.

    Parameters
    ----------
    n : int
    seed : int
    criteria : Criteria, optional
        Range of stellar mass and limit of the star formation rate; the paper's when omitted.

    Returns
    -------
    Table
        n rows with columns as in `dmlib.evaluation.catalogue.catalogue_table`: ``group_id`` (one each),
        ``is_central``, ``forms_stars``, ``m_star``, ``m_dm``, ``m_gas``, ``m_dm_rhalf``, ``m_gas_rhalf``, ``m200``
        (NaN) [Msun], ``r_half`` [kpc], ``sfr`` [Msun/yr], ``v_max`` [km/s], and ``mag_g`` and ``mag_r``, of which the
        difference counts, not their values [mag].
    """
    criteria, rng, parts, found = criteria or Criteria(), np.random.default_rng([seed, 6]), [], 0
    while found < n:
        m_star = tng100.central_stellar_masses(rng, 4 * n)
        m_star = m_star[(m_star >= criteria.m_star_min) & (m_star <= criteria.m_star_max)]
        m_star = m_star[tng100.forms_stars(rng, m_star)]
        values, _ = tng100.draw(rng, "centrals", m_star, np.ones(m_star.size, bool))
        some = Table({"m_star": m_star, **values})
        parts.append(some[some["sfr"] >= criteria.sfr_min])
        found += len(parts[-1])
    table = vstack(parts)[:n]
    table.rename_columns(["m_dm_half", "m_gas_half", "g_r"], ["m_dm_rhalf", "m_gas_rhalf", "mag_g"])
    table["mag_r"], table["m200"] = 0.0, np.nan
    table["is_central"] = table["forms_stars"] = True
    table["group_id"] = np.arange(n)
    return table


def group_in_memory(
    drawn: Population, group_id: int, *, stars: bool = True
) -> tuple[dict[int, dict[str, np.ndarray]], np.ndarray]:
    """Particles of one group, as they would be written.

    Parameters
    ----------
    drawn : Population
    group_id : int
    stars : bool
        Whether stars and wind are made, see `mocktng.group_particles.make_group`.

    Returns
    -------
    particles : dict
        Part type -> stored fields under their TNG names, subhalo after subhalo, in TNG's code units.
    lengths : ndarray of int, shape (subhaloes, 6)
        Particles of each subhalo by type.
    """
    made = group_particles.make_group(drawn, group_id, stars=stars)
    centre, m200 = _centre(drawn, group_id), float(drawn.groups["m200"][group_id]) / MASS
    particles = {
        part_type: storage.complete(part_type, fields, centre, group_id, m200)
        for part_type, fields in made.particles.items()
    }
    return particles, np.asarray(made.lengths)


def locate(drawn: Population, group_id: int, particles: dict[int, dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Position, velocity and half-mass radii of a subhalo as the catalogue would hold them, from its own particles.

    Parameters
    ----------
    drawn : Population
    group_id : int
    particles : dict
        Part type -> fields as `group_in_memory` gives them, of this subhalo.

    Returns
    -------
    dict of ndarray
        ``SubhaloPos``, ``SubhaloVel`` and ``SubhaloHalfmassRadType``.
    """
    return catalogue.locate(particles, _centre(drawn, group_id), drawn.m_dm / MASS)


def _centre(drawn: Population, group_id: int) -> np.ndarray:
    """Centre of a group [ckpc/h]."""
    return drawn.groups["position"][group_id] / LENGTH


def serve(settings: Settings, options: list[str]) -> int:
    """Run ``mocktng serve`` on the universe of these settings, with further options of that command.

    Returns
    -------
    int
        Its exit code.
    """
    # By name: no result depends on the code of the server.
    return import_module("mocktng.cli").main(["serve", str(settings.universe_dir), *options])
