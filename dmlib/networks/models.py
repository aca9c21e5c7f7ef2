"""The way in to trained networks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..dataset.read import DataSet
from . import architectures as architectures  # registers the layers that saved networks are made of
from . import losses as losses
from .augment import mean_over_orientations
from .card import Card, NetworkError, read_card
from .fit import predict
from .targets import Standard


@dataclass(frozen=True)
class Network:
    """A trained network.

    Parameters
    ----------
    model : keras.Model
        Normalised inputs (n, y, x, channel), see `DataSet.inputs`, to standardised ln M (n, 20).
    card : Card
        What it was made from.
    path : Path
    """

    model: keras.Model
    card: Card
    path: Path

    @property
    def mean(self) -> np.ndarray:
        """Mean of the training galaxies' ln(M / Msun), shape (20,)."""
        return np.array(self.card.mean)

    @property
    def std(self) -> np.ndarray:
        """Their spread, shape (20,)."""
        return np.array(self.card.std)

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels of the input, in order."""
        return self.card.channels

    def predict_ln(self, inputs: np.ndarray, *, orientations: bool = True) -> np.ndarray:
        """ln(M_DM(<R) / Msun), shape (n, 20).

        Parameters
        ----------
        inputs : ndarray, shape (n, y, x, channel)
            Normalised, with this network's channels.
        orientations : bool
            Take the mean over the eight rotations and reflections of the input.

        Raises
        ------
        NetworkError
            For another shape, another number of channels, or inputs that are not finite.
        """
        self.check(inputs)
        inputs = np.asarray(inputs, dtype=np.float32)

        def once(images: np.ndarray) -> np.ndarray:
            return predict(self.model, images)

        scaled = mean_over_orientations(once, inputs) if orientations else once(inputs)
        return Standard(self.mean, self.std).unscale(scaled)

    def check(self, inputs: np.ndarray) -> None:
        """Refuse inputs that are not this network's; see `predict_ln`."""
        shape, card = np.shape(inputs), self.card
        wanted = f"(n, {card.pixels}, {card.pixels}, {len(card.channels)})"
        if len(shape) != 4 or shape[1:3] != (card.pixels, card.pixels):
            raise NetworkError(f"network {card.name} takes images of shape {wanted}, not {shape}: resample them.")
        if shape[3] != len(card.channels):
            raise NetworkError(
                f"network {card.name} takes {len(card.channels)} channels ({', '.join(card.channels)}), "
                f"not {shape[3]}: read them with `dataset.inputs(rows, {card.inputs!r})`."
            )
        if not np.isfinite(inputs).all():
            raise NetworkError(
                f"inputs of network {card.name} hold NaN or infinity: normalise maps with "
                "`dmlib.observe.moments.normalise`, which fills blank pixels."
            )

    def check_dataset(self, dataset: DataSet) -> None:
        """Refuse a data set of another universe than the network was trained on.

        Raises
        ------
        NetworkError
        """
        theirs = str(dataset.attributes["universe_identity"])
        if theirs != self.card.dataset["universe_identity"]:
            raise NetworkError(
                f"network {self.card.name} was trained on {self.card.dataset['data']} "
                f"({self.card.dataset['universe_identity'][:8]}), and {dataset.path} is of another universe "
                f"({theirs[:8]}): train again with `dmlib run --only models`, or say that this is meant."
            )


def read_network(folder: str | Path, name: str, member: int = 0) -> Network:
    """A trained network.

    Parameters
    ----------
    folder : path
        The folder ``models``.
    name : str
        For example ``C/all``, see `dmlib.networks.plan`.
    member : int
        Of the ensemble.

    Raises
    ------
    NetworkError
        When there is no such network or its files are damaged.
    """
    folder = Path(folder)
    path = folder / name / f"member{member}.keras"
    if not path.is_file():
        raise NetworkError(
            f"there is no network '{name}' with a member {member} in {folder}: there are "
            f"{', '.join(names(folder)) or 'none'}."
        )
    card = read_card(path.with_suffix(".json"))
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras, zipfile and h5py raise whatever they come across
        raise NetworkError(
            f"{path} is no whole Keras model ({type(error).__name__}): remove it and run `dmlib run --only models`."
        ) from error
    return Network(model, card, path)


def read_ensemble(folder: str | Path, name: str) -> list[Network]:
    """All members of an ensemble."""
    folder = Path(folder)
    members = len(list((folder / name).glob("member*.keras")))
    return [read_network(folder, name, member) for member in range(max(members, 1))]


def read_histories(folder: str | Path, name: str) -> list[dict[str, list[float]]]:
    """How the members' trainings went: of each ``loss``, ``val_loss`` (standardised), ``learning_rate``, ``seconds``,
    one value an epoch.

    Raises
    ------
    NetworkError
        When there is no such network.
    """
    folder = Path(folder)
    paths = sorted((folder / name).glob("member*.history.json"))
    if not paths:
        raise NetworkError(f"there is no network '{name}' in {folder}: there are {', '.join(names(folder)) or 'none'}.")
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def read_index(folder: str | Path) -> dict[str, Any]:
    """Every ensemble in the order of the plan: ``architecture``, ``inputs``, ``galaxies``, ``parameters``,
    ``schedule``, and of its ``members`` ``seed``, ``epochs_run``, ``best_epoch``, ``best_val_loss``, ``seconds``."""
    folder = Path(folder)
    path = folder / "index.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NetworkError(f"{path} cannot be read: run `dmlib run --only models` again.") from error


def names(folder: Path) -> list[str]:
    """Networks that lie in a folder."""
    return sorted({str(path.parent.relative_to(folder)) for path in folder.rglob("member*.keras")})
