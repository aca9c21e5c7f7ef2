"""HI data cubes: how the galaxy is observed, the cube, and the observation with MARTINI.

MARTINI (Oman 2019, 2024) turns particles into a cube as an interferometer would deliver it. `observe_with_martini`
hands it our particles and is the reference; `dmlib.observe.deposit` makes the same cube faster, and the tests hold the
two equal. **Every number of `HISettings` is our choice**: the paper's distance, channels, beam and noise are unknown.

MARTINI's conventions, and how they are met here: it looks along its x axis, with y East and z North; its first array
axis is right ascension, which falls with the index, so the transpose of a channel is an image with West to the right;
its velocity axis descends, about the Hubble velocity of the distance. A cube here has axes (velocity, y, x),
velocities ascend, and are relative to the systemic velocity. MARTINI also adds the Hubble flow within the galaxy (0.07
km/s per kpc of depth), as it should for the peculiar velocities of a simulation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from astropy import units as u
from martini import DataCube, Martini
from martini.beams import GaussianBeam
from martini.noise import GaussianNoise
from martini.sources import SPHSource
from martini.spectral_models import GaussianSpectrum
from martini.sph_kernels import CubicSplineKernel
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..errors import GalaxyError
from ..units import HUBBLE
from .grid import SkyGrid
from .hydrogen import HIGas
from .views import View

#: Observer frame (right, up, towards the observer) to MARTINI's frame (away, East, North).
TO_MARTINI = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

#: Msun of HI per (Jy km/s Mpc^2), the factor that MARTINI uses.
MSUN_PER_JY_KMS_MPC2 = 2.36e5

#: Surface density of HI [Msun/pc^2] per Jy km/s arcsec^-2; it does not depend on the distance.
SURFACE_DENSITY = MSUN_PER_JY_KMS_MPC2 * u.arcsec.to(u.rad) ** -2 / 1e12

#: HI atoms per cm^2 of 1 Msun/pc^2
ATOMS_PER_CM2 = (u.Msun / u.pc**2 / (1.00784 * u.u)).to_value(u.cm**-2)

_STREAM = 0x6E6F6973  # so that noise shares no random stream with anything else seeded by a galaxy's id
_BEAM_TRUNCATION = 4.0  # FWHM


class HISettings(BaseModel):
    """How the HI is observed; like an interferometric survey of nearby discs, and our choice throughout.

    At 70 Mpc the beam of 15 arcsec is 5.1 kpc wide, 2.5 pixels of the `quick` grid: the resolution of WHISP (van der
    Hulst et al. 2001: 12-30 arcsec at some tens of Mpc) or of MeerKAT's MIGHTEE (Maddox et al. 2021: 12 arcsec at some
    hundred Mpc), not of THINGS (Walter et al. 2008: 0.1-0.5 kpc), which neither the gas cells nor the pixels would
    carry. A noise of 0.3 mJy/beam in 10 km/s is 1.5e19 atoms/cm^2 (0.12 Msun/pc^2) a channel, as in the deeper of these
    surveys: the edge of an HI disc, 1 Msun/pc^2, is seen at several times the noise.

    Parameters
    ----------
    distance : float
        [Mpc]. The galaxy recedes with the Hubble flow; no factors (1 + z) are applied, as in MARTINI.
    beam : float
        Full width at half maximum of the round Gaussian beam [arcsec]; 0 leaves it out (and the noise with it).
    noise : float
        Root mean square of a channel after the beam [Jy/beam]; 0 leaves it out.
    channel_width : float
        [km/s]
    v_max : float
        Channels are centred up to this velocity on either side of the systemic one [km/s]: 101 channels of 10 km/s.
        Gas in the group that moves faster is outside the band, as in any observation.
    line_width : float or "thermal"
        Dispersion of the line of one cell [km/s]. 7 km/s, MARTINI's default, is warm neutral gas at 8000 K less a
        little; ``"thermal"`` is sqrt(k T / m_p), which is too wide in star-forming cells, where the simulation's
        temperature is that of its equation of state.
    scope : {"group", "subhalo"}
        Whose gas, see `dmlib.observe.hydrogen.load_hi_gas`.
    partition : {"leroy08", "blitz06"}
        HI and H2, see `dmlib.observe.hydrogen.PARTITIONS`.
    max_fwhm : float
        Cells are smoothed by no more than this [kpc]. A cell of TNG100-2's mass (1.1e7 Msun) is so wide below 1e-3
        hydrogen atoms per cm^3, where gas is ionised: its trace of HI would be spread over a large part of the map, at
        a cost that grows with the square of its width. The kernel keeps its mass.
    negligible : float
        Share of the HI in the poorest cells that is moved onto the others, see `dmlib.observe.hydrogen.hi_gas`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    distance: float = Field(default=70.0, gt=0)
    beam: float = Field(default=15.0, ge=0)
    noise: float = Field(default=3e-4, ge=0)
    channel_width: float = Field(default=10.0, gt=0)
    v_max: float = Field(default=500.0, gt=0)
    line_width: float | Literal["thermal"] = 7.0
    scope: Literal["group", "subhalo"] = "group"
    partition: Literal["leroy08", "blitz06"] = "leroy08"
    max_fwhm: float = Field(default=8.0, gt=0)
    negligible: float = Field(default=1e-3, ge=0, lt=0.1)

    @model_validator(mode="after")
    def _consistent(self) -> HISettings:
        if self.v_max < self.channel_width:
            raise ValueError(f"v_max {self.v_max:g} km/s is less than a channel of {self.channel_width:g} km/s")
        if self.noise > 0 and self.beam == 0:
            raise ValueError("noise needs a beam: it is given in Jy/beam; set noise=0 as well")
        return self

    def without(self, *parts: Literal["noise", "beam"]) -> HISettings:
        """The same observation without noise, or without beam (and so without noise)."""
        changes = {"noise": 0.0} | ({"beam": 0.0} if "beam" in parts else {})
        return self.model_copy(update=changes)

    @property
    def n_channels(self) -> int:
        """Number of channels: odd, so that one is centred on the systemic velocity."""
        return 2 * int(np.floor(self.v_max / self.channel_width + 1e-9)) + 1

    @property
    def arcsec_per_kpc(self) -> float:
        """Angle of 1 kpc on the sky."""
        return float(np.degrees(1.0 / (1e3 * self.distance)) * 3600.0)

    @property
    def beam_kpc(self) -> float:
        """Width of the beam at the galaxy [kpc]."""
        return self.beam / self.arcsec_per_kpc

    @property
    def v_systemic(self) -> float:
        """Recession velocity of the galaxy [km/s]."""
        return 100.0 * HUBBLE * self.distance

    @property
    def noise_column(self) -> float:
        """Column density of the noise in one channel [atoms/cm^2]; 0 without noise."""
        if not self.noise:
            return 0.0
        return self.noise * self.channel_width * SURFACE_DENSITY / beam_area(self.beam) * ATOMS_PER_CM2

    @property
    def velocities(self) -> np.ndarray:
        """Channel centres relative to the systemic velocity [km/s], ascending, shape (n_channels,)."""
        return (np.arange(self.n_channels) - (self.n_channels - 1) / 2) * self.channel_width


@dataclass(frozen=True)
class HICube:
    """An observed cube.

    Parameters
    ----------
    data : ndarray, shape (n_channels, y, x)
        Surface brightness [Jy/beam], or [Jy/pixel] where there is no beam. Channels ascend in velocity.
    grid : SkyGrid
    settings : HISettings
    subhalo_id, view : int
    """

    data: np.ndarray
    grid: SkyGrid
    settings: HISettings
    subhalo_id: int
    view: int

    @property
    def velocities(self) -> np.ndarray:
        """Channel centres relative to the systemic velocity [km/s]."""
        return self.settings.velocities

    @property
    def pixel_arcsec(self) -> float:
        """Side of a pixel [arcsec]."""
        return self.grid.pixel_size * self.settings.arcsec_per_kpc

    @property
    def area_arcsec2(self) -> float:
        """Solid angle that the unit of `data` refers to, of the beam or of a pixel [arcsec^2]."""
        return beam_area(self.settings.beam) if self.settings.beam else self.pixel_arcsec**2

    @property
    def unit(self) -> str:
        """Unit of `data`."""
        return "Jy/beam" if self.settings.beam else "Jy/pixel"

    @property
    def surface_density(self) -> float:
        """Msun/pc^2 of HI per unit of `data` in one channel."""
        return SURFACE_DENSITY * self.settings.channel_width / self.area_arcsec2


def beam_area(beam: float) -> float:
    """Solid angle of a round Gaussian beam [arcsec^2] from its full width at half maximum [arcsec]."""
    return np.pi * beam**2 / (4.0 * np.log(2.0))


def noise_seed(seed: int, subhalo_id: int, view: int) -> int:
    """Seed of one observation's noise: its own for every view, whatever the order of work."""
    return int(np.random.SeedSequence([seed, _STREAM, subhalo_id, view]).generate_state(1, np.uint64)[0])


@lru_cache(maxsize=8)
def beam_kernel(beam: float, pixel: float) -> np.ndarray:
    """MARTINI's beam on the pixels: a one-dimensional factor g with ``outer(g, g)`` the kernel, of odd length.

    Parameters
    ----------
    beam, pixel : float
        [arcsec]

    Notes
    -----
    MARTINI integrates the Gaussian over pixels through a spline, out to 4 FWHM; the kernel is separable to the accuracy
    of that spline, and its leading singular vector is the factor.
    """
    kernel = _martini_beam(beam)
    kernel.init_kernel(
        DataCube(n_px_x=2, n_px_y=2, n_channels=1, px_size=pixel * u.arcsec, channel_width=1 * u.km / u.s)
    )
    left, singular, _ = np.linalg.svd(kernel.kernel.value)
    factor = np.abs(left[:, 0]) * np.sqrt(singular[0])
    factor.setflags(write=False)
    return factor


def white_noise(settings: HISettings, pixel: float) -> float:
    """Root mean square before the beam [Jy/beam] that is `settings.noise` after it.

    The beam multiplies the noise of independent pixels by sqrt(sum k^2); MARTINI approximates that sum.
    """
    return settings.noise / float(np.sum(beam_kernel(settings.beam, pixel) ** 2))


def observe_with_martini(gas: HIGas, view: View, grid: SkyGrid, settings: HISettings, *, seed: int) -> HICube:
    """Observe a galaxy with MARTINI.

    Parameters
    ----------
    gas : HIGas
    view : View
    grid : SkyGrid
    settings : HISettings
    seed : int
        Root seed of the noise, see `noise_seed`.

    Returns
    -------
    HICube

    Raises
    ------
    GalaxyError
        When no HI lies within the cube.
    """
    rotation = TO_MARTINI @ view.rotation
    source = SPHSource(
        distance=settings.distance * u.Mpc,
        h=HUBBLE,
        T_g=gas.temperature * u.K,
        mHI_g=gas.m_hi * u.Msun,
        xyz_g=gas.positions @ rotation.T * u.kpc,
        vxyz_g=gas.velocities @ rotation.T * u.km / u.s,
        hsm_g=np.minimum(gas.fwhm, settings.max_fwhm) * u.kpc,
        coordinate_axis=1,
    )
    pixel = grid.pixel_size * settings.arcsec_per_kpc
    cube = DataCube(
        n_px_x=grid.pixels,
        n_px_y=grid.pixels,
        n_channels=settings.n_channels,
        px_size=pixel * u.arcsec,
        channel_width=settings.channel_width * u.km / u.s,
        spectral_centre=source.vsys,
    )
    beam = _martini_beam(settings.beam) if settings.beam else None
    noise = None
    if settings.noise:
        sigma = settings.beam / np.sqrt(8.0 * np.log(2.0)) / pixel
        # Undo MARTINI's estimate of what the beam does to the noise, to reach the exact level.
        rms = white_noise(settings, pixel) / (2.19568 * np.sqrt(np.pi) * sigma)
        noise = GaussianNoise(rms=rms * u.Jy / u.beam, seed=noise_seed(seed, gas.subhalo_id, view.index))
    width = settings.line_width
    try:
        martini = Martini(
            source=source,
            datacube=cube,
            beam=beam,
            noise=noise,
            sph_kernel=CubicSplineKernel(),
            spectral_model=GaussianSpectrum(sigma=width if width == "thermal" else width * u.km / u.s),
            quiet=True,
        )
    except RuntimeError as error:
        if "No non-zero mHI" not in str(error):
            raise
        raise nothing_in_cube(gas, grid, settings) from error
    martini.insert_source_in_cube(progressbar=False)
    if noise is not None:
        martini.add_noise()
    if beam is not None:
        martini.convolve_beam()
        data = martini.datacube._array.to_value(u.Jy / u.beam)
    else:
        data = martini.datacube._array.to_value(u.Jy / u.arcsec**2) * pixel**2
    # (right ascension, declination, velocity descending) -> (velocity ascending, y, x)
    return HICube(np.ascontiguousarray(data.T[::-1]), grid, settings, gas.subhalo_id, view.index)


def nothing_in_cube(gas: HIGas, grid: SkyGrid, settings: HISettings) -> GalaxyError:
    """What to say of a galaxy whose HI all lies elsewhere."""
    half = (settings.n_channels * settings.channel_width) / 2
    return GalaxyError(
        f"subhalo {gas.subhalo_id} has no HI within {grid.field_of_view:g} kpc and +-{half:g} km/s of its centre"
    )


def _martini_beam(beam: float) -> GaussianBeam:
    return GaussianBeam(bmaj=beam * u.arcsec, bmin=beam * u.arcsec, truncate=_BEAM_TRUNCATION)
