"""Skies with nothing, or next to nothing, in them: what an input is compared with, and which pixels may be touched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..observe.moments import BLANK

#: HI surface density [log10 Msun/pc^2] of the faintest pixel that counts as seen, where `faint_sky` puts all of them.
FAINT = -1.0

#: Asinh magnitude above which a pixel of a band counts as lit: a quarter of the softening in surface brightness.
LIGHT = 0.05


def lit(inputs: np.ndarray, channels: Sequence[str]) -> np.ndarray:
    """Pixels that may be perturbed: of a band those with light, of HI maps those with HI; bool, shape of `inputs`."""
    where = inputs > LIGHT
    seen = _seen(inputs, channels)
    for k, name in enumerate(channels):
        if name.startswith("moment"):
            where[..., k] = seen
    return where


def empty_sky(channels: Sequence[str]) -> np.ndarray:
    """What each channel holds where nothing is, shape (channel,): no light, blank HI maps."""
    return np.array([BLANK if name == "moment0" else 0.0 for name in channels], dtype=np.float32)


def faint_sky(inputs: np.ndarray, channels: Sequence[str]) -> np.ndarray:
    """A baseline for integrated gradients: no light, and the same HI pixels at the faintest column, at rest and cold.

    From an `empty_sky` each HI pixel would have to be switched on at some point of the way, and a network that tells
    blank pixels from others jumps there, which no slope sees.
    """
    base = np.zeros_like(inputs)
    if "moment0" in channels:
        base[..., list(channels).index("moment0")] = np.where(_seen(inputs, channels), FAINT, BLANK)
    return base


def _seen(inputs: np.ndarray, channels: Sequence[str]) -> np.ndarray:
    """Pixels with HI, shape (n, y, x), by whichever HI map there is."""
    channels = list(channels)
    if "moment0" in channels:
        return inputs[..., channels.index("moment0")] > BLANK + 0.005
    for name in ("moment2", "moment1"):
        if name in channels:
            return inputs[..., channels.index(name)] != 0.0
    return np.zeros(inputs.shape[:-1], dtype=bool)
