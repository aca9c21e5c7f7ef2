"""Helper library of the reproduction book of de los Rios et al. (2023), arXiv:2111.08725."""

from importlib.metadata import version

__version__ = version("dmlib")
