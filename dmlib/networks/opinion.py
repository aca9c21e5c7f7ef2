"""What a network of a built book says of a galaxy with a cube of its own, and whether that means anything.

A network gives an answer for any input. Whether the answer means anything depends on whether the network has been
trained on such galaxies. We describe a galaxy's HI maps by a few numbers that an astronomer would measure, and compute
how far it lies from the training views in units of their own scatter (Mahalanobis 1936), and how far from its nearest
neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import KDTree

from ..dataset.read import DataSet, read_dataset
from ..errors import DmlibError
from ..observe.degrade import degrade
from ..observe.moments import moment_maps, normalise
from ..observe.sky import central_part
from ..rotation.own_galaxy import Analysis
from ..settings import Settings
from . import NetworkError
from .models import read_ensemble

#: Numbers that describe the maps.
FEATURES = ("log HI mass", "log area", "concentration", "velocity width", "dispersion", "peak density", "filling")

#: The distance to this neighbour measures how isolated a galaxy is.
_NEAREST = 5


def features(maps: np.ndarray) -> np.ndarray:
    """Seven numbers of each view's HI maps.

    Parameters
    ----------
    maps : ndarray, shape (n, y, x, 3)
        Surface density [Msun/pc^2], velocity and dispersion [km/s], NaN where blank.

    Returns
    -------
    ndarray, shape (n, 7)
        In the order of `FEATURES`: log10 of the summed surface density, log10 of the number of detected pixels, share
        of the HI in the brightest tenth of the pixels, log10 of the width of velocities (5 to 95 per cent) [km/s],
        median dispersion [km/s], log10 of the 95th percentile of the density, and the fraction of the enclosing circle
        that is detected. NaN for views with fewer than ten detected pixels.
    """
    out = np.full((len(maps), len(FEATURES)), np.nan)
    for k, view in enumerate(np.asarray(maps, dtype=float)):
        seen = np.isfinite(view[..., 0])
        if seen.sum() < 10:
            continue
        density, velocity, dispersion = (view[..., c][seen] for c in range(3))
        ranked = np.sort(density)[::-1]
        y, x = np.nonzero(seen)
        reach = np.hypot(y - y.mean(), x - x.mean()).max() + 0.5
        out[k] = (
            np.log10(density.sum()),
            np.log10(seen.sum()),
            ranked[: max(1, len(ranked) // 10)].sum() / density.sum(),
            np.log10(np.ptp(np.percentile(velocity, [5, 95])) + 1.0),
            np.median(dispersion),
            np.log10(np.percentile(density, 95)),
            seen.sum() / (np.pi * reach**2),
        )
    return out


@dataclass(frozen=True)
class Placement:
    """Position of a galaxy relative to the training views.

    Parameters
    ----------
    train, one : ndarray, shape (n, 7) and (7,)
        Features, see `features`.
    distance : float
        Mahalanobis distance from the mean of the training views, in units of their scatter.
    beyond, beyond_neighbour : float
        Fraction of the training views that lie further out, by this distance and by that to their fifth nearest
        neighbour: near 0 for a galaxy outside the domain, any value for one inside.
    """

    train: np.ndarray
    one: np.ndarray
    distance: float
    beyond: float
    beyond_neighbour: float

    @property
    def inside(self) -> bool:
        """Whether at least one training view in a hundred lies further out, by both measures."""
        return min(self.beyond, self.beyond_neighbour) >= 0.01


def place(train: np.ndarray, one: np.ndarray) -> Placement:
    """Compare one galaxy with the training views.

    Parameters
    ----------
    train : ndarray, shape (n, 7)
        Rows with NaN are left out.
    one : ndarray, shape (7,)

    Raises
    ------
    DmlibError
        When the galaxy, or too many of the training views, have no HI.
    """
    train = train[np.isfinite(train).all(axis=1)]
    if not np.isfinite(one).all() or len(train) <= 2 * train.shape[1]:
        raise DmlibError(f"the galaxy, or all but {len(train)} training views, have no HI: nothing can be compared.")
    mean, covariance = train.mean(axis=0), np.cov(train.T)
    root = np.linalg.cholesky(np.linalg.inv(covariance))
    white, point = (train - mean) @ root, (one - mean) @ root
    distance, tree = float(np.linalg.norm(point)), KDTree(white)
    # The nearest to a training view is the view itself.
    neighbour, others = tree.query(point, [_NEAREST])[0], tree.query(white, [_NEAREST + 1])[0][:, 0]
    beyond = float(np.mean(np.linalg.norm(white, axis=1) > distance))
    return Placement(train, one, distance, beyond, float(np.mean(others > neighbour)))


def place_among_training(dataset: DataSet, maps: np.ndarray) -> Placement:
    """`place` for one galaxy's maps, shape (y, x, 3), and the training views of a data set."""
    rows = dataset.rows("train")
    train = np.concatenate([features(dataset.hi(rows[k : k + 200])) for k in range(0, len(rows), 200)])
    return place(train, features(maps[None])[0])


def predict_galaxy(folder: str | Path, name: str, maps: np.ndarray) -> tuple[np.ndarray, str]:
    """Predictions of every member of an ensemble for a galaxy that is not in the data set.

    Parameters
    ----------
    folder : path
        The folder ``models``.
    name : str
        For example ``C/hi``.
    maps : ndarray, shape (y, x, 3)
        HI maps in physical units, on the grid of the data set.

    Returns
    -------
    ln_m_dm : ndarray, shape (members, 20)
        Without rows if there is no such network.
    reason : str
        Why there is none.
    """
    try:
        networks = read_ensemble(folder, name)
    except NetworkError as error:
        return np.empty((0, 0)), str(error)
    inputs = central_part(normalise(maps)[None], networks[0].card.pixels)
    return np.array([network.predict_ln(inputs)[0] for network in networks]), ""


@dataclass(frozen=True)
class Opinion:
    """The prediction of an ensemble for one galaxy.

    Parameters
    ----------
    said : str
        The result, or why there is none, in a sentence.
    ln_m_dm : ndarray, shape (members, 20), or None
        [ln Msun]
    radii : ndarray, shape (20,), or None
        [kpc]
    placed : Placement or None
        Where the galaxy lies among the training views.
    notes : tuple of str
        How its cube, observed again, differs from those of the data set.
    """

    said: str
    ln_m_dm: np.ndarray | None = None
    radii: np.ndarray | None = None
    placed: Placement | None = None
    notes: tuple[str, ...] = ()

    def verdict(self) -> dict[str, Any]:
        """For ``verdict.json``."""
        out: dict[str, Any] = {"said": self.said, "notes": list(self.notes), "inside_training_domain": None}
        if self.placed is not None:
            out["inside_training_domain"] = self.placed.inside
            out["training_views_further_out"] = min(self.placed.beyond, self.placed.beyond_neighbour)
        if self.ln_m_dm is not None and self.radii is not None:
            mean = self.ln_m_dm.mean(axis=0)
            out["radius_kpc"], out["m_dm_msun"] = self.radii.tolist(), np.exp(mean).tolist()
        return out


def opinion_of(settings: Settings, found: Analysis, network: str) -> Opinion:
    """Ask the networks of a book that is built; nothing is built for it.

    Parameters
    ----------
    settings : Settings
        Of the book.
    found : Analysis
    network : str
        Ensemble on HI maps, for example ``C/hi``; ``none`` for none.
    """
    if network == "none":
        return Opinion("not asked")
    if found.curve is None:
        return Opinion("not asked: without rings there is no centre and no systemic velocity")
    if not settings.dataset_path.is_file() or not (settings.models_dir / network).is_dir():
        mend = f"dmlib run --profile {settings.profile} trains it"
        return Opinion(f"needs a built book: no network {network} of profile {settings.profile} is here; {mend}")
    try:
        return _ask(settings, found, network)
    except DmlibError as error:
        return Opinion(f"no prediction: {error}")


def _ask(settings: Settings, found: Analysis, network: str) -> Opinion:
    assert found.curve is not None
    galaxy, dataset = found.galaxy, read_dataset(settings.dataset_path)
    telescope = dataset.grid, dataset.recipe.hi
    x, y = found.curve.centre
    middle = x / galaxy.kpc, y / galaxy.kpc
    moved = degrade(galaxy.sky, galaxy.distance, middle, found.curve.v_sys, *telescope, seed=settings.seed)
    maps = moment_maps(moved).stack
    placed = place_among_training(dataset, maps)
    opinion = partial(Opinion, placed=placed, notes=moved.notes)
    if not placed.inside:
        share = f"of the training views {min(placed.beyond, placed.beyond_neighbour):.1%} lie further out"
        return opinion(f"no prediction: the galaxy lies outside the training domain of {network} ({share})")
    predicted, reason = predict_galaxy(settings.models_dir, network, maps)
    if reason:
        return opinion(f"no prediction: {reason}")
    members = "1 member" if len(predicted) == 1 else f"{len(predicted)} members"
    said = f"{members} of {network}, trained on {settings.label}; the galaxy lies inside the domain of the training"
    return opinion(said, ln_m_dm=predicted, radii=dataset.radii)
