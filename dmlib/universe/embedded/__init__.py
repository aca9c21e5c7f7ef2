"""The embedded universe: drawn by `population`, made into particles by `realise`, written as a TNG tree by `blocks`.

It is an ensemble of equilibrium-like galaxies in the format of the TNG public release, so that everything runs with no
network. It is read back only through the same code as real TNG. It is not TNG, and its files say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ...settings import Settings

if TYPE_CHECKING:
    from .chunkwise import BlockView


def write(settings: Settings, workers: int | None = None) -> None:
    """Write the universe into ``settings.universe_dir``, where it is missing, damaged or made from something else.

    Resumable: blocks that an interrupted run finished are kept. Nothing is seen at its place before all is complete.

    Parameters
    ----------
    settings : Settings
        Profile, seed and physics.
    workers : int, optional
        Processes; default ``$DMLIB_WORKERS``, else the cores. The result does not depend on it.

    Raises
    ------
    UniverseError
        When the disk is too small, or a worker was stopped.
    """
    from .blocks import write_tree
    from .plan import make_plan

    write_tree(settings, make_plan(settings), workers, thorough=True)


def iterate(
    settings: Settings,
    subhalo_ids: Iterable[int] | None = None,
    *,
    keep: bool = False,
    workers: int | None = None,
) -> Iterator[BlockView]:
    """Go through a universe that is too large for the disk, one block of groups at a time.

    The first call makes all particles once to measure the catalogue, keeping none (in parallel and resumable). Then
    each block's snapshot files are written, and removed when the loop goes on. In between they are read by the same
    code as ever; galaxies of other blocks end in an error that names the missing file. Where the whole universe is on
    disk, nothing is written or removed.

    Parameters
    ----------
    settings : Settings
    subhalo_ids : iterable of int, optional
        Skip blocks with none of these.
    keep : bool
        Leave the files.
    workers : int, optional
        For the first pass.

    Yields
    ------
    BlockView
        ``subhalo_ids`` and ``group_ids`` whose particles can be read now, at ``base_path``.
    """
    from .chunkwise import iterate_tree
    from .plan import make_plan

    return iterate_tree(settings, make_plan(settings), subhalo_ids, keep, workers)


def describe(settings: Settings) -> dict[str, object]:
    """What the universe of these settings is, or would be and would need, as a table to print."""
    from .chunkwise import describe_plan

    return describe_plan(settings)
