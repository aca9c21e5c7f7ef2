"""Networks for another universe: the discrepancy of two samples, and training with it."""

from __future__ import annotations

import numpy as np
import pytest

from network_toys import CHANNELS, paint


@pytest.fixture(scope="module")
def adaptation(keras):
    from dmlib.networks import adaptation

    return adaptation


def test_discrepancy_vanishes_for_equal_samples_only(adaptation):
    from keras import ops

    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(64, 9)).astype(np.float32), rng.normal(size=(64, 9)).astype(np.float32)
    known = np.repeat([1.0, 0.0], 64).astype(np.float32)

    def of(a, b) -> float:
        return float(ops.convert_to_numpy(adaptation.discrepancy(np.concatenate([a, b]), known)))

    assert of(one, one) == pytest.approx(0.0, abs=1e-5)
    assert of(one, other + 2.0) > 5.0 * of(one, other) > 0.0


def test_matching_brings_latent_numbers_together(adaptation):
    """Galaxies of the other universe are brighter by a constant; matching must lessen the difference of the answers."""
    from dmlib.networks.fit import Standard
    from dmlib.networks.plan import Schedule

    inputs, ln_m, galaxy = paint(30)
    others = inputs.copy()
    others[..., :5] = np.where(inputs[..., :5] > 0, inputs[..., :5] + 0.5, 0.0)
    standard = Standard.of(ln_m)
    views = adaptation.views(inputs, ln_m, galaxy, standard)
    schedule = Schedule(epochs=8, members=1, patience=None, decay="cosine", bagging="none")
    plain = adaptation.train(CHANNELS, views, views, schedule, 1)
    matched = adaptation.train_matched(CHANNELS, views, views, others, schedule, 1)
    apart = [np.abs((made.predict_ln(others) - made.predict_ln(inputs)).mean()) for made in (plain, matched)]
    assert apart[1] < apart[0]
    assert plain.latent(inputs[:3]).shape[0] == 3
