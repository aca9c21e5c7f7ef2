"""SPARC, rotation curves of 175 disc galaxies (Lelli, McGaugh & Schombert 2016), or simulated galaxies in its place.

`dmlib.manifest` provides the files (entries ``sparc-rotmod`` and ``sparc-table``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable

from ..errors import DmlibError, FetchError, GalaxyError
from ..galaxy import Galaxy, load_galaxy
from ..manifest.download import Downloader
from ..manifest.fetch import available, fetch
from ..universe import Universe
from .baryons import HELIUM
from .massmodel import UPSILON_DISK, MassModel, from_galaxy
from .priors import Priors, known, sparc_priors

#: One attempt per source: a book built without a network must not wait for it.
IMPATIENT = Downloader(attempts=1, connect_timeout=5.0, read_timeout=20.0)

#: Radius within which the dark mass of many galaxies is compared [kpc].
WITHIN = 10.0

#: Number of galaxies among which the most regularly rotating one is chosen as a stand-in.
_CANDIDATES = 5

#: Error of log10 of the stellar mass-to-light ratio [dex], and relative error of an HI mass (Lelli et al. 2016).
_UPSILON_ERROR, _HYDROGEN_ERROR = 0.11, 0.10

# Solar luminosities are those of the 3.6 micron band.
_SURFACE_BRIGHTNESS = u.L_sun / u.pc**2

#: Columns of a ``*_rotmod.dat`` file.
ROTMOD = {
    "radius": u.kpc,
    **dict.fromkeys(("v_obs", "v_err", "v_gas", "v_disk", "v_bulge"), u.km / u.s),
    **dict.fromkeys(("sb_disk", "sb_bulge"), _SURFACE_BRIGHTNESS),
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
    """A SPARC file that is missing or has another format; names the file, and the row where one is wrong."""


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
        When the file is missing or empty, or a line has another format; names the file and the row.
    """
    path = Path(path)
    text = _read(path, "SPARC has no galaxy of that name, or it is incomplete")
    distance = re.search(r"^#\s*Distance\s*=\s*([0-9.]+)\s*Mpc", text, re.MULTILINE)
    if distance is None:
        raise SparcError(f"{path.name} has no distance; fetch the file again.")
    table = _table(path, text, ROTMOD)
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
        When the file is missing, or a line has another format; names the file and the row.
    """
    path = Path(path)
    _, rule, rows = f"\n{_read(path, 'run `dmlib fetch sparc-table`')}".rpartition("\n----")
    if not rule:
        raise SparcError(f"{path.name} is not a machine-readable table (no ruled lines); fetch it again.")
    table = _table(path, rows.partition("\n")[2], TABLE1)
    for name in _ZERO_IS_MISSING:
        table[name][table[name] == 0] = np.nan
    return table


def _read(path: Path, mend: str) -> str:
    if not path.is_file():
        raise SparcError(f"{path.name} is not in {path.parent.name}: {mend}.")
    return path.read_text(encoding="utf-8", errors="replace")


def _table(path: Path, text: str, columns: dict[str, Any]) -> QTable:
    """Rows separated by blanks; comments and empty lines are skipped."""
    kinds = [(name, {str: "U40", int: int}.get(kind, float)) for name, kind in columns.items()]
    rows = [row for row in text.splitlines() if row.strip() and not row.startswith("#")]
    if not rows:
        raise SparcError(f"{path.name} has no rows; fetch the file again.")
    try:
        found = np.loadtxt(rows, dtype=kinds, comments=None, ndmin=1)
    except ValueError as error:
        raise SparcError(f"{path.name} has a row of another format ({error}); fetch the file again.") from error
    table = QTable()
    for name, kind in columns.items():
        # "1e9 Lsun" gives a Quantity with its values multiplied and the plain unit Lsun.
        table[name] = found[name] if kind in (int, str) else found[name] * kind
        if kind is not str and not np.all(np.isfinite(found[name])):
            raise SparcError(f"{path.name}: {name} is not a number everywhere; fetch the file again.")
    return table


def from_sparc(folder: Path, table1: QTable, galaxy: str) -> MassModel:
    """The mass model of one SPARC galaxy.

    Parameters
    ----------
    folder : Path
        Has the file ``<galaxy>_rotmod.dat``.
    table1 : QTable
        From `read_table1`.
    galaxy : str
        SPARC name.

    Raises
    ------
    SparcError
        When the file cannot be read.
    """
    curve, kms = read_rotmod(folder / f"{galaxy}_rotmod.dat"), u.km / u.s
    row = table1[table1["galaxy"] == galaxy]
    return MassModel(
        galaxy=galaxy.replace("NGC", "NGC ").replace("UGC", "UGC ").replace("DDO", "DDO "),
        source="SPARC",
        r_disk=float(row["r_disk"].to_value(u.kpc)[0]),
        radius=curve["radius"].to_value(u.kpc),
        **{key: curve[key].to_value(kms) for key in ("v_obs", "v_err", "v_gas", "v_disk", "v_bulge")},
    )


def open_sparc() -> tuple[Path, QTable] | str:
    """Folder of the mass models and Table 1; or the reason why SPARC is not available.

    Raises
    ------
    FetchError
        When a copy exists but is damaged: it must be repaired, not ignored.
    """
    names = ("sparc-rotmod", "sparc-table")
    for name in names:
        if available(name).state == "damaged":
            fetch(name, downloader=IMPATIENT)
    try:
        folder, table = (fetch(name, downloader=IMPATIENT) for name in names)
    except FetchError as error:
        return str(error)
    return folder, read_table1(table)


def load_example(sample: QTable, universe: Universe, galaxy: str = "NGC6503") -> MassModel:
    """The rotation curve of the introduction.

    Parameters
    ----------
    sample : QTable
    universe : Universe
        With the galaxies of `sample`, one of which is shown where SPARC is not available.
    galaxy : str
        SPARC name.

    Returns
    -------
    MassModel
        The SPARC galaxy; where SPARC can be neither downloaded nor found in a mirror, a galaxy of the universe, with
        the reason in its `note`.

    Raises
    ------
    SparcError
        When SPARC has no such galaxy.
    """
    found = open_sparc()
    if isinstance(found, str):
        return _stand_in(sample, universe, f"SPARC could not be obtained ({found.rstrip('.')}).")
    return from_sparc(*found, galaxy)


def _stand_in(sample: QTable, universe: Universe, note: str) -> MassModel:
    """The galaxy with the most regular gas rotation among those of the slower half that form the most stars."""
    sample = sample[sample["is_true_central"]]
    slower = sample[sample["v_max"] <= np.median(sample["v_max"])]
    found, refusals = [], []
    for subhalo_id in slower[np.argsort(slower["sfr"])[::-1][:_CANDIDATES]]["subhalo_id"]:
        try:
            galaxy, model = _simulated(universe, subhalo_id, note)
            kappa = galaxy.kappa_rot("gas", 4 * galaxy.r_half_star)
            outer = model.v_obs[model.radius > 3 * model.r_disk]
            if len(outer) < 3 or (outer <= 0).any():
                raise GalaxyError(f"{galaxy.name} has no regular rotation beyond three scale lengths.")
            found.append((kappa, model))
        except GalaxyError as refusal:
            refusals.append(str(refusal))
    if not found:
        raise GalaxyError(f"no galaxy has enough gas for a rotation curve, fetch SPARC instead: {' '.join(refusals)}")
    return max(found, key=lambda pair: pair[0])[1]


def _simulated(universe: Universe, subhalo_id: int, note: str = "") -> tuple[Galaxy, MassModel]:
    """A simulated galaxy, and the curve of its cold gas."""
    fields = ("NeutralHydrogenAbundance", "StarFormationRate")
    galaxy = load_galaxy(universe, int(subhalo_id), extra={"gas": fields})
    return galaxy, from_galaxy(galaxy, note)


def load_population(sample: QTable) -> QTable:
    """Dark mass, light and speed of many galaxies.

    Parameters
    ----------
    sample : QTable
        Used where SPARC is not available.

    Returns
    -------
    QTable
        ``galaxy``; ``light``; ``m_dark`` [Msun]; ``v_flat`` [km/s]. From SPARC: luminosity at 3.6 micron [Lsun],
        missing mass within `WITHIN`, speed of the flat part, of the galaxies with quality 1 or 2, inclination of at
        least 30 deg (both after McGaugh, Lelli & Schombert 2016), a measured flat part, and a curve that reaches
        `WITHIN`. Otherwise, from `sample`: stellar mass [Msun], bound dark matter, maximum circular speed.
        ``meta["source"]`` is ``"SPARC"`` or None.
    """
    found = open_sparc()
    if isinstance(found, str):
        columns = {"light": sample["m_star"], "m_dark": sample["m_dm"], "v_flat": sample["v_max"]}
        return QTable({"galaxy": [str(i) for i in sample["subhalo_id"]], **columns}, meta={"source": None})
    folder, table1 = found
    rows = []
    for row in table1[_good(table1) & np.isfinite(table1["v_flat"])]:
        model = from_sparc(folder, table1, row["galaxy"])
        if model.radius[-1] < WITHIN:
            continue
        dark = float(np.interp(WITHIN, model.radius, model.m_dynamical()[0] - model.m_visible()))
        if dark > 0:
            rows.append((model.galaxy, row["l36"], dark * u.Msun, row["v_flat"]))
    return QTable(rows=rows, names=("galaxy", "light", "m_dark", "v_flat"), meta={"source": "SPARC"})


def _good(table1: QTable) -> np.ndarray:
    """Quality 1 or 2 and inclination of at least 30 deg."""
    return (table1["quality"] < 3) & (table1["inclination"] >= 30 * u.deg)


@dataclass(frozen=True)
class CurveSample:
    """Rotation curves with the priors of each, and the columns of the scaling relations.

    Parameters
    ----------
    models : tuple of MassModel
    priors : tuple of Priors
    table : QTable
        One row per model: ``galaxy``; ``good``, whether it has quality 1 or 2 and an inclination of at least 30 deg;
        ``v_flat`` and ``v_flat_err`` [km/s], NaN where the curve is not flat; ``m_star``, ``m_bar`` [Msun], for the
        nominal mass-to-light ratio; ``log_m_bar_err`` [dex].
    source : str or None
        ``"SPARC"``, or None for a universe.
    reason : str
        Why it is not SPARC.
    """

    models: tuple[MassModel, ...]
    priors: tuple[Priors, ...]
    table: QTable
    source: str | None
    reason: str

    def __len__(self) -> int:
        return len(self.models)

    def index(self, galaxy: str) -> int:
        """Index of a galaxy by its SPARC name; where it is not in the sample, of one of median stellar mass."""
        found = np.flatnonzero(np.asarray(self.table["galaxy"]) == galaxy)
        middle = np.argsort(self.table["m_star"])[len(self) // 2]
        return int(found[0] if len(found) else middle)


def load_curves(sample: QTable, universe: Universe, most: int = 0, *, always: str = "NGC6503") -> CurveSample:
    """SPARC, or galaxies of a universe instead.

    Parameters
    ----------
    sample : QTable
    universe : Universe
        With the galaxies of `sample`, used where SPARC is not available.
    most : int
        Largest number of galaxies, evenly spaced in SPARC's alphabetical order; 0 for all (12 of a universe).
    always : str
        SPARC galaxy that is always included.
    """
    found = open_sparc()
    if isinstance(found, str):
        return _curves_of_universe(sample, universe, most or 12, found)
    folder, table1 = found
    names = np.asarray(table1["galaxy"])
    if 0 < most < len(names):
        chosen = np.union1d(np.linspace(0, len(names) - 1, most).astype(int), np.flatnonzero(names == always))
        table1 = table1[chosen]
    return sample_of(folder, table1)


def sample_of(folder: Path, table1: QTable) -> CurveSample:
    """The galaxies of a table of SPARC as a sample, see `from_sparc` for the arguments."""
    models = [from_sparc(folder, table1, name) for name in table1["galaxy"]]
    stars, gas = UPSILON_DISK * table1["l36"].value, HELIUM * table1["m_hi"].value
    m_bar = stars + gas
    part = np.hypot(stars * (np.log(10) * _UPSILON_ERROR), gas * _HYDROGEN_ERROR) / m_bar
    distance = 2 * (table1["distance_err"] / table1["distance"]).value
    table = table1["galaxy", "v_flat", "v_flat_err"]
    table["good"], table["m_star"], table["m_bar"] = _good(table1), stars * u.Msun, m_bar * u.Msun
    table["log_m_bar_err"] = np.hypot(part, distance) / np.log(10)
    return CurveSample(tuple(models), tuple(sparc_priors(row) for row in table1), table, "SPARC", "")


def _curves_of_universe(sample: QTable, universe: Universe, most: int, reason: str) -> CurveSample:
    """Curves of simulated galaxies, measured from their cold gas; stars, gas and distance are known."""
    sample = sample[sample["is_true_central"]]
    models, rows = [], []
    for subhalo_id in sample["subhalo_id"][np.linspace(0, len(sample) - 1, min(most, len(sample))).astype(int)]:
        try:
            galaxy, model = _simulated(universe, subhalo_id)
        except GalaxyError:
            continue  # no cold gas, so no curve
        end = model.radius[-1]
        mass = {part: float(values[0]) for part, values in galaxy.enclosed_masses(np.array([end])).items()}
        outer = model.v_obs[model.radius > 0.6 * end]
        stars, gas = mass["stars"], mass["gas"]
        rows.append((str(subhalo_id), True, outer.mean(), outer.std(), stars, stars + gas, 0.02))
        models.append(model)
    if not models:
        raise GalaxyError(f"no galaxy has enough gas for a rotation curve, fetch SPARC instead: {reason}")
    names = ("galaxy", "good", "v_flat", "v_flat_err", "m_star", "m_bar", "log_m_bar_err")
    units = {"v_flat": "km/s", "v_flat_err": "km/s", "m_star": "Msun", "m_bar": "Msun"}
    table = QTable(rows=rows, names=names, units=units)
    return CurveSample(tuple(models), (known(),) * len(models), table, None, reason)
