"""Which architectures there are, and which networks a profile trains, on which inputs, for how long.

The schedule of the paper is that of profile ``paper``: Adam at 1e-3, batches of 32, at most 200 epochs, early stopping
after 30 epochs without a better validation loss, best weights, ensembles of five bagged over galaxies. Profile
``quick`` must end within minutes on two cores: fewer epochs, with a learning rate that falls to zero along half a
cosine (a short training at a constant rate ends wherever it happens to be), fewer members, and a single epoch of
ResNet50, which costs twenty times as much as one of A: three epochs would not show either what it can do; that is known
from the reference trainings. At the paper's learning rate that epoch ends anywhere, by chance: one seed has validation
losses of 0.8, 1.4 and 3.3, another 5.1 and 7.2, when only the rounding differs; at 3e-4 they have 1.6 and 0.8.
With 20 to 24 epochs of A, A_scripts, B and E no validation loss was smaller by more than it differs between seeds.
``smoke`` only shows that everything runs.

This module does not import Keras; figures may import it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..settings import Settings
from ..sources import call
from . import NetworkError

if TYPE_CHECKING:
    import keras

#: Network used to compare inputs and for the learning curve: the best for its cost on the validation galaxies.
BEST_VALUE = "C"

#: Sets of inputs that are compared with ``all``.
INPUTS = (
    *("photometry", "SDSS_URZ", "SDSS_I", "hi", "HI_0", "HI_1", "HI_2"),
    *("SDSS_URZ_HI_012", "SDSS_I_HI_012"),
)

#: Shares of the training galaxies in the learning curve; its last point is the network trained on all of them.
SHARES = (0.125, 0.25, 0.5)

#: Smallest side of the images [pixel].
SMALLEST = 32


@dataclass(frozen=True)
class Schedule:
    """How a network is trained.

    Parameters
    ----------
    epochs : int
        Maximum number.
    members : int
        Size of the ensemble.
    patience : int or None
        Epochs without a better validation loss after which training ends; the best weights are kept in any case.
    learning_rate : float
        Initial value.
    decay : {"constant", "cosine"}
        Whether the learning rate stays, or falls to zero at the last epoch.
    batch : int
        Views per step.
    weight_decay : float
        Decoupled (AdamW); 0 is Adam.
    bagging : {"none", "bootstrap"}
        How members differ apart from their seeds: not at all, or by galaxies drawn with replacement.
    augment : bool
        Rotations and reflections, see `dmlib.networks.augment`.
    """

    epochs: int = 200
    members: int = 5
    patience: int | None = 30
    learning_rate: float = 1e-3
    decay: Literal["constant", "cosine"] = "constant"
    batch: int = 32
    weight_decay: float = 0.0
    bagging: Literal["none", "bootstrap"] = "bootstrap"
    augment: bool = True


_QUICK = Schedule(epochs=16, members=1, patience=None, decay="cosine", bagging="none")

#: Schedule of each profile; architectures may change it, see `Architecture.changes`. Profile ``smoke`` has one step an
#: epoch: to compile more of them takes longer than the training.
SCHEDULES = {"paper": Schedule(), "quick": _QUICK, "smoke": replace(_QUICK, epochs=2, batch=128)}

#: Name of the ensemble whose networks give distributions of profiles.
POSTERIOR = "posterior/all"

#: Members of the ensembles for the comparison of inputs and for the learning curve.
_MEMBERS_ELSEWHERE = {"paper": 5, "quick": 1, "smoke": 1}
_MEMBERS_OF_POSTERIOR = {"paper": 5, "quick": 2, "smoke": 1}


@dataclass(frozen=True)
class Architecture:
    """One architecture.

    Parameters
    ----------
    name : str
        Name of its networks' folders and groups.
    builder : str
        ``"module:function"``, see `dmlib.networks.architectures`; the module is imported when a network is built.
    title : str
        Name in tables and figures.
    origin : str
        Source of its definition.
    cost : float
        Approximate time of one epoch, relative to C; the longest trainings start first.
    changes : mapping
        Profile -> fields of the `Schedule` in which it differs from the profile's.
    symmetric : bool
        Whether it gives the same for all orientations of its input, so that one of them is enough.
    """

    name: str
    builder: str
    title: str
    origin: str
    cost: float = 1.0
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    symmetric: bool = False

    @property
    def module(self) -> str:
        """Module of the builder."""
        return self.builder.partition(":")[0]

    def schedule(self, profile: str) -> Schedule:
        """How it is trained in a profile."""
        return replace(SCHEDULES[profile], **self.changes.get(profile, {}))

    def build(self, channels: Sequence[str], pixels: int, outputs: int = 20) -> keras.Model:
        """A network with random weights.

        Parameters
        ----------
        channels : sequence of str
            Names of the input's channels, bands and ``moment0`` ...; C treats light and HI separately.
        pixels : int
            Side of the images, at least `SMALLEST`.
        outputs : int
            Numbers that its last, linear layer puts out; a training asks for `dmlib.networks.profile.NUMBERS`.

        Returns
        -------
        keras.Model
            Normalised images, shape (n, pixels, pixels, channel), to shape (n, outputs).

        Raises
        ------
        NetworkError
            For no channel, or images that are too small.
        """
        if pixels < SMALLEST:
            raise NetworkError(f"images of {pixels} pixels a side are too small for a network: use {SMALLEST} or more.")
        if not len(channels):
            raise NetworkError(f"network {self.name} needs at least one channel.")
        return call(self.builder, tuple(channels), pixels, outputs)


_HERE = "dmlib.networks.architectures"

#: How the training of C, and of C without one of its parts, differs from a profile's.
_C: Mapping[str, Mapping[str, Any]] = {"quick": {"epochs": 30, "members": 2, "weight_decay": 0.1}}

#: The registry, in the order of the book. To add an architecture, write a module with its builder and add a row.
ARCHITECTURES: dict[str, Architecture] = {
    architecture.name: architecture
    for architecture in (
        Architecture(
            *("A", f"{_HERE}.published:talk", "A", "the talk's table, but nine outputs for its 20", 3.5),
            changes={"quick": {"epochs": 8}},
        ),
        Architecture("A_scripts", f"{_HERE}.published:scripts", "A (scripts)", "the authors' scripts", 3.0),
        Architecture(
            *("B", f"{_HERE}.b:build", "B", "our own: residual, 3x3, global pooling", 6.0),
            changes={"quick": {"epochs": 12, "weight_decay": 0.1}},
        ),
        Architecture(*("C", f"{_HERE}.c:build", "C", "our own: ring network with aperture moments"), changes=_C),
        Architecture(
            *("E", f"{_HERE}.e:build", "E", "our own: equivariant under rotations and reflections", 5.5),
            changes={"quick": {"epochs": 18, "weight_decay": 0.1}},
            symmetric=True,
        ),
        Architecture(
            *("ResNet50", f"{_HERE}.published:resnet50", "ResNet50", "He et al. 2016, with minimal changes", 70.0),
            changes={"quick": {"epochs": 1, "learning_rate": 3e-4}, "smoke": {"epochs": 1}},
        ),
    )
}

#: C without one of its two branches: trained as C is, to tell what each of them brings.
ABLATIONS: dict[str, Architecture] = {
    ablation.name: ablation
    for ablation in (
        Architecture(
            *("C_no_convolutions", f"{_HERE}.c:without_convolutions", "C without convolutions"),
            *("C with its aperture moments only", 0.3, _C),
            symmetric=True,
        ),
        Architecture(
            *("C_no_apertures", f"{_HERE}.c:without_apertures", "C without apertures"),
            *("C with its ring convolutions only", 1.0, _C),
        ),
    )
}


def architecture(name: str) -> Architecture:
    """An architecture of the registry, or an ablation.

    Raises
    ------
    NetworkError
        For an unknown name.
    """
    if name not in ARCHITECTURES | ABLATIONS:
        raise NetworkError(f"there is no architecture '{name}': choose {', '.join(ARCHITECTURES | ABLATIONS)}.")
    return (ARCHITECTURES | ABLATIONS)[name]


@dataclass(frozen=True)
class Entry:
    """An ensemble to be trained.

    Parameters
    ----------
    name : str
        Of its folder and of its group in ``predictions.hdf5``: ``C/all``.
    architecture, inputs : str
    schedule : Schedule
    share : float
        Of the training galaxies.
    head : {"profile", "normal"}
        What the network puts out: a profile, or a distribution of profiles, see `dmlib.networks.posterior`.
    """

    name: str
    architecture: str
    inputs: str
    schedule: Schedule
    share: float = 1.0
    head: Literal["profile", "normal"] = "profile"


def plan(settings: Settings, n_train: int | None = None) -> list[Entry]:
    """The ensembles of a profile, in the order of the book.

    Parameters
    ----------
    settings : Settings
    n_train : int, optional
        Number of training galaxies, which names the points of the learning curve; without it there is no learning
        curve.
    """
    profile = settings.profile
    every = ARCHITECTURES | ABLATIONS
    entries = [Entry(f"{name}/all", name, "all", each.schedule(profile)) for name, each in every.items()]
    lean = replace(ARCHITECTURES[BEST_VALUE].schedule(profile), members=_MEMBERS_ELSEWHERE[profile])
    entries += [Entry(f"{BEST_VALUE}/{inputs}", BEST_VALUE, inputs, lean) for inputs in INPUTS]
    posterior = replace(lean, members=_MEMBERS_OF_POSTERIOR[profile])
    entries.append(Entry(POSTERIOR, BEST_VALUE, "all", posterior, head="normal"))
    if n_train:
        entries += _learning_curve(n_train, lean)
    return entries


def _learning_curve(n_train: int, schedule: Schedule) -> Iterator[Entry]:
    for share in SHARES:
        n = round(share * n_train)
        if n >= 4:
            # Equal steps for few and for many galaxies would take too long, equal epochs would be too few steps: a
            # compromise.
            epochs = schedule.epochs if schedule.patience else round(schedule.epochs * share**-0.4)
            yield Entry(f"learning_curve/{n}", BEST_VALUE, "all", replace(schedule, epochs=epochs), share)


def share_of(galaxy: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Views of a random share of the galaxies; a smaller share is part of a larger one."""
    distinct = np.random.default_rng([seed, 0x736861]).permutation(np.unique(galaxy))
    return np.flatnonzero(np.isin(galaxy, distinct[: round(share * len(distinct))]))
