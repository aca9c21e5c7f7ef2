"""Linear least squares with a penalty on roughness."""

from __future__ import annotations

import numpy as np


def second_differences(rings: int, columns: int) -> np.ndarray:
    """Second differences of the first `rings` of `columns` values, shape (rings - 2, columns)."""
    out = np.zeros((max(0, rings - 2), columns))
    for k, row in enumerate(out):
        row[k : k + 3] = 1.0, -2.0, 1.0
    return out


def solve(columns: np.ndarray, data: np.ndarray, weight: np.ndarray, rough: np.ndarray):
    """Weighted least squares with penalties, shape (k,), and the covariance (k, k)."""
    weighted = columns * weight
    normal = weighted @ weighted.T + rough.T @ rough
    normal[np.diag_indices_from(normal)] += 1e-12 * np.trace(normal) / len(normal) + 1e-30
    covariance = np.linalg.inv(normal)
    return covariance @ (weighted @ (data * weight)), covariance
