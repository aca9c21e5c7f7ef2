"""The same cube as MARTINI's, made in hundredths of a second.

MARTINI is general: it carries units through every step, knows every projection of the sky, searches its pixels with a
tree, and lays out every particle's spectrum over all channels. Here the geometry is that of one observation, in closed
form; a particle touches the pixels of its kernel and the channels of its line, and nothing else is visited; the beam,
being separable, is applied along one axis after the other. Particles, kernels, channels, noise (drawn from the same
seed in the same order) and beam are MARTINI's, so that the cube agrees with
`dmlib.observe.cube.observe_with_martini` to rounding: tests/test_observe_cube.py compares them voxel by voxel.
"""

from __future__ import annotations

import math

import numpy as np
from astropy import constants
from astropy import units as u
from numba import njit

from ..units import HUBBLE
from .cube import (
    MSUN_PER_JY_KMS_MPC2,
    HICube,
    HISettings,
    beam_area,
    beam_kernel,
    noise_seed,
    nothing_in_cube,
    white_noise,
)
from .grid import SkyGrid
from .hydrogen import SPLINE_FWHM, HIGas
from .views import View

#: Boltzmann's constant over the proton mass [(km/s)^2 / K]
_BOLTZMANN_PER_PROTON = (constants.k_B / constants.m_p).to_value(u.km**2 / u.s**2 / u.K)

#: A line is followed to this many dispersions; beyond lie 2e-9 of it.
_LINE_REACH = 6.0


def observe(gas: HIGas, view: View, grid: SkyGrid, settings: HISettings, *, seed: int) -> HICube:
    """Observe a galaxy; arguments, result and errors as `dmlib.observe.cube.observe_with_martini`."""
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
    n = grid.pixels + 2 * pad
    padded = np.zeros((n, n, settings.n_channels))
    first_edge = settings.velocities[0] - 0.5 * settings.channel_width
    touched = _deposit(padded, column + pad, row + pad, fwhm, velocity, width, flux, first_edge, settings.channel_width)
    if touched == 0:
        raise nothing_in_cube(gas, grid, settings)
    if settings.noise:
        # MARTINI draws (right ascension, declination, velocity descending), in the unit of the cube before the beam.
        rng = np.random.default_rng(noise_seed(seed, gas.subhalo_id, view.index))
        noise = rng.standard_normal(padded.shape)
        scale = white_noise(settings, pixel) / beam_area(settings.beam) * pixel**2
        padded += scale * noise.transpose(1, 0, 2)[:, :, ::-1]
    if settings.beam:
        padded = convolve_separable(padded, factor) * (beam_area(settings.beam) / pixel**2)
    return HICube(np.ascontiguousarray(padded.transpose(2, 0, 1)), grid, settings, gas.subhalo_id, view.index)


def convolve_separable(cube: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Convolve the first two axes with ``outer(factor, factor)``, keeping the part without edge effects.

    Parameters
    ----------
    cube : ndarray, shape (n, n, k)
    factor : ndarray, shape (2 p + 1,)
        Symmetric.

    Returns
    -------
    ndarray, shape (n - 2 p, n - 2 p, k)

    Notes
    -----
    Plain loops, compiled: a matrix product would start threads of its own in every worker, and its rounding would
    depend on their number.
    """
    cube = np.ascontiguousarray(cube)
    inner = cube.shape[0] - len(factor) + 1
    rows = np.zeros((inner, *cube.shape[1:]))
    _convolve_rows(cube, factor, rows)
    result = np.zeros((inner, inner, cube.shape[2]))
    for i in range(inner):
        _convolve_rows(rows[i], factor, result[i])
    return result


@njit(cache=True)
def _convolve_rows(cube, factor, out):
    """Convolve the first axis; whatever axes `cube` and `out` have beside it are run through in order."""
    flat_in = cube.reshape(cube.shape[0], -1)
    flat_out = out.reshape(out.shape[0], -1)
    for i in range(flat_out.shape[0]):
        for t in range(len(factor)):
            weight = factor[t]
            for k in range(flat_out.shape[1]):
                flat_out[i, k] += weight * flat_in[i + t, k]


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
    """Line integral of the cubic spline of unit support radius at squared distance r2 in units of the support.

    The closed form of MARTINI, written for a kernel of support 2 and rescaled.
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
        kind = 0
        if support < 1.16:
            kind = 1 if fwhm[p] <= 0.5 else 2
        sigma = fwhm[p] / math.sqrt(8.0 * math.log(2.0))
        reach = support
        if kind == 1:
            reach = fwhm[p]
        elif kind == 2:
            reach = 6.0 * sigma
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
    """Integral over a pixel of a Gaussian truncated at 6 sigma, as MARTINI has it."""
    s = math.sqrt(2.0) * sigma
    zmax2 = 36.0 - (dx * dx + dy * dy) / (sigma * sigma)
    depth = math.erf(math.sqrt(zmax2) / math.sqrt(2.0)) if zmax2 > 0.0 else 0.0
    norm = math.erf(6.0 / math.sqrt(2.0)) - 12.0 / math.sqrt(2.0 * math.pi) * math.exp(-18.0)
    x = math.erf((dx + 0.5) / s) - math.erf((dx - 0.5) / s)
    y = math.erf((dy + 0.5) / s) - math.erf((dy - 0.5) / s)
    return 0.25 * depth * x * y / norm
