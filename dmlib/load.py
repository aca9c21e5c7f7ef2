"""Loading a product for some settings: it is brought up to date first, with everything that it is made from.

These are the calls of notebooks and of the command. `dmlib run` reads from a notebook's source which of them it makes,
and so knows what the notebook depends on. Code inside dmlib reads products from their paths instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable

from . import sample as samples
from . import targets as profiles
from .dataset.read import DataSet, read_dataset
from .dataset.views import Observer
from .errors import DmlibError
from .pipeline.steps import ensure
from .settings import Settings, repository_root
from .targets import Targets
from .universe import Universe, open_universe

if TYPE_CHECKING:
    from .evaluation.floor import Floor
    from .evaluation.posteriors import Posteriors
    from .evaluation.robustness import Robustness
    from .networks.predictions import Predictions
    from .networks.reference import Reference
    from .rotation.benchmark import Benchmark


def universe(settings: Settings) -> Universe:
    """The universe, opened; the embedded one is written first where it is missing."""
    if settings.source.written_here:
        ensure(settings.whole, "universe")
    return open_universe(settings)


def sample(settings: Settings) -> QTable:
    """The selected galaxies; columns as in `dmlib.sample.select`."""
    return samples.read_sample(ensure(settings, "sample"))


def targets(settings: Settings) -> Targets:
    """The enclosed-mass profiles of the sample."""
    return profiles.read_targets(ensure(settings, "targets"))


def dataset(settings: Settings) -> DataSet:
    """Inputs and targets of all views, split by galaxy."""
    return read_dataset(ensure(settings, "dataset"))


def observer(settings: Settings) -> Observer:
    """The virtual telescope with which the data set was made; it observes any view again, with its full HI cube."""
    made = dataset(settings)
    return Observer(universe(settings), made.recipe, made.grid, settings.seed)


def models(settings: Settings) -> Path:
    """Folder of the trained networks, for `dmlib.networks.models.read_network` and its companions."""
    return ensure(settings, "models")


def predictions(settings: Settings) -> Predictions:
    """What every network and every plain regression predicts for the test galaxies."""
    from .networks.predictions import read_predictions

    return read_predictions(ensure(settings, "predictions"))


def reference(settings: Settings, names: Iterable[str] = ()) -> Reference:
    """What the reference trainings predict for the test galaxies, or why they do not apply to this data set.

    Parameters
    ----------
    settings : Settings
    names : iterable of str
        Ensembles that the chapter needs.
    """
    from .networks.reference import read_reference

    return read_reference(settings, dataset(settings), predictions(settings), names)


def posteriors(settings: Settings) -> Posteriors:
    """Draws of whole profiles for the test galaxies."""
    from .evaluation.posteriors import read_posteriors

    return read_posteriors(ensure(settings, "posteriors"))


def floor(settings: Settings) -> Floor | None:
    """The information floor: what ideal observers predict for the test galaxies; None where galaxies are not drawn."""
    if not settings.source.written_here:
        return None
    from .evaluation.floor import read_floor

    return read_floor(ensure(settings, "floor"))


def benchmark(settings: Settings) -> Benchmark:
    """What rotation curves say of the test galaxies."""
    from .rotation.benchmark import read_benchmark

    return read_benchmark(ensure(settings, "rotation"))


def robustness(settings: Settings) -> Robustness:
    """Methods trained in one embedded universe and tested in others, whatever the universe of the settings is."""
    from .evaluation.robustness import read_robustness

    return read_robustness(ensure(settings, "robustness"))


def disturbed(settings: Settings) -> np.ndarray | None:
    """Whether each subhalo of the embedded universe has disturbed gas, from its plan; None for other universes.

    Networks do not get this information. In real data such galaxies would have to be recognised by their asymmetry.
    """
    if not settings.source.written_here:
        return None
    from . import embedded

    return embedded.disturbed(settings)


def record(name: str) -> dict[str, Any]:
    """A committed record, ``records/<name>.json``: what was measured once on data that a reader may not have.

    Raises
    ------
    DmlibError
        When the record is missing.
    """
    path = repository_root() / "records" / f"{name}.json"
    if not path.is_file():
        raise DmlibError(f"{path} is missing: it is part of the repository, restore it from git.")
    return json.loads(path.read_text(encoding="utf-8"))
