"""Figures of the chapter on neurons, layers and convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from astropy import units as u
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle
from matplotlib.ticker import NullFormatter

from ..primer import layers
from ..primer.layers import Traced
from ..primer.tiny import Pictures, Trained
from . import style

_ARROW = {"arrowstyle": "-|>", "mutation_scale": 11, "color": "#555555", "linewidth": 1.3}


def neuron() -> Figure:
    """A neuron, and the functions that it may end with.

    To see: weighted inputs and a constant are summed, and the sum is bent; without the bend, neurons upon neurons would
    still make a straight line.
    """
    fig, axes = style.new_figure(1, 2, width="wide", height=3.1, gridspec_kw={"width_ratios": [1.45, 1]})
    ax = axes[0]
    ax.set(xlim=(-0.6, 6.6), ylim=(-0.9, 3.4), aspect="equal", title="a neuron")
    ax.axis("off")
    for k, y in enumerate((2.6, 1.3, 0.0)):
        ax.add_patch(Circle((0, y), 0.38, facecolor=style.COLOURS["alternative"], edgecolor="none"))
        ax.text(0, y, f"$x_{k + 1}$", ha="center", va="center")
        ax.add_patch(FancyArrowPatch((0.42, y), (2.35, 1.3 + 0.22 * (y - 1.3)), **_ARROW))
        ax.text(1.25, 1.3 + 0.62 * (y - 1.3) + 0.17, f"$w_{k + 1}$", ha="center", color=style.COLOURS["prediction"])
    for x, words, colour in ((2.9, r"$\sum$", "dark_matter"), (4.5, "bend", "gas")):
        ax.add_patch(Circle((x, 1.3), 0.55, facecolor=style.COLOURS[colour], edgecolor="none"))
        ax.text(x, 1.3, words, ha="center", va="center", color="white", fontsize=13 if "s" in words else 10)
    ax.add_patch(FancyArrowPatch((2.9, -0.25), (2.9, 0.72), **_ARROW))
    ax.text(2.9, -0.5, "constant $b$", ha="center", va="center", color=style.COLOURS["prediction"])
    ax.add_patch(FancyArrowPatch((3.47, 1.3), (3.93, 1.3), **_ARROW))
    ax.text(3.7, 1.75, "$z$", ha="center")
    ax.add_patch(FancyArrowPatch((5.07, 1.3), (5.75, 1.3), **_ARROW))
    ax.text(6.15, 1.3, "$a(z)$", ha="center", va="center")
    z = np.linspace(-3, 3, 241)
    looks = {
        "ReLU": ("gas", "-", 2.6),
        "tanh": ("stars", (0, (5, 1.5)), 1.6),
        "sigmoid": ("literature", (0, (2, 1)), 1.6),
    }
    for name, (role, dash, width) in looks.items():
        value = layers.ACTIVATIONS[name](z)
        axes[1].plot(z, value, color=style.COLOURS[role], linestyle=dash, linewidth=width, label=name)
        style.plotted(fig, name, z=z, a=value)
    axes[1].set(xlabel="sum $z$", ylabel="what the neuron gives, $a(z)$", ylim=(-1.1, 2.1), title="ways to bend")
    axes[1].legend(loc="upper left")
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
    scales : (float, float)
        kpc and km/s of one unit.

    To see: each neuron is a straight line that is cut off at one point; the sum of a few is a curve with as many
    corners, and training moves the corners to where the data bend.
    """
    fig, axes = style.new_figure(1, 3, width="wide", height=3.3, gridspec_kw={"width_ratios": [1.25, 1.25, 1]})
    fine = np.linspace(x.min(), x.max(), 300)[:, None]
    shades = ["#C9B7D8", "#A47BB0", style.COLOURS["prediction"]]
    axes[0].plot(x * scales[0], y * scales[1], ".", color=style.COLOURS["reject"], markersize=4)
    for (step, weights), colour in zip(kept.items(), shades, strict=True):
        value = layers.forward(weights, fine)[-1][:, 0]
        axes[0].plot(fine[:, 0] * scales[0], value * scales[1], color=colour, label=f"{step} steps", linewidth=2)
        style.plotted(fig, f"after {step} steps", position=fine[:, 0] * scales[0] * u.kpc,
                      velocity=value * scales[1] * u.km / u.s)  # fmt: skip
    last = list(kept.values())[-1]
    hidden = layers.forward(last, fine)[1] * last[1][0][:, 0]
    colours = ["#332288", "#88CCEE", "#44AA99", "#117733", "#999933", "#DDCC77", "#CC6677", "#882255"]
    for k, line in enumerate(hidden.T):
        axes[1].plot(fine[:, 0] * scales[0], line * scales[1], color=colours[k % len(colours)], linewidth=1.5)
        style.plotted(fig, f"neuron {k + 1}", position=fine[:, 0] * scales[0] * u.kpc,
                      velocity=line * scales[1] * u.km / u.s)  # fmt: skip
    axes[2].plot(np.arange(len(losses)) + 1, np.sqrt(losses) * scales[1], color=style.COLOURS["total"])
    for step, colour in zip(kept, shades, strict=True):
        axes[2].plot(step + 1, np.sqrt(losses[step]) * scales[1], "o", color=colour, markersize=7)
    axes[2].set(xscale="log", yscale="log", xlabel="step", ylabel="rms error [km s$^{-1}$]", title="training")
    axes[2].yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes[2].yaxis.set_minor_formatter(NullFormatter())
    axes[0].set(xlabel="position [kpc]", ylabel="velocity [km s$^{-1}$]", title="the sum")
    axes[0].legend(loc="upper left", fontsize=8.5, handlelength=1.3, borderpad=0.1)
    most = 2.6 * np.abs(y).max() * scales[1]
    axes[1].set(xlabel="position [kpc]", title="its parts", ylim=(-most, most))
    style.plotted(fig, "data", position=x * scales[0] * u.kpc, velocity=y * scales[1] * u.km / u.s)
    return fig


def gradient_check(steps: np.ndarray, worst: np.ndarray) -> Figure:
    """Backpropagation against difference quotients of several steps.

    To see: they agree to many digits where the step is neither so large that the corner of a ReLU moves across one of
    the data nor so small that the computer's digits run out.
    """
    fig, ax = style.new_figure(width="text", height=3.0)
    ax.plot(steps, worst, "o-", color=style.COLOURS["prediction"])
    ax.set(xscale="log", yscale="log", xlabel="change of a weight in the difference quotient")
    ax.set_ylabel("relative disagreement\nwith backpropagation")
    for x, y, words, side in (
        (0.04, 0.25, "the computer's\ndigits run out", "left"),
        (0.97, 0.5, "hinges move\nacross pixels", "right"),
    ):
        ax.annotate(words, (x, y), xycoords="axes fraction", ha=side, color=style.COLOURS["literature"])
    style.plotted(fig, "disagreement", step=steps, relative=worst)
    return fig


def by_hand(patch: np.ndarray, kernel: np.ndarray, at: tuple[int, int]) -> Figure:
    """One step of a convolution, with its numbers.

    To see: the nine numbers in the frame, each times the number of the kernel at the same place, summed, give the one
    in the frame on the right.
    """
    fig, axes = style.new_figure(
        1, 3, width="wide", height=2.9, gridspec_kw={"width_ratios": [len(patch), 5, len(patch)]}
    )
    out = layers.convolve(patch, kernel, padding="valid")
    size = len(kernel)
    largest = np.abs(kernel).max()
    for ax, values, how, title, form in (
        (axes[0], patch, {"cmap": style.SEQUENTIAL}, "pixels", ".0f"),
        (axes[1], kernel, {"cmap": style.VELOCITY, "vmin": -1.6 * largest, "vmax": 1.6 * largest}, "kernel", ".3g"),
        (
            axes[2],
            out,
            {"cmap": style.VELOCITY, "vmin": -np.abs(out).max(), "vmax": np.abs(out).max()},
            "result",
            ".1f",
        ),
    ):
        shown = ax.imshow(values, **how)
        for (row, column), value in np.ndenumerate(values):
            dark = np.dot(shown.cmap(shown.norm(value))[:3], [0.3, 0.59, 0.11]) < 0.5
            ax.text(column, row, format(value, form).replace("-", "−"), ha="center", va="center",
                    color="white" if dark else "#222222", fontsize=8.5)  # fmt: skip
            style.plotted(fig, title, row=row, column=column, value=value)
        ax.set_title(title)
        _bare(ax)
    frame = {"fill": False, "edgecolor": style.COLOURS["tng"], "linewidth": 2.6}
    axes[0].add_patch(Rectangle((at[1] - 0.5, at[0] - 0.5), size, size, **frame))
    axes[1].add_patch(Rectangle((-0.5, -0.5), size, size, **frame))
    axes[2].add_patch(Rectangle((at[1] - 0.5, at[0] - 0.5), 1, 1, **frame))
    return fig


def kernels(pictures: Mapping[str, np.ndarray]) -> Figure:
    """What four kernels make of a galaxy's light, its HI and its velocities.

    To see: a kernel answers where the image looks like it: blurring keeps what is broad, differences answer to edges
    and to the slope of the velocity, the last one to spots.
    """
    fig, axes = style.new_figure(
        len(pictures), 1 + len(layers.KERNELS), width="wide", height=1.62 * len(pictures) + 0.25
    )
    for line, (name, image) in zip(axes, pictures.items(), strict=True):
        signed = image.min() < -0.3 * image.max()
        low, high = (-np.abs(image).max(), np.abs(image).max()) if signed else (image.min(), image.max())
        line[0].imshow(image, cmap=style.VELOCITY if signed else style.DENSITY, vmin=low, vmax=high)
        line[0].set_ylabel(name, fontsize=10)
        for ax, (title, kernel) in zip(line[1:], layers.KERNELS.items(), strict=True):
            result = layers.convolve(image, kernel)
            edge = len(kernel) // 2
            inner = result[edge:-edge, edge:-edge]
            if title == "blur":
                ax.imshow(result, cmap=style.VELOCITY if signed else style.DENSITY, vmin=low, vmax=high)
            else:
                most = np.percentile(np.abs(inner), 99.7)
                ax.imshow(result, cmap="PuOr", vmin=-most, vmax=most)
            style.plotted(
                fig, f"{name}, {title}", row=np.arange(len(result)), middle_column=result[:, result.shape[1] // 2]
            )
        for ax in line:
            _bare(ax)
    for ax, title in zip(axes[0], ("image", *layers.KERNELS), strict=True):
        ax.set_title(title, fontsize=10, loc="center")
    for ax, kernel in zip(axes[0][1:], layers.KERNELS.values(), strict=True):
        small = ax.inset_axes((0.03, 0.03, 0.26, 0.26))
        small.imshow(kernel, cmap="PuOr", vmin=-np.abs(kernel).max(), vmax=np.abs(kernel).max())
        _bare(small, frame=True)
    return fig


def sizes(results: Mapping[str, np.ndarray]) -> Figure:
    """One image after convolutions and poolings of several kinds, each on its own pixels.

    To see: what each option does to the number of pixels; the picture survives all of them.
    """
    fig, axes = style.new_figure(1, len(results), width="wide", height=1.95)
    for ax, (title, image) in zip(axes, results.items(), strict=True):
        ax.imshow(image, cmap=style.DENSITY)
        ax.set_title(title, fontsize=9, loc="center")
        ax.set_xlabel(f"{image.shape[0]} × {image.shape[1]}", fontsize=10)
        _bare(ax)
        style.plotted(
            fig, title.replace("\n", " "), row=np.arange(len(image)), middle_column=image[:, image.shape[1] // 2]
        )
    return fig


def chance_and_norm(
    image: np.ndarray, dropped: np.ndarray, mean: np.ndarray, raw: np.ndarray, norm: np.ndarray
) -> Figure:
    """Dropout on a feature map, and batch normalisation on the values of several kernels.

    To see: each draw of dropout kills other pixels, and their mean over many draws is the map again; after batch
    normalisation all kernels speak equally loudly.
    """
    fig = style.new_figure(width="wide", height=4.3)[0]
    fig.clear()
    top, bottom = fig.subfigures(2, 1, height_ratios=[1, 1.15])
    panels = top.subplots(1, 2 + len(dropped))
    titles = ["feature map", *(f"draw {k + 1}" for k in range(len(dropped))), "mean of draws"]
    for ax, title, values in zip(panels, titles, [image, *dropped, mean], strict=True):
        ax.imshow(values, cmap=style.DENSITY, vmin=0, vmax=1.6 * image.max() if "draw " in title else image.max())
        ax.set_title(title, fontsize=10, loc="center")
        _bare(ax)
        style.plotted(fig, title, row=np.arange(len(values)), middle_column=values[:, values.shape[1] // 2])
    pair = bottom.subplots(1, 2)
    for ax, values, title in ((pair[0], raw, "before"), (pair[1], norm, "after batch normalisation")):
        bins = np.linspace(*np.percentile(values, [0.2, 99.8]), 70)
        for k, colour in enumerate(("#332288", "#88CCEE", "#44AA99", "#999933", "#CC6677", "#882255")):
            count, _ = np.histogram(values[..., k], bins=bins)
            centre = 0.5 * (bins[1:] + bins[:-1])
            ax.plot(
                centre, np.maximum(count, 0.5) / values[..., k].size, color=colour, drawstyle="steps-mid", linewidth=1.5
            )
            style.plotted(fig, f"kernel {k + 1}, {title}", value=centre, share=count / values[..., k].size)
        ax.set(yscale="log", xlabel="value", ylabel="share of pixels", title=title)
    return fig


def volumes(traced: Sequence[Traced], image: np.ndarray) -> Figure:
    """An architecture as the sizes of what its layers give, from the image to 20 numbers.

    To see: step by step the image loses pixels and gains channels, until nothing of it is left but a list of numbers.
    """
    fig, ax = style.new_figure(width="wide", height=3.5)
    shown = [t for t in traced if t.layer.kind in ("conv", "pool", "dense")]
    x, centres = 0.0, []
    side = 1.0 / image.shape[0]
    ax.imshow(image, cmap=style.DENSITY, extent=(0, 1.6, -0.8, 0.8), zorder=3)
    words = f"{image.shape[0]} × {image.shape[1]}\n{_channels(traced)} channels"
    ax.text(0.8, -1.0, words, ha="center", va="top", fontsize=9)
    x = 1.75
    for t in shown:
        if len(t.shape) == 3:
            high, deep = max(1.6 * t.shape[0] * side, 0.05), 0.10 + 0.0042 * t.shape[2]
            colour = style.COLOURS["embedded" if t.layer.kind == "conv" else "alternative"]
            words = f"{t.shape[0]}×{t.shape[1]}\n×{t.shape[2]}"
        else:
            high, deep = 0.10 + 0.0058 * t.shape[0], 0.16
            colour = style.COLOURS["prediction" if t is shown[-1] else "dark_matter"]
            words = f"{t.shape[0]}"
        x += 0.30
        ax.add_patch(
            Rectangle((x, -high / 2), deep, high, facecolor=colour, edgecolor="white", linewidth=0.8, zorder=3)
        )
        ax.add_patch(FancyArrowPatch((x - 0.27, 0), (x - 0.02, 0), arrowstyle="-|>", mutation_scale=8, color="#777777"))
        centres.append(x + deep / 2)
        lower = len(centres) % 2 == 0 and len(t.shape) == 3
        ax.text(centres[-1], -1.0 - 0.42 * lower, words, ha="center", va="top", fontsize=8.5, color=colour, zorder=4)
        style.plotted(fig, t.layer.words, shape="x".join(map(str, t.shape)), weights=t.weights, field=t.field)
        x += deep
    for words, role, at, y in (
        ("convolution", "embedded", 0, 0.75),
        ("pooling", "alternative", 1, 0.42),
        ("dense", "dark_matter", -3, 0.95),
        (r"$\ln M_i$", "prediction", -1, 0.28),
    ):
        ax.text(centres[at], y, words, ha="center", color=style.COLOURS[role], fontweight="bold", fontsize=9.5)
    ax.set(xlim=(-0.1, x + 0.2), ylim=(-1.85, 1.15), aspect="equal")
    ax.axis("off")
    return fig


def receptive(traced: Sequence[Traced], image: np.ndarray, field_of_view: float) -> Figure:
    """How far one output of each convolution and pooling sees.

    To see: the first kernels see a few kpc, those of the last convolution nearly the whole galaxy; what lies further
    apart can only be compared by the dense layers.
    """
    fig, axes = style.new_figure(1, 2, width="wide", height=3.7, gridspec_kw={"width_ratios": [1, 1.15]})
    half = field_of_view / 2
    pixel = field_of_view / image.shape[0]
    axes[0].imshow(image, cmap="Greys", extent=(-half, half, -half, half), vmin=-0.2, vmax=3.4)
    chosen = [t for t in traced if t.layer.kind in ("conv", "pool")]
    colours = ["#DDCC77", "#DD7722", "#CC6677", "#AA3377", "#332288"]
    for number, (t, colour) in enumerate(zip(chosen, colours, strict=False)):
        side = t.field * pixel
        axes[0].add_patch(Rectangle((-side / 2, -side / 2), side, side, fill=False, edgecolor=colour, linewidth=2))
        axes[1].barh(number, side, color=colour, height=0.6)
        words = f"{t.field} px = {side:.0f} kpc"
        axes[1].annotate(words, (side, number), (4, 0), textcoords="offset points", va="center", fontsize=9.5)
        style.plotted(fig, t.layer.words, field=t.field, side=side * u.kpc)
    widest = max(half, chosen[-1].field * pixel / 2) * 1.04
    axes[0].set(xlim=(-widest, widest), ylim=(-widest, widest), xlabel="kpc", ylabel="kpc", title="on the sky")
    axes[0].grid(visible=False)
    axes[1].set_yticks(range(len(chosen)), [f"{t.layer.kind} {i // 2 + 1}" for i, t in enumerate(chosen)])
    axes[1].invert_yaxis()
    axes[1].set(xlabel="side of the receptive field [kpc]", title="layer by layer")
    axes[1].set_xlim(0, 1.45 * chosen[-1].field * pixel)
    axes[1].axvline(field_of_view, **style.line("literature", linewidth=1.2))
    return fig


def tiny(trained: Trained, validation: Pictures) -> Figure:
    """The small network's training, and its answers for galaxies that it has not seen.

    To see: how the two errors come down together, from that of the mean (dotted); and where it errs most.
    """
    fig, axes = style.new_figure(1, 2, width="wide", height=3.6)
    epochs = np.arange(1, len(trained.train) + 1)
    for values, name, role in (
        (trained.train, "training views", "embedded"),
        (trained.validation, "validation views", "accent"),
    ):
        axes[0].plot(epochs, values, "o-", color=style.COLOURS[role], label=name)
        style.plotted(fig, name, epoch=epochs, rms_cos_i=values)
    axes[0].axhline(validation.cosine.std(), label="mean: knowing nothing", **style.line("baseline", linewidth=2))
    axes[0].set(xlabel="epoch", ylabel=r"rms error of $\cos i$", title="training")
    axes[0].set_ylim(bottom=0)
    axes[0].legend(loc="lower left")
    axes[1].plot([0, 1], [0, 1], **style.line("literature", linewidth=1.2))
    axes[1].plot(validation.cosine, trained.predicted, "o", color=style.COLOURS["prediction"], alpha=0.55, markersize=4)
    axes[1].set(xlabel=r"true $\cos i$", ylabel=r"predicted $\cos i$", title="validation views", xlim=(-0.02, 1.02))
    axes[1].set_box_aspect(1)
    axes[1].annotate("edge-on", (0.02, 0.94), xycoords="axes fraction", color=style.COLOURS["literature"])
    axes[1].annotate("face-on", (0.98, 0.03), xycoords="axes fraction", ha="right", color=style.COLOURS["literature"])
    style.plotted(fig, "answers", true=validation.cosine, predicted=trained.predicted)
    return fig


def features(pictures: np.ndarray, maps: np.ndarray, labels: Sequence[str]) -> Figure:
    """What the trained first layer makes of some galaxies: one column a kernel.

    To see: kernels that nobody designed; some answer to one side of a disc or to one direction, some to nothing.
    """
    n_kernels = maps.shape[-1]
    fig, axes = style.new_figure(len(pictures), 1 + n_kernels, width="wide", height=0.93 * len(pictures) + 0.3)
    most = np.maximum(maps.max(axis=(0, 1, 2)), 1e-6)
    for line, picture, answer, label in zip(axes, pictures, maps, labels, strict=True):
        line[0].imshow(picture[..., 0], cmap=style.DENSITY, vmin=0, vmax=2.4)
        line[0].set_ylabel(label, fontsize=9)
        for k in range(n_kernels):
            line[k + 1].imshow(answer[..., k], cmap=style.SEQUENTIAL, vmin=0, vmax=most[k])
            style.plotted(fig, f"{label}, kernel {k + 1}", mean=answer[..., k].mean(), largest=answer[..., k].max())
        for ax in line:
            _bare(ax)
    for k, ax in enumerate(axes[0]):
        ax.set_title("r band" if k == 0 else f"{k}", fontsize=10, loc="center")
    return fig


def _channels(traced: Sequence[Traced]) -> int:
    first = traced[0]
    return (first.weights // first.layer.units - 1) // first.layer.size**2


def _bare(ax: Axes, *, frame: bool = False) -> None:
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(frame)
