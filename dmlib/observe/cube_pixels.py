"""The pixels of HI cubes: their unit, their beam, and their orientation on the sky.

Units and beams are read from headers, tables and histories in the spellings of every program; the pixels are brought to
one orientation, North up, West to the right, velocities first. The beams, their areas and the scale of brightness are
those of `radio_beam`; what it does not read, or takes for something else, is brought to its form here.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.wcs import WCS
from scipy import ndimage

from ..errors import DmlibError

if TYPE_CHECKING:
    from radio_beam import Beam, Beams

#: Axes that a beam may have [arcsec].
_BEAMS = (0.05, 3600.0)

#: Largest difference between the beams of the channels, relative; they are then taken as one.
_SAME_BEAM = 0.05

_GIVE = "give it: --beam MAJOR,MINOR,PA, in arcsec and deg (read_cube(path, beam=...))"

#: Words of units, in lower case, as astropy spells them.
_WORDS = {
    **{word: "deg" for word in ("degree", "degrees", "degs")},
    **{word: "beam" for word in ("beam", "beams", "bm")},
    **{word: "pix" for word in ("pixel", "pixels", "pix")},
    **{word: "K" for word in ("k", "kelvin", "kelvins")},
    **{word: "m" for word in ("m", "metre", "meter", "metres", "meters")},
    **{word: "s" for word in ("s", "sec", "second", "seconds")},
    **{"jy": "Jy", "jansky": "Jy", "ujy": "uJy", "hz": "Hz", "khz": "kHz", "ghz": "GHz", "km": "km", "rad": "rad"},
    **{"hertz": "Hz", "millijy": "mJy", "millijansky": "mJy", "microjy": "uJy"},
    **{"arcsec": "arcsec", "arcseconds": "arcsec", "arcmin": "arcmin", "deg": "deg", "sr": "sr"},
}

#: Cards of a beam, by the arcsec that they count.
_BEAM_CARDS = (
    (3600.0, ("BMAJ", "BMIN", "BPA")),
    (1.0, ("BMMAJ", "BMMIN", "BMPA")),
    (1.0, ("CLBMMAJ", "CLBMMIN", "CLBMPA")),
)

#: Beams in histories: of AIPS and CASA, and of Miriad.
_NUMBER = r"[\s=:]+([-+]?\d*\.?\d+(?:[ED][-+]?\d+)?)"
_CLEAN_BEAM = re.compile(rf"BMAJ{_NUMBER}[\s\S]{{0,40}}?BMIN{_NUMBER}(?:[\s\S]{{0,40}}?BPA{_NUMBER})?", re.IGNORECASE)
_MIRIAD_BEAM = re.compile(
    r"(?:beam|restoration)[\s=:]+(?:of\s+)?([\d.]+(?:E[-+]?\d+)?)\s*(?:x|by)\s*([\d.]+(?:E[-+]?\d+)?)\s*\(?arcsec"
    r"(?:[\s\S]{0,20}?p\.?a\.?[\s=:]+([-+]?[\d.]+))?",
    re.IGNORECASE,
)


class CubeError(DmlibError):
    """A FITS file that cannot be read as an HI cube; names the file, what is wrong, and the mend."""


def unit_of(text: str) -> u.UnitBase:
    """A unit of a header, in any usual spelling; an unrecognised one where it cannot be told.

    ``Jy beam^-1``, ``JY/BEAM``, ``K (Tmb)``, ``km.s-1`` are read; ``MJY/BEAM`` may be milli or mega, and is not.
    """
    text = re.sub(r"\([^()]*[A-Za-z][^()]*\)", "", str(text)).strip("[]'\" ")
    if text.upper().replace(".", "") == "WU":
        return u.Unit(5.0 * u.mJy / u.beam)  # Westerbork unit, of GIPSY
    text = re.sub(r"(?<![A-Za-z])(k?m)s(?=\s*\^?\*{0,2}-1)", r"\1 s", text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", u.UnitsWarning)
        exact = u.Unit(text.replace("^", "**"), parse_strict="silent")
    if not isinstance(exact, u.UnrecognizedUnit) and text:
        return exact

    def word(match: re.Match) -> str:
        found = match[0]
        lower = found.lower()
        if lower in ("mjy", "mk", "mhz"):  # milli and mega differ by the case of one letter
            small = {"mjy": "mJy", "mk": "mK", "mhz": "MHz"}[lower]
            return small if found[0] == small[0] or lower == "mhz" else found
        return _WORDS.get(lower, found)

    spelled = re.sub(r"[A-Za-z]+", word, text)
    spelled = re.sub(r"\s*\^\s*", "**", spelled)
    spelled = re.sub(r"\s*([/*.])\s*", r"\1", spelled).replace("**", "^")
    spelled = re.sub(r"(?<=[A-Za-z])\s*\^?\s*(?=-?\d)", "", spelled)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", u.UnitsWarning)
        return u.Unit(re.sub(r"\s+", " ", spelled), parse_strict="silent")


def number_of(name: str, header: fits.Header, key: str) -> float | int:
    """The number of a card, which may stand there as text.

    Raises
    ------
    CubeError
        When it is none.
    """
    value = header[key]
    try:
        number = float(str(value).replace("D", "E")) if isinstance(value, str) else value
        if not np.isfinite(number):
            raise ValueError
    except (TypeError, ValueError):
        raise CubeError(f"{name}: its card {key} is '{value}', not a number: correct the header") from None
    return number


def given(header: fits.Header, key: str) -> bool:
    """Whether a card is there and not empty."""
    return header.get(key) is not None and str(header[key]).strip() != ""


def beam_of(
    name: str, file: fits.HDUList, header: fits.Header, known: tuple[float, float, float] | None, **how: float
) -> Beam:
    """The beam of a cube: as given, from its table of beams, from BMAJ, or from the history of AIPS, CASA or Miriad.

    Parameters
    ----------
    name : str
        Of the file, for errors.
    file : HDUList
    header : Header
        Of the cube.
    known : (float, float, float) or None
        Axes [arcsec] and position angle [deg] instead of those of the file.
    **how : float
        ``pixel`` and ``side``: of a pixel, and of the map [arcsec].

    Raises
    ------
    CubeError
        When there is none, when it is impossible, or when it varies from channel to channel.
    """
    if known is not None:
        return _plausible(name, "--beam", *known, **how)
    # A catalogue of sources may have columns of these names too.
    sure = not any("BMAJ" in one for one in (header, file[0].header))
    for hdu in reversed(file):
        named = sure or hdu.name.strip() in ("", "BEAMS", "AIPS CG")
        if isinstance(hdu, fits.BinTableHDU) and named and (beams := _table_of_beams(name, hdu)) is not None:
            return _plausible(name, "its table of beams", *_one_beam(name, beams), **how)
    for one in (header, file[0].header):
        # The standard's cards are in degrees, those of GIPSY in arcsec.
        for scale, keys in _BEAM_CARDS:
            if keys[0] in one:
                major, minor, angle = (float(number_of(name, one, k)) if given(one, k) else 0.0 for k in keys)
                return _plausible(name, keys[0], scale * major, scale * (minor or major), angle, **how)
    said = "\n".join(str(line) for one in (header, file[0].header) for line in one.get("HISTORY", []))
    # `radio_beam.Beam.from_fits_history` reads AIPS's line only with a blank on either side of every number and with
    # BPA, takes a beam in arcsec (CONVL) for one in degrees, prefers CASA's even to a later one, and knows no Miriad.
    found = max([*_CLEAN_BEAM.finditer(said), *_MIRIAD_BEAM.finditer(said)], key=lambda at: at.start(), default=None)
    if found is None:
        raise CubeError(f"{name} does not give its beam: {_GIVE}")
    major, minor, angle = (float(value.upper().replace("D", "E")) if value else 0.0 for value in found.groups())
    # AIPS writes the beam of CLEAN in degrees, and what the user asked of it in arcsec.
    scale = 3600.0 if found.re is _CLEAN_BEAM and major < 0.1 else 1.0
    return _plausible(name, "its history", scale * major, scale * minor, angle, **how)


def _table_of_beams(name: str, table: fits.BinTableHDU) -> Beams | None:
    """The beams of the channels, in a table as CASA and AIPS write it; None where it is another table."""
    from radio_beam import Beams

    # `Beams.from_fits_bintable` needs names in capitals, the column BPA, and units as astropy spells them.
    columns = {column.name.upper(): column for column in table.columns}
    if table.data is None or not {"BMAJ", "BMIN"} <= set(columns):
        return None
    values = []
    for key, unit in (("BMAJ", u.arcsec), ("BMIN", u.arcsec), ("BPA", u.deg)):
        if (column := columns.get(key)) is None:
            values.append(np.zeros(len(table.data)) * unit)
            continue
        stated = unit_of(column.unit) if column.unit else unit
        if not stated.is_equivalent(unit):
            raise CubeError(f"{name}: its table of beams has {key} in '{column.unit}': correct it")
        values.append(table.data[column.name] * stated)
    try:
        beams = Beams(*values)
    except ValueError as error:
        raise CubeError(f"{name}: its table of beams cannot be right ({str(error).strip('.')}): {_GIVE}") from error
    if not beams.isfinite.any():
        raise CubeError(f"{name}: its table of beams has no beam: {_GIVE}")
    return beams[beams.isfinite]  # a channel without data has none


def _one_beam(name: str, beams: Beams) -> tuple[float, float, float]:
    """The beam of all channels [arcsec, deg], if they have the same."""
    axes = np.stack([beams.major.to_value(u.arcsec), beams.minor.to_value(u.arcsec)], axis=1)
    long, short = np.median(axes, axis=0)
    # An elliptical beam that turns: the parts of its axes along North and East. `Beams.average_beam` takes position
    # angles for directions, so that 179 and 1 deg give 90.
    turn = np.exp(2j * beams.pa.to_value(u.rad)) * (1 - short / long)
    spread = np.ptp(axes, axis=0) / (long, short)
    if spread.max() > _SAME_BEAM or max(np.ptp(turn.real), np.ptp(turn.imag)) > 2 * _SAME_BEAM:
        (low, _), (high, _) = axes.min(axis=0), axes.max(axis=0)
        first, last = beams.pa.to_value(u.deg).min(), beams.pa.to_value(u.deg).max()
        raise CubeError(
            f"{name}: its beam varies from {low:.3g} to {high:.3g} arcsec, at {first:.0f} to {last:.0f} deg: convolve "
            "it to a common beam"
        )
    return float(long), float(short), float(np.degrees(np.angle(turn.sum() or 1.0)) / 2)


def _plausible(name: str, where: str, major: float, minor: float, angle: float, *, pixel: float, side: float) -> Beam:
    """A beam [arcsec, deg] that a map can have; `where` it was read is named in the error."""
    from radio_beam import Beam

    if not (_BEAMS[0] <= minor <= major * 1.001 and major <= min(_BEAMS[1], side) and np.isfinite(angle)):
        hint = ""
        if where == "BMAJ" and _BEAMS[0] <= major / 3600 <= side:
            hint = " (BMAJ is in degrees; it looks like arcsec)"
        raise CubeError(
            f"{name}: {where} gives a beam of {major:.3g} by {minor:.3g} arcsec on a map of {side:.3g} arcsec{hint}: "
            f"{_GIVE}"
        )
    if major < 0.3 * pixel:
        raise CubeError(f"{name}: {where} gives a beam of {major:.3g} arcsec, far below a pixel ({pixel:.3g}): {_GIVE}")
    return Beam(max(major, minor) * u.arcsec, minor * u.arcsec, angle * u.deg)


def to_jansky(name: str, text: str, beam: Beam, pixel: float, frequency: float) -> float:
    """Jy/beam per unit of the data.

    Parameters
    ----------
    name : str
        Of the file, for errors.
    text : str
        The card BUNIT.
    beam : radio_beam.Beam
    pixel : float
        [arcsec]
    frequency : float
        Of the line as observed [Hz].
    """
    unit, wanted = unit_of(text), u.Jy / u.beam
    if unit.is_equivalent(per_pixel := u.Jy / u.pix):
        return float(unit.to(per_pixel) * (beam.sr / (pixel * u.arcsec) ** 2).to_value(u.one))
    try:
        return float(unit.to(wanted, equivalencies=beam.beamarea_equiv + beam.jtok_equiv(frequency * u.Hz)))
    except ValueError:
        raise CubeError(f"{name} is in '{text}' (BUNIT): Jy/beam or K is needed; set BUNIT if it is that") from None


#: Turn of a map against North that is neglected [deg].
_UPRIGHT = 0.5

#: Slices along right ascension, declination and velocity.
Box = tuple[slice, slice, slice]


def scale_of(name: str, sky: WCS, middle: list[float]) -> tuple[np.ndarray, float]:
    """From steps of a pixel along the two axes to degrees West and North, shape (2, 2), and the side of a pixel ["].

    The matrix of the header holds where its projection begins; far from there, `middle` [pixels], pixels may differ.
    """
    matrix = np.array([[-1.0], [1.0]]) * sky.pixel_scale_matrix
    width, height = 3600.0 * np.sqrt(np.sum(matrix**2, axis=0))
    if abs(width / height - 1) > 0.01 or abs(np.sum(matrix[:, 0] * matrix[:, 1])) > 0.01 * abs(np.linalg.det(matrix)):
        raise CubeError(f"{name} has pixels of {width:.3g} by {height:.3g} arcsec: regrid it to square ones")
    if not 0.01 <= width <= 600.0:
        raise CubeError(f"{name} has pixels of {width:.4g} arcsec: CDELT or CUNIT of its sky axes is wrong (deg)")
    x, y = middle
    places = sky.pixel_to_world([x - 1, x + 1, x, x], [y, y, y - 1, y + 1])
    there = places[::2].separation(places[1::2]).arcsec / 2
    if not np.all(abs(there / width - 1) < 0.01):
        raise CubeError(
            f"{name} has pixels of {there[0]:.3g} by {there[1]:.3g} arcsec where it is read, not of {width:.3g}: its "
            "projection begins too far away (CRVAL); regrid it about the galaxy"
        )
    return matrix, float(width)


def is_turned(matrix: np.ndarray) -> bool:
    """Whether neither axis of the pixels points North, to `_UPRIGHT`."""
    return float(np.degrees(np.min(np.abs(np.arctan2(*np.sort(np.abs(matrix[:, 0]))))))) > _UPRIGHT


class Orientation:
    """Bring arrays of the file to (velocity, North, West), North up and West to the right."""

    def __init__(self, axes: tuple[int, int, int], sky: WCS, box: Box, matrix: np.ndarray, pixel: float):
        self.axes, self.box = axes, box
        unit = matrix * 3600.0 / pixel  # a turn, perhaps mirrored: pixels -> West, North in pixels
        lengths = np.array([part.stop - part.start for part in box[:2]])
        middle = (lengths - 1) / 2
        self.turn = float(np.degrees(np.arctan2(-unit[0, 1], unit[1, 1]))) if is_turned(matrix) else 0.0
        if not self.turn:
            unit = np.round(unit)
        shape = np.ceil(np.abs(unit) @ lengths)
        self.unit, self.shape = unit, (int(shape[1]), int(shape[0]))
        new = np.array([(shape[0] - 1) / 2, (shape[1] - 1) / 2])
        self._offset = middle - unit.T @ new
        old = sky.wcs
        self.wcs = WCS(naxis=2)
        for key in ("ctype", "crval", "cunit", "radesys", "equinox", "lonpole", "latpole"):
            setattr(self.wcs.wcs, key, getattr(old, key))
        self.wcs.wcs.set_pv(old.get_pv())
        self.wcs.wcs.cdelt = [-pixel / 3600.0, pixel / 3600.0]
        start = np.array([box[0].start, box[1].start])
        self.wcs.wcs.crpix = unit @ (old.crpix - 1 - start - middle) + new + 1
        self.wcs.wcs.set()

    def read(self, hdu: Any, header: fits.Header, channels: bool = True) -> np.ndarray:
        """The part of an image that is wanted, as (velocity, second axis, first axis)."""
        n = int(header["NAXIS"])
        axes = self.axes if channels else self.axes[:2]
        parts: list[Any] = [slice(0, 1)] * n
        for axis, part in zip(axes, self.box, strict=False):
            parts[n - axis] = part
        data = np.asarray(hdu.section[tuple(parts)])
        left = [axis for axis in range(n, 0, -1) if axis in axes]
        data = data.reshape([data.shape[n - axis] for axis in left])
        data = data.transpose([left.index(axis) for axis in reversed(axes)])
        return data if channels else data[None]

    def __call__(self, data: np.ndarray, blank: float) -> np.ndarray:
        """Flip, or turn, the sky axes; `blank` lies outside the map."""
        if not self.turn:
            if self.unit[0, 0] == 0:
                data = data.transpose(0, 2, 1)
                signs = self.unit[0, 1], self.unit[1, 0]
            else:
                signs = self.unit[0, 0], self.unit[1, 1]
            return np.array(data[:, :: int(signs[1]), :: int(signs[0])], dtype=float)
        # ndimage counts (row, column) = (y, x).
        inverse, offset = self.unit.T[::-1, ::-1], self._offset[::-1]
        out = np.full((len(data), *self.shape), blank)
        how: dict[str, Any] = {"offset": offset, "output_shape": self.shape}
        for k, channel in enumerate(data):
            bad = ~np.isfinite(channel)
            turned = ndimage.affine_transform(np.where(bad, 0.0, channel).astype(float), inverse, order=3, **how)
            lost = ndimage.affine_transform(bad.astype(float), inverse, order=1, cval=1.0, **how)
            out[k] = np.where(lost > 0.5, blank, turned)
        return out
