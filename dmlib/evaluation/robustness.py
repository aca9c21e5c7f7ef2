"""Errors of methods in universes other than their own: how the product "robustness" is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..bootstrap import Bootstrap, Estimate
from ..errors import DmlibError
from .alarms import area_of
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

    def errors(self, method: str, region: str = "intermediate", *, fair: bool = False) -> Estimate:
        """Mean |dM/M| over the radii of a region, by the universes of training and test, shape (v, v).

        Parameters
        ----------
        method : str
        region : str
        fair : bool
            Only test galaxies with a rotation curve, for comparison with that method.
        """
        return self._cells(self._relative(method, region, fair))

    def ratio(self, method: str, region: str = "intermediate", *, fair: bool = False) -> Estimate:
        """Error over that of the same method trained in the universe of the test, shape (v, v); paired."""
        values = self._relative(method, region, fair)
        home = np.broadcast_to(np.einsum("kkn->kn", values)[None], values.shape)
        both = np.isfinite(values) & np.isfinite(home)
        above, below = (self._flat(np.where(both, some, np.nan)) for some in (values, home))
        return self._square(self.bootstrap.ratio(above, below))

    def abroad(
        self, method: str, region: str = "intermediate", *, kinds: Sequence[str] = KINDS[1:], home: str = "fiducial"
    ) -> Estimate:
        """Mean error of a method trained in one universe in the others of some kinds, over its error if trained there.

        Parameters
        ----------
        method, region : str
        kinds : sequence of str
            Of `dmlib.evaluation.universes.KINDS`.
        home : str
            Universe of the training.
        """
        k = self.place(home)
        others = [j for j, name in enumerate(self.names) if VARIATIONS[name].kind in kinds and j != k]
        values = self._relative(method, region, False)
        there, native = values[k, others].T, np.stack([values[j, j] for j in others], axis=1)
        both = np.isfinite(there) & np.isfinite(native)
        return self.bootstrap.ratio(*(row_mean(np.where(both, some, np.nan)) for some in (there, native)))

    def excess(self, method: str, region: str = "intermediate", *, fair: bool = False) -> Estimate:
        """Error less that of the same method trained in the universe of the test, shape (v, v); paired."""
        values = self._relative(method, region, fair)
        return self._cells(values - np.einsum("kkn->kn", values)[None])

    def bias(self, method: str, region: str = "intermediate") -> Estimate:
        """Mean of ln(predicted / true) in units of the stated error, shape (v, v)."""
        return self._cells(self._mean(self._z(method), region))

    def offset(self, method: str, region: str = "intermediate") -> Estimate:
        """Mean of ln(predicted / true), shape (v, v)."""
        return self._cells(self._mean(self._ln_ratio(method), region))

    def coverage(self, method: str, region: str = "all") -> Estimate:
        """Share of truths within one stated standard deviation (0.683 if it is right), shape (v, v)."""
        z = self._z(method)
        return self._cells(self._mean(np.where(np.isfinite(z), np.abs(z) < 1.0, np.nan), region))

    def areas(self, alarm: str) -> Estimate:
        """Area under the ROC curve for "from another universe", by the universes of training and test, shape (v, v)."""
        found = [area_of(own[k], other, self.subhalo_id) for k, own in enumerate(self.alarms[alarm]) for other in own]
        parts = ([getattr(one, part) for one in found] for part in ("value", "error", "low", "high"))
        return self._square(Estimate(*(np.array(part) for part in parts)))

    def large(self, method: str = "network", region: str = "intermediate") -> np.ndarray:
        """Where the error is large, bool of shape (v, v); see `LARGE`."""
        ratio, excess = self.ratio(method, region), self.excess(method, region)
        return (ratio.value > LARGE) & (excess.value > 2.0 * excess.error)

    def silent(self, alarm: str = "latent", method: str = "network", region: str = "intermediate") -> np.ndarray:
        """Where the alarm is silent and the error large, bool of shape (v, v); see `SILENT` and `LARGE`."""
        return self.large(method, region) & (self.areas(alarm).value < SILENT)

    def adaptation(self, region: str = "intermediate") -> dict[str, dict[str, Estimate]]:
        """Error of each way of training, in each target: target -> way -> mean |dM/M|."""
        return {target: self._ways(target, region, less_plain=False) for target in self.targets}

    def gains(self, region: str = "intermediate") -> dict[str, dict[str, Estimate]]:
        """The same less the error of plain training, on the same galaxies: negative where adaptation helps."""
        return {target: self._ways(target, region, less_plain=True) for target in self.targets}

    def gain_over(self, targets: Sequence[str], way: str, region: str = "intermediate") -> Estimate:
        """Mean over some targets of the error of a way less that of plain training: negative where it helps."""
        differences = []
        for target in targets:
            values = self._by_way(target, region)
            differences.append(values[way] - values["plain"])
        return self.bootstrap.mean(np.mean(differences, axis=0))

    def _ways(self, target: str, region: str, *, less_plain: bool) -> dict[str, Estimate]:
        values = self._by_way(target, region)
        if less_plain:
            return {
                way: self.bootstrap.mean(found - values["plain"]) for way, found in values.items() if way != "plain"
            }
        return {way: self.bootstrap.mean(found) for way, found in values.items()}

    def _by_way(self, target: str, region: str) -> dict[str, np.ndarray]:
        """Mean |dM/M| of each test galaxy of a target, by the way of training."""
        j, t, plain = self.place(target), self.targets.index(target), self.place("fiducial")
        network = self.masses["network"]
        masses = {"plain": network[plain, j], **{way: found[t, j] for way, found in self.adapted.items()}}
        masses["target"] = network[j, j]
        return {
            way: self._mean(per_view(self.truth[j], mass, "relative")[None], region)[0] for way, mass in masses.items()
        }

    def _of(self, method: str) -> tuple[np.ndarray, np.ndarray]:
        """Prediction and truth, both of shape (v, v, n, 20)."""
        if method not in self.masses:
            raise DmlibError(f"there is no method '{method}': choose {', '.join(self.masses)}.")
        mass = self.masses[method]
        return mass, np.broadcast_to(self.truth[None], mass.shape)

    def _ln_ratio(self, method: str) -> np.ndarray:
        mass, truth = self._of(method)
        return per_view(truth, mass, "ln_ratio")

    def _z(self, method: str) -> np.ndarray:
        sigma = self.sigma_ln[method]
        return self._ln_ratio(method) / np.where(sigma > 0, sigma, np.nan)

    def _relative(self, method: str, region: str, fair: bool) -> np.ndarray:
        mass, truth = self._of(method)
        values = self._mean(per_view(truth, mass, "relative"), region)
        return np.where(self.accepted[None], values, np.nan) if fair else values

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
        return Estimate(*(np.reshape(part, (v, v)) for part in (found.value, found.error, found.low, found.high)))


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
    pairs = "pairs of different universes"
    counts = {
        "pairs": v * (v - 1),
        "large": found.large(region=region).sum(),
        "silent": found.silent(region=region).sum(),
    }
    words_of = {"pairs": pairs, "large": f"{pairs} in which the network's error is large"}
    words_of["silent"] = f"{words_of['large']} and its alarm silent"
    for name, count in counts.items():
        yield {"id": f"rob-{name}", "value": int(count), "statement": f"Number of {words_of[name]}"}
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
    path = Path(path)
    try:
        with h5py.File(path, "r") as handle:
            names = tuple(map(str, handle.attrs["universes"]))
            if names not in {tuple(variations(profile)) for profile in SIZES}:
                raise ValueError(f"it holds the universes {', '.join(names)}")
            methods = [
                name for name, stored in handle.items() if isinstance(stored, h5py.Group) and "sigma_ln" in stored
            ]
            return Robustness(
                radii=handle["radii"][()],
                names=names,
                subhalo_id=handle["subhalo_id"][()],
                truth=handle["truth"][()],
                accepted=handle["accepted"][()].astype(bool),
                masses={name: handle[f"{name}/m_dm"][()] for name in methods},
                sigma_ln={name: handle[f"{name}/sigma_ln"][()] for name in methods},
                alarms={name: stored[()] for name, stored in handle["alarms"].items()},
                targets=tuple(map(str, handle.attrs["targets"])),
                adapted={name: stored[()] for name, stored in handle["adapted"].items()},
                galaxies={split: int(handle.attrs[f"n_{split}"]) for split in ("train", "validation", "test")},
                trust=float(handle.attrs["trust"]),
            )
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise DmlibError(f"{path} is not a complete product ({error}): remove it and run again.") from error
