"""Figures of the chapter on single profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from astropy import units as u
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..bootstrap import Bootstrap, Estimate
from ..evaluation.bins import Binned
from ..evaluation.coverage import EXPECTED, Coverage
from ..evaluation.derived import Band, circular_velocity, shell_density
from ..evaluation.scores import Scores
from . import style
from .errors import against_radius, look

_PREDICTED, _TRUE = style.COLOURS["prediction"], style.COLOURS["truth"]


def true_against_predicted(
    radii: np.ndarray, truth: np.ndarray, predicted: np.ndarray, columns: Sequence[int]
) -> Figure:
    """Predicted against true mass at several radii.

    To see: a good prediction lies along the line; a cloud flatter than the line is one that plays safe and answers with
    masses too near to the mean.
    """
    fig, axes = style.new_figure(1, len(columns), width="wide", height=2.3)
    for ax, k in zip(np.atleast_1d(axes), columns, strict=True):
        good = (truth[:, k] > 0) & (predicted[:, k] > 0)
        x, y = np.log10(truth[good, k]), np.log10(predicted[good, k])
        ax.plot(x, y, "o", color=_PREDICTED, markersize=2.6, alpha=0.5, markeredgewidth=0)
        edges = np.array([min(x.min(), y.min()), max(x.max(), y.max())])
        pad = 0.05 * np.ptp(edges)
        limits = edges + np.array([-pad, pad])
        ax.plot(limits, limits, color=_TRUE, linewidth=1.0)
        ax.set(title=f"{radii[k]:.3g} kpc", xlim=limits, ylim=limits)
        ax.set_box_aspect(1)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(3))
        style.plotted(fig, f"{radii[k]:.3g} kpc", log_m_true=x, log_m_predicted=y)
    fig.supxlabel(r"log$_{10}$ true mass [M$_\odot$]", fontsize=11)
    fig.supylabel(r"predicted", fontsize=11)
    return fig


def residuals(scores: Scores, name: str, columns: Sequence[int]) -> Figure:
    """Distribution of ln(predicted / true) at several radii, and its middle and width at all of them.

    To see: left, whether the distributions are centred on zero, and whether they have wings that no normal distribution
    has; right, the median (bias) and the middle 68 per cent, beside those of the mean training profile.
    """
    fig, axes = style.new_figure(1, 2, width="wide", height=3.7)
    ratio, plain = scores.views(name, "ln_ratio"), scores.views("baseline/mean", "ln_ratio")
    reach = float(np.nanpercentile(np.abs(ratio[:, list(columns)]), 99.0))
    bins = np.linspace(-reach, reach, 20)
    for k, shade in zip(columns, colormaps["viridis"](np.linspace(0.9, 0.0, len(columns))), strict=True):
        values = np.clip(ratio[np.isfinite(ratio[:, k]), k], -reach, reach)
        density, _ = np.histogram(values, bins=bins, density=True)
        # Neighbouring bins are averaged: four outlines of few views each would hide one another.
        density = np.convolve(np.pad(density, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
        label, middle = f"{scores.radii[k]:.3g} kpc", 0.5 * (bins[1:] + bins[:-1])
        axes[0].plot(middle, density, color=shade, linewidth=1.7, label=label)
        style.plotted(fig, label, ln_ratio=middle, density=density)
    axes[0].axvline(0.0, color=_TRUE, linewidth=1.0)
    axes[0].set(xlabel=r"ln(predicted / true)", ylabel="density", title="at some radii")
    axes[0].legend(loc="upper right")
    for values, how, label in (
        (plain, look("baseline/mean"), "mean training profile"),
        (ratio, look("C/all"), "network"),
    ):
        parts = {share: scores.bootstrap.quantile(values, share) for share in (0.1587, 0.5, 0.8413)}
        low, middle, high = (part.value for part in parts.values())
        axes[1].fill_between(scores.radii, low, high, color=how["color"], alpha=0.25, linewidth=0)
        axes[1].plot(scores.radii, middle, label=label, **how)
        style.plotted(
            fig,
            f"{label}, all radii",
            radius=scores.radii * u.kpc,
            median=middle,
            error=parts[0.5].error,
            low=low,
            high=high,
        )
    axes[1].axhline(0.0, color=_TRUE, linewidth=1.0)
    axes[1].set(title="median and middle 68%")
    against_radius(axes[1])
    axes[1].legend(loc="upper right")
    return fig


def views(chosen: Mapping[str, tuple[np.ndarray, np.ndarray]], extent: tuple[float, float, float, float]) -> Figure:
    """Image and velocity field of single galaxies.

    Parameters
    ----------
    chosen : mapping
        Title -> normalised image of one band, velocity over 200 km/s with NaN where blank.
    extent : tuple
        [kpc]
    """
    fig, axes = style.new_figure(1, 2 * len(chosen), width="wide", height=2.3)
    for k, (title, (image, velocity)) in enumerate(chosen.items()):
        axes[2 * k].imshow(image, cmap=style.SEQUENTIAL, extent=extent)
        axes[2 * k + 1].imshow(200.0 * velocity, cmap=style.VELOCITY, vmin=-260, vmax=260, extent=extent)
        axes[2 * k + 1].set_facecolor("#DDDDDD")
        axes[2 * k].set_title(title)
        for ax in axes[2 * k : 2 * k + 2]:
            ax.set(xticks=[], yticks=[])
            ax.grid(visible=False)
        style.plotted(
            fig, title, brightest=float(image.max()), fastest=200.0 * float(np.nanmax(np.abs(velocity), initial=0))
        )
    return fig


def single(galaxies: Mapping[str, tuple[np.ndarray, Mapping[str, Band], np.ndarray]], radii: np.ndarray) -> Figure:
    """Enclosed mass, circular velocity and density of single galaxies with their uncertainty.

    Parameters
    ----------
    galaxies : mapping
        Title -> true masses (r,), predicted bands, masses of the ensemble's members (k, r).
    radii : ndarray
        [kpc]

    To see: whether the truth (points) lies within the shading, which should hold it in two of three cases. The mass is
    drawn over the radius, for otherwise two decades of rise would hide every difference.
    """
    fig, axes = style.new_figure(3, len(galaxies), width="wide", height=8.2, sharex=True, sharey="row", squeeze=False)
    for column, (title, (true, predicted, members)) in zip(axes.T, galaxies.items(), strict=True):
        band = predicted["mass"]
        scale = 1e9 * radii
        column[0].fill_between(radii, band.low / scale, band.high / scale, color=_PREDICTED, alpha=0.22, linewidth=0)
        for k, member in enumerate(members):
            label = "members" if k == 0 else None
            column[0].plot(radii, member / scale, color=_PREDICTED, linewidth=0.7, alpha=0.7, label=label)
        middle, density = shell_density(radii, true)
        truths = {"velocity": (radii, circular_velocity(radii, true)), "density": (middle, density)}
        column[0].plot(radii, band.value / scale, color=_PREDICTED, label="predicted")
        column[0].plot(radii, true / scale, **style.points("truth", markersize=4.5, label="truth"))
        for ax, name in zip(column[1:], truths, strict=True):
            found, (x, y) = predicted[name], truths[name]
            # A draw in which the mass falls has no density that a logarithmic axis could show.
            floor = 0.2 * min(v[v > 0].min(initial=np.inf) for v in (found.value, y)) if name == "density" else -np.inf
            edges = (np.maximum(edge, floor) for edge in (found.low, found.high))
            ax.fill_between(found.radius, *edges, color=_PREDICTED, alpha=0.22, linewidth=0)
            shown = found.value > 0
            ax.plot(found.radius[shown], found.value[shown], color=_PREDICTED)
            ax.plot(x[y > 0], y[y > 0], **style.points("truth", markersize=4.5))
            style.plotted(
                fig,
                f"{title}, {name}",
                radius=found.radius * u.kpc,
                true=y,
                predicted=found.value,
                low=found.low,
                high=found.high,
            )
        style.plotted(
            fig, f"{title}, mass", radius=radii * u.kpc, true=true, predicted=band.value, low=band.low, high=band.high
        )
        column[0].set(title=title)
        column[2].set(yscale="log")
        against_radius(column[2])
        for ax in column[:2]:
            against_radius(ax, label=False)
    axes[0, 0].set_ylabel(r"$M_\mathrm{DM}/R$ [$10^9\,$M$_\odot$/kpc]")
    axes[1, 0].set_ylabel(r"$V_\mathrm{DM}$ [km/s]")
    axes[2, 0].set_ylabel(r"density [M$_\odot$/kpc$^3$]")
    axes[0, 0].legend(loc="best", fontsize=9)
    return fig


def coverage(radii: np.ndarray, found: Coverage, histogram: Estimate, bootstrap: Bootstrap) -> Figure:
    """How often the truth lies within the stated uncertainty, and the distribution of its place in it.

    To see: left, lines above the dashed ones mean that the uncertainty is stated too large, below too small; right, a
    flat histogram is honest, a valley says too small, a hill too large, a slope that predictions lean to one side.
    """
    fig, axes = style.new_figure(1, 2, width="wide", height=3.6)
    for k, colour in ((1, _PREDICTED), (2, style.COLOURS["dark_matter"])):
        within = found.within[k]
        axes[0].fill_between(radii, within.low, within.high, color=colour, alpha=0.2, linewidth=0)
        axes[0].plot(radii, within.value, color=colour, label=rf"within {k} $\sigma$")
        axes[0].axhline(EXPECTED[k], color=colour, linestyle=(0, (5, 2)), linewidth=1.1)
        style.plotted(fig, f"within {k} sigma", radius=radii * u.kpc, share=within.value, error=within.error)
    axes[0].set(ylim=(0, 1.03), ylabel="share of the test views", title="coverage")
    against_radius(axes[0])
    axes[0].legend(loc="lower right")
    bins = len(histogram.value)
    edges = np.linspace(0.0, 1.0, bins + 1)
    middle = 0.5 * (edges[1:] + edges[:-1])
    axes[1].stairs(histogram.value, edges, fill=True, color=_PREDICTED, alpha=0.35)
    axes[1].errorbar(middle, histogram.value, histogram.error, color=_PREDICTED, linestyle="none")
    axes[1].axhline(1.0, **style.line("literature", linewidth=1.2))
    axes[1].set(
        xlabel="share of the prediction below the truth", ylabel="density", title="probability integral", xlim=(0, 1)
    )
    style.plotted(fig, "probability integral", share=middle, density=histogram.value, error=histogram.error)
    return fig


def failures(panels: Mapping[str, Mapping[str, Binned]], groups: Mapping[str, Mapping[str, Binned]]) -> Figure:
    """Error at intermediate radii in bins of what galaxies are and how they are seen.

    Parameters
    ----------
    panels : mapping
        Label of the horizontal axis -> method -> error in bins.
    groups : mapping
        Title -> method -> error of kinds of galaxies.

    To see: where a curve rises, galaxies of that kind are harder; where the network's and the regression's rise
    together, it is the galaxies that are hard and not the method that is bad.
    """
    everything = [*panels.items(), *groups.items()]
    columns = min(3, len(everything))
    rows = -(-len(everything) // columns)
    fig, axes = style.new_figure(rows, columns, width="wide", height=2.6 * rows, sharey=True, squeeze=False)
    for ax, (title, methods) in zip(axes.flat, everything, strict=False):
        for k, (label, found) in enumerate(methods.items()):
            how = look("C/all") if k == 0 else look("baseline/boosted")
            x = np.arange(len(found.labels)) + 0.12 * (k - 0.5) if title in groups else found.centres
            value = np.array([estimate.value for estimate in found.estimates])
            error = np.array([estimate.error for estimate in found.estimates])
            line = {"linestyle": "none"} if title in groups else {"linestyle": how["linestyle"]}
            ax.errorbar(x, value, error, color=how["color"], marker="^" if k == 0 else "D", label=label, **line)
            style.plotted(
                fig,
                f"{title}, {label}",
                bin=np.array(found.labels),
                galaxies=found.n_galaxies,
                mean_relative=value,
                error=error,
            )
            if title in groups:
                names = [f"{name}\n({n})" for name, n in zip(found.labels, found.n_galaxies, strict=True)]
                ax.set_xticks(range(len(names)), names)
                ax.set_xlim(-0.6, len(names) - 0.4)
        ax.set_xlabel(title)
        if not any(found.labels for found in methods.values()):
            ax.text(0.5, 0.5, "too few galaxies", transform=ax.transAxes, ha="center", color="#555555")
            ax.set(xticks=[])
    for ax in axes.flat[len(everything) :]:
        ax.remove()
    # At the end: the panels share this axis, and a limit set early would not grow with the later ones.
    axes[0, 0].set_ylim(bottom=0)
    for ax in axes[:, 0]:
        ax.set_ylabel(r"mean $|\Delta M/M|$")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return fig


def share_of_views(radii: np.ndarray, shares: Mapping[str, np.ndarray]) -> Figure:
    """How much of the variance of an error lies between the views of one galaxy.

    To see: near 0 the galaxy is to blame, its views err alike; near 1 the view is.
    """
    fig, ax = style.new_figure(width="text", height=3.0)
    for k, (label, share) in enumerate(shares.items()):
        ax.plot(radii, share, label=label, **(look("C/all") if k == 0 else look("baseline/boosted")))
        style.plotted(fig, label, radius=radii * u.kpc, share=share)
    ax.set(ylim=(0, 1), ylabel="share between views")
    against_radius(ax)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    ax.legend(loc="best")
    return fig
