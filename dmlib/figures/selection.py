"""Figures of the chapter on the simulation and the selection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable
from matplotlib.figure import Figure

from ..sample import Criteria, Funnel
from . import style
from .panels import STELLAR_MASS, thousands

_LABELS = {
    "all": "all subhaloes",
    "mass": "stellar mass",
    "sfr": "star formation",
    "central": "central",
    "flag": "cosmological origin",
}


def funnel(ours: Funnel, ours_true: Funnel, record: Mapping[str, Any]) -> Figure:
    """Subhaloes left after each row of the paper's table, here and on real rows of the catalogue.

    To see: on the real rows the mass limit removes nearly everything, and the next row the quenched galaxies; the
    criterion SubhaloParent = 0 removes next to nothing, while there are only half as many true centrals.
    """
    fig, axes = style.new_figure(1, 2, width="wide", height=3.7, sharey=True)
    real = record["measured"]["funnels"]["all"]
    title = ours.simulation.replace("embedded-", "embedded universe, ")
    panels = (
        (title, ours.counts, ours_true.counts, "embedded"),
        ("real TNG100-1 rows (a record)", real["paper"], real["true"], "tng"),
    )
    for ax, (title, counts, true, role) in zip(axes, panels, strict=True):
        names, y = np.array(list(counts)), np.arange(len(counts))
        kept, central = (np.array(list(numbers.values())) for numbers in (counts, true))
        changed = np.array([true[name] for name in names]) != kept
        bars = ax.barh(y, kept, color=style.COLOURS[role], height=0.62, alpha=0.9)
        ax.barh(y[changed], central[changed], color=style.COLOURS["accent"], height=0.3)
        words = [f"  (true: {number})" if differs else "" for number, differs in zip(central, changed, strict=True)]
        labels = [thousands(number) + more for number, more in zip(kept, words, strict=True)]
        ax.bar_label(bars, labels, padding=5, fontsize=10)
        style.plotted(fig, title, cut=names, kept=kept)
        style.plotted(fig, f"{title}, true centrals", cut=names, kept=central)
        ax.set(xscale="log", xlabel="subhaloes left", title=title, xlim=(8, kept.max() * 20))
        ax.grid(axis="y", visible=False)
    axes[0].set_yticks(np.arange(len(_LABELS)), list(_LABELS.values()))
    axes[0].set_ylim(len(_LABELS) - 0.5, -0.5)
    return fig


def centrals(ours: Mapping[str, int], name: str, record: Mapping[str, Any]) -> Figure:
    """Centrals and satellites among the subhaloes with SubhaloParent = 0.

    To see: on the real rows the field does not single out centrals; about half of the galaxies that the paper's table
    keeps are satellites.
    """
    fig, axes = style.new_figure(1, 2, width="wide", height=2.9)
    measured = record["measured"]
    paper, true = (measured["funnels"]["all"][meaning]["flag"] for meaning in ("paper", "true"))
    zero = measured["parent_zero"]
    # All, and satellites among them: here, and on the real rows.
    rows = {
        "all with SubhaloParent = 0": (
            (ours["parent_zero"], ours["parent_zero_satellites"]),
            (zero["all"], zero["satellites_among_them"]),
        ),
        "kept by the paper's table": ((ours["kept"], ours["kept_satellites"]), (paper, paper - true)),
    }
    for ax, (title, pairs) in zip(axes, rows.items(), strict=True):
        for i, (label, (total, satellite)) in enumerate(zip((name, "real rows"), pairs, strict=True)):
            central = total - satellite
            for count, start, kind, role in (
                (central, 0, "central", "dark_matter"),
                (satellite, central, "satellite", "stars"),
            ):
                share, left = count / total, start / total
                legend = kind if i == 0 else None
                ax.barh(i, share, left=left, color=style.COLOURS[role], height=0.55, label=legend)
                if share > 0.15:
                    middle = left + share / 2
                    ax.text(middle, i, f"{count}", color="white", ha="center", va="center", weight="bold")
                elif count:
                    # The bar is too narrow for its number.
                    ax.text(1.02, i, f"{count}\n{kind}{'s' * (kind == 'satellite')}", va="center", fontsize=9)
            style.plotted(fig, f"{title}: {label}", central=central, satellite=satellite)
        ax.set(title=title, xlim=(0, 1.28), xlabel="fraction", xticks=[0, 0.5, 1], ylim=(1.6, -0.6))
        ax.set_yticks([0, 1], [name.split("-")[0], "real rows"])
        ax.grid(axis="y", visible=False)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return fig


def mass_sfr(subhalos: QTable, kept: np.ndarray, criteria: Criteria, faulty_limit: float) -> Figure:
    """Stellar mass and star formation rate of all subhaloes, with the paper's cuts.

    To see: the mass limit cuts through the star-forming sequence, quenched galaxies lie below the lower edge; the
    dashed line is the mass limit of the authors' query.
    """
    fig, ax = style.new_figure(width="text", height=4.4)
    m_star = subhalos["SubhaloMassType"][:, 4].to_value(u.Msun)
    sfr = subhalos["SubhaloSFR"].to_value(u.Msun / u.yr)
    floor = 0.002
    shown = m_star > 1e9
    for name, mask, look in (
        ("not selected", shown & ~kept, style.points("reject", markersize=4, alpha=0.8)),
        ("selected", shown & kept, style.points("embedded", markersize=4.2, alpha=0.75)),
    ):
        ax.plot(m_star[mask], np.maximum(sfr[mask], floor), label=f"{name} ({mask.sum()})", **look)
        style.plotted(fig, name, m_star=m_star[mask] * u.Msun, sfr=sfr[mask] * u.Msun / u.yr)
    top = 10 ** np.ceil(np.log10(sfr.max()) + 0.2)
    left, right, lower = criteria.m_star_min, criteria.m_star_max, criteria.sfr_min
    limits = {"color": style.COLOURS["accent"], "linewidth": 1.4}
    ax.plot([left, left, right, right], [top, lower, lower, top], label="cuts of the paper", **limits)
    ax.axvline(faulty_limit, label="mass limit of the scripts", **style.line("literature", linewidth=1.3))
    ax.set(xscale="log", yscale="log", xlabel=STELLAR_MASS, ylabel=r"star formation rate [M$_\odot$ yr$^{-1}$]")
    ax.set(xlim=(1e9, 1.6e12), ylim=(floor * 0.6, top))
    ax.text(1.1e9, floor, r"$\leq$ 0.002", fontsize=9, va="bottom", color="#555555")
    fig.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return fig
