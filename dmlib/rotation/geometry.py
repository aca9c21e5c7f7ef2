"""Rings on the sky: from pixels to radius and azimuth in a disc that may be warped, and the functions of radius."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Rounds in which the radius of a pixel and the tilt at that radius are brought into agreement.
_ROUNDS = 4


@dataclass(frozen=True)
class Tilt:
    """Where a disc is and how it is tilted.

    Parameters
    ----------
    x, y : float
        Centre, West and North of the centre of the map [kpc].
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
        if len(self.nodes) == 1:
            return np.full(np.shape(radius), self.inclination[0]), np.full(np.shape(radius), self.position_angle[0])
        angles = (np.interp(radius, self.nodes, values) for values in (self.inclination, self.position_angle))
        return tuple(angles)

    def deproject(self, x: np.ndarray, y: np.ndarray) -> Deprojected:
        """Radius and azimuth in the disc of points on the sky [kpc]."""
        x, y = x - self.x, y - self.y
        radius = np.hypot(x, y)
        for _ in range(1 if len(self.nodes) == 1 else _ROUNDS):
            inclination, angle = (np.radians(values) for values in self.at(radius))
            along = -np.sin(angle) * x + np.cos(angle) * y  # East is -x
            across = (np.cos(angle) * x + np.sin(angle) * y) / np.cos(inclination)
            radius = np.hypot(along, across)
        cosine = np.divide(along, radius, out=np.zeros_like(radius), where=radius > 0)
        return Deprojected(radius, cosine, np.sin(inclination), np.cos(inclination))


@dataclass(frozen=True)
class Deprojected:
    """Points of the sky in a disc, arrays of one shape: radius [kpc], cos of the azimuth from the receding major axis,
    and sin and cos of the inclination there.
    """

    radius: np.ndarray
    cosine: np.ndarray
    sin_i: np.ndarray
    cos_i: np.ndarray


def hats(radius: np.ndarray, step: float, n: int) -> np.ndarray:
    """The functions that interpolate linearly between values at ``0, step, ..., n step``; the last is constant beyond.

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
    return np.maximum(0.0, 1.0 - np.abs(place[None] - k))
