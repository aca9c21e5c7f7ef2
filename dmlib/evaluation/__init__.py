"""How accurate a predicted profile is: error measures, their uncertainty, and the calibration of stated uncertainties.

All functions take masses, whatever method predicted them, so that networks, regressions and rotation curves are treated
alike.
"""

from ..bootstrap import Bootstrap as Bootstrap
from .scores import EXPECTED as EXPECTED
from .scores import Scores as Scores
from .scores import delta_mse as delta_mse
from .scores import per_view as per_view
from .scores import verdict as verdict
