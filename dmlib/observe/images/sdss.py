"""Images as taken by the SDSS (pixels, point-spread function, sky), and asinh magnitudes as network input.

The ideal image is drawn at the redshift of the published SKIRT images in pixels of 0.396 arcsec and blurred; noise of
the sky, the photons and the readout is added; the background is subtracted as in a pipeline; and the image is brought
to the common grid. For foreground stars and neighbours as well, real fields must be added (RealSim, Bottrell et al.
2019).

Sources of the numbers, and our choices:

- seeing: median full width 1.32 arcsec in r (Ross et al. 2011), in other bands by the wavelength to the power -0.3
  (Xin et al. 2018); the profile is a Gaussian, without the faint wings of the true one;
- sky noise: the softening b of the survey's magnitudes is its typical noise in the aperture of a point source for a
  seeing of 1 arcsec (Stoughton et al. 2002, table 21); for a Gaussian such an aperture is 2.27 arcsec^2;
- electrons: 1.96e11 Q t 10^(-0.4 m) for a source of AB magnitude m, with t = 53.9 s and the design sensitivities Q of
  the camera (Fukugita et al. 1996). With the median sky of 20.86 mag/arcsec^2 this gives, in r, the sky
  noise above to 15%.

**Network input.** Starlight spans five powers of ten from a galaxy's centre to its edge. A logarithm would compress
them but is undefined for a dark or, after sky subtraction, negative pixel; the inverse hyperbolic sine (Lupton, Gunn &
Szalay 1999) is a logarithm for bright pixels and linear below a softening b:

    x = asinh(I / 2b) / ln 10,

so that x grows by 1 for a factor of ten in surface brightness I and is 0 in the dark. The softenings are constants,
the same for every galaxy and measured on no sample: nothing is learned from the test set, and the amplitudes, which
depend on the galaxy's mass, are kept.

For particle light b is the SDSS's sky noise averaged over (2 kpc)^2 at z = 0.0485, the pixel of profile ``quick``:
below the noise of the survey the scale is linear. The published images have no zero point; for them b is 0.1
counts/s/kpc^2 in all bands, our choice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from astropy.stats import sigma_clipped_stats
from scipy.ndimage import gaussian_filter

from ...galaxy import ComponentName, Galaxy
from ..sky import SkyGrid, View, resample
from . import BANDS, UGRIZ, from_maggies, kpc_per_arcsec, maggies_per_lsun, per_band, to_maggies
from .light import ParticleLight

PIXEL = 0.396  # arcsec
SEEING_R = 1.32  # arcsec, full width at half maximum

#: Effective area of the aperture of a point source with a Gaussian profile of 1 arcsec full width [arcsec^2].
PSF_AREA = 4.0 * np.pi / (8.0 * np.log(2.0))

EXPOSURE = 53.907456  # s
#: Mixed into the seed to give the sky noise a random stream of its own.
_STREAM = 0x534B5921

#: Side of the patch over which the sky noise is averaged for the softening of the network input [kpc].
PATCH = 2.0


def seeing(bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
    """Full width at half maximum of the point-spread function [arcsec], shape (band,)."""
    return SEEING_R * (per_band("wavelength", bands) / BANDS["r"].wavelength) ** -0.3


def sky_noise(bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
    """Noise of the sky in one SDSS pixel [maggies], shape (band,)."""
    return per_band("softening", bands) * PIXEL / np.sqrt(PSF_AREA)


def patch_noise(side: float, bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
    """Noise of the sky in the mean brightness of a square patch at `REDSHIFT` [Lsun/kpc^2], shape (band,).

    Parameters
    ----------
    side : float
        Of the patch [kpc].
    bands : tuple of str
    """
    pixel = PIXEL * kpc_per_arcsec()
    return from_maggies(sky_noise(bands), pixel**2, bands) * (pixel / side)


def electrons_per_maggie(bands: tuple[str, ...] = UGRIZ) -> np.ndarray:
    """Electrons that a source of AB magnitude 0 leaves in an exposure, shape (band,)."""
    return 1.96e11 * EXPOSURE * per_band("sensitivity", bands)


@dataclass(frozen=True)
class SdssLight:
    """Particle light as the SDSS would observe it; a `dmlib.observe.images.ImageSource`.

    Parameters
    ----------
    light : ParticleLight
        The ideal images; their unit and bands are those of the result.
    seed : int
        Root seed of the noise.
    psf, noise : bool
        Whether to blur, and whether to add noise and subtract the background.
    """

    light: ParticleLight
    seed: int
    psf: bool = True
    noise: bool = True

    @property
    def bands(self) -> tuple[str, ...]:
        """Those of `light`."""
        return self.light.bands

    @property
    def unit(self) -> str:
        """The unit of `light`."""
        return self.light.unit

    @property
    def fields(self) -> dict[ComponentName, tuple[str, ...]]:
        """TNG fields for `dmlib.galaxy.load_galaxy`."""
        return self.light.fields

    def sky_grid(self, grid: SkyGrid) -> SkyGrid:
        """SDSS pixels over the field of `grid`, with a margin for the blur all around."""
        side = PIXEL * kpc_per_arcsec()
        margin = 4.0 * seeing().max() / PIXEL
        pixels = int(np.ceil(grid.field_of_view / side + 2 * margin))
        return SkyGrid(pixels * side, pixels)

    def image(self, galaxy: Galaxy, view: View, grid: SkyGrid) -> np.ndarray:
        """Image of one galaxy, shape (y, x, band) in `unit`; see `dmlib.observe.images.ImageSource.image`."""
        sky = self.sky_grid(grid)
        surface = replace(self.light, unit="Lsun/kpc2").image(galaxy, view, sky)
        flux = to_maggies(surface, sky.pixel_area, self.bands)
        flux = resample(self.observe(flux, galaxy.subhalo_id, view.index), sky.pixel_size, grid)
        return flux if self.unit == "maggies/pixel" else from_maggies(flux, grid.pixel_area, self.bands)

    def observe(self, flux: np.ndarray, subhalo_id: int, view: int) -> np.ndarray:
        """Observe an ideal image.

        Parameters
        ----------
        flux : ndarray, shape (y, x, band)
            Maggies per SDSS pixel.
        subhalo_id, view : int
            The noise depends on these and on the seed alone.

        Returns
        -------
        ndarray, shape (y, x, band)
            Maggies per SDSS pixel, background subtracted; negative values are noise.
        """
        out = np.array(flux, dtype=float)
        if self.psf:
            sigma = seeing(self.bands) / PIXEL / np.sqrt(8.0 * np.log(2.0))
            for k in range(out.shape[-1]):
                out[..., k] = gaussian_filter(out[..., k], sigma[k], mode="constant", truncate=5.0)
        if self.noise:
            rng = np.random.default_rng([self.seed, _STREAM, int(subhalo_id), int(view)])
            # Sky and source are bright enough for Poisson noise to be Gaussian, of their common variance.
            variance = sky_noise(self.bands) ** 2 + out / electrons_per_maggie(self.bands)
            out += np.sqrt(variance) * rng.standard_normal(out.shape)
            out -= background(out)
        return out


def background(image: np.ndarray) -> np.ndarray:
    """Level of the sky: the median, clipped at 3 robust standard deviations, of a frame along the edge of the image.

    The frame lies beyond 0.85 of half the side along either axis. The outskirts of a large galaxy lie in it too, and
    are subtracted with the sky, as in the survey itself.

    Parameters
    ----------
    image : ndarray, shape (n, n, band)

    Returns
    -------
    ndarray, shape (band,)
    """
    reach = np.abs(np.linspace(-1.0, 1.0, image.shape[0]))
    frame = image[np.maximum.outer(reach, reach) > 0.85]

    def spread(values: np.ndarray, axis: int) -> np.ndarray:
        return 1.4826 * np.nanmedian(np.abs(values - np.nanmedian(values, axis=axis, keepdims=True)), axis=axis)

    return np.asarray(sigma_clipped_stats(frame, sigma=3.0, maxiters=5, stdfunc=spread, axis=0)[1])


def softening(unit: str, bands: tuple[str, ...], grid: SkyGrid) -> np.ndarray:
    """The softening b in the unit of an image, shape (band,).

    Parameters
    ----------
    unit : {"Lsun/kpc2", "maggies/pixel", "counts/s/pixel"}
        As `dmlib.observe.images.ImageSource.unit`.
    bands : tuple of str
    grid : SkyGrid
        The image's pixels, for units that are per pixel.

    Raises
    ------
    ValueError
        For another unit.
    """
    if unit == "counts/s/pixel":
        return np.full(len(bands), 0.1 * grid.pixel_area)
    if unit == "Lsun/kpc2":
        return patch_noise(PATCH, bands)
    if unit == "maggies/pixel":
        return patch_noise(PATCH, bands) * maggies_per_lsun(bands) * grid.pixel_area
    raise ValueError(f"there is no softening for images in {unit!r}")


def normalise(image: np.ndarray, unit: str, bands: tuple[str, ...], grid: SkyGrid) -> np.ndarray:
    """Asinh magnitudes of an image, in powers of ten.

    Parameters
    ----------
    image : ndarray, shape (..., band)
    unit, bands, grid
        See `softening`.

    Returns
    -------
    ndarray of float32, shape (..., band)
        0 in the dark, about 5 in the centre of a bright galaxy; independent of the pixel's size where the light is
        smooth.
    """
    return (np.arcsinh(np.asarray(image) / (2.0 * softening(unit, bands, grid))) / np.log(10.0)).astype(np.float32)
