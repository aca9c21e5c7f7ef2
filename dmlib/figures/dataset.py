"""Figures of the chapter on the data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from astropy import units as u
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation, LogLocator

from ..dataset import SPLITS
from ..dataset.leak import REGRESSORS, WAYS
from ..dataset.read import HI_CHANNELS, DataSet
from . import style
from .panels import LOG_ERROR, bar_axis, curve, grid, picture, plain, positive, radius_axis, shade, thousands, titles

_SPLIT_LOOKS = {"train": "embedded", "validation": "gas", "test": "accent", "calibration": "stars"}
_WAY_LOOKS = {"script": "baseline", "view": "rotation", "group": "prediction"}


def funnel(counts: Mapping[str, int], sides: Mapping[str, Mapping[str, int]]) -> Figure:
    """Numbers from the catalogue to the views, and the split of the galaxies.

    To see: nearly all of the sample reaches the data set; each galaxy gives three views, and the splits differ in size
    only.
    """
    fig, (left, right) = style.new_figure(1, 2, height=3.1, width_ratios=[1.25, 1])
    steps, values = list(counts), np.array(list(counts.values()))
    bars = left.barh(range(len(steps)), values, color=style.COLOURS["embedded"], height=0.62, alpha=0.9)
    left.bar_label(bars, [thousands(value) for value in values], padding=5)
    left.set(xlabel="number", title="from catalogue to views", xlim=(0, 1.22 * values.max()))
    bar_axis(left, steps)
    style.plotted(fig, "funnel", step=steps, left=values)
    start = np.zeros(len(sides), dtype=int)
    for kind, role in (("central", "dark_matter"), ("satellite", "stars")):
        numbers = np.array([kinds[kind] for kinds in sides.values()])
        bars = right.barh(range(len(sides)), numbers, left=start, color=style.COLOURS[role], height=0.55, label=kind)
        start = start + numbers
    right.bar_label(bars, [f"{number}" for number in start], padding=5)
    for side, kinds in sides.items():
        style.plotted(fig, f"galaxies for {side}", central=kinds["central"], satellite=kinds["satellite"])
    right.set(xlabel="galaxies", title="the four sides", xlim=(0, 1.2 * start.max()))
    bar_axis(right, list(sides))
    right.legend(loc="lower right")
    return fig


def examples(dataset: DataSet, rows: Sequence[int], inputs: np.ndarray) -> Figure:
    """All inputs of a network for some views, and the target.

    To see: image and maps show the same disc at the same angle; more massive galaxies are brighter, rotate faster, and
    have more dark matter at every radius.
    """
    heads = [*dataset.bands, "HI", "velocity", "disp.", "target"]
    fig, axes, _ = grid(len(rows) * len(heads), len(heads), 0.9, extra=0.3)
    gas_looks = ((style.DENSITY, -1.0, 1.6), (style.VELOCITY, -1.3, 1.3), (style.SEQUENTIAL, 0.0, 1.2))
    looks = [(style.SEQUENTIAL, 0.0, 2.6)] * len(dataset.bands) + list(gas_looks)
    spread = np.percentile(dataset.dm_profile, [2, 98], axis=0)
    for line, row, values in zip(axes, rows, inputs, strict=True):
        blank = values[..., len(dataset.bands)] <= -2.0
        for k, (ax, image, look) in enumerate(zip(line, np.moveaxis(values, -1, 0), looks, strict=False)):
            shown = np.where(blank, np.nan, image) if k >= len(dataset.bands) else image
            picture(ax, shown, *look, extent=dataset.input_grid.extent)
        galaxy, ax = dataset.table[int(row)], line[-1]
        label = rf"{np.log10(galaxy['m_star'].to_value(u.Msun)):.1f}, {galaxy['inclination'].to_value(u.deg):.0f}°"
        line[0].set_ylabel(label, fontsize=9.5)
        mass = dataset.dm_profile[int(row)]
        ax.fill_between(dataset.radii, *np.maximum(spread, 1.0), color="#DDDDDD", linewidth=0)
        ax.plot(dataset.radii, positive(mass), **style.line("dark_matter"))
        ax.set(xscale="log", yscale="log", xlim=(1, 100), ylim=(2e8, 5e12), box_aspect=1)
        ax.tick_params(which="both", length=0, labelbottom=False, labelleft=False)
        name = f"subhalo {galaxy['subhalo_id']}, view {galaxy['view']}"
        style.plotted(fig, name, radius=dataset.radii * u.kpc, m_dm=mass * u.Msun)
    titles(axes[0], heads)
    return fig


def targets(dataset: DataSet) -> Figure:
    """Targets of the four sides of the split: the profiles, and the masses within the last radius.

    To see: the splits agree as well as their sizes allow.
    """
    fig, (left, right) = style.new_figure(1, 2, height=3.5)
    reference = np.nanmedian(positive(dataset.dm_profile[dataset.rows("train")]), axis=0)
    for side, role in _SPLIT_LOOKS.items():
        if not len(rows := _first_views(dataset, side)):
            continue  # a part may be empty in a data set of few galaxies
        edges = np.nanpercentile(positive(dataset.dm_profile[rows]), [16, 50, 84], axis=0)
        low, median, high = edges / reference
        if side == "train":
            shade(left, dataset.radii, low, high, role)
        else:
            left.plot(dataset.radii, np.transpose([low, high]), **style.line(role, linewidth=0.9))
        left.plot(dataset.radii, median, **style.line(role))
        masses = {name: edges[k] * u.Msun for name, k in (("median", 1), ("low", 0), ("high", 2))}
        style.plotted(fig, side, radius=dataset.radii * u.kpc, **masses)
        last = np.sort(dataset.dm_profile[rows, -1])
        share = (np.arange(len(last)) + 0.5) / len(last)
        columns, label = {"m_dm": last * u.Msun, "share_below": share}, f"{side} ({len(rows)})"
        curve(right, f"{side}, within 100 kpc", columns, role, label=label, drawstyle="steps-mid")
    radius_axis(left, yscale="log", ylabel="dark mass / median for training", title="profiles", yticks=[0.5, 1.0, 2.0])
    plain(left.yaxis)
    right.set(xscale="log", xlabel=r"dark mass within 100 kpc [M$_\odot$]")
    right.set(ylabel="share below", ylim=(0, 1), title="masses")
    right.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    right.xaxis.set_major_formatter(LogFormatterSciNotation(labelOnlyBase=False, minor_thresholds=(np.inf, np.inf)))
    right.xaxis.set_minor_formatter("")
    right.legend(loc="lower right")
    return fig


#: Least height shown of the distribution of a channel, over its highest bin.
_LEAST_DENSITY = 1e-4


def channels(dataset: DataSet, inputs: np.ndarray) -> Figure:
    """Distribution of the normalised inputs in each channel, over pixels with signal.

    To see: all channels are of order one, although the normalisation uses fixed constants and no statistics of the
    galaxies.
    """
    names = (*dataset.bands, *HI_CHANNELS)
    fig, axes, panels = grid(len(names), 4, 1.85, sharey=True, extra=0.2)
    seen = inputs[..., len(dataset.bands)] > -2.0
    for ax, name, values in zip(panels, names, np.moveaxis(inputs, -1, 0), strict=True):
        hi = name in HI_CHANNELS
        count, edges = np.histogram(values[seen] if hi else values[values > 0.05], bins=60)
        centre, density = 0.5 * (edges[1:] + edges[:-1]), count / max(count.max(), 1)
        ax.fill_between(
            centre, density, _LEAST_DENSITY, step="mid", color=style.COLOURS["gas" if hi else "stars"], alpha=0.85
        )
        drawn = centre[density > _LEAST_DENSITY]
        margin = 0.03 * np.ptp(drawn)
        ax.set(yscale="log", ylim=(_LEAST_DENSITY, 2.0), yticks=[1.0, 1e-2, 1e-4])
        ax.set_xlim(drawn.min() - margin, drawn.max() + margin)
        ax.set_title(name.replace("moment", "moment "), fontsize=10)
        style.plotted(fig, name, value=centre, pixels=count)
    for ax in axes[:, 0]:
        ax.set_ylabel("pixels / most", fontsize=10)
    for ax in axes[-1]:
        ax.set_xlabel("value", fontsize=10)
    return fig


def leak(radii: np.ndarray, errors: Mapping[tuple[str, str], np.ndarray]) -> Figure:
    """Error of two simple regressors with and without a leak in the split; bands are the spread over splits.

    To see: with a leak the nearest neighbour looks nearly perfect, because it finds the test galaxy itself; split by
    group, it does far worse. The rigid linear model gains less from a leak.
    """
    fig, axes = style.new_figure(1, len(REGRESSORS), height=4.1, sharey=True, ylabel=LOG_ERROR)
    radius = radii * u.kpc
    for ax, regressor in zip(axes, REGRESSORS, strict=True):
        for way, role in _WAY_LOOKS.items():
            mean, spread = errors[way, regressor].mean(axis=0), errors[way, regressor].std(axis=0, ddof=1)
            columns = {"radius": radius, "rms_ln_m": mean, "spread": spread}
            curve(ax, f"{regressor}, {WAYS[way]}", columns, role, label=WAYS[way], band=True)
        columns = {"radius": radius, "rms_ln_m": errors["group", "mean"].mean(axis=0)}
        label = "mean of the training profiles"
        curve(ax, f"{regressor}, mean profile", columns, "literature", label=label, linewidth=1.3)
        radius_axis(ax, title=regressor, ylim=(-0.015, None))
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return fig


def sides(dataset: DataSet) -> dict[str, dict[str, int]]:
    """Count the centrals and satellites of each split, for `funnel`."""
    counted = {}
    for side in SPLITS:
        central = np.asarray(dataset.table["is_true_central"])[_first_views(dataset, side)]
        counted[side] = {"central": int(central.sum()), "satellite": int((~central).sum())}
    return counted


def _first_views(dataset: DataSet, side: str) -> np.ndarray:
    """Rows of a split, one a galaxy."""
    rows = dataset.rows(side)
    return rows[np.asarray(dataset.table["view"])[rows] == 0]
