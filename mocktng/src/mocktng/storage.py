"""From the particles of a group to the data sets of a file: positions in the box, ids, derived fields, rounding.

Everything is in TNG code units at a = 1: ckpc/h, km/s, 1e10 Msun/h.
"""

from __future__ import annotations

import numpy as np

from .fields import COORDINATE_STEP, METAL_STEP, PARTICLE_FIELDS, Field
from .population import Population
from .units import BOX_TNG100, HUBBLE, MASS, OMEGA_B

Arrays = dict[str, np.ndarray]

#: Outer fuzz, particles outside all groups, as a fraction of all planned particles of a type.
OUTER_FUZZ = {0: 0.01, 1: 0.02}

_EDDINGTON_RATIO = 1e-3


def round_mantissa(values: np.ndarray, bits: int) -> np.ndarray:
    """Round float32 values to `bits` explicit mantissa bits, so that the rest compresses away.

    The relative error is at most 2^-(bits + 1); zeros and signs stay.
    """
    values = np.ascontiguousarray(values, dtype=np.float32)
    dropped = 23 - bits
    if dropped <= 0:
        return values
    raw = values.view(np.uint32)
    half, mask = np.uint32(1 << (dropped - 1)), np.uint32(0xFFFFFFFF - ((1 << dropped) - 1))
    return ((raw + half) & mask).view(np.float32)


def round_step(values: np.ndarray, step: float) -> np.ndarray:
    """Round to multiples of `step`, in double precision."""
    return np.rint(np.asarray(values, dtype=np.float64) / step) * step


def place_in_box(coordinates: np.ndarray, centre: np.ndarray, step: float) -> np.ndarray:
    """Positions in the periodic box, in [0, box), rounded to multiples of `step`, which divides the box.

    Parameters
    ----------
    coordinates : ndarray, shape (n, 3)
        Relative to the group's centre [ckpc/h].
    centre : ndarray, shape (3,)
        [ckpc/h]
    step : float
        [ckpc/h]
    """
    return np.mod(round_step(coordinates + centre, step), BOX_TNG100)


def round_metals(metals: np.ndarray, step: float) -> np.ndarray:
    """Round mass fractions to multiples of `step`; hydrogen is the remainder, so that rows sum to 1 exactly."""
    units = np.rint(np.asarray(metals, dtype=np.float64) / step)
    units[:, 0] = np.rint(1.0 / step) - units[:, 1:].sum(axis=1)
    return (units * step).astype(np.float32)


def _rounded(field: Field, values: np.ndarray) -> np.ndarray:
    if field.name == "GFM_StellarFormationTime":
        # Zero means wind: the birth time of a star must not be rounded to it.
        stars = np.asarray(values) > 0
        return np.where(stars, np.maximum(round_step(values, field.step), field.step), values).astype(np.float32)
    if field.step:
        return round_step(values, field.step).astype(field.dtype)
    if field.bits:
        return round_mantissa(values, field.bits)
    return np.ascontiguousarray(values, dtype=field.dtype)


def particle_ids(group_id: int, part_type: int, n: int) -> np.ndarray:
    """Ids that are unique in the universe, never 0, and below 2^53 (some readers keep ids in doubles).

    Three bits of type, 22 of group (plus one), 28 of place in the group.
    """
    if n >= 1 << 28 or group_id + 1 >= 1 << 22:
        raise ValueError(f"group {group_id} with {n} particles does not fit the ids")
    start = (np.uint64(part_type) << np.uint64(50)) | (np.uint64(group_id + 1) << np.uint64(28))
    return start + np.arange(n, dtype=np.uint64)


def eddington_rate(m_bh: np.ndarray) -> np.ndarray:
    """Eddington accretion rate with the radiative efficiency 0.2 of the TNG model (Weinberger et al. 2017).

    Parameters
    ----------
    m_bh : ndarray
        Black-hole mass [1e10 Msun/h].

    Returns
    -------
    ndarray
        [(1e10 Msun/h) / (0.978 Gyr/h)], the unit of ``BH_Mdot``.
    """
    salpeter_time = 0.45 * 0.2  # Gyr for the whole mass: sigma_T c / (4 pi G m_p) = 0.45 Gyr, times the efficiency
    return np.asarray(m_bh, dtype=np.float64) / salpeter_time * 0.978 / HUBBLE


def _filled(part_type: int, given: Arrays, n: int, m200: float) -> Arrays:
    """Fields that are derived from those that a group's physics gives."""
    extra: Arrays = {}
    if part_type == 0:
        extra["CenterOfMass"] = given["Coordinates"]
        extra["InternalEnergyOld"] = given["InternalEnergy"]
    elif part_type == 5:
        mass = given["Masses"]
        extra["BH_Mass"] = mass
        extra["BH_MdotEddington"] = eddington_rate(mass)
        extra["BH_Mdot"] = _EDDINGTON_RATIO * extra["BH_MdotEddington"]
        extra["BH_MdotBondi"] = extra["BH_Mdot"]
        extra["BH_CumMassGrowth_QM"] = mass
        extra["BH_HostHaloMass"] = np.full(n, m200)
    return {name: values for name, values in extra.items() if name not in given}


def complete(part_type: int, given: Arrays, centre: np.ndarray, group_id: int, m200: float) -> Arrays:
    """All data sets of one particle type of one group as stored, except constant ones.

    Parameters
    ----------
    part_type : int
    given : dict of ndarray
        From `group_particles.make_group`; ``Coordinates`` relative to the group's centre.
    centre : ndarray, shape (3,)
        The group's centre [ckpc/h].
    group_id : int
    m200 : float
        [1e10 Msun/h]

    Returns
    -------
    dict of ndarray
        By TNG name, rounded; without fields of constant value.
    """
    n = len(given["Coordinates"])
    given = {**given, "Coordinates": place_in_box(given["Coordinates"], centre, COORDINATE_STEP)}
    given |= _filled(part_type, given, n, m200)
    given["ParticleIDs"] = particle_ids(group_id, part_type, n)
    if "GFM_Metals" in given:
        given["GFM_Metals"] = round_metals(given["GFM_Metals"], METAL_STEP)
        given["GFM_Metallicity"] = given["GFM_Metals"][:, 2:].sum(axis=1, dtype=np.float64)
    stored: Arrays = {}
    for field in PARTICLE_FIELDS[part_type]:
        if field.name in given:
            stored[field.name] = _rounded(field, given[field.name])
        elif field.constant is None:
            raise KeyError(f"group {group_id}: PartType{part_type} has no {field.name}")
    return stored


def outer_fuzz(population: Population) -> dict[int, Arrays]:
    """Dark matter and diffuse gas outside all groups, distributed evenly in the box.

    There are no filaments here. A real snapshot has such particles after its last group, and readers must not take
    them for members.

    Parameters
    ----------
    population : Population

    Returns
    -------
    dict
        Part type -> data sets, as `complete` gives them.
    """
    rng = np.random.default_rng([population.seed, len(population.groups), 99])
    planned = {
        0: int(population.subhalos["n_gas"].sum() + population.groups["n_gas_fuzz"].sum()),
        1: int(population.subhalos["n_dm"].sum() + population.groups["n_dm_fuzz"].sum()),
    }
    particles = {}
    for part_type, fraction in OUTER_FUZZ.items():
        n = max(16, round(planned[part_type] * fraction))
        given = {
            "Coordinates": rng.random((n, 3)) * BOX_TNG100,
            "Velocities": rng.normal(0.0, 200.0, (n, 3)),
            **{name: np.zeros(n) for name in ("Potential", "SubfindDensity", "SubfindDMDensity", "SubfindVelDisp")},
            "SubfindHsml": np.full(n, 1000.0),
        }
        if part_type == 0:
            given |= _diffuse_gas(n, population.m_baryon / MASS)
        particles[part_type] = complete(part_type, given, np.zeros(3), len(population.groups), 0.0)
    return particles


def _diffuse_gas(n: int, mass: float) -> Arrays:
    """Photo-ionised gas near the mean baryon density, about 1e4 K."""
    metals = np.zeros((n, 10))
    metals[:, 0], metals[:, 1] = 0.76, 0.24
    mean_density = 277.5366e-10 * OMEGA_B  # 1e10 Msun/h / (ckpc/h)^3
    constants = {"Masses": mass, "Density": mean_density, "InternalEnergy": 210.0, "StarFormationRate": 0.0}
    constants |= {"ElectronAbundance": 1.16, "NeutralHydrogenAbundance": 1e-5}
    return {**{name: np.full(n, value) for name, value in constants.items()}, "GFM_Metals": metals}
