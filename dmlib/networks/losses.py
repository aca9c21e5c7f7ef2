"""The loss: mean squared error of the standardised ln M, over the radii that have a target."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable("dmlib")
def masked_mse(y_true, y_pred):
    """Mean squared error over finite targets, shape (n,); NaN targets (no particle within R) have no gradient."""
    known = ops.isfinite(y_true)
    # Not just error * mask: the gradient of NaN * 0 is NaN.
    error = ops.where(known, y_pred - ops.where(known, y_true, 0.0), 0.0)
    return ops.sum(error**2, axis=-1) / ops.maximum(ops.sum(ops.cast(known, error.dtype), axis=-1), 1.0)
