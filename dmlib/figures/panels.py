"""Parts that many figures share: curves with bands, maps without axes, axes with plain numbers, grids of panels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from astropy import units as u
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import NullFormatter

from . import style

RADIUS = "radius $R$ [kpc]"
ERROR = r"mean $|\Delta M/M|$"
LOG_ERROR = r"rms error of $\ln M$"
STELLAR_MASS = r"stellar mass [M$_\odot$]"
KMS = u.km / u.s
DENSITY = u.Msun / u.pc**2

#: Colour of pixels without a value: neither the lowest colour of a map nor the paper.
BLANK = "#D8D8D8"


def curve(
    fig: Figure,
    ax: Axes,
    series: str,
    look: Mapping[str, Any],
    *,
    label: str | None = None,
    band: tuple[np.ndarray, np.ndarray] | None = None,
    alpha: float = 0.16,
    bars: np.ndarray | None = None,
    ordinate: str = "",
    **columns: Any,
) -> None:
    """Draw and record a curve or points, with a band or with error bars.

    Parameters
    ----------
    fig, ax : Figure, Axes
    series : str
        Name in the record.
    look : mapping
        Arguments of `Axes.plot`, as `style.line` and `style.points` give them.
    label : str, optional
        Entry in the legend; `series` when omitted, none when empty.
    band : (low, high), optional
        Edges of a shaded band, each of the shape of y.
    alpha : float
        Opacity of the band.
    bars : ndarray, optional
        Standard errors of y, drawn as bars.
    ordinate : str
        Name of the column that is drawn against the first; the second column when omitted.
    **columns
        What is recorded, see `style.plotted`; the first is drawn horizontally.
    """
    names = list(columns)
    across, up = (_number(columns[name]) for name in (names[0], ordinate or names[1]))
    if band is not None:
        ax.fill_between(across, *band, color=look["color"], alpha=alpha, linewidth=0)
    label = (series if label is None else label) or None
    if bars is None:
        ax.plot(across, up, label=label, **look)
    else:
        ax.errorbar(across, up, bars, label=label, **look)
    style.plotted(fig, series, **columns)


def _number(values: Any) -> np.ndarray:
    return values.value if isinstance(values, u.Quantity) else np.asarray(values)


def around(value: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges of a band of one standard error about a curve."""
    return value - error, value + error


def picture(
    ax: Axes,
    image: np.ndarray,
    cmap: str | None = None,
    low: float | None = None,
    high: float | None = None,
    *,
    title: str = "",
    half: float | None = None,
    frame: bool = False,
    **kw: Any,
) -> AxesImage:
    """Show an image or a map without ticks and grid.

    Parameters
    ----------
    ax : Axes
    image : ndarray, shape (y, x) or (y, x, 3)
    cmap : str, optional
        Colour map.
    low, high : float, optional
        Values at the ends of the colour map.
    title : str
        Title of the panel, if any.
    half, frame
        See `bare`.
    **kw
        Passed to `Axes.imshow` (``extent``, ``norm``).

    Returns
    -------
    AxesImage
        For a colour bar.
    """
    shown = ax.imshow(image, cmap=cmap, vmin=low, vmax=high, **kw)
    bare(ax, half=half, frame=frame)
    if title:
        ax.set_title(title)
    return shown


def bare(ax: Axes, *, half: float | None = None, frame: bool = False) -> None:
    """Remove ticks, grid and frame; show -`half` to `half` in both directions if given."""
    ax.set(xticks=[], yticks=[])
    if half is not None:
        ax.set(xlim=(-half, half), ylim=(-half, half))
    ax.grid(visible=False)
    ax.spines[:].set_visible(frame)


def grid(n: int, ncols: int, height: float, *, extra: float = 0.0, **kw: Any) -> tuple[Figure, np.ndarray, list[Axes]]:
    """Make a figure with panels in rows.

    Parameters
    ----------
    n : int
        Number of panels; what is left of the last row stays empty.
    ncols : int
        Panels in a row.
    height : float
        Height of a row [inch].
    extra : float
        Height for titles and bars [inch].
    **kw
        See `style.new_figure`; the width is ``"wide"`` unless given.

    Returns
    -------
    fig : Figure
    axes : ndarray of Axes, shape (nrows, ncols)
    panels : list of Axes, length n
        The same, row by row.
    """
    nrows = -(-n // ncols)
    fig, axes = style.new_figure(nrows, ncols, height=height * nrows + extra, squeeze=False, **{"width": "wide"} | kw)
    for ax in axes.flat[n:]:
        ax.remove()
    return fig, axes, list(axes.flat[:n])


def rows_over_bars(nrows: int, ncols: int, row: float, extra: float, bar: float) -> tuple[Figure, np.ndarray, Any]:
    """Make rows of panels above a thin row for colour bars.

    Parameters
    ----------
    nrows, ncols : int
    row, extra : float
        Height of a row, and height that is added for titles and bars [inch].
    bar : float
        Height of a bar over that of a row.

    Returns
    -------
    fig : Figure
    axes : ndarray of Axes, shape (nrows, ncols)
    bars : ndarray of Axes, shape (ncols,)
    """
    ratios = [1.0] * nrows + [bar]
    fig, axes = style.new_figure(
        nrows + 1, ncols, width="wide", height=row * nrows + extra, squeeze=False, height_ratios=ratios
    )
    return fig, axes[:nrows], axes[nrows]


def bar_below(fig: Figure, shown: Any, ax: Axes, label: str, **kw: Any) -> None:
    """Fill an axes with the horizontal colour bar of an image."""
    fig.colorbar(shown, cax=ax, orientation="horizontal", label=label, **kw)


def titles(axes: Iterable[Axes], words: Iterable[str], size: float = 10.0) -> None:
    """Centred, small titles over the columns of a grid of maps."""
    for ax, title in zip(axes, words, strict=True):
        ax.set_title(title, fontsize=size, loc="center")


def plain(*axes: Axis) -> None:
    """Write numbers such as 0.1, 1, 10 at the major ticks instead of powers of ten, and nothing at the minor ones."""
    for axis in axes:
        axis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_minor_formatter(NullFormatter())


def ticks(axis: Axis, values: Sequence[float], at: Callable[[np.ndarray], np.ndarray] | None = None) -> None:
    """Put ticks at some values only, with the values as labels.

    Parameters
    ----------
    axis : Axis
    values : sequence of float
    at : callable, optional
        From values to coordinates of the axis, where these differ.
    """
    places = np.asarray(values) if at is None else at(np.asarray(values))
    axis.set_ticks(places, labels=[f"{value:g}".replace("-", "−") for value in values])
    axis.set_minor_formatter(NullFormatter())


def radius_axis(ax: Axes, *, label: str = RADIUS, xlim: tuple[float, float] = (1, 100), **kw: Any) -> None:
    """Make the horizontal axis one of logarithmic radii [kpc]; further arguments go to `Axes.set`."""
    ax.set(xscale="log", xlim=xlim, xlabel=label, **kw)
    plain(ax.xaxis)


def bar_axis(ax: Axes, names: Sequence[str]) -> None:
    """Name the horizontal bars at 0, 1, ... from the top."""
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)


def zero(ax: Axes, y: float = 0.0, **kw: Any) -> None:
    """Draw a thin horizontal line at a reference value."""
    ax.axhline(y, **{"color": style.COLOURS["total"], "linewidth": 1.0} | kw)


def note(ax: Axes, x: float, y: float, words: str, **kw: Any) -> None:
    """Write words at a place given in fractions of the axes."""
    ax.annotate(words, (x, y), xycoords="axes fraction", **kw)


def beside(ax: Axes, words: str, at: tuple[float, float], by: tuple[float, float], **kw: Any) -> None:
    """Write words at a point of the data, moved by some points."""
    ax.annotate(words, at, by, textcoords="offset points", **kw)


def scale_bar(ax: Axes, half: float, length: float, colour: str = "white", *, corner: float = 0.88) -> None:
    """Draw a bar of some length [kpc] in the lower left corner of a map of half side `half` [kpc]."""
    left, low = -corner * half, -(corner - 0.02) * half
    ax.plot([left, left + length], [low, low], color=colour, linewidth=2.4, solid_capstyle="butt")
    ax.text(left, low + 0.05 * half, f"{length:g} kpc", color=colour, fontsize=9)


def thousands(number: int) -> str:
    """Write a number with thin spaces between groups of three digits."""
    return f"{number:,}".replace(",", "\u202f")


def positive(values: np.ndarray) -> np.ndarray:
    """Return the values with NaN in place of those that a logarithmic axis cannot show."""
    return np.where(values > 0, values, np.nan)


def columns_of(estimate: Any) -> dict[str, np.ndarray]:
    """Value and error of an `Estimate`, as columns to be recorded."""
    return {"value": estimate.value, "error": estimate.error}


def parts(estimates: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Values and standard errors of several `Estimate`."""
    return np.array([float(e.value) for e in estimates]), np.array([float(e.error) for e in estimates])
