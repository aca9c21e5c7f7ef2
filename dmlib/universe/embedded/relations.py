"""Published relations of galaxies at z = 0: what the embedded universe is drawn from and compared with.

Every function gives the median relation and names its source; the scatter stands beside it as a constant. Masses in
Msun, lengths in kpc, star-formation rates in Msun/yr, no h; the stellar masses of all sources are for a Chabrier
(or, within 0.03 dex, Kroupa) initial mass function. Arguments may be arrays.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from ...units import RHO_CRIT

#: Scatter about the medians [dex], from the same sources unless the function says otherwise.
SCATTER = {
    "concentration": 0.16,
    "stellar_mass": 0.15,
    "sfr": 0.3,
    "r_hi": 0.06,
    "z_gas": 0.07,
    "m_bh": 0.28,
}


def r200_of(m200):
    """Radius whose mean density is 200 times the critical one [kpc], z = 0."""
    return np.cbrt(np.asarray(m200, dtype=float) * 3.0 / (4.0 * np.pi * 200.0 * RHO_CRIT))


@cache
def _colossus():
    """Colossus with the TNG cosmology, and nothing written to the user's home (``persistence=""``)."""
    from colossus.cosmology import cosmology

    parameters = {"flat": True, "H0": 67.74, "Om0": 0.3089, "Ob0": 0.0486, "sigma8": 0.8159, "ns": 0.9667}
    return cosmology.setCosmology("dmlib-TNG", params=parameters, persistence="")


@cache
def _concentration_table():
    from colossus.halo import concentration as colossus_concentration

    h = _colossus().h
    log_m = np.linspace(9.0, 15.0, 121)
    c = colossus_concentration.concentration(10**log_m * h, "200c", 0.0, model="diemer19")
    return log_m, np.log10(c)


def concentration(m200):
    """Concentration c200c of a halo of mass `m200` [Msun]: Diemer & Joyce (2019), as coded in colossus (``diemer19``).

    The relation is for dark-matter-only haloes. Scatter 0.16 dex (Diemer & Kravtsov 2015).
    """
    log_m, log_c = _concentration_table()
    return 10 ** np.interp(np.log10(m200), log_m, log_c)


@cache
def _mass_function_table():
    from colossus.lss import mass_function as colossus_mass_function

    h = _colossus().h
    log_m = np.linspace(10.0, 15.0, 251)
    dn = colossus_mass_function.massFunction(10**log_m * h, 0.0, mdef="200c", model="tinker08", q_out="dndlnM")
    return log_m, np.log10(dn * np.log(10.0) * h**3)


def mass_function(m200):
    """Halo mass function dn/dlog10(M200c) [1/Mpc^3/dex]: Tinker et al. (2008), as coded in colossus."""
    log_m, log_dn = _mass_function_table()
    return 10 ** np.interp(np.log10(m200), log_m, log_dn)


def stellar_mass(m200):
    """Stellar mass of the central galaxy [Msun]: Moster, Naab & White (2013), eq. 2 with table 1 at z = 0.

    Their M is M200c; scatter 0.15 dex (their section 3.2).
    """
    x = np.asarray(m200, dtype=float) / 10**11.590
    return 2.0 * 0.0351 * np.asarray(m200) / (x**-1.376 + x**0.608)


def half_mass_radius(m_star, quenched):
    """Stellar half-light radius (major axis) [kpc]: van der Wel et al. (2014), table 1, their lowest redshift (0.25).

    log R = log A + alpha log(M*/5e10): late types log A = 0.86, alpha = 0.25; early types 0.60, 0.75.
    """
    quenched = np.asarray(quenched, dtype=bool)
    log_a = np.where(quenched, 0.60, 0.86)
    alpha = np.where(quenched, 0.75, 0.25)
    return 10 ** (log_a + alpha * (np.log10(m_star) - np.log10(5e10)))


def size_scatter(quenched):
    """Scatter of `half_mass_radius` [dex]: 0.16 for late types, 0.10 for early types (same table)."""
    return np.where(np.asarray(quenched, dtype=bool), 0.10, 0.16)


def star_forming_sequence(m_star):
    """Star-formation rate of the star-forming sequence [Msun/yr]: Renzini & Peng (2015), eq. 1, 0.76 log M* - 7.64."""
    return 10 ** (0.76 * np.log10(m_star) - 7.64)


def quenched_fraction(m_star):
    """Fraction of quenched centrals, Peng et al. (2010): mass quenching, 1 - exp(-(M*/10^10.56)^0.80)."""
    return 1.0 - np.exp(-((np.asarray(m_star) / 10**10.56) ** 0.80))


#: xGASS: weighted medians of log M_HI/M* in bins of log M* (Catinella et al. 2018, table 1).
XGASS_LOG_M_STAR = np.array([9.14, 9.44, 9.74, 10.07, 10.34, 10.65, 10.95, 11.20])
XGASS_LOG_FRACTION = np.array([-0.092, -0.320, -0.656, -0.854, -1.278, -1.223, -1.707, -1.785])


def hi_mass(m_star):
    """Median HI mass of galaxies of all types [Msun]: xGASS, Catinella et al. (2018), table 1, linear between bins."""
    log_m = np.log10(m_star)
    return 10 ** (log_m + np.interp(log_m, XGASS_LOG_M_STAR, XGASS_LOG_FRACTION))


def hi_radius(m_hi):
    """Radius where the face-on HI surface density is 1 Msun/pc^2 [kpc]: Wang et al. (2016), eq. 2.

    log D_HI = 0.506 log M_HI - 3.293 with D_HI = 2 R_HI; scatter 0.06 dex.
    """
    return 0.5 * 10 ** (0.506 * np.log10(m_hi) - 3.293)


def gas_metallicity(m_star):
    """Oxygen abundance 12 + log(O/H) of star-forming gas: Curti et al. (2020), eq. 2: 8.793, 10^10.02, 0.28, 1.2.

    Scatter 0.07 dex (their table 5).
    """
    x = np.asarray(m_star) / 10**10.02
    return 8.793 - 0.28 / 1.2 * np.log10(1.0 + x**-1.2)


def oxygen_to_mass_fraction(log_oh):
    """Metal mass fraction from 12 + log(O/H), with Z = 0.0127 (TNG's solar value) at 8.69 (Asplund et al. 2009)."""
    return 0.0127 * 10 ** (np.asarray(log_oh) - 8.69)


def black_hole_mass(m_bulge):
    """Black-hole mass [Msun]: Kormendy & Ho (2013), eq. 10: 4.9e8 (M_bulge/1e11)^1.17; scatter 0.28 dex."""
    return 4.9e8 * (np.asarray(m_bulge) / 1e11) ** 1.17
