"""Data products: who builds each, what it is made from, and what its content depends on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..settings import Settings


@dataclass(frozen=True)
class Product:
    """One product of the flow.

    Parameters
    ----------
    name : str
    builder : str
        ``"module:function"``; the function takes the settings, reads the products that are needed from their paths,
        writes atomically, and continues what an interrupted run left. Its module and all that it imports count.
    path : str
        Attribute of `Settings` that says where the product lies; a file or a folder.
    reader : str
        Module through which it is read; a notebook that loads the product depends on its code.
    needs : tuple of str
        Products that it is made from; the universe is read through `dmlib.sources`.
    uses : tuple of str
        Settings that count beside the common ones: ``selection``, ``radii``, or a number of the profile.
    packages : tuple of str
        Packages of which every module counts, because the builder knows them by name only.
    """

    name: str
    builder: str
    path: str
    reader: str
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    def location(self, settings: Settings) -> Path:
        """Where it lies."""
        return getattr(settings, self.path)


_IMAGE = ("pixels", "field_of_view")

#: In the order of the flow: a product may use those above it.
PRODUCTS: dict[str, Product] = {
    product.name: product
    for product in (
        Product(
            "universe",
            "dmlib.embedded:build",
            "universe_dir",
            "dmlib.universe",
            uses=("n_galaxies", "m_dm", "m_baryon"),
        ),
        Product("sample", "dmlib.sample:build", "sample_path", "dmlib.sample", ("universe",), ("selection",)),
        Product("targets", "dmlib.targets:build", "targets_path", "dmlib.targets", ("universe", "sample"), ("radii",)),
        Product(
            "dataset",
            "dmlib.dataset.build:build",
            "dataset_path",
            "dmlib.dataset.read",
            ("universe", "sample", "targets"),
            (*_IMAGE, "radii"),
        ),
        Product(
            "models",
            "dmlib.networks.train:build",
            "models_dir",
            "dmlib.networks.models",
            ("dataset",),
            _IMAGE,
            packages=("dmlib.networks.architectures",),
        ),
        Product(
            "predictions",
            "dmlib.networks.predictions:build",
            "predictions_path",
            "dmlib.networks.predictions",
            ("dataset", "models"),
        ),
        Product(
            "rotation",
            "dmlib.rotation.benchmark:build",
            "benchmark_path",
            "dmlib.rotation.benchmark",
            ("universe", "dataset"),
            ("radii",),
        ),
    )
}
