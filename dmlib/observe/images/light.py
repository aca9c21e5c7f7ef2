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
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numba import njit

from ...errors import GalaxyError
from ...galaxy import ComponentName, Galaxy, load_galaxy
from ...units import PART_TYPE
from ...universe.base import Universe
from ..grid import SkyGrid
from ..hydrogen import SPLINE_DISPERSION
from ..views import Mode, View, lines_of_sight, tabulate
from . import UGRIZ, ab_magnitudes, absolute_magnitude, luminosity, maggies_per_lsun
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
        if len(galaxy.stars):
            across = np.abs(view.project(galaxy.stars.position)[:, :2]).max(axis=1)
            outside = across - galaxy.stars.extra["StellarHsml"] > 0.5 * grid.pixels * grid.pixel_size
            galaxy = replace(galaxy, stars=galaxy.stars.where(~outside))  # keeps damaged stars, which must be named
        light = self.luminosities(galaxy, view)
        x, y, _ = view.project(galaxy.stars.position).T
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


#: p0, p1, q0, q1, q2 of T(M) = p0 + p1 (M + 20) + q0 tanh((M - q1) / q2): mean and dispersion of u - r.
_SEQUENCES = {
    "red": ((2.279, -0.037, -0.108, -19.81, 0.96), (0.152, 0.008, 0.044, -19.91, 0.94)),
    "blue": ((1.790, -0.053, -0.363, -20.75, 1.12), (0.298, 0.014, -0.067, -19.90, 0.58)),
}


def sequence(name: str, m_r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and dispersion of the observed colour u - r [mag].

    Parameters
    ----------
    name : {"red", "blue"}
    m_r : ndarray
        Absolute magnitude in r, between -23.5 and -15.5.
    """
    m_r = np.asarray(m_r, dtype=float)
    mean, dispersion = (p0 + p1 * (m_r + 20) + q0 * np.tanh((m_r - q1) / q2) for p0, p1, q0, q1, q2 in _SEQUENCES[name])
    return mean, dispersion


def divider(m_r: np.ndarray) -> np.ndarray:
    """Colour u - r that best separates the two sequences (Baldry et al. 2004, equation 11)."""
    return 2.06 - 0.244 * np.tanh((np.asarray(m_r, dtype=float) + 20.07) / 1.09)


def quiescent(universe: Universe, m_star: tuple[float, float] = (1e10, 1e12), sfr: float = 0.1) -> np.ndarray:
    """Ids of the subhaloes in a range of stellar mass that form fewer stars than those of the sample, shape (n,).

    Parameters
    ----------
    universe : Universe
    m_star : tuple of float
        Limits of the stellar mass [Msun], both included.
    sfr : float
        Upper limit of the star-formation rate [Msun/yr].
    """
    rows = universe.subhalos(["SubhaloMassType", "SubhaloSFR", "SubhaloFlag"])
    mass = rows["SubhaloMassType"][:, PART_TYPE["stars"]].to_value(u.Msun)
    quiet = rows["SubhaloSFR"].to_value(u.Msun / u.yr) < sfr
    keep = (mass >= m_star[0]) & (mass <= m_star[1]) & quiet & np.asarray(rows["SubhaloFlag"], dtype=bool)
    return np.asarray(rows["subhalo_id"])[keep]


def catalogue_magnitudes(universe: Universe, subhalo_ids: np.ndarray) -> np.ndarray:
    """Absolute magnitudes u g r i z without dust from the catalogue, shape (n, 5).

    Raises
    ------
    UniverseError
        When the catalogue lacks SubhaloStellarPhotometrics.
    """
    eight = universe.subhalos(["SubhaloStellarPhotometrics"], np.asarray(subhalo_ids))["SubhaloStellarPhotometrics"]
    return ab_magnitudes(u.Quantity(eight).value)


def dusty_magnitudes(
    universe: Universe, subhalo_ids: Sequence[int], light: ParticleLight, *, seed: int, mode: Mode = "random"
) -> tuple[QTable, dict[int, str]]:
    """Magnitudes of whole galaxies with and without dust, seen along one line of sight each.

    Parameters
    ----------
    universe : Universe
    subhalo_ids : sequence of int
    light : ParticleLight
        With dust.
    seed : int
    mode : {"random", "face-on", "edge-on"} or sequence
        Which line of sight, the first of `dmlib.observe.views.lines_of_sight`.

    Returns
    -------
    QTable
        ``subhalo_id``, ``inclination`` [deg], ``bare`` and ``dusty`` (absolute AB magnitudes in the bands of
        `light`, shape (n, band)).
    set_aside : dict
        Reason by subhalo id, for galaxies that have no light or no axis.
    """

    def measure(subhalo_id: int) -> tuple:
        galaxy = load_galaxy(universe, subhalo_id, ("stars", "gas"), extra=light.fields)
        (view,) = lines_of_sight(subhalo_id, galaxy.spin_axis(), 1, seed=seed, mode=mode)
        bare = absolute_magnitude(star_luminosities(galaxy, light.bands).sum(axis=0), light.bands)
        dusty = absolute_magnitude(light.luminosities(galaxy, view).sum(axis=0), light.bands)
        return view.inclination, bare, dusty

    return tabulate(measure, subhalo_ids, {"inclination": "deg", "bare": None, "dusty": None}, label="dust")
