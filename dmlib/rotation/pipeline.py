"""From a galaxy of the data set to its mass model, in one call."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from astropy import units as u

from ..dataset.read import DataSet, read_dataset
from ..dataset.views import Observer
from ..errors import GalaxyError
from ..galaxy import load_galaxy
from ..settings import Settings
from ..universe import open_universe
from .baryons import model_from_maps, model_from_particles, weigh_stars
from .curve import RotationCurve
from .geometry import Tilt
from .massmodel import MassModel
from .rings import RingSettings, fit_rings
from .velocities import velocity_field

Knowledge = Literal["observed", "perfect"]


@dataclass(frozen=True)
class Measured:
    """What the rotation-curve method has of one view.

    Parameters
    ----------
    subhalo_id, view : int
    knowledge : {"observed", "perfect"}
        Whether geometry and visible masses were measured, or taken from the simulation.
    curve : RotationCurve or None
        None where the rings could not be fitted at all.
    model : MassModel or None
        None where there is no curve, or too few good rings, or the stars could not be weighed.
    reasons : tuple of str
        Why the method does not hold; empty where it does.
    """

    subhalo_id: int
    view: int
    knowledge: Knowledge
    curve: RotationCurve | None
    model: MassModel | None
    reasons: tuple[str, ...]

    @property
    def accepted(self) -> bool:
        """Whether there is a mass model that the method stands by."""
        return self.model is not None and not self.reasons


@lru_cache(maxsize=4)
def observer_of(settings: Settings) -> tuple[DataSet, Observer]:
    """The data set of these settings and the telescope it was made with."""
    dataset = read_dataset(settings.dataset_path)
    return dataset, Observer(open_universe(settings), dataset.recipe, dataset.grid, settings.seed)


def mass_model(
    settings: Settings,
    subhalo_id: int,
    view: int,
    *,
    knowledge: Knowledge = "observed",
    velocity: str = "moment1",
    rings: RingSettings | None = None,
    cube: Any = None,
) -> Measured:
    """Cube, moment maps, rings, baryons: the mass model of one view of the data set.

    Parameters
    ----------
    settings : Settings
    subhalo_id, view : int
        Of the data set.
    knowledge : {"observed", "perfect"}
        ``perfect`` takes inclination, position angle and centre from the simulation, and the gravity of gas and stars
        from its particles; only the speeds are measured.
    velocity : str
        See `dmlib.rotation.velocities`.
    rings : RingSettings, optional
    cube : optional
        The view's cube, where the caller has it already; observed again otherwise.

    Returns
    -------
    Measured
        A galaxy for which the method fails has its reason in `reasons`, and raises nothing.

    Raises
    ------
    GalaxyError
        When the data set has no such view.
    UniverseError
        When the simulation cannot be read.
    """
    dataset, observer = observer_of(settings)
    row = row_of(dataset, subhalo_id, view)
    try:
        cube = observer.cube(subhalo_id, view) if cube is None else cube
        field = velocity_field(cube, velocity)
        rings = rings or RingSettings(geometry="fixed" if knowledge == "perfect" else "regularised")
        curve = fit_rings(field, rings, **_given(dataset, row, knowledge))
    except GalaxyError as error:
        return Measured(subhalo_id, view, knowledge, None, None, (str(error),))
    reasons = curve.reasons
    try:
        model = _visible(dataset, observer, row, curve, knowledge)
    except GalaxyError as error:
        return Measured(subhalo_id, view, knowledge, curve, None, reasons or (str(error),))
    return Measured(subhalo_id, view, knowledge, curve, model, reasons)


def row_of(dataset: DataSet, subhalo_id: int, view: int) -> int:
    """Row of a view in the data set.

    Raises
    ------
    GalaxyError
        When there is none.
    """
    table = dataset.table
    rows = np.flatnonzero((np.asarray(table["subhalo_id"]) == subhalo_id) & (np.asarray(table["view"]) == view))
    if len(rows) == 0:
        raise GalaxyError(f"{dataset.path} has no view {view} of subhalo {subhalo_id}: choose one of its rows")
    return int(rows[0])


def hi_axis(observer: Observer, subhalo_id: int) -> np.ndarray:
    """Normal of a galaxy's HI disc in the axes of the box, unit vector, shape (3,)."""
    return observer.gas(subhalo_id).spin_axis()


def _given(dataset: DataSet, row: int, knowledge: Knowledge) -> dict[str, float]:
    """What of the geometry is told to the fit."""
    if knowledge == "observed":
        return {}
    if not np.isfinite(dataset.table["position_angle"][row].value):
        raise GalaxyError(f"subhalo {dataset.table['subhalo_id'][row]} is seen exactly face-on: it shows no rotation")
    inclination, angle = (dataset.table[name][row].to_value(u.deg) for name in ("inclination", "position_angle"))
    return {"inclination": float(inclination), "position_angle": float(angle)}


def _visible(dataset: DataSet, observer: Observer, row: int, curve: RotationCurve, knowledge: Knowledge) -> MassModel:
    """The mass model with the visible parts as measured, or as they are."""
    if knowledge == "perfect":
        galaxy = load_galaxy(observer.universe, int(dataset.table["subhalo_id"][row]), components=("stars", "gas"))
        return model_from_particles(curve, galaxy, hi_axis(observer, galaxy.subhalo_id))
    tilt = Tilt.flat(curve.mean_inclination, float(np.median(curve.position_angle)), *curve.centre)
    stars = weigh_stars(dataset.images([row])[0].astype(float), dataset.image_unit, dataset.bands, dataset.grid, tilt)
    return model_from_maps(curve, stars)
