r"""Your own SKIRT runs: radiative transfer of starlight through dust, for any galaxy and any line of sight.

This module holds the settings of a run, with the source of each number, and writes the parameter file.

- `tables`: SKIRT's file formats; spectra, band curves and dust for a run without SKIRT's resource packs.
- `export`: one galaxy as SKIRT's input files.
- `source`: the executable, its frames as a source of images, and a comparison with particle light.

**What has been verified.** SKIRT 9.0, built from its source of July 2026, accepts every kind of parameter file, and
draws the self-contained ones; records/skirt_own_runs.json has what it gave. tests/observe/test_skirt_run.py repeats
this where it finds an executable. Elsewhere a schema read from SKIRT's source (tests/skirt_schema.py) and a stand-in
that follows its formulas (tests/fake_skirt.py) refuse what SKIRT refuses. **What has not:** a run with SKIRT's resource
packs, which were not available; such files get as far as looking for the packs.

**Settings.** The default is that of the published images of TNG100 (Rodriguez-Gomez et al. 2019, section 3.1):
populations older than 10 Myr by Bruzual & Charlot (2003) with a Chabrier initial mass function, younger ones as
star-forming regions by MAPPINGS III (Groves et al. 2008) with log C = 5, log (P/k) = 5 [K/cm^3] and a covering factor
0.2; dust in the cells that form stars, 0.3 of their metals, of the mix of Zubko et al. (2004); the gas on its own
Voronoi mesh; galaxies drawn as at z = 0.0485. The paper draws galaxies with next to no gas by starlight alone; here a
galaxy has no dust where no cell holds any. Our choices where the paper is silent: photon packets, wavelengths, domain.

**Lines of sight.** SKIRT's distant instruments look from the direction :math:`k = (\sin\theta\cos\varphi,
\sin\theta\sin\varphi, \cos\theta)`; a position is first turned to

.. math::
   x'' = -x\sin\varphi + y\cos\varphi, \qquad y'' = -x\cos\varphi\cos\theta - y\sin\varphi\cos\theta + z\sin\theta,

and then by the roll :math:`\omega` to the frame's :math:`x' = x''\cos\omega - y''\sin\omega`, right, and
:math:`y' = x''\sin\omega + y''\cos\omega`, up (``FrameInstrument.cpp``). With k towards the observer that is
right-handed, as `dmlib.observe.sky` is: the rows of a view's rotation are the frame's x', y' and k, and give the
three angles.

The parameter file is ``template.ski``, filled in. Versions of SKIRT 9 differ in what it leaves to the defaults. (SKIRT
10, in development in 2026, builds its octrees from other elements and does not read these files.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import numpy as np
from astropy import units as u
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...errors import DmlibError
from ...files import write_text
from ...units import cosmology
from ..images import REDSHIFT, UGRIZ
from ..sky import SkyGrid, View

#: Wavelengths of the photon packets of a self-contained run [micron].
PACKET_RANGE = (0.32, 0.98)


class SkirtError(DmlibError):
    """SKIRT is not installed, lacks its resources, or wrote a file that cannot be read."""


class SkirtSettings(BaseModel):
    """What SKIRT computes.

    Parameters
    ----------
    library : {"resources", "self-contained"}
        Spectra, bands and dust of SKIRT's resource packs, or tables that dmlib writes, for which SKIRT needs no pack
        (see `dmlib.observe.skirt.tables`): the population model of the embedded universe, box-shaped bands and the dust
        of Draine (2003). Young stars are then drawn like the others.
    dust : bool
        Whether there is dust.
    medium : {"voronoi", "particles"}
        How the gas is written: the dusty cells as smoothed particles on an octree, or all cells of the domain as sites
        of a Voronoi mesh. A mesh restores the cells of TNG, as the published images do; the gas of the embedded
        universe never was one, and a mesh around it holds several times its mass.
    frame : {"observer", "rest"}
        Bands of an observer who sees the galaxy at `redshift`, or those of the galaxy itself, as particle light has
        them. Default: ``observer`` with the resources, ``rest`` without.
    redshift : float
        At which the galaxy is drawn.
    packets : float, optional
        Photon packets; as many as `signal_to_noise` needs when omitted.
    signal_to_noise : float
        Of a pixel among the brightest, those that hold half of the light, in a band without dust.
    young_age : float
        Age below which a star is a star-forming region [Myr].
    compactness : float
        log C of MAPPINGS III.
    log_pressure : float
        Of the medium around star-forming regions, log (P/k) [K/cm^3].
    covering_factor : float
        Of the photodissociation regions, f_PDR.
    dust_to_metals : float
        Mass of dust over mass of metals.
    dusty : {"star-forming", "cold"}
        Which cells hold dust: those that form stars (Rodriguez-Gomez et al. 2019), or also those below 8000 K (Camps et
        al. 2016).
    cell : float, optional
        Cells of the octree become as small as this where there is dust [kpc]. Default: half of the dusty cells' median
        smoothing length; finer ones resolve the kernels and nothing else, at many times the cost.
    seed : int
        SKIRT repeats a run exactly only with one thread.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    library: Literal["resources", "self-contained"] = "resources"
    dust: bool = True
    medium: Literal["voronoi", "particles"] = "particles"
    frame: Literal["observer", "rest"] = "observer"
    redshift: float = Field(default=REDSHIFT, gt=0, lt=1)
    packets: float | None = Field(default=None, ge=1e3, le=1e12)
    signal_to_noise: float = Field(default=20.0, ge=1, le=1000)
    young_age: float = Field(default=10.0, gt=0)
    compactness: float = Field(default=5.0, gt=4.0, lt=6.5)
    log_pressure: float = Field(default=5.0, gt=4.0, lt=8.0)
    covering_factor: float = Field(default=0.2, gt=0, lt=1)
    dust_to_metals: float = Field(default=0.3, gt=0, le=1)
    dusty: Literal["star-forming", "cold"] = "star-forming"
    cell: float | None = Field(default=None, gt=0)
    seed: int = Field(default=0, ge=0, le=1_000_000)

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_library(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("library") == "self-contained":
            given = {"frame": "rest"} | given
        return given

    @model_validator(mode="after")
    def _consistent(self) -> SkirtSettings:
        if self.library == "self-contained" and self.frame != "rest":
            # Its spectra have steps at the edges of the bands, which must not be shifted against these.
            raise ValueError("the self-contained spectra are made for bands at rest: set frame='rest'")
        return self

    @property
    def distance(self) -> float:
        """Distance by which SKIRT turns a pixel's side into an angle [Mpc].

        At rest SKIRT knows one distance, that of the instrument; there it is the luminosity distance, so that fluxes
        are those of `dmlib.observe.images.maggies_per_lsun`, and the brightness per solid angle is not dimmed by
        (1 + z)^4. What an image holds is flux per pixel, to which this makes no difference.
        """
        kind = cosmology().luminosity_distance if self.frame == "rest" else cosmology().angular_diameter_distance
        return float(kind(self.redshift).to_value(u.Mpc))


def instrument_angles(rotation: np.ndarray) -> tuple[float, float, float]:
    """Inclination, azimuth and roll [deg] of the instrument that sees what a view's rotation shows.

    Parameters
    ----------
    rotation : ndarray, shape (3, 3)
        Box frame to observer frame, see `dmlib.observe.sky.View`.
    """
    right, _, towards = np.asarray(rotation, dtype=float)
    tilt = np.hypot(towards[0], towards[1])
    theta = np.arctan2(tilt, towards[2])
    # Along the z axis of the box the azimuth is arbitrary; the roll compensates for it.
    phi = np.arctan2(towards[1], towards[0]) if tilt > 1e-12 else 0.0
    axis_x = np.array([-np.sin(phi), np.cos(phi), 0.0])
    axis_y = np.array([-np.cos(phi) * np.cos(theta), -np.sin(phi) * np.cos(theta), np.sin(theta)])
    omega = np.arctan2(-(right @ axis_y), right @ axis_x)
    inclination, azimuth, roll = np.degrees([theta, phi, omega])
    return float(inclination), float(azimuth), float(roll)


def write_parameter_file(
    path: Path,
    settings: SkirtSettings,
    views: Sequence[View],
    grid: SkyGrid,
    rows: Mapping[str, int],
    domain: np.ndarray,
) -> None:
    """Write the parameter file of a run.

    Parameters
    ----------
    path : Path
        Ends in ``.ski``.
    settings : SkirtSettings
        With numbers for `packets` and `cell`.
    views : sequence of View
        One instrument each.
    grid : SkyGrid
        Their pixels.
    rows : mapping of int
        Rows of the files of ``stars``, of ``young`` star-forming regions and of ``gas``; 0 where there is no such file.
        Without dusty cells the run has no medium.
    domain : ndarray, shape (3, 2)
        Edges of the box that holds the dust [kpc].
    """
    holds: set[str] = {settings.library, settings.medium, settings.frame, *(name for name, n in rows.items() if n)}
    # The bands of the resource packs are wider than our boxes.
    shortest, longest = PACKET_RANGE if settings.library == "self-contained" else (0.29, 1.13)
    if settings.frame == "observer":
        shortest /= 1.0 + settings.redshift
    values = settings.model_dump()
    levels = np.ceil(np.log2(max(np.ptp(domain, axis=1).max() / values["cell"], 1.0)))
    values |= {
        "mode": "ExtinctionOnly" if "gas" in holds else "NoMedium",
        "h": float(cosmology().h),
        "omega_m": float(cosmology().Om0),
        "shortest": shortest,
        "longest": longest,
        "distance": settings.distance if settings.frame == "rest" else 0.0,
        "side": 1e3 * grid.field_of_view,
        "pixels": grid.pixels,
        "max_level": int(np.clip(levels, 3, 20)),
        **dict(zip(("min_x", "max_x", "min_y", "max_y", "min_z", "max_z"), 1e3 * domain.ravel(), strict=True)),
    }
    lists: dict[str | None, list[dict[str, Any]]] = {
        "view": [
            dict(
                zip(("inclination", "azimuth", "roll"), instrument_angles(view.rotation), strict=True), index=view.index
            )
            for view in views
        ],
        "band": [{"band": band, "upper": band.upper()} for band in UGRIZ],
    }

    def fill(element: ElementTree.Element, values: dict[str, Any]) -> list[ElementTree.Element]:
        if element.get("when", settings.library) not in holds:
            return []
        filled = []
        for further in lists.get(element.get("each"), [{}]):
            here = values | further
            attributes = {k: v.format(**here) for k, v in element.items() if k not in ("when", "each")}
            filled.append(ElementTree.Element(element.tag, attributes))
            for child in element:
                filled[-1].extend(fill(child, here))
        return filled

    template = ElementTree.fromstring(files(__package__).joinpath("template.ski").read_text(encoding="utf-8"))
    (root,) = fill(template, values)
    ElementTree.indent(root, space="    ")
    text = ElementTree.tostring(root, encoding="unicode")
    write_text(path, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n')
