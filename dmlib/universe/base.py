"""The one interface through which galaxies are read, whatever universe they come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from astropy.table import QTable

from ..units import CodeUnits

Scope = Literal["group", "subhalo"]


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
        Fingerprint of the catalogue's content; it goes into every product made from it.
    """

    simulation: str
    snapshot: int
    redshift: float
    units: CodeUnits
    m_dm: float
    n_groups: int
    n_subhalos: int
    identity: str


class Universe(Protocol):
    """A simulation at one snapshot, in physical units."""

    header: Header

    def subhalos(self, fields: Sequence[str], ids: np.ndarray | None = None) -> QTable:
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
            One row a subhalo, column ``subhalo_id`` first; masses Msun, lengths physical kpc (positions in the box
            frame), velocities km/s, SFR Msun/yr.

        Raises
        ------
        UniverseError
            When a chunk or a field is missing; names it.
        """
        ...

    def groups(self, fields: Sequence[str], ids: np.ndarray | None = None) -> QTable:
        """The same for FoF groups; first column ``group_id``."""
        ...

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
            TNG field names. ``Masses`` of dark matter is made from the header's MassTable.
        scope : {"subhalo", "group"}
            The particles bound to one subhalo, or the whole FoF group (other subhaloes and fuzz included).

        Returns
        -------
        dict of ndarray
            Arrays of equal first length, possibly zero: Coordinates kpc (box frame, not wrapped), Velocities km/s
            (peculiar), Masses and GFM_InitialMass Msun, Density Msun/kpc^3, StellarHsml and SubfindHsml kpc,
            Potential (km/s)^2, everything else as stored. Wind particles are part of ``stars``, with
            ``GFM_StellarFormationTime <= 0``: the caller masks them.
        """
        ...

    def prepare(self, group_ids: Iterable[int]) -> None:
        """Say which FoF groups will be read: a universe that has to fetch their particles does so now, many at once.

        Parameters
        ----------
        group_ids : iterable of int

        Raises
        ------
        FetchError
            When some of them could not be had.
        """
        ...
