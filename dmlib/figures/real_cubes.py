"""Figures of the chapter on a real HI cube."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from astropy import units as u
from matplotlib.figure import Figure

from ..networks.training_domain import FEATURES, Placement
from ..observe.moments import MomentMaps
from ..rotation.fit import Fit
from . import style
from .rotation_curves import curve as curve
from .rotation_curves import velocity_field as velocity_field

_HALO = {"nfw": "NFW", "burkert": "Burkert"}


def as_survey(real: MomentMaps, other: MomentMaps) -> Figure:
    """The galaxy's maps as the network gets them, above those of a training view of like HI mass.

    To see: the same pixels, the same beam, the same noise: nothing but the galaxy should tell the rows apart.
    """
    fig, axes = style.new_figure(2, 3, width="wide", height=5.4)
    rows = (("this galaxy", real), ("a training view", other))
    v_max = max(float(np.nanpercentile(np.abs(m.velocity), 98)) for _, m in rows)
    half = 45.0
    for row, (name, maps) in zip(axes, rows, strict=True):
        shown = (
            row[0].imshow(
                np.log10(maps.surface_density), extent=maps.grid.extent, cmap=style.DENSITY, vmin=-1.2, vmax=1.3
            ),
            row[1].imshow(maps.velocity, extent=maps.grid.extent, cmap=style.VELOCITY, vmin=-v_max, vmax=v_max),
            row[2].imshow(maps.dispersion, extent=maps.grid.extent, cmap=style.SEQUENTIAL, vmin=0, vmax=60),
        )
        for ax in row:
            ax.set(xlim=(-half, half), ylim=(-half, half), xticks=[], yticks=[])
            ax.grid(False)
        row[0].set_ylabel(name)
        seen = maps.seen
        style.plotted(
            fig,
            name,
            surface_density=maps.surface_density[seen] * u.Msun / u.pc**2,
            velocity=maps.velocity[seen] * u.km / u.s,
            dispersion=maps.dispersion[seen] * u.km / u.s,
        )
    labels = (r"log M$_\odot$ pc$^{-2}$", r"velocity [km s$^{-1}$]", r"dispersion [km s$^{-1}$]")
    for k, label in enumerate(labels):
        fig.colorbar(shown[k], ax=list(axes[:, k]), orientation="horizontal", label=label, shrink=0.9)
    return fig


def profiles(
    radii: np.ndarray, fits: Mapping[str, Fit], predicted: np.ndarray | None, truth: np.ndarray | None = None
) -> Figure:
    """Dark mass within each radius: mass models with their 68 per cent intervals, and the network's members.

    To see: where they agree within their errors and where not; the network does not see the mass models' data.
    """
    fig, ax = style.new_figure(width="text", height=4.3)
    colours = (style.COLOURS["dark_matter"], style.COLOURS["accent"])
    for (name, found), colour in zip(fits.items(), colours, strict=False):
        low, middle, high = found.quantiles[1], found.quantiles[2], found.quantiles[3]
        ax.fill_between(radii, low, high, color=colour, alpha=0.2, linewidth=0)
        ax.plot(radii, np.where(found.measured, middle, np.nan), color=colour, label=f"mass model, {_HALO[name]}")
        ax.plot(radii, middle, color=colour, linestyle=":", linewidth=1.1)
        style.plotted(fig, name, radius=radii * u.kpc, low=low * u.Msun, median=middle * u.Msun, high=high * u.Msun)
    if predicted is not None and len(predicted):
        mass = np.exp(predicted)
        ax.plot(radii, mass.T, color=style.COLOURS["prediction"], linewidth=0.7, alpha=0.7)
        mean = np.exp(predicted.mean(axis=0))
        ax.plot(radii, mean, "^", color=style.COLOURS["prediction"], label=f"network (members: {len(predicted)})")
        style.plotted(fig, "network, mean", radius=radii * u.kpc, median=mean * u.Msun)
    if truth is not None:
        ax.plot(radii, truth, label="truth", **style.line("truth"))
        style.plotted(fig, "truth", radius=radii * u.kpc, median=truth * u.Msun)
    ax.set(xscale="log", yscale="log", xlabel="radius [kpc]", ylabel=r"dark mass within the radius [M$_\odot$]")
    ax.legend(loc="lower right")
    return fig


def placement(where: Placement) -> Figure:
    """Features of the galaxy's maps (line) among those of the training views (histograms).

    To see: one feature may look ordinary where the combination is not; the two distances judge the combination.
    """
    fig, axes = style.new_figure(2, 4, width="wide", height=4.2)
    for k, (ax, name) in enumerate(zip(axes.flat, FEATURES, strict=False)):
        values = where.train[:, k]
        low, high = min(values.min(), where.one[k]), max(values.max(), where.one[k])
        counts, edges, _ = ax.hist(
            values, bins=np.linspace(low, high + 1e-9, 25), color=style.COLOURS["embedded"], alpha=0.6
        )
        ax.axvline(where.one[k], color=style.COLOURS["accent"])
        ax.set(xlabel=name, yticks=[])
        style.plotted(fig, name, left=edges[:-1], count=counts, galaxy=float(where.one[k]))
    axes.flat[-1].remove()
    return fig
