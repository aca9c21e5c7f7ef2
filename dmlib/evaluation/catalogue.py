"""Galaxies as a catalogue lists them, and whether a number is the same in two universes.

The columns are those of the TNG group catalogue, so that the table can be made of any universe, and of the rows of the
real TNG100-1 on which ``records/tng100_at_fixed_mass.json`` was measured. Masses are bound masses (Subfind), "within
r_half" means within the stellar half-mass radius; magnitudes have no dust.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from astropy import units as u
from astropy.table import QTable, Row, Table

from ..sample import is_true_central
from ..settings import Criteria
from ..units import PART_TYPE
from ..universe.base import Universe

#: Columns of SubhaloStellarPhotometrics: U B V K (Vega) and g r i z (AB).
MAGNITUDES = ("U", "B", "V", "K", "g", "r", "i", "z")

#: What is predicted: column -> how figures and tables name it.
TARGETS: dict[str, str] = {
    "m_dm_rhalf": "dark matter within the stellar half-mass radius",
    "m_dm_2rhalf": "dark matter within twice that radius",
    "m_dm": "all dark matter bound to the galaxy",
    "v_max": "largest circular speed",
}

#: Smallest gas mass that is told from zero, about seven gas cells of TNG100-1 [Msun].
LEAST_GAS = 1e7

#: Satellites are compared in groups above this mass [Msun]: of smaller groups there are no real rows.
M200_HOSTS = 4e12

#: Largest deviation that counts as agreement: of a median [dex, mag, or share], and of a scatter (relative).
TOLERANCE = {"difference": 0.05, "ratio": 0.15}


def catalogue_table(universe: Universe, criteria: Criteria | None = None) -> QTable:
    """Integrated properties of the galaxies of a universe, from its group catalogue.

    Parameters
    ----------
    universe : Universe
    criteria : Criteria, optional
        Range of stellar mass and limit of the star formation rate; the paper's when omitted. Its rule for centrals
        is not used: the table has both, by GroupFirstSub.

    Returns
    -------
    QTable
        One row a galaxy in the mass range and with SubhaloFlag = 1: ``subhalo_id``, ``group_id``, ``is_central``,
        ``forms_stars`` (SFR at or above the limit), ``m_star``, ``m_dm``, ``m_gas`` (bound), ``m_star_rhalf``,
        ``m_dm_rhalf``, ``m_gas_rhalf``, ``m_star_2rhalf``, ``m_dm_2rhalf``, ``m_gas_2rhalf``, ``m200`` of the group
        [Msun], ``r_half`` [kpc], ``sfr`` [Msun/yr], ``v_max`` [km/s], ``mag_U`` ... ``mag_z`` [mag].

    Raises
    ------
    UniverseError
        When the catalogue lacks a field.
    """
    criteria = criteria or Criteria()
    mass = universe.subhalos(["SubhaloMassType", "SubhaloFlag"])
    m_star = mass["SubhaloMassType"][:, PART_TYPE["stars"]].to_value(u.Msun)
    keep = (m_star >= criteria.m_star_min) & (m_star <= criteria.m_star_max)
    ids = np.flatnonzero(keep & np.asarray(mass["SubhaloFlag"], dtype=bool))
    within = {"": "SubhaloMassType", "_rhalf": "SubhaloMassInHalfRadType", "_2rhalf": "SubhaloMassInRadType"}
    others = ["SubhaloHalfmassRadType", "SubhaloSFR", "SubhaloVmax", "SubhaloStellarPhotometrics", "SubhaloGrNr"]
    rows = universe.subhalos([*within.values(), *others], ids)
    groups = universe.groups(["GroupFirstSub", "Group_M_Crit200"])
    photometry = u.Quantity(rows["SubhaloStellarPhotometrics"]).value
    return QTable(
        {
            "subhalo_id": ids,
            "group_id": np.asarray(rows["SubhaloGrNr"]),
            "is_central": is_true_central(rows, groups),
            "forms_stars": rows["SubhaloSFR"].to_value(u.Msun / u.yr) >= criteria.sfr_min,
            **{
                f"m_{name}{suffix}": rows[field][:, PART_TYPE["stars" if name == "star" else name]]
                for suffix, field in within.items()
                for name in ("star", "dm", "gas")
            },
            "m200": groups["Group_M_Crit200"][np.asarray(rows["SubhaloGrNr"])],
            "r_half": rows["SubhaloHalfmassRadType"][:, PART_TYPE["stars"]],
            "sfr": rows["SubhaloSFR"],
            "v_max": rows["SubhaloVmax"],
            **{f"mag_{band}": photometry[:, k] * u.mag for k, band in enumerate(MAGNITUDES)},
        }
    )


def kinds(table: Table) -> dict[str, np.ndarray]:
    """Which rows are centrals, and which are satellites of groups above `M200_HOSTS`, shape (n,) of bool."""
    central = np.asarray(table["is_central"], dtype=bool)
    massive = plain(table["m200"]) >= M200_HOSTS
    return {"central": central, "satellite": ~central & massive}


def plain(column) -> np.ndarray:
    """A column as floats, without its unit and with NaN where it is masked."""
    values = getattr(column, "value", column)
    return np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)


def paired(first: Table, second: Table, keys: Sequence[str]) -> Iterable[tuple[Row, Row]]:
    """Rows of two tables that have the same keys, in the order of the first."""
    partner = {tuple(row[key] for key in keys): row for row in second}
    rows = ((row, partner.get(tuple(row[key] for key in keys))) for row in first)
    return ((a, b) for a, b in rows if b is not None)


def agrees(deviation: float, error: float, tolerance: float) -> str:
    """``yes`` or ``no`` where the deviation and its error lie within or beyond the tolerance, else ``undecided``.

    By one standard deviation, that is: of many comparisons one in six or so is called wrongly.
    """
    if abs(deviation) + error <= tolerance:
        return "yes"
    return "no" if abs(deviation) - error > tolerance else "undecided"
