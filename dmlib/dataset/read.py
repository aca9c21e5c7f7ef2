"""Reading the data set: its views, and their inputs and targets as a network takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from astropy import units as u
from astropy.table import QTable

from ..files import open_product
from ..observe.images.sdss import normalise as normalise_images
from ..observe.moments import normalise as normalise_hi
from ..observe.sky import SkyGrid, central_part
from ..targets import ln_mass as ln_mass
from . import SPLITS
from .views import DatasetError, Recipe

#: Channels of the HI maps, in the order of the file.
HI_CHANNELS = ("moment0", "moment1", "moment2")

#: Sets of inputs by name: those of the contract, and the authors' (scripts: ``SDSS_URZ_HI_012`` and so on). The entry
#: ``bands`` stands for all bands of the data set.
INPUT_SETS: dict[str, tuple[str, ...]] = {
    "all": ("bands", *HI_CHANNELS),
    "photometry": ("bands",),
    "hi": HI_CHANNELS,
    "SDSS_I": ("i",),
    "SDSS_URZ": ("u", "r", "z"),
    "HI_0": ("moment0",),
    "HI_1": ("moment1",),
    "HI_2": ("moment2",),
    "HI_012": HI_CHANNELS,
    "SDSS_I_HI_012": ("i", *HI_CHANNELS),
    "SDSS_URZ_HI_012": ("u", "r", "z", *HI_CHANNELS),
}

#: Normalised inputs of a whole data set that a process may keep [bytes], and views that are read at a time.
_KEPT, _CHUNK = 1e9, 256

_COLUMNS = (
    *("subhalo_id", "group_id", "view", "split", "inclination", "position_angle"),
    *("inclination_stars", "position_angle_stars", "m_star", "m_hi", "m200", "sfr", "is_true_central"),
)


@dataclass(frozen=True)
class DataSet:
    """An open data set: the small columns are in memory, images and maps are read when needed.

    Parameters
    ----------
    path : Path
    table : QTable
        One row per view: ``subhalo_id``, ``group_id``, ``view``, ``split``, ``inclination``, ``position_angle`` [deg],
        ``inclination_stars``, ``position_angle_stars`` [deg], ``m_star``, ``m_hi``, ``m200`` [Msun], ``sfr`` [Msun/yr],
        ``is_true_central``.
    dm_profile : ndarray, shape (N, 20)
        Target [Msun].
    radii : ndarray, shape (20,)
        [kpc]
    set_aside : QTable
        ``subhalo_id``, ``stage`` (``target`` or ``observation``), ``reason`` of the galaxies that were left out.
    bands : tuple of str
    image_unit : str
    grid : SkyGrid
        Of images and HI maps.
    input_grid : SkyGrid
        Of the networks' inputs, the middle of it.
    recipe : Recipe
    attributes : dict
        Of the file: its origin and what made it.
    """

    path: Path
    table: QTable
    dm_profile: np.ndarray
    radii: np.ndarray
    set_aside: QTable
    bands: tuple[str, ...]
    image_unit: str
    grid: SkyGrid
    input_grid: SkyGrid
    recipe: Recipe
    attributes: dict[str, Any]

    def __len__(self) -> int:
        return len(self.table)

    @property
    def n_galaxies(self) -> int:
        """Number of galaxies."""
        return len(np.unique(self.table["subhalo_id"]))

    @property
    def made_from(self) -> str:
        """Fingerprint of what the data set was made from."""
        return str(self.attributes["made_from"])

    def channels(self, inputs: str | Sequence[str]) -> tuple[str, ...]:
        """Names of the channels of a set of inputs.

        Parameters
        ----------
        inputs : str or sequence of str
            A key of `INPUT_SETS`, or channels: bands (``u``) and ``moment0``,
            ``moment1``, ``moment2``.

        Raises
        ------
        DatasetError
            When the data set has no such input.
        """
        chosen = INPUT_SETS.get(inputs, (inputs,)) if isinstance(inputs, str) else tuple(inputs)
        names = tuple(name for entry in chosen for name in (self.bands if entry == "bands" else (entry,)))
        known = (*self.bands, *HI_CHANNELS)
        absent = [name for name in names if name not in known]
        if absent or not names:
            raise DatasetError(
                f"{self.path} has no input '{', '.join(absent) or inputs}': choose {', '.join([*INPUT_SETS, *known])}."
            )
        return names

    def rows(self, split: str | None = None) -> np.ndarray:
        """Rows of one part, see `dmlib.dataset.SPLITS`; all when omitted.

        Raises
        ------
        DatasetError
            For another name.
        """
        if split is None:
            return np.arange(len(self))
        if split not in SPLITS:
            raise DatasetError(f"a data set has the parts {', '.join(SPLITS)}, not '{split}'.")
        return np.flatnonzero(np.asarray(self.table["split"]) == SPLITS[split])

    def images(self, rows: np.ndarray | Sequence[int]) -> np.ndarray:
        """Images in physical units, shape (n, y, x, band) [`image_unit`]."""
        return self._read("images", rows)

    def hi(self, rows: np.ndarray | Sequence[int]) -> np.ndarray:
        """HI maps in physical units, shape (n, y, x, 3): Msun/pc^2, km/s, km/s; NaN where blank."""
        return self._read("hi", rows)

    def rotation(self, rows: np.ndarray | Sequence[int]) -> np.ndarray:
        """From the axes of the box to those of the sky, see `dmlib.observe.sky.View`; shape (n, 3, 3)."""
        return self._read("rotation", rows)

    def inputs(
        self, rows: np.ndarray | Sequence[int], inputs: str | Sequence[str] = "all", *, keep: bool = False
    ) -> np.ndarray:
        """Input of a network: the middle of images and maps, on fixed scales, the same for every galaxy.

        The scales are those of `dmlib.observe.images.sdss.normalise` and `dmlib.observe.moments.normalise`; nothing is
        learned from any galaxy, so there is nothing to leak.

        Parameters
        ----------
        rows : sequence of int
        inputs : str or sequence of str
            See `channels`.
        keep : bool
            Read each view once a process, and keep it in memory where all fit: for one network after the other.

        Returns
        -------
        ndarray of float32, shape (n, y, x, channel)
            On `input_grid`.
        """
        names = self.channels(inputs)
        if keep and 4.0 * len(self) * self.input_grid.pixels**2 * len(self.channels("all")) <= _KEPT:
            return self._kept_inputs(np.asarray(rows, dtype=int), names)
        parts: dict[str, np.ndarray] = {}
        if set(names) & set(self.bands):
            seen = central_part(self.images(rows), self.input_grid.pixels)
            images = normalise_images(seen, self.image_unit, self.bands, self.input_grid)
            parts |= dict(zip(self.bands, np.moveaxis(images, -1, 0), strict=True))
        if set(names) & set(HI_CHANNELS):
            maps = normalise_hi(central_part(self.hi(rows), self.input_grid.pixels))
            parts |= dict(zip(HI_CHANNELS, np.moveaxis(maps, -1, 0), strict=True))
        return np.stack([parts[name] for name in names], axis=-1)

    def _kept_inputs(self, rows: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
        every, pixels = self.channels("all"), self.input_grid.pixels
        kept, known = _room(self.path, self.path.stat().st_mtime_ns, (len(self), pixels, pixels, len(every)))
        missing = np.unique(rows[~known[rows]])
        for start in range(0, len(missing), _CHUNK):
            some = missing[start : start + _CHUNK]
            kept[some] = self.inputs(some)
            known[some] = True
        return kept[rows] if names == every else kept[rows].take([every.index(name) for name in names], axis=-1)

    def _read(self, name: str, rows: np.ndarray | Sequence[int]) -> np.ndarray:
        rows = np.asarray(rows, dtype=int)
        # HDF5 needs increasing rows, each once.
        wanted, back = np.unique(rows, return_inverse=True)
        with h5py.File(self.path, "r") as handle:
            stored = handle[name]
            if len(wanted) and len(wanted) == wanted[-1] - wanted[0] + 1:
                values = stored[wanted[0] : wanted[-1] + 1]
            else:
                values = np.stack([stored[i] for i in wanted]) if len(wanted) else stored[:0]
        return values if np.array_equal(back, np.arange(len(wanted))) else values[back]


@lru_cache(maxsize=1)
def _room(path: Path, changed: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """For the inputs of a file as it was at a time, all channels, and whether each view has been read."""
    return np.empty(shape, dtype=np.float32), np.zeros(shape[0], dtype=bool)


def read_dataset(path: str | Path) -> DataSet:
    """Open a data set.

    Raises
    ------
    DatasetError
        When it is missing, damaged or not a data set.
    """
    with open_product(path, "data set", DatasetError) as handle:
        aside = {"subhalo_id": handle["set_aside/subhalo_id"][()]}
        for name in ("stage", "reason"):
            aside[name] = np.array(handle[f"set_aside/{name}"].asstr()[()], str)
        grid = SkyGrid(float(handle.attrs["field_of_view"]), int(handle.attrs["pixels"]))
        return DataSet(
            path=Path(path),
            table=QTable({name: _column(handle[name]) for name in _COLUMNS}),
            dm_profile=handle["dm_profile"][()],
            radii=handle["radii"][()],
            set_aside=QTable(aside),
            bands=tuple(map(str, handle["images"].attrs["bands"])),
            image_unit=str(handle["images"].attrs["unit"]),
            grid=grid,
            input_grid=grid.central(int(handle.attrs["input_pixels"])),
            recipe=Recipe.model_validate_json(handle.attrs["recipe"]),
            attributes=dict(handle.attrs),
        )


def _column(stored: h5py.Dataset) -> np.ndarray | u.Quantity:
    values, unit = stored[()], stored.attrs["unit"]
    return u.Quantity(values, unit) if unit else values
