"""One galaxy: its particles in physical units, centred, unwrapped and at rest; its spin, speeds and mass profiles."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from astropy import units as u

from .errors import GalaxyError
from .settings import RADII_KPC
from .units import PART_TYPE, G, wrap
from .universe.base import Scope, Universe

ComponentName = Literal["dm", "stars", "gas"]

#: Components of a galaxy, in the order of its mass profile.
COMPONENTS: tuple[ComponentName, ...] = ("dm", "stars", "gas")

#: Fewest particles from which an axis is measured.
MIN_PARTICLES = 50

_BASE_FIELDS = ("Coordinates", "Velocities", "Masses")

#: Fields that must be above zero; a damaged block is often all zeros.
_POSITIVE = ("Masses", "GFM_InitialMass", "Density")


@dataclass(frozen=True)
class Component:
    """Particles of one kind, about the galaxy's centre.

    Parameters
    ----------
    position : ndarray, shape (N, 3)
        Physical kpc from the centre, periodic wrap undone.
    velocity : ndarray, shape (N, 3)
        km/s in the galaxy's rest frame; shape (0, 3) where velocities were not read.
    mass : ndarray, shape (N,)
        Msun.
    extra : dict of ndarray
        Further fields under their TNG names, in the units of `Universe.particles`.
    """

    position: np.ndarray
    velocity: np.ndarray
    mass: np.ndarray
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.mass)

    @property
    def fields(self) -> dict[str, np.ndarray]:
        """Masses and further fields under their TNG names."""
        return {"Masses": self.mass, **self.extra}

    @property
    def radius(self) -> np.ndarray:
        """Distance from the centre [kpc], shape (N,)."""
        return np.sqrt(np.einsum("ij,ij->i", self.position, self.position))

    def where(self, mask: np.ndarray) -> Component:
        """The particles that a boolean mask selects."""
        velocity = self.velocity[mask] if len(self.velocity) == len(self) else self.velocity
        return Component(self.position[mask], velocity, self.mass[mask], {k: v[mask] for k, v in self.extra.items()})

    def rotated(self, rotation: np.ndarray) -> Component:
        """The particles in rotated axes; rows of `rotation` are the new axes."""
        return replace(self, position=self.position @ rotation.T, velocity=self.velocity @ rotation.T)

    def enclosed_mass(self, radii: np.ndarray = RADII_KPC) -> np.ndarray:
        """Mass within each radius [Msun], see `enclosed_mass`."""
        return enclosed_mass(self.position, self.mass, radii)


_EMPTY = Component(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))


@dataclass(frozen=True)
class Galaxy:
    """One subhalo, centred on its most bound particle (SubhaloPos) and at rest.

    Parameters
    ----------
    subhalo_id, group_id : int
    scope : {"subhalo", "group"}
        Whose particles these are: those bound to the subhalo, or all of its FoF group.
    centre : ndarray, shape (3,)
        SubhaloPos in the box frame [kpc].
    r_half_star : float
        Stellar half-mass radius of the catalogue [kpc]; 0 without stars.
    m_dm_particle : float
        Mass of a dark-matter particle [Msun].
    dm, stars, gas, wind : Component
        Wind particles are gas in transit that the snapshot stores among the stars; the profiles count their mass as
        gas, as the catalogue does. Black holes, at most some 1e9 Msun, are left out.
    """

    subhalo_id: int
    group_id: int
    scope: Scope
    centre: np.ndarray
    r_half_star: float
    m_dm_particle: float
    dm: Component
    stars: Component
    gas: Component
    wind: Component

    @property
    def name(self) -> str:
        """Its name in messages."""
        return f"subhalo {self.subhalo_id}"

    def component(self, name: ComponentName) -> Component:
        """The particles of one kind."""
        if name not in COMPONENTS:
            raise ValueError(f"component must be one of {', '.join(COMPONENTS)}, not {name!r}")
        return getattr(self, name)

    def require_finite(self, name: ComponentName, fields: Sequence[str]) -> None:
        """Refuse damaged particle data.

        Parameters
        ----------
        name : {"stars", "gas", "dm"}
        fields : sequence of str
            TNG names: Coordinates, Velocities, Masses, or keys of `Component.extra`.

        Raises
        ------
        GalaxyError
            When a field holds values that are not finite.
        """
        part = self.component(name)
        arrays = {"Coordinates": part.position, "Velocities": part.velocity, **part.fields}
        _require_finite(self.name, name, {field: arrays[field] for field in fields})

    def enclosed_masses(self, radii: np.ndarray = RADII_KPC) -> dict[ComponentName, np.ndarray]:
        """Mass of each component within each radius [Msun], arrays of shape (len(radii),); wind counts as gas."""
        masses = {name: self.component(name).enclosed_mass(radii) for name in COMPONENTS}
        return {**masses, "gas": masses["gas"] + self.wind.enclosed_mass(radii)}

    def v_circ(self, radii: np.ndarray = RADII_KPC) -> dict[str, np.ndarray]:
        """Circular speed ``sqrt(G M(<R) / R)`` of each component and of their ``total`` [km/s].

        The mass is taken as spherical; for a disc the true speed in the plane differs by up to some 15 per cent
        (Binney & Tremaine 2008, section 2.6).
        """
        masses = self.enclosed_masses(radii)
        speeds: dict[str, np.ndarray] = {name: np.sqrt(G * mass / radii) for name, mass in masses.items()}
        return {**speeds, "total": np.sqrt(sum(speed**2 for speed in speeds.values()))}

    def within(self, name: ComponentName, r_max: float | None = None) -> Component:
        """Particles of a component within `r_max` [kpc], by default twice the stellar half-mass radius.

        Raises
        ------
        GalaxyError
            When they are fewer than `MIN_PARTICLES`.
        """
        r_max = 2.0 * self.r_half_star if r_max is None else r_max
        everything = self.component(name)
        chosen = everything.where(everything.radius <= r_max)
        if len(chosen) < MIN_PARTICLES:
            raise GalaxyError(
                f"{self.name} has {len(chosen)} {name} particles within {r_max:.1f} kpc, fewer than the "
                f"{MIN_PARTICLES} that an axis needs: leave it out, or take a larger radius."
            )
        return chosen

    def spin_axis(self, name: ComponentName = "stars", r_max: float | None = None) -> np.ndarray:
        """Unit vector of the angular momentum of a component within `r_max` [kpc] (default 2 half-mass radii).

        Raises
        ------
        GalaxyError
            When there are too few particles, or they do not rotate at all.
        """
        part = self.within(name, r_max)
        momentum = angular_momentum(part)
        length = np.linalg.norm(momentum)
        if not length > 0:
            raise GalaxyError(f"{self.name}: its {name} have no angular momentum, so no spin axis: leave it out.")
        return momentum / length

    def kappa_rot(self, name: ComponentName = "stars", r_max: float | None = None) -> float:
        """Fraction of a component's kinetic energy in ordered rotation, ``sum m v_phi^2 / sum m v^2``.

        Source: Sales et al. (2010), equation 1; about 1/3 for no preferred motion, 1 for a cold disc.

        Raises
        ------
        GalaxyError
            When there are too few particles within `r_max` [kpc] (default 2 half-mass radii).
        """
        part = self.within(name, r_max)
        turned = part.rotated(rotation_to_z(self.spin_axis(name, r_max)))
        x, y = turned.position[:, 0], turned.position[:, 1]
        radius = np.hypot(x, y)
        moment = x * turned.velocity[:, 1] - y * turned.velocity[:, 0]
        v_phi = np.divide(moment, radius, out=np.zeros_like(moment), where=radius > 0)
        return float(np.sum(part.mass * v_phi**2) / np.sum(part.mass * np.sum(part.velocity**2, axis=1)))


def load_galaxy(
    universe: Universe,
    subhalo_id: int,
    components: Collection[ComponentName] = COMPONENTS,
    *,
    scope: Scope = "subhalo",
    velocities: bool | Collection[ComponentName] = True,
    extra: Mapping[ComponentName, Sequence[str]] | None = None,
) -> Galaxy:
    """Read one galaxy's particles.

    Parameters
    ----------
    universe : Universe
    subhalo_id : int
    components : collection of str
        Components to read; the others are left empty. Callers that need only light and gas can skip the dark matter.
    scope : {"subhalo", "group"}
        The particles bound to the subhalo, or those of its whole FoF group.
    velocities : bool or collection of str
        Whether velocities are read, or of which components. Without them there is a third less to read.
    extra : mapping, optional
        Further TNG fields by component, for example ``{"gas": ["Density"]}``.

    Returns
    -------
    Galaxy

    Raises
    ------
    UniverseError
        When the tree lacks a field or a file.
    GalaxyError
        When positions, velocities or masses are not finite; when the dark matter is read and the subhalo has none: it
        is no galaxy in a halo.
    """
    wanted = ("SubhaloPos", "SubhaloVel", "SubhaloGrNr", "SubhaloHalfmassRadType")
    row = universe.subhalos(wanted, np.array([subhalo_id]))
    centre = row["SubhaloPos"][0].to_value(u.kpc)
    bulk = row["SubhaloVel"][0].to_value(u.km / u.s)
    group_id = int(row["SubhaloGrNr"][0])
    object_id = int(subhalo_id) if scope == "subhalo" else group_id
    moving = (COMPONENTS if velocities else ()) if isinstance(velocities, bool) else velocities
    read = dict.fromkeys((*COMPONENTS, "wind"), _EMPTY)
    for name in components:
        further = [key for key in (extra or {}).get(name, ()) if key not in _BASE_FIELDS]
        also = ["GFM_StellarFormationTime"] if name == "stars" else []
        base = _BASE_FIELDS if name in moving else ("Coordinates", "Masses")
        arrays = universe.particles(object_id, name, list(dict.fromkeys([*base, *further, *also])), scope)
        whole = Component(
            position=wrap(arrays["Coordinates"] - centre, universe.header.units.box_kpc),
            velocity=arrays["Velocities"].astype(float) - bulk if name in moving else np.zeros((0, 3)),
            mass=arrays["Masses"].astype(float),
            extra={key: arrays[key] for key in further},
        )
        whose = f"subhalo {subhalo_id}" if scope == "subhalo" else f"group {group_id} of subhalo {subhalo_id}"
        _require_finite(whose, name, {key: arrays[key] for key in (*_BASE_FIELDS, *also) if key in arrays})
        if name == "stars":
            # Wind-phase gas has a formation time of zero or less.
            real = arrays["GFM_StellarFormationTime"] > 0
            read["wind"], whole = whole.where(~real), whole.where(real)
        read[name] = whole
    if "dm" in components and len(read["dm"]) == 0:
        raise GalaxyError(f"subhalo {subhalo_id} has no dark matter: it is no galaxy in a halo, leave it out.")
    return Galaxy(
        subhalo_id=int(subhalo_id),
        group_id=group_id,
        scope=scope,
        centre=centre,
        r_half_star=float(row["SubhaloHalfmassRadType"][0, PART_TYPE["stars"]].to_value(u.kpc)),
        m_dm_particle=universe.header.m_dm,
        **read,
    )


def _require_finite(whose: str, name: ComponentName, arrays: Mapping[str, np.ndarray]) -> None:
    for key, values in arrays.items():
        fine = np.isfinite(values)
        if key in _POSITIVE:
            fine &= values > 0
        if not fine.all():
            bad = np.count_nonzero(~fine)
            what = f"{'star' if name == 'stars' else name} field {key}"
            wrong = "finite and positive" if key in _POSITIVE else "finite"
            raise GalaxyError(f"{whose}: {what} holds {bad} values that are not {wrong}; the file is damaged")


def angular_momentum(part: Component) -> np.ndarray:
    """Total angular momentum about the centre [Msun kpc km/s], shape (3,)."""
    return part.mass @ np.cross(part.position, part.velocity)


def enclosed_mass(
    position: np.ndarray,
    mass: np.ndarray | float,
    radii: np.ndarray = RADII_KPC,
    *,
    centre: np.ndarray | None = None,
    box: float | None = None,
) -> np.ndarray:
    """Mass within each radius about a centre.

    Parameters
    ----------
    position : ndarray, shape (N, 3)
        kpc.
    mass : ndarray, shape (N,), or float
        Msun; one number for particles of equal mass.
    radii : ndarray, shape (n,)
        Increasing [kpc].
    centre : ndarray, shape (3,), optional
        kpc, in the frame of `position`; the origin when omitted.
    box : float, optional
        Side of the periodic box [kpc]; give it where positions may lie across the edge of the box.

    Returns
    -------
    ndarray, shape (n,)
        Msun; a particle exactly at a radius counts as inside.
    """
    radii = np.asarray(radii, dtype=float)
    if np.any(np.diff(radii) <= 0) or radii[0] < 0:
        raise ValueError("radii must be positive and increasing")
    inside, squared = _within(np.asarray(position, dtype=float).reshape(-1, 3), centre, box, radii[-1] ** 2)
    mass = np.asarray(mass, dtype=float)
    if mass.ndim == 0 or (mass.size and mass.min() == mass.max()):
        # Equal masses are counted: twenty comparisons of whole arrays cost less than one search per particle.
        return np.array([np.count_nonzero(squared <= radius**2) for radius in radii]) * mass.reshape(-1)[0]
    first = np.searchsorted(radii**2, squared, side="left")
    return np.cumsum(np.bincount(first, weights=mass[inside], minlength=len(radii)))


def _within(
    position: np.ndarray, centre: np.ndarray | None, box: float | None, reach2: float
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the positions within a squared distance, and their squared distances [kpc^2], shapes (n,).

    Axis after axis, because most particles of a large group are too far along the first.
    """
    inside, squared = np.arange(len(position)), np.zeros(len(position))
    for axis in range(3):
        offset = position[inside, axis] if axis else position[:, axis]
        if centre is not None:
            offset = offset - centre[axis]
        if box is not None:
            offset = wrap(offset, box)
        squared = squared + offset * offset
        near = squared <= reach2
        inside, squared = inside[near], squared[near]
    return inside, squared


def rotation_to_z(axis: np.ndarray) -> np.ndarray:
    """Rotation that turns `axis` to the z axis; its rows are the new axes.

    Parameters
    ----------
    axis : ndarray, shape (3,)
        Not zero.

    Returns
    -------
    ndarray, shape (3, 3)
        Proper rotation R; ``position @ R.T`` are the new coordinates. The new x axis is the old axis least along
        `axis`, made perpendicular: the same for the same input.
    """
    z = np.asarray(axis, dtype=float) / np.linalg.norm(axis)
    helper = np.eye(3)[np.argmin(np.abs(z))]
    x = helper - (helper @ z) * z
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])
