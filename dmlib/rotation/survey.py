"""Many rotation curves at once, and their relations: SPARC where it can be had, else galaxies of a universe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.table import QTable
from scipy.optimize import minimize

from ..errors import GalaxyError
from ..galaxy import load_galaxy
from ..sample import read_sample
from ..settings import Settings
from ..universe import open_universe
from .examples import sparc_files
from .massmodel import UPSILON_DISK, MassModel, from_galaxy, from_sparc, signed_square
from .priors import Priors, known, sparc_priors
from .sparc import read_table1

#: (km/s)^2 / kpc in m/s^2.
_ACCELERATION = (1 * u.km**2 / u.s**2 / u.kpc).to_value(u.m / u.s**2)

#: Total over atomic-hydrogen mass, for helium (Lelli et al. 2016).
HELIUM = 1.33

#: Error of log10 of the stellar mass-to-light ratio [dex], and of a hydrogen mass [a share of it] (Lelli et al. 2016).
_UPSILON_ERROR, _HYDROGEN_ERROR = 0.11, 0.10


@dataclass(frozen=True)
class Survey:
    """Rotation curves with what is believed of each, and what the relations need.

    Parameters
    ----------
    models : tuple of MassModel
    priors : tuple of Priors
    table : QTable
        One row a model: ``galaxy``; ``good``, whether it has quality 1 or 2 and an inclination of 30 deg or more;
        ``v_flat`` and ``v_flat_err`` [km/s], NaN where the curve is not flat; ``m_star``, ``m_bar`` [Msun], for the
        nominal mass-to-light ratio; ``log_m_bar_err`` [dex].
    source : str or None
        ``"SPARC"``, or None for the settings' universe.
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
        """Number of a galaxy by its SPARC name; the first one where it is not here."""
        found = np.flatnonzero(np.asarray(self.table["galaxy"]) == galaxy)
        return int(found[0]) if len(found) else 0


def load_survey(settings: Settings, most: int = 0, *, always: str = "NGC6503") -> Survey:
    """SPARC, or in its place some galaxies of the settings' universe.

    Parameters
    ----------
    settings : Settings
    most : int
        Galaxies at most, evenly spaced in SPARC's alphabetical order; all with 0 (of a universe then 12).
    always : str
        SPARC galaxy that is among them in any case.
    """
    folder, path, reason = sparc_files()
    if folder is None:
        return _of_universe(settings, most or 12, reason)
    table1 = read_table1(path)
    names = np.asarray(table1["galaxy"])
    if 0 < most < len(names):
        chosen = np.union1d(np.linspace(0, len(names) - 1, most).astype(int), np.flatnonzero(names == always))
        table1 = table1[chosen]
    models = [from_sparc(folder / f"{row['galaxy']}_rotmod.dat", table1) for row in table1]
    stars, gas = UPSILON_DISK * table1["l36"].value, HELIUM * table1["m_hi"].value
    m_bar = stars + gas
    part = np.hypot(stars * (np.log(10) * _UPSILON_ERROR), gas * _HYDROGEN_ERROR) / m_bar
    distance = 2 * (table1["distance_err"] / table1["distance"]).value
    table = QTable(
        {
            "galaxy": np.asarray(table1["galaxy"]),
            "good": (table1["quality"] < 3) & (table1["inclination"] >= 30 * u.deg),
            "v_flat": table1["v_flat"],
            "v_flat_err": table1["v_flat_err"],
            "m_star": stars * u.Msun,
            "m_bar": m_bar * u.Msun,
            "log_m_bar_err": np.hypot(part, distance) / np.log(10),
        }
    )
    return Survey(tuple(models), tuple(sparc_priors(row) for row in table1), table, "SPARC", "")


def _of_universe(settings: Settings, most: int, reason: str) -> Survey:
    """Curves of simulated galaxies, measured on their cold gas; stars, gas and distance are known."""
    sample = read_sample(settings.sample_path)
    sample = sample[np.asarray(sample["is_true_central"], dtype=bool)]
    universe = open_universe(settings)
    models, rows = [], []
    for subhalo_id in sample["subhalo_id"][np.linspace(0, len(sample) - 1, min(most, len(sample))).astype(int)]:
        try:
            galaxy = load_galaxy(
                universe, int(subhalo_id), extra={"gas": ("NeutralHydrogenAbundance", "StarFormationRate")}
            )
            model = from_galaxy(galaxy)
        except GalaxyError:
            continue  # no cold gas, so no curve: nothing is claimed of such a galaxy here
        end = model.radius[-1]
        mass = {part: float(values[0]) for part, values in galaxy.enclosed_masses(np.array([end])).items()}
        outer = model.v_obs[model.radius > 0.6 * end]
        rows.append(
            (str(subhalo_id), True, outer.mean(), outer.std(), mass["stars"], mass["stars"] + mass["gas"], 0.02)
        )
        models.append(model)
    if not models:
        raise GalaxyError(f"no galaxy has gas enough for a rotation curve, fetch SPARC instead: {reason}")
    names = ("galaxy", "good", "v_flat", "v_flat_err", "m_star", "m_bar", "log_m_bar_err")
    table = QTable(rows=rows, names=names)
    for name, unit in (("v_flat", "km/s"), ("v_flat_err", "km/s"), ("m_star", "Msun"), ("m_bar", "Msun")):
        table[name] = table[name] * u.Unit(unit)
    return Survey(tuple(models), (known(),) * len(models), table, None, reason)


@dataclass(frozen=True)
class Accelerations:
    """Points of the radial acceleration relation.

    Parameters
    ----------
    g_bar, g_obs : ndarray, shape (n,)
        Of the visible matter, and needed by the orbits [m/s^2].
    galaxy : ndarray of int, shape (n,)
        Number of the galaxy that a point is of.
    """

    g_bar: np.ndarray
    g_obs: np.ndarray
    galaxy: np.ndarray


def accelerations(survey: Survey, largest_error: float = 0.1) -> Accelerations:
    """Points of good galaxies with errors of speed below 10 per cent, as in McGaugh, Lelli & Schombert (2016)."""
    parts = []
    for number, model in enumerate(survey.models):
        if not survey.table["good"][number]:
            continue
        square = signed_square(model.v_visible())
        keep = (model.v_err < largest_error * model.v_obs) & (square > 0)
        r = model.radius[keep]
        parts.append(np.array([square[keep] / r, model.v_obs[keep] ** 2 / r, np.full(keep.sum(), number)]))
    if not parts:
        raise GalaxyError("no galaxy of the survey is good enough for the relation: take more of them")
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


def acceleration_scale(points: Accelerations, *, seed: int, draws: int = 100) -> Scaling:
    """Least squares of log10 g_obs about `expected_acceleration`."""

    def once(rows: np.ndarray) -> dict[str, float]:
        g_bar, log_obs = points.g_bar[rows], np.log10(points.g_obs[rows])

        def mean_square(log_scale: np.ndarray) -> float:
            return float(np.mean((log_obs - np.log10(expected_acceleration(g_bar, 10.0 ** log_scale[0]))) ** 2))

        found = minimize(mean_square, [-10.0], method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-10})
        return {"scale": float(10.0 ** found.x[0]), "scatter": float(np.sqrt(found.fun))}

    rows_of = [np.flatnonzero(points.galaxy == number) for number in np.unique(points.galaxy)]
    return _bootstrap(lambda chosen: once(np.concatenate([rows_of[k] for k in chosen])), len(rows_of), seed, draws)


def tully_fisher(survey: Survey, *, seed: int, draws: int = 200) -> Scaling:
    """Baryonic mass against the flat speed: the likeliest line with an intrinsic scatter at right angles to it."""
    table = survey.table[survey.table["good"] & np.isfinite(survey.table["v_flat"])]
    v, v_err = (table[name].to_value(u.km / u.s) for name in ("v_flat", "v_flat_err"))
    x, x_err = np.log10(v), v_err / v / np.log(10)
    y, y_err = np.log10(table["m_bar"].to_value(u.Msun)), np.asarray(table["log_m_bar_err"])

    def once(rows: np.ndarray) -> dict[str, float]:
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

    return _bootstrap(once, len(x), seed, draws)


def _bootstrap(once: Callable[[np.ndarray], dict[str, float]], n: int, seed: int, draws: int) -> Scaling:
    rng = np.random.default_rng(seed)
    values = once(np.arange(n))
    again = [once(rng.integers(0, n, n)) for _ in range(draws)]
    return Scaling(values, {name: float(np.std([row[name] for row in again], ddof=1)) for name in values}, n)
