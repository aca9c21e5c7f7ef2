"""How accurate a predicted profile is: error measures, their uncertainty, and the calibration of stated uncertainties.

All functions take masses, whatever method predicted them, so that networks, regressions and rotation curves are treated
alike.
"""

from ..bootstrap import Bootstrap, Estimate
from .scores import MEASURES, REGIONS, Coverage, Scores, coverage, delta_mse, ln_ratio, per_view, verdict

__all__ = [
    "MEASURES",
    "REGIONS",
    "Bootstrap",
    "Coverage",
    "Estimate",
    "Scores",
    "coverage",
    "delta_mse",
    "ln_ratio",
    "per_view",
    "verdict",
]
