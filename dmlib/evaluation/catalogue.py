"""Galaxies as a catalogue lists them, and two universes compared at fixed stellar mass.

The columns are those of the TNG group catalogue, so that the table can be made of any universe, and of the rows of the
real TNG100-1 on which ``records/tng100_at_fixed_mass.json`` was measured. Masses are bound masses (Subfind), "within
r_half" means within the stellar half-mass radius; magnitudes have no dust.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from astropy import units as u
from astropy.table import QTable, Table
from scipy.stats import theilslopes

from ..bootstrap import Bootstrap
from ..sample import is_true_central
from ..settings import Criteria
from ..units import PART_TYPE
from ..universe.base import Universe

#: Columns of SubhaloStellarPhotometrics: U B V K (Vega) and g r i z (AB).
MAGNITUDES = ("U", "B", "V", "K", "g", "r", "i", "z")

#: Edges of the bins of log10 stellar mass [Msun] in which universes are compared.
MASS_BINS = (10.0, 10.25, 10.5, 10.75, 11.0, 11.5)

#: Quantities compared: name -> what it is. All are compared as log10, except the colour and the share.
QUANTITIES: Mapping[str, str] = {
    "m_dm": "dark matter bound to the galaxy",
    "m_dm_rhalf": "dark matter within the stellar half-mass radius",
    "m_dm_2rhalf": "dark matter within twice that radius",
    "r_half": "stellar half-mass radius",
    "sfr": "star formation rate",
    "m_gas": "gas bound to the galaxy",
    "m_gas_rhalf": "gas within the stellar half-mass radius",
    "v_max": "largest circular speed",
    "g_r": "colour g - r",
    "forming": "share that forms stars",
}

#: Least masses and rates that are told from zero, about seven gas cells of TNG100-1 [Msun].
_LEAST_GAS = 1e7

#: Fewest galaxies in a bin.
FEWEST = 10

#: Satellites are compared in groups above this mass [Msun]: of smaller groups there are no real rows.
M200_HOSTS = 4e12

#: Those by which a universe is judged.
JUDGED = ("m_dm", "m_dm_rhalf", "r_half", "sfr", "m_gas", "v_max", "g_r")

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


def at_fixed_mass(table: Table, *, draws: int = 400, seed: int = 1) -> Table:
    """Median and scatter of the galaxies' properties in `MASS_BINS`.

    Within a bin a straight line (Theil-Sen) is removed first, so that both hold at the centre of the bin, however the
    masses are distributed within it. All galaxies form stars, except for their share ``forming``.

    Parameters
    ----------
    table : Table
        As `catalogue_table` gives it; a column that it lacks is left out.
    draws, seed : int
        Of the bootstrap over FoF groups.

    Returns
    -------
    Table
        ``kind`` (central, satellite), ``quantity`` (a key of `QUANTITIES`), ``low``, ``high`` (edges), ``n``,
        ``median`` (log10 of Msun, kpc, Msun/yr or km/s; mag for the colour; for ``forming`` the share), ``scatter``
        (half of the middle 68%), ``median_error``, ``scatter_error``. Bins with fewer than `FEWEST` galaxies are left
        out.
    """
    log_m, group = np.log10(plain(table["m_star"])), np.asarray(table["group_id"])
    forms = np.asarray(table["forms_stars"], dtype=bool)
    rows = []
    for kind, members in kinds(table).items():
        for name in QUANTITIES:
            values = _values(table, name)
            if values is None:
                continue
            chosen = members & np.isfinite(values) & (forms | (name == "forming"))
            for low, high in pairwise(MASS_BINS):
                some = chosen & (log_m >= low) & (log_m < high)
                if some.sum() < FEWEST:
                    continue
                x, y = log_m[some] - (low + high) / 2.0, values[some]
                bootstrap = Bootstrap(group[some], draws, seed)
                if name == "forming":
                    median = bootstrap.mean(y)
                    # The standard deviation of a number that is 0 or 1 follows from its mean.
                    width, width_error = np.sqrt(median.value * (1.0 - median.value)), np.zeros(())
                else:
                    y = y - theilslopes(y, x).slope * x
                    median, scatter = bootstrap.quantile(y, 0.5), bootstrap.scatter(y)
                    width, width_error = scatter.value, scatter.error
                numbers = (float(number) for number in (median.value, median.error, width, width_error))
                rows.append((kind, name, low, high, int(some.sum()), *numbers))
    names = ("kind", "quantity", "low", "high", "n", "median", "median_error", "scatter", "scatter_error")
    return Table(rows=rows or None, names=names)


def compare_at_fixed_mass(table: Table, other: Table) -> Table:
    """Compare two universes at fixed stellar mass.

    Parameters
    ----------
    table, other : Table
        Each as `catalogue_table` gives it, or what `at_fixed_mass` measured on it, as the record of the real TNG100:
        ``Table(load.record("tng100_at_fixed_mass")["measured"]["rows"])``.

    Returns
    -------
    Table
        One row a kind, quantity and bin that both have: ``kind``, ``quantity``, ``low``, ``high``, ``n``, ``n_other``,
        ``median``, ``median_other``, ``difference`` (first minus other) and its error, ``scatter``, ``scatter_other``,
        ``ratio`` (first over other) and its error, ``median_agrees`` and ``scatter_agrees``, see `agrees`.
    """
    first, second = (some if "median" in some.colnames else at_fixed_mass(some) for some in (table, other))
    keys = ("kind", "quantity", "low", "high")
    partner = {tuple(row[key] for key in keys): row for row in second}
    rows = []
    for a in first:
        b = partner.get(tuple(a[key] for key in keys))
        if b is None:
            continue
        difference = a["median"] - b["median"]
        off = float(np.hypot(a["median_error"], b["median_error"]))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = a["scatter"] / b["scatter"]
            ratio_off = float(ratio * np.hypot(*(row["scatter_error"] / row["scatter"] for row in (a, b))))
        share = a["quantity"] == "forming"
        rows.append(
            (
                *(a[key] for key in keys),
                *(a["n"], b["n"], a["median"], b["median"], difference, off),
                *(a["scatter"], b["scatter"], ratio, ratio_off),
                agrees(difference, off, TOLERANCE["difference"]),
                "" if share else agrees(ratio - 1.0, ratio_off, TOLERANCE["ratio"]),
            )
        )
    names = (
        *keys,
        *("n", "n_other", "median", "median_other", "difference", "difference_error"),
        *("scatter", "scatter_other", "ratio", "ratio_error", "median_agrees", "scatter_agrees"),
    )
    return Table(rows=rows or None, names=names)


def tally(comparison: Table, kind: str = "central") -> dict[str, dict[str, int]]:
    """How many medians and scatters of the quantities in `JUDGED` agree.

    Parameters
    ----------
    comparison : Table
        As `compare_at_fixed_mass` gives it.
    kind : {"central", "satellite"}

    Returns
    -------
    dict
        ``median`` and ``scatter`` -> number of ``yes``, ``no`` and ``undecided``, over quantities and bins.
    """
    rows = [row for row in comparison if row["kind"] == kind and row["quantity"] in JUDGED]
    words = ("yes", "no", "undecided")
    return {
        what: {word: sum(str(row[f"{what}_agrees"]) == word for row in rows) for word in words}
        for what in ("median", "scatter")
    }


def agrees(deviation: float, error: float, tolerance: float) -> str:
    """``yes`` or ``no`` where the deviation and its error lie within or beyond the tolerance, else ``undecided``."""
    if abs(deviation) + error <= tolerance:
        return "yes"
    return "no" if abs(deviation) - error > tolerance else "undecided"


def _values(table: Table, name: str) -> np.ndarray | None:
    """A quantity of the comparison, shape (n,); None where the table lacks its column."""
    if name == "forming":
        return np.asarray(table["forms_stars"], dtype=float)
    if name == "g_r":
        return plain(table["mag_g"]) - plain(table["mag_r"])
    if name not in table.colnames:
        return None
    values = plain(table[name])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(np.maximum(values, _LEAST_GAS) if name.startswith("m_gas") else values)
