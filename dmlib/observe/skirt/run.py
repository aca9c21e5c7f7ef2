"""Running the ``skirt`` executable."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from ...errors import GalaxyError
from .settings import SkirtError

#: Where the executable is, when it is not on PATH.
VARIABLE = "DMLIB_SKIRT"

_ERROR = re.compile(r"\*\*\* Error: *(.*)")

#: What SKIRT says, by a part of it, and what to do about it.
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
        When there is none; says how to get it.
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
    """Whether there is an executable to run, see `find_skirt`."""
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
        Folder for frames and logs; made where it is missing.
    executable : path, optional
        See `find_skirt`.
    threads : int
    timeout : float
        Seconds after which the run is ended, with all that it has started.

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
            # A session of its own, so that all of it can be ended.
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
            _end(process)
    complaints = _complaints(log) or _complaints(console)
    if code or complaints:
        raise _failure(ski, code, complaints, log if log.is_file() else console)
    return log


def _end(process: subprocess.Popen) -> None:
    """End a process and its children: asked first, then not."""
    for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        if process.poll() is not None and number == signal.SIGTERM:
            return
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue


def _complaints(path: Path) -> list[str]:
    """Error messages of a log, without SKIRT's remarks on where in its source they arose."""
    if not path.is_file():
        return []
    lines = [match[1].strip() for match in _ERROR.finditer(path.read_text(encoding="utf-8", errors="replace"))]
    idle = ("On line", "In function", "Call stack", "A fatal error occurred", "From ski file")
    return [line for line in lines if line and not line.startswith(idle)]


def _failure(ski: Path, code: int, complaints: list[str], log: Path) -> Exception:
    said = "; ".join(complaints[:3]) or f"it ended with {code} and said nothing"
    for part, mend in _MENDS:
        if part in said:
            return SkirtError(f"SKIRT failed with {ski.name} ({said}): {mend}.")
    return GalaxyError(f"SKIRT failed with {ski.name} ({said}): see {log}")
