"""Where galaxies come from: one interface (`base`), and the sources that stand behind it."""

from __future__ import annotations

from importlib import import_module

from ..products import ensure
from ..settings import Settings
from .base import Header, Scope, Universe
from .files import FilesUniverse

#: The package that speaks the TNG web API.
API = "dmlib.universe.api"

__all__ = ["API", "FilesUniverse", "Header", "Scope", "Universe", "open_universe"]


def open_universe(settings: Settings) -> Universe:
    """Open the universe that the settings name.

    Parameters
    ----------
    settings : Settings
        ``universe="embedded"``: written first where it is missing. ``universe="files"``: the TNG tree whose
        ``output`` folder is `Settings.base_path`; on the TNG JupyterLab that is
        ``/home/tnguser/sims.TNG/TNG100-1/output``. ``universe="api"``: the TNG web API, with the key of a TNG
        account; what it gives is kept in the cache of downloads.

    Returns
    -------
    Universe

    Raises
    ------
    UniverseError
        When the tree, or what the server gives, is not what it should be.
    FetchError
        When the server cannot be asked.
    """
    if settings.universe == "api":
        # By name: only what is made through the web API depends on the text of these modules, see `pipeline.steps`.
        return import_module(API).ApiUniverse(settings.simulation, settings.snapshot)
    if settings.universe == "embedded":
        output = ensure(settings, "universe") / "output"
        return FilesUniverse(output, simulation="embedded", snapshot=settings.snapshot)
    return FilesUniverse(settings.base_path, simulation=settings.simulation, snapshot=settings.snapshot)
