"""Haloes of a sample of rotation curves: every galaxy with several models, stored so that it is computed once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..code import fingerprint
from ..errors import DmlibError
from ..files import atomic_path
from ..settings import RADII_KPC
from .fit import Sampling, Task, fit_many
from .sparc_sample import CurveSample

#: The models that are compared: a cusp and a core with the same two parameters and the same priors.
HALOS = ("nfw", "burkert")

#: Columns, with the shape of one galaxy's value.
_SHAPES: dict[str, tuple[int, ...]] = {
    "quantiles": (5, len(RADII_KPC)),
    "measured": (len(RADII_KPC),),
    **dict.fromkeys(("log_m200", "log_c", "log_upsilon_disk"), (5,)),
    **dict.fromkeys(("log_evidence", "log_evidence_error", "log_likelihood", "chi2", "converged", "seconds"), ()),
}


@dataclass(frozen=True)
class SampleFits:
    """Summaries of the posteriors of a sample for each halo model; rows as in the sample, NaN where there is no fit.

    Parameters
    ----------
    halos : tuple of str
    columns : dict
        Halo model -> name -> ndarray of length n: ``quantiles`` (n, 5, 20) of the dark mass [Msun], ``measured``
        (n, 20), ``log_m200``, ``log_c``, ``log_upsilon_disk`` (n, 5) quantiles, ``log_evidence``,
        ``log_evidence_error``, ``log_likelihood`` (the largest), ``chi2``, ``converged``, ``seconds`` (processor time)
        (n,).
    reasons : dict
        Index of a galaxy that cannot be fitted -> why.
    """

    halos: tuple[str, ...]
    columns: dict[str, dict[str, np.ndarray]]
    reasons: dict[int, str]

    def __getitem__(self, halo: str) -> dict[str, np.ndarray]:
        return self.columns[halo]

    @property
    def log_bayes(self) -> np.ndarray:
        """Log of the evidence of the second model over that of the first, shape (n,)."""
        return self._second_over_first("log_evidence")

    @property
    def log_ratio(self) -> np.ndarray:
        """Log of the largest likelihood of the second model over that of the first, shape (n,)."""
        return self._second_over_first("log_likelihood")

    def _second_over_first(self, name: str) -> np.ndarray:
        first, second = (self.columns[halo][name] for halo in self.halos[:2])
        return second - first

    @property
    def settled(self) -> np.ndarray:
        """Whether the chains of all models converged, shape (n,)."""
        return np.all([self.columns[halo]["converged"] == 1 for halo in self.halos], axis=0)


def fit_curves(
    curves: CurveSample,
    path: Path,
    *,
    halos: tuple[str, ...] = HALOS,
    seed: int = 1,
    sampling: Sampling | None = None,
) -> SampleFits:
    """Fit every galaxy of a sample, or read what an earlier call with the same data, priors and code has stored.

    Parameters
    ----------
    curves : CurveSample
    path : Path
        Where the result is stored, ``.npz``.
    halos : tuple of str
    seed : int
    sampling : Sampling, optional

    Raises
    ------
    DmlibError
        When the stored file is damaged.
    """
    sampling = sampling or Sampling()
    tasks = [
        Task((halo, number), model, halo, priors, seed=seed + number, sampling=sampling)
        for number, (model, priors) in enumerate(zip(curves.models, curves.priors, strict=True))
        for halo in halos
    ]
    key = _key(tasks)
    kept = _read(path, key, halos)
    if kept is not None:
        return kept
    columns = {
        halo: {name: np.full((len(curves), *shape), np.nan) for name, shape in _SHAPES.items()} for halo in halos
    }
    reasons: dict[int, str] = {}
    for outcome in fit_many(tasks, label="rotation curves"):
        halo, number = outcome.key
        if outcome.fit is None:
            reasons[number] = outcome.reason
            continue
        for name, column in columns[halo].items():
            if name in outcome.fit.values:
                column[number] = outcome.fit.interval(name)
            else:
                column[number] = outcome.seconds if name == "seconds" else getattr(outcome.fit, name)
    arrays: dict[str, Any] = {"key": key, "numbers": np.array(list(reasons), dtype=int)}
    arrays["reasons"] = np.array(list(reasons.values()), dtype=str)
    arrays |= {f"{halo}/{name}": values for halo in halos for name, values in columns[halo].items()}
    with atomic_path(path) as temporary:
        np.savez(temporary, **arrays)
    return SampleFits(halos, columns, reasons)


def _read(path: Path, key: str, halos: tuple[str, ...]) -> SampleFits | None:
    if not path.is_file():
        return None
    try:
        with np.load(path) as stored:
            if str(stored["key"]) != key:
                return None
            columns = {halo: {name: stored[f"{halo}/{name}"] for name in _SHAPES} for halo in halos}
            reasons = dict(zip(stored["numbers"].tolist(), stored["reasons"].tolist(), strict=True))
    except (OSError, ValueError, KeyError) as error:
        raise DmlibError(f"{path} is damaged ({error}): remove it, and run again.") from error
    return SampleFits(halos, columns, reasons)


def _key(tasks: list[Task]) -> str:
    """Fingerprint of data, priors, settings of the sampler and the code."""
    digest = hashlib.sha256(fingerprint("dmlib.rotation.fit").encode())
    for task in tasks:
        for value in vars(task.model).values():
            digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
        digest.update(repr((task.key, task.priors, task.seed, task.sampling)).encode())
    return digest.hexdigest()
