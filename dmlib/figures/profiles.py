"""Figures of the chapters on single profiles and on posteriors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy import units as u
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ..bootstrap import Estimate
from ..evaluation.bins import Binned
from ..evaluation.derived import Band, circular_velocity, shell_density
from ..evaluation.posteriors import LEVEL, Check
from ..evaluation.scores import EXPECTED, Coverage, Scores
from . import style
from .panels import ERROR, RADIUS, curve, grid, picture, radius_axis, row_labels, shade, zero

_PREDICTED = style.COLOURS["prediction"]


def true_against_predicted(
    radii: np.ndarray, truth: np.ndarray, predicted: np.ndarray, columns: Sequence[int]
) -> Figure:
    """Predicted against true mass at several radii.

    To see: a good prediction lies along the line; a cloud with a slope below one is a prediction that is drawn towards
    the mean.
    """
    fig, _, panels = grid(len(columns), 2, 2.9, width=style.TEXT)
    for ax, k in zip(panels, columns, strict=True):
        good = (truth[:, k] > 0) & (predicted[:, k] > 0)
        x, y, title = np.log10(truth[good, k]), np.log10(predicted[good, k]), f"{radii[k]:.3g} kpc"
        dots = style.points("prediction", marker="o", markersize=2.6, alpha=0.5, mew=0)
        curve(ax, title, {"log_m_true": x, "log_m_predicted": y}, dots, label="")
        edges = np.array([min(x.min(), y.min()), max(x.max(), y.max())])
        limits = edges + 0.05 * np.ptp(edges) * np.array([-1.0, 1.0])
        ax.plot(limits, limits, **style.line("truth", linewidth=1.0))
        ax.set(title=title, xlim=limits, ylim=limits, box_aspect=1)
        ax.xaxis.set_major_locator(MaxNLocator(3))
        ax.yaxis.set_major_locator(MaxNLocator(3))
    fig.supxlabel(r"log$_{10}$ true mass [M$_\odot$]", fontsize=11)
    fig.supylabel(r"log$_{10}$ predicted mass [M$_\odot$]", fontsize=11)
    return fig


def residuals(scores: Scores, name: str, columns: Sequence[int], floor: Scores | None = None) -> Figure:
    """Distribution of ln(predicted / true) at several radii, and its median and width at all radii.

    To see: left, whether the distributions are centred on zero, and whether their wings are wider than those of a
    normal distribution; right, the median (bias) and the central 68 per cent, beside those of the mean training
    profile, and between the lines of the information floor those of an ideal observer.

    Parameters
    ----------
    scores : Scores
    name : str
        Method.
    columns : sequence of int
        Radii on the left.
    floor : Scores, optional
        What ideal observers predict for the same views, see `dmlib.evaluation.floor.Floor.scores`.
    """
    fig, (left, right) = style.new_figure(1, 2, height=3.7)
    ratio, mean = scores.views(name, "ln_ratio"), scores.views("baseline/mean", "ln_ratio")
    reach = float(np.nanpercentile(np.abs(ratio[:, list(columns)]), 99.0))
    bins = np.linspace(-reach, reach, 20)
    for k, tone in zip(columns, colormaps["viridis"](np.linspace(0.9, 0.0, len(columns))), strict=True):
        values = np.clip(ratio[np.isfinite(ratio[:, k]), k], -reach, reach)
        density, _ = np.histogram(values, bins=bins, density=True)
        # Neighbouring bins are averaged: four outlines of few views each would hide one another.
        density = np.convolve(np.pad(density, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
        middle = 0.5 * (bins[1:] + bins[:-1])
        numbers = {"ln_ratio": middle, "density": density}
        curve(left, f"{scores.radii[k]:.3g} kpc", numbers, color=tone, linewidth=1.7)
    left.axvline(0.0, color=style.COLOURS["truth"], linewidth=1.0)
    left.set(xlabel=r"ln(predicted / true)", ylabel="density", title="at some radii")
    shown = [(mean, "baseline/mean", "mean training profile"), (ratio, "C", "network")]
    if floor is not None:
        shown.append((floor.views("floor/all/observed", "ln_ratio"), "floor", "floor, observed"))
    for values, look, label in shown:
        low, centre, high = (scores.bootstrap.quantile(values, share) for share in (0.1587, 0.5, 0.8413))
        numbers = {"median": centre.value, "error": centre.error, "low": low.value, "high": high.value}
        found = {"radius": scores.radii * u.kpc, **numbers}
        if look != "floor":
            curve(right, f"{label}, all radii", found, look, label=label, band=True)
            continue
        # A third band would hide the other two: of this one only the edges are drawn.
        style.plotted(fig, f"{label}, all radii", **found)
        for edge, entry in ((low, label), (high, None)):
            right.plot(scores.radii, edge.value, label=entry, **style.line(look, linestyle=style.DASHED))
    zero(right)
    radius_axis(right, title="median and middle 68%")
    left.legend(loc="upper right")
    right.legend(loc="lower left")
    return fig


def views(chosen: Mapping[str, tuple[np.ndarray, np.ndarray]], extent: tuple[float, float, float, float]) -> Figure:
    """Image and velocity field of single galaxies.

    Parameters
    ----------
    chosen : mapping
        Title -> normalised image of one band, velocity over 200 km/s with NaN where blank.
    extent : tuple
        [kpc]

    To see: whether the galaxies are seen face-on or edge-on, and whether their velocity fields are regular.
    """
    fig, axes = style.new_figure(1, 2 * len(chosen), height=2.3)
    for (left, right), (title, (image, velocity)) in zip(axes.reshape(-1, 2), chosen.items(), strict=True):
        picture(left, image, style.SEQUENTIAL, title=title, extent=extent)
        picture(right, 200.0 * velocity, style.VELOCITY, -260, 260, extent=extent)
        fastest = 200.0 * float(np.nanmax(np.abs(velocity), initial=0))
        style.plotted(fig, title, brightest=float(image.max()), fastest=fastest)
    return fig


def single(galaxies: Mapping[str, tuple[np.ndarray, Mapping[str, Band], np.ndarray]], radii: np.ndarray) -> Figure:
    """Enclosed mass, circular velocity and density of single galaxies with their uncertainty.

    Parameters
    ----------
    galaxies : mapping
        Title -> true masses (r,), predicted bands, masses of the members (k, r) of the ensemble that predicts the mass.
    radii : ndarray
        [kpc]

    To see: whether the truth (points) lies within the shading, as it should in two of three cases. The mass is divided
    by the radius; otherwise its rise over two decades would hide every difference.
    """
    labels = (r"$M_\mathrm{DM}/R$ [$10^9\,$M$_\odot$/kpc]", r"$V_\mathrm{DM}$ [km/s]", r"density [M$_\odot$/kpc$^3$]")
    fig, axes = style.new_figure(3, len(galaxies), height=8.2, sharex=True, sharey="row", squeeze=False)
    row_labels(axes, labels)
    for column, (title, (true, predicted, members)) in zip(axes.T, galaxies.items(), strict=True):
        scale = 1e9 * radii
        for k, member in enumerate(members):
            label = "members" if k == 0 else None
            column[0].plot(radii, member / scale, color=_PREDICTED, linewidth=0.7, alpha=0.7, label=label)
        middle, density = shell_density(radii, true)
        for ax, name, x, y, unit in (
            (column[1], "velocity", radii, circular_velocity(radii, true), 1.0),
            (column[2], "density", middle, density, 1.0),
            (column[0], "mass", radii, true, scale),
        ):
            found = predicted[name]
            # A draw in which the mass falls has no density that a logarithmic axis could show.
            floor = 0.2 * min(v[v > 0].min(initial=np.inf) for v in (found.value, y)) if name == "density" else -np.inf
            low, high = (np.maximum(edge / unit, floor) for edge in (found.low, found.high))
            shade(ax, found.radius, low, high, "prediction")
            shown, there = found.value > 0, y > 0
            ax.plot(found.radius[shown], (found.value / unit)[shown], color=_PREDICTED, label="predicted")
            ax.plot(x[there], (y / unit)[there], **style.points("truth", label="truth"))
            columns = {"predicted": found.value, "low": found.low, "high": found.high}
            style.plotted(fig, f"{title}, {name}", radius=found.radius * u.kpc, true=y, **columns)
        column[0].set_title(title)
        column[2].set_yscale("log")
        for ax, label in zip(column, ("", "", RADIUS), strict=True):
            radius_axis(ax, label=label)
    axes[0, 0].legend(loc="best", fontsize=9)
    return fig


def calibration(radii: np.ndarray, found: Coverage, histogram: Estimate) -> Figure:
    """Fraction of views whose truth lies within the stated uncertainty, and the probability integral transform.

    To see: left, lines above the dashed ones mean that the uncertainty is overestimated, lines below that it is
    underestimated; right, a flat histogram means calibrated uncertainties, a U shape underestimated and a hump
    overestimated ones, a slope a bias.
    """
    fig, (left, right) = style.new_figure(1, 2, height=3.6)
    for k, role in ((1, "prediction"), (2, "dark_matter")):
        columns = {"radius": radii * u.kpc, "share": found.within[k]}
        curve(left, f"within {k} sigma", columns, role, label=rf"within {k} $\sigma$", band=True)
        left.axhline(EXPECTED[k], **style.line(role, linestyle=(0, (5, 2)), linewidth=1.1))
    radius_axis(left, ylim=(0, 1.03), ylabel="share of the test views", title="coverage")
    left.legend(loc="lower right")
    edges = np.linspace(0.0, 1.0, len(histogram.value) + 1)
    right.stairs(histogram.value, edges, fill=True, color=_PREDICTED, alpha=0.35)
    columns = {"share": 0.5 * (edges[1:] + edges[:-1]), "density": histogram}
    curve(right, "probability integral", columns, "prediction", bars=True, linestyle="none")
    right.axhline(1.0, **style.line("literature", linewidth=1.2))
    right.set(xlabel="share of the prediction below the truth", xlim=(0, 1))
    right.set(ylabel="density", title="probability integral")
    return fig


def failures(panels: Mapping[str, Mapping[str, Binned]], groups: Mapping[str, Mapping[str, Binned]]) -> Figure:
    """Error at intermediate radii in bins of properties of the galaxies and of the views.

    Parameters
    ----------
    panels : mapping
        Label of the horizontal axis -> method -> error in bins. The methods are the network, a regression and, where
        there is one, the information floor, in this order.
    groups : mapping
        Title -> method -> error of kinds of galaxies.

    To see: where a curve rises, galaxies of that kind are more difficult; where those of network and regression rise
    together, the galaxies are the reason and not the method; where that of the information floor rises too, the inputs
    tell less of such galaxies.
    """
    everything = [*panels.items(), *groups.items()]
    fig, _, cells = grid(len(everything), min(3, len(everything)), 2.6, sharey=True, ylabel=ERROR)
    for ax, (title, methods) in zip(cells, everything, strict=True):
        grouped = title in groups
        for k, (label, found) in enumerate(methods.items()):
            name = ("C", "baseline/boosted", "floor")[k]
            x = np.arange(len(found.labels)) + 0.12 * (k - 0.5 * (len(methods) - 1)) if grouped else found.centres
            look = style.points(name, linestyle="none" if grouped else style.LOOKS[name].line)
            if name == "floor":  # hollow, since the trees are nearly as black
                look |= {"markerfacecolor": "white"} | ({} if grouped else {"linestyle": style.DASHED})
            ax.errorbar(x, found.estimate.value, found.estimate.error, label=label, **look)
            columns = {"bin": found.labels, "galaxies": found.n_galaxies, "mean_relative": found.estimate}
            style.plotted(fig, f"{title}, {label}", **columns)
            if grouped:
                names = [f"{name}\n({n})" for name, n in zip(found.labels, found.n_galaxies, strict=True)]
                ax.set_xticks(range(len(names)), names)
                ax.set_xlim(-0.6, len(names) - 0.4)
        ax.set_xlabel(title)
        if not any(found.labels for found in methods.values()):
            ax.text(0.5, 0.5, "too few galaxies", transform=ax.transAxes, ha="center", color="#555555")
            ax.set(xticks=[])
    # At the end: the panels share this axis, and a limit set early would not grow with the later ones.
    cells[0].set_ylim(bottom=0)
    fig.legend(*cells[0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
    return fig


def share_of_views(radii: np.ndarray, shares: Mapping[str, Estimate]) -> Figure:
    """Share of the variance of an error that lies between the views of one galaxy.

    To see: near 0 the error depends on the galaxy, and its views err alike; near 1 it depends on the view.
    """
    fig, ax = style.new_figure(height=3.0)
    for k, (label, share) in enumerate(shares.items()):
        curve(ax, label, {"radius": radii * u.kpc, "share": share}, "baseline/boosted" if k else "C", band=True)
    radius_axis(ax, ylim=(0, 1), ylabel="share between views")
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.legend(loc="best")
    return fig


#: Draws that are shown.
_SHOWN = 40


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
    highest = 0.0
    for ax, (title, (truth, drawn)) in zip(panels, galaxies.items(), strict=True):
        speeds = circular_velocity(radii, drawn)
        for k, one in enumerate(speeds[:_SHOWN]):
            ax.plot(radii, one, color=style.COLOURS["posterior/flow"], linewidth=0.6, alpha=0.45, zorder=1 + 0.001 * k)
        low, middle, high = np.quantile(speeds, [0.5 - 0.5 * LEVEL, 0.5, 0.5 + 0.5 * LEVEL], axis=0)
        columns = {"radius": radii * u.kpc, "speed": middle * u.km / u.s}
        curve(ax, f"{title}, median", columns, "posterior/flow", label="median and 68%", band=(low, high))
        columns = {"radius": radii * u.kpc, "speed": circular_velocity(radii, truth) * u.km / u.s}
        curve(ax, f"{title}, truth", columns, style.points("truth", markersize=4), label="truth")
        highest = max(highest, float(speeds[:_SHOWN].max()))
        radius_axis(ax, title=title)
    panels[0].set(ylabel="circular velocity of dark matter [km/s]", ylim=(0, 1.03 * highest))
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
        shares = {"radius": radii * u.kpc, "share": found.coverage}
        _check(left, f"coverage, {labels[kind]}", kind, shares, labels[kind])
        ranks = {"rank": 0.5 * (edges[1:] + edges[:-1]), "density": found.histogram}
        _check(right, f"ranks, {labels[kind]}", kind, ranks)
    radius_axis(left, ylim=(0.3, 1.0), ylabel="truth within the 68% interval")
    fig.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=len(checks))
    right.axhline(1.0, **style.line("literature", linewidth=1.2))
    right.set(xlabel="share of the draws below the truth", xlim=(0, 1), ylim=(0, None), ylabel="density")
    return fig


def _check(ax: Axes, series: str, kind: str, columns: Mapping[str, Any], label: str = "") -> None:
    """Draw a measure of one posterior; of several, the flow's alone has a band."""
    curve(ax, series, columns, f"posterior/{kind}", label=label, band=kind == "flow")


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
            marks = style.points(f"posterior/{kind}", marker="osD^"[k % 4], markersize=5)
            # A little aside, so that bars do not cover each other.
            ax.errorbar(place, found.estimate.value, found.estimate.error, label=labels[kind], **marks)
            style.plotted(fig, f"{title}, {labels[kind]}", third=np.array(found.labels), share=found.estimate)
        names = next(iter(kinds.values())).labels
        # In two lines, so that a label does not run into the next.
        ax.set_xticks(range(len(names)), [name.replace(" to ", "\nto ") for name in names], fontsize=9)
        ax.set(xlabel=title, xlim=(-0.5, len(names) - 0.5), ylim=(0.3, 1.0))
        ax.grid(axis="x", visible=False)
    fig.supylabel("truth within the 68% interval", fontsize="medium")
    fig.legend(*cells[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(labels))
    return fig


def ranks(panels: Mapping[str, Sequence[Estimate]]) -> Figure:
    """Density of the ranks of the truth in thirds of some properties, the lowest first; over all radii.

    To see: a U shape in one third comes from intervals that are too narrow for it, a hump from wide ones, a slope from
    a bias.
    """
    fig, _, cells = grid(len(panels), len(panels), 3.3, sharey=True)
    tones = colormaps["viridis"](np.linspace(0.85, 0.0, 3))
    for ax, (title, found) in zip(cells, panels.items(), strict=True):
        ax.axhline(1.0, **style.line("literature", linewidth=1.2))
        for k, (one, tone, name) in enumerate(zip(found, tones, ("lowest", "middle", "highest"), strict=True)):
            edges = np.linspace(0.0, 1.0, len(one.value) + 1)
            middle = 0.5 * (edges[1:] + edges[:-1])
            look = {"color": tone, "marker": "osD"[k], "markersize": 4, "linewidth": 1.2}
            # A little aside, so that bars do not cover each other.
            ax.errorbar(middle + 0.025 * (k - 1), one.value, one.error, label=f"{name} third", **look)
            style.plotted(fig, f"{title}, {name}", rank=middle, density=one)
        ax.set(title=title, xlim=(0, 1), xticks=(0, 0.5, 1))
    # At the end: the panels share this axis.
    cells[0].set_ylim(bottom=0)
    fig.supxlabel("share of the draws below the truth", fontsize="medium")
    cells[0].set_ylabel("density")
    fig.legend(*cells[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
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
        levels = {"credibility": found.levels, "coverage": found.tarp}
        _check(left, f"TARP, {labels[kind]}", kind, levels, labels[kind])
    left.set(xlim=(0, 1), ylim=(0, 1), box_aspect=1, xlabel="credibility of the region")
    left.set_ylabel("share of the views with the truth in it")
    left.legend(loc="upper left", fontsize=9)
    for kind, bins in sharpness.items():
        columns = {"stated": bins.centres, "found": bins.estimate}
        curve(
            right, f"width, {labels[kind]}", columns, f"posterior/{kind}", label="", bars=True, marker="o", markersize=4
        )
    ends = np.array([0.0, 1.1 * max(bins.centres.max(initial=0.1) for bins in sharpness.values())])
    # The mean absolute deviate of a normal distribution is sqrt(2 / pi) standard deviations.
    right.plot(ends, np.sqrt(2.0 / np.pi) * ends, **style.line("literature", linewidth=1.2))
    right.set(xlim=ends, ylim=(0, None), xlabel="stated half width of 68% in ln M")
    right.set_ylabel(r"mean $|\Delta\ln M|$")
    return fig
