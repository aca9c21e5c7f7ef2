"""The paper's claims as rows: what it says, what we measured, whether that meets the criterion, and on which universe.

The rows are ``book/claims.yml``, the chapters ``book/outline.yml``. A verdict is computed from ``results.json`` and a
criterion, never written by hand.
"""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from dmlib.errors import DmlibError
from quoting import place, with_power

T = TypeVar("T")

Grade = Literal["paper", "talk", "abstract", "code", "follow-up"]
Table = Literal["paper", "scripts"]
Data = Literal["universe", "tng100", "galaxies", "scripts"]
Kind = Literal["met", "not-met", "undecided", "unmeasured", "unstated"]

#: Sources for what the paper says.
GRADES: dict[str, str] = {
    "paper": "the paper's text",
    "talk": "the slides of the authors' talk on the same work",
    "abstract": "the paper's abstract",
    "code": "the authors' public scripts (GitHub, Martindelosrios/ML4DM)",
    "follow-up": "the abstract of the follow-up paper, arXiv:2510.18964",
}

#: The two tables of claims, and what their rows are called.
TABLES: dict[str, str] = {"paper": "Claims of the paper", "scripts": "Checks of its scripts"}

#: What a verdict can be a verdict on. ``universe`` is that of this copy of the book, which the number names.
PLACES: dict[str, str] = {
    "universe": "",
    "tng100": "real TNG100",
    "galaxies": "real galaxies",
    "scripts": "the authors' scripts",
}

#: The verdicts in words, in the order of a tally.
VERDICTS: dict[Kind, str] = {
    "met": "met",
    "not-met": "not met",
    "undecided": "undecided within the error",
    "unmeasured": "not measured",
    "unstated": "no number in the paper",
}

_OPERATORS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "==": operator.eq}
_SIGNS = {"<=": "≤", ">=": "≥", "==": "="}
_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_COMPARE = re.compile(rf"(<=|>=|<|>|==)\s*({_NUMBER})")
_WITHIN = re.compile(rf"({_NUMBER})\s+within\s+({_NUMBER})\s*(%?)")


class ClaimsError(DmlibError):
    """A claims or outline file that cannot be used."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Real(_Strict):
    """Real data that a chapter is about, and what the chapter is called where it had to do without them.

    Parameters
    ----------
    result : str
        Id of a number that the chapter records in either case; its universe says which.
    data : str
        The data, as in "was made without ...".
    title : str
        Title of the chapter that shows simulated galaxies instead.
    """

    result: str
    data: str
    title: str

    def absent(self, results: Mapping[str, dict]) -> bool:
        """Whether the chapter was made without them."""
        row = results.get(self.result)
        return row is not None and row["universe"].startswith("embedded")


class Chapter(_Strict):
    """One chapter of the outline.

    Parameters
    ----------
    id : str
        Name under which it records its numbers.
    title : str
    file : str
        Path of its notebook without suffix, ``notebooks/NN_name``.
    real : Real, optional
        Real data without which it shows simulated galaxies, and says so.
    """

    id: str
    title: str
    file: str
    real: Real | None = None


class Part(_Strict):
    """A part of the book with its chapters."""

    part: str
    chapters: list[Chapter]


class Reading(_Strict):
    """One way to read a claim: a number and the condition that it must meet.

    Parameters
    ----------
    reading : str
        The reading in words (MyST); empty where there is only one.
    result : str, optional
        Id of the recorded number; None if no chapter measures the claim.
    criterion : str, optional
        Condition under which the claim is met: ``<= 0.2``, ``== 55`` or ``106.5 within 1%``. None where the paper
        states nothing that our number could be compared with.
    format : str
        Python format of our number.
    floor : str, optional
        Id of the information floor: the same measure for an ideal observer of the embedded universe.
    """

    reading: str = ""
    result: str | None = None
    criterion: str | None = None
    format: str = ""
    floor: str | None = None


class Claim(Reading):
    """One claim of the paper, or one check of its scripts, with its first reading.

    Parameters
    ----------
    id : str
    table : {"paper", "scripts"}
    statement : str
        The claim in one sentence (MyST).
    paper : str
        What the paper says, as a value (MyST).
    grade : str
        Source for what the paper says, see `GRADES`.
    chapter : str
        Chapter that tests it.
    data : {"universe", "tng100", "galaxies", "scripts"}
        What the verdict is a verdict on: the universe of this copy of the book, real TNG100, real galaxies, or the
        authors' scripts. A number measured on other data does not judge the claim.
    why : str
        What one should know beside the verdict: why the two differ, as far as we know, or what the number hides (MyST).
    criterion_changed : str
        Date, old and new criterion, and the reason, if measure or criterion were changed after results had been seen.
    readings : list of Reading
        Other readings of the claim. The tally counts the first.
    floor_bounds : bool
        Whether the floors of all readings bound their numbers. A ratio of errors of two kinds of galaxies has an ideal
        observer's ratio beside it, which no network need stay above: it is shown, and not said to be out of reach.
    optional : bool
        Whether the number needs data that a reader may not have; without them the row says so.
    """

    id: str
    table: Table
    statement: str
    paper: str
    grade: Grade
    chapter: str
    data: Data
    why: str = ""
    criterion_changed: str = ""
    readings: tuple[Reading, ...] = ()
    floor_bounds: bool = True
    optional: bool = False


@dataclass(frozen=True)
class Row:
    """A reading of a claim with its verdict.

    Parameters
    ----------
    claim : Claim
    reading : Reading
        The claim itself for its first reading.
    kind : {"met", "not-met", "undecided", "unmeasured", "unstated"}
        Key of `VERDICTS`.
    on : str
        The data that the verdict is about, for example ``the embedded universe``; empty without a verdict.
    where : str
        The same with sample or profile, or why there is no number.
    result, floor : dict or None
        Rows of ``results.json``.
    others : tuple of Row
        The claim's further readings.
    """

    claim: Claim
    reading: Reading
    kind: Kind
    on: str = ""
    where: str = ""
    result: dict | None = None
    floor: dict | None = None
    others: tuple[Row, ...] = ()


def load_outline(path: str | Path) -> list[Part]:
    """Read ``outline.yml``.

    Raises
    ------
    ClaimsError
        For an unknown key, or a chapter that is listed twice.
    """
    parts = _validated(path, TypeAdapter(list[Part]))
    _unique(path, (chapter.id for part in parts for chapter in part.chapters))
    return parts


def load_claims(path: str | Path, chapters: Container[str]) -> list[Claim]:
    """Read ``claims.yml``.

    Parameters
    ----------
    path : path
    chapters : container of str
        Ids of the outline; a claim of any other chapter is an error.

    Raises
    ------
    ClaimsError
        For an unknown key, a repeated id, an unknown chapter, a criterion that cannot be read.
    """
    claims = _validated(path, TypeAdapter(list[Claim]))
    _unique(path, (claim.id for claim in claims))
    name = Path(path).name
    for claim in claims:
        if claim.chapter not in chapters:
            raise ClaimsError(f"{name}: claim '{claim.id}' names chapter '{claim.chapter}', not in outline.yml")
        for reading in (claim, *claim.readings):
            if reading.criterion is not None:
                if reading.result is None:
                    raise ClaimsError(f"{name}: claim '{claim.id}' has a criterion, but no result to judge by it")
                holds(reading.criterion, 0.0)
        if not all(reading.reading and reading.criterion for reading in claim.readings):
            raise ClaimsError(f"{name}: each reading of claim '{claim.id}' needs its words and its criterion")
    return claims


def table_of_contents(root: Path) -> dict[str, Any]:
    """Contents of ``book/_toc.yml``, with the chapters of ``book/outline.yml`` in the place of the part ``outline``.

    Parameters
    ----------
    root : Path
        The repository. A chapter is part of the book once its notebook (``<file>.py``) exists.

    Returns
    -------
    dict
        As Jupyter Book reads it.
    """
    contents = yaml.safe_load((root / "book" / "_toc.yml").read_text(encoding="utf-8"))
    parts: list[Any] = []
    for listed in contents.get("parts", ()):
        if listed != "outline":
            parts.append(listed)
            continue
        for part in load_outline(root / "book" / "outline.yml"):
            files = [{"file": chapter.file} for chapter in part.chapters if (root / f"{chapter.file}.py").is_file()]
            if files:
                parts.append({"caption": part.part, "numbered": True, "chapters": files})
    return contents | ({"parts": parts} if parts else {})


def pages_of_toc(path: str | Path) -> set[str]:
    """Return the files that a table of contents for Jupyter Book lists, the root included."""

    def files(node: Any) -> set[str]:
        if not isinstance(node, dict):
            return set().union(*map(files, node)) if isinstance(node, list) else set()
        return {str(node[key]) for key in ("root", "file") if key in node}.union(*map(files, node.values()))

    return files(yaml.safe_load(Path(path).read_text(encoding="utf-8")))


def holds(criterion: str, value: float) -> bool:
    """Whether a value meets a criterion.

    Parameters
    ----------
    criterion : str
        ``<= 0.2`` (also ``>=``, ``<``, ``>``, ``==``), ``106.5 within 1%`` or ``7.5e6 within 1e5``.
    value : float

    Raises
    ------
    ClaimsError
        When the criterion cannot be read.
    """
    text = criterion.strip()
    if match := _COMPARE.fullmatch(text):
        return bool(_OPERATORS[match[1]](value, float(match[2])))
    if match := _WITHIN.fullmatch(text):
        low, high = _bounds(criterion)
        return low <= value <= high
    raise ClaimsError(f"criterion {criterion!r} is not like '<= 0.2', '== 55' or '106.5 within 1%'")


def _bounds(criterion: str) -> tuple[float, ...]:
    """Where a criterion turns from met to not met."""
    if match := _WITHIN.fullmatch(criterion.strip()):
        centre, width = float(match[1]), float(match[2])
        width = abs(centre) * width / 100 if match[3] else width
        return centre - width, centre + width
    return tuple(float(number) for number in re.findall(_NUMBER, criterion))


def judge(criterion: str, value: float, error: float | None) -> Kind:
    """Give the verdict on a number.

    Parameters
    ----------
    criterion : str
        As of `holds`.
    value : float
    error : float or None
        One standard deviation; None for a number without one.

    Returns
    -------
    {"met", "not-met", "undecided"}
        Undecided where a bound of the criterion lies within the error bar, from ``value - error`` to ``value + error``.
    """
    good = holds(criterion, value)
    if error is not None and any(abs(value - bound) < error for bound in _bounds(criterion)):
        return "undecided"
    return "met" if good else "not-met"


def margin(criterion: str, value: float, error: float | None) -> float | None:
    """Distance of a number from the nearest bound of its criterion in standard deviations; None without an error."""
    return min(abs(value - bound) for bound in _bounds(criterion)) / error if error else None


def margin_in_words(criterion: str, value: float, error: float | None) -> str:
    """``(2.1 σ away)``, how far a number is from its criterion; empty without an error.

    One that rounds to 1.0 without reaching it, so that the verdict is undecided, is said to be less.
    """
    away = margin(criterion, value, error)
    if away is None:
        return ""
    return "(just under 1 σ away)" if away < 1 <= round(away, 1) else f"({away:.1f} σ away)"


def floor_in_words(row: Row) -> str:
    """What the information floor says of a verdict; empty where the criterion is met, or where the floor meets it.

    Empty too where the floor does not bound the number.
    """
    criterion, floor = row.reading.criterion, row.floor
    if criterion is None or floor is None or row.kind == "met" or not row.claim.floor_bounds:
        return ""
    kind = judge(criterion, floor["value"], floor["error"])
    if kind == "not-met":
        return (
            "The floor itself does not meet the criterion: out of reach for whoever knows its catalogue quantities only"
        )
    if kind == "undecided":
        return "The floor itself is within its error of the bound"
    return ""


def evaluate(claim: Claim, results: Mapping[str, dict], chapters: Container[str]) -> Row:
    """Give a claim its verdict, and each of its further readings its own.

    Parameters
    ----------
    claim : Claim
    results : mapping
        Rows of ``results.json`` by id.
    chapters : container of str
        Ids of the chapters that this book has.

    Raises
    ------
    ClaimsError
        When a chapter of this book does not record a number that the claim needs, or its floor.
    """
    if claim.chapter not in chapters:
        return Row(claim, claim, "unmeasured", where="its chapter is not in this copy")
    first, *others = (_evaluate(claim, reading, results) for reading in (claim, *claim.readings))
    return replace(first, others=tuple(others))


def _evaluate(claim: Claim, reading: Reading, results: Mapping[str, dict]) -> Row:
    if reading.result is None:
        return Row(claim, reading, "unmeasured")
    row = results.get(reading.result)
    if row is None:
        if claim.optional:
            return Row(claim, reading, "unmeasured", where="its data were not available for this copy")
        raise _missing(claim, reading.result)
    if row.get("n") == 0:
        return Row(claim, reading, "unmeasured", where="this copy has no such galaxy in its test set")
    measured_on = place(row)
    on, bracket, details = measured_on.partition(" (")
    if claim.data == "scripts":
        on, measured_on = PLACES["scripts"], PLACES["scripts"] + bracket + details
    elif claim.data != "universe" and on != PLACES[claim.data]:
        needed = f"it needs {PLACES[claim.data]}, which this copy does not have"
        return Row(claim, reading, "unmeasured", where=needed)
    floor = results.get(reading.floor) if reading.floor else None
    if reading.floor and floor is None and row["universe"] == "embedded":
        # Only the embedded universe knows the variables that an ideal observer would see.
        raise _missing(claim, reading.floor)
    kind: Kind = "unstated"
    if reading.criterion is not None:
        kind = judge(reading.criterion, row["value"], row["error"])
    return Row(claim, reading, kind, on=on, where=f"on {measured_on}", result=row, floor=floor)


def _missing(claim: Claim, result: str) -> ClaimsError:
    return ClaimsError(f"claim '{claim.id}' needs '{result}' from chapter {claim.chapter}, which did not record it")


def tally(rows: Iterable[Row], table: str) -> dict[str, Counter[Kind]]:
    """Count the verdicts of one table, by what they are verdicts on; the first reading of each claim counts.

    Returns
    -------
    dict
        ``the embedded universe``, ``real TNG100``, ... -> number of verdicts of each kind; the empty name holds the
        claims without a verdict. All numbers together are the number of claims.
    """
    counted: dict[str, Counter[Kind]] = {}
    for row in rows:
        if row.claim.table == table:
            judged = row.kind in ("met", "not-met", "undecided")
            counted.setdefault(row.on if judged else "", Counter())[row.kind] += 1
    return {on: counted[on] for on in sorted(counted, key=lambda on: (not on, on))}


def tally_in_words(counted: Mapping[str, Counter[Kind]]) -> str:
    """Write a tally in one line: ``On the embedded universe: 4 met, 3 not met. On real TNG100: 2 not met. ...``."""
    lines = []
    for on, kinds in counted.items():
        numbers = ", ".join(f"{kinds[kind]} {words}" for kind, words in VERDICTS.items() if kinds[kind])
        lines.append(f"On {on}: {numbers}." if on else f"Without a verdict: {numbers}.")
    return " ".join(lines)


def criterion_in_words(criterion: str, unit: str = "", format: str = "") -> str:
    """Write a criterion for readers: ``≤ 0.25``, ``0.683 ± 0.05``, ``≤ 1%``.

    Parameters
    ----------
    criterion : str
    unit, format : str
        Of the number that it judges: where that is shown in per cent, so are the bounds.
    """

    def written(number: str) -> str:
        if format.endswith("%"):
            return f"{100 * float(number):g}%"
        return f"{number}%" if unit == "%" else with_power(number)

    if match := _WITHIN.fullmatch(criterion.strip()):
        text = f"{written(match[1])} ± {match[2] + '%' if match[3] else written(match[2])}"
    else:
        typed, number = re.split(r"(?<=[<>=])(?!=)\s*", criterion.strip())
        text = f"{_SIGNS.get(typed, typed)} {written(number)}"
    return text.replace("-", "−")


def _validated(path: str | Path, adapter: TypeAdapter[T]) -> T:
    path = Path(path)
    try:
        return adapter.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise ClaimsError(f"{path.name} cannot be read: {' '.join(str(error).split())}") from error


def _unique(path: str | Path, ids: Iterable[str]) -> None:
    repeated = [id for id, count in Counter(ids).items() if count > 1]
    if repeated:
        raise ClaimsError(f"{Path(path).name}: id '{repeated[0]}' occurs twice")
