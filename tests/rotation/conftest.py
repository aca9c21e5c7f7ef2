"""A data set of a few galaxies of the embedded universe, shared by the tests of this room."""

from __future__ import annotations

import os
import shutil
from typing import NamedTuple

import pytest
from astropy.table import QTable

from dmlib import sample as samples
from dmlib import targets
from dmlib.dataset.build import build
from dmlib.dataset.read import DataSet, read_dataset
from dmlib.dataset.views import Observer
from dmlib.settings import Settings
from dmlib.universe import Universe, open_universe

N_GALAXIES = 8


class Opened(NamedTuple):
    """The data set with all that made it."""

    sample: QTable
    universe: Universe
    dataset: DataSet
    observer: Observer


@pytest.fixture(scope="session")
def opened(smoke_universe, tmp_path_factory) -> Opened:
    """Eight galaxies of profile ``smoke``."""
    settings = Settings(profile="smoke", build_root=str(tmp_path_factory.mktemp("rotation")))
    shutil.copytree(smoke_universe.universe_dir, settings.universe_dir, copy_function=os.link)
    universe = open_universe(settings)
    sample = samples.select(universe)[0][:N_GALAXIES]
    samples.write_sample(sample, settings.sample_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DMLIB_WORKERS", "1")
        targets.build(settings)
        build(settings)
    dataset = read_dataset(settings.dataset_path)
    return Opened(sample, universe, dataset, Observer(universe, dataset.recipe, dataset.grid, settings.seed))
