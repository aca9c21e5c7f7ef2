"""What the data set observes, and how: one object, stored with the data."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..errors import DmlibError
from ..observe.cube import HISettings
from ..observe.images.bands import REDSHIFT
from ..observe.images.base import ImageSource
from ..observe.images.dust import Dust
from ..observe.images.light import ParticleLight
from ..observe.images.published import PublishedSkirt
from ..observe.images.realism import Survey, SurveyLight
from ..observe.skirt.settings import SkirtSettings
from ..universe.base import Scope


class DatasetError(DmlibError):
    """A data set that cannot be made, or a file that is none."""


class Recipe(BaseModel):
    """How galaxies are observed; the defaults are the data set of the book, and our choice where the paper is silent.

    Parameters
    ----------
    n_views : int
        Lines of sight to each galaxy (paper: 3).
    orientation : {"random", "face-on", "edge-on", "box"} or sequence
        ``box`` is one view along the box's z axis, that of the published SKIRT images. A sequence of ``(inclination,
        position angle)`` or ``(inclination, position angle, azimuth)`` [deg] fixes the views, the same for every
        galaxy; `n_views` is then its length. See `dmlib.observe.views.lines_of_sight`.
    images : {"particles", "sdss", "published", "skirt"}
        Light of the star particles, the same as the SDSS would have seen it (point-spread function, noise), the
        published SKIRT images, or SKIRT runs of one's own (one thread a worker; for the executable see
        `dmlib.observe.skirt.run.find_skirt`).
    published : str
        Folder or archive of the published images.
    skirt : SkirtSettings
        The recipe of one's own SKIRT runs.
    dust : bool
        Whether the gas takes light (all but ``published``).
    scope : {"group", "subhalo"}
        Whose stars are in the image: all of the FoF group, as for a telescope, which sees the neighbours too, or those
        bound to the galaxy alone. For the gas see `HISettings.scope`.
    hi : HISettings
        The HI observation.
    min_stars : int
        Galaxies with fewer star particles are set aside.
    min_hi_cells : int
        Galaxies with fewer gas cells that hold HI within the field of view are set aside: their maps would show
        smoothing kernels.
    train, validation : float
        Shares of the galaxies; the rest is for the test (authors' scripts: 0.7 and 0.2).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_views: int = Field(3, ge=1)
    orientation: (
        Literal["random", "face-on", "edge-on", "box"] | tuple[tuple[float, float] | tuple[float, float, float], ...]
    ) = "random"
    images: Literal["particles", "sdss", "published", "skirt"] = "particles"
    published: str = ""
    skirt: SkirtSettings = SkirtSettings()
    dust: bool = True
    scope: Scope = "group"
    hi: HISettings = HISettings()
    min_stars: int = Field(50, ge=1)
    min_hi_cells: int = Field(10, ge=1)
    train: float = Field(0.7, gt=0, lt=1)
    validation: float = Field(0.2, gt=0, lt=1)

    @model_validator(mode="before")
    @classmethod
    def _fixed_views_are_counted(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get("orientation"), (list, tuple)):
            given = {"n_views": len(given["orientation"])} | given
        return given

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if self.train + self.validation >= 1:
            raise ValueError("train and validation leave nothing for the test: their sum must be below 1")
        if (self.images == "published") != bool(self.published):
            raise ValueError("images 'published' and the path of the published images go together")
        if self.images == "published" and self.orientation != "box":
            raise ValueError("the published images are seen along the box's z axis: set orientation='box'")
        if self.images == "skirt" and self.skirt.redshift != REDSHIFT:
            raise ValueError(
                f"images of a data set are normalised for redshift {REDSHIFT}: leave the redshift of skirt"
            )
        if self.orientation == "box" and self.n_views != 1:
            raise ValueError("orientation 'box' is one line of sight: set n_views=1")
        if not isinstance(self.orientation, str) and len(self.orientation) != self.n_views:
            raise ValueError(
                f"{len(self.orientation)} lines of sight are given, but n_views={self.n_views}: leave it out"
            )
        return self

    def source(self, seed: int) -> ImageSource:
        """Where images come from; `seed` is the root of their noise."""
        if self.images == "published":
            return PublishedSkirt(self.published)
        if self.images == "skirt":
            # By name: the book's data set does not depend on the text of the modules that run SKIRT.
            runs = import_module("dmlib.observe.skirt.source")
            return runs.OwnSkirt(self.skirt.model_copy(update={"dust": self.dust and self.skirt.dust}))
        light = ParticleLight(Dust() if self.dust else None, unit="maggies/pixel")
        return light if self.images == "particles" else SurveyLight(light, Survey(), seed)
