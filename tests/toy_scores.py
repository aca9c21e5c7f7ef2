"""Scores of two made-up methods, for tests of errors and their figures."""

from __future__ import annotations

import numpy as np

from dmlib.evaluation import Scores


def some_scores(seed: int = 6):
    """Two methods on 80 galaxies of 3 views: the second errs twice as much, in the same direction."""
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(80), 3)
    truth = np.repeat(np.exp(rng.normal(25.0, 1.0, (80, 20))), 3, axis=0)
    error = 0.1 * rng.standard_normal(truth.shape)
    masses = {"good": truth * np.exp(error), "bad": truth * np.exp(2.0 * error)}
    return Scores(np.geomspace(1.0, 100.0, 20), truth, masses, ids, draws=200)
