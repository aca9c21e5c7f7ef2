"""How good a predicted profile is: error measures, their uncertainty, and whether a stated uncertainty is honest.

Everything here takes masses and knows nothing of who predicted them, so that networks, plain regressions and rotation
curves are judged alike.
"""

from .bootstrap import Bootstrap
from .coverage import Coverage, coverage
from .measures import MEASURES, delta_mse, ln_ratio, per_view
from .scores import REGIONS, Scores, verdict

__all__ = [
    "MEASURES",
    "REGIONS",
    "Bootstrap",
    "Coverage",
    "Scores",
    "coverage",
    "delta_mse",
    "ln_ratio",
    "per_view",
    "verdict",
]
