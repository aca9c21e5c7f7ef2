"""Beams: an elliptical Gaussian and convolution with it, and MARTINI's beam as a separable kernel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from astropy import units as u
from numba import njit
from scipy import fft

_FWHM = np.sqrt(8.0 * np.log(2.0))

#: MARTINI's beam is cut off at this many FWHM.
BEAM_TRUNCATION = 4.0


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

    def transfer(self, shape: tuple[int, int], pixel: float) -> np.ndarray:
        """Fourier transform of the beam for `scipy.fft.rfft2` of maps of this shape, its sum 1."""
        fy = fft.fftfreq(shape[0], pixel)[:, None]
        fx = fft.rfftfreq(shape[1], pixel)[None, :]
        angle = np.radians(self.position_angle)
        along = -np.sin(angle) * fx + np.cos(angle) * fy  # East is -x, North is +y
        across = np.cos(angle) * fx + np.sin(angle) * fy
        widths = (self.major * along) ** 2 + (self.minor * across) ** 2
        out = np.exp(-2.0 * np.pi**2 * widths / _FWHM**2)
        return out * np.sinc(fx * pixel) * np.sinc(fy * pixel) if self.over_pixels else out


class Smear:
    """Convolution with a beam of many maps of one shape.

    Parameters
    ----------
    beam : Beam
    shape : (int, int)
    pixel : float
        [kpc]
    """

    def __init__(self, beam: Beam, shape: tuple[int, int], pixel: float):
        reach = int(np.ceil(1.5 * beam.major / pixel)) + 1
        self.shape = shape
        self._padded = tuple(fft.next_fast_len(n + reach, real=True) for n in shape)
        self._transfer = beam.transfer(self._padded, pixel) if beam.major > 0 else None

    def __call__(self, maps: np.ndarray) -> np.ndarray:
        """Convolve maps of shape (..., y, x); the sky beyond their edges is empty."""
        if self._transfer is None:
            return maps
        transform = fft.rfft2(maps, self._padded)
        transform *= self._transfer
        return fft.irfft2(transform, self._padded, overwrite_x=True)[..., : self.shape[0], : self.shape[1]]


@lru_cache(maxsize=8)
def beam_kernel(beam: float, pixel: float) -> np.ndarray:
    """MARTINI's round beam on pixels: a one-dimensional factor g with ``outer(g, g)`` the kernel, of odd length.

    Parameters
    ----------
    beam, pixel : float
        Full width at half maximum, and side of a pixel [arcsec].

    Notes
    -----
    MARTINI integrates the Gaussian over pixels by a spline, out to 4 FWHM; the kernel is separable to the accuracy of
    that spline, and its leading singular vector is the factor.
    """
    from martini import DataCube
    from martini.beams import GaussianBeam

    kernel = GaussianBeam(bmaj=beam * u.arcsec, bmin=beam * u.arcsec, truncate=BEAM_TRUNCATION)
    kernel.init_kernel(
        DataCube(n_px_x=2, n_px_y=2, n_channels=1, px_size=pixel * u.arcsec, channel_width=1 * u.km / u.s)
    )
    left, singular, _ = np.linalg.svd(kernel.kernel.value)
    factor = np.abs(left[:, 0]) * np.sqrt(singular[0])
    factor.setflags(write=False)
    return factor


def convolve_separable(cube: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Convolve the first two axes with ``outer(factor, factor)``, and keep the part without edge effects.

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
    Compiled loops: a matrix product would start threads in every worker, and its rounding would depend on their number.
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
    """Convolve the first axis; all further axes of `cube` and `out` are looped over in order."""
    flat_in = cube.reshape(cube.shape[0], -1)
    flat_out = out.reshape(out.shape[0], -1)
    for i in range(flat_out.shape[0]):
        for t in range(len(factor)):
            weight = factor[t]
            for k in range(flat_out.shape[1]):
                flat_out[i, k] += weight * flat_in[i + t, k]
