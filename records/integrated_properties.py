"""Integrated properties of galaxies: medians at fixed stellar mass, and regressions of the dark mass on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable, Table, vstack

from dmlib.evaluation import integrated_light
from dmlib.evaluation.catalogue import catalogue_table, kinds
from dmlib.evaluation.fixed_mass import MASS_BINS, at_fixed_mass
from dmlib.settings import PROFILES
from dmlib.universe import FilesUniverse
from mocktng import drawing

#: The population of the record ``embedded_at_fixed_mass``: particle masses [Msun] of profile quick, another seed.
_MANY: dict[str, Any] = {
    "n_galaxies": 10000,
    "seed": 2,
    "m_dm": PROFILES["quick"].m_dm,
    "m_baryon": PROFILES["quick"].m_baryon,
}

#: The command that writes it.
WRITE = (
    f"mocktng write FOLDER --galaxies {_MANY['n_galaxies']} --seed {_MANY['seed']} "
    f"--particle-mass {_MANY['m_dm']:g} {_MANY['m_baryon']:g}"
)


def measure_at_fixed_mass(table: QTable) -> dict:
    """Medians and scatters of galaxies' properties in bins of stellar mass, see `dmlib.evaluation.fixed_mass`."""
    table = table.copy()
    # Of the real centrals only those of massive groups have it: no fair sample at a given stellar mass.
    table["m_dm_2rhalf"][np.asarray(table["is_central"])] = np.nan
    return {"bins": list(MASS_BINS), "rows": rows_of(at_fixed_mass(table))}


def measure_embedded_at_fixed_mass(path: Path) -> dict:
    """The same of an embedded universe, and means of what was drawn, by which a test sees that it is drawn so still."""
    universe = FilesUniverse(path, simulation="mocktng")
    table = catalogue_table(universe)
    return measure_at_fixed_mass(table) | {
        "galaxies": int((table["is_central"] & table["forms_stars"]).sum()),
        "universe_identity": universe.header.identity,
        "drawn": drawn_means(),
    }


def drawn_means() -> dict[str, float]:
    """Means of log10 of properties of the galaxies of the record ``embedded_at_fixed_mass`` as mocktng draws them."""
    rows = drawing.draw(**_MANY).subhalos
    return {
        name: float(np.log10(rows[name][rows[name] > 0]).mean()) for name in ("m200", "c200", "m_star", "r_half", "sfr")
    }


def measure_integrated(table: QTable) -> dict:
    """Errors of regressions of the dark mass on integrated observables, see `dmlib.evaluation.integrated_light`."""
    curves = vstack([integrated_light.learning_curve(table, *task) for task in integrated_light.CURVES])
    counts = {kind: int((members & table["forms_stars"]).sum()) for kind, members in kinds(table).items()}
    spread = integrated_light.spread_of_hosts(table)
    return {
        "galaxies": counts,
        "rows": rows_of(integrated_light.regressions(table)),
        "curves": rows_of(curves),
        "beyond_mass": rows_of(integrated_light.beyond_mass(table)),
        "spread_of_hosts": {"value": round(float(spread.value), 4), "error": round(float(spread.error), 4)},
    }


def rows_of(table: Table) -> list[dict]:
    """Rows of a table of measured numbers, to four digits after the point."""
    columns = [
        np.round(table[name], 4).tolist() if table[name].dtype.kind == "f" else table[name].tolist()
        for name in table.colnames
    ]
    return [dict(zip(table.colnames, row, strict=True)) for row in zip(*columns, strict=True)]
