"""The maps that rings are fitted to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import ndimage

from ..errors import GalaxyError
from ..observe.cube import SURFACE_DENSITY, Beam, HISettings
from ..observe.moments import MomentMaps


@dataclass(frozen=True)
class VelocityField:
    """HI maps of one galaxy as rings are fitted to; arrays of shape (y, x), NaN where blank, West right, North up.

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
        Which velocities these are, see `dmlib.rotation.velocities`.
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
        """From moment maps of a simulated galaxy."""
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
        """The same field with everything blank but the island of emission about a centre: companions are left out.

        The island is that of the emission nearest to the centre among those of at least two beams.

        Raises
        ------
        GalaxyError
            When no island is as large as two beams.
        """
        islands, count = ndimage.label(self.seen)
        sizes = np.bincount(islands.ravel(), minlength=count + 1)[1:] * self.pixel**2
        x, y = self.mesh()
        distance = np.hypot(x - centre[0], y - centre[1])
        best, nearest = 0, np.inf
        for k in np.flatnonzero(sizes >= 2.0 * self.beam.area) + 1:
            away = distance[islands == k].min()
            if away < nearest:
                best, nearest = k, away
        if best == 0:
            raise GalaxyError(
                f"{self.galaxy} has no HI emission as large as two beams: its rotation cannot be measured, leave it out"
            )
        blank = np.where(islands == best, 0.0, np.nan)
        return replace(
            self,
            surface_density=self.surface_density + blank,
            velocity=self.velocity + blank,
            dispersion=self.dispersion + blank,
        )


def channel_noise(settings: HISettings) -> float:
    """Standard deviation of one channel as surface density [Msun/pc^2]; 0 without noise."""
    if not settings.noise:
        return 0.0
    area = np.pi * settings.beam**2 / (4.0 * np.log(2.0))
    return settings.noise * settings.channel_width * SURFACE_DENSITY / area
