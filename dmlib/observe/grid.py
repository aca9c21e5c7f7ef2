"""The common sky grid, shared by images and HI maps of a galaxy, and how other pixels are brought onto it.

**The choice of the field of view** (ours: the paper's is unknown). The target reaches R = 100 kpc, but the visible
matter does not: the HI disc of a galaxy with 1e10 Msun of HI ends (1 Msun/pc^2) at a diameter of 58 kpc, with 4e10 Msun
at 118 kpc (Wang et al. 2016, log D_HI = 0.506 log M_HI - 3.293), and almost all starlight lies well within. A side of
128 kpc covers the HI discs of all but the rarest galaxies, with nearby satellites and tails; a wider field would add
blank pixels and make the pixels larger. With 64 pixels (profiles ``smoke`` and ``quick``) a pixel is 2 kpc: nearly
three times the softening of TNG100 (0.74 kpc), about the size of a gas cell in a disc at ``quick`` resolution, and fine
enough to sample a beam of 6 kpc three times. ``paper`` has the authors' 128 pixels of 1 kpc.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..settings import Settings


@dataclass(frozen=True)
class SkyGrid:
    """A square of square pixels centred on the galaxy, in physical kpc on the plane of the sky.

    Pixel (row, column) = (0, 0) is at the lower left. The axes are those of `dmlib.observe.views`: columns run to the
    right (West), rows upwards (North). The galaxy's centre is the centre of the array, between pixels where their
    number is even.

    Parameters
    ----------
    field_of_view : float
        Side [kpc].
    pixels : int
        Pixels per side.
    """

    field_of_view: float
    pixels: int

    def __post_init__(self) -> None:
        if not self.field_of_view > 0 or self.pixels < 1:
            raise ValueError(
                f"sky grid: field of view {self.field_of_view} kpc and {self.pixels} pixels must be positive"
            )

    @classmethod
    def of(cls, settings: Settings) -> SkyGrid:
        """The grid of a profile."""
        return cls(settings.sizes.field_of_view, settings.sizes.pixels)

    def central(self, pixels: int) -> SkyGrid:
        """The grid of the pixels in the middle, `pixels` a side; see `central_part`.

        Raises
        ------
        ValueError
            When there are fewer, or an odd number would be cut away.
        """
        if pixels > self.pixels or (self.pixels - pixels) % 2:
            raise ValueError(f"sky grid: the middle of {self.pixels} pixels cannot be {pixels} pixels wide")
        return SkyGrid(self.pixel_size * pixels, pixels)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.pixels, self.pixels

    @property
    def pixel_size(self) -> float:
        """Side of a pixel [kpc]."""
        return self.field_of_view / self.pixels

    @property
    def pixel_area(self) -> float:
        """Area of a pixel [kpc^2]."""
        return self.pixel_size**2

    @cached_property
    def edges(self) -> np.ndarray:
        """Edges of the pixels along either axis [kpc], shape (pixels + 1,)."""
        return (np.arange(self.pixels + 1) - self.pixels / 2) * self.pixel_size

    @cached_property
    def centres(self) -> np.ndarray:
        """Centres of the pixels along either axis [kpc], shape (pixels,)."""
        return (np.arange(self.pixels) - (self.pixels - 1) / 2) * self.pixel_size

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top [kpc], for ``imshow(origin="lower", extent=...)``."""
        half = self.field_of_view / 2
        return -half, half, -half, half

    def mesh(self) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates x and y of every pixel's centre [kpc], each shape (pixels, pixels)."""
        x, y = np.meshgrid(self.centres, self.centres)
        return x, y

    def to_pixels(self, offset: np.ndarray) -> np.ndarray:
        """Position along an axis [kpc] as a pixel coordinate: the centre of pixel k is at k."""
        return np.asarray(offset) / self.pixel_size + (self.pixels - 1) / 2


def overlap(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Share of each source pixel that lies within each target pixel, along one axis.

    Parameters
    ----------
    source, target : ndarray, shapes (n + 1,) and (m + 1,)
        Increasing edges, in the same unit.

    Returns
    -------
    ndarray, shape (m, n)
        Each column sums to the share of the source pixel that the target covers: 1 inside.
    """
    low = np.maximum(target[:-1, None], source[None, :-1])
    high = np.minimum(target[1:, None], source[None, 1:])
    return np.clip(high - low, 0.0, None) / np.diff(source)


def resample(image: np.ndarray, pixel_size: float, grid: SkyGrid) -> np.ndarray:
    """Resample an image onto a grid with its flux conserved.

    Both grids are square, aligned and centred on the galaxy, so the area shared by two pixels is the product of two
    overlaps along the axes: exact area-weighted resampling is two small matrix products.

    Parameters
    ----------
    image : ndarray, shape (n, n, band)
        Flux per pixel, centred on the galaxy.
    pixel_size : float
        Side of its pixels [kpc].
    grid : SkyGrid

    Returns
    -------
    ndarray, shape (grid.pixels, grid.pixels, band)
        Flux per pixel of `grid`; its sum is the flux of `image` within the field, to rounding. It is zero beyond the
        edge of `image`.
    """
    n = image.shape[0]
    shares = overlap((np.arange(n + 1) - n / 2) * pixel_size, grid.edges)
    return np.einsum("an,nmk,bm->abk", shares, image, shares, optimize=True)


def central_part(images: np.ndarray, pixels: int) -> np.ndarray:
    """Middle of images, from shape (..., y, x, channel) to (..., pixels, pixels, channel)."""
    margin = (images.shape[-2] - pixels) // 2
    inside = slice(margin, margin + pixels)
    return images[..., inside, inside, :]
