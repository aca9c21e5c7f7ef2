"""The TNG cosmology and the conversions from catalogue units.

Inside dmlib lengths are physical kpc, masses Msun, velocities km/s, times Gyr, without h. Catalogue units end in
`dmlib.universe`. Source of the numbers: Planck Collaboration XIII (2016) as used by TNG, and the TNG data release
(Nelson et al. 2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from astropy import constants
from astropy import units as u

if TYPE_CHECKING:
    from astropy.cosmology import FlatLambdaCDM

HUBBLE = 0.6774
BOX_TNG100 = 75000.0  # ckpc/h

#: Newton's constant [kpc (km/s)^2 / Msun]
G = constants.G.to_value(u.kpc * (u.km / u.s) ** 2 / u.Msun)

#: Solar metallicity in the TNG convention (mass fraction)
Z_SUN = 0.0127

#: Column of the ...Type arrays and number of the PartType group
PART_TYPE = {"gas": 0, "dm": 1, "stars": 4, "bh": 5}


@cache
def cosmology() -> FlatLambdaCDM:
    """The cosmology of TNG; astropy's Planck15 has Om0 = 0.3075 instead of 0.3089."""
    # Imported on demand: it takes as long as a quarter of all else that a chapter imports.
    from astropy.cosmology import FlatLambdaCDM

    return FlatLambdaCDM(H0=67.74, Om0=0.3089, Ob0=0.0486, name="TNG")


@dataclass(frozen=True)
class CodeUnits:
    """Conversion of catalogue and snapshot units to physical ones.

    Parameters
    ----------
    a : float
        Scale factor (Header ``Time``).
    h : float
        Hubble parameter (Header ``HubbleParam``).
    box : float
        Side of the periodic box [ckpc/h] (Header ``BoxSize``).
    """

    a: float = 1.0
    h: float = HUBBLE
    box: float = BOX_TNG100

    @property
    def length(self) -> float:
        """Kpc per ckpc/h."""
        return self.a / self.h

    @property
    def mass(self) -> float:
        """Msun per 1e10 Msun/h."""
        return 1e10 / self.h

    @property
    def velocity(self) -> float:
        """Peculiar km/s per km sqrt(a)/s, for particles. SubhaloVel is km/s already; GroupVel is to be divided by a."""
        return float(np.sqrt(self.a))

    @property
    def density(self) -> float:
        """Msun/kpc^3 per (1e10 Msun/h)/(ckpc/h)^3."""
        return 1e10 * self.h**2 / self.a**3

    @property
    def box_kpc(self) -> float:
        """Side of the box [kpc]."""
        return self.box * self.length


def wrap(offset, box):
    """Shortest periodic image of an offset, ``dx - L round(dx/L)``.

    Parameters
    ----------
    offset : ndarray
        Position minus centre, in the unit of `box`.
    box : float
        Side of the periodic box; the *same* unit as `offset` (the authors' scripts wrap kpc by a box in ckpc/h).

    Returns
    -------
    ndarray
        Offsets in [-box/2, box/2].
    """
    offset = np.asarray(offset, dtype=float)
    if offset.size and -0.5 * box <= offset.min() and offset.max() <= 0.5 * box:
        return offset + 0.0  # a halo seldom lies across the edge of the box
    # rint in place: a halo has 1e5 to 1e7 particles, and np.round with its temporaries takes six times as long.
    periods = np.asarray(offset / box)
    np.rint(periods, out=periods)
    periods *= box
    return offset - periods
