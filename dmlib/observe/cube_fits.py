"""HI cubes as FITS files: written for 3D-Barolo, CASA or SoFiA, and read from any telescope.

Radio astronomers' cubes differ in all that the FITS standard leaves open. `read_cube` brings a file to one form, with
rising velocities [km/s], Jy/beam, North up and East to the left, or refuses it and says why. What the header says is
read in `dmlib.observe.cube_header`; noise, masks and emission are sought in `dmlib.observe.sky_cube`.

`spectral-cube` is not used: it takes headers from the same `WCS`, so that all that is not standard in them, noise and
islands would be left to us all the same, and it brings dask and a reader of CASA's tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits

from ..environment import memory
from ..files import atomic_path
from . import open_fits
from .cube import Beam, Cube, HICube
from .cube_header import HI_FREQUENCY, Described, describe
from .cube_pixels import Box, CubeError, Orientation, beam_of, is_turned, scale_of, to_jansky
from .sky_cube import SkyCube, cleaned

#: Brightness temperature that no median voxel of an HI cube has, with gas of some 100 K and noise below 1e4 K [K].
MAX_BRIGHTNESS = 1e5

#: Memory that the analysis takes for a voxel [bytes]: the data, its smoothed copy, masks, and their transforms.
_PER_VOXEL = 60


@dataclass(frozen=True)
class CutOut:
    """The part of a cube that is read; the rest is never loaded.

    Parameters
    ----------
    velocities : (float, float), optional
        Lowest and highest, in the convention of the file [km/s].
    centre : SkyCoord, optional
        Of the field; the middle of the map by default.
    field : float, optional
        Side of the field [arcmin].
    """

    velocities: tuple[float, float] | None = None
    centre: SkyCoord | None = None
    field: float | None = None


def write_fits(cube: HICube, path: str | Path) -> None:
    """Write the cube of a simulated galaxy, whole or not at all.

    The file has axes (right ascension, declination, velocity), gnomonic about RA = Dec = 0, the position of the galaxy;
    velocities are in the radio convention and include the systemic velocity [m/s]. They are the simulation's: no factor
    (1 + z) is applied, and ``read_cube(path, additive=True)`` reads them so. Settings, galaxy and view are in the
    header.

    Parameters
    ----------
    cube : HICube
    path : path
        Its name ends in ``.fits``.
    """
    header = plain_header(cube, cube.settings.v_systemic + cube.velocities[0], cube.channel_width)
    header.update({"RADESYS": "ICRS", "SPECSYS": "BARYCENT"})
    header["VSYS"] = (cube.settings.v_systemic, "systemic velocity [km/s]")
    header.update({"SUBHALO": cube.subhalo_id, "VIEW": cube.view})
    header["FOVKPC"] = (cube.grid.field_of_view, "side of the map [kpc]")
    header["HISET"] = cube.settings.model_dump_json()
    header["HISTORY"] = "Made from a simulation by dmlib with the conventions of MARTINI; not an observation."
    with atomic_path(path) as temporary:
        fits.PrimaryHDU(cube.data.astype(np.float32), header).writeto(temporary)


def plain_header(cube: Cube, first: float, width: float) -> fits.Header:
    """A header that leaves nothing to conventions: radio velocities, the middle of the map at RA = Dec = 0.

    Parameters
    ----------
    cube : Cube
    first, width : float
        Velocity of the first channel, and width of the channels [km/s].
    """
    pixel, (_, ny, nx) = cube.pixel / 3600.0, cube.data.shape
    axes = (
        ("RA---TAN", "deg", 0.0, (nx + 1) / 2, -pixel),
        ("DEC--TAN", "deg", 0.0, (ny + 1) / 2, pixel),
        ("VRAD", "m/s", 1e3 * first, 1.0, 1e3 * width),
    )
    header = fits.Header({"OBJECT": cube.name, "BUNIT": cube.unit, "RESTFRQ": HI_FREQUENCY})
    for axis, values in enumerate(axes, start=1):
        names = ("CTYPE", "CUNIT", "CRVAL", "CRPIX", "CDELT")
        header.update({f"{name}{axis}": value for name, value in zip(names, values, strict=True)})
    if cube.beam.major:
        beam = cube.beam
        header.update({"BMAJ": beam.major / 3600.0, "BMIN": beam.minor / 3600.0, "BPA": beam.position_angle})
    return header


def read_cube(
    path: str | Path,
    *,
    beam: tuple[float, float, float] | None = None,
    noise: float | None = None,
    mask: str | Path | None = None,
    cut: CutOut | None = None,
    additive: bool = False,
) -> SkyCube:
    """Read an HI cube.

    Parameters
    ----------
    path : path
        FITS file; the cube is its first image with three axes, in any extension.
    beam : (float, float, float), optional
        Major and minor axis [arcsec] and position angle [deg], where those of the file are missing or wrong.
    noise : float, optional
        Of a voxel [Jy/beam], where it cannot be measured, as in a masked cube.
    mask : path, optional
        FITS file with the same pixels, a cube or a map, positive where there is emission of the galaxy. A tight mask is
        followed; in one that holds noise too, emission is sought.
    cut : CutOut, optional
        What to read; everything by default.
    additive : bool
        Velocities are those of a simulation, to which no factor (1 + z) was applied.

    Raises
    ------
    CubeError
        When it is not a cube of the sky in the HI line, lacks what cannot be guessed, or does not fit into memory.
    """
    path = Path(path)
    if not path.is_file():
        raise CubeError(f"{path} is no file: give the path of an HI cube")
    if noise is not None and not 0 < noise < np.inf:
        raise CubeError(f"{path.name} cannot have a noise of {noise:g} Jy/beam: give a positive one, or leave it out")
    with open_fits(path, CubeError, "fetch it again") as file:
        hdu = _image(file, path, 3, "an HI cube")
        _check_whole(path, hdu)
        hdu.verify("silentfix+ignore")
        header = hdu.header.copy()
        if file[0] is not hdu and file[0].header.get("NAXIS", 0) == 0:  # what it says holds for its extensions
            header.extend(file[0].header, strip=True, unique=True)
        described = describe(path.name, header)
        box = _box(path, header, described, cut or CutOut())
        _check_size(path, header, box)
        matrix, pixel = scale_of(path.name, described.sky, [0.5 * (part.start + part.stop - 1) for part in box[:2]])
        side = pixel * max(int(header[f"NAXIS{axis}"]) for axis in described.axes[:2])
        found = beam_of(path.name, file, header, beam, pixel=pixel, side=side)
        bring = Orientation(described.axes, described.sky, box, matrix, pixel)
        raw = bring.read(hdu, header)
    raw, notes = _without_blanks(raw)
    data = bring(raw, np.nan)
    velocities = described.velocities[box[2]]
    rising = slice(None) if velocities[0] < velocities[-1] else slice(None, None, -1)
    velocities, data = velocities[rising], data[rising]
    if np.min(width := np.diff(velocities)) < 0.95 * np.max(width):
        raise CubeError(
            f"{path.name} has channels of {width.min():.3g} to {width.max():.3g} km/s: read those of the galaxy alone, "
            "with --velocities LOW:HIGH, or regrid it"
        )
    frequency = float(np.median(described.frequencies[box[2]]))
    unit = str(header.get("BUNIT", ""))
    data *= to_jansky(path.name, unit, found, pixel, frequency)
    _check_brightness(path, unit, data, found.jtok_equiv(frequency * u.Hz))
    if not np.any(np.nan_to_num(data)):
        raise CubeError(f"{path.name} is blank everywhere: fetch it again")
    known = Beam(found.major.to_value(u.arcsec), found.minor.to_value(u.arcsec), found.pa.to_value(u.deg))
    if known.minor < pixel:
        notes.append(f"the beam ({known.minor:.3g} arcsec) is narrower than a pixel ({pixel:.3g} arcsec)")
    if bring.turn:
        notes.append(f"the map was turned by {bring.turn:.1f} deg to have North up")
    given = None
    if mask is not None:
        given = _read_mask(Path(mask), bring, header)[rising]
    return cleaned(
        SkyCube(
            name=str(header.get("OBJECT", path.stem)).strip() or path.stem,
            data=data,
            valid=np.ones(data.shape[1:], dtype=bool),
            velocities=velocities,
            pixel=pixel,
            beam=known,
            wcs=bring.wcs,
            notes=(*described.notes, *notes),
            convention=described.convention,
            frame=described.frame,
            additive=additive,
            given_mask=given,
        ),
        noise,
    )


def _image(file: fits.HDUList, path: Path, axes: int, wanted: str) -> Any:
    """The first image with so many axes that are longer than one pixel."""
    images = [hdu for hdu in file if hdu.is_image and hdu.header.get("NAXIS", 0) > 0]
    found = next((hdu for hdu in images if _long_axes(hdu.header) >= axes), None)
    if found is None:
        what = f"images, but none with {'three' if axes == 3 else 'two'} axes" if images else "no image"
        raise CubeError(f"{path.name} holds {what}: give {wanted} in FITS")
    return found


def _long_axes(header: fits.Header) -> int:
    """Number of axes with more than one pixel."""
    return sum(int(header[f"NAXIS{axis}"]) > 1 for axis in range(1, int(header["NAXIS"]) + 1))


def _check_whole(path: Path, hdu: Any) -> None:
    """Refuse a file that ends before the data do."""
    place = hdu.fileinfo()
    with path.open("rb") as begin:
        packed = begin.read(6) != b"SIMPLE"
    if place is None or packed or isinstance(hdu, fits.CompImageHDU):
        return
    missing = place["datLoc"] + hdu.size - path.stat().st_size
    if missing > 0:
        raise CubeError(f"{path.name} is cut off: its last {missing:,} bytes are missing; fetch it again")


def _box(path: Path, header: fits.Header, described: Described, cut: CutOut) -> Box:
    """What is read along right ascension, declination and velocity, in pixels of the file."""
    lengths = [int(header[f"NAXIS{axis}"]) for axis in described.axes]
    parts = [slice(0, length) for length in lengths]
    if cut.velocities is not None:
        low, high = sorted(cut.velocities)
        half = 0.5 * float(np.median(np.abs(np.diff(described.velocities))))
        inside = np.flatnonzero((described.velocities >= low - half) & (described.velocities <= high + half))
        if len(inside) < 3:
            ends = sorted((described.velocities[0], described.velocities[-1]))
            raise CubeError(
                f"{path.name} has {len(inside)} channels from {low:g} to {high:g} km/s; it covers {ends[0]:.0f} to "
                f"{ends[1]:.0f}"
            )
        parts[2] = slice(int(inside[0]), int(inside[-1]) + 1)
    if cut.field is not None:
        if not 0 < cut.field < np.inf:
            raise CubeError(f"{path.name} has no field of {cut.field:g} arcmin: give a positive one (--field)")
        middle = np.array([(length - 1) / 2 for length in lengths[:2]])
        if cut.centre is not None:
            middle = np.array([float(value) for value in described.sky.world_to_pixel(cut.centre)])
            middle[~np.isfinite(middle)] = -1e9  # the other side of the sky
        scale = float(np.sqrt(abs(np.linalg.det(described.sky.pixel_scale_matrix))))
        half = 0.5 * cut.field / 60.0 / scale * np.sqrt(2.0 if is_turned(described.sky.pixel_scale_matrix) else 1.0)
        for k in range(2):
            first = round(middle[k] - (round(2 * half) - 1) / 2)
            low, high = (int(np.clip(end, 0, lengths[k])) for end in (first, first + round(2 * half)))
            if high - low < 8:
                raise CubeError(f"{path.name} has {high - low} pixels within the field asked for: check --centre")
            parts[k] = slice(low, high)
    return parts[0], parts[1], parts[2]


def _check_size(path: Path, header: fits.Header, box: Box) -> None:
    """Refuse what does not fit into memory, before any is taken."""
    wanted = _PER_VOXEL * float(np.prod([float(part.stop - part.start) for part in box]))
    free = _memory()
    if wanted > free:
        raise CubeError(
            f"{path.name} needs {wanted / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free: read a part of it, "
            "with --velocities LOW:HIGH and --field ARCMIN about --centre (read_cube(path, cut=CutOut(...)))"
        )


def _memory() -> float:
    """Memory that this process may still take [bytes]: of the machine, of its limit, and of its control groups."""
    free = [memory()[1]]
    me = psutil.Process()
    if hasattr(psutil, "RLIMIT_AS") and (limit := me.rlimit(psutil.RLIMIT_AS)[0]) > 0:  # -1 stands for none
        free.append(float(limit - me.memory_info().vms))
    return 0.9 * min(free)


def _without_blanks(data: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The data with NaN in place of the numbers that stand for no data, such as -9999 or -1e30."""
    if data.dtype.kind != "f":
        data = data.astype(np.float32)
    finite = data[np.isfinite(data)]
    if not finite.size:
        return data, []
    few = finite[:: max(1, finite.size // 1_000_000)]
    middle = np.median(few)
    spread = (
        np.median(np.abs(few - middle)) or np.median(np.abs(few[few != middle] - middle))
        if np.any(few != middle)
        else 0.0
    )
    notes, out = [], data
    for extreme in (finite.min(), finite.max()):
        # The same impossible number again and again: far beyond the noise, or beyond any brightness.
        often = np.count_nonzero(finite == extreme)
        if abs(extreme) > 1e10 or (often >= 10 and abs(extreme) > 500.0 and abs(extreme - middle) > 1e3 * spread):
            far = np.abs(out) > 1e10 if abs(extreme) > 1e10 else out == extreme
            out = np.where(far, np.nan, out)
            notes.append(f"{np.count_nonzero(far):,} voxels of {extreme:g} are taken for blank")
    return out, notes


def _check_brightness(path: Path, unit: str, data: np.ndarray, kelvin: u.Equivalency) -> None:
    """Refuse a typical brightness that neither gas nor noise has, as of mJy taken for MJy."""
    seen = np.abs(data[np.isfinite(data) & (data != 0)][::7])
    if seen.size and (bright := float((np.median(seen) * u.Jy).to_value(u.K, kelvin))) > MAX_BRIGHTNESS:
        raise CubeError(f"{path.name} would be {bright:.1g} K bright in '{unit}' (BUNIT): correct the unit")


def _read_mask(path: Path, bring: Orientation, header: fits.Header) -> np.ndarray:
    """A mask with the pixels of the cube, bool of shape (velocity, y, x)."""
    axes = bring.axes
    with open_fits(path, CubeError, "fetch it again") as file:
        hdu = _image(file, path, 2, "a mask")
        sizes = [int(hdu.header.get(f"NAXIS{k}", 1)) for k in range(1, 5)]
        wanted = [int(header[f"NAXIS{axis}"]) for axis in axes]
        own = fits.Header({f"NAXIS{k + 1}": sizes[k] for k in range(int(hdu.header["NAXIS"]))})
        own["NAXIS"] = int(hdu.header["NAXIS"])
        if [sizes[axis - 1] for axis in axes] == wanted:
            data = bring.read(hdu, own)
        elif [sizes[axis - 1] for axis in axes[:2]] == wanted[:2] and sizes[axes[2] - 1] == 1:
            data = bring.read(hdu, own, channels=False)
            data = np.broadcast_to(data, (bring.box[2].stop - bring.box[2].start, *data.shape[1:]))
        else:
            raise CubeError(f"{path.name} has {sizes} pixels, and the cube {wanted}: give a mask of the same grid")
        for axis in axes:
            cards = [f"{card}{axis}" for card in ("CUNIT", "CRVAL", "CRPIX", "CDELT")]
            (unit, *own), (its_unit, *its) = ([one.get(card) for card in cards] for one in (hdu.header, header))
            if sizes[axis - 1] == 1 or unit != its_unit or None in (*own, *its):
                continue  # without these cards, the place of a mask is that of the cube
            ends = [v + (np.array([1, sizes[axis - 1]]) - p) * d for v, p, d in (map(float, own), map(float, its))]
            if np.abs(ends[0] - ends[1]).max() > 0.5 * abs(float(its[2])):
                raise CubeError(
                    f"{path.name} lies elsewhere along {header[f'CTYPE{axis}']}: give a mask of the same grid"
                )
    return bring((np.nan_to_num(data) > 0).astype(float), 0.0) > 0.5
