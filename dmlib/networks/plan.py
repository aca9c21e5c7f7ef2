"""Which networks a profile trains, on which inputs, for how long.

The paper's schedule is profile ``paper``'s: Adam at 1e-3, batches of 32, 200 epochs at most, early stopping after 30
epochs without a better validation loss, best weights, ensembles of five bagged over galaxies. Profile ``quick`` must
end within minutes on two cores. It spends them where they count, and says so: fewer epochs with a learning rate that
falls to zero along half a cosine (a short training at a constant rate ends wherever it happens to be), fewer members,
and of ResNet50, ten times as dear as A, one member that sees the data a few times only. ``smoke`` trains enough to show
that everything runs, and nothing else.

This module knows names and numbers only; figures may import it without Keras.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from ..settings import Settings

#: Architectures that are compared, on all inputs.
ARCHITECTURES = ("A", "A_scripts", "B", "C", "ResNet50")

#: The network that inputs are compared with, and whose learning curve is drawn: the best for its cost on the
#: validation galaxies.
BEST_VALUE = "C"

#: Sets of inputs that are compared beside ``all``.
INPUTS = (
    *("photometry", "SDSS_URZ", "SDSS_I"),
    *("hi", "HI_0", "HI_1", "HI_2"),
    *("SDSS_URZ_HI_012", "SDSS_I_HI_012"),
)

#: Shares of the training galaxies of the learning curve; the last point is the network trained on all of them.
SHARES = (0.125, 0.25, 0.5)


@dataclass(frozen=True)
class Schedule:
    """How a network is trained.

    Parameters
    ----------
    epochs : int
        At most.
    members : int
        Of the ensemble.
    patience : int or None
        Epochs without a better validation loss after which the training ends; the best weights are kept in any case.
    learning_rate : float
        At the start.
    decay : {"constant", "cosine"}
        Of the learning rate: none, or to zero at the last epoch.
    batch : int
        Views of a step.
    weight_decay : float
        Decoupled (AdamW); 0 is Adam.
    bagging : {"none", "bootstrap", "bayesian"}
        What makes members differ beside their seeds: nothing; galaxies drawn with replacement; or random weights of the
        galaxies (exponential, the Bayesian bootstrap of Rubin 1981), which leaves no galaxy out.
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
    bagging: Literal["none", "bootstrap", "bayesian"] = "bootstrap"
    augment: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Of plain numbers and words."""
        return asdict(self)


@dataclass(frozen=True)
class Entry:
    """An ensemble that is trained.

    Parameters
    ----------
    name : str
        Of its folder and of its group in ``predictions.hdf5``: ``C/all``.
    architecture, inputs : str
    schedule : Schedule
    share : float
        Of the training galaxies.
    """

    name: str
    architecture: str
    inputs: str
    schedule: Schedule
    share: float = 1.0


PAPER = Schedule()
_QUICK = Schedule(epochs=24, members=1, patience=None, decay="cosine", bagging="none")
_SMOKE = replace(_QUICK, epochs=2)

SCHEDULES: dict[str, dict[str, Schedule]] = {
    "paper": dict.fromkeys(ARCHITECTURES, PAPER),
    "quick": {
        "A": _QUICK,
        "A_scripts": _QUICK,
        "B": replace(_QUICK, epochs=20, weight_decay=0.1),
        "C": replace(_QUICK, epochs=30, members=3, weight_decay=0.1),
        "ResNet50": replace(_QUICK, epochs=3),
    },
    "smoke": {**dict.fromkeys(ARCHITECTURES, _SMOKE), "ResNet50": replace(_SMOKE, epochs=1)},
}

#: Members of the ensembles of the comparison of inputs and of the learning curve.
_MEMBERS_ELSEWHERE = {"paper": 5, "quick": 1, "smoke": 1}


def plan(settings: Settings, n_train: int | None = None) -> list[Entry]:
    """The ensembles of a profile, in the order of the book.

    Parameters
    ----------
    settings : Settings
    n_train : int, optional
        Training galaxies there are, by which the points of the learning curve are named; without it the learning curve
        is left out.
    """
    schedules = SCHEDULES[settings.profile]
    entries = [Entry(f"{name}/all", name, "all", schedules[name]) for name in ARCHITECTURES]
    lean = replace(schedules[BEST_VALUE], members=_MEMBERS_ELSEWHERE[settings.profile])
    entries += [Entry(f"{BEST_VALUE}/{inputs}", BEST_VALUE, inputs, lean) for inputs in INPUTS]
    if n_train:
        entries += list(_learning_curve(n_train, lean))
    return entries


def _learning_curve(n_train: int, schedule: Schedule) -> Iterator[Entry]:
    for share in SHARES:
        n = round(share * n_train)
        if n >= 4:
            # As many steps for few galaxies as for many would take as long, as many epochs would be too few steps: the
            # middle way.
            epochs = schedule.epochs if schedule.patience else round(schedule.epochs * share**-0.5)
            some = replace(schedule, epochs=epochs)
            yield Entry(f"learning_curve/{n}", BEST_VALUE, "all", some, share)
