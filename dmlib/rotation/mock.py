"""Rotation curves drawn from the model itself: what a fit must give back, if it is right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..settings import RADII_KPC
from . import likelihood
from .massmodel import MassModel
from .priors import Priors


def template(points: int = 14, reach: float = 18.0, v_err: float = 5.0) -> MassModel:
    """A plain disc galaxy to hang haloes on: no speeds yet, a stellar and a gas disc of 2.5 and 6 kpc.

    Parameters
    ----------
    points : int
    reach : float
        Last radius [kpc].
    v_err : float
        Error of each speed [km/s].
    """
    radius = np.linspace(reach / points, reach, points)

    def disc(peak: float, length: float) -> np.ndarray:
        """Speed that rises, peaks at 2.2 lengths and falls like that of an exponential disc."""
        x = radius / length
        return peak * 1.6 * np.sqrt(x**2 / (1 + 0.45 * x**2) ** 1.5)

    return MassModel(
        galaxy="mock",
        source=None,
        r_disk=2.5,
        radius=radius,
        v_obs=np.zeros(points),
        v_err=np.full(points, v_err),
        v_gas=disc(30.0, 6.0),
        v_disk=disc(110.0, 2.5),
        v_bulge=np.zeros(points),
    )


def draw(model: MassModel, halo: str, priors: Priors, rng: np.random.Generator) -> tuple[MassModel, np.ndarray]:
    """A curve whose parameters are drawn from the prior, with its noise, and the true dark mass.

    Parameters
    ----------
    model : MassModel
        Radii, errors and visible speeds.
    halo : str
    priors : Priors
    rng : numpy.random.Generator

    Returns
    -------
    MassModel
    m_dm : ndarray, shape (20,)
        [Msun]
    """
    target = likelihood.of(replace(model, v_obs=np.zeros_like(model.radius)), halo, priors)
    values = target.parameters(rng.normal(size=(1, len(target.names))))
    speed = target.speeds(values)[0][0]
    jitter = 10.0 ** values["log_jitter"][0] if "log_jitter" in values else 0.0
    noise = np.hypot(model.v_err, jitter) * rng.normal(size=len(speed))
    return replace(model, v_obs=speed + noise), target.haloes(values).m_enclosed(RADII_KPC)[0]
