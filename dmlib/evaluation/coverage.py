"""Calibration: whether stated uncertainties are as large as the errors.

A prediction of ln M with standard deviation sigma is calibrated when z = (ln M_true - ln M_predicted) / sigma is
distributed as a standard normal: within 1 in 68 per cent of the cases, within 2 in 95 per cent, and its probability
integral transform (PIT, the fraction of the predicted distribution below the truth) uniform between 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import erf

from ..bootstrap import Bootstrap, Estimate
from .scores import ln_ratio, row_mean

#: Fraction of a normal distribution within 1 and 2 standard deviations.
EXPECTED = {1: float(erf(1 / np.sqrt(2))), 2: float(erf(2 / np.sqrt(2)))}


@dataclass(frozen=True)
class Coverage:
    """How often the truth lies within the stated uncertainty.

    Parameters
    ----------
    z : ndarray, shape (n, r)
        Deviation of the truth from the prediction in units of the stated sigma.
    within : dict of Estimate
        1 and 2 -> fraction of the views within that many sigma, at each radius.
    overall : dict of Estimate
        The same over all radii.
    stretch : Estimate
        Root mean square of z over all views and radii: the factor by which sigma is too small.
    pit : ndarray, shape (n, r)
        Between 0 and 1.
    """

    z: np.ndarray
    within: dict[int, Estimate]
    overall: dict[int, Estimate]
    stretch: Estimate
    pit: np.ndarray


def z_scores(truth: np.ndarray, predicted: np.ndarray, sigma_ln: np.ndarray) -> np.ndarray:
    """Deviations of the truth in units of sigma, shape (n, r); NaN where the mass is zero or sigma is not positive."""
    sigma = np.where(np.asarray(sigma_ln, dtype=float) > 0, sigma_ln, np.nan)
    return -ln_ratio(truth, predicted) / sigma


def coverage(truth: np.ndarray, predicted: np.ndarray, sigma_ln: np.ndarray, bootstrap: Bootstrap) -> Coverage:
    """Compare stated uncertainties with the errors.

    Parameters
    ----------
    truth, predicted : ndarray, shape (n, r)
        [Msun]
    sigma_ln : ndarray, shape (n, r)
        Stated standard deviation of ln M.
    bootstrap : Bootstrap
        Of the same n views.
    """
    z = z_scores(truth, predicted, sigma_ln)
    inside = {k: np.where(np.isfinite(z), np.abs(z) < k, np.nan) for k in EXPECTED}
    with np.errstate(invalid="ignore"):
        pit = 0.5 * (1.0 + erf(z / np.sqrt(2.0)))
    # First the mean over the radii of a view, so that radii without mass are left out.
    some = {k: row_mean(values) for k, values in inside.items()}
    return Coverage(
        z=z,
        within={k: bootstrap.mean(values) for k, values in inside.items()},
        overall={k: bootstrap.mean(values) for k, values in some.items()},
        stretch=bootstrap.root_mean(row_mean(z**2)),
        pit=pit,
    )


def pit_histogram(pit: np.ndarray, bootstrap: Bootstrap, bins: int = 10) -> Estimate:
    """Density of the PIT in equal bins, 1 everywhere for calibrated uncertainties; value and error of shape (bins,)."""
    number = np.minimum((pit * bins).astype(int, casting="unsafe"), bins - 1)
    number = np.where(np.isfinite(pit), number, -1)
    shares = np.stack([(number == k).sum(axis=1) for k in range(bins)], axis=1)
    total = np.repeat((number >= 0).sum(axis=1)[:, None], bins, axis=1)
    found = bootstrap.ratio(shares, total)
    return Estimate(*(bins * part for part in (found.value, found.error, found.low, found.high)))
