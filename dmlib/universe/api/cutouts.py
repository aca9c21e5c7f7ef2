"""Cutouts: the particles of one FoF group or one subhalo in one HDF5 file, with the fields that are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from ...manifest.download import Transient
from ...units import PART_TYPE, wrap
from ..fields import VECTOR_LENGTH

#: What the targets, the images and the HI maps read, and so what is asked for at once. Whatever else a notebook wants
#: of one galaxy is fetched for that galaxy.
BASE_FIELDS: dict[str, tuple[str, ...]] = {
    "dm": ("Coordinates",),
    "gas": (
        *("Coordinates", "Density", "ElectronAbundance", "GFM_Metallicity", "GFM_Metals", "InternalEnergy", "Masses"),
        *("NeutralHydrogenAbundance", "StarFormationRate", "Velocities"),
    ),
    "stars": (
        *("Coordinates", "GFM_InitialMass", "GFM_Metallicity", "GFM_StellarFormationTime", "GFM_StellarPhotometrics"),
        *("Masses", "StellarHsml", "Velocities"),
    ),
}

#: Names of the particle types in a request, by those of dmlib.
API_TYPE = {"gas": "gas", "dm": "dm", "stars": "stars", "bh": "bhs"}

#: Bytes of a file that are not particles.
OVERHEAD = 20_000

Fields = Mapping[str, tuple[str, ...]]


def query(fields: Fields) -> dict[str, str]:
    """Query of a request for particle types and their fields: ``dm=Coordinates&gas=Coordinates,Density``."""
    return {API_TYPE[kind]: ",".join(sorted(names)) for kind, names in sorted(fields.items()) if names}


def bytes_per_particle(fields: Fields) -> np.ndarray:
    """Size of a particle of each type in a cutout, shape (6,) [bytes]: what full snapshots store."""
    size = np.zeros(6)
    for kind, names in fields.items():
        for name in names:
            # Coordinates are of double precision in full snapshots, identities are 64 bits, all else 32.
            width = 8 if name in ("Coordinates", "ParticleIDs") else 4
            size[PART_TYPE[kind]] += width * VECTOR_LENGTH.get(name, 1)
    return size


def file_name(about: str, fields: Fields) -> str:
    """Name of a cutout in the cache: ``cutouts/halo_12.hdf5``, with a mark where the fields are not the usual ones."""
    bare = about.replace(" ", "_")
    if all(tuple(BASE_FIELDS.get(kind, ())) == tuple(names) for kind, names in fields.items()):
        mark = "" if set(fields) == set(BASE_FIELDS) else "+" + "+".join(sorted(fields))
    else:
        mark = "+" + hashlib.sha256(repr(sorted(query(fields).items())).encode()).hexdigest()[:8]
    return f"cutouts/{bare}{mark}.hdf5"


def half_mass_radius(positions: np.ndarray, centre: np.ndarray, box: float) -> float:
    """Radius that holds half of equal particles about a centre, the periodic wrap undone; in the positions' unit."""
    return float(np.median(np.linalg.norm(wrap(positions - centre, box), axis=1)))


def scalar(value: object) -> object:
    """An attribute's value; the server writes some as arrays of one element, and texts as bytes."""
    value = np.asarray(value).ravel()[0]
    return value.decode() if isinstance(value, bytes) else value


def header_of(path: Path) -> dict[str, object]:
    """Attributes of a cutout's header; scalars as scalars."""
    with h5py.File(path, "r") as handle:
        attributes = dict(handle["Header"].attrs)
    return {
        name: np.asarray(value) if np.size(value) > 1 else scalar(value)
        for name, value in attributes.items()
        if np.size(value)
    }


def check(path: Path, fields: Fields, counts: np.ndarray | None, about: str, snapshot: int) -> None:
    """See that a cutout opens, and holds what was asked for, all of it.

    Parameters
    ----------
    path : Path
    fields : mapping
        What was asked for.
    counts : ndarray of int, shape (6,), optional
        Particles of each type that the catalogue says the object has.
    about : str
        The object, for messages.
    snapshot : int

    Raises
    ------
    Transient
        When it does not: cutouts that come cut off or empty are known, and come whole another time.
    """
    try:
        with h5py.File(path, "r") as handle:
            said = np.asarray(handle["Header"].attrs["NumPart_ThisFile"])
            number = scalar(handle["Header"].attrs.get("SnapshotNumber", snapshot))
            if int(number) != snapshot:
                raise Transient(f"the file is of snapshot {number}")
            for kind, names in fields.items():
                part = PART_TYPE[kind]
                expected = int(said[part] if counts is None else counts[part])
                for name in names:
                    dataset = handle.get(f"PartType{part}/{name}")
                    if dataset is None and expected:
                        raise Transient(f"the file of {about} has no {name} of the {kind}")
                    if dataset is not None and dataset.shape[0] != expected:
                        raise Transient(
                            f"the file of {about} has {dataset.shape[0]} {kind} particles of {expected} ({name})"
                        )
    except (OSError, KeyError, RuntimeError) as error:
        raise Transient("the file cannot be opened as HDF5") from error
