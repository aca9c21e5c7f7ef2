"""Images as a network reads them: asinh magnitudes, fixed in advance.

Starlight spans five powers of ten from a galaxy's centre to its edge. A logarithm would even them out but has no value
for a dark or, after the sky is subtracted, negative pixel; the inverse hyperbolic sine (Lupton, Gunn & Szalay 1999) is
a logarithm for bright pixels and linear below a softening b:

    x = asinh(I / 2b) / ln 10,

so that x grows by 1 for a factor of ten in surface brightness I and is 0 in the dark. The softenings are constants,
the same for every galaxy and taken from no sample: nothing is learned from the test set, and the amplitudes, which
carry the galaxy's mass, stay.

For particle light b is the SDSS's sky noise averaged over (2 kpc)^2 at z = 0.0485, the pixel of profile ``quick``: what
the survey could not see, the network sees linearly. The published images have no zero point; for them b is
0.1 counts/s/kpc^2 in all bands, our choice.
"""

from __future__ import annotations

import numpy as np

from ..grid import SkyGrid
from .bands import UGRIZ, maggies_per_lsun
from .realism import patch_noise

#: Side of the patch over which the sky noise is averaged [kpc].
PATCH = 2.0


def softening(unit: str, bands: tuple[str, ...], grid: SkyGrid) -> np.ndarray:
    """The softening b in the unit of an image, shape (band,).

    Parameters
    ----------
    unit : {"Lsun/kpc2", "maggies/pixel", "counts/s/pixel"}
        As `dmlib.observe.images.base.ImageSource.unit`; ``maggies/pixel`` at the redshift of the published images.
    bands : tuple of str
    grid : SkyGrid
        The image's pixels, for units that are per pixel.

    Raises
    ------
    ValueError
        For another unit.
    """
    if unit == "counts/s/pixel":
        return np.full(len(bands), 0.1 * grid.pixel_area)
    chosen = [UGRIZ.index(band) for band in bands]
    if unit == "Lsun/kpc2":
        return patch_noise(PATCH)[chosen]
    if unit == "maggies/pixel":
        return (patch_noise(PATCH) * maggies_per_lsun())[chosen] * grid.pixel_area
    raise ValueError(f"no softening is fixed for images in {unit!r}")


def normalise(image: np.ndarray, unit: str, bands: tuple[str, ...], grid: SkyGrid) -> np.ndarray:
    """Asinh magnitudes of an image, in powers of ten.

    Parameters
    ----------
    image : ndarray, shape (..., band)
    unit, bands, grid
        See `softening`.

    Returns
    -------
    ndarray of float32, shape (..., band)
        0 in the dark, about 5 in the centre of a bright galaxy; independent of the pixel's size where the light is
        smooth.
    """
    return (np.arcsinh(np.asarray(image) / (2.0 * softening(unit, bands, grid))) / np.log(10.0)).astype(np.float32)


def denormalise(array: np.ndarray, unit: str, bands: tuple[str, ...], grid: SkyGrid) -> np.ndarray:
    """Inverse of `normalise`, in `unit`."""
    return 2.0 * softening(unit, bands, grid) * np.sinh(np.asarray(array, dtype=float) * np.log(10.0))
