"""Figures of the comparison of networks with rotation curves on the same galaxies, radius by radius."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy import units as u
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..bootstrap import Estimate
from ..evaluation.bins import Binned
from ..evaluation.method_comparison import Bias, MethodComparison
from ..rotation.population import REGIMES
from . import style
from .panels import ERROR, RADIUS, curve, difference_panels, grid, radius_axis, row_labels, ticks

#: Looks of fits of rotation curves that other chapters draw by the name of their halo.
_FITS = {"nfw": "halo/nfw", "burkert": "halo/burkert", "population": "halo/contracted"}


def look(name: str) -> dict:
    """Line of a method, as every chapter draws it; dotted when geometry and baryons are known exactly.

    Of the architecture on trial each set of inputs has its look, the others have the look of their architecture.
    """
    plain = name.removesuffix("_perfect")
    first, _, inputs = plain.partition("/")
    if inputs and first != "baseline":
        key = f"inputs/{inputs}" if first == "C" else style.method(plain)
    else:
        key = _FITS.get(plain, plain if plain in style.LOOKS else f"comparison/{plain}")
    return style.line(key) | ({"linestyle": (0, (1, 1))} if name.endswith("_perfect") else {})


def _band(
    ax: Axes, contest: MethodComparison, name: str, found: Estimate, series: str, y: str = "value", **more: Any
) -> None:
    """Draw a method's estimate at each radius, recorded as column `y`, with its bootstrap band."""
    columns = {"radius": contest.radii * u.kpc, **more, y: found.value, "low": found.low, "high": found.high}
    curve(ax, series, columns, look(name), label=contest.entries[name].title, band=True, ordinate=y)


def _error_axes(ax: Axes, label: str) -> None:
    radius_axis(ax, label=label, yscale="log")
    ticks(ax.yaxis, (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5))


def _fit_errors(axes: Sequence[Axes], room: float, least: float = 0.03) -> None:
    """Limit axes of errors that share their scale to what is drawn, with room above for the legend (a factor).

    The axes begin at `least` or above.
    """
    drawn = [ax.dataLim for ax in axes]
    lowest, highest = min(limits.ymin for limits in drawn), max(limits.ymax for limits in drawn)
    for ax in axes:
        ax.set_ylim(max(0.9 * lowest, least), room * highest)


def funnel(contest: MethodComparison, counts: Mapping[str, int]) -> Figure:
    """Views that the rotation-curve method accepts, and the reasons for which it rejects the others.

    To see: the rejections (right) are part of the result; a network gives an answer for these views too.
    """
    fig, (left, right) = style.new_figure(1, 2, height=3.3, width_ratios=[1, 1.6])
    views = [len(contest), int(contest.accepted.sum())]
    galaxies = [len(np.unique(contest.subhalo_id)), len(np.unique(contest.subhalo_id[contest.accepted]))]
    places, labels = np.arange(2), np.array(["all", "accepted"])
    left.bar(places - 0.2, views, 0.38, color=style.COLOURS["embedded"], label="views")
    left.bar(places + 0.2, galaxies, 0.38, color=style.COLOURS["alternative"], label="galaxies, any view")
    left.set_xticks(places, labels=labels)
    left.set(ylabel="number", ylim=(0, 1.35 * max(views)))
    left.legend(loc="upper right")
    words = list(counts)[::-1] or ["none"]
    numbers = [counts.get(word, 0) for word in words]
    bars = right.barh(words, numbers, color=style.COLOURS["reject"])
    right.bar_label(bars, padding=3, fontsize=9)
    right.set(xlabel="rejected views, by reason", xlim=(0, 1.12 * max(*numbers, 1)))
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.plotted(fig, "counts", what=labels, views=views, galaxies=galaxies)
    style.plotted(fig, "reasons", reason=words, views=numbers)
    return fig


def errors(contest: MethodComparison, panels: Mapping[str, Sequence[str]], where: np.ndarray) -> Figure:
    """Mean relative error of the enclosed dark mass against radius, with bootstrap bands, one row for each measure.

    To see: a rotation curve is most accurate where it is measured, and least in the centre, where stars and beam hide
    the dark matter, and at large radii, where nothing is measured; there a network relies on what it learned from
    other galaxies.
    """
    fig, axes = style.new_figure(2, len(panels), height=6.4, sharex=True, sharey="row")
    scores, rows = contest.scores(where), (("mean |dM/M|", "relative", ""), ("delta_mse", "relative2", RADIUS))
    for column, (title, names) in zip(axes.T, panels.items(), strict=True):
        for ax, (key, measure, label) in zip(column, rows, strict=True):
            for name in names:
                found = scores.at_radii(name, measure, root=measure == "relative2")
                _band(ax, contest, name, found, f"{title}, {name}", measure=key)
            _error_axes(ax, label)
        column[0].set_title(title)
        column[0].legend(loc="upper center", fontsize=7.5)
    row_labels(axes, (r"mean $|\Delta M / M|$", r"$\Delta_\mathrm{MSE}$ (root mean square)"))
    _fit_errors(list(axes.flat), 3.5)
    return fig


def key(contest: MethodComparison, names: Sequence[str], where: np.ndarray) -> Figure:
    """Mean relative error of the enclosed dark mass against radius, for one method of each kind, in one panel.

    To see: which of two curves is lower, by more than the bands, at which radii; and how far the floor is below both.
    """
    fig, ax = style.new_figure(height=4.4)
    for name in names:
        _band(ax, contest, name, contest.scores(where).at_radii(name), name, measure="mean |dM/M|")
    _error_axes(ax, RADIUS)
    ax.set_ylabel(ERROR)
    _fit_errors([ax], 1.9)
    ax.legend(loc="upper right", ncols=2)
    return fig


def regimes(contest: MethodComparison, found: Mapping[str, Mapping[str, Estimate]], n: Mapping[str, int]) -> Figure:
    """Mean error of every method inside the beam, where the curve is measured, and beyond its last point.

    To see: the fits compete where the curve is measured; outside they are as good as what they know of other galaxies.

    Parameters
    ----------
    contest : MethodComparison
    found : mapping
        Regime -> method -> mean |dM/M|.
    n : mapping
        Regime -> galaxies.
    """
    fig, axes = style.new_figure(1, len(found), height=0.9 + 0.32 * len(next(iter(found.values()))), sharey=True)
    for ax, (place, errors_of) in zip(axes, found.items(), strict=True):
        names = list(errors_of)[::-1]
        for k, name in enumerate(names):
            one, line = errors_of[name], look(name)
            ax.errorbar(one.value, k, xerr=one.error, marker="o", markersize=5, color=line["color"])
        value = Estimate.joined(errors_of[name] for name in names)
        style.plotted(fig, place, method=names, value=value, galaxies=n[place])
        ax.set_title(REGIMES[place], fontsize=9)
        ax.set(xlabel=r"mean $|\Delta M / M|$", xscale="log")
        ticks(ax.xaxis, (0.1, 0.2, 0.5, 1))
        ax.set_yticks(range(len(names)), labels=[contest.entries[name].title for name in names])
    return fig


def beams(contest: MethodComparison, found: Mapping[str, Mapping[str, Binned]]) -> Figure:
    """Mean error of methods against the number of beams across the disc, for each regime of radii.

    To see: with few beams across the disc there is little to fit, and the methods that know the population win; whether
    the information floor, too, depends on the beams.
    """
    fig, axes = style.new_figure(1, len(found), height=3.6, sharey=True, ylabel=r"mean $|\Delta M / M|$")
    for ax, (place, methods) in zip(axes, found.items(), strict=True):
        for name, bins in methods.items():
            columns = {"beams": bins.centres, "value": bins.estimate, "galaxies": bins.n_galaxies}
            line = look(name) | {"marker": "o", "linewidth": 1.4}
            curve(ax, f"{place}, {name}", columns, line, label=contest.entries[name].title, bars=True)
        ax.set(title=REGIMES[place], xlabel="beams across the disc", yscale="log")
        ticks(ax.yaxis, (0.05, 0.1, 0.2, 0.5, 1))
    axes[0].legend(fontsize=7, loc="upper left")
    return fig


def duel(contest: MethodComparison, differences: Mapping[str, Estimate], won: Mapping[str, np.ndarray]) -> Figure:
    """Mean error of a network minus that of a rotation-curve variant, on the same views.

    To see: below zero the network has the smaller error; only filled points are more than two standard deviations from
    zero.
    """
    found = {
        f"less {contest.entries[name].title.partition(', C/')[0]}": (difference, won[name] != 0, look(name))
        for name, difference in differences.items()
    }
    ylabel = r"difference of mean $|\Delta M/M|$"
    fig, panels = difference_panels(contest.radii, found, "network errs less", "the other errs less", ylabel)
    # The largest differences, at small radii, leave room for those that decide.
    limits = panels[0].get_ylim()
    panels[0].set_yscale("symlog", linthresh=0.2)
    ticks(panels[0].yaxis, (-2, -1, -0.5, -0.2, -0.1, 0, 0.1, 0.2, 0.5, 1))
    panels[0].set_ylim(*limits)
    return fig


def coverage(contest: MethodComparison, shares: Mapping[str, Mapping[int, Estimate]]) -> Figure:
    """Fraction of views whose truth lies within the stated 68 and 95 per cent intervals, against radius.

    The intervals of the fits are stretched so that they cover 68 per cent of the validation views. To see: where a line
    lies below its dashed level, the method understates its uncertainty.
    """
    fig, axes = style.new_figure(1, 2, height=4.1, sharey=True, ylabel="share of views whose truth is inside")
    for ax, share in zip(axes, (68, 95), strict=True):
        ax.axhline(share / 100, **style.line("literature"))
        for name, found in shares.items():
            _band(ax, contest, name, found[share], f"{name}, {share}", y="share")
        radius_axis(ax, title=f"{share} per cent interval")
    axes[0].set_ylim(top=1.02)
    fig.legend(*axes[1].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=9)
    return fig


def knowledge(contest: MethodComparison, pairs: Sequence[tuple[str, str]], where: np.ndarray) -> Figure:
    """Error of the rotation-curve method as observed, and with geometry and baryons known, on the same views.

    To see: the distance between a line and its dotted counterpart is due to inclination, stars and gas; what remains
    below the dotted line is due to the speeds, the assumption of circular motion, and the shape of the halo. Where
    there is an information floor, it stands in each panel.
    """
    fig, _, panels = grid(len(pairs), 2, 2.9, sharey=True, ylabel=r"mean $|\Delta M / M|$")
    for ax, pair in zip(panels, pairs, strict=True):
        floors = contest.of("floor")
        for name in (*pair, *floors):
            series = f"{pair[0]}, {name}" if name in floors else name
            _band(ax, contest, name, contest.scores(where).at_radii(name), series)
        _error_axes(ax, RADIUS)
        ax.set_title(contest.entries[pair[0]].title)
        labels = ["known" if name.endswith("_perfect") else "observed" for name in pair]
        labels += [floor.title.removeprefix("information ") for floor in floors.values()]
        ax.legend(ax.lines, labels, title="geometry and baryons", fontsize=8.5, title_fontsize=8.5, ncols=2)
    _fit_errors(panels, 4.5, least=0.02 if floors else 0.03)
    return fig


def biases(contest: MethodComparison, found: Mapping[str, Bias], radius: float) -> Figure:
    """ln(predicted / true) at one radius against properties of a galaxy and its view: views, and means in bins.

    To see: a slope is a dependence on that property; a constant offset is a global bias.
    """
    ylabel = f"ln(predicted / true)\nwithin {radius:.0f} kpc"
    fig, axes = style.new_figure(1, len(found), height=3.5, sharey=True, ylabel=ylabel)
    for ax, (what, bias) in zip(axes, found.items(), strict=True):
        ax.axhline(0, **style.line("baseline"))
        for name, ln_ratio in bias.ln_ratio.items():
            line, mean = look(name), bias.means[name]
            dots = {"color": line["color"], "marker": ".", "linestyle": "none", "markersize": 2, "alpha": 0.25}
            curve(ax, f"{what}, {name}, views", {"trait": bias.trait, "ln_ratio": ln_ratio}, dots, label="")
            columns = {"trait": mean.centres, "ln_ratio": mean.estimate, "galaxies": mean.n_galaxies}
            title, bars = contest.entries[name].title, line | {"marker": "o", "linewidth": 1.6}
            curve(ax, f"{what}, {name}, bins", columns, bars, label=title, bars=True)
        # Few views far out would press the others, and the means, together.
        ax.set(xlabel=what, xlim=np.nanpercentile(bias.trait, (1, 99)) if np.isfinite(bias.trait).any() else None)
    every = np.concatenate([ratio for bias in found.values() for ratio in bias.ln_ratio.values()])
    if np.isfinite(every).any():
        axes[0].set_ylim(*np.nanpercentile(every, (2, 98)))
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=9)
    return fig
