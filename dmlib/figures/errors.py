"""What the figures of errors against radius share: looks of methods, axes, a line with its bootstrap band."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from astropy import units as u
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from ..bootstrap import Estimate
from . import style

#: How the plain predictions look in every figure: grey, told apart by their dashes.
PLAIN = {
    "baseline/random": {"color": "#BBBBBB", "linestyle": (0, (1, 1.2)), "linewidth": 1.4},
    "baseline/mean": {"color": "#8A8A8A", "linestyle": "-", "linewidth": 1.4},
    "baseline/linear": {"color": "#555555", "linestyle": (0, (5, 2)), "linewidth": 1.4},
    "baseline/boosted": {"color": "#222222", "linestyle": (0, (3, 1.2, 1, 1.2)), "linewidth": 1.4},
}

#: Architectures by name: colour, line and marker.
ARCHITECTURE_LOOKS = {
    "A": ("#332288", "-", "o"),
    "A_scripts": ("#66B8E0", (0, (5, 1.5)), "s"),
    "B": ("#2A9D8F", (0, (3, 1.2, 1, 1.2)), "D"),
    "C": ("#AA3377", "-", "^"),
    "ResNet50": ("#DD7722", (0, (4, 1.5, 1, 1.5, 1, 1.5)), "v"),
}

RADIUS = "radius [kpc]"


def look(name: str) -> dict:
    """How a method's line is drawn, by its name in ``predictions.hdf5``."""
    if name in PLAIN:
        return dict(PLAIN[name])
    colour, line, _ = ARCHITECTURE_LOOKS.get(name.split("/")[0], ("#999933", "-", "P"))
    return {"color": colour, "linestyle": line, "linewidth": 1.9}


def against_radius(ax: Axes, *, label: bool = True) -> None:
    """Logarithmic radii from 1 to 100 kpc, written as numbers."""
    ax.set(xscale="log", xlim=(1, 100))
    if label:
        ax.set_xlabel(RADIUS)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def curve(
    fig: Figure, ax: Axes, radii: np.ndarray, found: Estimate, label: str, how: Mapping, *, band: bool = True, **extra
) -> None:
    """An error against radius, shaded between the 16th and 84th percentile of the draws, and remembered."""
    if band:
        ax.fill_between(radii, found.low, found.high, color=how["color"], alpha=0.16, linewidth=0)
    ax.plot(radii, found.value, label=label, **how)
    style.plotted(fig, label, radius=radii * u.kpc, value=found.value, error=found.error, **extra)


def counting_floor(radii: np.ndarray, truth: np.ndarray, m_particle: float) -> np.ndarray:
    """Mean |dM/M| that even the exact halo would have, because the target counts particles, shape (r,).

    A count of N scatters by sqrt(N) about what the smooth halo has; the mean absolute deviation of a normal variable
    is sqrt(2 / pi) of its standard deviation.
    """
    counts = np.where(truth > 0, truth, np.nan) / m_particle
    return np.sqrt(2.0 / np.pi) * np.nanmean(1.0 / np.sqrt(counts), axis=0)
