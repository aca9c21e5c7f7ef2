r"""Spectra of stellar populations and band curves for a run without SKIRT's resource packs.

The population model of the embedded universe (`mocktng.photometry`) knows broad-band magnitudes, not
spectra. SKIRT needs a spectrum. The one built here has the magnitudes and nothing else: constant :math:`L_\lambda`
across each band, a power law in the gaps between bands. Its mean over a band curve is that constant, hence the
magnitude, wherever in the band SKIRT's random wavelengths fall, and dust acts on it across the width of the band.

The band curves are boxes: their pivot wavelengths are those of the SDSS bands, their widths the full widths of these
(Fukugita et al. 1996), r and i made narrower by a tenth and a fifth, for boxes that overlap would not leave the
spectrum free to have both magnitudes. Curves are of energy, as SKIRT's: for a photon counter, wavelength times
response.

SKIRT takes a star whose age or metallicity is outside the table, or on its first value, for dark. The table therefore
goes on beyond the model's range with the values at its edge, as the particle light does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy import constants
from astropy import units as u

from ...embedded import photometry
from ..images.bands import UGRIZ, WAVELENGTH
from ..images.light import ugriz_magnitudes
from .columns import Axis, write_columns, write_stored_table

#: Widths of the boxes [nm].
WIDTH = {"u": 59.9, "g": 137.9, "r": 124.0, "i": 120.0, "z": 137.0}

#: Range of the spectra, and of the photon packets within it [micron].
SPECTRUM_RANGE, PACKET_RANGE = (0.25, 1.25), (0.32, 0.98)

#: Ages [yr] and metallicities beyond which the table does not go; a star is written within them.
AGE_LIMITS, METALLICITY_LIMITS = (1e3, 1e11), (1e-10, 1.0)

#: Points of a band curve. SKIRT measures the pivot wavelength on them, by the trapezium rule.
_POINTS = 257

#: L_nu of absolute AB magnitude 0, 4 pi (10 pc)^2 times 3631 Jy [W/Hz].
_AB_ZERO = float((4 * np.pi * (10 * u.pc) ** 2 * 3631 * u.Jy).to_value(u.W / u.Hz))
_LIGHT = float(constants.c.to_value("m/s"))


def edges(band: str) -> tuple[float, float]:
    """Lower and upper edge of a band's box [micron]; their geometric mean is the pivot wavelength."""
    pivot, half = WAVELENGTH[band], 0.5 * WIDTH[band]
    middle = float(np.hypot(pivot, half))
    return (middle - half) / 1e3, (middle + half) / 1e3


def band_curve(band: str) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths [micron] and transmission of a band, two arrays of one shape."""
    wavelength = np.linspace(*edges(band), _POINTS)
    return wavelength, np.ones_like(wavelength)


def pivot(wavelength: np.ndarray, transmission: np.ndarray) -> float:
    """Pivot wavelength of a band curve as SKIRT computes it (``Band.cpp``), in the unit of `wavelength`."""
    step, middle = np.diff(wavelength), 0.5 * (wavelength[1:] + wavelength[:-1])
    mean = 0.5 * (transmission[1:] + transmission[:-1])
    return float(np.sqrt(np.sum(mean * step) / np.sum(mean * step / middle**2)))


def band_luminosity(magnitudes: np.ndarray) -> np.ndarray:
    """Mean L_lambda in each band [W/m] of absolute AB magnitudes u g r i z, shape (..., 5)."""
    pivots = np.array([pivot(*band_curve(band)) for band in UGRIZ]) * 1e-6
    return _AB_ZERO * 10.0 ** (-0.4 * np.asarray(magnitudes, dtype=float)) * _LIGHT / pivots**2


def spectrum(magnitudes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A spectrum that has given magnitudes.

    Parameters
    ----------
    magnitudes : ndarray, shape (..., 5)
        Absolute AB magnitudes u g r i z.

    Returns
    -------
    wavelength : ndarray, shape (12,)
        [micron]
    luminosity : ndarray, shape (..., 12)
        L_lambda [W/m]; between the wavelengths, log L is linear in log wavelength.
    """
    nodes = [SPECTRUM_RANGE[0], *(edge for band in UGRIZ for edge in edges(band)), SPECTRUM_RANGE[1]]
    level = band_luminosity(magnitudes)
    return np.array(nodes), np.repeat(level, 2, axis=-1)[..., [0, *range(10), 9]]


def population_grid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The population model on a grid.

    Returns
    -------
    metallicity : ndarray, shape (m,)
    age : ndarray, shape (n,)
        [yr]
    magnitudes : ndarray, shape (m, n, 5)
        Absolute AB magnitudes u g r i z of one solar mass formed; linear in the logarithms between the points.
    """
    log_age, log_z, eight = photometry.table()
    magnitudes = ugriz_magnitudes(eight.reshape(-1, 8)).reshape(len(log_z), len(log_age), 5)
    magnitudes = np.pad(magnitudes, ((1, 1), (1, 1), (0, 0)), mode="edge")
    age = np.concatenate([[AGE_LIMITS[0]], 10.0**log_age, [AGE_LIMITS[1]]])
    metallicity = np.concatenate([[METALLICITY_LIMITS[0]], 10.0**log_z, [METALLICITY_LIMITS[1]]])
    return metallicity, age, magnitudes


def write_population(path: Path) -> None:
    """Write the table that SKIRT's ``FileSSPSEDFamily`` reads: L_lambda by wavelength, metallicity and age."""
    metallicity, age, magnitudes = population_grid()
    wavelength, luminosity = spectrum(magnitudes)
    axes = [Axis("lambda", "m", wavelength * 1e-6), Axis("Z", "1", metallicity), Axis("t", "yr", age)]
    write_stored_table(path, axes, ("Llambda", "W/m", "log"), np.moveaxis(luminosity, -1, 0))


def write_band(path: Path, band: str) -> None:
    """Write the curve that SKIRT's ``FileBand`` reads."""
    wavelength, transmission = band_curve(band)
    write_columns(
        path,
        f"box with the pivot wavelength of the SDSS band {band}",
        {("wavelength", "micron"): wavelength, ("transmission", "1"): transmission},
    )


def photometry_of(age: np.ndarray, metallicity: np.ndarray, m_initial: np.ndarray) -> np.ndarray:
    """Absolute AB magnitudes u g r i z of populations by the model, shape (n, 5).

    Parameters
    ----------
    age : ndarray, shape (n,)
        [yr]
    metallicity : ndarray, shape (n,)
    m_initial : ndarray, shape (n,)
        [Msun]
    """
    return ugriz_magnitudes(photometry.magnitudes(np.asarray(age) / 1e9, metallicity, m_initial))
