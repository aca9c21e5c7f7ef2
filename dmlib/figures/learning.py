"""Figures of the chapter on learning from examples: formulas, and what integrated light tells of dark matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from astropy import units as u
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..primer import learning
from . import style
from .panels import ERROR, LOG_ERROR, Arrays, Pairs, beside, curve, grid, note, plain, radius_axis, thousands, ticks

#: Values of what is varied, and the errors at each.
Sweep = tuple[np.ndarray, learning.Errors]

_LOG_MASS = r"log$_{10}$ stellar mass [M$_\odot$]"
_SEEN, _UNSEEN, _GREY = (style.COLOURS[role] for role in ("embedded", "accent", "literature"))


def task(x: np.ndarray, y: np.ndarray, radius: float) -> Figure:
    """The task, two formulas, and the loss that measures how good they are.

    To see: left, the residuals (vertical lines) from the straight line are shorter than those from the mean; right,
    the mean squared residual as the line is turned about the centre of the points: a valley with a single minimum.
    """
    fig, (left, right) = style.new_figure(1, 2, height=3.7, width_ratios=[1.35, 1])
    slope, level = np.polyfit(x, y, 1)
    at = np.array([x.min(), x.max()])
    dots = style.points("baseline", markersize=3, alpha=0.75)
    curve(left, "galaxies", {"log_m_star": x, "ln_m_dm": y}, dots, label="")
    order = np.argsort(x)[np.linspace(0, len(x) - 1, min(24, len(x))).astype(int)]
    left.vlines(x[order], level + slope * x[order], y[order], color=style.COLOURS["prediction"], linewidth=1.1)
    left.plot(x[order], y[order], **style.points("truth", markersize=4))
    left.plot(at, np.full(2, y.mean()), label="mean, ignoring the input", **style.line("literature"))
    left.plot(at, level + slope * at, label="straight line", **style.line("prediction", linewidth=2.2))
    left.set(xlabel=_LOG_MASS, ylabel=rf"$\ln M_\mathrm{{DM}}(<{radius:.0f}\,\mathrm{{kpc}})$ [M$_\odot$]")
    left.set_title("examples, and two formulas")
    left.legend(loc="lower right")
    slopes = np.array([*np.linspace(-0.6 * slope, 2.6 * slope, 121), 0.0, slope])
    losses = np.mean((y.mean() + slopes[:, None] * (x - x.mean()) - y) ** 2, axis=1)
    curve(right, "loss", {"slope": slopes[:-2], "mean_squared_error": losses[:-2]}, "total")
    for k, role, words, by in ((-2, "literature", "mean", (9, 7)), (-1, "prediction", "best line", (-26, -17))):
        right.plot(slopes[k], losses[k], zorder=4, **style.points(role, marker="o", markersize=8))
        beside(right, words, (slopes[k], losses[k]), by, color=style.COLOURS[role], fontweight="bold")
    right.set(xlabel="slope of the line", ylabel="mean squared error", ylim=(0, None))
    right.set_title("the loss as the line turns")
    return fig


def descent(valleys: Pairs, y: np.ndarray, paths: Mapping[str, Arrays]) -> Figure:
    """Gradient descent in two loss valleys: for an input as it is, and for the same input standardised.

    Parameters
    ----------
    valleys : mapping
        Title -> features (n, 2) with the constant first, and the weights of the lowest point (2,).
    y : ndarray, shape (n,)
    paths : mapping
        Title -> name of a path -> weights (steps + 1, 2).

    To see: in the elongated valley the path zigzags between the walls and creeps along the floor; in the round one
    each step points at the minimum.
    """
    fig, axes = style.new_figure(1, 3, height=3.4, width_ratios=[1, 1, 1.05], ylabel="slope $w$")
    looks = {"all examples": "prediction", "batches of 8": "stars"}
    right, lowest = axes[2], np.inf
    for ax, (title, (features, best)), dash in zip(axes, valleys.items(), ((0, (2, 1)), "-"), strict=False):
        everything = np.concatenate([*paths[title].values(), best[None]])
        low, high = everything.min(axis=0), everything.max(axis=0)
        middle, half = 0.5 * (low + high), 0.72 * (high - low).max()
        sides = [np.linspace(middle[k] - half, middle[k] + half, 141) for k in (0, 1)]
        mesh = np.stack(np.meshgrid(*sides), axis=-1)
        excess = learning.loss(features, y, mesh) / learning.loss(features, y, best)
        levels = [1.02, 1.3, 2, 4, 8, 16, 32, 64, 128]
        ax.contourf(*sides, np.log(excess), levels=np.log([1.0, *levels]), cmap="Blues_r", extend="max", alpha=0.55)
        ax.contour(*sides, excess, levels=levels, colors="white", linewidths=0.7)
        ax.plot(*best, "*", color=style.COLOURS["total"], markersize=13, zorder=5)
        for name, path in paths[title].items():
            series, steps, losses = f"{title}, {name}", np.arange(len(path)), learning.loss(features, y, path)
            colour = style.COLOURS[looks[name]]
            ax.plot(*path.T, "o-", color=colour, linewidth=1.4, markersize=2.6, zorder=4)
            right.plot(steps + 1, losses, label=series, color=colour, linestyle=dash, linewidth=1.6)
            lowest = min(lowest, losses.min())
            style.plotted(fig, series, step=steps, constant=path[:, 0], slope=path[:, 1], loss=losses)
        ax.set(xlabel="constant $b$", title=title, aspect="equal")
        ax.grid(visible=False)
    right.axhline(lowest, **style.line("baseline"))
    right.set(xscale="log", xlabel="step", title="on the way down")
    right.set(yscale="log", ylabel="mean squared error", ylim=(None, 14))
    plain(right.yaxis)
    right.legend(loc="upper right", fontsize=7.6, handlelength=1.8, borderpad=0.1)
    return fig


def fits(x: np.ndarray, y: np.ndarray, split: learning.Split, curves: Mapping[str, tuple]) -> Figure:
    """Polynomials of increasing degree through the same few galaxies.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
    split : (ndarray of int, ndarray of int)
        Rows of the fit, and the others.
    curves : mapping
        Title -> weights of the Legendre polynomials, error on the galaxies of the fit, error on the others.

    To see: the more flexible the curve, the closer it comes to the galaxies that it was fitted to, and beyond some
    degree the further from all others.
    """
    ylabel = r"$\ln M_\mathrm{DM}$ [M$_\odot$]"
    fig, axes = style.new_figure(1, len(curves), height=3.5, sharex=True, sharey=True, ylabel=ylabel)
    span, (train, rest) = (x.min(), x.max()), split
    fine = np.linspace(*span, 400)
    for ax, (title, (weights, seen, unseen)) in zip(axes, curves.items(), strict=True):
        value = learning.polynomials(fine, len(weights) - 1, span) @ weights
        ax.plot(x[rest], y[rest], label="others", **style.points("reject", marker="o", markersize=2.8, alpha=0.8))
        curve(ax, title, {"log_m_star": fine, "ln_m_dm": value}, "prediction", label="", linewidth=2)
        dots = style.points("embedded", markersize=5.5, markeredgecolor="white")
        ax.plot(x[train], y[train], label="fitted to", **dots)
        ax.set(title=title, ylim=(y.min() - 0.25, y.max() + 0.75))
        ax.set_xlabel(_LOG_MASS, fontsize=9.5)
        for k, (name, error, colour) in enumerate((("fitted to", seen, _SEEN), ("others", unseen, _UNSEEN))):
            text = f"{name}: {error:.2f}" if error < 100 else f"{name}: ≈{thousands(float(f'{error:.0e}'))}"
            note(ax, 0.04, 0.96 - 0.09 * k, text, va="top", color=colour, fontweight="bold", fontsize=9.5)
    for name, rows in (("fitted to", train), ("others", rest)):
        style.plotted(fig, name, log_m_star=x[rows], ln_m_dm=y[rows])
    return fig


def flexibility(degrees: Sequence[int], seen: np.ndarray, unseen: np.ndarray) -> Figure:
    """Errors on galaxies of the fit and on others, against the degree of the polynomial; bands hold 68% of the draws.

    To see: the error on the galaxies of the fit keeps falling; that on other galaxies falls, then rises steeply.
    """
    fig, ax = style.new_figure(height=3.6)
    _both(ax, np.asarray(degrees), seen, unseen)
    ax.set(yscale="log", xlabel="degree of the polynomial", xlim=(min(degrees), max(degrees)))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    note(ax, 0.02, 0.03, "too stiff", color=_GREY)
    note(ax, 0.98, 0.03, "too flexible", ha="right", color=_GREY)
    ax.legend(loc="upper left")
    return fig


def restraint(by_penalty: Sweep, by_step: Sweep, degree: int) -> Figure:
    """Two ways to regularise a formula that is too flexible: a penalty on its weights, and early stopping.

    To see: both curves for other galaxies are valleys; their minima are about equally low, and far below the error
    without regularisation.
    """
    fig, axes = style.new_figure(1, 2, height=3.7, sharey=True)
    for ax, (x, errors), name, title, xlabel in (
        (axes[0], by_penalty, "penalty, ", "penalty (ridge)", "strength of the penalty"),
        (axes[1], by_step, "steps, ", "early stopping", "steps of gradient descent"),
    ):
        _both(ax, x, *errors, name=name)
        ax.set(xscale="log", yscale="log", title=title, xlabel=xlabel)
        note(ax, 0.03, 0.03, "held back", color=_GREY)
        note(ax, 0.97, 0.03, "free", ha="right", color=_GREY)
    axes[1].set_ylabel("")
    axes[0].invert_xaxis()
    axes[0].legend(loc="upper left", title=f"polynomial of degree {degree}", alignment="left")
    return fig


def examples_needed(sizes: Sequence[int], degrees: Sequence[int], seen: np.ndarray, unseen: np.ndarray) -> Figure:
    """Learning curves: error against the number of galaxies for formulas of several degrees.

    To see: for each formula the two errors converge; those of the low degrees meet early at a large error, those of
    the high degrees late, and a high degree pays only with the most galaxies.
    """
    fig, ax = style.new_figure(height=3.8)
    roles = ("literature", "gas", "embedded", "prediction", "stars")
    for degree, role, on_seen, on_unseen in zip(degrees, roles, seen, unseen, strict=False):
        low, middle, high = np.percentile(on_unseen, [16, 50, 84], axis=-1)
        below = np.median(on_seen, axis=-1)
        label = {0: "mean", 1: "straight line"}.get(degree, f"degree {degree}")
        columns = {"galaxies": np.asarray(sizes), "others": middle, "low": low, "high": high, "fitted_to": below}
        curve(ax, label, columns, role, band=True, linestyle="-", marker="o")
        ax.plot(sizes, below, ":", color=style.COLOURS[role], linewidth=1.4)
    ax.set(xscale="log", xlabel="galaxies to learn from", ylabel=LOG_ERROR, ylim=(0, 2.6 * np.median(unseen[0])))
    ticks(ax.xaxis, sizes)
    title = "solid: other galaxies; dotted: galaxies of the fit"
    fig.legend(loc="outside upper left", title=title, ncols=4, alignment="left")
    return fig


def exam(radii: np.ndarray, errors: Pairs) -> Figure:
    """Error on the test galaxies at each radius, for the mean profile and for linear formulas; bands are one sigma.

    To see: the accuracy that a few catalogue numbers give, at which radii, and what is left for images to improve.
    """
    fig, ax = style.new_figure(height=3.8)
    for (name, (value, error)), role in zip(errors.items(), ("literature", "stars", "prediction"), strict=False):
        curve(ax, name, {"radius": radii * u.kpc, "rms_ln_m": value, "error": error}, role, band=True)
    radius_axis(ax, ylabel=f"{LOG_ERROR}, test galaxies", ylim=(0, None))
    ax.legend(loc="lower left")
    return fig


def _both(ax: Axes, x: np.ndarray, seen: np.ndarray, unseen: np.ndarray, name: str = "") -> None:
    """Draw medians and bands of both errors, and mark the smallest error on other galaxies."""
    for label, values, role in (("galaxies of the fit", seen, "embedded"), ("other galaxies", unseen, "accent")):
        low, middle, high = np.percentile(values, [16, 50, 84], axis=0)
        columns = {"x": x, "median": middle, "low": low, "high": high}
        curve(ax, f"{name}{label}", columns, role, label=label, band=True, marker="o", markersize=3.6)
    error = np.median(unseen, axis=0)
    ax.set(ylabel=LOG_ERROR, ylim=(0.55 * np.median(seen, axis=0).min(), 40 * error.min()))
    best = (x[error.argmin()], error.min())
    ax.plot(*best, "o", markersize=11, markerfacecolor="none", markeredgecolor=_UNSEEN, markeredgewidth=1.6)
    # To the right of the circle, and above: the curve comes down from the left.
    beside(ax, "best for\nothers", best, (7, 12), color=_UNSEEN, fontsize=9)


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
    "m_gas_rhalf": r"log $M_\mathrm{gas}(<r_{1/2})$",
    "v_max": r"log $V_\mathrm{max}$",
    "g_r": r"$g - r$ [mag]",
    "forming": "star-forming share",
}


def light_tells(tables: Mapping[str, Table], inputs: Sequence[str]) -> Figure:
    """Errors of regressions on more and more integrated observables, in two universes.

    Parameters
    ----------
    tables : mapping
        Name of a universe -> errors as `dmlib.evaluation.integrated_light.regressions` gives them; at most two.
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
        ax.set(xscale="log", title=title, xlabel=_error_of(target))
        ax.set_yticks(range(len(inputs)), [words.replace("r_half", r"$r_{1/2}$") for words in inputs])
        ax.set_ylim(len(inputs) - 0.4, -0.6)
        low, high = ax.get_xlim()
        ticks(ax.xaxis, [x for x in (0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0) if low < x < high])
    handles = max((ax.get_legend_handles_labels() for ax in panels), key=lambda pair: len(pair[1]))
    fig.legend(*handles, loc="outside upper left", ncols=2)
    return fig


def _error_of(target: str) -> str:
    """Name of the axis of a mean relative error, that of a speed where the target is one."""
    return ERROR.replace("M/M", "V/V") if target == "v_max" else ERROR


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
        ax.set(xscale="log", title=_TARGETS[target], xlabel="galaxies to learn from")
        ax.set(ylabel=_error_of(target), ylim=(0, None))
        # Every second number: in three panels there is no room for all.
        ticks(ax.xaxis, sorted({n for table in of.values() for n in table["n"].tolist()})[::2])
    panels[0].legend(loc="lower left")
    return fig


def at_fixed_mass(tables: Mapping[str, Table], kind: str = "central") -> Figure:
    """Two universes at fixed stellar mass: medians, and the scatter as bars.

    Parameters
    ----------
    tables : mapping
        Name of a universe -> as `dmlib.evaluation.fixed_mass.at_fixed_mass` gives it; at most two.
    kind : {"central", "satellite"}

    To see: where symbols of both universes lie on each other their medians agree, where bars are equally long their
    scatters do.
    """
    fig, _, panels = grid(len(_QUANTITIES), 3, 2.5, extra=0.5)
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
