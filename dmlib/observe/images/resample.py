"""From one grid of pixels onto another with flux conserved.

Both grids are square, aligned and centred on the galaxy, so the area that two pixels share is the product of two
overlaps along the axes: the exact area-weighted resampling is two small matrix products, and no package for general
projections is needed.
"""

from __future__ import annotations

import numpy as np

from ..grid import SkyGrid


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


def centred_edges(pixels: int, pixel_size: float) -> np.ndarray:
    """Edges of pixels about the array's centre, ``(pixels - 1) / 2`` in pixel coordinates, shape (pixels + 1,)."""
    return (np.arange(pixels + 1) - pixels / 2) * pixel_size


def resample(image: np.ndarray, pixel_size: float, grid: SkyGrid) -> np.ndarray:
    """Resample fluxes per pixel onto the common grid.

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
        Flux per pixel of `grid`; its sum is the flux of `image` within the field, to rounding. Beyond the edge of
        `image` it is zero, see `coverage`.
    """
    rows = overlap(centred_edges(image.shape[0], pixel_size), grid.edges)
    columns = overlap(centred_edges(image.shape[1], pixel_size), grid.edges)
    return np.einsum("an,nmk,bm->abk", rows, image, columns, optimize=True)


def coverage(pixels: int, pixel_size: float, grid: SkyGrid) -> float:
    """Share of the grid's area that an image of `pixels` a side covers."""
    return min(1.0, (pixels * pixel_size / grid.field_of_view) ** 2)
