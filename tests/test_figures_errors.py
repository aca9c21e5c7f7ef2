"""Figures of errors: they draw what they are given, and remember it."""

from __future__ import annotations

import numpy as np
import pytest
from test_evaluation import some_scores

from dmlib.figures import errors, networks
from dmlib.figures.style import csv_text


def architectures():
    scores = some_scores()
    masses = {"C/all": scores.masses["good"], "A/all": scores.masses["bad"], "baseline/boosted": scores.masses["bad"]}
    return type(scores)(scores.radii, scores.truth, masses, scores.subhalo_id, draws=50)


def test_errors_and_differences_are_remembered():
    scores = architectures()
    names = {"C/all": "C", "A/all": "A"}
    text = csv_text(networks.errors(scores, {**names, "baseline/boosted": "trees"}, np.full(20, 0.01)))
    assert text.count("\nC,") == 40 and text.count("\ncounting particles,") == 20
    text = csv_text(networks.against(scores, names, "baseline/boosted", "trees"))
    values = [float(line.split(",")[2]) for line in text.splitlines() if line.startswith("A,")]
    assert values == pytest.approx([0.0] * 20, abs=1e-12)


def test_counting_floor_is_poisson():
    """Counts drawn about their expectation deviate by what the floor says."""
    expected, particle = np.array([50.0, 400.0, 5000.0]), 6e7
    counts = np.random.default_rng(1).poisson(expected, (20000, 3))
    deviation = np.abs(counts / expected - 1.0).mean(axis=0)
    floor = errors.counting_floor(np.array([1.0, 3.0, 10.0]), counts * particle, particle)
    np.testing.assert_allclose(floor, deviation, rtol=0.03)
