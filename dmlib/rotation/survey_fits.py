"""The haloes of a survey of rotation curves: every galaxy by several models, kept so that it is computed once."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DmlibError
from ..files import atomic_path
from ..settings import RADII_KPC, Settings
from .fit import Sampling
from .many import Task, fit_many
from .survey import Survey

#: What is compared: a cusp and a core with the same two parameters under the same prior.
HALOS = ("nfw", "burkert")

#: Modules on whose text a fit depends.
_SOURCES = ("fit.py", "halos.py", "likelihood.py", "priors.py", "massmodel.py")

_FIELDS = ("quantiles", "measured", "log_m200", "log_c", "log_upsilon_disk", "log_evidence", "log_evidence_error")
_FIELDS = (*_FIELDS, "log_likelihood", "chi2", "converged", "seconds")


@dataclass(frozen=True)
class SurveyFits:
    """Posteriors of a survey in short, one array a halo model; rows as in the survey, NaN where there is no fit.

    Parameters
    ----------
    halos : tuple of str
    columns : dict
        Halo model -> name -> ndarray of length n: ``quantiles`` (n, 5, 20) of the dark mass [Msun], ``measured``
        (n, 20), ``log_m200``, ``log_c``, ``log_upsilon_disk`` (n, 5) quantiles, ``log_evidence``,
        ``log_evidence_error``, ``log_likelihood`` (the largest), ``chi2``, ``converged``, ``seconds`` (processor time)
        (n,).
    reasons : dict
        Number of a galaxy that cannot be fitted -> why.
    """

    halos: tuple[str, ...]
    columns: dict[str, dict[str, np.ndarray]]
    reasons: dict[int, str]

    def __getitem__(self, halo: str) -> dict[str, np.ndarray]:
        return self.columns[halo]

    @property
    def log_bayes(self) -> np.ndarray:
        """Log of the evidence of the second model over that of the first, shape (n,)."""
        first, second = (self.columns[halo]["log_evidence"] for halo in self.halos[:2])
        return second - first

    @property
    def log_ratio(self) -> np.ndarray:
        """Log of the largest likelihood of the second model over that of the first, shape (n,)."""
        first, second = (self.columns[halo]["log_likelihood"] for halo in self.halos[:2])
        return second - first

    @property
    def settled(self) -> np.ndarray:
        """Whether the chains of all models converged, shape (n,)."""
        return np.all([self.columns[halo]["converged"] == 1 for halo in self.halos], axis=0)


def fit_survey(
    settings: Settings,
    survey: Survey,
    *,
    halos: tuple[str, ...] = HALOS,
    seed: int = 1,
    sampling: Sampling | None = None,
) -> SurveyFits:
    """Fit every galaxy of a survey, or read what an earlier call with the same data, priors and code has kept.

    Parameters
    ----------
    settings : Settings
        Where to keep it.
    survey : Survey
    halos : tuple of str
    seed : int
    sampling : Sampling, optional
    """
    sampling = sampling or Sampling()
    tasks = [
        Task((halo, number), model, halo, priors, seed=seed + number, sampling=sampling)
        for number, (model, priors) in enumerate(zip(survey.models, survey.priors, strict=True))
        for halo in halos
    ]
    key = _key(tasks)
    path = settings.build / "survey_fits.npz"
    kept = _read(path, key, halos)
    if kept is not None:
        return kept
    n = len(survey)
    sizes = {"quantiles": (n, 5, len(RADII_KPC)), "measured": (n, len(RADII_KPC))}
    sizes |= dict.fromkeys(("log_m200", "log_c", "log_upsilon_disk"), (n, 5))
    columns = {halo: {name: np.full(sizes.get(name, (n,)), np.nan) for name in _FIELDS} for halo in halos}
    reasons: dict[int, str] = {}
    for outcome in fit_many(tasks, label="rotation curves"):
        halo, number = outcome.key
        if outcome.fit is None:
            reasons[number] = outcome.reason
            continue
        found = outcome.fit
        for name in _FIELDS:
            if name in ("log_m200", "log_c", "log_upsilon_disk"):
                value = found.interval(name)
            else:
                value = outcome.seconds if name == "seconds" else getattr(found, name)
            columns[halo][name][number] = value
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        np.savez(
            handle,
            key=key,
            numbers=np.array(list(reasons), dtype=int),
            reasons=np.array(list(reasons.values()), dtype=str),
            **{f"{halo}/{name}": values for halo in halos for name, values in columns[halo].items()},
        )
    return SurveyFits(halos, columns, reasons)


def _read(path: Path, key: str, halos: tuple[str, ...]) -> SurveyFits | None:
    if not path.is_file():
        return None
    try:
        with np.load(path) as stored:
            if str(stored["key"]) != key:
                return None
            columns = {halo: {name: stored[f"{halo}/{name}"] for name in _FIELDS} for halo in halos}
            reasons = dict(zip(stored["numbers"].tolist(), stored["reasons"].tolist(), strict=True))
    except (OSError, ValueError, KeyError) as error:
        raise DmlibError(f"{path} is damaged ({error}): remove it, and run again.") from error
    return SurveyFits(halos, columns, reasons)


def _key(tasks: list[Task]) -> str:
    """Fingerprint of data, priors, settings of the sampler and the code."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        digest.update((Path(__file__).parent / name).read_bytes())
    for task in tasks:
        digest.update(pickle.dumps((task.key, vars(task.model), vars(task.priors), task.seed, vars(task.sampling))))
    return digest.hexdigest()
