"""Views per second of the data set, compared with a plain loop; scaling with workers, pixels and particles.

The *plain loop* is the obvious first program: for every view read the galaxy, give all its gas cells to MARTINI, and
project its stars. *dmlib* reads a galaxy once for its views, leaves out cells without HI, caps the widest kernels, and
makes the cube by `dmlib.observe.deposit`; tests/observe/test_cube.py holds it equal to MARTINI's for equal cells. Both
run in one process on the same galaxies, after everything is compiled.

Run with ``python benchmarks/bench_dataset.py [PROFILE]``; the profile is ``smoke`` without it. The universe is written
to a temporary folder, or taken from the build folder that ``DMLIB_BUILD`` names.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from dmlib import load
from dmlib.dataset import views as view_module
from dmlib.dataset.build import MEMORY, build
from dmlib.dataset.views import Observer, Recipe
from dmlib.errors import GalaxyError
from dmlib.galaxy import load_galaxy
from dmlib.observe.deposit import observe_with_martini
from dmlib.observe.hydrogen import load_hi
from dmlib.observe.images.light import ParticleLight
from dmlib.observe.moments import moment_maps
from dmlib.observe.sky import SkyGrid, lines_of_sight
from dmlib.settings import Settings
from dmlib.universe import Universe
from dmlib.workers import choose_workers

#: Galaxies that are timed one by one; the plain loop takes three of them.
N_GALAXIES, N_PLAIN = 12, 3

#: Views of each galaxy where workers are compared: enough work to outweigh the seconds that processes take to start.
N_VIEWS = 16


def timed(function: Callable[[], object]) -> float:
    """Wall time [s]."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def plain_view(universe: Universe, subhalo_id: int, k: int, recipe: Recipe, grid: SkyGrid, seed: int) -> None:
    """One view as a plain loop makes it: read, MARTINI with all cells, light with dust."""
    source: ParticleLight = recipe.source(seed)
    galaxy = load_galaxy(universe, subhalo_id, scope=recipe.scope, extra=source.fields)
    gas = load_hi(universe, subhalo_id, recipe.hi.model_copy(update={"negligible": 0.0}))
    view = lines_of_sight(subhalo_id, gas.spin_axis(), recipe.n_views, seed=seed)[k]
    everything = recipe.hi.model_copy(update={"max_fwhm": 1e4, "negligible": 0.0})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        moment_maps(observe_with_martini(gas, view, grid, everything, seed=seed))
    source.image(galaxy, view, grid)


def usable(observer: Observer, subhalo_ids: np.ndarray) -> list[int]:
    """The galaxies that can be observed, in evenly spread ranks; compiles everything on the way."""
    spread = subhalo_ids[np.linspace(0, len(subhalo_ids) - 1, 2 * N_GALAXIES).astype(int)]
    found = []
    for subhalo_id in dict.fromkeys(spread.tolist()):
        try:
            observer.views(subhalo_id)
        except GalaxyError:
            continue
        found.append(subhalo_id)
    return found[:N_GALAXIES]


@contextmanager
def meters(names: dict[str, str]):
    """Measure the time spent in functions of `dmlib.dataset.views`, and of the image source's method."""
    spent = dict.fromkeys(names.values(), 0.0)
    before = {name: getattr(view_module, name) for name in names if name != "image"}
    image = ParticleLight.image

    def metered(function, label):
        def call(*arguments, **keywords):
            start = time.perf_counter()
            try:
                return function(*arguments, **keywords)
            finally:
                spent[label] += time.perf_counter() - start

        return call

    for name, function in before.items():
        setattr(view_module, name, metered(function, names[name]))
    ParticleLight.image = metered(image, names["image"])
    try:
        yield spent
    finally:
        ParticleLight.image = image
        for name, function in before.items():
            setattr(view_module, name, function)


def one_by_one(settings: Settings) -> None:
    """Everything that is measured in one process."""
    universe, sample, recipe = load.universe(settings), load.sample(settings), Recipe()
    observer = Observer(universe, recipe, SkyGrid.of(settings), settings.seed)
    ids = usable(observer, np.asarray(sample["subhalo_id"]))
    n_views = recipe.n_views * len(ids)

    plain_view(universe, ids[0], 0, recipe, observer.grid, settings.seed)
    few = ids[:: max(1, len(ids) // N_PLAIN)][:N_PLAIN]
    plain = timed(
        lambda: [plain_view(universe, i, k, recipe, observer.grid, settings.seed) for i in few for k in range(3)]
    ) / (3 * len(few))
    same = timed(lambda: [observer.views(i) for i in few]) / (3 * len(few))
    print(f"plain loop {1 / plain:6.1f} views/s, dmlib {1 / same:6.1f} views/s: {plain / same:.0f} times as many")

    names = {"load_galaxy": "reading", "moment_maps": "moments", "observe": "HI cubes", "image": "images"}
    with meters(names) as spent:
        whole = timed(lambda: [observer.views(i) for i in ids])
    parts = ", ".join(f"{label} {seconds / whole:.0%}" for label, seconds in spent.items())
    print(f"one process {n_views / whole:.1f} views/s; of the time: {parts}")

    for pixels in (32, 64, 128):
        grid = SkyGrid(observer.grid.field_of_view, pixels)
        seconds = timed(lambda grid=grid: [replace(observer, grid=grid).views(i) for i in ids])
        print(f"  {pixels:3d} pixels a side: {n_views / seconds:6.1f} views/s")

    # Of the whole group, which is what is read and in the picture: a small satellite may have a large host.
    galaxies = [load_galaxy(universe, i, scope=recipe.scope, components=("stars", "gas")) for i in ids]
    particles = np.array([len(galaxy.stars) + len(galaxy.gas) for galaxy in galaxies])
    seconds = np.array([min(timed(lambda i=i: observer.views(i)) for _ in range(3)) for i in ids]) / recipe.n_views
    third = len(ids) // 3
    for some in (np.argsort(particles)[:third], np.argsort(particles)[-third:]):
        print(f"  {particles[some].mean():7.0f} stars and gas cells: {1.0 / seconds[some].mean():6.1f} views/s")


def whole_build(settings: Settings, folder: Path) -> None:
    """The product, with one worker and with as many as there are."""
    recipe = Recipe(n_views=N_VIEWS)
    n_views = recipe.n_views * len(load.sample(settings))
    before = None
    for workers in dict.fromkeys((1, 2, choose_workers(MEMORY))):
        seconds = timed(
            lambda workers=workers: build(settings, recipe=recipe, workers=workers, path=folder / "dataset.hdf5")
        )
        before = before or seconds
        rate, gain = n_views / seconds, before / seconds
        print(f"build with {workers} worker(s): {seconds:6.1f} s, {rate:6.1f} views/s, {gain:.2f} times one worker's")


def main() -> None:
    """Print rates and their ratios."""
    profile = sys.argv[1] if len(sys.argv) > 1 else "smoke"
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(profile=profile, build_root="" if os.environ.get("DMLIB_BUILD") else folder)
        load.targets(settings)
        print(f"{settings.label}, {settings.sizes.pixels} pixels a side, 5 bands and 3 moments")
        one_by_one(settings)
        whole_build(settings, Path(folder))


if __name__ == "__main__":
    main()
