"""Draws of whole profiles for the test galaxies (builds "posteriors"), and tests whether they are right and useful.

The networks are those of the ensemble `dmlib.networks.plan.POSTERIOR`; each member gives its share of the draws.
Numbers of a view are means over its eight orientations. The spread of either posterior is then multiplied by a factor,
with which its 68% intervals hold 68% of other galaxies, averaged over radii: training galaxies are fitted too well, and
the mean over orientations errs less than one orientation, for which a network states its errors. The others are those
for calibration and, where they stopped no training of a network, those for validation (they do stop that of the flow):
the factor inherits the luck of its galaxies, and those for calibration alone are few. Test galaxies have no part in it.

**Tests.** A posterior is *calibrated* when the truth looks like one more draw. At each radius the rank of the truth
among the draws (PIT) is then uniform. For all radii together, TARP (Lemos et al. 2023, ICML, arXiv:2302.03026) asks how
often the truth is nearer to a random reference point than the draws are. A posterior as wide as the population is
calibrated too, so that a measure of *sharpness* belongs to it: the energy score (Gneiting and Raftery 2007), lower for
a narrower posterior as long as the truth stays inside. Views of one galaxy share its truth: all errors are from draws
of whole galaxies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np

from ..bootstrap import Bootstrap, Estimate
from ..dataset import SPLITS
from ..dataset.read import DataSet, ln_mass, read_dataset
from ..files import atomic_path, open_product
from ..networks.models import Network, read_ensemble
from ..networks.plan import POSTERIOR
from ..networks.predictions import FEWEST
from ..settings import Settings
from .bins import thirds
from .scores import pit_histogram

#: Share of the posterior in the intervals that are tested.
LEVEL = 0.68

#: Credibilities of the regions of TARP.
LEVELS = np.arange(1, 20) / 20.0

#: Random points of TARP for each view.
_REFERENCES = 20

_STREAM_OF_TARP = 0x74617270  # a random stream of its own


@dataclass(frozen=True)
class Check:
    """How well a posterior does on the test views.

    Parameters
    ----------
    pit : ndarray, shape (n, r)
        See `rank_of_truth`.
    coverage : Estimate, shape (r,)
        Share of the views with the truth in the central interval that holds `LEVEL` of the draws.
    chance : float
        Largest deviation of the coverage at any radius in 95 per cent of samples, of test galaxies and of those that
        set the factor, if it is right at every radius.
    histogram : Estimate, shape (10,)
        Density of the ranks over all radii; 1 if calibrated.
    half_width : ndarray, shape (n, r)
        Half of that interval, in ln M.
    energy : ndarray, shape (n,)
        See `energy_score`.
    tarp : Estimate, shape (19,)
        Share of the views with the truth in the region of each credibility of `LEVELS`, see `tarp`.
    """

    pit: np.ndarray
    coverage: Estimate
    chance: float
    histogram: Estimate
    half_width: np.ndarray
    energy: np.ndarray
    tarp: Estimate
    levels: ClassVar[np.ndarray] = LEVELS


def check(
    truth: np.ndarray, draws: np.ndarray, scale: np.ndarray, bootstrap: Bootstrap, calibration: float = 0.0
) -> Check:
    """All measures of a posterior.

    Parameters
    ----------
    truth : ndarray, shape (n, r)
        ln M, NaN where there is none.
    draws : ndarray, shape (d, n, r)
    scale : ndarray, shape (r,)
        Standard deviation of ln M between galaxies.
    bootstrap : Bootstrap
        Of the same n views.
    calibration : float
        Error of the coverage that is due to the galaxies that set the factor, see `Posteriors`.
    """
    pit = rank_of_truth(truth, draws)
    low, high = np.quantile(draws, [0.5 - 0.5 * LEVEL, 0.5 + 0.5 * LEVEL], axis=0)
    return Check(
        pit=pit,
        coverage=bootstrap.mean(inside(pit, LEVEL)),
        chance=bootstrap.largest_by_chance(inside(pit, LEVEL), common=calibration),
        histogram=pit_histogram(pit, bootstrap),
        half_width=0.5 * (high - low),
        energy=energy_score(truth, draws, scale),
        tarp=tarp(truth / scale, draws / scale, bootstrap),
    )


def rank_of_truth(truth: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Probability integral transform (PIT) at each radius.

    Parameters
    ----------
    truth : ndarray, shape (n, r)
        ln M; NaN where there is none.
    draws : ndarray, shape (d, n, r)

    Returns
    -------
    ndarray, shape (n, r)
        Fraction of the draws below the truth, NaN where the truth is.
    """
    below = (draws < truth).sum(axis=0) + 0.5
    return np.where(np.isfinite(truth), below / (len(draws) + 1.0), np.nan)


def inside(pit: np.ndarray, level: float) -> np.ndarray:
    """1 where the truth is in the central interval that holds `level` of the posterior, 0 where not, else NaN."""
    return np.where(np.isfinite(pit), np.abs(pit - 0.5) < 0.5 * level, np.nan)


@dataclass(frozen=True)
class WorstThird:
    """The third of the views whose coverage is furthest from `LEVEL`.

    Parameters
    ----------
    off, error : float
        Deviation of its coverage, without sign, and the standard deviation.
    chance : float
        Largest deviation of any third in 95 per cent of samples, if all are right.
    n_galaxies : int
        In that third.
    """

    off: float
    error: float
    chance: float
    n_galaxies: int


def worst_third(
    pit: np.ndarray, properties: Sequence[np.ndarray], bootstrap: Bootstrap, calibration: float = 0.0
) -> WorstThird:
    """Coverage, over all radii, in thirds of the views by each of some properties.

    Parameters
    ----------
    pit : ndarray, shape (n, r)
    properties : sequence of ndarray, shape (n,)
    bootstrap : Bootstrap
        Of the same n views.
    calibration : float
        As for `check`.
    """
    member = _in_thirds(properties)
    share = np.where(member, np.nanmean(inside(pit, LEVEL), axis=1)[:, None], np.nan)
    found = bootstrap.mean(share)
    off = np.abs(found.value - LEVEL)
    worst = int(np.nanargmax(off))
    chance = bootstrap.largest_by_chance(share, common=calibration)
    n_galaxies = len(np.unique(bootstrap.subhalo_id[member[:, worst]]))
    return WorstThird(float(off[worst]), float(found.error[worst]), chance, n_galaxies)


def _in_thirds(properties: Sequence[np.ndarray]) -> np.ndarray:
    """Whether each view is in each third by each property, shape (n, 3 * number of properties)."""
    return np.stack([thirds(values) == k for values in properties for k in range(3)], axis=1)


#: Change of the spread of the ranks with the coverage of 68% intervals, where the width of a normal distribution is
#: slightly wrong: the derivatives by ln(width) are 6 / (pi sqrt(3)) and, at 0.994 standard deviations, 0.484.
_SPREAD_OVER_COVERAGE = 2.28


@dataclass(frozen=True)
class Ranks:
    """How the ranks of the truth (PIT) are distributed over all radii, in the thirds of views by some properties.

    Parameters
    ----------
    mean : Estimate, shape (k,)
        0.5 for uniform ranks; more where the posterior lies too low.
    spread : Estimate, shape (k,)
        Mean of 12 (PIT - 1/2)^2: 1 for uniform ranks; more where the posterior is too narrow or in the wrong place.
    chance_mean, chance_spread : float
        Largest deviation of any third in 95 per cent of samples, if the ranks are uniform in all.
    n_galaxies : tuple of int, length k
    """

    mean: Estimate
    spread: Estimate
    chance_mean: float
    chance_spread: float
    n_galaxies: tuple[int, ...]

    def furthest(self, what: str) -> tuple[int, float, float, float]:
        """The third that is furthest from uniform, in the ``mean`` or the ``spread``.

        Returns
        -------
        third : int
        off, error : float
            Deviation, without sign, and the standard deviation.
        chance : float
            See the parameters.
        """
        found, uniform = getattr(self, what), {"mean": 0.5, "spread": 1.0}[what]
        off = np.abs(found.value - uniform)
        third = int(np.nanargmax(off))
        return third, float(off[third]), float(found.error[third]), getattr(self, f"chance_{what}")


def ranks_in_thirds(
    pit: np.ndarray, properties: Sequence[np.ndarray], bootstrap: Bootstrap, calibration: float = 0.0
) -> Ranks:
    """Mean and spread of the ranks, over all radii, in thirds of the views by each of some properties.

    Ranks of one galaxy at neighbouring radii and in its views are alike: errors are from draws of whole galaxies.

    Parameters
    ----------
    pit, properties, bootstrap, calibration
        As those of `worst_third`; thirds are in the order of the properties, the lowest first.
    """
    member = _in_thirds(properties)
    each = {"mean": np.nanmean(pit, axis=1), "spread": np.nanmean(12.0 * (pit - 0.5) ** 2, axis=1)}
    values = {what: np.where(member, one[:, None], np.nan) for what, one in each.items()}
    return Ranks(
        mean=bootstrap.mean(values["mean"]),
        spread=bootstrap.mean(values["spread"]),
        chance_mean=bootstrap.largest_by_chance(values["mean"]),
        chance_spread=bootstrap.largest_by_chance(values["spread"], common=_SPREAD_OVER_COVERAGE * calibration),
        n_galaxies=tuple(len(np.unique(bootstrap.subhalo_id[of])) for of in member.T),
    )


def rank_rows(found: Mapping[str, Ranks], properties: Iterable[str]) -> list[dict[str, Any]]:
    """The table of some posteriors' ranks: a row for each third by each property.

    Parameters
    ----------
    found : mapping
        Kind of posterior -> ranks.
    properties : iterable of str
        Their names, in the order of the thirds.
    """
    thirds_of = [f"{name}, {third}" for name in properties for third in ("lowest", "middle", "highest")]
    rows: list[dict[str, Any]] = []
    for k, name in enumerate(thirds_of):
        row: dict[str, Any] = {"third by": name, "galaxies": next(iter(found.values())).n_galaxies[k]}
        for kind, ranks in found.items():
            for what, of in (("mean", ranks.mean), ("spread", ranks.spread)):
                row[f"{what}, {kind}"] = f"{of.value[k]:.2f} ± {of.error[k]:.2f}"
        rows.append(row)
    return rows


def rank_numbers(found: Mapping[str, Ranks], labels: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Largest deviations from uniform ranks as rows to record, ``post-rank-mean-<kind>`` and ``...-chance-<kind>``."""
    for kind, ranks in found.items():
        for what in ("mean", "spread"):
            third, off, error, chance = ranks.furthest(what)
            say = f"Largest deviation of the {what} of the ranks from uniform in a third by inclination, mass or gas, "
            say += labels[kind]
            n = ranks.n_galaxies[third]
            yield {"id": f"post-rank-{what}-{kind}", "value": off, "error": error, "n": n, "statement": say}
            say += ", 95th percentile if all were right"
            yield {"id": f"post-rank-{what}-chance-{kind}", "value": chance, "statement": say}


def ranks_by_third(pit: np.ndarray, by: np.ndarray, bootstrap: Bootstrap, bins: int = 5) -> list[Estimate]:
    """Density of the ranks over all radii in each third of the views by a property, 1 in each bin if uniform."""
    third = thirds(by)
    with np.errstate(invalid="ignore"):
        # A draw may contain no galaxy of a third; it is then left out.
        return [pit_histogram(np.where(third[:, None] == k, pit, np.nan), bootstrap, bins) for k in range(3)]


def energy_score(truth: np.ndarray, draws: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Energy score of each view's posterior of the whole profile, shape (n,); lower is better.

    The mean distance of the draws from the truth minus half the mean distance between two draws.

    Parameters
    ----------
    truth : ndarray, shape (n, r)
        ln M; radii with NaN count neither for the truth nor for the draws.
    draws : ndarray, shape (d, n, r)
    scale : ndarray, shape (r,)
        Unit of distance at each radius, for example the standard deviation of the training galaxies.
    """
    known = np.isfinite(truth)
    x = np.where(known, truth, 0.0) / scale
    y = np.where(known, draws, 0.0) / scale
    to_truth = np.linalg.norm(y - x, axis=-1).mean(axis=0)
    # Each draw with one other is enough, and needs no d^2 distances.
    apart = np.linalg.norm(y - np.roll(y, 1, axis=0), axis=-1).mean(axis=0)
    return to_truth - 0.5 * apart


def tarp(truth: np.ndarray, draws: np.ndarray, bootstrap: Bootstrap) -> Estimate:
    """Coverage of random regions of the posterior of the whole profile.

    Each region is a ball about a random point with the truth on its surface. Of a calibrated posterior, the fraction of
    draws inside the ball is uniform. The points are those of other galaxies' truths, which lie where profiles do.

    Parameters
    ----------
    truth : ndarray, shape (n, r)
        ln M in units of its spread; views with NaN are left out.
    draws : ndarray, shape (d, n, r)
    bootstrap : Bootstrap
        Of the same n views.

    Returns
    -------
    Estimate, shape (19,)
        Fraction of regions of each credibility of `LEVELS` that hold the truth, equal to it if the posterior is
        calibrated.
    """
    whole = np.isfinite(truth).all(axis=1)
    rng = np.random.default_rng([1, _STREAM_OF_TARP])
    found = np.full((len(truth), _REFERENCES, len(LEVELS)), np.nan)
    candidates = np.flatnonzero(whole)
    for view in candidates:
        others = candidates[bootstrap.subhalo_id[candidates] != bootstrap.subhalo_id[view]]
        for k, other in enumerate(rng.choice(others, _REFERENCES) if len(others) else ()):
            radius = np.linalg.norm(truth[view] - truth[other])
            nearer = (np.linalg.norm(draws[:, view] - truth[other], axis=-1) < radius).mean()
            found[view, k] = nearer < LEVELS
    # A view has one value at each level, the mean over its reference points.
    return bootstrap.mean(found.mean(axis=1))


def conformal_factor(z: np.ndarray, subhalo_id: np.ndarray, level: float) -> np.ndarray:
    """Half-width of the interval that holds `level` of new galaxies, in units of the stated sigma, shape (r,).

    Split conformal prediction (Papadopoulos et al. 2002): the intervals have at least this coverage over galaxies like
    those of the calibration, whatever the distribution of the errors. Where the factor differs from that of a normal
    distribution, the stated sigma is wrong.

    Parameters
    ----------
    z : ndarray, shape (n, r)
        Errors of the calibration galaxies in units of their sigma.
    subhalo_id : ndarray of int, shape (n,)
        Views of a galaxy are not independent: each galaxy counts once, with the mean over its views of their share.
    level : float

    Returns
    -------
    ndarray
        Infinite where there are too few galaxies for the level.
    """
    member = np.unique(subhalo_id, return_inverse=True)[1]
    share = 1.0 / np.bincount(member)[member]
    out = np.full(z.shape[1], np.inf)
    for k, column in enumerate(np.abs(z).T):
        order = np.argsort(column)
        order = order[np.isfinite(column[order])]
        # One more galaxy, the new one, is counted as farther out than all others.
        need = level * (len(np.unique(member[order])) + 1.0)
        place = int(np.searchsorted(np.cumsum(share[order]), need - 1e-9))
        if place < len(order):
            out[k] = column[order[place]]
    return out


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
    dataset = read_dataset(settings.dataset_path)
    galaxy, ln_m = np.asarray(dataset.table["subhalo_id"]), ln_mass(dataset.dm_profile)
    networks = read_ensemble(settings.models_dir, POSTERIOR)
    calibration, test = rows_of_calibration(dataset), dataset.rows("test")
    members = trained_members(networks, dataset, settings.seed)
    for member in members:
        member.look("calibration", calibration)
        member.look("test", test)
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


def rows_of_calibration(dataset: DataSet) -> np.ndarray:
    """Rows of the galaxies that set the factors, and had no part in training or choosing any network.

    Where these are fewer than `FEWEST`, as at profile ``smoke``, the validation galaxies are used as well, by which the
    epoch of a network is chosen.
    """
    galaxies = len(np.unique(dataset.table["subhalo_id"][dataset.rows("calibration")]))
    parts = ("calibration",) if galaxies >= FEWEST else ("calibration", "validation")
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

        self._draws = draws
        self._network = network
        self._standard = Standard(np.array(network.card.mean), network.std)
        self._layer = network.model.get_layer("profile")
        self._every = np.empty((len(dataset), posterior.N_NORMAL))  # of the normal distribution of each view
        for part in SPLITS:
            rows = dataset.rows(part)
            if len(rows):
                self._every[rows] = self._stated(dataset, rows)
        self._numbers: dict[str, np.ndarray] = {}
        self._e: dict[tuple[str, str], np.ndarray] = {}
        self._rng = np.random.default_rng([seed, _STREAM])
        e, context, ln_det = {}, {}, {}
        for part in ("train", "validation"):
            rows = dataset.rows(part)
            numbers = self._every[rows]
            z = posterior.coefficients(self._layer, self._standard.scale(ln_mass(dataset.dm_profile[rows])))
            e[part], ln_det[part] = (np.asarray(found) for found in posterior.whiten(z, numbers))
            context[part] = posterior.context_of(numbers)
        self._flow = posterior.Flow(seed)
        cost = self._flow.fit(e["train"], context["train"], e["validation"], context["validation"], seed=seed)
        normal = 0.5 * np.sum(e["validation"] ** 2, axis=1) + 0.5 * posterior.NUMBERS * np.log(2.0 * np.pi)
        narrowing = float(np.mean(ln_det["validation"]))
        self.costs = {"normal": float(np.mean(normal)) - narrowing, "flow": cost - narrowing}

    def _stated(self, dataset: DataSet, rows: np.ndarray) -> np.ndarray:
        """Numbers of the normal distribution of each view, shape (n, `posterior.N_NORMAL`)."""
        return self._network.outputs(dataset.inputs(rows, self._network.channels, keep=True))[:, len(dataset.radii) :]

    def look(self, part: str, rows: np.ndarray, other: DataSet | None = None) -> None:
        """Draw for some views, of the data set or of an `other`, which `part` names from now on."""
        from ..networks import posterior

        numbers = self._every[rows] if other is None else self._stated(other, rows)
        self._numbers[part] = numbers
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
