"""Figures of the chapter that compares architectures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from astropy import units as u
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from ..bootstrap import Estimate
from ..evaluation.scores import Scores
from . import style
from .errors import ARCHITECTURE_LOOKS, against_radius, curve, look


def overfit(losses: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Loss of one batch that is shown again and again, for several architectures.

    To see: every line must fall far below 1, the loss of knowing nothing: gradients then reach all weights, and targets
    belong to their images.
    """
    fig, ax = style.new_figure(width="text", height=3.2)
    for name, (step, loss) in losses.items():
        ax.plot(step, loss, label=name, **look(name))
        style.plotted(fig, name, step=step, mean_square=loss)
    ax.axhline(1.0, **style.line("literature", linewidth=1.2))
    ax.annotate(
        "mean of the training galaxies", (0.99, 1.0), (0, -12), ("axes fraction", "data"), "offset points", ha="right"
    )
    ax.set(yscale="log", xlabel="step", ylabel="loss of the batch")
    ax.legend(loc="lower left", ncols=2)
    return fig


def histories(trained: Mapping[str, Sequence[Mapping[str, Sequence[float]]]]) -> Figure:
    """Training and validation loss of each architecture against the epoch; thin lines are further members.

    To see: where the validation loss (dark) rises or stays while the training loss (light) falls, the network begins to
    remember; the dot is the epoch whose weights are kept.
    """
    columns = min(3, len(trained))
    rows = -(-len(trained) // columns)
    fig, axes = style.new_figure(rows, columns, width="wide", height=2.35 * rows, sharey=True, squeeze=False)
    for ax, (name, members) in zip(axes.flat, trained.items(), strict=False):
        colour = ARCHITECTURE_LOOKS.get(name, ("#999933",))[0]
        for k, history in enumerate(members):
            epoch = np.arange(1, len(history["loss"]) + 1)
            width = 1.7 if k == 0 else 0.8
            loss, held = np.array(history["loss"]), np.array(history["val_loss"])
            ax.plot(
                epoch,
                loss,
                color=colour,
                alpha=0.4,
                linewidth=width,
                marker="o" if len(epoch) == 1 else "",
                label="training" if k == 0 else None,
            )
            ax.plot(epoch, held, color=colour, linewidth=width, label="validation" if k == 0 else None)
            best = int(np.argmin(held))
            ax.plot(epoch[best], held[best], "o", color="#222222", markersize=4.5, zorder=4)
            style.plotted(fig, f"{name}, member {k}", epoch=epoch, training=loss, validation=held)
        ax.axhline(1.0, **style.line("literature", linewidth=1.0))
        ax.set(title=name, yscale="log")
        last = max(len(history["loss"]) for history in members)
        ax.set_xlim(0.5, max(last, 2) + 0.5)
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.legend(loc="upper right", fontsize=8.5)
    for ax in axes.flat[len(trained) :]:
        ax.remove()
    for ax in axes[:, 0]:
        ax.set_ylabel("loss")
    fig.supxlabel("epoch", fontsize=11)
    return fig


def errors(scores: Scores, names: Mapping[str, str], floor: np.ndarray) -> Figure:
    """Delta_MSE and the mean relative error at each radius, of networks and of plain predictions.

    To see: all networks and both regressions lie far below the mean profile; how far a network lies below the
    regressions is what the pixels are worth. Below the dotted floor nothing can come, for the target counts particles.
    """
    fig, axes = style.new_figure(1, 2, width="wide", height=4.5)
    panels = (("relative2", True, r"$\Delta_\mathrm{MSE}(R)$, of $M$"), ("relative", False, r"mean $|\Delta M/M|$"))
    for ax, (measure, root, title) in zip(axes, panels, strict=True):
        for name, label in names.items():
            if name == "baseline/random" and measure == "relative2":
                style.plotted(fig, f"{label}, not drawn", delta_mse=scores.at_radii(name, measure, root=True).value)
                continue
            found = scores.at_radii(name, measure, root=root)
            curve(fig, ax, scores.radii, found, label, look(name), band=name.startswith("C/"), measure=measure)
        ax.set(title=title, ylim=(0, None))
        against_radius(ax)
    axes[1].plot(
        scores.radii, floor, color="#222222", linestyle=(0, (1, 1.5)), linewidth=1.2, label="counting particles"
    )
    style.plotted(fig, "counting particles", radius=scores.radii * u.kpc, mean_relative=floor)
    handles, labels = axes[1].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=4, fontsize=9)
    return fig


def against(scores: Scores, names: Mapping[str, str], opponent: str, words: str) -> Figure:
    """Error of each network less that of an opponent at each radius, on the same galaxies.

    To see: a network is better where its bar lies wholly below zero. The bars are smaller than the difference of two
    bands in the figure before, because the same galaxies are hard for both.
    """
    fig, ax = style.new_figure(width="text", height=3.7)
    ax.axhline(0.0, color="#222222", linewidth=1.0)
    other = scores.views(opponent)
    for k, (name, label) in enumerate(names.items()):
        found = scores.bootstrap.difference(scores.views(name), other)
        colour, _, marker = ARCHITECTURE_LOOKS[name.split("/")[0]]
        x = scores.radii * 1.035 ** (k - 0.5 * (len(names) - 1))
        bars = {"color": colour, "marker": marker, "markersize": 4.5, "linewidth": 1.1, "linestyle": "none"}
        ax.errorbar(x, found.value, found.error, label=label, **bars)
        style.plotted(fig, label, radius=scores.radii * u.kpc, difference=found.value, error=found.error)
    low = min(-0.05, ax.get_ylim()[0])
    ax.annotate("network better", (1.08, low), va="bottom", color="#555555", fontsize=9)
    ax.set_ylim(bottom=low)
    ax.set_ylabel(rf"$|\Delta M/M|$, network less {words}")
    against_radius(ax)
    ax.legend(loc="upper center", ncols=3, fontsize=9)
    return fig


def cost(rows: Sequence[Mapping[str, object]], ends: Mapping[str, Estimate], plain: Mapping[str, Estimate]) -> Figure:
    """Error at intermediate radii against the time of training, and against the number of parameters.

    Parameters
    ----------
    rows : sequence of mapping
        ``name``, ``seconds``, ``parameters`` of each network.
    ends : mapping of Estimate
        Its error by name.
    plain : mapping of Estimate
        Errors of regressions, drawn as horizontal lines.

    To see: whether more parameters or more minutes buy a smaller error here.
    """
    fig, axes = style.new_figure(1, 2, width="wide", height=3.6, sharey=True)
    for ax, quantity, label in zip(
        axes, ("seconds", "parameters"), ("training time [s]", "trainable parameters"), strict=True
    ):
        for name, found in plain.items():
            how, error, uncertainty = look(name), float(found.value), float(found.error)
            ax.axhline(error, **how, label=f"{name.split('/')[1]} regression" if ax is axes[0] else None)
            ax.axhspan(error - uncertainty, error + uncertainty, color=how["color"], alpha=0.08, linewidth=0)
        for k, row in enumerate(rows):
            colour, _, marker = ARCHITECTURE_LOOKS[str(row["name"])]
            found = ends[str(row["name"])]
            x, y = float(row[quantity]), float(found.value)
            ax.errorbar(x, y, float(found.error), color=colour, marker=marker, markersize=7, linewidth=1.2)
            ax.annotate(
                str(row["name"]),
                (x, y),
                (7, 6 if k % 2 else -13),
                textcoords="offset points",
                color=colour,
                fontweight="bold",
            )
        low, high = (pick(float(row[quantity]) for row in rows) for pick in (min, max))
        ax.set(xscale="log", xlabel=label, xlim=(low / 1.7, high * 9.0))
    axes[0].set_ylabel(r"mean $|\Delta M/M|$, 5 to 50 kpc")
    axes[0].legend(loc="best", fontsize=9)
    for row in rows:
        found = ends[str(row["name"])]
        numbers = {key: float(row[key]) for key in ("seconds", "parameters")}
        style.plotted(fig, str(row["name"]), **numbers, error=found.value, uncertainty=found.error)
    for name, found in plain.items():
        style.plotted(fig, name, error=found.value, uncertainty=found.error)
    return fig


def learning_curve(n: Sequence[int], curves: Mapping[str, Sequence[Estimate]], mean: Estimate) -> Figure:
    """Error at intermediate radii against the number of galaxies that were learned from.

    Parameters
    ----------
    n : sequence of int
        Numbers of galaxies.
    curves : mapping
        Label -> error for each number.
    mean : Estimate
        Error of the mean profile.

    To see: whether the last points still fall: if so, more galaxies would help more than another architecture.
    """
    fig, ax = style.new_figure(width="text", height=3.5)
    looks = {"network": (look("C/all"), "^"), "linear": (look("baseline/linear"), "s")}
    for label, found in curves.items():
        how, marker = looks["network" if "network" in label else "linear"]
        value = np.array([estimate.value for estimate in found])
        error = np.array([estimate.error for estimate in found])
        ax.errorbar(n, value, error, label=label, marker=marker, **how)
        style.plotted(fig, label, galaxies=n, mean_relative=value, error=error)
    ax.axhline(float(mean.value), label="mean training profile", **look("baseline/mean"))
    style.plotted(fig, "mean training profile", mean_relative=mean.value)
    ax.set(xscale="log", xlabel="galaxies trained on", ylabel=r"mean $|\Delta M/M|$, 5 to 50 kpc", ylim=(0, None))
    ax.set_xticks(list(n), [str(k) for k in n])
    ax.xaxis.set_minor_formatter(lambda value, _: "")
    ax.legend(loc="lower left")
    return fig
