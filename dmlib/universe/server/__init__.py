"""A server that speaks the TNG web API and serves a TNG tree: for tests, and for teaching without an account."""

from __future__ import annotations

from .http import TngServer
from .mischief import KINDS, Mischief

__all__ = ["KINDS", "Mischief", "TngServer"]
