"""Trained networks: their cards, reading and applying them, and what they cost. Keras is imported when it is needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from ..dataset.read import DataSet, ln_mass
from . import NetworkError
from .augment import N_ORIENTATIONS, orient
from .plan import ARCHITECTURES, architecture

if TYPE_CHECKING:
    import keras

    from .fit import Averaged


class Card(BaseModel):
    """What a member of an ensemble was made from, and how its training went: the JSON file beside its ``.keras`` file.

    Parameters
    ----------
    name : str
        ``<architecture>/<inputs>``, for example ``C/all``.
    architecture, inputs, member
        Key of the registry, set of inputs, number within the ensemble.
    channels : tuple of str
        Channels of the input, in order.
    pixels : int
        Side of the input images.
    key : str
        Fingerprint of everything on which the result depends: a member with this key needs no new training.
    dataset : dict
        ``made_from`` (fingerprint of the data set), ``universe_identity``, ``data`` (label), ``profile``.
    schedule : dict
        See `dmlib.networks.plan.Schedule`.
    share : float
        Of the training galaxies.
    head : str
        See `dmlib.networks.plan.Entry`.
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
        Loss over the validation views: the MSE of the standardised target, or that of another head.
    seconds : float
        Wall time of the training.
    code : dict
        ``dmlib``, ``keras``, ``backend``, ``precision``, ``defaults`` (of Keras), ``sources`` (fingerprint).
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    architecture: str
    inputs: str
    member: int
    channels: tuple[str, ...]
    pixels: int
    key: str
    dataset: dict[str, str]
    schedule: dict[str, Any]
    share: float
    head: str = "profile"
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
        When it is missing or malformed.
    """
    try:
        return Card.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise NetworkError(f"{path} is missing or damaged ({first}): remove the network and train again.") from error


@dataclass(frozen=True)
class Network:
    """A trained network.

    Parameters
    ----------
    model : keras.Model
        Normalised inputs (n, y, x, channel), see `DataSet.inputs`, to standardised ln M (n, 20); a head that gives a
        distribution puts out its numbers after the 20.
    card : Card
    """

    model: keras.Model
    card: Card

    @property
    def std(self) -> np.ndarray:
        """Standard deviation of the training galaxies' ln M, shape (20,): one unit of the network's outputs."""
        return np.array(self.card.std)

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels of the input, in order."""
        return self.card.channels

    def predict_ln(self, inputs: np.ndarray) -> np.ndarray:
        """ln(M_DM(<R) / Msun), mean over the eight rotations and reflections of the input, shape (n, 20).

        Parameters
        ----------
        inputs : ndarray, shape (n, y, x, channel)
            Normalised, with this network's channels.

        Raises
        ------
        NetworkError
            For another shape, another number of channels, or inputs that are not finite.
        """
        return self.as_ln(self.outputs(inputs))

    def as_ln(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs of the model as ln(M_DM(<R) / Msun), shape (n, 20)."""
        from .fit import Standard

        return Standard(np.array(self.card.mean), self.std).unscale(outputs[:, : len(self.card.mean)])

    def outputs(self, inputs: np.ndarray) -> np.ndarray:
        """All outputs, mean over the eight rotations and reflections; errors as `predict_ln`."""
        from .fit import predict

        shape, card = np.shape(inputs), self.card
        if len(shape) != 4 or shape[1:] != (card.pixels, card.pixels, len(card.channels)):
            wanted = f"(n, {card.pixels}, {card.pixels}, {len(card.channels)}) with channels {', '.join(card.channels)}"
            mend = f"read them with `dataset.inputs(rows, {card.inputs!r})`"
            raise NetworkError(f"network {card.name} takes images of shape {wanted}, not {shape}: {mend}.")
        if not np.isfinite(inputs).all():
            raise NetworkError(
                f"inputs of network {card.name} hold NaN or infinity: `normalise` fills blank pixels of maps."
            )
        images = np.asarray(inputs, dtype=np.float32)
        if architecture(card.architecture).symmetric:
            return predict(self.model, images).astype(float)
        return self._averaged(images)

    @cached_property
    def _averaged(self) -> Averaged:
        from .fit import Averaged

        return Averaged(self.model)

    def check_dataset(self, dataset: DataSet) -> None:
        """Refuse a data set of another universe than the one that the network was trained on.

        Raises
        ------
        NetworkError
        """
        theirs, ours = str(dataset.attributes["universe_identity"]), self.card.dataset["universe_identity"]
        if theirs != ours:
            said = f"network {self.card.name} was trained on {self.card.dataset['data']}, {dataset.path} is of another"
            raise NetworkError(
                f"{said} universe ({theirs[:8]}, not {ours[:8]}): `dmlib run --only models` trains again."
            )


def read_network(folder: str | Path, name: str, member: int = 0) -> Network:
    """Read a trained network.

    Parameters
    ----------
    folder : path
        The folder ``models``.
    name : str
        For example ``C/all``, see `dmlib.networks.plan`.
    member : int
        Number within the ensemble.

    Raises
    ------
    NetworkError
        When there is no such network or its files are damaged.
    """
    import keras

    from .fit import eager

    path = Path(folder) / name / f"member{member}.keras"
    if not path.is_file():
        raise NetworkError(f"there is no network '{name}' with a member {member} in {folder}{_names(folder)}")
    card = read_card(path.with_suffix(".json"))
    for module in (architecture(card.architecture).module, "dmlib.networks.profile"):
        import_module(module)  # registers its layers, needed to read the file
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras, zipfile and h5py raise errors of any type
        raise NetworkError(f"{path} is damaged ({type(error).__name__}): remove it and run `dmlib run`.") from error
    return Network(eager(model), card)


def read_ensemble(folder: str | Path, name: str) -> list[Network]:
    """All members of an ensemble; errors as `read_network`."""
    members = len(list((Path(folder) / name).glob("member*.keras")))
    return [read_network(folder, name, member) for member in range(max(members, 1))]


def read_histories(folder: str | Path, name: str) -> list[dict[str, list[float]]]:
    """``loss``, ``val_loss`` (standardised), ``learning_rate`` and ``seconds`` of each member's epochs.

    Raises
    ------
    NetworkError
        When there is no such network.
    """
    paths = sorted((Path(folder) / name).glob("member*.history.json"))
    if not paths:
        raise NetworkError(f"there is no network '{name}' in {folder}{_names(folder)}")
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def read_index(folder: str | Path) -> dict[str, Any]:
    """Summary of every ensemble, in the order of the plan.

    Returns
    -------
    dict
        Name -> ``architecture``, ``inputs``, ``galaxies``, ``parameters``, ``schedule``, and ``members`` with ``seed``,
        ``epochs_run``, ``best_epoch``, ``best_val_loss``, ``seconds``.

    Raises
    ------
    NetworkError
        When the index is missing or damaged.
    """
    path = Path(folder) / "index.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NetworkError(f"{path} cannot be read: run `dmlib run --only models` again.") from error


def architecture_rows(index: dict[str, Any], dataset: DataSet) -> list[dict[str, Any]]:
    """One row for each architecture that was trained on all inputs.

    Parameters
    ----------
    index : dict
        See `read_index`.
    dataset : DataSet

    Returns
    -------
    list of dict
        ``name``, ``origin``, ``parameters``, the fraction of them ``in convolutions``, ``multiplications`` (one image,
        forward), ``members``, ``epochs`` (maximum run), ``seconds`` (wall time of one member's training, mean).
    """
    from .profile import NUMBERS

    rows = []
    for name, entry in ARCHITECTURES.items():
        trained = index[f"{name}/all"]
        model = entry.build(dataset.channels("all"), dataset.input_grid.pixels, NUMBERS)
        row = {"name": name, "origin": entry.origin, "parameters": trained["parameters"]}
        row |= {"in convolutions": in_convolutions(model), "multiplications": multiplications(model)}
        rows.append(row | cost_of(trained))
    return rows


def cost_of(trained: dict[str, Any], members: int | None = None) -> dict[str, Any]:
    """What the training of one member costs.

    Parameters
    ----------
    trained : dict
        An ensemble of `read_index`.
    members : int, optional
        Take the first so many members, as `dmlib.networks.predictions.Predictions.equally` does.

    Returns
    -------
    dict
        ``members`` taken, ``epochs`` (maximum run), ``seconds`` (wall time, mean).
    """
    some = trained["members"][:members]
    seconds = float(np.mean([member["seconds"] for member in some]))
    return {"members": len(some), "epochs": max(member["epochs_run"] for member in some), "seconds": seconds}


def in_convolutions(model: keras.Model) -> float:
    """Fraction of a network's weights in its convolutions."""
    weights = sum(layer.count_params() for layer in model.layers if len(_kernel_shape(layer)) > 2)
    return weights / model.count_params()


def multiplications(model: keras.Model) -> int:
    """Multiply-adds of convolutions and dense layers for one image, forward only (three times as many in training)."""
    kernels = [(layer, _kernel_shape(layer)) for layer in model.layers]
    return sum(int(np.prod(layer.output.shape[1:-1])) * int(np.prod(shape)) for layer, shape in kernels if shape)


def _kernel_shape(layer: keras.layers.Layer) -> tuple[int, ...]:
    """Of the kernel that is applied at every place of the output; () without a kernel."""
    return tuple(layer.kernel.shape) if hasattr(layer, "kernel") else ()


def equivariance_error(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """How much a network's answer depends on the orientation on the sky, before averaging over orientations.

    Parameters
    ----------
    model : keras.Model
    images : ndarray, shape (n, y, x, channel)
        Normalised.

    Returns
    -------
    ndarray, shape (20,)
        Standard deviation of the standardised output over the eight orientations, r.m.s. over the images.
    """
    return _spread(_each_orientation(model, images))


def _each_orientation(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Outputs for the eight orientations, shape (8, n, k)."""
    from .fit import predict

    return np.array([predict(model, orient(images, element)) for element in range(N_ORIENTATIONS)])


def _spread(outputs: np.ndarray) -> np.ndarray:
    return np.sqrt(np.var(outputs, axis=0, dtype=float).mean(axis=0))


def symmetry_rows(
    folder: str | Path, dataset: DataSet, names: Sequence[str], *, views: int = 64, seed: int
) -> list[dict[str, Any]]:
    """`equivariance_error` of each architecture before and after its training, on validation views.

    Parameters
    ----------
    folder : path
        The folder ``models``.
    dataset : DataSet
    names : sequence of str
        Of architectures.
    views : int
        Maximum number of views, drawn at random.
    seed : int
        Of the untrained networks and of the views.

    Returns
    -------
    list of dict
        ``name``, and the r.m.s. over the radii, in standard deviations of the training galaxies' ln M: ``untrained``;
        ``trained``, the first member; and its ``error``, of the mean over orientations. ``galaxies`` is their number.
    """
    from . import fit

    rows = np.random.default_rng(seed).permutation(dataset.rows("validation"))[:views]
    inputs = dataset.inputs(rows, "all")
    train, galaxy = dataset.rows("train"), np.asarray(dataset.table["subhalo_id"])
    ln_m = ln_mass(dataset.dm_profile)
    standard = fit.Standard.of(ln_m[train])
    training = fit.Views(inputs, standard.scale(ln_m[train]), galaxy[train], standard)
    found = []
    for name in names:
        fit.make_deterministic(seed)
        with fit.precision("float32"):
            fresh = fit.network(architecture(name), dataset.channels("all"), training)
        fit.adapt(fresh, inputs)
        trained = read_network(folder, f"{name}/all")
        outputs = _each_orientation(trained.model, inputs)
        errors = {
            "untrained": equivariance_error(fresh, inputs),
            "trained": _spread(outputs),
            "error": (trained.as_ln(outputs.mean(axis=0)) - ln_m[rows]) / trained.std,
        }
        row = {"name": name, "galaxies": len(np.unique(galaxy[rows]))}
        found.append(row | {key: float(np.sqrt(np.nanmean(values**2))) for key, values in errors.items()})
    return found


def _names(folder: str | Path) -> str:
    found = sorted({str(path.parent.relative_to(folder)) for path in Path(folder).rglob("member*.keras")})
    return f": there are {', '.join(found) or 'none'}."
