"""Fitting mass models to rotation curves: posteriors, evidence, and the dark mass within the twenty radii.

The draws come from importance sampling, see `dmlib.rotation.posterior`, which gives the evidence too.
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
from .curve import Rejection, rejection
from .massmodel import MassModel
from .posterior import Importance, likelihood, weigh
from .priors import Priors

#: Memory that one worker may need [bytes].
MEMORY = 6e8

#: Probability between the ends of the 68 and 95 per cent intervals, and its quantiles.
_QUANTILES = np.array([0.025, 0.16, 0.5, 0.84, 0.975])


@dataclass(frozen=True)
class Fit:
    """A posterior.

    Parameters
    ----------
    galaxy, halo : str
    names : tuple of str
        Free parameters.
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

    Raises
    ------
    GalaxyError
        When the curve cannot be fitted.
    DmlibError
        When there is no such halo model.
    """
    target = likelihood(model, halo, priors or Priors())
    draws, diagnostics = weigh(target, sampling or Importance(), seed)
    radii, values = RADII_KPC, target.parameters(draws)
    masses = target.haloes(values).m_enclosed(radii)
    speeds, dark = target.speeds(values)
    freedom = len(model.radius) - len(target.names) + ("log_jitter" in target.names)
    best = float(np.min(np.sum(((model.v_obs - speeds) / model.v_err) ** 2, axis=1)))
    return Fit(
        galaxy=model.galaxy,
        halo=target.halo.name,
        names=target.names,
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
