"""One group of the embedded universe in memory: its galaxies can be observed without a tree on disk.

Small universes that are looked at once need not be written. The particles are those that a tree would hold, rounded as
there, and pass through the same interface.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import embedded
from ..errors import UniverseError
from ..units import PART_TYPE, CodeUnits
from .base import Header, Kind, Universe


class GroupUniverse(Universe):
    """A universe of which one FoF group can be read.

    Parameters
    ----------
    drawn : Population
        Of `dmlib.embedded`; numbers of groups and subhaloes are its rows.
    group_id : int
    stars_of : GroupUniverse, optional
        The same group of a population with other physics (`dmlib.embedded.vary`) whose stars and wind are taken, with
        their velocities: by default they are drawn anew, and differ as two draws from one distribution do.
    """

    def __init__(self, drawn: Any, group_id: int, stars_of: GroupUniverse | None = None):
        self.place = f"group {group_id} in memory"
        self.group_id, self.first = group_id, int(drawn.groups["first_sub"][group_id])
        self.drawn, self._rows = drawn, dict[int, dict[str, np.ndarray]]()
        self.stored, lengths = embedded.group_in_memory(drawn, group_id, stars=stars_of is None)
        if stars_of is not None:
            number = PART_TYPE["stars"]
            lengths[:, number] = np.diff(stars_of.ends[:, number])
            if number in stars_of.stored:
                # The deepest particle is the centre; the potential that these stars have is not that of this group.
                stars = stars_of.stored[number]
                self.stored[number] = stars | {"Potential": np.zeros_like(stars["Potential"])}
        self.ends: np.ndarray = np.concatenate([np.zeros((1, lengths.shape[1]), int), np.cumsum(lengths, axis=0)])
        self.header = Header(
            simulation="embedded",
            snapshot=99,
            redshift=0.0,
            units=CodeUnits(),
            m_dm=float(drawn.m_dm),
            n_groups=len(drawn.groups),
            n_subhalos=len(drawn.subhalos),
            identity=f"{drawn.seed} {drawn.physics} {drawn.m_dm:g} {drawn.m_baryon:g}",
        )

    def _columns(self, kind: Kind, fields: list[str], rows: np.ndarray | None) -> dict[str, np.ndarray]:
        if kind != "Subhalo" or rows is None:
            raise UniverseError(f"{self.place} has rows of its own subhaloes only.")
        found = [self._row(self._place_of(int(row))) for row in rows]
        return {name: np.stack([row[name] for row in found]) for name in fields}

    def _row(self, k: int) -> dict[str, np.ndarray]:
        """What is needed of the catalogue's row of the k-th subhalo; it is measured once."""
        if k not in self._rows:
            own = {number: self._slice(k, number, list(arrays)) for number, arrays in self.stored.items()}
            row = embedded.locate(self.drawn, self.group_id, own)
            self._rows[k] = row | {"SubhaloGrNr": np.array(self.group_id, dtype=np.int32)}
        return self._rows[k]

    def _slice(self, k: int, number: int, fields: list[str]) -> dict[str, np.ndarray]:
        part = slice(self.ends[k, number], self.ends[k + 1, number])
        return {name: self.stored[number][name][part] for name in fields}

    def _particles(
        self, kind: Kind, object_id: int, part_type: str, fields: list[str]
    ) -> tuple[int, dict[str, np.ndarray]]:
        number = PART_TYPE[part_type]
        arrays = self.stored.get(number, {})
        if kind == "Group":
            if object_id != self.group_id:
                raise UniverseError(f"{self.place} has no particles of group {object_id}.")
            part = slice(None)
        else:
            k = self._place_of(object_id)
            part = slice(self.ends[k, number], self.ends[k + 1, number])
        count = len(arrays["ParticleIDs"][part]) if arrays else 0
        return count, {name: arrays[name][part] for name in fields} if count else {}

    def _place_of(self, subhalo_id: int) -> int:
        k = subhalo_id - self.first
        if not 0 <= k < len(self.ends) - 1:
            raise UniverseError(f"{self.place} has no subhalo {subhalo_id}.")
        return k
