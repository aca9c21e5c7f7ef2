"""What the data set observes: the recipe, stored with the data, and one galaxy along its lines of sight.

Images and HI of a galaxy are observed along the same lines of sight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..errors import DmlibError, GalaxyError
from ..galaxy import Galaxy, load_galaxy
from ..observe.cube import HICube, HISettings
from ..observe.deposit import observe
from ..observe.hydrogen import HYDROGEN_FIELDS, HIGas, load_hi
from ..observe.images import REDSHIFT, ImageSource, draw
from ..observe.images.dust import Dust
from ..observe.images.light import ParticleLight
from ..observe.images.published import PublishedSkirt
from ..observe.images.sdss import SdssLight
from ..observe.moments import moment_maps
from ..observe.skirt import SkirtSettings
from ..observe.sky import SkyGrid, View, lines_of_sight, orientation
from ..universe.base import Scope, Universe


class DatasetError(DmlibError):
    """A data set that cannot be built, or a file that is not a data set."""


class Recipe(BaseModel):
    """How galaxies are observed; the defaults are the data set of the book, and our choice where the paper is silent.

    Parameters
    ----------
    n_views : int
        Lines of sight to each galaxy (paper: 3).
    orientation : {"random", "face-on", "edge-on", "box"} or sequence
        ``box`` is one view along the box's z axis, that of the published SKIRT images. A sequence of ``(inclination,
        position angle)`` or ``(inclination, position angle, azimuth)`` [deg] fixes the views, the same for every
        galaxy; `n_views` is then its length. See `dmlib.observe.sky.lines_of_sight`.
    images : {"particles", "sdss", "published", "skirt"}
        Light of the star particles, the same as observed by the SDSS (point-spread function, noise), the
        published SKIRT images, or your own SKIRT runs (one thread per worker; for the executable see
        `dmlib.observe.skirt.source.find_skirt`).
    published : str
        Folder or archive of the published images.
    skirt : SkirtSettings
        Settings of your own SKIRT runs.
    dust : bool
        Whether dust attenuates the light (all but ``published``).
    scope : {"group", "subhalo"}
        Whose stars are in the image: all of the FoF group, as for a telescope, which sees the neighbours too, or only
        those bound to the galaxy. For the gas see `HISettings.scope`.
    hi : HISettings
        The HI observation.
    min_stars : int
        Galaxies with fewer star particles are set aside.
    min_hi_cells : int
        Galaxies with fewer gas cells with HI in the field of view are set aside: their maps would show smoothing
        kernels.
    train, validation, calibration : float
        Shares of the galaxies; the rest is for the test (authors' scripts: 0.7, 0.2, and none for calibration).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_views: int = Field(default=3, ge=1)
    orientation: (
        Literal["random", "face-on", "edge-on", "box"] | tuple[tuple[float, float] | tuple[float, float, float], ...]
    ) = "random"
    images: Literal["particles", "sdss", "published", "skirt"] = "particles"
    published: str = ""
    skirt: SkirtSettings = SkirtSettings()
    dust: bool = True
    scope: Scope = "group"
    hi: HISettings = HISettings()
    min_stars: int = Field(default=50, ge=1)
    min_hi_cells: int = Field(default=10, ge=1)
    train: float = Field(default=0.6, gt=0, lt=1)
    validation: float = Field(default=0.2, gt=0, lt=1)
    calibration: float = Field(default=0.1, ge=0, lt=1)

    @model_validator(mode="before")
    @classmethod
    def _fixed_views_are_counted(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get("orientation"), (list, tuple)):
            given = {"n_views": len(given["orientation"])} | given
        return given

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if self.train + self.validation + self.calibration >= 1:
            raise ValueError("train, validation and calibration leave nothing for the test: their sum must be below 1")
        if (self.images == "published") != bool(self.published):
            raise ValueError("images 'published' and the path of the published images go together")
        if self.images == "published" and self.orientation != "box":
            raise ValueError("the published images are seen along the box's z axis: set orientation='box'")
        if self.images == "skirt" and self.skirt.redshift != REDSHIFT:
            raise ValueError(f"images of a data set are normalised for redshift {REDSHIFT}: leave that of skirt")
        if self.orientation == "box" and self.n_views != 1:
            raise ValueError("orientation 'box' is one line of sight: set n_views=1")
        if not isinstance(self.orientation, str) and len(self.orientation) != self.n_views:
            raise ValueError(f"{len(self.orientation)} lines of sight, but n_views={self.n_views}: leave it out")
        return self

    def source(self, seed: int) -> ImageSource:
        """The source of images; `seed` is the root of their noise."""
        if self.images == "published":
            return PublishedSkirt(self.published)
        if self.images == "skirt":
            from ..observe.skirt.source import OwnSkirt

            return OwnSkirt(self.skirt.model_copy(update={"dust": self.dust and self.skirt.dust}))
        light = ParticleLight(Dust() if self.dust else None, unit="maggies/pixel")
        return light if self.images == "particles" else SdssLight(light, seed)


@dataclass(frozen=True)
class Observer:
    """The virtual telescope: observes any galaxy of a universe as the data set does.

    Parameters
    ----------
    universe : Universe
    recipe : Recipe
    grid : SkyGrid
    seed : int
        Root of lines of sight and noise.
    """

    universe: Universe
    recipe: Recipe
    grid: SkyGrid
    seed: int
    _kept: dict[int, HIGas] = field(default_factory=dict, init=False, repr=False, compare=False)
    _cubes: dict[tuple[int, int], HICube] = field(default_factory=dict, init=False, repr=False, compare=False)

    def views(self, subhalo_id: int, known: Mapping[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
        """All views of one galaxy.

        Parameters
        ----------
        subhalo_id : int
        known : mapping, optional
            ``images``, or ``hi`` and ``m_hi``, of the same views of the same galaxy, which are not made again: another
            observer may differ in the light or in the HI alone.

        Returns
        -------
        dict of ndarray, first axis the views
            ``images`` (v, y, x, band) in the image source's unit, ``hi`` (v, y, x, moment) as `MomentMaps.stack`,
            NaN where blank, both float32; ``inclination``, ``position_angle`` of the HI disc,
            ``inclination_stars``, ``position_angle_stars`` [deg]; ``rotation`` (v, 3, 3); ``m_hi`` [Msun], the HI mass
            in the map; ``view``, the number of the line of sight.

        Raises
        ------
        GalaxyError
            When the galaxy has too few stars, too little HI, no axis, or damaged data.
        UniverseError
            When its files cannot be read.
        """
        source = self.recipe.source(self.seed)
        hi, fields = self.recipe.hi, dict(source.fields)
        if hi.scope == self.recipe.scope:
            # The image and the HI need the same cells: they are read once.
            fields["gas"] = tuple(dict.fromkeys((*HYDROGEN_FIELDS, *fields.get("gas", ()))))
        galaxy = load_galaxy(self.universe, subhalo_id, ("stars", "gas"), scope=self.recipe.scope, extra=fields)
        gas = HIGas.of(galaxy, hi) if hi.scope == self.recipe.scope else load_hi(self.universe, subhalo_id, hi)
        self._check(galaxy, gas)
        star_axis = galaxy.spin_axis("stars")
        views = self._lines_of_sight(subhalo_id, gas.spin_axis())
        found = dict(known or {})
        if "images" not in found:
            images = np.stack(list(draw(source, galaxy, views, self.grid))).astype(np.float32)
            if not np.isfinite(images).all():
                raise GalaxyError(
                    f"{galaxy.name} has pixels that are not finite: its particles are damaged, leave it out"
                )
            found["images"] = images
        if "hi" not in found:
            cubes = [observe(gas, view, self.grid, hi, seed=self.seed) for view in views]
            self._cubes.clear()
            self._cubes.update({(subhalo_id, view.index): cube for view, cube in zip(views, cubes, strict=True)})
            maps = [moment_maps(cube) for cube in cubes]
            found["hi"] = np.stack([one.stack for one in maps]).astype(np.float32)
            found["m_hi"] = np.array([one.m_hi for one in maps])
        stars = np.array([orientation(view.rotation, star_axis) for view in views])
        return {
            "images": found["images"],
            "hi": found["hi"],
            "view": np.array([view.index for view in views], dtype=np.int16),
            "inclination": np.array([view.inclination for view in views]),
            "position_angle": np.array([view.position_angle for view in views]),
            "inclination_stars": stars[:, 0],
            "position_angle_stars": stars[:, 1],
            "rotation": np.stack([view.rotation for view in views]),
            "m_hi": found["m_hi"],
        }

    def cube(self, subhalo_id: int, view: int) -> HICube:
        """The full HI cube of a view whose moments are in the data set; those of the last `views` are kept.

        Parameters
        ----------
        subhalo_id : int
        view : int
            Number of the line of sight, from 0.

        Raises
        ------
        GalaxyError, UniverseError
            As `views`.
        """
        if (subhalo_id, view) in self._cubes:
            return self._cubes[subhalo_id, view]
        gas = self.gas(subhalo_id)
        line_of_sight = self._lines_of_sight(subhalo_id, gas.spin_axis())[view]
        return observe(gas, line_of_sight, self.grid, self.recipe.hi, seed=self.seed)

    def gas(self, subhalo_id: int) -> HIGas:
        """The HI of a galaxy, with its own spin axis; that of the galaxy used last is kept.

        Raises
        ------
        GalaxyError, UniverseError
            As `views`.
        """
        if subhalo_id not in self._kept:
            self._kept.clear()
            self._kept[subhalo_id] = load_hi(self.universe, subhalo_id, self.recipe.hi)
        return self._kept[subhalo_id]

    def _check(self, galaxy: Galaxy, gas: HIGas) -> None:
        # The fields of the gas and of the stars' light are checked where they are used.
        galaxy.require_finite("stars", ("Coordinates", "Velocities"))
        half = 0.5 * self.grid.field_of_view
        stars = np.count_nonzero(galaxy.stars.radius <= half)
        cells = np.count_nonzero(np.einsum("ij,ij->i", gas.positions, gas.positions) < half**2)
        for number, least, what in (
            (stars, self.recipe.min_stars, "star particles"),
            (cells, self.recipe.min_hi_cells, "gas cells with HI"),
        ):
            if number < least:
                raise GalaxyError(f"{galaxy.name} has {number} {what} in the field, fewer than {least}: leave it out")

    def _lines_of_sight(self, subhalo_id: int, axis: np.ndarray) -> list[View]:
        return lines_of_sight(subhalo_id, axis, self.recipe.n_views, seed=self.seed, mode=self.recipe.orientation)
