"""From the data set to mass models: one galaxy after the other, failures with their reason."""

from __future__ import annotations

import numpy as np
import pytest

from dmlib.errors import GalaxyError
from dmlib.rotation import pipeline
from dmlib.rotation.curve import RotationCurve


@pytest.fixture(scope="module")
def settings(smoke_universe):
    return smoke_universe


def test_measured_and_perfect_models_of_the_same_views(settings):
    dataset, _ = pipeline.observer_of(settings)
    inclination = dataset.table["inclination"].value
    rows = np.flatnonzero((inclination > 40) & (inclination < 70))
    rows = rows[np.argsort(-dataset.table["m_hi"][rows].value)][:4]
    accepted = 0
    for row in rows:
        key = int(dataset.table["subhalo_id"][row]), int(dataset.table["view"][row])
        observed, perfect = (pipeline.mass_model(settings, *key, knowledge=k) for k in ("observed", "perfect"))
        assert isinstance(observed.curve, RotationCurve)
        assert perfect.curve.inclination == pytest.approx(inclination[row])
        accepted += observed.accepted and perfect.accepted
        for measured in (observed, perfect):
            if measured.model is None:
                assert measured.reasons
                continue
            model = measured.model
            assert np.all(np.isfinite(model.v_obs)) and np.all(model.v_err > 0)
            assert np.all(model.v_visible() > 0) and len(model.radius) == measured.curve.good.sum()
            assert model.inclination == pytest.approx(measured.curve.mean_inclination)
    assert accepted >= 1


def test_a_view_that_is_not_there_is_named(settings):
    with pytest.raises(GalaxyError, match="no view 9 of subhalo 0"):
        pipeline.mass_model(settings, 0, 9)
