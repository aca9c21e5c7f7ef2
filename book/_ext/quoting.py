"""How the book quotes a recorded number: its name, its digits, its error, its unit, and the data it was measured on."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from dmlib.results import ARITHMETIC, ResultsError

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

#: The committed record in a universe's name, and anything else that stands there in brackets.
_RECORD = re.compile(r"\(records/[^)]*\)")
_BRACKETS = re.compile(r",? \(([^()]*)\)")

#: Real data, by the first words of a universe's name.
_REAL = {"TNG100-1": "real TNG100", "SPARC": "real galaxies"}


class UnknownNumber(ResultsError):
    """A number that no chapter recorded."""


def look_up(rows: Mapping[str, dict], name: str) -> dict:
    """Find a number by the name that the text gives it.

    Parameters
    ----------
    rows : mapping
        Rows of ``results.json`` by id.
    name : str
        ``id``; ``id.error``, its standard deviation; ``id.n``, its sample size; ``|id|``, its absolute value.

    Returns
    -------
    dict
        The row, with `value` replaced by what was asked for.

    Raises
    ------
    UnknownNumber
        When no chapter recorded it; names similar ones.
    ResultsError
        When it was recorded without the error or the sample size.
    """
    if name.startswith("|"):
        row = look_up(rows, name.strip("|"))
        return row | {"value": abs(row["value"]), "statement": f"{row['statement']}, absolute value"}
    if name in rows:
        return rows[name]
    id, _, part = name.rpartition(".")
    if id not in rows or part not in ("error", "n"):
        near = ", ".join(sorted(known for known in rows if known.split(".")[0] == name.split(".")[0])[:8])
        raise UnknownNumber(f"no chapter recorded the number '{name}'" + (f" (there are: {near})" if near else ""))
    row = rows[id]
    if row[part] is None:
        raise ResultsError(f"result '{id}' was recorded without its {'error' if part == 'error' else 'sample size'}")
    what = "standard deviation" if part == "error" else "sample size"
    changed = {"value": row[part], "error": None, "statement": f"{row['statement']}, {what}"}
    return row | changed | ({"unit": ""} if part == "n" else {})


def place(row: Mapping) -> str:
    """Name the data on which a number was measured; the embedded universe is never called TNG."""
    universe, profile = row["universe"], row["profile"]
    if universe == ARITHMETIC:
        return "arithmetic"
    if universe == "embedded":
        return "the embedded universe" + (f" (profile {profile})" if profile else "")
    name, _, more = _BRACKETS.sub(r", \1", _RECORD.sub("(a record)", universe)).partition(", ")
    if name == "embedded":
        name = "the embedded universe"
    if name in _REAL:
        more = ", ".join(filter(None, ("SPARC" if name == "SPARC" else "", more)))
        name = _REAL[name]
    details = [text for text in (more, f"profile {profile}" if profile else "") if text]
    return name + (f" ({', '.join(details)})" if details else "")


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
        mantissa, times, power = written.partition(" × ")
        if times:
            # One power of ten for both, the value's.
            exponent = math.floor(math.log10(abs(row["value"]))) if row["value"] else 0
            error = _at_least(format(row["error"] / 10.0**exponent, unsigned.replace("e", "f")))
            written = f"({mantissa} ± {error}) × {power}"
        else:
            # A value without a power of ten has an error without one.
            plain = unsigned.replace("e", "f") if row["value"] else unsigned
            written = f"{written} ± {_at_least(_format(row['error'], plain))}"
    unit = row["unit"].replace("Msun", "M☉").replace("solMass", "M☉").replace("m/s2", "m s⁻²")
    if scale := re.match(r"1e(-?\d+) ", unit):
        written = f"({written})" if " ± " in written else written
        unit = f"× 10{scale[1].translate(_SUPERSCRIPT)} {unit[scale.end() :]}"
    return f"{written}{'' if unit in ('', '%') else ' '}{unit}"


def _at_least(error: str) -> str:
    """An error that all digits shown leave zero is less than the last of them, not zero."""
    if re.search("[1-9]", error) or "." not in error:
        return error
    last = error.rindex("0")
    return f"<{error[:last]}1{error[last + 1 :]}"


def with_power(number: str) -> str:
    """Write ``7.5e6`` as ``7.5 × 10⁶``, and a number without exponent as it is."""
    mantissa, e, exponent = number.partition("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}" if e else number


def _format(value: float, format_spec: str) -> str:
    whole = float(value).is_integer() and (isinstance(value, int) or abs(value) < 1e6)
    if whole and not format_spec:
        out = f"{int(value):,}".replace(",", "\u202f") if abs(value) >= 10_000 else str(int(value))
    else:
        out = format(value, format_spec or ".3g")
    mantissa, e, exponent = out.partition("e")
    if e and int(exponent) == 0:
        out = mantissa if value else "0"
    elif e:
        out = with_power(out)
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
