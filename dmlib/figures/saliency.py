"""Figures of the chapter on saliency: on which pixels and channels the predictions depend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy import units as u
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from ..bootstrap import Estimate
from ..observe.sky import SkyGrid
from . import style
from .panels import Arrays, Pairs, beside, curve, grid, picture, plain, radius_axis, row_labels, titles, two_rows, zero

_GROUPS = {"starlight": "stars", "HI column": "gas", "velocity": "prediction", "dispersion": "literature"}
_OUTPUT = "radius of the predicted mass [kpc]"


def methods(
    pictures: Sequence[tuple[str, np.ndarray]], maps: Arrays, radii: Sequence[float], sky: SkyGrid, seen: np.ndarray
) -> Figure:
    """One galaxy, by four methods: on which pixels the predicted mass within two radii depends.

    Parameters
    ----------
    pictures : sequence of (title, image)
        As many as `radii`: what the network is given.
    maps : mapping
        Method -> maps, shape (radius, y, x), of any sign; absolute values are shown, each divided by its largest.
    radii : sequence of float
        Of the outputs [kpc]; drawn as dashed circles.
    sky : SkyGrid
    seen : ndarray of bool, shape (y, x)
        Pixels with HI, outlined.

    To see: whether the methods agree on the important pixels; and whether the two rows differ.
    """
    fig, axes = style.new_figure(len(radii), 1 + len(maps), height=1.72 * len(radii) + 0.35)
    for i, (line, radius, (title, image)) in enumerate(zip(axes, radii, pictures, strict=True)):
        most = np.abs(image).max()
        cmap, low = (style.VELOCITY, -most) if image.min() < -0.2 * most else ("Greys", 0)
        picture(line[0], image, cmap, low, most, extent=sky.extent)
        line[0].set_title(title, fontsize=10, loc="center")
        for ax, (name, both) in zip(line[1:], maps.items(), strict=True):
            size = np.abs(both[i])
            _saliency(ax, size, extent=sky.extent)
            ax.contour(sky.centres, sky.centres, seen.astype(float), [0.5], colors="white", linewidths=0.7, alpha=0.8)
            series, middle = f"{name}, {radius:.0f} kpc, middle column", size[:, size.shape[1] // 2]
            style.plotted(fig, series, y=sky.centres * u.kpc, size=middle)
        for ax in line:
            _circle(ax, radius)
    titles(axes[0, 1:], maps)
    row_labels(axes, [f"$M(<{radius:.1f}$ kpc)" for radius in radii], 10.5)
    return fig


def channels(inputs: np.ndarray, slopes: np.ndarray, names: Sequence[str], radii: Sequence[float]) -> Figure:
    """Gradient of the prediction in every channel of one galaxy: purple where a larger value raises it, else orange.

    Parameters
    ----------
    inputs : ndarray, shape (y, x, channel)
    slopes : ndarray, shape (radius, y, x, channel)

    To see: in which channels and where the prediction depends on the pixels, and with which sign.
    """
    rows = 1 + len(radii)
    fig, axes = style.new_figure(rows, len(names), height=1.06 * rows + 0.3)
    for ax, name, image in zip(axes[0], names, np.moveaxis(inputs, -1, 0), strict=True):
        most = max(np.abs(image).max(), 1e-9)
        cmap, low = (style.VELOCITY, -most) if name == "moment1" else (style.DENSITY, None)
        picture(ax, image, cmap, low, most)
    titles(axes[0], [name.replace("moment", "mom. ") for name in names])
    for line, radius, slope in zip(axes[1:], radii, slopes, strict=True):
        # Square roots, or a few pixels of one channel would leave all others white.
        most = np.sqrt(np.percentile(np.abs(slope), 99.8))
        for ax, one, name in zip(line, np.moveaxis(slope, -1, 0), names, strict=True):
            picture(ax, np.sign(one) * np.sqrt(np.abs(one)), style.SIGNED, -most, most)
            style.plotted(fig, f"{name}, {radius:.0f} kpc", mean=one.mean(), mean_size=np.abs(one).mean())
    row_labels(axes, ("input", *(f"{radius:.1f} kpc" for radius in radii)), 10)
    return fig


def stacked(stack: Arrays, radii: Sequence[float], reach: float) -> Figure:
    """Absolute gradients of all galaxies, rotated and scaled to their HI discs, for two radii; and their ratio.

    Parameters
    ----------
    stack : mapping
        Group of channels -> mean maps, shape (2, y, x), each of which sums to 1.
    reach : float
        Half side in units of the HI radius.

    To see: along which axis and how far out the prediction depends on each kind of input.
    """
    fig, axes = style.new_figure(3, len(stack), height=5.4)
    extent = (-reach, reach, -reach, reach)
    for column, (name, maps) in zip(axes.T, stack.items(), strict=True):
        norm = PowerNorm(0.4, 0, np.percentile(maps, 99.9))
        for ax, one, radius in zip(column, maps, radii, strict=False):
            picture(ax, one, style.DENSITY, extent=extent, norm=norm)
            style.plotted(fig, f"{name}, {radius:.0f} kpc, along the major axis", share=one[len(one) // 2])
            style.plotted(fig, f"{name}, {radius:.0f} kpc, along the minor axis", share=one[:, one.shape[1] // 2])
        floor = 0.02 * maps.max()
        picture(column[2], np.log2((maps[1] + floor) / (maps[0] + floor)), style.SIGNED, -1, 1, extent=extent)
        for ax, colour in zip(column, ("#7FD1C7", "#7FD1C7", "#444444"), strict=True):
            _circle(ax, 1.0, linewidth=1.0, edgecolor=colour)
    titles(axes[0], stack, 10.5)
    row_labels(axes, (*(f"{r:.1f} kpc" for r in radii), "ratio"), 10.5)
    return fig


def sanity(thumbnails: Sequence[tuple[str, np.ndarray]], curves: Pairs, references: Mapping[str, float]) -> Figure:
    """The test of Adebayo et al.: the weights are randomised layer after layer, from the output down.

    Parameters
    ----------
    thumbnails : sequence of (title, map)
        One galaxy along the cascade.
    curves : mapping
        Name -> rank correlation and SSIM with the learned maps, mean over galaxies, one value a step.
    references : mapping
        Name -> rank correlation, for comparison.

    To see: how soon the map of the trained network is lost, and how much similarity remains that was not learned.
    """
    fig, panels, (left, right) = two_rows(5.0, 1.9, len(thumbnails), sharey=True)
    for ax, (_, one) in zip(panels, thumbnails, strict=True):
        _saliency(ax, np.abs(one))
    titles(panels, [title for title, _ in thumbnails], 8)
    looks = [(role, dash) for dash in ("-", style.SHORT) for role in ("stars", "dark_matter")]
    for (name, (ranks, likeness)), (role, dash) in zip(curves.items(), looks, strict=False):
        look = style.line(role, linestyle=dash, marker="o", markersize=3.5)
        share = np.linspace(0, 100, len(ranks))
        curve(left, name, {"layers_random": share * u.percent, "rank_correlation": ranks, "ssim": likeness}, look)
        right.plot(share, likeness, label=name, **look)
    upper, grey = max(references.values(), default=0.0), style.COLOURS["literature"]
    for (name, value), dash in zip(references.items(), ((0, (1, 1)), (0, (5, 2))), strict=False):
        zero(left, value, color=grey, linestyle=dash, linewidth=1.3)
        beside(left, name, (100, value), (0, 3 if value == upper else -11), ha="right", fontsize=8.5, color=grey)
        style.plotted(fig, name, rank_correlation=value)
    for ax, title in ((left, "rank correlation"), (right, "structural similarity")):
        ax.set(xlabel="layers made random [%]", title=title, ylim=(-0.3, 1.05))
        zero(ax, color="#444444", linewidth=0.7)
    left.set_ylabel("with the trained network's map")
    fig.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=len(curves), fontsize=9)
    return fig


def matrices(matrices: Arrays, edges: np.ndarray, radii: np.ndarray, medians: Arrays) -> Figure:
    """Dependence of each radius of the profile on each radius of the image.

    Parameters
    ----------
    matrices : mapping
        Title -> share of each ring of the image, shape (output, ring); rows sum to 1.
    edges, radii : ndarray
        Of the rings, and of the outputs [kpc].
    medians : mapping
        Title -> radius within which half of the row lies, shape (output,).

    To see: if a network inferred the mass within R from the image within R, the dashed diagonal would be bright.
    """
    fig, _, panels = grid(len(matrices), len(matrices), 4.0, sharey=True, ylabel=_OUTPUT)
    steps = np.sqrt(radii[1:] * radii[:-1])
    rows = np.concatenate([[radii[0] ** 2 / steps[0]], steps, [radii[-1] ** 2 / steps[-1]]])
    first = np.array([0.7 * edges[1], *edges[1:]]) if edges[0] == 0 else edges
    densities = {title: matrix / np.log(first[1:] / first[:-1]) for title, matrix in matrices.items()}
    most = max(np.percentile(d, 99.5) for d in densities.values())
    for ax, (title, density) in zip(panels, densities.items(), strict=True):
        shown = ax.pcolormesh(first, rows, density, cmap=style.SEQUENTIAL, vmin=0, vmax=most)
        ax.plot(medians[title], radii, "o-", color="white", markersize=3.5, linewidth=1.3)
        ax.plot([1, 100], [1, 100], color="#F4A261", linestyle=style.SHORT, linewidth=1.4)
        radius_axis(ax, label="radius in the image [kpc]", xlim=(first[0], first[-1]), yscale="log")
        ax.set(ylim=(rows[0], rows[-1]), title=title, xticks=[2, 5, 10, 20, 50])
        ax.grid(visible=False)
        plain(ax.yaxis)
        rings = {"ring_inner": edges[:-1] * u.kpc, "ring_outer": edges[1:] * u.kpc}
        for radius, row, middle in zip(radii, matrices[title], medians[title], strict=True):
            style.plotted(fig, title, output_radius=radius * u.kpc, **rings, share=row, median=middle * u.kpc)
    fig.colorbar(shown, ax=panels, label="share of a row per ln R", pad=0.02, shrink=0.9)
    return fig


def hidden(edges: np.ndarray, lost: Mapping[str, Sequence[Estimate]], radii: Sequence[float]) -> Figure:
    """Change of the prediction when one ring of the image is hidden, against the ring's radius.

    Parameters
    ----------
    edges : ndarray, shape (ring + 1,)
        [kpc]
    lost : mapping
        What the ring is hidden behind -> for each of `radii` the mean absolute change of ln M, one value a ring.
    radii : sequence of float
        Of the outputs [kpc].

    To see: two series of the same shape take both masses from the same pixels; else the larger mass lies further right.
    """
    fig, axes = style.new_figure(1, len(lost), height=3.8, ylabel=r"mean $|\Delta\ln M|$")
    middle = 0.5 * (edges[1:] + edges[:-1])
    for ax, (name, pair) in zip(axes, lost.items(), strict=True):
        for radius, one, role in zip(radii, pair, ("stars", "dark_matter"), strict=True):
            columns = {"ring": middle * u.kpc, "change": one}
            look = style.line(role, marker="o", markersize=3.5, linewidth=1.0)
            curve(ax, f"{name}, {radius:.1f} kpc", columns, look, label=rf"$M(<{radius:.1f}$ kpc)", bars=True)
            ax.hlines(one.value, edges[:-1], edges[1:], color=style.COLOURS[role], linewidth=0.8)
        ax.set(xlabel="radius in the image [kpc]", title=f"hidden behind: {name}", xlim=(0, edges[-1]), ylim=(0, None))
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(radii), fontsize=9)
    return fig


def reach(radii: np.ndarray, ways: Pairs, kinds: Pairs, marked: Sequence[float]) -> Figure:
    """Radius of the image within which half of the saliency lies, against the radius of the predicted mass.

    Parameters
    ----------
    ways, kinds : mapping
        Saliency method, and kind of input -> median over galaxies and its standard error, each of shape (output,).
    marked : sequence of float
        Radii of the talk [kpc].

    To see: where a line rises, mass further out depends on pixels further out; a flat line uses the same pixels for
    all radii.
    """
    fig, axes = style.new_figure(1, 2, height=4.3, ylabel="half of the saliency\nlies within [kpc]")
    roles = dict(zip(ways, ("prediction", "embedded", "stars", "gas"), strict=False)) | _GROUPS
    for ax, medians, title in ((axes[0], ways, "all channels"), (axes[1], kinds, "kind of input")):
        for name, (value, error) in medians.items():
            columns = {"output_radius": radii * u.kpc, "image_radius": value * u.kpc, "error": error * u.kpc}
            curve(ax, name, columns, roles[name], band=True, marker="o", markersize=3.2)
        ax.plot(radii, radii, label="the radius itself", **style.line("baseline", linewidth=1.6))
        for radius in marked:
            ax.axvline(radius, color="#BBBBBB", linewidth=0.9, zorder=0)
        highest = max(np.nanmax(value) for value, _ in medians.values())
        radius_axis(ax, label=_OUTPUT, title=title, ylim=(0, 1.85 * highest))
        ax.legend(loc="upper left", fontsize=8.5)
    return fig


def kinds(radii: np.ndarray, by_slope: Arrays, by_occlusion: Mapping[str, Estimate]) -> Figure:
    """Dependence of the prediction at each radius on each kind of input, by gradients and by occlusion.

    Parameters
    ----------
    by_slope : mapping
        Group -> share, shape (output,).
    by_occlusion : mapping
        Group -> root mean square change of ln M when it is another galaxy's, Estimate of shape (output,).

    To see: where the prediction relies on starlight and where on the gas, and whether both methods agree.
    """
    fig, axes = style.new_figure(1, 2, height=3.6)
    for ax, values, title, label in (
        (axes[0], by_slope, "slope × typical difference", "share"),
        (axes[1], by_occlusion, "exchanged with another galaxy's", r"rms change of $\ln M$"),
    ):
        for name, value in values.items():
            columns = {"output_radius": radii * u.kpc, "value": value}
            band = isinstance(value, Estimate)
            curve(ax, f"{title}, {name}", columns, _GROUPS[name], label=name, marker="o", markersize=3.2, band=band)
        radius_axis(ax, label=_OUTPUT, ylabel=label, title=title, ylim=(0, None))
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(by_slope), fontsize=9)
    return fig


def _saliency(ax: Axes, size: np.ndarray, **kw: Any) -> None:
    """Show absolute gradients, divided by their 99.8th percentile."""
    picture(ax, size / max(np.percentile(size, 99.8), 1e-30), style.DENSITY, 0, 1, **kw)


def _circle(ax: Axes, radius: float, linewidth: float = 1.1, edgecolor: str = "#7FD1C7") -> None:
    ax.add_patch(Circle((0, 0), radius, fill=False, linestyle=(0, (3, 2)), linewidth=linewidth, edgecolor=edgecolor))
