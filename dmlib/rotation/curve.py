"""What a tilted-ring fit finds: the rotation curve, its errors, the geometry, and why it may not be believed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

#: Inclinations between which a velocity field gives a rotation curve [deg]. Below, sin i is so small that a few degrees
#: move the speed by tens of per cent; above, lines of sight run through the whole disc (Di Teodoro & Fraternali 2015).
INCLINATION_RANGE = (30.0, 80.0)

#: Fewest beams across the disc that the rings need.
MIN_BEAMS = 4.0

#: Median difference of the two sides over the speed above which a galaxy counts as lopsided.
MAX_ASYMMETRY = 0.1

#: Root mean square of the velocities about the rings' model over the projected speed above which it is disturbed.
MAX_RESIDUAL = 0.15

#: Turn of the position angle from the inner to the outer disc above which rings are no description [deg].
MAX_WARP = 40.0

#: The limits in words, in the order in which they are looked at.
LIMITS = {
    "inclination as fitted": f"{INCLINATION_RANGE[0]:g} to {INCLINATION_RANGE[1]:g} deg",
    "beams across the disc": f"at least {MIN_BEAMS:g}",
    "difference of the two sides, median": f"at most {MAX_ASYMMETRY:.0%} of the speed",
    "scatter of velocities about the rings": f"at most {MAX_RESIDUAL:.0%} of the projected speed",
    "turn of the position angle": f"at most {MAX_WARP:g} deg",
    "rings with nothing against them": "at least 3",
}


@dataclass(frozen=True)
class RotationCurve:
    """A rotation curve and what the rings were like; arrays of shape (n,), one value a ring.

    Parameters
    ----------
    galaxy : str
    radius : ndarray
        [kpc]
    v_rot : ndarray
        Speed of rotation, corrected for inclination and, where the fit does so, for the beam [km/s].
    v_err : ndarray
        Standard deviation of `v_rot`: the fit's residuals and a quarter of the difference of the two sides, added in
        squares (Swaters et al. 2009). The inclination's error is not in it: it moves all rings together.
    v_approaching, v_receding : ndarray
        The same speed from one half of the disc alone; NaN where that half is blank.
    dispersion : ndarray
        Velocity dispersion of the gas, corrected for channels and beam smearing [km/s].
    v_circ : ndarray
        Circular speed, `v_rot` corrected for asymmetric drift [km/s].
    surface_density : ndarray
        HI, face-on, corrected for the beam [Msun/pc^2].
    inclination, position_angle : ndarray
        Of each ring [deg]; the position angle is that of the receding side, from North through East.
    inclination_err : float
        Standard deviation of the disc's inclination [deg].
    centre : (float, float)
        West and North of the centre of the map [kpc].
    v_sys : float
        Relative to the zero of the velocities [km/s].
    beam : float
        Geometric mean of the beam's axes, full width at half maximum [kpc].
    coverage : ndarray
        Share of the ring where there is emission.
    flags : tuple of str
        What speaks against single rings, "" where nothing does.
    reasons : tuple of str
        Why the method does not hold for this galaxy; empty where it does.
    residual : float
        Robust standard deviation of the velocities about the rings [km/s].
    asymmetry : float
        Median difference of the two sides over the speed.
    velocity : str
        Which velocities were fitted, see `dmlib.rotation.velocities`.
    engine : str
    """

    galaxy: str
    radius: np.ndarray
    v_rot: np.ndarray
    v_err: np.ndarray
    v_approaching: np.ndarray
    v_receding: np.ndarray
    dispersion: np.ndarray
    v_circ: np.ndarray
    surface_density: np.ndarray
    inclination: np.ndarray
    position_angle: np.ndarray
    inclination_err: float
    centre: tuple[float, float]
    v_sys: float
    beam: float
    coverage: np.ndarray
    flags: tuple[str, ...]
    reasons: tuple[str, ...] = field(default=())
    residual: float = float("nan")
    asymmetry: float = float("nan")
    velocity: str = "moment1"
    engine: str = "rings"

    def __len__(self) -> int:
        return len(self.radius)

    @property
    def accepted(self) -> bool:
        """Whether the method holds for this galaxy."""
        return not self.reasons

    @property
    def good(self) -> np.ndarray:
        """Rings that nothing speaks against, bool of shape (n,)."""
        return np.array([not flag for flag in self.flags], dtype=bool)

    @property
    def beams_across(self) -> float:
        """Diameter of the measured disc in beams, the beam's own width taken off in squares."""
        if not self.beam > 0:
            return float("inf")
        return float(np.sqrt(max(0.0, (2.0 * self.radius[-1] / self.beam) ** 2 - 1.0)))

    @property
    def mean_inclination(self) -> float:
        """Median over the rings [deg]."""
        return float(np.median(self.inclination))


def ring_flags(
    radius: np.ndarray,
    v_rot: np.ndarray,
    v_err: np.ndarray,
    v_approaching: np.ndarray,
    v_receding: np.ndarray,
    coverage: np.ndarray,
    surface_density: np.ndarray,
    beam: float,
) -> tuple[str, ...]:
    """What speaks against each ring; arguments as in `RotationCurve`.

    A ring with less than 0.3 of the emission of the one inside it lies beyond the disc's edge: the beam alone fills it.

    Returns
    -------
    tuple of str
        ``"within the beam"``, ``"little emission"``, ``"edge"``, ``"sides differ"``, ``"uncertain"``, or "".
    """
    flags = []
    for k in range(len(radius)):
        apart = abs(v_approaching[k] - v_receding[k])
        if radius[k] < 0.75 * beam:
            flags.append("within the beam")
        elif coverage[k] < 0.5:
            flags.append("little emission")
        elif k > 0 and surface_density[k] <= 0.3 * surface_density[k - 1]:
            flags.append("edge")
        elif not (v_rot[k] > 0 and np.isfinite(v_err[k])) or v_err[k] > 0.15 * v_rot[k]:
            flags.append("uncertain")
        elif not apart <= 0.4 * v_rot[k]:
            flags.append("sides differ")
        else:
            flags.append("")
    return tuple(flags)


def galaxy_reasons(curve: RotationCurve) -> tuple[str, ...]:
    """Why the method does not hold for a galaxy, one short phrase a reason; empty where it does."""
    reasons = []
    low, high = INCLINATION_RANGE
    inclination = curve.mean_inclination
    if inclination < low:
        reasons.append(f"inclination {inclination:.0f} deg, below {low:g}")
    if inclination > high:
        reasons.append(f"inclination {inclination:.0f} deg, above {high:g}")
    if curve.beams_across < MIN_BEAMS:
        reasons.append(f"{curve.beams_across:.1f} beams across, fewer than {MIN_BEAMS:g}")
    speed = float(np.median(curve.v_rot))
    projected = speed * np.sin(np.radians(inclination))
    if curve.asymmetry > MAX_ASYMMETRY:
        reasons.append(f"sides differ by {curve.asymmetry:.0%} of the speed, more than {MAX_ASYMMETRY:.0%}")
    if not curve.residual < MAX_RESIDUAL * projected:
        share = curve.residual / projected if projected > 0 else float("inf")
        reasons.append(f"velocities scatter by {share:.0%} of the projected speed, more than {MAX_RESIDUAL:.0%}")
    turn = float(np.ptp(np.unwrap(np.radians(curve.position_angle)))) if len(curve) else 0.0
    if np.degrees(turn) > MAX_WARP:
        reasons.append(f"position angle turns by {np.degrees(turn):.0f} deg, more than {MAX_WARP:g}")
    if np.count_nonzero(curve.good) < 3:
        reasons.append(f"{np.count_nonzero(curve.good)} good rings, fewer than 3")
    return tuple(reasons)
