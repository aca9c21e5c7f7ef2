"""A mock of the IllustrisTNG public data release: a small universe in its format, and a server of its web API.

The universe is an ensemble of equilibrium-like galaxies, drawn from published relations. It is not TNG and not the
result of a simulation, and every file says so.

>>> import mocktng
>>> mocktng.write("universe", n_galaxies=40, seed=1)
>>> mocktng.describe("universe")
>>> with mocktng.TngServer("universe/output") as server:
...     print(server.url, server.key)
"""

from __future__ import annotations

from .blocks import describe, estimate, write
from .files import MockError
from .plan import M_BARYON, M_DM
from .server import FAULTS, FaultInjection, TngServer, serve

__all__ = [
    "FAULTS",
    "M_BARYON",
    "M_DM",
    "FaultInjection",
    "MockError",
    "TngServer",
    "describe",
    "estimate",
    "serve",
    "write",
]
