"""Data products and who builds them: the notebooks' calls make what is missing."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from .settings import Settings

#: name -> (builder "module:function", path as an attribute of Settings)
PRODUCTS = {
    "universe": ("dmlib.universe.embedded:write", "universe_dir"),
    "sample": ("dmlib.sample:build", "sample_path"),
    "targets": ("dmlib.targets:build", "targets_path"),
}


def ensure(settings: Settings, name: str) -> Path:
    """Make a product where it is missing, and say where it is."""
    builder, attribute = PRODUCTS[name]
    path: Path = getattr(settings, attribute)
    if not path.exists():
        module, function = builder.split(":")
        getattr(import_module(module), function)(settings)
    return path
