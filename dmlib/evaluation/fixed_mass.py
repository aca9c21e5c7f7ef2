"""Two universes at fixed stellar mass: medians and scatters of the properties of their galaxies."""

from __future__ import annotations

from collections.abc import Container, Sequence
from itertools import pairwise

import numpy as np
from astropy.table import Table
from scipy.stats import theilslopes

from ..bootstrap import Bootstrap
from .catalogue import LEAST_GAS, TARGETS, TOLERANCE, agrees, kinds, paired, plain

#: Edges of the bins of log10 stellar mass [Msun] in which universes are compared.
MASS_BINS = (10.0, 10.25, 10.5, 10.75, 11.0, 11.5)

#: Quantities compared: columns of `dmlib.evaluation.catalogue.catalogue_table`, the colour g - r, and the share of
#: galaxies that form stars. All are compared as log10, except the colour and the share.
QUANTITIES = ("m_dm", "m_dm_rhalf", "m_dm_2rhalf", "r_half", "sfr", "m_gas", "m_gas_rhalf", "v_max", "g_r", "forming")

#: Fewest galaxies in a bin of stellar mass.
FEWEST_IN_BIN = 10

#: Those by which a universe is judged, and those of them that the embedded universe was set out to match.
JUDGED = ("m_dm", "m_dm_rhalf", "r_half", "sfr", "m_gas", "m_gas_rhalf", "v_max", "g_r")
SET_OUT = ("m_dm", "r_half", "sfr", "m_gas", "v_max")

_WORDS = TARGETS | {
    "r_half": "stellar half-mass radius",
    "sfr": "star formation rate",
    "m_gas": "bound gas",
    "m_gas_rhalf": "gas within the stellar half-mass radius",
    "g_r": "colour g - r",
}


def at_fixed_mass(table: Table, *, draws: int = 400, seed: int = 1) -> Table:
    """Median and scatter of the galaxies' properties in `MASS_BINS`.

    Within a bin a straight line (Theil-Sen) is removed first, so that both hold at the centre of the bin, however the
    masses are distributed within it. All galaxies form stars, except for their share ``forming``.

    Parameters
    ----------
    table : Table
        As `dmlib.evaluation.catalogue.catalogue_table` gives it; a column that it lacks is left out.
    draws, seed : int
        Of the bootstrap over FoF groups.

    Returns
    -------
    Table
        ``kind`` (central, satellite), ``quantity`` (one of `QUANTITIES`), ``low``, ``high`` (edges), ``n``,
        ``median`` (log10 of Msun, kpc, Msun/yr or km/s; mag for the colour; for ``forming`` the share), ``scatter``
        (half of the middle 68%), ``median_error``, ``scatter_error``. Bins with fewer than `FEWEST_IN_BIN`
        galaxies are left out.
    """
    log_m, group = np.log10(plain(table["m_star"])), np.asarray(table["group_id"])
    forms = np.asarray(table["forms_stars"], dtype=bool)
    rows = []
    for kind, members in kinds(table).items():
        for name in QUANTITIES:
            values = _values(table, name)
            if values is None:
                continue
            chosen = members & np.isfinite(values) & (forms | (name == "forming"))
            for low, high in pairwise(MASS_BINS):
                some = chosen & (log_m >= low) & (log_m < high)
                if some.sum() < FEWEST_IN_BIN:
                    continue
                x, y = log_m[some] - (low + high) / 2.0, values[some]
                bootstrap = Bootstrap(group[some], draws, seed)
                if name == "forming":
                    median = bootstrap.mean(y)
                    # The standard deviation of a number that is 0 or 1 follows from its mean.
                    width, width_error = np.sqrt(median.value * (1.0 - median.value)), np.zeros(())
                else:
                    y = y - theilslopes(y, x).slope * x
                    median, scatter = bootstrap.quantile(y, 0.5), bootstrap.scatter(y)
                    width, width_error = scatter.value, scatter.error
                numbers = (float(number) for number in (median.value, median.error, width, width_error))
                rows.append((kind, name, low, high, int(some.sum()), *numbers))
    names = ("kind", "quantity", "low", "high", "n", "median", "median_error", "scatter", "scatter_error")
    return Table(rows=rows or None, names=names)


def compare_at_fixed_mass(table: Table, other: Table) -> Table:
    """Compare two universes at fixed stellar mass.

    Parameters
    ----------
    table, other : Table
        Each as `dmlib.evaluation.catalogue.catalogue_table` gives it, or what `at_fixed_mass` measured on it, as the
        record of the real TNG100: ``Table(load.record("tng100_at_fixed_mass")["measured"]["rows"])``.

    Returns
    -------
    Table
        One row a kind, quantity and bin that both have: ``kind``, ``quantity``, ``low``, ``high``, ``n``, ``n_other``,
        ``median``, ``median_other``, ``difference`` (first minus other) and its error, ``scatter``, ``scatter_other``,
        ``ratio`` (first over other) and its error, the errors of medians and scatters (``median_error``,
        ``median_error_other`` and so on), ``median_agrees`` and ``scatter_agrees``, see
        `dmlib.evaluation.catalogue.agrees`.
    """
    first, second = (some if "median" in some.colnames else at_fixed_mass(some) for some in (table, other))
    keys = ("kind", "quantity", "low", "high")
    rows = []
    for a, b in paired(first, second, keys):
        difference = a["median"] - b["median"]
        off = float(np.hypot(a["median_error"], b["median_error"]))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = a["scatter"] / b["scatter"]
            ratio_off = float(ratio * np.hypot(*(row["scatter_error"] / row["scatter"] for row in (a, b))))
        share = a["quantity"] == "forming"
        rows.append(
            (
                *(a[key] for key in keys),
                *(a["n"], b["n"], a["median"], b["median"], difference, off),
                *(a["scatter"], b["scatter"], ratio, ratio_off),
                *(row[name] for name in ("median_error", "scatter_error") for row in (a, b)),
                agrees(difference, off, TOLERANCE["difference"]),
                "" if share else agrees(ratio - 1.0, ratio_off, TOLERANCE["ratio"]),
            )
        )
    names = (
        *keys,
        *("n", "n_other", "median", "median_other", "difference", "difference_error"),
        *("scatter", "scatter_other", "ratio", "ratio_error"),
        *("median_error", "median_error_other", "scatter_error", "scatter_error_other"),
        *("median_agrees", "scatter_agrees"),
    )
    return Table(rows=rows or None, names=names)


def tally(comparison: Table, kind: str = "central", quantities: Container[str] = JUDGED) -> dict[str, dict[str, int]]:
    """How many medians and scatters agree.

    Parameters
    ----------
    comparison : Table
        As `compare_at_fixed_mass` gives it.
    kind : {"central", "satellite"}
    quantities : container of str
        Those that are counted.

    Returns
    -------
    dict
        ``median`` and ``scatter`` -> number of ``yes``, ``no`` and ``undecided``, over quantities and bins.
    """
    rows = [row for row in comparison if row["kind"] == kind and row["quantity"] in quantities]
    words = ("yes", "no", "undecided")
    return {
        what: {word: sum(str(row[f"{what}_agrees"]) == word for row in rows) for word in words}
        for what in ("median", "scatter")
    }


def beyond(comparison: Table, sigmas: float = 2.0, kind: str = "central") -> int:
    """How many medians of the quantities in `JUDGED` differ by more than that many standard deviations."""
    rows = [row for row in comparison if row["kind"] == kind and row["quantity"] in JUDGED]
    return sum(abs(row["difference"]) > sigmas * row["difference_error"] for row in rows)


def side_by_side(
    comparison: Table, what: str = "median", kind: str = "central", quantities: Sequence[str] = SET_OUT
) -> Table:
    """Medians or scatters of two universes beside each other, in short.

    Parameters
    ----------
    comparison : Table
        As `compare_at_fixed_mass` gives it.
    what : {"median", "scatter"}
    kind : {"central", "satellite"}
    quantities : sequence of str
        In this order.

    Returns
    -------
    Table
        ``quantity`` (in words), ``log M*`` (the bin), ``real`` and ``embedded`` (the other and the first universe),
        ``difference`` (of scatters ``ratio``), each as ``0.12 ± 0.03``, and ``verdict``: agrees, differs or undecided.
    """
    verdicts = {"yes": "agrees", "no": "differs", "undecided": "undecided"}
    last = "difference" if what == "median" else "ratio"
    rows = []
    for quantity in quantities:
        for row in comparison[(comparison["kind"] == kind) & (comparison["quantity"] == quantity)]:
            numbers = [
                f"{row[name]:.3f} ± {row[error]:.3f}"
                for name, error in (
                    (f"{what}_other", f"{what}_error_other"),
                    (what, f"{what}_error"),
                    (last, f"{last}_error"),
                )
            ]
            mass = f"{row['low']:g} to {row['high']:g}"
            rows.append((_WORDS[quantity], mass, *numbers, verdicts[str(row[f"{what}_agrees"])]))
    return Table(rows=rows or None, names=("quantity", "log M*", "real", "embedded", last, "verdict"))


def differing(comparison: Table, kind: str = "central") -> Table:
    """The medians and scatters of the quantities in `JUDGED` that do not agree.

    Parameters
    ----------
    comparison, kind
        As those of `tally`.

    Returns
    -------
    Table
        ``quantity`` (in words), ``of`` (median or scatter), ``log M*`` (the bin), ``embedded``, ``real`` (the first and
        the other universe), ``difference``, ``error``: of medians in dex or mag, of scatters their ratio less 1.
    """
    rows = []
    for row in comparison:
        if row["kind"] != kind or row["quantity"] not in JUDGED:
            continue
        differences = {
            "median": (row["difference"], row["difference_error"]),
            "scatter": (row["ratio"] - 1.0, row["ratio_error"]),
        }
        for what, found in differences.items():
            if str(row[f"{what}_agrees"]) == "no":
                mass = f"{row['low']:g} to {row['high']:g}"
                rows.append((_WORDS[row["quantity"]], what, mass, row[what], row[f"{what}_other"], *found))
    names = ("quantity", "of", "log M*", "embedded", "real", "difference", "error")
    return Table(rows=rows or None, names=names)


def _values(table: Table, name: str) -> np.ndarray | None:
    """A quantity of the comparison, shape (n,); None where the table lacks its column."""
    if name == "forming":
        return np.asarray(table["forms_stars"], dtype=float)
    if name == "g_r":
        return plain(table["mag_g"]) - plain(table["mag_r"])
    if name not in table.colnames:
        return None
    values = plain(table[name])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(np.maximum(values, LEAST_GAS) if name.startswith("m_gas") else values)
