"""Time of halo fits: all of SPARC with NFW and Burkert against the aim of 3 minutes, and one fit against a plain one.

The plain fit is what one writes first: the same mass model and prior, but a likelihood in numpy for one set of
parameters at a time, and emcee with 48 walkers and its default moves. Both are timed in the same run, per independent
sample of the posterior (of the chain: steps over the autocorrelation time), so that their ratio does not depend on the
machine. Without emcee (``pip install emcee``) this comparison is left out.

Run with ``python benchmarks/bench_halo.py [GALAXIES]``; SPARC comes through the manifest (``DMLIB_MIRROR``). Where it
is not available, curves drawn from the model take its place.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import replace
from functools import partial

import numpy as np

from dmlib.embedded import relations
from dmlib.rotation.baryons import signed_square
from dmlib.rotation.fit import fit, fit_many
from dmlib.rotation.halos import halo_model
from dmlib.rotation.likelihood import Likelihood
from dmlib.rotation.massmodel import MassModel
from dmlib.rotation.priors import Priors, known, sparc_priors
from dmlib.rotation.sparc import from_sparc, open_sparc
from dmlib.units import G

try:
    import emcee
except ImportError:
    emcee = None

WALKERS = 48
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
    """A gas disc in an NFW halo with parameters from the prior, measured at 14 radii to 5 km/s."""
    radius, none = np.linspace(1.3, 18.0, points), np.zeros(points)
    x = radius / 6.0
    gas = 48.0 * np.sqrt(x**2 / (1 + 0.45 * x**2) ** 1.5)
    model = MassModel("drawn", None, 2.5, radius, none, none + 5.0, gas, none, none)
    target = Likelihood(model, halo_model("nfw"), known())
    speed = target.speeds(target.parameters(rng.normal(size=(1, len(target.names)))))[0][0]
    return replace(model, v_obs=speed + 5.0 * rng.normal(size=points))


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
    if "inclination" in values:
        nominal = math.sin(math.radians(priors.nominal_inclination))
        speed = speed * math.sin(math.radians(values["inclination"])) / nominal
    variance = model.v_err**2 + 10 ** (2 * values["log_jitter"])
    log_l = -0.5 * np.sum((model.v_obs - speed) ** 2 / variance + np.log(2 * np.pi * variance))
    return float(log_l - 0.5 * np.sum(z**2) - 0.5 * len(z) * math.log(2 * math.pi))


def plain(model: MassModel, priors: Priors, steps: int = 1500) -> tuple[float, float]:
    """Seconds of a plain run, and independent samples that it gives."""
    names = priors.names(halo_model("nfw"), model)
    target = Likelihood(model, halo_model("nfw"), priors)
    z = 0.1 * np.random.default_rng(1).normal(size=(WALKERS, len(names)))
    np.testing.assert_allclose(
        plain_log_posterior(z[0], model, priors, names), target.log_posterior(z[:1])[0], rtol=1e-8
    )
    begin = time.perf_counter()
    sampler = emcee.EnsembleSampler(WALKERS, len(names), plain_log_posterior, args=(model, priors, names))
    sampler.run_mcmc(z, steps)
    seconds = time.perf_counter() - begin
    chain = sampler.get_chain(discard=steps // 3)
    return seconds, chain.shape[0] * WALKERS / emcee.autocorr.integrated_time(chain, tol=0).max()


def main() -> None:
    """Print the wall time for all galaxies and the ratio for one."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    some = curves(most)
    model, priors = some[len(some) // 2]
    fit(model, "nfw", priors)  # compiles
    begin = time.perf_counter()
    found = fit(model, "nfw", priors)
    mine = (time.perf_counter() - begin) / found.worth
    print(f"one NFW fit, {model.galaxy}, {len(model.radius)} radii, {len(found.names)} parameters")
    print(f"  dmlib.rotation.fit                {1e3 * mine:9.3g} ms per independent sample")
    if emcee is None:
        print("  plain emcee                       left out: it is not installed")
    else:
        seconds, samples = plain(model, priors)
        print(f"  plain emcee, a scalar likelihood  {1e3 * seconds / samples:9.3g} ms per independent sample")
        print(f"  ratio                             {seconds / samples / mine:9.1f}   (wanted: at least 10)")
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
