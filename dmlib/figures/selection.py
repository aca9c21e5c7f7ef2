"""Figures of the chapter on the simulation and the selection."""

from __future__ import annotations

import numpy as np
from astropy import units as u
from astropy.table import QTable
from matplotlib.figure import Figure

from ..sample import Criteria, Funnel
from . import style

_LABELS = {
    "all": "all subhaloes",
    "mass": "stellar mass",
    "sfr": "star formation",
    "central": "central",
    "flag": "cosmological origin",
}


def funnel(ours: Funnel, ours_true: Funnel, record: dict) -> Figure:
    """What each row of the paper's table leaves, here and on real rows.

    To see: on the real rows the mass limit removes nearly everything, the next row the quenched galaxies; the
    criterion SubhaloParent = 0 removes next to nothing, the true centrals are half as many.
    """
    fig, axes = style.new_figure(1, 2, width="wide", height=3.7, sharey=True)
    real = record["measured"]["funnels"]["all"]
    panels = (
        (
            axes[0],
            ours.simulation.replace("embedded-", "embedded universe, "),
            ours.counts,
            ours_true.counts,
            "embedded",
        ),
        (axes[1], "real TNG100-1 rows (a record)", real["paper"], real["true"], "tng"),
    )
    for ax, title, counts, true, role in panels:
        names = list(counts)
        y = np.arange(len(names))
        ax.barh(y, list(counts.values()), color=style.COLOURS[role], height=0.62, alpha=0.9)
        style.plotted(fig, title, cut=np.array(names), kept=np.array(list(counts.values())))
        changed = [i for i, name in enumerate(names) if true[name] != counts[name]]
        ax.barh(y[changed], [true[names[i]] for i in changed], color=style.COLOURS["accent"], height=0.3)
        style.plotted(fig, f"{title}, true centrals", cut=np.array(names), kept=np.array(list(true.values())))
        for i, name in enumerate(names):
            text = f"{counts[name]:,}".replace(",", "\u202f")
            if true[name] != counts[name]:
                text += f"  (true: {true[name]})"
            ax.annotate(text, (counts[name], i), (5, 0), textcoords="offset points", va="center", fontsize=10)
        ax.set(xscale="log", xlabel="subhaloes left", title=title)
        ax.set_xlim(8, max(counts.values()) * 20)
        ax.grid(axis="y", visible=False)
    axes[0].set_yticks(np.arange(len(_LABELS)), list(_LABELS.values()))
    axes[0].set_ylim(len(_LABELS) - 0.5, -0.5)
    return fig


def centrals(ours: dict[str, int], name: str, record: dict) -> Figure:
    """Who has SubhaloParent = 0: nearly every satellite too.

    To see: on the real rows the field singles out no centrals; among the galaxies that the paper's table keeps,
    about as many are satellites as centrals.
    """
    fig, axes = style.new_figure(1, 2, width="wide", height=2.9)
    measured = record["measured"]
    paper, true = (measured["funnels"]["all"][meaning]["flag"] for meaning in ("paper", "true"))
    zero = measured["parent_zero"]
    rows = {
        "all with SubhaloParent = 0": (
            (ours["parent_zero"] - ours["parent_zero_satellites"], ours["parent_zero_satellites"]),
            (zero["all"] - zero["satellites_among_them"], zero["satellites_among_them"]),
        ),
        "kept by the paper's table": (
            (ours["kept"] - ours["kept_satellites"], ours["kept_satellites"]),
            (true, paper - true),
        ),
    }
    for ax, (title, pairs) in zip(axes, rows.items(), strict=True):
        for i, (label, (central, satellite)) in enumerate(zip((name, "real rows"), pairs, strict=True)):
            total = central + satellite
            ax.barh(
                i, central / total, color=style.COLOURS["dark_matter"], height=0.55, label="central" if not i else None
            )
            ax.barh(
                i,
                satellite / total,
                left=central / total,
                color=style.COLOURS["stars"],
                height=0.55,
                label="satellite" if not i else None,
            )
            style.plotted(fig, f"{title}: {label}", central=central, satellite=satellite)
            for count, start, what in ((central, 0, "central"), (satellite, central, "satellites")):
                if count / total > 0.15:
                    middle = (start + count / 2) / total
                    ax.text(middle, i, f"{count}", color="white", ha="center", va="center", weight="bold")
                elif count:
                    # Too narrow a bar for its number.
                    ax.text(1.02, i, f"{count}\n{what}", va="center", fontsize=9)
        ax.set(title=title, xlim=(0, 1.28), xlabel="fraction")
        ax.set_xticks([0, 0.5, 1])
        ax.set_yticks([0, 1], [name.split("-")[0], "real rows"])
        ax.set_ylim(1.6, -0.6)
        ax.grid(axis="y", visible=False)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return fig


def mass_sfr(subhalos: QTable, kept: np.ndarray, criteria: Criteria, faulty_limit: float) -> Figure:
    """Stellar mass and star formation rate of all subhaloes, with the paper's cuts.

    To see: the mass limit cuts through the star-forming sequence, quenched galaxies lie below the lower edge; the
    dashed line is where the authors' query begins.
    """
    fig, ax = style.new_figure(width="text", height=4.4)
    m_star = subhalos["SubhaloMassType"][:, 4].to_value(u.Msun)
    sfr = subhalos["SubhaloSFR"].to_value(u.Msun / u.yr)
    floor = 0.002
    shown = m_star > 1e9
    drawn = np.where(sfr > floor, sfr, floor)
    for name, mask, how in (
        ("not selected", shown & ~kept, style.points("reject", markersize=4, alpha=0.8)),
        ("selected", shown & kept, style.points("embedded", markersize=4.2, alpha=0.75)),
    ):
        ax.plot(m_star[mask], drawn[mask], label=f"{name} ({mask.sum()})", **how)
        style.plotted(fig, name, m_star=m_star[mask] * u.Msun, sfr=sfr[mask] * u.Msun / u.yr)
    limits = dict(color=style.COLOURS["accent"], linewidth=1.4)
    top = 10 ** np.ceil(np.log10(sfr.max()) + 0.2)
    ax.plot([criteria.m_star_min] * 2, [criteria.sfr_min, top], **limits)
    ax.plot([criteria.m_star_max] * 2, [criteria.sfr_min, top], **limits)
    ax.plot([criteria.m_star_min, criteria.m_star_max], [criteria.sfr_min] * 2, label="cuts of the paper", **limits)
    ax.axvline(faulty_limit, label="mass limit of the scripts", **style.line("literature", linewidth=1.3))
    ax.set(
        xscale="log",
        yscale="log",
        xlabel=r"stellar mass [M$_\odot$]",
        ylabel=r"star formation rate [M$_\odot$ yr$^{-1}$]",
        xlim=(1e9, 1.6e12),
        ylim=(floor * 0.6, top),
    )
    ax.text(1.1e9, floor, r"$\leq$ 0.002", fontsize=9, va="bottom", color="#555555")
    fig.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return fig
