"""How a server may misbehave: what clients of the real one have met, on demand and the same each time."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

#: What can go wrong with a request. ``error``: HTTP 500; ``busy``: 429 with Retry-After; ``gateway``: 504; ``cut``:
#: the body ends half-way; ``drop``: the connection ends without an answer; ``page``: an HTML page with status 200;
#: ``slow``: the answer comes late.
KINDS = ("error", "busy", "gateway", "cut", "drop", "page", "slow")


@dataclass
class Mischief:
    """Misbehave at every n-th request.

    Parameters
    ----------
    every : int
        Each so-manieth request goes wrong; 0 for a server that behaves.
    kinds : tuple of str
        In turn, of `KINDS`.
    delay : float
        How late a slow answer comes [s].
    retry_after : float
        Pause that a busy server asks for [s].
    only : str
        Only requests whose path and query have this in them count.
    """

    every: int = 0
    kinds: tuple[str, ...] = ("error",)
    delay: float = 1.0
    retry_after: float = 0.0
    only: str = ""
    done: int = field(default=0, init=False)
    _asked: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown:
            raise ValueError(f"a server cannot misbehave as {unknown[0]!r}; it can as {', '.join(KINDS)}")

    def of(self, request: str) -> str | None:
        """What goes wrong with this request (path and query), or None."""
        if not self.every or self.only not in request:
            return None
        with self._lock:
            self._asked += 1
            if self._asked % self.every:
                return None
            kind = self.kinds[self.done % len(self.kinds)]
            self.done += 1
        return kind
