"""What saliency maps tell: stacked over galaxies, by rings of the image, by channels, and beside what occlusion says.

The maps are those of `dmlib.networks.saliency`; here is no differentiation.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import keras
import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.stats import spearmanr

from ..observe.grid import SkyGrid
from .saliency import predicted

#: Edges of rings on the sky [kpc], as fine as pixels of 2 kpc allow inside; the corners of the image are left out.
RING_EDGES = np.array([0.0, 2.0, 4.0, 6.0, 8.5, 12.0, 16.5, 22.0, 29.0, 38.0, 50.0, 64.0])


def hi_radius(m_hi: np.ndarray) -> np.ndarray:
    """Radius at which the HI falls to 1 Msun/pc^2 by the observed size-mass relation (Wang et al. 2016) [kpc].

    Parameters
    ----------
    m_hi : ndarray
        [Msun]
    """
    return 0.5 * 10.0 ** (0.506 * np.log10(m_hi) - 3.293)


def align(
    maps: np.ndarray,
    grid: SkyGrid,
    position_angle: np.ndarray,
    radius: np.ndarray,
    *,
    reach: float = 1.5,
    pixels: int = 48,
) -> np.ndarray:
    """Maps turned so that the receding side of each disc's major axis points right, and scaled to a common radius.

    Parameters
    ----------
    maps : ndarray, shape (n, ..., y, x)
    grid : SkyGrid
    position_angle : ndarray, shape (n,)
        Of the receding side, from North through East [deg].
    radius : ndarray, shape (n,)
        Length that becomes 1 [kpc], for example `hi_radius`.
    reach : float
        Half side of the result in these lengths; beyond the image there is 0.
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
    for k, (angle, length) in enumerate(zip(np.radians(position_angle), radius, strict=True)):
        # The receding side lies at (-sin, cos): North is up, East is left.
        x = length * (-np.sin(angle) * along - np.cos(angle) * up)
        y = length * (np.cos(angle) * along - np.sin(angle) * up)
        places = np.stack([grid.to_pixels(y), grid.to_pixels(x)])
        for index in np.ndindex(maps.shape[1:-2]):
            out[(k, *index)] = map_coordinates(maps[(k, *index)], places, order=1, mode="constant")
    return out


def groups(channels: Sequence[str]) -> dict[str, list[int]]:
    """Channels by what they show: starlight (all bands), HI column, velocity, dispersion; those that there are."""
    names = {"moment0": "HI column", "moment1": "velocity", "moment2": "dispersion"}
    found: dict[str, list[int]] = {}
    for k, channel in enumerate(channels):
        found.setdefault(names.get(channel, "starlight"), []).append(k)
    return found


def typical_spread(inputs: np.ndarray) -> np.ndarray:
    """Half of the range that holds the middle 68% of views in each pixel and channel, shape (y, x, channel).

    A slope times this is what a typical difference between galaxies in that pixel changes. (A standard deviation would
    be that of the rare companion in the outskirts of the field.) Root mean square over the eight orientations.
    """
    low, high = np.percentile(inputs, [16.0, 84.0], axis=0)
    square = (0.5 * (high - low)) ** 2
    return np.sqrt(np.mean([np.rot90(square[:, ::side], k) for side in (1, -1) for k in range(4)], axis=0))


def shares(maps: np.ndarray) -> np.ndarray:
    """Absolute maps, each divided by its sum over the last two axes, so that every galaxy weighs the same."""
    size = np.abs(maps)
    total = size.sum(axis=(-2, -1), keepdims=True)
    return size / np.where(total > 0, total, 1.0)


def ring_masks(grid: SkyGrid, edges: np.ndarray, *, fine: int = 8) -> np.ndarray:
    """Share of each pixel that lies in each ring about the image's centre, shape (ring, y, x).

    Parameters
    ----------
    edges : ndarray, shape (ring + 1,)
        [kpc]
    fine : int
        Points a side of a pixel.
    """
    points = (np.arange(grid.pixels * fine) + 0.5) / fine * grid.pixel_size - 0.5 * grid.field_of_view
    ring = np.digitize(np.hypot(points[:, None], points), edges) - 1
    n = grid.pixels
    return np.stack([(ring == k).reshape(n, fine, n, fine).mean(axis=(1, 3)) for k in range(len(edges) - 1)])


def by_ring(maps: np.ndarray, grid: SkyGrid, edges: np.ndarray = RING_EDGES) -> np.ndarray:
    """Sum of absolute maps in rings.

    Parameters
    ----------
    maps : ndarray, shape (..., y, x)

    Returns
    -------
    ndarray, shape (..., ring)
    """
    return np.einsum("...yx,ryx->...r", np.abs(maps), ring_masks(grid, edges))


def row_shares(rings: np.ndarray) -> np.ndarray:
    """Each row over its sum, shape (..., ring); 0 where there is nothing."""
    total = rings.sum(axis=-1, keepdims=True)
    return rings / np.where(total > 0, total, 1.0)


def median_radius(rings: np.ndarray, edges: np.ndarray = RING_EDGES) -> np.ndarray:
    """Radius within which half of what is in the rings lies [kpc], interpolated in radius.

    Parameters
    ----------
    rings : ndarray, shape (..., ring)

    Returns
    -------
    ndarray, shape (...)
        NaN where there is nothing.
    """
    inside = np.concatenate([np.zeros((*rings.shape[:-1], 1)), np.cumsum(rings, axis=-1)], axis=-1)
    flat = inside.reshape(-1, inside.shape[-1])
    found = [np.interp(0.5 * row[-1], row, edges) if row[-1] > 0 else np.nan for row in flat]
    return np.array(found).reshape(rings.shape[:-1])


def occlude(
    model: keras.Model,
    inputs: np.ndarray,
    grid: SkyGrid,
    *,
    fill: np.ndarray,
    edges: np.ndarray = RING_EDGES,
    channels: Sequence[int] | None = None,
    scale: np.ndarray | None = None,
) -> np.ndarray:
    """Change of every output when one ring of the image is replaced: what gradients say, without gradients.

    Parameters
    ----------
    inputs : ndarray, shape (n, y, x, channel)
    fill : ndarray
        What the ring is filled with: an empty sky, shape (channel,), or other views, shape of `inputs`.
    edges : ndarray
        Of the rings [kpc]; a pixel belongs to the ring in which its centre lies.
    channels : sequence of int, optional
        Channels that are replaced; all without it.
    scale : ndarray, shape (k,), optional
        Factor of each output.

    Returns
    -------
    ndarray, shape (n, ring, k)
        New prediction less the old one.
    """
    fill = np.broadcast_to(np.asarray(fill, dtype=np.float32), inputs.shape)
    chosen = list(range(inputs.shape[-1])) if channels is None else list(channels)
    radius = np.hypot(*grid.mesh())
    before = predicted(model, inputs)
    changes = []
    for low, high in pairwise(edges):
        ring = (radius >= low) & (radius < high)
        altered = inputs.copy()
        for k in chosen:
            altered[..., k] = np.where(ring, fill[..., k], inputs[..., k])
        changes.append(predicted(model, altered) - before)
    change = np.stack(changes, axis=1)
    return change if scale is None else change * np.asarray(scale)


def rank_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of the sizes of two sets of maps, map by map, shape (n,).

    Parameters
    ----------
    first, second : ndarray, shape (n, ...)
        0 for a map that is the same everywhere.
    """
    found = []
    for a, b in zip(first, second, strict=True):
        a, b = np.abs(a).ravel(), np.abs(b).ravel()
        found.append(0.0 if np.ptp(a) == 0 or np.ptp(b) == 0 else float(spearmanr(a, b).statistic))
    return np.array(found)


def similarity(first: np.ndarray, second: np.ndarray, *, width: float = 1.5) -> np.ndarray:
    """Structural similarity (SSIM, Wang et al. 2004) of the sizes of two sets of maps, shape (n,).

    Parameters
    ----------
    first, second : ndarray, shape (n, y, x)
        Each is divided by the 99th percentile of its sizes and cut at 1.
    width : float
        Of the Gaussian window [pixel].
    """
    found = []
    for a, b in zip(first, second, strict=True):
        a, b = (np.clip(np.abs(m) / max(np.percentile(np.abs(m), 99.0), 1e-30), 0.0, 1.0) for m in (a, b))

        def smooth(values):
            return gaussian_filter(values, width)

        mean_a, mean_b = smooth(a), smooth(b)
        var_a, var_b = smooth(a * a) - mean_a**2, smooth(b * b) - mean_b**2
        both = smooth(a * b) - mean_a * mean_b
        top = (2 * mean_a * mean_b + 1e-4) * (2 * both + 9e-4)
        found.append(float(np.mean(top / ((mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4)))))
    return np.array(found)


def bootstrap_ratio(
    top: np.ndarray, bottom: np.ndarray, group: np.ndarray, *, seed: int, draws: int = 1000
) -> tuple[float, float, float]:
    """Median of the ratio of two numbers of each view, its standard error, and its lower 95% bound.

    Parameters
    ----------
    top, bottom : ndarray, shape (n,)
    group : ndarray of int, shape (n,)
        Galaxy of each view; galaxies, not views, are drawn again.
    """
    ratio = top / bottom
    good = np.isfinite(ratio)
    ratio, group = ratio[good], group[good]
    members = [np.flatnonzero(group == g) for g in np.unique(group)]
    rng = np.random.default_rng(seed)
    again = [
        np.median(ratio[np.concatenate([members[k] for k in rng.integers(len(members), size=len(members))])])
        for _ in range(draws)
    ]
    return float(np.median(ratio)), float(np.std(again, ddof=1)), float(np.percentile(again, 5.0))


def bootstrap_median(
    values: np.ndarray, group: np.ndarray, *, seed: int, draws: int = 300
) -> tuple[np.ndarray, np.ndarray]:
    """Median over views and its standard error, drawing galaxies again, each of shape (k,).

    Parameters
    ----------
    values : ndarray, shape (n, k)
    group : ndarray of int, shape (n,)
        Galaxy of each view.
    """
    members = [np.flatnonzero(group == g) for g in np.unique(group)]
    rng = np.random.default_rng(seed)
    again = [
        np.nanmedian(
            values[np.concatenate([members[k] for k in rng.integers(len(members), size=len(members))])], axis=0
        )
        for _ in range(draws)
    ]
    return np.nanmedian(values, axis=0), np.std(again, axis=0, ddof=1)


def along(steps: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Likeness of maps along a cascade to the first, the learned ones.

    Parameters
    ----------
    steps : sequence of ndarray, shape (n, y, x)

    Returns
    -------
    rank_correlation, ssim : ndarray, shape (steps,)
        Means over the n maps; the first are 1.
    """
    ranks = [rank_correlation(steps[0], step).mean() for step in steps]
    likeness = [similarity(steps[0], step).mean() for step in steps]
    return np.array(ranks), np.array(likeness)


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's rank correlation of two arrays, value by value."""
    return float(spearmanr(first.ravel(), second.ravel()).statistic)
