"""One galaxy as the input files of SKIRT.

Positions are those of `dmlib.galaxy`: proper, from the galaxy's centre, in the axes of the box, the periodic wrap
undone; wind particles are no stars. Lengths are written in pc and ages in yr, SKIRT's own units, and so stated in the
headers: a reader that loses the header reads the same.

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
from ..grid import SkyGrid
from ..hydrogen import SPLINE_FWHM, cell_fwhm, temperature
from ..images.bands import luminosity
from ..images.dust import age as age_today
from ..images.light import star_luminosities
from ..views import View
from .columns import write_columns
from .population import AGE_LIMITS, METALLICITY_LIMITS, photometry_of
from .settings import SkirtSettings
from .skifile import GAS, STARS, YOUNG, Contents, instrument_angles, parameter_file, write_parameter_file, write_tables

STAR_FIELDS = (
    "GFM_InitialMass",
    "GFM_Metallicity",
    "GFM_StellarFormationTime",
    "GFM_StellarPhotometrics",
    "StellarHsml",
)
GAS_FIELDS = ("Density", "GFM_Metallicity", "GFM_Metals", "StarFormationRate", "InternalEnergy", "ElectronAbundance")

#: Ranges of SKIRT's libraries: metallicities 1e-4 to 0.05 of Bruzual & Charlot (2003, table 1; Padova 1994), 0.05 to 2
#: solar of MAPPINGS III (Groves et al. 2008), and the oldest populations, 20 Gyr.
_LIBRARY_Z = (1e-4, 0.05)
_MAPPINGS_Z = (6e-4, 0.025)
_LIBRARY_AGE = (1e4, 2e10)

#: Gas colder than this holds dust, where cells that form no stars may (Camps et al. 2016) [K].
COLD = 8000.0

_PASCAL = float((u.K / u.cm**3 * constants.k_B).to_value(u.Pa))


@dataclass(frozen=True)
class Export:
    """A galaxy that was written for SKIRT.

    Parameters
    ----------
    folder : Path
        Holds all input files.
    ski : Path
        The parameter file.
    contents : Contents
    budget : ndarray, shape (5,), or None
        Self-contained runs: light of the stars that were written, by the spectra that SKIRT will read, over their
        particle light, for u g r i z.
    """

    folder: Path
    ski: Path
    contents: Contents
    budget: np.ndarray | None


def within(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Values put inside limits, by a thousandth of them: SKIRT's tables are dark on their first point."""
    return np.clip(values, limits[0] * 1.001, limits[1] * 0.999)


def seen(part: Component, support: np.ndarray, views: Sequence[View], grid: SkyGrid) -> np.ndarray:
    """Particles whose kernels reach into the field along at least one line of sight, boolean, shape (n,)."""
    half = 0.5 * grid.field_of_view
    found = np.zeros(len(part), dtype=bool)
    for view in views:
        found |= (np.abs(view.project(part.position)[:, :2]).max(axis=1, initial=0.0) - support) < half
    return found


def ages(stars: Component) -> np.ndarray:
    """Ages today [yr], shape (n,), hence for the last snapshot; a star of the last instant is not younger than 0."""
    return np.maximum(age_today(stars.extra["GFM_StellarFormationTime"]), 0.0) * 1e9


def dusty_cells(gas: Component, settings: SkirtSettings) -> np.ndarray:
    """Cells that hold dust, boolean, shape (n,)."""
    dusty = np.asarray(gas.extra["StarFormationRate"]) > 0
    if settings.dusty == "cold":
        x = gas.extra["GFM_Metals"][:, 0]
        dusty |= temperature(gas.extra["InternalEnergy"], x, gas.extra["ElectronAbundance"]) < COLD
    return dusty


def _place(part: Component) -> dict[tuple[str, str], np.ndarray]:
    return {(f"position {axis}", "pc"): 1e3 * part.position[:, k] for k, axis in enumerate("xyz")}


def _write_old(path: Path, name: str, stars: Component, settings: SkirtSettings) -> None:
    self_contained = settings.library == "self-contained"
    columns = {
        **_place(stars),
        ("smoothing length", "pc"): 1e3 * stars.extra["StellarHsml"],
        ("initial mass", "Msun"): stars.extra["GFM_InitialMass"],
        ("metallicity", "1"): within(
            stars.extra["GFM_Metallicity"], METALLICITY_LIMITS if self_contained else _LIBRARY_Z
        ),
        ("age", "yr"): within(ages(stars), AGE_LIMITS if self_contained else _LIBRARY_AGE),
    }
    write_columns(path, f"stars of {name}", columns)


def _write_young(path: Path, name: str, stars: Component, settings: SkirtSettings) -> None:
    same = np.ones(len(stars))
    columns = {
        **_place(stars),
        ("smoothing length", "pc"): 1e3 * stars.extra["StellarHsml"],
        # The templates are of a constant rate over 10 Myr, whatever the age that parts young from old.
        ("star formation rate", "Msun/yr"): stars.extra["GFM_InitialMass"] / 1e7,
        ("metallicity", "1"): within(stars.extra["GFM_Metallicity"], _MAPPINGS_Z),
        ("compactness", "1"): settings.compactness * same,
        ("pressure", "Pa"): 10.0**settings.log_pressure * _PASCAL * same,
        ("covering factor", "1"): settings.covering_factor * same,
    }
    write_columns(path, f"star-forming regions of {name}", columns)


def _gas(
    gas: Component, views: Sequence[View], grid: SkyGrid, settings: SkirtSettings
) -> tuple[Component, np.ndarray, np.ndarray]:
    """Cells to be written, which of them hold dust, and the domain [kpc], shape (3, 2)."""
    dusty = dusty_cells(gas, settings)
    if settings.medium == "voronoi":
        # A cube that holds the field of every line of sight; the mesh needs the cells without dust too.
        half = 0.5 * grid.field_of_view * np.sqrt(3.0)
        inside = np.abs(gas.position).max(axis=1, initial=0.0) < half
        return gas.where(inside), dusty[inside], half * np.array([[-1.0, 1.0]] * 3)
    support = _support(gas)
    chosen = dusty & seen(gas, support, views, grid)
    part, support = gas.where(chosen), support[chosen]
    if not len(part):
        return part, dusty[chosen], np.array([[-1.0, 1.0]] * 3)
    low = (part.position - support[:, None]).min(axis=0)
    high = (part.position + support[:, None]).max(axis=0)
    return part, dusty[chosen], np.column_stack([low, high])


def _support(gas: Component) -> np.ndarray:
    return cell_fwhm(gas.mass, gas.extra["Density"]) / SPLINE_FWHM


def _write_gas(path: Path, name: str, gas: Component, dusty: np.ndarray, settings: SkirtSettings) -> None:
    columns = _place(gas)
    if settings.medium == "voronoi":
        columns[("mass density", "Msun/pc3")] = np.where(dusty, gas.extra["Density"] * 1e-9, 0.0)
    else:
        columns[("smoothing length", "pc")] = 1e3 * _support(gas)
        columns[("mass", "Msun")] = gas.mass
    columns[("metallicity", "1")] = gas.extra["GFM_Metallicity"]
    write_columns(path, f"gas of {name}", columns)


def light_budget(galaxy: Galaxy) -> np.ndarray:
    """Light of a galaxy's stars by the spectra of a self-contained run, over their particle light, shape (5,).

    1 on the embedded universe, whose particle light is from the same model. On TNG itself, whose light is by Bruzual &
    Charlot (2003), the difference of the two models.
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
        With `STAR_FIELDS`, and `GAS_FIELDS` where there is to be dust, in the axes of the box.
    views : sequence of View
    grid : SkyGrid
    settings : SkirtSettings
    folder : path
        Made where it is missing. What is in it of the same names is replaced.

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
    # It refuses a galaxy without stars, and damaged ones.
    star_luminosities(galaxy)
    stars = galaxy.stars.where(seen(galaxy.stars, galaxy.stars.extra["StellarHsml"], views, grid))
    if not len(stars):
        raise GalaxyError(f"{galaxy.name} has no stars in the field of {grid.field_of_view:g} kpc")
    young = ages(stars) < settings.young_age * 1e6
    if settings.library == "self-contained":
        young[:] = False
    gas, dusty, domain = _gas(galaxy.gas, views, grid, settings) if settings.dust and len(galaxy.gas) else (None,) * 3
    cells = len(gas) if gas is not None and dusty.any() else 0
    contents = Contents(int((~young).sum()), int(young.sum()), cells, domain if cells else np.zeros((3, 2)))
    for name in (STARS, YOUNG, GAS):
        (folder / name).unlink(missing_ok=True)
    if contents.old:
        _write_old(folder / STARS, galaxy.name, stars.where(~young), settings)
    if contents.young:
        _write_young(folder / YOUNG, galaxy.name, stars.where(young), settings)
    if cells:
        _write_gas(folder / GAS, galaxy.name, gas, dusty, settings)
    write_tables(folder, settings)
    ski = folder / f"subhalo_{galaxy.subhalo_id}.ski"
    write_parameter_file(ski, parameter_file(settings, views, grid, contents))
    budget = light_budget(galaxy) if settings.library == "self-contained" else None
    written = Export(folder, ski, contents, budget)
    write_text(folder / "export.json", json.dumps(_description(galaxy, views, grid, settings, written), indent=1))
    return written


def _description(
    galaxy: Galaxy, views: Sequence[View], grid: SkyGrid, settings: SkirtSettings, written: Export
) -> dict:
    """What the folder holds, for who reads the frames later."""
    budget = None if written.budget is None else dict(zip(settings.bands, written.budget.tolist(), strict=True))
    return {
        "subhalo_id": galaxy.subhalo_id,
        "scope": galaxy.scope,
        "ski": written.ski.name,
        "settings": settings.model_dump(),
        "field_of_view_kpc": grid.field_of_view,
        "pixels": grid.pixels,
        "views": [
            {
                "index": view.index,
                "rotation": np.asarray(view.rotation).tolist(),
                "inclination_azimuth_roll_deg": instrument_angles(view.rotation),
            }
            for view in views
        ],
        "rows": {"stars": written.contents.old, "young": written.contents.young, "gas": written.contents.gas},
        "light_over_particle_light": budget,
    }
