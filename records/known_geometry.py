"""Why a fit that knows geometry and baryons need not be better: the inclination, left free, absorbs errors of speeds.

The fit with the priors of the population is repeated on the test views of chapter 17 that it accepts with and without
perfect knowledge: with the true inclination and the gravity of the particles, and with the same but the inclination
free about its true value. The folder ``build`` holds ``embedded-quick``, the book.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from dmlib.bootstrap import Bootstrap, Estimate
from dmlib.dataset.read import read_dataset
from dmlib.dataset.views import Observer
from dmlib.rotation.benchmark import read_benchmark
from dmlib.rotation.fit import Task, fit_many
from dmlib.rotation.measure import measure_view
from dmlib.rotation.population import SAMPLING
from dmlib.rotation.priors import Normal
from dmlib.settings import RADII_KPC, Settings
from dmlib.universe import open_universe

#: Standard deviation of the free inclination [deg]: about that of a fit to the rings.
FREEDOM = 4.0

#: Radii where most curves are measured [kpc].
BETWEEN = (11.0, 19.0)


def measure(build_root: Path) -> dict:
    """Mean abs(dM/M) as observed and with two degrees of knowledge, and their differences, on the same views."""
    settings = Settings(build_root=str(build_root))
    benchmark, dataset = read_benchmark(settings.benchmark_path), read_dataset(settings.dataset_path)
    observer = Observer(open_universe(settings), dataset.recipe, dataset.grid, settings.seed)
    population = benchmark.population
    observed, exact = benchmark["population"], benchmark["population_perfect"]
    views = np.flatnonzero(observed.accepted & exact.accepted & benchmark["nfw"].accepted)
    tasks: list[Task] = []
    for k in views.tolist():
        where = int(benchmark.subhalo_id[k]), int(benchmark.view[k])
        model = measure_view(dataset, observer, *where, knowledge="perfect").model
        fixed = population.priors(model, perfect=True)
        true = float(model.inclination)
        free = replace(fixed, inclination=Normal(true, FREEDOM, 5.0, 90.0), nominal_inclination=true)
        for name, priors in (("known", fixed), ("inclination_free", free)):
            tasks.append(((name, k), partial(population.fit, model, priors, sampling=SAMPLING, seed=settings.seed + k)))
    fits = {outcome.key: outcome.fit for outcome in fit_many(tasks)}
    columns = (RADII_KPC >= BETWEEN[0]) & (RADII_KPC <= BETWEEN[1])
    masses = {"observed": observed.m_dm[views]}
    masses |= {name: np.stack([fits[name, k].m_dm for k in views.tolist()]) for name in ("known", "inclination_free")}
    errors = {
        name: np.abs(mass / benchmark.truth[views] - 1.0)[:, columns].mean(axis=1) for name, mass in masses.items()
    }
    draws = Bootstrap(benchmark.subhalo_id[views], seed=settings.seed)
    return {
        "galaxies": draws.n_galaxies,
        "radii_kpc": RADII_KPC[columns].tolist(),
        "freedom_deg": FREEDOM,
        "errors": {name: numbers(draws.mean(error)) for name, error in errors.items()},
        "known_less_observed": numbers(draws.difference(errors["known"], errors["observed"])),
        "known_less_free": numbers(draws.difference(errors["known"], errors["inclination_free"])),
    }


def numbers(found: Estimate) -> dict[str, float]:
    """Value and standard error."""
    return {"value": float(found.value), "error": float(found.error)}
