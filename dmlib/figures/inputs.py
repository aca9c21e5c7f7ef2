"""Figures of the chapter that compares inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from astropy import units as u
from matplotlib.figure import Figure

from ..evaluation.scores import REGIONS, Scores
from . import style
from .panels import ERROR, curve, radius_axis, zero

#: What the panels of `errors` show: sets of inputs and their labels.
PANELS = {
    "light, gas, both": {"all": "all", "photometry": "photometry (ugriz)", "hi": "HI, moments 0, 1, 2"},
    "parts of them": {"SDSS_URZ": "u, r, z", "SDSS_I": "i", "HI_0": "moment 0", "HI_1": "moment 1", "HI_2": "moment 2"},
}

#: Regressions on the same inputs: name of the prediction and its label, in the same order for each.
PLAIN = {
    "all": {"baseline/linear": "linear formula", "baseline/boosted": "boosted trees"},
    "photometry": {"linear/photometry": "linear formula", "boosted/photometry": "boosted trees"},
    "hi": {"linear/hi": "linear formula", "boosted/hi": "boosted trees"},
}


def errors(scores: Scores, architecture: str) -> Figure:
    """Mean relative error at each radius for sets of inputs, see `PANELS`.

    Parameters
    ----------
    scores : Scores
    architecture : str
        Network that was trained on each.

    To see: how accurate the prediction is from light alone and from HI alone, and at which radii the two together are
    better than either.
    """
    fig, axes = style.new_figure(1, len(PANELS), width="wide", height=4.0, sharey=True)
    for k, (ax, (title, sets)) in enumerate(zip(axes, PANELS.items(), strict=True)):
        for name, label in {**{f"{architecture}/{key}": label for key, label in sets.items()}, **_MEAN}.items():
            found = scores.at_radii(name)
            columns = {"radius": scores.radii * u.kpc, "value": found.value, "error": found.error}
            band = (found.low, found.high) if k == 0 and name not in _MEAN else False
            curve(ax, label, columns, _line(name), band=band)
        radius_axis(ax, title=title)
        ax.legend(loc="lower left", fontsize=9, ncols=1 if k == 0 else 2)
    # The panels share this axis: a limit set before the last is drawn would not grow.
    axes[0].set_ylim(bottom=0)
    axes[0].set_ylabel(ERROR)
    return fig


def regions(scores: Scores, sets: Sequence[str], architecture: str) -> Figure:
    """Mean relative error over three ranges of radii, one row for each set of inputs.

    Parameters
    ----------
    scores : Scores
    sets : sequence of str
        Sets of inputs, from the top.
    architecture : str
        Network that was trained on each.

    To see: rows that lie within each other's error bars do not differ significantly; where a hollow marker lies left
    of the filled one, a regression beats the network on the same input.
    """
    shown = ("inner", "intermediate", "outer")
    fig, axes = style.new_figure(1, len(shown), width="wide", height=0.34 * len(sets) + 1.3, sharey=True)
    place = {name: k for k, name in enumerate(sets)}
    for ax, region in zip(axes, shown, strict=True):
        for name, k in place.items():
            found = scores.over(region, f"{architecture}/{name}")
            how = style.points(f"inputs/{name}", marker="o", markersize=6.5, linewidth=1.6)
            ax.errorbar(found.value, k, xerr=found.error, **how)
            style.plotted(fig, f"{architecture}, {name}", region=region, mean_relative=found.value, error=found.error)
        for name, others in PLAIN.items():
            for shift, marker, (other, label) in zip((-0.22, 0.22), "sD", others.items(), strict=True):
                found = scores.over(region, other)
                how = {"color": "#333333", "markerfacecolor": "white", "linestyle": "none", "markersize": 4.5}
                entry = label if name == next(iter(PLAIN)) else None
                ax.plot(found.value, place[name] + shift, marker=marker, label=entry, **how)
                style.plotted(fig, f"{label}, {name}", region=region, mean_relative=found.value, error=found.error)
        mean = float(scores.over(region, "baseline/mean").value)
        ax.axvline(mean, label="mean profile", **style.line("baseline/mean"))
        style.plotted(fig, "mean training profile", region=region, mean_relative=mean)
        low, high = REGIONS[region]
        ax.set(title=f"{low:.0f} to {high:.0f} kpc", xlim=(0, None))
        ax.grid(axis="y", visible=False)
    axes[0].set_yticks(list(place.values()), [name.replace("_", " ") for name in place])
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
    fig, ax = style.new_figure(width="text", height=3.6)
    zero(ax)
    for label, (first, second) in pairs.items():
        found = scores.bootstrap.difference(scores.views(first), scores.views(second))
        columns = {"radius": scores.radii * u.kpc, "difference": found.value, "error": found.error}
        curve(ax, label, columns, _line(second), band=(found.low, found.high))
    radius_axis(ax, ylabel=r"change of mean $|\Delta M/M|$")
    ax.legend(loc="best")
    return fig


_MEAN = {"baseline/mean": "mean training profile"}


def _line(name: str) -> dict:
    return style.line(style.method(name, "inputs"))
