"""3D-Barolo as a second engine: rings fitted to the whole cube, with beam and channels in the model.

Di Teodoro & Fraternali (2015). It is a separate program, which ``pip install pyBBarolo`` compiles and installs (on
Debian after ``apt-get install libcfitsio-dev wcslib-dev libfftw3-dev``; never with ``--prefer-binary``, which takes an
old version). We run the program and do not use the package's Python layer, which needs modules that Python 3.12 no
longer has. Two known problems are avoided: a fit that fails leaves the rings of the previous run in its folder, so
every run gets an empty folder; its first guess of the position angle can be off by 180 deg, so it is given ours.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..errors import DmlibError, GalaxyError
from ..observe.cube import HICube
from ..observe.cube_fits import write_fits
from .curve import RotationCurve

#: Environment variable that names the program where it is neither in pyBBarolo nor on the path.
PROGRAM = "DMLIB_BAROLO"

#: Columns of the table of rings, by the beginning of their names.
_COLUMNS = {"arcsec": "RAD(arcs)", "v_rot": "VROT(km/s)", "dispersion": "DISP(km/s)", "inclination": "INC(deg)"}
_COLUMNS |= {"position_angle": "P.A.(deg)", "v_sys": "VSYS(km/s)"}


def find_barolo() -> Path | None:
    """The program 3D-Barolo, or None where it is not installed."""
    package, named = find_spec("pyBBarolo"), os.environ.get(PROGRAM)
    inside = [f"{folder}/BBarolo" for folder in (package.submodule_search_locations or ())] if package else []
    candidates = [named] if named else [*inside, "BBarolo"]
    return next((Path(found) for found in map(shutil.which, candidates) if found), None)


def fit_barolo(
    cube: HICube, guess: RotationCurve, *, program: Path | None = None, limit: float = 600.0
) -> RotationCurve:
    """Fit rings to a cube with 3D-Barolo; speed, dispersion, inclination and position angle are free.

    Parameters
    ----------
    cube : HICube
    guess : RotationCurve
        From `dmlib.rotation.rings.fit_rings`: radii, first geometry, and the surface density for the asymmetric drift.
    program : Path, optional
        Default `find_barolo`.
    limit : float
        Longest run [s].

    Returns
    -------
    RotationCurve
        Its errors are a quarter of the difference between the two sides of `guess` and 5 km/s,
        added in quadrature.

    Raises
    ------
    DmlibError
        When 3D-Barolo is not installed.
    GalaxyError
        When its fit fails.
    """
    program = program or find_barolo()
    if program is None:
        raise DmlibError(
            "3D-Barolo is not installed: `pip install pyBBarolo` (compiled, with libcfitsio-dev, wcslib-dev and "
            f"libfftw3-dev), or name the program in {PROGRAM}"
        )
    with tempfile.TemporaryDirectory() as folder:
        write_fits(cube, Path(folder) / "cube.fits")
        out = Path(folder) / "rings"  # new, so it cannot hold results of another run
        out.mkdir()
        card = Path(folder) / "card.par"
        card.write_text(_parameters(cube, guess, Path(folder) / "cube.fits", out))
        try:
            run = subprocess.run(
                [str(program), "-p", str(card)], cwd=folder, capture_output=True, text=True, timeout=limit, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise GalaxyError(f"{guess.galaxy}: 3D-Barolo did not finish ({error}): leave it out") from error
        tables = sorted(out.rglob("rings_final*.txt"))
        if not tables:
            said = (run.stderr or run.stdout).strip().splitlines()
            raise GalaxyError(f"{guess.galaxy}: 3D-Barolo found no rings ({said[-1] if said else 'no message'})")
        rings = read_rings(tables[-1])
    return _curve(cube, guess, rings)


def _parameters(cube: HICube, guess: RotationCurve, path: Path, out: Path) -> str:
    """The parameter file of a run."""
    step = float(guess.radius[1] - guess.radius[0]) * cube.settings.arcsec_per_kpc
    column, row = cube.grid.to_pixels(np.array(guess.centre))
    template = Path(__file__).with_suffix(".par").read_text(encoding="utf-8")
    return template.format(
        cube=path,
        out=out,
        rings=len(guess),
        step=step,
        column=column,
        row=row,
        v_sys=cube.settings.v_systemic + guess.v_sys,
        v_rot=max(20.0, float(np.median(guess.v_rot))),
        inclination=guess.mean_inclination,
        position_angle=float(guess.position_angle[0]),
        distance=cube.settings.distance,
    )


def read_rings(path: Path) -> dict[str, np.ndarray]:
    """Read the table of rings that 3D-Barolo writes, columns by our names.

    Raises
    ------
    GalaxyError
        When it has different columns, or no rows.
    """
    lines = Path(path).read_text().splitlines()
    names = lines[0].lstrip("#").split() if lines else []
    rows = [text.split() for text in lines[1:] if text.strip() and not text.startswith("#")]
    absent = [name for name in _COLUMNS.values() if name not in names]
    if absent or not rows:
        raise GalaxyError(
            f"{Path(path).name} of 3D-Barolo has no {', '.join(absent) or 'rings'}: another version wrote it"
        )
    table = np.array(rows, dtype=float).T
    return {ours: table[names.index(theirs)] for ours, theirs in _COLUMNS.items()}


def _curve(cube: HICube, guess: RotationCurve, rings: dict[str, np.ndarray]) -> RotationCurve:
    radius = rings["arcsec"] / cube.settings.arcsec_per_kpc

    def at(values: np.ndarray) -> np.ndarray:
        return np.interp(radius, guess.radius, values)

    approaching, receding = at(guess.v_approaching), at(guess.v_receding)
    return replace(
        guess,
        radius=radius,
        v_rot=rings["v_rot"],
        v_err=np.hypot(5.0, 0.25 * np.nan_to_num(approaching - receding)),
        v_approaching=approaching,
        v_receding=receding,
        dispersion=rings["dispersion"],
        surface_density=at(guess.surface_density),
        inclination=rings["inclination"],
        position_angle=rings["position_angle"] % 360.0,
        v_sys=float(np.median(rings["v_sys"])) - cube.settings.v_systemic,
        coverage=at(guess.coverage),
    )
