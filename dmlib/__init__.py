"""Helper library of the reproduction book of de los Rios et al. (2023), arXiv:2111.08725."""

import time
from importlib.metadata import version

from .environment import settle_home

#: When this process began to load dmlib [ns since the epoch]: a module edited later may be in memory in its old form.
LOADED_NS = time.time_ns()

__version__ = version("dmlib")

settle_home()  # before any package looks for files of the user
