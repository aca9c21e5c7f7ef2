"""How rings are fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Geometry = Literal["fixed", "constant", "regularised"]


@dataclass(frozen=True)
class RingSettings:
    """How rings are fitted.

    Parameters
    ----------
    geometry : {"fixed", "constant", "regularised"}
        Whether inclination, position angle and centre are given, are fitted as one value for the disc, or may change
        with radius, held together by `stiffness`.
    step : float
        Distance of rings in beams; not less than a pixel.
    deblur : bool, optional
        Whether the model is blurred by the beam; without it where the velocities are moment 1. False gives the classic
        fit.
    nodes : int
        Radii at which a regularised geometry is given.
    stiffness : (float, float)
        Standard deviations of the change of inclination and of position angle from node to node [deg].
    centre_err : float
        Standard deviation of the given centre, in beams.
    noncircular : float
        Scatter of velocities that rings cannot follow [km/s]: streaming and turbulence.
    clumpy : float
        Scatter of the emission about axial symmetry, as a share of it.
    smooth : float
        Standard deviation of the curve's second difference as a share of its typical speed; keeps rings that the beam
        cannot tell apart from swinging against each other.
    """

    geometry: Geometry = "regularised"
    step: float = 0.5
    deblur: bool | None = None
    nodes: int = 4
    stiffness: tuple[float, float] = (3.0, 6.0)
    centre_err: float = 0.25
    noncircular: float = 8.0
    clumpy: float = 0.3
    smooth: float = 0.1
