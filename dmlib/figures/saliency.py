"""Figures of the chapter on what the networks look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from astropy import units as u
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import NullFormatter

from ..observe.grid import SkyGrid
from . import style

#: The two radii of the talk, wherever they are told apart.
_INNER, _OUTER = style.COLOURS["stars"], style.COLOURS["dark_matter"]
_GROUPS = {"starlight": "stars", "HI column": "gas", "velocity": "prediction", "dispersion": "literature"}


def methods(
    pictures: Sequence[tuple[str, np.ndarray]],
    maps: Mapping[str, np.ndarray],
    radii: Sequence[float],
    grid: SkyGrid,
    seen: np.ndarray,
) -> Figure:
    """One galaxy, by four methods: where the predicted mass within two radii hangs on the image.

    Parameters
    ----------
    pictures : sequence of (title, image)
        As many as `radii`: what the network is given.
    maps : mapping
        Method -> maps, shape (radius, y, x), of any sign; sizes are shown, each divided by its largest.
    radii : sequence of float
        Of the outputs [kpc]; drawn as dashed circles.
    grid : SkyGrid
    seen : ndarray of bool, shape (y, x)
        Pixels with HI, outlined.

    To see: whether the methods agree on where to look; and whether the two rows differ.
    """
    fig, axes = style.new_figure(len(radii), 1 + len(maps), width="wide", height=1.72 * len(radii) + 0.35)
    for i, (line, radius, (title, picture)) in enumerate(zip(axes, radii, pictures, strict=True)):
        signed = picture.min() < -0.2 * np.abs(picture).max()
        most = np.abs(picture).max()
        line[0].imshow(picture, cmap=style.VELOCITY if signed else "Greys", extent=grid.extent,
                       vmin=-most if signed else 0, vmax=most)  # fmt: skip
        line[0].set_title(title, fontsize=10, loc="center")
        line[0].set_ylabel(f"$M(<{radius:.1f}$ kpc)", fontsize=10.5)
        for ax, (name, both) in zip(line[1:], maps.items(), strict=True):
            size = np.abs(both[i])
            ax.imshow(
                size / max(np.percentile(size, 99.8), 1e-30), cmap=style.DENSITY, extent=grid.extent, vmin=0, vmax=1
            )
            ax.contour(grid.centres, grid.centres, seen.astype(float), [0.5], colors="white", linewidths=0.7, alpha=0.8)
            if i == 0:
                ax.set_title(name, fontsize=10, loc="center")
            middle = size[:, size.shape[1] // 2]
            style.plotted(fig, f"{name}, {radius:.0f} kpc, middle column", y=grid.centres * u.kpc, size=middle)
        for ax in line:
            ax.add_patch(Circle((0, 0), radius, fill=False, linestyle=(0, (3, 2)), linewidth=1.1, edgecolor="#7FD1C7"))
            _bare(ax)
    return fig


def channels(inputs: np.ndarray, slopes: np.ndarray, names: Sequence[str], radii: Sequence[float]) -> Figure:
    """The slope in every channel of one galaxy: purple where more in a pixel means more dark matter, orange where less.

    Parameters
    ----------
    inputs : ndarray, shape (y, x, channel)
    slopes : ndarray, shape (radius, y, x, channel)

    To see: in which channels and where the prediction hangs on the pixels, and with which sign.
    """
    rows = 1 + len(radii)
    fig, axes = style.new_figure(rows, len(names), width="wide", height=1.06 * rows + 0.3)
    for k, name in enumerate(names):
        image = inputs[..., k]
        signed = name == "moment1"
        most = max(np.abs(image).max(), 1e-9)
        axes[0, k].imshow(image, cmap=style.VELOCITY if signed else style.DENSITY, vmin=-most if signed else None,
                          vmax=most)  # fmt: skip
        axes[0, k].set_title(name.replace("moment", "mom. "), fontsize=10, loc="center")
    for line, radius, slope in zip(axes[1:], radii, slopes, strict=True):
        most = np.percentile(np.abs(slope), 99.8)
        for ax, one, name in zip(line, np.moveaxis(slope, -1, 0), names, strict=True):
            ax.imshow(one, cmap="PuOr", vmin=-most, vmax=most)
            style.plotted(fig, f"{name}, {radius:.0f} kpc", mean=one.mean(), mean_size=np.abs(one).mean())
        line[0].set_ylabel(f"{radius:.1f} kpc", fontsize=10)
    axes[0, 0].set_ylabel("input", fontsize=10)
    for ax in axes.flat:
        _bare(ax)
    return fig


def stacked(stack: Mapping[str, np.ndarray], radii: Sequence[float], reach: float) -> Figure:
    """Sizes of slopes of all galaxies, turned and scaled to their HI discs, for two radii; and their ratio.

    Parameters
    ----------
    stack : mapping
        Group of channels -> mean maps, shape (2, y, x), each of which sums to 1.
    reach : float
        Half side in units of the HI radius.

    To see: along which axis and how far out the prediction hangs on each kind of input.
    """
    fig, axes = style.new_figure(3, len(stack), width="wide", height=5.4)
    extent = (-reach, reach, -reach, reach)
    for column, (name, maps) in zip(axes.T, stack.items(), strict=True):
        most = np.percentile(maps, 99.9)
        for ax, one, radius in zip(column, maps, radii, strict=False):
            ax.imshow(one, cmap=style.DENSITY, extent=extent, norm=PowerNorm(0.4, 0, most))
            style.plotted(fig, f"{name}, {radius:.0f} kpc, along the major axis", share=one[len(one) // 2])
            style.plotted(fig, f"{name}, {radius:.0f} kpc, along the minor axis", share=one[:, one.shape[1] // 2])
        floor = 0.02 * maps.max()
        ratio = np.log2((maps[1] + floor) / (maps[0] + floor))
        column[2].imshow(ratio, cmap="PuOr", extent=extent, vmin=-1, vmax=1)
        column[0].set_title(name, fontsize=10.5, loc="center")
        for ax in column:
            colour = "#7FD1C7" if ax is not column[2] else "#444444"
            ax.add_patch(Circle((0, 0), 1.0, fill=False, linestyle=(0, (3, 2)), linewidth=1.0, edgecolor=colour))
            _bare(ax)
    for ax, words in zip(axes[:, 0], (*(f"{r:.1f} kpc" for r in radii), "ratio"), strict=True):
        ax.set_ylabel(words, fontsize=10.5)
    return fig


def sanity(
    thumbnails: Sequence[tuple[str, np.ndarray]],
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    references: Mapping[str, float],
) -> Figure:
    """The check of Adebayo et al.: layer after layer made random, from the output down.

    Parameters
    ----------
    thumbnails : sequence of (title, map)
        One galaxy along the cascade.
    curves : mapping
        Name -> rank correlation and SSIM with the learned maps, mean over galaxies, one value a step.
    references : mapping
        Name -> rank correlation, for comparison.

    To see: how soon the map of the trained network is lost, and what likeness is left that nobody learned.
    """
    fig = style.new_figure(width="wide", height=5.0)[0]
    fig.clear()
    top, bottom = fig.subfigures(2, 1, height_ratios=[1, 1.9])
    for ax, (title, one) in zip(top.subplots(1, len(thumbnails)), thumbnails, strict=True):
        size = np.abs(one)
        ax.imshow(size / max(np.percentile(size, 99.8), 1e-30), cmap=style.DENSITY, vmin=0, vmax=1)
        ax.set_title(title, fontsize=8, loc="center")
        _bare(ax)
    axes = bottom.subplots(1, 2, sharey=True)
    looks = [(_INNER, "-"), (_OUTER, "-"), (_INNER, (0, (4, 2))), (_OUTER, (0, (4, 2)))]
    for (name, (ranks, likeness)), (colour, dash) in zip(curves.items(), looks, strict=False):
        share = np.linspace(0, 100, len(ranks))
        for ax, values in zip(axes, (ranks, likeness), strict=True):
            ax.plot(share, values, "o", color=colour, linestyle=dash, label=name, markersize=3.5)
        style.plotted(fig, name, layers_random=share * u.percent, rank_correlation=ranks, ssim=likeness)
    upper = max(references.values(), default=0.0)
    for (name, value), dash in zip(references.items(), ((0, (1, 1)), (0, (5, 2))), strict=False):
        axes[0].axhline(value, color=style.COLOURS["literature"], linestyle=dash, linewidth=1.3)
        how = {"ha": "right", "fontsize": 8.5, "color": style.COLOURS["literature"]}
        below = 3 if value == upper else -11
        axes[0].annotate(name, (100, value), (0, below), textcoords="offset points", **how)
        style.plotted(fig, name, rank_correlation=value)
    for ax, title in zip(axes, ("rank correlation", "structural similarity"), strict=True):
        ax.set(xlabel="layers made random [%]", title=title, ylim=(-0.3, 1.05))
        ax.axhline(0, color="#444444", linewidth=0.7)
    axes[0].set_ylabel("with the trained network's map")
    axes[1].legend(loc="upper right", fontsize=8.5)
    return fig


def matrices(
    matrices: Mapping[str, np.ndarray], edges: np.ndarray, radii: np.ndarray, medians: Mapping[str, np.ndarray]
) -> Figure:
    """Which radii of the image matter for which radii of the profile.

    Parameters
    ----------
    matrices : mapping
        Title -> share of each ring of the image, shape (output, ring); rows sum to 1.
    edges, radii : ndarray
        Of the rings, and of the outputs [kpc].
    medians : mapping
        Title -> radius within which half of the row lies, shape (output,).

    To see: a network that read the mass within R off the image within R would light up along the dashed diagonal.
    """
    fig, axes = style.new_figure(1, len(matrices), width="wide", height=4.0, sharey=True, squeeze=False)
    steps = np.sqrt(radii[1:] * radii[:-1])
    rows = np.concatenate([[radii[0] ** 2 / steps[0]], steps, [radii[-1] ** 2 / steps[-1]]])
    first = np.array([0.7 * edges[1], *edges[1:]]) if edges[0] == 0 else edges
    width = np.log(first[1:] / first[:-1])
    densities = {title: matrix / width for title, matrix in matrices.items()}
    most = max(np.percentile(d, 99.5) for d in densities.values())
    for ax, (title, density) in zip(axes[0], densities.items(), strict=True):
        shown = ax.pcolormesh(first, rows, density, cmap=style.SEQUENTIAL, vmin=0, vmax=most)
        ax.plot(medians[title], radii, "o-", color="white", markersize=3.5, linewidth=1.3)
        ax.plot([1, 100], [1, 100], color="#F4A261", linestyle=(0, (4, 2)), linewidth=1.4)
        ax.set(xscale="log", yscale="log", xlim=(first[0], first[-1]), ylim=(rows[0], rows[-1]), title=title)
        ax.set_xlabel("radius in the image [kpc]")
        ax.grid(visible=False)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:g}")
            axis.set_minor_formatter(NullFormatter())
        ax.set_xticks([2, 5, 10, 20, 50])
        for radius, row, middle in zip(radii, matrices[title], medians[title], strict=True):
            style.plotted(fig, title, output_radius=radius * u.kpc, ring_inner=edges[:-1] * u.kpc,
                          ring_outer=edges[1:] * u.kpc, share=row, median=middle * u.kpc)  # fmt: skip
    axes[0, 0].set_ylabel("radius of the predicted mass [kpc]")
    fig.colorbar(shown, ax=axes[0].tolist(), label="share of a row per ln R", pad=0.02, shrink=0.9)
    return fig


def reach(
    radii: np.ndarray,
    ways: Mapping[str, tuple[np.ndarray, np.ndarray]],
    kinds: Mapping[str, tuple[np.ndarray, np.ndarray]],
    marked: Sequence[float],
) -> Figure:
    """Radius of the image within which half of the saliency lies, against the radius of the predicted mass.

    Parameters
    ----------
    ways, kinds : mapping
        Way to ask, and kind of input -> median over galaxies and its standard error, each of shape (output,).
    marked : sequence of float
        Radii of the talk [kpc].

    To see: a rising line looks further out for mass further out; a flat one looks at the same for all.
    """
    fig, axes = style.new_figure(1, 2, width="wide", height=4.3)
    roles = ["prediction", "embedded", "stars", "gas"]
    for ax, medians, looks, title in (
        (axes[0], ways, roles, "all channels"),
        (axes[1], kinds, [_GROUPS[name] for name in kinds], "kind of input"),
    ):
        for (name, (value, error)), role in zip(medians.items(), looks, strict=True):
            ax.fill_between(radii, value - error, value + error, color=style.COLOURS[role], alpha=0.2, linewidth=0)
            ax.plot(radii, value, marker="o", label=name, markersize=3.2, **style.line(role))
            style.plotted(fig, name, output_radius=radii * u.kpc, image_radius=value * u.kpc, error=error * u.kpc)
        ax.plot(radii, radii, label="the radius itself", **style.line("baseline", linewidth=1.6))
        for radius in marked:
            ax.axvline(radius, color="#BBBBBB", linewidth=0.9, zorder=0)
        ax.set(xscale="log", xlabel="radius of the predicted mass [kpc]", xlim=(1, 100), title=title)
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    for ax, medians in zip(axes, (ways, kinds), strict=True):
        ax.set_ylim(0, 1.85 * max(np.nanmax(value) for value, _ in medians.values()))
    axes[0].set_ylabel("half of the saliency\nlies within [kpc]")
    axes[0].legend(loc="upper left", fontsize=8.5)
    axes[1].legend(loc="upper left", fontsize=8.5)
    return fig


def kinds(radii: np.ndarray, by_slope: Mapping[str, np.ndarray], by_occlusion: Mapping[str, np.ndarray]) -> Figure:
    """How much the prediction at each radius hangs on each kind of input, by slopes and by taking it away.

    Parameters
    ----------
    by_slope : mapping
        Group -> share, shape (output,).
    by_occlusion : mapping
        Group -> root mean square change of ln M when it is another galaxy's, shape (output,).

    To see: where starlight and where the gas carries the prediction, and whether both ways to ask agree.
    """
    fig, axes = style.new_figure(1, 2, width="wide", height=3.6)
    for ax, values, title, label in (
        (axes[0], by_slope, "slope × typical difference", "share"),
        (axes[1], by_occlusion, "exchanged with another galaxy's", r"rms change of $\ln M$"),
    ):
        for name, value in values.items():
            ax.plot(radii, value, label=name, marker="o", markersize=3.2, **style.line(_GROUPS[name]))
            style.plotted(fig, f"{title}, {name}", output_radius=radii * u.kpc, value=value)
        ax.set(xscale="log", xlabel="radius of the predicted mass [kpc]", ylabel=label, title=title, xlim=(1, 100))
        ax.set_ylim(bottom=0)
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes[0].legend(loc="best")
    return fig


def _bare(ax: Axes) -> None:
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
