"""SKIRT's file formats: text columns with units in their header, and stored tables.

Text columns follow SKIRT's ``TextInFile``: either no column is described or all are, in order, each by a line
``# column N: description (unit)``. A description has no parentheses of its own, and a pure number has the unit 1.

A stored table (``StoredTable.hpp``) is a sequence of items of 8 bytes: a tag, a tag of the byte order, the number of
axes, names, units and scales of the axes, each axis as its length and its values, the same for the quantities, the
values with the first axis running fastest, and an end tag.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...files import atomic_path
from .settings import SkirtError

_COLUMN = re.compile(r"#\s*column\s*(\d+)\s*:([^()]*)\(\s*([a-zA-Z0-9/]*)\s*\)\s*")
_TAG, _ORDER, _END = b"SKIRT X\n", 0x010203040A0BFEFF, b"STABEND\n"


@dataclass(frozen=True)
class Columns:
    """Text columns.

    Parameters
    ----------
    values : ndarray, shape (n, k)
    names, units : tuple of str, length k
    """

    values: np.ndarray
    names: tuple[str, ...]
    units: tuple[str, ...]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.values[:, self.names.index(name)]

    def __len__(self) -> int:
        return len(self.values)


def write_columns(path: Path, title: str, columns: Mapping[tuple[str, str], np.ndarray]) -> None:
    """Write text columns.

    Parameters
    ----------
    path : path
    title : str
        First line, a comment.
    columns : mapping
        Arrays of one length by ``(name, unit)``, in order; the unit as SKIRT spells it, ``1`` for a number.

    Raises
    ------
    SkirtError
        When a value is not finite: SKIRT would stop at it, or compute with it.
    """
    values = np.column_stack([np.asarray(column, dtype=float) for column in columns.values()])
    bad = ~np.isfinite(values).all(axis=0)
    if bad.any():
        name = list(columns)[int(np.argmax(bad))][0]
        raise SkirtError(f"{Path(path).name}: column '{name}' holds values that are not finite")
    head = [title, *(f"column {k}: {name} ({unit})" for k, (name, unit) in enumerate(columns, start=1))]
    with atomic_path(path) as temporary:
        np.savetxt(temporary, values, fmt="%.9e", header="\n".join(head), comments="# ")


def read_columns(path: Path) -> Columns:
    """Read text columns that describe themselves.

    Raises
    ------
    SkirtError
        When the columns are not described in order.
    """
    described = []
    with open(path, encoding="utf-8") as handle:
        for line in handle:
            if not line.startswith("#"):
                break
            if match := _COLUMN.fullmatch(line.strip()):
                described.append(match)
    if not described or [int(match[1]) for match in described] != list(range(1, len(described) + 1)):
        raise SkirtError(f"{Path(path).name} does not describe its columns in order: export the galaxy again")
    values = np.loadtxt(path, comments="#", ndmin=2).reshape(-1, len(described))
    return Columns(values, tuple(m[2].strip() for m in described), tuple(m[3] for m in described))


@dataclass(frozen=True)
class Axis:
    """One axis of a stored table.

    Parameters
    ----------
    name, unit : str
        At most 8 characters; units are SI.
    values : ndarray
        Strictly increasing.
    scale : {"log", "lin"}
        How SKIRT interpolates along it.
    """

    name: str
    unit: str
    values: np.ndarray
    scale: str = "log"


def _text(text: str) -> bytes:
    item = text.encode("ascii").ljust(8)
    if len(item) > 8:
        raise ValueError(f"'{text}' is longer than the 8 bytes of an item")
    return item


def write_stored_table(path: Path, axes: Sequence[Axis], quantity: tuple[str, str, str], values: np.ndarray) -> None:
    """Write a stored table of one quantity.

    Parameters
    ----------
    path : path
        Ends in ``.stab``.
    axes : sequence of Axis
    quantity : tuple of str
        Name, unit, scale.
    values : ndarray
        Its shape is the lengths of `axes`, in order.
    """
    values = np.asarray(values, dtype=float)
    if values.shape != tuple(len(axis.values) for axis in axes):
        raise ValueError(f"values of shape {values.shape} do not fit axes of {[len(axis.values) for axis in axes]}")
    for axis in axes:
        if len(axis.values) < 2 or not np.all(np.diff(axis.values) > 0):
            raise ValueError(f"axis {axis.name} must increase")
    items = [_TAG, np.uint64(_ORDER).astype("<u8").tobytes(), np.uint64(len(axes)).astype("<u8").tobytes()]
    for what in ("name", "unit", "scale"):
        items += [_text(getattr(axis, what)) for axis in axes]
    for axis in axes:
        items += [np.uint64(len(axis.values)).astype("<u8").tobytes(), np.asarray(axis.values, dtype="<f8").tobytes()]
    items += [np.uint64(1).astype("<u8").tobytes(), *(_text(text) for text in quantity)]
    # The first axis runs fastest: the order of Fortran.
    items += [values.astype("<f8").tobytes(order="F"), _END]
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"".join(items))
