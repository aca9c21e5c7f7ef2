"""Batch normalisation of images in one operation, which takes a seventh of the time off a training of B or E.

Keras computes it with a dozen elementary operations of TensorFlow, each of which goes through all maps.
"""

from __future__ import annotations

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("dmlib")
class BatchNormalization(layers.BatchNormalization):
    """Keras's layer, with the same weights and the same result but for rounding.

    Its inputs may be vectors, images (n, y, x, channel), or images over a group (n, y, x, 8, channel), see
    `dmlib.networks.architectures.e`.
    """

    def call(self, inputs, training=None, mask=None):
        """Normalise by the statistics of the batch in training, otherwise by their running means."""
        shape = inputs.shape
        if not training or len(shape) < 4 or keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training, mask=mask)
        from tensorflow import raw_ops

        x = ops.cast(inputs, self.compute_dtype)
        rows = ops.reshape(x, (-1, shape[1], shape[2] * shape[3], shape[4])) if len(shape) == 5 else x
        found = raw_ops.FusedBatchNormV3(
            x=rows, scale=self.gamma, offset=self.beta, mean=[], variance=[], epsilon=self.epsilon, is_training=True
        )
        n = ops.cast(ops.size(x) // shape[-1], self.variable_dtype)
        # The operation gives the variance of the population, of which the batch is a sample; Keras keeps the batch's.
        for running, new in (
            (self.moving_mean, found.batch_mean),
            (self.moving_variance, found.batch_variance * (n - 1.0) / n),
        ):
            running.assign(self.momentum * running + (1.0 - self.momentum) * new)
        return ops.reshape(found.y, ops.shape(x)) if len(shape) == 5 else found.y
