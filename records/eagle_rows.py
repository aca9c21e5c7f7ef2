"""Rows of EAGLE in the mirror's folder ``eagle``: another simulation beside TNG100-1, at the level of a catalogue.

Central galaxies of EAGLE Ref-L0100N1504 with their stellar mass within 30 kpc, half-mass radius and M200; and haloes of
a run of SWIFT-EAGLE with the circular speed of their dark matter, from which its mass within any radius follows. The
folder is not part of the repository.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from astropy.table import Table

from dmlib.errors import FetchError
from dmlib.units import G

#: Files of the folder.
CENTRALS, HALOES = "RefL0100N1504_dm_fractions.txt", "TangoSIDM_L025N376_CDM_haloes.hdf5"

FILES = (CENTRALS, HALOES)

SOURCE = (
    "central galaxies of EAGLE Ref-L0100N1504 with M* > 1e10 Msun (table of Annapreto23/TangoSIDM_DMFraction), and "
    "central haloes of the SWIFT-EAGLE run TangoSIDM L025N376 with cold dark matter"
)
CITATION = "Schaye et al. 2015, MNRAS 446, 521; Correa et al. 2024"

_COLUMNS = ("id", "group", "log_m_star", "r_half", "r_projected", "log_gas", "log_m200", "kappa", "r_eff", "fraction")
#: Structure type of a central halo (VELOCIraptor).
_CENTRAL = 10


def centrals(folder: Path) -> dict[str, np.ndarray]:
    """``m_star``, ``m200`` [Msun], ``r_half`` [kpc] and ``group`` of the centrals; FetchError without the file."""
    rows = Table.read(_there(folder, CENTRALS), format="ascii.no_header", comment="#", names=_COLUMNS)
    return {
        "m_star": 10.0 ** np.asarray(rows["log_m_star"], dtype=float),
        "r_half": np.asarray(rows["r_half"], dtype=float),
        "m200": 10.0 ** np.asarray(rows["log_m200"], dtype=float),
        "group": np.asarray(rows["group"]),
    }


def haloes(folder: Path) -> dict[str, np.ndarray]:
    """``m_star``, ``m_dm_rhalf`` [Msun], ``r_half`` [kpc], ``v_max`` [km/s] and ``group`` of the central haloes."""
    with h5py.File(_there(folder, HALOES), "r") as file:
        halo, profile = file["Halo_data"], file["Profile_data"]
        m_star, r_half = 10.0 ** halo["Mstar"][:], halo["GalaxyHalfMassRadius"][:]
        radii, speed = profile["Velocity_radial_bins"][:], profile["Dark_matter_Circular_Velocity"][:]
        central = halo["StructureType"][:] == _CENTRAL
        v_max = halo["Vmax"][:]
    inside = np.array([np.interp(r, radii, v) for r, v in zip(r_half, speed.T, strict=True)]) ** 2 * r_half / G
    columns = {"m_star": m_star, "r_half": r_half, "m_dm_rhalf": inside, "v_max": v_max}
    return {name: values[central] for name, values in columns.items()} | {"group": np.arange(central.sum())}


def _there(folder: Path, name: str) -> Path:
    if not (folder / name).is_file():
        raise FetchError(
            f"{folder.name} has no {name}: give the folder that holds tng100_real and eagle of the mirror."
        )
    return folder / name
