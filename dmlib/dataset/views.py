"""One galaxy along its lines of sight: the same for its light and its HI."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import GalaxyError
from ..galaxy import Galaxy, load_galaxy
from ..observe.cube import HICube
from ..observe.deposit import observe
from ..observe.grid import SkyGrid
from ..observe.hydrogen import HYDROGEN_FIELDS, HIGas, hi_gas, load_hi_gas
from ..observe.images.base import draw
from ..observe.images.published import box_view
from ..observe.moments import observe_moments
from ..observe.views import View, lines_of_sight, orientation
from ..universe.base import Universe
from .recipe import Recipe


@dataclass(frozen=True)
class Observer:
    """Everything that observing one galaxy of the data set takes.

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

    def views(self, subhalo_id: int) -> dict[str, np.ndarray]:
        """All views of one galaxy.

        Parameters
        ----------
        subhalo_id : int

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
        galaxy = self._load(subhalo_id, source.fields)
        gas = self._gas(galaxy)
        self._check(galaxy, gas)
        star_axis = galaxy.spin_axis("stars")
        views = self._lines_of_sight(subhalo_id, gas.spin_axis())
        rows = []
        for view, image in zip(views, draw(source, galaxy, views, self.grid), strict=True):
            maps = observe_moments(gas, view, self.grid, self.recipe.hi, seed=self.seed)
            inclination, position_angle = orientation(view.rotation, star_axis)
            rows.append(
                {
                    "images": image.astype(np.float32),
                    "hi": maps.stack.astype(np.float32),
                    "view": np.int16(view.index),
                    "inclination": view.inclination,
                    "position_angle": view.position_angle,
                    "inclination_stars": inclination,
                    "position_angle_stars": position_angle,
                    "rotation": view.rotation,
                    "m_hi": maps.m_hi,
                }
            )
        if not all(np.isfinite(row["images"]).all() for row in rows):
            raise GalaxyError(
                f"{galaxy.name} has pixels that are not finite: its particle data are damaged, leave it out"
            )
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def cube(self, subhalo_id: int, view: int) -> HICube:
        """The full HI cube of one view, the one whose moments are in the data set.

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
        gas = self._gas(self._load(subhalo_id, {}))
        return observe(
            gas, self._lines_of_sight(subhalo_id, gas.spin_axis())[view], self.grid, self.recipe.hi, seed=self.seed
        )

    def _load(self, subhalo_id: int, fields) -> Galaxy:
        wanted = {name: tuple(names) for name, names in fields.items()}
        extra = [name for name in HYDROGEN_FIELDS if name != "Masses"]
        wanted["gas"] = tuple(dict.fromkeys((*extra, *wanted.get("gas", ()))))
        return load_galaxy(
            self.universe, subhalo_id, scope=self.recipe.scope, extra=wanted, components=("stars", "gas")
        )

    def _gas(self, galaxy: Galaxy) -> HIGas:
        hi = self.recipe.hi
        if hi.scope != galaxy.scope:
            return load_hi_gas(
                self.universe, galaxy.subhalo_id, scope=hi.scope, partition=hi.partition, negligible=hi.negligible
            )
        # The image needs the same cells: they are read once.
        part = galaxy.gas
        cells = {"Masses": part.mass, **{name: part.extra[name] for name in HYDROGEN_FIELDS if name != "Masses"}}
        return hi_gas(
            galaxy.subhalo_id,
            part.position,
            part.velocity,
            cells,
            partition=hi.partition,
            negligible=hi.negligible,
        )

    def _check(self, galaxy: Galaxy, gas: HIGas) -> None:
        # The HI recipe looks at every field of the gas, the image source at the stars' light.
        for name, values in (("Coordinates", galaxy.stars.position), ("Velocities", galaxy.stars.velocity)):
            bad = int(np.count_nonzero(~np.isfinite(values)))
            if bad:
                raise GalaxyError(
                    f"{galaxy.name}: star field {name} holds {bad} values that are not finite; the file is damaged"
                )
        stars = len(galaxy.within("stars", 0.5 * self.grid.field_of_view, minimum=0))
        if stars < self.recipe.min_stars:
            raise GalaxyError(
                f"{galaxy.name} has {stars} star particles in the field, fewer than {self.recipe.min_stars}: leave it "
                "out, or take a finer simulation"
            )
        half = 0.5 * self.grid.field_of_view
        cells = int(np.count_nonzero(np.einsum("ij,ij->i", gas.positions, gas.positions) < half**2))
        if cells < self.recipe.min_hi_cells:
            raise GalaxyError(
                f"{galaxy.name} has {cells} gas cells with HI in the field, fewer than {self.recipe.min_hi_cells}: "
                "leave it out, or take a finer simulation"
            )

    def _lines_of_sight(self, subhalo_id: int, axis: np.ndarray) -> list[View]:
        if self.recipe.orientation == "box":
            return [box_view(subhalo_id, axis)]
        return lines_of_sight(subhalo_id, axis, self.recipe.n_views, seed=self.seed, mode=self.recipe.orientation)
