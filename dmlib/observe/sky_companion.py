"""Gas of another galaxy in the island of emission of the one that is measured.

A disc that rotates about its centre looks the same from both ends: what is at ``(x, v)`` is at ``(-x, 2 v_sys - v)``
too, whatever its rotation curve and its warp. Gas of a companion has no such counterpart, whether it touches the disc
or lies in front of it. Its lines of sight are replaced by those at the other end of the disc.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from .sky_cube import Emission, middle_of, place_in_map

#: Distances within which a counterpart is sought: in velocity [km/s], which lopsided discs need, and in beams.
_NEAR_KMS, _NEAR_BEAMS = 25.0, 0.5

#: Ratio to the brightest counterpart from which on there is none; the two sides of a disc differ by less.
_BRIGHTER = 3.0

#: Flux of a clump without counterpart relative to the galaxy's, from which on it is another galaxy's.
_SHARE = 0.0025

#: Flux of such clumps in a line of sight relative to the whole, from which on the line is replaced.
_IN_LINE = 0.1


def without_companions(emission: Emission, centre: tuple[float, float], v_sys: float) -> Emission | None:
    """The emission of a galaxy without gas that has no counterpart at the other end of the disc.

    Parameters
    ----------
    emission : Emission
    centre : (float, float)
        Of the disc, West and North of the middle of the map [arcsec].
    v_sys : float
        In the velocities of the cube [km/s].

    Returns
    -------
    Emission or None
        With the gas at the other end of the disc where companions were (`replaced`), and a note on them; None where all
        gas has a counterpart, and where foreground hides what would be one.
    """
    sky = emission.sky
    if emission.hidden:
        return None
    data = np.where(emission.mask, np.maximum(sky.data, 0.0), 0.0).astype(np.float32)  # of cubes as large as the memory
    middle = [(n - 1) / 2 + offset / sky.pixel for n, offset in zip(data.shape[1:], reversed(centre), strict=True)]
    channel = float(np.interp(v_sys, sky.velocities, np.arange(len(data))))
    # Where the other end was not observed there may be a counterpart.
    observed = sky.valid & (sky.data != 0).any(axis=(1, 2))[:, None, None]
    other = np.where(_reflected(observed, (channel, *middle), False), _reflected(data, (channel, *middle), 0.0), np.inf)
    reach = max(1, round(_NEAR_KMS / sky.channel_width)), max(1, int(np.ceil(_NEAR_BEAMS * sky.beam.fwhm / sky.pixel)))
    near = ndimage.maximum_filter(other, [2 * n + 1 for n in (reach[0], reach[1], reach[1])])
    alone = (data > _BRIGHTER * near) & (data > 3.0 * sky.noise)
    clumps, n = ndimage.label(ndimage.binary_opening(alone, np.ones((2, 2, 2))))
    total, numbers = data.sum(dtype=float), np.arange(1, n + 1)
    flux = ndimage.sum_labels(data, clumps, numbers)
    large = np.isin(clumps, numbers[flux > _SHARE * total])
    if not large.any():
        return None
    line = data.sum(axis=0)
    replaced = np.where(large, data, 0.0).sum(axis=0) > _IN_LINE * line
    replaced = ndimage.binary_dilation(replaced, iterations=reach[1])
    # Nor is the gas of a companion a counterpart.
    kept = np.isfinite(other) & ~_reflected(replaced, middle, False)
    mirrored = _reflected(emission.mask, (channel, *middle), False) & kept
    mask = np.where(replaced, mirrored, emission.mask)
    new = replace(sky, data=np.where(replaced, _reflected(sky.data, (channel, *middle), 0.0), sky.data))
    weight = np.where(large, data, 0.0)
    west, north, speed = middle_of(sky, weight)
    note = (
        f"gas at {speed:.0f} km/s, {place_in_map(west, north)}, with {weight.sum() / total:.1%} of the flux, has no "
        "counterpart at the other end of the disc: it is taken for that of another galaxy, and the gas of that end for "
        "the galaxy's"
    )
    return replace(
        emission,
        sky=new,
        mask=mask,
        centroid=middle_of(new, np.where(mask, np.maximum(new.data, 0.0), 0.0))[:2],
        notes=(*emission.notes, note),
        replaced=replaced & emission.mask.any(axis=0),
    )


def _reflected(values: np.ndarray, centre: tuple[float, ...] | list[float], beyond: float) -> np.ndarray:
    """Values at the other side of a centre [pixels], to the nearest pixel; `beyond` outside the array."""
    out = np.full_like(values, beyond)
    there = [np.rint(2 * middle - np.arange(n)).astype(int) for n, middle in zip(values.shape, centre, strict=True)]
    inside = [(place >= 0) & (place < n) for n, place in zip(values.shape, there, strict=True)]
    out[np.ix_(*inside)] = values[np.ix_(*(place[ok] for place, ok in zip(there, inside, strict=True)))]
    return out
