"""Helper library of the reproduction book of de los Rios et al. (2023), arXiv:2111.08725."""

import sys
import time
from importlib.metadata import PackageNotFoundError, version

from .environment import settle_home

#: When this process began to load dmlib [ns since the epoch]: a module edited later may be in memory in its old form.
LOADED_NS = time.time_ns()

try:
    __version__ = version("dmlib")
except PackageNotFoundError:
    raise ImportError(
        f"dmlib is not installed for {sys.executable}: `make` in the checkout installs it in .venv, or take the Python "
        "for which you installed it",
        name="dmlib",
    ) from None

settle_home()  # before any package looks for files of the user
