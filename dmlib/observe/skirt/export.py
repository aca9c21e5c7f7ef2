"""One galaxy as the input files of SKIRT.

Positions are those of `dmlib.galaxy`: proper, from the galaxy's centre, in the axes of the box, the periodic wrap
undone; wind particles are left out. Lengths are written in pc and ages in yr, which are SKIRT's default units, and are
stated in the headers as well.

Stars whose age or metallicity is outside a table of SKIRT's, or on its edge, emit nothing there
(``BruzualCharlotSEDFamily.cpp``, ``MappingsSEDFamily.cpp`` and ``FileSSPSEDFamily.cpp`` open their tables without
clamping). They are written just within it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy import constants
from astropy import units as u

from ...errors import GalaxyError
from ...files import write_text
from ...galaxy import Component, Galaxy
from ..hydrogen import SPLINE_FWHM, cell_fwhm, temperature
from ..images import UGRIZ, luminosity
from ..images.dust import age as age_today
from ..images.light import star_luminosities
from ..sky import SkyGrid, View
from . import SkirtSettings, write_parameter_file
from .tables import AGE_LIMITS, METALLICITY_LIMITS, photometry_of, write_columns, write_tables

STAR_FIELDS = (
    "GFM_InitialMass",
    "GFM_Metallicity",
    "GFM_StellarFormationTime",
    "GFM_StellarPhotometrics",
    "StellarHsml",
)
#: Names of the particle files, as in ``template.ski``.
STARS, YOUNG, GAS = "stars.txt", "young.txt", "gas.txt"

GAS_FIELDS = ("Density", "GFM_Metallicity", "GFM_Metals", "StarFormationRate", "InternalEnergy", "ElectronAbundance")

#: Ranges of SKIRT's libraries: metallicities 1e-4 to 0.05 of Bruzual & Charlot (2003, table 1; Padova 1994), 0.05 to 2
#: solar of MAPPINGS III (Groves et al. 2008), and the oldest populations, 20 Gyr.
_LIBRARY_Z = (1e-4, 0.05)
_MAPPINGS_Z = (6e-4, 0.025)
_LIBRARY_AGE = (1e4, 2e10)

#: Gas colder than this holds dust, where cells that form no stars may (Camps et al. 2016) [K].
COLD = 8000.0

#: Fewest and most photon packets that a signal-to-noise ratio may ask for.
_PACKETS = (1e5, 1e8)

_PASCAL = float((u.K / u.cm**3 * constants.k_B).to_value(u.Pa))


@dataclass(frozen=True)
class Export:
    """The input files of a galaxy for SKIRT.

    Parameters
    ----------
    ski : Path
        The parameter file, in the folder of all input files.
    rows : dict of int
        Rows of the files of ``stars``, of ``young`` star-forming regions and of ``gas``; 0 where there is no such file.
    domain : ndarray, shape (3, 2)
        Edges of the box that holds the dust [kpc].
    settings : SkirtSettings
        With the photon packets and the size of the cells that were chosen.
    budget : ndarray, shape (5,), or None
        Self-contained runs: light of the stars that were written, by the spectra that SKIRT will read, over their
        particle light, for u g r i z.
    """

    ski: Path
    rows: dict[str, int]
    domain: np.ndarray
    settings: SkirtSettings
    budget: np.ndarray | None


def within(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Values clipped to just inside limits: at its first point a table of SKIRT's gives no light."""
    return np.clip(values, limits[0] * 1.001, limits[1] * 0.999)


def seen(part: Component, support: np.ndarray, views: Sequence[View], grid: SkyGrid) -> np.ndarray:
    """Particles whose kernels reach into the field along at least one line of sight, boolean, shape (n,)."""
    reach = [np.abs(view.project(part.position)[:, :2]).max(axis=1, initial=0.0) for view in views]
    return np.min(reach, axis=0) - support < 0.5 * grid.field_of_view


def ages(stars: Component) -> np.ndarray:
    """Ages at redshift 0 [yr], at least 0, shape (n,)."""
    return np.maximum(age_today(stars.extra["GFM_StellarFormationTime"]), 0.0) * 1e9


def _columns(part: Component, size: np.ndarray | None = None) -> dict[tuple[str, str], np.ndarray]:
    """Positions, and smoothing lengths of the given size [kpc]."""
    columns = {(f"position {axis}", "pc"): 1e3 * part.position[:, k] for k, axis in enumerate("xyz")}
    return columns if size is None else {**columns, ("smoothing length", "pc"): 1e3 * size}


def _write_stars(folder: Path, name: str, stars: Component, young: np.ndarray, settings: SkirtSettings) -> None:
    """Write the old stars as populations and the young ones as star-forming regions."""
    own = settings.library == "self-contained"
    if not young.all():
        part = stars.where(~young)
        columns = {
            **_columns(part, part.extra["StellarHsml"]),
            ("initial mass", "Msun"): part.extra["GFM_InitialMass"],
            ("metallicity", "1"): within(part.extra["GFM_Metallicity"], METALLICITY_LIMITS if own else _LIBRARY_Z),
            ("age", "yr"): within(ages(part), AGE_LIMITS if own else _LIBRARY_AGE),
        }
        write_columns(folder / STARS, f"stars of {name}", columns)
    if young.any():
        part = stars.where(young)
        same = np.ones(len(part))
        columns = {
            **_columns(part, part.extra["StellarHsml"]),
            # The templates assume a constant rate over 10 Myr, whatever the age that separates young from old.
            ("star formation rate", "Msun/yr"): part.extra["GFM_InitialMass"] / 1e7,
            ("metallicity", "1"): within(part.extra["GFM_Metallicity"], _MAPPINGS_Z),
            ("compactness", "1"): settings.compactness * same,
            ("pressure", "Pa"): 10.0**settings.log_pressure * _PASCAL * same,
            ("covering factor", "1"): settings.covering_factor * same,
        }
        write_columns(folder / YOUNG, f"star-forming regions of {name}", columns)


def _write_gas(
    folder: Path, galaxy: Galaxy, views: Sequence[View], grid: SkyGrid, settings: SkirtSettings
) -> tuple[int, np.ndarray, float]:
    """Write the gas; cells written (0 where none holds dust), domain (3, 2) and median smoothing length, both [kpc]."""
    gas = galaxy.gas
    nothing = 0, np.zeros((3, 2)), 1.0
    if not settings.dust or not len(gas):
        return nothing
    dusty = np.asarray(gas.extra["StarFormationRate"]) > 0
    if settings.dusty == "cold":
        x = gas.extra["GFM_Metals"][:, 0]
        dusty |= temperature(gas.extra["InternalEnergy"], x, gas.extra["ElectronAbundance"]) < COLD
    support = cell_fwhm(gas.mass, gas.extra["Density"]) / SPLINE_FWHM
    if settings.medium == "voronoi":
        # A cube that holds the field of every line of sight; the mesh needs the cells without dust too.
        half = 0.5 * grid.field_of_view * np.sqrt(3.0)
        chosen = np.abs(gas.position).max(axis=1, initial=0.0) < half
        domain = half * np.array([[-1.0, 1.0]] * 3)
    else:
        chosen = dusty & seen(gas, support, views, grid)
    if not (dusty & chosen).any():
        return nothing
    part, support = gas.where(chosen), support[chosen]
    if settings.medium == "voronoi":
        columns = _columns(part)
        columns[("mass density", "Msun/pc3")] = np.where(dusty[chosen], part.extra["Density"] * 1e-9, 0.0)
    else:
        columns = {**_columns(part, support), ("mass", "Msun"): part.mass}
        low, high = part.position - support[:, None], part.position + support[:, None]
        domain = np.column_stack([low.min(axis=0), high.max(axis=0)])
    columns[("metallicity", "1")] = part.extra["GFM_Metallicity"]
    write_columns(folder / GAS, f"gas of {galaxy.name}", columns)
    return len(part), domain, float(np.median(support))


def packets_for(
    signal_to_noise: float, position: np.ndarray, light: np.ndarray, views: Sequence[View], grid: SkyGrid
) -> float:
    """Photon packets that give the brightest pixels a signal-to-noise ratio.

    Every packet is seen by every instrument, and a pixel that n of them reach has a ratio of the root of n. Of all
    packets a fifth is in a band, and half of these in the n_half brightest pixels that hold half of the light:
    N = 2 * 5 * n_half * ratio^2, within `_PACKETS`.

    Parameters
    ----------
    signal_to_noise : float
    position : ndarray, shape (n, 3)
        Of the stars [kpc].
    light : ndarray, shape (n,)
    views : sequence of View
        The one with the most pixels counts.
    grid : SkyGrid
    """
    edges = np.linspace(-0.5, 0.5, grid.pixels + 1) * grid.field_of_view
    most = 1
    for view in views:
        x, y, _ = view.project(position).T
        image = np.sort(np.histogram2d(y, x, bins=(edges, edges), weights=light)[0].ravel())[::-1]
        if image[0] > 0:
            most = max(most, int(np.searchsorted(np.cumsum(image), 0.5 * image.sum())) + 1)
    return float(np.clip(2 * len(UGRIZ) * most * signal_to_noise**2, *_PACKETS))


def light_budget(galaxy: Galaxy) -> np.ndarray:
    """Light of a galaxy's stars by the spectra of a self-contained run, over their particle light, shape (5,).

    It is 1 on the embedded universe, whose particle light is from the same model. For TNG, whose light is by Bruzual &
    Charlot (2003), it shows how the two models differ.
    """
    stars = galaxy.stars
    light = star_luminosities(galaxy).sum(axis=0)
    metallicity = within(stars.extra["GFM_Metallicity"], METALLICITY_LIMITS)
    magnitudes = photometry_of(within(ages(stars), AGE_LIMITS), metallicity, stars.extra["GFM_InitialMass"])
    return luminosity(magnitudes).sum(axis=0) / light


def export(galaxy: Galaxy, views: Sequence[View], grid: SkyGrid, settings: SkirtSettings, folder: str | Path) -> Export:
    """Write the input files of one galaxy and the parameter file that draws it along lines of sight.

    Parameters
    ----------
    galaxy : Galaxy
        With `STAR_FIELDS`, and `GAS_FIELDS` for dust, in the axes of the box.
    views : sequence of View
    grid : SkyGrid
    settings : SkirtSettings
    folder : path
        Created if missing; files of the same names are replaced.

    Returns
    -------
    Export

    Raises
    ------
    GalaxyError
        When the galaxy has no stars in the field, or a field is damaged.
    SkirtError
        When a value is not finite.
    """
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    # Refuses a galaxy without stars, or with damaged fields.
    light = star_luminosities(galaxy)[:, UGRIZ.index("r")]
    galaxy.require_finite("stars", ("GFM_InitialMass",))
    if settings.dust and len(galaxy.gas):
        galaxy.require_finite("gas", ("Coordinates", *GAS_FIELDS))
    in_field = seen(galaxy.stars, galaxy.stars.extra["StellarHsml"], views, grid)
    stars = galaxy.stars.where(in_field)
    if not len(stars):
        raise GalaxyError(f"{galaxy.name} has no stars in the field of {grid.field_of_view:g} kpc")
    young = ages(stars) < settings.young_age * 1e6
    if settings.library == "self-contained":
        young[:] = False
    for name in (STARS, YOUNG, GAS):
        (folder / name).unlink(missing_ok=True)
    _write_stars(folder, galaxy.name, stars, young, settings)
    n_gas, domain, smoothing = _write_gas(folder, galaxy, views, grid, settings)
    chosen = {
        "packets": settings.packets
        or packets_for(settings.signal_to_noise, stars.position, light[in_field], views, grid),
        "cell": settings.cell or 0.5 * smoothing,
    }
    settings = settings.model_copy(update=chosen)
    rows = {"stars": int((~young).sum()), "young": int(young.sum()), "gas": n_gas}
    write_tables(folder, settings)
    ski = folder / f"subhalo_{galaxy.subhalo_id}.ski"
    write_parameter_file(ski, settings, views, grid, rows, domain)
    budget = light_budget(galaxy) if settings.library == "self-contained" else None
    description = {
        "subhalo_id": galaxy.subhalo_id,
        "scope": galaxy.scope,
        "ski": ski.name,
        "settings": settings.model_dump(),
        "field_of_view_kpc": grid.field_of_view,
        "pixels": grid.pixels,
        "views": [{"index": view.index, "rotation": np.asarray(view.rotation).tolist()} for view in views],
        "rows": rows,
        "light_over_particle_light": None if budget is None else dict(zip(UGRIZ, budget.tolist(), strict=True)),
    }
    write_text(folder / "export.json", json.dumps(description, indent=1))
    return Export(ski, rows, domain, settings, budget)
