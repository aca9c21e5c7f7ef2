"""Progress bars: live in a terminal or a notebook, silent in CI, in logs and when `dmlib run` executes a notebook."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping

from tqdm.auto import tqdm

#: Galaxies set aside whose reasons are printed.
_TOLD = 10


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


def tell_set_aside(what: str, set_aside: Mapping[int, str], total: int) -> None:
    """Say how many galaxies a product is without, and why; the product keeps all reasons.

    Parameters
    ----------
    what : str
        The product.
    set_aside : mapping
        Subhalo id -> reason.
    total : int
        Galaxies of the sample.
    """
    if set_aside:
        print(f"{what}: {len(set_aside)} of {total} galaxies set aside", file=sys.stderr)
        for subhalo_id, reason in sorted(set_aside.items())[:_TOLD]:
            print(f"  subhalo {subhalo_id}: {reason}", file=sys.stderr)
        if len(set_aside) > _TOLD:
            print(f"  and {len(set_aside) - _TOLD} more, with their reasons in the file", file=sys.stderr)
