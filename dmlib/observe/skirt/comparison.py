"""SKIRT and particle light of one galaxy side by side, and the pictures in the record of SKIRT's own runs."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import DmlibError
from ...galaxy import ComponentName, Galaxy
from ..grid import SkyGrid
from ..images import UGRIZ, from_maggies
from ..images.dust import Dust
from ..images.light import ParticleLight
from ..views import View
from . import SkirtSettings
from .source import OwnSkirt

#: Largest difference of the fluxes without dust that random photon packets can explain.
CRITERION = 0.03

#: TNG fields that both need, for `dmlib.galaxy.load_galaxy`.
FIELDS: dict[ComponentName, tuple[str, ...]] = {
    part: tuple(dict.fromkeys((*ParticleLight().fields[part], *OwnSkirt().fields[part]))) for part in ("stars", "gas")
}


@dataclass(frozen=True)
class Comparison:
    """Images of one galaxy, [Lsun/kpc^2], shape (y, x, 5).

    Parameters
    ----------
    particles, skirt : tuple of ndarray
        Image without and image with dust.
    """

    particles: tuple[np.ndarray, np.ndarray]
    skirt: tuple[np.ndarray, np.ndarray]

    @property
    def ratio(self) -> np.ndarray:
        """Flux without dust, SKIRT over particle light, shape (5,)."""
        return self.skirt[0].sum((0, 1)) / self.particles[0].sum((0, 1))

    def sentence(self) -> str:
        """The comparison in words."""
        worst = np.abs(self.ratio - 1.0).max()
        g = UGRIZ.index("g")
        taken = {
            name: -2.5 * np.log10(dusty[..., g].sum() / bare[..., g].sum())
            for name, (bare, dusty) in (("skirt", self.skirt), ("particles", self.particles))
        }
        return (
            f"Without dust the fluxes of SKIRT and of the particles differ by at most {100 * worst:.1f} per cent in "
            f"the five bands (criterion {100 * CRITERION:.0f} per cent: {'met' if worst <= CRITERION else 'missed'}). "
            f"Dust takes {taken['skirt']:.2f} mag in g by SKIRT and {taken['particles']:.2f} mag by our model, here "
            "without birth clouds."
        )


def compare(galaxy: Galaxy, view: View, grid: SkyGrid) -> Comparison:
    """Draw one galaxy by particle light and by self-contained SKIRT runs, without and with dust.

    Self-contained runs have no birth clouds, and so the column model has none here.

    Parameters
    ----------
    galaxy : Galaxy
        With `FIELDS`.
    view : View
    grid : SkyGrid

    Raises
    ------
    SkirtError, GalaxyError
        As `OwnSkirt.images`.
    """
    particles, skirt = [], []
    for dust in (False, True):
        source = OwnSkirt(SkirtSettings(library="self-contained", dust=dust), threads=2)
        skirt.append(from_maggies(source.image(galaxy, view, grid), grid.pixel_area))
        particles.append(ParticleLight(Dust(birth_clouds=False) if dust else None).image(galaxy, view, grid))
    return Comparison((particles[0], particles[1]), (skirt[0], skirt[1]))


def try_compare(galaxy: Galaxy, view: View, grid: SkyGrid) -> tuple[Comparison | None, str]:
    """`compare`, and its sentence; where SKIRT is not installed or fails, None and the reason.

    A chapter of the book is complete without SKIRT, so it states the reason and goes on.
    """
    try:
        found = compare(galaxy, view, grid)
    except DmlibError as error:
        return None, f"No comparison with SKIRT: {error}"
    return found, found.sentence()


def unpack(packed: dict[str, Any]) -> np.ndarray:
    """Pictures of a record, one byte a number (``records/skirt_runs.py``); level 0 is dark."""
    levels = np.frombuffer(zlib.decompress(base64.b64decode(packed["levels"])), np.uint8).reshape(packed["shape"])
    values = 10.0 ** (packed["log10_of_level_1"] + packed["dex_per_level"] * (levels.astype(float) - 1.0))
    return np.where(levels > 0, values, 0.0)
