"""SKIRT's frames as images."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from astropy import constants
from astropy import units as u
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from ..grid import SkyGrid
from ..images.bands import WAVELENGTH
from .settings import SkirtError, SkirtSettings

_LIGHT = constants.c.to(u.um / u.s)
_AB_ZERO = 3631 * u.Jy

#: Units of SKIRT's three flux styles, and whether they are per frequency, per wavelength, or neither.
_STYLES = {
    "MJy/sr": (u.MJy / u.sr, "frequency"),
    "Jy/arcsec2": (u.Jy / u.arcsec**2, "frequency"),
    "W/m2/Hz/sr": (u.W / u.m**2 / u.Hz / u.sr, "frequency"),
    "W/m2/micron/arcsec2": (u.W / u.m**2 / u.um / u.arcsec**2, "wavelength"),
    "W/m2/micron/sr": (u.W / u.m**2 / u.um / u.sr, "wavelength"),
    "W/m2/arcsec2": (u.W / u.m**2 / u.arcsec**2, "neutral"),
    "W/m2/sr": (u.W / u.m**2 / u.sr, "neutral"),
}

#: Units of lengths and angles in the frames' headers.
_SCALES = {"pc": u.pc, "kpc": u.kpc, "m": u.m, "arcsec": u.arcsec, "arcmin": u.arcmin, "deg": u.deg, "rad": u.rad}


def read_frame(path: str | Path, grid: SkyGrid, settings: SkirtSettings) -> np.ndarray:
    """One of SKIRT's data cubes as fluxes.

    Parameters
    ----------
    path : path
        ``PREFIX_INSTRUMENT_total.fits``.
    grid : SkyGrid
        The pixels that were asked for.
    settings : SkirtSettings
        Of the run.

    Returns
    -------
    ndarray, shape (y, x, 5)
        Maggies per pixel in u g r i z.

    Raises
    ------
    SkirtError
        When the file is missing, cut short, of other bands, pixels or units, or holds values that are not finite.
    """
    path = Path(path)
    again = "run SKIRT again"
    try:
        with warnings.catch_warnings():
            # A file that was cut short is refused here; astropy would first warn of it.
            warnings.simplefilter("ignore", AstropyUserWarning)
            with fits.open(path, memmap=False) as hdus:
                header, data = hdus[0].header.copy(), np.asarray(hdus[0].data, dtype=np.float64)
                found = np.array([float(row[0]) for row in hdus[1].data])
                unit = str(hdus[1].columns[0].unit or header.get("CUNIT3", "")).strip()
    except FileNotFoundError as error:
        raise SkirtError(f"SKIRT wrote no {path.name}: {again}, and see its log.") from error
    except (OSError, TypeError, ValueError, IndexError) as error:
        raise SkirtError(f"{path.name} is cut short or no frame of SKIRT's ({error}): {again}.") from error
    expected = np.array([WAVELENGTH[band] / 1e3 for band in settings.bands])
    if data.shape != (len(expected), *grid.shape):
        raise SkirtError(
            f"{path.name} has an array of shape {data.shape} where {(len(expected), *grid.shape)} was asked for: "
            f"{again}."
        )
    if unit != "micron" or found.shape != expected.shape or not np.allclose(found, expected, rtol=5e-3):
        raise SkirtError(
            f"{path.name} has frames at {', '.join(f'{value:.4g}' for value in found)} {unit}, where the SDSS bands "
            f"are at {', '.join(f'{value:.4g}' for value in expected)} micron: {again} with dmlib's parameter file."
        )
    _check_pixels(path, header, grid, settings)
    if not np.all(np.isfinite(data)):
        raise SkirtError(f"{path.name} holds values that are not finite: {again}.")
    angle = np.arctan(grid.pixel_size / (1e3 * settings.pixel_distance)) * u.rad
    per_pixel = _in_jansky_per_sr(str(header.get("BUNIT", "")).strip(), found, path) * (angle**2).to_value(u.sr)
    flux = data * (per_pixel / _AB_ZERO.to_value(u.Jy))[:, None, None]
    return np.ascontiguousarray(np.moveaxis(flux, 0, -1))


def _in_jansky_per_sr(name: str, wavelength: np.ndarray, path: Path) -> np.ndarray:
    """What one unit of a frame is in Jy/sr, shape (band,); wavelengths in micron."""
    if name not in _STYLES:
        raise SkirtError(
            f"{path.name} is in '{name}', which dmlib does not read: set ExtragalacticUnits in the .ski file."
        )
    unit, style = _STYLES[name]
    frequency = _LIGHT / (wavelength * u.um)
    value = np.ones(len(wavelength)) * unit
    if style == "wavelength":
        value = value * (wavelength * u.um) / frequency
    elif style == "neutral":
        value = value / frequency
    return value.to_value(u.Jy / u.sr)


def _check_pixels(path: Path, header: fits.Header, grid: SkyGrid, settings: SkirtSettings) -> None:
    """Refuse a frame whose pixels are not those of the grid; versions of SKIRT give their side in pc or in arcsec."""
    name = str(header.get("CUNIT1", "")).strip()
    if name not in _SCALES:
        raise SkirtError(f"{path.name} gives its pixels in '{name}': run SKIRT again with dmlib's parameter file.")
    scale = float(header.get("CDELT1", np.nan)) * _SCALES[name]
    if scale.unit.is_equivalent(u.rad):
        scale = np.tan(scale) * settings.pixel_distance * u.Mpc
    if not np.isclose(scale.to_value(u.kpc), grid.pixel_size, rtol=1e-3):
        raise SkirtError(
            f"{path.name} has pixels of {scale.to_value(u.kpc):.4g} kpc where {grid.pixel_size:.4g} kpc were asked "
            "for: run SKIRT again."
        )
