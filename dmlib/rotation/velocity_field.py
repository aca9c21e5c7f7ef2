"""The maps to which rings are fitted, with the velocity of each line of sight measured in one of two ways.

- ``moment1``: the intensity-weighted mean. It is linear in the cube, so the beam can be included in the model
  (`dmlib.rotation.rings`); taken by itself it is biased towards the systemic velocity where a beam spans a gradient.
- ``hermite``: peak of a Gauss-Hermite series with a third-order term (van der Marel & Franx 1993), which follows an
  asymmetric line (used by de Blok et al. 2008 for THINGS).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import ndimage
from scipy.optimize import least_squares

from ..errors import DmlibError
from ..observe.cube import SURFACE_DENSITY, Beam, HICube, HISettings
from ..observe.moments import MomentMaps, moment_maps
from .curve import Reason, RejectedGalaxyError

KINDS = ("moment1", "hermite")


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
    kind : str
        Kind of velocities, one of `KINDS`.
    """

    galaxy: str
    surface_density: np.ndarray
    velocity: np.ndarray
    dispersion: np.ndarray
    pixel: float
    beam: Beam
    channel_width: float
    noise: float = 0.0
    kind: str = "moment1"

    @classmethod
    def of(cls, maps: MomentMaps) -> VelocityField:
        """The field of a simulated galaxy's moment maps."""
        return cls(
            f"subhalo {maps.subhalo_id}, view {maps.view}",
            maps.surface_density,
            maps.velocity,
            maps.dispersion,
            maps.grid.pixel_size,
            Beam(maps.settings.beam_kpc, maps.settings.beam_kpc, over_pixels=True),
            maps.settings.channel_width,
            channel_noise(maps.settings),
        )

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
            raise RejectedGalaxyError(
                f"{self.galaxy} has no HI emission as large as two beams: its rotation cannot be measured",
                Reason.NO_HI,
            )
        best = min(large, key=lambda k: distance[islands == k].min())
        blank = np.where(islands == best, 0.0, np.nan)
        maps = ("surface_density", "velocity", "dispersion")
        return replace(self, **{name: getattr(self, name) + blank for name in maps})


def channel_noise(settings: HISettings) -> float:
    """Standard deviation of one channel as surface density [Msun/pc^2]; 0 without noise."""
    if not settings.noise:
        return 0.0
    area = np.pi * settings.beam**2 / (4.0 * np.log(2.0))
    return settings.noise * settings.channel_width * SURFACE_DENSITY / area


def velocity_field(cube: HICube, kind: str = "moment1") -> VelocityField:
    """Maps of a cube with velocities of one kind.

    Parameters
    ----------
    cube : HICube
    kind : {"moment1", "hermite"}

    Returns
    -------
    VelocityField
        Blank where the moment maps are, and where a line could not be fitted.

    Raises
    ------
    DmlibError
        For an unknown kind.
    """
    if kind not in KINDS:
        raise DmlibError(f"velocities are {', '.join(KINDS)}, not '{kind}'")
    field = VelocityField.of(moment_maps(cube))
    if kind == "moment1":
        return field
    measured = np.full(field.velocity.shape, np.nan)
    for pixel in zip(*np.nonzero(field.seen), strict=True):
        guess = float(field.velocity[pixel]), float(field.dispersion[pixel])
        measured[pixel] = _line_peak(cube.velocities, cube.data[:, *pixel].astype(float), *guess, field.channel_width)
    return replace(field, velocity=measured, kind=kind)


def _line_peak(velocities: np.ndarray, spectrum: np.ndarray, centre: float, width: float, channel: float) -> float:
    """Peak velocity of a Gauss-Hermite line fitted to a spectrum, NaN where that fails."""
    # Only the channels around the line: noise beyond them must not be fitted.
    near = np.abs(velocities - centre) <= 4.0 * width + channel
    v, data = velocities[near], spectrum[near]
    if len(v) < 5:
        return math.nan

    def line(p: np.ndarray, at: np.ndarray) -> np.ndarray:
        y = (at - p[1]) / max(abs(p[2]), 0.3 * channel)
        skew = np.clip(p[3], -0.3, 0.3) * (2.0 * y**3 - 3.0 * y) / math.sqrt(3.0)
        return p[0] * np.exp(-0.5 * y**2) * (1.0 + skew)

    guess = [data.max(), centre, max(width, 0.5 * channel), 0.0]
    found = least_squares(lambda p: line(p, v) - data, guess, method="lm").x
    fine = found[1] + abs(found[2]) * np.linspace(-1.5, 1.5, 121)
    peak = float(fine[np.argmax(line(found, fine))])
    return peak if found[0] > 0 and velocities[0] <= peak <= velocities[-1] else math.nan
