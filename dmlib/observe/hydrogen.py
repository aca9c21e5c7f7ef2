"""How much neutral and atomic hydrogen a gas cell holds.

The simulation does not follow molecules, and the temperature of its star-forming cells is that of an effective
equation of state, so the HI mass is modelled afterwards. The recipe is that of MARTINI (>= 2.1.16) for TNG, written
here as pure functions on arrays, so that it runs on any universe, after the periodic wrap, and can be tested alone:

1. Cells that form no stars keep the simulation's own ``NeutralHydrogenAbundance`` (ultraviolet background with the
   self-shielding of Rahmati et al. 2013).
2. A star-forming cell is cold clouds (1000 K, neutral) within a hot ionised medium whose temperature follows from the
   Springel & Hernquist (2003) model; the share of the clouds follows from the cell's internal energy (Stevens et al.
   2019; Diemer et al. 2018).
3. Neutral gas divides into HI and H2 by a pressure law, R_mol = (P/P0)^alpha, with the partial pressure of the neutral
   gas (Diemer et al. 2018, eq. 6; Marinacci et al. 2017).

Another recipe gives another HI mass: for the same cells two versions of MARTINI differ by factors of a few, and TNG100
has about twice the neutral gas observed at z = 0 (Diemer et al. 2019). The network learns whatever is chosen here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from astropy import constants
from astropy import units as u

from ..errors import GalaxyError
from ..galaxy import Component, Galaxy, load_galaxy
from ..universe.base import Universe
from .cube import HISettings

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

#: Dispersion along one axis of the cubic spline in three dimensions, in units of its support radius: half the inverse
#: of H/h = 1.825742 in table 1 of Dehnen & Aly (2012).
SPLINE_DISPERSION = 0.5 / 1.825742

#: Gas fields that the recipe needs in addition to positions and velocities.
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
    m_neutral, m_hi, m_h2 : ndarray
        Mass of neutral, of atomic, and of molecular hydrogen [Msun]; helium is not counted.
    temperature : ndarray
        Gas temperature [K]; for star-forming cells that of the effective equation of state.
    """

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
        range of energies would get a negative mass.)

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
    """Hydrogen in all its phases, cell by cell.

    Parameters
    ----------
    cells : mapping of ndarray
        The fields of `HYDROGEN_FIELDS`, see `dmlib.galaxy.Component.fields`: Masses [Msun], Density [Msun/kpc^3],
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
    m_neutral = mass * x * neutral
    m_hi = m_neutral * atomic_fraction(pressure, partition)
    electrons = np.asarray(cells["ElectronAbundance"], dtype=float)
    return Hydrogen(m_neutral, m_hi, m_neutral - m_hi, temperature(energy, x, electrons))


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

    @classmethod
    def of(cls, galaxy: Galaxy, settings: HISettings | None = None) -> HIGas:
        """The HI of a galaxy's gas cells.

        Parameters
        ----------
        galaxy : Galaxy
            Loaded with ``extra={"gas": HYDROGEN_FIELDS}``; its scope decides whose gas this is. All gas of the FoF
            group is what lies in the telescope's beam (MARTINI's TNGSource also takes it: without the satellites there
            would be holes).
        settings : HISettings, optional
            Of the observation: its pressure law, and the share of the HI that is `negligible`. The cells poorest in HI
            that together hold at most this share are left out, and the HI of the others is raised to keep the total.
            They are the cells of the hot halo: most of the gas in number, with the widest kernels and nothing to see.

        Raises
        ------
        GalaxyError
            When there is no gas, no HI, or a value that is not finite.
        """
        settings, gas = settings or HISettings(), galaxy.gas
        if len(gas) == 0:
            raise GalaxyError(f"{galaxy.name} has no gas cells, so there is no HI to observe")
        galaxy.require_finite("gas", ("Coordinates", "Velocities", *HYDROGEN_FIELDS))
        parts = hydrogen(gas.fields, settings.partition)
        total = parts.m_hi.sum()
        if not total > 0:
            raise GalaxyError(f"{galaxy.name} has {len(gas)} gas cells but no HI")
        rising = np.sort(parts.m_hi)
        lost = np.searchsorted(np.cumsum(rising), settings.negligible * total)
        # In the order of the file, so that floating-point sums do not depend on how cells rank by mass.
        keep = np.flatnonzero(parts.m_hi >= rising[lost])
        m_hi = parts.m_hi[keep]
        return cls(
            galaxy.subhalo_id,
            gas.position[keep],
            gas.velocity[keep],
            m_hi * (total / m_hi.sum()),
            cell_fwhm(gas.mass[keep], gas.extra["Density"][keep]),
            parts.temperature[keep],
        )

    @property
    def mass(self) -> float:
        """Total HI mass [Msun]."""
        return float(self.m_hi.sum())

    def spin_axis(self, r_max: float = 30.0) -> np.ndarray:
        """Unit vector of the angular momentum of the HI within `r_max` [kpc] of the centre, shape (3,).

        Inclination and position angle of an HI disc refer to this axis: an HI map shows the rotation of the gas, whose
        axis differs from that of the stars in a warped or disturbed galaxy.

        Raises
        ------
        GalaxyError
            When there is no HI within `r_max`, or it has no angular momentum.
        """
        inside = np.einsum("ij,ij->i", self.positions, self.positions) < r_max**2
        spin = self.m_hi[inside] @ np.cross(self.positions[inside], self.velocities[inside])
        length = np.linalg.norm(spin)
        if not length > 0:
            raise GalaxyError(
                f"subhalo {self.subhalo_id} has no rotating HI within {r_max:g} kpc, so no spin axis: leave it out"
            )
        return spin / length


def load_hi(universe: Universe, subhalo_id: int, settings: HISettings) -> HIGas:
    """Read the gas of a galaxy, and find its HI as the settings of the observation say; errors as `HIGas.of`."""
    galaxy = load_galaxy(universe, subhalo_id, ["gas"], scope=settings.scope, extra={"gas": HYDROGEN_FIELDS})
    return HIGas.of(galaxy, settings)


def disc_profiles(gas: Component, axis: np.ndarray, edges: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """Face-on surface density of HI and of H2 in rings about an axis, for every pressure law.

    Parameters
    ----------
    gas : Component
        With the fields of `HYDROGEN_FIELDS`.
    axis : ndarray, shape (3,)
        Unit vector, normal of the disc.
    edges : ndarray, shape (m + 1,)
        Edges of the rings [kpc].

    Returns
    -------
    dict
        ``profiles[partition]["HI" or "H2"]``, shape (m,) [Msun/pc^2].
    """
    height = gas.position @ axis
    radius = np.sqrt(np.maximum(np.einsum("ij,ij->i", gas.position, gas.position) - height**2, 0.0))
    area = np.pi * np.diff(np.asarray(edges) ** 2) * 1e6
    profiles = {}
    for partition in PARTITIONS:
        parts = hydrogen(gas.fields, partition)
        masses = {"HI": parts.m_hi, "H2": parts.m_h2}
        profiles[partition] = {
            phase: np.histogram(radius, edges, weights=mass)[0] / area for phase, mass in masses.items()
        }
    return profiles
