"""Figures of the chapters that compare architectures and inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy import units as u
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from ..bootstrap import Estimate
from ..evaluation.floor import Floor
from ..evaluation.pairs import Pairs
from ..evaluation.scores import REGIONS, Scores
from . import style
from .panels import ERROR, beside, curve, difference_panels, grid, plain, radius_axis, signed, ticks, zero

#: Sets of inputs in words.
INPUTS = {
    "all": "ugriz and HI",
    "photometry": "ugriz",
    "SDSS_URZ": "u, r, z",
    "SDSS_I": "i",
    "hi": "HI",
    "HI_0": "HI, moment 0",
    "HI_1": "HI, moment 1",
    "HI_2": "HI, moment 2",
    "SDSS_URZ_HI_012": "u, r, z and HI",
    "SDSS_I_HI_012": "i and HI",
}

#: Those that the panels of `input_errors` show.
PANELS = {
    "light, gas, both": ("all", "photometry", "hi"),
    "parts of them": ("SDSS_URZ", "SDSS_I", "HI_0", "HI_1", "HI_2"),
}

_BETWEEN = f"{ERROR}, 5 to 50 kpc"
_MEAN = {"baseline/mean": "mean training profile"}

#: Regressions on the same inputs: name of the prediction and its label, in the same order for each.
PLAIN = {
    "all": {"baseline/linear": "linear formula", "baseline/boosted": "boosted trees"},
    "photometry": {"linear/photometry": "linear formula", "boosted/photometry": "boosted trees"},
    "hi": {"linear/hi": "linear formula", "boosted/hi": "boosted trees"},
}


def counting_noise(truth: np.ndarray, m_particle: float) -> np.ndarray:
    """Mean |dM/M| of a perfect prediction of the smooth halo, because the target counts particles.

    A count N scatters by sqrt(N) about its expectation, which chapter 4 tests; the mean absolute deviation of a normal
    variable is sqrt(2 / pi) times its standard deviation.

    Parameters
    ----------
    truth : ndarray, shape (n, r)
        Enclosed masses [Msun].
    m_particle : float
        Mass of a particle [Msun].

    Returns
    -------
    ndarray, shape (r,)
    """
    counts = np.where(truth > 0, truth, np.nan) / m_particle
    return np.sqrt(2.0 / np.pi) * np.nanmean(1.0 / np.sqrt(counts), axis=0)


def overfit(losses: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Loss of several architectures that are trained on one batch only.

    To see: every line must fall far below 1, the loss of the mean prediction: then gradients reach all weights, and
    the targets belong to their images.
    """
    fig, ax = style.new_figure(height=3.2)
    for name, (step, loss) in losses.items():
        curve(ax, name, {"step": step, "mean_square": loss}, style.method(name))
    ax.axhline(1.0, **style.line("literature", linewidth=1.2))
    beside(ax, "mean of the training galaxies", (0.99, 1.0), (0, -12), xycoords=("axes fraction", "data"), ha="right")
    ax.set(yscale="log", xlabel="step", ylabel="loss of the batch")
    ax.legend(loc="upper right", ncols=len(losses))
    return fig


def histories(trained: Mapping[str, Sequence[Mapping[str, Sequence[float]]]]) -> Figure:
    """Training and validation loss of each architecture against the epoch; thin lines are further members.

    To see: where the validation loss (dark) rises or stays constant while the training loss (light) falls, the network
    overfits; the dot marks the epoch whose weights are kept.
    """
    fig, _, panels = grid(len(trained), min(3, len(trained)), 2.35, sharey=True, ylabel="loss")
    for ax, (name, members) in zip(panels, trained.items(), strict=True):
        colour = style.COLOURS[style.method(name)]
        for k, history in enumerate(members):
            loss, held = np.array(history["loss"]), np.array(history["val_loss"])
            epoch, best = np.arange(1, len(loss) + 1), int(np.argmin(held))
            how: dict[str, Any] = {"color": colour, "linewidth": 0.8 if k else 1.7}
            marker = "o" if len(epoch) == 1 else ""
            ax.plot(epoch, loss, alpha=0.4, marker=marker, label=None if k else "training", **how)
            ax.plot(epoch, held, label=None if k else "validation", **how)
            ax.plot(epoch[best], held[best], "o", color=style.COLOURS["truth"], zorder=4)
            style.plotted(fig, f"{name}, member {k}", epoch=epoch, training=loss, validation=held)
        ax.axhline(1.0, **style.line("literature", linewidth=1.0))
        last = max(2, *(len(history["loss"]) for history in members))
        ax.set(title=name, yscale="log", xlim=(0.5, last + 0.5))
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        plain(ax.yaxis)
        ax.legend(loc="upper right", fontsize=8.5)
    fig.supxlabel("epoch", fontsize=11)
    return fig


def errors(scores: Scores, names: Mapping[str, str], counting: np.ndarray, floor: Floor | None) -> Figure:
    """Delta_MSE and the mean relative error at each radius, of networks and of predictions without a network.

    Parameters
    ----------
    scores : Scores
    names : mapping
        Method -> label.
    counting : ndarray, shape (r,)
        See `counting_noise`.
    floor : Floor or None
        What ideal observers reach.

    To see: all networks and both regressions lie far below the mean profile; the gap between a network and the
    regressions is the information in the pixels, and the gap between a network and the floor is what is left to learn.
    """
    fig, axes = style.new_figure(1, 2, height=4.5)
    radius = scores.radii * u.kpc
    panels = (("relative2", True, r"$\Delta_\mathrm{MSE}(R)$, of $M$"), ("relative", False, ERROR))
    for ax, (measure, root, title) in zip(axes, panels, strict=True):
        for name, label in names.items():
            found = scores.at_radii(name, measure, root=root)
            columns = {"radius": radius, "value": found, "measure": measure}
            if name == "baseline/random":
                # Twice as far up as all others, which its scale would press together.
                style.plotted(fig, f"{label}, not drawn", **columns)
                continue
            curve(ax, label, columns, style.method(name), band=name.startswith("C/"))
        for kind in ("observed", "noise-free"):
            _floor(ax, floor, "all", kind, "floor", f"floor, {kind}", root=root)
        radius_axis(ax, title=title, ylim=(0, None))
    columns = {"radius": radius, "mean_relative": counting}
    curve(axes[1], "counting particles", columns, "literature", linestyle=style.FINE, linewidth=1.1)
    fig.legend(*axes[1].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=9)
    return fig


def _floor(ax: Axes, floor: Floor | None, inputs: str, kind: str, look: str, label: str, root: bool = False) -> None:
    """Draw the error of an ideal observer, if any: dashed where it is ``observed``, dotted where ``noise-free``."""
    if floor is None:
        return
    columns = {"radius": floor.radii * u.kpc, "value": floor.error(inputs, kind, root=root)}
    dashes = style.DASHED if kind == "observed" else style.DOTTED
    curve(ax, f"floor, {kind}, {inputs}", columns, look, label=label, linestyle=dashes, linewidth=1.3)


def against(scores: Scores, names: Mapping[str, str], opponent: str, words: str) -> Figure:
    """Error of each network minus that of another prediction at each radius, on the same galaxies.

    To see: a network is better where its band lies wholly below zero. The bands are narrower than the difference of two
    bands in the figure before, because the same galaxies are difficult for both.
    """
    found = {}
    for name, label in names.items():
        difference = scores.difference(name, opponent)
        found[label] = difference, difference.sign() != 0, style.line(style.method(name))
    ylabel = rf"$|\Delta M/M|$, network less {words}"
    return difference_panels(scores.radii, found, "network better", f"{words} better", ylabel)[0]


def pairs(found: Pairs, titles: Mapping[str, str]) -> Figure:
    """Difference of the errors of every pair of methods, in per cent, in the order of the errors.

    To see: where the cells beside the diagonal are white, neighbours in the ranking cannot be told apart.
    """
    n = len(found.names)
    fig, ax = style.new_figure(height=0.52 * n + 1.4)
    shade = {"better": "#9ecae1", "worse": "#fdbe85", "undecided": "#ffffff"}
    for i, first in enumerate(found.names):
        for k, second in enumerate(found.names):
            if i == k:
                error = found.errors[first]
                ax.text(k, i, f"{100 * error.value:.1f}", ha="center", va="center", fontsize=9, fontweight="bold")
                continue
            difference, verdict = found.differences[first, second], found.verdict(first, second)
            ax.add_patch(Rectangle((k - 0.5, i - 0.5), 1, 1, facecolor=shade[verdict], edgecolor="#cccccc"))
            words = f"{signed(100 * float(difference.value))}\n±{100 * difference.error:.1f}"
            ax.text(k, i, words, ha="center", va="center", fontsize=8.5)
            series = f"{titles[first]} less {titles[second]}"
            style.plotted(fig, series, difference=difference, verdict=verdict)
    labels = [titles[name].replace(" on observables", "").rstrip(",") for name in found.names]
    ax.set_xticks(range(n), labels, rotation=35, ha="right")
    ax.set_yticks(range(n), labels)
    ax.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5))
    ax.grid(visible=False)
    return fig


def cost(rows: Sequence[Mapping[str, Any]], ends: Mapping[str, Estimate], plain: Mapping[str, Estimate]) -> Figure:
    """Error at intermediate radii against the time of training, and against the number of parameters.

    Parameters
    ----------
    rows : sequence of mapping
        ``name``, ``seconds``, ``parameters`` of each network.
    ends : mapping of Estimate
        Its error by name.
    plain : mapping of Estimate
        Errors of regressions and of the floor, drawn as horizontal lines.

    To see: whether more parameters or more minutes buy a smaller error here.
    """
    fig, axes = style.new_figure(1, 2, height=3.6, sharey=True, ylabel=_BETWEEN)
    quantities = {"seconds": "training time [s]", "parameters": "trainable parameters"}
    for ax, (quantity, label) in zip(axes, quantities.items(), strict=True):
        for name, found in plain.items():
            look, error, sigma = style.line(style.method(name)), float(found.value), float(found.error)
            words = "floor, observed" if name.startswith("floor") else f"{name.split('/')[1]} regression"
            ax.axhline(error, label=words, **look)
            ax.axhspan(error - sigma, error + sigma, color=look["color"], alpha=0.08, linewidth=0)
        for row in rows:
            name, found = row["name"], ends[row["name"]]
            look = style.points(style.method(name), markersize=7, linewidth=1.2)
            ax.errorbar(float(row[quantity]), found.value, found.error, label=name, **look)
        ax.set(xscale="log", xlabel=label)
        ax.xaxis.set_minor_formatter(NullFormatter())
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=5, fontsize=9)
    for row in rows:
        found, costs = ends[row["name"]], {key: float(row[key]) for key in quantities}
        style.plotted(fig, row["name"], **costs, error=found.value, uncertainty=found.error)
    for name, found in plain.items():
        style.plotted(fig, name, error=found.value, uncertainty=found.error)
    return fig


def learning_curve(n: Sequence[int], curves: Mapping[str, tuple], levels: Mapping[str, tuple] | None = None) -> Figure:
    """Error at intermediate radii against the number of training galaxies.

    Parameters
    ----------
    n : sequence of int
        Numbers of galaxies.
    curves : mapping
        Label -> look, and error for each number.
    levels : mapping, optional
        Label -> name of a prediction without training galaxies, and its error.

    To see: whether the curves still fall at the last points; if so, more galaxies would help more than another
    architecture.
    """
    fig, ax = style.new_figure(height=3.5)
    for k, (label, (name, found)) in enumerate(curves.items()):
        error = Estimate.joined(found)
        look = style.line(name, marker=style.LOOKS[name].marker)
        # A little aside, so that bars do not cover each other.
        ax.errorbar(np.array(n) * 1.02**k, error.value, error.error, label=label, **look)
        style.plotted(fig, label, galaxies=n, mean_relative=error)
    for label, (name, level) in (levels or {}).items():
        ax.axhline(float(level.value), label=label, **style.line(style.method(name)))
        style.plotted(fig, label, mean_relative=level.value)
    ax.set(xscale="log", xlabel="galaxies trained on", ylabel=_BETWEEN, ylim=(0, None))
    ticks(ax.xaxis, list(n))
    ax.legend(loc="lower left")
    return fig


def input_errors(scores: Scores, architecture: str, floor: Floor | None) -> Figure:
    """Mean relative error at each radius for sets of inputs, see `PANELS`.

    Parameters
    ----------
    scores : Scores
    architecture : str
        Network that was trained on each.
    floor : Floor or None
        What an ideal observer reaches from the same views, drawn dotted in the colour of the inputs.

    To see: how accurate the prediction is from light alone and from HI alone, at which radii the two together are
    better than either, and how far each network is from what its inputs could tell.
    """
    fig, axes = style.new_figure(1, len(PANELS), height=4.4, sharey=True, ylabel=ERROR)
    for k, (ax, (title, sets)) in enumerate(zip(axes, PANELS.items(), strict=True)):
        for name, label in {**{f"{architecture}/{key}": INPUTS[key] for key in sets}, **_MEAN}.items():
            found = scores.at_radii(name)
            columns, entry = {"radius": scores.radii * u.kpc, "value": found}, "" if k and name in _MEAN else None
            band = k == 0 and name not in _MEAN
            curve(ax, label, columns, style.method(name, "inputs"), label=entry, band=band)
        for inputs in ("all", "photometry", "hi")[: 1 if k else 3]:
            _floor(ax, floor, inputs, "observed", f"inputs/{inputs}", "floor" if k else "")
        radius_axis(ax, title=title)
        ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.09), borderaxespad=0, fontsize=9, ncols=2)
    # The panels share this axis: a limit set before the last is drawn would not grow.
    axes[0].set_ylim(bottom=0)
    return fig


def regions(scores: Scores, sets: Sequence[str], architecture: str) -> Figure:
    """Mean relative error over three ranges of radii, one row for each set of inputs.

    Parameters
    ----------
    scores : Scores
        With the information floor where there is one.
    sets : sequence of str
        Sets of inputs, from the top.
    architecture : str
        Network that was trained on each.

    To see: rows that lie within each other's error bars do not differ significantly; where a hollow marker lies left
    of the filled one, a regression beats the network on the same input.
    """
    shown = ("inner", "intermediate", "outer")
    fig, axes = style.new_figure(1, len(shown), height=0.34 * len(sets) + 1.3, sharey=True)
    place = {name: k for k, name in enumerate(sets)}
    for ax, region in zip(axes, shown, strict=True):
        for name, k in place.items():
            found = scores.over(region, f"{architecture}/{name}")
            how = style.points(f"inputs/{name}", marker="o", markersize=6.5, linewidth=1.6)
            ax.errorbar(found.value, k, xerr=found.error, **how)
            style.plotted(fig, f"{architecture}, {name}", region=region, mean_relative=found)
        for name, others in PLAIN.items():
            for shift, marker, (other, label) in zip((-0.22, 0.22), "sD", others.items(), strict=True):
                found = scores.over(region, other)
                entry = label if name == next(iter(PLAIN)) else None
                how = {"color": "#333333", "markerfacecolor": "white", "linestyle": "none", "markersize": 4.5}
                ax.plot(found.value, place[name] + shift, marker=marker, label=entry, **how)
                style.plotted(fig, f"{label}, {name}", region=region, mean_relative=found)
        for name in (name for name in PLAIN if f"floor/{name}/observed" in scores.masses):
            found = scores.over(region, f"floor/{name}/observed")
            entry = "floor, observed" if name == next(iter(PLAIN)) else None
            how = {"color": style.COLOURS["floor"], "linestyle": "none", "markersize": 13, "markeredgewidth": 1.6}
            ax.plot(found.value, place[name], marker="|", label=entry, **how)
            style.plotted(fig, f"floor, {name}", region=region, mean_relative=found)
        mean = float(scores.over(region, "baseline/mean").value)
        ax.axvline(mean, label="mean profile", **style.line("baseline/mean"))
        style.plotted(fig, "mean training profile", region=region, mean_relative=mean)
        low, high = REGIONS[region]
        ax.set(title=f"{low:.0f} to {high:.0f} kpc", xlim=(0, None))
        ax.grid(axis="y", visible=False)
    axes[0].set_yticks(list(place.values()), [INPUTS.get(name, name) for name in place])
    axes[0].invert_yaxis()
    fig.supxlabel(ERROR, fontsize=11)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=3, fontsize=9)
    return fig


def gains(scores: Scores, pairs: Mapping[str, tuple[str, str]]) -> Figure:
    """Change of the error at each radius when something is added to the input.

    Parameters
    ----------
    scores : Scores
    pairs : mapping
        Label -> prediction with it, prediction without it.

    To see: where a curve lies below zero, the added input helps; the shading is the uncertainty of the difference on
    the same galaxies.
    """
    fig, ax = style.new_figure(height=3.6)
    zero(ax)
    for label, (first, second) in pairs.items():
        found = scores.difference(first, second)
        columns = {"radius": scores.radii * u.kpc, "difference": found}
        curve(ax, label, columns, style.method(second, "inputs"), band=True)
    radius_axis(ax, ylabel=r"change of mean $|\Delta M/M|$")
    ax.legend(loc="best")
    return fig
