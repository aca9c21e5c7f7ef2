"""Time of the images of one view: particle light, dust, and the SDSS, against plain loops in the same run.

The galaxy is an analytic disc of stars and gas. *Loop over stars* lays down one star after the other with NumPy, by the
same kernel; both images must agree. *Loop* for the dust sums, for each star, the kernels of all gas cells in front of
it; dmlib sums them once into a map, whose pixels of 0.5 kpc blur the columns a little: the median difference is shown.
A table follows with the time of a view against particles and pixels. Compilation is done before the clock starts.

Run with ``python benchmarks/bench_images.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from scipy.special import erf

from dmlib.galaxy import Component, Galaxy
from dmlib.observe.hydrogen import SPLINE_DISPERSION
from dmlib.observe.images.dust import Dust, columns_in_front
from dmlib.observe.images.light import ParticleLight, project
from dmlib.observe.images.sdss import SdssLight
from dmlib.observe.sky import SkyGrid, View, lines_of_sight

#: Stars and gas cells of a galaxy of profile `quick`, about the mean of its sample.
N_STARS, N_GAS = 4000, 3000


def _disc(rng: np.random.Generator, n: int, scale: float, height: float) -> np.ndarray:
    radius, phi = rng.gamma(2.0, scale, n), rng.uniform(0, 2 * np.pi, n)
    return np.column_stack([radius * np.cos(phi), radius * np.sin(phi), rng.normal(0, height, n)])


def galaxy(n_stars: int, n_gas: int, seed: int = 1) -> Galaxy:
    """A disc of 4e10 Msun in stars and 1e10 Msun in neutral gas."""
    rng = np.random.default_rng(seed)
    position, cells = _disc(rng, n_stars, 3.0, 0.4), _disc(rng, n_gas, 5.0, 0.2)
    light = {
        "GFM_StellarPhotometrics": rng.normal(-12.0 - 2.5 * np.log10(4000 / n_stars), 1.0, (n_stars, 8)).astype("f4"),
        # The distance to the 32nd neighbour in a disc of this scale.
        "StellarHsml": (np.sqrt(32 * 2 * 9.0 / n_stars) * np.exp(np.hypot(*position[:, :2].T) / 6.0))
        .astype("f4")
        .clip(0.2, 30.0),
        "GFM_StellarFormationTime": rng.uniform(0.3, 1.0, n_stars).astype("f4"),
    }
    metals = np.zeros((n_gas, 10), "f4")
    metals[:, 0] = 0.75
    mass = np.full(n_gas, 1e10 / n_gas)
    gas = {
        "Density": mass / (4.2 * (0.05 * np.hypot(*cells[:, :2].T) + 0.5) ** 3),
        "InternalEnergy": np.full(n_gas, 100.0),
        "ElectronAbundance": np.zeros(n_gas),
        "NeutralHydrogenAbundance": np.ones(n_gas),
        "StarFormationRate": np.zeros(n_gas),
        "GFM_Metals": metals,
        "GFM_Metallicity": np.full(n_gas, 0.015),
    }
    none = Component(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))
    stars = Component(position, np.zeros((0, 3)), np.full(n_stars, 4e10 / n_stars), light)
    return Galaxy(1, 0, "subhalo", np.zeros(3), 5.0, 1e7, none, stars, Component(cells, cells, mass, gas), none)


def plain_light(x: np.ndarray, y: np.ndarray, size: np.ndarray, weights: np.ndarray, grid: SkyGrid) -> np.ndarray:
    """`project` as a loop over stars, each with NumPy over all edges of pixels."""
    image = np.zeros((*grid.shape, weights.shape[1]))
    for column, row, support, light in zip(x, y, size, weights, strict=True):
        width = np.sqrt(2.0) * SPLINE_DISPERSION * support
        shares = []
        for centre in (row, column):
            edges = np.clip(grid.edges, centre - support, centre + support)
            shares.append(np.diff(erf((edges - centre) / width)) / (2 * erf(support / width)))
        image += shares[0][:, None, None] * shares[1][None, :, None] * light
    return image


def plain_columns(stars: np.ndarray, gas: np.ndarray, support: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`columns_in_front` as a loop over stars, each with all cells before it, at its very position."""
    half = np.sqrt(5.0) * SPLINE_DISPERSION * support
    out = np.zeros((len(stars), weights.shape[1]))
    for number, star in enumerate(stars):
        front = gas[:, 2] > star[2]
        q = (gas[front, :2] - star[:2]) / half[front, None]
        kernel = np.prod(np.clip(0.75 * (1.0 - q**2), 0.0, None) / half[front, None], axis=1)
        out[number] = kernel @ weights[front]
    return out


def best_of(function: Callable[[], object], repeats: int) -> float:
    """Shortest wall time of some repeats [s], after one that compiles."""
    function()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return min(times)


def compare(view: View) -> None:
    """Print times of the plain loops and of dmlib for light and for dust."""
    toy, grid = galaxy(N_STARS, N_GAS), SkyGrid(128.0, 64)
    x, y, _ = view.project(toy.stars.position).T
    size, light = toy.stars.extra["StellarHsml"].astype(float), ParticleLight(dust=None).luminosities(toy, view)
    np.testing.assert_allclose(
        project(x, y, size, light, grid), plain_light(x, y, size, light, grid), rtol=1e-6, atol=1
    )
    slow = best_of(lambda: plain_light(x, y, size, light, grid), 1)
    fast = best_of(lambda: project(x, y, size, light, grid), 10)
    print(f"one view, {N_STARS} stars, {N_GAS} gas cells, 64 x 64 pixels, 5 bands")
    print(f"  light, loop over stars      {1e3 * slow:9.1f} ms")
    print(f"  light, dmlib                {1e3 * fast:9.1f} ms   ratio {slow / fast:.0f}")

    stars, gas = view.project(toy.stars.position), view.project(toy.gas.position)
    support = np.full(N_GAS, 2.0)
    weights = np.ones((N_GAS, 2))
    exact = plain_columns(stars, gas, support, weights)
    found = columns_in_front(stars, gas, support, weights, Dust().pixel_size)
    seen = exact[:, 0] > np.median(exact[:, 0])
    off = np.median(np.abs(found[seen, 0] / exact[seen, 0] - 1.0))
    slow = best_of(lambda: plain_columns(stars, gas, support, weights), 1)
    fast = best_of(lambda: columns_in_front(stars, gas, support, weights, Dust().pixel_size), 10)
    print(f"  dust columns, loop          {1e3 * slow:9.1f} ms")
    print(f"  dust columns, dmlib         {1e3 * fast:9.1f} ms   ratio {slow / fast:.0f}")
    print(f"  median difference of the columns {100 * off:.1f}%")


def scale(view: View) -> None:
    """Print the time of a whole view against particles and pixels."""
    print("\n  stars    gas  pixels   light [ms]   with dust [ms]   as by SDSS [ms]")
    for n_stars, n_gas, pixels in ((4000, 3000, 64), (4000, 3000, 128), (16000, 12000, 64), (64000, 48000, 128)):
        toy, grid = galaxy(n_stars, n_gas), SkyGrid(128.0, pixels)
        sources = (ParticleLight(dust=None), ParticleLight(), SdssLight(ParticleLight(), 1))
        times = [best_of(lambda source=source: source.image(toy, view, grid), 3) for source in sources]  # noqa: B023
        print(f"{n_stars:7d} {n_gas:6d} {pixels:7d}" + "".join(f"{1e3 * t:13.1f}   " for t in times))


def main() -> None:
    """Print both tables."""
    view = lines_of_sight(1, np.array([0.0, 0.0, 1.0]), seed=1, mode=[(60.0, 30.0)])[0]
    compare(view)
    scale(view)


if __name__ == "__main__":
    main()
