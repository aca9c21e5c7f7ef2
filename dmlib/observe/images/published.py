"""The SKIRT images of the TNG data release (Rodriguez-Gomez et al. 2019), onto the common grid.

One FITS file a subhalo, ``broadband_ID.fits``: an array (band, y, x) of SDSS g, r, i, z in counts per second and pixel,
pixels of 0.396 arcsec as if the galaxy were at z = 0.0485 (0.39 kpc), 15 stellar half-mass radii a side, centred on the
subhalo's centre, seen along the z axis of the box (x right, y up). No sky, no noise, no point-spread function.

The file has no zero point, so the counts of two bands do not make a colour. The redshift is in the file's header and
the pixel scale in its CDELT cards, as a length; no cosmology is assumed here.

**The line of sight is fixed.** There is one image per galaxy, along the box's z axis: see `box_view`. Images along
other lines of sight come from the particles or from your own SKIRT runs.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...errors import FetchError, GalaxyError, UniverseError
from ...galaxy import ComponentName, Galaxy
from .. import open_fits
from ..sky import SkyGrid, View, lines_of_sight, resample

BANDS = ("g", "r", "i", "z")
UNIT = "counts/s/pixel"

_FILTERS = tuple(f"sloan/sdss_{band}" for band in BANDS)
#: Where the archive of images and the TNG JupyterLab have the files of snapshot 99, below the folder that is named.
_FOLDERS = (
    "",
    "sdss/snapnum_099/data",
    "skirt_images/sdss/snapnum_099/data",
    "postprocessing/skirt_images/sdss/snapnum_099/data",
)


@dataclass(frozen=True)
class Broadband:
    """The content of one ``broadband_ID.fits``.

    Parameters
    ----------
    data : ndarray, shape (n, n, 4)
        Counts per second and pixel, (y, x, band) for g r i z.
    pixel_size : float
        Side of a pixel [kpc].
    redshift : float
        At which the galaxy is drawn.
    name : str
        The file's name, for messages.
    """

    data: np.ndarray
    pixel_size: float
    redshift: float
    name: str

    @property
    def origin(self) -> str:
        """Simulation and snapshot, where the file's name tells them: its header does not."""
        told = re.match(r"(.+)_(\d{3})_broadband_\d+\.fits$", self.name)
        return f"{told[1]}, snapshot {int(told[2])}" if told else "a simulation that the file does not name"

    @property
    def field_of_view(self) -> float:
        """Side of the image [kpc]."""
        return self.data.shape[0] * self.pixel_size

    def on(self, grid: SkyGrid) -> np.ndarray:
        """Counts per second in each pixel of `grid`, shape (y, x, 4); zero beyond the file's own edge."""
        return resample(self.data, self.pixel_size, grid)


def read_broadband(source: str | Path | BinaryIO, name: str | None = None) -> Broadband:
    """Read and check one published image.

    Parameters
    ----------
    source : path or binary file
    name : str, optional
        Name in messages; by default the file's name.

    Returns
    -------
    Broadband

    Raises
    ------
    FetchError
        When the file is missing, cut short, no FITS file, or not an image of this product.
    """
    name = name or Path(str(source)).name
    again = "remove it and fetch it again"
    with open_fits(source, FetchError, f"{again}, or name the folder that holds the images", name) as hdus:
        header, data = hdus[0].header.copy(), hdus[0].data
        data = None if data is None else np.asarray(data, dtype=np.float64)
    if data is None or data.ndim != 3 or data.shape[0] != len(BANDS) or data.shape[1] != data.shape[2]:
        shape = "none" if data is None else data.shape
        raise FetchError(f"{name} has an array of shape {shape} where (4, N, N) is expected: it is another product.")
    filters = tuple(str(header.get(f"FILTER{k}", "")).strip() for k in range(len(BANDS)))
    if filters != _FILTERS:
        raise FetchError(
            f"{name} has filters {', '.join(filters)}, not SDSS g r i z (the set 'pogs' has the same names): fetch the "
            "set named sdss."
        )
    unit, length = str(header.get("BUNIT", "")).strip(), str(header.get("CTYPE1", "")).strip()
    scale = header.get("CDELT1", 0.0)
    if unit != UNIT or length != "pc" or not scale > 0 or header.get("CDELT2") != scale:
        raise FetchError(
            f"{name} is in '{unit}' with pixels of {scale} {length}, not in {UNIT} with square pixels in pc: {again}."
        )
    if not np.all(np.isfinite(data)):
        raise FetchError(f"{name} holds values that are not finite: {again}.")
    data = np.ascontiguousarray(np.moveaxis(data, 0, -1))
    return Broadband(data, float(scale) / 1e3, float(header.get("USE_Z", np.nan)), name)


def box_view(subhalo_id: int, spin_axis: np.ndarray | None = None) -> View:
    """The line of sight of the published images: the box's z axis towards the observer, x right, y up.

    Parameters
    ----------
    subhalo_id : int
    spin_axis : ndarray, shape (3,), optional
        For inclination and position angle; NaN without it.
    """
    return lines_of_sight(subhalo_id, spin_axis, seed=0, mode="box")[0]


@dataclass(frozen=True)
class PublishedSkirt:
    """Published images from a folder or from the archive; a `dmlib.observe.images.ImageSource`.

    Parameters
    ----------
    path : path
        A folder that holds ``broadband_ID.fits`` or ``TNG100-1_099_broadband_ID.fits`` (itself, or in the places where
        the archive unpacks and where the TNG JupyterLab has them), or the archive ``skirt_images_sdss.99.tar``.
    """

    path: str | Path
    unit: str = field(default=UNIT, init=False)
    bands: tuple[str, ...] = field(default=BANDS, init=False)
    fields: Mapping[ComponentName, Sequence[str]] = field(default_factory=dict, init=False)
    _members: dict[int, tarfile.TarInfo] = field(default_factory=dict, init=False, repr=False, compare=False)

    def read(self, subhalo_id: int) -> Broadband:
        """The image of one subhalo as it is published.

        Raises
        ------
        GalaxyError
            When there is none of this subhalo (those of small galaxies were not made).
        UniverseError
            When the folder or the archive is missing, or the archive is damaged.
        FetchError
            When the file is damaged or of another product.
        """
        path = Path(self.path)
        if path.is_dir():
            names = (f"broadband_{subhalo_id}.fits", f"TNG100-1_099_broadband_{subhalo_id}.fits")
            files = (path / folder / name for folder in _FOLDERS for name in names)
            if file := next(filter(Path.is_file, files), None):
                return read_broadband(file)
        elif not path.is_file():
            raise UniverseError(f"There are no published images at {path}: fetch tng100-skirt-images, or name it.")
        elif content := self._from_archive(path, subhalo_id):
            return read_broadband(BytesIO(content), f"broadband_{subhalo_id}.fits")
        raise GalaxyError(f"subhalo {subhalo_id} has no published SKIRT image in {path.name}: use its particles.")

    def image(self, galaxy: Galaxy, view: View, grid: SkyGrid) -> np.ndarray:
        """Image of one galaxy, shape (y, x, 4) in counts/s/pixel; see `dmlib.observe.images.ImageSource.image`.

        Raises
        ------
        GalaxyError
            Also for a line of sight that is not the one of the published images.
        """
        if not np.allclose(view.rotation, np.eye(3), atol=1e-9):
            raise GalaxyError(
                f"subhalo {galaxy.subhalo_id}: the published image is seen along the box's z axis, not along view "
                f"{view.index}: take published.box_view, or the particles' light."
            )
        return self.read(galaxy.subhalo_id).on(grid)

    def _from_archive(self, path: Path, subhalo_id: int) -> bytes | None:
        try:
            with tarfile.open(path) as archive:
                if not self._members:
                    # One pass over the archive's headers; thousands of galaxies follow.
                    found = ((re.search(r"broadband_(\d+)\.fits$", member.name), member) for member in archive)
                    self._members.update({int(match[1]): member for match, member in found if match})
                handle = archive.extractfile(self._members[subhalo_id]) if subhalo_id in self._members else None
                return handle.read() if handle else None
        except (tarfile.TarError, OSError, EOFError) as error:
            raise UniverseError(f"{path.name} is no whole tar archive ({error}): fetch it again.") from error
