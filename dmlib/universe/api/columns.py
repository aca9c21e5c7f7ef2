"""Columns of the group catalogue, fetched whole: one request a column, not one a galaxy."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ...errors import UniverseError
from ...manifest.download import Missing, Transient
from ...progress import bar
from ..checks import open_hdf5
from . import facts
from .cache import Cache, Held
from .client import Client, Gate, connections, in_parallel

#: Rows up to which a column is read in pieces and not as a whole.
_FEW = 2000

#: Bytes of a row of a catalogue column, where it is neither one number of 4 bytes nor one a particle type.
_WIDTH = {"SubhaloPos": 12, "SubhaloVel": 12, "GroupPos": 12, "SubhaloStellarPhotometrics": 32, "SubhaloFlag": 1}


class Columns:
    """The columns of one catalogue.

    Parameters
    ----------
    client : Client
    cache : Cache
    simulation : str
    snapshot : int
    told : dict
        What the server says of the snapshot, see `facts.load`.
    """

    def __init__(self, client: Client, cache: Cache, simulation: str, snapshot: int, told: dict[str, Any]):
        self.client, self.cache, self.simulation, self.snapshot = client, cache, simulation, snapshot
        self.facts = told

    def values(self, kind: str, field: str, rows: np.ndarray | None) -> np.ndarray:
        """A column as stored, or some rows of it; fetched first where it is not here."""
        held = self.held(kind, field)
        with open_hdf5(self.cache.path(held.name)) as handle:
            dataset = handle[f"{kind}/{field}"]
            if rows is None:
                return dataset[()]
            if rows.size > _FEW:
                return dataset[()][rows]
            unique, where = np.unique(rows, return_inverse=True)
            return dataset[unique][where] if unique.size else dataset[:0]

    def held(self, kind: str, field: str) -> Held:
        """A column of the catalogue, in the cache; fetched first where it is not.

        Raises
        ------
        UniverseError
            When the catalogue has no such field.
        """
        name = f"catalogue/{kind}_{field}.hdf5"
        held = self.cache.get(name)
        if held is None:
            self.fetch([(kind, field)])
            held = self.cache.get(name)
        return held

    def missing(self, columns: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Those of the columns, ``("Subhalo" | "Group", field)``, that are not in the cache yet."""
        return [(kind, field) for kind, field in columns if self.cache.get(f"catalogue/{kind}_{field}.hdf5") is None]

    def n_bytes(self, columns: Iterable[tuple[str, str]]) -> int:
        """Size of columns [bytes]; one of a width that is not known counts as plain numbers."""
        rows = {"Subhalo": int(self.facts["num_groups_subfind"]), "Group": int(self.facts["num_groups_fof"])}
        return sum(rows[kind] * (24 if field.endswith("Type") else _WIDTH.get(field, 4)) for kind, field in columns)

    def fetch(self, columns: Iterable[tuple[str, str]]) -> None:
        """Have columns of the catalogue in the cache, one request each, over several connections.

        Parameters
        ----------
        columns : iterable of (str, str)
            ``("Subhalo" | "Group", field)``.
        """
        wanted = self.missing(columns)
        if not wanted:
            return
        size = self.n_bytes(wanted)
        self.cache.require_space(size, self.simulation)
        facts.confirm(self)
        with bar(total=size, label=f"catalogue of {self.simulation}", unit="B") as progress:
            progress.unit_scale = True

            def one(column: tuple[str, str], gate: Gate) -> None:
                self._fetch_one(*column, gate, progress.update)

            failed = in_parallel(wanted, one, connections(), "the catalogue")
        if failed:
            raise failed[0][1]

    def _fetch_one(self, kind: str, field: str, gate: Gate, received) -> None:
        name, about = f"catalogue/{kind}_{field}.hdf5", f"{kind}/{field}"
        total = int(self.facts["num_groups_subfind" if kind == "Subhalo" else "num_groups_fof"])

        def check(path: Path) -> None:
            try:
                with h5py.File(path, "r") as handle:
                    found = handle[about].shape[0]
            except (OSError, KeyError, RuntimeError) as error:
                raise Transient("the file cannot be opened as HDF5, or lacks the column") from error
            if found != total:
                raise Transient(f"the column has {found} rows of {total}")

        with self.cache.locked(name):
            if self.cache.get(name) is not None:
                return
            try:
                seconds = self.client.file(
                    f"{self.simulation}/files/groupcat-{self.snapshot}/",
                    self.cache.path(name),
                    query={kind: field},
                    label=about,
                    check=check,
                    gate=gate,
                    received=received,
                )
            except Missing as error:
                raise UniverseError(
                    f"the catalogue at {self.client.host}/{self.simulation}/snapshots/{self.snapshot} has no field "
                    f"{about}: see the field tables of the TNG documentation."
                ) from error
            self.cache.add(name, about=about, seconds=seconds)
