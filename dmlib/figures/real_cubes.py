"""Figures of the chapter on a real HI cube; its rings are drawn by `dmlib.figures.rotation_curves`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from astropy import units as u
from matplotlib.figure import Figure

from ..networks.outside import FEATURES, Placement
from ..observe.moments import MomentMaps
from ..rotation.fit import Fit
from . import style
from .panels import DENSITY, KMS, RADIUS, grid, picture
from .panels import curve as draw
from .rotation_curves import curve, velocity_field

__all__ = ["as_survey", "curve", "placement", "profiles", "velocity_field"]

_HALO = {"nfw": "NFW", "burkert": "Burkert"}


def as_survey(real: MomentMaps, other: MomentMaps) -> Figure:
    """The galaxy's maps as the network receives them, above those of a training view of similar HI mass.

    To see: both rows have the same pixels, beam and noise, so that only the galaxy differs.
    """
    fig, axes = style.new_figure(2, 3, width="wide", height=5.4)
    rows = (("this galaxy", real), ("a training view", other))
    v_max = max(float(np.nanpercentile(np.abs(maps.velocity), 98)) for _, maps in rows)
    looks = (
        (style.DENSITY, -1.2, 1.3, r"log M$_\odot$ pc$^{-2}$"),
        (style.VELOCITY, -v_max, v_max, r"velocity [km s$^{-1}$]"),
        (style.SEQUENTIAL, 0, 60, r"dispersion [km s$^{-1}$]"),
    )
    for line, (name, maps) in zip(axes, rows, strict=True):
        values = (np.log10(maps.surface_density), maps.velocity, maps.dispersion)
        shown = [
            picture(ax, image, *look[:3], half=45.0, extent=maps.grid.extent)
            for ax, image, look in zip(line, values, looks, strict=True)
        ]
        line[0].set_ylabel(name)
        units = {"surface_density": DENSITY, "velocity": KMS, "dispersion": KMS}
        style.plotted(fig, name, **{key: getattr(maps, key)[maps.seen] * unit for key, unit in units.items()})
    for image, column, (*_, label) in zip(shown, axes.T, looks, strict=True):
        fig.colorbar(image, ax=list(column), orientation="horizontal", label=label, shrink=0.9)
    return fig


def profiles(
    radii: np.ndarray, fits: Mapping[str, Fit], predicted: np.ndarray | None, truth: np.ndarray | None = None
) -> Figure:
    """Dark mass within each radius: mass models with their 68 per cent intervals, and the network's members.

    To see: where they agree within their errors and where not; the network does not use the data of the mass models.
    """
    fig, ax = style.new_figure(width="text", height=4.3)
    radius = radii * u.kpc
    for (name, found), role in zip(fits.items(), ("dark_matter", "accent"), strict=False):
        low, middle, high = found.quantiles[1:4]
        masses = {"low": low * u.Msun, "median": middle * u.Msun, "high": high * u.Msun}
        look = style.line(role, linestyle=":", linewidth=1.1)
        draw(ax, name, {"radius": radius, **masses}, look, label="", band=True, ordinate="median")
        measured = np.where(found.measured, middle, np.nan)
        ax.plot(radii, measured, label=f"mass model, {_HALO[name]}", **style.line(role, linestyle="-"))
    if predicted is not None and len(predicted):
        ax.plot(radii, np.exp(predicted).T, color=style.COLOURS["prediction"], linewidth=0.7, alpha=0.7)
        mean, label = np.exp(predicted.mean(axis=0)) * u.Msun, f"network (members: {len(predicted)})"
        draw(ax, "network, mean", {"radius": radius, "median": mean}, style.points("prediction"), label=label)
    if truth is not None:
        draw(ax, "truth", {"radius": radius, "median": truth * u.Msun}, style.line("truth"))
    ax.set(xscale="log", yscale="log", xlabel=RADIUS, ylabel=r"dark mass within the radius [M$_\odot$]")
    ax.legend(loc="lower right")
    return fig


def placement(where: Placement) -> Figure:
    """Features of the galaxy's maps (line) among those of the training views (histograms).

    To see: each feature alone may look ordinary while the combination does not; the two distances test the
    combination.
    """
    fig, _, panels = grid(len(FEATURES), 4, 2.1)
    for ax, name, values, own in zip(panels, FEATURES, where.train.T, where.one, strict=True):
        bins = np.linspace(min(values.min(), own), max(values.max(), own) + 1e-9, 25)
        counts, edges, _ = ax.hist(values, bins=bins, color=style.COLOURS["embedded"], alpha=0.6)
        ax.axvline(own, color=style.COLOURS["accent"])
        ax.set(xlabel=name, yticks=[])
        style.plotted(fig, name, left=edges[:-1], count=counts, galaxy=float(own))
    return fig
