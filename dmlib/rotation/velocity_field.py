"""The maps to which rings are fitted, and tilted discs on the sky.

The velocity of each line of sight is moment 1, the intensity-weighted mean. It is linear in the cube, so the beam can
be included in the model (`dmlib.rotation.rings`); taken by itself it is biased towards the systemic velocity where a
beam spans a gradient.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import ndimage

from ..observe.cube import SURFACE_DENSITY, Beam, HICube
from ..observe.moments import moment_maps
from .curve import Reason, RejectedGalaxyError

#: Iterations that make the radius of a pixel consistent with the tilt at that radius.
_ROUNDS = 4


@dataclass(frozen=True)
class Tilt:
    """Centre and tilt of a disc.

    Parameters
    ----------
    x, y : float
        Centre of the disc, West and North of the centre of the map [kpc].
    nodes : ndarray, shape (m,)
        Radii at which the angles are given; linear between them, constant beyond [kpc].
    inclination, position_angle : ndarray, shape (m,)
        [deg], the position angle that of the receding side, continuous over 360.
    """

    x: float
    y: float
    nodes: np.ndarray
    inclination: np.ndarray
    position_angle: np.ndarray

    @classmethod
    def flat(cls, inclination: float, position_angle: float, x: float = 0.0, y: float = 0.0) -> Tilt:
        """A disc without a warp."""
        return cls(x, y, np.zeros(1), np.array([float(inclination)]), np.array([float(position_angle)]))

    def at(self, radius: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Inclination and position angle at radii [deg]."""
        return np.interp(radius, self.nodes, self.inclination), np.interp(radius, self.nodes, self.position_angle)

    def deproject(self, x: np.ndarray, y: np.ndarray) -> Deprojected:
        """Radius and azimuth in the disc of points on the sky [kpc]."""
        x, y = x - self.x, y - self.y
        radius = np.hypot(x, y)
        for _ in range(1 if len(self.nodes) == 1 else _ROUNDS):
            inclination, angle = (np.radians(values) for values in self.at(radius))
            sine, cosine = np.sin(angle), np.cos(angle)
            along = -sine * x + cosine * y  # East is -x
            across = (cosine * x + sine * y) / np.cos(inclination)
            radius = np.hypot(along, across)
        cosine = np.divide(along, radius, out=np.zeros_like(radius), where=radius > 0)
        return Deprojected(radius, cosine, np.sin(inclination))

    def slopes(self, x: np.ndarray, y: np.ndarray) -> Deprojected:
        """Change of `deproject` with x, y, each inclination and each position angle, shape (2 + 2 m, ...).

        Per kpc and per degree. The angles themselves change with the radius of a warp, as they do there.
        """
        x, y, m = x - self.x, y - self.y, len(self.nodes)
        radius = np.hypot(x, y)
        d_radius = np.zeros((2 + 2 * m, *radius.shape))
        d_radius[:2] = -np.stack([x, y]) / np.maximum(radius, 1e-9)
        bends = [np.diff(v) / np.diff(self.nodes) for v in (self.inclination, self.position_angle)]
        for _ in range(1 if m == 1 else _ROUNDS):
            piece = np.searchsorted(self.nodes, radius)
            lean, turn = (np.concatenate([[0.0], bend, [0.0]])[piece] * d_radius for bend in bends)
            shares = np.array([np.interp(radius, self.nodes, one) for one in np.eye(m)])
            lean[2 : 2 + m] += shares
            turn[2 + m :] += shares
            lean, turn = np.radians(lean), np.radians(turn)
            inclination, angle = (np.radians(values) for values in self.at(radius))
            sine, cosine, sin_i, cos_i = np.sin(angle), np.cos(angle), np.sin(inclination), np.cos(inclination)
            along, across = -sine * x + cosine * y, (cosine * x + sine * y) / cos_i
            d_along = -across * cos_i * turn
            d_across = along / cos_i * turn + across * sin_i / cos_i * lean
            d_along[:2] += sine, -cosine
            d_across[:2] -= cosine / cos_i, sine / cos_i
            radius = np.maximum(np.hypot(along, across), 1e-9)
            d_radius = (along * d_along + across * d_across) / radius
        return Deprojected(d_radius, (d_along - along / radius * d_radius) / radius, cos_i * lean)


@dataclass(frozen=True)
class Deprojected:
    """Points of the sky projected into a disc, arrays of one shape.

    Parameters
    ----------
    radius : ndarray
        [kpc]
    cosine : ndarray
        Of the azimuth from the receding major axis.
    sin_i : ndarray
        Sine of the inclination at that radius.
    """

    radius: np.ndarray
    cosine: np.ndarray
    sin_i: np.ndarray


def hats(radius: np.ndarray, step: float, n: int) -> np.ndarray:
    """Basis of linear interpolation between values at ``0, step, ..., n step``; the last is constant beyond.

    Parameters
    ----------
    radius : ndarray, shape (...)
    step : float
    n : int

    Returns
    -------
    ndarray, shape (n + 1, ...)
    """
    place = np.minimum(radius / step, float(n))
    k = np.arange(n + 1).reshape(-1, *([1] * np.ndim(radius)))
    away = place[None] - k
    np.abs(away, out=away)
    np.subtract(1.0, away, out=away)
    return np.maximum(away, 0.0, out=away)


@dataclass(frozen=True)
class VelocityField:
    """HI maps of one galaxy for fitting rings; arrays of shape (y, x), NaN where blank, West right, North up.

    Parameters
    ----------
    galaxy : str
    surface_density : ndarray
        On the sky, not corrected for inclination [Msun/pc^2].
    velocity : ndarray
        Receding positive [km/s].
    dispersion : ndarray
        [km/s]
    pixel : float
        [kpc]
    beam : Beam
    channel_width : float
        [km/s]
    noise : float
        Standard deviation of `surface_density` from the noise of one channel [Msun/pc^2].
    """

    galaxy: str
    surface_density: np.ndarray
    velocity: np.ndarray
    dispersion: np.ndarray
    pixel: float
    beam: Beam
    channel_width: float
    noise: float = 0.0

    @cached_property
    def seen(self) -> np.ndarray:
        """True where all maps have a value."""
        return np.isfinite(self.surface_density) & np.isfinite(self.velocity) & np.isfinite(self.dispersion)

    def mesh(self) -> tuple[np.ndarray, np.ndarray]:
        """West and North of every pixel from the centre of the map [kpc], each (y, x)."""
        ny, nx = self.surface_density.shape
        return np.meshgrid((np.arange(nx) - (nx - 1) / 2) * self.pixel, (np.arange(ny) - (ny - 1) / 2) * self.pixel)

    def about(self, centre: tuple[float, float] = (0.0, 0.0)) -> VelocityField:
        """The same field with all emission but that of the galaxy at a centre blanked: companions are left out.

        The galaxy is the connected region of emission nearest to the centre among those of at least two beam areas.

        Raises
        ------
        GalaxyError
            When no region is as large as two beams.
        """
        islands, count = ndimage.label(self.seen)
        sizes = np.bincount(islands.ravel(), minlength=count + 1)[1:] * self.pixel**2
        x, y = self.mesh()
        distance = np.hypot(x - centre[0], y - centre[1])
        large = np.flatnonzero(sizes >= 2.0 * self.beam.area) + 1
        if len(large) == 0:
            raise RejectedGalaxyError(f"{self.galaxy} has no HI emission as large as two beams", Reason.NO_HI)
        best = min(large, key=lambda k: distance[islands == k].min())
        blank = np.where(islands == best, 0.0, np.nan)
        maps = ("surface_density", "velocity", "dispersion")
        return replace(self, **{name: getattr(self, name) + blank for name in maps})


def velocity_field(cube: HICube) -> VelocityField:
    """The field of a simulated galaxy, from the moment maps of its cube."""
    maps, beam = moment_maps(cube), cube.settings.beam_kpc
    return VelocityField(
        f"subhalo {cube.subhalo_id}, view {cube.view}",
        maps.surface_density,
        maps.velocity,
        maps.dispersion,
        cube.grid.pixel_size,
        Beam(beam, beam, over_pixels=True),
        cube.channel_width,
        cube.noise * cube.channel_width * SURFACE_DENSITY / cube.area,
    )
