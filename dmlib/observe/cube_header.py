"""What the header of an HI cube says: its place on the sky, velocities, beam and unit, as astropy reads them.

`astropy.wcs` knows the ways in which scale, turn, projection and frame are written (CDELT with CROTA, PC or CD
matrices, AIPS names of spectral axes), `SpectralCoord` the velocity conventions, `astropy.units` the units. What is
left for here is the spelling that none of them reads, and plausibility: a header that cannot be that of an HI cube is
refused, with a sentence that names the card and the mend.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

import numpy as np
from astropy import constants
from astropy import units as u
from astropy.coordinates import SpectralCoord
from astropy.io import fits
from astropy.wcs import WCS, WCSSUB_LATITUDE, WCSSUB_LONGITUDE, FITSFixedWarning
from astropy.wcs.utils import wcs_to_celestial_frame

from .cube_pixels import CubeError, given, number_of, unit_of

#: Rest frequency of the line [Hz]
HI_FREQUENCY = 1.420405751e9

#: Speed of light [km/s]
LIGHT = constants.c.to_value(u.km / u.s)

#: Redshifts of the channels that are taken for HI.
REDSHIFTS = (-0.01, 1.5)

#: Channel widths of such a cube [km/s].
_CHANNELS = (0.02, 150.0)

#: Velocity convention by the first letters of the axis.
_CONVENTIONS = {
    "VRAD": "radio",
    "VOPT": "optical",
    "WAVE": "optical",
    "AWAV": "optical",
    "ZOPT": "optical",
    "VELO": "relativistic",
    "BETA": "relativistic",
}


@dataclass(frozen=True)
class Described:
    """A cube as its header describes it.

    Parameters
    ----------
    axes : (int, int, int)
        FITS numbers of the axes of right ascension, declination and velocity.
    sky : WCS
        Of the two sky axes, in this order.
    velocities : ndarray, shape (n,)
        Of the channels, in the file's order [km/s].
    frequencies : ndarray, shape (n,)
        The same [Hz].
    convention : str
        ``radio``, ``optical`` or ``relativistic``.
    frame : str
        Of the velocities, SPECSYS; "" where it is not given.
    notes : tuple of str
        What had to be assumed.
    """

    axes: tuple[int, int, int]
    sky: WCS
    velocities: np.ndarray
    frequencies: np.ndarray
    convention: str
    frame: str
    notes: tuple[str, ...]


def describe(name: str, header: fits.Header) -> Described:
    """Sky and velocities of a cube.

    Parameters
    ----------
    name : str
        Of the file, for errors.
    header : Header

    Raises
    ------
    CubeError
        When it is not a cube of the sky in the HI line, or lacks what cannot be guessed.
    """
    header, notes = _cards(name, header)
    if said := _channel_unit(name, header):
        notes.append(said)
    _check_scales(name, header)
    wcs = world(name, header)
    axes = _axes(name, header, wcs)
    try:
        sky, spectral = wcs.sub([WCSSUB_LONGITUDE, WCSSUB_LATITUDE]), wcs.sub([axes[2]])
    except ValueError as error:
        raise CubeError(f"{name}: PC or CD cards mix its velocity axis with the sky: regrid it") from error
    _check_frame(name, sky)
    _check_turn(name, header, axes)
    kind = str(spectral.wcs.ctype[0]).strip()
    if kind[:4] in ("AWAV", "ZOPT", "BETA"):  # unknown to SpectralCoord
        spectral.wcs.sptr("FREQ-???")
    n = int(header[f"NAXIS{axes[2]}"])
    values = spectral.wcs_pix2world(np.arange(n)[:, None], 0)[:, 0] * spectral.wcs.cunit[0]
    velocities, frequencies, convention, more = _velocities(name, header, axes[2], values, kind)
    frame = str(wcs.wcs.specsys).strip()
    if not frame:
        more.append("the frame of the velocities is not given (SPECSYS): they may be off by up to 30 km/s as a whole")
    elif frame in ("TOPOCENT", "GEOCENTR"):
        more.append(f"velocities are {frame.lower()}ric: up to 30 km/s from the barycentric ones")
    if str(sky.wcs.ctype[0]).startswith("GLON"):
        more.append("the map is in galactic coordinates: position angles are measured from galactic North")
    return Described(axes, sky, velocities, frequencies, convention, frame, (*notes, *more))


def _cards(name: str, header: fits.Header) -> tuple[fits.Header, list[str]]:
    """The cards that place a cube, with numbers as numbers and names as the standard spells them."""
    out, notes = fits.Header(), list[str]()
    n = int(header.get("NAXIS", 0))
    numeric = re.compile(
        r"(CRVAL|CRPIX|CDELT|CROTA|NAXIS)\d+|(PC|CD)\d+_\d+|PC\d{6}|PV\d+_\d+|(LON|LAT)POLE|EQUINOX|EPOCH"
        r"|VELREF|NAXIS|REST(FRQ|FREQ|WAV)|FREQ0"
    )
    for key in dict.fromkeys(header.keys()):
        if not given(header, key):
            continue
        if key in ("EQUINOX", "EPOCH") and re.fullmatch(r"[JB]\d+(\.\d*)?", str(header[key]).strip().upper()):
            out[key] = float(str(header[key]).strip()[1:])
        elif numeric.fullmatch(key):
            out[key] = number_of(name, header, key)
            if key.startswith("CDELT") and out[key] == 0 and header.get(f"NAXIS{key[5:]}") == 1:
                out[key] = 1.0  # an axis of one plane needs no scale, and astropy wants one
        elif re.fullmatch(r"CTYPE\d+", key):
            out[key] = _axis_name(str(header[key]))
            ending = str(header[key]).strip().upper().rpartition("-")[2]
            if ending in _FRAMES and not out[key].endswith(ending) and not given(header, "SPECSYS"):
                out["SPECSYS"] = _FRAMES[ending]
        elif key in ("RADESYS", "RADECSYS"):
            out[key] = str(header[key]).strip().upper()
        elif key == "SPECSYS" or (re.fullmatch(r"SPECSYS\d", key) and not given(header, "SPECSYS")):  # of CARACal
            frame = str(header[key]).strip().upper()
            out["SPECSYS"] = _FRAMES.get(frame, frame[:8])
    if "RADECSYS" in out:
        out.setdefault("RADESYS", out.pop("RADECSYS"))
    if "RADESYS" in out:
        out["RADESYS"] = {"J2000": "FK5", "B1950": "FK4"}.get(out["RADESYS"].removesuffix(".0"), out["RADESYS"])
    for axis in range(1, n + 1):
        if not given(header, f"CUNIT{axis}"):
            continue
        unit = unit_of(text := str(header[f"CUNIT{axis}"]).strip())
        if isinstance(unit, u.UnrecognizedUnit):
            if int(header[f"NAXIS{axis}"]) > 1:
                raise CubeError(f"{name}: its axis {axis} is in '{text}': set CUNIT{axis} to a unit of astropy")
            continue
        out[f"CUNIT{axis}"] = unit.to_string("fits")
    # A CD matrix with rows for the sky alone leaves the width of the channels to CDELT.
    if any(key.startswith("CD") and "_" in key for key in out):
        for axis in range(1, n + 1):
            if not any(f"CD{axis}_{k}" in out for k in range(1, n + 1)) and f"CDELT{axis}" in out:
                out[f"CD{axis}_{axis}"] = out[f"CDELT{axis}"]
    rest = _rest_frequency(name, out, notes)
    for key in ("RESTFREQ", "FREQ0", "RESTWAV"):
        out.remove(key, ignore_missing=True)
    out["RESTFRQ"] = rest
    return out, notes


#: Frames that follow the name of a spectral axis.
_FRAMES = {"LSR": "LSRK", "LSRK": "LSRK", "HEL": "BARYCENT", "BAR": "BARYCENT", "BARY": "BARYCENT", "TOP": "TOPOCENT"}


def _axis_name(text: str) -> str:
    """A CTYPE as the standard spells it; the frame in the name of a spectral axis is left to SPECSYS."""
    text = text.strip().upper()
    if place := re.fullmatch(r"(RA|DEC|GLON|GLAT)(?:-+(\w{3}))?", text):
        return f"{place[1]:-<5}{place[2] or 'TAN'}"  # without a projection: a small field on the tangent plane
    kind, _, ending = text.partition("-")
    kind = {"VELOCITY": "VELO", "VEL": "VELO", "FREQUENCY": "FREQ"}.get(kind, kind)
    if kind not in ("FREQ", "VELO", "VRAD", "VOPT", "FELO"):
        return text
    # AIPS's names, which wcslib translates with the convention that they imply, and algorithms as F2W.
    if kind in ("FREQ", "VELO", "FELO") and ending[:3] in ("HEL", "LSR", "OBS"):
        return f"{kind}-{ending[:3]}"
    return text if re.fullmatch("[FWVA]2[FWVA]|LOG|TAB", ending) else kind


def _rest_frequency(name: str, header: fits.Header, notes: list[str]) -> float:
    """Rest frequency of the line [Hz]: that of HI, or the cube is refused."""
    rest = next((float(header[key]) for key in ("RESTFRQ", "RESTFREQ", "FREQ0") if header.get(key)), 0.0)
    if not rest and header.get("RESTWAV"):
        rest = 1e3 * LIGHT / float(header["RESTWAV"])
    if not rest:
        notes.append("no rest frequency is given; that of HI is taken")
        return HI_FREQUENCY
    for factor, unit in ((1e3, "kHz"), (1e6, "MHz"), (1e9, "GHz")):
        if abs(rest * factor / HI_FREQUENCY - 1) < 1e-3:
            notes.append(f"the rest frequency {rest:g} is taken in {unit}")
            return rest * factor
    if abs(rest / HI_FREQUENCY - 1) > 1e-3:
        raise CubeError(f"{name} is of a line at {rest / 1e9:.4f} GHz, not of HI (1.4204 GHz): RESTFRQ says so")
    return rest


def _channel_unit(name: str, header: fits.Header) -> str:
    """Set the unit of the channels where the header has none, from their values; say so."""
    for axis in range(1, int(header.get("NAXIS", 0)) + 1):
        kind = str(header.get(f"CTYPE{axis}", ""))
        if f"CUNIT{axis}" in header or not kind.startswith(("FREQ", "VELO", "VRAD", "VOPT", "FELO")):
            continue
        step = header.get(f"CD{axis}_{axis}", header.get(f"PC{axis}_{axis}", 1.0) * header.get(f"CDELT{axis}", 1.0))
        ends = [
            header.get(f"CRVAL{axis}", 0.0) + step * (k - header.get(f"CRPIX{axis}", 1.0))
            for k in (1, header.get(f"NAXIS{axis}", 1))
        ]
        largest = max(map(abs, ends))
        if kind.startswith("FREQ"):
            low, high = HI_FREQUENCY / (1 + REDSHIFTS[1]), HI_FREQUENCY / (1 + REDSHIFTS[0])
            unit = next((name for name in ("kHz", "MHz", "GHz") if low < largest * u.Unit(name).to(u.Hz) < high), "Hz")
        else:
            # A band of HI spans more than 50 km/s, and HI is not observed beyond 50,000 km/s in such units.
            unit = "km/s" if largest < 5e4 else "m/s"
        header[f"CUNIT{axis}"] = unit
        if unit != "Hz":
            return f"the unit of the channels is not given (CUNIT{axis}); {unit} is taken, from their values"
    return ""


def world(name: str, header: fits.Header) -> WCS:
    """World coordinates of a file; a `CubeError` that names it where they cannot be read."""
    try:
        with warnings.catch_warnings():
            # wcslib says what it translates: the NCP projection, AIPS' names of velocities, old dates.
            warnings.simplefilter("ignore", FITSFixedWarning)
            return WCS(header, fix=True).deepcopy()  # which meets what wcslib finds only on use
    except (ValueError, MemoryError, RuntimeError, fits.VerifyError) as error:
        said = re.sub(r"ERROR \d+ in \w+\(\) at line \d+ of file [^:]+:", "", " ".join(str(error).split())).strip(" .")
        raise CubeError(f"{name}: its header does not give world coordinates ({said}): correct it") from error


def _axes(name: str, header: fits.Header, wcs: WCS) -> tuple[int, int, int]:
    """FITS numbers of the axes of right ascension, declination and velocity."""
    kinds = [str(header.get(f"CTYPE{k}", "")) or "(none)" for k in range(1, int(header["NAXIS"]) + 1)]
    found = (wcs.wcs.lng, wcs.wcs.lat, wcs.wcs.spec)
    for what, axis in zip(("right ascension", "declination", "velocity or frequency"), found, strict=True):
        if axis < 0:
            raise CubeError(
                f"{name} has no {what} axis ({', '.join(kinds)}): give a cube with axes of sky and velocity, named in "
                "CTYPE"
            )
    ra, dec, velocity = (int(axis) + 1 for axis in found)
    for axis, kind in enumerate(kinds, start=1):
        length = int(header[f"NAXIS{axis}"])
        if axis not in (ra, dec, velocity) and length != 1:
            raise CubeError(
                f"{name} has {length} planes along {kind if kind != '(none)' else f'axis {axis}'}: choose one, such as "
                "Stokes I"
            )
    return ra, dec, velocity


def _check_frame(name: str, sky: WCS) -> None:
    """Refuse a frame of the sky in which astropy knows no place."""
    kind = str(sky.wcs.ctype[0])
    known = kind.startswith(("RA", "GLON"))
    try:
        wcs_to_celestial_frame(sky)
    except ValueError:
        known = False
    if not known:
        raise CubeError(
            f"{name}: its sky has axes {kind} in the frame '{sky.wcs.radesys}' (RADESYS): it must be equatorial (ICRS, "
            "FK5, FK4) or galactic; correct the card, or regrid it"
        )


def _check_scales(name: str, header: fits.Header) -> None:
    """Refuse axes without a scale, for which astropy would take 1."""
    for axis in range(1, int(header["NAXIS"]) + 1):
        kind = str(header.get(f"CTYPE{axis}", ""))
        scaled = [key for key in header if re.fullmatch(rf"CDELT{axis}|(PC|CD)0*{axis}_?0*\d+", key)]
        if int(header[f"NAXIS{axis}"]) > 1 and (not scaled or header.get(f"CDELT{axis}", 1.0) == 0):
            what = "large its pixels are" if kind.startswith(("RA", "DEC", "GL")) else "wide its channels are"
            raise CubeError(f"{name} does not say how {what}: set CDELT{axis}")
        if kind.startswith(("FREQ", "VELO", "VRAD", "VOPT", "FELO")) and f"CRVAL{axis}" not in header:
            raise CubeError(f"{name} does not say at which velocity its channels are: set CRVAL{axis} and CRPIX{axis}")


def _check_turn(name: str, header: fits.Header, axes: tuple[int, int, int]) -> None:
    """Refuse a turn that the standard does not define."""
    ra, dec = (float(header.get(f"CROTA{axis}", 0.0)) for axis in axes[:2])
    if ra and abs(ra - dec) > 0.1:
        raise CubeError(
            f"{name} has CROTA{axes[0]} = {ra:g}, CROTA{axes[1]} = {dec:g}: only the latter may turn a map; set it, or "
            "remove both"
        )


def _velocities(
    name: str, header: fits.Header, axis: int, values: u.Quantity, kind: str
) -> tuple[np.ndarray, np.ndarray, str, list[str]]:
    """Velocities of the channels [km/s], their frequencies [Hz], the convention, and notes."""
    convention = _CONVENTIONS.get(kind[:4], "radio")
    rest = float(header["RESTFRQ"]) * u.Hz
    notes: list[str] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            channels = SpectralCoord(values, doppler_rest=rest, doppler_convention=convention)
            frequency = channels.to_value(u.Hz)
            velocities = channels.to_value(u.km / u.s)
    except (u.UnitsError, ValueError) as error:
        raise CubeError(f"{name}: channels in '{values.unit}' (CTYPE{axis} = {kind}): set CUNIT{axis}") from error
    with np.errstate(divide="ignore", invalid="ignore"):
        redshift = rest.value / frequency - 1
    if not np.all((redshift > REDSHIFTS[0]) & (redshift < REDSHIFTS[1])):
        middle = float(np.median(frequency))
        raise CubeError(
            f"{name}: its channels lie at {middle / 1e9:.6g} GHz, {np.median(velocities):.6g} km/s for HI: it is "
            f"another line, or CRVAL{axis}, CDELT{axis} or CUNIT{axis} is wrong"
        )
    width = abs(np.diff(velocities)) if len(velocities) > 1 else np.zeros(1)
    if not width.min() > 0:
        raise CubeError(f"{name} does not say how wide its channels are: set CDELT{axis}")
    if len(velocities) < 3:
        raise CubeError(f"{name} has {len(velocities)} channels, too few for moments: give the whole cube")
    if not (_CHANNELS[0] <= width.min() and width.max() <= _CHANNELS[1]):
        raise CubeError(
            f"{name} has channels of {width.max():.3g} km/s: CDELT{axis} or CUNIT{axis} is wrong, or it is not a "
            "galaxy's HI"
        )
    written = str(header[f"CTYPE{axis}"])
    if written.startswith("VELO") and "VELREF" not in header and abs(np.median(velocities)) > 1000.0:
        z = float(np.median(redshift))
        notes.append(
            f"CTYPE{axis} = '{written}' does not say whether velocities are radio or optical; {convention} ones are "
            f"taken, and speeds differ by up to {(1 + z) ** 2 - 1:.1%} between the two"
        )
    return velocities, frequency, convention, notes
