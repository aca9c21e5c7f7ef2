"""Folders, headers and the marker of a TNG tree.

Headers follow real files of the public release. Its snapshot 99 is not exactly at redshift 0: `SNAPSHOT_TIME` and
`SNAPSHOT_REDSHIFT` are those of the real header.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from .fields import LENGTH_CM, MASS_G, N_TYPES, VELOCITY_CM_S
from .files import sha256, write_text
from .units import BOX_TNG100, HUBBLE, OMEGA_B, OMEGA_M

SNAPSHOT_TIME = 0.9999999999999998
SNAPSHOT_REDSHIFT = 2.220446049250313e-16

#: Attributes of an HDF5 group.
Attributes = dict[str, Any]


def program_version() -> str:
    """Version of mocktng, ``unknown`` where it is not installed."""
    try:
        return version("mocktng")
    except PackageNotFoundError:
        return "unknown"


@dataclass(frozen=True)
class Tree:
    """Paths of a simulation's files under one folder, as in the release.

    Parameters
    ----------
    root : Path
        The simulation's folder; illustris_python's ``basePath`` is `output`.
    snapshot : int
    """

    root: Path
    snapshot: int = 99

    @property
    def output(self) -> Path:
        """The ``basePath`` of illustris_python."""
        return self.root / "output"

    @property
    def offsets(self) -> Path:
        """Where the particles of each object begin."""
        return self.root / "postprocessing" / "offsets" / f"offsets_{self.snapshot:03d}.hdf5"

    @property
    def index(self) -> Path:
        """Virtual data sets over all chunks."""
        return self.root / "simulation.hdf5"

    @property
    def marker(self) -> Path:
        """Written last; names the universe and its files."""
        return self.root / "complete.json"

    def snapshot_chunk(self, j: int) -> Path:
        """Snapshot file `j`."""
        return self.output / f"snapdir_{self.snapshot:03d}" / f"snap_{self.snapshot:03d}.{j}.hdf5"

    def catalogue_chunk(self, i: int) -> Path:
        """Group-catalogue file `i`."""
        return self.output / f"groups_{self.snapshot:03d}" / f"fof_subhalo_tab_{self.snapshot:03d}.{i}.hdf5"

    # -- marker ----------------------------------------------------------------------------------------------------

    def write_marker(self, facts: dict[str, Any]) -> None:
        """Mark the tree as complete, with size and checksum of each file; the last act of writing it."""
        folders = (self.output, self.root / "postprocessing")
        paths = [self.index, *(path for folder in folders for path in folder.rglob("*.hdf5"))]
        files = {path.relative_to(self.root).as_posix(): (path.stat().st_size, sha256(path)) for path in sorted(paths)}
        marker = facts | {"bytes": sum(size for size, _ in files.values()), "files": files}
        write_text(self.marker, json.dumps(marker, indent=1) + "\n")

    def read_marker(self) -> dict[str, Any] | None:
        """Facts about the universe on disk; None where there is no complete one."""
        try:
            return json.loads(self.marker.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def is_whole(self, identity: str) -> bool:
        """Whether this is the complete universe of an identity, with every file of the right checksum."""
        marker = self.read_marker()
        if not marker or marker["identity"] != identity:
            return False
        files = ((self.root / name, size, checksum) for name, (size, checksum) in marker["files"].items())
        return all(p.is_file() and p.stat().st_size == size and sha256(p) == checksum for p, size, checksum in files)


def disclaimer(name: str, seed: int, physics: str) -> Attributes:
    """Attributes that distinguish a file of mocktng from one of TNG."""
    return {
        "SimulationName": name,
        "RunLabel": "mocktng",
        "NotTNG": "Equilibrium-like galaxies drawn by mocktng in the format of TNG; not a simulation run.",
        "mocktng_version": program_version(),
        "mocktng_seed": np.int64(seed),
        "mocktng_physics": physics,
    }


def common_header() -> Attributes:
    """Attributes that snapshot and catalogue headers share."""
    return {
        "Time": np.float64(SNAPSHOT_TIME),
        "Redshift": np.float64(SNAPSHOT_REDSHIFT),
        "HubbleParam": np.float64(HUBBLE),
        "BoxSize": np.float64(BOX_TNG100),
        "Omega0": np.float64(OMEGA_M),
        "OmegaLambda": np.float64(1.0 - OMEGA_M),
        "Git_commit": np.bytes_("none: written by mocktng"),
        "Git_date": np.bytes_("none"),
    }


def snapshot_header(counts: np.ndarray, totals: np.ndarray, n_files: int, m_dm_code: float) -> Attributes:
    """Header of one snapshot file.

    Parameters
    ----------
    counts, totals : ndarray of int, shape (6,)
        Particles in this file and in the whole snapshot.
    n_files : int
    m_dm_code : float
        Mass of a dark-matter particle [1e10 Msun/h].
    """
    totals = np.asarray(totals, dtype=np.uint64)
    mass_table = np.zeros(N_TYPES)
    mass_table[1] = m_dm_code
    flags = ("Sfr", "Cooling", "StellarAge", "Metals", "Feedback")
    return {
        **common_header(),
        "OmegaBaryon": np.float64(OMEGA_B),
        "MassTable": mass_table,
        "NumPart_ThisFile": np.asarray(counts, dtype=np.int32),
        "NumPart_Total": (totals & np.uint64(0xFFFFFFFF)).astype(np.uint32),
        "NumPart_Total_HighWord": (totals >> np.uint64(32)).astype(np.uint32),
        "NumFilesPerSnapshot": np.int32(n_files),
        **{f"Flag_{name}": np.int32(1) for name in flags},
        "Flag_DoublePrecision": np.int32(0),
        "Composition_vector_length": np.int32(0),
        "UnitLength_in_cm": np.float64(LENGTH_CM),
        "UnitMass_in_g": np.float64(MASS_G),
        "UnitVelocity_in_cm_per_s": np.float64(VELOCITY_CM_S),
    }


def catalogue_header(n_groups: int, n_subhalos: int, totals: tuple[int, int], n_files: int) -> Attributes:
    """Header of one group-catalogue file; `totals` are the groups and subhaloes of all files."""
    return {
        **common_header(),
        "Ngroups_ThisFile": np.int32(n_groups),
        "Nsubgroups_ThisFile": np.int32(n_subhalos),
        "Nids_ThisFile": np.int32(0),
        "Ngroups_Total": np.int32(totals[0]),
        "Nsubgroups_Total": np.int32(totals[1]),
        "Nids_Total": np.int64(0),
        "NumFiles": np.int32(n_files),
        "FlagDoubleprecision": np.int32(0),
    }


def parameter_attributes(m_dm_code: float, m_baryon_code: float) -> Attributes:
    """Attributes of the group ``Parameters``: run-time options, with the names of a TNG file where there is one."""
    header = common_header()
    return {
        **{name: header[name] for name in ("BoxSize", "HubbleParam", "Omega0", "OmegaLambda")},
        "OmegaBaryon": np.float64(OMEGA_B),
        "UnitLength_in_cm": np.float64(LENGTH_CM),
        "UnitMass_in_g": np.float64(MASS_G),
        "UnitVelocity_in_cm_per_s": np.float64(VELOCITY_CM_S),
        "ReferenceGasPartMass": np.float64(m_baryon_code),
        "mocktng_DarkMatterParticleMass": np.float64(m_dm_code),
    }
