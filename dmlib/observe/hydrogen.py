"""How much neutral and atomic hydrogen a gas cell holds.

The simulation does not follow molecules, and its star-forming cells carry the temperature of an effective equation of
state, so the HI mass is a model on top of it. The recipe is the one of MARTINI (>= 2.1.16) for TNG, written here once
more as pure functions on arrays, so that it runs on any universe, after the periodic wrap, and can be tested alone:

1. Cells that form no stars keep the simulation's own ``NeutralHydrogenAbundance`` (ultraviolet background with the
   self-shielding of Rahmati et al. 2013).
2. A star-forming cell is cold clouds (1000 K, neutral) within a hot ionised medium whose temperature follows from the
   Springel & Hernquist (2003) model; the share of the clouds follows from the cell's internal energy (Stevens et al.
   2019; Diemer et al. 2018).
3. Neutral gas divides into HI and H2 by a pressure law, R_mol = (P/P0)^alpha, with the partial pressure of the neutral
   gas (Diemer et al. 2018, eq. 6; Marinacci et al. 2017).

Another recipe gives another HI mass: on the same cells two versions of MARTINI differ by factors of a few, and TNG100
holds about twice the neutral gas observed at z = 0 (Diemer et al. 2019). The network learns whatever is chosen here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from astropy import constants
from astropy import units as u

from ..errors import GalaxyError
from ..units import wrap
from ..universe.base import Scope, Universe

GAMMA = 5.0 / 3.0
#: Density threshold of star formation of the TNG model [hydrogen atoms / cm^3]
N_H_STAR_FORMATION = 0.13
#: Evaporation and supernova temperature of the two-phase model [dimensionless, K] and temperature of its clouds [K]
EVAPORATION, T_SUPERNOVA, T_CLOUD = 573.0, 5.73e7, 1e3

#: Pressure laws of the molecular ratio: P0/k [K/cm^3] and alpha.
PARTITIONS = {
    "leroy08": (1.7e4, 0.8),  # Leroy et al. 2008
    "blitz06": (4.3e4, 0.92),  # Blitz & Rosolowsky 2006
}

#: Full width at half maximum of the cubic-spline kernel, in units of its support radius.
SPLINE_FWHM = 0.7223517244643763
#: Support radius of a cell's kernel, in cell radii (as MARTINI's TNGSource).
SUPPORT_IN_CELL_RADII = 2.5

#: Gas fields that the recipe needs, beside positions and velocities.
HYDROGEN_FIELDS = (
    "Masses",
    "Density",
    "InternalEnergy",
    "ElectronAbundance",
    "NeutralHydrogenAbundance",
    "StarFormationRate",
    "GFM_Metals",
)

_ATOMS_PER_CM3 = (u.Msun / u.kpc**3 / constants.m_p).to_value(u.cm**-3)
_KELVIN = (constants.m_p / constants.k_B * (u.km / u.s) ** 2).to_value(u.K)
_PRESSURE = ((u.km / u.s) ** 2 * u.Msun / u.kpc**3 / constants.k_B).to_value(u.K / u.cm**3)


@dataclass(frozen=True)
class Hydrogen:
    """Hydrogen of gas cells, arrays of shape (n,).

    Parameters
    ----------
    m_hydrogen, m_neutral, m_hi, m_h2 : ndarray
        Mass of all, of neutral, of atomic, and of molecular hydrogen [Msun]; helium is not counted.
    temperature : ndarray
        Gas temperature [K]; for star-forming cells that of the effective equation of state.
    """

    m_hydrogen: np.ndarray
    m_neutral: np.ndarray
    m_hi: np.ndarray
    m_h2: np.ndarray
    temperature: np.ndarray


def hydrogen_density(density: np.ndarray, x_hydrogen: np.ndarray) -> np.ndarray:
    """Hydrogen nuclei per cm^3, from the density [Msun/kpc^3] and the hydrogen mass fraction."""
    return _ATOMS_PER_CM3 * np.asarray(density, dtype=float) * x_hydrogen


def temperature(internal_energy: np.ndarray, x_hydrogen: np.ndarray, electron_abundance: np.ndarray) -> np.ndarray:
    """Gas temperature [K].

    Parameters
    ----------
    internal_energy : ndarray
        Energy per mass [(km/s)^2].
    x_hydrogen : ndarray
        Hydrogen mass fraction.
    electron_abundance : ndarray
        Electrons per hydrogen nucleus.

    Notes
    -----
    T = (gamma - 1) u mu m_p / k_B with mu = 4 / (1 + 3 X + 4 X x_e) (TNG data release, frequently asked questions).
    """
    mu = 4.0 / (1.0 + 3.0 * x_hydrogen + 4.0 * x_hydrogen * electron_abundance)
    return (GAMMA - 1.0) * _KELVIN * np.asarray(internal_energy, dtype=float) * mu


def cloud_fraction(internal_energy: np.ndarray, n_hydrogen: np.ndarray, x_hydrogen: np.ndarray) -> np.ndarray:
    """Neutral fraction of star-forming cells: the mass share of the cold clouds of the two-phase model.

    Parameters
    ----------
    internal_energy : ndarray
        Of the effective equation of state [(km/s)^2].
    n_hydrogen : ndarray
        Hydrogen nuclei per cm^3.
    x_hydrogen : ndarray
        Hydrogen mass fraction.

    Returns
    -------
    ndarray
        f = (u_hot - u) / (u_hot - u_cold), within 0 and 1. (MARTINI does not bound it; a cell outside the model's
        range of energies would have a negative mass.)

    Notes
    -----
    Springel & Hernquist (2003); Stevens et al. (2019): cold clouds of 1000 K with mu = 4/(1 + 3X); hot medium of
    T = 1000 K + T_SN / (1 + A0 (n_H/n_thr)^-0.8) with mu = 4/(3 + 5X), the density not below the threshold.
    """
    internal_energy = np.asarray(internal_energy, dtype=float)
    t_hot = T_CLOUD + T_SUPERNOVA / (1.0 + EVAPORATION * np.maximum(1.0, n_hydrogen / N_H_STAR_FORMATION) ** -0.8)
    u_cold = T_CLOUD / (4.0 / (1.0 + 3.0 * x_hydrogen) * (GAMMA - 1.0) * _KELVIN)
    u_hot = t_hot / (4.0 / (3.0 + 5.0 * x_hydrogen) * (GAMMA - 1.0) * _KELVIN)
    return np.clip((u_hot - internal_energy) / (u_hot - u_cold), 0.0, 1.0)


def atomic_fraction(neutral_pressure: np.ndarray, partition: str = "leroy08") -> np.ndarray:
    """HI share of the neutral hydrogen, 1 / (1 + (P/P0)^alpha).

    Parameters
    ----------
    neutral_pressure : ndarray
        Partial pressure of the neutral gas over Boltzmann's constant [K/cm^3].
    partition : {"leroy08", "blitz06"}
        See `PARTITIONS`.
    """
    p0, alpha = PARTITIONS[partition]
    return 1.0 / (1.0 + (neutral_pressure / p0) ** alpha)


def hydrogen(cells: Mapping[str, np.ndarray], partition: str = "leroy08") -> Hydrogen:
    """Hydrogen in all its forms, cell by cell.

    Parameters
    ----------
    cells : mapping of ndarray
        The fields of `HYDROGEN_FIELDS` by their TNG names, physical units: Masses [Msun], Density [Msun/kpc^3],
        InternalEnergy [(km/s)^2], StarFormationRate [Msun/yr], GFM_Metals shape (n, 10) with hydrogen in column 0.
    partition : {"leroy08", "blitz06"}
        Pressure law that divides the neutral hydrogen.

    Returns
    -------
    Hydrogen
    """
    mass, density, energy = (np.asarray(cells[k], dtype=float) for k in ("Masses", "Density", "InternalEnergy"))
    x = np.asarray(cells["GFM_Metals"][:, 0], dtype=float)
    neutral = np.array(cells["NeutralHydrogenAbundance"], dtype=float)
    forming = np.asarray(cells["StarFormationRate"]) > 0
    n_h = hydrogen_density(density[forming], x[forming])
    neutral[forming] = cloud_fraction(energy[forming], n_h, x[forming])
    pressure = (GAMMA - 1.0) * _PRESSURE * energy * density * neutral
    m_hydrogen = mass * x
    m_neutral = m_hydrogen * neutral
    m_hi = m_neutral * atomic_fraction(pressure, partition)
    electrons = np.asarray(cells["ElectronAbundance"], dtype=float)
    return Hydrogen(m_hydrogen, m_neutral, m_hi, m_neutral - m_hi, temperature(energy, x, electrons))


def cell_fwhm(mass: np.ndarray, density: np.ndarray) -> np.ndarray:
    """Smoothing length of gas cells as the full width at half maximum of a cubic spline [kpc].

    The spline reaches zero at 2.5 radii of the sphere that has the cell's volume, as in MARTINI's TNGSource.

    Parameters
    ----------
    mass : ndarray
        [Msun]
    density : ndarray
        [Msun/kpc^3]
    """
    volume = np.asarray(mass, dtype=float) / np.asarray(density, dtype=float)
    return SUPPORT_IN_CELL_RADII * SPLINE_FWHM * np.cbrt(3.0 * volume / (4.0 * np.pi))


@dataclass(frozen=True)
class HIGas:
    """The HI of one galaxy as particles, centred on it and at rest with it, in the axes of the box.

    Parameters
    ----------
    subhalo_id : int
    positions : ndarray, shape (n, 3)
        Physical kpc from the galaxy's centre, the periodic wrap undone.
    velocities : ndarray, shape (n, 3)
        Peculiar km/s relative to the galaxy.
    m_hi : ndarray, shape (n,)
        HI mass [Msun].
    fwhm : ndarray, shape (n,)
        Smoothing length as full width at half maximum [kpc].
    temperature : ndarray, shape (n,)
        [K]
    """

    subhalo_id: int
    positions: np.ndarray
    velocities: np.ndarray
    m_hi: np.ndarray
    fwhm: np.ndarray
    temperature: np.ndarray

    @property
    def mass(self) -> float:
        """HI mass in all [Msun]."""
        return float(self.m_hi.sum())

    def spin_axis(self, r_max: float = 30.0) -> np.ndarray:
        """Unit vector of the angular momentum of the HI within `r_max` [kpc] of the centre, shape (3,).

        The axis to which inclination and position angle of an HI disc refer: it is the gas that is seen to turn, and in
        a warped or disturbed galaxy its axis is not the stars'.

        Raises
        ------
        GalaxyError
            When no HI lies there, or it does not turn.
        """
        inside = np.einsum("ij,ij->i", self.positions, self.positions) < r_max**2
        spin = self.m_hi[inside] @ np.cross(self.positions[inside], self.velocities[inside])
        length = np.linalg.norm(spin)
        if not length > 0:
            raise GalaxyError(
                f"subhalo {self.subhalo_id} has no turning HI within {r_max:g} kpc, so no axis: ask for random views "
                "without one"
            )
        return spin / length


def hi_gas(
    subhalo_id: int,
    positions: np.ndarray,
    velocities: np.ndarray,
    cells: Mapping[str, np.ndarray],
    *,
    partition: str = "leroy08",
    negligible: float = 1e-3,
) -> HIGas:
    """HI of a galaxy from its gas cells.

    Parameters
    ----------
    subhalo_id : int
        Named in errors.
    positions, velocities : ndarray, shape (n, 3)
        Relative to the galaxy [physical kpc, km/s].
    cells : mapping of ndarray
        See `hydrogen`.
    partition : {"leroy08", "blitz06"}
    negligible : float
        The cells poorest in HI are left out as long as together they hold no more than this share of it; the HI of the
        others is raised by what is lost, so that the total is kept. These are the cells of the hot halo: most of the
        gas in number, the widest kernels, and nothing to see.

    Returns
    -------
    HIGas

    Raises
    ------
    GalaxyError
        When there is no gas, no HI, or a value that is not a finite number.
    """
    if len(positions) == 0:
        raise GalaxyError(f"subhalo {subhalo_id} has no gas cells, so there is no HI to observe")
    for name, values in (("Coordinates", positions), ("Velocities", velocities), *cells.items()):
        bad = int(np.count_nonzero(~np.isfinite(values)))
        if bad:
            raise GalaxyError(
                f"subhalo {subhalo_id}: gas field {name} holds {bad} values that are not finite; the file is damaged"
            )
    parts = hydrogen(cells, partition)
    total = parts.m_hi.sum()
    if not total > 0:
        raise GalaxyError(f"subhalo {subhalo_id} has {len(positions)} gas cells but no HI")
    order = np.argsort(parts.m_hi)
    lost = np.searchsorted(np.cumsum(parts.m_hi[order]), negligible * total)
    # Back to the order of the file: sums in floating point shall not depend on how cells rank by mass.
    keep = np.sort(order[lost:])
    m_hi = parts.m_hi[keep]
    return HIGas(
        int(subhalo_id),
        np.asarray(positions, dtype=float)[keep],
        np.asarray(velocities, dtype=float)[keep],
        m_hi * (total / m_hi.sum()),
        cell_fwhm(cells["Masses"][keep], cells["Density"][keep]),
        parts.temperature[keep],
    )


def load_cells(
    universe: Universe, subhalo_id: int, scope: Scope = "group"
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Read the gas cells about one subhalo.

    Parameters
    ----------
    universe : Universe
    subhalo_id : int
    scope : {"group", "subhalo"}
        All gas of the FoF group, which is what lies in the telescope's beam (MARTINI's TNGSource does the same and says
        why: cutting satellites out leaves holes), or the cells bound to the subhalo alone.

    Returns
    -------
    positions, velocities : ndarray, shape (n, 3)
        From the galaxy's centre, the periodic wrap undone [kpc], and relative to its motion [km/s].
    cells : dict of ndarray
        The fields of `HYDROGEN_FIELDS`.

    Raises
    ------
    UniverseError
        When the tree lacks the fields (a mini snapshot does).
    """
    row = universe.subhalos(("SubhaloPos", "SubhaloVel", "SubhaloGrNr"), np.array([subhalo_id]))
    object_id = int(subhalo_id) if scope == "subhalo" else int(row["SubhaloGrNr"][0])
    cells = universe.particles(object_id, "gas", ["Coordinates", "Velocities", *HYDROGEN_FIELDS], scope)
    centre = row["SubhaloPos"][0].to_value(u.kpc)
    positions = wrap(cells.pop("Coordinates") - centre, universe.header.units.box_kpc)
    velocities = cells.pop("Velocities") - row["SubhaloVel"][0].to_value(u.km / u.s)
    return positions, velocities, cells


def load_hi_gas(
    universe: Universe,
    subhalo_id: int,
    *,
    scope: Scope = "group",
    partition: str = "leroy08",
    negligible: float = 1e-3,
) -> HIGas:
    """Read the gas about one subhalo and find its HI; see `load_cells` and `hi_gas` for arguments and errors."""
    return hi_gas(subhalo_id, *load_cells(universe, subhalo_id, scope), partition=partition, negligible=negligible)


def ring_profile(positions: np.ndarray, axis: np.ndarray, mass: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Mass per area of the disc in rings about an axis, seen face-on [Msun/pc^2].

    Parameters
    ----------
    positions : ndarray, shape (n, 3)
        [kpc]
    axis : ndarray, shape (3,)
        Unit vector.
    mass : ndarray, shape (n,)
        [Msun]
    edges : ndarray, shape (m + 1,)
        Of the rings [kpc].

    Returns
    -------
    ndarray, shape (m,)
    """
    height = positions @ axis
    radius = np.sqrt(np.maximum(np.einsum("ij,ij->i", positions, positions) - height**2, 0.0))
    inside, _ = np.histogram(radius, edges, weights=mass)
    return inside / (np.pi * np.diff(np.asarray(edges) ** 2) * 1e6)


def disc_profiles(
    positions: np.ndarray, axis: np.ndarray, cells: Mapping[str, np.ndarray], edges: np.ndarray
) -> dict[str, dict[str, np.ndarray]]:
    """Surface density of HI and of H2 in rings for every pressure law, ``profiles[partition]["HI" or "H2"]``.

    Arguments as `ring_profile` and `hydrogen`; values [Msun/pc^2], shape (m,).
    """
    profiles = {}
    for partition in PARTITIONS:
        parts = hydrogen(cells, partition)
        masses = {"HI": parts.m_hi, "H2": parts.m_h2}
        profiles[partition] = {phase: ring_profile(positions, axis, mass, edges) for phase, mass in masses.items()}
    return profiles
