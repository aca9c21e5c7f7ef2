"""Data products: who builds each, and the one call that makes or renews it.

The pipeline (``dmlib run``) and a notebook opened on its own take the same path: `ensure` asks whether the product is
up to date, by the same record of parameters, inputs and modules, and builds it when it is not.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from .errors import StepError
from .settings import Settings

#: When this process began to load dmlib [ns since the epoch]: a module edited later may be in memory in its old form.
STARTED_NS = time.time_ns()

#: Set while a product is being built, for the builder's own calls and for the worker processes it starts.
BUILDING = "DMLIB_BUILDING"


@dataclass(frozen=True)
class Product:
    """One product of the flow.

    Parameters
    ----------
    name : str
    builder : str
        ``"module:function"``; the function takes the settings, writes atomically, and takes up what a killed run left.
    path : str
        Attribute of `Settings` that says where the product lies; a file or a folder.
    reader : str
        Module through which it is read: a step that imports this module uses the product.
    """

    name: str
    builder: str
    path: str
    reader: str

    def location(self, settings: Settings) -> Path:
        """Where it lies."""
        return getattr(settings, self.path)


#: In the order of the flow: a product may use those above it.
PRODUCTS: dict[str, Product] = {
    product.name: product
    for product in (
        Product("universe", "dmlib.universe.embedded:write", "universe_dir", "dmlib.universe"),
        Product("sample", "dmlib.sample:build", "sample_path", "dmlib.sample"),
        Product("targets", "dmlib.targets:build", "targets_path", "dmlib.targets"),
        Product("dataset", "dmlib.dataset.build:build", "dataset_path", "dmlib.dataset.read"),
        Product("models", "dmlib.networks.train:build", "models_dir", "dmlib.networks.models"),
        Product("predictions", "dmlib.networks.predict:build", "predictions_path", "dmlib.networks.predictions"),
        Product("rotation", "dmlib.rotation.benchmark_build:build", "benchmark_path", "dmlib.rotation.benchmark"),
    )
}


def ensure(settings: Settings, name: str) -> Path:
    """Bring a product, and what it is made from, up to date; say where it lies.

    Takes milliseconds when nothing changed. Otherwise builds, with a line that says why; a second process that wants
    the same product waits for the first.

    Parameters
    ----------
    settings : Settings
    name : str
        A key of `PRODUCTS`.

    Returns
    -------
    Path
        The product's file or folder. For ``universe="files"`` the product ``universe`` is the tree that was given.

    Raises
    ------
    StepError
        When there is no such product, or it cannot be built as things stand.
    DmlibError
        Whatever the builder raises.
    """
    if name not in PRODUCTS:
        raise StepError(f"there is no data product '{name}'; the products are {', '.join(PRODUCTS)}")
    if name == "universe" and settings.universe != "embedded":
        return Path(settings.base_path)
    if name == "universe":
        settings = settings.whole
    path = PRODUCTS[name].location(settings)
    if os.environ.get(BUILDING, "").startswith(f"{settings.build}{os.pathsep}"):
        # Called by a builder, or by a worker of one: the engine has seen to everything the product is made from.
        return path
    from .pipeline import engine, steps
    from .pipeline.places import Places

    ensure_whole(settings)
    engine.make(steps.products_for(settings, name), Places.of(settings))
    return path


def ensure_whole(settings: Settings) -> None:
    """For a taste of the embedded universe: have the whole of it, which lies in another folder, before anything is
    judged by it."""
    if settings.sample and settings.universe == "embedded":
        ensure(settings.whole, "universe")
