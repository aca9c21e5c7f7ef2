"""The one style of all figures: size, type, colours with fixed meanings, and the memory of what was plotted.

Colours are taken from Paul Tol's qualitative schemes (SRON/EPS/TN/09-002), which stay apart for the common kinds of
colour blindness; a role also has a line style and a marker of its own, so that no meaning hangs on colour alone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

import matplotlib
import numpy as np
from astropy import units as u
from matplotlib.figure import Figure

#: What a colour means, in every figure of the book.
COLOURS: dict[str, str] = {
    "total": "#222222",
    "dark_matter": "#332288",
    "stars": "#DD7722",
    "gas": "#2A9D8F",
    "hot_gas": "#CC6677",
    "embedded": "#3B6FB0",
    "alternative": "#66B8E0",
    "tng": "#C2410C",
    "literature": "#6B6B6B",
    "observed": "#222222",
    "truth": "#222222",
    "prediction": "#AA3377",
    "baseline": "#A6A6A6",
    "rotation": "#999933",
    "accent": "#882255",
    "reject": "#B8B8B8",
}

LINES: dict[str, str | tuple] = {
    "total": "-",
    "dark_matter": "-",
    "stars": (0, (5, 1.5)),
    "gas": (0, (3, 1.2, 1, 1.2)),
    "hot_gas": (0, (1, 1)),
    "literature": (0, (6, 2)),
    "baseline": (0, (1, 1.2)),
    "rotation": (0, (4, 1.5, 1, 1.5, 1, 1.5)),
    "alternative": (0, (4, 2)),
}

MARKERS: dict[str, str] = {
    "observed": "o",
    "embedded": "o",
    "tng": "s",
    "literature": "D",
    "prediction": "^",
    "rotation": "v",
    "alternative": "P",
    "reject": "x",
}

#: Colour maps by what they show: an ordered quantity, a surface density, a velocity about zero.
SEQUENTIAL = "cividis"
DENSITY = "magma"
VELOCITY = "RdBu_r"

#: Widths [inch]. ``text`` fills the book's column; type stays legible when a phone shrinks it to 360 pixels.
WIDTHS = {"single": 4.4, "text": 6.2, "wide": 7.8}

_RC = {
    "figure.dpi": 110,
    "savefig.dpi": 200,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 11,
    "mathtext.fontset": "dejavusans",
    "axes.labelsize": 11,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 7,
    "axes.linewidth": 0.8,
    "axes.edgecolor": "#444444",
    "axes.labelcolor": "#222222",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "axes.prop_cycle": matplotlib.cycler(color=["#332288", "#DD7722", "#2A9D8F", "#AA3377", "#66B8E0", "#999933"]),
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "xtick.direction": "out",
    "ytick.direction": "out",
    "legend.fontsize": 9.5,
    "legend.frameon": True,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "none",
    "legend.facecolor": "white",
    "legend.handlelength": 2.4,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "errorbar.capsize": 0,
    "image.origin": "lower",
    "image.interpolation": "nearest",
    "image.cmap": SEQUENTIAL,
    "pdf.fonttype": 42,
}


def use() -> None:
    """Make this style matplotlib's own for the rest of the process; `new_figure` does it for you."""
    matplotlib.rcParams.update(_RC)


def new_figure(nrows: int = 1, ncols: int = 1, *, width: str = "text", height: float | None = None, **kw):
    """Make a figure in the book's style, outside of pyplot (nothing is shown twice, nothing stays open).

    Parameters
    ----------
    nrows, ncols : int
        Panels.
    width : {"text", "wide", "single"}
        See `WIDTHS`.
    height : float, optional
        Height [inch]; chosen from the panels' shape when omitted.
    **kw
        Passed to `matplotlib.figure.Figure.subplots` (``sharex``, ``gridspec_kw``, ``squeeze``, ...).

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : Axes or ndarray of Axes
        As `Figure.subplots` returns them.
    """
    if width not in WIDTHS:
        raise ValueError(f"width is one of {', '.join(WIDTHS)}, not {width!r}")
    use()
    inches = WIDTHS[width]
    if height is None:
        panel = inches / ncols
        height = min(nrows * panel * (0.62 if ncols == 1 else 0.9), 9.5)
    fig = Figure(figsize=(inches, height), layout="constrained")
    axes = fig.subplots(nrows, ncols, **kw)
    return fig, axes


def line(role: str, **kw) -> dict:
    """Keyword arguments that draw a line in a role, for example ``ax.plot(r, v, **style.line("stars"))``."""
    return {"color": COLOURS[role], "linestyle": LINES.get(role, "-"), **kw}


def points(role: str, **kw) -> dict:
    """Keyword arguments that draw markers in a role, for `Axes.plot` and `Axes.errorbar`."""
    return {"color": COLOURS[role], "marker": MARKERS.get(role, "o"), "linestyle": "none", **kw}


def plotted(fig: Figure, series: str, **columns) -> None:
    """Remember the numbers behind one series of a figure; `show` writes them beside it.

    Parameters
    ----------
    fig : Figure
    series : str
        What the series is, for example ``"dark matter"``; a name may come again and adds rows.
    **columns
        One-dimensional arrays of equal length, or scalars that are repeated. A Quantity's unit
        goes into the column's name.
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
    _memory(fig).append((series, rows))


def _memory(fig: Figure) -> list[tuple[str, Mapping[str, np.ndarray]]]:
    if not hasattr(fig, "_dmlib_plotted"):
        fig._dmlib_plotted = []
    return fig._dmlib_plotted


def _cell(value) -> str:
    if isinstance(value, (float, np.floating)):
        return format(float(value), ".7g") if np.isfinite(value) else ""
    return str(value)


def csv_text(fig: Figure) -> str:
    """Return what `plotted` remembered as CSV: one row a point, blank where a series has no such column."""
    memory = _memory(fig)
    names = list(dict.fromkeys(name for _, rows in memory for name in rows))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["series", *names])
    for series, rows in memory:
        length = len(next(iter(rows.values()))) if rows else 0
        for i in range(length):
            writer.writerow([series, *(_cell(rows[name][i]) if name in rows else "" for name in names)])
    return out.getvalue()
