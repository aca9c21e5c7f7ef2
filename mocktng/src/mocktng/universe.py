"""Write, estimate and describe a universe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .blocks import Progress, summary, table, write_tree
from .files import MockError
from .layout import Tree
from .plan import make_plan

#: Default masses of a dark-matter particle, and of gas cells and star particles [Msun].
M_DM, M_BARYON = 2.4e8, 4.5e7


def write(
    folder: str | Path,
    *,
    n_galaxies: int = 40,
    seed: int = 1,
    physics: str = "fiducial",
    without: tuple[str, ...] = (),
    m_dm: float = M_DM,
    m_baryon: float = M_BARYON,
    name: str = "mocktng",
    snapshot: int = 99,
    workers: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Write a universe where it is missing, damaged, or of other parameters.

    Resumable: after an interruption the next call continues with the finished blocks and gives the same bytes. The
    folder appears under its name only when it is complete.

    Parameters
    ----------
    folder : path
        Folder of the simulation; its ``output`` is the ``basePath`` of illustris_python. New, empty, or of mocktng.
    n_galaxies : int
        Galaxies with 1e10 to 1e12 Msun of stars that form at least 0.1 Msun/yr; met within a few per cent. There are
        about twice as many subhaloes.
    seed : int
        Seed of all random numbers.
    physics : str
        One of `galaxies.PHYSICS`. The alternative has hardly contracted, cored haloes, half the hot gas and 1.6 times
        the HI.
    without : tuple of str
        Features of galaxies to leave out, of `galaxies.FEATURES`: clumps, arms, bars, rings, holes, warps,
        lopsidedness, disturbances. Everything else stays the same.
    m_dm, m_baryon : float
        Mass of a dark-matter particle; target mass of gas cells and star particles [Msun]. TNG100-1 has 7.46e6 and
        1.39e6, TNG100-2 5.97e7 and 1.12e7.
    name : str
        ``SimulationName`` in every header.
    snapshot : int
        Number in the names of files; all is at redshift 0.
    workers : int, optional
        Processes; by default as many as cores and memory allow. The result does not depend on it.
    progress : callable, optional
        ``progress(done, total)`` after each block.

    Raises
    ------
    MockError
        When a parameter is out of range, the folder has other files, the disk is too small, or a worker was killed.
    """
    plan = make_plan(
        n_galaxies=n_galaxies,
        seed=seed,
        physics=physics,
        without=without,
        m_dm=m_dm,
        m_baryon=m_baryon,
        name=name,
        snapshot=snapshot,
    )
    write_tree(folder, plan, workers, progress)


def estimate(
    *,
    n_galaxies: int = 40,
    seed: int = 1,
    physics: str = "fiducial",
    without: tuple[str, ...] = (),
    m_dm: float = M_DM,
    m_baryon: float = M_BARYON,
    name: str = "mocktng",
    snapshot: int = 99,
) -> dict[str, Any]:
    """Content and need of disk, memory and time of a universe that is not written; parameters as for `write`.

    Returns
    -------
    dict
        As `describe`, with ``need`` in words, and planned particle numbers.
    """
    return summary(
        make_plan(
            n_galaxies=n_galaxies,
            seed=seed,
            physics=physics,
            without=without,
            m_dm=m_dm,
            m_baryon=m_baryon,
            name=name,
            snapshot=snapshot,
        )
    )


def describe(folder: str | Path) -> dict[str, Any]:
    """Content of a written universe.

    Parameters
    ----------
    folder : path
        As for `write`.

    Returns
    -------
    dict
        Name, physics, seed, numbers of groups, subhaloes and particles, particle masses [Msun], size on disk [GB],
        identity (a hash of parameters and code).

    Raises
    ------
    MockError
        When there is no complete universe in the folder.
    """
    facts = Tree(Path(folder)).read_marker()
    if facts is None or "m_dm" not in facts:
        raise MockError(f"{folder} has no complete universe of mocktng: write one with `mocktng write {folder}`.")
    return table(facts)
