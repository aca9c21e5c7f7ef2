"""A data source is one module and one row of `dmlib.sources.SOURCES`."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from dmlib import sample, sources
from dmlib.settings import Settings
from dmlib.sources import Source
from dmlib.universe import FilesUniverse, open_universe
from dmlib.universe.base import Universe, make_header
from tiny_tng import toy_groups, write_tree

NAME = "EAGLE-toy"


class MemoryUniverse(Universe):
    """Catalogue columns in memory, as another simulation's reader would have converted them."""

    def __init__(self, columns: dict[str, dict[str, np.ndarray]], attributes: dict, snapshot: int):
        self.place = "memory"
        self.columns = columns
        self.header = make_header(attributes, self.place, NAME, snapshot, identity="toy")

    def _columns(self, kind, fields, rows):
        return {name: self.columns[kind][name][... if rows is None else rows] for name in fields}


@pytest.fixture
def toy_source(tmp_path, monkeypatch):
    """A module with an opener, its row of the registry, and a tree on disk of the same galaxies."""
    tree = FilesUniverse(write_tree(tmp_path / "sim", toy_groups()))
    header = tree.header
    attributes = {"Time": 1.0, "Redshift": 0.0, "HubbleParam": header.units.h, "BoxSize": header.units.box}
    attributes |= {"Ngroups_Total": header.n_groups, "Nsubgroups_Total": header.n_subhalos, "Omega0": 0.3089}
    fields = {"Subhalo": sample.SUBHALO_FIELDS, "Group": sample.GROUP_FIELDS}
    columns = {kind: tree._columns(kind, list(names), None) for kind, names in fields.items()}
    module = ModuleType("toy_source")
    module.open_memory = lambda settings: MemoryUniverse(columns, attributes, settings.snapshot)
    monkeypatch.setitem(sys.modules, "toy_source", module)
    monkeypatch.setitem(sources.SOURCES, "memory", Source("memory", "toy_source:open_memory", note=" (in memory)"))
    settings = Settings(universe="memory", simulation=NAME, profile="smoke", build_root=str(tmp_path / "build"))
    return SimpleNamespace(settings=settings, tree=tree)


def test_a_toy_source_is_opened_selected_from_and_named_in_captions(toy_source):
    settings = toy_source.settings
    universe = open_universe(settings)
    assert isinstance(universe, MemoryUniverse)
    assert universe.name == NAME and universe.label == f"{NAME}, snapshot 99" and universe.header.identity == "toy"
    assert settings.label == f"{NAME}, snapshot 99 (in memory), profile smoke" and settings.origin == NAME
    table, funnel = sample.select(universe)
    expected, _ = sample.select(toy_source.tree)
    assert funnel.simulation == NAME and len(table) == len(expected) > 0
    for column in expected.colnames:
        np.testing.assert_array_equal(table[column], expected[column])


def test_the_sample_of_a_toy_source_is_built_and_says_where_it_is_from(toy_source):
    sample.build(toy_source.settings)
    assert sample.read_sample(toy_source.settings.sample_path).meta["simulation"] == NAME


def test_an_unknown_source_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="embedded, files, api"):
        Settings(universe="eagle")
