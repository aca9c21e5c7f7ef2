"""Error measures at each radius.

The talk's formula is

    Delta_MSE(R_i) = [ (1/N) sum_j ( (mu_j(R_i) - muhat_j(R_i)) / muhat_j(R_i) )^2 ]^(1/2),

a root mean square of the relative error, though it is called MSE. Neither does the talk say whether mu is M or ln M,
nor which of the two is the truth. The authors' scripts compute four means, of (dM/M)^2, |dM/M|, (dmu/mu)^2 and
|dmu/mu| with mu = ln M, all relative to the truth. We follow the scripts, on M unless it is said otherwise: ln M is
about 25, so that an error of a factor 1.3 in the mass is one of one per cent in ln(M / Msun), and changes with the unit
of mass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

Of = Literal["m", "ln_m"]


def per_view(truth: np.ndarray, predicted: np.ndarray, measure: str) -> np.ndarray:
    """A measure of each view at each radius, before any mean is taken.

    Parameters
    ----------
    truth, predicted : ndarray, shape (n, r)
        [Msun]
    measure : str
        A key of `MEASURES`.

    Returns
    -------
    ndarray, shape (n, r)
        NaN where the truth has no mass, or the prediction is no positive number.

    Raises
    ------
    ValueError
        For another measure, or shapes that differ.
    """
    if measure not in MEASURES:
        raise ValueError(f"there is no error measure '{measure}'; choose {', '.join(MEASURES)}")
    truth, predicted = np.asarray(truth, dtype=float), np.asarray(predicted, dtype=float)
    if truth.shape != predicted.shape:
        raise ValueError(f"truth {truth.shape} and prediction {predicted.shape} are not of one shape")
    good = (truth > 0) & (predicted > 0) & np.isfinite(predicted)
    truth, predicted = np.where(good, truth, np.nan), np.where(good, predicted, np.nan)
    return MEASURES[measure](truth, predicted)


#: Name -> function of truth and prediction. The first four are the authors'; networks minimise ``ln_ratio2``.
MEASURES: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "relative2": lambda truth, predicted: (predicted / truth - 1.0) ** 2,
    "relative": lambda truth, predicted: np.abs(predicted / truth - 1.0),
    "ln_relative2": lambda truth, predicted: (np.log(predicted) / np.log(truth) - 1.0) ** 2,
    "ln_relative": lambda truth, predicted: np.abs(np.log(predicted) / np.log(truth) - 1.0),
    "ln_ratio2": lambda truth, predicted: np.log(predicted / truth) ** 2,
    "ln_ratio": lambda truth, predicted: np.log(predicted / truth),
}

#: How a measure is written in a label.
LABELS = {
    "relative2": r"mean $(\Delta M/M)^2$",
    "relative": r"mean $|\Delta M/M|$",
    "ln_relative2": r"mean $(\Delta\mu/\mu)^2$, $\mu=\ln M$",
    "ln_relative": r"mean $|\Delta\mu/\mu|$, $\mu=\ln M$",
    "ln_ratio2": r"mean $(\Delta\ln M)^2$",
    "ln_ratio": r"mean $\Delta\ln M$",
}


def ln_ratio(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """ln(predicted / truth), shape (n, r); NaN where either has no mass."""
    return per_view(truth, predicted, "ln_ratio")


def delta_mse(
    truth: np.ndarray, predicted: np.ndarray, *, of: Of = "m", relative_to: Literal["truth", "prediction"] = "truth"
) -> np.ndarray:
    """Delta_MSE of the talk at each radius, shape (r,).

    Parameters
    ----------
    truth, predicted : ndarray, shape (n, r)
        [Msun]
    of : {"m", "ln_m"}
        What mu stands for.
    relative_to : {"truth", "prediction"}
        What the difference is divided by: the truth as in the authors' scripts, or the prediction, the other reading
        of the formula's hat.
    """
    if relative_to == "prediction":
        truth, predicted = predicted, truth
    name = {"m": "relative2", "ln_m": "ln_relative2"}[of]
    return np.sqrt(np.nanmean(per_view(truth, predicted, name), axis=0))
