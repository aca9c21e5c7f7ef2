"""Figures of the chapter on other universes: errors by universe of training and of test, alarms, and adaptation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from ..bootstrap import Estimate
from ..evaluation.robustness import SHOWN, SILENT, Robustness, roc_curve
from ..evaluation.universes import KINDS, VARIATIONS
from . import style
from .panels import ERROR, beside, curve, grid, signed, ticks, zero

#: Titles and looks of the methods.
METHODS = {"network": "network C", "boosted": "boosted trees", "rotation": "rotation-curve fit"}
_LOOKS = {"network": "C", "boosted": "baseline/boosted", "rotation": "halo/contracted"}

_REGIONS = {"inner": "1 to 5 kpc", "intermediate": "5 to 50 kpc", "outer": "50 to 100 kpc"}

_WAYS = {"plain": "fiducial", "mixture": "mixture", "matched": "matched", "target": "target itself"}


def train_test(found: Robustness, region: str = "intermediate") -> Figure:
    """Errors of three methods by the universes of training (rows) and of the test (columns).

    Numbers are mean |dM/M| in per cent; colours, the ratio to the same method trained in the universe of the test.

    To see: a dark column is a universe where only training at home helps, a dark row one that teaches the wrong thing.
    """
    label = "error over that of the same method trained in the universe of the test"
    matrices = {}
    for method in METHODS:
        error, ratio = found.errors(method, region), found.ratio(method, region)
        columns = {"error": error.value, "error_error": error.error, "ratio": ratio.value, "ratio_error": ratio.error}
        matrices[method] = ratio.value, 100.0 * error.value, columns
    fig, bar = _matrices(
        found, matrices, "{:.0f}".format, LogNorm(0.6, 1.0 / 0.6), style.SIGNED + "_r", label, extend="both"
    )
    bar.set_ticks([0.6, 0.8, 1.0, 1.25, 1.67], labels=["0.6", "0.8", "1", "1.25", "1.67"])
    bar.minorticks_off()
    return fig


def biases(found: Robustness, region: str = "intermediate") -> Figure:
    """Bias of three methods in units of the error that they state, as `train_test`.

    To see: opposite signs on the two sides of the diagonal, where haloes of one universe are too light for another.
    """
    label = r"mean of $\ln(M_\mathrm{predicted}/M_\mathrm{true})$ in units of the stated error"
    found_of = {method: found.bias(method, region) for method in METHODS}
    matrices = {m: (b.value, b.value, {"bias": b.value, "bias_error": b.error}) for m, b in found_of.items()}
    return _matrices(found, matrices, signed, Normalize(-2.0, 2.0), style.VELOCITY, label, extend="both")[0]


def from_fiducial(found: Robustness) -> Figure:
    """Ratio of the errors abroad and at home, for methods trained in the fiducial universe, at three ranges of radius.

    To see: at which radii a difference between universes matters, and whether it does to all methods alike.
    """
    fig, _, panels = grid(len(SHOWN), len(SHOWN), 4.6, sharey=True, extra=0.4)
    home = found.place("fiducial")
    others = [k for k in range(len(found.names)) if k != home]
    universes = [found.titles[k] for k in others]
    for ax, region in zip(panels, SHOWN, strict=True):
        ax.axvline(1.0, color=style.COLOURS["total"], linewidth=1.0)
        for shift, (method, title) in zip((-0.22, 0.0, 0.22), METHODS.items(), strict=True):
            ratio, y = found.ratio(method, region)[home, others], np.arange(len(others)) + shift
            look = style.points(_LOOKS[method], markersize=5, elinewidth=1.2)
            ax.errorbar(ratio.value, y, xerr=ratio.error, label=title, **look)
            style.plotted(fig, f"{title}, {region}", universe=universes, ratio=ratio)
        ax.set(title=_REGIONS[region], xlabel="error abroad / at home", xscale="log")
        _plain_ratios(ax)
        ax.set_yticks(range(len(others)), universes)
        ax.set_ylim(len(others) - 0.4, -0.6)
    fig.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return fig


def roc(found: Robustness, home: str = "fiducial") -> Figure:
    """ROC curves of the alarms of one universe: how well each tells the galaxies of the other universes.

    To see: a curve along the diagonal is an alarm that knows nothing; towards the upper left corner it rings for nearly
    all galaxies of another universe and for few of its own.
    """
    titles = {"latent": "in the network's latent space", "observables": "in observables"}
    fig, _, panels = grid(2, 2, 3.9, sharey=True, extra=1.3)
    k = found.place(home)
    others = [j for j in range(len(found.names)) if j != k]
    lines = ("-", "-", style.DOTTED, style.DASHED, style.DASHDOT)
    colours = (*style.CYCLE, style.COLOURS["stars"], style.COLOURS["total"])
    for ax, (alarm, title) in zip(panels, titles.items(), strict=True):
        areas = found.areas(alarm)
        ax.plot([0, 1], [0, 1], color=style.COLOURS["baseline"], linewidth=1.0)
        for number, j in enumerate(others):
            kind = KINDS.index(VARIATIONS[found.names[j]].kind)
            false, true = roc_curve(found.alarms[alarm][k, k], found.alarms[alarm][k, j])
            heard = areas.value[k, j] >= SILENT
            look = {"color": colours[number], "linestyle": lines[kind], "linewidth": 2.0 if heard else 1.0}
            look["alpha"] = 1.0 if heard else 0.55
            columns = {"false_alarms": false, "true_alarms": true, "area": areas.value[k, j]}
            curve(ax, f"{title}: {found.titles[j]}", columns, look, label=found.titles[j])
        ax.set(title=title, xlabel="false alarms", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    panels[0].set_ylabel("true alarms")
    fig.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    return fig


def alarm_and_error(found: Robustness, home: str = "fiducial", region: str = "intermediate") -> Figure:
    """Area under the ROC curve against the ratio of the errors abroad and at home, for the network of one universe.

    To see: at the lower right the error is large and the alarm is silent.
    """
    fig, ax = style.new_figure(height=4.2, width=style.WIDE)
    k = found.place(home)
    others = [j for j in range(len(found.names)) if j != k]
    areas, ratio = found.areas("latent")[k, others], found.ratio("network", region)[k, others]
    universes, look = [found.titles[j] for j in others], style.points("C", markersize=6, elinewidth=1.0)
    ax.errorbar(ratio.value, areas.value, xerr=ratio.error, yerr=areas.error, **look)
    style.plotted(fig, "network", universe=universes, ratio=ratio.value, area=areas.value)
    for number, name in enumerate(universes, start=1):
        ax.plot([], [], linestyle="none", marker=f"${number}$", markersize=8, color=style.COLOURS["total"], label=name)
    # From above: numbers of points that nearly coincide would cover each other, so that each takes a free side.
    sides = ((4, 4), (-11, 4), (4, -13), (-11, -13))
    placed: list[tuple[float, float, tuple[int, int]]] = []
    for j in np.argsort(-areas.value):
        x, y = ratio.value[j], areas.value[j]
        taken = {side for a, b, side in placed if abs(np.log(x / a)) < 0.04 and abs(y - b) < 0.035}
        side = next((side for side in sides if side not in taken), sides[0])
        beside(ax, str(j + 1), (x, y), side, fontsize=9, fontweight="bold")
        placed.append((x, y, side))
    fig.legend(loc="outside right upper", fontsize=9)
    zero(ax, SILENT, linestyle="--")
    ax.axvline(1.0, color=style.COLOURS["total"], linewidth=1.0)
    ax.set(xlabel="error abroad / at home", ylabel="area under the ROC curve", xscale="log")
    _plain_ratios(ax)
    return fig


def adaptation(found: Robustness, region: str = "intermediate") -> Figure:
    """Errors in three universes of networks that were trained in four ways.

    To see: whether ``mixture`` or ``matched`` comes from ``fiducial`` nearer to ``target itself``.
    """
    fig, ax = style.new_figure(height=3.9)
    errors, titles = found.adaptation(region), [VARIATIONS[target].title for target in found.targets]
    looks = {"plain": "baseline/mean", "mixture": "B", "matched": "C", "target": "truth"}
    for number, (way, label) in enumerate(_WAYS.items()):
        error = Estimate.joined(errors[target][way] for target in found.targets)
        x = np.arange(len(found.targets)) + 0.16 * (number - 1.5)
        look = style.points(looks[way], markersize=6.5, elinewidth=1.3)
        ax.errorbar(x, error.value, error.error, label=label, **look)
        style.plotted(fig, label, universe=titles, error=error.value, uncertainty=error.error)
    ax.set_xticks(range(len(titles)), titles, fontsize=9.5)
    ax.set(ylabel=ERROR, ylim=(0, None))
    ax.legend(title="trained on", ncols=4, loc="upper left")
    ax.set_ylim(0, 1.35 * ax.get_ylim()[1])
    return fig


def real_rows(table: Table, targets: Mapping[str, str]) -> Figure:
    """Formulas of real TNG100 and EAGLE galaxies, applied at home and abroad.

    Parameters
    ----------
    table : Table
        Rows of ``records/other_simulation.json``.
    targets : mapping
        Target -> what it is called.

    To see: near zero within a simulation; across simulations far from zero where they differ in what is not seen.
    """
    fig, _, panels = grid(len(targets), len(targets), 3.2, extra=0.5)
    inputs = list(dict.fromkeys(table["inputs"]))
    for ax, (target, title) in zip(panels, targets.items(), strict=True):
        chosen = table[table["target"] == target]
        pairs = list(dict.fromkeys(zip(chosen["train"], chosen["test"], strict=True)))
        for shift, (words, look) in zip((-0.13, 0.13), zip(inputs, ("stars", "C"), strict=True), strict=True):
            rows = chosen[chosen["inputs"] == words]
            value, error = np.asarray(rows["bias"]), np.asarray(rows["bias_error"])
            y = np.arange(len(pairs)) + shift
            how = style.points(look, markersize=5.5, elinewidth=1.2)
            ax.errorbar(value, y, xerr=error, label=words.replace("r_half", r"$r_{1/2}$"), **how)
            columns = {"train": rows["train"], "test": rows["test"], "bias": value, "error": error}
            style.plotted(fig, f"{title}: {words}", **columns, mean_relative_error=rows["relative"])
        ax.axvline(0.0, color=style.COLOURS["total"], linewidth=1.0)
        ax.set_yticks(range(len(pairs)), [f"{train}\n→ {test}" for train, test in pairs], fontsize=9)
        ax.set_ylim(len(pairs) - 0.5, -0.5)
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("mean ln(predicted/true)", fontsize=9.5)
    fig.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return fig


def _matrices(
    found: Robustness,
    matrices: Mapping[str, tuple],
    how: Callable[[float], str],
    norm: Normalize,
    cmap: str,
    label: str,
    **bar: Any,
) -> tuple[Figure, Colorbar]:
    """A matrix for each method, of coloured cells with numbers, with lines between the kinds of universes.

    `matrices` has colours, numbers and what is recorded; `how` writes a number. Also returns the colour bar.
    """
    fig, axes = style.new_figure(len(METHODS), 1, height=12.0, width=style.WIDE, sharex=True)
    train, test = np.repeat(found.titles, len(found.names)), np.tile(found.titles, len(found.names))
    names, kinds = range(len(found.names)), [VARIATIONS[name].kind for name in found.names]
    for ax, (method, title) in zip(axes, METHODS.items(), strict=True):
        colours, numbers, columns = matrices[method]
        shown = ax.imshow(np.ma.masked_invalid(colours), norm=norm, cmap=cmap, aspect="auto", origin="upper")
        for (i, j), number in np.ndenumerate(numbers):
            if np.isfinite(number):
                place = float(norm(colours[i, j])) if np.isfinite(colours[i, j]) else 0.5
                ink = "white" if abs(place - 0.5) > 0.35 else "black"
                ax.text(j, i, how(number), ha="center", va="center", fontsize=8, color=ink)
        ax.set_xticks(names, found.titles, rotation=40, ha="right", fontsize=8.5)
        ax.set_yticks(names, found.titles, fontsize=8.5)
        ax.set(ylabel="trained in", title=title)
        ax.grid(visible=False)
        for k in (k for k in names[1:] if kinds[k] != kinds[k - 1]):
            ax.axhline(k - 0.5, color="white", linewidth=2.5)
            ax.axvline(k - 0.5, color="white", linewidth=2.5)
        style.plotted(fig, title, train=train, test=test, **{name: values.ravel() for name, values in columns.items()})
    axes[-1].set_xlabel("tested in")
    return fig, fig.colorbar(shown, ax=list(axes), location="bottom", fraction=0.02, pad=0.01, label=label, **bar)


def _plain_ratios(ax: Axes) -> None:
    """Ticks of a logarithmic axis of ratios near 1, as plain numbers."""
    low, high = ax.get_xlim()
    ticks(ax.xaxis, [x for x in (0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0) if low <= x <= high])


def rows_of(found: Robustness, method: str, train: str = "fiducial") -> list[dict[str, object]]:
    """Rows of a table: what a method trained in one universe does in each."""
    k = found.place(train)
    errors = {region: found.errors(method, region) for region in SHOWN}
    bias, cover, ratio = found.bias(method), found.coverage(method), found.ratio(method)
    rows: list[dict[str, object]] = []
    for j, title in enumerate(found.titles):
        row: dict[str, object] = {"tested in": title}
        row |= {_REGIONS[region]: _words(estimate, (k, j), ".0%") for region, estimate in errors.items()}
        row |= {"over home": _words(ratio, (k, j), ".2f"), "bias": _words(bias, (k, j), "+.2f")}
        rows.append(row | {"within 1 sigma": _words(cover, (k, j), ".0%")})
    return rows


def _words(found: Estimate, cell: Sequence[int], how: str) -> str:
    value, error = found.value[tuple(cell)], found.error[tuple(cell)]
    return f"{value:{how}} ± {error:{how.lstrip('+')}}" if np.isfinite(value) else ""
