"""HI cubes of simulated galaxies: with MARTINI, the reference, and the same cube made in hundredths of a second.

MARTINI (Oman 2019, 2024) turns particles into a cube as an interferometer would deliver it. It is general: it carries
units through every step, knows every projection of the sky, searches its pixels with a tree, and lays out the spectrum
of every particle over all channels. In `observe` the geometry is that of one observation, in closed form; only the
pixels of a particle's kernel and the channels of its line are visited; and the beam, which is separable, is applied
along one axis after the other. Particles, kernels, channels, noise (drawn from the same seed in the same order) and
beam are MARTINI's, so that both cubes agree to rounding: the tests compare them voxel by voxel.

MARTINI's conventions, and how they are met here: it looks along its x axis, with y East and z North; its first array
axis is right ascension, which falls with the index, so the transpose of a channel is an image with West to the right;
its velocity axis descends, about the Hubble velocity of the distance. A cube here has axes (velocity, y, x),
velocities ascend, and are relative to the systemic velocity. MARTINI also adds the Hubble flow within the galaxy (0.07
km/s per kpc of depth), as it should for the peculiar velocities of a simulation.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from astropy import constants
from astropy import units as u
from numba import njit

from ..errors import GalaxyError
from ..units import HUBBLE
from .cube import (
    BEAM_TRUNCATION,
    MSUN_PER_JY_KMS_MPC2,
    HICube,
    HISettings,
    beam_kernel,
    convolve_separable,
    white_noise,
)
from .hydrogen import SPLINE_FWHM, HIGas
from .sky import SkyGrid, View

#: Boltzmann's constant over the proton mass [(km/s)^2 / K]
_BOLTZMANN_PER_PROTON = (constants.k_B / constants.m_p).to_value(u.km**2 / u.s**2 / u.K)

#: A line is followed to this many dispersions; beyond lie 2e-9 of it.
_LINE_REACH = 6.0

#: Observer frame (right, up, towards the observer) to MARTINI's frame (away, East, North).
TO_MARTINI = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

#: Mixed into the seed to give the noise a random stream of its own.
_STREAM = 0x6E6F6973


def noise_seed(seed: int, subhalo_id: int, view: int) -> int:
    """Seed of the noise of one view; it does not depend on the order of work."""
    return int(np.random.SeedSequence([seed, _STREAM, subhalo_id, view]).generate_state(1, np.uint64)[0])


def observe_with_martini(gas: HIGas, view: View, grid: SkyGrid, settings: HISettings, *, seed: int) -> HICube:
    """Observe a galaxy with MARTINI.

    Parameters
    ----------
    gas : HIGas
    view : View
    grid : SkyGrid
    settings : HISettings
    seed : int
        Root seed of the noise, see `noise_seed`.

    Returns
    -------
    HICube

    Raises
    ------
    GalaxyError
        When no HI lies within the cube.
    """
    from martini import DataCube, Martini
    from martini.beams import GaussianBeam
    from martini.noise import GaussianNoise
    from martini.sources import SPHSource
    from martini.spectral_models import GaussianSpectrum
    from martini.sph_kernels import CubicSplineKernel

    rotation = TO_MARTINI @ view.rotation
    source = SPHSource(
        distance=settings.distance * u.Mpc,
        h=HUBBLE,
        T_g=gas.temperature * u.K,
        mHI_g=gas.m_hi * u.Msun,
        xyz_g=gas.positions @ rotation.T * u.kpc,
        vxyz_g=gas.velocities @ rotation.T * u.km / u.s,
        hsm_g=np.minimum(gas.fwhm, settings.max_fwhm) * u.kpc,
        coordinate_axis=1,
    )
    pixel = grid.pixel_size * settings.arcsec_per_kpc
    cube = DataCube(
        n_px_x=grid.pixels,
        n_px_y=grid.pixels,
        n_channels=settings.n_channels,
        px_size=pixel * u.arcsec,
        channel_width=settings.channel_width * u.km / u.s,
        spectral_centre=source.vsys,
    )
    width = settings.beam * u.arcsec
    beam = GaussianBeam(bmaj=width, bmin=width, truncate=BEAM_TRUNCATION) if settings.beam else None
    noise = None
    if settings.noise:
        # Undo MARTINI's estimate of what the beam does to the noise, to reach the exact level.
        sigma = settings.beam / np.sqrt(8.0 * np.log(2.0)) / pixel
        rms = white_noise(settings, pixel) / (2.19568 * np.sqrt(np.pi) * sigma)
        noise = GaussianNoise(rms=rms * u.Jy / u.beam, seed=noise_seed(seed, gas.subhalo_id, view.index))
    line = settings.line_width
    try:
        martini = Martini(
            source=source,
            datacube=cube,
            beam=beam,
            noise=noise,
            sph_kernel=CubicSplineKernel(),
            spectral_model=GaussianSpectrum(sigma=line if line == "thermal" else line * u.km / u.s),
            quiet=True,
        )
    except RuntimeError as error:
        if "No non-zero mHI" not in str(error):
            raise
        raise _no_hi(gas, grid, settings) from error
    martini.insert_source_in_cube(progressbar=False)
    if noise is not None:
        martini.add_noise()
    if beam is not None:
        martini.convolve_beam()
        data = martini.datacube._array.to_value(u.Jy / u.beam)
    else:
        data = martini.datacube._array.to_value(u.Jy / u.arcsec**2) * pixel**2
    # (right ascension, declination, velocity descending) -> (velocity ascending, y, x)
    return HICube.of(np.ascontiguousarray(data.T[::-1]), grid, settings, gas.subhalo_id, view.index)


def observe(gas: HIGas, view: View, grid: SkyGrid, settings: HISettings, *, seed: int) -> HICube:
    """Observe a galaxy; arguments, result and errors as `observe_with_martini`."""
    pixel = grid.pixel_size * settings.arcsec_per_kpc
    factor = beam_kernel(settings.beam, pixel) if settings.beam else np.ones(1)
    pad = len(factor) // 2
    column, row, velocity, flux, distance = _on_the_sky(gas, view, grid, settings)
    fwhm = np.arctan(np.minimum(gas.fwhm, settings.max_fwhm) / (1e3 * distance))
    fwhm *= np.degrees(1.0) * 3600.0 / pixel
    if settings.line_width == "thermal":
        width = np.sqrt(_BOLTZMANN_PER_PROTON * gas.temperature)
    else:
        width = np.full(len(flux), float(settings.line_width))
    padded = np.zeros((grid.pixels + 2 * pad, grid.pixels + 2 * pad, settings.n_channels))
    first_edge = settings.velocities[0] - 0.5 * settings.channel_width
    touched = _deposit(padded, column + pad, row + pad, fwhm, velocity, width, flux, first_edge, settings.channel_width)
    if touched == 0:
        raise _no_hi(gas, grid, settings)
    if settings.noise:
        # MARTINI draws (right ascension, declination, velocity descending), in the unit of the cube before the beam.
        noise = _white(noise_seed(seed, gas.subhalo_id, view.index), padded.shape)
        scale = white_noise(settings, pixel) / settings.round_beam.area * pixel**2
        data = np.empty((settings.n_channels, *padded.shape[:2]))
        _add_noise(padded, noise, scale, data)
    else:
        data = np.ascontiguousarray(padded.transpose(2, 0, 1))
    if settings.beam:
        data = convolve_separable(data, factor)
        data *= settings.round_beam.area / pixel**2
    return HICube.of(data, grid, settings, gas.subhalo_id, view.index)


@lru_cache(maxsize=1)
def _white(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Noise of unit variance; the last is kept, for the same view of another universe has the same noise."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    noise.setflags(write=False)
    return noise


@njit(cache=True)
def _add_noise(cube, noise, scale, out):
    """Cube of axes (y, x, channel) plus noise of axes (x, y, descending channel), into axes (channel, y, x)."""
    n_rows, n_columns, n_channels = cube.shape
    for j in range(n_rows):
        for start in range(0, n_columns, 8):  # the doubles of a cache line
            for c in range(n_channels):
                for i in range(start, min(start + 8, n_columns)):
                    out[c, j, i] = cube[j, i, c] + scale * noise[i, j, n_channels - 1 - c]


def _on_the_sky(gas: HIGas, view: View, grid: SkyGrid, settings: HISettings):
    """Pixel coordinates, velocity [km/s], flux [Jy km/s] and distance [Mpc] of every particle.

    Gnomonic projection about the galaxy; the line of sight runs from the observer to each particle.
    """
    x, y, z = view.project(gas.positions).T / 1e3
    away = settings.distance - z
    vx, vy, vz = view.project(gas.velocities).T
    distance = np.sqrt(away**2 + x**2 + y**2)
    velocity = (vx * x + vy * y - vz * away) / distance + 100.0 * HUBBLE * (distance - settings.distance)
    flux = gas.m_hi / distance**2 / MSUN_PER_JY_KMS_MPC2
    # The tangent plane at the galaxy's distance, in kpc.
    scale = 1e3 * settings.distance / away
    return grid.to_pixels(x * scale), grid.to_pixels(y * scale), velocity, flux, distance


@njit(cache=True)
def _spline_column(r2: float) -> float:
    """Line integral of the cubic spline of unit support radius at squared distance r2, in units of the support.

    MARTINI's closed form, which is for a kernel of support 2, rescaled.
    """
    q2 = 4.0 * r2
    if q2 > 4.0:
        return 0.0
    if q2 == 0.0:
        return (11.0 / 16.0 + 0.0625) / 1.59689476201133 * 4.0
    b = math.sqrt(4.0 - q2)
    if q2 <= 1.0:
        a = math.sqrt(1.0 - q2)
        inner = (
            a
            - 0.5 * a**3
            - 1.5 * q2 * a
            + 3.0 / 32.0 * a * (3.0 * q2 + 2.0)
            + 9.0 / 32.0 * q2 * q2 * (math.log(1.0 + a) - 0.5 * math.log(q2))
        )
        outer = (
            -b * (3.0 * q2 + 56.0) / 4.0
            + a * (4.0 * q2 + 50.0) / 8.0
            - 3.0 / 8.0 * q2 * (q2 + 16.0) * math.log((2.0 + b) / (1.0 + a))
            + 2.0 * (3.0 * q2 + 4.0) * (b - a)
            + 2.0 * (b**3 - a**3)
        )
        value = inner + 0.25 * outer
    else:
        value = 0.25 * (
            -b * (3.0 * q2 + 56.0) / 4.0
            - 3.0 / 8.0 * q2 * (q2 + 16.0) * (math.log(2.0 + b) - 0.5 * math.log(q2))
            + 2.0 * (3.0 * q2 + 4.0) * b
            + 2.0 * b**3
        )
    return value / 1.59689476201133 * 4.0


@njit(cache=True)
def _deposit(cube, column, row, fwhm, velocity, width, flux, first_edge, channel):
    """Add every particle's line to the voxels of its kernel; returns how many particles reached the cube.

    The kernels are those of MARTINI's CubicSplineKernel: a cubic spline taken at pixel centres where its support is at
    least 1.16 pixels, a point where the FWHM is at most half a pixel, between them a Gaussian integrated over pixels.
    """
    n_rows, n_columns, n_channels = cube.shape
    half = math.sqrt(0.5)
    touched = 0
    line = np.empty(n_channels)
    for p in range(len(flux)):
        support = fwhm[p] / SPLINE_FWHM
        sigma = fwhm[p] / math.sqrt(8.0 * math.log(2.0))
        if support >= 1.16:
            kind, reach = 0, support
        elif fwhm[p] <= 0.5:
            kind, reach = 1, fwhm[p]
        else:
            kind, reach = 2, 6.0 * sigma
        reach = max(reach, half)
        x0, x1 = max(0, math.ceil(column[p] - reach)), min(n_columns - 1, math.floor(column[p] + reach))
        y0, y1 = max(0, math.ceil(row[p] - reach)), min(n_rows - 1, math.floor(row[p] + reach))
        c0 = max(0, math.floor((velocity[p] - _LINE_REACH * width[p] - first_edge) / channel))
        c1 = min(n_channels - 1, math.floor((velocity[p] + _LINE_REACH * width[p] - first_edge) / channel))
        if x0 > x1 or y0 > y1 or c0 > c1:
            continue
        touched += 1
        denominator = math.sqrt(2.0) * width[p]
        below = math.erf((first_edge + c0 * channel - velocity[p]) / denominator)
        for c in range(c0, c1 + 1):
            above = math.erf((first_edge + (c + 1) * channel - velocity[p]) / denominator)
            line[c] = 0.5 * (above - below) * flux[p] / channel
            below = above
        for j in range(y0, y1 + 1):
            dy = j - row[p]
            for i in range(x0, x1 + 1):
                dx = i - column[p]
                r2 = dx * dx + dy * dy
                if r2 > reach * reach:
                    continue
                if kind == 0:
                    weight = _spline_column(r2 / (support * support)) / (support * support)
                elif kind == 1:
                    weight = 1.0 if abs(dx) < 0.5 and abs(dy) < 0.5 else 0.0
                else:
                    weight = _gaussian_pixel(dx, dy, sigma)
                for c in range(c0, c1 + 1):
                    cube[j, i, c] += weight * line[c]
    return touched


@njit(cache=True)
def _gaussian_pixel(dx: float, dy: float, sigma: float) -> float:
    """Integral over a pixel of a Gaussian truncated at 6 sigma, as in MARTINI."""
    s = math.sqrt(2.0) * sigma
    zmax2 = 36.0 - (dx * dx + dy * dy) / (sigma * sigma)
    depth = math.erf(math.sqrt(zmax2) / math.sqrt(2.0)) if zmax2 > 0.0 else 0.0
    norm = math.erf(6.0 / math.sqrt(2.0)) - 12.0 / math.sqrt(2.0 * math.pi) * math.exp(-18.0)
    x = math.erf((dx + 0.5) / s) - math.erf((dx - 0.5) / s)
    y = math.erf((dy + 0.5) / s) - math.erf((dy - 0.5) / s)
    return 0.25 * depth * x * y / norm


def _no_hi(gas: HIGas, grid: SkyGrid, settings: HISettings) -> GalaxyError:
    """Error for a galaxy whose HI lies outside the cube."""
    half = (settings.n_channels * settings.channel_width) / 2
    return GalaxyError(f"subhalo {gas.subhalo_id} has no HI within {grid.field_of_view:g} kpc and +-{half:g} km/s")
