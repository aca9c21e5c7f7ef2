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
from math import radians
from pathlib import Path

import numpy as np
from astropy.io import fits

from ..errors import DmlibError, GalaxyError
from ..observe.cube import Cube, HICube
from ..observe.cube_fits import plain_header
from .curve import RotationCurve

#: Environment variable that names the program where it is neither in pyBBarolo nor on the path.
PROGRAM = "DMLIB_BAROLO"

#: Systemic velocity in the files that we write for it [km/s]: far from 0, where velocities change sign.
_V_SYS = 1000.0

#: Columns of the table of rings, by the beginning of their names.
_COLUMNS = {"arcsec": "RAD(arcs)", "v_rot": "VROT(km/s)", "dispersion": "DISP(km/s)", "inclination": "INC(deg)"}
_COLUMNS |= {"position_angle": "P.A.(deg)", "v_sys": "VSYS(km/s)"}


def find_barolo() -> Path | None:
    """The program 3D-Barolo, or None where it is not installed."""
    package, named = find_spec("pyBBarolo"), os.environ.get(PROGRAM)
    inside = [f"{folder}/BBarolo" for folder in (package.submodule_search_locations or ())] if package else []
    candidates = [named] if named else [*inside, "BBarolo"]
    return next((Path(found) for found in map(shutil.which, candidates) if found), None)


def needs_barolo() -> Path:
    """The program 3D-Barolo.

    Raises
    ------
    DmlibError
        When it is not installed.
    """
    if (program := find_barolo()) is None:
        raise DmlibError(
            "3D-Barolo is not installed: `pip install pyBBarolo` (compiled, with libcfitsio-dev, wcslib-dev and "
            f"libfftw3-dev), or name the program in {PROGRAM}"
        )
    return program


def fit_barolo(
    cube: Cube,
    guess: RotationCurve,
    *,
    distance: float | None = None,
    mask: np.ndarray | None = None,
    stretch: float = 1.0,
    program: Path | None = None,
    limit: float = 600.0,
) -> RotationCurve:
    """Fit rings to a cube with 3D-Barolo; speed, dispersion, inclination and position angle are free.

    Parameters
    ----------
    cube : Cube
        Simulated or real.
    guess : RotationCurve
        From `dmlib.rotation.rings.fit_rings`: radii, centre, first geometry, and the surface density for the
        asymmetric drift.
    distance : float, optional
        Of a real galaxy [Mpc]; a simulated cube has its own.
    mask : ndarray of bool, shape of the cube, optional
        The galaxy's emission; found by 3D-Barolo where it is not given.
    stretch : float
        Velocity difference in the galaxy per difference in the cube, `dmlib.observe.sky_cube.SkyCube.stretch`.
    program : Path, optional
        Default `find_barolo`.
    limit : float
        Longest run [s].

    Returns
    -------
    RotationCurve
        Its errors are 5 km/s, a quarter of the difference between the two sides of `guess`, and half of the
        difference from its speed, added in quadrature: the program's own take ten times as long as its fit.

    Raises
    ------
    DmlibError
        When 3D-Barolo is not installed.
    GalaxyError
        When its fit fails.
    """
    program = program or needs_barolo()
    if distance is None:
        assert isinstance(cube, HICube), "a real cube needs a distance"
        distance = cube.settings.distance
    scale = 1.0 / (distance * 1e3 * radians(1.0 / 3600.0))
    with tempfile.TemporaryDirectory() as folder:
        card = Path(folder) / "card.par"
        out = Path(folder) / "rings"  # new, so it cannot hold results of another run
        out.mkdir()
        card.write_text(_parameters(cube, guess, scale, Path(folder), out, mask, stretch))
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
    return _curve(scale, guess, rings)


def _parameters(
    cube: Cube, guess: RotationCurve, scale: float, folder: Path, out: Path, mask: np.ndarray | None, stretch: float
) -> str:
    """Write the files of a run, and return its parameter file; `scale` is in arcsec per kpc."""
    _write(cube, cube.data, guess.v_sys, stretch, folder / "cube.fits")
    if mask is not None:
        _write(cube, mask, guess.v_sys, stretch, folder / "mask.fits")
    ny, nx = cube.data.shape[1:]
    column, row = ((n - 1) / 2 + x * scale / cube.pixel for n, x in zip((nx, ny), guess.centre, strict=True))
    template = Path(__file__).with_suffix(".par").read_text(encoding="utf-8")
    return template.format(
        cube=folder / "cube.fits",
        out=out,
        mask="SMOOTH&SEARCH" if mask is None else f"FILE({folder / 'mask.fits'})",
        rings=len(guess),
        step=float(guess.radius[1] - guess.radius[0]) * scale,
        column=column,
        row=row,
        v_sys=_V_SYS,
        v_rot=max(20.0, float(np.median(guess.v_rot))),
        inclination=guess.mean_inclination,
        position_angle=float(guess.position_angle[0]),
        distance=1e-3 / (scale * radians(1.0 / 3600.0)),
    )


def _write(cube: Cube, data: np.ndarray, v_sys: float, stretch: float, path: Path) -> None:
    """Write velocities in the galaxy, about `_V_SYS`."""
    header = plain_header(cube, _V_SYS + stretch * (cube.velocities[0] - v_sys), stretch * cube.channel_width)
    fits.PrimaryHDU(data.astype(np.float32), header).writeto(path)


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
        raise GalaxyError(f"{Path(path).name} of 3D-Barolo has no {', '.join(absent) or 'rings'}: another version?")
    table = np.array(rows, dtype=float).T
    return {ours: table[names.index(theirs)] for ours, theirs in _COLUMNS.items()}


def _curve(scale: float, guess: RotationCurve, rings: dict[str, np.ndarray]) -> RotationCurve:
    radius = rings["arcsec"] / scale

    def at(values: np.ndarray) -> np.ndarray:
        return np.interp(radius, guess.radius, values)

    approaching, receding = at(guess.v_approaching), at(guess.v_receding)
    apart = np.nan_to_num(approaching - receding) / 4.0, (rings["v_rot"] - at(guess.v_rot)) / 2.0
    return replace(
        guess,
        radius=radius,
        v_rot=rings["v_rot"],
        v_err=np.linalg.norm([np.full(len(radius), 5.0), *apart], axis=0),
        v_approaching=approaching,
        v_receding=receding,
        dispersion=rings["dispersion"],
        surface_density=at(guess.surface_density),
        inclination=rings["inclination"],
        position_angle=rings["position_angle"] % 360.0,
        v_sys=guess.v_sys + float(np.median(rings["v_sys"])) - _V_SYS,
        coverage=at(guess.coverage),
    )
