"""What the parts of C bring: regressions on the moments in apertures that C measures.

The networks without one of C's branches are `dmlib.networks.plan.ABLATIONS`. Here are the same regressions as on the
catalogue's observables (`dmlib.baselines`), on the output of C's layer `Apertures` instead. If trees on these numbers
do as well as C, what makes C good is not that it is a network.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from ..baselines import BASELINES, REGRESSIONS, Task, finite_ln
from ..dataset.read import DataSet
from .predictions import Prediction

#: Views that are measured at a time.
_VIEWS = 256


def aperture_moments(dataset: DataSet, rows: np.ndarray) -> np.ndarray:
    """Output of C's layer `Apertures` for all inputs, shape (n, feature); the same for all orientations of a view."""
    from keras import ops

    from .architectures.c import Apertures

    layer = Apertures(dataset.channels("all"))
    parts = (dataset.inputs(rows[start : start + _VIEWS]) for start in range(0, len(rows), _VIEWS))
    return np.concatenate([ops.convert_to_numpy(layer(part)) for part in parts]).astype(float)


def predict_from_moments(dataset: DataSet, rows: np.ndarray, seed: int) -> Iterator[Prediction]:
    """Regressions on the aperture moments of the training views.

    Parameters
    ----------
    dataset : DataSet
    rows : ndarray of int, shape (n,)
        Views to be predicted.
    seed : int

    Yields
    ------
    Prediction
        ``linear/apertures`` and ``boosted/apertures``.
    """
    train = dataset.rows("train")
    moments = aperture_moments(dataset, np.concatenate([train, rows]))
    group = np.asarray(dataset.table["group_id"])[train]
    task = Task(moments[: len(train)], finite_ln(dataset.dm_profile[train]), group, moments[len(train) :], seed)
    about = {"galaxies": len(np.unique(np.asarray(dataset.table["subhalo_id"])[train])), "inputs": "all"}
    for name in REGRESSIONS:
        start = time.perf_counter()
        mass = np.exp(BASELINES[name](task))
        seconds = {"seconds": time.perf_counter() - start}
        yield Prediction(f"{name}/apertures", mass, attributes=about | seconds)
