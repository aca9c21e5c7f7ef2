"""Checks on a TNG tree, each of which ends in one sentence that names the file and the mend."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from ..errors import UniverseError
from .fields import dm_particle_mass

#: (box [ckpc/h], particles along a side) of the TNG runs (Nelson et al. 2019, table 1).
RUNS = {
    **{f"TNG50-{i}": (35000.0, n) for i, n in enumerate((2160, 1080, 540, 270), 1)},
    **{f"TNG100-{i}": (75000.0, n) for i, n in enumerate((1820, 910, 455), 1)},
    **{f"TNG300-{i}": (205000.0, n) for i, n in enumerate((2500, 1250, 625), 1)},
}


def find_output(base_path: str | Path, snapshot: int) -> Path:
    """The ``output`` folder itself; says which folder was meant when the path is a level too high or too low.

    Parameters
    ----------
    base_path : path
        What the user gave.
    snapshot : int

    Returns
    -------
    Path
        Absolute path that holds ``groups_NNN``.

    Raises
    ------
    UniverseError
    """
    # Not resolve(): the postprocessing folder lies beside `output` as the user sees it, symbolic links included.
    base = Path(os.path.abspath(Path(base_path).expanduser()))
    wanted = f"groups_{snapshot:03d}"
    if (base / wanted).is_dir():
        return base
    if not base.exists():
        raise UniverseError(f"{base} does not exist: base_path must be the simulation's output folder.")
    candidates = [base / "output", base.parent, base.parent / "output"]
    candidates += sorted(base.glob("*/output")) if base.is_dir() else []
    for folder in candidates:
        if (folder / wanted).is_dir():
            raise UniverseError(f"{base} has no folder {wanted}, but {folder} has: give base_path={folder}.")
    others = sorted(folder.name for folder in base.glob("groups_*") if folder.is_dir())
    if others:
        raise UniverseError(
            f"{base} has no folder {wanted} for snapshot {snapshot}; it has {', '.join(others[:5])}: "
            "choose one of those snapshots or copy the missing folder."
        )
    raise UniverseError(
        f"{base} has no folder {wanted}: base_path must be the simulation's output folder, which holds {wanted} and "
        f"snapdir_{snapshot:03d}."
    )


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading; one that is missing or cannot be read ends in a sentence that names it.

    Yields
    ------
    h5py.File
        Errors of reading from it, inside the block, are told in the same way.

    Raises
    ------
    UniverseError
    """
    if not path.is_file():
        raise UniverseError(f"{path} is missing: copy or download that file again.")
    opened = False
    try:
        with h5py.File(path, "r") as handle:
            opened = True
            yield handle
    except (OSError, RuntimeError, KeyError) as error:
        # h5py raises all three for content that is damaged, by where the damage lies.
        size = path.stat().st_size
        why = f"is damaged ({size} bytes; {error})" if opened else f"cannot be opened as HDF5 ({size} bytes)"
        if "truncated" in str(error):
            why = f"is truncated ({size} bytes)"
        if isinstance(error, PermissionError):
            raise UniverseError(f"{path} may not be read by you: ask for the right to read it.") from error
        raise UniverseError(f"{path} {why}: copy or download that file again.") from error


def check_run(path: Path, header: dict, m_dm: float, simulation: str, snapshot: int) -> str:
    """Compare what a tree says of itself with the run that was asked for.

    Parameters
    ----------
    path : Path
        File of the header, for the message.
    header : dict
        Group-catalogue header.
    m_dm : float
        Mass of a dark-matter particle [Msun]; NaN without snapshot.
    simulation, snapshot : str, int
        What the settings ask for; ``embedded`` stands for every embedded universe.

    Returns
    -------
    str
        Name of the simulation: the tree's own (``SimulationName``, which the embedded universe writes), else
        `simulation`.

    Raises
    ------
    UniverseError
        When box, cosmology, particle mass or redshift belong to another run. Runs with the same box, cosmology and
        no snapshot files cannot be told apart.
    """
    own = header.get("SimulationName")
    if own is not None:
        own = own.decode() if isinstance(own, bytes) else str(own)
        if own != simulation and not (simulation == "embedded" and own.startswith("embedded-")):
            raise UniverseError(f"{path} belongs to '{own}', not to '{simulation}': set simulation='{own}' to use it.")
        return own
    if simulation == "embedded":
        raise UniverseError(
            f"{path} does not say that it is the embedded universe: remove that folder and write it again."
        )
    if simulation not in RUNS:
        return simulation
    box, n_side = RUNS[simulation]
    expected = {"BoxSize": box, "HubbleParam": 0.6774, "Omega0": 0.3089}
    for name, value in expected.items():
        if not np.isclose(header[name], value, rtol=1e-3):
            raise UniverseError(
                f"{path} is not of {simulation}: its {name} is {float(header[name]):g}, {simulation} has {value:g}; "
                "give the base_path of that simulation, or its true name as `simulation`."
            )
    expected_m_dm = dm_particle_mass(0.3089, 0.0486, 0.6774, box, n_side)
    if np.isfinite(m_dm) and not np.isclose(m_dm, expected_m_dm, rtol=0.02):
        raise UniverseError(
            f"{path} is not of {simulation}: its dark-matter particle has {m_dm:.3g} Msun, {simulation} has "
            f"{expected_m_dm:.3g} Msun (another resolution, or the dark-matter-only run)."
        )
    if snapshot == 99 and abs(header["Redshift"]) > 1e-3:
        raise UniverseError(f"{path} is at redshift {header['Redshift']:.3g}, but snapshot 99 is redshift 0.")
    return simulation
