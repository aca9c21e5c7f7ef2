"""Reading HI cubes of real telescopes: whatever FITS file it is, made into one form, or refused with the reason.

Radio astronomers' cubes differ in all that the FITS standard leaves open: the axis may be frequency or velocity, in
m/s or km/s, rising or falling, the brightness Jy/beam or kelvin, and there may be a fourth axis with one polarisation.
A `SkyCube` has rising velocities [km/s], Jy/beam, North up and East to the left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from astropy import constants
from astropy import units as u
from astropy.io import fits
from astropy.wcs import WCS
from scipy import ndimage

from ..errors import DmlibError
from .beam import Beam, Smear
from .cube import SURFACE_DENSITY
from .fits import HI_FREQUENCY

_C = constants.c.to_value(u.km / u.s)

#: Kelvin per (Jy/beam / arcsec^2 of beam) at the line's rest frequency (Rayleigh and Jeans).
_KELVIN = (1.0 * u.Jy / u.arcsec**2).to_value(u.K, u.brightness_temperature(HI_FREQUENCY * u.Hz))

_BRIGHTNESS = {"jy/beam": 1.0, "mjy/beam": 1e-3}
_ANGLES = {"deg": 3600.0, "degree": 3600.0, "degrees": 3600.0, "": 3600.0, "arcsec": 1.0, "arcmin": 60.0}
_VELOCITY_AXES = ("VELO", "VRAD", "VOPT", "FELO", "VELOCITY")


class CubeError(DmlibError):
    """A FITS file that cannot be read as an HI cube; names the file, what is wrong, and the mend."""


@dataclass(frozen=True)
class SkyCube:
    """An HI cube of the sky.

    Parameters
    ----------
    name : str
        The file's object, or the file's name.
    data : ndarray, shape (n_channels, y, x)
        [Jy/beam]; y points North, x West. Blank voxels are 0.
    valid : ndarray of bool, shape (y, x)
        Where the telescope looked.
    velocities : ndarray, shape (n_channels,)
        Of the channels' centres, ascending [km/s], in the convention of the file.
    pixel : float
        [arcsec]
    beam : Beam
        [arcsec]
    wcs : WCS
        Of the two sky axes of `data`.
    notes : tuple of str
        What had to be assumed.
    """

    name: str
    data: np.ndarray
    valid: np.ndarray
    velocities: np.ndarray
    pixel: float
    beam: Beam
    wcs: WCS
    notes: tuple[str, ...] = ()

    @property
    def channel_width(self) -> float:
        """[km/s]"""
        return float(abs(self.velocities[-1] - self.velocities[0]) / (len(self.velocities) - 1))

    @cached_property
    def noise(self) -> float:
        """Standard deviation of a voxel without emission [Jy/beam], from the voxels below zero."""
        values = self.data[:, self.valid]
        return float(1.4826 * np.median(np.abs(values[values < 0])))

    @property
    def surface_density(self) -> float:
        """Msun/pc^2 of HI per Jy/beam in one channel."""
        return SURFACE_DENSITY * self.channel_width / self.beam.area

    def position(self, x: float, y: float) -> tuple[float, float]:
        """Right ascension and declination [deg], in the file's own equinox, of an offset West and North [arcsec]."""
        ny, nx = self.data.shape[1:]
        world = self.wcs.wcs_pix2world([[x / self.pixel + (nx - 1) / 2, y / self.pixel + (ny - 1) / 2]], 0)[0]
        return float(world[0]), float(world[1])

    def offset(self, ra: float, dec: float) -> tuple[float, float]:
        """Inverse of `position`: West and North of the middle of the map [arcsec]."""
        ny, nx = self.data.shape[1:]
        x, y = self.wcs.wcs_world2pix([[ra, dec]], 0)[0]
        return float((x - (nx - 1) / 2) * self.pixel), float((y - (ny - 1) / 2) * self.pixel)

    @cached_property
    def emission(self) -> np.ndarray:
        """Voxels that hold emission, bool of the shape of `data`.

        Sought as in `dmlib.observe.moments.find_emission`, at 4 times the noise of a cube smoothed with the beam and
        over three channels; the noise of the smoothed cube is measured, since that of a real telescope is not white.
        """
        smooth = Smear(self.beam, self.data.shape[1:], self.pixel)(self.data)
        smooth = ndimage.uniform_filter1d(smooth, 3, axis=0, mode="constant")
        values = smooth[:, self.valid]
        level = 4.0 * 1.4826 * np.median(np.abs(values[values < 0]))
        islands, _ = ndimage.label((smooth > level) & self.valid)
        large = np.bincount(islands.ravel()) >= 3 * self.beam.area / self.pixel**2
        large[0] = False
        return ndimage.binary_dilation(large[islands]) & self.valid

    def moments(self, floor: float = 3.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Surface density [Msun/pc^2], velocity and dispersion [km/s], each (y, x), NaN where blank.

        Parameters
        ----------
        floor : float
            Pixels with less than this many times the noise of one channel in all are blank.
        """
        kept = np.where(self.emission, self.data, 0.0)
        flux = kept.sum(axis=0)
        v = self.velocities[:, None, None]
        seen = flux > floor * self.noise
        with np.errstate(divide="ignore", invalid="ignore"):
            velocity = (kept * v).sum(axis=0) / flux
            variance = (kept * (v - velocity) ** 2).sum(axis=0) / flux
        seen &= (velocity >= self.velocities[0]) & (velocity <= self.velocities[-1])
        blank = np.where(seen, 0.0, np.nan)
        dispersion = np.sqrt(np.maximum(variance, self.channel_width**2 / 12.0))
        return flux * self.surface_density + blank, velocity + blank, dispersion + blank

    def flux(self) -> float:
        """Integrated flux of the emission [Jy km/s]."""
        total = self.data[self.emission].sum() * self.channel_width
        return float(total * self.pixel**2 / self.beam.area)


def read_cube(path: str | Path, *, beam: tuple[float, float, float] | None = None) -> SkyCube:
    """Read an HI cube.

    Parameters
    ----------
    path : path
        FITS file; the cube is in its first image.
    beam : (float, float, float), optional
        Major and minor axis [arcsec] and position angle [deg], where the file does not tell or tells wrongly.

    Raises
    ------
    CubeError
        When it is no cube of the sky in the HI line, or lacks what cannot be guessed.
    """
    path = Path(path)
    try:
        with fits.open(path) as file:
            image = next((hdu for hdu in file if getattr(hdu, "data", None) is not None and hdu.is_image), None)
            if image is None:
                raise CubeError(f"{path.name} holds no image: give an HI cube in FITS")
            header, data = image.header.copy(), np.asarray(image.data, dtype=float)
    except OSError as error:
        raise CubeError(f"{path.name} cannot be read as FITS ({error}): fetch it again") from error
    data, axes = _three_axes(path, header, data)
    velocities, notes = _velocities(path, header, axes[2], data.shape[0])
    if len(velocities) < 3:
        raise CubeError(f"{path.name} has {len(velocities)} channels, too few for moments: give the whole cube")
    pixel, flips = _pixels(path, header, axes)
    for axis, flip in zip((2, 1), flips, strict=True):
        if flip:
            data = np.flip(data, axis)
    if velocities[0] > velocities[-1]:
        velocities, data = velocities[::-1], data[::-1]
    found = Beam(*beam) if beam is not None else _beam(path, header)
    data = np.ascontiguousarray(data) * _to_jansky(path, header, found)
    bad = ~np.isfinite(data)
    valid = ~bad.all(axis=0)
    if not valid.any():
        raise CubeError(f"{path.name} is blank everywhere: fetch it again")
    cube = SkyCube(
        name=str(header.get("OBJECT", path.stem)).strip() or path.stem,
        data=np.where(bad, 0.0, data),
        valid=valid,
        velocities=velocities,
        pixel=pixel,
        beam=found,
        wcs=_sky(header, axes, flips, data.shape),
        notes=notes,
    )
    if found.minor < pixel:
        note = f"the beam ({found.minor:.3g} arcsec) is narrower than a pixel ({pixel:.3g} arcsec)"
        return replace(cube, notes=(*notes, note))
    return cube


def _three_axes(path: Path, header: fits.Header, data: np.ndarray) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Data as (velocity, declination, right ascension), and the FITS numbers of the axes (ra, dec, velocity)."""
    kinds = {number: str(header.get(f"CTYPE{number}", "")).upper() for number in range(1, data.ndim + 1)}

    def find(what: str, *names: str) -> int:
        for number, kind in kinds.items():
            if kind.startswith(names):
                return number
        listed = ", ".join(kind or "(none)" for kind in kinds.values())
        raise CubeError(f"{path.name} has no {what} axis (its axes: {listed}): give a cube with sky and velocity axes")

    axes = (
        find("right ascension", "RA", "GLON"),
        find("declination", "DEC", "GLAT"),
        find("velocity or frequency", "FREQ", *_VELOCITY_AXES),
    )
    for number in kinds:
        length = data.shape[data.ndim - number]
        if number not in axes and length != 1:
            raise CubeError(
                f"{path.name} has {length} planes along {kinds[number] or f'axis {number}'}: choose one, for example "
                "Stokes I, and write it to a file of its own"
            )
    order = [data.ndim - number for number in (axes[2], axes[1], axes[0])]
    rest = [k for k in range(data.ndim) if k not in order]
    data = np.transpose(data, [*rest, *order])
    return data.reshape(data.shape[len(rest) :]), axes


def _velocities(path: Path, header: fits.Header, axis: int, n: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Velocities of the channels [km/s], in the file's order."""
    step = _step(header, axis)
    if step is None or not np.isfinite(step) or step == 0:
        raise CubeError(f"{path.name} does not say how wide its channels are: set CDELT{axis}")
    start, at = float(header.get(f"CRVAL{axis}", 0.0)), float(header.get(f"CRPIX{axis}", 1.0))
    values = start + (np.arange(n) + 1 - at) * step
    kind, unit = str(header[f"CTYPE{axis}"]).upper(), str(header.get(f"CUNIT{axis}", "")).strip().lower()
    notes: list[str] = []
    if kind.startswith("FREQ"):
        factors = {"hz": 1.0, "khz": 1e3, "mhz": 1e6, "ghz": 1e9, "": 1.0}
        if unit not in factors:
            raise CubeError(f"{path.name}: its frequencies are in '{unit}': set CUNIT{axis} to Hz")
        rest = float(header.get("RESTFRQ", header.get("RESTFREQ", 0.0))) or HI_FREQUENCY
        if "RESTFRQ" not in header and "RESTFREQ" not in header:
            notes.append("no rest frequency is given; that of HI is taken")
        if abs(rest / HI_FREQUENCY - 1) > 1e-3:
            raise CubeError(f"{path.name} is of a line at {rest / 1e9:.4f} GHz, not of HI (1.4204 GHz)")
        return _C * (1.0 - values * factors[unit] / rest), tuple(notes)
    if unit in ("m/s", "m s-1", "ms-1", "metre/second"):
        return values / 1e3, ()
    if unit in ("km/s", "km s-1", "kms-1"):
        return values, ()
    if unit == "":
        # No HI channel is 100 km/s wide, and none is narrower than 0.1 km/s.
        in_metres = abs(step) >= 100.0
        notes.append(f"no unit of velocity is given; {'m/s' if in_metres else 'km/s'} is taken, from the channel width")
        return (values / 1e3 if in_metres else values), tuple(notes)
    raise CubeError(f"{path.name}: its velocities are in '{unit}': set CUNIT{axis} to m/s or km/s")


def _pixels(path: Path, header: fits.Header, axes: tuple[int, int, int]) -> tuple[float, tuple[bool, bool]]:
    """Side of a pixel [arcsec], and whether x and y are to be turned so that x goes West and y North."""
    steps = []
    for axis in axes[:2]:
        step = _step(header, axis)
        if step is None or step == 0:
            raise CubeError(f"{path.name} does not say how large its pixels are: set CDELT{axis}")
        unit = str(header.get(f"CUNIT{axis}", "deg")).strip().lower()
        factor = {"deg": 3600.0, "degree": 3600.0, "degrees": 3600.0, "": 3600.0, "arcsec": 1.0, "arcmin": 60.0}.get(
            unit
        )
        if factor is None:
            raise CubeError(f"{path.name}: its pixels are in '{unit}': set CUNIT{axis} to deg")
        steps.append(step * factor)
    if abs(abs(steps[0] / steps[1]) - 1) > 0.01:
        raise CubeError(
            f"{path.name} has pixels of {abs(steps[0]):.3g} by {abs(steps[1]):.3g} arcsec: regrid it to square ones"
        )
    turned = float(header.get(f"CROTA{axes[1]}", 0.0))
    if abs(turned) > 0.5 and abs(turned) < 359.5:
        raise CubeError(f"{path.name} is turned by {turned:.1f} deg against North: regrid it with North up")
    return abs(steps[1]), (steps[0] > 0, steps[1] < 0)


def _beam(path: Path, header: fits.Header) -> Beam:
    """The beam of the header [arcsec], from BMAJ or from the history that AIPS and Miriad write."""
    major, minor = (float(header.get(key, 0.0) or 0.0) * 3600.0 for key in ("BMAJ", "BMIN"))
    if major > 0:
        return Beam(major, minor if minor > 0 else major, float(header.get("BPA", 0.0) or 0.0))
    for line in reversed(list(header.get("HISTORY", []))):
        words = str(line).replace("=", " ").split()
        if "BMAJ" in words and "BMIN" in words:
            try:
                major, minor = (float(words[words.index(key) + 1]) * 3600.0 for key in ("BMAJ", "BMIN"))
                angle = float(words[words.index("BPA") + 1]) if "BPA" in words else 0.0
            except (ValueError, IndexError):
                continue
            return Beam(major, minor, angle)
    raise CubeError(
        f"{path.name} does not tell its beam: give it, read_cube(path, beam=(major, minor, angle)) in arcsec"
    )


def _to_jansky(path: Path, header: fits.Header, beam: Beam) -> float:
    """Jy/beam per unit of the data."""
    unit = str(header.get("BUNIT", "")).strip().lower().replace(" ", "").replace(".", "/")
    unit = unit.replace("beam-1", "/beam").replace("//", "/")
    if unit in _BRIGHTNESS:
        return _BRIGHTNESS[unit]
    if unit in ("k", "kelvin", "mk"):
        return (1e-3 if unit == "mk" else 1.0) * beam.area / _KELVIN
    raise CubeError(f"{path.name} is in '{header.get('BUNIT', '')}': Jy/beam or K is needed; set BUNIT if it is that")


def _step(header: fits.Header, axis: int) -> float | None:
    """Increment along an axis, from either of the two ways to write it."""
    step = header.get(f"CDELT{axis}", header.get(f"CD{axis}_{axis}"))
    return None if step is None else float(step)


def _sky(header: fits.Header, axes: tuple[int, int, int], flips: tuple[bool, bool], shape: tuple[int, ...]) -> WCS:
    """World coordinates of the two sky axes after flips."""
    wcs = WCS(naxis=2)
    for k, (axis, flip, length) in enumerate(zip(axes[:2], flips, (shape[2], shape[1]), strict=True)):
        at, step = (
            float(header.get(f"CRPIX{axis}", 1.0)),
            float(header.get(f"CDELT{axis}", header.get(f"CD{axis}_{axis}", 0))),
        )
        wcs.wcs.crpix[k] = length + 1 - at if flip else at
        wcs.wcs.cdelt[k] = -step if flip else step
        wcs.wcs.crval[k] = float(header.get(f"CRVAL{axis}", 0.0))
    kinds = [str(header[f"CTYPE{axis}"]).upper().strip() for axis in axes[:2]]
    # A header without a projection ("RA") is a small field on the tangent plane.
    wcs.wcs.ctype = [kind if "-" in kind else f"{kind:-<5}TAN" for kind in kinds]
    if any(kind.endswith("NCP") for kind in kinds):
        # The old projection to the north celestial pole is a slant orthographic one (Calabretta & Greisen 2002, 5.1.5).
        wcs.wcs.ctype = [kind.replace("NCP", "SIN") for kind in kinds]
        wcs.wcs.set_pv([(2, 1, 0.0), (2, 2, 1.0 / np.tan(np.radians(wcs.wcs.crval[1])))])
    return wcs
