"""Real HI cubes: their noise, what must be removed from them, and the emission of one galaxy.

The noise is measured about the median, on voxels without emission, and per pixel where it varies over the map, as after
a correction for the primary beam. Baselines and continuum sources are subtracted. A cube that is masked tightly has no
noise left; its emission is what is not masked. A wider mask, of the cube or of the user, says where to look. The
emission of the galaxy is one island of the cube; companions and the foreground of the Milky Way are named and left out.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from scipy import ndimage

from ..errors import GalaxyError
from .cube import ATOMS_PER_CM2, Cube, _negative_noise
from .cube_header import LIGHT
from .moments import find_emission, large_islands, moments

#: Share of blank voxels in the pixels and channels with data, from which on a cube counts as masked.
_MASKED = 0.3

#: Share of negative voxels among those of a masked cube, from which on its mask holds noise too.
_NOISY = 0.05

#: Ratio of the noise at the 95th percentile of the map to that at the 5th, from which on it is taken pixel by pixel.
_UNEVEN = 1.5

#: Baselines below this fraction of the noise stay.
_BASELINE = 0.1

#: A pixel's median above this many standard errors is continuum.
_CONTINUUM = 5.0

#: Ratio of a channel's noise to that of most channels, from which on it is left out.
_LOUD = 4.0

#: Velocities of the Milky Way's disc [km/s], and share of the map's border that its emission fills.
_FOREGROUND, _FILLED = 150.0, 0.3

#: Ratio of a channel's spread to that of most, from which on it may hold foreground in patches, and number of adjacent
#: channels that do: interference is narrower.
_PATCHY, _PATCHY_CHANNELS = 1.5, 4

#: Emission counts as cut off by the edge of the map where it has this fraction of its typical brightness there.
_BRIGHT_EDGE = 0.15


@dataclass(frozen=True, kw_only=True)
class SkyCube(Cube):
    """A real cube; `data` are cleaned of baseline and continuum.

    Parameters
    ----------
    convention : {"radio", "optical", "relativistic"}
        Of the velocities.
    frame : str
        Of the velocities, as in SPECSYS; "" where it is not known.
    additive : bool
        Velocities are those of a simulation, to which no factor (1 + z) was applied.
    wcs : WCS
        Of the two sky axes of `data`.
    noise_map : ndarray, shape (y, x)
        Standard deviation of a voxel without emission [Jy/beam]; 0 where it is not known.
    masked : bool
        Whether only emission is left in the cube.
    given_mask : ndarray of bool, shape (n_channels, y, x), or None
        Where the galaxy is, if the user said so.
    patchy : ndarray of bool, shape (n_channels,), or None
        Channels with patches of foreground all over the map; emission must stand out from their scatter.
    """

    convention: str = "radio"
    frame: str = ""
    additive: bool = False
    wcs: WCS
    noise_map: np.ndarray | None = None
    masked: bool = False
    given_mask: np.ndarray | None = None
    patchy: np.ndarray | None = None

    @cached_property
    def noise(self) -> float:
        """Standard deviation of a voxel without emission, median over the map [Jy/beam]; 0 where it is not known."""
        return 0.0 if self.noise_map is None else float(np.median(self.noise_map[self.valid]))

    def smoothed(self) -> tuple[np.ndarray, float]:
        """Signal-to-noise, smoothed with the beam and over three channels, and its own noise."""
        assert self.noise_map is not None
        smooth = self._smooth(self.data / np.where(self.noise_map > 0, self.noise_map, np.inf))
        noise = _negative_noise(smooth[self.data != 0]) if self.masked else _spread(smooth[:, self.valid])[1]
        for k in [] if self.patchy is None else np.flatnonzero(self.patchy):
            middle, spread = _spread(smooth[k, self.valid])
            smooth[k] = (smooth[k] - middle) * min(1.0, noise / max(spread, noise))
        return smooth, noise

    def place(self, west: float, north: float) -> tuple[float, float]:
        """Right ascension and declination, ICRS [deg], of an offset from the middle of the map [arcsec]."""
        ny, nx = self.data.shape[1:]
        found = self.wcs.pixel_to_world((nx - 1) / 2 + west / self.pixel, (ny - 1) / 2 + north / self.pixel).icrs
        return float(found.ra.deg), float(found.dec.deg)

    def north(self, west: float, north: float) -> float:
        """Position angle, ICRS [deg], of the map's upward direction at an offset from its middle [arcsec]."""
        here, above = (SkyCoord(*self.place(west, north + up), unit="deg") for up in (0.0, self.pixel))
        return float(here.position_angle(above).deg)

    def offset_of(self, place: SkyCoord) -> tuple[float, float]:
        """Offset West and North of the middle of the map [arcsec] of a place on the sky, in any frame."""
        ny, nx = self.data.shape[1:]
        x, y = (float(value) for value in self.wcs.world_to_pixel(place))
        return (x - (nx - 1) / 2) * self.pixel, (y - (ny - 1) / 2) * self.pixel

    def redshift(self, velocity: float) -> float:
        """Redshift of a velocity of this cube [km/s]."""
        beta = velocity / LIGHT
        if self.convention == "optical":
            return beta
        return 1 / (1 - beta) - 1 if self.convention == "radio" else float(np.sqrt((1 + beta) / (1 - beta)) - 1)

    def stretch(self, v_sys: float) -> float:
        """Velocity difference in the galaxy per difference in this cube, at a systemic velocity [km/s].

        A radio velocity is ``c z / (1 + z)`` and an optical one ``c z``, while the gas moves by ``c dz / (1 + z)``.
        """
        if self.additive:
            return 1.0
        grown, beta = 1 + self.redshift(v_sys), v_sys / LIGHT
        return {"radio": grown, "optical": 1 / grown}.get(self.convention, 1 / (1 - beta**2))

    @property
    def surface_density(self) -> float:
        """Msun/pc^2 of HI per unit of `data` in one channel; masses go with radio velocities (Meyer et al. 2017)."""
        middle = float(np.median(self.velocities))
        radio = 1.0 if self.additive else self.stretch(middle) / (1 + self.redshift(middle))
        return super().surface_density * radio


def _spread(values: np.ndarray) -> tuple[float, float]:
    """Median, and standard deviation by the median absolute deviation."""
    values = values.ravel()
    values = values[:: max(1, values.size // 2_000_000)]
    middle = float(np.median(values))
    return middle, 1.4826 * float(np.median(np.abs(values - middle)))


def cleaned(sky: SkyCube, noise: float | None = None) -> SkyCube:
    """Measure the noise, subtract baseline and continuum, fill blank channels; all of it is noted.

    Parameters
    ----------
    sky : SkyCube
        As read, NaN where there are no data.
    noise : float, optional
        Of a voxel [Jy/beam], instead of measuring it.
    """
    data, notes = sky.data, list(sky.notes)
    blank = ~np.isfinite(data)
    data[blank] = 0.0
    empty = data == 0.0
    covered, there = ~empty.all(axis=0), ~empty.all(axis=(1, 2))
    share = float(empty[there][:, covered].mean())
    if share > _MASKED:
        left = data[~empty]
        if noise is not None:
            taken = f"a noise of {noise:.3g} Jy/beam is taken"
        elif np.mean(left < 0) > _NOISY:
            noise = _negative_noise(left)
            taken = f"a noise of {noise:.3g} Jy/beam is that of the negative ones of the others"
        else:
            taken = "its noise cannot be measured; errors do not include it unless it is given"
        notes.append(f"the cube is masked ({share:.0%} of its voxels are blank): {taken}")
        flat = np.full(covered.shape, noise or 0.0)
        return replace(sky, valid=np.ones_like(covered), noise_map=flat, masked=True, notes=tuple(notes))
    spread = np.array([_spread(channel[covered])[1] for channel in data])
    patchy, said = _foreground_in_patches(spread, there, sky.velocities)
    notes += said + _without_loud_channels(data, spread, there, sky.velocities, patchy)
    notes += _fill(data, there, sky.velocities)
    free = ~blank & there[:, None, None] & covered
    sky = replace(sky, valid=covered, patchy=patchy)
    for last in (False, True):
        middle, spread, count = _per_pixel(data, free)
        level, sigma = (float(np.median(values[covered])) for values in (middle, spread))
        uneven = _noise_map(sky, spread, covered)
        if last:
            break
        rough = replace(sky, data=data - np.where(np.isfinite(middle), middle, level), noise_map=uneven)
        free &= ~ndimage.binary_dilation(find_emission(rough), iterations=2) if sigma > 0 else True
    if not sigma > 0 and noise is None:
        notes.append("most voxels have the same value: the noise cannot be measured, and is needed for fluxes; give it")
    if abs(level) > _BASELINE * sigma:
        times = f" ({level / sigma:+.1f} of the noise)" if sigma > 0 else ""
        notes.append(f"a baseline of {1e3 * level:.3g} mJy/beam{times} is subtracted")
        data -= level
    excess = np.where(covered & (count >= 8), middle - level, 0.0)
    error = 1.2533 * uneven / np.sqrt(np.maximum(count, 1))
    hot = np.abs(excess) > _CONTINUUM * error
    if hot.any():
        near = ndimage.binary_dilation(hot, iterations=int(np.ceil(sky.beam.major / sky.pixel)))
        data -= np.where(near & (np.abs(excess) > 2.0 * error), excess, 0.0)
        peak = excess.flat[np.argmax(np.abs(excess))]
        notes.append(f"residuals of the continuum, up to {1e3 * peak:+.3g} mJy/beam, are removed in {hot.sum()} pixels")
    data *= covered
    if noise is not None:
        uneven = np.full(covered.shape, noise)
    elif np.ptp(uneven[covered]) > 0:
        low, high = 1e3 * np.percentile(uneven[covered], [5, 95])
        notes.append(f"the noise varies over the map, {low:.3g} to {high:.3g} mJy/beam: taken pixel by pixel")
    return replace(sky, data=data, noise_map=uneven, notes=tuple(notes))


def _foreground_in_patches(
    spread: np.ndarray, there: np.ndarray, velocities: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Adjacent channels at velocities of the Milky Way whose scatter over the map is far above that of the others."""
    some = there & (spread > _PATCHY * np.median(spread[there])) & (np.abs(velocities) < _FOREGROUND)
    runs, _ = ndimage.label(some)
    patchy = some & (np.bincount(runs) >= _PATCHY_CHANNELS)[runs]
    if not patchy.any() or spread[patchy].max() < _LOUD * np.median(spread[there]):
        return np.zeros_like(patchy), []
    low, high = velocities[patchy][[0, -1]]
    return patchy, [
        f"patches of emission all over the map from {low:.0f} to {high:.0f} km/s, foreground of the Milky Way: only "
        "what stands out from them is taken"
    ]


def _without_loud_channels(
    data: np.ndarray, spread: np.ndarray, there: np.ndarray, velocities: np.ndarray, patchy: np.ndarray
) -> list[str]:
    """Blank channels with interference, whose noise is far above that of the others, in place."""
    loud = there & ~patchy & (spread > _LOUD * (usual := np.median(spread[there])))
    if not usual > 0 or not loud.any() or loud.sum() > 0.2 * there.sum():
        return []
    data[loud], there[loud] = 0.0, False
    return [
        f"channels at {', '.join(f'{v:.0f}' for v in velocities[loud])} km/s are far noisier than the others: blanked"
    ]


def _fill(data: np.ndarray, there: np.ndarray, velocities: np.ndarray) -> list[str]:
    """Interpolate over up to three neighbouring channels without data, in place."""
    runs, n = ndimage.label(~there)
    filled = []
    for k in range(1, n + 1):
        run = np.flatnonzero(runs == k)
        before, after = run[0] - 1, run[-1] + 1
        if len(run) > 3 or before < 0 or after >= len(data):
            continue
        for channel in run:
            part = (channel - before) / (after - before)
            data[channel] = (1 - part) * data[before] + part * data[after]
        there[run] = True
        filled += [f"{velocities[channel]:.0f}" for channel in run]
    lost = int(np.count_nonzero(~there))
    notes = [f"blank channels at {', '.join(filled)} km/s are interpolated"] if filled else []
    return notes + ([f"{lost} channels are blank"] if lost else [])


def _per_pixel(data: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median, standard deviation and number of the free channels of every pixel, each (y, x)."""
    values = np.where(free, data, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # pixels without a free channel
        middle = np.nanmedian(values, axis=0)
        spread = 1.4826 * np.nanmedian(np.abs(values - middle), axis=0)
    count = free.sum(axis=0)
    few = count < 8
    if few.all():
        level, sigma = _spread(data[free]) if free.any() else (0.0, 0.0)
    else:
        level, sigma = float(np.nanmedian(middle[~few])), float(np.nanmedian(spread[~few]))
    return np.where(few, level, middle), np.where(few, sigma, spread), count


def _noise_map(sky: SkyCube, spread: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """Noise of every pixel, smoothed over beams; the same everywhere unless it varies."""
    width = max(2.0 * sky.beam.fwhm / sky.pixel / 2.355, 2.0)
    weight = ndimage.gaussian_filter(covered.astype(float), width)
    smooth = ndimage.gaussian_filter(np.where(covered, spread, 0.0), width) / np.maximum(weight, 1e-6)
    low, high = np.percentile(smooth[covered], [5, 95])
    even = np.full(spread.shape, float(np.median(spread[covered])))
    return np.where(covered, smooth, 0.0) if high > _UNEVEN * low else even


@dataclass(frozen=True)
class Emission:
    """The emission of one galaxy in a cube.

    Parameters
    ----------
    sky : SkyCube
    mask : ndarray of bool, shape (n_channels, y, x)
    centroid : (float, float)
        Centre of the flux, West and North of the middle of the map [arcsec].
    cut_off : float
        Length over which bright emission meets the edge of the map, in beams.
    band : float
        Flux in the first or last channel over the largest in any.
    hidden, gaps : int
        Channels within or next to the galaxy's in which foreground hides emission, and those within that are blank.
    notes : tuple of str
        What else is in the cube.
    replaced : ndarray of bool, shape (y, x), or None
        Lines of sight in which `dmlib.observe.sky_companion` replaced the gas of another galaxy; None where none was.
    """

    sky: SkyCube
    mask: np.ndarray
    centroid: tuple[float, float]
    cut_off: float
    band: float
    hidden: int
    gaps: int
    notes: tuple[str, ...]
    replaced: np.ndarray | None = None

    @property
    def flux(self) -> float:
        """Integrated flux [Jy km/s], in the velocities of the cube."""
        sky = self.sky
        return float(sky.data[self.mask].sum() * sky.channel_width * sky.pixel**2 / sky.area)

    def moments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Moments 0, 1 and 2: [Msun/pc^2], [km/s], [km/s], each (y, x), NaN where blank; velocities of the cube."""
        noise = 0.0 if self.sky.noise_map is None else self.sky.noise_map
        return moments(self.sky, self.mask, floor=3.0 * noise * self.sky.surface_density * ATOMS_PER_CM2)


def galaxy_emission(sky: SkyCube, centre: tuple[float, float] | None = None) -> Emission:
    """The island of emission of one galaxy.

    Parameters
    ----------
    sky : SkyCube
    centre : (float, float), optional
        West and North of the middle of the map [arcsec]. Without it the brightest island is taken.

    Raises
    ------
    GalaxyError
        When there is no emission.
    """
    found = _all_emission(sky)
    found, hidden, notes = _without_foreground(sky, found)
    # A line may be interrupted by a few channels without signal.
    bridge = np.zeros((7, 3, 3), dtype=bool)
    bridge[:, 1, 1] = True
    islands, n = ndimage.label(ndimage.binary_dilation(found, bridge))
    islands[~found] = 0
    if not n or not found.any():
        raise GalaxyError(f"{sky.name} has no HI emission above the noise of {1e3 * sky.noise:.3g} mJy/beam")
    numbers = np.arange(1, n + 1)
    flux = ndimage.sum_labels(np.maximum(sky.data, 0.0), islands, numbers)
    best = int(numbers[np.argmax(flux)])
    x, y = _offsets(sky)
    if centre is None:
        if n > 1:
            notes.append(f"no centre was given: the brightest of {n} islands of emission is taken for the galaxy")
    else:
        far = np.hypot(x - centre[0], y - centre[1])
        reach = ndimage.minimum(np.broadcast_to(far, islands.shape), islands, numbers)
        near = np.flatnonzero(reach <= max(reach.min(), sky.beam.major))
        chosen = int(numbers[near[np.argmax(flux[near])]])
        if reach[chosen - 1] > 2.0 * sky.beam.major:
            notes.append(f"the nearest emission is {reach[chosen - 1]:.0f} arcsec from the given centre")
        best = chosen
    mask = islands == best
    weight = np.where(mask, np.maximum(sky.data, 0.0), 0.0)
    for number in numbers[np.argsort(flux)[::-1]]:
        share = flux[number - 1] / flux[best - 1]
        if number != best and share > 0.03 and len(notes) < 6:
            notes.append(_companion(sky, islands == number, share))
    used = ndimage.binary_dilation(mask.any(axis=(1, 2)), iterations=2)
    lost = int(hidden.sum()) if (used & hidden).any() else 0
    lost += 0 if sky.patchy is None else int((used & sky.patchy).sum())
    there = (sky.data != 0).any(axis=(1, 2))
    ends = np.flatnonzero(mask.any(axis=(1, 2)))[[0, -1]]
    gaps = 0 if sky.masked else int(np.count_nonzero(~there[ends[0] : ends[1]]))
    return Emission(
        sky, mask, middle_of(sky, weight)[:2], *_cut_off(sky, mask, weight.sum(axis=0)), lost, gaps, tuple(notes)
    )


def _companion(sky: SkyCube, mask: np.ndarray, share: float) -> str:
    """Words on an island that is not the galaxy."""
    west, north, speed = middle_of(sky, np.where(mask, np.maximum(sky.data, 0.0), 0.0))
    where = f"with {share:.0%} of the galaxy's flux, {place_in_map(west, north)}"
    return f"other emission at {speed:.0f} km/s {where}, is left out"


def middle_of(sky: SkyCube, weight: np.ndarray) -> tuple[float, float, float]:
    """Mean offset West and North of the middle of the map [arcsec], and velocity [km/s], of weights per voxel."""
    west, north = (float(np.average(axis, weights=weight.sum(axis=0))) for axis in _offsets(sky))
    return west, north, float(np.average(sky.velocities, weights=weight.sum(axis=(1, 2))))


def place_in_map(west: float, north: float) -> str:
    """Words for an offset from the middle of the map [arcsec]."""
    along, across = "N" if north > 0 else "S", "W" if west > 0 else "E"
    return f"{abs(north):.0f} arcsec {along} and {abs(west):.0f} arcsec {across} of the middle of the map"


def _offsets(sky: SkyCube) -> tuple[np.ndarray, np.ndarray]:
    """West and North of every pixel from the middle of the map [arcsec], each (y, x)."""
    ny, nx = sky.data.shape[1:]
    return np.meshgrid((np.arange(nx) - (nx - 1) / 2) * sky.pixel, (np.arange(ny) - (ny - 1) / 2) * sky.pixel)


def _all_emission(sky: SkyCube) -> np.ndarray:
    """Voxels with emission of anything."""
    given = sky.given_mask
    there = sky.data != 0.0 if given is None else given & sky.valid
    # A mask that holds noise says where to look, not what is emission.
    if sky.noise > 0 and (
        (given is None and not sky.masked)
        or np.count_nonzero(there & (sky.data < 0)) > _NOISY * np.count_nonzero(there)
    ):
        return find_emission(sky) & there
    if given is not None:
        return there
    return large_islands(there, sky)


def _without_foreground(sky: SkyCube, found: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Leave out channels in which the Milky Way fills the map: what is left, and which channels are not."""
    border = sky.valid & ~ndimage.binary_erosion(sky.valid, iterations=2, border_value=0)
    near = np.abs(sky.velocities) < _FOREGROUND
    filled = (found & border).sum(axis=(1, 2)) > _FILLED * border.sum()
    channels = filled & near
    if not channels.any():
        return found, channels, []
    channels = ndimage.binary_dilation(channels, iterations=2) & near
    low, high = sky.velocities[channels][[0, -1]]
    note = f"emission fills the map from {low:.0f} to {high:.0f} km/s: foreground of the Milky Way, left out"
    return found & ~channels[:, None, None], channels, [note]


def _cut_off(sky: SkyCube, mask: np.ndarray, total: np.ndarray) -> tuple[float, float]:
    """How far bright emission meets the edge of the map [beams], and its share at the ends of the band."""
    inside = ndimage.binary_erosion(sky.valid, border_value=0)
    seen = mask.any(axis=0)
    bright = seen & (total > _BRIGHT_EDGE * np.percentile(total[seen], 90))
    length = np.count_nonzero(bright & ~inside) * sky.pixel / sky.beam.fwhm
    spectrum = np.where(mask, sky.data, 0.0).sum(axis=(1, 2))
    there = np.ones(len(spectrum), dtype=bool) if sky.masked else (sky.data != 0).any(axis=(1, 2))
    ends = spectrum[there][[0, -1]]
    return float(length), float(ends.max() / spectrum.max())
