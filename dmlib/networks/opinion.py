"""What a network of a built book says of a galaxy with a cube of its own, and whether that means anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..dataset.read import read_dataset
from ..errors import DmlibError
from ..observe.degrade import degrade
from ..observe.moments import moment_maps
from ..rotation.own_galaxy import Analysis
from ..settings import Settings
from .training_domain import Placement, place_among_training


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
        return Opinion(
            f"needs a built book: no network {network} of profile {settings.profile} is here; "
            f"dmlib run --profile {settings.profile} trains it"
        )
    try:
        return _ask(settings, found, network)
    except DmlibError as error:
        return Opinion(f"no prediction: {error}")


def _ask(settings: Settings, found: Analysis, network: str) -> Opinion:
    from .models import predict_galaxy

    assert found.curve is not None
    galaxy, curve = found.galaxy, found.curve
    dataset = read_dataset(settings.dataset_path)
    middle = curve.centre[0] / galaxy.kpc, curve.centre[1] / galaxy.kpc
    moved = degrade(
        galaxy.sky, galaxy.distance, middle, curve.v_sys, dataset.grid, dataset.recipe.hi, seed=settings.seed
    )
    maps = moment_maps(moved)
    placed = place_among_training(dataset, maps.stack)
    if not placed.inside:
        return Opinion(
            f"no prediction: the galaxy lies outside the training domain of {network} (of the training views "
            f"{min(placed.beyond, placed.beyond_neighbour):.1%} lie further out)",
            placed=placed,
            notes=moved.notes,
        )
    predicted, reason = predict_galaxy(settings.models_dir, network, maps.stack)
    if reason:
        return Opinion(f"no prediction: {reason}", placed=placed, notes=moved.notes)
    return Opinion(
        f"{len(predicted)} members of {network}, trained on {settings.label}; the galaxy lies inside their domain",
        ln_m_dm=predicted,
        radii=dataset.radii,
        placed=placed,
        notes=moved.notes,
    )
