"""What the light of a whole galaxy tells of its dark mass: regressions on the columns of a catalogue.

A network that sees images must do better than a formula of the galaxy's total light, colour and size. The formulas of
such numbers are a quadratic polynomial with a penalty (ridge) and boosted trees, fitted to the logarithm of the target.
A galaxy is always predicted by a formula that was fitted without its FoF group; the errors are those of
`dmlib.evaluation.scores`, with a bootstrap over groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from astropy.table import Table
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
from .catalogue import LEAST_GAS, M200_HOSTS, TARGETS, TOLERANCE, agrees, kinds, paired, plain
from .scores import per_view

_LIGHT = ("mag_r", "U - B", "B - V", "V - K", "g - r", "r - i", "i - z", "r_half")

#: Numbers of the kinematic decomposition and of the morphology, which only centrals have.
MORPHOLOGY = ("f_disk_2d", "f_disk_1d_2comp_1", "bulge_r_1_2", "disk_r_1_2", "bulge_index", "P_Late", "P_S0", "P_Sab")

#: Sets of inputs, from nothing to what no telescope measures. Masses, radii and rates are taken as logarithms.
INPUTS: Mapping[str, tuple[str, ...]] = {
    "nothing": (),
    "M*": ("m_star",),
    "M*, r_half": ("m_star", "r_half"),
    "M*, r_half, g - r": ("m_star", "r_half", "g - r"),
    "magnitudes, colours, r_half": _LIGHT,
    "+ SFR": (*_LIGHT, "sfr"),
    "+ SFR, gas within r_half": (*_LIGHT, "sfr", "m_gas_rhalf"),
    "+ kinematic morphology": (*_LIGHT, "sfr", *MORPHOLOGY),
    # Gas far outside the galaxy is bound to it by the halo, so that its mass gives the halo away.
    "+ all bound gas (a leak)": (*_LIGHT, "sfr", "m_gas"),
}

METHODS = ("ridge", "trees")

#: Numbers of galaxies to learn from in a learning curve.
SIZES = (25, 50, 100, 200, 400, 800, 1600)

#: Learning curves: kind of galaxy, target and inputs. The first three have a panel; the others tell what part of a
#: ratio of two universes is that of their numbers of galaxies.
CURVES = (
    ("central", "m_dm_rhalf", "M*, r_half"),
    ("central", "m_dm", "magnitudes, colours, r_half"),
    ("central", "v_max", "magnitudes, colours, r_half"),
    ("central", "m_dm_2rhalf", "magnitudes, colours, r_half"),
    ("central", "m_dm_rhalf", "magnitudes, colours, r_half"),
    ("satellite", "m_dm", "magnitudes, colours, r_half"),
)

#: Label, target and inputs of regressions that tell why those of `INPUTS` differ between universes: whether light says
#: more of a halo than the stellar mass that it gives away, and bound gas more than that mass.
_BEYOND_MASS = (
    ("light", "m_star", _LIGHT),
    ("M* and light", "m_dm_rhalf", ("m_star", *_LIGHT)),
    ("M* and light", "m_dm", ("m_star", *_LIGHT)),
    ("M* and light", "v_max", ("m_star", *_LIGHT)),
    ("M* and bound gas", "m_dm", ("m_star", "m_gas")),
)

#: Fewest galaxies of a regression.
FEWEST = 20

_COLUMNS = ("kind", "target", "inputs", "method", "n", "relative", "relative_error", "rms", "rms_error")

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
            least = LEAST_GAS if name.startswith("m_gas") else 1e-8
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
        As `dmlib.evaluation.catalogue.catalogue_table` gives it. Only galaxies that form stars are used; dark matter
        within twice the half-mass radius is predicted in groups above `dmlib.evaluation.catalogue.M200_HOSTS` only,
        because only there the real rows have it.
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
        for name in inputs:
            if not available(some, INPUTS[name]):
                continue
            for method in methods if INPUTS[name] else ("mean",):
                errors = _errors(some, target, INPUTS[name], method, draws, seed)
                rows.append((kind, target, name, method, len(some), *errors))
    return Table(rows=rows or None, names=_COLUMNS)


def beyond_mass(table: Table, *, draws: int = 400, seed: int = 1) -> Table:
    """Errors of ridge regressions that tell whether light and gas say more of a halo than its galaxy's stellar mass.

    Parameters
    ----------
    table : Table
        As `dmlib.evaluation.catalogue.catalogue_table` gives it. Only centrals that form stars are used.
    draws, seed : int

    Returns
    -------
    Table
        As `regressions` gives it: the stellar mass from ``light`` (magnitudes, colours and radius), the dark matter
        and V_max from ``M* and light``, and all bound dark matter from ``M* and bound gas``.
    """
    rows = []
    for label, target, names in _BEYOND_MASS:
        wanted = "m_dm" if target == "m_star" else target
        some = next((found for kind, of, found in _tasks(table) if (kind, of) == ("central", wanted)), None)
        if some is not None and available(some, names):
            errors = _errors(some, target, names, "ridge", draws, seed)
            rows.append(("central", target, label, "ridge", len(some), *errors))
    return Table(rows=rows or None, names=_COLUMNS)


def _errors(
    some: Table, target: str, names: Sequence[str], method: str, draws: int, seed: int
) -> tuple[float, float, float, float]:
    """Mean abs(dM/M) and root of the mean of its square of a regression, each with its error."""
    truth, group = plain(some[target]), np.asarray(some["group_id"])
    bootstrap = Bootstrap(group, draws, seed)
    predicted = np.exp(predict(features(some, names), np.log(truth), group, method, seed=seed))
    mean = bootstrap.mean(per_view(truth, predicted, "relative"))
    root = bootstrap.root_mean(per_view(truth, predicted, "relative2"))
    return float(mean.value), float(mean.error), float(root.value), float(root.error)


def spread_of_hosts(table: Table, *, draws: int = 400, seed: int = 1) -> Estimate:
    """Standard deviation of log10 M200 of the centrals of massive groups, whose ``m_dm_2rhalf`` is predicted.

    Raises
    ------
    DmlibError
        When there are fewer than `FEWEST` of them.
    """
    for kind, target, some in _tasks(table):
        if (kind, target) == ("central", "m_dm_2rhalf"):
            mass = np.log10(plain(some["m200"]))
            return Bootstrap(np.asarray(some["group_id"]), draws, seed).root_mean((mass - mass.mean()) ** 2)
    raise DmlibError(f"there are fewer than {FEWEST} centrals of massive groups.")


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
    for a, b in paired(table, other, keys):
        ratio, error = _ratio(*((float(row["relative"]), float(row["relative_error"])) for row in (a, b)))
        numbers = (value for row in (a, b) for value in (row["n"], row["relative"], row["relative_error"]))
        rows.append((*(a[key] for key in keys), *numbers, ratio, error, agrees(ratio - 1.0, error, TOLERANCE["ratio"])))
    names = ("n", "relative", "error", "n_other", "relative_other", "error_other", "ratio", "ratio_error", "agrees")
    return Table(rows=rows or None, names=(*keys, *names))


def grid_of_ratios(comparison: Table, kind: str = "central") -> Table:
    """Ratios of `compare_errors` in short, one row a set of inputs and one column a target.

    Parameters
    ----------
    comparison : Table
    kind : {"central", "satellite"}

    Returns
    -------
    Table
        ``inputs``, and for each target in words ``1.36 ± 0.06``, with a star where it is not 1 to 15 per cent and a
        question mark where that is undecided.
    """
    marks = {"yes": "", "no": " *", "undecided": " ?"}
    rows: dict[str, dict[str, str]] = {}
    for row in comparison[comparison["kind"] == kind]:
        cell = f"{row['ratio']:.2f} ± {row['ratio_error']:.2f}{marks[str(row['agrees'])]}"
        rows.setdefault(str(row["inputs"]), {})[str(row["target"])] = cell
    found = [target for target in TARGETS if any(target in cells for cells in rows.values())]
    table = Table({"inputs": list(rows)})
    for target in found:
        table[TARGETS[target]] = [cells.get(target, "") for cells in rows.values()]
    return table


def where_lost(
    errors: Table,
    other: Table,
    draw: Callable[[int, int], Table],
    inputs: Iterable[str] = ("M*, r_half, g - r",),
    *,
    repeats: int = 8,
) -> Table:
    """Split the ratio of errors in two universes by what lies between them: the draw, the number of galaxies, the rest.

    The galaxies of one universe are drawn from relations of the other. Regressions on what is drawn, before any
    particle is made of it, tell which part of the ratio is the relations' own.

    Parameters
    ----------
    errors : Table
        Of the universe that was drawn, as `regressions` gives them.
    other : Table
        Of that from which the relations come.
    draw : callable
        ``draw(n, seed)``: n centrals as drawn, with the columns that the regressions need.
    inputs : iterable of str
        Keys of `INPUTS`.
    repeats : int
        Draws over which a mean is taken.

    Returns
    -------
    Table
        One row a target and set of inputs of the centrals that all three have: ``target``, ``inputs``, ``whole``, the
        ratio of the mean abs(dM/M), first over other, and its factors: ``draw``, drawn over other with equally many
        galaxies; ``number``, as many as the first has over as many as the other has, both drawn; ``rest``, the first
        over equally many drawn. Of each its error, ``whole_error`` and so on.
    """
    inputs = tuple(inputs)
    compared = [row for row in compare_errors(errors, other) if row["kind"] == "central" and row["method"] != "trees"]
    numbers = {int(row[name]) for row in compared for name in ("n", "n_other")}
    drawn: dict[tuple, list[float]] = {}
    for n in sorted(numbers):
        for seed in range(repeats):
            found = regressions(draw(n, seed), inputs=inputs, methods=("ridge",), draws=2)
            for row in found[found["kind"] == "central"]:
                drawn.setdefault((row["target"], row["inputs"], n), []).append(float(row["relative"]))
    rows = []
    for row in compared:
        key = row["target"], row["inputs"]
        few, many = (drawn.get((*key, int(row[name])), []) for name in ("n", "n_other"))
        if not few or not many:
            continue
        first, last = ((float(row[f"relative{x}"]), float(row[f"error{x}"])) for x in ("", "_other"))
        between = [(float(np.mean(x)), float(np.std(x, ddof=1) / np.sqrt(len(x)))) for x in (few, many)]
        pairs = (first, last), (between[1], last), (between[0], between[1]), (first, between[0])
        rows.append((*key, *(number for pair in pairs for number in _ratio(*pair))))
    parts = ("whole", "draw", "number", "rest")
    return Table(rows=rows or None, names=("target", "inputs", *(x + y for x in parts for y in ("", "_error"))))


def _ratio(above: tuple[float, float], below: tuple[float, float]) -> tuple[float, float]:
    """Ratio of two numbers with independent errors, and its error."""
    ratio = above[0] / below[0]
    return ratio, ratio * float(np.hypot(above[1] / above[0], below[1] / below[0]))


def learning_curve(table: Table, kind: str, target: str, inputs: str, *, repeats: int = 20, seed: int = 1) -> Table:
    """Error of ridge regressions against the number of galaxies, of `SIZES`, that they are fitted to.

    In each repetition a fifth of the groups, drawn anew, is predicted by formulas fitted to galaxies of the others.

    Parameters
    ----------
    table : Table
    kind : {"central", "satellite"}
    target : str
    inputs : str
        A key of `INPUTS`.
    repeats, seed : int

    Returns
    -------
    Table
        ``kind``, ``target``, ``inputs``, ``n``, ``relative``: median over the repetitions of the mean abs(dM/M) of
        the galaxies that were not used, ``low`` and ``high``: their 16th and 84th percentile.
    """
    some = next((found for k, t, found in _tasks(table) if (k, t) == (kind, target)), table[:0])
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
    rows = [(kind, target, inputs, n, *np.percentile(errors, [50, 16, 84])) for n, errors in found.items()]
    return Table(rows=rows or None, names=("kind", "target", "inputs", "n", "relative", "low", "high"))


def over_equally_many(row: Mapping, curve: Table) -> tuple[float, float]:
    """Ratio of errors of the same regression in two universes, with equally many galaxies to learn from.

    Parameters
    ----------
    row : mapping
        A row of `compare_errors`.
    curve : Table
        The `learning_curve` of this regression in the other universe, between whose points it is interpolated.

    Returns
    -------
    ratio, error : float
        The error is that of the first universe only.
    """
    used = 0.9 * row["n"]  # of ten parts one is predicted
    few = float(np.interp(np.log(used), np.log(curve["n"]), curve["relative"]))
    return float(row["relative"]) / few, float(row["error"]) / few


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
