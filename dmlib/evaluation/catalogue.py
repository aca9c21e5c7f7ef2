"""Galaxies as a catalogue lists them: two universes at fixed stellar mass, and what light tells of dark mass.

The columns are those of the TNG group catalogue, so that the table can be made of any universe, and of the rows of the
real TNG100-1 on which ``records/tng100_at_fixed_mass.json`` was measured. Masses are bound masses (Subfind), "within
r_half" means within the stellar half-mass radius; magnitudes have no dust.

A network that sees images must do better than a formula of the galaxy's total light, colour and size. The formulas of
such numbers are a quadratic polynomial with a penalty (ridge) and boosted trees, fitted to the logarithm of the target.
A galaxy is always predicted by a formula that was fitted without its FoF group; the errors are those of
`dmlib.evaluation.scores`, with a bootstrap over groups.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from astropy import units as u
from astropy.table import QTable, Row, Table
from scipy.stats import theilslopes
from sklearn.base import RegressorMixin
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler
from threadpoolctl import threadpool_limits

from ..bootstrap import Bootstrap, Estimate
from ..errors import DmlibError
from ..sample import is_true_central
from ..settings import Criteria
from ..units import PART_TYPE
from ..universe.base import Universe
from .scores import per_view

#: Columns of SubhaloStellarPhotometrics: U B V K (Vega) and g r i z (AB).
MAGNITUDES = ("U", "B", "V", "K", "g", "r", "i", "z")

#: Edges of the bins of log10 stellar mass [Msun] in which universes are compared.
MASS_BINS = (10.0, 10.25, 10.5, 10.75, 11.0, 11.5)

#: Quantities compared: columns of `catalogue_table`, the colour g - r, and the share of galaxies that form stars. All
#: are compared as log10, except the colour and the share.
QUANTITIES = ("m_dm", "m_dm_rhalf", "m_dm_2rhalf", "r_half", "sfr", "m_gas", "m_gas_rhalf", "v_max", "g_r", "forming")

#: Smallest gas mass that is told from zero, about seven gas cells of TNG100-1 [Msun].
_LEAST_GAS = 1e7

#: Fewest galaxies in a bin of stellar mass, and of a regression.
FEWEST_IN_BIN, FEWEST = 10, 20

#: Satellites are compared in groups above this mass [Msun]: of smaller groups there are no real rows.
M200_HOSTS = 4e12

#: Those by which a universe is judged, and those of them that the embedded universe was set out to match.
JUDGED = ("m_dm", "m_dm_rhalf", "r_half", "sfr", "m_gas", "m_gas_rhalf", "v_max", "g_r")
SET_OUT = ("m_dm", "r_half", "sfr", "m_gas", "v_max")

#: Largest deviation that counts as agreement: of a median [dex, mag, or share], and of a scatter (relative).
TOLERANCE = {"difference": 0.05, "ratio": 0.15}


def catalogue_table(universe: Universe, criteria: Criteria | None = None) -> QTable:
    """Integrated properties of the galaxies of a universe, from its group catalogue.

    Parameters
    ----------
    universe : Universe
    criteria : Criteria, optional
        Range of stellar mass and limit of the star formation rate; the paper's when omitted. Its rule for centrals
        is not used: the table has both, by GroupFirstSub.

    Returns
    -------
    QTable
        One row a galaxy in the mass range and with SubhaloFlag = 1: ``subhalo_id``, ``group_id``, ``is_central``,
        ``forms_stars`` (SFR at or above the limit), ``m_star``, ``m_dm``, ``m_gas`` (bound), ``m_star_rhalf``,
        ``m_dm_rhalf``, ``m_gas_rhalf``, ``m_star_2rhalf``, ``m_dm_2rhalf``, ``m_gas_2rhalf``, ``m200`` of the group
        [Msun], ``r_half`` [kpc], ``sfr`` [Msun/yr], ``v_max`` [km/s], ``mag_U`` ... ``mag_z`` [mag].

    Raises
    ------
    UniverseError
        When the catalogue lacks a field.
    """
    criteria = criteria or Criteria()
    mass = universe.subhalos(["SubhaloMassType", "SubhaloFlag"])
    m_star = mass["SubhaloMassType"][:, PART_TYPE["stars"]].to_value(u.Msun)
    keep = (m_star >= criteria.m_star_min) & (m_star <= criteria.m_star_max)
    ids = np.flatnonzero(keep & np.asarray(mass["SubhaloFlag"], dtype=bool))
    within = {"": "SubhaloMassType", "_rhalf": "SubhaloMassInHalfRadType", "_2rhalf": "SubhaloMassInRadType"}
    others = ["SubhaloHalfmassRadType", "SubhaloSFR", "SubhaloVmax", "SubhaloStellarPhotometrics", "SubhaloGrNr"]
    rows = universe.subhalos([*within.values(), *others], ids)
    groups = universe.groups(["GroupFirstSub", "Group_M_Crit200"])
    photometry = u.Quantity(rows["SubhaloStellarPhotometrics"]).value
    return QTable(
        {
            "subhalo_id": ids,
            "group_id": np.asarray(rows["SubhaloGrNr"]),
            "is_central": is_true_central(rows, groups),
            "forms_stars": rows["SubhaloSFR"].to_value(u.Msun / u.yr) >= criteria.sfr_min,
            **{
                f"m_{name}{suffix}": rows[field][:, PART_TYPE["stars" if name == "star" else name]]
                for suffix, field in within.items()
                for name in ("star", "dm", "gas")
            },
            "m200": groups["Group_M_Crit200"][np.asarray(rows["SubhaloGrNr"])],
            "r_half": rows["SubhaloHalfmassRadType"][:, PART_TYPE["stars"]],
            "sfr": rows["SubhaloSFR"],
            "v_max": rows["SubhaloVmax"],
            **{f"mag_{band}": photometry[:, k] * u.mag for k, band in enumerate(MAGNITUDES)},
        }
    )


def kinds(table: Table) -> dict[str, np.ndarray]:
    """Which rows are centrals, and which are satellites of groups above `M200_HOSTS`, shape (n,) of bool."""
    central = np.asarray(table["is_central"], dtype=bool)
    massive = plain(table["m200"]) >= M200_HOSTS
    return {"central": central, "satellite": ~central & massive}


def plain(column) -> np.ndarray:
    """A column as floats, without its unit and with NaN where it is masked."""
    values = getattr(column, "value", column)
    return np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)


def at_fixed_mass(table: Table, *, draws: int = 400, seed: int = 1) -> Table:
    """Median and scatter of the galaxies' properties in `MASS_BINS`.

    Within a bin a straight line (Theil-Sen) is removed first, so that both hold at the centre of the bin, however the
    masses are distributed within it. All galaxies form stars, except for their share ``forming``.

    Parameters
    ----------
    table : Table
        As `catalogue_table` gives it; a column that it lacks is left out.
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
        Each as `catalogue_table` gives it, or what `at_fixed_mass` measured on it, as the record of the real TNG100:
        ``Table(load.record("tng100_at_fixed_mass")["measured"]["rows"])``.

    Returns
    -------
    Table
        One row a kind, quantity and bin that both have: ``kind``, ``quantity``, ``low``, ``high``, ``n``, ``n_other``,
        ``median``, ``median_other``, ``difference`` (first minus other) and its error, ``scatter``, ``scatter_other``,
        ``ratio`` (first over other) and its error, ``median_agrees`` and ``scatter_agrees``, see `agrees`.
    """
    first, second = (some if "median" in some.colnames else at_fixed_mass(some) for some in (table, other))
    keys = ("kind", "quantity", "low", "high")
    rows = []
    for a, b in _paired(first, second, keys):
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
                agrees(difference, off, TOLERANCE["difference"]),
                "" if share else agrees(ratio - 1.0, ratio_off, TOLERANCE["ratio"]),
            )
        )
    names = (
        *keys,
        *("n", "n_other", "median", "median_other", "difference", "difference_error"),
        *("scatter", "scatter_other", "ratio", "ratio_error", "median_agrees", "scatter_agrees"),
    )
    return Table(rows=rows or None, names=names)


def _paired(first: Table, second: Table, keys: Sequence[str]) -> Iterable[tuple[Row, Row]]:
    """Rows of two tables that have the same keys, in the order of the first."""
    partner = {tuple(row[key] for key in keys): row for row in second}
    rows = ((row, partner.get(tuple(row[key] for key in keys))) for row in first)
    return ((a, b) for a, b in rows if b is not None)


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


def agrees(deviation: float, error: float, tolerance: float) -> str:
    """``yes`` or ``no`` where the deviation and its error lie within or beyond the tolerance, else ``undecided``.

    By one standard deviation, that is: of many comparisons one in six or so is called wrongly.
    """
    if abs(deviation) + error <= tolerance:
        return "yes"
    return "no" if abs(deviation) - error > tolerance else "undecided"


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
        return np.log10(np.maximum(values, _LEAST_GAS) if name.startswith("m_gas") else values)


#: What is predicted: column -> how figures and tables name it.
TARGETS: dict[str, str] = {
    "m_dm_rhalf": "dark matter within the stellar half-mass radius",
    "m_dm_2rhalf": "dark matter within twice that radius",
    "m_dm": "all dark matter bound to the galaxy",
    "v_max": "largest circular speed",
}

_WORDS = TARGETS | {
    "r_half": "stellar half-mass radius",
    "sfr": "star formation rate",
    "m_gas": "bound gas",
    "m_gas_rhalf": "gas within the stellar half-mass radius",
    "g_r": "colour g - r",
}

_LIGHT = ("mag_r", "U - B", "B - V", "V - K", "g - r", "r - i", "i - z", "r_half")
_MORPHOLOGY = ("f_disk_2d", "f_disk_1d_2comp_1", "bulge_r_1_2", "disk_r_1_2", "bulge_index", "P_Late", "P_S0", "P_Sab")

#: Sets of inputs, from nothing to what no telescope measures. Masses, radii and rates are taken as logarithms.
INPUTS: Mapping[str, tuple[str, ...]] = {
    "nothing": (),
    "M*": ("m_star",),
    "M*, r_half": ("m_star", "r_half"),
    "M*, r_half, g - r": ("m_star", "r_half", "g - r"),
    "magnitudes, colours, r_half": _LIGHT,
    "+ SFR": (*_LIGHT, "sfr"),
    "+ SFR, gas within r_half": (*_LIGHT, "sfr", "m_gas_rhalf"),
    "+ kinematic morphology": (*_LIGHT, "sfr", *_MORPHOLOGY),
    # Gas far outside the galaxy is bound to it by the halo, so that its mass gives the halo away.
    "+ all bound gas (a leak)": (*_LIGHT, "sfr", "m_gas"),
}

METHODS = ("ridge", "trees")

#: Numbers of galaxies to learn from in a learning curve.
SIZES = (25, 50, 100, 200, 400, 800, 1600)

#: Learning curves that the book shows: target and inputs.
CURVES = (("m_dm_rhalf", "M*, r_half"), ("m_dm", "magnitudes, colours, r_half"))

#: Numbers that are used as they are: colours, shares, probabilities and Sersic indices.
_LINEAR = ("f_disk_2d", "f_disk_1d_2comp_1", "P_Late", "P_S0", "P_Sab")

#: Standardised inputs are cut at this value: single wild fits must not bend a parabola.
_WILD = 4.0

#: A satellite with less dark matter than this share of its stellar mass is left out: of one with hardly any, as of a
#: stripped or a tidal object, every relative error would be a number of thousands.
_LEAST_DARK = 0.1


def features(table: Table, names: Sequence[str]) -> np.ndarray:
    """Inputs of a regression.

    Parameters
    ----------
    table : Table
        As `dmlib.evaluation.catalogue.catalogue_table` gives it.
    names : sequence of str
        Columns; ``"g - r"`` stands for a difference of magnitudes.

    Returns
    -------
    ndarray, shape (n, len(names))
        log10 of masses, radii and rates, magnitudes and shares as they are.
    """
    columns = []
    for name in names:
        if " - " in name:
            blue, red = (plain(table[f"mag_{band}"]) for band in name.split(" - "))
            columns.append(blue - red)
        elif name.startswith("mag_") or name in _LINEAR:
            columns.append(plain(table[name]))
        else:
            least = _LEAST_GAS if name.startswith("m_gas") else 1e-8
            columns.append(np.log10(np.maximum(plain(table[name]), least)))
    return np.stack(columns, axis=1) if columns else np.zeros((len(table), 1))


def available(table: Table, names: Sequence[str]) -> bool:
    """Whether a table has the columns of some inputs, and values in them."""
    needed = [f"mag_{band}" for name in names if " - " in name for band in name.split(" - ")]
    needed += [name for name in names if " - " not in name]
    return all(name in table.colnames and np.isfinite(plain(table[name])).all() for name in needed)


def model(method: str, n_inputs: int, seed: int = 1) -> RegressorMixin:
    """An unfitted regression of a logarithm.

    Parameters
    ----------
    method : {"ridge", "trees"}
    n_inputs : int
        Without inputs it is the mean.
    seed : int
    """
    if n_inputs == 0:
        return DummyRegressor()
    if method == "ridge":
        clip = FunctionTransformer(np.clip, kw_args={"a_min": -_WILD, "a_max": _WILD})
        powers = PolynomialFeatures(2, include_bias=False)
        return make_pipeline(StandardScaler(), clip, powers, StandardScaler(), RidgeCV(np.geomspace(1e-3, 1e3, 13)))
    if method == "trees":
        options = {"max_iter": 150, "learning_rate": 0.06, "max_leaf_nodes": 8, "l2_regularization": 1.0}
        return HistGradientBoostingRegressor(early_stopping=False, random_state=seed, max_bins=127, **options)
    raise ValueError(f"there is no regression '{method}'; choose {', '.join(METHODS)}")


def predict(
    x: np.ndarray, y: np.ndarray, group: np.ndarray, method: str, *, folds: int = 10, seed: int = 1
) -> np.ndarray:
    """Cross-validated predictions: every galaxy by a formula fitted without its FoF group.

    Parameters
    ----------
    x : ndarray, shape (n, f)
    y : ndarray, shape (n,)
    group : ndarray of int, shape (n,)
    method : {"ridge", "trees"}
    folds : int
    seed : int

    Returns
    -------
    ndarray, shape (n,)
    """
    predicted, n_inputs = np.empty(len(y)), x.shape[1] if np.ptp(x, axis=0).any() else 0
    folds = min(folds, len(np.unique(group)))
    # So small a task is slower on several threads than on one.
    with threadpool_limits(1):
        for fit, held in GroupKFold(folds).split(x, groups=group):
            predicted[held] = model(method, n_inputs, seed).fit(x[fit], y[fit]).predict(x[held])
    return predicted


def regressions(
    table: Table, *, inputs: Iterable[str] = INPUTS, methods: Sequence[str] = METHODS, draws: int = 400, seed: int = 1
) -> Table:
    """Errors of all regressions, for centrals and for satellites of massive groups.

    Parameters
    ----------
    table : Table
        As `catalogue_table` gives it. Only galaxies that form stars are used; dark matter within twice the half-mass
        radius is predicted in groups above `M200_HOSTS` only, because only there the real rows have it.
    inputs : iterable of str
        Keys of `INPUTS`; those are left out of which the table lacks a column.
    methods : sequence of str
    draws, seed : int

    Returns
    -------
    Table
        ``kind``, ``target``, ``inputs``, ``method`` (without inputs ``mean``), ``n``, ``relative`` (mean abs(dM/M) of
        the predicted against the true value), ``relative_error``, ``rms`` (root of the mean of (dM/M)^2) and
        ``rms_error``.
    """
    rows = []
    for kind, target, some in _tasks(table):
        truth, group = plain(some[target]), np.asarray(some["group_id"])
        bootstrap = Bootstrap(group, draws, seed)
        for name in inputs:
            if not available(some, INPUTS[name]):
                continue
            x = features(some, INPUTS[name])
            for method in methods if INPUTS[name] else ("mean",):
                predicted = np.exp(predict(x, np.log(truth), group, method, seed=seed))
                mean = bootstrap.mean(per_view(truth, predicted, "relative"))
                root = bootstrap.root_mean(per_view(truth, predicted, "relative2"))
                numbers = (float(number) for e in (mean, root) for number in (e.value, e.error))
                rows.append((kind, target, name, method, len(some), *numbers))
    names = ("kind", "target", "inputs", "method", "n", "relative", "relative_error", "rms", "rms_error")
    return Table(rows=rows or None, names=names)


def error_of(table: Table, target: str, inputs: str, *, kind: str = "central", method: str = "ridge") -> Estimate:
    """Mean abs(dM/M) of one regression in a table of `regressions`.

    Raises
    ------
    DmlibError
        When the table does not have it.
    """
    wanted = (kind, target, inputs, method if INPUTS[inputs] else "mean")
    for row in table:
        if (row["kind"], row["target"], row["inputs"], row["method"]) == wanted:
            value, error = np.asarray(row["relative"]), np.asarray(row["relative_error"])
            return Estimate(value, error, value - error, value + error)
    raise DmlibError(f"there is no regression {wanted}: it needs at least {FEWEST} galaxies.")


def compare_errors(table: Table, other: Table) -> Table:
    """The same regressions in two universes.

    Parameters
    ----------
    table, other : Table
        As `regressions` gives them.

    Returns
    -------
    Table
        One row a regression that both have: ``kind``, ``target``, ``inputs``, ``method``, ``n``, ``relative``,
        ``error``, ``n_other``, ``relative_other``, ``error_other``, ``ratio`` of the mean abs(dM/M), first over other,
        ``ratio_error``, and whether it is 1 within 15 per cent, ``agrees``.
    """
    keys = ("kind", "target", "inputs", "method")
    rows = []
    for a, b in _paired(table, other, keys):
        ratio = float(a["relative"] / b["relative"])
        error = ratio * float(np.hypot(*(row["relative_error"] / row["relative"] for row in (a, b))))
        numbers = (value for row in (a, b) for value in (row["n"], row["relative"], row["relative_error"]))
        rows.append((*(a[key] for key in keys), *numbers, ratio, error, agrees(ratio - 1.0, error, TOLERANCE["ratio"])))
    names = ("n", "relative", "error", "n_other", "relative_other", "error_other", "ratio", "ratio_error", "agrees")
    return Table(rows=rows or None, names=(*keys, *names))


def learning_curve(table: Table, target: str, inputs: str, *, repeats: int = 20, seed: int = 1) -> Table:
    """Error of ridge regressions against the number of centrals, of `SIZES`, that they are fitted to.

    In each repetition a fifth of the groups, drawn anew, is predicted by formulas fitted to galaxies of the others.

    Parameters
    ----------
    table : Table
    target : str
    inputs : str
        A key of `INPUTS`.
    repeats, seed : int

    Returns
    -------
    Table
        ``target``, ``inputs``, ``n``, ``relative``: median over the repetitions of the mean abs(dM/M) of the galaxies
        that were not used, ``low`` and ``high``: their 16th and 84th percentile.
    """
    some = next((found for k, t, found in _tasks(table) if (k, t) == ("central", target)), table[:0])
    x, y, group = features(some, INPUTS[inputs]), np.log(plain(some[target])), np.asarray(some["group_id"])
    groups, member = np.unique(group, return_inverse=True)
    rng = np.random.default_rng(seed)
    found: dict[int, list[float]] = {n: [] for n in SIZES if n <= 0.8 * len(some)}
    with threadpool_limits(1):
        for _ in range(repeats):
            rank = rng.permutation(len(groups))[member]
            held = np.flatnonzero(rank < 0.2 * len(groups))
            others = np.flatnonzero(rank >= 0.2 * len(groups))
            others = others[np.argsort(rank[others], kind="stable")]
            for n, errors in found.items():
                fit = others[:n]
                predicted = model("ridge", x.shape[1], seed).fit(x[fit], y[fit]).predict(x[held])
                errors.append(float(np.mean(per_view(np.exp(y[held]), np.exp(predicted), "relative"))))
    rows = [(target, inputs, n, *np.percentile(errors, [50, 16, 84])) for n, errors in found.items()]
    return Table(rows=rows or None, names=("target", "inputs", "n", "relative", "low", "high"))


def _tasks(table: Table) -> Iterable[tuple[str, str, Table]]:
    """Kind of galaxy, target, and the galaxies of which it is predicted."""
    forms = np.asarray(table["forms_stars"], dtype=bool)
    for kind, members in kinds(table).items():
        for target in TARGETS:
            if target not in table.colnames:
                continue
            chosen = members & forms & (plain(table[target]) > 0)
            chosen &= plain(table["m_dm"]) > _LEAST_DARK * plain(table["m_star"])
            if target == "m_dm_2rhalf":
                chosen &= plain(table["m200"]) >= M200_HOSTS
            if chosen.sum() >= FEWEST:
                yield kind, target, table[chosen]
