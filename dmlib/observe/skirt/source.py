"""Your own SKIRT runs as a source of images, and their comparison with particle light."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...galaxy import ComponentName, Galaxy
from ..grid import SkyGrid
from ..images.bands import UGRIZ, from_maggies
from ..images.light import ParticleLight
from ..views import View
from .export import GAS_FIELDS, STAR_FIELDS, export
from .run import read_frame, run_skirt
from .settings import SkirtError, SkirtSettings, instrument_name

#: Folder of the frames and logs, within that of the input files.
OUT = "out"


def described(folder: str | Path) -> dict:
    """Description of an exported galaxy, from the ``export.json`` of its folder.

    Raises
    ------
    SkirtError
        When there is none.
    """
    path = Path(folder) / "export.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise SkirtError(f"{folder} holds no exported galaxy: make it with dmlib skirt export.") from error


def run_folder(
    folder: str | Path, *, executable: str | Path | None = None, threads: int = 1, timeout: float = 3600.0
) -> list[np.ndarray]:
    """Run SKIRT on an exported galaxy, and read its images.

    Parameters
    ----------
    folder : path
        Filled by `dmlib.observe.skirt.export.export`.
    executable, threads, timeout
        See `dmlib.observe.skirt.run.run_skirt`.

    Returns
    -------
    list of ndarray, shape (y, x, 5)
        Maggies per pixel in u g r i z, one for each line of sight.

    Raises
    ------
    SkirtError
        When SKIRT is not installed, lacks its resources, or wrote a file that cannot be read.
    GalaxyError
        When the run of this galaxy fails or takes too long.
    """
    folder = Path(folder)
    said = described(folder)
    settings, grid = SkirtSettings(**said["settings"]), SkyGrid(said["field_of_view_kpc"], said["pixels"])
    run_skirt(folder / said["ski"], folder / OUT, executable=executable, threads=threads, timeout=timeout)
    stem = Path(said["ski"]).stem
    names = [f"{stem}_{instrument_name(view['index'])}_total.fits" for view in said["views"]]
    return [read_frame(folder / OUT / name, grid, settings) for name in names]


@dataclass(frozen=True)
class OwnSkirt:
    """Images by SKIRT; a `dmlib.observe.images.ImageSource`.

    Parameters
    ----------
    settings : SkirtSettings
    folder : path, optional
        Where files are kept, one folder per galaxy; without it they are removed after reading.
    executable : path, optional
        See `dmlib.observe.skirt.run.find_skirt`.
    threads : int
        Of SKIRT, for one galaxy.
    timeout : float
        Seconds for one galaxy.
    """

    settings: SkirtSettings = field(default_factory=SkirtSettings)
    folder: str | Path | None = None
    executable: str | Path | None = None
    threads: int = 1
    timeout: float = 3600.0
    unit: str = field(default="maggies/pixel", init=False)

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands: u g r i z."""
        return self.settings.bands

    @property
    def fields(self) -> dict[ComponentName, tuple[str, ...]]:
        """TNG fields for `dmlib.galaxy.load_galaxy`."""
        return {"stars": STAR_FIELDS, "gas": GAS_FIELDS} if self.settings.dust else {"stars": STAR_FIELDS}

    def images(self, galaxy: Galaxy, views: Sequence[View], grid: SkyGrid) -> list[np.ndarray]:
        """Images of one galaxy along several lines of sight, each shape (y, x, 5); one run of SKIRT for all.

        Raises
        ------
        SkirtError
            When SKIRT is not installed, lacks its resources, or wrote a file that cannot be read.
        GalaxyError
            When this galaxy has no stars, or its run fails or takes too long.
        """
        with tempfile.TemporaryDirectory(prefix="dmlib-skirt-") as temporary:
            folder = Path(self.folder or temporary) / f"subhalo_{galaxy.subhalo_id}"
            export(galaxy, views, grid, self.settings, folder)
            return run_folder(folder, executable=self.executable, threads=self.threads, timeout=self.timeout)

    def image(self, galaxy: Galaxy, view: View, grid: SkyGrid) -> np.ndarray:
        """Image of one galaxy, shape (y, x, 5) in maggies/pixel; see `dmlib.observe.images.ImageSource.image`."""
        return self.images(galaxy, [view], grid)[0]


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
            f"Dust takes {taken['skirt']:.2f} mag in g by SKIRT and {taken['particles']:.2f} mag by our model."
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
    """Draw one galaxy by particle light and by a self-contained SKIRT run, without and with dust.

    Parameters
    ----------
    galaxy : Galaxy
        With `FIELDS`.
    view : View
    grid : SkyGrid
    packets : float
        Photon packets of each run.
    folder, executable, threads
        See `OwnSkirt`.

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
    particles = (ParticleLight(dust=None).image(galaxy, view, grid), ParticleLight().image(galaxy, view, grid))
    return Comparison(particles, (drawn[0], drawn[1]))
