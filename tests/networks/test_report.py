"""What the report of the networks computes: correlated errors, and the batch of the overfitting test."""

from __future__ import annotations

import numpy as np
import pytest

from dmlib.networks import predict, report


def test_correlation_of_errors_counts_a_common_bias():
    rng = np.random.default_rng(3)
    own = rng.standard_normal((4000, 3))
    np.testing.assert_allclose(predict.correlation(own), np.eye(3), atol=0.06)
    assert predict.correlation(own + 3.0)[0, 1] == pytest.approx(0.9, abs=0.03)
    own[0, 0] = np.nan
    assert np.isfinite(predict.correlation(own)).all()


def test_the_overfitted_batch_spans_the_catalogue():
    """The file is in the order of the catalogue: the first views would all be of heavy haloes."""

    class Rows:
        dm_profile = np.exp(np.linspace(30.0, 20.0, 90))[:, None] * np.ones((1, 20))
        table = {"subhalo_id": np.repeat(np.arange(30), 3)}  # noqa: RUF012

        def rows(self, split):
            return np.arange(0, 60)

        def inputs(self, rows):
            return np.zeros((len(rows), 4, 4, 1))

    batch = report.one_batch(Rows(), 12)
    assert batch.galaxy.min() == 0 and batch.galaxy.max() == 19
    assert abs(batch.targets.mean()) < 0.1
