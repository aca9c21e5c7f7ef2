"""Reading SPARC: rotation curves and mass models of 175 disc galaxies (Lelli, McGaugh & Schombert 2016).

Only reading; `dmlib.manifest` provides the files (entries ``sparc-rotmod`` and ``sparc-table``).
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable

from ..errors import DmlibError

# Solar luminosities are those of the 3.6 micron band.
_SURFACE_BRIGHTNESS = u.L_sun / u.pc**2

#: Columns of a ``*_rotmod.dat`` file.
ROTMOD = {
    "radius": u.kpc,
    "v_obs": u.km / u.s,
    "v_err": u.km / u.s,
    "v_gas": u.km / u.s,
    "v_disk": u.km / u.s,
    "v_bulge": u.km / u.s,
    "sb_disk": _SURFACE_BRIGHTNESS,
    "sb_bulge": _SURFACE_BRIGHTNESS,
}

#: Columns of Table 1, in the order of the file: name -> unit (int: a number without unit, str: text).
TABLE1: dict[str, Any] = {
    "galaxy": str,
    "hubble_type": int,
    "distance": u.Mpc,
    "distance_err": u.Mpc,
    "distance_method": int,
    "inclination": u.deg,
    "inclination_err": u.deg,
    "l36": 1e9 * u.L_sun,
    "l36_err": 1e9 * u.L_sun,
    "r_eff": u.kpc,
    "sb_eff": _SURFACE_BRIGHTNESS,
    "r_disk": u.kpc,
    "sb_disk": _SURFACE_BRIGHTNESS,
    "m_hi": 1e9 * u.M_sun,
    "r_hi": u.kpc,
    "v_flat": u.km / u.s,
    "v_flat_err": u.km / u.s,
    "quality": int,
    "references": str,
}

#: In Table 1 a zero in these columns means "not measured".
_ZERO_IS_MISSING = ("r_hi", "v_flat", "v_flat_err")


class SparcError(DmlibError):
    """A SPARC file that is missing or has another format; names the file and the line."""


def read_rotmod(path: str | Path) -> QTable:
    """Read the mass model of one galaxy.

    Parameters
    ----------
    path : path
        A file ``<galaxy>_rotmod.dat``.

    Returns
    -------
    QTable
        One row per measured radius: ``radius`` [kpc]; ``v_obs`` and its error ``v_err``, the rotation speed corrected
        for inclination [km/s]; ``v_gas``, ``v_disk``, ``v_bulge``, the speeds due to the gas (with helium), the stellar
        disc and the bulge alone [km/s], the stellar ones for a mass-to-light ratio of 1 Msun/Lsun at 3.6 micron;
        ``sb_disk``, ``sb_bulge`` [Lsun/pc^2]. A negative speed means an outward force, as inside a gas ring with a
        hole: its square is ``v |v|``. ``meta`` has ``galaxy`` and ``distance`` [Mpc].

    Raises
    ------
    SparcError
        When the file is missing or empty, or a line has another format; names file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise SparcError(
            f"{path.name} is not in {path.parent.name}: SPARC has no galaxy of that name, or it is incomplete."
        )
    lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    distance = re.search(r"^#\s*Distance\s*=\s*([0-9.]+)\s*Mpc", "\n".join(lines), re.MULTILINE)
    if distance is None:
        raise SparcError(f"{path.name} has no distance; fetch the file again.")
    table = _table(path, lines, 0, ROTMOD)
    radius = table["radius"].value
    if np.any(np.diff(radius) <= 0) or radius[0] <= 0:
        raise SparcError(f"{path.name}: radii are not positive and increasing; fetch the file again.")
    table.meta = {"galaxy": path.name.removesuffix("_rotmod.dat"), "distance": float(distance[1]) * u.Mpc}
    return table


def read_table1(path: str | Path) -> QTable:
    """Read Table 1, the sample of galaxies.

    Rows are split at blanks: they do not follow the byte positions given in the file's own header.

    Parameters
    ----------
    path : path
        ``SPARC_Lelli2016c.mrt``.

    Returns
    -------
    QTable
        One row per galaxy, columns as in `TABLE1`, with units; ``quality`` is 1 high, 2 medium, 3 low. ``r_hi``,
        ``v_flat`` and ``v_flat_err`` are NaN where the file has 0, which means "not measured".

    Raises
    ------
    SparcError
        When the file is missing, or a line has another format; names file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise SparcError(f"{path.name} is not in {path.parent.name}: run `dmlib fetch sparc-table`.")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rules = [number for number, text in enumerate(lines) if text.startswith("----")]
    if not rules:
        raise SparcError(f"{path.name} is not a machine-readable table (no ruled lines); fetch it again.")
    table = _table(path, lines, rules[-1] + 1, TABLE1)
    for name in _ZERO_IS_MISSING:
        table[name][table[name] == 0] = np.nan
    return table


def _table(path: Path, lines: list[str], first: int, columns: dict[str, Any]) -> QTable:
    """Rows separated by blanks, from line `first` on; comments and empty lines are skipped."""
    rows = []
    for number, text in enumerate(lines[first:], start=first + 1):
        words = text.split()
        if not words or text.startswith("#"):
            continue
        where = f"{path.name}, line {number}"
        if len(words) != len(columns):
            raise SparcError(f"{where}: {len(words)} entries, not {len(columns)}; fetch the file again.")
        rows.append([_value(*cell, where) for cell in zip(words, columns.items(), strict=True)])
    if not rows:
        raise SparcError(f"{path.name} has no rows; fetch the file again.")
    table = QTable()
    for (name, kind), cells in zip(columns.items(), zip(*rows, strict=True), strict=True):
        # "1e9 Lsun" gives a Quantity with its values multiplied and the plain unit Lsun.
        table[name] = np.array(cells) if kind in (int, str) else np.array(cells) * kind
    return table


def _value(word: str, column: tuple[str, Any], where: str) -> str | int | float:
    name, kind = column
    if kind is str:
        return word
    try:
        value = int(word) if kind is int else float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SparcError(f"{where}: {name} is '{word}', not a number; fetch the file again.")
    return value
