"""Model cards: what a trained network was made from, as JSON beside its ``.keras`` file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import DmlibError


class NetworkError(DmlibError):
    """A network that cannot be trained, read or applied."""


class Card(BaseModel):
    """What a member of an ensemble was made from, and how its training went.

    Parameters
    ----------
    name : str
        ``<architecture>/<inputs>``, for example ``C/all``.
    architecture, inputs, member
        Key of the registry, set of inputs, number within the ensemble.
    channels : tuple of str
        Channels of the input in their order.
    pixels : int
        Side of the input images.
    key : str
        Fingerprint of everything that decides the result: a member with this key needs no new training.
    dataset : dict
        ``made_from`` (fingerprint of the data set), ``universe_identity``, ``data`` (label), ``profile``.
    schedule : dict
        See `dmlib.networks.plan.Schedule`.
    seed : int
        Of this member: initial weights, order of batches, augmentation, dropout, and the galaxies drawn.
    galaxies : dict
        ``train``, ``validation`` (galaxies), ``distinct`` (different galaxies among those drawn), ``train_views``.
    mean, std : tuple of float
        Scales of the target, ln(M / Msun), from the training galaxies.
    parameters : int
        Trainable parameters.
    epochs_run, best_epoch : int
    best_val_loss : float
        MSE of the standardised target over the validation views.
    seconds : float
        Wall time of the training.
    code : dict
        ``dmlib``, ``keras``, ``backend`` and its version, ``precision``, ``sources`` (fingerprint).
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    architecture: str
    inputs: str
    member: int
    channels: tuple[str, ...]
    pixels: int
    key: str
    dataset: dict[str, Any]
    schedule: dict[str, Any]
    seed: int
    galaxies: dict[str, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    parameters: int
    epochs_run: int
    best_epoch: int
    best_val_loss: float
    seconds: float
    code: dict[str, str]


def read_card(path: Path) -> Card:
    """Read a card.

    Raises
    ------
    NetworkError
        When it is missing or not of its form.
    """
    try:
        return Card.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NetworkError(f"{path} is missing: train again with `dmlib run --only models --force`.") from error
    except (ValidationError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0]
        raise NetworkError(f"{path} is no model card ({first}): remove it and train again.") from error


def fingerprint(content: Any) -> str:
    """Sha256 of a JSON-like object."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def sources(*names: str) -> str:
    """Fingerprint of the text of modules of this folder, for example ``"fit.py"``."""
    digest = hashlib.sha256()
    for name in names:
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()
