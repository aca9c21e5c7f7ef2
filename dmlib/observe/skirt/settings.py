"""The recipe of a SKIRT run.

The default is that of the published images of TNG100 (Rodriguez-Gomez et al. 2019, section 3.1): populations older than
10 Myr by Bruzual & Charlot (2003) with a Chabrier initial mass function, younger ones as star-forming regions by
MAPPINGS III (Groves et al. 2008) with log C = 5, log (P/k) = 5 [K/cm^3] and a covering factor 0.2; dust in the cells
that form stars, 0.3 of their metals, of the mix of Zubko et al. (2004); the gas on its own Voronoi mesh; galaxies drawn
as at z = 0.0485. Galaxies with next to no gas the paper draws by starlight alone; here a galaxy has no dust where no
cell holds any. Ours where the paper is silent: number of photon packets, wavelength range, size of the domain.
"""

from __future__ import annotations

from typing import Any, Literal

from astropy import units as u
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...errors import DmlibError
from ...units import COSMOLOGY
from ..images.bands import REDSHIFT, UGRIZ


class SkirtError(DmlibError):
    """SKIRT is not here, lacks its resources, or wrote what cannot be read."""


class SkirtSettings(BaseModel):
    """What SKIRT is to compute.

    Parameters
    ----------
    library : {"resources", "self-contained"}
        Spectra, bands and dust of SKIRT's resource packs, or tables that dmlib writes, for which SKIRT needs no pack:
        the population model of the embedded universe, `dmlib.observe.skirt.population.BANDS` and the dust of Draine
        (2003). There, young stars are drawn like the others.
    dust : bool
        Whether there is dust.
    medium : {"voronoi", "particles"}
        How the gas is handed over: as sites of a Voronoi mesh, all cells of the domain, or the dusty cells as smoothed
        particles on an octree. Default: ``voronoi`` with the resources, ``particles`` without. A mesh fits TNG, whose
        cells it restores; those of the embedded universe are not the cells of a mesh: take ``particles`` there.
    frame : {"observer", "rest"}
        Bands of an observer who sees the galaxy at `redshift`, or those of the galaxy itself, as particle light has
        them. Default: ``observer`` with the resources, ``rest`` without.
    redshift : float
        As at which the galaxy is drawn.
    packets : float
        Photon packets.
    young_age : float
        Age below which a star is a star-forming region [Myr].
    compactness : float
        log C of MAPPINGS III.
    log_pressure : float
        Of the medium around star-forming regions, log (P/k) [K/cm^3].
    covering_factor : float
        Of the photodissociation regions, f_PDR.
    dust_to_metals : float
        Share of the metals that is dust.
    dusty : {"star-forming", "cold"}
        Which cells hold dust: those that form stars (Rodriguez-Gomez et al. 2019), or also those below 8000 K (Camps et
        al. 2016).
    cell : float
        Cells of the octree become as small as this where there is dust [kpc]; about the size of the densest gas cells
        of TNG100.
    seed : int
        SKIRT repeats a run exactly only with one thread.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    library: Literal["resources", "self-contained"] = "resources"
    dust: bool = True
    medium: Literal["voronoi", "particles"] = "voronoi"
    frame: Literal["observer", "rest"] = "observer"
    redshift: float = Field(REDSHIFT, gt=0, lt=1)
    packets: float = Field(5e6, ge=1e3, le=1e12)
    young_age: float = Field(10.0, gt=0)
    compactness: float = Field(5.0, gt=4.0, lt=6.5)
    log_pressure: float = Field(5.0, gt=4.0, lt=8.0)
    covering_factor: float = Field(0.2, gt=0, lt=1)
    dust_to_metals: float = Field(0.3, gt=0, le=1)
    dusty: Literal["star-forming", "cold"] = "star-forming"
    cell: float = Field(0.25, gt=0)
    seed: int = Field(0, ge=0, le=1_000_000)

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_library(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("library") == "self-contained":
            given = {"medium": "particles", "frame": "rest"} | given
        return given

    @model_validator(mode="after")
    def _consistent(self) -> SkirtSettings:
        if self.library == "self-contained" and self.frame != "rest":
            # Its spectra have steps at the edges of the bands, which must not be shifted against these.
            raise ValueError("the self-contained spectra are made for bands at rest: set frame='rest'")
        return self

    @property
    def bands(self) -> tuple[str, ...]:
        """u g r i z."""
        return UGRIZ

    @property
    def luminosity_distance(self) -> float:
        """[Mpc], which sets the flux."""
        return float(COSMOLOGY.luminosity_distance(self.redshift).to_value(u.Mpc))

    @property
    def pixel_distance(self) -> float:
        """Distance by which SKIRT turns a pixel's side into an angle [Mpc].

        At rest SKIRT knows one distance, that of the instrument; there it is the luminosity distance, so that fluxes
        are those of `dmlib.observe.images.bands.maggies_per_lsun`, and the brightness per solid angle is not dimmed by
        (1 + z)^4. What an image holds is flux per pixel, to which this makes no difference.
        """
        if self.frame == "rest":
            return self.luminosity_distance
        return float(COSMOLOGY.angular_diameter_distance(self.redshift).to_value(u.Mpc))
