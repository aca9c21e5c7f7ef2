"""The numbers that the book quotes: recorded by the chapters, merged into one file, quoted by name.

A chapter records into ``results/<chapter>.json``; `collect` merges the chapters into ``results.json``. No number is
typed by hand into the text: a page quotes ``{num}`id:.2f```, and the build fails when no chapter recorded that id.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from functools import partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from .errors import DmlibError
from .files import write_text
from .settings import Settings

#: Keys of a row, in this order.
KEYS = ("id", "chapter", "figure", "statement", "paper", "value", "error", "unit", "universe", "profile", "n")

#: Universe of a number that follows from arithmetic alone.
ARITHMETIC = "none (arithmetic)"

_ID = re.compile(r"[a-z][a-z0-9_.-]*")

# Rows by chapter file, as recorded by this process: its first record of a chapter discards those of an earlier run.
_recorded: dict[Path, dict[str, dict]] = {}


class ResultsError(DmlibError):
    """A result that is missing, recorded twice, or not a number."""


def chapter_path(settings: Settings, chapter: str) -> Path:
    """Where a chapter's rows lie, ``results/<chapter>.json``."""
    return settings.build / "results" / f"{chapter}.json"


def recorder(settings: Settings, **shared: Any) -> Callable[..., None]:
    """`record` with the keywords that all numbers of a chapter share.

    Parameters
    ----------
    settings : Settings
    **shared
        Keywords of `record`, at least ``chapter``; a call may override them.

    Returns
    -------
    callable
        ``record(id, value, *, statement, ...)``
    """
    return partial(record, settings, **shared)


def record(
    settings: Settings,
    id: str,
    value: Any,
    *,
    chapter: str,
    statement: str,
    error: Any = None,
    unit: str = "",
    n: int | None = None,
    figure: str | None = None,
    paper: str | float | None = None,
    universe: str | None = None,
) -> None:
    """Record one number, or replace it when the cell runs again.

    Parameters
    ----------
    settings : Settings
    id : str
        Name by which the text quotes it: lower case, digits, ``_``, ``-``, ``.``; unique in the book.
    value : int, float, Quantity or Estimate
        Finite. A Quantity is converted to `unit`, or gives its own unit; a `dmlib.bootstrap.Estimate` gives its
        own error.
    chapter : str
        ``introduction``, ``embedded_universe``, ``selection``, ``targets``, ...
    statement : str
        What the number is, in one sentence.
    error : float or Quantity, optional
        One standard deviation, in the unit of `value`.
    unit : str
        Empty for a pure number.
    n : int, optional
        Sample size (galaxies, unless the statement says otherwise).
    figure : str, optional
        Name of the figure that shows it.
    paper : str or float, optional
        The paper's value of the same quantity.
    universe : str, optional
        Source of a number that was not measured on the settings' universe, for example ``"SPARC"``,
        ``"TNG100-1 (records/selection.json)"`` or `ARITHMETIC`; the row then has no profile. Default: ``"embedded"``,
        or the name of the simulation.

    Raises
    ------
    ResultsError
        When the id is malformed, or value or error is not finite.
    """
    from astropy.units import Quantity  # here: commands that only read or merge results start in half the time

    if not _ID.fullmatch(id):
        raise ResultsError(f"result id {id!r} must be lower-case letters, digits, '_', '-' and '.', a letter first")
    if error is None and hasattr(value, "value") and hasattr(value, "error"):
        value, error = value.value, value.error
    if isinstance(value, Quantity):
        unit = unit or value.unit.to_string()
        value = value.to_value(unit)
    if isinstance(error, Quantity):
        error = error.to_value(unit)
    row: dict[str, Any] = {
        "id": id,
        "chapter": chapter,
        "figure": figure,
        "statement": " ".join(statement.split()),
        "paper": paper,
        "value": _number(id, "value", value),
        "error": None if error is None else _number(id, "error", error),
        "unit": unit,
        "universe": universe or settings.origin,
        "profile": None if universe else settings.profile,
        "n": None if n is None else int(n),
    }
    if row["error"] is not None and row["error"] < 0:
        raise ResultsError(f"result '{id}' has a negative error, {row['error']}: give one standard deviation")
    path = chapter_path(settings, chapter)
    _recorded.setdefault(path, {})[id] = row
    write_text(path, _json(list(_recorded[path].values())))


def collect(settings: Settings) -> list[dict]:
    """Merge the chapters' rows into ``results.json``, sorted by chapter file and in the order of recording.

    The file is left alone when it has these rows already.

    Raises
    ------
    ResultsError
        When two chapters recorded the same id; names both.
    """
    rows: dict[str, dict] = {}
    # Chapters run side by side: a name with a dot is a file that one of them is just writing.
    for path in sorted((settings.build / "results").glob("[!.]*.json")):
        for row in _read(path):
            if rows.setdefault(row["id"], row) is not row:
                both = f"{rows[row['id']]['chapter']} and {row['chapter']}"
                raise ResultsError(f"result '{row['id']}' is recorded by two chapters, {both}: rename one of them")
    merged = list(rows.values())
    path, written = settings.results_path, _json(merged)
    if not path.is_file() or path.read_text(encoding="utf-8") != written:
        write_text(path, written)
    return merged


def _number(id: str, what: str, value: Any) -> int | float:
    if hasattr(value, "item") and getattr(value, "size", 1) == 1:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ResultsError(f"the {what} of result '{id}' is not one number but {type(value).__name__}")
    number = int(value) if isinstance(value, Integral) else float(value)
    if not math.isfinite(number):
        raise ResultsError(f"the {what} of result '{id}' is {number}: record finite numbers only")
    return number


def _read(path: Path) -> list[dict]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(rows, list) or not all(isinstance(row, dict) and set(KEYS) <= row.keys() for row in rows):
            raise ValueError("not a list of results")
    except ValueError as error:
        raise ResultsError(f"{path.name} is damaged ({error}): remove it and run its chapter again") from error
    return rows


def _json(rows: list[dict]) -> str:
    return json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
