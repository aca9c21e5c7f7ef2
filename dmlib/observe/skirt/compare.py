"""SKIRT beside particle light, on one galaxy and one line of sight."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...galaxy import Galaxy
from ..grid import SkyGrid
from ..images.bands import UGRIZ, from_maggies
from ..images.light import ParticleLight
from ..views import View
from .settings import SkirtSettings
from .source import OwnSkirt

#: Largest difference of the fluxes without dust that is put down to the random packets.
CRITERION = 0.03

#: TNG fields that both need, for `dmlib.galaxy.load_galaxy`.
FIELDS = {
    part: tuple(dict.fromkeys((*ParticleLight().fields[part], *OwnSkirt().fields[part]))) for part in ("stars", "gas")
}


@dataclass(frozen=True)
class Comparison:
    """Images of one galaxy, [Lsun/kpc^2], shape (y, x, 5).

    Parameters
    ----------
    particles, skirt : tuple of ndarray
        Without and with dust.
    """

    particles: tuple[np.ndarray, np.ndarray]
    skirt: tuple[np.ndarray, np.ndarray]

    @property
    def ratio(self) -> np.ndarray:
        """Flux without dust, SKIRT over particle light, shape (5,)."""
        return self.skirt[0].sum((0, 1)) / self.particles[0].sum((0, 1))

    @property
    def agrees(self) -> bool:
        """Whether the fluxes without dust are the same within `CRITERION`."""
        return bool(np.abs(self.ratio - 1.0).max() <= CRITERION)

    def dimming(self, which: str) -> np.ndarray:
        """What dust takes of the flux in the field [mag], shape (5,), for ``particles`` or ``skirt``."""
        bare, dusty = getattr(self, which)
        return -2.5 * np.log10(dusty.sum((0, 1)) / bare.sum((0, 1)))

    def sentence(self) -> str:
        """The comparison in words."""
        worst, verdict = 100 * np.abs(self.ratio - 1.0).max(), "met" if self.agrees else "missed"
        taken = {which: self.dimming(which)[UGRIZ.index("g")] for which in ("skirt", "particles")}
        return (
            f"Without dust the fluxes of SKIRT and of the particles differ by at most {worst:.1f} per cent in the five "
            f"bands (criterion {100 * CRITERION:.0f} per cent: {verdict}). Dust takes {taken['skirt']:.2f} mag in g by "
            f"SKIRT and {taken['particles']:.2f} mag by our model."
        )


def compare(
    galaxy: Galaxy,
    view: View,
    grid: SkyGrid,
    *,
    packets: float = 1e6,
    folder: str | Path | None = None,
    executable: str | Path | None = None,
    threads: int = 2,
) -> Comparison:
    """Draw one galaxy both ways, without and with dust; for SKIRT by `SkirtSettings` of ``self-contained``.

    Parameters
    ----------
    galaxy : Galaxy
        With `FIELDS`.
    view : View
    grid : SkyGrid
    packets : float
        Photon packets of each run.
    folder, executable, threads
        See `dmlib.observe.skirt.source.OwnSkirt`.

    Raises
    ------
    SkirtError, GalaxyError
        As `OwnSkirt.images`.
    """
    drawn = []
    for dust in (False, True):
        settings = SkirtSettings(library="self-contained", dust=dust, packets=packets)
        place = None if folder is None else Path(folder) / ("dust" if dust else "stars")
        source = OwnSkirt(settings, folder=place, executable=executable, threads=threads)
        drawn.append(from_maggies(source.image(galaxy, view, grid), grid.pixel_area))
    light = (ParticleLight(dust=None), ParticleLight())
    return Comparison(tuple(source.image(galaxy, view, grid) for source in light), tuple(drawn))
