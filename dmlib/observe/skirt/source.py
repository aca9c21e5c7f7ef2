"""Your own SKIRT runs: the executable, its frames as a source of images, and a comparison with particle light."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DmlibError, GalaxyError
from ...galaxy import ComponentName, Galaxy
from ...workers import bar
from ..images import UGRIZ, from_maggies
from ..images.dust import Dust
from ..images.light import ParticleLight
from ..sky import SkyGrid, View
from . import SkirtError, SkirtSettings
from .export import GAS_FIELDS, STAR_FIELDS, export
from .tables import read_frame

#: Folder of the frames and logs, within that of the input files.
OUT = "out"

#: Where the executable is, when it is not on PATH.
VARIABLE = "DMLIB_SKIRT"

_ERROR = re.compile(r"\*\*\* Error: *(.*)")

#: Progress in SKIRT's log [%].
_PROGRESS = re.compile(r"Launched .* photon packets: *([\d.]+)%")

#: Patterns of SKIRT's messages, and what to do about them.
_MENDS = {
    "Could not locate built-in resources": "leave skirt in its build tree (release/SKIRT/main) and link to it",
    "Could not locate resource|No resources matching": "install its pack Core, or set library='self-contained'",
    "has no property named|does not inherit": "this SKIRT is of another version: take a SKIRT 9 of 2023 or later",
}


def find_skirt(named: str | Path | None = None) -> Path:
    """The ``skirt`` executable: the one named, else ``$DMLIB_SKIRT``, else that on PATH.

    Raises
    ------
    SkirtError
        When there is none; the message says how to get it.
    """
    asked = str(named or os.environ.get(VARIABLE) or "skirt")
    # A path has lost the leading ./ by which a file here is told from a program on PATH.
    here = Path(asked).expanduser()
    found = shutil.which(here.absolute() if named and here.is_file() else asked)
    if found is None:
        where = "on PATH" if asked == "skirt" else f"at {asked}"
        mend = f"build SKIRT 9 (skirt.ugent.be), and put it on PATH or name it in {VARIABLE}"
        raise SkirtError(f"There is no skirt executable {where}: {mend}.")
    return Path(found)


def skirt_state() -> str:
    """What is known of the executable without running it: its size and date; ``absent`` where there is none."""
    try:
        stat = find_skirt().stat()
    except (SkirtError, OSError):
        return "absent"
    return f"{stat.st_size} bytes of {stat.st_mtime_ns}"


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
    for old in out.glob(f"{ski.stem}_*"):
        # A frame of an earlier run must not pass for one of this run.
        old.unlink()
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
            code = _wait(process, log, timeout)
        except subprocess.TimeoutExpired:
            mend = "give it more time, more threads, or fewer photon packets"
            raise GalaxyError(f"SKIRT was ended after {timeout:g} s with {ski.name}: {mend}") from None
        finally:
            # With its children; a run that ended by itself has left none, as a rule.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    complaints = _complaints(log) or _complaints(console)
    if code or complaints:
        said = "; ".join(complaints[:3]) or f"it ended with code {code} and no message"
        for pattern, mend in _MENDS.items():
            if re.search(pattern, said):
                raise SkirtError(f"SKIRT failed with {ski.name} ({said}): {mend}.")
        raise GalaxyError(f"SKIRT failed with {ski.name} ({said}): see {log if log.is_file() else console}")
    return log


def _wait(process: subprocess.Popen, log: Path, timeout: float) -> int:
    """Wait for SKIRT, with the progress that its log tells; returns its code, or raises `subprocess.TimeoutExpired`."""
    end = time.monotonic() + timeout
    with bar(total=100, label="SKIRT", unit="%") as progress:
        while (left := end - time.monotonic()) > 1.0:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(1.0)
            told = _PROGRESS.findall(log.read_text(encoding="utf-8", errors="replace")) if log.is_file() else []
            if told:
                progress.update(float(told[-1]) - progress.n)
        return process.wait(max(left, 0.0))


def _complaints(path: Path) -> list[str]:
    """Error messages of a log, without SKIRT's remarks on their place in its source and in the parameter file."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    # What follows the place in the source is the call stack.
    message, _, _ = text.partition("*** Error: On line ")
    idle = ("A fatal error occurred", "From ski file")
    return [line for match in _ERROR.finditer(message) if (line := match[1].strip()) and not line.startswith(idle)]


def described(folder: str | Path) -> dict:
    """Description of an exported galaxy, from the ``export.json`` of its folder.

    Raises
    ------
    SkirtError
        When there is none.
    """
    path = Path(folder) / "export.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise SkirtError(f"{folder} holds no exported galaxy: make it with dmlib skirt export.") from error


def run_folder(
    folder: str | Path, *, executable: str | Path | None = None, threads: int = 1, timeout: float = 3600.0
) -> list[np.ndarray]:
    """Run SKIRT on an exported galaxy, and read its images.

    Parameters
    ----------
    folder : path
        Filled by `dmlib.observe.skirt.export.export`.
    executable, threads, timeout
        See `run_skirt`.

    Returns
    -------
    list of ndarray, shape (y, x, 5)
        Maggies per pixel in u g r i z, one for each line of sight.

    Raises
    ------
    SkirtError
        When SKIRT is not installed, lacks its resources, or wrote a file that cannot be read.
    GalaxyError
        When the run of this galaxy fails or takes too long.
    """
    folder = Path(folder)
    said = described(folder)
    try:
        settings, grid = SkirtSettings(**said["settings"]), SkyGrid(said["field_of_view_kpc"], said["pixels"])
        ski = folder / said["ski"]
        names = [f"{ski.stem}_view{view['index']}_total.fits" for view in said["views"]]
    except (KeyError, TypeError, ValueError) as error:
        why = "; ".join(str(error).split("\n")[:2])
        raise SkirtError(
            f"{folder}/export.json is not as this version of dmlib writes it ({why}): export again."
        ) from error
    run_skirt(ski, folder / OUT, executable=executable, threads=threads, timeout=timeout)
    return [read_frame(folder / OUT / name, grid, settings) for name in names]


@dataclass(frozen=True)
class OwnSkirt:
    """Images by SKIRT; a `dmlib.observe.images.ImageSource`.

    Parameters
    ----------
    settings : SkirtSettings
    executable : path, optional
        See `find_skirt`.
    threads : int
        Of SKIRT, for one galaxy.
    timeout : float
        Seconds for one galaxy.
    """

    settings: SkirtSettings = field(default_factory=SkirtSettings)
    executable: str | Path | None = None
    threads: int = 1
    timeout: float = 3600.0
    unit: str = field(default="maggies/pixel", init=False)
    bands: tuple[str, ...] = field(default=UGRIZ, init=False)

    @property
    def fields(self) -> dict[ComponentName, tuple[str, ...]]:
        """TNG fields for `dmlib.galaxy.load_galaxy`."""
        return {"stars": STAR_FIELDS, "gas": GAS_FIELDS} if self.settings.dust else {"stars": STAR_FIELDS}

    def images(self, galaxy: Galaxy, views: Sequence[View], grid: SkyGrid) -> list[np.ndarray]:
        """Images of one galaxy along several lines of sight, each shape (y, x, 5); one run of SKIRT for all.

        The files of a run that fails are kept, in a temporary folder that the error names.

        Raises
        ------
        SkirtError
            When SKIRT is not installed, lacks its resources, or wrote a file that cannot be read.
        GalaxyError
            When this galaxy has no stars, or its run fails or takes too long.
        """
        find_skirt(self.executable)
        folder = tempfile.mkdtemp(prefix="dmlib-skirt-")
        try:
            export(galaxy, views, grid, self.settings, folder)
            images = run_folder(folder, executable=self.executable, threads=self.threads, timeout=self.timeout)
        except (SkirtError, GalaxyError) as error:
            raise type(error)(f"{str(error).rstrip('.')}; the files of this run are kept in {folder}.") from error
        except BaseException:  # interrupted, or the disk is full
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder)
        return images

    def image(self, galaxy: Galaxy, view: View, grid: SkyGrid) -> np.ndarray:
        """Image of one galaxy, shape (y, x, 5) in maggies/pixel; see `dmlib.observe.images.ImageSource.image`."""
        return self.images(galaxy, [view], grid)[0]


#: Largest difference of the fluxes without dust that random photon packets can explain.
CRITERION = 0.03

#: TNG fields that both need, for `dmlib.galaxy.load_galaxy`.
FIELDS: dict[ComponentName, tuple[str, ...]] = {
    part: tuple(dict.fromkeys((*ParticleLight().fields[part], *OwnSkirt().fields[part]))) for part in ("stars", "gas")
}


@dataclass(frozen=True)
class Comparison:
    """Images of one galaxy, [Lsun/kpc^2], shape (y, x, 5).

    Parameters
    ----------
    particles, skirt : tuple of ndarray
        Image without and image with dust.
    """

    particles: tuple[np.ndarray, np.ndarray]
    skirt: tuple[np.ndarray, np.ndarray]

    @property
    def ratio(self) -> np.ndarray:
        """Flux without dust, SKIRT over particle light, shape (5,)."""
        return self.skirt[0].sum((0, 1)) / self.particles[0].sum((0, 1))

    def sentence(self) -> str:
        """The comparison in words."""
        worst = np.abs(self.ratio - 1.0).max()
        g = UGRIZ.index("g")
        taken = {
            name: -2.5 * np.log10(dusty[..., g].sum() / bare[..., g].sum())
            for name, (bare, dusty) in (("skirt", self.skirt), ("particles", self.particles))
        }
        return (
            f"Without dust the fluxes of SKIRT and of the particles differ by at most {100 * worst:.1f} per cent in "
            f"the five bands (criterion {100 * CRITERION:.0f} per cent: {'met' if worst <= CRITERION else 'missed'}). "
            f"Dust takes {taken['skirt']:.2f} mag in g by SKIRT and {taken['particles']:.2f} mag by our model, here "
            "without birth clouds."
        )


def compare(galaxy: Galaxy, view: View, grid: SkyGrid) -> tuple[Comparison | None, str]:
    """Draw one galaxy by particle light and by self-contained SKIRT runs, without and with dust.

    Self-contained runs have no birth clouds, and so the column model has none here.

    Parameters
    ----------
    galaxy : Galaxy
        With `FIELDS`.
    view : View
    grid : SkyGrid

    Returns
    -------
    comparison : Comparison or None
        None where SKIRT is not installed or fails: a chapter of the book is complete without it.
    sentence : str
        The comparison in words, or the reason why there is none.
    """
    particles, skirt = [], []
    try:
        for dust in (False, True):
            source = OwnSkirt(SkirtSettings(library="self-contained", dust=dust), threads=2)
            skirt.append(from_maggies(source.image(galaxy, view, grid), grid.pixel_area))
            particles.append(ParticleLight(Dust(birth_clouds=False) if dust else None).image(galaxy, view, grid))
    except DmlibError as error:
        return None, f"No comparison with SKIRT: {error}"
    found = Comparison((particles[0], particles[1]), (skirt[0], skirt[1]))
    return found, found.sentence()


def unpack(packed: dict[str, Any]) -> np.ndarray:
    """Pictures of a record, one byte a number (``records/skirt_runs.py``); level 0 is dark."""
    levels = np.frombuffer(zlib.decompress(base64.b64decode(packed["levels"])), np.uint8).reshape(packed["shape"])
    values = 10.0 ** (packed["log10_of_level_1"] + packed["dex_per_level"] * (levels.astype(float) - 1.0))
    return np.where(levels > 0, values, 0.0)
