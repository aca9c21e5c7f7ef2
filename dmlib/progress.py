"""Progress bars: live in a terminal or a notebook, silent in CI, in logs and when `dmlib run` executes a notebook."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from tqdm.auto import tqdm


def quiet() -> bool:
    """Whether bars stay silent: ``CI`` or ``DMLIB_QUIET`` is set, or nobody watches the output."""
    if os.environ.get("CI") or os.environ.get("DMLIB_QUIET"):
        return True
    return not (sys.stderr.isatty() or _in_notebook())


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


def bar(iterable: Iterable | None = None, *, total: int | None = None, label: str = "", unit: str = "it") -> tqdm:
    """A tqdm bar with rate and time left.

    Parameters
    ----------
    iterable : iterable, optional
        What is worked through; without it call ``update``.
    total : int, optional
        Number of items where the iterable has no length.
    label, unit : str
        What is done, and what is counted (for example ``galaxy``).
    """
    return tqdm(iterable, total=total, desc=label, unit=unit, disable=quiet(), dynamic_ncols=True, leave=False)
