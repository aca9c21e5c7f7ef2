"""From the HI cube of one galaxy to its rotation curve, its mass model and its haloes, with the reasons for a refusal.

The way is that of chapters 15 and 18, for any cube: NGC 2903, a galaxy of a simulation, or a reader's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import DmlibError, GalaxyError
from ..observe.sky_cube import Emission
from .barolo import fit_barolo, needs_barolo
from .curve import Reason, Rejection, RotationCurve, rejection
from .fit import Fit, fit
from .importance import Importance
from .massmodel import MassModel
from .own_stars import stars_from_images
from .realcube import RealGalaxy, mass_model, priors_for
from .rings import fit_rings, model_field
from .velocity_field import VelocityField

#: Halo models that are fitted.
HALOES = ("nfw", "burkert")

#: Standard deviation of the middle of the emission as a centre, and distance at which a given one is doubted [beams].
FREE_CENTRE, WRONG_CENTRE = 2.0, 1.0

#: Redshift beyond which angular and luminosity distance differ by more than the errors of either.
FAR = 0.015

#: Length over which bright emission may meet the edge of the map [beams], and share of the peak at the band's ends.
CUT_OFF, CUT_BAND = 1.0, 0.25


@dataclass(frozen=True)
class Analysis:
    """What was measured on one galaxy.

    Parameters
    ----------
    galaxy : RealGalaxy
    maps : VelocityField or None
        Of the galaxy alone; None where no emission was found.
    curve : RotationCurve or None
        None where no rings could be fitted.
    model : ndarray or None, shape (y, x)
        Velocities of the rings in the pixels of `maps` [km/s].
    mass : MassModel or None
    fits : dict of str to Fit
        Halo model -> posterior; empty where the curve was not accepted and no fit was asked for.
    without_stars : Fit or None
        Of the first halo model with no stars subtracted: what the dark mass cannot exceed where the curve reaches.
    reasons : tuple of Rejection
        Why the curve is not accepted; empty where it is.
    notes : tuple of str
        What was assumed, and what a reader should know.
    """

    galaxy: RealGalaxy
    maps: VelocityField | None = None
    curve: RotationCurve | None = None
    model: np.ndarray | None = None
    mass: MassModel | None = None
    fits: dict[str, Fit] = field(default_factory=dict)
    without_stars: Fit | None = None
    reasons: tuple[Rejection, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether there is a rotation curve that passes the quality cuts."""
        return self.curve is not None and not self.reasons

    @property
    def upper_limit(self) -> bool:
        """Whether the dark mass includes the stars, because nothing is known of them."""
        return self.mass is not None and not np.any(self.mass.v_stars() != 0)

    @property
    def place(self) -> tuple[float, float]:
        """Right ascension and declination of the centre of the rings, else of the emission [deg], ICRS."""
        sky, kpc = self.galaxy.sky, self.galaxy.kpc
        west, north = (
            (self.curve.centre[0] / kpc, self.curve.centre[1] / kpc) if self.curve else self.galaxy.emission.centroid
        )
        return sky.place(west, north)

    @property
    def m_hi(self) -> float:
        """HI mass in the maps [Msun]."""
        if self.maps is None:
            return 0.0
        return float(np.nansum(self.maps.surface_density) * self.maps.pixel**2 * 1e6)


def analyse(
    galaxy: RealGalaxy,
    *,
    inclination: float | None = None,
    position_angle: float | None = None,
    images: Mapping[str, Path] | None = None,
    haloes: tuple[str, ...] = HALOES,
    engine: Literal["rings", "barolo"] = "rings",
    force: bool = False,
    seed: int = 1,
) -> Analysis:
    """Moment maps, tilted rings, mass model and haloes of one galaxy.

    Parameters
    ----------
    galaxy : RealGalaxy
    inclination, position_angle : float, optional
        Kept fixed where given [deg].
    images : mapping, optional
        Band -> image on which the stars are weighed, see `dmlib.rotation.own_stars`.
    haloes : tuple of str
        Keys of `dmlib.rotation.halos.HALOS`.
    engine : {"rings", "barolo"}
        Our rings, or those that 3D-Barolo fits from them, which must be installed; it takes no fixed angles.
    force : bool
        Fit haloes although the curve is not accepted.
    seed : int
        Of the sampler.

    Returns
    -------
    Analysis
        A galaxy that cannot be measured has the reasons in `reasons`; it does not raise an error.

    Raises
    ------
    DmlibError
        When 3D-Barolo is asked for and not installed, or asked to keep an angle.
    """
    if engine == "barolo":
        needs_barolo()
        if inclination is not None or position_angle is not None:
            raise DmlibError("3D-Barolo fits its own inclination and position angle: leave them out, or take our rings")
    notes = galaxy.sky.notes + ((galaxy.note,) if galaxy.note else ())
    found = Analysis(galaxy, notes=notes)
    try:
        emission = galaxy.emission
    except GalaxyError as error:
        return replace(found, reasons=(Rejection(Reason.NO_HI, detail=str(error)),))
    try:
        maps = galaxy.field().about(galaxy.centre_kpc)
        found = replace(found, maps=maps, notes=notes + emission.notes)
        curve, said = _rings(galaxy, maps, inclination=inclination, position_angle=position_angle)
        if engine == "barolo":
            how: dict[str, Any] = {"distance": galaxy.distance, "mask": emission.mask}
            curve = fit_barolo(galaxy.sky, curve, stretch=galaxy.sky.stretch(curve.v_sys), **how)
            said += ("rings of 3D-Barolo, from our centre and radii; its errors take the two sides from our rings",)
    except GalaxyError as error:
        return replace(found, reasons=(rejection(error),))
    # What is wrong with the data comes first: it may be the cause of what is wrong with the rings.
    reasons = _cut_off(emission) + curve.reasons
    if (z := galaxy.sky.redshift(curve.v_sys)) > FAR:
        said += (
            f"the distance is used for sizes and masses alike; at z = {z:.3f} they differ by {(1 + z) ** 2 - 1:.0%}",
        )
    found = replace(found, curve=curve, model=model_field(curve, maps), reasons=reasons, notes=found.notes + said)
    if found.reasons and not force:
        return found
    try:
        if images:
            galaxy = replace(galaxy, stars=stars_from_images(images, found.place, curve, galaxy.distance))
        mass = mass_model(galaxy, curve)
    except GalaxyError as error:
        return replace(found, notes=(*found.notes, f"no stars: {error}"))
    if mass is None:
        return replace(found, notes=(*found.notes, "too few good rings for a mass model"))
    how = {"sampling": Importance(), "seed": seed}
    found = replace(found, mass=mass, fits={halo: fit(mass, halo, priors_for(mass), **how) for halo in haloes})
    if found.upper_limit or not haloes:
        return found
    none = np.zeros_like(mass.v_disk)
    bare = replace(mass, v_disk=none, v_bulge=none)
    return replace(found, without_stars=fit(bare, haloes[0], priors_for(bare), **how))


def _rings(galaxy: RealGalaxy, maps: VelocityField, **given: Any) -> tuple[RotationCurve, tuple[str, ...]]:
    """The rings about the centre that is given, if the velocities agree with it; else about their own."""
    free = fit_rings(maps, centre=_middle(maps), centre_error=FREE_CENTRE, **given)
    if galaxy.centre is None:
        return free, ("no centre was given: that of the velocity field is taken",)
    fixed = fit_rings(maps, centre=galaxy.centre_kpc, **given)
    off = float(np.hypot(*np.subtract(free.centre, galaxy.centre_kpc))) / maps.beam.fwhm
    if off > WRONG_CENTRE and free.residual < 0.9 * fixed.residual:
        return free, (f"the given centre is {off:.1f} beams from that of the velocity field, which is taken",)
    return fixed, ()


def _middle(maps: VelocityField) -> tuple[float, float]:
    """Middle of the emission: the mean place of its pixels [kpc], which bright arms and lopsided gas hardly move."""
    x, y = maps.mesh()
    return float(x[maps.seen].mean()), float(y[maps.seen].mean())


def _cut_off(emission: Emission) -> tuple[Rejection, ...]:
    """Whether foreground hides a part of the galaxy, and whether the map or the band ends within it."""
    out = []
    if emission.hidden:
        out.append(Rejection(Reason.FOREGROUND, float(emission.hidden)))
    if emission.gaps:
        out.append(Rejection(Reason.GAPS, float(emission.gaps)))
    if emission.cut_off > CUT_OFF:
        out.append(Rejection(Reason.MAP_EDGE, emission.cut_off))
    if emission.band > CUT_BAND:
        words = f"emission reaches the end of the band, where it has {emission.band:.0%} of its peak"
        out.append(Rejection(Reason.MAP_EDGE, emission.band, words))
    return tuple(out)
