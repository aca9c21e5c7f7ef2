"""The style of all figures: sizes, type, the looks of methods and quantities, and the record of what was plotted.

Colours come from Paul Tol's qualitative schemes (SRON/EPS/TN/09-002), which stay distinct for the common kinds of
colour blindness. Looks also differ in line style and marker, so that nothing depends on colour alone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import matplotlib
import numpy as np
from astropy import units as u
from cycler import cycler
from matplotlib.figure import Figure

#: Dash patterns, as matplotlib's (offset, (on, off, ...)) in units of the line width.
DOTTED, DASHED, DASHDOT = (0, (1, 1.2)), (0, (5, 1.5)), (0, (3, 1.2, 1, 1.2))
SHORT, LONG, DASHDOTDOT = (0, (4, 2)), (0, (6, 2)), (0, (4, 1.5, 1, 1.5, 1, 1.5))
FINE = (0, (2, 1.2))


@dataclass(frozen=True)
class Look:
    """How one method or quantity is drawn in every figure.

    Parameters
    ----------
    colour : str
    line : str or (offset, dashes)
    marker : str
    width : float, optional
        Line width [point]; that of the style when omitted.
    """

    colour: str
    line: str | tuple = "-"
    marker: str = "o"
    width: float | None = None


#: The looks of quantities, data sources and methods. A new architecture or set of inputs needs an entry here only to
#: get a look of its own; without one it is drawn as ``other``.
LOOKS: dict[str, Look] = {
    # Matter.
    "total": Look("#222222"),
    "dark_matter": Look("#332288"),
    "stars": Look("#DD7722", DASHED),
    "gas": Look("#2A9D8F", DASHDOT),
    "hot_gas": Look("#CC6677", (0, (1, 1))),
    # Sources of data.
    "embedded": Look("#3B6FB0"),
    "alternative": Look("#66B8E0", SHORT, "P"),
    "tng": Look("#C2410C", marker="s"),
    "literature": Look("#6B6B6B", LONG, "D"),
    "observed": Look("#222222"),
    # Truth and answers.
    "truth": Look("#222222"),
    "prediction": Look("#AA3377", marker="^"),
    "baseline": Look("#A6A6A6", DOTTED),
    "rotation": Look("#999933", DASHDOTDOT, "v"),
    "accent": Look("#882255"),
    "reject": Look("#B8B8B8", marker="x"),
    # Architectures.
    "A": Look("#332288", "-", "o", 1.9),
    "A_scripts": Look("#66B8E0", DASHED, "s", 1.9),
    "B": Look("#2A9D8F", DASHDOT, "D", 1.9),
    "C": Look("#AA3377", "-", "^", 1.9),
    "ResNet50": Look("#DD7722", DASHDOTDOT, "v", 1.9),
    "other": Look("#999933", "-", "P", 1.9),
    # Predictions without a network: greys, told apart by their dashes.
    "baseline/random": Look("#BBBBBB", DOTTED, width=1.4),
    "baseline/mean": Look("#8A8A8A", width=1.4),
    "baseline/linear": Look("#555555", (0, (5, 2)), "s", 1.4),
    "baseline/boosted": Look("#222222", DASHDOT, "D", 1.4),
    # Sets of inputs: light in oranges, HI in greens, both in purples.
    "inputs/all": Look("#AA3377", "-", "^", 1.9),
    "inputs/SDSS_URZ_HI_012": Look("#C45A93", DASHED, "v", 1.9),
    "inputs/SDSS_I_HI_012": Look("#DFA0C0", FINE, "<", 1.9),
    "inputs/photometry": Look("#B3520B", "-", "o", 1.9),
    "inputs/SDSS_URZ": Look("#DD7722", DASHED, "s", 1.9),
    "inputs/SDSS_I": Look("#EFA968", FINE, "D", 1.9),
    "inputs/hi": Look("#17695F", "-", "P", 1.9),
    "inputs/HI_0": Look("#2A9D8F", DASHED, "X", 1.9),
    "inputs/HI_1": Look("#6CC4B8", DASHDOT, "d", 1.9),
    "inputs/HI_2": Look("#9AA84B", FINE, "h", 1.9),
    # Halo models.
    "halo/nfw": Look("#332288"),
    "halo/burkert": Look("#882255", DASHED),
    "halo/isothermal": Look("#CC6677", (0, (1, 1))),
    "halo/einasto": Look("#3B6FB0", DASHDOT),
    "halo/dc14": Look("#2A9D8F", LONG),
    "halo/corenfw": Look("#DD7722", (0, (4, 1.5, 1, 1.5))),
    # The comparison of networks with rotation curves.
    "comparison/nfw": Look("#999933"),
    "comparison/burkert": Look("#DD7722", DASHED),
    "comparison/nfw_lcdm": Look("#2A9D8F", DASHDOT),
    "comparison/all": Look("#AA3377"),
    "comparison/hi": Look("#3B6FB0", DASHED),
    "comparison/photometry": Look("#66B8E0", DASHDOT),
    "comparison/mean": Look("#A6A6A6", DOTTED),
    "comparison/boosted": Look("#6B6B6B", LONG),
}

COLOURS: dict[str, str] = {name: look.colour for name, look in LOOKS.items()}

#: Colours of things that have no meaning of their own, such as the neurons of a layer.
CYCLE = ("#332288", "#88CCEE", "#44AA99", "#117733", "#999933", "#DDCC77", "#CC6677", "#882255")

#: Colour maps: an ordered quantity, a surface density, a velocity about zero, a signed weight about zero.
SEQUENTIAL = "cividis"
DENSITY = "magma"
VELOCITY = "RdBu_r"
SIGNED = "PuOr"

#: Widths [inch] of one panel and of several. The first fills the book's column; type stays legible when a phone shrinks
#: it to 360 pixels.
TEXT, WIDE = 6.2, 7.8

# Groups of matplotlib's settings.
_RC: dict[Any, dict[str, Any]] = {
    "figure": {"dpi": 110},
    "savefig": {"dpi": 200},
    "font": {"sans-serif": ["DejaVu Sans"], "size": 11},
    "axes": {"labelsize": 11, "titlesize": 11, "titleweight": "bold", "titlelocation": "left", "titlepad": 7},
    "axes.spines": {"top": False, "right": False},
    "grid": {"color": "#E4E4E4", "linewidth": 0.6},
    "xtick": {"labelsize": 10, "color": "#444444"},
    "ytick": {"labelsize": 10, "color": "#444444"},
    "legend": {"fontsize": 9.5, "framealpha": 0.85, "edgecolor": "none", "facecolor": "white", "handlelength": 2.4},
    "lines": {"linewidth": 1.8, "markersize": 4.5},
    "image": {"origin": "lower", "interpolation": "nearest", "cmap": SEQUENTIAL},
    "pdf": {"fonttype": 42},
}
_RC["axes"] |= {"edgecolor": "#444444", "labelcolor": "#222222", "grid": True, "axisbelow": True}
_RC["axes"]["prop_cycle"] = cycler(color=["#332288", "#DD7722", "#2A9D8F", "#AA3377", "#66B8E0", "#999933"])


def new_figure(
    nrows: int = 1, ncols: int = 1, *, height: float = 3.7, width: float = 0.0, ylabel: str = "", **kw: Any
) -> tuple[Figure, Any]:
    """Make a figure in the book's style, outside of pyplot (nothing is shown twice, nothing stays open).

    The style becomes that of matplotlib for the rest of the process.

    Parameters
    ----------
    nrows, ncols : int
        Panels.
    height, width : float
        [inch]; the width is `TEXT` for one column of panels and `WIDE` for several when omitted.
    ylabel : str
        Label of the vertical axes of the first column.
    **kw
        Passed to `matplotlib.figure.Figure.subplots` (``sharex``, ``width_ratios``, ``squeeze``, ...).

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : Axes or ndarray of Axes
        As `Figure.subplots` returns them.

    """
    for group, values in _RC.items():
        matplotlib.rc(group, **values)
    fig = Figure(figsize=(width or (TEXT if ncols == 1 else WIDE), height), layout="constrained")
    axes = fig.subplots(nrows, ncols, **kw)
    for ax in fig.axes[::ncols]:
        ax.set_ylabel(ylabel)
    return fig, axes


def method(name: str, family: str = "") -> str:
    """Find the name of the look of a prediction.

    Parameters
    ----------
    name : str
        As in ``predictions.hdf5``: ``"<architecture>/<inputs>"`` or ``"baseline/<name>"``.
    family : str
        Family of looks in which the part after the stroke is searched first, for example ``"inputs"``.

    Returns
    -------
    str
        A key of `LOOKS`; ``"other"`` when there is none.
    """
    first, _, last = name.partition("/")
    keys = (name, first) if not family or first == "baseline" else (f"{family}/{last}", name, first)
    return next((key for key in keys if key in LOOKS), "other")


def line(name: str, **kw: Any) -> dict[str, Any]:
    """Keyword arguments that draw a line in a look, for example ``ax.plot(r, v, **style.line("stars"))``."""
    if not name:
        return kw
    look = LOOKS[name]
    width = {} if look.width is None else {"linewidth": look.width}
    return {"color": look.colour, "linestyle": look.line, **width, **kw}


def points(name: str, **kw: Any) -> dict[str, Any]:
    """Keyword arguments that draw markers in a look, for `Axes.plot` and `Axes.errorbar`."""
    return {"color": LOOKS[name].colour, "marker": LOOKS[name].marker, "linestyle": "none", **kw}


_PLOTTED: WeakKeyDictionary[Figure, list[tuple[str, Mapping[str, np.ndarray]]]] = WeakKeyDictionary()


def plotted(fig: Figure, series: str, **columns: Any) -> None:
    """Record the numbers behind one series of a figure; `show` writes them beside it.

    Parameters
    ----------
    fig : Figure
    series : str
        What the series is, for example ``"dark matter"``; a repeated name adds rows.
    **columns
        One-dimensional arrays of equal length, or scalars that are repeated. The unit of a Quantity
        goes into the column's name.

    Raises
    ------
    ValueError
        When the columns are not one-dimensional or differ in length.
    """
    table: dict[str, np.ndarray] = {}
    for name, values in columns.items():
        if isinstance(values, u.Quantity):
            if values.unit != u.dimensionless_unscaled:
                name = f"{name} [{values.unit}]"
            values = values.value
        table[name] = np.asarray(values)
    lengths = {values.size for values in table.values() if values.ndim == 1}
    if any(values.ndim > 1 for values in table.values()) or len(lengths) > 1:
        shapes = ", ".join(f"{name} {values.shape}" for name, values in table.items())
        raise ValueError(f"the columns of series '{series}' are not one-dimensional and of equal length: {shapes}")
    length = lengths.pop() if lengths else 1
    rows = {name: np.broadcast_to(values, (length,)) for name, values in table.items()}
    _PLOTTED.setdefault(fig, []).append((series, rows))


def recorded(fig: Figure) -> list[tuple[str, Mapping[str, np.ndarray]]]:
    """Return what `plotted` recorded: the name of each series and its columns."""
    return _PLOTTED.get(fig, [])


def _cell(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return format(float(value), ".7g") if np.isfinite(value) else ""
    return str(value)


def csv_text(fig: Figure) -> str:
    """Return what `plotted` recorded as CSV: one row a point, blank where a series has no such column."""
    series = recorded(fig)
    names = list(dict.fromkeys(name for _, rows in series for name in rows))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["series", *names])
    for title, rows in series:
        length = len(next(iter(rows.values()))) if rows else 0
        for i in range(length):
            writer.writerow([title, *(_cell(rows[name][i]) if name in rows else "" for name in names)])
    return out.getvalue()
