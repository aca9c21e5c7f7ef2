"""Published scaling relations of galaxies and haloes at z = 0.

The universe draws from them what the catalogue of TNG100 does not list: HI, H2, metals (`galaxies`). The others are for
comparison, and for whoever needs a prior.

Each function gives the median relation and names its source and its scatter. Masses in Msun, lengths in kpc,
star-formation rates in Msun/yr, no h; stellar masses are for a Chabrier initial mass function. Arguments may be arrays.

The numbers of Moster+2013, van der Wel+2014, Saintonge & Catinella 2022, Catinella+2018, Saintonge+2017, Wang+2016,
Gallazzi+2005 and Curti+2020 were checked against at least one independent transcription in public analysis code.
"""

from __future__ import annotations

import tempfile
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .units import RHO_CRIT

#: Hydrogen mass over the mass of cold gas, for metal-rich gas.
COLD_HYDROGEN = 0.75

#: Scatter with which the universe is drawn about the medians [dex]; the functions name the sources.
SCATTER = {"hi_mass": 0.3, "h2_mass": 0.25, "hi_radius": 0.06, "gas_metallicity": 0.07}


def nfw_shape(x: ArrayLike) -> np.ndarray:
    """ln(1+x) - x/(1+x), the mass of an NFW halo within x scale radii in its natural unit."""
    x = np.asarray(x)
    return np.log1p(x) - x / (1.0 + x)


def r200_of(m200: ArrayLike) -> np.ndarray:
    """Radius whose mean density is 200 times the critical one [kpc], z = 0."""
    return np.cbrt(np.asarray(m200, dtype=float) * 3.0 / (4.0 * np.pi * 200.0 * RHO_CRIT))


@cache
def _colossus() -> Any:
    """Cosmology of TNG in colossus, which keeps nothing on the disk with ``persistence=""``."""
    from colossus.cosmology import cosmology

    parameters = {"flat": True, "H0": 67.74, "Om0": 0.3089, "Ob0": 0.0486, "sigma8": 0.8159, "ns": 0.9667}
    return cosmology.setCosmology("TNG", params=parameters, persistence="")


@cache
def _concentration_table() -> tuple[np.ndarray, np.ndarray]:
    from colossus import settings
    from colossus.halo import concentration as colossus_concentration

    h = _colossus().h
    log_m = np.linspace(9.0, 15.0, 121)
    before = settings.BASE_DIR
    # Whatever the persistence, it reads a table from the user's home, or writes it there.
    with tempfile.TemporaryDirectory() as settings.BASE_DIR:
        c = colossus_concentration.concentration(10**log_m * h, "200c", 0.0, model="diemer19")
    settings.BASE_DIR, colossus_concentration.storageUser = before, None
    return log_m, np.log10(c)


def concentration(m200: ArrayLike) -> np.ndarray:
    """Concentration c200c of a halo of mass `m200` [Msun]: Diemer & Joyce (2019), as coded in colossus (``diemer19``).

    The relation is for dark-matter-only haloes. Scatter 0.16 dex (Diemer & Kravtsov 2015).
    """
    return 10 ** np.interp(np.log10(m200), *_concentration_table())


@cache
def _mass_function_table() -> tuple[np.ndarray, np.ndarray]:
    from colossus.lss import mass_function as colossus_mass_function

    h = _colossus().h
    log_m = np.linspace(10.0, 15.0, 251)
    dn = colossus_mass_function.massFunction(10**log_m * h, 0.0, mdef="200c", model="tinker08", q_out="dndlnM")
    return log_m, np.log10(dn * np.log(10.0) * h**3)


def mass_function(m200: ArrayLike) -> np.ndarray:
    """Halo mass function dn/dlog10(M200c) [1/Mpc^3/dex]: Tinker et al. (2008), as coded in colossus."""
    return 10 ** np.interp(np.log10(m200), *_mass_function_table())


def stellar_mass(m200: ArrayLike) -> np.ndarray:
    """Stellar mass of the central galaxy [Msun]: Moster, Naab & White (2013), eq. 2 with table 1 at z = 0.

    Their M is M200c; scatter 0.15 dex, as they assume.
    """
    x = np.asarray(m200, dtype=float) / 10**11.590
    return 2.0 * 0.0351 * np.asarray(m200) / (x**-1.376 + x**0.608)


def half_light_radius(m_star: ArrayLike, quenched: ArrayLike) -> np.ndarray:
    """Half-light radius along the major axis at 5000 Angstrom [kpc]: van der Wel et al. (2014), table 1.

    log R = log A + alpha log(M*/5e10); late types log A = 0.86, alpha = 0.25, early types 0.60, 0.75, at their lowest
    redshift, 0.25. Scatter 0.16 and 0.10 dex. The relation of early types was fitted above 2e10 Msun; below, this is an
    extrapolation.
    """
    quenched = np.asarray(quenched, dtype=bool)
    log_a = np.where(quenched, 0.60, 0.86)
    alpha = np.where(quenched, 0.75, 0.25)
    return 10 ** (log_a + alpha * (np.log10(m_star) - np.log10(5e10)))


def star_forming_sequence(m_star: ArrayLike) -> np.ndarray:
    """Star-formation rate of the star-forming sequence [Msun/yr]: Saintonge & Catinella (2022), eq. 7.

    log SFR = 0.412 - log(1 + (M*/10^10.59)^-0.718); it bends at high mass. Scatter 0.3 dex.
    """
    return 10**0.412 / (1.0 + (np.asarray(m_star) / 10**10.59) ** -0.718)


#: xGASS: medians of log M_HI/M* in bins of log M* (Catinella et al. 2018, table 1).
XGASS_M_STAR = np.array(
    [
        [9.14, 9.44, 9.74, 10.07, 10.34, 10.65, 10.95, 11.20],
        [-0.092, -0.320, -0.656, -0.854, -1.278, -1.223, -1.707, -1.785],
    ]
)

#: xGASS: medians of log M_HI/M* in bins of log SFR/M* [1/yr] (same table), with non-detections at their limits.
XGASS_SSFR = np.array([[-11.97, -11.42, -10.79, -10.19, -9.72], [-1.694, -1.571, -1.130, -0.512, -0.002]])

#: xCOLD GASS: means of log M_H2/M* in bins of log SFR/M* [1/yr] (Saintonge et al. 2017, table 6, "binning").
XCOLDGASS_SSFR = np.array(
    [
        [-11.8, -11.4, -11.1, -10.7, -10.5, -10.2, -10.0, -9.79, -9.49],
        [-1.88, -1.81, -1.76, -1.50, -1.30, -1.15, -1.10, -1.01, -0.81],
    ]
)


def hi_mass(m_star: ArrayLike) -> np.ndarray:
    """Median HI mass of galaxies of all types [Msun]: xGASS, Catinella et al. (2018), table 1, linear between bins."""
    log_m = np.log10(m_star)
    return 10 ** (log_m + np.interp(log_m, *XGASS_M_STAR))


def hi_mass_at_ssfr(m_star: ArrayLike, sfr: ArrayLike) -> np.ndarray:
    """Median HI mass at a specific star-formation rate [Msun]: xGASS, Catinella et al. (2018), table 1."""
    return np.asarray(m_star) * 10 ** np.interp(_log_ssfr(m_star, sfr), *XGASS_SSFR)


def h2_mass_at_ssfr(m_star: ArrayLike, sfr: ArrayLike) -> np.ndarray:
    """Mean (of the logarithm) H2 mass at a specific star-formation rate [Msun]: Saintonge et al. (2017), table 6."""
    return np.asarray(m_star) * 10 ** np.interp(_log_ssfr(m_star, sfr), *XCOLDGASS_SSFR)


def _log_ssfr(m_star: ArrayLike, sfr: ArrayLike) -> np.ndarray:
    return np.log10(np.maximum(sfr, 1e-6) / np.asarray(m_star))


def hi_radius(m_hi: ArrayLike) -> np.ndarray:
    """Radius where the face-on HI surface density is 1 Msun/pc^2 [kpc]: Wang et al. (2016), eq. 2.

    log D_HI = 0.506 log M_HI - 3.293 with D_HI = 2 R_HI; scatter 0.06 dex.
    """
    return 0.5 * 10 ** (0.506 * np.log10(m_hi) - 3.293)


def gas_metallicity(m_star: ArrayLike) -> np.ndarray:
    """Oxygen abundance 12 + log(O/H) of star-forming gas: Curti et al. (2020), eq. 2: 8.793, 10^10.02, 0.28, 1.2.

    Scatter 0.07 dex.
    """
    x = np.asarray(m_star) / 10**10.02
    return 8.793 - 0.28 / 1.2 * np.log10(1.0 + x**-1.2)


def oxygen_to_mass_fraction(log_oh: ArrayLike) -> np.ndarray:
    """Metal mass fraction from 12 + log(O/H), with Z = 0.0127 (TNG's solar value) at 8.69 (Asplund et al. 2009)."""
    return 0.0127 * 10 ** (np.asarray(log_oh) - 8.69)


#: SDSS galaxies: log M*, log Z/0.02 of the stars, log r-band light-weighted age [yr] (Gallazzi et al. 2005, table 2).
GALLAZZI = np.array(
    [
        [9.11, 9.51, 9.91, 10.11, 10.31, 10.51, 10.72, 10.91, 11.11, 11.31, 11.51, 11.91],
        [-0.61, -0.61, -0.41, -0.23, -0.11, -0.01, 0.04, 0.07, 0.10, 0.12, 0.13, 0.15],
        [9.09, 9.17, 9.32, 9.46, 9.61, 9.73, 9.82, 9.87, 9.90, 9.92, 9.94, 9.96],
    ]
)


def stellar_metallicity(m_star: ArrayLike) -> np.ndarray:
    """Median metal mass fraction of the stars: Gallazzi et al. (2005), table 2 (solar 0.02).

    Their 16-84 per cent range (0.2 to 0.5 dex) includes measurement errors.
    """
    return 0.02 * 10 ** np.interp(np.log10(m_star), GALLAZZI[0], GALLAZZI[1])


def light_weighted_age(m_star: ArrayLike) -> np.ndarray:
    """Median r-band light-weighted age [Gyr]: Gallazzi et al. (2005), table 2."""
    return 10 ** (np.interp(np.log10(m_star), GALLAZZI[0], GALLAZZI[2]) - 9.0)
