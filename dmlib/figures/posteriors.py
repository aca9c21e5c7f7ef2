"""Figures of the chapter on posteriors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from astropy import units as u
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..bootstrap import Estimate
from ..evaluation.bins import Binned
from ..evaluation.derived import circular_velocity
from ..evaluation.posterior_checks import LEVEL, Check
from . import style
from .panels import Arrays, curve, grid, parts, radius_axis

#: Draws that are shown.
_SHOWN = 40


def look(kind: str) -> str:
    """Name of a posterior in the registry of looks."""
    return f"posterior/{kind}"


def draws(radii: np.ndarray, galaxies: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Circular velocity of draws from the posteriors of some galaxies.

    Parameters
    ----------
    radii : ndarray, shape (r,)
        [kpc]
    galaxies : mapping
        Title -> true mass (r,) and draws of it (d, r) [Msun].

    To see: every draw is a possible galaxy, smooth and rising in mass; their scatter is the uncertainty.
    """
    fig, _, panels = grid(len(galaxies), len(galaxies), 3.3, sharey=True)
    for ax, (title, (truth, drawn)) in zip(panels, galaxies.items(), strict=True):
        speeds = circular_velocity(radii, drawn)
        for k, one in enumerate(speeds[:_SHOWN]):
            ax.plot(radii, one, color=style.COLOURS[look("flow")], linewidth=0.6, alpha=0.45, zorder=1 + 0.001 * k)
        low, middle, high = np.quantile(speeds, [0.5 - 0.5 * LEVEL, 0.5, 0.5 + 0.5 * LEVEL], axis=0)
        columns = {"radius": radii * u.kpc, "speed": middle * u.km / u.s}
        curve(ax, f"{title}, median", columns, look("flow"), label="median and 68%", band=(low, high))
        columns = {"radius": radii * u.kpc, "speed": circular_velocity(radii, truth) * u.km / u.s}
        curve(ax, f"{title}, truth", columns, style.points("truth", markersize=4), label="truth")
        radius_axis(ax, title=title, ylim=(0, None))
    panels[0].set_ylabel("circular velocity of dark matter [km/s]")
    panels[0].legend(loc="lower right")
    return fig


def coverage(radii: np.ndarray, checks: Mapping[str, Check], labels: Mapping[str, str]) -> Figure:
    """Coverage of the central intervals at each radius, and ranks of the truth over all radii.

    To see: left, lines below the shading claim too much, lines above it too little; right, a U shape comes from
    intervals that are too narrow, a hump from wide ones, a slope from a bias.
    """
    fig, (left, right) = style.new_figure(1, 2, height=3.7)
    left.axhspan(LEVEL - 0.04, LEVEL + 0.04, color="#DDDDDD", linewidth=0)
    edges = np.linspace(0.0, 1.0, len(next(iter(checks.values())).histogram.value) + 1)
    for kind, found in checks.items():
        _check(
            left, f"coverage, {labels[kind]}", kind, {"radius": radii * u.kpc}, "share", found.coverage, labels[kind]
        )
        ranks = {"rank": 0.5 * (edges[1:] + edges[:-1])}
        _check(right, f"ranks, {labels[kind]}", kind, ranks, "density", found.histogram)
    radius_axis(left, ylim=(0.3, 1.0), ylabel="truth within the 68% interval")
    left.legend(loc="lower left", fontsize=9)
    right.axhline(1.0, **style.line("literature", linewidth=1.2))
    right.set(xlabel="share of the draws below the truth", xlim=(0, 1), ylim=(0, None), ylabel="density")
    return fig


def _check(ax: Axes, series: str, kind: str, x: Arrays, name: str, found: Estimate, label: str = "") -> None:
    """Draw a measure of one posterior; of several, the flow's alone has a band."""
    band = (found.low, found.high) if kind == "flow" else False
    columns = {**x, name: found.value, "error": found.error}
    curve(ax, series, columns, look(kind), label=label, band=band)


def groups(panels: Mapping[str, Mapping[str, Binned]], labels: Mapping[str, str]) -> Figure:
    """Coverage in thirds of some properties, averaged over radii.

    To see: a posterior may hold 68 per cent of all galaxies and yet be too narrow for one kind and too wide for
    another.
    """
    fig, _, cells = grid(len(panels), 2, 2.5, sharey=True)
    for ax, (title, kinds) in zip(cells, panels.items(), strict=True):
        ax.axhspan(LEVEL - 0.04, LEVEL + 0.04, color="#DDDDDD", linewidth=0)
        for k, (kind, found) in enumerate(kinds.items()):
            place = np.arange(len(found.labels)) + 0.12 * (k - 0.5 * (len(kinds) - 1))
            share, error = parts(found.estimates)
            columns = {"third": place, "share": share, "error": error}
            marks = style.points(look(kind), marker="osD^"[k % 4], markersize=5)
            curve(ax, f"{title}, {labels[kind]}", columns, marks, label=labels[kind], bars=True)
        names = next(iter(kinds.values())).labels
        # In two lines, so that a label does not run into the next.
        ax.set_xticks(range(len(names)), [name.replace(" to ", "\nto ") for name in names], fontsize=9)
        ax.set(xlabel=title, xlim=(-0.5, len(names) - 0.5), ylim=(0.3, 1.0))
        ax.grid(axis="x", visible=False)
    fig.supylabel("truth within the 68% interval", fontsize="medium")
    fig.legend(*cells[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(labels))
    return fig


def joint(checks: Mapping[str, Check], labels: Mapping[str, str], sharpness: Mapping[str, Binned]) -> Figure:
    """TARP of whole profiles, and the errors found against the width stated.

    Parameters
    ----------
    checks, labels : mapping
        Kind -> measures, and its name.
    sharpness : mapping
        Kind -> absolute error of ln M in bins of the stated half width.

    To see: left, a calibrated posterior follows the diagonal; right, where a stated width means something, wide
    posteriors belong to galaxies with large errors.
    """
    fig, (left, right) = style.new_figure(1, 2, height=3.7)
    left.plot([0, 1], [0, 1], **style.line("literature", linewidth=1.2))
    for kind, found in checks.items():
        levels = {"credibility": found.levels}
        _check(left, f"TARP, {labels[kind]}", kind, levels, "coverage", found.tarp, labels[kind])
    left.set(xlim=(0, 1), ylim=(0, 1), box_aspect=1, xlabel="credibility of the region")
    left.set_ylabel("share of the views with the truth in it")
    left.legend(loc="upper left", fontsize=9)
    for kind, bins in sharpness.items():
        value, error = parts(bins.estimates)
        columns = {"stated": bins.centres, "found": value, "error": error}
        curve(right, f"width, {labels[kind]}", columns, look(kind), label="", bars=True, marker="o", markersize=4)
    ends = np.array([0.0, 1.1 * max(bins.centres.max(initial=0.1) for bins in sharpness.values())])
    # The mean absolute deviate of a normal distribution is sqrt(2 / pi) standard deviations.
    right.plot(ends, np.sqrt(2.0 / np.pi) * ends, **style.line("literature", linewidth=1.2))
    right.set(xlim=ends, ylim=(0, None), xlabel="stated half width of 68% in ln M")
    right.set_ylabel(r"mean $|\Delta\ln M|$")
    return fig
