r"""Dust in front of the stars, from the neutral gas of the simulation.

The model is that of Nelson et al. (2018, their "Model C"), written for broad bands. For a star behind
the column :math:`N_\mathrm{H}` of neutral hydrogen [cm^-2] whose metallicity is :math:`Z_\mathrm{g}`, the optical
depth for absorption is

.. math::
   \tau^a_\lambda = \left(\frac{A_\lambda}{A_V}\right)_\odot (1+z)^\beta
   \left(\frac{Z_\mathrm{g}}{Z_\odot}\right)^\gamma \frac{N_\mathrm{H}}{2.1\times10^{21}\,\mathrm{cm}^{-2}},

with the extinction curve of Cardelli, Clayton & Mathis (1989) for R_V = 3.1, :math:`\beta = -0.5`, :math:`\gamma = 1.6`
(beyond 200 nm), :math:`z = 0`, :math:`Z_\odot = 0.0127`. Scattering returns part of the light (Calzetti et al. 1994),

.. math::
   \tau_\lambda = \tau^a_\lambda \left[h_\lambda \sqrt{1-\omega_\lambda} + (1-h_\lambda)(1-\omega_\lambda)\right],

with the albedo :math:`\omega_\lambda` and the weight of forward scattering :math:`h_\lambda`. The transmitted share of
the light is :math:`(1-e^{-\tau})/\tau`, as if stars and dust were mixed (``internal``), or :math:`e^{-\tau}`
(``screen``).
Stars younger than 10 Myr are also dimmed by their birth cloud:
:math:`\tau = (\lambda/550\,\mathrm{nm})^{-0.7}` (Charlot & Fall 2000). Where the attenuation
of Nelson et al. acts on spectra, ours acts at the pivot wavelength of each band.

The coefficients were compared with the public code of that paper's first author (dnelson/temet,
``cosmo/stellarPop.py``).

Unlike SKIRT, the model leaves out light scattered into the line of sight from elsewhere, emission of heated dust, and
clumps smaller than a gas cell. The first makes it dim face-on discs by about 0.1 mag too much in g, which
``records/skirt_own_runs.json`` tells apart from the model's other dust.

The column in front of each star is found in one pass: stars and gas cells are sorted along the line of sight, and, from
the observer backwards, a cell adds its kernel to a map of columns and a star reads the map where it stands. A cell thus
acts as a sheet at the depth of its centre.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from astropy import constants
from astropy import units as u
from numba import njit

from ...galaxy import Component, Galaxy
from ...units import Z_SUN, cosmology
from ..hydrogen import HYDROGEN_FIELDS, SPLINE_DISPERSION, SPLINE_FWHM, cell_fwhm, hydrogen
from ..sky import View
from . import UGRIZ, per_band

#: Column of hydrogen that has A_V = 1 times the metallicity term [cm^-2] (Nelson et al. 2018).
N_H0 = 2.1e21
#: Power of the metallicity in the optical depth beyond 200 nm (Nelson et al. 2018).
GAMMA = 1.6
#: Age below which a star is in its birth cloud [Gyr], the cloud's optical depth at 550 nm and its slope.
BIRTH_CLOUD_AGE, BIRTH_CLOUD_DEPTH, BIRTH_CLOUD_SLOPE = 0.01, 1.0, -0.7

_ATOMS = (u.Msun / u.kpc**2 / constants.m_p).to_value(u.cm**-2)


def extinction_curve(wavelength: np.ndarray) -> np.ndarray:
    """A_lambda / A_V of the Milky Way, R_V = 3.1 (Cardelli, Clayton & Mathis 1989, equations 1 to 3b).

    Parameters
    ----------
    wavelength : ndarray
        [nm], 303 to 3300.
    """
    x = 1e3 / np.asarray(wavelength, dtype=float)
    if np.any(x > 3.3) or np.any(x < 0.3):
        raise ValueError("the extinction curve is for wavelengths of 303 to 3300 nm")
    y = x - 1.82
    a = np.polyval([0.32999, -0.77530, 0.01979, 0.72085, -0.02427, -0.50447, 0.17699, 1.0], y)
    b = np.polyval([-2.09002, 5.30260, -0.62251, -5.38434, 1.07233, 2.28305, 1.41338, 0.0], y)
    infrared = x < 1.1
    a = np.where(infrared, 0.574 * x**1.61, a)
    b = np.where(infrared, -0.527 * x**1.61, b)
    return a + b / 3.1


def scattering_factor(wavelength: np.ndarray) -> np.ndarray:
    """Effective over absorbing optical depth with scattering (Calzetti, Kinney & Storchi-Bergmann 1994, model 5).

    Parameters
    ----------
    wavelength : ndarray
        [nm], 100 to 1000.
    """
    wavelength = np.asarray(wavelength, dtype=float)
    y = np.log10(10.0 * wavelength)
    forward = 1.0 - 0.561 * np.exp(-(np.abs(y - 3.3112) ** 2.2) / 0.17)
    albedo = np.where(wavelength <= 346.0, 0.43 + 0.366 * (1.0 - np.exp(-((y - 3.0) ** 2) / 0.2)), -0.48 * y + 2.41)
    return forward * np.sqrt(1.0 - albedo) + (1.0 - forward) * (1.0 - albedo)


def age(scale_factor: np.ndarray) -> np.ndarray:
    """Age today [Gyr] of what was born at a scale factor, flat LCDM without radiation, shape of the input."""
    om = cosmology().Om0
    rate = 1.5 * np.sqrt(1.0 - om) * cosmology().H0.to_value("1/Gyr")
    born = np.arcsinh(np.sqrt((1.0 - om) / om) * np.asarray(scale_factor, dtype=float) ** 1.5)
    return (np.arcsinh(np.sqrt((1.0 - om) / om)) - born) / rate


def columns_in_front(
    stars: np.ndarray, gas: np.ndarray, support: np.ndarray, weights: np.ndarray, pixel_size: float
) -> np.ndarray:
    """Column of gas between each star and the observer.

    Parameters
    ----------
    stars, gas : ndarray, shapes (n, 3) and (m, 3)
        Positions in the observer frame [kpc]; z towards the observer.
    support : ndarray, shape (m,)
        Support radius of each cell's cubic-spline kernel [kpc].
    weights : ndarray, shape (m, k)
        What is summed, per cell.
    pixel_size : float
        Side of the pixels of the map of columns [kpc].

    Returns
    -------
    ndarray, shape (n, k)
        Unit of `weights` per kpc^2, interpolated between pixels.
    """
    out = np.zeros((len(stars), weights.shape[1]))
    if not len(stars) or not len(gas):
        return out
    # The map need not be larger than the stars; gas beyond its edge hides none of them.
    half = min(np.abs(stars[:, :2]).max(), np.abs(gas[:, :2]).max() + support.max()) + 2.0 * pixel_size
    n = 2 * int(np.ceil(half / pixel_size))
    depth = np.concatenate([gas[:, 2], stars[:, 2]])
    order = _falling(depth)
    scaled_gas = gas[:, :2] / pixel_size + n / 2
    scaled_stars = stars[:, :2] / pixel_size + n / 2
    # A cell is a product of two parabolas with the dispersion of the spline, half width over sqrt(5).
    half_width = np.sqrt(5.0) * SPLINE_DISPERSION * support / pixel_size
    _sweep(out, order, scaled_stars, scaled_gas, half_width, np.ascontiguousarray(weights), n)
    return out / pixel_size**2


def _falling(depth: np.ndarray) -> np.ndarray:
    """Order of falling depths, equal ones in the order in which they come: ``argsort(-depth, kind="stable")``.

    Two sorts are faster than that one: of 16-bit steps by radix, and of what is then in order but for its steps.
    """
    height = -depth
    lowest, span = height.min(), np.ptp(height)
    steps = ((height - lowest) * (65535 / span if span > 0 else 0.0)).astype(np.uint16)
    nearly = np.argsort(steps, kind="stable")
    return nearly[np.argsort(height[nearly], kind="stable")]


@njit(cache=True)
def _sweep(out, order, stars, gas, half_width, weights, n):
    n_gas, k_max = weights.shape
    columns = np.zeros((n, n, k_max))
    share_x, share_y = np.empty(n), np.empty(n)
    for index in order:
        if index < n_gas:
            h = max(half_width[index], 0.5)
            x, y = gas[index, 0], gas[index, 1]
            x0, x1 = max(0, int(np.floor(x - h))), min(n - 1, int(np.floor(x + h)))
            y0, y1 = max(0, int(np.floor(y - h))), min(n - 1, int(np.floor(y + h)))
            if x0 > x1 or y0 > y1:
                continue
            _parabola(share_x, x, h, x0, x1)
            _parabola(share_y, y, h, y0, y1)
            for j in range(y0, y1 + 1):
                for i in range(x0, x1 + 1):
                    share = share_y[j - y0] * share_x[i - x0]
                    for k in range(k_max):
                        columns[j, i, k] += share * weights[index, k]
        else:
            star = index - n_gas
            # Bilinear between the centres of pixels.
            x, y = stars[star, 0] - 0.5, stars[star, 1] - 0.5
            i, j = int(np.floor(x)), int(np.floor(y))
            if i < 0 or j < 0 or i >= n - 1 or j >= n - 1:
                continue
            fx, fy = x - i, y - j
            for k in range(k_max):
                low = (1.0 - fx) * columns[j, i, k] + fx * columns[j, i + 1, k]
                high = (1.0 - fx) * columns[j + 1, i, k] + fx * columns[j + 1, i + 1, k]
                out[star, k] = (1.0 - fy) * low + fy * high


@njit(cache=True)
def _parabola(shares, centre, h, first, last):
    """Share of the kernel 3/4h (1 - x^2/h^2) in each of the pixels `first` to `last`; the whole is 1."""
    below = max(-1.0, (first - centre) / h)
    for k in range(first, last + 1):
        above = min(1.0, (k + 1.0 - centre) / h)
        shares[k - first] = 0.75 * (above - below) - 0.25 * (above**3 - below**3)
        below = above


@dataclass(frozen=True)
class Dust:
    """Attenuation of star particles by the neutral gas in front of them.

    Parameters
    ----------
    geometry : {"internal", "screen"}
        Stars and dust mixed, as in Nelson et al. (2018), or all the dust in front.
    birth_clouds : bool
        Whether stars younger than 10 Myr are inside birth clouds.
    pixel_size : float
        Side of the pixels in which columns are summed [kpc]; cells are larger than this nearly everywhere.
    """

    geometry: Literal["internal", "screen"] = "internal"
    birth_clouds: bool = True
    pixel_size: float = 0.5
    _last: list[tuple[Component, tuple[np.ndarray, np.ndarray, np.ndarray]]] = field(
        default_factory=list, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if self.geometry not in ("internal", "screen"):
            raise ValueError(f"geometry is internal or screen, not {self.geometry!r}")

    @property
    def fields(self) -> tuple[str, ...]:
        """TNG fields of the gas that the model reads."""
        return (*HYDROGEN_FIELDS, "GFM_Metallicity")

    def columns(self, galaxy: Galaxy, view: View) -> tuple[np.ndarray, np.ndarray]:
        """Neutral hydrogen in front of each star and its metallicity.

        Returns
        -------
        n_h : ndarray, shape (n,)
            [cm^-2]
        metallicity : ndarray, shape (n,)
            Mass fraction of metals, weighted with the neutral hydrogen; 0 where there is none.

        Raises
        ------
        GalaxyError
            When a gas field holds values that are not finite.
        """
        if len(galaxy.gas) == 0:
            return np.zeros(len(galaxy.stars)), np.zeros(len(galaxy.stars))
        position, support, weights = self._absorbers(galaxy)
        column, metals = columns_in_front(
            view.project(galaxy.stars.position), view.project(position), support, weights, self.pixel_size
        ).T
        return column * _ATOMS, np.divide(metals, column, out=np.zeros_like(metals), where=column > 0)

    def _absorbers(self, galaxy: Galaxy) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Position, support radius and (neutral hydrogen, its metals) of the cells that absorb, in all views."""
        gas = galaxy.gas
        if not self._last or self._last[0][0] is not gas:
            galaxy.require_finite("gas", ("Coordinates", *self.fields))
            neutral = hydrogen(gas.fields).m_neutral
            # Skip the hot halo: most of the cells, each over many pixels, but a thousandth of the neutral gas.
            falling = np.sort(neutral)[::-1]
            least = falling[np.searchsorted(np.cumsum(falling), 0.999 * falling.sum())] if neutral.any() else np.inf
            seen = neutral >= least
            weights = np.stack([neutral, neutral * gas.extra["GFM_Metallicity"]], axis=1)[seen]
            support = cell_fwhm(gas.mass[seen], gas.extra["Density"][seen]) / SPLINE_FWHM
            self._last[:] = [(gas, (gas.position[seen], support, weights))]
        return self._last[0][1]

    def optical_depth(self, n_h: np.ndarray, metallicity: np.ndarray, bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
        """Optical depth of the resolved dust, scattering included, shape (n, band).

        Parameters
        ----------
        n_h : ndarray, shape (n,)
            Column of neutral hydrogen [cm^-2].
        metallicity : ndarray, shape (n,)
            Mass fraction of metals.
        """
        wavelength = per_band("wavelength", bands)
        curve = extinction_curve(wavelength) * scattering_factor(wavelength)
        metals = (np.asarray(metallicity) / Z_SUN) ** GAMMA
        return (metals * np.asarray(n_h) / N_H0)[:, None] * curve

    def transmission(self, galaxy: Galaxy, view: View, bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
        """Share of each star's light that reaches the observer, shape (n, band).

        Raises
        ------
        GalaxyError
            When a gas field is damaged.
        """
        depth = self.optical_depth(*self.columns(galaxy, view), bands)
        if self.geometry == "screen":
            share = np.exp(-depth)
        else:
            # expm1 keeps the limit 1 at no depth.
            share = np.divide(-np.expm1(-depth), depth, out=np.ones_like(depth), where=depth > 0)
        if self.birth_clouds:
            young = age(galaxy.stars.extra["GFM_StellarFormationTime"]) < BIRTH_CLOUD_AGE
            cloud = BIRTH_CLOUD_DEPTH * (per_band("wavelength", bands) / 550.0) ** BIRTH_CLOUD_SLOPE
            share[young] *= np.exp(-cloud)
        return share
