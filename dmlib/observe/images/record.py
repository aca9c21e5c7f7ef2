"""Committed records of this room: measured once on data of TNG100-1 that a reader may not have.

They are written by commands, never by hand::

    python -m dmlib.observe.images.record image PATH --subhalo-id 6
    python -m dmlib.observe.images.record colours PATH

where PATH is the published SKIRT image ``broadband_6.fits``, and the ``output`` folder of a tree with rows of the real
group catalogue.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from pathlib import Path

import numpy as np
from astropy import units as u

from ... import __version__
from ...errors import DmlibError
from ...files import sha256, write_text
from ...sample import select
from ...settings import PROFILES, Settings, repository_root
from ...units import PART_TYPE
from ...universe import Universe, open_universe
from ..grid import SkyGrid
from .bands import BANDS as SDSS
from .colours import catalogue_magnitudes, quiescent
from .published import BANDS, read_broadband

_COMMAND = "python -m dmlib.observe.images.record"
_RELEASE = "Nelson et al. 2019, Computational Astrophysics and Cosmology 6, 2 (the IllustrisTNG data release)"

#: Name of the record of real galaxies' colours.
COLOURS = "colours_tng100_subset"


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


def write_image(path: str | Path, subhalo_id: int, out: Path | None = None) -> Path:
    """Measure one image and write its record; gives the record's path."""
    measured = measure_image(path)
    record = {
        "id": f"skirt_tng100_subhalo_{subhalo_id}",
        "statement": "What resampling does to the flux of a published SKIRT image",
        "simulation": "TNG100-1",
        "snapshot": 99,
        "source": f"published SKIRT image broadband_{subhalo_id}.fits (SDSS g r i z) of TNG100-1, snapshot 99",
        "citation": f"Rodriguez-Gomez et al. 2019, MNRAS 483, 4140; {_RELEASE}",
        "sha256": sha256(path),
        "date": datetime.date.today().isoformat(),
        "command": f"{_COMMAND} image PATH --subhalo-id {subhalo_id}",
        "dmlib": __version__,
        "measured": measured,
    }
    return _write(record, out)


def write_colours(base_path: str | Path, out: Path | None = None) -> Path:
    """Measure the colours of a catalogue and write the record; gives its path."""
    universe = open_universe(Settings(universe="files", base_path=str(base_path)))
    header = universe.header
    record = {
        "id": COLOURS,
        "statement": "Magnitudes and colours, without dust, of real galaxies of the TNG100-1 group catalogue",
        "simulation": header.simulation,
        "snapshot": header.snapshot,
        "source": f"{header.n_groups} FoF groups and all their {header.n_subhalos} subhaloes",
        "citation": _RELEASE,
        "universe_identity": header.identity,
        "date": datetime.date.today().isoformat(),
        "command": f"{_COMMAND} colours PATH",
        "dmlib": __version__,
        "measured": measure_colours(universe),
    }
    return _write(record, out)


def _write(record: dict, out: Path | None) -> Path:
    path = out or repository_root() / "records" / f"{record['id']}.json"
    write_text(path, json.dumps(record, indent=1) + "\n")
    return path


def main(arguments: list[str] | None = None) -> int:
    """Command line of ``python -m dmlib.observe.images.record``."""
    parser = argparse.ArgumentParser(prog=_COMMAND, description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("image", "colours"), help="which record")
    parser.add_argument("path", type=Path, help="a published image, or an output folder with a group catalogue")
    parser.add_argument("--subhalo-id", type=int, default=6, help="subhalo of the image")
    parser.add_argument("--out", type=Path, help="where to write (default records/)")
    given = parser.parse_args(arguments)
    try:
        if given.what == "image":
            print(write_image(given.path, given.subhalo_id, given.out))
        else:
            print(write_colours(given.path, given.out))
    except DmlibError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
