"""Samples of rotation curves and their scaling relations: SPARC, or galaxies of a universe in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import QTable
from scipy.optimize import minimize

from ..bootstrap import resample
from ..errors import FetchError, GalaxyError
from ..galaxy import Galaxy, load_galaxy
from ..manifest import available, fetch
from ..manifest.download import Downloader
from ..universe import Universe
from .baryons import HELIUM
from .massmodel import UPSILON_DISK, MassModel, from_galaxy, from_sparc, signed_square
from .posterior import Priors, known, sparc_priors
from .sparc import read_table1

#: One attempt per source: a book built without a network must not wait for it.
IMPATIENT = Downloader(attempts=1, connect_timeout=5.0, read_timeout=20.0)

#: Radius within which the dark mass of many galaxies is compared [kpc].
WITHIN = 10.0

#: Number of galaxies among which the most regularly rotating one is chosen as a stand-in.
_CANDIDATES = 5

#: (km/s)^2 / kpc in m/s^2.
_ACCELERATION = (1 * u.km**2 / u.s**2 / u.kpc).to_value(u.m / u.s**2)

#: Error of log10 of the stellar mass-to-light ratio [dex], and relative error of an HI mass (Lelli et al. 2016).
_UPSILON_ERROR, _HYDROGEN_ERROR = 0.11, 0.10


def sparc_files() -> tuple[Path, Path] | str:
    """Folder of the mass models and path of Table 1; or the reason why SPARC is not available.

    Raises
    ------
    FetchError
        When a copy exists but is damaged: it must be repaired, not ignored.
    """
    names = ("sparc-rotmod", "sparc-table")
    for name in names:
        if available(name).state == "damaged":
            fetch(name, downloader=IMPATIENT)
    try:
        folder, table = (fetch(name, downloader=IMPATIENT) for name in names)
    except FetchError as error:
        return str(error)
    return folder, table


def load_example(sample: QTable, universe: Universe, galaxy: str = "NGC6503") -> MassModel:
    """The rotation curve of the introduction.

    Parameters
    ----------
    sample : QTable
    universe : Universe
        With the galaxies of `sample`, one of which is shown where SPARC is not available.
    galaxy : str
        SPARC name.

    Returns
    -------
    MassModel
        The SPARC galaxy; where SPARC can be neither downloaded nor found in a mirror, a galaxy of the universe, with
        the reason in its `note`.

    Raises
    ------
    SparcError
        When SPARC has no such galaxy.
    """
    files = sparc_files()
    if isinstance(files, str):
        return _stand_in(sample, universe, f"SPARC could not be obtained ({files.rstrip('.')}).")
    return from_sparc(files[0] / f"{galaxy}_rotmod.dat", read_table1(files[1]))


def _stand_in(sample: QTable, universe: Universe, note: str) -> MassModel:
    """The galaxy with the most regular gas rotation among those of the slower half that form the most stars."""
    sample = _true_centrals(sample)
    slower = sample[sample["v_max"] <= np.median(sample["v_max"])]
    best, best_kappa, refusals = None, -1.0, []
    for subhalo_id in slower[np.argsort(slower["sfr"])[::-1][:_CANDIDATES]]["subhalo_id"]:
        try:
            galaxy = _with_cold_gas(universe, subhalo_id)
            kappa = galaxy.kappa_rot("gas", 4 * galaxy.r_half_star)
            model = from_galaxy(galaxy, note)
        except GalaxyError as refusal:
            refusals.append(str(refusal))
            continue
        if kappa > best_kappa:
            best, best_kappa = model, kappa
    if best is None:
        raise GalaxyError(f"no galaxy has enough gas for a rotation curve, fetch SPARC instead: {' '.join(refusals)}")
    return best


def _true_centrals(sample: QTable) -> QTable:
    return sample[np.asarray(sample["is_true_central"], dtype=bool)]


def _with_cold_gas(universe: Universe, subhalo_id: int) -> Galaxy:
    fields = ("NeutralHydrogenAbundance", "StarFormationRate")
    return load_galaxy(universe, int(subhalo_id), extra={"gas": fields})


def load_population(sample: QTable) -> QTable:
    """Dark mass, light and speed of many galaxies.

    Parameters
    ----------
    sample : QTable
        Used where SPARC is not available.

    Returns
    -------
    QTable
        ``galaxy``; ``light``; ``m_dark`` [Msun]; ``v_flat`` [km/s]. From SPARC: luminosity at 3.6 micron [Lsun],
        missing mass within `WITHIN`, speed of the flat part, of the galaxies with quality 1 or 2, inclination of at
        least 30 deg (both after McGaugh, Lelli & Schombert 2016), a measured flat part, and a curve that reaches
        `WITHIN`. Otherwise, from `sample`: stellar mass [Msun], bound dark matter, maximum circular speed.
        ``meta["source"]`` is ``"SPARC"`` or None.
    """
    files = sparc_files()
    if isinstance(files, str):
        columns = {"light": sample["m_star"], "m_dark": sample["m_dm"], "v_flat": sample["v_max"]}
        return QTable({"galaxy": [str(i) for i in sample["subhalo_id"]], **columns}, meta={"source": None})
    table1 = read_table1(files[1])
    rows = []
    for row in table1[_good(table1) & np.isfinite(table1["v_flat"])]:
        model = from_sparc(files[0] / f"{row['galaxy']}_rotmod.dat", table1)
        if model.radius[-1] < WITHIN:
            continue
        dark = float(np.interp(WITHIN, model.radius, model.m_dynamical()[0] - model.m_visible()))
        if dark > 0:
            rows.append((model.galaxy, row["l36"], dark * u.Msun, row["v_flat"]))
    return QTable(rows=rows, names=("galaxy", "light", "m_dark", "v_flat"), meta={"source": "SPARC"})


def _good(table1: QTable) -> np.ndarray:
    """Quality 1 or 2 and inclination of at least 30 deg."""
    return (table1["quality"] < 3) & (table1["inclination"] >= 30 * u.deg)


@dataclass(frozen=True)
class CurveSample:
    """Rotation curves with the priors of each, and the columns of the scaling relations.

    Parameters
    ----------
    models : tuple of MassModel
    priors : tuple of Priors
    table : QTable
        One row per model: ``galaxy``; ``good``, whether it has quality 1 or 2 and an inclination of at least 30 deg;
        ``v_flat`` and ``v_flat_err`` [km/s], NaN where the curve is not flat; ``m_star``, ``m_bar`` [Msun], for the
        nominal mass-to-light ratio; ``log_m_bar_err`` [dex].
    source : str or None
        ``"SPARC"``, or None for a universe.
    reason : str
        Why it is not SPARC.
    """

    models: tuple[MassModel, ...]
    priors: tuple[Priors, ...]
    table: QTable
    source: str | None
    reason: str

    def __len__(self) -> int:
        return len(self.models)

    def index(self, galaxy: str) -> int:
        """Index of a galaxy by its SPARC name; 0 where it is not in the sample."""
        found = np.flatnonzero(np.asarray(self.table["galaxy"]) == galaxy)
        return int(found[0]) if len(found) else 0


def load_curves(sample: QTable, universe: Universe, most: int = 0, *, always: str = "NGC6503") -> CurveSample:
    """SPARC, or galaxies of a universe instead.

    Parameters
    ----------
    sample : QTable
    universe : Universe
        With the galaxies of `sample`, used where SPARC is not available.
    most : int
        Largest number of galaxies, evenly spaced in SPARC's alphabetical order; 0 for all (12 of a universe).
    always : str
        SPARC galaxy that is always included.
    """
    files = sparc_files()
    if isinstance(files, str):
        return _curves_of_universe(sample, universe, most or 12, files)
    table1 = read_table1(files[1])
    names = np.asarray(table1["galaxy"])
    if 0 < most < len(names):
        chosen = np.union1d(np.linspace(0, len(names) - 1, most).astype(int), np.flatnonzero(names == always))
        table1 = table1[chosen]
    models = [from_sparc(files[0] / f"{row['galaxy']}_rotmod.dat", table1) for row in table1]
    stars, gas = UPSILON_DISK * table1["l36"].value, HELIUM * table1["m_hi"].value
    m_bar = stars + gas
    part = np.hypot(stars * (np.log(10) * _UPSILON_ERROR), gas * _HYDROGEN_ERROR) / m_bar
    distance = 2 * (table1["distance_err"] / table1["distance"]).value
    table = QTable(
        {
            "galaxy": np.asarray(table1["galaxy"]),
            "good": _good(table1),
            "v_flat": table1["v_flat"],
            "v_flat_err": table1["v_flat_err"],
            "m_star": stars * u.Msun,
            "m_bar": m_bar * u.Msun,
            "log_m_bar_err": np.hypot(part, distance) / np.log(10),
        }
    )
    return CurveSample(tuple(models), tuple(sparc_priors(row) for row in table1), table, "SPARC", "")


def _curves_of_universe(sample: QTable, universe: Universe, most: int, reason: str) -> CurveSample:
    """Curves of simulated galaxies, measured from their cold gas; stars, gas and distance are known."""
    sample = _true_centrals(sample)
    models, rows = [], []
    for subhalo_id in sample["subhalo_id"][np.linspace(0, len(sample) - 1, min(most, len(sample))).astype(int)]:
        try:
            galaxy = _with_cold_gas(universe, subhalo_id)
            model = from_galaxy(galaxy)
        except GalaxyError:
            continue  # no cold gas, so no curve
        end = model.radius[-1]
        mass = {part: float(values[0]) for part, values in galaxy.enclosed_masses(np.array([end])).items()}
        outer = model.v_obs[model.radius > 0.6 * end]
        baryons = mass["stars"], mass["stars"] + mass["gas"]
        rows.append((str(subhalo_id), True, outer.mean(), outer.std(), *baryons, 0.02))
        models.append(model)
    if not models:
        raise GalaxyError(f"no galaxy has enough gas for a rotation curve, fetch SPARC instead: {reason}")
    names = ("galaxy", "good", "v_flat", "v_flat_err", "m_star", "m_bar", "log_m_bar_err")
    units = {"v_flat": "km/s", "v_flat_err": "km/s", "m_star": "Msun", "m_bar": "Msun"}
    table = QTable(rows=rows, names=names, units=units)
    return CurveSample(tuple(models), (known(),) * len(models), table, None, reason)


@dataclass(frozen=True)
class Relation:
    """A straight line through logarithms, and how well it predicts compared with the mean.

    Parameters
    ----------
    slope : float
    pivot : float
        Mean of log10 x.
    level : float
        Mean of log10 y, the value of the line at the pivot.
    scatter, scatter_error : float
        Root mean square of log10 y about the line [dex], and its bootstrap error over galaxies.
    spread, spread_error : float
        The same about the mean of log10 y: the error of a prediction without any information.
    n : int
    """

    slope: float
    pivot: float
    level: float
    scatter: float
    scatter_error: float
    spread: float
    spread_error: float
    n: int


def relate(x: np.ndarray, y: np.ndarray, *, seed: int, draws: int = 1000) -> Relation:
    """Fit ``log10 y = level + slope (log10 x - pivot)`` by least squares.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Positive.
    seed : int
        Of the bootstrap.
    draws : int
        Bootstrap samples of galaxies.
    """
    logs = np.log10(np.stack([x, y], axis=1))

    def line(rows: np.ndarray) -> tuple[float, float, float, float, float]:
        """Slope, pivot, level, and the scatter about the line and about the mean for their degrees of freedom."""
        some = logs[rows]
        pivot, level = some.mean(axis=0)
        dx, dy = some[:, 0] - pivot, some[:, 1] - level
        slope = np.sum(dx * dy) / np.sum(dx**2)
        scatter = np.sqrt(np.sum((dy - slope * dx) ** 2) / (len(some) - 2))
        return float(slope), float(pivot), float(level), float(scatter), float(dy.std(ddof=1))

    slope, pivot, level, scatter, spread = line(np.arange(len(logs)))
    errors = np.array(resample(line, len(logs), seed=seed, draws=draws))[:, 3:].std(axis=0, ddof=1)
    return Relation(slope, pivot, level, scatter, float(errors[0]), spread, float(errors[1]), len(logs))


@dataclass(frozen=True)
class Accelerations:
    """Points of the radial acceleration relation.

    Parameters
    ----------
    g_bar, g_obs : ndarray, shape (n,)
        Acceleration due to the visible matter, and that of the orbits [m/s^2].
    galaxy : ndarray of int, shape (n,)
        Index of the galaxy of each point.
    """

    g_bar: np.ndarray
    g_obs: np.ndarray
    galaxy: np.ndarray


def accelerations(curves: CurveSample) -> Accelerations:
    """Points of good galaxies with errors of speed below 10 per cent, as in McGaugh, Lelli & Schombert (2016)."""
    parts = []
    for number, model in enumerate(curves.models):
        if not curves.table["good"][number]:
            continue
        square = signed_square(model.v_visible())
        keep = (model.v_err < 0.1 * model.v_obs) & (square > 0)
        r = model.radius[keep]
        parts.append(np.array([square[keep] / r, model.v_obs[keep] ** 2 / r, np.full(keep.sum(), number)]))
    if not parts:
        raise GalaxyError("no galaxy of the sample is good enough for the relation: include more of them")
    g_bar, g_obs, galaxy = np.concatenate(parts, axis=1)
    return Accelerations(g_bar * _ACCELERATION, g_obs * _ACCELERATION, galaxy.astype(int))


def expected_acceleration(g_bar: np.ndarray, scale: float) -> np.ndarray:
    """Equation 4 of McGaugh, Lelli & Schombert (2016), ``g_bar / (1 - exp(-sqrt(g_bar / scale)))`` [m/s^2]."""
    return g_bar / -np.expm1(-np.sqrt(g_bar / scale))


@dataclass(frozen=True)
class Scaling:
    """A relation with bootstrap errors over galaxies.

    Parameters
    ----------
    values, errors : dict of float
        Acceleration: ``scale`` [m/s^2], ``scatter`` [dex]. Tully-Fisher: ``slope``, ``intercept`` (log10 of the mass at
        1 km/s), ``scatter`` (orthogonal, intrinsic [dex]).
    n : int
        Galaxies.
    """

    values: dict[str, float]
    errors: dict[str, float]
    n: int

    @classmethod
    def measure(cls, fit: Callable[[np.ndarray], dict[str, float]], n: int, seed: int, draws: int) -> Scaling:
        """Fit all n galaxies, and bootstrap samples of them."""
        values, again = fit(np.arange(n)), resample(fit, n, seed=seed, draws=draws)
        return cls(values, {name: float(np.std([row[name] for row in again], ddof=1)) for name in values}, n)


def acceleration_scale(points: Accelerations, *, seed: int, draws: int = 100) -> Scaling:
    """Least squares of log10 g_obs about `expected_acceleration`."""
    rows_of = [np.flatnonzero(points.galaxy == number) for number in np.unique(points.galaxy)]

    def fit(galaxies: np.ndarray) -> dict[str, float]:
        rows = np.concatenate([rows_of[k] for k in galaxies])
        g_bar, log_obs = points.g_bar[rows], np.log10(points.g_obs[rows])

        def mean_square(log_scale: np.ndarray) -> float:
            return float(np.mean((log_obs - np.log10(expected_acceleration(g_bar, 10.0 ** log_scale[0]))) ** 2))

        found = minimize(mean_square, [-10.0], method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-10})
        return {"scale": float(10.0 ** found.x[0]), "scatter": float(np.sqrt(found.fun))}

    return Scaling.measure(fit, len(rows_of), seed, draws)


def tully_fisher(curves: CurveSample, *, seed: int, draws: int = 200) -> Scaling:
    """Baryonic mass against the flat speed: the maximum-likelihood line with an intrinsic orthogonal scatter."""
    table = curves.table[curves.table["good"] & np.isfinite(curves.table["v_flat"])]
    v, v_err = (table[name].to_value(u.km / u.s) for name in ("v_flat", "v_flat_err"))
    x, x_err = np.log10(v), v_err / v / np.log(10)
    y, y_err = np.log10(table["m_bar"].to_value(u.Msun)), np.asarray(table["log_m_bar_err"])

    def fit(rows: np.ndarray) -> dict[str, float]:
        pivot = x[rows].mean()

        def cost(theta: np.ndarray) -> float:
            level, angle, log_scatter = theta
            slope = np.tan(angle)
            away = (y[rows] - level - slope * (x[rows] - pivot)) * np.cos(angle)
            variance = (
                (y_err[rows] * np.cos(angle)) ** 2 + (x_err[rows] * np.sin(angle)) ** 2 + 10.0 ** (2 * log_scatter)
            )
            return float(np.sum(away**2 / variance + np.log(variance))) + 1e-3 * log_scatter**2

        found = minimize(cost, [y[rows].mean(), np.arctan(3.8), -1.5], method="Nelder-Mead", options={"maxiter": 2000})
        level, angle, log_scatter = found.x
        slope = float(np.tan(angle))
        return {"slope": slope, "intercept": float(level - slope * pivot), "scatter": float(10.0**log_scatter)}

    return Scaling.measure(fit, len(x), seed, draws)
