"""Fitting mass models to rotation curves: posteriors, evidence, and the dark mass within the twenty radii.

Every parameter is a function of a standard normal variable, see `dmlib.rotation.priors`. All priors are then the same
normal distribution in z, whatever their form; no draw can leave their range, and a draw from the prior is a draw of z.

`weigh` samples posteriors by importance: draws of a proposal that is fitted to the posterior, each with its weight. For
the up to eight parameters here it takes a tenth of the time of a Markov chain, gives the evidence too, and says itself
how many independent draws it is worth. The proposal is a mixture of Student distributions, refined in rounds
(population Monte Carlo, Cappé et al. 2004); a tenth of it is the prior, so that no weight can become very large.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import GalaxyError
from ..settings import RADII_KPC
from ..workers import bar, map_parallel
from . import halos
from .curve import Rejection, rejection
from .likelihood import Likelihood
from .massmodel import MassModel
from .priors import Priors

#: Memory that one worker may need [bytes].
MEMORY = 6e8

#: Probability between the ends of the 68 and 95 per cent intervals, and its quantiles.
_QUANTILES = np.array([0.025, 0.16, 0.5, 0.84, 0.975])


@dataclass(frozen=True)
class Importance:
    """Numbers of draws.

    Parameters
    ----------
    first : int
        Draws from the prior, with which the search begins.
    each : int
        Draws of a round.
    rounds : int
        Largest number of rounds in which the proposal is refined.
    last : int
        Draws that make the result; twice, three times as many in further attempts where they are worth too little.
    attempts : int
        Largest number of them.
    draws : int
        Draws of equal weight that are kept.
    wanted : float
        Independent draws that the result must be worth.
    """

    first: int = 4000
    each: int = 1500
    rounds: int = 16
    last: int = 8000
    attempts: int = 5
    draws: int = 2000
    wanted: float = 400.0


#: Share of the draws of a proposal that come from the prior.
_DEFENSIVE = 0.1

#: Effective draws to which a proposal is fitted, by a flattened posterior where there are fewer.
_ENOUGH = 150.0


def weigh(
    target: Likelihood, how: Importance, seed: int, start: np.ndarray | None = None
) -> tuple[np.ndarray, dict[str, Any]]:
    """Draws of equal weight in z, shape (draws, d), and fields of `Fit`.

    With draws of a similar posterior as `start`, the search begins from a proposal that is fitted to them.
    """
    rng = np.random.default_rng(seed)
    if start is None:
        z = rng.normal(size=(how.first, len(target.names)))
        log_w = target.log_likelihood(z)
    else:
        z, log_w = _round(target, Mixture(start), how.each, rng)
    for _ in range(how.rounds):
        if start is not None and effective(log_w) > 0.2 * how.each:
            break
        chosen, power = _flattened(z, log_w, rng)
        z, log_w = _round(target, Mixture(chosen), how.each, rng)
        if power == 1.0 and effective(log_w) > 0.2 * how.each:
            break
    for attempt in range(1, how.attempts + 1):
        z, log_w = _round(target, Mixture(_flattened(z, log_w, rng)[0]), attempt * how.last, rng)
        worth = effective(log_w)
        if worth >= how.wanted:
            break
    weight = np.exp(log_w - log_w.max())
    # One random number for all draws: fewer copies of one draw than with independent ones.
    places = (np.arange(how.draws) + rng.uniform()) / how.draws
    kept = z[np.searchsorted(np.cumsum(weight) / weight.sum(), places)]
    trouble = ""
    if worth < how.wanted:
        trouble = f"{len(z)} weighted draws are worth {worth:.0f} independent ones ({how.wanted:g} wanted)"
    return kept, {
        "log_evidence": float(np.log(weight.mean()) + log_w.max()),
        "log_evidence_error": math.sqrt(max(0.0, 1.0 / worth - 1.0 / len(z))),
        "trouble": trouble,
        "worth": worth,
    }


def effective(log_w: np.ndarray) -> float:
    """Independent draws that weighted ones are worth, ``(sum w)^2 / sum w^2``."""
    weight = np.exp(log_w - log_w.max())
    return float(weight.sum() ** 2 / np.sum(weight**2))


def _flattened(z: np.ndarray, log_w: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Draws to fit a proposal to, and the power of the weights that leaves enough of them."""
    for power in np.geomspace(1.0, 1e-4, 25):
        if effective(power * log_w) >= _ENOUGH:
            break
    weight = np.exp(power * (log_w - log_w.max()))
    return z[rng.choice(len(z), 1000, p=weight / weight.sum())], float(power)


def _round(target: Likelihood, proposal: Mixture, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws from the proposal and a little of the prior, and the log of their weights."""
    of_prior = int(_DEFENSIVE * n)
    z = np.concatenate([proposal.draw(n - of_prior, rng), rng.normal(size=(of_prior, len(target.names)))])
    prior = -0.5 * np.sum(z**2, axis=1) - 0.5 * z.shape[1] * math.log(2 * math.pi)
    share = of_prior / n
    log_q = np.logaddexp(math.log1p(-share) + proposal.log_density(z), math.log(share) + prior)
    return z, target.log_likelihood(z) + prior - log_q


def _covariance(draws: np.ndarray) -> np.ndarray:
    """Of draws (n, d), shape (d, d); `numpy.cov` takes six times as long for as few."""
    off = draws - draws.mean(axis=0)
    return off.T @ off / (len(draws) - 1)


class Mixture:
    """Student distributions with five degrees of freedom, one for each third of the draws along their longest axis."""

    _FREEDOM = 5.0

    def __init__(self, draws: np.ndarray, parts: int = 3):
        _, axes = np.linalg.eigh(_covariance(draws))
        along, d = draws @ axes[:, -1], draws.shape[1]
        thirds = [draws[part] for part in np.array_split(np.argsort(along), parts)]
        # A third of the draws is narrow along the cut; widened, the thirds overlap.
        widening = 0.3 * np.var(along) * np.outer(axes[:, -1], axes[:, -1]) + 1e-10 * np.eye(d)
        self.means = np.array([some.mean(axis=0) for some in thirds])
        self.roots = np.linalg.cholesky([_covariance(some) + widening for some in thirds])
        self.inverse = np.linalg.inv(self.roots)
        constant = math.lgamma((self._FREEDOM + d) / 2) - math.lgamma(self._FREEDOM / 2)
        constant -= 0.5 * d * math.log(self._FREEDOM * math.pi) + math.log(parts)
        self.norms = constant - np.log(np.diagonal(self.roots, axis1=1, axis2=2)).sum(axis=1)

    def draw(self, n: int, rng: Any) -> np.ndarray:
        """Draws, shape (n, d); `rng` is a numpy Generator or RandomState."""
        which = rng.choice(len(self.means), size=n)
        normal, chi2 = rng.normal(size=(n, self.means.shape[1])), rng.chisquare(self._FREEDOM, n)
        z = normal / np.sqrt(chi2 / self._FREEDOM)[:, None]
        for k, (mean, root) in enumerate(zip(self.means, self.roots, strict=True)):
            here = which == k
            z[here] = mean + z[here] @ root.T
        return z

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """Log of the density, shape (n,)."""
        y = (points[None] - self.means[:, None]) @ self.inverse.transpose(0, 2, 1)
        power = 0.5 * (self._FREEDOM + points.shape[1])
        logs = self.norms[:, None] - power * np.log1p(np.einsum("pnd,pnd->pn", y, y) / self._FREEDOM)
        return np.logaddexp.reduce(logs, axis=0)


@dataclass(frozen=True)
class Fit:
    """A posterior.

    Parameters
    ----------
    galaxy, halo : str
    names : tuple of str
        Free parameters.
    z : ndarray, shape (draws, len(names))
        Draws of the free parameters as standard normal variables of their priors.
    values : dict of ndarray, shape (draws,)
        Draws of all parameters including the fixed ones, of equal weight.
    quantiles : ndarray, shape (5, 20)
        Of the dark mass: 2.5, 16, 50, 84 and 97.5 per cent [Msun].
    radii : ndarray, shape (20,)
        [kpc]
    measured : ndarray of bool, shape (20,)
        Whether the radius lies between the first and the last point of the curve; elsewhere the model extrapolates.
    log_evidence, log_evidence_error : float
        Natural logarithm.
    v_model, v_dark : ndarray, shape (3, radii of the curve)
        16, 50 and 84 per cent of the speeds of model and halo at the measured radii [km/s].
    log_likelihood : float
        Largest of all draws.
    chi2 : float
        Of the draw that fits best, without jitter, per degree of freedom; NaN where there are none.
    trouble : str
        Why it is not converged; "" where it is.
    worth : float
        Independent draws that the weighted ones are worth.
    """

    galaxy: str
    halo: str
    names: tuple[str, ...]
    z: np.ndarray
    values: dict[str, np.ndarray]
    quantiles: np.ndarray
    radii: np.ndarray
    measured: np.ndarray
    log_evidence: float
    log_evidence_error: float
    v_model: np.ndarray
    v_dark: np.ndarray
    log_likelihood: float
    chi2: float
    trouble: str
    worth: float

    @property
    def converged(self) -> bool:
        """Whether the draws are worth enough."""
        return not self.trouble

    @property
    def m_dm(self) -> np.ndarray:
        """Median dark mass within the radii [Msun], shape (20,)."""
        return self.quantiles[2]

    @property
    def sigma_ln(self) -> np.ndarray:
        """Half of the 68 per cent interval of ln M, shape (20,)."""
        return 0.5 * np.log(self.quantiles[3] / self.quantiles[1])

    def interval(self, name: str) -> np.ndarray:
        """2.5, 16, 50, 84 and 97.5 per cent of a parameter, shape (5,)."""
        return np.quantile(self.values[name], _QUANTILES)


def fit(
    model: MassModel,
    halo: str = "nfw",
    priors: Priors | None = None,
    *,
    seed: int = 1,
    sampling: Importance | None = None,
    start: Fit | None = None,
) -> Fit:
    """Fit a halo model to a rotation curve.

    Parameters
    ----------
    model : MassModel
    halo : str
        A key of `dmlib.rotation.halos.HALOS`.
    priors : Priors, optional
        The default fixes distance and inclination.
    seed : int
    sampling : Importance, optional
        Numbers of draws.
    start : Fit, optional
        Of the same curve with slightly other priors: half of the work is to find where the posterior lies.

    Raises
    ------
    GalaxyError
        When the curve cannot be fitted.
    DmlibError
        When there is no such halo model.
    """
    target = Likelihood(model, halos.halo_model(halo), priors or Priors())
    draws, diagnostics = weigh(target, sampling or Importance(), seed, None if start is None else start.z)
    radii, values = RADII_KPC, target.parameters(draws)
    masses = target.haloes(values).m_enclosed(radii)
    speeds, dark = target.speeds(values)
    freedom = len(model.radius) - len(target.names) + ("log_jitter" in target.names)
    best = float(np.min(np.sum(((model.v_obs - speeds) / model.v_err) ** 2, axis=1)))
    return Fit(
        galaxy=model.galaxy,
        halo=target.halo.name,
        names=target.names,
        z=draws,
        values=values,
        quantiles=np.quantile(masses, _QUANTILES, axis=0),
        radii=radii,
        measured=(radii >= model.radius[0]) & (radii <= model.radius[-1]),
        v_model=np.quantile(speeds, _QUANTILES[1:4], axis=0),
        v_dark=np.quantile(dark, _QUANTILES[1:4], axis=0),
        log_likelihood=float(target.log_likelihood(draws).max()),
        chi2=best / freedom if freedom > 0 else math.nan,
        **diagnostics,
    )


#: What identifies a fit of many, and how to make it, for example ``partial(fit, model, "nfw")``.
Task = tuple[Any, Callable[[], Fit]]


@dataclass(frozen=True)
class Outcome:
    """Result of a task.

    Parameters
    ----------
    key : object
        Of the task.
    fit : Fit or None
    rejection : Rejection or None
        Why there is no fit.
    seconds : float
        Processor time of the fit.
    """

    key: Any
    fit: Fit | None
    rejection: Rejection | None
    seconds: float


def attempt(task: Task) -> Outcome:
    """Make one fit; a galaxy that cannot be fitted gives an outcome with the reason."""
    begin = time.process_time()
    key, make = task
    made = refused = None
    try:
        made = make()
    except GalaxyError as error:
        refused = rejection(error)
    return Outcome(key, made, refused, time.process_time() - begin)


def fit_many(tasks: Sequence[Task], *, label: str = "mass models", workers: int | None = None) -> Iterator[Outcome]:
    """Make many fits in parallel; outcomes come in the order in which they finish.

    A fit depends on its task alone, not on the number of processes.

    Parameters
    ----------
    tasks : sequence of Task
    label : str
        Of the progress bar.
    workers : int, optional
        Default `dmlib.workers.choose_workers`.

    Raises
    ------
    DmlibError
        When a worker was stopped.
    """
    with bar(total=len(tasks), label=label, unit="fit") as progress:
        for outcome in map_parallel(attempt, tasks, memory=MEMORY, workers=workers, what="fitted rotation curves"):
            yield outcome
            progress.update()
