"""Why the rotation-curve method rejects a galaxy or a ring: the limits, the reasons, and their wording."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from ..errors import GalaxyError

#: Inclinations between which a velocity field gives a rotation curve [deg]. Below, sin i is so small that a few degrees
#: change the speed by tens of per cent; above, lines of sight cross the whole disc (Di Teodoro & Fraternali 2015).
INCLINATION_RANGE = (30.0, 80.0)

#: Fewest beams across the disc.
MIN_BEAMS = 4.0

#: Largest median difference between the speeds of the two sides, relative to the speed; larger is lopsided.
MAX_ASYMMETRY = 0.1

#: Largest root mean square of the velocities about the rings' model, relative to the projected speed.
MAX_RESIDUAL = 0.15

#: Largest change of the position angle from the inner to the outer disc [deg].
MAX_WARP = 40.0

#: Fewest rings without a flag.
MIN_RINGS = 3

#: The limits in words, in the order in which they are checked.
LIMITS = {
    "inclination as fitted": f"{INCLINATION_RANGE[0]:g} to {INCLINATION_RANGE[1]:g} deg",
    "beams across the disc": f"at least {MIN_BEAMS:g}",
    "difference of the two sides, median": f"at most {MAX_ASYMMETRY:.0%} of the speed",
    "scatter of velocities about the rings": f"at most {MAX_RESIDUAL:.0%} of the projected speed",
    "change of the position angle": f"at most {MAX_WARP:g} deg",
    "rings without a flag": f"at least {MIN_RINGS}",
}


class Reason(StrEnum):
    """Why the rotation-curve method rejects a galaxy."""

    FACE_ON = "face_on"
    EDGE_ON = "edge_on"
    FEW_BEAMS = "few_beams"
    LOPSIDED = "lopsided"
    DISTURBED = "disturbed"
    WARPED = "warped"
    FEW_RINGS = "few_rings"
    NO_HI = "no_hi"
    NO_STARS = "no_stars"
    OTHER = "other"

    @property
    def label(self) -> str:
        """A few words for figures and lists."""
        return _WORDING[self][0]


#: Label, and sentence with the measured value.
_WORDING: dict[Reason, tuple[str, str]] = {
    Reason.FACE_ON: ("too face-on", f"inclination {{:.0f}} deg, below {INCLINATION_RANGE[0]:g}"),
    Reason.EDGE_ON: ("too edge-on", f"inclination {{:.0f}} deg, above {INCLINATION_RANGE[1]:g}"),
    Reason.FEW_BEAMS: ("too small for the beam", f"{{:.1f}} beams across, fewer than {MIN_BEAMS:g}"),
    Reason.LOPSIDED: ("lopsided", f"sides differ by {{:.0%}} of the speed, more than {MAX_ASYMMETRY:.0%}"),
    Reason.DISTURBED: (
        "no orderly rotation",
        f"velocities scatter by {{:.0%}} of the projected speed, more than {MAX_RESIDUAL:.0%}",
    ),
    Reason.WARPED: ("warped", f"position angle turns by {{:.0f}} deg, more than {MAX_WARP:g}"),
    Reason.FEW_RINGS: ("too few good rings", f"{{:.0f}} good rings, fewer than {MIN_RINGS}"),
    Reason.NO_HI: ("no HI detected", "no HI emission"),
    Reason.NO_STARS: ("stars cannot be weighed", "stars cannot be weighed"),
    Reason.OTHER: ("other", "not tried"),
}


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
        return self.detail or _WORDING[self.reason][1].format(self.value)


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


def values(rejections: tuple[Rejection, ...]) -> str:
    """The reasons' values, separated by blanks, each once; `from_values` reads them."""
    return " ".join(dict.fromkeys(one.reason for one in rejections))


def from_values(text: str) -> tuple[Reason, ...]:
    """Reasons written by `values`."""
    return tuple(Reason(word) for word in text.split())
