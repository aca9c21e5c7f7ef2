"""Light of galaxies of TNG100: a published SKIRT image on other pixels, and colours of the group catalogue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy import units as u

from dmlib.observe.images import BANDS as SDSS
from dmlib.observe.images.portraits import catalogue_magnitudes, quiescent
from dmlib.observe.images.published import BANDS, read_broadband
from dmlib.observe.sky import SkyGrid
from dmlib.sample import select
from dmlib.settings import PROFILES
from dmlib.units import PART_TYPE
from dmlib.universe import Universe


def measure_image(path: str | Path) -> dict:
    """What resampling does to the flux of one published image.

    Parameters
    ----------
    path : path
        A ``broadband_ID.fits``.

    Returns
    -------
    dict
        ``pixels`` a side, ``pixel_size`` and ``field_of_view`` [kpc], ``redshift``, ``counts_per_second`` by band,
        ``flux_change``: largest relative change in a band on a grid (pixels of profile quick) that holds the whole
        image, ``within_common_grid``: share of the flux by band within the field of view of profile quick.

    Raises
    ------
    FetchError
        When the file is missing or damaged.
    """
    image = read_broadband(path)
    total = image.data.sum(axis=(0, 1))
    quick = PROFILES["quick"]
    whole = SkyGrid(1.1 * image.field_of_view, quick.pixels)
    common = SkyGrid(quick.field_of_view, quick.pixels)
    change = np.abs(image.on(whole).sum(axis=(0, 1)) / total - 1.0).max()
    within = image.on(common).sum(axis=(0, 1)) / total
    return {
        "pixels": image.data.shape[0],
        "pixel_size": round(image.pixel_size, 6),
        "field_of_view": round(image.field_of_view, 3),
        "redshift": image.redshift,
        "counts_per_second": {band: round(float(value), 2) for band, value in zip(BANDS, total, strict=True)},
        "flux_change": float(f"{change:.1e}"),
        "within_common_grid": {band: round(float(value), 5) for band, value in zip(BANDS, within, strict=True)},
    }


def measure_colours(universe: Universe) -> dict:
    """Magnitude and colour of the galaxies of the paper's sample and of quiescent ones, without dust.

    Parameters
    ----------
    universe : Universe

    Returns
    -------
    dict
        ``star-forming`` and ``quiescent``, each with lists ``m_r``, ``u_r`` (u from U + 0.79) [mag] and ``log_ml_r``
        (stellar mass over luminosity in r, log10 in solar units).
    """
    measured = {}
    chosen = {"star-forming": np.asarray(select(universe)[0]["subhalo_id"]), "quiescent": quiescent(universe)}
    for name, ids in chosen.items():
        u_band, _, r, *_ = catalogue_magnitudes(universe, ids).T
        mass = universe.subhalos(["SubhaloMassType"], ids)["SubhaloMassType"][:, PART_TYPE["stars"]].to_value(u.Msun)
        columns = {
            "m_r": r,
            "u_r": u_band - r,
            "log_ml_r": np.log10(mass) - 0.4 * (SDSS["r"].m_sun - r),
        }
        measured[name] = {key: [round(float(value), 3) for value in values] for key, values in columns.items()}
    return measured
