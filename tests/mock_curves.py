"""Rotation curves drawn from a halo model and its priors, whose dark mass is therefore known."""

from __future__ import annotations

import numpy as np

from dmlib.rotation.halos import halo_model
from dmlib.rotation.likelihood import Likelihood
from dmlib.rotation.massmodel import MassModel
from dmlib.rotation.population import Population
from dmlib.rotation.priors import Priors, Regression


def mock_galaxy(points: int = 14, reach: float = 18.0, v_err: float = 5.0) -> MassModel:
    """A disc galaxy for mock curves, without speeds: a stellar and a gas disc of 2.5 and 6 kpc.

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


def mock_curve(model: MassModel, halo: str, priors: Priors, rng: np.random.Generator) -> tuple[MassModel, np.ndarray]:
    """A curve with noise whose parameters are drawn from the prior, and its true dark mass.

    Parameters
    ----------
    model : MassModel
        Radii, errors and visible speeds, for example a `mock_galaxy`.
    halo : str
    priors : Priors
    rng : numpy.random.Generator

    Returns
    -------
    MassModel
    m_dm : ndarray, shape (20,)
        [Msun]
    """
    return Likelihood(model, halo_model(halo), priors).draw(rng)


def mock_population() -> Population:
    """Haloes 30 times heavier than their stars, with 0.2 dex of scatter; stars 0.1 dex too light in the image."""

    def relation(mean, slope, scatter):
        return Regression((mean, slope, 0.0), (), tuple((scatter * np.linspace(-2, 2, 9)).tolist()), (9.0, 12.0))

    unseen, offset = (0.1,) * 20, (0.02,) * 20
    return Population(
        relation(12.0, 1.0, 0.2), relation(0.9, 0.0, 0.1), relation(1.0, 0.0, 0.2), (0.1, 0.05), unseen, offset, 50
    )
