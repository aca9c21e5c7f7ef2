"""Smoothed particles on pixels, each particle's flux conserved.

The kernel is a Gaussian with the dispersion of the cubic spline of the same support, cut off at that support. A
Gaussian is a product of two functions of one coordinate, so its share of each pixel is known in closed form by error
functions, however small the kernel is against the pixel. The shares are divided by the part that the cut leaves: every
particle's flux is kept to rounding inside the field, and of one that reaches over the edge there is exactly what falls
inside.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ..grid import SkyGrid

#: Dispersion along one axis of the cubic spline in three dimensions, in units of its support radius: half the inverse
#: of H/h = 1.825742 in table 1 of Dehnen & Aly (2012).
SPLINE_DISPERSION = 0.5 / 1.825742


def project(x: np.ndarray, y: np.ndarray, size: np.ndarray, weights: np.ndarray, grid: SkyGrid) -> np.ndarray:
    """Sum of smoothed particles in each pixel.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Position on the sky [kpc].
    size : ndarray, shape (n,)
        Support radius of each kernel [kpc]; zero is a point.
    weights : ndarray, shape (n, k)
        What is summed, for example luminosities.
    grid : SkyGrid

    Returns
    -------
    ndarray, shape (grid.pixels, grid.pixels, k)
        In the unit of `weights`, per pixel.
    """
    image = np.zeros((*grid.shape, weights.shape[1]))
    # From the lower edge of the first pixel, in pixels.
    scale, offset = 1.0 / grid.pixel_size, grid.pixels / 2
    columns, rows = np.asarray(x) * scale + offset, np.asarray(y) * scale + offset
    _deposit(image, columns, rows, np.asarray(size, dtype=float) * scale, np.ascontiguousarray(weights, dtype=float))
    return image


@njit(cache=True)
def _shares(shares, centre, support, first, last):
    """Share of a truncated Gaussian in each of the pixels `first` to `last`."""
    if first == last and centre - support >= first and centre + support <= last + 1:
        shares[0] = 1.0
        return
    width = math.sqrt(2.0) * SPLINE_DISPERSION * support
    whole = 2.0 * math.erf(support / width)
    below = math.erf((max(first, centre - support) - centre) / width)
    for k in range(first, last + 1):
        above = math.erf((min(k + 1.0, centre + support) - centre) / width)
        shares[k - first] = (above - below) / whole
        below = above


@njit(cache=True)
def _deposit(image, columns, rows, support, weights):
    n_rows, n_columns, n_bands = image.shape
    share_x, share_y = np.empty(n_columns), np.empty(n_rows)
    for p in range(len(columns)):
        # Below a hundredth of a pixel a kernel is a point, and differences of error functions would lose digits.
        h = max(support[p], 1e-2)
        x, y = columns[p], rows[p]
        x0, x1 = max(0, math.floor(x - h)), min(n_columns - 1, math.floor(x + h))
        y0, y1 = max(0, math.floor(y - h)), min(n_rows - 1, math.floor(y + h))
        if x0 > x1 or y0 > y1:
            continue
        _shares(share_x, x, h, x0, x1)
        _shares(share_y, y, h, y0, y1)
        for j in range(y0, y1 + 1):
            for i in range(x0, x1 + 1):
                share = share_y[j - y0] * share_x[i - x0]
                for k in range(n_bands):
                    image[j, i, k] += share * weights[p, k]
