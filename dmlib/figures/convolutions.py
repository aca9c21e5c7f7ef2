"""Figures of the chapter on neurons, layers and convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from astropy import units as u
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle

from ..primer import layers
from ..primer.layers import Pictures, Step, Trained
from . import style
from .panels import KMS, beside, curve, note, outlined, picture, plain, titles, two_rows

#: Colours that are too light for words, and what stands for them there.
_INK = {"alternative": "#22759B"}

_ARROW: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 11, "color": "#555555", "linewidth": 1.3}


def neuron() -> Figure:
    """A neuron, and activation functions.

    To see: the weighted inputs and a constant are summed, and the sum passes a non-linear function; without it, any
    number of layers would still be a linear function.
    """
    fig, (ax, right) = style.new_figure(1, 2, height=3.1, width_ratios=[1.45, 1])
    ax.set(xlim=(-0.6, 6.6), ylim=(-0.9, 3.4), aspect="equal", title="a neuron")
    ax.axis("off")
    weight = {"ha": "center", "color": style.COLOURS["prediction"]}
    for k, y in enumerate((2.6, 1.3, 0.0)):
        ax.add_patch(Circle((0, y), 0.38, facecolor=style.COLOURS["alternative"], edgecolor="none"))
        ax.text(0, y, f"$x_{k + 1}$", ha="center", va="center")
        ax.add_patch(FancyArrowPatch((0.42, y), (2.35, 1.3 + 0.22 * (y - 1.3)), **_ARROW))
        ax.text(1.25, 1.3 + 0.62 * (y - 1.3) + 0.17, f"$w_{k + 1}$", **weight)
    for x, words, colour, size in ((2.9, r"$\sum$", "dark_matter", 13), (4.5, "bend", "gas", 10)):
        ax.add_patch(Circle((x, 1.3), 0.55, facecolor=style.COLOURS[colour], edgecolor="none"))
        ax.text(x, 1.3, words, ha="center", va="center", color="white", fontsize=size)
    for start, end in (((2.9, -0.25), (2.9, 0.72)), ((3.47, 1.3), (3.93, 1.3)), ((5.07, 1.3), (5.75, 1.3))):
        ax.add_patch(FancyArrowPatch(start, end, **_ARROW))
    ax.text(2.9, -0.5, "constant $b$", va="center", **weight)
    ax.text(3.7, 1.75, "$z$", ha="center")
    ax.text(6.15, 1.3, "$a(z)$", ha="center", va="center")
    z = np.linspace(-3, 3, 241)
    looks = {
        "ReLU": ("gas", "-", 2.6),
        "tanh": ("stars", style.DASHED, 1.6),
        "sigmoid": ("literature", (0, (2, 1)), 1.6),
    }
    for name, (role, dash, width) in looks.items():
        curve(right, name, {"z": z, "a": layers.ACTIVATIONS[name](z)}, role, linestyle=dash, linewidth=width)
    right.set(xlabel="sum $z$", ylabel="output of the neuron, $a(z)$", ylim=(-1.1, 2.1), title="ways to bend")
    right.legend(loc="upper left")
    return fig


def hinges(
    x: np.ndarray, y: np.ndarray, kept: Mapping[int, layers.Weights], losses: np.ndarray, scales: tuple[float, float]
) -> Figure:
    """A layer of a few ReLU neurons learns a rotation curve.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Scaled position and velocity.
    kept : mapping
        Step -> weights.
    losses : ndarray, shape (steps + 1,)
        Mean squared error after each step, scaled.
    scales : (float, float)
        kpc and km/s of one unit.

    To see: each neuron is a straight line that is cut off at one point; the sum of a few is a curve with as many
    corners, and training moves the corners to where the data bend.
    """
    fig, (left, middle, right) = style.new_figure(1, 3, height=3.3, width_ratios=[1.25, 1.25, 1])
    fine = np.linspace(x.min(), x.max(), 300)[:, None]
    position = {"position": fine[:, 0] * scales[0] * u.kpc}
    left.plot(x * scales[0], y * scales[1], **style.points("reject", marker=".", markersize=4))
    shades = ["#C9B7D8", "#A47BB0", style.COLOURS["prediction"]]
    for (step, weights), shade in zip(kept.items(), shades, strict=True):
        velocity = layers.forward(weights, fine)[-1][:, 0] * scales[1] * KMS
        columns, label = {**position, "velocity": velocity}, f"{step} steps"
        curve(left, f"after {step} steps", columns, label=label, color=shade, linewidth=2)
    last = list(kept.values())[-1]
    hidden = layers.forward(last, fine)[1] * last[1][0][:, 0]
    for k, (part, colour) in enumerate(zip(hidden.T, cycle(style.CYCLE), strict=False)):
        curve(middle, f"neuron {k + 1}", {**position, "velocity": part * scales[1] * KMS}, color=colour, linewidth=1.5)
    right.plot(np.arange(len(losses)) + 1, np.sqrt(losses) * scales[1], **style.line("total"))
    for step, shade in zip(kept, shades, strict=True):
        right.plot(step + 1, np.sqrt(losses[step]) * scales[1], "o", color=shade, markersize=7)
    right.set(xscale="log", yscale="log", xlabel="step", ylabel="rms error [km s$^{-1}$]", title="training")
    plain(right.yaxis)
    left.set(xlabel="position [kpc]", ylabel="velocity [km s$^{-1}$]", title="the sum")
    left.legend(loc="upper left", fontsize=8.5, handlelength=1.3, borderpad=0.1)
    most = 2.6 * np.abs(y).max() * scales[1]
    middle.set(xlabel="position [kpc]", ylabel="contribution [km s$^{-1}$]", title="its parts", ylim=(-most, most))
    style.plotted(fig, "data", position=x * scales[0] * u.kpc, velocity=y * scales[1] * KMS)
    return fig


def gradient_check(steps: np.ndarray, worst: np.ndarray) -> Figure:
    """Backpropagation against finite differences of several step sizes.

    To see: they agree to many digits where the step is neither so large that the corner of a ReLU crosses one of the
    data nor so small that rounding errors dominate.
    """
    fig, ax = style.new_figure(height=3.0, ylabel="relative disagreement\nwith backpropagation")
    curve(ax, "disagreement", {"step": steps, "relative": worst}, "prediction", marker="o")
    ax.set(xscale="log", yscale="log", xlabel="change of a weight in the difference quotient")
    note(ax, 0.04, 0.25, "rounding errors\ndominate", color=style.COLOURS["literature"])
    note(ax, 0.985, 0.5, "hinges move\nacross data", ha="right", color=style.COLOURS["literature"])
    return fig


def by_hand(patch: np.ndarray, kernel: np.ndarray, at: tuple[int, int]) -> Figure:
    """One step of a convolution, with its numbers.

    To see: the nine numbers in the frame, each times the number of the kernel at the same place, add up to the number
    in the frame on the right.
    """
    fig, axes = style.new_figure(1, 3, height=2.9, width_ratios=[len(patch), 5, len(patch)])
    result = layers.convolve(patch, kernel, padding="valid")
    size = len(kernel)
    for ax, values, title, form, cmap, most in (
        (axes[0], patch, "pixels", ".0f", style.SEQUENTIAL, None),
        (axes[1], kernel, "kernel", ".3g", style.VELOCITY, 1.6 * np.abs(kernel).max()),
        (axes[2], result, "result", ".1f", style.VELOCITY, np.abs(result).max()),
    ):
        shown = picture(ax, values, cmap, most and -most, most, title=title)
        for (row, column), value in np.ndenumerate(values):
            dark = np.dot(shown.cmap(shown.norm(value))[:3], [0.3, 0.59, 0.11]) < 0.5
            how = {"ha": "center", "va": "center", "color": "white" if dark else "#222222", "fontsize": 8.5}
            ax.text(column, row, format(value, form).replace("-", "−"), **how)
            style.plotted(fig, title, row=row, column=column, value=value)
    for ax, (row, column), side in ((axes[0], at, size), (axes[1], (0, 0), size), (axes[2], at, 1)):
        frame: dict[str, Any] = {"fill": False, "edgecolor": style.COLOURS["tng"], "linewidth": 2.6}
        ax.add_patch(Rectangle((column - 0.5, row - 0.5), side, side, **frame))
    return fig


def kernels(pictures: Mapping[str, np.ndarray]) -> Figure:
    """Four kernels applied to a galaxy's light, its HI and its velocities.

    To see: the result is large where the image resembles the kernel: blurring keeps broad structure, differences
    respond to edges and to the gradient of the velocity, the last kernel to spots.
    """
    fig, axes = style.new_figure(len(pictures), 1 + len(layers.KERNELS), height=1.62 * len(pictures) + 0.25)
    for line, (name, image) in zip(axes, pictures.items(), strict=True):
        signed, most = image.min() < -0.3 * image.max(), np.abs(image).max()
        look = (style.VELOCITY, -most, most) if signed else (style.DENSITY, image.min(), image.max())
        picture(line[0], image, *look)
        line[0].set_ylabel(name, fontsize=10)
        for ax, (title, kernel) in zip(line[1:], layers.KERNELS.items(), strict=True):
            result = layers.convolve(image, kernel)
            edge = len(kernel) // 2
            most = np.percentile(np.abs(result[edge:-edge, edge:-edge]), 99.7)
            picture(ax, result, *(look if title == "blur" else (style.SIGNED, -most, most)))
            _record_column(fig, f"{name}, {title}", result)
    titles(axes[0], ("image", *layers.KERNELS))
    for ax, kernel in zip(axes[0][1:], layers.KERNELS.values(), strict=True):
        most = np.abs(kernel).max()
        picture(ax.inset_axes((0.03, 0.03, 0.26, 0.26)), kernel, style.SIGNED, -most, most, frame=True)
    return fig


def sizes(results: Mapping[str, np.ndarray]) -> Figure:
    """One image after convolutions and poolings of several kinds, each on its own pixels.

    To see: how each option changes the number of pixels; the image remains recognisable in all of them.
    """
    fig, axes = style.new_figure(1, len(results), height=1.95)
    for ax, (title, image) in zip(axes, results.items(), strict=True):
        picture(ax, image, style.DENSITY)
        ax.set_xlabel(f"{image.shape[0]} × {image.shape[1]}", fontsize=10)
        _record_column(fig, title.replace("\n", " "), image)
    titles(axes, results, 9)
    return fig


def chance_and_norm(
    image: np.ndarray, dropped: np.ndarray, mean: np.ndarray, raw: np.ndarray, norm: np.ndarray
) -> Figure:
    """Dropout on a feature map, and batch normalisation on the values of several kernels.

    To see: each draw of dropout removes other pixels, and the mean over many draws is the map again; after batch
    normalisation all kernels have the same mean and spread.
    """
    fig, panels, pair = two_rows(4.3, 1.15, 2 + len(dropped))
    heads = ["feature map", *(f"draw {k + 1}" for k in range(len(dropped))), "mean of draws"]
    for ax, title, values in zip(panels, heads, [image, *dropped, mean], strict=True):
        picture(ax, values, style.DENSITY, 0, (1.6 if "draw " in title else 1.0) * image.max())
        _record_column(fig, title, values)
    titles(panels, heads)
    for ax, title, values in zip(pair, ("before", "after batch normalisation"), (raw, norm), strict=True):
        low, high = np.percentile(values, [0.2, 99.8])
        bins = np.linspace(low, high, 70)
        centre, pixels = 0.5 * (bins[1:] + bins[:-1]), values[..., 0].size
        for k, colour in enumerate(("#332288", "#88CCEE", "#44AA99", "#999933", "#CC6677", "#882255")):
            count, _ = np.histogram(values[..., k], bins=bins)
            ax.plot(centre, np.maximum(count, 0.5) / pixels, color=colour, drawstyle="steps-mid", linewidth=1.5)
            style.plotted(fig, f"kernel {k + 1}, {title}", value=centre, share=count / pixels)
        ax.set(yscale="log", xlabel="value", ylabel="share of pixels", title=title)
    return fig


def volumes(traced: Sequence[Step], image: np.ndarray, channels: int) -> Figure:
    """An architecture as the sizes of the outputs of its layers, from the image to 20 numbers.

    To see: step by step the image loses pixels and gains channels, until only a list of numbers is left.
    """
    fig, ax = style.new_figure(width=style.WIDE, height=3.5)
    shown = [t for t in traced if t.kind in ("conv", "pool", "dense")]
    ax.imshow(image, cmap=style.DENSITY, extent=(0, 1.6, -0.8, 0.8), zorder=3)
    words = f"{image.shape[0]} × {image.shape[1]}\n{channels} channels"
    ax.text(0.8, -1.0, words, ha="center", va="top", fontsize=9)
    x, centres = 1.75, []
    roles = {"conv": "embedded", "pool": "alternative", "dense": "dark_matter"}
    for t in shown:
        if len(t.shape) == 3:
            high, deep = max(1.6 * t.shape[0] / image.shape[0], 0.05), 0.10 + 0.0042 * t.shape[2]
            words = f"{t.shape[0]}×{t.shape[1]}\n×{t.shape[2]}"
        else:
            high, deep, words = 0.10 + 0.0058 * t.shape[0], 0.16, f"{t.shape[0]}"
        colour = style.COLOURS["prediction" if t is shown[-1] else roles[t.kind]]
        x += 0.30
        box: dict[str, Any] = {"facecolor": colour, "edgecolor": "white", "linewidth": 0.8, "zorder": 3}
        ax.add_patch(Rectangle((x, -high / 2), deep, high, **box))
        ax.add_patch(FancyArrowPatch((x - 0.27, 0), (x - 0.02, 0), arrowstyle="-|>", mutation_scale=8, color="#777777"))
        centres.append(x + deep / 2)
        lower = len(centres) % 2 == 0 and len(t.shape) == 3
        ax.text(centres[-1], -1.0 - 0.42 * lower, words, ha="center", va="top", fontsize=8.5, color="#444444", zorder=4)
        style.plotted(fig, t.words, shape="x".join(map(str, t.shape)), weights=t.weights, field=t.field)
        x += deep
    for words, role, k, y in (
        ("convolution", "embedded", 0, 0.75),
        ("pooling", "alternative", 1, 0.42),
        ("dense", "dark_matter", -3, 0.95),
        (r"$\ln M_i$", "prediction", -1, 0.28),
    ):
        ink = _INK.get(role, style.COLOURS[role])
        ax.text(centres[k], y, words, ha="center", color=ink, fontweight="bold", fontsize=9.5)
    ax.set(xlim=(-0.1, x + 0.2), ylim=(-1.85, 1.15), aspect="equal")
    ax.axis("off")
    return fig


def architecture(steps: Sequence[Step]) -> Figure:
    """An architecture as its layers, from the image at the top to the output at the bottom.

    To see: which paths an image takes, where they meet, and how the pixels become a few numbers.
    """
    # A box, from one to the next, and where at its side a path ends (above the middle) or starts (below) [inch].
    wide, high, across, down, aside = 2.34, 0.24, 2.6, 0.36, 0.05
    lanes, rows = (1 + max(getattr(step, name) for step in steps) for name in ("lane", "row"))
    x = [across * step.lane for step in steps]
    y = [-down * step.row for step in steps]
    taken = {(step.lane, step.row) for step in steps}
    fig, ax = style.new_figure(width=across * lanes + 0.25, height=down * rows + 0.1)
    roles = {"conv": "embedded", "pool": "gas", "fixed": "stars", "dense": "dark_matter", "output": "prediction"}
    half, arrow = high / 2, {"arrowstyle": "-|>", "color": "#666666", "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0}
    for k, step in enumerate(steps):
        for j in step.after:
            between = range(steps[j].row + 1, step.row)
            if step.lane == steps[j].lane and not between:
                path = [(x[j], y[j] - half), (x[k], y[k] + half)]
            elif step.lane > steps[j].lane:
                path = [(x[j] + wide / 2, y[j] - aside), (x[k], y[j] - aside), (x[k], y[k] + half)]
            elif step.lane < steps[j].lane and not any((steps[j].lane, row) in taken for row in between):
                path = [(x[j], y[j] - half), (x[j], y[k] + aside), (x[k] + wide / 2, y[k] + aside)]
            else:
                # Past other boxes of the lane, at their right.
                start, turn, end = y[j] - aside, x[j] + across / 2, y[k] + aside
                path = [(x[j] + wide / 2, start), (turn, start), (turn, end), (x[k] + wide / 2, end)]
            ax.plot(*zip(*path[:-1], strict=True), color="#666666", linewidth=1.1, zorder=1)
            ax.annotate("", path[-1], path[-2], arrowprops=arrow, zorder=1)
        colour = style.COLOURS[roles[step.kind]] if step.kind in roles else "#5A5A5A"
        box: Any = {"boxstyle": "round,pad=0,rounding_size=0.05", "facecolor": colour, "edgecolor": "none", "zorder": 2}
        ax.add_patch(FancyBboxPatch((x[k] - wide / 2, y[k] - half), wide, high, **box))
        shape = "×".join(map(str, step.shape))
        for words, side, align in ((step.words, -1, "left"), (shape, 1, "right")):
            place = (x[k] + side * (wide / 2 - 0.06), y[k] - 0.01)
            ax.text(*place, words, ha=align, va="center", fontsize=8, color="white", zorder=3)
        style.plotted(fig, step.words, shape=shape, weights=step.weights, row=step.row, lane=step.lane)
    ax.set(xlim=(-wide / 2 - 0.05, x[0] + across * (lanes - 1) + wide / 2 + 0.2), aspect="equal")
    ax.set_ylim(-down * (rows - 1) - half - 0.05, half + 0.05)
    ax.axis("off")
    return fig


def receptive(traced: Sequence[Step], image: np.ndarray, field_of_view: float) -> Figure:
    """Receptive field of each convolution and pooling.

    To see: the first kernels cover a few kpc, those of the last convolution nearly the whole galaxy; pixels further
    apart are only combined by the dense layers.
    """
    fig, (left, right) = style.new_figure(1, 2, height=3.7, width_ratios=[1, 1.15])
    half, pixel = field_of_view / 2, field_of_view / image.shape[0]
    left.imshow(image, cmap="Greys", extent=(-half, half, -half, half), vmin=-0.2, vmax=3.4)
    chosen = [t for t in traced if t.kind in ("conv", "pool")]
    colours = ["#DDCC77", "#DD7722", "#CC6677", "#AA3377", "#332288"]
    for number, (t, colour) in enumerate(zip(chosen, colours, strict=False)):
        side = t.field * pixel
        left.add_patch(Rectangle((-side / 2, -side / 2), side, side, fill=False, edgecolor=colour, linewidth=2))
        right.barh(number, side, color=colour, height=0.6)
        words = f"{t.field} px = {side:.0f} kpc"
        beside(right, words, (side, number), (4, 0), va="center", fontsize=9.5, path_effects=outlined("black"))
        style.plotted(fig, t.words, field=t.field, side=side * u.kpc)
    last = chosen[-1].field * pixel
    widest = max(half, last / 2) * 1.04
    left.set(xlim=(-widest, widest), ylim=(-widest, widest), title="on the sky")
    left.set(xlabel="offset from the centre [kpc]", ylabel="offset [kpc]")
    left.grid(visible=False)
    right.set_yticks(range(len(chosen)), [f"{t.kind} {i // 2 + 1}" for i, t in enumerate(chosen)])
    right.invert_yaxis()
    right.set(xlabel="side of the receptive field [kpc]", title="layer by layer", xlim=(0, 1.45 * last))
    right.axvline(field_of_view, **style.line("literature", linewidth=1.2))
    return fig


def tiny(trained: Trained, validation: Pictures) -> Figure:
    """The small network's training, and its predictions for galaxies that it was not trained on.

    To see: how the two errors decrease together, from that of the mean (dotted); and where the errors are largest.
    """
    fig, (left, right) = style.new_figure(1, 2, height=3.6)
    epochs = np.arange(1, len(trained.train) + 1)
    errors = {"training views": trained.train, "validation views": trained.validation}
    for (name, values), role in zip(errors.items(), ("embedded", "accent"), strict=True):
        curve(left, name, {"epoch": epochs, "rms_cos_i": values}, role, marker="o")
    left.axhline(validation.cosine.std(), label="mean, ignoring the image", **style.line("baseline", linewidth=2))
    left.set(xlabel="epoch", ylabel=r"rms error of $\cos i$", title="training", ylim=(0, None))
    left.legend(loc="lower left")
    right.plot([0, 1], [0, 1], **style.line("literature", linewidth=1.2))
    look = style.points("prediction", marker="o", alpha=0.55, markersize=4)
    curve(right, "answers", {"true": validation.cosine, "predicted": trained.predicted}, look)
    right.set(xlabel=r"true $\cos i$ (0: edge-on, 1: face-on)", ylabel=r"predicted $\cos i$", title="validation views")
    right.set(xlim=(-0.02, 1.02), box_aspect=1)
    return fig


def features(pictures: np.ndarray, maps: np.ndarray, labels: Sequence[str]) -> Figure:
    """Feature maps of the trained first layer for some galaxies: one column for each kernel.

    To see: kernels that nobody designed; some respond to one side of a disc or to one direction, some to nothing.
    """
    n_kernels = maps.shape[-1]
    fig, axes = style.new_figure(len(pictures), 1 + n_kernels, height=0.93 * len(pictures) + 0.3)
    most = np.maximum(maps.max(axis=(0, 1, 2)), 1e-6)
    for line, image, answer, label in zip(axes, pictures, maps, labels, strict=True):
        picture(line[0], image[..., 0], style.DENSITY, 0, 2.4)
        line[0].set_ylabel(label, fontsize=9)
        for k, (ax, one) in enumerate(zip(line[1:], np.moveaxis(answer, -1, 0), strict=True)):
            picture(ax, one, style.SEQUENTIAL, 0, most[k])
            style.plotted(fig, f"{label}, kernel {k + 1}", mean=one.mean(), largest=one.max())
    titles(axes[0], ["r band", *map(str, range(1, 1 + n_kernels))])
    return fig


def _record_column(fig: Figure, title: str, image: np.ndarray) -> None:
    """Record the middle column of an image."""
    style.plotted(fig, title, row=np.arange(len(image)), middle_column=image[:, image.shape[1] // 2])
