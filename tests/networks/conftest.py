"""Modules that import Keras, as fixtures, so that collecting the tests does not load TensorFlow; toys made once."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import numpy as np
import pytest

from dmlib.networks import predictions, train
from dmlib.networks.plan import ARCHITECTURES, Architecture
from dmlib.settings import Settings
from network_toys import ENTRIES, paint, write_dataset


def _module(name: str):
    @pytest.fixture(scope="session", name=name.rpartition(".")[2])
    def module() -> ModuleType:
        return importlib.import_module(name)

    return module


keras = _module("keras")
fit = _module("dmlib.networks.fit")
profile = _module("dmlib.networks.profile")
c = _module("dmlib.networks.architectures.c")
e = _module("dmlib.networks.architectures.e")
saliency = _module("dmlib.networks.saliency")
saliency_measures = _module("dmlib.networks.saliency_measures")
sensitivity = _module("dmlib.networks.sensitivity")

#: The module of an architecture, as somebody would write it who adds one.
TINY = '''
import keras

def build(channels, pixels, outputs):
    """One convolution, an average and a dense layer, with dropout."""
    image = keras.Input((pixels, pixels, len(channels)))
    x = keras.layers.Conv2D(8, 3, strides=4, padding="same", activation="relu")(image)
    x = keras.layers.Dropout(0.1)(keras.layers.GlobalAveragePooling2D()(x))
    x = keras.layers.BatchNormalization(momentum=0.8)(x)
    return keras.Model(image, keras.layers.Dense(outputs)(x))
'''


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Architecture:
    """An architecture added to the registry: its module, and one row."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "tiny_network.py").write_text(TINY, encoding="utf-8")
    sys.path.insert(0, str(folder))
    row = Architecture("tiny", "tiny_network:build", "tiny", "for tests", changes={"smoke": {"epochs": 1}})
    ARCHITECTURES["tiny"] = row
    yield row
    del ARCHITECTURES["tiny"]
    sys.path.remove(str(folder))


@pytest.fixture(scope="session")
def painted() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, ln M and galaxies of 60 painted galaxies."""
    return paint(60, seed=3)


@pytest.fixture(scope="session")
def built(tmp_path_factory, tiny) -> Settings:
    """Two ensembles trained on painted galaxies, and their predictions."""
    settings = Settings(profile="smoke", build_root=str(tmp_path_factory.mktemp("networks")))
    write_dataset(settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predictions, "predict_baselines", lambda *_: iter(()))  # they have tests of their own
        patch.setattr(predictions, "_CALIBRATED", ("tiny/all",))
        train.build(settings, entries=ENTRIES, workers=1)
        predictions.build(settings)
    return settings
