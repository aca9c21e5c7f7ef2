"""Bugs in the authors' public scripts and ambiguities of the paper's selection, for demonstration only.

The functions reimplement them after reading github.com/Martindelosrios/ML4DM (``Download_GalsProps.py``). No result of
dmlib depends on this.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy import units as u

from .galaxy import Galaxy, enclosed_mass
from .sample import is_true_central, select
from .settings import RADII_KPC, Criteria
from .units import BOX_TNG100, HUBBLE
from .universe import Universe

#: Constants of the published wrap. They are in ckpc/h but applied to positions in kpc.
_WRAP_LIMIT, _WRAP_PERIOD = 32500.0, 75000.0

#: Side of the box of TNG100 [kpc].
BOX = BOX_TNG100 / HUBBLE

#: Plane at which it tears galaxies [kpc]: positions from 32,500 to here are moved out and, in the second step, back.
TEAR = _WRAP_PERIOD - _WRAP_LIMIT

#: Dark-matter particle mass of the scripts [Msun].
M_DM_PUBLISHED = 7.5e6


def wrap_as_published(position: np.ndarray) -> np.ndarray:
    """Move positions as the scripts do: above 32,500 by -75,000, then below -32,500 by +75,000, applied to kpc.

    Parameters
    ----------
    position : ndarray
        Box-frame positions [kpc], from 0 to 110,717.

    Returns
    -------
    ndarray
        Moved positions. Two neighbours on either side of the plane `TEAR`, 42,500 kpc, end up 75,000 kpc apart, and
        two on either side of the box's face (0 = 110,717 kpc) 35,717 kpc apart.
    """
    position = np.where(position > _WRAP_LIMIT, position - _WRAP_PERIOD, position)
    return np.where(position < -_WRAP_LIMIT, position + _WRAP_PERIOD, position)


def mass_limit_as_published(m_star_min: float) -> float:
    """Physical mass limit [Msun] of a query that divides by h where it should multiply, ``m / h^2``."""
    return m_star_min / HUBBLE**2


@dataclass(frozen=True)
class TornProfile:
    """A galaxy's dark-matter profile, true and with the published wrap where the galaxy crosses a plane.

    Parameters
    ----------
    distance : float
        From the galaxy's centre to the plane [kpc].
    true, torn : ndarray, shape (n,)
        Mass within each of `RADII_KPC` [Msun], correct and as published.
    """

    distance: float
    true: np.ndarray
    torn: np.ndarray

    @property
    def kept(self) -> np.ndarray:
        """Fraction of the mass that remains."""
        return np.divide(self.torn, self.true, out=np.ones_like(self.true), where=self.true > 0)


def tear(galaxy: Galaxy, distance: float, plane: float = TEAR) -> TornProfile:
    """Place a galaxy near a plane of the box and measure it with the published wrap.

    The box is periodic, so the galaxy can be moved; only its distance from the plane matters.

    Parameters
    ----------
    galaxy : Galaxy
    distance : float
        From the galaxy's centre to the plane, on its lower side [kpc].
    plane : float
        Coordinate of the plane on the x axis [kpc]: `TEAR`, or 0 for the face of the box.

    Returns
    -------
    TornProfile
    """
    centre = np.array([(plane - distance) % BOX, 0.1 * BOX, 0.1 * BOX])
    position = (galaxy.dm.position + centre) % BOX
    torn = enclosed_mass(wrap_as_published(position), galaxy.dm.mass, centre=wrap_as_published(centre))
    return TornProfile(distance, galaxy.dm.enclosed_mass(), torn)


def near_planes(position: np.ndarray) -> np.ndarray:
    """Find the galaxies that extend across a plane where the published wrap tears.

    Parameters
    ----------
    position : ndarray, shape (N, 3)
        Box-frame centres [kpc].

    Returns
    -------
    ndarray of bool, shape (N,)
    """
    torn = np.zeros(len(position), dtype=bool)
    for plane in (TEAR, 0.0):
        distance = np.abs(position - plane)
        torn |= np.any(np.minimum(distance, BOX - distance) < RADII_KPC[-1], axis=1)
    return torn


def expected_torn() -> float:
    """Expected fraction of `near_planes` for uniformly distributed galaxies: two planes per axis, both sides."""
    return 1.0 - (1.0 - 4.0 * RADII_KPC[-1] / BOX) ** 3


def selection_readings(universe: Universe) -> dict:
    """Count what the cuts leave, in every reading of the paper's table.

    Parameters
    ----------
    universe : Universe

    Returns
    -------
    dict
        ``n_groups``, ``n_subhalos``, ``group_mass_range`` [Msun]; ``funnels``: for each aperture and each meaning of
        central the counts after each cut; ``parent_zero``: subhaloes with SubhaloParent = 0, how many of them are
        satellites, and how many satellites there are; ``flag_false``: rows with SubhaloFlag = 0, and those among them
        above 1e10 Msun in stars; ``mass_limit``: rows above 1e10 Msun, and above 1e10/h^2 Msun, which is what a query
        asks for that divides by h where it should multiply; ``torn_by_wrap``: galaxies of the paper's sample that reach
        across a plane where the wrap of the authors' scripts tears.
    """
    subhalos = universe.subhalos(("SubhaloParent", "SubhaloGrNr", "SubhaloMassType", "SubhaloFlag"))
    groups = universe.groups(("GroupFirstSub", "GroupMass"))
    central = is_true_central(subhalos, groups)
    parent_zero = np.asarray(subhalos["SubhaloParent"]) == 0
    m_star = subhalos["SubhaloMassType"][:, 4].to_value(u.Msun)
    flag = np.asarray(subhalos["SubhaloFlag"])
    mass = groups["GroupMass"].to_value(u.Msun)
    sample = select(universe)[0]
    return {
        "n_groups": universe.header.n_groups,
        "n_subhalos": universe.header.n_subhalos,
        "group_mass_range": [float(f"{mass.min():.4g}"), float(f"{mass.max():.4g}")],
        "funnels": {
            aperture: {
                centrals: select(universe, Criteria(aperture=aperture, centrals=centrals))[1].counts
                for centrals in ("paper", "true")
            }
            for aperture in ("all", "2rhalf")
        },
        "parent_zero": {
            "all": int(parent_zero.sum()),
            "satellites_among_them": int((parent_zero & ~central).sum()),
            "satellites": int((~central).sum()),
        },
        "flag_false": {"all": int((~flag).sum()), "above_1e10": int((~flag & (m_star >= 1e10)).sum())},
        "mass_limit": {
            "right": int((m_star >= 1e10).sum()),
            "divided_by_h": int((m_star >= mass_limit_as_published(1e10)).sum()),
        },
        "torn_by_wrap": {"paper": int(near_planes(sample["position"].to_value(u.kpc)).sum()), "of": len(sample)},
    }
