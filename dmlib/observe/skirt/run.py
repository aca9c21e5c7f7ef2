"""Running the ``skirt`` executable, and reading its frames."""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import signal
import subprocess
import warnings
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from ...errors import GalaxyError
from ..grid import SkyGrid
from ..images.bands import per_band
from .settings import SkirtError, SkirtSettings

#: Where the executable is, when it is not on PATH.
VARIABLE = "DMLIB_SKIRT"

_ERROR = re.compile(r"\*\*\* Error: *(.*)")

#: Parts of SKIRT's messages, and what to do about them.
_MENDS = (
    ("Could not locate built-in resources", "leave skirt in its build tree (release/SKIRT/main) and link to it"),
    ("Could not locate resource", "install SKIRT's resource pack 'Core', or take library='self-contained'"),
    ("No resources matching", "install SKIRT's resource pack 'Core', or take library='self-contained'"),
    ("has no property named", "this SKIRT is of another version: take a SKIRT 9 of 2023 or later"),
    ("does not inherit", "this SKIRT is of another version: take a SKIRT 9 of 2023 or later"),
)


def find_skirt(named: str | Path | None = None) -> Path:
    """The ``skirt`` executable: the one named, else ``$DMLIB_SKIRT``, else that on PATH.

    Raises
    ------
    SkirtError
        When there is none; the message says how to get it.
    """
    asked = str(named or os.environ.get(VARIABLE) or "skirt")
    found = shutil.which(asked)
    if found is None:
        where = "on PATH" if asked == "skirt" else f"at {asked}"
        raise SkirtError(
            f"There is no skirt executable {where}: build SKIRT 9 (skirt.ugent.be), and put it on PATH or name it in "
            f"{VARIABLE}."
        )
    return Path(found)


def skirt_is_here() -> bool:
    """Whether there is an executable, see `find_skirt`."""
    try:
        find_skirt()
    except SkirtError:
        return False
    return True


def run_skirt(
    ski: str | Path,
    out: str | Path,
    *,
    executable: str | Path | None = None,
    threads: int = 1,
    timeout: float = 3600.0,
) -> Path:
    """Run a parameter file.

    Parameters
    ----------
    ski : path
        Its folder holds the input files.
    out : path
        Folder for frames and logs; created if missing.
    executable : path, optional
        See `find_skirt`.
    threads : int
    timeout : float
        Seconds after which the run and its children are ended.

    Returns
    -------
    Path
        SKIRT's log.

    Raises
    ------
    SkirtError
        When there is no executable, it lacks its resources, or is of another version.
    GalaxyError
        When the run of this galaxy fails or takes too long.
    """
    ski, out = Path(ski).resolve(), Path(out).resolve()
    skirt = find_skirt(executable)
    if not ski.is_file():
        raise SkirtError(f"There is no parameter file {ski}: export the galaxy first.")
    out.mkdir(parents=True, exist_ok=True)
    console, log = out / f"{ski.stem}_console.txt", out / f"{ski.stem}_log.txt"
    log.unlink(missing_ok=True)
    command = [str(skirt), "-t", str(threads), "-i", str(ski.parent), "-o", str(out), str(ski)]
    with open(console, "wb") as handle:
        try:
            # In a new session, so that it can be ended with all its children.
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=handle, stderr=subprocess.STDOUT, start_new_session=True
            )
        except OSError as error:
            raise SkirtError(f"{skirt} cannot be run: {error.strerror}.") from error
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise GalaxyError(
                f"SKIRT was ended after {timeout:g} s with {ski.name}: give it more time, more threads, or fewer "
                "photon packets"
            ) from None
        finally:
            # With its children; a run that ended by itself has left none, as a rule.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    complaints = _complaints(log) or _complaints(console)
    if code or complaints:
        raise _failure(ski, code, complaints, log if log.is_file() else console)
    return log


def _complaints(path: Path) -> list[str]:
    """Error messages of a log, without SKIRT's remarks on their place in its source."""
    if not path.is_file():
        return []
    lines = [match[1].strip() for match in _ERROR.finditer(path.read_text(encoding="utf-8", errors="replace"))]
    idle = ("On line", "In function", "Call stack", "A fatal error occurred", "From ski file")
    return [line for line in lines if line and not line.startswith(idle)]


def _failure(ski: Path, code: int, complaints: list[str], log: Path) -> Exception:
    said = "; ".join(complaints[:3]) or f"it ended with code {code} and no message"
    for part, mend in _MENDS:
        if part in said:
            return SkirtError(f"SKIRT failed with {ski.name} ({said}): {mend}.")
    return GalaxyError(f"SKIRT failed with {ski.name} ({said}): see {log}")


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
    try:
        with warnings.catch_warnings():
            # A truncated file is refused below; astropy would warn first.
            warnings.simplefilter("ignore", AstropyUserWarning)
            with fits.open(path, memmap=False) as hdus:
                header, data = hdus[0].header.copy(), np.asarray(hdus[0].data, dtype=np.float64)
                found = np.array([float(row[0]) for row in hdus[1].data])
                scale = str(hdus[1].columns[0].unit or header.get("CUNIT3", "")).strip()
    except FileNotFoundError as error:
        raise SkirtError(f"SKIRT wrote no {path.name}: {again}, and see its log.") from error
    except (OSError, TypeError, ValueError, IndexError) as error:
        raise SkirtError(f"{path.name} is cut short or no frame of SKIRT's ({error}): {again}.") from error
    expected = per_band("wavelength", settings.bands) / 1e3
    if data.shape != (len(expected), *grid.shape):
        raise SkirtError(
            f"{path.name} has an array of shape {data.shape} where {(len(expected), *grid.shape)} is expected: {again}."
        )
    if scale != "micron" or found.shape != expected.shape or not np.allclose(found, expected, rtol=5e-3):
        raise SkirtError(
            f"{path.name} has frames at {', '.join(f'{value:.4g}' for value in found)} {scale}, where the SDSS bands "
            f"are at {', '.join(f'{value:.4g}' for value in expected)} micron: {again} with dmlib's parameter file."
        )
    _check_pixels(path, header, grid, settings)
    if not np.all(np.isfinite(data)):
        raise SkirtError(f"{path.name} holds values that are not finite: {again}.")
    angle = np.arctan(grid.pixel_size / (1e3 * settings.pixel_distance)) * u.rad
    name = str(header.get("BUNIT", "")).strip()
    first, *divisors = name.split("/")
    try:
        # Per frequency, per wavelength, or neither: SKIRT's three flux styles.
        unit = u.Unit(first) / math.prod(u.Unit(divisor) for divisor in divisors)
        flux = (np.ones(len(found)) * unit * angle**2).to_value(u.Jy, u.spectral_density(found * u.um))
    except ValueError as error:
        raise SkirtError(
            f"{path.name} is in '{name}', which dmlib does not read: set ExtragalacticUnits in the .ski file."
        ) from error
    return np.ascontiguousarray(np.moveaxis(data * (flux / 3631.0)[:, None, None], 0, -1))


def _check_pixels(path: Path, header: fits.Header, grid: SkyGrid, settings: SkirtSettings) -> None:
    """Refuse a frame whose pixels are not those of the grid; versions of SKIRT give their side in pc or in arcsec."""
    name = str(header.get("CUNIT1", "")).strip()
    try:
        scale = float(header.get("CDELT1", np.nan)) * u.Unit(name)
        if scale.unit.is_equivalent(u.rad):
            scale = np.tan(scale) * settings.pixel_distance * u.Mpc
        found = scale.to_value(u.kpc)
    except ValueError as error:
        raise SkirtError(
            f"{path.name} gives its pixels in '{name}': run SKIRT again with dmlib's parameter file."
        ) from error
    if not np.isclose(found, grid.pixel_size, rtol=1e-3):
        raise SkirtError(
            f"{path.name} has pixels of {found:.4g} kpc where {grid.pixel_size:.4g} kpc are expected: run SKIRT again."
        )
