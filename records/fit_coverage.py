"""Fits to rotation curves drawn from their own model: how often their intervals contain the truth.

The chapters fit curves of galaxies, which no halo model describes exactly and whose errors are not all known. Here the
curves are drawn from the priors, the halo and the noise that a fit assumes, at the radii and with the visible matter of
the test galaxies, so that a coverage other than 68 per cent could only come from the sampler. The folder ``build``
holds ``embedded-quick``, the book.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from dmlib.networks.predictions import read_predictions
from dmlib.rotation.benchmark import Benchmark, read_benchmark
from dmlib.rotation.fit import Fit, Task, fit, fit_many
from dmlib.rotation.halos import halo_model
from dmlib.rotation.likelihood import Likelihood
from dmlib.rotation.massmodel import MassModel
from dmlib.rotation.population import HALO, SAMPLING
from dmlib.rotation.priors import ConcentrationRelation, MassFunction, Priors, ProfilePrior, observed_priors
from dmlib.settings import Settings

#: Curves of each kind of fit: binomial error of a share of 68 per cent, if the radii of a curve are one, 2.6 per cent.
CURVES = 320

#: Network that sees no velocities, whose prediction is the prior of the hybrid.
NETWORK = "C/photometry"

#: Draws among which joint priors choose.
AMONG = {"nfw_lcdm": 200_000, "hybrid": 400_000}


def measure(build_root: Path) -> dict:
    """Shares of the truth in 68 and 95 per cent intervals, of each kind of fit, with their binomial errors."""
    settings = Settings(build_root=str(build_root))
    benchmark, network = read_benchmark(settings.benchmark_path), read_predictions(settings.predictions_path)[NETWORK]
    correlation = np.asarray(network.attributes["calibration_correlation"])
    views = np.flatnonzero(benchmark["nfw"].accepted)
    tasks: list[Task] = []
    truth: dict[tuple[str, int], np.ndarray] = {}
    for name in ("nfw", "burkert", "nfw_lcdm", "population", "hybrid"):
        rng = np.random.default_rng(settings.seed)
        for number in range(CURVES):
            k = int(views[number % len(views)])
            told = ProfilePrior(network.ln_m_dm[k], correlation * np.outer(network.sigma_ln[k], network.sigma_ln[k]))
            halo, model, priors = assumed(name, benchmark, k, told)
            drawn, mass = Likelihood(model, halo_model(halo), priors).draw(rng, among=AMONG.get(name, 1))
            truth[name, number] = mass
            tasks.append(((name, number), partial(fit, drawn, halo, priors, sampling=SAMPLING, seed=number)))
    found = {outcome.key: outcome.fit for outcome in fit_many(tasks)}
    names = dict.fromkeys(name for name, _ in truth)
    fits = {name: {k: (found[name, k], truth[name, k]) for kind, k in truth if kind == name} for name in names}
    return {
        "galaxies": len(np.unique(benchmark.subhalo_id[views])),
        "network": NETWORK,
        "fits": {name: shares(list(pairs.values())) for name, pairs in fits.items()},
    }


def assumed(name: str, benchmark: Benchmark, k: int, told: ProfilePrior) -> tuple[str, MassModel, Priors]:
    """Halo, mass model and priors of a kind of fit for a test view; the curve has its full weight."""
    model = benchmark.model(k)
    if name in ("population", "hybrid"):
        population = replace(benchmark.population, trust=1.0)
        model = population.complete(model)
        return HALO, model, population.priors(model) if name == "population" else population.told(model, told)
    priors = observed_priors(model)
    if name == "nfw_lcdm":
        priors = replace(priors, log_m200=MassFunction(), log_c=ConcentrationRelation(), stellar_to_halo=True)
    return ("burkert" if name == "burkert" else "nfw"), model, priors


def shares(pairs: list[tuple[Fit | None, np.ndarray]]) -> dict:
    """How often the truth lies in the intervals, of fits and the masses within 20 radii that made their curves.

    Errors are those of the mean over curves of each curve's own share, as its radii are not independent.
    """
    done = [(made, mass) for made, mass in pairs if made is not None]
    low95, low68, _, high68, high95 = np.stack([made.quantiles for made, _ in done], axis=1)
    mass = np.stack([mass for _, mass in done])
    measured = np.stack([made.measured for made, _ in done])
    beyond = ~measured & (np.cumsum(measured, axis=1) > 0)
    places = {"all": np.ones_like(measured), "measured": measured, "beyond": beyond}
    inside = {68: (low68 < mass) & (mass < high68), 95: (low95 < mass) & (mass < high95)}
    out: dict = {"curves": len(done), "not_fitted": len(pairs) - len(done)}
    for level, hit in inside.items():
        out[f"within_{level}"] = {name: _share(hit, place) for name, place in places.items()}
        out[f"within_{level}_by_radius"] = hit.mean(axis=0).tolist()
    return out


def _share(hit: np.ndarray, place: np.ndarray) -> dict[str, float]:
    """Mean over curves of the share of their radii at a place at which the truth is inside, and its error."""
    some = place.any(axis=1)
    own = (hit & place).sum(axis=1)[some] / place.sum(axis=1)[some]
    return {"share": float(own.mean()), "error": float(own.std(ddof=1) / len(own) ** 0.5)}
