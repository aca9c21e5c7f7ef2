"""Errors of methods in universes other than their own: how the product "robustness" is read.

Does a method know that a galaxy is not from its universe? An alarm uses nothing of a galaxy but what the method sees.
It is judged by how well it tells the test galaxies of another universe from those of the method's own: the area under
its ROC curve is the probability that a galaxy of the other lies further out than one of its own, 0.5 for an alarm that
knows nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..bootstrap import Bootstrap, Estimate
from ..errors import DmlibError
from ..files import open_product
from .scores import REGIONS, per_view, row_mean
from .universes import KINDS, SIZES, VARIATIONS, variations

#: Regions of the chapter, see `dmlib.evaluation.scores.REGIONS`.
SHOWN = ("inner", "intermediate", "outer")

#: An alarm is silent where the area under its ROC curve is smaller; an error is large where it exceeds that of the
#: method trained at home by this factor, and by two standard deviations of the difference. Fixed in advance.
SILENT, LARGE = 0.65, 1.25


@dataclass(frozen=True)
class Robustness:
    """v universes, n test galaxies, the same in all of them.

    Parameters
    ----------
    radii : ndarray, shape (20,)
        [kpc]
    names : tuple of str
        Keys of `dmlib.evaluation.universes.VARIATIONS`.
    subhalo_id : ndarray of int, shape (n,)
    truth : ndarray, shape (v, n, 20)
        [Msun]
    accepted : ndarray of bool, shape (v, n)
        Whether the rotation curve passes the quality cuts.
    masses, sigma_ln : mapping of ndarray, shape (v, v, n, 20)
        Method -> prediction [Msun], and stated error of ln M, by the universes of training and of the test; NaN where
        there is none.
    alarms : mapping of ndarray, shape (v, v, n)
        ``latent`` and ``observables`` -> distance from the training galaxies.
    targets : tuple of str
        Universes for which adaptation was tried.
    adapted : mapping of ndarray, shape (targets, v, n, 20)
        Way -> prediction of the network trained for a target, in all universes [Msun].
    galaxies : dict of int
        Number in ``train``, ``validation`` and ``test``.
    trust : float
        Power of a curve's likelihood, see `dmlib.rotation.priors.Priors`.
    """

    radii: np.ndarray
    names: tuple[str, ...]
    subhalo_id: np.ndarray
    truth: np.ndarray
    accepted: np.ndarray
    masses: Mapping[str, np.ndarray]
    sigma_ln: Mapping[str, np.ndarray]
    alarms: Mapping[str, np.ndarray]
    targets: tuple[str, ...]
    adapted: Mapping[str, np.ndarray]
    galaxies: Mapping[str, int]
    trust: float

    @cached_property
    def bootstrap(self) -> Bootstrap:
        """Draws of galaxies."""
        return Bootstrap(self.subhalo_id, draws=400)

    @property
    def titles(self) -> list[str]:
        """The universes in words."""
        return [VARIATIONS[name].title for name in self.names]

    def place(self, name: str) -> int:
        """Number of a universe."""
        if name not in self.names:
            raise DmlibError(f"there is no universe '{name}': choose {', '.join(self.names)}.")
        return self.names.index(name)

    def errors(self, method: str, region: str = "intermediate") -> Estimate:
        """Mean |dM/M| over the radii of a region, by the universes of training and test, shape (v, v)."""
        return self._cells(self._relative(method, region))

    def ratio(self, method: str, region: str = "intermediate") -> Estimate:
        """Error over that of the same method trained in the universe of the test, shape (v, v); paired."""
        values = self._relative(method, region)
        home = np.broadcast_to(np.einsum("kkn->kn", values)[None], values.shape)
        both = np.isfinite(values) & np.isfinite(home)
        above, below = (self._flat(np.where(both, some, np.nan)) for some in (values, home))
        return self._square(self.bootstrap.ratio(above, below))

    def abroad(
        self,
        method: str,
        region: str = "intermediate",
        *,
        kinds: Sequence[str] = KINDS[1:],
        home: str = "fiducial",
        like: str | None = None,
    ) -> Estimate:
        """Mean error of a method trained in one universe in the others of some kinds, over its error if trained there.

        Parameters
        ----------
        method, region : str
        kinds : sequence of str
            Of `dmlib.evaluation.universes.KINDS`.
        home : str
            Universe of the training.
        like : str, optional
            Another method: in each universe only the galaxies that it answers for count, too.
        """
        return self.bootstrap.ratio(*map(row_mean, self._abroad(method, region, kinds, home, like)))

    def abroad_less(self, first: str, second: str, region: str = "intermediate", *, home: str = "fiducial") -> Estimate:
        """The ratio `abroad` of one method minus that of another, on the galaxies that both answer for."""
        there, native = self._abroad(first, region, KINDS[1:], home, second)
        others = self._abroad(second, region, KINDS[1:], home, first)
        return self.bootstrap.ratio_difference(
            (row_mean(there), row_mean(native)), (row_mean(others[0]), row_mean(others[1]))
        )

    def _abroad(
        self, method: str, region: str, kinds: Sequence[str], home: str, like: str | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Errors in the other universes, and if trained there, shape (n, others); NaN where either is missing."""
        k = self.place(home)
        others = [j for j, name in enumerate(self.names) if VARIATIONS[name].kind in kinds and j != k]
        values = self._relative(method, region)
        there, native = values[k, others].T, np.stack([values[j, j] for j in others], axis=1)
        both = np.isfinite(there) & np.isfinite(native)
        if like is not None:
            both &= np.isfinite(self._abroad(like, region, kinds, home)[0])
        return np.where(both, there, np.nan), np.where(both, native, np.nan)

    def bias(self, method: str, region: str = "intermediate") -> Estimate:
        """Mean of ln(predicted / true) in units of the stated error, shape (v, v)."""
        return self._cells(self._mean(self._z(method), region))

    def coverage(self, method: str, region: str = "all") -> Estimate:
        """Share of truths within one stated standard deviation (0.683 if it is right), shape (v, v)."""
        z = self._z(method)
        return self._cells(self._mean(np.where(np.isfinite(z), np.abs(z) < 1.0, np.nan), region))

    def areas(self, alarm: str) -> Estimate:
        """Area under the ROC curve for "from another universe", by the universes of training and test, shape (v, v)."""
        found = [area_of(own[k], other, self.subhalo_id) for k, own in enumerate(self.alarms[alarm]) for other in own]
        return self._square(Estimate(*(np.array(part) for part in zip(*map(astuple, found), strict=True))))

    def large(self, region: str = "intermediate") -> np.ndarray:
        """Where the network's error is large, bool of shape (v, v); see `LARGE`."""
        values = self._relative("network", region)
        excess = self._cells(values - np.einsum("kkn->kn", values)[None])
        return (self.ratio("network", region).value > LARGE) & (excess.value > 2.0 * excess.error)

    def silent(self, region: str = "intermediate") -> np.ndarray:
        """Where that error is large and the alarm in latent space silent, bool of shape (v, v); see `SILENT`."""
        return self.large(region) & (self.areas("latent").value < SILENT)

    def adaptation(self, region: str = "intermediate") -> dict[str, dict[str, Estimate]]:
        """Error of each way of training, in each target: target -> way -> mean |dM/M|."""
        mean = self.bootstrap.mean
        return {
            target: {way: mean(error) for way, error in self._by_way(target, region).items()} for target in self.targets
        }

    def gain_over(self, targets: Sequence[str], way: str, region: str = "intermediate") -> Estimate:
        """Mean over some targets of the error of a way less that of plain training: negative where it helps."""
        errors = [self._by_way(target, region) for target in targets]
        return self.bootstrap.mean(np.mean([each[way] - each["plain"] for each in errors], axis=0))

    def _by_way(self, target: str, region: str) -> dict[str, np.ndarray]:
        """Mean |dM/M| of each test galaxy of a target, by the way of training."""
        j, t, plain = self.place(target), self.targets.index(target), self.place("fiducial")
        network = self.masses["network"]
        masses = {"plain": network[plain, j], **{way: found[t, j] for way, found in self.adapted.items()}}
        masses["target"] = network[j, j]
        return {
            way: self._mean(per_view(self.truth[j], mass, "relative")[None], region)[0] for way, mass in masses.items()
        }

    def _measure(self, method: str, measure: str) -> np.ndarray:
        """A measure of `dmlib.evaluation.scores`, shape (v, v, n, 20)."""
        if method not in self.masses:
            raise DmlibError(f"there is no method '{method}': choose {', '.join(self.masses)}.")
        mass = self.masses[method]
        return per_view(np.broadcast_to(self.truth[None], mass.shape), mass, measure)

    def _z(self, method: str) -> np.ndarray:
        sigma = self.sigma_ln[method]
        return self._measure(method, "ln_ratio") / np.where(sigma > 0, sigma, np.nan)

    def _relative(self, method: str, region: str) -> np.ndarray:
        return self._mean(self._measure(method, "relative"), region)

    def _mean(self, values: np.ndarray, region: str) -> np.ndarray:
        """Mean over the radii of a region, (..., 20) -> (...); NaN where there is none."""
        low, high = REGIONS[region]
        chosen = values[..., (self.radii >= low * (1 - 1e-9)) & (self.radii <= high * (1 + 1e-9))]
        return row_mean(chosen.reshape(-1, chosen.shape[-1])).reshape(chosen.shape[:-1])

    def _flat(self, values: np.ndarray) -> np.ndarray:
        """(v, v, n) -> (n, v v)."""
        return np.moveaxis(values, -1, 0).reshape(values.shape[-1], -1)

    def _cells(self, values: np.ndarray) -> Estimate:
        return self._square(self.bootstrap.mean(self._flat(values)))

    def _square(self, found: Estimate) -> Estimate:
        v = len(self.names)
        return Estimate(*(np.reshape(part, (v, v)) for part in astuple(found)))


def roc_curve(own: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true alarms, as shares of `own` and of `other`, for thresholds from the highest to the lowest."""
    thresholds = np.concatenate([[np.inf], np.sort(np.concatenate([own, other]))[::-1]])
    return (own >= thresholds[:, None]).mean(axis=1), (other >= thresholds[:, None]).mean(axis=1)


def area_of(own: np.ndarray, other: np.ndarray, galaxy: np.ndarray) -> Estimate:
    """Area under the ROC curve: probability that a value of `other` exceeds one of `own`, ties counted half.

    Its error is from a bootstrap over galaxies, which are the same in both universes.
    """
    counts = Bootstrap(galaxy, 200, 1).weights
    above = (other > own[:, None]) + 0.5 * (other == own[:, None])
    areas = ((counts @ above) * counts).sum(axis=1) / counts.sum(axis=1) ** 2
    low, high = np.percentile(areas[1:], [15.87, 84.13])
    return Estimate(areas[0], areas[1:].std(ddof=1), low, high)


def numbers(found: Robustness, home: str = "fiducial", region: str = "intermediate") -> Iterator[dict[str, Any]]:
    """The numbers that the chapter quotes, as keywords of `dmlib.results.record`.

    Parameters
    ----------
    found : Robustness
    home : str
        Universe in which the methods are trained.
    region : str
    """
    k = found.place(home)
    for method in found.masses:
        yield from _numbers_of(found, method, k, region)
    fitted = found.abroad("network", region, home=home, like="rotation")
    words = "Mean error of the network abroad over that at home, galaxies with an accepted rotation curve"
    yield {"id": "rob-network-mean-accepted", "value": fitted, "statement": words}
    less = found.abroad_less("network", "rotation", region, home=home)
    words += ", less the same of the fits of rotation curves"
    yield {"id": "rob-network-less-rotation", "value": less, "statement": words}
    for kind, name in (("inner halo", "inner-halo"), ("stars and haloes", "stars-and-haloes")):
        ratio = found.abroad("network", "inner", kinds=(kind,), home=home)
        words = f"Mean error of the network within 5 kpc in other universes ({kind}), over that at home"
        yield {"id": f"rob-inner-{name}", "value": ratio, "statement": words}
    for alarm in found.alarms:
        areas = found.areas(alarm)
        for j, title in enumerate(found.titles):
            if j != k:
                words = f"Area under the ROC curve of the alarm in {alarm}, trained in {home}, '{title}'"
                yield _cell(f"rob-alarm-{alarm}-{found.names[j]}", areas, (k, j), words)
    ratio, v = found.ratio("network", region), len(found.names)
    worst = max((j for j in range(v) if j != k), key=lambda j: ratio.value[k, j])
    words = f"Largest ratio of the network's errors abroad and at home: '{found.titles[worst]}'"
    yield _cell("rob-network-worst", ratio, (k, worst), words)
    words = "Number of pairs of different universes"
    yield {"id": "rob-pairs", "value": v * (v - 1), "statement": words}
    words += " in which the network's error is large"
    yield {"id": "rob-large", "value": int(found.large(region).sum()), "statement": words}
    words += " and its alarm silent"
    yield {"id": "rob-silent", "value": int(found.silent(region).sum()), "statement": words}
    for way in (*found.adapted, "target"):
        for kind, targets in _ADAPTED.items():
            words = f"Error of training '{way}' less that of plain training, for targets that differ in {kind}"
            yield {"id": f"rob-gain-{way}-{kind}", "value": found.gain_over(targets, way, region), "statement": words}


#: Targets of the adaptation by what differs.
_ADAPTED = {"observation": ("no-dust", "beam"), "haloes": ("heavy-haloes",)}


def _numbers_of(found: Robustness, method: str, k: int, region: str) -> Iterator[dict[str, Any]]:
    ratio, bias, cover = found.ratio(method, region), found.bias(method, region), found.coverage(method)
    of = f"{method} trained in '{found.titles[k]}'"
    for j, (name, title) in enumerate(zip(found.names, found.titles, strict=True)):
        where = f"{of}, tested in '{title}'"
        cells = {"": (ratio, "Error over that at home"), "cover-": (cover, "Truths within one stated sigma")}
        cells["bias-"] = (bias, "Mean ln(predicted/true) in stated sigma")
        for kind, (estimate, words) in cells.items():
            if np.isfinite(estimate.value[k, j]) and (j != k or kind):
                yield _cell(f"rob-{kind}{method}-{name}", estimate, (k, j), f"{words}, {where}")
    for words, kinds in {"all": KINDS[1:], **{kind: (kind,) for kind in KINDS[1:]}}.items():
        mean = found.abroad(method, region, kinds=kinds, home=found.names[k])
        statement = f"Mean error abroad ({words}) over that at home, {of}"
        yield {"id": f"rob-{method}-mean-{words.replace(' ', '-')}", "value": mean, "statement": statement}


def _cell(id: str, found: Estimate, place: tuple[int, int], statement: str) -> dict[str, Any]:
    return {"id": id, "value": found.value[place], "error": found.error[place], "statement": statement}


def read_robustness(path: str | Path) -> Robustness:
    """Read the product.

    Raises
    ------
    DmlibError
        When the file is damaged, or of other universes than those of this code.
    """
    with open_product(path, "file of other universes") as handle:
        names = tuple(map(str, handle.attrs["universes"]))
        if names not in {tuple(variations(profile)) for profile in SIZES}:
            raise ValueError(f"it holds the universes {', '.join(names)}")
        methods = [name for name, stored in handle.items() if "sigma_ln" in getattr(stored, "keys", tuple)()]
        return Robustness(
            **{name: handle[name][()] for name in ("radii", "subhalo_id", "truth")},
            names=names,
            accepted=handle["accepted"][()].astype(bool),
            masses={name: handle[f"{name}/m_dm"][()] for name in methods},
            sigma_ln={name: handle[f"{name}/sigma_ln"][()] for name in methods},
            alarms={name: stored[()] for name, stored in handle["alarms"].items()},
            targets=tuple(map(str, handle.attrs["targets"])),
            adapted={name: stored[()] for name, stored in handle["adapted"].items()},
            galaxies={split: int(handle.attrs[f"n_{split}"]) for split in ("train", "validation", "test")},
            trust=float(handle.attrs["trust"]),
        )
