"""What an ensemble says of one galaxy that is not in the data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..observe.moments import normalise
from .models import NetworkError, read_network


def predict_all(folder: str | Path, name: str, maps: np.ndarray) -> tuple[np.ndarray, str]:
    """What every member of an ensemble predicts from one galaxy's HI maps.

    Parameters
    ----------
    folder : path
        See `dmlib.networks.models.read_network`.
    name : str
        For example ``C/hi``.
    maps : ndarray, shape (y, x, 3)
        In physical units.

    Returns
    -------
    ln_m_dm : ndarray, shape (members, 20)
        No rows where there is no such network.
    reason : str
        Why there is none.
    """
    predictions: list[np.ndarray] = []
    inputs = normalise(maps)[None]
    while True:
        try:
            network = read_network(folder, name, len(predictions))
        except NetworkError as error:
            reason = "" if predictions else str(error)
            return np.array(predictions).reshape(len(predictions), -1), reason
        predictions.append(network.predict_ln(inputs)[0])
