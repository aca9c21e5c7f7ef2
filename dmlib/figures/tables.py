"""Tables for display: rounded, with units, without the types of the columns."""

from __future__ import annotations

from collections.abc import Mapping

from astropy.table import Table


def show_table(table: Table, formats: Mapping[str, str] | None = None, *, rows: int = 5) -> None:
    """Display the first rows of a table; the table itself is not changed.

    Parameters
    ----------
    table : Table or QTable
    formats : mapping, optional
        Column name to Python format, for example ``{"m_star": ".2e"}``; columns without one are shown as they are.
        The unit is shown below the column's name.
    rows : int
        How many rows.

    Raises
    ------
    KeyError
        When `formats` names a column that the table does not have.
    """
    from IPython.display import HTML, display

    display(HTML(html(table, formats, rows=rows)))


def html(table: Table, formats: Mapping[str, str] | None = None, *, rows: int = 5) -> str:
    """Write the first rows of a table as HTML; see `show_table`."""
    short = table[:rows].copy()
    for name, how in (formats or {}).items():
        short[name].info.format = how
    return "".join(short.pformat(html=True, show_dtype=False, max_lines=-1, max_width=-1))
