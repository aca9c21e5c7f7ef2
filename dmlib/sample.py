"""The selection of galaxies: the paper's table as a funnel of cuts, and the table of what is left.

Source of the criteria: the table in the talk of de los Rios et al. (2023, arXiv:2111.08725).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import QTable, Table

from . import __version__
from .errors import DmlibError, UniverseError
from .files import atomic_path
from .settings import Criteria, Settings
from .units import PART_TYPE
from .universe import Universe, open_universe

_STARS = PART_TYPE["stars"]


class SampleError(DmlibError):
    """A selection that leaves nothing, or a table that is not a sample."""


@dataclass(frozen=True)
class Cut:
    """One row of the funnel: a name, the criterion in words, and how many subhaloes are left after it."""

    name: str
    criterion: str
    kept: int


@dataclass(frozen=True)
class Funnel:
    """How many subhaloes each cut leaves, in the order of the paper's table.

    Parameters
    ----------
    simulation : str
    snapshot : int
    cuts : tuple of Cut
        The first row is the whole catalogue.
    """

    simulation: str
    snapshot: int
    cuts: tuple[Cut, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number left after each cut, by the cut's name (``all``, ``mass``, ``sfr``, ``central``, ``flag``)."""
        return {cut.name: cut.kept for cut in self.cuts}

    def __str__(self) -> str:
        wide = max(len(cut.criterion) for cut in self.cuts)
        lines = [f"{self.simulation}, snapshot {self.snapshot}"]
        lines += [f"  {cut.criterion:<{wide}}  {cut.kept:>9}" for cut in self.cuts]
        return "\n".join(lines)


#: Catalogue fields that the selection and its table need.
SUBHALO_FIELDS = (
    *("SubhaloMassType", "SubhaloMassInRadType", "SubhaloSFR", "SubhaloParent", "SubhaloGrNr", "SubhaloFlag"),
    *("SubhaloHalfmassRadType", "SubhaloVmax", "SubhaloVmaxRad", "SubhaloLenType", "SubhaloPos", "SubhaloVel"),
)
GROUP_FIELDS = ("GroupFirstSub", "Group_M_Crit200", "Group_R_Crit200")


def is_true_central(subhalos: QTable, groups: QTable) -> np.ndarray:
    """Whether each subhalo is the first of its FoF group, which is what "central" means in TNG.

    SubhaloParent is no such flag: it is an index local to the group, and 0 for most satellites.

    Parameters
    ----------
    subhalos : QTable
        With ``subhalo_id`` and ``SubhaloGrNr``.
    groups : QTable
        All groups, with ``GroupFirstSub`` (-1 where a group has no subhalo).

    Returns
    -------
    ndarray of bool, shape (N,)
    """
    first, group = np.asarray(groups["GroupFirstSub"]), np.asarray(subhalos["SubhaloGrNr"])
    if len(group) and not (0 <= group.min() and group.max() < len(first)):
        raise UniverseError(
            f"the catalogue has subhaloes of the groups {group.min()} to {group.max()}, and {len(first)} groups: it is "
            "damaged, copy it again"
        )
    return first[group] == np.asarray(subhalos["subhalo_id"])


def select(universe: Universe, criteria: Criteria | None = None) -> tuple[QTable, Funnel]:
    """Apply the cuts one after the other.

    Parameters
    ----------
    universe : Universe
    criteria : Criteria, optional
        The paper's when omitted.

    Returns
    -------
    table : QTable
        One row a galaxy, physical units without h: ``subhalo_id``, ``group_id``, ``m_star``, ``m_star_2rhalf``,
        ``m_dm``, ``m_gas``, ``m_bh`` (bound mass) [Msun], ``sfr`` [Msun/yr], ``m200``, ``r200`` of the group
        (200 times critical) [Msun, kpc], ``r_half_star``, ``r_half_dm``, ``r_half_gas`` [kpc], ``v_max`` [km/s],
        ``r_v_max`` [kpc], ``position`` (3, box frame) [kpc], ``velocity`` (3) [km/s], ``n_dm``, ``n_gas``,
        ``n_stars`` (particles; wind counts as stars), ``subhalo_parent``, ``is_true_central``. The table's ``meta``
        holds where it is from, the criteria and the funnel.
    funnel : Funnel

    Raises
    ------
    UniverseError
        When the catalogue lacks a field or a chunk.
    """
    criteria = criteria or Criteria()
    # Illustris has no SubhaloFlag; it is read where it is a criterion.
    needed = [field for field in SUBHALO_FIELDS if criteria.cosmological or field != "SubhaloFlag"]
    subhalos = universe.subhalos(needed)
    groups = universe.groups(GROUP_FIELDS)
    central = is_true_central(subhalos, groups)
    m_star = subhalos["SubhaloMassType"][:, _STARS]
    within = subhalos["SubhaloMassInRadType"][:, _STARS]
    judged = (m_star if criteria.aperture == "all" else within).to_value(u.Msun)
    sfr = subhalos["SubhaloSFR"].to_value(u.Msun / u.yr)

    aperture = " (within 2 half-mass radii)" if criteria.aperture == "2rhalf" else ""
    mass_range = f"{criteria.m_star_min:g} <= M* <= {criteria.m_star_max:g} Msun{aperture}"
    steps = [
        ("mass", mass_range, (judged >= criteria.m_star_min) & (judged <= criteria.m_star_max)),
        ("sfr", f"SFR >= {criteria.sfr_min:g} Msun/yr", sfr >= criteria.sfr_min),
    ]
    if criteria.centrals == "paper":
        steps.append(("central", "SubhaloParent = 0", np.asarray(subhalos["SubhaloParent"]) == 0))
    elif criteria.centrals == "true":
        steps.append(("central", "central (GroupFirstSub)", central))
    if criteria.cosmological:
        steps.append(("flag", "SubhaloFlag = 1", np.asarray(subhalos["SubhaloFlag"], dtype=bool)))

    keep = np.ones(len(subhalos), dtype=bool)
    cuts = [Cut("all", "all subhaloes", int(keep.sum()))]
    for name, criterion, passes in steps:
        keep &= passes
        cuts.append(Cut(name, criterion, int(keep.sum())))
    funnel = Funnel(universe.header.simulation, universe.header.snapshot, tuple(cuts))

    kept, group = subhalos[keep], np.asarray(subhalos["SubhaloGrNr"])[keep]
    table = QTable(
        {
            "subhalo_id": kept["subhalo_id"],
            "group_id": group,
            "m_star": m_star[keep],
            "m_star_2rhalf": within[keep],
            **{f"m_{name}": kept["SubhaloMassType"][:, PART_TYPE[name]] for name in ("dm", "gas", "bh")},
            "sfr": kept["SubhaloSFR"],
            "m200": groups["Group_M_Crit200"][group],
            "r200": groups["Group_R_Crit200"][group],
            "r_half_star": kept["SubhaloHalfmassRadType"][:, _STARS],
            **{f"r_half_{name}": kept["SubhaloHalfmassRadType"][:, PART_TYPE[name]] for name in ("dm", "gas")},
            "v_max": kept["SubhaloVmax"],
            "r_v_max": kept["SubhaloVmaxRad"],
            "position": kept["SubhaloPos"],
            "velocity": kept["SubhaloVel"],
            **{f"n_{name}": kept["SubhaloLenType"][:, PART_TYPE[name]] for name in ("dm", "gas", "stars")},
            "subhalo_parent": kept["SubhaloParent"],
            "is_true_central": central[keep],
        }
    )
    table.meta = {
        "simulation": universe.header.simulation,
        "snapshot": universe.header.snapshot,
        "universe_identity": universe.header.identity,
        "subhalos_in_catalogue": universe.header.n_subhalos,
        "criteria": criteria.model_dump(),
        "funnel": funnel.counts,
        "dmlib": __version__,
    }
    return table, funnel


def write_sample(table: QTable, path: str | Path) -> None:
    """Write a sample as ECSV: plain text with units and provenance, the same bytes for the same galaxies."""
    # A plain Table: units stand in the column list, where a QTable would add astropy's class of every column.
    with atomic_path(path) as temporary:
        Table(table).write(temporary, format="ascii.ecsv", overwrite=True)


def select_to_file(universe: Universe, out: str | Path, criteria: Criteria, n: int = 0) -> Funnel:
    """Select galaxies, write them to a file (ECSV), and return the funnel to print.

    Parameters
    ----------
    universe : Universe
    out : path
        Named ``.ecsv``.
    criteria : Criteria
    n : int
        Write only this many, see `subsample`; 0 for all.

    Raises
    ------
    UniverseError
        When the catalogue cannot be read.
    SampleError
        When `out` is not named ``.ecsv``, or no galaxy passes the cuts.
    """
    out = Path(out)
    if out.suffix != ".ecsv":
        raise SampleError(f"{out} must be named .ecsv, the table format that keeps units.")
    table, funnel = select(universe, criteria)
    if len(table) == 0:
        raise SampleError(f"no galaxy of {funnel.simulation} passes the cuts:\n{funnel}\nrelax the criteria.")
    write_sample(subsample(table, n) if n else table, out)
    return funnel


def evenly(total: int, n: int) -> np.ndarray:
    """`n` of the numbers 0 to `total` - 1, evenly spaced."""
    return ((np.arange(n) + 0.5) * total / max(n, 1)).astype(int)


def subsample(table: QTable, n: int) -> QTable:
    """A few galaxies of a sample, for a quick trial: evenly through the ranks of stellar mass, centrals first.

    The particles of a satellite come with those of its whole group, which may be a cluster; so satellites are used
    only where there are fewer than `n` centrals, those of the lightest groups first. The result is not a fair draw of
    the sample, and nothing measured on it is a result.

    Parameters
    ----------
    table : QTable
        As `select` gives it.
    n : int
        How many; all where the table has no more.

    Returns
    -------
    QTable
        Rows in the order of the table; ``meta["subsample"]`` says how many of how many.
    """
    if n >= len(table):
        return table
    central = np.asarray(table["is_true_central"], dtype=bool)
    order = np.argsort(table["m_star"].to_value(u.Msun), kind="stable")
    centrals, satellites = order[central[order]], np.flatnonzero(~central)
    satellites = satellites[np.argsort(table["m200"][satellites].to_value(u.Msun), kind="stable")]
    few = min(n, len(centrals))
    kept = table[np.sort(np.concatenate([centrals[evenly(len(centrals), few)], satellites[: n - few]]))]
    kept.meta["subsample"] = {"galaxies": int(n), "of": len(table)}
    return kept


def build(settings: Settings) -> None:
    """Make the product "sample", ``sample.ecsv``: the galaxies of the universe that meet the settings' criteria."""
    select_to_file(open_universe(settings), settings.sample_path, settings.selection, settings.sample)


def read_sample(path: str | Path) -> QTable:
    """Read a sample; columns as in `select`.

    Raises
    ------
    SampleError
        When the file is missing or is no sample.
    """
    try:
        table = QTable.read(path, format="ascii.ecsv")
    except (OSError, ValueError) as error:
        raise SampleError(f"{path} cannot be read as a sample ({error}): run `dmlib run --only sample`.") from error
    if "subhalo_id" not in table.colnames or "criteria" not in table.meta:
        raise SampleError(f"{path} is not a sample table: remove it and run again.")
    return table
