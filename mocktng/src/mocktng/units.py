"""The cosmology of TNG, its code units, and constants of nature.

Inside mocktng lengths are physical kpc, masses Msun, velocities km/s and times Gyr, without h; files are in TNG's code
units (ckpc/h, 1e10 Msun/h, km sqrt(a)/s). All is at redshift 0. Sources: Planck Collaboration XIII (2016) as used by
TNG; the TNG data release (Nelson et al. 2019); CODATA 2018 for the constants.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

#: Hubble parameter h, matter and baryon density.
HUBBLE, OMEGA_M, OMEGA_B = 0.6774, 0.3089, 0.0486

#: Hubble constant [1/Gyr].
H0_PER_GYR = np.float64(0.06927852206019536)

#: Side of the periodic box of TNG100 [ckpc/h], and in kpc.
BOX_TNG100 = 75000.0
BOX_KPC = BOX_TNG100 / HUBBLE

#: Newton's constant [kpc (km/s)^2 / Msun].
G = np.float64(4.300917270036279e-06)

#: Critical density at z = 0 [Msun/kpc^3].
RHO_CRIT = np.float64(127.35344307213101)

#: Primordial hydrogen mass fraction of the TNG model.
X_HYDROGEN = 0.76

#: Boltzmann's constant over the proton's mass [(km/s)^2 / K].
BOLTZMANN_PER_PROTON = np.float64(0.008254399745572103)

#: Hydrogen nuclei per cm^3 for 1 Msun/kpc^3 of pure hydrogen.
PER_CM3 = np.float64(4.046285187492899e-08)

#: Code units at z = 0: kpc per ckpc/h, Msun per 1e10 Msun/h, Msun/kpc^3 per (1e10 Msun/h)/(ckpc/h)^3.
LENGTH, MASS, DENSITY = 1.0 / HUBBLE, 1e10 / HUBBLE, 1e10 * HUBBLE**2

#: Stars younger than this follow today's star-formation rate [Gyr].
RECENT = 0.5
#: Age of the oldest stars [Gyr].
OLDEST = 13.5


def wrap(offset: ArrayLike, box: float) -> np.ndarray:
    """Shortest periodic image of an offset, ``dx - L round(dx/L)``.

    Parameters
    ----------
    offset : array_like
        Position minus centre.
    box : float
        Side of the periodic box, in the unit of `offset`.

    Returns
    -------
    ndarray
        Offsets in [-box/2, box/2].
    """
    offset = np.asarray(offset, dtype=float)
    return offset - np.rint(offset / box) * box
