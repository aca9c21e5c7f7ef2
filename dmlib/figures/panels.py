"""Parts that many figures share: curves with bands, maps without axes, axes with plain numbers, grids of panels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from astropy import units as u
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patheffects import AbstractPathEffect, withStroke
from matplotlib.ticker import NullFormatter

from ..bootstrap import Estimate
from . import style

Arrays = Mapping[str, np.ndarray]
Pairs = Mapping[str, tuple[np.ndarray, np.ndarray]]

RADIUS = "radius $R$ [kpc]"
ERROR = r"mean $|\Delta M/M|$"
LOG_ERROR = r"rms error of $\ln M$"
STELLAR_MASS = r"stellar mass [M$_\odot$]"
KMS = u.km / u.s
DENSITY = u.Msun / u.pc**2

#: Colour of pixels without a value: neither the lowest colour of a map nor the paper.
BLANK = "#D8D8D8"


def curve(
    ax: Axes,
    series: str,
    columns: Mapping[str, Any],
    look: str | Mapping[str, Any] = "",
    *,
    label: str | None = None,
    band: bool | tuple[np.ndarray, np.ndarray] = False,
    bars: bool | np.ndarray = False,
    ordinate: str = "",
    **kw: Any,
) -> None:
    """Draw and record a curve or points, with a band or with error bars.

    Parameters
    ----------
    ax : Axes
    series : str
        Name in the record.
    columns : mapping
        What is recorded, see `style.plotted`; the first is drawn horizontally, and against it an `Estimate`, where
        there is one, else the second.
    look : str or mapping
        Line of the registry of looks, or arguments of `Axes.plot`, as `style.points` gives them.
    label : str, optional
        Entry in the legend; `series` when omitted, none when empty.
    band : bool or (low, high)
        Shade a band: that of the `Estimate`, or between the columns ``low`` and ``high``, else one ``error`` or
        ``spread`` to both sides; or its edges.
    bars : bool or ndarray
        Draw error bars: those of the `Estimate` or of the column ``error``, or these.
    ordinate : str
        Name of another column that is drawn against the first.
    **kw
        Further arguments of `Axes.plot`, which take precedence over the look's.
    """
    look = {**(style.line(look) if isinstance(look, str) else look), **kw}
    found = next((values for values in columns.values() if isinstance(values, Estimate)), None)
    numbers = {name: getattr(values, "value", values) for name, values in columns.items()}
    first, second, *_ = numbers
    x, y, error = numbers[first], numbers[ordinate or second], numbers.get("error", numbers.get("spread"))
    if found is not None:
        y, error, edges = found.value, found.error, (found.low, found.high)
    elif band is True:
        edges = (numbers["low"], numbers["high"]) if "low" in numbers else (y - error, y + error)
    if band is not False:
        shade(ax, x, *(edges if band is True else band), look["color"])
    label = (series if label is None else label) or None
    if bars is False:
        ax.plot(x, y, label=label, **look)
    else:
        ax.errorbar(x, y, error if bars is True else bars, label=label, **look)
    fig = ax.get_figure(root=True)
    assert fig is not None
    style.plotted(fig, series, **columns)


def shade(ax: Axes, x: np.ndarray, low: np.ndarray, high: np.ndarray, look: str, **kw: Any) -> None:
    """Shade between two curves, in the colour of a look of the registry or in any other colour."""
    ax.fill_between(x, low, high, color=style.COLOURS.get(look, look), **{"alpha": 0.18, "linewidth": 0} | kw)


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
    blank: str = BLANK,
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
    half : float, optional
        Show -`half` to `half` in both directions.
    frame : bool
        Draw a frame.
    blank : str
        Colour of pixels without a value.
    **kw
        Passed to `Axes.imshow` (``extent``, ``norm``).

    Returns
    -------
    AxesImage
        For a colour bar.
    """
    shown = ax.imshow(image, cmap=cmap, vmin=low, vmax=high, **kw)
    ax.set(facecolor=blank, xticks=[], yticks=[])
    if half is not None:
        ax.set(xlim=(-half, half), ylim=(-half, half))
    ax.grid(visible=False)
    ax.spines[:].set_visible(frame)
    if title:
        ax.set_title(title)
    return shown


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
    fig, axes = style.new_figure(
        nrows, ncols, **{"height": height * nrows + extra, "width": style.WIDE} | kw, squeeze=False
    )
    for ax in axes.flat[n:]:
        ax.remove()
    return fig, axes, list(axes.flat[:n])


def difference_panels(
    radii: np.ndarray, found: Mapping[str, tuple[Estimate, np.ndarray, dict]], below: str, above: str, ylabel: str
) -> tuple[Figure, list[Axes]]:
    """Show differences of errors against radius, a panel for each, filled where they are decided.

    Parameters
    ----------
    radii : ndarray, shape (r,)
        In kpc.
    found : mapping
        Title -> estimate of the difference, where it is decided, and the look of its line.
    below, above : str
        What a difference below and above zero means.
    ylabel : str

    Returns
    -------
    fig : Figure
    panels : list of Axes
    """
    fig, _, panels = grid(len(found), 3, 2.3, extra=0.3, sharex=True, sharey=True)
    for ax, (title, (difference, sure, look)) in zip(panels, found.items(), strict=True):
        value, error, colour = difference.value, difference.error, look["color"]
        zero(ax)
        shade(ax, radii, value - error, value + error, colour)
        ax.plot(radii, value, color=colour, linewidth=1.4)
        for rows, face in ((sure, colour), (~sure, "white")):
            ax.plot(radii[rows], value[rows], "o", color=colour, markerfacecolor=face, markersize=4.5)
        style.plotted(fig, title, radius=radii * u.kpc, difference=difference, decided=sure)
        radius_axis(ax, label="")
        ax.set_title(title.replace(", ", ",\n"), fontsize=10)
    for ax in panels[-3:]:
        ax.tick_params(labelbottom=True)
    fig.supxlabel(RADIUS, fontsize="medium")
    # Turned, the arrows point down and up.
    fig.supylabel(f"{ylabel}\n← {below}    {above} →", fontsize=10, multialignment="center")
    return fig, panels


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
    how: dict[str, Any] = {"height": row * nrows + extra, "height_ratios": [1.0] * nrows + [bar], "squeeze": False}
    fig, axes = style.new_figure(nrows + 1, ncols, **how)
    return fig, axes[:nrows], axes[nrows]


def two_rows(height: float, ratio: float, above: int, **kw: Any) -> tuple[Figure, np.ndarray, np.ndarray]:
    """Make a row of small panels above two panels whose height is `ratio` times theirs."""
    fig = style.new_figure(width=style.WIDE, height=height)[0]
    fig.clear()
    halves: Any = fig.subfigures(2, 1, height_ratios=[1, ratio])
    upper, lower = halves
    return fig, upper.subplots(1, above), lower.subplots(1, 2, **kw)


def titles(axes: Iterable[Axes], words: Iterable[str], size: float = 10.0) -> None:
    """Centred, small titles over the columns of a grid of maps."""
    for ax, title in zip(axes, words, strict=True):
        ax.set_title(title, fontsize=size, loc="center")


def row_labels(axes: np.ndarray, words: Iterable[str], size: float = 11.0) -> None:
    """Label the rows of a grid of panels at the left."""
    for ax, label in zip(axes[:, 0], words, strict=True):
        ax.set_ylabel(label, fontsize=size)


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


def zero(ax: Axes, y: float = 0.0, color: str = style.COLOURS["total"], linewidth: float = 1.0, **kw: Any) -> None:
    """Draw a thin horizontal line at a reference value."""
    ax.axhline(y, color=color, linewidth=linewidth, **kw)


def note(ax: Axes, x: float, y: float, words: str, **kw: Any) -> None:
    """Write words at a place given in fractions of the axes."""
    ax.annotate(words, (x, y), xycoords="axes fraction", **kw)


def beside(ax: Axes, words: str, at: tuple[float, float], by: tuple[float, float], **kw: Any) -> None:
    """Write words at a point of the data, moved by some points."""
    ax.annotate(words, at, by, textcoords="offset points", **kw)


def scale_bar(ax: Axes, half: float, length: float = 10.0, colour: str = "white", *, corner: float = 0.88) -> None:
    """Draw a bar of some length [kpc] in the lower left corner of a map of half side `half` [kpc]."""
    left, low = -corner * half, -(corner - 0.02) * half
    look: dict[str, Any] = {"color": colour, "path_effects": outlined(colour)}
    ax.plot([left, left + length], [low, low], linewidth=2.4, solid_capstyle="butt", **look)
    ax.text(left, low + 0.05 * half, f"{length:g} kpc", fontsize=9, **look)


def outlined(colour: str) -> list[AbstractPathEffect]:
    """Effect that keeps words of a light or dark colour legible on any picture: an outline of the other kind."""
    dark = sum(to_rgb(colour)) < 1.5
    return [withStroke(linewidth=4.0, foreground="white" if dark else "black", alpha=0.75)]


def thousands(number: float) -> str:
    """Write a number without decimals, with thin spaces between groups of three digits."""
    return f"{number:,.0f}".replace(",", "\u202f")


def signed(number: float, decimals: int = 1) -> str:
    """Write a number with its sign and some decimals; zero has no sign."""
    rounded = round(float(number), decimals)
    return f"{rounded:+.{decimals}f}".replace("-", "\N{MINUS SIGN}") if rounded else f"{0:.{decimals}f}"


def positive(values: np.ndarray) -> np.ndarray:
    """Return the values with NaN in place of those that a logarithmic axis cannot show."""
    return np.where(values > 0, values, np.nan)
