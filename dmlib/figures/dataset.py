"""Figures of the chapter on the data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from astropy import units as u
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation, LogLocator

from ..dataset.leak import REGRESSORS, WAYS
from ..dataset.read import HI_CHANNELS, DataSet
from ..dataset.split import SPLITS
from . import style

#: How the three sides look.
_SIDES = {"train": "embedded", "validation": "gas", "test": "accent"}
_WAY_LOOKS = {"script": "baseline", "view": "rotation", "group": "prediction"}
_RADIUS = "radius [kpc]"


def funnel(counts: Mapping[str, int], sides: Mapping[str, Mapping[str, int]]) -> Figure:
    """From the catalogue to views: what is left after each step, and how it is divided.

    To see: nearly all of the sample reaches the data set; each galaxy gives three views, and the sides differ in size
    only.
    """
    fig, axes = style.new_figure(1, 2, width="wide", height=3.1, gridspec_kw={"width_ratios": [1.25, 1]})
    names = list(counts)
    values = np.array(list(counts.values()))
    y = np.arange(len(names))
    axes[0].barh(y, values, color=style.COLOURS["embedded"], height=0.62, alpha=0.9)
    for i, value in enumerate(values):
        text = f"{value:,}".replace(",", "\u202f")
        axes[0].annotate(text, (value, i), (5, 0), textcoords="offset points", va="center")
    axes[0].set(xlabel="number", title="from catalogue to views", xlim=(0, 1.22 * values.max()))
    axes[0].set_yticks(y, names)
    axes[0].invert_yaxis()
    axes[0].grid(axis="y", visible=False)
    style.plotted(fig, "funnel", step=np.array(names), left=values)
    for i, (side, kinds) in enumerate(sides.items()):
        start = 0
        for kind, role in (("central", "dark_matter"), ("satellite", "stars")):
            label = kind if i == 0 else None
            axes[1].barh(i, kinds[kind], left=start, color=style.COLOURS[role], height=0.55, label=label)
            start += kinds[kind]
        axes[1].annotate(f"{start}", (start, i), (5, 0), textcoords="offset points", va="center")
        style.plotted(fig, f"galaxies for {side}", central=kinds["central"], satellite=kinds["satellite"])
    axes[1].set(xlabel="galaxies", title="the three sides")
    axes[1].set_xlim(0, 1.2 * max(sum(kinds.values()) for kinds in sides.values()))
    axes[1].set_yticks(range(len(sides)), list(sides))
    axes[1].invert_yaxis()
    axes[1].grid(axis="y", visible=False)
    axes[1].legend(loc="lower right")
    return fig


def examples(dataset: DataSet, rows: Sequence[int], inputs: np.ndarray) -> Figure:
    """Everything that a network is given of some views, and what it is asked for.

    To see: image and maps show the same disc at the same angle; more massive galaxies are brighter, turn faster, and
    have more dark matter at every radius.
    """
    channels = (*dataset.bands, *HI_CHANNELS)
    titles = [*dataset.bands, "HI", "velocity", "disp.", "target"]
    fig, axes = style.new_figure(len(rows), len(titles), width="wide", height=0.9 * len(rows) + 0.3, squeeze=False)
    ranges = {"moment0": (-1.0, 1.6), "moment1": (-1.3, 1.3), "moment2": (0.0, 1.2)}
    for line, row, values in zip(axes, rows, inputs, strict=True):
        for ax, channel, image in zip(line, channels, np.moveaxis(values, -1, 0), strict=False):
            low, high = ranges.get(channel, (0.0, 2.6))
            blank = (values[..., len(dataset.bands)] <= -2.0) & (channel in HI_CHANNELS)
            cmap = {"moment1": style.VELOCITY, "moment0": style.DENSITY}.get(channel, style.SEQUENTIAL)
            ax.imshow(np.where(blank, np.nan, image), cmap=cmap, vmin=low, vmax=high, extent=dataset.grid.extent)
            ax.set_facecolor("#DDDDDD")
            _bare(ax)
        galaxy = dataset.table[int(row)]
        label = rf"{np.log10(galaxy['m_star'].to_value(u.Msun)):.1f}, {galaxy['inclination'].to_value(u.deg):.0f}°"
        line[0].set_ylabel(label, fontsize=9.5)
        mass = dataset.dm_profile[int(row)]
        others = np.percentile(dataset.dm_profile, [2, 98], axis=0)
        line[-1].fill_between(dataset.radii, *np.maximum(others, 1.0), color="#DDDDDD", linewidth=0)
        line[-1].plot(dataset.radii, np.where(mass > 0, mass, np.nan), **style.line("dark_matter"))
        line[-1].set(xscale="log", yscale="log", xlim=(1, 100), ylim=(2e8, 5e12))
        line[-1].set_box_aspect(1)
        line[-1].tick_params(which="both", length=0, labelbottom=False, labelleft=False)
        name = f"subhalo {galaxy['subhalo_id']}, view {galaxy['view']}"
        style.plotted(fig, name, radius=dataset.radii * u.kpc, m_dm=mass * u.Msun)
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title, fontsize=10, loc="center")
    return fig


def targets(dataset: DataSet) -> Figure:
    """Targets of the three sides: the profiles, and the masses within the last radius.

    To see: the sides are alike within what their sizes allow.
    """
    fig, axes = style.new_figure(1, 2, width="wide", height=3.5)
    middle = np.nanmedian(_positive(dataset.dm_profile[dataset.rows("train")]), axis=0)
    for side, role in _SIDES.items():
        rows = dataset.rows(side)
        rows = rows[np.asarray(dataset.table["view"])[rows] == 0]
        low, median, high = np.nanpercentile(_positive(dataset.dm_profile[rows]), [16, 50, 84], axis=0)
        if side == "train":
            colour = style.COLOURS[role]
            axes[0].fill_between(dataset.radii, low / middle, high / middle, color=colour, alpha=0.2, linewidth=0)
        else:
            for edge in (low, high):
                axes[0].plot(dataset.radii, edge / middle, **style.line(role, linewidth=0.9))
        axes[0].plot(dataset.radii, median / middle, **style.line(role))
        style.plotted(
            fig, side, radius=dataset.radii * u.kpc, median=median * u.Msun, low=low * u.Msun, high=high * u.Msun
        )
        last = np.sort(dataset.dm_profile[rows, -1])
        share = (np.arange(len(last)) + 0.5) / len(last)
        axes[1].plot(last, share, label=f"{side} ({len(rows)})", drawstyle="steps-mid", **style.line(role))
        style.plotted(fig, f"{side}, within 100 kpc", m_dm=last * u.Msun, share_below=share)
    axes[0].set(xscale="log", yscale="log", xlabel=_RADIUS, xlim=(1, 100))
    axes[0].set_ylabel("dark mass / median for training")
    axes[0].set_title("profiles")
    axes[0].set_yticks([0.5, 1.0, 2.0])
    for axis in (axes[0].xaxis, axes[0].yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_minor_formatter(lambda value, _: "")
    axes[1].set(xscale="log", xlabel=r"dark mass within 100 kpc [M$_\odot$]", ylabel="share below", ylim=(0, 1))
    axes[1].set_title("masses")
    axes[1].xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axes[1].xaxis.set_major_formatter(LogFormatterSciNotation(labelOnlyBase=False, minor_thresholds=(np.inf, np.inf)))
    axes[1].xaxis.set_minor_formatter(lambda value, _: "")
    axes[1].legend(loc="lower right")
    return fig


def channels(dataset: DataSet, inputs: np.ndarray) -> Figure:
    """Values that a network reads in each channel, over pixels with something in them.

    To see: all channels are of order one, without anything having been learned from the galaxies.
    """
    names = (*dataset.bands, *HI_CHANNELS)
    n_columns = 4
    n_rows = -(-len(names) // n_columns)
    fig, axes = style.new_figure(n_rows, n_columns, width="wide", height=1.75 * n_rows, sharey=True, squeeze=False)
    seen = inputs[..., len(dataset.bands)] > -2.0
    for ax, name, values in zip(axes.flat, names, np.moveaxis(inputs, -1, 0), strict=False):
        hi = name in HI_CHANNELS
        shown = values[seen] if hi else values[values > 0.05]
        count, edges = np.histogram(shown, bins=60)
        centre, density = 0.5 * (edges[1:] + edges[:-1]), count / max(count.max(), 1)
        ax.fill_between(centre, density, 1e-4, step="mid", color=style.COLOURS["gas" if hi else "stars"], alpha=0.85)
        ax.set(yscale="log", ylim=(1e-4, 2.0))
        ax.set_title(name.replace("moment", "moment "), fontsize=10)
        ax.tick_params(axis="y", which="both", length=0, labelleft=False)
        style.plotted(fig, name, value=centre, pixels=count)
    for ax in axes.flat[len(names) :]:
        ax.remove()
    return fig


def leak(radii: np.ndarray, errors: Mapping[tuple[str, str], np.ndarray]) -> Figure:
    """Error of two simple regressors when the split leaks and when it does not; bands are the spread over splits.

    To see: with a leak the nearest neighbour seems nearly perfect, because it finds the tested galaxy itself; split by
    group, it is no better than its knowledge. The stiff linear model has less to gain from a leak.
    """
    fig, axes = style.new_figure(1, len(REGRESSORS), width="wide", height=4.1, sharey=True)
    for ax, regressor in zip(axes, REGRESSORS, strict=True):
        for way, role in _WAY_LOOKS.items():
            values = errors[way, regressor]
            mean, spread = values.mean(axis=0), values.std(axis=0, ddof=1)
            ax.fill_between(radii, mean - spread, mean + spread, color=style.COLOURS[role], alpha=0.22, linewidth=0)
            ax.plot(radii, mean, label=WAYS[way], **style.line(role))
            style.plotted(fig, f"{regressor}, {WAYS[way]}", radius=radii * u.kpc, rms_ln_m=mean, spread=spread)
        mean = errors["group", "mean"].mean(axis=0)
        ax.plot(radii, mean, label="mean of the training profiles", **style.line("literature", linewidth=1.3))
        style.plotted(fig, f"{regressor}, mean profile", radius=radii * u.kpc, rms_ln_m=mean)
        ax.set(xscale="log", xlabel=_RADIUS, title=regressor, xlim=(1, 100))
        ax.set_ylim(bottom=-0.015)
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax.xaxis.set_minor_formatter(lambda value, _: "")
    axes[0].set_ylabel(r"rms error of $\ln M$")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return fig


def sides(dataset: DataSet) -> dict[str, dict[str, int]]:
    """Galaxies of each side, centrals and satellites, for `funnel`."""
    counted = {}
    for side in SPLITS:
        rows = dataset.rows(side)
        rows = rows[np.asarray(dataset.table["view"])[rows] == 0]
        central = np.asarray(dataset.table["is_true_central"])[rows]
        counted[side] = {"central": int(central.sum()), "satellite": int((~central).sum())}
    return counted


def _positive(mass: np.ndarray) -> np.ndarray:
    return np.where(mass > 0, mass, np.nan)


def _bare(ax: Axes) -> None:
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
