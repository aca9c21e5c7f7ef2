"""Own SKIRT runs as a source of images."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...galaxy import Galaxy
from ..grid import SkyGrid
from ..views import View
from .export import GAS_FIELDS, STAR_FIELDS, export
from .read import read_frame
from .run import run_skirt
from .settings import SkirtError, SkirtSettings
from .skifile import instrument_name

#: Folder of the frames and logs, within that of the input files.
OUT = "out"


def described(folder: str | Path) -> dict:
    """What `dmlib.observe.skirt.export.export` said of a folder, its ``export.json``.

    Raises
    ------
    SkirtError
        When it is no such folder.
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
        When SKIRT is not here, lacks its resources, or wrote what cannot be read.
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
    """Images by SKIRT; an `dmlib.observe.images.base.ImageSource`.

    Parameters
    ----------
    settings : SkirtSettings
    folder : path, optional
        Where files are kept, one folder a galaxy; without it they are removed when they have been read.
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
        """u g r i z."""
        return self.settings.bands

    @property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """TNG fields for `dmlib.galaxy.load_galaxy`."""
        return {"stars": STAR_FIELDS} | ({"gas": GAS_FIELDS} if self.settings.dust else {})

    def images(self, galaxy: Galaxy, views: Sequence[View], grid: SkyGrid) -> list[np.ndarray]:
        """Images of one galaxy along several lines of sight, each shape (y, x, 5); one run of SKIRT for all.

        Raises
        ------
        SkirtError
            When SKIRT is not here, lacks its resources, or wrote what cannot be read.
        GalaxyError
            When this galaxy has no stars, or its run fails or takes too long.
        """
        with tempfile.TemporaryDirectory(prefix="dmlib-skirt-") as temporary:
            folder = Path(self.folder or temporary) / f"subhalo_{galaxy.subhalo_id}"
            export(galaxy, views, grid, self.settings, folder)
            return run_folder(folder, executable=self.executable, threads=self.threads, timeout=self.timeout)

    def image(self, galaxy: Galaxy, view: View, grid: SkyGrid) -> np.ndarray:
        """Image of one galaxy, shape (y, x, 5) in maggies/pixel; see `dmlib.observe.images.base.ImageSource.image`."""
        return self.images(galaxy, [view], grid)[0]
