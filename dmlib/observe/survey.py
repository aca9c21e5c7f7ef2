"""What an HI survey with these settings recovers of a sample: one view a galaxy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from astropy import units as u
from astropy.table import QTable

from ..errors import GalaxyError
from ..progress import bar
from ..universe.base import Universe
from .cube import HISettings
from .grid import SkyGrid
from .hydrogen import load_hi_gas
from .moments import observe_moments
from .views import lines_of_sight


def recovered(
    universe: Universe, subhalo_ids: Sequence[int], grid: SkyGrid, settings: HISettings, *, seed: int
) -> tuple[QTable, dict[int, str]]:
    """HI mass that is found in the first random view of each galaxy, and what there was to find.

    Parameters
    ----------
    universe : Universe
    subhalo_ids : sequence of int
    grid : SkyGrid
    settings : HISettings
    seed : int

    Returns
    -------
    QTable
        ``subhalo_id``, ``inclination`` [deg], ``m_hi_present`` [Msun] (in the same map without noise), ``m_hi_found``
        [Msun], ``seen`` (share of the pixels that are not blank).
    set_aside : dict
        Reason by subhalo id, for galaxies that could not be observed.
    """
    rows, set_aside = [], {}
    for subhalo_id in bar(subhalo_ids, label="observing", unit="galaxy"):
        try:
            gas = load_hi_gas(
                universe,
                int(subhalo_id),
                scope=settings.scope,
                partition=settings.partition,
                negligible=settings.negligible,
            )
            (view,) = lines_of_sight(int(subhalo_id), gas.spin_axis(), 1, seed=seed)
            present = observe_moments(gas, view, grid, settings.without("noise"), seed=seed, floor=0.0)
            found = observe_moments(gas, view, grid, settings, seed=seed)
        except GalaxyError as error:
            set_aside[int(subhalo_id)] = str(error)
            continue
        rows.append((int(subhalo_id), view.inclination, present.m_hi, found.m_hi, found.seen.mean()))
    names = ("subhalo_id", "inclination", "m_hi_present", "m_hi_found", "seen")
    columns = np.array(rows, dtype=float).reshape(-1, len(names)).T
    table = QTable(dict(zip(names, columns, strict=True)))
    table["subhalo_id"] = table["subhalo_id"].astype(int)
    for name, unit in (("inclination", u.deg), ("m_hi_present", u.Msun), ("m_hi_found", u.Msun)):
        table[name] = table[name] * unit
    return table, set_aside
