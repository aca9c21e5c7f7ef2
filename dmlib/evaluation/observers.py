"""Ideal observers of the embedded universe: what they know of its galaxies, without noise and from the views.

See `dmlib.evaluation.floor`, which lets them predict the dark matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u
from scipy.linalg import block_diag
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from .. import embedded
from ..baselines.observables import measure
from ..dataset.read import DataSet
from ..units import G

#: Scatter of measured about circular speeds, independent at `KNOTS` (our choice: streaming, turbulence, noise).
MOTIONS = 0.03

#: Radii at which a rotation curve is given [kpc]; within them it is interpolated, outside the HI it is constant.
KNOTS = np.array([1.5, 3.0, 6.0, 12.0, 24.0, 48.0])

#: Smallest fraction of V^2 that dark matter is taken to contribute: subtraction of the baryons can leave nothing.
_LEAST_DARK = 0.05

#: Smaller sines of inclinations are not distinguished.
_LEAST_SINE = 0.05

#: Penalties that are tried for the formula by which numbers are read off the views.
_PENALTIES = np.geomspace(1e-1, 1e5, 13)

Column = Callable[[Any], np.ndarray]


def _ln(name: str, least: float = 1e-3) -> Column:
    return lambda rows: np.log(np.maximum(rows[name], least))


#: What starlight could tell: name -> function of rows of the population.
LIGHT: Mapping[str, Column] = {
    "ln stellar mass": _ln("m_star"),
    "ln half-mass radius": _ln("r_half"),
    "bulge fraction": lambda rows: rows["bulge_fraction"],
    "fraction in the stellar halo": lambda rows: rows["halo_star_fraction"],
    "ln star formation rate": _ln("sfr"),
    "quenched": lambda rows: rows["quenched"].astype(float),
    "age": lambda rows: rows["age"],
    "gradient of age": lambda rows: rows["age_gradient"] * rows["r_half"],
    "ln radius of the stellar halo": _ln("r_star_halo"),
    "ln metallicity": _ln("z_star", 1e-6),
    "gradient of metallicity": lambda rows: rows["z_star_gradient"] * rows["r_half"],
    "ln disc scale length": _ln("r_disc"),
    "thickness of the disc": lambda rows: rows["h_disc"] / rows["r_disc"],
    "strength of the bar": lambda rows: rows["bar_strength"],
    "amplitude of the arms": lambda rows: rows["spiral_amplitude"],
}

#: What the HI could tell beside the speed.
GAS: Mapping[str, Column] = {
    "ln HI mass": _ln("m_hi", 1e5),
    "ln HI radius": _ln("r_hi", 0.5),
    "turbulence of the gas": lambda rows: rows["gas_dispersion"],
    "warp": lambda rows: rows["warp_amplitude"],
    "lopsidedness": lambda rows: rows["lopsidedness"],
    "radius of a central hole": lambda rows: rows["hole_radius"],
    "strength of a ring": lambda rows: rows["ring_amplitude"],
}


#: What a view shows of the other galaxies of a group: of their stars, and of their HI.
NEIGHBOURS = ("ln mass in the field", "ln projected distance of the heaviest", "ln mass of the heaviest over the own")

#: Column of the mass that shows, and the least that counts [Msun].
_SHOWN = (("m_star", 1e7), ("m_hi", 1e6))

#: Largest logarithm of a ratio of masses.
_MOST = 5.0


@dataclass(frozen=True)
class Galaxies:
    """True numbers of some galaxies.

    Parameters
    ----------
    light, gas : ndarray, shape (n, f)
        `LIGHT` and `GAS`.
    near : ndarray, shape (n, v, 2, 3)
        `NEIGHBOURS` along v lines of sight.
    v_circ, v_dark : ndarray, shape (n, r)
        Circular speed, and that of the own dark halo alone [km/s].
    ln_m : ndarray, shape (n, r)
        Expected ln M_DM(<R) of the group about the galaxy.
    """

    light: np.ndarray
    gas: np.ndarray
    near: np.ndarray
    v_circ: np.ndarray
    v_dark: np.ndarray
    ln_m: np.ndarray

    def __len__(self) -> int:
        return len(self.light)

    def take(self, rows: np.ndarray | slice) -> Galaxies:
        """Some of them, or some repeatedly."""
        return Galaxies(*(values[rows] for values in vars(self).values()))

    @classmethod
    def joined(cls, several: Sequence[Galaxies]) -> Galaxies:
        """All of several samples."""
        return cls(*(np.concatenate(parts) for parts in zip(*(vars(one).values() for one in several), strict=True)))

    @property
    def reach(self) -> np.ndarray:
        """Radius within which there is HI, shape (n, 1) [kpc]."""
        return np.exp(self.gas[:, [list(GAS).index("ln HI radius")]])


def galaxies(
    drawn: embedded.Population, subhalo_ids: np.ndarray, radii: np.ndarray, rotations: np.ndarray, field: float
) -> Galaxies:
    """True numbers of some subhaloes of a population, each seen in a field [kpc] along v lines of sight.

    `rotations` are those of `dmlib.observe.sky.View`, shape (n, v, 3, 3).
    """
    rows, curves = drawn.subhalos[subhalo_ids], embedded.true_curves(drawn, subhalo_ids, radii)
    pairs = zip(subhalo_ids, rotations, strict=True)
    near = np.array([[neighbours(drawn, i, one, field) for one in views] for i, views in pairs])
    light, gas = _columns(LIGHT, rows), _columns(GAS, rows)
    return Galaxies(light, gas, near, curves["v_circ"], curves["v_dark"], np.log(curves["m_dm"]))


def _columns(group: Mapping[str, Column], rows: Any) -> np.ndarray:
    """`LIGHT` or `GAS` of rows of the population, shape (n, f)."""
    return np.stack([column(rows) for column in group.values()], axis=1)


def neighbours(drawn: embedded.Population, subhalo_id: int, rotation: np.ndarray, field: float) -> np.ndarray:
    """`NEIGHBOURS` of one galaxy in their stars and in their HI, shape (2, 3).

    The field is a square of this side [kpc]; a galaxy whose half-mass radius reaches into it shows. How deep it lies
    along the line of sight does not.
    """
    own = drawn.subhalos[subhalo_id]
    others = drawn.members(own["group_id"])
    others = others[others["rank"] != own["rank"]]
    x, y, _ = rotation @ (others["offset"] - own["offset"]).T
    shows = np.maximum(np.abs(x), np.abs(y)) < 0.5 * field + others["r_half"]
    found = np.empty((len(_SHOWN), len(NEIGHBOURS)))
    for k, (column, least) in enumerate(_SHOWN):
        mass = np.where(shows, others[column], 0.0)
        heaviest, far = max(zip(mass, np.hypot(x, y), strict=True), default=(0.0, field))
        distance = max(far, 1.0) if heaviest > least else field
        ratio = max(heaviest, least) / max(own[column], least)
        found[k] = np.log(max(mass.sum(), least)), np.log(distance), np.clip(np.log(ratio), -_MOST, _MOST)
    return found


@dataclass(frozen=True)
class Blur:
    """How well some numbers can be read off the views: their estimate is their mean, given what was measured.

    With C the covariance of the numbers and E that of the errors of their estimates, an estimate is
    x + E C^-1 (mean - x) + noise, the noise having the covariance E - E C^-1 E: where nothing can be read, it is the
    mean, and where everything can, the number itself.

    Parameters
    ----------
    mean : ndarray, shape (f,)
    basis : ndarray, shape (f, f)
        Columns: directions in which errors are independent and the numbers have unit variance.
    unknown : ndarray, shape (f,)
        Fraction of the variance in each direction that stays open.
    open_share : ndarray, shape (f,)
        The same for each number.
    """

    mean: np.ndarray
    basis: np.ndarray
    unknown: np.ndarray
    open_share: np.ndarray

    @classmethod
    def of(cls, error: np.ndarray, numbers: np.ndarray) -> Blur:
        """Measure it from errors of estimates, shape (v, f), and the distribution of the numbers, shape (n, f)."""
        variance = numbers.var(axis=0) + 1e-12
        root = np.linalg.cholesky(np.cov(numbers.T) + 1e-9 * np.diag(variance))
        half = np.linalg.solve(root, error.T)
        unknown, turn = np.linalg.eigh(half @ half.T / len(error))
        open_share = np.minimum((error**2).mean(axis=0) / variance, 1.0)
        return cls(numbers.mean(axis=0), root @ turn, np.clip(unknown, 0.0, 1.0), open_share)

    def beside(self, other: Blur) -> Blur:
        """That of both groups of numbers, whose errors are independent."""
        joined = (np.concatenate([getattr(one, name) for one in (self, other)]) for name in ("unknown", "open_share"))
        return Blur(np.concatenate([self.mean, other.mean]), block_diag(self.basis, other.basis), *joined)

    def draw(self, rng: np.random.Generator, truth: np.ndarray) -> np.ndarray:
        """Estimates of some numbers, shape (n, f)."""
        known = np.linalg.solve(self.basis, (truth - self.mean).T).T * (1.0 - self.unknown)
        noise = np.sqrt(self.unknown * (1.0 - self.unknown)) * rng.standard_normal(truth.shape)
        return self.mean + (known + noise) @ self.basis.T


@dataclass(frozen=True)
class Sight:
    """What the views of a data set permit to know.

    Parameters
    ----------
    blur : dict of Blur
        Of `LIGHT` for ``photometry``, of `GAS` for ``hi``, of both, in this order and each from its own views, for
        ``all``.
    sines : dict
        ``hi``, ``all`` -> true ln sin i of the views, in ascending order, and its estimates, both of shape (v,).
    least_hi : float
        ln of the HI mass [Msun] above which most views have HI.
    beam : float
        Full width at half maximum [kpc].
    """

    blur: dict[str, Blur]
    sines: dict[str, tuple[np.ndarray, np.ndarray]]
    least_hi: float
    beam: float

    def sine(self, rng: np.random.Generator, inputs: str, ln_sine: np.ndarray) -> np.ndarray:
        """Estimates of ln sin i for views of given ln sin i: those of views with nearly the same inclination."""
        true, estimate = self.sines[inputs]
        place = np.searchsorted(true, ln_sine) + rng.integers(-10, 11, len(ln_sine))
        return estimate[np.clip(place, 0, len(true) - 1)] + ln_sine - true[np.clip(place, 0, len(true) - 1)]


def measure_sight(dataset: DataSet, drawn: embedded.Population, many: Galaxies) -> Sight:
    """How well the generator's numbers can be read off the views for training and validation.

    Parameters
    ----------
    dataset : DataSet
    drawn : Population
        That of the data set.
    many : Galaxies
        Their distribution.
    """
    rows = np.concatenate([dataset.rows("train"), dataset.rows("validation")])
    table = dataset.table[rows]
    group, found = np.asarray(table["group_id"]), np.asarray(table["m_hi"].value) > 0
    subhalos = drawn.subhalos[np.asarray(table["subhalo_id"])]
    every = np.ones(len(rows), dtype=bool)
    with_hi = found if found.any() else every
    seen = {name: np.stack([*measure(dataset, rows, name).values()], axis=1) for name in ("photometry", "hi")}
    true, blur = {}, {}
    for name, columns, numbers, some in (("photometry", LIGHT, many.light, every), ("hi", GAS, many.gas, with_hi)):
        true[name] = _columns(columns, subhalos)
        blur[name] = Blur.of(true[name][some] - _read_off(seen[name][some], true[name][some], group[some]), numbers)
    blur["all"] = blur["photometry"].beside(blur["hi"])
    ln_sine, group = ln_sine_of(table["inclination"])[with_hi, None], group[with_hi]
    each = [_read_off(seen[name][with_hi], ln_sine, group) for name in ("hi", "photometry")]
    sines = {"hi": each[0], "all": _read_off(np.concatenate(each, axis=1), ln_sine, group)}
    order = np.argsort(ln_sine[:, 0])
    paired = {name: (ln_sine[order, 0], estimate[order, 0]) for name, estimate in sines.items()}
    return Sight(blur, paired, _threshold(true["hi"][:, 0], found), dataset.recipe.hi.beam_kpc)


def _numbers(light: np.ndarray, gas: np.ndarray) -> dict[str, np.ndarray]:
    """What each set of inputs could tell beside the speed."""
    return {"photometry": light, "hi": gas, "all": np.concatenate([light, gas], axis=1)}


def _near(inputs: str, some: Galaxies) -> np.ndarray:
    """What each set of inputs shows of the neighbours, shape (n, v, g)."""
    shown = {"photometry": some.near[:, :, :1], "hi": some.near[:, :, 1:], "all": some.near}[inputs]
    return shown.reshape(*shown.shape[:2], -1)


def ln_sine_of(inclination: u.Quantity) -> np.ndarray:
    """Ln sin i, not below that of a few degrees."""
    return np.log(np.maximum(np.sin(inclination.to_value(u.rad)), _LEAST_SINE))


def _read_off(seen: np.ndarray, truth: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Cross-validated estimates of numbers from observables, FoF groups kept together."""
    n_groups = len(np.unique(group))
    if n_groups < 2:
        return np.broadcast_to(truth.mean(axis=0), truth.shape)
    formula = make_pipeline(
        SimpleImputer(keep_empty_features=True),
        StandardScaler(),
        PolynomialFeatures(2, include_bias=False),
        StandardScaler(),
        RidgeCV(_PENALTIES),
    )
    found = cross_val_predict(formula, seen, truth, groups=group, cv=GroupKFold(min(5, n_groups)))
    return np.clip(found.reshape(truth.shape), truth.min(axis=0), truth.max(axis=0))


def _threshold(values: np.ndarray, found: np.ndarray) -> float:
    """Value that best divides the found from the others."""
    order = np.argsort(values)
    wrong = np.concatenate([[0], np.cumsum(found[order])]) + np.concatenate([np.cumsum(~found[order][::-1])[::-1], [0]])
    edges = np.concatenate([[-np.inf], values[order]])
    return float(edges[wrong.argmin()])


@dataclass(frozen=True)
class Task:
    """A regression.

    Parameters
    ----------
    x : ndarray, shape (n, f)
        Features.
    start : ndarray, shape (n, r)
        What of ln M the rotation curve says at once.
    near : ndarray, shape (n, v, g)
        Features along v lines of sight for which squares are no use: there is a neighbour, or none.
    """

    x: np.ndarray
    start: np.ndarray
    near: np.ndarray

    def take(self, rows: np.ndarray | slice) -> Task:
        """Some of the rows."""
        return Task(*(values[rows] for values in vars(self).values()))


def _along(curve: np.ndarray, radii: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Curves (n, r) at other radii of each galaxy (n, k), linear in ln R."""
    return np.stack([np.interp(np.log(at), np.log(radii), row) for at, row in zip(where, curve, strict=True)])


def _task(
    inputs: str, radii: np.ndarray, some: Galaxies, numbers: np.ndarray, v_knots: np.ndarray, baryons: np.ndarray
) -> Task:
    """Features of an observer with a rotation curve at `KNOTS`, and with the square of the baryons' part of it."""
    at = np.minimum(radii, some.reach)
    logs = [np.log(v_knots)]
    if inputs == "all":
        dark = np.clip(1.0 - baryons / v_knots**2, _LEAST_DARK, 1.0)
        logs.append(0.5 * np.log(dark))
    speed = _along(np.sum(logs, axis=0), KNOTS, np.maximum(at, KNOTS[0]))
    return Task(np.concatenate([numbers, *logs], axis=1), 2.0 * speed + np.log(at / G), _near(inputs, some))


def noise_free(inputs: str, radii: np.ndarray, some: Galaxies) -> Task:
    """What an observer without errors knows."""
    if inputs == "photometry":
        return Task(some.light, np.zeros_like(some.ln_m), _near(inputs, some))
    at = np.minimum(KNOTS, some.reach)
    total, dark = (_along(curve, radii, at) for curve in (some.v_circ, some.v_dark))
    return _task(inputs, radii, some, _numbers(some.light, some.gas)[inputs], total, total**2 - dark**2)


def observed(
    inputs: str, radii: np.ndarray, some: Galaxies, sight: Sight, ln_sine: np.ndarray, rng: np.random.Generator
) -> Task:
    """What an observer knows from views at given inclinations, ln sin i of shape (n,)."""
    blur = sight.blur[inputs]
    if inputs == "photometry":
        return Task(blur.draw(rng, some.light), np.zeros_like(some.ln_m), _near(inputs, some))
    true = _numbers(some.light, some.gas)[inputs]
    numbers = blur.draw(rng, true)
    at = np.minimum(KNOTS, some.reach)
    speeds = _along(some.v_circ @ _beam(radii, sight.beam).T, radii, at)
    sine = sight.sine(rng, inputs, ln_sine)
    speeds = speeds * np.exp((ln_sine - sine)[:, None] + MOTIONS * rng.standard_normal(speeds.shape))
    baryons = _along(some.v_circ**2 - some.v_dark**2, radii, at)
    if inputs == "all":
        baryons = baryons * np.exp(numbers[:, [0]] - true[:, [0]])
    task = _task(inputs, radii, some, np.concatenate([numbers, sine[:, None]], axis=1), speeds, baryons)
    blank = some.gas[:, 0] <= sight.least_hi
    if blank.any() and not blank.all():
        # No HI is seen: there is no curve, and what it says of the mass is that of the average galaxy.
        first = numbers.shape[1]
        task.x[blank, first:] = task.x[~blank, first:].mean(axis=0)
        task.start[blank] = task.start[~blank].mean(axis=0)
    return Task(np.concatenate([task.x, blank[:, None]], axis=1), task.start, task.near)


def _beam(radii: np.ndarray, width: float) -> np.ndarray:
    """Matrix that averages a rotation curve along the major axis over a Gaussian beam, shape (r, r)."""
    sigma, step = width / np.sqrt(8.0 * np.log(2.0)), np.gradient(radii)
    if sigma == 0:
        return np.eye(len(radii))
    near, far = (np.exp(-0.5 * ((radii[:, None] + sign * radii) / sigma) ** 2) * step for sign in (-1, 1))
    narrow = near.sum(axis=1) < 2.0 * step  # the beam lies between two radii
    mixed = (near - far) / (near + far).sum(axis=1, keepdims=True)
    return np.where(narrow[:, None], np.eye(len(radii)), mixed)
