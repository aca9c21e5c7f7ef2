"""The group catalogue, measured from the particles as Subfind measures it.

Conventions of the TNG data release (Nelson et al. 2019) and of the AREPO code's Subfind (Springel et al. 2001, 2010):

* wind (``PartType4`` with birth time <= 0) counts as type 4 in lengths and as type 0 in masses and radii;
* centres are the particle of minimum potential; half-mass radii, apertures and circular velocities are about it;
* spin and velocity dispersion are about the centre of mass and its velocity, with the Hubble flow added;
* the circular-velocity maximum leaves out the six innermost particles.

Two things differ from a real catalogue: the particles bound to each subhalo are known and not searched for, and
spherical-overdensity masses count the group's own particles only, because no others are near. Units are those of the
files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .fields import GROUP_FIELDS, N_TYPES, SUBHALO_FIELDS, empty_rows
from .measures import angular_momentum, half_mass_radius, overdensity_sphere, photometric_radius, square
from .units import BOX_TNG100, OMEGA_M, G, wrap

#: Newton's constant [ckpc/h (km/s)^2 / (1e10 Msun/h)]
G_CODE = G * 1e10

#: Hubble flow [km/s per ckpc/h]
HUBBLE_FLOW = 0.1

#: Magnitude of objects without stars, as in real catalogues
NO_MAGNITUDE = 1e37

_X = OMEGA_M - 1.0

#: Mean density within Group_R_... in units of the critical density; TopHat200 is Bryan & Norman (1998), eq. 6
OVERDENSITY = {
    "Crit200": 200.0,
    "Crit500": 500.0,
    "Mean200": 200.0 * OMEGA_M,
    "TopHat200": 18.0 * np.pi**2 + 82.0 * _X - 39.0 * _X**2,
}


@dataclass(frozen=True)
class Baryons:
    """Chemistry and light of a group's gas and stars: gas first, then stars with wind.

    Parameters
    ----------
    metals : ndarray, shape (n, 10)
        Mass fractions.
    metallicity : ndarray, shape (n,)
    magnitudes : ndarray, shape (n_stars, 8)
    n_gas : int
    """

    metals: np.ndarray
    metallicity: np.ndarray
    magnitudes: np.ndarray
    n_gas: int


@dataclass(frozen=True)
class Members:
    """Particles of all types of one group or subhalo, one row each.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        Relative to the group's centre, periodic wrapping undone [ckpc/h].
    velocity : ndarray, shape (n, 3)
        [km/s]
    mass : ndarray
        [1e10 Msun/h]
    kind : ndarray of int
        Type to which the mass counts: 0 gas and wind, 1 dark matter, 4 stars, 5 black holes.
    wind : ndarray of bool
    potential, energy : ndarray
        Potential, and internal energy of gas (0 for other types) [(km/s)^2].
    ids : ndarray of uint64
    sfr, bh_mass, bh_mdot : ndarray
        0 for other types [Msun/yr, 1e10 Msun/h, code].
    baryon : ndarray of int
        Row in `baryons`, -1 for dark matter and black holes.
    baryons : Baryons
        Shared by all members of a group.
    """

    position: np.ndarray
    velocity: np.ndarray
    mass: np.ndarray
    kind: np.ndarray
    wind: np.ndarray
    potential: np.ndarray
    energy: np.ndarray
    ids: np.ndarray
    sfr: np.ndarray
    bh_mass: np.ndarray
    bh_mdot: np.ndarray
    baryon: np.ndarray
    baryons: Baryons

    def take(self, spans: Sequence[slice]) -> Members:
        """Select spans of rows."""
        columns = {name: getattr(self, name) for name in _COLUMNS}
        return Members(
            **{name: np.concatenate([values[span] for span in spans]) for name, values in columns.items()},
            baryons=self.baryons,
        )


_COLUMNS = tuple(name for name in Members.__dataclass_fields__ if name != "baryons")


def gather(particles: dict[int, dict[str, np.ndarray]], centre: np.ndarray, m_dm: float) -> Members:
    """Join the stored data sets of one group into one table, type after type.

    Parameters
    ----------
    particles : dict
        Part type -> data sets as stored.
    centre : ndarray, shape (3,)
        The group's centre in the box [ckpc/h].
    m_dm : float
        Mass of a dark-matter particle [1e10 Msun/h].
    """
    columns: dict[str, list[np.ndarray]] = {name: [] for name in _COLUMNS}
    baryons = [particles[part_type] for part_type in (0, 4) if part_type in particles]
    n_gas = len(particles[0]["Masses"]) if 0 in particles else 0
    first_baryon = {0: 0, 4: n_gas}
    for part_type in sorted(particles):
        fields = particles[part_type]
        n = len(fields["Coordinates"])
        wind = fields["GFM_StellarFormationTime"] <= 0 if part_type == 4 else np.zeros(n, bool)
        zeros = np.zeros(n, np.float32)
        start = first_baryon.get(part_type)
        row = {
            "position": wrap(fields["Coordinates"] - centre, BOX_TNG100),
            "velocity": fields["Velocities"],
            "mass": np.full(n, m_dm) if part_type == 1 else fields["Masses"].astype(np.float64),
            "kind": np.where(wind, 0, part_type).astype(np.int8),
            "wind": wind,
            "potential": fields["Potential"],
            "energy": fields.get("InternalEnergy", zeros),
            "ids": fields["ParticleIDs"],
            "sfr": fields.get("StarFormationRate", zeros),
            "bh_mass": fields.get("BH_Mass", zeros),
            "bh_mdot": fields.get("BH_Mdot", zeros),
            "baryon": np.full(n, -1, np.int32) if start is None else np.arange(start, start + n, dtype=np.int32),
        }
        for name, values in row.items():
            columns[name].append(values)
    return Members(
        **{name: np.concatenate(values) for name, values in columns.items()},
        baryons=Baryons(
            metals=np.concatenate([np.zeros((0, 10), np.float32), *(f["GFM_Metals"] for f in baryons)]),
            metallicity=np.concatenate([np.zeros(0, np.float32), *(f["GFM_Metallicity"] for f in baryons)]),
            magnitudes=particles[4]["GFM_StellarPhotometrics"] if 4 in particles else np.zeros((0, 8), np.float32),
            n_gas=n_gas,
        ),
    )


def _by_kind(members: Members, weight: np.ndarray, where: np.ndarray | slice = slice(None)) -> np.ndarray:
    return np.bincount(members.kind[where], weights=weight[where], minlength=N_TYPES)


def _metal_means(members: Members, weight: np.ndarray, where: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean metallicity and metal fractions of the rows `where`, 0 when there are none."""
    weight = weight[where].astype(np.float64)
    total = weight.sum()
    if not total > 0:
        return 0.0, np.zeros(10)
    rows, baryons = members.baryon[where], members.baryons
    return float(weight @ baryons.metallicity[rows] / total), weight @ baryons.metals[rows] / total


def _in_box(position: np.ndarray) -> np.ndarray:
    """Wrap a position into [0, box), also after rounding to float32."""
    return np.mod(np.mod(position, BOX_TNG100).astype(np.float32), np.float32(BOX_TNG100))


def measure_subhalo(members: Members, lengths: np.ndarray, centre: np.ndarray, softening: float) -> dict[str, object]:
    """Catalogue row of one subhalo, without its group number, parent and flag.

    Parameters
    ----------
    members : Members
        Its particles.
    lengths : ndarray of int, shape (6,)
        Particles by type, wind as type 4.
    centre : ndarray, shape (3,)
        Centre of the group, to which `Members.position` is relative [ckpc/h].
    softening : float
        Gravitational softening of stars [ckpc/h].
    """
    m = members
    deepest = int(np.argmin(m.potential))
    total = m.mass.sum()
    cm = m.mass @ m.position / total
    from_centre = m.position - m.position[deepest]
    radius = np.sqrt(square(from_centre))
    order = np.argsort(radius)
    r, mass = radius[order], m.mass[order]
    enclosed = np.cumsum(mass)
    curve = enclosed[6:] / np.maximum(r[6:], 1e-6)
    peak = 6 + int(np.argmax(curve)) if curve.size else 0
    v_max, r_max = (np.sqrt(G_CODE * curve.max()), r[peak]) if curve.size else (0.0, 0.0)
    measured = _position_and_size(m, centre, r, mass, m.kind[order])
    half_mass = half_mass_radius(r, mass)
    del order, r, mass, enclosed, curve  # a quarter of a gigabyte for the largest group of profile quick
    arm = m.position - cm
    bulk, half_type = measured["SubhaloVel"], measured["SubhaloHalfmassRadType"]
    speed = m.velocity - bulk + HUBBLE_FLOW * arm
    energy = m.potential + 0.5 * square(m.velocity - bulk) + m.energy
    row: dict[str, object] = {
        "SubhaloLen": lengths.sum(),
        "SubhaloLenType": lengths,
        "SubhaloIDMostbound": m.ids[int(np.argmin(energy))],
        **measured,
        "SubhaloCM": _in_box(cm + centre),
        "SubhaloSpin": angular_momentum(arm, speed, m.mass) / total,
        "SubhaloVelDisp": np.sqrt(m.mass @ square(speed) / (3.0 * total)),
        "SubhaloMass": total,
        "SubhaloMassType": _by_kind(m, m.mass),
        "SubhaloHalfmassRad": half_mass,
        "SubhaloVmax": v_max,
        "SubhaloVmaxRad": r_max,
        "SubhaloSFR": m.sfr.sum(dtype=np.float64),
        "SubhaloBHMass": m.bh_mass.sum(),
        "SubhaloBHMdot": m.bh_mdot.sum(),
        "SubhaloWindMass": m.mass[m.wind].sum(),
    }
    gas, stars = m.kind == 0, m.kind == 4
    apertures = {"Rad": 2.0 * half_type[4], "HalfRad": half_type[4], "MaxRad": row["SubhaloVmaxRad"]}
    for name, edge in apertures.items():
        inside = radius < edge
        by_kind = _by_kind(m, m.mass, inside)
        row[f"SubhaloMassIn{name}"] = by_kind.sum()
        row[f"SubhaloMassIn{name}Type"] = by_kind
        row[f"SubhaloSFRin{name}"] = m.sfr[inside].sum(dtype=np.float64)
        suffix = "" if name == "Rad" else name
        _set_metals(row, f"Gas{{}}{suffix}", _metal_means(m, m.mass, inside & gas))
        _set_metals(row, f"Star{{}}{suffix}", _metal_means(m, m.mass, inside & stars))
    forming = m.sfr > 0
    _set_metals(row, "Gas{}Sfr", _metal_means(m, m.mass, forming))
    _set_metals(row, "Gas{}SfrWeighted", _metal_means(m, m.sfr, forming))
    row["SubhaloStellarPhotometrics"] = np.full(8, NO_MAGNITUDE)
    if stars.any():
        magnitudes = m.baryons.magnitudes[m.baryon[stars] - m.baryons.n_gas].astype(np.float64)
        row["SubhaloStellarPhotometrics"] = -2.5 * np.log10((10.0 ** (-0.4 * magnitudes)).sum(axis=0))
        row["SubhaloStellarPhotometricsRad"], row["SubhaloStellarPhotometricsMassInRad"] = photometric_radius(
            from_centre[stars], m.mass[stars], magnitudes[:, 3], softening
        )
    return row


def _position_and_size(
    m: Members, centre: np.ndarray, r: np.ndarray, mass: np.ndarray, kind: np.ndarray
) -> dict[str, np.ndarray]:
    """Where a subhalo is, how it moves, how large its parts are; radius, mass and type in order of ascending radius."""
    return {
        "SubhaloPos": _in_box(m.position[int(np.argmin(m.potential))] + centre),
        "SubhaloVel": m.mass @ m.velocity / m.mass.sum(),
        "SubhaloHalfmassRadType": np.array([half_mass_radius(r[kind == t], mass[kind == t]) for t in range(N_TYPES)]),
    }


def locate(particles: dict[int, dict[str, np.ndarray]], centre: np.ndarray, m_dm: float) -> dict[str, np.ndarray]:
    """SubhaloPos, SubhaloVel and SubhaloHalfmassRadType of one subhalo, as `measure` finds them, at less cost.

    Parameters
    ----------
    particles : dict
        Part type -> data sets as stored, of this subhalo alone.
    centre : ndarray, shape (3,)
        Of its group [ckpc/h].
    m_dm : float
        [1e10 Msun/h]

    Returns
    -------
    dict of ndarray
        As stored in the catalogue.
    """
    m = gather(particles, centre, m_dm)
    radius = np.sqrt(square(m.position - m.position[int(np.argmin(m.potential))]))
    order = np.argsort(radius)
    found = _position_and_size(m, centre, radius[order], m.mass[order], m.kind[order])
    return {name: values.astype(SUBHALO_FIELDS[name][0]) for name, values in found.items()}


def _set_metals(row: dict[str, object], name: str, means: tuple[float, np.ndarray]) -> None:
    row["Subhalo" + name.format("Metallicity")], row["Subhalo" + name.format("MetalFractions")] = means


def measure_group(members: Members, lengths: np.ndarray, centre: np.ndarray, position: np.ndarray) -> dict[str, object]:
    """Catalogue row of one group, without the fields that refer to its subhaloes.

    Parameters
    ----------
    members : Members
        All its particles, fuzz included.
    lengths : ndarray of int, shape (6,)
    centre : ndarray, shape (3,)
        Origin of `Members.position` [ckpc/h].
    position : ndarray, shape (3,)
        Minimum of the potential, relative to `centre` [ckpc/h].
    """
    m = members
    total = m.mass.sum()
    radius = np.sqrt(square(m.position - position))
    order = np.argsort(radius)
    row: dict[str, object] = {
        "GroupLen": lengths.sum(),
        "GroupLenType": lengths,
        "GroupMass": total,
        "GroupMassType": _by_kind(m, m.mass),
        "GroupWindMass": m.mass[m.wind].sum(),
        "GroupBHMass": m.bh_mass.sum(),
        "GroupBHMdot": m.bh_mdot.sum(),
        "GroupPos": _in_box(position + centre),
        "GroupCM": _in_box(m.mass @ m.position / total + centre),
        "GroupVel": m.mass @ m.velocity / total,
        "GroupSFR": m.sfr.sum(dtype=np.float64),
    }
    row["GroupGasMetallicity"], row["GroupGasMetalFractions"] = _metal_means(m, m.mass, m.kind == 0)
    row["GroupStarMetallicity"], row["GroupStarMetalFractions"] = _metal_means(m, m.mass, m.kind == 4)
    r, enclosed = radius[order], np.cumsum(m.mass[order])
    for name, overdensity in OVERDENSITY.items():
        row[f"Group_M_{name}"], row[f"Group_R_{name}"] = overdensity_sphere(r, enclosed, overdensity)
    return row


def measure(
    particles: dict[int, dict[str, np.ndarray]], lengths: np.ndarray, centre: np.ndarray, m_dm: float, softening: float
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Catalogue rows of one group and of its subhaloes.

    Parameters
    ----------
    particles : dict
        Part type -> stored data sets; in each type subhalo 0, subhalo 1, ..., then fuzz.
    lengths : ndarray of int, shape (n_subs, 6)
        Particles of each subhalo by type.
    centre : ndarray, shape (3,)
        [ckpc/h]
    m_dm, softening : float
        [1e10 Msun/h, ckpc/h]

    Returns
    -------
    group, subhalos : dict of ndarray
        `GROUP_FIELDS` with 1 row and `SUBHALO_FIELDS` with n_subs rows. GroupFirstSub, SubhaloGrNr, SubhaloParent and
        SubhaloFlag stay 0: they are not measured.
    """
    members = gather(particles, centre, m_dm)
    counts = np.array([len(particles[t]["Coordinates"]) if t in particles else 0 for t in range(N_TYPES)])
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    starts = first + np.concatenate([np.zeros((1, N_TYPES), int), np.cumsum(lengths, axis=0)])
    subhalos = empty_rows(SUBHALO_FIELDS, len(lengths))
    position = members.position[np.argmin(members.potential)]
    for i, length in enumerate(lengths):
        own = members.take([slice(start, start + n) for start, n in zip(starts[i], length, strict=True)])
        for name, value in measure_subhalo(own, length, centre, softening).items():
            subhalos[name][i] = value
        if i == 0:
            position = own.position[np.argmin(own.potential)]
    group = empty_rows(GROUP_FIELDS, 1)
    for name, value in measure_group(members, counts, centre, position).items():
        group[name][0] = value
    group["GroupNsubs"][0] = len(lengths)
    return group, subhalos
