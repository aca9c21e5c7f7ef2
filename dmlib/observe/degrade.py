"""A real cube observed again with the telescope of a data set.

A network is trained on one telescope. `degrade` shows it a real galaxy in the same way: the same kpc in a pixel and in
a beam, the same channels, noise of the same level, velocities about the systemic one. Resolution and depth can be
reduced but not gained; what the real cube lacks is noted.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage
from scipy.interpolate import make_interp_spline

from ..errors import GalaxyError
from .cube import Beam, HICube, HISettings, Smear, beam_kernel, convolve_separable, white_noise
from .sky import SkyGrid
from .sky_cube import SkyCube

#: Mixed into the seed of the noise that is added.
_STREAM = 0x7265616C


def degrade(
    sky: SkyCube,
    distance: float,
    centre: tuple[float, float],
    v_sys: float,
    grid: SkyGrid,
    settings: HISettings,
    *,
    seed: int,
) -> HICube:
    """Degrade a real cube to the telescope of the data set.

    Parameters
    ----------
    sky : SkyCube
    distance : float
        Of the galaxy [Mpc].
    centre : (float, float)
        West and North of the middle of the map [arcsec].
    v_sys : float
        In the velocities of the cube [km/s].
    grid : SkyGrid
    settings : HISettings
        Of the data set.
    seed : int
        Of the noise that is added where the real cube has less.

    Returns
    -------
    HICube
        With the settings of the data set, `subhalo_id` -1, and in `notes` how it differs from the cubes of the data
        set.

    Raises
    ------
    GalaxyError
        When the beam or the channels of the real cube are wider than those of the data set.
    """
    kpc = distance * 1e3 * np.radians(1.0 / 3600.0)  # per arcsec
    step, moved = sky.channel_width * sky.stretch(v_sys), (sky.velocities - v_sys) * sky.stretch(v_sys)
    notes = []
    for what, width, widest, tolerance, unit in (
        ("beam is", sky.beam.major * kpc, settings.beam_kpc, 1.02, "kpc"),
        ("channels are", step, settings.channel_width, 1.2, "km/s"),
    ):
        if width > tolerance * widest:
            raise GalaxyError(
                f"{sky.name}: its {what} {width:.1f} {unit} wide, and {widest:.1f} {unit} in the data set: too wide "
                "for its network"
            )
    channels = _rebin(sky.data * sky.surface_density / step, moved, settings)
    # Widths add in quadrature: what is missing to the round beam of the data set, along either axis.
    wanted = (settings.beam_kpc / kpc) ** 2
    major, minor = (float(np.sqrt(max(0.0, wanted - axis**2))) for axis in (sky.beam.major, sky.beam.minor))
    extra = Beam(major, minor, sky.beam.position_angle)
    blurred = Smear(extra, sky.data.shape[1:], sky.pixel)(channels)
    ny, nx = sky.data.shape[1:]
    pixels = grid.centres / kpc / sky.pixel
    rows = pixels + centre[1] / sky.pixel + (ny - 1) / 2
    columns = pixels + centre[0] / sky.pixel + (nx - 1) / 2
    # Rounded, for rows at the edge must not fall outside by the last digit of the pixel's size.
    points = np.round(np.stack(np.meshgrid(rows, columns, indexing="ij")), 6)
    data = np.array([ndimage.map_coordinates(channel, points, order=1, cval=0.0) for channel in blurred])
    covered = ndimage.map_coordinates(sky.valid.astype(float), points, order=1, cval=0.0) > 0.5
    share = float(covered.mean())
    if share < 0.999:
        notes.append(f"the cube covers {share:.0%} of the field of view; the rest is taken as empty")
    band = (np.ptp(moved) + step - settings.channel_width) / 2
    seen = np.abs(settings.velocities - moved.mean()) <= band + 1e-3 * step
    if not seen.all():
        notes.append(f"the cube has {seen.sum()} of {settings.n_channels} channels; the rest is taken as empty")
    # Msun/pc^2 per km/s -> Jy/beam
    data = data * settings.channel_width / HICube.of(data, grid, settings, -1, 0).surface_density
    there = data[seen][:, covered]
    noise = float(1.4826 * np.median(np.abs(there[there < 0]))) if np.any(there < 0) else 0.0
    if noise > 1.1 * settings.noise:
        notes.append(f"the cube is {noise / settings.noise:.1f} times as noisy as the data set")
        settings = settings.model_copy(update={"noise": noise})
    added = _noise(data.shape, np.sqrt(max(0.0, settings.noise**2 - noise**2)), grid, settings, seed)
    # Where the real cube has no data there is the full noise of the data set, and no emission.
    blind = ~(seen[:, None, None] & covered)
    full = _noise(data.shape, settings.noise, grid, settings, seed + 1)
    cube = HICube.of(np.where(blind, full, data + added), grid, settings, -1, 0)
    return replace(cube, name=sky.name, notes=tuple(notes))


def _rebin(data: np.ndarray, velocities: np.ndarray, settings: HISettings) -> np.ndarray:
    """A spectrum per km/s, constant within each channel of the cube, averaged over the channels of the data set."""
    step = (velocities[-1] - velocities[0]) / (len(velocities) - 1)
    edges = np.concatenate([velocities - step / 2, [velocities[-1] + step / 2]])
    grown = np.concatenate([np.zeros((1, *data.shape[1:])), np.cumsum(data * step, axis=0)])
    width = settings.channel_width
    wanted = np.concatenate([settings.velocities - width / 2, [settings.velocities[-1] + width / 2]])
    # Beyond the ends the sum is constant, so there is no flux.
    at = make_interp_spline(edges, grown, k=1)(np.clip(wanted, edges[0], edges[-1]))
    return np.diff(at, axis=0) / width


def _noise(shape: tuple[int, ...], level: float, grid: SkyGrid, settings: HISettings, seed: int) -> np.ndarray:
    """Noise as in the data set, correlated by its beam [Jy/beam]."""
    if level <= 0:
        return np.zeros(shape)
    pixel = grid.pixel_size * settings.arcsec_per_kpc
    factor = beam_kernel(settings.beam, pixel)
    pad = len(factor) // 2
    rng = np.random.default_rng([seed, _STREAM])
    white = rng.standard_normal((shape[1] + 2 * pad, shape[2] + 2 * pad, shape[0]))
    scale = white_noise(settings.model_copy(update={"noise": level}), pixel)
    return convolve_separable((white * scale).transpose(2, 0, 1), factor)
