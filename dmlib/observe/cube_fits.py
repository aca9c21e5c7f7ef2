"""HI cubes as FITS files: written for 3D-Barolo, CASA or SoFiA, read from any telescope, degraded to ours.

Radio astronomers' cubes differ in all that the FITS standard leaves open: the axis may be frequency or velocity, in
m/s or km/s, rising or falling, the brightness Jy/beam or kelvin, and there may be a fourth axis with one polarisation.
`read_cube` brings a file to one form, with rising velocities [km/s], Jy/beam, North up and East to the left, or refuses
it and says why.

A network is trained on one telescope. `degrade` shows it a real galaxy in the same way: the same kpc in a pixel and in
a beam, the same channels, noise of the same level, velocities about the systemic one. Resolution and depth can be
reduced but not gained; what the real cube lacks is noted.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning
from astropy.wcs.utils import proj_plane_pixel_scales
from scipy import ndimage
from scipy.interpolate import make_interp_spline

from ..errors import DmlibError, GalaxyError
from ..files import atomic_path
from .cube import Beam, Cube, HICube, HISettings, Smear, beam_kernel, convolve_separable, white_noise
from .grid import SkyGrid

#: Rest frequency of the line [Hz]
HI_FREQUENCY = 1.420405751e9

_AXIS_CARDS = ("CTYPE", "CUNIT", "CRVAL", "CRPIX", "CDELT")
_VELOCITY_AXES = ("VELO", "VRAD", "VOPT", "FELO", "VELOCITY")

#: Mixed into the seed of the noise that is added.
_STREAM = 0x7265616C

#: Units in headers that astropy does not know as they are spelled; keys in lower case.
_SPELLINGS = {
    **{name.lower(): name for name in ("Hz", "kHz", "MHz", "GHz", "m/s", "km/s", "deg", "arcsec", "arcmin", "K", "mK")},
    **{"degree": "deg", "degrees": "deg", "kelvin": "K", "metre/second": "m/s", "ms-1": "m/s", "kms-1": "km/s"},
    **{"jy/beam": "Jy/beam", "mjy/beam": "mJy/beam", "jy.beam-1": "Jy/beam", "jybeam-1": "Jy/beam"},
}


_NUMBER = r"[ =]+([-+]?\d*\.?\d+(?:E[-+]?\d+)?)"
_BEAM_HISTORY = re.compile(rf"BMAJ{_NUMBER}.*BMIN{_NUMBER}(?:.*BPA{_NUMBER})?")


class CubeError(DmlibError):
    """A FITS file that cannot be read as an HI cube; names the file, what is wrong, and the mend."""


def write_fits(cube: HICube, path: str | Path) -> None:
    """Write the cube of a simulated galaxy, whole or not at all.

    The file has axes (right ascension, declination, velocity), gnomonic about RA = Dec = 0, the position of the galaxy;
    velocities are in the radio convention and include the systemic velocity [m/s]. Settings, galaxy and view
    are in the header.

    Parameters
    ----------
    cube : HICube
    path : path
        Its name ends in ``.fits``.
    """
    pixel, middle = cube.pixel / 3600.0, (cube.grid.pixels + 1) / 2.0
    first = 1e3 * (cube.settings.v_systemic + cube.velocities[0])
    axes = (
        ("RA---TAN", "deg", 0.0, middle, -pixel),
        ("DEC--TAN", "deg", 0.0, middle, pixel),
        ("VRAD", "m/s", first, 1.0, 1e3 * cube.channel_width),
    )
    header = fits.Header({"OBJECT": cube.name, "BUNIT": cube.unit})
    for axis, cards in enumerate(axes, start=1):
        header.update({f"{card}{axis}": value for card, value in zip(_AXIS_CARDS, cards, strict=True)})
    header.update({"RADESYS": "ICRS", "SPECSYS": "BARYCENT", "RESTFRQ": (HI_FREQUENCY, "[Hz]")})
    if cube.settings.beam:
        header.update({"BMAJ": cube.beam.major / 3600.0, "BMIN": cube.beam.minor / 3600.0, "BPA": 0.0})
    header["VSYS"] = (cube.settings.v_systemic, "systemic velocity [km/s]")
    header.update({"SUBHALO": cube.subhalo_id, "VIEW": cube.view})
    header["FOVKPC"] = (cube.grid.field_of_view, "side of the map [kpc]")
    header["HISET"] = cube.settings.model_dump_json()
    header["HISTORY"] = "Made from a simulation by dmlib with the conventions of MARTINI; not an observation."
    with atomic_path(path) as temporary:
        fits.PrimaryHDU(cube.data.astype(np.float32), header).writeto(temporary)


def read_cube(path: str | Path, *, beam: tuple[float, float, float] | None = None) -> Cube:
    """Read an HI cube.

    Parameters
    ----------
    path : path
        FITS file; the cube is in its first image.
    beam : (float, float, float), optional
        Major and minor axis [arcsec] and position angle [deg], where those of the file are missing or wrong.

    Raises
    ------
    CubeError
        When it is not a cube of the sky in the HI line, or lacks what cannot be guessed.
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
    wcs = _sky(path, header, axes)
    width, pixel = (float(side) for side in 3600.0 * proj_plane_pixel_scales(wcs))
    if abs(width / pixel - 1) > 0.01:
        raise CubeError(f"{path.name} has pixels of {width:.3g} by {pixel:.3g} arcsec: regrid it to square ones")
    # x goes West, y goes North.
    for k, flip in enumerate((wcs.wcs.cdelt[0] > 0, wcs.wcs.cdelt[1] < 0)):
        if flip:
            data = np.flip(data, 2 - k)
            wcs.wcs.crpix[k] = data.shape[2 - k] + 1 - wcs.wcs.crpix[k]
            wcs.wcs.cdelt[k] *= -1.0
    if velocities[0] > velocities[-1]:
        velocities, data = velocities[::-1], data[::-1]
    found = Beam(*beam) if beam is not None else _beam(path, header)
    data = np.ascontiguousarray(data) * _to_jansky(path, header, found)
    bad = ~np.isfinite(data)
    valid = np.asarray(~bad.all(axis=0))
    if not valid.any():
        raise CubeError(f"{path.name} is blank everywhere: fetch it again")
    if found.minor < pixel:
        notes += (f"the beam ({found.minor:.3g} arcsec) is narrower than a pixel ({pixel:.3g} arcsec)",)
    return Cube(
        name=str(header.get("OBJECT", path.stem)).strip() or path.stem,
        data=np.where(bad, 0.0, data),
        valid=valid,
        velocities=velocities,
        pixel=pixel,
        beam=found,
        wcs=wcs,
        notes=notes,
    )


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


def _axis(header: fits.Header, axis: int) -> tuple[float, float, float]:
    """Step along an axis, value at its reference pixel, and number of that pixel."""
    step = float(header.get(f"CDELT{axis}", header.get(f"CD{axis}_{axis}", 0.0)))
    return step, float(header.get(f"CRVAL{axis}", 0.0)), float(header.get(f"CRPIX{axis}", 1.0))


def _velocities(path: Path, header: fits.Header, axis: int, n: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Velocities of the channels [km/s], in the file's order, and what had to be assumed."""
    step, start, at = _axis(header, axis)
    if not np.isfinite(step) or step == 0:
        raise CubeError(f"{path.name} does not say how wide its channels are: set CDELT{axis}")
    values = start + (np.arange(n) + 1 - at) * step
    frequency = str(header[f"CTYPE{axis}"]).upper().startswith("FREQ")
    given = str(header.get(f"CUNIT{axis}", "")).strip() or ("Hz" if frequency else "")
    notes: tuple[str, ...] = ()
    if not given:
        # No HI channel is 100 km/s wide, and none is narrower than 0.1 km/s.
        given = "m/s" if abs(step) >= 100.0 else "km/s"
        notes = (f"no unit of velocity is given; {given} is taken, from the channel width",)
    unit, wanted = _unit(given), u.Hz if frequency else u.km / u.s
    if not unit.is_equivalent(wanted):
        raise CubeError(f"{path.name}: its channels are in '{given}': set CUNIT{axis} to {wanted}")
    if not frequency:
        return (values * unit).to_value(u.km / u.s), notes
    rest = float(header.get("RESTFRQ", header.get("RESTFREQ", 0.0))) or HI_FREQUENCY
    if "RESTFRQ" not in header and "RESTFREQ" not in header:
        notes = ("no rest frequency is given; that of HI is taken",)
    if abs(rest / HI_FREQUENCY - 1) > 1e-3:
        raise CubeError(f"{path.name} is of a line at {rest / 1e9:.4f} GHz, not of HI (1.4204 GHz)")
    return (values * unit).to_value(u.km / u.s, u.doppler_radio(rest * u.Hz)), notes


def _unit(text: str) -> u.UnitBase:
    """A unit of a header; one that is equivalent to no other where it cannot be read."""
    known = _SPELLINGS.get(text.strip().lower().replace(" ", ""), text.strip())
    return u.Unit(known, parse_strict="silent")


def _sky(path: Path, header: fits.Header, axes: tuple[int, int, int]) -> WCS:
    """World coordinates of the two sky axes [deg]."""
    two = fits.Header()
    for k, axis in enumerate(axes[:2], start=1):
        kind = str(header[f"CTYPE{axis}"]).upper().strip()
        # A header without a projection ("RA") is a small field on the tangent plane.
        two[f"CTYPE{k}"] = kind if "-" in kind else f"{kind:-<5}TAN"
        unit = _unit(str(header.get(f"CUNIT{axis}", "")) or "deg")
        if not unit.is_equivalent(u.deg):
            raise CubeError(f"{path.name}: its pixels are in '{unit}': set CUNIT{axis} to deg")
        step, value, at = _axis(header, axis)
        if step == 0:
            raise CubeError(f"{path.name} does not say how large its pixels are: set CDELT{axis}")
        turned = float(header.get(f"CROTA{axis}", 0.0)) if axis == axes[1] else 0.0
        if 0.5 < abs(turned) < 359.5:
            raise CubeError(f"{path.name} is turned by {turned:.1f} deg against North: regrid it with North up")
        two[f"CDELT{k}"], two[f"CRVAL{k}"], two[f"CRPIX{k}"] = step * unit.to(u.deg), value * unit.to(u.deg), at
    with warnings.catch_warnings():
        # wcslib says that it translates the old projection to the north celestial pole, NCP.
        warnings.simplefilter("ignore", FITSFixedWarning)
        return WCS(two)


def _beam(path: Path, header: fits.Header) -> Beam:
    """The beam of the header [arcsec], from BMAJ, or from the history that AIPS and Miriad write."""
    major, minor = (float(header.get(key, 0.0) or 0.0) * 3600.0 for key in ("BMAJ", "BMIN"))
    if major > 0:
        return Beam(major, minor if minor > 0 else major, float(header.get("BPA", 0.0) or 0.0))
    for line in reversed(list(header.get("HISTORY", []))):
        if found := _BEAM_HISTORY.search(str(line)):
            major, minor, angle = (float(value or 0.0) for value in found.groups())
            return Beam(major * 3600.0, minor * 3600.0, angle)
    raise CubeError(
        f"{path.name} does not give its beam: call read_cube(path, beam=(major, minor, angle)), in arcsec and deg"
    )


def _to_jansky(path: Path, header: fits.Header, beam: Beam) -> float:
    """Jy/beam per unit of the data."""
    unit = _unit(str(header.get("BUNIT", "")))
    if unit.is_equivalent(u.Jy / u.beam):
        return float(unit.to(u.Jy / u.beam))
    if unit.is_equivalent(u.K):
        return float(
            unit.to(u.Jy, equivalencies=u.brightness_temperature(HI_FREQUENCY * u.Hz, beam.area * u.arcsec**2))
        )
    raise CubeError(f"{path.name} is in '{header.get('BUNIT', '')}': Jy/beam or K is needed; set BUNIT if it is that")


def degrade(
    sky: Cube,
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
    sky : Cube
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
    notes = []
    for what, width, widest, tolerance, unit in (
        ("beam is", sky.beam.major * kpc, settings.beam_kpc, 1.02, "kpc"),
        ("channels are", sky.channel_width, settings.channel_width, 1.2, "km/s"),
    ):
        if width > tolerance * widest:
            raise GalaxyError(
                f"{sky.name}: its {what} {width:.1f} {unit} wide, more than the {widest:.1f} {unit} of the data set: "
                "a network trained on wider ones is needed"
            )
    channels = _rebin(sky.data * sky.surface_density / sky.channel_width, sky.velocities - v_sys, settings)
    # Widths add in quadrature: what is missing to the round beam of the data set, along either axis.
    wanted = (settings.beam_kpc / kpc) ** 2
    major, minor = (float(np.sqrt(max(0.0, wanted - axis**2))) for axis in (sky.beam.major, sky.beam.minor))
    extra = Beam(major, minor, sky.beam.position_angle)
    blurred = Smear(extra, sky.data.shape[1:], sky.pixel)(channels)
    ny, nx = sky.data.shape[1:]
    pixels = grid.centres / kpc / sky.pixel
    rows = pixels + centre[1] / sky.pixel + (ny - 1) / 2
    columns = pixels + centre[0] / sky.pixel + (nx - 1) / 2
    points = np.stack(np.meshgrid(rows, columns, indexing="ij"))
    data = np.array([ndimage.map_coordinates(channel, points, order=1, cval=0.0) for channel in blurred])
    covered = ndimage.map_coordinates(sky.valid.astype(float), points, order=1, cval=0.0) > 0.5
    share = float(covered.mean())
    if share < 0.999:
        notes.append(f"the real cube covers {share:.0%} of the field of view; the rest is taken as empty")
    band = (np.ptp(sky.velocities) + sky.channel_width - settings.channel_width) / 2
    seen = np.abs(settings.velocities + v_sys - sky.velocities.mean()) <= band + 1e-6
    if not seen.all():
        notes.append(f"the real cube has {seen.sum()} of {settings.n_channels} channels; the rest is taken as empty")
    # Msun/pc^2 per km/s -> Jy/beam
    data = data * settings.channel_width / HICube.of(data, grid, settings, -1, 0).surface_density
    there = data[seen][:, covered]
    noise = float(1.4826 * np.median(np.abs(there[there < 0]))) if np.any(there < 0) else 0.0
    if noise > 1.1 * settings.noise:
        notes.append(f"the real cube is {noise / settings.noise:.1f} times as noisy as the data set")
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
    return convolve_separable(white * scale, factor).transpose(2, 0, 1)
