"""Measuring a view of the data set with the rotation-curve method, and comparing the result with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from astropy import units as u
from astropy.table import QTable

from ..dataset.read import DataSet
from ..dataset.views import Observer
from ..errors import GalaxyError
from ..galaxy import load_galaxy
from ..observe.cube import HICube
from ..units import G
from ..workers import bar
from .baryons import particle_speeds, signed_root, signed_square, weigh_stars
from .curve import Rejection, RotationCurve, rejection
from .massmodel import MassModel, model_from_maps, model_from_particles
from .rings import fit_rings
from .velocity_field import Tilt, VelocityField, velocity_field

Knowledge = Literal["observed", "perfect"]


@dataclass(frozen=True)
class ViewMeasurement:
    """Result of the rotation-curve method for one view.

    Parameters
    ----------
    curve : RotationCurve or None
        None where the rings could not be fitted.
    model : MassModel or None
        None where there is no curve, or too few good rings, or the stars could not be weighed.
    reasons : tuple of Rejection
        Why the method rejects the view; empty where it accepts it.
    """

    curve: RotationCurve | None
    model: MassModel | None
    reasons: tuple[Rejection, ...]

    @property
    def accepted(self) -> bool:
        """Whether there is a mass model that passes the quality cuts."""
        return self.model is not None and not self.reasons


def measure_view(
    dataset: DataSet,
    observer: Observer,
    subhalo_id: int,
    view: int,
    *,
    knowledge: Knowledge = "observed",
    cube: HICube | None = None,
    like: RotationCurve | None = None,
) -> ViewMeasurement:
    """Cube, moment maps, rings, baryons: the mass model of one view of the data set.

    Parameters
    ----------
    dataset : DataSet
    observer : Observer
        The one that made the data set.
    subhalo_id, view : int
        Of the data set.
    knowledge : {"observed", "perfect"}
        ``perfect`` takes inclination, position angle and centre from the simulation, and the gravity of gas and stars
        from its particles; only the speeds are measured.
    cube : HICube, optional
        The view's cube; observed again by default.
    like : RotationCurve, optional
        Of the same disc seen along the same line of sight; its tilt and centre are kept, to save the time of the fit.

    Returns
    -------
    ViewMeasurement
        A galaxy for which the method fails has the reason in `reasons`; it does not raise an error.

    Raises
    ------
    GalaxyError
        When the data set has no such view.
    UniverseError
        When the simulation cannot be read.
    """
    row = _row_of(dataset, subhalo_id, view)
    curve = None
    try:
        cube = observer.cube(subhalo_id, view) if cube is None else cube
        field = velocity_field(cube)
        if knowledge == "perfect":
            inclination, angle = _true_tilt(dataset, row)
            curve = fit_rings(field, geometry="fixed", inclination=inclination, position_angle=angle)
            galaxy = load_galaxy(observer.universe, subhalo_id, ("stars", "gas"), velocities=False)
            model = model_from_particles(curve, galaxy, observer.gas(subhalo_id).spin_axis())
        else:
            curve = fit_rings(field) if like is None else _fit_like(field, like)
            tilt = Tilt.flat(curve.mean_inclination, float(np.median(curve.position_angle)), *curve.centre)
            image = dataset.images([row])[0].astype(float)
            model = model_from_maps(curve, weigh_stars(image, dataset.image_unit, dataset.bands, dataset.grid, tilt))
    except GalaxyError as error:
        reasons = (curve.reasons if curve is not None else ()) or (rejection(error),)
        return ViewMeasurement(curve, None, reasons)
    return ViewMeasurement(curve, model, curve.reasons)


def _fit_like(field: VelocityField, like: RotationCurve) -> RotationCurve:
    """Rings with the tilt of another curve, which the fit found to an error of its own."""
    inclination, angle = like.mean_inclination, float(np.median(like.position_angle))
    curve = fit_rings(field, geometry="fixed", inclination=inclination, position_angle=angle, centre=like.centre)
    return replace(curve, inclination_err=like.inclination_err, optical_centre=like.optical_centre)


def _row_of(dataset: DataSet, subhalo_id: int, view: int) -> int:
    """Row of a view in the data set."""
    table = dataset.table
    rows = np.flatnonzero((np.asarray(table["subhalo_id"]) == subhalo_id) & (np.asarray(table["view"]) == view))
    if len(rows) == 0:
        raise GalaxyError(f"{dataset.path} has no view {view} of subhalo {subhalo_id}: choose one of its rows")
    return int(rows[0])


def _true_tilt(dataset: DataSet, row: int) -> tuple[float, float]:
    """Inclination and position angle [deg]."""
    if not np.isfinite(dataset.table["position_angle"][row].value):
        raise GalaxyError(f"subhalo {dataset.table['subhalo_id'][row]} is seen exactly face-on: it shows no rotation")
    inclination, angle = (dataset.table[name][row].to_value(u.deg) for name in ("inclination", "position_angle"))
    return float(inclination), float(angle)


def choose_view(dataset: DataSet, subhalo_id: int = -1, inclinations: tuple[float, float] = (50.0, 65.0)) -> int:
    """Row of an example: of the training centrals of middle mass, in a range of inclinations, one that is rich in HI.

    Its stellar mass lies in the middle third, as the central galaxy of a cluster is no typical disc, and it is richer
    in HI than three quarters of these views; the richest would extend over the edge of the field.

    Parameters
    ----------
    dataset : DataSet
    subhalo_id : int
        A galaxy of your choice; -1 for any.
    inclinations : (float, float)
        [deg]; the view nearest to the range where there is none inside.

    Raises
    ------
    GalaxyError
        When the data set has no such galaxy.
    """
    table = dataset.table
    if subhalo_id >= 0:
        rows = np.flatnonzero(np.asarray(table["subhalo_id"]) == subhalo_id)
        if len(rows) == 0:
            raise GalaxyError(f"{dataset.path} has no subhalo {subhalo_id}: choose one of its galaxies")
    else:
        rows = dataset.rows("train")
        rows = rows[np.asarray(table["is_true_central"][rows])]
        m_star = table["m_star"][rows].to_value(u.Msun)
        low, high = np.quantile(m_star, [1 / 3, 2 / 3])
        rows = rows[(m_star >= low) & (m_star <= high)]
    angle = table["inclination"][rows].to_value(u.deg)
    low, high = inclinations
    outside = np.maximum(0.0, np.maximum(low - angle, angle - high))
    best = rows[outside <= outside.min()]
    mass = table["m_hi"][best].to_value(u.Msun)
    return int(best[np.argsort(mass)[int(0.75 * (len(mass) - 1))]])


def truth_of(observer: Observer, subhalo_id: int, radii: np.ndarray) -> dict[str, np.ndarray]:
    """Circular speeds due to the particles of a galaxy in the plane of its HI disc [km/s], each shape (n,).

    Parameters
    ----------
    observer : Observer
    subhalo_id : int
    radii : ndarray, shape (n,)
        Increasing [kpc].

    Returns
    -------
    dict
        ``stars`` and ``gas`` by direct sum, ``dm`` as for a sphere with the enclosed mass, and ``total``.
    """
    galaxy = load_galaxy(observer.universe, subhalo_id, velocities=False)
    axis = observer.gas(subhalo_id).spin_axis()
    stars, gas, wind = (particle_speeds(part, axis, radii) for part in (galaxy.stars, galaxy.gas, galaxy.wind))
    gas = signed_root(signed_square(gas) + signed_square(wind))
    dm = np.sqrt(G * galaxy.dm.enclosed_mass(radii) / radii)
    total = signed_root(signed_square(stars) + signed_square(gas) + dm**2)
    return {"stars": stars, "gas": gas, "dm": dm, "total": total}


def through_beams(
    observer: Observer, subhalo_id: int, view: int, beams: Sequence[float], *, inclination: float, position_angle: float
) -> dict[float, tuple[RotationCurve, RotationCurve]]:
    """Rings of one view observed with several beams, without and with the beam in the model.

    Parameters
    ----------
    observer : Observer
    subhalo_id, view : int
    beams : sequence of float
        [arcsec]
    inclination, position_angle : float
        Fixed in the fit, so that only the speeds differ [deg].

    Returns
    -------
    dict
        Beam -> curves without and with it in the model.
    """
    curves = {}
    for beam in beams:
        hi = observer.recipe.hi.model_copy(update={"beam": float(beam)})
        telescope = replace(observer, recipe=observer.recipe.model_copy(update={"hi": hi}))
        field = velocity_field(telescope.cube(subhalo_id, view))
        fixed = partial(fit_rings, field, geometry="fixed", inclination=inclination, position_angle=position_angle)
        curves[beam] = fixed(deblur=False), fixed(deblur=True)
    return curves


def compare_with_truth(dataset: DataSet, observer: Observer, rows: Sequence[int] | np.ndarray) -> QTable:
    """Apply the method to a sample, and compare the results with the truth.

    Parameters
    ----------
    dataset : DataSet
    observer : Observer
    rows : sequence of int
        Of the data set.

    Returns
    -------
    QTable
        ``subhalo_id``, ``view``; ``inclination`` (true) and ``fitted``, ``fitted_err`` [deg]; ``error``,
        ``error_perfect``: median over the good rings of circular speed over truth minus 1, with the geometry fitted and
        given; ``stars``, ``gas``: speed due to the visible components over the true one, median; ``reason``: label of
        the first reason for a rejection, "" where the view is accepted. NaN where a number is not available.
    """
    units = {"inclination": u.deg, "fitted": u.deg, "fitted_err": u.deg}
    columns: dict[str, list] = {name: [] for name in ("subhalo_id", "view", *units)}
    columns |= {name: [] for name in ("error", "error_perfect", "stars", "gas", "reason")}
    for row in bar(rows, label="rotation curves", unit="view"):
        key = int(dataset.table["subhalo_id"][row]), int(dataset.table["view"][row])
        observed, perfect = (measure_view(dataset, observer, *key, knowledge=k) for k in ("observed", "perfect"))
        found = {"subhalo_id": key[0], "view": key[1], "inclination": dataset.table["inclination"][row].to_value(u.deg)}
        if observed.curve is not None:
            found |= {"fitted": observed.curve.mean_inclination, "fitted_err": observed.curve.inclination_err}
        for name, model in (("error", observed.model), ("error_perfect", perfect.model)):
            if model is not None:
                truth = truth_of(observer, key[0], model.radius)
                found[name] = np.median(model.v_obs / truth["total"]) - 1
                if name == "error":
                    found["stars"] = np.median(model.v_stars() / truth["stars"])
                    found["gas"] = np.median(model.v_gas / truth["gas"])
        found["reason"] = observed.reasons[0].reason.label if observed.reasons else ""
        for name, column in columns.items():
            column.append(found.get(name, np.nan))
    return QTable({name: np.array(column) for name, column in columns.items()}, units=units)
