"""Figures: one function for each, data in, `Figure` out; and how a notebook saves and displays them and its tables."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping
from io import BytesIO

from astropy.table import Table
from matplotlib import rcParams
from matplotlib.figure import Figure

from ..files import atomic_path, write_text
from ..settings import Settings
from . import style
from .panels import thousands

__all__ = ["show", "show_table", "style"]

#: Key of the output metadata by which the book finds a figure in an executed notebook.
METADATA_KEY = "dmlib"

_NAME = re.compile(r"[a-z][a-z0-9_]*")

#: The sign of a negative number; what stands between digits or letters is none.
_MINUS = re.compile(r"(?<![\w.-])-(?=\.?\d)")

#: A number with an exponent that stands alone; within a word it may be code.
_POWER = re.compile(r"(?<!\S)(-?\d+(?:\.\d+)?)e([+-]?\d+)(?!\S)")
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

# Without dates and versions, the same numbers give the same file.
_PNG = {"Software": None}
_PDF = {"CreationDate": None, "Creator": None, "Producer": None}


def show(
    fig: Figure,
    settings: Settings,
    name: str,
    *,
    caption: str,
    alt: str,
    n: int | str | None = None,
    source: str | None = None,
) -> None:
    """Save a figure and its numbers, and display it with its caption.

    Writes ``figures/<name>.png``, ``.pdf`` and ``.csv`` (the numbers given to `style.plotted`). In the book the figure
    is numbered and can be referred to as ``{numref}`fig-<name>```, underscores written as hyphens.

    Parameters
    ----------
    fig : Figure
    settings : Settings
    name : str
        File name, lower case with underscores; unique in the book.
    caption : str
        MyST text; may contain mathematics and citations. Universe, profile and `n` are appended.
    alt : str
        Description of the picture for readers who cannot see it.
    n : int or str, optional
        Sample size; an int is a number of galaxies, else say what is counted: ``"43 measured radii"``.
    source : str, optional
        Source of the data when it is not the settings' universe, for example ``"SPARC"``.

    Raises
    ------
    ValueError
        When name, caption or alternative text is missing or cannot be used, or no plotted numbers were given.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"a figure's name is lower case with underscores, not {name!r}")
    if not caption.strip() or not alt.strip():
        raise ValueError(f"figure {name} needs a caption and an alternative text")
    if not style.recorded(fig):
        raise ValueError(f"figure {name} has no numbers: give them with style.plotted(fig, series, x=..., y=...)")
    caption = f"{' '.join(caption.split())} {_data_line(settings, n, source)}"
    alt = " ".join(alt.split())
    folder = settings.figures_dir
    buffer = BytesIO()
    _lay_out(fig)
    fig.savefig(buffer, format="png", metadata=_PNG)
    with atomic_path(folder / f"{name}.png") as path:
        path.write_bytes(buffer.getvalue())
    with atomic_path(folder / f"{name}.pdf") as path:
        fig.savefig(path, format="pdf", metadata=_PDF)
    write_text(folder / f"{name}.csv", style.csv_text(fig))
    _display(buffer.getvalue(), name, caption, alt)


def _lay_out(fig: Figure) -> None:
    """Place the panels once, at the resolution of the PNG, and for both files: each would place them anew, twice."""
    engine, dpi = fig.get_layout_engine(), fig.dpi
    if engine is None:
        return
    fig.dpi = rcParams["savefig.dpi"]
    engine.execute(fig)
    fig.dpi = dpi
    # With "none" in its place, matplotlib would draw each file once more before, in vain.
    fig.set_layout_engine(None)


def _data_line(settings: Settings, n: int | str | None, source: str | None) -> str:
    parts = [source or settings.label]
    if isinstance(n, str):
        parts.append(n)
    elif n is not None:
        parts.append(f"n = {thousands(n)} galax{'y' if n == 1 else 'ies'}")
    return f"*Data: {'; '.join(parts)}.*"


def _display(png: bytes, name: str, caption: str, alt: str) -> None:
    """Display in a notebook; the metadata lets the book turn this output into a numbered figure."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        return
    width = int.from_bytes(png[16:20], "big") // 2
    shell.display_pub.publish(
        data={"image/png": base64.b64encode(png).decode(), "text/plain": f"Figure {name}: {alt}"},
        metadata={
            METADATA_KEY: {"figure": name, "caption": caption, "alt": alt},
            "image/png": {"width": width, "alt": alt},
        },
    )
    # Only the book knows roles; the output of a notebook shows their content.
    plain = re.sub(r"\{[a-z:]+\}`([^`]*)`", r"\1", caption)
    shell.display_pub.publish(
        data={"text/markdown": plain, "text/plain": plain}, metadata={METADATA_KEY: {"caption_of": name}}
    )


def show_table(
    table: Table, formats: Mapping[str, str] | None = None, *, caption: str, rows: int = 5, source: str | None = None
) -> None:
    """Display the first rows of a table with a caption; the table itself is not changed.

    In the book the table is numbered.

    Parameters
    ----------
    table : Table or QTable
    formats : mapping, optional
        Column name to Python format, for example ``{"m_star": ".2e"}``; columns without one are shown as they are.
        The unit is shown after the column's name.
    caption : str
        MyST text; may contain mathematics.
    rows : int
        How many rows.
    source : str, optional
        The data, for example the settings' label, which is appended to the caption; None for what was not measured.

    Raises
    ------
    KeyError
        When `formats` names a column that the table does not have.
    ValueError
        When the caption is empty.
    """
    from IPython.display import HTML, display

    if not caption.strip():
        raise ValueError("a table needs a caption")
    caption = " ".join(caption.split()) + (f" *Data: {source}.*" if source else "")
    cells = table_cells(table, formats, rows=rows)
    display(HTML(_table_html(cells, caption)), metadata={METADATA_KEY: {"table": cells, "caption": caption}})


def table_cells(table: Table, formats: Mapping[str, str] | None = None, *, rows: int = 5) -> list[list[str]]:
    """Write the head and the first rows of a table as text; see `show_table`."""
    short = table[:rows].copy()
    for name, how in (formats or {}).items():
        short[name].info.format = how
    units = {name: short[name].info.unit for name in short.colnames}
    head = [name + (f" [{unit}]" if unit else "") for name, unit in units.items()]
    head = [title.replace("solMass", "M☉").replace("Msun", "M☉") for title in head]
    columns = ([_number_for_readers(text) for text in short[name].info.iter_str_vals()] for name in units)
    return [head, *map(list, zip(*columns, strict=True))]


def _number_for_readers(text: str) -> str:
    """Write the numbers of a cell with a minus sign and powers of ten, in spaces at which no line breaks."""
    space = "\N{NARROW NO-BREAK SPACE}"
    text = _POWER.sub(lambda m: f"{m[1]}{space}×{space}10{str(int(m[2])).translate(_SUPERSCRIPT)}", text)
    return _MINUS.sub("\N{MINUS SIGN}", text)


def _table_html(cells: list[list[str]], caption: str) -> str:
    """Cells as a notebook shows them, where roles of the book show their content."""
    told = html.escape(re.sub(r"\{[a-z:]+\}`([^`]*)`|\*(Data: .*)\*", r"\1\2", caption), quote=False)
    # A head without words is none, for those who hear the page.
    head, *body = [[html.escape(text, quote=False) for text in row] for row in cells]
    lines = ["".join(f"<th>{title}</th>" if title else "<td></td>" for title in head)]
    lines += ["".join(f"<td>{text}</td>" for text in row) for row in body]
    return f"<table><caption>{told}</caption>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
