"""Failures on demand: those that clients of the real server meet, reproducibly."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

#: Kinds of failure. ``error``: HTTP 500; ``busy``: 429 with Retry-After; ``gateway``: 504; ``cut``: the body ends
#: half-way; ``drop``: the connection ends without an answer; ``page``: an HTML page with status 200; ``slow``: a late
#: answer; ``moved``: a redirect to a data node, another host, that answers without a key and refuses one (403);
#: ``closed``: a redirect to a data node that refuses everybody.
FAULTS = ("error", "busy", "gateway", "cut", "drop", "page", "slow", "moved", "closed")


@dataclass
class FaultInjection:
    """Let every n-th request fail.

    Parameters
    ----------
    every : int
        Every n-th request fails; 0 for none.
    kinds : tuple of str
        In turn, of `FAULTS`.
    delay : float
        Delay of a slow answer [s].
    retry_after : float
        Pause that a busy server asks for [s].
    only : str
        Only requests with this text in their path or query count.

    Raises
    ------
    ValueError
        For an unknown kind.
    """

    every: int = 0
    kinds: tuple[str, ...] = ("error",)
    delay: float = 1.0
    retry_after: float = 0.0
    only: str = ""
    done: int = field(default=0, init=False)
    _requests: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in FAULTS]
        if unknown:
            raise ValueError(f"there is no failure {unknown[0]!r}; there are {', '.join(FAULTS)}")

    def of(self, request: str) -> str | None:
        """Kind of failure of this request (path and query), or None."""
        if not self.every or self.only not in request:
            return None
        with self._lock:
            self._requests += 1
            if self._requests % self.every:
                return None
            kind = self.kinds[self.done % len(self.kinds)]
            self.done += 1
        return kind
