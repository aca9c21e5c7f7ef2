"""The interface through which galaxies are read from any universe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from astropy import units as u
from astropy.table import QTable

from ..errors import UniverseError
from ..sources import simulation_label
from ..units import PART_TYPE, CodeUnits, wrap
from .release import VECTOR_LENGTH, check_run, particle_factor, physical_column

Scope = Literal["group", "subhalo"]

#: Particles that a half-mass radius needs to identify a subhalo.
HALF_MASS_PARTICLES = 100

#: Tables of the group catalogue, as the TNG files name them.
Kind = Literal["Group", "Subhalo"]


@dataclass(frozen=True)
class Header:
    """What a simulation says of itself.

    Parameters
    ----------
    simulation : str
        Name, for example ``TNG100-1`` or ``embedded-quick``.
    snapshot : int
    redshift : float
    units : CodeUnits
        Conversions for this snapshot.
    m_dm : float
        Mass of a dark-matter particle [Msun]; NaN where there are catalogues only.
    n_groups, n_subhalos : int
    identity : str
        Fingerprint of the catalogue's content, which goes into every product made from it; equal ones mean equal
        galaxies.
    """

    simulation: str
    snapshot: int
    redshift: float
    units: CodeUnits
    m_dm: float
    n_groups: int
    n_subhalos: int
    identity: str


def make_header(
    attributes: Mapping[str, Any], where: str | Path, simulation: str, snapshot: int, identity: str
) -> Header:
    """Header of a run, compared with the run that was requested (`check_run`).

    Parameters
    ----------
    attributes : mapping
        Header of TNG files: ``Time``, ``Redshift``, ``HubbleParam``, ``BoxSize``, ``Omega0``, ``Ngroups_Total``,
        ``Nsubgroups_Total``, and ``MassTable`` where there is a snapshot.
    where : path
        File or address of the header, for errors.
    simulation, snapshot : str, int
        What was requested.
    identity : str

    Raises
    ------
    UniverseError
        When the header belongs to another run.
    """
    a, h, box = (float(attributes[name]) for name in ("Time", "HubbleParam", "BoxSize"))
    units = CodeUnits(a=a, h=h, box=box)
    m_dm = float(attributes["MassTable"][PART_TYPE["dm"]]) * units.mass if "MassTable" in attributes else float("nan")
    return Header(
        simulation=check_run(where, attributes, m_dm, simulation, snapshot),
        snapshot=snapshot,
        redshift=float(attributes["Redshift"]),
        units=units,
        m_dm=m_dm,
        n_groups=int(attributes["Ngroups_Total"]),
        n_subhalos=int(attributes["Nsubgroups_Total"]),
        identity=identity,
    )


class Universe:
    """A simulation at one snapshot, in physical units: the interface of every data source.

    A reader sets `header` and `place`, and gives stored values under their TNG names and in TNG's code units through
    `_columns` and `_particles`. Here they are checked and converted.

    Attributes
    ----------
    header : Header
    place : str
        Folder or address of the simulation, for errors.
    stores_dm_masses : bool
        Whether masses of dark-matter particles are stored with the particles, and not in the header's MassTable.
    """

    header: Header
    place: str
    stores_dm_masses: bool = False

    @property
    def name(self) -> str:
        """Name of the simulation, for example ``TNG100-1``."""
        return self.header.simulation

    @property
    def label(self) -> str:
        """Name for captions, for example ``TNG100-1, snapshot 99``."""
        return simulation_label(self.header.simulation, self.header.snapshot)

    def subhalos(self, fields: Sequence[str], ids: np.ndarray | Sequence[int] | None = None) -> QTable:
        """Catalogue columns of subhaloes under their TNG names, with physical units.

        Parameters
        ----------
        fields : sequence of str
            TNG field names, for example ``["SubhaloMassType", "SubhaloSFR"]``.
        ids : ndarray of int, optional
            Rows wanted; all when omitted.

        Returns
        -------
        QTable
            One row per subhalo, column ``subhalo_id`` first; masses Msun, lengths physical kpc (positions in the box
            frame), velocities km/s, SFR Msun/yr.

        Raises
        ------
        UniverseError
            When a chunk or a field is missing; names it.
        """
        return self._table("Subhalo", fields, ids)

    def groups(self, fields: Sequence[str], ids: np.ndarray | Sequence[int] | None = None) -> QTable:
        """Catalogue columns of FoF groups, as `subhalos`; the first column is ``group_id``."""
        return self._table("Group", fields, ids)

    def particles(
        self, object_id: int, part_type: str, fields: Sequence[str], scope: Scope = "subhalo"
    ) -> dict[str, np.ndarray]:
        """Particles of one object, converted to physical units.

        Parameters
        ----------
        object_id : int
            Subhalo id for ``scope="subhalo"``, group id for ``scope="group"``.
        part_type : {"gas", "dm", "stars", "bh"}
        fields : sequence of str
            TNG field names. ``Masses`` of dark matter comes from the header's MassTable, unless that has none.
        scope : {"subhalo", "group"}
            The particles bound to one subhalo, or the whole FoF group (other subhaloes and fuzz included).

        Returns
        -------
        dict of ndarray
            Arrays of equal first length, possibly zero: Coordinates kpc (box frame, not wrapped), Velocities km/s
            (peculiar), Masses and GFM_InitialMass Msun, Density Msun/kpc^3, StellarHsml and SubfindHsml kpc,
            Potential (km/s)^2, everything else as stored. Wind particles are part of ``stars``, with
            ``GFM_StellarFormationTime <= 0``: the caller masks them.

        Raises
        ------
        UniverseError
            When a file or a field is missing, or there is no such object.
        """
        if part_type not in PART_TYPE:
            raise ValueError(f"part_type must be one of {', '.join(PART_TYPE)}, not {part_type!r}")
        kind: Kind = "Subhalo" if scope == "subhalo" else "Group"
        self._check_rows(kind, scope, np.array([object_id]))
        by_table = part_type == "dm" and not self.stores_dm_masses
        stored = [field for field in fields if not (field == "Masses" and by_table)]
        count, arrays = self._particles(kind, int(object_id), part_type, stored)
        result = {}
        for field in fields:
            if field not in stored:
                result[field] = np.full(count, self.header.m_dm)
            elif count == 0:
                result[field] = np.zeros((0, VECTOR_LENGTH[field]) if field in VECTOR_LENGTH else 0)
            else:
                factor = particle_factor(field, self.header.units)
                result[field] = arrays[field] if factor == 1.0 else arrays[field] * factor
        return result

    def prepare(self, group_ids: Iterable[int]) -> None:
        """Announce which FoF groups will be read; a universe that must download their particles does so now.

        Parameters
        ----------
        group_ids : iterable of int

        Raises
        ------
        FetchError
            When some of them could not be obtained.
        """

    def _table(self, kind: Kind, fields: Sequence[str], ids: np.ndarray | Sequence[int] | None) -> QTable:
        total = self._n_rows(kind)
        if total == 0:
            raise UniverseError(f"the catalogue of {self.place} has no {kind.lower()} at all.")
        id_name = f"{kind.lower()}_id"
        rows = np.arange(total) if ids is None else np.asarray(ids, dtype=np.int64)
        self._check_rows(kind, id_name, rows)
        columns = self._columns(kind, list(fields), None if ids is None else rows)
        table = QTable({id_name: rows})
        for field in fields:
            column = physical_column(field, columns[field], self.header.units)
            # Magnitudes are not: NaN stands for no stars.
            bad = ~np.isfinite(column) if getattr(column, "unit", u.mag) != u.mag else np.zeros(len(rows), dtype=bool)
            if bad.any():
                which = rows[bad.reshape(len(rows), -1).any(axis=1)]
                raise UniverseError(
                    f"the catalogue of {self.place} has values of {field} that are not finite, in {len(which)} rows "
                    f"(the first is {kind.lower()} {which[0]}): it is damaged, copy or download it again."
                )
            table[field] = column
        return table

    def _check_half_mass(self, subhalo_id: int, positions: np.ndarray, where: str) -> None:
        """Compare the half-mass radius of a subhalo's dark matter with the catalogue's.

        Parameters
        ----------
        subhalo_id : int
        positions : ndarray, shape (n, 3)
            As stored [ckpc/h].
        where : str
            Files that they are from, for the error.
        """
        if len(positions) < HALF_MASS_PARTICLES:
            return
        row = self._columns("Subhalo", ["SubhaloPos", "SubhaloHalfmassRadType"], np.array([subhalo_id]))
        expected = float(row["SubhaloHalfmassRadType"][0, PART_TYPE["dm"]])
        offset = wrap(positions - row["SubhaloPos"][0].astype(float), self.header.units.box)
        found = float(np.median(np.linalg.norm(offset, axis=1)))
        if not 0.8 * expected < found < 1.25 * expected:
            raise UniverseError(
                f"{where} do not belong to the catalogue of {self.place}: half of the dark matter of subhalo "
                f"{subhalo_id} would lie within {found:.3g} ckpc/h, not {expected:.3g}; take all from one snapshot."
            )

    def _n_rows(self, kind: Kind) -> int:
        return self.header.n_subhalos if kind == "Subhalo" else self.header.n_groups

    def _check_rows(self, kind: Kind, what: str, rows: np.ndarray) -> None:
        total = self._n_rows(kind)
        outside = rows[(rows < 0) | (rows >= total)]
        if outside.size:
            raise UniverseError(f"{what} {outside[0]} is not in {self.place}: it has 0 to {total - 1}.")

    def _columns(self, kind: Kind, fields: list[str], rows: np.ndarray | None) -> dict[str, np.ndarray]:
        """Catalogue columns as stored, of some rows or of all."""
        raise NotImplementedError

    def _particles(
        self, kind: Kind, object_id: int, part_type: str, fields: list[str]
    ) -> tuple[int, dict[str, np.ndarray]]:
        """Number of particles of one object, and their fields as stored (none where the number is 0)."""
        raise NotImplementedError
