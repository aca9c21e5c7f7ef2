"""Time of one galaxy's profile: one pass over arrays against a loop over particles in Python.

The loop does what the authors' scripts do (the distance of each particle in turn, collected in a list where it is below
100 kpc; then, for each radius, the list made an array and counted), written anew; the periodic wrap, which they do with
arrays, is the right one on both sides. Both are timed in the same run, so that their ratio does not depend on the
machine; both must give the same profile.

Run with ``python benchmarks/bench_profiles.py``.
"""

from __future__ import annotations

import time

import numpy as np

from dmlib.galaxy import enclosed_mass
from dmlib.settings import RADII_KPC
from dmlib.units import BOX_TNG100, HUBBLE, wrap

#: Dark-matter particles of a galaxy of 1.5e12 Msun at the resolution of TNG100-1.
N_PARTICLES = 200_000
M_DM = 7.46e6
BOX_KPC = BOX_TNG100 / HUBBLE


def per_particle_loop(position: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Enclosed mass by a loop over particles [Msun], shape (20,)."""
    distances = []
    for offset in wrap(position - centre, BOX_KPC):
        distance = np.sqrt(sum([coordinate**2 for coordinate in offset]))
        if distance <= RADII_KPC[-1]:
            distances.append(distance)
    return np.array([len(np.where(np.array(distances) <= radius)[0]) * M_DM for radius in RADII_KPC])


def arrays(position: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The same by dmlib [Msun], shape (20,)."""
    return enclosed_mass(position, M_DM, centre=centre, box=BOX_KPC)


def halo(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Particles of an NFW halo (scale 20 kpc, out to 200 kpc) that lies across a corner of the box."""
    rng = np.random.default_rng(seed)
    table = np.geomspace(1e-4, 10.0, 4000)
    shape = np.log1p(table) - table / (1 + table)
    radius = 20.0 * np.interp(rng.uniform(0, shape[-1], n), shape, table)
    direction = rng.normal(size=(n, 3))
    centre = np.array([1.0, BOX_KPC - 1.0, 2.0])
    return (centre + radius[:, None] * direction / np.linalg.norm(direction, axis=1)[:, None]) % BOX_KPC, centre


def best_of(function, *arguments, repeats: int) -> tuple[float, np.ndarray]:
    """Shortest wall time [s] of some repeats, and the result."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        result = function(*arguments)
        times.append(time.perf_counter() - begin)
    return min(times), result


def main() -> None:
    """Print both times and their ratio."""
    position, centre = halo(N_PARTICLES)
    slow, expected = best_of(per_particle_loop, position, centre, repeats=1)
    fast, found = best_of(arrays, position, centre, repeats=10)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    print(f"profile of one galaxy, {N_PARTICLES:,} dark-matter particles, {len(RADII_KPC)} radii")
    print(f"  loop over particles in Python   {slow:9.3f} s")
    print(f"  dmlib.galaxy.enclosed_mass         {fast:9.5f} s")
    print(f"  ratio                           {slow / fast:9.0f}   (wanted: at least 100)")


if __name__ == "__main__":
    main()
