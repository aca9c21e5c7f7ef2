"""The rotation curve that rings give, and why a curve or a ring is rejected."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from ..errors import GalaxyError

#: Inclinations between which a velocity field gives a rotation curve [deg]. Below, sin i is so small that a few degrees
#: change the speed by tens of per cent; above, lines of sight cross the whole disc (Di Teodoro & Fraternali 2015).
INCLINATION_RANGE = (30.0, 80.0)

#: A disc whose inclination may be this large, two standard deviations above the fitted one, may be edge-on [deg].
NEARLY_EDGE_ON = 85.0

#: Fewest beams across the disc.
MIN_BEAMS = 4.0

#: Fewest beams along the minor axis. An edge-on disc seen through a beam has the shape of a less inclined one: fits of
#: discs at 84 to 90 deg end between 65 and 83 deg, where the minor axis spans 1.5 to 2.2 beams.
MIN_MINOR_BEAMS = 2.5

#: Largest median difference between the speeds of the two sides, relative to the speed; larger is lopsided.
MAX_ASYMMETRY = 0.1

#: Largest root mean square of the velocities about the rings' model, relative to the projected speed.
MAX_RESIDUAL = 0.15

#: Largest change of the position angle from the inner to the outer disc [deg].
MAX_WARP = 40.0

#: Largest distance of the kinematic centre from that of the galaxy's light [beams]; rings further from it belong to
#: another galaxy. Of 810 training views with rings (two of each training galaxy, profile ``quick``), half of the 485
#: that pass the other cuts lie within 0.1, 99 per cent within 0.51, and the furthest at 1.5.
MAX_OFF_CENTRE = 2.0

#: Largest fraction of a ring, and of a disc, over which gas of another galaxy lies.
MAX_REPLACED = 0.2

#: Fewest rings without a flag.
MIN_RINGS = 3

#: The limits in words, in the order in which they are checked.
LIMITS = {
    "inclination as fitted": f"{INCLINATION_RANGE[0]:g} to {INCLINATION_RANGE[1]:g} deg",
    "beams across the disc": f"at least {MIN_BEAMS:g}, and {MIN_MINOR_BEAMS:g} along its minor axis",
    "difference of the two sides, median": f"at most {MAX_ASYMMETRY:.0%} of the speed",
    "scatter of velocities about the rings": f"at most {MAX_RESIDUAL:.0%} of the projected speed",
    "change of the position angle": f"at most {MAX_WARP:g} deg",
    "kinematic centre from that of the light": f"at most {MAX_OFF_CENTRE:g} beams, where the latter is known",
    "rings without a flag": f"at least {MIN_RINGS}",
}


class Reason(StrEnum):
    """Why the rotation-curve method rejects a galaxy.

    Parameters
    ----------
    value : str
        In files.
    label : str
        A few words for figures and lists.
    sentence : str
        Words in which the measured value is filled.
    """

    label: str
    sentence: str

    def __new__(cls, value: str, label: str, sentence: str) -> Reason:
        """A reason with its words."""
        reason = str.__new__(cls, value)
        reason._value_, reason.label, reason.sentence = value, label, sentence
        return reason

    FACE_ON = "face_on", "too face-on", f"inclination {{:.0f}} deg, below {INCLINATION_RANGE[0]:g}"
    EDGE_ON = "edge_on", "too edge-on", f"inclination {{:.0f}} deg, above {INCLINATION_RANGE[1]:g}"
    FEW_BEAMS = "few_beams", "too small for the beam", f"{{:.1f}} beams across, fewer than {MIN_BEAMS:g}"
    MAP_EDGE = (
        "map_edge",
        "reaches the map's edge",
        "emission reaches the map's edge: it is cut off over {:.1f} beams",
    )
    FOREGROUND = (
        "foreground",
        "behind the Milky Way's gas",
        "the Milky Way's emission covers the galaxy's velocities in {:.0f} channels",
    )
    GAPS = "gaps", "gaps in the line", "{:.0f} channels within the galaxy's line are blank"
    LOPSIDED = "lopsided", "lopsided", f"sides differ by {{:.0%}} of the speed, more than {MAX_ASYMMETRY:.0%}"
    DISTURBED = (
        "disturbed",
        "no orderly rotation",
        f"velocities scatter by {{:.0%}} of the projected speed, more than {MAX_RESIDUAL:.0%}",
    )
    COMPANION = (
        "companion",
        "merged with another galaxy",
        f"gas of another galaxy lies over {{:.0%}} of the disc, more than {MAX_REPLACED:.0%}",
    )
    OFF_CENTRE = (
        "off_centre",
        "not centred on the galaxy",
        f"the rings' centre is {{:.1f}} beams from that of the light, more than {MAX_OFF_CENTRE:g}",
    )
    WARPED = "warped", "warped", f"position angle turns by {{:.0f}} deg, more than {MAX_WARP:g}"
    FEW_RINGS = "few_rings", "too few good rings", f"{{:.0f}} good rings, fewer than {MIN_RINGS}"
    NO_HI = "no_hi", "no HI detected", "no HI emission"
    NO_STARS = "no_stars", "stars cannot be weighed", "stars cannot be weighed"
    OTHER = "other", "other", "not tried"


@dataclass(frozen=True)
class Rejection:
    """One reason for one galaxy, with the value that exceeds the limit; ``str`` gives the sentence.

    Parameters
    ----------
    reason : Reason
    value : float
        In the unit of the limit.
    detail : str
        The sentence, where it is not the reason's own.
    """

    reason: Reason
    value: float = math.nan
    detail: str = ""

    def __str__(self) -> str:
        return self.detail or self.reason.sentence.format(self.value)


class RejectedGalaxyError(GalaxyError):
    """A galaxy without a rotation curve or a mass model, with the reason as a value."""

    def __init__(self, message: str, reason: Reason = Reason.OTHER):
        super().__init__(message)
        self.reason = reason


def rejection(error: GalaxyError) -> Rejection:
    """The rejection that an error stands for."""
    return Rejection(getattr(error, "reason", Reason.OTHER), detail=str(error))


def sentences(rejections: tuple[Rejection, ...]) -> str:
    """All rejections in words, separated by semicolons; "" where there is none."""
    return "; ".join(map(str, rejections))


@dataclass(frozen=True)
class RotationCurve:
    """A rotation curve and its rings; arrays of shape (n,), one value per ring.

    Parameters
    ----------
    galaxy : str
    radius : ndarray
        [kpc]
    v_rot : ndarray
        Speed of rotation, corrected for inclination and, where the fit does so, for the beam [km/s].
    v_err : ndarray
        Standard deviation of `v_rot`: the fit's residuals and a quarter of the difference between the two sides, added
        in quadrature (Swaters et al. 2009). It does not include the error of the inclination, which shifts all rings
        together.
    v_approaching, v_receding : ndarray
        Speed from one half of the disc alone; NaN where that half is blank.
    dispersion : ndarray
        Velocity dispersion of the gas, corrected for channels and beam smearing [km/s].
    surface_density : ndarray
        HI, face-on, corrected for the beam [Msun/pc^2].
    inclination, position_angle : ndarray
        Of each ring [deg]; the position angle is that of the receding side, from North through East.
    inclination_err : float
        Standard deviation of the disc's inclination [deg].
    centre : (float, float)
        Kinematic centre, West and North of the centre of the map [kpc].
    v_sys : float
        Relative to the zero of the velocities [km/s].
    beam : float
        Geometric mean of the beam's axes, full width at half maximum [kpc].
    coverage : ndarray
        Fraction of the ring with emission.
    residual : float
        Robust standard deviation of the velocities about the rings [km/s].
    asymmetry : float
        Median difference between the speeds of the two sides, relative to the speed.
    replaced : ndarray or None
        Fraction of the ring where gas of another galaxy was replaced by that of the other side; None where none was.
    optical_centre : (float, float) or None
        Centre of the galaxy's light, West and North of the centre of the map [kpc]; None where it is not known.
    """

    galaxy: str
    radius: np.ndarray
    v_rot: np.ndarray
    v_err: np.ndarray
    v_approaching: np.ndarray
    v_receding: np.ndarray
    dispersion: np.ndarray
    surface_density: np.ndarray
    inclination: np.ndarray
    position_angle: np.ndarray
    inclination_err: float
    centre: tuple[float, float]
    v_sys: float
    beam: float
    coverage: np.ndarray
    residual: float = float("nan")
    asymmetry: float = float("nan")
    replaced: np.ndarray | None = None
    optical_centre: tuple[float, float] | None = None

    def __len__(self) -> int:
        return len(self.radius)

    @property
    def accepted(self) -> bool:
        """Whether the result passes the quality cuts."""
        return not self.reasons

    @property
    def good(self) -> np.ndarray:
        """Rings without a flag, bool of shape (n,)."""
        return np.array([not flag for flag in self.flags], dtype=bool)

    @property
    def beams_across(self) -> float:
        """Diameter of the measured disc in beams, without the rings that only the beam fills."""
        if not self.beam > 0:
            return float("inf")
        inside = np.flatnonzero(~self._beyond)
        return float(2.0 * self.radius[inside[-1]] / self.beam) if len(inside) else 0.0

    @property
    def _beyond(self) -> np.ndarray:
        """Rings beyond the edge of the disc, bool of shape (n,)."""
        beyond, last = np.zeros(len(self), dtype=bool), -np.inf  # the first ring has none inside it
        for k, density in enumerate(self.surface_density):
            beyond[k] = density <= 0.3 * last
            last = last if beyond[k] else density
        return beyond

    @property
    def mean_inclination(self) -> float:
        """Median over the rings [deg]."""
        return float(np.median(self.inclination))

    @property
    def minor_beams(self) -> float:
        """Minor axis of the measured disc in beams."""
        if not self.beam > 0:
            return float("inf")
        return float(self.beams_across * np.cos(np.radians(self.mean_inclination)))

    @property
    def off_centre(self) -> float:
        """Distance of the kinematic centre from that of the light in beams; NaN where the latter is not known."""
        if self.optical_centre is None or not self.beam > 0:
            return float("nan")
        return math.dist(self.centre, self.optical_centre) / self.beam

    @cached_property
    def v_circ(self) -> np.ndarray:
        """Circular speed, `v_rot` corrected for asymmetric drift [km/s], shape (n,)."""
        return circular_speed(self.radius, self.v_rot, self.dispersion, self.surface_density)

    @cached_property
    def flags(self) -> tuple[str, ...]:
        """Why each ring should not be used, "" for good rings.

        One of "within the beam", "little emission", "companion", "edge", "uncertain" and "sides differ". A ring with
        less than 0.3 of the emission of the last one inside lies beyond the edge of the disc, filled by the beam alone.
        The disc ends within the ring before it where the emission falls there faster than in the rings inside.
        """
        v, density, beyond = self.v_rot, self.surface_density, self._beyond
        fall = density[1:] / np.maximum(density[:-1], 1e-12)
        usual = np.array([np.median(fall[max(0, k - 3) : k]) if k else np.inf for k in range(len(fall))])
        ends = np.append(False, fall < 0.75 * usual) & np.append(beyond[1:], True) & (np.arange(len(self)) > 3)
        checks = {
            "within the beam": self.radius < 0.75 * self.beam,
            "little emission": self.coverage < 0.5,
            "companion": np.zeros(len(self), dtype=bool) if self.replaced is None else self.replaced > MAX_REPLACED,
            "edge": beyond | ends,
            "uncertain": ~((v > 0) & np.isfinite(self.v_err)) | (self.v_err > 0.15 * v),
            "sides differ": ~(np.abs(self.v_approaching - self.v_receding) <= 0.4 * v),
        }
        return tuple(str(flag) for flag in np.select(list(checks.values()), list(checks), default=""))

    @cached_property
    def reasons(self) -> tuple[Rejection, ...]:
        """Why the method rejects this galaxy, every reason that applies; empty where it is accepted."""
        low, high = INCLINATION_RANGE
        inclination = self.mean_inclination
        projected = float(np.median(self.v_rot)) * np.sin(np.radians(inclination))
        scatter = self.residual / projected if projected > 0 else float("inf")
        turn = np.degrees(np.ptp(np.unwrap(np.radians(self.position_angle))))
        good = np.count_nonzero(self.good)
        checks = (
            (Reason.FACE_ON, inclination < low, inclination),
            (Reason.EDGE_ON, inclination > high, inclination),
            (Reason.FEW_BEAMS, self.beams_across < MIN_BEAMS, self.beams_across),
            (Reason.LOPSIDED, self.asymmetry > MAX_ASYMMETRY, self.asymmetry),
            (Reason.DISTURBED, not self.residual < MAX_RESIDUAL * projected, scatter),
            (Reason.WARPED, turn > MAX_WARP, turn),
            (Reason.OFF_CENTRE, self.off_centre > MAX_OFF_CENTRE, self.off_centre),
            (Reason.FEW_RINGS, good < MIN_RINGS, good),
        )
        found = [Rejection(reason, float(value)) for reason, fails, value in checks if fails]
        return (*self._ambiguous(), *found)

    def _ambiguous(self) -> list[Rejection]:
        """Whether the disc may be edge-on although it was fitted with less; not where the inclination was given."""
        inclination = self.mean_inclination
        upper = inclination + 2.0 * self.inclination_err
        if not self.inclination_err > 0 or inclination > INCLINATION_RANGE[1]:
            return []
        if upper >= NEARLY_EDGE_ON:
            words = f"inclination {inclination:.0f} deg, but {min(upper, 90):.0f} lies within two standard deviations"
            return [Rejection(Reason.EDGE_ON, upper, f"it may be edge-on: {words}")]
        # A disc that is too small is rejected for its size alone.
        if inclination > 55.0 and self.minor_beams < MIN_MINOR_BEAMS and self.beams_across >= MIN_BEAMS:
            words = f"its minor axis spans {self.minor_beams:.1f} beams, fewer than {MIN_MINOR_BEAMS:g}"
            return [Rejection(Reason.EDGE_ON, self.minor_beams, f"it may be edge-on: {words}")]
        return []


def circular_speed(
    radius: np.ndarray, v_rot: np.ndarray, dispersion: np.ndarray, surface_density: np.ndarray
) -> np.ndarray:
    """Circular speed of a disc that rotates with `v_rot`, corrected for asymmetric drift.

    Gas that is partly supported by its random motion rotates more slowly than a circular orbit. Where its pressure
    rises outwards, as at the edge of a central hole, the pressure pushes inwards, and the gas rotates faster.

    ``V_c^2 = V_rot^2 - s^2 dln(S s^2)/dlnR``: the pressure's gradient for a layer whose thickness does not change
    with radius and whose dispersion s is the same in all directions (Binney & Tremaine 2008, section 4.8.2; Iorio et
    al. 2017, equation 6). The gradient is that of a parabola in R fitted to ``ln(S s^2)``, because differences between
    neighbouring rings are too noisy.

    Parameters
    ----------
    radius : ndarray, shape (n,)
        [kpc]
    v_rot, dispersion : ndarray, shape (n,)
        [km/s]; a dispersion of NaN is replaced by the median of the others.
    surface_density : ndarray, shape (n,)
        Face-on, any unit.

    Returns
    -------
    ndarray, shape (n,)
        [km/s]; `v_rot` itself where fewer than four rings have emission.
    """
    usable = np.isfinite(dispersion) & (dispersion > 0) & (surface_density > 0)
    if np.count_nonzero(usable) < 4:
        return np.array(v_rot, dtype=float)
    sigma = np.where(usable, dispersion, np.median(dispersion[usable]))
    pressure = np.log(surface_density[usable] * sigma[usable] ** 2)
    curve = np.polynomial.Polynomial.fit(radius[usable], pressure, 2)
    slope = radius * curve.deriv()(radius)
    return np.sign(v_rot) * np.sqrt(np.maximum(v_rot**2 - sigma**2 * slope, 0.0))
