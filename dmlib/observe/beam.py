"""An elliptical beam, and maps blurred by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

_FWHM = np.sqrt(8.0 * np.log(2.0))


@dataclass(frozen=True)
class Beam:
    """An elliptical Gaussian beam.

    Parameters
    ----------
    major, minor : float
        Full widths at half maximum, in the unit of the pixels that it is used with; 0 stands for no beam.
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
        return float(np.pi * self.major * self.minor / (4.0 * np.log(2.0)))

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
        """Maps of shape (..., y, x), blurred; the sky beyond their edges is empty."""
        if self._transfer is None:
            return maps
        transform = fft.rfft2(maps, self._padded)
        transform *= self._transfer
        return fft.irfft2(transform, self._padded, overwrite_x=True)[..., : self.shape[0], : self.shape[1]]
