"""A network and a rotation curve together: the network's prediction is the prior of the fit.

The network knows the population and the whole image; the curve knows this galaxy's mass where it is measured. The prior
is normal in ln M_DM at all radii, with the network's calibrated errors and the correlation of its errors between radii
on the calibration galaxies; without the correlation twenty radii would count as twenty independent measurements. The
population has no other part in the fit, because the network has learned it. With a network that sees images only, light
and velocities are used once each. A network with HI maps has already seen the velocities that the curve is made of,
which then count twice. Intervals are stretched on validation galaxies, like those of all fits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..errors import DmlibError
from ..networks.predictions import Prediction
from ..rotation.benchmark import Benchmark
from ..rotation.fit import fit_many
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


def combine(benchmark: Benchmark, network: Prediction, title: str, *, seed: int = 1) -> Hybrid:
    """Fit all views that have a rotation curve.

    Parameters
    ----------
    benchmark : Benchmark
        Of the test views, with its validation views.
    network : Prediction
        Of an ensemble for the same views.
    title : str
    seed : int

    Raises
    ------
    DmlibError
        When the network has no calibrated errors, or predicts other views.
    """
    known, validation = network.validation, benchmark.validation
    if known is None or validation is None or network.sigma_ln is None:
        raise DmlibError(f"{network.name} has no prediction for the validation galaxies: remove it and run again.")
    place = {int(row): k for k, row in enumerate(known.rows)}
    if not place.keys() >= set(validation.rows.tolist()):
        raise DmlibError(f"{benchmark.path.name} and {network.name} do not have the same validation views.")
    same = [place[row] for row in validation.rows.tolist()]
    correlation = np.asarray(network.attributes["calibration_correlation"])
    parts = {
        "test": (benchmark, network.ln_m_dm, network.sigma_ln),
        "validation": (validation, known.ln_m[same], known.sigma_ln[same]),
    }
    tasks, found = [], {}
    for part, (views, ln_m, sigma) in parts.items():
        found[part] = np.full((len(views), 5, len(views.radii)), np.nan)
        for k in np.flatnonzero(np.isfinite(views["nfw"].m_dm).all(axis=1)):
            model = benchmark.population.complete(views.model(int(k)))
            told = ProfilePrior(ln_m[k], correlation * np.outer(sigma[k], sigma[k]))
            priors = benchmark.population.told(model, told)
            make = partial(benchmark.population.fit, model, priors, sampling=_SAMPLING, seed=seed + int(k))
            tasks.append(((part, k), make))
    for outcome in fit_many(tasks, label="network and curve"):
        part, k = outcome.key
        if outcome.fit is not None:
            found[part][k] = outcome.fit.quantiles
    return Hybrid(title, found["test"], found["validation"])
