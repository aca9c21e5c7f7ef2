"""Time of a tilted-ring fit, and of 3D-Barolo on the same cube where it is installed; beside it, what each is off by.

The galaxy is an analytic HI disc with a known rotation curve, seen at several inclinations. *Classic* takes the
velocities as they are and keeps one tilt; *rings* is `fit_rings` as it comes, with the beam in the model and a tilt
that may change with radius. Compilation is done before the clock starts. Errors are the median and the largest of the
rings beyond two beams and half a beam within the end of the gas.

Run with ``python benchmarks/bench_rotation.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from dmlib.errors import GalaxyError
from dmlib.observe.cube import HICube, HISettings
from dmlib.observe.deposit import observe
from dmlib.observe.hydrogen import HIGas
from dmlib.observe.sky import SkyGrid, View, orientation, rotation_to
from dmlib.rotation.barolo import find_barolo, fit_barolo
from dmlib.rotation.curve import RotationCurve
from dmlib.rotation.rings import fit_rings
from dmlib.rotation.velocity_field import velocity_field

SPIN = np.array([0.3, -0.8, 0.5])
END = 35.0  # of the disc [kpc]


def speed(radius: np.ndarray) -> np.ndarray:
    """The true rotation curve [km/s]."""
    return 180.0 * (1.0 - np.exp(-np.asarray(radius) / 4.0))


def disc(n: int = 30000) -> HIGas:
    """An exponential HI disc that turns with `speed`."""
    spin = SPIN / np.linalg.norm(SPIN)
    e1 = np.cross(spin, [1.0, 0.0, 0.0])
    e1 /= np.linalg.norm(e1)
    table = np.linspace(0.0, END, 4000)
    mass = 1.0 - np.exp(-table / 8.0) * (1.0 + table / 8.0)
    radius = np.interp((np.arange(n) + 0.5) / n * mass[-1], mass, table)
    phi = np.arange(n) * np.pi * (3.0 - np.sqrt(5.0))
    radial = np.cos(phi)[:, None] * e1 + np.sin(phi)[:, None] * np.cross(spin, e1)
    velocity = speed(radius)[:, None] * np.cross(spin, radial)
    return HIGas(1, radius[:, None] * radial, velocity, np.full(n, 8e9 / n), np.full(n, 1.5), np.full(n, 8000.0))


def cube_at(inclination: float) -> HICube:
    """The disc observed at an inclination [deg]."""
    rotation = rotation_to(SPIN, inclination, 40.0)
    return observe(disc(), View(1, 0, rotation, *orientation(rotation, SPIN)), SkyGrid(128.0, 64), HISettings(), seed=1)


def timed(function: Callable[[], RotationCurve], repeats: int) -> tuple[RotationCurve, float]:
    """Result and shortest wall time [s]."""
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        curve = function()
        best = min(best, time.perf_counter() - start)
    return curve, best


def report(name: str, curve: RotationCurve, took: float) -> None:
    """One line of the table."""
    outer = (curve.radius > 2 * curve.beam) & (curve.radius < END - 0.5 * curve.beam)
    off = 100 * (curve.v_rot[outer] / speed(curve.radius[outer]) - 1)
    worst = off[np.argmax(np.abs(off))]
    middle = f"i = {curve.mean_inclination:4.1f}   V_rot {np.median(off):+5.1f} %"
    print(f"  {name:10s} {took:8.2f} s   {middle} ({worst:+5.1f} %)")


def main() -> None:
    """Print the table."""
    program = find_barolo()
    if program is None:
        print("3D-Barolo is not installed (extra barolo): only our own engine is timed")
    for inclination in (40.0, 60.0, 75.0):
        cube = cube_at(inclination)
        field = velocity_field(cube)
        fit_rings(field)  # compiles and warms up
        print(f"inclination {inclination:g} deg: wall time, inclination found, error of the speed (median, largest)")
        report("classic", *timed(lambda f=field: fit_rings(f, deblur=False), 3))
        ours, took = timed(lambda f=field: fit_rings(f), 3)
        report("rings", ours, took)
        if program is not None:
            try:
                theirs, longer = timed(lambda c=cube, o=ours: fit_barolo(c, o), 1)
            except GalaxyError as error:
                print(f"  3D-Barolo failed: {error}")
                continue
            report("3D-Barolo", theirs, longer)
            print(f"  3D-Barolo takes {longer / took:.0f} times as long")


if __name__ == "__main__":
    main()
