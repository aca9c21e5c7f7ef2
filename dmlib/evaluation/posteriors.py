"""Draws of whole profiles for the test galaxies, from networks that give distributions: builds "posteriors".

The networks are those of the ensemble `dmlib.networks.plan.POSTERIOR`; each member gives its share of the draws.
Numbers of a view are means over its eight orientations. The spread of either posterior is then multiplied by a factor,
with which its 68% intervals hold 68% of other galaxies, averaged over radii: training galaxies are fitted too well, and
the mean over orientations errs less than one orientation, for which a network states its errors. The others are those
for calibration and, where they stopped no training of a network, those for validation (they do stop that of the flow):
the factor inherits the luck of its galaxies, and those for calibration alone are few. Test galaxies have no part in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from ..bootstrap import Bootstrap
from ..dataset.read import DataSet, ln_mass, read_dataset
from ..files import atomic_path, open_product
from ..networks.plan import POSTERIOR
from ..networks.predictions import FEWEST
from ..settings import Settings
from .posterior_checks import LEVEL, inside, rank_of_truth

if TYPE_CHECKING:
    from ..networks.models import Network

#: The posteriors: a normal distribution of the coefficients, and the flow.
KINDS = ("normal", "flow")

#: Draws for each view.
DRAWS = 400

#: Draws of each network from which the factor is found.
_ENOUGH = 100

#: Range of the factor, and how often it is halved: to half a per cent.
_FACTORS, _HALVINGS = (0.4, 2.5), 9

_STREAM = 0x706F7374  # a random stream of its own


@dataclass(frozen=True)
class Posteriors:
    """Draws of profiles for the test views.

    Parameters
    ----------
    radii : ndarray, shape (20,)
        [kpc]
    rows, subhalo_id : ndarray of int, shape (n,)
    truth : ndarray, shape (n, 20)
        [Msun]
    scale : ndarray, shape (20,)
        Standard deviation of ln M between the training galaxies.
    draws : dict
        Kind -> ln M (draw, n, 20).
    factors : dict
        Kind -> factor of its spread.
    calibration : dict
        Kind -> standard deviation of the coverage that is due to the choice of the galaxies that set the factor.
    calibrated_on : int
        Their number.
    costs : dict
        Kind -> mean -ln p of the validation views' coefficients, before the factor.
    """

    radii: np.ndarray
    rows: np.ndarray
    subhalo_id: np.ndarray
    truth: np.ndarray
    scale: np.ndarray
    draws: dict[str, np.ndarray]
    factors: dict[str, float]
    calibration: dict[str, float]
    calibrated_on: int
    costs: dict[str, float]


def build(settings: Settings) -> None:
    """Make the product "posteriors", ``posteriors.hdf5``.

    Raises
    ------
    DmlibError
        When the data set or a network cannot be read.
    """
    from ..networks.models import read_ensemble

    dataset = read_dataset(settings.dataset_path)
    galaxy, ln_m = np.asarray(dataset.table["subhalo_id"]), ln_mass(dataset.dm_profile)
    networks = read_ensemble(settings.models_dir, POSTERIOR)
    calibration, test = rows_of_calibration(dataset, networks), dataset.rows("test")
    members = trained_members(networks, dataset, settings.seed)
    for member in members:
        member.look("calibration", dataset, calibration)
        member.look("test", dataset, test)
    bootstrap = Bootstrap(galaxy[calibration])
    with atomic_path(settings.posteriors_path) as temporary, h5py.File(temporary, "w") as handle:
        handle.attrs.update({"data": settings.label, "made_from": dataset.made_from})
        handle.attrs["calibrated_on"] = bootstrap.n_galaxies
        handle["radii"], handle["scale"] = dataset.radii, networks[0].std
        handle["rows"], handle["subhalo_id"] = test, galaxy[test]
        handle["truth"] = dataset.dm_profile[test]
        for kind in KINDS:
            factor, error = calibrate(members, kind, "calibration", ln_m[calibration], bootstrap)
            handle[f"draws/{kind}"] = draws_of(members, kind, "test", factor).astype(np.float32)
            cost = float(np.mean([member.costs[kind] for member in members]))
            handle[f"draws/{kind}"].attrs.update({"factor": factor, "calibration": error, "cost": cost})


def rows_of_calibration(dataset: DataSet, networks: list[Network]) -> np.ndarray:
    """Rows of the galaxies that set the factors."""
    galaxies = len(np.unique(dataset.table["subhalo_id"][dataset.rows("calibration")]))
    alone = galaxies >= FEWEST and any(network.card.schedule["patience"] for network in networks)
    parts = ("calibration",) if alone else ("calibration", "validation")
    return np.concatenate([dataset.rows(part) for part in parts])


def trained_members(networks: list[Network], dataset: DataSet, seed: int) -> list[_Member]:
    """The networks with their flows, each with its share of the draws."""
    shares = [DRAWS // len(networks) + (k < DRAWS % len(networks)) for k in range(len(networks))]
    return [
        _Member(network, dataset, share, seed + k)
        for k, (network, share) in enumerate(zip(networks, shares, strict=True))
    ]


def calibrate(
    members: list[_Member], kind: str, part: str, truth: np.ndarray, bootstrap: Bootstrap
) -> tuple[float, float]:
    """Factor of the spread from some views, and the error of the coverage that is due to their choice.

    Parameters
    ----------
    members : list of _Member
    kind, part : str
    truth : ndarray, shape (n, 20)
        ln M of these views.
    bootstrap : Bootstrap
        Of their galaxies.
    """
    draws = partial(draws_of, members, kind, part, most=_ENOUGH)
    factor = best_factor(truth, draws)
    share = np.nanmean(inside(rank_of_truth(truth, draws(factor)), LEVEL), axis=1)
    return factor, float(bootstrap.mean(share).error)


class _Member:
    """Draws of one network.

    Parameters
    ----------
    network : Network
    dataset : DataSet
        With the training and validation views of the flow.
    draws, seed : int
    """

    def __init__(self, network: Network, dataset: DataSet, draws: int, seed: int):
        from ..networks import posterior
        from ..networks.fit import Standard

        self._network, self._draws = network, draws
        self._standard = Standard(np.array(network.card.mean), network.std)
        self._layer = network.model.get_layer("profile")
        self._numbers: dict[str, np.ndarray] = {}
        self._e: dict[tuple[str, str], np.ndarray] = {}
        self._rng = np.random.default_rng([seed, _STREAM])
        e, context, ln_det = {}, {}, {}
        for part in ("train", "validation"):
            rows = dataset.rows(part)
            numbers = self._read(dataset, rows)
            z = posterior.coefficients(self._layer, self._standard.scale(ln_mass(dataset.dm_profile[rows])))
            e[part], ln_det[part] = (np.asarray(found) for found in posterior.whiten(z, numbers))
            context[part] = posterior.context_of(numbers)
        self._flow = posterior.Flow(seed)
        cost = self._flow.fit(e["train"], context["train"], e["validation"], context["validation"], seed=seed)
        normal = 0.5 * np.sum(e["validation"] ** 2, axis=1) + 0.5 * posterior.NUMBERS * np.log(2.0 * np.pi)
        narrowing = float(np.mean(ln_det["validation"]))
        self.costs = {"normal": float(np.mean(normal)) - narrowing, "flow": cost - narrowing}

    def _read(self, dataset: DataSet, rows: np.ndarray) -> np.ndarray:
        inputs = dataset.inputs(rows, self._network.channels, keep=True)
        return self._network.outputs(inputs)[:, len(dataset.radii) :]

    def look(self, part: str, dataset: DataSet, rows: np.ndarray) -> None:
        """Draw for some views, which `part` names from now on."""
        from ..networks import posterior

        numbers = self._numbers[part] = self._read(dataset, rows)
        self._e["normal", part] = self._rng.standard_normal((self._draws, len(rows), posterior.NUMBERS))
        self._e["flow", part] = self._flow.sample(posterior.context_of(numbers), self._draws, self._rng)

    def profiles(self, kind: str, part: str, factor: float, most: int | None = None) -> np.ndarray:
        """Draws of ln M, at most `most`, shape (draw, n, 20)."""
        from ..networks.posterior import colour

        z = colour(factor * self._e[kind, part][:most], self._numbers[part]).astype(np.float32)
        return self._standard.unscale(np.asarray(self._layer(z.reshape(-1, z.shape[-1])))).reshape(*z.shape[:2], -1)


def draws_of(members: list[_Member], kind: str, part: str, factor: float, most: int | None = None) -> np.ndarray:
    """Draws of ln M of all members for the views `part`, at most `most` each, shape (draw, n, 20)."""
    return np.concatenate([member.profiles(kind, part, factor, most) for member in members])


def best_factor(truth: np.ndarray, draws: Callable[[float], np.ndarray]) -> float:
    """Factor of the spread with which 68% intervals hold 68% of the truth, on average over views and radii.

    Parameters
    ----------
    truth : ndarray, shape (n, r)
        ln M of the calibration views.
    draws : callable
        Factor to draws, shape (d, n, r).
    """
    low, high = _FACTORS
    for _ in range(_HALVINGS):
        middle = float(np.sqrt(low * high))
        if np.nanmean(inside(rank_of_truth(truth, draws(middle)), LEVEL)) < LEVEL:
            low = middle
        else:
            high = middle
    return float(np.sqrt(low * high))


def read_posteriors(path: str | Path) -> Posteriors:
    """Read the posteriors.

    Raises
    ------
    DmlibError
        When the file is damaged or malformed.
    """
    with open_product(path, "file of posteriors") as handle:
        groups = {kind: handle[f"draws/{kind}"] for kind in KINDS}
        return Posteriors(
            **{name: handle[name][()] for name in ("radii", "rows", "subhalo_id", "truth", "scale")},
            draws={kind: group[()].astype(float) for kind, group in groups.items()},
            factors={kind: float(group.attrs["factor"]) for kind, group in groups.items()},
            calibration={kind: float(group.attrs["calibration"]) for kind, group in groups.items()},
            calibrated_on=int(handle.attrs["calibrated_on"]),
            costs={kind: float(group.attrs["cost"]) for kind, group in groups.items()},
        )
