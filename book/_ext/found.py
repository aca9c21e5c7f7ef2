"""The boxes *What we found*, and what key figures show: sentences that the recorded numbers choose.

``book/found.yml`` holds, for each chapter and each key figure, groups of sentences. Of each group the first sentence
whose condition holds is shown, with the numbers written into it. Conditions are arithmetic on recorded numbers, read
with `ast`; nothing in the file is executed.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, field_validator

from dmlib.errors import DmlibError
from dmlib.results import ARITHMETIC
from quoting import UnknownNumber, look_up, place, quote

#: A number in a sentence or a condition: ``{id}``, ``{id.error:.2f}``, ``{|id|:.3f±}``; no role, no TeX.
_NUMBER = re.compile(r"(?<![\w^\\])\{(?P<name>\|?[a-z][a-z0-9_.-]*\|?)(?::(?P<format>[^{}±]*))?(?P<error>±?)\}(?!`)")

_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_TESTS = ("differs", "larger", "smaller")

#: The box of the front page, and its three numbers.
FRONT = ("front", "numbers")

#: What the keys of figures begin with: the label by which the text refers to a figure.
FIGURE = "fig-"


class FoundError(DmlibError):
    """Sentences that cannot be read, or cannot be chosen."""


class Sentence(BaseModel):
    """A sentence and the condition under which it is true.

    Parameters
    ----------
    say : str
        The sentence (MyST), with numbers as ``{id:.2f}``.
    when : str, optional
        The condition; None for the last sentence of a group, which is shown when no other is.
    optional : bool
        Whether the group needs data that a reader may not have, and is left out in silence without them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    say: str
    when: str | None = None
    optional: bool = False

    @field_validator("when")
    @classmethod
    def _readable(cls, when: str | None) -> str | None:
        if when is not None:
            _expression(when)
        return when

    @property
    def names(self) -> list[str]:
        """Names of the numbers in condition and sentence."""
        return [found["name"] for found in _NUMBER.finditer(f"{self.when or ''} {self.say}")]


#: The sentences of which at most one is shown.
Group = tuple[Sentence, ...]


@dataclass(frozen=True)
class Said:
    """A sentence as the book shows it.

    Parameters
    ----------
    text : str
        MyST, the numbers as roles ``{num}``.
    where : str
        The data that its numbers were measured on; empty for arithmetic.
    """

    text: str
    where: str


def load_found(path: str | Path, chapters: Container[str]) -> dict[str, list[Group]]:
    """Read ``found.yml``.

    Parameters
    ----------
    path : path
    chapters : container of str
        Ids of the outline; other boxes than those of its chapters, of figures (``fig-...``), ``front`` and ``numbers``
        are an error.

    Raises
    ------
    FoundError
        For an unknown key or chapter, a condition that cannot be read, or a group whose sentences after the first
        without a condition would never be shown.
    """
    path = Path(path)
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        boxes = {
            chapter: TypeAdapter(list[Group]).validate_python([_group(group) for group in groups])
            for chapter, groups in given.items()
        }
    except (ValidationError, yaml.YAMLError, TypeError, AttributeError) as error:
        raise FoundError(f"{path.name} cannot be read: {' '.join(str(error).split())}") from error
    for chapter, groups in boxes.items():
        if chapter not in FRONT and chapter not in chapters and not chapter.startswith(FIGURE):
            raise FoundError(f"{path.name} has a box for chapter '{chapter}', which is not in outline.yml")
        for group in groups:
            if any(sentence.when is None for sentence in group[:-1]):
                raise FoundError(f"{path.name}: a sentence of '{chapter}' follows one without a condition")
    return boxes


def _group(given: Any) -> list[Any]:
    """A group as a list of sentences; a sentence that stands alone is a group of its own."""
    if isinstance(given, list):
        return [{"say": item["else"]} if set(item) == {"else"} else item for item in given]
    return [given]


def choose(groups: list[Group], rows: Mapping[str, dict]) -> tuple[list[Said], list[str]]:
    """Choose the sentences of a box.

    Parameters
    ----------
    groups : list of Group
    rows : mapping
        Rows of ``results.json`` by id.

    Returns
    -------
    said : list of Said
        In the order of the groups.
    problems : list of str
        Why groups were left out, unless they are optional.
    """
    said: list[Said] = []
    problems: list[str] = []
    for group in groups:
        try:
            said += _first_true(group, rows)
        except UnknownNumber as error:
            if not any(sentence.optional for sentence in group):
                problems.append(str(error))
        except (DmlibError, ValueError, ZeroDivisionError) as error:
            problems.append(f"'{group[0].when or group[0].say}': {error}")
    return said, problems


def _first_true(group: Group, rows: Mapping[str, dict]) -> list[Said]:
    for sentence in group:
        if sentence.when is None or holds(sentence.when, rows):
            used = [look_up(rows, name) for name in sentence.names]
            if any(row.get("n") == 0 for row in used):
                return []  # nothing was measured, whatever stands there for a number
            places = dict.fromkeys(place(row) for row in used if row["universe"] != ARITHMETIC)
            # A place is not named twice, with its profile and without.
            named = [one for one in places if not any(other.startswith(f"{one} (") for other in places)]
            return [Said(_written(sentence.say, rows), " and on ".join(named))]
    return []


def _written(say: str, rows: Mapping[str, dict]) -> str:
    """The sentence with its numbers as roles, each of which was tried."""

    def role(found: re.Match[str]) -> str:
        name, form, error = found["name"], found["format"] or "", found["error"]
        quote(look_up(rows, name), form, with_error=bool(error))
        return f"{{num}}`{name}{':' if form else ''}{form}{error}`"

    return _NUMBER.sub(role, say)


def holds(condition: str, rows: Mapping[str, dict]) -> bool:
    """Whether a condition is true of the recorded numbers.

    Parameters
    ----------
    condition : str
        Comparisons of ``{id}``, ``{id.error}``, ``{id.n}`` and numbers, with ``+ - * /``, ``abs()``, ``and``, ``or``,
        ``not``, and the tests ``differs(a, b)``, ``larger(a, b)`` and ``smaller(a, b)``: whether a and b, each a
        recorded number with its error or a plain number, are further apart than sqrt(error_a^2 + error_b^2); a third
        argument multiplies this distance. Two numbers from the same galaxies are compared by their recorded difference
        instead.
    rows : mapping
        Rows of ``results.json`` by id.

    Raises
    ------
    UnknownNumber
        When a number is not recorded.
    FoundError
        When the condition cannot be read, or a number in a test has no error.
    """
    tree, names = _expression(condition)
    return bool(_value(tree, [look_up(rows, name) for name in names]))


def _expression(condition: str) -> tuple[ast.expr, list[str]]:
    """Read a condition; its numbers become the names ``_0``, ``_1``, ... Every part of it is tried once."""
    names: list[str] = []

    def stand_in(found: re.Match[str]) -> str:
        if found["format"] or found["error"]:
            raise FoundError(f"a number in a condition has no format: {condition!r}")
        names.append(found["name"])
        return f" _{len(names) - 1} "

    text = _NUMBER.sub(stand_in, condition)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise FoundError(f"the condition {condition!r} is no comparison of numbers") from error
    try:
        tried = _value(tree, [{"value": 1.0, "error": 1.0}] * len(names))
    except ZeroDivisionError:
        tried = True
    if not isinstance(tried, bool):
        raise FoundError(f"the condition {condition!r} is a number, neither true nor false")
    return tree, names


def _value(node: ast.expr, numbers: list[dict]) -> float | bool:
    def of(part: ast.expr) -> float | bool:
        return _value(part, numbers)

    match node:
        case ast.Constant(value=int() | float() as constant) if not isinstance(constant, bool):
            return constant
        case ast.Name(id=name) if re.fullmatch(r"_\d+", name) and int(name[1:]) < len(numbers):
            return numbers[int(name[1:])]["value"]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -of(operand)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not of(operand)
        case ast.BoolOp(op=operation, values=parts):
            found = [bool(of(part)) for part in parts]
            return all(found) if isinstance(operation, ast.And) else any(found)
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _ARITHMETIC:
            return _ARITHMETIC[type(operation)](of(left), of(right))
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _COMPARISONS for op in ops):
            values = [of(part) for part in (left, *others)]
            pairs = zip(ops, values, values[1:], strict=False)
            return all(_COMPARISONS[type(op)](first, second) for op, first, second in pairs)
        case ast.Call(func=ast.Name(id="abs"), args=[argument], keywords=[]):
            return abs(of(argument))
        case ast.Call(func=ast.Name(id=test), args=[first, second, *more], keywords=[]) if test in _TESTS:
            sigmas = float(of(more[0])) if more else 1.0
            (a, error_a), (b, error_b) = (_with_error(part, numbers) for part in (first, second))
            apart = abs(a - b) > sigmas * math.hypot(error_a, error_b)
            return apart and (test == "differs" or (a > b) == (test == "larger"))
    raise FoundError(f"a condition cannot hold {ast.unparse(node)!r}")


def _with_error(node: ast.expr, numbers: list[dict]) -> tuple[float, float]:
    if not isinstance(node, ast.Name):
        if any(isinstance(part, ast.Name) for part in ast.walk(node)):
            raise FoundError("a test compares recorded numbers or plain ones; record the difference, with its error")
        return float(_value(node, numbers)), 0.0
    row = numbers[int(node.id[1:])]
    if row["error"] is None:
        raise FoundError(f"result '{row['id']}' has no error to compare it by")
    return row["value"], row["error"]
