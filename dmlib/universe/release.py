"""The TNG data release: its runs, its files, their fields and units, and the physical units that dmlib gives them.

Source: Nelson et al. 2019 and the field tables at https://www.tng-project.org/data/docs/.
"""

from __future__ import annotations

import difflib
import errno
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from astropy import units as u

from ..errors import UniverseError
from ..sources import SUITES, release_name
from ..units import PART_TYPE, CodeUnits

#: Attributes that the header of a snapshot file must have, and those that it must share with the catalogue.
SNAPSHOT_ATTRIBUTES = ("MassTable", "NumPart_ThisFile", "NumPart_Total", "NumFilesPerSnapshot")
SHARED_ATTRIBUTES = ("Time", "Redshift", "HubbleParam", "BoxSize", "Omega0", "OmegaLambda")

_OFFSETS = ("FileOffsets/SnapByType", "Group/SnapByType", "Subhalo/SnapByType")


@dataclass(frozen=True)
class Run:
    """What identifies a run: side of the box [ckpc/h], particles along it, cosmology, number of its last snapshot."""

    box: float
    n_side: int
    h: float = 0.6774
    omega_m: float = 0.3089
    omega_b: float = 0.0486
    last: int = 99


#: The runs of TNG and of Illustris, baryons included.
_RUNS = {
    f"{name}-{i}": Run(1e3 * box, n, *((0.704, 0.2726, 0.0456, 135) if name == "Illustris" else ()))
    for name, (box, sides, _) in SUITES.items()
    for i, n in enumerate(sides, 1)
}

#: With their dark-matter-only counterparts, in which all matter is in the particles.
RUNS = _RUNS | {f"{name}-Dark": replace(run, omega_b=0.0) for name, run in _RUNS.items()}

#: Snapshots of the TNG runs that are stored in full and their redshifts; the others ("mini") lack the fields in
#: `FULL_ONLY`.
FULL_SNAPSHOTS = {
    **{2: 11.98, 3: 10.98, 4: 10.00, 6: 9.00, 8: 8.01, 11: 7.01, 13: 6.01, 17: 5.00, 21: 4.01, 25: 3.01},
    **{33: 2.00, 40: 1.50, 50: 1.00, 59: 0.70, 67: 0.50, 72: 0.40, 78: 0.30, 84: 0.20, 91: 0.10, 99: 0.00},
}

#: Particle fields that mini snapshots lack.
FULL_ONLY = frozenset({"CenterOfMass", "GFM_Metals", "NeutralHydrogenAbundance", "StellarHsml", "GFM_MetalsTagged"})

#: Pauses before a file that cannot be opened is tried again [s].
PAUSES = (0.5, 2.0)

_LOCKS = (errno.EAGAIN, errno.EDEADLK, errno.ENOLCK)
_PASSING = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EBUSY, errno.EMFILE, errno.ENFILE)

#: (1e10 Msun/h) / (0.978 Gyr/h) in Msun/yr; h cancels.
_ACCRETION = 1e10 / 0.978e9

#: Magnitudes larger than this mark a subhalo without stars.
_NO_MAGNITUDE = 1e10

_MASS, _LENGTH = (attrgetter("mass"), u.Msun), (attrgetter("length"), u.kpc)

#: Group-catalogue fields with a unit: pattern of the name -> (factor, physical unit).
_CATALOGUE: dict[str, tuple[Callable[[CodeUnits], float], u.UnitBase]] = {
    "(Subhalo|Group)(Mass.*|BHMass|WindMass)|SubhaloStellarPhotometricsMassInRad|Group_M_.*": _MASS,
    "(Subhalo|Group)(Pos|CM)|Subhalo(HalfmassRad(Type)?|VmaxRad|StellarPhotometricsRad)|Group_R_.*": _LENGTH,
    "GroupVel": (lambda units: 1.0 / units.a, u.km / u.s),
    "Subhalo(Vel|Vmax|VelDisp)": (lambda units: 1.0, u.km / u.s),
    "SubhaloSpin": (lambda units: 1.0 / units.h, u.kpc * u.km / u.s),
    "(Subhalo|Group)BHMdot": (lambda units: _ACCRETION, u.Msun / u.yr),
    "GroupSFR|SubhaloSFR.*": (lambda units: 1.0, u.Msun / u.yr),
    "SubhaloStellarPhotometrics": (lambda units: 1.0, u.mag),
}

#: Particle fields that are converted: pattern of the name -> factor.
_PARTICLES: dict[str, Callable[[CodeUnits], float]] = {
    "Coordinates|CenterOfMass|BirthPos|StellarHsml|SubfindHsml|BH_Hsml": attrgetter("length"),
    "Masses|GFM_InitialMass|BH_Mass|(GFM_Wind|BH_)HostHaloMass": attrgetter("mass"),
    "(Subfind|SubfindDM|BH_)?Density": attrgetter("density"),
    "Velocities": attrgetter("velocity"),
    "Potential": lambda units: 1.0 / units.a,
    "BH_Mdot.*": lambda units: _ACCRETION,
}

#: Second dimension of the vector fields, needed for an object without particles of a type.
VECTOR_LENGTH = {
    **dict.fromkeys(("Coordinates", "Velocities", "CenterOfMass", "BirthPos", "BirthVel", "MagneticField"), 3),
    "GFM_Metals": 10,
    "GFM_MetalsTagged": 6,
    "GFM_StellarPhotometrics": 8,
}


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading; where that fails, try again after each of `PAUSES`.

    What goes wrong here is a trouble of the machine and not a property of a galaxy.

    Yields
    ------
    h5py.File

    Raises
    ------
    UniverseError
        When the file is missing, locked or cannot be read, also inside the block; names the file and the mend.
    """
    handle = None
    try:
        handle = _patiently(path)
        with handle:
            yield handle
    except FileNotFoundError as error:
        raise UniverseError(f"{path} is missing: copy or download that file again.") from error
    except (OSError, RuntimeError, KeyError) as error:
        # h5py raises any of the three for damaged content, depending on where the damage lies.
        raise UniverseError(f"{path} {_trouble(path, error, handle is not None)}.") from error


def _patiently(path: Path) -> h5py.File:
    for pause in PAUSES:
        try:
            return h5py.File(path, "r")
        except FileNotFoundError:
            raise
        except OSError:
            time.sleep(pause)
    return h5py.File(path, "r")


def _trouble(path: Path, error: Exception, opened: bool) -> str:
    """What is wrong with a file, and the mend."""
    number = getattr(error, "errno", None)
    if number in _LOCKS or "unable to lock" in str(error):
        return (
            "is in use or locked by another program: run again when that has ended; on a disk that knows no locks set "
            "HDF5_USE_FILE_LOCKING=FALSE"
        )
    if isinstance(error, PermissionError):
        return "cannot be read: ask its owner for permission"
    if number in _PASSING:
        return f"cannot be read at the moment ({error}): run again when its disk answers"
    size = path.stat().st_size
    why = f"is damaged ({size} bytes; {error})" if opened else f"cannot be opened as HDF5 ({size} bytes)"
    if "truncated" in str(error):
        why = f"is truncated ({size} bytes)"
    return f"{why}: copy or download that file again"


def catalogue_unit(name: str, units: CodeUnits) -> tuple[float, u.UnitBase | None]:
    """Factor and physical unit of a group-catalogue field.

    Parameters
    ----------
    name : str
        TNG field, for example ``SubhaloMassType``.
    units : CodeUnits

    Returns
    -------
    factor : float
        Stored value times `factor` is in the returned unit.
    unit : astropy unit or None
        Msun, physical kpc, km/s, kpc km/s, Msun/yr or mag; None for counts, indices, flags, fractions, and for
        the magnetic field, which stays in code units.
    """
    factor, unit = next((known for pattern, known in _CATALOGUE.items() if re.fullmatch(pattern, name)), (None, None))
    return (factor(units) if factor else 1.0), unit


def physical_column(field: str, values: np.ndarray, units: CodeUnits) -> np.ndarray | u.Quantity:
    """Convert a stored catalogue column to its physical unit.

    Parameters
    ----------
    field : str
        TNG name.
    values : ndarray
        As stored.
    units : CodeUnits

    Returns
    -------
    ndarray or Quantity
        A Quantity where `catalogue_unit` gives a unit. ``GroupFirstSub`` is -1 for a group without subhalo,
        ``SubhaloFlag`` is boolean, and magnitudes of subhaloes without stars are NaN.
    """
    factor, unit = catalogue_unit(field, units)
    if field == "GroupFirstSub":
        # Some files store it unsigned, so that "no subhalo" reads 2^32 - 1.
        values = values.astype(np.int64).astype(np.int32)
    if field == "SubhaloFlag":
        values = values.astype(bool)
    if unit is u.mag:
        values = np.where(np.abs(values) > _NO_MAGNITUDE, np.nan, values)
    return values if unit is None else values.astype(np.float64) * factor * unit


def particle_factor(field: str, units: CodeUnits) -> float:
    """Factor that converts a stored particle field to physical units (kpc, Msun, km/s, Msun/kpc^3, (km/s)^2).

    Fields without h or scale factor (star formation rate, abundances, internal energy, formation time) give 1.
    """
    factor = next((known for pattern, known in _PARTICLES.items() if re.fullmatch(pattern, field)), None)
    return factor(units) if factor else 1.0


def suggestion(field: str, known: Collection[str]) -> str:
    """A clause that names the known fields most similar to this one; empty when none is."""
    near = difflib.get_close_matches(field, sorted(known), n=3, cutoff=0.6)
    return f" (did you mean {', '.join(near)}?)" if near else ""


def dm_particle_mass(omega_m: float, omega_b: float, h: float, box: float, n_side: int) -> float:
    """Mass of a dark-matter particle, ``rho_crit (Om - Ob) V / n_side^3`` [Msun].

    Parameters
    ----------
    omega_m, omega_b, h : float
        Cosmology.
    box : float
        Side of the box [ckpc/h].
    n_side : int
        Particles along a side (1820 for TNG100-1).
    """
    rho_crit = 277.5366  # Msun h^2 / kpc^3, 3 (100 km/s/Mpc)^2 / (8 pi G)
    return float((omega_m - omega_b) * rho_crit * np.float64(box) ** 3 / n_side**3 / h)


def check_run(path: str | Path, header: Mapping[str, Any], m_dm: float, simulation: str, snapshot: int) -> str:
    """Compare a header with the run that was requested.

    Parameters
    ----------
    path : path
        File or address of the header, for the error.
    header : mapping
        Attributes of the header of a group catalogue.
    m_dm : float
        Mass of a dark-matter particle [Msun]; NaN without snapshot.
    simulation, snapshot : str, int
        The run requested; ``embedded`` stands for every embedded universe.

    Returns
    -------
    str
        Name of the simulation: the tree's own (``SimulationName``, which the embedded universe writes), else
        `simulation`.

    Raises
    ------
    UniverseError
        When box, cosmology, particle mass or redshift belong to another run. Without snapshot files, runs with the
        same box and cosmology cannot be distinguished.
    """
    refuse_subbox(simulation, str(path))
    own = header.get("SimulationName")
    if own is not None:
        # TNG files may have the internal name.
        own = release_name(own.decode() if isinstance(own, bytes) else str(own))
        refuse_subbox(own, str(path))
        if own != simulation and not (simulation == "embedded" and own.startswith("embedded-")):
            raise UniverseError(f"{path} belongs to '{own}', not to '{simulation}': set simulation='{own}' to use it.")
        if own not in RUNS:
            return own
    if simulation == "embedded":
        raise UniverseError(f"{path} does not say that it is the embedded universe: remove it and write it again.")
    if simulation not in RUNS:
        return simulation
    run = RUNS[simulation]
    expected = {"BoxSize": run.box, "HubbleParam": run.h, "Omega0": run.omega_m}
    for name, value in expected.items():
        if not np.isclose(header[name], value, rtol=1e-3):
            raise UniverseError(
                f"{path} does not belong to {simulation}: its {name} is {float(header[name]):g}, {simulation} has "
                f"{value:g}; give the base_path of that simulation, or its true name as `simulation`."
            )
    expected_m_dm = dm_particle_mass(run.omega_m, run.omega_b, run.h, run.box, run.n_side)
    if np.isfinite(m_dm) and not np.isclose(m_dm, expected_m_dm, rtol=0.02):
        raise UniverseError(
            f"{path} does not belong to {simulation}: its dark-matter particle has {m_dm:.3g} Msun, {simulation} has "
            f"{expected_m_dm:.3g} Msun (another resolution, or the dark-matter-only run)."
        )
    known = FULL_SNAPSHOTS if simulation.startswith("TNG") else {run.last: 0.0}
    z = float(header["Redshift"])
    if snapshot in known and abs(z - known[snapshot]) > 2e-3 + 0.01 * known[snapshot]:
        raise UniverseError(
            f"{path} is at redshift {z:.3g}, but snapshot {snapshot} of {simulation} is redshift {known[snapshot]:.3g}."
        )
    if snapshot not in known and snapshot < run.last and z < 1e-3:
        raise UniverseError(f"{path} is at redshift 0, which is snapshot {run.last} of {simulation}, not {snapshot}.")
    return simulation


def refuse_subbox(name: str, where: str) -> None:
    """Raise UniverseError for a subbox of TNG, which has particles and no galaxies."""
    if "subbox" in name.lower():
        raise UniverseError(f"{where} is a subbox: it has no group catalogue, hence no galaxies; take the whole box.")


def compare_headers(path: Path, own: Mapping[str, Any], other_path: Path, other: Mapping[str, Any]) -> None:
    """Raise UniverseError where the header of a snapshot is not of the run and time of that of the catalogue."""
    for name in SHARED_ATTRIBUTES:
        if not np.isclose(own[name], other[name], rtol=1e-4, atol=1e-6):
            raise UniverseError(
                f"{path} and {other_path} do not belong together: {name} is {float(own[name]):g} in one and "
                f"{float(other[name]):g} in the other; take both from the same snapshot of the same run."
            )
    names = [release_name(str(np.asarray(header.get("SimulationName", "")).astype(str))) for header in (own, other)]
    if all(names) and names[0] != names[1]:
        raise UniverseError(
            f"{path} and {other_path} do not belong together: one is of '{names[0]}', the other of '{names[1]}'; take "
            "both from the same run."
        )


def particle_totals(header: Mapping[str, Any]) -> np.ndarray:
    """Particles of each type in a snapshot; the header has 32 bits of each number in one attribute."""
    low = np.asarray(header["NumPart_Total"], dtype=np.int64)
    return low + (np.asarray(header.get("NumPart_Total_HighWord", np.zeros(6)), dtype=np.int64) << 32)


def trouble_of_offsets(
    path: Path,
    rows: Mapping[str, int],
    groups: np.ndarray,
    length: np.ndarray,
    first_sub: np.ndarray,
    own: np.ndarray,
    headers: Sequence[Mapping[str, Any]],
) -> str:
    """Where the offsets disagree with the counts of the catalogue or of the snapshot; empty where they agree.

    Parameters
    ----------
    path : Path
        The offsets file.
    rows : mapping of int
        Rows of ``Group`` and ``Subhalo`` in the catalogue.
    groups : ndarray of int, shape (n,)
        Some groups, ascending; two that follow one another are compared.
    length : ndarray of int, shape (n, 6)
        Their particles by the catalogue.
    first_sub : ndarray of int, shape (n,)
        Their first subhaloes, with whose particles they begin.
    own : ndarray of int, shape (n, 6)
        The particles of these; none where there is no subhalo.
    headers : sequence of mapping
        Of the files of the snapshot.

    Raises
    ------
    UniverseError
        When the file lacks a data set, stores it otherwise than as rows of six signed integers, or has other numbers
        of rows than the catalogue.
    """
    with open_hdf5(path) as handle:
        for name in _OFFSETS:
            if name not in handle:
                raise UniverseError(f"{path} has no dataset {name}: download the offsets file again.")
            if handle[name].dtype.kind != "i" or handle[name].shape[1:] != (6,):
                # Differences of unsigned numbers wrap round, and the reader would pick the wrong chunk.
                found = f"{handle[name].dtype} of shape {handle[name].shape}"
                raise UniverseError(f"{path} stores {name} as {found}: write it as rows of six 64-bit signed integers.")
        for kind, n_rows in rows.items():
            found = handle[f"{kind}/SnapByType"].shape[0]
            if found != n_rows:
                raise UniverseError(
                    f"{path} has offsets of {found} {kind} rows, the catalogue has {n_rows}: take both from one run."
                )
        first = handle["FileOffsets/SnapByType"][()]
        start = handle["Group/SnapByType"][groups] if len(groups) else np.zeros((0, 6), np.int64)
        some, place = np.unique(first_sub, return_inverse=True)
        begin = handle["Subhalo/SnapByType"][some][place] if own.any() else start
    kinds, total = list(PART_TYPE.values()), particle_totals(headers[0])
    by_offsets = first[-1] + np.asarray(headers[-1]["NumPart_ThisFile"], dtype=np.int64)
    n_files = int(headers[0]["NumFilesPerSnapshot"])
    if len(first) != n_files:
        return f"the offsets are of {len(first)} snapshot files, the snapshot has {n_files}"
    if np.any((by_offsets != total)[kinds]):
        return f"by the offsets the snapshot has {by_offsets[kinds]} particles, not {total[kinds]}"
    if np.any((start + length > total)[:, kinds]):
        return f"the groups of the catalogue reach beyond the {total[kinds]} particles of the snapshot"
    # One group after the other; what has no particle of a type has no place either.
    follows = (np.diff(groups) == 1)[:, None] & (length[:-1] > 0) & (length[1:] > 0)
    wrong = (follows & (np.diff(start, axis=0) != length[:-1]))[:, kinds].any(axis=1)
    if wrong.any():
        return f"the particles of group {int(groups[1:][wrong][0])} do not follow those of the group before it"
    if (wrong := ((begin != start) & (own > 0))[:, kinds].any(axis=1)).any():
        return f"subhalo {int(first_sub[wrong][0])} does not begin where its group does"
    return ""
