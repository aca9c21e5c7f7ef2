"""Time of halo fits: all of SPARC with NFW and Burkert against the aim of 3 minutes, and one fit against plain ones.

A plain fit is what one writes first: the same mass model and prior, but a likelihood in numpy for one set of parameters
at a time, and emcee with 48 walkers and its default moves, or dynesty with 500 live points and its random walks, which
gives the evidence as our fit does. All are timed in the same run, per independent sample of the posterior (of the
chain: steps over the autocorrelation time; of weighted samples: Kish's number), so that their ratio does not depend on
the machine. That they sample the same posterior is seen in the dark mass at the measured radii. A package that is not
installed (extra bench, which ``make bench`` installs) is left out, and named.

Run with ``python benchmarks/bench_halo.py [GALAXIES]``; SPARC comes through the manifest (``DMLIB_MIRROR``). Where it
is not available, curves drawn from the model take its place.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import ndtri

from dmlib.embedded import relations
from dmlib.rotation.baryons import signed_square
from dmlib.rotation.fit import Fit, fit, fit_many
from dmlib.rotation.halos import halo_model
from dmlib.rotation.likelihood import Likelihood
from dmlib.rotation.massmodel import MassModel
from dmlib.rotation.priors import Priors, known, sparc_priors
from dmlib.rotation.sparc import from_sparc, open_sparc
from dmlib.settings import RADII_KPC
from dmlib.units import G

try:
    import emcee
except ImportError:
    emcee = None
try:
    import dynesty
except ImportError:
    dynesty = None

WALKERS, LIVE = 48, 500
AIM = 180.0


def curves(most: int) -> list[tuple[MassModel, Priors]]:
    """SPARC's curves with their priors, or as many drawn from the model."""
    found = open_sparc()
    if isinstance(found, str):
        print(f"SPARC is not available ({found}): curves drawn from the model instead")
        rng = np.random.default_rng(1)
        return [(drawn(rng), known()) for _ in range(most or 175)]
    folder, rows = found
    rows = rows[: most or len(rows)]
    return [(from_sparc(folder, rows, row["galaxy"]), sparc_priors(row)) for row in rows]


def drawn(rng: np.random.Generator, points: int = 14) -> MassModel:
    """A gas disc in an NFW halo with parameters from the prior, measured at 14 radii to 5 km/s or worse."""
    radius, none = np.linspace(1.3, 18.0, points), np.zeros(points)
    x = radius / 6.0
    gas = 48.0 * np.sqrt(x**2 / (1 + 0.45 * x**2) ** 1.5)
    model = MassModel("drawn", None, 2.5, radius, none, none + 5.0, gas, none, none)
    return Likelihood(model, halo_model("nfw"), known()).draw(rng)[0]


def plain_log_posterior(z: np.ndarray, model: MassModel, priors: Priors, names: tuple[str, ...]) -> float:
    """NFW, one set of parameters, straight from the formulas."""
    values = {name: float(v[0]) for name, v in priors.transform(z[None], names, halo_model("nfw"), model).items()}
    m200, c = 10 ** values["log_m200"], 10 ** values["log_c"]
    scale = float(relations.r200_of(m200)) / c
    stretch = values.get("distance", 1.0)
    radius = model.radius * stretch
    x = radius / scale
    mass = m200 * (np.log1p(x) - x / (1 + x)) / (math.log1p(c) - c / (1 + c))
    disk = 10 ** values.get("log_upsilon_disk", math.log10(model.upsilon_disk))
    bulge = 10 ** values.get("log_upsilon_bulge", math.log10(model.upsilon_bulge))
    visible = signed_square(model.v_gas) + disk * signed_square(model.v_disk) + bulge * signed_square(model.v_bulge)
    speed = np.sqrt(np.maximum(G * mass / radius + stretch * visible, 0))
    if priors.inclination is not None:
        nominal = math.sin(math.radians(priors.nominal_inclination))
        speed = speed * math.sin(math.radians(values["inclination"])) / nominal
    variance = model.v_err**2 + 10 ** (2 * values["log_jitter"])
    log_l = -0.5 * np.sum((model.v_obs - speed) ** 2 / variance + np.log(2 * np.pi * variance))
    return float(log_l) + log_prior(z)


def log_prior(z: np.ndarray) -> float:
    """Standard normal."""
    return float(-0.5 * np.sum(z**2) - 0.5 * len(z) * math.log(2 * math.pi))


@dataclass(frozen=True)
class Sampled:
    """What a plain fit gives: its seconds and independent samples, points in z with weights, the evidence if any."""

    seconds: float
    worth: float
    z: np.ndarray
    weights: np.ndarray
    evidence: str = ""


def plain_emcee(model: MassModel, priors: Priors, steps: int = 1500) -> Sampled:
    """A chain of emcee."""
    names = priors.names(halo_model("nfw"), model)
    z = 0.1 * np.random.default_rng(1).normal(size=(WALKERS, len(names)))
    begin = time.perf_counter()
    sampler = emcee.EnsembleSampler(WALKERS, len(names), plain_log_posterior, args=(model, priors, names))
    sampler.random_state = np.random.RandomState(1).get_state()  # what emcee takes
    sampler.run_mcmc(z, steps)
    seconds = time.perf_counter() - begin
    chain = sampler.get_chain(discard=steps // 3)
    worth = chain.shape[0] * WALKERS / emcee.autocorr.integrated_time(chain, tol=0).max()
    z = chain.reshape(-1, len(names))
    return Sampled(seconds, worth, z, np.full(len(z), 1.0 / len(z)))


def plain_dynesty(model: MassModel, priors: Priors) -> Sampled:
    """Nested sampling with dynesty, which draws from the unit cube of the prior."""
    names = priors.names(halo_model("nfw"), model)

    def log_likelihood(z: np.ndarray) -> float:
        return plain_log_posterior(z, model, priors, names) - log_prior(z)

    begin = time.perf_counter()
    rng = np.random.default_rng(1)
    # Its default for few parameters is uniform sampling, which warns here that it is inefficient, and is.
    sampler = dynesty.NestedSampler(log_likelihood, ndtri, len(names), nlive=LIVE, sample="rwalk", rstate=rng)
    sampler.run_nested(print_progress=False)
    seconds, found = time.perf_counter() - begin, sampler.results
    weights = found.importance_weights()
    evidence = f"{found.logz[-1]:.2f} +- {found.logzerr[-1]:.2f}"
    return Sampled(seconds, 1.0 / np.sum(weights**2), found.samples, weights, evidence)


def agreement(theirs: Sampled, ours: Fit, target: Likelihood) -> tuple[float, float]:
    """Over measured radii: largest difference of the medians of ln M [our sigma], and median ratio of the widths."""
    ln_m = np.log(target.haloes(target.parameters(theirs.z)).m_enclosed(RADII_KPC[ours.measured]))
    order = np.argsort(ln_m, axis=0)
    grown = np.cumsum(theirs.weights[order], axis=0)
    sorted_m = np.take_along_axis(ln_m, order, axis=0)
    levels = [0.16, 0.5, 0.84]
    low, middle, high = np.transpose([np.interp(levels, g, m) for g, m in zip(grown.T, sorted_m.T, strict=True)])
    own_low, own_middle, own_high = np.log(ours.quantiles[1:4, ours.measured])
    off = (middle - own_middle) / (0.5 * (own_high - own_low))
    return float(np.abs(off).max()), float(np.median((high - low) / (own_high - own_low)))


def main() -> None:
    """Print the wall time for all galaxies and the ratio for one."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    some = curves(most)
    model, priors = some[len(some) // 2]
    fit(model, "nfw", priors)  # compiles
    begin = time.perf_counter()
    found = fit(model, "nfw", priors)
    whole_fit = time.perf_counter() - begin
    mine = whole_fit / found.worth
    print(f"one NFW fit, {model.galaxy}, {len(model.radius)} radii, {len(found.names)} parameters")
    print(f"  dmlib.rotation.fit                {1e3 * mine:9.3g} ms per independent sample")
    target = Likelihood(model, halo_model("nfw"), priors)
    z = 0.1 * np.random.default_rng(1).normal(size=len(target.names))
    expected = target.log_likelihood(z)[0] + log_prior(z)
    np.testing.assert_allclose(plain_log_posterior(z, model, priors, target.names), expected, rtol=1e-8)
    print(f"    log of the evidence {found.log_evidence:.2f} +- {found.log_evidence_error:.2f}")
    for name, package, plain in (("emcee", emcee, plain_emcee), ("dynesty", dynesty, plain_dynesty)):
        if package is None:
            print(f"  plain {name:8s} not installed: left out (pip install -e '.[bench]', as `make bench` does)")
            continue
        theirs = plain(model, priors)
        each = theirs.seconds / theirs.worth
        off, width = agreement(theirs, found, target)
        print(f"  {f'plain {name}, a scalar likelihood':34s}{1e3 * each:9.3g} ms per independent sample")
        longer = theirs.seconds / whole_fit
        print(f"    ratio {each / mine:.0f} (wanted: at least 10); the run takes {longer:.0f} times as long")
        print(
            f"    dark mass at the measured radii: medians within {off:.2f} sigma of ours, widths {width:.2f} of ours"
        )
        if theirs.evidence:
            print(f"    log of the evidence {theirs.evidence}")
    pairs = [(halo, k) for k in range(len(some)) for halo in ("nfw", "burkert")]
    tasks = [((halo, k), partial(fit, some[k][0], halo, some[k][1], seed=k)) for halo, k in pairs]
    begin = time.perf_counter()
    outcomes = list(fit_many(tasks))
    wall = time.perf_counter() - begin
    whole = wall * 175 / len(some)
    good = sum(o.fit is not None and o.fit.converged for o in outcomes)
    print(f"NFW and Burkert with evidence, {len(some)} galaxies")
    print(f"  wall time                         {wall:9.1f} s, {good} of {len(tasks)} fits converged")
    print(f"  processor time                    {sum(o.seconds for o in outcomes):9.1f} s")
    print(f"  for 175 galaxies                  {whole:9.1f} s   (wanted: at most {AIM:g} on two idle cores)")


if __name__ == "__main__":
    main()
