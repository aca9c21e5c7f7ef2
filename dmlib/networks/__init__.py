"""Networks: what they are, how they are trained, and what they predict.

- `plan`: the registry of architectures, and which networks a profile trains for how long (does not import Keras).
- `architectures`: A, B, C, E and ResNet50.
- `augment`: rotations and reflections of the sky.
- `profile`: the last layer of every network, which makes profiles that increase with radius.
- `posterior`: another last layer, which gives the distribution of a profile, and a flow.
- `fit`: training of one network, resumable, and the set-up of Keras's backend.
- `train`: all trainings of a profile in parallel; builds the product "models".
- `models`: reading and applying trained networks.
- `predictions`: what networks and regressions predict for the test galaxies; builds and reads "predictions".
- `reference_training`: trainings with the paper's schedule, the same for all architectures (`dmlib reference`).
- `reference`: what is committed of them, and reading it in place of a run's own predictions.
- `saliency`: how predictions change with each pixel, or when a part is hidden.
- `saliency_measures`: what is measured on maps of these changes.
- `sensitivity`: on what the predictions for the test views depend.
- `opinion`: the prediction for a galaxy of one's own, and whether it resembles those of the training.
"""

import logging
import os

from ..environment import plain_keras
from ..errors import DmlibError

# TensorFlow reports how it was built, and each retracing, as warnings and errors, which look like faults of the run.
# A level that the user has set stays.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
logging.getLogger("tensorflow").setLevel(logging.ERROR)

plain_keras()


class NetworkError(DmlibError):
    """A network that cannot be trained, read or applied."""
