"""What the chapter on rotation curves looks at: one galaxy step by step, and the method over a sample."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from astropy import units as u
from astropy.table import QTable

from ..dataset.read import DataSet
from ..dataset.views import Observer
from ..errors import GalaxyError
from ..galaxy import Galaxy, load_galaxy
from ..progress import bar
from ..settings import Settings
from ..units import G
from .baryons import particle_speeds
from .curve import RotationCurve
from .massmodel import signed_root, signed_square
from .pipeline import hi_axis, mass_model, observer_of
from .rings import RingSettings, fit_rings
from .velocities import velocity_field


def choose_view(dataset: DataSet, subhalo_id: int = -1, inclinations: tuple[float, float] = (50.0, 65.0)) -> int:
    """Row of the view that is looked at: of the training galaxies in a range of inclinations, one rich in HI.

    Richer than three quarters of them: the richest of all would reach over the edge of the field.

    Parameters
    ----------
    dataset : DataSet
    subhalo_id : int
        A galaxy of one's own; -1 takes any.
    inclinations : (float, float)
        [deg]; the view nearest to the range where none lies in it.

    Raises
    ------
    GalaxyError
        When the data set has no such galaxy.
    """
    table, rows = dataset.table, dataset.rows("train")
    if subhalo_id >= 0:
        rows = np.flatnonzero(np.asarray(table["subhalo_id"]) == subhalo_id)
        if len(rows) == 0:
            raise GalaxyError(f"{dataset.path} has no subhalo {subhalo_id}: choose one of its galaxies")
    angle = table["inclination"][rows].to_value(u.deg)
    low, high = inclinations
    outside = np.maximum(0.0, np.maximum(low - angle, angle - high))
    best = rows[outside <= outside.min()]
    mass = table["m_hi"][best].to_value(u.Msun)
    return int(best[np.argsort(mass)[int(0.75 * (len(mass) - 1))]])


def true_speeds(galaxy: Galaxy, axis: np.ndarray, radii: np.ndarray) -> dict[str, np.ndarray]:
    """Circular speeds that the particles give in the plane of the disc [km/s], each shape (n,).

    Parameters
    ----------
    galaxy : Galaxy
        With all components.
    axis : ndarray, shape (3,)
        Normal of the disc.
    radii : ndarray, shape (n,)
        Rising [kpc].

    Returns
    -------
    dict
        ``stars`` and ``gas`` by direct sum, ``dm`` as of a sphere with the enclosed mass, and ``total``.
    """
    stars, gas, wind = (particle_speeds(part, axis, radii) for part in (galaxy.stars, galaxy.gas, galaxy.wind))
    gas = signed_root(signed_square(gas) + signed_square(wind))
    dm = np.sqrt(G * galaxy.dm.enclosed_mass(radii) / radii)
    total = signed_root(signed_square(stars) + signed_square(gas) + dm**2)
    return {"stars": stars, "gas": gas, "dm": dm, "total": total}


def truth_of(observer: Observer, subhalo_id: int, radii: np.ndarray) -> dict[str, np.ndarray]:
    """`true_speeds` of a galaxy of the data set in the plane of its HI disc."""
    galaxy = load_galaxy(observer.universe, subhalo_id)
    return true_speeds(galaxy, hi_axis(observer, subhalo_id), radii)


def through_beams(observer: Observer, subhalo_id: int, view: int, beams: Sequence[float], **given: float):
    """Rings of one view observed with several beams, without and with the beam in the model.

    Parameters
    ----------
    observer : Observer
    subhalo_id, view : int
    beams : sequence of float
        [arcsec]
    **given
        What of the geometry is told to the fit, see `dmlib.rotation.rings.fit_rings`: then speeds alone differ.

    Returns
    -------
    dict
        ``curves[beam] = (without, with)``, each a RotationCurve.
    """
    curves: dict[float, tuple[RotationCurve, RotationCurve]] = {}
    for beam in beams:
        hi = observer.recipe.hi.model_copy(update={"beam": float(beam)})
        telescope = replace(observer, recipe=observer.recipe.model_copy(update={"hi": hi}))
        field = velocity_field(telescope.cube(subhalo_id, view))
        fits = (fit_rings(field, RingSettings(geometry="fixed", deblur=on), **given) for on in (False, True))
        curves[beam] = tuple(fits)
    return curves


#: Short names of the reasons, by a phrase of each.
REASONS = {
    "below": "too face-on",
    "above": "too edge-on",
    "beams across": "too few beams",
    "sides differ": "lopsided",
    "velocities scatter": "disturbed",
    "position angle": "strong warp",
    "good rings": "too few good rings",
    "as large as two beams": "no HI seen",
}


def short_reason(reasons: Iterable[str]) -> str:
    """The first reason in a few words; "" where there is none."""
    for reason in reasons:
        return next((short for phrase, short in REASONS.items() if phrase in reason), "other")
    return ""


def survey(settings: Settings, rows: Sequence[int]) -> QTable:
    """The method over a sample, beside the truth.

    Parameters
    ----------
    settings : Settings
    rows : sequence of int
        Of the data set.

    Returns
    -------
    QTable
        ``subhalo_id``, ``view``; ``inclination`` (true) and ``fitted``, ``fitted_err`` [deg]; ``reason`` ("" where
        the method stands by the galaxy); ``error``, ``error_perfect``: median over the good rings of circular speed
        over truth less 1, with the geometry fitted and given; ``stars``, ``gas``: the visible parts' speed over the
        true one, median. NaN where there is no such number.
    """
    dataset, observer = observer_of(settings)
    table = dataset.table
    names = ("subhalo_id", "view", "inclination", "fitted", "fitted_err", "error", "error_perfect", "stars", "gas")
    out, reasons = [], []
    for row in bar(rows, label="rotation curves", unit="view"):
        key = int(table["subhalo_id"][row]), int(table["view"][row])
        observed, perfect = (mass_model(settings, *key, knowledge=k) for k in ("observed", "perfect"))
        values = dict.fromkeys(names, np.nan)
        values |= {"subhalo_id": key[0], "view": key[1], "inclination": table["inclination"][row].to_value(u.deg)}
        if observed.curve is not None:
            values |= {"fitted": observed.curve.mean_inclination, "fitted_err": observed.curve.inclination_err}
        for name, measured in (("error", observed), ("error_perfect", perfect)):
            if measured.model is not None:
                truth = truth_of(observer, key[0], measured.model.radius)
                values[name] = np.median(measured.model.v_obs / truth["total"]) - 1
                if measured is observed:
                    values["stars"] = np.median(measured.model.v_stars() / truth["stars"])
                    values["gas"] = np.median(measured.model.v_gas / truth["gas"])
        out.append([values[name] for name in names])
        reasons.append(short_reason(observed.reasons))
    columns = np.array(out, dtype=float).reshape(-1, len(names)).T
    result = QTable(dict(zip(names, columns, strict=True)))
    for name in ("subhalo_id", "view"):
        result[name] = result[name].astype(int)
    for name in ("inclination", "fitted", "fitted_err"):
        result[name] = result[name] * u.deg
    result["reason"] = np.array(reasons, dtype=str)
    return result
