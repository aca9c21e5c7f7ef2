"""Networks: what they are, how they are trained, what they predict.

- `architectures`: A, B, C and ResNet50, one module each.
- `plan`: which networks a profile trains, and for how long.
- `augment`: rotations and reflections of the sky.
- `targets`: standardised ln M, by the training galaxies only.
- `fit`: one member of one ensemble, resumable.
- `train`: all of them, side by side; builds the product "models".
- `models`: the way in to trained networks (imports Keras).
- `predict`: builds the product "predictions".
- `predictions`: the way in to what was predicted (does not import Keras).
- `saliency`: how predictions change with each pixel (imports Keras); `attention`: what such maps tell.
"""

import logging
import os

# TensorFlow reports what its libraries were built with, and how often it traced, as warnings and errors; a reader who
# sees them among the lines of a run looks for a fault that is none. A level that the user chose stays.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
logging.getLogger("tensorflow").setLevel(logging.ERROR)
