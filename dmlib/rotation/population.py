"""What a population of galaxies tells of the halo behind a disc: priors learned from the training galaxies.

A network sees hundreds of galaxies with their dark matter before it sees the test galaxies. A fit that compares fairly
with it may learn from the same galaxies: which haloes belong to a stellar mass, and with which scatter; how strongly
they are contracted; by how much the photometric stellar mass is off; and how much gas does not shine at 21 cm. Centrals
and satellites are not told apart, because the networks are not told either. Colour, size and HI mass, which a network
may use as well, have no part in these priors.

The module also has what the benchmark does with that knowledge: the ways in which it fits haloes (`VARIANTS`), and the
factors by which intervals of fits are stretched until they cover what they state on the validation views.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from astropy import units as u
from pydantic import TypeAdapter
from scipy.optimize import least_squares
from scipy.special import ndtr

from ..dataset.read import DataSet
from ..errors import DmlibError, GalaxyError
from ..settings import RADII_KPC
from ..targets import Targets
from ..units import G
from . import halos
from .baryons import HELIUM, PER_PC2, mass_within, signed_root, signed_square, weigh_stars
from .curve import INCLINATION_RANGE
from .fit import Fit, Importance, fit
from .massmodel import STELLAR_APERTURE, MassModel
from .measure import Knowledge
from .priors import (
    ConcentrationRelation,
    MassFunction,
    Normal,
    Priors,
    ProfilePrior,
    Regression,
    Uniform,
    known,
    observed_priors,
)
from .velocity_field import Tilt

#: Halo model of the population; its three parameters are learned.
HALO = "contracted"

#: Fewest training galaxies from which the priors can be learned.
FEWEST = 12

#: Strength of the contraction before a profile is seen: twice the scatter that haloes have, so that it may show.
WIDE = Normal(1.0, 0.5, -0.5, 2.5)

#: Error of a target beside the noise of its particles, in ln M: what a smooth halo cannot follow.
_ROUGH = 0.03


@dataclass(frozen=True)
class Population:
    """Priors from training galaxies.

    Parameters
    ----------
    log_m200, log_c, shape : Regression
        Parameters of the contracted NFW halo that follows the true profile of a galaxy, given the stellar mass within
        `STELLAR_APERTURE` and the parameters before.
    upsilon : (float, float)
        Mean and standard deviation of log10 of that stellar mass over the photometric one.
    unseen : tuple of float, length 20
        Gas within `RADII_KPC` beyond that which the 21 cm line shows (molecular, ionised, hot), over the stellar mass;
        median.
    offset : tuple of float, length 20
        ln M of the haloes that follow the true profiles less that of the profiles, median: stars that are more
        concentrated than an exponential sphere contract the centre more.
    galaxies : int
        Training galaxies.
    trust : float
        Power of a curve's likelihood, see `Priors`; 1 until it is known from validation galaxies.
    """

    log_m200: Regression
    log_c: Regression
    shape: Regression
    upsilon: tuple[float, float]
    unseen: tuple[float, ...]
    offset: tuple[float, ...]
    galaxies: int
    trust: float = 1.0

    def complete(self, model: MassModel) -> MassModel:
        """The mass model with the gas that does not shine added, and all stars in one component.

        One ratio of true to photometric stellar mass holds for the whole galaxy, as it was learned.
        """
        unseen = np.interp(np.log(model.radius), np.log(RADII_KPC), self.unseen)
        mass = unseen * 10.0 ** self.upsilon[0] * (model.m_disk + model.m_bulge)
        gas = signed_square(model.v_gas) + G * mass / model.radius
        return replace(
            model,
            v_gas=signed_root(gas),
            v_disk=model.v_stars(),
            v_bulge=np.zeros_like(model.v_bulge),
            m_disk=model.m_disk + model.m_bulge,
            m_bulge=0.0,
        )

    def priors(self, model: MassModel, *, perfect: bool = False) -> Priors:
        """Priors for a galaxy of this population; with perfect knowledge stellar mass and inclination are exact.

        The speeds are measured in either case, so that the curve has the same weight in both.
        """
        halo: dict[str, Any] = {"log_m200": self.log_m200, "log_c": self.log_c, "shape": self.shape}
        if perfect:
            return known(trust=self.trust, **halo)
        return replace(observed_priors(model), log_upsilon_disk=Normal(*self.upsilon), trust=self.trust, **halo)

    def told(self, model: MassModel, profile: ProfilePrior) -> Priors:
        """Priors that take the halo from a given profile: of the population only the stars remain."""
        rough = _ROUGH**2 * np.eye(len(self.offset))
        wide = ProfilePrior(profile.ln_m + self.offset, profile.covariance + rough)
        free: dict[str, Any] = {"log_m200": Uniform(9.0, 15.0), "log_c": Uniform(-0.5, 2.0), "shape": WIDE}
        return replace(self.priors(model), profile=wide, **free)

    def fit(self, model: MassModel, priors: Priors, **how: Any) -> Fit:
        """Fit the population's halo and correct the dark mass by `offset`; further arguments as those of `fit.fit`."""
        found = fit(model, HALO, priors, **how)
        return replace(found, quantiles=found.quantiles * np.exp(-np.array(self.offset)))

    def dumps(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> Population:
        """From `dumps`."""
        return TypeAdapter(cls).validate_json(text)


def learn(dataset: DataSet, targets: Targets) -> Population:
    """Learn the priors from the training galaxies.

    Parameters
    ----------
    dataset : DataSet
    targets : Targets
        Of the same galaxies: stars and gas beside the dark matter.

    Raises
    ------
    DmlibError
        With fewer than `FEWEST` training galaxies.
    """
    rows = _best_seen(dataset)
    place = {int(number): k for k, number in enumerate(targets.subhalo_id)}
    members = np.array([place[int(number)] for number in np.asarray(dataset.table["subhalo_id"])[rows]])
    if len(rows) < FEWEST:
        raise DmlibError(f"{dataset.path} has {len(rows)} training galaxies, fewer than the {FEWEST} of a population.")
    mass = {name: targets.masses["group"][name][members] for name in ("dm", "stars", "gas")}
    photometric, hydrogen = seen(dataset, rows)
    return learn_from(mass, targets.m_dm_particle, photometric, hydrogen)


def learn_from(
    mass: Mapping[str, np.ndarray], particle: float, photometric: np.ndarray, hydrogen: np.ndarray
) -> Population:
    """Learn the priors from what is known of some galaxies.

    Parameters
    ----------
    mass : mapping of ndarray, shape (n, 20)
        ``dm``, ``stars`` and ``gas`` within `RADII_KPC` [Msun].
    particle : float
        Mass of a dark-matter particle [Msun].
    photometric, hydrogen : ndarray, shapes (n,) and (n, 20)
        See `seen`.
    """
    log_m_star = np.log10([np.interp(STELLAR_APERTURE, RADII_KPC, row) for row in mass["stars"]])
    sizes = [np.interp(0.5 * 10.0**m, row, RADII_KPC) for m, row in zip(log_m_star, mass["stars"], strict=True)]
    fits, off = zip(
        *(follow(row, particle, m, size) for row, m, size in zip(mass["dm"], log_m_star, sizes, strict=True)),
        strict=True,
    )
    log_m200, log_c, shape = np.array(fits).T
    ratio = log_m_star - photometric
    low, middle, high = np.nanquantile(ratio, [0.16, 0.5, 0.84])
    return Population(
        log_m200=Regression.measure(log_m200, log_m_star, {}),
        log_c=Regression.measure(log_c, log_m_star, {"log_m200": log_m200}),
        shape=Regression.measure(shape, log_m_star, {"log_m200": log_m200, "log_c": log_c}),
        upsilon=(float(middle), float(0.5 * (high - low))),
        unseen=tuple(np.nanmedian((mass["gas"] - HELIUM * hydrogen) / 10.0 ** log_m_star[:, None], axis=0).tolist()),
        offset=tuple(np.nanmedian(off, axis=0).tolist()),
        galaxies=len(log_m_star),
    )


def follow(m_dm: np.ndarray, particle: float, log_m_star: float, r_half: float) -> tuple[np.ndarray, np.ndarray]:
    """The contracted NFW halo that follows a true profile.

    Parameters
    ----------
    m_dm : ndarray, shape (20,)
        [Msun]
    particle : float
        Mass of a dark-matter particle [Msun].
    log_m_star, r_half : float
        log10 of the stellar mass [Msun], and half-mass radius of the stars [kpc].

    Returns
    -------
    parameters : ndarray, shape (3,)
        log10 M200, log10 c, strength of the contraction.
    misfit : ndarray, shape (20,)
        ln M of the halo less that of the profile; NaN where there is no particle.
    """
    seen = m_dm > 0
    error = np.sqrt(particle / m_dm[seen] + _ROUGH**2)
    ln_m = np.log(m_dm[seen])

    def off(p: np.ndarray) -> np.ndarray:
        some = halos.make(HALO, p[0], p[1], extra=p[2], m_star=10.0**log_m_star, r_half=r_half)
        return np.log(some.m_enclosed(RADII_KPC[seen])[0]) - ln_m

    def residuals(p: np.ndarray) -> np.ndarray:
        # What the profile leaves open (strength and concentration, where few particles are) stays near the published.
        return np.append(off(p) / error, [(p[1] - 0.9) / 0.5, (p[2] - 1.0) / WIDE.sigma])

    start = [np.log10(m_dm[-1]) + 0.3, 0.9, 1.0]
    found = least_squares(
        residuals, start, bounds=([8.0, -0.5, WIDE.low], [16.0, 2.0, WIDE.high]), x_scale=[0.2, 0.2, 0.5]
    )
    misfit = np.full(len(m_dm), np.nan)
    misfit[seen] = off(found.x)
    return found.x, misfit


def _best_seen(dataset: DataSet) -> np.ndarray:
    """Row of one view of every training galaxy: the one in the middle of the inclinations that the method accepts."""
    rows = dataset.rows("train")
    ids, angle = np.asarray(dataset.table["subhalo_id"])[rows], dataset.table["inclination"][rows].to_value(u.deg)
    order = np.lexsort((np.abs(angle - np.mean(INCLINATION_RANGE)), ids))
    return rows[order[np.unique(ids[order], return_index=True)[1]]]


def seen(dataset: DataSet, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log10 of the photometric stellar mass, shape (n,), and HI within `RADII_KPC` in the plane of the disc, (n, 20).

    As an observer measures them, but with the true tilt. NaN where the method would reject the inclination, or where
    the stars cannot be weighed.
    """
    grid, table = dataset.grid, dataset.table
    stars, hydrogen = np.full(len(rows), np.nan), np.full((len(rows), len(RADII_KPC)), np.nan)
    angles = [table[name][rows].to_value(u.deg) for name in ("inclination", "position_angle")]
    maps = np.nan_to_num(dataset.hi(rows)[..., 0]).astype(float)
    for k, image in enumerate(dataset.images(rows)):
        tilt = Tilt.flat(angles[0][k], angles[1][k])
        if not INCLINATION_RANGE[0] <= angles[0][k] <= INCLINATION_RANGE[1]:
            continue
        radius = tilt.deproject(*grid.mesh()).radius
        hydrogen[k] = [maps[k][radius <= r].sum() * grid.pixel_area * PER_PC2 for r in RADII_KPC]
        try:
            found = weigh_stars(image.astype(float), dataset.image_unit, dataset.bands, grid, tilt)
        except GalaxyError:
            continue
        stars[k] = np.log10(mass_within(found.radius, found.disc + found.bulge)[-1])
    return stars, hydrogen


#: Short name -> what it means, from the inside out.
REGIMES = {"inside": "inside the beam", "measured": "where measured", "beyond": "beyond the last point"}

#: Fewest validation views from which a factor is taken; with fewer the intervals stay as they are.
FEWEST_VIEWS = 10


def regimes(first: np.ndarray, last: np.ndarray) -> dict[str, np.ndarray]:
    """Name of `REGIMES` -> which of `RADII_KPC` of which views lie there, bool of shape (n, 20).

    Parameters
    ----------
    first, last : ndarray, shape (n,)
        Of the good rings; the first lies three quarters of a beam from the centre or farther out [kpc]. NaN without a
        curve: such a view has no radius in any regime.
    """
    first, last = first[:, None], last[:, None]
    inside, beyond = first > RADII_KPC, last < RADII_KPC
    return {"inside": inside, "measured": (first <= RADII_KPC) & (last >= RADII_KPC), "beyond": beyond}


def stretch(
    truth: np.ndarray,
    quantiles: np.ndarray,
    places: Mapping[str, np.ndarray],
    where: np.ndarray,
    *,
    by_view: bool = False,
) -> dict[str, float]:
    """Factors by which intervals of ln M must be widened to cover 68 per cent, one for each regime.

    Parameters
    ----------
    truth : ndarray, shape (n, 20)
        Of validation views [Msun].
    quantiles : ndarray, shape (n, 5, 20)
        2.5, 16, 50, 84 and 97.5 per cent [Msun]; NaN where there is no fit.
    places : mapping
        From `regimes`.
    where : ndarray of bool, shape (n,)
        Views to use.
    by_view : bool
        Whether every view counts the same, as in a coverage that is a mean over views; by default every radius does, so
        that long curves count more.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.log(truth / quantiles[:, 2])
        half = np.log(np.where(off > 0, quantiles[:, 3], quantiles[:, 1]) / quantiles[:, 2])
        needed = off / half
    factors = {}
    for name, place in places.items():
        used = place & where[:, None] & np.isfinite(needed)
        radii = used.sum(axis=1)
        weight = np.repeat(1.0 / np.maximum(radii, 1) if by_view else np.ones(len(radii)), radii)
        share, enough = 1.0 - 2.0 * ndtr(-1.0), (radii > 0).sum() >= FEWEST_VIEWS
        factors[name] = 1.0
        if enough:
            factors[name] = float(np.quantile(needed[used], share, weights=weight, method="inverted_cdf"))
    return factors


def stretched(quantiles: np.ndarray, places: Mapping[str, np.ndarray], factors: Mapping[str, float]) -> np.ndarray:
    """Quantiles of ln M with their distance from the median multiplied, shape (n, 5, 20)."""
    factor = np.ones_like(quantiles[:, 2])
    for name, place in places.items():
        factor = np.where(place, factors[name], factor)
    middle = quantiles[:, 2:3]
    return middle * (quantiles / middle) ** factor[:, None]


#: Sampler of all fits: enough that medians differ between two runs by less than a tenth of their error.
SAMPLING = Importance(first=2000, each=800, rounds=12, last=3000, wanted=200.0)

Source = Literal["none", "literature", "training"]


@dataclass(frozen=True)
class Variant:
    """One way to fit a halo to a measured view.

    Parameters
    ----------
    title : str
    halo : str
        A key of `dmlib.rotation.halos.HALOS`.
    priors_from : {"none", "literature", "training"}
        ``none``: halo mass and concentration are free. ``literature``: published relations of simulations, that is the
        halo mass function, the stellar mass of a halo and its concentration. ``training``: those that the training
        galaxies show, see `Population`.
    knowledge : {"observed", "perfect"}
        See `dmlib.rotation.measure.measure_view`; with perfect knowledge stellar masses and inclination are exact.
    """

    title: str
    halo: str
    priors_from: Source = "none"
    knowledge: Knowledge = "observed"

    def fit(self, model: MassModel, population: Population, seed: int) -> Fit:
        """Fit the halo.

        Raises
        ------
        GalaxyError
            When the curve cannot be fitted.
        """
        perfect = self.knowledge == "perfect"
        priors = known() if perfect else observed_priors(model)
        if self.priors_from == "literature":
            priors = replace(priors, log_m200=MassFunction(), log_c=ConcentrationRelation(), stellar_to_halo=True)
        elif self.priors_from == "training":
            model = model if perfect else population.complete(model)
            priors = population.priors(model, perfect=perfect)
            return population.fit(model, priors, sampling=SAMPLING, seed=seed)
        return fit(model, self.halo, priors, sampling=SAMPLING, seed=seed)


_KNOWN = "geometry and baryons known"

#: Name of a group -> variant, in the order of the chapter.
VARIANTS: dict[str, Variant] = {
    "nfw": Variant("NFW", "nfw"),
    "burkert": Variant("Burkert", "burkert"),
    "nfw_lcdm": Variant("NFW, simulations' priors", "nfw", "literature"),
    "population": Variant("contracted NFW, population", HALO, "training"),
    "nfw_perfect": Variant(f"NFW, {_KNOWN}", "nfw", knowledge="perfect"),
    "burkert_perfect": Variant(f"Burkert, {_KNOWN}", "burkert", knowledge="perfect"),
    "nfw_lcdm_perfect": Variant(f"NFW, simulations' priors, {_KNOWN}", "nfw", "literature", "perfect"),
    "population_perfect": Variant(f"contracted NFW, population, {_KNOWN}", HALO, "training", "perfect"),
}
