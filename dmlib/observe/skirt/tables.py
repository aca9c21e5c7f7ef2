r"""SKIRT's files: text columns and frames; spectra, bands and dust for a run without its resource packs.

**Formats.** Text columns follow SKIRT's ``TextInFile``: either no column is described or all are, in order, each by a
line ``# column N: description (unit)``. A description has no parentheses, and a pure number has the unit 1. A stored
table (``StoredTable.hpp``) is a sequence of items of 8 bytes: a tag, a tag of the byte order, the number of axes,
names, units and scales of the axes, each axis as its length and its values, the same for the quantities, the values
with the first axis running fastest, and an end tag.

**Spectra.** The population model of the embedded universe (`mocktng.photometry`) knows broad-band
magnitudes, not spectra. SKIRT needs a spectrum, and the one built here has these magnitudes: constant :math:`L_\lambda`
across each band, a power law in the gaps between bands. Its mean over a band curve is that constant, hence the
magnitude, wherever in the band SKIRT's random wavelengths fall, and dust acts on it across the width of the band.

The band curves are boxes: their pivot wavelengths are those of the SDSS bands, their widths the full widths of these
(Fukugita et al. 1996), r and i made narrower by a tenth and a fifth: in overlapping boxes a spectrum could not have
both magnitudes. Curves are of energy, as SKIRT's: for a photon counter, wavelength times response.

SKIRT takes a star whose age or metallicity is outside the table, or on its first value, for dark. The table therefore
extends beyond the model's range with the values at its edge, as the particle light does.

**Dust.** The mix of Draine (2003) is in ``draine03.txt``, at wavelengths across the SDSS bands; SKIRT interpolates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import numpy as np
from astropy import constants
from astropy import units as u
from astropy.io import fits

from ...embedded import photometry
from ...files import atomic_path
from .. import open_fits
from ..images import BANDS, UGRIZ, ab_magnitudes, per_band
from ..sky import SkyGrid
from . import SkirtError, SkirtSettings

#: Names of the tables, as in ``template.ski``.
POPULATION, DUST_MIX, BAND = "population.stab", "dust.txt", "band_{}.txt"

_TAG, _ORDER, _END = b"SKIRT X\n", 0x010203040A0BFEFF, b"STABEND\n"

#: Range of the spectra [micron].
SPECTRUM_RANGE = (0.25, 1.25)

#: Limits of age [yr] and metallicity of the table; stars are written within them.
AGE_LIMITS, METALLICITY_LIMITS = (1e3, 1e11), (1e-10, 1.0)

#: Points of a band curve. SKIRT measures the pivot wavelength on them, by the trapezium rule.
_POINTS = 257

#: L_nu of absolute AB magnitude 0, 4 pi (10 pc)^2 times 3631 Jy [W/Hz].
_AB_ZERO = float((4 * np.pi * (10 * u.pc) ** 2 * 3631 * u.Jy).to_value(u.W / u.Hz))
_LIGHT = float(constants.c.to_value("m/s"))


#: Dust per hydrogen nucleus of the mix of Draine (2003) [g].
DUST_PER_H = 1.870e-26


def write_columns(path: Path, title: str, columns: Mapping[tuple[str, str], np.ndarray]) -> None:
    """Write text columns.

    Parameters
    ----------
    path : path
    title : str
        First line, a comment.
    columns : mapping
        Arrays of one length by ``(name, unit)``, in order; the unit as SKIRT spells it, ``1`` for a number.

    Raises
    ------
    SkirtError
        When a value is not finite: SKIRT would stop at it, or compute with it.
    """
    values = np.column_stack([np.asarray(column, dtype=float) for column in columns.values()])
    bad = ~np.isfinite(values).all(axis=0)
    if bad.any():
        name = list(columns)[int(np.argmax(bad))][0]
        raise SkirtError(f"{Path(path).name}: column '{name}' holds values that are not finite")
    head = [title, *(f"column {k}: {name} ({unit})" for k, (name, unit) in enumerate(columns, start=1))]
    with atomic_path(path) as temporary:
        np.savetxt(temporary, values, fmt="%.9e", header="\n".join(head), comments="# ")


def write_stored_table(
    path: Path, axes: Mapping[tuple[str, str], np.ndarray], quantity: tuple[str, str], values: np.ndarray
) -> None:
    """Write a stored table of one quantity, interpolated logarithmically along all axes.

    Parameters
    ----------
    path : path
        Ends in ``.stab``.
    axes : mapping
        Strictly increasing values by ``(name, unit)``; names and units of at most 8 characters, units in SI.
    quantity : tuple of str
        Name and unit.
    values : ndarray
        Its shape is the lengths of `axes`, in order.
    """

    def text(*words: str) -> bytes:
        return b"".join(word.encode("ascii").ljust(8) for word in words)

    def number(value: int) -> bytes:
        return value.to_bytes(8, "little")

    names, units = zip(*axes, strict=True)
    items = [_TAG, number(_ORDER), number(len(axes)), text(*names), text(*units), text(*["log"] * len(axes))]
    for axis in axes.values():
        items += [number(len(axis)), np.asarray(axis, dtype="<f8").tobytes()]
    # The first axis runs fastest: Fortran order.
    items += [number(1), text(*quantity, "log"), np.asarray(values, dtype="<f8").tobytes(order="F"), _END]
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"".join(items))


def edges(band: str) -> tuple[float, float]:
    """Lower and upper edge of a band's box [micron]; their geometric mean is the pivot wavelength."""
    pivot, half = BANDS[band].wavelength, 0.5 * BANDS[band].width
    middle = float(np.hypot(pivot, half))
    return (middle - half) / 1e3, (middle + half) / 1e3


def band_curve(band: str) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths [micron] and transmission of a band, two arrays of one shape."""
    wavelength = np.linspace(*edges(band), _POINTS)
    return wavelength, np.ones_like(wavelength)


def pivot(wavelength: np.ndarray, transmission: np.ndarray) -> float:
    """Pivot wavelength of a band curve as SKIRT computes it (``Band.cpp``), in the unit of `wavelength`."""
    step, middle = np.diff(wavelength), 0.5 * (wavelength[1:] + wavelength[:-1])
    mean = 0.5 * (transmission[1:] + transmission[:-1])
    return float(np.sqrt(np.sum(mean * step) / np.sum(mean * step / middle**2)))


def spectrum(magnitudes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A spectrum that has given magnitudes.

    Parameters
    ----------
    magnitudes : ndarray, shape (..., 5)
        Absolute AB magnitudes u g r i z.

    Returns
    -------
    wavelength : ndarray, shape (12,)
        [micron]
    luminosity : ndarray, shape (..., 12)
        L_lambda [W/m]; between the wavelengths, log L is linear in log wavelength.
    """
    nodes = [SPECTRUM_RANGE[0], *(edge for band in UGRIZ for edge in edges(band)), SPECTRUM_RANGE[1]]
    pivots = np.array([pivot(*band_curve(band)) for band in UGRIZ]) * 1e-6
    level = _AB_ZERO * 10.0 ** (-0.4 * np.asarray(magnitudes, dtype=float)) * _LIGHT / pivots**2
    return np.array(nodes), np.repeat(level, 2, axis=-1)[..., [0, *range(10), 9]]


def photometry_of(age: np.ndarray, metallicity: np.ndarray, m_initial: np.ndarray) -> np.ndarray:
    """Absolute AB magnitudes u g r i z of populations by the model, shape (n, 5).

    Parameters
    ----------
    age : ndarray, shape (n,)
        [yr]
    metallicity : ndarray, shape (n,)
    m_initial : ndarray, shape (n,)
        [Msun]
    """
    return ab_magnitudes(photometry.magnitudes(np.asarray(age) / 1e9, metallicity, m_initial))


def dust_mix() -> dict[tuple[str, str], np.ndarray]:
    """Columns of the dust mix as SKIRT's ``MeanFileDustMix`` reads them; 2.6e3 m^2/kg of extinction at 0.55 micron."""
    text = files(__package__).joinpath("draine03.txt").read_text(encoding="utf-8")
    wavelength, albedo, cosine, section = np.loadtxt(text.splitlines()).T
    return {
        ("wavelength", "micron"): wavelength,
        ("extinction mass coefficient", "m2/kg"): 1e-22 * section / DUST_PER_H * 0.1,
        ("scattering albedo", "1"): albedo,
        ("scattering asymmetry parameter", "1"): cosine,
    }


def write_tables(folder: Path, settings: SkirtSettings) -> None:
    """Write the tables that replace SKIRT's resource packs; none where the packs are used."""
    if settings.library == "resources":
        return
    log_age, log_z, eight = photometry.table()
    magnitudes = ab_magnitudes(eight.reshape(-1, 8)).reshape(len(log_z), len(log_age), 5)
    wavelength, luminosity = spectrum(np.pad(magnitudes, ((1, 1), (1, 1), (0, 0)), mode="edge"))
    age, metallicity = (
        np.concatenate([[limits[0]], 10.0**inner, [limits[1]]])
        for inner, limits in ((log_age, AGE_LIMITS), (log_z, METALLICITY_LIMITS))
    )
    axes = {("lambda", "m"): wavelength * 1e-6, ("Z", "1"): metallicity, ("t", "yr"): age}
    write_stored_table(folder / POPULATION, axes, ("Llambda", "W/m"), np.moveaxis(luminosity, -1, 0))
    for band in UGRIZ:
        wavelength, transmission = band_curve(band)
        columns = {("wavelength", "micron"): wavelength, ("transmission", "1"): transmission}
        write_columns(folder / BAND.format(band), f"box with the pivot wavelength of the SDSS band {band}", columns)
    write_columns(folder / DUST_MIX, "Milky Way dust, R_V = 3.1, Draine 2003", dust_mix())


def read_frame(path: str | Path, grid: SkyGrid, settings: SkirtSettings) -> np.ndarray:
    """One of SKIRT's data cubes as fluxes.

    Parameters
    ----------
    path : path
        ``PREFIX_INSTRUMENT_total.fits``.
    grid : SkyGrid
        Pixels of the run.
    settings : SkirtSettings
        Of the run.

    Returns
    -------
    ndarray, shape (y, x, 5)
        Maggies per pixel in u g r i z.

    Raises
    ------
    SkirtError
        When the file is missing, cut short, of other bands, pixels or units, or holds values that are not finite.
    """
    path = Path(path)
    again = "run SKIRT again"
    if not path.is_file():
        raise SkirtError(f"SKIRT wrote no {path.name}: {again}, and see its log.")
    with open_fits(path, SkirtError, again) as hdus:
        header, data = hdus[0].header.copy(), np.asarray(hdus[0].data, dtype=np.float64)
        found = np.array([float(row[0]) for row in hdus[1].data])
        scale = str(hdus[1].columns[0].unit or header.get("CUNIT3", "")).strip()
    expected = per_band("wavelength") / 1e3
    if data.shape != (len(expected), *grid.shape):
        wrong = f"has an array of shape {data.shape} where {(len(expected), *grid.shape)} is expected"
    elif scale != "micron" or found.shape != expected.shape or not np.allclose(found, expected, rtol=5e-3):
        wrong = f"has frames at {found.round(4)} {scale}, where the SDSS bands are at {expected.round(4)} micron"
    else:
        wrong = _wrong_pixels(header, grid, settings)
    if not wrong and not np.all(np.isfinite(data)):
        wrong = "holds values that are not finite"
    if wrong:
        raise SkirtError(f"{path.name} {wrong}: {again} with dmlib's parameter file.")
    angle = np.arctan(grid.pixel_size / (1e3 * settings.distance)) * u.rad
    name = str(header.get("BUNIT", "")).strip()
    first, *divisors = name.split("/")
    try:
        # Per frequency, per wavelength, or neither: SKIRT's three flux styles.
        unit = u.Unit(first) / math.prod(u.Unit(divisor) for divisor in divisors)
        flux = (np.ones(len(found)) * unit * angle**2).to_value(u.Jy, u.spectral_density(found * u.um))
    except ValueError as error:
        raise SkirtError(f"{path.name} is in '{name}': set ExtragalacticUnits in the .ski file.") from error
    return np.ascontiguousarray(np.moveaxis(data * (flux / 3631.0)[:, None, None], 0, -1))


def _wrong_pixels(header: fits.Header, grid: SkyGrid, settings: SkirtSettings) -> str:
    """How a frame's pixels differ from the grid's, if they do; versions of SKIRT give their side in pc or in arcsec."""
    name = str(header.get("CUNIT1", "")).strip()
    try:
        scale = float(header.get("CDELT1", np.nan)) * u.Unit(name)
        if scale.unit.is_equivalent(u.rad):
            scale = np.tan(scale) * settings.distance * u.Mpc
        found = scale.to_value(u.kpc)
    except ValueError:
        return f"gives its pixels in '{name}'"
    if np.isclose(found, grid.pixel_size, rtol=1e-3):
        return ""
    return f"has pixels of {found:.4g} kpc where {grid.pixel_size:.4g} kpc are expected"
