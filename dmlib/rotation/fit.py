"""Fitting mass models to rotation curves: posteriors, evidence, and the dark mass within the twenty radii.

The sampler is emcee's ensemble with differential-evolution moves; all walkers of a step are computed in one compiled
call. The evidence comes from bridge sampling between the posterior and a mixture of Student distributions fitted to it.
`dmlib.rotation.posterior` has a faster sampler for posteriors of few parameters.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import emcee
import numpy as np
from scipy.special import logsumexp

from ..errors import GalaxyError
from ..settings import RADII_KPC
from ..workers import bar, map_parallel
from .curve import Rejection, rejection
from .massmodel import MassModel
from .posterior import Importance, Likelihood, Mixture, likelihood, weigh
from .priors import Priors

#: Memory that one worker may need [bytes].
MEMORY = 6e8

#: Probability between the ends of the 68 and 95 per cent intervals, and its quantiles.
_QUANTILES = np.array([0.025, 0.16, 0.5, 0.84, 0.975])


@dataclass(frozen=True)
class Sampling:
    """Length of the chains.

    Parameters
    ----------
    walkers : int
    burn : int
        Steps of each burn-in stage: the first finds the posterior, later ones use proposals fitted to the stage before.
    stages : int
        Largest number of burn-in stages.
    accepted : float
        Acceptance fraction above which the proposals are no longer changed.
    block : int
        Steps between two tests of convergence.
    most : int
        Largest number of steps.
    wanted : float
        Length of a converged chain in autocorrelation times, at least (emcee recommends 50).
    drift : float
        Largest difference between the means of a parameter in the halves of a converged chain, in its standard
        deviations.
    draws : int
        Draws that are kept.
    """

    walkers: int = 48
    burn: int = 150
    stages: int = 6
    accepted: float = 0.25
    block: int = 400
    most: int = 4000
    wanted: float = 50.0
    drift: float = 0.2
    draws: int = 1000


@dataclass(frozen=True)
class Fit:
    """A posterior.

    Parameters
    ----------
    galaxy, halo : str
    names : tuple of str
        Free parameters.
    values : dict of ndarray, shape (draws,)
        Draws of all parameters including the fixed ones; independent as far as the chain allows.
    quantiles : ndarray, shape (5, 20)
        Of the dark mass: 2.5, 16, 50, 84 and 97.5 per cent [Msun].
    radii : ndarray, shape (20,)
        [kpc]
    measured : ndarray of bool, shape (20,)
        Whether the radius lies between the first and the last point of the curve; elsewhere the model extrapolates.
    log_evidence, log_evidence_error : float
        Natural logarithm; NaN when it was not computed.
    v_model, v_dark : ndarray, shape (3, radii of the curve)
        16, 50 and 84 per cent of the speeds of model and halo at the measured radii [km/s].
    log_likelihood : float
        Largest of all draws.
    chi2 : float
        Of the draw that fits best, without jitter, per degree of freedom; NaN where there are none.
    trouble : str
        Why it is not converged; "" where it is.
    autocorrelation : float
        Longest autocorrelation time of all parameters [steps]; of weighted draws, how many are worth one.
    steps : int
        Kept steps of each walker, or weighted draws.
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
    autocorrelation: float
    steps: int

    @property
    def converged(self) -> bool:
        """Whether the chain has converged."""
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
    sampling: Sampling | Importance | None = None,
    evidence: bool = True,
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
    sampling : Sampling or Importance, optional
        A Markov chain, by default, or weighted draws, which are faster where the posterior has few parameters.
    evidence : bool
        Whether to compute the evidence too; weighted draws give it anyway.

    Raises
    ------
    GalaxyError
        When the curve cannot be fitted.
    DmlibError
        When there is no such halo model.
    """
    target = likelihood(model, halo, priors or Priors())
    if isinstance(sampling, Importance):
        draws, diagnostics = weigh(target, sampling, seed)
    else:
        draws, diagnostics = _sample(target, sampling or Sampling(), seed, evidence)
    return _summary(target, draws, diagnostics)


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


def _sample(target: Likelihood, how: Sampling, seed: int, evidence: bool) -> tuple[np.ndarray, dict[str, Any]]:
    """Sample until the chain has converged or reached its largest length: draws in z, and fields of `Fit`."""
    rng = np.random.default_rng(seed)
    n = len(target.names)
    state, moves = _start(target, how.walkers, rng), [(emcee.moves.DEMove(), 1.0)]
    for stage in range(how.stages):
        sampler = _sampler(target, how.walkers, moves, rng)
        state = sampler.run_mcmc(state, how.burn, skip_initial_state_check=True)
        if stage > 0 and sampler.acceptance_fraction.mean() > how.accepted:
            break
        proposal = Mixture(sampler.get_chain(discard=how.burn // 2, flat=True))
        moves = [(emcee.moves.MHMove(proposal.propose), 0.6), (emcee.moves.DEMove(), 0.4)]
    # From here on the proposals are fixed: a chain that adapts them would not be a Markov chain.
    sampler = _sampler(target, how.walkers, moves, rng)
    while True:
        state = sampler.run_mcmc(state, how.block, skip_initial_state_check=True)
        chain = sampler.get_chain()
        moved = chain.std(axis=0).max(axis=1) > 0
        tau = _autocorrelation(chain[:, moved])
        halves = np.array_split(chain, 2)
        spread = chain.std(axis=(0, 1))
        drift = np.max(np.abs(halves[0].mean(axis=(0, 1)) - halves[1].mean(axis=(0, 1))) / spread)
        enough = moved.all() and len(chain) >= how.wanted * tau and drift <= how.drift
        if enough or len(chain) >= how.most:
            break
    trouble = ""
    if not enough:
        trouble = (
            f"the chain of {len(chain)} steps has {len(chain) / tau:.0f} autocorrelation times "
            f"({how.wanted:g} wanted), its halves differ by {drift:.2f} sigma ({how.drift:g} allowed), "
            f"{(~moved).sum()} of {how.walkers} walkers never moved"
        )
    flat, log_p = chain.reshape(-1, n), sampler.get_log_prob().reshape(-1)
    value, error = _bridge(target, flat, log_p, tau / how.walkers, rng) if evidence else (math.nan, math.nan)
    keep = rng.choice(len(flat), min(how.draws, len(flat)), replace=False)
    diagnostics = {"log_evidence": value, "log_evidence_error": error}
    return flat[keep], diagnostics | {"trouble": trouble, "autocorrelation": tau, "steps": len(chain)}


def _sampler(target: Likelihood, walkers: int, moves: list, rng: np.random.Generator) -> emcee.EnsembleSampler:
    sampler = emcee.EnsembleSampler(walkers, len(target.names), target.log_posterior, vectorize=True, moves=moves)
    sampler.random_state = np.random.RandomState(rng.integers(2**31)).get_state()
    return sampler


def _start(target: Likelihood, walkers: int, rng: np.random.Generator) -> np.ndarray:
    """First positions: draws from the prior, resampled by a flattened likelihood so that no mode is lost."""
    z = rng.normal(size=(60 * walkers, len(target.names)))
    log_l = target.log_likelihood(z)
    # The likelihood to a power that leaves at least as many effective draws as walkers.
    for power in np.geomspace(1.0, 1e-3, 12):
        weight = np.exp(power * (log_l - log_l.max()))
        weight /= weight.sum()
        if 1 / np.sum(weight**2) > walkers:
            break
    chosen = z[rng.choice(len(z), walkers, p=weight)]
    return chosen + 0.05 * rng.normal(size=chosen.shape)


def _autocorrelation(chain: np.ndarray) -> float:
    """Longest integrated autocorrelation time of all parameters [steps]."""
    tau = emcee.autocorr.integrated_time(chain, tol=0)
    return float(np.max(np.where(np.isfinite(tau), tau, len(chain))))


def _bridge(
    target: Likelihood, draws: np.ndarray, log_p: np.ndarray, thinning: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Log evidence by bridge sampling (Meng & Wong 1996), and its standard error (Fruehwirth-Schnatter 2004).

    Half of the draws define the proposal, the other half enter the estimate, so that no draw is used for both.
    """
    half = len(draws) // 2
    proposal = Mixture(draws[:half])
    second, log_p = draws[half:], log_p[half:]
    few = rng.choice(len(second), min(4000, len(second)), replace=False)
    second, log_p = second[few], log_p[few]
    effective = min(len(second), half / max(thinning, 1e-9) if thinning > 1 else len(second))
    new = proposal.draw(4000, rng)
    log_q_new, log_q_old = proposal.log_density(new), proposal.log_density(second)
    ratio_new, ratio_old = target.log_posterior(new) - log_q_new, log_p - log_q_old
    s1, s2 = effective / (effective + len(new)), len(new) / (effective + len(new))
    log_z = float(np.median(ratio_old))
    for _ in range(200):
        before = log_z
        top = logsumexp(ratio_new - np.logaddexp(math.log(s1) + ratio_new, math.log(s2) + log_z)) - math.log(len(new))
        below = logsumexp(-np.logaddexp(math.log(s1) + ratio_old, math.log(s2) + log_z)) - math.log(len(second))
        log_z = float(top - below)
        if abs(log_z - before) < 1e-6:
            break
    f1 = np.exp(ratio_new - log_z - np.logaddexp(math.log(s1) + ratio_new - log_z, math.log(s2)))
    f2 = np.exp(-np.logaddexp(math.log(s1) + ratio_old - log_z, math.log(s2)))
    variance = f1.var() / f1.mean() ** 2 / len(new) + f2.var() / f2.mean() ** 2 / effective
    return log_z, float(np.sqrt(variance))


def _summary(target: Likelihood, draws: np.ndarray, diagnostics: dict[str, Any]) -> Fit:
    """What is reported of a chain."""
    model, radii = target.model, RADII_KPC
    values = target.parameters(draws)
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
