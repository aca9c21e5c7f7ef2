"""The stars of a reader's galaxy: from a table of speeds, from images, or from a mass and a scale length.

Every way gives a `MassModel` whose stellar speeds are those for a mass-to-light ratio of 1, and says in its `note`
which ratio is taken from which source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.io.registry import IORegistryError
from astropy.table import QTable
from scipy import ndimage

from ..errors import DmlibError
from ..observe import open_fits
from ..observe.cube_header import world
from ..observe.cube_pixels import number_of, unit_of
from ..observe.sky import SkyGrid
from . import baryons
from .curve import RotationCurve
from .massmodel import MASS_SCATTER, UPSILON_DISK, MassModel
from .sparc import read_rotmod
from .velocity_field import Tilt

#: Columns of a table of stars, and their units.
COLUMNS = {"radius": u.kpc, "v_disk": u.km / u.s, "v_bulge": u.km / u.s}

#: The letters of their names in lower case.
_WORDS = {"radius": ("radius", "rad"), "v_disk": ("vdisk", "vdisc"), "v_bulge": ("vbulge", "vbul")}


@dataclass(frozen=True)
class Band:
    """A photometric band.

    Parameters
    ----------
    sun : float
        Absolute magnitude of the Sun (Willmer 2018, table 3).
    system : str
        Of the magnitudes, ``AB`` or ``Vega``.
    zero : float
        Flux of magnitude 0 [Jy].
    upsilon : float
        Stellar mass-to-light ratio [Msun/Lsun]; NaN where only a colour, or the user, tells it.
    source : str
    """

    sun: float
    system: str
    zero: float
    upsilon: float = np.nan
    source: str = ""


#: Bands of images; those of Pan-STARRS count as SDSS's. Infrared ratios are for the initial mass function of Kroupa.
BANDS = {
    "u": Band(6.39, "AB", 3631.0),
    "g": Band(5.11, "AB", 3631.0),
    "r": Band(4.65, "AB", 3631.0),
    "i": Band(4.53, "AB", 3631.0),
    "z": Band(4.50, "AB", 3631.0),
    "J": Band(3.67, "Vega", 1594.0),
    "H": Band(3.32, "Vega", 1024.0),
    "K": Band(3.27, "Vega", 666.8, 0.6, "McGaugh & Schombert 2014"),
    "W1": Band(3.26, "Vega", 309.5, 0.5, "McGaugh & Schombert 2014, for 3.6 micron"),
    "3.6": Band(3.26, "Vega", 280.9, 0.5, "McGaugh & Schombert 2014"),
}

#: Pairs of bands whose colour tells the mass-to-light ratio, and the source of the relation.
COLOURS = {("g", "i"): "Taylor et al. 2011", ("g", "r"): "Bell et al. 2003, for Kroupa's mass function"}


def stars_from_table(path: str | Path, distance: float, upsilon: float | None = None) -> MassModel:
    """Stars as speeds in a table: a ``_rotmod.dat`` file of SPARC, or any table that astropy reads.

    Parameters
    ----------
    path : path
        With columns ``radius`` [kpc], ``v_disk`` and, where there is a bulge, ``v_bulge`` [km/s], for a mass-to-light
        ratio of 1; ``meta`` may have a ``distance`` [Mpc].
    distance : float
        Of the galaxy [Mpc]; radii and squared speeds of the table are scaled to it.
    upsilon : float, optional
        Ratio of the disc [Msun/Lsun]; by default `UPSILON_DISK`, that of 3.6 micron.

    Raises
    ------
    DmlibError
        When the table cannot be read or lacks a column.
    """
    path = Path(path)
    if not path.is_file():
        raise DmlibError(f"{path} is missing: give a table of stars")
    if upsilon is not None and not 0 < upsilon < np.inf:
        raise DmlibError(f"a mass-to-light ratio is positive, not {upsilon:g}")
    try:
        if path.name.endswith("_rotmod.dat"):
            table = read_rotmod(path)
        else:
            try:
                table = QTable.read(path)
            except IORegistryError:  # the name tells nothing
                table = QTable.read(path, format="ascii")
        # Names as in SPARC and in other tables: Rad, Vdisk, Vbul.
        found = {re.sub("[^a-z]", "", name.lower()): name for name in table.colnames}
        known = {name: next((found[one] for one in words if one in found), None) for name, words in _WORDS.items()}
        absent = [name for name in ("radius", "v_disk") if known[name] is None]
        if absent:
            raise DmlibError(
                f"{path.name} has no column {', '.join(absent)}: a table of stars has {', '.join(COLUMNS)}"
            )
        columns = {name: np.zeros(len(table)) for name in COLUMNS}
        for name, column in [(name, table[own]) for name, own in known.items() if own is not None]:
            columns[name][:] = u.Quantity(column, COLUMNS[name]).value
            columns[name][np.broadcast_to(getattr(column, "mask", False), len(table))] = np.nan
        own = u.Quantity(table.meta.get("distance", distance), u.Mpc).value
    except (OSError, ValueError, TypeError, IORegistryError) as error:
        raise DmlibError(f"{path.name} is no table of stars ({str(error).splitlines()[0]})") from error
    columns = {name: values[np.argsort(columns["radius"])] for name, values in columns.items()}
    radius = columns["radius"]
    if len(radius) < 3 or not (radius[0] >= 0 and np.all(np.diff(radius) > 0)):
        raise DmlibError(f"{path.name} needs three rows or more, at different radii: correct it")
    for name, values in columns.items():
        if not np.all(np.abs(values) < 2000.0):  # no galaxy has more kpc, or km/s
            raise DmlibError(f"{path.name} has a {name} of {np.max(np.abs(values)):g} {COLUMNS[name]}: correct it")
    if not 0 < own < np.inf:
        raise DmlibError(f"{path.name} gives a distance of {own:g} Mpc: correct it")
    scale = distance / own
    v_disk, v_bulge = (columns[name] * np.sqrt(scale) for name in ("v_disk", "v_bulge"))
    ratio = UPSILON_DISK if upsilon is None else upsilon
    source = "at 3.6 micron (McGaugh & Schombert 2014)" if upsilon is None else "as given"
    note = f"stars from {path.name}, mass-to-light ratio {ratio:g} {source}, to {MASS_SCATTER} dex"
    return _model(columns["radius"] * scale, note, upsilon_disk=ratio, v_disk=v_disk, v_bulge=v_bulge)


def stars_from_mass(mass: float, scale: float) -> MassModel:
    """An exponential disc of a stellar mass [Msun] and a scale length [kpc]."""
    radius = np.linspace(0.0, 12.0 * scale, 241)
    density = mass / (2.0 * np.pi * scale**2 * baryons.PER_PC2) * np.exp(-radius / scale)
    speed = baryons.thick_disc_speed(radius[1:], radius, density, baryons.disc_height(scale))
    note = f"stars as an exponential disc of {mass:.3g} Msun and {scale:g} kpc, as given, to {MASS_SCATTER} dex"
    known = {"upsilon_bulge": 1.0, "m_disk": mass, "m_bulge": 0.0, "r_disk": scale}
    return _model(radius[1:], note, upsilon_disk=1.0, v_disk=speed, **known)


def stars_from_images(
    paths: Mapping[str, Path],
    place: tuple[float, float],
    curve: RotationCurve,
    distance: float,
    *,
    north: float = 0.0,
    upsilon: float | None = None,
) -> MassModel:
    """Stars weighed on images: in one infrared band, by a colour (g and r, or g and i), or with a ratio of the user's.

    Parameters
    ----------
    paths : dict
        Band, a key of `BANDS`, -> FITS image with world coordinates. Its unit is maggies, nanomaggies, Jy or MJy/sr, or
        a card MAGZP gives the magnitude of one count. The sky is subtracted: the median outside the galaxy.
    place : (float, float)
        Right ascension and declination of the galaxy's centre, ICRS [deg].
    curve : RotationCurve
        Its tilt is that of the stars.
    distance : float
        [Mpc]
    north : float
        Position angle, ICRS, of the direction from which those of the curve are measured [deg].
    upsilon : float, optional
        Mass-to-light ratio of the one image, in any of the bands [Msun/Lsun].

    Raises
    ------
    DmlibError
        When an image cannot be read or calibrated, or the bands tell no mass.
    GalaxyError
        When the image shows too little light.
    """
    pair = next((pair for pair in COLOURS if set(pair) <= set(paths)), None)
    ratios = {band: (known.upsilon, known.source) for band, known in BANDS.items() if np.isfinite(known.upsilon)}
    if upsilon is not None:
        if len(paths) != 1 or not 0 < upsilon < np.inf:
            raise DmlibError(f"a mass-to-light ratio is positive and of one image, not {upsilon:g} of {len(paths)}")
        ratios = dict.fromkeys(paths, (upsilon, "as given"))
    single = next((band for band in paths if band in ratios), None)
    if pair is None and single is None:
        raise DmlibError(
            f"images in {', '.join(paths)} tell no stellar mass: give g and r, g and i, or one of {', '.join(ratios)}; "
            "or one image and --upsilon, its mass-to-light ratio"
        )
    bands: tuple[str, ...] = (single,) if single is not None else pair or ()
    kpc = distance * 1e3 * np.radians(1.0 / 3600.0)
    tilt = Tilt.flat(curve.mean_inclination, float(np.median(curve.position_angle)) + north)
    grid = SkyGrid(5.0 * float(curve.radius[-1]), 300)
    light = np.stack([_light(Path(paths[band]), band, place, grid, kpc) for band in bands], axis=-1)
    radius, means = baryons.ring_means(light, grid, tilt)
    if single is not None:
        ratio, source = ratios[single]
        density, said = ratio * means[0], f"mass-to-light ratio {ratio:g} in {single} ({source})"
    else:
        first, second = (np.maximum(values, 1e-9) for values in means)
        if bands == ("g", "i"):
            density = baryons.stellar_mass(first, second)
        else:  # log10 M/L_r, table 7, less 0.15 dex from its mass function to Kroupa's
            colour = -2.5 * np.log10(first / second) + BANDS["g"].sun - BANDS["r"].sun
            density = 10.0 ** (-0.306 - 0.15 + 1.097 * np.clip(colour, -0.2, 1.2)) * second
        said = f"mass-to-light ratio by {bands[0]} - {bands[1]} ({COLOURS[bands[0], bands[1]]})"
    stars = baryons.decompose(radius, np.where(np.all(means > 0, axis=0), density, 0.0), tilt)
    fine = np.linspace(0.25, max(float(stars.radius[-1]), float(curve.radius[-1])), 160)
    fields = baryons.stellar_fields(stars, fine)
    names = ", ".join(Path(paths[band]).name for band in bands)
    if not 1e4 < (mass := fields["m_disk"] + fields["m_bulge"]) < 1e13:
        raise DmlibError(f"the stars of {names} would have {mass:.1e} Msun: check BUNIT or MAGZP, and the distance")
    note = f"stars from {names}, {mass:.2e} Msun, {said}, to {MASS_SCATTER} dex"
    return _model(fine, note, upsilon_disk=1.0, upsilon_bulge=1.0, **fields)


def _model(radius: np.ndarray, note: str, *, upsilon_disk: float, **known: Any) -> MassModel:
    """A model with stars only; `known` are further fields."""
    none, spread = np.zeros(len(radius)), 10.0**MASS_SCATTER
    fields: dict[str, Any] = {"r_disk": np.nan, "v_bulge": none, "upsilon_disk": upsilon_disk, **known}
    fields |= dict.fromkeys(("v_obs", "v_err", "v_gas"), none)
    limits = (upsilon_disk / spread, upsilon_disk * spread)
    return MassModel("", "own", radius=radius, upsilon_range=limits, note=note, **fields)


def _light(path: Path, band: str, place: tuple[float, float], grid: SkyGrid, kpc: float) -> np.ndarray:
    """Surface brightness on the sky around a place [Lsun/pc^2], North up; NaN beyond the image."""
    if band not in BANDS:
        raise DmlibError(f"there is no band '{band}': choose of {', '.join(BANDS)}")
    with open_fits(path, DmlibError, "give an image in FITS") as file:
        image = next((hdu for hdu in file if hdu.is_image and np.squeeze(hdu.data).ndim == 2), None)
        if image is None:
            raise DmlibError(f"{path.name} holds no image of two axes: give one")
        header, data = image.header.copy(), np.squeeze(np.array(image.data, dtype=float))
        header.extend(file[0].header, strip=True, unique=True)
    wcs = world(path.name, header).celestial
    if not wcs.has_celestial:
        raise DmlibError(f"{path.name} has no world coordinates: add them")
    pixel = np.sqrt(abs(np.linalg.det(wcs.pixel_scale_matrix))) * 3600.0
    magnitude_zero = _zero_point(path, header, band, pixel)
    west, north = (axis / kpc / 3600.0 for axis in grid.mesh())
    declination = place[1] + north
    ascension = place[0] - west / np.cos(np.radians(place[1]))
    inside = wcs.world_to_pixel(SkyCoord(ascension, declination, unit="deg"))[::-1]
    # The mean over a pixel of the grid, where that is wider than one of the image.
    width = grid.pixel_size / kpc / pixel
    smooth = ndimage.uniform_filter(np.nan_to_num(data), max(1, round(width)))
    values = ndimage.map_coordinates(smooth, inside, order=1, cval=np.nan)
    radius = np.hypot(*grid.mesh())
    around = values[(radius > 0.8 * radius.max() / np.sqrt(2)) & np.isfinite(values)]
    if around.size < 0.02 * values.size:
        raise DmlibError(
            f"{path.name} does not reach beyond the galaxy, where its sky is measured: give a larger image"
        )
    values -= np.median(around)
    per_arcsec2 = values / pixel**2
    # Light of the Sun at 10 pc, and square parsecs in an arcsec^2 at 10 pc.
    area = (10.0 * np.radians(1.0 / 3600.0)) ** 2
    return per_arcsec2 * 10.0 ** (-0.4 * (magnitude_zero - BANDS[band].sun)) / area


def _zero_point(path: Path, header: fits.Header, band: str, pixel: float) -> float:
    """Magnitude of one count in a pixel [arcsec], in the system of the band."""
    text = str(header.get("BUNIT", "")).strip().lower()
    for word, factor in (("nanomagg", 1e-9), ("maggie", 1.0), ("maggy", 1.0)):
        if word in text and BANDS[band].system == "AB":
            return -2.5 * np.log10(factor)
    unit = unit_of(str(header.get("BUNIT", "")))
    for per in (u.dimensionless_unscaled, u.pix, u.sr):  # in, or per pixel, or per solid angle
        if (unit * per).is_equivalent(u.Jy):
            area = ((pixel * u.arcsec) ** 2).to_value(u.sr) if per is u.sr else 1.0
            return -2.5 * float(np.log10((unit * per).to(u.Jy) * area / BANDS[band].zero))
    for key in ("MAGZP", "MAGZPT", "ZP", "PHOTZP", "MAGZERO"):
        if key in header:
            return float(number_of(path.name, header, key))
    raise DmlibError(
        f"{path.name} is in '{header.get('BUNIT', '')}': set BUNIT to nanomaggy or Jy, or MAGZP to that of one count"
    )
