"""Wall time and memory of one step."""

from __future__ import annotations

import threading
import time

import psutil


class Meter:
    """Context that measures its block.

    Attributes
    ----------
    seconds : float
        Wall time.
    memory_mb : float
        Largest memory of this process and all its children [MB = 1e6 bytes], sampled five times a second. Pages that
        forked workers share are counted once a process, so it is an upper bound.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.memory_mb = 0.0
        self._stop = threading.Event()

    def __enter__(self) -> Meter:
        self._begun = time.perf_counter()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()
        self.seconds = time.perf_counter() - self._begun

    def _watch(self) -> None:
        me = psutil.Process()
        while True:
            total = 0
            try:
                family = [me, *me.children(recursive=True)]
            except psutil.Error:
                family = [me]
            for process in family:
                try:
                    total += process.memory_info().rss
                except psutil.Error:
                    continue  # ended between the listing and the look
            self.memory_mb = max(self.memory_mb, total / 1e6)
            if self._stop.wait(0.2):
                return
