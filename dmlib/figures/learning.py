"""Figures of the chapter on learning from examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from astropy import units as u
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from ..primer import learning
from . import style

_STELLAR_MASS = r"log$_{10}$ stellar mass [M$_\odot$]"
_SEEN, _UNSEEN = style.COLOURS["embedded"], style.COLOURS["accent"]


def task(x: np.ndarray, y: np.ndarray, radius: float, n_sticks: int = 24) -> Figure:
    """What is to be learned, and the loss that says how well it has been.

    To see: left, the line leaves shorter sticks than the mean does; right, the mean of the squared sticks as the line
    is turned about the middle of the cloud: a valley with one lowest point.
    """
    fig, axes = style.new_figure(1, 2, width="wide", height=3.7, gridspec_kw={"width_ratios": [1.35, 1]})
    slope, level = np.polyfit(x, y, 1)
    at = np.array([x.min(), x.max()])
    axes[0].plot(x, y, "o", color=style.COLOURS["baseline"], markersize=3, alpha=0.75)
    order = np.argsort(x)[np.linspace(0, len(x) - 1, min(n_sticks, len(x))).astype(int)]
    axes[0].vlines(x[order], level + slope * x[order], y[order], color=style.COLOURS["prediction"], linewidth=1.1)
    axes[0].plot(x[order], y[order], "o", color=style.COLOURS["truth"], markersize=4)
    axes[0].plot(at, np.full(2, y.mean()), label="mean: knowing nothing", **style.line("literature"))
    axes[0].plot(at, level + slope * at, label="straight line", color=style.COLOURS["prediction"], linewidth=2.2)
    axes[0].set(xlabel=_STELLAR_MASS, ylabel=rf"$\ln M_\mathrm{{DM}}(<{radius:.0f}\,\mathrm{{kpc}})$ [M$_\odot$]")
    axes[0].set_title("examples, and two formulas")
    axes[0].legend(loc="lower right")
    slopes = np.linspace(-0.6 * slope, 2.6 * slope, 121)
    middle, centre = x.mean(), y.mean()
    value = np.array([np.mean((centre + s * (x - middle) - y) ** 2) for s in slopes])
    axes[1].plot(slopes, value, color=style.COLOURS["total"])
    for s, colour, words in (
        (0.0, style.COLOURS["literature"], "mean"),
        (slope, style.COLOURS["prediction"], "best line"),
    ):
        here = np.mean((centre + s * (x - middle) - y) ** 2)
        axes[1].plot(s, here, "o", color=colour, markersize=8, zorder=4)
        axes[1].annotate(words, (s, here), (9, 7), textcoords="offset points", color=colour, fontweight="bold")
    axes[1].set(xlabel="slope of the line", ylabel="mean squared error", ylim=(0, None))
    axes[1].set_title("the loss as the line turns")
    style.plotted(fig, "galaxies", log_m_star=x, ln_m_dm=y)
    style.plotted(fig, "loss", slope=slopes, mean_squared_error=value)
    return fig


def descent(
    valleys: Mapping[str, tuple[np.ndarray, np.ndarray]], y: np.ndarray, paths: Mapping[str, Mapping[str, np.ndarray]]
) -> Figure:
    """Gradient descent on two valleys, that of an input as it comes and that of the same input standardised.

    Parameters
    ----------
    valleys : mapping
        Title -> features (n, 2) with the constant first, and the weights of the lowest point (2,).
    y : ndarray, shape (n,)
    paths : mapping
        Title -> name of a path -> weights (steps + 1, 2).

    To see: the long valley makes the path swing from wall to wall and creep along the floor; in the round one each
    step points at the goal.
    """
    fig, axes = style.new_figure(1, 3, width="wide", height=3.4, gridspec_kw={"width_ratios": [1, 1, 1.05]})
    looks = {"all examples": ("prediction", "-"), "batches of 8": ("stars", "-")}
    ends = {}
    for ax, (title, (features, best)) in zip(axes, valleys.items(), strict=False):
        everything = np.concatenate([*paths[title].values(), best[None]])
        low, high = everything.min(axis=0), everything.max(axis=0)
        middle, half = 0.5 * (low + high), 0.72 * (high - low).max()
        grid = [np.linspace(middle[k] - half, middle[k] + half, 141) for k in (0, 1)]
        mesh = np.stack(np.meshgrid(*grid), axis=-1)
        excess = learning.loss(features, y, mesh) / learning.loss(features, y, best)
        levels = [1.02, 1.3, 2, 4, 8, 16, 32, 64, 128]
        ax.contourf(*grid, np.log(excess), levels=np.log([1.0, *levels]), cmap="Blues_r", extend="max", alpha=0.55)
        ax.contour(*grid, excess, levels=levels, colors="white", linewidths=0.7)
        ax.plot(*best, "*", color=style.COLOURS["total"], markersize=13, zorder=5)
        for name, path in paths[title].items():
            role, dash = looks[name]
            how = {"color": style.COLOURS[role], "linestyle": dash, "linewidth": 1.4, "markersize": 2.6}
            ax.plot(*path.T, "o", zorder=4, **how)
            losses = learning.loss(features, y, path)
            ends[f"{title}, {name}"] = (losses, style.COLOURS[role], "-" if title == list(valleys)[1] else (0, (2, 1)))
            style.plotted(
                fig, f"{title}, {name}", step=np.arange(len(path)), constant=path[:, 0], slope=path[:, 1], loss=losses
            )
        ax.set(xlabel="constant $b$", title=title, aspect="equal")
        ax.grid(visible=False)
    axes[0].set_ylabel("slope $w$")
    for name, (losses, colour, dash) in ends.items():
        axes[2].plot(np.arange(len(losses)) + 1, losses, color=colour, linestyle=dash, linewidth=1.6, label=name)
    axes[2].axhline(min(losses.min() for losses, *_ in ends.values()), **style.line("baseline"))
    axes[2].set(yscale="log", xscale="log", xlabel="step", ylabel="mean squared error", title="on the way down")
    axes[2].set_ylim(top=14)
    axes[2].yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes[2].yaxis.set_minor_formatter(NullFormatter())
    axes[2].legend(loc="upper right", fontsize=7.6, handlelength=1.8, borderpad=0.1)
    return fig


def fits(
    x: np.ndarray,
    y: np.ndarray,
    train: np.ndarray,
    rest: np.ndarray,
    curves: Mapping[str, tuple[np.ndarray, float, float]],
) -> Figure:
    """Polynomials of growing flexibility through the same few galaxies.

    Parameters
    ----------
    curves : mapping
        Title -> weights of the Legendre polynomials, error on the galaxies of the fit, error on the others.

    To see: the more flexible the curve, the closer it comes to the galaxies that it was fitted to, and beyond some
    point the further from all others.
    """
    fig, axes = style.new_figure(1, len(curves), width="wide", height=3.5, sharex=True, sharey=True)
    span = (x.min(), x.max())
    fine = np.linspace(*span, 400)
    floor, top = y.min() - 0.25, y.max() + 0.75
    for ax, (title, (weights, seen, unseen)) in zip(axes, curves.items(), strict=True):
        value = learning.polynomials(fine, len(weights) - 1, span) @ weights
        ax.plot(x[rest], y[rest], "o", color=style.COLOURS["reject"], markersize=2.8, alpha=0.8, label="others")
        ax.plot(fine, value, color=style.COLOURS["prediction"], linewidth=2)
        ax.plot(x[train], y[train], "o", color=_SEEN, markersize=5.5, markeredgecolor="white", label="fitted to")
        ax.set(title=title, ylim=(floor, top), xlabel=_STELLAR_MASS)
        ax.set_xlabel(_STELLAR_MASS, fontsize=9.5)
        words = (("fitted to", seen, _SEEN), ("others", unseen, _UNSEEN))
        for line, (name, error, colour) in enumerate(words):
            text = f"{name}: {error:.2f}" if error < 100 else f"{name}: {error:.0e}"
            ax.text(0.04, 0.96 - 0.09 * line, text, transform=ax.transAxes, va="top", color=colour, fontweight="bold",
                    fontsize=9.5)  # fmt: skip
        style.plotted(fig, title, log_m_star=fine, ln_m_dm=value)
    axes[0].set_ylabel(r"$\ln M_\mathrm{DM}$ [M$_\odot$]")
    style.plotted(fig, "fitted to", log_m_star=x[train], ln_m_dm=y[train])
    style.plotted(fig, "others", log_m_star=x[rest], ln_m_dm=y[rest])
    return fig


def flexibility(degrees: Sequence[int], seen: np.ndarray, unseen: np.ndarray) -> Figure:
    """Errors on galaxies of the fit and on others, against the degree of the polynomial; bands hold 68% of the draws.

    To see: the error on what was fitted only falls; that on other galaxies falls, then rises steeply.
    """
    fig, ax = style.new_figure(width="text", height=3.6)
    best = _both(fig, ax, np.asarray(degrees), seen, unseen)
    ax.set(yscale="log", xlabel="degree of the polynomial", xlim=(min(degrees), max(degrees)))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.annotate("too stiff", (0.02, 0.03), xycoords="axes fraction", color=style.COLOURS["literature"])
    ax.annotate("too flexible", (0.98, 0.03), xycoords="axes fraction", ha="right", color=style.COLOURS["literature"])
    _mark(ax, best)
    ax.legend(loc="upper left")
    return fig


def restraint(
    strengths: Sequence[float],
    by_penalty: tuple[np.ndarray, np.ndarray],
    steps: Sequence[int],
    by_step: tuple[np.ndarray, np.ndarray],
    degree: int,
) -> Figure:
    """Two ways to hold back a formula that is too flexible: a penalty on its weights, and stopping its training early.

    To see: both curves for other galaxies are valleys; their lowest points are about equally low, and far below the
    value that full freedom gives.
    """
    fig, axes = style.new_figure(1, 2, width="wide", height=3.7, sharey=True)
    best = _both(fig, axes[0], np.asarray(strengths), *by_penalty, name="penalty, ")
    _mark(axes[0], best)
    axes[0].set(xscale="log", yscale="log", xlabel="strength of the penalty", title="penalty (ridge)")
    best = _both(fig, axes[1], np.asarray(steps), *by_step, name="steps, ")
    _mark(axes[1], best)
    axes[1].set(xscale="log", xlabel="steps of gradient descent", title="early stopping", ylabel="")
    axes[0].invert_xaxis()
    axes[0].legend(loc="upper left", title=f"polynomial of degree {degree}", alignment="left")
    for ax in axes:
        ax.annotate("held back", (0.03, 0.03), xycoords="axes fraction", color=style.COLOURS["literature"])
        ax.annotate("free", (0.97, 0.03), xycoords="axes fraction", ha="right", color=style.COLOURS["literature"])
    return fig


def examples_needed(sizes: Sequence[int], degrees: Sequence[int], seen: np.ndarray, unseen: np.ndarray) -> Figure:
    """Learning curves: error against the number of galaxies for stiff and flexible formulas.

    To see: for each formula the two errors close in on each other; the stiff ones meet early and high, the flexible
    one late, and it needs most galaxies before it pays.
    """
    fig, ax = style.new_figure(width="text", height=3.8)
    colours = [style.COLOURS[role] for role in ("literature", "gas", "embedded", "prediction", "stars")]
    for degree, colour, on_seen, on_unseen in zip(degrees, colours, seen, unseen, strict=False):
        low, middle, high = np.percentile(on_unseen, [16, 50, 84], axis=-1)
        below = np.median(on_seen, axis=-1)
        label = "mean" if degree == 0 else "straight line" if degree == 1 else f"degree {degree}"
        ax.fill_between(sizes, low, high, color=colour, alpha=0.14, linewidth=0)
        ax.plot(sizes, middle, "o-", color=colour, label=label)
        ax.plot(sizes, below, ":", color=colour, linewidth=1.4)
        style.plotted(fig, label, galaxies=np.asarray(sizes), others=middle, low=low, high=high, fitted_to=below)
    top = 2.6 * np.median(unseen[0])
    ax.set(xscale="log", xlabel="galaxies to learn from", ylabel=r"rms error of $\ln M$", ylim=(0, top))
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.xaxis.set_minor_formatter(NullFormatter())
    fig.legend(loc="outside upper left", title="solid: other galaxies; dotted: galaxies of the fit", ncols=4,
               alignment="left")  # fmt: skip
    return fig


def exam(radii: np.ndarray, errors: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Error on the test galaxies at each radius, for the mean profile and for linear formulas; bars are one sigma.

    To see: what a few catalogue numbers give, at which radii, and what is left for images to add.
    """
    fig, ax = style.new_figure(width="text", height=3.8)
    looks = [style.line("literature"), style.line("stars"), style.line("prediction")]
    for (name, (value, error)), how in zip(errors.items(), looks, strict=False):
        ax.fill_between(radii, value - error, value + error, color=how["color"], alpha=0.18, linewidth=0)
        ax.plot(radii, value, label=name, **how)
        style.plotted(fig, name, radius=radii * u.kpc, rms_ln_m=value, error=error)
    ax.set(xscale="log", xlabel="radius [kpc]", ylabel=r"rms error of $\ln M$, test galaxies", xlim=(1, 100))
    ax.set_ylim(bottom=0)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.legend(loc="lower left")
    return fig


def _both(fig: Figure, ax: Axes, x: np.ndarray, seen: np.ndarray, unseen: np.ndarray, name: str = ""):
    """Medians and bands of both errors; gives the best point of the unseen."""
    for label, values, colour in (("galaxies of the fit", seen, _SEEN), ("other galaxies", unseen, _UNSEEN)):
        low, middle, high = np.percentile(values, [16, 50, 84], axis=0)
        ax.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        ax.plot(x, middle, "o-", color=colour, label=label, markersize=3.6)
        style.plotted(fig, f"{name}{label}", x=x, median=middle, low=low, high=high)
    first = np.median(unseen, axis=0)
    ax.set_ylabel(r"rms error of $\ln M$")
    ax.set_ylim(0.55 * np.median(seen, axis=0).min(), 40 * first.min())
    return x[first.argmin()], first.min()


def _mark(ax: Axes, best: tuple[float, float]) -> None:
    ax.plot(*best, "o", markersize=11, markerfacecolor="none", markeredgecolor=_UNSEEN, markeredgewidth=1.6)
    ax.annotate("best for\nothers", best, (0, 12), textcoords="offset points", ha="center", color=_UNSEEN, fontsize=9)
