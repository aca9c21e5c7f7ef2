"""Figures of the chapter that compares inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from astropy import units as u
from matplotlib.figure import Figure

from ..evaluation.scores import REGIONS, Scores
from . import style
from .errors import against_radius, curve, look

#: Looks of the sets of inputs: light in oranges, HI in greens, both in purple.
LOOKS = {
    "all": ("#AA3377", "-", "^"),
    "SDSS_URZ_HI_012": ("#C45A93", (0, (5, 1.5)), "v"),
    "SDSS_I_HI_012": ("#DFA0C0", (0, (2, 1.2)), "<"),
    "photometry": ("#B3520B", "-", "o"),
    "SDSS_URZ": ("#DD7722", (0, (5, 1.5)), "s"),
    "SDSS_I": ("#EFA968", (0, (2, 1.2)), "D"),
    "hi": ("#17695F", "-", "P"),
    "HI_0": ("#2A9D8F", (0, (5, 1.5)), "X"),
    "HI_1": ("#6CC4B8", (0, (3, 1.2, 1, 1.2)), "d"),
    "HI_2": ("#9AA84B", (0, (2, 1.2)), "h"),
}


#: What the panels of `errors` show: sets of inputs and their labels.
PANELS = {
    "light, gas, both": {"all": "all", "photometry": "photometry (ugriz)", "hi": "HI, moments 0, 1, 2"},
    "parts of them": {
        "SDSS_URZ": "u, r, z",
        "SDSS_I": "i",
        "HI_0": "moment 0",
        "HI_1": "moment 1",
        "HI_2": "moment 2",
    },
}

#: Regressions on the same inputs: name of the prediction and what it is called, in the same order for each.
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

    To see: how far light alone gets, how far HI alone, and at which radii the two together are better than either.
    """
    fig, axes = style.new_figure(1, len(PANELS), width="wide", height=4.0, sharey=True)
    for k, (ax, (title, sets)) in enumerate(zip(axes, PANELS.items(), strict=True)):
        for inputs, label in sets.items():
            name = f"{architecture}/{inputs}"
            curve(fig, ax, scores.radii, scores.at_radii(name), label, _look(name), band=k == 0)
        mean = scores.at_radii("baseline/mean")
        curve(fig, ax, scores.radii, mean, "mean training profile", look("baseline/mean"), band=False)
        ax.set(title=title)
        against_radius(ax)
        ax.legend(loc="lower left", fontsize=9, ncols=1 if k == 0 else 2)
    # The panels share this axis: a limit set before the last is drawn would not grow.
    axes[0].set_ylim(bottom=0)
    axes[0].set_ylabel(r"mean $|\Delta M/M|$")
    return fig


def regions(scores: Scores, sets: Sequence[str], architecture: str) -> Figure:
    """Mean relative error over three ranges of radii, one row a set of inputs.

    Parameters
    ----------
    scores : Scores
    sets : sequence of str
        Sets of inputs, from the top.
    architecture : str
        Network that was trained on each.

    To see: rows within one another's bars are not told apart; a hollow marker left of the filled one is a regression
    that beats the network on the same input.
    """
    shown = ("inner", "intermediate", "outer")
    fig, axes = style.new_figure(1, len(shown), width="wide", height=0.34 * len(sets) + 1.3, sharey=True)
    place = {name: k for k, name in enumerate(sets)}
    markers = {"linear formula": "s", "boosted trees": "D"}
    for ax, region in zip(axes, shown, strict=True):
        for name, k in place.items():
            found = scores.over(region, f"{architecture}/{name}")
            colour, _, _ = LOOKS[name]
            ax.errorbar(found.value, k, xerr=found.error, color=colour, marker="o", markersize=6.5, linewidth=1.6)
            style.plotted(fig, f"{architecture}, {name}", region=region, mean_relative=found.value, error=found.error)
        for name, others in PLAIN.items():
            for shift, (other, label) in zip((-0.22, 0.22), others.items(), strict=True):
                found = scores.over(region, other)
                ax.plot(
                    found.value,
                    place[name] + shift,
                    marker=markers[label],
                    color="#333333",
                    markerfacecolor="white",
                    linestyle="none",
                    markersize=4.5,
                    label=label if ax is axes[0] and name == next(iter(PLAIN)) else None,
                )
                style.plotted(fig, f"{label}, {name}", region=region, mean_relative=found.value, error=found.error)
        mean = float(scores.over(region, "baseline/mean").value)
        ax.axvline(mean, label="mean profile" if ax is axes[0] else None, **look("baseline/mean"))
        style.plotted(fig, "mean training profile", region=region, mean_relative=mean)
        low, high = REGIONS[region]
        ax.set(title=f"{low:.0f} to {high:.0f} kpc", xlim=(0, None))
        ax.grid(axis="y", visible=False)
    axes[0].set_yticks(list(place.values()), [name.replace("_", " ") for name in place])
    axes[0].invert_yaxis()
    fig.supxlabel(r"mean $|\Delta M/M|$", fontsize=11)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=3, fontsize=9)
    return fig


def gains(scores: Scores, pairs: Mapping[str, tuple[str, str]]) -> Figure:
    """By how much the error falls, at each radius, when something is added to the input.

    Parameters
    ----------
    scores : Scores
    pairs : mapping
        Label -> prediction with it, prediction without it.

    To see: a curve below zero says that what is added helps there; the shading is the uncertainty of the difference on
    the same galaxies.
    """
    fig, ax = style.new_figure(width="text", height=3.6)
    ax.axhline(0.0, color="#222222", linewidth=1.0)
    for label, (first, second) in pairs.items():
        found = scores.bootstrap.difference(scores.views(first), scores.views(second))
        how = _look(second)
        ax.fill_between(scores.radii, found.low, found.high, color=how["color"], alpha=0.2, linewidth=0)
        ax.plot(scores.radii, found.value, label=label, **how)
        style.plotted(fig, label, radius=scores.radii * u.kpc, difference=found.value, error=found.error)
    ax.set_ylabel(r"change of mean $|\Delta M/M|$")
    against_radius(ax)
    ax.legend(loc="best")
    return fig


def _look(name: str) -> dict:
    architecture, _, inputs = name.partition("/")
    if architecture == "baseline" or inputs not in LOOKS:
        return look(name)
    colour, line, _ = LOOKS[inputs]
    return {"color": colour, "linestyle": line, "linewidth": 1.9}
