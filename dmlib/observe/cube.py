"""HI cubes: beams, the settings of the observation, and one class for simulated and real cubes.

**Every number of `HISettings` is our choice**: the paper's distance, channels, beam and noise are unknown. A cube is
made in `dmlib.observe.deposit`, read from FITS in `dmlib.observe.cube_fits`, and reduced to maps in
`dmlib.observe.moments`. The beams of simulated cubes are those of MARTINI, as separable kernels on pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from astropy import units as u
from numba import njit
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy import fft

from ..units import HUBBLE
from .sky import SkyGrid

#: Msun of HI per (Jy km/s Mpc^2), the factor that MARTINI uses.
MSUN_PER_JY_KMS_MPC2 = 2.36e5

#: Surface density of HI [Msun/pc^2] per Jy km/s arcsec^-2; it does not depend on the distance.
SURFACE_DENSITY = MSUN_PER_JY_KMS_MPC2 * u.arcsec.to(u.rad) ** -2 / 1e12

#: HI atoms per cm^2 of 1 Msun/pc^2
ATOMS_PER_CM2 = (u.Msun / u.pc**2 / (1.00784 * u.u)).to_value(u.cm**-2)

#: MARTINI's beam is cut off at this many FWHM.
BEAM_TRUNCATION = 4.0

#: Channels over which a cube is smoothed before emission is sought: each and its two neighbours.
CHANNELS_TOGETHER = 3


@dataclass(frozen=True)
class Beam:
    """An elliptical Gaussian beam.

    Parameters
    ----------
    major, minor : float
        Full widths at half maximum, in the unit of the pixels; 0 stands for no beam.
    position_angle : float
        Of the major axis, from North through East [deg].
    over_pixels : bool
        Whether the beam was integrated over pixels, as MARTINI does, or the map samples a smooth sky.
    """

    major: float
    minor: float
    position_angle: float = 0.0
    over_pixels: bool = False

    @property
    def fwhm(self) -> float:
        """Geometric mean of the axes."""
        return float(np.sqrt(self.major * self.minor))

    @property
    def area(self) -> float:
        """Solid angle as an area in the unit of the axes, squared."""
        return float(np.pi * (self.major * self.minor) / (4.0 * np.log(2.0)))


#: Pixels of a side up to which matrices convolve faster than Fourier transforms.
_SMALL_MAP = 128


class Smear:
    """Convolution with a beam of many maps of one shape.

    Parameters
    ----------
    beam, pixel : Beam, float
        In one unit.
    shape : (int, int)
    """

    def __init__(self, beam: Beam, shape: tuple[int, int], pixel: float):
        reach = int(np.ceil(1.5 * beam.major / pixel)) + 1
        self.shape = shape
        self._padded = tuple(fft.next_fast_len(n + reach, real=True) for n in shape)
        fy, fx = fft.fftfreq(self._padded[0], pixel)[:, None], fft.rfftfreq(self._padded[1], pixel)[None, :]
        angle = np.radians(beam.position_angle)
        along = -np.sin(angle) * fx + np.cos(angle) * fy  # East is -x, North is +y
        across = np.cos(angle) * fx + np.sin(angle) * fy
        widths = (beam.major * along) ** 2 + (beam.minor * across) ** 2
        self._transfer = np.exp(-2.0 * np.pi**2 * widths / np.sqrt(8.0 * np.log(2.0)) ** 2)
        if beam.over_pixels:
            self._transfer = self._transfer * np.sinc(fx * pixel) * np.sinc(fy * pixel)
        self._beam = beam
        # A round beam is a product of one along y and one along x. As matrices they are the same convolution, to
        # rounding, and several times as fast for maps as small as those of a galaxy.
        self._factors: tuple[np.ndarray, ...] | None = None
        if beam.major == beam.minor and max(shape) <= _SMALL_MAP:
            half = self._transfer[: self._padded[0] // 2 + 1, 0], self._transfer[0]
            self._factors = tuple(map(_circulant, half, self._padded, shape))

    def __call__(self, maps: np.ndarray) -> np.ndarray:
        """Convolve maps of shape (..., y, x); the sky beyond their edges is empty."""
        if not self._beam.major > 0:
            return maps
        if self._factors is not None:
            return self._factors[0] @ maps @ self._factors[1]
        transform = fft.rfft2(maps, self._padded)
        transform *= self._transfer
        return fft.irfft2(transform, self._padded, overwrite_x=True)[..., : self.shape[0], : self.shape[1]]


def _circulant(transfer: np.ndarray, padded: int, n: int) -> np.ndarray:
    """Matrix (n, n) of the convolution of n pixels, padded, with a symmetric function of that transfer function."""
    kernel = fft.irfft(transfer, padded)
    return kernel[(np.arange(n)[:, None] - np.arange(n)) % padded]


class HISettings(BaseModel):
    """How the HI is observed: as by an interferometric survey of nearby discs. All values are our choice.

    At 70 Mpc the beam of 15 arcsec is 5.1 kpc wide, 2.5 pixels of the `quick` grid: the resolution of WHISP (van der
    Hulst et al. 2001: 12-30 arcsec at some tens of Mpc) or of MeerKAT's MIGHTEE (Maddox et al. 2021: 12 arcsec at some
    hundred Mpc), not of THINGS (Walter et al. 2008: 0.1-0.5 kpc), for which both the gas cells and the pixels are too
    coarse. A noise of 0.3 mJy/beam in 10 km/s is 1.5e19 atoms/cm^2 (0.12 Msun/pc^2) per channel, between WHISP (9e19 in
    10 km/s at its full resolution, by the survey's pages) and MIGHTEE (a few 1e18; Heywood et al. 2024): the edge of an
    HI disc, 1 Msun/pc^2, is seen at several times the noise.

    Parameters
    ----------
    distance : float
        [Mpc]. The galaxy recedes with the Hubble flow; no factors (1 + z) are applied, as in MARTINI.
    beam : float
        Full width at half maximum of the round Gaussian beam [arcsec]; 0 for no beam (and then no noise).
    noise : float
        Root mean square of a channel after the beam [Jy/beam]; 0 for none.
    channel_width : float
        [km/s]
    v_max : float
        Largest channel velocity on either side of the systemic one [km/s]: 101 channels of 10 km/s. Faster gas in the
        group is outside the band, as in any observation.
    line_width : float or "thermal"
        Dispersion of the line of one cell [km/s]. 7 km/s, MARTINI's default, is about that of warm neutral gas at
        8000 K; ``"thermal"`` is sqrt(k T / m_p), which is too wide in star-forming cells, where the simulation's
        temperature is that of its equation of state.
    scope : {"group", "subhalo"}
        Whose gas is observed, see `dmlib.observe.hydrogen.HIGas.of`.
    partition : {"leroy08", "blitz06"}
        Pressure law for HI and H2, see `dmlib.observe.hydrogen.PARTITIONS`.
    max_fwhm : float
        Largest smoothing length of a cell [kpc]. Only cells below 1e-3 hydrogen atoms per cm^3 are wider (for the mass
        of a TNG100-2 cell, 1.1e7 Msun), where gas is ionised: their traces of HI would be spread over a large part of
        the map, at a cost that grows with the square of the width. The HI mass is kept.
    negligible : float
        Share of the HI, in the poorest cells, that is moved to the others, see `dmlib.observe.hydrogen.HIGas.of`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    distance: float = Field(default=70.0, gt=0)
    beam: float = Field(default=15.0, ge=0)
    noise: float = Field(default=3e-4, ge=0)
    channel_width: float = Field(default=10.0, gt=0)
    v_max: float = Field(default=500.0, gt=0)
    line_width: float | Literal["thermal"] = 7.0
    scope: Literal["group", "subhalo"] = "group"
    partition: Literal["leroy08", "blitz06"] = "leroy08"
    max_fwhm: float = Field(default=8.0, gt=0)
    negligible: float = Field(default=1e-3, ge=0, lt=0.1)

    @model_validator(mode="after")
    def _consistent(self) -> HISettings:
        if self.v_max < self.channel_width:
            raise ValueError(f"v_max {self.v_max:g} km/s is less than a channel of {self.channel_width:g} km/s")
        if self.noise > 0 and self.beam == 0:
            raise ValueError("noise needs a beam: it is given in Jy/beam; set noise=0 as well")
        return self

    def without(self, *parts: Literal["noise", "beam"]) -> HISettings:
        """The same observation without noise, or without beam (and so without noise)."""
        changes = {"noise": 0.0} | ({"beam": 0.0} if "beam" in parts else {})
        return self.model_copy(update=changes)

    @property
    def n_channels(self) -> int:
        """Number of channels: odd, so that one is centred on the systemic velocity."""
        return 2 * int(np.floor(self.v_max / self.channel_width + 1e-9)) + 1

    @property
    def arcsec_per_kpc(self) -> float:
        """Angle of 1 kpc on the sky."""
        return float(np.degrees(1.0 / (1e3 * self.distance)) * 3600.0)

    @property
    def round_beam(self) -> Beam:
        """The beam [arcsec]."""
        return Beam(self.beam, self.beam)

    @property
    def beam_kpc(self) -> float:
        """Width of the beam at the galaxy [kpc]."""
        return self.beam / self.arcsec_per_kpc

    @property
    def v_systemic(self) -> float:
        """Recession velocity of the galaxy [km/s]."""
        return 100.0 * HUBBLE * self.distance

    @property
    def noise_column(self) -> float:
        """Column density of the noise in one channel [atoms/cm^2]; 0 without noise."""
        if not self.noise:
            return 0.0
        return self.noise * self.channel_width * SURFACE_DENSITY / self.round_beam.area * ATOMS_PER_CM2

    @property
    def velocities(self) -> np.ndarray:
        """Channel centres relative to the systemic velocity [km/s], ascending, shape (n_channels,)."""
        return (np.arange(self.n_channels) - (self.n_channels - 1) / 2) * self.channel_width


@dataclass(frozen=True)
class Cube:
    """An HI cube.

    Parameters
    ----------
    name : str
        The object, for messages.
    data : ndarray, shape (n_channels, y, x)
        Surface brightness [Jy/beam], or [Jy/pixel] without a beam; y points North, x West. Blank voxels are 0.
    velocities : ndarray, shape (n_channels,)
        Channel centres, ascending [km/s]: in the convention of the file for a real cube, relative to the systemic
        velocity for a simulated one.
    pixel : float
        Side of a pixel [arcsec].
    beam : Beam
        [arcsec]; of width 0 where there is none.
    valid : ndarray of bool, shape (y, x)
        Pixels with data.
    notes : tuple of str
        What had to be assumed on reading.
    """

    name: str
    data: np.ndarray
    velocities: np.ndarray
    pixel: float
    beam: Beam
    valid: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def channel_width(self) -> float:
        """Width of a channel [km/s]."""
        return float(abs(self.velocities[-1] - self.velocities[0]) / (len(self.velocities) - 1))

    @property
    def area(self) -> float:
        """Solid angle to which the unit of `data` refers, of the beam or of a pixel [arcsec^2]."""
        return self.beam.area if self.beam.major else self.pixel**2

    @property
    def unit(self) -> str:
        """Unit of `data`."""
        return "Jy/beam" if self.beam.major else "Jy/pixel"

    @property
    def surface_density(self) -> float:
        """Msun/pc^2 of HI per unit of `data` in one channel."""
        return SURFACE_DENSITY * self.channel_width / self.area

    @cached_property
    def noise(self) -> float:
        """Standard deviation of a voxel without emission, in the unit of `data`; measured on the negative voxels."""
        return _negative_noise(self.data[:, self.valid])

    def smoothed(self) -> tuple[np.ndarray, float]:
        """The cube smoothed with its beam and over three channels, and its noise.

        The noise is measured in the smoothed cube, since that of a real telescope is not white.
        """
        smooth = self._smooth(self.data)
        return smooth, _negative_noise(smooth[:, self.valid])

    def _smooth(self, data: np.ndarray) -> np.ndarray:
        return over_channels(Smear(self.beam, data.shape[1:], self.pixel)(data))


@dataclass(frozen=True, kw_only=True)
class HICube(Cube):
    """The cube of a simulated galaxy, whose settings and noise are known; made by `HICube.of`.

    Parameters
    ----------
    grid : SkyGrid
        Pixels in kpc at the galaxy.
    settings : HISettings
    subhalo_id, view : int
    """

    grid: SkyGrid
    settings: HISettings
    subhalo_id: int
    view: int

    @classmethod
    def of(cls, data: np.ndarray, grid: SkyGrid, settings: HISettings, subhalo_id: int, view: int) -> HICube:
        """A cube from its data, shape (n_channels, y, x), and the settings of the observation."""
        return cls(
            name=f"subhalo {subhalo_id}",
            data=data,
            velocities=settings.velocities,
            pixel=grid.pixel_size * settings.arcsec_per_kpc,
            beam=settings.round_beam,
            valid=np.ones(grid.shape, dtype=bool),
            grid=grid,
            settings=settings,
            subhalo_id=subhalo_id,
            view=view,
        )

    @property
    def channel_width(self) -> float:
        """Width of a channel [km/s]."""
        return self.settings.channel_width

    @cached_property
    def noise(self) -> float:
        """Standard deviation of a voxel without emission [Jy/beam]; 0 without noise."""
        return self.settings.noise

    def smoothed(self) -> tuple[np.ndarray, float]:
        """The cube smoothed with its beam and over three channels, and its noise.

        The noise is exact for that of MARTINI, which is white before the beam.
        """
        factor = beam_kernel(self.settings.beam, self.pixel)
        smooth = over_channels(convolve_separable(self.data, factor, margin=len(factor) // 2))
        twice = np.convolve(factor, factor)
        return smooth, self.noise * float(np.sum(twice**2) / np.sum(factor**2)) / np.sqrt(CHANNELS_TOGETHER)


def white_noise(settings: HISettings, pixel: float) -> float:
    """Root mean square before the beam [Jy/beam] that is `settings.noise` after it, for a pixel in arcsec.

    The beam multiplies the noise of independent pixels by sqrt(sum k^2); MARTINI approximates that sum.
    """
    return settings.noise / float(np.sum(beam_kernel(settings.beam, pixel) ** 2))


@lru_cache(maxsize=8)
def beam_kernel(beam: float, pixel: float) -> np.ndarray:
    """MARTINI's round beam on pixels: a one-dimensional factor g with ``outer(g, g)`` the kernel, of odd length.

    Parameters
    ----------
    beam, pixel : float
        Full width at half maximum, and side of a pixel [arcsec].

    """
    # MARTINI integrates the Gaussian over pixels by a spline, out to 4 FWHM; the kernel is separable to the accuracy of
    # that spline, and its leading singular vector is the factor.
    from martini import DataCube
    from martini.beams import GaussianBeam

    kernel = GaussianBeam(bmaj=beam * u.arcsec, bmin=beam * u.arcsec, truncate=BEAM_TRUNCATION)
    pixels = {"n_px_x": 2, "n_px_y": 2, "n_channels": 1, "px_size": pixel * u.arcsec}
    kernel.init_kernel(DataCube(**pixels, channel_width=1 * u.km / u.s))
    left, singular, _ = np.linalg.svd(kernel.kernel.value)
    factor = np.abs(left[:, 0]) * np.sqrt(singular[0])
    factor.setflags(write=False)
    return factor


def _negative_noise(values: np.ndarray) -> float:
    """Standard deviation of Gaussian noise of mean zero from its negative values; 0 where there are none."""
    negative = values[values < 0]
    return float(1.4826 * np.median(np.abs(negative))) if negative.size else 0.0


# Smoothing: the loops that every HI observation spends its time in. Compiled, and channel by channel, so that a channel
# stays in the processor's cache. A matrix product would start threads in every worker, and round by their number.


def convolve_separable(cube: np.ndarray, factor: np.ndarray, margin: int = 0) -> np.ndarray:
    """Convolve each channel with ``outer(factor, factor)``.

    Parameters
    ----------
    cube : ndarray, shape (k, n, n)
    factor : ndarray, shape (2 p + 1,)
        Symmetric.
    margin : int
        Empty sky about the cube that counts as part of it [pixels], up to p.

    Returns
    -------
    ndarray, shape (k, n - 2 p + 2 margin, n - 2 p + 2 margin)
        The part that does not reach over that margin.
    """
    inner = cube.shape[1] - len(factor) + 1 + 2 * margin
    result = np.zeros((len(cube), inner, inner))
    _convolve(np.ascontiguousarray(cube), factor, margin, result)
    return result


@njit(cache=True)
def _convolve(cube, factor, margin, out):
    n, inner = cube.shape[1], out.shape[1]
    row = np.empty(n)
    for k in range(len(cube)):
        for y in range(inner):
            row[:] = 0.0
            for t in range(max(0, margin - y), min(len(factor), n + margin - y)):
                weight, taken = factor[t], cube[k, y + t - margin]
                for x in range(n):
                    row[x] += weight * taken[x]
            sums = out[k, y]
            for t in range(len(factor)):
                weight, first = factor[t], max(0, margin - t)
                taken = row[first + t - margin :]
                some = sums[first : min(inner, n + margin - t)]
                for x in range(len(some)):
                    some[x] += weight * taken[x]


def over_channels(cube: np.ndarray) -> np.ndarray:
    """Mean of each channel and its two neighbours, shape (k, y, x) as the cube; beyond its ends there is nothing."""
    total = cube.copy()
    total[1:] += cube[:-1]
    total[:-1] += cube[1:]
    total /= CHANNELS_TOGETHER
    return total


def grown(mask: np.ndarray) -> np.ndarray:
    """A mask of voxels with their six neighbours, shape (k, y, x)."""
    out = mask.copy()
    for axis in range(3):
        to, of = np.moveaxis(out, axis, 0), np.moveaxis(mask, axis, 0)
        to[1:] |= of[:-1]
        to[:-1] |= of[1:]
    return out
