"""Galaxies of a few particles with the fields that SKIRT needs, and the stand-in as an executable."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import image_toys
from dmlib.embedded import photometry
from dmlib.galaxy import Component, Galaxy
from dmlib.observe.images.dust import age
from dmlib.observe.skirt import SkirtSettings
from dmlib.observe.skirt.tables import photometry_of
from dmlib.observe.sky import SkyGrid, View, lines_of_sight

GRID = SkyGrid(32.0, 16)
STAND_IN = Path(__file__).with_name("fake_skirt.py")

#: Every kind of parameter file.
VARIANTS = [
    SkirtSettings(library=library, dust=dust, medium=medium, frame=frame)
    for library, frame in (("resources", "observer"), ("resources", "rest"), ("self-contained", "rest"))
    for dust in (True, False)
    for medium in ("voronoi", "particles")
]


def scale_factor(age_gyr):
    """Scale factor of birth, the inverse of `dmlib.observe.images.dust.age`."""
    grid = np.linspace(1.0, 1e-3, 200_001)
    return np.interp(age_gyr, age(grid), grid)


def stars(position, age_gyr, metallicity=0.02, m_initial=1e6, hsml=1.0) -> Component:
    """Stars whose particle light is that of the population model."""
    position = np.atleast_2d(np.asarray(position, dtype=float))
    n = len(position)
    fields = [np.broadcast_to(np.asarray(value, dtype=float), n) for value in (age_gyr, metallicity, m_initial)]
    born = scale_factor(fields[0])
    extra = {
        "GFM_StellarFormationTime": born,
        "GFM_Metallicity": fields[1].copy(),
        "GFM_InitialMass": fields[2].copy(),
        "StellarHsml": np.broadcast_to(float(hsml), n).copy(),
        "GFM_StellarPhotometrics": photometry.magnitudes(age(born), fields[1], fields[2]),
    }
    return Component(position, np.zeros_like(position), fields[2] * 0.6, extra)


def gas(position, forming=True, **other) -> Component:
    """Gas cells that form stars or do not."""
    part = image_toys.gas(position, **other)
    rate = np.broadcast_to(np.asarray(forming, dtype=float), len(part)).copy()
    return replace(part, extra={**part.extra, "StarFormationRate": rate})


def galaxy(star_part: Component, gas_part: Component = image_toys.EMPTY) -> Galaxy:
    return image_toys.galaxy(star_part, gas_part)


def lopsided(n=400, seed=3) -> Galaxy:
    """A galaxy that looks different from every side: three clumps of different colours, none opposite another."""
    rng = np.random.default_rng(seed)
    centres = np.repeat([[9.0, 0.0, 0.0], [0.0, 6.0, 0.0], [-3.0, -2.0, 5.0]], n, axis=0)
    ages = np.repeat([10.0, 1.0, 0.1], n)
    return galaxy(stars(centres + 0.7 * rng.normal(size=centres.shape), ages, hsml=0.8))


def some_views(n=3, seed=5) -> list[View]:
    return lines_of_sight(7, None, n, seed=seed)


def magnitudes(part: Component) -> np.ndarray:
    """Of each star by the population model, u g r i z."""
    return photometry_of(
        1e9 * age(part.extra["GFM_StellarFormationTime"]), part.extra["GFM_Metallicity"], part.extra["GFM_InitialMass"]
    )


def executable(folder: Path) -> Path:
    """The stand-in as a program."""
    path = folder / "skirt"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN}" "$@"\n')
    path.chmod(0o755)
    return path


class Columns(dict):
    """Text columns by name, with their units in `units`."""

    def __init__(self, path: Path):
        described = re.findall(r"^# column \d+: (.*) \((.*)\)$", path.read_text(), re.MULTILINE)
        values = np.loadtxt(path, ndmin=2).reshape(-1, len(described))
        super().__init__(zip([name for name, _ in described], values.T, strict=True))
        self.units, self.values_of_rows = tuple(unit for _, unit in described), values
