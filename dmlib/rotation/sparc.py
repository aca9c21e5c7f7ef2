"""Reading SPARC: rotation curves and mass models of 175 disc galaxies (Lelli, McGaugh & Schombert 2016).

Only reading; where the files come from is `dmlib.manifest` (entries ``sparc-rotmod`` and ``sparc-table``).
"""

from __future__ import annotations

import re
from pathlib import Path

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

#: Columns of Table 1, in the order of the file: name -> unit (None: a bare number, str: text).
TABLE1 = {
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
    """A SPARC file that is missing or not of its form; names the file and the line."""


def read_rotmod(path: str | Path) -> QTable:
    """Read the mass model of one galaxy.

    Parameters
    ----------
    path : path
        A file ``<galaxy>_rotmod.dat``.

    Returns
    -------
    QTable
        One row a measured radius: ``radius`` [kpc]; ``v_obs`` and its error ``v_err``, the rotation speed corrected for
        inclination [km/s]; ``v_gas``, ``v_disk``, ``v_bulge``, the speeds that the gas (helium included), the stellar
        disc and the bulge alone would give [km/s], the stellar ones for a mass-to-light ratio of 1 Msun/Lsun at
        3.6 micron; ``sb_disk``, ``sb_bulge`` [Lsun/pc^2]. A negative speed stands for a pull outwards, as inside a gas
        ring with a hole: it enters squares as ``v |v|``. ``meta`` holds ``galaxy`` and ``distance`` [Mpc].

    Raises
    ------
    SparcError
        When the file is missing, empty or has a line of another form; names file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise SparcError(
            f"{path.name} is not in {path.parent.name}: SPARC has no galaxy of that name, or it is incomplete."
        )
    distance, rows = None, []
    for number, text in enumerate(path.read_text(encoding="ascii", errors="replace").splitlines(), start=1):
        if text.startswith("#"):
            match = re.match(r"#\s*Distance\s*=\s*([0-9.]+)\s*Mpc", text)
            distance = float(match[1]) * u.Mpc if match else distance
            continue
        if not text.strip():
            continue
        try:
            row = [float(word) for word in text.split()]
        except ValueError as error:
            raise SparcError(f"{path.name}, line {number}: not a row of numbers; fetch the file again.") from error
        if len(row) != len(ROTMOD) or not np.all(np.isfinite(row)):
            raise SparcError(
                f"{path.name}, line {number}: {len(row)} numbers, not {len(ROTMOD)}; fetch the file again."
            )
        rows.append(row)
    if not rows or distance is None:
        raise SparcError(f"{path.name} has no {'rows' if distance is not None else 'distance'}; fetch the file again.")
    columns = np.array(rows).T
    if np.any(np.diff(columns[0]) <= 0) or columns[0][0] <= 0:
        raise SparcError(f"{path.name}: radii are not positive and increasing; fetch the file again.")
    table = QTable({name: values * unit for (name, unit), values in zip(ROTMOD.items(), columns, strict=True)})
    table.meta = {"galaxy": path.name.removesuffix("_rotmod.dat"), "distance": distance}
    return table


def read_table1(path: str | Path) -> QTable:
    """Read Table 1, the sample of galaxies.

    The rows are split at blanks: they do not keep to the byte positions that the file's own header gives.

    Parameters
    ----------
    path : path
        ``SPARC_Lelli2016c.mrt``.

    Returns
    -------
    QTable
        One row a galaxy, columns as in `TABLE1`, with units; ``quality`` is 1 high, 2 medium, 3 low. ``r_hi``,
        ``v_flat`` and ``v_flat_err`` are NaN where the file has 0, which stands for "not measured".

    Raises
    ------
    SparcError
        When the file is missing or has a line of another form; names file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise SparcError(f"{path.name} is not in {path.parent.name}: run `dmlib fetch sparc-table`.")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rules = [number for number, text in enumerate(lines) if text.startswith("----")]
    if not rules:
        raise SparcError(f"{path.name} is not a machine-readable table (no ruled lines); fetch it again.")
    start = rules[-1] + 1
    rows = []
    for number, text in enumerate(lines[start:], start=start + 1):
        if not text.strip():
            continue
        words = text.split()
        if len(words) != len(TABLE1):
            raise SparcError(
                f"{path.name}, line {number}: {len(words)} entries, not {len(TABLE1)}; fetch the file again."
            )
        rows.append((number, words))
    if not rows:
        raise SparcError(f"{path.name} has no rows after its header; fetch it again.")
    table = QTable()
    for index, (name, unit) in enumerate(TABLE1.items()):
        table[name] = _column(name, unit, [(number, words[index]) for number, words in rows], path)
    return table


def _column(name: str, unit, cells: list[tuple[int, str]], path: Path):
    """One column of Table 1 with its unit."""
    if unit is str:
        return [word for _, word in cells]
    values = []
    for number, word in cells:
        try:
            values.append(int(word) if unit is int else float(word))
        except ValueError as error:
            raise SparcError(f"{path.name}, line {number}: {name} is '{word}', not a number.") from error
    if unit is int:
        return np.array(values)
    column = np.array(values)
    if name in _ZERO_IS_MISSING:
        column[column == 0] = np.nan
    # "1e9 Lsun" is a Quantity: the product has its values multiplied and the plain unit Lsun.
    return column * unit
