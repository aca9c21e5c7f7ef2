"""Starlight straight from the particles.

Each star particle is a stellar population whose absolute magnitudes stand in the snapshot (GFM_StellarPhotometrics: U
B V K of Buser filters as Vega magnitudes, g r i z of the SDSS as AB magnitudes; Bruzual & Charlot 2003 in TNG, rest
frame, no dust). Its light is spread over a kernel of the size of its surroundings (StellarHsml, the distance that
holds the 32 nearest stars; the images of Rodriguez-Gomez et al. 2019 smooth by the same number of neighbours) and
summed along the line of sight.

How the kernels are laid on the pixels is told in `dmlib.observe.images.project`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...errors import GalaxyError
from ...galaxy import Galaxy
from ..grid import SkyGrid
from ..views import View
from .bands import REDSHIFT, U_VEGA_TO_AB, UGRIZ, luminosity, maggies_per_lsun
from .dust import Dust
from .project import project

#: Columns of GFM_StellarPhotometrics for u (from U), g, r, i, z.
_COLUMNS = (0, 4, 5, 6, 7)

STAR_FIELDS = ("GFM_StellarPhotometrics", "StellarHsml", "GFM_StellarFormationTime")


def ugriz_magnitudes(photometrics: np.ndarray) -> np.ndarray:
    """Absolute AB magnitudes u g r i z from TNG's eight bands.

    Parameters
    ----------
    photometrics : ndarray, shape (n, 8)
        GFM_StellarPhotometrics: U B V K g r i z.

    Returns
    -------
    ndarray, shape (n, 5)
        u is U + 0.79 (see `dmlib.observe.images.bands.U_VEGA_TO_AB`).
    """
    magnitudes = np.asarray(photometrics, dtype=float)[:, _COLUMNS]
    magnitudes[:, 0] += U_VEGA_TO_AB
    return magnitudes


def star_luminosities(galaxy: Galaxy) -> np.ndarray:
    """Luminosity of each star particle without dust [Lsun of the band], shape (n, 5).

    Raises
    ------
    GalaxyError
        When the galaxy has no stars, or a field holds values that are not finite.
    """
    stars = galaxy.stars
    if len(stars) == 0:
        raise GalaxyError(f"{galaxy.name} has no stars, so there is no light to draw")
    for name in ("Coordinates", *STAR_FIELDS):
        values = stars.position if name == "Coordinates" else stars.extra[name]
        bad = int(np.count_nonzero(~np.isfinite(values)))
        if bad:
            raise GalaxyError(
                f"{galaxy.name}: star field {name} holds {bad} values that are not finite; the file is damaged"
            )
    return luminosity(ugriz_magnitudes(stars.extra["GFM_StellarPhotometrics"]))


@dataclass(frozen=True)
class ParticleLight:
    """Images from the star particles; an `dmlib.observe.images.base.ImageSource`.

    Parameters
    ----------
    dust : Dust or None
        What the gas in front takes; None leaves the light as it is emitted.
    unit : {"Lsun/kpc2", "maggies/pixel"}
        Surface brightness in solar luminosities of the band, or flux as at `redshift`.
    redshift : float
        For ``maggies/pixel``; default that of the published SKIRT images.
    """

    dust: Dust | None = field(default_factory=Dust)
    unit: str = "Lsun/kpc2"
    redshift: float = REDSHIFT
    bands: tuple[str, ...] = field(default=UGRIZ, init=False)

    def __post_init__(self) -> None:
        if self.unit not in ("Lsun/kpc2", "maggies/pixel"):
            raise ValueError(f"particle light is in Lsun/kpc2 or maggies/pixel, not in {self.unit!r}")

    @property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """TNG fields for `dmlib.galaxy.load_galaxy`."""
        return {"stars": STAR_FIELDS} | ({"gas": self.dust.fields} if self.dust else {})

    def luminosities(self, galaxy: Galaxy, view: View) -> np.ndarray:
        """Light of each star particle that leaves towards the observer [Lsun of the band], shape (n, 5).

        Raises
        ------
        GalaxyError
            When the galaxy has no stars, or a field is damaged.
        """
        light = star_luminosities(galaxy)
        return light * self.dust.transmission(galaxy, view) if self.dust else light

    def image(self, galaxy: Galaxy, view: View, grid: SkyGrid) -> np.ndarray:
        """Image of one galaxy, shape (y, x, 5) in `unit`; see `dmlib.observe.images.base.ImageSource.image`."""
        light = self.luminosities(galaxy, view)
        x, y, _ = view.project(galaxy.stars.position).T
        image = project(x, y, galaxy.stars.extra["StellarHsml"], light, grid)
        if self.unit == "maggies/pixel":
            return image * maggies_per_lsun(self.redshift)
        return image / grid.pixel_area
