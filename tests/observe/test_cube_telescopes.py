"""Cubes as telescopes, archives and programs write them, card by card: the right disc, or a sentence that refuses."""

from __future__ import annotations

import bz2
import gzip

import numpy as np
import pytest
from astropy.coordinates import FK4, SkyCoord
from astropy.io import fits

from dmlib.observe.cube_fits import CubeError, read_cube
from sky_checks import DISC, STEP, history, same, stokes_third, turned
from sky_disc import HI, write

C = 299792458.0


@pytest.fixture(scope="module")
def cubes():
    return {kind: DISC.cube(size=40, channels=45, kind=kind) for kind in ("VRAD", "FREQ", "VOPT", "VELO")}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cube.fits"


def stokes_last(data, header):
    header.update({"CTYPE4": "STOKES", "CRVAL4": 1.0, "CRPIX4": 1.0, "CDELT4": 1.0, "CUNIT4": ""})
    return data[None], header


def stokes_first(data, header):
    new = header.copy()
    for k in (3, 2, 1):
        for name in ("CTYPE", "CUNIT", "CRVAL", "CRPIX", "CDELT"):
            new[f"{name}{k + 1}"] = header[f"{name}{k}"]
    new.update({"CTYPE1": "STOKES", "CRVAL1": 1.0, "CRPIX1": 1.0, "CDELT1": 1.0, "CUNIT1": ""})
    return data[..., None], new


def falling(data, header):
    """The channels in the other order."""
    header["CRPIX3"], header["CDELT3"] = len(data) + 1 - header["CRPIX3"], -header["CDELT3"]
    return data[::-1], header


def from_the_middle(data, header):
    """The reference pixels in the middle of the axes, and not whole."""
    for axis, by in ((3, 20.25), (1, 0.0), (2, 0.0)):
        header[f"CRPIX{axis}"] += by
        header[f"CRVAL{axis}"] += by * header[f"CDELT{axis}"]
    return data, header


def optical_from_frequencies(data, header):
    """CTYPE3 of a cube in frequencies as the optical velocity of its reference channel, as AIPS and wcslib write it."""
    f = header["CRVAL3"]
    header.update({"CRVAL3": C * (HI / f - 1), "CDELT3": -C * HI / f**2 * header["CDELT3"], "CUNIT3": "m/s"})
    return data, header


def integers(bits, blank=None):
    """Whole numbers with a scale, as GIPSY and HIPASS store them."""

    def change(data, header):
        low, high = float(data.min()), float(data.max())
        if bits == 8:  # noise needs more than 256 steps of the whole range
            high = min(high, low + 0.02)
        steps = 2**bits - 4
        scale = (high - low) / steps
        zero = low if bits == 8 else low + scale * steps / 2
        whole = np.rint((np.clip(data.astype(float), low, high) - zero) / scale)
        header.update({"BSCALE": scale, "BZERO": zero})
        if blank is not None:
            header["BLANK"] = blank
            whole[:, :3] = blank
        return whole.astype({8: np.uint8, 16: np.int16, 32: np.int32}[bits]), header

    return change


def chain(*changes):
    def change(data, header):
        for one in changes:
            data, header = one(data, header)
        return data, header

    return change


def scaled(factor, change=None):
    return chain(lambda data, header: (data * factor, header), *([change] if change else []))


_NO_BEAM = {"BMAJ": None, "BMIN": None, "BPA": None}
_AIPS_BEAM = "AIPS   CLEAN BMAJ=  4.1667E-03 BMIN=  4.1667E-03 BPA=   0.00"
_AIPS = {"BUNIT": "JY/BEAM", "RADESYS": None, "SPECSYS": None, "EPOCH": 2000.0, "CUNIT1": None, "CUNIT2": None}
_AIPS |= {"CUNIT3": None, "RESTFRQ": None, "RESTFREQ": HI, "CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN"}
_MIRIAD = {"RADESYS": None, "EPOCH": 2000.0, "SPECSYS": None, "CELLSCAL": "1/F", "BTYPE": "intensity", "VOBS": -1.95}
_MIRIAD |= {"RESTFRQ": None, "RESTFREQ": HI, "BUNIT": "JY/BEAM", "CUNIT1": None, "CUNIT2": None, "LTYPE": "velocity"}
_GIPSY = {"CUNIT1": "DEGREE", "CUNIT2": "DEGREE", "RADESYS": None, "SPECSYS": None, "EPOCH": 2000.0, "INSTRUME": "WSRT"}
_GIPSY |= {"RESTFRQ": None, "FREQ0": HI, "BUNIT": "W.U.", "BMAJ": None, "BMIN": None, "BPA": None}
_GIPSY |= {"BMMAJ": 15.0, "BMMIN": 15.0, "BMPA": 0.0, "CTYPE1": "RA---NCP", "CTYPE2": "DEC--NCP"}
_WALLABY = {"SPECSYS": "BARYCENT", "RESTFRQ": 1.420405751786e9, "CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN"}
_WALLABY |= {"LONPOLE": 180.0, "LATPOLE": 20.0, "ORIGIN": "SoFiA 2.5.1", "EQUINOX": 2000.0, "WCSAXES": 3}
_CASA = {"ALTRVAL": 1.4e9, "ALTRPIX": 1.0, "VELREF": 257, "SPECSYS": "LSRK", "RADESYS": "FK5", "EQUINOX": 2000.0}
_CASA |= {f"PC{i}_{j}": float(i == j) for i in range(1, 5) for j in range(1, 5)}
_OLD_PC = {f"PC{i:03d}{j:03d}": float(i == j) for i in range(1, 4) for j in range(1, 4)}
_GILDAS = {"SPECSYS": None, "RESTFRQ": None, "RESTFREQ": HI, "IMAGFREQ": 0.0, "LINE": "HI", "VELO-LSR": 4.7418e6}
_BAROLO = {"CTYPE3": "VELO", "CUNIT3": "KM/S", "CDELT3": 10.0, "CRVAL3": 4741.8 - 220.0, "BUNIT": "JY/BEAM"}
_BAROLO |= {"FREQ0": HI, "RESTFRQ": None, "SPECSYS": None, "BTYPE": "intensity"}
_KELVIN = 1.222e6 / (HI * (1 - 4741.8e3 / C) / 1e9) ** 2 / 225.0  # of 1 Jy/beam

FRAME, UNSURE, UNIT = "frame of the velocities", "radio or optical", "m/s is taken"


@pytest.mark.parametrize(
    ("kind", "cards", "change", "notes"),
    [
        # ASKAP and SoFiA-2
        ("FREQ", _WALLABY, None, []),
        ("FREQ", _WALLABY, falling, []),
        ("FREQ", _WALLABY | {"CUNIT3": "HZ"}, stokes_third, []),
        ("FREQ", _WALLABY | {"PC1_1": 1.0, "PC2_2": 1.0, "PC3_3": 1.0}, None, []),
        ("FREQ", _WALLABY | {"BSCALE": 1.0, "BZERO": 0.0, "BTYPE": "Intensity"}, stokes_last, []),
        ("VOPT", _WALLABY | {"CTYPE3": "VOPT"}, None, []),
        # MeerKAT: CARACal writes SPECSYS3
        ("FREQ", {"SPECSYS": None, "SPECSYS3": "BARYCENT", "VELREF": 3}, None, []),
        ("VRAD", {"SPECSYS": None, "SPECSYS3": "BARYCENT"}, stokes_last, []),
        ("FREQ", {"SPECSYS": None, "SPECSYS3": "TOPOCENT"}, None, ["topocentric"]),
        ("VRAD", {"CELLSCAL": "CONSTANT", "TELESCOP": "MeerKAT", "OBSGEO-X": 5109360.1}, from_the_middle, []),
        # VLA: THINGS and LITTLE THINGS, from AIPS
        ("VRAD", _AIPS | {"CTYPE3": "VELO-HEL", "VELREF": 258} | _NO_BEAM, history(_AIPS_BEAM), [UNIT]),
        ("VRAD", _AIPS | {"CTYPE3": "VELO-HEL", "VELREF": 258}, chain(falling, stokes_last), [UNIT]),
        ("VELO", _AIPS | {"CTYPE3": "VELO-HEL", "CUNIT3": "M/S"}, falling, [UNSURE]),
        ("FREQ", _AIPS | {"CTYPE3": "FELO-HEL", "VELREF": 2}, optical_from_frequencies, []),
        ("FREQ", _AIPS | {"CTYPE3": "FELO-LSR"}, chain(optical_from_frequencies, stokes_last), []),
        ("FREQ", _AIPS | {"CTYPE3": "FREQ", "SPECSYS": "BARYCENT"}, stokes_third, []),
        ("FREQ", _AIPS | {"CTYPE3": "FREQ-HEL"}, falling, []),
        ("FREQ", _AIPS | {"CTYPE3": "FREQ-LSR", "CUNIT3": "HZ"}, None, []),
        # ATCA: LVHIS, from Miriad
        ("FREQ", _MIRIAD | {"CTYPE3": "FELO-HEL"}, optical_from_frequencies, []),
        ("VRAD", _MIRIAD | {"CTYPE3": "VRAD-HEL"}, None, []),
        ("VRAD", _MIRIAD | {"CTYPE3": "VELO-LSR", "VELREF": 257}, None, []),
        ("VRAD", _MIRIAD | {"CTYPE3": "VELO-OBS", "VELREF": 259}, None, ["topocentric"]),
        ("FREQ", _MIRIAD | {"CTYPE3": "FREQ", "VELREF": 258}, None, []),
        ("VRAD", {"PV2_1": 0.0, "PV2_2": 0.0, "CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN"}, None, []),
        # WSRT: WHISP, from GIPSY
        ("VRAD", _GIPSY | {"CTYPE3": "VELO-HEL", "VELREF": 258}, scaled(200.0), []),
        ("VRAD", _GIPSY | {"CTYPE3": "VELO-HEL", "BUNIT": "WU"}, scaled(200.0, integers(16)), [UNSURE]),
        ("FREQ", _GIPSY | {"CTYPE3": "FREQ", "CUNIT3": "HZ", "BUNIT": "JY/BEAM"}, None, [FRAME]),
        ("VRAD", _GIPSY | {"BUNIT": "JY/BEAM", "BMMIN": None, "BMPA": None}, None, [FRAME]),
        ("VRAD", _NO_BEAM | {"CLBMMAJ": 15.0, "CLBMMIN": 15.0, "CLBMPA": 0.0}, None, []),
        # HIPASS, GALFA, FAST
        ("VRAD", {"BUNIT": "K", "CTYPE1": "RA---CAR", "CTYPE2": "DEC--CAR"}, scaled(_KELVIN), []),
        ("VOPT", {"BUNIT": "K"}, scaled(_KELVIN), []),
        ("VRAD", {"BUNIT": "mK", "CTYPE1": "RA---ZEA", "CTYPE2": "DEC--ZEA"}, scaled(1e3 * _KELVIN), []),
        ("VRAD", {"BUNIT": "Kelvin (Tb)"}, scaled(_KELVIN), []),
        ("VRAD", {"CTYPE1": "RA---ARC", "CTYPE2": "DEC--ARC"}, integers(32), []),
        # CASA, ALMA
        ("VRAD", _CASA, stokes_last, []),
        ("FREQ", _CASA | {"CUNIT3": "Hz"}, chain(falling, stokes_third), []),
        ("VOPT", _CASA | {"VELREF": 1}, None, []),
        ("VOPT", _AIPS | {"CTYPE3": "VELO-HEL", "VELREF": 2}, None, [UNIT]),
        ("VOPT", _AIPS | {"CTYPE3": "VELO-LSR", "VELREF": 1, "CUNIT3": "M/S"}, falling, []),
        ("VRAD", _OLD_PC | {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN"}, None, []),
        ("VRAD", {"OBSGEO-X": 2225142.2, "OBSGEO-Y": -5440307.4, "OBSGEO-Z": -2481029.9, "MJD-OBS": 59000.5}, None, []),
        # GILDAS
        ("VRAD", _GILDAS | {"CTYPE3": "VELOCITY", "SPECSYS": "LSRK", "VELREF": 257}, None, []),
        ("VRAD", _GILDAS | {"CTYPE3": "VRAD", "CTYPE1": "RA---GLS", "CTYPE2": "DEC--GLS"}, None, [FRAME]),
        ("VRAD", _GILDAS | {"CTYPE1": "RA---SFL", "CTYPE2": "DEC--SFL", "SPECSYS": "LSRK"}, stokes_last, []),
        # BBarolo
        ("VRAD", _BAROLO, None, [FRAME, UNSURE]),
        # Units
        ("VRAD", {"CUNIT3": "m s-1"}, None, []),
        ("VRAD", {"CUNIT3": "m s^-1"}, None, []),
        ("VRAD", {"CUNIT3": "M/SEC"}, None, []),
        ("VRAD", {"CUNIT3": "meter/sec"}, None, []),
        ("VRAD", {"CUNIT3": "km s-1", "CDELT3": 10.0, "CRVAL3": 4741.8 - 220.0}, None, []),
        ("VRAD", {"CUNIT3": "KM/SEC", "CDELT3": 10.0, "CRVAL3": 4741.8 - 220.0}, None, []),
        ("VRAD", {"CUNIT3": "Km/s", "CDELT3": 10.0, "CRVAL3": 4741.8 - 220.0}, None, []),
        ("FREQ", {"CUNIT3": "HERTZ"}, None, []),
        ("FREQ", {"CUNIT3": "Hertz"}, None, []),
        ("VRAD", {"CUNIT1": "degs", "CUNIT2": "Degrees"}, None, []),
        ("VRAD", {"BUNIT": "Jy/Beam"}, None, []),
        ("VRAD", {"BUNIT": "JY BEAM-1"}, None, []),
        ("VRAD", {"BUNIT": "Jy beam**-1"}, None, []),
        ("VRAD", {"BUNIT": "Jansky/beam"}, None, []),
        ("VRAD", {"BUNIT": "mJy beam-1"}, scaled(1e3), []),
        ("VRAD", {"BUNIT": "mJy/bm"}, scaled(1e3), []),
        ("VRAD", {"BUNIT": "milliJy/beam"}, scaled(1e3), []),
        ("VRAD", {"BUNIT": "MILLIJY/BEAM"}, scaled(1e3), []),
        ("VRAD", {"BUNIT": "Jy/arcsec^2"}, scaled(1 / 254.97), []),
        ("VRAD", {"BUNIT": "Jy arcsec-2"}, scaled(1 / 254.97), []),
        ("VRAD", {"BUNIT": "Jy/sr"}, scaled(206264.806**2 / 254.97), []),
        ("VRAD", {"BUNIT": "'JY/BEAM'"}, None, []),
        ("VRAD", {"BUNIT": "JY/PIXEL"}, scaled(25 / 254.97), []),
        # Axes and frames
        ("VRAD", {"CTYPE1": "RA--SIN", "CTYPE2": "DEC-SIN"}, None, []),
        ("VRAD", {"CTYPE1": "RA", "CTYPE2": "DEC"}, None, []),
        ("VRAD", {"CTYPE3": "VELOCITY-LSR", "SPECSYS": None, "VELREF": 257}, None, []),
        ("VRAD", {"CTYPE3": "VEL", "VELREF": 258}, None, []),
        ("VRAD", {"CTYPE3": "Vrad"}, None, []),
        ("FREQ", {"CTYPE3": "Frequency"}, None, []),
        ("VRAD", {"SPECSYS": "barycent"}, None, []),
        ("VRAD", {"SPECSYS": "BARY"}, None, []),
        ("VRAD", {"SPECSYS": "heliocen"}, None, []),
        ("VRAD", {"SPECSYS": "Topocentric"}, None, ["topocentric"]),
        ("VRAD", {"RADESYS": "fk5"}, None, []),
        ("VRAD", {"RADESYS": "J2000.0"}, None, []),
        ("VRAD", {"RADESYS": "", "EQUINOX": 1950.0}, None, []),
        ("VRAD", {"EQUINOX": "2000.0"}, None, []),
        ("VRAD", {"EQUINOX": ""}, None, []),
        ("VRAD", {"CRVAL1": 150.0 - 360.0}, None, []),
        ("VRAD", {"CRVAL1": 510.0}, None, []),
        ("VRAD", {}, stokes_first, []),
        ("VRAD", {"CROTA2": 0.0, "CROTA1": 0.0, "CROTA3": 0.0}, None, []),
        ("VRAD", {"CROTA2": 360.0}, None, []),
        ("VRAD", {}, chain(turned(35.0, "CD"), stokes_last), ["turned by"]),
        ("VRAD", {}, chain(turned(-50.0, "PC"), falling), ["turned by"]),
        ("VRAD", {"CD1_1": -STEP, "CD2_2": STEP, "CD3_3": 1e4, "CD1_2": 0.0, "CD2_1": 0.0, "CROTA2": 0.0}, None, []),
        # The rest frequency
        ("VRAD", {"RESTFREQ": 1.42040575177e9}, None, []),
        ("VRAD", {"RESTFRQ": 0.0, "RESTFREQ": HI}, None, []),
        ("VRAD", {"RESTFRQ": 0.0}, None, ["that of HI is taken"]),
        ("FREQ", {"RESTFRQ": None}, None, ["that of HI is taken"]),
        ("VRAD", {"RESTFRQ": "1.420405751E9"}, None, []),
        ("VRAD", {"RESTFRQ": 1.420405751}, None, ["taken in GHz"]),
        ("VRAD", {"RESTFRQ": None, "RESTWAV": 0.21106114}, None, []),
        ("VRAD", {"RESTFRQ": ""}, None, ["that of HI is taken"]),
        # Numbers
        ("VRAD", {}, integers(16), []),
        ("VRAD", {}, lambda d, h: (d.astype(">f8"), h), []),
        ("VRAD", {"BMAJ": 15 / 3600, "BMIN": 15 / 3600 * 1.0005}, None, []),
        ("VRAD", {"BMIN": 0.0, "BPA": 0.0}, None, []),
        ("VRAD", {"BPA": -180.0}, None, []),
        ("VRAD", {"BPA": ""}, None, []),
        ("VRAD", _NO_BEAM, history("AIPS   IMAGR BMAJ= 4.1667E-03 BMIN= 4.1667E-03 BPA=  0.00/CLEAN"), []),
        ("VRAD", _NO_BEAM, history("AIPS   CLEAN BMAJ=4.1667E-03 BMIN=4.1667E-03 BPA=0.00"), []),
        ("VRAD", _NO_BEAM, history("Fitted beam", "> restoration: 15.0 by 15.0 (arcsec)", " at pa 0 (deg)"), []),
        ("VRAD", _NO_BEAM, history("RESTOR: Beam = 15.0 x 15.0 arcsec"), []),
    ],
    ids=lambda v: str(v)[:70] if isinstance(v, dict) else getattr(v, "__name__", None),
)  # fmt: skip
def test_headers_of_telescopes(path, cubes, kind, cards, change, notes):
    data, header = cubes[kind]
    v = {"VRAD": 4741.8, "FREQ": 4741.8, "VOPT": 4818.01, "VELO": 4779.4}[kind]
    if "FELO" in cards.get("CTYPE3", ""):
        v = 4818.01
    write(path, data, header, lambda d, h: (d, h), **cards)
    with fits.open(path) as file:
        data, header = file[0].data, file[0].header
    if change is not None:
        data, header = change(data.copy(), header.copy())
    hdu = fits.PrimaryHDU(data, header)
    hdu.header.update(
        {key: header[key] for key in ("BSCALE", "BZERO", "BLANK") if key in header and data.dtype.kind != "f"}
    )
    hdu.writeto(path, overwrite=True)
    same(path, v=v, notes=notes)


def in_extension(data, header):
    about = fits.PrimaryHDU(
        header=fits.Header({"TELESCOP": "ASKAP", "RESTFRQ": HI, "BMAJ": 15 / 3600, "BMIN": 15 / 3600})
    )
    header = header.copy()
    for key in ("RESTFRQ", "BMAJ", "BMIN", "BPA"):
        del header[key]
    sources = fits.BinTableHDU.from_columns([fits.Column("id", "J", array=[1])], name="CAT")
    return fits.HDUList([about, sources, fits.ImageHDU(data, header, name="CUBE")])


def compressed(**how):
    return lambda data, header: fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data, header, **how)])


def with_beams(name, rows, card=True, units=("arcsec", "arcsec", "deg"), more=()):
    """A table of beams as of CASA (BEAMS) or of AIPS (AIPS CG)."""

    def change(data, header):
        header = header.copy()
        for key in ("BMAJ", "BMIN", "BPA"):
            del header[key]
        if card:
            header["CASAMBM"] = True
        values = np.array(rows if np.ndim(rows) == 2 else [rows] * len(data)).T
        columns = [
            fits.Column(n, "1E", unit, array=v)
            for n, unit, v in zip(("BMAJ", "BMIN", "BPA"), units, values, strict=True)
        ]
        columns += [fits.Column(n, "1J", array=np.arange(len(values[0]))) for n in more]
        return fits.HDUList([fits.PrimaryHDU(data, header), fits.BinTableHDU.from_columns(columns, name=name)])

    return change


@pytest.mark.parametrize(
    "form",
    [
        in_extension,
        compressed(compression_type="RICE_1", quantize_level=16),
        compressed(compression_type="GZIP_2", quantize_level=0),
        with_beams("BEAMS", (15.0, 15.0, 0.0), more=("CHAN", "POL")),
        with_beams("BEAMS", (15.0, 15.0, 0.0), card=False),
        with_beams("AIPS CG ", (15 / 3600, 15 / 3600, 0.0), units=("DEGREES", "DEGREES", "DEGREES"), more=("FREQ ID",)),
        with_beams("BEAMS", [(15.0 + 0.01 * k, 15.0 - 0.01 * k, 40.0 * k) for k in range(4)]),
    ],
    ids=["extension", "fz", "gzip_2", "casa", "casa without card", "aips", "nearly round"],
)
def test_cubes_in_files_of_all_kinds(path, cubes, form):
    form(*cubes["FREQ"]).writeto(path)
    same(path)


def test_a_catalogue_in_the_file_is_no_table_of_beams(path, cubes):
    columns = [fits.Column(name, "1E", "deg", array=[0.1, 0.2]) for name in ("BMAJ", "BMIN", "BPA")]
    catalogue = fits.BinTableHDU.from_columns(columns, name="SOURCES")
    fits.HDUList([fits.PrimaryHDU(*cubes["VRAD"]), catalogue]).writeto(path)
    same(path)


@pytest.mark.parametrize(
    "cards", [{"EPOCH": 1950.0}, {"EQUINOX": "B1950.0"}, {"RADESYS": "FK4"}, {"RADECSYS": "B1950"}]
)
def test_places_of_old_equinoxes(path, cubes, cards):
    write(path, *cubes["VRAD"], **{"RADESYS": None} | cards)
    place = SkyCoord(150.0, 20.0, unit="deg", frame=FK4(equinox="B1950"))
    assert np.hypot(*read_cube(path).offset_of(place)) < 0.1


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_packed_files(tmp_path, path, cubes, pack):
    write(path, *cubes["VRAD"])
    packed = tmp_path / ("cube.fits.gz" if pack is gzip.compress else "cube.fits.bz2")
    packed.write_bytes(pack(path.read_bytes(), 1))
    same(packed)


@pytest.mark.parametrize(("bits", "blank"), [(16, -32768), (32, -2147483648)])
def test_whole_numbers_with_blanks(path, cubes, bits, blank):
    data, header = integers(bits, blank)(*(one.copy() for one in cubes["VRAD"]))
    hdu = fits.PrimaryHDU(data, header)
    hdu.header.update({key: header[key] for key in ("BSCALE", "BZERO", "BLANK")})
    hdu.writeto(path)
    sky = same(path)
    assert not sky.valid[:3].any() and sky.valid[3:].all()


def test_cubelets_and_masks_of_sofia(tmp_path, path, cubes):
    """SoFiA-2: a mask of labels with a header of its own, and a cubelet with its mask."""
    data, header = cubes["FREQ"]
    write(path, data, header, **_WALLABY)
    labels = np.where(data > 2e-3, 7, 0).astype(np.int16)
    own = header.copy()
    for key in ("SPECSYS", "RESTFRQ", "BMAJ", "BMIN", "BPA", "BUNIT"):
        del own[key]
    fits.PrimaryHDU(labels, own).writeto(tmp_path / "cube_mask.fits")
    whole = read_cube(path, mask=tmp_path / "cube_mask.fits")
    assert whole.given_mask.sum() == (labels > 0).sum()
    part = (slice(4, 40), slice(5, 38), slice(2, 39))
    cubelet, small = header.copy(), own.copy()
    for one in (cubelet, small):
        for axis, piece in zip((3, 2, 1), part, strict=True):
            one[f"CRPIX{axis}"] -= piece.start
    fits.PrimaryHDU(data[part], cubelet).writeto(path, overwrite=True)
    fits.PrimaryHDU(labels[part], small).writeto(tmp_path / "cubelet_mask.fits")
    sky = read_cube(path, mask=tmp_path / "cubelet_mask.fits")
    assert sky.given_mask.sum() == (labels[part] > 0).sum()
    with pytest.raises(CubeError, match=r"cube_mask\.fits has .* pixels, and the cube"):
        read_cube(path, mask=tmp_path / "cube_mask.fits")


@pytest.mark.parametrize(
    ("kind", "cards", "change", "sentence"),
    [
        ("VRAD", {"BUNIT": "Jy/beam km/s"}, None, r"is in 'Jy/beam km/s' \(BUNIT\)"),
        ("VRAD", {"BUNIT": "JY/BEAM km/s"}, None, r"\(BUNIT\)"),
        ("VRAD", {"BUNIT": "JY/B*M/S"}, None, r"\(BUNIT\)"),
        ("VRAD", {"BUNIT": "K km/s"}, None, r"\(BUNIT\)"),
        ("VRAD", {"BUNIT": "Jy"}, None, r"\(BUNIT\)"),
        ("VRAD", {"BUNIT": "counts"}, None, r"\(BUNIT\)"),
        ("VRAD", {"BUNIT": "Jy/beam/pixel"}, None, r"\(BUNIT\)"),
        ("VRAD", {"RESTFRQ": 1.6654e9, "RESTFREQ": HI}, None, "of a line at 1.6654 GHz"),
        ("VRAD", {"RESTFRQ": None, "RESTWAV": 0.18}, None, "of a line at 1.6655 GHz"),
        ("VRAD", {"PC3_1": 0.1, "PC1_3": 1e-6}, None, "mix its velocity axis with the sky"),
        ("VRAD", {"CUNIT3": "parsec"}, None, "CUNIT3"),
        ("VRAD", {"CTYPE3": "CHANNEL"}, None, "no velocity or frequency axis"),
        ("VRAD", {"CTYPE3": "ENER"}, None, "no velocity or frequency axis|CUNIT3|channels"),
        ("FREQ", {"CUNIT3": "m/s"}, None, "CTYPE3|CUNIT3"),
        ("FREQ", {"CDELT3": -1e-9}, None, "how wide|channels of"),
        ("VRAD", {"CDELT1": "5 arcsec"}, None, "CDELT1 is '5 arcsec', not a number"),
        ("VRAD", {"CRVAL2": 95.0}, None, "cube.fits"),
        ("VRAD", {"CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN"}, None, "HPLN-TAN"),
        ("VRAD", _NO_BEAM | {"CASAMBM": True}, None, "does not give its beam"),
        ("VRAD", {"BMAJ": -15 / 3600, "BMIN": -15 / 3600}, None, "BMAJ gives a beam of -15"),
        ("VRAD", {"BMAJ": 10 / 3600, "BMIN": 20 / 3600}, None, "BMAJ gives a beam of 10 by 20"),
        ("VRAD", _NO_BEAM | {"BMMAJ": 15 / 3600, "BMMIN": 15 / 3600}, None, "BMMAJ gives a beam of"),
        ("VRAD", {"SPECSYS": None, "SPECSYS3": "TOPOCENT", "RESTFRQ": 1e9}, None, "line at 1.0000 GHz"),
        ("VRAD", {}, lambda d, h: (d[:1], h), "three axes|channels"),
        ("VRAD", {}, lambda d, h: (d[:, :, :1], h), "three axes"),
        ("VRAD", {}, lambda d, h: (d * 0, h), "blank everywhere"),
    ],
    ids=lambda v: str(v)[:60] if isinstance(v, dict) else None,
)
def test_what_is_refused_by_name(path, cubes, kind, cards, change, sentence):
    write(path, *cubes[kind], change, **cards)
    with pytest.raises(CubeError, match=sentence) as caught:
        read_cube(path)
    assert "cube.fits" in str(caught.value) and "\n" not in str(caught.value)
