"""What a sample of rotation curves shows: scaling relations, and the haloes of every galaxy with several models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from astropy import units as u
from scipy.optimize import minimize

from ..bootstrap import resample
from ..code import fingerprint
from ..errors import GalaxyError
from ..settings import RADII_KPC
from ..workers import Blocks, digest_of
from .baryons import signed_square
from .fit import Importance, Task, fit, fit_many
from .sparc import CurveSample

#: (km/s)^2 / kpc in m/s^2.
_ACCELERATION = (1 * u.km**2 / u.s**2 / u.kpc).to_value(u.m / u.s**2)

#: The models that are compared: a cusp and a core with the same two parameters and the same priors.
HALOS = ("nfw", "burkert")

#: Columns, with the shape of one galaxy's value.
_SHAPES: dict[str, tuple[int, ...]] = {
    "quantiles": (5, len(RADII_KPC)),
    "measured": (len(RADII_KPC),),
    **dict.fromkeys(("log_m200", "log_c", "log_upsilon_disk"), (5,)),
    **dict.fromkeys(("log_evidence", "log_evidence_error", "log_likelihood", "chi2", "converged", "seconds"), ()),
}


@dataclass(frozen=True)
class Scaling:
    """A relation with bootstrap errors over galaxies.

    Parameters
    ----------
    values, errors : dict of float
        See the function that fits it.
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


def relate(x: np.ndarray, y: np.ndarray, *, seed: int, draws: int = 1000) -> Scaling:
    """Fit ``log10 y = level + slope (log10 x - pivot)`` by least squares.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Positive.
    seed : int
        Of the bootstrap.
    draws : int
        Bootstrap samples of galaxies.

    Returns
    -------
    Scaling
        ``slope``; ``pivot`` and ``level``, means of log10 x and log10 y; ``scatter``, root mean square of log10 y about
        the line [dex], and ``spread``, about its mean: the error of a prediction without any information.
    """
    logs = np.log10(np.stack([x, y], axis=1))

    def fit(rows: np.ndarray) -> dict[str, float]:
        some = logs[rows]
        pivot, level = some.mean(axis=0)
        dx, dy = some[:, 0] - pivot, some[:, 1] - level
        slope = np.sum(dx * dy) / np.sum(dx**2)
        scatter = np.sqrt(np.sum((dy - slope * dx) ** 2) / (len(some) - 2))
        found = {"slope": slope, "pivot": pivot, "level": level, "scatter": scatter, "spread": dy.std(ddof=1)}
        return {name: float(value) for name, value in found.items()}

    return Scaling.measure(fit, len(logs), seed, draws)


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


def acceleration_scale(points: Accelerations, *, seed: int, draws: int = 100) -> Scaling:
    """Least squares of log10 g_obs about `expected_acceleration`.

    Returns
    -------
    Scaling
        ``scale`` [m/s^2]; ``scatter`` of the residuals [dex], and their ``slope`` against log10 g_bar, which departs
        from zero where the function has the wrong shape and its scale therefore little meaning.
    """
    rows_of = [np.flatnonzero(points.galaxy == number) for number in np.unique(points.galaxy)]

    def fit(galaxies: np.ndarray) -> dict[str, float]:
        rows = np.concatenate([rows_of[k] for k in galaxies])
        g_bar, log_obs = points.g_bar[rows], np.log10(points.g_obs[rows])

        def mean_square(log_scale: np.ndarray) -> float:
            return float(np.mean((log_obs - np.log10(expected_acceleration(g_bar, 10.0 ** log_scale[0]))) ** 2))

        found = minimize(mean_square, [-10.0], method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-10})
        scale = float(10.0 ** found.x[0])
        off = log_obs - np.log10(expected_acceleration(g_bar, scale))
        slope = float(np.polyfit(np.log10(g_bar), off, 1)[0])
        return {"scale": scale, "scatter": float(np.sqrt(found.fun)), "slope": slope}

    return Scaling.measure(fit, len(rows_of), seed, draws)


def tully_fisher(curves: CurveSample, *, seed: int, draws: int = 200) -> Scaling:
    """Baryonic mass against the flat speed: the maximum-likelihood line with an intrinsic orthogonal scatter.

    Returns
    -------
    Scaling
        ``slope``, ``intercept`` (log10 of the mass [Msun] at 1 km/s), ``scatter`` (orthogonal [dex]) and ``angle`` of
        the line, 90 where it is vertical [deg]. The error of the slope is that of the angle, propagated: in samples of
        few galaxies the line may become vertical, and the slope grow without limit.
    """
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
        found = {"slope": slope, "intercept": level - slope * pivot, "scatter": 10.0**log_scatter}
        return {**found, "angle": np.degrees(angle) % 180.0}

    found = Scaling.measure(fit, len(x), seed, draws)
    slope = np.radians(found.errors["angle"]) * (1.0 + found.values["slope"] ** 2)
    return replace(found, errors={**found.errors, "slope": float(slope)})


@dataclass(frozen=True)
class SampleFits:
    """Summaries of the posteriors of a sample for each halo model; rows as in the sample, NaN where there is no fit.

    Parameters
    ----------
    columns : dict
        Halo model of `HALOS` -> name -> ndarray of length n: ``quantiles`` (n, 5, 20) of the dark mass [Msun],
        ``measured`` (n, 20), ``log_m200``, ``log_c``, ``log_upsilon_disk`` (n, 5) quantiles, ``log_evidence``,
        ``log_evidence_error``, ``log_likelihood`` (the largest), ``chi2``, ``converged``, ``seconds`` (processor time)
        (n,).
    reasons : dict
        Index of a galaxy that cannot be fitted -> why.
    """

    columns: dict[str, dict[str, np.ndarray]]
    reasons: dict[int, str]

    def __getitem__(self, halo: str) -> dict[str, np.ndarray]:
        return self.columns[halo]

    @property
    def log_bayes(self) -> np.ndarray:
        """Log of the evidence of the second model over that of the first, shape (n,)."""
        return self._second_over_first("log_evidence")

    @property
    def log_ratio(self) -> np.ndarray:
        """Log of the largest likelihood of the second model over that of the first, shape (n,)."""
        return self._second_over_first("log_likelihood")

    def _second_over_first(self, name: str) -> np.ndarray:
        first, second = (columns[name] for columns in self.columns.values())
        return second - first

    @property
    def settled(self) -> np.ndarray:
        """Whether the fits of all models converged, shape (n,)."""
        return np.all([columns["converged"] == 1 for columns in self.columns.values()], axis=0)


def fit_curves(curves: CurveSample, path: Path, *, seed: int = 1, sampling: Importance | None = None) -> SampleFits:
    """Fit the models of `HALOS` to a sample, or read what an earlier call with the same data and code has stored.

    Parameters
    ----------
    curves : CurveSample
    path : Path
        Where the result is stored, ``.npz``; what is damaged there is replaced.
    seed : int
    sampling : Importance, optional
        Numbers of draws.
    """
    sampling = sampling or Importance()
    key, blocks = _key(curves, seed, sampling), Blocks(path.parent)
    stored = blocks.read(path.stem)
    if stored is None or str(stored.get("key")) != key:
        stored = {"key": np.array(key), **_fit(curves, seed, sampling)}
        blocks.write(path.stem, **stored)
    columns = {halo: {name: stored[f"{halo}/{name}"] for name in _SHAPES} for halo in HALOS}
    return SampleFits(columns, dict(zip(stored["numbers"].tolist(), stored["reasons"].tolist(), strict=True)))


def _fit(curves: CurveSample, seed: int, sampling: Importance) -> dict[str, np.ndarray]:
    """Columns ``halo/name``, and the ``numbers`` of galaxies that cannot be fitted with the ``reasons``."""
    tasks: list[Task] = [
        ((halo, number), partial(fit, model, halo, priors, seed=seed + number, sampling=sampling))
        for number, (model, priors) in enumerate(zip(curves.models, curves.priors, strict=True))
        for halo in HALOS
    ]
    n, reasons = len(curves), dict[int, str]()
    arrays = {f"{halo}/{name}": np.full((n, *shape), np.nan) for halo in HALOS for name, shape in _SHAPES.items()}
    for outcome in fit_many(tasks, label="rotation curves"):
        halo, number = outcome.key
        if outcome.fit is None:
            reasons[number] = str(outcome.rejection)
            continue
        found = vars(outcome.fit) | {"converged": outcome.fit.converged, "seconds": outcome.seconds}
        found |= {name: outcome.fit.interval(name) for name in _SHAPES if name in outcome.fit.values}
        for name in _SHAPES:
            arrays[f"{halo}/{name}"][number] = found[name]
    return arrays | {"numbers": np.array([*reasons], dtype=int), "reasons": np.array([*reasons.values()], dtype=str)}


def _key(curves: CurveSample, seed: int, sampling: Importance) -> str:
    """Fingerprint of data, priors, settings of the sampler and the code."""
    data = (value for model in curves.models for value in vars(model).values())
    return digest_of(fingerprint("dmlib.rotation.fit"), HALOS, curves.priors, seed, sampling, *data)
