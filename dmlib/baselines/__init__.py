"""Plain predictions of the dark-matter profile, without any network: what a network has to beat.

`predict` gives one of them, `predict_all` all with the observables measured once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..dataset.read import DataSet
from . import regress

#: Name -> function of a `regress.Task` that gives ln M, in the order of their knowledge.
BASELINES: Mapping[str, Callable[[regress.Task], np.ndarray]] = {
    "random": regress.random,
    "mean": regress.mean,
    "linear": regress.linear,
    "boosted": regress.boosted,
}

#: Those that look at the galaxy.
REGRESSIONS = ("linear", "boosted")

#: What each is, for tables and legends.
TITLES = {
    "random": "random draw (authors)",
    "mean": "mean training profile",
    "linear": "linear, on observables",
    "boosted": "boosted trees, on observables",
}


def predict(
    name: str,
    dataset: DataSet,
    seed: int = 1,
    *,
    inputs: str = "all",
    train: np.ndarray | None = None,
    asked: np.ndarray | None = None,
) -> np.ndarray:
    """Predict dark-matter profiles by one of `BASELINES`.

    Parameters
    ----------
    name : str
        A key of `BASELINES`.
    dataset : DataSet
    seed : int
    inputs : {"all", "photometry", "hi"}
        What the regressions measure their observables from.
    train, asked : ndarray of int, optional
        Rows to learn from and rows to predict; by default those for training and for the test.

    Returns
    -------
    ndarray, shape (n, 20)
        [Msun], in the order of `asked`.

    Raises
    ------
    ValueError
        For another name.
    """
    if name not in BASELINES:
        raise ValueError(f"there is no baseline '{name}'; choose {', '.join(BASELINES)}")
    return np.exp(BASELINES[name](regress.task(dataset, seed, inputs=inputs, train=train, asked=asked)))


def predict_all(
    dataset: DataSet,
    seed: int = 1,
    *,
    inputs: str = "all",
    train: np.ndarray | None = None,
    asked: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """All of `BASELINES` at once, name -> (n, 20) [Msun]; arguments as `predict`."""
    task = regress.task(dataset, seed, inputs=inputs, train=train, asked=asked)
    return {name: np.exp(function(task)) for name, function in BASELINES.items()}
