"""The maps to which rings are fitted, with the velocity of each line of sight measured in one of four ways.

- ``moment1``: the intensity-weighted mean. It is linear in the cube, so the beam can be included in the model
  (`dmlib.rotation.rings`); taken by itself it is biased towards the systemic velocity where a beam spans a gradient.
- ``gaussian``: centre of a Gaussian fit.
- ``hermite``: peak of a Gauss-Hermite series with a third-order term (van der Marel & Franx 1993), which follows an
  asymmetric line (used by de Blok et al. 2008 for THINGS).
- ``envelope``: the edge of the line on the side away from the systemic velocity, corrected for the width of the gas
  (Sofue & Rubin 2001, section 2.2.2): for discs close to edge-on, where every line of sight crosses slower gas.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numba import njit
from scipy import ndimage
from scipy.optimize import least_squares

from ..errors import DmlibError
from ..observe.beam import Beam
from ..observe.cube import SURFACE_DENSITY, HICube, HISettings
from ..observe.moments import MomentMaps, find_emission, moment_maps
from .reasons import Reason, RejectedGalaxyError

KINDS = ("moment1", "gaussian", "hermite", "envelope")

#: Level of the envelope's edge relative to the peak of the line, and dispersion of the gas that is subtracted [km/s].
ENVELOPE_LEVEL, GAS_DISPERSION = 0.2, 10.0


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


def velocity_field(cube: HICube, kind: str = "moment1") -> VelocityField:
    """Maps of a cube with velocities of one kind.

    Parameters
    ----------
    cube : HICube
    kind : {"moment1", "gaussian", "hermite", "envelope"}

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
    if kind == "envelope":
        v_sys = float(np.nanmedian(field.velocity))
        side = np.sign(field.velocity - v_sys)
        data = np.where(find_emission(cube), cube.data, 0.0)
        measured = _envelope(data, cube.velocities, np.nan_to_num(side))
        width = np.sqrt(GAS_DISPERSION**2 + field.channel_width**2 / 12.0)
        measured = measured - side * width * math.sqrt(2.0 * math.log(1.0 / ENVELOPE_LEVEL))
    else:
        measured = np.full(field.velocity.shape, np.nan)
        for pixel in zip(*np.nonzero(field.seen), strict=True):
            guess = float(field.velocity[pixel]), float(field.dispersion[pixel])
            spectrum = cube.data[:, *pixel].astype(float)
            measured[pixel] = _line_peak(cube.velocities, spectrum, *guess, field.channel_width, kind == "hermite")
    return replace(field, velocity=np.where(field.seen, measured, np.nan), kind=kind)


@njit(cache=True)
def _envelope(data, velocities, side):
    """Velocity at which each line falls to the level, coming from outside towards the peak."""
    n, ny, nx = data.shape
    out = np.full((ny, nx), np.nan)
    for y in range(ny):
        for x in range(nx):
            step = 1 if side[y, x] > 0 else -1
            peak = 0
            for c in range(n):
                if data[c, y, x] > data[peak, y, x]:
                    peak = c
            level = ENVELOPE_LEVEL * data[peak, y, x]
            if level <= 0.0 or side[y, x] == 0:
                continue
            c = 0 if step < 0 else n - 1  # from outside inwards: the last channel above the level
            while c != peak and data[c, y, x] < level:
                c -= step
            beyond = c + step
            if beyond < 0 or beyond >= n:
                continue
            share = (data[c, y, x] - level) / (data[c, y, x] - data[beyond, y, x])
            out[y, x] = velocities[c] + share * (velocities[beyond] - velocities[c])
    return out


def _line_peak(
    velocities: np.ndarray, spectrum: np.ndarray, centre: float, width: float, channel: float, hermite: bool
) -> float:
    """Peak velocity of a Gaussian or Gauss-Hermite line fitted to a spectrum, NaN where that fails."""
    # Only the channels around the line: noise beyond them must not be fitted.
    near = np.abs(velocities - centre) <= 4.0 * width + channel
    v, data = velocities[near], spectrum[near]
    guess = [data.max(initial=0.0), centre, max(width, 0.5 * channel), *([0.0] if hermite else [])]
    if len(v) < len(guess) + 1:
        return math.nan

    def line(p: np.ndarray, at: np.ndarray) -> np.ndarray:
        y = (at - p[1]) / max(abs(p[2]), 0.3 * channel)
        h3 = np.clip(p[3], -0.3, 0.3) if hermite else 0.0
        return p[0] * np.exp(-0.5 * y**2) * (1.0 + h3 * (2.0 * y**3 - 3.0 * y) / math.sqrt(3.0))

    found = least_squares(lambda p: line(p, v) - data, guess, method="lm").x
    peak = float(found[1])
    if hermite:
        fine = peak + abs(found[2]) * np.linspace(-1.5, 1.5, 121)
        peak = float(fine[np.argmax(line(found, fine))])
    return peak if found[0] > 0 and velocities[0] <= peak <= velocities[-1] else math.nan
