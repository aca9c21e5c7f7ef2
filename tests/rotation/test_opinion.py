"""What the networks of a built book say of a galaxy with a cube of its own, and when they say nothing."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from dmlib.networks import opinion
from dmlib.networks.opinion import opinion_of
from dmlib.observe.cube_fits import read_cube, write_fits
from dmlib.rotation.measure import choose_view
from dmlib.rotation.own_galaxy import Analysis, analyse
from dmlib.rotation.realcube import RealGalaxy


@pytest.fixture(scope="module")
def simulated(opened, tmp_path_factory):
    """A galaxy of the book, through the door of a reader's own."""
    row = choose_view(opened.dataset)
    table = opened.dataset.table
    path = tmp_path_factory.mktemp("own") / "cube.fits"
    write_fits(opened.observer.cube(int(table["subhalo_id"][row]), int(table["view"][row])), path)
    sky = read_cube(path, additive=True)
    galaxy = RealGalaxy("simulated", None, sky, opened.dataset.recipe.hi.distance, (0.0, 0.0), {}, None)
    return analyse(galaxy, haloes=())


@pytest.fixture
def book(opened, tmp_path, monkeypatch):
    """Settings of a book with a data set and a network that always says the same."""
    (tmp_path / "C" / "hi").mkdir(parents=True)
    said = np.log(np.linspace(1e9, 1e12, 20))
    monkeypatch.setattr(opinion, "predict_galaxy", lambda folder, name, maps: (np.stack([said, said + 0.2]), ""))
    names = {"dataset_path": opened.dataset.path, "models_dir": tmp_path, "label": "a toy", "profile": "smoke"}
    return SimpleNamespace(**names, seed=1)


def placed(inside):
    return SimpleNamespace(inside=inside, beyond=0.5 if inside else 0.0, beyond_neighbour=0.5)


def test_inside_the_training_domain_there_is_a_prediction(simulated, book, monkeypatch):
    monkeypatch.setattr(opinion, "place_among_training", lambda dataset, maps: placed(True))
    found = opinion_of(book, simulated, "C/hi")
    assert found.said.startswith("2 members of C/hi, trained on a toy") and found.ln_m_dm.shape == (2, 20)
    verdict = found.verdict()
    assert verdict["inside_training_domain"] and len(verdict["m_dm_msun"]) == 20 == len(verdict["radius_kpc"])


def test_outside_there_is_none(simulated, book, monkeypatch):
    monkeypatch.setattr(opinion, "place_among_training", lambda dataset, maps: placed(False))
    found = opinion_of(book, simulated, "C/hi")
    assert "outside the training domain" in found.said and found.ln_m_dm is None
    assert found.verdict()["inside_training_domain"] is False


def test_why_there_is_none(simulated, book):
    assert "needs a built book: no network C/all" in opinion_of(book, simulated, "C/all").said
    assert opinion_of(book, simulated, "none").said == "not asked"
    assert "without rings" in opinion_of(book, Analysis(simulated.galaxy), "C/hi").said
