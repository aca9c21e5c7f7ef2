"""Draws of whole profiles for the test galaxies, from networks that give distributions: builds "posteriors".

The networks are those of the ensemble `dmlib.networks.plan.POSTERIOR`; each member gives its share of the draws.
Numbers of a view are means over its eight orientations. The spread of either posterior is then multiplied by a factor,
with which its 68% intervals hold 68% of the *calibration* galaxies, averaged over radii: training galaxies are fitted
too well, and the mean over orientations errs less than one orientation, for which a network states its errors. Test
galaxies have no part in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from ..dataset.read import DataSet, ln_mass, read_dataset
from ..errors import DmlibError
from ..files import atomic_path
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

_FACTORS = np.geomspace(0.5, 2.0, 29)
_STREAM = 0x706F7374  # a random stream of its own


@dataclass(frozen=True)
class Posteriors:
    """Draws of profiles for the test views.

    Parameters
    ----------
    path : Path
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
    costs : dict
        Kind -> mean -ln p of the validation views' coefficients, before the factor.
    calibrated_on : str
        Part of the data set that set the factors.
    """

    path: Path
    radii: np.ndarray
    rows: np.ndarray
    subhalo_id: np.ndarray
    truth: np.ndarray
    scale: np.ndarray
    draws: dict[str, np.ndarray]
    factors: dict[str, float]
    costs: dict[str, float]
    calibrated_on: str


def build(settings: Settings) -> None:
    """Make the product "posteriors", ``posteriors.hdf5``.

    Raises
    ------
    DmlibError
        When the data set or a network cannot be read.
    """
    from ..networks.models import read_ensemble

    dataset = read_dataset(settings.dataset_path)
    networks = read_ensemble(settings.models_dir, POSTERIOR)
    galaxy, ln_m = np.asarray(dataset.table["subhalo_id"]), ln_mass(dataset.dm_profile)
    few = len(np.unique(galaxy[dataset.rows("calibration")])) < FEWEST
    calibrated_on = "validation" if few else "calibration"
    rows = {part: dataset.rows(part) for part in ("train", "validation")}
    rows |= {"calibrated on": dataset.rows(calibrated_on), "test": dataset.rows("test")}
    shares = [DRAWS // len(networks) + (k < DRAWS % len(networks)) for k in range(len(networks))]
    members = [
        _Member(network, dataset, ln_m, rows, share, settings.seed + k)
        for k, (network, share) in enumerate(zip(networks, shares, strict=True))
    ]
    scale = networks[0].std
    with atomic_path(settings.posteriors_path) as temporary, h5py.File(temporary, "w") as handle:
        handle.attrs.update({"data": settings.label, "made_from": str(dataset.attributes["made_from"])})
        handle.attrs["calibrated_on"] = calibrated_on
        handle["radii"], handle["scale"] = dataset.radii, scale
        handle["rows"], handle["subhalo_id"] = rows["test"], galaxy[rows["test"]]
        handle["truth"] = dataset.dm_profile[rows["test"]]
        for kind in KINDS:
            draws = partial(_draws, members, kind)
            factor = best_factor(ln_m[rows["calibrated on"]], partial(draws, "calibrated on", most=_ENOUGH))
            handle[f"draws/{kind}"] = draws("test", factor).astype(np.float32)
            handle[f"draws/{kind}"].attrs["factor"] = factor
            handle[f"draws/{kind}"].attrs["cost"] = float(np.mean([member.costs[kind] for member in members]))


class _Member:
    """Draws of one network.

    Parameters
    ----------
    network : Network
    dataset : DataSet
    ln_m : ndarray, shape (view, 20)
    rows : dict
        Part -> rows; of ``train`` and ``validation`` for the flow, draws are made for the others.
    draws, seed : int
    """

    def __init__(
        self, network: Network, dataset: DataSet, ln_m: np.ndarray, rows: dict[str, np.ndarray], draws: int, seed: int
    ):
        from ..networks import posterior
        from ..networks.fit import Standard

        self._colour = posterior.colour
        self._standard = Standard(np.array(network.card.mean), network.std)
        self._layer = network.model.get_layer("profile")
        self._numbers = {
            part: network.outputs(dataset.inputs(some, network.channels))[:, len(dataset.radii) :]
            for part, some in rows.items()
        }
        context = {part: posterior.context_of(some) for part, some in self._numbers.items()}
        e, ln_det = {}, {}
        for part in ("train", "validation"):
            z = posterior.coefficients(self._layer, self._standard.scale(ln_m[rows[part]]))
            e[part], ln_det[part] = (np.asarray(found) for found in posterior.whiten(z, self._numbers[part]))
        flow = posterior.Flow(seed)
        cost = flow.fit(e["train"], context["train"], e["validation"], context["validation"], seed=seed)
        normal = 0.5 * np.sum(e["validation"] ** 2, axis=1) + 0.5 * posterior.NUMBERS * np.log(2.0 * np.pi)
        narrowing = float(np.mean(ln_det["validation"]))
        self.costs = {"normal": float(np.mean(normal)) - narrowing, "flow": cost - narrowing}
        rng = np.random.default_rng([seed, _STREAM])
        self._e = {}
        for part in rows.keys() - {"train", "validation"}:
            n = len(rows[part])
            self._e["normal", part] = rng.standard_normal((draws, n, posterior.NUMBERS))
            self._e["flow", part] = flow.sample(context[part], draws, rng)

    def profiles(self, kind: str, part: str, factor: float, most: int | None = None) -> np.ndarray:
        """Draws of ln M, at most `most`, shape (draw, n, 20)."""
        z = self._colour(factor * self._e[kind, part][:most], self._numbers[part]).astype(np.float32)
        return self._standard.unscale(np.asarray(self._layer(z.reshape(-1, z.shape[-1])))).reshape(*z.shape[:2], -1)


def _draws(members: list[_Member], kind: str, part: str, factor: float, most: int | None = None) -> np.ndarray:
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

    def missed(factor: float) -> float:
        return abs(np.nanmean(inside(rank_of_truth(truth, draws(factor)), LEVEL)) - LEVEL)

    return float(min(_FACTORS, key=missed))


def read_posteriors(path: str | Path) -> Posteriors:
    """Read the posteriors.

    Raises
    ------
    DmlibError
        When the file is damaged or malformed.
    """
    path = Path(path)
    try:
        with h5py.File(path, "r") as handle:
            groups = {kind: handle[f"draws/{kind}"] for kind in KINDS}
            return Posteriors(
                path=path,
                **{name: handle[name][()] for name in ("radii", "rows", "subhalo_id", "truth", "scale")},
                draws={kind: group[()].astype(float) for kind, group in groups.items()},
                factors={kind: float(group.attrs["factor"]) for kind, group in groups.items()},
                costs={kind: float(group.attrs["cost"]) for kind, group in groups.items()},
                calibrated_on=str(handle.attrs["calibrated_on"]),
            )
    except (OSError, KeyError) as error:
        raise DmlibError(f"{path} is not a whole file of posteriors ({error}): remove it and run again.") from error
