"""What is measured on an HI cube: moment maps, the global profile, a position-velocity diagram, channel maps.

Moment maps are blank (NaN, and False in `MomentMaps.seen`) where no emission was found. Emission is sought in a cube
smoothed again with its own beam and over three channels, as in surveys (Walter et al. 2008; SoFiA, Serra et al. 2015):
there the outer disc stands out from the noise. The moments are then taken from the original voxels in and around the
emission. Moments over all channels would include the noise of the empty channels in every pixel, and the velocity,
which is a ratio, would suffer most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.table import QTable
from scipy import ndimage

from ..errors import GalaxyError
from ..universe.base import Universe
from .cube import ATOMS_PER_CM2, CHANNELS_TOGETHER, Cube, HICube, HISettings, grown
from .deposit import observe
from .hydrogen import load_hi
from .sky import SkyGrid, lines_of_sight, tabulate

#: Least signal-to-noise of emission in a smoothed cube.
SNR = 4.0

#: Names of the moments, the last axis of `MomentMaps.stack` and of the network's input.
MOMENTS = ("surface_density", "velocity", "dispersion")


@dataclass(frozen=True)
class MomentMaps:
    """HI maps of one view; all arrays have shape (y, x), NaN where blank.

    Parameters
    ----------
    surface_density : ndarray
        Moment 0 as HI mass per area on the sky, not corrected for inclination [Msun/pc^2].
    velocity : ndarray
        Moment 1, relative to the systemic velocity, receding positive [km/s].
    dispersion : ndarray
        Moment 2 as dispersion of the line, beam smearing included [km/s]; not below that of a line within one channel,
        width / sqrt(12).
    grid : SkyGrid
    settings : HISettings
    subhalo_id, view : int
    """

    surface_density: np.ndarray
    velocity: np.ndarray
    dispersion: np.ndarray
    grid: SkyGrid
    settings: HISettings
    subhalo_id: int
    view: int

    @property
    def seen(self) -> np.ndarray:
        """True where there is emission, shape (y, x)."""
        return np.isfinite(self.surface_density)

    @property
    def m_hi(self) -> float:
        """HI mass in the map [Msun]."""
        return float(np.nansum(self.surface_density) * self.grid.pixel_area * 1e6)

    @property
    def stack(self) -> np.ndarray:
        """The three maps in the order of `MOMENTS`, shape (y, x, 3)."""
        return np.stack([self.surface_density, self.velocity, self.dispersion], axis=-1)


def find_emission(cube: Cube) -> np.ndarray:
    """Voxels that hold emission.

    Parameters
    ----------
    cube : Cube
        Emission has at least `SNR` times the noise in `Cube.smoothed`. Islands smaller than a beam by three channels
        are taken for noise; the others are grown by one voxel, for the flux at their edges (2% of the HI of a typical
        disc is then missed, 7% without).

    Returns
    -------
    ndarray of bool, shape (n_channels, y, x)
        Everything above zero where the cube has no noise.
    """
    if not cube.noise:
        return cube.data > 0
    smooth, noise = cube.smoothed()
    return grown(large_islands((smooth > SNR * noise) & cube.valid, cube)) & cube.valid


def large_islands(voxels: np.ndarray, cube: Cube) -> np.ndarray:
    """Those of some voxels of a cube, bool, that lie in islands of at least a beam by three channels."""
    islands, _ = ndimage.label(voxels)
    large = np.bincount(islands.ravel()) >= CHANNELS_TOGETHER * cube.area / cube.pixel**2
    large[0] = False
    return large[islands]


def moments(
    cube: Cube, mask: np.ndarray | None = None, *, floor: float | np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moments 0, 1 and 2 of a cube.

    Parameters
    ----------
    cube : Cube
    mask : ndarray of bool, shape (n_channels, y, x), optional
        Voxels with emission; default `find_emission`.
    floor : float or ndarray, shape (y, x), optional
        Pixels below this column density are blank [atoms/cm^2]; default three times the noise of one channel.

    Returns
    -------
    surface_density, velocity, dispersion : ndarray, shape (y, x)
        [Msun/pc^2], [km/s], [km/s], as in `MomentMaps`; NaN where blank.
    """
    v = cube.velocities
    kept = np.where(find_emission(cube) if mask is None else mask, cube.data, 0.0)
    # Sums over the channels of brightness times velocity to the powers 0, 1, 2.
    powers = [kept.sum(axis=0)]
    for _ in range(2):
        kept *= v[:, None, None]
        powers.append(kept.sum(axis=0))
    surface_density = powers[0] * cube.surface_density
    if floor is None:
        floor = 3.0 * cube.noise * cube.surface_density * ATOMS_PER_CM2
    seen = surface_density * ATOMS_PER_CM2 > floor
    with np.errstate(divide="ignore", invalid="ignore"):
        velocity = powers[1] / powers[0]
        variance = powers[2] / powers[0] - velocity**2
    dispersion = np.sqrt(np.maximum(variance, cube.channel_width**2 / 12.0))
    # Negative noise in a weak pixel can throw its mean velocity out of the band.
    seen &= (velocity >= v[0]) & (velocity <= v[-1])
    blank = np.where(seen, 0.0, np.nan)
    return surface_density + blank, velocity + blank, dispersion + blank


def moment_maps(cube: HICube, *, floor: float = 1e19) -> MomentMaps:
    """Moment maps of a simulated galaxy.

    Parameters
    ----------
    cube : HICube
    floor : float
        Pixels below this column density are blank too [atoms/cm^2], with or without noise, so that a map without noise
        ends about where a deep survey would lose it.
    """
    return MomentMaps(*moments(cube, floor=floor), cube.grid, cube.settings, cube.subhalo_id, cube.view)


@dataclass(frozen=True)
class GlobalProfile:
    """Spectrum of the whole galaxy.

    Parameters
    ----------
    velocities : ndarray, shape (n_channels,)
        Relative to the systemic velocity [km/s].
    flux_density : ndarray, shape (n_channels,)
        [Jy]
    """

    velocities: np.ndarray
    flux_density: np.ndarray

    def crossings(self, level: float) -> tuple[float, float]:
        """Velocities where the profile first rises above and last falls below ``level`` times its peak [km/s].

        Linear between channels; the profile is taken as zero beyond its ends.

        Raises
        ------
        GalaxyError
            When there is no flux.
        """
        v, s = self.velocities, self.flux_density
        if not s.max() > 0:
            raise GalaxyError("a global profile without flux has no width: choose a galaxy in which HI was found")
        channel = v[1] - v[0]
        v = np.concatenate([[v[0] - channel], v, [v[-1] + channel]])
        s = np.concatenate([[0.0], s, [0.0]])
        height = level * s.max()
        above = np.flatnonzero(s >= height)
        first, last = above[0], above[-1]
        low = v[first] - channel * (s[first] - height) / (s[first] - s[first - 1])
        high = v[last] + channel * (s[last] - height) / (s[last] - s[last + 1])
        return float(low), float(high)

    def width(self, level: float) -> float:
        """Full width at ``level`` times the peak [km/s]: W50 for 0.5, W20 for 0.2."""
        low, high = self.crossings(level)
        return high - low


def global_profile(cube: Cube, mask: np.ndarray | None = None) -> GlobalProfile:
    """Flux density of every channel, summed over the map.

    Parameters
    ----------
    cube : Cube
    mask : ndarray of bool, shape (n_channels, y, x), optional
        Voxels to count, for example of `find_emission`; all when omitted.
    """
    data = cube.data if mask is None else np.where(mask, cube.data, 0.0)
    flux = data.sum(axis=(1, 2)) * cube.pixel**2 / cube.area
    return GlobalProfile(cube.velocities, flux)


def integrated_flux(cube: Cube) -> float:
    """Flux of the emission integrated over the line [Jy km/s]."""
    total = cube.data[find_emission(cube)].sum() * cube.channel_width
    return float(total * cube.pixel**2 / cube.area)


def position_velocity(cube: HICube, position_angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Cut through the cube along a line through the galaxy's centre, averaged over a slit as wide as the beam.

    Parameters
    ----------
    cube : HICube
    position_angle : float
        Direction of positive offsets, from North through East [deg]; a disc's receding side for a major-axis cut.

    Returns
    -------
    offsets : ndarray, shape (n,)
        Along the cut [kpc], in steps of a pixel.
    diagram : ndarray, shape (n_channels, n)
        In the unit of the cube.
    """
    grid = cube.grid
    width = max(cube.settings.beam_kpc, grid.pixel_size)
    offsets = grid.centres
    across = np.linspace(-0.5, 0.5, 2 * int(np.ceil(width / grid.pixel_size)) + 1) * width
    angle = np.radians(position_angle)
    along = np.array([-np.sin(angle), np.cos(angle)])  # East is -x, North is +y
    x = offsets * along[0] - across[:, None] * along[1]
    y = offsets * along[1] + across[:, None] * along[0]
    points = np.stack([grid.to_pixels(y), grid.to_pixels(x)])
    slices = [ndimage.map_coordinates(channel, points, order=1).mean(axis=0) for channel in cube.data]
    return offsets, np.array(slices)


def brightest_channel(cube: HICube, diagram: np.ndarray) -> np.ndarray:
    """Velocity of the brightest channel at each offset of a position-velocity diagram.

    Parameters
    ----------
    cube : HICube
    diagram : ndarray, shape (n_channels, n)
        See `position_velocity`.

    Returns
    -------
    ndarray, shape (n,)
        [km/s]; NaN where no channel exceeds five times the noise of the cube.
    """
    seen = diagram.max(axis=0) > 5 * cube.settings.noise
    return np.where(seen, cube.velocities[diagram.argmax(axis=0)], np.nan)


def channel_maps(cube: HICube, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Channels at even steps through the line, out to half the width of the global profile at 20% on either side.

    Parameters
    ----------
    cube : HICube
    n : int
        Number of channels.

    Returns
    -------
    velocities : ndarray, shape (n,)
        Of the chosen channels [km/s].
    maps : ndarray, shape (n, y, x)
        In the unit of the cube.
    """
    v_max = max(np.abs(global_profile(cube, find_emission(cube)).crossings(0.2)))
    wanted = np.linspace(-v_max, v_max, n)
    nearest = np.abs(cube.velocities[:, None] - wanted).argmin(axis=0)
    return cube.velocities[nearest], cube.data[nearest]


#: Scales of the network's input [km/s].
VELOCITY_SCALE, DISPERSION_SCALE = 200.0, 50.0

#: Value of the first channel where a map is blank; real pixels are kept above it.
BLANK = -2.0


def normalise(maps: MomentMaps | np.ndarray) -> np.ndarray:
    """Maps as network input, on fixed scales that are the same for every galaxy, so that amplitudes keep their meaning.

    Parameters
    ----------
    maps : MomentMaps or ndarray, shape (..., 3)
        As `MomentMaps.stack`.

    Returns
    -------
    ndarray of float32, shape (..., 3)
        ``log10(surface density / (1 Msun/pc^2))``, ``velocity / 200 km/s``, ``dispersion / 50 km/s``. A blank pixel is
        exactly (-2, 0, 0); no pixel with emission has -2 in the first channel (the floor of `moment_maps` is -1.1).
    """
    stack = maps.stack if isinstance(maps, MomentMaps) else np.asarray(maps)
    surface_density, velocity, dispersion = np.moveaxis(stack, -1, 0)
    seen = np.isfinite(surface_density)
    out = np.zeros(stack.shape, dtype=np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_density = np.maximum(np.log10(surface_density), BLANK + 0.01)
    out[..., 0] = np.where(seen, log_density, BLANK)
    out[..., 1] = np.where(seen, velocity / VELOCITY_SCALE, 0.0)
    out[..., 2] = np.where(seen, dispersion / DISPERSION_SCALE, 0.0)
    return out


def recovered_masses(
    universe: Universe, subhalo_ids: Sequence[int], grid: SkyGrid, settings: HISettings, *, seed: int
) -> tuple[QTable, dict[int, str]]:
    """HI mass found in the first random view of each galaxy, beside the mass that is in the field.

    Parameters
    ----------
    universe : Universe
    subhalo_ids : sequence of int
    grid : SkyGrid
    settings : HISettings
    seed : int

    Returns
    -------
    QTable
        ``subhalo_id``, ``inclination`` [deg], ``m_hi_present`` [Msun] (in the same map without noise), ``m_hi_found``
        [Msun], ``seen`` (share of the pixels that are not blank).
    set_aside : dict
        Reason by subhalo id, for galaxies that could not be observed.
    """

    def measure(subhalo_id: int) -> tuple:
        gas = load_hi(universe, subhalo_id, settings)
        (view,) = lines_of_sight(subhalo_id, gas.spin_axis(), 1, seed=seed)
        present = moment_maps(observe(gas, view, grid, settings.without("noise"), seed=seed), floor=0.0)
        found = moment_maps(observe(gas, view, grid, settings, seed=seed))
        return view.inclination, present.m_hi, found.m_hi, found.seen.mean()

    columns = {"inclination": "deg", "m_hi_present": "Msun", "m_hi_found": "Msun", "seen": None}
    return tabulate(measure, subhalo_ids, columns, label="observing")
