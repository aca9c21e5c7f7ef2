"""Images of galaxies: where they come from, and what a telescope makes of them.

Three sources offer the same interface, `ImageSource`: `dmlib.observe.images.light.ParticleLight`, which needs only the
snapshot; `dmlib.observe.images.published.PublishedSkirt`, the radiative transfer of the data release; and
`dmlib.observe.skirt.source.OwnSkirt`, your own runs of SKIRT. What follows does not depend on the source.

The SDSS bands are a table, `BANDS`, with conversions between magnitude, luminosity and flux. A band is added by a row;
sources of images take the names of the bands that they draw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from astropy import units as u

from ...galaxy import ComponentName, Galaxy
from ...units import cosmology
from ..sky import SkyGrid, View


class ImageSource(Protocol):
    """A way to make images of galaxies."""

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands in the order of the image's last axis, blue to red."""
        ...

    @property
    def unit(self) -> str:
        """Unit of the pixel values: ``Lsun/kpc2``, ``maggies/pixel`` or ``counts/s/pixel``.

        The first is a surface brightness in solar luminosities of the band, the others are fluxes per pixel of the
        grid.
        """
        ...

    @property
    def fields(self) -> Mapping[ComponentName, Sequence[str]]:
        """TNG fields that the source reads, by component: the argument ``extra`` of `dmlib.galaxy.load_galaxy`.

        Empty for a source that uses no particles.
        """
        ...

    def image(self, galaxy: Galaxy, view: View, grid: SkyGrid) -> np.ndarray:
        """Image of one galaxy along one line of sight.

        Parameters
        ----------
        galaxy : Galaxy
            Centred, loaded with `fields`, in the axes of the box.
        view : View
        grid : SkyGrid
            Pixels of the image.

        Returns
        -------
        ndarray, shape (y, x, band)
            In `unit`, rows upwards (North), columns to the right (West).

        Raises
        ------
        GalaxyError
            When this galaxy has no image along this line of sight, or its data are damaged.
        """
        ...


def draw(source: ImageSource, galaxy: Galaxy, views: Sequence[View], grid: SkyGrid) -> Iterator[np.ndarray]:
    """Images of one galaxy along several lines of sight, in order; see `ImageSource.image`.

    A source that has a method ``images`` of the same arguments draws all of them at once.
    """
    together = getattr(source, "images", None)
    if together is not None:
        yield from together(galaxy, views, grid)
    else:
        for view in views:
            yield source.image(galaxy, view, grid)


@dataclass(frozen=True)
class Band:
    """A broad band.

    Parameters
    ----------
    wavelength : float
        Pivot wavelength [nm], as in SKIRT's band list.
    m_sun : float
        Absolute AB magnitude of the Sun (Willmer 2018, table 3; uncertain by 0.04 mag).
    column : int
        Of GFM_StellarPhotometrics, whose columns are U B V K (Buser filters, Vega) and g r i z (SDSS, AB).
    to_ab : float
        Added to that column for an AB magnitude of the band.
    width : float
        Width of the box that stands for the band in self-contained SKIRT runs [nm], see `dmlib.observe.skirt.tables`.
    softening : float
        Softening b of the SDSS magnitudes [maggies] (Stoughton et al. 2002, table 21).
    sensitivity : float
        Design sensitivity of the SDSS camera (Fukugita et al. 1996).
    """

    wavelength: float
    m_sun: float
    column: int
    to_ab: float
    width: float
    softening: float
    sensitivity: float


#: The bands by name, blue to red. TNG's U becomes u by adding 0.79, the value used by the authors of the TNG data
#: release; the filter of SDSS u is bluer by some 10 nm, and the tests measure the effect.
BANDS = {
    "u": Band(355.65, 6.39, column=0, to_ab=0.79, width=59.9, softening=1.4e-10, sensitivity=0.0171),
    "g": Band(470.24, 5.11, column=4, to_ab=0.0, width=137.9, softening=0.9e-10, sensitivity=0.0893),
    "r": Band(617.55, 4.65, column=5, to_ab=0.0, width=124.0, softening=1.2e-10, sensitivity=0.0886),
    "i": Band(748.99, 4.53, column=6, to_ab=0.0, width=120.0, softening=1.8e-10, sensitivity=0.0591),
    "z": Band(894.67, 4.50, column=7, to_ab=0.0, width=137.0, softening=7.4e-10, sensitivity=0.0099),
}

#: Names of the bands, in the order of an image's last axis.
UGRIZ = tuple(BANDS)

#: Redshift at which the published SKIRT images of snapshot 99 are drawn (their card USE_Z).
REDSHIFT = 0.0485236


def per_band(quantity: str, bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
    """A quantity of `Band` in the order of `bands`, for example ``per_band("wavelength")``, shape (band,)."""
    return np.array([getattr(BANDS[band], quantity) for band in bands])


def ab_magnitudes(photometrics: np.ndarray, bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
    """Absolute AB magnitudes from TNG's eight bands.

    Parameters
    ----------
    photometrics : ndarray, shape (n, 8)
        GFM_StellarPhotometrics: U B V K g r i z.
    bands : tuple of str

    Returns
    -------
    ndarray, shape (n, band)
    """
    columns = [BANDS[band].column for band in bands]
    return np.asarray(photometrics, dtype=float)[:, columns] + per_band("to_ab", bands)


def luminosity(magnitudes: np.ndarray, bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
    """Luminosity in solar luminosities of each band from absolute AB magnitudes, shape (..., band)."""
    return 10.0 ** (-0.4 * (np.asarray(magnitudes, dtype=float) - per_band("m_sun", bands)))


def absolute_magnitude(luminosities: np.ndarray, bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
    """Absolute AB magnitude of luminosities [Lsun of the band], shape (..., band); infinite where there is no light."""
    with np.errstate(divide="ignore"):
        return per_band("m_sun", bands) - 2.5 * np.log10(luminosities)


def maggies_per_lsun(bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
    """Flux of one solar luminosity at `REDSHIFT`, shape (band,) [maggies, the flux of AB magnitude 0].

    The band is taken in the rest frame: there is no K-correction, whose size at z = 0.05 is 0.05 to 0.2 mag.
    """
    modulus = cosmology().distmod(REDSHIFT).to_value(u.mag)
    return 10.0 ** (-0.4 * (per_band("m_sun", bands) + modulus))


def kpc_per_arcsec() -> float:
    """Proper kpc that one arcsecond spans at `REDSHIFT`."""
    return float(cosmology().kpc_proper_per_arcmin(REDSHIFT).to_value(u.kpc / u.arcmin)) / 60.0


def to_maggies(image: np.ndarray, pixel_area: float, bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
    """Flux per pixel at `REDSHIFT` [maggies] of a surface brightness [Lsun/kpc^2], shape (y, x, band).

    Parameters
    ----------
    image : ndarray, shape (y, x, band)
    pixel_area : float
        [kpc^2]
    bands : tuple of str
    """
    return image * (pixel_area * maggies_per_lsun(bands))


def from_maggies(flux: np.ndarray, pixel_area: float, bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
    """Inverse of `to_maggies`."""
    return flux / (pixel_area * maggies_per_lsun(bands))


def surface_magnitude(image: np.ndarray, bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
    """Surface brightness observed at `REDSHIFT` [AB mag/arcsec^2] of an image [Lsun/kpc^2]; infinite where it is dark.

    Dimmed by (1 + z)^4, as luminosity and angular distance imply.
    """
    with np.errstate(divide="ignore"):
        return -2.5 * np.log10(to_maggies(image, kpc_per_arcsec() ** 2, bands))


def ring_brightness(
    images: Mapping[str, np.ndarray], grid: SkyGrid, *, bins: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Mean brightness in r in circular rings around the centre, out to the edge of the field.

    Parameters
    ----------
    images : mapping of ndarray, shape (y, x, 5)
        Surface brightness in u g r i z [Lsun/kpc^2].
    grid : SkyGrid
    bins : int
        Number of rings.

    Returns
    -------
    radius : ndarray, shape (bins,)
        Middle of each ring [kpc].
    brightness : dict of ndarray, shape (bins,)
        [AB mag/arcsec^2] at the redshift of the published images; NaN where the mean of a noisy image is not positive.
    """
    edges = np.linspace(0.0, grid.field_of_view / 2, bins + 1)
    ring = np.digitize(np.hypot(*grid.mesh()), edges) - 1
    inside = ring < bins
    counts = np.bincount(ring[inside], minlength=bins)
    brightness = {}
    for name, image in images.items():
        mean = np.bincount(ring[inside], image[..., UGRIZ.index("r")][inside], bins) / np.maximum(counts, 1)
        mean[mean <= 0] = np.nan
        brightness[name] = surface_magnitude(mean[:, None], bands=("r",))[:, 0]
    return 0.5 * (edges[1:] + edges[:-1]), brightness
