"""Surface brightness in rings on the sky."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..grid import SkyGrid
from .bands import surface_magnitude


def ring_brightness(
    images: Mapping[str, np.ndarray], grid: SkyGrid, *, bins: int, band: int = 2
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Mean brightness in circular rings around the centre, out to the edge of the field.

    Parameters
    ----------
    images : mapping of ndarray, shape (y, x, 5)
        Surface brightness [Lsun/kpc^2].
    grid : SkyGrid
    bins : int
        Number of rings.
    band : int
        Index among u g r i z.

    Returns
    -------
    radius : ndarray, shape (bins,)
        Middle of each ring [kpc].
    brightness : dict of ndarray, shape (bins,)
        [AB mag/arcsec^2] at the redshift of the published images; NaN where the mean of a noisy image is not positive.
    """
    x, y = grid.mesh()
    edges = np.linspace(0.0, grid.field_of_view / 2, bins + 1)
    ring = np.digitize(np.hypot(x, y).ravel(), edges) - 1
    inside = ring < bins
    counts = np.bincount(ring[inside], minlength=bins)
    brightness = {}
    for name, image in images.items():
        sums = np.stack([np.bincount(ring[inside], image[..., k].ravel()[inside], bins) for k in range(5)], axis=-1)
        mean = sums / np.maximum(counts, 1)[:, None]
        mean[mean <= 0] = np.nan
        brightness[name] = surface_magnitude(mean)[:, band]
    return 0.5 * (edges[1:] + edges[:-1]), brightness
