"""Time of the HI maps of one view: a plain call of MARTINI against `dmlib.observe`, in one run and one process.

The galaxy is an analytic disc with a hot halo about it, whose cells are many, wide, and nearly empty of HI, as in a
simulation. *Plain MARTINI* takes all cells as they are. *MARTINI, our cells* takes what `HIGas.of` and `HISettings`
leave of them: the poorest cells dropped with their mass kept, the widest kernels cut. *dmlib* makes the same cube from
the same cells in its own way. All three end in the same moment maps. Compilation is done before the clock starts.

Run with ``python benchmarks/bench_hi.py``.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dmlib.observe.cube import HICube, HISettings
from dmlib.observe.deposit import observe, observe_with_martini
from dmlib.observe.hydrogen import HIGas
from dmlib.observe.moments import moment_maps
from dmlib.observe.sky import SkyGrid, lines_of_sight

#: HI-bearing cells of a galaxy of the profile `quick` (median some 1,000), and as many halo cells.
N_DISC = 2000
SPIN = np.array([0.3, -0.8, 0.5])


def galaxy(n_disc: int, n_halo: int, seed: int = 1) -> HIGas:
    """HI disc of 8e9 Msun and a halo with 0.1% of it."""
    rng = np.random.default_rng(seed)
    spin = SPIN / np.linalg.norm(SPIN)
    e1 = np.cross(spin, [1.0, 0.0, 0.0])
    e1 /= np.linalg.norm(e1)
    radius, phi = rng.gamma(2.0, 7.0, n_disc), rng.uniform(0, 2 * np.pi, n_disc)
    radial = np.cos(phi)[:, None] * e1 + np.sin(phi)[:, None] * np.cross(spin, e1)
    disc = radius[:, None] * radial + rng.normal(0, 0.5, (n_disc, 1)) * spin
    rotation = 200.0 * (1 - np.exp(-radius / 3.0))[:, None] * np.cross(spin, radial)
    halo = rng.normal(0, 60.0, (n_halo, 3))
    return HIGas(
        subhalo_id=1,
        positions=np.concatenate([disc, halo]),
        velocities=np.concatenate([rotation, rng.normal(0, 100.0, (n_halo, 3))]),
        m_hi=np.concatenate([np.full(n_disc, 8e9 / n_disc), np.full(n_halo, 8e6 / max(n_halo, 1))]),
        fwhm=np.concatenate([np.maximum(0.8, 0.15 * radius), np.full(n_halo, 20.0)]),
        temperature=np.full(n_disc + n_halo, 8e3),
    )


def cells_that_matter(gas: HIGas, n_disc: int) -> HIGas:
    """The disc without the halo, as `HIGas.of` would leave it."""
    kept = {name: getattr(gas, name)[:n_disc] for name in ("positions", "velocities", "fwhm", "temperature")}
    return replace(gas, m_hi=gas.m_hi[:n_disc] * gas.mass / gas.m_hi[:n_disc].sum(), **kept)


def best_of(function: Callable[[], object], repeats: int) -> float:
    """Shortest wall time of some repeats [s], after one that compiles."""
    function()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return min(times)


def compare(pixels: int = 64, n_disc: int = N_DISC, repeats: int = 3) -> tuple[float, float, float, float]:
    """Seconds a view by plain MARTINI, MARTINI with our cells, and dmlib; largest difference of the last two cubes."""
    grid, settings = SkyGrid(128.0, pixels), HISettings()
    view = lines_of_sight(1, SPIN, seed=0, mode=[(60.0, 30.0)])[0]
    everything = galaxy(n_disc, n_disc)
    lean = cells_that_matter(everything, n_disc)
    cubes: dict[str, HICube] = {}

    def run(name: str, observer, gas: HIGas, how: HISettings) -> Callable[[], None]:
        def maps() -> None:
            cubes[name] = observer(gas, view, grid, how, seed=1)
            moment_maps(cubes[name])

        return maps

    with warnings.catch_warnings():
        # MARTINI says when it splits its work to stay within its memory; that is part of what is measured.
        warnings.simplefilter("ignore", RuntimeWarning)
        uncut = settings.model_copy(update={"max_fwhm": 1e3})
        plain = best_of(run("plain", observe_with_martini, everything, uncut), repeats)
        martini = best_of(run("martini", observe_with_martini, lean, settings), repeats)
    fast = best_of(run("fast", observe, lean, settings), repeats)
    difference = np.abs(cubes["fast"].data - cubes["martini"].data).max() / cubes["martini"].data.max()
    return plain, martini, fast, float(difference)


def main() -> None:
    """Print times, ratios, and how they change with pixels and cells."""
    print("HI moment maps of one view: 101 channels, beam and noise; seconds, best of a few")
    print(
        "  pixels   disc cells   plain MARTINI   MARTINI, our cells     dmlib   plain/dmlib   MARTINI/dmlib   differ by"
    )
    for pixels, n_disc in ((32, N_DISC), (64, N_DISC), (128, N_DISC), (64, 500), (64, 10_000)):
        plain, martini, fast, difference = compare(pixels, n_disc)
        print(
            f"  {pixels:6d} {n_disc:12,d} {plain:15.3f} {martini:20.3f} {fast:9.3f} {plain / fast:13.1f}"
            f" {martini / fast:15.1f} {difference:12.0e}"
        )
    grid, settings = SkyGrid(128.0, 64), HISettings()
    gas, view = cells_that_matter(galaxy(N_DISC, 0), N_DISC), lines_of_sight(1, SPIN, seed=0, mode=[(60.0, 30.0)])[0]
    cube = observe(gas, view, grid, settings, seed=1)
    parts = {
        "cells into the cube": best_of(lambda: observe(gas, view, grid, settings.without("beam"), seed=1), 5),
        "with the beam": best_of(lambda: observe(gas, view, grid, settings.without("noise"), seed=1), 5),
        "with beam and noise": best_of(lambda: observe(gas, view, grid, settings, seed=1), 5),
        "finding emission, moments": best_of(lambda: moment_maps(cube), 5),
    }
    print(f"  where dmlib's time goes (64 pixels, {N_DISC:,} cells):")
    for name, seconds in parts.items():
        print(f"    {name:28s} {1e3 * seconds:7.1f} ms")


if __name__ == "__main__":
    main()
