"""The paper's claims as rows: what it says, what we measured, whether that holds, and on which universe.

The rows are ``book/claims.yml``, the chapters ``book/outline.yml``. A verdict is computed from ``results.json`` and a
criterion; nobody writes it by hand. A claim that fails is printed as failing, one without a number as not yet measured.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from .errors import DmlibError
from .results import ARITHMETIC

Grade = Literal["paper", "talk", "abstract", "code", "follow-up"]
Kind = Literal["holds", "fails", "differs", "unmeasured", "to-come"]

#: Where we know from what the paper says.
GRADES: dict[str, str] = {
    "paper": "the paper's text",
    "talk": "the slides of the authors' talk on the same work",
    "abstract": "the paper's abstract",
    "code": "the authors' public scripts (GitHub, Martindelosrios/ML4DM)",
    "follow-up": "the abstract of the follow-up paper, arXiv:2510.18964",
}

_OPERATORS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "==": operator.eq}
_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_COMPARE = re.compile(rf"(<=|>=|<|>|==)\s*({_NUMBER})")
_WITHIN = re.compile(rf"({_NUMBER})\s+within\s+({_NUMBER})\s*(%?)")


#: Where a universe names the committed record that its numbers are from.
_RECORD = re.compile(r"\(records/[^)]*\)")


class ClaimsError(DmlibError):
    """A claims or outline file that cannot be used."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Chapter(_Strict):
    """One chapter of the outline.

    Parameters
    ----------
    id : str
        Name under which it records its numbers.
    title : str
    file : str
        Page without suffix, as in ``_toc.yml``.
    """

    id: str
    title: str
    file: str


class Part(_Strict):
    """A part of the book with its chapters."""

    part: str
    chapters: list[Chapter]


class Claim(_Strict):
    """One claim of the paper.

    Parameters
    ----------
    id : str
    group : str
        Section of the paper's story: ``simulation``, ``selection``, ``results``, ...
    statement : str
        The claim in one sentence (MyST).
    paper : str
        What the paper says, as a value (MyST).
    grade : str
        How we know what the paper says, see `GRADES`.
    chapter : str
        Chapter that tests it.
    result : str, optional
        Id of the recorded number; none where no chapter measures it yet.
    criterion : str, optional
        When it holds: ``<= 0.2``, ``== 55`` or ``106.5 within 1%``.
    format : str
        Python format of our number.
    why : str
        Where the two differ, or nothing is measured: why, as far as we know.
    known_difference : bool
        The paper's statement is known to be wrong or about something else: a number that misses the criterion then
        *differs* rather than fails.
    optional : bool
        The number needs data that a reader may not have; without it the row says so.
    data : str
        The claim is about these data (beginning of a row's ``universe``, such as ``SPARC``); a number measured on
        anything else does not judge it.
    """

    id: str
    group: str
    statement: str
    paper: str
    grade: Grade
    chapter: str
    result: str | None = None
    criterion: str | None = None
    format: str = ""
    why: str = ""
    known_difference: bool = False
    optional: bool = False
    data: str = ""


@dataclass(frozen=True)
class Row:
    """A claim with its verdict."""

    claim: Claim
    kind: Kind
    verdict: str
    where: str
    result: dict | None


def load_outline(path: str | Path) -> list[Part]:
    """Read ``outline.yml``; an unknown key or a chapter named twice is an error."""
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
    for claim in claims:
        if claim.chapter not in chapters:
            raise ClaimsError(
                f"{Path(path).name}: claim '{claim.id}' names chapter '{claim.chapter}', not in outline.yml"
            )
        if (claim.result is None) != (claim.criterion is None):
            raise ClaimsError(f"{Path(path).name}: claim '{claim.id}' needs both a result and a criterion, or neither")
        if claim.criterion is not None:
            holds(claim.criterion, 0.0)
    return claims


def pages_of_toc(path: str | Path) -> set[str]:
    """Return the files that a ``_toc.yml`` lists, the root included."""
    toc = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    pages = {toc["root"]}

    def walk(node) -> None:
        if isinstance(node, Mapping):
            if "file" in node:
                pages.add(str(node["file"]))
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(toc)
    return pages


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
        centre, width = float(match[1]), float(match[2])
        return abs(value - centre) <= (abs(centre) * width / 100 if match[3] else width)
    raise ClaimsError(f"criterion {criterion!r} is not like '<= 0.2', '== 55' or '106.5 within 1%'")


def evaluate(claims: Iterable[Claim], results: Mapping[str, dict], chapters: Container[str]) -> list[Row]:
    """Give each claim its verdict.

    Parameters
    ----------
    claims : iterable of Claim
    results : mapping
        Rows of ``results.json`` by id.
    chapters : container of str
        Ids of the chapters that this book has.

    Raises
    ------
    ClaimsError
        When a chapter of this book does not record the number that a claim asks of it.
    """
    return [_evaluate(claim, results, chapters) for claim in claims]


def _evaluate(claim: Claim, results: Mapping[str, dict], chapters: Container[str]) -> Row:
    if claim.chapter not in chapters:
        return Row(claim, "to-come", "to come", "", None)
    if claim.result is None or claim.criterion is None:
        return Row(claim, "unmeasured", "not yet measured", "", None)
    if claim.result not in results:
        if claim.optional:
            return Row(claim, "unmeasured", "not measured in this copy", "its data were not there", None)
        raise ClaimsError(
            f"claim '{claim.id}' asks chapter {claim.chapter} for '{claim.result}', which it did not record"
        )
    row = results[claim.result]
    if not row["universe"].startswith(claim.data):
        return Row(
            claim, "unmeasured", "not measured in this copy", f"it needs {claim.data}, which was not there", None
        )
    value, error = row["value"], row["error"]
    good = holds(claim.criterion, value)
    kind: Kind = "holds" if good else "differs" if claim.known_difference else "fails"
    # Whether one standard deviation either way would turn the verdict.
    close = (
        error is not None and not holds(claim.criterion, value - error) == holds(claim.criterion, value + error) == good
    )
    where = place(row) + (", undecided within the error" if close else "")
    return Row(claim, kind, kind, where, row)


def place(row: Mapping) -> str:
    """Say on which data a number was measured; what is embedded is never TNG."""
    if row["universe"] == ARITHMETIC:
        return "by arithmetic"
    if row["universe"] == "embedded":
        return f"on the embedded universe, {row['profile']}; not a statement about TNG"
    if row["profile"] is None:
        return f"on {_RECORD.sub('(a record)', row['universe'])}"
    return f"on TNG100-1 ({row['universe']}, {row['profile']})"


def provenance(row: Mapping) -> str:
    """Write where a number is from in one line, for the tooltip on it."""
    sample = f", n = {row['n']}" if row["n"] is not None else ""
    if row["universe"] == ARITHMETIC:
        where = "arithmetic, measured in no universe"
    elif row["profile"] is None:
        where = row["universe"]
    else:
        name = {"embedded": "embedded universe", "files": "TNG files", "api": "TNG web API"}[row["universe"]]
        where = f"{name}, profile {row['profile']}"
    return f"{row['statement']} ({where}{sample})"


def banner(run: Mapping) -> str:
    """Write what a copy of the book was made from (MyST), from ``run.json``."""
    what = {
        "embedded": "the **embedded universe**, galaxies written by this project in the TNG format. "
        "No number below is a measurement of IllustrisTNG unless it says so",
        "files": "**TNG files** on disk",
        "api": "the **TNG web API**",
    }[run["universe"]]
    made = [f"profile **{run['profile']}**", f"seed {run['seed']}"]
    commit = str(run.get("commit") or "")
    if commit:
        made.append(f"commit `{commit[:9]}`" + (" with local changes" if run.get("dirty") else ""))
    return f"This copy of the book was made from {what}. It is {', '.join(made)}."


def _validated(path: str | Path, adapter: TypeAdapter):
    path = Path(path)
    try:
        return adapter.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise ClaimsError(f"{path.name} cannot be read: {' '.join(str(error).split())}") from error


def _unique(path: str | Path, ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for id in ids:
        if id in seen:
            raise ClaimsError(f"{Path(path).name}: id '{id}' stands there twice")
        seen.add(id)
