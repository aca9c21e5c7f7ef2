"""What is measured on saliency maps: sums in rings, shares, maps turned to their disc, and the likeness of two maps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.stats import spearmanr

from ..observe.sky import SkyGrid
from .architectures.c import ring_weights


def largest(slopes: np.ndarray) -> np.ndarray:
    """Largest absolute value over the channels (the last axis), as in the authors' scripts."""
    return np.abs(slopes).max(axis=-1)


def shares(values: np.ndarray, axis: int | tuple[int, ...] = -1) -> np.ndarray:
    """Absolute values over their sum along some axes, so that all galaxies or outputs weigh the same."""
    size = np.abs(values)
    total = size.sum(axis=axis, keepdims=True)
    return size / np.where(total > 0, total, 1.0)


def relative_to_mean(matrix: np.ndarray) -> np.ndarray:
    """Shares of the rings for each output, shape (output, ring), over their mean: what is specific to each output."""
    matrix = shares(matrix)
    return matrix / matrix.mean(axis=0)


def by_ring(maps: np.ndarray, grid: SkyGrid, edges: np.ndarray) -> np.ndarray:
    """Sum of absolute maps, shape (..., y, x), in rings, shape (..., ring)."""
    weights = ring_weights(grid.pixels, edges / (0.5 * grid.field_of_view))
    return np.abs(maps).reshape(*maps.shape[:-2], -1) @ weights


def median_radius(rings: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Radius [kpc] that holds half of the sum over rings, interpolated in radius.

    Parameters
    ----------
    rings : ndarray, shape (..., ring)
    edges : ndarray, shape (ring + 1,)
        [kpc]

    Returns
    -------
    ndarray, shape (...)
        NaN where the sum is 0.
    """
    inside = np.concatenate([np.zeros((*rings.shape[:-1], 1)), np.cumsum(rings, axis=-1)], axis=-1)
    flat = inside.reshape(-1, inside.shape[-1])
    found = [np.interp(0.5 * row[-1], row, edges) if row[-1] > 0 else np.nan for row in flat]
    return np.array(found).reshape(rings.shape[:-1])


def align(
    maps: np.ndarray, grid: SkyGrid, angles: np.ndarray, lengths: np.ndarray, *, reach: float = 1.5, pixels: int = 48
) -> np.ndarray:
    """Maps turned so that the receding side of each disc's major axis points right, and scaled to a common radius.

    Parameters
    ----------
    maps : ndarray, shape (n, ..., y, x)
    grid : SkyGrid
    angles : ndarray, shape (n,)
        Position angle of the receding side, from North through East [deg].
    lengths : ndarray, shape (n,)
        What becomes 1 [kpc], for example the radius of the HI.
    reach : float
        Half side of the result in these lengths; 0 outside the image.
    pixels : int
        Side of the result.

    Returns
    -------
    ndarray, shape (n, ..., pixels, pixels)
        Interpolated values, not rescaled.
    """
    steps = (np.arange(pixels) + 0.5) / pixels * 2.0 * reach - reach
    along, up = np.meshgrid(steps, steps)
    out = np.empty((*maps.shape[:-2], pixels, pixels), dtype=float)
    for k, (angle, length) in enumerate(zip(np.radians(angles), lengths, strict=True)):
        # The receding side lies at (-sin, cos): North is up, East is left.
        x = length * (-np.sin(angle) * along - np.cos(angle) * up)
        y = length * (np.cos(angle) * along - np.sin(angle) * up)
        places = np.stack([grid.to_pixels(y), grid.to_pixels(x)])
        for index in np.ndindex(maps.shape[1:-2]):
            out[(k, *index)] = map_coordinates(maps[(k, *index)], places, order=1, mode="constant")
    return out


def along_axes(maps: np.ndarray, strip: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Sums in a strip along the horizontal axis and along the vertical one, of maps (..., y, x); shape (...) each."""
    middle = maps.shape[-1] // 2
    band = slice(middle - strip, middle + strip)
    return maps[..., band, :].sum(axis=(-2, -1)), maps[..., band].sum(axis=(-2, -1))


def rank_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of the absolute values of two sets of maps, shape (n,); 0 for a constant map.

    Parameters
    ----------
    first, second : ndarray, shape (n, ...)
    """
    found = []
    for a, b in zip(first, second, strict=True):
        a, b = np.abs(a).ravel(), np.abs(b).ravel()
        found.append(0.0 if np.ptp(a) == 0 or np.ptp(b) == 0 else float(spearmanr(a, b).statistic))
    return np.array(found)


def similarity(first: np.ndarray, second: np.ndarray, *, width: float = 1.5) -> np.ndarray:
    """Structural similarity (SSIM, Wang et al. 2004) of the absolute values of two sets of maps, shape (n,).

    Parameters
    ----------
    first, second : ndarray, shape (n, y, x)
        Each is divided by its 99th percentile and clipped at 1.
    width : float
        Of the Gaussian window [pixel].
    """
    smooth = partial(gaussian_filter, sigma=width)
    found = []
    for pair in zip(first, second, strict=True):
        a, b = (np.clip(np.abs(m) / max(np.percentile(np.abs(m), 99.0), 1e-30), 0.0, 1.0) for m in pair)
        mean_a, mean_b = smooth(a), smooth(b)
        var_a, var_b = smooth(a * a) - mean_a**2, smooth(b * b) - mean_b**2
        both = smooth(a * b) - mean_a * mean_b
        top = (2 * mean_a * mean_b + 1e-4) * (2 * both + 9e-4)
        found.append(float(np.mean(top / ((mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4)))))
    return np.array(found)


def likeness(steps: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Likeness of maps along a cascade, shape (n, y, x) each, to the first, the learned ones.

    Returns
    -------
    rank_correlation, ssim : ndarray, shape (steps,)
        Means over the n maps; the first are 1.
    """
    ranks = [rank_correlation(steps[0], step).mean() for step in steps]
    return np.array(ranks), np.array([similarity(steps[0], step).mean() for step in steps])
