"""TNG through its web API."""

from __future__ import annotations

from urllib.parse import urlsplit

from ...manifest.download import tng_url
from ...settings import Settings
from .universe import ApiUniverse

__all__ = ["ApiUniverse", "open_api", "server_state"]


def open_api(settings: Settings) -> ApiUniverse:
    """Open the simulation of ``universe="api"``."""
    return ApiUniverse(settings.simulation, settings.snapshot)


def server_state(settings: Settings) -> dict[str, str]:
    """The server's name: what it serves does not change, and `dmlib status` needs no network."""
    return {f"{settings.simulation} through the web API": urlsplit(tng_url()).netloc}
