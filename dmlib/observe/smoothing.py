"""Cubes smoothed with a separable kernel and over channels: the loops that every HI observation spends its time in.

Compiled, and channel by channel, so that a channel stays in the processor's cache. A matrix product would start threads
in every worker, and round by their number.
"""

from __future__ import annotations

import numpy as np
from numba import njit

#: Channels over which a cube is smoothed before emission is sought: each and its two neighbours.
CHANNELS_TOGETHER = 3


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


@njit(cache=True)
def add_noise(cube, noise, scale, out):
    """Cube of axes (y, x, channel) plus noise of axes (x, y, descending channel), into axes (channel, y, x)."""
    n_rows, n_columns, n_channels = cube.shape
    for j in range(n_rows):
        for start in range(0, n_columns, 8):  # the doubles of a cache line
            for c in range(n_channels):
                for i in range(start, min(start + 8, n_columns)):
                    out[c, j, i] = cube[j, i, c] + scale * noise[i, j, n_channels - 1 - c]


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
