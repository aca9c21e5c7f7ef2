"""Starlight from the particles.

Each star particle is a stellar population whose absolute magnitudes are stored in the snapshot
(GFM_StellarPhotometrics: U B V K of Buser filters as Vega magnitudes, g r i z of the SDSS as AB magnitudes; Bruzual &
Charlot 2003 in TNG, rest frame, no dust). Its light is spread over a kernel of the size of its surroundings
(StellarHsml, the distance that holds the 32 nearest stars; the images of Rodriguez-Gomez et al. 2019 smooth by the same
number of neighbours) and summed along the line of sight.

The kernel is a Gaussian with the dispersion of the cubic spline of the same support, truncated at that support. A
Gaussian is a product of two functions of one coordinate, so its share of each pixel is known in closed form by error
functions, however small the kernel is compared with the pixel. The shares are normalised to the truncated kernel: the
flux of every particle is conserved to rounding inside the field, and of a particle that reaches over the edge exactly
the part inside is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numba import njit

from ...errors import GalaxyError
from ...galaxy import ComponentName, Galaxy
from ..hydrogen import SPLINE_DISPERSION
from ..sky import SkyGrid, View
from . import UGRIZ, ab_magnitudes, luminosity, maggies_per_lsun
from .dust import Dust

STAR_FIELDS = ("GFM_StellarPhotometrics", "StellarHsml", "GFM_StellarFormationTime")


def star_luminosities(galaxy: Galaxy, bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
    """Luminosity of each star particle without dust [Lsun of the band], shape (n, band).

    Raises
    ------
    GalaxyError
        When the galaxy has no stars, or a field holds values that are not finite.
    """
    if len(galaxy.stars) == 0:
        raise GalaxyError(f"{galaxy.name} has no stars, so there is no light to draw")
    galaxy.require_finite("stars", ("Coordinates", *STAR_FIELDS))
    return luminosity(ab_magnitudes(galaxy.stars.extra["GFM_StellarPhotometrics"], bands), bands)


@dataclass(frozen=True)
class ParticleLight:
    """Images from the star particles; a `dmlib.observe.images.ImageSource`.

    Parameters
    ----------
    dust : Dust or None
        Attenuation by the gas in front; None for the light as it is emitted.
    unit : {"Lsun/kpc2", "maggies/pixel"}
        Surface brightness in solar luminosities of the band, or flux at the redshift of the published SKIRT images.
    bands : tuple of str
        Names in `dmlib.observe.images.BANDS`.
    """

    dust: Dust | None = field(default_factory=Dust)
    unit: str = "Lsun/kpc2"
    bands: tuple[str, ...] = UGRIZ

    def __post_init__(self) -> None:
        if self.unit not in ("Lsun/kpc2", "maggies/pixel"):
            raise ValueError(f"particle light is in Lsun/kpc2 or maggies/pixel, not in {self.unit!r}")

    @property
    def fields(self) -> dict[ComponentName, tuple[str, ...]]:
        """TNG fields for `dmlib.galaxy.load_galaxy`."""
        return {"stars": STAR_FIELDS, "gas": self.dust.fields} if self.dust else {"stars": STAR_FIELDS}

    def luminosities(self, galaxy: Galaxy, view: View) -> np.ndarray:
        """Light of each star particle that reaches the observer [Lsun of the band], shape (n, band).

        Raises
        ------
        GalaxyError
            When the galaxy has no stars, or a field is damaged.
        """
        light = star_luminosities(galaxy, self.bands)
        return light * self.dust.transmission(galaxy, view, self.bands) if self.dust else light

    def image(self, galaxy: Galaxy, view: View, grid: SkyGrid) -> np.ndarray:
        """Image of one galaxy, shape (y, x, band) in `unit`; see `dmlib.observe.images.ImageSource.image`."""
        # Stars beyond the field, of a group most of them, would need dust over its whole extent.
        place = view.project(galaxy.stars.position)[:, :2]
        if len(place):
            across = np.maximum(np.abs(place[:, 0]), np.abs(place[:, 1]))
            outside = across - galaxy.stars.extra["StellarHsml"] > 0.5 * grid.pixels * grid.pixel_size
            galaxy = replace(galaxy, stars=galaxy.stars.where(~outside))  # keeps damaged stars, which must be named
            place = place[~outside]
        light = self.luminosities(galaxy, view)
        x, y = place.T
        image = project(x, y, galaxy.stars.extra["StellarHsml"], light, grid)
        if self.unit == "maggies/pixel":
            return image * maggies_per_lsun(self.bands)
        return image / grid.pixel_area


def project(x: np.ndarray, y: np.ndarray, size: np.ndarray, weights: np.ndarray, grid: SkyGrid) -> np.ndarray:
    """Sum of smoothed particles in each pixel.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Position on the sky [kpc].
    size : ndarray, shape (n,)
        Support radius of each kernel [kpc]; zero is a point.
    weights : ndarray, shape (n, k)
        What is summed, for example luminosities.
    grid : SkyGrid

    Returns
    -------
    ndarray, shape (grid.pixels, grid.pixels, k)
        In the unit of `weights`, per pixel.
    """
    image = np.zeros((*grid.shape, weights.shape[1]))
    # From the lower edge of the first pixel, in pixels.
    scale, offset = 1.0 / grid.pixel_size, grid.pixels / 2
    columns, rows = np.asarray(x) * scale + offset, np.asarray(y) * scale + offset
    _deposit(image, columns, rows, np.asarray(size, dtype=float) * scale, np.ascontiguousarray(weights, dtype=float))
    return image


@njit(cache=True)
def _shares(shares, centre, support, first, last):
    """Share of a truncated Gaussian in each of the pixels `first` to `last`."""
    if first == last and centre - support >= first and centre + support <= last + 1:
        shares[0] = 1.0
        return
    width = math.sqrt(2.0) * SPLINE_DISPERSION * support
    whole = 2.0 * math.erf(support / width)
    below = math.erf((max(first, centre - support) - centre) / width)
    for k in range(first, last + 1):
        above = math.erf((min(k + 1.0, centre + support) - centre) / width)
        shares[k - first] = (above - below) / whole
        below = above


@njit(cache=True)
def _deposit(image, columns, rows, support, weights):
    n_rows, n_columns, n_bands = image.shape
    share_x, share_y = np.empty(n_columns), np.empty(n_rows)
    for p in range(len(columns)):
        # Below a hundredth of a pixel a kernel is a point, and differences of error functions would lose digits.
        h = max(support[p], 1e-2)
        x, y = columns[p], rows[p]
        x0, x1 = max(0, math.floor(x - h)), min(n_columns - 1, math.floor(x + h))
        y0, y1 = max(0, math.floor(y - h)), min(n_rows - 1, math.floor(y + h))
        if x0 > x1 or y0 > y1:
            continue
        _shares(share_x, x, h, x0, x1)
        _shares(share_y, y, h, y0, y1)
        for j in range(y0, y1 + 1):
            for i in range(x0, x1 + 1):
                share = share_y[j - y0] * share_x[i - x0]
                for k in range(n_bands):
                    image[j, i, k] += share * weights[p, k]
