"""Figures of the comparison: networks and rotation curves on the same galaxies, radius by radius."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from astropy import units as u
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..bootstrap import Estimate
from ..evaluation.method_comparison import Bias, MethodComparison
from . import style

#: Colour, line and marker of a method.
LOOKS: dict[str, dict] = {
    "nfw": {"color": style.COLOURS["rotation"], "linestyle": "-"},
    "burkert": {"color": style.COLOURS["stars"], "linestyle": (0, (5, 1.5))},
    "nfw_lcdm": {"color": style.COLOURS["gas"], "linestyle": (0, (3, 1.2, 1, 1.2))},
    "nfw_perfect": {"color": style.COLOURS["rotation"], "linestyle": (0, (1, 1))},
    "burkert_perfect": {"color": style.COLOURS["stars"], "linestyle": (0, (1, 1))},
    "nfw_lcdm_perfect": {"color": style.COLOURS["gas"], "linestyle": (0, (1, 1))},
    "all": {"color": style.COLOURS["prediction"], "linestyle": "-"},
    "hi": {"color": style.COLOURS["embedded"], "linestyle": (0, (5, 1.5))},
    "photometry": {"color": style.COLOURS["alternative"], "linestyle": (0, (3, 1.2, 1, 1.2))},
    "mean": {"color": style.COLOURS["baseline"], "linestyle": (0, (1, 1.2))},
    "boosted": {"color": style.COLOURS["literature"], "linestyle": (0, (6, 2))},
}


def look(name: str) -> dict:
    """How a method is drawn."""
    return LOOKS[name.split("/")[-1]]


def funnel(contest: MethodComparison, counts: Mapping[str, int]) -> Figure:
    """Which views the rotation-curve method accepts, and why it rejects the others.

    To see: the bars on the right are part of the result; a network answers for these views too.
    """
    fig, (left, right) = style.new_figure(1, 2, width="wide", height=3.3, gridspec_kw={"width_ratios": [1, 1.6]})
    views = [len(contest), int(contest.accepted.sum())]
    galaxies = [len(np.unique(contest.subhalo_id)), len(np.unique(contest.subhalo_id[contest.accepted]))]
    places, labels = np.arange(2), ["all", "accepted"]
    left.bar(places - 0.2, views, 0.38, color=style.COLOURS["embedded"], label="views")
    left.bar(places + 0.2, galaxies, 0.38, color=style.COLOURS["alternative"], label="galaxies, any view")
    left.set_xticks(places, labels=labels)
    left.set(ylabel="number", ylim=(0, 1.35 * max(views)))
    left.legend(loc="upper right")
    words = list(counts)[::-1] or ["none"]
    numbers = [counts.get(word, 0) for word in words]
    right.barh(words, numbers, color=style.COLOURS["reject"])
    for place, number in enumerate(numbers):
        right.text(number, place, f" {number}", va="center", fontsize=9)
    right.set(xlabel="rejected views, by reason", xlim=(0, 1.12 * max(*numbers, 1)))
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.plotted(fig, "counts", what=np.array(labels), views=np.array(views), galaxies=np.array(galaxies))
    style.plotted(fig, "reasons", reason=np.array(words), views=np.array(numbers))
    return fig


def errors(contest: MethodComparison, panels: Mapping[str, Sequence[str]], where: np.ndarray, seed: int) -> Figure:
    """Mean relative error of the enclosed dark mass against radius, with bootstrap bands, one panel a measure.

    To see: a rotation curve knows most where it is measured, and least in the centre, where stars and beam hide the
    dark matter, and far out, where nothing is measured; a network knows from other galaxies what to expect there.
    """
    fig, axes = style.new_figure(2, len(panels), width="wide", height=6.4, sharex=True, sharey="row")
    for column, (title, names) in enumerate(panels.items()):
        for row, (label, measure) in enumerate(
            (
                (r"mean $|\Delta M / M|$", contest.error),
                (r"$\Delta_\mathrm{MSE}$ (root mean square)", contest.delta_mse),
            )
        ):
            ax = axes[row, column]
            for name in names:
                found, how = measure(name, where, seed), look(name)
                ax.plot(contest.radii, found.value, label=contest.entries[name].title, **how)
                ax.fill_between(contest.radii, found.low, found.high, color=how["color"], alpha=0.15, linewidth=0)
                style.plotted(
                    fig, f"{title}, {name}", radius=contest.radii * u.kpc, measure=["mean |dM/M|", "delta_mse"][row],
                    value=found.value, low=found.low, high=found.high,
                )  # fmt: skip
            ax.set(xscale="log", yscale="log")
            ax.set_yticks([0.05, 0.1, 0.2, 0.5, 1, 2, 5], labels=["0.05", "0.1", "0.2", "0.5", "1", "2", "5"])
            ax.yaxis.set_minor_formatter("")
            if column == 0:
                ax.set_ylabel(label)
        axes[0, column].set_title(title)
        axes[0, column].legend(loc="upper center", fontsize=7.5)
        axes[1, column].set_xlabel("radius $R$ [kpc]")
    low, high = axes[0, 0].get_ylim()
    axes[0, 0].set_ylim(max(low, 0.03), 2.2 * high)
    return fig


def duel(contest: MethodComparison, differences: Mapping[str, Estimate], won: Mapping[str, np.ndarray]) -> Figure:
    """Mean error of a network less that of a rotation-curve variant, on the same views.

    To see: below zero the network errs less; only filled points are more than two standard deviations from zero.
    """
    fig, ax = style.new_figure(width="text", height=3.9)
    ax.axhline(0, **style.line("baseline"))
    shift = np.linspace(0.98, 1.02, len(differences))
    for factor, (name, found) in zip(shift, differences.items(), strict=True):
        how, sure = look(name), won[name] != 0
        r = contest.radii * factor
        ax.errorbar(
            r, found.value, yerr=found.error, color=how["color"], linestyle=how["linestyle"], linewidth=1.2,
            label=f"less {contest.entries[name].title}",
        )  # fmt: skip
        for rows, face in ((sure, how["color"]), (~sure, "white")):
            ax.plot(r[rows], found.value[rows], "o", color=how["color"], markerfacecolor=face, markersize=5)
        style.plotted(
            fig, name, radius=contest.radii * u.kpc, difference=found.value, error=found.error, verdict=won[name]
        )
    ax.set(xscale="log", xlabel="radius $R$ [kpc]", ylabel=r"difference of mean $|\Delta M/M|$")
    ax.set_yscale("symlog", linthresh=0.2)
    ticks = [-2, -1, -0.5, -0.2, -0.1, 0, 0.1, 0.2]
    ax.set_yticks(ticks, labels=[str(t).replace("-", "−") for t in ticks])
    ax.yaxis.set_minor_formatter("")
    ax.text(0.02, 0.04, "network errs less", transform=ax.transAxes, fontweight="bold")
    ax.text(0.02, 0.93, "rotation curve errs less", transform=ax.transAxes, fontweight="bold")
    ax.legend(loc="upper right", fontsize=8.5)
    return fig


def coverage(contest: MethodComparison, shares: Mapping[str, Mapping[int, Estimate]]) -> Figure:
    """How often the truth lies within the stated 68 and 95 per cent, against radius.

    To see: a line below its dashed level belongs to a method that is too sure of itself there.
    """
    fig, axes = style.new_figure(1, 2, width="wide", height=3.6, sharey=True)
    for ax, share in zip(axes, (68, 95), strict=True):
        ax.axhline(share / 100, **style.line("literature"))
        for name, found in shares.items():
            how = look(name)
            ax.plot(contest.radii, found[share].value, label=contest.entries[name].title, **how)
            ax.fill_between(
                contest.radii, found[share].low, found[share].high, color=how["color"], alpha=0.15, linewidth=0
            )
            style.plotted(
                fig, f"{name}, {share}", radius=contest.radii * u.kpc, share=found[share].value,
                low=found[share].low, high=found[share].high,
            )  # fmt: skip
        ax.set(xscale="log", xlabel="radius $R$ [kpc]", ylim=(0, 1.02), title=f"{share} per cent interval")
    axes[0].set_ylabel("share of views whose truth is inside")
    axes[1].legend(loc="lower right", fontsize=8)
    return fig


def knowledge(contest: MethodComparison, pairs: Sequence[tuple[str, str]], where: np.ndarray, seed: int) -> Figure:
    """Error of the rotation-curve method with what is observed, and with geometry and baryons known, on the same views.

    To see: what lies between a line and its dotted partner is lost on inclination, stars and gas; what is left under
    the dotted line on the speeds, on the assumption of circular motion, and on the shape of the halo.
    """
    fig, axes = style.new_figure(1, len(pairs), width="wide", height=3.7, sharey=True)
    for ax, pair in zip(np.atleast_1d(axes), pairs, strict=True):
        for name in pair:
            found, how = contest.error(name, where, seed), look(name)
            label = "known" if name.endswith("_perfect") else "observed"
            ax.plot(contest.radii, found.value, label=label, **how)
            ax.fill_between(contest.radii, found.low, found.high, color=how["color"], alpha=0.15, linewidth=0)
            style.plotted(fig, name, radius=contest.radii * u.kpc, value=found.value, low=found.low, high=found.high)
        ax.set(xscale="log", yscale="log", xlabel="radius $R$ [kpc]", title=contest.entries[pair[0]].title)
        ax.set_yticks([0.05, 0.1, 0.2, 0.5, 1, 2, 5], labels=["0.05", "0.1", "0.2", "0.5", "1", "2", "5"])
        ax.yaxis.set_minor_formatter("")
        ax.legend(title="geometry and baryons", fontsize=8.5, title_fontsize=8.5)
    np.atleast_1d(axes)[0].set_ylim(bottom=0.02)
    np.atleast_1d(axes)[0].set_ylabel(r"mean $|\Delta M / M|$")
    return fig


def biases(contest: MethodComparison, found: Mapping[str, Bias], radius: float) -> Figure:
    """ln(predicted / true) at one radius against what a galaxy is and how it is seen: views, and means in bins.

    To see: a slope means that the method is misled by that property; a level off zero that it is off for all.
    """
    fig, axes = style.new_figure(1, len(found), width="wide", height=3.5, sharey=True)
    for ax, (what, bias) in zip(axes, found.items(), strict=True):
        ax.axhline(0, **style.line("baseline"))
        for name, errors in bias.ln_ratio.items():
            how, mean = look(name), bias.means[name]
            ax.plot(bias.trait, errors, ".", color=how["color"], markersize=3, alpha=0.35)
            style.plotted(fig, f"{what}, {name}, views", trait=bias.trait, ln_ratio=errors)
            value, error = (np.array([float(getattr(e, part)) for e in mean.estimates]) for part in ("value", "error"))
            title = contest.entries[name].title
            ax.errorbar(mean.centres, value, yerr=error, marker="o", label=title, **how, linewidth=1.6)
            style.plotted(
                fig, f"{what}, {name}, bins", trait=mean.centres, ln_ratio=value, error=error, galaxies=mean.n_galaxies
            )
        ax.set(xlabel=what)
    axes[0].set_ylabel(f"ln(predicted / true)\nwithin {radius:.0f} kpc")
    axes[0].legend(fontsize=7.5)
    return fig
