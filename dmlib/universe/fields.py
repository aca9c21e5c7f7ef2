"""What the TNG fields mean: their unit in the files, and the physical unit that dmlib gives them.

Source: the field tables of the TNG data release (Nelson et al. 2019, https://www.tng-project.org/data/docs/).
"""

from __future__ import annotations

import difflib
from collections.abc import Collection

import numpy as np
from astropy import units as u

from ..units import CodeUnits

#: Snapshots of the TNG runs that are stored in full; the others ("mini") lack the fields of `FULL_ONLY`.
FULL_SNAPSHOTS = (2, 3, 4, 6, 8, 11, 13, 17, 21, 25, 33, 40, 50, 59, 67, 72, 78, 84, 91, 99)

#: Particle fields that mini snapshots lack.
FULL_ONLY = frozenset({"CenterOfMass", "GFM_Metals", "NeutralHydrogenAbundance", "StellarHsml", "GFM_MetalsTagged"})

#: (1e10 Msun/h) / (0.978 Gyr/h) in Msun/yr; h cancels.
_ACCRETION = 1e10 / 0.978e9

#: Magnitudes above this are the sentinel of a subhalo without stars.
_NO_MAGNITUDE = 1e10

_MASS = {"SubhaloBHMass", "SubhaloWindMass", "SubhaloStellarPhotometricsMassInRad", "GroupBHMass", "GroupWindMass"}
_LENGTH = {
    *("SubhaloPos", "SubhaloCM", "SubhaloHalfmassRad", "SubhaloHalfmassRadType", "SubhaloVmaxRad"),
    *("SubhaloStellarPhotometricsRad", "GroupPos", "GroupCM"),
}
_PARTICLE_LENGTH = {"Coordinates", "CenterOfMass", "BirthPos", "StellarHsml", "SubfindHsml", "BH_Hsml"}
_PARTICLE_MASS = {"Masses", "GFM_InitialMass", "BH_Mass", "GFM_WindHostHaloMass", "BH_HostHaloMass"}
_PARTICLE_DENSITY = {"Density", "SubfindDensity", "SubfindDMDensity", "BH_Density"}

#: Second dimension of the vector fields, needed for an object that has no particle of a type.
VECTOR_LENGTH = {
    **dict.fromkeys(("Coordinates", "Velocities", "CenterOfMass", "BirthPos", "BirthVel", "MagneticField"), 3),
    "GFM_Metals": 10,
    "GFM_MetalsTagged": 6,
    "GFM_StellarPhotometrics": 8,
}


def catalogue_unit(field: str, units: CodeUnits) -> tuple[float, u.UnitBase | None]:
    """Factor and physical unit of a group-catalogue field.

    Parameters
    ----------
    field : str
        TNG name, for example ``SubhaloMassType``.
    units : CodeUnits

    Returns
    -------
    factor : float
        Stored value times `factor` is in the returned unit.
    unit : astropy unit or None
        Msun, physical kpc, km/s, kpc km/s, Msun/yr or mag; None for counts, indices, flags, fractions, and for
        the magnetic field, which stays in code units.
    """
    name = field
    if name in _MASS or name.startswith(("SubhaloMass", "GroupMass", "Group_M_")):
        return units.mass, u.Msun
    if name in _LENGTH or name.startswith("Group_R_"):
        return units.length, u.kpc
    if name == "GroupVel":
        return 1.0 / units.a, u.km / u.s
    if name in {"SubhaloVel", "SubhaloVmax", "SubhaloVelDisp"}:
        return 1.0, u.km / u.s
    if name == "SubhaloSpin":
        return 1.0 / units.h, u.kpc * u.km / u.s
    if name in {"SubhaloBHMdot", "GroupBHMdot"}:
        return _ACCRETION, u.Msun / u.yr
    if name == "GroupSFR" or name.startswith("SubhaloSFR"):
        return 1.0, u.Msun / u.yr
    if name == "SubhaloStellarPhotometrics":
        return 1.0, u.mag
    return 1.0, None


def physical_column(field: str, values: np.ndarray, units: CodeUnits) -> np.ndarray | u.Quantity:
    """A catalogue column as stored -> as dmlib gives it, with its physical unit.

    Parameters
    ----------
    field : str
        TNG name.
    values : ndarray
        As stored.
    units : CodeUnits
    """
    factor, unit = catalogue_unit(field, units)
    if field == "GroupFirstSub":
        # Some files store it unsigned, so that "no subhalo" reads 2^32 - 1.
        values = values.astype(np.int64).astype(np.int32)
    if field == "SubhaloFlag":
        values = values.astype(bool)
    if unit is u.mag:
        values = np.where(np.abs(values) > _NO_MAGNITUDE, np.nan, values)
    return values if unit is None else values.astype(np.float64) * factor * unit


def particle_factor(field: str, units: CodeUnits) -> float:
    """Factor that turns a stored particle field into physical units (kpc, Msun, km/s, Msun/kpc^3, (km/s)^2).

    Fields without h or scale factor (star formation rate, abundances, internal energy, formation time) give 1.
    """
    if field in _PARTICLE_LENGTH:
        return units.length
    if field in _PARTICLE_MASS:
        return units.mass
    if field in _PARTICLE_DENSITY:
        return units.density
    if field == "Velocities":
        return units.velocity
    if field == "Potential":
        return 1.0 / units.a
    if field.startswith("BH_Mdot"):
        return _ACCRETION
    return 1.0


def suggestion(field: str, known: Collection[str]) -> str:
    """A clause that names the fields most like the one asked for; empty when nothing is near."""
    near = difflib.get_close_matches(field, sorted(known), n=3, cutoff=0.6)
    return f" (did you mean {', '.join(near)}?)" if near else ""


def dm_particle_mass(omega_m: float, omega_b: float, h: float, box: float, n_side: int) -> float:
    """Mass of a dark-matter particle, ``rho_crit (Om - Ob) V / n_side^3`` [Msun].

    Parameters
    ----------
    omega_m, omega_b, h : float
        Cosmology.
    box : float
        Side of the box [ckpc/h].
    n_side : int
        Particles along a side (1820 for TNG100-1).
    """
    rho_crit = 277.5366  # Msun h^2 / kpc^3, 3 (100 km/s/Mpc)^2 / (8 pi G)
    return float((omega_m - omega_b) * rho_crit * np.float64(box) ** 3 / n_side**3 / h)
