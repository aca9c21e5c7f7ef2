"""The mass implied by a rotation curve: visible and dark speeds, enclosed masses, and the outer slopes.

Newton's law for circular orbits, ``V^2 / R = dPhi/dR``. The squares of the speeds that several masses would give
add; the dark matter accounts for the rest, ``V_dark^2 = V_obs^2 - V_visible^2``. Mass models are made here from what an
observer measures (`model_from_maps`), or from the particles of a simulation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import GalaxyError
from ..galaxy import Galaxy, angular_momentum
from ..units import G
from .baryons import StellarDisc, gas_speed, particle_speeds, signed_root, signed_square, stellar_fields
from .curve import MIN_RINGS, Reason, RejectedGalaxyError, RotationCurve

#: Stellar mass-to-light ratios at 3.6 micron [Msun/Lsun] (McGaugh & Schombert 2014; the bulge's as in
#: McGaugh, Lelli & Schombert 2016).
UPSILON_DISK = 0.5
UPSILON_BULGE = 0.7

#: Range of the disc's ratio: from the DiskMass survey (Lelli et al. 2016, abstract) to the largest that the brightest
#: discs allow, "maximum disc" (Starkman et al. 2018, abstract) [Msun/Lsun].
UPSILON_RANGE = (0.2, 0.7)

#: Scatter of stellar masses from colours or from light at 3.6 micron [dex] (Taylor et al. 2011, section 5.3; Li et al.
#: 2018).
MASS_SCATTER = 0.1

#: Fields of a `MassModel` whose stellar masses are known.
MASSES_KNOWN: dict[str, Any] = {"upsilon_disk": 1.0, "upsilon_bulge": 1.0, "upsilon_range": (1.0, 1.0)}

#: Half-mass radius of an exponential disc in scale lengths.
HALF_MASS = 1.678

#: Radius within which the mass of the stars is counted [kpc]; an image shows hardly any light beyond.
STELLAR_APERTURE = 30.0

#: Gas cells count as cold when at least this fraction of their hydrogen is neutral, or they form stars.
COLD_NEUTRAL_FRACTION = 0.5

#: Smallest number of cold cells in a ring, and largest number of rings.
CELLS, MOST_RINGS = 16, 25


@dataclass(frozen=True)
class MassModel:
    """A rotation curve and the speeds due to the visible components alone; lengths in kpc, speeds in km/s.

    Parameters
    ----------
    galaxy : str
        Name for titles and captions.
    source : str or None
        Source of the data, for example ``"SPARC"``; None for galaxies of the settings' universe.
    r_disk : float
        Exponential scale length of the stellar disc [kpc].
    radius : ndarray, shape (n,)
    v_obs, v_err : ndarray, shape (n,)
        Measured rotation speed and its standard deviation.
    v_gas, v_disk, v_bulge : ndarray, shape (n,)
        Signed speeds (see `signed_square`); the stellar ones for a mass-to-light ratio of 1.
    upsilon_disk, upsilon_bulge : float
        Mass-to-light ratios [Msun/Lsun].
    upsilon_range : (float, float)
        Lowest and highest plausible ratio of the disc; equal where the mass is known.
    note : str
        What a reader must know about the data, for example why a stand-in is shown.
    inclination, inclination_err : float
        Inclination used to correct the speeds, and its standard deviation [deg]; NaN where not known.
    m_disk, m_bulge : float
        Stellar masses for a mass-to-light ratio of 1 [Msun]; NaN where not known, see `stellar_mass`.
    r_half : float
        Half-mass radius of the stars [kpc]; by default that of an exponential disc.
    """

    galaxy: str
    source: str | None
    r_disk: float
    radius: np.ndarray
    v_obs: np.ndarray
    v_err: np.ndarray
    v_gas: np.ndarray
    v_disk: np.ndarray
    v_bulge: np.ndarray
    upsilon_disk: float = UPSILON_DISK
    upsilon_bulge: float = UPSILON_BULGE
    upsilon_range: tuple[float, float] = UPSILON_RANGE
    note: str = ""
    inclination: float = float("nan")
    inclination_err: float = float("nan")
    m_disk: float = float("nan")
    m_bulge: float = float("nan")
    r_half: float = float("nan")

    def __post_init__(self) -> None:
        if not np.isfinite(self.r_half):
            object.__setattr__(self, "r_half", HALF_MASS * self.r_disk)

    def stellar_mass(self, upsilon_disk: np.ndarray | float, upsilon_bulge: np.ndarray | float) -> np.ndarray:
        """Stellar mass for mass-to-light ratios [Msun/Lsun], shape of the ratios [Msun].

        Where the masses for a ratio of 1 are not known they follow from the speeds at the outermost point, ``V^2 R /
        G``, which is accurate to 0.1 dex.
        """
        masses = []
        for mass, speed in ((self.m_disk, self.v_disk), (self.m_bulge, self.v_bulge)):
            outer = max(signed_square(speed)[-1], 0.0) * self.radius[-1] / G
            masses.append(mass if np.isfinite(mass) else outer)
        return np.maximum(np.asarray(upsilon_disk) * masses[0] + np.asarray(upsilon_bulge) * masses[1], 1.0)

    def v_stars(self, upsilon_disk: float | None = None) -> np.ndarray:
        """Speed due to disc and bulge alone [km/s], shape (n,)."""
        upsilon = self.upsilon_disk if upsilon_disk is None else upsilon_disk
        return signed_root(upsilon * signed_square(self.v_disk) + self.upsilon_bulge * signed_square(self.v_bulge))

    def v_visible(self, upsilon_disk: float | None = None) -> np.ndarray:
        """Speed due to stars and gas alone [km/s], shape (n,)."""
        return signed_root(signed_square(self.v_stars(upsilon_disk)) + signed_square(self.v_gas))

    def v_dark(self, upsilon_disk: float | None = None) -> np.ndarray:
        """Speed due to the missing mass [km/s], shape (n,); NaN where the visible mass exceeds the measured one."""
        square = self.v_obs**2 - signed_square(self.v_visible(upsilon_disk))
        return np.sqrt(np.where(square >= 0, square, np.nan))

    def m_dynamical(self) -> tuple[np.ndarray, np.ndarray]:
        """Mass within each radius that the orbits require, ``V^2 R / G``, and its standard deviation [Msun].

        The mass is assumed to be spherical, as everywhere in this book; the error is that of the speed.
        """
        mass = self.v_obs**2 * self.radius / G
        return mass, 2 * mass * self.v_err / self.v_obs

    def m_visible(self, upsilon_disk: float | None = None) -> np.ndarray:
        """The same mass for the visible components, ``V_visible |V_visible| R / G`` [Msun].

        The force of a disc in its plane exceeds that of a sphere with the same enclosed mass, by up to a third for a
        thin exponential disc (15 per cent in speed); this mass may exceed the true one by as much. The ratio to
        `m_dynamical` is a ratio of accelerations and exact.
        """
        return signed_square(self.v_visible(upsilon_disk)) * self.radius / G

    def discrepancy(self, upsilon_disk: float | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Required acceleration over that of the visible mass, ``V_obs^2 / V_visible^2``, and its error, shape (n,).

        1 means that the visible mass suffices; NaN where the net force of the visible components is outward.
        """
        visible = signed_square(self.v_visible(upsilon_disk))
        ratio = np.where(visible > 0, self.v_obs**2 / np.where(visible > 0, visible, 1.0), np.nan)
        return ratio, 2 * ratio * self.v_err / self.v_obs


def outer_slope(model: MassModel, beyond: float) -> tuple[float, float, float, int]:
    """Slopes ``d ln V / d ln R`` of the measured and of the visible curve in the outer disc.

    A flat curve has slope 0; outside all mass Kepler's law gives -1/2.

    Parameters
    ----------
    model : MassModel
    beyond : float
        Smallest radius [kpc].

    Returns
    -------
    slope, error : float
        Of the measured curve: a straight line in the logarithms, weighted by `v_err`. The error is formal;
        neighbouring points share a telescope beam and are not independent.
    visible : float
        Slope of the visible components' curve at the same radii.
    n : int
        Number of radii used.

    Raises
    ------
    ValueError
        With fewer than three radii beyond.
    """
    outer = model.radius > beyond
    n = int(outer.sum())
    if n < 3:
        raise ValueError(f"{model.galaxy} has {n} radii beyond {beyond:g} kpc, fewer than the 3 that a slope needs")
    x = np.log(model.radius[outer])
    weight = model.v_obs[outer] / model.v_err[outer]
    (slope, _), covariance = np.polyfit(x, np.log(model.v_obs[outer]), 1, w=weight, cov="unscaled")
    visible = np.polyfit(x, np.log(model.v_visible()[outer]), 1)[0]
    return float(slope), float(np.sqrt(covariance[0, 0])), float(visible), n


def from_galaxy(galaxy: Galaxy, note: str = "") -> MassModel:
    """Measure the rotation curve of a simulated galaxy from its cold gas particles.

    Parameters
    ----------
    galaxy : Galaxy
        Loaded with the gas fields ``NeutralHydrogenAbundance`` and ``StarFormationRate``.
    note : str

    Returns
    -------
    MassModel
        ``v_obs`` is the mean azimuthal speed of the cold gas in a ring, ``v_err`` its standard error, at the median
        radius of the ring; ``v_gas`` and ``v_disk`` are those of spheres with the enclosed mass of gas and of stars.
        The mass-to-light ratios are 1, because the masses are known.

    Raises
    ------
    GalaxyError
        When there are too few cold cells for three rings.
    """
    cold = (np.asarray(galaxy.gas.extra["NeutralHydrogenAbundance"]) > COLD_NEUTRAL_FRACTION) | (
        np.asarray(galaxy.gas.extra["StarFormationRate"]) > 0
    )
    gas = galaxy.gas.where(cold)
    if len(gas) < 3 * CELLS:
        raise GalaxyError(f"{galaxy.name} has {len(gas)} cells of cold gas, fewer than the {3 * CELLS} of three rings.")
    axis = angular_momentum(gas)
    axis = axis / np.linalg.norm(axis)
    in_plane = gas.position - (gas.position @ axis)[:, None] * axis
    radius = np.linalg.norm(in_plane, axis=1)
    v_phi = np.einsum("ij,ij->i", np.cross(axis, in_plane), gas.velocity) / radius
    rings = np.array_split(np.argsort(radius), min(len(gas) // CELLS, MOST_RINGS))
    middle = np.array([np.median(radius[ring]) for ring in rings])
    speeds = galaxy.v_circ(middle)
    return MassModel(
        galaxy=f"Simulated galaxy, {galaxy.name}",
        source=None,
        r_disk=galaxy.r_half_star / HALF_MASS,
        radius=middle,
        v_obs=np.array([v_phi[ring].mean() for ring in rings]),
        v_err=np.array([v_phi[ring].std(ddof=1) / np.sqrt(len(ring)) for ring in rings]),
        v_gas=speeds["gas"],
        v_disk=speeds["stars"],
        v_bulge=np.zeros_like(middle),
        note=note,
        **MASSES_KNOWN,
    )


def model_from_maps(curve: RotationCurve, stars: StellarDisc) -> MassModel:
    """The mass model that an observer derives: good rings, gas and stars as weighed.

    Parameters
    ----------
    curve : RotationCurve
    stars : StellarDisc

    Returns
    -------
    MassModel
        ``v_obs`` is the circular speed, corrected for asymmetric drift; half of that correction is added in quadrature
        to its error. The mass-to-light ratios are 1, because the colours already gave masses; their range is the
        scatter of that method.

    Raises
    ------
    GalaxyError
        With fewer than three good rings.
    """
    model, spread = _without_baryons(curve), 10.0**MASS_SCATTER
    gas = gas_speed(curve, model.radius)
    return replace(model, v_gas=gas, upsilon_range=(1.0 / spread, spread), **stellar_fields(stars, model.radius))


def speeds_of(curve: RotationCurve, rings: np.ndarray) -> dict[str, Any]:
    """Fields of a `MassModel` that follow from some rings of a curve, `rings` of bool and shape (n,)."""
    return {
        "radius": curve.radius[rings],
        "v_obs": curve.v_circ[rings],
        "v_err": np.hypot(curve.v_err, 0.5 * (curve.v_circ - curve.v_rot))[rings],
        "inclination": curve.mean_inclination,
        "inclination_err": curve.inclination_err,
    }


def _without_baryons(curve: RotationCurve) -> MassModel:
    """A mass model with the good rings of a curve and no visible mass."""
    good = curve.good
    if good.sum() < MIN_RINGS:
        raise RejectedGalaxyError(
            f"{curve.galaxy} has {good.sum()} good rings, fewer than {MIN_RINGS}: leave it out", Reason.FEW_RINGS
        )
    none = np.zeros(int(good.sum()))
    return MassModel(
        galaxy=curve.galaxy,
        source=None,
        r_disk=float("nan"),
        v_gas=none,
        v_disk=none,
        v_bulge=none,
        **MASSES_KNOWN,
        **speeds_of(curve, good),
    )


def model_from_particles(curve: RotationCurve, galaxy: Galaxy, axis: np.ndarray) -> MassModel:
    """The same measured curve with the true gravity of gas and stars, for the variant with perfect knowledge.

    Parameters
    ----------
    curve : RotationCurve
    galaxy : Galaxy
    axis : ndarray, shape (3,)
        Normal of the disc in the galaxy's axes, unit vector.

    Raises
    ------
    GalaxyError
        With fewer than three good rings.
    """
    model = _without_baryons(curve)
    gas, wind = (signed_square(particle_speeds(part, axis, model.radius)) for part in (galaxy.gas, galaxy.wind))
    return replace(
        model,
        r_disk=galaxy.r_half_star / HALF_MASS,
        v_gas=signed_root(gas + wind),
        v_disk=particle_speeds(galaxy.stars, axis, model.radius),
        m_disk=float(galaxy.stars.enclosed_mass(np.array([STELLAR_APERTURE]))[0]),
        m_bulge=0.0,
        r_half=galaxy.r_half_star,
    )
