"""Where galaxies come from: one interface (`base`), and the sources behind it (`dmlib.sources`)."""

from __future__ import annotations

from ..settings import Settings
from ..sources import call
from .base import Header, Scope, Universe
from .files import FilesUniverse

__all__ = ["FilesUniverse", "Header", "Scope", "Universe", "open_universe"]


def open_universe(settings: Settings) -> Universe:
    """Open the universe that the settings name. It must exist: `dmlib.load.universe` writes it first if necessary.

    Parameters
    ----------
    settings : Settings
        ``universe="files"``: the TNG tree whose ``output`` folder is `Settings.base_path`; on the TNG JupyterLab that
        is ``/home/tnguser/sims.TNG/TNG100-1/output``. ``universe="api"``: the TNG web API, with the key of a TNG
        account; what is downloaded is kept in the cache.

    Returns
    -------
    Universe

    Raises
    ------
    UniverseError
        When the tree, or what the server sends, is not what it should be.
    FetchError
        When the server cannot be reached.
    """
    return call(settings.source.opener, settings)
