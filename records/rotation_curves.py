"""Rotation curves of real galaxies beside those that others measured, and our rings beside 3D-Barolo."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks import bench_rotation
from dmlib.rotation.barolo import fit_barolo, needs_barolo
from dmlib.rotation.curve import RotationCurve
from dmlib.rotation.fit import fit
from dmlib.rotation.massmodel import outer_slope
from dmlib.rotation.own_galaxy import analyse, verdict
from dmlib.rotation.own_stars import stars_from_table
from dmlib.rotation.priors import sparc_priors
from dmlib.rotation.realcube import RealGalaxy, open_galaxy
from dmlib.rotation.rings import fit_rings
from dmlib.rotation.sparc import from_sparc, read_rotmod, read_table1, sample_of
from dmlib.rotation.sparc_analysis import acceleration_scale, accelerations, tully_fisher
from dmlib.rotation.velocity_field import velocity_field

#: Cubes in the mirror.
NGC2903_CUBE = "hi_cubes/NGC2903_WSRT_WHISP_pyFAT.fits"

NGC6946_CUBE = "hi_cubes/NGC6946_WSRT_kapteyn.fits"

#: What fits the rings.
_ENGINES: tuple[Literal["rings", "barolo"], ...] = ("rings", "barolo")


def measure_ngc2903(mirror: Path) -> dict:
    """Rotation curve and haloes of NGC 2903 from its WHISP cube, beside SPARC's curve."""
    galaxy, published = _beside_sparc(mirror, NGC2903_CUBE, "NGC 2903", 6.6)
    found = analyse(galaxy)
    curve = found.curve
    assert curve is not None
    rings = {"radius_kpc": curve.radius, "v_rot_kms": curve.v_rot, "v_err_kms": curve.v_err}
    return {
        "verdict": verdict(found),
        "sparc": _against(curve, published),
        "curve": {name: np.round(values[curve.good], 2).tolist() for name, values in rings.items()},
    }


def measure_ngc6946(mirror: Path) -> dict:
    """The same of NGC 6946, behind gas of the Milky Way: with its tilt fitted, and with the inclination of SPARC."""
    galaxy, published = _beside_sparc(mirror, NGC6946_CUBE, "NGC 6946", 5.52)
    table = read_table1(mirror / "sparc" / "SPARC_Lelli2016c.mrt")
    tilt = float(table["inclination"].value[list(table["galaxy"]).index("NGC6946")])
    out = {}
    for name, inclination in (("fitted", None), ("inclination_of_sparc", tilt)):
        found = analyse(galaxy, inclination=inclination, haloes=())
        assert found.curve is not None
        out[name] = {"verdict": verdict(found), "sparc": _against(found.curve, published)}
    return out


def measure_barolo(mirror: Path) -> dict:
    """Our rings and those of 3D-Barolo on the same cubes: discs with known rotation, and NGC 2903 beside SPARC.

    Rings without a flag beyond two beams; of the discs, the error of the speed half a beam within the end of the gas.
    """
    discs = []
    for inclination in (40.0, 50.0, 60.0, 75.0):
        cube = bench_rotation.cube_at(inclination)
        ours = fit_rings(velocity_field(cube))
        for engine, curve in zip(_ENGINES, (ours, fit_barolo(cube, ours)), strict=True):
            outer = (
                curve.good & (curve.radius > 2 * curve.beam) & (curve.radius < bench_rotation.END - 0.5 * curve.beam)
            )
            off = curve.v_rot[outer] / bench_rotation.speed(curve.radius[outer]) - 1
            row = {"engine": engine, "inclination_true_deg": inclination, "inclination_deg": curve.mean_inclination}
            discs.append(row | {"rings": int(outer.sum()), **_off(off)})
    galaxy, published = _beside_sparc(mirror, NGC2903_CUBE, "NGC 2903", 6.6)
    real = []
    for engine in _ENGINES:
        found = analyse(galaxy, haloes=(), engine=engine).curve
        assert found is not None
        row = {"engine": engine, "inclination_deg": found.mean_inclination, "v_sys_kms": found.v_sys}
        real.append(row | _against(found, published))
    version = subprocess.run([needs_barolo(), "-v"], capture_output=True, text=True, check=False).stdout
    number = re.search(r"version (\S+)", version)
    return {"program": f"3D-Barolo {number[1] if number else 'unknown version'}", "discs": discs, "ngc2903": real}


def measure_sparc(mirror: Path) -> dict:
    """NGC 6503's outer slope and halo, and the relations of all SPARC galaxies."""
    folder, table1 = mirror / "sparc" / "Rotmod_LTG", read_table1(mirror / "sparc" / "SPARC_Lelli2016c.mrt")
    model = from_sparc(folder, table1, "NGC6503")
    slope, error, visible, n = outer_slope(model, 3 * model.r_disk)
    ratio, ratio_error = (values[-1] for values in model.discrepancy())
    nfw = fit(model, "nfw", sparc_priors(table1[table1["galaxy"] == "NGC6503"][0]))
    survey = sample_of(folder, table1)
    relations = {
        "acceleration": acceleration_scale(accelerations(survey), seed=1),
        "tully_fisher": tully_fisher(survey, seed=1),
    }
    return {
        "ngc6503": {
            "slope": slope,
            "slope_err": error,
            "slope_visible": visible,
            "radii": n,
            "last_radius_kpc": float(model.radius[-1]),
            "last_speed_kms": float(model.v_obs[-1]),
            "discrepancy": float(ratio),
            "discrepancy_err": float(ratio_error),
            "nfw_log10_m200_msun": nfw.interval("log_m200").tolist(),
            "nfw_log10_c": nfw.interval("log_c").tolist(),
        },
        "relations": {
            name: {"values": one.values, "errors": one.errors, "galaxies": one.n} for name, one in relations.items()
        },
    }


def _off(off: np.ndarray) -> dict[str, float]:
    """The median and the largest of relative differences."""
    return {"median": float(np.median(off)), "worst": float(np.abs(off).max())}


def _against(curve: RotationCurve, published: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    """Unflagged rings beyond two beams relative to a published curve, radii [kpc] and speeds [km/s]."""
    radius, speed = published
    beyond = curve.good & (curve.radius > 2 * curve.beam) & (curve.radius <= radius[-1])
    off = curve.v_rot[beyond] / np.interp(curve.radius[beyond], radius, speed) - 1
    return {"rings": int(beyond.sum()), **_off(off)}


def _beside_sparc(
    mirror: Path, cube: str, name: str, distance: float
) -> tuple[RealGalaxy, tuple[np.ndarray, np.ndarray]]:
    """A galaxy [Mpc] with the stars of SPARC, and SPARC's radii [kpc] and speeds [km/s]."""
    path = mirror / "sparc" / "Rotmod_LTG" / f"{name.replace(' ', '')}_rotmod.dat"
    galaxy = open_galaxy(mirror / cube, distance, name=name, stars=stars_from_table(path, distance))
    table = read_rotmod(path)
    return galaxy, (table["radius"].value, table["v_obs"].value)
