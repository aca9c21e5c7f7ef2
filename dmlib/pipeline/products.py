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


# name, builder, path, reader, needs, uses, packages. A product may use those above it. They are made in this order,
# last those for which most chapters wait: these chapters, side by side, then keep all cores busy to the end.
_IMAGE = ("pixels", "field_of_view", "input_pixels")
_PARTICLES = ("n_galaxies", "m_dm", "m_baryon")
_GALAXIES = ("universe", "sample", "targets")
_NETS, _ROT, _FLOOR = "dmlib.networks", "dmlib.rotation.benchmark", "dmlib.evaluation.floor"
_POSTERIORS, _ROBUST = "dmlib.evaluation.posteriors", ("dmlib.evaluation.transfer", "dmlib.evaluation.robustness")
_NAMED = ("dmlib.networks.architectures",)

#: Products that one process makes, of which chapters alone take something: they are made beside chapters.
BESIDE = ("posteriors", "floor")

#: Products that are made from the generator of the embedded universe: no other universe has them.
EMBEDDED_ONLY = ("floor",)
_TABLE = (
    ("universe", "dmlib.embedded:build", "universe_dir", "dmlib.universe", (), _PARTICLES),
    ("sample", "dmlib.sample:build", "sample_path", "dmlib.sample", ("universe",), ("selection",)),
    ("targets", "dmlib.targets:build", "targets_path", "dmlib.targets", ("universe", "sample"), ("radii",)),
    ("dataset", "dmlib.dataset.build:build", "dataset_path", "dmlib.dataset.read", _GALAXIES, (*_IMAGE, "radii")),
    ("rotation", f"{_ROT}:build", "benchmark_path", _ROT, ("universe", "targets", "dataset"), ("radii",)),
    ("robustness", f"{_ROBUST[0]}:build", "robustness_path", _ROBUST[1], (), ("radii",), _NAMED),
    ("models", f"{_NETS}.train:build", "models_dir", f"{_NETS}.models", ("dataset",), _IMAGE, _NAMED),
    ("predictions", f"{_NETS}.predictions:build", "predictions_path", f"{_NETS}.predictions", ("dataset", "models")),
    ("posteriors", f"{_POSTERIORS}:build", "posteriors_path", _POSTERIORS, ("dataset", "models")),
    ("floor", f"{_FLOOR}:build", "floor_path", _FLOOR, ("dataset",), (*_PARTICLES, "selection")),
)
PRODUCTS: dict[str, Product] = {row[0]: Product(*row) for row in _TABLE}
