"""The paper's claims as rows: what it says, what we measured, whether that holds, and on which universe.

The rows are ``book/claims.yml``, the chapters ``book/outline.yml``. A verdict is computed from ``results.json`` and a
criterion, never written by hand. A claim that fails is printed as failing, one without a number as not yet measured.
"""

from __future__ import annotations

import math
import operator
import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from dmlib.errors import DmlibError
from dmlib.results import ARITHMETIC, ResultsError

T = TypeVar("T")

Grade = Literal["paper", "talk", "abstract", "code", "follow-up"]
Kind = Literal["holds", "fails", "differs", "unmeasured", "to-come"]

#: Sources for what the paper says.
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

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

#: The committed record in a universe's name.
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
        Path of its notebook without suffix, ``notebooks/NN_name``.
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
        Source for what the paper says, see `GRADES`.
    chapter : str
        Chapter that tests it.
    result : str, optional
        Id of the recorded number; None if no chapter measures it yet.
    criterion : str, optional
        Condition under which the claim holds: ``<= 0.2``, ``== 55`` or ``106.5 within 1%``.
    format : str
        Python format of our number.
    why : str
        Why the two differ, or why nothing is measured, as far as we know.
    known_difference : bool
        Whether the paper's statement is known to be wrong or about something else: a number that misses the criterion
        then *differs* rather than fails.
    optional : bool
        Whether the number needs data that a reader may not have; without them the row says so.
    data : str
        The data that the claim is about (beginning of a row's ``universe``, such as ``SPARC``); a number measured on
        other data does not judge it.
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
    """A claim with its verdict.

    Parameters
    ----------
    claim : Claim
    kind : {"holds", "fails", "differs", "unmeasured", "to-come"}
    verdict : str
        The same in words.
    where : str
        On which data it was measured, or why it was not.
    result : dict or None
        Row of ``results.json``.
    """

    claim: Claim
    kind: Kind
    verdict: str
    where: str
    result: dict | None


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
        if (claim.result is None) != (claim.criterion is None):
            raise ClaimsError(f"{name}: claim '{claim.id}' needs both a result and a criterion, or neither")
        if claim.criterion is not None:
            holds(claim.criterion, 0.0)
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
        centre, width = float(match[1]), float(match[2])
        return abs(value - centre) <= (abs(centre) * width / 100 if match[3] else width)
    raise ClaimsError(f"criterion {criterion!r} is not like '<= 0.2', '== 55' or '106.5 within 1%'")


def evaluate(claim: Claim, results: Mapping[str, dict], chapters: Container[str]) -> Row:
    """Give a claim its verdict.

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
        When a chapter of this book does not record the number that the claim needs.
    """
    if claim.chapter not in chapters:
        return Row(claim, "to-come", "to come", "", None)
    if claim.result is None or claim.criterion is None:
        return Row(claim, "unmeasured", "not yet measured", "", None)
    row = results.get(claim.result)
    if row is None and not claim.optional:
        raise ClaimsError(
            f"claim '{claim.id}' needs '{claim.result}' from chapter {claim.chapter}, which did not record it"
        )
    if row is None or not row["universe"].startswith(claim.data):
        why = f"it needs {claim.data}, which was not available" if row else "its data were not available"
        return Row(claim, "unmeasured", "not measured in this copy", why, None)
    value, error = row["value"], row["error"]
    good = holds(claim.criterion, value)
    kind: Kind = "holds" if good else "differs" if claim.known_difference else "fails"
    # Whether a change by one standard deviation either way would change the verdict.
    close = error is not None and {holds(claim.criterion, value + step) for step in (-error, error)} != {good}
    return Row(claim, kind, kind, place(row) + (", undecided within the error" if close else ""), row)


def place(row: Mapping) -> str:
    """Say on which data a number was measured; the embedded universe is never called TNG."""
    universe, profile = row["universe"], row["profile"]
    if universe == ARITHMETIC:
        return "by arithmetic"
    if universe == "embedded":
        return f"on the embedded universe, {profile}; not a statement about TNG"
    return f"on {_RECORD.sub('(a record)', universe)}" + (f", profile {profile}" if profile else "")


def provenance(row: Mapping) -> str:
    """Write the source of a number in one line, for its tooltip."""
    universe, profile, n = row["universe"], row["profile"], row["n"]
    where = {ARITHMETIC: "arithmetic, measured in no universe", "embedded": "embedded universe"}.get(universe, universe)
    where += f", profile {profile}" if profile else ""
    return f"{row['statement']} ({where}{'' if n is None else f', n = {n}'})"


def quote(row: Mapping, format_spec: str = "", *, with_error: bool = False) -> str:
    """Write a row's number as the text quotes it.

    Parameters
    ----------
    row : dict
        A row of ``results.json``.
    format_spec : str
        Python format of the number, for example ``.2f``; by default three significant digits, whole numbers in full.
        Powers of ten are written ``1.4 × 10^11`` with superscript digits.
    with_error : bool
        Add ``± error`` in the same format, without a sign.

    Returns
    -------
    str
        For example ``0.23 ± 0.02 dex``.

    Raises
    ------
    ResultsError
        When an error is requested and none was recorded.
    """
    if with_error and row["error"] is None:
        raise ResultsError(f"result '{row['id']}' has no error to quote: record one, or quote it without '±'")
    written = _format(row["value"], format_spec)
    if with_error:
        unsigned = format_spec.replace("+", "")
        error = _format(row["error"], unsigned)
        mantissa, times, power = written.partition(" × ")
        if times:
            # One power of ten for both, the value's.
            exponent = math.floor(math.log10(abs(row["value"]))) if row["value"] else 0
            error = format(row["error"] / 10.0**exponent, unsigned.replace("e", "f"))
            written = f"({mantissa} ± {error}) × {power}"
        else:
            written = f"{written} ± {error}"
    unit = row["unit"].replace("Msun", "M☉").replace("solMass", "M☉")
    return f"{written}{'' if unit in ('', '%') else ' '}{unit}"


def _format(value: float, format_spec: str) -> str:
    whole = float(value).is_integer() and (isinstance(value, int) or abs(value) < 1e6)
    if whole and not format_spec:
        out = f"{int(value):,}".replace(",", "\u202f") if abs(value) >= 10_000 else str(int(value))
    else:
        out = format(value, format_spec or ".3g")
    mantissa, e, exponent = out.partition("e")
    if e:
        out = f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}"
    if out.startswith("-"):
        out = out.replace("-", "−") if re.search("[1-9]", out) else out[1:]
    return out


def banner(run: Mapping) -> str:
    """Write what a copy of the book was made from (MyST).

    Parameters
    ----------
    run : mapping
        ``universe`` (``embedded``, or the simulation's name), ``profile``, ``seed``, and, where known, ``commit`` and
        ``dirty``.
    """
    what = f"**{run['universe']}**"
    if run["universe"] == "embedded":
        what = (
            "the **embedded universe**, galaxies written by this project in the TNG format. "
            "No number below is a measurement of IllustrisTNG unless it says so"
        )
    made = f"profile **{run['profile']}**, seed {run['seed']}"
    if run.get("commit"):
        made += f", commit `{run['commit'][:9]}`" + (" with local changes" if run.get("dirty") else "")
    return f"This copy of the book was made from {what}. It is {made}."


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
