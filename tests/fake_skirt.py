"""A stand-in for the skirt executable, for tests where there is none. It is not SKIRT.

It reads a parameter file and the files that the file names, draws photon packets from the stars, and writes log and
frames in SKIRT's form. It knows stars of ``FileSSPSEDFamily``, bands from files and instruments at a given distance; a
medium is read and then ignored, as if all dust were transparent. A parameter file that SKIRT refuses
(tests/skirt_schema.py) is refused. The formulas are those of SKIRT's source
(``StoredTable.hpp``, ``FileSSPSEDFamily.cpp``, ``ImportedSource.cpp``, ``CubicSplineSmoothingKernel.cpp``,
``FrameInstrument.cpp``, ``FluxRecorder.cpp``, ``Band.cpp``, ``FITSInOut.cpp``), written anew and without dmlib, so that
a misunderstanding on our side shows.

``FAKE_SKIRT`` in the environment makes it misbehave: ``fail``, ``hang``, ``silent`` (ends well, writes no frames),
``cut`` (frames cut short).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

import skirt_schema

C = 2.99792458e8
PC = 3.08567758e16
LENGTHS = {"pc": PC, "kpc": 1e3 * PC, "Mpc": 1e6 * PC}


class FatalError(Exception):
    pass


def quantity(text, units):
    value, unit = text.split()
    return float(value) * units[unit]


def read_columns(path):
    """Values and units of a column file."""
    units = []
    for line in path.read_text().splitlines():
        if line.startswith("# column"):
            units.append(line[line.rindex("(") + 1 : line.rindex(")")])
    return np.loadtxt(path, ndmin=2), units


def read_stored_table(path):
    """Axes and values, shape by the axes in order, of a stored table of one quantity with three axes."""
    raw = path.read_bytes()
    items = [raw[i : i + 8] for i in range(0, len(raw), 8)]
    integer = [int.from_bytes(item, "little") for item in items]
    if items[0] != b"SKIRT X\n" or integer[1] != 0x010203040A0BFEFF or items[-1] != b"STABEND\n":
        raise FatalError(f"File does not have stored table format: {path}")
    if integer[2] != 3 or items[3:9] != [b"lambda  ", b"Z       ", b"t       ", b"m       ", b"1       ", b"yr      "]:
        raise FatalError(f"Axes in stored table do not match: {path}")
    if items[9:12] != [b"log     "] * 3:
        raise FatalError("this stand-in knows logarithmic axes only")
    axes, at = [], 12
    for _ in range(3):
        n = integer[at]
        axes.append(np.frombuffer(raw, "<f8", n, 8 * (at + 1)))
        at += n + 1
    if integer[at] != 1 or items[at + 1 : at + 4] != [b"Llambda ", b"W/m     ", b"log     "]:
        raise FatalError(f"Tabulated quantity is not in stored table: {path}")
    shape = [len(axis) for axis in axes]
    values = np.frombuffer(raw, "<f8", int(np.prod(shape)), 8 * (at + 4))
    if len(items) != at + 4 + len(values) + 1:
        raise FatalError(f"Stored table is of another length: {path}")
    return axes, values.reshape(shape[::-1]).T


def interpolate(axes, values, metallicity, age):
    """Spectra on the table's wavelengths, shape (n, wavelength); dark outside the table and on its first point."""
    dark = np.zeros(len(age), dtype=bool)
    places = []
    for axis, x in zip(axes[1:], (metallicity, age), strict=True):
        right = np.searchsorted(axis, x, side="left")
        dark |= (right == 0) | (right == len(axis))
        right = np.clip(right, 1, len(axis) - 1)
        low, high = np.log10(axis[right - 1]), np.log10(axis[right])
        places.append((right, (np.log10(x) - low) / (high - low)))
    (z, fz), (t, ft) = places
    logs = np.log10(values)
    out = sum(
        (weight_z * weight_t)[:, None] * logs[:, z - dz, t - dt].T
        for dz, weight_z in ((0, fz), (1, 1 - fz))
        for dt, weight_t in ((0, ft), (1, 1 - ft))
    )
    return np.where(dark[:, None], 0.0, 10.0**out)


def power_law_integrals(x, y):
    """Integral of y between neighbouring x, where log y is linear in log x."""
    slope = np.log(y[..., 1:] / y[..., :-1]) / np.log(x[1:] / x[:-1])
    flat = np.abs(slope + 1) < 1e-9
    power = np.where(flat, 1.0, slope + 1)
    general = x[:-1] * y[..., :-1] * ((x[1:] / x[:-1]) ** power - 1) / power
    return np.where(flat, x[:-1] * y[..., :-1] * np.log(x[1:] / x[:-1]), general)


def cut(x, y, low, high):
    """The spectra between two wavelengths, log-log interpolated there."""
    inside = x[(x > low) & (x < high)]
    grid = np.concatenate([[low], inside, [high]])
    logs = np.array([np.interp(np.log(grid), np.log(x), row) for row in np.log(y)])
    return grid, np.exp(logs)


def kernel_radii(rng, n):
    u = np.arange(401) / 400
    inner = u**3 * (32 / 3 - 192 / 5 * u**2 + 32 * u**3)
    outer = -1 / 15 - 64 * u**3 * (-1 / 3 + 0.75 * u - 0.6 * u**2 + u**3 / 6)
    return np.interp(rng.random(n), np.where(u < 0.5, inner, outer), u)


def band(path):
    """Wavelengths [m], normalised transmission, and pivot of a band."""
    values, units = read_columns(path)
    if units != ["micron", "1"]:
        raise FatalError(f"Invalid units in {path}")
    x, t = values[:, 0] * 1e-6, values[:, 1]
    step, mean, middle = np.diff(x), 0.5 * (t[1:] + t[:-1]), 0.5 * (x[1:] + x[:-1])
    norm = np.sum(mean * step)
    return x, t / norm, 1 / np.sqrt(np.sum(mean * step / norm / middle**2))


def launch(folder, source, n, low, high, rng):
    """Luminosity [W], wavelength [m] and position [m] of packets."""
    family = source.find("sedFamily")[0]
    if family.tag != "FileSSPSEDFamily":
        raise FatalError(f"Could not locate resource '{family.tag}.stab'")
    values, units = read_columns(folder / source.get("filename"))
    if units != ["pc", "pc", "pc", "pc", "Msun", "1", "yr"]:
        raise FatalError("Invalid units for quantity in column")
    axes, table = read_stored_table(folder / family.get("filename"))
    spectra = values[:, 4, None] * interpolate(axes, table, values[:, 5], values[:, 6])
    lit = spectra[:, 0] > 0
    values, spectra = values[lit], spectra[lit]
    grid, spectra = cut(axes[0], spectra, low, high)
    pieces = power_law_integrals(grid, spectra)
    whole = pieces.sum(axis=1)
    star = rng.choice(len(values), n, p=whole / whole.sum())
    # Within a piece of the spectrum, the power law is drawn from by a fine table of its integral.
    below = np.cumsum(pieces[star], axis=1) / whole[star, None]
    draw = rng.random(n)
    piece = (draw[:, None] > below).sum(axis=1).clip(max=pieces.shape[1] - 1)
    start = np.where(piece > 0, below[np.arange(n), np.maximum(piece - 1, 0)], 0.0)
    share = (draw - start) / (below[np.arange(n), piece] - start)
    left, right = grid[piece], grid[piece + 1]
    slope = np.log(spectra[star, piece + 1] / spectra[star, piece]) / np.log(right / left)
    power = np.where(np.abs(slope + 1) < 1e-6, 1e-6, slope + 1)
    wavelength = left * (1 + share * ((right / left) ** power - 1)) ** (1 / power)
    direction = rng.normal(size=(n, 3))
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    position = values[star, :3] + direction * (kernel_radii(rng, n) * values[star, 3])[:, None]
    return whole.sum() / n, wavelength, position * PC


def pixel(instrument, position):
    """Column and row that position falls into, and which are on the frame."""
    theta, phi, omega = (np.radians(float(instrument.get(k).split()[0])) for k in ("inclination", "azimuth", "roll"))
    x, y, z = position.T
    xpp = -np.sin(phi) * x + np.cos(phi) * y
    ypp = -np.cos(phi) * np.cos(theta) * x - np.sin(phi) * np.cos(theta) * y + np.sin(theta) * z
    xp = np.cos(omega) * xpp - np.sin(omega) * ypp
    yp = np.sin(omega) * xpp + np.cos(omega) * ypp
    n = int(instrument.get("numPixelsX"))
    field = quantity(instrument.get("fieldOfViewX"), LENGTHS)
    i = np.floor((xp + field / 2) / (field / n)).astype(int)
    j = np.floor((yp + field / 2) / (field / n)).astype(int)
    return i, j, (i >= 0) & (i < n) & (j >= 0) & (j < n), n, field / n


def write_frame(path, cube, wavelengths, side):
    from astropy.io import fits

    primary = fits.PrimaryHDU(cube.astype(">f4"))
    cards = {"BUNIT": "MJy/sr", "CDELT1": side, "CUNIT1": "arcsec", "CDELT2": side, "CUNIT2": "arcsec"}
    primary.header.update(cards | {"CUNIT3": "micron", "ORIGIN": "stand-in, not SKIRT"})
    column = fits.Column("GRID_POINTS", "E16.9", unit="micron", array=wavelengths, ascii=True)
    fits.HDUList([primary, fits.TableHDU.from_columns([column])]).writeto(path, overwrite=True)
    if os.environ.get("FAKE_SKIRT") == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def simulate(ski, folder, out):
    for problem in skirt_schema.problems(ski):
        raise FatalError(problem)
    simulation = ElementTree.parse(ski).getroot()[0]
    system = simulation.find("sourceSystem")[0]
    microns = {"micron": 1e-6}
    low, high = (quantity(system.get(k), microns) for k in ("minWavelength", "maxWavelength"))
    if (simulation.find("mediumSystem") is not None) != (simulation.get("simulationMode") == "ExtinctionOnly"):
        raise FatalError("the medium does not fit the simulation mode")
    if medium := simulation.find("mediumSystem"):
        values, _ = read_columns(folder / medium[0].find("media")[0].get("filename"))
        if not len(values):
            raise FatalError("there is no medium")
    instruments = simulation.find("instrumentSystem")[0]
    rng = np.random.default_rng(int(simulation.find("random")[0].get("seed")))
    sources = system.find("sources")
    n = int(float(simulation.get("numPackets"))) // len(sources)
    packets = [launch(folder, source, n, low, high, rng) for source in sources]
    for instrument in instruments.find("instruments"):
        distance = quantity(instrument.get("distance"), LENGTHS)
        if not distance > 0:
            raise FatalError("Instrument distance and model redshift are both zero")
        bands = [band(folder / b.get("filename")) for b in instrument.find("wavelengthGrid")[0].find("bands")]
        cube = []
        for x, transmission, pivot in bands:
            frame = 0.0
            for luminosity, wavelength, position in packets:
                i, j, on, size, side = pixel(instrument, position)
                weight = luminosity * np.interp(wavelength, x, transmission, left=0.0, right=0.0)
                frame = frame + np.bincount(j[on] * size + i[on], weight[on], size**2).reshape(size, size)
            omega = 4 * np.arctan(0.5 * side / distance) ** 2
            # Per wavelength in W/m3/sr, then per frequency, then MJy/sr.
            cube.append(frame / (4 * np.pi * distance**2) / omega * pivot**2 / C * 1e20)
        name = f"{ski.stem}_{instrument.get('instrumentName')}_total.fits"
        angle = np.degrees(2 * np.arctan(0.5 * side / distance)) * 3600
        write_frame(out / name, np.array(cube), [1e6 * pivot for *_, pivot in bands], angle)


def main(arguments):
    folder, out = Path(arguments[arguments.index("-i") + 1]), Path(arguments[arguments.index("-o") + 1])
    ski = Path(arguments[-1])
    mode = os.environ.get("FAKE_SKIRT", "")
    print("Welcome to a stand-in for SKIRT", flush=True)
    if mode == "hang":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (out / "pids.txt").write_text(f"{os.getpid()} {child.pid}")
        time.sleep(600)
    with open(out / f"{ski.stem}_log.txt", "w") as log:
        try:
            if mode == "fail":
                raise FatalError("Voronoi tessellation failed")
            if mode != "silent":
                simulate(ski, folder, out)
        except FatalError as error:
            for line in (
                error,
                "On line 1 in file fake_skirt.py",
                "In function simulate",
                "Call stack:",
                "3: main + 7",
            ):
                log.write(f"25/11/2026 12:00:00.000 * *** Error: {line}\n")
            return 1
        log.write("25/11/2026 12:00:00.000 - Finished simulation.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
