"""Light and mass loss of stellar populations: the numbers behind GFM_StellarPhotometrics and GFM_InitialMass.

TNG stores eight rest-frame absolute magnitudes for each star particle, without dust: U B V (Buser filters) and K as
Vega magnitudes, g r i z (SDSS) as AB magnitudes, from Bruzual & Charlot (2003) with a Chabrier initial mass function.
Those tables may not be passed on, so we use the Padova tables that pynbody carries (``cmdlum.npz``: U B V R I J H K in
Vega magnitudes for one solar mass formed, 22 metallicities from 1e-4 to 0.03, 72 ages from 4 Myr to 14 Gyr) and

- turn B V R I into g r i z with the relations of Jester et al. (2005, table 1, "all stars with Rc-Ic < 1.15");
- take their U B V for Buser's (the systems differ by a few hundredths of a magnitude);
- make all bands brighter by `NORMALISATION`, which brings their initial mass function to Chabrier's.

How far the result is from an independent table for a Chabrier function (Padova 1994 tracks) is measured in
tests/test_photometry.py. At metallicities from 0.004 to 0.02 and ages from 0.3 to 12.5 Gyr the median difference is
below 0.08 mag in each of g r i z, its scatter with age at most 0.13 mag, and the colour g-r is bluer by 0.05 mag
(at most by 0.17 mag); the largest single difference, 0.7 mag in z, is at 1.2 Gyr, where the two sets of tracks
disagree on asymptotic-giant-branch stars. At 4e-4 our table is 0.7 mag brighter: the constant was set where most stars
are. pynbody's newer tables
(``lsst_ssp.txt``) end at a metallicity of 0.0095, below that of most of our stars, and are not used for that reason.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ...errors import UniverseError

#: Order of the columns, as in TNG.
BANDS = ("U", "B", "V", "K", "g", "r", "i", "z")

#: Added to all magnitudes: median difference in r between the table and a Chabrier one (see the module's docstring).
NORMALISATION = -0.47


def _table_path() -> Path:
    # Found without importing pynbody, which would cost seconds and read its configuration.
    package = find_spec("pynbody")
    path = Path(package.submodule_search_locations[0]) / "analysis" / "cmdlum.npz" if package else None
    if path is None or not path.is_file():
        raise UniverseError(
            "pynbody's table of stellar light analysis/cmdlum.npz is not here: install the locked dependencies again"
        )
    return path


@cache
def _table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log10 age [yr] (72), log10 Z (22) and magnitudes (22, 72, 8) for one solar mass formed."""
    with np.load(_table_path()) as data:
        u, b, v, r, i, k = (data[name].astype(float) for name in "ubvrik")
        log_age, log_z = np.log10(data["ages"]), np.log10(data["mets"])
    sdss_g = v + 0.60 * (b - v) - 0.12
    sdss_r = v - 0.42 * (b - v) + 0.11
    sdss_i = sdss_r - (0.91 * (r - i) - 0.20)
    sdss_z = sdss_r - (1.72 * (r - i) - 0.41)
    return log_age, log_z, np.stack([u, b, v, k, sdss_g, sdss_r, sdss_i, sdss_z], axis=-1) + NORMALISATION


def _bracket(grid, values):
    """Lower index and fraction towards the next, with values outside held at the edge."""
    values = np.clip(values, grid[0], grid[-1])
    low = np.clip(np.searchsorted(grid, values, side="right") - 1, 0, grid.size - 2)
    return low, (values - grid[low]) / (grid[low + 1] - grid[low])


def magnitudes(age_gyr, metallicity, m_initial):
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
    log_age, log_z, table = _table()
    age_gyr, metallicity = np.asarray(age_gyr, dtype=float), np.asarray(metallicity, dtype=float)
    a, fa = _bracket(log_age, np.log10(np.maximum(age_gyr, 1e-6)) + 9.0)
    z, fz = _bracket(log_z, np.log10(np.maximum(metallicity, 1e-10)))
    fa, fz = fa[..., None], fz[..., None]
    low = (1.0 - fa) * table[z, a] + fa * table[z, a + 1]
    high = (1.0 - fa) * table[z + 1, a] + fa * table[z + 1, a + 1]
    mass = 2.5 * np.log10(np.asarray(m_initial, dtype=float))[..., None]
    return ((1.0 - fz) * low + fz * high - mass).astype(np.float32)


def remaining_fraction(age_gyr):
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
