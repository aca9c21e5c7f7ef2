"""The committed record of a published SKIRT image on the common grid, for readers who do not have the file.

It is written by a command, never by hand::

    python -m dmlib.observe.images.record --image PATH --subhalo-id 6

where PATH is the file ``broadband_6.fits`` of TNG100-1, snapshot 99.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from pathlib import Path

import numpy as np

from ... import __version__
from ...errors import DmlibError
from ...files import sha256, write_text
from ...settings import PROFILES, repository_root
from ..grid import SkyGrid
from .published import BANDS, read_broadband

_COMMAND = "python -m dmlib.observe.images.record --image PATH --subhalo-id {subhalo_id}"
_CITATION = "Rodriguez-Gomez et al. 2019, MNRAS 483, 4140; Nelson et al. 2019 (the IllustrisTNG data release)"


def name(subhalo_id: int) -> str:
    """Name of the record of one subhalo's image."""
    return f"skirt_tng100_subhalo_{subhalo_id}"


def measure(path: str | Path) -> dict:
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


def write(path: str | Path, subhalo_id: int, out: Path | None = None) -> Path:
    """Measure one image and write its record; gives the record's path."""
    measured = measure(path)
    record = {
        "id": name(subhalo_id),
        "statement": "What resampling does to the flux of a published SKIRT image",
        "simulation": "TNG100-1",
        "snapshot": 99,
        "source": f"published SKIRT image broadband_{subhalo_id}.fits (SDSS g r i z) of TNG100-1, snapshot 99",
        "citation": _CITATION,
        "sha256": sha256(path),
        "date": datetime.date.today().isoformat(),
        "command": _COMMAND.format(subhalo_id=subhalo_id),
        "dmlib": __version__,
        "measured": measured,
    }
    out = out or repository_root() / "records" / f"{name(subhalo_id)}.json"
    write_text(out, json.dumps(record, indent=1) + "\n")
    return out


def main(arguments: list[str] | None = None) -> int:
    """Command line of ``python -m dmlib.observe.images.record``."""
    parser = argparse.ArgumentParser(prog="python -m dmlib.observe.images.record", description=__doc__.split("\n")[0])
    parser.add_argument("--image", type=Path, required=True, help="a published broadband_ID.fits")
    parser.add_argument("--subhalo-id", type=int, required=True, help="its subhalo")
    parser.add_argument("--out", type=Path, help="where to write (default records/)")
    given = parser.parse_args(arguments)
    try:
        print(write(given.image, given.subhalo_id, given.out))
    except DmlibError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
