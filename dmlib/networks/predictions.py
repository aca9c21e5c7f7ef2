"""The way in to what networks and regressions predict for the test galaxies. Does not import Keras."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .card import NetworkError


@dataclass(frozen=True)
class Prediction:
    """What one network or regression says of the test views.

    Parameters
    ----------
    name : str
    m_dm : ndarray, shape (n, 20)
        M_DM(<R) [Msun]; of an ensemble exp of the mean of ln M.
    sigma_ln : ndarray, shape (n, 20), or None
        Standard deviation of ln M, calibrated on the validation galaxies, see `dmlib.networks.calibrate`.
    members_ln : ndarray, shape (member, n, 20), or None
        ln(M / Msun) of each member of an ensemble.
    attributes : dict
        ``architecture``, ``inputs``, ``galaxies`` (trained on), ``parameters``, ``seconds`` of training, ...
    """

    name: str
    m_dm: np.ndarray
    sigma_ln: np.ndarray | None
    members_ln: np.ndarray | None
    attributes: dict[str, Any]

    @property
    def ln_m_dm(self) -> np.ndarray:
        """ln(M / Msun), shape (n, 20)."""
        return np.log(self.m_dm)


@dataclass(frozen=True)
class Predictions:
    """All that was predicted for the test views.

    Parameters
    ----------
    path : Path
    truth : ndarray, shape (n, 20)
        [Msun]
    radii : ndarray, shape (20,)
        [kpc]
    subhalo_id, view : ndarray of int, shape (n,)
    rows : ndarray of int, shape (n,)
        Rows of the data set.
    groups : dict
        Name -> Prediction, in the order of the plan.
    """

    path: Path
    truth: np.ndarray
    radii: np.ndarray
    subhalo_id: np.ndarray
    view: np.ndarray
    rows: np.ndarray
    groups: dict[str, Prediction]

    @property
    def names(self) -> tuple[str, ...]:
        """``A/all``, ``C/photometry``, ``learning_curve/123``, ``baseline/mean``, ..."""
        return tuple(self.groups)

    def __getitem__(self, name: str) -> Prediction:
        if name not in self.groups:
            raise NetworkError(f"{self.path} has no prediction '{name}': it has {', '.join(self.names)}.")
        return self.groups[name]

    def __contains__(self, name: str) -> bool:
        return name in self.groups

    def __iter__(self) -> Iterator[str]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.rows)

    def under(self, prefix: str) -> dict[str, Prediction]:
        """Those whose name begins so, by the rest of it: ``under("C")["all"]``."""
        start = f"{prefix.rstrip('/')}/"
        return {name.removeprefix(start): found for name, found in self.groups.items() if name.startswith(start)}


def read_predictions(path: str | Path) -> Predictions:
    """Read a file of predictions.

    Raises
    ------
    NetworkError
        When the file is damaged or is not of its form.
    """
    path = Path(path)
    try:
        with h5py.File(path, "r") as handle:
            groups: dict[str, Prediction] = {}

            def visit(name: str, item: Any) -> None:
                if isinstance(item, h5py.Group) and "m_dm" in item:
                    extra = [item[key][()] if key in item else None for key in ("sigma_ln", "members_ln")]
                    groups[name] = Prediction(name, item["m_dm"][()], *extra, dict(item.attrs))

            handle.visititems(visit)
            order = [str(name) for name in handle.attrs.get("order", [])]
            names = [*(name for name in order if name in groups), *(name for name in groups if name not in order)]
            columns = [handle[name][()] for name in ("truth", "radii", "subhalo_id", "view", "rows")]
            return Predictions(path, *columns, {name: groups[name] for name in names})
    except (OSError, KeyError) as error:
        raise NetworkError(f"{path} holds no whole predictions ({error}): remove it and run again.") from error
