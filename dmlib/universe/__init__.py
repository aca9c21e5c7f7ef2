"""Where galaxies come from: one interface (`base`), and the sources that stand behind it."""

from __future__ import annotations

from ..errors import UniverseError
from ..products import ensure
from ..settings import Settings
from .base import Header, Scope, Universe
from .files import FilesUniverse

__all__ = ["FilesUniverse", "Header", "Scope", "Universe", "open_universe"]


def open_universe(settings: Settings) -> Universe:
    """Open the universe that the settings name.

    Parameters
    ----------
    settings : Settings
        ``universe="embedded"``: written first where it is missing. ``universe="files"``: the TNG tree whose
        ``output`` folder is `Settings.base_path`; on the TNG JupyterLab that is
        ``/home/tnguser/sims.TNG/TNG100-1/output``.

    Returns
    -------
    Universe

    Raises
    ------
    UniverseError
        When the tree is not what it should be, or the source is not there yet.
    """
    if settings.universe == "api":
        raise UniverseError(
            "Reading galaxies through the TNG web API is not part of this version: use universe 'files' with a TNG "
            "tree on disk (on the TNG JupyterLab base_path=/home/tnguser/sims.TNG/TNG100-1/output), or 'embedded'."
        )
    if settings.universe == "embedded":
        output = ensure(settings, "universe") / "output"
        return FilesUniverse(output, simulation="embedded", snapshot=settings.snapshot)
    return FilesUniverse(settings.base_path, simulation=settings.simulation, snapshot=settings.snapshot)
