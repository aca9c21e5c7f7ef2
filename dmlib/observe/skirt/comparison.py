"""SKIRT and particle light of one galaxy side by side, and pictures small enough for a record."""

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


#: Lines of sight of the record of SKIRT's own runs.
_WHERE = {"face": "face-on", "flat": "at 50 degrees", "edge": "edge-on"}

#: Variants of dimming in the record of SKIRT's own runs: short name -> key of the record, and what it is.
_VARIANTS = {
    "skirt": ("skirt", "by SKIRT"),
    "model": ("model", "by the column model"),
    "unborn": ("no_birth_clouds", "by the column model without birth clouds"),
    "same": ("same_dust", "by columns of the dust that SKIRT has"),
    "escape": ("same_dust_escape", "by columns of this dust with scattered light that escapes in all directions"),
}


def numbers_of_runs(measured: dict[str, Any], band: str) -> dict[str, dict[str, Any]]:
    """What ``records/skirt_own_runs.json`` says, as rows for `dmlib.results.recorder`.

    Returns
    -------
    dict
        Name -> ``value``, ``unit`` and ``statement``: galaxies, the largest difference of fluxes without dust [%], and
        the mean dimming in a band by each variant at each inclination [mag].
    """
    galaxies, k = measured["galaxies"], measured["bands"].index(band)
    ratios = np.array([one["flux_ratio"] for one in galaxies])
    rows = [
        ("galaxies", len(galaxies), "", "Galaxies of the embedded universe that were run through SKIRT"),
        (
            "flux",
            100 * np.abs(ratios - 1).max(),
            "%",
            "Flux without dust, SKIRT against particle light, largest difference in five bands at three inclinations; "
            "criterion: at most 1 %",
        ),
    ]
    mean = {}
    for name, (key, what) in _VARIANTS.items():
        mean[name] = np.mean([np.array(one["dimming"][key])[:, k] for one in galaxies], axis=0)
        for where, value in zip(("face", "flat", "edge"), mean[name], strict=True):
            rows.append((f"{name}-{where}", value, "mag", f"Mean dimming in {band} {what}, {_WHERE[where]}"))
    scattered = mean["same"][0] - mean["skirt"][0]
    rows.append(
        (
            "scattered",
            scattered,
            "mag",
            f"Mean dimming in {band} face-on by columns of SKIRT's dust, less that by SKIRT",
        )
    )
    return {name: {"value": value, "unit": unit, "statement": statement} for name, value, unit, statement in rows}


#: Steps of a packed picture [dex of brightness]: a few hundredths of a magnitude, less than its noise.
_STEP = 0.02


def pack(images: np.ndarray) -> dict[str, Any]:
    """Pictures as one byte a number, for a record; any shape, not negative."""
    logarithm = np.log10(images, out=np.full(images.shape, -np.inf), where=images > 0)
    least = float(logarithm.max() - 254 * _STEP)
    levels = np.clip(np.rint((logarithm - least) / _STEP) + 1, 0, 255).astype(np.uint8)
    content = base64.b64encode(zlib.compress(levels.tobytes(), 9)).decode()
    return {"shape": list(images.shape), "log10_of_level_1": least, "dex_per_level": _STEP, "levels": content}


def unpack(packed: dict[str, Any]) -> np.ndarray:
    """Pictures from `pack`; level 0 is dark."""
    levels = np.frombuffer(zlib.decompress(base64.b64decode(packed["levels"])), np.uint8).reshape(packed["shape"])
    values = 10.0 ** (packed["log10_of_level_1"] + packed["dex_per_level"] * (levels.astype(float) - 1.0))
    return np.where(levels > 0, values, 0.0)
