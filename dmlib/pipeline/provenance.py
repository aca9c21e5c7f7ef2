"""Provenance: with what, from what and when the outputs were made (``run.json``), and at what cost."""

from __future__ import annotations

import platform
import subprocess
import threading
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from ..environment import cores, memory
from ..files import sha256
from ..settings import Settings

#: Packages whose version can change a result or a page.
PACKAGES = (
    *("dmlib", "numpy", "scipy", "astropy", "h5py", "matplotlib", "colossus", "illustris_python"),
    *("astromartini", "numba", "tensorflow", "keras", "jax"),
    *("mocktng", "papermill", "jupytext", "nbclient", "ipykernel", "jupyter-book", "sphinx"),
)


def git_state(root: Path) -> tuple[str | None, bool | None]:
    """Commit of a checkout, and whether tracked files differ from it; (None, None) where there is no git.

    Parameters
    ----------
    root : Path

    Returns
    -------
    commit : str or None
    dirty : bool or None
    """
    if not (root / ".git").exists():
        return None, None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return commit, bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return None, None


def commit_label(root: Path) -> str | None:
    """The commit, with ``-dirty`` where tracked files differ from it."""
    commit, dirty = git_state(root)
    return f"{commit}-dirty" if dirty else commit


def _git(root: Path, *arguments: str) -> str:
    # On a shared machine the checkout may be another user's, which git refuses otherwise.
    command = ["git", "-c", f"safe.directory={root}", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def versions() -> dict[str, str]:
    """Version of each package of `PACKAGES` that is installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # an optional package
    return found


def machine() -> dict[str, Any]:
    """What kind of machine, without its name or folders: system, processor, cores, memory [GB]."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "cores": cores(),
        "memory_gb": round(memory()[0] / 1e9, 1),
    }


def describe(settings: Settings, root: Path) -> dict[str, Any]:
    """What a run is made with: commit, lock file, versions, settings, machine. No paths, no environment variables."""
    commit, dirty = git_state(root)
    lock = root / "requirements.lock"
    return {
        "commit": commit,
        "dirty": dirty,
        "lock_sha256": sha256(lock) if lock.is_file() else None,
        "versions": versions(),
        "machine": machine(),
        "universe": settings.universe,
        "profile": settings.profile,
        "seed": settings.seed,
        "physics": settings.physics,
        "simulation": None if settings.source.written_here else settings.simulation,
        "snapshot": settings.snapshot,
        "sample": settings.sample or None,
    }


class Meter:
    """Context that measures its block.

    Attributes
    ----------
    seconds : float
        Wall time.
    memory_mb : float
        Largest memory of this process and all its children [MB = 1e6 bytes], sampled every two seconds: to look takes
        some ms each time, and four steps may be watched at once. Pages that forked workers share are counted once a
        process.
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
            if self._stop.wait(2.0):
                return
