"""Data sets of the TNG public release: names, shapes, dtypes, unit attributes, and our rounding.

From the data release (Nelson et al. 2019, Computational Astrophysics and Cosmology 6, 2; field tables at
https://www.tng-project.org/data/docs/specifications/) and from real files.

Two things differ from TNG, and the files say so (`layout.disclaimer`, and the attribute ``precision`` of a data set):

* Fields without physics here (magnetic field, shocks, tagged metals, birth places, ...) have the right shape, a
  constant value and the attribute ``not_modelled``.
* Values are rounded before compression, so that the tree stays small: positions to 2^-10 ckpc/h (1.4 pc), velocities
  to 2^-4 km/s, metal fractions to 2^-20, magnitudes to 2^-10, birth scale factors to 2^-20, other numbers to the
  mantissa bits given in `PARTICLE_FIELDS`. The catalogue is measured from the rounded values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

N_TYPES = 6

#: Positions are multiples of this [ckpc/h]; it divides the box.
COORDINATE_STEP = 2.0**-10

#: Metal fractions are multiples of this, so that they can sum to 1 exactly in float32.
METAL_STEP = 2.0**-20

#: Units of length, mass and velocity [cm, g, cm/s].
LENGTH_CM, MASS_G, VELOCITY_CM_S = 3.085678e21, 1.989e43, 1e5
_PRESSURE = MASS_G / LENGTH_CM**3 * VELOCITY_CM_S**2


class Units(NamedTuple):
    """Unit attributes of a data set, as AREPO writes them: powers of a and h, dimensions, and the unit in cgs."""

    a_scaling: float = 0.0
    h_scaling: float = 0.0
    length_scaling: float = 0.0
    mass_scaling: float = 0.0
    velocity_scaling: float = 0.0
    to_cgs: float = 0.0


_PURE = Units()
_POSITION = Units(1.0, -1.0, 1.0, 0.0, 0.0, LENGTH_CM)
_PARTICLE_VELOCITY = Units(0.5, 0.0, 0.0, 0.0, 1.0, VELOCITY_CM_S)
_SPEED = Units(0.0, 0.0, 0.0, 0.0, 1.0, VELOCITY_CM_S)
_PARTICLE_MASS = Units(0.0, -1.0, 0.0, 1.0, 0.0, MASS_G)
_DENSITY = Units(-3.0, 2.0, -3.0, 1.0, 0.0, MASS_G / LENGTH_CM**3)
_ENERGY = Units(0.0, 0.0, 0.0, 0.0, 2.0, VELOCITY_CM_S**2)
_POTENTIAL = Units(-1.0, 0.0, 0.0, 0.0, 2.0, VELOCITY_CM_S**2)
_SFR = Units(0.0, 0.0, -1.0, 1.0, 1.0, 1.989e33 / 3.15576e7)
_ACCRETION = Units(0.0, 0.0, -1.0, 1.0, 1.0, MASS_G * VELOCITY_CM_S / LENGTH_CM)
_MAGNETIC = Units(-2.0, 1.0, -1.5, 0.5, 1.0, _PRESSURE**0.5)
_BH_ENERGY = Units(0.0, -1.0, 0.0, 1.0, 2.0, MASS_G * VELOCITY_CM_S**2)
_BH_PRESSURE = Units(-3.0, 2.0, -3.0, 1.0, 2.0, _PRESSURE)


@dataclass(frozen=True)
class Field:
    """One data set of a ``PartType`` group.

    Parameters
    ----------
    name : str
    units : Units
    columns : int
        Second dimension; 1 for a flat array.
    dtype : str
    bits : int
        Number of mantissa bits kept; 0 keeps all.
    step : float
        Values are rounded to multiples of it; 0 for no such rounding.
    constant : float or None
        Value of a field without physics here.
    """

    name: str
    units: Units = _PURE
    columns: int = 1
    dtype: str = "f4"
    bits: int = 0
    step: float = 0.0
    constant: float | None = None

    def shape(self, n: int) -> tuple[int, ...]:
        """Shape of the data set for `n` particles."""
        return (n,) if self.columns == 1 else (n, self.columns)

    @property
    def precision(self) -> str:
        """The rounding of the values, in words."""
        if self.constant is not None:
            return "constant"
        if self.step:
            return f"rounded to multiples of {self.step:g}"
        return f"rounded to {self.bits} mantissa bits" if self.bits else "as computed"


def _of_every_type() -> tuple[Field, ...]:
    return (
        Field("Coordinates", _POSITION, 3, "f8", step=COORDINATE_STEP),
        Field("Velocities", _PARTICLE_VELOCITY, 3, step=2.0**-4),
        Field("ParticleIDs", _PURE, dtype="u8"),
        Field("Potential", _POTENTIAL, bits=16),
        Field("SubfindDensity", _DENSITY, bits=7),
        Field("SubfindDMDensity", _DENSITY, bits=7),
        Field("SubfindHsml", _POSITION, bits=7),
        Field("SubfindVelDisp", _SPEED, bits=7),
    )


#: Data sets of gas, dark matter, stars with wind, and black holes, in the order of the release's tables.
PARTICLE_FIELDS: dict[int, tuple[Field, ...]] = {
    0: (
        *_of_every_type(),
        Field("CenterOfMass", _POSITION, 3),
        Field("Masses", _PARTICLE_MASS, bits=12),
        Field("Density", _DENSITY, bits=12),
        Field("InternalEnergy", _ENERGY, bits=12),
        Field("InternalEnergyOld", _ENERGY, bits=12),
        Field("ElectronAbundance", bits=10),
        Field("NeutralHydrogenAbundance", bits=12),
        Field("StarFormationRate", _SFR, bits=12),
        Field("GFM_Metals", columns=10, step=METAL_STEP),
        Field("GFM_Metallicity", step=METAL_STEP),
        Field("GFM_MetalsTagged", columns=6, constant=0.0),
        *(Field(name, constant=0.0) for name in ("GFM_CoolingRate", "GFM_AGNRadiation")),
        Field("GFM_WindDMVelDisp", _SPEED, constant=0.0),
        Field("GFM_WindHostHaloMass", _PARTICLE_MASS, constant=0.0),
        Field("MagneticField", _MAGNETIC, 3, constant=0.0),
        *(Field(name, constant=0.0) for name in ("MagneticFieldDivergence", "EnergyDissipation", "Machnumber")),
    ),
    1: _of_every_type(),
    4: (
        *_of_every_type(),
        Field("Masses", _PARTICLE_MASS, bits=12),
        Field("GFM_InitialMass", _PARTICLE_MASS, bits=12),
        Field("GFM_StellarFormationTime", step=2.0**-20),
        Field("GFM_Metals", columns=10, step=METAL_STEP),
        Field("GFM_Metallicity", step=METAL_STEP),
        Field("GFM_MetalsTagged", columns=6, constant=0.0),
        Field("GFM_StellarPhotometrics", columns=8, step=2.0**-10),
        Field("StellarHsml", _POSITION, bits=10),
        Field("BirthPos", _POSITION, 3, constant=0.0),
        Field("BirthVel", _PARTICLE_VELOCITY, 3, constant=0.0),
    ),
    5: (
        *_of_every_type(),
        Field("Masses", _PARTICLE_MASS),
        Field("BH_Mass", _PARTICLE_MASS),
        Field("BH_Mdot", _ACCRETION),
        Field("BH_MdotBondi", _ACCRETION),
        Field("BH_MdotEddington", _ACCRETION),
        Field("BH_Hsml", _POSITION, constant=0.0),
        Field("BH_Density", _DENSITY, constant=0.0),
        Field("BH_Pressure", _BH_PRESSURE, constant=0.0),
        Field("BH_BPressure", _BH_PRESSURE, constant=0.0),
        Field("BH_U", _ENERGY, constant=0.0),
        Field("BH_Progs", dtype="i4", constant=1.0),
        Field("BH_HostHaloMass", _PARTICLE_MASS),
        *(Field(f"BH_CumEgyInjection_{mode}", _BH_ENERGY, constant=0.0) for mode in ("QM", "RM")),
        Field("BH_CumMassGrowth_QM", _PARTICLE_MASS),
        Field("BH_CumMassGrowth_RM", _PARTICLE_MASS, constant=0.0),
    ),
}

_OVERDENSITIES = ("Crit200", "Crit500", "Mean200", "TopHat200")

_NUMBER, _VECTOR = ("f4", 1), ("f4", 3)

#: name -> (dtype, columns) of the 25 group fields
GROUP_FIELDS: dict[str, tuple[str, int]] = {
    "GroupLen": ("i4", 1),
    "GroupLenType": ("i4", N_TYPES),
    "GroupNsubs": ("i4", 1),
    "GroupFirstSub": ("i4", 1),
    "GroupMass": ("f4", 1),
    "GroupMassType": ("f4", N_TYPES),
    **dict.fromkeys(("GroupWindMass", "GroupBHMass", "GroupBHMdot"), _NUMBER),
    **dict.fromkeys(("GroupPos", "GroupCM", "GroupVel"), _VECTOR),
    **dict.fromkeys(("GroupSFR", "GroupGasMetallicity", "GroupStarMetallicity"), _NUMBER),
    **dict.fromkeys(("GroupGasMetalFractions", "GroupStarMetalFractions"), ("f4", 10)),
    **{f"Group_{quantity}_{name}": _NUMBER for quantity in "MR" for name in _OVERDENSITIES},
}

_APERTURES = ("InRad", "InHalfRad", "InMaxRad")

#: name -> (dtype, columns) of the 51 subhalo fields
SUBHALO_FIELDS: dict[str, tuple[str, int]] = {
    "SubhaloLen": ("i4", 1),
    "SubhaloLenType": ("i4", N_TYPES),
    "SubhaloGrNr": ("i4", 1),
    "SubhaloParent": ("i4", 1),
    "SubhaloIDMostbound": ("u8", 1),
    "SubhaloFlag": ("?", 1),
    **dict.fromkeys(("SubhaloPos", "SubhaloCM", "SubhaloVel", "SubhaloSpin"), _VECTOR),
    "SubhaloMass": ("f4", 1),
    "SubhaloMassType": ("f4", N_TYPES),
    **{f"SubhaloMass{name}": ("f4", 1) for name in _APERTURES},
    **{f"SubhaloMass{name}Type": ("f4", N_TYPES) for name in _APERTURES},
    "SubhaloHalfmassRad": ("f4", 1),
    "SubhaloHalfmassRadType": ("f4", N_TYPES),
    **dict.fromkeys(("SubhaloVmax", "SubhaloVmaxRad", "SubhaloVelDisp", "SubhaloSFR"), _NUMBER),
    **{f"SubhaloSFRin{name}": _NUMBER for name in ("Rad", "HalfRad", "MaxRad")},
    **{f"Subhalo{name}": _NUMBER for name in ("BHMass", "BHMdot", "WindMass", "BfldDisk", "BfldHalo")},
    **{f"SubhaloGasMetallicity{name}": ("f4", 1) for name in ("", "HalfRad", "MaxRad", "Sfr", "SfrWeighted")},
    **{f"SubhaloGasMetalFractions{name}": ("f4", 10) for name in ("", "HalfRad", "MaxRad", "Sfr", "SfrWeighted")},
    **{f"SubhaloStarMetallicity{name}": ("f4", 1) for name in ("", "HalfRad", "MaxRad")},
    **{f"SubhaloStarMetalFractions{name}": ("f4", 10) for name in ("", "HalfRad", "MaxRad")},
    "SubhaloStellarPhotometrics": ("f4", 8),
    **dict.fromkeys(("SubhaloStellarPhotometricsRad", "SubhaloStellarPhotometricsMassInRad"), _NUMBER),
}


def empty_rows(fields: dict[str, tuple[str, int]], n: int) -> dict[str, np.ndarray]:
    """Zeros for `n` rows of catalogue fields."""
    return {name: np.zeros((n,) if columns == 1 else (n, columns), dtype) for name, (dtype, columns) in fields.items()}
