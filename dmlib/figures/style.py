"""The style of all figures: sizes, type, the looks of methods and quantities, and the record of what was plotted.

Colours come from Paul Tol's qualitative schemes (SRON/EPS/TN/09-002), which stay distinct for the common kinds of
colour blindness. Looks also differ in line style and marker, so that nothing depends on colour alone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import matplotlib
import numpy as np
import yaml
from astropy import units as u
from matplotlib import font_manager
from matplotlib.figure import Figure

from ..bootstrap import Estimate

#: Dash patterns, as matplotlib's (offset, (on, off, ...)) in units of the line width.
DOTTED, DASHED, DASHDOT = (0, (1, 1.2)), (0, (5, 1.5)), (0, (3, 1.2, 1, 1.2))
SHORT, LONG, DASHDOTDOT = (0, (4, 2)), (0, (6, 2)), (0, (4, 1.5, 1, 1.5, 1, 1.5))
FINE = (0, (2, 1.2))
DASHES = {"dotted": DOTTED, "dashed": DASHED, "dashdot": DASHDOT, "short": SHORT, "long": LONG}
DASHES |= {"dashdotdot": DASHDOTDOT, "fine": FINE}


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


def _read_looks() -> dict[str, Look]:
    """The looks of ``looks.yml``, where a line is "-", a name of `DASHES`, or [offset, dashes]."""
    rows = yaml.safe_load((Path(__file__).parent / "looks.yml").read_text(encoding="utf-8"))
    for row in rows.values():
        line = row.get("line", "-")
        row["line"] = DASHES.get(line, line) if isinstance(line, str) else (line[0], tuple(line[1]))
    return {name: Look(**row) for name, row in rows.items()}


#: The looks of quantities, data sources and methods, by name.
LOOKS: dict[str, Look] = _read_looks()

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

_STYLE = matplotlib.rc_params_from_file(Path(__file__).parent / "book.mplstyle", use_default_template=False)

#: What every figure begins with: matplotlib's own defaults, not a user's matplotlibrc, and the book's style. A session
#: keeps its backend.
_DEFAULTS = {name: value for name, value in matplotlib.rcParamsDefault.items() if "backend" not in name}


def _take_own_fonts() -> None:
    """Let names of fonts that come with matplotlib mean these, whatever the user's list of fonts says."""
    files = sorted((Path(matplotlib.get_data_path()) / "fonts" / "ttf").glob("*.ttf"))
    manager = font_manager.fontManager
    others, manager.ttflist = manager.ttflist, []
    for path in files:
        manager.addfont(path)
    own = {font.name for font in manager.ttflist}
    manager.ttflist += [font for font in others if font.name not in own]


_take_own_fonts()


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
    matplotlib.rcParams.update(_DEFAULTS | _STYLE)
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
        goes into the column's name; the error of an `Estimate` goes into a column ``error``.

    Raises
    ------
    ValueError
        When the columns are not one-dimensional or differ in length.
    """
    table: dict[str, np.ndarray] = {}
    for name, values in columns.items():
        if isinstance(values, u.Quantity) and values.unit != u.dimensionless_unscaled:
            name = f"{name} [{values.unit}]"
        table[name] = np.asarray(getattr(values, "value", values))
        if isinstance(values, Estimate):
            table["error"] = np.asarray(values.error)
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
    writer = csv.DictWriter(out, ["series", *names], restval="", lineterminator="\n")
    writer.writeheader()
    for title, rows in series:
        for values in zip(*rows.values(), strict=True):
            writer.writerow({"series": title} | dict(zip(rows, map(_cell, values), strict=True)))
    return out.getvalue()
