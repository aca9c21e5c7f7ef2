"""Light and mass loss of stellar populations: the numbers behind GFM_StellarPhotometrics and GFM_InitialMass.

TNG stores eight rest-frame absolute magnitudes for each star particle, without dust: U B V (Buser filters) and K in the
Vega system, g r i z (SDSS) in the AB system, from Bruzual & Charlot (2003) with a Chabrier initial mass function.
Those tables may not be redistributed, so we use Padova tables as distributed with pynbody (``data/padova_ssp.npz``:
U B V R I K in the Vega system for one solar mass formed, 22 metallicities from 1e-4 to 0.03, 72 ages from 4 Myr to
14 Gyr) and

- convert B V R I to g r i z with the relations of Jester et al. (2005, table 1, "all stars with Rc-Ic < 1.15");
- take their U B V as Buser's (the systems differ by a few hundredths of a magnitude);
- brighten all bands by `NORMALISATION`, which converts their initial mass function to Chabrier's.

The tests compare the result with an independent table for a Chabrier function (Padova 1994 tracks). At metallicities
from 0.004 to 0.02 and ages from 0.3 to 12.5 Gyr the median difference is below 0.08 mag in each of g r i z, with a
scatter over age of at most 0.13 mag, and the colour g-r is bluer by 0.05 mag (at most by 0.17 mag). The largest single
difference, 0.7 mag in z, is at 1.2 Gyr, where the two sets of tracks disagree on asymptotic-giant-branch stars. At a
metallicity of 4e-4 our table is 0.7 mag brighter: the constant was set where most stars are. pynbody's newer tables
(``lsst_ssp.txt``) are not used because they end at a metallicity of 0.0095, below that of most of our stars.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike

#: Order of the columns, as in TNG.
BANDS = ("U", "B", "V", "K", "g", "r", "i", "z")

#: Added to all magnitudes: median difference in r between the table and a Chabrier one (see the module's docstring).
NORMALISATION = -0.47


@cache
def table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Magnitudes on a grid of age and metallicity.

    Returns
    -------
    log_age : ndarray, shape (72,)
        log10 of the age [yr].
    log_metallicity : ndarray, shape (22,)
        log10 of the metal mass fraction.
    magnitudes : ndarray, shape (22, 72, 8)
        `BANDS` of one solar mass formed.
    """
    with (resources.files("mocktng") / "data" / "padova_ssp.npz").open("rb") as handle, np.load(handle) as data:
        u, b, v, r, i, k = data["magnitudes"]
        log_age, log_z = np.log10(data["age"]), np.log10(data["metallicity"])
    sdss_g = v + 0.60 * (b - v) - 0.12
    sdss_r = v - 0.42 * (b - v) + 0.11
    sdss_i = sdss_r - (0.91 * (r - i) - 0.20)
    sdss_z = sdss_r - (1.72 * (r - i) - 0.41)
    return log_age, log_z, np.stack([u, b, v, k, sdss_g, sdss_r, sdss_i, sdss_z], axis=-1) + NORMALISATION


def _bracket(grid: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower index and fraction towards the next, values outside are clipped to the edge."""
    values = np.clip(values, grid[0], grid[-1])
    low = np.clip(np.searchsorted(grid, values, side="right") - 1, 0, grid.size - 2)
    return low, (values - grid[low]) / (grid[low + 1] - grid[low])


def magnitudes(age_gyr: ArrayLike, metallicity: ArrayLike, m_initial: ArrayLike) -> np.ndarray:
    """Absolute magnitudes of stellar populations in TNG's eight bands.

    Bilinear in log age and log metallicity. Ages below 4 Myr and above 14 Gyr, and metallicities outside
    [1e-4, 0.03], take the value at the table's edge.

    Parameters
    ----------
    age_gyr : ndarray, shape (N,)
        Age [Gyr].
    metallicity : ndarray, shape (N,)
        Metal mass fraction.
    m_initial : ndarray, shape (N,)
        Mass when formed [Msun].

    Returns
    -------
    ndarray, shape (N, 8), float32
        U B V K (Vega) and g r i z (AB) [mag], no dust.
    """
    log_age, log_z, grid = table()
    age_gyr, metallicity = np.asarray(age_gyr, dtype=float), np.asarray(metallicity, dtype=float)
    a, fa = _bracket(log_age, np.log10(np.maximum(age_gyr, 1e-6)) + 9.0)
    z, fz = _bracket(log_z, np.log10(np.maximum(metallicity, 1e-10)))
    fa, fz = fa[..., None], fz[..., None]
    low = (1.0 - fa) * grid[z, a] + fa * grid[z, a + 1]
    high = (1.0 - fa) * grid[z + 1, a] + fa * grid[z + 1, a + 1]
    mass = 2.5 * np.log10(np.asarray(m_initial, dtype=float))[..., None]
    return ((1.0 - fz) * low + fz * high - mass).astype(np.float32)


def remaining_fraction(age_gyr: ArrayLike) -> np.ndarray:
    """Mass still in stars and remnants over the mass formed, for a Chabrier initial mass function.

    Behroozi, Wechsler & Conroy (2013), eq. 14: the lost fraction is 0.05 ln(1 + t / 1.4 Myr). It is 0.56 at 10 Gyr.

    Parameters
    ----------
    age_gyr : float or ndarray
        Age [Gyr].

    Returns
    -------
    float or ndarray
        Fraction in (0, 1].
    """
    return 1.0 - 0.05 * np.log1p(np.maximum(age_gyr, 0.0) * 1e3 / 1.4)
