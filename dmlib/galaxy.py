"""One galaxy: its particles in physical units, centred, unwrapped, at rest; its orientation and its mass profiles."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from astropy import units as u

from .errors import GalaxyError
from .particles import enclosed_mass, inertia_axes, rotation_to
from .settings import RADII_KPC
from .units import PART_TYPE, G, wrap
from .universe.base import Scope, Universe

ComponentName = Literal["dm", "stars", "gas"]

#: The components whose masses a galaxy's profile has, in this order.
COMPONENTS: tuple[ComponentName, ...] = ("dm", "stars", "gas")

#: Fewest particles from which an axis is taken.
MIN_PARTICLES = 50

_BASE_FIELDS = ("Coordinates", "Velocities", "Masses")


@dataclass(frozen=True)
class Component:
    """Particles of one kind, about the galaxy's centre.

    Parameters
    ----------
    position : ndarray, shape (N, 3)
        Physical kpc from the centre, periodic wrap undone.
    velocity : ndarray, shape (N, 3)
        km/s in the galaxy's rest frame; shape (0, 3) where velocities were not asked for.
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
    def radius(self) -> np.ndarray:
        """Distance from the centre [kpc], shape (N,)."""
        return np.sqrt(np.einsum("ij,ij->i", self.position, self.position))

    def where(self, mask: np.ndarray) -> Component:
        """The particles that a boolean mask chooses."""
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
    bulk_velocity : ndarray, shape (3,)
        SubhaloVel [km/s], subtracted from all velocities.
    r_half_star : float
        Stellar half-mass radius of the catalogue [kpc]; 0 without stars.
    m_dm_particle : float
        Mass of a dark-matter particle [Msun].
    dm, stars, gas, wind : Component
        Wind particles (gas in transit, stored among the stars) are no stars; like the catalogue, the profiles count
        their mass as gas. Black holes, at most some 1e9 Msun, are left out.
    """

    subhalo_id: int
    group_id: int
    scope: Scope
    centre: np.ndarray
    bulk_velocity: np.ndarray
    r_half_star: float
    m_dm_particle: float
    dm: Component
    stars: Component
    gas: Component
    wind: Component

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"subhalo {self.subhalo_id}"

    def component(self, name: ComponentName) -> Component:
        """The particles of one kind."""
        if name not in COMPONENTS:
            raise ValueError(f"component must be one of {', '.join(COMPONENTS)}, not {name!r}")
        return getattr(self, name)

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
        speeds = {name: np.sqrt(G * mass / radii) for name, mass in masses.items()}
        return {**speeds, "total": np.sqrt(sum(speed**2 for speed in speeds.values()))}

    def within(self, name: ComponentName, r_max: float | None = None, minimum: int = MIN_PARTICLES) -> Component:
        """Particles of a component within `r_max` [kpc], by default twice the stellar half-mass radius.

        Raises
        ------
        GalaxyError
            When they are fewer than `minimum`.
        """
        r_max = 2.0 * self.r_half_star if r_max is None else r_max
        everything = self.component(name)
        chosen = everything.where(everything.radius <= r_max)
        if len(chosen) < minimum:
            raise GalaxyError(
                f"{self.name} has {len(chosen)} {name} particles within {r_max:.1f} kpc, fewer than the {minimum} that "
                "an axis needs: leave it out, or take a larger radius."
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
            raise GalaxyError(f"{self.name} has {name} without angular momentum: orient it by inertia instead.")
        return momentum / length

    def inertia_axes(self, name: ComponentName = "stars", r_max: float | None = None) -> np.ndarray:
        """Principal axes of the mass distribution, rows from the longest to the shortest; see `inertia_axes`.

        The shortest axis is turned to the side of the angular momentum; the rows are right-handed.

        Raises
        ------
        GalaxyError
            When there are too few particles.
        """
        part = self.within(name, r_max)
        axes = inertia_axes(part.position, part.mass)
        if axes[2] @ angular_momentum(part) < 0:
            axes[2] *= -1.0
        axes[1] = np.cross(axes[2], axes[0])
        return axes

    def oriented(
        self,
        by: Literal["stars", "gas", "inertia"] = "stars",
        view: Literal["face-on", "edge-on"] = "face-on",
        r_max: float | None = None,
    ) -> Galaxy:
        """The galaxy in axes of its own; the line of sight is the new z axis.

        Parameters
        ----------
        by : {"stars", "gas", "inertia"}
            Normal of the disc: angular momentum of the stars or of the gas, or the shortest principal axis of the
            stars' mass (authors' scripts; they take a row of the eigenvector matrix where the column is meant).
        view : {"face-on", "edge-on"}
            The normal along z, or along y.
        r_max : float, optional
            Radius within which the axis is measured [kpc]; default twice the stellar half-mass radius.

        Returns
        -------
        Galaxy

        Raises
        ------
        GalaxyError
            When there are too few particles.
        """
        if by == "inertia":
            face_on = self.inertia_axes("stars", r_max)
        elif by in ("stars", "gas"):
            face_on = rotation_to(self.spin_axis(by, r_max))
        else:
            raise ValueError(f"by must be stars, gas or inertia, not {by!r}")
        if view not in ("face-on", "edge-on"):
            raise ValueError(f"view must be face-on or edge-on, not {view!r}")
        # Edge-on: x stays, the normal becomes y, and the line of sight lies in the disc.
        rotation = face_on if view == "face-on" else np.stack([face_on[0], face_on[2], -face_on[1]])
        return replace(self, **{name: getattr(self, name).rotated(rotation) for name in (*COMPONENTS, "wind")})

    def rotation_curve(self, name: ComponentName, edges: np.ndarray, axis: np.ndarray | None = None) -> np.ndarray:
        """Mass-weighted mean azimuthal speed in rings of cylindrical radius.

        Parameters
        ----------
        name : {"stars", "gas", "dm"}
        edges : ndarray, shape (n + 1,)
            Ring edges [kpc].
        axis : ndarray, shape (3,), optional
            Axis of rotation; the component's own spin axis when omitted.

        Returns
        -------
        ndarray, shape (n,)
            Mean v_phi [km/s], positive in the sense of `axis`; NaN where a ring is empty. The authors' scripts average
            \\|v_phi\\|, which gives a hot component a rotation that it does not have.
        """
        part = self.component(name)
        radius, v_phi = _azimuthal(part, self.spin_axis(name) if axis is None else np.asarray(axis, dtype=float))
        weight, _ = np.histogram(radius, edges, weights=part.mass)
        total, _ = np.histogram(radius, edges, weights=part.mass * v_phi)
        return np.divide(total, weight, out=np.full(len(weight), np.nan), where=weight > 0)

    def kappa_rot(self, name: ComponentName = "stars", r_max: float | None = None) -> float:
        """Fraction of a component's kinetic energy in ordered rotation, ``sum m v_phi^2 / sum m v^2``.

        Source: Sales et al. (2010), equation 1; about 1/3 for no preferred motion, 1 for a cold disc.

        Raises
        ------
        GalaxyError
            When there are too few particles within `r_max` [kpc] (default 2 half-mass radii).
        """
        part = self.within(name, r_max)
        _, v_phi = _azimuthal(part, self.spin_axis(name, r_max))
        return float(np.sum(part.mass * v_phi**2) / np.sum(part.mass * np.sum(part.velocity**2, axis=1)))


def load_galaxy(
    universe: Universe,
    subhalo_id: int,
    *,
    scope: Scope = "subhalo",
    velocities: bool = True,
    extra: Mapping[ComponentName, Sequence[str]] | None = None,
    components: Collection[ComponentName] = COMPONENTS,
) -> Galaxy:
    """Read one galaxy's particles.

    Parameters
    ----------
    universe : Universe
    subhalo_id : int
    scope : {"subhalo", "group"}
        The particles bound to the subhalo, or the whole FoF group about it.
    velocities : bool
        Masses and positions alone are enough for profiles, and half the reading.
    extra : mapping, optional
        Further TNG fields by component, for example ``{"gas": ["Density"]}``.
    components : collection of str
        What is read; the others are left empty. Who looks at light and gas need not read the dark matter of a cluster.

    Returns
    -------
    Galaxy

    Raises
    ------
    UniverseError
        When the tree lacks what is asked for.
    GalaxyError
        When the subhalo has no dark matter at all (not a galaxy in a halo).
    """
    row = universe.subhalos(
        ("SubhaloPos", "SubhaloVel", "SubhaloGrNr", "SubhaloHalfmassRadType"), np.array([subhalo_id])
    )
    centre = row["SubhaloPos"][0].to_value(u.kpc)
    bulk = row["SubhaloVel"][0].to_value(u.km / u.s)
    group_id = int(row["SubhaloGrNr"][0])
    object_id = int(subhalo_id) if scope == "subhalo" else group_id
    extra = extra or {}
    fields = _BASE_FIELDS if velocities else ("Coordinates", "Masses")
    read = dict.fromkeys((*COMPONENTS, "wind"), _EMPTY)
    for name in components:
        wanted = [*fields, *extra.get(name, ())]
        if name == "stars":
            wanted.append("GFM_StellarFormationTime")
        arrays = universe.particles(object_id, name, list(dict.fromkeys(wanted)), scope)
        whole = _component(arrays, centre, bulk, universe.header.units.box_kpc)
        if name == "stars":
            # Wind-phase gas has a formation time of zero or less.
            real = arrays["GFM_StellarFormationTime"] > 0
            read["wind"] = whole.where(~real)
            whole = whole.where(real)
        read[name] = replace(whole, extra={key: whole.extra[key] for key in extra.get(name, ())})
    if "dm" in components and len(read["dm"]) == 0:
        raise GalaxyError(f"subhalo {subhalo_id} has no dark matter: it is no galaxy in a halo, leave it out.")
    return Galaxy(
        subhalo_id=int(subhalo_id),
        group_id=group_id,
        scope=scope,
        centre=centre,
        bulk_velocity=bulk,
        r_half_star=float(row["SubhaloHalfmassRadType"][0, PART_TYPE["stars"]].to_value(u.kpc)),
        m_dm_particle=universe.header.m_dm,
        **read,
    )


def _component(arrays: dict[str, np.ndarray], centre: np.ndarray, bulk: np.ndarray, box: float) -> Component:
    """Centre one particle type; the box and the positions are both physical kpc."""
    velocity = arrays["Velocities"].astype(float) - bulk if "Velocities" in arrays else np.zeros((0, 3))
    return Component(
        position=wrap(arrays["Coordinates"] - centre, box),
        velocity=velocity,
        mass=arrays["Masses"].astype(float),
        extra={key: value for key, value in arrays.items() if key not in _BASE_FIELDS},
    )


def angular_momentum(part: Component) -> np.ndarray:
    """Total angular momentum about the centre [Msun kpc km/s], shape (3,)."""
    return part.mass @ np.cross(part.position, part.velocity)


def _azimuthal(part: Component, axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cylindrical radius [kpc] and azimuthal speed [km/s] about an axis through the centre."""
    turned = part.rotated(rotation_to(axis))
    x, y = turned.position[:, 0], turned.position[:, 1]
    radius = np.hypot(x, y)
    moment = x * turned.velocity[:, 1] - y * turned.velocity[:, 0]
    return radius, np.divide(moment, radius, out=np.zeros_like(moment), where=radius > 0)
