"""HDF5 files of a TNG tree: snapshot and catalogue chunks, offsets, and the index of virtual data sets.

Files are identical bytes each time: data sets carry no time stamps, and nothing depends on the order of writing.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from isal import isal_zlib

from .fields import GROUP_FIELDS, N_TYPES, PARTICLE_FIELDS, SUBHALO_FIELDS, Field
from .files import atomic_path
from .layout import Attributes, Tree, catalogue_header, common_header, snapshot_header

_PACKING: dict[str, Any] = {"shuffle": True, "compression": "gzip", "compression_opts": 1}
_SHRINK = 0.65  # bytes of one significance are compressed where those of the first chunk shrink to this share
_ROWS = 16384  # rows of an HDF5 chunk, which a reader of one galaxy decompresses at least


def _write_common(file: h5py.File, header: Attributes, identity: Attributes, parameters: Attributes) -> None:
    file.create_group("Header").attrs.update({**header, **identity})
    # Compile-time options that the layout of the files reflects.
    options = ("MOCKTNG", "LONGIDS", "OUTPUT_COORDINATES_IN_DOUBLEPRECISION", "GFM")
    file.create_group("Config").attrs.update(dict.fromkeys(options, np.bytes_("")))
    file.create_group("Parameters").attrs.update({**parameters, **identity})


def _write_field(group: h5py.Group, field: Field, values: np.ndarray | None, n: int) -> None:
    """Write one data set; a constant one is not allocated on disk, and readers get its fill value."""
    shape = field.shape(n)
    chunks = (min(max(n, 1), _ROWS), *shape[1:])
    if values is None:
        dataset = group.create_dataset(field.name, shape, field.dtype, chunks=chunks, fillvalue=field.constant)
        dataset.attrs["not_modelled"] = "constant value, without physics in mocktng"
    else:
        dataset = group.create_dataset(field.name, shape, field.dtype, chunks=chunks, **_PACKING)
        _pack(dataset, np.ascontiguousarray(values, dtype=field.dtype))
    dataset.attrs.update({name: np.float64(value) for name, value in field.units._asdict().items()})
    dataset.attrs["precision"] = field.precision


def _pack(dataset: h5py.Dataset, values: np.ndarray) -> None:
    """Write a data set for HDF5's own filters of `_PACKING`, with a compressor that takes a fifth of the time.

    The shuffle filter puts the bytes of one significance together. Those of a mantissa shrink by little and take most
    of the time of reading, so they are stored as they are: files of the same size are read in four fifths of the time.
    """
    rows, itemsize = dataset.chunks[0], values.dtype.itemsize
    runs: list[tuple[int, int, bool]] = []
    for start in range(0, len(values), rows):
        piece = np.zeros((rows, *values.shape[1:]), values.dtype)  # HDF5 stores whole chunks
        piece[: len(values) - start] = values[start : start + rows]
        shuffled = np.ascontiguousarray(piece.view(np.uint8).reshape(-1, itemsize).T)
        runs = runs or _runs([len(isal_zlib.compress(plane, 1)) <= _SHRINK * plane.nbytes for plane in shuffled])
        packed = _deflate([(shuffled[first:end].tobytes(), shrink) for first, end, shrink in runs])
        dataset.id.write_direct_chunk((start,) + (0,) * (values.ndim - 1), packed)


def _runs(flags: Sequence[bool]) -> list[tuple[int, int, bool]]:
    """Begin, end and value of the runs of equal flags."""
    edges = [i for i in range(len(flags)) if i == 0 or flags[i] != flags[i - 1]]
    return [(first, end, flags[first]) for first, end in zip(edges, [*edges[1:], len(flags)], strict=True)]


def _deflate(parts: Sequence[tuple[bytes, bool]]) -> bytes:
    """A zlib stream (RFC 1950) of some bytes, of which those flagged are compressed and the others stored."""
    out, check = [b"\x78\x01"], 1
    for content, shrink in parts:
        check = isal_zlib.adler32(content, check)
        if shrink:
            packer = isal_zlib.compressobj(_PACKING["compression_opts"], isal_zlib.DEFLATED, -15)
            out += [packer.compress(content), packer.flush(isal_zlib.Z_FULL_FLUSH)]
            continue
        for start in range(0, len(content), 65535):  # the longest stored block (RFC 1951, 3.2.4)
            block = content[start : start + 65535]
            out += [struct.pack("<BHH", 0, len(block), len(block) ^ 0xFFFF), block]
    return b"".join([*out, struct.pack("<BHH", 1, 0, 0xFFFF), struct.pack(">I", check)])


def write_snapshot_chunk(
    path: Path,
    particles: dict[int, dict[str, np.ndarray]],
    n_files: int,
    m_dm_code: float,
    identity: Attributes,
    parameters: Attributes,
) -> np.ndarray:
    """Write one snapshot file; `stamp_totals` completes its header later.

    Parameters
    ----------
    path : Path
    particles : dict
        Part type -> data sets by TNG name. A type without particles has no group.
    n_files : int
        Number of snapshot files of the tree.
    m_dm_code : float
        [1e10 Msun/h]
    identity, parameters : dict
        Further attributes.

    Returns
    -------
    ndarray of int, shape (6,)
        Particles in the file.
    """
    counts = np.zeros(N_TYPES, dtype=np.int64)
    for part_type, fields in particles.items():
        counts[part_type] = len(fields["Coordinates"])
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        header = snapshot_header(counts, np.zeros(N_TYPES), n_files, m_dm_code)
        _write_common(file, header, identity, parameters)
        for part_type in sorted(particles):
            if not counts[part_type]:
                continue
            group = file.create_group(f"PartType{part_type}")
            for field in PARTICLE_FIELDS[part_type]:
                _write_field(group, field, particles[part_type].get(field.name), int(counts[part_type]))
    return counts


def stamp_totals(path: Path, totals: np.ndarray) -> None:
    """Write the particle numbers of the whole snapshot into the header of one file."""
    header = snapshot_header(np.zeros(N_TYPES), totals, 0, 0.0)
    with h5py.File(path, "r+") as file:
        for name in ("NumPart_Total", "NumPart_Total_HighWord"):
            file["Header"].attrs.modify(name, header[name])


def catalogue_edges(n_groups: int) -> np.ndarray:
    """First group of each catalogue file, and the end, for at least two files of uneven size."""
    n_files = int(np.clip(n_groups // 60, 2, 16))
    edges = np.round(n_groups * (np.arange(n_files + 1) / n_files) ** 1.5).astype(int)
    edges[-1] = n_groups
    return edges


def write_catalogue(
    tree: Tree,
    groups: dict[str, np.ndarray],
    subhalos: dict[str, np.ndarray],
    identity: Attributes,
    parameters: Attributes,
) -> tuple[np.ndarray, np.ndarray]:
    """Write all group-catalogue files.

    Parameters
    ----------
    tree : Tree
    groups, subhalos : dict of ndarray
        All rows of `GROUP_FIELDS` and `SUBHALO_FIELDS`, in order.
    identity, parameters : dict
        Further attributes.

    Returns
    -------
    first_group, first_subhalo : ndarray of int64
        First row of each file.
    """
    n_groups, n_subhalos = len(groups["GroupLen"]), len(subhalos["SubhaloLen"])
    group_edges = catalogue_edges(n_groups)
    subhalo_edges = np.concatenate([[0], np.cumsum(groups["GroupNsubs"])])[group_edges]
    n_files = len(group_edges) - 1
    for i in range(n_files):
        span = {"Group": slice(*group_edges[i : i + 2]), "Subhalo": slice(*subhalo_edges[i : i + 2])}
        sizes = [part.stop - part.start for part in span.values()]
        with atomic_path(tree.catalogue_chunk(i)) as temporary, h5py.File(temporary, "w") as file:
            header = catalogue_header(int(sizes[0]), int(sizes[1]), (n_groups, n_subhalos), n_files)
            _write_common(file, header, identity, parameters)
            for kind, fields, rows in (("Group", GROUP_FIELDS, groups), ("Subhalo", SUBHALO_FIELDS, subhalos)):
                node = file.create_group(kind)
                for name, (dtype, _) in fields.items():
                    node.create_dataset(name, data=rows[name][span[kind]], dtype=dtype)
    return group_edges[:-1].astype(np.int64), subhalo_edges[:-1].astype(np.int64)


def object_offsets(groups: dict[str, np.ndarray], subhalos: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """First particle of each group and subhalo by type.

    Subhaloes restart at their group's offset, because every group ends with particles that belong to no subhalo.

    Returns
    -------
    group, subhalo : ndarray of int64, shapes (n_groups, 6), (n_subhalos, 6)
    """
    lengths = groups["GroupLenType"].astype(np.int64)
    group_offsets = np.cumsum(lengths, axis=0) - lengths
    inside = subhalos["SubhaloLenType"].astype(np.int64)
    running = np.cumsum(inside, axis=0) - inside
    first = np.cumsum(groups["GroupNsubs"]) - groups["GroupNsubs"]
    owner = subhalos["SubhaloGrNr"]
    start = (
        running[np.minimum(first, max(len(running) - 1, 0))] if len(running) else np.zeros((len(first), N_TYPES), int)
    )
    return group_offsets, group_offsets[owner] + running - start[owner]


def write_offsets(
    tree: Tree, file_offsets: dict[str, np.ndarray], group_offsets: np.ndarray, subhalo_offsets: np.ndarray
) -> None:
    """Write the offsets file; all numbers are 64-bit signed (unsigned ones break illustris_python).

    Parameters
    ----------
    file_offsets : dict
        ``Group``, ``Subhalo`` (files,) and ``SnapByType`` (snapshot files, 6).
    group_offsets, subhalo_offsets : ndarray
        From `object_offsets`.
    """
    n = len(subhalo_offsets)
    none = np.full(n, -1, dtype=np.int64)
    with atomic_path(tree.offsets) as temporary, h5py.File(temporary, "w") as file:
        offsets = {f"FileOffsets/{name}": values for name, values in file_offsets.items()}
        offsets |= {"Group/SnapByType": group_offsets, "Subhalo/SnapByType": subhalo_offsets}
        for name, values in offsets.items():
            file.create_dataset(name, data=np.asarray(values, dtype=np.int64))
        # No merger trees: every row is -1, as for subhaloes of the release that are in no tree.
        for tree_name, columns in {
            "SubLink": ("RowNum", "LastProgenitorID", "SubhaloID"),
            "LHaloTree": ("File", "Index", "Num"),
        }.items():
            for column in columns:
                file.create_dataset(f"Subhalo/{tree_name}/{column}", data=none)


def write_index(tree: Tree, chunk_counts: np.ndarray, n_catalogue_files: int, identity: Attributes) -> None:
    """Write ``simulation.hdf5``: virtual data sets of the whole snapshot and catalogue that refer to the chunk files.

    Parameters
    ----------
    tree : Tree
    chunk_counts : ndarray, shape (files, 6)
        Particles in each snapshot file.
    n_catalogue_files : int
    identity : dict
        Further attributes.
    """
    number = f"{tree.snapshot}"
    counts = chunk_counts.astype(np.int64)
    with atomic_path(tree.index) as temporary, h5py.File(temporary, "w") as file:
        _write_common(file, common_header(), identity, {})
        file.create_group(f"Snapshots/{number}/Header").attrs.update({"NumPart_Total": counts.sum(axis=0)})
        for part_type, fields in PARTICLE_FIELDS.items():
            sources = [(tree.snapshot_chunk(j), int(n[part_type])) for j, n in enumerate(counts) if n[part_type]]
            for field in fields:
                path = f"PartType{part_type}/{field.name}"
                _virtual(file, tree, f"Snapshots/{number}/{path}", path, sources, field.shape(0)[1:], field.dtype)
        sizes: dict[str, list[int]] = {"Group": [], "Subhalo": []}
        for i in range(n_catalogue_files):
            with h5py.File(tree.catalogue_chunk(i), "r") as chunk:
                sizes["Group"].append(int(chunk["Header"].attrs["Ngroups_ThisFile"]))
                sizes["Subhalo"].append(int(chunk["Header"].attrs["Nsubgroups_ThisFile"]))
        totals = {"Ngroups_Total": sum(sizes["Group"]), "Nsubgroups_Total": sum(sizes["Subhalo"])}
        file.create_group(f"Groups/{number}/Header").attrs.update(totals)
        for kind, columns_of in (("Group", GROUP_FIELDS), ("Subhalo", SUBHALO_FIELDS)):
            sources = [(tree.catalogue_chunk(i), n) for i, n in enumerate(sizes[kind]) if n]
            for name, (dtype, columns) in columns_of.items():
                trailing = () if columns == 1 else (columns,)
                path = f"{kind}/{name}"
                _virtual(file, tree, f"Groups/{number}/{path}", path, sources, trailing, dtype)
            offsets = [(tree.offsets, sum(sizes[kind]))]
            path = f"{kind}/SnapByType"
            _virtual(file, tree, f"Offsets/{number}/{path}", path, offsets, (N_TYPES,), "i8")


def _virtual(
    file: h5py.File,
    tree: Tree,
    name: str,
    path: str,
    sources: Sequence[tuple[Path, int]],
    trailing: tuple[int, ...],
    dtype: str,
) -> None:
    layout = h5py.VirtualLayout(shape=(sum(n for _, n in sources), *trailing), dtype=dtype)
    layout.dcpl.set_obj_track_times(False)  # with time stamps no two files would be identical
    start = 0
    for source, n in sources:
        relative = source.relative_to(tree.root).as_posix()
        layout[start : start + n] = h5py.VirtualSource(relative, path, shape=(n, *trailing), dtype=dtype)
        start += n
    file.create_virtual_dataset(name, layout)
