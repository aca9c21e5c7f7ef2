"""A network and a rotation curve together: the network's prediction is the prior of the fit.

The network knows the population and the whole image; the curve knows this galaxy's mass where it is measured. The prior
is normal in ln M_DM at all radii, with the network's calibrated errors and the correlation of its errors between radii
on the calibration galaxies; without the correlation twenty radii would count as twenty independent measurements. The
population has no other part in the fit, because the network has learned it. With a network that sees images only, light
and velocities are used once each. A network with HI maps has already seen the velocities that the curve is made of,
which then count twice. Intervals are stretched on validation galaxies, like those of all fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ..errors import DmlibError
from ..networks.predictions import Prediction
from ..rotation.benchmark import Benchmark
from ..rotation.fit import Task, fit_many
from ..rotation.population import SAMPLING
from ..rotation.priors import ProfilePrior


@dataclass(frozen=True)
class Hybrid:
    """Fits whose prior is a network's prediction.

    Parameters
    ----------
    title : str
    test, validation : ndarray, shape (n, 5, 20)
        2.5, 16, 50, 84 and 97.5 per cent of M_DM(<R) [Msun]; NaN where there is no curve.
    """

    title: str
    test: np.ndarray
    validation: np.ndarray


#: Sampler of fits that a network's answer keeps close together: fewer draws than those of the others are worth as much.
_SAMPLING = replace(SAMPLING, each=600, last=2000)


def combine(benchmark: Benchmark, networks: Mapping[str, Prediction], *, seed: int = 1) -> dict[str, Hybrid]:
    """Fit all views that have a rotation curve, with each network's prediction as the prior.

    Parameters
    ----------
    benchmark : Benchmark
        Of the test views, with its validation views.
    networks : mapping
        Title -> prediction of an ensemble for the same views.
    seed : int

    Returns
    -------
    dict
        Title -> fits.

    Raises
    ------
    DmlibError
        When a network has no calibrated errors, or predicts other views.
    """
    tasks: list[Task] = []
    found: dict[str, Hybrid] = {}
    for title, network in networks.items():
        parts = _parts(benchmark, network)
        empty = {part: np.full((len(views), 5, len(views.radii)), np.nan) for part, (views, *_) in parts.items()}
        found[title] = Hybrid(title, **empty)
        correlation = np.asarray(network.attributes["calibration_correlation"])
        for part, (views, ln_m, sigma) in parts.items():
            for k in np.flatnonzero(np.isfinite(views["nfw"].m_dm).all(axis=1)):
                model = benchmark.population.complete(views.model(int(k)))
                told = ProfilePrior(ln_m[k], correlation * np.outer(sigma[k], sigma[k]))
                priors = benchmark.population.told(model, told)
                make = partial(benchmark.population.fit, model, priors, sampling=_SAMPLING, seed=seed + int(k))
                tasks.append(((title, part, k), make))
    # All at once: to start workers takes as long as dozens of fits.
    for outcome in fit_many(tasks, label="network and curve"):
        title, part, k = outcome.key
        if outcome.fit is not None:
            getattr(found[title], part)[k] = outcome.fit.quantiles
    return found


def _parts(benchmark: Benchmark, network: Prediction) -> dict[str, tuple[Any, np.ndarray, np.ndarray]]:
    """Curves of the test and of the validation views, and what the network says of them: ln M and its errors."""
    known, validation = network.validation, benchmark.validation
    if known is None or validation is None or network.sigma_ln is None:
        raise DmlibError(f"{network.name} has no prediction for the validation galaxies: remove it and run again.")
    place = {int(row): k for k, row in enumerate(known.rows)}
    if not place.keys() >= set(validation.rows.tolist()):
        raise DmlibError(f"{benchmark.path.name} and {network.name} do not have the same validation views.")
    same = [place[row] for row in validation.rows.tolist()]
    return {
        "test": (benchmark, network.ln_m_dm, network.sigma_ln),
        "validation": (validation, known.ln_m[same], known.sigma_ln[same]),
    }
