"""Figures of what integrated light tells of dark matter, and of two universes compared at fixed stellar mass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from astropy.table import Table
from matplotlib.figure import Figure

from . import style
from .panels import ERROR, curve, grid, ticks

#: What the panels are called.
_TARGETS = {
    "m_dm_rhalf": r"dark matter within $r_{1/2}$",
    "m_dm_2rhalf": r"dark matter within $2\,r_{1/2}$",
    "m_dm": "all bound dark matter",
    "v_max": r"largest circular speed",
}
_QUANTITIES = {
    "m_dm": r"log $M_\mathrm{DM}$, bound",
    "m_dm_rhalf": r"log $M_\mathrm{DM}(<r_{1/2})$",
    "r_half": r"log $r_{1/2}$",
    "sfr": r"log SFR",
    "m_gas": r"log $M_\mathrm{gas}$, bound",
    "v_max": r"log $V_\mathrm{max}$",
    "g_r": r"$g - r$ [mag]",
    "forming": "star-forming share",
}


def light_tells(tables: Mapping[str, Table], inputs: Sequence[str]) -> Figure:
    """Errors of regressions on more and more integrated observables, in two universes.

    Parameters
    ----------
    tables : mapping
        Name of a universe -> errors as `dmlib.evaluation.integrated.regressions` gives them; at most two.
    inputs : sequence of str
        Sets of inputs, from the top.

    To see: for dark matter within the half-mass radius stellar mass and radius tell nearly all that any of these
    numbers tells; for all the dark matter colours help; of a satellite's they tell little.
    """
    fig, _, panels = grid(len(_TARGETS), 2, 3.3, sharey=True, extra=0.5)
    for ax, (target, title) in zip(panels, _TARGETS.items(), strict=True):
        for k, (name, table) in enumerate(tables.items()):
            for kind, filled in (("central", True), ("satellite", False)):
                rows = {row["inputs"]: row for row in table if (row["target"], row["kind"]) == (target, kind)}
                shown = [i for i, words in enumerate(inputs) if words in rows]
                if not shown:
                    continue
                found = [rows[inputs[i]] for i in shown]
                y = np.array(shown) + (k - 0.5) * 0.3 + (0.0 if filled else 0.12)
                x, error = (np.array([row[key] for row in found]) for key in ("relative", "relative_error"))
                look = style.points(("tng", "embedded")[k], markersize=5.5)
                label = f"{name}, {kind}s"
                face = look["color"] if filled else "white"
                ax.errorbar(x, y, xerr=error, label=label, markerfacecolor=face, elinewidth=1.2, **look)
                columns = {"inputs": [inputs[i] for i in shown], "mean_relative_error": x, "error": error}
                style.plotted(fig, f"{title}: {label}", **columns, n=[row["n"] for row in found])
        ax.set(xscale="log", title=title, xlabel=ERROR)
        ax.set_yticks(range(len(inputs)), [words.replace("r_half", r"$r_{1/2}$") for words in inputs])
        ax.set_ylim(len(inputs) - 0.4, -0.6)
        low, high = ax.get_xlim()
        ticks(ax.xaxis, [x for x in (0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0) if low < x < high])
    handles = max((ax.get_legend_handles_labels() for ax in panels), key=lambda pair: len(pair[1]))
    fig.legend(*handles, loc="outside upper left", ncols=2)
    return fig


def galaxies_needed(curves: Mapping[str, Mapping[str, Table]]) -> Figure:
    """Learning curves of a regression in two universes.

    Parameters
    ----------
    curves : mapping
        Target, as a key of the panels' titles -> name of a universe -> as `learning_curve` gives it; at most two.

    To see: where the curve is flat, more galaxies do not help and the inputs have told what they know.
    """
    fig, _, panels = grid(len(curves), len(curves), 3.4)
    for ax, (target, of) in zip(panels, curves.items(), strict=True):
        for role, (name, table) in zip(("tng", "embedded"), of.items(), strict=False):
            numbers = {"galaxies": "n", "mean_relative_error": "relative", "low": "low", "high": "high"}
            columns = {key: np.asarray(table[column]) for key, column in numbers.items()}
            look = style.line(role, marker=style.LOOKS[role].marker, markersize=5)
            curve(ax, f"{_TARGETS[target]}: {name}", columns, look, label=name, band=True)
        ax.set(xscale="log", title=_TARGETS[target], xlabel="galaxies to learn from", ylabel=ERROR, ylim=(0, None))
        ticks(ax.xaxis, sorted({n for table in of.values() for n in table["n"].tolist()}))
    panels[0].legend(loc="lower left")
    return fig


def at_fixed_mass(tables: Mapping[str, Table], kind: str = "central") -> Figure:
    """Two universes at fixed stellar mass: medians, and the scatter as bars.

    Parameters
    ----------
    tables : mapping
        Name of a universe -> as `dmlib.evaluation.catalogue.at_fixed_mass` gives it; at most two.
    kind : {"central", "satellite"}

    To see: where symbols of both universes lie on each other their medians agree, where bars are equally long their
    scatters do.
    """
    fig, _, panels = grid(len(_QUANTITIES), 4, 2.5, extra=0.5)
    for ax, (quantity, title) in zip(panels, _QUANTITIES.items(), strict=True):
        for role, shift, (name, table) in zip(("tng", "embedded"), (-0.03, 0.03), tables.items(), strict=False):
            rows = [row for row in table if (row["quantity"], row["kind"]) == (quantity, kind)]
            keys = ("low", "high", "median", "scatter", "median_error", "n")
            low, high, median, scatter, error, n = (np.array([row[key] for row in rows]) for key in keys)
            columns = {"log_m_star": (low + high) / 2.0, "median": median, "scatter": scatter, "n": n}
            bars = error if quantity == "forming" else scatter
            look = style.points(role, markersize=5, elinewidth=1.2)
            ax.errorbar(columns["log_m_star"] + shift, median, bars, label=name, **look)
            style.plotted(fig, f"{title}: {name}", **columns)
        ax.set_title(title, fontsize=10)
        ax.set_xlabel(r"log $M_\star$ [M$_\odot$]", fontsize=10)
    fig.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return fig
