"""HI cubes as FITS files, in the form that radio astronomers' programs read (3D-Barolo, CASA, SoFiA)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from ..errors import DmlibError
from ..files import atomic_path
from .cube import HICube, HISettings
from .grid import SkyGrid

#: Rest frequency of the line [Hz]
HI_FREQUENCY = 1.420405751e9


def write_fits(cube: HICube, path: str | Path) -> None:
    """Write a cube, whole or not at all.

    The file has axes (right ascension, declination, velocity), gnomonic about RA = Dec = 0, where the galaxy is put;
    velocities are in the radio convention and include the systemic velocity [m/s]. Settings, galaxy and view stand in
    the header, so that `read_fits` gives the same cube again.

    Parameters
    ----------
    cube : HICube
    path : path
        Its name ends in ``.fits``.
    """
    pixel = cube.pixel_arcsec / 3600.0
    middle = (cube.grid.pixels + 1) / 2.0
    header = fits.Header()
    header["OBJECT"] = f"subhalo {cube.subhalo_id}"
    header["BUNIT"] = cube.unit
    for axis, (kind, unit, value, at, step) in enumerate(
        (
            ("RA---TAN", "deg", 0.0, middle, -pixel),
            ("DEC--TAN", "deg", 0.0, middle, pixel),
            (
                "VRAD",
                "m/s",
                1e3 * (cube.settings.v_systemic + cube.velocities[0]),
                1.0,
                1e3 * cube.settings.channel_width,
            ),
        ),
        start=1,
    ):
        header[f"CTYPE{axis}"], header[f"CUNIT{axis}"] = kind, unit
        header[f"CRVAL{axis}"], header[f"CRPIX{axis}"], header[f"CDELT{axis}"] = value, at, step
    header["RADESYS"], header["SPECSYS"] = "ICRS", "BARYCENT"
    header["RESTFRQ"] = (HI_FREQUENCY, "[Hz]")
    if cube.settings.beam:
        header["BMAJ"] = header["BMIN"] = cube.settings.beam / 3600.0
        header["BPA"] = 0.0
    header["VSYS"] = (cube.settings.v_systemic, "systemic velocity [km/s]")
    header["SUBHALO"], header["VIEW"] = cube.subhalo_id, cube.view
    header["FOVKPC"] = (cube.grid.field_of_view, "side of the map [kpc]")
    header["HISET"] = cube.settings.model_dump_json()
    header["HISTORY"] = "Made from a simulation by dmlib with the conventions of MARTINI; not an observation."
    with atomic_path(path) as temporary:
        fits.PrimaryHDU(cube.data.astype(np.float32), header).writeto(temporary)


def read_fits(path: str | Path) -> HICube:
    """Read a cube that `write_fits` wrote; the data are in single precision.

    Raises
    ------
    DmlibError
        When the file is not such a cube.
    """
    with fits.open(path) as file:
        header, data = file[0].header, np.asarray(file[0].data, dtype=float)
    if "HISET" not in header or data.ndim != 3:
        raise DmlibError(f"{Path(path).name} is not an HI cube written by dmlib: it lacks the card HISET")
    grid = SkyGrid(header["FOVKPC"], data.shape[-1])
    settings = HISettings.model_validate_json(header["HISET"])
    return HICube(data, grid, settings, header["SUBHALO"], header["VIEW"])
