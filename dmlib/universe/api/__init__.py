"""TNG through its web API."""

from __future__ import annotations

from .universe import ApiUniverse

__all__ = ["ApiUniverse"]
