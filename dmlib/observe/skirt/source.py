"""Own SKIRT runs as a source of images."""

from __future__ import annotations

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
from .settings import SkirtSettings
from .skifile import instrument_name


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
            written = export(galaxy, views, grid, self.settings, folder)
            out = folder / "out"
            run_skirt(written.ski, out, executable=self.executable, threads=self.threads, timeout=self.timeout)
            names = [f"{written.ski.stem}_{instrument_name(view)}_total.fits" for view in views]
            return [read_frame(out / name, grid, self.settings) for name in names]

    def image(self, galaxy: Galaxy, view: View, grid: SkyGrid) -> np.ndarray:
        """Image of one galaxy, shape (y, x, 5) in maggies/pixel; see `dmlib.observe.images.base.ImageSource.image`."""
        return self.images(galaxy, [view], grid)[0]
