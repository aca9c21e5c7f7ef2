"""Rows of the real TNG100-1 in the mirror's folder ``tng100_real``, in the columns of `catalogue_table`.

The folder joins public copies of the group catalogue, most of which state no licence: it is not part of the repository
and not offered for download. With a TNG account the same columns come from the catalogue itself
(`dmlib.evaluation.catalogue.catalogue_table`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import QTable, Table, vstack

from dmlib.errors import FetchError
from dmlib.evaluation.catalogue import MAGNITUDES
from dmlib.evaluation.integrated_light import MORPHOLOGY
from dmlib.settings import Criteria
from dmlib.units import CodeUnits

#: Files of the folder: centrals of the whole box; members of massive groups; all galaxies, few columns.
CENTRALS, MEMBERS, GALAXIES = "centrals_z0.csv.gz", "massive_group_members.csv.gz", "galaxies_z0.txt.gz"

FILES = (CENTRALS, MEMBERS, GALAXIES)

#: What the rows are, and whose work.
SOURCE = (
    "rows of the TNG100-1 group catalogue, snapshot 99, joined from public copies of it and of published value-added "
    "tables: centrals of the whole box with M* > 1e9 Msun/h, and members of 618 groups of 4e12 to 2e14 Msun"
)
CITATION = (
    "public copies of the catalogue: choisant/illustris-project, andreagebek/TNG100colors; kinematic decomposition: "
    "arXiv:2105.02237 (McWilliamsCenter/gal_decomp_paper); morphology: arXiv:1903.07625 (copy in "
    "MicheleDelliVeneri/ALMASim)"
)


#: Means and scatters of c200c against M200c, run with full physics.
CONCENTRATION = "KLLR_Params_TNG100_c200c_z0p00.txt"


def measure_concentration(folder: Path) -> dict:
    """Mean log10 c200c of haloes of the full-physics run against their mass, and its scatter [dex], at a few masses."""
    table = np.loadtxt(folder / CONCENTRATION)
    nodes, log_m = np.arange(11.4, 13.8, 0.3), np.log10(table[:, 0])
    # Columns: mass, mean and its six limits, slope and its six, scatter of ln c.
    rows = {"log_m200": nodes, "log_c": np.interp(nodes, log_m, np.log10(table[:, 1]))}
    rows["scatter"] = np.interp(nodes, log_m, table[:, 15]) / np.log(10)
    return {name: np.round(values, 4).tolist() for name, values in rows.items()}


def read(folder: Path, name: str) -> Table:
    """One file of the folder; FetchError when it is missing."""
    if not (folder / name).is_file():
        raise FetchError(f"{folder.name} has no {name}: give the folder tng100_real of the mirror.")
    if name == GALAXIES:
        columns = ("subhalo_id", "m_star_2rhalf", "r_half", "group_id")
        return Table.read(folder / name, format="ascii.no_header", comment="#", names=columns)
    return Table.read(folder / name, format="ascii.csv")


def real_table(folder: Path) -> QTable:
    """Centrals of the whole box, and satellites of massive groups, within the paper's range of stellar mass.

    Parameters
    ----------
    folder : Path
        ``tng100_real``.

    Returns
    -------
    QTable
        Columns as in `catalogue_table`, and those of `MORPHOLOGY` for centrals. NaN where the rows do not have a value:
        the dark matter and gas within twice the half-mass radius and the group's mass of most centrals.
    """
    table = vstack([_centrals(read(folder, CENTRALS)), _satellites(read(folder, MEMBERS))])
    criteria, m_star = Criteria(), table["m_star"].to_value(u.Msun)
    table["forms_stars"] = table["sfr"].to_value(u.Msun / u.yr) >= criteria.sfr_min
    return table[(m_star >= criteria.m_star_min) & (m_star <= criteria.m_star_max)]


def _centrals(rows: Table) -> QTable:
    """All have SubhaloFlag = 1 already."""
    names = {"m_star": "Mstar", "m_dm": "Mdm", "m_gas": "Mgas", "m200": "M200c"}
    names |= {f"m_{name}_rhalf": f"M{name}_rh" for name in ("star", "dm", "gas")}
    names |= {f"m_{name}_2rhalf": f"M{name}_2rh" for name in ("star", "dm", "gas")}
    table = QTable({"subhalo_id": rows["SubfindID"], "group_id": rows["GrNr"], "is_central": np.ones(len(rows), bool)})
    for name, column in names.items():
        table[name] = _floats(rows[column]) * u.Msun
    _others(table, _floats(rows["rh_kpc"]), rows["SFR"], rows["Vmax"], {b: rows[f"M_{b}"] for b in MAGNITUDES})
    for name in MORPHOLOGY:
        table[name] = _floats(rows[name])
    return table


def _satellites(rows: Table) -> QTable:
    rows = rows[(rows["SubhaloFlag"] == "True") & (rows["is_first"] != "True")]
    units, parts = CodeUnits(), {"star": 4, "dm": 1, "gas": 0}
    fields = {"": "SubhaloMassType", "_rhalf": "SubhaloMassInHalfRadType", "_2rhalf": "SubhaloMassInRadType"}
    table = QTable({"subhalo_id": rows["SubfindID"], "group_id": rows["SubhaloGrNr"]})
    table["is_central"] = np.zeros(len(rows), dtype=bool)
    for suffix, field in fields.items():
        for name, k in parts.items():
            table[f"m_{name}{suffix}"] = _floats(rows[f"{field}_{k}"]) * units.mass * u.Msun
    table["m200"] = _floats(rows["group_M_Crit200_Msun"]) * u.Msun
    r_half = _floats(rows["SubhaloHalfmassRadType_4"]) * units.length
    magnitudes = {band: rows[f"SubhaloStellarPhotometrics_{k}"] for k, band in enumerate(MAGNITUDES)}
    _others(table, r_half, rows["SubhaloSFR"], rows["SubhaloVmax"], magnitudes)
    return table


def _others(table: QTable, r_half: np.ndarray, sfr, v_max, magnitudes: dict) -> None:
    table["r_half"] = r_half * u.kpc
    table["sfr"], table["v_max"] = _floats(sfr) * u.Msun / u.yr, _floats(v_max) * u.km / u.s
    for band, values in magnitudes.items():
        table[f"mag_{band}"] = _floats(values) * u.mag


def _floats(column) -> np.ndarray:
    return np.ma.filled(np.ma.asarray(column, dtype=float), np.nan)


def measure_selection(folder: Path) -> dict:
    """What the paper's cuts leave of the whole box, of massive groups, and the talk's two galaxies.

    Returns
    -------
    dict
        ``box``: subhaloes in the mass range ``mass_as_compiled``, counted by the compilers of the rows (the bound mass
        of all satellites is not among the rows; ``mass_expected`` is what their masses within twice the half-mass
        radius give), ``centrals`` and those of them that form stars; ``massive_groups``: members in the mass range,
        those that form stars, and of the latter with SubhaloFlag = 1 the centrals, the satellites, and how many have
        SubhaloParent = 0; ``talk``: of each of the two galaxies its group, its rank there by SubfindID, stellar mass
        within twice the half-mass radius [Msun], half-mass radius [kpc], and of the group's central the SubfindID and
        the total bound mass [Msun].
    """
    criteria = Criteria()
    low, high = criteria.m_star_min, criteria.m_star_max

    def in_range(mass) -> np.ndarray:
        return (np.asarray(mass) >= low) & (np.asarray(mass) <= high)

    centrals, members, galaxies = (read(folder, name) for name in (CENTRALS, MEMBERS, GALAXIES))
    chosen = in_range(centrals["Mstar"])
    forms = chosen & (np.asarray(centrals["SFR"]) >= criteria.sfr_min)
    flag, first = members["SubhaloFlag"] == "True", members["is_first"] == "True"
    units = CodeUnits()
    bound = in_range(members["SubhaloMassType_4"] * units.mass)
    within = in_range(members["SubhaloMassInRadType_4"] * units.mass)
    passing = bound & (np.asarray(members["SubhaloSFR"]) >= criteria.sfr_min)
    zero = np.asarray(members["SubhaloParent"]) == 0
    satellites_2rhalf = int(in_range(galaxies["m_star_2rhalf"]).sum() - in_range(centrals["Mstar_2rh"]).sum())
    per_2rhalf = float((bound & flag & ~first).sum() / (within & flag & ~first).sum())
    return {
        "box": {
            "mass_as_compiled": 6462,
            "mass_expected": round(int(chosen.sum()) + per_2rhalf * satellites_2rhalf),
            "centrals": int(chosen.sum()),
            "selected_centrals": int(forms.sum()),
        },
        "massive_groups": {
            "groups": len(np.unique(members["SubhaloGrNr"])),
            "mass": int(bound.sum()),
            "mass_and_sfr": int(passing.sum()),
            "mass_sfr_flag": int((passing & flag).sum()),
            "centrals": int((passing & flag & first).sum()),
            "satellites": int((passing & flag & ~first).sum()),
            "parent_zero": int((passing & flag & zero).sum()),
            "satellites_with_parent_zero": int((passing & flag & zero & ~first).sum()),
        },
        "talk": {str(number): _talk(number, centrals, galaxies) for number in (108013, 60744)},
    }


def _talk(number: int, centrals: Table, galaxies: Table) -> dict:
    """Where one galaxy of the talk lies."""
    (row,) = galaxies[galaxies["subhalo_id"] == number]
    (host,) = centrals[centrals["GrNr"] == row["group_id"]]
    return {
        "group_id": int(row["group_id"]),
        "rank": number - int(host["SubfindID"]),
        "m_star_2rhalf": float(row["m_star_2rhalf"]),
        "r_half": float(row["r_half"]),
        "central": int(host["SubfindID"]),
        "m_bound_of_central": float(host["Mtot"]),
        "galaxies_in_group": int((galaxies["group_id"] == row["group_id"]).sum()),
    }
