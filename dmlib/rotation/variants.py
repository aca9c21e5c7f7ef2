"""The ways in which the benchmark fits haloes: which halo, and what is known of other galaxies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from .fit import Fit, fit
from .importance import Importance
from .massmodel import MassModel
from .measure import Knowledge
from .population import HALO, Population
from .priors import ConcentrationRelation, MassFunction, known, observed_priors

#: Sampler of all fits.
SAMPLING = Importance()

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
        galaxies show, see `dmlib.rotation.population`.
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
