"""The galaxies that the introduction shows: from SPARC when it can be had, else from the embedded universe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import QTable

from ..errors import FetchError, GalaxyError
from ..galaxy import load_galaxy
from ..manifest.download import Downloader
from ..manifest.fetch import available, fetch
from ..sample import read_sample
from ..settings import Settings
from ..universe import open_universe
from .massmodel import MassModel, from_galaxy, from_sparc
from .sparc import read_table1

#: One try a source: a book that is built where there is no network shall not wait for it.
IMPATIENT = Downloader(attempts=1, connect_timeout=5.0, read_timeout=20.0)

#: Radius within which the dark mass of many galaxies is compared [kpc].
WITHIN = 10.0

#: Galaxies among which the fallback looks for the calmest disc.
_CANDIDATES = 5


def sparc_files() -> tuple[Path | None, Path | None, str]:
    """Folder of the mass models, path of Table 1, and "" ; or None, None and the reason why SPARC cannot be had.

    Raises
    ------
    FetchError
        When there is a copy, but a damaged one: that is to be mended, not to be passed over.
    """
    names = ("sparc-rotmod", "sparc-table")
    for name in names:
        if available(name).state == "damaged":
            fetch(name, downloader=IMPATIENT)
    try:
        folder, table = (fetch(name, downloader=IMPATIENT) for name in names)
    except FetchError as error:
        return None, None, str(error)
    return folder, table, ""


def load_example(settings: Settings, galaxy: str = "NGC6503") -> MassModel:
    """The rotation curve that the introduction explains.

    Parameters
    ----------
    settings : Settings
    galaxy : str
        SPARC name.

    Returns
    -------
    MassModel
        The SPARC galaxy; where SPARC can be neither fetched nor found in a mirror, a galaxy of the settings' universe,
        with the reason in its `note`.

    Raises
    ------
    SparcError
        When SPARC has no such galaxy.
    """
    folder, table, reason = sparc_files()
    if folder is not None:
        return from_sparc(folder / f"{galaxy}_rotmod.dat", read_table1(table))
    return _from_universe(settings, reason)


def _from_universe(settings: Settings, reason: str) -> MassModel:
    """A rotation curve of the settings' universe in the place of NGC 6503.

    Of the slower half of the sample's true centrals, the few that form most stars, and so are rich in cold gas; of
    these the one whose gas rotates most orderly.
    """
    sample = read_sample(settings.sample_path)
    sample = sample[np.asarray(sample["is_true_central"], dtype=bool)]
    slower = sample[sample["v_max"] <= np.median(sample["v_max"])]
    candidates = slower[np.argsort(slower["sfr"])[::-1][:_CANDIDATES]]
    universe = open_universe(settings)
    best, best_kappa, refusals = None, -1.0, []
    for subhalo_id in candidates["subhalo_id"]:
        try:
            galaxy = load_galaxy(
                universe, int(subhalo_id), extra={"gas": ("NeutralHydrogenAbundance", "StarFormationRate")}
            )
            kappa = galaxy.kappa_rot("gas", 4 * galaxy.r_half_star)
            model = from_galaxy(galaxy, note=f"SPARC could not be had ({reason.rstrip('.')}).")
        except GalaxyError as refusal:
            refusals.append(str(refusal))
            continue
        if kappa > best_kappa:
            best, best_kappa = model, kappa
    if best is None:
        raise GalaxyError(f"no galaxy has gas enough for a rotation curve, fetch SPARC instead: {' '.join(refusals)}")
    return best


def load_population(settings: Settings) -> QTable:
    """Dark mass, light and speed of many galaxies.

    Returns
    -------
    QTable
        ``galaxy``; ``light``; ``m_dark`` [Msun]; ``v_flat`` [km/s]. From SPARC: luminosity at 3.6 micron [Lsun],
        missing mass within `WITHIN`, speed of the flat part, of the galaxies with quality 1 or 2, inclination of 30 deg
        or more (both after McGaugh, Lelli & Schombert 2016), a measured flat part, and a curve that reaches so far.
        Else, from the sample of the settings' universe: stellar mass [Msun], bound dark matter, maximum circular speed.
        ``meta["source"]`` is ``"SPARC"`` or None.
    """
    folder, table, _ = sparc_files()
    if folder is None:
        sample = read_sample(settings.sample_path)
        columns = {"light": sample["m_star"], "m_dark": sample["m_dm"], "v_flat": sample["v_max"]}
        return QTable({"galaxy": [str(i) for i in sample["subhalo_id"]], **columns}, meta={"source": None})
    table1 = read_table1(table)
    good = (table1["quality"] < 3) & (table1["inclination"] >= 30 * u.deg) & np.isfinite(table1["v_flat"])
    rows = []
    for row in table1[good]:
        model = from_sparc(folder / f"{row['galaxy']}_rotmod.dat", table1)
        if model.radius[-1] < WITHIN:
            continue
        dark = float(np.interp(WITHIN, model.radius, model.m_dynamical()[0] - model.m_visible()))
        if dark > 0:
            rows.append((model.galaxy, row["l36"], dark * u.Msun, row["v_flat"]))
    return QTable(rows=rows, names=("galaxy", "light", "m_dark", "v_flat"), meta={"source": "SPARC"})


@dataclass(frozen=True)
class Relation:
    """A straight line through logarithms, and how well it does against knowing nothing.

    Parameters
    ----------
    slope : float
    pivot : float
        Mean of log10 x.
    level : float
        Mean of log10 y, the line's value at the pivot.
    scatter, scatter_error : float
        Root mean square of log10 y about the line [dex], and its bootstrap error over galaxies.
    spread, spread_error : float
        The same about the mean of log10 y: the error of a prediction that looks at nothing.
    n : int
    """

    slope: float
    pivot: float
    level: float
    scatter: float
    scatter_error: float
    spread: float
    spread_error: float
    n: int


def relate(x: np.ndarray, y: np.ndarray, *, seed: int, draws: int = 1000) -> Relation:
    """Fit ``log10 y = level + slope (log10 x - pivot)`` by least squares.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Positive.
    seed : int
        Of the bootstrap.
    draws : int
        Bootstrap samples of galaxies.
    """
    logs = np.log10(np.stack([x, y], axis=1))
    rng = np.random.default_rng(seed)
    resampled = np.array([_line(logs[rng.integers(0, len(logs), len(logs))])[3:] for _ in range(draws)])
    slope, pivot, level, scatter, spread = _line(logs)
    scatter_error, spread_error = resampled.std(axis=0, ddof=1)
    return Relation(slope, pivot, level, scatter, float(scatter_error), spread, float(spread_error), len(logs))


def _line(logs: np.ndarray) -> tuple[float, float, float, float, float]:
    """Slope, pivot, level, scatter about the line and about the mean, with their degrees of freedom."""
    pivot, level = logs.mean(axis=0)
    dx, dy = logs[:, 0] - pivot, logs[:, 1] - level
    slope = np.sum(dx * dy) / np.sum(dx**2)
    scatter = np.sqrt(np.sum((dy - slope * dx) ** 2) / (len(logs) - 2))
    return float(slope), float(pivot), float(level), float(scatter), float(dy.std(ddof=1))
