"""What the SDSS would have seen: its pixels, its point-spread function, its sky.

The ideal image is drawn as at the redshift of the published SKIRT images in pixels of 0.396 arcsec, blurred, given the
noise of sky, of photons and of the readout, freed of its background as a pipeline would do it, and brought to the
common grid. A reader who wants a survey's foreground stars and neighbours as well will cut real fields (RealSim,
Bottrell et al. 2019).

Sources of the numbers, and what is ours:

- seeing: median full width 1.32 arcsec in r (Ross et al. 2011), in other bands by the wavelength to the power -0.3
  (Xin et al. 2018); the profile is taken as a Gaussian, so that the faint wings of the true one are missing;
- sky noise: the softening b of the survey's magnitudes is its typical noise in the aperture of a point source for a
  seeing of 1 arcsec (Stoughton et al. 2002, table 21); for a Gaussian such an aperture is 2.27 arcsec^2;
- electrons: 1.96e11 Q t 10^(-0.4 m) for a source of AB magnitude m, with t = 53.9 s and the design sensitivities Q of
  the camera (Fukugita et al. 1996). With the median sky of 20.86 mag/arcsec^2 this gives, in r, the sky
  noise above to 15%.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from ...galaxy import Galaxy
from ..grid import SkyGrid
from ..views import View
from .bands import REDSHIFT, UGRIZ, WAVELENGTH, from_maggies, kpc_per_arcsec, per_band, to_maggies
from .light import ParticleLight
from .resample import resample

PIXEL = 0.396  # arcsec
SEEING_R = 1.32  # arcsec, full width at half maximum

#: Softening b of the SDSS magnitudes [maggies] (Stoughton et al. 2002, table 21).
SOFTENING = {"u": 1.4e-10, "g": 0.9e-10, "r": 1.2e-10, "i": 1.8e-10, "z": 7.4e-10}

#: Effective area of the aperture of a point source with a Gaussian profile of 1 arcsec full width [arcsec^2].
PSF_AREA = 4.0 * np.pi / (8.0 * np.log(2.0))

EXPOSURE = 53.907456  # s
#: Design sensitivity of the camera (Fukugita et al. 1996).
SENSITIVITY = {"u": 0.0171, "g": 0.0893, "r": 0.0886, "i": 0.0591, "z": 0.0099}

#: Mixed into the seed, so that sky noise shares no random stream with lines of sight and HI noise.
_STREAM = 0x534B5921


def seeing(bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
    """Full width at half maximum of the point-spread function [arcsec], shape (band,)."""
    return SEEING_R * (per_band(WAVELENGTH, bands) / WAVELENGTH["r"]) ** -0.3


def sky_noise(bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
    """Noise of the sky in one SDSS pixel [maggies], shape (band,)."""
    return per_band(SOFTENING, bands) * PIXEL / np.sqrt(PSF_AREA)


def patch_noise(side: float) -> np.ndarray:
    """Noise of the sky in the mean brightness of a square patch at `REDSHIFT` [Lsun/kpc^2], shape (5,) for u g r i z.

    Parameters
    ----------
    side : float
        Of the patch [kpc].
    """
    pixel = PIXEL * kpc_per_arcsec()
    return from_maggies(sky_noise(), pixel**2) * (pixel / side)


def electrons_per_maggie(bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
    """Electrons that a source of AB magnitude 0 leaves in an exposure, shape (band,)."""
    return 1.96e11 * EXPOSURE * per_band(SENSITIVITY, bands)


@dataclass(frozen=True)
class Survey:
    """An SDSS observation of ideal images.

    Parameters
    ----------
    redshift : float
        As at which the galaxy is observed; it sets the kpc of a pixel and the flux.
    psf, noise : bool
        Whether to blur, and whether to add noise and take the background off.
    """

    redshift: float = REDSHIFT
    psf: bool = True
    noise: bool = True

    @property
    def pixel_size(self) -> float:
        """Side of an SDSS pixel at the galaxy [kpc]."""
        return PIXEL * kpc_per_arcsec(self.redshift)

    def sky_grid(self, grid: SkyGrid) -> SkyGrid:
        """The survey's own pixels over the field of `grid`, with a margin of blur all around."""
        margin = 4.0 * seeing().max() / PIXEL
        pixels = int(np.ceil(grid.field_of_view / self.pixel_size + 2 * margin))
        return SkyGrid(pixels * self.pixel_size, pixels)

    def observe(self, flux: np.ndarray, *, seed: int, subhalo_id: int, view: int) -> np.ndarray:
        """Observe an ideal image.

        Parameters
        ----------
        flux : ndarray, shape (y, x, 5)
            Maggies per SDSS pixel, u g r i z.
        seed, subhalo_id, view : int
            The noise depends on these alone.

        Returns
        -------
        ndarray, shape (y, x, 5)
            Maggies per SDSS pixel, background subtracted; negative values are noise.
        """
        out = np.array(flux, dtype=float)
        if self.psf:
            sigma = seeing() / PIXEL / np.sqrt(8.0 * np.log(2.0))
            for k in range(out.shape[-1]):
                out[..., k] = gaussian_filter(out[..., k], sigma[k], mode="constant", truncate=5.0)
        if self.noise:
            rng = np.random.default_rng([seed, _STREAM, int(subhalo_id), int(view)])
            # Sky and source are bright enough for Poisson noise to be Gaussian, of their common variance.
            variance = sky_noise() ** 2 + out / electrons_per_maggie()
            out += np.sqrt(variance) * rng.standard_normal(out.shape)
            out -= background(out)
        return out


def background(image: np.ndarray, *, inner: float = 0.85, clip: float = 3.0) -> np.ndarray:
    """Level of the sky, from the frame of pixels beyond `inner` half sides: its median after clipping what stands out.

    The outskirts of a large galaxy lie in that frame too, and are taken off with the sky, as in the survey itself.

    Parameters
    ----------
    image : ndarray, shape (n, n, band)
    inner : float
        Beginning of the frame in units of half the side, along either axis.
    clip : float
        In robust standard deviations.

    Returns
    -------
    ndarray, shape (band,)
    """
    reach = np.abs(np.linspace(-1.0, 1.0, image.shape[0]))
    frame = image[np.maximum.outer(reach, reach) > inner]
    level = np.empty(image.shape[-1])
    for k in range(image.shape[-1]):
        values = frame[:, k]
        for _ in range(5):
            middle = np.median(values)
            spread = 1.4826 * np.median(np.abs(values - middle))
            kept = values[np.abs(values - middle) <= clip * spread]
            if len(kept) == len(values):
                break
            values = kept
        level[k] = np.median(values)
    return level


@dataclass(frozen=True)
class SurveyLight:
    """Particle light as the SDSS would have seen it; an `dmlib.observe.images.base.ImageSource`.

    Parameters
    ----------
    light : ParticleLight
        What is observed; its unit is that of the result.
    survey : Survey
    seed : int
        Root seed of the noise.
    """

    light: ParticleLight
    survey: Survey
    seed: int

    @property
    def bands(self) -> tuple[str, ...]:
        """u g r i z."""
        return self.light.bands

    @property
    def unit(self) -> str:
        """The unit of `light`."""
        return self.light.unit

    @property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """TNG fields for `dmlib.galaxy.load_galaxy`."""
        return self.light.fields

    def image(self, galaxy: Galaxy, view: View, grid: SkyGrid) -> np.ndarray:
        """Image of one galaxy, shape (y, x, 5) in `unit`; see `dmlib.observe.images.base.ImageSource.image`."""
        sky = self.survey.sky_grid(grid)
        surface = ParticleLight(self.light.dust).image(galaxy, view, sky)
        flux = to_maggies(surface, sky.pixel_area, self.survey.redshift)
        flux = self.survey.observe(flux, seed=self.seed, subhalo_id=galaxy.subhalo_id, view=view.index)
        flux = resample(flux, sky.pixel_size, grid)
        if self.unit == "maggies/pixel":
            return flux
        return from_maggies(flux, grid.pixel_area, self.survey.redshift)
