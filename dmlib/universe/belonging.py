"""Whether the snapshot, the offsets and the group catalogue of a tree belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UniverseError
from ..sources import release_name
from ..units import PART_TYPE
from .hdf5 import open_hdf5

#: Attributes that the header of a snapshot file must have, and those that it must share with the catalogue.
SNAPSHOT_ATTRIBUTES = ("MassTable", "NumPart_ThisFile", "NumPart_Total", "NumFilesPerSnapshot")
SHARED_ATTRIBUTES = ("Time", "Redshift", "HubbleParam", "BoxSize", "Omega0", "OmegaLambda")

_OFFSETS = ("FileOffsets/SnapByType", "Group/SnapByType", "Subhalo/SnapByType")


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


def _total(header: Mapping[str, Any]) -> np.ndarray:
    """Particles of each type in a snapshot; the header has 32 bits of each number in one attribute."""
    low = np.asarray(header["NumPart_Total"], dtype=np.int64)
    return low + (np.asarray(header.get("NumPart_Total_HighWord", np.zeros(6)), dtype=np.int64) << 32)


def trouble_of_offsets(
    path: Path, rows: Mapping[str, int], groups: np.ndarray, length: np.ndarray, headers: Sequence[Mapping[str, Any]]
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
    headers : sequence of mapping
        Of the first and of the last file of the snapshot.

    Raises
    ------
    UniverseError
        When the file lacks a data set, stores it unsigned, or has other numbers of rows than the catalogue.
    """
    with open_hdf5(path) as handle:
        for name in _OFFSETS:
            if name not in handle:
                raise UniverseError(f"{path} has no dataset {name}: download the offsets file again.")
            if handle[name].dtype.kind == "u":
                # Differences of unsigned numbers wrap round, and the reader would pick the wrong chunk.
                raise UniverseError(f"{path} stores {name} unsigned: write it as 64-bit signed integers.")
        for kind, n_rows in rows.items():
            found = handle[f"{kind}/SnapByType"].shape[0]
            if found != n_rows:
                raise UniverseError(
                    f"{path} has offsets of {found} {kind} rows, the catalogue has {n_rows}: take both from the same "
                    "snapshot of the same run."
                )
        first = handle["FileOffsets/SnapByType"][()]
        start = handle["Group/SnapByType"][groups] if len(groups) else np.zeros((0, 6), np.int64)
    kinds, total = list(PART_TYPE.values()), _total(headers[0])
    by_offsets = first[-1] + np.asarray(headers[1]["NumPart_ThisFile"], dtype=np.int64)
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
    return ""
