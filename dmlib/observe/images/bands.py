"""The SDSS bands: wavelengths, the Sun's magnitudes, and the ways between magnitude, luminosity and flux."""

from __future__ import annotations

import numpy as np
from astropy import units as u

from ...units import COSMOLOGY

#: Order of the bands everywhere in `dmlib.observe.images`.
UGRIZ = ("u", "g", "r", "i", "z")

#: Pivot wavelengths of the SDSS bands [nm], as in SKIRT's band list.
WAVELENGTH = {"u": 355.65, "g": 470.24, "r": 617.55, "i": 748.99, "z": 894.67}

#: Absolute AB magnitude of the Sun (Willmer 2018, table 3; uncertain by 0.04 mag).
M_SUN = {"u": 6.39, "g": 5.11, "r": 4.65, "i": 4.53, "z": 4.50}

#: Added to TNG's U (Buser filter, Vega) for an AB magnitude, the value used by the authors of the TNG data release. We
#: let it stand for SDSS u, whose filter is bluer by some 10 nm; tests/test_observe_images_light.py measures the effect.
U_VEGA_TO_AB = 0.79

#: Redshift as which the published SKIRT images of snapshot 99 are drawn (their card USE_Z).
REDSHIFT = 0.0485236


def per_band(table: dict[str, float], bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
    """Values of a table in the order of `bands`."""
    return np.array([table[band] for band in bands])


def luminosity(magnitudes: np.ndarray, bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
    """Luminosity in solar luminosities of each band from absolute AB magnitudes, shape (..., band)."""
    return 10.0 ** (-0.4 * (np.asarray(magnitudes, dtype=float) - per_band(M_SUN, bands)))


def absolute_magnitude(luminosities: np.ndarray, bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
    """Absolute AB magnitude of luminosities [Lsun of the band], shape (..., band); infinite where there is no light."""
    with np.errstate(divide="ignore"):
        return per_band(M_SUN, bands) - 2.5 * np.log10(luminosities)


def maggies_per_lsun(redshift: float = REDSHIFT, bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
    """Flux of one solar luminosity at a redshift, shape (band,) [maggies, the flux of AB magnitude 0].

    The band is taken in the rest frame: there is no K-correction, whose size at z = 0.05 is 0.05 to 0.2 mag.
    """
    modulus = COSMOLOGY.distmod(redshift).to_value(u.mag)
    return 10.0 ** (-0.4 * (per_band(M_SUN, bands) + modulus))


def kpc_per_arcsec(redshift: float = REDSHIFT) -> float:
    """Proper kpc that one arcsecond spans at a redshift."""
    return float(COSMOLOGY.kpc_proper_per_arcmin(redshift).to_value(u.kpc / u.arcmin)) / 60.0


def to_maggies(image: np.ndarray, pixel_area: float, redshift: float = REDSHIFT, bands=UGRIZ) -> np.ndarray:
    """Flux per pixel [maggies] of a surface brightness [Lsun/kpc^2], shape (y, x, band).

    Parameters
    ----------
    image : ndarray, shape (y, x, band)
    pixel_area : float
        [kpc^2]
    redshift : float
    bands : tuple of str
    """
    return image * (pixel_area * maggies_per_lsun(redshift, bands))


def from_maggies(flux: np.ndarray, pixel_area: float, redshift: float = REDSHIFT, bands=UGRIZ) -> np.ndarray:
    """Inverse of `to_maggies`."""
    return flux / (pixel_area * maggies_per_lsun(redshift, bands))


def surface_magnitude(image: np.ndarray, redshift: float = REDSHIFT, bands=UGRIZ) -> np.ndarray:
    """Observed surface brightness [AB mag/arcsec^2] of an image [Lsun/kpc^2]; infinite where it is dark.

    Dimmed by (1 + z)^4, as luminosity and angular distance imply.
    """
    with np.errstate(divide="ignore"):
        return -2.5 * np.log10(to_maggies(image, kpc_per_arcsec(redshift) ** 2, redshift, bands))
