"""The state of the gas: effective equation of state, ionisation, and the split into atomic and molecular hydrogen.

Gas is stored as TNG stores it (Pillepich et al. 2018, MNRAS 473, 4077): star-forming cells carry the
energy of the two-phase model of Springel & Hernquist (2003, MNRAS 339, 289), softened to 30 per cent towards 10^4 K,
and other cells a neutral fraction with the self-shielding of Rahmati et al. (2013, MNRAS 430, 2427). That model is run
forwards here, so that readers of the files who correct the star-forming cells in the usual way recover the planned
hydrogen. Densities are hydrogen number densities [cm^-3], specific energies (km/s)^2.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .units import BOLTZMANN_PER_PROTON, PER_CM3, X_HYDROGEN

#: A number or an array of numbers.
Numbers = float | np.ndarray

#: Star formation begins here [cm^-3] (TNG: about 0.13).
N_THRESHOLD = 0.13
#: Two-phase model: cloud evaporation A0, supernova temperature and cold-cloud temperature [K], softening.
A0, T_SUPERNOVA, T_COLD, SOFTENING = 573.0, 5.73e7, 1000.0, 0.3
#: Temperature of the warm gas that does not form stars, which the star-forming model joins at the threshold [K].
T_WARM = 1.0e4
#: Ultraviolet background at z = 0 [1/s] (Faucher-Giguere et al. 2009 gives 4e-14 in its 2011 version).
UV_BACKGROUND = 4.0e-14

_GAMMA = 5.0 / 3.0


def hydrogen_fraction(metallicity: Numbers) -> np.ndarray:
    """Hydrogen mass fraction of gas or stars, X = 0.76 - 2.5 Z (helium follows the metals, Y = 0.24 + 1.5 Z)."""
    return 0.76 - 2.5 * np.asarray(metallicity)


def hydrogen_density(rho: Numbers, x_hydrogen: Numbers = X_HYDROGEN) -> np.ndarray:
    """Hydrogen nuclei [cm^-3] of a mass density [Msun/kpc^3] with hydrogen mass fraction `x_hydrogen`."""
    return np.asarray(rho) * (x_hydrogen * PER_CM3)


def specific_energy(temperature: Numbers, mean_weight: Numbers) -> np.ndarray:
    """Thermal energy of a monatomic gas [(km/s)^2]; `mean_weight` in proton masses."""
    return BOLTZMANN_PER_PROTON * np.asarray(temperature) / (mean_weight * (_GAMMA - 1))


def mean_weight(electron_abundance: Numbers) -> np.ndarray:
    """Mean molecular weight, 4 / (1 + 3 X + 4 X n_e/n_H) (TNG data release)."""
    return 4.0 / (1 + 3 * X_HYDROGEN + 4 * X_HYDROGEN * np.asarray(electron_abundance))


def collisional_state(temperature: Numbers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Primordial gas in collisional equilibrium (Katz, Weinberg & Hernquist 1996, ApJS 105, 19, tables 1 and 2).

    Parameters
    ----------
    temperature : array_like
        K.

    Returns
    -------
    neutral, electrons, cooling : ndarray
        n_HI/n_H, n_e/n_H, and the cooling rate Lambda/n_H^2 [erg cm^3/s].
    """
    t = np.asarray(temperature, dtype=float)
    root, fade = np.sqrt(t), 1 / (1 + np.sqrt(t / 1e5))
    slow = (t / 1e3) ** -0.2 / (1 + (t / 1e6) ** 0.7)
    dielectronic = t**-1.5 * np.exp(-470000 / t) * (1 + 0.3 * np.exp(-94000 / t))
    recombine_h = 8.4e-11 / root * slow
    recombine_he1 = 1.5e-10 * t**-0.6353 + 1.9e-3 * dielectronic
    recombine_he2 = 3.36e-10 / root * slow
    ionise_h = 5.85e-11 * root * np.exp(-157809.1 / t) * fade
    ionise_he0 = 2.38e-11 * root * np.exp(-285335.4 / t) * fade
    ionise_he1 = 5.68e-12 * root * np.exp(-631515.0 / t) * fade

    helium = (1 - X_HYDROGEN) / (4 * X_HYDROGEN)
    h0 = recombine_h / (recombine_h + ionise_h)
    he1_over_he0, he2_over_he1 = ionise_he0 / recombine_he1, ionise_he1 / recombine_he2
    he0 = helium / (1 + he1_over_he0 * (1 + he2_over_he1))
    he1 = he0 * he1_over_he0
    he2 = he1 * he2_over_he1
    h1 = 1 - h0
    electrons = h1 + he1 + 2 * he2
    gaunt = 1.1 + 0.34 * np.exp(-((5.5 - np.log10(t)) ** 2) / 3)
    per_electron = (
        7.5e-19 * np.exp(-118348 / t) * fade * h0
        + 5.54e-17 * t**-0.397 * np.exp(-473638 / t) * fade * he1
        + 1.27e-21 * root * np.exp(-157809.1 / t) * fade * h0
        + 9.38e-22 * root * np.exp(-285335.4 / t) * fade * he0
        + 4.95e-22 * root * np.exp(-631515.0 / t) * fade * he1
        + 8.7e-27 * root * slow * h1
        + 1.55e-26 * t**0.3647 * he1
        + 1.24e-13 * dielectronic * he1
        + 3.48e-26 * root * slow * he2
        + 1.42e-27 * gaunt * root * (h1 + he1 + 4 * he2)
    )
    return h0, electrons, electrons * per_electron


def _hot_temperature(n_h: Numbers) -> np.ndarray:
    """Temperature of the hot phase [K]: 1000 + 5.73e7/(1 + 573 (n/n_th)^-0.8)."""
    return T_COLD + T_SUPERNOVA / (1 + A0 * np.maximum(n_h / N_THRESHOLD, 1.0) ** -0.8)


def _phase_energies(n_h: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """Specific energies of the cold (neutral) and the hot (ionised) phase."""
    cold = specific_energy(T_COLD, 4 / (1 + 3 * X_HYDROGEN))
    return cold, specific_energy(_hot_temperature(n_h), 4 / (3 + 5 * X_HYDROGEN))


@lru_cache(maxsize=1)
def _state_table() -> tuple[np.ndarray, np.ndarray]:
    log_n = np.linspace(np.log10(N_THRESHOLD), 5.0, 200)
    n = 10**log_n
    cold, hot = _phase_energies(n)
    # Gas of 10^4 K has the mean weight of full ionisation in AREPO, in both places where it enters.
    warm = specific_energy(T_WARM, 4 / (3 + 5 * X_HYDROGEN))
    # The model has to join that gas at the threshold (SH03, eq. 23), which fixes y there, and so everywhere.
    share = (hot[0] - warm) / (hot[0] - cold)
    loss = collisional_state(_hot_temperature(n))[2]
    y = share / (1 - share) ** 2 * (n / N_THRESHOLD) ** 0.5 * loss / loss[0]
    clouds = 1 + 1 / (2 * y) - np.sqrt(1 / y + 1 / (4 * y**2))
    two_phase = clouds * cold + (1 - clouds) * hot
    return log_n, SOFTENING * two_phase + (1 - SOFTENING) * warm


def star_forming_energy(n_h: Numbers) -> np.ndarray:
    """Effective specific energy of star-forming gas of hydrogen density `n_h` [(km/s)^2].

    The two-phase model of Springel & Hernquist (2003) with the cooling of a primordial gas, softened as in TNG.
    Constant below the threshold density.
    """
    log_n, energy = _state_table()
    return np.interp(np.log10(n_h), log_n, energy)


def star_forming_neutral_fraction(n_h: Numbers, energy: Numbers) -> np.ndarray:
    """Neutral fraction of a star-forming cell, (u_h - u)/(u_h - u_c): the cold clouds of the two-phase model.

    This is the usual correction of TNG gas (Stevens et al. 2019, MNRAS 483, 5334; Diemer et al. 2018).
    """
    cold, hot = _phase_energies(n_h)
    return np.clip((hot - energy) / (hot - cold), 0.0, 1.0)


def neutral_fraction(n_h: Numbers, temperature: Numbers = T_WARM) -> np.ndarray:
    """n_HI/n_H of photo-ionised, self-shielded gas: Rahmati et al. (2013), eqs. A1 to A8, at z = 0.

    Parameters
    ----------
    n_h : array_like
        cm^-3.
    temperature : array_like
        K.
    """
    n_h, t = np.asarray(n_h, dtype=float), np.asarray(temperature, dtype=float)
    x = n_h / 1.148e-3
    photons = UV_BACKGROUND * (0.99 * (1 + x**1.29) ** -3.98 + 0.01 * (1 + x) ** -1.09)
    lam = 315614.0 / t
    recombination = 1.269e-13 * lam**1.503 / (1 + (lam / 0.522) ** 0.47) ** 1.923
    collisions = 1.17e-10 * np.sqrt(t) * np.exp(-157809.0 / t) / (1 + np.sqrt(t / 1e5))
    a = recombination + collisions
    b = 2 * recombination + photons / n_h + collisions
    return (b - np.sqrt(np.maximum(b**2 - 4 * a * recombination, 0.0))) / (2 * a)


def molecular_ratio(n_h: Numbers, energy: Numbers, neutral: Numbers) -> np.ndarray:
    """H2 to HI from the pressure of the neutral gas: Leroy et al. (2008), (P/k / 1.7e4 K cm^-3)^0.8."""
    # P/k = (gamma - 1) u rho / k, with rho = n_H m_p / X
    pressure = (_GAMMA - 1) * np.asarray(energy) / BOLTZMANN_PER_PROTON * np.asarray(n_h) / X_HYDROGEN * neutral
    return (pressure / 1.7e4) ** 0.8


@lru_cache(maxsize=2)
def layer_table(star_forming: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Properties of a sech^2 layer of gas as functions of the density in its mid-plane.

    Parameters
    ----------
    star_forming : bool
        Whether gas above the threshold forms stars; otherwise all gas is warm.

    Returns
    -------
    log_n : ndarray
        log10 of the mid-plane n_H [cm^-3].
    atomic, neutral : ndarray
        Fractions of all hydrogen in the layer.
    thermal2 : ndarray
        Thermal pressure over density in the mid-plane [(km/s)^2].
    """
    log_n = np.linspace(-6.0, 4.0, 201)
    # Equal-mass slices of the layer: at the slice of quantile q the density is 1 - q^2 of the middle's.
    q = (np.arange(20) + 0.5) / 20
    n = 10 ** log_n[:, None] * (1 - q**2)
    neutral, energy = cell_state(n, (n > N_THRESHOLD) & star_forming)
    atomic = neutral / (1 + molecular_ratio(n, energy, neutral))
    return log_n, atomic.mean(axis=1), neutral.mean(axis=1), (_GAMMA - 1) * energy[:, 0]


def cell_state(n_h: Numbers, star_forming: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """Neutral fraction (as readers correct it) and specific energy of cold cells.

    Parameters
    ----------
    n_h : ndarray
        cm^-3.
    star_forming : ndarray of bool

    Returns
    -------
    neutral, energy : ndarray
    """
    warm_neutral = neutral_fraction(n_h)
    warm_energy = specific_energy(T_WARM, mean_weight(1 - warm_neutral))
    energy = np.where(star_forming, star_forming_energy(n_h), warm_energy)
    neutral = np.where(star_forming, star_forming_neutral_fraction(n_h, energy), warm_neutral)
    return neutral, energy
