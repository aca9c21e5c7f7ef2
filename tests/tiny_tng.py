"""A tiny tree in the TNG format, written from arrays, so that the readers are tested on a known catalogue.

It shares no code with the writer of the embedded universe: a mistake common to that writer and the reader shows here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

H = 0.6774
BOX = 75000.0
M_DM = 0.000505574296436975  # TNG100-1 [1e10 Msun/h]


@dataclass
class TinySubhalo:
    """Particles in code units: ``particles[part number][field]``; the catalogue is measured from them."""

    position: np.ndarray
    particles: dict[int, dict[str, np.ndarray]]
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(3))
    sfr: float = 1.0
    parent: int = 0
    flag: bool = True


@dataclass
class TinyGroup:
    """Subhaloes in catalogue order, then the fuzz."""

    subhalos: list[TinySubhalo]
    fuzz: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)


def dm(position: np.ndarray, velocity: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Fields of dark-matter particles at absolute positions [ckpc/h]."""
    velocity = np.zeros_like(position) if velocity is None else velocity
    return {"Coordinates": position % BOX, "Velocities": velocity.astype("f4")}


def stars(position: np.ndarray, mass: np.ndarray, velocity: np.ndarray | None = None, wind: int = 0) -> dict:
    """Fields of stars; the last `wind` rows are wind particles."""
    formed = np.full(len(mass), 0.8, "f4")
    if wind:
        formed[-wind:] = -0.1
    return {**dm(position, velocity), "Masses": mass.astype("f4"), "GFM_StellarFormationTime": formed}


def gas(position: np.ndarray, mass: np.ndarray, velocity: np.ndarray | None = None) -> dict:
    """Fields of gas cells."""
    return {
        **dm(position, velocity),
        "Masses": mass.astype("f4"),
        "Density": np.full(len(mass), 1e-6, "f4"),
        "GFM_Metals": np.tile(np.linspace(0.1, 1, 10).astype("f4"), (len(mass), 1)),
    }


def _masses(number: int, fields: dict) -> np.ndarray:
    return np.full(len(fields["Coordinates"]), M_DM) if number == 1 else fields["Masses"].astype(float)


def _subhalo_row(subhalo: TinySubhalo, group: int) -> dict:
    row = {name: np.zeros(6, "f4") for name in ("MassType", "MassInRadType", "HalfmassRadType")}
    length = np.zeros(6, "i4")
    radii, masses, kinds = [], [], []
    for number, fields in subhalo.particles.items():
        offset = fields["Coordinates"] - subhalo.position
        offset -= BOX * np.round(offset / BOX)
        mass = _masses(number, fields)
        kind = np.full(len(mass), number)
        if number == 4:
            kind[fields["GFM_StellarFormationTime"] <= 0] = 0
        length[number] = len(mass)
        radii.append(np.linalg.norm(offset, axis=1))
        masses.append(mass)
        kinds.append(kind)
    radii, masses, kinds = (np.concatenate(parts) for parts in (radii, masses, kinds))
    for number in range(6):
        here = kinds == number
        row["MassType"][number] = masses[here].sum()
        if here.any():
            order = np.argsort(radii[here])
            half = np.searchsorted(np.cumsum(masses[here][order]), 0.5 * masses[here].sum())
            row["HalfmassRadType"][number] = radii[here][order][min(half, here.sum() - 1)]
    for number in range(6):
        inside = (kinds == number) & (radii <= 2 * row["HalfmassRadType"][4])
        row["MassInRadType"][number] = masses[inside].sum()
    return {
        **{f"Subhalo{name}": value for name, value in row.items()},
        "SubhaloLenType": length,
        "SubhaloPos": np.asarray(subhalo.position, "f4"),
        "SubhaloVel": np.asarray(subhalo.velocity, "f4"),
        "SubhaloSFR": np.float32(subhalo.sfr),
        "SubhaloParent": np.int32(subhalo.parent),
        "SubhaloFlag": np.bool_(subhalo.flag),
        "SubhaloGrNr": np.int32(group),
        "SubhaloVmax": np.float32(100.0),
        "SubhaloVmaxRad": np.float32(10.0),
        "SubhaloStellarPhotometrics": np.full(8, 3.4e38 if length[4] == 0 else -20.0, "f4"),
    }


def write_tree(
    root: Path,
    groups: list[TinyGroup],
    *,
    catalogue_chunks: int = 2,
    snapshot_chunks: int = 2,
    header: dict | None = None,
    unsigned_first_sub: bool = False,
) -> Path:
    """Write the tree; gives the ``output`` folder."""
    output = root / "output"
    (output / "groups_099").mkdir(parents=True)
    (output / "snapdir_099").mkdir()
    (root / "postprocessing" / "offsets").mkdir(parents=True)

    subhalo_rows, group_rows, lengths = [], [], []
    pieces: dict[int, list[dict]] = {}
    subhalo_offsets, group_offsets, cursor = [], [], np.zeros(6, np.int64)
    for number, group in enumerate(groups):
        group_offsets.append(cursor.copy())
        first = len(subhalo_rows) if group.subhalos else -1
        for subhalo in group.subhalos:
            subhalo_offsets.append(cursor.copy())
            row = _subhalo_row(subhalo, number)
            subhalo_rows.append(row)
            cursor = cursor + row["SubhaloLenType"]
            for kind, fields in subhalo.particles.items():
                pieces.setdefault(kind, []).append(fields)
        for kind, fields in group.fuzz.items():
            cursor[kind] += len(fields["Coordinates"])
            pieces.setdefault(kind, []).append(fields)
        position = group.subhalos[0].position if group.subhalos else np.zeros(3)
        lengths.append(cursor - group_offsets[-1])
        first_sub = np.uint32(first & 0xFFFFFFFF) if unsigned_first_sub else np.int32(first)
        group_rows.append(
            {
                "GroupFirstSub": first_sub,
                "GroupLenType": lengths[-1].astype("i4"),
                "GroupPos": np.asarray(position, "f4"),
                "GroupVel": np.ones(3, "f4"),
                "GroupMass": np.float32(100.0),
                "GroupMassType": np.zeros(6, "f4"),
                "Group_M_Crit200": np.float32(80.0),
                "Group_R_Crit200": np.float32(150.0),
            }
        )

    common = {"BoxSize": BOX, "HubbleParam": H, "Omega0": 0.3089, "OmegaLambda": 0.6911, "Time": 1.0, "Redshift": 0.0}
    common.update(header or {})
    groups_in = np.array_split(np.arange(len(group_rows)), catalogue_chunks)
    subhalos_in = np.array_split(np.arange(len(subhalo_rows)), catalogue_chunks)
    for i, (some_groups, some_subhalos) in enumerate(zip(groups_in, subhalos_in, strict=True)):
        with h5py.File(output / "groups_099" / f"fof_subhalo_tab_099.{i}.hdf5", "w") as handle:
            handle.create_group("Header").attrs.update(
                {
                    **common,
                    "Ngroups_ThisFile": np.int32(len(some_groups)),
                    "Nsubgroups_ThisFile": np.int32(len(some_subhalos)),
                    "Ngroups_Total": np.int32(len(group_rows)),
                    "Nsubgroups_Total": np.int32(len(subhalo_rows)),
                    "NumFiles": np.int32(catalogue_chunks),
                }
            )
            _table(handle.create_group("Group"), [group_rows[k] for k in some_groups])
            _table(handle.create_group("Subhalo"), [subhalo_rows[k] for k in some_subhalos])

    joined = {
        kind: {name: np.concatenate([piece[name] for piece in parts]) for name in parts[0]}
        for kind, parts in pieces.items()
    }
    totals = np.array([len(joined[k]["Coordinates"]) if k in joined else 0 for k in range(6)])
    # Each type is cut into equal parts of its own, so that objects span files.
    starts = np.zeros((snapshot_chunks, 6), np.int64)
    for j in range(snapshot_chunks):
        with h5py.File(output / "snapdir_099" / f"snap_099.{j}.hdf5", "w") as handle:
            here = np.zeros(6, np.int32)
            for kind, fields in joined.items():
                low, high = (int(totals[kind] * (j + k) / snapshot_chunks) for k in (0, 1))
                starts[j, kind], here[kind] = low, high - low
                if high > low:
                    part = handle.create_group(f"PartType{kind}")
                    for name, values in fields.items():
                        part[name] = values[low:high]
            handle.create_group("Header").attrs.update(
                {
                    **common,
                    "MassTable": np.array([0, M_DM, 0, 0, 0, 0]),
                    "NumPart_ThisFile": here,
                    "NumPart_Total": totals.astype(np.uint32),
                    "NumPart_Total_HighWord": np.zeros(6, np.uint32),
                    "NumFilesPerSnapshot": np.int32(snapshot_chunks),
                }
            )
    with h5py.File(root / "postprocessing" / "offsets" / "offsets_099.hdf5", "w") as handle:
        handle["FileOffsets/Group"] = _firsts(groups_in)
        handle["FileOffsets/Subhalo"] = _firsts(subhalos_in)
        handle["FileOffsets/SnapByType"] = starts
        handle["Group/SnapByType"] = np.array(group_offsets, np.int64)
        handle["Subhalo/SnapByType"] = np.array(subhalo_offsets, np.int64).reshape(-1, 6)
    return output


def _table(handle: h5py.Group, rows: list[dict]) -> None:
    for name in rows[0] if rows else ():
        handle[name] = np.array([row[name] for row in rows])


def _firsts(parts: list[np.ndarray]) -> np.ndarray:
    """Index of the first row of each chunk; an empty chunk begins where the next one does."""
    return np.concatenate([[0], np.cumsum([len(part) for part in parts])])[:-1].astype(np.int64)


def toy_groups(seed: int = 1) -> list[TinyGroup]:
    """Three groups: one with two satellites across the box corner, one without gas, one without any subhalo.

    Subhalo 0 (central, 3,000 dark-matter particles), 1 (satellite with gas), 2 (satellite, SubhaloFlag false),
    3 (central without gas and without star formation).
    """
    rng = np.random.default_rng(seed)

    def cloud(n: int, centre, size: float) -> np.ndarray:
        return np.asarray(centre) + rng.normal(0, size, (n, 3))

    corner, away = np.array([10.0, 74990.0, 40000.0]), np.array([20000.0, 30000.0, 40000.0])
    east, south = corner + np.array([60.0, 0.0, 0.0]), corner - np.array([0.0, 50.0, 0.0])
    heavy = 2.0 / 400  # 400 stars of 2e10 Msun/h in all
    first = TinyGroup(
        [
            TinySubhalo(
                corner,
                {
                    0: gas(cloud(300, corner, 20.0), np.full(300, 1e-3), rng.normal(0, 50, (300, 3))),
                    1: dm(cloud(3000, corner, 30.0), rng.normal(0, 100, (3000, 3))),
                    4: stars(cloud(420, corner, 4.0), np.full(420, heavy), rng.normal(0, 80, (420, 3)), wind=20),
                },
                velocity=np.array([30.0, -20.0, 10.0]),
            ),
            TinySubhalo(
                east % BOX,
                {
                    0: gas(cloud(50, east, 5.0), np.full(50, 1e-3)),
                    1: dm(cloud(400, east, 5.0)),
                    4: stars(cloud(400, east, 3.0), np.full(400, heavy)),
                },
            ),
            TinySubhalo(
                south % BOX,
                {1: dm(cloud(30, south, 2.0)), 4: stars(cloud(400, corner, 3.0), np.full(400, heavy))},
                flag=False,
            ),
        ],
        fuzz={1: dm(cloud(200, corner, 80.0))},
    )
    second = TinyGroup(
        [
            TinySubhalo(
                away,
                {1: dm(cloud(2000, away, 30.0)), 4: stars(cloud(400, away, 4.0), np.full(400, heavy))},
                sfr=0.0,
            )
        ]
    )
    third = TinyGroup([], fuzz={1: dm(cloud(40, away + 5000.0, 10.0))})
    return [first, second, third]
